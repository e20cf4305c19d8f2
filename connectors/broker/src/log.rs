//! The log of one partition: segments of batches, what producers did, and where it starts.
//!
//! **Invariant:** offsets are dense in batches: each batch's base offset is the end offset before
//! it. **Invariant:** what a reader is shown ends at a batch boundary. A checkpoint says what a
//! scan up to some place would find, so that opening reads the tail only.
//!
//! Absent: retention by time or size and compaction (`topic_config.rs` tells who asks for them).

pub(crate) mod batch;
pub(crate) mod index;
pub(crate) mod producers;
pub(crate) mod recover;
pub(crate) mod segment;
pub(crate) mod times;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::files::{self, Durability};
use crate::format::{AbortedEntry, CheckpointFile, FORMAT_VERSION};
use batch::BatchHeader;
use producers::{Producers, Verdict};
use segment::{Segment, Walk};

/// Bytes appended to a partition between two checkpoints: what a start after a crash scans.
const CHECKPOINT_BYTES: u64 = 16 * 1024 * 1024;

/// The log of one partition.
#[derive(Debug)]
pub(crate) struct Log {
    folder: PathBuf,
    durability: Durability,
    /// In order of offsets; only the last one is written to. Empty before the first batch.
    segments: Vec<Segment>,
    start_offset: i64,
    end_offset: i64,
    producers: Producers,
    aborted: Vec<AbortedEntry>,
    /// Bytes behind the last checkpoint.
    unchecked_bytes: u64,
    /// Where the scan of a start begins: (segment, position in it), from the checkpoint.
    scanned_until: (usize, u64),
    has_unsynced: bool,
}

/// Where batches can be read, outside the log's lock.
#[derive(Debug)]
pub(crate) struct Stretch {
    pub(crate) file: Arc<File>,
    /// Start of a batch at or before the one looked for.
    pub(crate) position: u64,
    /// End of the segment's batches.
    pub(crate) end: u64,
}

/// Offset before the log's start or after its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutOfRange;

impl Log {
    /// An empty log in a new folder.
    pub(crate) fn create(folder: PathBuf, durability: Durability) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self::empty(folder, durability))
    }

    fn empty(folder: PathBuf, durability: Durability) -> Self {
        Self {
            folder,
            durability,
            segments: Vec::new(),
            start_offset: 0,
            end_offset: 0,
            producers: Producers::default(),
            aborted: Vec::new(),
            unchecked_bytes: 0,
            scanned_until: (0, 0),
            has_unsynced: false,
        }
    }

    /// First offset that can be read.
    pub(crate) fn start_offset(&self) -> i64 {
        self.start_offset
    }

    /// Offset of the next record.
    pub(crate) fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// End of what committed readers see: the start of the oldest open transaction, else the end.
    pub(crate) fn stable_offset(&self) -> i64 {
        self.producers.first_open().unwrap_or(self.end_offset)
    }

    /// Judges a batch of an idempotent producer.
    pub(crate) fn judge(&self, header: &BatchHeader) -> Verdict {
        if header.producer_id < 0 { Verdict::Append } else { self.producers.judge(header) }
    }

    /// (producer id, epoch, first offset) of each open transaction.
    pub(crate) fn open_transactions(&self) -> Vec<(i64, i16, i64)> {
        self.producers.open()
    }

    /// Transactions aborted in [from, to), oldest first.
    pub(crate) fn aborted_between(&self, from: i64, to: i64) -> Vec<AbortedEntry> {
        let overlaps =
            |entry: &&AbortedEntry| entry.marker_offset >= from && entry.first_offset < to;
        self.aborted.iter().filter(overlaps).copied().collect()
    }

    /// Appends a batch, checked before; returns the offset it got. On failure nothing changed.
    ///
    /// # Errors
    /// What the file system says: a full disk, most likely.
    pub(crate) fn append(
        &mut self,
        mut header: BatchHeader,
        batch: &[u8],
        segment_bytes: u64,
        now_ms: i64,
    ) -> io::Result<i64> {
        header.base_offset = self.end_offset;
        self.roll_if_full(header.bytes as u64, segment_bytes)?;
        let Some(active) = self.segments.last_mut() else {
            return Err(io::Error::other("a log without a segment"));
        };
        active.append(&header, batch)?;
        self.apply(&header, batch, now_ms);
        self.has_unsynced = true;
        self.unchecked_bytes += header.bytes as u64;
        if self.unchecked_bytes >= CHECKPOINT_BYTES
            && let Err(error) = self.checkpoint()
        {
            // The batch is stored; only the next start scans more.
            tracing::warn!(folder = %self.folder.display(), %error, "no checkpoint");
        }
        Ok(header.base_offset)
    }

    /// What a batch does to the state beside the files; used by appending and by recovery alike.
    fn apply(&mut self, header: &BatchHeader, batch: &[u8], now_ms: i64) {
        self.end_offset = header.last_offset() + 1;
        if !header.is_control() {
            self.producers.appended(header, now_ms);
        } else if let Some(is_commit) = batch::marker_type(batch) {
            self.aborted.extend(self.producers.ended(header, is_commit));
        }
    }

    fn roll_if_full(&mut self, more: u64, segment_bytes: u64) -> io::Result<()> {
        match self.segments.last_mut() {
            Some(active) if active.bytes == 0 || active.bytes + more <= segment_bytes => {
                return Ok(());
            }
            Some(active) => {
                // Later only the new segment is handed to the disk.
                if self.durability == Durability::Power {
                    active.sync()?;
                }
                active.seal()?;
            }
            None => {}
        }
        let next = Segment::create(&self.folder, self.end_offset)?;
        files::sync_folder_of(&self.folder.join("next"), self.durability)?;
        self.segments.push(next);
        Ok(())
    }

    /// Hands everything written to the disk.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if self.has_unsynced {
            self.segments.last().map_or(Ok(()), Segment::sync)?;
            self.has_unsynced = false;
        }
        Ok(())
    }

    /// Where to read for `offset`; `None` if nothing is there yet.
    pub(crate) fn locate(
        &mut self,
        offset: i64,
    ) -> io::Result<Result<Option<Stretch>, OutOfRange>> {
        if offset < self.start_offset || offset > self.end_offset {
            return Ok(Err(OutOfRange));
        }
        if offset == self.end_offset {
            return Ok(Ok(None));
        }
        let after = self.segments.partition_point(|segment| segment.base_offset <= offset);
        let Some(segment) = after.checked_sub(1).and_then(|at| self.segments.get_mut(at)) else {
            return Ok(Err(OutOfRange));
        };
        let position = segment.index()?.position_before(offset);
        let file = segment.reader()?;
        Ok(Ok(Some(Stretch { file, position, end: segment.bytes })))
    }

    /// About how many bytes there are from `offset` to the end; never zero if there are any.
    pub(crate) fn bytes_from(&mut self, offset: i64) -> io::Result<u64> {
        if offset >= self.end_offset {
            return Ok(0);
        }
        let mut bytes = 0;
        for segment in self.segments.iter_mut().rev() {
            if segment.base_offset <= offset {
                let position = segment.index()?.position_before(offset);
                return Ok(bytes + segment.bytes.saturating_sub(position));
            }
            bytes += segment.bytes;
        }
        Ok(bytes)
    }

    /// Forgets what lies before `offset`; whole segments leave the disk.
    pub(crate) fn delete_before(&mut self, offset: i64) -> io::Result<()> {
        if offset <= self.start_offset {
            return Ok(());
        }
        self.start_offset = offset;
        self.aborted.retain(|entry| entry.marker_offset >= offset);
        // The new start is on disk before the segments leave it.
        self.checkpoint()?;
        while let [first, second, ..] = self.segments.as_slice() {
            if second.base_offset > offset {
                break;
            }
            first.delete()?;
            self.segments.remove(0);
        }
        Ok(())
    }

    /// Writes down what a scan up to here would find.
    pub(crate) fn checkpoint(&mut self) -> io::Result<()> {
        if self.durability == Durability::Power {
            // A checkpoint must not know of batches that power can take away.
            self.sync()?;
        }
        if let Some(active) = self.segments.last() {
            active.save_index()?;
        }
        let file = CheckpointFile {
            version: FORMAT_VERSION,
            segment: self.segments.last().map_or(0, |segment| segment.base_offset),
            position: self.segments.last().map_or(0, |segment| segment.bytes),
            start_offset: self.start_offset,
            end_offset: self.end_offset,
            producers: self.producers.to_entries(),
            aborted: self.aborted.clone(),
        };
        files::replace_json(&checkpoint_path(&self.folder), &file, self.durability)?;
        self.unchecked_bytes = 0;
        Ok(())
    }

    /// An orderly end: after it, opening scans nothing.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        if self.unchecked_bytes > 0 { self.checkpoint() } else { Ok(()) }
    }
}

fn checkpoint_path(folder: &Path) -> PathBuf {
    folder.join("checkpoint.json")
}

/// A walk over a stretch.
pub(crate) fn walk(stretch: &Stretch) -> Walk {
    Walk::new(Arc::clone(&stretch.file), stretch.position, stretch.end)
}

#[cfg(test)]
mod tests;
