//! The proleptic Gregorian calendar on plain numbers.
//!
//! Days count from 1970-01-01. Everything floors, so times before 1970 behave as those after it.

/// Seconds of a day.
pub(super) const SECONDS_PER_DAY: i64 = 86_400;
/// Milliseconds of a day.
pub(super) const MILLIS_PER_DAY: i64 = SECONDS_PER_DAY * 1000;

/// A day of the calendar.
#[expect(clippy::struct_field_names, reason = "a day of a month is called its day")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day {
    pub(super) year: i64,
    /// 1 to 12.
    pub(super) month: u32,
    /// 1 to 31.
    pub(super) day: u32,
}

/// A time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct TimeOfDay {
    pub(super) hour: u32,
    pub(super) minute: u32,
    pub(super) second: u32,
    pub(super) nano: u32,
}

impl Day {
    /// The day, if the calendar has it.
    pub(super) fn new(year: i64, month: u32, day: u32) -> Option<Self> {
        let valid = (-9999..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=month_length(year, month)).contains(&day);
        valid.then_some(Self { year, month, day })
    }

    /// The day, or the last of its month if the month is shorter (up to the 31st).
    pub(super) fn clipped(year: i64, month: u32, day: u32) -> Option<Self> {
        if !(1..=12).contains(&month) || day > 31 {
            return None;
        }
        Self::new(year, month, day.min(month_length(year, month)))
    }

    /// The day `days` after 1970-01-01.
    pub(super) fn from_days(days: i64) -> Self {
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self { year, month: small(month), day: small(day) }
    }

    /// Days since 1970-01-01.
    pub(super) fn days(self) -> i64 {
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let month = i64::from(self.month);
        let shifted_month = if month > 2 { month - 3 } else { month + 9 };
        let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(self.day) - 1;
        let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + of_era - 719_468
    }

    /// 1 to 366.
    pub(super) fn day_of_year(self) -> i64 {
        self.days() - Self { month: 1, day: 1, ..self }.days() + 1
    }

    /// The same day some months on, the last of the month if that is shorter.
    pub(super) fn plus_months(self, months: i64) -> Self {
        let total = self.year.saturating_mul(12).saturating_add(i64::from(self.month) - 1);
        let total = total.saturating_add(months);
        let (year, month) = (total.div_euclid(12), small(total.rem_euclid(12) + 1));
        Self { year, month, day: self.day.min(month_length(year, month)) }
    }

    /// Year and week by ISO 8601.
    pub(super) fn iso_week(self) -> (i64, i64) {
        let days = self.days();
        let thursday = days - (iso_weekday(days) - 1) + 3;
        let year = Self::from_days(thursday).year;
        let first = Self { year, month: 1, day: 1 }.days();
        (year, (thursday - first) / 7 + 1)
    }
}

impl TimeOfDay {
    /// The time, if the clock has it.
    pub(super) fn new(hour: u32, minute: u32, second: u32, nano: u32) -> Option<Self> {
        (hour < 24 && minute < 60 && second < 60 && nano < 1_000_000_000).then_some(Self {
            hour,
            minute,
            second,
            nano,
        })
    }

    /// The time so many seconds and nanoseconds after midnight.
    pub(super) fn from_seconds(seconds: i64, nano: u32) -> Self {
        let seconds = seconds.rem_euclid(SECONDS_PER_DAY);
        Self {
            hour: small(seconds / 3600),
            minute: small(seconds / 60 % 60),
            second: small(seconds % 60),
            nano,
        }
    }

    /// Seconds since midnight.
    pub(super) fn seconds(self) -> i64 {
        i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second)
    }
}

/// Monday is 1, Sunday 7.
pub(super) fn iso_weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7) + 1
}

/// Days of a month.
pub(super) fn month_length(year: i64, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Numbers of the calendar are small.
pub(super) fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// A point in time taken apart: `value` counts units of which `per_second` make a second.
pub(super) fn split(value: i64, per_second: i64) -> (Day, TimeOfDay) {
    let seconds = value.div_euclid(per_second);
    let nano = value.rem_euclid(per_second) * (1_000_000_000 / per_second);
    let day = Day::from_days(seconds.div_euclid(SECONDS_PER_DAY));
    (day, TimeOfDay::from_seconds(seconds, small(nano)))
}

/// The inverse of [`split`]; nothing if it leaves the range of 64 bits.
pub(super) fn join(day: Day, time: TimeOfDay, per_second: i64) -> Option<i64> {
    let seconds = day.days() * SECONDS_PER_DAY + time.seconds();
    let fraction = i64::from(time.nano) / (1_000_000_000 / per_second);
    seconds.checked_mul(per_second)?.checked_add(fraction)
}
