//! The header of a record batch (format 2), the markers that end transactions, and the times
//! inside a batch.
//!
//! The broker stores batches as they arrive and reads their headers only; the one exception is
//! the search for an offset by time, which looks at the records of a single batch.
//!
//! # Source
//! Record batch and control record layouts of the Apache Kafka protocol guide.

/// Bytes before the records.
pub(crate) const HEADER_BYTES: usize = 61;

/// Bytes before the part that `length` counts: base offset and the length itself.
const LENGTH_END: usize = 12;

/// Where the checksummed part starts.
const CHECKED_FROM: usize = 21;

/// The only record format that is spoken; older ones have no producer ids.
const MAGIC: u8 = 2;

const ATTRIBUTE_COMPRESSION: i16 = 0b111;
const ATTRIBUTE_LOG_APPEND_TIME: i16 = 1 << 3;
const ATTRIBUTE_TRANSACTIONAL: i16 = 1 << 4;
const ATTRIBUTE_CONTROL: i16 = 1 << 5;

/// What the broker wants to know about a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub(crate) base_offset: i64,
    /// Bytes of the whole batch, header included.
    pub(crate) bytes: usize,
    pub(crate) attributes: i16,
    pub(crate) last_offset_delta: i32,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    pub(crate) record_count: i32,
}

/// Why bytes are no batch header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadHeader {
    /// Fewer bytes than a header, or than the batch claims to have.
    Short,
    /// A record format of before 2017.
    OldFormat,
    /// Lengths or counts that cannot be.
    Nonsense,
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`, which need not hold the whole batch.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, BadHeader> {
        let header = bytes.first_chunk::<HEADER_BYTES>().ok_or(BadHeader::Short)?;
        if header[16] != MAGIC {
            return Err(BadHeader::OldFormat);
        }
        let length = usize::try_from(i32::from_be_bytes(part(header, 8)))
            .map_err(|_negative| BadHeader::Nonsense)?;
        let read = Self {
            base_offset: i64::from_be_bytes(part(header, 0)),
            bytes: length + LENGTH_END,
            attributes: i16::from_be_bytes(part(header, 21)),
            last_offset_delta: i32::from_be_bytes(part(header, 23)),
            base_timestamp: i64::from_be_bytes(part(header, 27)),
            max_timestamp: i64::from_be_bytes(part(header, 35)),
            producer_id: i64::from_be_bytes(part(header, 43)),
            producer_epoch: i16::from_be_bytes(part(header, 51)),
            base_sequence: i32::from_be_bytes(part(header, 53)),
            record_count: i32::from_be_bytes(part(header, 57)),
        };
        let is_sound =
            read.bytes >= HEADER_BYTES && read.last_offset_delta >= 0 && read.base_offset >= 0;
        if is_sound { Ok(read) } else { Err(BadHeader::Nonsense) }
    }

    /// Offset of the last record.
    pub(crate) fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// Sequence number of the last record; numbers wrap to zero.
    pub(crate) fn last_sequence(&self) -> i32 {
        sequence_after(self.base_sequence, self.last_offset_delta)
    }

    pub(crate) fn is_transactional(&self) -> bool {
        self.attributes & ATTRIBUTE_TRANSACTIONAL != 0
    }

    pub(crate) fn is_control(&self) -> bool {
        self.attributes & ATTRIBUTE_CONTROL != 0
    }

    /// Code of the compression: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    pub(crate) fn compression(&self) -> i16 {
        self.attributes & ATTRIBUTE_COMPRESSION
    }

    pub(crate) fn is_log_append_time(&self) -> bool {
        self.attributes & ATTRIBUTE_LOG_APPEND_TIME != 0
    }
}

/// `count` numbers after `sequence`, in the ring of the non-negative 32-bit numbers.
pub(crate) fn sequence_after(sequence: i32, count: i32) -> i32 {
    sequence.wrapping_add(count) & i32::MAX
}

/// A fixed-size part of a header; `N` bytes from `from` always lie inside it.
fn part<const N: usize>(header: &[u8; HEADER_BYTES], from: usize) -> [u8; N] {
    header.get(from..).and_then(<[u8]>::first_chunk::<N>).copied().unwrap_or([0; N])
}

/// Whether the batch's checksum is right; `batch` is the whole batch.
pub(crate) fn is_intact(batch: &[u8]) -> bool {
    match (batch.first_chunk::<HEADER_BYTES>(), batch.get(CHECKED_FROM..)) {
        (Some(header), Some(checked)) => {
            u32::from_be_bytes(part(header, 17)) == crc32c::crc32c(checked)
        }
        _ => false,
    }
}

/// The first bytes of a batch as they are stored: with its offset and leader epoch 0. Neither is
/// under the checksum.
pub(crate) fn stored_prefix(header: &BatchHeader) -> [u8; 16] {
    let length = i32::try_from(header.bytes - LENGTH_END).unwrap_or(i32::MAX);
    let mut prefix = [0; 16];
    prefix[..8].copy_from_slice(&header.base_offset.to_be_bytes());
    prefix[8..12].copy_from_slice(&length.to_be_bytes());
    prefix
}

/// A copy of `batch` that says it was appended at `now_ms`, with its new checksum.
pub(crate) fn with_append_time(batch: &[u8], now_ms: i64) -> Vec<u8> {
    let mut stamped = batch.to_vec();
    if let Some(header) = stamped.first_chunk_mut::<HEADER_BYTES>() {
        let attributes = i16::from_be_bytes(part(header, 21)) | ATTRIBUTE_LOG_APPEND_TIME;
        header[21..23].copy_from_slice(&attributes.to_be_bytes());
        header[35..43].copy_from_slice(&now_ms.to_be_bytes());
    }
    seal(&mut stamped);
    stamped
}

fn seal(batch: &mut [u8]) {
    let crc = crc32c::crc32c(batch.get(CHECKED_FROM..).unwrap_or_default());
    if let Some(place) = batch.get_mut(17..21) {
        place.copy_from_slice(&crc.to_be_bytes());
    }
}

/// The one record of a control batch, after its length: no attributes, both deltas 0, a key of
/// four bytes (version 0, type), a value of six (version 0, coordinator epoch 0), no headers.
const MARKER_RECORD: [u8; 17] = [32, 0, 0, 0, 8, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0];

/// Where in the batch the marker's type stands.
const MARKER_TYPE_AT: usize = HEADER_BYTES + 8;

/// The batch that ends `producer_id`'s transaction in a partition.
pub(crate) fn marker(producer_id: i64, epoch: i16, is_commit: bool, now_ms: i64) -> Vec<u8> {
    let mut batch = Vec::with_capacity(HEADER_BYTES + MARKER_RECORD.len());
    let attributes = ATTRIBUTE_TRANSACTIONAL | ATTRIBUTE_CONTROL;
    let length = i32::try_from(HEADER_BYTES - LENGTH_END + MARKER_RECORD.len()).unwrap_or(i32::MAX);
    batch.extend_from_slice(&0_i64.to_be_bytes());
    batch.extend_from_slice(&length.to_be_bytes());
    batch.extend_from_slice(&0_i32.to_be_bytes());
    batch.push(MAGIC);
    batch.extend_from_slice(&0_u32.to_be_bytes());
    batch.extend_from_slice(&attributes.to_be_bytes());
    batch.extend_from_slice(&0_i32.to_be_bytes());
    batch.extend_from_slice(&now_ms.to_be_bytes());
    batch.extend_from_slice(&now_ms.to_be_bytes());
    batch.extend_from_slice(&producer_id.to_be_bytes());
    batch.extend_from_slice(&epoch.to_be_bytes());
    batch.extend_from_slice(&(-1_i32).to_be_bytes());
    batch.extend_from_slice(&1_i32.to_be_bytes());
    batch.extend_from_slice(&MARKER_RECORD);
    if let Some(kind) = batch.get_mut(MARKER_TYPE_AT) {
        *kind = u8::from(is_commit);
    }
    seal(&mut batch);
    batch
}

/// Whether a control batch commits (`Some(true)`), aborts (`Some(false)`) or is something else.
pub(crate) fn marker_type(batch: &[u8]) -> Option<bool> {
    match *batch.get(MARKER_TYPE_AT - 1..=MARKER_TYPE_AT)? {
        [0, 0] => Some(false),
        [0, 1] => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
