//! Whether a cluster answers, and if it does not, why.
//!
//! librdkafka goes on trying whatever the reason, and tells it in passing, as an event with a text,
//! or in its log alone. The texts are read here and nowhere else; `tests/kafka_security.rs` brings
//! each of them about with a real Kafka.

use std::fmt;
use std::time::Duration;

use arrow_kafka::{Consumer, Distrust, ErrorCode, Failure};

use crate::Cluster;
use crate::admin::{Admin, TopicDescription};

/// How often the cluster is asked, and how long it may take each time.
const TRIES: u32 = 10;
const TRY_TIMEOUT: Duration = Duration::from_secs(1);

/// A cluster does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreachable {
    /// Why.
    pub cause: Cause,
    /// librdkafka's own text, secrets taken out.
    pub detail: String,
}

/// Why a cluster does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The host's name is not known.
    UnknownHost,
    /// Nothing listens at the address.
    NothingListens,
    /// The port wants TLS, and we speak without.
    WantsTls,
    /// We speak TLS, and the port does not.
    NoTls,
    /// The broker's certificate is not believed.
    Certificate(Distrust),
    /// The broker wants a certificate, and we have none.
    OwnCertificateMissing,
    /// The broker does not believe our certificate.
    OwnCertificateRefused,
    /// User or password are wrong.
    Credentials,
    /// The broker does not offer the SASL mechanism.
    Mechanism,
    /// No answer, and librdkafka does not say why.
    Silence,
}

impl Cause {
    /// What `failure` shows of `cluster`, which `client` asked.
    fn of(failure: &Failure, client: &Consumer, cluster: &Cluster) -> Self {
        let says = |text: &str| failure.reason.contains(text);
        if says("certificate verify failed") {
            return Self::Certificate(client.distrust().unwrap_or(Distrust::UnknownAuthority));
        }
        // Which alert a broker sends for which fault is not the same everywhere.
        let alerts =
            ["alert certificate", "alert bad certificate", "alert unknown ca", "client SSL"];
        if alerts.into_iter().any(says) {
            return if cluster.has_certificate() {
                Self::OwnCertificateRefused
            } else {
                Self::OwnCertificateMissing
            };
        }
        if says("PLAINTEXT broker listener") || says("wrong version number") {
            return Self::NoTls;
        }
        // A TLS alert is read as the length of an answer; other ports just hang up.
        let is_alert = failure.code == ErrorCode::BAD_MESSAGE && says("Invalid response size");
        if is_alert && !cluster.has_tls() {
            return Self::WantsTls;
        }
        if says("Connection refused") {
            return Self::NothingListens;
        }
        match failure.code {
            ErrorCode::UNKNOWN_HOST => Self::UnknownHost,
            ErrorCode::AUTHENTICATION if says("mechanism handshake failed") => Self::Mechanism,
            ErrorCode::AUTHENTICATION => Self::Credentials,
            _ => Self::Silence,
        }
    }
}

impl Cause {
    /// What a line of the log on a failed connection shows that no event tells: a port that hangs up
    /// at the first request, where we speak without TLS, wants it.
    fn of_line(line: &str, cluster: &Cluster) -> Option<Self> {
        let is_hung_up = line.contains("in state APIVERSION_QUERY");
        (is_hung_up && !cluster.has_tls()).then_some(Self::WantsTls)
    }

    /// How much it tells; of several the heaviest counts.
    fn weight(self) -> u8 {
        match self {
            Self::Silence => 0,
            // A name may stand for several addresses of which one is served.
            Self::NothingListens => 1,
            Self::UnknownHost
            | Self::WantsTls
            | Self::NoTls
            | Self::Certificate(_)
            | Self::OwnCertificateMissing
            | Self::OwnCertificateRefused
            | Self::Credentials
            | Self::Mechanism => 2,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownHost => "the host's name is not known",
            Self::NothingListens => "nothing listens there",
            Self::WantsTls => "the port wants TLS",
            Self::NoTls => "the port does not speak TLS",
            Self::Certificate(distrust) => return distrust.fmt(f),
            Self::OwnCertificateMissing => "the broker wants a client certificate",
            Self::OwnCertificateRefused => "the broker refuses our client certificate",
            Self::Credentials => "the broker refuses user or password",
            Self::Mechanism => "the broker does not offer this SASL mechanism",
            Self::Silence => "it gives no answer",
        })
    }
}

impl Admin {
    /// All topics, by name, or why the cluster does not answer.
    ///
    /// # Errors
    /// [`Unreachable`], as soon as the cause is known, at the latest after ten seconds.
    pub fn reach(&self) -> Result<Vec<TopicDescription>, Unreachable> {
        let mut last = Unreachable { cause: Cause::Silence, detail: String::new() };
        for _ in 0..TRIES {
            let failed = match self.topics_within(TRY_TIMEOUT) {
                Ok(topics) => return Ok(topics),
                Err(error) => error,
            };
            match self.cause_told() {
                Some(found) if found.cause != Cause::Silence => return Err(found),
                Some(found) => last = found,
                None if last.detail.is_empty() => last.detail = failed.to_string(),
                None => {}
            }
        }
        Err(last)
    }

    /// The event, or line of the log, that tells most.
    fn cause_told(&self) -> Option<Unreachable> {
        let (client, cluster) = (self.query(), self.cluster());
        let events = client.events(Duration::ZERO).into_iter();
        let told = events.map(|event| Unreachable {
            cause: Cause::of(&event.failure, client, cluster),
            detail: event.failure.to_string(),
        });
        let lines = client.take_failed_connections().into_iter().filter_map(|detail| {
            Cause::of_line(&detail, cluster).map(|cause| Unreachable { cause, detail })
        });
        told.chain(lines).max_by_key(|one| one.cause.weight())
    }
}
