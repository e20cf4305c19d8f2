//! Mathematical functions.

#![expect(clippy::cast_precision_loss, reason = "a DOUBLE holds the nearest number")]
#![expect(clippy::cast_possible_truncation, reason = "Java narrows by cutting, as `as` does")]
#![expect(clippy::unnecessary_wraps, reason = "functions of one table have one shape")]

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, PrimitiveArray};
use arrow::compute::kernels::cmp::{gt, lt};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{cast, is_null, nullif, or};
use arrow::datatypes::{
    DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::ReturnFieldArgs;

use super::builtin::{Definition, define, returns};
use super::call::Call;
use super::decimal::{power_of_ten, round_half_up};

macro_rules! real {
    ($name:literal, $function:expr) => {
        define($name, "D", returns::double, |call| unary(call, $function))
    };
}

pub(super) const DEFINITIONS: &[Definition] = &[
    define("ABS", "N", returns::first, |call| {
        map(call, i64::wrapping_abs, f64::abs, |value, _| Some(value.wrapping_abs()))
    }),
    define("SIGN", "N", returns::first, |call| {
        map(call, i64::signum, sign, |value, scale| {
            Some(value.signum() * power_of_ten(scale.unsigned_abs()))
        })
    }),
    define("CEIL", "N", whole_type, |call| map(call, |v| v, f64::ceil, ceil_decimal)),
    define("CEILING", "N", whole_type, |call| map(call, |v| v, f64::ceil, ceil_decimal)),
    define("FLOOR", "N", whole_type, |call| map(call, |v| v, f64::floor, floor_decimal)),
    define("ROUND", "N NL", rounded_type, |call| to_digits(call, true)),
    define("TRUNCATE", "N NL", rounded_type, |call| to_digits(call, false)),
    define("$NEGATE", "N", returns::first, |call| {
        map(call, i64::wrapping_neg, |v| -v, |value, _| Some(-value))
    }),
    real!("SQRT", f64::sqrt),
    real!("EXP", f64::exp),
    real!("LN", f64::ln),
    real!("LOG10", f64::log10),
    real!("LOG2", |x| x.ln() / std::f64::consts::LN_2),
    real!("SIN", f64::sin),
    real!("COS", f64::cos),
    real!("TAN", f64::tan),
    real!("COT", |x| 1.0 / x.tan()),
    real!("ASIN", f64::asin),
    real!("ACOS", f64::acos),
    real!("ATAN", f64::atan),
    real!("SINH", f64::sinh),
    real!("COSH", f64::cosh),
    real!("TANH", f64::tanh),
    real!("DEGREES", f64::to_degrees),
    real!("RADIANS", |x| x / 180.0 * std::f64::consts::PI),
    define("LOG", "D DD", returns::double, |call| match call.argument_count() {
        1 => unary(call, f64::ln),
        _ => binary(call, |base, x| x.ln() / base.ln()),
    }),
    define("POWER", "DD", returns::double, |call| binary(call, f64::powf)),
    define("ATAN2", "DD", returns::double, |call| binary(call, f64::atan2)),
    define("PI", "", returns::double, |call| call.doubles(|_| Ok(Some(std::f64::consts::PI)))),
    define("E", "", returns::double, |call| call.doubles(|_| Ok(Some(std::f64::consts::E)))),
    define("GREATEST", "=*", returns::first, |call| extreme(call, true)),
    define("LEAST", "=*", returns::first, |call| extreme(call, false)),
];

fn unary(call: &Call<'_>, function: fn(f64) -> f64) -> Result<ArrayRef> {
    let array = call.array(0)?;
    Ok(Arc::new(array.as_primitive::<Float64Type>().unary::<_, Float64Type>(function)))
}

fn binary(call: &Call<'_>, function: fn(f64, f64) -> f64) -> Result<ArrayRef> {
    let (left, right) = (call.argument(0)?, call.argument(1)?);
    let (left, right) = (left.doubles()?, right.doubles()?);
    call.doubles(|row| Ok(left.get(row).zip(right.get(row)).map(|(a, b)| function(a, b))))
}

fn sign(value: f64) -> f64 {
    if value == 0.0 || value.is_nan() { value } else { value.signum() }
}

/// The same precision, no fraction.
fn whole_type(args: &ReturnFieldArgs<'_>) -> Result<DataType> {
    Ok(match returns::first(args)? {
        DataType::Decimal128(precision, _) => DataType::Decimal128(precision, 0),
        other => other,
    })
}

/// One digit more before the point than the number has, and as many behind it as asked for.
fn rounded_type(args: &ReturnFieldArgs<'_>) -> Result<DataType> {
    let number = returns::first(args)?;
    let DataType::Decimal128(precision, scale) = number else { return Ok(number) };
    let digits = match args.arg_fields.len() {
        1 => 0,
        _ => match returns::integer(args, 1) {
            Some(digits) => digits,
            None => return plan_err!("the digits for a DECIMAL must be a literal"),
        },
    };
    if digits >= i64::from(scale) {
        return Ok(number);
    }
    let kept = i8::try_from(digits.max(0)).unwrap_or(scale);
    let whole = i16::from(precision) - i16::from(scale) + 1 + i16::from(kept);
    Ok(DataType::Decimal128(u8::try_from(whole).unwrap_or(38).min(38), kept))
}

fn ceil_decimal(value: i128, scale: i8) -> Option<i128> {
    Some(-(-value).div_euclid(power_of_ten(scale.unsigned_abs())))
}

fn floor_decimal(value: i128, scale: i8) -> Option<i128> {
    Some(value.div_euclid(power_of_ten(scale.unsigned_abs())))
}

/// Applies the function for the family of the first argument, in the width of the result.
fn map(
    call: &Call<'_>,
    whole: impl Fn(i64) -> i64,
    real: impl Fn(f64) -> f64,
    decimal: impl Fn(i128, i8) -> Option<i128>,
) -> Result<ArrayRef> {
    let array = call.array(0)?;
    match array.data_type() {
        DataType::Decimal128(_, scale) => {
            let decimals = array.as_primitive::<Decimal128Type>();
            let result: PrimitiveArray<Decimal128Type> =
                decimals.unary_opt(|value| decimal(value, *scale));
            Ok(Arc::new(result.with_data_type(call.return_type.clone())))
        }
        DataType::Float64 => {
            Ok(Arc::new(array.as_primitive::<Float64Type>().unary::<_, Float64Type>(real)))
        }
        DataType::Float32 => {
            let real = |value: f32| real(f64::from(value)) as f32;
            Ok(Arc::new(array.as_primitive::<Float32Type>().unary::<_, Float32Type>(real)))
        }
        _ => {
            let wide = cast(&array, &DataType::Int64)?;
            narrow(&wide.as_primitive::<Int64Type>().unary(whole), call.return_type)
        }
    }
}

/// Whole numbers in a smaller width; what does not fit wraps.
fn narrow(wide: &Int64Array, width: &DataType) -> Result<ArrayRef> {
    Ok(match width {
        DataType::Int8 => Arc::new(wide.unary::<_, Int8Type>(|value| value as i8)),
        DataType::Int16 => Arc::new(wide.unary::<_, Int16Type>(|value| value as i16)),
        DataType::Int32 => Arc::new(wide.unary::<_, Int32Type>(|value| value as i32)),
        DataType::Int64 => Arc::new(wide.clone()),
        other => return exec_err!("{other} is no whole number"),
    })
}

/// `ROUND` (half away from zero) and `TRUNCATE` (toward zero).
fn to_digits(call: &Call<'_>, rounds: bool) -> Result<ArrayRef> {
    if call.argument_count() == 1 {
        return to_constant_digits(call, 0, rounds);
    }
    let digits = call.argument(1)?;
    let column = digits.bigints()?;
    let clamp = |digits: i64| i32::try_from(digits.clamp(-400, 400)).unwrap_or(0);
    if let Some(digits) = column.constant() {
        return to_constant_digits(call, clamp(digits), rounds);
    }
    // A column of digits is rare: every row is a call of its own.
    let array = call.array(0)?;
    let mut rows: Vec<ArrayRef> = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let value = datafusion::logical_expr::ColumnarValue::Array(array.slice(row, 1));
        let one = Call { arguments: &[value], rows: 1, ..*call };
        rows.push(match column.get(row) {
            Some(digits) => to_constant_digits(&one, clamp(digits), rounds)?,
            None => arrow::array::new_null_array(call.return_type, 1),
        });
    }
    let rows: Vec<&dyn Array> = rows.iter().map(AsRef::as_ref).collect();
    Ok(arrow::compute::concat(&rows)?)
}

fn to_constant_digits(call: &Call<'_>, digits: i32, rounds: bool) -> Result<ArrayRef> {
    let result_scale = match call.return_type {
        DataType::Decimal128(_, scale) => *scale,
        _ => 0,
    };
    map(
        call,
        |value| cut_whole(i128::from(value), digits, rounds) as i64,
        |value| cut_real(value, digits, rounds),
        |value, scale| {
            let dropped = i32::from(scale) - digits;
            let cut = cut_whole(value, -dropped, rounds);
            super::decimal::rescale(cut, scale, result_scale)
        },
    )
}

/// Zeroes the digits below `10^-digits` of a whole number.
fn cut_whole(value: i128, digits: i32, rounds: bool) -> i128 {
    if digits >= 0 {
        return value;
    }
    let unit = power_of_ten(u8::try_from(-digits).unwrap_or(u8::MAX));
    if rounds { round_half_up(value, unit).wrapping_mul(unit) } else { value - value % unit }
}

/// How near to a tie the product must be before its decimal digits are looked at.
const TIE_TOLERANCE: f64 = 1e-4;
/// Above it a double has no fraction to cut.
const WHOLE_DOUBLE: f64 = 4_503_599_627_370_496.0;

/// Cuts a double at its shortest decimal digits, as Java's `BigDecimal.valueOf` sees it.
fn cut_real(value: f64, digits: i32, rounds: bool) -> f64 {
    let factor = 10_f64.powi(digits);
    let scaled = value * factor;
    if !scaled.is_finite() || scaled.abs() >= WHOLE_DOUBLE {
        return value;
    }
    let fraction = scaled.abs().fract();
    let tie = if rounds { (fraction - 0.5).abs() } else { fraction.min(1.0 - fraction) };
    let whole = if tie < TIE_TOLERANCE {
        let exact = exact_digits(value, digits, rounds);
        exact.unwrap_or_else(|| if rounds { scaled.round() } else { scaled.trunc() })
    } else if rounds {
        scaled.round()
    } else {
        scaled.trunc()
    };
    if digits >= 0 { whole / factor } else { whole * 10_f64.powi(-digits) }
}

/// The digits of the shortest text of `value` up to `10^-digits`.
fn exact_digits(value: f64, digits: i32, rounds: bool) -> Option<f64> {
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    let places = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let number: i128 = mantissa.replace('.', "").parse().ok()?;
    let dropped = i32::try_from(places).ok()? - exponent - digits;
    if dropped <= 0 {
        return None;
    }
    let unit = power_of_ten(u8::try_from(dropped).ok()?);
    Some(if rounds { round_half_up(number, unit) as f64 } else { (number / unit) as f64 })
}

/// The greatest or least of the arguments, which are of one type; NULL if one is NULL.
fn extreme(call: &Call<'_>, greatest: bool) -> Result<ArrayRef> {
    let mut best = call.array(0)?;
    let mut has_null = is_null(&best)?;
    for index in 1..call.argument_count() {
        let next = call.array(index)?;
        has_null = or(&has_null, &is_null(&next)?)?;
        let takes_next = if greatest { gt(&next, &best)? } else { lt(&next, &best)? };
        best = zip(&takes_next, &next, &best)?;
    }
    if has_null.true_count() == 0 {
        return Ok(best);
    }
    Ok(nullif(&best, &has_null)?)
}
