//! Rows of several arrays as one array.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
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

fn gather_texts(arrays: &[&dyn Array], indices: &[(usize, usize)]) -> StringArray {
    let arrays: Vec<&StringArray> = arrays.iter().map(|array| array.as_string::<i32>()).collect();
    let rows: usize = arrays.iter().map(|array| array.len()).sum();
    let bytes: usize = arrays.iter().map(|array| text_bytes(array)).sum();
    // As many bytes a row as there are in the sources, and a quarter more.
    let capacity = indices.len() * (bytes + bytes / 4) / rows.max(1);
    let mut texts = TextBuilder::with_capacity(indices.len(), capacity);
    for (array, row) in indices {
        let array = arrays[*array];
        if array.is_null(*row) {
            texts.append_null();
        } else {
            let offsets = array.value_offsets();
            texts.append_part(array.value_data(), place(offsets[*row])..place(offsets[*row + 1]));
        }
    }
    texts.finish()
}

fn text_bytes(array: &StringArray) -> usize {
    let offsets = array.value_offsets();
    place(offsets[array.len()]) - place(offsets[0])
}

/// An Arrow offset, which is never below zero, as an index.
#[expect(clippy::cast_sign_loss, reason = "Arrow's offsets are not negative")]
fn place(offset: i32) -> usize {
    offset as usize
}

#[cfg(test)]
mod tests;
