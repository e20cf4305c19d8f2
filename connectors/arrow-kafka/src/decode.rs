//! Kafka messages as Arrow rows.
//!
//! Each message is decoded on its own. A bad one is reported in `rejected` and leaves no row; the
//! others become rows in their order. Only the columns that are asked for are built.
//!
//! Fields are read as Flink reads them where nothing is lost: a missing field is NULL, `"12"` is an
//! INT, any value is a STRING (its JSON text). Where something would be lost silently (12.7 as an
//! INT, a number out of range, text after the object) the message is rejected.
//!
//! **Invariant:** all columns have the same number of rows after every message, whatever it was.

mod column;
mod csv;
mod json;
mod nested;
mod number;
mod raw;
mod time;

use std::sync::Arc;

use arrow::array::{BooleanArray, BooleanBuilder, RecordBatch, RecordBatchOptions};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use self::column::{Column, Token};
use self::csv::CsvScanner;
use self::json::JsonScanner;
use crate::error::CodecError;
use crate::message::Message;
use crate::rejected::{Misfit, Problem, RejectReason, Rejected, sql_type};

/// How deep JSON may be nested, the record itself included.
pub const MAX_DEPTH: usize = 64;

/// How many bytes one call decodes at most: Arrow's offsets are 32 bits wide.
pub const MAX_BATCH_BYTES: usize = 1 << 30;

/// What the values are and which columns to make of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeSpec {
    /// What the values are.
    pub format: Format,
    /// The columns, in the order of the rows to make.
    pub columns: Vec<ColumnSpec>,
    /// What a null value means.
    pub null_value: NullValue,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object.
    Json,
    /// One CSV record.
    Csv(CsvFormat),
    /// The whole value is one field, whatever the column's field is called.
    Raw,
}

/// How a CSV record is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvFormat {
    /// The names of all fields of a record, in order.
    pub fields: Vec<String>,
    /// ASCII, `,` by default.
    pub delimiter: u8,
    /// ASCII, `"` by default; none turns quoting off.
    pub quote: Option<u8>,
    /// ASCII; stands before a quote inside quotes, beside the doubled quote.
    pub escape: Option<u8>,
    /// The text of NULL, if it has one.
    pub null_literal: Option<String>,
}

impl CsvFormat {
    /// RFC 4180 with `fields`.
    pub fn new(fields: Vec<String>) -> Self {
        Self { fields, delimiter: b',', quote: Some(b'"'), escape: None, null_literal: None }
    }
}

/// One column to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Its name in the rows.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// Where it comes from.
    pub source: ColumnSource,
}

/// Where a column comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnSource {
    /// The value's field of this name.
    Value(String),
    /// The message key: STRING or BYTES.
    Key,
    /// The headers: MAP<STRING, BYTES>; of equal names the last.
    Headers,
    /// The partition: INT or BIGINT.
    Partition,
    /// The offset: BIGINT.
    Offset,
    /// The record's timestamp: TIMESTAMP, TIMESTAMP_LTZ or BIGINT (milliseconds).
    Timestamp,
}

/// What a null value means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NullValue {
    /// Nothing: it is counted and gives no row.
    Skip,
    /// The row with this key is deleted: it gives a row with the message key (as it is, or a JSON
    /// string) in one column, metadata in theirs and NULL in all others.
    Delete {
        /// Index of the key's column.
        key_column: usize,
    },
    /// A row is deleted, but a key of several columns cannot be told: the message is rejected.
    Reject,
}

/// What became of some messages.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// A row for each message that was neither rejected nor skipped, in order. Every column may
    /// hold NULL but those of partition and offset.
    pub rows: RecordBatch,
    /// With [`NullValue::Delete`]: which rows delete.
    pub deleted: Option<BooleanArray>,
    /// With [`NullValue::Skip`]: how many null values there were.
    pub nulls_skipped: usize,
}

/// Decodes messages; keeps what it learns about the order of fields from call to call.
pub struct Decoder {
    schema: SchemaRef,
    scanner: Scanner,
    columns: Vec<Target>,
    null_value: NullValue,
    /// For texts with escapes.
    scratch: String,
}

enum Scanner {
    Json(JsonScanner),
    Csv(CsvScanner),
    Raw,
}

/// A column and where it comes from.
struct Target {
    data_type: DataType,
    source: Source,
    column: Column,
}

enum Source {
    /// Slot of the JSON scanner, or index of the CSV field.
    Field(usize),
    Key,
    Headers,
    Partition,
    Offset,
    Timestamp,
}

/// What a message gave.
enum Row {
    Kept,
    Deleting,
    Skipped,
}

/// Why a message gave no row, and whether it left one that has to go.
struct Refused {
    reason: RejectReason,
    has_row: bool,
}

impl From<RejectReason> for Refused {
    fn from(reason: RejectReason) -> Self {
        Self { reason, has_row: false }
    }
}

impl Decoder {
    /// A decoder for `spec`.
    ///
    /// # Errors
    /// [`CodecError`] for a column whose type does not suit the format or its source.
    pub fn new(spec: DecodeSpec) -> Result<Self, CodecError> {
        let mut fields: Vec<String> = Vec::new();
        let mut columns = Vec::with_capacity(spec.columns.len());
        for column in &spec.columns {
            let source = source(column, &spec.format, &mut fields)?;
            let target = Column::new(&column.data_type)
                .filter(|_| is_supported(column, &spec.format))
                .ok_or_else(|| unsupported(column, &spec.format))?;
            let data_type = column.data_type.clone();
            columns.push(Target { data_type, source, column: target });
        }
        if let NullValue::Delete { key_column } = spec.null_value
            && key_column >= columns.len()
        {
            return Err(CodecError::NoColumn { index: key_column });
        }
        let scanner = match spec.format {
            Format::Json => Scanner::Json(JsonScanner::new(&fields)),
            Format::Csv(format) => Scanner::Csv(CsvScanner::new(format)),
            Format::Raw => Scanner::Raw,
        };
        let schema = Schema::new(spec.columns.into_iter().map(field).collect::<Vec<_>>());
        let null_value = spec.null_value;
        let scratch = String::new();
        Ok(Self { schema: Arc::new(schema), scanner, columns, null_value, scratch })
    }

    /// The schema of the rows.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Decodes `messages`; those that are no rows are added to `rejected`.
    ///
    /// # Errors
    /// [`CodecError::BatchTooLarge`]: give fewer messages. Nothing was decoded.
    ///
    /// # Panics
    /// Never: columns are kept even.
    pub fn decode<'a>(
        &mut self,
        messages: impl IntoIterator<Item = Message<'a>>,
        rejected: &mut Vec<Rejected>,
    ) -> Result<Decoded, CodecError> {
        let rejected_before = rejected.len();
        let (mut rows, mut bytes, mut nulls_skipped) = (0, 0_usize, 0);
        let mut dropped = Vec::new();
        let mut deleted =
            matches!(self.null_value, NullValue::Delete { .. }).then(BooleanBuilder::new);
        for (index, message) in messages.into_iter().enumerate() {
            bytes = bytes.saturating_add(message_bytes(&message));
            if bytes > MAX_BATCH_BYTES {
                self.columns.iter_mut().for_each(|target| drop(target.column.finish()));
                rejected.truncate(rejected_before);
                return Err(CodecError::BatchTooLarge { limit: MAX_BATCH_BYTES });
            }
            let is_deleting = match self.message(&message) {
                Ok(Row::Kept) => false,
                Ok(Row::Deleting) => true,
                Ok(Row::Skipped) => {
                    nulls_skipped += 1;
                    continue;
                }
                Err(Refused { reason, has_row }) => {
                    let Message { partition, offset, .. } = message;
                    rejected.push(Rejected { index, partition, offset, reason });
                    if !has_row {
                        continue;
                    }
                    dropped.push(rows);
                    false
                }
            };
            rows += 1;
            if let Some(deleted) = &mut deleted {
                deleted.append_value(is_deleting);
            }
        }
        let deleted = deleted.map(|mut deleted| deleted.finish());
        let (rows, deleted) = self.finish(rows, &dropped, deleted);
        Ok(Decoded { rows, deleted, nulls_skipped })
    }

    fn message(&mut self, message: &Message<'_>) -> Result<Row, Refused> {
        let Some(payload) = message.payload else {
            return match self.null_value {
                NullValue::Skip => Ok(Row::Skipped),
                NullValue::Delete { key_column } => {
                    self.delete(message, key_column).map(|()| Row::Deleting)
                }
                NullValue::Reject => {
                    let problem = "the table's key has several columns";
                    Err(RejectReason::DeleteKey { problem }.into())
                }
            };
        };
        let text = match &mut self.scanner {
            Scanner::Raw => "",
            Scanner::Json(scanner) => {
                // Most records are ASCII, which is much quicker to see.
                if !payload.is_ascii() {
                    utf8(payload)?;
                }
                scanner.scan(payload)?;
                ""
            }
            Scanner::Csv(scanner) => {
                let text = utf8(payload)?;
                scanner.scan(text)?;
                text
            }
        };
        let scratch = &mut self.scratch;
        let columns = self.columns.iter_mut();
        let appended = match &self.scanner {
            Scanner::Json(json) => append_each(columns, |target| match target.source {
                Source::Field(slot) => match (target.column.texts(), json.plain_text(slot)) {
                    (Some(texts), Some(place)) => {
                        texts.append_part(payload, place);
                        Ok(())
                    }
                    _ => target.column.append(json.token(slot, payload, scratch)),
                },
                _ => target.append_metadata(message),
            }),
            Scanner::Csv(csv) => append_each(columns, |target| match target.source {
                Source::Field(field) => {
                    let is_text = target.data_type == DataType::Utf8;
                    target.column.append(csv.token(field, is_text, text, scratch))
                }
                _ => target.append_metadata(message),
            }),
            Scanner::Raw => append_each(columns, |target| match target.source {
                Source::Field(_) => raw::append(&mut target.column, &target.data_type, payload),
                _ => target.append_metadata(message),
            }),
        };
        appended.map_err(|(index, misfit)| self.undo_row(index, misfit))?;
        Ok(Row::Kept)
    }

    /// A row that says which key is deleted.
    fn delete(&mut self, message: &Message<'_>, key_column: usize) -> Result<(), Refused> {
        let key = delete_key(message.key)?;
        let mut index = 0;
        let appended = append_each(self.columns.iter_mut(), |target| {
            index += 1;
            match target.source {
                _ if index == key_column + 1 => target.column.append(Token::Text(&key)),
                Source::Field(_) => target.column.append(Token::Null),
                _ => target.append_metadata(message),
            }
        });
        appended.map_err(|(index, misfit)| self.undo_row(index, misfit))
    }

    /// Fills up the row that broke off at `index`; it is dropped at the end.
    #[cold]
    fn undo_row(&mut self, index: usize, misfit: Misfit) -> Refused {
        self.columns.iter_mut().skip(index).for_each(|target| target.column.append_null());
        let name = self.schema.fields().get(index).map_or("", |field| field.name());
        Refused { reason: misfit.of_field(name), has_row: true }
    }

    /// The rows without the dropped ones.
    fn finish(
        &mut self,
        rows: usize,
        dropped: &[usize],
        deleted: Option<BooleanArray>,
    ) -> (RecordBatch, Option<BooleanArray>) {
        let columns = self.columns.iter_mut().map(|target| target.column.finish()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        // Dropped rows are NULL everywhere, so the check for columns without NULL comes after.
        let lenient =
            if dropped.is_empty() { Arc::clone(&self.schema) } else { nullable(&self.schema) };
        let batch = RecordBatch::try_new_with_options(lenient, columns, &options)
            .expect("columns are even and of the schema's types");
        if dropped.is_empty() {
            return (batch, deleted);
        }
        let mut dropped = dropped.iter().copied().peekable();
        let keep: BooleanArray =
            (0..rows).map(|row| Some(dropped.next_if_eq(&row).is_none())).collect();
        let kept = filter_record_batch(&batch, &keep)
            .and_then(|kept| {
                let options = RecordBatchOptions::new().with_row_count(Some(kept.num_rows()));
                let columns = kept.columns().to_vec();
                RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            })
            .expect("the filter is as long as the rows");
        let deleted = deleted.map(|deleted| {
            deleted
                .iter()
                .zip(keep.iter())
                .filter(|(_, keep)| *keep == Some(true))
                .map(|(d, _)| d)
                .collect()
        });
        (kept, deleted)
    }
}

/// Appends to each column until one refuses: its index and why.
#[inline]
fn append_each<'a>(
    columns: impl Iterator<Item = &'a mut Target>,
    mut append: impl FnMut(&mut Target) -> Result<(), Misfit>,
) -> Result<(), (usize, Misfit)> {
    columns
        .enumerate()
        .try_for_each(|(index, target)| append(target).map_err(|misfit| (index, misfit)))
}

impl Target {
    /// Appends what the message says beside its value.
    fn append_metadata(&mut self, message: &Message<'_>) -> Result<(), Misfit> {
        match self.source {
            Source::Key => match message.key {
                Some(key) => self.column.append_bytes(key),
                None => self.column.append(Token::Null),
            },
            Source::Headers => match nested::headers(message.headers) {
                Some(headers) => {
                    self.column.append_nested(headers);
                    Ok(())
                }
                None => Err(Misfit::new(Problem::NotUtf8, &DataType::Utf8, "a header's name")),
            },
            Source::Partition => self.column.append_number(Some(i64::from(message.partition))),
            Source::Offset => self.column.append_number(Some(message.offset)),
            Source::Timestamp => self.column.append_number(message.timestamp_ms),
            Source::Field(_) => self.column.append(Token::Null),
        }
    }
}

fn message_bytes(message: &Message<'_>) -> usize {
    message.payload.map_or(0, <[u8]>::len) + message.key.map_or(0, <[u8]>::len)
}

fn utf8(payload: &[u8]) -> Result<&str, RejectReason> {
    std::str::from_utf8(payload).map_err(|error| RejectReason::NotUtf8 { at: error.valid_up_to() })
}

/// The key of a deletion: the message key as it is, or the text of the JSON string that it is.
fn delete_key(key: Option<&[u8]>) -> Result<String, RejectReason> {
    let refuse = |problem| RejectReason::DeleteKey { problem };
    let key = key.ok_or_else(|| refuse("the message has none"))?;
    let key = std::str::from_utf8(key).map_err(|_not_utf8| refuse("its key is not UTF-8"))?;
    match key.as_bytes().first() {
        Some(b'{' | b'[') => Err(refuse("its key is a JSON object or array")),
        Some(b'"') => Ok(json::string_text(key).unwrap_or_else(|| key.to_owned())),
        _ => Ok(key.to_owned()),
    }
}

/// Where `column` comes from; fields that are new to `fields` are added.
fn source(
    column: &ColumnSpec,
    format: &Format,
    fields: &mut Vec<String>,
) -> Result<Source, CodecError> {
    let name = match &column.source {
        ColumnSource::Value(name) => name,
        ColumnSource::Key => return Ok(Source::Key),
        ColumnSource::Headers => return Ok(Source::Headers),
        ColumnSource::Partition => return Ok(Source::Partition),
        ColumnSource::Offset => return Ok(Source::Offset),
        ColumnSource::Timestamp => return Ok(Source::Timestamp),
    };
    let declared = match format {
        Format::Csv(csv) => &csv.fields,
        Format::Json | Format::Raw => &*fields,
    };
    if let Some(index) = declared.iter().position(|field| field == name) {
        return Ok(Source::Field(index));
    }
    if matches!(format, Format::Csv(_)) {
        let (column, field) = (column.name.clone(), name.clone());
        return Err(CodecError::NoField { column, field });
    }
    fields.push(name.clone());
    Ok(Source::Field(fields.len() - 1))
}

fn is_supported(column: &ColumnSpec, format: &Format) -> bool {
    let data_type = &column.data_type;
    match &column.source {
        ColumnSource::Value(_) => match format {
            Format::Json => true,
            Format::Csv(_) => !data_type.is_nested(),
            Format::Raw => raw::is_supported(data_type),
        },
        ColumnSource::Key => matches!(data_type, DataType::Utf8 | DataType::Binary),
        ColumnSource::Headers => nested::is_headers(data_type),
        ColumnSource::Partition => matches!(data_type, DataType::Int32 | DataType::Int64),
        ColumnSource::Offset => *data_type == DataType::Int64,
        ColumnSource::Timestamp => {
            matches!(data_type, DataType::Timestamp(..) | DataType::Int64)
        }
    }
}

fn unsupported(column: &ColumnSpec, format: &Format) -> CodecError {
    let from = match (&column.source, format) {
        (ColumnSource::Value(_), Format::Json) => "a JSON field",
        (ColumnSource::Value(_), Format::Csv(_)) => "a CSV field",
        (ColumnSource::Value(_), Format::Raw) => "a raw value",
        (ColumnSource::Key, _) => "the message key",
        (ColumnSource::Headers, _) => "the headers",
        (ColumnSource::Partition, _) => "the partition",
        (ColumnSource::Offset, _) => "the offset",
        (ColumnSource::Timestamp, _) => "the record timestamp",
    };
    let (column, data_type) = (column.name.clone(), sql_type(&column.data_type));
    CodecError::UnsupportedType { column, data_type, place: from }
}

fn field(column: ColumnSpec) -> Field {
    let is_nullable = !matches!(column.source, ColumnSource::Partition | ColumnSource::Offset);
    Field::new(column.name, column.data_type, is_nullable)
}

fn nullable(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Decodes `bytes` as every format and type; for fuzzing. Returns how many rows came of it.
///
/// # Panics
/// Where the decoder does: that is what a fuzzer looks for.
#[doc(hidden)]
pub fn fuzz_decode(bytes: &[u8]) -> usize {
    let message = Message {
        key: Some(bytes),
        payload: Some(bytes),
        partition: 0,
        offset: 0,
        timestamp_ms: Some(0),
        headers: crate::Headers::NONE,
    };
    let tombstone = Message { payload: None, ..message };
    fuzz::decoders()
        .into_iter()
        .map(|mut decoder| {
            let mut rejected = Vec::new();
            let decoded = decoder
                .decode([message, tombstone, message], &mut rejected)
                .expect("fuzz input is small");
            let rows = decoded.rows.num_rows();
            assert_eq!(rows + rejected.len() + decoded.nulls_skipped, 3, "a message was lost");
            rows
        })
        .sum()
}

mod fuzz;

#[cfg(test)]
mod tests;
