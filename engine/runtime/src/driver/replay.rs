//! The journal's entries through the same fold, outputs dropped.
//!
//! **Invariant:** the replay folds exactly the records that the journal names: a slice that holds
//! another number of records stops it.

use connectors::SliceDecoder;
use stream::{Item, SliceRows};

use super::{Driver, TOGETHER_RECORDS, WAIT_MAX};
use crate::error::RuntimeError;
use crate::inbox::Piece;
use crate::journal::JournalItem;
use crate::recover::Replay;

/// Items of the journal that are folded together.
#[derive(Default)]
struct Together {
    items: Vec<(Item, Option<SliceRows>)>,
    records: u64,
}

impl Driver {
    pub(super) fn replay(&mut self, mut replay: Replay) -> Result<(), RuntimeError> {
        let mut decoders = self.decoders()?;
        loop {
            let entry = match replay.next_entry() {
                Ok(Some(entry)) => entry,
                Ok(None) => return Ok(()),
                Err(RuntimeError::Connector(error)) if error.is_retriable() => {
                    tracing::warn!(%error, "the journal cannot be read, trying again");
                    self.check_failure()?;
                    self.inbox.wait_closing(WAIT_MAX);
                    continue;
                }
                Err(error) => return Err(error),
            };
            self.replay_items(&entry.items, &mut decoders)?;
            self.show(false);
            let now = self.clock.monotonic();
            self.look_at_ends()?;
            self.cut_if_due(now)?;
        }
    }

    /// For each reader what decodes the records that the journal carries, if it carries its.
    pub(super) fn decoders(&self) -> Result<Vec<Option<SliceDecoder>>, RuntimeError> {
        let mut decoders = Vec::new();
        for view in &self.readers {
            let mut decoder = view.carried.as_ref().map(SliceDecoder::new).transpose()?;
            if let Some(decoder) = &mut decoder {
                let (generation, origins) = view.copies(self.identity.generation);
                decoder.skip_copies(generation, origins);
            }
            decoders.push(decoder);
        }
        Ok(decoders)
    }

    /// Folds the items of an entry again.
    pub(super) fn replay_items(
        &mut self,
        items: &[JournalItem],
        decoders: &mut [Option<SliceDecoder>],
    ) -> Result<(), RuntimeError> {
        let mut together = Together::default();
        for it in items {
            self.replay_item(it, decoders, &mut together)?;
            if together.records >= TOGETHER_RECORDS {
                self.fold_again(&mut together)?;
            }
        }
        self.fold_again(&mut together)
    }

    /// Outputs were committed with the entry.
    fn fold_again(&mut self, together: &mut Together) -> Result<(), RuntimeError> {
        let Together { items, .. } = std::mem::take(together);
        self.fold.run(items)?;
        self.watch_memory()
    }

    fn replay_item(
        &mut self,
        it: &JournalItem,
        decoders: &mut [Option<SliceDecoder>],
        together: &mut Together,
    ) -> Result<(), RuntimeError> {
        let Item::Slice { reader, partition, to, records, .. } = &it.item else {
            together.items.push((it.item.clone(), None));
            return Ok(());
        };
        let unknown = || crate::fold::FoldError::UnknownReader { reader: reader.clone() };
        let index =
            self.readers.iter().position(|view| view.name == *reader).ok_or_else(unknown)?;
        let number = usize::try_from(*partition).unwrap_or(usize::MAX);
        if number >= self.readers[index].partitions.len() {
            return Err(unknown().into());
        }
        self.replayed_records += records;
        together.records += records;
        if let Some(carried) = &it.carried {
            let rows = match decoders.get_mut(index).and_then(Option::as_mut) {
                Some(decoder) => decoder.decode(|| carried.iter())?,
                None => return Err(unknown().into()),
            };
            together.items.push((it.item.clone(), Some(rows)));
        } else {
            self.gather_slice(&it.item, (index, number), together)?;
        }
        let at = &mut self.readers[index].partitions[number];
        at.position = *to;
        Ok(())
    }

    /// Takes the pieces of a slice as they come from the topic.
    fn gather_slice(
        &mut self,
        item: &Item,
        (reader, partition): (usize, usize),
        together: &mut Together,
    ) -> Result<(), RuntimeError> {
        let Item::Slice { from, to, records, .. } = item else { return Ok(()) };
        let mut found = 0;
        loop {
            let inbox = std::sync::Arc::clone(&self.inbox);
            let pieces = self.inbox.wait(WAIT_MAX, |shared| {
                let queue = &mut shared.readers[reader][partition].pieces;
                let end = queue.iter().position(|piece| matches!(piece, Piece::SliceEnd));
                let pieces: Vec<Piece> =
                    queue.drain(..end.map_or(queue.len(), |at| at + 1)).collect();
                inbox.pieces_were_taken(shared, reader, partition);
                (!pieces.is_empty()).then_some(pieces)
            });
            let Some(pieces) = pieces else {
                self.check_failure()?;
                let now = self.clock.monotonic();
                self.look_at_ends()?;
                self.cut_if_due(now)?;
                continue;
            };
            let mut is_over = false;
            for piece in pieces {
                match piece {
                    Piece::Rows(fetched) => {
                        found += fetched.records;
                        together.items.push((item.clone(), Some(fetched.rows)));
                    }
                    Piece::SliceEnd => is_over = true,
                }
            }
            if !is_over {
                continue;
            }
            if found == *records {
                return Ok(());
            }
            return Err(RuntimeError::InputGone {
                topic: self.readers[reader].topic.clone(),
                partition: super::partition_number(partition),
                from: *from,
                to: *to,
                expected: *records,
                found,
            });
        }
    }
}
