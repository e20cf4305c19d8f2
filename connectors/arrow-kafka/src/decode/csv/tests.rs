use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};

use crate::{
    ColumnSource, ColumnSpec, CsvFormat, DecodeSpec, Decoder, Format, Headers, Message, NullValue,
};

/// Decodes fields `a` (STRING) and `b` (BIGINT) of one record.
#[track_caller]
fn check(record: &str, expected: Result<(Option<&str>, Option<i64>), &str>) {
    let mut format = CsvFormat::new(vec!["a".to_owned(), "skipped".to_owned(), "b".to_owned()]);
    format.null_literal = Some("NULL".to_owned());
    format.escape = Some(b'\\');
    let column = |name: &str, data_type| ColumnSpec {
        name: name.to_owned(),
        data_type,
        source: ColumnSource::Value(name.to_owned()),
    };
    let mut decoder = Decoder::new(DecodeSpec {
        format: Format::Csv(format),
        columns: vec![column("b", DataType::Int64), column("a", DataType::Utf8)],
        null_value: NullValue::Skip,
    })
    .expect("supported types");
    let message = Message {
        key: None,
        payload: Some(record.as_bytes()),
        partition: 0,
        offset: 0,
        timestamp_ms: None,
        headers: Headers::NONE,
    };
    let mut rejected = Vec::new();
    let decoded = decoder.decode([message], &mut rejected).expect("small");
    let reason = rejected.pop().map(|rejected| rejected.reason.to_string());
    let seen = match &reason {
        Some(reason) => Err(reason.as_str()),
        None => Ok((
            decoded.rows.column(1).as_string::<i32>().iter().next().flatten(),
            decoded.rows.column(0).as_primitive::<Int64Type>().iter().next().flatten(),
        )),
    };
    assert_eq!(seen, expected, "{record:?}");
}

#[test]
fn records_follow_rfc_4180() {
    check("x,,1", Ok((Some("x"), Some(1))));
    check("x,y,1\r\n", Ok((Some("x"), Some(1))));
    check("\"x,\"\"y\"\"\",,\"1\"", Ok((Some("x,\"y\""), Some(1))));
    check("\"x\\\"\\\\\",,1", Ok((Some("x\"\\"), Some(1))));
    check("\"two\nlines\",,1", Ok((Some("two\nlines"), Some(1))));
    check(",,", Ok((Some(""), None)));
    check("NULL,,NULL", Ok((None, None)));
    check("\"NULL\",, 7 ", Ok((Some("NULL"), Some(7))));
    check("x,y", Err("2 fields where 3 are declared"));
    check("x,y,1,z,z", Err("4 fields where 3 are declared"));
    check("\"x,,1", Err("a closing quote expected at byte 5"));
    check("\"x\"y,,1", Err("a delimiter expected at byte 3"));
    check("x,,abc", Err("`b` is no value for BIGINT: `abc`"));
}
