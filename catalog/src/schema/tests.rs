use super::*;

/// `text` is read as a type that is written as `expected`; an error is written as `error: ...`.
fn check(text: &str, expected: &str) {
    let actual = match parse(text) {
        Ok(column_type) => {
            let name = flink_type_name(&column_type.data_type);
            let again = parse(&name).map(|again| again.data_type);
            assert_eq!(again, Ok(column_type.data_type), "`{name}` is not read back");
            if column_type.is_nullable { name } else { format!("{name} NOT NULL") }
        }
        Err(reason) => format!("error: {reason}"),
    };
    assert_eq!(actual, expected, "for `{text}`");
}

#[test]
fn plain_types_are_read_in_any_case() {
    check("string", "STRING");
    check("VARCHAR(255)", "STRING");
    check("CHAR(3)", "STRING");
    check("varbinary(10)", "BYTES");
    check("Integer", "INT");
    check("bigint not null", "BIGINT NOT NULL");
    check("DOUBLE PRECISION", "DOUBLE");
    check("TIME(0)", "TIME");
    check(" DATE ", "DATE");
}

#[test]
fn decimals_keep_precision_and_scale() {
    check("DECIMAL(10, 2)", "DECIMAL(10, 2)");
    check("numeric(5)", "DECIMAL(5, 0)");
    check("DEC", "DECIMAL(10, 0)");
    check("DECIMAL(39, 2)", "error: a precision is 1 to 38");
    check("DECIMAL(3, 4)", "error: a scale is at most the precision");
}

#[test]
fn timestamps_have_the_unit_of_their_precision() {
    check("TIMESTAMP", "TIMESTAMP(3)");
    check("TIMESTAMP(0)", "TIMESTAMP(3)");
    check("TIMESTAMP(6) WITHOUT TIME ZONE", "TIMESTAMP(6)");
    check("TIMESTAMP_LTZ(9)", "TIMESTAMP_LTZ(9)");
    check("TIMESTAMP(3) WITH LOCAL TIME ZONE", "TIMESTAMP_LTZ(3)");
    check("TIMESTAMP(10)", "error: a precision is 0 to 9");
    check("TIMESTAMP WITH TIME ZONE", "error: `LOCAL` is missing");
}

#[test]
fn nested_types_keep_their_nullability() {
    check("ARRAY<STRING>", "ARRAY<STRING>");
    check("ARRAY<INT NOT NULL>", "ARRAY<INT NOT NULL>");
    check("MAP<STRING, ARRAY<BIGINT>>", "MAP<STRING, ARRAY<BIGINT>>");
    check("MULTISET<STRING>", "MULTISET<STRING>");
    check("ROW<a INT, `b c` STRING NOT NULL>", "ROW<a INT, `b c` STRING NOT NULL>");
    check("ROW(a INT, b ROW<c DATE>)", "ROW<a INT, b ROW<c DATE>>");
}

#[test]
fn mistakes_are_named() {
    check("", "error: a type name is missing");
    check("STRNG", "error: `STRNG` is not a type");
    check("STRING,", "error: `,` is left over");
    check("ARRAY<STRING", "error: `>` is missing");
    check("ROW<a INT, a INT>", "error: the field `a` is given twice");
    check("ROW<`a INT>", "error: a backtick is not closed");
    check("DECIMAL(x)", "error: a number is missing after `(` or `,`");
    check(&"ARRAY<".repeat(200), "error: it nests deeper than 16");
}
