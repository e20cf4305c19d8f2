//! A set of keys, each under a slot, numbered in the order in which they came.

use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as TableEntry;

use super::EncodedKeys;
use crate::slots::{Selection, Slots};

/// Bytes in a chunk of keys, unless one key is longer.
const CHUNK_BYTES: usize = 256 * 1024;

/// Keys that are looked up together: their places in memory are fetched side by side.
const LOOKUP_KEYS: usize = 256;

/// Keys without the index that finds them: a clone copies pointers.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyStore {
    entries: Slots<Entry>,
    chunks: Vec<Arc<[u8]>>,
    /// What is added goes here, without asking whether a clone looks on.
    tail: Vec<u8>,
}

#[derive(Debug, Clone)]
struct Entry {
    hash: u64,
    slot: u32,
    place: Place,
}

/// Where the bytes of a key are.
#[derive(Debug, Clone, Copy)]
struct Place {
    chunk: u32,
    start: u32,
    length: u32,
}

impl KeyStore {
    /// Number of keys.
    pub(crate) fn count(&self) -> usize {
        self.entries.count()
    }

    /// What it holds in memory, about.
    pub(crate) fn heap_bytes(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(|chunk| chunk.len()).sum();
        self.entries.bytes() + chunks + self.tail.capacity()
    }

    /// Adds a key.
    pub(crate) fn append(&mut self, hash: u64, slot: u32, bytes: &[u8]) {
        self.add(hash, slot, bytes);
    }

    /// Adds a key and gives its number and place.
    fn add(&mut self, hash: u64, slot: u32, bytes: &[u8]) -> (u32, Place) {
        if self.tail.len() + bytes.len() > CHUNK_BYTES && !self.tail.is_empty() {
            self.chunks.push(Arc::from(self.tail.as_slice()));
            self.tail.clear();
        }
        let start = self.tail.len();
        self.tail.extend_from_slice(bytes);
        let narrow = crate::slots::slot;
        let place = Place {
            chunk: narrow(self.chunks.len()),
            start: narrow(start),
            length: narrow(bytes.len()),
        };
        (self.entries.push(Entry { hash, slot, place }), place)
    }

    /// The hashes that were given with the keys, in order.
    pub(crate) fn hashes(&self) -> impl Iterator<Item = u64> + '_ {
        self.entries.iter().map(|entry| entry.hash)
    }

    /// The slots of the keys, in order.
    pub(crate) fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        self.entries.iter().map(|entry| entry.slot)
    }

    /// The bytes of a key.
    pub(crate) fn bytes(&self, number: u32) -> &[u8] {
        self.bytes_at(self.entries.get(number).place)
    }

    /// The bytes of all keys, in order.
    pub(crate) fn all_bytes(&self) -> Vec<&[u8]> {
        self.entries.iter().map(|entry| self.bytes_at(entry.place)).collect()
    }

    fn bytes_at(&self, place: Place) -> &[u8] {
        let start = place.start as usize;
        let chunk = self.chunks.get(place.chunk as usize);
        let chunk = chunk.map_or(self.tail.as_slice(), AsRef::as_ref);
        &chunk[start..start + place.length as usize]
    }

    /// For each of `slot_count` slots the numbers of its keys, in order: key numbers sorted by slot,
    /// and where each slot's begin (one more than there are slots).
    pub(crate) fn by_slot(&self, slot_count: usize) -> (Vec<u32>, Vec<usize>) {
        let mut starts = vec![0; slot_count + 1];
        for slot in self.slots() {
            starts[slot as usize + 1] += 1;
        }
        for slot in 0..slot_count {
            starts[slot + 1] += starts[slot];
        }
        let mut next = starts.clone();
        let mut numbers = vec![0; self.count()];
        for (number, slot) in self.slots().enumerate() {
            let place = &mut next[slot as usize];
            numbers[*place] = crate::slots::slot(number);
            *place += 1;
        }
        (numbers, starts)
    }
}

/// A set of keys, each under a slot.
#[derive(Debug, Default)]
pub(crate) struct KeyTable {
    store: KeyStore,
    index: HashTable<Indexed>,
    /// What the keys of one lookup may be; kept for its memory.
    candidates: Vec<Option<Indexed>>,
}

/// What finds a key: all that has to be compared but its bytes, so that a lookup touches two places.
#[derive(Debug, Clone, Copy)]
struct Indexed {
    mixed: u64,
    number: u32,
    slot: u32,
    place: Place,
}

impl KeyTable {
    /// Makes room for so many more keys, so that the index does not grow step by step.
    pub(crate) fn reserve(&mut self, count: usize) {
        self.index.reserve(count, |it| it.mixed);
    }

    /// The keys, without the index.
    pub(crate) fn store(&self) -> &KeyStore {
        &self.store
    }

    /// What it holds in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        self.store.heap_bytes() + self.index.allocation_size()
    }

    /// Finds a key under a slot, or adds it. Gives its number and whether it is new.
    pub(crate) fn find_or_add(&mut self, hash: u64, slot: u32, bytes: &[u8]) -> (u32, bool) {
        let mixed = mix(hash, slot);
        let store = &self.store;
        let is_same = |it: &Indexed| {
            it.mixed == mixed && it.slot == slot && store.bytes_at(it.place) == bytes
        };
        match self.index.entry(mixed, is_same, |it| it.mixed) {
            TableEntry::Occupied(found) => (found.get().number, false),
            TableEntry::Vacant(vacant) => {
                let (number, place) = self.store.add(hash, slot, bytes);
                vacant.insert(Indexed { mixed, number, slot, place });
                (number, true)
            }
        }
    }

    /// Finds or adds the keys of the selected rows under their slots, in order; tells each row, its
    /// slot, its key's number and whether that is new.
    ///
    /// A table of many keys is slow because each lookup waits for memory. Here the places of many
    /// keys are asked for before the first answer is needed.
    pub(crate) fn find_or_add_all(
        &mut self,
        keys: &EncodedKeys,
        selection: &Selection,
        mut found: impl FnMut(usize, u32, u32, bool),
    ) {
        let mut candidates = std::mem::take(&mut self.candidates);
        let parts = selection.rows.chunks(LOOKUP_KEYS).zip(selection.slots.chunks(LOOKUP_KEYS));
        for (rows, slots) in parts {
            candidates.clear();
            candidates.extend(rows.iter().zip(slots).map(|(row, slot)| {
                let mixed = mix(keys.hash(*row as usize), *slot);
                self.index.find(mixed, |it| it.mixed == mixed).copied()
            }));
            for ((row, slot), candidate) in rows.iter().zip(slots).zip(&mut candidates) {
                let bytes = keys.bytes(*row as usize);
                *candidate = candidate
                    .filter(|it| it.slot == *slot && self.store.bytes_at(it.place) == bytes);
            }
            for ((row, slot), candidate) in rows.iter().zip(slots).zip(&candidates) {
                let row = *row as usize;
                let (number, is_new) = match candidate {
                    Some(it) => (it.number, false),
                    // New, or added by a row just before.
                    None => self.find_or_add(keys.hash(row), *slot, keys.bytes(row)),
                };
                found(row, *slot, number, is_new);
            }
        }
        self.candidates = candidates;
    }
}

/// Spreads one key's hash over its slots.
fn mix(hash: u64, slot: u32) -> u64 {
    let mixed = hash ^ u64::from(slot).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    mixed ^ (mixed >> 32)
}
