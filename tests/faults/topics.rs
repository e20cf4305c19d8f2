//! Topics that change while, or before, they are read.

use std::time::Duration;

use rdkafka::admin::NewPartitions;
use rdkafka::{Offset, TopicPartitionList};

use stream::{Clock, SystemClock};

use crate::client::{options, wait};
use crate::world::{Engine, PARTITIONS, World, on_each_broker, pause, wait_until};

/// An engine that has read and committed some rows.
fn running(world: &World) -> (Engine, Vec<u64>) {
    let mut feed = world.feed();
    feed.rows(200);
    let fed = feed.flush();
    let engine = Engine::start(&world.folder, &["--commit-interval", "100ms"]);
    let expected = usize::try_from(fed.iter().sum::<u64>()).expect("a small number");
    wait_until("all rows", || world.committed() == expected);
    (engine, fed)
}

impl World {
    fn delete_events(&self) {
        let topic = self.topic("events");
        let deleted = wait(self.cluster.admin().delete_topics(&[&topic], &options()));
        assert_eq!(deleted.expect("the request is answered"), [Ok(topic)]);
    }

    fn create_events(&self) {
        let partitions = i32::try_from(PARTITIONS).expect("a small number");
        // A real Kafka deletes in the background.
        wait_until("the topic's name is free", || {
            let topic = self.topic("events");
            let new = rdkafka::admin::NewTopic::new(
                &topic,
                partitions,
                rdkafka::admin::TopicReplication::Fixed(1),
            );
            let created = wait(self.cluster.admin().create_topics([&new], &options()));
            created.expect("the request is answered").iter().all(Result::is_ok)
        });
    }

    /// Deletes the records of a partition of the source before an offset.
    pub(crate) fn forget_before(&self, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic("events"), partition, Offset::Offset(offset))
            .expect("an offset");
        let deleted = wait(self.cluster.admin().delete_records(&list, &options()));
        deleted.expect("the request is answered");
    }
}

#[test]
fn a_topic_created_anew_while_it_is_read_stops_the_engine() {
    on_each_broker(|brokers| {
        let world = World::new(brokers, "anew");
        let (engine, fed) = running(&world);
        world.delete_events();
        world.create_events();
        // More rows than before: the old offsets exist in the new topic.
        let mut feed = world.feed();
        feed.rows(1_000);
        feed.flush();
        let (code, messages) = engine.end();
        assert_eq!(code, 1, "{messages}");
        assert!(messages.contains("was deleted and created anew"), "{messages}");
        let rows = usize::try_from(fed.iter().sum::<u64>()).expect("a small number");
        assert_eq!(world.committed(), rows, "nothing of the new topic is read at an old offset");
        // Nor at a later start.
        let output = world.folder.engine(&["run", "--once"]);
        assert_eq!(output.code, 1, "{}", output.err);
        assert!(output.err.contains("was deleted and created anew"), "{}", output.err);
        assert!(output.err.contains("--fresh"), "{}", output.err);
        assert_eq!(world.committed(), rows);
    });
}

#[test]
fn a_topic_that_is_deleted_stops_the_engine_by_name() {
    on_each_broker(|brokers| {
        let world = World::new(brokers, "deleted");
        let (engine, _) = running(&world);
        world.delete_events();
        let (code, messages) = engine.end();
        assert_eq!(code, 1, "{messages}");
        assert!(messages.contains("topic `deleted.events` does not exist any more"), "{messages}");
    });
}

/// Adds partitions and feeds them from their first offset on.
fn grow(world: &World, partitions: usize) {
    let topic = world.topic("events");
    let more = NewPartitions::new(&topic, partitions);
    let grown = wait(world.cluster.admin().create_partitions([&more], &options()));
    assert_eq!(grown.expect("the request is answered"), [Ok(topic)]);
}

#[test]
fn partitions_added_while_running_are_read_from_their_start() {
    on_each_broker(|brokers| {
        let world = World::new(brokers, "grown");
        let mut feed = world.feed();
        feed.rows(200);
        feed.flush();
        let mut engine = Engine::start(&world.folder, &["--commit-interval", "100ms"]);
        wait_until("the first rows", || world.committed() == 600);
        grow(&world, PARTITIONS + 2);
        let clock = SystemClock::new();
        feed.grow(PARTITIONS + 2);
        // The new partitions catch up with the others, so that no row of theirs is late.
        for _ in 0..200 {
            feed.row(PARTITIONS);
            feed.row(PARTITIONS + 1);
        }
        feed.flush();
        engine.await_message("the topic has got partitions");
        println!("{}: new partitions noticed after {:.1?}", world.prefix, clock.monotonic());
        wait_until("rows of the new ones", || world.committed() == 1_000);
        feed.rows(50);
        let fed = feed.flush();
        wait_until("more rows of all", || world.committed() == 1_250);
        // The journal knows them: a later process goes on where this one was killed.
        engine.kill();
        world.settle(&fed).is_exact();
    });
}

#[test]
fn partitions_added_while_stopped_are_read_from_their_start() {
    on_each_broker(|brokers| {
        let world = World::new(brokers, "grown-stopped");
        let mut feed = world.feed();
        feed.rows(200);
        feed.flush();
        assert_eq!(world.folder.engine(&["run", "--once"]).code, 0);
        grow(&world, PARTITIONS + 1);
        feed.grow(PARTITIONS + 1);
        for _ in 0..200 {
            feed.row(PARTITIONS);
        }
        let fed = feed.flush();
        world.settle(&fed).is_exact();
    });
}

/// Retention takes records while the engine sleeps; it has read up to 200 in each partition.
fn wakes_behind_a_gap(world: &World) -> (Engine, u64) {
    let mut feed = world.feed();
    feed.rows(200);
    feed.flush();
    let engine = Engine::start(&world.folder, &["--commit-interval", "100ms"]);
    wait_until("all rows", || world.committed() == 600);
    engine.signal("STOP");
    // The fetch that was under way when it fell asleep is answered before the rows come.
    pause(Duration::from_millis(500));
    feed.rows(1_000);
    let fed = feed.flush();
    world.forget_before(1, 600);
    engine.signal("CONT");
    (engine, fed.iter().sum())
}

fn with_gaps(brokers: &str, on_gap: &str) -> World {
    let world = World::new(brokers, &format!("gap-{on_gap}"));
    let topic = format!("topic: gap-{on_gap}.events");
    world.change("sources/events.yml", &topic, &format!("{topic}\n    on_gap: {on_gap}"));
    world
}

#[test]
fn input_that_retention_took_stops_the_engine() {
    on_each_broker(|brokers| {
        let world = with_gaps(brokers, "stop");
        let (engine, _) = wakes_behind_a_gap(&world);
        let (code, messages) = engine.end();
        assert_eq!(code, 1, "{messages}");
        assert!(
            messages.contains("`gap-stop.events` partition 1 is kept from offset 600"),
            "{messages}"
        );
    });
}

#[test]
fn input_that_retention_took_is_passed_over_and_counted_where_its_source_says_so() {
    on_each_broker(|brokers| {
        let world = with_gaps(brokers, "earliest");
        let (mut engine, fed) = wakes_behind_a_gap(&world);
        engine.await_message("a gap is passed over");
        let messages = engine.messages();
        let lost = messages.split("lost=").nth(1).and_then(|rest| rest.split_whitespace().next());
        let lost: u64 = lost.and_then(|lost| lost.parse().ok()).expect("how many were lost");
        assert_eq!(lost, 400);
        let rest = usize::try_from(fed - lost).expect("a small number");
        wait_until("all other rows", || world.committed() == rest);
        engine.signal("TERM");
        let (code, messages) = engine.end();
        assert_eq!(code, 0, "{messages}");
        let counted = "events: 400 offsets were gone before they were read";
        assert!(messages.contains(counted), "{messages}");
        assert_eq!(world.committed(), rest, "the gap reported is the real one");
    });
}
