//! The keys of a temporal join and their versions.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use planner::dataflow::BeforeFirst;

use crate::slots::{Slots, slot};

/// When a key fires at the latest: set by a version. The arrival number names the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timer {
    pub(super) time: i64,
    pub(super) arrival: u64,
}

/// What a version holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VersionRow {
    /// A row of the store.
    Row(u32),
    /// The row was deleted.
    Tombstone,
}

/// A version of a key's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) time: i64,
    pub(super) row: VersionRow,
}

/// What a left row finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A row of the store.
    Version(u32),
    /// The row was deleted at that time.
    Tombstone,
    /// There was no version yet, or it has been superseded.
    Nothing,
}

/// A key: its bytes, versions and timer.
#[derive(Debug, Clone)]
pub(super) struct KeyState {
    pub(super) hash: u64,
    pub(super) bytes: Box<[u8]>,
    /// In order of time; of equal times the last read is kept.
    pub(super) versions: Vec<Version>,
    /// With `before_first: first`: the first version of all, once it is superseded.
    pub(super) first: Option<Version>,
    /// Set by a version; the timers of left rows are the rows themselves.
    pub(super) timer: Option<Timer>,
}

/// All keys that have versions, timers or waiting rows.
#[derive(Debug)]
pub(super) struct Keys {
    before_first: BeforeFirst,
    index: HashTable<(u64, u32)>,
    /// `None` is a number to be used again.
    states: Slots<Option<KeyState>>,
    free: Vec<u32>,
    /// Left rows that wait, by key.
    waiting: Vec<u32>,
    /// Place of a key among those that an advance fires; valid if `keys[place]` is that key.
    places: Vec<u32>,
}

impl Keys {
    pub(super) fn new(before_first: BeforeFirst) -> Self {
        Self {
            before_first,
            index: HashTable::new(),
            states: Slots::default(),
            free: Vec::new(),
            waiting: Vec::new(),
            places: Vec::new(),
        }
    }

    /// Number of keys.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// What they hold in memory, about.
    pub(super) fn bytes(&self) -> usize {
        let of_key =
            |key: &KeyState| key.bytes.len() + key.versions.capacity() * size_of::<Version>();
        let keys: usize = self.states.iter().flatten().map(of_key).sum();
        let numbers = self.free.len() + self.waiting.len() + self.places.len();
        keys + self.states.bytes() + self.index.allocation_size() + numbers * size_of::<u32>()
    }

    /// The states, by key; for snapshots.
    pub(super) fn states(&self) -> &Slots<Option<KeyState>> {
        &self.states
    }

    /// The number of a key, which is added if it is new.
    pub(super) fn find_or_add(&mut self, hash: u64, bytes: &[u8]) -> u32 {
        let states = &self.states;
        let is_same = |(other, key): &(u64, u32)| {
            *other == hash && states.get(*key).as_ref().is_some_and(|state| *state.bytes == *bytes)
        };
        let vacant = match self.index.entry(hash, is_same, |(hash, _)| *hash) {
            Entry::Occupied(found) => return found.get().1,
            Entry::Vacant(vacant) => vacant,
        };
        let state = Some(KeyState {
            hash,
            bytes: bytes.into(),
            versions: Vec::new(),
            first: None,
            timer: None,
        });
        let key = match self.free.pop() {
            Some(key) => {
                *self.states.get_mut(key) = state;
                key
            }
            None => {
                self.waiting.push(0);
                self.places.push(0);
                self.states.push(state)
            }
        };
        vacant.insert((hash, key));
        key
    }

    /// A left row of the key begins to wait.
    pub(super) fn add_waiting(&mut self, key: u32) {
        self.waiting[key as usize] += 1;
    }

    /// A left row of the key leaves.
    pub(super) fn remove_waiting(&mut self, key: u32) {
        self.waiting[key as usize] -= 1;
    }

    /// The place of a key among those that are fired, where it is put if it is not there.
    pub(super) fn place_in(&mut self, fired: &mut Vec<u32>, key: u32) -> u32 {
        let place = &mut self.places[key as usize];
        if fired.get(*place as usize) != Some(&key) {
            *place = slot(fired.len());
            fired.push(key);
        }
        *place
    }

    /// The timer that a version has set.
    pub(super) fn timer(&self, key: u32) -> Option<Timer> {
        self.states.get(key).as_ref().and_then(|state| state.timer)
    }

    /// Sets the timer if there is none or a later one; gives whether it was set.
    ///
    /// An earlier left row needs no mention here: it fires the key, and that clears the timer.
    pub(super) fn set_timer(&mut self, key: u32, timer: Timer) -> bool {
        let state = self.state_mut(key);
        let is_earlier = state.timer.is_none_or(|present| timer.time < present.time);
        if is_earlier {
            state.timer = Some(timer);
        }
        is_earlier
    }

    /// Adds a version; gives the stored row that it replaces, if it replaces one.
    pub(super) fn add_version(&mut self, key: u32, time: i64, row: VersionRow) -> Option<u32> {
        let versions = &mut self.state_mut(key).versions;
        let place = versions.partition_point(|version| version.time < time);
        match versions.get_mut(place) {
            Some(present) if present.time == time => match std::mem::replace(&mut present.row, row)
            {
                VersionRow::Row(replaced) => Some(replaced),
                VersionRow::Tombstone => None,
            },
            Some(_) | None => {
                versions.insert(place, Version { time, row });
                None
            }
        }
    }

    /// What a left row of this time finds.
    pub(super) fn version_at(&self, key: u32, time: i64) -> Found {
        let Some(state) = self.states.get(key) else { return Found::Nothing };
        let place = state.versions.partition_point(|version| version.time <= time);
        let found = match (place.checked_sub(1), self.before_first) {
            (Some(place), _) => state.versions.get(place).copied(),
            (None, BeforeFirst::Null) => None,
            (None, BeforeFirst::First) => {
                let first = state.first.or(state.versions.first().copied());
                first.filter(|first| time < first.time)
            }
        };
        match found.map(|version| version.row) {
            Some(VersionRow::Row(row)) => Found::Version(row),
            Some(VersionRow::Tombstone) => Found::Tombstone,
            None => Found::Nothing,
        }
    }

    /// Deletes the versions that a newer one has superseded at the watermark, and the timer.
    pub(super) fn supersede(&mut self, key: u32, watermark: i64, freed: &mut Vec<u32>) {
        let Some(state) = self.states.get(key) else { return };
        let current = state.versions.partition_point(|version| version.time <= watermark);
        if current < 2 && state.timer.is_none() {
            return;
        }
        let keeps_first = self.before_first == BeforeFirst::First;
        let state = self.state_mut(key);
        state.timer = None;
        for version in state.versions.drain(..current.saturating_sub(1)) {
            let is_first =
                keeps_first && state.first.is_none_or(|first| version.time <= first.time);
            let unused = if is_first { state.first.replace(version) } else { Some(version) };
            if let Some(Version { row: VersionRow::Row(row), .. }) = unused {
                freed.push(row);
            }
        }
    }

    /// Forgets a key of which nothing is kept.
    pub(super) fn forget_if_unused(&mut self, key: u32) {
        let Some(state) = self.states.get(key) else { return };
        let is_used = !state.versions.is_empty()
            || state.first.is_some()
            || state.timer.is_some()
            || self.waiting[key as usize] > 0;
        if is_used {
            return;
        }
        let hash = state.hash;
        if let Ok(entry) = self.index.find_entry(hash, |(_, other)| *other == key) {
            entry.remove();
        }
        *self.states.get_mut(key) = None;
        self.free.push(key);
    }

    /// Puts back the first version of all, as a snapshot has it.
    pub(super) fn restore_first(&mut self, key: u32, first: Version) {
        self.state_mut(key).first = Some(first);
    }

    fn state_mut(&mut self, key: u32) -> &mut KeyState {
        self.states.get_mut(key).as_mut().expect("a key in use has a state")
    }
}
