use runtime::{ModelStatus, ReaderStatus};
use stream::EventTime;

use super::*;

/// 2026-01-01T12:14:00Z.
const NOON: i64 = 1_767_225_600_000 + 12 * 3_600_000;

fn rows() -> Rows {
    Rows {
        readers: vec![("clickstream@k".to_owned(), "clickstream".to_owned())],
        models: vec!["user_sessions".to_owned()],
    }
}

/// A source whose newest event is of 12:10:03, and a window over it until 12:30.
fn status(reason: WaitReason) -> Status {
    let (newest, watermark) = (EventTime(NOON + 603_000), Watermark(NOON + 598_000));
    let lag = Lag { records: 12_345, behind: Some(Duration::from_secs(3)) };
    let mut status = Status {
        now: Some(ProcessingTime(NOON + 840_000)),
        phase: Phase::Running,
        ..Status::default()
    };
    let mut reader = ReaderStatus {
        lag,
        watermark: Some(watermark),
        newest_event: Some(newest),
        ..ReaderStatus::default()
    };
    match reason {
        WaitReason::Silent(silent) => reader.silent_for = Some(silent),
        WaitReason::OpenTransaction { partition, open_for } => {
            reader.held.push((partition, open_for));
        }
    }
    status.readers.insert("clickstream@k".to_owned(), reader);
    let waiting = Waiting {
        window_end: EventTime(NOON + 1_800_000),
        source: "clickstream".to_owned(),
        newest_event: Some(newest),
        needed_event: EventTime(NOON + 1_805_000),
        reason,
    };
    let model = ModelStatus {
        lag,
        watermark: Some(watermark),
        open_until: Some(waiting.window_end),
        waiting: Some(waiting),
    };
    status.models.insert("user_sessions".to_owned(), model);
    status
}

fn table(now: &Status, width: u16) -> String {
    let before = Status::default();
    let picture = Picture { before: &before, now, passed: Duration::from_secs(1) };
    status_table(&picture, &rows(), Some(width))
}

#[test]
fn a_silent_source_is_explained_below_the_table() {
    let table = table(&status(WaitReason::Silent(Duration::from_mins(4))), 200);
    let sentence = "user_sessions: open until 12:30:00, newest event 12:10:03; closes with a \
                    clickstream event at or after 12:30:05 (silent for 4m)";
    assert!(table.lines().any(|line| line == sentence), "{table}");
    assert!(table.ends_with("running · epoch 0 · Ctrl-C stops"), "{table}");
}

#[test]
fn an_open_transaction_is_named_with_its_partition() {
    let reason = WaitReason::OpenTransaction { partition: 3, open_for: Duration::from_secs(12) };
    let status = status(reason);
    let told = "clickstream: held by an open transaction, partition 3, for 12s";
    let table = table(&status, 200);
    assert!(table.lines().any(|line| line == told), "{table}");
    let before = Status::default();
    let picture = Picture { before: &before, now: &status, passed: Duration::from_secs(1) };
    let lines = plain_lines(&picture, &rows());
    assert!(lines.contains(" open_transaction=3:12s "), "{lines}");
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let status = status(WaitReason::Silent(Duration::from_secs(5)));
    for width in [40, 60, 76, 80, 100, 120] {
        for line in table(&status, width).lines() {
            assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
        }
    }
}

#[test]
fn every_width_shows_rates_lag_and_watermark() {
    let status = status(WaitReason::Silent(Duration::from_secs(5)));
    for (width, row) in [
        (60, ["user_sessions", "0", "0", "12.3k", "-4m"].as_slice()),
        (80, &["user_sessions", "0", "0", "0", "12.3k", "(3.0s)", "12:09:58", "(-4m)"]),
        (120, &["user_sessions", "0", "0", "0", "0", "0", "12.3k", "(3.0s)", "12:09:58", "(-4m)"]),
    ] {
        let table = table(&status, width);
        let found = table.lines().find(|line| line.trim().starts_with("user_sessions "));
        let words: Vec<&str> = found.expect("its row").split_whitespace().collect();
        assert_eq!(words, row, "{table}");
    }
}

#[test]
fn plain_lines_hold_everything_the_table_does() {
    let now = status(WaitReason::Silent(Duration::from_mins(4)));
    let before = Status::default();
    let picture = Picture { before: &before, now: &now, passed: Duration::from_secs(1) };
    assert_eq!(
        plain_lines(&picture, &rows()),
        "source=clickstream read=0 dead_lettered=0 in_per_s=0 lag=12345 behind_s=3 \
         watermark=2026-01-01T12:09:58.000Z silent_s=240 epoch=0\n\
         model=user_sessions read=0 wrote=0 late=0 dead_lettered=0 in_per_s=0 out_per_s=0 \
         lag=12345 behind_s=3 watermark=2026-01-01T12:09:58.000Z \
         waits=\"open until 12:30:00, newest event 12:10:03; closes with a clickstream event at or \
         after 12:30:05 (silent for 4m)\" epoch=0\n"
    );
}

#[test]
fn a_commit_is_told_of_once_it_takes_long() {
    let since = ProcessingTime(NOON);
    let status = Status { committing: Some((Epoch(18), since)), ..Status::default() };
    let after = |ms: i64| slow_commit(&status, ProcessingTime(NOON + ms));
    assert_eq!(after(4_999), None);
    let told = "epoch 18 waits for its commit, for 12s: Kafka does not answer, or slowly; it goes \
                on when Kafka does, and nothing is lost";
    assert_eq!(after(12_300), Some((Epoch(18), told.to_owned())));
    assert_eq!(after(-1_000), None, "a clock went back");
    assert_eq!(slow_commit(&Status::default(), since), None);
}

#[test]
fn rates_are_per_second() {
    assert_eq!(rate(0, 500, Duration::from_millis(500)), "1000");
    assert_eq!(rate(0, 12_400, Duration::from_secs(1)), "12.4k");
    assert_eq!(rate(9, 5, Duration::from_secs(1)), "0");
    assert_eq!(rate(0, 5, Duration::ZERO), "5000");
}

#[test]
fn a_rebuild_shows_what_is_left_of_its_round_and_what_the_others_do() {
    let rebuilding = |rebuild| Status { phase: Phase::Rebuilding, rebuild, ..Status::default() };
    let round = |others_go_on| Some(RebuildStatus { records_left: 1_234_567, others_go_on });
    for (rebuild, expected) in [
        (None, "rebuilding models"),
        (round(true), "rebuilding models, 1234.5k records to read; the others go on"),
        (round(false), "rebuilding models, 1234.5k records to read; the others wait for it"),
    ] {
        assert_eq!(phase_words(&rebuilding(rebuild)), expected);
    }
}
