//! The sparse index of a segment: where to start reading for an offset or a time.
//!
//! One entry for each [`INTERVAL_BYTES`] of batches. It is a shortcut only: a missing or damaged
//! index file is built again from the batch headers.

use std::fs;
use std::io;
use std::path::Path;

use super::batch::BatchHeader;

/// Bytes of batches that one entry stands for: a reader walks at most so much too far.
const INTERVAL_BYTES: u64 = 16 * 1024;

const ENTRY_BYTES: usize = 24;
const MAGIC: [u8; 8] = *b"eng.idx1";

/// A region of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Offset of the first record of the region.
    pub(crate) offset: i64,
    /// Where the region starts in the file.
    pub(crate) position: u64,
    /// Greatest record timestamp of the region.
    pub(crate) max_timestamp: i64,
}

/// The regions of one segment, in order.
#[derive(Debug, Default)]
pub(crate) struct Index {
    entries: Vec<Entry>,
    /// Bytes of the segment that the entries cover.
    covered: u64,
}

impl Index {
    /// Bytes of the segment that are covered.
    pub(crate) fn covered(&self) -> u64 {
        self.covered
    }

    /// Adds the batch that follows the covered part.
    pub(crate) fn add(&mut self, header: &BatchHeader) {
        let position = self.covered;
        match self.entries.last_mut() {
            Some(last) if position - last.position < INTERVAL_BYTES => {
                last.max_timestamp = last.max_timestamp.max(header.max_timestamp);
            }
            _ => self.entries.push(Entry {
                offset: header.base_offset,
                position,
                max_timestamp: header.max_timestamp,
            }),
        }
        self.covered += header.bytes as u64;
    }

    /// Where to start walking to find the batch that holds `offset`.
    pub(crate) fn position_before(&self, offset: i64) -> u64 {
        let after = self.entries.partition_point(|entry| entry.offset <= offset);
        after.checked_sub(1).and_then(|at| self.entries.get(at)).map_or(0, |entry| entry.position)
    }

    /// Where the first region starts that has a record at or after `timestamp`.
    pub(crate) fn position_at_time(&self, timestamp: i64) -> Option<u64> {
        self.entries.iter().find(|e| e.max_timestamp >= timestamp).map(|entry| entry.position)
    }

    /// Greatest timestamp of the segment, and where its region starts.
    pub(crate) fn latest(&self) -> Option<Entry> {
        let mut latest: Option<Entry> = None;
        for entry in &self.entries {
            if latest.is_none_or(|found| entry.max_timestamp > found.max_timestamp) {
                latest = Some(*entry);
            }
        }
        latest
    }

    /// Writes the index beside its segment.
    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(20 + self.entries.len() * ENTRY_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&self.covered.to_le_bytes());
        for entry in &self.entries {
            bytes.extend_from_slice(&entry.offset.to_le_bytes());
            bytes.extend_from_slice(&entry.position.to_le_bytes());
            bytes.extend_from_slice(&entry.max_timestamp.to_le_bytes());
        }
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        fs::write(path, bytes)
    }

    /// Reads an index file; `None` if it is missing or damaged.
    pub(crate) fn load(path: &Path) -> Option<Self> {
        let bytes = fs::read(path).ok()?;
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        if u32::from_le_bytes(*crc) != crc32c::crc32c(body) {
            return None;
        }
        let (magic, rest) = body.split_first_chunk::<8>()?;
        let (covered, rest) = rest.split_first_chunk::<8>()?;
        if *magic != MAGIC || rest.len() % ENTRY_BYTES != 0 {
            return None;
        }
        let mut entries = Vec::with_capacity(rest.len() / ENTRY_BYTES);
        let mut left = rest;
        while let Some((offset, after)) = left.split_first_chunk::<8>() {
            let (position, after) = after.split_first_chunk::<8>()?;
            let (max_timestamp, after) = after.split_first_chunk::<8>()?;
            entries.push(Entry {
                offset: i64::from_le_bytes(*offset),
                position: u64::from_le_bytes(*position),
                max_timestamp: i64::from_le_bytes(*max_timestamp),
            });
            left = after;
        }
        Some(Self { entries, covered: u64::from_le_bytes(*covered) })
    }
}
