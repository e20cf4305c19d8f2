use std::sync::Arc;

use state::{PartitionProgress, SnapshotId};
use stream::{Epoch, Generation};

use super::*;
use crate::history::tests::about;

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn reader(name: &str) -> ReaderName {
    ReaderName(Arc::from(name))
}

/// A snapshot in which readers stand at these positions, each with a watermark a thousand times as
/// great.
fn manifest(readers: &[(&str, i64)]) -> Manifest {
    let readers = readers.iter().map(|(name, position)| ReaderProgress {
        reader: reader(name),
        topic: "t".to_owned(),
        watermark: Watermark(position * 1_000),
        is_carried: false,
        partitions: vec![PartitionProgress { partition: 0, start: 0, position: *position }],
    });
    let about = about(1, readers.collect());
    let id = SnapshotId {
        journal_id: "j".to_owned(),
        generation: Generation(1),
        epoch: Epoch(1),
        random: 0,
    };
    Manifest { id, about, tables: Vec::new() }
}

fn rebuild(models: &[&str], silent: &[&str]) -> Rebuild {
    let readers = BTreeSet::from([reader("clicks")]);
    Rebuild { models: names(models), silent: names(silent), readers }
}

/// The models of each mark and where `clicks` stood.
fn marks(course: &Course) -> Vec<(Vec<&str>, i64)> {
    let shown = course.marks.iter().map(|mark| {
        let models = mark.models.iter().map(String::as_str).collect();
        (models, mark.readers[&reader("clicks")].partitions[&0].position)
    });
    shown.collect()
}

#[test]
fn what_was_kept_until_the_edit_is_silent_up_to_where_it_stands() {
    let idle = IdlePartitions::from([(reader("clicks"), 0)]);
    let at = manifest(&[("clicks", 7), ("items", 3)]);
    let course = Course::begin(rebuild(&["a", "new"], &["a"]), None, (&at, &idle));
    assert_eq!(marks(&course), [(vec!["a"], 7)]);
    let stand = &course.marks[0].readers[&reader("clicks")];
    assert_eq!(stand.watermark, Watermark(7_000));
    assert!(stand.partitions[&0].is_idle);
    assert!(!course.marks[0].readers[&reader("items")].partitions[&0].is_idle);
    let loud = course.after_mark();
    assert_eq!((loud.rebuild, loud.marks), (rebuild(&["a", "new"], &[]), vec![]));
}

#[test]
fn an_edit_during_a_rebuild_leaves_marks_and_adds_those_of_what_wrote_since() {
    let idle = IdlePartitions::new();
    let first = manifest(&[("clicks", 7)]);
    let models = ["silent", "new", "gone"];
    let course = Course::begin(rebuild(&models, &["silent", "gone"]), None, (&first, &idle));
    // The shadows have come to 5; `new` writes since the first record, `kept` up to 20.
    let then = manifest(&[("clicks", 20), ("rebuild/clicks", 5)]);
    let all = ["silent", "new", "kept"];
    let edited = Course::begin(rebuild(&all, &all), Some(&course), (&then, &idle));
    let expected = [(vec!["new"], 5), (vec!["silent"], 7), (vec!["kept"], 20)];
    assert_eq!(marks(&edited), expected);
    let after = edited.after_mark();
    assert_eq!(after.rebuild.silent, names(&["silent", "kept"]));
    assert_eq!(marks(&after), expected[1..]);
    // With `--re-emit` nothing is silent.
    let loud = Course::begin(rebuild(&all, &[]), Some(&course), (&then, &idle));
    assert_eq!(marks(&loud), []);
}

#[test]
fn another_topic_lies_behind_every_mark_and_another_event_time_has_no_watermark() {
    let idle = IdlePartitions::new();
    let at = manifest(&[("clicks", 7), ("items", 3), ("gone", 1)]);
    let course = Course::begin(rebuild(&["a"], &["a"]), None, (&at, &idle));
    let topics = |topics: &[(&str, &str)]| {
        topics.iter().map(|(name, topic)| (reader(name), (*topic).to_owned())).collect()
    };
    let then: Topics = topics(&[("clicks", "t"), ("items", "t"), ("gone", "t")]);
    let now: Topics = topics(&[("clicks", "other"), ("items", "t")]);
    let reset = BTreeSet::from([reader("clicks")]);
    let course = course.adapted((&then, &now), &reset);
    let readers = &course.marks[0].readers;
    assert_eq!(readers.len(), 2);
    let clicks = Stand { watermark: Watermark::NONE, partitions: BTreeMap::new() };
    assert_eq!(readers[&reader("clicks")], clicks);
    assert_eq!(readers[&reader("items")].watermark, Watermark(3_000));
}
