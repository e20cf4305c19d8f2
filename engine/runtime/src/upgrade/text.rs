//! A plan as journal and snapshots keep it: the resolved project, and what of it is being rebuilt.

use std::collections::BTreeSet;
use std::sync::Arc;

use planner::dataflow::Rebuild;
use serde::{Deserialize, Serialize};
use stream::ReaderName;

/// Begins the first line of a plan that rebuilds models; JSON follows.
const REBUILD: &str = "# rebuild ";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RebuildV1 {
    models: BTreeSet<String>,
    silent: BTreeSet<String>,
    readers: BTreeSet<String>,
}

/// The plan that rebuilds models of a project.
pub(super) fn with_rebuild(project: &str, rebuild: &Rebuild) -> String {
    let written = RebuildV1 {
        models: rebuild.models.clone(),
        silent: rebuild.silent.clone(),
        readers: rebuild.readers.iter().map(|reader| reader.0.to_string()).collect(),
    };
    let line = serde_json::to_string(&written).expect("names are JSON texts");
    format!("{REBUILD}{line}\n{project}")
}

/// What is rebuilt, and the project.
pub(super) fn split(text: &str) -> (Option<Rebuild>, &str) {
    let Some((line, project)) = text.strip_prefix(REBUILD).and_then(|rest| rest.split_once('\n'))
    else {
        return (None, text);
    };
    let Ok(read) = serde_json::from_str::<RebuildV1>(line) else { return (None, text) };
    let readers = read.readers.into_iter().map(|reader| ReaderName(Arc::from(reader)));
    let rebuild = Rebuild { models: read.models, silent: read.silent, readers: readers.collect() };
    (Some(rebuild), project)
}

#[cfg(test)]
mod tests;
