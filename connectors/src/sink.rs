//! Producers: the transactional one, whose records become visible together or not at all, and the
//! plain one for outputs that are delivered at least once.

mod calls;
mod outputs;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use arrow_kafka::{Encoded, PartitionOffset, Record};
use stream::failpoint;

use crate::journal::{EPOCH_HEADER, PART_HEADER, entry_records};
use crate::{Cluster, ConnectorError};
use calls::{Calls, Watch};
use writer::Writer;

pub use outputs::OutputProducer;

/// A transaction that is open for longer is aborted by the broker.
pub const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(30);

/// How long `init_transactions` waits for the coordinator in one call: a cluster that was made a
/// moment ago creates its own topic first.
const INIT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the coordinator may take to accept the group's offsets.
const OFFSETS_TIMEOUT: Duration = Duration::from_secs(30);

/// Taking over may have to wait for the end of another's transaction, and is given up as hung after so
/// many of its timeouts. A transaction's own calls are after one: it is lost by then.
const TIMEOUTS_TO_TAKE_OVER: u32 = 2;

/// A topic that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputTopic {
    /// Kafka topic.
    pub topic: String,
    /// `compression.type` of the topic, where the client shall compress like it.
    pub compression: Option<String>,
    /// `max.message.bytes` of the topic, a limit on batches of records.
    pub max_message_bytes: usize,
}

/// A transactional producer's name, and how long its transactions may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionSettings {
    /// `transactional.id`
    pub id: String,
    /// `transaction.timeout.ms`; what is not delivered within two thirds of it has failed.
    pub timeout: Duration,
    /// `linger.ms`: nobody sees a record before its transaction ends, and that waits for none.
    pub linger: Duration,
}

/// A producer that writes in transactions.
pub struct TransactionalProducer {
    writer: Arc<Writer>,
    calls: Calls,
    settings: TransactionSettings,
    is_in_transaction: bool,
}

impl TransactionalProducer {
    /// Opens the producer and fences whoever had its id before.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`]: retry if retriable. [`ConnectorError::Hung`]: as there.
    pub fn open(
        cluster: &Cluster,
        settings: &TransactionSettings,
        topics: &[OutputTopic],
    ) -> Result<Self, ConnectorError> {
        let writer = Arc::new(Writer::open(&cluster.transactional_settings(settings), topics)?);
        let watch = Watch::new(cluster);
        let calls = Calls::start(&writer, watch);
        let mut this = Self { writer, calls, settings: settings.clone(), is_in_transaction: false };
        let limit = settings.timeout * TIMEOUTS_TO_TAKE_OVER;
        this.calls.run(("take over the transactional id", limit), |writer| {
            writer.producer().connect(INIT_TIMEOUT)?;
            writer.producer().init_transactions(INIT_TIMEOUT)
        })?;
        Ok(this)
    }

    /// Begins a transaction, unless one is open.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`].
    pub fn begin(&mut self) -> Result<(), ConnectorError> {
        if !self.is_in_transaction {
            self.writer.producer().begin_transaction()?;
            self.is_in_transaction = true;
        }
        Ok(())
    }

    /// Hands all rows of `encoded` to the producer, for the topic at `index` of those opened.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`]: the transaction cannot be committed any more.
    pub fn send_rows(&self, index: usize, encoded: &Encoded) -> Result<(), ConnectorError> {
        self.writer.send_rows(index, encoded)
    }

    /// Hands one record to the producer.
    ///
    /// # Errors
    /// As [`TransactionalProducer::send_rows`].
    pub fn send(&self, index: usize, record: &Record<'_>) -> Result<(), ConnectorError> {
        self.writer.send(index, record)
    }

    /// Hands a journal entry to the producer, in parts of at most `part_bytes`.
    ///
    /// # Errors
    /// As [`TransactionalProducer::send_rows`].
    pub fn send_entry(
        &self,
        index: usize,
        epoch: u64,
        entry: &[u8],
        part_bytes: usize,
    ) -> Result<(), ConnectorError> {
        let count = entry_records(entry.len(), part_bytes);
        let epoch = epoch.to_string();
        for part in 0..count {
            let bytes = &entry[part * part_bytes..entry.len().min((part + 1) * part_bytes)];
            let label = format!("{part}/{count}");
            let record = Record {
                value: Some(bytes),
                partition: Some(0),
                headers: &[
                    (PART_HEADER, Some(label.as_bytes())),
                    (EPOCH_HEADER, Some(epoch.as_bytes())),
                ],
                ..Record::default()
            };
            self.send(index, &record)?;
        }
        Ok(())
    }

    /// Waits until everything is acknowledged, adds the group's offsets and commits.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`]: whether the transaction was committed is unknown; only the
    /// journal tells. [`ConnectorError::Hung`]: the same, and the handle is lost.
    pub fn commit(
        &mut self,
        offsets: &[PartitionOffset],
        group: &str,
    ) -> Result<(), ConnectorError> {
        failpoint::reach("commit.3.before")?;
        self.writer.flush(self.settings.timeout)?;
        failpoint::reach("commit.3.after")?;
        failpoint::reach("commit.4.before")?;
        if !offsets.is_empty() {
            let (offsets, group) = (offsets.to_vec(), group.to_owned());
            let add = ("add the group's offsets to the transaction", self.settings.timeout);
            self.calls.run(add, move |writer| {
                writer.producer().send_offsets_to_transaction(&offsets, &group, OFFSETS_TIMEOUT)
            })?;
        }
        failpoint::reach("commit.4.after")?;
        failpoint::reach("commit.5.before")?;
        self.calls.run(("commit the transaction", self.settings.timeout), |writer| {
            writer.producer().commit_transaction(None)
        })?;
        self.is_in_transaction = false;
        failpoint::reach("commit.5.after")?;
        Ok(())
    }
}

impl Drop for TransactionalProducer {
    fn drop(&mut self) {
        // What is not committed must not be waited for: the broker aborts it.
        self.writer.purge();
        self.calls.end();
    }
}
