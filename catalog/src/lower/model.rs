//! `models:`.

use std::collections::BTreeMap;

use crate::diagnostic::demand::DemandMistake;
use crate::diagnostic::shape::ShapeMistake;
use crate::lower::source::{columns, event_time};
use crate::lower::{self, Names};
use crate::place::Spanned;
use crate::project::Defaults;
use crate::project::model::{
    Access, Deprecation, Mask, MaskMethod, Materialized, Model, ModelEngine, MultisetFormat,
    OutputFormat, Security, Sink, TimestampFormat, Topic,
};
use crate::project::secret::Secret;
use crate::read::{Fields, Reader};
use crate::template::{Sql, Templates};
use crate::yaml::{Data, Node};

/// What a model is lowered with.
pub(crate) struct ModelContext<'a> {
    pub(crate) names: &'a Names,
    pub(crate) defaults: &'a Defaults,
    pub(crate) templates: &'a Templates,
}

/// One element of `models:`.
pub(crate) fn model(
    reader: &mut Reader<'_>,
    node: &Node,
    context: &ModelContext<'_>,
) -> Option<Model> {
    let mut fields = Fields::new(reader, node, "model", "a model")?;
    if let Some(advanced) = fields.take(reader, "advanced") {
        fields.add_layer(reader, advanced.node);
    }
    let name = lower::name(reader, &mut fields, "model");
    let materialized = materialized(reader, &mut fields);
    let topic = topic(reader, &mut fields, name.as_ref(), context.defaults);
    let sql = sql(reader, &mut fields, (name.as_ref(), topic.as_ref()), context.templates);
    let from = lower::references(reader, &mut fields, "from", context.names);
    let sink = sink(reader, &mut fields, materialized.as_ref());
    let (access, access_groups) = access(reader, &mut fields);
    let description = fields.text(reader, "description");
    let owner = fields.string(reader, "owner");
    let tags = fields.strings(reader, "tags");
    let key = fields.string(reader, "key");
    let columns = columns(reader, &mut fields);
    let engine = engine(reader, &mut fields);
    let event_time = event_time(reader, &mut fields);
    let format = format(reader, &mut fields);
    let group = fields.string(reader, "group");
    let version = fields.integer::<u32>(reader, "version");
    let deprecation = deprecation(reader, &mut fields);
    let security = security(reader, &mut fields);
    fields.finish(reader);
    let name = name?;
    if matches!(sql, Query::Absent) && from.is_empty() {
        let (model, at) = (name.value.clone(), name.place.clone());
        reader.report(ShapeMistake::NoQuery { model, at });
    }
    Some(Model {
        topic: topic?,
        sql: sql.rendered(),
        name,
        description,
        owner,
        tags,
        materialized,
        key,
        columns,
        engine,
        event_time,
        format,
        from,
        sink,
        access,
        access_groups,
        group,
        version: version.map(|version| version.value),
        deprecation,
        security,
    })
}

fn materialized(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Spanned<Materialized>> {
    let words = [
        ("topic", Materialized::Topic),
        ("virtual_topic", Materialized::VirtualTopic),
        ("flink", Materialized::Flink),
        ("sink", Materialized::Sink),
    ];
    fields.choice(reader, "materialized", &words)
}

/// What became of `sql:`.
enum Query {
    Absent,
    /// Reported.
    Broken,
    Rendered(Sql),
}

impl Query {
    fn rendered(self) -> Option<Sql> {
        match self {
            Self::Absent | Self::Broken => None,
            Self::Rendered(sql) => Some(sql),
        }
    }
}

fn sql(
    reader: &mut Reader<'_>,
    fields: &mut Fields<'_>,
    (name, topic): (Option<&Spanned<String>>, Option<&Topic>),
    templates: &Templates,
) -> Query {
    let Some(found) = fields.take(reader, "sql") else { return Query::Absent };
    let Some((node, scalar)) = found.raw(reader) else { return Query::Broken };
    let mut this = BTreeMap::new();
    this.extend(name.map(|name| ("name", name.value.clone())));
    this.extend(topic.map(|topic| ("topic", topic.name.value.clone())));
    let sql = templates.render((node, scalar), reader.files, &this, &mut reader.mistakes);
    sql.map_or(Query::Broken, Query::Rendered)
}

fn topic(
    reader: &mut Reader<'_>,
    fields: &mut Fields<'_>,
    model: Option<&Spanned<String>>,
    defaults: &Defaults,
) -> Option<Topic> {
    let mut config = defaults.topic_config.clone();
    let (mut partitions, mut replication_factor, mut name) = (None, None, None);
    if let Some(mut section) = fields.section(reader, "topic", "topic") {
        name = section.string(reader, "name");
        partitions = section.integer_from::<u32>(reader, "partitions", 1);
        replication_factor = section.integer_from::<u16>(reader, "replication_factor", 1);
        config.extend(section.settings(reader, "config"));
        section.finish(reader);
    }
    if let Some(name) = &name {
        lower::topic_name(reader, name);
    }
    Some(Topic {
        name: name.or_else(|| model.cloned())?,
        partitions: partitions.or_else(|| defaults.partitions.clone()),
        replication_factor: replication_factor.or_else(|| defaults.replication_factor.clone()),
        config,
    })
}

fn engine(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> ModelEngine {
    let Some(mut section) = fields.section(reader, "engine|flink", "engine") else {
        return ModelEngine::default();
    };
    let parallelism = section.integer_from::<u32>(reader, "parallelism", 1);
    let checkpoint_interval =
        section.duration(reader, "checkpoint_interval|checkpoint_interval_ms");
    let state_ttl = section.duration(reader, "state_ttl|state_ttl_ms");
    if let Some(ttl) = state_ttl.as_ref().filter(|ttl| ttl.is_zero()) {
        reader.report(ShapeMistake::InvalidValue {
            key: "state_ttl".to_owned(),
            value: "0".to_owned(),
            expected: "more than zero".to_owned(),
            at: ttl.place.clone(),
        });
    }
    section.finish(reader);
    ModelEngine { parallelism, checkpoint_interval, state_ttl }
}

fn format(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> OutputFormat {
    let Some(mut section) = fields.section(reader, "format", "format") else {
        return OutputFormat::default();
    };
    let multisets = [("counts", MultisetFormat::Counts), ("array", MultisetFormat::Array)];
    let timestamps = [
        ("sql", TimestampFormat::Sql),
        ("iso8601", TimestampFormat::Iso8601),
        ("iso-8601", TimestampFormat::Iso8601),
        ("epoch_millis", TimestampFormat::EpochMillis),
    ];
    section.choice(reader, "type", &[("json", ())]);
    let multiset = section.choice(reader, "multiset", &multisets);
    let timestamp = section.choice(reader, "timestamp", &timestamps);
    section.finish(reader);
    OutputFormat {
        multiset: multiset.map(|multiset| multiset.value).unwrap_or_default(),
        timestamp: timestamp.map(|timestamp| timestamp.value).unwrap_or_default(),
    }
}

/// `access: public` or `access: {level: public, groups: [a]}`.
fn access(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> (Access, Vec<Spanned<String>>) {
    const WORDS: [(&str, Access); 3] = [
        ("private", Access::Private),
        ("protected", Access::Protected),
        ("public", Access::Public),
    ];
    let Some(found) = fields.take(reader, "access") else {
        return (Access::default(), Vec::new());
    };
    if let Data::Scalar(_) = &found.node.data {
        let word = reader.string(found.key, found.node);
        let level = word.and_then(|word| {
            let level = WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(&word));
            if level.is_none() {
                reader.invalid("access", found.node, "one of `private`, `protected`, `public`");
            }
            level.map(|(_, access)| *access)
        });
        return (level.unwrap_or_default(), Vec::new());
    }
    let Some(mut section) = Fields::new(reader, found.node, "access", "`access`") else {
        return (Access::default(), Vec::new());
    };
    let level = section.choice(reader, "level", &WORDS);
    let groups = section.strings(reader, "groups|allowed_groups");
    section.finish(reader);
    (level.map(|level| level.value).unwrap_or_default(), groups)
}

fn sink(
    reader: &mut Reader<'_>,
    fields: &mut Fields<'_>,
    materialized: Option<&Spanned<Materialized>>,
) -> Option<Sink> {
    let section = fields.section(reader, "sink|connector", "sink");
    let is_sink = materialized.filter(|kind| kind.value == Materialized::Sink);
    let missing = |key, at| {
        let model = fields.thing().trim_start_matches("model ").trim_matches('`').to_owned();
        DemandMistake::MissingSinkConfig { model, key, at }
    };
    let Some(mut section) = section else {
        if let Some(kind) = is_sink {
            reader.report(missing("sink", kind.place.clone()));
        }
        return None;
    };
    let connector = section.string(reader, "connector|type");
    let tasks_max = section.integer_from::<u32>(reader, "tasks_max", 1);
    let config = section.settings(reader, "config");
    let place = section.place().clone();
    section.finish(reader);
    let Some(connector) = connector else {
        reader.report(missing("connector", place));
        return None;
    };
    let config = config.into_iter().map(|(key, value)| (key, value.map(Secret::new))).collect();
    Some(Sink { connector, tasks_max: tasks_max.map(|tasks| tasks.value), config })
}

fn deprecation(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> BTreeMap<String, Deprecation> {
    let Some(mut section) = fields.section(reader, "deprecation", "deprecation") else {
        return BTreeMap::new();
    };
    let mut versions = BTreeMap::new();
    for found in section.take_all() {
        let thing = format!("`{}` of `deprecation`", found.key);
        let Some(mut version) = Fields::new(reader, found.node, "deprecation", thing) else {
            continue;
        };
        let sunset_date = version.text(reader, "sunset_date");
        let message = version.text(reader, "message");
        version.finish(reader);
        versions.insert(found.key.to_owned(), Deprecation { sunset_date, message });
    }
    versions
}

fn security(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Security {
    let Some(mut section) = fields.section(reader, "security", "security") else {
        return Security::default();
    };
    let mut masks = Vec::new();
    for mut policy in section.sections(reader, "policies", "policy") {
        if let Some(mask) = policy.section(reader, "mask", "mask") {
            masks.extend(read_mask(reader, mask));
        }
        policy.finish(reader);
    }
    for mask in section.sections(reader, "masking", "mask") {
        masks.extend(read_mask(reader, mask));
    }
    section.finish(reader);
    Security { masks }
}

fn read_mask(reader: &mut Reader<'_>, mut fields: Fields<'_>) -> Option<Mask> {
    let words = [
        ("hash", MaskMethod::Hash),
        ("redact", MaskMethod::Redact),
        ("partial", MaskMethod::Partial),
        ("tokenize", MaskMethod::Tokenize),
        ("null", MaskMethod::Null),
    ];
    let column = fields.required(reader, "column");
    let method = fields.choice(reader, "method|policy", &words);
    let for_roles = fields.strings(reader, "for_roles");
    let place = fields.place().clone();
    fields.finish(reader);
    Some(Mask {
        column: column?,
        // `method: null` is YAML's null, that is, not given; hiding all is the safe reading.
        method: method.unwrap_or(Spanned::new(MaskMethod::Null, place)),
        for_roles: for_roles.into_iter().map(|role| role.value).collect(),
    })
}
