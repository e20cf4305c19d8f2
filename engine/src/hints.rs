//! Inferred facts as lines of the user's own YAML.
//!
//! Lines are inserted and nothing else is touched: comments, order and quotes stay as they are. What
//! cannot be inserted is left out. **Invariant:** after it the project means the same; if it would
//! not, the files are put back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use catalog::place::{FileId, Files, Place};
use catalog::project::Project;
use catalog::project::source::Source;
use planner::dataflow::{ColumnOrigin, Dataflow, SourceRole};
use planner::plan::FactKind;

use crate::{Checked, Engine, Error, Options};

/// A hint that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hint {
    /// The file, relative to the project's folder.
    pub(crate) path: String,
    /// What it is about: `source` or `source.column`.
    pub(crate) subject: String,
    /// What was written, such as `type: DOUBLE`.
    pub(crate) text: String,
}

/// An insertion into a file.
#[derive(Debug)]
struct Edit {
    file: FileId,
    at: usize,
    text: String,
}

/// Writes what `checked` inferred into the project's files.
///
/// # Errors
/// [`Error::Project`] if the project has mistakes; [`Error::File`]; [`Error::Usage`] if the project
/// would mean something else with them, and then its files are as before.
pub(crate) fn write(options: &Options, checked: &Checked) -> Result<Vec<Hint>, Error> {
    let (project, dataflow, files) = (checked.project()?, checked.dataflow()?, checked.files());
    let wanted = wanted(project, dataflow, checked);
    let mut hints = Vec::new();
    let mut edits = Vec::new();
    for (subject, key_place, entry) in wanted {
        let Some(edit) = edit(files, key_place, &entry) else { continue };
        let path = files.path(edit.file).to_owned();
        hints.push(Hint { path, subject, text: entry.in_flow() });
        edits.push(edit);
    }
    apply(&options.folder, files, edits)?;
    if hints.is_empty() {
        return Ok(hints);
    }
    let after = Engine::open(options.clone())?;
    let is_same =
        after.check().dataflow().is_ok_and(|after| after.fingerprint() == dataflow.fingerprint());
    if is_same {
        return Ok(hints);
    }
    for hint in &hints {
        if let Some((id, _)) = files.iter().find(|(id, _)| files.path(*id) == hint.path) {
            put(&options.folder, &hint.path, files.text(id))?;
        }
    }
    Err(Error::usage(
        "the project would mean something else with its hints written out; its files are unchanged",
        "declare what you want to be fixed by hand, and report this with the project",
    ))
}

/// A key and its value, to be put beside another key of a mapping.
#[derive(Debug)]
enum Entry {
    Scalar(&'static str, String),
    /// `event_time:` with its column.
    EventTime(String),
}

impl Entry {
    fn in_flow(&self) -> String {
        match self {
            Self::Scalar(key, value) => format!("{key}: {}", scalar(value, true)),
            Self::EventTime(column) => format!("event_time: {{column: {}}}", scalar(column, true)),
        }
    }

    fn in_block(&self, indent: &str, newline: &str) -> String {
        match self {
            Self::Scalar(key, value) => format!("{indent}{key}: {}", scalar(value, false)),
            Self::EventTime(column) => {
                let column = scalar(column, false);
                format!("{indent}event_time:{newline}{indent}  column: {column}")
            }
        }
    }
}

/// What may be written: about what, beside which value, and what.
fn wanted<'a>(
    project: &'a Project,
    dataflow: &Dataflow,
    checked: &Checked,
) -> Vec<(String, &'a Place, Entry)> {
    let facts = checked.facts();
    let mut wanted = Vec::new();
    for source in &project.sources {
        for column in source.columns.iter().filter(|column| column.data_type.is_none()) {
            let subject = format!("{}.{}", source.name.value, column.name.value);
            let fact = facts
                .iter()
                .find(|fact| fact.kind == FactKind::ColumnType && fact.subject == subject);
            if let Some(fact) = fact {
                let entry = Entry::Scalar("type", fact.value.clone());
                wanted.push((subject, &column.name.place, entry));
            }
        }
        let place = &source.topic.place;
        let name = &source.name.value;
        let is_told =
            |kind: FactKind| facts.iter().any(|fact| fact.kind == kind && fact.subject == *name);
        let is_inferred =
            is_told(FactKind::EventTime) && !has_event_time_block(project, source, checked.files());
        if let Some(column) = event_time(source, dataflow).filter(|_| is_inferred) {
            wanted.push((name.clone(), place, Entry::EventTime(column)));
        }
        if let Some(key) = key(source, dataflow).filter(|_| is_told(FactKind::Versioned)) {
            wanted.push((name.clone(), place, Entry::Scalar("key", key)));
        }
    }
    wanted
}

fn event_time(source: &Source, dataflow: &Dataflow) -> Option<String> {
    if source.event_time.column.is_some() {
        return None;
    }
    let reader = dataflow.sources().find(|(_, reader)| reader.source == source.name.value)?.1;
    match &reader.columns.get(reader.event_time.column)?.from {
        ColumnOrigin::Field(_) => Some(reader.columns[reader.event_time.column].name.clone()),
        ColumnOrigin::Key
        | ColumnOrigin::Headers
        | ColumnOrigin::Partition
        | ColumnOrigin::Offset
        | ColumnOrigin::Timestamp => None,
    }
}

/// Whether the source says something else of its event time, beside which a second block would be
/// one too many.
fn has_event_time_block(project: &Project, source: &Source, files: &Files) -> bool {
    let place = &source.name.place;
    let starts = project.sources.iter().map(|other| &other.name.place);
    let next = starts
        .filter(|other| other.file == place.file && other.range.start > place.range.start)
        .map(|other| other.range.start)
        .min();
    let text = files.text(place.file);
    let own = text.get(place.range.start..next.unwrap_or(text.len())).unwrap_or(text);
    own.contains("event_time")
}

/// The key of a versioned table, if it is one column.
fn key(source: &Source, dataflow: &Dataflow) -> Option<String> {
    if source.key.is_some() {
        return None;
    }
    let readers = dataflow.sources().filter(|(_, reader)| reader.source == source.name.value);
    let mut keys = readers.filter_map(|(_, reader)| match &reader.role {
        SourceRole::Versioned { key } => match key.as_slice() {
            [column] => reader.columns.get(*column).map(|column| column.name.clone()),
            _ => None,
        },
        SourceRole::Stream => None,
    });
    keys.next()
}

/// Where and how an entry is put into the mapping that holds the value at `beside`.
fn edit(files: &Files, beside: &Place, entry: &Entry) -> Option<Edit> {
    let text = files.text(beside.file);
    let line_start = text.get(..beside.range.start)?.rfind('\n').map_or(0, |at| at + 1);
    let line_end =
        text.get(beside.range.end..)?.find('\n').map_or(text.len(), |at| beside.range.end + at);
    let before = text.get(line_start..beside.range.start)?;
    let quote = before.chars().next_back().filter(|c| matches!(c, '"' | '\''));
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    if before.contains('{') {
        // A flow mapping: right behind the value and its quote.
        let rest = text.get(beside.range.end..)?;
        let quoted = usize::from(quote.is_some_and(|quote| rest.starts_with(quote)));
        let text = format!(", {}", entry.in_flow());
        return Some(Edit { file: beside.file, at: beside.range.end + quoted, text });
    }
    // A block mapping: `  - key: value` or `    key: value`; anything else is left alone.
    let key = before.trim_start_matches([' ', '-']);
    let indent = " ".repeat(before.chars().count() - key.chars().count());
    let is_key = key.split_once(':').is_some_and(|(name, rest)| {
        name.chars().all(|c| c.is_alphanumeric() || c == '_')
            && rest.trim_matches([' ', '"', '\'']).is_empty()
    });
    if !is_key {
        return None;
    }
    let line = text.get(line_start..line_end)?;
    let at = line_start + line.trim_end_matches('\r').len();
    let text = format!("{newline}{}", entry.in_block(&indent, newline));
    Some(Edit { file: beside.file, at, text })
}

/// A plain scalar where YAML reads the text as itself, else a quoted one.
fn scalar(text: &str, is_in_flow: bool) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.()<> ,".contains(c))
        && !(is_in_flow && text.contains(','));
    let is_word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word));
    if is_plain && !is_word {
        text.to_owned()
    } else {
        // JSON's strings are YAML's.
        serde_json::Value::from(text).to_string()
    }
}

fn apply(folder: &Path, files: &Files, edits: Vec<Edit>) -> Result<(), Error> {
    let mut by_file: BTreeMap<FileId, Vec<Edit>> = BTreeMap::new();
    for edit in edits {
        by_file.entry(edit.file).or_default().push(edit);
    }
    for (file, mut edits) in by_file {
        let mut text = files.text(file).to_owned();
        // From the end, so that the places before stay right; of one place the last first.
        edits.sort_by_key(|edit| edit.at);
        for edit in edits.iter().rev() {
            text.insert_str(edit.at, &edit.text);
        }
        put(folder, files.path(file), &text)?;
    }
    Ok(())
}

fn put(folder: &Path, path: &str, text: &str) -> Result<(), Error> {
    let path = folder.join(path);
    fs::write(&path, text).map_err(|source| Error::File { action: "write", path, source })
}
