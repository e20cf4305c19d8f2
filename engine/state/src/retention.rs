//! Which snapshots stay. Everything is classified before anything is removed, and what is not
//! understood stays.

use stream::failpoint;

use crate::snapshot::{Condition, Listed, MANIFEST, path};
use crate::{Manifest, Snapshots, StateError};

/// What stays after [`Snapshots::retain`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retained {
    /// The newest complete snapshots, newest first: those that a start may need.
    pub newest: Vec<Manifest>,
    /// How many snapshots were removed, orphans among them.
    pub removed: usize,
}

impl Snapshots {
    /// Removes what nobody needs of one journal's snapshots: all but the `keep` newest complete ones
    /// and the pinned, and what was begun and abandoned before the newest.
    ///
    /// # Errors
    /// [`StateError::Store`]: what is left is removed by a later call.
    pub fn retain(&self, journal_id: &str, keep: usize) -> Result<Retained, StateError> {
        failpoint::reach("retention.classify.before")?;
        let listed: Vec<Listed> =
            self.list()?.into_iter().filter(|one| one.id.journal_id == journal_id).collect();
        let newest: Vec<Manifest> =
            listed.iter().filter_map(Listed::manifest).take(keep).cloned().collect();
        let (doomed, _kept): (Vec<&Listed>, Vec<&Listed>) =
            listed.iter().partition(|one| is_doomed(one, &newest, keep));
        failpoint::reach("retention.classify.after")?;
        for one in &doomed {
            self.remove(one)?;
        }
        Ok(Retained { removed: doomed.len(), newest })
    }

    /// Removes a snapshot: data first, so that what is left of an interrupted removal still has a
    /// name for what it was.
    ///
    /// # Errors
    /// [`StateError::Store`]: what is left may be removed later.
    pub fn remove(&self, one: &Listed) -> Result<(), StateError> {
        let (manifest, data): (Vec<&String>, Vec<&String>) =
            one.files.iter().partition(|file| *file == MANIFEST);
        let steps = [
            (data, "retention.data.before", "retention.data.after"),
            (manifest, "retention.manifest.before", "retention.manifest.after"),
        ];
        for (files, before, after) in steps {
            failpoint::reach(before)?;
            let paths: Vec<String> = files.into_iter().map(|file| path(&one.id, file)).collect();
            self.store.remove(&paths)?;
            failpoint::reach(after)?;
        }
        Ok(())
    }
}

fn is_doomed(one: &Listed, newest: &[Manifest], keep: usize) -> bool {
    let is_older = |than: Option<&Manifest>| than.is_some_and(|than| one.id.age() < than.id.age());
    match &one.condition {
        _ if one.pin.is_some() => false,
        // Only where enough newer ones are complete.
        Condition::Complete(_) | Condition::Broken { .. } => {
            newest.len() == keep && is_older(newest.last())
        }
        // One that is being written is newer than all that are complete.
        Condition::Unfinished => is_older(newest.first()),
    }
}
