//! Who owns a project: one procedure for a start, a take-over and every transactional error.
//!
//! The journal alone decides. Broker fencing makes sure that nobody else commits afterwards.

use std::sync::Arc;
use std::time::Duration;

use connectors::{Cluster, JournalTopic, OutputTopic, TransactionSettings, TransactionalProducer};
use stream::{Epoch, InstanceName};

use crate::error::RuntimeError;
use crate::history::History;
use crate::inbox::Inbox;
use crate::journal::Entry;

/// How often the journal is looked at while another owner's lease runs.
const LEASE_POLL: Duration = Duration::from_millis(250);

/// How long who was fenced waits for the first entry of who did it, which comes right after: who
/// took the producer back at once would end the other. If the broker alone has ended the
/// transaction, because it took too long, or who did it stands back again, this is how long it takes
/// to go on.
const FENCED_WAIT: Duration = Duration::from_secs(3);

/// What a start knows before it asks the journal.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    /// The cluster.
    pub(crate) cluster: Cluster,
    /// The journal's topic.
    pub(crate) journal: String,
    /// Where to begin to read it: what came before does not matter.
    pub(crate) journal_offset: i64,
    /// Name and time limit of the transactions.
    pub(crate) transactions: TransactionSettings,
    /// Topics that will be written, by index.
    pub(crate) topics: Vec<OutputTopic>,
    /// This process.
    pub(crate) instance: InstanceName,
    /// Who wrote the journal from this folder before: they are gone, for their lock is ours.
    pub(crate) former: Vec<InstanceName>,
    /// Whether a living owner may be pushed aside.
    pub(crate) is_taking_over: bool,
    /// Whether a living owner is waited for; else it is an error.
    pub(crate) is_waiting: bool,
}

/// The journal, read to its end, and what it says of owners.
pub(crate) struct Ownership {
    claim: Claim,
    journal: JournalTopic,
    last: Option<Last>,
    /// How much longer than its lease the owner may be silent: this process has fenced it, so that
    /// it waits for [`FENCED_WAIT`] before it goes on. Until its next entry.
    grace: Duration,
    /// So many offsets the last entry takes at least that was committed since the journal was read.
    unread: i64,
}

/// The last entry's words.
#[derive(Debug, Clone)]
struct Last {
    epoch: Epoch,
    writer: InstanceName,
    owner: Option<InstanceName>,
    lease: Duration,
}

impl Ownership {
    /// Opens the journal; nothing is read yet.
    pub(crate) fn open(claim: Claim) -> Result<Self, RuntimeError> {
        let journal = JournalTopic::open(&claim.cluster, &claim.journal, claim.journal_offset)?;
        Ok(Self { claim, journal, last: None, grace: Duration::ZERO, unread: 0 })
    }

    /// Where the journal ended when it was last asked.
    pub(crate) fn end(&self) -> i64 {
        self.journal.end()
    }

    /// The journal as a start finds it.
    pub(crate) fn start_of_journal(&self) -> StartOfJournal {
        StartOfJournal {
            cluster: self.claim.cluster.clone(),
            topic: self.claim.journal.clone(),
            first_offset: self.journal.first_offset(),
            until: None,
        }
    }

    /// Becomes the owner: what the journal says, and a producer that fences every other.
    ///
    /// # Errors
    /// [`RuntimeError::OwnedByOther`]; those of the connectors.
    pub(crate) fn acquire(
        &mut self,
        inbox: &Inbox,
    ) -> Result<(History, TransactionalProducer), RuntimeError> {
        let mut history = self.history()?;
        loop {
            self.wait_for_lease(inbox, &mut history)?;
            tracing::debug!("the journal is read to its end");
            let producer = self.open_producer()?;
            tracing::debug!("the producer is open");
            let mut is_contested = false;
            let ours = self.claim.instance.clone();
            self.read(&mut |entry| {
                is_contested |= entry.header.instance != ours;
                history.note(&entry);
            })?;
            // Entries of an owner that is pushed aside may have come until the moment of it.
            is_contested &= !self.claim.is_taking_over;
            if !is_contested {
                return Ok((history, producer));
            }
            drop(producer);
            self.grace = FENCED_WAIT;
            inbox.wait_closing(jitter()?);
        }
    }

    /// What the entries up to the end as it is now say, of those that were not read before.
    ///
    /// # Errors
    /// Those of the connectors.
    pub(crate) fn history(&mut self) -> Result<History, RuntimeError> {
        let mut history = History::default();
        self.read(&mut |entry| history.note(&entry))?;
        let is_guess = self.journal.begin() > self.journal.first_offset();
        if self.last.is_none() && is_guess {
            self.journal = JournalTopic::open(&self.claim.cluster, &self.claim.journal, 0)?;
            self.read(&mut |entry| history.note(&entry))?;
        }
        Ok(history)
    }

    /// A standby's last step before its first entry: a producer that fences every other, and what
    /// was written before it did. There is no producer if another process still writes, unless
    /// that one shall be pushed aside.
    ///
    /// # Errors
    /// Those of the connectors.
    pub(crate) fn take_over(
        &mut self,
        is_pushing: bool,
    ) -> Result<(Option<TransactionalProducer>, Vec<Entry>), RuntimeError> {
        let producer = self.open_producer()?;
        let mut entries = Vec::new();
        self.read(&mut |entry| entries.push(entry))?;
        let is_ours = |entry: &Entry| entry.header.instance == self.claim.instance;
        let is_contested = !is_pushing && !entries.iter().all(is_ours);
        if is_contested {
            self.grace = FENCED_WAIT;
        }
        Ok(((!is_contested).then_some(producer), entries))
    }

    /// Asks where the journal ends now: [`Ownership::next_entry`] reads up to there.
    ///
    /// # Errors
    /// Those of the connectors.
    pub(crate) fn look_for_end(&mut self) -> Result<(), RuntimeError> {
        Ok(self.journal.look_for_end()?)
    }

    /// The next entry, or none at the end as it was when it was last asked.
    ///
    /// # Errors
    /// Those of the connectors; [`RuntimeError::Journal`].
    pub(crate) fn next_entry(&mut self) -> Result<Option<Entry>, RuntimeError> {
        let Some(raw) = self.journal.next_entry()? else { return Ok(None) };
        let entry = Entry::from_bytes(&raw.bytes)?;
        self.last = Some(Last {
            epoch: entry.header.epoch,
            writer: entry.header.instance.clone(),
            owner: entry.owner().cloned(),
            lease: Duration::from_millis(entry.header.lease_ms),
        });
        self.grace = Duration::ZERO;
        Ok(Some(entry))
    }

    /// About how many entries are there and not read.
    pub(crate) fn entries_left(&self) -> u64 {
        self.journal.entries_left()
    }

    /// Who the last entry says owns the project, and for how long after it: its lease, and what it
    /// needs beyond that to go on where this process has fenced it.
    pub(crate) fn lease(&self) -> (Option<&InstanceName>, Duration) {
        let last = self.last.as_ref();
        let lease = last.map_or(Duration::ZERO, |last| last.lease + self.grace);
        (last.and_then(|last| last.owner.as_ref()), lease)
    }

    /// The last epoch in the journal, as far as it was read.
    pub(crate) fn epoch(&self) -> Epoch {
        self.last.as_ref().map_or(Epoch::default(), |last| last.epoch)
    }

    /// Finds out what became of the transaction of `epoch` after an error, and opens a new producer.
    /// The flag says whether the epoch was committed after all.
    ///
    /// # Errors
    /// [`RuntimeError::OwnedByOther`] if another process has taken over;
    /// [`RuntimeError::CommitUndone`] if an epoch before it is not there any more; those of the
    /// connectors.
    pub(crate) fn reclaim(
        &mut self,
        epoch: Epoch,
    ) -> Result<(bool, TransactionalProducer), RuntimeError> {
        self.read(&mut drop)?;
        self.check_still_owner()?;
        let producer = self.open_producer()?;
        self.read(&mut drop)?;
        self.check_still_owner()?;
        let last = self.epoch();
        if last.next() < epoch {
            let topic = self.claim.journal.clone();
            return Err(RuntimeError::CommitUndone { topic, epoch: last.next(), last });
        }
        Ok((last >= epoch, producer))
    }

    /// Reads no further until it is asked again, and then from the entry of `epoch` on, of so many
    /// records, which this process has committed: the journal may have days of entries before it.
    pub(crate) fn rest(&mut self, epoch: Epoch, records: usize) {
        let is_read = self.epoch() >= epoch;
        let mark = 1;
        let offsets = if is_read { 0 } else { i64::try_from(records).unwrap_or(0) + mark };
        // What was aborted in between makes it more: then some entries before it are read again.
        self.journal.rest(std::mem::replace(&mut self.unread, offsets));
    }

    /// After fencing: waits until another process has written, or none has for long enough, or the
    /// journal cannot be read, which whoever takes the producer back will be told, too.
    ///
    /// # Errors
    /// [`RuntimeError::Journal`]; [`RuntimeError::FoldVersion`].
    pub(crate) fn await_other(&mut self, inbox: &Inbox) -> Result<(), RuntimeError> {
        let mut waited = Duration::ZERO;
        while waited < FENCED_WAIT && !inbox.wait_closing(LEASE_POLL) {
            waited += LEASE_POLL;
            match self.read(&mut drop) {
                Err(RuntimeError::Connector(error)) => {
                    tracing::debug!(%error, "the journal cannot be read");
                    break;
                }
                read => read?,
            }
            if self.check_still_owner().is_err() {
                break;
            }
        }
        Ok(())
    }

    fn open_producer(&self) -> Result<TransactionalProducer, RuntimeError> {
        let claim = &self.claim;
        Ok(TransactionalProducer::open(&claim.cluster, &claim.transactions, &claim.topics)?)
    }

    fn check_still_owner(&self) -> Result<(), RuntimeError> {
        match &self.last {
            Some(last) if last.writer != self.claim.instance => {
                Err(RuntimeError::OwnedByOther { owner: last.writer.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Waits until no other owner's lease runs.
    fn wait_for_lease(&mut self, inbox: &Inbox, history: &mut History) -> Result<(), RuntimeError> {
        let mut silent = Duration::ZERO;
        while let Some((owner, lease)) = self.living_owner() {
            if !self.claim.is_waiting {
                return Err(RuntimeError::OwnedByOther { owner });
            }
            if silent.is_zero() {
                let seconds = lease.as_secs();
                tracing::warn!(%owner, "another process owns the project; waiting until it is silent for {seconds} s");
            }
            if silent >= lease {
                break;
            }
            if inbox.wait_closing(LEASE_POLL) {
                return Err(RuntimeError::OwnedByOther { owner });
            }
            silent += LEASE_POLL;
            self.read(&mut |entry| {
                silent = Duration::ZERO;
                history.note(&entry);
            })?;
        }
        Ok(())
    }

    fn living_owner(&self) -> Option<(InstanceName, Duration)> {
        let last = self.last.as_ref()?;
        let owner = last.owner.as_ref()?;
        let is_gone = self.claim.is_taking_over
            || *owner == self.claim.instance
            || self.claim.former.contains(owner);
        (!is_gone).then(|| (owner.clone(), last.lease + self.grace))
    }

    /// Reads on to the end as it is now.
    fn read(&mut self, see: &mut dyn FnMut(Entry)) -> Result<(), RuntimeError> {
        self.unread = 0;
        self.look_for_end()?;
        while let Some(entry) = self.next_entry()? {
            see(entry);
        }
        Ok(())
    }
}

/// The journal as a start finds it. What came before the entries that it has read may still be
/// there.
pub(crate) struct StartOfJournal {
    pub(crate) cluster: Cluster,
    pub(crate) topic: String,
    /// Offset of the first record still kept: above 0 if the journal was trimmed.
    pub(crate) first_offset: i64,
    /// The last epoch that counts; none: all do.
    pub(crate) until: Option<Epoch>,
}

impl StartOfJournal {
    /// What the entries say, from the first one that is still kept.
    ///
    /// # Errors
    /// Those of the connectors; [`RuntimeError::Journal`].
    pub(crate) fn reread(&self) -> Result<History, RuntimeError> {
        self.read_from(0)
    }

    /// What the entries say from an offset on.
    ///
    /// # Errors
    /// As [`StartOfJournal::reread`].
    pub(crate) fn read_from(&self, offset: i64) -> Result<History, RuntimeError> {
        History::read(&self.cluster, &self.topic, (offset, self.until))
    }
}

/// A name for this process that no other has.
pub(crate) fn new_instance() -> Result<InstanceName, RuntimeError> {
    Ok(InstanceName(Arc::from(format!(
        "{:016x}",
        getrandom::u64().map_err(|_e| RuntimeError::Random)?
    ))))
}

/// A random time between 0.1 and 1 s, so that two who meet do not meet again.
pub(crate) fn jitter() -> Result<Duration, RuntimeError> {
    let random = getrandom::u32().map_err(|_e| RuntimeError::Random)?;
    Ok(Duration::from_millis(100 + u64::from(random % 900)))
}

#[cfg(test)]
mod tests;
