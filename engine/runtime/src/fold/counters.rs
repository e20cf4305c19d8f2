//! What the fold counts, per source and per model.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, UInt64Type};
use planner::dataflow::{Dataflow, Operator};
use state::Table;

use crate::operator::{DiscardReason, OperatorError, Output};

/// Name of the counters' table.
pub(super) const TABLE: &str = "counters";

/// What was counted since the state was empty. Deterministic, as all of the fold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// By reader.
    pub sources: BTreeMap<String, SourceCounters>,
    /// By model.
    pub models: BTreeMap<String, ModelCounters>,
}

/// What a reader met.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SourceCounters {
    /// Records read, whatever became of them.
    pub records: u64,
    /// Records that could not be read.
    pub rejected: u64,
    /// Null values on a plain stream.
    pub nulls_skipped: u64,
    /// Rows without event time.
    pub null_time: u64,
    /// Rows with an event time too far in the future.
    pub future: u64,
    /// Offsets that retention took before they were read (`on_gap: earliest`). Of a run: the journal
    /// does not say, so it is no part of the state.
    pub passed_over: u64,
}

/// What a model did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ModelCounters {
    /// Rows that arrived from sources and other models (versions not counted).
    pub rows_in: u64,
    /// Rows written.
    pub rows_out: u64,
    /// Rows whose window was over.
    pub late: u64,
    /// Rows whose window was closed by `--close-windows`.
    pub closed_by_user: u64,
    /// Rows on which an expression failed.
    pub failed: u64,
    /// Rows of temporal joins that found no version.
    pub rows_without_version: u64,
}

impl SourceCounters {
    /// Those of the state.
    fn values(&mut self) -> [(&'static str, &mut u64); 5] {
        [
            ("records", &mut self.records),
            ("rejected", &mut self.rejected),
            ("nulls_skipped", &mut self.nulls_skipped),
            ("null_time", &mut self.null_time),
            ("future", &mut self.future),
        ]
    }
}

impl ModelCounters {
    fn values(&mut self) -> [(&'static str, &mut u64); 6] {
        [
            ("rows_in", &mut self.rows_in),
            ("rows_out", &mut self.rows_out),
            ("late", &mut self.late),
            ("closed_by_user", &mut self.closed_by_user),
            ("failed", &mut self.failed),
            ("rows_without_version", &mut self.rows_without_version),
        ]
    }
}

impl Counters {
    /// Counters at zero, and for each node the name under which it is counted.
    pub(super) fn of(dataflow: &Dataflow) -> (Self, Vec<String>) {
        let mut counters = Self::default();
        let mut names = Vec::with_capacity(dataflow.nodes.len());
        for node in &dataflow.nodes {
            let name = match &node.operator {
                Operator::Source(source) => {
                    let name = source.reader.0.to_string();
                    counters.sources.entry(name.clone()).or_default();
                    name
                }
                Operator::Filter(_)
                | Operator::Project(_)
                | Operator::TemporalJoin(_)
                | Operator::WindowAggregate(_)
                | Operator::Sink(_) => {
                    let name = node.id.model().to_owned();
                    counters.models.entry(name.clone()).or_default();
                    name
                }
            };
            names.push(name);
        }
        (counters, names)
    }

    /// What was counted since `base` was taken.
    #[must_use]
    pub fn since(&self, base: &Self) -> Self {
        let mut counters = self.clone();
        for (name, source) in &mut counters.sources {
            let mut base = base.sources.get(name).copied().unwrap_or_default();
            subtract(source.values(), base.values());
        }
        for (name, model) in &mut counters.models {
            let mut base = base.models.get(name).copied().unwrap_or_default();
            subtract(model.values(), base.values());
        }
        counters
    }

    /// What was counted here and there together.
    #[must_use]
    pub(crate) fn plus(&self, other: &Self) -> Self {
        let mut counters = self.clone();
        for (name, source) in &other.sources {
            let mut other = *source;
            let source = counters.source(name);
            source.passed_over += other.passed_over;
            add(source.values(), other.values());
        }
        for (name, model) in &other.models {
            let mut other = *model;
            add(counters.model(name).values(), other.values());
        }
        counters
    }

    pub(crate) fn source(&mut self, name: &str) -> &mut SourceCounters {
        self.sources.entry(name.to_owned()).or_default()
    }

    pub(super) fn model(&mut self, name: &str) -> &mut ModelCounters {
        self.models.entry(name.to_owned()).or_default()
    }

    pub(super) fn discarded(&mut self, model: &str, output: &Output) {
        if output.discarded.is_empty() && output.rows_without_version == 0 {
            return;
        }
        let model = self.model(model);
        model.rows_without_version += output.rows_without_version;
        for discarded in &output.discarded {
            let rows = discarded.rows.num_rows() as u64;
            match discarded.reason {
                DiscardReason::Late => model.late += rows,
                DiscardReason::ClosedByUser => model.closed_by_user += rows,
                DiscardReason::Failed => model.failed += rows,
            }
        }
    }

    /// All counters.
    ///
    /// # Shape
    /// `owner` Utf8, `counter` Utf8, `value` UInt64, none null. Owners are `source NAME` and
    /// `model NAME`.
    pub(super) fn table(&self) -> Table {
        let mut copy = self.clone();
        let mut rows: Vec<(String, &'static str, u64)> = Vec::new();
        for (name, counters) in &mut copy.sources {
            rows.extend(
                counters
                    .values()
                    .map(|(counter, value)| (format!("source {name}"), counter, *value)),
            );
        }
        for (name, counters) in &mut copy.models {
            rows.extend(
                counters
                    .values()
                    .map(|(counter, value)| (format!("model {name}"), counter, *value)),
            );
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.0))),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1))),
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.2))),
        ];
        let schema = Arc::new(Schema::new(vec![
            Field::new("owner", DataType::Utf8, false),
            Field::new("counter", DataType::Utf8, false),
            Field::new("value", DataType::UInt64, false),
        ]));
        let batch =
            RecordBatch::try_new(schema, columns).expect("the columns are those of the schema");
        Table::of(TABLE, batch)
    }

    pub(super) fn restore(&mut self, table: &Table) -> Result<(), OperatorError> {
        let misfit = || OperatorError::State {
            operator: TABLE.to_owned(),
            detail: format!("table `{}` is not the counters' table", table.name),
        };
        for batch in &table.batches {
            let owners = batch.column(0).as_string_opt::<i32>().ok_or_else(misfit)?;
            let names = batch.column(1).as_string_opt::<i32>().ok_or_else(misfit)?;
            let values = batch.column(2).as_primitive_opt::<UInt64Type>().ok_or_else(misfit)?;
            for row in 0..batch.num_rows() {
                let value = values.value(row);
                if let Some(name) = owners.value(row).strip_prefix("source ") {
                    let mut counters = self.sources.remove(name).unwrap_or_default();
                    set(counters.values(), names.value(row), value);
                    self.sources.insert(name.to_owned(), counters);
                } else if let Some(name) = owners.value(row).strip_prefix("model ") {
                    let mut counters = self.models.remove(name).unwrap_or_default();
                    set(counters.values(), names.value(row), value);
                    self.models.insert(name.to_owned(), counters);
                }
            }
        }
        Ok(())
    }
}

fn set<const N: usize>(counters: [(&'static str, &mut u64); N], name: &str, value: u64) {
    for (counter, slot) in counters {
        if counter == name {
            *slot = value;
        }
    }
}

fn add<const N: usize>(
    counters: [(&'static str, &mut u64); N],
    other: [(&'static str, &mut u64); N],
) {
    for ((_, value), (_, other)) in counters.into_iter().zip(other) {
        *value += *other;
    }
}

fn subtract<const N: usize>(
    counters: [(&'static str, &mut u64); N],
    base: [(&'static str, &mut u64); N],
) {
    for ((_, value), (_, base)) in counters.into_iter().zip(base) {
        *value -= *base;
    }
}
