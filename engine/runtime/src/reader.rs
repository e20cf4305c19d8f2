//! A reader's thread: takes what its source has, decodes it, and puts it into the inbox.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use arrow_kafka::ReadyCallback;
use connectors::{KafkaSource, Poll};
use planner::dataflow::OnGap;
use stream::Clock;

use crate::error::RuntimeError;
use crate::inbox::{Follow, Inbox, Piece};
use crate::run::{Delivery, RunOptions};

/// How many records one piece holds at most: a micro-batch that fits the caches.
const PIECE_RECORDS: usize = 8_192;

/// A reader that has caught up lets records gather: what arrives one by one would cost each its own
/// way through all threads. Where they wait for their commit anyway, they gather for this part of
/// its interval, within bounds; else for the least time.
const GATHERINGS_PER_INTERVAL: u32 = 50;
const GATHER_MIN: Duration = Duration::from_millis(5);
const GATHER_MAX: Duration = Duration::from_millis(20);

/// Nothing has to gather where one look finds so many records.
const GATHERED_RECORDS: u64 = 1_024;

/// How long a reader waits for its client before it looks by itself.
const READY_WAIT: Duration = Duration::from_millis(100);

/// How long a reader waits after an error that may pass.
const RETRY_WAIT: Duration = Duration::from_millis(500);

/// How often it is looked how far the logs reach: a fetch that finds nothing is answered as often.
const LOG_END_INTERVAL: Duration = Duration::from_millis(100);

/// A log's end that was told before the records which the journal names were there is passed over.
/// If they do not come for so long, the broker is asked where the log ends.
const END_DOUBT: Duration = Duration::from_secs(1);

/// How long the records of a run gather.
pub(crate) fn gathering(options: &RunOptions) -> Duration {
    match options.delivery {
        Delivery::ExactlyOnce => {
            (options.commit_interval / GATHERINGS_PER_INTERVAL).clamp(GATHER_MIN, GATHER_MAX)
        }
        Delivery::AtLeastOnce => GATHER_MIN,
    }
}

/// How far a partition may be read.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    /// Ends of the slices that the journal replays: pieces are cut there.
    pub(crate) replayed: VecDeque<i64>,
    /// The offset at which the run ends (`--once`).
    pub(crate) last: Option<i64>,
}

/// What a reader knows of its topic.
#[derive(Debug, Clone)]
pub(crate) struct TopicView {
    /// Kafka topic.
    pub(crate) topic: String,
    /// Its id when the run began, if the broker gives one.
    pub(crate) id: Option<String>,
    /// What is done where the next offset is gone.
    pub(crate) on_gap: OnGap,
}

/// A reader: source, and how far each of its partitions may be read.
pub(crate) struct Reader {
    index: usize,
    topic: TopicView,
    source: KafkaSource,
    partitions: Vec<Progress>,
    inbox: Arc<Inbox>,
    clock: Arc<dyn Clock>,
    log_ends_at: Option<Duration>,
    /// How long records gather when all are read.
    gathering: Duration,
    /// The topic was not there for a moment, so that what comes may be another one's.
    doubts_topic: bool,
    /// Only the slices that the journal names are read.
    is_following: bool,
}

#[derive(Default)]
struct Progress {
    position: i64,
    limits: Limits,
    is_done: bool,
    /// Since when the log has seemed to end before the slices that the journal names.
    short_since: Option<Duration>,
}

impl Reader {
    /// A reader that starts at `positions`.
    pub(crate) fn start(
        index: usize,
        (topic, mut source): (TopicView, KafkaSource),
        partitions: Vec<(i64, Limits)>,
        inbox: &Arc<Inbox>,
        (gathering, clock): (Duration, &Arc<dyn Clock>),
    ) -> Result<Self, RuntimeError> {
        let positions: Vec<i64> = partitions.iter().map(|(position, _)| *position).collect();
        let ready: ReadyCallback = {
            let inbox = Arc::clone(inbox);
            Arc::new(move || inbox.set_ready(index))
        };
        source.start(&positions, &ready)?;
        let partitions = partitions
            .into_iter()
            .map(|(position, limits)| Progress { position, limits, ..Progress::default() })
            .collect();
        let is_following = inbox.is_following();
        let (inbox, clock) = (Arc::clone(inbox), Arc::clone(clock));
        Ok(Self {
            index,
            topic,
            source,
            partitions,
            inbox,
            clock,
            log_ends_at: None,
            gathering,
            doubts_topic: false,
            is_following,
        })
    }

    /// Reads until the inbox closes.
    pub(crate) fn run(mut self) {
        for partition in 0..self.partitions.len() {
            self.settle(partition);
        }
        while !self.inbox.is_closing() {
            self.inbox.clear_ready(self.index);
            match self.poll_all() {
                Ok(Some(records)) if records < GATHERED_RECORDS && !self.is_replaying() => {
                    std::thread::park_timeout(self.gathering);
                }
                Ok(Some(_)) => {}
                Ok(None) => self.inbox.wait_ready(self.index, READY_WAIT),
                Err(RuntimeError::Connector(error)) if error.is_retriable() => {
                    tracing::warn!(%error, "reading failed, trying again");
                    self.inbox.wait_closing(RETRY_WAIT);
                }
                Err(error) => {
                    self.inbox.fail(error);
                    return;
                }
            }
            self.look_at_log_ends();
            self.source.log_events();
        }
    }

    /// Whether pieces are cut where the journal says.
    fn is_replaying(&self) -> bool {
        self.is_following || self.partitions.iter().any(|at| !at.limits.replayed.is_empty())
    }

    /// Polls each partition once. How many records came; none if no partition had anything to say.
    fn poll_all(&mut self) -> Result<Option<u64>, RuntimeError> {
        if self.doubts_topic && !self.is_topic_there()? {
            return Ok(None);
        }
        self.grow()?;
        if self.is_following {
            self.follow()?;
        }
        let (mut has_progress, mut records) = (false, 0);
        for partition in 0..self.partitions.len() {
            let at = &self.partitions[partition];
            let waits = at.is_done || (self.is_following && at.limits.replayed.is_empty());
            if waits || !self.inbox.has_room(self.index, partition) {
                continue;
            }
            let limit = self.partitions[partition].limit().unwrap_or(i64::MAX);
            let polled = match self.source.poll(partition, limit, PIECE_RECORDS) {
                Err(error) if error.is_offset_gone() => {
                    self.pass_gap(partition)?;
                    continue;
                }
                Err(error) if error.is_unknown_topic() => {
                    self.doubts_topic = true;
                    return Err(error.into());
                }
                polled => polled?,
            };
            match polled {
                Poll::Nothing => {
                    self.doubt_end(partition)?;
                    continue;
                }
                Poll::End(end) if self.is_following && end < limit => {
                    let now = self.clock.monotonic();
                    self.partitions[partition].short_since.get_or_insert(now);
                }
                Poll::Slice(fetched) => {
                    records += fetched.records;
                    self.partitions[partition].position = fetched.to;
                    self.partitions[partition].short_since = None;
                    self.inbox.put(self.index, partition, Piece::Rows(fetched));
                }
                Poll::Limit => self.partitions[partition].position = limit,
                Poll::End(end) => {
                    let at = &mut self.partitions[partition];
                    // A log that ends within a slice of the journal has lost records: the fold
                    // counts what came and says so.
                    let replayed = at.limits.replayed.front().copied().unwrap_or(end);
                    at.position = at.position.max(end).max(replayed);
                    let ends = (at.position, self.source.log_end(partition));
                    self.inbox.put_end(self.index, partition, ends);
                }
            }
            has_progress = true;
            self.settle(partition);
        }
        Ok(has_progress.then_some(records))
    }

    /// Tells how far the logs reach, which librdkafka knows from its fetches.
    fn look_at_log_ends(&mut self) {
        let now = self.clock.monotonic();
        if self.log_ends_at.is_some_and(|last| now.saturating_sub(last) < LOG_END_INTERVAL) {
            return;
        }
        self.log_ends_at = Some(now);
        let log_ends: Vec<_> =
            (0..self.partitions.len()).map(|partition| self.source.log_end(partition)).collect();
        self.inbox.set_log_ends(self.index, &log_ends);
    }

    /// Begins to read the partitions that the topic has got meanwhile.
    fn grow(&mut self) -> Result<(), RuntimeError> {
        let grown = self.inbox.grown(self.index, self.partitions.len());
        if grown.is_empty() {
            return Ok(());
        }
        let starts: Vec<i64> = grown.iter().map(|bounds| bounds.first).collect();
        self.source.grow(&starts)?;
        self.partitions.extend(
            starts.into_iter().map(|position| Progress { position, ..Progress::default() }),
        );
        Ok(())
    }

    /// Takes over what the journal names, and that it is no longer followed.
    fn follow(&mut self) -> Result<(), RuntimeError> {
        // In this order: what comes with the release is taken.
        self.is_following = self.inbox.is_following();
        for (partition, follow) in self.inbox.take_follow(self.index) {
            match follow {
                Follow::Slices(ends) => self.partitions[partition].limits.replayed.extend(ends),
                Follow::Resume(offset) if offset > self.partitions[partition].position => {
                    // What the journal carried was not read here.
                    self.source.restart(partition, offset)?;
                    self.partitions[partition].position = offset;
                }
                Follow::Resume(_) => {}
            }
            self.settle(partition);
        }
        Ok(())
    }

    /// Whether the log still reaches as far as the journal says, if it has not seemed to for a while.
    fn doubt_end(&mut self, partition: usize) -> Result<(), RuntimeError> {
        let at = &mut self.partitions[partition];
        let (Some(since), Some(limit)) = (at.short_since, at.limits.replayed.front().copied())
        else {
            return Ok(());
        };
        let now = self.clock.monotonic();
        if now.saturating_sub(since) < END_DOUBT {
            return Ok(());
        }
        at.short_since = Some(now);
        let (_, end) = self.source.partition_bounds(partition)?;
        if end < limit {
            let (topic, partition) = (self.topic.topic.clone(), partition_number(partition));
            return Err(RuntimeError::LogShrunk { topic, partition, position: limit, end });
        }
        Ok(())
    }

    /// Whether the topic, which was not there, is again; an error if it is another one.
    fn is_topic_there(&mut self) -> Result<bool, RuntimeError> {
        self.doubts_topic = self.check_topic()?.is_none() && self.topic.id.is_some();
        Ok(!self.doubts_topic)
    }

    /// The topic's id, if it is there and the broker gives one.
    ///
    /// # Errors
    /// [`RuntimeError::TopicRecreated`] if it is not that of the beginning.
    fn check_topic(&self) -> Result<Option<String>, RuntimeError> {
        let now = self.source.topic_id()?;
        match (&self.topic.id, &now) {
            (Some(known), Some(now)) if known != now => Err(RuntimeError::TopicRecreated {
                topic: self.topic.topic.clone(),
                known: known.clone(),
                now: now.clone(),
            }),
            _ => Ok(now),
        }
    }

    /// The next offset of a partition is not in its log: stops, or goes on at the first one that
    /// is, as the source wants it.
    fn pass_gap(&mut self, partition: usize) -> Result<(), RuntimeError> {
        self.check_topic()?;
        let TopicView { topic, on_gap, .. } = self.topic.clone();
        let at = &mut self.partitions[partition];
        let position = at.position;
        let (first, end) = self.source.partition_bounds(partition)?;
        let number = partition_number(partition);
        if position > end {
            return Err(RuntimeError::LogShrunk { topic, partition: number, position, end });
        }
        if position < first {
            if on_gap == OnGap::Stop || !at.limits.replayed.is_empty() {
                return Err(RuntimeError::Gap { topic, partition: number, position, first });
            }
            let lost = first.abs_diff(position);
            tracing::warn!(topic, partition, lost, "a gap is passed over");
            at.position = first;
            self.inbox.pass_over(self.index, partition, lost);
        }
        let restart = at.position;
        Ok(self.source.restart(partition, restart)?)
    }

    /// Passes the limits that the position has reached.
    fn settle(&mut self, partition: usize) {
        let at = &mut self.partitions[partition];
        while at.limits.replayed.front().is_some_and(|limit| at.position >= *limit) {
            at.limits.replayed.pop_front();
            self.inbox.put(self.index, partition, Piece::SliceEnd);
        }
        if at.limits.replayed.is_empty() && at.limits.last.is_some_and(|last| at.position >= last) {
            at.is_done = true;
            self.inbox.put_end(self.index, partition, (at.position, None));
        }
    }
}

impl Progress {
    fn limit(&self) -> Option<i64> {
        self.limits.replayed.front().copied().or(self.limits.last)
    }
}

fn partition_number(index: usize) -> i32 {
    i32::try_from(index).unwrap_or(i32::MAX)
}
