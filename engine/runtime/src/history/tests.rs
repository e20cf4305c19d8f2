use std::sync::Arc;

use arrow_kafka::OwnedMessages;
use state::{About, PartitionProgress, ReaderProgress, SnapshotId};
use stream::{InstanceName, ProcessingTime, Watermark};

use super::*;
use crate::journal::{Header, JournalItem};

fn reader() -> ReaderName {
    ReaderName(Arc::from("clicks"))
}

fn entry(epoch: u64, items: Vec<JournalItem>) -> Entry {
    let header = Header {
        journal_id: "j".to_owned(),
        generation: Generation(1),
        epoch: Epoch(epoch),
        instance: InstanceName(Arc::from("i")),
        lease_ms: 1,
        fold_version: FOLD_VERSION,
        topics: Arc::default(),
    };
    Entry { header, items }
}

fn start(partition: i32, offset: i64) -> JournalItem {
    JournalItem::of(Item::Start { reader: reader(), partition, offset })
}

fn slice(partition: i32, from: i64, to: i64) -> JournalItem {
    let records = u64::try_from(to - from).expect("not negative");
    JournalItem::of(Item::Slice { reader: reader(), partition, from, to, records })
}

fn carried(partition: i32, from: i64, to: i64) -> JournalItem {
    JournalItem { carried: Some(OwnedMessages::new()), ..slice(partition, from, to) }
}

fn plan(text: &str) -> JournalItem {
    let fingerprint = Fingerprint(text.to_owned());
    JournalItem::of(Item::Plan { fingerprint, project: String::new() })
}

/// A generation of four epochs; the second partition is carried, the third comes with epoch 3.
fn entries() -> Vec<Entry> {
    let first = JournalItem::of(Item::Generation(Generation(1)));
    vec![
        entry(1, vec![first, plan("p"), start(0, 10), start(1, 0)]),
        entry(2, vec![slice(0, 10, 20), carried(1, 0, 5)]),
        entry(3, vec![slice(0, 22, 30), start(2, 7), slice(2, 7, 8)]),
        entry(4, vec![carried(1, 5, 6)]),
    ]
}

fn history(entries: &[Entry]) -> History {
    let mut history = History::default();
    for entry in entries {
        history.note(entry);
    }
    history
}

/// What a snapshot of journal `j` and plan `p` is about.
pub(crate) fn about(epoch: u64, readers: Vec<ReaderProgress>) -> About {
    About {
        journal_id: "j".to_owned(),
        generation: Generation(1),
        epoch: Epoch(epoch),
        journal_offset: 0,
        fold_version: FOLD_VERSION,
        fingerprint: Fingerprint("p".to_owned()),
        cluster_id: None,
        engine: String::new(),
        created: ProcessingTime(0),
        readers,
        project: String::new(),
    }
}

fn snapshot(epoch: u64, positions: &[(i32, i64, i64)]) -> Manifest {
    let partition = |(partition, start, position): &_| PartitionProgress {
        partition: *partition,
        start: *start,
        position: *position,
    };
    let about = about(
        epoch,
        vec![ReaderProgress {
            reader: reader(),
            topic: "t".to_owned(),
            watermark: Watermark::NONE,
            is_carried: false,
            partitions: positions.iter().map(partition).collect(),
        }],
    );
    let id = SnapshotId::parse(&format!("j-000001-{epoch:012}-00000000")).expect("an id");
    Manifest { id, about, tables: Vec::new() }
}

/// Each partition as `origin: start to end [slices]`.
fn told(positions: &Positions) -> Vec<String> {
    let told = positions.iter().map(|((_, partition), at)| {
        format!("{partition} {}: {} to {} {:?}", at.origin, at.start, at.end, at.slices)
    });
    told.collect()
}

#[test]
fn without_a_snapshot_everything_is_read_again_but_what_the_journal_carries() {
    let history = history(&entries());
    assert!(history.is_whole);
    assert_eq!(
        told(&history.positions(None)),
        ["0 10: 10 to 30 [20, 30]", "1 0: 6 to 6 []", "2 7: 7 to 8 [8]"]
    );
}

#[test]
fn after_a_snapshot_only_what_follows_it_is_read() {
    let history = history(&entries());
    // Positions may lie behind the last slice, where only control records were.
    let second = snapshot(2, &[(0, 10, 22), (1, 0, 5)]);
    assert_eq!(
        told(&history.positions(Some(&second))),
        ["0 10: 22 to 30 [30]", "1 0: 6 to 6 []", "2 7: 7 to 8 [8]"]
    );
    let last = snapshot(4, &[(0, 10, 30), (1, 0, 6), (2, 7, 8)]);
    assert_eq!(
        told(&history.positions(Some(&last))),
        ["0 10: 30 to 30 []", "1 0: 6 to 6 []", "2 7: 8 to 8 []"]
    );
}

#[test]
fn a_journal_that_is_read_from_its_middle_is_not_whole() {
    let history = history(&entries()[2..]);
    assert!(!history.is_whole);
    assert_eq!(history.first_epoch, Some(Epoch(3)));
    let second = snapshot(2, &[(0, 10, 22), (1, 0, 5)]);
    assert_eq!(
        told(&history.positions(Some(&second))),
        ["0 10: 22 to 30 [30]", "1 0: 6 to 6 []", "2 7: 7 to 8 [8]"]
    );
}

#[test]
fn a_new_generation_forgets_the_one_before() {
    let mut all = entries();
    let mut fresh = entry(5, vec![JournalItem::of(Item::Generation(Generation(2))), start(0, 0)]);
    fresh.header.generation = Generation(2);
    all.push(fresh);
    let history = history(&all);
    assert!(history.is_whole);
    assert_eq!(told(&history.positions(None)), ["0 0: 0 to 0 []"]);
    assert!(!history.has_led_to(&snapshot(4, &[])), "it is of the generation before");
}

#[test]
fn a_snapshot_is_of_this_journal_and_not_ahead_of_it() {
    let history = history(&entries());
    assert!(history.has_led_to(&snapshot(4, &[])));
    assert!(!history.has_led_to(&snapshot(5, &[])), "its epoch was never committed");
    let mut other = snapshot(4, &[]);
    other.about.journal_id = "k".to_owned();
    assert!(!history.has_led_to(&other));
}

#[test]
fn only_entries_that_would_be_replayed_must_be_of_this_fold_version() {
    let mut all = entries();
    all[1].header.fold_version = FOLD_VERSION + 1;
    let history = history(&all);
    let plan = Fingerprint("p".to_owned());
    let error = history.check(&plan, Epoch(1)).expect_err("epoch 2 is of another version");
    assert!(matches!(error, RuntimeError::FoldVersion { .. }), "{error}");
    history.check(&plan, Epoch(2)).expect("the snapshot stands for it");
    history.check(&Fingerprint("q".to_owned()), Epoch(4)).expect("nothing is replayed");
    let error = history.check(&Fingerprint("q".to_owned()), Epoch(3)).expect_err("another plan");
    assert!(matches!(error, RuntimeError::PlansMixed { .. }), "{error}");
}

#[test]
fn entries_are_replayed_by_the_plan_that_wrote_them_alone() {
    let mut all = entries();
    all.push(entry(5, vec![plan("q")]));
    all.push(entry(6, vec![plan("q"), slice(0, 30, 31)]));
    let history = history(&all);
    let (p, q) = (Fingerprint("p".to_owned()), Fingerprint("q".to_owned()));
    history.check(&q, Epoch(4)).expect("a snapshot where the first plan ends");
    assert!(history.may_switch_at(Epoch(4), &q) && !history.may_switch_at(Epoch(5), &q));
    assert!(!history.may_switch_at(Epoch(3), &q), "an entry of the first plan follows");
    assert!(history.may_switch_at(Epoch(6), &p) && !history.may_switch_at(Epoch(5), &p));
    history.check(&q, Epoch(5)).expect("only the second plan's");
    for (plan, after) in [(&q, 3), (&p, 4), (&p, 3)] {
        let error = history.check(plan, Epoch(after)).expect_err("two plans");
        assert!(matches!(error, RuntimeError::PlansMixed { .. }), "{error}");
    }
}

#[test]
fn who_owns_the_project_may_be_said_by_any_fold_version() {
    let mut all = entries();
    let last = all.last().expect("entries").header.epoch;
    let owner = Item::Owner(Some(InstanceName(Arc::from("newer"))));
    let mut said = entry(last.0 + 1, vec![JournalItem::of(owner)]);
    said.header.fold_version = FOLD_VERSION + 1;
    all.push(said);
    let history = history(&all);
    assert_eq!(history.epoch, last.next());
    history.check(&Fingerprint("p".to_owned()), Epoch(0)).expect("nothing of it is folded");
}

/// A start says who it is before it says by which plan it goes on.
#[test]
fn a_plan_may_begin_after_renewals() {
    let mut all = entries();
    let owner = || JournalItem::of(Item::Owner(Some(InstanceName(Arc::from("i")))));
    all.push(entry(5, vec![owner()]));
    let before = history(&all);
    let (p, q) = (Fingerprint("p".to_owned()), Fingerprint("q".to_owned()));
    assert!(before.ends_with(Epoch(4)) && before.may_switch_at(Epoch(4), &q));
    before.check(&q, Epoch(4)).expect("nothing is folded by the first plan");
    all.push(entry(6, vec![plan("q"), owner()]));
    let after = history(&all);
    assert!(after.may_switch_at(Epoch(4), &q) && after.may_switch_at(Epoch(5), &q));
    after.check(&q, Epoch(4)).expect("nor now");
    assert!(after.check(&p, Epoch(4)).is_err());
}
