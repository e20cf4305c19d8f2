//! `engine replay`: the state at any epoch, asked with SQL.

use serde_json::Value;

use crate::command::Folder;
use crate::runs::{click, project};
use crate::state::administer;

/// Clicks in windows that are still open, by the state at the end of an epoch.
#[track_caller]
fn clicks_at(folder: &Folder, epoch: u64) -> i64 {
    let sql =
        r#"SELECT COALESCE(SUM(aggregate_0_count), 0) AS clicks FROM "minutes/window".groups"#;
    let epoch = epoch.to_string();
    let text = folder.succeed(&["replay", "--to-epoch", &epoch, "--output", "json", "-c", sql]);
    let row: Value = serde_json::from_str(text.trim()).expect("a JSON line");
    row["clicks"].as_i64().expect("a number")
}

fn newest_epoch(folder: &Folder) -> u64 {
    let text = folder.succeed(&["state", "ls", "--output", "json"]);
    let newest: Value = serde_json::from_str(text.lines().nth(1).expect("one")).expect("JSON");
    newest["epoch"].as_u64().expect("a number")
}

/// Three runs, each with further clicks of one minute; the last epoch of each, and how many clicks
/// there were by then.
fn three_runs(folder: &Folder) -> Vec<(u64, i64)> {
    let mut known = Vec::new();
    let mut count = 0;
    for round in 0..3 {
        let clicks: Vec<_> = (0..=round).map(|second| ("a", 1, second)).collect();
        click(folder, &clicks);
        folder.succeed(&["run", "--once"]);
        count += round + 1;
        known.push((newest_epoch(folder), count));
    }
    known
}

fn forget_snapshots(folder: &Folder) {
    let snapshots = folder.path().join(".engine/state/default/snapshots");
    std::fs::remove_dir_all(snapshots).expect("snapshots are there");
}

#[test]
fn the_state_at_each_epoch_is_that_of_the_clicks_until_then() {
    let folder = project();
    let known = three_runs(&folder);
    for (epoch, clicks) in &known {
        assert_eq!(clicks_at(&folder, *epoch), *clicks, "from its snapshot, epoch {epoch}");
    }
    forget_snapshots(&folder);
    for (epoch, clicks) in &known {
        assert_eq!(clicks_at(&folder, *epoch), *clicks, "from the first entry, epoch {epoch}");
    }
    let last = known[2].0;
    let all: Vec<i64> = (1..=last).map(|epoch| clicks_at(&folder, epoch)).collect();
    assert!(all.is_sorted(), "{all:?}");
    let output = folder.engine(&["replay", "-c", "SELECT * FROM fold.clock"]);
    assert!(output.err.contains(&format!("state of epoch {last}, generation 1")), "{}", output.err);
    // Nothing was written: the next run goes on where the last one ended.
    click(&folder, &[("a", 1, 9)]);
    folder.succeed(&["run", "--once", "--close-windows"]);
    let all = r#"{"k":"a","minute":"2026-01-01T00:00:00","clicks":7,"total":7}"#;
    assert_eq!(folder.lines("minutes"), [all]);
}

#[test]
fn the_tables_are_those_of_a_snapshot() {
    let folder = project();
    let (epoch, _) = three_runs(&folder)[1];
    let table = ["state", "inspect", &epoch.to_string(), "--table", "minutes/window.groups"];
    let kept = folder.succeed(&table);
    forget_snapshots(&folder);
    let sql = r#"SELECT * FROM "minutes/window.groups""#;
    let epoch = epoch.to_string();
    let made = folder.succeed(&["replay", "--to-epoch", &epoch, "--output", "json", "-c", sql]);
    assert_eq!(made, kept);
}

#[test]
fn queries_come_from_arguments_or_standard_input_and_go_to_tables_json_or_csv() {
    let folder = project();
    three_runs(&folder);
    let sql = r#"SELECT key_0 AS k, aggregate_0_count AS clicks FROM "minutes/window".groups"#;
    let table = folder.succeed(&["replay", "-c", sql]);
    assert!(table.contains("clicks") && table.contains("(1 row)"), "{table}");
    assert_eq!(folder.succeed(&["replay", "--output", "csv", "-c", sql]), "k,clicks\na,6\n");
    let input = format!("{}\n;\n\nSELECT 1 AS one;\nSELECT 2 AS two", sql.replace(' ', "\n"));
    let output = folder.engine_with(&["replay", "--output", "json"], input.as_bytes());
    assert_eq!(output.code, 0, "{}", output.err);
    assert_eq!(output.out, "{\"k\":\"a\",\"clicks\":6}\n{\"one\":1}\n{\"two\":2}\n");
    assert!(output.err.contains(r#""minutes/window".groups"#), "tables are listed: {}", output.err);
    let output = folder.engine(&["replay", "--model", "copies"]);
    assert!(!output.err.contains("minutes"), "{}", output.err);
}

#[test]
fn a_query_that_is_more_than_that_is_refused() {
    let folder = project();
    click(&folder, &[("a", 1, 0)]);
    folder.succeed(&["run", "--once"]);
    for sql in [
        "COPY fold.clock TO 'out.csv'",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "SELECT * FROM '/etc/passwd'",
        "SET datafusion.execution.batch_size = 1",
        "SELECT 1; SELECT 2",
    ] {
        let output = folder.engine(&["replay", "-c", sql]);
        assert_eq!((output.code, output.out.as_str()), (2, ""), "{sql}: {}", output.err);
    }
    assert!(!folder.path().join("out.csv").exists());
}

#[test]
fn an_epoch_that_cannot_be_replayed_says_why() {
    let folder = project();
    let never = folder.engine(&["replay"]);
    assert_eq!(never.code, 1, "{}", never.err);
    assert!(never.err.contains("the project has never run"), "{}", never.err);
    let known = three_runs(&folder);
    let ahead = folder.engine(&["replay", "--to-epoch", "999"]);
    assert_eq!(ahead.code, 1, "{}", ahead.err);
    let last = format!("its last one is {}", known[2].0);
    assert!(ahead.err.contains("epoch 999 is not in the journal") && ahead.err.contains(&last));
    let model = folder.path().join("models/m.yml");
    let text = std::fs::read_to_string(&model).expect("the model");
    folder.write("models/m.yml", text.replace("SUM(n)", "MAX(n)"));
    let other = folder.engine(&["replay", "--to-epoch", "2"]);
    assert_eq!(other.code, 1, "{}", other.err);
    assert!(other.err.contains("was written by plan"), "{}", other.err);
    folder.write("models/m.yml", text);
    // The journal forgets its beginning, and so do the snapshots.
    let kept = std::fs::read_to_string(folder.path().join(".engine/project"));
    let journal = format!("_engine.{}.default.journal", kept.expect("it has run").trim());
    administer(&folder, |admin| admin.delete_records(&journal, 0, 4)).expect("they are deleted");
    forget_snapshots(&folder);
    let gone = folder.engine(&["replay", "--to-epoch", &known[2].0.to_string()]);
    assert_eq!(gone.code, 1, "{}", gone.err);
    assert!(gone.err.contains("cannot be replayed"), "{}", gone.err);
}
