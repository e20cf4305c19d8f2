//! A plan as journal and snapshots keep it: the resolved project, and what of it is being rebuilt.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use planner::dataflow::Rebuild;
use serde::{Deserialize, Serialize};
use stream::{ReaderName, Watermark};

use super::course::{Course, Mark, Place, Stand};

/// Begins the first line of a plan that rebuilds models; JSON follows.
const REBUILD: &str = "# rebuild ";

/// Without marks: written before there were any, or by a rebuild that needs none.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RebuildV1 {
    models: BTreeSet<String>,
    silent: BTreeSet<String>,
    readers: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    marks: Vec<MarkV1>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkV1 {
    models: BTreeSet<String>,
    readers: BTreeMap<String, StandV1>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StandV1 {
    watermark: i64,
    partitions: BTreeMap<i32, PlaceV1>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceV1 {
    position: i64,
    is_idle: bool,
}

/// The plan that rebuilds models of a project.
pub(super) fn with_rebuild(project: &str, course: &Course) -> String {
    let Course { rebuild, marks } = course;
    let written = RebuildV1 {
        models: rebuild.models.clone(),
        silent: rebuild.silent.clone(),
        readers: rebuild.readers.iter().map(|reader| reader.0.to_string()).collect(),
        marks: marks.iter().map(MarkV1::of).collect(),
    };
    let line = serde_json::to_string(&written).expect("names and numbers are JSON");
    format!("{REBUILD}{line}\n{project}")
}

/// What is rebuilt, and the project.
pub(super) fn split(text: &str) -> (Option<Course>, &str) {
    let Some((line, project)) = text.strip_prefix(REBUILD).and_then(|rest| rest.split_once('\n'))
    else {
        return (None, text);
    };
    let Ok(read) = serde_json::from_str::<RebuildV1>(line) else { return (None, text) };
    let readers = read.readers.into_iter().map(reader_name);
    let rebuild = Rebuild { models: read.models, silent: read.silent, readers: readers.collect() };
    let marks = read.marks.into_iter().map(MarkV1::into_mark).collect();
    (Some(Course { rebuild, marks }), project)
}

fn reader_name(text: String) -> ReaderName {
    ReaderName(Arc::from(text))
}

impl MarkV1 {
    fn of(mark: &Mark) -> Self {
        let place = |(partition, place): (&i32, &Place)| {
            let Place { position, is_idle } = *place;
            (*partition, PlaceV1 { position, is_idle })
        };
        let stand = |(reader, stand): (&ReaderName, &Stand)| {
            let partitions = stand.partitions.iter().map(place).collect();
            (reader.0.to_string(), StandV1 { watermark: stand.watermark.0, partitions })
        };
        Self { models: mark.models.clone(), readers: mark.readers.iter().map(stand).collect() }
    }

    fn into_mark(self) -> Mark {
        let place = |(partition, place): (i32, PlaceV1)| {
            let PlaceV1 { position, is_idle } = place;
            (partition, Place { position, is_idle })
        };
        let stand = |(reader, stand): (String, StandV1)| {
            let partitions = stand.partitions.into_iter().map(place).collect();
            (reader_name(reader), Stand { watermark: Watermark(stand.watermark), partitions })
        };
        Mark { models: self.models, readers: self.readers.into_iter().map(stand).collect() }
    }
}

#[cfg(test)]
mod tests;
