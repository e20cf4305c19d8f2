//! Columns to bytes and back.

use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, BinaryArray, BooleanArray, Float32Array, Float64Array,
    NullBufferBuilder, StringArray, make_array, new_empty_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};
use foldhash::fast::FixedState;

/// Never to be changed: snapshots hold hashes.
const HASH_SEED: u64 = 0x656e_6769_6e65_2e31;

const IS_NULL: u8 = 0;
const IS_VALID: u8 = 1;

/// Writes the columns of a key as bytes, and reads them again.
#[derive(Debug)]
pub(crate) struct KeyCodec {
    columns: Vec<KeyColumn>,
}

#[derive(Debug)]
struct KeyColumn {
    data_type: DataType,
    kind: Kind,
}

/// How a column's values are written.
#[derive(Debug)]
enum Kind {
    Boolean,
    Float32,
    Float64,
    /// Little-endian bytes of this width.
    Fixed(usize),
    /// Length, then bytes: Utf8 and Binary.
    Bytes,
    /// Length, then Arrow's row format: lists, structs.
    Nested(RowConverter),
}

/// The keys of a batch's rows.
#[derive(Debug, Default)]
pub(crate) struct EncodedKeys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    hashes: Vec<u64>,
}

impl EncodedKeys {
    /// The bytes of a row's key.
    pub(crate) fn bytes(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start..self.ends[row]]
    }

    /// The hash of a row's key.
    pub(crate) fn hash(&self, row: usize) -> u64 {
        self.hashes[row]
    }
}

impl KeyCodec {
    /// A codec for columns of these types.
    ///
    /// # Errors
    /// If a type cannot be a key.
    pub(crate) fn new(types: &[DataType]) -> Result<Self, ArrowError> {
        Self::with(types, false)
    }

    /// A codec that gives back every bit: for values that are kept, not compared.
    ///
    /// # Errors
    /// As [`KeyCodec::new`].
    pub(crate) fn exact(types: &[DataType]) -> Result<Self, ArrowError> {
        Self::with(types, true)
    }

    /// What a NULL in a codec's only column is written as.
    pub(crate) const NULL: &[u8] = &[IS_NULL];

    fn with(types: &[DataType], is_exact: bool) -> Result<Self, ArrowError> {
        let columns = types.iter().map(|data_type| {
            Ok(KeyColumn { data_type: data_type.clone(), kind: Kind::of(data_type, is_exact)? })
        });
        Ok(Self { columns: columns.collect::<Result<_, ArrowError>>()? })
    }

    /// The columns' types.
    pub(crate) fn types(&self) -> impl Iterator<Item = &DataType> {
        self.columns.iter().map(|column| &column.data_type)
    }

    /// Writes the keys of all rows.
    ///
    /// # Errors
    /// If the columns are not of the codec's types.
    pub(crate) fn encode(
        &self,
        columns: &[ArrayRef],
        row_count: usize,
    ) -> Result<EncodedKeys, ArrowError> {
        let cells = self.columns.iter().zip(columns).map(|(column, array)| column.cells(array));
        let cells = cells.collect::<Result<Vec<_>, _>>()?;
        let hasher = FixedState::with_seed(HASH_SEED);
        let mut keys = EncodedKeys {
            bytes: Vec::with_capacity(row_count * 16 * cells.len()),
            ends: Vec::with_capacity(row_count),
            hashes: Vec::with_capacity(row_count),
        };
        let mut start = 0;
        for row in 0..row_count {
            for cell in &cells {
                cell.append(row, &mut keys.bytes);
            }
            keys.hashes.push(hasher.hash_one(&keys.bytes[start..]));
            start = keys.bytes.len();
            keys.ends.push(start);
        }
        Ok(keys)
    }

    /// Reads keys again, one column each.
    ///
    /// # Errors
    /// If the bytes were not written by this codec.
    pub(crate) fn decode(&self, mut keys: Vec<&[u8]>) -> Result<Vec<ArrayRef>, ArrowError> {
        self.columns.iter().map(|column| column.decode(&mut keys)).collect()
    }
}

impl Kind {
    fn of(data_type: &DataType, is_exact: bool) -> Result<Self, ArrowError> {
        Ok(match data_type {
            DataType::Boolean => Self::Boolean,
            DataType::Float32 if !is_exact => Self::Float32,
            DataType::Float64 if !is_exact => Self::Float64,
            DataType::Utf8 | DataType::Binary => Self::Bytes,
            other => match other.primitive_width() {
                Some(width) => Self::Fixed(width),
                None => Self::Nested(RowConverter::new(vec![SortField::new(data_type.clone())])?),
            },
        })
    }
}

impl KeyColumn {
    fn cells<'a>(&self, array: &'a ArrayRef) -> Result<Cells<'a>, ArrowError> {
        if array.data_type() != &self.data_type {
            return Err(ArrowError::InvalidArgumentError(format!(
                "key column of type `{}` where `{}` is expected",
                array.data_type(),
                self.data_type
            )));
        }
        let values = match &self.kind {
            Kind::Boolean => Values::Boolean(array.as_boolean()),
            Kind::Float32 => Values::Float32(array.as_primitive::<Float32Type>()),
            Kind::Float64 => Values::Float64(array.as_primitive::<Float64Type>()),
            Kind::Fixed(width) => {
                let data = array.to_data();
                let buffer = data.buffers()[0].slice(data.offset() * width);
                Values::Fixed { bytes: buffer, width: *width }
            }
            Kind::Bytes => match array.as_string_opt::<i32>() {
                Some(text) => {
                    Values::Bytes { offsets: text.value_offsets(), bytes: text.value_data() }
                }
                None => {
                    let binary = array.as_binary::<i32>();
                    Values::Bytes { offsets: binary.value_offsets(), bytes: binary.value_data() }
                }
            },
            Kind::Nested(converter) => {
                Values::Nested(converter.convert_columns(&[Arc::clone(array)])?)
            }
        };
        Ok(Cells { values, nulls: array.nulls() })
    }

    /// Reads this column's cell off the front of each key.
    fn decode(&self, keys: &mut [&[u8]]) -> Result<ArrayRef, ArrowError> {
        let mut nulls = NullBufferBuilder::new(keys.len());
        let mut cells = Vec::with_capacity(keys.len());
        for key in keys.iter_mut() {
            let cell = self.take_cell(key)?;
            nulls.append(cell.is_some());
            cells.push(cell);
        }
        let nulls = nulls.finish();
        Ok(match &self.kind {
            Kind::Boolean => {
                let values = BooleanBuffer::collect_bool(cells.len(), |row| {
                    cells[row].is_some_and(|cell| cell == [1])
                });
                Arc::new(BooleanArray::new(values, nulls))
            }
            Kind::Float32 | Kind::Float64 | Kind::Fixed(_) => {
                let width = self.width();
                let mut values = MutableBuffer::with_capacity(cells.len() * width);
                for cell in &cells {
                    match cell {
                        Some(cell) => values.extend_from_slice(cell),
                        None => values.extend_zeros(width),
                    }
                }
                let data = ArrayData::builder(self.data_type.clone()).len(cells.len());
                make_array(data.add_buffer(values.into()).nulls(nulls).build()?)
            }
            Kind::Bytes => self.decode_bytes(&cells, nulls)?,
            Kind::Nested(converter) => decode_nested(converter, &self.data_type, &cells)?,
        })
    }

    fn width(&self) -> usize {
        match self.kind {
            Kind::Boolean => 1,
            Kind::Float32 => 4,
            Kind::Float64 => 8,
            Kind::Fixed(width) => width,
            Kind::Bytes | Kind::Nested(_) => 0,
        }
    }

    fn decode_bytes(
        &self,
        cells: &[Option<&[u8]>],
        nulls: Option<NullBuffer>,
    ) -> Result<ArrayRef, ArrowError> {
        let lengths = cells.iter().map(|cell| cell.map_or(0, <[u8]>::len));
        let offsets = OffsetBuffer::<i32>::from_lengths(lengths);
        let mut bytes = Vec::with_capacity(cells.iter().flatten().map(|cell| cell.len()).sum());
        for cell in cells.iter().flatten() {
            bytes.extend_from_slice(cell);
        }
        let bytes = Buffer::from_vec(bytes);
        Ok(if self.data_type == DataType::Utf8 {
            Arc::new(StringArray::try_new(offsets, bytes, nulls)?)
        } else {
            Arc::new(BinaryArray::try_new(offsets, bytes, nulls)?)
        })
    }

    /// Takes one cell off the front of a key; `None` is NULL.
    fn take_cell<'a>(&self, key: &mut &'a [u8]) -> Result<Option<&'a [u8]>, ArrowError> {
        let Some((flag, rest)) = key.split_first() else { return Err(truncated()) };
        *key = rest;
        if *flag == IS_NULL {
            return Ok(None);
        }
        let length = match &self.kind {
            Kind::Bytes | Kind::Nested(_) => {
                let (length, rest) = key.split_first_chunk::<4>().ok_or_else(truncated)?;
                *key = rest;
                u32::from_le_bytes(*length) as usize
            }
            Kind::Boolean | Kind::Float32 | Kind::Float64 | Kind::Fixed(_) => self.width(),
        };
        let (cell, rest) = key.split_at_checked(length).ok_or_else(truncated)?;
        *key = rest;
        Ok(Some(cell))
    }
}

fn truncated() -> ArrowError {
    ArrowError::ParseError("a key ends too early".to_owned())
}

fn decode_nested(
    converter: &RowConverter,
    data_type: &DataType,
    cells: &[Option<&[u8]>],
) -> Result<ArrayRef, ArrowError> {
    if cells.is_empty() {
        return Ok(new_empty_array(data_type));
    }
    let parser = converter.parser();
    let null = converter.convert_columns(&[arrow::array::new_null_array(data_type, 1)])?;
    let rows = cells.iter().map(|cell| match cell {
        Some(bytes) => parser.parse(bytes),
        None => null.row(0),
    });
    Ok(converter.convert_rows(rows)?.remove(0))
}

/// A column that is being written.
struct Cells<'a> {
    values: Values<'a>,
    nulls: Option<&'a NullBuffer>,
}

enum Values<'a> {
    Boolean(&'a BooleanArray),
    Float32(&'a Float32Array),
    Float64(&'a Float64Array),
    Fixed { bytes: Buffer, width: usize },
    Bytes { offsets: &'a [i32], bytes: &'a [u8] },
    Nested(Rows),
}

impl Cells<'_> {
    fn append(&self, row: usize, key: &mut Vec<u8>) {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            key.push(IS_NULL);
            return;
        }
        key.push(IS_VALID);
        match &self.values {
            Values::Boolean(values) => key.push(u8::from(values.value(row))),
            Values::Float32(values) => {
                let value = values.value(row);
                let value = if value.is_nan() { f32::NAN } else { value + 0.0 };
                key.extend_from_slice(&value.to_le_bytes());
            }
            Values::Float64(values) => {
                let value = values.value(row);
                let value = if value.is_nan() { f64::NAN } else { value + 0.0 };
                key.extend_from_slice(&value.to_le_bytes());
            }
            Values::Fixed { bytes, width } => {
                key.extend_from_slice(&bytes[row * width..(row + 1) * width]);
            }
            Values::Bytes { offsets, bytes } => {
                append_part(key, bytes, index(offsets[row])..index(offsets[row + 1]));
            }
            Values::Nested(rows) => append_bytes(key, rows.row(row).data()),
        }
    }
}

/// An Arrow offset, which is never below zero, as an index.
#[expect(clippy::cast_sign_loss, reason = "Arrow's offsets are not negative")]
fn index(offset: i32) -> usize {
    offset as usize
}

/// Appends a length and the bytes at `place`, in whole steps: what the last one copies too much is
/// taken back. Most keys are short, and a call of `memcpy` costs more than they do.
#[inline]
fn append_part(key: &mut Vec<u8>, bytes: &[u8], place: Range<usize>) {
    const STEP: usize = 16;
    let steps = bytes[place.start..].as_chunks::<STEP>().0.get(..place.len().div_ceil(STEP));
    let Some(steps) = steps else { return append_bytes(key, &bytes[place]) };
    let length = u32::try_from(place.len()).expect("an Arrow value is shorter than 4 GiB");
    key.extend_from_slice(&length.to_le_bytes());
    let end = key.len() + place.len();
    for step in steps {
        key.extend_from_slice(step);
    }
    key.truncate(end);
}

fn append_bytes(key: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("an Arrow value is shorter than 4 GiB");
    key.extend_from_slice(&length.to_le_bytes());
    key.extend_from_slice(bytes);
}
