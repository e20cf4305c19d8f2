//! YAML trees -> the types of [`crate::project`], each mapping in a module of its own.
//!
//! Lowering goes on after a mistake: what cannot be read is reported and left out, so that one run
//! shows every mistake. Whether names refer to something is checked later (`validate`).

use std::collections::BTreeSet;

use crate::diagnostic::shape::ShapeMistake;
use crate::place::Spanned;
use crate::project::model::{Reference, ReferenceKind};
use crate::read::{Fields, Reader};
use crate::yaml::{Data, Node};

pub(crate) mod root;
pub(crate) mod runtime;
pub(crate) mod source;
pub(crate) mod model;
pub(crate) mod data_test;
pub(crate) mod assertion;
pub(crate) mod exposure;
pub(crate) mod rules;

/// A name may be this long, Kafka's limit for the topics that are named after it.
const NAME_LENGTH_MAX: usize = 249;

/// The names that are declared anywhere, for places that say neither `ref` nor `source`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pub(crate) sources: BTreeSet<String>,
    pub(crate) models: BTreeSet<String>,
}

impl Names {
    /// A bare name is a model, else a source; one that is neither counts as a model.
    fn resolve(&self, name: Spanned<String>) -> Reference {
        let is_source = !self.models.contains(&name.value) && self.sources.contains(&name.value);
        let kind = if is_source { ReferenceKind::Source } else { ReferenceKind::Model };
        Reference { kind, name: name.value, place: name.place }
    }
}

/// The declared `name`s of the list elements `nodes`.
pub(crate) fn declared_names(nodes: &[&Node]) -> BTreeSet<String> {
    let name = |node: &&Node| match &node.data {
        Data::Mapping(entries) => {
            entries.iter().find(|entry| entry.key == "name").and_then(|entry| {
                match &entry.value.data {
                    Data::Scalar(scalar) => Some(scalar.text.clone()),
                    Data::Sequence(_) | Data::Mapping(_) => None,
                }
            })
        }
        Data::Scalar(_) | Data::Sequence(_) => None,
    };
    nodes.iter().filter_map(name).collect()
}

/// The required `name` of a thing; the mapping is called by it from here on.
fn name(
    reader: &mut Reader<'_>,
    fields: &mut Fields<'_>,
    kind: &'static str,
) -> Option<Spanned<String>> {
    let name = fields.required(reader, "name")?;
    fields.rename(format!("{kind} `{}`", name.value));
    let is_valid = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|other| other.is_ascii_alphanumeric() || "_-.".contains(other))
        && name.len() <= NAME_LENGTH_MAX;
    if !is_valid {
        let (name, at) = (name.value.clone(), name.place.clone());
        reader.report(ShapeMistake::InvalidName { kind, name, at });
    }
    Some(name)
}

/// A Kafka topic's name.
fn topic_name(reader: &mut Reader<'_>, name: &Spanned<String>) {
    let is_valid = !name.is_empty()
        && name.len() <= NAME_LENGTH_MAX
        && !matches!(name.as_str(), "." | "..")
        && name.chars().all(|other| other.is_ascii_alphanumeric() || "_-.".contains(other));
    if !is_valid {
        reader.report(ShapeMistake::InvalidValue {
            key: "topic".to_owned(),
            value: name.value.clone(),
            expected: "a topic name: at most 249 of letters, digits, `.`, `_` and `-`".to_owned(),
            at: name.place.clone(),
        });
    }
}

/// References as `{ref: x}`, `{source: x}`, a bare name, or a list of these.
fn references(
    reader: &mut Reader<'_>,
    fields: &mut Fields<'_>,
    spellings: &'static str,
    names: &Names,
) -> Vec<Reference> {
    let Some(found) = fields.take(reader, spellings) else { return Vec::new() };
    let nodes: Vec<&Node> = match &found.node.data {
        Data::Sequence(items) => items.iter().collect(),
        Data::Scalar(_) | Data::Mapping(_) => vec![found.node],
    };
    nodes.into_iter().flat_map(|node| reference(reader, found.key, node, names)).collect()
}

fn reference(reader: &mut Reader<'_>, key: &str, node: &Node, names: &Names) -> Vec<Reference> {
    match &node.data {
        Data::Scalar(_) => {
            reader.string(key, node).map(|name| names.resolve(name)).into_iter().collect()
        }
        Data::Mapping(_) => {
            let Some(mut fields) = Fields::new(reader, node, "reference", format!("`{key}`"))
            else {
                return Vec::new();
            };
            let mut references = Vec::new();
            for (spelling, kind) in
                [("ref|model", ReferenceKind::Model), ("source", ReferenceKind::Source)]
            {
                let name = fields.string(reader, spelling);
                references.extend(name.map(|name| Reference {
                    kind,
                    name: name.value,
                    place: name.place,
                }));
            }
            if references.is_empty() {
                fields.report_missing(reader, "ref");
            }
            fields.finish(reader);
            references
        }
        Data::Sequence(_) => {
            reader.wrong_shape(key, "a name, `ref: name` or `source: name`", node);
            Vec::new()
        }
    }
}
