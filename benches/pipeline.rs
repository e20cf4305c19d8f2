//! How many events does one core decode, fold through all four models of the example, and encode?
//!
//! Workload: a clickstream of some 300 bytes an event and a catalogue of products, made here from a
//! fixed seed or read from files, in slices of 8,192 records through the plan of
//! `examples/ecommerce` as catalog and planner make it. No broker. Only decoding, folding and
//! encoding are timed, on one thread; making the events is not. Dead letters are counted and not
//! encoded. The bound that no engine could beat is copying the events' bytes once, which is timed
//! beside.
//!
//! `cargo bench --bench pipeline -- [--events N] [--file CLICKS --products FILE] [--partitions N]
//! [--by-model] [--write FOLDER]`
//!
//! `--by-model` adds model after model, so that the differences are what each costs. `--write`
//! measures nothing: it writes the events and products as JSON lines, for Kafka and for Flink.

#![expect(clippy::print_stdout, reason = "a bench tells its figures")]

use std::collections::BTreeSet;
use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow_kafka::{Encoder, Headers, Message, OwnedMessages};
use catalog::load::{LoadOptions, load};
use catalog::project::Project;
use connectors::SliceDecoder;
use planner::dataflow::{Dataflow, Operator, Source};
use planner::plan::{PlanOptions, plan};
use runtime::fold::{Fold, Step};
use serde_json::Value;
use stream::{Clock, Item, ProcessingTime, ReaderName, SystemClock};

#[path = "support/clickstream.rs"]
mod clickstream;
#[path = "support/usage.rs"]
#[expect(dead_code, reason = "another bench uses the rest")]
mod usage;

use clickstream::{Clickstream, Event, Settings, Version};

/// Records in a slice, and rows in an encoded buffer: as the runtime cuts them.
const SLICE_RECORDS: usize = 8_192;

/// The step's time: 2100-01-01, so that no event lies in the future.
const CLOCK_MS: i64 = 4_102_444_800_000;

const DEFAULT_EVENTS: u64 = 300_000;

/// The example's models in the order in which they read one another.
const MODELS: [&str; 4] =
    ["events_clean", "events_enriched", "user_sessions", "product_popularity"];

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse()?;
    if let Some(folder) = &arguments.write {
        return write_files(&arguments, folder);
    }
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ecommerce");
    let loaded = load(&example, &LoadOptions::default());
    let project = loaded.project.ok_or("the example has mistakes")?;
    println!("load of the machine: {}", usage::load());
    println!(
        "{} partitions; slices of {SLICE_RECORDS} records; copying the bytes: {}",
        arguments.partitions,
        copy_bound(&arguments)?,
    );
    println!();
    let first = if arguments.is_by_model { 1 } else { MODELS.len() };
    for count in first..=MODELS.len() {
        let figures = run(&arguments, &project, &MODELS[..count])?;
        figures.print(MODELS[count - 1], count);
    }
    println!("peak RSS {} MB; load {}", usage::peak_rss_bytes() / 1_000_000, usage::load());
    Ok(())
}

/// What was asked for.
struct Arguments {
    settings: Settings,
    files: Option<(PathBuf, PathBuf)>,
    partitions: usize,
    is_by_model: bool,
    write: Option<PathBuf>,
}

impl Arguments {
    fn parse() -> Result<Self, Failure> {
        let mut settings = Settings { events: DEFAULT_EVENTS, ..Settings::default() };
        let (mut file, mut products, mut write) = (None, None, None);
        let (mut partitions, mut is_by_model) = (1, false);
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
            match argument.as_str() {
                // Cargo adds it.
                "--bench" => {}
                "--by-model" => is_by_model = true,
                "--events" => settings.events = value()?.parse()?,
                "--seed" => settings.seed = value()?.parse()?,
                "--file" => file = Some(PathBuf::from(value()?)),
                "--products" => products = Some(PathBuf::from(value()?)),
                "--partitions" => partitions = value()?.parse::<usize>()?.max(1),
                "--write" => write = Some(PathBuf::from(value()?)),
                other => return Err(format!("unknown argument {other}").into()),
            }
        }
        let files = match (file, products) {
            (Some(file), Some(products)) => Some((file, products)),
            (None, None) => None,
            _ => return Err("--file and --products go together".into()),
        };
        Ok(Self { settings, files, partitions, is_by_model, write })
    }

    /// Versions in order, and the events.
    fn input(&self) -> Result<(Vec<Version>, Events), Failure> {
        let Some((clicks, products)) = &self.files else {
            let (versions, clickstream) = clickstream::generate(self.settings);
            return Ok((versions, Events::Made(Box::new(clickstream))));
        };
        let versions = BufReader::new(File::open(products)?).lines();
        let versions = versions.map(|line| version(line?)).collect::<Result<_, _>>()?;
        Ok((versions, Events::Read(BufReader::new(File::open(clicks)?))))
    }
}

/// Events, made or read.
enum Events {
    Made(Box<Clickstream>),
    Read(BufReader<File>),
}

impl Events {
    fn next_into(&mut self, event: &mut Event) -> Result<bool, Failure> {
        match self {
            Self::Made(clickstream) => Ok(clickstream.next_into(event)),
            Self::Read(reader) => {
                event.json.clear();
                let count = reader.read_line(&mut event.json)?;
                event.json.truncate(event.json.trim_end().len());
                event.session_id.clear();
                let session = event.json.split_once("\"session_id\":\"");
                let session = session.and_then(|(_, rest)| rest.split_once('"'));
                event.session_id.push_str(session.map_or("", |(session, _)| session));
                Ok(count > 0)
            }
        }
    }
}

/// A version from a line of a file.
fn version(json: String) -> Result<Version, Failure> {
    let value: Value = serde_json::from_str(&json)?;
    let field = |name: &str| value[name].as_str().ok_or(format!("a product has no `{name}`"));
    let product_id = field("product_id")?.to_owned();
    let time =
        arrow::compute::kernels::cast_utils::string_to_timestamp_nanos(field("updated_at")?)?;
    Ok(Version { product_id, time_ms: time / 1_000_000, json })
}

fn write_files(arguments: &Arguments, folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    let (versions, mut events) = arguments.input()?;
    let mut file = BufWriter::new(File::create(folder.join("products.jsonl"))?);
    for version in &versions {
        writeln!(file, "{}", version.json)?;
    }
    file.flush()?;
    let mut file = BufWriter::new(File::create(folder.join("clickstream.jsonl"))?);
    let mut event = Event::default();
    while events.next_into(&mut event)? {
        writeln!(file, "{}", event.json)?;
    }
    Ok(file.flush()?)
}

/// The bound: each byte copied once.
fn copy_bound(arguments: &Arguments) -> Result<String, Failure> {
    let (_, mut events) = arguments.input()?;
    let mut event = Event::default();
    let (mut slice, mut copy) = (OwnedMessages::new(), Vec::new());
    let (mut count, mut spent) = (0_u64, Duration::ZERO);
    while events.next_into(&mut event)? && count < DEFAULT_EVENTS {
        count += 1;
        slice.push(message(&event, 0, 0));
        if slice.len() == SLICE_RECORDS {
            let start = usage::thread_cpu();
            copy.clear();
            for message in slice.iter() {
                copy.extend_from_slice(message.payload.unwrap_or_default());
            }
            black_box(&copy);
            spent += usage::thread_cpu().saturating_sub(start);
            slice = OwnedMessages::new();
        }
    }
    Ok(format!("{:.0} ns an event", spent.as_secs_f64() * 1e9 / as_f64(count.max(1))))
}

/// Wall and CPU time of a stage.
#[derive(Debug, Clone, Copy, Default)]
struct Stage {
    wall: Duration,
    cpu: Duration,
}

/// What a run gave.
#[derive(Default)]
struct Figures {
    events: u64,
    bytes: u64,
    decode: Stage,
    fold: Stage,
    encode: Stage,
    /// Rows and bytes of each sink.
    sinks: Vec<(String, u64, u64)>,
    dead_letters: u64,
}

/// The engine without Kafka: one plan, its decoders, its fold, its encoders.
struct Engine {
    fold: Fold,
    readers: Vec<Reader>,
    /// By node; `None` where it is no sink.
    encoders: Vec<Option<(usize, Encoder)>>,
    clock: SystemClock,
    figures: Figures,
}

struct Reader {
    source: String,
    name: ReaderName,
    decoder: SliceDecoder,
}

impl Engine {
    fn new(project: &Project, models: &[&str]) -> Result<Self, Failure> {
        let select: BTreeSet<String> = models.iter().map(|model| (*model).to_owned()).collect();
        let planned =
            plan(project, &PlanOptions { select: Some(select), ..PlanOptions::default() });
        let dataflow: Arc<Dataflow> =
            Arc::new(planned.dataflow.ok_or("the example cannot be planned")?);
        let reader = |source: &Source| -> Result<Reader, Failure> {
            let decoder = SliceDecoder::new(&runtime::codec::source_spec(source, false))?;
            let source_name = source.source.clone();
            Ok(Reader { source: source_name, name: source.reader.clone(), decoder })
        };
        let readers = dataflow.sources().map(|(_, source)| reader(source));
        let mut figures = Figures::default();
        let mut encoders = Vec::new();
        for (index, node) in dataflow.nodes.iter().enumerate() {
            encoders.push(match &node.operator {
                Operator::Sink(sink) => {
                    figures.sinks.push((sink.model.clone(), 0, 0));
                    let schema = dataflow.input_schema(index, 0);
                    Some((figures.sinks.len() - 1, runtime::codec::encoder(sink, &schema)?))
                }
                _ => None,
            });
        }
        let readers = readers.collect::<Result<_, _>>()?;
        let fold = Fold::new(&dataflow)?;
        Ok(Self { fold, readers, encoders, clock: SystemClock::new(), figures })
    }

    fn item(&mut self, item: &Item) -> Result<(), Failure> {
        let (step, stage) = timed(&self.clock, || self.fold.step(item, None));
        self.figures.fold.add(stage);
        self.encode(step?)
    }

    /// Decodes, folds and encodes one slice, if the plan reads its source.
    fn slice(&mut self, source: &str, messages: &OwnedMessages) -> Result<(), Failure> {
        let reader = self.readers.iter_mut().find(|reader| reader.source == source);
        let (Some(reader), Some(first)) = (reader, messages.get(0)) else { return Ok(()) };
        let (rows, stage) = timed(&self.clock, || reader.decoder.decode(|| messages.iter()));
        self.figures.decode.add(stage);
        let item = Item::Slice {
            reader: reader.name.clone(),
            partition: first.partition,
            from: first.offset,
            to: first.offset + i64::try_from(messages.len())?,
            records: messages.len() as u64,
        };
        let rows = rows?;
        let (step, stage) = timed(&self.clock, || self.fold.step(&item, Some(rows)));
        self.figures.fold.add(stage);
        self.encode(step?)
    }

    fn encode(&mut self, step: Step) -> Result<(), Failure> {
        self.figures.dead_letters += step.dead_letters.len() as u64;
        for output in step.outputs {
            let Some((sink, encoder)) = &mut self.encoders[output.node] else {
                return Err("rows for a node that is no sink".into());
            };
            for from in (0..output.rows.num_rows()).step_by(SLICE_RECORDS) {
                let length = SLICE_RECORDS.min(output.rows.num_rows() - from);
                let part = output.rows.slice(from, length);
                let (encoded, stage) = timed(&self.clock, || encoder.encode(&part));
                self.figures.encode.add(stage);
                let encoded = black_box(encoded?);
                let (_, rows, bytes) = &mut self.figures.sinks[*sink];
                *rows += encoded.len() as u64;
                *bytes += encoded.bytes() as u64;
            }
        }
        Ok(())
    }
}

fn run(arguments: &Arguments, project: &Project, models: &[&str]) -> Result<Figures, Failure> {
    let (versions, mut events) = arguments.input()?;
    let mut engine = Engine::new(project, models)?;
    engine.item(&Item::Clock(ProcessingTime(CLOCK_MS)))?;
    let names: Vec<(String, ReaderName)> =
        engine.readers.iter().map(|reader| (reader.source.clone(), reader.name.clone())).collect();
    for (source, reader) in names {
        let count = if source == "products" { 1 } else { arguments.partitions };
        for partition in 0..count {
            let (reader, partition) = (reader.clone(), i32::try_from(partition)?);
            engine.item(&Item::Start { reader, partition, offset: 0 })?;
        }
    }
    for (slice, versions) in versions.chunks(SLICE_RECORDS).enumerate() {
        let mut messages = OwnedMessages::new();
        for (place, version) in versions.iter().enumerate() {
            messages.push(Message {
                key: Some(version.product_id.as_bytes()),
                payload: Some(version.json.as_bytes()),
                partition: 0,
                offset: i64::try_from(slice * SLICE_RECORDS + place)?,
                timestamp_ms: Some(version.time_ms),
                headers: Headers::NONE,
            });
        }
        engine.slice("products", &messages)?;
    }
    fold_events(&mut engine, &mut events, arguments.partitions)?;
    engine.item(&Item::EndOfInput)?;
    Ok(engine.figures)
}

fn fold_events(engine: &mut Engine, events: &mut Events, count: usize) -> Result<(), Failure> {
    let mut partitions: Vec<(i64, OwnedMessages)> = vec![(0, OwnedMessages::new()); count];
    let mut event = Event::default();
    while events.next_into(&mut event)? {
        let at = partition_of(&event.session_id, count);
        let (offset, messages) = &mut partitions[at];
        messages.push(message(&event, i32::try_from(at)?, *offset));
        *offset += 1;
        engine.figures.events += 1;
        engine.figures.bytes += event.json.len() as u64;
        if messages.len() == SLICE_RECORDS {
            let full = std::mem::take(messages);
            engine.slice("clickstream", &full)?;
        }
    }
    partitions.iter().try_for_each(|(_, rest)| engine.slice("clickstream", rest))
}

/// FNV-1a: any even spread will do.
fn partition_of(key: &str, count: usize) -> usize {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    usize::try_from(hash % count as u64).unwrap_or_default()
}

fn message(event: &Event, partition: i32, offset: i64) -> Message<'_> {
    Message {
        key: (!event.session_id.is_empty()).then_some(event.session_id.as_bytes()),
        payload: Some(event.json.as_bytes()),
        partition,
        offset,
        timestamp_ms: Some(event.time_ms),
        headers: Headers::NONE,
    }
}

fn timed<T>(clock: &SystemClock, work: impl FnOnce() -> T) -> (T, Stage) {
    let (wall, cpu) = (clock.monotonic(), usage::thread_cpu());
    let result = work();
    let cpu = usage::thread_cpu().saturating_sub(cpu);
    let stage = Stage { cpu, wall: clock.monotonic().saturating_sub(wall) };
    (result, stage)
}

impl Stage {
    fn add(&mut self, other: Self) {
        self.wall += other.wall;
        self.cpu += other.cpu;
    }
}

impl Figures {
    fn print(&self, last: &str, models: usize) {
        let mut all = Stage::default();
        for stage in [self.decode, self.fold, self.encode] {
            all.add(stage);
        }
        let cpu = all.cpu.as_secs_f64();
        println!(
            "{models} models, up to {last}: {} events of {} bytes; {:.2} CPU s, {:.2} s wall; \
             {:.0} events per CPU second",
            self.events,
            self.bytes / self.events.max(1),
            cpu,
            all.wall.as_secs_f64(),
            as_f64(self.events) / cpu,
        );
        for (name, stage) in [("decode", self.decode), ("fold", self.fold), ("encode", self.encode)]
        {
            let seconds = stage.cpu.as_secs_f64();
            println!(
                "  {name:<8} {:>7.0} ns an event  {:>5.1} %",
                seconds * 1e9 / as_f64(self.events),
                seconds / cpu * 100.0,
            );
        }
        for (model, rows, bytes) in &self.sinks {
            println!("  {model:<20} {rows:>9} rows  {:>5} bytes each", bytes / (*rows).max(1));
        }
        println!("  dead letters in {} batches", self.dead_letters);
        println!();
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn as_f64(count: u64) -> f64 {
    count as f64
}
