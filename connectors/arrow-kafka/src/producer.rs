//! Writing: records, transactions, and what became of them.
//!
//! Driven through librdkafka's own calls in event mode: only failed deliveries are reported, and
//! `flush` and `commit_transaction` wait on a condition instead of polling.
//!
//! **Invariant:** one thread calls [`Producer::serve_events`] for the producer's whole life. While
//! nobody does, failed records count as queued and `flush` waits for its time limit.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::consumer::{MAX_EVENTS, PartitionOffset, undelivered};
use crate::encode::Encoded;
use crate::error::{ErrorCode, Failure, KafkaError};
use crate::librdkafka::client::{Client, Kind, Topics};
use crate::librdkafka::consume::Queue;
use crate::librdkafka::list::PartitionList;
use crate::librdkafka::produce::Topic;

/// A writer of records. Share it as `Arc<Producer>` between the thread that produces and the
/// thread that serves events.
///
/// Dropping it discards what was not delivered and closes its connections; that waits for no
/// broker. It happens when the last of the producer and its topics is dropped.
pub struct Producer {
    events: Queue,
    client: Arc<Client>,
}

/// A topic to write to, with its settings. Any thread may use it.
pub struct TopicHandle {
    topic: Topic,
}

/// One record to write.
#[derive(Clone, Copy, Debug, Default)]
pub struct Record<'a> {
    /// The key; decides the partition unless one is given.
    pub key: Option<&'a [u8]>,
    /// The value; none is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The partition; none lets the partitioner choose, as Kafka's Java client would.
    pub partition: Option<i32>,
    /// Milliseconds since the epoch; none is the time of the call.
    pub timestamp_ms: Option<i64>,
    /// Headers in order.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
}

/// What a producer tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProducerEvent {
    /// A record was not delivered. In a transaction, its commit fails too.
    DeliveryFailed {
        /// Where it was meant to go.
        topic: String,
        /// Where it was meant to go; -1 if no partition had been chosen.
        partition: i32,
        /// Why not.
        error: KafkaError,
    },
    /// The producer can do nothing more: make a new one.
    Fatal(Failure),
    /// An error that librdkafka goes on working at, e.g. a broker that is down.
    Error(Failure),
}

impl Producer {
    /// Makes a producer of librdkafka settings. It connects in the background.
    ///
    /// Added: `delivery.report.only.error=true`, and `partitioner=murmur2_random`, which puts keys
    /// where Kafka's Java client puts them.
    ///
    /// # Errors
    /// [`KafkaError::Setting`] or [`KafkaError::Client`]: change the settings.
    pub fn open(settings: &[(String, String)]) -> Result<Self, KafkaError> {
        let mut all = settings.to_vec();
        for (name, value) in
            [("delivery.report.only.error", "true"), ("partitioner", "murmur2_random")]
        {
            all.push((name.to_owned(), value.to_owned()));
        }
        let client = Client::open(Kind::Producer, &all)?;
        Ok(Self { events: Queue::of_producer(&client)?, client })
    }

    /// Waits until a broker is connected and has told of the topics that were opened. What a client
    /// cannot ask at once, because it is not connected, it asks only half a second later.
    ///
    /// # Errors
    /// [`KafkaError::Call`]: no broker answers within `timeout`.
    pub fn connect(&self, timeout: Duration) -> Result<(), KafkaError> {
        // The first answer names the brokers, and librdkafka gives up the connection over which it
        // came; the second comes from one of them.
        self.client.metadata(Topics::Opened, timeout)?;
        self.client.metadata(Topics::Opened, timeout).map(drop)
    }

    /// Opens a topic with librdkafka topic settings of its own (e.g. `compression.type`) over the
    /// producer's. The settings of the first handle of a name count as long as one is open.
    ///
    /// # Errors
    /// [`KafkaError::Setting`] or [`KafkaError::Name`].
    pub fn topic(
        &self,
        name: &str,
        settings: &[(String, String)],
    ) -> Result<TopicHandle, KafkaError> {
        Ok(TopicHandle { topic: Topic::open(&self.client, name, settings)? })
    }

    /// Puts one record into the queue; its bytes are copied.
    ///
    /// # Errors
    /// A full queue ([`KafkaError::is_queue_full`]): wait and call again. A record that is too
    /// large, or a producer that can do nothing more: as the error says.
    pub fn produce(&self, topic: &TopicHandle, record: &Record<'_>) -> Result<(), KafkaError> {
        topic.topic.produce(record)
    }

    /// Puts `rows` of `encoded` into the queue, in order, until it is full. How many were taken:
    /// fewer than asked means that the queue is full.
    ///
    /// # Errors
    /// A record was refused for another reason. Later ones may have been taken: abort the
    /// transaction.
    pub fn produce_rows(
        &self,
        topic: &TopicHandle,
        encoded: &Encoded,
        rows: Range<usize>,
    ) -> Result<usize, KafkaError> {
        let records = rows.map_while(|row| Some((encoded.value(row)?, encoded.key(row))));
        match topic.topic.produce_batch(records) {
            (taken, None) => Ok(taken),
            (taken, Some(code)) if code == ErrorCode::QUEUE_FULL.raw() => Ok(taken),
            (_, Some(code)) => Err(topic.topic.refused(code)),
        }
    }

    /// Waits until every record is delivered or has failed; sends at once whatever `linger.ms`
    /// says.
    ///
    /// # Errors
    /// [`ErrorCode::TIMED_OUT`]: records are still on their way.
    pub fn flush(&self, timeout: Duration) -> Result<(), KafkaError> {
        self.client.flush(timeout)
    }

    /// Records and events that the producer still holds.
    pub fn queued(&self) -> usize {
        self.client.queued()
    }

    /// Fails every record that is queued or in flight; each is then a
    /// [`ProducerEvent::DeliveryFailed`].
    ///
    /// # Errors
    /// [`KafkaError::Call`].
    pub fn purge(&self) -> Result<(), KafkaError> {
        self.client.purge()
    }

    /// Takes the transactional id over: whoever had it is fenced, its transaction is aborted.
    ///
    /// # Errors
    /// Retriable: call again. Else make a new producer or change the settings.
    pub fn init_transactions(&self, timeout: Duration) -> Result<(), KafkaError> {
        self.client.init_transactions(timeout)
    }

    /// Opens a transaction.
    ///
    /// # Errors
    /// As the error says.
    pub fn begin_transaction(&self) -> Result<(), KafkaError> {
        self.client.begin_transaction()
    }

    /// Adds offsets of a consumer group to the transaction. The group has no members: its fencing
    /// is that of the transactional id.
    ///
    /// # Errors
    /// As the error says. librdkafka may wait longer than `timeout`.
    pub fn send_offsets_to_transaction(
        &self,
        offsets: &[PartitionOffset],
        group: &str,
        timeout: Duration,
    ) -> Result<(), KafkaError> {
        let list = PartitionList::of(
            offsets.iter().map(|at| (at.topic.as_str(), at.partition, at.offset)),
        )?;
        self.client.send_offsets(&list, group, timeout)
    }

    /// Flushes and commits the transaction. `None`, no limit of its own, is what librdkafka
    /// advises: after a time-out nobody knows what became of it.
    ///
    /// # Errors
    /// [`KafkaError::requires_abort`], also if any record of it was not delivered; retriable;
    /// fatal; fenced.
    pub fn commit_transaction(&self, timeout: Option<Duration>) -> Result<(), KafkaError> {
        self.client.commit_transaction(timeout)
    }

    /// Purges and aborts the transaction.
    ///
    /// # Errors
    /// Retriable: call again; fatal; fenced.
    pub fn abort_transaction(&self, timeout: Option<Duration>) -> Result<(), KafkaError> {
        self.client.abort_transaction(timeout)
    }

    /// What has happened since the last call, oldest first; waits up to `timeout` for the first.
    /// To be called now and then for as long as the producer lives: it looks after its brokers, too.
    pub fn serve_events(&self, timeout: Duration) -> Vec<ProducerEvent> {
        self.client.keep_brokers();
        let mut events = Vec::new();
        let mut wait = timeout;
        while let Some(event) = self.events.event(wait) {
            wait = Duration::ZERO;
            events.extend(event.error().map(|failure| {
                if failure.is_fatal {
                    ProducerEvent::Fatal(failure)
                } else {
                    ProducerEvent::Error(failure)
                }
            }));
            events.extend(event.undelivered().into_iter().map(|record| {
                let error = undelivered(&record.topic, record.partition, record.code);
                ProducerEvent::DeliveryFailed {
                    topic: record.topic,
                    partition: record.partition,
                    error,
                }
            }));
            if events.len() >= MAX_EVENTS {
                break;
            }
        }
        events
    }

    /// Ends the wait of the thread that serves events, so that it can look whether to stop.
    pub fn wake(&self) {
        self.events.wake();
    }

    /// The fatal error that the producer is in, if any.
    pub fn fatal_error(&self) -> Option<Failure> {
        self.client.fatal_error()
    }

    /// The cluster's id, if a broker told it in time.
    pub fn cluster_id(&self, timeout: Duration) -> Option<String> {
        self.client.cluster_id(timeout)
    }
}

impl TopicHandle {
    /// The topic's name.
    pub fn name(&self) -> &str {
        self.topic.name()
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").finish_non_exhaustive()
    }
}

impl fmt::Debug for TopicHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicHandle").field("name", &self.name()).finish()
    }
}

#[cfg(test)]
mod tests;
