use arrow::datatypes::DataType;
use datafusion::logical_expr::Operator as Binary;
use planner::dataflow::TemporalJoin as Node;
use proptest::prelude::*;

use super::*;
use crate::operators::testing::{
    Cuts, Event, binary, check, column, event_time, run, schema, script,
};

/// Left: key, time. Versions: key, time, price.
fn inputs() -> [SchemaRef; 2] {
    [
        schema(&[("k", DataType::Utf8), ("time", event_time())]),
        schema(&[("k", DataType::Utf8), ("time", event_time()), ("price", DataType::Int64)]),
    ]
}

fn left_join() -> Node {
    let [left, right] = inputs();
    Node {
        keep_unmatched: true,
        left_key: vec![column(&left, 0)],
        right_key: vec![column(&right, 0)],
        left_time: 1,
        right_time: 1,
        condition: None,
        before_first: BeforeFirst::Null,
        output: vec![
            JoinColumn::Left(0),
            JoinColumn::Left(1),
            JoinColumn::Right(1),
            JoinColumn::Right(2),
        ],
    }
}

fn maker(node: Node) -> impl Fn() -> Box<dyn Operator> {
    move || {
        let output = schema(&[
            ("k", DataType::Utf8),
            ("time", event_time()),
            ("version", event_time()),
            ("price", DataType::Int64),
        ]);
        let join = TemporalJoin::new("m/join", &node, &output, &inputs());
        Box::new(join.expect("the node can be run"))
    }
}

fn check_join(node: Node, text: &str, expected: &str) {
    let schemas = inputs();
    check(&maker(node), &schemas, &script(text, &schemas, 1), expected);
}

#[test]
fn versions_are_deleted_when_their_key_fires_not_at_every_advance() {
    check_join(
        left_join(),
        "
        version a 8000 1
        version a 14000 2
        filtered 17000
        row a 22000
        row a 10000
        filtered 40000
        ",
        "
        advance 12000
        advance 17000
        a 22000 14000 2
        a 10000 8000 1
        advance 35000
        ",
    );
}

#[test]
fn a_version_sets_a_timer_so_that_older_ones_go() {
    check_join(
        left_join(),
        "
        version a 2000 1
        version a 20000 2
        row a 27000
        row a 10000
        filtered 40000
        ",
        "
        advance 22000
        a 27000 20000 2
        a 10000 NULL NULL
        advance 35000
        ",
    );
}

#[test]
fn a_late_row_leaves_with_the_next_advance() {
    check_join(
        left_join(),
        "
        version a 7000 1
        version a 13000 2
        filtered 17000
        row a 12000
        row a 29000
        row a 8000
        filtered 40000
        ",
        "
        advance 12000
        a 12000 7000 1
        advance 24000
        a 29000 13000 2
        a 8000 NULL NULL
        advance 35000
        ",
    );
}

#[test]
fn advances_of_filtered_rows_count() {
    check_join(
        left_join(),
        "
        version a 1000 1
        version a 13000 2
        filtered 12000
        filtered 18000
        row a 3000
        filtered 40000
        ",
        "
        advance 7000
        advance 13000
        a 3000 1000 1
        advance 35000
        ",
    );
}

#[test]
fn the_version_at_the_very_time_counts_and_of_equal_times_the_last_read() {
    check_join(
        left_join(),
        "
        version a 2000 1
        version a 1000 0
        version a 2000 3
        row a 2000
        row a 1999
        filtered 9000
        ",
        "
        advance -3000
        a 2000 2000 3
        a 1999 1000 0
        advance 4000
        ",
    );
}

#[test]
fn null_keys_match_and_a_tombstone_gives_nulls() {
    let text = "
        version NULL 1000 1
        version a 1000 2
        delete a 3000 NULL
        row NULL 1000
        row a 2000
        row a 3000
        row b 3000
        filtered 9000
        ";
    check_join(
        left_join(),
        text,
        "
        advance -4000
        advance -3000
        advance -2000
        NULL 1000 1000 1
        a 2000 1000 2
        a 3000 NULL NULL
        b 3000 NULL NULL
        advance 4000
        ",
    );
    check_join(
        Node { keep_unmatched: false, ..left_join() },
        text,
        "
        advance -4000
        advance -3000
        advance -2000
        NULL 1000 1000 1
        a 2000 1000 2
        advance 4000
        ",
    );
}

#[test]
fn keys_go_in_order_of_timer_then_arrival_and_rows_in_order_of_arrival() {
    check_join(
        left_join(),
        "
        version b 2000 7
        row a 3000
        row b 4000
        row c 3000
        row a 1000
        row d 1000
        filtered 20000
        ",
        "
        advance -2000
        advance -1000
        a 3000 NULL NULL
        a 1000 NULL NULL
        d 1000 NULL NULL
        b 4000 2000 7
        c 3000 NULL NULL
        advance 15000
        ",
    );
}

#[test]
fn before_first_may_give_the_first_version_even_if_it_is_superseded() {
    check_join(
        Node { before_first: BeforeFirst::First, ..left_join() },
        "
        version a 5000 1
        version a 7000 2
        row a 4000
        filtered 20000
        row a 4500
        row a 6000
        filtered 30000
        ",
        "
        advance -1000
        a 4000 5000 1
        advance 15000
        a 4500 5000 1
        a 6000 NULL NULL
        advance 25000
        ",
    );
}

#[test]
fn a_condition_that_fails_counts_as_no_version() {
    let [left, right] = inputs();
    let both = schema(&[
        ("k", DataType::Utf8),
        ("time", event_time()),
        ("k", DataType::Utf8),
        ("version", event_time()),
        ("price", DataType::Int64),
    ]);
    let one = crate::operators::testing::literal(datafusion::scalar::ScalarValue::Int64(Some(1)));
    let condition = binary(&column(&both, 4), Binary::Gt, &one, &DataType::Boolean);
    assert_eq!(left.fields().len() + right.fields().len(), both.fields().len());
    let text = "
        version a 1000 1
        version b 1000 2
        row a 1000
        row b 1000
        filtered 9000
        ";
    let node = Node { condition: Some(condition), ..left_join() };
    check_join(node.clone(), text, "advance -4000\na 1000 NULL NULL\nb 1000 1000 2\nadvance 4000");
    check_join(
        Node { keep_unmatched: false, ..node },
        text,
        "advance -4000\nb 1000 1000 2\nadvance 4000",
    );
}

#[test]
fn the_end_of_input_releases_rows_and_deletes_no_version() {
    check_join(
        left_join(),
        "
        version a 8000 1
        version a 14000 2
        row a 15000
        row a 9000
        end
        row a 10000
        filtered 40000
        row a 11000
        filtered 50000
        ",
        "
        advance 10000
        a 15000 14000 2
        a 9000 8000 1
        a 10000 8000 1
        advance 35000
        a 11000 NULL NULL
        advance 45000
        ",
    );
}

#[test]
fn a_row_without_time_is_discarded() {
    let schemas = inputs();
    let mut events = script("row a 1000\nfiltered 9000", &schemas, 1);
    let null_time = datafusion::scalar::ScalarValue::TimestampMillisecond(None, Some("UTC".into()));
    let key = datafusion::scalar::ScalarValue::Utf8(Some("a".to_owned()));
    events.push(Event::Row(0, RowKind::Insert, vec![key, null_time]));
    check(
        &maker(left_join()),
        &schemas,
        &events,
        "advance -4000\na 1000 NULL NULL\nadvance 4000\nfailed: a NULL",
    );
}

#[test]
fn rows_that_left_are_not_kept() {
    let schemas = inputs();
    let text: Vec<_> = (0..500).map(|i| format!("row k{i} {}", 1000 * i)).collect();
    let output = schema(&[
        ("k", DataType::Utf8),
        ("time", event_time()),
        ("version", event_time()),
        ("price", DataType::Int64),
    ]);
    let mut join =
        TemporalJoin::new("m/join", &left_join(), &output, &inputs()).expect("it can be run");
    let events = script(&text.join("\n"), &schemas, 1);
    for event in &events {
        let mut sink = Output::default();
        let one = std::slice::from_ref(event);
        let batch = crate::operators::testing::batch(one, &schemas[0], 0);
        join.push(0, batch, &mut sink).expect("no row is to blame");
    }
    assert_eq!((join.left_rows.live_rows(), join.keys.len()), (5, 5));
    assert!(join.left_rows.held_rows() <= 64, "{}", join.left_rows.held_rows());
}

/// Keys and times close together, so that they meet.
fn any_events() -> impl Strategy<Value = Vec<Event>> {
    let line = prop_oneof![
        4 => ("[ab]|NULL", 0_i64..30).prop_map(|(key, time)| format!("row {key} {}", time * 1000)),
        2 => ("[ab]|NULL", 0_i64..30, 0..9)
            .prop_map(|(key, time, price)| format!("version {key} {} {price}", time * 1000)),
        1 => ("[ab]", 0_i64..30).prop_map(|(key, time)| format!("delete {key} {} NULL", time * 1000)),
        1 => (0_i64..40).prop_map(|time| format!("filtered {}", time * 1000)),
        1 => Just("end".to_owned()),
    ];
    prop::collection::vec(line, 0..40).prop_map(|lines| script(&lines.join("\n"), &inputs(), 1))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn cuts_and_restores_change_nothing(
        events in any_events(),
        cuts in prop::collection::vec(any::<bool>(), 1..20),
        keep_unmatched: bool,
        is_first: bool,
    ) {
        let before_first = if is_first { BeforeFirst::First } else { BeforeFirst::Null };
        let make = maker(Node { keep_unmatched, before_first, ..left_join() });
        let schemas = inputs();
        let whole = run(&make, &schemas, &events, Cuts::Whole, false);
        prop_assert_eq!(&whole, &run(&make, &schemas, &events, Cuts::Each, false));
        prop_assert_eq!(&whole, &run(&make, &schemas, &events, Cuts::At(&cuts), false));
        prop_assert_eq!(&whole, &run(&make, &schemas, &events, Cuts::At(&cuts), true));
        prop_assert_eq!(&whole, &run(&make, &schemas, &events, Cuts::Each, true));
    }
}

/// The rule of FOLD.md 3, as slowly and plainly as can be.
fn model(events: &[Event]) -> String {
    use datafusion::scalar::ScalarValue;
    use std::fmt::Write as _;
    struct Key {
        versions: Vec<(i64, Option<String>)>,
        rows: Vec<(u64, i64)>,
        timer: Option<(i64, u64)>,
    }
    let mut keys: Vec<(String, Key)> = Vec::new();
    let mut text = String::new();
    for (arrival, event) in (0_u64..).zip(events) {
        match event {
            Event::Row(port, kind, row) => {
                let name = row[0].to_string();
                let ScalarValue::TimestampMillisecond(Some(time), _) = row[1] else { panic!() };
                if !keys.iter().any(|(other, _)| *other == name) {
                    let new = Key { versions: Vec::new(), rows: Vec::new(), timer: None };
                    keys.push((name.clone(), new));
                }
                let key = keys.iter_mut().find(|(other, _)| *other == name).map(|(_, key)| key);
                let key = key.expect("it was just added");
                if *port == 0 {
                    key.rows.push((arrival, time));
                } else {
                    key.versions.retain(|(other, _)| *other != time);
                    let price = (*kind == RowKind::Insert).then(|| row[2].to_string());
                    key.versions.push((time, price));
                    key.versions.sort();
                }
                if key.timer.is_none_or(|(timer, _)| time < timer) {
                    key.timer = Some((time, arrival));
                }
            }
            Event::Advance(watermark) => {
                keys.sort_by_key(|(_, key)| key.timer);
                for (name, key) in &mut keys {
                    if key.timer.is_none_or(|(timer, _)| timer > *watermark) {
                        continue;
                    }
                    for (_, time) in key.rows.extract_if(.., |(_, time)| *time <= *watermark) {
                        let found = key.versions.iter().rev().find(|(version, _)| *version <= time);
                        let (version, price) = match found {
                            Some((version, Some(price))) => (version.to_string(), price.clone()),
                            Some((_, None)) | None => ("NULL".to_owned(), "NULL".to_owned()),
                        };
                        writeln!(text, "{name} {time} {version} {price}").expect("text takes all");
                    }
                    let over = key.versions.iter().filter(|(time, _)| *time <= *watermark).count();
                    key.versions.drain(..over.saturating_sub(1));
                    key.timer = key.rows.iter().map(|(arrival, time)| (*time, *arrival)).min();
                }
                writeln!(text, "advance {watermark}").expect("text takes all");
            }
            Event::EndOfInput => {}
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_leaves_is_what_the_rule_says(events in any_events()) {
        let events: Vec<Event> =
            events.into_iter().filter(|event| !matches!(event, Event::EndOfInput)).collect();
        let got = run(&maker(left_join()), &inputs(), &events, Cuts::Whole, false);
        prop_assert_eq!(model(&events), got);
    }
}
