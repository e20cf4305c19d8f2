//! Topics that get partitions while they are read.
//!
//! A new partition is read from its earliest offset. It has no watermark yet and so holds that of
//! its source where it is, until rows come or it is idle; no watermark goes back.

use stream::Item;

use super::{Driver, PartitionView};
use crate::error::RuntimeError;

impl Driver {
    /// Takes over the partitions that the watch has found.
    pub(super) fn grow(&mut self) -> Result<(), RuntimeError> {
        let now = self.clock.monotonic();
        let mut has_grown = false;
        for (reader, view) in self.readers.iter_mut().enumerate() {
            // A rebuild has no limit for it: it comes to it in its next round.
            if view.is_rebuilt {
                continue;
            }
            for bounds in self.inbox.grown(reader, view.partitions.len()) {
                has_grown = true;
                view.partitions
                    .push(PartitionView { quiet_since: now, ..PartitionView::new(bounds) });
            }
        }
        if has_grown { self.start_new_partitions() } else { Ok(()) }
    }

    /// Journals that a topic has more partitions than the journal knows.
    pub(super) fn note_growth(&mut self, reader: usize) -> Result<(), RuntimeError> {
        let view = &self.readers[reader];
        let known = view.partitions.iter().filter(|at| at.is_known).count();
        if known == 0 || known == view.partitions.len() {
            return Ok(());
        }
        let count = super::partition_number(view.partitions.len());
        self.fold_item(Item::Partitions { reader: view.name.clone(), count })
    }
}
