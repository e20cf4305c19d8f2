//! Against librdkafka's mock cluster: one process, loopback only.

use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::mocking::MockCluster;

use super::*;
use crate::consumer::{Consumer, PartitionStart, Start};

const PATIENCE: Duration = Duration::from_secs(30);

fn setting(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// A producer that never reaches a broker.
fn unconnected(settings: &[(String, String)]) -> Producer {
    let mut all = vec![setting("bootstrap.servers", "127.0.0.1:1")];
    all.extend_from_slice(settings);
    Producer::open(&all).expect("a producer")
}

/// Rows of the given values and keys.
fn rows(rows: &[(&str, Option<&str>)]) -> Encoded {
    let mut encoded = Encoded::default();
    for (value, key) in rows {
        encoded.values.extend_from_slice(value.as_bytes());
        encoded.value_ends.push(encoded.values.len());
        encoded.keys.extend_from_slice(key.unwrap_or_default().as_bytes());
        encoded.key_ends.push((encoded.keys.len(), key.is_some()));
    }
    encoded
}

#[test]
fn keys_go_where_the_java_client_puts_them() {
    let cluster = MockCluster::new(1).expect("a mock cluster");
    cluster.create_topic("out", 10, 1).expect("a topic");
    let settings = [setting("bootstrap.servers", &cluster.bootstrap_servers())];
    let producer = Producer::open(&settings).expect("a producer");
    let topic = producer.topic("out", &[setting("compression.type", "lz4")]).expect("a handle");
    // Kafka's own test vectors of murmur2: -790332482, -973932308, -985981536.
    let keys = [("foobar", 6), ("21", 0), ("a-little-bit-long-string", 2)];
    let encoded = rows(&keys.map(|(key, _)| ("v", Some(key))));
    assert_eq!(producer.produce_rows(&topic, &encoded, 0..3), Ok(3));
    producer.flush(PATIENCE).expect("delivered");
    let consumer = Consumer::open(&settings).expect("a consumer");
    for (key, partition) in keys {
        let start = PartitionStart { topic: "out".to_owned(), partition, start: Start::Earliest };
        let queue = consumer.assign(&[start]).expect("assigned").remove(0);
        let polled = queue.poll(1, PATIENCE);
        assert_eq!(polled.messages.get(0).and_then(|m| m.key), Some(key.as_bytes()));
    }
}

#[test]
fn a_full_queue_says_how_many_rows_it_took() {
    let producer = unconnected(&[setting("queue.buffering.max.messages", "300")]);
    let topic = producer.topic("out", &[]).expect("a handle");
    let encoded = rows(&[("v", None); 500]);
    assert_eq!(producer.produce_rows(&topic, &encoded, 0..200), Ok(200));
    assert_eq!(producer.produce_rows(&topic, &encoded, 200..500), Ok(100));
    let record = Record { value: Some(b"v"), ..Record::default() };
    let error = producer.produce(&topic, &record).expect_err("full");
    assert!(error.is_queue_full() && error.is_retriable(), "{error}");
    assert!(producer.queued() >= 300, "records, and events of the missing broker");
}

#[test]
fn a_row_that_is_too_large_is_an_error_that_names_the_topic() {
    let producer = unconnected(&[setting("message.max.bytes", "1000")]);
    let topic = producer.topic("out", &[]).expect("a handle");
    let large = "x".repeat(2_000);
    let encoded = rows(&[("v", None), (&large, None)]);
    let error = producer.produce_rows(&topic, &encoded, 0..2).expect_err("too large");
    assert_eq!(error.code(), Some(ErrorCode::MESSAGE_TOO_LARGE));
    assert!(error.to_string().contains("`out`"), "{error}");
}

#[test]
fn purged_records_are_reported_as_failed_deliveries() {
    let producer = unconnected(&[]);
    let topic = producer.topic("out", &[]).expect("a handle");
    let encoded = rows(&[("v", None); 3]);
    assert_eq!(producer.produce_rows(&topic, &encoded, 0..3), Ok(3));
    producer.purge().expect("purged");
    let mut failed = 0;
    while failed < 3 {
        let events = producer.serve_events(PATIENCE);
        assert!(!events.is_empty(), "reports are missing");
        failed += events
            .iter()
            .filter(|event| matches!(event, ProducerEvent::DeliveryFailed { topic, .. } if topic == "out"))
            .count();
    }
    producer.flush(PATIENCE).expect("nothing is left");
    assert_eq!(failed, 3);
}

#[test]
fn a_transaction_goes_from_begin_to_commit_while_another_thread_serves_events() {
    let cluster = MockCluster::new(1).expect("a mock cluster");
    for topic in ["in", "out"] {
        cluster.create_topic(topic, 1, 1).expect("a topic");
    }
    let producer = Arc::new(
        Producer::open(&[
            setting("bootstrap.servers", &cluster.bootstrap_servers()),
            setting("transactional.id", "engine.test"),
        ])
        .expect("a producer"),
    );
    let stop = Arc::new(AtomicBool::new(false));
    let server = std::thread::spawn({
        let (producer, stop) = (Arc::clone(&producer), Arc::clone(&stop));
        move || {
            let mut events = Vec::new();
            while !stop.load(Ordering::Acquire) {
                events.extend(producer.serve_events(PATIENCE));
            }
            events
        }
    });
    let topic = producer.topic("out", &[]).expect("a handle");
    producer.init_transactions(PATIENCE).expect("taken over");
    let early = producer.begin_transaction().and_then(|()| producer.begin_transaction());
    assert!(early.is_err_and(|error| !error.is_fatal() && !error.is_retriable()));
    let encoded = rows(&[("v", Some("k")); 400]);
    assert_eq!(producer.produce_rows(&topic, &encoded, 0..400), Ok(400));
    let offset = PartitionOffset { topic: "in".to_owned(), partition: 0, offset: 5 };
    producer
        .send_offsets_to_transaction(&[offset], "engine.test", PATIENCE)
        .expect("offsets taken");
    producer.commit_transaction(None).expect("committed");
    producer.begin_transaction().expect("a second one");
    assert_eq!(producer.produce_rows(&topic, &encoded, 0..1), Ok(1));
    producer.abort_transaction(None).expect("aborted");
    stop.store(true, Ordering::Release);
    producer.wake();
    server.join().expect("no panic");
}

#[test]
fn secrets_are_taken_out_of_every_message() {
    let producer = unconnected(&[setting("sasl.password", "hunter2")]);
    assert_eq!(producer.client.redact("login hunter2 failed"), "login [redacted] failed");
}
