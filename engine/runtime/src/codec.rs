//! What the dataflow says of formats, in the codecs' words.
//!
//! Public for tests and benches that run a fold without Kafka.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow_kafka::{
    ColumnSource, ColumnSpec, CsvFormat, CsvOutput, DecodeSpec, EncodeSpec, Encoder, Format,
    JsonFormat, MultisetFormat, NullValue, OutputFormat, TimestampFormat,
};
use connectors::SourceSpec;
use planner::dataflow::{self, ColumnOrigin, Sink, Source, SourceRole};

use crate::error::RuntimeError;

/// How a source's topic is read. `is_carrying`: its topic may forget records.
pub fn source_spec(source: &Source, is_carrying: bool) -> SourceSpec {
    let columns = source
        .columns
        .iter()
        .map(|column| ColumnSpec {
            name: column.name.clone(),
            data_type: column.data_type.clone(),
            source: match &column.from {
                ColumnOrigin::Field(name) => ColumnSource::Value(name.clone()),
                ColumnOrigin::Key => ColumnSource::Key,
                ColumnOrigin::Headers => ColumnSource::Headers,
                ColumnOrigin::Partition => ColumnSource::Partition,
                ColumnOrigin::Offset => ColumnSource::Offset,
                ColumnOrigin::Timestamp => ColumnSource::Timestamp,
            },
        })
        .collect();
    let null_value = match &source.role {
        SourceRole::Stream => NullValue::Skip,
        // A message key names one column; other tombstones have no key that could be read.
        SourceRole::Versioned { key } => match key.as_slice() {
            [key_column] => NullValue::Delete { key_column: *key_column },
            _ => NullValue::Reject,
        },
    };
    SourceSpec {
        source: source.source.clone(),
        topic: source.topic.clone(),
        decode: DecodeSpec { format: format(&source.format, &source.columns), columns, null_value },
        is_carrying,
    }
}

/// How a sink's rows are written.
///
/// # Errors
/// [`RuntimeError::Unsupported`] if a column's type cannot be written: a planner's bug.
pub fn encoder(sink: &Sink, schema: &SchemaRef) -> Result<Encoder, RuntimeError> {
    let spec = EncodeSpec {
        format: output_format(sink),
        key: sink.key,
        ..EncodeSpec::json(Arc::clone(schema))
    };
    Encoder::new(spec).map_err(|error| RuntimeError::Unsupported {
        node: format!("{}/sink", sink.model),
        detail: error.to_string(),
    })
}

fn format(format: &dataflow::Format, columns: &[dataflow::SourceColumn]) -> Format {
    match format {
        dataflow::Format::Json => Format::Json,
        // A CSV source is never pruned: its columns are the record's fields, in order.
        dataflow::Format::Csv { delimiter } => {
            let fields = columns.iter().filter_map(|column| match &column.from {
                ColumnOrigin::Field(name) => Some(name.clone()),
                ColumnOrigin::Key
                | ColumnOrigin::Headers
                | ColumnOrigin::Partition
                | ColumnOrigin::Offset
                | ColumnOrigin::Timestamp => None,
            });
            let fields = fields.collect();
            Format::Csv(CsvFormat { delimiter: *delimiter, ..CsvFormat::new(fields) })
        }
        dataflow::Format::Raw => Format::Raw,
    }
}

fn output_format(sink: &Sink) -> OutputFormat {
    match sink.format {
        dataflow::Format::Json => OutputFormat::Json(JsonFormat {
            timestamp: match sink.timestamps {
                dataflow::TimestampFormat::Iso8601 => TimestampFormat::Iso,
                dataflow::TimestampFormat::Sql => TimestampFormat::Sql,
            },
            multiset: match sink.multiset {
                dataflow::MultisetFormat::Object => MultisetFormat::Object,
                dataflow::MultisetFormat::Array => MultisetFormat::Array,
            },
            ..JsonFormat::default()
        }),
        dataflow::Format::Csv { delimiter } => {
            OutputFormat::Csv(CsvOutput { delimiter, ..CsvOutput::default() })
        }
        dataflow::Format::Raw => OutputFormat::Raw,
    }
}
