use catalog::load::{LoadOptions, load_texts};
use catalog::place::Files;

use super::*;

const ECOMMERCE: [(&str, &str); 5] = [
    ("sources/events.yml", include_str!("tests/ecommerce/sources.yml")),
    ("models/events_clean.yml", include_str!("tests/ecommerce/events_clean.yml")),
    ("models/events_enriched.yml", include_str!("tests/ecommerce/events_enriched.yml")),
    ("models/user_sessions.yml", include_str!("tests/ecommerce/user_sessions.yml")),
    ("models/product_popularity.yml", include_str!("tests/ecommerce/product_popularity.yml")),
];

fn plan_texts(texts: &[(&str, &str)]) -> (Planned, Files) {
    let loaded = load_texts(texts, &LoadOptions::default());
    let project = loaded.project.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    (plan(&project, &PlanOptions::default()), loaded.files)
}

#[test]
fn example_plans() {
    let (planned, files) = plan_texts(&ECOMMERCE);
    for d in &planned.diagnostics {
        println!(
            "{} {} {:?}",
            d.code,
            d.message,
            d.primary_place().map(|p| (
                files.path(p.file),
                files.line_and_column(p),
                files.quote(p)
            ))
        );
    }
    for f in &planned.facts {
        println!("{} -- {} {:?}", f, f.reason, files.line_and_column(&f.place));
    }
    for m in &planned.models {
        println!(
            "{}\n{}\n{:?}",
            m.name,
            m.logical_plan,
            m.columns.iter().map(|c| format!("{} {}", c.name, c.data_type)).collect::<Vec<_>>()
        );
    }
    println!("{}", planned.dataflow.as_ref().map_or(String::new(), ToString::to_string));
    assert!(planned.dataflow.is_some());
}
