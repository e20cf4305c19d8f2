//! The journal's topic as bytes: entries cut into records that fit, and put together again.
//!
//! What an entry says is the runtime's; here it is bytes with an epoch.

use std::collections::VecDeque;
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

/// How many records are taken at once: they are kept in memory until they are asked for.
const POLL_RECORDS: usize = 64;

/// How many offsets the mark of a commit takes, which follows each entry: where only one is left to
/// the end, it is no entry's.
const COMMIT_MARK: i64 = 1;

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
    cluster: Cluster,
    topic: String,
    /// None while it rests.
    reader: Option<Reader>,
    first: i64,
    begin: i64,
    position: i64,
    /// Whether the position may lie within an entry, which is then not given.
    is_guess: bool,
    /// Where the topic ended when it was last asked.
    end: i64,
    parts: Option<Parts>,
    /// Complete entries that nobody has asked for yet.
    ready: VecDeque<RawEntry>,
}

/// It fetches ahead of what is asked of it.
struct Reader {
    consumer: Consumer,
    queue: PartitionQueue,
}

/// Offsets of the topic when a reader was opened.
struct Span {
    /// Of the first record still kept.
    first: i64,
    /// Where reading begins.
    begin: i64,
    end: i64,
}

/// An entry of which some parts have been read.
struct Parts {
    offset: i64,
    next: u32,
    count: u32,
    bytes: Vec<u8>,
}

impl JournalTopic {
    /// Opens the topic at `offset`, at which an entry must begin; where it does not reach, or no
    /// longer begins, so far, at its start.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`], also if the topic does not exist.
    pub fn open(cluster: &Cluster, topic: &str, offset: i64) -> Result<Self, ConnectorError> {
        let (reader, Span { first, begin, end }) = Reader::open(cluster, topic, offset)?;
        Ok(Self {
            cluster: cluster.clone(),
            topic: topic.to_owned(),
            reader: Some(reader),
            first,
            begin,
            position: begin,
            is_guess: false,
            end,
            parts: None,
            ready: VecDeque::new(),
        })
    }

    /// Fetches nothing until it is asked again. A reader that nobody asks would keep what it has
    /// fetched ahead: of the journal, all that its own process writes, up to a budget of many MiB.
    ///
    /// The next `passed` offsets are surely of no interest: reading goes on behind them, with the
    /// first entry that begins there.
    pub fn rest(&mut self, passed: i64) {
        if self.reader.take().is_some()
            && let Some(parts) = self.parts.take()
        {
            self.position = parts.offset;
        }
        self.position += passed;
        self.is_guess |= passed > 0;
    }

    /// Offset of the first record still kept when the topic was opened: above 0 if the journal was
    /// trimmed.
    pub fn first_offset(&self) -> i64 {
        self.first
    }

    /// Offset at which reading began.
    pub fn begin(&self) -> i64 {
        self.begin
    }

    /// Where the topic ended when it was last asked: a later entry begins there or behind.
    pub fn end(&self) -> i64 {
        self.end
    }

    /// About how many entries lie between the last one given and the end as it was when it was last
    /// asked: an entry takes a record, seldom more, and the mark of its commit.
    pub fn entries_left(&self) -> u64 {
        let offsets = u64::try_from(self.end - self.position).unwrap_or_default();
        self.ready.len() as u64 + offsets / 2
    }

    /// Asks where the topic ends now: entries are given up to there, so that a writer who is busy
    /// does not keep a reader for ever.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`]: retry if retriable.
    pub fn look_for_end(&mut self) -> Result<(), ConnectorError> {
        let reader = woken(&mut self.reader, (&self.cluster, &self.topic), &mut self.position)?;
        self.end = reader.consumer.watermarks(&self.topic, 0, ANSWER_TIMEOUT)?.1;
        Ok(())
    }

    /// The next complete entry, or none at the end as it was when it was last asked.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`]: retry if retriable. [`ConnectorError::Journal`]: parts are missing.
    pub fn next_entry(&mut self) -> Result<Option<RawEntry>, ConnectorError> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                return Ok(Some(entry));
            }
            if self.position + COMMIT_MARK >= self.end {
                return Ok(None);
            }
            self.poll()?;
        }
    }

    fn poll(&mut self) -> Result<(), ConnectorError> {
        let reader = woken(&mut self.reader, (&self.cluster, &self.topic), &mut self.position)?;
        let polled = reader.queue.poll(POLL_RECORDS, POLL_TIMEOUT);
        if polled.messages.is_empty() {
            reader.consumer.log_events(&self.topic);
        }
        for message in polled.messages.iter() {
            self.position = message.offset + 1;
            let entry = self.add(&message)?;
            self.ready.extend(entry);
        }
        if let Some(error) = polled.error {
            return Err(error.into());
        }
        if let Some(reached) = polled.end_reached {
            self.position = self.position.max(reached);
        }
        Ok(())
    }

    fn add(&mut self, message: &Message<'_>) -> Result<Option<RawEntry>, ConnectorError> {
        let header = message.headers.iter().find(|(name, _)| *name == PART_HEADER.as_bytes());
        let part = header.and_then(|(_, value)| std::str::from_utf8(value?).ok());
        let Some((index, count)) = part.and_then(parse_part) else {
            return Err(damaged(&self.topic, message.offset, "a record is not part of an entry"));
        };
        if index > 0 && self.is_guess {
            return Ok(None);
        }
        self.is_guess = false;
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

impl Reader {
    /// A reader that begins at `offset`; where the topic does not reach, or no longer begins, so
    /// far, at its start.
    fn open(cluster: &Cluster, topic: &str, offset: i64) -> Result<(Self, Span), ConnectorError> {
        let consumer = Consumer::open(&cluster.journal_settings())?;
        let (first, end) = consumer.watermarks(topic, 0, ANSWER_TIMEOUT)?;
        let begin = if (first..=end).contains(&offset) { offset } else { first };
        let start =
            PartitionStart { topic: topic.to_owned(), partition: 0, start: Start::At(begin) };
        let mut queues = consumer.assign(&[start])?;
        let Some(queue) = queues.pop() else {
            return Err(damaged(topic, first, "it has no partition"));
        };
        Ok((Self { consumer, queue }, Span { first, begin, end }))
    }
}

/// The reader, opened again at the position if it rests.
fn woken<'a>(
    reader: &'a mut Option<Reader>,
    (cluster, topic): (&Cluster, &str),
    position: &mut i64,
) -> Result<&'a mut Reader, ConnectorError> {
    match reader {
        Some(reader) => Ok(reader),
        None => {
            let (opened, span) = Reader::open(cluster, topic, *position)?;
            *position = span.begin;
            Ok(reader.insert(opened))
        }
    }
}

/// How many records an entry takes, each of at most `part_bytes`.
pub fn entry_records(bytes: usize, part_bytes: usize) -> usize {
    bytes.div_ceil(part_bytes).max(1)
}

fn parse_part(text: &str) -> Option<(u32, u32)> {
    let (index, count) = text.split_once('/')?;
    let (index, count) = (index.parse().ok()?, count.parse().ok()?);
    (index < count).then_some((index, count))
}

fn damaged(topic: &str, offset: i64, detail: &str) -> ConnectorError {
    ConnectorError::Journal { topic: topic.to_owned(), offset, detail: detail.to_owned() }
}
