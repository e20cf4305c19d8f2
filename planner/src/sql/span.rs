//! From places in a model's rendered SQL to places in the user's files.

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
        match (self.byte(span.start), self.byte(span.end)) {
            (Some(start), Some(end)) if start < end => self.sql.place(start..end),
            (Some(start), _) => {
                let rest = self.sql.text.get(start..).unwrap_or("");
                let width = rest.chars().next().map_or(0, char::len_utf8);
                self.sql.place(start..start + width)
            }
            (None, _) => self.whole(),
        }
    }

    /// The place of the whole query.
    pub(crate) fn whole(&self) -> Place {
        self.sql.whole().clone()
    }

    /// The text under `span`, on one line.
    pub(crate) fn quote(&self, span: Span) -> String {
        let range = self.byte(span.start).zip(self.byte(span.end));
        let text = range.and_then(|(start, end)| self.sql.text.get(start..end)).unwrap_or("");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
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
