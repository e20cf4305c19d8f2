//! The part of `engine debug` that talks to Kafka.

use catalog::project::Project;
use connectors::admin::{Admin, TopicDescription, TopicSpec};
use connectors::{Cluster, ConnectorError};

use super::Findings;
use crate::report::count;
use crate::{Engine, Session, Stay, reach};

/// Whether the project's cluster answers and has what the project needs.
pub(super) fn check(findings: &mut Findings, engine: &Engine, project: &Project) {
    let session = match Session::open(engine.folder(), project, Stay::Brief) {
        Ok(session) => session,
        Err(error) => return findings.bad_for(&error),
    };
    let cluster = session.cluster().clone();
    match Admin::open(&cluster) {
        Ok(admin) => match reach::topics(&admin) {
            Ok(found) => {
                let is_others = cluster.is_embedded() && !session.is_owner();
                let held = if is_others { " (held by another process)" } else { "" };
                findings.good(format!("{cluster} answers{held}: {}", count(found.len(), "topic")));
                sources(findings, project, &admin, &found);
                journal(findings, engine, &admin);
            }
            Err(error) => findings.bad_for(&error),
        },
        Err(error) => findings.bad(
            format!("{cluster}: {error}"),
            "correct `runtime.kafka`: the message names the setting, or the file that cannot be read",
        ),
    }
    session.close();
}

fn sources(findings: &mut Findings, project: &Project, admin: &Admin, found: &[TopicDescription]) {
    let cluster: &Cluster = admin.cluster();
    for source in &project.sources {
        let (name, topic) = (&source.name.value, &source.topic.value);
        if let Some(description) = found.iter().find(|one| one.name == *topic) {
            let partitions = count(description.partitions, "partition");
            findings.good(format!("source {name}: topic {topic} has {partitions}"));
        } else if cluster.is_embedded() {
            findings
                .good(format!("source {name}: topic {topic} will be created when it is needed"));
        } else if let Err(error) = admin.topic(topic) {
            let fix = format!("give our user the right to describe and read topic `{topic}`");
            findings.bad(format!("source {name}: {error}"), fix);
        } else {
            findings.bad(
                format!("source {name}: topic {topic} does not exist on {cluster}"),
                format!("create it with `engine topic create {topic}`, or correct `topic:` of the source"),
            );
        }
    }
}

/// The project's journal; where there is none yet, whether one may be created.
fn journal(findings: &mut Findings, engine: &Engine, admin: &Admin) {
    let Ok(names) = engine.names() else { return };
    let journal = names.journal();
    let rights = "give our user the right to create, describe, read and write the project's topics";
    match admin.topic(&journal) {
        Ok(Some(_)) => findings.good(format!("journal {journal} exists: the project has run here")),
        Ok(None) => {
            let topic = TopicSpec { name: journal, partitions: Some(1), ..TopicSpec::default() };
            match may_create(admin, &topic) {
                Ok(()) => findings.good("the project has not run here yet".to_owned()),
                Err(error) => findings
                    .bad(format!("the project has not run here yet, and may not: {error}"), rights),
            }
        }
        Err(error) => findings.bad(error.to_string(), rights),
    }
}

/// The embedded broker has no rights to ask about.
fn may_create(admin: &Admin, topic: &TopicSpec) -> Result<(), ConnectorError> {
    if admin.cluster().is_embedded() {
        return Ok(());
    }
    admin.may_create(topic)
}
