//! Intervals in one form: `INTERVAL 'n' UNIT` stays, ranges and fractions become milliseconds or
//! months, as Flink counts them.

use sqlparser::ast::{DateTimeField, Expr, Interval, Value, ValueWithSpan};

use super::literal::number_text;
use super::text;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The interval in a form that DataFusion reads.
///
/// # Errors
/// What is wrong with it, for a message.
pub(super) fn canonical(interval: &Interval) -> Result<Interval, String> {
    let value = match interval.value.as_ref() {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(value), .. }) => {
            value.as_str()
        }
        other => number_text(other).ok_or("an interval needs a literal")?,
    };
    let Some(leading) = &interval.leading_field else {
        return Err("an interval needs its unit: `INTERVAL '5' MINUTE`".to_owned());
    };
    let leading = name(leading);
    let last = interval.last_field.as_ref().map(name);
    let amount = amount(value.trim(), &leading, last.as_deref()).ok_or_else(|| {
        format!("`{value}` is no interval of {}", last.as_ref().unwrap_or(&leading))
    })?;
    let (value, unit) = match amount {
        Amount::Months(months) => (months.to_string(), DateTimeField::Month),
        Amount::Millis(millis) => whole_unit(millis),
    };
    Ok(Interval {
        value: Box::new(text(&value)),
        leading_field: Some(unit),
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    })
}

enum Amount {
    Months(i64),
    Millis(i64),
}

/// The largest unit that divides the interval, so that texts of plans stay readable.
fn whole_unit(millis: i64) -> (String, DateTimeField) {
    let units = [
        (DAY, DateTimeField::Day),
        (HOUR, DateTimeField::Hour),
        (MINUTE, DateTimeField::Minute),
        (SECOND, DateTimeField::Second),
    ];
    let fits = units.into_iter().find(|(length, _)| millis != 0 && millis % length == 0);
    let (length, unit) = fits.unwrap_or((1, DateTimeField::Milliseconds));
    ((millis / length).to_string(), unit)
}

/// The unit's name in the singular.
fn name(field: &DateTimeField) -> String {
    field.to_string().to_uppercase().trim_end_matches('S').to_owned()
}

fn amount(value: &str, leading: &str, last: Option<&str>) -> Option<Amount> {
    let (sign, value) = match value.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, value.strip_prefix('+').unwrap_or(value)),
    };
    let whole = || value.parse::<i64>().ok().filter(|whole| *whole >= 0);
    let times = |unit: i64| whole()?.checked_mul(unit)?.checked_mul(sign);
    match (leading, last) {
        ("YEAR", None) => times(12).map(Amount::Months),
        ("QUARTER", None) => times(3).map(Amount::Months),
        ("MONTH", None) => times(1).map(Amount::Months),
        ("WEEK", None) => times(7 * DAY).map(Amount::Millis),
        ("DAY", None) => times(DAY).map(Amount::Millis),
        ("HOUR", None) => times(HOUR).map(Amount::Millis),
        ("MINUTE", None) => times(MINUTE).map(Amount::Millis),
        ("MILLISECOND", None) => times(1).map(Amount::Millis),
        ("SECOND", None) => Some(Amount::Millis(sign * seconds(value)?)),
        ("YEAR", Some("MONTH")) => {
            let (years, months) = value.split_once('-')?;
            let months: i64 = months.parse().ok().filter(|months| (0..12).contains(months))?;
            let years: i64 = years.parse().ok()?;
            Some(Amount::Months(sign * years.checked_mul(12)?.checked_add(months)?))
        }
        (leading, Some(last)) => Some(Amount::Millis(sign * range(value, leading, last)?)),
        _ => None,
    }
}

/// Seconds with a fraction, in milliseconds; finer digits are cut.
fn seconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let padded = format!("{fraction:0<3}");
    let millis: i64 = padded.get(..3)?.parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(SECOND)?.checked_add(millis)
}

/// `d hh:mm:ss.fff` from one unit to another.
fn range(value: &str, leading: &str, last: &str) -> Option<i64> {
    const UNITS: [(&str, i64); 4] =
        [("DAY", DAY), ("HOUR", HOUR), ("MINUTE", MINUTE), ("SECOND", SECOND)];
    let index = |name: &str| UNITS.iter().position(|(unit, _)| *unit == name);
    let (first, last) = (index(leading)?, index(last)?);
    let parts: Vec<&str> = value.split([' ', ':']).filter(|part| !part.is_empty()).collect();
    let units = UNITS.get(first..=last)?;
    if parts.len() != units.len() {
        return None;
    }
    units.iter().zip(parts).try_fold(0_i64, |total, ((unit, length), part)| {
        let millis = match *unit {
            "SECOND" => seconds(part)?,
            _ => part.parse::<i64>().ok()?.checked_mul(*length)?,
        };
        total.checked_add(millis)
    })
}
