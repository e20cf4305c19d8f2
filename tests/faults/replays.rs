//! `engine dlq replay` that is killed again and again copies each record once.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::reader::committed_values;
use crate::world::{World, on_each_broker, pause};

/// Records that the source refuses at first: several transactions' worth.
const BAD: u64 = 2_500;

/// How long a replay lives until it is killed: before, between and after its transactions.
const LIVES_MS: [u64; 6] = [150, 300, 450, 600, 900, 1_300];

#[test]
fn a_replay_that_is_killed_again_and_again_copies_each_record_once() {
    on_each_broker(|brokers| {
        let world = World::new(brokers, "replays");
        let mut feed = world.feed();
        feed.rows(20);
        for number in 0..BAD {
            let at = "2026-01-01T00:00:00.190Z";
            let row = format!(r#"{{"part":"bad","seq":{number},"k":"k","at":"{at}"}}"#);
            feed.raw(1, row.as_bytes());
        }
        feed.flush();
        assert_eq!(world.folder.engine(&["run", "--once"]).code, 0);
        assert_eq!(world.committed(), 60, "the bad ones are dead letters");
        world.change(
            "sources/events.yml",
            "part\n        type: BIGINT",
            "part\n        type: STRING",
        );
        world.change("models/copies.yml", "seq * 2 + part AS proof", "seq * 2 AS proof");
        for life in LIVES_MS {
            let mut replay = world
                .folder
                .command(&["dlq", "replay", "--yes"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("the binary runs");
            pause(Duration::from_millis(life));
            replay.kill().expect("it can be killed, or has ended");
            replay.wait().expect("it ends");
        }
        for _ in 0..2 {
            let replay = world.folder.engine(&["dlq", "replay", "--yes"]);
            assert_eq!(replay.code, 0, "{}", replay.err);
        }
        let events = committed_values(brokers, &[&world.topic("events")]).remove(0);
        each_is_there(&events, 2, "original and copy");
        // The next generation reads the originals, and skips the copies.
        assert_eq!(world.folder.engine(&["run", "--once", "--fresh"]).code, 0);
        let copies = committed_values(brokers, &[&world.topic("copies")]).remove(0);
        each_is_there(&copies, 1, "a row");
    });
}

/// Each bad record is there so many times.
#[track_caller]
fn each_is_there(values: &[String], times: u64, what: &str) {
    let mut found: BTreeMap<u64, u64> = BTreeMap::new();
    for value in values.iter().filter(|value| value.contains("\"bad\"")) {
        let row: Value = serde_json::from_str(value).expect("a row as JSON");
        *found.entry(row["seq"].as_u64().expect("a number")).or_default() += 1;
    }
    let others: Vec<_> = found.iter().filter(|(_, count)| **count != times).take(5).collect();
    assert!(others.is_empty(), "{what}: {others:?}");
    assert_eq!(found.len() as u64, BAD, "{what}");
}
