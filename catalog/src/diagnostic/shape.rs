//! E00xx: files, YAML, keys and values.

use crate::diagnostic::{Diagnose, Label, Level, did_you_mean};
use crate::place::Place;

/// What is wrong with the shape of a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ShapeMistake {
    #[error("the file is not valid YAML: {reason}")]
    Syntax { reason: String, at: Place },
    /// YAML forbids it, and parsers disagree about which one counts.
    #[error("the key `{key}` is given twice")]
    DuplicateKey { key: String, at: Place, first: Place },
    #[error("{key} must be {expected}, but is {found}")]
    WrongShape { key: String, expected: &'static str, found: &'static str, at: Place },
    #[error("{thing} has no `{key}`")]
    MissingKey { thing: String, key: &'static str, at: Place },
    #[error("`{key}` and `{first_key}` are two spellings of one setting")]
    ConflictingSpellings { key: String, first_key: String, at: Place, first: Place },
    #[error("`{value}` is not a value of `{key}`")]
    InvalidValue { key: String, value: String, expected: String, at: Place },
    #[error("`{path}` is refused: {reason}")]
    FileRefused { path: String, reason: String },
    #[error("the file is refused: {reason}")]
    TooCostly { reason: String, at: Place },
    #[error("`{text}` is not a column type: {reason}")]
    InvalidType { text: String, reason: String, at: Place },
    #[error("no sources and no models in `{path}`")]
    EmptyProject { path: String },
    #[error("model `{model}` has neither `sql` nor `from`")]
    NoQuery { model: String, at: Place },
    #[error("`{name}` cannot be the name of a {kind}")]
    InvalidName { kind: &'static str, name: String, at: Place },
    #[error("unknown key `{key}` in {thing}")]
    UnknownKey { thing: String, key: String, suggestions: Vec<String>, is_strict: bool, at: Place },
    #[error("`{key}` is accepted, but has no effect in this engine")]
    NoEffect { key: String, level: Level, at: Place },
    #[error("`{key}` has no unit; read as {unit}")]
    NoUnit { key: String, unit: &'static str, written: String, at: Place },
}

impl Diagnose for ShapeMistake {
    fn code(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "E0001",
            Self::DuplicateKey { .. } => "E0002",
            Self::WrongShape { .. } => "E0003",
            Self::MissingKey { .. } => "E0004",
            Self::ConflictingSpellings { .. } => "E0005",
            Self::InvalidValue { .. } => "E0006",
            Self::FileRefused { .. } => "E0007",
            Self::TooCostly { .. } => "E0008",
            Self::InvalidType { .. } => "E0009",
            Self::EmptyProject { .. } => "E0010",
            Self::NoQuery { .. } => "E0011",
            Self::InvalidName { .. } => "E0012",
            Self::UnknownKey { is_strict: true, .. } => "E0013",
            Self::UnknownKey { is_strict: false, .. } => "W0013",
            Self::NoEffect { level: Level::Note, .. } => "N0014",
            Self::NoEffect { .. } => "W0014",
            Self::NoUnit { .. } => "W0107",
        }
    }

    fn labels(&self) -> Vec<Label> {
        match self {
            Self::FileRefused { .. } | Self::EmptyProject { .. } => Vec::new(),
            Self::Syntax { at, .. } => vec![Label::primary(at, "reading stopped here")],
            Self::DuplicateKey { at, first, .. } => {
                vec![Label::primary(at, "again here"), Label::secondary(first, "first given here")]
            }
            Self::WrongShape { at, expected, .. } => {
                vec![Label::primary(at, format!("not {expected}"))]
            }
            Self::MissingKey { at, key, .. } => {
                vec![Label::primary(at, format!("`{key}` is missing here"))]
            }
            Self::ConflictingSpellings { at, first, .. } => {
                vec![Label::primary(at, "given here"), Label::secondary(first, "and given here")]
            }
            Self::InvalidValue { at, expected, .. } => {
                vec![Label::primary(at, format!("must be {expected}"))]
            }
            Self::InvalidType { at, reason, .. } => vec![Label::primary(at, reason.clone())],
            Self::NoQuery { at, .. } => vec![Label::primary(at, "this model")],
            Self::UnknownKey { at, .. } => vec![Label::primary(at, "not a key of this engine")],
            Self::NoUnit { at, written, .. } => {
                vec![Label::primary(at, format!("= {written}; write `{written}`"))]
            }
            Self::TooCostly { at, .. }
            | Self::InvalidName { at, .. }
            | Self::NoEffect { at, .. } => {
                vec![Label::primary(at, "")]
            }
        }
    }

    fn alias(&self) -> Option<&'static str> {
        match self {
            Self::MissingKey { key: "topic", .. } => Some("MISSING_TOPIC"),
            Self::InvalidValue { key, .. } if key == "state_ttl" => Some("INVALID_STATE_TTL"),
            _ => None,
        }
    }

    fn helps(&self) -> Vec<String> {
        let help = match self {
            Self::UnknownKey { suggestions, .. } => return did_you_mean(suggestions),
            Self::DuplicateKey { .. } => "remove one of the two",
            Self::ConflictingSpellings { .. } => "keep one of the two",
            Self::FileRefused { .. } => {
                "a project's files are UTF-8, at most 1 MiB each, and inside its folder"
            }
            Self::EmptyProject { .. } => {
                "a project has `sources:` and `models:` in its root file or in `sources/` and `models/`; `engine init` makes one"
            }
            Self::NoQuery { .. } => "write the query under `sql: |`",
            Self::InvalidName { .. } => {
                "a name starts with a letter or `_` and goes on with letters, digits, `_`, `-` or `.`"
            }
            Self::InvalidType { .. } => {
                "write a Flink type such as STRING, BIGINT, DECIMAL(10, 2), TIMESTAMP_LTZ(3) or ARRAY<STRING>"
            }
            Self::Syntax { .. }
            | Self::WrongShape { .. }
            | Self::MissingKey { .. }
            | Self::InvalidValue { .. }
            | Self::TooCostly { .. }
            | Self::NoEffect { .. }
            | Self::NoUnit { .. } => return Vec::new(),
        };
        vec![help.to_owned()]
    }
}
