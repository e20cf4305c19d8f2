//! `${VAR}` in scalars.

use std::collections::{BTreeMap, HashMap};

use crate::diagnostic::template::TemplateMistake;
use crate::place::Place;
use crate::read::Reader;
use crate::yaml::{Alignment, Node, Scalar};

/// A value may grow to this many bytes; a variable is not a file.
const EXPANDED_BYTES_MAX: usize = 64 * 1024;

/// The names in all `${NAME...}` of `text`.
pub(crate) fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split("${").skip(1).map(|rest| {
        let end = rest.find(|other: char| !other.is_ascii_alphanumeric() && other != '_');
        end.and_then(|end| rest.get(..end)).unwrap_or(rest)
    })
}

/// What `${VAR}` may stand for: `.env`, then `.env.<env>`, then the process environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables {
    values: BTreeMap<String, String>,
}

impl Variables {
    /// The process environment wins over `from_files`.
    pub(crate) fn new(
        from_files: BTreeMap<String, String>,
        process: &HashMap<String, String>,
    ) -> Self {
        let mut values = from_files;
        values.extend(process.iter().map(|(name, value)| (name.clone(), value.clone())));
        Self { values }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
}

impl Reader<'_> {
    /// The text with each `${VAR}` filled in; `None` after reporting one that cannot be.
    pub(crate) fn expand(&mut self, scalar: &Scalar, node: &Node) -> Option<String> {
        if !scalar.text.contains("${") {
            return Some(scalar.text.clone());
        }
        let mut expanded = String::new();
        let mut rest = scalar.text.as_str();
        while let Some(at) = rest.find("${") {
            let (before, reference) = rest.split_at_checked(at)?;
            if let Some(escaped) = before.strip_suffix('$') {
                expanded.push_str(escaped);
                expanded.push_str("${");
                rest = reference.get(2..)?;
                continue;
            }
            expanded.push_str(before);
            let start = scalar.text.len() - reference.len();
            let end = reference.find('}').map(|end| end + 1);
            let place = |length: usize| {
                Alignment::new(node, scalar, self.files.text(node.place.file))
                    .place(start..start + length)
            };
            let Some(written) = end.and_then(|end| reference.get(..end)) else {
                let at = place(reference.len());
                self.report(TemplateMistake::VariableSyntax { text: reference.to_owned(), at });
                return None;
            };
            let at = place(written.len());
            expanded.push_str(&self.variable(written, at)?);
            if expanded.len() > EXPANDED_BYTES_MAX {
                let reason = format!("it grows beyond {EXPANDED_BYTES_MAX} bytes");
                self.report(TemplateMistake::TooCostly { reason, at: node.place.clone() });
                return None;
            }
            rest = reference.get(written.len()..)?;
        }
        expanded.push_str(rest);
        Some(expanded)
    }

    /// The value of `${...}`.
    fn variable(&mut self, written: &str, at: Place) -> Option<String> {
        let inner = written.strip_prefix("${").and_then(|inner| inner.strip_suffix('}'))?;
        let end = inner
            .find(|other: char| !other.is_ascii_alphanumeric() && other != '_')
            .unwrap_or(inner.len());
        let (name, form) = inner.split_at_checked(end)?;
        let is_named = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        let value = self.variables.get(name).map(str::to_owned);
        if is_named {
            self.named_variables.insert(name.to_owned(), value.is_some());
        }
        let filled = value.clone().filter(|value| !value.is_empty());
        let resolved = if !is_named {
            None
        } else if form.is_empty() {
            Some(value.ok_or(None))
        } else if let Some(default) = form.strip_prefix(":-") {
            Some(Ok(filled.unwrap_or_else(|| default.to_owned())))
        } else if let Some(default) = form.strip_prefix('-') {
            Some(Ok(value.unwrap_or_else(|| default.to_owned())))
        } else if let Some(message) = form.strip_prefix(":?") {
            Some(filled.ok_or_else(|| Some(message.to_owned())))
        } else {
            form.strip_prefix('?').map(|message| value.ok_or_else(|| Some(message.to_owned())))
        };
        match resolved {
            Some(Ok(value)) => Some(value),
            Some(Err(reason)) => {
                // `:?` says that the author wants a stop, wherever it stands.
                let is_needed = self.is_runtime || reason.is_some();
                self.report(TemplateMistake::NotSet {
                    name: name.to_owned(),
                    reason,
                    is_needed,
                    at,
                });
                None
            }
            None => {
                self.report(TemplateMistake::VariableSyntax { text: written.to_owned(), at });
                None
            }
        }
    }
}
