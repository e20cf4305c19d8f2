//! Which offset a time belongs to: the first record at or after it.
//!
//! The index finds the region, the headers find the batch, and the batch itself, decompressed
//! within a limit, has the record. A batch that cannot be opened answers with its first offset.

use std::io::{self, Read};

use super::batch::{BatchHeader, HEADER_BYTES};
use super::{Log, Stretch, walk};

/// Greatest size to which one batch is decompressed to look for a time.
const DECOMPRESSED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A record's timestamp and offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimedOffset {
    pub(crate) timestamp: i64,
    pub(crate) offset: i64,
}

impl Log {
    /// The first record at or after `timestamp`.
    pub(crate) fn offset_at_time(&mut self, timestamp: i64) -> io::Result<Option<TimedOffset>> {
        let start = self.start_offset;
        for segment in &mut self.segments {
            let Some(position) = segment.index()?.position_at_time(timestamp) else { continue };
            let stretch = Stretch { file: segment.reader()?, position, end: segment.bytes };
            let found = first_record(&stretch, start, |record| record.timestamp >= timestamp)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The record with the greatest timestamp, the first of them.
    pub(crate) fn latest_by_time(&mut self) -> io::Result<Option<TimedOffset>> {
        let mut latest: Option<(i64, Stretch)> = None;
        for segment in &mut self.segments {
            let Some(entry) = segment.index()?.latest() else { continue };
            if latest.as_ref().is_none_or(|(time, _)| entry.max_timestamp > *time) {
                let (file, end) = (segment.reader()?, segment.bytes);
                latest =
                    Some((entry.max_timestamp, Stretch { file, position: entry.position, end }));
            }
        }
        let Some((time, stretch)) = latest else { return Ok(None) };
        first_record(&stretch, self.start_offset, |record| record.timestamp >= time)
    }
}

/// The first record from offset `start` on for which `is_wanted` holds.
fn first_record(
    stretch: &Stretch,
    start: i64,
    is_wanted: impl Fn(TimedOffset) -> bool,
) -> io::Result<Option<TimedOffset>> {
    let mut walk = walk(stretch);
    while let Some((header, at)) = walk.next_header()? {
        let newest = TimedOffset { timestamp: header.max_timestamp, offset: header.last_offset() };
        if header.is_control() || newest.offset < start || !is_wanted(newest) {
            continue;
        }
        let records = records_of(&header, walk.batch(&header, at)?);
        let wanted = |record: &TimedOffset| record.offset >= start && is_wanted(*record);
        if let Some(found) = records.into_iter().find(wanted) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Times and offsets of a batch's records; one record with the batch's own if it cannot be read.
fn records_of(header: &BatchHeader, batch: &[u8]) -> Vec<TimedOffset> {
    let whole = TimedOffset { timestamp: header.max_timestamp, offset: header.base_offset };
    if header.is_log_append_time() {
        return vec![whole];
    }
    let packed = batch.get(HEADER_BYTES..).unwrap_or_default();
    let read = match header.compression() {
        0 => read_records(header, packed),
        code => decompress(code, packed).and_then(|bytes| read_records(header, &bytes)),
    };
    read.unwrap_or_else(|| vec![whole])
}

fn decompress(code: i16, packed: &[u8]) -> Option<Vec<u8>> {
    match code {
        1 => limited(flate2::read::MultiGzDecoder::new(packed)),
        2 => unsnap(packed),
        3 => limited(lz4_flex::frame::FrameDecoder::new(packed)),
        4 => limited(zstd::stream::read::Decoder::new(packed).ok()?),
        _ => None,
    }
}

fn limited(reader: impl Read) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = reader.take(DECOMPRESSED_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    ((read as u64) < DECOMPRESSED_BYTES_MAX).then_some(bytes)
}

/// Snappy as Kafka's clients write it: in the blocks of the Java library's stream, or plain.
fn unsnap(packed: &[u8]) -> Option<Vec<u8>> {
    const STREAM_MAGIC: &[u8] = b"\x82SNAPPY\0";
    const STREAM_HEADER_BYTES: usize = 16;
    if !packed.starts_with(STREAM_MAGIC) {
        return unsnap_block(packed);
    }
    let mut bytes = Vec::new();
    let mut rest = packed.get(STREAM_HEADER_BYTES..)?;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (block, after) = after.split_at_checked(length)?;
        bytes.extend(unsnap_block(block)?);
        if bytes.len() as u64 > DECOMPRESSED_BYTES_MAX {
            return None;
        }
        rest = after;
    }
    Some(bytes)
}

fn unsnap_block(block: &[u8]) -> Option<Vec<u8>> {
    let length = snap::raw::decompress_len(block).ok()?;
    if length as u64 > DECOMPRESSED_BYTES_MAX {
        return None;
    }
    snap::raw::Decoder::new().decompress_vec(block).ok()
}

/// Reads the front of each record: its length, attributes, and the two deltas.
fn read_records(header: &BatchHeader, bytes: &[u8]) -> Option<Vec<TimedOffset>> {
    let mut records = Vec::new();
    let mut rest = bytes;
    for _ in 0..header.record_count {
        let length = usize::try_from(varint(&mut rest)?).ok()?;
        let (mut record, after) = rest.split_at_checked(length)?;
        record = record.get(1..)?;
        let timestamp = header.base_timestamp.checked_add(varint(&mut record)?)?;
        let offset = header.base_offset.checked_add(varint(&mut record)?)?;
        records.push(TimedOffset { timestamp, offset });
        rest = after;
    }
    Some(records)
}

/// A zigzag varint of up to ten bytes.
fn varint(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0_u64;
    for shift in (0..70).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte < 0x80 {
            return Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
        }
    }
    None
}
