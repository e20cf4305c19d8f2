//! What a run read and wrote: its summary.

use comfy_table::{CellAlignment, ContentArrangement, Table};
use planner::dataflow::{Dataflow, Source};
use runtime::fold::{Counters, ModelCounters, SourceCounters};
use serde_json::{Value, json};

use super::Append;

/// The readers and models of a dataflow, in its order: what has a row in every table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    /// Name of the reader, and the source's, which people know; the reader's own where a source
    /// has several.
    pub(super) readers: Vec<(String, String)>,
    pub(super) models: Vec<String>,
}

impl Rows {
    pub(crate) fn of(dataflow: &Dataflow) -> Self {
        let readers_of =
            |name: &str| dataflow.sources().filter(|(_, source)| source.source == name).count();
        let reader = |source: &Source| {
            let reader = source.reader.0.to_string();
            let is_only = readers_of(&source.source) == 1;
            let shown = if is_only { source.source.clone() } else { reader.clone() };
            (reader, shown)
        };
        Self {
            readers: dataflow.sources().map(|(_, source)| reader(source)).collect(),
            models: dataflow.sinks().map(|(_, sink)| sink.model.clone()).collect(),
        }
    }
}

/// What was counted, row by row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(super) sources: Vec<(String, SourceCounters)>,
    pub(super) models: Vec<(String, ModelCounters)>,
}

impl Summary {
    pub(crate) fn of(counters: &Counters, rows: &Rows) -> Self {
        let source = |name: &String| counters.sources.get(name).copied().unwrap_or_default();
        let model = |name: &String| counters.models.get(name).copied().unwrap_or_default();
        Self {
            sources: rows
                .readers
                .iter()
                .map(|(reader, shown)| (shown.clone(), source(reader)))
                .collect(),
            models: rows.models.iter().map(|name| (name.clone(), model(name))).collect(),
        }
    }

    /// What retention took from each source before it was read.
    pub(crate) fn gaps(&self) -> impl Iterator<Item = String> {
        let gone = self.sources.iter().filter(|(_, counted)| counted.passed_over > 0);
        gone.map(|(name, counted)| {
            let offsets = counted.passed_over;
            format!("{name}: {offsets} offsets were gone before they were read (on_gap: earliest)")
        })
    }

    /// One `key=value` line for each source and each model.
    pub(crate) fn lines(&self) -> String {
        let mut text = String::new();
        for (name, counted) in &self.sources {
            let mut line = format!("source={name} read={}", counted.records);
            optional(
                &mut line,
                &[("rejected", counted.rejected), ("null_time", counted.null_time)],
            );
            optional(
                &mut line,
                &[("future", counted.future), ("null_values", counted.nulls_skipped)],
            );
            optional(&mut line, &[("passed_over", counted.passed_over)]);
            let dead_lettered = discarded_by_source(counted);
            text.append(format_args!("{line} dead_lettered={dead_lettered}\n"));
        }
        for (name, counted) in &self.models {
            let mut line = format!(
                "model={name} read={} wrote={} late={}",
                counted.rows_in,
                counted.rows_out,
                late(counted)
            );
            optional(&mut line, &[("failed", counted.failed)]);
            optional(&mut line, &[("without_version", counted.rows_without_version)]);
            let dead_lettered = discarded_by_model(counted);
            text.append(format_args!("{line} dead_lettered={dead_lettered}\n"));
        }
        text
    }

    /// The same as a table.
    pub(crate) fn table(&self, width: Option<u16>) -> String {
        let mut table = bare_table(width);
        table.set_header(["", "read", "wrote", "late", "dead-lettered"]);
        for (name, counted) in &self.sources {
            let dead = discarded_by_source(counted).to_string();
            table.add_row([name.clone(), counted.records.to_string(), dash(), dash(), dead]);
        }
        for (name, counted) in &self.models {
            table.add_row([
                name.clone(),
                counted.rows_in.to_string(),
                counted.rows_out.to_string(),
                late(counted).to_string(),
                discarded_by_model(counted).to_string(),
            ]);
        }
        right_align(&mut table);
        format!("{table}\n")
    }

    /// The same as values, one a source and one a model.
    pub(crate) fn json(&self) -> Vec<Value> {
        let sources = self.sources.iter().map(|(name, counted)| {
            json!({
                "type": "source", "name": name, "read": counted.records,
                "rejected": counted.rejected, "null_time": counted.null_time,
                "future": counted.future, "null_values": counted.nulls_skipped,
                "passed_over": counted.passed_over,
                "dead_lettered": discarded_by_source(counted),
            })
        });
        let models = self.models.iter().map(|(name, counted)| {
            json!({
                "type": "model", "name": name, "read": counted.rows_in,
                "wrote": counted.rows_out, "late": late(counted), "failed": counted.failed,
                "without_version": counted.rows_without_version,
                "dead_lettered": discarded_by_model(counted),
            })
        });
        sources.chain(models).collect()
    }
}

/// Rows whose window was over, by the watermark or by `--close-windows`.
pub(super) fn late(counted: &ModelCounters) -> u64 {
    counted.late + counted.closed_by_user
}

fn discarded_by_model(counted: &ModelCounters) -> u64 {
    late(counted) + counted.failed
}

fn discarded_by_source(counted: &SourceCounters) -> u64 {
    counted.rejected + counted.null_time + counted.future
}

fn optional(line: &mut String, counters: &[(&str, u64)]) {
    for (name, value) in counters {
        if *value > 0 {
            line.append(format_args!(" {name}={value}"));
        }
    }
}

pub(super) fn dash() -> String {
    "–".to_owned()
}

pub(super) fn bare_table(width: Option<u16>) -> Table {
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = width {
        table.set_width(width);
    }
    table
}

pub(super) fn right_align(table: &mut Table) {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

#[cfg(test)]
mod tests;
