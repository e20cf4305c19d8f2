//! Snapshots: what a start continues from, and `engine state`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use connectors::admin::Admin;
use serde_json::Value;

use crate::command::{Folder, finished};
use crate::folder_copy::copy;
use crate::running::Running;
use crate::runs::{click, project, started_broker, wait_for_lines};
use crate::s3::S3;

/// A project that takes snapshots as often as it can.
fn eager() -> Folder {
    let folder = project();
    folder.write(
        "stream_project.yml",
        "project: {name: eager}\nruntime:\n  engine: {checkpoint_interval: 1ms, commit_interval: 20ms}\n",
    );
    folder
}

/// `engine state ls`, one value a snapshot, the newest first.
#[track_caller]
fn snapshots(folder: &Folder) -> Vec<Value> {
    let text = folder.succeed(&["state", "ls", "--output", "json"]);
    let lines = text.lines().skip(1);
    lines.map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

/// Waits until a snapshot that is newer than `epoch` is complete; its epoch.
fn wait_for_snapshot(folder: &Folder, epoch: u64) -> u64 {
    for _ in 0..400 {
        let newest = snapshots(folder).iter().find(|one| one["complete"] == true).cloned();
        let newest = newest.and_then(|one| one["epoch"].as_u64()).unwrap_or(0);
        if newest > epoch {
            return newest;
        }
    }
    panic!("no snapshot after epoch {epoch}");
}

/// `run --once`; what its JSON summary says of the whole run, and what it told.
#[track_caller]
fn once(folder: &Folder) -> (Value, String) {
    let output = folder.engine(&["run", "--once", "--output", "json"]);
    assert_eq!(output.code, 0, "{}", output.err);
    let last = output.out.lines().last().expect("a summary");
    (serde_json::from_str(last).expect("a JSON line"), output.err)
}

/// The folder of the newest snapshot.
fn newest_folder(folder: &Folder) -> PathBuf {
    let newest = snapshots(folder)[0]["id"].as_str().expect("an id").to_owned();
    state_folder(folder).join("snapshots").join(newest)
}

fn state_folder(folder: &Folder) -> PathBuf {
    folder.path().join(".engine/state/default")
}

/// Flips one bit of a file.
fn damage(path: &Path) {
    let mut bytes = fs::read(path).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).expect("the file can be changed");
}

#[test]
fn a_run_that_ended_well_leaves_nothing_to_replay() {
    let folder = project();
    click(&folder, &[("a", 1, 0), ("b", 2, 10), ("a", 3, 70)]);
    let (report, err) = once(&folder);
    assert_eq!(report["snapshots"]["written"], 1, "{report}");
    assert!(err.contains("snapshot of epoch"), "{err}");
    let listed = snapshots(&folder);
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["complete"], &listed[0]["generation"]), (&true.into(), &1.into()));
    click(&folder, &[("a", 4, 80)]);
    let (report, _) = once(&folder);
    assert_eq!(report["replayed_records"], 0, "{report}");
    folder.succeed(&["run", "--once", "--close-windows"]);
    assert_eq!(
        folder.lines("minutes"),
        [
            r#"{"k":"a","minute":"2026-01-01T00:00:00","clicks":1,"total":1}"#,
            r#"{"k":"a","minute":"2026-01-01T00:01:00","clicks":2,"total":7}"#,
            r#"{"k":"b","minute":"2026-01-01T00:00:00","clicks":1,"total":2}"#,
        ]
    );
    assert_eq!(folder.lines("copies").len(), 4, "nothing is written twice");
}

#[test]
fn a_killed_run_replays_what_came_after_its_newest_snapshot() {
    let folder = eager();
    let many: Vec<(&str, i64, i64)> = (0..50).map(|number| ("a", 1, number / 10)).collect();
    click(&folder, &many);
    let mut run = folder.start(&["run"]);
    run.wait_for("embedded broker");
    wait_for_lines(&folder, "copies", 50);
    wait_for_snapshot(&folder, 0);
    click(&folder, &[("a", 1, 6), ("a", 1, 7), ("a", 1, 8)]);
    wait_for_lines(&folder, "copies", 53);
    run.signal("KILL");
    run.end();
    let before = snapshots(&folder).len();
    let (report, _) = once(&folder);
    assert!(report["replayed_records"].as_u64() <= Some(3), "{report}");
    assert!(before >= 1 && snapshots(&folder).len() <= 4, "old ones are removed");
    folder.succeed(&["run", "--once", "--close-windows"]);
    let all = r#"{"k":"a","minute":"2026-01-01T00:00:00","clicks":53,"total":53}"#;
    assert_eq!(folder.lines("minutes"), [all]);
    assert_eq!(folder.lines("copies").len(), 53);
}

#[test]
fn a_damaged_snapshot_is_told_and_an_older_one_with_a_longer_replay_gives_the_same() {
    let folder = project();
    click(&folder, &[("a", 1, 0)]);
    once(&folder);
    click(&folder, &[("a", 2, 1), ("a", 3, 2)]);
    once(&folder);
    let damaged = newest_folder(&folder);
    damage(&damaged.join("0004.arrow"));
    click(&folder, &[("a", 4, 3)]);
    let (report, err) = once(&folder);
    assert_eq!(report["replayed_records"], 2, "{report}");
    let id = damaged.file_name().expect("an id").to_string_lossy().into_owned();
    assert!(err.contains(&id) && err.contains("0004.arrow"), "{err}");
    // Without any snapshot that can be used everything is replayed, for the journal is whole.
    for one in snapshots(&folder) {
        let id = one["id"].as_str().expect("an id");
        damage(&state_folder(&folder).join("snapshots").join(id).join("manifest.jsonl"));
    }
    let listed = folder.succeed(&["state", "ls"]);
    assert!(listed.contains("cannot be used"), "{listed}");
    let (report, err) = once(&folder);
    assert_eq!(report["replayed_records"], 4, "{report}");
    assert_eq!(err.matches("cannot be used").count(), 3, "{err}");
    folder.succeed(&["run", "--once", "--close-windows"]);
    let all = r#"{"k":"a","minute":"2026-01-01T00:00:00","clicks":4,"total":10}"#;
    assert_eq!(folder.lines("minutes"), [all]);
    assert_eq!(folder.lines("copies").len(), 4);
}

#[test]
fn the_three_newest_and_the_pinned_stay() {
    let folder = project();
    click(&folder, &[("a", 1, 0)]);
    once(&folder);
    let first = folder.succeed(&["state", "snapshot", "--name", "first"]);
    for _ in 0..4 {
        once(&folder);
    }
    let listed = snapshots(&folder);
    assert_eq!(listed.len(), 4, "{listed:?}");
    assert_eq!(listed[3]["id"], first.trim());
    assert_eq!(listed[3]["pin"], "first");
    folder.succeed(&["state", "pin", "first", "--remove"]);
    once(&folder);
    assert_eq!(snapshots(&folder).len(), 3);
}

#[test]
fn a_running_engine_takes_a_snapshot_when_it_is_asked_to() {
    let folder = project();
    click(&folder, &[("a", 1, 0)]);
    let mut run = folder.start(&["run", "--commit-interval", "50ms"]);
    run.wait_for("embedded broker");
    wait_for_lines(&folder, "copies", 1);
    let id = folder.succeed(&["state", "snapshot", "--name", "now"]);
    let pinned = snapshots(&folder).into_iter().find(|one| one["pin"] == "now");
    let pinned = pinned.expect("it is there while the engine runs");
    assert_eq!(pinned["id"], id.trim());
    run.signal("TERM");
    assert_eq!(run.end().code, 0);
    assert_eq!(snapshots(&folder).len(), 2, "the last one, too");
}

#[test]
fn what_is_in_a_snapshot_can_be_seen() {
    let folder = project();
    click(&folder, &[("a", 1, 0), ("b", 5, 10)]);
    once(&folder);
    let text = folder.succeed(&["state", "inspect"]);
    for part in ["minutes/", ".groups", "window_start Int64", "clicks", "2026-01-01T00:00:05.000Z"]
    {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let json = folder.succeed(&["state", "inspect", "--output", "json"]);
    let manifest: Value = serde_json::from_str(json.lines().last().expect("a line")).expect("JSON");
    assert_eq!(manifest["readers"][0]["partitions"][0]["position"], 2, "{manifest}");
    let tables = manifest["tables"].as_array().expect("a list");
    let groups = tables.iter().filter_map(|table| table["table"].as_str());
    let groups = groups.filter(|name| name.ends_with(".groups")).collect::<Vec<_>>();
    let rows = folder.succeed(&["state", "inspect", "--table", groups[0]]);
    assert_eq!(rows.lines().count(), 2, "{rows}");
    assert!(rows.contains(r#""key_0":"a""#), "{rows}");
    let one = folder.succeed(&["state", "inspect", "--table", groups[0], "-n", "1"]);
    assert_eq!(one.lines().count(), 1, "{one}");
    let missing = folder.engine(&["state", "inspect", "--table", "nothing.groups"]);
    assert_eq!(missing.code, 1, "{}", missing.err);
    let missing = folder.engine(&["state", "inspect", "999999"]);
    assert!(missing.err.contains("`999999` does not exist"), "{}", missing.err);
}

/// Does something with the topics of a project that does not run.
pub(crate) fn administer<T>(folder: &Folder, act: impl FnOnce(&Admin) -> T) -> T {
    let (broker, address) = started_broker(folder);
    let cluster = connectors::Cluster::embedded(address.parse().expect("an address"));
    let admin = Admin::open(&cluster).expect("the broker answers");
    let done = act(&admin);
    drop(admin);
    broker.signal("TERM");
    assert_eq!(broker.end().code, 0);
    done
}

/// Where the journal's topic begins.
fn journal_start(folder: &Folder) -> i64 {
    administer(folder, |admin| {
        let topics = admin.topics().expect("the broker answers");
        let journal = topics.iter().find(|topic| topic.name.ends_with(".journal"));
        admin.bounds(journal.expect("its topic")).expect("the broker answers")[0].0
    })
}

/// Deletes the first records of the clicks.
fn forget_clicks(folder: &Folder, before: i64) {
    administer(folder, |admin| admin.delete_records("clicks", 0, before))
        .expect("they are deleted");
}

#[test]
fn the_journal_is_trimmed_once_the_input_could_no_longer_be_replayed() {
    let folder = project();
    for number in 0..4 {
        click(&folder, &[("a", number, number)]);
        once(&folder);
    }
    assert_eq!(journal_start(&folder), 0, "the journal alone could bring the state back");
    forget_clicks(&folder, 2);
    once(&folder);
    assert!(journal_start(&folder) > 0, "what is left of it could not");
    let archive = folder.path().join("archive").to_string_lossy().into_owned();
    folder.succeed(&["state", "export", &archive]);
    let snapshots = state_folder(&folder).join("snapshots");
    fs::remove_dir_all(&snapshots).expect("the snapshots can be lost");
    let output = folder.engine(&["run", "--once"]);
    assert_eq!(output.code, 1, "{}", output.err);
    assert!(output.err.contains("engine state restore"), "{}", output.err);
    folder.succeed(&["state", "restore", &archive]);
    let (report, _) = once(&folder);
    assert_eq!(report["replayed_records"], 0, "{report}");
    folder.succeed(&["run", "--once", "--close-windows"]);
    let all = r#"{"k":"a","minute":"2026-01-01T00:00:00","clicks":4,"total":6}"#;
    assert_eq!(folder.lines("minutes"), [all]);
}

#[test]
fn a_store_that_fails_stops_no_commit() {
    let folder = eager();
    let snapshots = state_folder(&folder).join("snapshots");
    fs::create_dir_all(state_folder(&folder)).expect("a folder");
    fs::write(&snapshots, "in the way").expect("a file");
    click(&folder, &[("a", 1, 0)]);
    let mut run = folder.start(&["run"]);
    run.wait_for("no snapshot can be written");
    click(&folder, &[("a", 2, 1)]);
    wait_for_lines(&folder, "copies", 2);
    fs::remove_file(&snapshots).expect("a file");
    click(&folder, &[("a", 3, 2)]);
    run.wait_for("snapshots can be written again");
    run.signal("TERM");
    let output = run.end();
    assert_eq!(output.code, 0, "{}", output.err);
    assert_eq!(once(&folder).0["replayed_records"], 0);
    assert_eq!(folder.lines("copies").len(), 3);
}

#[test]
fn another_plan_does_not_take_over_the_state() {
    let folder = project();
    click(&folder, &[("a", 1, 0)]);
    once(&folder);
    let path = folder.path().join("models/m.yml");
    let text = fs::read_to_string(&path).expect("a model").replace("SUM(n)", "MAX(n)");
    folder.write("models/m.yml", text);
    let output = folder.engine(&["run", "--once"]);
    assert_eq!(output.code, 1, "{}", output.err);
    assert!(output.err.contains("the project has changed"), "{}", output.err);
    folder.succeed(&["run", "--once", "--fresh"]);
    assert_eq!(folder.lines("copies").len(), 2);
    let (report, _) = once(&folder);
    assert_eq!(report["replayed_records"], 0, "the new generation has a snapshot: {report}");
}

#[test]
fn an_input_that_was_created_anew_is_not_taken_for_the_old_one() {
    let folder = project();
    click(&folder, &[("a", 1, 0), ("a", 2, 1)]);
    once(&folder);
    administer(&folder, |admin| admin.delete("clicks")).expect("it is deleted");
    let output = folder.engine(&["run", "--once"]);
    assert_eq!(output.code, 1, "{}", output.err);
    let told = "topic `clicks` was deleted and created anew";
    assert!(output.err.contains(told), "{}", output.err);
}

#[test]
fn a_copy_of_the_cluster_is_not_taken_for_the_first_one() {
    let folder = project();
    click(&folder, &[("a", 1, 0)]);
    once(&folder);
    let path = folder.path().join(".engine/broker/cluster.json");
    let text = fs::read_to_string(&path).expect("the broker's id");
    let mut value: Value = serde_json::from_str(&text).expect("JSON");
    value["cluster_id"] = "AnotherClusterOfThisName".into();
    fs::write(&path, value.to_string()).expect("a file");
    let output = folder.engine(&["run", "--once"]);
    assert_eq!(output.code, 1, "{}", output.err);
    assert!(output.err.contains("AnotherClusterOfThisName"), "{}", output.err);
}

#[test]
fn an_input_that_forgets_too_soon_is_told_at_the_start() {
    let folder = project();
    folder.succeed(&["topic", "create", "clicks", "--config", "retention.ms=100000"]);
    click(&folder, &[("a", 1, 0)]);
    let (_, err) = once(&folder);
    assert!(err.contains("topic clicks deletes after retention.ms=100000"), "{err}");
}

#[test]
fn snapshots_may_lie_elsewhere() {
    let folder = project();
    folder.write(
        "stream_project.yml",
        "project: {name: moved}\nruntime:\n  engine: {state_dir: kept/state}\n",
    );
    click(&folder, &[("a", 1, 0)]);
    let (_, err) = once(&folder);
    assert!(err.contains("kept/state/moved/default"), "{err}");
    assert!(folder.path().join("kept/state/moved/default/snapshots").is_dir());
    assert!(!state_folder(&folder).join("snapshots").exists());
    let output = folder.engine(&["state", "ls"]);
    assert_eq!(output.out.lines().count(), 2, "{}", output.out);
    folder.write(
        "stream_project.yml",
        "project: {name: moved}\nruntime:\n  engine: {state_dir: \"pigeon://nowhere\"}\n",
    );
    let output = folder.engine(&["run", "--once"]);
    assert_eq!(output.code, 1, "{}", output.err);
    assert!(output.err.contains("state_dir"), "{}", output.err);
}

/// A project whose snapshots lie in S3.
fn remote(settings: &str) -> Folder {
    let folder = project();
    let root = format!(
        "project: {{name: remote}}\nruntime:\n  engine: {{state_dir: \"s3://bucket/state\"{settings}}}\n"
    );
    folder.write("stream_project.yml", root);
    folder
}

#[test]
fn snapshots_may_lie_in_s3() {
    let Some(s3) = S3::start() else { return };
    let folder = remote("");
    for number in 0..5 {
        click(&folder, &[("a", number, number)]);
        let out = s3.succeed(&folder, &["run", "--once", "--output", "json"]);
        assert!(out.contains("\"replayed_records\":0"), "{out}");
    }
    let listed = s3.succeed(&folder, &["state", "ls"]);
    assert_eq!(listed.lines().count(), 4, "a title and the three newest\n{listed}");
    let kept = s3.bucket().join("state/remote/default/snapshots");
    let folders = fs::read_dir(&kept).expect("they lie in the bucket").flatten();
    // The server keeps the folders of files that were removed.
    let whole = folders.filter(|entry| entry.path().join("manifest.jsonl").is_file());
    assert_eq!(whole.count(), 3);
    let archive = folder.path().join("archive").to_string_lossy().into_owned();
    s3.succeed(&folder, &["state", "export", &archive]);
    s3.succeed(&folder, &["state", "restore", &archive]);
    let newest = listed.lines().nth(1).and_then(|line| line.split_whitespace().next());
    let newest = newest.expect("an id");
    damage(&kept.join(newest).join("0000.arrow"));
    let output = s3.engine(&folder, &["run", "--once", "--output", "json"], "hush");
    assert!(output.err.contains(newest) && output.err.contains("cannot be used"), "{}", output.err);
    assert!(output.out.contains("\"replayed_records\":1"), "{}", output.out);
    s3.succeed(&folder, &["run", "--once", "--close-windows"]);
    let all = r#"{"k":"a","minute":"2026-01-01T00:00:00","clicks":5,"total":10}"#;
    assert_eq!(folder.lines("minutes"), [all]);
    let refused = s3.engine(&folder, &["state", "ls"], "wrong");
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(!refused.err.contains("wrong"), "no secret is told\n{}", refused.err);
}

#[test]
fn a_store_that_does_not_answer_stops_no_commit() {
    let Some(s3) = S3::start() else { return };
    let folder = remote(", checkpoint_interval: 1ms, commit_interval: 20ms");
    click(&folder, &[("a", 1, 0)]);
    let mut run = Running::start(s3.command(&folder, &["run"], "hush"));
    run.wait_for("embedded broker");
    wait_for_lines(&folder, "copies", 1);
    s3.signal("STOP");
    for number in 2..5 {
        click(&folder, &[("a", number, number)]);
        wait_for_lines(&folder, "copies", usize::try_from(number).expect("small"));
    }
    s3.signal("CONT");
    leaves_nothing_to_replay(&s3, &folder, run);
    assert_eq!(folder.lines("copies").len(), 4);
}

#[test]
fn a_store_that_is_slow_stops_no_commit_and_gets_fewer_snapshots() {
    let Some(s3) = S3::start_slow(500) else { return };
    let folder = remote(", checkpoint_interval: 1ms, commit_interval: 20ms");
    click(&folder, &[("a", 1, 0)]);
    let mut run = Running::start(s3.command(&folder, &["run", "--output", "json"], "hush"));
    run.wait_for("embedded broker");
    for number in 2..12 {
        wait_for_lines(&folder, "copies", usize::try_from(number - 1).expect("small"));
        click(&folder, &[("a", number, number)]);
    }
    wait_for_lines(&folder, "copies", 11);
    leaves_nothing_to_replay(&s3, &folder, run);
    assert_eq!(folder.lines("copies").len(), 11);
    let snapshots = s3.succeed(&folder, &["state", "ls", "--output", "json"]);
    let epochs: Vec<u64> = snapshots.lines().skip(1).filter_map(epoch_of).collect();
    assert!(epochs.windows(2).any(|two| two[0] > two[1] + 1), "one an epoch\n{snapshots}");
}

/// Stops a run in order: its last snapshot is waited for.
#[track_caller]
fn leaves_nothing_to_replay(s3: &S3, folder: &Folder, run: Running) {
    run.signal("TERM");
    let output = run.end();
    assert_eq!(output.code, 0, "{}", output.err);
    let again = s3.succeed(folder, &["run", "--once", "--output", "json"]);
    assert!(again.contains("\"replayed_records\":0"), "{again}");
}

fn epoch_of(line: &str) -> Option<u64> {
    serde_json::from_str::<Value>(line).ok()?["epoch"].as_u64()
}

/// A broker that forgets commits takes the journal's entries along. Their snapshots must not be
/// taken for those of the epochs that get their numbers.
#[test]
fn a_snapshot_of_epochs_that_the_broker_has_lost_is_never_used() {
    let folder = project();
    click(&folder, &[("a", 1, 1)]);
    folder.succeed(&["run", "--once"]);
    let broker = folder.path().join(".engine/broker");
    let kept = folder.path().join("kept");
    copy(&broker, &kept);
    click(&folder, &[("b", 2, 2)]);
    folder.succeed(&["run", "--once"]);
    let lost = snapshots(&folder)[0]["epoch"].as_u64().expect("an epoch");
    fs::remove_dir_all(&broker).expect("it can be removed");
    copy(&kept, &broker);
    click(&folder, &[("c", 3, 3)]);
    // Each leaves an epoch and no snapshot: the numbers that were lost are taken again.
    for start in 0..lost {
        let mut run = folder.command(&["run", "--once"]);
        run.env("ENGINE_FAILPOINT", "snapshot.freeze.before=abort");
        let ended = finished(&run.stdin(Stdio::null()).output().expect("the binary runs"));
        assert_eq!(ended.code, -1, "{}", ended.err);
        let is_told = ended.err.contains("the journal ends before this snapshot");
        assert_eq!(is_told, start == 0, "{}", ended.err);
    }
    folder.succeed(&["run", "--once", "--close-windows"]);
    let minutes = folder.lines("minutes");
    let keys = ["a", "b", "c"]
        .map(|key| minutes.iter().any(|line| line.contains(&format!("\"k\":\"{key}\""))));
    assert_eq!(keys, [true, false, true], "{minutes:?}");
    assert_eq!(folder.lines("copies").len(), 2);
}
