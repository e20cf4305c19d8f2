//! One CSV record a message: RFC 4180 with a delimiter, a quote and a NULL text of one's choice.

use super::CsvFormat;
use super::column::Token;
use crate::rejected::RejectReason;

/// Splits records into fields.
pub(super) struct CsvScanner {
    format: CsvFormat,
    /// Fields of the record that was scanned last.
    fields: Vec<CsvField>,
}

#[derive(Clone, Copy)]
struct CsvField {
    start: usize,
    end: usize,
    kind: CsvKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum CsvKind {
    Plain,
    Quoted,
    /// Quoted, with doubled or escaped characters inside.
    Doubled,
}

impl CsvScanner {
    pub(super) fn new(format: CsvFormat) -> Self {
        Self { format, fields: Vec::new() }
    }

    /// Splits `text`, one record with or without an end of line.
    pub(super) fn scan(&mut self, text: &str) -> Result<(), RejectReason> {
        self.fields.clear();
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        let mut at = 0;
        loop {
            let field = self.field(text, at)?;
            let is_quoted = field.kind != CsvKind::Plain;
            self.fields.push(field);
            at = field.end + usize::from(is_quoted);
            match text.as_bytes().get(at) {
                None => break,
                Some(byte) if *byte == self.format.delimiter => at += 1,
                Some(_) => return Err(RejectReason::Syntax { at, expected: "a delimiter" }),
            }
            if self.fields.len() > self.format.fields.len() {
                break;
            }
        }
        if self.fields.len() != self.format.fields.len() {
            let (expected, found) = (self.format.fields.len(), self.fields.len());
            return Err(RejectReason::FieldCount { expected, found });
        }
        Ok(())
    }

    /// The field that begins at `at`.
    fn field(&self, text: &str, at: usize) -> Result<CsvField, RejectReason> {
        let bytes = text.as_bytes();
        let rest = bytes.get(at..).unwrap_or_default();
        let quote = self.format.quote;
        if quote.is_none() || rest.first().copied() != quote {
            let length = rest.iter().take_while(|byte| **byte != self.format.delimiter).count();
            return Ok(CsvField { start: at, end: at + length, kind: CsvKind::Plain });
        }
        let start = at + 1;
        let mut end = start;
        let mut kind = CsvKind::Quoted;
        loop {
            let byte = bytes.get(end).copied();
            let next = bytes.get(end + 1).copied();
            if byte.is_none() {
                return Err(RejectReason::Syntax { at: end, expected: "a closing quote" });
            }
            if (byte == quote && next == quote)
                || (byte == self.format.escape && byte != quote && next.is_some())
            {
                kind = CsvKind::Doubled;
                end += 2;
            } else if byte == quote {
                return Ok(CsvField { start, end, kind });
            } else {
                end += 1;
            }
        }
    }

    /// The field at `index` of the text that was scanned last. An empty field without quotes is
    /// NULL for every type but STRING.
    pub(super) fn token<'a>(
        &self,
        index: usize,
        is_text: bool,
        text: &'a str,
        scratch: &'a mut String,
    ) -> Token<'a> {
        let Some(field) = self.fields.get(index) else { return Token::Null };
        let slice = text.get(field.start..field.end).unwrap_or_default();
        match field.kind {
            CsvKind::Plain if self.format.null_literal.as_deref() == Some(slice) => Token::Null,
            CsvKind::Plain if slice.is_empty() && !is_text => Token::Null,
            CsvKind::Plain | CsvKind::Quoted => Token::Text(slice),
            CsvKind::Doubled => {
                scratch.clear();
                let special =
                    [self.format.quote, self.format.escape].map(|byte| byte.map(char::from));
                let mut chars = slice.chars();
                while let Some(char) = chars.next() {
                    let is_special = special.contains(&Some(char));
                    scratch.push(if is_special { chars.next().unwrap_or(char) } else { char });
                }
                Token::Text(scratch)
            }
        }
    }
}

#[cfg(test)]
mod tests;
