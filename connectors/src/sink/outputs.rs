//! The plain producer of `delivery: at_least_once`: what it writes is visible at once.

use std::time::Duration;

use arrow_kafka::{Encoded, Record};

use super::writer::Writer;
use super::{OutputTopic, TRANSACTION_TIMEOUT};
use crate::{Cluster, ConnectorError};

/// How long acknowledgements are waited for: more than `message.timeout.ms`, after which every
/// record is either delivered or failed.
const FLUSH_TIMEOUT: Duration = TRANSACTION_TIMEOUT;

/// An idempotent producer outside of any transaction.
pub struct OutputProducer {
    writer: Writer,
}

impl OutputProducer {
    /// Opens the producer; it connects in the background.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`].
    pub fn open(cluster: &Cluster, topics: &[OutputTopic]) -> Result<Self, ConnectorError> {
        Ok(Self { writer: Writer::open(&cluster.output_settings(), topics)? })
    }

    /// Hands all rows of `encoded` to the producer, for the topic at `index` of those opened.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`]: make a new producer and send again.
    pub fn send_rows(&self, index: usize, encoded: &Encoded) -> Result<(), ConnectorError> {
        self.writer.send_rows(index, encoded)
    }

    /// Hands one record to the producer.
    ///
    /// # Errors
    /// As [`OutputProducer::send_rows`].
    pub fn send(&self, index: usize, record: &Record<'_>) -> Result<(), ConnectorError> {
        self.writer.send(index, record)
    }

    /// Waits until everything is acknowledged.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`]: something was not delivered.
    pub fn flush(&self) -> Result<(), ConnectorError> {
        self.writer.flush(FLUSH_TIMEOUT)
    }
}

impl Drop for OutputProducer {
    fn drop(&mut self) {
        self.writer.purge();
    }
}
