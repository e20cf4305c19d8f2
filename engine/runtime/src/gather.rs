//! Rows of several arrays as one array.

use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::buffer::NullBuffer;
use arrow::compute::interleave;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow_kafka::TextBuilder;

/// The rows at `indices`, each the number of an array and a row of it. Arrow's `interleave`, but that
/// texts, most of which are short, are copied without a call for each.
///
/// # Errors
/// Those of `interleave`: no arrays, or arrays of different types.
pub(crate) fn gather(
    arrays: &[&dyn Array],
    indices: &[(usize, usize)],
) -> Result<ArrayRef, ArrowError> {
    match arrays.first().map(|array| array.data_type()) {
        Some(DataType::Utf8) => Ok(Arc::new(gather_texts(arrays, indices))),
        _ => interleave(arrays, indices),
    }
}

/// So many texts are looked for before the first is copied. Each lies elsewhere, and the length of
/// one decides what is done next: one by one, each would be waited for.
const TEXTS_AT_ONCE: usize = 128;

/// The buffers of an array of texts, one step nearer than the array.
struct Texts<'a> {
    offsets: &'a [i32],
    bytes: &'a [u8],
    nulls: Option<&'a NullBuffer>,
}

impl<'a> Texts<'a> {
    fn of(array: &'a dyn Array) -> Self {
        let array = array.as_string::<i32>();
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        Self { offsets: array.value_offsets(), bytes: array.value_data(), nulls }
    }

    /// Bytes of all texts.
    fn len(&self) -> usize {
        let ends = self.offsets.first().zip(self.offsets.last());
        ends.map_or(0, |(first, last)| index(*last) - index(*first))
    }

    fn place(&self, row: usize) -> Range<usize> {
        index(self.offsets[row])..index(self.offsets[row + 1])
    }
}

fn gather_texts(arrays: &[&dyn Array], indices: &[(usize, usize)]) -> StringArray {
    let texts: Vec<Texts<'_>> = arrays.iter().map(|array| Texts::of(*array)).collect();
    let rows: usize = arrays.iter().map(|array| array.len()).sum();
    let bytes: usize = texts.iter().map(Texts::len).sum();
    // As many bytes a row as there are in the sources, and a quarter more.
    let capacity = indices.len() * (bytes + bytes / 4) / rows.max(1);
    let mut gathered = TextBuilder::with_capacity(indices.len(), capacity);
    let mut places = Vec::with_capacity(TEXTS_AT_ONCE);
    for indices in indices.chunks(TEXTS_AT_ONCE) {
        places.clear();
        places.extend(indices.iter().map(|(array, row)| texts[*array].place(*row)));
        let first_byte = |((array, _), place): (&(usize, usize), &Range<usize>)| {
            texts[*array].bytes.get(place.start).copied().unwrap_or_default()
        };
        black_box(indices.iter().zip(&places).map(first_byte).fold(0, |sum, byte| sum ^ byte));
        for ((array, row), place) in indices.iter().zip(&places) {
            let texts = &texts[*array];
            if texts.nulls.is_some_and(|nulls| nulls.is_null(*row)) {
                gathered.append_null();
            } else {
                gathered.append_part(texts.bytes, place.clone());
            }
        }
    }
    gathered.finish()
}

/// An Arrow offset, which is never below zero, as an index.
#[expect(clippy::cast_sign_loss, reason = "Arrow's offsets are not negative")]
fn index(offset: i32) -> usize {
    offset as usize
}

#[cfg(test)]
mod tests;
