//! What goes wrong between the engine and Kafka.

use std::time::Duration;

use arrow_kafka::{ErrorCode, KafkaError};
use stream::failpoint::Injected;

/// What goes wrong between the engine and Kafka.
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    /// A call to Kafka failed: [`KafkaError`] says whether it may be tried again.
    #[error("{0}")]
    Kafka(#[from] KafkaError),
    /// The settings or records cannot be decoded or encoded as the plan asks: a planner's bug.
    #[error("topic `{topic}`: {detail}")]
    Codec {
        /// Kafka topic.
        topic: String,
        /// What does not fit.
        detail: String,
    },
    /// A topic of the project is not there.
    #[error(
        "topic `{topic}` does not exist on {cluster}: create it with `engine topic create {topic}`, or correct `topic:` of source `{source_name}`"
    )]
    MissingTopic {
        /// Kafka topic.
        topic: String,
        /// Name of the source that reads it.
        source_name: String,
        /// Where it was looked for.
        cluster: String,
    },
    /// The topic is there already.
    #[error("topic `{topic}` exists already")]
    TopicExists {
        /// Kafka topic.
        topic: String,
    },
    /// An administrative request was refused.
    #[error("cannot {action}: {reason}")]
    Admin {
        /// What was tried.
        action: String,
        /// What the broker said.
        reason: String,
    },
    /// A call into the Kafka client does not end although the cluster answers; what it was about
    /// may or may not have happened. Make a new producer, and ask the journal.
    #[error("to {action} has not ended after {} s, although the cluster answers", limit.as_secs())]
    Hung {
        /// What was tried.
        action: &'static str,
        /// How long it was waited for.
        limit: Duration,
    },
    /// A test asked for it.
    #[error(transparent)]
    Injected(#[from] Injected),
    /// The journal holds what nobody can have written whole.
    #[error("the journal `{topic}` is damaged at offset {offset}: {detail}")]
    Journal {
        /// The journal's topic.
        topic: String,
        /// Kafka offset.
        offset: i64,
        /// What is wrong there.
        detail: String,
    },
}

impl ConnectorError {
    /// Whether the next offset to read is not in the log.
    pub fn is_offset_gone(&self) -> bool {
        let code = self.kafka().and_then(KafkaError::code);
        code == Some(ErrorCode::AUTO_OFFSET_RESET) || code == Some(ErrorCode::OFFSET_OUT_OF_RANGE)
    }

    /// Whether the topic, or the partition, is not there, or is not known yet.
    pub fn is_unknown_topic(&self) -> bool {
        self.kafka().is_some_and(KafkaError::is_unknown_topic)
    }

    fn kafka(&self) -> Option<&KafkaError> {
        match self {
            Self::Kafka(error) => Some(error),
            Self::Codec { .. }
            | Self::MissingTopic { .. }
            | Self::TopicExists { .. }
            | Self::Admin { .. }
            | Self::Hung { .. }
            | Self::Injected(_)
            | Self::Journal { .. } => None,
        }
    }

    /// Whether the same call may succeed later. A topic that is not known may not be known yet, or
    /// not while its broker is away: whether it is gone is the watch's to tell.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Kafka(error) => error.is_retriable() || error.is_unknown_topic(),
            Self::Hung { .. } | Self::Injected(_) => true,
            Self::Codec { .. }
            | Self::MissingTopic { .. }
            | Self::TopicExists { .. }
            | Self::Admin { .. }
            | Self::Journal { .. } => false,
        }
    }
}
