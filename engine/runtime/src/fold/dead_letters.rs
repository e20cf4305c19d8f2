//! What goes no further than here, and why.

use arrow::array::RecordBatch;
use planner::dataflow::{OperatorId, Source};
use stream::{Origin, RejectedRecord};

use crate::operator::{DiscardReason, Discarded};

/// Why something is a dead letter. The text is the header `engine.reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeadLetterReason {
    /// The record could not be read.
    Undecodable,
    /// The row has no event time.
    NullTime,
    /// The event time lies too far in the future.
    Future,
    /// The row's window is over.
    Late,
    /// The row's window was closed by `--close-windows`.
    ClosedByUser,
    /// An expression failed on the row.
    Failed,
    /// The output record exceeds the topic's `max.message.bytes`.
    Oversized,
}

impl DeadLetterReason {
    /// Text of the header.
    pub fn text(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::NullTime => "null time",
            Self::Future => "future",
            Self::Late => "late",
            Self::ClosedByUser => "closed by --close-windows",
            Self::Failed => "failed",
            Self::Oversized => "oversized",
        }
    }
}

/// Dead letters of one origin, reason and place.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "few, and each holds many letters")]
pub enum DeadLetters {
    /// Records that could not be read: their bytes are kept.
    Records {
        /// Kafka topic.
        topic: String,
        /// Name of the source.
        source: String,
        /// The records.
        records: Vec<RejectedRecord>,
    },
    /// Rows that an operator refused: its input rows are kept.
    Rows {
        /// Why.
        reason: DeadLetterReason,
        /// The operator.
        operator: OperatorId,
        /// Kafka topic that the rows came from.
        topic: String,
        /// The operator's input rows.
        rows: RecordBatch,
        /// Where each row came from, if it has one origin.
        origin: Option<Origin>,
        /// What exactly went wrong.
        detail: String,
    },
}

impl DeadLetters {
    pub(super) fn of_records(source: &Source, records: Vec<RejectedRecord>) -> Self {
        Self::Records { topic: source.topic.clone(), source: source.source.clone(), records }
    }

    pub(super) fn of_discarded(source: &Source, id: &OperatorId, discarded: Discarded) -> Self {
        let reason = match discarded.reason {
            DiscardReason::Late => DeadLetterReason::Late,
            DiscardReason::ClosedByUser => DeadLetterReason::ClosedByUser,
            DiscardReason::Failed => DeadLetterReason::Failed,
        };
        Self::Rows {
            reason,
            operator: id.clone(),
            topic: source.topic.clone(),
            rows: discarded.rows,
            origin: discarded.origin,
            detail: discarded.detail,
        }
    }

    /// Number of letters.
    pub fn count(&self) -> usize {
        match self {
            Self::Records { records, .. } => records.len(),
            Self::Rows { rows, .. } => rows.num_rows(),
        }
    }

    /// Partition, offset and trouble of the first one.
    pub(super) fn first(&self) -> (i32, i64, String) {
        match self {
            Self::Records { records, .. } => records
                .first()
                .map_or((0, 0, String::new()), |it| (it.partition, it.offset, it.detail.clone())),
            Self::Rows { origin, detail, reason, .. } => {
                let detail = format!("{}: {detail}", reason.text());
                match origin {
                    Some(origin) if !origin.partition.values().is_empty() => {
                        (origin.partition.value(0), origin.offset.value(0), detail)
                    }
                    _ => (0, 0, detail),
                }
            }
        }
    }
}
