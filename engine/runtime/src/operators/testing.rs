//! Runs operators on rows and advances written as text, however they are cut into batches.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int8Array, Int32Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::logical_expr::Operator as Binary;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion::scalar::ScalarValue;
use planner::dataflow::Expression;
use stream::{Advance, Batch, Origin, RowKind, Watermark};

use crate::operator::{DiscardReason, Operator, Output};

/// How far the tests' watermark trails the greatest event time.
const OUT_OF_ORDERNESS_MS: i64 = 5_000;

/// Event time in milliseconds, UTC.
pub(crate) fn event_time() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

/// A schema of nullable columns.
pub(crate) fn schema(columns: &[(&str, DataType)]) -> SchemaRef {
    let field = |(name, data_type): &(&str, DataType)| Field::new(*name, data_type.clone(), true);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// What one line of a script says.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A row at a port, with its kind.
    Row(usize, RowKind, Vec<ScalarValue>),
    /// The watermark of port 0 rises.
    Advance(i64),
    /// `--close-windows`.
    EndOfInput,
}

/// Reads a script for operators whose ports have these schemas.
///
/// Lines: `row A B ...` and `version A B ...` (port 1), `delete A B ...` (port 1, a tombstone),
/// `advance MS`, `end`. After a `row` the watermark rises to its time less 5 s, if that is more; so it
/// does at `filtered MS`, which stands for a row that a filter has dropped. `NULL` is null.
pub(crate) fn script(text: &str, schemas: &[SchemaRef], time: usize) -> Vec<Event> {
    let mut events = Vec::new();
    let mut watermark = i64::MIN;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut words = line.split_whitespace();
        let command = words.next().expect("the line is not empty");
        let values: Vec<&str> = words.collect();
        let mut seen = None;
        match command {
            "row" => {
                let row = row(&values, &schemas[0]);
                seen = match &row[time] {
                    ScalarValue::TimestampMillisecond(time, _) => *time,
                    other => panic!("`{other}` is no event time"),
                };
                events.push(Event::Row(0, RowKind::Insert, row));
            }
            "version" => events.push(Event::Row(1, RowKind::Insert, row(&values, &schemas[1]))),
            "delete" => events.push(Event::Row(1, RowKind::Delete, row(&values, &schemas[1]))),
            "filtered" => seen = Some(values[0].parse().expect("a time in milliseconds")),
            "advance" => {
                events.push(Event::Advance(values[0].parse().expect("a time in milliseconds")));
            }
            "end" => events.push(Event::EndOfInput),
            other => panic!("unknown command `{other}`"),
        }
        if let Some(seen) = seen.filter(|seen| seen - OUT_OF_ORDERNESS_MS > watermark) {
            watermark = seen - OUT_OF_ORDERNESS_MS;
            events.push(Event::Advance(watermark));
        }
    }
    events
}

fn row(values: &[&str], schema: &SchemaRef) -> Vec<ScalarValue> {
    assert_eq!(values.len(), schema.fields().len(), "{values:?}");
    let value = |(text, field): (&&str, &Arc<Field>)| match (*text, field.data_type()) {
        ("NULL", data_type) => ScalarValue::try_from(data_type).expect("every type has a null"),
        (text, DataType::Timestamp(_, _)) => {
            let time = text.parse().expect("a time in milliseconds");
            ScalarValue::TimestampMillisecond(Some(time), Some("UTC".into()))
        }
        (text, data_type) => ScalarValue::try_from_string(text.to_owned(), data_type)
            .unwrap_or_else(|error| panic!("`{text}`: {error}")),
    };
    values.iter().zip(schema.fields()).map(value).collect()
}

/// How events are cut into batches.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cuts<'a> {
    /// As few as can be.
    Whole,
    /// One event a batch.
    Each,
    /// A cut before each event whose place (modulo the length) is true.
    At(&'a [bool]),
}

impl Cuts<'_> {
    fn is_cut(self, place: usize) -> bool {
        match self {
            Self::Whole => false,
            Self::Each => true,
            Self::At(cuts) => cuts.get(place % cuts.len().max(1)).copied().unwrap_or(false),
        }
    }
}

/// Runs events; with `restores`, every batch is folded by a new operator restored from a snapshot.
/// Gives a line for each row and advance, then one for each discarded row.
pub(crate) fn run(
    make: &dyn Fn() -> Box<dyn Operator>,
    schemas: &[SchemaRef],
    events: &[Event],
    cuts: Cuts<'_>,
    restores: bool,
) -> String {
    let mut operator = make();
    let mut text = String::new();
    let mut discarded = Vec::new();
    let mut from = 0;
    while from < events.len() {
        let mut to = from + 1;
        while to < events.len() && goes_on(&events[from], &events[to]) && !cuts.is_cut(to) {
            to += 1;
        }
        if restores {
            let tables = operator.snapshot();
            operator = make();
            operator.restore(tables).expect("a snapshot fits the operator it was taken from");
        }
        let mut output = Output::default();
        match port(&events[from]) {
            None => operator.end_of_input(&mut output),
            Some(port) => {
                let batch = batch(&events[from..to], &schemas[port], from);
                operator.push(port, batch, &mut output)
            }
        }
        .expect("no row is to blame");
        print(&output, &mut text);
        discarded.extend(discarded_lines(&output));
        from = to;
    }
    discarded.sort();
    for (_, line) in discarded {
        writeln!(text, "{line}").expect("text takes all");
    }
    text
}

/// Runs a script in every way and compares what comes out with `expected`.
pub(crate) fn check(
    make: &dyn Fn() -> Box<dyn Operator>,
    schemas: &[SchemaRef],
    events: &[Event],
    expected: &str,
) {
    let expected: Vec<&str> =
        expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    for (cuts, restores) in [
        (Cuts::Whole, false),
        (Cuts::Each, false),
        (Cuts::Each, true),
        (Cuts::At(&[true, false, false]), true),
    ] {
        let got = run(make, schemas, events, cuts, restores);
        let got: Vec<&str> = got.lines().collect();
        assert_eq!(got, expected, "cuts: {cuts:?}, restores: {restores}");
    }
}

fn port(event: &Event) -> Option<usize> {
    match event {
        Event::Row(port, _, _) => Some(*port),
        Event::Advance(_) => Some(0),
        Event::EndOfInput => None,
    }
}

fn goes_on(first: &Event, next: &Event) -> bool {
    port(first).is_some() && port(first) == port(next)
}

/// The batch of some rows and advances of one port.
pub(crate) fn batch(events: &[Event], schema: &SchemaRef, first_offset: usize) -> Batch {
    let mut rows: Vec<&Vec<ScalarValue>> = Vec::new();
    let mut kinds = Vec::new();
    let mut offsets = Vec::new();
    let mut advances = Vec::new();
    for (place, event) in events.iter().enumerate() {
        match event {
            Event::Row(_, kind, row) => {
                rows.push(row);
                kinds.push(kind.code());
                offsets.push(i64::try_from(first_offset + place).expect("few rows"));
            }
            Event::Advance(time) => {
                advances.push(Advance { position: rows.len(), watermark: Watermark(*time) });
            }
            Event::EndOfInput => {}
        }
    }
    let columns: Vec<ArrayRef> = (0..schema.fields().len())
        .map(|column| {
            let values = rows.iter().map(|row| row[column].clone());
            if rows.is_empty() {
                arrow::array::new_empty_array(schema.field(column).data_type())
            } else {
                ScalarValue::iter_to_array(values).expect("values of one type")
            }
        })
        .collect();
    let origin = Origin {
        partition: Int32Array::from(vec![0; rows.len()]),
        offset: Int64Array::from(offsets),
    };
    Batch {
        rows: RecordBatch::try_new(Arc::clone(schema), columns).expect("columns of the schema"),
        kinds: Some(Int8Array::from(kinds)),
        origin: Some(origin),
        advances,
    }
}

/// One line a row or advance.
fn print(output: &Output, text: &mut String) {
    for batch in &output.batches {
        let mut advances = batch.advances.iter().peekable();
        for row in 0..=batch.row_count() {
            while let Some(advance) = advances.next_if(|advance| advance.position <= row) {
                writeln!(text, "advance {}", advance.watermark.0).expect("text takes all");
            }
            if row < batch.row_count() {
                writeln!(text, "{}", line(&batch.rows, row)).expect("text takes all");
            }
        }
        assert!(advances.next().is_none(), "an advance stands behind the rows");
    }
}

/// One line a discarded row, with its offset.
fn discarded_lines(output: &Output) -> Vec<(i64, String)> {
    let mut discarded = Vec::new();
    for rows in &output.discarded {
        let reason = match rows.reason {
            DiscardReason::Late => "late",
            DiscardReason::ClosedByUser => "closed",
            DiscardReason::Failed => "failed",
        };
        let origin = rows.origin.as_ref().expect("the tests' rows have origins");
        for row in 0..rows.rows.num_rows() {
            let line = format!("{reason}: {}", line(&rows.rows, row));
            discarded.push((origin.offset.value(row), line));
        }
    }
    discarded
}

fn line(rows: &RecordBatch, row: usize) -> String {
    let options = FormatOptions::new().with_null("NULL");
    let value = |column: &ArrayRef| {
        // Zones are of no interest, milliseconds read better.
        let column = match column.data_type() {
            DataType::Timestamp(_, _) => {
                arrow::compute::cast(column, &DataType::Int64).expect("a time is a number")
            }
            _ => Arc::clone(column),
        };
        let formatter = ArrayFormatter::try_new(column.as_ref(), &options).expect("it has a text");
        formatter.value(row).to_string()
    };
    rows.columns().iter().map(value).collect::<Vec<_>>().join(" ")
}

/// The column `index` of a schema.
pub(crate) fn column(schema: &SchemaRef, index: usize) -> Expression {
    let field = schema.field(index);
    expression(Arc::new(Column::new(field.name(), index)), field.data_type(), &format!("${index}"))
}

/// A constant.
pub(crate) fn literal(value: ScalarValue) -> Expression {
    let (data_type, text) = (value.data_type(), value.to_string());
    expression(Arc::new(Literal::new(value)), &data_type, &text)
}

/// Two expressions and what is between them.
pub(crate) fn binary(
    left: &Expression,
    operator: Binary,
    right: &Expression,
    data_type: &DataType,
) -> Expression {
    let text = format!("({} {operator} {})", left.text, right.text);
    let (left, right) = (Arc::clone(&left.physical), Arc::clone(&right.physical));
    expression(Arc::new(BinaryExpr::new(left, operator, right)), data_type, &text)
}

fn expression(physical: Arc<dyn PhysicalExpr>, data_type: &DataType, text: &str) -> Expression {
    let data_type = data_type.clone();
    Expression { physical, text: text.into(), data_type, is_nullable: true }
}
