//! `delivery: at_least_once`: outputs do not wait for their commit, and none is lost.

use std::time::Duration;

use crate::world::{Engine, World, on_each_broker, pause, wait_until};

fn at_least_once(brokers: &str, prefix: &str) -> World {
    let world = World::new(brokers, prefix);
    world.change("stream_project.yml", "lease: 2s", "lease: 2s\n    delivery: at_least_once");
    world
}

#[test]
fn rows_are_visible_before_their_commit() {
    on_each_broker(|brokers| {
        let world = at_least_once(brokers, "early");
        let mut feed = world.feed();
        let engine = Engine::start(&world.folder, &["--commit-interval", "10s"]);
        feed.rows(10);
        feed.flush();
        wait_until("the first rows", || world.committed() == 30);
        // These must wait for ten seconds if they wait for a commit.
        feed.rows(10);
        feed.flush();
        wait_until("the next rows", || world.committed() == 60);
        let commits = world.journal_entries();
        assert!(commits <= 3, "an owner's entry and the first rows': {commits}");
        drop(engine);
    });
}

#[test]
fn kills_lose_no_row_and_may_repeat_some() {
    on_each_broker(|brokers| {
        let world = at_least_once(brokers, "repeated");
        let feeder = world.feed().start(900);
        for life in [700, 1_100, 900, 1_500, 800] {
            let engine = Engine::start(&world.folder, &["--commit-interval", "1s"]);
            pause(Duration::from_millis(life));
            engine.kill();
        }
        let fed = feeder.stop().flush();
        let verdict = world.settle(&fed);
        assert_eq!((verdict.lost, verdict.wrong), (0, 0), "{verdict}");
    });
}

#[test]
fn an_orderly_stop_repeats_nothing() {
    on_each_broker(|brokers| {
        let world = at_least_once(brokers, "orderly");
        let mut feed = world.feed();
        feed.rows(100);
        feed.flush();
        assert_eq!(world.folder.engine(&["run", "--once"]).code, 0);
        feed.rows(100);
        let fed = feed.flush();
        world.settle(&fed).is_exact();
    });
}

impl World {
    /// Committed entries of the journal.
    fn journal_entries(&self) -> usize {
        let journal = format!("_engine.{}.default.journal", self.prefix);
        crate::reader::committed_values(&self.brokers, &[&journal])[0].len()
    }
}
