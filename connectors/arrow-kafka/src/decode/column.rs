//! Columns under construction, and how a token becomes a value of a type.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BinaryBuilder, BooleanBuilder, Decimal128Builder, Float32Builder,
    Float64Builder, Int8Builder, Int16Builder, Int32Builder, Int64Builder, PrimitiveArray,
    PrimitiveBuilder,
};
use arrow::datatypes::{
    DataType, Date32Type, Int64Type, Time32MillisecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use base64::Engine as _;

use super::json::compact;
use super::nested::{self, Value};
use super::time::LastDate;
use super::{number, time};
use crate::rejected::{Misfit, Problem};
use crate::text_builder::TextBuilder;

/// What stands in a record's field, as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Missing, or JSON's null.
    Null,
    /// Text: a JSON string without quotes and escapes, a CSV field, a key.
    Text(&'a str),
    /// A JSON number as written.
    Number(&'a str),
    /// JSON's true or false.
    Bool(bool),
    /// A JSON array or object as written, known to be well formed.
    Nested(&'a str),
}

impl<'a> Token<'a> {
    /// The token as text, for messages and for STRING.
    pub(super) fn text(self) -> &'a str {
        match self {
            Self::Null => "null",
            Self::Text(text) | Self::Number(text) | Self::Nested(text) => text,
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
        }
    }
}

/// A column under construction.
pub(super) struct Column {
    data_type: DataType,
    builder: Builder,
}

enum Builder {
    Text(TextBuilder),
    Bytes(BinaryBuilder),
    Bool(BooleanBuilder),
    Int8(Int8Builder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float(Float32Builder),
    Double(Float64Builder),
    Decimal { values: Decimal128Builder, precision: u8, scale: i8 },
    Date(Int32Builder),
    Time(Int32Builder),
    Timestamp { values: Int64Builder, unit: TimeUnit, last: LastDate },
    Nested(Vec<Value>),
}

impl Column {
    /// An empty column; none for a type that no record can be decoded to.
    pub(super) fn new(data_type: &DataType) -> Option<Self> {
        let builder = match data_type {
            DataType::Utf8 => Builder::Text(TextBuilder::with_capacity(0, 0)),
            DataType::Binary => Builder::Bytes(BinaryBuilder::new()),
            DataType::Boolean => Builder::Bool(BooleanBuilder::new()),
            DataType::Int8 => Builder::Int8(Int8Builder::new()),
            DataType::Int16 => Builder::Int16(Int16Builder::new()),
            DataType::Int32 => Builder::Int32(Int32Builder::new()),
            DataType::Int64 => Builder::Int64(Int64Builder::new()),
            DataType::Float32 => Builder::Float(Float32Builder::new()),
            DataType::Float64 => Builder::Double(Float64Builder::new()),
            DataType::Decimal128(precision, scale) => Builder::Decimal {
                values: Decimal128Builder::new().with_data_type(data_type.clone()),
                precision: *precision,
                scale: *scale,
            },
            DataType::Date32 => Builder::Date(Int32Builder::new()),
            DataType::Time32(TimeUnit::Millisecond) => Builder::Time(Int32Builder::new()),
            DataType::Timestamp(unit, _) => Builder::Timestamp {
                values: Int64Builder::new(),
                unit: *unit,
                last: LastDate::default(),
            },
            DataType::List(_) | DataType::Struct(_) | DataType::Map(..)
                if nested::is_supported(data_type) =>
            {
                Builder::Nested(Vec::new())
            }
            _ => return None,
        };
        Some(Self { data_type: data_type.clone(), builder })
    }

    /// The texts of a STRING column.
    #[inline]
    pub(super) fn texts(&mut self) -> Option<&mut TextBuilder> {
        match &mut self.builder {
            Builder::Text(texts) => Some(texts),
            _ => None,
        }
    }

    /// Appends the value of `token`, or nothing if it does not fit.
    pub(super) fn append(&mut self, token: Token<'_>) -> Result<(), Misfit> {
        if token == Token::Null {
            self.append_null();
            return Ok(());
        }
        self.append_value(token).map_err(|misfit| misfit.into_misfit(&self.data_type, token.text()))
    }

    fn append_value(&mut self, token: Token<'_>) -> Result<(), Wrong> {
        match &mut self.builder {
            Builder::Text(builder) => match token {
                Token::Nested(json) => builder.append_value(&compact(json)),
                token => builder.append_value(token.text()),
            },
            Builder::Bytes(builder) => builder.append_value(bytes(token)?),
            Builder::Bool(builder) => builder.append_value(boolean(token)?),
            Builder::Int8(builder) => builder.append_value(narrow(integer(token)?)?),
            Builder::Int16(builder) => builder.append_value(narrow(integer(token)?)?),
            Builder::Int32(builder) => builder.append_value(narrow(integer(token)?)?),
            Builder::Int64(builder) => builder.append_value(integer(token)?),
            Builder::Float(builder) => builder.append_value(float(token)?),
            Builder::Double(builder) => builder.append_value(double(token)?),
            Builder::Decimal { values, precision, scale } => {
                values.append_value(decimal(token, *precision, *scale)?);
            }
            Builder::Date(builder) => builder.append_value(date(token)?),
            Builder::Time(builder) => builder.append_value(time_of_day(token)?),
            Builder::Timestamp { values, unit, last } => {
                values.append_value(timestamp(token, *unit, last)?);
            }
            Builder::Nested(values) => values.push(nested::value(&self.data_type, token)?),
        }
        Ok(())
    }

    /// Appends NULL.
    pub(super) fn append_null(&mut self) {
        match &mut self.builder {
            Builder::Text(builder) => builder.append_null(),
            Builder::Bytes(builder) => builder.append_null(),
            Builder::Bool(builder) => builder.append_null(),
            Builder::Int8(builder) => builder.append_null(),
            Builder::Int16(builder) => builder.append_null(),
            Builder::Int32(builder) | Builder::Date(builder) | Builder::Time(builder) => {
                builder.append_null();
            }
            Builder::Int64(builder) | Builder::Timestamp { values: builder, .. } => {
                builder.append_null();
            }
            Builder::Float(builder) => builder.append_null(),
            Builder::Double(builder) => builder.append_null(),
            Builder::Decimal { values, .. } => values.append_null(),
            Builder::Nested(values) => values.push(Value::Null),
        }
    }

    /// Appends raw bytes to a BYTES column, or text to a STRING column.
    pub(super) fn append_bytes(&mut self, bytes: &[u8]) -> Result<(), Misfit> {
        if let Builder::Bytes(builder) = &mut self.builder {
            builder.append_value(bytes);
            return Ok(());
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => self.append(Token::Text(text)),
            Err(_not_utf8) => {
                let found = String::from_utf8_lossy(bytes);
                Err(Misfit::new(Problem::NotUtf8, &self.data_type, &found))
            }
        }
    }

    /// Appends a number that librdkafka gave; none is NULL.
    pub(super) fn append_number(&mut self, number: Option<i64>) -> Result<(), Misfit> {
        let Some(number) = number else {
            self.append_null();
            return Ok(());
        };
        match &mut self.builder {
            Builder::Int64(builder) => builder.append_value(number),
            Builder::Int32(builder) if i32::try_from(number).is_ok() => {
                builder.append_option(i32::try_from(number).ok());
            }
            Builder::Timestamp { values, unit, .. } => {
                match time::milliseconds_in_units(number, *unit) {
                    Some(value) => values.append_value(value),
                    None => return self.append(Token::Number(&number.to_string())),
                }
            }
            _ => return self.append(Token::Number(&number.to_string())),
        }
        Ok(())
    }

    /// Appends a float to a FLOAT or DOUBLE column.
    pub(super) fn append_double(&mut self, value: f64) {
        match &mut self.builder {
            #[expect(clippy::cast_possible_truncation, reason = "it was a FLOAT before")]
            Builder::Float(builder) => builder.append_value(value as f32),
            Builder::Double(builder) => builder.append_value(value),
            _ => self.append_null(),
        }
    }

    /// Appends a value made elsewhere to a column of a nested type.
    pub(super) fn append_nested(&mut self, value: Value) {
        match &mut self.builder {
            Builder::Nested(values) => values.push(value),
            _ => self.append_null(),
        }
    }

    /// The finished array; the column is empty afterwards, with room for another such batch.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match &mut self.builder {
            Builder::Text(builder) => Arc::new(builder.finish()),
            Builder::Bytes(builder) => Arc::new(builder.finish()),
            Builder::Bool(builder) => Arc::new(builder.finish()),
            Builder::Int8(builder) => Arc::new(finished(builder)),
            Builder::Int16(builder) => Arc::new(finished(builder)),
            Builder::Int32(builder) => Arc::new(finished(builder)),
            Builder::Int64(builder) => Arc::new(finished(builder)),
            Builder::Float(builder) => Arc::new(finished(builder)),
            Builder::Double(builder) => Arc::new(finished(builder)),
            Builder::Decimal { values, .. } => Arc::new(values.finish()),
            Builder::Date(builder) => Arc::new(finished(builder).reinterpret_cast::<Date32Type>()),
            Builder::Time(builder) => {
                Arc::new(finished(builder).reinterpret_cast::<Time32MillisecondType>())
            }
            Builder::Timestamp { values, unit, .. } => {
                timestamps(&finished(values), *unit, &self.data_type)
            }
            Builder::Nested(values) => nested::array(&self.data_type, std::mem::take(values)),
        }
    }
}

/// The finished array; the builder has room for another such batch.
fn finished<T: ArrowPrimitiveType>(builder: &mut PrimitiveBuilder<T>) -> PrimitiveArray<T> {
    let array = builder.finish();
    *builder = PrimitiveBuilder::with_capacity(array.len());
    array
}

fn timestamps(values: &PrimitiveArray<Int64Type>, unit: TimeUnit, of: &DataType) -> ArrayRef {
    fn typed<T: ArrowPrimitiveType<Native = i64>>(
        values: &PrimitiveArray<Int64Type>,
        of: &DataType,
    ) -> ArrayRef {
        Arc::new(values.reinterpret_cast::<T>().with_data_type(of.clone()))
    }
    match unit {
        TimeUnit::Second => typed::<TimestampSecondType>(values, of),
        TimeUnit::Millisecond => typed::<TimestampMillisecondType>(values, of),
        TimeUnit::Microsecond => typed::<TimestampMicrosecondType>(values, of),
        TimeUnit::Nanosecond => typed::<TimestampNanosecondType>(values, of),
    }
}

/// What is wrong, before it is known where.
pub(super) enum Wrong {
    Here(Problem),
    Within(Misfit),
}

impl Wrong {
    pub(super) fn into_misfit(self, data_type: &DataType, found: &str) -> Misfit {
        match self {
            Self::Here(problem) => Misfit::new(problem, data_type, found),
            Self::Within(misfit) => misfit,
        }
    }
}

impl From<Problem> for Wrong {
    fn from(problem: Problem) -> Self {
        Self::Here(problem)
    }
}

pub(super) fn bytes(token: Token<'_>) -> Result<Vec<u8>, Problem> {
    const BASE64: base64::engine::GeneralPurpose = base64::engine::GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        base64::engine::GeneralPurposeConfig::new()
            .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
    );
    match token {
        Token::Text(text) => BASE64.decode(text).map_err(|_not_base64| Problem::WrongType),
        Token::Null | Token::Number(_) | Token::Bool(_) | Token::Nested(_) => {
            Err(Problem::WrongType)
        }
    }
}

pub(super) fn boolean(token: Token<'_>) -> Result<bool, Problem> {
    match token {
        Token::Bool(value) => Ok(value),
        Token::Text(text) if text.trim().eq_ignore_ascii_case("true") => Ok(true),
        Token::Text(text) if text.trim().eq_ignore_ascii_case("false") => Ok(false),
        Token::Null | Token::Text(_) | Token::Number(_) | Token::Nested(_) => {
            Err(Problem::WrongType)
        }
    }
}

/// The text of a number, and whether it is a JSON number.
fn numeric(token: Token<'_>) -> Result<(&str, bool), Problem> {
    match token {
        Token::Number(text) => Ok((text, true)),
        Token::Text(text) => Ok((text.trim(), false)),
        Token::Null | Token::Bool(_) | Token::Nested(_) => Err(Problem::WrongType),
    }
}

pub(super) fn integer(token: Token<'_>) -> Result<i64, Problem> {
    numeric(token).and_then(|(text, literal)| number::integer(text, literal))
}

pub(super) fn narrow<T: TryFrom<i64>>(value: i64) -> Result<T, Problem> {
    T::try_from(value).map_err(|_too_large| Problem::OutOfRange)
}

pub(super) fn float(token: Token<'_>) -> Result<f32, Problem> {
    numeric(token).and_then(|(text, literal)| number::float(text, literal))
}

pub(super) fn double(token: Token<'_>) -> Result<f64, Problem> {
    numeric(token).and_then(|(text, literal)| number::double(text, literal))
}

pub(super) fn decimal(token: Token<'_>, precision: u8, scale: i8) -> Result<i128, Problem> {
    numeric(token).and_then(|(text, _)| number::decimal(text, precision, scale))
}

pub(super) fn date(token: Token<'_>) -> Result<i32, Problem> {
    match token {
        Token::Text(text) => time::date(text.trim()).ok_or(Problem::WrongType),
        Token::Null | Token::Number(_) | Token::Bool(_) | Token::Nested(_) => {
            Err(Problem::WrongType)
        }
    }
}

pub(super) fn time_of_day(token: Token<'_>) -> Result<i32, Problem> {
    match token {
        Token::Text(text) => time::time(text.trim()).ok_or(Problem::WrongType),
        Token::Null | Token::Number(_) | Token::Bool(_) | Token::Nested(_) => {
            Err(Problem::WrongType)
        }
    }
}

fn timestamp(token: Token<'_>, unit: TimeUnit, last: &mut LastDate) -> Result<i64, Problem> {
    if let Token::Text(text) = token
        && let Some(instant) = time::timestamp(text.trim(), last)
    {
        return instant.in_units(unit).ok_or(Problem::OutOfRange);
    }
    let milliseconds = integer(token)?;
    time::milliseconds_in_units(milliseconds, unit).ok_or(Problem::OutOfRange)
}
