//! Sources, and models that are read from their topics.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use catalog::project::source as spec;
use catalog::schema::timestamp;
use datafusion::common::{Result, plan_err};
use stream::ReaderName;

use super::{Lowered, Lowering, Slot};
use crate::dataflow::{
    ChangelogMode, ColumnOrigin, EventTimeSpec, Format, Node, OnError, OnGap, Operator, OperatorId,
    Source, SourceColumn, SourceRole,
};
use crate::logical::watermark::Watermark;
use crate::tables::RECORD_TIMESTAMP;

/// What tells two readers of the project apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SourceKey {
    /// A source's rows, or its versions by a key.
    Source(usize, Option<Vec<String>>),
    /// A model's topic.
    Model(String),
}

/// How a model that is not selected is read.
#[derive(Debug, Clone)]
pub(crate) struct ModelTopic {
    pub(crate) topic: String,
    pub(crate) schema: SchemaRef,
    /// Its time attribute among its columns.
    pub(crate) time: Option<usize>,
    pub(crate) event_time: spec::EventTime,
}

impl Lowering<'_> {
    /// The rows of a source below a watermark.
    pub(super) fn source(
        &mut self,
        watermark: &Watermark,
        wanted: &BTreeSet<usize>,
    ) -> Result<Lowered> {
        let Some(source) = self.context.sources.get(watermark.source) else {
            return plan_err!("no source {}", watermark.source);
        };
        let key = SourceKey::Source(watermark.source, watermark.version_key.clone());
        let hidden = source.columns.len();
        let time = self.context.event_times.get(watermark.source).copied().flatten();
        let time = time.unwrap_or(hidden);
        // Positions among the source's declared columns; the record's timestamp comes after them.
        let schema = datafusion::logical_expr::UserDefinedLogicalNodeCore::schema(watermark);
        let positions: Vec<Option<usize>> = schema
            .fields()
            .iter()
            .map(|field| {
                if field.name() == RECORD_TIMESTAMP {
                    return Some(hidden);
                }
                source.columns.iter().position(|column| column.name.value == *field.name())
            })
            .collect();
        let mut read: BTreeSet<usize> =
            wanted.iter().filter_map(|column| positions.get(*column).copied().flatten()).collect();
        read.insert(time);
        for name in watermark.version_key.iter().flatten() {
            read.extend(source.columns.iter().position(|column| column.name.value == *name));
        }
        let columns = self.remember(&key, read);
        let place = |position: usize| columns.iter().position(|column| *column == position);
        let slots = positions
            .iter()
            .map(|position| position.and_then(place).map_or(Slot::Absent, Slot::Column))
            .collect();
        let allowed_lateness_ms = milliseconds(source.event_time.allowed_lateness);
        let node = match self.source_nodes.get(&key) {
            Some(node) => *node,
            None => self.add_source(watermark, source, &columns, time)?,
        };
        Ok(Lowered { node, slots, allowed_lateness_ms })
    }

    fn add_source(
        &mut self,
        watermark: &Watermark,
        source: &spec::Source,
        columns: &[usize],
        time: usize,
    ) -> Result<usize> {
        let types = watermark_types(watermark);
        let mut read = Vec::with_capacity(columns.len());
        let mut fields = Vec::with_capacity(columns.len());
        for position in columns {
            let (name, from) = match source.columns.get(*position) {
                Some(column) => {
                    let name = column.name.value.clone();
                    (name.clone(), ColumnOrigin::Field(name))
                }
                None => (RECORD_TIMESTAMP.to_owned(), ColumnOrigin::Timestamp),
            };
            let field = types.iter().find(|field| *field.name() == name);
            let Some(field) = field else { return plan_err!("no column `{name}`") };
            let data_type = field.data_type().clone();
            fields.push(Field::new(&name, data_type.clone(), field.is_nullable()));
            read.push(SourceColumn { name, data_type, from });
        }
        let index = |name: &str| read.iter().position(|column| column.name == name);
        let (name, role) = match &watermark.version_key {
            None => (source.name.value.clone(), SourceRole::Stream),
            Some(key) => {
                let positions = key.iter().filter_map(|name| index(name)).collect();
                let name = format!("{}@{}", source.name.value, key.join(","));
                (name, SourceRole::Versioned { key: positions })
            }
        };
        let time = columns.iter().position(|column| *column == time);
        let Some(column) = time else { return plan_err!("no event time") };
        let operator = Source {
            reader: ReaderName(Arc::from(name.as_str())),
            source: source.name.value.clone(),
            topic: source.topic.value.clone(),
            format: format(&source.format.value)?,
            columns: read,
            event_time: event_time(column, &source.event_time, self.context.idle_timeout_ms),
            role,
            on_error: match source.on_error {
                spec::OnError::DeadLetter => OnError::DeadLetter,
                spec::OnError::Skip => OnError::Skip,
                spec::OnError::Fail => OnError::Fail,
            },
            on_gap: match source.on_gap {
                spec::OnGap::Stop => OnGap::Stop,
                spec::OnGap::Earliest => OnGap::Earliest,
            },
        };
        let key = SourceKey::Source(watermark.source, watermark.version_key.clone());
        Ok(self.add_reader(key, &name, fields, operator))
    }

    /// The rows of a model that this dataflow does not compute.
    pub(super) fn model_topic(
        &mut self,
        model: &str,
        projection: Option<&[usize]>,
        wanted: &BTreeSet<usize>,
    ) -> Result<Lowered> {
        let Some(topic) = self.context.model_topics.get(model) else {
            return plan_err!("model `{model}` has no plan");
        };
        let hidden = topic.schema.fields().len();
        let time = topic.time.unwrap_or(hidden);
        let mut read: BTreeSet<usize> = match projection {
            Some(columns) => {
                wanted.iter().filter_map(|column| columns.get(*column).copied()).collect()
            }
            None => wanted.clone(),
        };
        read.insert(time);
        let key = SourceKey::Model(model.to_owned());
        let columns = self.remember(&key, read);
        let slots = (0..hidden)
            .map(|position| {
                let place = columns.iter().position(|column| *column == position);
                place.map_or(Slot::Absent, Slot::Column)
            })
            .collect();
        let allowed_lateness_ms = milliseconds(topic.event_time.allowed_lateness);
        if let Some(node) = self.source_nodes.get(&key) {
            return Ok(Lowered { node: *node, slots, allowed_lateness_ms });
        }
        let mut read = Vec::new();
        let mut fields = Vec::new();
        for position in &columns {
            let (name, data_type, from) = match topic.schema.fields().get(*position) {
                Some(field) => {
                    let name = field.name().clone();
                    (name.clone(), field.data_type().clone(), ColumnOrigin::Field(name))
                }
                None => (RECORD_TIMESTAMP.to_owned(), record_timestamp(), ColumnOrigin::Timestamp),
            };
            fields.push(Field::new(&name, data_type.clone(), *position != hidden));
            read.push(SourceColumn { name, data_type, from });
        }
        let Some(column) = columns.iter().position(|column| *column == time) else {
            return plan_err!("no event time");
        };
        let name = format!("model.{model}");
        let operator = Source {
            reader: ReaderName(Arc::from(name.as_str())),
            source: model.to_owned(),
            topic: topic.topic.clone(),
            format: Format::Json,
            columns: read,
            event_time: event_time(column, &topic.event_time, self.context.idle_timeout_ms),
            role: SourceRole::Stream,
            on_error: OnError::DeadLetter,
            on_gap: OnGap::Stop,
        };
        let node = self.add_reader(key, &name, fields, operator);
        Ok(Lowered { node, slots, allowed_lateness_ms })
    }

    /// Notes what is read; gives the columns that the node has, in order.
    fn remember(&mut self, key: &SourceKey, read: BTreeSet<usize>) -> Vec<usize> {
        let known = self.columns.get(key).cloned().unwrap_or_else(|| read.clone());
        self.read.entry(key.clone()).or_default().extend(read);
        known.into_iter().collect()
    }

    fn add_reader(
        &mut self,
        key: SourceKey,
        name: &str,
        fields: Vec<Field>,
        operator: Source,
    ) -> usize {
        self.nodes.push(Node {
            id: OperatorId(format!("source/{name}")),
            inputs: Vec::new(),
            schema: Arc::new(Schema::new(fields)),
            mode: ChangelogMode::Append,
            time_attribute: Some(operator.event_time.column),
            operator: Operator::Source(operator),
        });
        self.source_nodes.insert(key, self.nodes.len() - 1);
        self.nodes.len() - 1
    }
}

/// All columns of the scan, with their types.
fn watermark_types(watermark: &Watermark) -> Vec<arrow::datatypes::FieldRef> {
    match &watermark.input {
        datafusion::logical_expr::LogicalPlan::TableScan(scan) => {
            scan.source.schema().fields().iter().map(Arc::clone).collect()
        }
        other => other.schema().fields().iter().map(Arc::clone).collect(),
    }
}

/// Type of a record's timestamp.
pub(crate) fn record_timestamp() -> DataType {
    timestamp(3, true)
}

fn format(format: &spec::Format) -> Result<Format> {
    match format {
        spec::Format::Json => Ok(Format::Json),
        // The catalog takes ASCII only.
        spec::Format::Csv { delimiter } => {
            Ok(Format::Csv { delimiter: u8::try_from(*delimiter).unwrap_or(b',') })
        }
        spec::Format::Raw => Ok(Format::Raw),
        spec::Format::Avro => plan_err!("format avro is not supported yet"),
        spec::Format::Protobuf => plan_err!("format protobuf is not supported yet"),
    }
}

fn event_time(column: usize, declared: &spec::EventTime, idle_timeout_ms: i64) -> EventTimeSpec {
    EventTimeSpec {
        column,
        out_of_orderness_ms: milliseconds(declared.out_of_orderness),
        max_future_ms: milliseconds(declared.max_future),
        idle_advance_ms: declared.idle_advance.map(milliseconds),
        idle_timeout_ms,
    }
}

/// Whole milliseconds; a duration beyond 292 million years is cut.
pub(crate) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
