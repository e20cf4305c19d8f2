//! Transactional producers: who owns an id, what the open transaction has touched, how it ends.
//!
//! A commit is one record in the ledger, the decision; it names each partition's end and carries
//! the offsets. The markers in the partitions follow from it: after a crash they are written again
//! where a decision covers an open transaction, and every other open transaction is aborted
//! ([`settle`]). An abort needs no record. Each transactional id has a lock; appends of its
//! producer hold it shared, so that no record slips behind the end that a decision names.
//!
//! **Invariant:** a producer whose epoch is not its id's present one can neither write nor end
//! anything: every call checks it under that lock.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;
use tracing::{info, warn};
use uuid::Uuid;

use crate::clock;
use crate::files::Durability;
use crate::format::{
    DecidedPartition, Decision, LedgerRecord, OffsetEntry, OffsetKey, TransactionalProducer,
};
use crate::ledger::Ledger;
use crate::log::batch::{self, BatchHeader};
use crate::partition::{Limits, Partition};
use crate::sync::{lock, read, write};
use crate::topics::Topics;

/// As Kafka's `transaction.max.timeout.ms`.
const TIMEOUT_MS_MAX: i32 = 900_000;

/// Transactional ids that are remembered.
const IDS_MAX: usize = 100_000;

/// Offsets that one transaction may carry.
const OFFSETS_MAX: usize = 100_000;

/// Who says so: the three facts that every call of a transactional producer carries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim<'a> {
    pub(crate) transactional_id: &'a str,
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
}

/// A producer's id and epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
}

/// All transactional ids.
#[derive(Debug)]
pub(crate) struct Transactions {
    durability: Durability,
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    by_id: BTreeMap<String, Arc<Slot>>,
    by_producer: BTreeMap<i64, Arc<Slot>>,
}

#[derive(Debug)]
struct Slot {
    transaction: RwLock<Transaction>,
}

#[derive(Debug)]
struct Transaction {
    owner: TransactionalProducer,
    state: State,
}

#[derive(Debug)]
enum State {
    /// No transaction; how the last one ended, if this process ended it.
    Idle(Option<bool>),
    Open(Open),
}

#[derive(Debug)]
struct Open {
    deadline: Instant,
    partitions: BTreeMap<(Uuid, i32), Arc<Partition>>,
    groups: BTreeSet<String>,
    offsets: BTreeMap<OffsetKey, OffsetEntry>,
    /// Decided, but not all markers could be written: how.
    decided: Option<bool>,
}

impl Transaction {
    fn check(&self, claim: &Claim<'_>) -> Result<(), ResponseError> {
        if self.owner.producer_id != claim.producer_id {
            return Err(ResponseError::InvalidProducerIdMapping);
        }
        if self.owner.epoch != claim.epoch {
            return Err(ResponseError::ProducerFenced);
        }
        Ok(())
    }

    /// The open transaction, opened now if there is none.
    fn open(&mut self) -> Result<&mut Open, ResponseError> {
        if let State::Idle(_) = self.state {
            let timeout = Duration::from_millis(u64::try_from(self.owner.timeout_ms).unwrap_or(0));
            self.state = State::Open(Open {
                deadline: clock::monotonic() + timeout,
                partitions: BTreeMap::new(),
                groups: BTreeSet::new(),
                offsets: BTreeMap::new(),
                decided: None,
            });
        }
        match &mut self.state {
            State::Open(open) if open.decided.is_none() => Ok(open),
            State::Open(_) | State::Idle(_) => Err(ResponseError::ConcurrentTransactions),
        }
    }
}

impl Transactions {
    /// The transactional ids that the ledger knows, all idle: [`settle`] has run before.
    pub(crate) fn new(ledger: &Ledger, durability: Durability) -> Self {
        let mut known = Known::default();
        for owner in ledger.producers() {
            known.insert(owner);
        }
        Self { durability, known: RwLock::new(known) }
    }

    /// Gives a producer its id and epoch, fences its predecessors and ends what they left open.
    pub(crate) fn init(
        &self,
        transactional_id: &str,
        timeout_ms: i32,
        present: Option<Identity>,
        ledger: &Mutex<Ledger>,
    ) -> Result<Identity, ResponseError> {
        if !(1..=TIMEOUT_MS_MAX).contains(&timeout_ms) {
            return Err(ResponseError::InvalidTransactionTimeout);
        }
        let Some(slot) = self.slot(transactional_id) else {
            return self.init_first(transactional_id, timeout_ms, ledger);
        };
        let mut transaction = write(&slot.transaction);
        let owner = transaction.owner.clone();
        if present.is_some_and(|p| (p.producer_id, p.epoch) != (owner.producer_id, owner.epoch)) {
            return Err(ResponseError::ProducerFenced);
        }
        let is_worn_out = owner.epoch >= i16::MAX - 1;
        let epoch = owner.epoch.saturating_add(1);
        let fenced = TransactionalProducer { epoch, timeout_ms, ..owner };
        record(ledger, LedgerRecord::Producer(fenced.clone()))?;
        transaction.owner = fenced;
        self.finish_open(&mut transaction, None, ledger)?;
        if is_worn_out {
            let producer_id = lock(ledger).next_producer_id().map_err(storage)?;
            let renewed =
                TransactionalProducer { producer_id, epoch: 0, ..transaction.owner.clone() };
            record(ledger, LedgerRecord::Producer(renewed.clone()))?;
            transaction.owner = renewed;
            write(&self.known).by_producer.insert(producer_id, Arc::clone(&slot));
        }
        let (producer_id, epoch) = (transaction.owner.producer_id, transaction.owner.epoch);
        Ok(Identity { producer_id, epoch })
    }

    fn init_first(
        &self,
        transactional_id: &str,
        timeout_ms: i32,
        ledger: &Mutex<Ledger>,
    ) -> Result<Identity, ResponseError> {
        let mut known = write(&self.known);
        if known.by_id.len() >= IDS_MAX {
            return Err(ResponseError::PolicyViolation);
        }
        if known.by_id.contains_key(transactional_id) {
            // Another connection was quicker; the client asks again and fences it.
            return Err(ResponseError::ConcurrentTransactions);
        }
        let producer_id = lock(ledger).next_producer_id().map_err(storage)?;
        let transactional_id = transactional_id.to_owned();
        let owner = TransactionalProducer { transactional_id, producer_id, epoch: 0, timeout_ms };
        record(ledger, LedgerRecord::Producer(owner.clone()))?;
        known.insert(owner);
        Ok(Identity { producer_id, epoch: 0 })
    }

    /// Makes partitions part of the transaction.
    pub(crate) fn add_partitions(
        &self,
        claim: &Claim<'_>,
        partitions: Vec<(Uuid, Arc<Partition>)>,
    ) -> Result<(), ResponseError> {
        self.with_open(claim, |open| {
            for (topic, partition) in partitions {
                open.partitions.insert((topic, partition.index), partition);
            }
            Ok(())
        })
    }

    /// Makes a group's offsets part of the transaction.
    pub(crate) fn add_group(&self, claim: &Claim<'_>, group: &str) -> Result<(), ResponseError> {
        self.with_open(claim, |open| {
            open.groups.insert(group.to_owned());
            Ok(())
        })
    }

    /// Whether `claim` may act at all.
    pub(crate) fn check(&self, claim: &Claim<'_>) -> Result<(), ResponseError> {
        let slot =
            self.slot(claim.transactional_id).ok_or(ResponseError::InvalidProducerIdMapping)?;
        read(&slot.transaction).check(claim)
    }

    /// Adds offsets that are committed when the transaction is.
    pub(crate) fn add_offsets(
        &self,
        claim: &Claim<'_>,
        group: &str,
        offsets: Vec<OffsetEntry>,
    ) -> Result<(), ResponseError> {
        self.with_open(claim, |open| {
            if !open.groups.contains(group) {
                return Err(ResponseError::InvalidTxnState);
            }
            if open.offsets.len() + offsets.len() > OFFSETS_MAX {
                return Err(ResponseError::InvalidCommitOffsetSize);
            }
            open.offsets.extend(offsets.into_iter().map(|entry| (entry.key.clone(), entry)));
            Ok(())
        })
    }

    /// Whether an open transaction is about to change this offset.
    pub(crate) fn is_unstable(&self, key: &OffsetKey) -> bool {
        self.slots().iter().any(|slot| match &read(&slot.transaction).state {
            State::Open(open) => open.offsets.contains_key(key),
            State::Idle(_) => false,
        })
    }

    /// Runs `append` for a batch of a transaction, if its producer may write there now.
    pub(crate) fn writing<T>(
        &self,
        header: &BatchHeader,
        place: (Uuid, i32),
        append: impl FnOnce() -> T,
    ) -> Result<T, ResponseError> {
        let slot = read(&self.known).by_producer.get(&header.producer_id).cloned();
        let slot = slot.ok_or(ResponseError::InvalidTxnState)?;
        let transaction = read(&slot.transaction);
        if transaction.owner.producer_id != header.producer_id
            || transaction.owner.epoch != header.producer_epoch
        {
            return Err(ResponseError::InvalidProducerEpoch);
        }
        match &transaction.state {
            State::Open(open) if open.decided.is_none() && open.partitions.contains_key(&place) => {
                Ok(append())
            }
            State::Open(_) | State::Idle(_) => Err(ResponseError::InvalidTxnState),
        }
    }

    /// Commits or aborts the open transaction.
    pub(crate) fn end(
        &self,
        claim: &Claim<'_>,
        is_commit: bool,
        ledger: &Mutex<Ledger>,
    ) -> Result<(), ResponseError> {
        let slot =
            self.slot(claim.transactional_id).ok_or(ResponseError::InvalidProducerIdMapping)?;
        let mut transaction = write(&slot.transaction);
        transaction.check(claim)?;
        match &transaction.state {
            // The answer to the first request was lost.
            State::Idle(Some(how)) if *how == is_commit => Ok(()),
            State::Idle(_) => Err(ResponseError::InvalidTxnState),
            State::Open(open) if open.decided.is_some_and(|how| how != is_commit) => {
                Err(ResponseError::InvalidTxnState)
            }
            State::Open(_) => self.finish_open(&mut transaction, Some(is_commit), ledger),
        }
    }

    /// Aborts the transactions that took too long, and finishes those whose markers failed.
    pub(crate) fn tick(&self, now: Instant, ledger: &Mutex<Ledger>) {
        for slot in self.slots() {
            let is_due = match &read(&slot.transaction).state {
                State::Open(open) => open.decided.is_some() || open.deadline <= now,
                State::Idle(_) => false,
            };
            if is_due && let Err(error) = self.expire(&slot, now, ledger) {
                warn!(%error, "transaction could not be ended yet");
            }
        }
    }

    fn expire(
        &self,
        slot: &Slot,
        now: Instant,
        ledger: &Mutex<Ledger>,
    ) -> Result<(), ResponseError> {
        let mut transaction = write(&slot.transaction);
        match &transaction.state {
            State::Open(open) if open.decided.is_some() => {}
            State::Open(open) if open.deadline <= now => {
                info!(
                    transactional_id = transaction.owner.transactional_id,
                    "transaction timed out and is aborted"
                );
                // The producer may still be alive: from here on it is fenced.
                let epoch = transaction.owner.epoch.saturating_add(1);
                let fenced = TransactionalProducer { epoch, ..transaction.owner.clone() };
                record(ledger, LedgerRecord::Producer(fenced.clone()))?;
                transaction.owner = fenced;
            }
            State::Open(_) | State::Idle(_) => return Ok(()),
        }
        self.finish_open(&mut transaction, None, ledger)
    }

    /// Decides the open transaction, if there is one, and writes its markers. `None` aborts one
    /// that is not decided yet.
    fn finish_open(
        &self,
        transaction: &mut Transaction,
        is_commit: Option<bool>,
        ledger: &Mutex<Ledger>,
    ) -> Result<(), ResponseError> {
        let owner = &transaction.owner;
        let State::Open(open) = &mut transaction.state else { return Ok(()) };
        let is_commit = match (open.decided, is_commit) {
            (Some(decided), _) => decided,
            (None, Some(true)) => {
                let decision = decide(owner, open, self.durability).map_err(storage)?;
                record(ledger, LedgerRecord::Committed(decision))?;
                true
            }
            (None, _) => false,
        };
        open.decided = Some(is_commit);
        while let Some((place, partition)) = open.partitions.pop_first() {
            let identity = Identity { producer_id: owner.producer_id, epoch: owner.epoch };
            if let Err(error) = mark(&partition, identity, is_commit) {
                open.partitions.insert(place, partition);
                return Err(storage(error));
            }
        }
        transaction.state = State::Idle(Some(is_commit));
        Ok(())
    }

    fn with_open<T>(
        &self,
        claim: &Claim<'_>,
        change: impl FnOnce(&mut Open) -> Result<T, ResponseError>,
    ) -> Result<T, ResponseError> {
        let slot =
            self.slot(claim.transactional_id).ok_or(ResponseError::InvalidProducerIdMapping)?;
        let mut transaction = write(&slot.transaction);
        transaction.check(claim)?;
        change(transaction.open()?)
    }

    fn slot(&self, transactional_id: &str) -> Option<Arc<Slot>> {
        read(&self.known).by_id.get(transactional_id).cloned()
    }

    fn slots(&self) -> Vec<Arc<Slot>> {
        read(&self.known).by_id.values().cloned().collect()
    }
}

impl Known {
    fn insert(&mut self, owner: TransactionalProducer) {
        let (id, producer_id) = (owner.transactional_id.clone(), owner.producer_id);
        let transaction = RwLock::new(Transaction { owner, state: State::Idle(None) });
        let slot = Arc::new(Slot { transaction });
        self.by_id.insert(id, Arc::clone(&slot));
        self.by_producer.insert(producer_id, slot);
    }
}

/// The decision to commit: each partition's data is safe (if that is asked) and its end is known.
fn decide(
    owner: &TransactionalProducer,
    open: &Open,
    durability: Durability,
) -> io::Result<Decision> {
    let mut partitions = Vec::with_capacity(open.partitions.len());
    for ((topic, index), partition) in &open.partitions {
        let mut log = partition.log();
        if durability == Durability::Power {
            log.sync()?;
        }
        partitions.push(DecidedPartition {
            topic: topic.simple().to_string(),
            partition: *index,
            end_offset: log.end_offset(),
        });
    }
    Ok(Decision {
        transactional_id: owner.transactional_id.clone(),
        producer_id: owner.producer_id,
        epoch: owner.epoch,
        partitions,
        offsets: open.offsets.values().cloned().collect(),
    })
}

/// Writes the marker that ends a producer's transaction in one partition.
fn mark(partition: &Partition, who: Identity, is_commit: bool) -> io::Result<()> {
    let now_ms = clock::wall_ms();
    let marker = batch::marker(who.producer_id, who.epoch, is_commit, now_ms);
    let header = BatchHeader::read(&marker)
        .map_err(|bad| io::Error::other(format!("a marker of our own is {bad:?}")))?;
    // Markers never start a segment of their own accord: the size that counts is the next batch's.
    partition.append(header, &marker, Limits { segment_bytes: u64::MAX, now_ms }).map(|_| ())
}

/// Ends every transaction that a crash left open: committed where a decision covers it, else
/// aborted. Runs before the broker answers anybody.
pub(crate) fn settle(topics: &Topics, ledger: &Ledger) -> io::Result<()> {
    let decisions = ledger.decisions();
    for topic in topics.all() {
        for partition in topic.partitions() {
            let open = partition.log().open_transactions();
            for (producer_id, epoch, first_offset) in open {
                let is_covered = |place: &DecidedPartition| {
                    place.topic == topic.id.simple().to_string()
                        && place.partition == partition.index
                        && place.end_offset > first_offset
                };
                let is_commit = decisions.iter().any(|decision| {
                    decision.producer_id == producer_id
                        && decision.partitions.iter().any(is_covered)
                });
                info!(
                    topic = topic.name,
                    partition = partition.index,
                    producer_id,
                    is_commit,
                    "transaction left open by a crash is ended"
                );
                mark(&partition, Identity { producer_id, epoch }, is_commit)?;
            }
        }
    }
    Ok(())
}

fn record(ledger: &Mutex<Ledger>, record: LedgerRecord) -> Result<(), ResponseError> {
    lock(ledger).append(record).map_err(storage)
}

/// A full or broken disk: the client may try again.
#[expect(clippy::needless_pass_by_value, reason = "used as a function in `map_err`")]
fn storage(error: io::Error) -> ResponseError {
    warn!(%error, "the coordinator cannot write");
    ResponseError::CoordinatorNotAvailable
}

#[cfg(test)]
mod tests;
