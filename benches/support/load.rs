//! The example on a real Kafka, events into it at a rate that nobody slows down, and a reader of
//! what one of its models commits.
//!
//! Each event carries the time at which it was due, so that a stall counts for every event behind
//! it. What waits for the watermark is due when the event was that lets the watermark reach it: what
//! comes later is the excess over the delay that the watermark has by itself.

use std::collections::VecDeque;
use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
use arrow_kafka::{Consumer, PartitionQueue, PartitionStart, Producer, Record, Start, TopicHandle};
use connectors::Cluster;
use stream::{Clock, SystemClock};

#[path = "clickstream.rs"]
#[expect(dead_code, reason = "another bench uses the rest")]
pub(crate) mod clickstream;
#[path = "engine.rs"]
#[expect(dead_code, reason = "another bench uses the rest")]
mod engine;
#[path = "../../tests/support/kafka.rs"]
#[expect(dead_code, reason = "tests use the rest")]
pub(crate) mod kafka;
#[path = "usage.rs"]
#[expect(dead_code, reason = "another bench uses the rest")]
pub(crate) mod usage;

use clickstream::{Clickstream, Event};
use engine::Project;

pub(crate) use clickstream::Settings;

const CLICKS: &str = "ecom.clickstream.v1";
const PRODUCTS: &str = "ecom.products.v1";
const CLICKS_PARTITIONS: i32 = 4;

/// A model of the example.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Model {
    pub(crate) name: &'static str,
    topic: &'static str,
    /// As declared.
    partitions: i32,
    /// What stands before the time which the watermark has to reach before a row leaves; none where
    /// it leaves at once.
    waits_for: Option<&'static str>,
}

pub(crate) const EVENTS_CLEAN: Model =
    Model { name: "events_clean", topic: "ecom.events-clean.v1", partitions: 24, waits_for: None };

pub(crate) const MODELS: [Model; 4] = [
    EVENTS_CLEAN,
    Model {
        name: "events_enriched",
        topic: "ecom.events-enriched.v1",
        partitions: 24,
        waits_for: Some("\"timestamp\":\""),
    },
    Model {
        name: "user_sessions",
        topic: "ecom.user-sessions.v1",
        partitions: 12,
        waits_for: Some("\"session_end\":\""),
    },
    Model {
        name: "product_popularity",
        topic: "ecom.product-popularity.v1",
        partitions: 6,
        waits_for: Some("\"window_end\":\""),
    },
];

/// How far the watermark lies behind the greatest event time, in milliseconds: the default, as the
/// example says nothing.
const WATERMARK_DELAY_MS: i64 = 5_000;

/// So many rises of the greatest event time are remembered: a minute's.
const RISES_MAX: usize = 1 << 20;

/// The project's root file, and where its settings of the engine begin.
const ROOT: &str = "stream_project.yml";
const ENGINE: &str = "  engine:\n";

/// How long the last events are waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Nothing more comes when nothing has come for so long.
const SILENCE: Duration = Duration::from_secs(2);

/// How often the schedule is looked at.
const TICK: Duration = Duration::from_micros(500);

/// How an event's id says when it was due, in microseconds of the load's clock.
const STAMP: &str = "\"event_id\":\"t";

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// The project, what is sent into it, and who reads what comes out.
pub(crate) struct Load {
    model: Model,
    project: Project,
    clock: Arc<SystemClock>,
    sender: Sender,
    arrivals: Arc<Arrivals>,
    reading: Option<JoinHandle<()>>,
}

/// A row that was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    /// When its event was due, and the one that lets the watermark reach it.
    pub(crate) due: Duration,
    /// How long after that it was read.
    pub(crate) latency: Duration,
}

#[derive(Default)]
struct Arrivals {
    rows: Mutex<Vec<Arrival>>,
    is_closing: AtomicBool,
    /// The greatest event time that was sent, in milliseconds, and since when.
    rises: Mutex<VecDeque<(i64, Duration)>>,
}

impl Load {
    /// Makes project and topics, sends the catalogue, begins to read what `model` commits.
    ///
    /// # Errors
    /// Those of Kafka and of the file system.
    pub(crate) fn open(
        brokers: &str,
        model: Model,
        settings: Settings,
        topic_settings: &[&str],
    ) -> Result<Self, Failure> {
        let project = Project::ecommerce_on(brokers, "load");
        let (versions, events) = clickstream::generate(settings);
        let outputs = MODELS.iter().map(|model| (model.topic, model.partitions));
        for (topic, partitions) in
            [(CLICKS, CLICKS_PARTITIONS), (PRODUCTS, 1)].into_iter().chain(outputs)
        {
            let partitions = partitions.to_string();
            let settings = topic_settings.iter().filter(|_| topic != PRODUCTS);
            let settings = settings.flat_map(|setting| ["--config", setting]);
            let create = ["topic", "create", topic, "--partitions", &partitions];
            project.run(&create.into_iter().chain(settings).collect::<Vec<_>>());
        }
        let lines: Vec<&str> = versions.iter().map(|version| version.json.as_str()).collect();
        let produce =
            ["topic", "produce", PRODUCTS, "--key", "product_id", "--timestamp", "updated_at"];
        project.run_with_input(&produce, (lines.join("\n") + "\n").as_bytes());

        let cluster = Cluster::embedded(brokers.parse()?);
        let clock = Arc::new(SystemClock::new());
        let arrivals = Arc::new(Arrivals::default());
        let reader = Reader::open(&cluster, model)?;
        let reading = {
            let (clock, arrivals) = (Arc::clone(&clock), Arc::clone(&arrivals));
            std::thread::spawn(move || reader.run(&clock, &arrivals))
        };
        let sender = Sender::open(&cluster, events)?;
        Ok(Self { model, project, clock, sender, arrivals, reading: Some(reading) })
    }

    pub(crate) fn project(&self) -> &Project {
        &self.project
    }

    /// Time since the load began.
    pub(crate) fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    /// Sets `runtime.engine`, a line a setting.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn configure(&self, settings: &[(&str, &str)]) -> Result<(), Failure> {
        let text = std::fs::read_to_string(self.project.path().join(ROOT))?;
        let (kafka, _) = text.split_once(ENGINE).unwrap_or((&text, ""));
        let lines = settings.iter().map(|(name, value)| format!("    {name}: {value}\n"));
        let text = format!("{kafka}{ENGINE}{}", lines.collect::<String>());
        self.project.write(ROOT, &text);
        Ok(())
    }

    /// Starts `engine run` on what is there and what comes.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn engine(&self, arguments: &[&str]) -> Result<Child, Failure> {
        let messages = std::fs::File::create(self.messages(arguments))?;
        let arguments = [&["run"], arguments].concat();
        let mut command = self.project.command(&arguments);
        Ok(command.stdout(Stdio::null()).stderr(messages).spawn()?)
    }

    /// Where an engine that was started with these arguments writes its messages.
    pub(crate) fn messages(&self, arguments: &[&str]) -> PathBuf {
        self.project.path().join(format!("messages{}.txt", arguments.concat()))
    }

    /// Waits until everything that was sent is acknowledged.
    ///
    /// # Errors
    /// Those of Kafka.
    pub(crate) fn flush(&self) -> Result<(), Failure> {
        Ok(self.sender.producer.flush(PATIENCE)?)
    }

    /// Sends `rate` events a second for `time`; on a machine that is too slow for that as many, later.
    ///
    /// # Errors
    /// Those of Kafka; if the events are used up.
    pub(crate) fn send(&mut self, rate: u64, time: Duration) -> Result<(), Failure> {
        let start = self.now();
        let micros = u64::try_from(time.as_micros())?;
        for number in 0..rate * micros / 1_000_000 {
            let due = start + Duration::from_micros(number * 1_000_000 / rate);
            while due > self.now() {
                std::thread::park_timeout(TICK);
            }
            let time_ms = self.sender.send(due)?.ok_or("the events are used up")?;
            if self.model.waits_for.is_some() {
                self.arrivals.rise(time_ms, due);
            }
        }
        Ok(())
    }

    /// What was read since the last call.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        std::mem::take(&mut *self.arrivals.rows.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until nothing more is read; what was read since the last call.
    pub(crate) fn settled(&self) -> Vec<Arrival> {
        let (mut all, start) = (Vec::new(), self.now());
        let mut newest = start;
        while self.now() < newest + SILENCE && self.now() < start + PATIENCE {
            std::thread::park_timeout(TICK);
            let arrived = self.arrivals();
            if !arrived.is_empty() {
                newest = self.now();
                all.extend(arrived);
            }
        }
        all
    }

    /// Ends the reader.
    ///
    /// # Errors
    /// If it panicked.
    pub(crate) fn close(mut self) -> Result<(), Failure> {
        self.arrivals.is_closing.store(true, Ordering::Relaxed);
        match self.reading.take() {
            Some(reading) => reading.join().map_err(|_panic| "the reader panicked".into()),
            None => Ok(()),
        }
    }
}

impl Arrivals {
    /// An event of this time was due.
    fn rise(&self, time_ms: i64, due: Duration) {
        let mut rises = self.rises.lock().unwrap_or_else(PoisonError::into_inner);
        if rises.back().is_none_or(|(greatest, _)| time_ms > *greatest) {
            rises.push_back((time_ms, due));
            if rises.len() > RISES_MAX {
                rises.pop_front();
            }
        }
    }

    /// When the event was due that lets the watermark reach this time: of one that was reached before
    /// all that is remembered, the first; of one that is not reached, the last.
    fn reached(&self, time_ms: i64) -> Option<Duration> {
        let rises = self.rises.lock().unwrap_or_else(PoisonError::into_inner);
        let first = rises.partition_point(|(greatest, _)| *greatest < time_ms + WATERMARK_DELAY_MS);
        rises.get(first).or(rises.back()).map(|(_, due)| *due)
    }
}

/// Asks a process to end, and waits for it.
///
/// # Errors
/// Those of the system; another exit code than 0.
pub(crate) fn terminate(child: &mut Child) -> Result<(), Failure> {
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?;
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(format!("the engine ended with {status}").into()) }
}

/// Of sorted times that which so many per mille lie below.
pub(crate) fn per_mille(sorted: &[Duration], per_mille: usize) -> Duration {
    let index = (sorted.len() * per_mille / 1_000).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or_default()
}

/// Sends events.
struct Sender {
    producer: Producer,
    topic: TopicHandle,
    events: Clickstream,
    event: Event,
    value: Vec<u8>,
}

impl Sender {
    fn open(cluster: &Cluster, events: Clickstream) -> Result<Self, Failure> {
        let producer = Producer::open(&cluster.producer_settings())?;
        let topic = producer.topic(CLICKS, &[])?;
        Ok(Self { producer, topic, events, event: Event::default(), value: Vec::new() })
    }

    /// Sends the next event with the time at which it was due for an id; one without an id stays
    /// so. Its event time; none if there is none any more.
    fn send(&mut self, due: Duration) -> Result<Option<i64>, Failure> {
        if !self.events.next_into(&mut self.event) {
            return Ok(None);
        }
        self.value.clear();
        match self.event.json.split_once("\"event_id\":\"e") {
            None => self.value.extend_from_slice(self.event.json.as_bytes()),
            Some((before, after)) => {
                let rest = after.split_once('"').map_or("", |(_, rest)| rest);
                // As long in the first minute as after hours: what is kept of it takes the same room.
                write!(self.value, "{before}{STAMP}{:012}\"{rest}", due.as_micros())?;
            }
        }
        let key = Some(self.event.session_id.as_bytes());
        let record = Record { key, value: Some(&self.value), ..Record::default() };
        loop {
            match self.producer.produce(&self.topic, &record) {
                Err(error) if error.is_queue_full() => std::thread::park_timeout(TICK),
                sent => return Ok(sent.map(|()| Some(self.event.time_ms))?),
            }
        }
    }
}

/// Reads committed outputs.
struct Reader {
    model: Model,
    queues: Vec<PartitionQueue>,
    _consumer: Consumer,
}

impl Reader {
    fn open(cluster: &Cluster, model: Model) -> Result<Self, Failure> {
        let partitions = usize::try_from(model.partitions)?;
        let consumer = Consumer::open(&cluster.reader_settings(partitions))?;
        let starts: Vec<_> = (0..model.partitions)
            .map(|partition| PartitionStart {
                topic: model.topic.to_owned(),
                partition,
                start: Start::Earliest,
            })
            .collect();
        let queues = consumer.assign(&starts)?;
        Ok(Self { model, queues, _consumer: consumer })
    }

    fn run(mut self, clock: &SystemClock, arrivals: &Arrivals) {
        let mut rows = Vec::new();
        while !arrivals.is_closing.load(Ordering::Relaxed) {
            for queue in &mut self.queues {
                let polled = queue.poll(10_000, Duration::ZERO);
                let now = clock.monotonic();
                rows.extend(polled.messages.iter().filter_map(|message| {
                    let row = std::str::from_utf8(message.payload?).ok()?;
                    let due = self.model.due(row, arrivals)?;
                    Some(Arrival { due, latency: now.saturating_sub(due) })
                }));
            }
            if rows.is_empty() {
                std::thread::park_timeout(TICK);
            }
            arrivals.rows.lock().unwrap_or_else(PoisonError::into_inner).append(&mut rows);
        }
    }
}

impl Model {
    /// When a row was due; none of a row that does not say.
    fn due(self, row: &str, arrivals: &Arrivals) -> Option<Duration> {
        let reached = self.waits_for.and_then(|before| {
            let nanos = string_to_timestamp_nanos(quoted(row, before)?).ok()?;
            arrivals.reached(nanos.div_euclid(1_000_000))
        });
        let stamped = quoted(row, STAMP).and_then(|micros| micros.parse().ok());
        // A late row of the join leaves with the next event.
        reached.max(stamped.map(Duration::from_micros))
    }
}

/// The text from `before` to the next quotation mark.
fn quoted<'a>(row: &'a str, before: &str) -> Option<&'a str> {
    let (_, rest) = row.split_once(before)?;
    rest.split_once('"').map(|(text, _)| text)
}
