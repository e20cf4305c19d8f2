//! `sources:` and columns.

use std::time::Duration;

use crate::diagnostic::reference::ReferenceMistake;
use crate::diagnostic::shape::ShapeMistake;
use crate::lower;
use crate::place::Spanned;
use crate::project::source::{
    BeforeFirst, Classification, Column, ColumnTest, EventTime, Format, Freshness, OnError, OnGap,
    Schema, Source, Versioned,
};
use crate::read::{Fields, Found, Reader};
use crate::schema;
use crate::yaml::{Data, Node};

/// The words of `classification:`.
pub(super) const CLASSIFICATIONS: [(&str, Classification); 5] = [
    ("public", Classification::Public),
    ("internal", Classification::Internal),
    ("confidential", Classification::Confidential),
    ("sensitive", Classification::Sensitive),
    ("highly_sensitive", Classification::HighlySensitive),
];

/// One element of `sources:`.
pub(crate) fn source(reader: &mut Reader<'_>, node: &Node) -> Option<Source> {
    let mut fields = Fields::new(reader, node, "source", "a source")?;
    if let Some(advanced) = fields.take(reader, "advanced") {
        fields.add_layer(reader, advanced.node);
    }
    let name = lower::name(reader, &mut fields, "source");
    let topic = fields.required(reader, "topic");
    if let Some(topic) = &topic {
        lower::topic_name(reader, topic);
    }
    let schema = schema(reader, &mut fields, topic.as_ref());
    let format = format(reader, &mut fields);
    let source = SourceParts {
        description: fields.text(reader, "description"),
        owner: fields.string(reader, "owner"),
        tags: fields.strings(reader, "tags"),
        cluster: fields.text(reader, "cluster"),
        columns: columns(reader, &mut fields),
        key: fields.string(reader, "key"),
        event_time: event_time(reader, &mut fields),
        freshness: freshness(reader, &mut fields),
        on_error: on_error(reader, &mut fields),
        on_gap: on_gap(reader, &mut fields),
        versioned: versioned(reader, &mut fields),
    };
    let place = fields.place().clone();
    fields.finish(reader);
    let (name, topic) = (name?, topic?);
    let in_schema = schema.as_ref().map(|(_, format)| format.clone());
    let format = format.or(in_schema).unwrap_or(Spanned::new(Format::Json, place));
    Some(source.build(name, topic, schema.map(|(schema, _)| schema), format))
}

/// A source without what it must have.
struct SourceParts {
    description: Option<String>,
    owner: Option<Spanned<String>>,
    tags: Vec<Spanned<String>>,
    cluster: Option<String>,
    columns: Vec<Column>,
    key: Option<Spanned<String>>,
    event_time: Option<EventTime>,
    freshness: Option<Freshness>,
    on_error: OnError,
    on_gap: OnGap,
    versioned: Versioned,
}

impl SourceParts {
    fn build(
        self,
        name: Spanned<String>,
        topic: Spanned<String>,
        schema: Option<Schema>,
        format: Spanned<Format>,
    ) -> Source {
        Source {
            name,
            topic,
            description: self.description,
            owner: self.owner,
            tags: self.tags,
            cluster: self.cluster,
            columns: self.columns,
            key: self.key,
            format,
            schema,
            event_time: self.event_time.unwrap_or_default(),
            freshness: self.freshness,
            on_error: self.on_error,
            on_gap: self.on_gap,
            versioned: self.versioned,
        }
    }
}

fn on_error(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> OnError {
    let words =
        [("dead_letter", OnError::DeadLetter), ("skip", OnError::Skip), ("fail", OnError::Fail)];
    fields.choice(reader, "on_error", &words).map(|word| word.value).unwrap_or_default()
}

fn on_gap(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> OnGap {
    let words = [("stop", OnGap::Stop), ("earliest", OnGap::Earliest)];
    fields.choice(reader, "on_gap", &words).map(|word| word.value).unwrap_or_default()
}

fn versioned(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Versioned {
    let Some(mut section) = fields.section(reader, "versioned", "versioned") else {
        return Versioned::default();
    };
    // YAML reads a bare `null` as nothing, which is the default anyway.
    let words = [("null", BeforeFirst::Null), ("first", BeforeFirst::First)];
    let before_first = section.choice(reader, "before_first", &words);
    section.finish(reader);
    Versioned { before_first: before_first.map(|word| word.value).unwrap_or_default() }
}

/// `columns:` of a source or a model.
pub(super) fn columns(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for section in fields.sections(reader, "columns", "column") {
        let Some(column) = column(reader, section) else { continue };
        match columns.iter().find(|other| other.name.value == column.name.value) {
            Some(first) => reader.report(ReferenceMistake::DuplicateName {
                kind: "column",
                name: column.name.value,
                at: column.name.place,
                first: first.name.place.clone(),
            }),
            None => columns.push(column),
        }
    }
    columns
}

fn column(reader: &mut Reader<'_>, mut fields: Fields<'_>) -> Option<Column> {
    let name = fields.required(reader, "name");
    if let Some(name) = &name {
        fields.rename(format!("column `{}`", name.value));
    }
    let declared = fields.string(reader, "type").and_then(|text| {
        schema::parse(&text)
            .map(|column_type| Spanned::new(column_type, text.place.clone()))
            .map_err(|reason| {
                let (text, at) = (text.value.clone(), text.place.clone());
                reader.report(ShapeMistake::InvalidType { text, reason, at });
            })
            .ok()
    });
    let description = fields.text(reader, "description");
    let classification = fields.choice(reader, "classification", &CLASSIFICATIONS);
    let proctime = fields.boolean(reader, "proctime");
    let tests = fields.list(reader, "tests");
    let tests = tests.into_iter().filter_map(|node| column_test(reader, node)).collect();
    fields.finish(reader);
    Some(Column {
        name: name?,
        is_nullable: declared.as_ref().is_none_or(|declared| declared.is_nullable),
        data_type: declared.map(|declared| declared.map(|column_type| column_type.data_type)),
        description,
        classification,
        is_proctime: proctime.is_some_and(|proctime| proctime.value),
        tests,
    })
}

fn column_test(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<ColumnTest>> {
    let place = node.place.clone();
    let test = match &node.data {
        Data::Scalar(scalar) if scalar.text == "not_null" => ColumnTest::NotNull,
        Data::Scalar(scalar) if scalar.text == "unique" => ColumnTest::Unique,
        Data::Mapping(entries) if entries.len() == 1 => {
            let found = entries.first().map(Found::of)?;
            match found.key {
                "not_null" => ColumnTest::NotNull,
                "unique" => ColumnTest::Unique,
                "accepted_values" => {
                    let mut fields =
                        Fields::new(reader, found.node, "column test", "`accepted_values`")?;
                    let values = fields.strings(reader, "values");
                    fields.finish(reader);
                    ColumnTest::AcceptedValues(
                        values.into_iter().map(|value| value.value).collect(),
                    )
                }
                "range" => {
                    let mut fields = Fields::new(reader, found.node, "column test", "`range`")?;
                    let min = fields.float(reader, "min").map(|min| min.value);
                    let max = fields.float(reader, "max").map(|max| max.value);
                    fields.finish(reader);
                    ColumnTest::Range { min, max }
                }
                _ => return invalid_column_test(reader, node),
            }
        }
        Data::Scalar(_) | Data::Sequence(_) | Data::Mapping(_) => {
            return invalid_column_test(reader, node);
        }
    };
    Some(Spanned::new(test, place))
}

fn invalid_column_test<T>(reader: &mut Reader<'_>, node: &Node) -> Option<T> {
    reader.invalid("tests", node, "one of `not_null`, `unique`, `accepted_values`, `range`");
    None
}

/// `event_time:` of a source or a model.
pub(super) fn event_time(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<EventTime> {
    let mut section = fields.section(reader, "event_time", "event_time")?;
    let default = EventTime::default();
    let column = section.string(reader, "column");
    let mut out_of_orderness =
        section.duration(reader, "max_out_of_orderness|max_out_of_orderness_ms");
    if let Some(mut watermark) = section.section(reader, "watermark", "watermark") {
        let words = [
            ("bounded_out_of_orderness", false),
            ("monotonously_increasing", true),
            ("monotonous", true),
            ("ascending", true),
        ];
        let strategy = watermark.choice(reader, "strategy", &words);
        let bound = watermark.duration(reader, "max_out_of_orderness|max_out_of_orderness_ms");
        out_of_orderness = bound.or(out_of_orderness);
        if let Some(ascending) = strategy.filter(|is_ascending| is_ascending.value) {
            out_of_orderness = Some(Spanned::new(Duration::ZERO, ascending.place));
        }
        watermark.finish(reader);
    }
    let allowed_lateness = section.duration(reader, "allowed_lateness|allowed_lateness_ms");
    let max_future = section.duration(reader, "max_future");
    let idle_advance = section.duration(reader, "idle_advance");
    section.finish(reader);
    Some(EventTime {
        column,
        out_of_orderness: out_of_orderness.map_or(default.out_of_orderness, |bound| bound.value),
        allowed_lateness: allowed_lateness.map_or(default.allowed_lateness, |late| late.value),
        max_future: max_future.map_or(default.max_future, |future| future.value),
        idle_advance: idle_advance.map(|advance| advance.value),
    })
}

fn freshness(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Freshness> {
    let mut section = fields.section(reader, "freshness", "freshness")?;
    let warn_after = section.duration(reader, "warn_after|warn_after_seconds");
    let error_after =
        section.duration(reader, "error_after|error_after_seconds|max_lag_seconds|max_lag_minutes");
    section.finish(reader);
    Some(Freshness { warn_after, error_after })
}

fn schema(
    reader: &mut Reader<'_>,
    fields: &mut Fields<'_>,
    topic: Option<&Spanned<String>>,
) -> Option<(Schema, Spanned<Format>)> {
    let mut section = fields.section(reader, "schema", "schema")?;
    let place = section.place().clone();
    let words = [("avro", Is::Avro), ("json", Is::Json), ("protobuf", Is::Protobuf)];
    let format = section.choice(reader, "format", &words);
    let registry = section.text(reader, "registry");
    let subject = section.string(reader, "subject");
    let definition = section.string(reader, "definition");
    let version = section.take(reader, "version").and_then(|found| {
        let text = reader.string(found.key, found.node)?;
        let version = text.parse().ok();
        if version.is_none() && text.value != "latest" {
            reader.invalid(found.key, found.node, "a number or `latest`");
        }
        version
    });
    let compatibility = section.text(reader, "compatibility");
    section.finish(reader);
    let subject = subject
        .or_else(|| topic.cloned().map(|topic| topic.map(|name| format!("{name}-value"))))?;
    let format = match format {
        Some(format) => format.map(Is::format),
        None => Spanned::new(Format::Avro, place),
    };
    Some((Schema { registry, subject, definition, version, compatibility }, format))
}

/// A format's name.
#[derive(Clone, Copy)]
enum Is {
    Json,
    Csv,
    Raw,
    Avro,
    Protobuf,
}

impl Is {
    fn format(self) -> Format {
        match self {
            Self::Json => Format::Json,
            Self::Csv => Format::Csv { delimiter: ',' },
            Self::Raw => Format::Raw,
            Self::Avro => Format::Avro,
            Self::Protobuf => Format::Protobuf,
        }
    }
}

/// `format: csv` or `format: {type: csv, delimiter: ";"}`.
fn format(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Spanned<Format>> {
    const WORDS: [(&str, Is); 5] = [
        ("json", Is::Json),
        ("csv", Is::Csv),
        ("raw", Is::Raw),
        ("avro", Is::Avro),
        ("protobuf", Is::Protobuf),
    ];
    let found = fields.take(reader, "format")?;
    if let Data::Scalar(_) = &found.node.data {
        let text = reader.string(found.key, found.node)?;
        let word = WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(&text));
        if word.is_none() {
            reader.invalid("format", found.node, "one of `json`, `csv`, `raw`, `avro`, `protobuf`");
        }
        return word.map(|(_, is)| Spanned::new(is.format(), text.place));
    }
    let mut section = Fields::new(reader, found.node, "format", "`format`")?;
    let is = section.choice(reader, "type", &WORDS);
    let delimiter = section.take(reader, "delimiter").and_then(|found| {
        let text = reader.string(found.key, found.node)?;
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(delimiter), None) if delimiter.is_ascii() => Some(delimiter),
            _ => {
                reader.invalid("delimiter", found.node, "one ASCII character");
                None
            }
        }
    });
    section.finish(reader);
    let format = is?;
    let place = format.place.clone();
    Some(Spanned::new(
        match (format.value, delimiter) {
            (Is::Csv, Some(delimiter)) => Format::Csv { delimiter },
            (other, _) => other.format(),
        },
        place,
    ))
}
