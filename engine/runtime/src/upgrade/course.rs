//! What is rebuilt, and from where on its silent models write.
//!
//! A silent model writes nothing for what its former version has written, and everything after that.
//! The *mark* says where that was: where the readers stood when the former version stopped.
//! **Invariant:** marks are in the order in which the rebuild comes to them. One that is made when a
//! project changes during a rebuild lies where the shadows stand then, before all that are left, or
//! where the models stand that are kept, behind them.

use std::collections::{BTreeMap, BTreeSet};

use planner::dataflow::{Dataflow, Rebuild, shadow_of};
use state::{Manifest, ReaderProgress};
use stream::{ReaderName, Watermark};

/// A rebuild under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Course {
    /// What is built up again, and which of it writes nothing yet.
    pub(crate) rebuild: Rebuild,
    /// For each model that writes nothing yet, until when; the nearest first.
    pub(crate) marks: Vec<Mark>,
}

/// Where the readers stood when the former version of models stopped writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The models.
    pub(crate) models: BTreeSet<String>,
    /// By reader, those of the former project.
    pub(crate) readers: BTreeMap<ReaderName, Stand>,
}

/// Where a reader stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stand {
    /// Its watermark.
    pub(crate) watermark: Watermark,
    /// By partition, those that it had begun to read.
    pub(crate) partitions: BTreeMap<i32, Place>,
}

/// Where a reader stood in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Next offset to read.
    pub(crate) position: i64,
    /// Whether it was left out of the reader's watermark.
    pub(crate) is_idle: bool,
}

/// Partitions that are left out of their reader's watermark.
pub(crate) type IdlePartitions = BTreeSet<(ReaderName, i32)>;

/// By reader, the topic that it reads.
pub(super) type Topics = BTreeMap<ReaderName, String>;

impl Course {
    /// What is left to do once the nearest mark is reached.
    pub(crate) fn after_mark(&self) -> Self {
        let mut left = self.clone();
        if !left.marks.is_empty() {
            let reached = left.marks.remove(0);
            left.rebuild.silent.retain(|model| !reached.models.contains(model));
        }
        if left.marks.is_empty() {
            left.rebuild.silent.clear();
        }
        left
    }

    /// The rebuild that takes the place of another, or of none, when the project changes at the
    /// moment of a snapshot.
    pub(super) fn begin(
        rebuild: Rebuild,
        unfinished: Option<&Self>,
        (manifest, idle): (&Manifest, &IdlePartitions),
    ) -> Self {
        let mut marks = Vec::new();
        if let Some(unfinished) = unfinished {
            let Rebuild { models, silent, .. } = &unfinished.rebuild;
            let models = models.difference(silent).cloned().collect();
            marks.push(Mark::of_shadows(models, manifest, idle));
            marks.extend(unfinished.marks.iter().cloned());
        }
        for mark in &mut marks {
            mark.models.retain(|model| rebuild.silent.contains(model));
        }
        let is_unfinished =
            |model: &&String| marks.iter().any(|mark| mark.models.contains(model.as_str()));
        let kept = rebuild.silent.iter().filter(|model| !is_unfinished(model));
        let kept = kept.cloned().collect();
        marks.push(Mark::of_others(kept, manifest, idle));
        marks.retain(|mark| !mark.models.is_empty());
        Self { rebuild, marks }
    }

    /// The marks for the readers of another project; `reset` are those whose event time has got
    /// another meaning. What took the place of a topic lies behind every mark.
    pub(super) fn adapted(
        mut self,
        (then, now): (&Topics, &Topics),
        reset: &BTreeSet<ReaderName>,
    ) -> Self {
        for mark in &mut self.marks {
            mark.readers.retain(|reader, _| now.contains_key(reader));
            for (reader, stand) in &mut mark.readers {
                if reset.contains(reader) {
                    stand.watermark = Watermark::NONE;
                }
                if then.get(reader) != now.get(reader) {
                    stand.partitions.clear();
                }
            }
        }
        self
    }
}

/// The topics of a dataflow's readers.
pub(super) fn topics(dataflow: &Dataflow) -> Topics {
    let sources = dataflow.sources().map(|(_, source)| source);
    sources.map(|source| (source.reader.clone(), source.topic.clone())).collect()
}

impl Mark {
    /// Where the readers of models stand that are not rebuilt.
    fn of_others(models: BTreeSet<String>, manifest: &Manifest, idle: &IdlePartitions) -> Self {
        let readers = manifest.about.readers.iter();
        let readers = readers.filter(|progress| shadow_of(&progress.reader).is_none());
        let stands = readers.map(|progress| (progress.reader.clone(), Stand::of(progress, idle)));
        Self { models, readers: stands.collect() }
    }

    /// Where shadows stand, and the others that rebuilt models read.
    fn of_shadows(models: BTreeSet<String>, manifest: &Manifest, idle: &IdlePartitions) -> Self {
        let mut mark = Self::of_others(models, manifest, idle);
        for progress in &manifest.about.readers {
            if let Some(main) = shadow_of(&progress.reader) {
                mark.readers.insert(main, Stand::of(progress, idle));
            }
        }
        mark
    }
}

impl Stand {
    fn of(progress: &ReaderProgress, idle: &IdlePartitions) -> Self {
        let partitions = progress.partitions.iter().map(|at| {
            let is_idle = idle.contains(&(progress.reader.clone(), at.partition));
            (at.partition, Place { position: at.position, is_idle })
        });
        Self { watermark: progress.watermark, partitions: partitions.collect() }
    }
}

#[cfg(test)]
mod tests;
