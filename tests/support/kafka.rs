//! A real Apache Kafka for tests: the one named by `KAFKA_BROKERS`, else one that
//! `tests/kafka/kafka.sh` starts.
//!
//! The started broker hangs on a pipe from this process: it ends when the process ends, however
//! that happens. On a machine without Java and Maven there is none, which is said, and is an error
//! only where `ENGINE_REQUIRE_KAFKA=1`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

/// How the JVM of one of several nodes runs: small, and soon there.
const SMALL_NODE: &str = "-Xmx256m -Xms64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1";

/// A Kafka of this test's own, which it may restart.
pub(crate) struct Kafka {
    brokers: String,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    script: Child,
}

impl Kafka {
    /// Starts a Kafka; `None` if this machine cannot, which is said.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(&[], &[])
    }

    /// As [`Kafka::start`], with variables for the script, which explains them, and settings of the
    /// broker, each `name=value`.
    pub(crate) fn start_with(variables: &[(&str, &str)], settings: &[&str]) -> Option<Self> {
        if !is_available() {
            return None;
        }
        let mut script = Command::new(script_path())
            .args(["serve", "-", "0"])
            .args(settings)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tests/kafka/kafka.sh can be run");
        let commands = script.stdin.take();
        let answers = BufReader::new(script.stdout.take().expect("standard output is a pipe"));
        let brokers = String::new();
        let mut kafka = Self { brokers, commands, answers, script };
        kafka.await_ready();
        Some(kafka)
    }

    /// Starts a cluster of three nodes: a topic has three replicas, of which two must be in sync.
    pub(crate) fn start_cluster() -> Option<Self> {
        Self::start_with(&[("KAFKA_NODES", "3"), ("KAFKA_HEAP", SMALL_NODE)], &[])
    }

    /// `host:port`, of each node, with commas between.
    pub(crate) fn brokers(&self) -> String {
        self.brokers.clone()
    }

    /// Gives the script a command, such as `crash`, and waits until it has been done.
    pub(crate) fn command(&mut self, command: &str) {
        let commands = self.commands.as_mut().expect("the script still listens");
        writeln!(commands, "{command}").expect("the script takes commands");
        self.await_ready();
    }

    /// Runs one of Kafka's own tools, such as `org.apache.kafka.tools.TopicCommand`; what it says.
    pub(crate) fn tool(&self, class: &str, arguments: &[&str]) -> String {
        let output = Command::new(script_path())
            .args(["tool", class, "--bootstrap-server", &self.brokers])
            .args(arguments)
            .output()
            .expect("tests/kafka/kafka.sh can be run");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let mistakes = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{class} {arguments:?}: {said}\n{mistakes}");
        said
    }

    /// Waits until the script says that it is ready.
    fn await_ready(&mut self) {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the script can be read");
        let address = line.trim().strip_prefix("ready ");
        address.expect("Kafka starts; its log is above").clone_into(&mut self.brokers);
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.commands = None;
        self.script.wait().expect("the script ends with its standard input");
    }
}

/// The Kafka that all tests of this binary share; `None` if there is none, which is said.
pub(crate) fn shared() -> Option<String> {
    static BROKERS: OnceLock<Option<String>> = OnceLock::new();
    let start = || match given() {
        Some(brokers) => Some(brokers),
        None => Kafka::start().map(|kafka| {
            let brokers = kafka.brokers();
            // Kept until the process ends, which closes the pipe.
            std::mem::forget(kafka);
            brokers
        }),
    };
    BROKERS.get_or_init(start).clone()
}

/// The cluster that `KAFKA_BROKERS` names.
pub(crate) fn given() -> Option<String> {
    std::env::var_os("KAFKA_BROKERS").map(|brokers| brokers.to_string_lossy().into_owned())
}

fn is_available() -> bool {
    let script = Command::new(script_path()).arg("available").output();
    let script = script.expect("tests/kafka/kafka.sh can be run");
    if !script.status.success() {
        let reason = String::from_utf8_lossy(&script.stderr);
        let is_required =
            std::env::var_os("ENGINE_REQUIRE_KAFKA").is_some_and(|value| value == "1");
        assert!(!is_required, "real Kafka is required (ENGINE_REQUIRE_KAFKA=1), but {reason}");
        say(&format!("no real Kafka: {}", reason.trim()));
    }
    script.status.success()
}

/// Tells why something is not tested.
#[expect(clippy::print_stderr, reason = "a skipped check must be seen")]
pub(crate) fn say(reason: &str) {
    eprintln!("skipped: {reason}");
}

fn script_path() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka/kafka.sh")
}
