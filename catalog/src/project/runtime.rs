//! `runtime:`: brokers, schema registry, and the engine's own settings.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::place::Spanned;
use crate::project::secret::Secret;

/// A commit may wait at most this long, because a transaction must end well before its timeout.
pub const COMMIT_INTERVAL_MAX: Duration = Duration::from_secs(10);

/// `runtime:`.
#[derive(Clone, Debug, Default)]
pub struct Runtime {
    /// `None`: the embedded broker.
    pub kafka: Option<Kafka>,
    /// `schema_registry:`
    pub schema_registry: Option<SchemaRegistry>,
    /// `engine:`
    pub engine: EngineSettings,
    /// `broker:`, the embedded one.
    pub broker: BrokerSettings,
}

/// In place of a file with authorities: librdkafka looks for the system's.
const PROBE: &str = "probe";

/// `runtime.kafka`: typed settings, and any other that the allow-list lets through.
#[derive(Clone, Debug)]
pub struct Kafka {
    /// At least one `host:port`.
    pub bootstrap_servers: Vec<Spanned<String>>,
    /// `security_protocol`
    pub security_protocol: SecurityProtocol,
    /// `sasl_mechanism`
    pub sasl_mechanism: Option<SaslMechanism>,
    /// `sasl_username`
    pub sasl_username: Option<Secret>,
    /// `sasl_password`
    pub sasl_password: Option<Secret>,
    /// `ssl_ca_location`, `ssl_certificate_location`, ... and `properties`, by librdkafka's names.
    pub properties: BTreeMap<String, Secret>,
}

impl Kafka {
    /// All settings by librdkafka's names; files are relative to `folder`, the project's. The
    /// values may be secrets.
    pub fn client_settings(&self, folder: &Path) -> BTreeMap<String, Secret> {
        let servers: Vec<&str> =
            self.bootstrap_servers.iter().map(|server| server.value.as_str()).collect();
        let mut settings = self.properties.clone();
        let files = settings.iter_mut().filter(|(name, _)| name.ends_with(".location"));
        for (_, file) in files.filter(|(_, file)| file.expose() != PROBE) {
            *file = Secret::new(folder.join(file.expose()).to_string_lossy());
        }
        let mut set = |key: &str, value: Secret| {
            settings.insert(key.to_owned(), value);
        };
        set("bootstrap.servers", Secret::new(servers.join(",")));
        set("security.protocol", Secret::new(self.security_protocol.word()));
        if let Some(mechanism) = self.sasl_mechanism {
            set("sasl.mechanism", Secret::new(mechanism.word()));
        }
        if let Some(username) = &self.sasl_username {
            set("sasl.username", username.clone());
        }
        if let Some(password) = &self.sasl_password {
            set("sasl.password", password.clone());
        }
        settings
    }
}

/// `security_protocol:`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecurityProtocol {
    /// `PLAINTEXT`
    #[default]
    Plaintext,
    /// `SSL`
    Ssl,
    /// `SASL_PLAINTEXT`
    SaslPlaintext,
    /// `SASL_SSL`
    SaslSsl,
}

impl SecurityProtocol {
    /// As Kafka and librdkafka spell it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    /// Whether it asks for a SASL mechanism.
    pub fn is_sasl(self) -> bool {
        match self {
            Self::SaslPlaintext | Self::SaslSsl => true,
            Self::Plaintext | Self::Ssl => false,
        }
    }
}

/// `sasl_mechanism:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaslMechanism {
    /// `PLAIN`
    Plain,
    /// `SCRAM-SHA-256`
    ScramSha256,
    /// `SCRAM-SHA-512`
    ScramSha512,
}

impl SaslMechanism {
    /// As Kafka and librdkafka spell it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// `runtime.schema_registry`.
#[derive(Clone, Debug)]
pub struct SchemaRegistry {
    /// `http://` or `https://`.
    pub url: Spanned<Secret>,
    /// For basic authentication.
    pub username: Option<Secret>,
    /// For basic authentication.
    pub password: Option<Secret>,
}

/// `runtime.engine`, defaults filled in where they do not depend on the machine.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// Time between commits, at most [`COMMIT_INTERVAL_MAX`]; 1 s where nothing is said.
    pub commit_interval: Duration,
    /// Time between snapshots; the least declared by a model, else 60 s.
    pub checkpoint_interval: Duration,
    /// Threads at most; `None`: the cores.
    pub parallelism: Option<u32>,
    /// How sure an output is written once.
    pub delivery: Delivery,
    /// Folder or object-store URL; `None`: under `.engine/`.
    pub state_dir: Option<String>,
    /// Bytes; `None`: a share of the machine's.
    pub memory_limit: Option<MemoryLimit>,
    /// A partition that was silent so long at its end is idle.
    pub idle_timeout: Duration,
    /// How long ownership lasts without renewal.
    pub lease: Duration,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            commit_interval: Duration::from_secs(1),
            checkpoint_interval: Duration::from_mins(1),
            parallelism: None,
            delivery: Delivery::default(),
            state_dir: None,
            memory_limit: None,
            idle_timeout: Duration::from_secs(10),
            lease: Duration::from_secs(10),
        }
    }
}

/// `delivery:`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// `exactly_once`
    #[default]
    ExactlyOnce,
    /// `at_least_once`
    AtLeastOnce,
}

/// `memory_limit:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryLimit {
    /// So many bytes.
    Bytes(u64),
    /// So many hundredths of the cgroup's or machine's memory.
    Percent(u8),
}

/// `runtime.broker`: the embedded broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerSettings {
    /// `host:port`; `None`: loopback, the next free port.
    pub listen: Option<Spanned<String>>,
    /// When data is forced to the disk.
    pub fsync: Fsync,
}

/// `runtime.broker.fsync`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fsync {
    /// Left to the system: survives a crash of the process.
    #[default]
    Never,
    /// At each commit: survives loss of power.
    Commit,
}
