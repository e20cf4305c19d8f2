//! E04xx: what a query over streams cannot mean, or what the engine cannot do yet.

use catalog::diagnostic::{Diagnose, Label};
use catalog::place::Place;

/// A query that would not stream, or not as meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamMistake {
    /// SQL that this version does not run.
    #[error("{what} is not supported yet")]
    NotSupported {
        /// The clause, such as "ORDER BY".
        what: String,
        /// What to do instead, if known.
        help: Option<String>,
        /// The clause.
        at: Place,
    },
    /// The result's rows would change later, which an append topic cannot say.
    #[error("{what} gives rows that change later")]
    UpdatingResult {
        /// The clause.
        what: String,
        /// What to do instead.
        help: String,
        /// The clause.
        at: Place,
    },
    /// A join whose state would grow without end.
    #[error("a join of two streams without a bound in time")]
    UnboundedJoin {
        /// The joined table.
        at: Place,
    },
    /// A window or a version is asked for at a time that is not the stream's event time.
    #[error("{function} needs the event time of its rows, which `{column}` is not")]
    NotEventTime {
        /// `TUMBLE` or `FOR SYSTEM_TIME AS OF`.
        function: String,
        /// As written.
        column: String,
        /// Why it is none.
        why: String,
        /// The column.
        at: Place,
        /// Where it was computed, if that is known.
        computed: Option<Place>,
    },
    /// Two columns of a source are used as its event time.
    #[error("source `{source_name}` has two event times: `{first}` and `{second}`")]
    TwoEventTimes {
        /// The source.
        source_name: String,
        /// The column that came first.
        first: String,
        /// The other.
        second: String,
        /// Use of the second.
        at: Place,
        /// Use or declaration of the first.
        before: (Place, String),
    },
    /// A temporal join without an equality on a column of the versioned table.
    #[error("a temporal join needs an equality on a column of `{table}`")]
    NoJoinKey {
        /// The versioned table.
        table: String,
        /// The condition or the table.
        at: Place,
    },
    /// A temporal join on another column than the declared key.
    #[error("temporal join on `{column}`, which is not the key of `{table}`")]
    NotOnKey {
        /// The versioned table.
        table: String,
        /// The column that is joined on.
        column: String,
        /// Its declared key.
        key: String,
        /// The condition.
        at: Place,
        /// The declaration of the key.
        declared: Place,
    },
    /// The right side of a temporal join is not a source.
    #[error("`{table}` has no versions")]
    NotVersioned {
        /// As written.
        table: String,
        /// The table.
        at: Place,
    },
    /// An event time whose type is not a time of millisecond precision.
    #[error("event time `{column}` of source `{source_name}` has type {data_type}")]
    EventTimeType {
        /// The source.
        source_name: String,
        /// The column.
        column: String,
        /// Its type.
        data_type: String,
        /// The type, or the declaration of the event time.
        at: Place,
    },
    /// A query without a table.
    #[error("a model without FROM reads no stream")]
    NoInput {
        /// The query.
        at: Place,
    },
}

impl StreamMistake {
    /// "`what` is not supported yet".
    pub(crate) fn not_supported(what: impl Into<String>, at: Place) -> Self {
        Self::NotSupported { what: what.into(), help: None, at }
    }
}

impl Diagnose for StreamMistake {
    fn code(&self) -> &'static str {
        match self {
            Self::NotSupported { .. } => "E0401",
            Self::UpdatingResult { .. } => "E0402",
            Self::UnboundedJoin { .. } => "E0403",
            Self::NotEventTime { .. } => "E0404",
            Self::TwoEventTimes { .. } => "E0405",
            Self::NoJoinKey { .. } => "E0406",
            Self::NotOnKey { .. } => "E0407",
            Self::NotVersioned { .. } => "E0408",
            Self::EventTimeType { .. } => "E0409",
            Self::NoInput { .. } => "E0410",
        }
    }

    fn labels(&self) -> Vec<Label> {
        match self {
            Self::NotSupported { at, .. }
            | Self::UpdatingResult { at, .. }
            | Self::UnboundedJoin { at }
            | Self::NoJoinKey { at, .. }
            | Self::NotVersioned { at, .. }
            | Self::EventTimeType { at, .. }
            | Self::NoInput { at } => vec![Label::primary(at, "")],
            Self::NotEventTime { why, at, computed, .. } => {
                let computed =
                    computed.iter().map(|place| Label::secondary(place, "computed here"));
                std::iter::once(Label::primary(at, why)).chain(computed).collect()
            }
            Self::TwoEventTimes { second, at, before, .. } => vec![
                Label::primary(at, format!("`{second}` here")),
                Label::secondary(&before.0, &before.1),
            ],
            Self::NotOnKey { table, key, at, declared, .. } => vec![
                Label::primary(at, format!("`{table}` is keyed by `{key}`")),
                Label::secondary(declared, "declared here"),
            ],
        }
    }

    fn helps(&self) -> Vec<String> {
        let help = match self {
            Self::NotSupported { help, .. } => return help.iter().cloned().collect(),
            Self::UpdatingResult { help, .. } => help.clone(),
            Self::UnboundedJoin { .. } => {
                "Join with a versioned table: `JOIN t FOR SYSTEM_TIME AS OF time AS v ON …`."
                    .to_owned()
            }
            Self::NotEventTime { .. } => {
                "Use the source's event-time column itself, passed through unchanged.".to_owned()
            }
            Self::TwoEventTimes { source_name, .. } => format!(
                "Declare `event_time.column` on `{source_name}`, and a second source on the same \
                 topic for the other."
            ),
            Self::NoJoinKey { table, .. } => {
                format!("Write `ON left.key = {table}.key`; the right side is a plain column.")
            }
            Self::NotOnKey { table, column, key, .. } => {
                format!("Join on `{key}`, or declare `key: {column}` on `{table}`.")
            }
            Self::NotVersioned { .. } => {
                "Only a source can be read with FOR SYSTEM_TIME AS OF.".to_owned()
            }
            Self::EventTimeType { .. } => {
                "Event time is TIMESTAMP(3) or TIMESTAMP_LTZ(3), or less precise.".to_owned()
            }
            Self::NoInput { .. } => {
                "Read from `{{ source(\"…\") }}` or `{{ ref(\"…\") }}`.".to_owned()
            }
        };
        vec![help]
    }
}
