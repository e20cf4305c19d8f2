//! One value a slot, in chunks behind `Arc`.
//!
//! A clone copies pointers; the next write to a chunk that a clone still holds copies that chunk.
//! So a snapshot does not stop the fold. Slots are numbered from 0 and never leave: what they
//! belong to (a window, a key table) is dropped whole.

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
#[derive(Debug, Clone)]
pub(crate) struct Slots<T> {
    chunks: Vec<Arc<Chunk<T>>>,
    count: usize,
}

/// **Invariant:** every chunk but the last has `CHUNK_SLOTS` values.
#[derive(Debug, Clone)]
struct Chunk<T> {
    values: Vec<T>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), count: 0 }
    }
}

impl<T: Clone> Slots<T> {
    /// Number of slots.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Adds a slot and gives its number.
    pub(crate) fn push(&mut self, value: T) -> u32 {
        let number = slot(self.count);
        if self.count.is_multiple_of(CHUNK_SLOTS) {
            self.chunks.push(Arc::new(Chunk { values: Vec::new() }));
        }
        let last = self.chunks.last_mut().expect("a chunk was just made if there was none");
        Arc::make_mut(last).values.push(value);
        self.count += 1;
        number
    }

    /// Adds slots with `value` until there are `count`.
    pub(crate) fn grow(&mut self, count: usize, value: &T) {
        while self.count < count {
            self.push(value.clone());
        }
    }

    /// The value of a slot.
    pub(crate) fn get(&self, slot: u32) -> &T {
        let slot = slot as usize;
        &self.chunks[slot / CHUNK_SLOTS].values[slot % CHUNK_SLOTS]
    }

    /// The value of a slot, to change it.
    pub(crate) fn get_mut(&mut self, slot: u32) -> &mut T {
        let slot = slot as usize;
        &mut Arc::make_mut(&mut self.chunks[slot / CHUNK_SLOTS]).values[slot % CHUNK_SLOTS]
    }

    /// Changes the slots of a selection, in its order; `change` gets the row too.
    ///
    /// Runs of slots in one chunk pay for its ownership check once.
    pub(crate) fn update(&mut self, selection: &Selection, mut change: impl FnMut(&mut T, usize)) {
        let slots = &selection.slots;
        let mut at = 0;
        while at < slots.len() {
            let chunk = slots[at] as usize / CHUNK_SLOTS;
            let first = chunk * CHUNK_SLOTS;
            let values = &mut Arc::make_mut(&mut self.chunks[chunk]).values;
            while let Some(slot) = slots.get(at) {
                // A slot of another chunk is out of bounds here, below as above.
                let Some(value) = values.get_mut((*slot as usize).wrapping_sub(first)) else {
                    break;
                };
                change(value, selection.rows[at] as usize);
                at += 1;
            }
        }
    }

    /// All values, by slot.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.values.iter())
    }
}

#[cfg(test)]
mod tests;
