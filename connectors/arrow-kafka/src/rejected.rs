//! Why a record was not decoded.

use std::fmt;

use arrow::datatypes::{DataType, TimeUnit};

/// A record that could not be decoded, and why. Its bytes stay with the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Place among the messages that were given, 0-based.
    pub index: usize,
    /// Partition it was read from.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Why.
    pub reason: RejectReason,
}

/// Why a record could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RejectReason {
    /// The value is not UTF-8.
    #[error("the value is not UTF-8 from byte {at} on")]
    NotUtf8 {
        /// 0-based.
        at: usize,
    },
    /// The value is not JSON, or not CSV.
    #[error("{expected} expected at byte {at}")]
    Syntax {
        /// 0-based.
        at: usize,
        /// What would be right there.
        expected: &'static str,
    },
    /// The value is nested deeper than [`crate::MAX_DEPTH`].
    #[error("the value is nested deeper than {} levels at byte {at}", crate::MAX_DEPTH)]
    TooDeep {
        /// 0-based.
        at: usize,
    },
    /// A CSV record with more or fewer fields than declared.
    #[error("{found} fields where {expected} are declared")]
    FieldCount {
        /// As declared.
        expected: usize,
        /// As found.
        found: usize,
    },
    /// A field does not fit its column.
    #[error("`{field}` is {problem} for {expected}: `{found}`")]
    Field {
        /// The field, nested ones as `items[3].price`.
        field: String,
        /// What is wrong.
        problem: Problem,
        /// The column's type, e.g. `DECIMAL(10, 2)`.
        expected: String,
        /// The beginning of what stands there.
        found: String,
    },
    /// A null value deletes by its key, but the record has no usable one.
    #[error("a null value deletes by its message key, but {problem}")]
    DeleteKey {
        /// What is wrong with the key.
        problem: &'static str,
    },
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The value is of another kind.
    WrongType,
    /// The value lies outside the type's range.
    OutOfRange,
    /// The type would lose a part of the value.
    Inexact,
    /// NULL where there can be none.
    Null,
    /// Bytes that are not UTF-8.
    NotUtf8,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongType => "no value",
            Self::OutOfRange => "out of range",
            Self::Inexact => "not exact enough",
            Self::Null => "NULL, which is no value",
            Self::NotUtf8 => "not UTF-8, which is no value",
        })
    }
}

/// A problem on its way up to the field that has it.
#[derive(Debug)]
pub(crate) struct Misfit {
    pub(crate) problem: Problem,
    /// From the column to the place, e.g. `[3].price`.
    pub(crate) path: String,
    pub(crate) expected: String,
    pub(crate) found: String,
}

impl Misfit {
    pub(crate) fn new(problem: Problem, expected: &DataType, found: &str) -> Self {
        Self { problem, path: String::new(), expected: sql_type(expected), found: excerpt(found) }
    }

    /// The same, one level further up.
    pub(crate) fn within(mut self, step: &str) -> Self {
        self.path.insert_str(0, step);
        self
    }

    pub(crate) fn of_field(self, field: &str) -> RejectReason {
        RejectReason::Field {
            field: format!("{field}{}", self.path),
            problem: self.problem,
            expected: self.expected,
            found: self.found,
        }
    }
}

/// How much of a value a reason repeats: enough to recognize it, too little to fill a header.
const EXCERPT_CHARS: usize = 64;

fn excerpt(found: &str) -> String {
    let mut excerpt: String = found.chars().take(EXCERPT_CHARS).collect();
    if excerpt.len() < found.len() {
        excerpt.push('…');
    }
    excerpt
}

/// The SQL name of `data_type`.
pub(crate) fn sql_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 => "STRING".to_owned(),
        DataType::Binary => "BYTES".to_owned(),
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int8 => "TINYINT".to_owned(),
        DataType::Int16 => "SMALLINT".to_owned(),
        DataType::Int32 => "INT".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::Float32 => "FLOAT".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Time32(_) => "TIME".to_owned(),
        DataType::Timestamp(unit, zone) => {
            let precision = match unit {
                TimeUnit::Second => 0,
                TimeUnit::Millisecond => 3,
                TimeUnit::Microsecond => 6,
                TimeUnit::Nanosecond => 9,
            };
            let name = if zone.is_some() { "TIMESTAMP_LTZ" } else { "TIMESTAMP" };
            format!("{name}({precision})")
        }
        DataType::List(item) => format!("ARRAY<{}>", sql_type(item.data_type())),
        DataType::Struct(_) => "ROW".to_owned(),
        DataType::Map(..) => "MAP".to_owned(),
        other => other.to_string(),
    }
}
