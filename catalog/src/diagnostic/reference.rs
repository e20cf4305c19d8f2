//! E01xx: names that refer to other names, cycles, access, selection.

use crate::diagnostic::{Diagnose, Label, did_you_mean};
use crate::place::Place;
use crate::project::model::ReferenceKind;

/// What is wrong between the things of a project.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReferenceMistake {
    #[error("there is no {} `{name}`", kind.word())]
    NotFound {
        kind: ReferenceKind,
        name: String,
        hint: Option<String>,
        suggestions: Vec<String>,
        at: Place,
    },
    #[error("models depend on one another in a circle: {}", path.join(" -> "))]
    Cycle { path: Vec<String>, places: Vec<Place> },
    #[error("model `{user}` may not refer to `{model}`, which is private to group `{group}`")]
    AccessDenied { user: String, model: String, group: String, at: Place, declared: Place },
    #[error("there are two {kind}s named `{name}`")]
    DuplicateName { kind: &'static str, name: String, at: Place, first: Place },
    #[error("models `{first_model}` and `{model}` both write topic `{topic}`")]
    SharedTopic { topic: String, model: String, first_model: String, at: Place, first: Place },
    #[error("exposure `{exposure}` refers to {} `{name}`, which does not exist", kind.word())]
    ExposureNotFound {
        exposure: String,
        kind: ReferenceKind,
        name: String,
        suggestions: Vec<String>,
        at: Place,
    },
    #[error("test `{test}` is for `{name}`, which is neither a model nor a source")]
    TestTargetNotFound { test: String, name: String, suggestions: Vec<String>, at: Place },
    #[error("test `{test}` names model `{name}`, which does not exist")]
    TestModelNotFound { test: String, name: String, suggestions: Vec<String>, at: Place },
    #[error("{owner} declares no column `{column}`")]
    ColumnNotFound {
        owner: String,
        column: String,
        suggestions: Vec<String>,
        at: Place,
        declared: Place,
    },
    #[error("exposure `{exposure}` is a {role}, but has `{list}`")]
    RoleContradicted {
        exposure: String,
        role: &'static str,
        list: &'static str,
        at: Place,
        role_at: Place,
    },
    #[error("`{term}` selects nothing")]
    NothingSelected { term: String, suggestions: Vec<String> },
    #[error("`{term}` is not a selection: {reason}")]
    InvalidSelection { term: String, reason: String },
    #[error("`from` names {} `{name}`, which the query does not use", kind.word())]
    UnusedFrom { kind: ReferenceKind, name: String, at: Place },
}

impl Diagnose for ReferenceMistake {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound { kind: ReferenceKind::Source, .. } => "E0101",
            Self::NotFound { kind: ReferenceKind::Model, .. } => "E0102",
            Self::Cycle { .. } => "E0103",
            Self::AccessDenied { .. } => "E0104",
            Self::DuplicateName { .. } => "E0105",
            Self::SharedTopic { .. } => "E0106",
            Self::ExposureNotFound { .. } => "E0108",
            Self::TestTargetNotFound { .. } => "E0109",
            Self::TestModelNotFound { .. } => "E0110",
            Self::ColumnNotFound { .. } => "E0111",
            Self::RoleContradicted { .. } => "E0112",
            Self::NothingSelected { .. } => "E0113",
            Self::InvalidSelection { .. } => "E0114",
            Self::UnusedFrom { .. } => "W0115",
        }
    }

    fn labels(&self) -> Vec<Label> {
        match self {
            Self::NothingSelected { .. } | Self::InvalidSelection { .. } => Vec::new(),
            Self::NotFound { at, .. }
            | Self::ExposureNotFound { at, .. }
            | Self::TestTargetNotFound { at, .. }
            | Self::TestModelNotFound { at, .. } => vec![Label::primary(at, "not found")],
            Self::Cycle { places, path } => cycle_labels(path, places),
            Self::AccessDenied { at, declared, group, .. } => vec![
                Label::primary(at, "referred to here"),
                Label::secondary(declared, format!("private to group `{group}`")),
            ],
            Self::DuplicateName { at, first, .. } => {
                vec![Label::primary(at, "again here"), Label::secondary(first, "first named here")]
            }
            Self::SharedTopic { at, first, .. } => {
                vec![
                    Label::primary(at, "written here"),
                    Label::secondary(first, "and written here"),
                ]
            }
            Self::ColumnNotFound { at, declared, .. } => vec![
                Label::primary(at, "not a declared column"),
                Label::secondary(declared, "its columns are declared here"),
            ],
            Self::RoleContradicted { at, role_at, role, .. } => {
                vec![Label::primary(at, ""), Label::secondary(role_at, format!("a {role}"))]
            }
            Self::UnusedFrom { at, .. } => vec![Label::primary(at, "not used")],
        }
    }

    fn alias(&self) -> Option<&'static str> {
        match self {
            Self::NotFound { kind: ReferenceKind::Source, .. } => Some("SOURCE_NOT_FOUND"),
            Self::NotFound { kind: ReferenceKind::Model, .. } => Some("MODEL_NOT_FOUND"),
            Self::Cycle { .. } => Some("CYCLE_DETECTED"),
            Self::AccessDenied { .. } => Some("ACCESS_DENIED"),
            Self::DuplicateName { kind, .. } => match *kind {
                "source" => Some("DUPLICATE_SOURCE"),
                "model" => Some("DUPLICATE_MODEL"),
                "test" => Some("DUPLICATE_TEST"),
                "exposure" => Some("DUPLICATE_EXPOSURE"),
                _ => None,
            },
            Self::ExposureNotFound { kind: ReferenceKind::Source, .. } => {
                Some("EXPOSURE_SOURCE_NOT_FOUND")
            }
            Self::ExposureNotFound { kind: ReferenceKind::Model, .. } => {
                Some("EXPOSURE_MODEL_NOT_FOUND")
            }
            Self::TestTargetNotFound { .. } => Some("TEST_MODEL_NOT_FOUND"),
            Self::TestModelNotFound { .. } => Some("DLQ_MODEL_NOT_FOUND"),
            Self::UnusedFrom { kind: ReferenceKind::Source, .. } => Some("UNUSED_FROM_SOURCE"),
            Self::UnusedFrom { kind: ReferenceKind::Model, .. } => Some("UNUSED_FROM_REF"),
            Self::SharedTopic { .. }
            | Self::ColumnNotFound { .. }
            | Self::RoleContradicted { .. }
            | Self::NothingSelected { .. }
            | Self::InvalidSelection { .. } => None,
        }
    }

    fn helps(&self) -> Vec<String> {
        match self {
            Self::NotFound { hint: Some(hint), .. } => vec![hint.clone()],
            Self::NotFound { suggestions, .. }
            | Self::ExposureNotFound { suggestions, .. }
            | Self::TestTargetNotFound { suggestions, .. }
            | Self::TestModelNotFound { suggestions, .. }
            | Self::ColumnNotFound { suggestions, .. }
            | Self::NothingSelected { suggestions, .. } => did_you_mean(suggestions),
            Self::Cycle { .. } => {
                vec!["take one of these references out; a stream cannot wait for itself".to_owned()]
            }
            Self::AccessDenied { group, .. } => {
                vec![format!("set `access: protected` on it, or `group: {group}` on its user")]
            }
            Self::DuplicateName { .. } => vec!["rename one of the two".to_owned()],
            Self::SharedTopic { .. } => vec!["give each model a topic of its own".to_owned()],
            Self::RoleContradicted { .. } => {
                vec![
                    "a `consumer` has `consumes`, a `producer` has `produces`, `both` has both"
                        .to_owned(),
                ]
            }
            Self::UnusedFrom { .. } => vec!["remove it: the query says what is read".to_owned()],
            Self::InvalidSelection { .. } => {
                vec!["see the selection grammar in `engine run --help`".to_owned()]
            }
        }
    }
}

fn cycle_labels(path: &[String], places: &[Place]) -> Vec<Label> {
    let steps = path.iter().zip(path.iter().skip(1)).zip(places);
    let mut labels: Vec<Label> = steps
        .map(|((from, to), place)| Label::secondary(place, format!("`{from}` refers to `{to}`")))
        .collect();
    if let Some(first) = labels.first_mut() {
        first.is_primary = true;
    }
    labels
}
