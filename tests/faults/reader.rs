//! Committed records of topics, from start to end, as fast as they can be read.

use std::time::Duration;

use arrow_kafka::{Consumer, Message, PartitionStart, Start};
use connectors::Cluster;
use stream::{Clock, SystemClock};

use crate::client::PATIENCE;

/// A committed record.
#[derive(Debug, Clone)]
pub(crate) struct Committed {
    /// Bytes that are no text are replaced.
    pub(crate) value: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Committed {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The committed values of each topic; none of one that does not exist.
pub(crate) fn committed_values(brokers: &str, topics: &[&str]) -> Vec<Vec<String>> {
    let values = |records: Vec<Committed>| records.into_iter().map(|record| record.value).collect();
    committed_records(brokers, topics).into_iter().map(values).collect()
}

/// As [`committed_values`], with headers.
pub(crate) fn committed_records(brokers: &str, topics: &[&str]) -> Vec<Vec<Committed>> {
    let consumer = Consumer::open(&settings(brokers, |cluster| cluster.reader_settings(1)))
        .expect("a consumer can be made");
    let (mut starts, mut owners) = (Vec::new(), Vec::new());
    for (owner, topic) in topics.iter().enumerate() {
        let metadata = consumer.metadata(Some(topic), PATIENCE).expect("metadata");
        let found = metadata.topics.iter().find(|it| it.exists());
        let partitions = found.map_or(0, |topic| topic.partitions.len());
        for partition in 0..i32::try_from(partitions).expect("a small number") {
            let (topic, start) = ((*topic).to_owned(), Start::Earliest);
            starts.push(PartitionStart { topic, partition, start });
            owners.push(owner);
        }
    }
    let mut open: Vec<_> =
        consumer.assign(&starts).expect("partitions are free").into_iter().zip(owners).collect();
    let mut records = vec![Vec::new(); topics.len()];
    let clock = SystemClock::new();
    while !open.is_empty() {
        assert!(
            clock.monotonic() < PATIENCE,
            "reading {topics:?} does not end: {open:?}, {:?}",
            consumer.metadata(Some(topics[0]), PATIENCE),
        );
        open.retain(|(queue, owner)| {
            let polled = queue.poll(10_000, Duration::ZERO);
            records[*owner].extend(polled.messages.iter().map(committed));
            polled.end_reached.is_none()
        });
        consumer.log_events(topics[0]);
        std::thread::park_timeout(Duration::from_millis(1));
    }
    records
}

/// Settings of a client that finds a cluster by any of its nodes.
pub(crate) fn settings(
    brokers: &str,
    kind: impl FnOnce(&Cluster) -> Vec<(String, String)>,
) -> Vec<(String, String)> {
    let (first, _) = brokers.split_once(',').unwrap_or((brokers, ""));
    let mut settings = kind(&Cluster::embedded(first.parse().expect("an address")));
    settings.push(("bootstrap.servers".to_owned(), brokers.to_owned()));
    settings
}

fn committed(message: Message<'_>) -> Committed {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = message.headers.iter();
    Committed {
        value: text(message.payload.unwrap_or_default()),
        headers: headers
            .map(|(name, value)| (text(name), text(value.unwrap_or_default())))
            .collect(),
    }
}
