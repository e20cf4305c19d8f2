//! Arrow rows as Kafka values and keys.
//!
//! A batch becomes one buffer of values and one of keys, each with the places where they end. The
//! text of each type is Flink's: `SEMANTICS.md` lists them. TIME keeps its fraction, which Flink
//! drops.

mod csv;
mod json;
mod text;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};

use self::json::{Cells, FieldName};
use crate::error::CodecError;
use crate::rejected::sql_type;

/// What to write and how.
#[derive(Clone, Debug)]
pub struct EncodeSpec {
    /// How values are written.
    pub format: OutputFormat,
    /// The schema of the rows.
    pub schema: SchemaRef,
    /// The columns of the value, in order.
    pub columns: Vec<usize>,
    /// The column of the message key, if there is one.
    pub key: Option<usize>,
}

impl EncodeSpec {
    /// JSON of all columns, in Flink's default text but ISO-8601 times, without keys.
    pub fn json(schema: SchemaRef) -> Self {
        let columns = (0..schema.fields().len()).collect();
        Self { format: OutputFormat::Json(JsonFormat::default()), schema, columns, key: None }
    }
}

/// How values are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// One JSON object.
    Json(JsonFormat),
    /// One CSV record.
    Csv(CsvOutput),
    /// The one column as it is: text, bytes, numbers in big-endian bytes. NULL is an empty value.
    Raw,
}

/// How JSON is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JsonFormat {
    /// How times are written.
    pub timestamp: TimestampFormat,
    /// How MULTISET is written.
    pub multiset: MultisetFormat,
    /// How DECIMAL is written.
    pub decimal: DecimalFormat,
    /// NULL fields are left out instead of written as `null`.
    pub omit_nulls: bool,
}

/// How times are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimestampFormat {
    /// `2026-01-01T00:30:00`, with `Z` for TIMESTAMP_LTZ.
    #[default]
    Iso,
    /// The same with a space.
    Sql,
}

/// How MULTISET is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MultisetFormat {
    /// An object from element to count, as Flink does.
    #[default]
    Object,
    /// An array with each element as often as it occurs.
    Array,
}

/// How DECIMAL is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DecimalFormat {
    /// Without trailing zeros: `48.2`, `1.2E+2`. Flink's default.
    #[default]
    Stripped,
    /// With all digits of its scale: `120.00`.
    Plain,
}

/// How CSV is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvOutput {
    /// ASCII, `,` by default.
    pub delimiter: u8,
    /// ASCII, `"` by default.
    pub quote: u8,
    /// The text of NULL, empty by default; a field with that text is quoted.
    pub null_literal: String,
}

impl Default for CsvOutput {
    fn default() -> Self {
        Self { delimiter: b',', quote: b'"', null_literal: String::new() }
    }
}

/// Encodes rows of one schema.
#[derive(Debug)]
pub struct Encoder {
    spec: EncodeSpec,
    /// Of each column of the value.
    names: Vec<FieldName>,
    /// Bytes of the largest batch per row so far, to reserve once.
    bytes_per_row: usize,
    scratch: Vec<u8>,
}

impl Encoder {
    /// An encoder for `spec`.
    ///
    /// # Errors
    /// [`CodecError`] for a column that does not exist or whose type the format cannot write.
    pub fn new(spec: EncodeSpec) -> Result<Self, CodecError> {
        for index in spec.columns.iter().chain(&spec.key) {
            let field =
                spec.schema.fields().get(*index).ok_or(CodecError::NoColumn { index: *index })?;
            let is_flat = matches!(spec.format, OutputFormat::Csv(_) | OutputFormat::Raw);
            if !json::is_supported(field.data_type())
                || (is_flat && field.data_type().is_nested() && spec.columns.contains(index))
            {
                return Err(CodecError::UnsupportedType {
                    column: field.name().clone(),
                    data_type: sql_type(field.data_type()),
                    place: match spec.format {
                        OutputFormat::Json(_) => "JSON",
                        OutputFormat::Csv(_) => "CSV",
                        OutputFormat::Raw => "a raw value",
                    },
                });
            }
        }
        if spec.format == OutputFormat::Raw && spec.columns.len() != 1 {
            return Err(CodecError::NotOneColumn { found: spec.columns.len() });
        }
        let names = spec.columns.iter().enumerate().map(|(place, index)| {
            let field = spec.schema.fields().get(*index);
            let before = if place == 0 { b'{' } else { b',' };
            FieldName::new(before, field.map_or("", |field| field.name()))
        });
        let names = names.collect();
        Ok(Self { spec, names, bytes_per_row: 0, scratch: Vec::new() })
    }

    /// Encodes `rows`.
    ///
    /// # Errors
    /// [`CodecError::OtherRows`] if they are not of the encoder's schema.
    pub fn encode(&mut self, rows: &RecordBatch) -> Result<Encoded, CodecError> {
        let mut encoded = Encoded::default();
        self.encode_into(rows, &mut encoded)?;
        Ok(encoded)
    }

    /// Encodes `rows` in place of what `encoded` holds, in its memory.
    ///
    /// # Errors
    /// [`CodecError::OtherRows`] if they are not of the encoder's schema.
    pub fn encode_into(
        &mut self,
        rows: &RecordBatch,
        encoded: &mut Encoded,
    ) -> Result<(), CodecError> {
        encoded.clear();
        let columns = self.columns(rows)?;
        let count = rows.num_rows();
        encoded.values.reserve(count * (self.bytes_per_row + self.bytes_per_row / 8));
        encoded.value_ends.reserve(count);
        match &self.spec.format {
            OutputFormat::Json(format) if format.omit_nulls => {
                write_sparse(&self.names, &columns, *format, (count, encoded));
            }
            OutputFormat::Json(format) => {
                write_objects(&self.names, &columns, *format, (count, encoded));
            }
            OutputFormat::Csv(csv) => {
                let scalars =
                    JsonFormat { timestamp: TimestampFormat::Sql, ..JsonFormat::default() };
                for row in 0..count {
                    let out = &mut encoded.values;
                    csv::write_row(&columns, row, (csv, scalars), &mut self.scratch, out);
                    encoded.value_ends.push(encoded.values.len());
                }
            }
            OutputFormat::Raw => {
                for row in 0..count {
                    if let Some(cells) = columns.first().filter(|cells| !cells.is_null(row)) {
                        cells.write_raw(row, JsonFormat::default(), &mut encoded.values);
                    }
                    encoded.value_ends.push(encoded.values.len());
                }
            }
        }
        if let Some(average) = encoded.values.len().checked_div(count) {
            self.bytes_per_row = self.bytes_per_row.max(average);
        }
        self.write_keys(rows, encoded)
    }

    fn write_keys(&self, rows: &RecordBatch, encoded: &mut Encoded) -> Result<(), CodecError> {
        let Some(key) = self.spec.key else { return Ok(()) };
        let cells = self.cells(rows, key)?;
        let format = match &self.spec.format {
            OutputFormat::Json(format) => *format,
            OutputFormat::Csv(_) | OutputFormat::Raw => JsonFormat::default(),
        };
        encoded.key_ends.reserve(rows.num_rows());
        for row in 0..rows.num_rows() {
            let has_key = !cells.is_null(row);
            if has_key {
                match cells.raw_bytes(row) {
                    Some(bytes) => encoded.keys.extend_from_slice(bytes),
                    None => cells.write_text(row, format, &mut encoded.keys),
                }
            }
            encoded.key_ends.push((encoded.keys.len(), has_key));
        }
        Ok(())
    }

    fn columns<'a>(&self, rows: &'a RecordBatch) -> Result<Vec<Cells<'a>>, CodecError> {
        self.spec.columns.iter().map(|index| self.cells(rows, *index)).collect()
    }

    fn cells<'a>(&self, rows: &'a RecordBatch, index: usize) -> Result<Cells<'a>, CodecError> {
        let field = self.spec.schema.fields().get(index);
        let expected: Option<&DataType> = field.map(|field| field.data_type());
        let array: Option<&ArrayRef> =
            rows.columns().get(index).filter(|array| Some(array.data_type()) == expected);
        array.and_then(Cells::of).ok_or_else(|| CodecError::OtherRows {
            column: field.map_or_else(|| index.to_string(), |field| field.name().clone()),
        })
    }
}

/// JSON with every field: names and commas are written as one.
fn write_objects(
    names: &[FieldName],
    columns: &[Cells<'_>],
    format: JsonFormat,
    (count, encoded): (usize, &mut Encoded),
) {
    let out = &mut encoded.values;
    for row in 0..count {
        for (name, cells) in names.iter().zip(columns) {
            cells.write_field(name, row, format, out);
        }
        if names.is_empty() {
            out.push(b'{');
        }
        out.push(b'}');
        encoded.value_ends.push(out.len());
    }
}

/// JSON without the fields that are NULL.
fn write_sparse(
    names: &[FieldName],
    columns: &[Cells<'_>],
    format: JsonFormat,
    (count, encoded): (usize, &mut Encoded),
) {
    let out = &mut encoded.values;
    for row in 0..count {
        let mut separator = b'{';
        for (name, cells) in names.iter().zip(columns).filter(|(_, cells)| !cells.is_null(row)) {
            out.push(separator);
            out.extend_from_slice(name.alone());
            cells.write(row, format, out);
            separator = b',';
        }
        if separator == b'{' {
            out.push(b'{');
        }
        out.push(b'}');
        encoded.value_ends.push(out.len());
    }
}

/// One row of `rows` as JSON with all columns, e.g. for a dead letter.
///
/// # Errors
/// [`CodecError::UnsupportedType`] for a column that JSON cannot hold.
pub fn row_as_json(rows: &RecordBatch, row: usize) -> Result<Vec<u8>, CodecError> {
    let mut encoder = Encoder::new(EncodeSpec::json(rows.schema()))?;
    if row >= rows.num_rows() {
        return Ok(Vec::new());
    }
    Ok(encoder.encode(&rows.slice(row, 1))?.values)
}

/// Values and keys of the rows of one batch, one after the other in one buffer each.
#[derive(Clone, Debug, Default)]
pub struct Encoded {
    pub(crate) values: Vec<u8>,
    /// Where each row's value ends.
    pub(crate) value_ends: Vec<usize>,
    pub(crate) keys: Vec<u8>,
    /// Where each row's key ends, and whether it has one. Empty if no row has a key.
    pub(crate) key_ends: Vec<(usize, bool)>,
}

impl Encoded {
    /// How many rows.
    pub fn len(&self) -> usize {
        self.value_ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.value_ends.is_empty()
    }

    /// The value of row `index`, 0-based.
    #[inline]
    pub fn value(&self, index: usize) -> Option<&[u8]> {
        let end = *self.value_ends.get(index)?;
        let start = match index.checked_sub(1) {
            Some(before) => *self.value_ends.get(before)?,
            None => 0,
        };
        self.values.get(start..end)
    }

    /// The key of row `index`, if it has one.
    #[inline]
    pub fn key(&self, index: usize) -> Option<&[u8]> {
        let (end, has_key) = *self.key_ends.get(index)?;
        let start = match index.checked_sub(1) {
            Some(before) => self.key_ends.get(before)?.0,
            None => 0,
        };
        if has_key { self.keys.get(start..end) } else { None }
    }

    /// Bytes of all values and keys.
    pub fn bytes(&self) -> usize {
        self.values.len() + self.keys.len()
    }

    /// Forgets all rows and keeps the memory.
    pub fn clear(&mut self) {
        self.values.clear();
        self.value_ends.clear();
        self.keys.clear();
        self.key_ends.clear();
    }
}

#[cfg(test)]
mod tests;
