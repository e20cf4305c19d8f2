use arrow::array::{ArrayRef, Int64Array};

use super::*;

fn tables() -> Tables {
    let values: ArrayRef = Arc::new(Int64Array::from(vec![3, 1, 2]));
    let batch = RecordBatch::try_from_iter([("n", values)]).expect("one column");
    let mut tables = Tables::new().expect("an event loop");
    let schema = batch.schema();
    tables.add("minutes/sum#1", "groups", (&schema, vec![batch])).expect("a table");
    tables.add("fold", "clock", (&schema, Vec::new())).expect("an empty table");
    tables
}

/// Rows of the answer, or the words of the refusal.
fn ask(sql: &str) -> Result<usize, String> {
    let answer = tables().ask(sql).map_err(|error| error.to_string())?;
    Ok(answer.batches.iter().map(RecordBatch::num_rows).sum())
}

#[test]
fn tables_are_found_by_operator_and_name() {
    for sql in [
        r#"SELECT * FROM "minutes/sum#1".groups"#,
        r#"SELECT * FROM "minutes/sum#1.groups";"#,
        r#"WITH big AS (SELECT n FROM "minutes/sum#1".groups) SELECT * FROM big ORDER BY n"#,
        r#"SELECT a.n FROM "minutes/sum#1".groups a JOIN "minutes/sum#1".groups b ON a.n = b.n"#,
    ] {
        assert_eq!(ask(sql), Ok(3), "{sql}");
    }
    assert_eq!(ask("SELECT COUNT(*) FROM fold.clock"), Ok(1));
    assert_eq!(ask("VALUES (1), (2)"), Ok(2));
    assert!(ask(r#"EXPLAIN SELECT * FROM "minutes/sum#1".groups"#).is_ok());
    let names: Vec<String> = tables().names().iter().map(TableName::sql).collect();
    assert_eq!(names, [r#""minutes/sum#1".groups"#, "fold.clock"]);
}

#[test]
fn a_refusal_names_tables_as_the_query_does() {
    for (sql, said) in [
        ("SELECT * FROM x", "table 'x' not found"),
        ("SELECT * FROM minutes.x", "table 'minutes.x' not found"),
        ("SELECT x FROM fold.clock", "Valid fields are fold.clock.n"),
    ] {
        let reason = ask(sql).expect_err("there is none");
        assert!(reason.contains(said), "{reason}");
    }
}

#[test]
fn everything_but_one_query_over_the_tables_is_refused() {
    for sql in [
        "COPY (SELECT 1) TO 'out.csv'",
        r#"COPY "minutes/sum#1".groups TO 'out.csv'"#,
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM \"/etc/passwd\"",
        "SELECT * FROM 'file:///etc/passwd'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM generate_series(1, 1000000000)",
        "SELECT * FROM TABLE(read_csv('/etc/passwd'))",
        "SELECT * FROM information_schema.df_settings",
        "SELECT * INTO t FROM fold.clock",
        "SET datafusion.execution.batch_size = 1",
        "SHOW ALL",
        "RESET datafusion.execution.batch_size",
        "INSERT INTO fold.clock VALUES (1)",
        "DELETE FROM fold.clock",
        "UPDATE fold.clock SET n = 1",
        "DROP TABLE fold.clock",
        "EXPLAIN INSERT INTO fold.clock VALUES (1)",
        "EXPLAIN COPY (SELECT 1) TO 'out.csv'",
        "WITH a AS (INSERT INTO fold.clock VALUES (1) RETURNING n) SELECT * FROM a",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE fold.clock",
        "PREPARE p AS SELECT 1",
        "START TRANSACTION",
        "DESCRIBE fold.clock",
        "",
        ";",
        "no SQL at all",
    ] {
        assert!(ask(sql).is_err(), "{sql}");
    }
    assert!(ask(&format!("SELECT {}1{}", "(".repeat(2_000), ")".repeat(2_000))).is_err());
    assert!(ask(&format!("SELECT '{}'", "x".repeat(SQL_BYTES_MAX))).is_err());
}
