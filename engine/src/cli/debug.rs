//! `engine debug`: one line a check, each with a fix.

use std::fs;
use std::process::ExitCode;

use arrow_kafka::ErrorCode;
use catalog::project::Project;
use connectors::admin::Admin;
use connectors::{Cluster, ConnectorError};
use state::{Condition, Snapshots};

use super::arguments::DebugArguments;
use super::{Context, FAILED, Scope};
use crate::report::Append;
use crate::report::{Tally, count, tally_line};
use crate::{Engine, Error, Session, session};

pub(crate) fn run(context: &Context, arguments: &DebugArguments) -> Result<ExitCode, Error> {
    let mut findings = Findings::default();
    let engine = context.open(Scope::default())?;
    if !arguments.connection {
        findings.good(format!("engine {}", env!("CARGO_PKG_VERSION")));
        project(&mut findings, &engine);
        variables(&mut findings, context);
        folder(&mut findings, &engine);
        snapshots(&mut findings, &engine);
    }
    match engine.check().declared() {
        Ok(project) => connection(&mut findings, &engine, project),
        Err(_) if engine.check().is_empty() => {}
        Err(_) => findings.bad(
            "the connection is not known while the project's files have mistakes",
            "see `engine check`",
        ),
    }
    let mut text = String::new();
    for finding in &findings.all {
        text.append(format_args!(
            "{} {}\n",
            context.screen.mark(finding.fix.is_none()),
            finding.text
        ));
        if let Some(fix) = &finding.fix {
            text.append(format_args!("  fix: {fix}\n"));
        }
    }
    context.screen.result(&text)?;
    let is_good = findings.all.iter().all(|finding| finding.fix.is_none());
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

#[derive(Default)]
struct Findings {
    all: Vec<Finding>,
}

struct Finding {
    text: String,
    /// What to do; none if all is well.
    fix: Option<String>,
}

impl Findings {
    fn good(&mut self, text: impl Into<String>) {
        self.all.push(Finding { text: text.into(), fix: None });
    }

    fn bad(&mut self, text: impl Into<String>, fix: impl Into<String>) {
        self.all.push(Finding { text: text.into(), fix: Some(fix.into()) });
    }
}

fn project(findings: &mut Findings, engine: &Engine) {
    let checked = engine.check();
    let path = engine.folder().display();
    let tally = Tally::of(checked.diagnostics());
    let line = tally_line(tally, checked.files().iter().count());
    if checked.is_empty() {
        findings.bad(
            format!("no project in {path}"),
            "make one with `engine init`, or name its folder with `--project`",
        );
    } else if tally.errors > 0 {
        findings.bad(format!("project in {path}: {line}"), "`engine check` shows them");
    } else {
        findings.good(format!("project in {path}: {line}"));
    }
}

fn snapshots(findings: &mut Findings, engine: &Engine) {
    let Ok(place) = engine.snapshots() else { return };
    let listed = Snapshots::open(&place).and_then(|snapshots| snapshots.list());
    match listed {
        Ok(listed) => {
            let broken =
                listed.iter().filter(|one| matches!(one.condition, Condition::Broken { .. }));
            let broken = broken.count();
            let text = format!("snapshots in {place}: {}", listed.len());
            if broken == 0 {
                findings.good(text);
            } else {
                let fix = "`engine state ls` says why; a start uses the newest that is whole";
                findings.bad(format!("{text}, of which {broken} cannot be used"), fix);
            }
        }
        Err(error) => findings.bad(
            format!("snapshots in {place} cannot be listed: {error}"),
            "correct `runtime.engine.state_dir`, or the variables with its keys and endpoint",
        ),
    }
}

/// Names only: values may be secrets.
fn variables(findings: &mut Findings, context: &Context) {
    let mut names: Vec<&str> = context
        .variables()
        .keys()
        .map(String::as_str)
        .filter(|name| name.starts_with("ENGINE_") || name.starts_with("STREAMT_"))
        .collect();
    names.sort_unstable();
    let all = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    findings.good(format!("variables of the engine that are set: {all}"));
}

fn folder(findings: &mut Findings, engine: &Engine) {
    let folder = session::engine_folder(engine.folder());
    let probe = folder.join("probe");
    let tried = fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&probe, "x"))
        .and_then(|()| fs::remove_file(&probe));
    match tried {
        Ok(()) => findings.good(format!("{} is writable", folder.display())),
        Err(error) => findings.bad(
            format!("{} is not writable: {error}", folder.display()),
            "give yourself the right to write there, or move the project",
        ),
    }
}

fn connection(findings: &mut Findings, engine: &Engine, project: &Project) {
    let session = match Session::open(engine.folder(), project) {
        Ok(session) => session,
        Err(error) => {
            let fix = error.next_step().unwrap_or_else(|| "see the message".to_owned());
            return findings.bad(error.to_string(), fix);
        }
    };
    let cluster = session.cluster().clone();
    match Admin::open(&cluster).and_then(|admin| admin.topics().map(|topics| (admin, topics))) {
        Ok((admin, found)) => {
            let held = if cluster.is_embedded() && !session.is_owner() {
                " (held by another process)"
            } else {
                ""
            };
            findings.good(format!("{cluster} answers{held}: {}", count(found.len(), "topic")));
            topics(findings, project, &cluster, &found);
            journal(findings, engine, &admin);
        }
        Err(error) => {
            let fix = fix_of(&error, &cluster);
            findings.bad(format!("{cluster} does not answer: {error}"), fix);
        }
    }
    session.close();
}

/// What most often is behind an error of the connection.
fn fix_of(error: &ConnectorError, cluster: &Cluster) -> String {
    let ConnectorError::Kafka(error) = error else {
        return "correct `runtime.kafka`".to_owned();
    };
    match error.code() {
        Some(ErrorCode::AUTHENTICATION) => {
            "the broker refuses the credentials: check `sasl_mechanism`, `sasl_username` and `sasl_password`".to_owned()
        }
        Some(ErrorCode::TRANSPORT | ErrorCode::ALL_BROKERS_DOWN | ErrorCode::TIMED_OUT) => format!(
            "nothing that speaks Kafka answers at {cluster}: is it running, is `bootstrap_servers` right, does `security_protocol` fit (TLS or not), is a firewall between?"
        ),
        _ => "correct `runtime.kafka`".to_owned(),
    }
}

fn topics(
    findings: &mut Findings,
    project: &Project,
    cluster: &Cluster,
    found: &[connectors::admin::TopicDescription],
) {
    for source in &project.sources {
        let (name, topic) = (&source.name.value, &source.topic.value);
        match found.iter().find(|description| description.name == *topic) {
            Some(description) => {
                let partitions = count(description.partitions, "partition");
                findings.good(format!("source {name}: topic {topic} has {partitions}"));
            }
            None if cluster.is_embedded() => {
                findings.good(format!("source {name}: topic {topic} will be created when it is needed"));
            }
            None => findings.bad(
                format!("source {name}: topic {topic} does not exist on {cluster}"),
                format!("create it with `engine topic create {topic}`, or correct `topic:` of the source"),
            ),
        }
    }
}

fn journal(findings: &mut Findings, engine: &Engine, admin: &Admin) {
    let Ok(names) = engine.names() else { return };
    let journal = names.journal();
    match admin.topic(&journal) {
        Ok(Some(_)) => findings.good(format!("journal {journal} exists: the project has run here")),
        Ok(None) => findings.good("the project has not run here yet".to_owned()),
        Err(error) => findings.bad(
            format!("the journal {journal} cannot be looked at: {error}"),
            "allow the engine to describe, read and write its topics",
        ),
    }
}
