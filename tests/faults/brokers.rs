//! A broker that restarts, does not answer, answers some things only, or takes its time.

use std::time::Duration;

use arrow_kafka::Consumer;
use connectors::Cluster;
use stream::{Clock, SystemClock};

use crate::client::PATIENCE;
use crate::kafka::Kafka;
use crate::kills::number;
use crate::proxy::{END_TRANSACTION, Loss, Proxy};
use crate::reader::settings;
use crate::world::{Engine, World, pause, wait_until};

/// Rows a second, all partitions together.
const RATE: u64 = 900;

/// How much more memory a run may take while it waits for its broker: what an epoch keeps.
const GROWTH_BYTES: u64 = 96 << 20;

/// For how long a broker is silent, in seconds, if it shall be for longer than ten.
const SILENCE: &str = "ENGINE_TEST_SILENCE";

/// Bytes of an output's row in the test of a slow output, rows a partition (343 MiB in all), and what
/// of them may be in memory: an epoch that is written, one that waits, the client's queue, and the
/// pieces that are folded and encoded.
const WIDE_BYTES: usize = 2_000;
const WIDE_ROWS: u64 = 60_000;
const WIDE_GROWTH_BYTES: u64 = 208 << 20;

/// Breaks a Kafka while rows go on coming; the engine must go on, and lose nothing.
#[expect(clippy::print_stdout, reason = "figures for docs/RELIABILITY.md")]
fn goes_on_through(prefix: &str, break_it: impl Fn(&mut Kafka)) {
    let Some(mut kafka) = Kafka::start() else { return };
    let world = World::new(&kafka.brokers(), prefix);
    let feeder = world.feed().start(RATE);
    let engine = Engine::start(&world.folder, &["--commit-interval", "100ms"]);
    wait_until("rows before the fault", || world.has_output());
    let (before, resident) = (world.committed(), engine.resident_bytes());
    break_it(&mut kafka);
    world.await_rows(before);
    wait_until("rows after the fault", || world.committed() > before + 500);
    let grown = engine.resident_bytes().saturating_sub(resident);
    println!("{prefix}: memory +{} MiB", grown >> 20);
    assert!(grown < GROWTH_BYTES, "memory grew by {grown} bytes");
    let fed = feeder.stop().flush();
    engine.signal("TERM");
    let (code, messages) = engine.end();
    assert_eq!(code, 0, "{messages}");
    world.settle(&fed).is_exact();
}

#[test]
fn a_broker_that_restarts_in_order_changes_no_row() {
    goes_on_through("restarted", |kafka| kafka.command("restart"));
}

#[test]
fn a_broker_that_crashes_changes_no_row() {
    goes_on_through("crashed", |kafka| kafka.command("crash"));
}

#[test]
fn a_broker_that_is_silent_for_ten_seconds_changes_no_row() {
    let seconds = number(SILENCE).unwrap_or(10);
    goes_on_through("silent", |kafka| {
        kafka.command("pause");
        pause(Duration::from_secs(seconds));
        kafka.command("resume");
    });
}

#[test]
fn a_stop_while_the_broker_is_silent_says_what_it_waits_for_and_a_second_one_ends_it() {
    let Some(mut kafka) = Kafka::start() else { return };
    let world = World::new(&kafka.brokers(), "stopped");
    let feeder = world.feed().start(RATE);
    let mut engine = Engine::start(&world.folder, &["--commit-interval", "100ms"]);
    wait_until("rows before the fault", || world.has_output());
    kafka.command("pause");
    engine.signal("TERM");
    engine.await_message("once more ends at once");
    engine.await_message("waits for its commit");
    engine.signal("TERM");
    let (code, messages) = engine.end();
    assert_eq!(code, 143, "{messages}");
    kafka.command("resume");
    world.settle(&feeder.stop().flush()).is_exact();
}

/// Heartbeats come so seldom that the controller takes the only broker for gone three seconds of
/// every five. Its metadata then names no broker at all, at which librdkafka forgets the one it knew.
#[test]
fn a_broker_that_is_taken_for_gone_again_and_again_changes_no_row() {
    goes_on_through("fenced", |kafka| {
        let restart_with = |kafka: &mut Kafka, session: u64, heartbeat: u64| {
            kafka.command(&format!("set broker.session.timeout.ms={session}"));
            kafka.command(&format!("set broker.heartbeat.interval.ms={heartbeat}"));
            kafka.command("restart");
        };
        restart_with(kafka, 2_000, 5_000);
        for _ in 0..4 {
            wait_until("no broker in the metadata", || !names_a_broker(&kafka.brokers()));
            wait_until("the broker in the metadata", || names_a_broker(&kafka.brokers()));
        }
        restart_with(kafka, 9_000, 2_000);
    });
}

/// Whether the cluster's metadata names any broker.
fn names_a_broker(brokers: &str) -> bool {
    let consumer = Consumer::open(&settings(brokers, Cluster::query_settings));
    let metadata = consumer.expect("a consumer can be made").metadata(None, PATIENCE);
    !metadata.expect("the broker answers").brokers.is_empty()
}

#[test]
fn an_output_that_is_slow_stops_the_reading_and_loses_no_row() {
    let Some((proxy, _kafka)) = behind_proxy() else { return };
    let world = World::new(&proxy.address().to_string(), "slow");
    let wide = format!("SELECT REPEAT('x', {WIDE_BYTES}) AS pad, part,");
    world.change("models/copies.yml", "SELECT part,", &wide);
    let whole = "partitions: 3\n      config: {compression.type: uncompressed}";
    world.change("models/copies.yml", "partitions: 3", whole);
    let mut feed = world.feed();
    feed.rows(10);
    feed.flush();
    let engine = Engine::start(&world.folder, &["--commit-interval", "100ms"]);
    wait_until("rows before the fault", || world.committed() == 30);
    let resident = engine.resident_bytes();
    proxy.slow_down(Some(256 << 10));
    feed.rows(WIDE_ROWS);
    let fed = feed.flush();
    let mut most = 0;
    wait_until("slowness for a while", || {
        most = most.max(engine.resident_bytes());
        proxy.held() > Duration::from_secs(8)
    });
    let total = usize::try_from(fed.iter().sum::<u64>()).expect("a small number");
    assert!(world.committed() < total / 2, "it was slow");
    let clock = SystemClock::new();
    proxy.slow_down(None);
    // All of them are counted only once: that is slow itself.
    let all = format!("source=events read={total} ");
    wait_until("all rows", || {
        most = most.max(engine.resident_bytes());
        engine.messages().contains(&all)
    });
    let grown = most.saturating_sub(resident) >> 20;
    println!("{}: all rows after {:.1?}, memory +{grown} MiB", world.prefix, clock.monotonic());
    assert!(grown < WIDE_GROWTH_BYTES >> 20, "memory grew by {grown} MiB");
    engine.signal("TERM");
    let (code, messages) = engine.end();
    assert_eq!(code, 0, "{messages}");
    world.settle(&fed).is_exact();
}

/// A Kafka of which every connection goes through a proxy.
fn behind_proxy() -> Option<(Proxy, Kafka)> {
    let proxy = Proxy::start();
    let advertised = format!("advertised.listeners=PLAINTEXT://{}", proxy.address());
    let kafka = Kafka::start_with(&[], &[&advertised])?;
    proxy.set_target(kafka.brokers().parse().expect("an address"));
    Some((proxy, kafka))
}

/// Lets the ends of transactions be lost until the engine has given up a call.
fn gives_up_a_call(prefix: &str, loss: Loss) {
    let Some((proxy, _kafka)) = behind_proxy() else { return };
    let world = World::new(&proxy.address().to_string(), prefix);
    let feeder = world.feed().start(RATE);
    let mut engine = Engine::start(
        &world.folder,
        &["--commit-interval", "100ms", "--transaction-timeout", "3s"],
    );
    wait_until("rows before the fault", || world.has_output());
    proxy.lose(Some(loss));
    engine.await_message("a call hangs; its handle is given up");
    proxy.lose(None);
    assert!(proxy.lost() > 0);
    let before = world.committed();
    world.await_rows(before);
    wait_until("more rows", || world.committed() > before + 500);
    let fed = feeder.stop().flush();
    engine.signal("TERM");
    let (code, messages) = engine.end();
    assert_eq!(code, 0, "{messages}");
    world.settle(&fed).is_exact();
}

#[test]
fn a_commit_that_never_arrives_is_made_again() {
    gives_up_a_call("unheard", Loss::Requests(END_TRANSACTION));
}

#[test]
fn a_commit_whose_answer_is_lost_is_not_made_again() {
    gives_up_a_call("unanswered", Loss::Replies(END_TRANSACTION));
}

#[test]
fn a_third_call_that_hangs_ends_the_process() {
    let Some((proxy, _kafka)) = behind_proxy() else { return };
    let world = World::new(&proxy.address().to_string(), "hopeless");
    let mut feed = world.feed();
    feed.rows(100);
    feed.flush();
    proxy.lose(Some(Loss::Requests(END_TRANSACTION)));
    let engine = Engine::start(&world.folder, &["--transaction-timeout", "1s"]);
    let (code, messages) = engine.end();
    assert_eq!(code, 1, "{messages}");
    assert_eq!(messages.matches("a call hangs").count(), 3, "{messages}");
    proxy.lose(None);
    world.settle(&feed.flush()).is_exact();
}
