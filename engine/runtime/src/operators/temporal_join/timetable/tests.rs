use proptest::prelude::*;

use super::*;

proptest! {
    /// Times lie close together, so that rows come for spans that were reached, and for the same
    /// moment; the watermark may also stand still.
    #[test]
    fn what_is_due_leaves_in_the_order_of_time_and_arrival(
        steps in prop::collection::vec((-300..300_i64, any::<bool>(), 0..60_i64), 0..200),
    ) {
        let mut timetable = Timetable::new();
        let mut waiting: Vec<Waiting> = Vec::new();
        let mut watermark = -200;
        for (arrival, (time, is_row, rise)) in (0..).zip(steps) {
            let one = Waiting { time, arrival, key: 1, row: is_row.then_some(7) };
            timetable.push(one);
            waiting.push(one);
            watermark += rise / 10;
            let mut due = Vec::new();
            timetable.take_due(Watermark(watermark), &mut due);
            let mut expected: Vec<Waiting> =
                waiting.iter().copied().filter(|one| one.time <= watermark).collect();
            expected.sort_unstable();
            waiting.retain(|one| one.time > watermark);
            prop_assert_eq!(due, expected);
            let mut left: Vec<Waiting> = timetable.iter().collect();
            left.sort_unstable_by_key(|one| one.arrival);
            prop_assert_eq!(left.len(), timetable.len());
            prop_assert_eq!(left, waiting.clone());
        }
    }
}

#[test]
fn the_ends_of_time_are_moments_like_others() {
    let mut timetable = Timetable::new();
    for (arrival, time) in (0..).zip([i64::MAX, i64::MIN, 0]) {
        timetable.push(Waiting { time, arrival, key: 0, row: None });
    }
    let mut due = Vec::new();
    timetable.take_due(Watermark(i64::MAX), &mut due);
    assert_eq!(due.iter().map(|one| one.time).collect::<Vec<_>>(), [i64::MIN, 0, i64::MAX]);
    assert_eq!(timetable.len(), 0);
}
