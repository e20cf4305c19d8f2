//! The project's sources and models, as each stage of planning sees them.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use catalog::project::Project;
use catalog::project::model::{self as spec, Model};

use super::{KnownTable, KnownTables, TypedTables, event_time, infer_types, source_column};
use crate::dataflow::lower::{milliseconds, record_timestamp};
use crate::dataflow::{Format, MultisetFormat, Sink, TimestampFormat};
use crate::functions::FunctionRegistry;
use crate::tables::{PlanContext, RECORD_TIMESTAMP, SourceTime, SourceTimes, Table, TableOrigin};

/// Sources for name resolution, before types are known.
pub(super) fn known_sources(project: &Project) -> KnownTables {
    let mut tables = KnownTables::new();
    for (index, source) in project.sources.iter().enumerate() {
        let columns = source.columns.iter().enumerate();
        let table = KnownTable {
            name: source.name.value.clone(),
            word: "source",
            source: Some(index),
            key: source.key.as_ref().map(|key| (key.value.clone(), key.place.clone())),
            columns: columns.map(|(column, spec)| source_column(index, column, spec)).collect(),
            place: source.name.place.clone(),
            is_open: false,
        };
        tables.insert(format!("source.{}", source.name.value), table);
    }
    tables
}

/// Sources with their types, for DataFusion.
pub(super) fn context(
    project: &Project,
    types: &infer_types::Types,
    times: &event_time::EventTimes,
    functions: &Arc<FunctionRegistry>,
) -> PlanContext {
    let mut tables = TypedTables::new();
    let mut sources = SourceTimes::new();
    for (index, source) in project.sources.iter().enumerate() {
        let types = types.columns.get(index).map_or(&[][..], Vec::as_slice);
        let columns = source.columns.iter().zip(types);
        let mut fields: Vec<Field> = columns
            .map(|(column, typed)| {
                Field::new(&column.name.value, typed.data_type.clone(), typed.is_nullable)
            })
            .collect();
        let origin = TableOrigin::Source(index);
        let visible =
            Table { origin: origin.clone(), schema: Arc::new(Schema::new(fields.clone())) };
        fields.push(Field::new(RECORD_TIMESTAMP, record_timestamp(), false));
        let with_hidden = Arc::new(Table { origin, schema: Arc::new(Schema::new(fields)) });
        let time = times.columns.get(index).copied().flatten();
        let column = time
            .and_then(|column| source.columns.get(column))
            .map_or(RECORD_TIMESTAMP, |column| column.name.value.as_str());
        let name = format!("source.{}", source.name.value);
        sources.insert(
            name.clone(),
            SourceTime {
                column: column.to_owned(),
                out_of_orderness_ms: milliseconds(source.event_time.out_of_orderness),
                key: source.key.as_ref().map(|key| key.value.clone()),
                with_hidden,
            },
        );
        tables.insert(name, Arc::new(visible));
    }
    PlanContext::new(tables, sources, Arc::clone(functions))
}

/// A model's sink.
pub(super) fn sink(model: &Model, schema: &SchemaRef) -> Sink {
    let position = |name: &str| schema.fields().iter().position(|field| field.name() == name);
    Sink {
        model: model.name.value.clone(),
        topic: model.topic.name.value.clone(),
        key: model.key.as_ref().and_then(|key| position(&key.value)),
        format: Format::Json,
        multiset: match model.format.multiset {
            spec::MultisetFormat::Counts => MultisetFormat::Object,
            spec::MultisetFormat::Array => MultisetFormat::Array,
        },
        timestamps: match model.format.timestamp {
            spec::TimestampFormat::Sql => TimestampFormat::Sql,
            // The checks refuse epoch milliseconds.
            spec::TimestampFormat::Iso8601 | spec::TimestampFormat::EpochMillis => {
                TimestampFormat::Iso8601
            }
        },
        partitions: model.topic.partitions.as_ref().and_then(|n| i32::try_from(n.value).ok()),
        replication_factor: model
            .topic
            .replication_factor
            .as_ref()
            .map(|factor| i32::from(factor.value)),
        config: model
            .topic
            .config
            .iter()
            .map(|(key, value)| (key.clone(), value.value.clone()))
            .collect(),
    }
}
