//! `runtime.engine.memory_limit`: too much state ends the run in order, and nothing is lost.

use std::fmt::Write as _;

use crate::command::Folder;
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
