//! Two processes that want one project, and one that was asleep.

use std::time::Duration;

use crate::world::{Engine, World, on_each_broker, pause, wait_until};

/// Rows a second, all partitions together.
const RATE: u64 = 900;

#[test]
fn a_process_that_wakes_after_another_took_over_commits_nothing_and_exits_6() {
    on_each_broker(|brokers| {
        let world = World::new(brokers, "asleep");
        let feeder = world.feed().start(RATE);
        let first = Engine::start(&world.folder, &["--commit-interval", "100ms"]);
        wait_until("rows of the first", || world.has_output());
        first.signal("STOP");
        let twin = world.twin();
        let mut second = Engine::start(&twin, &["--commit-interval", "100ms"]);
        second.await_message("another process owns the project; waiting");
        let before = world.committed();
        world.await_rows(before);
        wait_until("rows of the second", || world.committed() > before + 300);
        first.signal("CONT");
        let (code, messages) = first.end();
        assert_eq!(code, 6, "{messages}");
        let fed = feeder.stop().flush();
        second.signal("TERM");
        let (code, messages) = second.end();
        assert_eq!(code, 0, "{messages}");
        world.settle(&fed).is_exact();
    });
}

#[test]
fn whoever_takes_over_ends_the_other_with_exit_6() {
    on_each_broker(|brokers| {
        let world = World::new(brokers, "taken");
        let feeder = world.feed().start(RATE);
        let first = Engine::start(&world.folder, &["--commit-interval", "100ms"]);
        wait_until("rows of the first", || world.has_output());
        let twin = world.twin();
        let second = Engine::start(&twin, &["--commit-interval", "100ms", "--take-over"]);
        let (code, messages) = first.end();
        assert_eq!(code, 6, "{messages}");
        let before = world.committed();
        wait_until("rows of the second", || world.committed() > before + 300);
        let fed = feeder.stop().flush();
        second.signal("TERM");
        assert_eq!(second.end().0, 0);
        world.settle(&fed).is_exact();
    });
}

#[test]
fn a_process_that_sleeps_past_its_transactions_timeout_goes_on_with_the_same_rows() {
    on_each_broker(|brokers| {
        let world = World::new(brokers, "late");
        let feeder = world.feed().start(RATE);
        let arguments = ["--commit-interval", "500ms", "--transaction-timeout", "2s"];
        let mut engine = Engine::start(&world.folder, &arguments);
        wait_until("rows before", || world.has_output());
        // A transaction is open nearly always; of a few pauses one meets it surely.
        for _ in 0..3 {
            engine.signal("STOP");
            pause(Duration::from_millis(3_500));
            engine.signal("CONT");
            let before = world.committed();
            world.await_rows(before);
            wait_until("rows after the sleep", || world.committed() > before + 300);
        }
        engine.await_message("the transaction failed; the journal will tell");
        let fed = feeder.stop().flush();
        engine.signal("TERM");
        let (code, messages) = engine.end();
        assert_eq!(code, 0, "{messages}");
        world.settle(&fed).is_exact();
    });
}
