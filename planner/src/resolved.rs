//! The resolved project: everything that a dataflow is made of, as text that plans again.
//!
//! Journal and snapshots keep it, so that a later start can tell what has changed and can replay
//! by the plan that wrote. It is a project file as any other: the queries are rendered, and nothing
//! stands in it that no row depends on: no descriptions, no brokers, no variables.
//!
//! **Invariant:** what [`read`] plans of [`write`]'s text has the fingerprint of the project.

use std::collections::BTreeSet;

use catalog::diagnostic::{Diagnostic, Level};
use catalog::load::{LoadOptions, load_texts};
use catalog::project::Project;
use catalog::project::model::{Model, MultisetFormat, TimestampFormat};
use catalog::project::source::{BeforeFirst, Column, EventTime, Format, OnError, OnGap, Source};
use catalog::schema::flink_type_name;
use catalog::template::table_name;
use serde_json::{Map, Value, json};

use crate::dataflow::Dataflow;
use crate::plan::{PlanOptions, plan};

/// The name under which the text is read: that of a root file.
const FILE: &str = "stream_project.yml";

/// Begins the first line of a text that runs a part of the project; the models' names follow.
const SELECT: &str = "# select ";

/// The project as text; `select` are the models that run, all if `None`.
pub fn write(project: &Project, select: Option<&BTreeSet<String>>) -> String {
    let document = json!({
        "project": { "name": project.name },
        "runtime": {
            "engine": { "idle_timeout": milliseconds(project.runtime.engine.idle_timeout) },
        },
        "sources": project.sources.iter().map(source).collect::<Vec<_>>(),
        "models": project.models.iter().map(model).collect::<Vec<_>>(),
    });
    let head = select.map(|names| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        format!("{SELECT}{}\n", names.join(" "))
    });
    // JSON is YAML, and quotes every text.
    format!("{}{document:#}\n", head.unwrap_or_default())
}

/// Plans a text.
///
/// # Errors
/// Why it cannot be planned, for people: another version of the engine wrote it.
pub fn read(text: &str) -> Result<Dataflow, String> {
    let head = text.lines().next().and_then(|line| line.strip_prefix(SELECT));
    let select = head.map(|names| names.split_whitespace().map(str::to_owned).collect());
    let loaded = load_texts(&[(FILE, text)], &LoadOptions::default());
    let first = |diagnostics: &[Diagnostic]| {
        let error = diagnostics.iter().find(|one| one.level == Level::Error);
        error.map_or_else(|| "it has no models".to_owned(), |one| one.message.clone())
    };
    let is_whole = !loaded.has_errors();
    let Some(project) = loaded.project.filter(|_| is_whole) else {
        return Err(first(&loaded.diagnostics));
    };
    let planned = plan(&project, &PlanOptions { select, ..PlanOptions::default() });
    planned.dataflow.ok_or_else(|| first(&planned.diagnostics))
}

fn source(source: &Source) -> Value {
    let mut fields = Map::new();
    let mut set = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    set("name", text(&source.name));
    set("topic", text(&source.topic));
    set("columns", source.columns.iter().map(column).collect());
    set("format", format(&source.format.value));
    set("event_time", event_time(&source.event_time));
    if let Some(key) = &source.key {
        set("key", text(key));
    }
    let on_error = match source.on_error {
        OnError::DeadLetter => "dead_letter",
        OnError::Skip => "skip",
        OnError::Fail => "fail",
    };
    set("on_error", on_error.into());
    let on_gap = match source.on_gap {
        OnGap::Stop => "stop",
        OnGap::Earliest => "earliest",
    };
    set("on_gap", on_gap.into());
    if source.versioned.before_first == BeforeFirst::First {
        set("versioned", json!({ "before_first": "first" }));
    }
    Value::Object(fields)
}

fn column(column: &Column) -> Value {
    let mut fields = Map::from_iter([("name".to_owned(), text(&column.name))]);
    if let Some(data_type) = &column.data_type {
        let not_null = if column.is_nullable { "" } else { " NOT NULL" };
        let name = format!("{}{not_null}", flink_type_name(&data_type.value));
        fields.insert("type".to_owned(), text(&name));
    }
    if column.is_proctime {
        fields.insert("proctime".to_owned(), true.into());
    }
    Value::Object(fields)
}

fn format(format: &Format) -> Value {
    match format {
        Format::Json => "json".into(),
        Format::Csv { delimiter } => json!({ "type": "csv", "delimiter": delimiter.to_string() }),
        Format::Raw => "raw".into(),
        Format::Avro => "avro".into(),
        Format::Protobuf => "protobuf".into(),
    }
}

fn event_time(time: &EventTime) -> Value {
    let mut fields = Map::new();
    let mut set = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    if let Some(column) = &time.column {
        set("column", text(column));
    }
    set("max_out_of_orderness", milliseconds(time.out_of_orderness));
    set("allowed_lateness", milliseconds(time.allowed_lateness));
    set("max_future", milliseconds(time.max_future));
    if let Some(advance) = time.idle_advance {
        set("idle_advance", milliseconds(advance));
    }
    Value::Object(fields)
}

fn model(model: &Model) -> Value {
    let mut fields = Map::new();
    let mut set = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    set("name", text(&model.name));
    set("topic", json!({ "name": text(&model.topic.name) }));
    if let Some(key) = &model.key {
        set("key", text(key));
    }
    if let Some(time) = &model.event_time {
        set("event_time", event_time(time));
    }
    let multiset = match model.format.multiset {
        MultisetFormat::Counts => "counts",
        MultisetFormat::Array => "array",
    };
    let timestamp = match model.format.timestamp {
        TimestampFormat::Sql => "sql",
        TimestampFormat::Iso8601 => "iso8601",
        TimestampFormat::EpochMillis => "epoch_millis",
    };
    set("format", json!({ "multiset": multiset, "timestamp": timestamp }));
    if let Some(sql) = &model.sql {
        // Braces first: what is a template from here on are the references alone.
        let mut query = sql.text.replace('{', "{{ \"{\" }}");
        for reference in &sql.references {
            let function = match reference.kind {
                catalog::project::model::ReferenceKind::Source => "source",
                catalog::project::model::ReferenceKind::Model => "ref",
            };
            let name = table_name(reference.kind, &reference.name);
            let call = format!("{{{{ {function}(\"{}\") }}}}", reference.name);
            query = query.replace(&format!("`{name}`"), &call);
        }
        set("sql", query.into());
    }
    Value::Object(fields)
}

/// A text in which no `${NAME}` is a variable.
fn text(value: &str) -> Value {
    value.replace("${", "$${").into()
}

fn milliseconds(duration: std::time::Duration) -> Value {
    format!("{}ms", duration.as_millis()).into()
}

#[cfg(test)]
mod tests;
