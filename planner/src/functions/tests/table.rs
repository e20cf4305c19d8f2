//! The table `t` of `tests/functions/table.jsonl`, and the text of values as the tables write it.

use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BinaryArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Fields, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, Schema, SchemaRef, Time32MillisecondType, TimeUnit,
};
use arrow::json::ReaderBuilder;

use super::folder;
use crate::functions::calendar::{TimeOfDay, split};
use crate::functions::java_text::{
    write, write_date, write_decimal, write_double, write_real, write_time,
};
use crate::functions::types::per_second;

/// The columns; `bs` is read as text first, since it is written in base64.
pub(super) fn schema(bytes: DataType) -> SchemaRef {
    let list = |item| DataType::List(Arc::new(Field::new("item", item, true)));
    let entries = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Int32, true),
    ]);
    let map =
        DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false);
    let row = DataType::Struct(Fields::from(vec![
        Field::new("a", DataType::Int32, true),
        Field::new("b", DataType::Utf8, true),
    ]));
    let timestamp = |unit| DataType::Timestamp(unit, None);
    let columns = [
        ("id", DataType::Int32),
        ("b", DataType::Boolean),
        ("c", DataType::Boolean),
        ("ti", DataType::Int8),
        ("si", DataType::Int16),
        ("i", DataType::Int32),
        ("j", DataType::Int32),
        ("l", DataType::Int64),
        ("f", DataType::Float32),
        ("d", DataType::Float64),
        ("e", DataType::Float64),
        ("dc", DataType::Decimal128(10, 2)),
        ("dd", DataType::Decimal128(20, 5)),
        ("s", DataType::Utf8),
        ("z", DataType::Utf8),
        ("n", DataType::Utf8),
        ("bs", bytes),
        ("dt", DataType::Date32),
        ("tm", DataType::Time32(TimeUnit::Millisecond)),
        ("ts", timestamp(TimeUnit::Millisecond)),
        ("u", timestamp(TimeUnit::Millisecond)),
        ("t6", timestamp(TimeUnit::Microsecond)),
        ("lz", DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))),
        ("ai", list(DataType::Int32)),
        ("ass", list(DataType::Utf8)),
        ("m", map),
        ("r", row),
        ("js", DataType::Utf8),
    ];
    let fields: Vec<_> = columns.into_iter().map(|(name, t)| Field::new(name, t, true)).collect();
    Arc::new(Schema::new(fields))
}

pub(super) fn batch() -> RecordBatch {
    use base64::Engine;
    let file = BufReader::new(File::open(folder().join("table.jsonl")).unwrap());
    let mut reader = ReaderBuilder::new(schema(DataType::Utf8)).build(file).unwrap();
    let batch = reader.next().unwrap().unwrap();
    let mut columns = batch.columns().to_vec();
    let bytes = batch.schema().index_of("bs").unwrap();
    let decode = |text: &str| base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    let decoded: Vec<_> =
        columns[bytes].as_string::<i32>().iter().map(|text| text.map(decode)).collect();
    let decoded: BinaryArray = decoded.iter().map(Option::as_deref).collect();
    columns[bytes] = Arc::new(decoded);
    RecordBatch::try_new(schema(DataType::Binary), columns).unwrap()
}

/// The value's text in the tables.
pub(super) fn shown(array: &dyn Array, row: usize) -> String {
    use DataType as D;
    if array.is_null(row) {
        return "NULL".to_owned();
    }
    let mut out = String::new();
    match array.data_type() {
        D::Boolean => return array.as_boolean().value(row).to_string(),
        D::Int8 => return array.as_primitive::<Int8Type>().value(row).to_string(),
        D::Int16 => return array.as_primitive::<Int16Type>().value(row).to_string(),
        D::Int32 => return array.as_primitive::<Int32Type>().value(row).to_string(),
        D::Int64 => return array.as_primitive::<Int64Type>().value(row).to_string(),
        D::Float32 => write_real(&mut out, array.as_primitive::<Float32Type>().value(row)),
        D::Float64 => write_double(&mut out, array.as_primitive::<Float64Type>().value(row)),
        D::Decimal128(_, scale) => {
            write_decimal(&mut out, array.as_primitive::<Decimal128Type>().value(row), *scale);
        }
        D::Utf8 => {
            let text = array.as_string::<i32>().value(row).replace('\\', "\\\\");
            let text = text.replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r");
            return format!("'{text}'");
        }
        D::Binary => {
            for byte in array.as_binary::<i32>().value(row) {
                write(&mut out, format_args!("{byte:02x}"));
            }
            return format!("x'{out}'");
        }
        D::Date32 => write_date(&mut out, array.as_primitive::<Date32Type>().value(row).into()),
        D::Time32(_) => {
            let millis = array.as_primitive::<Time32MillisecondType>().value(row);
            let time = TimeOfDay::from_seconds(i64::from(millis) / 1000, 0);
            write_time(&mut out, time, 0);
        }
        D::Timestamp(unit, zone) => {
            let points = arrow::compute::cast(&array.slice(row, 1), &D::Int64).unwrap();
            let point = points.as_primitive::<Int64Type>().value(0);
            let (day, time) = split(point, per_second(*unit));
            write_date(&mut out, day.days());
            out.push(' ');
            write_time(&mut out, time, 0);
            if time.nano > 0 {
                out.push('.');
                out.push_str(format!("{:09}", time.nano).trim_end_matches('0'));
            }
            out.push_str(if zone.is_some() { "Z" } else { "" });
        }
        D::List(_) => {
            let items = array.as_list::<i32>().value(row);
            let items: Vec<_> = (0..items.len()).map(|i| shown(items.as_ref(), i)).collect();
            return format!("[{}]", items.join(", "));
        }
        D::Map(_, _) => {
            let entries = array.as_map().value(row);
            let entry =
                |i| format!("{}={}", shown(entries.column(0), i), shown(entries.column(1), i));
            let mut entries: Vec<_> = (0..entries.len()).map(entry).collect();
            entries.sort();
            return format!("{{{}}}", entries.join(", "));
        }
        D::Struct(_) => {
            let columns = array.as_struct().columns().iter();
            let fields: Vec<_> = columns.map(|column| shown(column.as_ref(), row)).collect();
            return format!("({})", fields.join(", "));
        }
        other => return format!("? {other}"),
    }
    out
}
