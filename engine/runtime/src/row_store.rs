//! Rows that wait: kept as the Arrow batches in which they came, and named by slots.
//!
//! A batch stays until its last row is freed. Batches of which little is left, and crowds of small
//! ones, are copied together, so that memory follows the rows that wait.
//! A clone copies pointers.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, new_empty_array, new_null_array};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use crate::gather::gather;
use crate::slots::{Slots, slot};

/// A chunk below this many rows is small.
const SMALL_CHUNK_ROWS: usize = 1024;

/// More small chunks than this are copied into one.
const SMALL_CHUNKS_MAX: usize = 64;

/// A chunk of which less than one row in so many is left is copied.
const SPARSE_FACTOR: usize = 4;

/// A row of a chunk that nobody waits for.
const FREE: u32 = u32::MAX;

/// Rows that wait, by slot.
#[derive(Debug, Clone)]
pub(crate) struct RowStore {
    /// One null a column, for rows that are missing.
    nulls: Vec<ArrayRef>,
    chunks: Vec<Option<Arc<Chunk>>>,
    free_chunks: Vec<usize>,
    /// Where the row of a slot is.
    places: Slots<Place>,
    free_slots: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    chunk: u32,
    row: u32,
}

#[derive(Debug, Clone)]
struct Chunk {
    columns: Vec<ArrayRef>,
    /// The slot of each row, or `FREE`.
    slots: Vec<u32>,
    live: usize,
}

impl RowStore {
    /// An empty store of rows with columns of these types.
    pub(crate) fn new<'a>(types: impl Iterator<Item = &'a DataType>) -> Self {
        Self {
            nulls: types.map(|data_type| new_null_array(data_type, 1)).collect(),
            chunks: Vec::new(),
            free_chunks: Vec::new(),
            places: Slots::default(),
            free_slots: Vec::new(),
        }
    }

    /// What the rows hold in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let of_chunk = |chunk: &Arc<Chunk>| {
            let columns = chunk.columns.iter().map(Array::get_array_memory_size);
            columns.sum::<usize>() + chunk.slots.len() * size_of::<u32>()
        };
        self.chunks.iter().flatten().map(of_chunk).sum::<usize>() + self.places.bytes()
    }

    /// Keeps `row_count` rows, without copying them; gives their slots in order.
    pub(crate) fn insert(&mut self, columns: Vec<ArrayRef>, row_count: usize) -> Vec<u32> {
        let slots: Vec<u32> = (0..row_count).map(|_| self.new_slot()).collect();
        self.add_chunk(columns, slots.clone());
        slots
    }

    /// Lets a row go.
    pub(crate) fn free(&mut self, freed: u32) {
        let place = *self.places.get(freed);
        let chunk = self.chunks[place.chunk as usize].as_mut().expect("a slot's chunk is there");
        let chunk = Arc::make_mut(chunk);
        debug_assert_eq!(chunk.slots[place.row as usize], freed, "a row is freed once");
        chunk.slots[place.row as usize] = FREE;
        chunk.live -= 1;
        if chunk.live == 0 {
            self.drop_chunk(place.chunk as usize);
        }
        self.free_slots.push(freed);
    }

    /// The rows of these slots as columns; `None` is a row of nulls.
    pub(crate) fn gather(
        &self,
        slots: impl Iterator<Item = Option<u32>>,
    ) -> Result<Vec<ArrayRef>, ArrowError> {
        // The first array of each column is the null.
        let mut used: Vec<&Chunk> = Vec::new();
        let mut index_of_chunk = vec![0; self.chunks.len()];
        let mut indices = Vec::with_capacity(slots.size_hint().0);
        for slot in slots {
            let Some(slot) = slot else {
                indices.push((0, 0));
                continue;
            };
            let place = *self.places.get(slot);
            let index = &mut index_of_chunk[place.chunk as usize];
            if *index == 0 {
                used.push(self.chunk(place.chunk as usize));
                *index = used.len();
            }
            indices.push((*index, place.row as usize));
        }
        let columns = self.nulls.iter().enumerate().map(|(column, null)| {
            if indices.is_empty() {
                return Ok(new_empty_array(null.data_type()));
            }
            let mut arrays: Vec<&dyn Array> = vec![null.as_ref()];
            arrays.extend(used.iter().map(|chunk| chunk.columns[column].as_ref()));
            gather(&arrays, &indices)
        });
        columns.collect()
    }

    /// Copies rows together where that frees memory. Slots stay.
    pub(crate) fn tidy(&mut self) -> Result<(), ArrowError> {
        let chunks = self.chunks.iter().enumerate();
        let chunks = chunks.filter_map(|(index, chunk)| Some((index, chunk.as_ref()?)));
        let small =
            chunks.clone().filter(|(_, chunk)| chunk.slots.len() < SMALL_CHUNK_ROWS).count();
        let is_crowded = small > SMALL_CHUNKS_MAX;
        let sources: Vec<usize> = chunks
            .filter(|(_, chunk)| {
                let is_small = chunk.slots.len() < SMALL_CHUNK_ROWS;
                let is_sparse = chunk.live * SPARSE_FACTOR < chunk.slots.len();
                (is_small && is_crowded) || (!is_small && is_sparse)
            })
            .map(|(index, _)| index)
            .collect();
        if sources.is_empty() {
            return Ok(());
        }
        let slots = sources.iter().flat_map(|index| self.chunk(*index).slots.iter().copied());
        let slots: Vec<u32> = slots.filter(|slot| *slot != FREE).collect();
        let columns = self.gather(slots.iter().copied().map(Some))?;
        for index in sources {
            self.drop_chunk(index);
        }
        self.add_chunk(columns, slots);
        Ok(())
    }

    /// Number of rows that wait.
    pub(crate) fn live_rows(&self) -> usize {
        self.chunks.iter().flatten().map(|chunk| chunk.live).sum()
    }

    /// Number of rows in memory, waiting or not.
    #[cfg(test)]
    pub(crate) fn held_rows(&self) -> usize {
        self.chunks.iter().flatten().map(|chunk| chunk.slots.len()).sum()
    }

    fn chunk(&self, index: usize) -> &Chunk {
        self.chunks[index].as_ref().expect("a slot's chunk is there")
    }

    fn new_slot(&mut self) -> u32 {
        let nowhere = Place { chunk: FREE, row: FREE };
        self.free_slots.pop().unwrap_or_else(|| self.places.push(nowhere))
    }

    fn add_chunk(&mut self, columns: Vec<ArrayRef>, slots: Vec<u32>) {
        if slots.is_empty() {
            return;
        }
        let index = self.free_chunks.pop().unwrap_or_else(|| {
            self.chunks.push(None);
            self.chunks.len() - 1
        });
        for (row, placed) in slots.iter().enumerate() {
            *self.places.get_mut(*placed) = Place { chunk: slot(index), row: slot(row) };
        }
        let live = slots.len();
        self.chunks[index] = Some(Arc::new(Chunk { columns, slots, live }));
    }

    fn drop_chunk(&mut self, index: usize) {
        self.chunks[index] = None;
        self.free_chunks.push(index);
    }
}

#[cfg(test)]
mod tests;
