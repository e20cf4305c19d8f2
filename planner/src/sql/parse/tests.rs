use super::*;

fn check(text: &str, expected: &str) {
    let got = match parse_query(text) {
        Ok(query) => query.to_string(),
        Err(mistake) => format!(
            "{}:{}-{}: {}",
            mistake.at.start.line, mistake.at.start.column, mistake.at.end.column, mistake.message
        ),
    };
    assert_eq!(got, expected, "{text}");
}

#[test]
fn forms_of_flink_parse() {
    for text in [
        "SELECT `timestamp` FROM `source.c`",
        "SELECT timestamp FROM c WHERE x IN ('a', 'b')",
        "SELECT e.a, p.b FROM e LEFT JOIN p FOR SYSTEM_TIME AS OF e.`timestamp` AS p ON e.k = p.k",
        "SELECT COUNT(*) FILTER (WHERE a > 1), COLLECT(DISTINCT b) FROM c \
         GROUP BY TUMBLE(ts, INTERVAL '30' MINUTE)",
        "SELECT COUNT(*) AS views FROM c",
        "WITH a AS (SELECT 1 AS x) SELECT x FROM a",
    ] {
        assert_eq!(parse_query(text).map(|_| ()), Ok(()), "{text}");
    }
}

#[test]
fn a_table_argument_becomes_a_marker() {
    check(
        "SELECT * FROM TABLE(TUMBLE(TABLE `source.c`, DESCRIPTOR(ts), INTERVAL '5' MINUTES))",
        "SELECT * FROM TABLE(TUMBLE($TABLE(`source.c`), DESCRIPTOR(ts), INTERVAL '5' MINUTES))",
    );
}

#[test]
fn mistakes_have_places() {
    check("SELECT FROM c WHERE", "1:8-12: expected an expression, found FROM");
    check("SELECT \"a\" FROM c", "1:8-11: double quotes around `a`");
    check("SELECT a FROM c /*+ OPTIONS('a'='b') */", "1:17-40: hints are not supported");
    check("SELECT 'a FROM c", "1:8-9: unterminated string literal");
    check("INSERT INTO a SELECT 1", "1:1-7: a model is a query");
    check("SELECT 1; SELECT 2", "1:1-7: a model is one query, not several");
    check("  ", "0:0-0: the SQL is empty");
    check("SELECT a FROM c;", "SELECT a FROM c");
}

#[test]
fn deep_nesting_is_a_mistake() {
    let text = format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000));
    check(&text, "1:71-72: nested deeper than 64 levels");
}

/// Whether `sql` nests deeper than is allowed.
fn is_too_deep(sql: &str) -> bool {
    let refused = parse_query(sql).err().map(|mistake| mistake.message);
    refused
        .is_some_and(|message| message.contains("nested deeper") || message.contains("more than"))
}

#[test]
fn chains_are_as_deep_as_their_operators_are_many() {
    let chain = |count: usize| format!("SELECT a FROM t WHERE a = 1{}", " AND a = 1".repeat(count));
    assert!(!is_too_deep(&chain(200)));
    assert!(is_too_deep(&chain(300)));
    // Elements of a list do not nest in one another, brackets do.
    let list = |count: usize| format!("SELECT a FROM t WHERE a IN (1{})", ", -1".repeat(count));
    assert!(!is_too_deep(&list(5_000)));
    let brackets = format!("SELECT {}1 + 1{}", "(".repeat(10), &")+1+1".repeat(300));
    assert!(is_too_deep(&brackets));
    assert!(is_too_deep(&format!(
        "SELECT {}1{}",
        "CASE WHEN a THEN ".repeat(70),
        " END".repeat(70)
    )));
}
