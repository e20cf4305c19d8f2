//! What a column's values look like, told by its type, its name and what the project says of it.

use std::io::Write as _;

use arrow::datatypes::DataType;
use arrow::temporal_conversions::timestamp_ms_to_datetime;

use super::random::Random;

/// How many different keys there are of one name.
pub(crate) const POOL: u64 = 500;

/// One in so many optional values is missing.
const MISSING_ONE_IN: u64 = 3;

const COUNTRIES: [&str; 10] = ["US", "DE", "GB", "FR", "IN", "BR", "JP", "PL", "SE", "ES"];
const DEVICES: [&str; 3] = ["mobile", "desktop", "tablet"];
const BROWSERS: [&str; 4] = ["Chrome", "Safari", "Firefox", "Edge"];
const CATEGORIES: [&str; 6] = ["Electronics", "Home", "Books", "Toys", "Sports", "Beauty"];
const BRANDS: [&str; 6] = ["Acme", "Globex", "Initech", "Umbrella", "Hooli", "Stark"];
const WORDS: [&str; 10] =
    ["red", "small", "coffee", "garden", "travel", "classic", "light", "phone", "winter", "paper"];
const STATUSES: [&str; 4] = ["new", "paid", "shipped", "cancelled"];
const CURRENCIES: [&str; 3] = ["USD", "EUR", "GBP"];

/// How the values of a column are made.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// One of a pool of keys that every source shares, by the column's name.
    Pooled { prefix: String },
    /// As `Pooled`, one key after the other: the key of a versioned table.
    Counted { prefix: String },
    /// Another value in each event.
    Unique { prefix: String },
    /// A key as a number.
    PooledNumber { is_counted: bool },
    /// A number that grows with each event.
    UniqueNumber,
    /// One of these texts, the first ones more often.
    Choice(Vec<String>),
    /// A few words.
    Words(u64),
    /// A path on a site.
    Path,
    /// An address on another site.
    Address,
    /// A whole number in these bounds, inclusive.
    Whole(u64, u64),
    /// A number with two decimals in these bounds.
    Decimal(u64, u64),
    /// True or false.
    Boolean,
    /// The event's time.
    Time,
    /// The event's time in milliseconds.
    Millis,
    /// The event's day.
    Day,
    /// Mostly this, sometimes null.
    Optional(Box<Kind>),
    /// Null: there is nothing sensible to make up.
    Null,
}

impl Kind {
    /// What a column of this name and type holds.
    pub(crate) fn of(
        name: &str,
        data_type: Option<&DataType>,
        description: Option<&str>,
        accepted: Option<Vec<String>>,
        is_key: bool,
    ) -> Self {
        if let Some(values) = accepted.or_else(|| listed(description?)) {
            return Self::Choice(values);
        }
        let name = name.to_ascii_lowercase();
        let kind = Self::of_type(&name, data_type, is_key);
        let is_optional = description.is_some_and(|text| {
            let text = text.to_ascii_lowercase();
            text.contains("nullable") || text.contains("if applicable") || text.contains("optional")
        });
        if is_optional && !is_key { Self::Optional(Box::new(kind)) } else { kind }
    }

    fn of_type(name: &str, data_type: Option<&DataType>, is_key: bool) -> Self {
        match data_type {
            Some(DataType::Boolean) => Self::Boolean,
            Some(DataType::Timestamp(..)) => Self::Time,
            Some(DataType::Date32) => Self::Day,
            Some(DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64) => {
                Self::whole(name, is_key)
            }
            Some(DataType::Float32 | DataType::Float64 | DataType::Decimal128(..)) => {
                Self::Decimal(1, if name.contains("rating") { 5 } else { 200 })
            }
            Some(DataType::Utf8) | None => Self::text(name, is_key),
            Some(_) => Self::Null,
        }
    }

    fn whole(name: &str, is_key: bool) -> Self {
        if is_key {
            Self::PooledNumber { is_counted: true }
        } else if is_unique(name) {
            Self::UniqueNumber
        } else if name.ends_with("id") {
            Self::PooledNumber { is_counted: false }
        } else if is_time(name) {
            Self::Millis
        } else if name.contains("quantity") || name.contains("count") {
            Self::Whole(1, 5)
        } else if name.contains("age") {
            Self::Whole(18, 90)
        } else {
            Self::Whole(0, 1_000)
        }
    }

    fn text(name: &str, is_key: bool) -> Self {
        let prefix = || name.chars().next().unwrap_or('x').to_string();
        let choice =
            |values: &[&str]| Self::Choice(values.iter().map(|&text| text.to_owned()).collect());
        if is_key {
            return Self::Counted { prefix: prefix() };
        }
        if is_unique(name) {
            return Self::Unique { prefix: prefix() };
        }
        if name.ends_with("id") || name.ends_with("key") || name.ends_with("identifier") {
            return Self::Pooled { prefix: prefix() };
        }
        if is_time(name) {
            return Self::Time;
        }
        let has = |part: &str| name.contains(part);
        match () {
            () if has("country") => choice(&COUNTRIES),
            () if has("device") => choice(&DEVICES),
            () if has("browser") => choice(&BROWSERS),
            () if has("categor") => choice(&CATEGORIES),
            () if has("brand") => choice(&BRANDS),
            () if has("status") || has("state") => choice(&STATUSES),
            () if has("currency") => choice(&CURRENCIES),
            () if has("type") || has("kind") || has("action") => choice(&["view", "click", "buy"]),
            () if has("referrer") => Self::Address,
            () if has("url") || has("path") || has("page") => Self::Path,
            () if has("price") || has("amount") || has("total") || has("cost") => {
                Self::Decimal(1, 200)
            }
            () if has("quantity") || has("count") => Self::Whole(1, 5),
            () if has("day") || name == "date" => Self::Day,
            () if has("query") || has("search") => Self::Words(2),
            () if has("description") || has("comment") || has("text") => Self::Words(6),
            () => Self::Words(2),
        }
    }

    /// Writes one value as JSON.
    pub(crate) fn write(
        &self,
        out: &mut Vec<u8>,
        random: &mut Random,
        index: u64,
        event_time_ms: i64,
    ) {
        // Writing into memory cannot fail.
        let _infallible = match self {
            Self::Pooled { prefix } => {
                write!(out, "\"{prefix}{:05}\"", random.skewed_below(POOL) + 1)
            }
            Self::Counted { prefix } => write!(out, "\"{prefix}{:05}\"", index % POOL + 1),
            Self::Unique { prefix } => write!(out, "\"{prefix}{index:09}\""),
            Self::PooledNumber { is_counted: true } => write!(out, "{}", index % POOL + 1),
            Self::PooledNumber { is_counted: false } => {
                write!(out, "{}", random.skewed_below(POOL) + 1)
            }
            Self::UniqueNumber => write!(out, "{index}"),
            Self::Choice(values) => {
                let at = random.skewed_below(values.len() as u64);
                let text = usize::try_from(at).ok().and_then(|at| values.get(at));
                write!(out, "{}", serde_json::Value::from(text.map_or("", String::as_str)))
            }
            Self::Words(count) => {
                write_words(out, random, *count);
                Ok(())
            }
            Self::Path => {
                let word = word(random);
                write!(out, "\"/{word}/{}\"", random.skewed_below(POOL) + 1)
            }
            Self::Address => write!(out, "\"https://{}.example/\"", word(random)),
            Self::Whole(least, most) => write!(out, "{}", least + random.below(most - least + 1)),
            Self::Decimal(least, most) => {
                let hundredths = least * 100 + random.below((most - least) * 100 + 1);
                write!(out, "{}.{:02}", hundredths / 100, hundredths % 100)
            }
            Self::Boolean => write!(out, "{}", random.below(2) == 1),
            Self::Time => write_time(out, event_time_ms, "%Y-%m-%dT%H:%M:%S%.3fZ"),
            Self::Millis => write!(out, "{event_time_ms}"),
            Self::Day => write_time(out, event_time_ms, "%Y-%m-%d"),
            Self::Optional(kind) => {
                if random.below(MISSING_ONE_IN) == 0 {
                    write!(out, "null")
                } else {
                    kind.write(out, random, index, event_time_ms);
                    Ok(())
                }
            }
            Self::Null => write!(out, "null"),
        };
    }
}

/// The same number for the same text on every machine (FNV-1a).
pub(crate) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn word(random: &mut Random) -> &'static str {
    let at = usize::try_from(random.below(WORDS.len() as u64)).unwrap_or_default();
    WORDS.get(at).copied().unwrap_or("word")
}

fn write_words(out: &mut Vec<u8>, random: &mut Random, count: u64) {
    out.push(b'"');
    for number in 0..count {
        if number > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word(random).as_bytes());
    }
    out.push(b'"');
}

fn write_time(out: &mut Vec<u8>, time_ms: i64, format: &str) -> std::io::Result<()> {
    match timestamp_ms_to_datetime(time_ms) {
        Some(time) => write!(out, "\"{}\"", time.format(format)),
        None => write!(out, "null"),
    }
}

fn is_unique(name: &str) -> bool {
    ["id", "uuid", "event_id", "message_id", "record_id", "event_uuid"].contains(&name)
}

fn is_time(name: &str) -> bool {
    name == "ts"
        || name.ends_with("_at")
        || name.ends_with("_ts")
        || name.ends_with("time")
        || name.contains("timestamp")
}

/// The values that a description lists in parentheses, such as `Device (desktop, mobile)`.
fn listed(description: &str) -> Option<Vec<String>> {
    let (_, rest) = description.split_once('(')?;
    let (inside, _) = rest.split_once(')')?;
    let values: Vec<String> = inside.split(',').map(|value| value.trim().to_owned()).collect();
    let is_word = |value: &String| {
        !value.is_empty() && value.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
    };
    (values.len() > 1 && values.iter().all(is_word)).then_some(values)
}

#[cfg(test)]
mod tests;
