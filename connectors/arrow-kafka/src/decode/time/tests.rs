use super::*;

#[test]
fn days_count_from_1970_in_both_directions() {
    for (text, expected) in [
        ("1970-01-01", Some(0)),
        ("1969-12-31", Some(-1)),
        ("2000-02-29", Some(11_016)),
        ("0000-03-01", Some(-719_468)),
        ("9999-12-31", Some(2_932_896)),
        ("1900-02-29", None),
        ("2026-13-01", None),
        ("2026-00-01", None),
        ("2026-01-00", None),
        ("2026-1-01", None),
        ("2026-01-011", None),
    ] {
        assert_eq!(date(text), expected, "{text}");
    }
}

#[test]
fn offsets_move_towards_utc() {
    let seconds =
        |text: &str| timestamp(text, &mut LastDate::default()).map(|instant| instant.seconds);
    for (text, expected) in [
        ("1970-01-01T00:00:00", Some(0)),
        ("1970-01-01T00:00:00z", Some(0)),
        ("1970-01-01T01:00:00+01", Some(0)),
        ("1970-01-01T00:00:00-00:30", Some(1_800)),
        ("1970-01-01T00:00:00+19:00", None),
        ("1970-01-01T00:00:00+1:00", None),
        ("1970-01-01T00:00:00UTC", None),
        ("1970-01-01x00:00:00", None),
    ] {
        assert_eq!(seconds(text), expected, "{text}");
    }
}
