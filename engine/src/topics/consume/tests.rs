use arrow_kafka::Headers;

use super::*;

#[track_caller]
fn check(format: &str, expected: &str) {
    let message = Message {
        key: Some(b"k1"),
        payload: None,
        partition: 3,
        offset: 42,
        timestamp_ms: Some(7),
        headers: Headers::NONE,
    };
    let mut out = Vec::new();
    let pattern = Pattern::parse(format).expect("a format");
    pattern.print(&mut out, "clicks", &message).expect("memory takes everything");
    assert_eq!(String::from_utf8(out).expect("text"), expected);
}

#[test]
fn a_format_prints_parts_of_the_record() {
    check("%p@%o %k %v", "3@42 k1 null\n");
    check("%t\\t%T\\n", "clicks\t7\n");
    check("100%%", "100%\n");
    check("", "\n");
}

#[test]
fn an_unknown_letter_is_named() {
    assert_eq!(Pattern::parse("%k %z"), Err('z'));
    assert_eq!(Pattern::parse("%"), Err('%'));
}

#[test]
fn starts_are_words_offsets_counts_and_times() {
    assert_eq!(Start::parse("start"), Some(Start::First));
    assert_eq!(Start::parse("end"), Some(Start::End));
    assert_eq!(Start::parse("12"), Some(Start::At(12)));
    assert_eq!(Start::parse("-5"), Some(Start::BeforeEnd(5)));
    assert_eq!(Start::parse("@1767225600000"), Some(Start::Time(1_767_225_600_000)));
    assert_eq!(Start::parse("yesterday"), None);
}
