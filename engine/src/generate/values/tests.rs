use serde_json::Value;

use super::*;

fn sample(kind: &Kind, index: u64) -> Value {
    let mut out = Vec::new();
    kind.write(&mut out, &mut Random::new(7), index, 1_767_225_601_500);
    serde_json::from_slice(&out).unwrap_or_else(|error| panic!("{kind:?}: {error}"))
}

#[track_caller]
fn check(name: &str, data_type: Option<&DataType>, description: Option<&str>, expected: &Kind) {
    assert_eq!(Kind::of(name, data_type, description, None, false), *expected);
}

#[test]
fn names_types_and_descriptions_decide() {
    let pooled = |prefix: &str| Kind::Pooled { prefix: prefix.to_owned() };
    let choice = |values: &[&str]| Kind::Choice(values.iter().map(|&v| v.to_owned()).collect());
    check("event_id", None, None, &Kind::Unique { prefix: "e".to_owned() });
    check("product_id", None, None, &pooled("p"));
    check("user_id", None, Some("User (nullable)"), &Kind::Optional(Box::new(pooled("u"))));
    check("device", None, Some("Device (desktop, mobile)"), &choice(&["desktop", "mobile"]));
    check("timestamp", None, None, &Kind::Time);
    check("timestamp", Some(&DataType::Int64), None, &Kind::Millis);
    check("price", Some(&DataType::Float64), None, &Kind::Decimal(1, 200));
    check("country", None, Some("Country (from IP)"), &choice(&COUNTRIES));
    check("flag", Some(&DataType::Boolean), None, &Kind::Boolean);
}

#[test]
fn accepted_values_come_before_everything() {
    let accepted = vec!["a".to_owned(), "b\"".to_owned()];
    let kind = Kind::of("event_id", None, Some("(x, y)"), Some(accepted.clone()), false);
    assert_eq!(kind, Kind::Choice(accepted));
    assert!(sample(&kind, 0).is_string());
}

#[test]
fn every_kind_writes_json() {
    let kinds = [
        Kind::Pooled { prefix: "p".to_owned() },
        Kind::PooledNumber { is_counted: false },
        Kind::UniqueNumber,
        Kind::Words(3),
        Kind::Path,
        Kind::Address,
        Kind::Whole(1, 5),
        Kind::Decimal(1, 200),
        Kind::Boolean,
        Kind::Millis,
        Kind::Null,
    ];
    for kind in kinds {
        sample(&kind, 3);
        sample(&Kind::Optional(Box::new(kind)), 3);
    }
    assert_eq!(sample(&Kind::Time, 0), "2026-01-01T00:00:01.500Z");
    assert_eq!(sample(&Kind::Day, 0), "2026-01-01");
    assert_eq!(sample(&Kind::Counted { prefix: "p".to_owned() }, 500), "p00001");
    assert_eq!(sample(&Kind::Unique { prefix: "e".to_owned() }, 12), "e000000012");
}
