//! A topic to lines: committed records of every partition, values as stored.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use arrow_kafka::{Consumer, Message, OffsetAtTime, PartitionQueue, PartitionStart};
use connectors::admin::{Admin, TopicDescription};
use connectors::{Cluster, ConnectorError};
use stream::{Clock as _, SystemClock};

use crate::Error;

/// Messages taken from a partition at once.
const BATCH: usize = 10_000;

/// How long nothing may happen before everything is looked at again.
const PAUSE: Duration = Duration::from_millis(100);

/// How long the broker may take to answer a question by time.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the records of open transactions are waited for at the end: a broker acknowledges a
/// commit before all partitions have its marks.
const OPEN_WAIT: Duration = Duration::from_secs(5);

/// Where each partition begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// At its first record.
    First,
    /// After its last record.
    End,
    /// At an offset.
    At(i64),
    /// So many before its end.
    BeforeEnd(i64),
    /// At the first record at or after a time in epoch milliseconds.
    Time(i64),
}

impl Start {
    /// Reads `start`, `end`, `12`, `-12`, `@1767225600000`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "start" | "earliest" | "beginning" => Some(Self::First),
            "end" | "latest" => Some(Self::End),
            _ => match text.strip_prefix('@') {
                Some(millis) => millis.parse().ok().map(Self::Time),
                None => match text.strip_prefix('-') {
                    Some(count) => count.parse().ok().map(Self::BeforeEnd),
                    None => text.parse().ok().map(Self::At),
                },
            },
        }
    }
}

/// What to read and how to print it.
#[derive(Debug)]
pub(crate) struct ConsumeOptions {
    /// Where each partition begins.
    pub(crate) start: Start,
    /// Whether to stop at the ends found at the start.
    pub(crate) is_until_end: bool,
    /// Stop after so many records.
    pub(crate) count: Option<u64>,
    /// What is printed; the value and a line feed if `None`, and then null values are not.
    pub(crate) pattern: Option<Pattern>,
}

/// One partition that is read.
struct Reading {
    queue: PartitionQueue,
    /// Stop here.
    end: i64,
    is_done: bool,
    /// All committed records were read.
    is_at_end: bool,
}

/// Writes the records of `topic` to `out` until the end asked for, or until `is_stopped` says so.
///
/// # Errors
/// [`Error::Kafka`]; [`Error::File`] if `out` fails, a closed pipe not counted.
pub(crate) fn consume(
    admin: &Admin,
    topic: &TopicDescription,
    options: &ConsumeOptions,
    out: &mut impl Write,
    is_stopped: &dyn Fn() -> bool,
) -> Result<(), Error> {
    let bounds = admin.bounds(topic)?;
    let until = if options.is_until_end {
        admin.log_bounds(topic)?.into_iter().map(|(_, end)| end).collect()
    } else {
        vec![i64::MAX; bounds.len()]
    };
    let consumer = open(admin.cluster(), topic.partitions)?;
    let (mut readings, ready) = assign(&consumer, topic, (&bounds, &until), options)?;
    let mut left = options.count.unwrap_or(u64::MAX);
    let failed = |source| Error::File { action: "write", path: "standard output".into(), source };
    let mut result = Ok(());
    let clock = SystemClock::new();
    let mut held_since = None;
    while left > 0 && !is_stopped() && readings.iter().any(|reading| !reading.is_done) {
        match turn(&mut readings, options, &mut left, out)? {
            Ok(0) => {
                if let Err(error) = out.flush() {
                    result = Err(error);
                    break;
                }
                // The signal may be lost between two looks; the pause bounds the wait.
                let _woken_or_late = ready.recv_timeout(PAUSE);
                consumer.log_events(&topic.name);
                let mut open = readings.iter().filter(|reading| !reading.is_done);
                if options.is_until_end && open.all(|reading| reading.is_at_end) {
                    let now = clock.monotonic();
                    if now.saturating_sub(*held_since.get_or_insert(now)) >= OPEN_WAIT {
                        break;
                    }
                }
            }
            Ok(_) => held_since = None,
            Err(error) => {
                result = Err(error);
                break;
            }
        }
    }
    match result.and_then(|()| out.flush()) {
        // Who reads us has seen enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(failed(error)),
        Ok(()) => Ok(()),
    }
}

fn open(cluster: &Cluster, partitions: usize) -> Result<Consumer, Error> {
    Ok(Consumer::open(&cluster.reader_settings(partitions)).map_err(ConnectorError::Kafka)?)
}

/// Assigns the partitions that have something to read.
fn assign(
    consumer: &Consumer,
    topic: &TopicDescription,
    (bounds, until): (&[(i64, i64)], &[i64]),
    options: &ConsumeOptions,
) -> Result<(Vec<Reading>, Receiver<()>), Error> {
    let mut starts = Vec::new();
    let mut ends = Vec::new();
    for (partition, ((first, end), until)) in (0..).zip(bounds.iter().copied().zip(until)) {
        let start = match options.start {
            Start::First => first,
            Start::End => end,
            Start::At(offset) => offset.clamp(first, end),
            Start::BeforeEnd(count) => end.saturating_sub(count).clamp(first, end),
            Start::Time(millis) => {
                let asked = [(topic.name.as_str(), partition, millis)];
                let found = consumer
                    .offsets_for_times(&asked, REQUEST_TIMEOUT)
                    .map_err(ConnectorError::Kafka)?;
                match found.first() {
                    Some(OffsetAtTime::At(offset)) => *offset,
                    Some(OffsetAtTime::End) | None => end,
                }
            }
        };
        if start >= *until {
            continue;
        }
        let at = arrow_kafka::Start::At(start);
        starts.push(PartitionStart { topic: topic.name.clone(), partition, start: at });
        ends.push(*until);
    }
    let queues = consumer.assign(&starts).map_err(ConnectorError::Kafka)?;
    let (wake, ready) = sync_channel(1);
    let readings = queues.into_iter().zip(ends).map(|(mut queue, end)| {
        let wake = wake.clone();
        queue.on_ready(Arc::new(move || {
            // A full channel means that the reader will look anyway.
            let _told = wake.try_send(());
        }));
        Reading { queue, end, is_done: false, is_at_end: false }
    });
    Ok((readings.collect(), ready))
}

/// Takes what each partition has. How many records there were, or what `out` failed with.
fn turn(
    readings: &mut [Reading],
    options: &ConsumeOptions,
    left: &mut u64,
    out: &mut impl Write,
) -> Result<io::Result<usize>, Error> {
    let mut taken = 0;
    for reading in readings.iter_mut().filter(|reading| !reading.is_done) {
        let polled = reading.queue.poll(BATCH, Duration::ZERO);
        reading.is_at_end &= polled.messages.is_empty();
        for message in polled.messages.iter() {
            if message.offset >= reading.end || *left == 0 {
                reading.is_done = true;
                break;
            }
            taken += 1;
            match print(out, options.pattern.as_ref(), reading.queue.topic(), &message) {
                Ok(is_printed) => *left -= u64::from(is_printed),
                Err(error) => return Ok(Err(error)),
            }
            // The next offset may belong to a marker that is never delivered.
            reading.is_done = message.offset + 1 >= reading.end;
        }
        if let Some(error) = polled.error {
            return Err(ConnectorError::Kafka(error).into());
        }
        if let Some(at) = polled.end_reached {
            reading.is_at_end = true;
            reading.is_done |= at >= reading.end;
        }
    }
    Ok(Ok(taken))
}

fn print(
    out: &mut impl Write,
    pattern: Option<&Pattern>,
    topic: &str,
    message: &Message<'_>,
) -> io::Result<bool> {
    match (pattern, message.payload) {
        (Some(pattern), _) => pattern.print(out, topic, message)?,
        (None, Some(value)) => {
            out.write_all(value)?;
            out.write_all(b"\n")?;
        }
        (None, None) => return Ok(false),
    }
    Ok(true)
}

/// What is printed for each record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Key,
    Value,
    Topic,
    Partition,
    Offset,
    Time,
}

impl Pattern {
    /// Reads kcat's format: `%k %v %t %p %o %T %%`, `\n` and `\t`. Without `\n` at its end one is
    /// added, so that records stay lines.
    ///
    /// # Errors
    /// The letter after `%` that has no meaning.
    pub(crate) fn parse(text: &str) -> Result<Self, char> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            let part = match (c, rest.clone().next()) {
                ('%', Some('%')) => None,
                ('%', Some('k')) => Some(Part::Key),
                ('%', Some('v' | 's')) => Some(Part::Value),
                ('%', Some('t')) => Some(Part::Topic),
                ('%', Some('p')) => Some(Part::Partition),
                ('%', Some('o')) => Some(Part::Offset),
                ('%', Some('T')) => Some(Part::Time),
                ('%', other) => return Err(other.unwrap_or('%')),
                ('\\', Some('n')) => {
                    rest.next();
                    literal.push('\n');
                    continue;
                }
                ('\\', Some('t')) => {
                    rest.next();
                    literal.push('\t');
                    continue;
                }
                _ => {
                    literal.push(c);
                    continue;
                }
            };
            rest.next();
            match part {
                None => literal.push('%'),
                Some(part) => {
                    if !literal.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut literal)));
                    }
                    parts.push(part);
                }
            }
        }
        if !literal.ends_with('\n') {
            literal.push('\n');
        }
        parts.push(Part::Text(literal));
        Ok(Self(parts))
    }

    fn print(&self, out: &mut impl Write, topic: &str, message: &Message<'_>) -> io::Result<()> {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.write_all(text.as_bytes())?,
                Part::Key => out.write_all(message.key.unwrap_or(b"null"))?,
                Part::Value => out.write_all(message.payload.unwrap_or(b"null"))?,
                Part::Topic => out.write_all(topic.as_bytes())?,
                Part::Partition => write!(out, "{}", message.partition)?,
                Part::Offset => write!(out, "{}", message.offset)?,
                Part::Time => write!(out, "{}", message.timestamp_ms.unwrap_or(-1))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
