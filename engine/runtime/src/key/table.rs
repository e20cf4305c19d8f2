//! A set of keys, each under a slot, numbered in the order in which they came.

use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as TableEntry;

use crate::slots::Slots;

/// Bytes in a chunk of keys, unless one key is longer.
const CHUNK_BYTES: usize = 256 * 1024;

/// Keys without the index that finds them: a clone copies pointers.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyStore {
    entries: Slots<Entry>,
    chunks: Vec<Arc<Chunk>>,
}

#[derive(Debug, Clone)]
struct Entry {
    hash: u64,
    slot: u32,
    chunk: u32,
    start: u32,
    length: u32,
}

#[derive(Debug, Clone)]
struct Chunk {
    bytes: Vec<u8>,
}

impl KeyStore {
    /// Number of keys.
    pub(crate) fn count(&self) -> usize {
        self.entries.count()
    }

    /// Adds a key and gives its number.
    pub(crate) fn append(&mut self, hash: u64, slot: u32, bytes: &[u8]) -> u32 {
        let fits =
            self.chunks.last().is_some_and(|last| last.bytes.len() + bytes.len() <= CHUNK_BYTES);
        if !fits {
            self.chunks.push(Arc::new(Chunk { bytes: Vec::new() }));
        }
        let last = self.chunks.last_mut().expect("a chunk was just made if none fitted");
        let last = Arc::make_mut(last);
        let start = last.bytes.len();
        last.bytes.extend_from_slice(bytes);
        let narrow = crate::slots::slot;
        self.entries.push(Entry {
            hash,
            slot,
            chunk: narrow(self.chunks.len() - 1),
            start: narrow(start),
            length: narrow(bytes.len()),
        })
    }

    /// The slot under which a key stands.
    pub(crate) fn slot(&self, number: u32) -> u32 {
        self.entries.get(number).slot
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
        self.bytes_of(self.entries.get(number))
    }

    /// The bytes of all keys, in order.
    pub(crate) fn all_bytes(&self) -> Vec<&[u8]> {
        self.entries.iter().map(|entry| self.bytes_of(entry)).collect()
    }

    fn bytes_of(&self, entry: &Entry) -> &[u8] {
        let start = entry.start as usize;
        &self.chunks[entry.chunk as usize].bytes[start..start + entry.length as usize]
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
    index: HashTable<(u64, u32)>,
}

impl KeyTable {
    /// The keys, without the index.
    pub(crate) fn store(&self) -> &KeyStore {
        &self.store
    }

    /// Finds a key under a slot, or adds it. Gives its number and whether it is new.
    pub(crate) fn find_or_add(&mut self, hash: u64, slot: u32, bytes: &[u8]) -> (u32, bool) {
        let mixed = mix(hash, slot);
        let store = &self.store;
        let is_same = |(other, number): &(u64, u32)| {
            *other == mixed && store.slot(*number) == slot && store.bytes(*number) == bytes
        };
        match self.index.entry(mixed, is_same, |(hash, _)| *hash) {
            TableEntry::Occupied(found) => (found.get().1, false),
            TableEntry::Vacant(vacant) => {
                let number = self.store.append(hash, slot, bytes);
                vacant.insert((mixed, number));
                (number, true)
            }
        }
    }
}

/// Spreads one key's hash over its slots.
fn mix(hash: u64, slot: u32) -> u64 {
    let mixed = hash ^ u64::from(slot).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    mixed ^ (mixed >> 32)
}
