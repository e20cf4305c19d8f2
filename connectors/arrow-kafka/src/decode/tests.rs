//! The rules of decoding, one fact a line.

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, TimeUnit};
use arrow::util::display::array_value_to_string;
use proptest::prelude::*;

use super::*;
use crate::message::{Headers, OwnedMessages};

fn value(payload: Option<&[u8]>) -> Message<'_> {
    Message {
        key: None,
        payload,
        partition: 2,
        offset: 7,
        timestamp_ms: Some(1_000),
        headers: Headers::NONE,
    }
}

fn column(name: &str, data_type: DataType) -> ColumnSpec {
    let source = ColumnSource::Value(name.to_owned());
    ColumnSpec { name: name.to_owned(), data_type, source }
}

fn json(columns: Vec<ColumnSpec>) -> Decoder {
    let spec = DecodeSpec { format: Format::Json, columns, null_value: NullValue::Skip };
    Decoder::new(spec).expect("supported types")
}

/// Decodes `json` as the value of a field of `data_type`; `expected` is the text of the value,
/// `None` for NULL, or the problem.
#[track_caller]
fn check(data_type: &DataType, value_json: &str, expected: Result<Option<&str>, Problem>) {
    let record = format!("{{\"v\":{value_json}}}");
    let mut rejected = Vec::new();
    let decoded = json(vec![column("v", data_type.clone())])
        .decode([value(Some(record.as_bytes()))], &mut rejected)
        .expect("small");
    let seen = match rejected.pop().map(|rejected| rejected.reason) {
        Some(RejectReason::Field { problem, .. }) => Err(problem),
        Some(reason) => panic!("{record}: {reason}"),
        None => {
            let array = decoded.rows.column(0);
            Ok((!array.is_null(0)).then(|| array_value_to_string(array, 0).expect("a text")))
        }
    };
    let seen = seen.as_ref().map(Option::as_deref).map_err(|problem| *problem);
    assert_eq!(seen, expected, "{record} as {data_type}");
}

const WRONG: Result<Option<&str>, Problem> = Err(Problem::WrongType);
const RANGE: Result<Option<&str>, Problem> = Err(Problem::OutOfRange);
const INEXACT: Result<Option<&str>, Problem> = Err(Problem::Inexact);

#[test]
fn any_value_is_a_string_as_its_text() {
    for (json, expected) in [
        (r#""abc""#, "abc"),
        (r#""""#, ""),
        (r#""a\"\\\/\b\f\n\r\tb""#, "a\"\\/\u{8}\u{c}\n\r\tb"),
        (r#""\u00e9\uD83D\ude00\u0000""#, "é😀\0"),
        (r#""é😀""#, "é😀"),
        ("1.50", "1.50"),
        ("-1E+2", "-1E+2"),
        ("true", "true"),
        ("[ 1, {\"a b\" : \"c \\\" d\"} ]", "[1,{\"a b\":\"c \\\" d\"}]"),
        ("{}", "{}"),
    ] {
        check(&DataType::Utf8, json, Ok(Some(expected)));
    }
    check(&DataType::Utf8, "null", Ok(None));
}

#[test]
fn integers_are_read_when_nothing_is_lost() {
    for (json, expected) in [
        ("12", Ok(Some("12"))),
        ("-0", Ok(Some("0"))),
        ("12.0", Ok(Some("12"))),
        ("1.2e1", Ok(Some("12"))),
        ("120e-1", Ok(Some("12"))),
        (r#""12""#, Ok(Some("12"))),
        (r#"" +12 ""#, Ok(Some("12"))),
        ("null", Ok(None)),
        ("12.7", INEXACT),
        ("1e-1", INEXACT),
        (r#""12.0""#, WRONG),
        (r#""12.7""#, WRONG),
        (r#""""#, WRONG),
        (r#""abc""#, WRONG),
        ("true", WRONG),
        ("[1]", WRONG),
        ("3000000000", RANGE),
        ("1e999999999999999999999", RANGE),
    ] {
        check(&DataType::Int32, json, expected);
    }
    for (data_type, most, more) in [
        (DataType::Int8, "127", "128"),
        (DataType::Int16, "-32768", "-32769"),
        (DataType::Int32, "2147483647", "2147483648"),
        (DataType::Int64, "-9223372036854775808", "-9223372036854775809"),
    ] {
        check(&data_type, most, Ok(Some(most)));
        check(&data_type, more, RANGE);
    }
}

#[test]
fn floats_are_finite_unless_text_says_otherwise() {
    for (json, expected) in [
        ("1", Ok(Some("1.0"))),
        ("-0.0", Ok(Some("-0.0"))),
        ("123456789012345678901234567890", Ok(Some("1.2345678901234568e29"))),
        (r#""1.5""#, Ok(Some("1.5"))),
        (r#""NaN""#, Ok(Some("NaN"))),
        (r#""-Infinity""#, Ok(Some("-inf"))),
        ("1e999", RANGE),
        (r#""inf""#, WRONG),
        (r#""0x1p3""#, WRONG),
        (r#"".""#, WRONG),
        ("false", WRONG),
    ] {
        check(&DataType::Float64, json, expected);
    }
    check(&DataType::Float32, "0.1", Ok(Some("0.1")));
    check(&DataType::Float32, "1e39", RANGE);
}

#[test]
fn decimals_are_exact_and_round_half_up() {
    for (json, expected) in [
        ("1.005", Ok(Some("1.01"))),
        ("-1.005", Ok(Some("-1.01"))),
        ("1.0049999999999999999999999999999999999999999", Ok(Some("1.00"))),
        ("12345678.99", Ok(Some("12345678.99"))),
        (r#""48.2""#, Ok(Some("48.20"))),
        ("1.2E+2", Ok(Some("120.00"))),
        ("1e-400", Ok(Some("0.00"))),
        ("0e99999999999999999999", Ok(Some("0.00"))),
        ("0.005", Ok(Some("0.01"))),
        ("0.0005", Ok(Some("0.00"))),
        ("99999999.995", RANGE),
        ("100000000", RANGE),
        ("1e400", RANGE),
        (r#""NaN""#, WRONG),
        ("true", WRONG),
    ] {
        check(&DataType::Decimal128(10, 2), json, expected);
    }
    let widest = "99999999999999999999999999999999999999";
    check(&DataType::Decimal128(38, 0), widest, Ok(Some(widest)));
}

#[test]
fn booleans_are_words() {
    for (json, expected) in [
        ("true", Ok(Some("true"))),
        (r#""FALSE""#, Ok(Some("false"))),
        ("1", WRONG),
        (r#""yes""#, WRONG),
    ] {
        check(&DataType::Boolean, json, expected);
    }
}

#[test]
fn bytes_are_base64() {
    check(&DataType::Binary, r#""AQL//g==""#, Ok(Some("0102fffe")));
    check(&DataType::Binary, r#""AQL//g""#, Ok(Some("0102fffe")));
    check(&DataType::Binary, r#""A*""#, WRONG);
    check(&DataType::Binary, "1", WRONG);
}

#[test]
fn timestamps_come_in_iso_sql_and_epoch_form() {
    let plain = DataType::Timestamp(TimeUnit::Millisecond, None);
    for (json, expected) in [
        (r#""2026-01-01T00:00:00.178Z""#, Ok(Some("2026-01-01T00:00:00.178"))),
        (r#""2026-01-01 00:00:00.1789""#, Ok(Some("2026-01-01T00:00:00.178"))),
        (r#""2026-01-01T02:30:00+02:30""#, Ok(Some("2026-01-01T00:00:00"))),
        (r#""2026-01-01T00:00:00-0100""#, Ok(Some("2026-01-01T01:00:00"))),
        (r#""2026-01-01T00:00""#, Ok(Some("2026-01-01T00:00:00"))),
        (r#""1969-12-31T23:59:59.999""#, Ok(Some("1969-12-31T23:59:59.999"))),
        (r#""2024-02-29T00:00:00Z""#, Ok(Some("2024-02-29T00:00:00"))),
        ("1767225600178", Ok(Some("2026-01-01T00:00:00.178"))),
        (r#""1767225600178""#, Ok(Some("2026-01-01T00:00:00.178"))),
        ("1.767225600178e12", Ok(Some("2026-01-01T00:00:00.178"))),
        (r#""2026-02-30T00:00:00Z""#, WRONG),
        (r#""2026-01-01T24:00:00Z""#, WRONG),
        (r#""2026-01-01T00:00:60Z""#, WRONG),
        (r#""2026-01-01T00:00:00.Z""#, WRONG),
        (r#""2026-01-01T00:00:00 Z""#, WRONG),
        (r#""2026-01-01""#, WRONG),
        (r#""""#, WRONG),
        ("1.5", INEXACT),
        ("true", WRONG),
    ] {
        check(&plain, json, expected);
    }
    let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
    check(&zoned, r#""2026-01-01T00:00:00.1234567Z""#, Ok(Some("2026-01-01T00:00:00.123456Z")));
    check(&zoned, "1", Ok(Some("1970-01-01T00:00:00.001Z")));
    let nanos = DataType::Timestamp(TimeUnit::Nanosecond, None);
    check(&nanos, r#""9999-01-01T00:00:00Z""#, RANGE);
}

#[test]
fn dates_and_times_are_iso() {
    check(&DataType::Date32, r#""2024-02-29""#, Ok(Some("2024-02-29")));
    check(&DataType::Date32, r#""0001-01-01""#, Ok(Some("0001-01-01")));
    check(&DataType::Date32, r#""2023-02-29""#, WRONG);
    check(&DataType::Date32, "1", WRONG);
    let time = DataType::Time32(TimeUnit::Millisecond);
    check(&time, r#""10:11:12.3456""#, Ok(Some("10:11:12.345")));
    check(&time, r#""10:11""#, Ok(Some("10:11:00")));
    check(&time, r#""25:00:00""#, WRONG);
}

#[test]
fn nested_values_are_checked_to_the_last_leaf() {
    let [list, row, multiset] = [11, 12, 13].map(|index| fuzz::data_types().remove(index));
    check(&list, r#"["a", null, 1, {"x": 1}]"#, Ok(Some(r#"[a, , 1, {"x":1}]"#)));
    check(&list, "[]", Ok(Some("[]")));
    check(&list, "null", Ok(None));
    check(&list, "{}", WRONG);
    check(&list, r#""[]""#, WRONG);
    check(&row, r#"{"b":[1,2.5],"a":"7","c":[[]]}"#, Ok(Some("{a: 7, b: [1.0, 2.5]}")));
    check(&row, r#"{"a":1,"a":2}"#, Ok(Some("{a: 2, b: }")));
    check(&row, "[]", WRONG);
    check(&multiset, r#"{"x":1,"y\n":2,"x":3}"#, Ok(Some("{x: 3, y\n: 2}")));
    check(&multiset, r#"{"x":null}"#, Err(Problem::Null));
    check(&multiset, r#"{"x":1.5}"#, INEXACT);
}

#[test]
fn a_misfit_deep_inside_is_named_by_its_path() {
    let row = fuzz::data_types().remove(12);
    let mut rejected = Vec::new();
    json(vec![column("order", DataType::new_list(row, true))])
        .decode([value(Some(br#"{"order":[{},{"b":[1,"x"]}]}"#))], &mut rejected)
        .expect("small");
    let reason = rejected[0].reason.to_string();
    assert_eq!(reason, "`order[1].b[1]` is no value for DOUBLE: `x`");
}

/// Whether one record of any JSON is taken, or where it is not.
#[track_caller]
fn check_record(record: &[u8], expected: Result<(), &str>) {
    let mut rejected = Vec::new();
    let decoded = json(vec![column("v", DataType::Utf8)])
        .decode([value(Some(record))], &mut rejected)
        .expect("small");
    let seen = rejected.pop().map_or(Ok(()), |rejected| Err(rejected.reason.to_string()));
    let record = String::from_utf8_lossy(record);
    assert_eq!(seen.as_ref().copied().map_err(String::as_str), expected, "{record}");
    assert_eq!(decoded.rows.num_rows(), usize::from(expected.is_ok()), "{record}");
}

#[test]
fn one_record_is_one_object_and_nothing_else() {
    check_record(b" \t\r\n{ \"v\" : 1 , \"w\" : [ ] } \n", Ok(()));
    check_record(b"{}", Ok(()));
    for (record, expected) in [
        (&b""[..], "an object expected at byte 0"),
        (b" ", "an object expected at byte 1"),
        (b"null", "an object expected at byte 0"),
        (b"[{}]", "an object expected at byte 0"),
        (b"\xEF\xBB\xBF{}", "an object expected at byte 0"),
        (b"{}{}", "the end expected at byte 2"),
        (b"{} x", "the end expected at byte 3"),
        (b"{\"v\":1", "`,` or `}` expected at byte 6"),
        (b"{\"v\":1,}", "a field name expected at byte 7"),
        (b"{\"v\"}", "`:` expected at byte 4"),
        (b"{v:1}", "a field name expected at byte 1"),
        (b"{\"v\":}", "a value expected at byte 5"),
        (b"{\"x\":012}", "`,` or `}` expected at byte 6"),
        (b"{\"x\":+1}", "a value expected at byte 5"),
        (b"{\"x\":1.}", "a digit expected at byte 7"),
        (b"{\"x\":.5}", "a value expected at byte 5"),
        (b"{\"x\":1e}", "a digit expected at byte 7"),
        (b"{\"x\":nul}", "a value expected at byte 5"),
        (b"{\"x\":NaN}", "a value expected at byte 5"),
        (b"{\"x\":[1,]}", "a value expected at byte 8"),
        (b"{\"x\":{\"y\" 1}}", "`:` expected at byte 10"),
        (b"{\"x\":\"a\nb\"}", "an escaped control character expected at byte 7"),
        (b"{\"x\":\"abcdefghijklmn\x01opq\"}", "an escaped control character expected at byte 20"),
        (b"{\"x\":\"a\\x\"}", "an escape expected at byte 7"),
        (b"{\"x\":\"\\u12g4\"}", "`\\u` and four hexadecimal digits expected at byte 6"),
        (b"{\"x\":\"\\ud800\"}", "`\\u` and four hexadecimal digits expected at byte 12"),
        (b"{\"x\":\"\\udc00\"}", "the first half of a surrogate pair expected at byte 12"),
        (b"{\"x\":\"\\ud800\\u0041\"}", "the other half of a surrogate pair expected at byte 18"),
        (b"{\"x\":\"abc", "the end of a string expected at byte 9"),
        (b"{\"x\":\"\xff\"}", "the value is not UTF-8 from byte 6 on"),
    ] {
        check_record(record, Err(expected));
    }
}

#[test]
fn nesting_has_a_limit() {
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        format!("{{\"x\":{open}{close}}}")
    };
    check_record(nested(MAX_DEPTH).as_bytes(), Ok(()));
    let expected = format!("the value is nested deeper than 64 levels at byte {}", 5 + 63);
    check_record(nested(MAX_DEPTH + 1).as_bytes(), Err(&expected));
    check_record(nested(1_000_000).as_bytes(), Err(&expected));
}

#[test]
fn fields_are_found_in_any_order_and_the_last_duplicate_wins() {
    let mut decoder = json(vec![column("a", DataType::Int64), column("b", DataType::Int64)]);
    let records: [&[u8]; 7] = [
        br#"{"a":1,"b":2}"#,
        br#"{"b":3,"a":4}"#,
        br#"{"x":0,"a":5,"y":[1],"b":6}"#,
        br#"{"a":7,"a":8}"#,
        br#"{"A":1,"b" : 9}"#,
        br#"{"\u0061":10}"#,
        br#"{"a":11,"b":null,"a":null}"#,
    ];
    let mut rejected = Vec::new();
    let decoded = decoder.decode(records.map(|r| value(Some(r))), &mut rejected).expect("small");
    assert_eq!(rejected, []);
    let columns = decoded.rows.columns().iter();
    let seen: Vec<Vec<Option<i64>>> =
        columns.map(|column| column.as_primitive::<Int64Type>().iter().collect()).collect();
    assert_eq!(seen[0], [Some(1), Some(4), Some(5), Some(8), None, Some(10), None]);
    assert_eq!(seen[1], [Some(2), Some(3), Some(6), None, Some(9), None, None]);
}

#[test]
fn a_bad_record_leaves_the_others_unharmed() {
    let mut decoder = json(vec![
        column("a", DataType::Utf8),
        column("b", DataType::Int32),
        column("c", fuzz::data_types().remove(11)),
    ]);
    let records: [&[u8]; 5] = [
        br#"{"a":"one","b":1,"c":["x"]}"#,
        br#"{"a":"two","b":"bad","c":["y"]}"#,
        br#"{"a":"three","b":3,"c":7}"#,
        b"{",
        br#"{"a":"five","b":5,"c":["z"]}"#,
    ];
    let messages: OwnedMessages = (0..)
        .zip(records)
        .map(|(offset, record)| Message { offset, ..value(Some(record)) })
        .collect();
    let mut rejected = Vec::new();
    let decoded = decoder.decode(messages.iter(), &mut rejected).expect("small");
    let names: Vec<_> = decoded.rows.column(0).as_string::<i32>().iter().flatten().collect();
    assert_eq!(names, ["one", "five"]);
    let places: Vec<_> = rejected.iter().map(|r| (r.index, r.partition, r.offset)).collect();
    assert_eq!(places, [(1, 2, 1), (2, 2, 2), (3, 2, 3)]);
}

#[test]
fn metadata_columns_come_from_the_message() {
    let utf8 = DataType::Utf8;
    // Arrow writes times of a zone only with offsets, unless it is built with all zones.
    let ltz = DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".into()));
    let spec =
        |name: &str, data_type, source| ColumnSpec { name: name.to_owned(), data_type, source };
    let mut decoder = json(vec![
        spec("key", utf8, ColumnSource::Key),
        spec("partition", DataType::Int32, ColumnSource::Partition),
        spec("offset", DataType::Int64, ColumnSource::Offset),
        spec("time", ltz, ColumnSource::Timestamp),
    ]);
    let mut rejected = Vec::new();
    let message = Message { key: Some(b"k"), ..value(Some(b"{}")) };
    let bad_key = Message { key: Some(b"\xff"), ..message };
    let no_key = Message { key: None, timestamp_ms: None, ..message };
    let decoded = decoder.decode([message, bad_key, no_key], &mut rejected).expect("small");
    let row = |row| {
        let columns = decoded.rows.columns().iter();
        columns.map(|c| array_value_to_string(c, row).expect("a text")).collect::<Vec<_>>()
    };
    assert_eq!(row(0), ["k", "2", "7", "1970-01-01T00:00:01Z"]);
    assert_eq!(row(1), ["", "2", "7", ""]);
    assert_eq!(rejected.len(), 1);
    assert!(!decoded.rows.schema().field(2).is_nullable());
}

#[test]
fn a_null_value_is_skipped_or_deletes_by_its_key() {
    let columns = vec![column("id", DataType::Int64), column("name", DataType::Utf8)];
    let mut rejected = Vec::new();
    let skipped = json(columns.clone())
        .decode([value(None), value(Some(b"{}"))], &mut rejected)
        .expect("small");
    assert_eq!((skipped.nulls_skipped, skipped.rows.num_rows()), (1, 1));
    assert!(skipped.deleted.is_none());

    let null_value = NullValue::Delete { key_column: 0 };
    let spec = DecodeSpec { format: Format::Json, columns, null_value };
    let keys: [Option<&[u8]>; 6] =
        [Some(b"1"), Some(b"\"2\""), Some(b"{\"id\":3}"), None, Some(b"x"), Some(b"\xff")];
    let mut messages: Vec<_> =
        keys.iter().map(|key| Message { key: *key, ..value(None) }).collect();
    messages.push(value(Some(br#"{"id":9,"name":"n"}"#)));
    let decoded =
        Decoder::new(spec).expect("supported").decode(messages, &mut rejected).expect("small");
    let ids: Vec<_> = decoded.rows.column(0).as_primitive::<Int64Type>().iter().flatten().collect();
    assert_eq!(ids, [1, 2, 9]);
    let deleted: Vec<_> = decoded.deleted.iter().flat_map(BooleanArray::iter).flatten().collect();
    assert_eq!(deleted, [true, true, false]);
    let reasons: Vec<_> = rejected.iter().map(|rejected| rejected.reason.to_string()).collect();
    assert_eq!(
        reasons,
        [
            "a null value deletes by its message key, but its key is a JSON object or array",
            "a null value deletes by its message key, but the message has none",
            "`id` is no value for BIGINT: `x`",
            "a null value deletes by its message key, but its key is not UTF-8",
        ]
    );
}

#[test]
fn unsuitable_types_are_refused_by_name() {
    let refused = |data_type, source| {
        let columns = vec![ColumnSpec { name: "c".to_owned(), data_type, source }];
        let spec = DecodeSpec { format: Format::Json, columns, null_value: NullValue::Skip };
        Decoder::new(spec).err().map(|error| error.to_string())
    };
    let field = || ColumnSource::Value("c".to_owned());
    assert_eq!(
        refused(DataType::UInt8, field()).as_deref(),
        Some("column `c` cannot be UInt8 in a JSON field")
    );
    assert_eq!(
        refused(DataType::Int64, ColumnSource::Key).as_deref(),
        Some("column `c` cannot be BIGINT in the message key")
    );
    assert_eq!(refused(DataType::Int64, ColumnSource::Offset), None);
}

/// A record that touches most of the grammar.
const SEED: &str = r#"{"a":[1,-2.5e3,"x\u00e9\n",{"b":[true,false,null]}],"key":"é😀","a":{"a":1,"b":[1.5]},"z":""}"#;

proptest! {
    #[test]
    fn a_changed_record_is_accepted_if_it_is_json(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 0..4_u8, any::<u8>()), 1..5)
    ) {
        let mut bytes = SEED.as_bytes().to_vec();
        for (place, kind, byte) in changes {
            let at = place.index(bytes.len() + 1);
            match kind {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => bytes[at] = byte,
                2 if at < bytes.len() => { bytes.remove(at); }
                _ => bytes.truncate(at),
            }
        }
        let mut rejected = Vec::new();
        json(vec![]).decode([value(Some(&bytes))], &mut rejected).expect("small");
        let is_object = match serde_json::from_slice::<serde_json::Value>(&bytes) {
            Ok(json) => json.is_object(),
            // The scanner checks the grammar; range is a matter of the column's type.
            Err(error) => error.to_string().starts_with("number out of range"),
        };
        prop_assert_eq!(rejected.is_empty(), is_object, "{}", String::from_utf8_lossy(&bytes));
    }
}
