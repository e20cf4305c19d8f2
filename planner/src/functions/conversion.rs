//! `CAST` and `TRY_CAST` by Flink's rules.
//!
//! Numbers wrap or saturate as Java's do; a DECIMAL that does not fit becomes NULL; a text that
//! cannot be read is an error (`CAST`) or NULL (`TRY_CAST`). The target's type comes as the text of
//! a literal, since Arrow's types do not hold lengths and digits.

#![expect(clippy::cast_possible_truncation, reason = "Java narrows by cutting, as `as` does")]

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, PrimitiveArray, StringBuilder,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, Time32MillisecondType, TimeUnit, TimestampMillisecondType,
};
use datafusion::common::{DataFusionError, Result, exec_err, plan_err};
use datafusion::logical_expr::ReturnFieldArgs;

use super::builtin::{Definition, define, is_number, returns};
use super::calendar::{MILLIS_PER_DAY, join};
use super::call::Call;
use super::decimal::{power_of_ten, rescale};
use super::java_text::write_value;
use super::types::{TargetType, flink_type_name, per_second};

mod read;

pub(super) use read::{date as read_date, timestamp as read_timestamp};

/// Whether the text is a literal of DATE, TIME or TIMESTAMP (`type_name` with or without digits).
pub(crate) fn is_time_literal(type_name: &str, text: &str) -> bool {
    match type_name {
        "DATE" => read::date(text).is_some() && text.len() >= "y-M-d".len(),
        "TIME" => read::time(text).is_some(),
        _ => text.contains(':') && read::timestamp(text).is_some(),
    }
}

/// The name that the AST pass gives to `CAST(x AS t)`: `$CAST(x, 't')`.
pub(crate) const CAST: &str = "$CAST";
/// The name that the AST pass gives to `TRY_CAST(x AS t)`.
pub(crate) const TRY_CAST: &str = "$TRY_CAST";

pub(super) const DEFINITIONS: &[Definition] = &[
    define(CAST, "AS", target, |call| convert_argument(call, false)),
    define(TRY_CAST, "AS", target, |call| convert_argument(call, true)),
];

fn target(args: &ReturnFieldArgs<'_>) -> Result<DataType> {
    let text = returns::literal(args, 1).unwrap_or_default();
    let Some(target) = TargetType::parse(text) else {
        return plan_err!("cannot cast to `{text}`");
    };
    let source = returns::first(args)?;
    if !is_convertible(&source, &target) {
        return plan_err!("cannot cast {} to {text}", flink_type_name(&source));
    }
    Ok(target.data_type)
}

fn is_convertible(source: &DataType, target: &TargetType) -> bool {
    use DataType as D;
    let is_text = matches!(source, D::Utf8);
    let is_nothing = source.is_null();
    is_nothing
        || match &target.data_type {
            D::Utf8 => !matches!(source, D::Interval(_) | D::Duration(_)),
            D::Binary => is_text || matches!(source, D::Binary),
            D::Boolean => is_text || is_number(source) || matches!(source, D::Boolean),
            D::Date32 => is_text || matches!(source, D::Date32 | D::Timestamp(_, _)),
            D::Time32(_) => is_text || matches!(source, D::Time32(_) | D::Timestamp(_, _)),
            D::Timestamp(_, _) => {
                is_text || matches!(source, D::Date32 | D::Time32(_) | D::Timestamp(_, _))
            }
            D::List(_) => match (source, &target.item) {
                (D::List(from), Some(item)) => is_convertible(from.data_type(), item),
                _ => false,
            },
            number => {
                is_number(number) && (is_text || is_number(source) || matches!(source, D::Boolean))
            }
        }
}

fn convert_argument(call: &Call<'_>, is_try: bool) -> Result<ArrayRef> {
    let text = call.literal(1).unwrap_or_default();
    let Some(target) = TargetType::parse(text) else {
        return exec_err!("cannot cast to `{text}`");
    };
    convert(&call.array(0)?, &target, is_try)
}

/// The array as another type.
pub(super) fn convert(array: &ArrayRef, target: &TargetType, is_try: bool) -> Result<ArrayRef> {
    use DataType as D;
    if array.data_type().is_null() {
        return Ok(arrow::array::new_null_array(&target.data_type, array.len()));
    }
    match &target.data_type {
        D::Utf8 => to_text(array, target),
        D::Binary => Ok(cast(array, &D::Binary)?),
        D::Boolean => to_boolean(array, is_try),
        D::Int8 => to_integer::<Int8Type>(array, is_try, |v| v as i8),
        D::Int16 => to_integer::<Int16Type>(array, is_try, |v| v as i16),
        D::Int32 => to_integer::<Int32Type>(array, is_try, |v| v as i32),
        D::Int64 => to_integer::<Int64Type>(array, is_try, |v| v as i64),
        D::Float32 => to_real(array, is_try),
        D::Float64 => to_double(array, is_try),
        D::Decimal128(precision, scale) => to_decimal(array, (*precision, *scale), is_try),
        D::Date32 => to_date(array, is_try),
        D::Time32(_) => to_time(array, is_try),
        D::Timestamp(unit, _) => to_timestamp(array, target, *unit, is_try),
        D::List(_) => to_list(array, target, is_try),
        other => exec_err!("cannot cast to {other}"),
    }
}

/// Reads texts; what cannot be read is an error, or NULL when trying.
fn read_texts<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    is_try: bool,
    shown_type: &DataType,
    read: impl Fn(&str) -> Option<T::Native>,
) -> Result<PrimitiveArray<T>> {
    let texts = array.as_string::<i32>();
    let mut builder = PrimitiveArray::<T>::builder(texts.len());
    for text in texts {
        match text.map(|text| (text, read(text))) {
            None => builder.append_null(),
            Some((_, Some(value))) => builder.append_value(value),
            Some((_, None)) if is_try => builder.append_null(),
            Some((text, None)) => return Err(unreadable(text, shown_type)),
        }
    }
    Ok(builder.finish())
}

/// Longest part of a text that a message shows.
const SHOWN_CHARACTERS: usize = 60;

fn unreadable(text: &str, data_type: &DataType) -> DataFusionError {
    let shown: String = text.chars().take(SHOWN_CHARACTERS).collect();
    DataFusionError::Execution(format!("`{shown}` is no {}", flink_type_name(data_type)))
}

fn to_text(array: &ArrayRef, target: &TargetType) -> Result<ArrayRef> {
    if array.data_type() == &DataType::Utf8 && target.length_max.is_none() {
        return Ok(Arc::clone(array));
    }
    let mut builder = StringBuilder::with_capacity(array.len(), 0);
    let mut buffer = String::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            builder.append_null();
            continue;
        }
        buffer.clear();
        write_value(&mut buffer, array.as_ref(), row)?;
        if let Some(length) = target.length_max {
            fit_length(&mut buffer, length, target.is_padded);
        }
        builder.append_value(&buffer);
    }
    Ok(Arc::new(builder.finish()))
}

fn fit_length(text: &mut String, length: usize, is_padded: bool) {
    if let Some((end, _)) = text.char_indices().nth(length) {
        text.truncate(end);
    } else if is_padded {
        let missing = length.saturating_sub(text.chars().count());
        text.extend(std::iter::repeat_n(' ', missing));
    }
}

fn to_boolean(array: &ArrayRef, is_try: bool) -> Result<ArrayRef> {
    if array.data_type() == &DataType::Boolean {
        return Ok(Arc::clone(array));
    }
    if array.data_type() != &DataType::Utf8 {
        let numbers = cast(array, &DataType::Float64)?;
        let numbers = numbers.as_primitive::<Float64Type>();
        return Ok(Arc::new(BooleanArray::from_unary(numbers, |number| number != 0.0)));
    }
    let mut builder = BooleanArray::builder(array.len());
    for text in array.as_string::<i32>() {
        match text.map(|text| (text, read::boolean(text))) {
            None => builder.append_null(),
            Some((_, Some(value))) => builder.append_value(value),
            Some((_, None)) if is_try => builder.append_null(),
            Some((text, None)) => return Err(unreadable(text, &DataType::Boolean)),
        }
    }
    Ok(Arc::new(builder.finish()))
}

/// Whole numbers: a wider integer wraps; a float saturates at INT or BIGINT, then wraps.
fn to_integer<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    is_try: bool,
    narrow: fn(i128) -> T::Native,
) -> Result<ArrayRef>
where
    T::Native: TryFrom<i128>,
{
    use DataType as D;
    let source = array.data_type();
    if source == &T::DATA_TYPE {
        return Ok(Arc::clone(array));
    }
    let result: PrimitiveArray<T> = match source {
        D::Utf8 => read_texts(array, is_try, &T::DATA_TYPE, |text| {
            T::Native::try_from(read::integer(text)?).ok()
        })?,
        D::Decimal128(_, scale) => {
            let unit = power_of_ten(scale.unsigned_abs());
            array.as_primitive::<Decimal128Type>().unary(|value| narrow(value / unit))
        }
        D::Float32 | D::Float64 => {
            let doubles = cast(array, &D::Float64)?;
            let is_wide = T::DATA_TYPE == D::Int64;
            doubles.as_primitive::<Float64Type>().unary(|value| {
                narrow(if is_wide { i128::from(value as i64) } else { i128::from(value as i32) })
            })
        }
        _ => {
            let wide = cast(array, &D::Int64)?;
            wide.as_primitive::<Int64Type>().unary(|value| narrow(i128::from(value)))
        }
    };
    Ok(Arc::new(result))
}

fn to_double(array: &ArrayRef, is_try: bool) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Utf8 => Ok(Arc::new(read_texts::<Float64Type>(
            array,
            is_try,
            &DataType::Float64,
            read::double,
        )?)),
        _ => Ok(cast(array, &DataType::Float64)?),
    }
}

fn to_real(array: &ArrayRef, is_try: bool) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Utf8 => {
            let read = |text: &str| read::double(text).map(|value| value as f32);
            Ok(Arc::new(read_texts::<Float32Type>(array, is_try, &DataType::Float32, read)?))
        }
        DataType::Float64 => {
            let doubles = array.as_primitive::<Float64Type>();
            Ok(Arc::new(doubles.unary::<_, Float32Type>(|value| value as f32)))
        }
        DataType::Decimal128(_, _) => to_real(&cast(array, &DataType::Float64)?, is_try),
        _ => Ok(cast(array, &DataType::Float32)?),
    }
}

/// DECIMAL: half rounds away from zero; what does not fit is NULL, or an error for a text.
fn to_decimal(array: &ArrayRef, (precision, scale): (u8, i8), is_try: bool) -> Result<ArrayRef> {
    use DataType as D;
    let limit = power_of_ten(precision);
    let fits = |value: i128| (value.unsigned_abs() < limit.unsigned_abs()).then_some(value);
    let shown = D::Decimal128(precision, scale);
    let result: PrimitiveArray<Decimal128Type> = match array.data_type() {
        D::Utf8 => {
            read_texts(array, is_try, &shown, |text| fits(read::decimal(text.trim(), scale)?))?
        }
        D::Decimal128(_, from) => {
            let from = *from;
            array
                .as_primitive::<Decimal128Type>()
                .unary_opt(|value| rescale(value, from, scale).and_then(fits))
        }
        D::Float32 => array
            .as_primitive::<Float32Type>()
            .unary_opt(|value| fits(read::decimal(&value.to_string(), scale)?)),
        D::Float64 => array
            .as_primitive::<Float64Type>()
            .unary_opt(|value| fits(read::decimal(&value.to_string(), scale)?)),
        _ => {
            let wide = cast(array, &D::Int64)?;
            wide.as_primitive::<Int64Type>()
                .unary_opt(|value| rescale(i128::from(value), 0, scale).and_then(fits))
        }
    };
    Ok(Arc::new(result.with_precision_and_scale(precision, scale)?))
}

fn to_date(array: &ArrayRef, is_try: bool) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Utf8 => {
            Ok(Arc::new(read_texts::<Date32Type>(array, is_try, &DataType::Date32, |text| {
                i32::try_from(read::date(text)?.days()).ok()
            })?))
        }
        DataType::Timestamp(_, _) => {
            let millis = timestamp_millis(array)?;
            Ok(Arc::new(millis.unary_opt::<_, Date32Type>(|millis| {
                i32::try_from(millis.div_euclid(MILLIS_PER_DAY)).ok()
            })))
        }
        _ => Ok(Arc::clone(array)),
    }
}

/// TIME keeps whole seconds: Flink's text and JSON show no more.
fn to_time(array: &ArrayRef, is_try: bool) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Utf8 => Ok(Arc::new(read_texts::<Time32MillisecondType>(
            array,
            is_try,
            &DataType::Time32(TimeUnit::Millisecond),
            |text| i32::try_from(read::time(text.trim())?.seconds() * 1000).ok(),
        )?)),
        DataType::Timestamp(_, _) => {
            let millis = timestamp_millis(array)?;
            Ok(Arc::new(millis.unary_opt::<_, Time32MillisecondType>(|millis| {
                let of_day = millis.rem_euclid(MILLIS_PER_DAY);
                i32::try_from(of_day - of_day % 1000).ok()
            })))
        }
        _ => Ok(Arc::clone(array)),
    }
}

/// Milliseconds of a timestamp of any unit, cut (not rounded) toward the past.
pub(super) fn timestamp_millis(
    array: &ArrayRef,
) -> Result<PrimitiveArray<TimestampMillisecondType>> {
    let unit = match array.data_type() {
        DataType::Timestamp(unit, _) => *unit,
        other => return exec_err!("{other} is no timestamp"),
    };
    let units = cast(array, &DataType::Int64)?;
    let per_second = per_second(unit);
    let units = units.as_primitive::<Int64Type>();
    Ok(if per_second > 1000 {
        units.unary(|value| value.div_euclid(per_second / 1000))
    } else {
        units.unary_opt(|value| value.checked_mul(1000 / per_second))
    })
}

fn to_timestamp(
    array: &ArrayRef,
    target: &TargetType,
    unit: TimeUnit,
    is_try: bool,
) -> Result<ArrayRef> {
    let to = per_second(unit);
    let grain = 10_i64.pow(super::types::digits_of(unit).saturating_sub(target.fraction_digits));
    let values: PrimitiveArray<Int64Type> = match array.data_type() {
        DataType::Utf8 => read_texts(array, is_try, &target.data_type, |text| {
            let (day, time) = read::timestamp(text)?;
            join(day, time, to)
        })?,
        DataType::Date32 => array
            .as_primitive::<Date32Type>()
            .unary_opt(|days| i64::from(days).checked_mul(MILLIS_PER_DAY / 1000 * to)),
        DataType::Time32(_) => array
            .as_primitive::<Time32MillisecondType>()
            .unary(|millis| i64::from(millis) * (to / 1000)),
        DataType::Timestamp(from, _) => {
            let from = per_second(*from);
            let units = cast(array, &DataType::Int64)?;
            let units = units.as_primitive::<Int64Type>();
            if from > to {
                units.unary(|value| value.div_euclid(from / to))
            } else {
                units.unary_opt(|value| value.checked_mul(to / from))
            }
        }
        other => return exec_err!("cannot cast {other} to a timestamp"),
    };
    let values: PrimitiveArray<Int64Type> =
        if grain > 1 { values.unary(|value| value - value.rem_euclid(grain)) } else { values };
    let options = CastOptions { safe: false, ..CastOptions::default() };
    Ok(cast_with_options(&values, &target.data_type, &options)?)
}

fn to_list(array: &ArrayRef, target: &TargetType, is_try: bool) -> Result<ArrayRef> {
    let lists = array.as_list::<i32>();
    let (DataType::List(field), Some(item)) = (&target.data_type, &target.item) else {
        return exec_err!("cannot cast to {}", target.data_type);
    };
    // Only the items of these rows: others may not be convertible.
    let first = lists.value_offsets().first().copied().unwrap_or_default();
    let last = lists.value_offsets().last().copied().unwrap_or_default();
    let (start, end) = (usize::try_from(first).unwrap_or(0), usize::try_from(last).unwrap_or(0));
    let items = convert(&lists.values().slice(start, end - start), item, is_try)?;
    let lengths = lists.value_offsets().windows(2).map(|pair| pair[1] - pair[0]);
    let lengths = lengths.map(|length| usize::try_from(length).unwrap_or(0));
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(Arc::clone(field), offsets, items, lists.nulls().cloned())?))
}
