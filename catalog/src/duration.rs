//! Durations as people write them: `20ms`, `30s`, `5m`, `1h`, `1d`, also `15 minutes`.

use std::time::Duration;

/// Units by every spelling, in milliseconds.
const UNITS: [(&[&str], u64); 5] = [
    (&["ms", "milli", "millis", "millisecond", "milliseconds"], 1),
    (&["s", "sec", "secs", "second", "seconds"], 1_000),
    (&["m", "min", "mins", "minute", "minutes"], 60_000),
    (&["h", "hour", "hours"], 3_600_000),
    (&["d", "day", "days"], 86_400_000),
];

/// Reads a whole number and a unit. `None` if there is no unit, or it is too long for a `u64` of
/// milliseconds.
pub fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|other: char| !other.is_ascii_digit())?;
    let (count, unit) = text.split_at_checked(digits)?;
    of_unit(count.parse().ok()?, unit.trim())
}

/// `count` of the unit of that name.
pub(crate) fn of_unit(count: u64, unit: &str) -> Option<Duration> {
    let unit = unit.to_ascii_lowercase();
    let (_, millis) = UNITS.iter().find(|(names, _)| names.contains(&unit.as_str()))?;
    Some(Duration::from_millis(count.checked_mul(*millis)?))
}

/// Writes a duration as [`parse`] reads it, in the greatest unit of which it has at least two
/// (`60s` rather than `1m`), but `1s`.
pub fn format(duration: Duration) -> String {
    let millis = duration.as_millis();
    let unit = UNITS.iter().rev().find(|(_, unit)| {
        let unit = u128::from(*unit);
        millis.is_multiple_of(unit) && (millis / unit >= 2 || unit == 1_000 && millis == unit)
    });
    match unit {
        Some((names, unit)) => {
            let name = names.first().copied().unwrap_or_default();
            format!("{}{name}", millis / u128::from(*unit))
        }
        None => format!("{millis}ms"),
    }
}

#[cfg(test)]
mod tests;
