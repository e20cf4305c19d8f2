//! The selection grammar of `--select` and `--exclude`.
//!
//! A selection is a union of arguments; an argument is an intersection of terms with commas; a
//! term is `[@ | +[n]]value[+[n]]` or the same with `method:` before the value. `+` adds ancestors
//! or descendants, `n` at most so many steps away, `@` descendants and all that they need. Values
//! may hold `*` and `?`.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::reference::ReferenceMistake;
use crate::diagnostic::{Diagnostic, closest};
use crate::graph::reachable;
use crate::place::{Files, Place, Spanned};
use crate::project::Project;
use crate::project::data_test::DataTestKind;
use crate::project::model::{Access, Materialized, Reference, ReferenceKind};

/// What a project is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeKind {
    /// A source.
    Source,
    /// A model.
    Model,
    /// A data test.
    DataTest,
    /// An exposure.
    Exposure,
}

/// One thing of a project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    /// What it is.
    pub kind: NodeKind,
    /// Its name, unique within its kind.
    pub name: String,
}

/// What was selected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Every selected thing.
    pub nodes: BTreeSet<NodeId>,
}

impl Selection {
    /// Whether the model of that name is selected.
    pub fn has_model(&self, name: &str) -> bool {
        self.has(NodeKind::Model, name)
    }

    /// Whether the thing is selected.
    pub fn has(&self, kind: NodeKind, name: &str) -> bool {
        self.nodes.contains(&NodeId { kind, name: name.to_owned() })
    }
}

/// What of `project` the arguments select: the union of `select` (nothing: everything) without
/// the union of `exclude`.
///
/// # Errors
/// All arguments that cannot be read, and all terms of `select` that match nothing: a typo must
/// not run an empty selection.
pub fn select(
    project: &Project,
    files: &Files,
    select: &[&str],
    exclude: &[&str],
) -> Result<Selection, Vec<Diagnostic>> {
    let graph = Graph::new(project, files);
    let mut mistakes = Vec::new();
    let mut nodes = if select.is_empty() {
        graph.nodes.keys().cloned().collect()
    } else {
        graph.union(select, true, &mut mistakes)
    };
    for node in graph.union(exclude, false, &mut mistakes) {
        nodes.remove(&node);
    }
    if mistakes.is_empty() { Ok(Selection { nodes }) } else { Err(mistakes) }
}

/// What terms ask about one thing.
#[derive(Default)]
struct Facts {
    path: String,
    tags: Vec<String>,
    owner: Option<String>,
    group: Option<String>,
    materialized: Option<&'static str>,
    access: Option<&'static str>,
    test_type: Option<&'static str>,
}

struct Graph {
    nodes: BTreeMap<NodeId, Facts>,
    parents: BTreeMap<NodeId, BTreeSet<NodeId>>,
    children: BTreeMap<NodeId, BTreeSet<NodeId>>,
}

/// One term, read.
struct Term<'a> {
    is_closure: bool,
    /// Steps towards ancestors; `None`: not asked for.
    ancestors: Option<usize>,
    descendants: Option<usize>,
    method: Option<&'a str>,
    value: &'a str,
}

impl Graph {
    fn new(project: &Project, files: &Files) -> Self {
        let mut graph =
            Self { nodes: BTreeMap::new(), parents: BTreeMap::new(), children: BTreeMap::new() };
        for source in &project.sources {
            let facts = facts(files, &source.name.place, source.owner.as_ref(), &source.tags);
            graph.add(NodeKind::Source, &source.name, facts, &[]);
        }
        for model in &project.models {
            let mut facts = facts(files, &model.name.place, model.owner.as_ref(), &model.tags);
            facts.group = model.group.as_ref().map(|group| group.value.clone());
            facts.materialized = model.materialized.as_ref().map(|kind| kind_word(kind.value));
            facts.access = Some(access_word(model.access));
            let needs: Vec<&Reference> = model.dependencies().collect();
            graph.add(NodeKind::Model, &model.name, facts, &needs);
        }
        for test in &project.data_tests {
            let mut facts = facts(files, &test.name.place, None, &[]);
            facts.test_type = Some(test_word(test.kind.value));
            graph.add(NodeKind::DataTest, &test.name, facts, &[&test.target]);
        }
        for exposure in &project.exposures {
            let facts = facts(files, &exposure.name.place, exposure.owner.as_ref(), &exposure.tags);
            let needs: Vec<&Reference> = exposure.consumes.iter().collect();
            graph.add(NodeKind::Exposure, &exposure.name, facts, &needs);
        }
        graph
    }

    fn add(&mut self, kind: NodeKind, name: &Spanned<String>, facts: Facts, needs: &[&Reference]) {
        let id = NodeId { kind, name: name.value.clone() };
        for need in needs {
            let kind = match need.kind {
                ReferenceKind::Source => NodeKind::Source,
                ReferenceKind::Model => NodeKind::Model,
            };
            let parent = NodeId { kind, name: need.name.clone() };
            self.children.entry(parent.clone()).or_default().insert(id.clone());
            self.parents.entry(id.clone()).or_default().insert(parent);
        }
        self.nodes.insert(id, facts);
    }

    fn union(
        &self,
        arguments: &[&str],
        must_match: bool,
        mistakes: &mut Vec<Diagnostic>,
    ) -> BTreeSet<NodeId> {
        let mut union = BTreeSet::new();
        for argument in arguments.iter().flat_map(|argument| argument.split_whitespace()) {
            let mut terms = argument.split(',');
            let first = terms.next().unwrap_or_default();
            let mut nodes = self.term(first, must_match, mistakes);
            for term in terms {
                let other = self.term(term, must_match, mistakes);
                nodes.retain(|node| other.contains(node));
            }
            if nodes.is_empty() && must_match && mistakes.is_empty() {
                let (term, suggestions) = (argument.to_owned(), Vec::new());
                mistakes.push(ReferenceMistake::NothingSelected { term, suggestions }.into());
            }
            union.extend(nodes);
        }
        union
    }

    fn term(
        &self,
        text: &str,
        must_match: bool,
        mistakes: &mut Vec<Diagnostic>,
    ) -> BTreeSet<NodeId> {
        let term = match read_term(text) {
            Ok(term) => term,
            Err(reason) => {
                let term = text.to_owned();
                mistakes.push(ReferenceMistake::InvalidSelection { term, reason }.into());
                return BTreeSet::new();
            }
        };
        let matched: Vec<&NodeId> = self
            .nodes
            .iter()
            .filter(|(id, facts)| matches(&term, id, facts))
            .map(|(id, _)| id)
            .collect();
        if matched.is_empty() && must_match {
            let names = self.nodes.keys().map(|id| id.name.as_str());
            let (term, suggestions) = (text.to_owned(), closest(term.value, names));
            mistakes.push(ReferenceMistake::NothingSelected { term, suggestions }.into());
        }
        let mut selected = BTreeSet::new();
        for id in matched {
            selected.insert(id.clone());
            if let Some(steps) = term.ancestors {
                selected.extend(reachable(id, &self.parents, steps));
            }
            if let Some(steps) = term.descendants {
                selected.extend(reachable(id, &self.children, steps));
            }
            if term.is_closure {
                for descendant in reachable(id, &self.children, usize::MAX) {
                    selected.extend(reachable(&descendant, &self.parents, usize::MAX));
                    selected.insert(descendant);
                }
            }
        }
        // References may name what does not exist; that is another mistake.
        selected.retain(|id| self.nodes.contains_key(id));
        selected
    }
}

/// The methods of a term.
const METHODS: [&str; 11] = [
    "model",
    "source",
    "exposure",
    "test",
    "tag",
    "owner",
    "path",
    "group",
    "materialized",
    "access",
    "test_type",
];

fn read_term(text: &str) -> Result<Term<'_>, String> {
    let (is_closure, rest) = match text.strip_prefix('@') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).count();
    let steps = |text: &str| {
        if text.is_empty() {
            Ok(usize::MAX)
        } else {
            text.parse().map_err(|error| format!("`{text}` is no number of steps: {error}"))
        }
    };
    let (ancestors, rest) = match rest.split_at_checked(digits(rest)) {
        Some((count, after)) if after.starts_with('+') => {
            (Some(steps(count)?), after.strip_prefix('+').unwrap_or(after))
        }
        Some(_) | None => (None, rest),
    };
    let (value, descendants) = match rest.rsplit_once('+') {
        Some((value, count)) if count.chars().all(|other| other.is_ascii_digit()) => {
            (value, Some(steps(count)?))
        }
        Some(_) | None => (rest, None),
    };
    if is_closure && (ancestors.is_some() || descendants.is_some()) {
        return Err("`@` already adds what `+` would".to_owned());
    }
    let (method, value) = match value.split_once(':') {
        Some((method, value)) => (Some(method), value),
        None => (None, value),
    };
    if let Some(method) = method.filter(|method| !METHODS.contains(method)) {
        return Err(format!("there is no method `{method}`"));
    }
    if value.is_empty() {
        return Err("a name is missing".to_owned());
    }
    Ok(Term { is_closure, ancestors, descendants, method, value })
}

fn matches(term: &Term<'_>, id: &NodeId, facts: &Facts) -> bool {
    let is_kind = |kind: NodeKind| id.kind == kind && glob(term.value, &id.name);
    let is = |value: Option<&str>| value.is_some_and(|value| glob(term.value, value));
    match term.method {
        None => {
            glob(term.value, &id.name) || term.value.contains('/') && is_path(term.value, facts)
        }
        Some("model") => is_kind(NodeKind::Model),
        Some("source") => is_kind(NodeKind::Source),
        Some("exposure") => is_kind(NodeKind::Exposure),
        Some("test") => is_kind(NodeKind::DataTest),
        Some("tag") => facts.tags.iter().any(|tag| glob(term.value, tag)),
        Some("owner") => is(facts.owner.as_deref()),
        Some("path") => is_path(term.value, facts),
        Some("group") => is(facts.group.as_deref()),
        Some("materialized") => is(facts.materialized),
        Some("access") => is(facts.access),
        Some("test_type") => is(facts.test_type),
        Some(_) => false,
    }
}

/// A file, a folder, or a pattern of files.
fn is_path(value: &str, facts: &Facts) -> bool {
    let value = value.trim_start_matches("./").trim_end_matches('/');
    let below = facts.path.strip_prefix(value).is_some_and(|rest| rest.starts_with('/'));
    below || glob(value, &facts.path)
}

/// Whether `text` is like `pattern`, in which `*` stands for any text and `?` for one character.
fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut position) = (0, 0);
    // Where the last `*` stood, and how much of the text it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while let Some(character) = text.get(position) {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, position));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == character => {
                at += 1;
                position += 1;
            }
            Some(_) | None => match star {
                Some((start, taken)) => {
                    star = Some((start, taken + 1));
                    at = start + 1;
                    position = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|rest| *rest == '*')
}

fn facts(
    files: &Files,
    place: &Place,
    owner: Option<&Spanned<String>>,
    tags: &[Spanned<String>],
) -> Facts {
    Facts {
        path: files.path(place.file).to_owned(),
        tags: tags.iter().map(|tag| tag.value.clone()).collect(),
        owner: owner.map(|owner| owner.value.clone()),
        ..Facts::default()
    }
}

fn kind_word(kind: Materialized) -> &'static str {
    match kind {
        Materialized::Topic => "topic",
        Materialized::VirtualTopic => "virtual_topic",
        Materialized::Flink => "flink",
        Materialized::Sink => "sink",
    }
}

fn access_word(access: Access) -> &'static str {
    match access {
        Access::Private => "private",
        Access::Protected => "protected",
        Access::Public => "public",
    }
}

fn test_word(kind: DataTestKind) -> &'static str {
    match kind {
        DataTestKind::Schema => "schema",
        DataTestKind::Sample => "sample",
        DataTestKind::Continuous => "continuous",
    }
}

#[cfg(test)]
mod tests;
