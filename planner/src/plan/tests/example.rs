//! The example project, verbatim.

use super::*;

fn columns(planned: &Planned, model: &str) -> Vec<String> {
    let model = planned.models.iter().find(|planned| planned.name == model);
    let columns = model.map(|model| model.columns.iter()).into_iter().flatten();
    columns.map(|column| format!("{} {}", column.name, column.data_type)).collect()
}

fn source<'a>(planned: &'a Planned, name: &str) -> &'a Source {
    let dataflow = planned.dataflow.as_ref().expect("it plans");
    let found = dataflow.sources().find(|(_, source)| source.source == name);
    found.map(|(_, source)| source).expect("it is read")
}

#[test]
fn example_has_no_mistakes() {
    let (planned, files) = plan_texts(&ECOMMERCE);
    assert_eq!(said(&planned, &files), Vec::<String>::new());
    assert_eq!(planned.models.len(), 4);
    assert!(planned.dataflow.is_some());
}

/// The schemas of Flink's sink tables for the same models.
#[test]
fn outputs_have_the_types_of_flink() {
    let (planned, _) = plan_texts(&ECOMMERCE);
    let check = |model: &str, expected: &str| {
        assert_eq!(columns(&planned, model).join(", "), expected, "{model}");
    };
    check(
        "events_clean",
        "event_id STRING, session_id STRING, user_identifier STRING, user_id STRING, \
         anonymous_id STRING, event_type STRING, page_url STRING, referrer_url STRING, \
         product_id STRING, search_query STRING, device_type STRING, browser STRING, \
         country STRING, timestamp TIMESTAMP_LTZ(3)",
    );
    check(
        "events_enriched",
        "event_id STRING, session_id STRING, user_identifier STRING, user_id STRING, \
         event_type STRING, page_url STRING, product_id STRING, search_query STRING, \
         device_type STRING, country STRING, timestamp TIMESTAMP_LTZ(3), product_name STRING, \
         product_category STRING, product_subcategory STRING, product_price DOUBLE, \
         product_brand STRING",
    );
    check(
        "user_sessions",
        "session_id STRING, user_identifier STRING, device_type STRING, country STRING, \
         session_start TIMESTAMP(3), session_end TIMESTAMP(3), event_count BIGINT, \
         pages_viewed BIGINT, page_views INT, clicks INT, add_to_carts INT, purchases INT, \
         searches INT, categories_browsed MULTISET<STRING>, max_product_price DOUBLE, \
         avg_product_price DOUBLE",
    );
    check(
        "product_popularity",
        "product_id STRING, product_name STRING, product_category STRING, \
         window_start TIMESTAMP(3), window_end TIMESTAMP(3), total_interactions BIGINT, \
         views INT, add_to_carts INT, purchases INT, unique_users BIGINT, popularity_score INT",
    );
}

#[test]
fn every_inferred_fact_has_its_reason_and_place() {
    let (planned, files) = plan_texts(&ECOMMERCE);
    let fact = |subject: &str, kind: FactKind| {
        let fact = planned.facts.iter().find(|fact| fact.subject == subject && fact.kind == kind);
        fact.map(|fact| {
            let (line, _) = files.line_and_column(&fact.place);
            let path = files.path(fact.place.file);
            format!(
                "{}: {} in {path}:{line} [{}]",
                fact.value,
                fact.reason,
                files.quote(&fact.place)
            )
        })
        .unwrap_or_default()
    };
    assert_eq!(
        fact("clickstream.timestamp", FactKind::ColumnType),
        "TIMESTAMP_LTZ(3): FOR SYSTEM_TIME AS OF in models/events_enriched.yml:35 [e.`timestamp`]"
    );
    assert_eq!(
        fact("clickstream", FactKind::EventTime),
        "`timestamp`, watermark 5s: FOR SYSTEM_TIME AS OF in models/events_enriched.yml:35 \
         [e.`timestamp`]"
    );
    assert_eq!(
        fact("products.price", FactKind::ColumnType),
        "DOUBLE: AVG in models/user_sessions.yml:36 [product_price]"
    );
    assert_eq!(
        fact("products", FactKind::Versioned),
        "by product_id at record timestamp: join in models/events_enriched.yml:36 \
         [e.product_id = p.product_id]"
    );
    assert_eq!(planned.facts.len(), 13 + 6 + 2);
}

#[test]
fn sources_are_read_as_the_models_need() {
    let (planned, _) = plan_texts(&ECOMMERCE);
    let products = source(&planned, "products");
    assert_eq!(products.role, crate::dataflow::SourceRole::Versioned { key: vec![0] });
    assert_eq!(products.event_time.column, 6);
    assert_eq!(products.columns[6].from, crate::dataflow::ColumnOrigin::Timestamp);
    let clicks = source(&planned, "clickstream");
    assert_eq!(clicks.role, crate::dataflow::SourceRole::Stream);
    assert_eq!(clicks.columns[clicks.event_time.column].name, "timestamp");
    assert_eq!(clicks.event_time.out_of_orderness_ms, 5_000);
}

#[test]
fn models_share_the_rows_of_the_model_before() {
    let (planned, _) = plan_texts(&ECOMMERCE);
    let dataflow = planned.dataflow.expect("it plans");
    let joins = dataflow.nodes.iter().filter(|node| node.id.0.contains("/join")).count();
    assert_eq!(joins, 1);
    let tree = dataflow.explain("user_sessions");
    let ids: Vec<&str> =
        tree.lines().filter_map(|line| line.trim().split([':', ' ']).next()).collect();
    assert_eq!(
        ids,
        [
            "user_sessions/sink",
            "user_sessions/project",
            "user_sessions/window",
            "events_enriched/project"
        ]
    );
}

#[test]
fn the_same_text_gives_the_same_dataflow() {
    let text = || {
        plan_texts(&ECOMMERCE)
            .0
            .dataflow
            .map(|dataflow| (dataflow.to_string(), dataflow.fingerprint()))
    };
    assert_eq!(text(), text());
    let text = text().expect("it plans").0;
    // What DataFusion prints must not get into fingerprints.
    assert!(!text.contains("Utf8") && !text.contains("__common"), "{text}");
}

#[test]
fn a_topics_settings_are_not_in_the_fingerprint() {
    let fingerprint = |models: &str| {
        let mut texts = ECOMMERCE;
        texts[1].1 = models;
        plan_texts(&texts).0.dataflow.expect("it plans").fingerprint()
    };
    let clean = ECOMMERCE[1].1;
    let more_partitions = clean.replace("partitions: 24", "partitions: 48");
    let other_key = clean.replace("key: session_id", "key: event_id");
    assert_eq!(fingerprint(clean), fingerprint(&more_partitions));
    assert_ne!(fingerprint(clean), fingerprint(&other_key));
}

#[test]
fn an_upstream_that_is_not_selected_is_read_from_its_topic() {
    let loaded = load_texts(&ECOMMERCE, &LoadOptions::default());
    let project = loaded.project.expect("it loads");
    let select = Some(BTreeSet::from(["user_sessions".to_owned()]));
    let planned = plan(&project, &PlanOptions { select, ..PlanOptions::default() });
    let source = source(&planned, "events_enriched");
    assert_eq!(source.topic, "ecom.events-enriched.v1");
    let names: Vec<&str> = source.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "session_id",
            "user_identifier",
            "event_type",
            "page_url",
            "device_type",
            "country",
            "timestamp",
            "product_category",
            "product_price"
        ]
    );
    assert_eq!(source.columns[source.event_time.column].name, "timestamp");
    assert_eq!(planned.models.len(), 4);
    assert_eq!(planned.dataflow.map(|dataflow| dataflow.sinks().count()), Some(1));
}
