//! librdkafka alone: the floor under every engine that uses it.
//!
//! Each record of a topic is consumed by batch queue and produced twice, in transactions, with the
//! engine's own client settings: what the example's two event models cost without an engine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow_kafka::{
    Consumer, Message, PartitionQueue, PartitionStart, Producer, Record, Start, TopicHandle,
};
use connectors::admin::{Admin, TopicSpec};
use connectors::{Cluster, TransactionSettings};
use stream::{Clock, SystemClock};

use super::Failure;
use super::usage;

/// Records taken from a partition at once, as the engine takes them.
const POLL_RECORDS: usize = 8_192;

/// How long a partition that has nothing is waited for.
const POLL_WAIT: Duration = Duration::from_millis(10);

/// How long the broker may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a full queue is given to make room.
const ROOM_WAIT: Duration = Duration::from_millis(20);

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Floor {
    /// Partitions of both output topics together.
    pub(crate) partitions: i32,
    /// Time between commits.
    pub(crate) commit_interval: Duration,
}

/// What it cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// Records consumed.
    pub(crate) records: u64,
    /// CPU time of the process.
    pub(crate) cpu: Duration,
    /// Time on the clock.
    pub(crate) wall: Duration,
}

/// Consumes `topic` to its end and produces each record twice.
pub(crate) fn run(address: SocketAddr, topic: &str, floor: Floor) -> Result<Cost, Failure> {
    let cluster = Cluster::embedded(address);
    let outputs = create_outputs(&cluster, floor)?;
    let clock = SystemClock::new();
    let cpu = usage::process_cpu();
    let mut input = Input::open(&cluster, topic)?;
    let transactions = TransactionSettings {
        id: "bench-floor".to_owned(),
        timeout: connectors::TRANSACTION_TIMEOUT,
        linger: Duration::from_millis(100),
    };
    let producer = Arc::new(Producer::open(&cluster.transactional_settings(&transactions))?);
    let is_ended = Arc::new(AtomicBool::new(false));
    let events = {
        let (producer, is_ended) = (Arc::clone(&producer), Arc::clone(&is_ended));
        std::thread::spawn(move || {
            while !is_ended.load(Ordering::Relaxed) {
                producer.serve_events(Duration::from_millis(100));
            }
        })
    };
    producer.init_transactions(ANSWER_TIMEOUT)?;
    let handles =
        outputs.iter().map(|name| producer.topic(name, &[])).collect::<Result<Vec<_>, _>>()?;
    let records = copy(&mut input, &producer, &handles, (floor.commit_interval, &clock))?;
    let cpu = usage::process_cpu().saturating_sub(cpu);
    let cost = Cost { records, cpu, wall: clock.monotonic() };
    is_ended.store(true, Ordering::Relaxed);
    producer.wake();
    events.join().map_err(|_panic| "the events' thread panicked")?;
    Ok(cost)
}

fn create_outputs(cluster: &Cluster, floor: Floor) -> Result<[String; 2], Failure> {
    let admin = Admin::open(cluster)?;
    let interval = floor.commit_interval.as_millis();
    let names = ["a", "b"].map(|name| format!("floor.{}.{interval}.{name}", floor.partitions));
    for name in &names {
        let partitions = Some(floor.partitions / 2);
        admin.create(&TopicSpec { name: name.clone(), partitions, ..TopicSpec::default() })?;
    }
    Ok(names)
}

/// The partitions of the input and how far each has to be read.
struct Input {
    /// Keeps the queues alive.
    _consumer: Consumer,
    partitions: Vec<(PartitionQueue, i64)>,
}

impl Input {
    fn open(cluster: &Cluster, topic: &str) -> Result<Self, Failure> {
        let query = Consumer::open(&cluster.query_settings())?;
        let metadata = query.metadata(Some(topic), ANSWER_TIMEOUT)?;
        let count = metadata.topics.first().map_or(0, |topic| topic.partitions.len());
        let consumer = Consumer::open(&cluster.reader_settings(count))?;
        let mut starts = Vec::new();
        let mut ends = Vec::new();
        for partition in 0..i32::try_from(count)? {
            let (_, end) = consumer.watermarks(topic, partition, ANSWER_TIMEOUT)?;
            ends.push(end);
            let topic = topic.to_owned();
            starts.push(PartitionStart { topic, partition, start: Start::Earliest });
        }
        let partitions = consumer.assign(&starts)?.into_iter().zip(ends).collect();
        Ok(Self { _consumer: consumer, partitions })
    }
}

fn copy(
    input: &mut Input,
    producer: &Producer,
    outputs: &[TopicHandle],
    (commit_interval, clock): (Duration, &SystemClock),
) -> Result<u64, Failure> {
    let mut records = 0;
    let mut committed_at = clock.monotonic();
    producer.begin_transaction()?;
    while !input.partitions.is_empty() {
        let mut is_done = Vec::with_capacity(input.partitions.len());
        for (queue, end) in &input.partitions {
            let polled = queue.poll(POLL_RECORDS, POLL_WAIT);
            if let Some(error) = polled.error {
                return Err(error.into());
            }
            let mut is_at_end = polled.end_reached.is_some_and(|at| at >= *end);
            for message in polled.messages.iter() {
                outputs.iter().try_for_each(|output| produce(producer, output, &message))?;
                is_at_end |= message.offset + 1 >= *end;
            }
            records += polled.messages.len() as u64;
            is_done.push(is_at_end);
        }
        let mut done = is_done.into_iter();
        input.partitions.retain(|_| !done.next().unwrap_or(false));
        if clock.monotonic().saturating_sub(committed_at) >= commit_interval {
            producer.commit_transaction(None)?;
            producer.begin_transaction()?;
            committed_at = clock.monotonic();
        }
    }
    producer.commit_transaction(None)?;
    Ok(records)
}

fn produce(producer: &Producer, topic: &TopicHandle, message: &Message<'_>) -> Result<(), Failure> {
    let record = Record {
        key: message.key,
        value: message.payload,
        timestamp_ms: None,
        partition: None,
        headers: &[],
    };
    loop {
        match producer.produce(topic, &record) {
            Err(error) if error.is_queue_full() => {
                // A time limit that passes is what was meant to happen.
                if let Err(error) = producer.flush(ROOM_WAIT)
                    && error.is_fatal()
                {
                    return Err(error.into());
                }
            }
            other => return Ok(other?),
        }
    }
}
