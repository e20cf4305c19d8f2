//! How long after an event was sent can its output be read, and what does exactly-once cost?
//!
//! Workload: the events of `pipeline.rs` at a fixed rate into a topic with 4 partitions of a real
//! Kafka, the catalogue in one with 1, all four models of the example with their declared output
//! partitions. The producer keeps its schedule whatever the engine does, and each event carries
//! the time at which it was due, so that a stall counts for every event behind it. A reader of
//! committed records of `events_clean` notes when it sees each.
//!
//! The bound: with `exactly_once` an event waits for the end of its epoch, half a commit interval
//! in the middle and a whole one at worst, and for Kafka's commit.
//!
//! `cargo bench --bench latency -- [--rate N] [--seconds N] [CASE ...]`, a case being
//! `exactly_once@1s` or the like.

#![expect(clippy::print_stdout, reason = "a bench tells its figures")]

use std::error::Error;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow_kafka::{Consumer, PartitionQueue, PartitionStart, Producer, Record, Start, TopicHandle};
use connectors::Cluster;
use stream::{Clock, SystemClock};

#[path = "support/clickstream.rs"]
#[expect(dead_code, reason = "another bench uses the rest")]
mod clickstream;
#[path = "support/engine.rs"]
#[expect(dead_code, reason = "another bench uses the rest")]
mod engine;
#[path = "../tests/support/kafka.rs"]
#[expect(dead_code, reason = "tests use the rest")]
mod kafka;
#[path = "support/usage.rs"]
#[expect(dead_code, reason = "another bench uses the rest")]
mod usage;

use clickstream::{Event, Settings};
use engine::Project;

const CLICKS: &str = "ecom.clickstream.v1";
const PRODUCTS: &str = "ecom.products.v1";
const OUTPUT: &str = "ecom.events-clean.v1";

const CASES: [&str; 4] =
    ["exactly_once@1s", "exactly_once@100ms", "exactly_once@20ms", "at_least_once@1s"];

/// What is before the measurement: the engine's start, and its first epochs.
const WARM_UP: Duration = Duration::from_secs(8);

/// How long the last events are waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How an event's id says when it was due, in microseconds of the bench's clock.
const STAMP: &str = "\"event_id\":\"t";

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse()?;
    let Arguments { rate, measured, cases } = &arguments;
    println!("load of the machine: {}; {rate} events/s for {measured:?}", usage::load());
    for case in cases {
        let (delivery, interval) = case.split_once('@').ok_or("a case is DELIVERY@INTERVAL")?;
        match kafka::Kafka::start() {
            None => return Err("no Java and Maven here: nothing on a real Kafka".into()),
            Some(kafka) => measure(&arguments, &kafka.brokers(), (delivery, interval))?,
        }
    }
    println!("load of the machine: {}", usage::load());
    Ok(())
}

/// What was asked for.
struct Arguments {
    rate: u64,
    measured: Duration,
    cases: Vec<String>,
}

impl Arguments {
    fn parse() -> Result<Self, Failure> {
        let mut parsed =
            Self { rate: 20_000, measured: Duration::from_secs(20), cases: Vec::new() };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
            match argument.as_str() {
                // Cargo adds it.
                "--bench" => {}
                "--rate" => parsed.rate = value()?.parse()?,
                "--seconds" => parsed.measured = Duration::from_secs(value()?.parse()?),
                case if case.contains('@') => parsed.cases.push(case.to_owned()),
                other => return Err(format!("unknown argument {other}").into()),
            }
        }
        if parsed.cases.is_empty() {
            parsed.cases = CASES.map(str::to_owned).to_vec();
        }
        Ok(parsed)
    }

    fn total(&self) -> Duration {
        WARM_UP + self.measured
    }
}

fn measure(
    arguments: &Arguments,
    brokers: &str,
    (delivery, interval): (&str, &str),
) -> Result<(), Failure> {
    let project = project(brokers, delivery);
    let seconds = arguments.total().as_secs();
    let events = arguments.rate * seconds;
    let settings = Settings { events, products: 5_000, rate: 500.0, seed: 7 };
    let (versions, events) = clickstream::generate(settings);
    project.run(&["topic", "create", CLICKS, "--partitions", "4"]);
    project.run(&["topic", "create", PRODUCTS, "--partitions", "1"]);
    project.run(&["topic", "create", OUTPUT, "--partitions", "24"]);
    let lines: Vec<&str> = versions.iter().map(|version| version.json.as_str()).collect();
    let keyed = ["--key", "product_id", "--timestamp", "updated_at"];
    let produce = ["topic", "produce", PRODUCTS];
    project.run_with_input(&[&produce[..], &keyed].concat(), (lines.join("\n") + "\n").as_bytes());
    let messages = std::fs::File::create(project.path().join("messages.txt"))?;
    let mut engine = project
        .command(&["run", "--commit-interval", interval])
        .stdout(Stdio::null())
        .stderr(messages)
        .spawn()?;
    let measured = load(arguments, brokers, events, engine.id());
    terminate(&mut engine)?;
    report(arguments, &format!("{delivery}, commit interval {interval}"), measured?);
    Ok(())
}

/// The example on a real Kafka.
fn project(brokers: &str, delivery: &str) -> Project {
    let project = Project::ecommerce();
    project.write(
        "stream_project.yml",
        &format!(
            "project:\n  name: latency\nruntime:\n  kafka:\n    bootstrap_servers: {brokers}\n  engine:\n    delivery: {delivery}\n"
        ),
    );
    project
}

/// What one case gave.
struct Measured {
    /// From the moment at which an event was due to that at which its output was read.
    latencies: Vec<Duration>,
    /// CPU time of the engine over the measured time.
    cpu: Duration,
}

/// Sends events on schedule and reads outputs at the same time.
fn load(
    arguments: &Arguments,
    brokers: &str,
    mut events: clickstream::Clickstream,
    engine: u32,
) -> Result<Measured, Failure> {
    let cluster = Cluster::embedded(brokers.parse()?);
    let clock = Arc::new(SystemClock::new());
    let is_sent = Arc::new(AtomicBool::new(false));
    let mut reader = Reader::open(&cluster)?;
    let sender = Sender::open(&cluster)?;
    let reading = {
        let (clock, is_sent) = (Arc::clone(&clock), Arc::clone(&is_sent));
        let until = arguments.total() + PATIENCE;
        std::thread::spawn(move || reader.run(&clock, &is_sent, until))
    };
    let (mut event, mut number, mut cpu) = (Event::default(), 0_u64, None);
    while clock.monotonic() < arguments.total() {
        let now = clock.monotonic();
        if cpu.is_none() && now >= WARM_UP {
            cpu = Some(usage::cpu_of(engine));
        }
        loop {
            let due = Duration::from_micros(number * 1_000_000 / arguments.rate);
            if due > now || !events.next_into(&mut event) {
                break;
            }
            sender.send(&event, due)?;
            number += 1;
        }
        std::thread::park_timeout(Duration::from_micros(500));
    }
    let cpu = usage::cpu_of(engine).saturating_sub(cpu.unwrap_or_default());
    sender.producer.flush(PATIENCE)?;
    is_sent.store(true, Ordering::Relaxed);
    let latencies = reading.join().map_err(|_panic| "the reader panicked")??;
    Ok(Measured { latencies, cpu })
}

/// Sends events.
struct Sender {
    producer: Producer,
    topic: TopicHandle,
}

impl Sender {
    fn open(cluster: &Cluster) -> Result<Self, Failure> {
        let mut settings = cluster.producer_settings();
        settings.push(("linger.ms".to_owned(), "1".to_owned()));
        let producer = Producer::open(&settings)?;
        let topic = producer.topic(CLICKS, &[])?;
        Ok(Self { producer, topic })
    }

    /// Sends an event with the time at which it was due for an id. One without an id stays so.
    fn send(&self, event: &Event, due: Duration) -> Result<(), Failure> {
        let mut value = Vec::with_capacity(event.json.len() + 16);
        match event.json.split_once("\"event_id\":\"e") {
            None => value.extend_from_slice(event.json.as_bytes()),
            Some((before, after)) => {
                let rest = after.split_once('"').map_or("", |(_, rest)| rest);
                write!(value, "{before}{STAMP}{}\"{rest}", due.as_micros())?;
            }
        }
        let key = Some(event.session_id.as_bytes());
        Ok(self
            .producer
            .produce(&self.topic, &Record { key, value: Some(&value), ..Record::default() })?)
    }
}

/// Reads committed outputs.
struct Reader {
    queues: Vec<PartitionQueue>,
    _consumer: Consumer,
}

impl Reader {
    fn open(cluster: &Cluster) -> Result<Self, Failure> {
        let consumer = Consumer::open(&cluster.reader_settings(24))?;
        let starts: Vec<_> = (0..24)
            .map(|partition| PartitionStart {
                topic: OUTPUT.to_owned(),
                partition,
                start: Start::Earliest,
            })
            .collect();
        let queues = consumer.assign(&starts)?;
        Ok(Self { queues, _consumer: consumer })
    }

    /// Reads until everything was sent and nothing more has come for two seconds.
    fn run(
        &mut self,
        clock: &SystemClock,
        is_sent: &AtomicBool,
        until: Duration,
    ) -> Result<Vec<Duration>, Failure> {
        let (mut latencies, mut newest) = (Vec::new(), Duration::ZERO);
        loop {
            let mut has_any = false;
            for queue in &self.queues {
                let polled = queue.poll(10_000, Duration::ZERO);
                let now = clock.monotonic();
                for message in polled.messages.iter() {
                    has_any = true;
                    newest = now;
                    let due = message.payload.and_then(stamp);
                    latencies.extend(
                        due.filter(|due| *due >= WARM_UP).map(|due| now.saturating_sub(due)),
                    );
                }
            }
            let now = clock.monotonic();
            let is_quiet = now.saturating_sub(newest) > Duration::from_secs(2);
            if is_sent.load(Ordering::Relaxed) && (is_quiet || now > until) {
                return Ok(latencies);
            }
            if !has_any {
                std::thread::park_timeout(Duration::from_micros(500));
            }
        }
    }
}

/// When the event of an output was due.
fn stamp(value: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?;
    let (_, rest) = text.split_once(STAMP)?;
    let (micros, _) = rest.split_once('"')?;
    Some(Duration::from_micros(micros.parse().ok()?))
}

fn report(arguments: &Arguments, case: &str, measured: Measured) {
    let Measured { mut latencies, cpu } = measured;
    latencies.sort_unstable();
    let at = |per_mille: usize| {
        let index = (latencies.len() * per_mille / 1_000).min(latencies.len().saturating_sub(1));
        latencies.get(index).copied().unwrap_or_default()
    };
    let events = arguments.rate * arguments.measured.as_secs();
    println!(
        "{case}: p50 {:.1?}, p99 {:.1?}, greatest {:.1?} of {} rows of {events} events; engine {:.2} \
         CPU s, {:.0} events per CPU second",
        at(500),
        at(990),
        at(1_000),
        latencies.len(),
        cpu.as_secs_f64(),
        as_f64(events) / cpu.as_secs_f64(),
    );
}

/// Asks a process to end, and waits for it.
fn terminate(child: &mut Child) -> Result<(), Failure> {
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?;
    child.wait()?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn as_f64(count: u64) -> f64 {
    count as f64
}
