//! Numbers from text, without losing anything silently.

use crate::rejected::Problem;

/// A number that is written as an integer, as JSON or a Java parser would take it.
///
/// `literal` is a JSON number (fraction and exponent allowed if the value is whole), else text
/// (digits with an optional sign only).
pub(super) fn integer(text: &str, literal: bool) -> Result<i64, Problem> {
    if let Ok(value) = text.parse::<i64>() {
        return Ok(value);
    }
    if !literal && !is_integer_text(text) {
        return Err(Problem::WrongType);
    }
    let scaled = scaled(text, 0).ok_or(Problem::OutOfRange)?;
    if !scaled.is_exact {
        return Err(Problem::Inexact);
    }
    i64::try_from(scaled.value).map_err(|_too_large| Problem::OutOfRange)
}

fn is_integer_text(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A DOUBLE. Text, but no JSON number, may also say `NaN`, `Infinity` or `-Infinity`.
pub(super) fn double(text: &str, literal: bool) -> Result<f64, Problem> {
    match text {
        "NaN" if !literal => return Ok(f64::NAN),
        "Infinity" if !literal => return Ok(f64::INFINITY),
        "-Infinity" if !literal => return Ok(f64::NEG_INFINITY),
        _ => {}
    }
    if !is_decimal_text(text) {
        return Err(Problem::WrongType);
    }
    let value = text.parse::<f64>().map_err(|_not_a_number| Problem::WrongType)?;
    if value.is_finite() { Ok(value) } else { Err(Problem::OutOfRange) }
}

/// A FLOAT, as [`double`].
pub(super) fn float(text: &str, literal: bool) -> Result<f32, Problem> {
    match text {
        "NaN" if !literal => return Ok(f32::NAN),
        "Infinity" if !literal => return Ok(f32::INFINITY),
        "-Infinity" if !literal => return Ok(f32::NEG_INFINITY),
        _ => {}
    }
    if !is_decimal_text(text) {
        return Err(Problem::WrongType);
    }
    let value = text.parse::<f32>().map_err(|_not_a_number| Problem::WrongType)?;
    if value.is_finite() { Ok(value) } else { Err(Problem::OutOfRange) }
}

/// A DECIMAL(precision, scale): rounded half up, as Flink does.
pub(super) fn decimal(text: &str, precision: u8, scale: i8) -> Result<i128, Problem> {
    if !is_decimal_text(text) {
        return Err(Problem::WrongType);
    }
    let value = scaled(text, i32::from(scale)).ok_or(Problem::OutOfRange)?.value;
    let limit = 10_i128.checked_pow(u32::from(precision)).ok_or(Problem::OutOfRange)?;
    if value.abs() < limit { Ok(value) } else { Err(Problem::OutOfRange) }
}

/// `[+-]digits[.digits][e[+-]digits]` with at least one digit before the exponent.
fn is_decimal_text(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let mut digits = 0;
    let mut points = 0;
    for byte in mantissa.bytes() {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'.' => points += 1,
            _ => return false,
        }
    }
    digits > 0 && points < 2 && exponent.is_none_or(is_integer_text)
}

/// A number times a power of ten.
struct Scaled {
    value: i128,
    is_exact: bool,
}

/// The most digits that an `i128` surely holds.
const MAX_DIGITS: i64 = 38;

/// `text`, which [`is_decimal_text`], times 10^`scale`, rounded half up. None if it has more than
/// 38 digits.
fn scaled(text: &str, scale: i32) -> Option<Scaled> {
    let (is_negative, text) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes()).skip_while(|digit| *digit == b'0');
    let count = i64::try_from(digits().count()).ok()?;
    if count == 0 {
        return Some(Scaled { value: 0, is_exact: true });
    }
    // Beyond these an exponent makes any number of fewer digits zero or too large.
    let exponent = match exponent.parse::<i64>() {
        Ok(exponent) => exponent.clamp(-1_000_000_000, 1_000_000_000),
        Err(_too_large) if exponent.starts_with('-') => -1_000_000_000,
        Err(_too_large) => 1_000_000_000,
    };
    let fraction_digits = i64::try_from(fraction.len()).ok()?;
    // How many of the digits stand before the point once scaled.
    let kept = count + exponent - fraction_digits + i64::from(scale);
    if kept > MAX_DIGITS {
        return None;
    }
    let mut value: i128 = 0;
    for digit in digits().take(usize::try_from(kept).unwrap_or(0)) {
        value = value * 10 + i128::from(digit - b'0');
    }
    for _missing in count..kept {
        value *= 10;
    }
    let mut is_exact = true;
    if kept < count {
        let dropped = || digits().skip(usize::try_from(kept).unwrap_or(0));
        is_exact = kept >= 0 && dropped().all(|digit| digit == b'0');
        if kept >= 0 && dropped().next().is_some_and(|digit| digit >= b'5') {
            value += 1;
        }
    }
    Some(Scaled { value: if is_negative { -value } else { value }, is_exact })
}

#[cfg(test)]
mod tests;
