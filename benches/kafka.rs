//! What does the engine cost from Kafka to Kafka, exactly once, and how soon does it answer?
//!
//! Workload: the events of `pipeline.rs` in a topic with 4 partitions, the catalogue in one with 1,
//! all four models of the example with their declared output partitions (66). Cases:
//!
//! - `floor`: librdkafka alone on a real Kafka, the bound that no engine on it could beat
//! - `kafka`: `engine run --once --close-windows` on a real Kafka
//! - `broker`: the same on `engine broker` in a process of its own
//! - `first`: from the start of `engine run` on its own broker, without state, to the first row that
//!   a reader sees
//! - `check`: `engine check` of the example
//!
//! The engine is the binary as built for release; CPU time and memory are those of its process
//! alone. Kafka comes from `tests/kafka/kafka.sh`, or is the one that `KAFKA_BROKERS` names, whose
//! CPU time is then unknown.
//!
//! `cargo bench --bench kafka -- [--events N] [--partitions N] [CASE ...]`

#![expect(clippy::print_stdout, reason = "a bench tells its figures")]

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use arrow_kafka::Consumer;
use connectors::Cluster;
use stream::{Clock, SystemClock};

#[path = "support/clickstream.rs"]
#[expect(dead_code, reason = "another bench uses the rest")]
mod clickstream;
#[path = "support/engine.rs"]
mod engine;
#[path = "support/floor.rs"]
mod floor;
#[path = "../tests/support/kafka.rs"]
#[expect(dead_code, reason = "tests use the rest")]
mod kafka;
#[path = "support/usage.rs"]
#[expect(dead_code, reason = "another bench uses the rest")]
mod usage;

use clickstream::{Event, Settings};
use engine::Project;
use floor::Floor;

const CLICKS: &str = "ecom.clickstream.v1";
const PRODUCTS: &str = "ecom.products.v1";

/// The first model of the example: its rows are the first to leave.
const FIRST_OUTPUT: &str = "ecom.events-clean.v1";

const CASES: [&str; 5] = ["floor", "kafka", "broker", "first", "check"];

const DEFAULT_EVENTS: u64 = 300_000;

/// Events that wait in the topic when the time to the first row is taken.
const FIRST_ROW_EVENTS: u64 = 10_000;

/// How often short things are measured.
const REPETITIONS: usize = 20;

/// How long anything short may take.
const PATIENCE: Duration = Duration::from_secs(30);

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse()?;
    println!("load of the machine: {}; {} events", usage::load(), arguments.settings.events);
    let wants = |case: &str| arguments.cases.iter().any(|wanted| wanted == case);
    if wants("check") {
        check()?;
    }
    if wants("first") {
        first_row(arguments.settings)?;
    }
    if wants("kafka") || wants("floor") {
        match kafka::Kafka::start() {
            Some(kafka) => on_kafka(&arguments, &kafka, wants("kafka"), wants("floor"))?,
            None => println!("no Java and Maven here: nothing on a real Kafka"),
        }
    }
    if wants("broker") {
        on_broker(&arguments)?;
    }
    println!("load of the machine: {}", usage::load());
    Ok(())
}

/// What was asked for.
struct Arguments {
    settings: Settings,
    partitions: String,
    cases: Vec<String>,
}

impl Arguments {
    fn parse() -> Result<Self, Failure> {
        let mut settings = Settings { events: DEFAULT_EVENTS, ..Settings::default() };
        let mut partitions = "4".to_owned();
        let mut cases: Vec<String> = Vec::new();
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
            match argument.as_str() {
                // Cargo adds it.
                "--bench" => {}
                "--events" => settings.events = value()?.parse()?,
                "--partitions" => partitions = value()?,
                case if CASES.contains(&case) => cases.push(case.to_owned()),
                other => return Err(format!("unknown argument {other}").into()),
            }
        }
        if cases.is_empty() {
            cases = CASES.map(str::to_owned).to_vec();
        }
        Ok(Self { settings, partitions, cases })
    }
}

/// `engine check`, best and median.
fn check() -> Result<(), Failure> {
    let project = Project::ecommerce();
    let clock = SystemClock::new();
    let mut times = Vec::new();
    for _ in 0..REPETITIONS {
        let start = clock.monotonic();
        let status =
            project.command(&["check"]).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        times.push(clock.monotonic().saturating_sub(start));
        if !status.success() {
            return Err(format!("engine check: {status}").into());
        }
    }
    report_times("engine check", times);
    Ok(())
}

/// From the start of `engine run` to the first row that a reader sees.
fn first_row(settings: Settings) -> Result<(), Failure> {
    let settings = Settings { events: FIRST_ROW_EVENTS, ..settings };
    let mut times = Vec::new();
    for _ in 0..REPETITIONS {
        let project = Project::ecommerce();
        fill(&project, settings, "4")?;
        let clock = SystemClock::new();
        let mut engine = project.spawn(&["run"]);
        let seen = await_row(&project, &clock);
        terminate(&mut engine)?;
        times.push(seen?);
    }
    report_times("first row, embedded broker, no state", times);
    Ok(())
}

/// Waits until a reader of committed records may see a row of the first model: its topic's last
/// stable offset, asked for again and again. (A consumer that fetches would add what librdkafka
/// takes to begin, a second.)
fn await_row(project: &Project, clock: &SystemClock) -> Result<Duration, Failure> {
    let owner = loop {
        match broker::locate(&project.path().join(".engine")) {
            Some(owner) => break owner,
            None => pause(clock)?,
        }
    };
    let reader = Consumer::open(&Cluster::embedded(owner.address).query_settings())?;
    let count = loop {
        let metadata = reader.metadata(Some(FIRST_OUTPUT), PATIENCE)?;
        match metadata.topics.iter().find(|topic| topic.exists()) {
            Some(topic) if !topic.partitions.is_empty() => break topic.partitions.len(),
            _ => pause(clock)?,
        }
    };
    loop {
        for partition in 0..i32::try_from(count)? {
            let (_, end) = reader.watermarks(FIRST_OUTPUT, partition, PATIENCE)?;
            if end > 0 {
                return Ok(clock.monotonic());
            }
        }
        pause(clock)?;
    }
}

/// A moment, unless too many have passed.
fn pause(clock: &SystemClock) -> Result<(), Failure> {
    if clock.monotonic() > PATIENCE {
        return Err(format!("nothing after {PATIENCE:?}").into());
    }
    std::thread::park_timeout(Duration::from_millis(2));
    Ok(())
}

fn on_kafka(
    arguments: &Arguments,
    kafka: &kafka::Kafka,
    wants_engine: bool,
    wants_floor: bool,
) -> Result<(), Failure> {
    let project = Project::ecommerce_on(&kafka.brokers(), "bench");
    fill(&project, arguments.settings, &arguments.partitions)?;
    let pid = listener(kafka.brokers().parse()?);
    if wants_engine {
        run_engine("engine, real Kafka", &project, arguments.settings.events, pid)?;
    }
    for (partitions, millis) in [(4, 1_000), (66, 1_000), (66, 100)] {
        if wants_floor {
            let before = pid.map(usage::cpu_of);
            let commit_interval = Duration::from_millis(millis);
            let floor = Floor { partitions, commit_interval };
            let cost = floor::run(kafka.brokers().parse()?, CLICKS, floor)?;
            let broker_cpu = broker_cpu(pid, before);
            let name = format!("librdkafka alone, {partitions} partitions, commit {millis} ms");
            Row { name: &name, events: cost.records, cpu: cost.cpu, wall: cost.wall, broker_cpu }
                .print(None);
        }
    }
    Ok(())
}

fn on_broker(arguments: &Arguments) -> Result<(), Failure> {
    let project = Project::ecommerce();
    let mut broker = project.command(&["broker"]).stdout(Stdio::piped()).spawn()?;
    let result = await_listening(&mut broker).and_then(|()| {
        fill(&project, arguments.settings, &arguments.partitions)?;
        let pid = Some(broker.id());
        run_engine("engine, engine broker", &project, arguments.settings.events, pid)
    });
    terminate(&mut broker)?;
    result
}

fn await_listening(broker: &mut Child) -> Result<(), Failure> {
    let stdout = broker.stdout.take().ok_or("its output is a pipe")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    if line.starts_with("listening on") {
        Ok(())
    } else {
        Err(format!("engine broker: {line}").into())
    }
}

/// One run to the end, and what it cost.
fn run_engine(
    name: &str,
    project: &Project,
    events: u64,
    broker: Option<u32>,
) -> Result<(), Failure> {
    let before = broker.map(usage::cpu_of);
    let messages = project.path().join("messages.txt");
    let clock = SystemClock::new();
    let engine = project
        .command(&["run", "--once", "--close-windows"])
        .stdout(Stdio::inherit())
        .stderr(File::create(&messages)?)
        .spawn()?;
    let usage = usage::wait(&engine)?;
    let wall = clock.monotonic();
    if !usage.is_success {
        return Err(format!("engine run failed: {}", std::fs::read_to_string(messages)?).into());
    }
    let broker_cpu = broker_cpu(broker, before);
    Row { name, events, cpu: usage.cpu, wall, broker_cpu }.print(Some(usage.peak_rss_bytes));
    Ok(())
}

fn broker_cpu(pid: Option<u32>, before: Option<Duration>) -> Option<Duration> {
    Some(usage::cpu_of(pid?).saturating_sub(before?))
}

/// Creates and fills the sources' topics.
fn fill(project: &Project, settings: Settings, partitions: &str) -> Result<(), Failure> {
    let (versions, mut events) = clickstream::generate(settings);
    project.run(&["topic", "create", CLICKS, "--partitions", partitions]);
    project.run(&["topic", "create", PRODUCTS, "--partitions", "1"]);
    let lines: Vec<&str> = versions.iter().map(|version| version.json.as_str()).collect();
    let keyed = ["--key", "product_id", "--timestamp", "updated_at"];
    let produce = ["topic", "produce", PRODUCTS];
    project.run_with_input(&[&produce[..], &keyed].concat(), (lines.join("\n") + "\n").as_bytes());
    let mut command = project.command(&["topic", "produce", CLICKS, "--key", "session_id"]);
    let mut produce = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    let mut input = std::io::BufWriter::new(produce.stdin.take().ok_or("its input is a pipe")?);
    let mut event = Event::default();
    while events.next_into(&mut event) {
        writeln!(input, "{}", event.json)?;
    }
    input.flush()?;
    drop(input);
    let status = produce.wait()?;
    if status.success() { Ok(()) } else { Err(format!("engine topic produce: {status}").into()) }
}

/// The process that listens on a port of this machine: it has the socket's inode open.
fn listener(address: SocketAddr) -> Option<u32> {
    let wanted = format!(":{:04X}", address.port());
    let is_listening = |line: &str| -> Option<String> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_it = fields.get(1)?.ends_with(&wanted) && *fields.get(3)? == "0A";
        is_it.then(|| fields.get(9).map(|inode| format!("socket:[{inode}]")))?
    };
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(std::fs::read_to_string);
    let mut sockets = tables.iter().flatten().flat_map(|table| table.lines());
    let inode = sockets.find_map(is_listening)?;
    let has_it = |pid: &u32| {
        let folder = std::fs::read_dir(format!("/proc/{pid}/fd"));
        let files = folder.into_iter().flatten().flatten();
        files
            .filter_map(|file| std::fs::read_link(file.path()).ok())
            .any(|to| to == Path::new(&inode))
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(has_it)
}

/// Asks a process to end, and waits for it.
fn terminate(child: &mut Child) -> Result<(), Failure> {
    let pid = child.id().to_string();
    Command::new("kill").args(["-TERM", &pid]).status()?;
    child.wait()?;
    Ok(())
}

/// One line of the table.
struct Row<'a> {
    name: &'a str,
    events: u64,
    cpu: Duration,
    wall: Duration,
    broker_cpu: Option<Duration>,
}

impl Row<'_> {
    fn print(&self, peak_rss_bytes: Option<u64>) {
        let (cpu, wall) = (self.cpu.as_secs_f64(), self.wall.as_secs_f64());
        println!(
            "{}: {} events; {cpu:.2} CPU s, {wall:.2} s wall; {:.0} events per CPU second, {:.0} a \
             second",
            self.name,
            self.events,
            as_f64(self.events) / cpu,
            as_f64(self.events) / wall,
        );
        if let Some(broker) = self.broker_cpu.map(|time| time.as_secs_f64()) {
            println!(
                "  broker {broker:.2} CPU s; (engine + broker CPU) / (2 x wall) {:.2}",
                (cpu + broker) / (2.0 * wall),
            );
        }
        if let Some(bytes) = peak_rss_bytes {
            println!("  peak RSS {} MB", bytes / 1_000_000);
        }
    }
}

fn report_times(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let (best, median) = (times[0], times[times.len() / 2]);
    println!("{what}: best {best:.1?}, median {median:.1?} of {}", times.len());
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn as_f64(count: u64) -> f64 {
    count as f64
}
