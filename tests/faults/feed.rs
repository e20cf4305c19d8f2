//! Rows that say where they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use arrow_kafka::{Consumer, ErrorCode, Producer, ProducerEvent, Record, TopicHandle};
use connectors::Cluster;
use stream::{Clock, SystemClock};

use crate::client::PATIENCE;
use crate::reader::settings;

/// Different keys; a row has that of its number.
pub(crate) const KEYS: u64 = 5;

/// Event time between two rows of a partition.
pub(crate) const STEP_MS: u64 = 10;

/// How often the feeder writes.
const TICK: Duration = Duration::from_millis(10);

/// Writes rows; each partition's are numbered from 0, and their event times ascend.
pub(crate) struct Feed {
    producer: Producer,
    handle: TopicHandle,
    brokers: String,
    fed: Vec<u64>,
    written: Arc<AtomicUsize>,
}

impl Feed {
    pub(crate) fn new(brokers: &str, topic: &str, partitions: usize) -> Self {
        let mut config = settings(brokers, Cluster::producer_settings);
        // A broker may be silent for as long as a test likes.
        config.push(("message.timeout.ms".to_owned(), "0".to_owned()));
        config.push(("topic.metadata.refresh.interval.ms".to_owned(), "500".to_owned()));
        let producer = Producer::open(&config).expect("a producer can be made");
        let handle = producer.topic(topic, &[]).expect("the topic has a name");
        Self {
            producer,
            handle,
            brokers: brokers.to_owned(),
            fed: vec![0; partitions],
            written: Arc::default(),
        }
    }

    /// Writes `count` rows into each partition.
    pub(crate) fn rows(&mut self, count: u64) {
        for _ in 0..count {
            for partition in 0..self.fed.len() {
                self.row(partition);
            }
        }
    }

    /// Writes a row into a partition.
    pub(crate) fn row(&mut self, partition: usize) {
        let number = self.fed[partition];
        let (key, at) = (key_of(number), time_of(number));
        let row = format!(r#"{{"part":{partition},"seq":{number},"k":"{key}","at":"{at}"}}"#);
        self.raw(partition, row.as_bytes());
        self.fed[partition] += 1;
        self.written.fetch_add(1, Ordering::SeqCst);
    }

    /// Writes something that is no row.
    pub(crate) fn raw(&self, partition: usize, value: &[u8]) {
        let partition = i32::try_from(partition).expect("a small number");
        let record = Record { value: Some(value), partition: Some(partition), ..Record::default() };
        while let Err(error) = self.producer.produce(&self.handle, &record) {
            // A new partition is known once the topic has been asked for again.
            let is_soon_known = error.code() == Some(ErrorCode::UNKNOWN_PARTITION);
            assert!(error.is_queue_full() || is_soon_known, "feeding: {error}");
            self.serve(TICK);
        }
    }

    /// Looks at what the producer has met.
    fn serve(&self, timeout: Duration) {
        for event in self.producer.serve_events(timeout) {
            let is_lost = !matches!(event, ProducerEvent::Error(_));
            assert!(!is_lost, "feeding: {event:?}");
        }
    }

    /// Waits until all rows are stored; how many each partition has. What the broker itself does not
    /// have, the engine cannot have lost.
    pub(crate) fn flush(&self) -> Vec<u64> {
        let clock = SystemClock::new();
        while self.producer.flush(TICK).is_err() {
            self.serve(Duration::ZERO);
            assert!(clock.monotonic() < PATIENCE * 2, "rows are not stored");
        }
        self.serve(Duration::ZERO);
        let consumer = Consumer::open(&settings(&self.brokers, Cluster::log_settings));
        let consumer = consumer.expect("a consumer can be made");
        for (partition, fed) in (0..).zip(&self.fed) {
            let ends = consumer.watermarks(self.handle.name(), partition, PATIENCE);
            let (_, end) = ends.expect("the broker answers");
            let stored = u64::try_from(end).expect("offsets begin at 0");
            assert!(
                stored >= *fed,
                "the broker has {stored} of {fed} rows of partition {partition}"
            );
        }
        self.fed.clone()
    }

    /// The topic has got partitions.
    pub(crate) fn grow(&mut self, partitions: usize) {
        self.fed.resize(partitions, 0);
    }

    /// Goes on writing on a thread of its own, until it is told to stop.
    pub(crate) fn start(mut self, rows_per_second: u64) -> Feeder {
        let (stop, stopped) = sync_channel::<()>(0);
        let written = Arc::clone(&self.written);
        let per_tick = (rows_per_second / 100 / self.fed.len() as u64).max(1);
        let thread = std::thread::spawn(move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                self.rows(per_tick);
                self.serve(Duration::ZERO);
            }
            self
        });
        Feeder { stop, written, thread }
    }
}

/// Rows that go on coming.
pub(crate) struct Feeder {
    stop: SyncSender<()>,
    written: Arc<AtomicUsize>,
    thread: JoinHandle<Feed>,
}

impl Feeder {
    /// How many rows it has written so far, stored or not.
    pub(crate) fn written(&self) -> usize {
        self.written.load(Ordering::SeqCst)
    }

    /// Ends it.
    pub(crate) fn stop(self) -> Feed {
        drop(self.stop);
        self.thread.join().expect("the feeder does not panic")
    }
}

/// The key of a row.
pub(crate) fn key_of(number: u64) -> String {
    format!("k{}", number % KEYS)
}

/// The event time of a row, as the source's JSON has it.
fn time_of(number: u64) -> String {
    format!("{}.{:03}Z", second_text(number), number * STEP_MS % 1_000)
}

/// The second in which a row's event time lies.
pub(crate) fn second_text(number: u64) -> String {
    let seconds = number * STEP_MS / 1_000;
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    assert!(hours < 24, "one day is enough for a test");
    format!("2026-01-01T{hours:02}:{minutes:02}:{:02}", seconds % 60)
}
