//! What every released format has written is read: snapshots and journals under `fixtures/formats`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use runtime::Entry;
use runtime::fold::Fold;
use state::{Listed, Location, Snapshots};
use stream::{Epoch, Item};

fn folder(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats").join(version)
}

#[test]
fn a_snapshot_of_format_1_is_restored_by_the_plan_in_it() {
    let snapshots = Snapshots::open(&Location::Folder(folder("v1"))).expect("a folder");
    let listed = snapshots.list().expect("a list");
    let manifest = listed.first().and_then(Listed::manifest).expect("a complete snapshot");
    assert_eq!((manifest.about.epoch, manifest.about.fold_version), (Epoch(2), 1));
    let positions: Vec<(&str, i64)> = manifest
        .about
        .readers
        .iter()
        .map(|reader| (&*reader.reader.0, reader.partitions[0].position))
        .collect();
    assert_eq!(positions, [("clicks", 4), ("items@item", 3)]);
    let dataflow = planner::resolved::read(&manifest.about.project).expect("the plan is whole");
    assert_eq!(dataflow.fingerprint(), manifest.about.fingerprint);
    let tables = snapshots.read(manifest).expect("sound files");
    let mut fold = Fold::new(&Arc::new(dataflow)).expect("it runs");
    fold.restore(tables.clone()).expect("its own state");
    assert_eq!(fold.snapshot(), tables, "and gives it back as it was");
}

#[test]
fn a_journal_of_format_1_says_the_same_when_it_is_written_again() {
    let text = std::fs::read_to_string(folder("v1").join("journal.jsonl")).expect("a file");
    let entries: Vec<Entry> = text
        .lines()
        .map(|line| Entry::from_bytes(line.as_bytes()).expect("an entry of a known format"))
        .collect();
    assert_eq!(entries.len(), 2);
    let has = |wanted: fn(&Item) -> bool| {
        entries.iter().flat_map(|entry| &entry.items).any(|it| wanted(&it.item))
    };
    assert!(has(|item| matches!(item, Item::Generation(_))));
    assert!(has(|item| matches!(item, Item::Plan { .. })));
    assert!(has(|item| matches!(item, Item::Start { .. })));
    assert!(has(|item| matches!(item, Item::Slice { records: 4, .. })));
    let carried = entries.iter().flat_map(|entry| &entry.items).find_map(|it| it.carried.as_ref());
    assert_eq!(carried.map(arrow_kafka::OwnedMessages::len), Some(3));
    for (entry, line) in entries.iter().zip(text.lines()) {
        let written = entry.to_bytes().expect("it can be written");
        assert_eq!(String::from_utf8_lossy(&written), line);
    }
}
