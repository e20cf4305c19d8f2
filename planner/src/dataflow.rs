//! The dataflow: what the planner gives and the runtime runs, as a plain value.
//!
//! It prints, compares and is tested without running anything. It is the only part of this crate
//! that `runtime` may import.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use stream::ReaderName;

mod expression;
mod canonical;
pub(crate) mod lower;
mod text;
mod meaning;
pub mod upgrade;
mod rebuild;

pub use expression::{Expression, StepClock};
pub use rebuild::{Rebuild, shadow_of};

/// A graph of operators, in an order in which every input stands before its readers.
#[derive(Debug, Clone)]
pub struct Dataflow {
    /// Name of the project.
    pub project: String,
    /// The operators.
    pub nodes: Vec<Node>,
    /// What `CURRENT_TIMESTAMP` reads; the fold sets it at each `clock` item.
    pub clock: StepClock,
}

/// One operator and where its rows come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Stable name: `model/role`, or `source/NAME` for what models share.
    pub id: OperatorId,
    /// Indices of the nodes it reads, one a port.
    pub inputs: Vec<usize>,
    /// Columns that it gives.
    pub schema: SchemaRef,
    /// What kind of changelog it gives.
    pub mode: ChangelogMode,
    /// The column that is the time attribute, if rows still have one.
    pub time_attribute: Option<usize>,
    /// What it does.
    pub operator: Operator,
}

/// Identity of an operator: stable across edits of other models.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperatorId(pub String);

impl OperatorId {
    /// The model that the operator belongs to; for a source its name.
    pub fn model(&self) -> &str {
        self.0.split_once('/').map_or(self.0.as_str(), |(model, _)| model)
    }
}

/// What rows a stream may carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangelogMode {
    /// Inserts only.
    Append,
    /// Inserts, updates and deletes of the row with the same key; no `-U`.
    Upsert {
        /// Columns that name a row.
        key: Vec<usize>,
    },
    /// Every kind of row.
    Retract,
}

/// What a node does.
#[derive(Debug, Clone, PartialEq)]
pub enum Operator {
    /// Reads a topic.
    Source(Source),
    /// Keeps the rows for which the predicate is true.
    Filter(Expression),
    /// Computes columns.
    Project(Vec<Expression>),
    /// Joins each row with the version that was valid at its time.
    TemporalJoin(TemporalJoin),
    /// Groups rows by key and window.
    WindowAggregate(WindowAggregate),
    /// Writes a model's topic.
    Sink(Sink),
}

/// A reader of a topic. Output: one column for each of `columns`, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Names the reader in the journal.
    pub reader: ReaderName,
    /// Name of the source (or of the model whose topic is read).
    pub source: String,
    /// Kafka topic.
    pub topic: String,
    /// How values are written.
    pub format: Format,
    /// What is read from each record, pruned to what the plan uses.
    pub columns: Vec<SourceColumn>,
    /// Event time and watermark.
    pub event_time: EventTimeSpec,
    /// Whether rows are a stream or versions of a table.
    pub role: SourceRole,
    /// What happens to a record that cannot be read.
    pub on_error: OnError,
    /// What happens when the position lies before the log's start.
    pub on_gap: OnGap,
}

/// How values are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a record.
    Json,
    /// One CSV line a record.
    Csv {
        /// Between fields; ASCII.
        delimiter: u8,
    },
    /// The value is the text or bytes of the only column.
    Raw,
}

/// One column read from a record.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceColumn {
    /// Name in the plan.
    pub name: String,
    /// Arrow type.
    pub data_type: DataType,
    /// Where it comes from.
    pub from: ColumnOrigin,
}

/// Where a source's column comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnOrigin {
    /// A field of the value.
    Field(String),
    /// The message key (Utf8 or Binary).
    Key,
    /// The headers (Map of Utf8 to Binary).
    Headers,
    /// The Kafka partition (Int32).
    Partition,
    /// The Kafka offset (Int64).
    Offset,
    /// The record's timestamp (Timestamp in milliseconds, UTC).
    Timestamp,
}

/// Event time of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTimeSpec {
    /// Index into the source's columns; its type is a timestamp.
    pub column: usize,
    /// How far the watermark trails the greatest event time seen.
    pub out_of_orderness_ms: i64,
    /// Event time further than this beyond the step's clock makes a record a dead letter.
    pub max_future_ms: i64,
    /// After this long wholly idle, the watermark moves with the clock; off if `None`.
    pub idle_advance_ms: Option<i64>,
    /// A partition with nothing new for this long is idle.
    pub idle_timeout_ms: i64,
}

/// What a source's rows mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceRole {
    /// Each record is a row; a null value is skipped and counted.
    Stream,
    /// Each record is a version of the row with its key; a null value deletes the row that the
    /// message key names.
    Versioned {
        /// Indices of the key columns.
        key: Vec<usize>,
    },
}

/// What happens to a record that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// It goes to the dead-letter topic.
    DeadLetter,
    /// It is counted.
    Skip,
    /// The engine stops.
    Fail,
}

/// What happens when a position lies before the log's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnGap {
    /// The engine stops.
    Stop,
    /// Reading goes on at the earliest offset; the gap is counted.
    Earliest,
}

/// An event-time temporal join (`FOR SYSTEM_TIME AS OF`). Port 0 is the left side, port 1 the
/// versioned one. Output: the columns of `output`, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct TemporalJoin {
    /// Whether left rows without a version leave, with NULLs.
    pub keep_unmatched: bool,
    /// Key of the left row, one expression a key column.
    pub left_key: Vec<Expression>,
    /// Key of a version, as many.
    pub right_key: Vec<Expression>,
    /// Time column of the left side (milliseconds).
    pub left_time: usize,
    /// Time column of the versions (milliseconds).
    pub right_time: usize,
    /// A further condition over all left, then all right columns.
    pub condition: Option<Expression>,
    /// What a row before the first version gets.
    pub before_first: BeforeFirst,
    /// Which columns leave.
    pub output: Vec<JoinColumn>,
}

/// What a row before the first version of its key gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeforeFirst {
    /// NULLs, as in Flink.
    Null,
    /// The first version.
    First,
}

/// A column of a join's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinColumn {
    /// Index of a left column.
    Left(usize),
    /// Index of a right column.
    Right(usize),
}

/// An aggregate per key and window. Output, in order: the keys, `window_start` and `window_end`
/// (TIMESTAMP(3) without zone), `window_time` (type of the time attribute, `end` − 1 ms), then one
/// column an aggregate.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowAggregate {
    /// The windows.
    pub window: Window,
    /// Time column of the input (milliseconds).
    pub time: usize,
    /// Group key; may be empty.
    pub keys: Vec<Expression>,
    /// What is computed for each group.
    pub aggregates: Vec<AggregateCall>,
    /// How long a window keeps its state after the watermark passed its end.
    pub allowed_lateness_ms: i64,
}

/// How event time is cut into windows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Window {
    /// `[n × size + offset, (n + 1) × size + offset)`.
    Tumbling {
        /// Length in milliseconds, above zero.
        size_ms: i64,
        /// Shift from the epoch in milliseconds.
        offset_ms: i64,
    },
}

/// One aggregate function over the rows of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregateCall {
    /// The function.
    pub function: AggregateFunction,
    /// Its arguments; none for `COUNT(*)`.
    pub arguments: Vec<Expression>,
    /// Whether equal argument values count once.
    pub is_distinct: bool,
    /// `FILTER (WHERE …)`.
    pub filter: Option<Expression>,
    /// Type of the result, by Flink's rules.
    pub data_type: DataType,
}

/// Aggregate functions, with Flink's meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AggregateFunction {
    /// Rows whose argument is not null, or all rows.
    Count,
    /// Sum in the argument's type: integers wrap.
    Sum,
    /// Mean; of integers truncated toward zero.
    Avg,
    /// Least value.
    Min,
    /// Greatest value.
    Max,
    /// Multiset of the values that are not null.
    Collect,
    /// Text of the values that are not null, with a separator (second argument, else `,`).
    ListAgg,
    /// Array of the values, nulls included.
    ArrayAgg,
    /// Value of the first row whose argument is not null.
    FirstValue,
    /// Value of the last row whose argument is not null.
    LastValue,
    /// Population standard deviation.
    StddevPop,
    /// Sample standard deviation.
    StddevSamp,
    /// Population variance.
    VarPop,
    /// Sample variance.
    VarSamp,
}

/// Writes a model's rows to its topic. Its input's schema is what is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Sink {
    /// Name of the model.
    pub model: String,
    /// Kafka topic.
    pub topic: String,
    /// Column whose text is the message key.
    pub key: Option<usize>,
    /// How values are written.
    pub format: Format,
    /// How COLLECT's multisets are written.
    pub multiset: MultisetFormat,
    /// How timestamps are written.
    pub timestamps: TimestampFormat,
    /// Declared partitions; the broker's default if `None`.
    pub partitions: Option<i32>,
    /// Declared replication factor; the broker's default if `None`.
    pub replication_factor: Option<i32>,
    /// Topic settings.
    pub config: BTreeMap<String, String>,
}

/// How a multiset is written in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MultisetFormat {
    /// An object: value to count.
    Object,
    /// An array of the values, each as often as it counts.
    Array,
}

/// How timestamps are written in JSON and CSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampFormat {
    /// `2026-01-01T00:30:00`, with `Z` for TIMESTAMP_LTZ.
    Iso8601,
    /// `2026-01-01 00:30:00`, with `Z` for TIMESTAMP_LTZ.
    Sql,
}

impl TemporalJoin {
    /// The columns of the left side that waiting rows keep: those that the output or the condition
    /// needs. `width` is how many the side has.
    pub fn kept_left(&self, width: usize) -> Vec<usize> {
        self.kept(width, |column| match column {
            JoinColumn::Left(index) => Some(*index),
            JoinColumn::Right(_) => None,
        })
    }

    /// The same of the versions.
    pub fn kept_right(&self, width: usize) -> Vec<usize> {
        self.kept(width, |column| match column {
            JoinColumn::Left(_) => None,
            JoinColumn::Right(index) => Some(*index),
        })
    }

    fn kept(&self, width: usize, index: fn(&JoinColumn) -> Option<usize>) -> Vec<usize> {
        let is_needed = |column: &usize| {
            self.condition.is_some() || self.output.iter().any(|one| index(one) == Some(*column))
        };
        (0..width).filter(is_needed).collect()
    }
}

impl Operator {
    /// What it evaluates over its input's rows.
    fn expressions(&self) -> Vec<&Expression> {
        match self {
            Self::Source(_) | Self::Sink(_) => Vec::new(),
            Self::Filter(predicate) => vec![predicate],
            Self::Project(columns) => columns.iter().collect(),
            Self::TemporalJoin(join) => {
                join.left_key.iter().chain(&join.right_key).chain(&join.condition).collect()
            }
            Self::WindowAggregate(aggregate) => {
                let calls = aggregate.aggregates.iter();
                let calls = calls.flat_map(|call| call.arguments.iter().chain(&call.filter));
                aggregate.keys.iter().chain(calls).collect()
            }
        }
    }
}

impl Dataflow {
    /// Whether any row depends on the step's time.
    pub fn reads_clock(&self) -> bool {
        let nodes = self.nodes.iter();
        nodes.flat_map(|node| node.operator.expressions()).any(Expression::reads_clock)
    }

    /// The sources, with the index of their node.
    pub fn sources(&self) -> impl Iterator<Item = (usize, &Source)> {
        self.nodes.iter().enumerate().filter_map(|(index, node)| match &node.operator {
            Operator::Source(source) => Some((index, source)),
            _ => None,
        })
    }

    /// The sinks, with the index of their node.
    pub fn sinks(&self) -> impl Iterator<Item = (usize, &Sink)> {
        self.nodes.iter().enumerate().filter_map(|(index, node)| match &node.operator {
            Operator::Sink(sink) => Some((index, sink)),
            _ => None,
        })
    }

    /// For each node the nodes that read it, as (node, port).
    pub fn readers(&self) -> Vec<Vec<(usize, usize)>> {
        let mut readers = vec![Vec::new(); self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            for (port, input) in node.inputs.iter().enumerate() {
                readers[*input].push((index, port));
            }
        }
        readers
    }

    /// The schema of an input of a node.
    pub fn input_schema(&self, node: usize, port: usize) -> SchemaRef {
        Arc::clone(&self.nodes[self.nodes[node].inputs[port]].schema)
    }
}
