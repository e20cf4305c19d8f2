//! Topics by hand: creating them as the project declares, filling them, reading them.

mod fields;
mod produce;
mod consume;

use std::collections::BTreeMap;

use catalog::project::Project;
use connectors::Cluster;
use connectors::admin::{Admin, TopicDescription, TopicSpec};
use planner::dataflow::{Dataflow, SourceRole};

use crate::Error;

pub(crate) use consume::{ConsumeOptions, Pattern, Start, consume};
pub(crate) use fields::timestamp_millis;
pub(crate) use produce::{ProduceOptions, Writer, produce};

/// How a topic shall look according to the project: a model's as declared; a versioned table's
/// without deletion by time, since old versions are still valid; others with one partition on the
/// embedded broker and the broker's default elsewhere.
pub(crate) fn declared(
    topic: &str,
    project: &Project,
    dataflow: Option<&Dataflow>,
    cluster: &Cluster,
) -> TopicSpec {
    let mut spec = TopicSpec { name: topic.to_owned(), ..TopicSpec::default() };
    let model = project.models.iter().find(|model| model.topic.name.value == topic);
    if let Some(model) = model {
        let declared = &model.topic;
        spec.partitions = declared.partitions.as_ref().and_then(|n| i32::try_from(n.value).ok());
        spec.replication_factor = declared.replication_factor.as_ref().map(|n| n.value.into());
        spec.config =
            declared.config.iter().map(|(key, value)| (key.clone(), value.value.clone())).collect();
    }
    if is_versioned(topic, project, dataflow) {
        spec.config.insert("retention.ms".to_owned(), "-1".to_owned());
    }
    if cluster.is_embedded() && spec.partitions.is_none() {
        spec.partitions = Some(1);
    }
    spec
}

fn is_versioned(topic: &str, project: &Project, dataflow: Option<&Dataflow>) -> bool {
    let inferred = dataflow.is_some_and(|dataflow| {
        dataflow.sources().any(|(_, source)| {
            source.topic == topic && matches!(source.role, SourceRole::Versioned { .. })
        })
    });
    let declared =
        project.sources.iter().any(|source| source.topic.value == topic && source.key.is_some());
    inferred || declared
}

/// Whether the project reads or writes the topic.
fn is_of_project(topic: &str, project: &Project) -> bool {
    project.sources.iter().any(|source| source.topic.value == topic)
        || project.models.iter().any(|model| model.topic.name.value == topic)
}

/// Makes sure that the topic is there: one of the project's is created on the embedded broker.
/// What was created; `None` if it was there.
///
/// # Errors
/// [`Error::NotFound`] for any other; those of the broker.
pub(crate) fn ensure(
    admin: &Admin,
    topic: &str,
    project: &Project,
    dataflow: Option<&Dataflow>,
) -> Result<Option<TopicDescription>, Error> {
    if admin.topic(topic)?.is_some() {
        return Ok(None);
    }
    if !admin.cluster().is_embedded() || !is_of_project(topic, project) {
        return Err(not_found(admin, topic));
    }
    let spec = declared(topic, project, dataflow, admin.cluster());
    admin.create(&spec)?;
    let partitions = spec.partitions.and_then(|n| usize::try_from(n).ok()).unwrap_or(1);
    Ok(Some(TopicDescription { name: spec.name, partitions, replication_factor: 1 }))
}

/// The topic.
///
/// # Errors
/// [`Error::NotFound`]; those of the broker.
pub(crate) fn existing(admin: &Admin, topic: &str) -> Result<TopicDescription, Error> {
    admin.topic(topic)?.ok_or_else(|| not_found(admin, topic))
}

fn not_found(admin: &Admin, topic: &str) -> Error {
    Error::NotFound {
        thing: "topic",
        name: topic.to_owned(),
        place: Some(admin.cluster().to_string()),
        help: format!(
            "create it with `engine topic create {topic}`; `engine topic list` shows all"
        ),
    }
}

/// Reads `key=value` settings.
///
/// # Errors
/// [`Error::Usage`] for one without `=`.
pub(crate) fn settings(given: &[String]) -> Result<BTreeMap<String, String>, Error> {
    given
        .iter()
        .map(|setting| {
            let (key, value) = setting.split_once('=').ok_or_else(|| {
                let help = "write `--config KEY=VALUE`, such as `retention.ms=-1`";
                Error::usage(format!("`{setting}` is no setting"), help)
            })?;
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}
