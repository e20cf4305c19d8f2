//! A failure at each step of a commit, a snapshot, a restore and of retention changes no row of the
//! example.
//!
//! Every point of `stream::failpoint` times panic, abort and error: the process fails there, a second
//! one finishes, and the outputs are those of a run that nothing disturbed.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::OnceLock;

use connectors::Cluster;
use connectors::admin::Admin;
use state::{Listed, Location, Snapshots};
use stream::failpoint::POINTS;

use crate::command::{Folder, Output, finished};
use crate::example::{
    FINISH, Template, difference, open_broker, prepared, produce_clicks, rows, with_products,
};
use crate::folder_copy::copy;

/// The example's state folder.
const STATE: &str = ".engine/state/default";

/// So many cases of a test run at a time.
const AT_ONCE: usize = 4;

#[test]
fn a_panic_at_each_point_changes_no_row() {
    check_all(&commit_points(), prepared(), "panic@2");
}

#[test]
fn an_abort_at_each_point_changes_no_row() {
    check_all(&commit_points(), prepared(), "abort@2");
}

#[test]
fn an_abort_at_each_point_of_the_first_epoch_changes_no_row() {
    check_all(&commit_points(), prepared(), "abort@1");
}

#[test]
fn an_error_at_each_point_changes_no_row() {
    check_all(&commit_points(), prepared(), "error@2");
}

#[test]
fn a_panic_at_each_point_of_snapshot_restore_and_retention_changes_no_row() {
    check_all(&state_points(), interrupted(), "panic@1");
}

#[test]
fn an_abort_at_each_point_of_snapshot_restore_and_retention_changes_no_row() {
    check_all(&state_points(), interrupted(), "abort@1");
}

#[test]
fn an_error_at_each_point_of_snapshot_restore_and_retention_changes_no_row() {
    check_all(&state_points(), interrupted(), "error@1");
}

/// The steps of a commit; the second epoch is the one that writes the example's rows.
fn commit_points() -> Vec<&'static str> {
    POINTS.into_iter().filter(|point| point.starts_with("commit.")).collect()
}

/// All other steps but those of a rebuild, which this project never needs (`tests/upgrades`).
fn state_points() -> Vec<&'static str> {
    let is_other = |point: &&str| point.starts_with("commit.") || point.starts_with("rebuild.");
    POINTS.into_iter().filter(|point| !is_other(point)).collect()
}

fn check_all(points: &[&str], template: &Template, action: &str) {
    // A case is mostly waiting for brokers that start and end.
    std::thread::scope(|scope| {
        for points in points.chunks(points.len().div_ceil(AT_ONCE)) {
            scope.spawn(move || {
                for point in points {
                    check(template, point, action);
                }
            });
        }
    });
}

fn check(template: &Template, point: &str, action: &str) {
    let folder = Folder::new();
    copy(template.folder.path(), folder.path());
    // The first epoch of a start says who the owner is and is not cut, but committed.
    let action = if point.starts_with("commit.1.") { &action.replace("@2", "@1") } else { action };
    let failpoint = format!("{point}={action}");
    let failed = run(&folder, Some(&failpoint));
    if action.starts_with("abort") {
        assert_eq!(failed.code, -1, "{failpoint} is not reached: {}", failed.err);
    } else {
        assert!(failed.err.contains(point), "{failpoint} is not reached: {}", failed.err);
    }
    let finished = run(&folder, None);
    assert_eq!(finished.code, 0, "after {failpoint}: {}", finished.err);
    let rows = rows(folder.path());
    let (lost, doubled) = difference(&template.expected, &rows);
    assert!(lost.is_empty() && doubled.is_empty(), "{failpoint}: {lost:?} {doubled:?}");
    check_snapshots(&folder, &failpoint);
}

/// What is left are the three newest snapshots and the pinned, each complete.
fn check_snapshots(folder: &Folder, failpoint: &str) {
    let place = Location::Folder(folder.path().join(STATE));
    let listed = Snapshots::open(&place).and_then(|snapshots| snapshots.list());
    let listed = listed.expect("the snapshots can be listed");
    let is_sound = |one: &Listed| one.manifest().is_some();
    assert!(listed.iter().all(is_sound), "after {failpoint}: {listed:?}");
    let unpinned = listed.iter().filter(|one| one.pin.is_none()).count();
    assert!((1..=3).contains(&unpinned), "after {failpoint}: {listed:?}");
}

fn run(folder: &Folder, failpoint: Option<&str>) -> Output {
    run_with(folder, &FINISH, failpoint)
}

fn run_with(folder: &Folder, arguments: &[&str], failpoint: Option<&str>) -> Output {
    let mut command = folder.command(arguments);
    if let Some(failpoint) = failpoint {
        command.env("ENGINE_FAILPOINT", failpoint);
    }
    finished(&command.stdin(Stdio::null()).output().expect("the binary runs"))
}

/// The example in the middle of its work: there are three snapshots, a part of the journal that
/// none holds, clicks that wait, a snapshot that somebody asks for, and an input that has forgotten
/// what it was read first. So a run comes to every step.
fn interrupted() -> &'static Template {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let folder = with_products();
        let clicks = fs::read_to_string(folder.path().join("data/clickstream.jsonl"));
        let clicks = clicks.expect("the example's clicks");
        let clicks: Vec<&str> = clicks.split_inclusive('\n').collect();
        let mut parts = clicks.chunks(clicks.len().div_ceil(3)).map(<[&str]>::concat);
        let mut produce_next = || {
            folder.write("data/part.jsonl", parts.next().expect("three parts"));
            produce_clicks(&folder, "data/part.jsonl");
        };
        produce_next();
        for _ in 0..3 {
            folder.succeed(&["run", "--once"]);
        }
        produce_next();
        let killed = run_with(&folder, &["run", "--once"], Some("snapshot.freeze.before=abort"));
        assert_eq!(killed.code, -1, "{}", killed.err);
        produce_next();
        forget_first_click(folder.path());
        folder.write(&format!("{STATE}/SNAPSHOT"), "asked-for");
        Template::new(folder)
    })
}

fn forget_first_click(folder: &Path) {
    let broker = open_broker(folder);
    let admin = Admin::open(&Cluster::embedded(broker.address())).expect("a client");
    admin.delete_records("ecom.clickstream.v1", 0, 1).expect("a record can be deleted");
    drop(admin);
    broker.close();
}
