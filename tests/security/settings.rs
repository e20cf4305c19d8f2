//! The list of Kafka settings against librdkafka's own documentation.
//!
//! The documentation comes from the sources of the librdkafka that is linked, so a setting that an
//! upgrade brings fails a test until somebody has decided about it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use catalog::diagnostic::Level;
use catalog::load::{LoadOptions, Loaded, load_texts};
use catalog::project::kafka_settings::{Verdict, allowed, verdict};
use serde_json::Value;

/// What must never pass, whatever else changes: it loads code, shows secrets, believes anybody, or
/// takes exactly-once delivery away.
const NEVER: [&str; 29] = [
    "acks",
    "allow.auto.create.topics",
    "auto.offset.reset",
    "bootstrap.servers",
    "builtin.features",
    "debug",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "enable.partition.eof",
    "enable.sasl.oauthbearer.unsecure.jwt",
    "group.id",
    "group.instance.id",
    "interceptors",
    "isolation.level",
    "log_cb",
    "max.in.flight.requests.per.connection",
    "message.timeout.ms",
    "partitioner",
    "plugin.library.paths",
    "resolve_cb",
    "sasl.kerberos.kinit.cmd",
    "sasl.oauthbearer.token.endpoint.url",
    "ssl.certificate.verify_cb",
    "ssl.engine.id",
    "ssl.engine.location",
    "ssl.providers",
    "transaction.timeout.ms",
    "transactional.id",
];

/// All settings of the linked librdkafka, from the `CONFIGURATION.md` in its sources.
fn documented() -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON of cargo");
    let packages = metadata["packages"].as_array().expect("a list");
    let native = packages.iter().find(|one| one["name"] == "rdkafka-sys").expect("a dependency");
    let manifest = Path::new(native["manifest_path"].as_str().expect("a path"));
    let page = manifest.with_file_name("librdkafka").join("CONFIGURATION.md");
    let text = std::fs::read_to_string(&page).expect("librdkafka's sources are there");
    let rows = text.lines().filter(|line| line.matches('|').count() >= 5);
    let names = rows.filter_map(|line| line.split('|').next()).map(str::trim);
    names.filter(|name| *name != "Property" && !name.starts_with("--")).map(str::to_owned).collect()
}

/// A project that gives each of `names` the value `value`.
fn load_with(names: &BTreeSet<String>, value: &str) -> Loaded {
    let mut root = String::from(
        "runtime:\n  kafka:\n    bootstrap_servers: localhost:9092\n    properties:\n",
    );
    for name in names {
        writeln!(root, "      {name}: {value}").expect("a String takes everything");
    }
    let source = "sources:\n  - {name: s, topic: s}\n";
    let texts = [("stream_project.yml", root.as_str()), ("sources/s.yml", source)];
    load_texts(&texts, &LoadOptions::default())
}

/// The texts that the errors point at; each error is a refusal with its reason.
fn refused(loaded: &Loaded) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for one in &loaded.diagnostics {
        assert_eq!((one.level, one.code), (Level::Error, "E0701"), "{}", one.message);
        assert!(one.message.contains(": "), "no reason: {}", one.message);
        names.insert(loaded.files.quote(one.primary_place().expect("a place")));
    }
    names
}

#[test]
fn every_setting_of_librdkafka_has_a_verdict() {
    let documented = documented();
    assert!(documented.len() > 150, "only {} settings were found", documented.len());
    let undecided: Vec<_> = documented.iter().filter(|name| verdict(name).is_none()).collect();
    assert!(undecided.is_empty(), "decide about {undecided:?} in kafka_settings.rs");
    let gone: Vec<_> = allowed().filter(|name| !documented.contains(*name)).collect();
    assert!(gone.is_empty(), "librdkafka has them no more: {gone:?}");
}

#[test]
fn every_refused_setting_is_named_at_its_place() {
    let documented = documented();
    let is_refused =
        |name: &&String| matches!(verdict(name), Some(Verdict::Refused(_) | Verdict::Only(..)));
    let expected: BTreeSet<&str> =
        documented.iter().filter(is_refused).map(String::as_str).collect();
    let loaded = load_with(&documented, "none");
    assert_eq!(refused(&loaded), expected);
    assert!(loaded.project.is_none(), "a project with a refused setting does not run");
}

#[test]
fn what_breaks_the_engine_or_its_security_never_passes() {
    let documented = documented();
    for name in NEVER {
        assert!(documented.contains(name), "librdkafka has no `{name}` any more");
        assert!(matches!(verdict(name), Some(Verdict::Refused(_))), "`{name}` passes");
    }
    let off = BTreeSet::from(["enable.ssl.certificate.verification".to_owned()]);
    assert_eq!(refused(&load_with(&off, "false")).len(), 1, "verification cannot be turned off");
    assert_eq!(load_with(&off, "true").diagnostics, [], "saying what holds anyway is fine");
}
