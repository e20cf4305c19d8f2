//! `engine broker`, and how commands find each other.

use std::time::Duration;

use stream::{Clock, SystemClock};

use crate::command::Folder;
use crate::running::Running;

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

#[test]
fn a_run_that_is_a_guest_goes_on_when_the_owner_of_the_broker_ends() {
    for signal in ["TERM", "KILL"] {
        let folder = Folder::new();
        folder.write(
            "sources/s.yml",
            "sources:\n  - name: s\n    topic: s\n    columns: [{name: k}]\n",
        );
        folder.write(
            "models/m.yml",
            "models:\n  - name: copies\n    sql: SELECT k FROM {{ source(\"s\") }}\n",
        );
        folder.succeed(&["topic", "create", "s"]);
        // It follows the topic, holding the broker, and means to end some time.
        let owner = folder.start(&["topic", "consume", "s"]);
        wait_for_owner(&folder, &owner);
        assert_eq!(folder.engine_with(&["topic", "produce", "s"], b"{\"k\":\"a\"}\n").code, 0);
        let mut run = folder.start(&["run", "--commit-interval", "50ms"]);
        run.wait_for("embedded broker");
        while folder.engine(&["topic", "consume", "copies", "--until-end"]).out.is_empty() {}
        owner.signal(signal);
        owner.end();
        run.wait_for("has ended");
        assert_eq!(folder.engine_with(&["topic", "produce", "s"], b"{\"k\":\"b\"}\n").code, 0);
        while folder.lines("copies").len() < 2 {}
        run.signal("TERM");
        let output = run.end();
        assert_eq!(output.code, 0, "{}", output.err);
        assert_eq!(folder.lines("copies"), [r#"{"k":"a"}"#, r#"{"k":"b"}"#]);
    }
}

#[test]
fn the_broker_waits_for_a_command_that_is_about_to_end() {
    let folder = Folder::new();
    folder.succeed(&["topic", "create", "s"]);
    let mut owner = folder.start(&["topic", "consume", "s", "-n", "1"]);
    wait_for_owner(&folder, &owner);
    let line = b"{\"k\":\"a\"}\n";
    assert_eq!(folder.engine_with(&["topic", "produce", "s"], line).code, 0);
    assert_eq!(owner.line(), r#"{"k":"a"}"#);
    let mut broker = folder.start(&["broker"]);
    assert!(broker.line().starts_with("listening on "));
    assert_eq!(owner.end().code, 0);
    broker.signal("TERM");
    assert_eq!(broker.end().code, 0);
}

/// Waits until a command has the folder's broker.
fn wait_for_owner(folder: &Folder, command: &Running) {
    let folder = folder.path().join(".engine");
    while ::broker::locate(&folder).is_none_or(|owner| owner.pid != command.id()) {
        std::thread::yield_now();
    }
}
