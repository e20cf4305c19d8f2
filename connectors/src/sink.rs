//! The transactional producer: all that one epoch writes, visible together or not at all.
//!
//! Its calls belong to one thread; another serves librdkafka's events for the handle's whole life,
//! as `arrow_kafka::Producer` asks for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arrow_kafka::{Encoded, PartitionOffset, Producer, ProducerEvent, Record, TopicHandle};

use crate::journal::{EPOCH_HEADER, PART_HEADER};
use crate::{Cluster, ConnectorError};

/// How long a full queue is given to make room before it is looked at again.
const ROOM_WAIT: Duration = Duration::from_millis(20);

/// How long the event thread waits for an event before it looks whether it shall end.
const EVENT_WAIT: Duration = Duration::from_millis(100);

/// How long acknowledgements are waited for: more than `message.timeout.ms`, after which every
/// record is either delivered or failed.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(25);

/// How long the coordinator may take to accept the group's offsets.
const OFFSETS_TIMEOUT: Duration = Duration::from_secs(30);

/// How long `init_transactions` waits for the coordinator in one call.
const INIT_TIMEOUT: Duration = Duration::from_secs(30);

/// A topic that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputTopic {
    /// Kafka topic.
    pub topic: String,
    /// `compression.type` of the topic, where the client shall compress like it.
    pub compression: Option<String>,
}

/// A producer that writes in transactions.
pub struct TransactionalProducer {
    producer: Arc<Producer>,
    topics: Vec<TopicHandle>,
    is_in_transaction: bool,
    failed_delivery: Arc<Mutex<Option<ProducerEvent>>>,
    is_closing: Arc<AtomicBool>,
    events: Option<JoinHandle<()>>,
}

impl TransactionalProducer {
    /// Opens the producer and fences whoever had its id before.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`]: retry if retriable.
    pub fn open(
        cluster: &Cluster,
        transactional_id: &str,
        topics: &[OutputTopic],
    ) -> Result<Self, ConnectorError> {
        let producer = Arc::new(Producer::open(&cluster.transactional_settings(transactional_id))?);
        let failed_delivery = Arc::new(Mutex::new(None));
        let is_closing = Arc::new(AtomicBool::new(false));
        let events = serve_events(&producer, &failed_delivery, &is_closing);
        let mut this = Self {
            topics: Vec::with_capacity(topics.len()),
            is_in_transaction: false,
            events: Some(events),
            producer,
            failed_delivery,
            is_closing,
        };
        this.producer.init_transactions(INIT_TIMEOUT)?;
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

    /// Begins a transaction, unless one is open.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`].
    pub fn begin(&mut self) -> Result<(), ConnectorError> {
        if !self.is_in_transaction {
            self.producer.begin_transaction()?;
            self.is_in_transaction = true;
        }
        Ok(())
    }

    /// Hands all rows of `encoded` to the producer, for the topic at `index` of those opened.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`]: the transaction cannot be committed any more.
    pub fn send_rows(&self, index: usize, encoded: &Encoded) -> Result<(), ConnectorError> {
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

    /// Hands one record to the producer.
    ///
    /// # Errors
    /// As [`TransactionalProducer::send_rows`].
    pub fn send(&self, index: usize, record: &Record<'_>) -> Result<(), ConnectorError> {
        loop {
            match self.producer.produce(&self.topics[index], record) {
                Err(error) if error.is_queue_full() => self.wait_for_room()?,
                other => return Ok(other?),
            }
        }
    }

    /// Hands a journal entry to the producer, in parts of at most `part_bytes`.
    ///
    /// # Errors
    /// As [`TransactionalProducer::send_rows`].
    pub fn send_entry(
        &self,
        index: usize,
        epoch: u64,
        entry: &[u8],
        part_bytes: usize,
    ) -> Result<(), ConnectorError> {
        let count = entry.len().div_ceil(part_bytes).max(1);
        let epoch = epoch.to_string();
        for part in 0..count {
            let bytes = &entry[part * part_bytes..entry.len().min((part + 1) * part_bytes)];
            let label = format!("{part}/{count}");
            let record = Record {
                value: Some(bytes),
                partition: Some(0),
                headers: &[
                    (PART_HEADER, Some(label.as_bytes())),
                    (EPOCH_HEADER, Some(epoch.as_bytes())),
                ],
                ..Record::default()
            };
            self.send(index, &record)?;
        }
        Ok(())
    }

    /// Waits until everything is acknowledged, adds the group's offsets and commits.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`]: whether the transaction was committed is unknown; only the
    /// journal tells.
    pub fn commit(
        &mut self,
        offsets: &[PartitionOffset],
        group: &str,
    ) -> Result<(), ConnectorError> {
        self.producer.flush(FLUSH_TIMEOUT)?;
        if let Some(ProducerEvent::DeliveryFailed { error, .. }) =
            self.failed_delivery.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            return Err(error.into());
        }
        if !offsets.is_empty() {
            self.producer.send_offsets_to_transaction(offsets, group, OFFSETS_TIMEOUT)?;
        }
        self.producer.commit_transaction(None)?;
        self.is_in_transaction = false;
        Ok(())
    }

    fn wait_for_room(&self) -> Result<(), ConnectorError> {
        match self.producer.flush(ROOM_WAIT) {
            Err(error) if error.is_fatal() => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl Drop for TransactionalProducer {
    fn drop(&mut self) {
        // What is not committed must not be waited for: the broker aborts it.
        if let Err(error) = self.producer.purge() {
            tracing::debug!(%error, "purging the producer failed");
        }
        self.is_closing.store(true, Ordering::Relaxed);
        if self.events.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that serves the producer's events panicked");
        }
    }
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
