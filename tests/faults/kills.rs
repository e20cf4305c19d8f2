//! SIGKILL at random moments, while rows go on coming.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use stream::{Clock, SystemClock};

use crate::client::{Cluster, Reads};
use crate::kafka;
use crate::running::Running;
use crate::world::{Engine, World, pause, wait_until};

/// How often a process is killed if nobody says otherwise.
const KILLS: usize = 20;

/// Rows a second, all partitions together.
const RATE: u64 = 1_500;

const COMMIT_INTERVALS: [&str; 3] = ["20ms", "100ms", "1s"];

/// A process lives at most so long after its start, or after the first row that is seen of it.
const LIFE_MS: u64 = 1_500;

#[test]
fn kills_change_no_row_on_real_kafka() {
    let Some(kafka) = kafka::Kafka::start() else { return };
    kill_and_judge(&kafka.brokers(), kills());
}

#[test]
fn kills_change_no_row_on_the_embedded_broker() {
    let folder = crate::command::Folder::new();
    let mut broker: Running = folder.start(&["broker"]);
    let line = broker.line();
    let brokers = line.strip_prefix("listening on ").expect("its address");
    // On this broker it is a check of the same code: fewer will do.
    kill_and_judge(brokers, kills().div_ceil(2));
}

fn kills() -> usize {
    number("ENGINE_TEST_KILLS").map_or(KILLS, |kills| usize::try_from(kills).expect("a count"))
}

/// The number in a variable of the environment, if it is set.
pub(crate) fn number(variable: &str) -> Option<u64> {
    let text = std::env::var_os(variable)?;
    Some(text.to_string_lossy().parse().expect("the variable is a number"))
}

/// Feeds, kills again and again, lets the last process finish, judges and reports.
#[expect(clippy::print_stdout, reason = "seed and figures of the run")]
fn kill_and_judge(brokers: &str, kills: usize) {
    let clock = SystemClock::new();
    let seed = number("ENGINE_TEST_SEED").unwrap_or_else(|| clock.now().0.unsigned_abs());
    println!("ENGINE_TEST_SEED={seed} ENGINE_TEST_KILLS={kills}");
    let mut random = Random(seed);
    let world = World::new(brokers, "killed");
    let feeder = world.feed().start(RATE);
    // The first start makes the topics that the tail reads.
    let mut first = Engine::start(&world.folder, &[]);
    first.await_message("killed · env");
    wait_until("a first row", || world.has_output());
    let tail = Tail::start(&world.cluster, &world.topic("copies"));
    first.kill();
    let mut figures = Figures::default();
    for round in 0..kills {
        let interval = COMMIT_INTERVALS[random.below(COMMIT_INTERVALS.len())];
        let started_ms = clock.now().0;
        let engine = Engine::start(&world.folder, &["--commit-interval", interval]);
        // Every other one is killed while it starts, replays or has just begun; the others while
        // rows flow.
        if round % 2 == 1 {
            wait_until("a row of the process", || tail.first_since(started_ms).is_some());
        }
        pause(Duration::from_millis(random.next() % LIFE_MS));
        let messages = engine.kill();
        figures.kills += 1;
        figures.recovery.extend(tail.first_since(started_ms));
        figures.replayed.extend(replayed(&messages));
    }
    let fed = feeder.stop().flush();
    let verdict = world.settle(&fed);
    println!("{figures}\n{verdict}");
    tail.stop();
    verdict.is_exact();
    assert!(figures.recovery.len() >= kills / 2, "every other process has written rows");
}

/// What a process said that it replayed, if it came so far.
fn replayed(messages: &str) -> Option<u64> {
    let line = messages.lines().find(|line| line.contains("the journal was replayed"))?;
    line.split("records=").nth(1)?.split_whitespace().next()?.parse().ok()
}

/// What was measured.
#[derive(Default)]
struct Figures {
    kills: usize,
    /// From the start of a process to the first new row that a reader sees.
    recovery: Vec<Duration>,
    /// Records folded again at a start.
    replayed: Vec<u64>,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut recovery = self.recovery.clone();
        recovery.sort_unstable();
        let mut replayed = self.replayed.clone();
        replayed.sort_unstable();
        write!(
            f,
            "{} kills; recovery of {}: p50 {:.1?}, p99 {:.1?}; rows replayed of {}: p50 {}, most {}",
            self.kills,
            recovery.len(),
            at(&recovery, 50).unwrap_or_default(),
            at(&recovery, 99).unwrap_or_default(),
            replayed.len(),
            at(&replayed, 50).unwrap_or_default(),
            replayed.last().copied().unwrap_or_default(),
        )
    }
}

/// The value below which so many hundredths of the sorted values lie.
fn at<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied()
}

/// A reader of committed rows that notes when they come.
struct Tail {
    seen: Arc<Mutex<Vec<Seen>>>,
    stop: std::sync::mpsc::SyncSender<()>,
    thread: JoinHandle<()>,
}

/// A row: when the engine produced it, and when it could be read, by the wall clock that engine and
/// test share.
#[derive(Clone, Copy)]
struct Seen {
    produced_ms: i64,
    read_ms: i64,
}

impl Tail {
    fn start(cluster: &Cluster, topic: &str) -> Self {
        let consumer: BaseConsumer = cluster.consumer("tail", Reads::Committed);
        let mut list = TopicPartitionList::new();
        for partition in 0..cluster.partition_count(topic) {
            list.add_partition_offset(topic, partition, Offset::Beginning).expect("an offset");
        }
        consumer.assign(&list).expect("partitions can be assigned");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = std::sync::mpsc::sync_channel::<()>(0);
        let noted = Arc::clone(&seen);
        let clock = SystemClock::new();
        let thread = std::thread::spawn(move || {
            while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                // Marks of a partition's end come as errors; others pass as well.
                if let Some(Ok(message)) = consumer.poll(Duration::from_millis(20)) {
                    let produced_ms = message.timestamp().to_millis().unwrap_or_default();
                    let mut seen = noted.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.push(Seen { produced_ms, read_ms: clock.now().0 });
                }
            }
        });
        Self { seen, stop, thread }
    }

    /// How long after the start of a process its first row could be read.
    fn first_since(&self, started_ms: i64) -> Option<Duration> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let first = seen.iter().find(|seen| seen.produced_ms >= started_ms)?;
        Some(Duration::from_millis((first.read_ms - started_ms).unsigned_abs()))
    }

    fn stop(self) {
        drop(self.stop);
        self.thread.join().expect("the tail does not panic");
    }
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap_or_default()
    }
}
