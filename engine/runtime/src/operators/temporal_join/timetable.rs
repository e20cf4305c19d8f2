//! What waits for the watermark, in the order in which it fires.
//!
//! Rows come nearly in order of time, and a heap would move each of them through its levels all the
//! same. Here they lie, as they came, in spans of time; a span is ordered once, when the watermark
//! reaches it. Only what comes for a span that was reached already goes into a heap.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use stream::Watermark;

/// Length of a span in milliseconds: at 20,000 rows a second it has a thousand.
const SPAN_MS: i64 = 64;

/// What waits for the watermark. The order is that of firing; arrival numbers are unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Waiting {
    pub(super) time: i64,
    pub(super) arrival: u64,
    pub(super) key: u32,
    /// The left row; `None` is a version's timer.
    pub(super) row: Option<u32>,
}

/// All that waits.
#[derive(Debug, Clone)]
pub(super) struct Timetable {
    /// The last span that was reached.
    reached: i64,
    /// What is left of it, the next one last.
    present: Vec<Waiting>,
    /// What came for spans that were reached.
    belated: BinaryHeap<Reverse<Waiting>>,
    /// Later spans, each in order of arrival.
    later: BTreeMap<i64, Vec<Waiting>>,
}

impl Timetable {
    pub(super) fn new() -> Self {
        Self {
            reached: i64::MIN,
            present: Vec::new(),
            belated: BinaryHeap::new(),
            later: BTreeMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        let later: usize = self.later.values().map(Vec::len).sum();
        self.present.len() + self.belated.len() + later
    }

    pub(super) fn push(&mut self, waiting: Waiting) {
        let span = span(waiting.time);
        if span <= self.reached {
            self.belated.push(Reverse(waiting));
        } else {
            self.later.entry(span).or_default().push(waiting);
        }
    }

    /// Moves what the watermark has reached to the end of `due`, in order.
    pub(super) fn take_due(&mut self, watermark: Watermark, due: &mut Vec<Waiting>) {
        loop {
            while let Some(next) = self.next_reached().filter(|next| next.time <= watermark.0) {
                due.push(next);
                if self.present.last() == Some(&next) {
                    self.present.pop();
                } else {
                    self.belated.pop();
                }
            }
            let Some(first) = self.later.first_entry() else { return };
            if *first.key() > span(watermark.0) {
                return;
            }
            // Everything in the spans before lies behind the watermark, and is taken.
            (self.reached, self.present) = first.remove_entry();
            self.present.sort_unstable_by(|a, b| b.cmp(a));
        }
    }

    fn next_reached(&self) -> Option<Waiting> {
        let present = self.present.last().copied();
        let belated = self.belated.peek().map(|Reverse(waiting)| *waiting);
        match (present, belated) {
            (Some(present), Some(belated)) => Some(present.min(belated)),
            (present, belated) => present.or(belated),
        }
    }

    /// All that waits, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Waiting> {
        let belated = self.belated.iter().map(|Reverse(waiting)| waiting);
        self.present.iter().chain(belated).chain(self.later.values().flatten()).copied()
    }
}

fn span(time: i64) -> i64 {
    time.div_euclid(SPAN_MS)
}

#[cfg(test)]
mod tests;
