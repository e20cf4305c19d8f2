//! Reads values from texts as Flink's `CAST` does; nothing if the text is none.

use crate::functions::calendar::{Day, TimeOfDay};
use crate::functions::decimal::{power_of_ten, round_half_up};

/// An integer; blanks around and a fraction behind it are dropped.
pub(super) fn integer(text: &str) -> Option<i128> {
    let text = text.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let (is_negative, digits) = match whole.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, whole.strip_prefix('+').unwrap_or(whole)),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(digits) || !all_digits(fraction) || digits.len() + fraction.len() == 0 {
        return None;
    }
    let value: i128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    Some(if is_negative { -value } else { value })
}

/// A floating point number as Java reads it, less its hexadecimal form.
pub(in crate::functions) fn double(text: &str) -> Option<f64> {
    let text = text.trim();
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, "NaN" | "Infinity") {
        return text.parse().ok();
    }
    let digits = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    let is_number = digits.bytes().all(|b| b.is_ascii_digit() || b".+-eE".contains(&b));
    if is_number { digits.parse().ok() } else { None }
}

/// The digits of a decimal number at the scale; half rounds away from zero.
pub(super) fn decimal(text: &str, scale: i8) -> Option<i128> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (is_negative, unsigned) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    if whole.len() + fraction.len() == 0 {
        return None;
    }
    let mut digits: i128 = 0;
    let mut dropped = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        let digit = i128::from(byte.is_ascii_digit().then(|| byte - b'0')?);
        match digits.checked_mul(10).and_then(|digits| digits.checked_add(digit)) {
            Some(more) if dropped == 0 => digits = more,
            _ => dropped += 1,
        }
    }
    let places = i32::try_from(fraction.len()).ok()? - dropped;
    let shift = exponent.checked_sub(places)?.checked_add(i32::from(scale))?;
    let magnitude = if shift >= 0 {
        let factor = u8::try_from(shift).ok().filter(|shift| *shift <= 38);
        match factor {
            Some(shift) => digits.checked_mul(power_of_ten(shift))?,
            None if digits == 0 => 0,
            None => return None,
        }
    } else {
        match u8::try_from(-shift) {
            Ok(shift) if shift <= 38 => round_half_up(digits, power_of_ten(shift)),
            Ok(_) | Err(_) => 0,
        }
    };
    Some(if is_negative { -magnitude } else { magnitude })
}

/// A boolean, in any case, without blanks around it.
pub(super) fn boolean(text: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(&["t", "true", "y", "yes", "1"]) {
        Some(true)
    } else if is(&["f", "false", "n", "no", "0"]) {
        Some(false)
    } else {
        None
    }
}

/// `yyyy[-M[-d]]`, blanks around it; what follows a blank is dropped.
pub(in crate::functions) fn date(text: &str) -> Option<Day> {
    let text = text.trim();
    let text = text.split_once(' ').map_or(text, |(date, _)| date);
    let mut parts = text.split('-');
    let year = number(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |part| number(part, 2))?;
    let day = parts.next().map_or(Some(1), |part| number(part, 2))?;
    if parts.next().is_some() {
        return None;
    }
    Day::new(i64::from(year), month, day)
}

/// `H[:m[:s[.f]]]`.
pub(super) fn time(text: &str) -> Option<TimeOfDay> {
    let mut parts = text.splitn(3, ':');
    let hour = number(parts.next()?, 2)?;
    let minute = parts.next().map_or(Some(0), |part| number(part, 2))?;
    let (second, nano) = parts.next().map_or(Some((0, 0)), seconds)?;
    TimeOfDay::new(hour, minute, second, nano)
}

/// `yyyy-M-d[ H:m:s[.f]]`. A day that its month lacks becomes the month's last.
pub(in crate::functions) fn timestamp(text: &str) -> Option<(Day, TimeOfDay)> {
    let (date, time) = match text.split_once(' ') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 {
        return None;
    }
    let day = Day::clipped(i64::from(number(year, 4)?), number(month, 2)?, number(day, 2)?)?;
    let Some(time) = time else { return Some((day, TimeOfDay::default())) };
    let mut parts = time.split(':');
    let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let (second, nano) = seconds(parts.next()?)?;
    if parts.next().is_some() {
        return None;
    }
    Some((day, TimeOfDay::new(hour, minute, second, nano)?))
}

fn seconds(text: &str) -> Option<(u32, u32)> {
    let (second, fraction) = match text.split_once('.') {
        Some((second, fraction)) => (second, fraction),
        None => (text, "0"),
    };
    let digits = u32::try_from(fraction.len()).ok().filter(|digits| (1..=9).contains(digits))?;
    Some((number(second, 2)?, number(fraction, 9)? * 10_u32.pow(9 - digits)))
}

/// Digits only, at most so many.
fn number(text: &str, digits_max: usize) -> Option<u32> {
    let is_number = (1..=digits_max).contains(&text.len());
    (is_number && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}
