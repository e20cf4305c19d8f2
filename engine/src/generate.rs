//! Realistic events for a source, from its columns, their types and what the project says of them.
//!
//! **Invariant:** the same source, seed, count and start give the same bytes.
//!
//! Columns of one name take their values from one pool in every source, so that generated streams
//! join. A versioned table first gets every key once, stamped a day before the events.

mod random;
mod values;

use arrow::datatypes::DataType;
use catalog::project::Project;
use catalog::project::data_test::Assertion;
use planner::dataflow::{Dataflow, Source as DataflowSource, SourceRole};

use random::Random;
use values::Kind;

/// Time between two events where no rate is given.
const INTERVAL_MS_DEFAULT: i64 = 10;

/// How long before the events the first versions lie.
const VERSIONS_BEFORE_MS: i64 = 24 * 60 * 60 * 1_000;

/// How late an event may be: below the default out-of-orderness, so that none is dropped.
const JITTER_MS: u64 = 2_000;

/// One generated record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event<'a> {
    /// Text of the key field.
    pub(crate) key: Option<&'a [u8]>,
    /// JSON.
    pub(crate) value: &'a [u8],
    /// Its time.
    pub(crate) timestamp_ms: i64,
}

/// When events happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// Time of the first event.
    pub(crate) start_ms: i64,
    /// Time between two events.
    pub(crate) interval_ms: i64,
}

impl Schedule {
    /// Events at a rate; without one, as far apart as by default. They begin at `start_ms`, else
    /// so that the last of `count` is `now_ms`, or at `now_ms` if they go on for ever.
    pub(crate) fn new(
        start_ms: Option<i64>,
        now_ms: i64,
        rate: Option<u32>,
        count: Option<u64>,
    ) -> Self {
        let interval_ms = match rate {
            Some(rate) => (1_000 / i64::from(rate.max(1))).max(1),
            None => INTERVAL_MS_DEFAULT,
        };
        let start_ms = start_ms.unwrap_or_else(|| match (rate, count) {
            (None, Some(count)) => {
                let span = i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(interval_ms);
                now_ms.saturating_sub(span).max(0)
            }
            _ => now_ms,
        });
        Self { start_ms, interval_ms }
    }
}

/// Makes the events of one source.
#[derive(Debug)]
pub(crate) struct Generator {
    columns: Vec<Column>,
    key: Option<usize>,
    is_versioned: bool,
    schedule: Schedule,
    random: Random,
    index: u64,
    value: Vec<u8>,
    key_text: Vec<u8>,
}

#[derive(Debug)]
struct Column {
    /// `"name":` as JSON has it.
    label: Vec<u8>,
    kind: Kind,
}

impl Generator {
    /// A generator for the source of that name; `None` if there is none, or no column of the name
    /// `key`.
    pub(crate) fn new(
        project: &Project,
        dataflow: &Dataflow,
        (source, key): (&str, Option<&str>),
        schedule: Schedule,
        seed: u64,
    ) -> Option<Self> {
        let source = project.source(source)?;
        let name = source.name.value.as_str();
        let mut read = dataflow.sources().map(|(_, read)| read);
        let read = read.find(|read| read.source == name);
        let mut columns: Vec<(String, Option<DataType>, Option<&str>)> = source
            .columns
            .iter()
            .filter(|column| !column.is_proctime)
            .map(|column| {
                let declared = column.data_type.as_ref().map(|declared| declared.value.clone());
                let inferred = || type_in_plan(read, &column.name.value);
                (
                    column.name.value.clone(),
                    declared.or_else(inferred),
                    column.description.as_deref(),
                )
            })
            .collect();
        for extra in read.into_iter().flat_map(|read| &read.columns) {
            if matches!(extra.from, planner::dataflow::ColumnOrigin::Field(_))
                && !columns.iter().any(|(name, _, _)| *name == extra.name)
            {
                columns.push((extra.name.clone(), Some(extra.data_type.clone()), None));
            }
        }
        let key = match key {
            Some(key) => Some(key.to_owned()),
            None => source.key.as_ref().map(|key| key.value.clone()).or_else(|| key_in_plan(read)),
        };
        let key = match key {
            Some(key) => Some(columns.iter().position(|(name, _, _)| *name == key)?),
            None => None,
        };
        let is_versioned = source.key.is_some()
            || read.is_some_and(|read| matches!(read.role, SourceRole::Versioned { .. }));
        let columns = columns
            .iter()
            .enumerate()
            .map(|(at, (column, data_type, description))| {
                let accepted = accepted_values(project, name, column);
                let is_key = is_versioned && key == Some(at);
                Column {
                    label: format!("{}:", serde_json::Value::from(column.as_str())).into_bytes(),
                    kind: Kind::of(column, data_type.as_ref(), *description, accepted, is_key),
                }
            })
            .collect();
        Some(Self {
            columns,
            key,
            is_versioned,
            schedule,
            random: Random::new(seed ^ values::hash(name)),
            index: 0,
            value: Vec::new(),
            key_text: Vec::new(),
        })
    }

    /// The next event; its bytes live until the one after it is made.
    pub(crate) fn next(&mut self) -> Event<'_> {
        let at =
            i64::try_from(self.index).unwrap_or(i64::MAX).saturating_mul(self.schedule.interval_ms);
        let mut timestamp_ms = self.schedule.start_ms.saturating_add(at);
        if self.is_versioned && self.index < values::POOL {
            timestamp_ms = (self.schedule.start_ms - VERSIONS_BEFORE_MS).max(0);
        }
        let jitter = i64::try_from(self.random.below(JITTER_MS)).unwrap_or_default();
        let event_time_ms =
            if self.is_versioned { timestamp_ms } else { (timestamp_ms - jitter).max(0) };
        self.value.clear();
        self.key_text.clear();
        self.value.push(b'{');
        for (at, column) in self.columns.iter().enumerate() {
            if at > 0 {
                self.value.push(b',');
            }
            self.value.extend_from_slice(&column.label);
            let start = self.value.len();
            column.kind.write(&mut self.value, &mut self.random, self.index, event_time_ms);
            if self.key == Some(at) {
                let raw = self.value.get(start..).unwrap_or_default();
                let bare = raw.strip_prefix(b"\"").and_then(|raw| raw.strip_suffix(b"\""));
                self.key_text.extend_from_slice(bare.unwrap_or(raw));
            }
        }
        self.value.push(b'}');
        self.index += 1;
        Event { key: self.key.map(|_| self.key_text.as_slice()), value: &self.value, timestamp_ms }
    }
}

fn type_in_plan(read: Option<&DataflowSource>, column: &str) -> Option<DataType> {
    let found = read?.columns.iter().find(|found| found.name == column)?;
    Some(found.data_type.clone())
}

fn key_in_plan(read: Option<&DataflowSource>) -> Option<String> {
    let read = read?;
    match &read.role {
        SourceRole::Versioned { key } => Some(read.columns.get(*key.first()?)?.name.clone()),
        SourceRole::Stream => None,
    }
}

/// The values that a test of the source, or of a model that passes the column on, accepts.
fn accepted_values(project: &Project, source: &str, column: &str) -> Option<Vec<String>> {
    let of_source = |test: &&catalog::project::data_test::DataTest| test.target.name == source;
    let own = project.data_tests.iter().filter(of_source);
    let others = project.data_tests.iter().filter(|test| !of_source(test));
    own.chain(others).flat_map(|test| &test.assertions).find_map(|assertion| {
        match &assertion.value {
            Assertion::AcceptedValues { column: tested, values } if tested.value == column => {
                Some(values.iter().map(|value| value.value.clone()).collect())
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests;
