//! Reading: partitions assigned by hand, one queue each, messages taken in batches.
//!
//! **Invariant:** a partition's queue is cut off from the consumer's own queue before the
//! partition is assigned, so that no message of it goes astray.
//!
//! Deliberately absent: groups (no subscription, no commit), a position (the caller keeps it).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Distrust, ErrorCode, Failure, KafkaError};
use crate::librdkafka::client::{Client, Kind, Topics};
use crate::librdkafka::consume::{NativeMessages, Queue};
use crate::librdkafka::describe;
use crate::librdkafka::failure;
use crate::librdkafka::list::PartitionList;
use crate::message::MessageBatch;

/// Called on a thread of librdkafka when an empty queue has got something. It must be short, must
/// not call Kafka, and must not hold the last reference to a batch, queue or client.
pub type ReadyCallback = Arc<dyn Fn() + Send + Sync>;

/// A reader of Kafka partitions.
///
/// Dropping it closes its connections. That neither waits for a broker nor commits; it happens
/// when the last of the consumer, its queues and its batches is dropped, on that thread.
pub struct Consumer {
    events: Queue,
    client: Arc<Client>,
}

/// Where reading a partition begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At its first record.
    Earliest,
    /// After its last record.
    Latest,
    /// At this offset; if it is gone, `auto.offset.reset` decides.
    At(i64),
}

impl Start {
    fn raw(self) -> i64 {
        match self {
            Self::Earliest => -2,
            Self::Latest => -1,
            Self::At(offset) => offset,
        }
    }
}

/// A partition to read and where to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionStart {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// First record to read.
    pub start: Start,
}

/// An offset of a partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionOffset {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// The next offset to read.
    pub offset: i64,
}

/// The answer to a question by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetAtTime {
    /// The first record at or after the time.
    At(i64),
    /// Every record is before the time.
    End,
}

/// Brokers and topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterMetadata {
    /// The brokers that are up.
    pub brokers: Vec<BrokerInfo>,
    /// The topics asked for.
    pub topics: Vec<TopicInfo>,
}

/// A broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerInfo {
    /// Its id.
    pub id: i32,
    /// Where it listens.
    pub host: String,
    /// Where it listens.
    pub port: i32,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    /// Its name.
    pub name: String,
    /// Its partitions.
    pub partitions: Vec<PartitionInfo>,
    /// What the broker has against it, e.g. that it does not exist.
    pub error: Option<ErrorCode>,
}

impl TopicInfo {
    /// Whether the broker knows the topic.
    pub fn exists(&self) -> bool {
        self.error != Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
            && self.error != Some(ErrorCode::UNKNOWN_TOPIC)
    }
}

/// A topic and its id: a topic that is deleted and created again has another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicIdentity {
    /// Its name.
    pub name: String,
    /// Its id in base64; none on brokers that give none.
    pub id: Option<String>,
    /// How many partitions it has.
    pub partitions: usize,
    /// What the broker has against it, e.g. that it does not exist.
    pub error: Option<ErrorCode>,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionInfo {
    /// Its number.
    pub id: i32,
    /// The broker that leads it, if one does.
    pub leader: Option<i32>,
    /// How many brokers keep it.
    pub replicas: u32,
}

/// What a client tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientEvent {
    /// The error; librdkafka goes on trying unless it is fatal.
    pub failure: Failure,
}

impl Consumer {
    /// Makes a consumer of librdkafka settings. It connects in the background.
    ///
    /// Added: a `group.id` if there is none, `enable.auto.commit=false`,
    /// `enable.auto.offset.store=false` and `enable.partition.eof=true`.
    ///
    /// # Errors
    /// [`KafkaError::Setting`] or [`KafkaError::Client`]: change the settings.
    pub fn open(settings: &[(String, String)]) -> Result<Self, KafkaError> {
        // librdkafka assigns partitions only for a client that names a group.
        let mut all = vec![("group.id".to_owned(), "engine".to_owned())];
        all.extend_from_slice(settings);
        for (name, value) in [
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("enable.partition.eof", "true"),
        ] {
            all.push((name.to_owned(), value.to_owned()));
        }
        let client = Client::open(Kind::Consumer, &all)?;
        Ok(Self { events: Queue::of_consumer(&client)?, client })
    }

    /// Begins to read `partitions`, beside those assigned before. One queue each, in order.
    ///
    /// # Errors
    /// [`KafkaError::Call`], e.g. for a partition that is assigned already.
    pub fn assign(&self, partitions: &[PartitionStart]) -> Result<Vec<PartitionQueue>, KafkaError> {
        let queues = partitions
            .iter()
            .map(|at| PartitionQueue::new(&self.client, &at.topic, at.partition))
            .collect::<Result<Vec<_>, _>>()?;
        let list = PartitionList::of(
            partitions.iter().map(|at| (at.topic.as_str(), at.partition, at.start.raw())),
        )?;
        self.client.assign(&list)?;
        Ok(queues)
    }

    /// Ends the reading of partitions. Their queues give nothing more.
    ///
    /// # Errors
    /// [`KafkaError::Call`], e.g. for a partition that is not assigned.
    pub fn unassign(&self, partitions: &[(&str, i32)]) -> Result<(), KafkaError> {
        let list = PartitionList::of(
            partitions.iter().map(|(topic, partition)| (*topic, *partition, Start::Latest.raw())),
        )?;
        self.client.unassign(&list)
    }

    /// Moves assigned partitions; messages fetched before are dropped.
    ///
    /// # Errors
    /// [`KafkaError::Call`], e.g. when `timeout` passed.
    pub fn seek(&self, partitions: &[PartitionStart], timeout: Duration) -> Result<(), KafkaError> {
        let mut list = PartitionList::of(
            partitions.iter().map(|at| (at.topic.as_str(), at.partition, at.start.raw())),
        )?;
        self.client.seek(&mut list, timeout)
    }

    /// First and end offset of a partition, asked of its leader. With `read_committed` the end is
    /// the last stable offset.
    ///
    /// # Errors
    /// [`KafkaError::Call`], e.g. for an unknown partition, or when `timeout` passed.
    pub fn watermarks(
        &self,
        topic: &str,
        partition: i32,
        timeout: Duration,
    ) -> Result<(i64, i64), KafkaError> {
        self.client().watermarks(topic, partition, timeout)
    }

    /// For each (topic, partition, time in milliseconds) the first offset at or after the time,
    /// in the same order.
    ///
    /// # Errors
    /// [`KafkaError::Call`] if one of them failed.
    pub fn offsets_for_times(
        &self,
        times: &[(&str, i32, i64)],
        timeout: Duration,
    ) -> Result<Vec<OffsetAtTime>, KafkaError> {
        let mut list = PartitionList::of(times.iter().copied())?;
        self.client().offsets_for_times(&mut list, timeout)?;
        list.first_error("find the offset by time of")?;
        let entries = list.entries();
        Ok(entries
            .iter()
            .map(|entry| match entry.offset {
                offset if offset >= 0 => OffsetAtTime::At(offset),
                _ => OffsetAtTime::End,
            })
            .collect())
    }

    /// What the client's group has committed for each (topic, partition), in the same order.
    /// Never ask inside a transaction that commits offsets of the group: it waits for its end.
    ///
    /// # Errors
    /// [`KafkaError::Call`] if one of them failed.
    pub fn committed(
        &self,
        partitions: &[(&str, i32)],
        timeout: Duration,
    ) -> Result<Vec<Option<i64>>, KafkaError> {
        let mut list = PartitionList::of(
            partitions.iter().map(|(topic, partition)| (*topic, *partition, Start::Latest.raw())),
        )?;
        self.client().committed(&mut list, timeout)?;
        list.first_error("read the committed offset of")?;
        let entries = list.entries();
        Ok(entries.iter().map(|entry| (entry.offset >= 0).then_some(entry.offset)).collect())
    }

    /// Brokers, and one topic or all of them. Asking creates no topic.
    ///
    /// # Errors
    /// [`KafkaError::Call`] if no broker answered in time. An unknown topic is no error: see
    /// [`TopicInfo::exists`].
    pub fn metadata(
        &self,
        topic: Option<&str>,
        timeout: Duration,
    ) -> Result<ClusterMetadata, KafkaError> {
        self.client().metadata(topic.map_or(Topics::All, Topics::One), timeout)
    }

    /// Topics by name, with their ids. An unknown topic is no error: its own one tells.
    ///
    /// # Errors
    /// [`KafkaError::Call`] if no broker answered in time.
    pub fn describe(
        &self,
        topics: &[&str],
        timeout: Duration,
    ) -> Result<Vec<TopicIdentity>, KafkaError> {
        let client = self.client();
        // This waits at rest for a broker. The question itself looks for the controller at each try
        // to connect, which by that is made again at once: a core is busy until the time is over.
        client.metadata(Topics::Opened, timeout)?;
        describe::topics(client, topics, timeout)
    }

    /// The cluster's id, if a broker told it in time.
    pub fn cluster_id(&self, timeout: Duration) -> Option<String> {
        self.client.cluster_id(timeout)
    }

    /// Why a broker's certificate was refused, if one was.
    pub fn distrust(&self) -> Option<Distrust> {
        self.client.distrust()
    }

    /// What librdkafka's log has said of connections that failed since this was last asked, oldest
    /// first; of many the newest. Some causes are told nowhere else.
    pub fn take_failed_connections(&self) -> Vec<String> {
        self.client.take_failed_connections()
    }

    /// The errors that the client has met, oldest first; waits up to `timeout` for the first.
    ///
    /// Whoever only reads must ask now and then: a client that was told of no broker at all finds
    /// the cluster again only if it is looked after, here and before each question.
    pub fn events(&self, timeout: Duration) -> Vec<ClientEvent> {
        self.client.keep_brokers();
        let mut events = Vec::new();
        let mut wait = timeout;
        while let Some(event) = self.events.event(wait) {
            events.extend(event.error().map(|failure| ClientEvent { failure }));
            wait = Duration::ZERO;
            if events.len() >= MAX_EVENTS {
                break;
            }
        }
        events
    }

    /// Reports what the client has met, to those who look for what is behind a fault, and forgets
    /// it. `topic` says who is reading.
    pub fn log_events(&self, topic: &str) {
        for event in self.events(Duration::ZERO) {
            tracing::debug!(topic, failure = %event.failure, "reader");
        }
    }

    /// The client, which knows where to ask.
    fn client(&self) -> &Arc<Client> {
        self.client.keep_brokers();
        &self.client
    }
}

/// How many events one call gives at most, so that a storm of errors cannot hold the caller.
pub(crate) const MAX_EVENTS: usize = 1_000;

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").finish_non_exhaustive()
    }
}

/// The queue of one assigned partition.
pub struct PartitionQueue {
    topic: String,
    partition: i32,
    queue: Queue,
    client: Arc<Client>,
}

/// What a poll gave.
#[derive(Debug)]
pub struct Polled {
    /// Messages in offset order; may be empty.
    pub messages: MessageBatch,
    /// The partition's end, if the reader stood there after the last message of this poll.
    pub end_reached: Option<i64>,
    /// The partition's first error in this poll. Messages may stand on both sides of it.
    pub error: Option<KafkaError>,
}

impl PartitionQueue {
    fn new(client: &Arc<Client>, topic: &str, partition: i32) -> Result<Self, KafkaError> {
        let queue = Queue::of_partition(client, topic, partition)?;
        Ok(Self { topic: topic.to_owned(), partition, queue, client: Arc::clone(client) })
    }

    /// Topic that is read.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Partition that is read.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// How many messages have been fetched and wait.
    pub fn length(&self) -> usize {
        self.queue.length()
    }

    /// End of the partition's log, uncommitted records included, as the last fetch told it; `None`
    /// before the first. With `read_committed` it lies beyond [`Polled::end_reached`] as long as a
    /// transaction is open.
    pub fn log_end(&self) -> Option<i64> {
        self.client.fetched_log_end(&self.topic, self.partition)
    }

    /// Takes up to `max_messages`; waits for the first, or what stands in its place, until the
    /// `timeout`: ask with zero after [`Self::on_ready`] has called.
    pub fn poll(&self, max_messages: usize, timeout: Duration) -> Polled {
        let take = |max, timeout| match max {
            0 => NativeMessages::none(&self.client),
            max => self.queue.take(max, timeout),
        };
        let mut messages = take(max_messages, Duration::ZERO);
        if messages.len() == 0 && !timeout.is_zero() {
            // For more than one librdkafka would wait until it has all.
            messages = take(max_messages.min(1), timeout);
            messages.append(take(max_messages.saturating_sub(messages.len()), Duration::ZERO));
        }
        let (mut end_reached, mut error) = (None, None);
        for mark in messages.take_marks() {
            if mark.failure.code == ErrorCode::PARTITION_END {
                // Messages after the mark mean that the end has moved on.
                end_reached = (mark.after == messages.len()).then_some(mark.offset);
            } else if error.is_none() {
                error = Some(self.error(mark.failure));
            } else {
                let (topic, partition) = (&self.topic, self.partition);
                tracing::warn!(topic, partition, failure = %mark.failure, "partition failed again");
            }
        }
        Polled { messages: MessageBatch::new(messages), end_reached, error }
    }

    /// Sets what is called each time the empty queue gets something. It is called for messages
    /// that come from now on, so poll once after setting it, and then until a poll is empty.
    pub fn on_ready(&mut self, callback: ReadyCallback) {
        self.queue.set_ready(Some(callback));
    }

    fn error(&self, failure: Failure) -> KafkaError {
        KafkaError::Call {
            action: format!("read `{}` partition `{}`", self.topic, self.partition),
            failure,
        }
    }
}

impl fmt::Debug for PartitionQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartitionQueue")
            .field("topic", &self.topic)
            .field("partition", &self.partition)
            .finish_non_exhaustive()
    }
}

/// A failed delivery as an error of its topic and partition.
pub(crate) fn undelivered(topic: &str, partition: i32, code: i32) -> KafkaError {
    KafkaError::Call {
        action: format!("deliver a record to `{topic}` partition `{partition}`"),
        failure: failure(code, None),
    }
}

#[cfg(test)]
mod tests;
