//! Against librdkafka's mock cluster: one process, loopback only.

use std::sync::Condvar;
use std::sync::Mutex;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use super::*;
use crate::producer::{Producer, Record};

/// Long enough for a loaded machine; nothing waits that long when all is well.
const PATIENCE: Duration = Duration::from_secs(30);

fn cluster(
    partitions: i32,
) -> (MockCluster<'static, DefaultProducerContext>, Vec<(String, String)>) {
    let cluster = MockCluster::new(1).expect("a mock cluster");
    cluster.create_topic("clicks", partitions, 1).expect("a topic");
    let settings = vec![("bootstrap.servers".to_owned(), cluster.bootstrap_servers())];
    (cluster, settings)
}

fn at(partition: i32, start: Start) -> PartitionStart {
    PartitionStart { topic: "clicks".to_owned(), partition, start }
}

fn produce(settings: &[(String, String)], records: &[Record<'_>]) {
    let producer = Producer::open(settings).expect("a producer");
    let topic = producer.topic("clicks", &[]).expect("a topic handle");
    for record in records {
        producer.produce(&topic, record).expect("room in the queue");
    }
    producer.flush(PATIENCE).expect("delivered");
}

/// Polls until the end of the partition was reached.
fn read_to_end(queue: &PartitionQueue) -> (Vec<MessageBatch>, i64) {
    let mut batches = Vec::new();
    loop {
        let polled = queue.poll(1, PATIENCE);
        assert_eq!(polled.error, None);
        if !polled.messages.is_empty() {
            batches.push(polled.messages);
        }
        if let Some(end) = polled.end_reached {
            return (batches, end);
        }
    }
}

#[test]
fn records_come_back_as_they_were_produced() {
    let (_cluster, settings) = cluster(2);
    let headers: [(&str, Option<&[u8]>); 3] = [("a", Some(b"1")), ("b", None), ("a", Some(b""))];
    produce(
        &settings,
        &[
            Record {
                key: Some(b"k"),
                value: Some(b"v"),
                partition: Some(1),
                timestamp_ms: Some(1_234),
                headers: &headers,
            },
            Record { value: None, key: Some(b""), partition: Some(1), ..Record::default() },
        ],
    );
    let consumer = Consumer::open(&settings).expect("a consumer");
    let queues = consumer.assign(&[at(1, Start::Earliest)]).expect("assigned");
    let (batches, end) = read_to_end(&queues[0]);
    assert_eq!(end, 2);
    let messages: Vec<_> = batches.iter().flat_map(MessageBatch::iter).collect();
    assert_eq!((messages[0].key, messages[0].payload), (Some(&b"k"[..]), Some(&b"v"[..])));
    assert_eq!((messages[0].partition, messages[0].offset), (1, 0));
    assert_eq!(messages[0].timestamp_ms, Some(1_234));
    let seen: Vec<_> = messages[0].headers.iter().collect();
    let sent: Vec<_> = headers.iter().map(|(name, value)| (name.as_bytes(), *value)).collect();
    assert_eq!(seen, sent);
    assert_eq!((messages[1].key, messages[1].payload), (Some(&b""[..]), None));
    assert_eq!(messages[1].headers.iter().count(), 0);
}

#[test]
fn a_batch_outlives_its_consumer_and_moves_to_another_thread() {
    let (_cluster, settings) = cluster(1);
    produce(&settings, &[Record { value: Some(b"v"), ..Record::default() }]);
    let consumer = Consumer::open(&settings).expect("a consumer");
    let queues = consumer.assign(&[at(0, Start::At(0))]).expect("assigned");
    let (batches, _end) = read_to_end(&queues[0]);
    drop(queues);
    drop(consumer);
    let reader = std::thread::spawn(move || {
        batches.iter().flat_map(MessageBatch::iter).map(|m| m.payload.map(<[u8]>::to_vec)).collect()
    });
    let seen: Vec<_> = reader.join().expect("no panic");
    assert_eq!(seen, [Some(b"v".to_vec())]);
}

#[test]
fn each_partition_has_its_own_queue() {
    let (_cluster, settings) = cluster(3);
    let values: [&[u8]; 3] = [b"zero", b"one", b"two"];
    let records: Vec<_> = (0..3)
        .zip(values)
        .map(|(partition, value)| Record {
            value: Some(value),
            partition: Some(partition),
            ..Record::default()
        })
        .collect();
    produce(&settings, &records);
    let consumer = Consumer::open(&settings).expect("a consumer");
    let starts: Vec<_> = (0..3).map(|partition| at(partition, Start::Earliest)).collect();
    let queues = consumer.assign(&starts).expect("assigned");
    for (queue, value) in queues.iter().zip(values) {
        let (batches, end) = read_to_end(queue);
        let seen: Vec<_> = batches.iter().flat_map(MessageBatch::iter).collect();
        assert_eq!((seen.len(), seen[0].payload, end), (1, Some(value), 1));
    }
}

#[test]
fn the_callback_tells_that_an_empty_queue_got_something() {
    let (_cluster, settings) = cluster(1);
    let consumer = Consumer::open(&settings).expect("a consumer");
    let mut queues = consumer.assign(&[at(0, Start::Earliest)]).expect("assigned");
    let ready = Arc::new((Mutex::new(false), Condvar::new()));
    let callback = Arc::clone(&ready);
    queues[0].on_ready(Arc::new(move || {
        *callback.0.lock().expect("not poisoned") = true;
        callback.1.notify_one();
    }));
    produce(&settings, &[Record { value: Some(b"v"), ..Record::default() }]);
    let mut seen = 0;
    while seen == 0 {
        let polled = queues[0].poll(10, Duration::ZERO);
        seen += polled.messages.len();
        if polled.messages.is_empty() && polled.end_reached.is_none() {
            let guard = ready.0.lock().expect("not poisoned");
            let (mut guard, wait) = ready
                .1
                .wait_timeout_while(guard, PATIENCE, |is_ready| !*is_ready)
                .expect("not poisoned");
            assert!(!wait.timed_out(), "nobody called");
            *guard = false;
        }
    }
    assert_eq!(seen, 1);
}

#[test]
fn a_partition_can_be_read_again_from_an_earlier_offset() {
    let (_cluster, settings) = cluster(1);
    produce(&settings, &[Record { value: Some(b"v"), ..Record::default() }; 5]);
    let consumer = Consumer::open(&settings).expect("a consumer");
    let queues = consumer.assign(&[at(0, Start::At(4))]).expect("assigned");
    let count = |batches: &[MessageBatch]| batches.iter().map(MessageBatch::len).sum::<usize>();
    assert_eq!(count(&read_to_end(&queues[0]).0), 1);
    consumer.seek(&[at(0, Start::At(2))], PATIENCE).expect("moved");
    assert_eq!(count(&read_to_end(&queues[0]).0), 3);
}

#[test]
fn questions_about_topics_are_answered() {
    let (_cluster, settings) = cluster(2);
    produce(&settings, &[Record { value: Some(b"v"), partition: Some(0), ..Record::default() }; 3]);
    let consumer = Consumer::open(&settings).expect("a consumer");
    assert_eq!(consumer.watermarks("clicks", 0, PATIENCE), Ok((0, 3)));
    let metadata = consumer.metadata(Some("clicks"), PATIENCE).expect("an answer");
    assert_eq!(metadata.brokers.len(), 1);
    assert_eq!(metadata.topics[0].partitions.len(), 2);
    assert!(metadata.topics[0].exists());
    let missing = consumer.metadata(Some("no-such-topic"), PATIENCE).expect("an answer");
    assert!(!missing.topics[0].exists());
    assert_eq!(consumer.committed(&[("clicks", 0)], PATIENCE), Ok(vec![None]));
    assert!(consumer.cluster_id(PATIENCE).is_some());
}

#[test]
fn an_unreachable_broker_is_an_event() {
    let settings = [("bootstrap.servers".to_owned(), "127.0.0.1:1".to_owned())];
    let consumer = Consumer::open(&settings).expect("a consumer");
    let events = consumer.events(PATIENCE);
    assert!(events.iter().all(|event| event.failure.is_retriable), "{events:?}");
    assert!(!events.is_empty());
    let error = consumer.watermarks("clicks", 0, Duration::from_millis(50)).expect_err("no broker");
    assert!(error.is_retriable(), "{error}");
    assert!(error.to_string().contains("`clicks` partition `0`"), "{error}");
}

/// librdkafka is busy with nothing else while an administrator's request has no broker to go to.
#[test]
fn topics_are_not_described_before_a_broker_answers() {
    let settings = [("bootstrap.servers".to_owned(), "127.0.0.1:1".to_owned())];
    let consumer = Consumer::open(&settings).expect("a consumer");
    let error = consumer.describe(&["clicks"], Duration::from_millis(50)).expect_err("no broker");
    assert!(error.is_retriable(), "{error}");
    assert!(error.to_string().contains("metadata"), "{error}");
}

#[test]
fn a_refused_setting_is_named_but_its_value_is_not() {
    for (name, value) in [("no.such.setting", "hunter2"), ("socket.timeout.ms", "hunter2")] {
        let error = Consumer::open(&[(name.to_owned(), value.to_owned())]).expect_err("refused");
        let message = error.to_string();
        assert!(message.contains(name) && !message.contains(value), "{message}");
    }
}
