//! Types, event times and keys that follow from use.

use super::*;

/// The inferred type of a column of the shop, with its reason.
fn check(sqls: &[&str], subject: &str, expected: &str) {
    let sqls: Vec<String> = sqls.iter().map(|sql| expand(sql)).collect();
    let (planned, files) = plan_models(&sqls.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(said(&planned, &files), Vec::<String>::new(), "{sqls:?}");
    let fact = planned.facts.iter().find(|fact| fact.subject == subject);
    let got = fact.map(|fact| format!("{} because of {}", fact.value, fact.reason));
    assert_eq!(got.as_deref(), Some(expected), "{sqls:?}");
}

fn expand(sql: &str) -> String {
    sql.replace("$O", "{{ source(\"orders\") }}")
        .replace("$I", "{{ source(\"items\") }}")
        .replace("$A", "{{ ref(\"a\") }}")
}

/// The codes and places of conflicting inferences.
fn check_conflict(sqls: &[&str], expected: &[&str]) {
    let sqls: Vec<String> = sqls.iter().map(|sql| expand(sql)).collect();
    let (planned, files) = plan_models(&sqls.iter().map(String::as_str).collect::<Vec<_>>());
    let got: Vec<String> = planned
        .diagnostics
        .iter()
        .map(|diagnostic| {
            let labels = diagnostic.labels.iter().map(|label| {
                format!("{} [{}]", files.path(label.place.file), files.quote(&label.place))
            });
            format!("{} {}", diagnostic.code, labels.collect::<Vec<_>>().join(", "))
        })
        .collect();
    assert_eq!(got, expected);
}

#[test]
fn a_use_tells_the_type() {
    check(
        &["SELECT id FROM $O WHERE id > 5"],
        "orders.id",
        "DOUBLE because of comparison with a number",
    );
    check(&["SELECT id FROM $O WHERE item"], "orders.item", "BOOLEAN because of WHERE");
    check(&["SELECT id || 'x' AS y FROM $O"], "orders.id", "STRING because of ||");
    check(
        &["SELECT CASE WHEN ok THEN id ELSE 0 END AS y FROM $O"],
        "orders.id",
        "DOUBLE because of CASE with a number",
    );
    check(&["SELECT id FROM $O"], "orders.id", "STRING because of no use says otherwise");
    check(
        &["SELECT id FROM $O WHERE id = amount"],
        "orders.id",
        "INT because of comparison with `orders.amount`",
    );
}

#[test]
fn types_flow_back_through_ref() {
    check(
        &[
            "SELECT COALESCE(id, item) AS x, ts FROM $O",
            "SELECT SUM(x) AS s FROM $A GROUP BY TUMBLE(ts, INTERVAL '1' DAY)",
        ],
        "orders.item",
        "DOUBLE because of SUM",
    );
    check(
        &[
            "SELECT id, ts AS time FROM $O",
            "SELECT COUNT(*) AS n FROM $A GROUP BY TUMBLE(time, INTERVAL '1' DAY)",
        ],
        "orders",
        "`ts`, watermark 5s because of TUMBLE",
    );
}

#[test]
fn uses_that_exclude_each_other_show_both_places() {
    check_conflict(
        &["SELECT id + 1 AS y FROM $O", "SELECT UPPER(id) AS y FROM $O"],
        &["E0305 models/b.yml [id], models/a.yml [id]"],
    );
    check_conflict(
        &[
            "SELECT COUNT(*) AS n FROM $O GROUP BY TUMBLE(ts, INTERVAL '1' DAY)",
            "SELECT COUNT(*) AS n FROM $O GROUP BY TUMBLE(ts2, INTERVAL '1' DAY)",
        ],
        &["E0405 models/b.yml [ts2], models/a.yml [ts]"],
    );
}

#[test]
fn a_broken_model_hides_no_other_and_its_readers_are_silent() {
    check_conflict(
        &["SELECT idd AS x FROM $O", "SELECT x, nothing FROM $A", "SELECT foo FROM $I"],
        &[
            "E0301 models/a.yml [idd], sources/shop.yml [orders]",
            "E0301 models/c.yml [foo], sources/shop.yml [items]",
        ],
    );
}
