//! Diagnostics as text: rustc's form, one line each, JSON, GitHub annotations, SARIF.

use std::collections::{BTreeMap, BTreeSet};

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{
    Annotation, AnnotationKind, Group, Level as DrawnLevel, Renderer, Snippet,
    normalize_untrusted_str,
};
use catalog::diagnostic::{Diagnostic, Label, Level};
use catalog::place::{FileId, Files, Place};
use serde_json::{Value, json};

use super::{Append, DiagnosticStyle, count, sarif, secrets};

/// So many are shown at most: drawing one takes a look at its whole file.
const SHOWN_MAX: usize = 200;

/// Writes `diagnostics`, which lie in `files`, in `style`: errors before others where there are too
/// many of them.
pub fn render(
    diagnostics: &[Diagnostic],
    files: &Files,
    style: DiagnosticStyle,
    is_coloured: bool,
) -> String {
    let mut text = match style {
        DiagnosticStyle::Json => "{\"type\":\"version\",\"format\":\"1.0\"}\n".to_owned(),
        DiagnosticStyle::Sarif => format!("{}\n", sarif::document(diagnostics, files)),
        DiagnosticStyle::Rustc | DiagnosticStyle::Short | DiagnosticStyle::Github => String::new(),
    };
    let shown = shown(diagnostics);
    let quotes = style == DiagnosticStyle::Rustc;
    let texts = if quotes { hidden_texts(&shown, files) } else { BTreeMap::new() };
    for diagnostic in &shown {
        match style {
            DiagnosticStyle::Sarif => {}
            DiagnosticStyle::Rustc => {
                text.push_str(&framed(diagnostic, (files, &texts), is_coloured));
                text.push_str("\n\n");
            }
            DiagnosticStyle::Short => text.push_str(&short(diagnostic, files)),
            DiagnosticStyle::Json => {
                text.push_str(&json_line(diagnostic, files).to_string());
                text.push('\n');
            }
            DiagnosticStyle::Github => text.push_str(&github(diagnostic, files)),
        }
    }
    let more = diagnostics.len() - shown.len();
    if more > 0 {
        match style {
            DiagnosticStyle::Rustc | DiagnosticStyle::Short => {
                text.append(format_args!("and {more} more, once these are put right\n"));
            }
            DiagnosticStyle::Json => {
                text.append(format_args!("{}\n", json!({"type": "more", "count": more})));
            }
            DiagnosticStyle::Github => text.append(format_args!("::notice::and {more} more\n")),
            // The document has them all.
            DiagnosticStyle::Sarif => {}
        }
    }
    text
}

fn shown(diagnostics: &[Diagnostic]) -> Vec<&Diagnostic> {
    let mut shown: Vec<&Diagnostic> = diagnostics.iter().collect();
    if shown.len() > SHOWN_MAX {
        shown.sort_by_key(|one| one.level != Level::Error);
        shown.truncate(SHOWN_MAX);
    }
    shown
}

/// How many of each level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) errors: usize,
    pub(crate) warnings: usize,
    pub(crate) notes: usize,
}

impl Tally {
    pub(crate) fn of(diagnostics: &[Diagnostic]) -> Self {
        let of = |level| diagnostics.iter().filter(|one| one.level == level).count();
        Self { errors: of(Level::Error), warnings: of(Level::Warning), notes: of(Level::Note) }
    }
}

/// `1 error, 1 warning in 6 files`.
pub(crate) fn tally_line(tally: Tally, files: usize) -> String {
    let mut parts = Vec::new();
    for (number, word) in
        [(tally.errors, "error"), (tally.warnings, "warning"), (tally.notes, "note")]
    {
        if number > 0 {
            parts.push(count(number, word));
        }
    }
    if parts.is_empty() {
        parts.push("no mistakes".to_owned());
    }
    format!("{} in {}", parts.join(", "), count(files, "file"))
}

fn framed(
    diagnostic: &Diagnostic,
    (files, texts): (&Files, &BTreeMap<FileId, String>),
    is_coloured: bool,
) -> String {
    let level = match diagnostic.level {
        Level::Error => DrawnLevel::ERROR,
        Level::Warning => DrawnLevel::WARNING,
        Level::Note => DrawnLevel::NOTE,
    };
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code);
    let mut group = Group::with_title(title);
    for file in files_in_order(&diagnostic.labels) {
        let text = texts.get(&file).map_or("", String::as_str);
        group = group.element(snippet((file, text), &diagnostic.labels, files));
    }
    for help in &diagnostic.helps {
        group = group.element(DrawnLevel::HELP.message(normalize_untrusted_str(help)));
    }
    for note in &diagnostic.notes {
        group = group.element(DrawnLevel::NOTE.message(normalize_untrusted_str(note)));
    }
    let more = format!("more: engine explain {}", diagnostic.code);
    group = group.element(DrawnLevel::NOTE.message(more));
    let renderer = if is_coloured { Renderer::styled() } else { Renderer::plain() };
    renderer.decor_style(DecorStyle::Ascii).render(&[group])
}

/// The texts of the files that are quoted, without secrets: each is looked through once, however
/// many mistakes it has.
fn hidden_texts(shown: &[&Diagnostic], files: &Files) -> BTreeMap<FileId, String> {
    let labels = shown.iter().flat_map(|diagnostic| &diagnostic.labels);
    let quoted: BTreeSet<FileId> = labels.map(|label| label.place.file).collect();
    quoted.into_iter().map(|file| (file, secrets::hidden(files.text(file)))).collect()
}

/// The files of the labels, the mistake's own first, each once.
fn files_in_order(labels: &[Label]) -> Vec<FileId> {
    let mut order: Vec<FileId> = Vec::new();
    let primary = labels.iter().filter(|label| label.is_primary);
    for label in primary.chain(labels) {
        if !order.contains(&label.place.file) {
            order.push(label.place.file);
        }
    }
    order
}

/// Gives the drawing only the lines that the labels lie in: it looks at all that it is given.
fn snippet<'a>(
    (file, text): (FileId, &'a str),
    labels: &'a [Label],
    files: &'a Files,
) -> Snippet<'a, Annotation<'a>> {
    let own = || labels.iter().filter(|label| label.place.file == file);
    let spans: Vec<_> = own().map(|label| clamped(&label.place, files.text(file))).collect();
    let first = spans.iter().map(|span| span.start).min().unwrap_or(0);
    let last = spans.iter().map(|span| span.end).max().unwrap_or(0);
    let before = text.get(..first).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let rest = text.get(last..).unwrap_or_default();
    let end = rest.find('\n').map_or(text.len(), |newline| last + newline + 1);
    let annotations = own().zip(spans).map(|(label, span)| {
        let kind = if label.is_primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        let text = (!label.text.is_empty()).then(|| normalize_untrusted_str(&label.text));
        kind.span(span.start - start..span.end - start).label(text)
    });
    let line = before.matches('\n').count() + 1;
    let lines = text.get(start..end).unwrap_or_default();
    Snippet::source(lines).line_start(line).path(files.path(file)).annotations(annotations)
}

/// The range inside the text and on character boundaries, of one character at least where there
/// is one, so that something is underlined.
fn clamped(place: &Place, text: &str) -> std::ops::Range<usize> {
    let mut start = place.range.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = place.range.end.clamp(start, text.len());
    if end == start && end < text.len() {
        end += 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

fn level_word(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    }
}

fn short(diagnostic: &Diagnostic, files: &Files) -> String {
    let mut text = String::new();
    if let Some(place) = diagnostic.primary_place() {
        let (line, column) = files.line_and_column(place);
        let path = files.path(place.file);
        text.append(format_args!("{path}:{line}:{column}: "));
    }
    let (word, code) = (level_word(diagnostic.level), diagnostic.code);
    let message = super::harmless(&diagnostic.message);
    text.append(format_args!("{word}[{code}]: {message}\n"));
    text
}

fn json_line(diagnostic: &Diagnostic, files: &Files) -> Value {
    let labels: Vec<Value> = diagnostic
        .labels
        .iter()
        .map(|label| {
            let mut value = position(&label.place, files);
            value["text"] = json!(label.text);
            value["primary"] = json!(label.is_primary);
            value
        })
        .collect();
    let mut value = diagnostic.primary_place().map_or_else(|| json!({}), |at| position(at, files));
    value["type"] = json!("diagnostic");
    value["level"] = json!(level_word(diagnostic.level));
    value["code"] = json!(diagnostic.code);
    value["alias"] = json!(diagnostic.alias);
    value["message"] = json!(diagnostic.message);
    value["labels"] = json!(labels);
    value["helps"] = json!(diagnostic.helps);
    value["notes"] = json!(diagnostic.notes);
    value
}

fn position(place: &Place, files: &Files) -> Value {
    let (line, column) = files.line_and_column(place);
    let end = Place::new(place.file, place.range.end..place.range.end);
    let (end_line, end_column) = files.line_and_column(&end);
    json!({
        "file": files.path(place.file),
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
    })
}

fn github(diagnostic: &Diagnostic, files: &Files) -> String {
    let command = match diagnostic.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "notice",
    };
    let mut properties = String::new();
    if let Some(place) = diagnostic.primary_place() {
        let (line, column) = files.line_and_column(place);
        let path = escaped(files.path(place.file), true);
        properties = format!("file={path},line={line},col={column},");
    }
    let mut message = diagnostic.message.clone();
    for help in &diagnostic.helps {
        message.push('\n');
        message.push_str(help);
    }
    let (code, message) = (diagnostic.code, escaped(&message, false));
    format!("::{command} {properties}title={code}::{message}\n")
}

/// Escapes as GitHub's workflow commands ask for.
fn escaped(text: &str, is_property: bool) -> String {
    let text = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    if is_property { text.replace(':', "%3A").replace(',', "%2C") } else { text }
}

#[cfg(test)]
mod tests;
