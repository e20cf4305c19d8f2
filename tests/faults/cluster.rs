//! A cluster of three nodes, of which one at a time goes and comes back, or hands its partitions
//! over: each partition has three replicas, and two must be in sync.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use rdkafka::metadata::{Metadata, MetadataTopic};
use stream::{Clock, SystemClock};

use crate::client::PATIENCE;
use crate::feed::Feeder;
use crate::kafka::Kafka;
use crate::kills::number;
use crate::world::{Engine, World, wait_until, wait_within};

/// Rows a second, all partitions together.
const RATE: u64 = 900;

/// How long three nodes may take to agree on who leads, on a machine that is busy with all of them.
const ELECTIONS: Duration = Duration::from_mins(3);

/// Nodes of the cluster, numbered from 1.
const NODES: usize = 3;

/// Asks for these tests: beside all others they are too much for two cores.
const WANTED: &str = "ENGINE_TEST_CLUSTER";

/// The cluster of these tests, one after the other; it ends with the last that wants it. `None` if
/// nobody asks for it or this machine has none, which is said.
#[expect(clippy::print_stderr, reason = "a skipped check must be seen")]
fn cluster() -> Option<Arc<Mutex<Kafka>>> {
    if number(WANTED).is_none() {
        eprintln!("skipped: {WANTED}=1 starts three nodes");
        return None;
    }
    static CLUSTER: Mutex<Weak<Mutex<Kafka>>> = Mutex::new(Weak::new());
    let mut cluster = CLUSTER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(running) = cluster.upgrade() {
        return Some(running);
    }
    let started = Arc::new(Mutex::new(Kafka::start_cluster()?));
    *cluster = Arc::downgrade(&started);
    Some(started)
}

/// A project on the cluster, with rows that go on coming.
struct Scene<'a> {
    kafka: &'a mut Kafka,
    world: World,
    feeder: Feeder,
    engine: Engine,
}

/// Plays with the cluster's nodes while rows go on coming; the engine must go on, and lose nothing.
fn goes_on_through(prefix: &str, play: impl Fn(&mut Scene<'_>)) {
    let Some(cluster) = cluster() else { return };
    let mut kafka = cluster.lock().unwrap_or_else(PoisonError::into_inner);
    let world = World::new(&kafka.brokers(), prefix);
    let feeder = world.feed().start(RATE);
    let engine = Engine::start(
        &world.folder,
        &["--commit-interval", "100ms", "--transaction-timeout", "10s"],
    );
    wait_until("rows before the fault", || world.has_output());
    let mut scene = Scene { kafka: &mut kafka, world, feeder, engine };
    scene.await_in_sync();
    play(&mut scene);
    let Scene { kafka: _, world, feeder, engine } = scene;
    let fed = feeder.stop().flush();
    engine.signal("TERM");
    let (code, messages) = engine.end();
    assert_eq!(code, 0, "{messages}");
    world.settle(&fed).is_exact();
}

impl Scene<'_> {
    fn metadata(&self) -> Metadata {
        let admin = self.world.cluster.admin();
        admin.inner().fetch_metadata(None, PATIENCE).expect("a node answers")
    }

    /// Tells a node something, and waits until rows are seen that came after it was done.
    fn tell(&mut self, command: &str, node: usize) {
        self.kafka.command(&format!("{command} {node}"));
        self.await_rows(&format!("{command} {node}"));
    }

    /// Starts a node, and waits until it has what it missed.
    fn bring_back(&mut self, node: usize) {
        self.kafka.command(&format!("start {node}"));
        self.await_in_sync();
    }

    /// Waits until rows are seen that are not written yet, and tells how long that took.
    #[expect(clippy::print_stdout, reason = "figures for docs/RELIABILITY.md")]
    fn await_rows(&self, what: &str) {
        let (clock, written) = (SystemClock::new(), self.feeder.written());
        wait_within(
            ELECTIONS,
            || format!("rows after {what}; the engine says: {}", self.engine.messages()),
            || self.world.committed() > written,
        );
        println!("{}: {what}: rows again after {:.1?}", self.world.prefix, clock.monotonic());
    }

    /// Waits until every partition has all of its replicas in sync, and so many it has.
    fn await_in_sync(&self) {
        let what = || "replica of each partition on each node".to_owned();
        wait_within(ELECTIONS, what, || {
            let metadata = self.metadata();
            let mut partitions = metadata.topics().iter().flat_map(MetadataTopic::partitions);
            partitions.all(|one| one.isr().len() == NODES && one.replicas().len() == NODES)
        });
    }

    /// Who leads each partition of a topic.
    fn leaders(&self, topic: &str) -> Vec<usize> {
        let metadata = self.metadata();
        let topic = metadata.topics().iter().find(|it| it.name() == topic).expect("it is there");
        let mut leaders: Vec<_> =
            topic.partitions().iter().map(|one| (one.id(), one.leader())).collect();
        leaders.sort_unstable();
        let node = |(_, leader)| usize::try_from(leader).expect("it has a leader");
        leaders.into_iter().map(node).collect()
    }

    fn journal(&self) -> String {
        format!("_engine.{}.default.journal", self.world.prefix)
    }

    /// The node that coordinates the engine's transactions: it leads the partition of the log of
    /// transactions that the hash of their name chooses.
    fn coordinator(&self) -> usize {
        let leaders = self.leaders("__transaction_state");
        let id = format!("engine.{}.default", self.world.prefix);
        let hash = id
            .encode_utf16()
            .fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
        let partition =
            usize::try_from(hash.checked_abs().unwrap_or(0)).expect("it is not below 0");
        leaders[partition % leaders.len()]
    }
}

#[test]
fn a_rolling_restart_of_all_nodes_changes_no_row() {
    goes_on_through("rolling", |scene| {
        for node in 1..=NODES {
            scene.tell("stop", node);
            scene.bring_back(node);
        }
    });
}

#[test]
fn a_node_that_leads_the_journal_or_the_transactions_and_is_killed_changes_no_row() {
    goes_on_through("beheaded", |scene| {
        let leader = scene.leaders(&scene.journal())[0];
        scene.tell("kill", leader);
        assert_ne!(scene.leaders(&scene.journal()), [leader]);
        scene.bring_back(leader);
        let coordinator = scene.coordinator();
        scene.tell("kill", coordinator);
        assert_ne!(scene.coordinator(), coordinator);
        scene.bring_back(coordinator);
    });
}

#[test]
fn leaders_that_move_while_all_nodes_live_change_no_row() {
    goes_on_through("moved", |scene| {
        // Its partitions are led by others, then, and stay so when it is back.
        let leader = scene.leaders(&scene.journal())[0];
        scene.kafka.command(&format!("restart {leader}"));
        scene.await_in_sync();
        let outputs = scene.world.topic("copies");
        let before = (scene.leaders(&scene.journal()), scene.leaders(&outputs));
        let election = ["--election-type", "PREFERRED", "--all-topic-partitions"];
        scene.kafka.tool("org.apache.kafka.tools.LeaderElectionCommand", &election);
        scene.await_rows("election");
        let after = (scene.leaders(&scene.journal()), scene.leaders(&outputs));
        assert_ne!(before.0, after.0);
        assert_ne!(before.1, after.1);
    });
}
