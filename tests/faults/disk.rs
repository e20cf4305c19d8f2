//! A disk that is full: told by name, nothing is lost, and work goes on once there is room.

use crate::command::Folder;
use crate::running::Running;
use crate::small_disk::SmallDisk;
use crate::world::{Engine, World, wait_until};

/// Rows that are fed at once into each of the three partitions.
const ROWS: u64 = 3_000;

#[test]
fn a_full_disk_of_the_embedded_broker_is_told_and_loses_no_row() {
    let folder = Folder::new();
    let Some(disk) = SmallDisk::mount(&folder.path().join(".engine"), 24) else { return };
    let mut broker: Running = folder.start(&["broker"]);
    let line = broker.line();
    let world = World::new(line.strip_prefix("listening on ").expect("its address"), "full");
    // The topics of the outputs are there before the disk is full.
    assert_eq!(world.folder.engine(&["run", "--once"]).code, 0);
    let mut feed = world.feed();
    feed.rows(ROWS);
    feed.flush();
    disk.fill();
    let engine = Engine::start(&world.folder, &[]);
    broker.wait_for("No space left on device");
    assert_eq!(world.committed(), 0, "nothing is committed");
    disk.free();
    wait_until("all rows", || world.committed() == usize::try_from(ROWS * 3).expect("a number"));
    feed.rows(10);
    let fed = feed.flush();
    engine.signal("TERM");
    let (code, messages) = engine.end();
    assert_eq!(code, 0, "{messages}");
    world.settle(&fed).is_exact();
    broker.signal("TERM");
    assert_eq!(broker.end().code, 0);
    drop(disk);
}

#[test]
fn a_full_disk_of_the_state_folder_stops_no_commit() {
    let embedded = crate::embedded::Embedded::start();
    let world = World::new(&embedded.brokers(), "fullstate");
    let often = "lease: 2s\n    checkpoint_interval: 50ms";
    world.change("stream_project.yml", "lease: 2s", often);
    let state = world.folder.path().join(".engine/state");
    let Some(disk) = SmallDisk::mount(&state, 4) else { return };
    let mut feed = world.feed();
    let mut engine = Engine::start(&world.folder, &["--commit-interval", "20ms"]);
    feed.rows(100);
    feed.flush();
    engine.await_message("snapshot written");
    disk.fill();
    feed.rows(100);
    feed.flush();
    engine.await_message("no snapshot can be written");
    engine.await_message("No space left on device");
    feed.rows(100);
    feed.flush();
    wait_until("rows are committed all the same", || world.committed() == 900);
    disk.free();
    feed.rows(100);
    let fed = feed.flush();
    engine.await_message("snapshots can be written again");
    engine.signal("TERM");
    let (code, messages) = engine.end();
    assert_eq!(code, 0, "{messages}");
    // A start with no room for its own name says so, and the next one goes on.
    disk.fill();
    let refused = world.folder.engine(&["run", "--once"]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("No space left on device"), "{}", refused.err);
    assert!(refused.err.contains(".engine/state"), "{}", refused.err);
    disk.free();
    world.settle(&fed).is_exact();
    drop(disk);
}
