use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::project::data_test::{Action, Assertion};
use crate::project::model::ReferenceKind;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/ecommerce");

fn options(variables: &[(&str, &str)]) -> LoadOptions {
    let variables =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    LoadOptions { variables, ..LoadOptions::default() }
}

/// Each diagnostic as `path:line:column code message`.
fn lines(loaded: &Loaded) -> String {
    let mut text = String::new();
    for diagnostic in &loaded.diagnostics {
        let place = diagnostic.primary_place().map_or_else(String::new, |place| {
            let (line, column) = loaded.files.line_and_column(place);
            format!("{}:{line}:{column} ", loaded.files.path(place.file))
        });
        writeln!(text, "{place}{} {}", diagnostic.code, diagnostic.message)
            .expect("a string grows");
    }
    text
}

/// A project of one source and one model, with `more` keys for the model.
fn model_with(more: &str) -> String {
    format!(
        "sources:\n  - {{name: s, topic: s.v1}}\nmodels:\n  - name: m\n    sql: SELECT * FROM {{{{ source('s') }}}}\n{more}"
    )
}

/// Loads one file, `models/m.yml`, and compares what is said about it.
fn check(yaml: &str, expected: &str) {
    let loaded = load_texts(&[("models/m.yml", yaml)], &options(&[]));
    assert_eq!(lines(&loaded), expected, "for {yaml}");
}

#[test]
fn the_example_loads_without_an_error() {
    let loaded = load(Path::new(EXAMPLE), &options(&[]));
    assert_eq!(
        lines(&loaded),
        "models/product_popularity.yml:11:28 W0107 `checkpoint_interval` has no unit; read as milliseconds\n\
         models/user_sessions.yml:11:28 W0107 `checkpoint_interval` has no unit; read as milliseconds\n\
         tests/events_tests.yml:36:20 W0204 the environment variable `SLACK_WEBHOOK` is not set\n"
    );
    let project = loaded.project.expect("no error");
    assert_eq!(project.name, "ecommerce");
    let models: Vec<&str> = project.models.iter().map(|model| model.name.as_str()).collect();
    assert_eq!(models, ["events_clean", "events_enriched", "product_popularity", "user_sessions"]);
    let sessions = project.model("user_sessions").expect("is there");
    assert_eq!(sessions.topic.name.value, "ecom.user-sessions.v1");
    assert_eq!(sessions.topic.partitions.as_ref().map(|count| count.value), Some(12));
    assert_eq!(sessions.engine.parallelism.as_ref().map(|count| count.value), Some(8));
    assert_eq!(sessions.key.as_ref().map(|key| key.as_str()), Some("session_id"));
    assert_eq!(project.runtime.engine.checkpoint_interval, Duration::from_secs(30));
    let clickstream = project.source("clickstream").expect("is there");
    assert_eq!(clickstream.columns.len(), 13);
    let freshness = clickstream.freshness.as_ref().expect("is there");
    assert_eq!(
        freshness.error_after.as_ref().map(|after| after.value),
        Some(Duration::from_mins(2))
    );
    assert_eq!(project.data_tests.len(), 3);
    assert_eq!(project.exposures.len(), 2);
    let availability = project.exposures[0].sla.as_ref().and_then(|sla| sla.availability.clone());
    assert_eq!(availability.map(|share| share.value), Some(99.95));
}

#[test]
fn the_examples_sql_maps_to_its_yaml() {
    let loaded = load(Path::new(EXAMPLE), &options(&[]));
    let project = loaded.project.expect("no error");
    let sql = project.model("events_enriched").and_then(|model| model.sql.as_ref()).expect("sql");
    let references: Vec<(ReferenceKind, &str)> =
        sql.references.iter().map(|reference| (reference.kind, reference.name.as_str())).collect();
    assert_eq!(
        references,
        [(ReferenceKind::Model, "events_clean"), (ReferenceKind::Source, "products")]
    );
    for (part, origin) in [
        ("p.price", "p.price"),
        ("`source.products`", "{{ source(\"products\") }}"),
        ("FOR SYSTEM_TIME AS OF e.`timestamp`", "FOR SYSTEM_TIME AS OF e.`timestamp`"),
    ] {
        let start = sql.text.find(part).expect("is rendered");
        assert_eq!(loaded.files.quote(&sql.place(start..start + part.len())), origin);
    }
    let start = sql.text.find("p.product_id").expect("is rendered");
    assert_eq!(loaded.files.line_and_column(&sql.place(start..start + 1)), (36, 27));
}

#[test]
fn secrets_are_held_and_never_shown() {
    let loaded = load(Path::new(EXAMPLE), &options(&[("SLACK_WEBHOOK", "https://hooks/canary")]));
    let project = loaded.project.expect("no error");
    let action = &project.data_tests[2].on_failure.actions[0].value;
    let Action::Alert(alert) = action else { panic!("not an alert") };
    assert_eq!(alert.url.as_ref().map(|url| url.expose()), Some("https://hooks/canary"));
    assert!(!format!("{project:?}").contains("canary"));
    let root = "runtime:\n  kafka:\n    bootstrap_servers: h:1\n    security_protocol: ${P}\n    sasl_mechanism: PLAIN\n    sasl_username: u\n    sasl_password: ${P}\n    properties: {ssl.key.password: '${P}'}\n";
    let yaml = model_with("");
    let texts = [("stream_project.yml", root), ("models/m.yml", yaml.as_str())];
    let loaded = load_texts(&texts, &options(&[("P", "canary")]));
    assert_eq!(
        lines(&loaded),
        "stream_project.yml:4:24 E0006 `${P}` is not a value of `security_protocol`\n"
    );
    let shown = format!("{:?}", loaded.diagnostics);
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn both_spellings_are_read_and_a_conflict_shows_both() {
    check(&model_with("    advanced: {flink: {parallelism: 2}, topic: {partitions: 3}}\n"), "");
    check(&model_with("    engine: {state_ttl: 1h}\n    flink: {parallelism: 2}\n"), "");
    check(
        &model_with("    topic: {partitions: 3}\n    advanced:\n      topic: {partitions: 4}\n"),
        "models/m.yml:8:15 E0005 `partitions` and `partitions` are two spellings of one setting\n",
    );
    check(
        &model_with(
            "    flink:\n      checkpoint_interval: 1m\n      checkpoint_interval_ms: 60000\n",
        ),
        "models/m.yml:8:7 E0005 `checkpoint_interval_ms` and `checkpoint_interval` are two spellings of one setting\n",
    );
}

#[test]
fn all_mistakes_come_in_one_go() {
    check(
        "sources:\n  - name: 1s\n    topic: a b\n    colums: []\n    event_time: {column: x, watermark: {strategy: magic}}\nmodels:\n  - name: m\n    sql: SELECT * FROM {{ ref('n') }}\n    topic: {partitions: none}\n  - sql: SELECT 1\n",
        "models/m.yml:2:11 E0012 `1s` cannot be the name of a source\n\
         models/m.yml:3:12 E0006 `a b` is not a value of `topic`\n\
         models/m.yml:4:5 W0013 unknown key `colums` in source `1s`\n\
         models/m.yml:5:51 E0006 `magic` is not a value of `strategy`\n\
         models/m.yml:8:32 E0102 there is no model `n`\n\
         models/m.yml:9:25 E0006 `none` is not a value of `partitions`\n\
         models/m.yml:10:5 E0004 a model has no `name`\n",
    );
}

#[test]
fn variables_are_filled_in_everywhere_but_in_sql() {
    let yaml = "sources:\n  - name: s\n    topic: ${PREFIX:-a}.x\n    description: '$${PREFIX} ${NONE-}'\nmodels:\n  - name: m\n    topic: {partitions: \"${P:-3}\"}\n    sql: SELECT '${PREFIX}' FROM {{ source('s') }}\n";
    let loaded = load_texts(&[("models/m.yml", yaml)], &options(&[("PREFIX", "b")]));
    assert_eq!(lines(&loaded), "");
    let project = loaded.project.expect("no error");
    assert_eq!(project.sources[0].topic.value, "b.x");
    assert_eq!(project.sources[0].description.as_deref(), Some("${PREFIX} "));
    assert_eq!(project.models[0].topic.partitions.as_ref().map(|count| count.value), Some(3));
    let sql = project.models[0].sql.as_ref().expect("sql");
    assert_eq!(sql.text, "SELECT '${PREFIX}' FROM `source.s`");
}

#[test]
fn an_unset_variable_is_an_error_only_where_it_is_needed() {
    check(
        &model_with("    owner: ${NONE}\n    group: ${NONE:?set it}\n"),
        "models/m.yml:6:12 W0204 the environment variable `NONE` is not set\n\
         models/m.yml:7:12 E0204 the environment variable `NONE` is not set: set it\n",
    );
    let yaml = model_with("");
    let root = "runtime: {kafka: {bootstrap_servers: '${KAFKA}'}}\n";
    let texts = [("stream_project.yml", root), ("models/m.yml", yaml.as_str())];
    assert_eq!(
        lines(&load_texts(&texts, &options(&[]))),
        "stream_project.yml:1:39 E0204 the environment variable `KAFKA` is not set\n"
    );
    let texts = [(".env", "KAFKA=h:1,i:2"), texts[0], texts[1]];
    let project = load_texts(&texts, &options(&[])).project.expect("no error");
    let kafka = project.runtime.kafka.expect("is there");
    let settings = kafka.client_settings(Path::new("shop"));
    assert_eq!(settings["bootstrap.servers"].expose(), "h:1,i:2");
}

#[test]
fn files_of_kafka_settings_are_relative_to_the_project() {
    let yaml = model_with("");
    let root = "runtime:\n  kafka:\n    bootstrap_servers: h:1\n    ssl_ca_location: certs/ca.pem\n    ssl_key_location: /etc/key.pem\n    properties: {ssl.crl.location: crl.pem}\n";
    let texts = [("stream_project.yml", root), ("models/m.yml", yaml.as_str())];
    let project = load_texts(&texts, &options(&[])).project.expect("no error");
    let settings = project.runtime.kafka.expect("is there").client_settings(Path::new("shop"));
    let file = |name: &str| settings[name].expose().to_owned();
    assert_eq!(file("ssl.ca.location"), "shop/certs/ca.pem");
    assert_eq!(file("ssl.key.location"), "/etc/key.pem");
    assert_eq!(file("ssl.crl.location"), "shop/crl.pem");
    let probe = root.replace("certs/ca.pem", "probe");
    let texts = [("stream_project.yml", probe.as_str()), texts[1]];
    let project = load_texts(&texts, &options(&[])).project.expect("no error");
    let settings = project.runtime.kafka.expect("is there").client_settings(Path::new("shop"));
    assert_eq!(settings["ssl.ca.location"].expose(), "probe");
}

#[test]
fn the_variables_that_files_name_are_told_without_values() {
    let yaml = model_with("    owner: ${OWNER}\n    group: ${GROUP:-g}\n");
    let loaded = load_texts(&[("models/m.yml", &yaml)], &options(&[("OWNER", "me")]));
    let told: Vec<(&str, bool)> =
        loaded.variables.iter().map(|(name, is_set)| (name.as_str(), *is_set)).collect();
    assert_eq!(told, [("GROUP", false), ("OWNER", true)]);
}

#[test]
fn variables_of_queries_take_no_secret() {
    let yaml = model_with("");
    let root = "vars:\n  a: ${API_TOKEN}\n  b: x${REGION:-eu}\n";
    let texts = [("stream_project.yml", root), ("models/m.yml", yaml.as_str())];
    assert_eq!(
        lines(&load_texts(&texts, &options(&[("API_TOKEN", "t")]))),
        "stream_project.yml:2:6 E0202 the template cannot be rendered: `API_TOKEN` looks like a secret, which no query may hold\n"
    );
}

#[test]
fn environments_are_chosen_and_bring_their_own_runtime() {
    let yaml = model_with("");
    let texts = [
        ("stream_project.yml", "project: {name: shop}\nruntime: {}\nvars: {a: root, b: root}\n"),
        ("environments/dev.yml", "runtime: {engine: {commit_interval: 20ms}}\nvars: {a: dev}\n"),
        ("environments/prod.yml", "environment: {name: prod, protected: true}\n"),
        (".env.dev", "X=1\n"),
        ("models/m.yml", yaml.as_str()),
    ];
    let mut options = options(&[]);
    assert_eq!(
        lines(&load_texts(&texts, &options)),
        "E0206 the project has environments and none is chosen\n\
         stream_project.yml:2:10 W0209 `runtime` of the root file is ignored: the project has `environments/`\n"
    );
    options.variables.insert("STREAMT_ENV".to_owned(), "dev".to_owned());
    let project = load_texts(&texts, &options).project.expect("no error");
    assert_eq!(project.runtime.engine.commit_interval, Duration::from_millis(20));
    assert_eq!(project.variables["a"], "dev");
    assert_eq!(project.variables["b"], "root");
    options.environment = Some("prod".to_owned());
    let project = load_texts(&texts, &options).project.expect("no error");
    assert!(project.environment.expect("is chosen").confirm_apply);
    options.environment = Some("prd".to_owned());
    assert!(
        lines(&load_texts(&texts, &options)).starts_with("E0206 there is no environment `prd`")
    );
    assert!(
        lines(&load_texts(&texts[4..], &options))
            .starts_with("E0206 there is no environment `prd`: the project has no")
    );
}

#[test]
fn defaults_are_inherited_field_by_field() {
    let root = "defaults:\n  topic: {partitions: 3, replication_factor: 2, config: {retention.ms: 1}}\n  models: {topic: {partitions: 6}}\n";
    let yaml = model_with("    topic: {config: {cleanup.policy: compact}}\n");
    let texts = [("stream_project.yml", root), ("models/m.yml", yaml.as_str())];
    let project = load_texts(&texts, &options(&[])).project.expect("no error");
    let topic = &project.models[0].topic;
    assert_eq!(topic.partitions.as_ref().map(|count| count.value), Some(6));
    assert_eq!(topic.replication_factor.as_ref().map(|count| count.value), Some(2));
    let keys: Vec<&String> = topic.config.keys().collect();
    assert_eq!(keys, ["cleanup.policy", "retention.ms"]);
}

#[test]
fn cycles_are_reported_with_their_path() {
    let model = |name: &str, needs: &str| {
        format!("  - name: {name}\n    sql: SELECT * FROM {{{{ ref('{needs}') }}}}\n")
    };
    let yaml = format!(
        "models:\n{}{}{}{}",
        model("a", "b"),
        model("b", "c"),
        model("c", "b"),
        model("d", "d")
    );
    check(
        &yaml,
        "models/m.yml:5:32 E0103 models depend on one another in a circle: b -> c -> b\n\
         models/m.yml:9:32 E0103 models depend on one another in a circle: d -> d\n",
    );
}

#[test]
fn access_follows_groups() {
    let models = "models:\n  - {name: a, group: g, sql: 'SELECT 1', access: ACCESS}\n  - {name: b, group: h, sql: \"SELECT * FROM {{ ref('a') }}\"}\n";
    let denied =
        "models/m.yml:3:53 E0104 model `b` may not refer to `a`, which is private to group `g`\n";
    check(&models.replace("ACCESS", "private"), denied);
    check(&models.replace("ACCESS", "protected"), "");
    check(&models.replace("ACCESS", "{level: private, allowed_groups: [h]}"), "");
}

#[test]
fn assertions_are_typed_and_their_columns_checked() {
    let yaml = "sources:\n  - {name: s, topic: s, columns: [{name: id, type: BIGINT NOT NULL}]}\ntests:\n  - name: t\n    model: s\n    type: continuous\n    assertions:\n      - not_null: {columns: [id, idd]}\n      - throughput: {min_per_minute: 60}\n      - max_lag: {max_minutes: 2}\n      - not_nul: {columns: [id]}\n";
    let loaded = load_texts(&[("sources/s.yml", yaml)], &options(&[]));
    assert_eq!(
        lines(&loaded),
        "sources/s.yml:8:34 E0111 source `s` declares no column `idd`\n\
         sources/s.yml:11:9 E0601 unknown assertion `not_nul`\n"
    );
    let yaml = yaml.replace(", idd]", "]").replace("not_nul:", "not_null:");
    let loaded = load_texts(&[("sources/s.yml", &yaml)], &options(&[]));
    let project = loaded.project.expect("no error");
    let test = &project.data_tests[0];
    assert_eq!(test.target.kind, ReferenceKind::Source);
    let expected =
        Assertion::Throughput { min: Some(60.0), max: None, per: Duration::from_mins(1) };
    assert_eq!(test.assertions[1].value, expected);
    let expected = Assertion::MaxLag { column: None, lag: Duration::from_mins(2) };
    assert_eq!(test.assertions[2].value, expected);
}

#[test]
fn rules_hold_for_effective_values() {
    let root = "defaults: {topic: {partitions: 1}}\nrules:\n  topics: {min_partitions: 3, naming_pattern: 'x\\.'}\n  models: {require_owner: true}\n  sources: {require_freshness: true}\n";
    let yaml = model_with("");
    let texts = [("stream_project.yml", root), ("models/m.yml", yaml.as_str())];
    assert_eq!(
        lines(&load_texts(&texts, &options(&[]))),
        "models/m.yml:2:12 E0503 source `s` has no freshness, against rule `require_freshness`\n\
         models/m.yml:4:11 E0501 topic `m` is not like `x\\.`, against rule `naming_pattern`\n\
         models/m.yml:4:11 E0502 model `m` has no owner, against rule `require_owner`\n\
         stream_project.yml:1:32 E0501 topic `m` has 1, fewer than 3, against rule `min_partitions`\n"
    );
}

#[test]
fn kafka_settings_pass_by_the_list_only() {
    let yaml = model_with("");
    let root = "runtime:\n  kafka:\n    bootstrap_servers: [h:1]\n    security_protocol: SASL_SSL\n    properties:\n      plugin.library.paths: evil.so\n      socket.timeout.ms: 5\n      socket.timeut.ms: 5\n";
    let texts = [("stream_project.yml", root), ("models/m.yml", yaml.as_str())];
    assert_eq!(
        lines(&load_texts(&texts, &options(&[]))),
        "stream_project.yml:4:24 E0703 `security_protocol` asks for SASL, but there is no `sasl_mechanism`\n\
         stream_project.yml:6:7 E0701 the Kafka setting `plugin.library.paths` is refused: it names code or a program to load\n\
         stream_project.yml:8:7 E0702 unknown Kafka setting `socket.timeut.ms`\n"
    );
}

#[test]
fn strict_makes_unknown_keys_errors() {
    let yaml = model_with("    fink: {}\n    gateway: {}\n");
    let strict = LoadOptions { is_strict: true, ..options(&[]) };
    assert_eq!(
        lines(&load_texts(&[("models/m.yml", &yaml)], &strict)),
        "models/m.yml:6:5 E0013 unknown key `fink` in model `m`\n\
         models/m.yml:7:5 W0014 `gateway` is accepted, but has no effect in this engine\n"
    );
}

#[test]
fn files_that_lead_out_or_are_no_text_are_refused() {
    let outside = tempfile::tempdir().expect("a folder");
    fs::write(outside.path().join("x.yml"), "models: []").expect("written");
    let inside = tempfile::tempdir().expect("a folder");
    let models = inside.path().join("models/deep");
    fs::create_dir_all(&models).expect("made");
    fs::write(models.join("a.yml"), model_with("")).expect("written");
    fs::write(models.join("b.yml"), [b'a', 0xFF]).expect("written");
    fs::write(models.join("big.yml"), vec![b' '; 1024 * 1024 + 1]).expect("written");
    std::os::unix::fs::symlink(outside.path().join("x.yml"), models.join("link.yml"))
        .expect("made");
    std::os::unix::fs::symlink(outside.path(), inside.path().join("sources")).expect("made");
    std::os::unix::fs::symlink(inside.path().join("models"), models.join("loop")).expect("made");
    let loaded = load(inside.path(), &options(&[]));
    assert_eq!(
        lines(&loaded),
        "E0007 `sources` is refused: it is a link that leads out of the project\n\
         E0007 `models/deep/b.yml` is refused: byte 1 is not UTF-8\n\
         E0007 `models/deep/big.yml` is refused: it has more than 1048576 bytes\n\
         E0007 `models/deep/link.yml` is refused: it is a link that leads out of the project\n"
    );
    assert!(loaded.project.is_none());
    assert_eq!(loaded.files.iter().count(), 1);
}

#[test]
fn macros_are_there_without_an_import_and_may_call_one_another() {
    let yaml = "models:\n  - name: m\n    sql: SELECT {{ cents('price') }} FROM {{ orders() }}\nsources:\n  - {name: s, topic: s}\n";
    let texts = [
        ("models/m.yml", yaml),
        ("macros/money.sql", "{% macro cents(column) %}{{ divided(column, 100) }}{% endmacro %}\n"),
        ("macros/numbers.sql", "{% macro divided(x, y) %}({{ x }} / {{ y }}){% endmacro %}"),
        ("macros/tables.sql", "{% macro orders() %}{{ source('s') }}{% endmacro %}"),
    ];
    let loaded = load_texts(&texts, &options(&[]));
    assert_eq!(lines(&loaded), "");
    let project = loaded.project.expect("no error");
    let sql = project.models[0].sql.as_ref().expect("sql");
    assert_eq!(sql.text, "SELECT (price / 100) FROM `source.s`");
    assert_eq!(sql.references.len(), 1);
    assert_eq!(loaded.files.quote(&sql.references[0].place), "{{ orders() }}");
}

#[test]
fn a_mistake_behind_an_alias_is_reported_once() {
    check(
        "sources:\n  - {name: a, topic: a, columns: &c [{name: x, type: STRNG}]}\n  - {name: b, topic: b, columns: *c}\n",
        "models/m.yml:2:54 E0009 `STRNG` is not a column type: `STRNG` is not a type\n",
    );
}

#[test]
fn an_empty_folder_is_no_project() {
    let folder = tempfile::tempdir().expect("a folder");
    let loaded = load(folder.path(), &options(&[]));
    assert!(lines(&loaded).starts_with("E0010 no sources and no models in"));
}
