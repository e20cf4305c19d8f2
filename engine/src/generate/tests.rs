use super::*;

#[test]
fn without_a_rate_the_last_event_is_now() {
    let schedule = Schedule::new(None, 1_000_000, None, Some(100));
    assert_eq!(schedule, Schedule { start_ms: 999_000, interval_ms: 10 });
}

#[test]
fn with_a_rate_the_first_event_is_now() {
    let schedule = Schedule::new(None, 1_000_000, Some(100), Some(5));
    assert_eq!(schedule, Schedule { start_ms: 1_000_000, interval_ms: 10 });
    assert_eq!(Schedule::new(Some(5), 9, Some(1), None).start_ms, 5);
}
