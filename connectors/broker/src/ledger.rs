//! The coordinator's log: producer ids, decided transactions and committed offsets.
//!
//! One file, because a transaction's decision and the offsets it commits must become true
//! together. The ledger keeps the state that its records add up to, and writes itself anew when
//! the file has grown far beyond that state.
//!
//! **Invariant:** what [`Ledger::append`] returned `Ok` for is in the file, whole; a torn last
//! record is cut off at the next start, where nobody has been told of it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tracing::warn;

use crate::error::{AtPath, BrokerError};
use crate::files::{self, Durability};
use crate::format::{
    Decision, FORMAT_VERSION, LedgerRecord, OffsetEntry, OffsetKey, TransactionalProducer,
};

/// Size from which the file is written anew if most of it is superseded.
const REWRITE_BYTES: u64 = 8 * 1024 * 1024;

/// Producer ids that are taken at a time, so that not every one needs a record.
const PRODUCER_IDS_BLOCK: i64 = 1_000;

/// Offsets of all groups together.
const OFFSETS_MAX: usize = 1_000_000;

/// The state that the ledger's records add up to.
#[derive(Debug, Default)]
pub(crate) struct LedgerState {
    next_producer_id: i64,
    reserved_producer_id: i64,
    producers: BTreeMap<String, TransactionalProducer>,
    /// The last decision of each transactional id.
    decisions: BTreeMap<String, Decision>,
    offsets: BTreeMap<OffsetKey, OffsetEntry>,
}

/// The file and its state.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// Bytes of the file when it was last written anew.
    bytes_anew: u64,
    durability: Durability,
    state: LedgerState,
}

impl Ledger {
    /// Opens or creates the ledger at `path`; with [`Durability::Power`] every
    /// record reaches the disk before it counts.
    pub(crate) fn open(path: PathBuf, durability: Durability) -> Result<Self, BrokerError> {
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error).at("read", &path),
        };
        let mut state = LedgerState::default();
        let good = read_records(&path, &bytes, &mut state)?;
        state.next_producer_id = state.reserved_producer_id;
        let file = OpenOptions::new().append(true).create(true).open(&path).at("open", &path)?;
        if good < bytes.len() {
            warn!(path = %path.display(), bytes = bytes.len() - good, "torn tail cut off");
            file.set_len(good as u64).at("cut", &path)?;
        }
        let good = good as u64;
        let mut ledger = Self { path, file, bytes: good, bytes_anew: good, durability, state };
        if good == 0 {
            let path = ledger.path.clone();
            ledger.append(LedgerRecord::Version(FORMAT_VERSION)).at("write", &path)?;
            files::sync_folder_of(&path, durability).at("write", &path)?;
        }
        Ok(ledger)
    }

    /// Writes a record and makes it true.
    pub(crate) fn append(&mut self, record: LedgerRecord) -> io::Result<()> {
        let framed = frame(&record)?;
        let written = self.file.write_all(&framed).and_then(|()| match self.durability {
            Durability::Process => Ok(()),
            Durability::Power => self.file.sync_data(),
        });
        if let Err(error) = written {
            self.file.set_len(self.bytes)?;
            return Err(error);
        }
        self.bytes += framed.len() as u64;
        self.state.apply(record);
        if self.bytes > REWRITE_BYTES && self.bytes > 4 * self.bytes_anew {
            // The record is in the file already, which goes on growing if this fails.
            if let Err(error) = self.write_anew() {
                warn!(path = %self.path.display(), %error, "not written anew");
            }
        }
        Ok(())
    }

    /// A producer id that nobody has.
    pub(crate) fn next_producer_id(&mut self) -> io::Result<i64> {
        if self.state.next_producer_id >= self.state.reserved_producer_id {
            let reserved = self.state.next_producer_id + PRODUCER_IDS_BLOCK;
            self.append(LedgerRecord::ProducerIds(reserved))?;
        }
        let id = self.state.next_producer_id;
        self.state.next_producer_id += 1;
        Ok(id)
    }

    /// The owners of all transactional ids.
    pub(crate) fn producers(&self) -> Vec<TransactionalProducer> {
        self.state.producers.values().cloned().collect()
    }

    /// The last decision of each transactional id.
    pub(crate) fn decisions(&self) -> Vec<Decision> {
        self.state.decisions.values().cloned().collect()
    }

    /// One committed offset.
    pub(crate) fn offset(&self, key: &OffsetKey) -> Option<&OffsetEntry> {
        self.state.offsets.get(key)
    }

    /// All committed offsets of a group.
    pub(crate) fn offsets_of(&self, group: &str) -> Vec<OffsetEntry> {
        let first =
            OffsetKey { group: group.to_owned(), topic: String::new(), partition: i32::MIN };
        let of_group = self.state.offsets.range(first..).take_while(|(key, _)| key.group == group);
        of_group.map(|(_, entry)| entry.clone()).collect()
    }

    /// Names of the groups that have offsets.
    pub(crate) fn groups(&self) -> Vec<String> {
        let mut groups: Vec<String> =
            self.state.offsets.keys().map(|key| key.group.clone()).collect();
        groups.dedup();
        groups
    }

    /// Whether so many more offsets may be committed.
    pub(crate) fn has_room(&self, more: usize) -> bool {
        self.state.offsets.len().saturating_add(more) <= OFFSETS_MAX
    }

    /// Forgets the offsets of a deleted topic.
    pub(crate) fn forget_topic(&mut self, topic: &str) -> io::Result<()> {
        let keys: Vec<OffsetKey> =
            self.state.offsets.keys().filter(|key| key.topic == topic).cloned().collect();
        if keys.is_empty() { Ok(()) } else { self.append(LedgerRecord::OffsetsDeleted(keys)) }
    }

    /// Writes the state alone to a new file and puts it in the old one's place.
    fn write_anew(&mut self) -> io::Result<()> {
        let mut bytes = Vec::new();
        for record in self.state.to_records() {
            bytes.extend(frame(&record)?);
        }
        let next = self.path.with_extension("next");
        fs::write(&next, &bytes)?;
        let file = OpenOptions::new().append(true).open(&next)?;
        if self.durability == Durability::Power {
            file.sync_all()?;
        }
        fs::rename(&next, &self.path)?;
        // From here on the old file has no name: nothing may be written to it any more.
        self.file = file;
        self.bytes = bytes.len() as u64;
        self.bytes_anew = self.bytes;
        files::sync_folder_of(&self.path, self.durability)
    }
}

impl LedgerState {
    fn apply(&mut self, record: LedgerRecord) {
        match record {
            LedgerRecord::Version(_) => {}
            LedgerRecord::ProducerIds(reserved) => self.reserved_producer_id = reserved,
            LedgerRecord::Producer(producer) => {
                self.producers.insert(producer.transactional_id.clone(), producer);
            }
            LedgerRecord::Committed(mut decision) => {
                self.set_offsets(std::mem::take(&mut decision.offsets));
                self.decisions.insert(decision.transactional_id.clone(), decision);
            }
            LedgerRecord::Offsets(offsets) => self.set_offsets(offsets),
            LedgerRecord::OffsetsDeleted(keys) => {
                for key in &keys {
                    self.offsets.remove(key);
                }
            }
            LedgerRecord::GroupDeleted(group) => self.offsets.retain(|key, _| key.group != group),
        }
    }

    fn set_offsets(&mut self, offsets: Vec<OffsetEntry>) {
        for entry in offsets {
            self.offsets.insert(entry.key.clone(), entry);
        }
    }

    fn to_records(&self) -> Vec<LedgerRecord> {
        let mut records = vec![
            LedgerRecord::Version(FORMAT_VERSION),
            LedgerRecord::ProducerIds(self.reserved_producer_id),
        ];
        records.extend(self.producers.values().cloned().map(LedgerRecord::Producer));
        records.extend(self.decisions.values().cloned().map(LedgerRecord::Committed));
        if !self.offsets.is_empty() {
            records.push(LedgerRecord::Offsets(self.offsets.values().cloned().collect()));
        }
        records
    }
}

/// A record in the file: length and checksum (both little-endian, of the text), then its JSON.
fn frame(record: &LedgerRecord) -> io::Result<Vec<u8>> {
    let text = serde_json::to_vec(record).map_err(io::Error::from)?;
    let length = u32::try_from(text.len()).map_err(io::Error::other)?;
    let mut framed = Vec::with_capacity(text.len() + 8);
    framed.extend_from_slice(&length.to_le_bytes());
    framed.extend_from_slice(&crc32c::crc32c(&text).to_le_bytes());
    framed.extend_from_slice(&text);
    Ok(framed)
}

/// Applies all whole records of `bytes`; returns where the last one ends.
fn read_records(path: &Path, bytes: &[u8], state: &mut LedgerState) -> Result<usize, BrokerError> {
    let mut rest = bytes;
    while let Some((text, after)) = next_text(rest) {
        let damaged = |reason: String| BrokerError::Damaged { path: path.to_owned(), reason };
        // The checksum held: a text that cannot be read was written by another version.
        let record: LedgerRecord =
            serde_json::from_slice(text).map_err(|error| damaged(error.to_string()))?;
        if let LedgerRecord::Version(version) = &record
            && *version != FORMAT_VERSION
        {
            return Err(damaged(format!("version {version} instead of {FORMAT_VERSION}")));
        }
        state.apply(record);
        rest = after;
    }
    Ok(bytes.len() - rest.len())
}

fn next_text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (text, after) = rest.split_at_checked(length)?;
    // A file that grew but was never filled ends in zeros: an empty text with the right checksum.
    let is_whole = length > 0 && crc32c::crc32c(text) == u32::from_le_bytes(*crc);
    is_whole.then_some((text, after))
}

#[cfg(test)]
mod tests;
