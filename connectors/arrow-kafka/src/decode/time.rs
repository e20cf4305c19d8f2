//! Dates and times from text.
//!
//! Accepted: `2026-01-01T00:00:00.178Z` with `T` or a space, without seconds, with any number of
//! fraction digits (those that the type cannot hold are cut, as in Flink), with `Z`, an offset or
//! nothing (which means UTC).

use arrow::datatypes::TimeUnit;

/// A point in time, before it is cut to a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instant {
    seconds: i64,
    nanos: u32,
}

impl Instant {
    /// In units since the epoch; none if out of range.
    pub(super) fn in_units(self, unit: TimeUnit) -> Option<i64> {
        let (per_second, nanos_per_unit) = match unit {
            TimeUnit::Second => (1, 1_000_000_000),
            TimeUnit::Millisecond => (1_000, 1_000_000),
            TimeUnit::Microsecond => (1_000_000, 1_000),
            TimeUnit::Nanosecond => (1_000_000_000, 1),
        };
        self.seconds.checked_mul(per_second)?.checked_add(i64::from(self.nanos / nanos_per_unit))
    }
}

/// Milliseconds since the epoch in another unit; none if out of range.
pub(super) fn milliseconds_in_units(milliseconds: i64, unit: TimeUnit) -> Option<i64> {
    match unit {
        TimeUnit::Second => Some(milliseconds.div_euclid(1_000)),
        TimeUnit::Millisecond => Some(milliseconds),
        TimeUnit::Microsecond => milliseconds.checked_mul(1_000),
        TimeUnit::Nanosecond => milliseconds.checked_mul(1_000_000),
    }
}

/// The last date that was read: those of a stream are mostly the same.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LastDate {
    text: [u8; 10],
    days: i32,
}

/// A timestamp in one of the forms above.
pub(super) fn timestamp(text: &str, last: &mut LastDate) -> Option<Instant> {
    let (date, rest) = text.as_bytes().split_first_chunk::<10>()?;
    if last.text != *date {
        *last = LastDate { text: *date, days: days(*date)? };
    }
    let days = last.days;
    let (separator, rest) = rest.split_first()?;
    if !matches!(separator, b'T' | b' ' | b't') {
        return None;
    }
    let (time, rest) = time_of_day(rest)?;
    let offset = offset_seconds(rest)?;
    let seconds = i64::from(days) * 86_400 + i64::from(time.seconds) - i64::from(offset);
    Some(Instant { seconds, nanos: time.nanos })
}

/// Days since the epoch of `2026-01-01`.
pub(super) fn date(text: &str) -> Option<i32> {
    days(text.as_bytes().try_into().ok()?)
}

/// Milliseconds since midnight of `10:11:12.345`; a `Z` at the end is allowed.
pub(super) fn time(text: &str) -> Option<i32> {
    let (time, rest) = time_of_day(text.as_bytes())?;
    if !matches!(rest, b"" | b"Z") {
        return None;
    }
    i32::try_from(time.seconds * 1_000 + time.nanos / 1_000_000).ok()
}

struct TimeOfDay {
    seconds: u32,
    nanos: u32,
}

/// `HH:MM[:SS[.fraction]]` and what follows.
fn time_of_day(bytes: &[u8]) -> Option<(TimeOfDay, &[u8])> {
    let (whole, rest) = match bytes.split_first_chunk::<8>() {
        Some(([h1, h2, b':', m1, m2, b':', s1, s2], rest)) => {
            ([*h1, *h2, *m1, *m2, *s1, *s2], rest)
        }
        _ => match bytes.split_first_chunk::<5>()? {
            ([h1, h2, b':', m1, m2], rest) => ([*h1, *h2, *m1, *m2, b'0', b'0'], rest),
            _ => return None,
        },
    };
    let [h1, h2, m1, m2, s1, s2] = digits(whole)?;
    let (hours, minutes, whole_seconds) = (h1 * 10 + h2, m1 * 10 + m2, s1 * 10 + s2);
    if hours > 23 || minutes > 59 || whole_seconds > 59 {
        return None;
    }
    let seconds = hours * 3_600 + minutes * 60 + whole_seconds;
    match rest {
        [b'.', fraction_and_rest @ ..] => {
            let (nanos, rest) = fraction(fraction_and_rest)?;
            Some((TimeOfDay { seconds, nanos }, rest))
        }
        _ => Some((TimeOfDay { seconds, nanos: 0 }, rest)),
    }
}

/// The values of digits, checked all at once.
#[inline]
fn digits<const N: usize>(text: [u8; N]) -> Option<[u32; N]> {
    let values = text.map(|byte| byte.wrapping_sub(b'0'));
    let is_digits = values.iter().fold(0, |most, value| most.max(*value)) < 10;
    is_digits.then(|| values.map(u32::from))
}

/// At least one digit; those after the ninth are read and cut.
fn fraction(bytes: &[u8]) -> Option<(u32, &[u8])> {
    // Milliseconds are what most have.
    if let Some(([d1, d2, d3], rest)) = bytes.split_first_chunk::<3>()
        && !rest.first().is_some_and(u8::is_ascii_digit)
        && let Some([d1, d2, d3]) = digits([*d1, *d2, *d3])
    {
        return Some(((d1 * 100 + d2 * 10 + d3) * 1_000_000, rest));
    }
    let count = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = bytes.split_at_checked(count)?;
    if digits.is_empty() {
        return None;
    }
    let mut nanos = 0;
    let mut place = 100_000_000;
    for digit in digits.iter().take(9) {
        nanos += u32::from(digit - b'0') * place;
        place /= 10;
    }
    Some((nanos, rest))
}

/// Seconds east of UTC: nothing, `Z`, `+02`, `+0200` or `+02:00`.
fn offset_seconds(bytes: &[u8]) -> Option<i32> {
    let (sign, h1, h2, m1, m2) = match bytes {
        b"" | b"Z" | b"z" => return Some(0),
        [sign, h1, h2] => (sign, h1, h2, &b'0', &b'0'),
        [sign, h1, h2, m1, m2] | [sign, h1, h2, b':', m1, m2] => (sign, h1, h2, m1, m2),
        _ => return None,
    };
    let (hours, minutes) = (two(*h1, *h2)?, two(*m1, *m2)?);
    if hours > 18 || minutes > 59 {
        return None;
    }
    let seconds = i32::try_from(hours * 3_600 + minutes * 60).ok()?;
    match sign {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

/// Days since the epoch of `YYYY-MM-DD` in the proleptic Gregorian calendar.
fn days(date: [u8; 10]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = date else { return None };
    let [y1, y2, y3, y4, m1, m2, d1, d2] = digits([y1, y2, y3, y4, m1, m2, d1, d2])?;
    let year = i32::try_from(y1 * 1_000 + y2 * 100 + y3 * 10 + y4).ok()?;
    let (month, day) = (m1 * 10 + m2, d1 * 10 + d2);
    if day == 0 || day > days_in_month(year, month)? {
        return None;
    }
    // Count from 1 March of year 0, so that the leap day is the last of its year.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let day_of_year = i32::try_from((153 * month + 2) / 5 + day - 1).ok()?;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    const FIRST_MARCH_OF_YEAR_0: i32 = -719_468;
    Some(FIRST_MARCH_OF_YEAR_0 + year * 365 + leap_days + day_of_year)
}

fn days_in_month(year: i32, month: u32) -> Option<u32> {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => Some(29),
        2 => Some(28),
        _ => None,
    }
}

fn two(tens: u8, ones: u8) -> Option<u32> {
    (tens.is_ascii_digit() && ones.is_ascii_digit())
        .then(|| u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
}

#[cfg(test)]
mod tests;
