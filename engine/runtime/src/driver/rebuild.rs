//! A round of a rebuild: what is rebuilt is read up to where the round ends, and where it is live the
//! others go on meanwhile.

use std::collections::BTreeSet;

use planner::dataflow::shadow_of;
use stream::{Item, ReaderName, Watermark, failpoint};

use super::{Driver, PartitionView, ReaderView, partition_number};
use crate::error::RuntimeError;
use crate::upgrade::Round;

/// Partitions of shadows, by indices of reader and partition.
type Partitions = BTreeSet<(usize, usize)>;

impl Driver {
    /// Folds what comes until what is rebuilt has been read as far as the round goes. Whether it was
    /// stopped before. Of shadows, `idle` are idle there.
    pub(super) fn rebuild(
        &mut self,
        round: &Round,
        idle: &Partitions,
    ) -> Result<bool, RuntimeError> {
        failpoint::reach("rebuild.round.before")?;
        let (records, others_go_on) = (self.records_to_rebuild(), round.is_live());
        tracing::info!(records, others_go_on, "a round of the rebuild begins");
        loop {
            if self.look_around()? {
                return Ok(true);
            }
            self.meet_idle(idle)?;
            if self.records_to_rebuild() == 0 {
                failpoint::reach("rebuild.round.after")?;
                self.meet_watermarks(round)?;
                return Ok(false);
            }
            let now = self.clock.monotonic();
            if round.is_live() {
                self.grow()?;
                self.note_idle(now)?;
                self.advance_idle(now)?;
            }
            self.fold_next(now)?;
        }
    }

    /// How many offsets rebuilt models have to read in this round.
    pub(super) fn records_to_rebuild(&self) -> u64 {
        let rebuilt = self.readers.iter().filter(|view| view.is_rebuilt);
        let left = rebuilt.flat_map(|view| &view.partitions).map(PartitionView::left);
        left.sum()
    }

    /// Partitions that are idle where the round ends for their shadows. One that had not been begun
    /// there holds nobody's watermark.
    pub(super) fn idle_at_limits(&self, round: &Round) -> Partitions {
        let mut idle = Partitions::new();
        for (reader, view) in self.readers.iter().enumerate() {
            let Some(main) = shadow_of(&view.name).filter(|_| !view.is_versioned) else { continue };
            for partition in 0..view.partitions.len() {
                if self.is_idle_at_limit(round, &main, partition) {
                    idle.insert((reader, partition));
                }
            }
        }
        idle
    }

    fn is_idle_at_limit(&self, round: &Round, main: &ReaderName, partition: usize) -> bool {
        let number = partition_number(partition);
        if let Round::Silent(mark) = round
            && let Some(stand) = mark.readers.get(main)
        {
            return stand.partitions.get(&number).is_none_or(|place| place.is_idle);
        }
        let main = self.readers.iter().find(|view| view.name == *main);
        main.is_none_or(|main: &ReaderView| {
            let is_known = main.partitions.get(partition).is_some_and(|at| at.is_known);
            !is_known || self.fold.is_idle(&main.name, number)
        })
    }

    /// A partition that is idle where the round ends is so for a shadow that has come there.
    fn meet_idle(&mut self, idle: &Partitions) -> Result<(), RuntimeError> {
        for (reader, partition) in idle {
            let view = &self.readers[*reader];
            if view.partitions[*partition].is_caught_up()
                && !self.fold.is_idle(&view.name, partition_number(*partition))
            {
                self.set_idle(*reader, *partition)?;
            }
        }
        Ok(())
    }

    /// Time that passed without records (`idle_advance`, partitions that were idle once) has passed
    /// for the shadows, too: until the mark, lest a silent model writes what its former version has
    /// written, and until the others take them over.
    fn meet_watermarks(&mut self, round: &Round) -> Result<(), RuntimeError> {
        for reader in 0..self.readers.len() {
            let name = self.readers[reader].name.clone();
            let Some(main) = shadow_of(&name) else { continue };
            let target = match round {
                Round::Silent(mark) => mark.readers.get(&main).map(|stand| stand.watermark),
                Round::CatchUp { .. } => None,
                Round::Last => self.fold.watermark(&main),
            };
            let target = target.unwrap_or(Watermark::NONE);
            if Some(target) > self.fold.watermark(&name) {
                self.fold_item(Item::Advance { reader: name, watermark: target })?;
            }
        }
        Ok(())
    }
}
