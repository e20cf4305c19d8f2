//! Topics seen from outside: whether they are still the same ones, and how many partitions they have.

use std::time::Duration;

use arrow_kafka::{Consumer, TopicIdentity};

use crate::{Bounds, Cluster, ConnectorError};

/// How long the broker may take to answer a question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that asks for topics.
pub struct TopicWatch {
    consumer: Consumer,
}

impl TopicWatch {
    /// Makes the connection; nothing is asked yet.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`] if the settings make no client.
    pub fn open(cluster: &Cluster) -> Result<Self, ConnectorError> {
        Ok(Self { consumer: Consumer::open(&cluster.query_settings())? })
    }

    /// The topics of these names, with their ids.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`]: retry if retriable.
    pub fn describe(&self, topics: &[&str]) -> Result<Vec<TopicIdentity>, ConnectorError> {
        Ok(self.consumer.describe(topics, ANSWER_TIMEOUT)?)
    }

    /// What a partition holds now, as far as its committed records go.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`]: retry if retriable.
    pub fn bounds(&self, topic: &str, partition: usize) -> Result<Bounds, ConnectorError> {
        let partition = i32::try_from(partition).unwrap_or(i32::MAX);
        let (first, end) = self.consumer.watermarks(topic, partition, ANSWER_TIMEOUT)?;
        Ok(Bounds { first, end, log_end: end })
    }
}
