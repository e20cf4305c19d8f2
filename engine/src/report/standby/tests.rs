use std::sync::Arc;
use std::time::Duration;

use stream::InstanceName;

use super::*;

fn standby(owner: Option<&str>, epochs_behind: u64, lease_s: u64) -> StandbyStatus {
    StandbyStatus {
        owner: owner.map(|name| InstanceName(Arc::from(name))),
        epochs_behind,
        behind: (epochs_behind > 0).then_some(Duration::from_millis(1_500)),
        silent: Duration::from_millis(200),
        lease: Duration::from_secs(lease_s),
    }
}

#[test]
fn a_standby_says_of_whom_how_far_behind_and_what_it_will_do() {
    for (standby, words) in [
        (
            standby(Some("a1"), 0, 10),
            "standby of `a1`, nothing behind; takes over when that is silent for 10 s, or with `engine promote`",
        ),
        (
            standby(Some("a1"), 3, 10),
            "standby of `a1`, 3 epochs and 1.5s behind; takes over when that is silent for 10 s, or with `engine promote`",
        ),
        (
            standby(None, 0, 10),
            "standby: the last owner ended, nothing behind; takes over when nothing was written for 10 s, or with `engine promote`",
        ),
        (
            standby(None, 0, 0),
            "standby: the project has never run; waits for its first run, or `engine promote`",
        ),
    ] {
        assert_eq!(standby_words(&standby), words);
    }
    let plain = "standby owner=a1 epochs_behind=3 behind_ms=1500 silent_ms=200 lease_ms=10000\n";
    assert_eq!(standby_plain(&standby(Some("a1"), 3, 10)), plain);
}
