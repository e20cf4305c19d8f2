use super::*;
use crate::dataflow::StepClock;
use crate::sql::parse::parse_query;

/// The query after the pass, or its mistakes with their lines and columns.
fn check(sql: &str, expected: &str) {
    let registry = FunctionRegistry::new(&StepClock::default());
    let mut query = parse_query(sql).unwrap();
    let owned = |name: &str| matches!(name, "COUNT" | "SUM" | "TUMBLE" | "TUMBLE_START");
    let mistakes = rewrite_expressions(&mut query, &registry, &owned);
    let shown = |mistake: &SyntaxMistake| {
        let at = mistake.at.start;
        let help = mistake.help.as_deref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{}:{} {}{help}", at.line, at.column, mistake.message)
    };
    let found = if mistakes.is_empty() {
        query.to_string()
    } else {
        mistakes.iter().map(shown).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(found, expected);
}

#[test]
fn whole_numbers_are_int_where_they_fit() {
    check(
        "SELECT a + 1 AS x, -2147483648 AS y, 2147483648 AS z FROM t",
        "SELECT a + CAST(1 AS INT) AS x, CAST(-2147483648 AS INT) AS y, \
         CAST(2147483648 AS BIGINT) AS z FROM t",
    );
}

#[test]
fn columns_without_a_name_get_flinks_names() {
    check(
        "SELECT a, t.b, r.f.g, UPPER(s), a + a FROM t",
        "SELECT a, t.b, r.f.g AS g, UPPER(s) AS `EXPR$3`, a + a AS `EXPR$4` FROM t",
    );
}

#[test]
fn ordinals_and_limits_stay_plain_numbers() {
    check(
        "SELECT a AS x FROM t GROUP BY 1 ORDER BY 1 LIMIT 5",
        "SELECT a AS x FROM t GROUP BY 1 ORDER BY 1 LIMIT 5",
    );
}

#[test]
fn aggregates_and_windows_are_left_alone() {
    check(
        "SELECT COUNT(*) AS c, TUMBLE_START(ts, INTERVAL '5' MINUTES) AS w FROM t \
         GROUP BY TUMBLE(ts, INTERVAL '5' MINUTES)",
        "SELECT COUNT(*) AS c, TUMBLE_START(ts, INTERVAL '5' MINUTE) AS w FROM t \
         GROUP BY TUMBLE(ts, INTERVAL '5' MINUTE)",
    );
}

#[test]
fn intervals_have_one_form() {
    check(
        "SELECT a AS x FROM t WHERE ts > u - INTERVAL '1 02:03:04' DAY TO SECOND \
         AND ts < u + INTERVAL '1-2' YEAR TO MONTH AND ts <> u + INTERVAL '1.5' SECOND",
        "SELECT a AS x FROM t WHERE ts > u - INTERVAL '93784' SECOND \
         AND ts < u + INTERVAL '14' MONTH AND ts <> u + INTERVAL '1500' MILLISECONDS",
    );
}

#[test]
fn an_unknown_function_is_refused_with_the_nearest_name() {
    check("SELECT UPER(s) AS x FROM t", "1:8 there is no function `UPER` (Did you mean `UPPER`?)");
}

#[test]
fn all_mistakes_are_found_in_one_go() {
    check(
        "SELECT nothing_like_it(s) AS x,\n  NULL AS y FROM t WHERE s ILIKE 'a' AND a = 9223372036854775808",
        "1:8 there is no function `nothing_like_it`\n\
         2:3 a column of `NULL` has no type \
         (Write `CAST(NULL AS STRING)` with the type that it should have.)\n\
         2:26 `ILIKE` is not supported\n\
         2:46 the number `9223372036854775808` is too large",
    );
}

#[test]
fn a_scalar_function_is_no_aggregate() {
    check("SELECT UPPER(DISTINCT s) AS x FROM t", "1:8 `UPPER` is no aggregate");
}
