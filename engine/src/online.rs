//! What only the broker knows: whether topics are there and look as the project says.
//!
//! **Invariant:** nothing is created or changed, and no offset is committed.

mod sample;

use catalog::diagnostic::{Diagnostic, Label, Level};
use catalog::place::Place;
use catalog::project::Project;
use catalog::project::model::Model;
use connectors::admin::{Admin, TopicDescription, TopicSetting};
use planner::dataflow::{Dataflow, Source, SourceRole};
use std::collections::BTreeMap;

use crate::Error;
use sample::Sample;

/// Compares the project with the cluster behind `admin`.
///
/// # Errors
/// [`Error::Kafka`] if the cluster does not answer.
pub(crate) fn inspect(
    admin: &Admin,
    project: &Project,
    dataflow: &Dataflow,
) -> Result<Vec<Diagnostic>, Error> {
    let topics: BTreeMap<String, TopicDescription> =
        admin.topics()?.into_iter().map(|topic| (topic.name.clone(), topic)).collect();
    let mut found = Vec::new();
    for (_, source) in dataflow.sources() {
        // Readers of a model's topic have no declaration of their own.
        let Some(declared) =
            project.sources.iter().find(|declared| declared.name.value == source.source)
        else {
            continue;
        };
        let at = &declared.topic.place;
        match topics.get(&source.topic) {
            Some(topic) => {
                let settings = admin.settings(&source.topic)?;
                found.extend(expiring_versions(source, &settings, at));
                found.extend(unreadable(source, &Sample::of(admin, topic, source)?, at));
            }
            None => found.push(missing(admin, source, at)),
        }
    }
    for model in &project.models {
        if let Some(topic) = topics.get(&model.topic.name.value) {
            found.extend(other_partitions(model, topic));
            found.extend(other_settings(model, &admin.settings(&topic.name)?));
        }
    }
    Ok(found)
}

fn missing(admin: &Admin, source: &Source, at: &Place) -> Diagnostic {
    let (topic, name) = (&source.topic, &source.source);
    if admin.cluster().is_embedded() {
        let message = format!("topic `{topic}` of source `{name}` is not there yet");
        let help = "`engine run` creates it, with one partition; `engine topic create` with more.";
        return diagnostic("N0709", message, at, help);
    }
    let cluster = admin.cluster();
    let message = format!("topic `{topic}` of source `{name}` does not exist on {cluster}");
    let help = format!("Create it with `engine topic create {topic}`, or correct `topic`.");
    diagnostic("E0704", message, at, &help)
}

/// A versioned table whose topic deletes by time loses versions that nobody renewed.
fn expiring_versions(
    source: &Source,
    settings: &BTreeMap<String, TopicSetting>,
    at: &Place,
) -> Option<Diagnostic> {
    let value = |key: &str| settings.get(key).and_then(|setting| setting.value.as_deref());
    let policy = value("cleanup.policy").unwrap_or_default();
    let retention = value("retention.ms").filter(|retention| *retention != "-1")?;
    let is_expiring =
        matches!(source.role, SourceRole::Versioned { .. }) && policy.contains("delete");
    let message = format!(
        "topic `{}` holds versions and deletes after retention.ms={retention}",
        source.topic
    );
    let help = "Set `cleanup.policy=compact`, or `retention.ms=-1`.";
    is_expiring.then(|| diagnostic("W0707", message, at, help))
}

fn unreadable(source: &Source, sample: &Sample, at: &Place) -> Option<Diagnostic> {
    let (offset, partition, reason) = sample.first_rejected.as_ref()?;
    let Sample { records, rejected, .. } = sample;
    let message = format!(
        "{rejected} of the last {records} records of topic `{}` cannot be read",
        source.topic
    );
    let help =
        "Correct the columns and types of the source; until then such records are dead letters.";
    let mut diagnostic = diagnostic("W0708", message, at, help);
    diagnostic.notes.push(format!("partition {partition}, offset {offset}: {reason}"));
    Some(diagnostic)
}

fn other_partitions(model: &Model, topic: &TopicDescription) -> Option<Diagnostic> {
    let declared = model.topic.partitions.as_ref()?;
    let is_other = usize::try_from(declared.value).ok() != Some(topic.partitions);
    let message = format!(
        "topic `{}` has {} partitions, model `{}` declares {}",
        topic.name, topic.partitions, model.name.value, declared.value
    );
    let help = "A run uses the topic as it is. More partitions move keys to other partitions.";
    is_other.then(|| diagnostic("W0705", message, &declared.place, help))
}

fn other_settings(model: &Model, settings: &BTreeMap<String, TopicSetting>) -> Vec<Diagnostic> {
    let topic = &model.topic.name.value;
    let other = model.topic.config.iter().filter_map(|(key, declared)| {
        let actual = settings.get(key)?.value.as_ref()?;
        let message = format!(
            "topic `{topic}` has `{key}: {actual}`, model `{}` declares `{}`",
            model.name.value, declared.value
        );
        let help = "A run uses the topic as it is; change the topic or the declaration.";
        (*actual != declared.value).then(|| diagnostic("W0706", message, &declared.place, help))
    });
    other.collect()
}

fn diagnostic(code: &'static str, message: String, at: &Place, help: &str) -> Diagnostic {
    Diagnostic {
        code,
        alias: None,
        level: match code.as_bytes().first() {
            Some(b'E') => Level::Error,
            Some(b'W') => Level::Warning,
            Some(_) | None => Level::Note,
        },
        message,
        labels: vec![Label::primary(at, "")],
        notes: Vec::new(),
        helps: vec![help.to_owned()],
    }
}
