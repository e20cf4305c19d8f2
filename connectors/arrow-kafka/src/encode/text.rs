//! Numbers and times as the text that Flink (Java) gives them.

use std::cell::Cell;

use arrow::datatypes::TimeUnit;

/// An integer in decimal digits.
pub(super) fn integer(value: i64, out: &mut Vec<u8>) {
    // As many as the greatest value has, and its sign.
    let mut buffer = [b'-'; 20];
    let mut rest = value.unsigned_abs();
    let mut length = 0;
    for place in buffer.iter_mut().rev() {
        *place = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        length += 1;
        if rest == 0 {
            break;
        }
    }
    length += usize::from(value < 0);
    out.extend_from_slice(buffer.get(buffer.len() - length..).unwrap_or_default());
}

/// `value` with at least `width` digits, after its sign.
fn digits(is_negative: bool, mut value: u128, width: usize, out: &mut Vec<u8>) {
    // As many as the greatest value has.
    let mut buffer = [b'0'; 39];
    let mut count = 0;
    for place in buffer.iter_mut().rev() {
        if value == 0 && count >= width {
            break;
        }
        // Division of 128 bits is slow, and hardly any value needs it.
        if let Ok(small) = u64::try_from(value) {
            *place = b'0' + u8::try_from(small % 10).unwrap_or(0);
            value = u128::from(small / 10);
        } else {
            *place = b'0' + u8::try_from(value % 10).unwrap_or(0);
            value /= 10;
        }
        count += 1;
    }
    if is_negative {
        out.push(b'-');
    }
    out.extend_from_slice(buffer.get(buffer.len() - count..).unwrap_or_default());
}

/// A DOUBLE as Java writes it, with the fewest digits that give it back: `1.0`, `1.0E10`. Infinity
/// and NaN are words.
pub(super) fn double(value: f64, out: &mut Vec<u8>) {
    if value.is_finite() {
        float_text(ryu::Buffer::new().format_finite(value), value.abs(), out);
    } else {
        out.extend_from_slice(not_finite(value).as_bytes());
    }
}

/// A FLOAT, as [`double`].
pub(super) fn float(value: f32, out: &mut Vec<u8>) {
    if value.is_finite() {
        float_text(ryu::Buffer::new().format_finite(value), value.abs().into(), out);
    } else {
        out.extend_from_slice(not_finite(value.into()).as_bytes());
    }
}

fn not_finite(value: f64) -> &'static str {
    match value {
        _ if value.is_nan() => "NaN",
        _ if value > 0.0 => "Infinity",
        _ => "-Infinity",
    }
}

/// `shortest` has the right digits, but Java writes an exponent from 10^7 on and below 10^-3.
fn float_text(shortest: &str, magnitude: f64, out: &mut Vec<u8>) {
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        out.extend_from_slice(shortest.as_bytes());
        return;
    }
    let (sign, shortest) = match shortest.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", shortest),
    };
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let point = i64::try_from(whole.len()).unwrap_or(0);
    let exponent = exponent.parse::<i64>().unwrap_or(0);
    let all = || whole.bytes().chain(fraction.bytes());
    let zeros = all().take_while(|digit| *digit == b'0').count();
    let mut significant: Vec<u8> = all().skip(zeros).collect();
    while significant.len() > 1 && significant.last() == Some(&b'0') {
        significant.pop();
    }
    let (first, rest) = significant.split_first().map_or((b'0', &[][..]), |(f, rest)| (*f, rest));
    out.extend_from_slice(sign.as_bytes());
    out.push(first);
    out.push(b'.');
    out.extend_from_slice(if rest.is_empty() { b"0" } else { rest });
    out.push(b'E');
    integer(exponent + point - 1 - i64::try_from(zeros).unwrap_or(0), out);
}

/// A DECIMAL as Java's `BigDecimal` writes it without its trailing zeros: `48.2`, `1.2E+2`.
pub(super) fn decimal_stripped(value: i128, scale: i8, out: &mut Vec<u8>) {
    let (mut unscaled, mut scale) = (value.unsigned_abs(), i32::from(scale));
    if unscaled == 0 {
        out.push(b'0');
        return;
    }
    while unscaled % 10 == 0 {
        unscaled /= 10;
        scale -= 1;
    }
    let count = i32::try_from(unscaled.ilog10()).unwrap_or(0) + 1;
    let exponent = count - 1 - scale;
    if scale >= 0 && exponent >= -6 {
        plain(value < 0, unscaled, scale, out);
        return;
    }
    let is_negative = value < 0;
    plain(is_negative, unscaled, count - 1, out);
    out.push(b'E');
    if exponent > 0 {
        out.push(b'+');
    }
    integer(exponent.into(), out);
}

/// A DECIMAL with all digits of its scale and no exponent: `120.00`.
pub(super) fn decimal_plain(value: i128, scale: i8, out: &mut Vec<u8>) {
    let zeros = u32::from(scale.min(0).unsigned_abs());
    let unscaled = value.unsigned_abs().saturating_mul(10_u128.saturating_pow(zeros));
    plain(value < 0, unscaled, i32::from(scale.max(0)), out);
}

/// `unscaled` with a point before its last `scale` digits.
fn plain(is_negative: bool, unscaled: u128, scale: i32, out: &mut Vec<u8>) {
    let scale = usize::try_from(scale).unwrap_or(0);
    digits(is_negative, unscaled, scale + 1, out);
    if scale > 0 {
        let point = out.len() - scale;
        out.insert(point, b'.');
    }
}

/// A DATE: `2026-01-01`.
pub(super) fn date(days: i32, out: &mut Vec<u8>) {
    civil_date(i64::from(days), out);
}

/// A TIME with the fraction that it has: `10:11:12` or `10:11:12.5`.
pub(super) fn time(milliseconds: i32, out: &mut Vec<u8>) {
    let milliseconds = u32::try_from(milliseconds).unwrap_or(0);
    time_of_day(milliseconds / 1_000, out);
    fraction(milliseconds % 1_000, 3, out);
}

/// The last date that was written: those of a column are mostly the same.
#[derive(Debug, Default)]
pub(super) struct LastDate {
    /// The day that `text` stands for, if it has been written.
    days: Cell<Option<i64>>,
    text: Cell<[u8; 10]>,
}

impl LastDate {
    #[inline]
    fn write(&self, days: i64, out: &mut Vec<u8>) {
        if self.days.get() == Some(days) {
            out.extend_from_slice(&self.text.get());
            return;
        }
        let start = out.len();
        civil_date(days, out);
        if let Some(text) = out.get(start..).and_then(|text| text.try_into().ok()) {
            self.days.set(Some(days));
            self.text.set(text);
        }
    }
}

/// A TIMESTAMP or TIMESTAMP_LTZ: `2026-01-01T00:47:23.73`, `separator` between date and time.
pub(super) fn timestamp(
    value: i64,
    unit: TimeUnit,
    (separator, last): (u8, &LastDate),
    out: &mut Vec<u8>,
) {
    let (per_second, width) = match unit {
        TimeUnit::Second => (1, 0),
        TimeUnit::Millisecond => (1_000, 3),
        TimeUnit::Microsecond => (1_000_000, 6),
        TimeUnit::Nanosecond => (1_000_000_000, 9),
    };
    let seconds = value.div_euclid(per_second);
    last.write(seconds.div_euclid(86_400), out);
    out.push(separator);
    time_of_day(u32::try_from(seconds.rem_euclid(86_400)).unwrap_or(0), out);
    fraction(u32::try_from(value.rem_euclid(per_second)).unwrap_or(0), width, out);
}

fn time_of_day(seconds: u32, out: &mut Vec<u8>) {
    let [h1, h2] = two(seconds / 3_600);
    let [m1, m2] = two(seconds / 60 % 60);
    let [s1, s2] = two(seconds % 60);
    out.extend_from_slice(&[h1, h2, b':', m1, m2, b':', s1, s2]);
}

/// `.` and `width` digits of `value` less the zeros at their end; nothing for zero.
fn fraction(mut value: u32, mut width: usize, out: &mut Vec<u8>) {
    if value == 0 {
        return;
    }
    while value.is_multiple_of(10) {
        value /= 10;
        width -= 1;
    }
    let mut buffer = [b'.'; 10];
    for place in buffer.iter_mut().skip(1).take(width).rev() {
        *place = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
    out.extend_from_slice(buffer.get(..=width).unwrap_or_default());
}

/// The date of a day in the proleptic Gregorian calendar, as ISO 8601 writes it.
fn civil_date(days: i64, out: &mut Vec<u8>) {
    // Days since 1 March of year 0, so that the leap day is the last of its year; eras of 400
    // years have the same number of days.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let [m1, m2] = two(u32::try_from(month).unwrap_or(0));
    let [d1, d2] = two(u32::try_from(day).unwrap_or(0));
    if let Ok(year @ 0..=9_999) = u32::try_from(year) {
        let [y1, y2] = two(year / 100);
        let [y3, y4] = two(year % 100);
        out.extend_from_slice(&[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2]);
        return;
    }
    if year > 0 {
        out.push(b'+');
    }
    digits(year < 0, year.unsigned_abs().into(), 4, out);
    out.extend_from_slice(&[b'-', m1, m2, b'-', d1, d2]);
}

fn two(value: u32) -> [u8; 2] {
    let digit = |value: u32| b'0' + u8::try_from(value % 10).unwrap_or(0);
    [digit(value / 10), digit(value)]
}

/// Standard base64 with padding.
pub(super) fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::STANDARD;
    let start = out.len();
    let length = bytes.len().div_ceil(3) * 4;
    out.resize(start + length, b'=');
    let written =
        out.get_mut(start..).and_then(|room| engine.encode_slice(bytes, room).ok()).unwrap_or(0);
    out.truncate(start + written);
}

#[cfg(test)]
mod tests;
