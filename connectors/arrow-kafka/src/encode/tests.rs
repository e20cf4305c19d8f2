//! What rows look like once written, and that decoding gives them back.

use std::sync::Arc;

use arrow::array::{
    Array, BinaryArray, Float64Array, Int32Array, Int64Array, ListArray, MapArray, StringArray,
    StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{Field, Fields, Int64Type, Schema, TimeUnit};
use proptest::prelude::*;

use super::*;
use crate::decode::{ColumnSource, ColumnSpec, DecodeSpec, Decoder, Format, NullValue};
use crate::message::{Headers, Message};

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .expect("even columns")
}

fn lines(encoded: &Encoded) -> Vec<&str> {
    (0..encoded.len())
        .map(|row| std::str::from_utf8(encoded.value(row).expect("a row")).expect("text"))
        .collect()
}

/// The rows of `batch` as JSON of `format`.
#[track_caller]
fn check(batch: &RecordBatch, format: JsonFormat, expected: &[&str]) {
    let spec =
        EncodeSpec { format: OutputFormat::Json(format), ..EncodeSpec::json(batch.schema()) };
    let encoded = Encoder::new(spec).and_then(|mut encoder| encoder.encode(batch));
    assert_eq!(lines(&encoded.expect("supported")), expected);
}

fn multiset() -> ArrayRef {
    let entries = StructArray::from(vec![
        (
            Arc::new(Field::new("key", DataType::Utf8, false)),
            Arc::new(StringArray::from(vec!["Toys & Games", "x\"y"])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("value", DataType::Int32, false)),
            Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef,
        ),
    ]);
    let field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    let offsets = OffsetBuffer::from_lengths([2, 0]);
    Arc::new(MapArray::new(field, offsets, entries, None, false))
}

#[test]
fn nulls_are_written_unless_they_are_left_out() {
    let rows = batch(vec![
        ("a", Arc::new(StringArray::from(vec![None, Some("x")])) as ArrayRef),
        ("b\"", Arc::new(Int64Array::from(vec![None, Some(-5)])) as ArrayRef),
    ]);
    check(&rows, JsonFormat::default(), &[r#"{"a":null,"b\"":null}"#, r#"{"a":"x","b\"":-5}"#]);
    let sparse = JsonFormat { omit_nulls: true, ..JsonFormat::default() };
    check(&rows, sparse, &["{}", r#"{"a":"x","b\"":-5}"#]);
}

#[test]
fn a_multiset_is_an_object_or_an_array() {
    let rows = batch(vec![("m", multiset())]);
    check(&rows, JsonFormat::default(), &[r#"{"m":{"Toys & Games":1,"x\"y":2}}"#, r#"{"m":{}}"#]);
    let array = JsonFormat { multiset: MultisetFormat::Array, ..JsonFormat::default() };
    check(&rows, array, &[r#"{"m":["Toys & Games","x\"y","x\"y"]}"#, r#"{"m":[]}"#]);
}

#[test]
fn what_is_no_number_and_no_text_stands_in_quotes() {
    let rows = batch(vec![
        ("d", Arc::new(Float64Array::from(vec![f64::NAN])) as ArrayRef),
        ("y", Arc::new(BinaryArray::from(vec![&[1, 2, 255, 254][..]])) as ArrayRef),
        ("l", Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1), None])]))),
    ]);
    check(&rows, JsonFormat::default(), &[r#"{"d":"NaN","y":"AQL//g==","l":[1,null]}"#]);
}

#[test]
fn keys_are_text_without_quotes_and_null_is_no_key() {
    let rows = batch(vec![
        ("k", Arc::new(StringArray::from(vec![Some("a\""), None, Some("")])) as ArrayRef),
        ("n", Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef),
        ("hidden", Arc::new(Int64Array::from(vec![0; 3])) as ArrayRef),
    ]);
    for (key, expected) in [
        (0, [Some(&b"a\""[..]), None, Some(&b""[..])]),
        (1, [Some(&b"1"[..]), Some(b"2"), Some(b"3")]),
    ] {
        let columns = vec![1, 0];
        let spec = EncodeSpec { key: Some(key), columns, ..EncodeSpec::json(rows.schema()) };
        let encoded = Encoder::new(spec).and_then(|mut encoder| encoder.encode(&rows));
        let encoded = encoded.expect("supported");
        assert_eq!([0, 1, 2].map(|row| encoded.key(row)), expected);
        assert_eq!(encoded.value(0), Some(&br#"{"n":1,"k":"a\""}"#[..]));
        assert_eq!((encoded.value(3), encoded.key(3)), (None, None));
    }
}

#[test]
fn csv_is_quoted_where_it_must_be() {
    let rows = batch(vec![
        ("a", Arc::new(StringArray::from(vec![Some("x"), Some("a,\"b\""), Some(""), None])) as _),
        ("b", Arc::new(Int64Array::from(vec![Some(1), None, Some(3), Some(4)])) as _),
    ]);
    let format = OutputFormat::Csv(CsvOutput::default());
    let spec = EncodeSpec { format, ..EncodeSpec::json(rows.schema()) };
    let encoded = Encoder::new(spec).and_then(|mut encoder| encoder.encode(&rows));
    let encoded = encoded.expect("supported");
    assert_eq!(lines(&encoded), ["x,1", "\"a,\"\"b\"\"\",", "\"\",3", ",4"]);
}

#[test]
fn raw_is_the_bytes_of_the_one_column() {
    let rows = batch(vec![("a", Arc::new(Int32Array::from(vec![Some(-2), None])) as ArrayRef)]);
    let spec = EncodeSpec { format: OutputFormat::Raw, ..EncodeSpec::json(rows.schema()) };
    let encoded = Encoder::new(spec).and_then(|mut encoder| encoder.encode(&rows));
    let encoded = encoded.expect("supported");
    assert_eq!([0, 1].map(|row| encoded.value(row)), [Some(&[255, 255, 255, 254][..]), Some(&[])]);
    let two = batch(vec![("a", multiset()), ("b", multiset())]);
    let spec = EncodeSpec { format: OutputFormat::Raw, ..EncodeSpec::json(two.schema()) };
    assert_eq!(
        Encoder::new(spec).map(|_| ()).map_err(|error| error.to_string()),
        Err("column `a` cannot be MAP in a raw value".to_owned())
    );
}

#[test]
fn rows_of_another_schema_are_refused() {
    let rows = batch(vec![("a", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]);
    let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Utf8, true)]));
    let encoded = Encoder::new(EncodeSpec::json(schema)).expect("supported").encode(&rows);
    assert_eq!(encoded.map(|_| ()), Err(CodecError::OtherRows { column: "a".to_owned() }));
}

#[test]
fn one_row_can_be_written_alone() {
    let rows = batch(vec![("a", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef)]);
    assert_eq!(row_as_json(&rows, 1), Ok(br#"{"a":2}"#.to_vec()));
    assert_eq!(row_as_json(&rows, 2), Ok(Vec::new()));
}

/// JSON texts of values of many types, in the order of [`types`].
#[derive(Clone, Debug)]
struct Row {
    text: Option<String>,
    bytes: Option<Vec<u8>>,
    flag: Option<bool>,
    integer: Option<i64>,
    float: Option<f32>,
    double: Option<f64>,
    decimal: Option<i64>,
    milliseconds: Option<i64>,
    list: Option<Vec<Option<String>>>,
}

prop_compose! {
    fn row()(
        text in any::<Option<String>>(),
        bytes in any::<Option<Vec<u8>>>(),
        flag in any::<Option<bool>>(),
        integer in any::<Option<i64>>(),
        float in any::<Option<f32>>(),
        double in any::<Option<f64>>(),
        decimal in any::<Option<i64>>(),
        milliseconds in prop::option::of(-62_000_000_000_000..253_000_000_000_000_i64),
        list in any::<Option<Vec<Option<String>>>>(),
    ) -> Row {
        Row { text, bytes, flag, integer, float, double, decimal, milliseconds, list }
    }
}

fn columns(rows: &[Row]) -> Vec<(&'static str, ArrayRef)> {
    use arrow::array::{
        BooleanArray, Date32Array, Decimal128Array, Float32Array, Int8Array, ListBuilder,
        StringBuilder, Time32MillisecondArray, TimestampMicrosecondArray,
        TimestampMillisecondArray,
    };
    let texts: StringArray = rows.iter().map(|row| row.text.as_deref()).collect();
    let binary: BinaryArray = rows.iter().map(|row| row.bytes.as_deref()).collect();
    let flags: BooleanArray = rows.iter().map(|row| row.flag).collect();
    let small: Int8Array = rows
        .iter()
        .map(|row| row.integer.map(|value| value.to_le_bytes()[0].cast_signed()))
        .collect();
    let integers: Int64Array = rows.iter().map(|row| row.integer).collect();
    let floats: Float32Array = rows.iter().map(|row| row.float).collect();
    let doubles: Float64Array = rows.iter().map(|row| row.double).collect();
    let decimals: Decimal128Array = rows.iter().map(|row| row.decimal.map(i128::from)).collect();
    let plain: TimestampMillisecondArray = rows.iter().map(|row| row.milliseconds).collect();
    let micros: TimestampMicrosecondArray =
        rows.iter().map(|row| row.milliseconds.map(|value| value * 1_000 + 7)).collect();
    let day = |value: i64| i32::try_from(value.div_euclid(86_400_000)).expect("in range");
    let dates: Date32Array = rows.iter().map(|row| row.milliseconds.map(day)).collect();
    let of_day = |value: i64| i32::try_from(value.rem_euclid(86_400_000)).expect("in range");
    let times: Time32MillisecondArray =
        rows.iter().map(|row| row.milliseconds.map(of_day)).collect();
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in rows {
        match &row.list {
            None => lists.append_null(),
            Some(items) => lists.append_value(items.iter().map(Option::as_deref)),
        }
    }
    let fields = Fields::from(vec![
        Field::new("a\"", DataType::Utf8, true),
        Field::new("b", DataType::Int64, true),
    ]);
    let nulls = rows.iter().map(|row| row.flag.is_some()).collect();
    let structs = StructArray::new(
        fields,
        vec![Arc::new(texts.clone()), Arc::new(integers.clone())],
        Some(nulls),
    );
    // Children of a NULL row are hidden, so they are made NULL for the comparison.
    let structs = arrow::compute::take(
        &structs,
        &arrow::array::UInt64Array::from_iter_values(0..rows.len() as u64),
        None,
    );
    vec![
        ("text", Arc::new(texts)),
        ("bytes", Arc::new(binary)),
        ("flag", Arc::new(flags)),
        ("small", Arc::new(small)),
        ("integer", Arc::new(integers)),
        ("float", Arc::new(floats)),
        ("double", Arc::new(doubles)),
        ("decimal", Arc::new(decimals.with_precision_and_scale(20, 3).expect("wide enough"))),
        ("plain", Arc::new(plain)),
        ("micros", Arc::new(micros.with_timezone("UTC"))),
        ("date", Arc::new(dates)),
        ("time", Arc::new(times)),
        ("list", Arc::new(lists.finish())),
        ("row", structs.expect("in range")),
    ]
}

proptest! {
    #[test]
    fn decoding_gives_back_what_was_encoded(
        rows in proptest::collection::vec(row(), 0..8),
        timestamp in prop_oneof![Just(TimestampFormat::Iso), Just(TimestampFormat::Sql)],
        decimal in prop_oneof![Just(DecimalFormat::Stripped), Just(DecimalFormat::Plain)],
        omit_nulls in any::<bool>(),
    ) {
        let rows = batch(columns(&rows));
        let format = JsonFormat { timestamp, decimal, omit_nulls, ..JsonFormat::default() };
        let spec = EncodeSpec { format: OutputFormat::Json(format), ..EncodeSpec::json(rows.schema()) };
        let encoded = Encoder::new(spec).and_then(|mut encoder| encoder.encode(&rows)).expect("supported");
        let schema = rows.schema();
        let columns = schema.fields().iter().map(|field| ColumnSpec {
            name: field.name().clone(),
            data_type: field.data_type().clone(),
            source: ColumnSource::Value(field.name().clone()),
        });
        let spec = DecodeSpec {
            format: Format::Json,
            columns: columns.collect(),
            null_value: NullValue::Skip,
        };
        let messages = (0..encoded.len()).map(|row| {
            let payload = encoded.value(row);
            Message { key: None, payload, partition: 0, offset: 0, timestamp_ms: None, headers: Headers::NONE }
        });
        let mut rejected = Vec::new();
        let decoded = Decoder::new(spec).expect("supported").decode(messages, &mut rejected).expect("small");
        prop_assert_eq!(&rejected, &[]);
        prop_assert_eq!(decoded.rows, rows);
        for line in lines(&encoded) {
            prop_assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{}", line);
        }
    }
}

#[test]
fn timestamps_follow_the_format() {
    use arrow::array::TimestampMillisecondArray;
    let values = vec![1_767_228_443_730];
    let plain = TimestampMillisecondArray::from(values.clone());
    let zoned = TimestampMillisecondArray::from(values).with_timezone("UTC");
    let rows = batch(vec![("t", Arc::new(plain) as ArrayRef), ("z", Arc::new(zoned) as ArrayRef)]);
    assert_eq!(
        *rows.schema().field(0).data_type(),
        DataType::Timestamp(TimeUnit::Millisecond, None)
    );
    let iso = r#"{"t":"2026-01-01T00:47:23.73","z":"2026-01-01T00:47:23.73Z"}"#;
    check(&rows, JsonFormat::default(), &[iso]);
    let format = JsonFormat { timestamp: TimestampFormat::Sql, ..JsonFormat::default() };
    check(&rows, format, &[&iso.replace('T', " ")]);
}
