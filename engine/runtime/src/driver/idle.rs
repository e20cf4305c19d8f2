//! Partitions that are left out of their reader's watermark, and time that passes without records.
//!
//! The decisions are items: the fold compares no clocks.

use std::time::Duration;

use stream::{Item, Watermark};

use super::{Driver, partition_number};
use crate::error::RuntimeError;

/// How far `idle_advance` moves a watermark at least: each move is an item in the journal.
const IDLE_ADVANCE_STEP_MS: i64 = 1_000;

impl Driver {
    /// After the replay: partitions that are new, active again, or have nothing to say.
    pub(super) fn start_partitions(&mut self) -> Result<(), RuntimeError> {
        self.start_new_partitions()?;
        self.tick()?;
        let quiet_since = self.clock.monotonic();
        for reader in 0..self.readers.len() {
            for partition in 0..self.readers[reader].partitions.len() {
                let name = self.readers[reader].name.clone();
                let number = partition_number(partition);
                let is_rebuilt = self.readers[reader].is_rebuilt;
                let at = &mut self.readers[reader].partitions[partition];
                at.quiet_since = quiet_since;
                at.is_idle = self.fold.is_idle(&name, number);
                // Those of an open transaction, too; not those behind a limit.
                let is_behind = !is_rebuilt && at.log_end > at.position;
                let has_records = !at.is_caught_up() || is_behind;
                let was_idle = at.is_idle;
                if was_idle && has_records {
                    at.is_idle = false;
                    self.fold_item(Item::Active { reader: name, partition: number })?;
                } else if self.options.is_once
                    && !was_idle
                    && !has_records
                    && !self.readers[reader].is_versioned
                    && !self.fold.partition_watermark(&name, number).is_some()
                {
                    self.set_idle(reader, partition)?;
                }
            }
        }
        Ok(())
    }

    /// `--once` waits for no timeout: a partition at its end is idle if its newest record is old.
    pub(super) fn note_old_end(
        &mut self,
        reader: usize,
        partition: usize,
    ) -> Result<(), RuntimeError> {
        let view = &self.readers[reader];
        let at = &view.partitions[partition];
        let idle_ms = i64::try_from(view.idle_timeout.as_millis()).unwrap_or(i64::MAX);
        // Where only aborted records were, there is nothing to wait for either.
        let is_empty =
            !self.fold.partition_watermark(&view.name, partition_number(partition)).is_some();
        let is_old = at
            .newest_timestamp_ms
            .map_or(is_empty, |newest| newest < self.started.0.0.saturating_sub(idle_ms));
        if is_old && !view.is_versioned && !at.is_idle && at.is_caught_up() && !at.is_held() {
            self.set_idle(reader, partition)?;
        }
        Ok(())
    }

    pub(super) fn note_idle(&mut self, now: Duration) -> Result<(), RuntimeError> {
        for reader in 0..self.readers.len() {
            // What is rebuilt was idle where the others were.
            if self.readers[reader].is_versioned || self.readers[reader].is_rebuilt {
                continue;
            }
            for partition in 0..self.readers[reader].partitions.len() {
                let view = &mut self.readers[reader];
                let at = &mut view.partitions[partition];
                if at.is_held() {
                    at.quiet_since = now;
                    if std::mem::take(&mut at.is_idle) {
                        let (reader, partition) = (view.name.clone(), partition_number(partition));
                        self.fold_item(Item::Active { reader, partition })?;
                    }
                    continue;
                }
                let is_quiet = now.saturating_sub(at.quiet_since) >= view.idle_timeout;
                if is_quiet && at.is_at_end && !at.is_idle {
                    self.set_idle(reader, partition)?;
                }
            }
        }
        Ok(())
    }

    /// `idle_advance`: the watermark of a source that is wholly idle for so long moves by the time
    /// that has passed since.
    pub(super) fn advance_idle(&mut self, now: Duration) -> Result<(), RuntimeError> {
        for reader in 0..self.readers.len() {
            let view = &mut self.readers[reader];
            let Some(after) = view.idle_advance.filter(|_| !view.is_rebuilt) else { continue };
            let watermark = self.fold.watermark(&view.name).unwrap_or(Watermark::NONE);
            if !watermark.is_some() || !view.partitions.iter().all(|at| at.is_idle) {
                view.idle_since = None;
                continue;
            }
            let (base, since) = *view.idle_since.get_or_insert((watermark, now));
            let silent = now.saturating_sub(since);
            let passed = i64::try_from(silent.as_millis()).unwrap_or(i64::MAX);
            let target = Watermark(base.0.saturating_add(passed));
            if silent >= after && target.0 - watermark.0 >= IDLE_ADVANCE_STEP_MS {
                let reader = view.name.clone();
                self.fold_item(Item::Advance { reader, watermark: target })?;
            }
        }
        Ok(())
    }

    pub(super) fn set_idle(&mut self, reader: usize, partition: usize) -> Result<(), RuntimeError> {
        self.readers[reader].partitions[partition].is_idle = true;
        let item = Item::Idle {
            reader: self.readers[reader].name.clone(),
            partition: partition_number(partition),
        };
        self.fold_item(item)
    }
}
