use super::*;

#[test]
fn decimals_round_half_up_at_any_exponent() {
    for (text, scale, expected) in [
        ("0.5", 0, Ok(1)),
        ("-0.5", 0, Ok(-1)),
        ("0.49", 0, Ok(0)),
        ("0.05", 0, Ok(0)),
        ("149e-2", 0, Ok(1)),
        ("150e-2", 0, Ok(2)),
        ("00012.340", 2, Ok(1_234)),
        ("1e37", 0, Ok(10_i128.pow(37))),
        ("1e38", 0, Err(Problem::OutOfRange)),
        (".5", 1, Ok(5)),
        ("5.", 1, Ok(50)),
        ("+5", 0, Ok(5)),
        ("", 0, Err(Problem::WrongType)),
        ("1e", 0, Err(Problem::WrongType)),
        ("1.2.3", 0, Err(Problem::WrongType)),
        ("--1", 0, Err(Problem::WrongType)),
    ] {
        assert_eq!(decimal(text, 38, scale), expected, "{text} scale {scale}");
    }
}
