//! A STRING column under construction.
//!
//! Does what Arrow's `StringBuilder` does in a third of the steps: rows that are NULL are listed
//! instead of a bit kept for every row, and short texts are copied without a call of `memcpy`.

use std::ops::Range;

use arrow::array::{Array as _, BooleanBufferBuilder, StringArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};

/// As many bytes are copied at once.
const STEP: usize = 16;

/// Texts, one after the other, on their way to a `StringArray`.
#[derive(Debug)]
pub struct TextBuilder {
    bytes: Vec<u8>,
    /// Where each text ends; the first is the start of the first.
    offsets: Vec<i32>,
    /// Rows that are NULL, ascending.
    null_rows: Vec<usize>,
}

impl TextBuilder {
    /// No rows, and room for some.
    pub fn with_capacity(rows: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { bytes: Vec::with_capacity(bytes), offsets, null_rows: Vec::new() }
    }

    /// Adds a text.
    pub fn append_value(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.end_row();
    }

    /// Adds the text at `place` in `bytes`, in whole steps: what the last one copies too much is taken
    /// back.
    ///
    /// # Panics
    /// If `place` is not within `bytes`. Bytes that are no text make `finish` panic.
    #[inline]
    pub fn append_part(&mut self, bytes: &[u8], place: Range<usize>) {
        let (end, steps) = (self.bytes.len() + place.len(), place.len().div_ceil(STEP));
        let from = bytes.get(place.start..).unwrap_or_default();
        match from.as_chunks::<STEP>().0.get(..steps) {
            Some(steps) => {
                for step in steps {
                    self.bytes.extend_from_slice(step);
                }
                self.bytes.truncate(end);
            }
            None => {
                let part = from.get(..place.len()).expect("`place` is within `bytes`");
                self.bytes.extend_from_slice(part);
            }
        }
        self.end_row();
    }

    /// Adds NULL.
    #[inline]
    pub fn append_null(&mut self) {
        self.null_rows.push(self.offsets.len() - 1);
        self.end_row();
    }

    /// The rows as an array; none are left, but room for as many.
    ///
    /// # Panics
    /// If [`TextBuilder::append_part`] was given bytes that are no text.
    pub fn finish(&mut self) -> StringArray {
        let rows = self.offsets.len() - 1;
        let next = Self::with_capacity(rows, self.bytes.len());
        let Self { bytes, offsets, null_rows } = std::mem::replace(self, next);
        let nulls = (!null_rows.is_empty()).then(|| {
            let mut valid = BooleanBufferBuilder::new(rows);
            valid.append_n(rows, true);
            for row in null_rows {
                valid.set_bit(row, false);
            }
            NullBuffer::new(valid.finish())
        });
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        let array = StringArray::try_new(offsets, Buffer::from_vec(bytes), nulls)
            .expect("whole texts were appended");
        debug_assert_eq!(array.len(), rows);
        array
    }

    #[inline]
    fn end_row(&mut self) {
        let end = i32::try_from(self.bytes.len()).expect("a batch has at most `MAX_BATCH_BYTES`");
        self.offsets.push(end);
    }
}

#[cfg(test)]
mod tests;
