//! The event time of each source, and the key and time of each versioned table.
//!
//! Event time is declared, else the column by which models window or join in time, traced through
//! its lineage to the source; else the record's timestamp. One a source: two are a mistake.

use catalog::place::Place;
use catalog::project::source::Source;

use super::facts::{Fact, FactKind};
use super::infer_types::Types;
use crate::diagnostic::{PlanDiagnostic, StreamMistake};
use crate::sql::scope::{Findings, TimeUse};
use arrow::datatypes::{DataType, TimeUnit};
use catalog::schema::flink_type_name;

/// The column that is the event time of each source; `None`: the record's timestamp.
#[derive(Debug, Default)]
pub(crate) struct EventTimes {
    pub(crate) columns: Vec<Option<usize>>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) mistakes: Vec<PlanDiagnostic>,
}

struct Chosen {
    column: usize,
    place: Place,
    text: String,
    is_declared: bool,
}

/// Decides the event time of every source from its declaration and what all models show.
pub(crate) fn infer(sources: &[Source], types: &Types, findings: &[&Findings]) -> EventTimes {
    let mut times = EventTimes::default();
    let mut chosen: Vec<Option<Chosen>> = sources.iter().map(declared).collect();
    for time_use in findings.iter().flat_map(|finding| &finding.time_uses) {
        if let Some(mistake) = take(sources, &mut chosen, time_use) {
            times.mistakes.push(mistake.into());
        }
    }
    for (index, source) in sources.iter().enumerate() {
        let choice = chosen.get(index).and_then(Option::as_ref);
        times.columns.push(choice.map(|choice| choice.column));
        let Some(choice) = choice else { continue };
        let name = source.columns.get(choice.column).map_or("", |column| &column.name.value);
        let data_type = types
            .columns
            .get(index)
            .and_then(|columns| columns.get(choice.column))
            .map_or(DataType::Null, |column| column.data_type.clone());
        if !is_time(&data_type) {
            times.mistakes.push(
                StreamMistake::EventTimeType {
                    source_name: source.name.value.clone(),
                    column: name.to_owned(),
                    data_type: flink_type_name(&data_type),
                    at: choice.place.clone(),
                }
                .into(),
            );
        } else if !choice.is_declared {
            let watermark = duration_text(source.event_time.out_of_orderness);
            times.facts.push(Fact {
                subject: source.name.value.clone(),
                kind: FactKind::EventTime,
                value: format!("`{name}`, watermark {watermark}"),
                reason: choice.text.clone(),
                place: choice.place.clone(),
            });
        }
    }
    for finding in findings {
        for versions in &finding.version_uses {
            let Some(source) = sources.get(versions.source) else { continue };
            let column = times.columns.get(versions.source).copied().flatten();
            let time = match column.and_then(|column| source.columns.get(column)) {
                Some(column) => format!("`{}`", column.name.value),
                None => "record timestamp".to_owned(),
            };
            let key: Vec<&str> = versions
                .key
                .iter()
                .filter_map(|column| source.columns.get(*column))
                .map(|column| column.name.value.as_str())
                .collect();
            let fact = Fact {
                subject: source.name.value.clone(),
                kind: FactKind::Versioned,
                value: format!("by {} at {time}", key.join(", ")),
                reason: "join".to_owned(),
                place: versions.place.clone(),
            };
            let is_known = times.facts.iter().any(|old| {
                old.kind == FactKind::Versioned
                    && old.subject == fact.subject
                    && old.value == fact.value
            });
            if !is_known {
                times.facts.push(fact);
            }
        }
    }
    times
}

fn declared(source: &Source) -> Option<Chosen> {
    let column = source.event_time.column.as_ref()?;
    let position = source.columns.iter().position(|known| known.name.value == column.value)?;
    Some(Chosen {
        column: position,
        place: column.place.clone(),
        text: "declared here".to_owned(),
        is_declared: true,
    })
}

fn take(
    sources: &[Source],
    chosen: &mut [Option<Chosen>],
    time_use: &TimeUse,
) -> Option<StreamMistake> {
    let TimeUse { lineage, column, function, place, computed } = time_use;
    if lineage.is_window_time {
        return None;
    }
    let Some(id) = lineage.is else {
        return Some(StreamMistake::NotEventTime {
            function: (*function).to_owned(),
            column: column.clone(),
            why: "not a source's column passed through unchanged".to_owned(),
            at: place.clone(),
            computed: computed.clone(),
        });
    };
    let (Some(source), Some(slot)) = (sources.get(id.source), chosen.get_mut(id.source)) else {
        return None;
    };
    let name = |column: usize| {
        source.columns.get(column).map_or_else(String::new, |column| column.name.value.clone())
    };
    match slot {
        None => {
            *slot = Some(Chosen {
                column: id.column,
                place: place.clone(),
                text: (*function).to_owned(),
                is_declared: false,
            });
            None
        }
        Some(first) if first.column == id.column => None,
        Some(first) => Some(StreamMistake::TwoEventTimes {
            source_name: source.name.value.clone(),
            first: name(first.column),
            second: name(id.column),
            at: place.clone(),
            before: (
                first.place.clone(),
                if first.is_declared {
                    "declared here".to_owned()
                } else {
                    format!("`{}` in {} here", name(first.column), first.text)
                },
            ),
        }),
    }
}

/// Watermarks count milliseconds.
fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(TimeUnit::Millisecond, _))
}

/// `5s`, `1m30s`, `250ms`.
pub(crate) fn duration_text(duration: std::time::Duration) -> String {
    let ms = duration.as_millis();
    let parts = [
        (ms / 3_600_000, "h"),
        (ms / 60_000 % 60, "m"),
        (ms / 1_000 % 60, "s"),
        (ms % 1_000, "ms"),
    ];
    let mut text = String::new();
    for (count, unit) in parts.iter().filter(|(count, _)| *count > 0) {
        text.push_str(&count.to_string());
        text.push_str(unit);
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}
