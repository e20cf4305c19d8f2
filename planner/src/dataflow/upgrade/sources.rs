//! What has changed in how sources are read.

use std::collections::BTreeMap;

use catalog::schema::flink_type_name;
use stream::ReaderName;

use super::Weight;
use crate::dataflow::{Dataflow, Source};

/// A change of one reader.
pub(super) struct Change {
    /// Its node in the new dataflow.
    pub(super) node: usize,
    pub(super) reader: ReaderName,
    pub(super) weight: Weight,
    pub(super) text: String,
    /// Whether its watermarks mean nothing any more.
    pub(super) resets: bool,
}

/// What has changed in readers that both have.
pub(super) fn changes(old: &Dataflow, new: &Dataflow) -> Vec<Change> {
    let before: BTreeMap<&ReaderName, &Source> =
        old.sources().map(|(_, source)| (&source.reader, source)).collect();
    let mut changes = Vec::new();
    for (node, source) in new.sources() {
        let Some(was) = before.get(&source.reader) else { continue };
        let mut note = |weight: Weight, text: String, resets: bool| {
            let text = format!("source `{}`: {text}", source.source);
            changes.push(Change { node, reader: source.reader.clone(), weight, text, resets });
        };
        if was.topic != source.topic {
            let text = format!("reads topic `{}` instead of `{}`", source.topic, was.topic);
            note(Weight::Light, text, true);
        }
        if was.format != source.format {
            note(Weight::Light, "its format has changed".to_owned(), true);
        }
        let (then, now) = (event_time(was), event_time(source));
        if then != now {
            note(Weight::Light, format!("its event time is {now} instead of {then}"), true);
        }
        let (then, now) =
            (was.event_time.out_of_orderness_ms, source.event_time.out_of_orderness_ms);
        if then != now {
            let text = format!("its watermark trails by {now} ms instead of {then} ms");
            note(Weight::Accept, text, false);
        }
        for column in &source.columns {
            let then = was.columns.iter().find(|other| other.from == column.from);
            if let Some(then) = then.filter(|then| then.data_type != column.data_type) {
                let (now, then) =
                    (flink_type_name(&column.data_type), flink_type_name(&then.data_type));
                let text = format!("column `{}` is {now} instead of {then}", column.name);
                note(Weight::Light, text, false);
            }
        }
    }
    changes
}

fn event_time(source: &Source) -> String {
    match source.columns.get(source.event_time.column) {
        Some(column) => format!("`{}`", column.name),
        None => "unknown".to_owned(),
    }
}
