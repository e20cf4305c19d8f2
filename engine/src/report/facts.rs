//! What was inferred, one line a fact, each with its reason and place.

use super::Append;
use catalog::place::Files;
use planner::plan::{Fact, FactKind};
use serde_json::{Value, json};

/// One line a fact: what, its value, and `reason in file:line`; in columns. Where `width` has no
/// room for that, the reason has a line of its own.
pub(crate) fn fact_lines(facts: &[Fact], files: &Files, width: Option<u16>) -> String {
    let room = width.map_or(usize::MAX, usize::from);
    let width = |of: &dyn Fn(&Fact) -> usize| facts.iter().map(of).max().unwrap_or(0);
    let subjects = width(&|fact| fact.subject.chars().count());
    let values = width(&|fact| described(fact).chars().count());
    let reasons = width(&|fact| {
        let (line, _) = files.line_and_column(&fact.place);
        let place = files.path(fact.place.file).chars().count() + line.to_string().len();
        fact.reason.chars().count() + place + " in :".len()
    });
    let mut text = String::new();
    for fact in facts {
        let (line, _) = files.line_and_column(&fact.place);
        let (path, reason) = (files.path(fact.place.file), &fact.reason);
        let (subject, value) = (&fact.subject, described(fact));
        let why = format!("{reason} in {path}:{line}");
        if subjects + values + reasons + 6 <= room {
            text.append(format_args!("  {subject:subjects$}  {value:values$}  {why}\n"));
        } else {
            text.append(format_args!("  {subject}  {value}\n      {why}\n"));
        }
    }
    text
}

/// The same as a value.
pub(crate) fn fact_json(fact: &Fact, files: &Files) -> Value {
    let (line, column) = files.line_and_column(&fact.place);
    json!({
        "type": "fact",
        "kind": kind_word(fact.kind),
        "subject": fact.subject,
        "value": fact.value,
        "reason": fact.reason,
        "file": files.path(fact.place.file),
        "line": line,
        "column": column,
    })
}

fn described(fact: &Fact) -> String {
    match fact.kind {
        FactKind::ColumnType => fact.value.clone(),
        FactKind::EventTime => format!("event time {}", fact.value),
        FactKind::Versioned => format!("versioned {}", fact.value),
    }
}

fn kind_word(kind: FactKind) -> &'static str {
    match kind {
        FactKind::ColumnType => "column_type",
        FactKind::EventTime => "event_time",
        FactKind::Versioned => "versioned",
    }
}
