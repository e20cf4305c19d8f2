//! `engine check`: every mistake, every inferred fact; nothing runs and nothing is asked for.

use std::process::ExitCode;

use catalog::diagnostic::Diagnostic;
use catalog::place::Files;
use serde_json::json;
use stream::{Clock, SystemClock};

use super::arguments::{CheckArguments, OutputStyle};
use super::{Context, INVALID, Scope};
use crate::report::Append;
use crate::report::{Tally, count, fact_json, fact_lines, render, tally_line};
use crate::{Checked, DiagnosticStyle, Error};

pub(crate) fn run(context: &Context, arguments: &CheckArguments) -> Result<ExitCode, Error> {
    let clock = SystemClock::new();
    let engine = context.open(Scope { is_strict: arguments.strict, ..Scope::default() })?;
    let checked = engine.check();
    let tally = Tally::of(checked.diagnostics());
    tell_diagnostics(context, checked.diagnostics(), checked.files());
    let is_sound = checked.is_sound() && !(arguments.strict && tally.warnings > 0);
    match arguments.output {
        OutputStyle::Text => {
            context.note_bare_project(&engine);
            if checked.is_sound() {
                let millis = clock.monotonic().as_millis();
                context.screen.result(&summary(context, checked, is_sound, millis)?)?;
            }
            if tally != Tally::default() {
                tell_tally(context, "check", checked.diagnostics(), checked.files());
            }
        }
        OutputStyle::Json => context.screen.result(&json_lines(checked, tally))?,
    }
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::from(INVALID) })
}

/// Draws diagnostics on standard error.
pub(crate) fn tell_diagnostics(context: &Context, diagnostics: &[Diagnostic], files: &Files) {
    if diagnostics.is_empty() {
        return;
    }
    let style = context.common.diagnostics;
    context.screen.tell(&render(diagnostics, files, style, context.screen.is_coloured_err()));
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
        DiagnosticStyle::Json | DiagnosticStyle::Github => {}
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
    let facts = fact_lines(checked.facts(), checked.files());
    Ok(format!("{mark} {}   {}   {millis} ms\n{facts}", project.name, parts.join("  ")))
}

fn json_lines(checked: &Checked, tally: Tally) -> String {
    let mut text = "{\"type\":\"version\",\"format\":\"1.0\"}\n".to_owned();
    for fact in checked.facts() {
        text.append(format_args!("{}\n", fact_json(fact, checked.files())));
    }
    let project = checked.declared().ok();
    let summary = json!({
        "type": "check",
        "project": project.map(|project| project.name.as_str()),
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
