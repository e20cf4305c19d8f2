//! `engine check` on whole projects: what is inferred, and why.

#[path = "support/command.rs"]
mod command;

use std::path::Path;
use std::process::Command;

use command::Folder;

fn check(path: &str) -> (i32, String, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO_BIN_EXE_engine"))
        .args(["check", "--project"])
        .arg(root.join(path))
        .output()
        .expect("the binary runs");
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn the_example_is_sound_and_every_inferred_fact_has_its_reason() {
    let (code, out, err) = check("examples/ecommerce");
    assert_eq!(code, 0, "{err}");
    let summary = out.lines().next().unwrap_or_default();
    assert!(summary.starts_with("✓ ecommerce"), "{out}");
    assert!(summary.contains("2 sources  4 models  3 tests  2 exposures"), "{out}");
    // Thirteen columns and six, event time of one, key and time of the versions of the other.
    for column in ["event_id", "session_id", "user_id", "page_url", "country", "timestamp"] {
        let fact = format!("clickstream.{column} ");
        assert!(out.lines().any(|line| line.trim_start().starts_with(&fact)), "{fact}\n{out}");
    }
    let line_of = |start: &str, text: &str| {
        let found =
            out.lines().find(|line| line.trim_start().starts_with(start) && line.contains(text));
        found.unwrap_or_else(|| panic!("{start} {text}\n{out}")).to_owned()
    };
    assert!(line_of("clickstream.timestamp", "TIMESTAMP_LTZ(3)").contains("models/"), "{out}");
    assert!(line_of("clickstream", "event time").contains("watermark 5s"), "{out}");
    let price = line_of("products.price", "DOUBLE");
    assert!(price.contains("AVG") && price.contains("models/user_sessions.yml:36"), "{price}");
    let versions = line_of("products", "versioned");
    assert!(
        versions.contains("product_id") && versions.contains("models/events_enriched.yml:"),
        "{versions}"
    );
    for fact in out.lines().skip(1) {
        let place = fact.rsplit(' ').next().unwrap_or_default();
        assert!(place.contains(".yml:"), "a fact without a place: {fact}");
    }
}

#[test]
fn all_mistakes_of_a_project_come_in_one_go() {
    let folder = Folder::new();
    folder.write("sources/a.yml", "sources:\n  - name: events\n");
    folder.write(
        "models/b.yml",
        "models:\n  - name: one\n    sql: SELECT 1 FROM {{ source(\"gone\") }}\n  - name: two\n    topic: {partitions: many}\n    sql: SELECT 1 FROM {{ ref(\"one\") }}\n",
    );
    let output = folder.engine(&["check", "--diagnostics", "short"]);
    assert_eq!(output.code, 2);
    let places: Vec<&str> = output.err.lines().filter(|line| line.contains(": error[")).collect();
    assert!(places.len() >= 3, "{}", output.err);
    assert!(places[0].starts_with("models/b.yml:3:"), "{}", output.err);
    assert!(
        places.last().is_some_and(|last| last.starts_with("sources/a.yml:2:")),
        "{}",
        output.err
    );
}

#[test]
fn the_environment_is_chosen_by_flag_or_variable() {
    let folder = Folder::new();
    folder.write(
        "sources/a.yml",
        "sources:\n  - name: events\n    topic: events\n    columns: [{name: a}]\n",
    );
    folder.write(
        "models/b.yml",
        "models:\n  - name: one\n    sql: SELECT a FROM {{ source(\"events\") }}\n",
    );
    folder.write("environments/dev.yml", "environment:\n  name: dev\n");
    folder.write(
        "environments/prod.yml",
        "environment:\n  name: prod\nruntime:\n  kafka:\n    bootstrap_servers: ${SERVERS}\n",
    );
    let dev = folder.engine(&["check", "-e", "dev"]);
    assert_eq!(dev.code, 0, "{}", dev.err);
    assert!(dev.out.contains("1 source  1 model"), "{}", dev.out);
    let prod = folder.command(&["check"]).env("ENGINE_ENV", "prod").output().expect("it runs");
    assert!(String::from_utf8_lossy(&prod.stderr).contains("SERVERS"), "{prod:?}");
    let prod = folder.command(&["check"]).env("STREAMT_ENV", "prod").output().expect("it runs");
    assert!(String::from_utf8_lossy(&prod.stderr).contains("SERVERS"), "{prod:?}");
}
