//! A rebuild: the shadows' readers read up to where the others stand, which stand still meanwhile.

use planner::dataflow::shadow_of;
use stream::{Item, Watermark};

use super::{Driver, partition_number};
use crate::error::RuntimeError;

impl Driver {
    /// Folds what the shadows read until they have caught up. Whether it was stopped before.
    pub(super) fn rebuild(&mut self) -> Result<bool, RuntimeError> {
        loop {
            if self.look_around()? {
                return Ok(true);
            }
            self.meet_idle()?;
            if self.is_all_caught_up() {
                self.meet_watermarks()?;
                return Ok(false);
            }
            self.fold_next(self.clock.monotonic())?;
        }
    }

    /// A partition that is idle where the others stand is idle for a shadow that has come so far.
    fn meet_idle(&mut self) -> Result<(), RuntimeError> {
        for reader in 0..self.readers.len() {
            let Some(main) = shadow_of(&self.readers[reader].name) else { continue };
            for partition in 0..self.readers[reader].partitions.len() {
                let number = partition_number(partition);
                let view = &self.readers[reader];
                if view.partitions[partition].is_caught_up()
                    && self.fold.is_idle(&main, number)
                    && !self.fold.is_idle(&view.name, number)
                {
                    self.set_idle(reader, partition)?;
                }
            }
        }
        Ok(())
    }

    /// Time that passed without records (`idle_advance`, partitions that were idle once) has passed
    /// for the shadows, too.
    fn meet_watermarks(&mut self) -> Result<(), RuntimeError> {
        for reader in 0..self.readers.len() {
            let name = self.readers[reader].name.clone();
            let Some(main) = shadow_of(&name) else { continue };
            let target = self.fold.watermark(&main).unwrap_or(Watermark::NONE);
            if Some(target) > self.fold.watermark(&name) {
                self.fold_item(Item::Advance { reader: name, watermark: target })?;
            }
        }
        Ok(())
    }
}
