//! A standby follows, takes over when the owner is gone or when it is told to, and changes no row.

use std::time::Duration;

use connectors::Cluster;
use connectors::admin::Admin;
use rdkafka::admin::NewPartitions;
use stream::{Clock, SystemClock};

use crate::client::{options, wait};
use crate::command::Folder;
use crate::world::{Engine, PARTITIONS, World, on_each_broker, pause, wait_until};

/// Rows a second, all partitions together.
const RATE: u64 = 900;

/// The lease of the fixture's project.
const LEASE: Duration = Duration::from_secs(2);

/// What a take-over may take beyond the lease. Two seconds are promised of a release build on a
/// machine of its own; the figure is printed.
const SLACK: Duration = Duration::from_secs(8);

const COMMITS: [&str; 2] = ["--commit-interval", "100ms"];

impl Engine {
    fn standby(folder: &Folder) -> Self {
        Self::start_beside(folder, "standby.txt", &[&["--standby"], &COMMITS[..]].concat())
    }

    /// Waits until it has folded what there is.
    fn await_warm(&mut self) {
        self.await_message("standby of `");
    }
}

/// An owner, and rows that it has written.
fn owner(world: &World) -> Engine {
    let engine = Engine::start(&world.folder, &COMMITS);
    wait_until("rows of the owner", || world.has_output());
    engine
}

/// An owner, and a standby that has folded what it has written.
fn followed(world: &World) -> (Engine, Engine) {
    let first = owner(world);
    let mut standby = Engine::standby(&world.folder);
    standby.await_warm();
    (first, standby)
}

/// Ends the last engine in order and judges.
fn settle(world: &World, last: Engine, fed: &[u64]) {
    last.signal("TERM");
    let (code, messages) = last.end();
    assert_eq!(code, 0, "{messages}");
    world.settle(fed).is_exact();
}

#[test]
fn a_standby_takes_over_when_the_owner_is_killed() {
    on_each_broker(|brokers| {
        let world = World::new(brokers, "stoodby");
        let feeder = world.feed().start(RATE);
        let (first, mut standby) = followed(&world);
        pause(Duration::from_secs(1));
        let clock = SystemClock::new();
        first.kill();
        let before = world.committed();
        world.await_rows(before);
        assert!(clock.monotonic() < LEASE + SLACK, "it took {:?}", clock.monotonic());
        standby.await_message("this standby has taken over");
        // The lock is its own now: it is an owner like any other.
        wait_until("a snapshot request is taken", || {
            world.folder.engine(&["state", "snapshot", "--name", "after"]).code == 0
        });
        let fed = feeder.stop().flush();
        settle(&world, standby, &fed);
    });
}

#[test]
fn a_standby_on_another_machine_takes_over_as_well() {
    on_each_broker(|brokers| {
        let world = World::new(brokers, "faraway");
        let feeder = world.feed().start(RATE);
        let first = owner(&world);
        let twin = world.twin();
        let mut standby = Engine::standby(&twin);
        standby.await_warm();
        first.kill();
        let before = world.committed();
        world.await_rows(before);
        let fed = feeder.stop().flush();
        settle(&world, standby, &fed);
    });
}

#[test]
fn a_promoted_standby_ends_the_owner_with_exit_6() {
    on_each_broker(|brokers| {
        let world = World::new(brokers, "promoted");
        let feeder = world.feed().start(RATE);
        let first = owner(&world);
        let none = world.folder.engine(&["promote"]);
        assert_eq!(none.code, 2, "{}", none.err);
        assert!(none.err.contains("no standby waits in"), "{}", none.err);
        let mut standby = Engine::standby(&world.folder);
        standby.await_warm();
        let promoted = world.folder.engine(&["promote"]);
        assert_eq!(promoted.code, 0, "{}\n{}", promoted.err, standby.messages());
        assert!(promoted.err.contains("the standby has taken over, after"), "{}", promoted.err);
        let (code, messages) = first.end();
        assert_eq!(code, 6, "{messages}");
        assert!(messages.contains("owns this project"), "{messages}");
        let before = world.committed();
        wait_until("rows of the standby", || world.committed() > before + 200);
        let fed = feeder.stop().flush();
        settle(&world, standby, &fed);
    });
}

#[test]
fn an_owner_that_sleeps_past_its_lease_wakes_to_a_standby_and_exits_6() {
    on_each_broker(|brokers| {
        let world = World::new(brokers, "overslept");
        let feeder = world.feed().start(RATE);
        let (first, mut standby) = followed(&world);
        first.signal("STOP");
        let before = world.committed();
        // What was under way may still be committed.
        world.await_rows(before + 400);
        standby.await_message("this standby has taken over");
        first.signal("CONT");
        let (code, messages) = first.end();
        assert_eq!(code, 6, "{messages}");
        let fed = feeder.stop().flush();
        settle(&world, standby, &fed);
    });
}

#[test]
fn a_standby_goes_on_after_the_owner_has_ended_in_order() {
    on_each_broker(|brokers| {
        let world = World::new(brokers, "upgraded");
        let feeder = world.feed().start(RATE);
        let (first, standby) = followed(&world);
        first.signal("TERM");
        assert_eq!(first.end().0, 0);
        let before = world.committed();
        world.await_rows(before + 200);
        let fed = feeder.stop().flush();
        settle(&world, standby, &fed);
    });
}

#[test]
fn a_standby_may_come_before_the_owner_and_be_stopped_without_a_trace() {
    on_each_broker(|brokers| {
        let world = World::new(brokers, "beforehand");
        let feeder = world.feed().start(RATE);
        let mut standby = Engine::standby(&world.folder);
        standby.await_message("the project has never run");
        let first = owner(&world);
        standby.await_warm();
        standby.signal("TERM");
        let (code, messages) = standby.end();
        assert_eq!(code, 0, "{messages}");
        let fed = feeder.stop().flush();
        settle(&world, first, &fed);
    });
}

#[test]
fn a_standby_begins_anew_with_a_new_generation() {
    on_each_broker(|brokers| {
        let world = World::new(brokers, "renewed");
        let mut feed = world.feed();
        feed.rows(200);
        feed.flush();
        let rows = 200 * PARTITIONS;
        let first = Engine::start(&world.folder, &COMMITS);
        wait_until("all rows", || world.committed() == rows);
        let mut standby = Engine::standby(&world.folder);
        standby.await_warm();
        let twin = world.twin();
        let pushing = [&["--fresh", "--take-over"], &COMMITS[..]].concat();
        let fresh = Engine::start(&twin, &pushing);
        standby.await_message("was begun with `--fresh`");
        wait_until("all rows again", || world.committed() == 2 * rows);
        assert_eq!(first.end().0, 6);
        let before = world.committed();
        fresh.kill();
        feed.rows(100);
        feed.flush();
        world.await_rows(before);
        wait_until("the new rows", || world.committed() == 2 * rows + 100 * PARTITIONS);
        standby.signal("TERM");
        let (code, messages) = standby.end();
        assert_eq!(code, 0, "{messages}");
        assert_eq!(world.committed(), 2 * rows + 100 * PARTITIONS);
    });
}

#[test]
fn a_standby_follows_into_new_partitions() {
    on_each_broker(|brokers| {
        let world = World::new(brokers, "widened");
        let mut feed = world.feed();
        feed.rows(100);
        feed.flush();
        let (first, standby) = followed(&world);
        let topic = world.topic("events");
        let more = NewPartitions::new(&topic, PARTITIONS + 2);
        let grown = wait(world.cluster.admin().create_partitions([&more], &options()));
        assert_eq!(grown.expect("the request is answered"), [Ok(topic)]);
        feed.grow(PARTITIONS + 2);
        for partition in PARTITIONS..PARTITIONS + 2 {
            for _ in 0..100 {
                feed.row(partition);
            }
        }
        feed.flush();
        wait_until("rows of new partitions", || world.committed() == 100 * (PARTITIONS + 2));
        first.kill();
        feed.rows(100);
        let fed = feed.flush();
        wait_until("rows of the standby", || world.committed() == 200 * (PARTITIONS + 2));
        settle(&world, standby, &fed);
    });
}

#[test]
fn two_standbys_change_no_row() {
    on_each_broker(|brokers| {
        let world = World::new(brokers, "rivals");
        let feeder = world.feed().start(RATE);
        // Long enough that no owner loses it because the machine is busy.
        world.change("stream_project.yml", "lease: 2s", "lease: 6s");
        let first = owner(&world);
        let twin = world.twin();
        let settings = std::fs::read(world.folder.path().join("stream_project.yml"));
        twin.write("stream_project.yml", settings.expect("the project's file"));
        let mut standbys = [Engine::standby(&world.folder), Engine::standby(&twin)];
        standbys.iter_mut().for_each(Engine::await_warm);
        first.kill();
        let before = world.committed();
        world.await_rows(before);
        let fed = feeder.stop().flush();
        let mut owners = 0;
        for standby in standbys {
            standby.signal("TERM");
            let (code, messages) = standby.end();
            assert_eq!(code, 0, "{messages}");
            owners += messages.matches("this standby has taken over").count();
        }
        assert_eq!(owners, 1, "the other one stands by");
        world.settle(&fed).is_exact();
    });
}

/// Offsets of the journal: where it begins, and its end.
fn journal_bounds(world: &World) -> (i64, i64) {
    let brokers = world.brokers.parse().expect("an address");
    let admin = Admin::open(&Cluster::embedded(brokers)).expect("the broker answers");
    let journal = format!("_engine.{}.default.journal", world.prefix);
    let topic = admin.topic(&journal).expect("the broker answers").expect("it is there");
    admin.bounds(&topic).expect("the broker answers")[0]
}

#[test]
fn a_standby_that_slept_while_the_journal_was_trimmed_begins_anew() {
    on_each_broker(|brokers| {
        let world = World::new(brokers, "slept");
        let settings = "lease: 2s\n    checkpoint_interval: 1ms";
        world.change("stream_project.yml", "lease: 2s", settings);
        let mut feed = world.feed();
        feed.rows(100);
        feed.flush();
        let (first, mut standby) = followed(&world);
        let mut rows = 100;
        wait_until("all rows", || world.committed() == rows * PARTITIONS);
        standby.signal("STOP");
        let (_, end) = journal_bounds(&world);
        // Only now the journal alone could no longer bring the state back, and is trimmed.
        world.forget_before(0, 50);
        wait_until("the journal is trimmed beyond what the standby has read", || {
            feed.rows(10);
            feed.flush();
            rows += 10;
            wait_until("all rows", || world.committed() == rows * PARTITIONS);
            journal_bounds(&world).0 > end
        });
        standby.signal("CONT");
        standby.await_message("this standby begins anew");
        first.kill();
        feed.rows(10);
        let fed = feed.flush();
        wait_until("rows of the standby", || world.committed() == (rows + 10) * PARTITIONS);
        settle(&world, standby, &fed);
    });
}

#[test]
fn a_standby_with_another_plan_stops_and_says_so() {
    on_each_broker(|brokers| {
        let world = World::new(brokers, "differing");
        let mut feed = world.feed();
        feed.rows(10);
        feed.flush();
        let first = owner(&world);
        let twin = world.twin();
        let path = twin.path().join("models/sums.yml");
        let text = std::fs::read_to_string(&path).expect("the model");
        twin.write("models/sums.yml", text.replace("'1' SECOND", "'2' SECOND"));
        let (code, messages) = Engine::standby(&twin).end();
        assert_eq!(code, 1, "{messages}");
        assert!(messages.contains("written by another plan"), "{messages}");
        drop(first);
    });
}
