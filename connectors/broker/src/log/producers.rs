//! What a partition remembers of each idempotent producer: its last batches, so that a repeated
//! one is answered and not stored again, and the start of its open transaction.

use std::collections::{BTreeMap, VecDeque};

use super::batch::{BatchHeader, sequence_after};
use crate::format::{AbortedEntry, ProducerEntry};

/// Batches remembered for each producer; a client has at most five in flight.
const BATCHES_REMEMBERED: usize = 5;

/// Producers remembered in one partition. When there are more, those seen longest ago that have
/// no open transaction are forgotten; forgetting costs only the recognition of a very late repeat.
const PRODUCERS_MAX: usize = 5_000;

/// What to do with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the next one.
    Append,
    /// It is stored already, at this offset.
    Repeated { base_offset: i64 },
    /// It was stored longer ago than we remember offsets.
    RepeatedLongAgo,
    /// A batch before it is missing.
    OutOfOrder,
    /// A newer instance of the producer was seen.
    Fenced,
}

/// Whether `sequence` lies before `other` in the ring: less than half of it away. Taking a batch
/// that is missing for one that is stored would lose it.
fn is_behind(sequence: i32, other: i32) -> bool {
    let distance = other.wrapping_sub(sequence) & i32::MAX;
    distance > 0 && distance < i32::MAX / 2
}

/// All producers of one partition.
#[derive(Debug, Default)]
pub(crate) struct Producers {
    by_id: BTreeMap<i64, Producer>,
}

#[derive(Debug)]
struct Producer {
    epoch: i16,
    open_since: Option<i64>,
    last_seen_ms: i64,
    batches: VecDeque<Stored>,
}

#[derive(Debug, Clone, Copy)]
struct Stored {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
}

impl Producers {
    /// Judges a batch of an idempotent producer before it is appended.
    pub(crate) fn judge(&self, header: &BatchHeader) -> Verdict {
        let Some(producer) = self.by_id.get(&header.producer_id) else {
            // Never seen, or forgotten: Kafka takes any first number then, too.
            return Verdict::Append;
        };
        if header.producer_epoch < producer.epoch {
            return Verdict::Fenced;
        }
        if header.producer_epoch > producer.epoch {
            let is_first = header.base_sequence == 0;
            return if is_first { Verdict::Append } else { Verdict::OutOfOrder };
        }
        let Some(last) = producer.batches.back() else { return Verdict::Append };
        if header.base_sequence == sequence_after(last.last_sequence, 1) {
            return Verdict::Append;
        }
        let repeated = producer.batches.iter().find(|stored| {
            stored.first_sequence == header.base_sequence
                && stored.last_sequence == header.last_sequence()
        });
        match (repeated, producer.batches.front()) {
            (Some(stored), _) => Verdict::Repeated { base_offset: stored.base_offset },
            (None, Some(oldest)) if is_behind(header.last_sequence(), oldest.first_sequence) => {
                Verdict::RepeatedLongAgo
            }
            (None, _) => Verdict::OutOfOrder,
        }
    }

    /// Takes note of an appended batch; its header carries the offset it was given.
    pub(crate) fn appended(&mut self, header: &BatchHeader, now_ms: i64) {
        if header.producer_id < 0 {
            return;
        }
        let producer = self.by_id.entry(header.producer_id).or_insert_with(|| Producer {
            epoch: header.producer_epoch,
            open_since: None,
            last_seen_ms: now_ms,
            batches: VecDeque::new(),
        });
        if producer.epoch != header.producer_epoch {
            producer.epoch = header.producer_epoch;
            producer.batches.clear();
        }
        producer.last_seen_ms = now_ms;
        if header.base_sequence >= 0 {
            if producer.batches.len() == BATCHES_REMEMBERED {
                producer.batches.pop_front();
            }
            producer.batches.push_back(Stored {
                first_sequence: header.base_sequence,
                last_sequence: header.last_sequence(),
                base_offset: header.base_offset,
            });
        }
        if header.is_transactional() && producer.open_since.is_none() {
            producer.open_since = Some(header.base_offset);
        }
        self.forget_surplus();
    }

    /// Takes note of a marker; says which transaction it aborted, if it aborted one.
    pub(crate) fn ended(&mut self, marker: &BatchHeader, is_commit: bool) -> Option<AbortedEntry> {
        let producer = self.by_id.get_mut(&marker.producer_id)?;
        if marker.producer_epoch > producer.epoch {
            producer.epoch = marker.producer_epoch;
            producer.batches.clear();
        }
        let first_offset = producer.open_since.take()?;
        (!is_commit).then_some(AbortedEntry {
            producer_id: marker.producer_id,
            first_offset,
            marker_offset: marker.base_offset,
        })
    }

    /// First offset of the oldest open transaction.
    pub(crate) fn first_open(&self) -> Option<i64> {
        self.by_id.values().filter_map(|producer| producer.open_since).min()
    }

    /// (producer id, epoch, first offset) of each open transaction.
    pub(crate) fn open(&self) -> Vec<(i64, i16, i64)> {
        let open = |(id, producer): (&i64, &Producer)| {
            producer.open_since.map(|first| (*id, producer.epoch, first))
        };
        self.by_id.iter().filter_map(open).collect()
    }

    pub(crate) fn to_entries(&self) -> Vec<ProducerEntry> {
        let entry = |(id, producer): (&i64, &Producer)| ProducerEntry {
            id: *id,
            epoch: producer.epoch,
            open_since: producer.open_since,
            last_seen_ms: producer.last_seen_ms,
            batches: producer
                .batches
                .iter()
                .map(|b| (b.first_sequence, b.last_sequence, b.base_offset))
                .collect(),
        };
        self.by_id.iter().map(entry).collect()
    }

    pub(crate) fn from_entries(entries: Vec<ProducerEntry>) -> Self {
        let stored = |(first_sequence, last_sequence, base_offset)| Stored {
            first_sequence,
            last_sequence,
            base_offset,
        };
        let producer = |entry: ProducerEntry| {
            let batches = entry.batches.into_iter().map(stored).collect();
            let (epoch, open_since) = (entry.epoch, entry.open_since);
            (entry.id, Producer { epoch, open_since, last_seen_ms: entry.last_seen_ms, batches })
        };
        Self { by_id: entries.into_iter().map(producer).collect() }
    }

    fn forget_surplus(&mut self) {
        if self.by_id.len() <= PRODUCERS_MAX {
            return;
        }
        let mut ages: Vec<(i64, i64)> = self
            .by_id
            .iter()
            .filter(|(_, producer)| producer.open_since.is_none())
            .map(|(id, producer)| (producer.last_seen_ms, *id))
            .collect();
        ages.sort_unstable();
        // A tenth at once, so that the search does not run for every batch.
        for (_, id) in ages.into_iter().take(PRODUCERS_MAX / 10) {
            self.by_id.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests;
