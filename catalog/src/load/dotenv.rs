//! `.env` files: `NAME=value`, one a line.
//!
//! Quotes are taken off; in double quotes `\n`, `\t`, `\"` and `\\` are escapes; `#` starts a
//! comment at the start of a line or after a space; `export ` in front is fine. Nothing is
//! expanded, and the process environment is not touched.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::diagnostic::template::TemplateMistake;

/// Adds the assignments of `text` to `values`, over those that are there.
pub(super) fn read(
    path: &str,
    text: &str,
    values: &mut BTreeMap<String, String>,
    mistakes: &mut Vec<Diagnostic>,
) {
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match assignment(line) {
            Some((name, value)) => {
                values.insert(name.to_owned(), value);
            }
            None => {
                let path = path.to_owned();
                mistakes.push(TemplateMistake::Dotenv { path, line: index + 1 }.into());
            }
        }
    }
}

fn assignment(line: &str) -> Option<(&str, String)> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|other| other.is_ascii_alphanumeric() || other == '_');
    let value = value.trim_start();
    let value = if let Some(inner) = value.strip_prefix('\'') {
        inner.split_once('\'')?.0.to_owned()
    } else if let Some(inner) = value.strip_prefix('"') {
        double_quoted(inner)?
    } else {
        let comment = value.find(" #").unwrap_or(value.len());
        value.get(..comment)?.trim_end().to_owned()
    };
    is_name.then_some((name, value))
}

fn double_quoted(inner: &str) -> Option<String> {
    let mut value = String::new();
    let mut characters = inner.chars();
    loop {
        match characters.next()? {
            '"' => return Some(value),
            '\\' => match characters.next()? {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests;
