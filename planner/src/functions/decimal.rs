//! Arithmetic on DECIMAL, and the remainder of whole numbers, with Flink's result types.
//!
//! What does not fit the result's precision is NULL, as in Flink.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type, i256};
use datafusion::common::{DataFusionError, Result, exec_err, plan_err};
use datafusion::logical_expr::ReturnFieldArgs;

use super::builtin::{Definition, define, returns};
use super::call::{Call, Column};
use super::types::{decimal_of, flink_type_name};

/// What `+` is called when a DECIMAL takes part.
pub(super) const ADD: &str = "$ADD";
pub(super) const SUBTRACT: &str = "$SUBTRACT";
pub(super) const MULTIPLY: &str = "$MULTIPLY";
pub(super) const DIVIDE: &str = "$DIVIDE";
pub(super) const MODULO: &str = "$MODULO";

pub(super) const DEFINITIONS: &[Definition] = &[
    define(ADD, "NN", |args| result_type(args, sum_type), |call| calculate(call, Operation::Add)),
    define(
        SUBTRACT,
        "NN",
        |args| result_type(args, sum_type),
        |call| calculate(call, Operation::Subtract),
    ),
    define(
        MULTIPLY,
        "NN",
        |args| result_type(args, product_type),
        |call| calculate(call, Operation::Multiply),
    ),
    define(
        DIVIDE,
        "NN",
        |args| result_type(args, quotient_type),
        |call| calculate(call, Operation::Divide),
    ),
    define(MODULO, "NN", remainder_type, remainder),
    define("MOD", "NN", remainder_type, remainder),
];

/// Digits before and after the point, together and after.
type Digits = (i32, i32);

const DIGITS_MAX: i32 = 38;
/// Digits of a fraction that survive when the result is too wide.
const FRACTION_DIGITS_KEPT: i32 = 6;

/// `10^exponent`; exponents above 38 give the greatest number.
pub(super) fn power_of_ten(exponent: u8) -> i128 {
    10_i128.checked_pow(u32::from(exponent)).unwrap_or(i128::MAX)
}

/// Division that rounds half away from zero.
pub(super) fn round_half_up(value: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (value / divisor, value % divisor);
    let rounds_up = rest.unsigned_abs() >= divisor.unsigned_abs().div_ceil(2);
    quotient + if rounds_up { value.signum() * divisor.signum() } else { 0 }
}

/// The digits at another scale, half rounded away from zero; nothing on overflow.
pub(super) fn rescale(value: i128, from: i8, to: i8) -> Option<i128> {
    let shift = i16::from(to) - i16::from(from);
    let factor = power_of_ten(u8::try_from(shift.unsigned_abs()).ok()?);
    if shift >= 0 { value.checked_mul(factor) } else { Some(round_half_up(value, factor)) }
}

fn sum_type((p1, s1): Digits, (p2, s2): Digits) -> Digits {
    let scale = s1.max(s2);
    ((p1 - s1).max(p2 - s2) + scale + 1, scale)
}

fn product_type((p1, s1): Digits, (p2, s2): Digits) -> Digits {
    (p1 + p2 + 1, s1 + s2)
}

fn quotient_type((p1, s1): Digits, (p2, s2): Digits) -> Digits {
    let scale = FRACTION_DIGITS_KEPT.max(s1 + p2 + 1);
    (p1 - s1 + s2 + scale, scale)
}

/// Cuts digits of the fraction, not of the whole, when there are too many.
fn fit((precision, scale): Digits) -> DataType {
    let whole = precision - scale;
    let (precision, scale) = if precision > DIGITS_MAX {
        (DIGITS_MAX, (DIGITS_MAX - whole).max(scale.min(FRACTION_DIGITS_KEPT)))
    } else {
        (precision, scale)
    };
    let precision = u8::try_from(precision).unwrap_or(38);
    DataType::Decimal128(precision, i8::try_from(scale).unwrap_or(0))
}

fn digits(data_type: &DataType) -> Option<Digits> {
    let (precision, scale) = decimal_of(data_type)?;
    Some((i32::from(precision), i32::from(scale)))
}

fn result_type(args: &ReturnFieldArgs<'_>, rule: fn(Digits, Digits) -> Digits) -> Result<DataType> {
    let (left, right) = (returns::argument(args, 0)?, returns::argument(args, 1)?);
    match (digits(&left), digits(&right)) {
        (Some(left), Some(right)) => Ok(fit(rule(left, right))),
        _ => Ok(DataType::Float64),
    }
}

/// The remainder of whole numbers has the type of the divisor.
fn remainder_type(args: &ReturnFieldArgs<'_>) -> Result<DataType> {
    let (left, right) = (returns::argument(args, 0)?, returns::argument(args, 1)?);
    match (digits(&left), digits(&right)) {
        (Some(_), Some(_)) if left.is_integer() && right.is_integer() => Ok(right),
        (Some((p1, s1)), Some((p2, s2))) => {
            let scale = s1.max(s2);
            Ok(fit(((p1 - s1).min(p2 - s2) + scale, scale)))
        }
        _ => plan_err!(
            "the remainder of {} by {} is not defined: cast to DECIMAL",
            flink_type_name(&left),
            flink_type_name(&right)
        ),
    }
}

#[derive(Clone, Copy)]
enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
}

fn division_by_zero() -> DataFusionError {
    DataFusionError::ArrowError(Box::new(arrow::error::ArrowError::DivideByZero), None)
}

/// An argument as a column of DECIMAL and its scale.
struct DecimalArgument {
    array: Decimal128Array,
    is_constant: bool,
    scale: i8,
}

impl DecimalArgument {
    fn new(call: &Call<'_>, index: usize) -> Result<Self> {
        let argument = call.argument(index)?;
        let Some((precision, scale)) = decimal_of(argument.array.data_type()) else {
            return exec_err!("`{}` needs decimals", call.name);
        };
        let array = cast(&argument.array, &DataType::Decimal128(precision, scale))?;
        let array = array.as_primitive::<Decimal128Type>().clone();
        Ok(Self { array, is_constant: argument.is_constant, scale })
    }

    fn column(&self) -> Column<&Decimal128Array> {
        if self.is_constant { Column::Constant(&self.array) } else { Column::Rows(&self.array) }
    }
}

fn calculate(call: &Call<'_>, operation: Operation) -> Result<ArrayRef> {
    let DataType::Decimal128(precision, scale) = *call.return_type else {
        return calculate_doubles(call, operation);
    };
    let (left, right) = (DecimalArgument::new(call, 0)?, DecimalArgument::new(call, 1)?);
    let limit = power_of_ten(precision).unsigned_abs();
    let (lefts, rights) = (left.column(), right.column());
    call.values::<Decimal128Type>(|row| {
        let (Some(a), Some(b)) = (lefts.get(row), rights.get(row)) else { return Ok(None) };
        let value = match operation {
            Operation::Add => add(a, left.scale, b, right.scale, scale),
            Operation::Subtract => add(a, left.scale, -b, right.scale, scale),
            Operation::Multiply => multiply(a, b, left.scale + right.scale, scale),
            Operation::Divide if b == 0 => return Err(division_by_zero()),
            Operation::Divide => divide(a, b, scale - left.scale + right.scale),
        };
        Ok(value.filter(|value| value.unsigned_abs() < limit))
    })
}

fn calculate_doubles(call: &Call<'_>, operation: Operation) -> Result<ArrayRef> {
    let left = cast(&call.array(0)?, &DataType::Float64)?;
    let right = cast(&call.array(1)?, &DataType::Float64)?;
    let (left, right) = (left.as_primitive::<Float64Type>(), right.as_primitive::<Float64Type>());
    let result =
        arrow::compute::binary::<_, _, _, Float64Type>(left, right, |a, b| match operation {
            Operation::Add => a + b,
            Operation::Subtract => a - b,
            Operation::Multiply => a * b,
            Operation::Divide => a / b,
        })?;
    Ok(Arc::new(result))
}

fn add(a: i128, a_scale: i8, b: i128, b_scale: i8, scale: i8) -> Option<i128> {
    let common = a_scale.max(b_scale);
    let sum = rescale(a, a_scale, common)?.checked_add(rescale(b, b_scale, common)?)?;
    rescale(sum, common, scale)
}

fn multiply(a: i128, b: i128, product_scale: i8, scale: i8) -> Option<i128> {
    if let Some(product) = a.checked_mul(b) {
        return rescale(product, product_scale, scale);
    }
    let product = i256::from_i128(a).checked_mul(i256::from_i128(b))?;
    let divisor = i256::from_i128(power_of_ten(u8::try_from(product_scale - scale).ok()?));
    wide_round(product, divisor)
}

fn divide(a: i128, b: i128, shift: i8) -> Option<i128> {
    let factor = power_of_ten(u8::try_from(shift).ok()?);
    if let Some(numerator) = a.checked_mul(factor) {
        return Some(round_half_up(numerator, b));
    }
    let numerator = i256::from_i128(a).checked_mul(i256::from_i128(factor))?;
    wide_round(numerator, i256::from_i128(b))
}

/// [`round_half_up`] where the numerator needs 256 bits.
fn wide_round(value: i256, divisor: i256) -> Option<i128> {
    let quotient = value.checked_div(divisor)?;
    let rest = value.checked_rem(divisor)?.wrapping_abs();
    let doubled = rest.checked_mul(i256::from_i128(2))?;
    let is_negative = (value < i256::ZERO) != (divisor < i256::ZERO);
    let step = i256::from_i128(if is_negative { -1 } else { 1 });
    if doubled >= divisor.wrapping_abs() {
        quotient.checked_add(step)?.to_i128()
    } else {
        quotient.to_i128()
    }
}

fn remainder(call: &Call<'_>) -> Result<ArrayRef> {
    let DataType::Decimal128(_, scale) = *call.return_type else {
        return whole_remainder(call);
    };
    let (left, right) = (DecimalArgument::new(call, 0)?, DecimalArgument::new(call, 1)?);
    let (lefts, rights) = (left.column(), right.column());
    call.values::<Decimal128Type>(|row| {
        let (Some(a), Some(b)) = (lefts.get(row), rights.get(row)) else { return Ok(None) };
        if b == 0 {
            return Err(division_by_zero());
        }
        let (a, b) = (rescale(a, left.scale, scale), rescale(b, right.scale, scale));
        Ok(a.zip(b).and_then(|(a, b)| a.checked_rem(b)))
    })
}

fn whole_remainder(call: &Call<'_>) -> Result<ArrayRef> {
    let (left, right) = (call.argument(0)?, call.argument(1)?);
    let (lefts, rights) =
        (cast(&left.array, &DataType::Int64)?, cast(&right.array, &DataType::Int64)?);
    let value = |array: &ArrayRef, is_constant: bool, row: usize| {
        let row = if is_constant { 0 } else { row };
        let array = array.as_primitive::<Int64Type>();
        array.is_valid(row).then(|| array.value(row))
    };
    let mut builder = arrow::array::Int64Builder::with_capacity(call.rows);
    for row in 0..call.rows {
        let a = value(&lefts, left.is_constant, row);
        let b = value(&rights, right.is_constant, row);
        match a.zip(b) {
            Some((_, 0)) => return Err(division_by_zero()),
            Some((a, b)) => builder.append_value(a.wrapping_rem(b)),
            None => builder.append_null(),
        }
    }
    Ok(cast(&builder.finish(), call.return_type)?)
}
