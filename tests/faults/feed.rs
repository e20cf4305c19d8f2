//! Rows that say where they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::client::PATIENCE;

/// Different keys; a row has that of its number.
pub(crate) const KEYS: u64 = 5;

/// Event time between two rows of a partition.
pub(crate) const STEP_MS: u64 = 10;

/// How often the feeder writes.
const TICK: Duration = Duration::from_millis(10);

/// Writes rows; each partition's are numbered from 0, and their event times ascend.
pub(crate) struct Feed {
    producer: BaseProducer,
    topic: String,
    fed: Vec<u64>,
    written: Arc<AtomicUsize>,
}

impl Feed {
    pub(crate) fn new(brokers: &str, topic: &str, partitions: usize) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers);
        config.set("enable.idempotence", "true");
        // A broker may be silent for as long as a test likes.
        config.set("message.timeout.ms", "0");
        config.set("linger.ms", "5");
        config.set("topic.metadata.refresh.interval.ms", "500");
        let producer = config.create().expect("a producer can be made");
        Self {
            producer,
            topic: topic.to_owned(),
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
        let number = i32::try_from(partition).expect("a small number");
        let mut record = BaseRecord::<(), [u8]>::to(&self.topic).partition(number).payload(value);
        loop {
            match self.producer.send(record) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    record = refused;
                    self.producer.poll(TICK);
                }
                // A new partition is known once the topic has been asked for again.
                Err((
                    KafkaError::MessageProduction(RDKafkaErrorCode::UnknownPartition),
                    refused,
                )) => {
                    record = refused;
                    let client = self.producer.client();
                    client.fetch_metadata(Some(&self.topic), PATIENCE).expect("the topic is there");
                }
                Err((error, _)) => panic!("feeding: {error}"),
            }
        }
    }

    /// The topic has got partitions.
    pub(crate) fn grow(&mut self, partitions: usize) {
        self.fed.resize(partitions, 0);
    }

    /// Waits until all rows are stored; how many each partition has. What the broker itself does not
    /// have, the engine cannot have lost.
    pub(crate) fn flush(&self) -> Vec<u64> {
        self.producer.flush(PATIENCE * 2).expect("rows are stored");
        for (partition, fed) in (0..).zip(&self.fed) {
            let client = self.producer.client();
            let ends = client.fetch_watermarks(&self.topic, partition, PATIENCE);
            let (_, end) = ends.expect("the broker answers");
            let stored = u64::try_from(end).expect("offsets begin at 0");
            assert!(
                stored >= *fed,
                "the broker has {stored} of {fed} rows of partition {partition}"
            );
        }
        self.fed.clone()
    }

    /// Goes on writing on a thread of its own, until it is told to stop.
    pub(crate) fn start(mut self, rows_per_second: u64) -> Feeder {
        let (stop, stopped) = sync_channel::<()>(0);
        let written = Arc::clone(&self.written);
        let per_tick = (rows_per_second / 100 / self.fed.len() as u64).max(1);
        let thread = std::thread::spawn(move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                self.rows(per_tick);
                self.producer.poll(Duration::ZERO);
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
