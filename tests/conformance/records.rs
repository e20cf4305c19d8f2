//! Records: stored whole, found by offset and by time, limited, forgotten.

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use std::time::Duration;

use crate::client::{
    Cluster, Deadline, PATIENCE, Reads, Row, enqueue, headers, options, refusal, send, wait,
};

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

/// The record number `index` of a series.
fn expected(index: i64, partition: i32) -> Row {
    Row {
        partition,
        offset: index,
        key: Some(format!("key {index}")),
        value: Some(format!("value {index} {}", "x".repeat(100))),
        timestamp: Some(1_700_000_000_000 + index),
        headers: vec![
            ("origin".to_owned(), format!("header {index}")),
            ("empty".to_owned(), String::new()),
        ],
    }
}

fn enqueue_row(producer: &rdkafka::producer::BaseProducer, topic: &str, row: &Row) {
    let pairs: Vec<(&str, &str)> =
        row.headers.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let mut record = BaseRecord::<str, str>::to(topic).partition(row.partition);
    record = record.headers(headers(&pairs));
    if let Some(key) = &row.key {
        record = record.key(key);
    }
    if let Some(value) = &row.value {
        record = record.payload(value);
    }
    if let Some(timestamp) = row.timestamp {
        record = record.timestamp(timestamp);
    }
    enqueue(producer, record);
}

pub(crate) fn every_compression_comes_back_whole(cluster: &Cluster) {
    for codec in CODECS {
        let topic = format!("compressed-{codec}");
        cluster.topic(&topic, 2);
        let rows: Vec<Row> =
            (0..2).flat_map(|partition| (0..300).map(move |i| expected(i, partition))).collect();
        let producer = cluster.producer(&[("compression.type", codec)]);
        for row in &rows {
            enqueue_row(&producer, &topic, row);
        }
        producer.flush(PATIENCE).expect("records are stored");
        assert_eq!(cluster.read(&topic, Reads::Committed), rows, "{codec}");
    }
}

pub(crate) fn a_null_key_and_a_null_value_stay_null(cluster: &Cluster) {
    cluster.topic("nulls", 1);
    let producer = cluster.producer(&[]);
    let none = Row { key: None, value: None, headers: vec![], ..expected(0, 0) };
    let empty = Row {
        offset: 1,
        key: Some(String::new()),
        value: Some(String::new()),
        headers: vec![],
        ..expected(1, 0)
    };
    for row in [&none, &empty] {
        enqueue_row(&producer, "nulls", row);
    }
    producer.flush(PATIENCE).expect("records are stored");
    assert_eq!(cluster.read("nulls", Reads::All), [none, empty]);
}

pub(crate) fn offsets_start_at_zero_and_end_after_the_last_record(cluster: &Cluster) {
    cluster.topic("ends", 2);
    assert_eq!(cluster.watermarks("ends", 0), (0, 0));
    send(&cluster.producer(&[]), "ends", &["a", "b", "c"]);
    assert_eq!(cluster.watermarks("ends", 0), (0, 3));
    assert_eq!(cluster.watermarks("ends", 1), (0, 0));
}

/// The offset of the first record at or after a time.
fn offset_at(cluster: &Cluster, topic: &str, timestamp: i64) -> Offset {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(timestamp)).expect("a time can be set");
    let found = cluster
        .consumer("by-time", Reads::All)
        .offsets_for_times(list, PATIENCE)
        .expect("offsets are told");
    found.elements()[0].offset()
}

pub(crate) fn an_offset_is_found_by_time(cluster: &Cluster) {
    cluster.topic("times", 1);
    let producer = cluster.producer(&[]);
    // Times out of order, each record in a batch of its own.
    for timestamp in [1_000, 3_000, 2_000, 5_000] {
        let row = Row { timestamp: Some(timestamp), ..expected(0, 0) };
        enqueue_row(&producer, "times", &row);
        producer.flush(PATIENCE).expect("records are stored");
    }
    let facts = [(0, 0), (1_000, 0), (1_001, 1), (2_500, 1), (3_001, 3), (5_000, 3)];
    for (timestamp, offset) in facts {
        assert_eq!(offset_at(cluster, "times", timestamp), Offset::Offset(offset), "{timestamp}");
    }
    assert_eq!(offset_at(cluster, "times", 5_001), Offset::End);
}

pub(crate) fn an_offset_is_found_by_time_inside_a_compressed_batch(cluster: &Cluster) {
    for codec in CODECS {
        let topic = format!("times-{codec}");
        cluster.topic(&topic, 1);
        let producer = cluster.producer(&[("compression.type", codec), ("linger.ms", "500")]);
        for index in 0..200 {
            enqueue_row(&producer, &topic, &expected(index, 0));
        }
        producer.flush(PATIENCE).expect("records are stored");
        for index in [0, 77, 199] {
            let found = offset_at(cluster, &topic, 1_700_000_000_000 + index);
            assert_eq!(found, Offset::Offset(index), "{codec}");
        }
    }
}

pub(crate) fn an_idempotent_producer_keeps_order(cluster: &Cluster) {
    cluster.topic("idempotent", 1);
    let settings = [("enable.idempotence", "true"), ("batch.num.messages", "7")];
    let producer = cluster.producer(&settings);
    let values: Vec<String> = (0..2_000).map(|index| index.to_string()).collect();
    let texts: Vec<&str> = values.iter().map(String::as_str).collect();
    send(&producer, "idempotent", &texts);
    assert_eq!(cluster.values("idempotent", Reads::All), values);
}

/// Deletes the records of partition 0 before an offset.
fn delete_before(cluster: &Cluster, topic: &str, offset: i64) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(offset)).expect("an offset can be set");
    let deleted = wait(cluster.admin().delete_records(&list, &options()));
    let deleted = deleted.expect("the request is answered");
    deleted.elements()[0].error().expect("records are deleted");
}

pub(crate) fn deleted_records_move_the_start(cluster: &Cluster) {
    cluster.topic("trimmed", 1);
    send(&cluster.producer(&[]), "trimmed", &["a", "b", "c", "d"]);
    delete_before(cluster, "trimmed", 3);
    assert_eq!(cluster.watermarks("trimmed", 0), (3, 4));
    assert_eq!(cluster.values("trimmed", Reads::All), ["d"]);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("trimmed", 0, Offset::Offset(9)).expect("an offset can be set");
    let refused = wait(cluster.admin().delete_records(&list, &options())).expect("an answer");
    let error = refused.elements()[0].error().expect_err("offset 9 does not exist");
    assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::OffsetOutOfRange));
}

pub(crate) fn a_consumer_before_the_start_is_reset(cluster: &Cluster) {
    cluster.topic("before-start", 1);
    send(&cluster.producer(&[]), "before-start", &["a", "b", "c"]);
    delete_before(cluster, "before-start", 2);
    let facts = [("earliest", Ok("c".to_owned())), ("error", Err(()))];
    for (reset, expected) in facts {
        let settings = [("auto.offset.reset", reset)];
        let consumer = cluster.consumer_with("before-start", Reads::All, &settings);
        let mut list = TopicPartitionList::new();
        list.add_partition_offset("before-start", 0, Offset::Offset(0)).expect("an offset");
        consumer.assign(&list).expect("partitions can be assigned");
        let deadline = Deadline::new();
        let found = loop {
            deadline.check("a consumer before the start");
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    break Ok(
                        String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned()
                    );
                }
                Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset))) => {
                    break Err(());
                }
                Some(Err(error)) => panic!("{error:?}"),
                None => {}
            }
        };
        assert_eq!(found, expected, "{reset}");
    }
}

pub(crate) fn the_broker_stamps_records_where_the_topic_says_so(cluster: &Cluster) {
    cluster.topic_with("stamped", 1, &[("message.timestamp.type", "LogAppendTime")]);
    let producer = cluster.producer(&[("compression.type", "lz4")]);
    enqueue_row(&producer, "stamped", &Row { timestamp: Some(1_000), ..expected(0, 0) });
    producer.flush(PATIENCE).expect("records are stored");
    let row = cluster.read("stamped", Reads::All).remove(0);
    assert!(row.timestamp > Some(1_700_000_000_000), "{row:?}");
    assert_eq!(row.value, expected(0, 0).value);
}

pub(crate) fn a_batch_above_the_topics_limit_is_refused(cluster: &Cluster) {
    cluster.topic_with("small", 1, &[("max.message.bytes", "1000")]);
    let facts = [(500, None), (1_500, Some(RDKafkaErrorCode::MessageSizeTooLarge))];
    for (bytes, error) in facts {
        assert_eq!(refusal(cluster, &[], "small", &"x".repeat(bytes)), error, "{bytes}");
    }
}

pub(crate) fn a_large_record_passes_where_the_topic_allows_it(cluster: &Cluster) {
    cluster.topic_with("large", 1, &[("max.message.bytes", "5000000")]);
    let value = "x".repeat(4_000_000);
    let settings = [("message.max.bytes", "5000000")];
    assert_eq!(refusal(cluster, &settings, "large", &value), None);
    assert_eq!(cluster.values("large", Reads::All), [value]);
}

pub(crate) fn a_record_for_an_unknown_topic_is_refused(cluster: &Cluster) {
    let settings = [("topic.metadata.propagation.max.ms", "500")];
    let refused = refusal(cluster, &settings, "nowhere", "value");
    let unknown =
        [Some(RDKafkaErrorCode::UnknownTopic), Some(RDKafkaErrorCode::UnknownTopicOrPartition)];
    assert!(unknown.contains(&refused), "{refused:?}");
}

/// What must survive a restart.
pub(crate) struct Kept {
    rows: Vec<Row>,
}

impl Kept {
    pub(crate) fn write(cluster: &Cluster) -> Self {
        cluster.topic_with("kept", 3, &[("max.message.bytes", "2000000")]);
        let rows: Vec<Row> =
            (0..3).flat_map(|partition| (0..100).map(move |i| expected(i, partition))).collect();
        let producer = cluster.producer(&[("compression.type", "lz4")]);
        for row in &rows {
            enqueue_row(&producer, "kept", row);
        }
        producer.flush(PATIENCE).expect("records are stored");
        crate::groups::commit(cluster, "keeper", "kept", 42);
        Self { rows }
    }

    pub(crate) fn check(&self, cluster: &Cluster) {
        assert_eq!(cluster.read("kept", Reads::All), self.rows);
        assert_eq!(cluster.committed("keeper", "kept"), Some(42));
        let setting = crate::admin::setting(cluster, "kept", "max.message.bytes");
        assert_eq!(setting.as_deref(), Some("2000000"));
        send(&cluster.producer(&[]), "kept", &["more"]);
        assert_eq!(cluster.watermarks("kept", 0), (0, 101));
    }
}
