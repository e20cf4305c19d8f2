use std::collections::BTreeMap;
use std::sync::Arc;

use connectors::Bounds;
use planner::dataflow::Rebuild;
use stream::Watermark;

use super::super::course::{Place, Stand};
use super::*;
use crate::history::Replayed;

fn reader(name: &str) -> ReaderName {
    ReaderName(Arc::from(name))
}

fn mark() -> Mark {
    let place = Place { position: 7, is_idle: false };
    let stand = Stand { watermark: Watermark(1), partitions: BTreeMap::from([(0, place)]) };
    Mark { models: BTreeSet::new(), readers: BTreeMap::from([(reader("clicks"), stand)]) }
}

#[test]
fn the_others_wait_once_little_is_left_or_what_is_left_does_not_halve() {
    let many = LAST_ROUND_RECORDS + 1;
    let catch_up = |records| Round::CatchUp { records };
    let after = |records| Before::CatchUp { records };
    for (records, before, expected) in [
        (0, Before::Start, Round::Last),
        (LAST_ROUND_RECORDS, Before::Start, Round::Last),
        (many, Before::Start, catch_up(many)),
        (many * 9, Before::Silent, catch_up(many * 9)),
        (many, after(many * 2), catch_up(many)),
        (many + 1, after(many * 2), Round::Last),
        (many * 3, after(many * 2), Round::Last),
        (LAST_ROUND_RECORDS, after(many * 20), Round::Last),
    ] {
        assert_eq!(Round::after_marks(records, before), expected, "{records} after {before:?}");
    }
}

#[test]
fn a_reader_stops_at_the_mark_or_where_the_others_stand() {
    let at = PartitionView::new(Bounds { first: 2, end: 50, log_end: 50 });
    let there = |end| Replayed { end, ..Replayed::default() };
    let positions =
        Positions::from([((reader("clicks"), 0), there(20)), ((reader("later"), 0), there(30))]);
    let silent = Round::Silent(mark());
    let limit = |round: &Round, name: &str, partition: i32, is_kept: bool| {
        round.limit((&reader(name), partition, &at), &positions, is_kept)
    };
    // Up to the mark; nothing of a partition that was not there.
    assert_eq!(limit(&silent, "rebuild/clicks", 0, false), Some(7));
    assert_eq!(limit(&silent, "rebuild/clicks", 1, false), Some(2));
    // A source that has come since: as far as it is read, or all that it holds.
    assert_eq!(limit(&silent, "rebuild/later", 0, false), Some(30));
    assert_eq!(limit(&silent, "new", 0, false), Some(50));
    for round in [Round::CatchUp { records: 13 }, Round::Last] {
        assert_eq!(limit(&round, "rebuild/clicks", 0, false), Some(20), "{round:?}");
        assert_eq!(limit(&round, "rebuild/clicks", 1, false), Some(2), "{round:?}");
        assert_eq!(limit(&round, "new", 0, false), None, "{round:?}");
    }
    assert_eq!(limit(&Round::Last, "clicks", 0, true), Some(20), "they wait where they stand");
}

#[test]
fn models_write_after_their_mark_and_the_project_goes_on_after_the_last_round() {
    let models = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
    let rebuild = Rebuild { models: models.clone(), silent: models, readers: BTreeSet::new() };
    let marked = |model: &str| Mark { models: BTreeSet::from([model.to_owned()]), ..mark() };
    let course = Course { rebuild, marks: vec![marked("a"), marked("b")] };
    let next = Round::Silent(marked("a")).next_stage(&course);
    let Some((left, Before::Silent)) = next.rebuild() else { panic!("{next:?}") };
    assert_eq!(left.rebuild.silent, BTreeSet::from(["b".to_owned()]));
    assert_eq!(left.marks, [marked("b")]);
    let next = Round::CatchUp { records: 5 }.next_stage(&course);
    assert_eq!(next.rebuild(), Some((&course, Before::CatchUp { records: 5 })));
    assert_eq!(Round::Last.next_stage(&course), Stage::Join);
}
