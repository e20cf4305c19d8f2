//! What `engine check` can do beyond the files as they are.

use serde_json::Value;

use crate::command::Folder;

const SOURCES: &str = "\
sources:
  # What people do.
  - name: clicks   # from the web
    topic: clicks
    columns:
      - name: item   # may be empty
      - {name: n}
      - name: 'at'
  - name: items
    topic: items
    columns: [{name: id}, {name: price}]
";

const MODELS: &str = "\
models:
  - name: priced
    topic: {name: priced, partitions: 3, config: {retention.ms: 1000}}
    sql: |
      SELECT c.item, c.n + 1 AS n, c.at, i.price * 2 AS price FROM {{ source(\"clicks\") }} AS c
      LEFT JOIN {{ source(\"items\") }} FOR SYSTEM_TIME AS OF c.at AS i ON c.item = i.id
";

fn project() -> Folder {
    let folder = Folder::new();
    folder.write("sources/s.yml", SOURCES);
    folder.write("models/m.yml", MODELS);
    folder
}

#[test]
fn hints_are_lines_and_nothing_else_changes() {
    let folder = project();
    let out = folder.succeed(&["check", "--write-hints"]);
    assert!(out.contains("wrote type: DOUBLE for items.price to sources/s.yml"), "{out}");
    let text = std::fs::read_to_string(folder.path().join("sources/s.yml")).expect("the file");
    assert_eq!(
        text,
        "\
sources:
  # What people do.
  - name: clicks   # from the web
    topic: clicks
    event_time:
      column: at
    columns:
      - name: item   # may be empty
        type: STRING
      - {name: n, type: DOUBLE}
      - name: 'at'
        type: TIMESTAMP_LTZ(3)
  - name: items
    topic: items
    key: id
    columns: [{name: id, type: STRING}, {name: price, type: DOUBLE}]
"
    );
    let again = folder.engine(&["check", "--write-hints"]);
    assert_eq!(again.code, 0);
    assert!(again.err.contains("nothing to write"), "{}", again.err);
}

#[test]
fn hints_can_be_written_into_every_template() {
    for template in ["ecommerce", "empty"] {
        let folder = Folder::new();
        assert_eq!(folder.engine(&["init", ".", "--template", template]).code, 0);
        folder.succeed(&["check", "--write-hints"]);
        let facts = folder.succeed(&["check", "--output", "json"]);
        assert!(!facts.contains("\"column_type\""), "{facts}");
    }
}

#[test]
fn every_environment_is_checked_and_shared_mistakes_are_told_once() {
    let folder = project();
    let none = folder.engine(&["check", "--all-envs"]);
    assert_eq!(none.code, 2, "{}", none.err);
    for (name, partitions) in [("dev", "1"), ("prod", "12")] {
        folder.write(
            &format!("environments/{name}.yml"),
            format!("environment: {{name: {name}}}\nvars: {{p: {partitions}}}\nruntime: {{}}\n"),
        );
    }
    let output = folder.engine(&["check", "--all-envs", "--output", "json"]);
    assert_eq!(output.code, 0, "{}", output.err);
    let environments: Vec<String> = output
        .out
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|value| value["environment"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(environments, ["dev", "prod"]);
    folder.write(
        "models/bad.yml",
        "models:\n  - name: bad\n    sql: SELECT x FROM {{ ref(\"priced\") }}\n",
    );
    let output = folder.engine(&["check", "--all-envs"]);
    assert_eq!(output.code, 2);
    assert_eq!(output.err.matches("error[E0301]").count(), 1, "{}", output.err);
}

#[test]
fn online_compares_with_the_broker() {
    let folder = project();
    let fresh = folder.engine(&["check", "--online"]);
    assert_eq!(fresh.code, 0, "{}", fresh.err);
    assert!(fresh.err.contains("note[N0709]: topic `clicks` of source `clicks`"), "{}", fresh.err);
    let setting = "retention.ms=5000";
    folder.succeed(&["topic", "create", "priced", "--partitions", "5", "--config", setting]);
    folder.succeed(&["topic", "create", "clicks"]);
    let bad = b"{\"item\":\"a\",\"n\":1,\"at\":\"2026-01-01T00:00:00Z\"}\n{\"n\":\"many\"}\n";
    assert_eq!(folder.engine_with(&["topic", "produce", "clicks"], bad).code, 0);
    let output = folder.engine(&["check", "--online"]);
    assert_eq!(output.code, 0, "{}", output.err);
    for told in [
        "warning[W0705]: topic `priced` has 5 partitions, model `priced` declares 3",
        "warning[W0706]: topic `priced` has `retention.ms: 5000`, model `priced` declares `1000`",
        "warning[W0708]: 1 of the last 2 records of topic `clicks` cannot be read",
        "note[N0709]: topic `items` of source `items`",
    ] {
        assert!(output.err.contains(told), "{told}\n{}", output.err);
    }
    let strict = folder.engine(&["check", "--online", "--strict"]);
    assert_eq!(strict.code, 2, "{}", strict.err);
    assert!(!folder.succeed(&["topic", "list"]).contains("items"), "nothing is created");
}

#[test]
fn a_topic_that_kafka_does_not_have_is_an_error() {
    let broker_folder = Folder::new();
    let mut broker = broker_folder.start(&["broker"]);
    let address = broker.line().replace("listening on ", "");
    let folder = project();
    folder.write(
        "stream_project.yml",
        format!("project: {{name: p}}\nruntime:\n  kafka:\n    bootstrap_servers: {address}\n"),
    );
    let output = folder.engine(&["check", "--online", "--diagnostics", "short"]);
    assert_eq!(output.code, 2, "{}", output.err);
    assert!(output.err.contains("sources/s.yml:4:12: error[E0704]"), "{}", output.err);
    broker.signal("TERM");
    assert_eq!(broker.end().code, 0);
}

#[test]
fn sarif_is_one_document_on_standard_output() {
    let folder = project();
    folder.write(
        "models/bad.yml",
        "models:\n  - name: bad\n    sql: SELECT x FROM {{ ref(\"priced\") }}\n",
    );
    let output = folder.engine(&["check", "--diagnostics", "sarif"]);
    assert_eq!(output.code, 2, "{}", output.err);
    let document: Value = serde_json::from_str(&output.out).expect("one JSON document");
    assert_eq!(document["version"], "2.1.0");
    let result = &document["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "E0301", "{document:#}");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "models/bad.yml");
    assert_eq!(place["region"]["startLine"], 3);
    let rule = &document["runs"][0]["tool"]["driver"]["rules"][0];
    assert_eq!(rule["id"], "E0301");
}
