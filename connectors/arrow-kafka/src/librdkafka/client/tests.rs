use super::*;

#[test]
fn a_client_that_has_lost_its_brokers_is_helped_at_once_and_then_seldom() {
    let settings =
        ["first:1", "last:1"].map(|servers| ("bootstrap.servers".to_owned(), servers.to_owned()));
    let mut brokers = Brokers::of(&settings).expect("no NUL in them");
    assert_eq!(brokers.servers_again(true), None);
    assert_eq!(brokers.servers_again(false), Some(&c"last:1".to_owned()));
    assert_eq!(brokers.servers_again(false), None);
    brokers.patience = Duration::ZERO;
    assert!(brokers.servers_again(false).is_some());
    brokers.patience = PATIENCE_MAX;
    assert_eq!(brokers.servers_again(false), None);
    // Found, and lost again.
    assert_eq!(brokers.servers_again(true), None);
    assert_eq!(brokers.patience, PATIENCE);
    assert!(brokers.servers_again(false).is_some());
}
