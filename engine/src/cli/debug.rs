//! `engine debug`: one line a check, each with a fix.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use state::{Condition, Snapshots};

use super::arguments::DebugArguments;
use super::{Context, FAILED, Scope};
use crate::report::{Append, Tally, harmless, tally_line};
use crate::{Engine, Error, session};

mod connection;

/// With less free space than this the state folder will be full soon.
const FREE_BYTES_MIN: u64 = 1 << 30;

pub(crate) fn run(context: &Context, arguments: &DebugArguments) -> Result<ExitCode, Error> {
    let mut findings = Findings::default();
    let engine = context.open(Scope::default())?;
    if !arguments.connection {
        findings.good(format!("engine {}", env!("CARGO_PKG_VERSION")));
        project(&mut findings, &engine);
        variables(&mut findings, context, &engine);
        folder(&mut findings, &engine);
        snapshots(&mut findings, &engine);
    }
    match engine.check().declared() {
        Ok(_) if engine.check().is_empty() => {}
        Ok(project) => connection::check(&mut findings, &engine, project),
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
            harmless(&finding.text)
        ));
        if let Some(fix) = &finding.fix {
            text.append(format_args!("  fix: {}\n", harmless(fix)));
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

    fn bad_for(&mut self, error: &Error) {
        let fix = error.next_step().unwrap_or_else(|| "see the message".to_owned());
        self.bad(error.to_string(), fix);
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
fn variables(findings: &mut Findings, context: &Context, engine: &Engine) {
    let mut names: Vec<&str> = context
        .variables()
        .keys()
        .map(String::as_str)
        .filter(|name| name.starts_with("ENGINE_") || name.starts_with("STREAMT_"))
        .collect();
    names.sort_unstable();
    findings.good(format!("variables of the engine that are set: {}", listed(&names)));
    let named = engine.check().variables();
    let those = |wanted: bool| {
        let names = named.iter().filter(|(_, is_set)| **is_set == wanted);
        listed(&names.map(|(name, _)| name.as_str()).collect::<Vec<_>>())
    };
    if !named.is_empty() {
        let (set, unset) = (those(true), those(false));
        findings.good(format!("variables that the project names: set {set}; not set {unset}"));
    }
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn folder(findings: &mut Findings, engine: &Engine) {
    let folder = session::engine_folder(engine.folder());
    let probe = folder.join("probe");
    let tried = fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&probe, "x"))
        .and_then(|()| fs::remove_file(&probe));
    match tried {
        Ok(()) => space(findings, &folder),
        Err(error) => findings.bad(
            format!("{} is not writable: {error}", folder.display()),
            "give yourself the right to write there, or move the project",
        ),
    }
}

/// How much room the folder's disk has. A system that does not say is no finding.
fn space(findings: &mut Findings, folder: &Path) {
    let path = folder.display();
    let Ok(disk) = rustix::fs::statvfs(folder) else {
        return findings.good(format!("{path} is writable"));
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let gibibytes = free >> 30;
    if free < FREE_BYTES_MIN {
        let mebibytes = free >> 20;
        findings.bad(
            format!("{path} has only {mebibytes} MiB left"),
            "free some space, or move the project",
        );
    } else {
        findings.good(format!("{path} is writable and has {gibibytes} GiB left"));
    }
}
