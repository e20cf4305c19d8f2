//! One table of an operator's state, in memory and as an Arrow IPC file.

use std::panic::catch_unwind;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::convert::fb_to_schema;
use arrow::ipc::reader::{FileDecoder, read_footer_length};
use arrow::ipc::writer::FileWriter;
use arrow::ipc::{Block, root_as_footer};
use bytes::Bytes;

/// One named table of an operator's state.
///
/// # Shape
/// All batches have `schema`; their order is the order in which the operator restores them. A table
/// may have no batches. Tables keyed by groups carry each key's 64-bit hash in a column `_hash`
/// (UInt64, not null), so that sharding can split them.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Unique within the operator, e.g. `groups`.
    pub name: String,
    /// Columns of every batch.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
}

impl Table {
    /// A table of one batch.
    pub fn of(name: &str, batch: RecordBatch) -> Self {
        Self { name: name.to_owned(), schema: batch.schema(), batches: vec![batch] }
    }

    /// Number of rows in all batches.
    pub fn row_count(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The table as an Arrow IPC file.
    pub(crate) fn to_bytes(&self) -> Result<Bytes, ArrowError> {
        let mut writer = FileWriter::try_new(Vec::new(), &self.schema)?;
        for batch in &self.batches {
            writer.write(batch)?;
        }
        writer.finish()?;
        Ok(writer.into_inner()?.into())
    }

    /// Reads [`Table::to_bytes`]. Whatever the bytes are, it gives a table or an error, and takes no
    /// more memory than they do.
    pub(crate) fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, ArrowError> {
        // Arrow's reader checks most of what it reads, and panics on some of the rest.
        let read = catch_unwind(|| read_file(bytes));
        let (schema, batches) =
            read.unwrap_or_else(|_told| Err(damaged("Arrow cannot read it")))?;
        Ok(Self { name: name.to_owned(), schema, batches })
    }
}

/// Length of what ends an Arrow IPC file: the footer's length and the magic word.
const TRAILER_BYTES: usize = 10;

/// Reads an Arrow IPC file batch by batch. A part that is said to lie outside of the file is refused
/// before anything is allocated for it, which Arrow's `FileReader` does not do.
fn read_file(bytes: &[u8]) -> Result<(SchemaRef, Vec<RecordBatch>), ArrowError> {
    let part = |from: usize, length: usize| {
        let to = from.checked_add(length);
        let found = to.and_then(|to| bytes.get(from..to));
        found.ok_or_else(|| damaged("a part of it lies outside of the file"))
    };
    let (rest, trailer) =
        bytes.split_last_chunk::<TRAILER_BYTES>().ok_or_else(|| damaged("it is too short"))?;
    let footer_length = read_footer_length(*trailer)?;
    let footer_start = rest.len().checked_sub(footer_length);
    let footer_start = footer_start.ok_or_else(|| damaged("its footer is too long"))?;
    let footer = root_as_footer(part(footer_start, footer_length)?)
        .map_err(|error| damaged(&error.to_string()))?;
    let schema = footer.schema().ok_or_else(|| damaged("it has no schema"))?;
    let schema = Arc::new(fb_to_schema(schema));
    let mut decoder = FileDecoder::new(Arc::clone(&schema), footer.version());
    let data = |block: &Block| {
        let sizes = [block.offset(), i64::from(block.metaDataLength()), block.bodyLength()];
        let [offset, head, body] = sizes.map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        Ok::<_, ArrowError>(Buffer::from(part(offset, head.saturating_add(body))?))
    };
    for block in footer.dictionaries().iter().flatten() {
        decoder.read_dictionary(block, &data(block)?)?;
    }
    let blocks = footer.recordBatches().into_iter().flatten();
    let batches = blocks.map(|block| {
        let batch = decoder.read_record_batch(block, &data(block)?)?;
        batch.ok_or_else(|| damaged("a batch of it is none"))
    });
    let batches = batches.collect::<Result<Vec<_>, _>>()?;
    Ok((schema, batches))
}

fn damaged(detail: &str) -> ArrowError {
    ArrowError::IpcError(detail.to_owned())
}
