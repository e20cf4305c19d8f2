//! Sources: Kafka topics that the project reads.

use std::time::Duration;

use arrow::datatypes::DataType;

use crate::place::Spanned;

/// How far the watermark trails the greatest event time where nothing else is said, as streamt.
pub const OUT_OF_ORDERNESS_DEFAULT: Duration = Duration::from_secs(5);

/// How far ahead of the clock an event time may be where nothing else is said.
pub const MAX_FUTURE_DEFAULT: Duration = Duration::from_hours(24);

/// One topic that the project reads.
#[derive(Clone, Debug)]
pub struct Source {
    /// Unique among sources; `[A-Za-z_][A-Za-z0-9_.-]*`.
    pub name: Spanned<String>,
    /// The Kafka topic.
    pub topic: Spanned<String>,
    /// For people.
    pub description: Option<String>,
    /// Who answers for it.
    pub owner: Option<Spanned<String>>,
    /// For selection.
    pub tags: Vec<Spanned<String>>,
    /// Name of the cluster; kept, not used.
    pub cluster: Option<String>,
    /// Declared columns, in order. Empty if none are declared.
    pub columns: Vec<Column>,
    /// The key of a versioned table; inferred from the join where it is not declared.
    pub key: Option<Spanned<String>>,
    /// How values are written.
    pub format: Spanned<Format>,
    /// Schema registry subject or inline schema.
    pub schema: Option<Schema>,
    /// Event time and watermark. Its column is `None` where it is to be inferred.
    pub event_time: EventTime,
    /// How long the topic may be silent.
    pub freshness: Option<Freshness>,
    /// What happens to a record that cannot be used.
    pub on_error: OnError,
    /// What happens when retained offsets start after our position.
    pub on_gap: OnGap,
    /// For a source that is used as a versioned table.
    pub versioned: Versioned,
}

impl Source {
    /// The declared column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.value == name)
    }
}

/// A declared column of a source or a model.
#[derive(Clone, Debug)]
pub struct Column {
    /// Unique in its list.
    pub name: Spanned<String>,
    /// The declared type; `None` where it is to be inferred.
    pub data_type: Option<Spanned<DataType>>,
    /// False for a type that ends in `NOT NULL`.
    pub is_nullable: bool,
    /// For people.
    pub description: Option<String>,
    /// How sensitive it is.
    pub classification: Option<Spanned<Classification>>,
    /// Whether it is the processing time rather than a field of the value.
    pub is_proctime: bool,
    /// Column tests: `not_null`, `unique`, `accepted_values`, `range`.
    pub tests: Vec<Spanned<ColumnTest>>,
}

/// How sensitive a column is, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Classification {
    /// `public`
    Public,
    /// `internal`
    Internal,
    /// `confidential`
    Confidential,
    /// `sensitive`
    Sensitive,
    /// `highly_sensitive`
    HighlySensitive,
}

/// A test that stands at its column.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnTest {
    /// The column is never NULL.
    NotNull,
    /// No value comes twice.
    Unique,
    /// Only these values, as text, or NULL.
    AcceptedValues(Vec<String>),
    /// Within these bounds, inclusive, or NULL.
    Range {
        /// Least value.
        min: Option<f64>,
        /// Greatest value.
        max: Option<f64>,
    },
}

/// How the values of a topic are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a value.
    Json,
    /// One line a value.
    Csv {
        /// Between fields; a comma where nothing is said.
        delimiter: char,
    },
    /// The value is the only column, as text or bytes.
    Raw,
    /// Avro behind the registry's framing.
    Avro,
    /// Protocol buffers behind the registry's framing.
    Protobuf,
}

/// `schema:` of a source.
#[derive(Clone, Debug)]
pub struct Schema {
    /// `confluent` or a name.
    pub registry: Option<String>,
    /// The subject; `{topic}-value` where nothing is said.
    pub subject: Spanned<String>,
    /// The inline schema's text.
    pub definition: Option<Spanned<String>>,
    /// A number, or `None` for the latest.
    pub version: Option<u32>,
    /// `NONE`, `BACKWARD`, ... as written.
    pub compatibility: Option<String>,
}

/// Event time and watermark of a source or a model.
#[derive(Clone, Debug)]
pub struct EventTime {
    /// The declared column; `None` where it is to be inferred.
    pub column: Option<Spanned<String>>,
    /// How far the watermark trails the greatest event time. Zero for ascending times.
    pub out_of_orderness: Duration,
    /// How long a window keeps its state after the watermark passed its end.
    pub allowed_lateness: Duration,
    /// A record further ahead of the clock is a dead letter.
    pub max_future: Duration,
    /// After that long idle the watermark moves with the clock; `None` is off.
    pub idle_advance: Option<Duration>,
}

impl Default for EventTime {
    fn default() -> Self {
        Self {
            column: None,
            out_of_orderness: OUT_OF_ORDERNESS_DEFAULT,
            allowed_lateness: Duration::ZERO,
            max_future: MAX_FUTURE_DEFAULT,
            idle_advance: None,
        }
    }
}

/// How long a topic may be silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Silence longer than this is a warning.
    pub warn_after: Option<Spanned<Duration>>,
    /// Silence longer than this is an error.
    pub error_after: Option<Spanned<Duration>>,
}

/// What happens to a record that cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// It goes to the dead-letter topic and is counted.
    #[default]
    DeadLetter,
    /// It is counted.
    Skip,
    /// The run stops.
    Fail,
}

/// What happens when retained offsets start after our position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnGap {
    /// The run stops and says what is missing.
    #[default]
    Stop,
    /// It goes on with the earliest offset there is.
    Earliest,
}

/// `versioned:` of a source that is used as a versioned table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versioned {
    /// What a row before the first version gets.
    pub before_first: BeforeFirst,
}

/// What a row before the first version of its key gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BeforeFirst {
    /// No version: NULLs for LEFT.
    #[default]
    Null,
    /// The first version.
    First,
}
