//! JSON lines to a topic, their bytes unchanged.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use arrow_kafka::{Producer, ProducerEvent, Record, TopicHandle};
use connectors::{Cluster, ConnectorError};

use super::fields::{Fields, text, timestamp_millis};
use crate::Error;

/// How much is read at once.
const CHUNK_BYTES: usize = 1 << 20;

/// A longer line is no record: brokers take a megabyte unless told otherwise.
const LINE_BYTES_MAX: usize = 64 << 20;

/// How long a full queue is waited for at once, and how long the event thread sleeps.
const PAUSE: Duration = Duration::from_millis(100);

/// What becomes of each line.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ProduceOptions<'a> {
    /// Field whose text is the key.
    pub(crate) key: Option<&'a str>,
    /// Field with the record timestamp.
    pub(crate) timestamp: Option<&'a str>,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Produced {
    /// Records, all acknowledged.
    pub(crate) records: u64,
    /// Those without key although one was asked for.
    pub(crate) without_key: u64,
    /// Those stamped with the clock although a field was named.
    pub(crate) without_timestamp: u64,
}

/// Writes the lines of `input`, blank ones left out.
///
/// # Errors
/// [`Error::Unsent`] if any record was not acknowledged; [`Error::File`] if `input` fails.
pub(crate) fn produce(
    cluster: &Cluster,
    topic: &str,
    input: (impl Read, &str),
    options: ProduceOptions<'_>,
) -> Result<Produced, Error> {
    let writer = Writer::open(cluster, topic)?;
    let fields = Fields { names: [options.key, options.timestamp] };
    let (reader, name) = input;
    let mut produced = Produced::default();
    let mut lines = Lines::new(reader);
    let failed = |source| Error::File { action: "read", path: name.into(), source };
    while let Some(line) = lines.next_line().map_err(failed)? {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let [key, timestamp] = fields.find(line);
        let key = key.and_then(text);
        let timestamp_ms = timestamp.and_then(timestamp_millis);
        produced.records += 1;
        produced.without_key += u64::from(options.key.is_some() && key.is_none());
        produced.without_timestamp +=
            u64::from(options.timestamp.is_some() && timestamp_ms.is_none());
        let record =
            Record { key: key.as_deref(), value: Some(line), timestamp_ms, ..Record::default() };
        writer.write(&record)?;
    }
    writer.finish()?;
    Ok(produced)
}

/// A producer of one topic that knows at its end whether everything arrived.
pub(crate) struct Writer {
    topic: TopicHandle,
    producer: Arc<Producer>,
    is_ending: Arc<AtomicBool>,
    events: Option<JoinHandle<Failures>>,
    refused: std::cell::RefCell<Failures>,
    written: std::cell::Cell<u64>,
}

/// Records that did not arrive.
#[derive(Debug, Default)]
struct Failures {
    count: u64,
    first: Option<String>,
}

impl Failures {
    fn note(&mut self, reason: &impl ToString) {
        self.count += 1;
        self.first.get_or_insert_with(|| reason.to_string());
    }
}

impl Writer {
    /// Opens the topic, which exists.
    ///
    /// # Errors
    /// [`Error::Kafka`].
    pub(crate) fn open(cluster: &Cluster, topic: &str) -> Result<Self, Error> {
        let producer = Producer::open(&cluster.producer_settings()).map_err(kafka)?;
        let topic = producer.topic(topic, &[]).map_err(kafka)?;
        let producer = Arc::new(producer);
        let is_ending = Arc::new(AtomicBool::new(false));
        let (events_producer, events_ending) = (Arc::clone(&producer), Arc::clone(&is_ending));
        let events = std::thread::spawn(move || serve(&events_producer, &events_ending));
        Ok(Self {
            topic,
            producer,
            is_ending,
            events: Some(events),
            refused: std::cell::RefCell::default(),
            written: std::cell::Cell::default(),
        })
    }

    /// Queues one record; waits while the queue is full.
    ///
    /// # Errors
    /// [`Error::Kafka`] if the producer can do nothing more.
    pub(crate) fn write(&self, record: &Record<'_>) -> Result<(), Error> {
        self.written.set(self.written.get() + 1);
        loop {
            match self.producer.produce(&self.topic, record) {
                Ok(()) => return Ok(()),
                Err(error) if error.is_queue_full() => self.wait(),
                Err(error) if error.is_fatal() => return Err(kafka(error)),
                Err(error) => {
                    self.refused.borrow_mut().note(&error);
                    return Ok(());
                }
            }
        }
    }

    /// Sends what is queued without waiting for it to arrive.
    pub(crate) fn nudge(&self) {
        self.wait();
    }

    /// Waits until every record is acknowledged or has failed.
    ///
    /// # Errors
    /// [`Error::Unsent`] if any failed.
    pub(crate) fn finish(mut self) -> Result<u64, Error> {
        // A record that cannot be delivered fails by its own time limit, so this ends.
        while self.producer.queued() > 0 {
            self.wait();
        }
        let failures = self.end_events();
        let refused = self.refused.take();
        let failed = failures.count + refused.count;
        let total = self.written.get();
        match refused.first.or(failures.first) {
            Some(reason) => Err(Error::Unsent { failed, total, reason }),
            None => Ok(total),
        }
    }

    /// Waits a moment for the queue to drain: a condition wait inside librdkafka.
    fn wait(&self) {
        // A time-out is what was asked for; every other failure is told as an event.
        if self.producer.flush(PAUSE).is_err() {
            std::thread::yield_now();
        }
    }

    fn end_events(&mut self) -> Failures {
        self.is_ending.store(true, Ordering::SeqCst);
        self.producer.wake();
        let ended = self.events.take().map(JoinHandle::join);
        match ended {
            Some(Ok(failures)) => failures,
            Some(Err(_)) | None => Failures::default(),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.events.is_some() {
            self.end_events();
        }
    }
}

fn serve(producer: &Producer, is_ending: &AtomicBool) -> Failures {
    let mut failures = Failures::default();
    loop {
        // Read before the events: what failed before the end was asked for is still served.
        let is_last = is_ending.load(Ordering::SeqCst);
        for event in producer.serve_events(if is_last { Duration::ZERO } else { PAUSE }) {
            match event {
                ProducerEvent::DeliveryFailed { error, .. } => failures.note(&error),
                ProducerEvent::Fatal(failure) => failures.note(&failure),
                ProducerEvent::Error(failure) => tracing::warn!(%failure, "producing"),
            }
        }
        if is_last {
            return failures;
        }
    }
}

fn kafka(error: arrow_kafka::KafkaError) -> Error {
    Error::Kafka(ConnectorError::Kafka(error))
}

/// Lines of a reader, read in big chunks.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    is_at_end: bool,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, buffer: vec![0; CHUNK_BYTES], start: 0, end: 0, is_at_end: false }
    }

    /// The next line without its line feed; `None` at the end.
    ///
    /// # Errors
    /// Those of the reader; a line of more than 64 MiB.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<&[u8]>> {
        let mut searched = self.start;
        loop {
            let fresh = &self.buffer[searched..self.end];
            if let Some(at) = fresh.iter().position(|byte| *byte == b'\n') {
                let (from, to) = (self.start, searched + at);
                self.start = to + 1;
                return Ok(Some(&self.buffer[from..to]));
            }
            if self.is_at_end {
                let (from, to) = (self.start, self.end);
                self.start = to;
                return Ok((from < to).then(|| &self.buffer[from..to]));
            }
            let unfinished = self.end - self.start;
            self.fill()?;
            searched = self.start + unfinished;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            if self.end >= LINE_BYTES_MAX {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a line is longer than 64 MiB",
                ));
            }
            self.buffer.resize(self.end * 2, 0);
        }
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.is_at_end = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests;
