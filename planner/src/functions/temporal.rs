//! Parts of times, rounding to units, adding and subtracting.
//!
//! Everything floors. Flink truncates toward 1970 in some of these functions, so that the last
//! second of 1969 is in 1970 there; that is not followed.

#![expect(clippy::cast_possible_truncation, reason = "Java narrows by cutting, as `as` does")]

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Int32Type, Int64Type, Time32MillisecondType, TimeUnit,
};
use datafusion::common::{DataFusionError, Result, exec_err, plan_err};
use datafusion::logical_expr::ReturnFieldArgs;

use super::builtin::{Definition, define, returns};
use super::calendar::{Day, SECONDS_PER_DAY, TimeOfDay, iso_weekday, join, split};
use super::call::Call;
use super::types::per_second;

/// `EXTRACT(unit FROM x)` is `$EXTRACT('unit', x)`.
pub(crate) const EXTRACT: &str = "$EXTRACT";
/// `FLOOR(x TO unit)` is `$FLOOR_TO('unit', x)`.
pub(crate) const FLOOR_TO: &str = "$FLOOR_TO";
pub(crate) const CEIL_TO: &str = "$CEIL_TO";

pub(super) const DEFINITIONS: &[Definition] = &[
    define(EXTRACT, "ST SE SC", returns::bigint, |call| extract(call, unit(call)?, 1)),
    define(FLOOR_TO, "ST SE SC", returns::second, |call| to_unit(call, false)),
    define(CEIL_TO, "ST SE SC", returns::second, |call| to_unit(call, true)),
    define("TIMESTAMPADD", "SLT SLE SLC", sum_type, add),
    define("TIMESTAMPDIFF", "STT SEE STE SET", returns::int, difference),
    define("YEAR", "T E", returns::bigint, |call| extract(call, Unit::Year, 0)),
    define("QUARTER", "T E", returns::bigint, |call| extract(call, Unit::Quarter, 0)),
    define("MONTH", "T E", returns::bigint, |call| extract(call, Unit::Month, 0)),
    define("WEEK", "T E", returns::bigint, |call| extract(call, Unit::Week, 0)),
    define("DAYOFYEAR", "T E", returns::bigint, |call| extract(call, Unit::DayOfYear, 0)),
    define("DAYOFMONTH", "T E", returns::bigint, |call| extract(call, Unit::Day, 0)),
    define("DAYOFWEEK", "T E", returns::bigint, |call| extract(call, Unit::DayOfWeek, 0)),
    define("HOUR", "T C E", returns::bigint, |call| extract(call, Unit::Hour, 0)),
    define("MINUTE", "T C E", returns::bigint, |call| extract(call, Unit::Minute, 0)),
    define("SECOND", "T C E", returns::bigint, |call| extract(call, Unit::Second, 0)),
];

/// What a time is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Millennium,
    Century,
    Decade,
    Year,
    IsoYear,
    Quarter,
    Month,
    Week,
    Day,
    DayOfYear,
    DayOfWeek,
    IsoDayOfWeek,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
    Epoch,
}

impl Unit {
    fn parse(text: &str) -> Option<Self> {
        let name = text.strip_prefix("SQL_TSI_").unwrap_or(text);
        Some(match name {
            "MILLENNIUM" => Self::Millennium,
            "CENTURY" => Self::Century,
            "DECADE" => Self::Decade,
            "YEAR" | "YEARS" => Self::Year,
            "ISOYEAR" => Self::IsoYear,
            "QUARTER" | "QUARTERS" => Self::Quarter,
            "MONTH" | "MONTHS" => Self::Month,
            "WEEK" | "WEEKS" => Self::Week,
            "DAY" | "DAYS" => Self::Day,
            "DOY" => Self::DayOfYear,
            "DOW" => Self::DayOfWeek,
            "ISODOW" => Self::IsoDayOfWeek,
            "HOUR" | "HOURS" => Self::Hour,
            "MINUTE" | "MINUTES" => Self::Minute,
            "SECOND" | "SECONDS" => Self::Second,
            "MILLISECOND" => Self::Millisecond,
            "MICROSECOND" => Self::Microsecond,
            "NANOSECOND" => Self::Nanosecond,
            "EPOCH" => Self::Epoch,
            _ => return None,
        })
    }

    /// Months of a unit that is made of months.
    fn months(self) -> Option<i64> {
        match self {
            Self::Year => Some(12),
            Self::Quarter => Some(3),
            Self::Month => Some(1),
            _ => None,
        }
    }

    /// How long a unit of fixed length is, in nanoseconds.
    fn nanos(self) -> Option<i64> {
        const SECOND: i64 = 1_000_000_000;
        Some(match self {
            Self::Week => 7 * SECONDS_PER_DAY * SECOND,
            Self::Day => SECONDS_PER_DAY * SECOND,
            Self::Hour => 3600 * SECOND,
            Self::Minute => 60 * SECOND,
            Self::Second => SECOND,
            Self::Millisecond => 1_000_000,
            Self::Microsecond => 1_000,
            Self::Nanosecond => 1,
            _ => return None,
        })
    }
}

/// The unit that the first argument names.
fn unit(call: &Call<'_>) -> Result<Unit> {
    let text = call.literal(0).unwrap_or_default();
    Unit::parse(text).ok_or_else(|| unknown_unit(text))
}

fn unknown_unit(text: &str) -> DataFusionError {
    DataFusionError::Plan(format!("`{text}` is no unit of time"))
}

/// Times as counts of `1 / per_second` seconds since 1970 (TIME: since midnight).
struct Points {
    array: Int64Array,
    is_constant: bool,
    per_second: i64,
}

impl Points {
    fn new(call: &Call<'_>, index: usize) -> Result<Self> {
        let argument = call.argument(index)?;
        let per_second = match argument.array.data_type() {
            DataType::Timestamp(unit, _) => per_second(*unit),
            DataType::Time32(_) => 1000,
            _ => 1,
        };
        let array = match argument.array.data_type() {
            DataType::Timestamp(_, _) => {
                cast(&argument.array, &DataType::Int64)?.as_primitive::<Int64Type>().clone()
            }
            DataType::Time32(_) => argument
                .array
                .as_primitive::<Time32MillisecondType>()
                .unary::<_, Int64Type>(i64::from),
            DataType::Date32 => argument
                .array
                .as_primitive::<Date32Type>()
                .unary::<_, Int64Type>(|days| i64::from(days) * SECONDS_PER_DAY),
            other => return exec_err!("{other} is no time"),
        };
        Ok(Self { array, is_constant: argument.is_constant, per_second })
    }

    fn get(&self, row: usize) -> Option<i64> {
        let row = if self.is_constant { 0 } else { row };
        self.array.is_valid(row).then(|| self.array.value(row))
    }

    /// The result of a loop over the points, back in the result's type.
    fn map(
        &self,
        call: &Call<'_>,
        mut function: impl FnMut(usize, i64) -> Option<i64>,
    ) -> Result<ArrayRef> {
        let values: Int64Array = (0..call.rows)
            .map(|row| self.get(row).and_then(|point| function(row, point)))
            .collect();
        from_points(&values, self.per_second, call.return_type)
    }
}

fn from_points(values: &Int64Array, from: i64, to: &DataType) -> Result<ArrayRef> {
    Ok(match to {
        DataType::Timestamp(unit, _) => {
            let to_units = per_second(*unit);
            let scaled = values.unary_opt::<_, Int64Type>(|value| {
                i64::try_from(i128::from(value) * i128::from(to_units) / i128::from(from)).ok()
            });
            cast(&scaled, to)?
        }
        DataType::Date32 => Arc::new(values.unary_opt::<_, Date32Type>(|value| {
            i32::try_from(value.div_euclid(SECONDS_PER_DAY * from)).ok()
        })),
        DataType::Time32(_) => Arc::new(values.unary_opt::<_, Time32MillisecondType>(|value| {
            i32::try_from(value.rem_euclid(SECONDS_PER_DAY * from)).ok()
        })),
        other => return exec_err!("{other} is no time"),
    })
}

fn extract(call: &Call<'_>, unit: Unit, index: usize) -> Result<ArrayRef> {
    let points = Points::new(call, index)?;
    let per_second = points.per_second;
    call.bigints(|row| Ok(points.get(row).map(|point| part(unit, point, per_second))))
}

fn part(unit: Unit, point: i64, per_second: i64) -> i64 {
    let seconds = point.div_euclid(per_second);
    let nanos = || point.rem_euclid(per_second) * (1_000_000_000 / per_second);
    let day = || Day::from_days(seconds.div_euclid(SECONDS_PER_DAY));
    match unit {
        Unit::Millennium => (day().year - 1).div_euclid(1000) + 1,
        Unit::Century => (day().year - 1).div_euclid(100) + 1,
        Unit::Decade => day().year.div_euclid(10),
        Unit::Year => day().year,
        Unit::IsoYear => day().iso_week().0,
        Unit::Quarter => (i64::from(day().month) + 2) / 3,
        Unit::Month => day().month.into(),
        Unit::Week => day().iso_week().1,
        Unit::Day => day().day.into(),
        Unit::DayOfYear => day().day_of_year(),
        Unit::DayOfWeek => iso_weekday(seconds.div_euclid(SECONDS_PER_DAY)) % 7 + 1,
        Unit::IsoDayOfWeek => iso_weekday(seconds.div_euclid(SECONDS_PER_DAY)),
        Unit::Hour => seconds.div_euclid(3600).rem_euclid(24),
        Unit::Minute => seconds.div_euclid(60).rem_euclid(60),
        Unit::Second => seconds.rem_euclid(60),
        Unit::Millisecond => nanos() / 1_000_000,
        Unit::Microsecond => nanos() / 1_000,
        Unit::Nanosecond => nanos(),
        Unit::Epoch => seconds,
    }
}

/// `FLOOR` and `CEIL` of a time. Weeks begin on Sunday.
fn to_unit(call: &Call<'_>, is_ceil: bool) -> Result<ArrayRef> {
    let unit = unit(call)?;
    let points = Points::new(call, 1)?;
    let per_second = points.per_second;
    points.map(call, |_, point| {
        let floor = floor(unit, point, per_second)?;
        if is_ceil && floor < point { next(unit, floor, per_second) } else { Some(floor) }
    })
}

fn units(nanos: i64, per_second: i64) -> i64 {
    nanos / (1_000_000_000 / per_second)
}

fn floor(unit: Unit, point: i64, per_second: i64) -> Option<i64> {
    if unit == Unit::Week {
        // 1970-01-04 was the first Sunday.
        let (week, shift) = (7 * SECONDS_PER_DAY * per_second, 3 * SECONDS_PER_DAY * per_second);
        return Some((point - shift).div_euclid(week) * week + shift);
    }
    if let Some(nanos) = unit.nanos() {
        let length = units(nanos, per_second).max(1);
        return Some(point.div_euclid(length) * length);
    }
    let (day, _) = split(point, per_second);
    let day = match unit {
        Unit::Month => Day { day: 1, ..day },
        Unit::Quarter => Day { day: 1, month: (day.month - 1) / 3 * 3 + 1, ..day },
        Unit::Year => Day { day: 1, month: 1, ..day },
        Unit::Decade => Day { day: 1, month: 1, year: day.year.div_euclid(10) * 10 },
        _ => return None,
    };
    join(day, TimeOfDay::default(), per_second)
}

fn next(unit: Unit, floor: i64, per_second: i64) -> Option<i64> {
    if let Some(nanos) = unit.nanos() {
        return floor.checked_add(units(nanos, per_second).max(1));
    }
    let months = if unit == Unit::Decade { 120 } else { unit.months()? };
    add_months(floor, months, per_second)
}

fn add_months(point: i64, months: i64, per_second: i64) -> Option<i64> {
    let (day, _) = split(point, per_second);
    let of_day = point.rem_euclid(SECONDS_PER_DAY * per_second);
    let moved = day.plus_months(months).days();
    moved.checked_mul(SECONDS_PER_DAY * per_second)?.checked_add(of_day)
}

/// A DATE stays one unless the unit is shorter than a day.
fn sum_type(args: &ReturnFieldArgs<'_>) -> Result<DataType> {
    let text = returns::literal(args, 0).unwrap_or_default();
    let Some(unit) = Unit::parse(text) else { return Err(unknown_unit(text)) };
    let source = returns::argument(args, 2)?;
    let is_short = matches!(unit, Unit::Hour | Unit::Minute | Unit::Second | Unit::Millisecond);
    if unit.months().is_none() && unit.nanos().is_none() {
        return plan_err!("`{text}` cannot be added");
    }
    Ok(match source {
        DataType::Date32 if is_short => DataType::Timestamp(TimeUnit::Microsecond, None),
        other => other,
    })
}

fn add(call: &Call<'_>) -> Result<ArrayRef> {
    let unit = unit(call)?;
    let points = Points::new(call, 2)?;
    let counts = call.argument(1)?;
    let counts = counts.bigints()?;
    let per_second = points.per_second;
    points.map(call, |row, point| {
        let count = counts.get(row)?;
        match (unit.months(), unit.nanos()) {
            (Some(months), _) => add_months(point, count.checked_mul(months)?, per_second),
            (None, Some(nanos)) => point.checked_add(count.checked_mul(units(nanos, per_second))?),
            (None, None) => None,
        }
    })
}

/// Whole units from the first to the second time; INT, so that it wraps.
fn difference(call: &Call<'_>) -> Result<ArrayRef> {
    let unit = unit(call)?;
    let (from, to) = (Points::new(call, 1)?, Points::new(call, 2)?);
    let per_second = from.per_second.max(to.per_second);
    call.values::<Int32Type>(|row| {
        let (Some(a), Some(b)) = (from.get(row), to.get(row)) else { return Ok(None) };
        let (a, b) = (
            i128::from(a) * i128::from(per_second / from.per_second),
            i128::from(b) * i128::from(per_second / to.per_second),
        );
        let whole = match (unit.months(), unit.nanos()) {
            (Some(months), _) => months_between(a, b, per_second) / i128::from(months),
            (None, Some(nanos)) => {
                (b - a) * i128::from(1_000_000_000 / per_second) / i128::from(nanos)
            }
            (None, None) => return Err(unknown_unit(call.literal(0).unwrap_or_default())),
        };
        Ok(Some(whole as i32))
    })
}

/// The most months that can be added to the earlier time without passing the later one.
fn months_between(from: i128, to: i128, per_second: i64) -> i128 {
    if to < from {
        return -months_between(to, from, per_second);
    }
    let day_length = i128::from(SECONDS_PER_DAY * per_second);
    let day = |point: i128| {
        Day::from_days(i64::try_from(point.div_euclid(day_length)).unwrap_or(i64::MAX))
    };
    let (first, last) = (day(from), day(to));
    let mut months = (last.year - first.year) * 12 + i64::from(last.month) - i64::from(first.month);
    let reached = |months: i64| {
        let moved = first.plus_months(months);
        (moved.days(), from.rem_euclid(day_length))
    };
    if reached(months) > (last.days(), to.rem_euclid(day_length)) {
        months -= 1;
    }
    i128::from(months)
}
