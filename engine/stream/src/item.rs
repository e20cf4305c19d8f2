//! Items: what the fold folds, in order. State and outputs are a function of this list alone.

use std::fmt;
use std::sync::Arc;

use crate::{Generation, ProcessingTime, Watermark};

/// A reader of a source topic: one topic may be read at two positions, by two readers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReaderName(pub Arc<str>);

impl fmt::Display for ReaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One running process that owns, or wants to own, a project.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InstanceName(pub Arc<str>);

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Hash of a dataflow: two plans with one fingerprint give the same rows from the same items.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub String);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What one step of the fold takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A reader starts at this offset of a partition.
    Start {
        /// The reader.
        reader: ReaderName,
        /// Kafka partition.
        partition: i32,
        /// First offset that it will read.
        offset: i64,
    },
    /// The records of one partition in `[from, to)`: `to` is the last record's offset + 1.
    Slice {
        /// The reader.
        reader: ReaderName,
        /// Kafka partition.
        partition: i32,
        /// Offset of the first record.
        from: i64,
        /// Offset of the last record + 1.
        to: i64,
        /// How many records there are; offsets may have gaps.
        records: u64,
    },
    /// The step's time: what `CURRENT_TIMESTAMP` says from now on. Never goes back.
    Clock(ProcessingTime),
    /// The partition has nothing to say and is left out of the watermark.
    Idle {
        /// The reader.
        reader: ReaderName,
        /// Kafka partition.
        partition: i32,
    },
    /// The partition counts again.
    Active {
        /// The reader.
        reader: ReaderName,
        /// Kafka partition.
        partition: i32,
    },
    /// A wholly idle source moves its watermark by the time that passed (`idle_advance`).
    Advance {
        /// The reader.
        reader: ReaderName,
        /// The new watermark.
        watermark: Watermark,
    },
    /// The topic has this many partitions.
    Partitions {
        /// The reader.
        reader: ReaderName,
        /// Number of partitions.
        count: i32,
    },
    /// `--close-windows`: rows waiting in joins leave and all windows fire.
    EndOfInput,
    /// One record is not folded but sent to the dead letters, as the user asked.
    Skip {
        /// Kafka topic.
        topic: String,
        /// Kafka partition.
        partition: i32,
        /// Kafka offset.
        offset: i64,
    },
    /// From here on, this plan folds.
    Plan {
        /// Hash of the dataflow.
        fingerprint: Fingerprint,
        /// The resolved project: rendered SQL and variables, secrets by reference.
        project: String,
    },
    /// A new start: what was before is not continued.
    Generation(Generation),
    /// Who owns the project from here on; `None` after a clean end.
    Owner(Option<InstanceName>),
}
