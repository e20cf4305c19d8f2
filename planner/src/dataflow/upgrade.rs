//! What becomes of the state when a project changes: a comparison of two dataflows, model by model.
//!
//! **Invariant:** state is kept only where it is what the new operator would hold, but for rows and
//! values that the reasons name. An edit of one model says nothing about another, unless rows or
//! types change there, too.

use std::collections::BTreeSet;

use stream::ReaderName;

use super::meaning::{Meaning, Meanings};
use super::{Dataflow, Node, Operator};

mod output;
mod sources;
mod state;

pub use state::KeptState;

/// What an edit does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade {
    /// The new dataflow's models in its order, then those that are gone.
    pub models: Vec<ModelChange>,
    /// For each node of the new dataflow what it takes over; `None`: it begins empty, or keeps
    /// nothing.
    pub operators: Vec<Option<KeptState>>,
    /// Readers whose event time means something else: their watermarks are forgotten.
    pub reset: BTreeSet<ReaderName>,
}

/// What an edit does to one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelChange {
    /// The model.
    pub model: String,
    /// All in all.
    pub verdict: Verdict,
    /// Why, for people; each begins with a place such as "GROUP BY".
    pub reasons: Vec<Reason>,
}

/// One change and how much it weighs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// How much.
    pub weight: Weight,
    /// What has changed, for people.
    pub text: String,
}

/// How much a change weighs, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Rows go on as they were; at most a column comes to them.
    Light,
    /// The state stays, but rows from here on are not what they would have been: to be accepted.
    Accept,
    /// The state is not what the model needs: to be built up again.
    Rebuild,
}

/// What becomes of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing that rows depend on has changed.
    Unchanged,
    /// Its state is kept.
    Compatible {
        /// Whether somebody has to accept it: rows from here on mean something else.
        needs_acceptance: bool,
    },
    /// Its state is forgotten and built up again from the retained input.
    Rebuild,
    /// It is new, and reads the retained input.
    Added,
    /// It is gone; its state is forgotten, its topic stays.
    Removed,
}

impl Verdict {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Compatible { .. } => "compatible",
            Self::Rebuild => "rebuild",
            Self::Added => "added",
            Self::Removed => "removed",
        }
    }

    /// Whether a run refuses it until somebody has accepted it.
    pub fn needs_acceptance(self) -> bool {
        match self {
            Self::Unchanged | Self::Added => false,
            Self::Compatible { needs_acceptance } => needs_acceptance,
            Self::Rebuild | Self::Removed => true,
        }
    }
}

impl Upgrade {
    /// Compares the plan that state was kept by with the one that shall go on.
    pub fn between(old: &Dataflow, new: &Dataflow) -> Self {
        let comparison =
            Comparison { old, new, was: Meanings::of(old), is: Meanings::of(new), rebuilt: vec![] };
        comparison.compare()
    }

    /// Whether no model has changed.
    pub fn is_empty(&self) -> bool {
        self.models.iter().all(|change| change.verdict == Verdict::Unchanged)
    }

    /// What becomes of a model.
    pub fn of(&self, model: &str) -> Option<&ModelChange> {
        self.models.iter().find(|change| change.model == model)
    }

    /// Models of one kind.
    pub fn with(&self, verdict: Verdict) -> impl Iterator<Item = &str> {
        self.models
            .iter()
            .filter(move |change| change.verdict == verdict)
            .map(|change| change.model.as_str())
    }
}

impl Dataflow {
    /// These models and all that read them, directly or not.
    pub fn downstream(&self, models: &BTreeSet<String>) -> BTreeSet<String> {
        let mut found = models.clone();
        for node in &self.nodes {
            let mut read = node.inputs.iter().map(|input| &self.nodes[*input]);
            if read.any(|input| is_of_model(input) && found.contains(input.id.model())) {
                found.insert(node.id.model().to_owned());
            }
        }
        found
    }

    /// Names of its models, in its order; shadows are none.
    pub fn models(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        let own = self.nodes.iter().filter(|node| is_of_model(node) && !node.id.is_shadow());
        for node in own {
            if !names.contains(&node.id.model()) {
                names.push(node.id.model());
            }
        }
        names
    }
}

/// Two dataflows on the table.
struct Comparison<'a> {
    old: &'a Dataflow,
    new: &'a Dataflow,
    was: Meanings<'a>,
    is: Meanings<'a>,
    /// Models that are rebuilt or new, as far as they are known.
    rebuilt: Vec<String>,
}

impl Comparison<'_> {
    fn compare(mut self) -> Upgrade {
        let sources = sources::changes(self.old, self.new);
        let mut operators = vec![None; self.new.nodes.len()];
        let mut models = Vec::new();
        let known = self.old.models();
        for model in self.new.models() {
            let change = if known.contains(&model) {
                let mut reasons = self.reasons(model, &mut operators);
                self.note_inputs(model, &sources, &mut reasons);
                ModelChange::of(model, reasons)
            } else {
                ModelChange { model: model.to_owned(), verdict: Verdict::Added, reasons: vec![] }
            };
            if matches!(change.verdict, Verdict::Rebuild | Verdict::Added) {
                self.rebuilt.push(model.to_owned());
                self.forget(model, &mut operators);
            }
            models.push(change);
        }
        let kept = self.new.models();
        models.extend(known.into_iter().filter(|model| !kept.contains(model)).map(|model| {
            ModelChange { model: model.to_owned(), verdict: Verdict::Removed, reasons: vec![] }
        }));
        let reset = sources.into_iter().filter(|change| change.resets);
        let reset = reset.map(|change| change.reader).collect();
        Upgrade { models, operators, reset }
    }

    /// What has changed in a model that both have. Notes what its operators take over.
    fn reasons(&self, model: &str, operators: &mut [Option<KeptState>]) -> Vec<Reason> {
        let mut reasons = Vec::new();
        for (index, node) in nodes_of(self.new, model) {
            operators[index] = self.kept_state(node, &mut reasons);
        }
        for (_, gone) in nodes_of(self.old, model) {
            let stays = nodes_of(self.new, model).any(|(_, node)| node.id == gone.id);
            if is_stateful(gone) && !stays {
                let text = format!("{} is gone", state::name(gone));
                reasons.push(Reason { weight: Weight::Rebuild, text });
            }
        }
        self.compare_output(model, &mut reasons);
        reasons
    }

    /// What comes from the sources and models that it reads.
    fn note_inputs(&self, model: &str, sources: &[sources::Change], reasons: &mut Vec<Reason>) {
        let mut behind = BTreeSet::new();
        for (index, _) in nodes_of(self.new, model) {
            behind.extend(self.is.behind(index));
        }
        let mut read: Vec<&str> = Vec::new();
        let behind_it = behind.iter().map(|index| &self.new.nodes[*index]);
        for node in behind_it.filter(|node| is_of_model(node)) {
            let upstream = node.id.model();
            if self.rebuilt.iter().any(|one| one == upstream) && !read.contains(&upstream) {
                read.push(upstream);
            }
        }
        for upstream in read.into_iter().filter(|upstream| *upstream != model) {
            let how = if self.old.models().contains(&upstream) { "rebuilt" } else { "new" };
            let text = format!("it reads `{upstream}`, which is {how}");
            reasons.push(Reason { weight: Weight::Rebuild, text });
        }
        let is_stateful = nodes_of(self.new, model).any(|(_, node)| is_stateful(node));
        for change in sources.iter().filter(|change| behind.contains(&change.node)) {
            // What a type does to the model has been found already; this says where it comes from.
            let counts = change.weight == Weight::Accept && is_stateful;
            if counts || !reasons.is_empty() {
                let weight = if counts { change.weight } else { Weight::Light };
                reasons.push(Reason { weight, text: change.text.clone() });
            }
        }
    }

    fn forget(&self, model: &str, operators: &mut [Option<KeptState>]) {
        for (index, _) in nodes_of(self.new, model) {
            operators[index] = None;
        }
    }

    fn old_node(&self, node: &Node) -> Option<(usize, &Node)> {
        self.old.nodes.iter().enumerate().find(|(_, old)| old.id == node.id)
    }
}

impl ModelChange {
    fn of(model: &str, mut reasons: Vec<Reason>) -> Self {
        let mut told = BTreeSet::new();
        reasons.retain(|reason| told.insert(reason.text.clone()));
        // The heaviest first; among equals as they were found.
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.weight));
        let verdict = match reasons.first().map(|reason| reason.weight) {
            None => Verdict::Unchanged,
            Some(Weight::Light) => Verdict::Compatible { needs_acceptance: false },
            Some(Weight::Accept) => Verdict::Compatible { needs_acceptance: true },
            Some(Weight::Rebuild) => Verdict::Rebuild,
        };
        Self { model: model.to_owned(), verdict, reasons }
    }
}

/// Whether the node belongs to a model; sources belong to nobody.
fn is_of_model(node: &Node) -> bool {
    !matches!(node.operator, Operator::Source(_))
}

/// The nodes of a model, and where they are.
fn nodes_of<'d>(
    dataflow: &'d Dataflow,
    model: &str,
) -> impl Iterator<Item = (usize, &'d Node)> + use<'d> {
    let model = model.to_owned();
    let nodes = dataflow.nodes.iter().enumerate();
    nodes.filter(move |(_, node)| is_of_model(node) && node.id.model() == model)
}

fn is_stateful(node: &Node) -> bool {
    match node.operator {
        Operator::TemporalJoin(_) | Operator::WindowAggregate(_) => true,
        Operator::Source(_) | Operator::Filter(_) | Operator::Project(_) | Operator::Sink(_) => {
            false
        }
    }
}

#[cfg(test)]
mod tests;
