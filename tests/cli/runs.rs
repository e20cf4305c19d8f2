//! `engine run` on the embedded broker.

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value;

use crate::command::Folder;
use crate::running::Running;

/// A model with windows of a minute.
const PROJECT: [(&str, &str); 2] = [
    (
        "sources/s.yml",
        "sources:\n  - name: clicks\n    topic: clicks\n    columns:\n      - name: k\n      - name: n\n        type: BIGINT\n      - name: at\n",
    ),
    (
        "models/m.yml",
        "models:\n  - name: copies\n    topic: {name: copies, partitions: 3}\n    key: k\n    sql: |\n      SELECT k, n, at FROM {{ source(\"clicks\") }}\n  - name: minutes\n    topic: {name: minutes, partitions: 2}\n    key: k\n    sql: |\n      SELECT k, TUMBLE_START(at, INTERVAL '1' MINUTE) AS minute, COUNT(*) AS clicks, SUM(n) AS total\n      FROM {{ ref(\"copies\") }} GROUP BY k, TUMBLE(at, INTERVAL '1' MINUTE)\n",
    ),
];

pub(crate) fn project() -> Folder {
    let folder = Folder::new();
    for (path, text) in PROJECT {
        folder.write(path, text);
    }
    folder
}

/// Writes clicks, one a (key, number, second).
#[track_caller]
pub(crate) fn click(folder: &Folder, clicks: &[(&str, i64, i64)]) {
    let lines: Vec<String> = clicks
        .iter()
        .map(|(key, number, second)| {
            let (minute, second) = (second / 60, second % 60);
            format!("{{\"k\":\"{key}\",\"n\":{number},\"at\":\"2026-01-01T00:{minute:02}:{second:02}Z\"}}")
        })
        .collect();
    let output =
        folder.engine_with(&["topic", "produce", "clicks", "-k", "k"], lines.join("\n").as_bytes());
    assert_eq!(output.code, 0, "{}", output.err);
}

#[test]
fn once_commits_reports_and_keeps_open_windows_for_the_next_run() {
    let folder = project();
    click(&folder, &[("a", 1, 0), ("b", 2, 10), ("a", 3, 70), ("a", 4, 100)]);
    let out = folder.succeed(&["run", "--once"]);
    assert!(out.contains("model=copies read=4 wrote=4 late=0 dead_lettered=0"), "{out}");
    assert!(out.contains("model=minutes read=4 wrote=2 late=0 dead_lettered=0"), "{out}");
    assert_eq!(folder.lines("copies").len(), 4);
    let first = [
        r#"{"k":"a","minute":"2026-01-01T00:00:00","clicks":1,"total":1}"#,
        r#"{"k":"b","minute":"2026-01-01T00:00:00","clicks":1,"total":2}"#,
    ];
    assert_eq!(folder.lines("minutes"), first);
    click(&folder, &[("a", 5, 110)]);
    let out = folder.succeed(&["run", "--once", "--close-windows"]);
    assert!(out.contains("model=minutes read=1 wrote=1 late=0 dead_lettered=0"), "{out}");
    let mut all = first.to_vec();
    all.push(r#"{"k":"a","minute":"2026-01-01T00:01:00","clicks":3,"total":12}"#);
    all.sort_unstable();
    assert_eq!(folder.lines("minutes"), all);
    let out = folder.succeed(&["run", "--once"]);
    assert!(out.contains("model=minutes read=0 wrote=0 late=0 dead_lettered=0"), "{out}");
    assert_eq!(folder.lines("minutes"), all, "nothing is written twice");
}

#[test]
fn late_and_bad_records_are_counted_and_dead_lettered() {
    let folder = project();
    click(&folder, &[("a", 1, 0), ("a", 2, 200), ("a", 3, 1)]);
    let bad = b"{\"k\":\"a\",\"n\":\"many\",\"at\":\"2026-01-01T00:03:30Z\"}\nnot json\n{\"k\":\"a\",\"n\":1}\n";
    assert_eq!(folder.engine_with(&["topic", "produce", "clicks"], bad).code, 0);
    let out = folder.succeed(&["run", "--once", "--output", "json"]);
    let lines: Vec<Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
    let named = |name: &str| lines.iter().find(|line| line["name"] == name).expect("its line");
    assert_eq!(named("clicks")["read"], 6, "{out}");
    assert_eq!(named("clicks")["dead_lettered"], 3, "{out}");
    assert_eq!(named("minutes")["late"], 1, "{out}");
    let topics = folder.succeed(&["topic", "list"]);
    let dead = topics.lines().find(|line| line.contains("dead_letters")).expect("its topic");
    let dead = dead.split_whitespace().next().expect("its name");
    let values = folder.lines(dead);
    assert_eq!(values.len(), 4, "{values:?}");
    assert!(values.iter().any(|value| value == "not json"), "the bytes as they came: {values:?}");
}

#[test]
fn the_first_signal_finishes_the_epoch_and_fires_no_window() {
    for signal in ["INT", "TERM"] {
        let folder = project();
        click(&folder, &[("a", 1, 0), ("a", 2, 10)]);
        let mut run = folder.start(&["run", "--commit-interval", "50ms"]);
        run.wait_for("embedded broker");
        wait_for_lines(&folder, "copies", 2);
        run.signal(signal);
        let output = run.end();
        assert_eq!(output.code, 0, "{}", output.err);
        assert!(output.out.contains("model=copies read=2 wrote=2"), "{}", output.out);
        assert_eq!(folder.lines("minutes"), Vec::<String>::new());
    }
}

#[test]
fn the_second_signal_ends_at_once() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let folder = project();
        // Connections are taken there and nothing answers, so the first signal has something to wait
        // for.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = silent.local_addr().expect("it is bound");
        folder.write("stream_project.yml", on_kafka(&address.to_string()));
        let mut run = folder.start(&["run"]);
        run.wait_for(&format!("kafka {address}"));
        run.signal(signal);
        run.wait_for("once more ends at once");
        run.signal(signal);
        assert_eq!(run.end().code, code);
    }
}

#[test]
fn a_run_without_its_kafka_says_why_and_tries_again() {
    let folder = project();
    // Nothing listens there.
    let address = {
        let bound = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        bound.local_addr().expect("it is bound").to_string()
    };
    folder.write("stream_project.yml", on_kafka(&address));
    let mut run = folder.start(&["run"]);
    run.wait_for(&format!("kafka {address} does not answer: nothing listens there"));
    run.wait_for("trying again in 500 ms; `engine debug` says what to do");
    run.signal("TERM");
    assert_eq!(run.end().code, 0);
}

fn on_kafka(address: &str) -> String {
    format!("project:\n  name: p\nruntime:\n  kafka:\n    bootstrap_servers: {address}\n")
}

/// Reads a topic again and again until it has so many lines.
pub(crate) fn wait_for_lines(folder: &Folder, topic: &str, count: usize) {
    for _ in 0..200 {
        let output = folder.engine(&["topic", "consume", topic, "--until-end"]);
        if output.out.lines().count() >= count {
            return;
        }
    }
    panic!("`{topic}` did not get {count} lines");
}

#[test]
fn a_killed_run_goes_on_without_losing_or_repeating_a_row() {
    let folder = project();
    for round in 0..3 {
        let second = round * 30;
        click(&folder, &[("a", round, second), ("b", round, second + 1)]);
        let mut run = folder.start(&["run", "--commit-interval", "20ms"]);
        run.wait_for("embedded broker");
        let count = usize::try_from(2 * (round + 1)).expect("small");
        wait_for_lines(&folder, "copies", count);
        run.signal("KILL");
        run.end();
    }
    folder.succeed(&["run", "--once", "--close-windows"]);
    let copies = folder.lines("copies");
    assert_eq!(copies.len(), 6, "{copies:?}");
    let expected = [
        r#"{"k":"a","minute":"2026-01-01T00:00:00","clicks":2,"total":1}"#,
        r#"{"k":"a","minute":"2026-01-01T00:01:00","clicks":1,"total":2}"#,
        r#"{"k":"b","minute":"2026-01-01T00:00:00","clicks":2,"total":1}"#,
        r#"{"k":"b","minute":"2026-01-01T00:01:00","clicks":1,"total":2}"#,
    ];
    assert_eq!(folder.lines("minutes"), expected);
}

#[test]
fn fresh_writes_everything_again() {
    let folder = project();
    click(&folder, &[("a", 1, 0)]);
    folder.succeed(&["run", "--once"]);
    let output = folder.engine(&["run", "--once", "--fresh"]);
    assert_eq!(output.code, 0, "{}", output.err);
    assert!(output.err.contains("written again"), "{}", output.err);
    assert_eq!(folder.lines("copies").len(), 2);
}

#[test]
fn another_owner_of_the_project_is_exit_6() {
    let broker_folder = Folder::new();
    let mut broker = broker_folder.start(&["broker"]);
    let address = broker.line().replace("listening on ", "");
    let root =
        format!("project:\n  name: shared\nruntime:\n  kafka:\n    bootstrap_servers: {address}\n");
    let (first, second) = (project(), project());
    first.write("stream_project.yml", &root);
    second.write("stream_project.yml", &root);
    first.succeed(&["topic", "create", "clicks"]);
    click(&first, &[("a", 1, 0)]);
    let running = first.start(&["run", "--commit-interval", "50ms"]);
    wait_for_lines(&first, "copies", 1);
    let output = second.engine(&["run", "--once"]);
    assert_eq!(output.code, 6, "{}", output.err);
    assert!(output.err.contains("--take-over"), "{}", output.err);
    let taken = second.engine(&["run", "--once", "--take-over"]);
    assert_eq!(taken.code, 0, "{}", taken.err);
    assert_eq!(second.lines("copies").len(), 1);
    drop(running);
    broker.signal("TERM");
    assert_eq!(broker.end().code, 0);
}

#[test]
fn a_missing_source_topic_is_created_here_and_named_on_kafka() {
    let folder = project();
    let output = folder.engine(&["run", "--once"]);
    assert_eq!(output.code, 0, "{}", output.err);
    assert!(output.err.contains("created topic clicks"), "{}", output.err);
    assert!(folder.succeed(&["topic", "describe", "copies"]).contains("3 partitions"));
    let broker_folder = Folder::new();
    let mut broker = broker_folder.start(&["broker"]);
    let address = broker.line().replace("listening on ", "");
    let other = project();
    other.write(
        "stream_project.yml",
        format!("project:\n  name: other\nruntime:\n  kafka:\n    bootstrap_servers: {address}\n"),
    );
    let output = other.engine(&["run", "--once"]);
    assert_eq!(output.code, 1, "{}", output.err);
    assert!(output.err.contains("topic `clicks` does not exist"), "{}", output.err);
    assert!(output.err.contains("engine topic create clicks"), "{}", output.err);
    broker.signal("TERM");
    assert_eq!(broker.end().code, 0);
}

#[test]
fn a_part_of_the_project_needs_a_name() {
    let folder = project();
    let output = folder.engine(&["run", "--once", "--select", "copies"]);
    assert_eq!(output.code, 2);
    assert!(output.err.contains("--instance"), "{}", output.err);
    click(&folder, &[("a", 1, 0)]);
    let out = folder.succeed(&["run", "--once", "--select", "copies", "--instance", "one"]);
    assert!(out.contains("model=copies") && !out.contains("model=minutes"), "{out}");
    let typo = folder.engine(&["run", "--once", "--select", "copiez", "--instance", "one"]);
    assert_eq!(typo.code, 2, "{}", typo.err);
}

#[test]
fn the_demo_shows_rows_of_both_models() {
    let folder = Folder::new();
    let dir = folder.path().join("demo").to_string_lossy().into_owned();
    let out = folder.succeed(&["demo", &dir]);
    let (sessions, products) = out.split_once("product_popularity\n").expect("both titles");
    assert!(sessions.contains("\"session_start\":"), "{out}");
    assert_eq!(products.matches("\"popularity_score\":").count(), 5, "{out}");
}

#[test]
fn a_silent_source_closes_its_windows_where_idle_advance_says_so() {
    let folder = project();
    folder.write(
        "sources/s.yml",
        "sources:\n  - name: clicks\n    topic: clicks\n    event_time: {column: at, idle_advance: 1s}\n    columns:\n      - name: k\n      - name: n\n        type: BIGINT\n      - name: at\n",
    );
    folder.write(
        "stream_project.yml",
        "project: {name: silent}\nruntime:\n  engine: {idle_timeout: 100ms, commit_interval: 50ms}\n",
    );
    // Two seconds before the window's end; nothing comes after.
    click(&folder, &[("a", 1, 63)]);
    click(&folder, &[("a", 2, 58)]);
    let mut run = folder.start(&["run"]);
    run.wait_for("embedded broker");
    wait_for_lines(&folder, "minutes", 1);
    run.signal("TERM");
    let output = run.end();
    assert_eq!(output.code, 0, "{}", output.err);
    let closed = r#"{"k":"a","minute":"2026-01-01T00:00:00","clicks":1,"total":2}"#;
    assert_eq!(folder.lines("minutes"), [closed]);
}

#[test]
fn a_journal_that_vanished_stops_the_start() {
    let folder = project();
    click(&folder, &[("a", 1, 0)]);
    folder.succeed(&["run", "--once"]);
    let topics = folder.succeed(&["topic", "list"]);
    let journal = topics.split_whitespace().find(|name| name.ends_with(".journal"));
    let journal = journal.expect("its topic").to_owned();
    let (_broker, address) = started_broker(&folder);
    let cluster = connectors::Cluster::embedded(address.parse().expect("an address"));
    let admin = connectors::admin::Admin::open(&cluster).expect("the broker answers");
    admin.delete(&journal).expect("the topic can be deleted");
    for hint in ["HINT", "no HINT"] {
        let output = folder.engine(&["run", "--once"]);
        assert_eq!(output.code, 1, "{hint}: {}", output.err);
        assert!(output.err.contains("is gone"), "{hint}: {}", output.err);
        // Without the note, what the consumer group has read still tells.
        std::fs::remove_file(folder.path().join(".engine/state/default/HINT")).unwrap_or_default();
    }
    folder.succeed(&["run", "--once", "--fresh"]);
}

/// Deletes the clicks before an offset, as retention does.
fn forget_clicks_before(address: &str, offset: i64) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", address).create().expect("a client");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("clicks", 0, Offset::Offset(offset)).expect("an offset");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(admin.delete_records(&list, &AdminOptions::new())).expect("they are deleted");
}

#[test]
fn what_retention_took_before_it_was_read_is_counted_where_its_source_goes_on() {
    let folder = project();
    let source = PROJECT[0].1.replace("topic: clicks\n", "topic: clicks\n    on_gap: earliest\n");
    folder.write(PROJECT[0].0, source);
    let (_broker, address) = started_broker(&folder);
    click(&folder, &[("a", 1, 0), ("a", 2, 1)]);
    let out = folder.succeed(&["run", "--once"]);
    assert!(!out.contains("passed_over"), "{out}");
    click(&folder, &[("a", 3, 2), ("a", 4, 3), ("a", 5, 4)]);
    forget_clicks_before(&address, 4);
    let output = folder.engine(&["run", "--once"]);
    assert_eq!(output.code, 0, "{}", output.err);
    assert!(output.out.contains("source=clicks read=1 passed_over=2 "), "{}", output.out);
    assert!(
        output.err.contains("clicks: 2 offsets were gone before they were read"),
        "{}",
        output.err
    );
    click(&folder, &[("a", 6, 5), ("a", 7, 6)]);
    forget_clicks_before(&address, 6);
    let out = folder.succeed(&["run", "--once", "--output", "json"]);
    let values = out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let sources: Vec<Value> = values.filter(|value| value["type"] == "source").collect();
    assert_eq!(sources.len(), 1, "{out}");
    assert_eq!((&sources[0]["read"], &sources[0]["passed_over"]), (&1.into(), &1.into()), "{out}");
    assert_eq!(folder.lines("copies").len(), 4);
}

#[test]
fn input_that_a_replay_needs_and_that_is_gone_stops_the_start() {
    let folder = project();
    click(&folder, &[("a", 1, 0), ("a", 2, 1), ("a", 3, 2)]);
    folder.succeed(&["run", "--once"]);
    let (_broker, address) = started_broker(&folder);
    forget_clicks_before(&address, 2);
    folder.succeed(&["run", "--once"]);
    // Without a snapshot everything must be read again.
    std::fs::remove_dir_all(folder.path().join(".engine/state/default/snapshots"))
        .expect("the run has written snapshots");
    let output = folder.engine(&["run", "--once"]);
    assert_eq!(output.code, 1, "{}", output.err);
    assert!(output.err.contains("`clicks` partition 0 is kept from offset 2 on"), "{}", output.err);
    assert_eq!(folder.lines("copies").len(), 3, "nothing is written");
}

/// `engine broker` on a project, and where it listens.
pub(crate) fn started_broker(folder: &Folder) -> (Running, String) {
    let mut broker = folder.start(&["broker"]);
    let line = broker.line();
    let address = line.strip_prefix("listening on ").expect("its address").to_owned();
    (broker, address)
}

#[test]
fn a_csv_source_is_read_with_its_delimiter() {
    let folder = Folder::new();
    folder.write(
        "sources/s.yml",
        "sources:\n  - name: s\n    topic: s\n    format: {type: csv, delimiter: ';'}\n    columns: [{name: k}, {name: n, type: INT}]\n",
    );
    folder.write(
        "models/m.yml",
        "models:\n  - name: m\n    topic: {name: m}\n    sql: SELECT n + 1 AS n, k FROM {{ source(\"s\") }}\n",
    );
    assert_eq!(folder.engine_with(&["topic", "produce", "s"], b"a,b;1\n\"c;d\";2\n").code, 0);
    folder.succeed(&["run", "--once"]);
    assert_eq!(folder.lines("m"), [r#"{"n":2,"k":"a,b"}"#, r#"{"n":3,"k":"c;d"}"#]);
}

#[test]
fn a_format_that_cannot_be_read_is_refused_where_it_is_declared() {
    let folder = project();
    folder.write(
        "sources/s.yml",
        "sources:\n  - name: clicks\n    topic: clicks\n    format: avro\n    columns: [{name: k}, {name: n, type: BIGINT}, {name: at}]\n",
    );
    let output = folder.engine(&["check", "--diagnostics", "short"]);
    assert_eq!(output.code, 2, "{}", output.err);
    assert!(output.err.contains("sources/s.yml:4:13: error[E0401]: format avro"), "{}", output.err);
}
