use super::*;

fn check(text: &str, expected: Option<&str>) {
    assert_eq!(parse(text).map(format).as_deref(), expected, "for `{text}`");
}

#[test]
fn every_unit_is_read() {
    check("20ms", Some("20ms"));
    check("30s", Some("30s"));
    check("60s", Some("60s"));
    check("120s", Some("2m"));
    check("5m", Some("5m"));
    check("15 minutes", Some("15m"));
    check("1 HOUR", Some("60m"));
    check("2d", Some("2d"));
    check("1s", Some("1s"));
    check("1500ms", Some("1500ms"));
}

#[test]
fn a_bare_number_is_no_duration() {
    check("30", None);
    check("", None);
    check("s", None);
    check("1.5s", None);
    check("-1s", None);
    check("1 parsec", None);
    check("99999999999999999999d", None);
    check("18446744073709551615d", None);
}
