//! The records of a slice, decoded.

use crate::Batch;

/// The decoded records of a slice, or of a part of it, in offset order.
#[derive(Debug, Clone)]
pub struct SliceRows {
    /// One row a record that could be read, with its origin; no advances. Columns: the source's.
    pub batch: Batch,
    /// Records that could not be read.
    pub rejected: Vec<RejectedRecord>,
    /// Null values on a plain stream.
    pub nulls_skipped: u64,
}

/// A record that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRecord {
    /// Kafka partition.
    pub partition: i32,
    /// Kafka offset.
    pub offset: i64,
    /// Message key, as it was.
    pub key: Option<Vec<u8>>,
    /// Value, as it was.
    pub value: Option<Vec<u8>>,
    /// What could not be read.
    pub detail: String,
}
