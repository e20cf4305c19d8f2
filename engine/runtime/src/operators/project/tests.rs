use arrow::datatypes::DataType;
use datafusion::logical_expr::Operator as Binary;
use datafusion::scalar::ScalarValue;

use super::*;
use crate::operators::testing::{binary, check, column, event_time, literal, schema, script};

#[test]
fn columns_are_computed_and_failed_rows_are_discarded() {
    let input = schema(&[("time", event_time()), ("x", DataType::Int64)]);
    let hundred = literal(ScalarValue::Int64(Some(100)));
    let quotient = binary(&hundred, Binary::Divide, &column(&input, 1), &DataType::Int64);
    let columns = [column(&input, 0), quotient, hundred];
    let output = schema(&[("time", event_time()), ("q", DataType::Int64), ("c", DataType::Int64)]);
    let make = || Box::new(Project::new("m/project", &columns, &output)) as Box<dyn Operator>;
    let schemas = [SchemaRef::clone(&input)];
    let text = "row 7000 3\nrow 9000 NULL\nrow 1000 0\nrow 8000 50";
    let expected = "
        7000 33 100
        advance 2000
        9000 NULL 100
        advance 4000
        8000 2 100
        failed: 1000 0
        ";
    check(&make, &schemas, &script(text, &schemas, 0), expected);
}
