//! Rows as JSON objects with Flink's text for each type.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Decimal128Array, Float32Array,
    Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, StringArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};

use super::{DecimalFormat, JsonFormat, MultisetFormat, TimestampFormat, text};

/// A column ready to be written cell by cell.
pub(super) struct Cells<'a> {
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
}

enum Values<'a> {
    Text(&'a StringArray),
    Bytes(&'a BinaryArray),
    Bool(&'a BooleanArray),
    Int8(&'a Int8Array),
    Int16(&'a Int16Array),
    Int32(&'a Int32Array),
    Int64(&'a Int64Array),
    Float(&'a Float32Array),
    Double(&'a Float64Array),
    Decimal(&'a Decimal128Array, i8),
    Date(&'a ScalarBuffer<i32>),
    Time(&'a ScalarBuffer<i32>),
    Timestamp {
        values: &'a ScalarBuffer<i64>,
        unit: TimeUnit,
        has_zone: bool,
        last: text::LastDate,
    },
    List {
        offsets: &'a OffsetBuffer<i32>,
        items: Box<Cells<'a>>,
    },
    Row(Vec<(Box<[u8]>, Cells<'a>)>),
    Map {
        offsets: &'a OffsetBuffer<i32>,
        keys: Box<Cells<'a>>,
        values: Box<Cells<'a>>,
        is_multiset: bool,
    },
}

/// Whether `data_type` can be written.
pub(super) fn is_supported(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) => is_supported(item.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| is_supported(field.data_type())),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => match &fields[..] {
                [key, value] => {
                    !key.data_type().is_nested()
                        && is_supported(key.data_type())
                        && is_supported(value.data_type())
                }
                _ => false,
            },
            _ => false,
        },
        DataType::Utf8
        | DataType::Binary
        | DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal128(..)
        | DataType::Date32
        | DataType::Time32(TimeUnit::Millisecond)
        | DataType::Timestamp(..) => true,
        _ => false,
    }
}

/// A field's name as JSON with its colon.
pub(super) fn field_name(name: &str) -> Box<[u8]> {
    let mut out = Vec::with_capacity(name.len() + 3);
    string(name, &mut out);
    out.push(b':');
    out.into_boxed_slice()
}

/// A field's name with what stands before it, and after it most of the time, so that one copy
/// writes all of it.
#[derive(Debug)]
pub(super) struct FieldName {
    /// `,"name":`
    plain: Padded,
    /// `,"name":"`
    with_quote: Padded,
    /// `,"name":null`
    with_null: Padded,
}

/// As many bytes are copied at once: a call of `memcpy` costs more than a short text.
const STEP: usize = 16;

/// Bytes that are copied in whole steps, and of which the last step's surplus is taken back.
#[derive(Debug)]
struct Padded {
    steps: Box<[[u8; STEP]]>,
    length: usize,
}

impl Padded {
    fn new(bytes: &[u8]) -> Self {
        let steps = bytes.chunks(STEP).map(|chunk| {
            let mut step = [0; STEP];
            step.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            step
        });
        Self { steps: steps.collect(), length: bytes.len() }
    }

    #[inline]
    fn append_to(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.length;
        self.steps.iter().for_each(|step| out.extend_from_slice(step));
        out.truncate(end);
    }

    fn bytes(&self) -> &[u8] {
        self.steps.as_flattened().get(..self.length).unwrap_or_default()
    }
}

impl FieldName {
    /// `before` is `{` or `,`.
    pub(super) fn new(before: u8, name: &str) -> Self {
        let name = field_name(name);
        let with = |after: &[u8]| Padded::new(&[&[before], &*name, after].concat());
        Self { plain: with(b""), with_quote: with(b"\""), with_null: with(b"null") }
    }

    /// `"name":`
    pub(super) fn alone(&self) -> &[u8] {
        self.plain.bytes().get(1..).unwrap_or_default()
    }
}

impl<'a> Cells<'a> {
    /// None for a type that [`is_supported`] refuses.
    pub(super) fn of(array: &'a ArrayRef) -> Option<Self> {
        let values = match array.data_type() {
            DataType::Utf8 => Values::Text(array.as_string::<i32>()),
            DataType::Binary => Values::Bytes(array.as_binary::<i32>()),
            DataType::Boolean => Values::Bool(array.as_boolean()),
            DataType::Int8 => Values::Int8(array.as_primitive::<Int8Type>()),
            DataType::Int16 => Values::Int16(array.as_primitive::<Int16Type>()),
            DataType::Int32 => Values::Int32(array.as_primitive::<Int32Type>()),
            DataType::Int64 => Values::Int64(array.as_primitive::<Int64Type>()),
            DataType::Float32 => Values::Float(array.as_primitive::<Float32Type>()),
            DataType::Float64 => Values::Double(array.as_primitive::<Float64Type>()),
            DataType::Decimal128(_, scale) => {
                Values::Decimal(array.as_primitive::<Decimal128Type>(), *scale)
            }
            DataType::Date32 => Values::Date(array.as_primitive::<Date32Type>().values()),
            DataType::Time32(TimeUnit::Millisecond) => {
                Values::Time(array.as_primitive::<Time32MillisecondType>().values())
            }
            DataType::Timestamp(unit, zone) => Values::Timestamp {
                values: timestamps(array, *unit),
                unit: *unit,
                has_zone: zone.is_some(),
                last: text::LastDate::default(),
            },
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                let items = Box::new(Self::of(list.values())?);
                Values::List { offsets: list.offsets(), items }
            }
            DataType::Struct(fields) => {
                let row = array.as_struct();
                let cells = fields
                    .iter()
                    .zip(row.columns())
                    .map(|(field, column)| Some((field_name(field.name()), Self::of(column)?)));
                Values::Row(cells.collect::<Option<_>>()?)
            }
            DataType::Map(..) => {
                let map = array.as_map();
                Values::Map {
                    offsets: map.offsets(),
                    keys: Box::new(Self::of(map.keys())?),
                    values: Box::new(Self::of(map.values())?),
                    is_multiset: *map.values().data_type() == DataType::Int32
                        && map.values().null_count() == 0
                        && !map.entries().fields().iter().any(|field| field.is_nullable()),
                }
            }
            _ => return None,
        };
        Some(Self { nulls: array.nulls(), values })
    }

    #[inline]
    pub(super) fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    /// Writes the name and the cell of `row` as JSON.
    #[inline]
    pub(super) fn write_field(
        &self,
        name: &FieldName,
        row: usize,
        format: JsonFormat,
        out: &mut Vec<u8>,
    ) {
        if self.is_null(row) {
            name.with_null.append_to(out);
        } else if let Values::Text(values) = &self.values {
            name.with_quote.append_to(out);
            rest_of_cell(values, row, out);
        } else {
            name.plain.append_to(out);
            self.write_value(row, format, out);
        }
    }

    /// Writes the cell of `row` as JSON.
    #[inline]
    pub(super) fn write(&self, row: usize, format: JsonFormat, out: &mut Vec<u8>) {
        if self.is_null(row) {
            out.extend_from_slice(b"null");
        } else if let Values::Text(values) = &self.values {
            string(values.value(row), out);
        } else {
            self.write_value(row, format, out);
        }
    }

    fn write_value(&self, row: usize, format: JsonFormat, out: &mut Vec<u8>) {
        match &self.values {
            Values::List { offsets, items } => {
                out.push(b'[');
                for (count, item) in range(offsets, row).enumerate() {
                    comma(count, out);
                    items.write(item, format, out);
                }
                out.push(b']');
            }
            Values::Row(fields) => {
                out.push(b'{');
                let mut count = 0;
                for (name, cells) in fields {
                    if format.omit_nulls && cells.is_null(row) {
                        continue;
                    }
                    comma(count, out);
                    out.extend_from_slice(name);
                    cells.write(row, format, out);
                    count += 1;
                }
                out.push(b'}');
            }
            Values::Map { offsets, keys, values, is_multiset } => {
                let entries = range(offsets, row);
                if *is_multiset && format.multiset == MultisetFormat::Array {
                    write_multiset(entries, (keys, values), format, out);
                } else {
                    write_map(entries, (keys, values), format, out);
                }
            }
            _ if self.is_quoted(row) => {
                out.push(b'"');
                self.write_text(row, format, out);
                out.push(b'"');
            }
            _ => self.write_text(row, format, out),
        }
    }

    /// Whether the scalar of `row` stands in quotes.
    fn is_quoted(&self, row: usize) -> bool {
        match &self.values {
            Values::Text(_)
            | Values::Bytes(_)
            | Values::Date(_)
            | Values::Time(_)
            | Values::Timestamp { .. } => true,
            Values::Float(values) => !values.value(row).is_finite(),
            Values::Double(values) => !values.value(row).is_finite(),
            Values::Bool(_)
            | Values::Int8(_)
            | Values::Int16(_)
            | Values::Int32(_)
            | Values::Int64(_)
            | Values::Decimal(..)
            | Values::List { .. }
            | Values::Row(_)
            | Values::Map { .. } => false,
        }
    }

    /// Writes the cell of `row`, which is not NULL, as text without quotes and escapes; arrays and
    /// the like as JSON.
    pub(super) fn write_text(&self, row: usize, format: JsonFormat, out: &mut Vec<u8>) {
        match &self.values {
            Values::Text(values) => out.extend_from_slice(values.value(row).as_bytes()),
            Values::Bytes(values) => text::base64(values.value(row), out),
            Values::Bool(values) => {
                out.extend_from_slice(if values.value(row) { b"true" } else { b"false" });
            }
            Values::Int8(values) => text::integer(values.value(row).into(), out),
            Values::Int16(values) => text::integer(values.value(row).into(), out),
            Values::Int32(values) => text::integer(values.value(row).into(), out),
            Values::Int64(values) => text::integer(values.value(row), out),
            Values::Float(values) => text::float(values.value(row), out),
            Values::Double(values) => text::double(values.value(row), out),
            Values::Decimal(values, scale) => match format.decimal {
                DecimalFormat::Stripped => text::decimal_stripped(values.value(row), *scale, out),
                DecimalFormat::Plain => text::decimal_plain(values.value(row), *scale, out),
            },
            Values::Date(values) => text::date(at(values, row), out),
            Values::Time(values) => text::time(at(values, row), out),
            Values::Timestamp { values, unit, has_zone, last } => {
                let separator = match format.timestamp {
                    TimestampFormat::Iso => b'T',
                    TimestampFormat::Sql => b' ',
                };
                text::timestamp(at(values, row), *unit, (separator, last), out);
                if *has_zone {
                    out.push(b'Z');
                }
            }
            Values::List { .. } | Values::Row(_) | Values::Map { .. } => {
                self.write_value(row, format, out);
            }
        }
    }

    /// The bytes of `row` where the column is BYTES or STRING.
    pub(super) fn raw_bytes(&self, row: usize) -> Option<&'a [u8]> {
        match &self.values {
            Values::Bytes(values) => Some(values.value(row)),
            Values::Text(values) => Some(values.value(row).as_bytes()),
            _ => None,
        }
    }

    /// Writes the cell of `row`, which is not NULL, as Flink's `raw` format does.
    pub(super) fn write_raw(&self, row: usize, format: JsonFormat, out: &mut Vec<u8>) {
        match &self.values {
            Values::Bytes(values) => out.extend_from_slice(values.value(row)),
            Values::Bool(values) => out.push(u8::from(values.value(row))),
            Values::Int8(values) => out.extend_from_slice(&values.value(row).to_be_bytes()),
            Values::Int16(values) => out.extend_from_slice(&values.value(row).to_be_bytes()),
            Values::Int32(values) => out.extend_from_slice(&values.value(row).to_be_bytes()),
            Values::Int64(values) => out.extend_from_slice(&values.value(row).to_be_bytes()),
            Values::Float(values) => out.extend_from_slice(&values.value(row).to_be_bytes()),
            Values::Double(values) => out.extend_from_slice(&values.value(row).to_be_bytes()),
            _ => self.write_text(row, format, out),
        }
    }
}

type Entries<'c, 'a> = (&'c Cells<'a>, &'c Cells<'a>);

fn write_map(
    entries: std::ops::Range<usize>,
    (keys, values): Entries<'_, '_>,
    format: JsonFormat,
    out: &mut Vec<u8>,
) {
    out.push(b'{');
    for (count, entry) in entries.enumerate() {
        comma(count, out);
        if let Values::Text(texts) = &keys.values {
            string(texts.value(entry), out);
        } else {
            out.push(b'"');
            keys.write_text(entry, format, out);
            out.push(b'"');
        }
        out.push(b':');
        values.write(entry, format, out);
    }
    out.push(b'}');
}

/// Each element as often as it occurs.
fn write_multiset(
    entries: std::ops::Range<usize>,
    (keys, values): Entries<'_, '_>,
    format: JsonFormat,
    out: &mut Vec<u8>,
) {
    out.push(b'[');
    let mut count = 0;
    for entry in entries {
        let times = match &values.values {
            Values::Int32(counts) => counts.value(entry),
            _ => 1,
        };
        for _time in 0..times {
            comma(count, out);
            keys.write(entry, format, out);
            count += 1;
        }
    }
    out.push(b']');
}

fn comma(count: usize, out: &mut Vec<u8>) {
    if count > 0 {
        out.push(b',');
    }
}

fn timestamps(array: &ArrayRef, unit: TimeUnit) -> &ScalarBuffer<i64> {
    match unit {
        TimeUnit::Second => array.as_primitive::<TimestampSecondType>().values(),
        TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().values(),
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().values(),
        TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().values(),
    }
}

/// The value of `row`, which is below the array's length.
fn at<T: arrow::datatypes::ArrowNativeType>(values: &ScalarBuffer<T>, row: usize) -> T {
    values.get(row).copied().unwrap_or_default()
}

/// The places of `row`'s items among all items.
fn range(offsets: &OffsetBuffer<i32>, row: usize) -> std::ops::Range<usize> {
    let offset = |index| {
        let offset: Option<&i32> = offsets.get(index);
        offset.and_then(|offset| usize::try_from(*offset).ok()).unwrap_or(0)
    };
    offset(row)..offset(row + 1)
}

/// Every byte of a word.
const fn every(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Whether some byte of the word stands for a character that [`escape`] treats: a quote, a
/// backslash, a control character, or the first byte of a character beyond U+FFFF.
#[inline]
fn needs_escape(word: u64) -> bool {
    // A byte that is zero, or below 0x20, borrows into its high bit; one that had it set is no
    // ASCII. The four high bits of a byte are set from 0xF0 on.
    let borrowed = (word ^ every(b'"')).wrapping_sub(every(0x01))
        | (word ^ every(b'\\')).wrapping_sub(every(0x01))
        | word.wrapping_sub(every(0x20));
    let beyond = word & word << 1 & word << 2 & word << 3;
    ((borrowed & !word) | beyond) & every(0x80) != 0
}

/// Whether nothing in `bytes` needs an escape. Eight bytes a step; the last step may look again at
/// bytes of the one before.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    if let Some(last) = bytes.last_chunk::<8>() {
        let (words, _rest) = bytes.as_chunks::<8>();
        return !words.iter().any(|word| needs_escape(u64::from_le_bytes(*word)))
            && !needs_escape(u64::from_le_bytes(*last));
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let low = u64::from(u32::from_le_bytes(*first));
        let high = u64::from(u32::from_le_bytes(*last));
        return !needs_escape(low | high << 32);
    }
    !bytes.iter().any(|byte| is_escaped(*byte))
}

/// Whether [`escape`] treats a character that has this byte.
#[inline]
#[expect(
    clippy::needless_bitwise_bool,
    clippy::manual_range_contains,
    reason = "without branches, so that the bytes of a step are looked at together"
)]
fn is_escaped(byte: u8) -> bool {
    (byte == b'"') | (byte == b'\\') | (byte < 0x20) | (byte >= 0xF0)
}

/// Writes `value` in quotes, escaped as Jackson does.
#[inline]
pub(super) fn string(value: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    rest_of_string(value, out);
}

/// Writes the text of `row` escaped and the closing quote. Looks for escapes while it copies, in
/// whole steps: the last one also sees the beginning of the next row's text.
#[inline(always)]
#[expect(clippy::inline_always, reason = "a call costs as much as copying a short text")]
fn rest_of_cell(texts: &StringArray, row: usize, out: &mut Vec<u8>) {
    let cell = range(texts.offsets(), row);
    let (before, length) = (out.len(), cell.len());
    let Some(from) = texts.value_data().get(cell.start..) else { return };
    let steps = from.as_chunks::<STEP>().0.get(..length.div_ceil(STEP));
    let is_copied = steps.is_some_and(|steps| {
        steps.iter().all(|step| {
            out.extend_from_slice(step);
            // Without a branch, so that the sixteen bytes are looked at together.
            !step.iter().fold(false, |found, byte| found | is_escaped(*byte))
        })
    });
    if is_copied {
        out.truncate(before + length);
        out.push(b'"');
    } else {
        out.truncate(before);
        rest_of_string(texts.value(row), out);
    }
}

/// Writes `value` escaped and the closing quote.
fn rest_of_string(value: &str, out: &mut Vec<u8>) {
    if is_plain(value.as_bytes()) {
        out.extend_from_slice(value.as_bytes());
    } else {
        escape(value, out);
    }
    out.push(b'"');
}

/// Writes `value` escaped. Beyond the characters that JSON asks for, Jackson writes those beyond
/// U+FFFF as two escapes.
#[cold]
fn escape(value: &str, out: &mut Vec<u8>) {
    for char in value.chars() {
        let short = match char {
            '"' => b'"',
            '\\' => b'\\',
            '\u{8}' => b'b',
            '\t' => b't',
            '\n' => b'n',
            '\u{c}' => b'f',
            '\r' => b'r',
            '\0'..='\u{1f}' | '\u{1_0000}'.. => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    escape_unit(*unit, out);
                }
                continue;
            }
            _ => {
                out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
}

fn escape_unit(unit: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        let digit = u8::try_from(unit >> shift & 0xF).unwrap_or(0);
        out.push(if digit < 10 { b'0' + digit } else { b'A' + digit - 10 });
    }
}

#[cfg(test)]
mod tests;
