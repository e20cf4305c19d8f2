//! Exposures: who uses the outputs, and what was promised to them.

use std::time::Duration;

use crate::place::Spanned;
use crate::project::model::Reference;

/// One user of the project's outputs, or producer of its inputs.
#[derive(Clone, Debug)]
pub struct Exposure {
    /// Unique among exposures.
    pub name: Spanned<String>,
    /// What it is.
    pub kind: Spanned<ExposureKind>,
    /// The direction of the lineage.
    pub role: Option<Spanned<Role>>,
    /// For people.
    pub description: Option<String>,
    /// Who answers for it.
    pub owner: Option<Spanned<String>>,
    /// For selection.
    pub tags: Vec<Spanned<String>>,
    /// Where it is.
    pub url: Option<String>,
    /// Its Kafka consumer group.
    pub consumer_group: Option<Spanned<String>>,
    /// What it reads: `consumes` and `depends_on`.
    pub consumes: Vec<Reference>,
    /// What it writes.
    pub produces: Vec<Reference>,
    /// What was promised.
    pub sla: Option<Sla>,
}

/// What an exposure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExposureKind {
    /// `application`
    Application,
    /// `dashboard`
    Dashboard,
    /// `ml_training`
    MlTraining,
    /// `ml_inference`
    MlInference,
    /// `api`
    Api,
}

/// The direction of an exposure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It writes what the project reads.
    Producer,
    /// It reads what the project writes.
    Consumer,
    /// Both.
    Both,
}

/// What was promised. Absent: not promised.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sla {
    /// `latency_p99_ms`
    pub latency_p99: Option<Spanned<Duration>>,
    /// `latency_p50_ms`
    pub latency_p50: Option<Spanned<Duration>>,
    /// Percent of time, 0 to 100.
    pub availability: Option<Spanned<f64>>,
    /// Rows a second.
    pub throughput_per_second: Option<Spanned<f64>>,
    /// `max_lag_seconds`, `max_lag_minutes`
    pub max_lag: Option<Spanned<Duration>>,
    /// Records that may wait.
    pub max_lag_messages: Option<Spanned<u64>>,
    /// `freshness_seconds`
    pub freshness: Option<Spanned<Duration>>,
    /// `max_end_to_end_latency_ms`
    pub max_end_to_end_latency: Option<Spanned<Duration>>,
    /// `max_produce_latency_ms`
    pub max_produce_latency: Option<Spanned<Duration>>,
    /// 0 to 1.
    pub max_error_rate: Option<Spanned<f64>>,
}
