//! What a snapshot says of itself.

use std::fmt;

use arrow::datatypes::Schema;
use stream::{Epoch, Fingerprint, Generation, ProcessingTime, ReaderName, Watermark};

use crate::StateError;

/// Digits of generation and epoch in an id, so that ids sort like what they name.
const GENERATION_DIGITS: usize = 6;
const EPOCH_DIGITS: usize = 12;

/// Name of a snapshot: `JOURNAL-GENERATION-EPOCH-RANDOM`. Used once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotId {
    /// Id of the journal.
    pub journal_id: String,
    /// The generation.
    pub generation: Generation,
    /// The epoch after which the state was taken.
    pub epoch: Epoch,
    /// What tells two snapshots of one epoch apart.
    pub random: u32,
}

impl SnapshotId {
    /// A name that nobody has used.
    ///
    /// # Errors
    /// [`StateError::Random`].
    pub(crate) fn draw(about: &About) -> Result<Self, StateError> {
        Ok(Self {
            journal_id: about.journal_id.clone(),
            generation: about.generation,
            epoch: about.epoch,
            random: getrandom::u32().map_err(|_no_cause| StateError::Random)?,
        })
    }

    /// Reads an id; `None` if the text is none, exactly as it would be written.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let id = Self {
            journal_id: parts.next()?.to_owned(),
            generation: Generation(parts.next()?.parse().ok()?),
            epoch: Epoch(parts.next()?.parse().ok()?),
            random: u32::from_str_radix(parts.next()?, 16).ok()?,
        };
        let is_word = |text: &str| {
            !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric())
        };
        (is_word(&id.journal_id) && id.to_string() == text).then_some(id)
    }

    /// What decides which of one journal's snapshots is newer.
    pub(crate) fn age(&self) -> (Generation, Epoch, u32) {
        (self.generation, self.epoch, self.random)
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { journal_id, generation, epoch, random } = self;
        let (generation, epoch) = (generation.0, epoch.0);
        write!(
            f,
            "{journal_id}-{generation:0GENERATION_DIGITS$}-{epoch:0EPOCH_DIGITS$}-{random:08x}"
        )
    }
}

/// Where the state comes from, and what it takes to go on from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Id of the journal.
    pub journal_id: String,
    /// The generation.
    pub generation: Generation,
    /// The epoch whose items are the last in the state.
    pub epoch: Epoch,
    /// An offset of the journal at or before which no later epoch's entry begins.
    pub journal_offset: i64,
    /// Version of the fold's rules.
    pub fold_version: u32,
    /// Hash of the plan.
    pub fingerprint: Fingerprint,
    /// The cluster of the topics, if it tells.
    pub cluster_id: Option<String>,
    /// Version of the engine, for people.
    pub engine: String,
    /// When the state was taken.
    pub created: ProcessingTime,
    /// Where each reader stands.
    pub readers: Vec<ReaderProgress>,
    /// The resolved project: rendered SQL and variables, secrets by reference.
    pub project: String,
}

/// Where a reader stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderProgress {
    /// The reader.
    pub reader: ReaderName,
    /// Its Kafka topic.
    pub topic: String,
    /// Its watermark.
    pub watermark: Watermark,
    /// Whether its records are in the journal, so that the topic may forget them.
    pub is_carried: bool,
    /// By partition.
    pub partitions: Vec<PartitionProgress>,
}

/// Where a reader stands in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionProgress {
    /// Kafka partition.
    pub partition: i32,
    /// The offset at which the generation began to read it.
    pub start: i64,
    /// Next offset to read.
    pub position: i64,
}

/// A complete snapshot, without its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its name.
    pub id: SnapshotId,
    /// Where it comes from.
    pub about: About,
    /// Its files.
    pub tables: Vec<TableFile>,
}

impl Manifest {
    /// Rows in all tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// Bytes of all tables.
    pub fn bytes(&self) -> u64 {
        self.tables.iter().map(|table| table.bytes).sum()
    }
}

/// One table's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFile {
    /// The operator; empty for what belongs to the fold as a whole.
    pub operator: String,
    /// Name of the table, unique within the operator.
    pub name: String,
    /// Name of the file in the snapshot's folder.
    pub file: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// How many rows it has.
    pub rows: u64,
    /// How many bytes.
    pub bytes: u64,
    /// CRC32C of the bytes.
    pub crc32c: u32,
}

/// One column, as people read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its Arrow type.
    pub data_type: String,
    /// Whether it may be null.
    pub is_nullable: bool,
}

/// The columns of a schema.
pub(crate) fn columns_of(schema: &Schema) -> Vec<Column> {
    let column = |field: &arrow::datatypes::FieldRef| Column {
        name: field.name().clone(),
        data_type: field.data_type().to_string(),
        is_nullable: field.is_nullable(),
    };
    schema.fields().iter().map(column).collect()
}
