use catalog::load::{LoadOptions, load_texts};

use super::*;
use crate::dataflow::Rebuild;
use crate::plan::{PlanOptions, plan};

const SOURCES: &str = "
sources:
  - name: clicks
    topic: clicks
    columns: [{name: k}, {name: n, type: BIGINT}, {name: at}, {name: country}, {name: item}]
  - name: items
    topic: items
    columns: [{name: item}, {name: price, type: DOUBLE}, {name: brand}]
";

const CLEAN: &str = "SELECT k, n, at, country, item FROM {{ source(\"clicks\") }} WHERE n > 0";

const JOINED: &str = "SELECT c.k, c.n, c.at, i.price FROM {{ ref(\"clean\") }} AS c LEFT JOIN {{ source(\"items\") }} FOR SYSTEM_TIME AS OF c.at AS i ON c.item = i.item";

const MINUTES: &str = "SELECT k, TUMBLE_START(at, INTERVAL '1' MINUTE) AS minute, COUNT(*) AS clicks, SUM(n) AS total FROM {{ ref(\"clean\") }} GROUP BY k, TUMBLE(at, INTERVAL '1' MINUTE)";

/// The models of a project, by name, with their queries.
fn models() -> Vec<(&'static str, String)> {
    [("clean", CLEAN), ("joined", JOINED), ("minutes", MINUTES)]
        .map(|(name, sql)| (name, sql.to_owned()))
        .to_vec()
}

fn dataflow(sources: &str, models: &[(&str, String)]) -> Dataflow {
    let mut text = format!("project: {{name: p}}\n{sources}models:\n");
    for (name, sql) in models {
        let model =
            format!("  - name: {name}\n    topic: {{name: {name}}}\n    sql: |\n      {sql}\n");
        text.push_str(&model);
    }
    let loaded = load_texts(&[("stream_project.yml", &text)], &LoadOptions::default());
    let project = loaded.project.unwrap_or_else(|| panic!("{:#?}\n{text}", loaded.diagnostics));
    let planned = plan(&project, &PlanOptions::default());
    planned.dataflow.unwrap_or_else(|| panic!("{:#?}\n{text}", planned.diagnostics))
}

/// What an edit does, one line a model that is not unchanged.
fn said(old: &Dataflow, new: &Dataflow) -> Vec<String> {
    let upgrade = Upgrade::between(old, new);
    let changed = upgrade.models.iter().filter(|change| change.verdict != Verdict::Unchanged);
    changed
        .map(|change| {
            let accept = if change.verdict.needs_acceptance() { "!" } else { "" };
            let reasons: Vec<&str> = change.reasons.iter().map(|one| one.text.as_str()).collect();
            format!("{}: {}{accept} {}", change.model, change.verdict.word(), reasons.join("; "))
        })
        .collect()
}

/// Edits one model by replacing a part of its query.
#[track_caller]
fn check(model: &str, (from, to): (&str, &str), expected: &[&str]) {
    let mut edited = models();
    let query = edited.iter_mut().find(|(name, _)| *name == model).expect("a model");
    assert!(query.1.contains(from), "{}", query.1);
    query.1 = query.1.replace(from, to);
    let (old, new) = (dataflow(SOURCES, &models()), dataflow(SOURCES, &edited));
    assert_eq!(said(&old, &new), expected, "{model}: {from} -> {to}");
}

#[test]
fn formatting_changes_nothing() {
    check("clean", ("n, at", "n,   at"), &[]);
    check("minutes", ("SELECT k", "SELECT /* why */ k"), &[]);
    let text = dataflow(SOURCES, &models());
    assert!(Upgrade::between(&text, &text).is_empty());
}

#[test]
fn an_edit_of_one_model_says_nothing_about_the_others() {
    // The source is read with another column before those that `clean` reads.
    let mut more = models();
    let wide = "SELECT a, k FROM {{ source(\"clicks\") }}".to_owned();
    more.push(("wide", wide));
    let wider =
        SOURCES.replace("[{name: k}, {name: n,", "[{name: a, type: STRING}, {name: k}, {name: n,");
    let (old, new) = (dataflow(SOURCES, &models()), dataflow(&wider, &more));
    assert_eq!(said(&old, &new), ["wide: added "]);
    assert_eq!(said(&new, &old), ["wide: removed! "]);
}

#[test]
fn a_column_that_is_added_needs_nothing() {
    check(
        "clean",
        ("SELECT k", "SELECT UPPER(k) AS loud, k"),
        &["clean: compatible column `loud` is added"],
    );
    check(
        "minutes",
        ("SELECT k", "SELECT UPPER(k) AS loud, k"),
        &["minutes: compatible column `loud` is added"],
    );
}

#[test]
fn other_columns_are_to_be_accepted() {
    check(
        "joined",
        ("i.price", "i.price * 2 AS price"),
        &["joined: compatible! column `price` is computed otherwise"],
    );
    check(
        "minutes",
        ("SUM(n) AS total", "SUM(n) * 2 AS total"),
        &["minutes: compatible! column `total` is computed otherwise"],
    );
    check("minutes", (", SUM(n) AS total", ""), &["minutes: compatible! column `total` is gone"]);
}

#[test]
fn an_added_aggregate_starts_with_the_rows_from_here_on() {
    check(
        "minutes",
        ("COUNT(*) AS clicks", "MAX(n) AS most, COUNT(*) AS clicks"),
        &[
            "minutes: compatible! aggregate MAX is new: windows that are open now have it of the rows from here on only; column `most` is added",
        ],
    );
}

#[test]
fn a_changed_filter_is_to_be_accepted_with_all_that_it_reaches() {
    check(
        "clean",
        ("n > 0", "n > 1"),
        &[
            "clean: compatible! WHERE has changed: it holds for the rows from here on",
            "joined: compatible! WHERE has changed: rows that wait in the temporal join keep what came before",
            "minutes: compatible! WHERE has changed: windows that are open now keep what came before",
        ],
    );
}

#[test]
fn other_groups_are_built_up_again() {
    check(
        "minutes",
        ("GROUP BY k, TUMBLE", "GROUP BY k, country, TUMBLE"),
        &["minutes: rebuild! GROUP BY gained `country`"],
    );
    check(
        "minutes",
        ("'1' MINUTE", "'2' MINUTE"),
        &["minutes: rebuild! windows are 2m long instead of 60s"],
    );
}

#[test]
fn a_join_that_needs_what_it_did_not_keep_is_built_up_again() {
    check(
        "joined",
        ("i.price", "i.price, i.brand"),
        &[
            "joined: rebuild! the temporal join needs `brand`, which its state does not hold; column `brand` is added",
        ],
    );
    check(
        "joined",
        ("LEFT JOIN", "JOIN"),
        &["joined: compatible! the temporal join is LEFT instead of INNER, or the other way round"],
    );
}

#[test]
fn what_reads_a_rebuilt_model_is_rebuilt() {
    let mut with_reader = models();
    let reader = "SELECT k, price FROM {{ ref(\"joined\") }}".to_owned();
    with_reader.push(("reader", reader));
    let mut edited = with_reader.clone();
    edited[1].1 = edited[1].1.replace("i.price", "i.price, i.brand");
    let said = said(&dataflow(SOURCES, &with_reader), &dataflow(SOURCES, &edited));
    assert_eq!(said[1], "reader: rebuild! it reads `joined`, which is rebuilt");
}

#[test]
fn a_type_that_another_model_changes_is_told_with_its_source() {
    let untyped =
        SOURCES.replace("{name: n, type: BIGINT}, ", "{name: n, type: BIGINT}, {name: free}, ");
    let by_free = ("by_free", "SELECT free, TUMBLE_START(at, INTERVAL '1' MINUTE) AS m, COUNT(*) AS c FROM {{ source(\"clicks\") }} GROUP BY free, TUMBLE(at, INTERVAL '1' MINUTE)".to_owned());
    let text = ("other", "SELECT free FROM {{ source(\"clicks\") }}".to_owned());
    let number = ("other", "SELECT free + 1 AS more FROM {{ source(\"clicks\") }}".to_owned());
    let old = dataflow(&untyped, &[by_free.clone(), text]);
    let new = dataflow(&untyped, &[by_free, number]);
    let said = said(&old, &new);
    let first = said.iter().find(|line| line.starts_with("by_free")).expect("it has changed");
    assert!(
        first.contains("rebuild!") && first.contains("source `clicks`: column `free` is"),
        "{first}"
    );
}

#[test]
fn another_event_time_forgets_the_watermarks() {
    let timed =
        SOURCES.replace("topic: items", "topic: items\n    event_time: {max_out_of_orderness: 1s}");
    let (old, new) = (dataflow(SOURCES, &models()), dataflow(&timed, &models()));
    assert_eq!(
        said(&old, &new),
        ["joined: compatible! source `items`: its watermark trails by 1000 ms instead of 5000 ms"]
    );
    let moved = SOURCES.replace("topic: clicks", "topic: clicks.v2");
    let upgrade = Upgrade::between(&old, &dataflow(&moved, &models()));
    assert!(upgrade.models.iter().all(|change| change.verdict == Verdict::Rebuild), "{upgrade:?}");
    assert_eq!(upgrade.reset.len(), 1);
}

#[test]
fn shadows_stand_beside_what_goes_on_and_come_to_the_same() {
    let new = dataflow(SOURCES, &models());
    let readers = new.sources().map(|(_, source)| source.reader.clone()).collect();
    let models = BTreeSet::from(["minutes".to_owned()]);
    let rebuild = Rebuild { silent: models.clone(), models, readers };
    let during = new.rebuilding(&rebuild);
    let ids: Vec<&str> = during.nodes.iter().map(|node| node.id.0.as_str()).collect();
    assert!(ids.contains(&"source/rebuild/clicks") && ids.contains(&"source/clicks"), "{ids:?}");
    assert!(!ids.iter().any(|id| id.contains("items") && id.contains("rebuild")), "{ids:?}");
    assert!(
        ids.iter().any(|id| id.starts_with("rebuild:clean/")) && !ids.contains(&"minutes/sink")
    );
    // Every node reads what stands before it.
    for (index, node) in during.nodes.iter().enumerate() {
        assert!(node.inputs.iter().all(|input| *input < index), "{during}");
    }
    let upgrade = Upgrade::between(&during, &new);
    assert!(upgrade.is_empty(), "{upgrade:?}");
    assert!(upgrade.operators.iter().any(Option::is_some));
}
