//! A round of a rebuild: how far rebuilt models read before the next stage, and what the others do
//! meanwhile.
//!
//! Rebuilt models read with readers of their own, up to limits that stand when a round begins. First
//! they come to the marks of silent models, one by one. Then they catch up with the others, which
//! go on; each round has to read what came during the one before. When that is little, or does not
//! become less, the others wait for the last round.

use std::collections::BTreeSet;

use planner::dataflow::shadow_of;
use stream::{ReaderName, failpoint};

use super::Stage;
use super::course::{Course, Mark};
use crate::driver::PartitionView;
use crate::history::Positions;
use crate::run::OpenReader;

/// So few records are read at once, while the other models wait: about a second of work.
const LAST_ROUND_RECORDS: u64 = 100_000;

/// What a round reads, and what the models do that are not rebuilt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Round {
    /// Up to the mark of models that write nothing yet; the others go on.
    Silent(Mark),
    /// So many records, up to where the others stood when it began; they go on.
    CatchUp { records: u64 },
    /// Up to where the others stand, which wait.
    Last,
}

/// What came before a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing in this process.
    Start,
    /// A silent round.
    Silent,
    /// One that had to catch up with so many records.
    CatchUp { records: u64 },
}

impl Round {
    /// The next round of a rebuild: sets how far each reader reads in it.
    pub(crate) fn begin(
        (course, before): (&Course, Before),
        readers: &mut [OpenReader],
        positions: &Positions,
    ) -> Self {
        let shadows = readers.iter().filter_map(|reader| shadow_of(&reader.view.name));
        let shadowed: BTreeSet<ReaderName> = shadows.collect();
        let round = match course.marks.first() {
            Some(mark) => Self::Silent(mark.clone()),
            None => Self::after_marks(distance(readers, positions), before),
        };
        for reader in readers {
            let name = &reader.view.name;
            let is_kept = shadow_of(name).is_none() && course.rebuild.readers.contains(name);
            reader.view.is_rebuilt = !is_kept;
            if is_kept && (round.is_live() || !shadowed.contains(name)) {
                continue;
            }
            let partitions = (0..).zip(&mut reader.view.partitions).zip(&mut reader.limits);
            for ((number, at), limits) in partitions {
                limits.last = round.limit((name, number, at), positions, is_kept);
                at.end_at_start = limits.last.unwrap_or(at.end_at_start);
            }
        }
        round
    }

    /// The round in which so many records lie between rebuilt models and the others.
    fn after_marks(records: u64, before: Before) -> Self {
        // Where it does not halve, the input is too fast to be caught up with while others read it.
        let is_lasting = match before {
            Before::Start | Before::Silent => false,
            Before::CatchUp { records: before } => records > before / 2,
        };
        // A test may want to see the others go on where little is left.
        let is_put_off = || records > 0 && failpoint::reach("rebuild.last.before").is_err();
        if is_lasting || (records <= LAST_ROUND_RECORDS && !is_put_off()) {
            Self::Last
        } else {
            Self::CatchUp { records }
        }
    }

    /// Whether models that are not rebuilt go on.
    pub(crate) fn is_live(&self) -> bool {
        match self {
            Self::Silent(_) | Self::CatchUp { .. } => true,
            Self::Last => false,
        }
    }

    /// The stage after it.
    pub(crate) fn next_stage(&self, course: &Course) -> Stage {
        match self {
            Self::Silent(_) => {
                Stage::Rebuild { course: course.after_mark(), before: Before::Silent }
            }
            Self::CatchUp { records } => {
                let before = Before::CatchUp { records: *records };
                Stage::Rebuild { course: course.clone(), before }
            }
            Self::Last => Stage::Join,
        }
    }

    /// The offset up to which a partition is read; none if it is read on and on.
    fn limit(
        &self,
        (reader, number, at): (&ReaderName, i32, &PartitionView),
        positions: &Positions,
        is_kept: bool,
    ) -> Option<i64> {
        let main = shadow_of(reader);
        let is_new = main.is_none() && !is_kept;
        let main = main.unwrap_or_else(|| reader.clone());
        if let Self::Silent(mark) = self
            && let Some(stand) = mark.readers.get(&main)
        {
            // What had not been begun lies behind the mark.
            let place = stand.partitions.get(&number);
            return Some(place.map_or(at.first_at_start, |place| place.position));
        }
        if is_new {
            // The former version of silent models has not known it: what it holds counts as read.
            return matches!(self, Self::Silent(_)).then_some(at.end_at_start);
        }
        let there = positions.get(&(main, number));
        Some(there.map_or(at.first_at_start, |there| there.end))
    }
}

/// How many offsets lie between the shadows and the readers that they follow.
fn distance(readers: &[OpenReader], positions: &Positions) -> u64 {
    let mut records = 0;
    for reader in readers {
        let Some(main) = shadow_of(&reader.view.name) else { continue };
        for (number, at) in (0..).zip(&reader.view.partitions) {
            let end_of = |reader: &ReaderName| {
                positions.get(&(reader.clone(), number)).map(|replayed| replayed.end)
            };
            let own = end_of(&reader.view.name).unwrap_or(at.position).max(at.first_at_start);
            let there = end_of(&main).unwrap_or(own);
            records += u64::try_from(there - own).unwrap_or_default();
        }
    }
    records
}

#[cfg(test)]
mod tests;
