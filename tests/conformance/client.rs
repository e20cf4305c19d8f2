//! A cluster as a client of librdkafka sees it, in the words of the facts.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::util::Timeout;
use rdkafka::{Offset, TopicPartitionList};

/// How long anything may take before a fact counts as broken.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// As many replicas as the broker has by default.
const BROKER_DEFAULT: TopicReplication<'_> = TopicReplication::Fixed(-1);

/// A point in time by which something must have happened.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// [`PATIENCE`] from now.
    #[expect(clippy::disallowed_methods, reason = "a test of processes and sockets has real time")]
    pub(crate) fn new() -> Self {
        Self(Instant::now() + PATIENCE)
    }

    /// Fails the test when time is over.
    #[expect(clippy::disallowed_methods, reason = "a test of processes and sockets has real time")]
    pub(crate) fn check(&self, what: &str) {
        assert!(Instant::now() < self.0, "{what}: not within {PATIENCE:?}");
    }
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<String>,
    pub(crate) value: Option<String>,
    pub(crate) timestamp: Option<i64>,
    pub(crate) headers: Vec<(String, String)>,
}

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    Committed,
    All,
}

/// A cluster at an address.
pub(crate) struct Cluster {
    brokers: String,
}

impl Cluster {
    pub(crate) fn at(brokers: String) -> Self {
        Self { brokers }
    }

    /// The settings that every client has.
    pub(crate) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config.set("topic.metadata.refresh.fast.interval.ms", "50");
        config.set("retry.backoff.ms", "20");
        config
    }

    pub(crate) fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().expect("an admin client can be made")
    }

    /// Creates a topic, with settings.
    pub(crate) fn topic_with(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let topic = NewTopic::new(name, partitions, BROKER_DEFAULT);
        let topic = settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
        let created = wait(self.admin().create_topics([&topic], &options()));
        let created = created.expect("the request is answered");
        assert_eq!(created, [Ok(name.to_owned())]);
    }

    /// Creates a topic.
    pub(crate) fn topic(&self, name: &str, partitions: i32) {
        self.topic_with(name, partitions, &[]);
    }

    /// A producer with further settings.
    pub(crate) fn producer(&self, settings: &[(&str, &str)]) -> BaseProducer {
        let mut config = self.config();
        config.set("linger.ms", "5");
        for (key, value) in settings {
            config.set(*key, *value);
        }
        config.create().expect("a producer can be made")
    }

    /// A producer that owns `id` from now on.
    pub(crate) fn transactional(&self, id: &str, timeout_ms: u32) -> BaseProducer {
        let timeout = timeout_ms.to_string();
        let settings = [("transactional.id", id), ("transaction.timeout.ms", timeout.as_str())];
        let producer = self.producer(&settings);
        producer.init_transactions(PATIENCE).expect("the producer gets its id");
        producer
    }

    /// A consumer that is not in a group yet.
    pub(crate) fn consumer(&self, group: &str, reads: Reads) -> BaseConsumer {
        self.consumer_with(group, reads, &[])
    }

    /// A consumer with further settings.
    pub(crate) fn consumer_with(
        &self,
        group: &str,
        reads: Reads,
        settings: &[(&str, &str)],
    ) -> BaseConsumer {
        let mut config = self.config();
        config.set("group.id", group);
        config.set("auto.offset.reset", "earliest");
        config.set("enable.auto.commit", "false");
        config.set("enable.partition.eof", "true");
        config.set("session.timeout.ms", "6000");
        config.set("heartbeat.interval.ms", "200");
        config.set("fetch.wait.max.ms", "100");
        config.set(
            "isolation.level",
            match reads {
                Reads::Committed => "read_committed",
                Reads::All => "read_uncommitted",
            },
        );
        for (key, value) in settings {
            config.set(*key, *value);
        }
        config.create().expect("a consumer can be made")
    }

    /// Everything in a topic from its start to its end, by partition and offset.
    pub(crate) fn read(&self, topic: &str, reads: Reads) -> Vec<Row> {
        let consumer = self.consumer("reader", reads);
        let partitions = self.partition_count(topic);
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition_offset(topic, partition, Offset::Beginning)
                .expect("an offset can be set");
        }
        consumer.assign(&list).expect("partitions can be assigned");
        let (mut rows, mut ended) = (Vec::new(), 0);
        let deadline = Deadline::new();
        while ended < partitions {
            deadline.check("reading a topic to its end");
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => rows.push(row(&message)),
                Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
                Some(Err(error)) => panic!("reading {topic}: {error}"),
                None => {}
            }
        }
        rows.sort_by_key(|row| (row.partition, row.offset));
        rows
    }

    /// The values in a topic.
    pub(crate) fn values(&self, topic: &str, reads: Reads) -> Vec<String> {
        self.read(topic, reads).into_iter().map(|row| row.value.unwrap_or_default()).collect()
    }

    pub(crate) fn partition_count(&self, topic: &str) -> i32 {
        let consumer = self.consumer("counter", Reads::All);
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).expect("metadata");
        let count = metadata.topics()[0].partitions().len();
        i32::try_from(count).expect("a small number")
    }

    /// (start, end) of a partition.
    pub(crate) fn watermarks(&self, topic: &str, partition: i32) -> (i64, i64) {
        self.consumer("watermarks", Reads::All)
            .fetch_watermarks(topic, partition, PATIENCE)
            .expect("watermarks are told")
    }

    /// The offset that a group has committed for partition 0 of a topic.
    pub(crate) fn committed(&self, group: &str, topic: &str) -> Option<i64> {
        let consumer = self.consumer(group, Reads::All);
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, 0);
        let committed = consumer.committed_offsets(list, PATIENCE).expect("offsets are told");
        match committed.elements()[0].offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    }
}

/// Sends values to partition 0 and waits until all are stored.
pub(crate) fn send(producer: &BaseProducer, topic: &str, values: &[&str]) {
    for value in values {
        enqueue(producer, BaseRecord::<(), str>::to(topic).partition(0).payload(value));
    }
    producer.flush(PATIENCE).expect("records are stored");
}

/// Queues one record.
pub(crate) fn enqueue<K, P>(producer: &BaseProducer, record: BaseRecord<'_, K, P>)
where
    K: rdkafka::message::ToBytes + ?Sized,
    P: rdkafka::message::ToBytes + ?Sized,
{
    producer.send(record).map_err(|(error, _)| error).expect("the queue has room");
}

/// The error with which one record is refused, if it is.
pub(crate) fn refusal(
    cluster: &Cluster,
    settings: &[(&str, &str)],
    topic: &str,
    value: &str,
) -> Option<RDKafkaErrorCode> {
    use rdkafka::ClientContext;
    use rdkafka::producer::{DeliveryResult, ProducerContext};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Outcome(Arc<Mutex<Option<Result<(), KafkaError>>>>);
    impl ClientContext for Outcome {}
    impl ProducerContext for Outcome {
        type DeliveryOpaque = ();
        fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
            let outcome = match result {
                Ok(_) => Ok(()),
                Err((error, _)) => Err(error.clone()),
            };
            *self.0.lock().expect("no panic before") = Some(outcome);
        }
    }

    let outcome = Outcome::default();
    let mut config = cluster.config();
    for (key, setting) in settings {
        config.set(*key, *setting);
    }
    let producer: BaseProducer<Outcome> =
        config.create_with_context(outcome.clone()).expect("a producer can be made");
    let record = BaseRecord::<(), str>::to(topic).payload(value);
    if let Err((error, _)) = producer.send(record) {
        return error.rdkafka_error_code();
    }
    producer.flush(PATIENCE).expect("the record's fate is known");
    let outcome = outcome.0.lock().expect("no panic before").take();
    outcome.expect("the delivery is reported").err().and_then(|error| error.rdkafka_error_code())
}

pub(crate) fn headers(pairs: &[(&str, &str)]) -> OwnedHeaders {
    pairs.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
        headers.insert(rdkafka::message::Header { key, value: Some(*value) })
    })
}

pub(crate) fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(Timeout::After(PATIENCE)))
        .operation_timeout(Some(Timeout::After(PATIENCE)))
}

/// Runs an admin call to its end.
pub(crate) fn wait<F: Future>(call: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made")
        .block_on(call)
}

fn row(message: &rdkafka::message::BorrowedMessage<'_>) -> Row {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("tests write text");
    let headers = message.headers().map(|headers| {
        let pair = |header: rdkafka::message::Header<'_, &[u8]>| {
            (header.key.to_owned(), text(header.value.unwrap_or_default()))
        };
        headers.iter().map(pair).collect()
    });
    Row {
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(text),
        value: message.payload().map(text),
        timestamp: message.timestamp().to_millis(),
        headers: headers.unwrap_or_default(),
    }
}
