//! Models: queries whose results go to topics, and sinks.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::place::{Place, Spanned};
use crate::project::secret::Secret;
use crate::project::source::{Column, EventTime};
use crate::template::Sql;

/// One query and its output topic, or one sink.
#[derive(Clone, Debug)]
pub struct Model {
    /// Unique among models; `[A-Za-z_][A-Za-z0-9_.-]*`.
    pub name: Spanned<String>,
    /// For people.
    pub description: Option<String>,
    /// Who answers for it.
    pub owner: Option<Spanned<String>>,
    /// For selection.
    pub tags: Vec<Spanned<String>>,
    /// As declared; all kinds run in the same engine, so it is a hint only.
    pub materialized: Option<Spanned<Materialized>>,
    /// The column whose text is the message key.
    pub key: Option<Spanned<String>>,
    /// Declared columns; the plan's columns count, these add types to check and documentation.
    pub columns: Vec<Column>,
    /// The output topic, defaults applied.
    pub topic: Topic,
    /// `engine:` (`flink:`, `advanced.flink:`).
    pub engine: ModelEngine,
    /// Event time declared on the model; its column must be one of the output.
    pub event_time: Option<EventTime>,
    /// How values are written.
    pub format: OutputFormat,
    /// The rendered query. `None` for a sink or a copy, which has [`Model::from`].
    pub sql: Option<Sql>,
    /// `from:`, in order.
    pub from: Vec<Reference>,
    /// `sink:` (`connector:`).
    pub sink: Option<Sink>,
    /// Who may refer to it.
    pub access: Access,
    /// Groups that may refer to it besides its own.
    pub access_groups: Vec<Spanned<String>>,
    /// The group it belongs to.
    pub group: Option<Spanned<String>>,
    /// `version:`.
    pub version: Option<u32>,
    /// `deprecation:` by version.
    pub deprecation: BTreeMap<String, Deprecation>,
    /// `security:`: masks and policies.
    pub security: Security,
}

impl Model {
    /// Everything it reads: references of the SQL, then those of `from:` that the SQL lacks.
    pub fn dependencies(&self) -> impl Iterator<Item = &Reference> {
        let in_sql: &[Reference] = self.sql.as_ref().map_or(&[], |sql| &sql.references);
        let only_in_from = self.from.iter().filter(move |from| {
            !in_sql.iter().any(|sql| sql.kind == from.kind && sql.name == from.name)
        });
        in_sql.iter().chain(only_in_from)
    }

    /// The declared column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.value == name)
    }
}

/// What a name refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReferenceKind {
    /// `source("x")`
    Source,
    /// `ref("x")`
    Model,
}

impl ReferenceKind {
    /// `source` or `model`, as in rendered SQL.
    pub fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Model => "model",
        }
    }
}

/// A name of a source or a model and where it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// What it refers to.
    pub kind: ReferenceKind,
    /// The name.
    pub name: String,
    /// Where the name stands.
    pub place: Place,
}

/// `materialized:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Materialized {
    /// `topic`
    Topic,
    /// `virtual_topic`
    VirtualTopic,
    /// `flink`
    Flink,
    /// `sink`
    Sink,
}

/// A model's output topic.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Its name; the model's where nothing is said.
    pub name: Spanned<String>,
    /// `None`: the broker's default.
    pub partitions: Option<Spanned<u32>>,
    /// `None`: the broker's default.
    pub replication_factor: Option<Spanned<u16>>,
    /// Topic settings such as `retention.ms`, as text.
    pub config: BTreeMap<String, Spanned<String>>,
}

/// A model's own engine settings.
#[derive(Clone, Debug, Default)]
pub struct ModelEngine {
    /// Only lowers the project's; never changes an answer.
    pub parallelism: Option<Spanned<u32>>,
    /// The least over all models is the project's, unless `runtime.engine` says otherwise.
    pub checkpoint_interval: Option<Spanned<Duration>>,
    /// State of a key that was silent so long is forgotten.
    pub state_ttl: Option<Spanned<Duration>>,
}

/// How a model's values are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputFormat {
    /// How a MULTISET is written.
    pub multiset: MultisetFormat,
    /// How times are written.
    pub timestamp: TimestampFormat,
}

/// How a MULTISET is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MultisetFormat {
    /// As Flink: an object from value to count.
    #[default]
    Counts,
    /// The values, each as often as it counts.
    Array,
}

/// How TIMESTAMP and TIMESTAMP_LTZ are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimestampFormat {
    /// Flink's `SQL` format: `2026-01-01 00:00:00.000` and with `Z`.
    Sql,
    /// Flink's `ISO-8601` format: a `T` between date and time.
    #[default]
    Iso8601,
    /// Milliseconds since 1970 as a number.
    EpochMillis,
}

/// A sink outside Kafka.
#[derive(Clone, Debug)]
pub struct Sink {
    /// `sink.connector` or `connector.type`.
    pub connector: Spanned<String>,
    /// At most so many writers.
    pub tasks_max: Option<u32>,
    /// Its settings; any may be a secret.
    pub config: BTreeMap<String, Spanned<Secret>>,
}

/// Who may refer to a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Models of its group; without a group, all.
    #[default]
    Private,
    /// Models of the project.
    Protected,
    /// Everyone.
    Public,
}

/// `deprecation.v<N>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deprecation {
    /// `sunset_date`, as written.
    pub sunset_date: Option<String>,
    /// For people.
    pub message: Option<String>,
}

/// `security:` of a model.
#[derive(Clone, Debug, Default)]
pub struct Security {
    /// From `policies[].mask` and `masking[]`.
    pub masks: Vec<Mask>,
}

/// One column that must not leave as it is.
#[derive(Clone, Debug)]
pub struct Mask {
    /// The column.
    pub column: Spanned<String>,
    /// How it is masked.
    pub method: Spanned<MaskMethod>,
    /// Roles it is masked for; empty: all.
    pub for_roles: Vec<String>,
}

/// How a column is masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskMethod {
    /// A keyed hash.
    Hash,
    /// `***`
    Redact,
    /// Only the last four characters.
    Partial,
    /// A token.
    Tokenize,
    /// NULL.
    Null,
}
