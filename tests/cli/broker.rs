//! `engine broker`, and how commands find each other.

use std::time::Duration;

use stream::{Clock, SystemClock};

use crate::command::Folder;

#[test]
fn the_broker_says_where_it_listens_and_ends_on_sigterm() {
    let folder = Folder::new();
    let mut broker = folder.start(&["broker"]);
    let line = broker.line();
    let port = line.strip_prefix("listening on 127.0.0.1:").unwrap_or_else(|| panic!("{line:?}"));
    let port: u16 = port.parse().expect("a port");
    std::net::TcpStream::connect(("127.0.0.1", port)).expect("it answers once it says so");
    broker.signal("TERM");
    let output = broker.end();
    assert_eq!((output.code, output.out.as_str()), (0, ""), "{}", output.err);
}

#[test]
fn the_broker_answers_within_half_a_second() {
    let folder = Folder::new();
    // The best of some: other tests have the cores, too.
    let best = (0..5)
        .map(|_| {
            let clock = SystemClock::new();
            let mut broker = folder.start(&["broker"]);
            assert!(broker.line().starts_with("listening on "));
            let passed = clock.monotonic();
            broker.signal("INT");
            assert_eq!(broker.end().code, 0);
            passed
        })
        .min()
        .expect("five of them");
    assert!(best < Duration::from_millis(500), "{best:?}");
}

#[test]
fn commands_use_the_broker_that_runs() {
    let folder = Folder::new();
    let mut broker = folder.start(&["broker"]);
    broker.line();
    folder.succeed(&["topic", "create", "events", "--partitions", "2"]);
    assert!(folder.succeed(&["topic", "list"]).starts_with("events "));
    let second = folder.engine(&["broker"]);
    assert_eq!(second.code, 1);
    assert!(second.err.contains("in use"), "{}", second.err);
    broker.signal("TERM");
    assert_eq!(broker.end().code, 0);
    assert!(folder.succeed(&["topic", "list"]).starts_with("events "), "kept between commands");
}

#[test]
fn a_killed_broker_leaves_no_lock_and_its_address_is_not_believed() {
    let folder = Folder::new();
    let mut broker = folder.start(&["broker"]);
    broker.line();
    folder.succeed(&["topic", "create", "events"]);
    broker.signal("KILL");
    assert_eq!(broker.end().code, -1);
    assert!(folder.path().join(".engine/broker.json").is_file(), "left over from the crash");
    assert!(folder.succeed(&["topic", "list"]).starts_with("events "));
}
