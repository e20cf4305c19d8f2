use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;

use crate::{ColumnSource, ColumnSpec, DecodeSpec, Decoder, Format, Headers, Message, NullValue};

#[track_caller]
fn check(data_type: DataType, payload: &[u8], expected: Result<&str, &str>) {
    let source = ColumnSource::Value("v".to_owned());
    let columns = vec![ColumnSpec { name: "v".to_owned(), data_type, source }];
    let spec = DecodeSpec { format: Format::Raw, columns, null_value: NullValue::Skip };
    let message = Message {
        key: None,
        payload: Some(payload),
        partition: 0,
        offset: 0,
        timestamp_ms: None,
        headers: Headers::NONE,
    };
    let mut rejected = Vec::new();
    let decoded = Decoder::new(spec).expect("supported").decode([message], &mut rejected);
    let seen = match rejected.pop() {
        Some(rejected) => Err(rejected.reason.to_string()),
        None => Ok(array_value_to_string(decoded.expect("small").rows.column(0), 0).expect("text")),
    };
    assert_eq!(seen.as_deref().map_err(String::as_str), expected);
}

#[test]
fn the_whole_value_is_one_column() {
    check(DataType::Utf8, b" {x ", Ok(" {x "));
    check(
        DataType::Utf8,
        b"\xff",
        Err("`v` is not UTF-8, which is no value for STRING: `\u{fffd}`"),
    );
    check(DataType::Binary, b"\xff\x00", Ok("ff00"));
    check(DataType::Boolean, b"\x01", Ok("true"));
    check(DataType::Int8, b"\xff", Ok("-1"));
    check(DataType::Int16, b"\x01\x00", Ok("256"));
    check(DataType::Int32, b"\xff\xff\xff\xfe", Ok("-2"));
    check(DataType::Int64, &7_i64.to_be_bytes(), Ok("7"));
    check(DataType::Float32, &1.5_f32.to_be_bytes(), Ok("1.5"));
    check(DataType::Float64, &f64::INFINITY.to_be_bytes(), Ok("inf"));
    check(DataType::Int64, b"7", Err("`v` is no value for BIGINT: `1 bytes`"));
}
