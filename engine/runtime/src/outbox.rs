//! What goes from the fold to the producer: rows to encode, dead letters, and cuts of epochs.

use std::sync::Arc;

use arrow_kafka::{Encoded, PartitionOffset};
use stream::Epoch;

use crate::fold::{DeadLetters, SinkRows};
use crate::journal::Entry;

/// Topic index of the journal in the transactional producer.
pub(crate) const JOURNAL: usize = 0;

/// Topic index of the dead letters.
pub(crate) const DEAD_LETTERS: usize = 1;

/// Topic index of the first sink; the others follow in the dataflow's order.
pub(crate) const FIRST_SINK: usize = 2;

/// From the fold to the encoder.
#[derive(Debug)]
pub(crate) enum ToEncode {
    /// Rows of a sink.
    Rows(SinkRows),
    /// What goes no further.
    Letters(DeadLetters, Epoch),
    /// The epoch ends here.
    Cut(Cut),
}

/// From the encoder to the producer.
#[derive(Debug)]
pub(crate) enum ToCommit {
    /// Records of one topic.
    Records(Kept),
    /// The epoch ends here.
    Cut(Cut),
}

/// The end of an epoch.
#[derive(Debug)]
pub(crate) struct Cut {
    /// What the journal will say.
    pub(crate) entry: Entry,
    /// Positions, for tools that look at the consumer group.
    pub(crate) offsets: Vec<PartitionOffset>,
}

/// Encoded records of one topic, kept until their epoch is committed.
#[derive(Debug, Clone)]
pub(crate) enum Kept {
    /// Rows of a sink.
    Rows {
        /// Topic index.
        topic: usize,
        /// The records.
        encoded: Arc<Encoded>,
    },
    /// One dead letter.
    Letter(Arc<Letter>),
}

/// One record of the dead-letter topic.
#[derive(Debug)]
pub(crate) struct Letter {
    /// `topic/partition/offset` of the record that it comes from.
    pub(crate) key: String,
    /// Its bytes, or the operator's input row as JSON.
    pub(crate) value: Option<Vec<u8>>,
    /// `engine.reason` and so on.
    pub(crate) headers: Vec<(&'static str, String)>,
}
