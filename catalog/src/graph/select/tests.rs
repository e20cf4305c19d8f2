use super::*;
use crate::load::{LoadOptions, load_texts};

const PROJECT: &str = "
sources:
  - {name: clicks, topic: clicks, tags: [raw]}
  - {name: goods, topic: goods}
models:
  - {name: clean, owner: ann, tags: [daily], materialized: topic, sql: \"SELECT * FROM {{ source('clicks') }}\"}
  - {name: joined, owner: bob, sql: \"SELECT * FROM {{ ref('clean') }} JOIN {{ source('goods') }}\"}
  - {name: sessions, group: g, tags: [daily], sql: \"SELECT * FROM {{ ref('joined') }}\"}
  - {name: other, sql: SELECT 1}
tests:
  - {name: t, model: clean, type: schema, assertions: [not_null: {columns: [a]}]}
exposures:
  - {name: api, type: api, consumes: [{ref: sessions}]}
";

/// The names that `arguments` select (those after `-` are excluded), or the mistakes.
fn check(arguments: &str, expected: &str) {
    let loaded = load_texts(&[("models/shop.yml", PROJECT)], &LoadOptions::default());
    assert_eq!(loaded.diagnostics, []);
    let project = loaded.project.expect("no error");
    let (selected, excluded) = arguments.split_once(" - ").unwrap_or((arguments, ""));
    let exclude: Vec<&str> = excluded.split(' ').filter(|term| !term.is_empty()).collect();
    let actual = match select(&project, &loaded.files, &[selected], &exclude) {
        Ok(selection) => {
            selection.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(" ")
        }
        Err(mistakes) => {
            let text = |mistake: &Diagnostic| format!("{}: {}", mistake.code, mistake.message);
            mistakes.iter().map(text).collect::<Vec<_>>().join("; ")
        }
    };
    assert_eq!(actual, expected, "for `{arguments}`");
}

#[test]
fn names_and_patterns() {
    check("clean", "clean");
    check("c*", "clicks clean");
    check("?oined", "joined");
    check("models/shop.yml", "clicks goods clean joined other sessions t api");
    check("path:models", "clicks goods clean joined other sessions t api");
}

#[test]
fn methods() {
    check("tag:daily", "clean sessions");
    check("source:*", "clicks goods");
    check("owner:bob", "joined");
    check("group:g", "sessions");
    check("materialized:topic", "clean");
    check("exposure:api", "api");
    check("test_type:schema", "t");
    check("access:private", "clean joined other sessions");
}

#[test]
fn neighbours() {
    check("+clean", "clicks clean");
    check("clean+", "clean joined sessions t api");
    check("1+joined", "goods clean joined");
    check("clean+1", "clean joined t");
    check("1+joined+1", "goods clean joined sessions");
    check("@goods", "clicks goods clean joined sessions api");
    check("+exposure:api", "clicks goods clean joined sessions api");
}

#[test]
fn unions_intersections_and_exclusions() {
    check("clean other", "clean other");
    check("tag:daily,+sessions", "clean sessions");
    check("tag:daily - sessions", "clean");
    check("tag:daily - nothing_like_it", "clean sessions");
}

#[test]
fn what_selects_nothing_is_a_mistake() {
    check("cleen", "E0113: `cleen` selects nothing");
    check("clean,other", "E0113: `clean,other` selects nothing");
    check("tags:daily", "E0114: `tags:daily` is not a selection: there is no method `tags`");
    check("@clean+", "E0114: `@clean+` is not a selection: `@` already adds what `+` would");
    check("tag:", "E0114: `tag:` is not a selection: a name is missing");
    check(
        "99999999999999999999+clean",
        "E0114: `99999999999999999999+clean` is not a selection: `99999999999999999999` is no number of steps: number too large to fit in target type",
    );
}
