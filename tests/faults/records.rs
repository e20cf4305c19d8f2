//! Records that cannot be used, too many for one key, or more than the sink takes.

use serde_json::Value;

use crate::reader::{Committed, committed_records};
use crate::world::{Engine, PARTITIONS, World, on_each_broker, wait_until};

/// What no source can read, and what each has to do with it.
const POISON: [(&str, &[u8]); 9] = [
    ("no JSON", b"not json"),
    ("half an object", br#"{"part":1,"seq":"#),
    ("no UTF-8", b"{\"part\":0,\"seq\":0,\"k\":\"\xff\",\"at\":\"2026-01-01T00:00:00Z\"}"),
    ("a word for a number", br#"{"part":"x","seq":0,"k":"a","at":"2026-01-01T00:00:00Z"}"#),
    ("a number too large", br#"{"part":1e40,"seq":0,"k":"a","at":"2026-01-01T00:00:00Z"}"#),
    ("no time", br#"{"part":0,"seq":0,"k":"a"}"#),
    ("a time that is none", br#"{"part":0,"seq":0,"k":"a","at":"yesterday"}"#),
    ("two objects", br#"{"part":0}{"part":1}"#),
    ("an empty value", b""),
];

#[test]
fn poison_goes_to_the_dead_letters_and_changes_no_row() {
    on_each_broker(|brokers| {
        let world = World::new(brokers, "poison");
        let mut feed = world.feed();
        for (_, poison) in POISON {
            feed.rows(20);
            feed.raw(1, poison);
        }
        let deep = format!("{{\"k\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
        feed.raw(2, deep.as_bytes());
        let fed = feed.flush();
        world.settle(&fed).is_exact();
        let letters = world.dead_letters();
        assert_eq!(letters.len(), POISON.len() + 1, "bad in = dead letters out");
        for letter in letters {
            assert_eq!(letter.header("engine.topic"), Some("poison.events"), "{letter:?}");
            assert!(letter.header("engine.reason").is_some(), "{letter:?}");
            assert!(letter.header("engine.offset").is_some(), "{letter:?}");
        }
    });
}

#[test]
fn a_row_too_large_for_its_topic_is_a_dead_letter() {
    on_each_broker(|brokers| {
        let world = World::new(brokers, "large");
        world.change(
            "models/copies.yml",
            "partitions: 3",
            "partitions: 3\n      config: {max.message.bytes: 2000}",
        );
        let mut feed = world.feed();
        feed.rows(50);
        let long = "x".repeat(5_000);
        let row = format!(r#"{{"part":0,"seq":7,"k":"{long}","at":"2026-01-01T00:00:00.500Z"}}"#);
        feed.raw(0, row.as_bytes());
        feed.rows(50);
        feed.flush();
        let output = world.folder.engine(&["run", "--once"]);
        assert_eq!(output.code, 0, "{}", output.err);
        assert_eq!(world.committed(), 100 * PARTITIONS, "all but the large one");
        let letters = world.dead_letters();
        let [letter] = letters.as_slice() else { panic!("one letter: {letters:?}") };
        assert_eq!(letter.header("engine.reason"), Some("oversized"), "{letter:?}");
        let value: Value = serde_json::from_str(&letter.value).expect("its row as JSON");
        assert_eq!(value["seq"], 7);
    });
}

/// The sink's topic shrinks after the engine has looked at it: the broker refuses what the engine
/// let pass.
#[test]
fn a_record_that_the_broker_refuses_stops_the_engine_and_names_the_topic() {
    on_each_broker(|brokers| {
        let world = World::new(brokers, "refused");
        let mut feed = world.feed();
        feed.rows(20);
        feed.flush();
        let engine = Engine::start(&world.folder, &["--commit-interval", "50ms"]);
        wait_until("rows", || world.has_output());
        let topic = world.topic("copies");
        let cluster = connectors::Cluster::embedded(brokers.parse().expect("an address"));
        let admin = connectors::admin::Admin::open(&cluster).expect("the broker answers");
        let setting = ("max.message.bytes".to_owned(), "100".to_owned());
        admin.alter(&topic, &[setting].into()).expect("the setting is taken");
        feed.rows(20);
        let fed = feed.flush();
        let (code, messages) = engine.end();
        assert_eq!(code, 1, "{messages}");
        assert!(messages.contains("refused.copies"), "{messages}");
        admin.alter(&topic, &std::collections::BTreeMap::new()).expect("the setting is taken");
        world.settle(&fed).is_exact();
    });
}

/// Nine rows of ten come in one partition.
#[test]
fn skew_is_slower_and_not_wrong() {
    on_each_broker(|brokers| {
        let world = World::new(brokers, "skew");
        let mut feed = world.feed();
        for _ in 0..100 {
            feed.rows(1);
            for _ in 0..27 {
                feed.row(0);
            }
        }
        // The others catch up, so that nothing is late.
        let fed = feed.flush();
        for partition in 1..PARTITIONS {
            for _ in fed[partition]..fed[0] {
                feed.row(partition);
            }
        }
        let fed = feed.flush();
        world.settle(&fed).is_exact();
    });
}

impl World {
    fn dead_letters(&self) -> Vec<Committed> {
        let topic = format!("_engine.{}.default.dead_letters", self.prefix);
        committed_records(&self.brokers, &[&topic]).remove(0)
    }
}
