//! One value a slot, in chunks behind `Arc`.
//!
//! A clone copies pointers, and the one chunk that is being filled; the next write to a chunk that
//! a clone still holds copies that chunk. So a snapshot does not stop the fold. Slots are numbered
//! from 0 and never leave: what they belong to (a window, a key table) is dropped whole.

use std::sync::Arc;

use arrow::buffer::NullBuffer;

/// Slots in a chunk: what one write after a snapshot may have to copy.
pub(crate) const CHUNK_SLOTS: usize = 16 * 1024;

/// A slot's number.
///
/// # Panics
/// Above 2^32 slots: memory ends long before.
pub(crate) fn slot(index: usize) -> u32 {
    u32::try_from(index).expect("fewer than 2^32 slots")
}

/// Which rows of a batch go to which slots, in arrival order.
///
/// **Invariant:** both lists are equally long.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    /// Indices into the batch.
    pub(crate) rows: Vec<u32>,
    /// The slot of each of them.
    pub(crate) slots: Vec<u32>,
}

impl Selection {
    /// The (row, slot) pairs.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, u32)> + '_ {
        self.rows.iter().zip(&self.slots).map(|(row, slot)| (*row as usize, *slot))
    }

    /// Gives `visit` the pairs whose row is valid: the selection itself where all are.
    pub(crate) fn where_valid<T>(
        &self,
        nulls: Option<&NullBuffer>,
        visit: impl FnOnce(&Self) -> T,
    ) -> T {
        match nulls {
            Some(nulls) if nulls.null_count() > 0 => {
                visit(&self.filtered(|row| nulls.is_valid(row)))
            }
            _ => visit(self),
        }
    }

    /// The pairs whose row is wanted.
    pub(crate) fn filtered(&self, is_wanted: impl Fn(usize) -> bool) -> Self {
        let mut kept = Self::default();
        for (row, slot) in self.rows.iter().zip(&self.slots) {
            if is_wanted(*row as usize) {
                kept.rows.push(*row);
                kept.slots.push(*slot);
            }
        }
        kept
    }
}

/// One value a slot.
///
/// **Invariant:** every chunk has `CHUNK_SLOTS` values, and the tail, which no clone shares, fewer.
#[derive(Debug, Clone)]
pub(crate) struct Slots<T> {
    chunks: Vec<Arc<[T]>>,
    /// What is added goes here, without asking whether a clone looks on.
    tail: Vec<T>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), tail: Vec::new() }
    }
}

impl<T: Clone> Slots<T> {
    /// Number of slots.
    pub(crate) fn count(&self) -> usize {
        self.chunks.len() * CHUNK_SLOTS + self.tail.len()
    }

    /// What the values hold in memory, but for what they point to.
    pub(crate) fn bytes(&self) -> usize {
        self.count() * size_of::<T>()
    }

    /// Adds a slot and gives its number.
    pub(crate) fn push(&mut self, value: T) -> u32 {
        let number = slot(self.count());
        self.tail.push(value);
        if self.tail.len() == CHUNK_SLOTS {
            self.fill_chunk();
        }
        number
    }

    /// Adds slots with `value` until there are `count`.
    pub(crate) fn grow(&mut self, count: usize, value: &T) {
        let mut missing = count.saturating_sub(self.count());
        while missing > 0 {
            let room = missing.min(CHUNK_SLOTS - self.tail.len());
            self.tail.resize(self.tail.len() + room, value.clone());
            missing -= room;
            if self.tail.len() == CHUNK_SLOTS {
                self.fill_chunk();
            }
        }
    }

    /// The value of a slot.
    pub(crate) fn get(&self, slot: u32) -> &T {
        let slot = slot as usize;
        let chunk = self.chunks.get(slot / CHUNK_SLOTS);
        let values = chunk.map_or(self.tail.as_slice(), AsRef::as_ref);
        &values[slot % CHUNK_SLOTS]
    }

    /// The value of a slot, to change it.
    pub(crate) fn get_mut(&mut self, slot: u32) -> &mut T {
        let slot = slot as usize;
        let chunk = self.chunks.get_mut(slot / CHUNK_SLOTS);
        let values = chunk.map_or(self.tail.as_mut_slice(), Arc::make_mut);
        &mut values[slot % CHUNK_SLOTS]
    }

    /// Changes the slots of a selection, in its order; `change` gets the row too.
    ///
    /// Each chunk is asked once whether it is shared, not for every slot.
    pub(crate) fn update(&mut self, selection: &Selection, mut change: impl FnMut(&mut T, usize)) {
        let mut is_touched = vec![false; self.chunks.len() + 1];
        selection.slots.iter().for_each(|slot| is_touched[*slot as usize / CHUNK_SLOTS] = true);
        let chunks = self.chunks.iter_mut().zip(&is_touched);
        let chunks = chunks.map(|(chunk, is_touched)| match is_touched {
            true => Arc::make_mut(chunk),
            false => &mut [],
        });
        let mut chunks: Vec<&mut [T]> = chunks.collect();
        chunks.push(&mut self.tail);
        for (row, slot) in selection.iter() {
            change(&mut chunks[slot as usize / CHUNK_SLOTS][slot as usize % CHUNK_SLOTS], row);
        }
    }

    /// All values, by slot.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter()).chain(&self.tail)
    }

    /// Makes a chunk of the tail.
    fn fill_chunk(&mut self) {
        self.chunks.push(self.tail.drain(..).collect());
    }
}

#[cfg(test)]
mod tests;
