//! Times from texts and numbers, and texts from times.

use arrow::array::ArrayRef;
use arrow::datatypes::{
    DataType, Date32Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType,
};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::ReturnFieldArgs;

use super::builtin::{Definition, define, returns};
use super::calendar::{Day, TimeOfDay, join, split};
use super::call::{Argument, Call};
use super::conversion::{read_date, read_timestamp};
use super::date_pattern::DatePattern;
use super::types::{per_second, timestamp_ltz, unit_of};

pub(super) const DEFINITIONS: &[Definition] = &[
    define("DATE_FORMAT", "TS SS", returns::text, date_format),
    define(
        "TO_TIMESTAMP",
        "S SS",
        |_| Ok(DataType::Timestamp(TimeUnit::Millisecond, None)),
        |call| {
            let patterns = Patterns::new(call, 1)?;
            let texts = call.argument(0)?;
            let texts = texts.texts()?;
            call.values::<TimestampMillisecondType>(|row| {
                let Some(text) = texts.get(row) else { return Ok(None) };
                Ok(patterns.read(row, text)?.and_then(|(day, time)| join(day, time, 1000)))
            })
        },
    ),
    define("TO_TIMESTAMP_LTZ", "L LL S SS", ltz_type, to_timestamp_ltz),
    define("TO_DATE", "S SS", returns::date, to_date),
    define("UNIX_TIMESTAMP", "S SS", returns::bigint, unix_timestamp),
    define("FROM_UNIXTIME", "L LS", returns::text, from_unixtime),
];

/// What Flink writes times by where no pattern is given.
const DEFAULT_PATTERN: &str = "yyyy-MM-dd HH:mm:ss";

/// The pattern argument: compiled once if it is a constant.
struct Patterns {
    argument: Option<Argument>,
    constant: Option<DatePattern>,
}

impl Patterns {
    fn new(call: &Call<'_>, index: usize) -> Result<Self> {
        if call.argument_count() <= index {
            return Ok(Self { argument: None, constant: None });
        }
        let argument = call.argument(index)?;
        let constant = argument.texts()?.constant().map(DatePattern::new).transpose()?;
        Ok(Self { argument: Some(argument), constant })
    }

    /// Applies `function` to the row's pattern, which is `default` where none was given.
    fn with<T>(
        &self,
        row: usize,
        function: impl FnOnce(&DatePattern) -> Option<T>,
    ) -> Result<Option<T>> {
        if let Some(pattern) = &self.constant {
            return Ok(function(pattern));
        }
        let Some(argument) = &self.argument else {
            return Ok(function(&DatePattern::new(DEFAULT_PATTERN)?));
        };
        match argument.texts()?.get(row) {
            Some(pattern) => Ok(function(&DatePattern::new(pattern)?)),
            None => Ok(None),
        }
    }

    /// Reads by the row's pattern, or in SQL's form where none was given.
    fn read(&self, row: usize, text: &str) -> Result<Option<(Day, TimeOfDay)>> {
        if self.argument.is_none() {
            return Ok(read_timestamp(text));
        }
        self.with(row, |pattern| pattern.read(text))
    }
}

fn date_format(call: &Call<'_>) -> Result<ArrayRef> {
    let patterns = Patterns::new(call, 1)?;
    let values = call.argument(0)?;
    if let DataType::Timestamp(unit, _) = values.array.data_type() {
        let per_second = per_second(*unit);
        let points = arrow::compute::cast(&values.array, &DataType::Int64)?;
        let points = Argument { array: points, is_constant: values.is_constant };
        let points = points.bigints()?;
        return call.write_texts(|row, out| {
            let Some(point) = points.get(row) else { return Ok(None) };
            let (day, time) = split(point, per_second);
            patterns.with(row, |pattern| {
                pattern.write(out, day, time);
                Some(())
            })
        });
    }
    let texts = values.texts()?;
    let source = DatePattern::new(DEFAULT_PATTERN)?;
    call.write_texts(|row, out| {
        let Some((day, time)) = texts.get(row).and_then(|text| source.read(text)) else {
            return Ok(None);
        };
        patterns.with(row, |pattern| {
            pattern.write(out, day, time);
            Some(())
        })
    })
}

/// The second argument of numbers says what they count: 0 seconds, 3 milliseconds, 6, 9.
fn ltz_type(args: &ReturnFieldArgs<'_>) -> Result<DataType> {
    if returns::first(args)? == DataType::Utf8 || args.arg_fields.len() == 1 {
        return Ok(timestamp_ltz(TimeUnit::Millisecond));
    }
    match returns::integer(args, 1) {
        Some(digits @ (0 | 3 | 6 | 9)) => {
            Ok(timestamp_ltz(unit_of(u32::try_from(digits).unwrap_or(3))))
        }
        _ => plan_err!("the precision of `TO_TIMESTAMP_LTZ` must be one of the numbers 0, 3, 6, 9"),
    }
}

fn to_timestamp_ltz(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.argument(0)?;
    if values.array.data_type() == &DataType::Utf8 {
        let patterns = Patterns::new(call, 1)?;
        let texts = values.texts()?;
        return call.values::<TimestampMillisecondType>(|row| {
            let Some(text) = texts.get(row) else { return Ok(None) };
            match patterns.read(row, text)? {
                Some((day, time)) => Ok(join(day, time, 1000)),
                None => exec_err!("`TO_TIMESTAMP_LTZ` cannot read `{text}`"),
            }
        });
    }
    let numbers = values.bigints()?;
    let factor = match call.argument_count() {
        1 => 1,
        _ => match call.argument(1)?.bigints()?.constant() {
            Some(0) => 1000,
            _ => 1,
        },
    };
    let DataType::Timestamp(unit, _) = call.return_type else {
        return exec_err!("`TO_TIMESTAMP_LTZ` gives a timestamp");
    };
    let per_second = per_second(*unit);
    let value = |row: usize| {
        let point = numbers.get(row)?.checked_mul(factor)?;
        let (day, _) = split(point, per_second);
        (0..=9999).contains(&day.year).then_some(point)
    };
    match unit {
        TimeUnit::Nanosecond => call.values::<TimestampNanosecondType>(|row| Ok(value(row))),
        TimeUnit::Microsecond => call.values::<TimestampMicrosecondType>(|row| Ok(value(row))),
        TimeUnit::Millisecond | TimeUnit::Second => {
            call.values::<TimestampMillisecondType>(|row| Ok(value(row)))
        }
    }
}

fn to_date(call: &Call<'_>) -> Result<ArrayRef> {
    let patterns = Patterns::new(call, 1)?;
    let texts = call.argument(0)?;
    let texts = texts.texts()?;
    call.values::<Date32Type>(|row| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        let day = match &patterns.argument {
            None => read_date(text),
            Some(_) => patterns.read(row, text)?.map(|(day, _)| day),
        };
        Ok(day.and_then(|day| i32::try_from(day.days()).ok()))
    })
}

/// Seconds since 1970; the least number, as in Flink, for a text that cannot be read.
fn unix_timestamp(call: &Call<'_>) -> Result<ArrayRef> {
    let patterns = Patterns::new(call, 1)?;
    let texts = call.argument(0)?;
    let texts = texts.texts()?;
    call.bigints(|row| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        let seconds = patterns.read(row, text)?.and_then(|(day, time)| join(day, time, 1));
        Ok(Some(seconds.unwrap_or(i64::MIN)))
    })
}

fn from_unixtime(call: &Call<'_>) -> Result<ArrayRef> {
    let patterns = Patterns::new(call, 1)?;
    let default = DatePattern::new(DEFAULT_PATTERN)?;
    let numbers = call.argument(0)?;
    let numbers = numbers.bigints()?;
    call.write_texts(|row, out| {
        let Some(seconds) = numbers.get(row) else { return Ok(None) };
        let (day, time) = split(seconds, 1);
        if !(0..=9999).contains(&day.year) {
            return Ok(None);
        }
        if patterns.argument.is_none() {
            default.write(out, day, time);
            return Ok(Some(()));
        }
        patterns.with(row, |pattern| {
            pattern.write(out, day, time);
            Some(())
        })
    })
}
