use std::collections::BTreeSet;

use super::*;

#[track_caller]
fn check(texts: &[(&str, &str)], select: Option<&[&str]>) {
    let loaded = load_texts(texts, &LoadOptions::default());
    let project = loaded.project.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    let select: Option<BTreeSet<String>> =
        select.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    let options = PlanOptions { select: select.clone(), ..PlanOptions::default() };
    let planned = plan(&project, &options);
    let dataflow = planned.dataflow.unwrap_or_else(|| panic!("{:#?}", planned.diagnostics));
    let text = write(&project, select.as_ref());
    let again = read(&text).unwrap_or_else(|reason| panic!("{reason}\n{text}"));
    assert_eq!(again.to_string(), dataflow.to_string(), "{text}");
}

#[test]
fn the_example_plans_again_from_its_text() {
    let example = [
        include_str!("../../../examples/ecommerce/sources/events.yml"),
        include_str!("../../../examples/ecommerce/models/events_clean.yml"),
        include_str!("../../../examples/ecommerce/models/events_enriched.yml"),
        include_str!("../../../examples/ecommerce/models/user_sessions.yml"),
        include_str!("../../../examples/ecommerce/models/product_popularity.yml"),
    ];
    let names = ["sources/a.yml", "models/a.yml", "models/b.yml", "models/c.yml", "models/d.yml"];
    let texts: Vec<(&str, &str)> = names.into_iter().zip(example).collect();
    check(&texts, None);
    check(&texts, Some(&["user_sessions"]));
}

/// Everything that rows depend on and the example leaves at its default.
#[test]
fn what_is_declared_plans_again() {
    let text = r#"
project: {name: p}
runtime: {engine: {idle_timeout: 3s}}
sources:
  - name: s
    topic: t.s
    format: {type: csv, delimiter: ";"}
    on_error: skip
    on_gap: earliest
    event_time: {column: at, max_out_of_orderness: 7s, allowed_lateness: 9s, max_future: 1h, idle_advance: 1m}
    columns: [{name: k}, {name: at, type: 'TIMESTAMP(3) NOT NULL'}, {name: n, type: 'DECIMAL(10, 2)'}, {name: "odd ${x}", type: BIGINT}]
  - name: v
    topic: t.v
    key: k
    versioned: {before_first: first}
    columns: [{name: k}, {name: name}]
models:
  - name: m
    topic: {name: t.m, partitions: 3, config: {retention.ms: "5"}}
    key: k
    format: {multiset: array, timestamp: sql}
    event_time: {column: at, max_out_of_orderness: 2s}
    sql: |
      SELECT s.k, s.at, s.n, '{{ '{{ {% x' }}' || name AS odd, '`source.s`' AS quoted
      FROM {{ source("s") }} AS s LEFT JOIN {{ source("v") }} FOR SYSTEM_TIME AS OF s.at AS v ON s.k = v.k
  - name: w
    topic: {name: t.w}
    sql: |
      SELECT k, COUNT(*) AS c FROM {{ ref("m") }} GROUP BY k, TUMBLE(at, INTERVAL '1' MINUTE)
"#;
    check(&[("stream_project.yml", text)], None);
    check(&[("stream_project.yml", text)], Some(&["w"]));
}

#[test]
fn a_text_that_is_none_is_refused() {
    assert!(read("-- model m\nSELECT 1\n").is_err());
    assert!(read("").is_err());
}
