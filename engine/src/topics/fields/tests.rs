use proptest::prelude::*;

use super::*;

fn key_of(line: &str, name: &str) -> Option<String> {
    let fields = Fields { names: [Some(name), None] };
    let raw = fields.find(line.as_bytes())[0]?;
    Some(String::from_utf8(text(raw)?.into_owned()).expect("text of a str"))
}

#[track_caller]
fn check(line: &str, expected: Option<&str>) {
    assert_eq!(key_of(line, "k").as_deref(), expected, "{line}");
}

#[test]
fn a_key_is_the_fields_text() {
    check(r#"{"k":"a"}"#, Some("a"));
    check(r#" { "x" : [1,{"k":2}] , "k" : "b" } "#, Some("b"));
    check(r#"{"k":12.50}"#, Some("12.50"));
    check(r#"{"k":true}"#, Some("true"));
    check(r#"{"k":{"a":[1, 2]}}"#, Some(r#"{"a":[1, 2]}"#));
    check(r#"{"k":"q\"\\\u00e9\n"}"#, Some("q\"\\é\n"));
    check(r#"{"\u006b":"escaped name"}"#, Some("escaped name"));
    check(r#"{"k":""}"#, Some(""));
    check(r#"{"k":"first","k":"last"}"#, Some("last"));
}

#[test]
fn null_missing_and_broken_lines_have_no_key() {
    check(r#"{"k":null}"#, None);
    check(r#"{"x":1}"#, None);
    check("{}", None);
    check(r#"{"x":{"k":1}}"#, None);
    check(r#"["k"]"#, None);
    check("not json", None);
    check(r#"{"k":"a""#, None);
    check(r#"{"k":"a","#, None);
    check(r#"{"k":}"#, None);
    check("", None);
}

#[test]
fn invalid_utf8_elsewhere_does_not_hide_the_key() {
    let fields = Fields { names: [Some("k"), None] };
    assert_eq!(fields.find(b"{\"x\":\"\xff\",\"k\":\"a\"}")[0], Some(&b"\"a\""[..]));
}

#[test]
fn timestamps_are_iso_8601_or_epoch_milliseconds() {
    let cases = [
        (r#""2026-01-01T00:00:01.500Z""#, Some(1_767_225_601_500)),
        (r#""2026-01-01T00:00:01.500""#, Some(1_767_225_601_500)),
        (r#""2026-01-01 00:00:01.5""#, Some(1_767_225_601_500)),
        (r#""2026-01-01T02:00:01.500+02:00""#, Some(1_767_225_601_500)),
        (r#""1767225601500""#, Some(1_767_225_601_500)),
        ("1767225601500", Some(1_767_225_601_500)),
        (r#""2026-01-01""#, Some(1_767_225_600_000)),
        (r#""yesterday""#, None),
        ("null", None),
        ("1.5", None),
        ("-5", None),
    ];
    for (raw, expected) in cases {
        assert_eq!(timestamp_millis(raw.as_bytes()), expected, "{raw}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let fields = Fields { names: [Some("k"), Some("t")] };
        for raw in fields.find(&bytes).into_iter().flatten() {
            let _any = (text(raw).is_some(), timestamp_millis(raw));
        }
    }

    #[test]
    fn a_field_is_found_where_serde_finds_it(
        before in "[a-j]{1,3}", value in "\\PC{0,12}", number in any::<i64>(),
    ) {
        let line = serde_json::json!({ before: number, "k": value, "zz": [number, {"k": 1}] });
        prop_assert_eq!(key_of(&line.to_string(), "k"), Some(value));
    }
}
