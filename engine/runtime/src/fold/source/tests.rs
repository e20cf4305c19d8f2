use std::fmt::Write as _;

use arrow::array::TimestampMillisecondArray;
use planner::dataflow::{EventTimeSpec, Format, OnError, OnGap, SourceRole};

use super::*;

const CLOCK: ProcessingTime = ProcessingTime(1_000_000);

fn state() -> SourceState {
    let source = Source {
        reader: ReaderName(Arc::from("clicks")),
        source: "clicks".to_owned(),
        topic: "clicks.v1".to_owned(),
        format: Format::Json,
        columns: Vec::new(),
        event_time: EventTimeSpec {
            column: 0,
            out_of_orderness_ms: 5,
            max_future_ms: 1_000,
            idle_advance_ms: None,
            idle_timeout_ms: 10_000,
        },
        role: SourceRole::Stream,
        on_error: OnError::DeadLetter,
        on_gap: OnGap::Stop,
    };
    let mut state = SourceState::new(0, &source);
    state.add_partition(0);
    state.add_partition(1);
    state
}

fn batch(times: &[Option<i64>]) -> Batch {
    let column = TimestampMillisecondArray::from(times.to_vec());
    let field = Field::new("ts", column.data_type().clone(), true);
    let rows = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![Arc::new(column)]);
    Batch::of(rows.unwrap())
}

/// Runs `script`: `P: T T …` are rows of partition P (`-` is a null time), `idle P`, `active P`.
fn check(script: &str, expected: &str) {
    let mut state = state();
    let mut got = String::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (head, rest) = line.split_once(' ').unwrap();
        write!(got, "{line} =>").unwrap();
        match head {
            "idle" => {
                if let Some(advance) = state.set_idle(rest.parse().unwrap(), true) {
                    write!(got, " {}", advance.watermark.0).unwrap();
                }
            }
            "active" => drop(state.set_idle(rest.parse().unwrap(), false)),
            _ => {
                let times: Vec<_> = rest.split(' ').map(|it| it.parse().ok()).collect();
                let number = head.trim_end_matches(':').parse().unwrap();
                let admitted = state.admit(number, batch(&times), CLOCK).unwrap();
                for advance in &admitted.batch.advances {
                    write!(got, " {}@{}", advance.watermark.0, advance.position).unwrap();
                }
                for refused in &admitted.refused {
                    write!(got, " {}:{}", refused.reason.text(), refused.rows.num_rows()).unwrap();
                }
            }
        }
        got.push('\n');
    }
    let expected: String = expected.lines().map(str::trim).filter(|line| !line.is_empty()).fold(
        String::new(),
        |mut text, line| {
            writeln!(text, "{line}").unwrap();
            text
        },
    );
    assert_eq!(got, expected);
}

#[test]
fn the_watermark_is_the_least_of_the_partitions() {
    check(
        "
        0: 10 20 15 30
        1: 12 40 50
        0: 31
        ",
        "
        0: 10 20 15 30 =>
        1: 12 40 50 => 7@1 25@2
        0: 31 => 26@1
        ",
    );
}

#[test]
fn an_idle_partition_is_left_out_and_never_moves_the_watermark_back() {
    check(
        "
        0: 20
        idle 1
        0: 30
        1: 10 27 40
        0: 41
        ",
        "
        0: 20 =>
        idle 1 => 15
        0: 30 => 25@1
        1: 10 27 40 =>
        0: 41 => 35@1
        ",
    );
}

#[test]
fn when_all_are_idle_the_greatest_watermark_stays() {
    check(
        "
        0: 20
        1: 40
        idle 0
        idle 1
        active 0
        0: 50
        ",
        "
        0: 20 =>
        1: 40 => 15@1
        idle 0 => 35
        idle 1 =>
        active 0 =>
        0: 50 => 45@1
        ",
    );
}

#[test]
fn rows_without_usable_time_do_not_move_the_watermark() {
    check(
        "
        idle 1
        0: 10 - 1001001 20
        0: 1001000
        ",
        "
        idle 1 =>
        0: 10 - 1001001 20 => 5@1 15@2 null time:1 future:1
        0: 1001000 => 1000995@1
        ",
    );
}

#[test]
fn times_before_the_epoch_are_times() {
    check("idle 1\n0: -100 -90", "idle 1 =>\n0: -100 -90 => -105@1 -95@2");
}

#[test]
fn a_snapshot_restores_partitions_and_watermarks() {
    let mut before = state();
    before.admit(0, batch(&[Some(30)]), CLOCK).unwrap();
    before.admit(1, batch(&[Some(20)]), CLOCK).unwrap();
    before.set_idle(1, true);
    let name = ReaderName(Arc::from("clicks"));
    let written = table(&BTreeMap::from([(name.clone(), before)]));
    let mut after = BTreeMap::from([(name.clone(), state())]);
    restore(&mut after, &written).unwrap();
    let restored = &after[&name];
    assert_eq!(restored.watermark(), Watermark(25));
    assert_eq!(restored.partition_watermark(1), Watermark(15));
    assert!(restored.is_idle(1) && !restored.is_idle(0));
}

/// Two readers become one: the greater watermarks, and the idleness of the one that had the name.
#[test]
fn a_shadow_that_is_not_needed_any_more_leaves_its_watermarks() {
    let row = |reader: &str, number: i32, watermark: i64, is_idle: bool, whole: i64| {
        let partition = Partition { watermark: Watermark(watermark), is_idle };
        (ReaderName(Arc::from(reader)), number, partition, Watermark(whole))
    };
    let table = table_of(&[
        row("a", 0, 10, true, 10),
        row("a", 1, 5, false, 10),
        row("gone", 0, 99, false, 99),
        row("rebuild/a", 0, 12, false, 11),
        row("rebuild/a", 2, 3, true, 11),
    ]);
    let renamed = renamed(&table, |reader| match &*reader.0 {
        "a" | "rebuild/a" => Some(ReaderName(Arc::from("a"))),
        _ => None,
    });
    let expected =
        table_of(&[row("a", 0, 12, true, 11), row("a", 1, 5, false, 11), row("a", 2, 3, true, 11)]);
    assert_eq!(renamed.expect("the table's own columns"), expected);
}

#[test]
fn idle_partitions_are_found_in_the_table_of_a_snapshot_and_in_no_other() {
    let reader = ReaderName(Arc::from("a"));
    let row = |number: i32, is_idle: bool| {
        (reader.clone(), number, Partition { watermark: Watermark(1), is_idle }, Watermark(1))
    };
    let table = table_of(&[row(0, true), row(1, false)]);
    assert_eq!(idle_partitions(&table).expect("its own"), BTreeSet::from([(reader, 0)]));
    let fewer = Arc::new(Schema::new(vec![Field::new("reader", DataType::Utf8, false)]));
    let other = Table::of(TABLE, RecordBatch::new_empty(fewer));
    assert!(idle_partitions(&other).is_err());
}
