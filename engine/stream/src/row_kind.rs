//! What a row of a changelog does.

/// What a row of a changelog does to the table that it describes.
///
/// # Source
/// Apache Flink, `RowKind`: the codes are Flink's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i8)]
pub enum RowKind {
    /// `+I`: a new row.
    Insert = 0,
    /// `-U`: the former content of a row that changes.
    UpdateBefore = 1,
    /// `+U`: the new content of a row that changes.
    UpdateAfter = 2,
    /// `-D`: a row that goes.
    Delete = 3,
}

impl RowKind {
    /// The code in a batch's `kinds` column.
    pub fn code(self) -> i8 {
        self as i8
    }

    /// The kind of a code, if there is one.
    pub fn from_code(code: i8) -> Option<Self> {
        [Self::Insert, Self::UpdateBefore, Self::UpdateAfter, Self::Delete]
            .into_iter()
            .find(|kind| kind.code() == code)
    }

    /// Whether the row takes something back (`-U` or `-D`).
    pub fn is_retraction(self) -> bool {
        matches!(self, Self::UpdateBefore | Self::Delete)
    }

    /// Flink's short text: `+I`, `-U`, `+U` or `-D`.
    pub fn text(self) -> &'static str {
        match self {
            Self::Insert => "+I",
            Self::UpdateBefore => "-U",
            Self::UpdateAfter => "+U",
            Self::Delete => "-D",
        }
    }
}
