use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, UInt64Array};
use stream::{Epoch, Fingerprint, Generation, ProcessingTime, ReaderName, Watermark};
use tempfile::TempDir;

use super::*;
use crate::{PartitionProgress, ReaderProgress};
use faulty::{Fault, Faulty};

mod faulty;

fn about(epoch: u64) -> About {
    About {
        journal_id: "0123456789abcdef".to_owned(),
        generation: Generation(1),
        epoch: Epoch(epoch),
        journal_offset: 7,
        fold_version: 1,
        fingerprint: Fingerprint("f00".to_owned()),
        cluster_id: Some("cluster".to_owned()),
        engine: "0.1.0".to_owned(),
        created: ProcessingTime(1_000),
        readers: vec![ReaderProgress {
            reader: ReaderName(Arc::from("clicks")),
            topic: "shop.clicks".to_owned(),
            watermark: Watermark::NONE,
            is_carried: false,
            partitions: vec![PartitionProgress { partition: 0, start: 3, position: 9 }],
        }],
        project: "models:\n  - name: `m`\n".to_owned(),
    }
}

/// Two operators: one with a table of two batches and an empty one, one without state.
fn operators() -> Vec<OperatorTables> {
    let batch = |from: i64| {
        let columns: [(&str, ArrayRef); 3] = [
            ("key_0", Arc::new(StringArray::from(vec![Some("a"), None]))),
            ("count", Arc::new(Int64Array::from(vec![from, from + 1]))),
            ("_hash", Arc::new(UInt64Array::from(vec![1, u64::MAX]))),
        ];
        RecordBatch::try_from_iter(columns).expect("equally long columns")
    };
    let schema = batch(0).schema();
    let groups = Table {
        name: "groups".to_owned(),
        schema: Arc::clone(&schema),
        batches: vec![batch(0), batch(10), RecordBatch::new_empty(Arc::clone(&schema))],
    };
    let empty = Table { name: "aggregate_0".to_owned(), schema, batches: Vec::new() };
    vec![("m/window".to_owned(), vec![groups.clone(), empty]), ("m/last".to_owned(), vec![groups])]
}

fn write(snapshots: &Snapshots, epoch: u64) -> Result<Manifest, StateError> {
    snapshots.write(about(epoch), operators().into_iter())
}

fn on_disk() -> (TempDir, Snapshots) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let snapshots = Snapshots::open(&Location::Folder(folder.path().join("state")));
    (folder, snapshots.expect("a folder can hold snapshots"))
}

fn in_memory(fault: Fault, at: usize) -> (Arc<Faulty>, Snapshots) {
    let store = Arc::new(Faulty::new(fault, at));
    let erased: Arc<dyn ObjectStore> = Arc::clone(&store) as Arc<dyn ObjectStore>;
    (store, Snapshots::over(erased).expect("a runtime starts"))
}

/// The epochs of complete snapshots, newest first.
fn complete(snapshots: &Snapshots) -> Vec<u64> {
    let listed = snapshots.list().expect("the store answers");
    listed.iter().filter_map(|one| Some(one.manifest()?.about.epoch.0)).collect()
}

#[test]
fn what_was_written_is_read() {
    let (_folder, disk) = on_disk();
    let (_store, memory) = in_memory(Fault::Once, usize::MAX);
    for snapshots in [disk, memory] {
        let written = write(&snapshots, 5).expect("it can be written");
        let listed = snapshots.list().expect("the store answers");
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].condition, Condition::Complete(Box::new(written.clone())));
        assert_eq!(written.about, about(5));
        assert_eq!(written.rows(), 8);
        assert_eq!(snapshots.read(&written).expect("it can be read"), operators());
        let table = snapshots.read_table(&written, &written.tables[0]).expect("it can be read");
        assert_eq!(table, operators()[0].1[0]);
    }
}

#[test]
fn an_id_is_read_as_it_is_written_and_nothing_else_is() {
    let id = SnapshotId::draw(&about(12)).expect("random numbers");
    assert_eq!(SnapshotId::parse(&id.to_string()), Some(id.clone()));
    let text = id.to_string();
    let others = ["", "x", "../../etc-1-1-1", "a/b-000001-000000000012-00000000", "a-1-12-0"];
    for other in others {
        assert_eq!(SnapshotId::parse(other), None, "{other}");
    }
    assert_eq!(SnapshotId::parse(&format!("{text}-0")), None);
}

#[test]
fn one_failed_call_is_not_noticed() {
    for at in 0.. {
        let (store, snapshots) = in_memory(Fault::Once, at);
        write(&snapshots, 1).unwrap_or_else(|error| panic!("call {at}: {error}"));
        if store.calls() <= at {
            assert!(at >= 4, "three tables and a manifest are more than {at} calls");
            return;
        }
    }
}

#[test]
fn a_store_that_goes_down_at_any_call_leaves_no_half_snapshot() {
    for at in 0.. {
        let (store, snapshots) = in_memory(Fault::Down, usize::MAX);
        write(&snapshots, 1).expect("it can be written");
        let is_whole = store.failing_from(at, || write(&snapshots, 2).is_ok());
        let expected: &[u64] = if is_whole { &[2, 1] } else { &[1] };
        assert_eq!(complete(&snapshots), expected, "down from call {at} on");
        if is_whole {
            assert!(at >= 4, "three tables and a manifest are more than {at} calls");
            return;
        }
    }
}

#[test]
fn an_answer_that_was_lost_or_refused_is_no_failure() {
    for fault in [Fault::Conflict, Fault::Refused] {
        for at in 0..4 {
            let (_store, snapshots) = in_memory(fault, at);
            let written = write(&snapshots, 1).unwrap_or_else(|error| panic!("{fault:?}: {error}"));
            assert_eq!(snapshots.read(&written).expect("it can be read"), operators());
        }
    }
}

/// All files of the only snapshot on a disk.
fn files(folder: &TempDir) -> Vec<PathBuf> {
    let snapshots = folder.path().join("state/snapshots");
    let entries = |path: PathBuf| {
        let entries = fs::read_dir(path).expect("a folder");
        entries.map(|entry| entry.expect("an entry").path()).collect::<Vec<_>>()
    };
    let mut files: Vec<PathBuf> = entries(snapshots).into_iter().flat_map(entries).collect();
    files.sort_unstable();
    files
}

/// Reads the only snapshot: its rows, or why it is refused, with a path.
fn restored(snapshots: &Snapshots) -> Result<Vec<OperatorTables>, String> {
    let listed = snapshots.list().map_err(|error| error.to_string())?;
    match &listed.first().expect("one snapshot").condition {
        Condition::Unfinished => Err("it has no manifest".to_owned()),
        Condition::Broken { reason } => Err(reason.clone()),
        Condition::Complete(manifest) => {
            snapshots.read(manifest).map_err(|error| error.to_string())
        }
    }
}

#[test]
fn cut_and_flipped_files_are_refused_or_equal() {
    let (folder, snapshots) = on_disk();
    write(&snapshots, 1).expect("it can be written");
    let mut refused = 0;
    for file in files(&folder) {
        let whole = fs::read(&file).expect("a file");
        let mut check = |bytes: &[u8], what: &str| {
            fs::write(&file, bytes).expect("the file can be changed");
            match restored(&snapshots) {
                Ok(rows) => assert_eq!(rows, operators(), "{what} of {}", file.display()),
                Err(reason) => {
                    let is_told = reason.contains(".arrow") || reason.contains("manifest");
                    assert!(is_told, "{what} of {}: {reason}", file.display());
                    refused += 1;
                }
            }
        };
        for at in (0..whole.len()).step_by(7) {
            check(&whole[..at], "a cut");
        }
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            check(&flipped, "a flip");
        }
        check(&[&whole[..], b"more"].concat(), "a longer copy");
        fs::remove_file(&file).expect("a file");
        assert!(restored(&snapshots).is_err(), "{} is missing", file.display());
        fs::write(&file, whole).expect("the file can be put back");
    }
    assert!(refused > 1_000, "only {refused}");
    assert_eq!(restored(&snapshots), Ok(operators()));
}

#[test]
fn files_of_whoever_knows_the_checksum_do_not_panic() {
    let (_folder, snapshots) = on_disk();
    let manifest = write(&snapshots, 1).expect("it can be written");
    let entry = &manifest.tables[0];
    let bytes = operators()[0].1[0].to_bytes().expect("a table can be written");
    for at in 0..bytes.len() {
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 1 << (at % 8);
        let crc32c = crc32c::crc32c(&flipped);
        let entry = TableFile { crc32c, ..entry.clone() };
        // Whether it is refused is Arrow's to say; rows of another type or number never pass.
        if let Ok(table) = checked(&manifest.id, &entry, &flipped) {
            assert_eq!(table.row_count() as u64, entry.rows);
            assert_eq!(columns_of(&table.schema), entry.columns);
        }
    }
}

#[test]
fn a_manifest_of_another_version_or_place_is_refused() {
    let (folder, snapshots) = on_disk();
    let manifest = write(&snapshots, 1).expect("it can be written");
    let path = folder.path().join(format!("state/snapshots/{}/manifest.jsonl", manifest.id));
    let text = fs::read_to_string(&path).expect("a manifest");
    let line = text.lines().next().expect("its first line");
    let sealed = |line: &str| {
        let line = format!("{line}\n");
        let (bytes, crc32c) = (line.len(), crc32c::crc32c(line.as_bytes()));
        format!("{line}{{\"bytes\":{bytes},\"crc32c\":{crc32c}}}\n")
    };
    assert_eq!(sealed(line), text, "the seal is what this test thinks");
    let cases = [
        (line.replace("{\"format\":1,", "{\"format\":2,"), "format 2"),
        (line.replace("0000.arrow", "../../x.arrow"), "no file of a snapshot"),
        (line.replace("\"epoch\":1,", "\"epoch\":2,"), "contradicts"),
        (line.replace("\"rows\":4", "\"raws\":4"), "cannot be read"),
        (line.replace("-000000000001-", "-000000000002-"), "contradicts"),
    ];
    for (changed, reason) in cases {
        assert_ne!(changed, line, "{reason}");
        fs::write(&path, sealed(&changed)).expect("the manifest can be changed");
        let told = restored(&snapshots).expect_err(reason);
        assert!(told.contains(reason) && told.contains("manifest.jsonl"), "{told}");
    }
}

#[test]
fn the_newest_and_the_pinned_stay() {
    let (_store, snapshots) = in_memory(Fault::Once, usize::MAX);
    let first = write(&snapshots, 1).expect("it can be written");
    snapshots.pin(&first.id, "before the sale").expect("it can be pinned");
    for epoch in 2..=6 {
        write(&snapshots, epoch).expect("it can be written");
    }
    let other = About { journal_id: "other".to_owned(), ..about(1) };
    snapshots.write(other, operators().into_iter()).expect("it can be written");
    let retained = snapshots.retain(&about(1).journal_id, 3).expect("the store answers");
    let newest: Vec<u64> = retained.newest.iter().map(|one| one.about.epoch.0).collect();
    assert_eq!((newest, retained.removed), (vec![6, 5, 4], 2));
    assert_eq!(complete(&snapshots), [1, 6, 5, 4, 1], "of another journal nothing is removed");
    let listed = snapshots.list().expect("the store answers");
    assert_eq!(listed.last().expect("the first").pin.as_deref(), Some("before the sale"));
    snapshots.unpin(&first.id).expect("the store answers");
    let retained = snapshots.retain(&about(1).journal_id, 3).expect("the store answers");
    assert_eq!(retained.removed, 1);
    assert_eq!(complete(&snapshots), [1, 6, 5, 4]);
    assert!(snapshots.pin(&first.id, "too late").is_err());
    assert_eq!(snapshots.list().expect("the store answers").len(), 4, "a lone pin is taken back");
}

#[test]
fn what_was_abandoned_goes_once_something_newer_is_complete() {
    let (folder, snapshots) = on_disk();
    let mut abandoned = Vec::new();
    for epoch in 1..=3 {
        let manifest = write(&snapshots, epoch).expect("it can be written");
        let path = folder.path().join(format!("state/snapshots/{}", manifest.id));
        if epoch != 2 {
            fs::remove_file(path.join(MANIFEST)).expect("a manifest");
            abandoned.push(path);
        }
    }
    let retained = snapshots.retain(&about(1).journal_id, 3).expect("the store answers");
    assert_eq!(retained.removed, 1);
    assert!(!abandoned[0].exists(), "older than the newest complete one");
    assert!(abandoned[1].exists(), "perhaps it is being written now");
}

#[test]
fn damaged_ones_stay_until_enough_newer_ones_are_complete() {
    let (folder, snapshots) = on_disk();
    for epoch in 1..=4 {
        let manifest = write(&snapshots, epoch).expect("it can be written");
        if epoch == 1 {
            let path = folder.path().join(format!("state/snapshots/{}", manifest.id));
            fs::write(path.join("0000.arrow"), "cut").expect("a file");
        }
        let retained = snapshots.retain(&about(1).journal_id, 3).expect("the store answers");
        assert_eq!(retained.removed, usize::from(epoch == 4), "epoch {epoch}");
    }
    assert_eq!(complete(&snapshots), [4, 3, 2]);
}

#[test]
fn retention_that_fails_at_any_call_harms_nothing_that_stays() {
    for at in 0.. {
        let (store, snapshots) = in_memory(Fault::Down, usize::MAX);
        for epoch in 1..=5 {
            write(&snapshots, epoch).expect("it can be written");
        }
        let is_whole = store.failing_from(at, || snapshots.retain(&about(1).journal_id, 3).is_ok());
        let listed = snapshots.list().expect("the store answers");
        for one in listed.iter().filter(|one| one.id.epoch >= Epoch(3)) {
            let manifest = one.manifest().expect("what stays is complete");
            assert_eq!(snapshots.read(manifest).expect("and whole"), operators());
        }
        // Whatever was left half removed goes the next time.
        snapshots.retain(&about(1).journal_id, 3).expect("the store answers");
        assert_eq!(snapshots.list().expect("the store answers").len(), 3, "call {at}");
        if is_whole {
            assert!(at > 3, "it failed only {at} times");
            return;
        }
    }
}

/// Does something to a store with two snapshots, once for each number of calls after which the
/// store is down; `check` looks at what is there when it is up again, and is told whether it was
/// done. Every failure says that the store is down.
#[track_caller]
fn fails_at_any_call(
    act: impl Fn(&Snapshots) -> Result<(), StateError>,
    check: impl Fn(&Snapshots, bool),
) {
    for at in 0.. {
        let (store, snapshots) = in_memory(Fault::Down, usize::MAX);
        write(&snapshots, 1).expect("it can be written");
        write(&snapshots, 2).expect("it can be written");
        let done = store.failing_from(at, || act(&snapshots));
        check(&snapshots, done.is_ok());
        match done {
            Ok(()) => {
                assert!(at > 0, "nothing was asked of the store");
                return;
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                let told = format!("{error}: {}", cause.unwrap_or_default());
                assert!(told.contains("it is down"), "call {at}: {told}");
            }
        }
    }
}

fn newest(snapshots: &Snapshots) -> Result<Manifest, StateError> {
    let listed = snapshots.list()?;
    Ok(listed[0].manifest().expect("what is down is not damaged").clone())
}

/// Both are there and whole.
fn are_whole(snapshots: &Snapshots) {
    let listed = snapshots.list().expect("the store answers");
    let manifests: Vec<_> = listed.iter().filter_map(Listed::manifest).collect();
    assert_eq!(manifests.len(), 2);
    for manifest in manifests {
        assert_eq!(snapshots.read(manifest).expect("it can be read"), operators());
    }
}

#[test]
fn a_restore_that_fails_at_any_call_says_so_and_gives_no_part() {
    let restore = |snapshots: &Snapshots| {
        let rows = snapshots.read(&newest(snapshots)?)?;
        assert_eq!(rows, operators());
        Ok(())
    };
    fails_at_any_call(restore, |snapshots, _| are_whole(snapshots));
}

#[test]
fn a_pin_that_fails_at_any_call_is_there_or_is_not() {
    let pins = |snapshots: &Snapshots| {
        let listed = snapshots.list().expect("the store answers");
        listed.iter().filter(|one| one.pin.is_some()).count()
    };
    fails_at_any_call(
        |snapshots| snapshots.pin(&newest(snapshots)?.id, "before the sale"),
        |snapshots, is_done| {
            are_whole(snapshots);
            assert!(!is_done || pins(snapshots) == 1);
            // Whether it was there or not, the same again does no harm.
            let id = newest(snapshots).expect("it is up").id;
            snapshots.pin(&id, "before the sale").expect("it is up");
            assert_eq!(pins(snapshots), 1);
        },
    );
    fails_at_any_call(
        |snapshots| snapshots.unpin(&newest(snapshots)?.id),
        |snapshots, _| are_whole(snapshots),
    );
}

#[test]
fn an_import_that_fails_at_any_call_leaves_no_half_snapshot() {
    let (folder, disk) = on_disk();
    let manifest = write(&disk, 3).expect("it can be written");
    let archive = folder.path().join("archive");
    disk.export(&manifest, &archive).expect("it can be exported");
    fails_at_any_call(
        |snapshots| snapshots.import(&archive).map(|_| ()),
        |snapshots, is_done| {
            let expected: &[u64] = if is_done { &[3, 2, 1] } else { &[2, 1] };
            assert_eq!(complete(snapshots), expected);
        },
    );
}

#[test]
fn an_exported_snapshot_comes_back_under_its_name() {
    let (folder, snapshots) = on_disk();
    let manifest = write(&snapshots, 1).expect("it can be written");
    let archive = folder.path().join("archive");
    snapshots.export(&manifest, &archive).expect("it can be exported");
    let (_other_folder, other) = on_disk();
    assert_eq!(other.import(&archive).expect("it can be imported"), manifest);
    assert_eq!(other.read(&manifest).expect("it can be read"), operators());
    other.import(&archive).expect("once more is no harm");
    fs::write(archive.join("0000.arrow"), "cut").expect("a file");
    let (_third_folder, third) = on_disk();
    assert!(third.import(&archive).is_err());
    assert_eq!(complete(&third), Vec::<u64>::new());
    assert!(third.import(&folder.path().join("nothing")).is_err());
}

#[test]
fn a_place_is_told_without_its_secrets() {
    let options = vec![("aws_secret_access_key".to_owned(), "hunter2".to_owned())];
    let url = "s3://me:hunter2@bucket/state?token=hunter2".to_owned();
    let place = Location::Url { url, options }.join("shop");
    for told in [place.to_string(), format!("{place:?}")] {
        assert!(told.contains("s3://bucket/state") && !told.contains("hunter2"), "{told}");
    }
    let nowhere = Location::Url { url: "carrier-pigeon://x".to_owned(), options: Vec::new() };
    let error = Snapshots::open(&nowhere).expect_err("no such store");
    assert!(error.to_string().contains("carrier-pigeon"), "{error}");
}
