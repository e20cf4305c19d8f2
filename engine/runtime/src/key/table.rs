//! A set of keys, each under a slot, numbered in the order in which they came.

use std::hint::black_box;
use std::sync::Arc;

use super::EncodedKeys;
use super::index::Index;
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

#[derive(Debug, Clone, Copy)]
struct Entry {
    hash: u64,
    slot: u32,
    place: Place,
}

impl Entry {
    /// Whether it is a key of this hash under this slot.
    fn is_under(&self, hash: u64, slot: u32) -> bool {
        self.hash == hash && self.slot == slot
    }
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

    /// Adds a key and gives its number.
    pub(crate) fn append(&mut self, hash: u64, slot: u32, bytes: &[u8]) -> u32 {
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
        self.entries.push(Entry { hash, slot, place })
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
    /// The keys' numbers by `mix` of hash and slot.
    index: Index,
    lookup: Lookup,
}

/// Keys that are looked up together; kept for its memory.
#[derive(Debug, Default)]
struct Lookup {
    mixed: Vec<u64>,
    /// The number and entry of what each may be.
    candidates: Vec<Option<(u32, Entry)>>,
}

impl KeyTable {
    /// Makes room for so many more keys, so that the index does not grow step by step.
    fn reserve(&mut self, more: usize) {
        if !self.index.has_room(more) {
            let Self { store, index, .. } = self;
            let present = store.entries.iter().map(|entry| mix(entry.hash, entry.slot));
            index.rebuild(store.count() + more, present);
        }
    }

    /// The keys, without the index.
    pub(crate) fn store(&self) -> &KeyStore {
        &self.store
    }

    /// What it holds in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        self.store.heap_bytes() + self.index.bytes()
    }

    /// Finds a key under a slot, or adds it. Gives its number and whether it is new.
    pub(crate) fn find_or_add(&mut self, hash: u64, slot: u32, bytes: &[u8]) -> (u32, bool) {
        let mixed = mix(hash, slot);
        let store = &self.store;
        let is_same = |number| {
            let entry = store.entries.get(number);
            entry.is_under(hash, slot) && store.bytes_at(entry.place) == bytes
        };
        if let Some(number) = self.index.find(mixed, is_same) {
            return (number, false);
        }
        if !self.index.has_room(1) {
            self.reserve(self.store.count().max(1));
        }
        let number = self.store.append(hash, slot, bytes);
        self.index.add(mixed, number);
        (number, true)
    }

    /// Adds keys that are all different and not there, each under its slot.
    pub(crate) fn add_all(&mut self, keys: &EncodedKeys, slots: &[u32]) {
        self.reserve(slots.len());
        let mut mixed = std::mem::take(&mut self.lookup.mixed);
        for (part, slots) in slots.chunks(LOOKUP_KEYS).enumerate() {
            let rows = part * LOOKUP_KEYS..;
            mixed.clear();
            mixed.extend(rows.clone().zip(slots).map(|(row, slot)| mix(keys.hash(row), *slot)));
            self.index.touch_all(&mixed);
            for ((row, slot), mixed) in rows.zip(slots).zip(&mixed) {
                let number = self.store.append(keys.hash(row), *slot, keys.bytes(row));
                self.index.add(*mixed, number);
            }
        }
        self.lookup.mixed = mixed;
    }

    /// Finds or adds the keys of the selected rows under their slots, in order; tells each row, its
    /// slot, its key's number and whether that is new.
    ///
    /// A table of many keys is slow because each lookup waits for memory, three times. Here the same
    /// is asked for all of some keys, with no answer needed for the next question, before any is
    /// looked at.
    pub(crate) fn find_or_add_all(
        &mut self,
        keys: &EncodedKeys,
        selection: &Selection,
        mut found: impl FnMut(usize, u32, u32, bool),
    ) {
        let mut lookup = std::mem::take(&mut self.lookup);
        let parts = selection.rows.chunks(LOOKUP_KEYS).zip(selection.slots.chunks(LOOKUP_KEYS));
        for (rows, slots) in parts {
            self.look_up(keys, rows, slots, &mut lookup);
            for ((row, slot), candidate) in rows.iter().zip(slots).zip(&lookup.candidates) {
                let (hash, bytes) = (keys.hash(*row as usize), keys.bytes(*row as usize));
                let is_it = |(_, entry): &&(u32, Entry)| {
                    entry.is_under(hash, *slot) && self.store.bytes_at(entry.place) == bytes
                };
                let (number, is_new) = match candidate.as_ref().filter(is_it) {
                    Some((number, _)) => (*number, false),
                    // New, or added by a row just before.
                    None => self.find_or_add(hash, *slot, bytes),
                };
                found(*row as usize, *slot, number, is_new);
            }
        }
        self.lookup = lookup;
    }

    /// What the keys of these rows may be, and everything that is needed to tell in the cache.
    fn look_up(&self, keys: &EncodedKeys, rows: &[u32], slots: &[u32], lookup: &mut Lookup) {
        let Lookup { mixed, candidates } = lookup;
        let pairs = rows.iter().zip(slots);
        mixed.clear();
        mixed.extend(pairs.map(|(row, slot)| mix(keys.hash(*row as usize), *slot)));
        self.index.touch_all(mixed);
        candidates.clear();
        candidates.extend(mixed.iter().map(|mixed| {
            let number = self.index.find(*mixed, |_| true)?;
            Some((number, *self.store.entries.get(number)))
        }));
        let first_byte = |entry: &Entry| self.store.bytes_at(entry.place).first().copied();
        let entries = candidates.iter().flatten().map(|(_, entry)| entry);
        black_box(entries.filter_map(first_byte).fold(0, |sum, byte| sum ^ byte));
    }
}

/// Spreads one key's hash over its slots.
fn mix(hash: u64, slot: u32) -> u64 {
    let mixed = hash ^ u64::from(slot).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    mixed ^ (mixed >> 32)
}
