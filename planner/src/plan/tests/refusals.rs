//! SQL that is refused: the code and the text under the caret.

use super::*;

const ORDERS: &str = "{{ source(\"orders\") }}";
const ITEMS: &str = "{{ source(\"items\") }}";

/// `O` is the source of orders, `I` that of items.
fn check(sql: &str, expected: &[&str]) {
    let sql = sql.replace("$O", ORDERS).replace("$I", ITEMS);
    let (planned, files) = plan_models(&[&sql]);
    let got: Vec<String> = planned
        .diagnostics
        .iter()
        .map(|diagnostic| {
            let text = diagnostic.primary_place().map_or("", |place| files.quote(place));
            format!("{} {text}", diagnostic.code)
        })
        .collect();
    assert_eq!(got, expected, "{sql}\n{}", said(&planned, &files).join("\n"));
    assert_eq!(planned.dataflow.is_some(), expected.is_empty(), "{sql}");
}

#[test]
fn what_is_supported_passes() {
    for sql in [
        "SELECT id FROM $O",
        "SELECT * FROM $O AS o WHERE o.amount > 1 AND NOT o.ok",
        "SELECT orders.id FROM $O",
        "SELECT x.n FROM (SELECT id AS n FROM $O WHERE amount BETWEEN 1 AND 2) AS x",
        "WITH big AS (SELECT * FROM $O WHERE amount > 100) SELECT id, amount FROM big",
        "SELECT id, COUNT(*) AS n FROM $O GROUP BY id, TUMBLE(ts, INTERVAL '1' HOUR)",
        "SELECT id, COUNT(*) AS n FROM $O GROUP BY id, TUMBLE(ts, INTERVAL '1' HOUR) \
         HAVING COUNT(*) > 2",
        "SELECT SUM(amount) FILTER (WHERE ok) AS s FROM $O GROUP BY TUMBLE(ts, INTERVAL '1' DAY)",
        "SELECT window_start, window_end, COUNT(DISTINCT item) AS n \
         FROM TABLE(TUMBLE(TABLE $O, DESCRIPTOR(ts), INTERVAL '5' MINUTE)) \
         GROUP BY window_start, window_end",
        "SELECT o.id, i.name FROM $O AS o JOIN $I FOR SYSTEM_TIME AS OF o.ts AS i \
         ON o.item = i.sku AND i.weight > 2",
        "SELECT TUMBLE_START(t, INTERVAL '1' HOUR) AS s, SUM(n) AS n FROM ( \
         SELECT TUMBLE_ROWTIME(ts, INTERVAL '1' MINUTE) AS t, COUNT(*) AS n FROM $O \
         GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE)) AS m GROUP BY TUMBLE(t, INTERVAL '1' HOUR)",
    ] {
        check(sql, &[]);
    }
}

#[test]
fn clauses_without_a_streaming_meaning_are_refused() {
    check("SELECT id FROM $O ORDER BY id", &["E0401 id"]);
    check(
        "SELECT id FROM $O UNION ALL SELECT id FROM $O",
        &[
            "E0401 SELECT id FROM {{ source(\"orders\") }} UNION ALL SELECT id FROM {{ source(\"orders\") }}",
        ],
    );
    check("SELECT DISTINCT id FROM $O", &["E0402 SELECT"]);
    check("SELECT id, COUNT(*) AS n FROM $O GROUP BY id", &["E0402 id"]);
    check("SELECT COUNT(*) AS n FROM $O", &["E0402 COUNT(*)"]);
    check("SELECT id FROM $O TABLESAMPLE BERNOULLI (10)", &["E0401 {{ source(\"orders\") }}"]);
    check("SELECT SUM(amount) OVER (PARTITION BY id) AS s FROM $O", &["E0401 SUM(amount)"]);
    check(
        "SELECT id FROM $O WHERE id IN (SELECT sku FROM $I)",
        &["E0401 id IN (SELECT sku FROM {{ source(\"items\") }})"],
    );
    check(
        "SELECT COUNT(*) AS n FROM $O GROUP BY HOP(ts, INTERVAL '1' MINUTE, INTERVAL '5' MINUTE)",
        &["E0401 HOP(ts, INTERVAL '1' MINUTE, INTERVAL '5' MINUTE)"],
    );
    check("SELECT 1 AS x", &["E0410 SELECT"]);
    check("SELECT id FROM $O GROUP BY 1, TUMBLE(ts, INTERVAL '1' DAY)", &["E0401 1"]);
}

#[test]
fn joins_that_are_not_bounded_are_refused() {
    check(
        "SELECT o.id FROM $O AS o JOIN $I AS i ON o.item = i.sku",
        &["E0403 {{ source(\"items\") }} AS i"],
    );
    check("SELECT o.id FROM $O AS o, $I AS i", &["E0403 {{ source(\"items\") }} AS i"]);
    check(
        "SELECT o.id FROM $O AS o RIGHT JOIN $I FOR SYSTEM_TIME AS OF o.ts AS i ON o.item = i.sku",
        &["E0401 {{ source(\"items\") }} FOR SYSTEM_TIME AS OF o.ts AS i"],
    );
    check(
        "SELECT o.id FROM $O AS o JOIN $I FOR SYSTEM_TIME AS OF o.ts AS i ON o.amount > 1",
        &["E0406 o.amount > 1"],
    );
    check(
        "SELECT o.id FROM $O AS o JOIN $I FOR SYSTEM_TIME AS OF o.ts AS i ON o.item = i.name",
        &["E0407 o.item = i.name"],
    );
    check(
        "SELECT id FROM $O FOR SYSTEM_TIME AS OF ts AS o",
        &["E0401 {{ source(\"orders\") }} FOR SYSTEM_TIME AS OF ts AS o"],
    );
}

#[test]
fn names_are_resolved_with_their_places() {
    check("SELECT idd FROM $O", &["E0301 idd"]);
    check("SELECT o.idd, x.id FROM $O AS o WHERE foo > 1", &["E0301 foo", "E0301 idd", "E0302 x"]);
    check("SELECT id FROM ordrs", &["E0302 ordrs"]);
    check(
        "SELECT sku, name FROM $O AS o JOIN $I FOR SYSTEM_TIME AS OF o.ts AS i ON item = sku \
         WHERE nam = 'x'",
        &["E0301 nam"],
    );
    check("SELECT id, item AS id FROM $O", &["E0307 item"]);
    check(
        "SELECT note, COUNT(*) AS n FROM $O GROUP BY id, TUMBLE(ts, INTERVAL '1' DAY)",
        &["E0309 note"],
    );
    check("SELECT id FROM", &["E0300 FROM"]);
    check("SELECT \"id\" FROM $O", &["E0300 \"id\""]);
}

#[test]
fn windows_need_the_event_time_and_a_length() {
    check(
        "SELECT COUNT(*) AS n FROM $O GROUP BY TUMBLE(ts + INTERVAL '1' DAY, INTERVAL '1' DAY)",
        &["E0404 ts + INTERVAL '1' DAY"],
    );
    check(
        "SELECT COUNT(*) AS n FROM $O GROUP BY TUMBLE(ts, INTERVAL '1' MONTH)",
        &["E0310 TUMBLE(ts, INTERVAL '1' MONTH)"],
    );
    check("SELECT COUNT(*) AS n FROM $O GROUP BY TUMBLE(ts)", &["E0310 TUMBLE(ts)"]);
    check(
        "SELECT TUMBLE(ts, INTERVAL '1' DAY) AS w FROM $O",
        &["E0310 TUMBLE(ts, INTERVAL '1' DAY)"],
    );
    check(
        "SELECT TUMBLE_START(ts, INTERVAL '2' DAY) AS w FROM $O GROUP BY TUMBLE(ts, INTERVAL '1' DAY)",
        &["E0310 TUMBLE_START(ts, INTERVAL '2' DAY)"],
    );
    check("SELECT COUNT(*) AS n FROM $O GROUP BY TUMBLE(at, INTERVAL '1' DAY)", &["E0409 at"]);
}

#[test]
fn arguments_must_have_the_right_types() {
    check(
        "SELECT AVG(note) AS a FROM $O GROUP BY TUMBLE(ts, INTERVAL '1' DAY)",
        &["E0310 AVG(note)"],
    );
    check("SELECT id FROM $O WHERE note = 1", &["E0306 note = 1"]);
    check(
        "SELECT CASE WHEN ok THEN note ELSE 1 END AS x FROM $O",
        &["E0306 CASE WHEN ok THEN note ELSE 1 END"],
    );
    check("SELECT UPPER(amount) AS x FROM $O", &["E0310 UPPER(amount)"]);
    check(
        "SELECT NOSUCH(amount) AS x, alsonot FROM $O",
        &["E0301 alsonot", "E0303 NOSUCH(amount)"],
    );
}

#[test]
fn every_type_mistake_of_a_model_is_found_at_its_place() {
    check(
        "SELECT note + 1 AS a, UPPER(amount) AS b, ABS(note) AS c, id FROM $O WHERE amount",
        &["E0306 note + 1", "E0310 UPPER(amount)", "E0310 ABS(note)", "E0312 amount"],
    );
    check(
        "SELECT CASE WHEN amount THEN 1 ELSE 2 END AS a, ROUND(note, 1) * (note - 1) AS b FROM $O",
        &["E0312 amount", "E0310 ROUND(note, 1)", "E0306 note - 1"],
    );
    check(
        "SELECT UPPER(note || amount) AS x, CONCAT(UPPER(price), note) AS y FROM $O",
        &["E0306 note || amount", "E0310 UPPER(price)"],
    );
}

#[test]
fn grouped_queries_name_every_column_that_is_not_grouped() {
    check(
        "SELECT note, UPPER(item) AS i, SUM(note) AS s, COUNT(*) AS n FROM $O \
         GROUP BY id, TUMBLE(ts, INTERVAL '1' DAY)",
        &["E0309 note", "E0309 item", "E0310 SUM(note)"],
    );
    check(
        "SELECT id, COUNT(*) AS n FROM $O GROUP BY id, TUMBLE(ts, INTERVAL '1' DAY) \
         HAVING COUNT(*)",
        &["E0312 COUNT(*)"],
    );
    check(
        "SELECT UPPER(amount) AS u, COUNT(*) AS n FROM $O \
         GROUP BY UPPER(amount), TUMBLE(ts, INTERVAL '1' DAY)",
        &["E0310 UPPER(amount)"],
    );
}

#[test]
fn conditions_are_looked_into() {
    check(
        "SELECT id FROM $O WHERE ok AND note OR NOT amount AND amount > 'x'",
        &["E0312 note", "E0312 amount", "E0306 amount > 'x'"],
    );
    check("SELECT id FROM $O WHERE amount IN (1, 'x')", &["E0306 amount IN (1, 'x')"]);
}

#[test]
fn mistakes_are_found_inside_queries_of_with_and_from() {
    check(
        "WITH a AS (SELECT UPPER(amount) AS u FROM $O), b AS (SELECT ABS(note) AS v FROM $O) \
         SELECT u FROM a",
        &["E0310 UPPER(amount)", "E0310 ABS(note)"],
    );
    check("SELECT x.u FROM (SELECT id, UPPER(amount) AS u FROM $O) AS x", &["E0310 UPPER(amount)"]);
}

#[test]
fn flinks_own_forms_pass() {
    for sql in [
        "SELECT MAP['a', amount, 'b', 2] AS m, MAP['a', amount]['a'] AS v FROM $O",
        "SELECT JSON_VALUE(note, '$.a' RETURNING INT NULL ON EMPTY DEFAULT 7 ON ERROR) AS v FROM $O",
        "SELECT JSON_VALUE(note, 'lax $.a' DEFAULT id ON EMPTY) AS v FROM $O",
        "SELECT JSON_QUERY(note, '$.a' WITH CONDITIONAL WRAPPER EMPTY ARRAY ON EMPTY) AS q FROM $O",
        "SELECT JSON_EXISTS(note, 'strict $.a' UNKNOWN ON ERROR) AS e FROM $O",
        "SELECT id FROM $O WHERE note IS JSON AND item IS NOT JSON OBJECT",
        "SELECT TRIM(LEADING FROM note) AS l, TRIM(BOTH 'x' FROM note) AS b FROM $O",
        "SELECT id FROM $O WHERE amount NOT BETWEEN SYMMETRIC 9 AND 1 AND amount IS DISTINCT FROM 3",
    ] {
        check(sql, &[]);
    }
    check("SELECT MAP['a'] AS m FROM $O", &["E0310 MAP['a']"]);
    check("SELECT nosuch IS JSON AS j FROM $O", &["E0301 nosuch"]);
    check("SELECT JSON_VALUE(note, '$.a' DEFAULT nosuch ON EMPTY) AS j FROM $O", &["E0301 nosuch"]);
}
