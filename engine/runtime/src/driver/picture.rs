//! What the driver shows of itself on the status board.

use std::collections::BTreeMap;
use std::time::Duration;

use planner::dataflow::{Dataflow, Operator};
use stream::{EventTime, ProcessingTime, Watermark};

use super::{BOARD_INTERVAL, Driver, ReaderView, partition_number};
use crate::fold::Counters;
use crate::status::{Lag, ModelStatus, ReaderStatus, RebuildStatus, WaitReason, Waiting};

/// A transaction that is open for less than this is not worth a word.
const HELD_WORTH_SAYING: Duration = Duration::from_secs(1);

/// Which sources each model depends on.
#[derive(Debug)]
pub(super) struct Lineage {
    /// By model: the readers behind it, and whether they count for its watermark.
    models: BTreeMap<String, BTreeMap<usize, bool>>,
    /// By node: the readers that count for its watermark.
    nodes: Vec<Vec<usize>>,
}

impl Lineage {
    /// The lineage of a dataflow whose readers are those of `views`, in order.
    pub(super) fn of(dataflow: &Dataflow) -> Self {
        let mut behind: Vec<BTreeMap<usize, bool>> = Vec::with_capacity(dataflow.nodes.len());
        let mut readers = 0;
        for node in &dataflow.nodes {
            let mut own = BTreeMap::new();
            if matches!(node.operator, Operator::Source(_)) {
                own.insert(readers, true);
                readers += 1;
            }
            for (port, input) in node.inputs.iter().enumerate() {
                // The versions of a temporal join hold no watermark.
                let counts = port == 0 || !matches!(node.operator, Operator::TemporalJoin(_));
                for (reader, counted) in &behind[*input] {
                    *own.entry(*reader).or_default() |= *counted && counts;
                }
            }
            behind.push(own);
        }
        let models =
            dataflow.sinks().map(|(node, sink)| (sink.model.clone(), behind[node].clone()));
        let counted = |readers: &BTreeMap<usize, bool>| {
            readers.iter().filter(|(_, counts)| **counts).map(|(reader, _)| *reader).collect()
        };
        Self { models: models.collect(), nodes: behind.iter().map(counted).collect() }
    }
}

impl Driver {
    /// Writes the status board, unless it was written a moment ago.
    pub(super) fn show(&mut self, is_last: bool) {
        let now = self.clock.monotonic();
        if !is_last && now.saturating_sub(self.last_board) < BOARD_INTERVAL {
            return;
        }
        self.last_board = now;
        let counters = self.counted();
        let has_output = counters.models.values().any(|model| model.rows_out > 0);
        let is_visible = has_output && self.committed > self.first_epoch.next();
        let wall = self.clock.now();
        let readers: Vec<_> =
            self.readers.iter().map(|view| self.reader_status(view, now, wall)).collect();
        let models = self.model_statuses(&readers);
        let names = self.readers.iter().map(|view| view.name.to_string());
        let readers = names.zip(readers).collect();
        let rebuild = self.round.as_ref().map(|round| RebuildStatus {
            records_left: self.records_to_rebuild(),
            others_go_on: round.is_live(),
        });
        self.board.update(|status| {
            status.rebuild = rebuild;
            status.epoch = self.committed;
            status.counters = counters;
            status.readers = readers;
            status.models = models;
            status.now = Some(wall);
            status.replayed_records = self.replayed_records;
            if is_visible && status.first_output_after.is_none() {
                status.first_output_after = Some(now.saturating_sub(self.started.1));
            }
        });
    }

    /// What was counted since this run began.
    pub(super) fn counted(&self) -> Counters {
        let mut counters = self.fold.counters().since(&self.base);
        for view in self.readers.iter().filter(|view| view.passed_over > 0) {
            counters.source(&view.name.to_string()).passed_over = view.passed_over;
        }
        counters
    }

    fn reader_status(
        &self,
        view: &ReaderView,
        now: Duration,
        wall: ProcessingTime,
    ) -> ReaderStatus {
        let mut lag = Lag::default();
        let mut held = Vec::new();
        let mut last_record = Duration::ZERO;
        for (partition, at) in view.partitions.iter().enumerate() {
            let records = u64::try_from(at.log_end - at.position).unwrap_or(0);
            let age = at.newest_timestamp_ms.map(|newest| {
                Duration::from_millis(u64::try_from(wall.0.saturating_sub(newest)).unwrap_or(0))
            });
            lag = lag.and(Lag { records, behind: age.filter(|_| records > 0) });
            if let Some(since) = at.held_since {
                held.push((partition_number(partition), now.saturating_sub(since)));
            }
            last_record = last_record.max(at.quiet_since);
        }
        held.retain(|(_, open_for)| *open_for >= HELD_WORTH_SAYING);
        let is_silent = !view.is_versioned && view.partitions.iter().all(|at| at.is_idle);
        ReaderStatus {
            lag,
            watermark: self.fold.watermark(&view.name).filter(|mark| mark.is_some()),
            newest_event: self.fold.newest_event(&view.name),
            silent_for: is_silent.then(|| now.saturating_sub(last_record)),
            held,
        }
    }

    fn model_statuses(&self, readers: &[ReaderStatus]) -> BTreeMap<String, ModelStatus> {
        let mut waiting = self.waiting(readers);
        let mut open: BTreeMap<&str, EventTime> = BTreeMap::new();
        for (node, window) in self.fold.open_windows() {
            let end = open.entry(self.fold.dataflow().nodes[node].id.model()).or_insert(window.end);
            *end = window.end.min(*end);
        }
        let status = |(model, behind): (&String, &BTreeMap<usize, bool>)| {
            let lag = behind.keys().fold(Lag::default(), |lag, one| lag.and(readers[*one].lag));
            let counted = behind.iter().filter(|(_, counts)| **counts);
            // None, "no watermark yet", is less than every watermark, as it should be.
            let watermark = counted.map(|(one, _)| readers[*one].watermark).min().flatten();
            let waiting = waiting.remove(model);
            let open_until = open.get(model.as_str()).copied();
            (model.clone(), ModelStatus { lag, watermark, open_until, waiting })
        };
        self.lineage.models.iter().map(status).collect()
    }

    /// By model: its window that closes next, where a source does nothing to close it.
    fn waiting(&self, readers: &[ReaderStatus]) -> BTreeMap<String, Waiting> {
        let dataflow = self.fold.dataflow();
        let mut all: BTreeMap<String, Waiting> = BTreeMap::new();
        for (node, window) in self.fold.open_windows() {
            let stuck = self.lineage.nodes[node].iter().find_map(|reader| {
                Some((*reader, wait_reason(&readers[*reader], window.closes_at)?))
            });
            let Some((reader, reason)) = stuck else { continue };
            let model = dataflow.nodes[node].id.model();
            if all.get(model).is_some_and(|other| other.window_end <= window.end) {
                continue;
            }
            let view = &self.readers[reader];
            // The first watermark that closes it is that of an event later by the out-of-orderness
            // and, as windows end before a full millisecond, a millisecond.
            let needed = window.closes_at.0.saturating_add(view.out_of_orderness_ms + 1);
            let waiting = Waiting {
                window_end: window.end,
                source: view.source.clone(),
                newest_event: readers[reader].newest_event,
                needed_event: EventTime(needed),
                reason,
            };
            all.insert(model.to_owned(), waiting);
        }
        all
    }
}

/// What keeps a reader below a watermark, if it does nothing to reach it.
fn wait_reason(reader: &ReaderStatus, wanted: Watermark) -> Option<WaitReason> {
    if reader.watermark.is_some_and(|mark| mark >= wanted) {
        return None;
    }
    let held = reader.held.iter().max_by_key(|(_, open_for)| *open_for);
    let transaction = held.map(|(partition, open_for)| WaitReason::OpenTransaction {
        partition: *partition,
        open_for: *open_for,
    });
    transaction.or_else(|| reader.silent_for.map(WaitReason::Silent))
}
