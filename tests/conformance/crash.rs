//! What only the embedded broker can show: its files after a crash.
//!
//! The crash is real: this test binary runs itself as a child process, which opens a broker and is
//! killed with SIGKILL in the middle of its work.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use broker::{Broker, BrokerConfig, Fsync, Port};
use rdkafka::consumer::Consumer;
use rdkafka::producer::Producer;
use rdkafka::{Offset, TopicPartitionList};
use tempfile::TempDir;

use crate::client::{Cluster, PATIENCE, Reads, send};

/// Names the folder to the child process; without it, the child's test does nothing.
const FOLDER_VARIABLE: &str = "ENGINE_TEST_BROKER_FOLDER";

fn open(folder: &Path) -> Broker {
    let config = BrokerConfig { port: Port::Any, ..BrokerConfig::new(folder) };
    Broker::open(&config).expect("the embedded broker opens")
}

#[test]
fn a_broker_that_waits_for_the_disk_does_the_same() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let config =
        BrokerConfig { port: Port::Any, fsync: Fsync::Commit, ..BrokerConfig::new(folder.path()) };
    let open = || Broker::open(&config).expect("the embedded broker opens");
    let broker = open();
    let cluster = Cluster::at(broker.address().to_string());
    crate::transactions::offsets_count_when_their_transaction_commits(&cluster);
    crate::transactions::many_transactions_of_one_producer_stay_apart(&cluster);
    let kept = crate::records::Kept::write(&cluster);
    broker.close();
    let broker = open();
    kept.check(&Cluster::at(broker.address().to_string()));
}

#[test]
fn whoever_asks_for_retention_is_told() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let broker = open(folder.path());
    let cluster = Cluster::at(broker.address().to_string());
    cluster.topic("plain", 1);
    assert_eq!(broker.notes(), [""; 0]);
    cluster.topic_with("brief", 1, &[("retention.ms", "1000")]);
    let notes = broker.notes();
    assert_eq!(notes.len(), 1);
    assert!(notes[0].contains("`brief`") && notes[0].contains("retention.ms"), "{notes:?}");
}

#[test]
fn the_next_free_port_is_taken() {
    let (first, second) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let first = open(first.path());
    let taken = first.address().port();
    let config = BrokerConfig { port: Port::From(taken), ..BrokerConfig::new(second.path()) };
    let next = Broker::open(&config).expect("another port is free");
    assert!(next.address().port() > taken);
    assert_ne!(next.cluster_id(), first.cluster_id());
    drop(next);
    let config = BrokerConfig { port: Port::Exactly(taken), ..config };
    let refused = Broker::open(&config).expect_err("the port is taken");
    assert!(refused.to_string().contains(&first.address().to_string()), "{refused}");
}

/// Not a test by itself: the process that is killed.
#[test]
fn a_broker_in_a_process_of_its_own() {
    let Some(folder) = std::env::var_os(FOLDER_VARIABLE) else { return };
    let broker = open(Path::new(&folder));
    println!("ready {}", broker.address());
    // Ends with the parent at the latest: the pipe closes.
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("standard input is a pipe");
}

/// A broker in a child process.
struct Victim {
    process: Child,
    brokers: String,
}

impl Victim {
    fn start(folder: &Path) -> Self {
        let test = "crash::a_broker_in_a_process_of_its_own";
        let mut process = Command::new(std::env::current_exe().expect("the test has a path"))
            .args(["--exact", test, "--nocapture"])
            .env(FOLDER_VARIABLE, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test can run itself");
        let output = BufReader::new(process.stdout.take().expect("standard output is a pipe"));
        let address = output.lines().find_map(|line| {
            let line = line.expect("the child can be read");
            line.split("ready ").nth(1).map(str::to_owned)
        });
        Self { process, brokers: address.expect("the child opens a broker") }
    }

    fn kill(mut self) {
        self.process.kill().expect("the child can be killed");
        self.process.wait().expect("the child ends");
    }
}

#[test]
fn acknowledged_records_survive_a_kill() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let victim = Victim::start(folder.path());
    let cluster = Cluster::at(victim.brokers.clone());
    cluster.topic("kept", 1);
    let values: Vec<String> = (0..500).map(|index| index.to_string()).collect();
    let texts: Vec<&str> = values.iter().map(String::as_str).collect();
    send(&cluster.producer(&[]), "kept", &texts);
    victim.kill();
    let broker = open(folder.path());
    let cluster = Cluster::at(broker.address().to_string());
    assert_eq!(cluster.values("kept", Reads::All), values);
}

#[test]
fn a_stale_address_is_not_believed() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let victim = Victim::start(folder.path());
    let owner = broker::locate(folder.path()).expect("the child owns the folder");
    assert_eq!(owner.address.to_string(), victim.brokers);
    let refused = Broker::open(&BrokerConfig::new(folder.path())).expect_err("it has an owner");
    assert!(refused.to_string().contains(&victim.brokers), "{refused}");
    victim.kill();
    assert!(folder.path().join("broker.json").exists());
    assert_eq!(broker::locate(folder.path()), None);
    drop(open(folder.path()));
    assert!(!folder.path().join("broker.json").exists());
}

/// Kills the broker somewhere inside a loop of transactions, each of ten records in two
/// partitions with a source offset; what is visible afterwards is whole transactions, and the
/// offset is that of the last one.
#[test]
fn a_kill_inside_transactions_leaves_whole_ones() {
    for round in 0..4_u64 {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let victim = Victim::start(folder.path());
        let cluster = Cluster::at(victim.brokers.clone());
        cluster.topic("out", 2);
        cluster.topic("in", 1);
        let transactions = run_transactions_until_killed(&cluster, victim, 5 + round * 7);

        let broker = open(folder.path());
        let cluster = Cluster::at(broker.address().to_string());
        let rows = cluster.read("out", Reads::Committed);
        let seen: BTreeSet<String> = rows.iter().filter_map(|row| row.value.clone()).collect();
        let count = rows.len() / 10;
        assert_eq!(rows.len() % 10, 0, "{rows:?}");
        assert_eq!(seen.len(), count, "each transaction has a value of its own: {seen:?}");
        let known = u64::try_from(count).expect("a small number");
        assert!(known == transactions || known == transactions + 1, "{known} {transactions}");
        let committed = cluster.committed("moved", "in").unwrap_or(0);
        assert_eq!(u64::try_from(committed), Ok(known));
        // And the id goes on: nothing is left open.
        let producer = cluster.transactional("killed", 60_000);
        producer.begin_transaction().expect("a transaction begins");
        send(&producer, "out", &["after"]);
        producer.commit_transaction(PATIENCE).expect("the transaction commits");
        let values = cluster.values("out", Reads::Committed);
        assert_eq!(values.len(), rows.len() + 1);
    }
}

/// Commits transactions until the broker is killed during number `last`; returns how many were
/// acknowledged.
fn run_transactions_until_killed(cluster: &Cluster, victim: Victim, last: u64) -> u64 {
    let producer = cluster.transactional("killed", 60_000);
    let consumer = cluster.consumer("moved", Reads::Committed);
    let metadata = consumer.group_metadata().expect("a group has metadata");
    let mut victim = Some(victim);
    for number in 1..=last {
        producer.begin_transaction().expect("a transaction begins");
        for index in 0..10 {
            let value = format!("transaction {number}");
            let record = rdkafka::producer::BaseRecord::<(), str>::to("out").partition(index % 2);
            crate::client::enqueue(&producer, record.payload(&value));
        }
        producer.flush(PATIENCE).expect("records are stored");
        let mut list = TopicPartitionList::new();
        let offset = i64::try_from(number).expect("a small number");
        list.add_partition_offset("in", 0, Offset::Offset(offset)).expect("an offset");
        producer
            .send_offsets_to_transaction(&list, &metadata, PATIENCE)
            .expect("offsets are taken");
        if number == last
            && let Some(victim) = victim.take()
        {
            // The kill races with the commit: both outcomes are right, half of one is not.
            let killer = std::thread::spawn(move || victim.kill());
            let timeout = std::time::Duration::from_millis(200);
            let outcome = producer.commit_transaction(timeout);
            killer.join().expect("the child is killed");
            return if outcome.is_ok() { number } else { number - 1 };
        }
        producer.commit_transaction(PATIENCE).expect("the transaction commits");
    }
    last
}

/// The only segment file of the only topic.
fn segment(folder: &Path) -> PathBuf {
    let topics = folder.join("broker").join("topics");
    let topic =
        fs::read_dir(topics).expect("the topics").next().expect("a topic").expect("a topic");
    topic.path().join("0").join(format!("{:020}.log", 0))
}

/// What a crash does to a file.
type Tear = fn(&Path);

#[test]
fn a_torn_tail_is_cut_off() {
    // What the tail is torn into: cut short, followed by rubbish, or changed.
    let tears: [(&str, Tear); 4] = [
        ("half a batch", |path| cut(path, 40)),
        ("a batch without its last byte", |path| cut(path, 1)),
        ("rubbish behind", |path| append(path, &[7; 1_000])),
        ("a flipped bit", |path| flip_last_byte(path)),
    ];
    for (tear, apply) in tears {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let victim = Victim::start(folder.path());
        let cluster = Cluster::at(victim.brokers.clone());
        cluster.topic("torn", 1);
        let producer = cluster.producer(&[]);
        for value in ["a", "b", "c"] {
            send(&producer, "torn", &[value]);
        }
        victim.kill();
        apply(&segment(folder.path()));
        let broker = open(folder.path());
        let cluster = Cluster::at(broker.address().to_string());
        let kept: &[&str] = if tear == "rubbish behind" { &["a", "b", "c"] } else { &["a", "b"] };
        assert_eq!(cluster.values("torn", Reads::All), kept, "{tear}");
        send(&cluster.producer(&[]), "torn", &["d"]);
        assert_eq!(cluster.values("torn", Reads::All), [kept, &["d"]].concat(), "{tear}");
    }
}

fn cut(path: &Path, bytes: u64) {
    let file = OpenOptions::new().write(true).open(path).expect("the segment");
    let length = file.metadata().expect("the segment").len();
    file.set_len(length - bytes).expect("the segment can be cut");
}

fn append(path: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new().append(true).open(path).expect("the segment");
    file.write_all(bytes).expect("the segment can be written");
}

fn flip_last_byte(path: &Path) {
    let mut bytes = fs::read(path).expect("the segment");
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    fs::write(path, bytes).expect("the segment can be written");
}
