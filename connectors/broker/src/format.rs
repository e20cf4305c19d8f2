//! What the broker's files look like on disk, with versions; the code works with other types.
//!
//! JSON where a file is small or written seldom, the records' own wire format for data. A file of
//! a later version is refused by name, never guessed at.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Version of everything below.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// `broker.json`: where the owner of the folder answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AddressFile {
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
    /// Missing in files of a version that did not say.
    #[serde(default)]
    pub(crate) stays: bool,
}

/// `broker/cluster.json`: what makes this folder one cluster.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ClusterFile {
    pub(crate) version: u32,
    pub(crate) cluster_id: String,
}

/// `broker/topics/ID/topic.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TopicFile {
    pub(crate) version: u32,
    pub(crate) name: String,
    pub(crate) partitions: i32,
    /// The settings that were given; all others have their defaults.
    pub(crate) config: BTreeMap<String, String>,
}

/// `broker/topics/ID/PARTITION/checkpoint.json`: everything that a scan of the log up to
/// `position` of segment `segment` would find.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct CheckpointFile {
    pub(crate) version: u32,
    /// Base offset of the segment that was written to.
    pub(crate) segment: i64,
    /// Bytes of it that are covered.
    pub(crate) position: u64,
    pub(crate) start_offset: i64,
    pub(crate) end_offset: i64,
    pub(crate) producers: Vec<ProducerEntry>,
    pub(crate) aborted: Vec<AbortedEntry>,
}

/// One producer in a checkpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ProducerEntry {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
    /// First offset of its open transaction.
    pub(crate) open_since: Option<i64>,
    pub(crate) last_seen_ms: i64,
    /// (first sequence, last sequence, base offset) of its last batches, oldest first.
    pub(crate) batches: Vec<(i32, i32, i64)>,
}

/// One aborted transaction of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AbortedEntry {
    pub(crate) producer_id: i64,
    /// Offset of the transaction's first record.
    pub(crate) first_offset: i64,
    /// Offset of its abort marker.
    pub(crate) marker_offset: i64,
}

/// One record of `broker/ledger.log`; later records overrule earlier ones.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LedgerRecord {
    /// First record of the file.
    Version(u32),
    /// All producer ids below this one may have been given out.
    ProducerIds(i64),
    /// A transactional id's present producer.
    Producer(TransactionalProducer),
    /// A transaction was decided to be committed; its offsets count from here on.
    Committed(Decision),
    /// Offsets committed by a group outside a transaction.
    Offsets(Vec<OffsetEntry>),
    /// Offsets forgotten.
    OffsetsDeleted(Vec<OffsetKey>),
    /// A group forgotten with its offsets.
    GroupDeleted(String),
}

/// The producer that owns a transactional id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TransactionalProducer {
    pub(crate) transactional_id: String,
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) timeout_ms: i32,
}

/// The commit of one transaction.
///
/// It names each partition's end offset at that moment: one producer id and epoch span many
/// transactions, so that a decision without offsets would also commit a later, undecided one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Decision {
    pub(crate) transactional_id: String,
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) partitions: Vec<DecidedPartition>,
    pub(crate) offsets: Vec<OffsetEntry>,
}

/// One partition of a decision.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DecidedPartition {
    /// Topic id as 32 hex digits.
    pub(crate) topic: String,
    pub(crate) partition: i32,
    /// End of the partition when the decision was taken: the transaction's records lie below.
    pub(crate) end_offset: i64,
}

/// Which offset.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct OffsetKey {
    pub(crate) group: String,
    pub(crate) topic: String,
    pub(crate) partition: i32,
}

/// One committed offset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OffsetEntry {
    #[serde(flatten)]
    pub(crate) key: OffsetKey,
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
}
