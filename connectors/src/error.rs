//! What goes wrong between the engine and Kafka.

use arrow_kafka::KafkaError;

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
    /// Whether the same call may succeed later.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Kafka(error) => error.is_retriable(),
            Self::Codec { .. }
            | Self::MissingTopic { .. }
            | Self::TopicExists { .. }
            | Self::Admin { .. }
            | Self::Journal { .. } => false,
        }
    }
}
