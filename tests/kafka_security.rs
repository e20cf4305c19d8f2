//! TLS, client certificates, SCRAM and rights, against a real Apache Kafka: what is right works,
//! and `engine debug` names what is wrong.

use std::path::Path;
use std::sync::OnceLock;

#[path = "support/certificates.rs"]
mod certificates;
#[path = "support/command.rs"]
mod command;
#[path = "support/kafka.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod kafka;
#[path = "support/running.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod running;

use certificates::Certificates;
use command::Folder;
use kafka::Kafka;

const PASSWORD: &str = "correct-horse";

/// A Kafka with TLS and its certificates.
struct Secured {
    certificates: Certificates,
    port: u16,
}

impl Secured {
    /// The one that all tests share; `None` if this machine has none, which is said.
    fn shared() -> Option<&'static Self> {
        static SECURED: OnceLock<Option<Secured>> = OnceLock::new();
        SECURED.get_or_init(Self::start).as_ref()
    }

    fn start() -> Option<Self> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kafka-certificates");
        let certificates = Certificates::make(&folder);
        let folder = certificates.folder().to_string_lossy().into_owned();
        let users = format!("alice={PASSWORD} mallory={PASSWORD}");
        let kafka = Kafka::start_with(
            &[("KAFKA_TLS", folder.as_str()), ("KAFKA_USERS", users.as_str())],
            &[],
        )?;
        let brokers = kafka.brokers();
        // Kept until the process ends, which closes the pipe that the broker hangs on.
        std::mem::forget(kafka);
        let (_, port) = brokers.rsplit_once(':').expect("host and port");
        Some(Self { certificates, port: port.parse().expect("a port") })
    }

    /// Keys of `runtime.kafka` for SASL_SSL as `user`.
    fn scram(&self, user: &str) -> Settings {
        let mut settings = self.tls(2, "SASL_SSL");
        settings.set("sasl_mechanism", "SCRAM-SHA-512");
        settings.set("sasl_username", user);
        settings.set("sasl_password", "${KAFKA_PASSWORD}");
        settings
    }

    /// Keys of `runtime.kafka` for SSL with a client certificate.
    fn mutual(&self, certificate: &str) -> Settings {
        let mut settings = self.tls(3, "SSL");
        settings.set("ssl_certificate_location", &self.certificates.path(certificate));
        settings.set("ssl_key_location", &self.certificates.path(certificate));
        settings
    }

    /// Keys of `runtime.kafka` for the port that lies `offset` after the first one.
    fn tls(&self, offset: u16, protocol: &str) -> Settings {
        let mut settings = Settings(Vec::new());
        settings.set("bootstrap_servers", &format!("127.0.0.1:{}", self.port + offset));
        settings.set("security_protocol", protocol);
        settings.set("ssl_ca_location", &self.certificates.path("ca.pem"));
        settings
    }
}

/// The keys of `runtime.kafka`.
struct Settings(Vec<(&'static str, String)>);

impl Settings {
    fn set(&mut self, key: &'static str, value: &str) {
        self.0.retain(|(other, _)| *other != key);
        self.0.push((key, value.to_owned()));
    }

    fn with(mut self, key: &'static str, value: &str) -> Self {
        self.set(key, value);
        self
    }

    fn without(mut self, key: &str) -> Self {
        self.0.retain(|(other, _)| *other != key);
        self
    }

    /// A project that copies topic `NAME-in` to topic `NAME-out`.
    fn project(&self, name: &str) -> Folder {
        let folder = Folder::new();
        let keys: Vec<String> =
            self.0.iter().map(|(key, value)| format!("    {key}: {value}\n")).collect();
        let keys = keys.concat();
        let root = format!("project:\n  name: {name}\nruntime:\n  kafka:\n{keys}");
        folder.write("stream_project.yml", root);
        folder.write(".env", format!("KAFKA_PASSWORD={PASSWORD}\nWRONG=tr0ub4dor\n"));
        folder.write(
            "sources/s.yml",
            format!(
                "sources:\n  - name: clicks\n    topic: {name}-in\n    columns: [{{name: k}}]\n"
            ),
        );
        folder.write(
            "models/m.yml",
            format!("models:\n  - name: copies\n    topic: {{name: {name}-out}}\n    sql: SELECT k FROM {{{{ source(\"clicks\") }}}}\n"),
        );
        folder
    }
}

/// Rows go through a project, exactly as often as they were written.
#[track_caller]
fn check_run(settings: &Settings, name: &str) {
    let folder = settings.project(name);
    let (input, output) = (format!("{name}-in"), format!("{name}-out"));
    folder.succeed(&["topic", "create", &input, "--partitions", "2"]);
    let rows = "{\"k\":\"a\"}\n{\"k\":\"b\"}\n{\"k\":\"c\"}\n";
    let produced = folder.engine_with(&["topic", "produce", &input], rows.as_bytes());
    assert_eq!(produced.code, 0, "{}", produced.err);
    for _ in 0..2 {
        folder.succeed(&["run", "--once"]);
        assert_eq!(folder.lines(&output), rows.lines().collect::<Vec<_>>());
    }
    let debug = folder.succeed(&["debug"]);
    assert!(debug.lines().all(|line| line.starts_with('✓')), "{debug}");
    assert!(debug.contains("the project has run here"), "{debug}");
}

#[test]
fn a_project_runs_over_tls_with_scram() {
    if let Some(secured) = Secured::shared() {
        check_run(&secured.scram("alice"), "scram");
    }
}

#[test]
fn a_project_runs_over_tls_with_a_client_certificate() {
    if let Some(secured) = Secured::shared() {
        check_run(&secured.mutual("client.pem"), "mutual");
    }
}

/// `engine debug` says `cause` and tells to do `fix`, and nothing that is secret.
#[track_caller]
fn check_debug(settings: &Settings, cause: &str, fix: &str) {
    let output = settings.project("wrong").engine(&["debug", "--connection", "-vv"]);
    assert_eq!(output.code, 1, "{cause}\n{}\n{}", output.out, output.err);
    let wrong = output.out.lines().find(|line| line.starts_with('✗'));
    assert!(wrong.is_some_and(|line| line.contains(cause)), "{cause}\n{}", output.out);
    let next = output.out.lines().find(|line| line.starts_with("  fix: "));
    assert!(next.is_some_and(|line| line.contains(fix)), "{fix}\n{}", output.out);
    for secret in [PASSWORD, "tr0ub4dor", "PRIVATE KEY"] {
        assert!(!output.out.contains(secret) && !output.err.contains(secret), "{secret} is shown");
    }
}

#[test]
fn debug_names_what_is_wrong_with_user_or_password() {
    let Some(secured) = Secured::shared() else { return };
    let refused = "the broker refuses user or password";
    let wrong = secured.scram("alice").with("sasl_password", "${WRONG}");
    check_debug(&wrong, refused, "`sasl_password`");
    check_debug(&secured.scram("nobody"), refused, "`sasl_username`");
    let mechanism = secured.scram("alice").with("sasl_mechanism", "SCRAM-SHA-256");
    check_debug(&mechanism, "does not offer this SASL mechanism", "`sasl_mechanism`");
    check_debug(&mechanism, "SCRAM-SHA-512", "`sasl_mechanism`");
}

#[test]
fn debug_names_what_is_wrong_with_the_brokers_certificate() {
    let Some(secured) = Secured::shared() else { return };
    let other = secured.certificates.path("other-ca.pem");
    let distrusted = secured.scram("alice").with("ssl_ca_location", &other);
    check_debug(&distrusted, "authority that is not trusted here", "`ssl_ca_location`");
    let unnamed = secured.scram("alice").without("ssl_ca_location");
    check_debug(&unnamed, "authority that is not trusted here", "`ssl_ca_location`");
    check_debug(&secured.tls(4, "SSL"), "certificate has expired", "renew");
    let servers = format!("localhost:{}", secured.port + 2);
    let renamed = secured.scram("alice").with("bootstrap_servers", &servers);
    check_debug(&renamed, "certificate is for another host", "`bootstrap_servers`");
}

#[test]
fn debug_names_what_is_wrong_with_our_certificate() {
    let Some(secured) = Secured::shared() else { return };
    check_debug(&secured.tls(3, "SSL"), "wants a client certificate", "`ssl_certificate_location`");
    for certificate in ["expired-client.pem", "stranger.pem"] {
        let refused = secured.mutual(certificate);
        check_debug(&refused, "refuses our client certificate", "has not expired");
    }
    let missing = secured.mutual("client.pem").with("ssl_key_location", "/nowhere/key.pem");
    check_debug(&missing, "ssl.key.location failed", "file that cannot be read");
}

#[test]
fn debug_names_a_port_of_the_other_kind() {
    let Some(secured) = Secured::shared() else { return };
    let plain = secured.tls(2, "PLAINTEXT").without("ssl_ca_location");
    check_debug(&plain, "the port wants TLS", "set `security_protocol` to `SSL` or `SASL_SSL`");
    check_debug(&secured.tls(0, "SSL"), "the port does not speak TLS", "`PLAINTEXT`");
    let closed = secured.tls(0, "SSL").with("bootstrap_servers", "127.0.0.1:1");
    check_debug(&closed, "nothing listens there", "start the broker");
    let unknown = secured.tls(0, "SSL").with("bootstrap_servers", "kafka.invalid:9092");
    check_debug(&unknown, "the host's name is not known", "`bootstrap_servers`");
}

#[test]
fn debug_names_rights_that_are_missing() {
    let Some(secured) = Secured::shared() else { return };
    let alice = secured.scram("alice").project("wrong");
    alice.succeed(&["topic", "create", "wrong-in"]);
    check_debug(&secured.scram("mallory"), "does not let us describe it", "the right to");
}
