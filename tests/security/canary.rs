//! Secrets that are looked for wherever the engine writes: both streams, files, topics.
//!
//! Every field that may hold a secret holds one of its own, all with the same beginning, once from
//! the environment and once written out in the YAML. No command may show any of them.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::command::{Folder, Output, finished};
use crate::running::Running;

/// How all the secrets begin, and what none of the engine's own texts holds.
const CANARY: &str = "c4nary";

/// The names that stand in the YAML. The first half is in `.env`, the others in the environment.
const NAMES: [&str; 14] = [
    "SASL_USER",
    "SASL_PASS",
    "KEY_PASS",
    "KEY_PEM",
    "CERTIFICATE_PEM",
    "KEYSTORE_PASS",
    "REGISTRY_ADDRESS",
    "REGISTRY_USER",
    "REGISTRY_PASS",
    "GATEWAY_PASS",
    "WEBHOOK",
    "ROUTING",
    "SINK_PASS",
    "API_TOKEN",
];

fn secret_of(name: &str) -> String {
    let canary = format!("{CANARY}-{}", name.to_ascii_lowercase().replace('_', "-"));
    match name {
        "REGISTRY_ADDRESS" => format!("https://user:{canary}@127.0.0.1:1/"),
        "WEBHOOK" => format!("https://127.0.0.1:1/{canary}"),
        _ => canary,
    }
}

/// How a secret gets into the YAML.
#[derive(Clone, Copy)]
enum Written {
    ByReference,
    Literally,
}

impl Written {
    fn value(self, name: &str) -> String {
        assert!(NAMES.contains(&name), "{name}");
        match self {
            Self::ByReference => format!("${{{name}}}"),
            Self::Literally => secret_of(name),
        }
    }
}

/// A project with a secret in every field that may hold one; `kafka` are the lines of
/// `runtime.kafka`, none for the embedded broker.
fn project(written: Written, kafka: &str) -> Folder {
    let folder = Folder::new();
    let value = |name: &str| written.value(name);
    let (address, user, password) =
        (value("REGISTRY_ADDRESS"), value("REGISTRY_USER"), value("REGISTRY_PASS"));
    let gateway = value("GATEWAY_PASS");
    folder.write(
        "stream_project.yml",
        format!(
            "project:\n  name: canary\nruntime:\n{kafka}  schema_registry:\n    url: {address}\n    username: {user}\n    password: {password}\n  conduktor:\n    gateway:\n      password: {gateway}\n"
        ),
    );
    folder.write(
        "sources/s.yml",
        "sources:\n  - name: clicks\n    topic: clicks\n    columns: [{name: k}, {name: n, type: BIGINT}]\n",
    );
    let sink = value("SINK_PASS");
    folder.write(
        "models/m.yml",
        format!(
            "models:\n  - name: copies\n    sql: SELECT k, n FROM {{{{ source(\"clicks\") }}}}\n    sink:\n      connector: jdbc-sink\n      config:\n        connection.password: {sink}\n"
        ),
    );
    let (webhook, routing) = (value("WEBHOOK"), value("ROUTING"));
    folder.write(
        "tests/t.yml",
        format!(
            "tests:\n  - name: t\n    model: copies\n    type: continuous\n    assertions:\n      - not_null: {{columns: [k]}}\n    on_failure:\n      - alert: {{channel: slack, webhook: \"{webhook}\"}}\n      - alert: {{channel: pagerduty, routing_key: \"{routing}\"}}\n"
        ),
    );
    let (in_file, _) = NAMES.split_at(NAMES.len() / 2);
    let lines: Vec<String> =
        in_file.iter().map(|name| format!("{name}='{}'\n", secret_of(name))).collect();
    let lines = lines.concat();
    folder.write(".env", lines);
    folder
}

/// The lines of `runtime.kafka` for a broker that is not there, or is none.
fn kafka(written: Written, servers: &str, protocol: &str) -> String {
    let value = |name: &str| written.value(name);
    let (user, password, key) = (value("SASL_USER"), value("SASL_PASS"), value("KEY_PASS"));
    format!(
        "  kafka:\n    bootstrap_servers: {servers}\n    security_protocol: {protocol}\n    sasl_mechanism: SCRAM-SHA-512\n    sasl_username: {user}\n    sasl_password: {password}\n    ssl_key_password: {key}\n"
    )
}

/// Settings of which librdkafka cannot make a client.
fn broken_settings(written: Written) -> String {
    let (key, certificate, store) = (
        written.value("KEY_PEM"),
        written.value("CERTIFICATE_PEM"),
        written.value("KEYSTORE_PASS"),
    );
    format!(
        "    properties:\n      ssl.key.pem: {key}\n      ssl.certificate.pem: {certificate}\n      ssl.keystore.location: /nowhere\n      ssl.keystore.password: {store}\n"
    )
}

fn run(folder: &Folder, arguments: &[&str]) -> Output {
    let (_, in_environment) = NAMES.split_at(NAMES.len() / 2);
    let secrets = in_environment.iter().map(|name| (name, secret_of(name)));
    let mut command = folder.command(arguments);
    finished(&command.envs(secrets).stdin(Stdio::null()).output().expect("the binary runs"))
}

/// What commands said; each is run once more with everything turned up.
#[track_caller]
fn check_commands(folder: &Folder, commands: &[&[&str]]) {
    for command in commands {
        for more in [&["-vvv"][..], &["-vvv", "--diagnostics", "json", "--log-format", "json"]] {
            let arguments = [*command, more].concat();
            let output = run(folder, &arguments);
            check_text(&format!("engine {arguments:?}"), &output.out);
            check_text(&format!("engine {arguments:?}"), &output.err);
        }
    }
}

#[track_caller]
fn check_text(what: &str, text: &str) {
    let line = text.lines().find(|line| line.contains(CANARY));
    assert!(line.is_none(), "{what} shows a secret: {}", line.unwrap_or_default());
}

/// No file but those of the project itself holds a secret.
#[track_caller]
fn check_files(folder: &Path) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let is_input = path.extension().is_some_and(|ending| ending == "yml")
            || path.file_name().is_some_and(|name| name == ".env");
        if path.is_dir() {
            check_files(&path);
        } else if !is_input {
            let bytes = fs::read(&path).expect("a file");
            check_text(&path.display().to_string(), &String::from_utf8_lossy(&bytes));
        }
    }
}

const OFFLINE: [&[&str]; 9] = [
    &["check"],
    &["check", "--strict", "--output", "json"],
    &["check", "--diagnostics", "short"],
    &["check", "--diagnostics", "github"],
    &["compile"],
    &["explain", "copies"],
    &["generate", "clicks", "-n", "2", "--output", "-"],
    &["init", "--dry-run"],
    &["explain", "no_such_model"],
];

const ONLINE: [&[&str]; 9] = [
    &["debug"],
    &["run", "--once"],
    &["run", "--once", "--output", "json"],
    &["replay", "-c", "SELECT * FROM fold.clock"],
    &["replay", "-c", "SELECT * FROM no_such_table"],
    &["topic", "list"],
    &["topic", "describe", "clicks"],
    &["topic", "create", "clicks"],
    &["generate", "clicks", "-n", "2"],
];

#[test]
fn a_run_writes_no_secret_into_files_and_topics() {
    for written in [Written::ByReference, Written::Literally] {
        let folder = project(written, "");
        check_commands(&folder, &OFFLINE);
        check_commands(&folder, &ONLINE);
        let topics = run(&folder, &["topic", "list"]).out;
        let names: Vec<&str> =
            topics.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert!(names.iter().any(|name| name.contains("journal")), "{topics}");
        for name in names {
            let records = run(&folder, &["topic", "consume", name, "--until-end", "-f", "%k %v"]);
            check_text(name, &records.out);
        }
        check_files(folder.path());
    }
}

#[test]
fn a_client_that_cannot_be_made_shows_no_secret() {
    for written in [Written::ByReference, Written::Literally] {
        let mut settings = kafka(written, "127.0.0.1:1", "SASL_SSL");
        settings.push_str(&broken_settings(written));
        let folder = project(written, &settings);
        check_commands(&folder, &OFFLINE);
        check_commands(&folder, &ONLINE);
        let output = run(&folder, &["debug", "--connection"]);
        assert!(output.out.contains("fix: correct `runtime.kafka`"), "{}", output.out);
        check_files(folder.path());
    }
}

#[test]
fn a_broker_that_refuses_us_shows_no_secret() {
    let broker = Folder::new();
    let mut running: Running = broker.start(&["broker"]);
    let line = running.line();
    let address = line.strip_prefix("listening on ").expect("where it listens").to_owned();
    let settings = kafka(Written::ByReference, &address, "SASL_PLAINTEXT");
    let folder = project(Written::ByReference, &settings);
    check_commands(&folder, &[&["debug"]]);
    let output = run(&folder, &["debug", "--connection"]);
    assert_eq!(output.code, 1, "the embedded broker knows no SASL: {}", output.out);
    check_files(folder.path());
    check_files(broker.path());
}

#[test]
fn mistakes_beside_a_secret_do_not_quote_it() {
    let good = kafka(Written::Literally, "127.0.0.1:1", "SASL_SSL");
    let password = format!("sasl_password: {}", secret_of("SASL_PASS"));
    let mut hidden = 0;
    for (code, bad) in [
        (2, format!("{password}\n    sasl_password: other")),
        (0, format!("sasl_pasword: x\n    {password}\n    sasl_usernam: y")),
        (2, format!("properties: {{debug: all, ssl.key.password: {}}}", secret_of("KEY_PASS"))),
        (2, format!("sasl_password: [{}]", secret_of("SASL_PASS"))),
        (2, format!("sasl_password: {}${{", secret_of("SASL_PASS"))),
        (2, format!("sasl_password: \"{}", secret_of("SASL_PASS"))),
    ] {
        let folder = project(Written::Literally, &good.replace(&password, &bad));
        let output = run(&folder, &["check"]);
        assert_eq!(output.code, code, "{bad}\n{}", output.err);
        hidden += usize::from(output.err.contains("*******"));
        check_commands(&folder, &OFFLINE);
        check_commands(&folder, &[&["debug"]]);
    }
    assert!(hidden >= 4, "the lines with the secret were quoted {hidden} times only");
}

#[test]
fn a_query_takes_no_secret_whatever_way_it_comes() {
    for (root, sql) in [
        ("", "SELECT '{{ env_var('API_TOKEN') }}' AS k FROM {{ source('clicks') }}"),
        ("", "SELECT '{{ env('API_TOKEN', 'x') }}' AS k FROM {{ source('clicks') }}"),
        ("vars: {x: '${API_TOKEN}'}\n", "SELECT '{{ var('x') }}' AS k FROM {{ source('clicks') }}"),
        (
            "vars: {x: 'a${API_TOKEN:-b}'}\n",
            "SELECT '{{ var('x') }}' AS k FROM {{ source('clicks') }}",
        ),
    ] {
        let folder = project(Written::ByReference, "");
        let path = folder.path().join("stream_project.yml");
        let text = fs::read_to_string(path).expect("written above");
        folder.write("stream_project.yml", format!("{text}{root}"));
        folder.write("models/n.yml", format!("models:\n  - name: n\n    sql: |\n      {sql}\n"));
        let output = run(&folder, &["check"]);
        assert_eq!(output.code, 2, "{sql}\n{}", output.err);
        assert!(output.err.contains("looks like a secret"), "{}", output.err);
        check_commands(&folder, &[&["compile"], &["run", "--once"]]);
        check_files(folder.path());
    }
}
