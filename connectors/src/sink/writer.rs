//! A producer handle with its topics, and the thread that serves its events for its whole life, as
//! `arrow_kafka::Producer` asks for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arrow_kafka::{Encoded, KafkaError, Producer, ProducerEvent, Record, TopicHandle};

use super::OutputTopic;
use crate::ConnectorError;

/// How long a full queue is given to make room before it is looked at again.
const ROOM_WAIT: Duration = Duration::from_millis(20);

/// How long the event thread waits for an event before it looks whether it shall end.
const EVENT_WAIT: Duration = Duration::from_millis(100);

/// librdkafka's default for batches and records.
const BATCH_BYTES: usize = 1_000_000;

/// The largest record that librdkafka can be told to take.
const RECORD_BYTES_MAX: usize = 1_000_000_000;

/// A producer and its topics.
pub(super) struct Writer {
    producer: Arc<Producer>,
    topics: Vec<TopicHandle>,
    failed_delivery: Arc<Mutex<Option<ProducerEvent>>>,
    is_closing: Arc<AtomicBool>,
    events: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn open(
        settings: &[(String, String)],
        topics: &[OutputTopic],
    ) -> Result<Self, ConnectorError> {
        let settings = [settings, &size_settings(topics)].concat();
        let producer = Arc::new(Producer::open(&settings)?);
        let failed_delivery = Arc::new(Mutex::new(None));
        let is_closing = Arc::new(AtomicBool::new(false));
        let events = serve_events(&producer, &failed_delivery, &is_closing);
        let mut this = Self {
            producer,
            topics: Vec::with_capacity(topics.len()),
            failed_delivery,
            is_closing,
            events: Some(events),
        };
        for topic in topics {
            let settings: Vec<_> = topic
                .compression
                .iter()
                .map(|codec| ("compression.codec".to_owned(), codec.clone()))
                .collect();
            this.topics.push(this.producer.topic(&topic.topic, &settings)?);
        }
        Ok(this)
    }

    pub(super) fn producer(&self) -> &Producer {
        &self.producer
    }

    pub(super) fn send_rows(&self, index: usize, encoded: &Encoded) -> Result<(), ConnectorError> {
        let mut from = 0;
        while from < encoded.len() {
            let rows = from..encoded.len();
            from += self.producer.produce_rows(&self.topics[index], encoded, rows)?;
            if from < encoded.len() {
                self.wait_for_room()?;
            }
        }
        Ok(())
    }

    pub(super) fn send(&self, index: usize, record: &Record<'_>) -> Result<(), ConnectorError> {
        loop {
            match self.producer.produce(&self.topics[index], record) {
                Err(error) if error.is_queue_full() => self.wait_for_room()?,
                other => return Ok(other?),
            }
        }
    }

    /// Waits until every record is acknowledged.
    pub(super) fn flush(&self, timeout: Duration) -> Result<(), ConnectorError> {
        let flushed = self.producer.flush(timeout);
        self.check_delivered()?;
        Ok(flushed?)
    }

    /// The first failed delivery, as an error. A producer that can do nothing more purges its
    /// records: then why it cannot is the error.
    fn check_delivered(&self) -> Result<(), ConnectorError> {
        if let Some(failure) = self.producer.fatal_error() {
            let action = "deliver records".to_owned();
            return Err(KafkaError::Call { action, failure }.into());
        }
        let failed = self.failed_delivery.lock().unwrap_or_else(PoisonError::into_inner).take();
        match failed {
            Some(ProducerEvent::DeliveryFailed { error, .. }) => Err(error.into()),
            Some(ProducerEvent::Fatal(_) | ProducerEvent::Error(_)) | None => Ok(()),
        }
    }

    /// Gives up what is not delivered.
    pub(super) fn purge(&self) {
        if let Err(error) = self.producer.purge() {
            tracing::debug!(%error, "purging the producer failed");
        }
    }

    fn wait_for_room(&self) -> Result<(), ConnectorError> {
        match self.producer.flush(ROOM_WAIT) {
            Err(error) if error.is_fatal() => Err(error.into()),
            // A record that failed makes room as well: without this look, a queue that is filled
            // again and again during an outage would be waited for without an end.
            _ => self.check_delivered(),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.is_closing.store(true, Ordering::Relaxed);
        self.producer.wake();
        if self.events.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that serves the producer's events panicked");
        }
    }
}

/// librdkafka has one limit for all topics, and a batch that a topic refuses is lost whole: batches
/// must fit the topic that takes least, single records only that which takes most. A batch's limit
/// does not count for its first record.
fn size_settings(topics: &[OutputTopic]) -> Vec<(String, String)> {
    let limits = || topics.iter().map(|topic| topic.max_message_bytes);
    let batch = limits().min().map_or(BATCH_BYTES, |least| least.clamp(1, BATCH_BYTES));
    let record =
        limits().max().map_or(BATCH_BYTES, |most| most.clamp(BATCH_BYTES, RECORD_BYTES_MAX));
    vec![
        ("batch.size".to_owned(), batch.to_string()),
        ("message.max.bytes".to_owned(), record.to_string()),
    ]
}

fn serve_events(
    producer: &Arc<Producer>,
    failed: &Arc<Mutex<Option<ProducerEvent>>>,
    is_closing: &Arc<AtomicBool>,
) -> JoinHandle<()> {
    let (producer, failed) = (Arc::clone(producer), Arc::clone(failed));
    let is_closing = Arc::clone(is_closing);
    std::thread::spawn(move || {
        while !is_closing.load(Ordering::Relaxed) {
            for event in producer.serve_events(EVENT_WAIT) {
                match event {
                    ProducerEvent::DeliveryFailed { .. } => {
                        let mut first = failed.lock().unwrap_or_else(PoisonError::into_inner);
                        first.get_or_insert(event);
                    }
                    ProducerEvent::Fatal(failure) => {
                        tracing::warn!(%failure, "the producer failed");
                    }
                    ProducerEvent::Error(failure) => tracing::debug!(%failure, "producer"),
                }
            }
        }
    })
}
