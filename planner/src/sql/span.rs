//! From places in a model's rendered SQL to places in the user's files.

use std::ops::Range;

use catalog::place::Place;
use catalog::template::Sql;
use sqlparser::tokenizer::{Location, Span};

/// Turns spans of one model's SQL into places.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    sql: Sql,
    /// Byte at which each line starts.
    line_starts: Vec<usize>,
}

impl Places {
    pub(crate) fn new(sql: &Sql) -> Self {
        let after_newlines = sql.text.match_indices('\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(after_newlines).collect();
        Self { sql: sql.clone(), line_starts }
    }

    /// The place of `span`; the whole query for a span that says nothing.
    pub(crate) fn place(&self, span: Span) -> Place {
        match self.range(span) {
            Some(range) => self.sql.place(range),
            None => self.whole(),
        }
    }

    /// The place of the whole query.
    pub(crate) fn whole(&self) -> Place {
        self.sql.whole().clone()
    }

    /// The text under `span`, on one line.
    pub(crate) fn quote(&self, span: Span) -> String {
        let text = self.range(span).and_then(|range| self.sql.text.get(range)).unwrap_or("");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The bytes of `span`. The parser's spans of calls lack what closes them, and those of
    /// intervals the unit; both are added.
    fn range(&self, span: Span) -> Option<Range<usize>> {
        let start = self.byte(span.start)?;
        let end = self.byte(span.end).filter(|end| *end > start);
        let end = match end {
            Some(end) => end,
            None => start + self.sql.text.get(start..)?.chars().next().map_or(0, char::len_utf8),
        };
        let text = self.sql.text.get(start..end)?;
        let rest = self.sql.text.get(end..)?;
        let is_name = text.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        let opens_call = is_name && rest.starts_with('(');
        let depth = depth_after(text);
        if depth > 0 || opens_call {
            return Some(start..end + closing(rest, depth).unwrap_or(0));
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let is_interval = matches!(
            words.as_slice(),
            [.., word, _] if word.eq_ignore_ascii_case("INTERVAL")
        );
        let unit = rest.len() - rest.trim_start().len();
        let letters = rest.trim_start().bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = if is_interval && letters > 0 { unit + letters } else { 0 };
        Some(start..end + unit)
    }

    /// Lines and columns count characters from 1; 0 is "nowhere".
    fn byte(&self, location: Location) -> Option<usize> {
        let line = usize::try_from(location.line.checked_sub(1)?).ok()?;
        let column = usize::try_from(location.column.checked_sub(1)?).ok()?;
        let start = *self.line_starts.get(line)?;
        let rest = self.sql.text.get(start..)?;
        let offset = rest.char_indices().nth(column).map_or(rest.len(), |(offset, _)| offset);
        Some(start + offset)
    }
}

/// How many parentheses and brackets are open at the end of `text`.
fn depth_after(text: &str) -> usize {
    let mut depth = 0_usize;
    for (_, character) in outside_quotes(text) {
        match character {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    depth
}

/// Bytes up to and with the parenthesis that closes the `depth` open ones, or the call that starts
/// here.
fn closing(rest: &str, mut depth: usize) -> Option<usize> {
    for (at, character) in outside_quotes(rest) {
        match character {
            '(' | '[' => depth += 1,
            ')' | ']' if depth <= 1 => return Some(at + 1),
            ')' | ']' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn outside_quotes(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut quote: Option<char> = None;
    text.char_indices().filter(move |(_, character)| {
        match quote {
            Some(open) if open == *character => quote = None,
            Some(_) => {}
            None if matches!(character, '\'' | '`') => quote = Some(*character),
            None => return true,
        }
        false
    })
}
