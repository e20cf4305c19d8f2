//! The dead-letter topic as it is read: letters, and marks of those that were replayed.

mod redeliver;

use std::time::Duration;

use arrow_kafka::{Consumer, Message, PartitionStart, Start};
use connectors::admin::Admin;
use connectors::{Cluster, ConnectorError, GENERATION_HEADER};

pub use redeliver::{Fate, Redelivery, RedeliveryReport, Settled};

/// `engine.reason` of a mark: the letter with the same key was replayed.
pub const REPLAYED: &str = "replayed";

/// How many records are taken from the client at once.
const POLL_RECORDS: usize = 1_000;

/// How long one wait for records may take before the end is looked at again.
const POLL_WAIT: Duration = Duration::from_millis(50);

/// How long the broker may take to answer a question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A record of a dead-letter topic.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadLetter {
    /// Its offset in the dead-letter topic.
    pub offset: i64,
    /// When it was written, in milliseconds since the epoch.
    pub written_ms: Option<i64>,
    /// Why it is one; [`REPLAYED`] for a mark.
    pub reason: String,
    /// What exactly went wrong.
    pub detail: String,
    /// The model, or the source where no model had it yet.
    pub model: String,
    /// The operator; `decode` before all.
    pub operator: String,
    /// The topic that it comes from.
    pub topic: String,
    /// Partition and offset there; none of a row that stands for several records.
    pub origin: Option<(i32, i64)>,
    /// The epoch that wrote it.
    pub epoch: Option<u64>,
    /// The generation that wrote it.
    pub generation: Option<u64>,
    /// Whether the end of the value is missing.
    pub is_truncated: bool,
    /// The record's bytes, or the operator's input row as JSON.
    pub value: Option<Vec<u8>>,
}

impl DeadLetter {
    /// Whether it says that another letter was replayed.
    pub fn is_mark(&self) -> bool {
        self.reason == REPLAYED
    }

    /// `topic/partition@offset` of the record that it comes from, or its topic.
    pub fn place(&self) -> String {
        match self.origin {
            Some((partition, offset)) => format!("{}/{partition}@{offset}", self.topic),
            None => self.topic.clone(),
        }
    }

    fn of(message: &Message<'_>) -> Self {
        let mut letter = Self {
            offset: message.offset,
            written_ms: message.timestamp_ms,
            value: message.payload.map(<[u8]>::to_vec),
            ..Self::default()
        };
        let (mut partition, mut offset) = (None, None);
        for (name, value) in message.headers.iter() {
            let text = String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
            match name {
                b"engine.reason" => letter.reason = text,
                b"engine.detail" => letter.detail = text,
                b"engine.model" => letter.model = text,
                b"engine.operator" => letter.operator = text,
                b"engine.topic" => letter.topic = text,
                b"engine.partition" => partition = text.parse().ok(),
                b"engine.offset" => offset = text.parse().ok(),
                b"engine.epoch" => letter.epoch = text.parse().ok(),
                b"engine.truncated" => letter.is_truncated = true,
                other if other == GENERATION_HEADER.as_bytes() => {
                    letter.generation = text.parse().ok();
                }
                _ => {}
            }
        }
        letter.origin = partition.zip(offset);
        letter
    }
}

/// Calls `each` with every committed record of a dead-letter topic, oldest first; with none if there
/// is no such topic.
///
/// # Errors
/// [`ConnectorError::Kafka`]: retry if retriable.
pub fn read_dead_letters(
    admin: &Admin,
    topic: &str,
    each: &mut dyn FnMut(DeadLetter),
) -> Result<(), ConnectorError> {
    let Some(description) = admin.topic(topic)? else { return Ok(()) };
    for (partition, (first, end)) in (0..).zip(admin.bounds(&description)?) {
        scan(admin.cluster(), (topic, partition), (first, end), &mut |message| {
            each(DeadLetter::of(message));
            Ok::<_, ConnectorError>(())
        })?;
    }
    Ok(())
}

/// Calls `each` with every committed record of a partition from one offset to before another. Where
/// a transaction is open before the end, it is waited for.
fn scan<E: From<ConnectorError>>(
    cluster: &Cluster,
    (topic, partition): (&str, i32),
    (from, end): (i64, i64),
    each: &mut dyn FnMut(&Message<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let kafka = ConnectorError::from;
    let consumer = Consumer::open(&cluster.reader_settings(1)).map_err(kafka)?;
    let start = PartitionStart { topic: topic.to_owned(), partition, start: Start::At(from) };
    let queues = consumer.assign(&[start]).map_err(kafka)?;
    let mut position = from;
    while let Some(queue) = queues.first().filter(|_| position < end) {
        let polled = queue.poll(POLL_RECORDS, POLL_WAIT);
        if polled.messages.is_empty() {
            consumer.log_events(topic);
        }
        for message in polled.messages.iter() {
            position = message.offset + 1;
            if message.offset < end {
                each(&message)?;
            }
        }
        if let Some(error) = polled.error {
            return Err(kafka(error).into());
        }
        position = position.max(polled.end_reached.unwrap_or(position));
    }
    Ok(())
}

/// First offset of a partition and the end of its log, open transactions included.
fn log_bounds(
    cluster: &Cluster,
    topic: &str,
    partition: i32,
) -> Result<(i64, i64), ConnectorError> {
    let consumer = Consumer::open(&cluster.log_settings())?;
    Ok(consumer.watermarks(topic, partition, ANSWER_TIMEOUT)?)
}
