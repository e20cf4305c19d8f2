//! Runs `.case` files: plans by the real catalog and planner, decodes and encodes by the real
//! codecs, folds by the real fold. Only Kafka is left out.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use arrow_kafka::{EncodeSpec, Encoder, Headers, Message};
use catalog::load::{LoadOptions, load_texts};
use catalog::place::Files;
use connectors::SliceDecoder;
use planner::dataflow::{self, Dataflow};
use planner::plan::{PlanOptions, plan};
use runtime::codec;
use runtime::fold::{DeadLetters, Fold, Step};
use state::{About, Listed, Location, OperatorTables, Snapshots};
use stream::{Epoch, Generation, Item, ProcessingTime, ReaderName, SliceRows};
use tempfile::TempDir;

use super::case::{Case, CaseItem, CaseRecord};

/// The step's time unless a case says otherwise: 2100-01-01, so that no record lies in the future.
const CLOCK_MS: i64 = 4_102_444_800_000;

/// How the input is cut into slices.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cut {
    /// Neighbouring records of one partition are one slice.
    Whole,
    /// One record a slice.
    Each,
    /// At random, from this seed. Where no restore comes between, items are folded together.
    Random(u64),
}

/// Whether a new fold, restored from a snapshot, takes over between two steps.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Restore {
    /// Never.
    Never,
    /// At each step; the snapshot stays in memory.
    EachStep,
    /// At random steps, from this seed; the snapshot is written to files and read from them.
    Files(u64),
}

/// So many items are folded together on average.
const ITEMS_TOGETHER: usize = 4;

/// One step in so many is restored from files.
const STEPS_A_FILE: usize = 8;

/// A case that was planned.
pub(crate) struct Runner<'a> {
    case: &'a Case,
    dataflow: Arc<Dataflow>,
}

/// What came out, before it is written as text.
#[derive(Default)]
struct Outcome {
    /// By model.
    outputs: BTreeMap<String, Vec<String>>,
    /// With the place of their record, by which they are sorted.
    dead_letters: Vec<(String, String)>,
}

impl<'a> Runner<'a> {
    /// Plans a case.
    pub(crate) fn new(case: &'a Case) -> Result<Self, String> {
        let mut texts =
            vec![("sources/case.yml".to_owned(), format!("sources:\n{}", indented(&case.sources)))];
        for model in &case.models {
            let mut text = format!("models:\n  - name: {}\n", model.name);
            for (key, value) in &model.options {
                writeln!(text, "    {key}: {value}").map_err(|error| error.to_string())?;
            }
            let sql = indented(&indented(&indented(&model.sql)));
            write!(text, "    sql: |\n{sql}").map_err(|error| error.to_string())?;
            texts.push((format!("models/{}.yml", model.name), text));
        }
        let texts: Vec<(&str, &str)> =
            texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let loaded = load_texts(&texts, &LoadOptions::default());
        let Some(project) = loaded.project else {
            return Err(told(&loaded.diagnostics, &loaded.files));
        };
        let planned = plan(&project, &PlanOptions::default());
        match planned.dataflow {
            Some(dataflow) => Ok(Self { case, dataflow: Arc::new(dataflow) }),
            None => Err(told(&planned.diagnostics, &loaded.files)),
        }
    }

    /// Runs the case.
    pub(crate) fn run(&self, cut: Cut, restore: Restore) -> Result<String, String> {
        let clocks = self.case.items.iter().filter_map(|item| match item {
            CaseItem::Clock(now) => Some(*now),
            _ => None,
        });
        self.dataflow.clock.set(ProcessingTime(clocks.min().unwrap_or(CLOCK_MS)));
        let mut readers = self.readers()?;
        let mut fold = self.new_fold()?;
        let mut outcome = Outcome::default();
        for reader in readers.values() {
            for partition in 0..self.partition_count(&reader.source) {
                let reader = reader.name.clone();
                step(&mut fold, &Item::Start { reader, partition, offset: 0 }, None)?;
            }
        }
        let mut random = Random(match cut {
            Cut::Random(seed) => seed,
            Cut::Whole | Cut::Each => 0,
        });
        let mut files = Saved::new(restore)?;
        let mut together = Vec::new();
        let mut from = 0;
        while from < self.case.items.len() {
            let snapshot = match (restore, &mut files) {
                (Restore::EachStep, _) => Some(fold.snapshot()),
                (_, Some(files)) => files.through(&fold)?,
                (_, None) => None,
            };
            if let Some(snapshot) = snapshot {
                fold = self.new_fold()?;
                fold.restore(snapshot).map_err(|error| error.to_string())?;
            }
            let to = self.cut(from, cut, &mut random);
            together.push(match &self.case.items[from] {
                CaseItem::Record(first) => {
                    let records: Vec<&CaseRecord> =
                        self.case.items[from..to].iter().filter_map(record_of).collect();
                    let (item, rows) = reader(&mut readers, &first.source)?.slice(&records)?;
                    (item, Some(rows))
                }
                other => (plain_item(other, &mut readers)?, None),
            });
            from = to;
            let is_over = match (restore, cut) {
                (Restore::Never, Cut::Random(_)) => random.below(ITEMS_TOGETHER) == 0,
                _ => true,
            };
            if is_over || from == self.case.items.len() {
                let step = fold.run(together.drain(..)).map_err(|error| format!("{error:?}"))?;
                self.keep(step, &mut outcome)?;
            }
        }
        Ok(self.told(outcome, &fold))
    }

    fn new_fold(&self) -> Result<Fold, String> {
        Fold::new(&self.dataflow).map_err(|error| error.to_string())
    }

    /// Where the slice that begins at `from` ends.
    fn cut(&self, from: usize, cut: Cut, random: &mut Random) -> usize {
        let items = &self.case.items;
        let CaseItem::Record(first) = &items[from] else { return from + 1 };
        let is_same = |item: &CaseItem| {
            record_of(item).is_some_and(|record| {
                record.source == first.source && record.partition == first.partition
            })
        };
        let whole = from + items[from..].iter().take_while(|item| is_same(item)).count();
        match cut {
            Cut::Whole => whole,
            Cut::Each => from + 1,
            Cut::Random(_) => from + 1 + random.below(whole - from),
        }
    }

    /// As many partitions as the case names before the first record, but at least one.
    fn partition_count(&self, source: &str) -> i32 {
        let named = self.case.items.iter().filter_map(|item| match item {
            CaseItem::Record(record) if record.source == source => Some(record.partition + 1),
            CaseItem::Partitions(name, count) if name == source => Some(*count),
            CaseItem::Idle(name, partition) | CaseItem::Active(name, partition)
                if name == source =>
            {
                Some(partition + 1)
            }
            _ => None,
        });
        named.max().unwrap_or(1)
    }

    fn readers(&self) -> Result<BTreeMap<String, Reader>, String> {
        let readers = self.dataflow.sources().map(|(_, source)| {
            let spec = codec::source_spec(source, false);
            let decoder = SliceDecoder::new(&spec).map_err(|error| error.to_string())?;
            let name = source.reader.clone();
            let reader =
                Reader { name, source: source.source.clone(), decoder, offsets: HashMap::new() };
            Ok((source.source.clone(), reader))
        });
        readers.collect()
    }

    fn keep(&self, step: Step, outcome: &mut Outcome) -> Result<(), String> {
        for output in step.outputs {
            let dataflow::Operator::Sink(sink) = &self.dataflow.nodes[output.node].operator else {
                return Err("rows for a node that is no sink".to_owned());
            };
            let mut encoder =
                codec::encoder(sink, &output.rows.schema()).map_err(|error| error.to_string())?;
            let encoded = encoder.encode(&output.rows).map_err(|error| error.to_string())?;
            let lines = outcome.outputs.entry(sink.model.clone()).or_default();
            for row in 0..encoded.len() {
                let value = String::from_utf8_lossy(encoded.value(row).unwrap_or_default());
                let key = encoded.key(row).map(|key| format!("#{} ", String::from_utf8_lossy(key)));
                lines.push(format!("{}{value}", key.unwrap_or_default()));
            }
        }
        for letters in &step.dead_letters {
            outcome.dead_letters.extend(letter_lines(letters)?);
        }
        Ok(())
    }

    fn told(&self, mut outcome: Outcome, fold: &Fold) -> String {
        let mut lines = Vec::new();
        for model in &self.case.models {
            lines.push(format!("output {}", model.name));
            lines.extend(outcome.outputs.remove(&model.name).unwrap_or_default());
        }
        if !outcome.dead_letters.is_empty() {
            lines.push("dead letters".to_owned());
            outcome.dead_letters.sort();
            lines.extend(outcome.dead_letters.into_iter().map(|(_, line)| line));
        }
        let counters = counter_lines(fold);
        if !counters.is_empty() {
            lines.push("counters".to_owned());
            lines.extend(counters);
        }
        lines.join("\n")
    }
}

/// Snapshots of a fold in a folder.
struct Saved {
    _folder: TempDir,
    snapshots: Snapshots,
    random: Random,
    epoch: u64,
}

impl Saved {
    fn new(restore: Restore) -> Result<Option<Self>, String> {
        let Restore::Files(seed) = restore else { return Ok(None) };
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let location = Location::Folder(folder.path().to_owned());
        let snapshots = Snapshots::open(&location).map_err(|error| error.to_string())?;
        Ok(Some(Self { _folder: folder, snapshots, random: Random(seed), epoch: 0 }))
    }

    /// At a random step, the state as it was written to files and read again.
    fn through(&mut self, fold: &Fold) -> Result<Option<Vec<OperatorTables>>, String> {
        if self.random.below(STEPS_A_FILE) > 0 {
            return Ok(None);
        }
        self.epoch += 1;
        let about = About {
            journal_id: "case".to_owned(),
            generation: Generation(1),
            epoch: Epoch(self.epoch),
            journal_offset: 0,
            fold_version: 1,
            fingerprint: fold.dataflow().fingerprint(),
            cluster_id: None,
            engine: String::new(),
            created: ProcessingTime(0),
            readers: Vec::new(),
            project: String::new(),
        };
        let told = |error: state::StateError| error.to_string();
        self.snapshots.write(about, fold.freeze().tables()).map_err(told)?;
        let listed = self.snapshots.list().map_err(told)?;
        let newest = listed.first().and_then(Listed::manifest);
        let newest = newest.filter(|manifest| manifest.about.epoch.0 == self.epoch);
        let newest = newest.ok_or("the newest snapshot is not the one that was written")?;
        self.snapshots.read(newest).map(Some).map_err(told)
    }
}

/// A source of the case: it decodes and counts offsets.
struct Reader {
    name: ReaderName,
    source: String,
    decoder: SliceDecoder,
    /// Next offset of each partition.
    offsets: HashMap<i32, i64>,
}

impl Reader {
    /// A slice of these records, which are of one partition.
    fn slice(&mut self, records: &[&CaseRecord]) -> Result<(Item, SliceRows), String> {
        let partition = records.first().map_or(0, |record| record.partition);
        let next = self.offsets.entry(partition).or_default();
        let from = *next;
        let count = i64::try_from(records.len()).map_err(|error| error.to_string())?;
        *next += count;
        let messages = || {
            records.iter().zip(from..).map(|(record, offset)| Message {
                key: record.key.as_ref().map(String::as_bytes),
                payload: record.value.as_ref().map(String::as_bytes),
                partition,
                offset,
                timestamp_ms: Some(record.timestamp_ms),
                headers: Headers::NONE,
            })
        };
        let rows = self.decoder.decode(messages).map_err(|error| error.to_string())?;
        let reader = self.name.clone();
        let item = Item::Slice {
            reader,
            partition,
            from,
            to: from + count,
            records: count.unsigned_abs(),
        };
        Ok((item, rows))
    }
}

fn reader<'a>(
    readers: &'a mut BTreeMap<String, Reader>,
    source: &str,
) -> Result<&'a mut Reader, String> {
    readers.get_mut(source).ok_or_else(|| format!("no model reads source `{source}`"))
}

/// The item of a step that is no slice.
fn plain_item(item: &CaseItem, readers: &mut BTreeMap<String, Reader>) -> Result<Item, String> {
    let mut name = |source: &String| reader(readers, source).map(|reader| reader.name.clone());
    Ok(match item {
        CaseItem::Idle(source, partition) => {
            Item::Idle { reader: name(source)?, partition: *partition }
        }
        CaseItem::Active(source, partition) => {
            Item::Active { reader: name(source)?, partition: *partition }
        }
        CaseItem::Partitions(source, count) => {
            Item::Partitions { reader: name(source)?, count: *count }
        }
        CaseItem::Clock(now) => Item::Clock(ProcessingTime(*now)),
        CaseItem::EndOfInput => Item::EndOfInput,
        CaseItem::Record(_) => return Err("a record is a slice".to_owned()),
    })
}

fn record_of(item: &CaseItem) -> Option<&CaseRecord> {
    match item {
        CaseItem::Record(record) => Some(record),
        _ => None,
    }
}

fn step(fold: &mut Fold, item: &Item, rows: Option<SliceRows>) -> Result<Step, String> {
    fold.step(item, rows).map_err(|error| format!("{error:?}"))
}

/// One line a dead letter, with the place by which they are sorted.
fn letter_lines(letters: &DeadLetters) -> Result<Vec<(String, String)>, String> {
    let mut lines = Vec::new();
    match letters {
        DeadLetters::Records { source, records, .. } => {
            for record in records {
                let place = format!("{source}/{}/{}", record.partition, record.offset);
                lines.push((place.clone(), format!("undecodable {place}: {}", record.detail)));
            }
        }
        DeadLetters::Rows { reason, operator, rows, origin, .. } => {
            let mut encoder =
                Encoder::new(EncodeSpec::json(rows.schema())).map_err(|error| error.to_string())?;
            let encoded = encoder.encode(rows).map_err(|error| error.to_string())?;
            for row in 0..encoded.len() {
                let place = origin.as_ref().map_or("?".to_owned(), |origin| {
                    format!("{}/{}", origin.partition.value(row), origin.offset.value(row))
                });
                let value = String::from_utf8_lossy(encoded.value(row).unwrap_or_default());
                let line = format!("{} {} {place}: {value}", reason.text(), operator.0);
                lines.push((place, line));
            }
        }
    }
    Ok(lines)
}

/// Counters of what went wrong or was left out; how many rows there were is plain to see.
fn counter_lines(fold: &Fold) -> Vec<String> {
    let counters = fold.counters();
    let mut lines = Vec::new();
    let mut add = |owner: &str, values: &[(&str, u64)]| {
        let values = values.iter().filter(|(_, value)| *value > 0);
        let values: Vec<_> = values.map(|(name, value)| format!("{name} {value}")).collect();
        if !values.is_empty() {
            lines.push(format!("{owner}: {}", values.join(", ")));
        }
    };
    for (name, source) in &counters.sources {
        let values = [
            ("rejected", source.rejected),
            ("nulls skipped", source.nulls_skipped),
            ("null time", source.null_time),
            ("future", source.future),
        ];
        add(name, &values);
    }
    for (name, model) in &counters.models {
        let values = [
            ("late", model.late),
            ("closed by user", model.closed_by_user),
            ("failed", model.failed),
            ("without version", model.rows_without_version),
        ];
        add(name, &values);
    }
    lines
}

/// Mistakes of a project as text.
fn told(diagnostics: &[catalog::diagnostic::Diagnostic], files: &Files) -> String {
    let line = |diagnostic: &catalog::diagnostic::Diagnostic| {
        let place = diagnostic.primary_place().map(|place| files.quote(place));
        format!("{} {} {}", diagnostic.code, diagnostic.message, place.unwrap_or_default())
    };
    diagnostics.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn indented(text: &str) -> String {
    text.lines().flat_map(|line| ["  ", line, "\n"]).collect()
}

/// A small generator: splitmix64.
struct Random(u64);

impl Random {
    /// A number from 0 up to `limit`, which is above 0.
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed >> 33) % u64::try_from(limit).unwrap_or(u64::MAX))
            .unwrap_or_default()
    }
}
