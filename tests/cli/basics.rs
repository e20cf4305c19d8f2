//! init, check, compile, explain, generate, debug: what needs no run.

use std::fs;

use crate::command::Folder;

const BROKEN: &str =
    "models:\n  - name: m\n    sql: |\n      SELECT a FROM {{ source(\"missing\") }}\n";

#[test]
fn init_writes_a_project_that_passes_its_check() {
    for template in ["ecommerce", "empty"] {
        let folder = Folder::new();
        let dir = folder.path().join("shop").to_string_lossy().into_owned();
        let output = folder.engine(&["init", &dir, "--template", template]);
        assert_eq!(output.code, 0, "{}", output.err);
        assert!(output.out.starts_with("created "), "{}", output.out);
        for file in [".gitignore", ".env.example"] {
            assert!(folder.path().join("shop").join(file).is_file(), "{file}");
        }
        let again = folder.engine(&["init", &dir, "--template", template]);
        assert_eq!(again.code, 2);
        assert!(again.err.contains("--force"), "{}", again.err);
        let mut check = std::process::Command::new(env!("CARGO_BIN_EXE_engine"));
        let check = check.args(["check", "-p", &dir]).output().expect("it runs");
        assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    }
}

#[test]
fn a_broken_project_is_exit_2_with_carets_on_standard_error() {
    let folder = Folder::new();
    folder.write("models/m.yml", BROKEN);
    for command in [&["check"][..], &["validate"], &["compile"], &["run", "--once"]] {
        let output = folder.engine(command);
        assert_eq!((output.code, output.out.as_str()), (2, ""), "{command:?} {}", output.err);
        assert!(output.err.contains("error[E0101]"), "{command:?} {}", output.err);
        assert!(output.err.contains("models/m.yml:4:"), "{command:?} {}", output.err);
        assert!(output.err.contains("^^^"), "{command:?} {}", output.err);
    }
    assert!(!folder.path().join(".engine").exists(), "nothing was opened");
}

#[test]
fn diagnostics_come_in_four_styles() {
    let folder = Folder::new();
    folder.write("models/m.yml", BROKEN);
    let said = |style: &str| folder.engine(&["check", "--diagnostics", style]).err;
    assert!(said("short").starts_with("models/m.yml:4:"), "{}", said("short"));
    assert!(said("github").starts_with("::error file=models/m.yml,line=4,"), "{}", said("github"));
    for line in said("json").lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("only JSON lines");
    }
}

#[test]
fn colours_are_for_terminals_or_by_force() {
    let folder = Folder::new();
    folder.write("models/m.yml", BROKEN);
    let coloured = |arguments: &[&str], variables: &[(&str, &str)]| {
        let output = folder
            .command(arguments)
            .envs(variables.iter().copied())
            .output()
            .expect("the binary runs");
        String::from_utf8_lossy(&output.stderr).contains('\u{1b}')
    };
    assert!(!coloured(&["check"], &[]));
    assert!(coloured(&["check", "--color", "always"], &[]));
    assert!(coloured(&["check"], &[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&["check"], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(coloured(&["check"], &[("ENGINE_COLOR", "always")]));
}

#[test]
fn usage_mistakes_are_exit_2() {
    let folder = Folder::new();
    for arguments in [
        &["no-such-command"][..],
        &["run", "--close-windows"],
        &["run", "--commit-interval", "soon"],
        &["topic", "create", "x", "--partitions", "0"],
        &["explain", "E9999"],
    ] {
        let output = folder.engine(arguments);
        assert_eq!((output.code, output.out.as_str()), (2, ""), "{arguments:?} {}", output.err);
    }
    let missing = folder.path().join("missing").to_string_lossy().into_owned();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_engine"));
    let output = command.args(["check", "--project", &missing]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_project_is_found_from_a_folder_below_it() {
    let folder = Folder::new();
    assert_eq!(folder.engine(&["init", ".", "--template", "empty"]).code, 0);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_engine"));
    let output =
        command.arg("check").current_dir(folder.path().join("models")).output().expect("it runs");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(out.contains("1 source  1 model"), "{out}");
}

#[test]
fn generated_events_depend_on_the_seed_only() {
    let folder = Folder::new();
    assert_eq!(folder.engine(&["init", "."]).code, 0);
    let start = ["--start", "2026-01-01T00:00:00Z", "-n", "50", "--output", "-"];
    let run = |source: &str, seed: &str| {
        let mut arguments = vec!["generate", source, "--seed", seed];
        arguments.extend(start);
        folder.succeed(&arguments)
    };
    let events = run("clickstream", "1");
    assert_eq!(events, run("clickstream", "1"));
    assert_ne!(events, run("clickstream", "2"));
    assert_eq!(events.lines().count(), 50);
    for line in events.lines() {
        let event: serde_json::Value = serde_json::from_str(line).expect("a JSON line");
        assert!(event["event_id"].is_string() && event["timestamp"].is_string(), "{line}");
        assert!(event["product_id"].is_null() || event["product_id"].is_string(), "{line}");
    }
    let product: serde_json::Value =
        serde_json::from_str(run("products", "1").lines().next().expect("a line")).expect("JSON");
    assert!(product["price"].is_f64(), "{product}");
    assert_eq!(product["product_id"], "p00001");
}

#[test]
fn generated_events_go_to_the_sources_topic_with_its_key() {
    let folder = Folder::new();
    assert_eq!(folder.engine(&["init", "."]).code, 0);
    let output = folder.engine(&["generate", "products", "-n", "20"]);
    assert_eq!((output.code, output.out.as_str()), (0, ""), "{}", output.err);
    let keys =
        folder.succeed(&["topic", "consume", "ecom.products.v1", "--until-end", "-f", "%k %v"]);
    assert_eq!(keys.lines().count(), 20);
    for line in keys.lines() {
        let (key, value) = line.split_once(' ').expect("a key and a value");
        assert!(value.contains(&format!("\"product_id\":\"{key}\"")), "{line}");
    }
    let missing = folder.engine(&["generate", "missing"]);
    assert_eq!(missing.code, 1);
    assert!(missing.err.contains("`clickstream`"), "{}", missing.err);
}

#[test]
fn compile_shows_sql_plan_dataflow_and_facts() {
    let folder = Folder::new();
    assert_eq!(folder.engine(&["init", "."]).code, 0);
    let all = folder.succeed(&["compile"]);
    for text in
        ["inferred", "model user_sessions", "logical plan", "dataflow", "`model.events_clean`"]
    {
        assert!(all.contains(text), "{text}\n{all}");
    }
    let one = folder.succeed(&["compile", "-s", "events_clean", "--plan", "sql"]);
    assert!(one.contains("model events_clean") && !one.contains("user_sessions"), "{one}");
    let model = folder.succeed(&["explain", "user_sessions"]);
    assert!(model.contains("clickstream.timestamp") && model.contains("session_start"), "{model}");
    let unknown = folder.engine(&["explain", "user_session"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.err.contains("did you mean `user_sessions`?"), "{}", unknown.err);
}

#[test]
fn debug_has_a_mark_on_each_line() {
    let folder = Folder::new();
    assert_eq!(folder.engine(&["init", "."]).code, 0);
    let text = folder.succeed(&["debug"]);
    assert!(text.lines().count() >= 5, "{text}");
    assert!(text.lines().all(|line| line.starts_with('✓')), "{text}");
    let nowhere = Folder::new();
    let output = nowhere.engine(&["doctor"]);
    assert_eq!(output.code, 1);
    assert!(output.out.contains("✗ no project") && output.out.contains("fix: "), "{}", output.out);
}

#[test]
fn secrets_are_never_printed() {
    const SECRET: &str = "s3cr3t-p4ssw0rd";
    let folder = Folder::new();
    assert_eq!(folder.engine(&["init", "."]).code, 0);
    folder.write(
        "stream_project.yml",
        "project:\n  name: shop\nruntime:\n  kafka:\n    bootstrap_servers: 127.0.0.1:1\n    security_protocol: SASL_PLAINTEXT\n    sasl_mechanism: PLAIN\n    sasl_username: me\n    sasl_password: ${PASSWORD}\n",
    );
    for arguments in [
        &["check", "-vvv"][..],
        &["compile", "-vvv"],
        &["debug", "-vvv"],
        &["topic", "list", "-vvv"],
    ] {
        let output =
            folder.command(arguments).env("PASSWORD", SECRET).output().expect("the binary runs");
        for text in [output.stdout, output.stderr] {
            let text = String::from_utf8_lossy(&text).into_owned();
            assert!(!text.contains(SECRET), "{arguments:?} printed the secret");
        }
    }
}

#[test]
fn an_unreachable_broker_is_named_with_a_fix() {
    let folder = Folder::new();
    assert_eq!(folder.engine(&["init", "."]).code, 0);
    folder.write(
        "stream_project.yml",
        "project:\n  name: shop\nruntime:\n  kafka:\n    bootstrap_servers: 127.0.0.1:1\n",
    );
    let output = folder.engine(&["debug", "--connection"]);
    assert_eq!(output.code, 1, "{}", output.out);
    assert!(output.out.contains("✗ kafka 127.0.0.1:1 does not answer"), "{}", output.out);
    assert!(output.out.contains("fix: "), "{}", output.out);
    for command in [["topic", "list"].as_slice(), &["topic", "describe", "clicks"]] {
        let output = folder.engine(command);
        assert_eq!(output.code, 1, "{}", output.err);
        let wrong = "kafka 127.0.0.1:1 does not answer: nothing listens there";
        assert!(output.err.contains(wrong), "{}", output.err);
        assert!(output.err.contains("start the broker, or correct the port"), "{}", output.err);
    }
}

#[test]
fn completions_are_a_script() {
    let folder = Folder::new();
    assert!(folder.succeed(&["completions", "bash"]).contains("close-windows"));
    assert!(fs::read_dir(folder.path()).expect("the folder").next().is_none());
}
