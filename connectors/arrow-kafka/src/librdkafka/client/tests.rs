use super::*;

#[test]
fn a_client_that_has_lost_its_brokers_is_helped_at_once_and_then_seldom() {
    let settings =
        ["first:1", "last:1"].map(|servers| ("bootstrap.servers".to_owned(), servers.to_owned()));
    let mut brokers = Brokers::of(&settings).expect("no NUL in them");
    assert_eq!(brokers.to_begin_with(true), None);
    assert_eq!(brokers.to_begin_with(false), Some(&c"last:1".to_owned()));
    assert_eq!(brokers.to_begin_with(false), None);
    brokers.patience = Duration::ZERO;
    assert!(brokers.to_begin_with(false).is_some());
    brokers.patience = PATIENCE_MAX;
    assert_eq!(brokers.to_begin_with(false), None);
    // Found, and lost again.
    assert_eq!(brokers.to_begin_with(true), None);
    assert_eq!(brokers.patience, PATIENCE);
    assert!(brokers.to_begin_with(false).is_some());
}
