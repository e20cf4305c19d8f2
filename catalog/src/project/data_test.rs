//! The YAML `tests:`, called data tests in code.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::place::Spanned;
use crate::project::model::Reference;
use crate::project::secret::Secret;

/// Records that a `sample` test looks at where nothing is said.
pub const SAMPLE_SIZE_DEFAULT: u64 = 100;

/// One data test.
#[derive(Clone, Debug)]
pub struct DataTest {
    /// Unique among tests.
    pub name: Spanned<String>,
    /// What it looks at: `model:` may name a model, else a source.
    pub target: Reference,
    /// When it runs.
    pub kind: Spanned<DataTestKind>,
    /// For people.
    pub description: Option<String>,
    /// What must hold.
    pub assertions: Vec<Spanned<Assertion>>,
    /// Records a `sample` test looks at.
    pub sample_size: u64,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// What a failure does.
    pub on_failure: OnFailure,
}

/// When a data test runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataTestKind {
    /// Against the plan, then against records.
    Schema,
    /// Against some records.
    Sample,
    /// Inside `run`, all the time.
    Continuous,
}

/// What must hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Assertion {
    /// No NULL in these columns.
    NotNull {
        /// At least one.
        columns: Vec<Spanned<String>>,
    },
    /// Only these values, as text; NULL passes.
    AcceptedValues {
        /// The column.
        column: Spanned<String>,
        /// At least one.
        values: Vec<Spanned<String>>,
    },
    /// Values read as these types.
    AcceptedTypes {
        /// Type word by column, as written.
        types: BTreeMap<String, Spanned<String>>,
    },
    /// Within these bounds, inclusive; NULL passes.
    Range {
        /// The column.
        column: Spanned<String>,
        /// Least value.
        min: Option<f64>,
        /// Greatest value.
        max: Option<f64>,
    },
    /// No key twice.
    UniqueKey {
        /// The column.
        key: Spanned<String>,
        /// Within this time; `None`: within the sample.
        window: Option<Duration>,
        /// Share of duplicates that is still fine, 0 to 1.
        tolerance: f64,
    },
    /// Every value is a key of another model.
    ForeignKey {
        /// The column.
        column: Spanned<String>,
        /// The other model.
        model: Reference,
        /// Its key column.
        key: Spanned<String>,
        /// Within this time.
        window: Option<Duration>,
        /// Least share of matches, 0 to 1.
        match_rate: f64,
    },
    /// The newest row is at most this old.
    MaxLag {
        /// Its time column; `None`: the event time, else the record timestamp.
        column: Option<Spanned<String>>,
        /// The age.
        lag: Duration,
    },
    /// Rows in a time.
    Throughput {
        /// Least rows in `per`.
        min: Option<f64>,
        /// Most rows in `per`.
        max: Option<f64>,
        /// A second or a minute, as the user wrote it.
        per: Duration,
    },
    /// Shares of values in ranges.
    Distribution {
        /// The column.
        column: Spanned<String>,
        /// The ranges.
        buckets: Vec<Bucket>,
    },
    /// A query of the user's own.
    CustomSql {
        /// Its name.
        name: Option<String>,
        /// The query, or the condition of a bad row where `is_condition`.
        sql: Spanned<String>,
        /// Whether `sql` is only the condition of a bad row.
        is_condition: bool,
        /// The value it must give.
        expect: Option<String>,
        /// Bad rows that are still fine.
        max_failures: u64,
    },
    /// Greater than zero.
    Positive {
        /// The column.
        column: Spanned<String>,
        /// Whether zero is fine too.
        allow_zero: bool,
    },
    /// The newest value of a time column is at most this old.
    Freshness {
        /// The column.
        column: Option<Spanned<String>>,
        /// The age.
        max_age: Duration,
    },
}

/// One range of a distribution.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    /// Least value.
    pub min: Option<f64>,
    /// Greatest value.
    pub max: Option<f64>,
    /// Its share, 0 to 1.
    pub expected_ratio: Option<f64>,
    /// Its greatest share, 0 to 1.
    pub max_ratio: Option<f64>,
    /// How far the share may be off.
    pub tolerance: f64,
}

/// What a failure does.
#[derive(Clone, Debug, Default)]
pub struct OnFailure {
    /// How bad it is.
    pub severity: Severity,
    /// In order.
    pub actions: Vec<Spanned<Action>>,
}

/// How bad a failed test is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Severity {
    /// The test fails.
    #[default]
    Error,
    /// It is only said.
    Warning,
}

/// What is done about a failure.
#[derive(Clone, Debug)]
pub enum Action {
    /// Somebody is told.
    Alert(Alert),
    /// A model is paused.
    Pause {
        /// Which; `None`: the tested one.
        model: Option<Reference>,
    },
    /// The bad records go somewhere.
    DeadLetter {
        /// A topic.
        topic: Option<String>,
        /// Or the topic of a model.
        model: Option<Reference>,
        /// Whether the reason goes along.
        include_error: bool,
        /// Whether the origin goes along.
        include_metadata: bool,
    },
    /// `apply` is refused while it fails.
    BlockDeploy,
}

/// Somebody is told.
#[derive(Clone, Debug)]
pub struct Alert {
    /// How.
    pub channel: Spanned<AlertChannel>,
    /// Where to; `None` where its `${VAR}` is not set.
    pub url: Option<Spanned<Secret>>,
    /// For PagerDuty; `None` where its `${VAR}` is not set.
    pub routing_key: Option<Spanned<Secret>>,
    /// A chat channel such as `#data`.
    pub room: Option<String>,
    /// `warning` or `critical`, as written.
    pub severity: Option<String>,
    /// The text, a template of its own.
    pub message: Option<String>,
}

/// How somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertChannel {
    /// `slack`
    Slack,
    /// `pagerduty`
    PagerDuty,
    /// `webhook`
    Webhook,
    /// `email`
    Email,
}
