//! Transactions: all or nothing, seen or hidden, fenced.

use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{Offset, TopicPartitionList};

use crate::client::{Cluster, Deadline, PATIENCE, Reads, send};

const TIMEOUT_MS: u32 = 60_000;

fn begin(producer: &BaseProducer) {
    producer.begin_transaction().expect("a transaction begins");
}

fn commit(producer: &BaseProducer) {
    producer.commit_transaction(PATIENCE).expect("the transaction commits");
}

fn abort(producer: &BaseProducer) {
    producer.abort_transaction(PATIENCE).expect("the transaction aborts");
}

pub(crate) fn a_committed_transaction_is_seen(cluster: &Cluster) {
    cluster.topic("committed", 1);
    let producer = cluster.transactional("commits", TIMEOUT_MS);
    begin(&producer);
    send(&producer, "committed", &["a", "b"]);
    commit(&producer);
    assert_eq!(cluster.values("committed", Reads::Committed), ["a", "b"]);
    // The marker takes an offset.
    assert_eq!(cluster.watermarks("committed", 0), (0, 3));
}

pub(crate) fn an_open_transaction_is_hidden(cluster: &Cluster) {
    cluster.topic("open", 1);
    send(&cluster.producer(&[]), "open", &["before"]);
    let producer = cluster.transactional("opens", TIMEOUT_MS);
    begin(&producer);
    send(&producer, "open", &["inside"]);
    send(&cluster.producer(&[]), "open", &["after"]);
    assert_eq!(cluster.values("open", Reads::Committed), ["before"]);
    assert_eq!(cluster.values("open", Reads::All), ["before", "inside", "after"]);
    commit(&producer);
    assert_eq!(cluster.values("open", Reads::Committed), ["before", "inside", "after"]);
}

pub(crate) fn an_aborted_transaction_is_hidden_from_committed_readers(cluster: &Cluster) {
    cluster.topic("aborted", 1);
    let producer = cluster.transactional("aborts", TIMEOUT_MS);
    for (value, is_kept) in [("a", true), ("b", false), ("c", true), ("d", false)] {
        begin(&producer);
        send(&producer, "aborted", &[value]);
        if is_kept { commit(&producer) } else { abort(&producer) }
    }
    assert_eq!(cluster.values("aborted", Reads::Committed), ["a", "c"]);
    assert_eq!(cluster.values("aborted", Reads::All), ["a", "b", "c", "d"]);
}

pub(crate) fn transactions_of_two_producers_interleave(cluster: &Cluster) {
    cluster.topic("interleaved", 1);
    let first = cluster.transactional("interleaves-1", TIMEOUT_MS);
    let second = cluster.transactional("interleaves-2", TIMEOUT_MS);
    begin(&first);
    begin(&second);
    send(&first, "interleaved", &["first 1"]);
    send(&second, "interleaved", &["second 1"]);
    send(&first, "interleaved", &["first 2"]);
    commit(&second);
    // The second is decided, but lies behind the start of the first.
    assert_eq!(cluster.values("interleaved", Reads::Committed), [""; 0]);
    abort(&first);
    assert_eq!(cluster.values("interleaved", Reads::Committed), ["second 1"]);
}

/// Whether the error says that a newer producer has taken over.
fn is_fenced(error: &KafkaError) -> bool {
    let code = match error {
        KafkaError::Transaction(error) => Some(error.code()),
        other => other.rdkafka_error_code(),
    };
    matches!(
        code,
        Some(
            RDKafkaErrorCode::Fenced
                | RDKafkaErrorCode::Fatal
                | RDKafkaErrorCode::ProducerFenced
                | RDKafkaErrorCode::InvalidProducerEpoch
        )
    )
}

pub(crate) fn a_zombie_is_fenced(cluster: &Cluster) {
    cluster.topic("zombie", 1);
    let zombie = cluster.transactional("undead", TIMEOUT_MS);
    begin(&zombie);
    send(&zombie, "zombie", &["lost"]);
    let successor = cluster.transactional("undead", TIMEOUT_MS);
    begin(&successor);
    send(&successor, "zombie", &["kept"]);
    let error = zombie.commit_transaction(PATIENCE).expect_err("the zombie is fenced");
    assert!(is_fenced(&error), "{error:?}");
    commit(&successor);
    assert_eq!(cluster.values("zombie", Reads::Committed), ["kept"]);
}

pub(crate) fn a_zombie_cannot_write_either(cluster: &Cluster) {
    cluster.topic("zombie-writes", 1);
    let zombie = cluster.transactional("undead-writer", TIMEOUT_MS);
    begin(&zombie);
    let successor = cluster.transactional("undead-writer", TIMEOUT_MS);
    let record = rdkafka::producer::BaseRecord::<(), str>::to("zombie-writes").payload("lost");
    zombie.send(record).map_err(|(error, _)| error).expect("the queue has room");
    let error = zombie.commit_transaction(PATIENCE).expect_err("the zombie is fenced");
    assert!(is_fenced(&error), "{error:?}");
    begin(&successor);
    send(&successor, "zombie-writes", &["kept"]);
    commit(&successor);
    assert_eq!(cluster.values("zombie-writes", Reads::All), ["kept"]);
}

pub(crate) fn a_transaction_that_takes_too_long_is_aborted(cluster: &Cluster) {
    cluster.topic("slow", 1);
    let producer = cluster.transactional("slow", 2_000);
    begin(&producer);
    send(&producer, "slow", &["lost"]);
    send(&cluster.producer(&[]), "slow", &["after"]);
    let deadline = Deadline::new();
    while cluster.values("slow", Reads::Committed) != ["after"] {
        deadline.check("the abort of a slow transaction");
    }
    let error = producer.commit_transaction(PATIENCE).expect_err("it was aborted");
    assert!(is_fenced(&error), "{error:?}");
}

pub(crate) fn offsets_count_when_their_transaction_commits(cluster: &Cluster) {
    cluster.topic("consumed", 1);
    cluster.topic("produced", 1);
    let producer = cluster.transactional("moves-offsets", TIMEOUT_MS);
    let consumer = cluster.consumer("offsets-group", Reads::Committed);
    let metadata = consumer.group_metadata().expect("a group has metadata");
    let facts = [(7, true, Some(7)), (9, false, Some(7)), (11, true, Some(11))];
    for (offset, is_kept, expected) in facts {
        begin(&producer);
        send(&producer, "produced", &["row"]);
        let mut list = TopicPartitionList::new();
        list.add_partition_offset("consumed", 0, Offset::Offset(offset)).expect("an offset");
        producer
            .send_offsets_to_transaction(&list, &metadata, Duration::from_secs(30))
            .expect("offsets are taken");
        if is_kept {
            commit(&producer);
        } else {
            abort(&producer);
        }
        assert_eq!(cluster.committed("offsets-group", "consumed"), expected, "{offset}");
    }
    assert_eq!(cluster.values("produced", Reads::Committed), ["row", "row"]);
}

pub(crate) fn many_transactions_of_one_producer_stay_apart(cluster: &Cluster) {
    cluster.topic("many", 1);
    let producer = cluster.transactional("many", TIMEOUT_MS);
    let mut kept = Vec::new();
    for index in 0..40 {
        let value = index.to_string();
        begin(&producer);
        send(&producer, "many", &[&value]);
        if index % 3 == 0 {
            abort(&producer);
        } else {
            commit(&producer);
            kept.push(value);
        }
    }
    assert_eq!(cluster.values("many", Reads::Committed), kept);
    assert_eq!(cluster.watermarks("many", 0), (0, 80));
}
