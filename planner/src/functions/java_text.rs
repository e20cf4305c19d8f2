//! The text of values, as Flink's `CAST(… AS STRING)` writes it.

use std::fmt::Write;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType,
};
use datafusion::common::{Result, exec_err};

use super::calendar::{Day, SECONDS_PER_DAY, TimeOfDay, split};
use super::types::{digits_of, per_second};

/// Writing into a `String` cannot fail.
pub(super) fn write(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments).unwrap_or_default();
}

/// A DOUBLE as Java writes it: `1.0`, `1.0E7`, `NaN`.
pub(super) fn write_double(out: &mut String, value: f64) {
    write_float(
        out,
        value.is_nan(),
        value.is_infinite(),
        value.is_sign_negative(),
        format_args!("{value:e}"),
    );
}

/// A FLOAT as Java writes it.
pub(super) fn write_real(out: &mut String, value: f32) {
    write_float(
        out,
        value.is_nan(),
        value.is_infinite(),
        value.is_sign_negative(),
        format_args!("{value:e}"),
    );
}

fn write_float(
    out: &mut String,
    is_nan: bool,
    is_infinite: bool,
    is_negative: bool,
    scientific: std::fmt::Arguments<'_>,
) {
    if is_nan {
        return out.push_str("NaN");
    }
    if is_infinite {
        return out.push_str(if is_negative { "-Infinity" } else { "Infinity" });
    }
    let text = scientific.to_string();
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    out.push_str(sign);
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    if !(-3..7).contains(&exponent) {
        let (head, tail) = digits.split_at(1);
        let tail = if tail.is_empty() { "0" } else { tail };
        return write(out, format_args!("{head}.{tail}E{exponent}"));
    }
    match usize::try_from(exponent + 1) {
        Ok(whole) if whole > 0 => {
            let whole_digits = digits.get(..whole).unwrap_or(&digits);
            let fraction = digits.get(whole..).filter(|rest| !rest.is_empty()).unwrap_or("0");
            write(out, format_args!("{whole_digits:0<whole$}.{fraction}"));
        }
        Ok(_) | Err(_) => {
            let zeros = usize::try_from(-1 - exponent).unwrap_or(0);
            write(out, format_args!("0.{:0<zeros$}{digits}", ""));
        }
    }
}

/// A DECIMAL with all digits of its scale.
pub(super) fn write_decimal(out: &mut String, value: i128, scale: i8) {
    let scale = usize::from(scale.unsigned_abs());
    let digits = value.unsigned_abs().to_string();
    if value < 0 {
        out.push('-');
    }
    if scale == 0 {
        return out.push_str(&digits);
    }
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    write(out, format_args!("{whole}.{fraction}"));
}

/// `2024-02-29`.
pub(super) fn write_date(out: &mut String, days: i64) {
    let Day { year, month, day } = Day::from_days(days);
    write(out, format_args!("{year:04}-{month:02}-{day:02}"));
}

/// `10:11:12` with so many digits of a fraction.
pub(super) fn write_time(out: &mut String, time: TimeOfDay, digits: u32) {
    write(out, format_args!("{:02}:{:02}:{:02}", time.hour, time.minute, time.second));
    if let Ok(width) = usize::try_from(digits)
        && width > 0
    {
        let fraction = time.nano / 10_u32.pow(9 - digits.min(9));
        write(out, format_args!(".{fraction:0width$}"));
    }
}

/// `2024-02-29 10:11:12.345`.
pub(super) fn write_timestamp(out: &mut String, value: i64, unit: TimeUnit) {
    let (day, time) = split(value, per_second(unit));
    write_date(out, day.days());
    out.push(' ');
    write_time(out, time, digits_of(unit));
}

/// The text of a value that is not NULL.
pub(super) fn write_value(out: &mut String, array: &dyn Array, row: usize) -> Result<()> {
    use DataType as D;
    match array.data_type() {
        D::Boolean => out.push_str(if array.as_boolean().value(row) { "TRUE" } else { "FALSE" }),
        D::Int8 => write(out, format_args!("{}", array.as_primitive::<Int8Type>().value(row))),
        D::Int16 => write(out, format_args!("{}", array.as_primitive::<Int16Type>().value(row))),
        D::Int32 => write(out, format_args!("{}", array.as_primitive::<Int32Type>().value(row))),
        D::Int64 => write(out, format_args!("{}", array.as_primitive::<Int64Type>().value(row))),
        D::Float32 => write_real(out, array.as_primitive::<Float32Type>().value(row)),
        D::Float64 => write_double(out, array.as_primitive::<Float64Type>().value(row)),
        D::Decimal128(_, scale) => {
            write_decimal(out, array.as_primitive::<Decimal128Type>().value(row), *scale);
        }
        D::Utf8 => out.push_str(array.as_string::<i32>().value(row)),
        D::Binary => out.push_str(&String::from_utf8_lossy(array.as_binary::<i32>().value(row))),
        D::Date32 => write_date(out, array.as_primitive::<Date32Type>().value(row).into()),
        D::Time32(_) => {
            let millis = i64::from(array.as_primitive::<Time32MillisecondType>().value(row));
            let seconds = millis.div_euclid(1000).rem_euclid(SECONDS_PER_DAY);
            write_time(out, TimeOfDay::from_seconds(seconds, 0), 0);
        }
        D::Timestamp(unit, _) => write_timestamp(out, timestamp_value(array, row, *unit), *unit),
        D::List(_) => write_list(out, array, row)?,
        D::Map(_, _) => write_map(out, array, row)?,
        D::Struct(_) => write_row(out, array, row)?,
        other => return exec_err!("{other} has no text"),
    }
    Ok(())
}

fn timestamp_value(array: &dyn Array, row: usize, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().value(row),
        TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().value(row),
        TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().value(row),
        TimeUnit::Second => {
            array.as_primitive::<arrow::datatypes::TimestampSecondType>().value(row)
        }
    }
}

fn write_nullable(out: &mut String, array: &dyn Array, row: usize) -> Result<()> {
    if array.is_null(row) {
        out.push_str("NULL");
        return Ok(());
    }
    write_value(out, array, row)
}

fn write_list(out: &mut String, array: &dyn Array, row: usize) -> Result<()> {
    let items = array.as_list::<i32>().value(row);
    out.push('[');
    for index in 0..items.len() {
        if index > 0 {
            out.push_str(", ");
        }
        write_nullable(out, items.as_ref(), index)?;
    }
    out.push(']');
    Ok(())
}

fn write_map(out: &mut String, array: &dyn Array, row: usize) -> Result<()> {
    let entries = array.as_map().value(row);
    out.push('{');
    for index in 0..entries.len() {
        if index > 0 {
            out.push_str(", ");
        }
        write_nullable(out, entries.column(0).as_ref(), index)?;
        out.push('=');
        write_nullable(out, entries.column(1).as_ref(), index)?;
    }
    out.push('}');
    Ok(())
}

fn write_row(out: &mut String, array: &dyn Array, row: usize) -> Result<()> {
    out.push('(');
    for (index, column) in array.as_struct().columns().iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        write_nullable(out, column.as_ref(), row)?;
    }
    out.push(')');
    Ok(())
}
