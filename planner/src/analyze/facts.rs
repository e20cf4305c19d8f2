//! What was inferred, and why: shown by `engine check`.

use catalog::diagnostic::{Diagnose, Label};
use catalog::place::Place;

/// One inferred fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is about: `source` or `source.column`.
    pub subject: String,
    /// What is said about it.
    pub kind: FactKind,
    /// The type, the column, or the key and the time of versions.
    pub value: String,
    /// The use that it follows from, such as `TUMBLE`.
    pub reason: String,
    /// Where that use stands.
    pub place: Place,
}

/// What a fact says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FactKind {
    /// The type of a column.
    ColumnType,
    /// The event time of a source and its watermark.
    EventTime,
    /// The key and the time of a versioned table.
    Versioned,
}

impl std::fmt::Display for Fact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { subject, kind, value, .. } = self;
        match kind {
            FactKind::ColumnType => write!(f, "type of `{subject}` inferred: {value}"),
            FactKind::EventTime => write!(f, "event time of `{subject}` inferred: {value}"),
            FactKind::Versioned => write!(f, "`{subject}` is a versioned table: {value}"),
        }
    }
}

impl Diagnose for Fact {
    fn code(&self) -> &'static str {
        match self.kind {
            FactKind::EventTime => "N0201",
            FactKind::ColumnType => "N0202",
            FactKind::Versioned => "N0203",
        }
    }

    fn labels(&self) -> Vec<Label> {
        vec![Label::primary(&self.place, self.reason.clone())]
    }
}
