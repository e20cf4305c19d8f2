use std::time::Duration;

use stream::Epoch;

use super::*;

#[test]
fn a_run_says_how_old_and_how_large_its_snapshot_is() {
    let mut status = SnapshotStatus { pause_max: Duration::from_micros(7), ..Default::default() };
    let now = ProcessingTime(1_000_000);
    assert_eq!(snapshot_line(&status, now), "no snapshot yet");
    assert_eq!(snapshot_plain(&status, now), "snapshot written=0 pause_us_max=7\n");
    let created = ProcessingTime(now.0 - 12_000);
    status.newest = Some(SnapshotSummary { epoch: Epoch(5), created, rows: 3, bytes: 2_560 });
    status.written = 1;
    assert_eq!(snapshot_line(&status, now), "snapshot of epoch 5 (2.5 KiB), 12 s ago");
    status.failing = Some((ProcessingTime(now.0 - 300_000), "the disk is full".to_owned()));
    assert_eq!(
        snapshot_line(&status, now),
        "snapshot of epoch 5 (2.5 KiB), 12 s ago · snapshots have failed for 5 m"
    );
    assert_eq!(
        snapshot_plain(&status, now),
        "snapshot epoch=5 age_ms=12000 bytes=2560 rows=3 failing_ms=300000 written=1 pause_us_max=7\n"
    );
    assert_eq!(snapshots_json(&status)["failing"], "the disk is full");
}

#[test]
fn ages_are_told_in_one_unit() {
    let cases = [(0, "0 s"), (119, "119 s"), (120, "2 m"), (7_300, "2 h"), (200_000, "2 d")];
    for (seconds, told) in cases {
        assert_eq!(age(ProcessingTime(0), ProcessingTime(seconds * 1_000)), told);
    }
    assert_eq!(age(ProcessingTime(5_000), ProcessingTime(0)), "0 s", "a clock went back");
}
