//! Finds the numbers of keys by their hashes.
//!
//! Open addressing, eight bytes a cell: of a million keys, whose bytes lie elsewhere, the cells come
//! near to fitting a cache, and eight neighbours are fetched as one line. What is found may be
//! another key with much of the hash in common: the caller compares. Keys do not leave.

use std::hint::black_box;

/// A cell without a key.
const FREE: u32 = u32::MAX;

/// The least number of cells.
const CELLS_MIN: usize = 16;

/// Of so many cells at most [`FILLED_MAX`] are filled, so that searches are short.
const CELLS: usize = 8;
const FILLED_MAX: usize = 5;

/// Numbers by hash.
///
/// **Invariant:** the number of cells is 0 or a power of two, and one of them is free.
#[derive(Debug, Default)]
pub(super) struct Index {
    cells: Vec<Cell>,
    filled: usize,
}

#[derive(Debug, Clone, Copy)]
struct Cell {
    tag: u32,
    number: u32,
}

impl Index {
    /// What it holds in memory.
    pub(super) fn bytes(&self) -> usize {
        self.cells.len() * size_of::<Cell>()
    }

    /// Whether `more` keys find room.
    pub(super) fn has_room(&self, more: usize) -> bool {
        (self.filled + more) * CELLS <= self.cells.len() * FILLED_MAX
    }

    /// Makes room for `count` keys in all. `hashes` are those of the present ones, by number.
    pub(super) fn rebuild(&mut self, count: usize, hashes: impl Iterator<Item = u64>) {
        let cells = (count * CELLS).div_ceil(FILLED_MAX).next_power_of_two().max(CELLS_MIN);
        self.cells = vec![Cell { tag: 0, number: FREE }; cells];
        self.filled = 0;
        for (number, hash) in hashes.enumerate() {
            self.add(hash, crate::slots::slot(number));
        }
    }

    /// Adds a key that is not there; there is room.
    pub(super) fn add(&mut self, hash: u64, number: u32) {
        let mask = self.cells.len() - 1;
        let mut place = home(hash) & mask;
        while self.cells[place].number != FREE {
            place = (place + 1) & mask;
        }
        self.cells[place] = Cell { tag: tag(hash), number };
        self.filled += 1;
    }

    /// The first number of this hash that `is_it` takes.
    pub(super) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let mask = self.cells.len().checked_sub(1)?;
        let (mut place, tag) = (home(hash) & mask, tag(hash));
        loop {
            let cell = self.cells[place];
            if cell.number == FREE {
                return None;
            }
            if cell.tag == tag && is_it(cell.number) {
                return Some(cell.number);
            }
            place = (place + 1) & mask;
        }
    }

    /// Brings the cells at which the searches for these hashes begin into the cache: asked for side
    /// by side, memory is waited for once.
    pub(super) fn touch_all(&self, hashes: &[u64]) {
        let mask = self.cells.len().saturating_sub(1);
        let cells = hashes.iter().filter_map(|hash| self.cells.get(home(*hash) & mask));
        black_box(cells.fold(0, |sum, cell| sum ^ cell.number));
    }
}

/// Where the search for a hash begins, once cut down to the number of cells.
fn home(hash: u64) -> usize {
    (hash >> 32) as usize
}

/// The half of the hash that decides nothing about the place.
#[expect(clippy::cast_possible_truncation, reason = "32 bits are wanted")]
fn tag(hash: u64) -> u32 {
    hash as u32
}
