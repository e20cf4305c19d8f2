//! Which Kafka, and the settings of each kind of client.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use catalog::project::runtime::Kafka;
use catalog::project::secret::Secret;

use crate::TransactionSettings;

/// How many bytes all partitions of one reader may hold fetched and not yet decoded.
const FETCH_BUDGET_BYTES: usize = 32 << 20;

/// What one partition may hold at least: the least that librdkafka's fetches work well with.
const FETCH_MINIMUM_KIB: usize = 1_024;

/// What a producer may hold: more in flight costs cache misses, less stalls (`KAFKA.md` E).
const PRODUCE_QUEUE_KIB: usize = 16 << 10;

/// A Kafka cluster, and how to connect to it. Settings may hold secrets and are never shown.
#[derive(Clone)]
pub struct Cluster {
    description: Arc<str>,
    is_embedded: bool,
    settings: Arc<[(String, Secret)]>,
}

impl Cluster {
    /// The project's embedded broker.
    pub fn embedded(address: SocketAddr) -> Self {
        let servers = ("bootstrap.servers".to_owned(), Secret::new(address.to_string()));
        Self {
            description: Arc::from(format!("the embedded broker {address}")),
            is_embedded: true,
            settings: Arc::from([servers]),
        }
    }

    /// The cluster that `runtime.kafka` of the project in `folder` names.
    pub fn kafka(kafka: &Kafka, folder: &Path) -> Self {
        let servers: Vec<&str> =
            kafka.bootstrap_servers.iter().map(|server| server.value.as_str()).collect();
        Self {
            description: Arc::from(format!("kafka {}", servers.join(","))),
            is_embedded: false,
            settings: kafka.client_settings(folder).into_iter().collect(),
        }
    }

    /// Whether it is the embedded broker.
    pub fn is_embedded(&self) -> bool {
        self.is_embedded
    }

    /// Whether we have a certificate to show.
    pub(crate) fn has_certificate(&self) -> bool {
        const NAMES: [&str; 3] =
            ["ssl.certificate.location", "ssl.certificate.pem", "ssl.keystore.location"];
        self.settings.iter().any(|(name, _)| NAMES.contains(&name.as_str()))
    }

    /// Whether we speak TLS.
    pub(crate) fn has_tls(&self) -> bool {
        let protocol = self.settings.iter().find(|(name, _)| name == "security.protocol");
        protocol.is_some_and(|(_, protocol)| protocol.expose().ends_with("SSL"))
    }

    /// Settings for a reader of `partitions` partitions that sees committed records only.
    pub fn reader_settings(&self, partitions: usize) -> Vec<(String, String)> {
        self.fetch_settings(partitions, "100")
    }

    fn fetch_settings(&self, partitions: usize, wait_ms: &str) -> Vec<(String, String)> {
        let share = FETCH_BUDGET_BYTES / 1_024 / partitions.max(1);
        let kibibytes = share.max(FETCH_MINIMUM_KIB).to_string();
        self.with(&[
            ("isolation.level", "read_committed"),
            ("auto.offset.reset", "error"),
            ("queued.max.messages.kbytes", &kibibytes),
            // The end of a partition is told with a fetch's answer, so an empty one must not wait.
            ("fetch.wait.max.ms", wait_ms),
            // The default of a second stalls a partition whose queue was full for a moment.
            ("fetch.queue.backoff.ms", "2"),
            ("fetch.error.backoff.ms", "50"),
        ])
    }

    /// Settings for a consumer of the journal, which is often asked where it ends: a broker answers
    /// nothing else on a connection while a fetch waits.
    pub fn journal_settings(&self) -> Vec<(String, String)> {
        self.fetch_settings(1, "20")
    }

    /// Settings for short questions: metadata, end offsets, administration.
    pub fn query_settings(&self) -> Vec<(String, String)> {
        self.with(&[("isolation.level", "read_committed"), ("auto.offset.reset", "error")])
    }

    /// Settings for questions about whole logs, uncommitted records included.
    pub fn log_settings(&self) -> Vec<(String, String)> {
        self.with(&[("isolation.level", "read_uncommitted"), ("auto.offset.reset", "error")])
    }

    /// Settings for a plain producer, as `engine topic produce` uses.
    pub fn producer_settings(&self) -> Vec<(String, String)> {
        self.with(&[
            ("enable.idempotence", "true"),
            ("compression.codec", "lz4"),
            ("linger.ms", "5"),
        ])
    }

    /// Settings for the transactional producer of a project.
    pub fn transactional_settings(
        &self,
        transactions: &TransactionSettings,
    ) -> Vec<(String, String)> {
        let timeout_ms = transactions.timeout.as_millis();
        let linger_ms = transactions.linger.as_millis();
        self.with_output_settings(&[
            ("transactional.id", &transactions.id),
            ("transaction.timeout.ms", &timeout_ms.to_string()),
            ("message.timeout.ms", &(timeout_ms * 2 / 3).to_string()),
            ("linger.ms", &linger_ms.to_string()),
        ])
    }

    /// Settings for the producer of outputs that are delivered at least once.
    pub fn output_settings(&self) -> Vec<(String, String)> {
        self.with_output_settings(&[
            ("enable.idempotence", "true"),
            ("message.timeout.ms", "20000"),
            ("linger.ms", "5"),
        ])
    }

    fn with_output_settings(&self, own: &[(&str, &str)]) -> Vec<(String, String)> {
        let queue = PRODUCE_QUEUE_KIB.to_string();
        let shared = [
            ("compression.codec", "lz4"),
            ("queue.buffering.max.kbytes", queue.as_str()),
            ("queue.buffering.max.messages", "200000"),
            ("retry.backoff.ms", "20"),
        ];
        self.with(&[own, &shared].concat())
    }

    fn with(&self, own: &[(&str, &str)]) -> Vec<(String, String)> {
        let common = [
            ("client.id", "engine"),
            ("socket.nagle.disable", "true"),
            ("reconnect.backoff.ms", "20"),
            ("reconnect.backoff.max.ms", "2000"),
            ("topic.metadata.refresh.interval.ms", "10000"),
        ];
        let given =
            self.settings.iter().map(|(key, value)| (key.clone(), value.expose().to_owned()));
        // The user's settings come last: who sets one knows why.
        common
            .iter()
            .chain(own)
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .chain(given)
            .collect()
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("description", &self.description).finish_non_exhaustive()
    }
}
