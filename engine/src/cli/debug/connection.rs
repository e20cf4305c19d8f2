//! The part of `engine debug` that talks to Kafka.

use arrow_kafka::Distrust;
use catalog::project::Project;
use connectors::admin::{Admin, TopicDescription, TopicSpec};
use connectors::reach::{Cause, Unreachable};
use connectors::{Cluster, ConnectorError};

use super::Findings;
use crate::report::count;
use crate::{Engine, Session, Stay};

/// Whether the project's cluster answers and has what the project needs.
pub(super) fn check(findings: &mut Findings, engine: &Engine, project: &Project) {
    let session = match Session::open(engine.folder(), project, Stay::Brief) {
        Ok(session) => session,
        Err(error) => {
            let fix = error.next_step().unwrap_or_else(|| "see the message".to_owned());
            return findings.bad(error.to_string(), fix);
        }
    };
    let cluster = session.cluster().clone();
    match Admin::open(&cluster) {
        Ok(admin) => match admin.reach() {
            Ok(found) => {
                let is_others = cluster.is_embedded() && !session.is_owner();
                let held = if is_others { " (held by another process)" } else { "" };
                findings.good(format!("{cluster} answers{held}: {}", count(found.len(), "topic")));
                sources(findings, project, &admin, &found);
                journal(findings, engine, &admin);
            }
            Err(Unreachable { cause, detail }) => {
                findings.bad(format!("{cluster} does not answer: {cause}: {detail}"), fix_of(cause));
            }
        },
        Err(error) => findings.bad(
            format!("{cluster}: {error}"),
            "correct `runtime.kafka`: the message names the setting, or the file that cannot be read",
        ),
    }
    session.close();
}

/// What to do about it.
fn fix_of(cause: Cause) -> &'static str {
    match cause {
        Cause::UnknownHost => "correct the host in `bootstrap_servers`, or this machine's DNS",
        Cause::NothingListens => "start the broker, or correct the port in `bootstrap_servers`",
        Cause::WantsTls => {
            "set `security_protocol` to `SSL` or `SASL_SSL`, or use the broker's port without TLS"
        }
        Cause::NoTls => {
            "use the broker's TLS port, or set `security_protocol` to `PLAINTEXT` or `SASL_PLAINTEXT`"
        }
        Cause::Certificate(Distrust::UnknownAuthority) => {
            "name the file with the broker's authority (PEM) in `ssl_ca_location`"
        }
        Cause::Certificate(Distrust::Expired) => "renew the broker's certificate",
        Cause::Certificate(Distrust::NotYetValid) => {
            "check the clocks of this machine and of who made the broker's certificate"
        }
        Cause::Certificate(Distrust::OtherHost) => {
            "write the host in `bootstrap_servers` as the certificate names it, or add the name to the certificate"
        }
        Cause::Certificate(Distrust::Revoked | Distrust::Other(_)) => {
            "have the broker's certificate renewed"
        }
        Cause::OwnCertificateMissing => {
            "name certificate and key (PEM) in `ssl_certificate_location` and `ssl_key_location`"
        }
        Cause::OwnCertificateRefused => {
            "check that the certificate in `ssl_certificate_location` has not expired and that the broker trusts its authority"
        }
        Cause::Credentials => "check `sasl_username`, `sasl_password` and `sasl_mechanism`",
        Cause::Mechanism => "set `sasl_mechanism` to one that the message says the broker offers",
        Cause::Silence => {
            "check that a broker runs there, that `security_protocol` fits its port, and that no firewall is between"
        }
    }
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
