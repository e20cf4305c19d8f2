//! `engine dlq`: what is counted, shown, and tried again exactly once.

use arrow::temporal_conversions::timestamp_ms_to_datetime;
use serde_json::Value;
use stream::{Clock, SystemClock};

use crate::command::Folder;
use crate::running::Running;
use crate::runs::{click, project, started_broker};

/// The project's root file.
const ROOT: &str = "project: {name: letters}\n";

/// Records of three kinds: two that the project can use once `n` is text, one that it never can,
/// and one that is late in `minutes`.
fn with_letters() -> Folder {
    let folder = project();
    folder.write("stream_project.yml", ROOT);
    click(&folder, &[("a", 1, 0), ("a", 2, 200), ("a", 3, 1)]);
    let bad = b"{\"k\":\"a\",\"n\":\"many\",\"at\":\"2026-01-01T00:03:30Z\"}\n\x1b[2Jno json\n{\"k\":\"b\",\"n\":\"few\",\"at\":\"2026-01-01T00:03:31Z\"}\n";
    let output = folder.engine_with(&["topic", "produce", "clicks", "-k", "k"], bad);
    assert_eq!(output.code, 0, "{}", output.err);
    folder.succeed(&["run", "--once"]);
    folder
}

/// Lets `n` be text.
fn correct(folder: &Folder) {
    for (file, from, to) in [
        ("sources/s.yml", "type: BIGINT", "type: STRING"),
        ("models/m.yml", "SUM(n)", "COUNT(DISTINCT n)"),
    ] {
        let path = folder.path().join(file);
        let text = std::fs::read_to_string(path).expect("the project's file");
        assert!(text.contains(from), "{text}");
        folder.write(file, text.replace(from, to));
    }
}

/// The lines of a command with `--output json`, but for the first.
#[track_caller]
fn json_lines(folder: &Folder, arguments: &[&str]) -> Vec<Value> {
    let text = folder.succeed(&[arguments, &["--output", "json"]].concat());
    let mut lines = text.lines().map(|line| serde_json::from_str(line).expect("a JSON line"));
    let first: Value = lines.next().expect("a first line");
    assert_eq!(first["type"], "version");
    lines.collect()
}

/// `dlq replay`: for each fate how many records.
#[track_caller]
fn fates(folder: &Folder, arguments: &[&str]) -> Vec<(String, u64)> {
    let lines = json_lines(folder, &[&["dlq", "replay"], arguments].concat());
    let settled = lines.iter().filter(|line| line["type"] == "dead_letters");
    let mut fates: Vec<(String, u64)> = settled
        .map(|line| {
            let fate = line["fate"].as_str().expect("a fate").to_owned();
            (fate, line["count"].as_u64().expect("a count"))
        })
        .collect();
    fates.sort();
    fates
}

fn all(fates: &[(&str, u64)]) -> Vec<(String, u64)> {
    fates.iter().map(|(fate, count)| ((*fate).to_owned(), *count)).collect()
}

#[test]
fn letters_are_counted_by_reason_model_and_topic() {
    let folder = with_letters();
    let lines = json_lines(&folder, &["dlq", "ls"]);
    let rows: Vec<(&str, &str, u64)> = lines
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().expect("a text");
            (text("reason"), text("model"), line["count"].as_u64().expect("a count"))
        })
        .collect();
    assert_eq!(rows, [("late", "minutes", 1), ("undecodable", "clicks", 3)]);
    assert!(lines[0]["newest_ms"].as_i64() > Some(0), "{lines:?}");
    assert_eq!(json_lines(&folder, &["dlq", "ls", "--reason", "late"]).len(), 1);
    assert_eq!(json_lines(&folder, &["dlq", "ls", "--model", "clicks"]).len(), 1);
    assert_eq!(json_lines(&folder, &["dlq", "ls", "--since", "1h"]).len(), 2);
    let table = folder.succeed(&["dlq", "ls"]);
    assert!(table.contains("undecodable") && table.contains("replayed"), "{table}");
}

#[test]
fn a_project_without_letters_says_so() {
    let folder = project();
    let output = folder.engine(&["dlq", "ls"]);
    assert_eq!((output.code, output.out.as_str()), (0, ""));
    assert!(output.err.contains("no dead letters in _engine."), "{}", output.err);
    let output = folder.engine(&["dlq", "replay"]);
    assert_eq!(output.code, 1, "{}", output.err);
    assert!(output.err.contains("the project has never run"), "{}", output.err);
}

#[test]
fn a_letter_is_shown_with_its_origin_and_harmless_bytes() {
    let folder = with_letters();
    let text = folder.succeed(&["dlq", "show", "clicks/0@4"]);
    assert!(text.contains("undecodable") && text.contains("from      clicks/0@4"), "{text}");
    assert!(text.contains("\\u{1b}[2Jno json"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    let newest = json_lines(&folder, &["dlq", "show", "-n", "2"]);
    assert_eq!(newest.len(), 2);
    let number = newest[0]["number"].to_string();
    assert_eq!(json_lines(&folder, &["dlq", "show", &number]), newest[..1]);
    let output = folder.engine(&["dlq", "show", "clicks/0@99"]);
    assert_eq!(output.code, 1, "{}", output.err);
    assert!(output.err.contains("dead letter `clicks/0@99` does not exist"), "{}", output.err);
}

#[test]
fn what_cannot_be_used_today_either_is_told_and_left() {
    let folder = with_letters();
    let before = folder.lines("clicks").len();
    assert_eq!(fates(&folder, &[]), all(&[("left", 1), ("refused", 3)]));
    assert_eq!(folder.lines("clicks").len(), before, "nothing is written");
}

#[test]
fn a_record_that_can_be_used_now_counts_exactly_once() {
    let folder = with_letters();
    let before = folder.lines("clicks").len();
    correct(&folder);
    let tried = all(&[("left", 1), ("refused", 1), ("replayed", 2)]);
    assert_eq!(fates(&folder, &["--dry-run"]), tried);
    assert_eq!(folder.lines("clicks").len(), before, "a dry run writes nothing");
    assert_eq!(fates(&folder, &["--reason", "late"]), all(&[("left", 1)]));
    assert_eq!(fates(&folder, &[]), tried);
    let again = all(&[("left", 1), ("left", 2), ("refused", 1)]);
    assert_eq!(fates(&folder, &[]), again, "a second replay finds the marks");
    assert_eq!(folder.lines("clicks").len(), before + 2);
    let replayed = &json_lines(&folder, &["dlq", "ls", "--reason", "undecodable"])[0]["replayed"];
    assert_eq!(*replayed, 2);
    // The plan is another one, so all is read anew: the originals, and not their copies.
    folder.succeed(&["run", "--once", "--fresh"]);
    let copies = folder.lines("copies");
    let count = |text: &str| copies.iter().filter(|line| line.contains(text)).count();
    assert_eq!((count("\"many\""), count("\"few\"")), (1, 1), "{copies:?}");
    // What an earlier generation refused has been read again.
    let late_and_bad = all(&[("left", 1), ("left", 2), ("refused", 1)]);
    assert_eq!(fates(&folder, &[]), late_and_bad);
}

#[test]
fn a_copy_is_read_by_the_generation_that_refused_its_original() {
    let folder = project();
    let source = "sources:\n  - name: clicks\n    topic: clicks\n    event_time: {column: at, max_future: 1h}\n    columns:\n      - name: k\n      - name: n\n        type: BIGINT\n      - name: at\n";
    folder.write("sources/s.yml", source);
    // An hour ahead of the clock when it is read, and no longer when it is tried again.
    let ahead = timestamp_ms_to_datetime(SystemClock::new().now().0 + 3_612_000);
    let ahead = ahead.expect("a time").format("%Y-%m-%dT%H:%M:%SZ");
    let line = format!("{{\"k\":\"a\",\"n\":7,\"at\":\"{ahead}\"}}\n");
    assert_eq!(folder.engine_with(&["topic", "produce", "clicks"], line.as_bytes()).code, 0);
    folder.succeed(&["run", "--once"]);
    assert_eq!(folder.lines("copies").len(), 0, "it lies in the future");
    let mut tries = 0;
    while fates(&folder, &["--reason", "future"]) == all(&[("refused", 1)]) {
        tries += 1;
        assert!(tries < 300, "it stays in the future");
    }
    folder.succeed(&["run", "--once"]);
    assert_eq!(folder.lines("copies").len(), 1, "the copy is read");
    assert_eq!(fates(&folder, &[]), all(&[("left", 1)]));
    folder.succeed(&["run", "--once"]);
    assert_eq!(folder.lines("copies").len(), 1);
    folder.succeed(&["run", "--once", "--fresh"]);
    assert_eq!(folder.lines("copies").len(), 2, "written again, and once: the copy is skipped");
}

#[test]
fn three_replays_at_a_time_copy_a_record_once() {
    let folder = with_letters();
    let before = folder.lines("clicks").len();
    correct(&folder);
    // One broker for both, which neither of them takes along when it ends.
    let (broker, _address) = started_broker(&folder);
    let replays = [(); 3].map(|()| folder.start(&["dlq", "replay"]));
    let ends = replays.map(Running::end);
    assert!(ends.iter().any(|end| end.code == 0), "{ends:?}");
    // Whoever was fenced has committed nothing, and the next one does what it left.
    fates(&folder, &[]);
    assert_eq!(folder.lines("clicks").len(), before + 2, "{ends:?}");
    broker.signal("TERM");
    assert_eq!(broker.end().code, 0);
}

#[test]
fn on_a_kafka_of_the_users_it_asks_first() {
    let folder = with_letters();
    correct(&folder);
    // The same broker, named like any other Kafka.
    let (broker, address) = started_broker(&folder);
    let kafka = format!("runtime:\n  kafka: {{bootstrap_servers: \"{address}\"}}\n");
    folder.write("stream_project.yml", format!("{ROOT}{kafka}"));
    let before = folder.lines("clicks").len();
    let asked = folder.engine(&["dlq", "replay"]);
    assert_eq!(asked.code, 2, "{}", asked.err);
    assert!(asked.err.contains("2 records would be written to kafka"), "{}", asked.err);
    assert_eq!(folder.lines("clicks").len(), before, "nothing is written");
    assert_eq!(fates(&folder, &["--yes"]), all(&[("left", 1), ("refused", 1), ("replayed", 2)]));
    assert_eq!(folder.lines("clicks").len(), before + 2);
    broker.signal("TERM");
    assert_eq!(broker.end().code, 0);
}
