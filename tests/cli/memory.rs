//! `runtime.engine.memory_limit`: too much state ends the run in order, and nothing is lost. Nor
//! where a control group sets the limit, or enforces one that the engine was not told.

use std::fmt::Write as _;

use crate::command::{Folder, finished};
use crate::memory_group::MemoryGroup;
use crate::runs::project;

/// Keys of an open window.
const KEYS: usize = 40_000;

fn limited(folder: &Folder, limit: &str) {
    let text = format!(
        "project: {{name: limited}}\nruntime:\n  engine: {{memory_limit: {limit}, commit_interval: 20ms}}\n"
    );
    folder.write("stream_project.yml", text);
}

/// Clicks of as many long keys; every tenth is of one key.
fn feed(folder: &Folder) {
    let mut lines = String::new();
    for number in 0..KEYS {
        let key = if number % 10 == 0 { "skewed".to_owned() } else { format!("{number:02000}") };
        let at = "2026-01-01T00:00:01Z";
        writeln!(lines, "{{\"k\":\"{key}\",\"n\":1,\"at\":\"{at}\"}}").expect("a String takes all");
    }
    let output = folder.engine_with(&["topic", "produce", "clicks"], lines.as_bytes());
    assert_eq!(output.code, 0, "{}", output.err);
}

#[test]
fn state_beyond_the_limit_stops_the_run_and_a_larger_limit_finishes_it() {
    let folder = project();
    limited(&folder, "112MiB");
    feed(&folder);
    let stopped = folder.engine(&["run", "--once"]);
    assert_eq!(stopped.code, 1, "{}", stopped.err);
    for part in ["its limit is 112 MiB", "minutes/", "runtime.engine.memory_limit", "committed"] {
        assert!(stopped.err.contains(part), "no `{part}` in {}", stopped.err);
    }
    // The state does not fit while it is built again, either.
    let again = folder.engine(&["run", "--once"]);
    assert_eq!(again.code, 1, "{}", again.err);
    assert!(again.err.contains("its limit is 112 MiB"), "{}", again.err);
    limited(&folder, "2GiB");
    finishes(&folder);
}

/// Runs to the end of input; each click is written once and counted once.
#[track_caller]
fn finishes(folder: &Folder) {
    folder.succeed(&["run", "--once", "--close-windows"]);
    let copies = folder.lines("copies");
    assert_eq!(copies.len(), KEYS);
    assert_eq!(copies.iter().filter(|line| line.contains("skewed")).count(), KEYS / 10);
    let minutes = folder.lines("minutes");
    assert_eq!(minutes.len(), KEYS - KEYS / 10 + 1);
    let skewed = minutes.iter().find(|line| line.contains("skewed")).expect("its row");
    assert!(skewed.contains(&format!("\"clicks\":{}", KEYS / 10)), "{skewed}");
    let is_single = |line: &&String| line.contains("\"clicks\":1,");
    assert_eq!(minutes.iter().filter(is_single).count(), KEYS - KEYS / 10);
}

#[test]
fn a_control_groups_limit_is_kept_before_the_system_enforces_it() {
    // Seventy hundredths are the engine's, where nobody says otherwise; the rest is room for what is
    // under way when they are used up.
    let Some(group) = MemoryGroup::make(256) else { return };
    let folder = project();
    folder.write("stream_project.yml", "project: {name: grouped}\n");
    feed(&folder);
    let run = folder.command(&["run", "--once"]);
    let stopped = finished(&group.around(&run).output().expect("it runs"));
    assert_eq!(stopped.code, 1, "{}", stopped.err);
    for part in ["its limit is 180 MiB", "minutes/", "committed"] {
        assert!(stopped.err.contains(part), "no `{part}` in {}", stopped.err);
    }
    assert_eq!(group.kills(), 0);
    finishes(&folder);
}

#[test]
fn a_process_that_the_system_kills_for_its_memory_loses_nothing() {
    let Some(group) = MemoryGroup::make(160) else { return };
    let folder = project();
    limited(&folder, "2GiB");
    feed(&folder);
    let run = folder.command(&["run", "--once"]);
    let killed = finished(&group.around(&run).output().expect("it runs"));
    assert_eq!((killed.code, group.kills()), (-1, 1), "{}", killed.err);
    finishes(&folder);
}

#[test]
fn a_standby_beyond_its_limit_ends_in_order_and_its_owner_goes_on() {
    let folder = project();
    limited(&folder, "2GiB");
    feed(&folder);
    folder.succeed(&["run", "--once"]);
    let mut owner = folder.start(&["run"]);
    owner.wait_for("embedded broker");
    // It has neither a broker in it nor rows under way: the state alone is more than this.
    limited(&folder, "64MiB");
    let standby = folder.engine(&["run", "--standby"]);
    assert_eq!(standby.code, 1, "{}", standby.err);
    for part in ["its limit is 64 MiB", "minutes/", "runtime.engine.memory_limit"] {
        assert!(standby.err.contains(part), "no `{part}` in {}", standby.err);
    }
    owner.signal("TERM");
    let ended = owner.end();
    assert_eq!(ended.code, 0, "{}", ended.err);
    limited(&folder, "2GiB");
    finishes(&folder);
}
