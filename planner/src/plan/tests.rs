use catalog::load::{LoadOptions, load_texts};
use catalog::place::Files;

use super::*;
use crate::dataflow::Source;

mod example;
mod inference;
mod refusals;

const ECOMMERCE: [(&str, &str); 5] = [
    ("sources/events.yml", include_str!("../../../examples/ecommerce/sources/events.yml")),
    (
        "models/events_clean.yml",
        include_str!("../../../examples/ecommerce/models/events_clean.yml"),
    ),
    (
        "models/events_enriched.yml",
        include_str!("../../../examples/ecommerce/models/events_enriched.yml"),
    ),
    (
        "models/user_sessions.yml",
        include_str!("../../../examples/ecommerce/models/user_sessions.yml"),
    ),
    (
        "models/product_popularity.yml",
        include_str!("../../../examples/ecommerce/models/product_popularity.yml"),
    ),
];

/// Two streams, a versioned table with a declared key, and typed columns.
const SHOP: &str = "
sources:
  - name: orders
    topic: orders
    columns:
      - name: id
      - name: item
      - {name: amount, type: INT}
      - {name: price, type: 'DECIMAL(10, 2)'}
      - {name: note, type: STRING}
      - {name: ok, type: BOOLEAN}
      - name: ts
      - name: ts2
      - {name: at, type: TIMESTAMP(6)}
  - name: items
    topic: items
    key: sku
    columns: [{name: sku}, {name: name}, {name: weight}]
  - name: rates
    topic: rates
    columns: [{name: code}, {name: rate}]
";

fn plan_texts(texts: &[(&str, &str)]) -> (Planned, Files) {
    let loaded = load_texts(texts, &LoadOptions::default());
    let project = loaded.project.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    (plan(&project, &PlanOptions::default()), loaded.files)
}

fn model_yaml(name: &str, sql: &str) -> String {
    format!("models:\n  - name: {name}\n    sql: |\n      {}\n", sql.replace('\n', "\n      "))
}

/// Models `a`, `b`, … over the shop's sources.
fn plan_models(sqls: &[&str]) -> (Planned, Files) {
    let models: Vec<(String, String)> = sqls
        .iter()
        .zip('a'..)
        .map(|(sql, name)| (format!("models/{name}.yml"), model_yaml(&name.to_string(), sql)))
        .collect();
    let mut texts = vec![("sources/shop.yml", SHOP)];
    texts.extend(models.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    plan_texts(&texts)
}

/// Each diagnostic as `CODE under-the-primary-label: message`.
fn said(planned: &Planned, files: &Files) -> Vec<String> {
    planned
        .diagnostics
        .iter()
        .map(|diagnostic| {
            let text = diagnostic.primary_place().map_or("", |place| files.quote(place));
            format!("{} [{text}] {}", diagnostic.code, diagnostic.message)
        })
        .collect()
}
