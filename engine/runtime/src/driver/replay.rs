//! The journal's entries through the same fold, outputs dropped.
//!
//! **Invariant:** the replay folds exactly the records that the journal names: a slice that holds
//! another number of records stops it.

use connectors::SliceDecoder;
use stream::Item;

use super::{Driver, WAIT_MAX};
use crate::error::RuntimeError;
use crate::inbox::Piece;
use crate::journal::JournalItem;
use crate::recover::Replay;

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
            for it in entry.items {
                self.replay_item(&it, &mut decoders)?;
            }
            self.show(false);
            self.watch_memory()?;
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

    pub(super) fn replay_item(
        &mut self,
        it: &JournalItem,
        decoders: &mut [Option<SliceDecoder>],
    ) -> Result<(), RuntimeError> {
        let Item::Slice { reader, partition, to, records, .. } = &it.item else {
            // Outputs were committed with the entry.
            self.fold.step(&it.item, None)?;
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
        if let Some(carried) = &it.carried {
            let rows = match decoders.get_mut(index).and_then(Option::as_mut) {
                Some(decoder) => decoder.decode(|| carried.iter())?,
                None => return Err(unknown().into()),
            };
            self.fold.step(&it.item, Some(rows))?;
        } else {
            self.replay_slice(&it.item, index, number)?;
        }
        let at = &mut self.readers[index].partitions[number];
        at.position = *to;
        Ok(())
    }

    /// Folds the pieces of a slice as they come from the topic.
    fn replay_slice(
        &mut self,
        item: &Item,
        reader: usize,
        partition: usize,
    ) -> Result<(), RuntimeError> {
        let Item::Slice { from, to, records, .. } = item else { return Ok(()) };
        let mut found = 0;
        loop {
            let inbox = std::sync::Arc::clone(&self.inbox);
            let piece = self.inbox.wait(WAIT_MAX, |shared| {
                let piece = shared.readers[reader][partition].pieces.pop_front()?;
                inbox.room_was_made(shared, reader);
                Some(piece)
            });
            match piece {
                None => {
                    self.check_failure()?;
                    let now = self.clock.monotonic();
                    self.look_at_ends()?;
                    self.cut_if_due(now)?;
                }
                Some(Piece::Rows(fetched)) => {
                    found += fetched.records;
                    self.fold.step(item, Some(fetched.rows))?;
                    self.watch_memory()?;
                }
                Some(Piece::SliceEnd) if found == *records => return Ok(()),
                Some(Piece::SliceEnd) => {
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
    }
}
