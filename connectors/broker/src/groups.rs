//! Consumer groups: membership in memory, as members come back by themselves after a restart;
//! their offsets are in the ledger.

pub(crate) mod group;
pub(crate) mod member;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::sync::lock;
use group::Group;

/// Groups with members at a time.
const GROUPS_MAX: usize = 10_000;

/// All groups that have members.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    by_name: Mutex<BTreeMap<String, Arc<Mutex<Group>>>>,
}

impl Groups {
    /// Works on a group, which is made if there is none; `None` when there are too many.
    pub(crate) fn with_new<T>(&self, name: &str, work: impl FnOnce(&mut Group) -> T) -> Option<T> {
        let group = {
            let mut groups = lock(&self.by_name);
            if groups.len() >= GROUPS_MAX && !groups.contains_key(name) {
                return None;
            }
            let new = || Arc::new(Mutex::new(Group::new()));
            Arc::clone(groups.entry(name.to_owned()).or_insert_with(new))
        };
        let mut group = lock(&group);
        Some(work(&mut group))
    }

    /// Works on a group that has members.
    pub(crate) fn with<T>(&self, name: &str, work: impl FnOnce(&mut Group) -> T) -> Option<T> {
        let group = lock(&self.by_name).get(name).cloned()?;
        let mut group = lock(&group);
        Some(work(&mut group))
    }

    /// Names of all groups that have members.
    pub(crate) fn names(&self) -> Vec<String> {
        lock(&self.by_name).keys().cloned().collect()
    }

    /// Lets time pass in all groups and forgets those without members.
    pub(crate) fn tick(&self, now: Instant) {
        let groups: Vec<(String, Arc<Mutex<Group>>)> =
            lock(&self.by_name).iter().map(|(n, g)| (n.clone(), Arc::clone(g))).collect();
        for (name, group) in groups {
            lock(&group).tick(now);
            let mut known = lock(&self.by_name);
            // Two owners are the map and this loop: nobody is about to join it.
            if Arc::strong_count(&group) == 2 && lock(&group).is_unused() {
                known.remove(&name);
            }
        }
    }
}
