//! The journal: one entry an epoch, in a topic of one partition.
//!
//! An entry is the ordered list of items folded in its epoch. It is written in the same
//! transaction as the epoch's outputs, so that it says exactly what those outputs came from.

mod format;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_kafka::OwnedMessages;
use stream::{Epoch, Generation, InstanceName, Item};

pub(crate) use format::{FOLD_VERSION, FORMAT_VERSION, PART_BYTES};

/// Who wrote an entry, and where it stands in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Drawn with the journal's first entry.
    pub journal_id: String,
    /// Which start from empty state it belongs to.
    pub generation: Generation,
    /// Its number.
    pub epoch: Epoch,
    /// The process that wrote it.
    pub instance: InstanceName,
    /// How long the process counts as alive after the entry, in milliseconds.
    pub lease_ms: u64,
    /// Version of the fold's rules: entries of another version cannot be replayed.
    pub fold_version: u32,
    /// Ids of the topics that are read, by name. Each entry has them, so that the last one tells.
    pub topics: Arc<BTreeMap<String, String>>,
}

/// One epoch's entry.
#[derive(Debug)]
pub struct Entry {
    /// Who wrote it.
    pub header: Header,
    /// What was folded, in order.
    pub items: Vec<JournalItem>,
}

/// An item, and the records that the entry carries for it.
#[derive(Debug)]
pub struct JournalItem {
    /// The item.
    pub item: Item,
    /// The records of a slice of a compacted topic, which may forget them.
    pub carried: Option<OwnedMessages>,
}

impl JournalItem {
    /// An item that carries nothing.
    pub fn of(item: Item) -> Self {
        Self { item, carried: None }
    }
}

impl Entry {
    /// The owner that the entry leaves behind: `None` after a clean end.
    pub fn owner(&self) -> Option<&InstanceName> {
        let said = self.items.iter().rev().find_map(|it| match &it.item {
            Item::Owner(owner) => Some(owner.as_ref()),
            _ => None,
        });
        said.unwrap_or(Some(&self.header.instance))
    }

    /// Whether it only says who owns the project: nothing is folded with it.
    pub(crate) fn is_renewal(&self) -> bool {
        self.items.iter().all(|it| matches!(it.item, Item::Owner(_)))
    }

    /// The entry's bytes.
    ///
    /// # Errors
    /// [`JournalError::Encode`]: our bug.
    pub fn to_bytes(&self) -> Result<Vec<u8>, JournalError> {
        format::encode(self)
    }

    /// Reads an entry's bytes.
    ///
    /// # Errors
    /// [`JournalError::Version`] for an entry of a newer engine; [`JournalError::Corrupt`] for
    /// bytes that are no entry.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, JournalError> {
        format::decode(bytes)
    }
}

/// What is wrong with an entry.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The entry was written by another version of the engine.
    #[error(
        "the journal entry has format {found}, this engine reads {FORMAT_VERSION}: use the engine that wrote it, or start with `--fresh`"
    )]
    Version {
        /// The entry's format.
        found: u64,
    },
    /// The bytes are no entry.
    #[error("a journal entry cannot be read: {detail}")]
    Corrupt {
        /// Why not.
        detail: String,
    },
    /// The entry cannot be written: our bug.
    #[error("a journal entry cannot be written")]
    Encode {
        /// What the encoder said.
        source: serde_json::Error,
    },
}

#[cfg(test)]
mod tests;
