//! Where the readers' threads put what they decoded, and the fold's thread takes it.
//!
//! One lock, one place to wait for the fold and one for the readers. **Invariant:** every queue is
//! bounded: a partition holds at most [`PIECES_PER_PARTITION`] pieces, or
//! [`SMALL_PIECES_PER_PARTITION`] small ones.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use connectors::{Bounds, Fetched};
use stream::Epoch;

use crate::error::RuntimeError;

/// How many decoded pieces a partition may hold: one that is folded next, one that is being
/// decoded meanwhile.
const PIECES_PER_PARTITION: usize = 2;

/// How many it may hold while they are small, as a replay's slices are: else reader and fold would
/// wait for each other at every one.
const SMALL_PIECES_PER_PARTITION: usize = 1_024;

/// Pieces are small while they have fewer records than this together.
const SMALL_RECORDS: u64 = 8_192;

/// What a reader has to say about a partition.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Decoded records.
    Rows(Box<Fetched>),
    /// The end of a slice of the journal: no record lies between the last one and it.
    SliceEnd,
}

impl Piece {
    fn records(&self) -> u64 {
        match self {
            Self::Rows(fetched) => fetched.records,
            Self::SliceEnd => 0,
        }
    }
}

/// Where what is committed ends, and where the log does, if that is known.
pub(crate) type PartitionEnd = (i64, Option<i64>);

/// One partition's queue.
#[derive(Debug, Default)]
pub(crate) struct PartitionInbox {
    /// Oldest first.
    pub(crate) pieces: VecDeque<Piece>,
    /// Everything committed up to here has been put into `pieces`; `None` while more is coming.
    pub(crate) end: Option<i64>,
    /// End of the log, uncommitted records included, as the last fetch told it.
    pub(crate) log_end: Option<i64>,
    /// What a partition that the topic got while running held when it was noticed.
    pub(crate) bounds: Bounds,
    /// Offsets that retention took before they were read, since the fold last looked.
    pub(crate) passed_over: u64,
    /// For who follows the journal: ends of slices that the reader may read and does not know yet.
    slices: Vec<i64>,
    /// Where reading goes on when the journal is no longer followed.
    resume: Option<i64>,
}

/// What a reader that follows the journal has to do with a partition.
#[derive(Debug)]
pub(crate) enum Follow {
    /// Read up to the ends of these slices.
    Slices(Vec<i64>),
    /// Read on from this offset, as far as there is something.
    Resume(i64),
}

/// What the threads share.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "what the threads tell one another, independent")]
pub(crate) struct Shared {
    /// By reader, then by partition.
    pub(crate) readers: Vec<Vec<PartitionInbox>>,
    /// By reader: whether its client has something.
    ready: Vec<bool>,
    /// The last epoch that was committed, if any was since the start.
    pub(crate) committed: Option<Epoch>,
    /// The first thing that went wrong.
    failure: Option<RuntimeError>,
    /// The user wants the run to end.
    pub(crate) is_stopping: bool,
    /// Something other than a piece arrived since the fold last looked.
    pub(crate) has_news: bool,
    /// The threads shall end.
    is_closing: bool,
    /// Readers read the slices that the journal names, and nothing else.
    is_following: bool,
    /// Memory is short: a partition holds one piece only.
    is_tight: bool,
    /// The fold waits: it is woken by a call into the system, which nobody makes in vain.
    is_fold_waiting: bool,
}

/// The meeting point of the threads.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    shared: Mutex<Shared>,
    fold: Condvar,
    readers: Condvar,
}

impl Inbox {
    /// Makes room for readers with these numbers of partitions.
    pub(crate) fn add_readers(&self, partitions: &[usize]) {
        let mut shared = self.lock();
        shared.readers = partitions
            .iter()
            .map(|count| (0..*count).map(|_| PartitionInbox::default()).collect())
            .collect();
        shared.ready = vec![true; partitions.len()];
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Shared> {
        // The state is consistent at every unlock, so a panic elsewhere does not spoil it.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The topic of a reader has got partitions, with these first and end offsets. Reader and fold
    /// find them by themselves: the one reads them, the other journals that they begin.
    pub(crate) fn grow(&self, reader: usize, bounds: &[Bounds]) {
        let mut shared = self.lock();
        let partition =
            |bounds: &Bounds| PartitionInbox { bounds: *bounds, ..PartitionInbox::default() };
        shared.readers[reader].extend(bounds.iter().map(partition));
        shared.has_news = true;
        self.fold.notify_one();
    }

    /// Bounds of the partitions of a reader beyond the first `known` ones.
    pub(crate) fn grown(&self, reader: usize, known: usize) -> Vec<Bounds> {
        self.lock().readers[reader].iter().skip(known).map(|partition| partition.bounds).collect()
    }

    /// From here on, readers read only what [`Inbox::allow`] names.
    pub(crate) fn follow(&self) {
        self.lock().is_following = true;
    }

    /// Whether readers read only what the journal names.
    pub(crate) fn is_following(&self) -> bool {
        self.lock().is_following
    }

    /// The journal names a slice that ends at `to`.
    pub(crate) fn allow(&self, reader: usize, partition: usize, to: i64) {
        let mut shared = self.lock();
        shared.readers[reader][partition].slices.push(to);
        self.make_ready(&mut shared, reader);
    }

    /// Readers go on from these positions, by reader and partition, as far as there is something.
    pub(crate) fn release(&self, positions: &[Vec<i64>]) {
        let mut shared = self.lock();
        shared.is_following = false;
        for (reader, positions) in shared.readers.iter_mut().zip(positions) {
            for (partition, position) in reader.iter_mut().zip(positions) {
                partition.resume = Some(*position);
            }
        }
        shared.ready.iter_mut().for_each(|ready| *ready = true);
        self.readers.notify_all();
    }

    /// What a reader that follows has to do since it was last asked, by partition.
    pub(crate) fn take_follow(&self, reader: usize) -> Vec<(usize, Follow)> {
        let mut shared = self.lock();
        let mut taken = Vec::new();
        for (partition, inbox) in shared.readers[reader].iter_mut().enumerate() {
            if !inbox.slices.is_empty() {
                taken.push((partition, Follow::Slices(std::mem::take(&mut inbox.slices))));
            }
            taken.extend(inbox.resume.take().map(|offset| (partition, Follow::Resume(offset))));
        }
        taken
    }

    /// A reader puts a piece; the caller has seen that there is room.
    pub(crate) fn put(&self, reader: usize, partition: usize, piece: Piece) {
        let mut shared = self.lock();
        let inbox = &mut shared.readers[reader][partition];
        inbox.end = None;
        inbox.pieces.push_back(piece);
        self.wake_fold(&shared);
    }

    /// A reader has come to the end of what is committed in a partition.
    pub(crate) fn put_end(&self, reader: usize, partition: usize, (end, log_end): PartitionEnd) {
        let mut shared = self.lock();
        let inbox = &mut shared.readers[reader][partition];
        inbox.end = Some(end);
        inbox.log_end = log_end.or(inbox.log_end);
        shared.has_news = true;
        self.fold.notify_one();
    }

    /// Retention took so many offsets before they were read.
    pub(crate) fn pass_over(&self, reader: usize, partition: usize, offsets: u64) {
        let mut shared = self.lock();
        shared.readers[reader][partition].passed_over += offsets;
        shared.has_news = true;
        self.fold.notify_one();
    }

    /// How far the logs of a reader's partitions reach.
    pub(crate) fn set_log_ends(&self, reader: usize, log_ends: &[Option<i64>]) {
        let mut shared = self.lock();
        for (inbox, log_end) in shared.readers[reader].iter_mut().zip(log_ends) {
            inbox.log_end = log_end.or(inbox.log_end);
        }
    }

    pub(crate) fn has_room(&self, reader: usize, partition: usize) -> bool {
        let shared = self.lock();
        let pieces = &shared.readers[reader][partition].pieces;
        let is_small = || pieces.iter().map(Piece::records).sum::<u64>() < SMALL_RECORDS;
        match pieces.len() {
            count if shared.is_tight => count == 0,
            0..PIECES_PER_PARTITION => true,
            PIECES_PER_PARTITION..SMALL_PIECES_PER_PARTITION => is_small(),
            _ => false,
        }
    }

    /// Whether any partition holds a piece.
    pub(crate) fn has_pieces(&self) -> bool {
        let shared = self.lock();
        shared.readers.iter().flatten().any(|partition| !partition.pieces.is_empty())
    }

    /// Memory is short, or no longer.
    pub(crate) fn set_tight(&self, is_tight: bool) {
        self.lock().is_tight = is_tight;
    }

    /// The reader's client has something.
    pub(crate) fn set_ready(&self, reader: usize) {
        self.make_ready(&mut self.lock(), reader);
    }

    /// Forgets that the client had something; asked before it is polled.
    pub(crate) fn clear_ready(&self, reader: usize) {
        self.lock().ready[reader] = false;
    }

    /// Waits until the client has something, room was made, or the time is up.
    pub(crate) fn wait_ready(&self, reader: usize, timeout: Duration) {
        let shared = self.lock();
        if !shared.ready[reader] && !shared.is_closing {
            drop(self.readers.wait_timeout(shared, timeout));
        }
    }

    /// The fold has taken pieces of a partition. Its reader is woken only when it can put several:
    /// threads that wake each other for every piece do little else.
    pub(crate) fn pieces_were_taken(&self, shared: &mut Shared, reader: usize, partition: usize) {
        let pieces = &shared.readers[reader][partition].pieces;
        let is_small = pieces.len() < PIECES_PER_PARTITION
            || pieces.iter().map(Piece::records).sum::<u64>() < SMALL_RECORDS / 2;
        if is_small && pieces.len() <= SMALL_PIECES_PER_PARTITION / 2 {
            self.make_ready(shared, reader);
        }
    }

    /// There is something for a reader to do.
    fn make_ready(&self, shared: &mut Shared, reader: usize) {
        // A reader that has not looked since it was last told does not wait.
        if !std::mem::replace(&mut shared.ready[reader], true) {
            self.readers.notify_all();
        }
    }

    fn wake_fold(&self, shared: &Shared) {
        if shared.is_fold_waiting {
            self.fold.notify_one();
        }
    }

    /// Waits until `take` finds something, or `timeout` is over.
    pub(crate) fn wait<T>(
        &self,
        timeout: Duration,
        mut take: impl FnMut(&mut Shared) -> Option<T>,
    ) -> Option<T> {
        let mut shared = self.lock();
        if let Some(found) = take(&mut shared) {
            return Some(found);
        }
        shared.is_fold_waiting = true;
        let waited = self.fold.wait_timeout(shared, timeout);
        shared = waited.unwrap_or_else(PoisonError::into_inner).0;
        shared.is_fold_waiting = false;
        take(&mut shared)
    }

    /// An epoch was committed.
    pub(crate) fn set_committed(&self, epoch: Epoch) {
        let mut shared = self.lock();
        shared.committed = Some(epoch);
        shared.has_news = true;
        self.fold.notify_one();
    }

    /// Something went wrong; the first one counts.
    pub(crate) fn fail(&self, error: RuntimeError) {
        let mut shared = self.lock();
        shared.failure.get_or_insert(error);
        shared.has_news = true;
        self.fold.notify_one();
    }

    /// What went wrong, once.
    pub(crate) fn take_failure(&self) -> Option<RuntimeError> {
        self.lock().failure.take()
    }

    /// The user wants the run to end.
    pub(crate) fn stop(&self) {
        let mut shared = self.lock();
        shared.is_stopping = true;
        shared.has_news = true;
        self.fold.notify_one();
    }

    /// All threads shall end.
    pub(crate) fn close(&self) {
        self.lock().is_closing = true;
        self.fold.notify_all();
        self.readers.notify_all();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.lock().is_closing
    }

    /// Waits, but not longer than until the threads shall end. Whether they shall.
    pub(crate) fn wait_closing(&self, timeout: Duration) -> bool {
        let shared = self.lock();
        if shared.is_closing {
            return true;
        }
        let waited = self.readers.wait_timeout_while(shared, timeout, |shared| !shared.is_closing);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_closing
    }
}

/// Tells the fold that a thread died, so that it does not wait for it.
pub(crate) struct PanicGuard {
    inbox: Arc<Inbox>,
    thread: &'static str,
}

impl PanicGuard {
    /// A guard for the thread of this name; dropped at its end.
    pub(crate) fn new(inbox: &Arc<Inbox>, thread: &'static str) -> Self {
        Self { inbox: Arc::clone(inbox), thread }
    }
}

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.inbox.fail(RuntimeError::Panicked { thread: self.thread });
        }
    }
}
