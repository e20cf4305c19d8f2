use super::*;

#[test]
fn without_a_limit_nothing_is_tight() {
    let mut memory = Memory::new(None);
    assert_eq!(memory.look(Duration::ZERO), Pressure::None);
    assert_eq!(memory.measure(), None);
}

#[test]
fn a_process_holds_something_and_the_limit_decides() {
    let held = held_bytes().expect("this system tells");
    assert!(held > 0);
    let pressure = |limit: u64| Memory::new(Some(limit)).look(Duration::ZERO);
    assert_eq!(pressure(1), Pressure::Over);
    assert_eq!(pressure(held * 100), Pressure::None);
}

#[test]
fn it_is_not_looked_more_often_than_is_useful() {
    let mut memory = Memory::new(Some(1));
    memory.look(Duration::ZERO);
    memory.limit = Some(u64::MAX);
    assert_eq!(memory.look(LOOK_INTERVAL / 2), Pressure::Over);
    assert_eq!(memory.look(LOOK_INTERVAL), Pressure::None);
}
