use super::*;

#[test]
fn strings_are_escaped_as_jackson_does() {
    for (value, expected) in [
        ("", r#""""#),
        ("plain text, long enough for words", r#""plain text, long enough for words""#),
        ("/<>&'\u{7f}\u{80}é漢\u{2028}", "\"/<>&'\u{7f}\u{80}é漢\u{2028}\""),
        ("\"\\\u{8}\t\n\u{c}\r", r#""\"\\\b\t\n\f\r""#),
        ("\0\u{b}\u{1f}", r#""\u0000\u000B\u001F""#),
        ("0123456789\u{1}", r#""0123456789\u0001""#),
        ("01234567\"", r#""01234567\"""#),
        ("😀", r#""\uD83D\uDE00""#),
    ] {
        let mut out = Vec::new();
        string(value, &mut out);
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }
}
