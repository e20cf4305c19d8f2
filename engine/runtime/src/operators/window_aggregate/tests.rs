use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use datafusion::logical_expr::Operator as Binary;
use datafusion::scalar::ScalarValue;
use planner::dataflow::AggregateFunction as F;
use proptest::prelude::*;

use super::*;
use crate::operators::testing::{
    Cuts, Event, binary, check, column, event_time, literal, run, schema, script,
};

/// Key, time and a value.
fn input(value: DataType) -> [SchemaRef; 1] {
    [schema(&[("k", DataType::Utf8), ("time", event_time()), ("x", value)])]
}

fn call(function: F, value: &DataType, data_type: DataType) -> AggregateCall {
    let input = input(value.clone());
    let arguments = vec![column(&input[0], 2)];
    AggregateCall { function, arguments, is_distinct: false, filter: None, data_type }
}

fn count_rows() -> AggregateCall {
    AggregateCall { arguments: vec![], ..call(F::Count, &DataType::Utf8, DataType::Int64) }
}

fn distinct(call: AggregateCall) -> AggregateCall {
    AggregateCall { is_distinct: true, ..call }
}

/// Windows of 10 s keyed by `k`.
fn node(aggregates: Vec<AggregateCall>) -> dataflow::WindowAggregate {
    let input = input(DataType::Utf8);
    dataflow::WindowAggregate {
        window: dataflow::Window::Tumbling { size_ms: 10_000, offset_ms: 0 },
        time: 1,
        keys: vec![column(&input[0], 0)],
        aggregates,
        allowed_lateness_ms: 0,
    }
}

fn maker(node: dataflow::WindowAggregate) -> impl Fn() -> Box<dyn Operator> {
    move || {
        let plain = DataType::Timestamp(TimeUnit::Millisecond, None);
        let mut columns: Vec<(&str, DataType)> =
            node.keys.iter().map(|key| ("k", key.data_type.clone())).collect();
        columns.extend([("start", plain.clone()), ("end", plain), ("time", event_time())]);
        columns.extend(node.aggregates.iter().map(|call| ("a", call.data_type.clone())));
        let operator = WindowAggregate::new("m/window", &node, &schema(&columns));
        Box::new(operator.expect("the node can be run"))
    }
}

fn check_windows(node: dataflow::WindowAggregate, text: &str, expected: &str) {
    let schemas = input(DataType::Utf8);
    check(&maker(node), &schemas, &script(text, &schemas, 1), expected);
}

/// What one aggregate gives for values of one group and window, as text.
fn check_value(call: AggregateCall, values: &[&str], expected: &str) {
    let schemas = input(call.arguments.first().map_or(DataType::Utf8, |a| a.data_type.clone()));
    let lines: Vec<_> = values.iter().map(|value| format!("row k 1000 {value}")).collect();
    let text = format!("{}\nend", lines.join("\n"));
    let expected = format!("advance -4000\nk 0 10000 9999 {expected}");
    check(&maker(node(vec![call])), &schemas, &script(&text, &schemas, 1), &expected);
}

#[test]
fn a_window_fires_when_the_watermark_reaches_its_last_millisecond() {
    check_windows(
        node(vec![count_rows()]),
        "
        row a 0 x
        row a 9999 x
        row a 10000 x
        filtered 14998
        filtered 14999
        ",
        "
        advance -5000
        advance 4999
        advance 5000
        advance 9998
        a 0 10000 9999 2
        advance 9999
        ",
    );
}

#[test]
fn a_row_is_late_only_if_its_window_is_over() {
    check_windows(
        node(vec![count_rows()]),
        "
        row a 14998 x
        row a 9000 x
        row a 14999 x
        row a 9999 x
        row a 10000 x
        end
        ",
        "
        advance 9998
        a 0 10000 9999 1
        advance 9999
        a 10000 20000 19999 3
        late: a 9999 x
        ",
    );
}

#[test]
fn allowed_lateness_lets_a_window_fire_later_and_once() {
    check_windows(
        dataflow::WindowAggregate { allowed_lateness_ms: 2_000, ..node(vec![count_rows()]) },
        "
        row a 16998 x
        row a 9999 x
        row b 16999 x
        row a 9999 x
        ",
        "
        advance 11998
        a 0 10000 9999 1
        advance 11999
        late: a 9999 x
        ",
    );
}

#[test]
fn groups_leave_by_window_end_then_first_arrival() {
    check_windows(
        node(vec![count_rows()]),
        "
        row b 10000 x
        row a 9000 x
        row c 11000 x
        row NULL 8000 x
        row a 12000 x
        row b 13000 x
        row a 7000 x
        filtered 40000
        ",
        "
        advance 5000
        advance 6000
        advance 7000
        advance 8000
        a 0 10000 9999 2
        NULL 0 10000 9999 1
        b 10000 20000 19999 2
        c 10000 20000 19999 1
        a 10000 20000 19999 1
        advance 35000
        ",
    );
}

#[test]
fn windows_before_the_epoch_and_with_an_offset_start_at_multiples() {
    check_windows(
        node(vec![count_rows()]),
        "row a -1 x\nrow a -10000 x\nend",
        "advance -5001\na -10000 0 -1 2",
    );
    let window = dataflow::Window::Tumbling { size_ms: 10_000, offset_ms: 3_000 };
    check_windows(
        dataflow::WindowAggregate { window, ..node(vec![count_rows()]) },
        "row a 2999 x\nrow a 3000 x\nend",
        "
        advance -2001
        advance -2000
        a -7000 3000 2999 1
        a 3000 13000 12999 1
        ",
    );
}

#[test]
fn no_keys_make_one_group_for_each_window_that_has_rows() {
    check_windows(
        dataflow::WindowAggregate { keys: vec![], ..node(vec![count_rows()]) },
        "row a 1000 x\nrow b 2000 x\nrow b 32000 x\nend",
        "
        advance -4000
        advance -3000
        0 10000 9999 2
        advance 27000
        30000 40000 39999 1
        ",
    );
}

#[test]
fn after_close_windows_rows_of_closed_windows_are_discarded_and_the_rest_goes_on() {
    check_windows(
        node(vec![count_rows()]),
        "
        row a 1000 x
        end
        row a 2000 x
        row a 10000 x
        end
        end
        ",
        "
        advance -4000
        a 0 10000 9999 1
        advance -3000
        advance 5000
        a 10000 20000 19999 1
        closed: a 2000 x
        ",
    );
}

#[test]
fn sums_and_means_have_flinks_types() {
    use DataType as T;
    check_value(call(F::Sum, &T::Int8, T::Int8), &["100", "93"], "-63");
    check_value(call(F::Sum, &T::Int32, T::Int32), &["2147483647", "NULL", "2"], "-2147483647");
    check_value(call(F::Sum, &T::Int32, T::Int32), &["NULL"], "NULL");
    check_value(call(F::Sum, &T::Float32, T::Float32), &["1.25", "2.1", "-7.13"], "-3.7800002");
    check_value(
        call(F::Sum, &T::Float64, T::Float64),
        &["0.1", "0.2", "0.3"],
        "0.6000000000000001",
    );
    check_value(call(F::Sum, &T::Float64, T::Float64), &["1e308", "1e308"], "inf");
    check_value(call(F::Avg, &T::Int32, T::Int32), &["-3", "-4"], "-3");
    check_value(call(F::Avg, &T::Int8, T::Int8), &["100", "93", "-5"], "62");
    check_value(
        call(F::Avg, &T::Int32, T::Int32),
        &["2000000000", "2000000000", "3"],
        "1333333334",
    );
    check_value(
        call(F::Avg, &T::Int64, T::Int64),
        &["9223372036854775807", "5", "1"],
        "-3074457345618258601",
    );
    check_value(call(F::Avg, &T::Float32, T::Float32), &["1.25", "2.1", "-7.13"], "-1.2600001");
    check_value(call(F::Avg, &T::Float64, T::Float64), &["1.25", "2.1", "-7.13"], "-1.26");
    check_value(call(F::Avg, &T::Float64, T::Float64), &["NULL"], "NULL");
}

#[test]
fn decimals_are_exact_and_round_half_away_from_zero() {
    use DataType as T;
    let price = T::Decimal128(10, 2);
    let values = ["1.25", "2.50", "-7.13"];
    check_value(call(F::Sum, &price, T::Decimal128(38, 2)), &values, "-3.38");
    check_value(call(F::Avg, &price, T::Decimal128(38, 6)), &values, "-1.126667");
    check_value(call(F::Max, &price, price.clone()), &values, "2.50");
    check_value(call(F::StddevSamp, &price, T::Decimal128(38, 6)), &values, "5.236471");
    let fine = T::Decimal128(10, 6);
    let average = call(F::Avg, &fine, T::Decimal128(38, 6));
    check_value(average.clone(), &["0.000001", "0.000002"], "0.000002");
    check_value(average, &["-0.000001", "-0.000002"], "-0.000002");
    let whole = T::Decimal128(38, 0);
    let greatest = "99999999999999999999999999999999999999";
    check_value(call(F::Sum, &whole, whole.clone()), &[greatest, "5", "7"], "NULL");
    check_value(call(F::Sum, &whole, whole.clone()), &[greatest, "-1", "1"], greatest);
}

#[test]
fn the_least_and_the_greatest_of_every_type() {
    use DataType as T;
    let values = ["NaN", "1", "2"];
    check_value(call(F::Max, &T::Float64, T::Float64), &values, "NaN");
    check_value(call(F::Min, &T::Float64, T::Float64), &["1", "NaN", "0.5"], "0.5");
    check_value(call(F::Min, &T::Utf8, T::Utf8), &["b", "NULL", "B", "ä"], "B");
    check_value(call(F::Max, &T::Utf8, T::Utf8), &["b", "NULL", "B", "ä"], "ä");
    check_value(call(F::Max, &T::Boolean, T::Boolean), &["false", "true"], "true");
    check_value(call(F::Min, &T::Boolean, T::Boolean), &["NULL"], "NULL");
    check_value(call(F::Max, &event_time(), event_time()), &["-5", "7"], "7");
    check_value(distinct(call(F::Min, &T::Int64, T::Int64)), &["4", "4", "-1"], "-1");
}

#[test]
fn deviations_are_flinks() {
    use DataType as T;
    let doubles = ["100000001", "100000002", "100000004"];
    check_value(call(F::VarPop, &T::Float64, T::Float64), &doubles, "1.555555559694767");
    check_value(call(F::VarSamp, &T::Float64, T::Float64), &doubles, "2.3333333395421505");
    check_value(call(F::StddevPop, &T::Float64, T::Float64), &doubles, "1.2472191305840232");
    check_value(call(F::StddevSamp, &T::Float64, T::Float64), &doubles, "1.527525233684259");
    check_value(call(F::VarSamp, &T::Float64, T::Float64), &["1"], "NULL");
    check_value(call(F::VarPop, &T::Int32, T::Int32), &["1", "2", "4", "9"], "9");
    check_value(call(F::VarSamp, &T::Int32, T::Int32), &["1", "2", "4", "9"], "12");
    check_value(
        call(F::VarPop, &T::Int32, T::Int32),
        &["100000", "200000", "400000"],
        "2147483647",
    );
    check_value(
        call(F::VarPop, &T::Int64, T::Int64),
        &["100000", "200000", "400003"],
        "15555888890",
    );
    check_value(call(F::VarPop, &T::Int8, T::Int8), &["100", "93", "-5"], "-7");
    check_value(call(F::VarPop, &T::Float32, T::Float32), &["1.25", "2.1", "-7.13"], "17.348867");
    check_value(distinct(call(F::StddevPop, &T::Int32, T::Int32)), &["1", "2", "2", "9"], "3");
}

#[test]
fn counts_see_values_and_distinct_ones() {
    use DataType as T;
    check_value(call(F::Count, &T::Utf8, T::Int64), &["a", "NULL", "a"], "2");
    check_value(distinct(call(F::Count, &T::Utf8, T::Int64)), &["a", "NULL", "b", "a"], "2");
    check_value(
        distinct(call(F::Count, &T::Float64, T::Int64)),
        &["0.0", "-0.0", "NaN", "NaN"],
        "2",
    );
    check_value(distinct(call(F::Sum, &T::Int32, T::Int32)), &["1", "2", "2", "9"], "12");
    check_value(distinct(call(F::Avg, &T::Int32, T::Int32)), &["1", "2", "2", "9"], "4");
}

#[test]
fn lists_keep_the_order_of_arrival() {
    use DataType as T;
    let values = ["NULL", "b", "c", "a", "b", "NULL"];
    let array = T::List(Arc::new(Field::new("item", T::Utf8, true)));
    check_value(call(F::ListAgg, &T::Utf8, T::Utf8), &values, "b,c,a,b");
    check_value(distinct(call(F::ListAgg, &T::Utf8, T::Utf8)), &values, "b,c,a");
    check_value(call(F::ListAgg, &T::Utf8, T::Utf8), &["NULL"], "NULL");
    check_value(call(F::ArrayAgg, &T::Utf8, array.clone()), &values, "[NULL, b, c, a, b, NULL]");
    check_value(distinct(call(F::ArrayAgg, &T::Utf8, array)), &values, "[NULL, b, c, a]");
    check_value(call(F::FirstValue, &T::Utf8, T::Utf8), &values, "b");
    check_value(call(F::LastValue, &T::Utf8, T::Utf8), &values, "b");
    check_value(call(F::LastValue, &T::Float64, T::Float64), &["1", "-0.0", "NULL"], "-0.0");
    let mut with_separator = call(F::ListAgg, &T::Utf8, T::Utf8);
    with_separator.arguments.push(literal(ScalarValue::Utf8(Some(" | ".to_owned()))));
    check_value(with_separator, &values, "b | c | a | b");
}

/// MULTISET of a type.
fn multiset(value: DataType) -> DataType {
    let fields = Fields::from(vec![
        Field::new("key", value, false),
        Field::new("value", DataType::Int32, false),
    ]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(fields), false)), false)
}

#[test]
fn a_multiset_counts_values_that_are_not_null() {
    use DataType as T;
    let collect = call(F::Collect, &T::Utf8, multiset(T::Utf8));
    check_value(collect.clone(), &["b", "NULL", "a", "b"], "{b: 2, a: 1}");
    check_value(distinct(collect.clone()), &["b", "NULL", "a", "b"], "{b: 1, a: 1}");
    check_value(collect, &["NULL"], "{}");
}

#[test]
fn a_filter_chooses_the_rows_of_its_aggregate_only() {
    let x = column(&input(DataType::Int64)[0], 2);
    let one = literal(ScalarValue::Int64(Some(1)));
    let filter = Some(binary(&x, Binary::Gt, &one, &DataType::Boolean));
    let sum = AggregateCall { filter, ..call(F::Sum, &DataType::Int64, DataType::Int64) };
    check_value(sum.clone(), &["1", "2", "NULL", "3"], "5");
    check_value(sum, &["1"], "NULL");
}

#[test]
fn a_row_without_time_and_one_that_fails_are_discarded() {
    let schemas = input(DataType::Int64);
    let x = column(&schemas[0], 2);
    let hundred = literal(ScalarValue::Int64(Some(100)));
    let mut sum = call(F::Sum, &DataType::Int64, DataType::Int64);
    sum.arguments = vec![binary(&hundred, Binary::Divide, &x, &DataType::Int64)];
    let mut events = script("row a 1000 5\nrow a 1000 0\nrow a 1000 10", &schemas, 1);
    events.push(Event::EndOfInput);
    check(
        &maker(node(vec![sum])),
        &schemas,
        &events,
        "advance -4000\na 0 10000 9999 30\nfailed: a 1000 0",
    );
}

/// Every kind of state in one operator.
fn every_aggregate() -> Vec<AggregateCall> {
    use DataType as T;
    let int = T::Int32;
    let array = T::List(Arc::new(Field::new("item", int.clone(), true)));
    let x = column(&input(int.clone())[0], 2);
    let three = literal(ScalarValue::Int32(Some(3)));
    let mut filtered = call(F::Sum, &int, int.clone());
    filtered.filter = Some(binary(&x, Binary::Gt, &three, &T::Boolean));
    vec![
        count_rows(),
        call(F::Count, &int, T::Int64),
        call(F::Sum, &int, int.clone()),
        filtered,
        call(F::Avg, &int, int.clone()),
        call(F::Avg, &int, T::Float64),
        call(F::Min, &int, int.clone()),
        call(F::StddevSamp, &int, T::Float64),
        call(F::Collect, &int, multiset(int.clone())),
        distinct(call(F::Collect, &int, multiset(int.clone()))),
        distinct(call(F::Count, &int, T::Int64)),
        distinct(call(F::Sum, &int, int.clone())),
        call(F::ArrayAgg, &int, array.clone()),
        distinct(call(F::ArrayAgg, &int, array)),
        call(F::FirstValue, &int, int.clone()),
        call(F::LastValue, &int, int.clone()),
    ]
}

fn any_events() -> impl Strategy<Value = Vec<Event>> {
    let line = prop_oneof![
        8 => ("[abc]|NULL", -20_i64..60, "[0-9]|NULL")
            .prop_map(|(key, time, x)| format!("row {key} {} {x}", time * 500)),
        1 => (0_i64..80).prop_map(|time| format!("filtered {}", time * 500)),
        1 => Just("end".to_owned()),
    ];
    prop::collection::vec(line, 0..40)
        .prop_map(|lines| script(&lines.join("\n"), &input(DataType::Int32), 1))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn cuts_and_restores_change_nothing(
        events in any_events(),
        cuts in prop::collection::vec(any::<bool>(), 1..20),
        allowed_lateness_ms in prop_oneof![Just(0), Just(3_000)],
    ) {
        let node = dataflow::WindowAggregate { allowed_lateness_ms, ..node(every_aggregate()) };
        let make = maker(node);
        let schemas = input(DataType::Int32);
        let whole = run(&make, &schemas, &events, Cuts::Whole, false);
        for (cuts, restores) in [
            (Cuts::Each, false),
            (Cuts::At(&cuts), false),
            (Cuts::At(&cuts), true),
            (Cuts::Each, true),
        ] {
            let got = run(&make, &schemas, &events, cuts, restores);
            prop_assert_eq!(&whole, &got);
        }
    }
}
