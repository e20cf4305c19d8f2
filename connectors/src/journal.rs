//! The journal's topic as bytes: entries cut into records that fit, and put together again.
//!
//! What an entry says is the runtime's; here it is bytes with an epoch.

use std::time::Duration;

use arrow_kafka::{Consumer, Message, PartitionQueue, PartitionStart, Start};

use crate::{Cluster, ConnectorError};

/// Header of each record: "part i of n", as `i/n`, i from 0.
pub(crate) const PART_HEADER: &str = "engine.part";

/// Header of each record: the epoch.
pub(crate) const EPOCH_HEADER: &str = "engine.epoch";

/// How long the broker may take to answer a question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one wait for records may take before the end offset is asked for again.
const POLL_TIMEOUT: Duration = Duration::from_millis(200);

/// How many records are taken at once.
const POLL_RECORDS: usize = 1_000;

/// A complete entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEntry {
    /// Offset of its first record.
    pub offset: i64,
    /// The entry's bytes.
    pub bytes: Vec<u8>,
}

/// A reader of the journal's only partition, committed entries only.
pub struct JournalTopic {
    topic: String,
    consumer: Consumer,
    queue: PartitionQueue,
    first: i64,
    position: i64,
    parts: Option<Parts>,
}

/// An entry of which some parts have been read.
struct Parts {
    offset: i64,
    next: u32,
    count: u32,
    bytes: Vec<u8>,
}

impl JournalTopic {
    /// Opens the topic at its start.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`], also if the topic does not exist.
    pub fn open(cluster: &Cluster, topic: &str) -> Result<Self, ConnectorError> {
        let consumer = Consumer::open(&cluster.reader_settings(1))?;
        let (first, _) = consumer.watermarks(topic, 0, ANSWER_TIMEOUT)?;
        let start =
            PartitionStart { topic: topic.to_owned(), partition: 0, start: Start::At(first) };
        let mut queues = consumer.assign(&[start])?;
        let Some(queue) = queues.pop() else {
            return Err(damaged(topic, first, "it has no partition"));
        };
        let topic = topic.to_owned();
        Ok(Self { topic, consumer, queue, first, position: first, parts: None })
    }

    /// Offset of the first record still kept: above 0 if the journal was trimmed.
    pub fn first_offset(&self) -> i64 {
        self.first
    }

    /// Reads on to the end as it is now; complete entries only.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`]: retry if retriable. [`ConnectorError::Journal`]: parts are missing.
    pub fn read_to_end(&mut self) -> Result<Vec<RawEntry>, ConnectorError> {
        let (_, end) = self.consumer.watermarks(&self.topic, 0, ANSWER_TIMEOUT)?;
        let mut entries = Vec::new();
        while self.position < end {
            let polled = self.queue.poll(POLL_RECORDS, POLL_TIMEOUT);
            for message in polled.messages.iter() {
                self.position = message.offset + 1;
                entries.extend(self.add(&message)?);
            }
            if let Some(error) = polled.error {
                return Err(error.into());
            }
            if let Some(reached) = polled.end_reached {
                self.position = self.position.max(reached);
            }
        }
        Ok(entries)
    }

    fn add(&mut self, message: &Message<'_>) -> Result<Option<RawEntry>, ConnectorError> {
        let header = message.headers.iter().find(|(name, _)| *name == PART_HEADER.as_bytes());
        let part = header.and_then(|(_, value)| std::str::from_utf8(value?).ok());
        let Some((index, count)) = part.and_then(parse_part) else {
            return Err(damaged(&self.topic, message.offset, "a record is not part of an entry"));
        };
        let parts = match self.parts.take() {
            Some(parts) if parts.next == index && parts.count == count => parts,
            None if index == 0 => {
                Parts { offset: message.offset, next: 0, count, bytes: Vec::new() }
            }
            _ => return Err(damaged(&self.topic, message.offset, "parts of an entry are missing")),
        };
        let mut parts = Parts { next: index + 1, ..parts };
        parts.bytes.extend_from_slice(message.payload.unwrap_or_default());
        if parts.next == parts.count {
            return Ok(Some(RawEntry { offset: parts.offset, bytes: parts.bytes }));
        }
        self.parts = Some(parts);
        Ok(None)
    }
}

fn parse_part(text: &str) -> Option<(u32, u32)> {
    let (index, count) = text.split_once('/')?;
    let (index, count) = (index.parse().ok()?, count.parse().ok()?);
    (index < count).then_some((index, count))
}

fn damaged(topic: &str, offset: i64, detail: &str) -> ConnectorError {
    ConnectorError::Journal { topic: topic.to_owned(), offset, detail: detail.to_owned() }
}
