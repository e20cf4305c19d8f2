use std::path::Path;

use super::*;
use crate::log::producers::Verdict;
use crate::node::Node;
use crate::partition::Appended;
use crate::topic_config::TopicConfig;
use crate::topics::{NewTopic, Topic};

const TIMEOUT_MS: i32 = 60_000;

/// A node with one topic of one partition.
struct Scene {
    node: Node,
    topic: Arc<Topic>,
    partition: Arc<Partition>,
}

impl Scene {
    fn new(folder: &Path) -> Self {
        let node = Node::open(folder, Durability::Process).expect("the node opens");
        let new = NewTopic { name: "t".to_owned(), partitions: 1, config: TopicConfig::default() };
        node.topics.create(&new).expect("a topic");
        Self::of(node)
    }

    /// The node as a crash left it, opened again.
    fn after_crash(self, folder: &Path) -> Self {
        drop(self);
        Self::of(Node::open(folder, Durability::Process).expect("the node opens"))
    }

    fn of(node: Node) -> Self {
        let topic = node.topics.named("t").expect("the topic");
        let partition = topic.partition(0).expect("the partition");
        Self { node, topic, partition }
    }

    fn init(&self) -> Identity {
        let transactions = &self.node.transactions;
        transactions.init("id", TIMEOUT_MS, None, &self.node.ledger).expect("an identity")
    }

    /// Adds the partition to the transaction and writes one batch into it.
    fn write(&self, who: Identity, sequence: i32) -> Result<Appended, ResponseError> {
        let place = (self.topic.id, Arc::clone(&self.partition));
        self.node.transactions.add_partitions(&claim(who), vec![place])?;
        self.append(who, sequence)
    }

    fn append(&self, who: Identity, sequence: i32) -> Result<Appended, ResponseError> {
        let bytes = batch(who, sequence);
        let header = BatchHeader::read(&bytes).expect("a header");
        let limits = Limits { segment_bytes: u64::MAX, now_ms: 0 };
        self.node
            .transactions
            .writing(&header, (self.topic.id, 0), || self.partition.append(header, &bytes, limits))
            .map(|appended| appended.expect("the disk works"))
    }

    fn end(&self, who: Identity, is_commit: bool) -> Result<(), ResponseError> {
        self.node.transactions.end(&claim(who), is_commit, &self.node.ledger)
    }

    /// Takes the decision to commit, and writes no marker: what a crash between the two leaves.
    fn decide_only(&self, who: Identity) {
        let decision = Decision {
            transactional_id: "id".to_owned(),
            producer_id: who.producer_id,
            epoch: who.epoch,
            partitions: vec![DecidedPartition {
                topic: self.topic.id.simple().to_string(),
                partition: 0,
                end_offset: self.partition.log().end_offset(),
            }],
            offsets: vec![],
        };
        record(&self.node.ledger, LedgerRecord::Committed(decision)).expect("the disk works");
    }

    /// (end, stable offset, first offsets of aborted transactions)
    fn seen(&self) -> (i64, i64, Vec<i64>) {
        let log = self.partition.log();
        let end = log.end_offset();
        let aborted = log.aborted_between(0, end).iter().map(|a| a.first_offset).collect();
        (end, log.stable_offset(), aborted)
    }
}

fn claim(who: Identity) -> Claim<'static> {
    Claim { transactional_id: "id", producer_id: who.producer_id, epoch: who.epoch }
}

/// A transactional batch of one record: a marker that is no control batch.
fn batch(who: Identity, sequence: i32) -> Vec<u8> {
    let mut bytes = batch::marker(who.producer_id, who.epoch, true, 0);
    bytes[21..23].copy_from_slice(&(1_i16 << 4).to_be_bytes());
    bytes[53..57].copy_from_slice(&sequence.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes
}

#[test]
fn a_decided_transaction_is_committed_after_a_crash() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let scene = Scene::new(folder.path());
    let who = scene.init();
    assert_eq!(scene.write(who, 0), Ok(Appended::At(0)));
    scene.decide_only(who);
    let scene = scene.after_crash(folder.path());
    assert_eq!(scene.seen(), (2, 2, vec![]));
}

#[test]
fn an_undecided_transaction_is_aborted_after_a_crash() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let scene = Scene::new(folder.path());
    let who = scene.init();
    assert_eq!(scene.write(who, 0), Ok(Appended::At(0)));
    let scene = scene.after_crash(folder.path());
    assert_eq!(scene.seen(), (2, 2, vec![0]));
}

/// One producer id and epoch span many transactions: the decision about one says nothing of the
/// next.
#[test]
fn a_decision_does_not_reach_the_next_transaction() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let scene = Scene::new(folder.path());
    let who = scene.init();
    assert_eq!(scene.write(who, 0), Ok(Appended::At(0)));
    assert_eq!(scene.end(who, true), Ok(()));
    assert_eq!(scene.write(who, 1), Ok(Appended::At(2)));
    let scene = scene.after_crash(folder.path());
    assert_eq!(scene.seen(), (4, 4, vec![2]));
}

#[test]
fn a_new_owner_ends_and_fences_the_old_one() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let scene = Scene::new(folder.path());
    let old = scene.init();
    assert_eq!(scene.write(old, 0), Ok(Appended::At(0)));
    let new = scene.init();
    assert_eq!((new.producer_id, new.epoch), (old.producer_id, old.epoch + 1));
    assert_eq!(scene.seen(), (2, 2, vec![0]));
    assert_eq!(scene.append(old, 1), Err(ResponseError::InvalidProducerEpoch));
    assert_eq!(scene.write(old, 1), Err(ResponseError::ProducerFenced));
    assert_eq!(scene.end(old, true), Err(ResponseError::ProducerFenced));
    assert_eq!(scene.write(new, 0), Ok(Appended::At(2)));
    // The fence holds over a restart, too.
    let scene = scene.after_crash(folder.path());
    assert_eq!(scene.write(old, 1), Err(ResponseError::ProducerFenced));
    assert_eq!(scene.init().epoch, new.epoch + 1);
}

#[test]
fn a_batch_outside_a_transaction_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let scene = Scene::new(folder.path());
    let who = scene.init();
    assert_eq!(scene.append(who, 0), Err(ResponseError::InvalidTxnState));
    assert_eq!(scene.write(who, 0), Ok(Appended::At(0)));
    assert_eq!(scene.append(who, 0), Ok(Appended::Not(Verdict::Repeated { base_offset: 0 })));
    assert_eq!(scene.end(who, true), Ok(()));
    assert_eq!(scene.append(who, 1), Err(ResponseError::InvalidTxnState));
}

#[test]
fn an_end_may_be_asked_for_twice() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let scene = Scene::new(folder.path());
    let who = scene.init();
    assert_eq!(scene.end(who, true), Err(ResponseError::InvalidTxnState));
    assert_eq!(scene.write(who, 0), Ok(Appended::At(0)));
    assert_eq!(scene.end(who, true), Ok(()));
    assert_eq!(scene.end(who, true), Ok(()));
    assert_eq!(scene.end(who, false), Err(ResponseError::InvalidTxnState));
    assert_eq!(scene.seen(), (2, 2, vec![]));
}

#[test]
fn a_transaction_past_its_time_is_aborted_and_its_owner_fenced() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let scene = Scene::new(folder.path());
    let who = scene.init();
    assert_eq!(scene.write(who, 0), Ok(Appended::At(0)));
    let timeout = Duration::from_millis(u64::try_from(TIMEOUT_MS).expect("a positive number"));
    let now = clock::monotonic();
    scene.node.transactions.tick(now, &scene.node.ledger);
    assert_eq!(scene.seen(), (1, 0, vec![]));
    scene.node.transactions.tick(now + timeout, &scene.node.ledger);
    assert_eq!(scene.seen(), (2, 2, vec![0]));
    assert_eq!(scene.end(who, true), Err(ResponseError::ProducerFenced));
}

#[test]
fn a_worn_out_epoch_gets_a_new_producer_id() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let scene = Scene::new(folder.path());
    let first = scene.init();
    let worn = TransactionalProducer {
        transactional_id: "id".to_owned(),
        producer_id: first.producer_id,
        epoch: i16::MAX - 1,
        timeout_ms: TIMEOUT_MS,
    };
    record(&scene.node.ledger, LedgerRecord::Producer(worn)).expect("the disk works");
    let scene = scene.after_crash(folder.path());
    let renewed = scene.init();
    assert_eq!(renewed.epoch, 0);
    assert!(renewed.producer_id > first.producer_id);
    assert_eq!(scene.write(renewed, 0), Ok(Appended::At(0)));
}
