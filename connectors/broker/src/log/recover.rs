//! Opening a partition's log: the checkpoint, then a scan of what came after it.
//!
//! A batch that is not whole or whose checksum is wrong ends the log: it and all that follows is
//! cut off, and said. Without a usable checkpoint everything is scanned, which is slow, not wrong.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tracing::warn;

use super::batch;
use super::producers::Producers;
use super::segment::{Segment, Walk};
use super::{Log, checkpoint_path};
use crate::files::Durability;
use crate::format::{CheckpointFile, FORMAT_VERSION};

impl Log {
    /// Opens the log in `folder`, cutting off a torn tail.
    pub(crate) fn open(folder: PathBuf, durability: Durability, now_ms: i64) -> io::Result<Self> {
        let segments = find_segments(&folder)?;
        let checkpoint = read_checkpoint(&folder, &segments);
        let mut log = Self::empty(folder, durability);
        log.segments = segments;
        log.start_from(checkpoint);
        log.scan(now_ms)?;
        Ok(log)
    }

    /// Takes over what the checkpoint says, or starts before the first segment.
    fn start_from(&mut self, checkpoint: Option<CheckpointFile>) {
        let first = self.segments.first().map_or(0, |segment| segment.base_offset);
        let Some(checkpoint) = checkpoint else {
            (self.start_offset, self.end_offset) = (first, first);
            return;
        };
        self.start_offset = checkpoint.start_offset;
        self.producers = Producers::from_entries(checkpoint.producers);
        self.aborted = checkpoint.aborted;
        self.end_offset = checkpoint.end_offset;
        if let Some(at) = self.segments.iter().position(|s| s.base_offset == checkpoint.segment) {
            // Sealed segments before it are whole: they were sealed before the checkpoint.
            self.scanned_until = (at, checkpoint.position);
        }
    }

    fn scan(&mut self, now_ms: i64) -> io::Result<()> {
        let (first, mut position) = self.scanned_until;
        let mut at = first;
        while let Some(segment) = self.segments.get(at) {
            let (base_offset, bytes) = (segment.base_offset, segment.bytes);
            let is_next = position > 0 || base_offset == self.end_offset;
            let mut walk = Walk::new(segment.reader()?, position, bytes);
            let good = if is_next { self.scan_segment(&mut walk, position, now_ms)? } else { 0 };
            if good < bytes || !is_next {
                self.cut(at, good)?;
                break;
            }
            (at, position) = (at + 1, 0);
        }
        Ok(())
    }

    /// Applies the batches of one segment; returns where the last good one ends.
    fn scan_segment(&mut self, walk: &mut Walk, from: u64, now_ms: i64) -> io::Result<u64> {
        let mut good = from;
        while let Some((header, at)) = walk.next_header()? {
            let bytes = walk.batch(&header, at)?;
            if header.base_offset != self.end_offset || !batch::is_intact(bytes) {
                break;
            }
            self.apply(&header, bytes, now_ms);
            good = at + header.bytes as u64;
            self.unchecked_bytes += header.bytes as u64;
        }
        Ok(good)
    }

    /// Cuts segment `at` to its good part and removes all later ones.
    fn cut(&mut self, at: usize, good: u64) -> io::Result<()> {
        for later in self.segments.drain(at + 1..) {
            warn!(folder = %self.folder.display(), segment = later.base_offset,
                "segment behind a torn batch removed");
            later.delete()?;
        }
        if let Some(segment) = self.segments.last_mut() {
            warn!(folder = %self.folder.display(), segment = segment.base_offset,
                bytes = segment.bytes - good, end_offset = self.end_offset,
                "torn tail cut off");
            segment.truncate(good)?;
            if good == 0 {
                segment.delete()?;
                self.segments.pop();
            }
        }
        // What the checkpoint said may lie behind the cut.
        self.unchecked_bytes += 1;
        Ok(())
    }
}

/// The segment files of a folder, in order.
fn find_segments(folder: &Path) -> io::Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let base = name.to_str().and_then(|name| name.strip_suffix(".log"));
        if let Some(base_offset) = base.and_then(|digits| digits.parse::<i64>().ok()) {
            segments.push(Segment::existing(folder, base_offset, entry.metadata()?.len()));
        }
    }
    segments.sort_by_key(|segment| segment.base_offset);
    Ok(segments)
}

/// The checkpoint, if it is readable and the data it speaks of is there.
fn read_checkpoint(folder: &Path, segments: &[Segment]) -> Option<CheckpointFile> {
    let path = checkpoint_path(folder);
    let bytes = fs::read(&path).ok()?;
    let checkpoint: Option<CheckpointFile> = serde_json::from_slice(&bytes).ok();
    let fits = checkpoint.filter(|checkpoint| {
        let is_empty = segments.is_empty() && checkpoint.position == 0;
        let is_there = segments.iter().any(|segment| {
            segment.base_offset == checkpoint.segment && segment.bytes >= checkpoint.position
        });
        checkpoint.version == FORMAT_VERSION && (is_empty || is_there)
    });
    if fits.is_none() {
        warn!(path = %path.display(), "checkpoint does not fit the segments: scanning all");
    }
    fits
}
