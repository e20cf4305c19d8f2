//! Finds single fields in a line of JSON without reading the rest of it into values.
//!
//! **Invariant:** any bytes are taken; a line that is no JSON object simply lacks the field. What
//! is written to the topic are the line's own bytes, so nothing here may refuse them.

use std::borrow::Cow;

use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;

/// Values nest this deep at most; a line with deeper ones lacks the field.
const DEPTH_MAX: usize = 128;

/// The fields that are looked for, by name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    /// Names of the fields.
    pub(crate) names: [Option<&'a str>; 2],
}

impl Fields<'_> {
    /// For each name the field's raw text in the outermost object of `line`, strings with their
    /// quotes. The last of several counts, as in a decoder.
    pub(crate) fn find<'l>(&self, line: &'l [u8]) -> [Option<&'l [u8]>; 2] {
        let mut found = [None; 2];
        if self.names.iter().all(Option::is_none) {
            return found;
        }
        let mut scanner = Scanner { bytes: line, at: 0 };
        // A line that breaks off has no trustworthy fields, also not those before the break.
        if self.scan(&mut scanner, &mut found).is_none() { [None; 2] } else { found }
    }

    fn scan<'l>(&self, scanner: &mut Scanner<'l>, found: &mut [Option<&'l [u8]>; 2]) -> Option<()> {
        scanner.blank();
        scanner.take(b'{')?;
        scanner.blank();
        if scanner.take(b'}').is_some() {
            return Some(());
        }
        loop {
            scanner.blank();
            let name = scanner.string()?;
            scanner.blank();
            scanner.take(b':')?;
            scanner.blank();
            let value = scanner.value()?;
            for (wanted, slot) in self.names.iter().zip(found.iter_mut()) {
                if wanted.is_some_and(|wanted| is_name(name, wanted)) {
                    *slot = Some(value);
                }
            }
            scanner.blank();
            if scanner.take(b',').is_none() {
                return scanner.take(b'}');
            }
        }
    }
}

/// The text of a raw field: a string without its quotes and escapes, anything else as written.
/// `None` for `null` and for a string that is none.
pub(crate) fn text(raw: &[u8]) -> Option<Cow<'_, [u8]>> {
    if raw == b"null" {
        return None;
    }
    let Some(inner) = raw.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) else {
        return Some(Cow::Borrowed(raw));
    };
    if !inner.contains(&b'\\') {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_slice::<String>(raw).ok().map(|text| Cow::Owned(text.into_bytes()))
}

/// The time that a raw field tells: epoch milliseconds as a number or text, ISO-8601 or SQL's
/// form as text, without a zone UTC. `None` for anything else and for times before 1970.
pub(crate) fn timestamp_millis(raw: &[u8]) -> Option<i64> {
    let text = text(raw)?;
    let text = std::str::from_utf8(&text).ok()?.trim();
    let millis = match text.parse::<i64>() {
        Ok(millis) => millis,
        Err(_not_a_number) => string_to_timestamp_nanos(text).ok()?.div_euclid(1_000_000),
    };
    (millis >= 0).then_some(millis)
}

fn is_name(raw: &[u8], wanted: &str) -> bool {
    let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    if inner == wanted.as_bytes() {
        return true;
    }
    inner.contains(&b'\\') && serde_json::from_slice::<String>(raw).is_ok_and(|name| name == wanted)
}

struct Scanner<'l> {
    bytes: &'l [u8],
    at: usize,
}

impl<'l> Scanner<'l> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn since(&self, start: usize) -> Option<&'l [u8]> {
        self.bytes.get(start..self.at)
    }

    /// A string with its quotes.
    fn string(&mut self) -> Option<&'l [u8]> {
        let start = self.at;
        self.take(b'"')?;
        loop {
            let rest = self.bytes.get(self.at..)?;
            let skip = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
            self.at += skip + 1;
            if rest.get(skip) == Some(&b'"') {
                return self.since(start);
            }
            // Whatever is escaped is not the end.
            self.at += 1;
        }
    }

    fn value(&mut self) -> Option<&'l [u8]> {
        let start = self.at;
        match self.peek()? {
            b'"' => return self.string(),
            b'{' | b'[' => self.nested()?,
            _ => {
                while !matches!(
                    self.peek()?,
                    b',' | b'}' | b']' | b':' | b'"' | b' ' | b'\t' | b'\r' | b'\n'
                ) {
                    self.at += 1;
                }
            }
        }
        self.since(start).filter(|value| !value.is_empty())
    }

    fn nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
            if depth > DEPTH_MAX {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests;
