//! The dataflow that builds models up again beside those that go on.
//!
//! What is rebuilt reads its inputs from the start, while the others stay where they are. So the
//! sources and models that it needs and that others have, too, are there twice: the second time as
//! *shadows*, with readers and state of their own and without outputs. Once the shadows have come
//! to where the others are, they are not needed any more, and the project's own dataflow goes on
//! with the state of both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stream::ReaderName;

use super::{Dataflow, Node, Operator, OperatorId};

/// Begins the names of a shadow's readers; no source's name holds a `/`.
const READER: &str = "rebuild/";

/// Begins the names of a shadow's models; no model's name holds a `:`.
const MODEL: &str = "rebuild:";

/// What is built up again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rebuild {
    /// The models, with all that read them.
    pub models: BTreeSet<String>,
    /// Those of them that write nothing until they are there: their topics have the rows already.
    pub silent: BTreeSet<String>,
    /// Readers that stand somewhere already.
    pub readers: BTreeSet<ReaderName>,
}

impl Rebuild {
    fn has(&self, node: &Node) -> bool {
        !matches!(node.operator, Operator::Source(_)) && self.models.contains(node.id.model())
    }
}

impl OperatorId {
    /// Whether it is a shadow of another model's operator.
    pub fn is_shadow(&self) -> bool {
        self.0.starts_with(MODEL)
    }
}

/// The reader that a shadow's reader has to catch up with.
pub fn shadow_of(reader: &ReaderName) -> Option<ReaderName> {
    reader.0.strip_prefix(READER).map(|name| ReaderName(Arc::from(name)))
}

impl Dataflow {
    /// This dataflow while models of it are rebuilt.
    ///
    /// # Shape
    /// All nodes of models that are not rebuilt, as they are; those that are, under the same ids,
    /// over shadows. A silent model has no sink.
    #[must_use]
    pub fn rebuilding(&self, rebuild: &Rebuild) -> Self {
        let mut nodes: Vec<Node> = Vec::new();
        let mut places: BTreeMap<usize, usize> = BTreeMap::new();
        let mut shadows: BTreeMap<usize, usize> = BTreeMap::new();
        let needed = self.shadowed(rebuild);
        for (index, node) in self.nodes.iter().enumerate() {
            let is_rebuilt = rebuild.has(node);
            let is_silent = is_rebuilt
                && matches!(&node.operator, Operator::Sink(sink) if rebuild.silent.contains(&sink.model));
            if is_silent {
                continue;
            }
            let inputs = node.inputs.iter();
            let inputs = inputs.map(|input| match shadows.get(input) {
                Some(shadow) if is_rebuilt => *shadow,
                _ => places.get(input).copied().unwrap_or_default(),
            });
            let inputs = inputs.collect();
            places.insert(index, nodes.len());
            nodes.push(Node { inputs, ..node.clone() });
            if needed.contains(&index) {
                let inputs = node.inputs.iter();
                let inputs = inputs.map(|input| {
                    shadows.get(input).or_else(|| places.get(input)).copied().unwrap_or_default()
                });
                let shadow = shadow(node, inputs.collect());
                shadows.insert(index, nodes.len());
                nodes.push(shadow);
            }
        }
        Self { project: self.project.clone(), nodes, clock: self.clock.clone() }
    }

    /// Nodes that are needed twice: what lies behind rebuilt models, is not rebuilt itself, and
    /// stands somewhere already or is fed by what does.
    fn shadowed(&self, rebuild: &Rebuild) -> BTreeSet<usize> {
        let mut behind: BTreeSet<usize> = BTreeSet::new();
        for (index, node) in self.nodes.iter().enumerate().rev() {
            if rebuild.has(node) || behind.contains(&index) {
                behind.extend(&node.inputs);
            }
        }
        behind.retain(|index| {
            let node = &self.nodes[*index];
            match &node.operator {
                Operator::Source(source) => rebuild.readers.contains(&source.reader),
                Operator::Filter(_)
                | Operator::Project(_)
                | Operator::TemporalJoin(_)
                | Operator::WindowAggregate(_)
                | Operator::Sink(_) => !rebuild.has(node),
            }
        });
        behind
    }
}

fn shadow(node: &Node, inputs: Vec<usize>) -> Node {
    let mut shadow = Node { inputs, ..node.clone() };
    match &mut shadow.operator {
        Operator::Source(source) => {
            source.reader = ReaderName(Arc::from(format!("{READER}{}", source.reader)));
            shadow.id = OperatorId(format!("source/{}", source.reader));
        }
        Operator::Filter(_)
        | Operator::Project(_)
        | Operator::TemporalJoin(_)
        | Operator::WindowAggregate(_)
        | Operator::Sink(_) => shadow.id = OperatorId(format!("{MODEL}{}", node.id.0)),
    }
    shadow
}
