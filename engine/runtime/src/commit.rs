//! The committer's thread: it owns the producer. One transaction an epoch is the only commit point.
//!
//! **Invariant:** what an epoch wrote is kept until its commit is known, so that after an abort, a
//! timeout or an unknown outcome the same bytes are produced again; the fold never goes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use arrow_kafka::Record;
use connectors::{ConnectorError, TransactionalProducer};

use crate::error::RuntimeError;
use crate::inbox::Inbox;
use crate::journal::PART_BYTES;
use crate::outbox::{Cut, DEAD_LETTERS, JOURNAL, Kept, ToCommit};
use crate::ownership::Ownership;

/// How long the committer waits before it tries again after an error that may pass.
const RETRY_WAIT: Duration = Duration::from_millis(500);

/// Owns the producer and everything that is not committed yet.
pub(crate) struct Committer {
    producer: Option<TransactionalProducer>,
    ownership: Ownership,
    group: String,
    kept: Vec<Kept>,
    kept_bytes: Arc<AtomicU64>,
    inbox: Arc<Inbox>,
}

impl Committer {
    pub(crate) fn new(
        producer: TransactionalProducer,
        ownership: Ownership,
        group: String,
        kept_bytes: &Arc<AtomicU64>,
        inbox: &Arc<Inbox>,
    ) -> Self {
        Self {
            producer: Some(producer),
            ownership,
            group,
            kept: Vec::new(),
            kept_bytes: Arc::clone(kept_bytes),
            inbox: Arc::clone(inbox),
        }
    }

    /// Produces and commits until the encoder has no more; an error goes to the inbox.
    pub(crate) fn run(mut self, from: &Receiver<ToCommit>) {
        // Whether the producer of the present transaction still stands; if not, everything kept is
        // produced again with the cut.
        let mut is_whole = true;
        for message in from {
            let result = match message {
                ToCommit::Records(kept) => {
                    if is_whole {
                        is_whole = self.send(&kept).map_err(|error| log_retry(&error)).is_ok();
                    }
                    self.kept.push(kept);
                    Ok(())
                }
                ToCommit::Cut(cut) => {
                    let result = self.commit(&cut, is_whole);
                    is_whole = true;
                    result
                }
            };
            if let Err(error) = result {
                self.inbox.fail(error);
                return;
            }
        }
    }

    fn commit(&mut self, cut: &Cut, is_whole: bool) -> Result<(), RuntimeError> {
        let epoch = cut.entry.header.epoch;
        let entry = cut.entry.to_bytes()?;
        let mut is_committed =
            is_whole && self.finish(cut, &entry).map_err(|error| log_retry(&error)).is_ok();
        while !is_committed {
            // The old producer goes first: its transaction must not be waited for.
            self.producer = None;
            match self.ownership.reclaim(epoch) {
                Ok((true, producer)) => {
                    self.producer = Some(producer);
                    is_committed = true;
                }
                Ok((false, producer)) => {
                    self.producer = Some(producer);
                    is_committed = self
                        .send_kept()
                        .and_then(|()| self.finish(cut, &entry))
                        .map_err(|error| log_retry(&error))
                        .is_ok();
                }
                Err(RuntimeError::Connector(error)) if is_passing(&error) => {
                    log_retry(&error);
                    if self.inbox.wait_closing(RETRY_WAIT) {
                        return Err(error.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let bytes: usize = self.kept.iter().map(Kept::bytes).sum();
        self.kept_bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
        self.kept.clear();
        tracing::debug!(%epoch, bytes, "committed");
        self.inbox.set_committed(epoch);
        Ok(())
    }

    fn send_kept(&mut self) -> Result<(), ConnectorError> {
        let kept = std::mem::take(&mut self.kept);
        let result = kept.iter().try_for_each(|kept| self.send(kept));
        self.kept = kept;
        result
    }

    fn send(&mut self, kept: &Kept) -> Result<(), ConnectorError> {
        let Some(producer) = &mut self.producer else { return Ok(()) };
        producer.begin()?;
        match kept {
            Kept::Rows { topic, encoded } => producer.send_rows(*topic, encoded),
            Kept::Letter(letter) => {
                let headers: Vec<(&str, Option<&[u8]>)> = letter
                    .headers
                    .iter()
                    .map(|(name, value)| (*name, Some(value.as_bytes())))
                    .collect();
                let record = Record {
                    key: Some(letter.key.as_bytes()),
                    value: letter.value.as_deref(),
                    headers: &headers,
                    ..Record::default()
                };
                producer.send(DEAD_LETTERS, &record)
            }
        }
    }

    fn finish(&mut self, cut: &Cut, entry: &[u8]) -> Result<(), ConnectorError> {
        let Some(producer) = &mut self.producer else { return Ok(()) };
        producer.begin()?;
        producer.send_entry(JOURNAL, cut.entry.header.epoch.0, entry, PART_BYTES)?;
        producer.commit(&cut.offsets, &self.group)
    }
}

/// Whether trying again may help: brokers come back, projects' mistakes do not go away.
fn is_passing(error: &ConnectorError) -> bool {
    match error {
        ConnectorError::Kafka(_) => true,
        ConnectorError::Codec { .. }
        | ConnectorError::MissingTopic { .. }
        | ConnectorError::TopicExists { .. }
        | ConnectorError::Admin { .. }
        | ConnectorError::Journal { .. } => false,
    }
}

fn log_retry(error: &ConnectorError) {
    tracing::warn!(%error, "the transaction failed; the journal will tell what became of it");
}
