use arrow::datatypes::{DataType, SchemaRef};
use datafusion::logical_expr::Operator as Binary;
use datafusion::scalar::ScalarValue;
use planner::dataflow::Expression;

use super::*;
use crate::operators::testing::{binary, check, column, event_time, literal, schema, script};

fn input() -> SchemaRef {
    schema(&[("time", event_time()), ("x", DataType::Int64)])
}

fn number(value: i64) -> Expression {
    literal(ScalarValue::Int64(Some(value)))
}

fn compare(left: &Expression, operator: Binary, right: i64) -> Expression {
    binary(left, operator, &number(right), &DataType::Boolean)
}

fn check_filter(predicate: &Expression, text: &str, expected: &str) {
    let schemas = [input()];
    let make = || Box::new(Filter::new("m/filter", predicate)) as Box<dyn Operator>;
    check(&make, &schemas, &script(text, &schemas, 0), expected);
}

#[test]
fn advances_of_dropped_rows_stay_in_their_places() {
    check_filter(
        &compare(&column(&input(), 1), Binary::Gt, 1),
        "
        row 10000 1
        row 11000 2
        row 9000 3
        row 20000 NULL
        ",
        "
        advance 5000
        11000 2
        advance 6000
        9000 3
        advance 15000
        ",
    );
}

#[test]
fn a_row_that_fails_does_so_alone_and_its_neighbours_do_not_matter() {
    let x = column(&input(), 1);
    let quotient = binary(&number(100), Binary::Divide, &x, &DataType::Int64);
    let guarded = binary(
        &compare(&x, Binary::NotEq, 0),
        Binary::And,
        &compare(&quotient, Binary::Gt, 1),
        &DataType::Boolean,
    );
    check_filter(&guarded, "row 0 0\nrow 0 10\nrow 0 100", "advance -5000\n0 10");
    check_filter(
        &compare(&quotient, Binary::Gt, 1),
        "row 9000 10\nrow 1000 0\nrow 2000 20",
        "
        9000 10
        advance 4000
        2000 20
        failed: 1000 0
        ",
    );
}
