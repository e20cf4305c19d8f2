use std::collections::BTreeMap;

use broker::{Broker, BrokerConfig, Port};
use connectors::admin::{Admin, TopicSpec};
use connectors::entry_records;
use stream::{Generation, Item};

use super::*;
use crate::journal::{FOLD_VERSION, Header, JournalItem, PART_BYTES};
use crate::outbox::JOURNAL;

const LEASE: Duration = Duration::from_secs(2);

fn named(name: &str) -> InstanceName {
    InstanceName(Arc::from(name))
}

/// A process' view of the journal of a project on the broker at `cluster`.
fn process(cluster: &Cluster, name: &str) -> Ownership {
    let topic =
        OutputTopic { topic: "journal".to_owned(), compression: None, max_message_bytes: 1 << 20 };
    let transactions = TransactionSettings {
        id: "engine.shop".to_owned(),
        timeout: Duration::from_mins(1),
        linger: Duration::ZERO,
    };
    let claim = Claim {
        cluster: cluster.clone(),
        journal: "journal".to_owned(),
        journal_offset: 0,
        transactions,
        topics: vec![topic],
        instance: named(name),
        former: Vec::new(),
        is_taking_over: false,
        is_waiting: true,
    };
    Ownership::open(claim).expect("the journal is there")
}

/// Commits an entry that says who the owner is; in how many records.
fn renew(producer: &mut TransactionalProducer, name: &str, epoch: u64) -> usize {
    renew_in_parts(producer, name, epoch, PART_BYTES)
}

fn renew_in_parts(
    producer: &mut TransactionalProducer,
    name: &str,
    epoch: u64,
    part_bytes: usize,
) -> usize {
    let header = Header {
        journal_id: "j".to_owned(),
        generation: Generation(1),
        epoch: Epoch(epoch),
        instance: named(name),
        lease_ms: u64::try_from(LEASE.as_millis()).expect("a small number"),
        fold_version: FOLD_VERSION,
        topics: Arc::new(BTreeMap::new()),
    };
    let items = vec![JournalItem::of(Item::Owner(Some(named(name))))];
    let entry = Entry { header, items }.to_bytes().expect("an entry");
    producer.begin().expect("a transaction");
    producer.send_entry(JOURNAL, epoch, &entry, part_bytes).expect("it is taken");
    producer.commit(&[], "engine.shop").expect("it is committed");
    entry_records(entry.len(), part_bytes)
}

/// A broker with an empty journal; it ends with the folder.
fn with_journal() -> (tempfile::TempDir, Broker, Cluster) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = BrokerConfig { port: Port::Any, ..BrokerConfig::new(folder.path()) };
    let broker = Broker::open(&config).expect("the embedded broker opens");
    let cluster = Cluster::embedded(broker.address());
    let admin = Admin::open(&cluster).expect("a client");
    let topic =
        TopicSpec { name: "journal".to_owned(), partitions: Some(1), ..TopicSpec::default() };
    admin.create(&topic).expect("the journal is made");
    drop(admin);
    (folder, broker, cluster)
}

/// The owner of an empty journal, and what it writes with.
fn owner(cluster: &Cluster) -> (Ownership, TransactionalProducer) {
    let mut owner = process(cluster, "owner");
    let (producer, _) = owner.take_over(false).expect("the broker answers");
    (owner, producer.expect("nobody else writes"))
}

/// Whoever wakes at the same moment, and is a moment later, ends the producer of the one that was
/// faster, which waits for it in vain before it goes on: it must not lose its lease by that.
#[test]
fn who_has_fenced_a_living_owner_gives_it_the_time_to_go_on() {
    let (_folder, _broker, cluster) = with_journal();
    let (mut first, mut second) = (process(&cluster, "first"), process(&cluster, "second"));
    let (producer, entries) = first.take_over(false).expect("the broker answers");
    assert_eq!(entries.len(), 0);
    renew(&mut producer.expect("nobody else writes"), "first", 1);

    let (producer, entries) = second.take_over(false).expect("the broker answers");
    assert!(producer.is_none(), "it stands by again");
    assert_eq!(entries.len(), 1);
    let owner = named("first");
    assert_eq!(second.lease(), (Some(&owner), LEASE + FENCED_WAIT));
    assert_eq!(second.living_owner(), Some((owner.clone(), LEASE + FENCED_WAIT)));

    let (is_committed, mut producer) = first.reclaim(Epoch(2)).expect("it is still the owner");
    assert!(!is_committed);
    renew(&mut producer, "first", 2);
    assert_eq!(second.history().expect("the broker answers").epoch, Epoch(2));
    assert_eq!(second.lease(), (Some(&owner), LEASE));
}

/// Apache Kafka 4.3, alone and stopped in order between the decision to commit and its marks, was
/// seen to note the transaction as complete, and to abort its records after the restart.
#[test]
fn an_acknowledged_epoch_that_the_journal_has_lost_stops_its_owner() {
    let (_folder, _broker, cluster) = with_journal();
    let (mut owner, mut producer) = owner(&cluster);
    renew(&mut producer, "owner", 1);
    drop(producer);
    // The broker has acknowledged epoch 2, too.
    match owner.reclaim(Epoch(3)) {
        Err(RuntimeError::CommitUndone { epoch, last, .. }) => {
            assert_eq!((epoch, last), (Epoch(2), Epoch(1)));
        }
        other => panic!("it goes on: {:?}", other.map(|(is_committed, _)| is_committed)),
    }
}

/// As between an owner's commits, where nobody asks what it has written itself.
#[test]
fn what_is_written_while_the_journal_rests_is_read_afterwards() {
    let (_folder, _broker, cluster) = with_journal();
    let (mut owner, mut producer) = owner(&cluster);
    for epoch in [1, 2] {
        let records = renew(&mut producer, "owner", epoch);
        owner.rest(Epoch(epoch), records);
    }
    drop(producer);
    let (is_committed, mut producer) = owner.reclaim(Epoch(2)).expect("the broker answers");
    assert_eq!((is_committed, owner.epoch()), (true, Epoch(2)));
    owner.rest(Epoch(2), 1);
    let records = renew(&mut producer, "owner", 3);
    owner.rest(Epoch(3), records);
    let (is_committed, _) = owner.reclaim(Epoch(4)).expect("the broker answers");
    assert_eq!((is_committed, owner.epoch()), (false, Epoch(3)));
}

/// After days it must not read days of entries to see what became of one.
#[test]
fn an_owner_reads_on_at_its_last_entry_whatever_was_aborted_before() {
    let (_folder, _broker, cluster) = with_journal();
    let (mut owner, mut producer) = owner(&cluster);
    let seen = |owner: &mut Ownership| {
        let mut epochs = Vec::new();
        owner.read(&mut |entry| epochs.push(entry.header.epoch.0)).expect("it can be read");
        epochs
    };
    for (epoch, part_bytes) in [(1, PART_BYTES), (2, 50), (3, 20), (4, PART_BYTES), (5, 70)] {
        let records = renew_in_parts(&mut producer, "owner", epoch, part_bytes);
        owner.rest(Epoch(epoch), records);
    }
    assert_eq!(seen(&mut owner), [5]);
    // What was read is not passed over a second time.
    owner.rest(Epoch(5), 1);
    let records = renew(&mut producer, "owner", 6);
    owner.rest(Epoch(6), records);
    assert_eq!(seen(&mut owner), [6]);
    for (epoch, part_bytes) in [(7, 20), (8, 30), (9, 40)] {
        // Takes offsets of which the owner does not know, and which it may come to lie within.
        producer.begin().expect("a transaction");
        producer.send_entry(JOURNAL, epoch, &[b'x'; 64], 16).expect("it is taken");
        drop(producer);
        producer = owner.open_producer().expect("the broker answers");
        let records = renew_in_parts(&mut producer, "owner", epoch, part_bytes);
        owner.rest(Epoch(epoch), records);
    }
    let epochs = seen(&mut owner);
    assert!(epochs.ends_with(&[8, 9]) || epochs == [9], "{epochs:?}");
}
