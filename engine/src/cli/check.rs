//! `engine check`: every mistake, every inferred fact; nothing runs, and nobody is asked for
//! anything unless `--online` says so.

use std::collections::BTreeSet;
use std::process::ExitCode;

use catalog::diagnostic::{Diagnostic, sort};
use catalog::place::Files;
use connectors::admin::Admin;
use serde_json::json;
use stream::{Clock, SystemClock};

use super::arguments::{CheckArguments, OutputStyle};
use super::{Context, INVALID, Scope};
use crate::report::Append;
use crate::report::{Tally, count, fact_json, fact_lines, render, tally_line};
use crate::{Checked, DiagnosticStyle, Engine, Error, Session, Stay, hints, online};

pub(crate) fn run(context: &Context, arguments: &CheckArguments) -> Result<ExitCode, Error> {
    let is_sound = if arguments.all_envs {
        check_environments(context, arguments)?
    } else {
        let scope = Scope { is_strict: arguments.strict, ..Scope::default() };
        let engine = context.open(scope)?;
        let is_sound = check_one(context, arguments, &engine, &mut BTreeSet::new())?;
        if arguments.write_hints && is_sound {
            write_hints(context, arguments, &engine)?;
        }
        is_sound
    };
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::from(INVALID) })
}

/// Checks the project in each of its environments. Whether it is sound in all of them.
fn check_environments(context: &Context, arguments: &CheckArguments) -> Result<bool, Error> {
    let folder = context.folder()?;
    let names = catalog::load::environment_names(&folder);
    if names.is_empty() {
        let help = "leave `--all-envs` away, or add `environments/NAME.yml`";
        return Err(Error::usage("the project has no environments", help));
    }
    let mut told = BTreeSet::new();
    let mut is_sound = true;
    for name in names {
        let scope = Scope { is_strict: arguments.strict, ..Scope::default() };
        let mut options = context.options(folder.clone(), scope)?;
        options.load.environment = Some(name.clone());
        context.screen.say(&format!("env {name}"));
        is_sound &= check_one(context, arguments, &Engine::open(options)?, &mut told)?;
    }
    Ok(is_sound)
}

/// Checks one project and says everything that is not among `told`. Whether it is sound.
fn check_one(
    context: &Context,
    arguments: &CheckArguments,
    engine: &Engine,
    told: &mut BTreeSet<String>,
) -> Result<bool, Error> {
    let clock = SystemClock::new();
    let checked = engine.check();
    let files = checked.files();
    let mut diagnostics = checked.diagnostics().to_vec();
    if arguments.online && checked.is_sound() {
        diagnostics.extend(ask_broker(engine)?);
        sort(&mut diagnostics, files);
    }
    let tally = Tally::of(&diagnostics);
    let is_sound =
        checked.is_sound() && tally.errors == 0 && !(arguments.strict && tally.warnings > 0);
    // What several environments share is said once.
    let mut fresh = diagnostics.clone();
    fresh.retain(|one| {
        !arguments.all_envs
            || told.insert(render(std::slice::from_ref(one), files, DiagnosticStyle::Json, false))
    });
    let is_document = context.common.diagnostics == DiagnosticStyle::Sarif;
    if is_document {
        let document = render(&fresh, files, DiagnosticStyle::Sarif, false);
        context.screen.result(&document)?;
        return Ok(is_sound);
    }
    tell_diagnostics(context, &fresh, files);
    match arguments.output {
        OutputStyle::Text => {
            context.note_bare_project(engine);
            if checked.is_sound() {
                let millis = clock.monotonic().as_millis();
                context.screen.result(&summary(context, checked, is_sound, millis)?)?;
            }
            if tally != Tally::default() {
                tell_tally(context, "check", &diagnostics, files);
            }
        }
        OutputStyle::Json => context.screen.result(&json_lines(checked, tally))?,
    }
    Ok(is_sound)
}

/// What the broker knows better than the project.
fn ask_broker(engine: &Engine) -> Result<Vec<Diagnostic>, Error> {
    let checked = engine.check();
    let project = checked.project()?;
    let session = Session::open(engine.folder(), project, Stay::Brief)?;
    let found = Admin::open(session.cluster())
        .map_err(Error::from)
        .and_then(|admin| online::inspect(&admin, project, checked.dataflow()?));
    session.close();
    found
}

fn write_hints(
    context: &Context,
    arguments: &CheckArguments,
    engine: &Engine,
) -> Result<(), Error> {
    let hints = hints::write(engine.options(), engine.check())?;
    let mut text = String::new();
    for hint in &hints {
        let (path, subject, entry) = (&hint.path, &hint.subject, &hint.text);
        match arguments.output {
            OutputStyle::Text => {
                text.append(format_args!("wrote {entry} for {subject} to {path}\n"));
            }
            OutputStyle::Json => {
                let value =
                    json!({"type": "hint", "file": path, "subject": subject, "text": entry});
                text.append(format_args!("{value}\n"));
            }
        }
    }
    if hints.is_empty() {
        context.screen.say("nothing to write: everything that was inferred is declared");
    }
    context.screen.result(&text)
}

/// Draws diagnostics on standard error.
pub(crate) fn tell_diagnostics(context: &Context, diagnostics: &[Diagnostic], files: &Files) {
    if diagnostics.is_empty() {
        return;
    }
    let style = context.common.diagnostics;
    context.screen.tell(&render(diagnostics, files, style, context.screen.is_coloured_err()));
}

/// As [`tell_diagnostics`] for a command that goes on in spite of them: a line each.
pub(crate) fn tell_briefly(context: &Context, checked: &Checked) {
    let style = match context.common.diagnostics {
        DiagnosticStyle::Rustc => DiagnosticStyle::Short,
        other => other,
    };
    let (diagnostics, files) = (checked.diagnostics(), checked.files());
    if !diagnostics.is_empty() {
        context.screen.tell(&render(diagnostics, files, style, false));
    }
}

/// Says how many there are.
pub(crate) fn tell_tally(
    context: &Context,
    command: &str,
    diagnostics: &[Diagnostic],
    files: &Files,
) {
    match context.common.diagnostics {
        DiagnosticStyle::Rustc | DiagnosticStyle::Short => {
            let line = tally_line(Tally::of(diagnostics), files.iter().count());
            context.screen.tell(&format!("{command}: {line}\n"));
        }
        DiagnosticStyle::Json | DiagnosticStyle::Github | DiagnosticStyle::Sarif => {}
    }
}

fn summary(
    context: &Context,
    checked: &Checked,
    is_sound: bool,
    millis: u128,
) -> Result<String, Error> {
    let project = checked.project()?;
    let mark = context.screen.mark(is_sound);
    let parts = [
        count(project.sources.len(), "source"),
        count(project.models.len(), "model"),
        count(project.data_tests.len(), "test"),
        count(project.exposures.len(), "exposure"),
    ];
    let facts = fact_lines(checked.facts(), checked.files(), context.screen.width());
    Ok(format!("{mark} {}   {}   {millis} ms\n{facts}", project.name, parts.join("  ")))
}

fn json_lines(checked: &Checked, tally: Tally) -> String {
    let mut text = "{\"type\":\"version\",\"format\":\"1.0\"}\n".to_owned();
    for fact in checked.facts() {
        text.append(format_args!("{}\n", fact_json(fact, checked.files())));
    }
    let project = checked.declared().ok();
    let environment = project.and_then(|project| project.environment.as_ref());
    let summary = json!({
        "type": "check",
        "project": project.map(|project| project.name.as_str()),
        "environment": environment.map(catalog::project::environment::Environment::name),
        "sources": project.map(|project| project.sources.len()),
        "models": project.map(|project| project.models.len()),
        "tests": project.map(|project| project.data_tests.len()),
        "exposures": project.map(|project| project.exposures.len()),
        "errors": tally.errors,
        "warnings": tally.warnings,
    });
    text.append(format_args!("{summary}\n"));
    text
}
