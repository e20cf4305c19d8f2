//! The example project, verbatim, on real input gives the rows that Apache Flink gives.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::time::Duration;

use flate2::read::GzDecoder;
use serde_json::Value;

#[path = "support/command.rs"]
mod command;
#[path = "support/kafka.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod kafka;

use command::{Folder, finished};

const TOPICS: [(&str, &str); 4] = [
    ("events_clean", "ecom.events-clean.v1"),
    ("events_enriched", "ecom.events-enriched.v1"),
    ("user_sessions", "ecom.user-sessions.v1"),
    ("product_popularity", "ecom.product-popularity.v1"),
];

/// The example, verbatim; its topics are on the embedded broker.
fn ecommerce() -> Folder {
    let folder = Folder::new();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ecommerce");
    for part in ["sources", "models", "tests", "exposures"] {
        for file in std::fs::read_dir(example.join(part)).expect("the example is there") {
            let file = file.expect("its folders can be read");
            let text = std::fs::read(file.path()).expect("its files can be read");
            folder.write(&format!("{part}/{}", file.file_name().to_string_lossy()), text);
        }
    }
    folder
}

/// The example with its topics on a real Kafka and frequent snapshots; nothing else differs.
fn ecommerce_on(bootstrap_servers: &str, name: &str) -> Folder {
    let folder = ecommerce();
    let root = format!(
        "project:\n  name: {name}\nruntime:\n  kafka:\n    bootstrap_servers: {bootstrap_servers}\n  engine: {{checkpoint_interval: 200ms}}\n"
    );
    folder.write("stream_project.yml", root);
    folder
}

/// The example on the embedded broker with snapshots so often that kills meet all states of them.
fn ecommerce_with_snapshots() -> Folder {
    let folder = ecommerce();
    let root = "project: {name: often}\nruntime:\n  engine: {checkpoint_interval: 50ms}\n";
    folder.write("stream_project.yml", root);
    folder
}

/// Runs a command to a good end, with `input` from a file; its standard output.
#[track_caller]
fn succeed(project: &Folder, arguments: &[&str], input: Option<&Path>) -> String {
    let output = match input {
        None => project.engine(arguments),
        Some(path) => {
            let stdin = std::fs::File::open(path).expect("the input can be read");
            let ended = project.command(arguments).stdin(stdin).output();
            finished(&ended.expect("the binary runs"))
        }
    };
    assert_eq!(output.code, 0, "engine {arguments:?}\n{}\n{}", output.out, output.err);
    output.out
}

/// Row as canonical text, and how often it occurs.
type Rows = BTreeMap<String, i64>;

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/goldens").join(path)
}

fn unzipped(path: &Path) -> Vec<u8> {
    let file =
        std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    GzDecoder::new(file).read_to_end(&mut bytes).expect("the fixture is gzip");
    bytes
}

/// Rounds floats to ten significant digits; `146` and `146.0` stay different.
fn canonical(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            let number = number.as_f64().expect("an f64");
            let rounded: f64 = format!("{number:.9e}").parse().expect("a number");
            Value::from(rounded)
        }
        Value::Array(values) => values.into_iter().map(canonical).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, canonical(value))).collect()
        }
        other => other,
    }
}

fn rows(text: &str) -> Rows {
    let mut rows = Rows::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let value: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        // serde_json's map is ordered by name.
        *rows.entry(canonical(value).to_string()).or_default() += 1;
    }
    rows
}

fn fill(project: &Folder, seed: &str, partitions: &str) {
    let create = |topic: &str, partitions: &str| {
        succeed(project, &["topic", "create", topic, "--partitions", partitions], None);
    };
    create("ecom.clickstream.v1", partitions);
    create("ecom.products.v1", "1");
    let products = unzipped(&fixture(&format!("{seed}/products.jsonl.gz")));
    let produce = [
        "topic",
        "produce",
        "ecom.products.v1",
        "--key",
        "product_id",
        "--timestamp",
        "updated_at",
    ];
    succeed(project, &produce, Some(&project.write("data/products.jsonl", products)));
    let clicks = unzipped(&fixture(&format!("{seed}/clickstream.jsonl.gz")));
    let produce = ["topic", "produce", "ecom.clickstream.v1", "--key", "session_id"];
    succeed(project, &produce, Some(&project.write("data/clickstream.jsonl", clicks)));
}

/// Compares the committed rows of all models with `expected`, in which models may be missing.
fn compare(project: &Folder, expected: &str) {
    for (model, topic) in TOPICS {
        let file = fixture(&format!("{expected}/{model}.jsonl.gz"));
        if !file.exists() {
            continue;
        }
        let expected = rows(&String::from_utf8(unzipped(&file)).expect("UTF-8"));
        let got = rows(&succeed(project, &["topic", "consume", topic, "--until-end"], None));
        let mut wrong = Vec::new();
        for (row, count) in &expected {
            let found = got.get(row).copied().unwrap_or(0);
            if found < *count {
                wrong.push(format!("missing {}: {row}", count - found));
            }
        }
        for (row, count) in &got {
            let wanted = expected.get(row).copied().unwrap_or(0);
            if wanted < *count {
                wrong.push(format!("too many {}: {row}", count - wanted));
            }
        }
        let total: i64 = expected.values().sum();
        let shown = wrong.iter().take(6).cloned().collect::<Vec<_>>().join("\n");
        assert!(wrong.is_empty(), "{model}: {} of {total} rows differ\n{shown}", wrong.len());
    }
}

fn check(project: &Folder, seed: &str, partitions: &str, expected: &str) {
    fill(project, seed, partitions);
    succeed(project, &["run", "--once", "--close-windows"], None);
    compare(project, expected);
}

#[test]
fn rows_equal_flinks_with_one_partition_and_late_rows() {
    check(&ecommerce(), "seed42", "1", "seed42/expected");
}

#[test]
fn rows_equal_flinks_with_a_decimal_price() {
    let project = ecommerce();
    let sources = std::fs::read_to_string(project.path().join("sources/events.yml"));
    let typed = "- name: price\n        type: DECIMAL(10, 2)\n";
    project.write(
        "sources/events.yml",
        sources.expect("it is there").replace("- name: price\n", typed),
    );
    check(&project, "seed42", "1", "seed42/expected_decimal_price");
}

#[test]
fn rows_equal_flinks_with_one_partition() {
    check(&ecommerce(), "seed43_nolate", "1", "seed43_nolate/expected");
}

#[test]
fn rows_equal_flinks_with_six_partitions() {
    check(&ecommerce(), "seed43_nolate", "6", "seed43_nolate/expected");
}

#[test]
fn a_second_run_goes_on_where_the_first_ended() {
    let project = ecommerce();
    fill(&project, "seed43_nolate", "6");
    succeed(&project, &["run", "--once"], None);
    succeed(&project, &["run", "--once", "--close-windows"], None);
    compare(&project, "seed43_nolate/expected");
}

/// Longest life of a process that is killed: some die before they own the project, some after a few
/// commits.
const LIFE_MS: u64 = 900;

/// The same where a snapshot is to be written before some of the kills.
const LIFE_WITH_SNAPSHOTS_MS: u64 = 3_000;

/// Kills the process ten times at random moments, then lets it finish.
#[expect(clippy::print_stdout, reason = "the seed of a failing run is shown by the test's harness")]
fn kill_and_finish(project: &Folder, seed: u64, life_ms: u64) {
    println!("seed {seed}");
    let mut random = seed;
    for round in 0..10 {
        let mut child = project
            .command(&["run", "--commit-interval", "20ms"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let wait = Duration::from_millis(20 + (random >> 33) % life_ms);
        // A channel that nobody writes to is the timer: the process is killed at a random moment.
        let (sender, timer) = channel::<()>();
        assert!(timer.recv_timeout(wait).is_err(), "round {round}");
        drop(sender);
        child.kill().expect("the process can be killed");
        child.wait().expect("the process ends");
    }
    succeed(project, &["run", "--once", "--close-windows"], None);
}

#[test]
fn ten_kills_change_no_row() {
    let project = ecommerce();
    fill(&project, "seed43_nolate", "6");
    kill_and_finish(&project, 43, LIFE_MS);
    compare(&project, "seed43_nolate/expected");
}

#[test]
fn ten_kills_change_no_row_though_rows_are_late() {
    let project = ecommerce();
    fill(&project, "seed42", "1");
    kill_and_finish(&project, 42, LIFE_MS);
    compare(&project, "seed42/expected");
}

#[test]
fn kills_between_snapshots_change_no_row() {
    for (seed, partitions, name, random) in [
        ("seed43_nolate", "6", "seed43_nolate/expected", 45),
        ("seed42", "1", "seed42/expected", 46),
    ] {
        let project = ecommerce_with_snapshots();
        fill(&project, seed, partitions);
        kill_and_finish(&project, random, LIFE_WITH_SNAPSHOTS_MS);
        compare(&project, name);
        let listed = succeed(&project, &["state", "ls", "--output", "json"], None);
        let complete = listed.matches("\"complete\":true").count();
        assert!(complete >= 2, "kills were too early for snapshots\n{listed}");
        // Nothing is left to replay, and nothing is written twice.
        let again = succeed(&project, &["run", "--once", "--output", "json"], None);
        assert!(again.contains("\"replayed_records\":0"), "{again}");
        compare(&project, name);
    }
}

#[test]
fn rows_equal_flinks_on_real_kafka() {
    let Some(brokers) = kafka::shared() else { return };
    let project = ecommerce_on(&brokers, "late");
    check(&project, "seed42", "1", "seed42/expected");
}

#[test]
fn ten_kills_change_no_row_on_real_kafka() {
    let Some(kafka) = kafka::Kafka::start() else { return };
    let project = ecommerce_on(&kafka.brokers(), "killed");
    fill(&project, "seed43_nolate", "6");
    kill_and_finish(&project, 44, LIFE_MS);
    compare(&project, "seed43_nolate/expected");
}
