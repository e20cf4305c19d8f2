//! The committer's thread: it owns the producer. One transaction an epoch is the only commit point.
//!
//! **Invariant:** what an epoch wrote is kept until its commit is known, so that after an abort, a
//! timeout or an unknown outcome the same bytes are produced again; the fold never goes back.

mod at_least_once;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use arrow_kafka::Record;
use connectors::{ConnectorError, TransactionSettings, TransactionalProducer, entry_records};
use stream::failpoint;

use crate::error::RuntimeError;
use crate::inbox::Inbox;
use crate::journal::PART_BYTES;
use crate::outbox::{Cut, DEAD_LETTERS, JOURNAL, Kept, Letter, ToCommit};
use crate::ownership::Ownership;
use crate::run::RunOptions;

pub(crate) use at_least_once::Outputs;

/// How long the committer waits before it tries again after an error that may pass.
const RETRY_WAIT: Duration = Duration::from_millis(500);

/// So many producers may be given up one after the other because a call hangs; each keeps a thread and
/// its memory.
const HUNG_PRODUCERS_MAX: u32 = 3;

/// Records of an epoch wait for one another for this part of the commit interval, within bounds: a
/// batch a partition is sent then, and who commits waits for none of them.
const LINGERS_PER_INTERVAL: u32 = 10;
const LINGER_MIN: Duration = Duration::from_millis(5);
const LINGER_MAX: Duration = Duration::from_millis(100);

/// Name and limits of a run's transactions.
pub(crate) fn transactions(id: String, options: &RunOptions) -> TransactionSettings {
    let linger = options.commit_interval / LINGERS_PER_INTERVAL;
    let linger = linger.clamp(LINGER_MIN, LINGER_MAX);
    TransactionSettings { id, timeout: options.transaction_timeout, linger }
}

/// What is written with.
pub(crate) struct Producers {
    /// Journal, offsets, and the outputs of `delivery: exactly_once`.
    pub(crate) transactional: TransactionalProducer,
    /// The outputs of `delivery: at_least_once`.
    pub(crate) outputs: Option<Outputs>,
}

/// Owns the producer and everything that is not committed yet.
pub(crate) struct Committer {
    producer: Option<TransactionalProducer>,
    outputs: Option<Outputs>,
    ownership: Ownership,
    group: String,
    kept: Vec<Kept>,
    kept_bytes: Arc<AtomicU64>,
    inbox: Arc<Inbox>,
    hung_producers: u32,
}

impl Committer {
    pub(crate) fn new(
        producers: Producers,
        ownership: Ownership,
        group: String,
        kept_bytes: &Arc<AtomicU64>,
        inbox: &Arc<Inbox>,
    ) -> Self {
        Self {
            producer: Some(producers.transactional),
            outputs: producers.outputs,
            ownership,
            group,
            kept: Vec::new(),
            kept_bytes: Arc::clone(kept_bytes),
            inbox: Arc::clone(inbox),
            hung_producers: 0,
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
                    let sent = if is_whole { self.send_first(&kept) } else { Ok(()) };
                    self.kept.push(kept);
                    self.outcome(sent).map(|is_sent| is_whole &= is_sent)
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
        let mut is_committed = is_whole && {
            let finished = self.finish(cut, &entry);
            self.outcome(finished)?
        };
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
                    let finished = self.send_kept().and_then(|()| self.finish(cut, &entry));
                    is_committed = self.outcome(finished)?;
                }
                Err(RuntimeError::Connector(error)) => {
                    let text = error.to_string();
                    self.outcome(Err(error))?;
                    if self.inbox.wait_closing(RETRY_WAIT) {
                        return Err(RuntimeError::Unsettled { reason: text });
                    }
                }
                Err(error) => return Err(error),
            }
        }
        failpoint::reach("commit.6.before")?;
        self.hung_producers = 0;
        let bytes = self.let_go();
        tracing::debug!(%epoch, bytes, "committed");
        self.inbox.set_committed(epoch);
        // Last, since it waits for the client's threads.
        self.ownership.rest(epoch, entry_records(entry.len(), PART_BYTES));
        failpoint::reach("commit.6.after")?;
        Ok(())
    }

    /// What was kept for an epoch is committed, and not needed any more; how many bytes it was.
    fn let_go(&mut self) -> usize {
        let bytes: usize = self.kept.iter().map(Kept::bytes).sum();
        self.kept_bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
        self.kept.clear();
        if let Some(outputs) = &mut self.outputs {
            outputs.begin_epoch();
        }
        bytes
    }

    /// Whether a try succeeded; false if the next may. Other errors end the run.
    fn outcome(&mut self, result: Result<(), ConnectorError>) -> Result<bool, RuntimeError> {
        let Err(error) = result else { return Ok(true) };
        tracing::warn!(%error, "the transaction failed; the journal will tell what became of it");
        match &error {
            ConnectorError::Kafka(kafka) if kafka.is_refusal() => {
                Err(RuntimeError::Refused { source: error })
            }
            ConnectorError::Hung { .. } => {
                self.hung_producers += 1;
                if self.hung_producers >= HUNG_PRODUCERS_MAX {
                    Err(error.into())
                } else {
                    Ok(false)
                }
            }
            ConnectorError::Kafka(kafka) if kafka.is_fenced() => {
                self.ownership.await_other(&self.inbox)?;
                Ok(false)
            }
            ConnectorError::Kafka(_) | ConnectorError::Injected(_) => Ok(false),
            ConnectorError::Codec { .. }
            | ConnectorError::MissingTopic { .. }
            | ConnectorError::TopicExists { .. }
            | ConnectorError::Admin { .. }
            | ConnectorError::Journal { .. } => Err(error.into()),
        }
    }

    fn send_kept(&mut self) -> Result<(), ConnectorError> {
        if self.outputs.is_some() {
            return Ok(());
        }
        let kept = std::mem::take(&mut self.kept);
        let result = kept.iter().try_for_each(|kept| self.send(kept));
        self.kept = kept;
        result
    }

    /// Sends what has just been encoded. What an output's own producer does not take, it will be
    /// given again when the epoch ends.
    fn send_first(&mut self, kept: &Kept) -> Result<(), ConnectorError> {
        match &mut self.outputs {
            Some(outputs) => {
                outputs.send(kept);
                Ok(())
            }
            None => self.send(kept),
        }
    }

    fn send(&mut self, kept: &Kept) -> Result<(), ConnectorError> {
        let Some(producer) = &mut self.producer else { return Ok(()) };
        producer.begin()?;
        failpoint::reach("commit.0.before")?;
        match kept {
            Kept::Rows { topic, encoded } => producer.send_rows(*topic, encoded),
            Kept::Letter(letter) => {
                with_record(letter, |record| producer.send(DEAD_LETTERS, record))
            }
        }?;
        failpoint::reach("commit.0.after")?;
        Ok(())
    }

    fn finish(&mut self, cut: &Cut, entry: &[u8]) -> Result<(), ConnectorError> {
        if let Some(outputs) = &mut self.outputs {
            outputs.settle(&self.kept)?;
        }
        let Some(producer) = &mut self.producer else { return Ok(()) };
        producer.begin()?;
        failpoint::reach("commit.2.before")?;
        producer.send_entry(JOURNAL, cut.entry.header.epoch.0, entry, PART_BYTES)?;
        failpoint::reach("commit.2.after")?;
        producer.commit(&cut.offsets, &self.group)
    }
}

/// Calls `send` with a dead letter's record.
fn with_record<T>(letter: &Letter, send: impl FnOnce(&Record<'_>) -> T) -> T {
    let headers: Vec<(&str, Option<&[u8]>)> =
        letter.headers.iter().map(|(name, value)| (*name, Some(value.as_bytes()))).collect();
    send(&Record {
        key: Some(letter.key.as_bytes()),
        value: letter.value.as_deref(),
        headers: &headers,
        ..Record::default()
    })
}
