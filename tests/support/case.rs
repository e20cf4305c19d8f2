//! Reads `.case` files.
//!
//! A case is text in sections. The first lines, up to the first `---`, say what is claimed.
//!
//! ```text
//! --- sources          a list of sources, as in a project's YAML
//! --- model NAME       SQL; options after the name go into the YAML: `key=session_id`
//! --- input            items, in order:
//!   NAME VALUE                        a record of source NAME, partition 0
//!   NAME/2 @1970-01-01T00:00:01Z #k VALUE    partition, record timestamp, message key; each optional
//!   NAME #k tombstone                 a record with a null value
//!   idle NAME/2 | active NAME/2 | partitions NAME 3 | clock 2026-01-01T00:00:00Z | end of input
//! --- expect           what comes out: `output MODEL` and its rows as they are encoded, `dead
//!                      letters`, `counters` that are not zero
//! ```
//!
//! Empty lines are passed over, and in the input lines that begin with `#`. An output row begins with
//! `#KEY` if it has a message key.

/// The header of the last section.
const EXPECT: &str = "--- expect";

/// One claim.
#[derive(Debug)]
pub(crate) struct Case {
    /// The whole text up to what is expected.
    head: String,
    /// The sources' YAML.
    pub(crate) sources: String,
    /// The models.
    pub(crate) models: Vec<CaseModel>,
    /// What is folded.
    pub(crate) items: Vec<CaseItem>,
    /// What comes out.
    pub(crate) expected: String,
}

/// A model of a case.
#[derive(Debug)]
pub(crate) struct CaseModel {
    /// Its name.
    pub(crate) name: String,
    /// Keys of its YAML beside `name` and `sql`.
    pub(crate) options: Vec<(String, String)>,
    /// Its SQL.
    pub(crate) sql: String,
}

/// What is folded, in order.
#[derive(Debug, Clone)]
pub(crate) enum CaseItem {
    /// A record.
    Record(CaseRecord),
    /// A partition is idle.
    Idle(String, i32),
    /// A partition counts again.
    Active(String, i32),
    /// The source has so many partitions.
    Partitions(String, i32),
    /// The step's time.
    Clock(i64),
    /// `--close-windows`.
    EndOfInput,
}

/// A record of a source.
#[derive(Debug, Clone)]
pub(crate) struct CaseRecord {
    /// The source.
    pub(crate) source: String,
    /// Its partition.
    pub(crate) partition: i32,
    /// The record's timestamp.
    pub(crate) timestamp_ms: i64,
    /// The message key.
    pub(crate) key: Option<String>,
    /// The value; `None` is a tombstone.
    pub(crate) value: Option<String>,
}

impl Case {
    /// Reads a case.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (head, expected) = match text.split_once(EXPECT) {
            Some((head, expected)) => (head, lines(expected).collect::<Vec<_>>().join("\n")),
            None => (text, String::new()),
        };
        let mut case = Self {
            head: head.trim_end().to_owned(),
            sources: String::new(),
            models: Vec::new(),
            items: Vec::new(),
            expected,
        };
        let mut sections = head.split("\n--- ");
        let claim = sections.next().unwrap_or_default();
        if claim.trim().is_empty() || claim.starts_with("---") {
            return Err("a case begins with its claim".to_owned());
        }
        for section in sections {
            let (title, body) = section.split_once('\n').unwrap_or((section, ""));
            let mut words = title.split_whitespace();
            match words.next() {
                Some("sources") => body.clone_into(&mut case.sources),
                Some("model") => case.models.push(model(words, body)?),
                Some("input") => {
                    case.items = meaningful(body).map(item).collect::<Result<_, _>>()?;
                }
                _ => return Err(format!("unknown section `{title}`")),
            }
        }
        Ok(case)
    }

    /// The text of the case with another expectation.
    pub(crate) fn with_expected(&self, expected: &str) -> String {
        format!("{}\n\n{EXPECT}\n{expected}\n", self.head)
    }
}

fn meaningful(text: &str) -> impl Iterator<Item = &str> {
    lines(text).filter(|line| !line.starts_with('#'))
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

fn model<'a>(mut words: impl Iterator<Item = &'a str>, sql: &str) -> Result<CaseModel, String> {
    let name = words.next().ok_or("a model has a name")?.to_owned();
    let option = |word: &str| {
        let option = word.split_once('=');
        let option = option.map(|(key, value)| (key.to_owned(), value.to_owned()));
        option.ok_or_else(|| format!("`{word}` is no `key=value`"))
    };
    let options = words.map(option).collect::<Result<_, _>>()?;
    Ok(CaseModel { name, options, sql: sql.trim_end().to_owned() })
}

fn item(line: &str) -> Result<CaseItem, String> {
    let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
    Ok(match first {
        "idle" => {
            let (source, partition) = place(rest)?;
            CaseItem::Idle(source, partition)
        }
        "active" => {
            let (source, partition) = place(rest)?;
            CaseItem::Active(source, partition)
        }
        "partitions" => {
            let (source, count) = rest.split_once(' ').ok_or("partitions NAME COUNT")?;
            CaseItem::Partitions(source.to_owned(), number(count)?)
        }
        "clock" => CaseItem::Clock(time(rest)?),
        "end" => CaseItem::EndOfInput,
        _ => CaseItem::Record(record(first, rest)?),
    })
}

fn record(first: &str, mut rest: &str) -> Result<CaseRecord, String> {
    let (source, partition) = place(first)?;
    let mut record = CaseRecord { source, partition, timestamp_ms: 0, key: None, value: None };
    loop {
        let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
        if let Some(timestamp) = word.strip_prefix('@') {
            record.timestamp_ms = time(timestamp)?;
        } else if let Some(key) = word.strip_prefix('#') {
            record.key = Some(key.to_owned());
        } else {
            break;
        }
        rest = after;
    }
    record.value = (rest != "tombstone").then(|| rest.to_owned());
    Ok(record)
}

/// `NAME/PARTITION`, or `NAME` for partition 0.
fn place(text: &str) -> Result<(String, i32), String> {
    match text.split_once('/') {
        Some((source, partition)) => Ok((source.to_owned(), number(partition)?)),
        None => Ok((text.to_owned(), 0)),
    }
}

fn number(text: &str) -> Result<i32, String> {
    text.trim().parse().map_err(|error| format!("`{text}`: {error}"))
}

/// ISO-8601 text as milliseconds.
fn time(text: &str) -> Result<i64, String> {
    let parsed = arrow::compute::kernels::cast_utils::string_to_timestamp_nanos(text.trim());
    parsed.map(|nanos| nanos.div_euclid(1_000_000)).map_err(|error| format!("`{text}`: {error}"))
}
