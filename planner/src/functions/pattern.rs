//! Regular expressions, `LIKE` and `SIMILAR TO`.
//!
//! A pattern is compiled once a batch, or once for a run of equal patterns in a column. Java's
//! look-around and back references do not exist here; such a pattern counts as broken.

#![expect(clippy::unnecessary_wraps, reason = "functions of one table have one shape")]

use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field};
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::logical_expr::ReturnFieldArgs;
use regex::{Regex, RegexBuilder};

use super::builtin::{Definition, define, returns};
use super::call::{Call, Column};

pub(crate) const LIKE: &str = "$LIKE";
pub(crate) const SIMILAR: &str = "$SIMILAR";

pub(super) const DEFINITIONS: &[Definition] = &[
    define(LIKE, "SS SSS", returns::boolean, like),
    define(SIMILAR, "SS", returns::boolean, similar),
    define("REGEXP", "SS", returns::boolean, regexp),
    define("REGEXP_EXTRACT", "SS SSI", returns::text, extract),
    define("REGEXP_EXTRACT_ALL", "SS SSI", text_list, extract_all),
    define("REGEXP_REPLACE", "SSS", returns::text, replace),
    define("REGEXP_COUNT", "SS", returns::int, count),
    define("REGEXP_INSTR", "SS", returns::int, instr),
    define("REGEXP_SUBSTR", "SS", returns::text, substr),
];

/// Memory that one compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1 << 20;

fn text_list(_: &ReturnFieldArgs<'_>) -> Result<DataType> {
    Ok(DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))))
}

/// Java's classes `\\w`, `\\d` and `\\s` are ASCII; those of the regex library are not.
fn java_pattern(pattern: &str) -> String {
    let mut source = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            source.push(character);
            continue;
        }
        match characters.next() {
            Some('w') => source.push_str("[0-9A-Za-z_]"),
            Some('W') => source.push_str("[^0-9A-Za-z_]"),
            Some('d') => source.push_str("[0-9]"),
            Some('D') => source.push_str("[^0-9]"),
            Some('s') => source.push_str("[ \\t\\n\\x0B\\f\\r]"),
            Some('S') => source.push_str("[^ \\t\\n\\x0B\\f\\r]"),
            Some(other) => source.extend(['\\', other]),
            None => source.push('\\'),
        }
    }
    source
}

fn compile(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(&java_pattern(pattern)).size_limit(PATTERN_BYTES_MAX).build().ok()
}

/// The patterns of a batch; the last one compiled is kept.
struct Patterns<'a> {
    column: Column<&'a StringArray>,
    compiled: Option<(&'a str, Option<Regex>)>,
}

impl<'a> Patterns<'a> {
    fn new(column: Column<&'a StringArray>) -> Self {
        Self { column, compiled: None }
    }

    /// The row's pattern.
    fn get(&mut self, row: usize) -> Compiled<'_> {
        let Some(pattern) = self.column.get(row) else { return Compiled::Null };
        if self.compiled.as_ref().is_none_or(|(known, _)| *known != pattern) {
            self.compiled = Some((pattern, compile(pattern)));
        }
        match &self.compiled {
            Some((_, Some(regex))) => Compiled::Regex(regex),
            Some((_, None)) | None => Compiled::Broken,
        }
    }

    /// The row's pattern, if there is one and it is not broken.
    fn usable(&mut self, row: usize) -> Option<&Regex> {
        match self.get(row) {
            Compiled::Regex(regex) => Some(regex),
            Compiled::Null | Compiled::Broken => None,
        }
    }
}

/// What a row's pattern is.
enum Compiled<'a> {
    Null,
    Broken,
    Regex(&'a Regex),
}

fn broken(pattern: &str) -> DataFusionError {
    DataFusionError::Execution(format!("`{pattern}` is no regular expression"))
}

/// An empty or broken pattern matches nothing.
fn regexp(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, patterns) = (call.argument(0)?, call.argument(1)?);
    let texts = texts.texts()?;
    let mut patterns = Patterns::new(patterns.texts()?);
    call.booleans(|row| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        Ok(match patterns.get(row) {
            Compiled::Null => None,
            Compiled::Broken => Some(false),
            Compiled::Regex(regex) => Some(!regex.as_str().is_empty() && regex.is_match(text)),
        })
    })
}

fn extract(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, patterns) = (call.argument(0)?, call.argument(1)?);
    let texts = texts.texts()?;
    let mut patterns = Patterns::new(patterns.texts()?);
    let groups = if call.argument_count() > 2 { Some(call.argument(2)?) } else { None };
    let groups = groups.as_ref().map(super::call::Argument::ints).transpose()?;
    call.slices(|row| {
        let text = texts.get(row)?;
        let group = match &groups {
            Some(groups) => groups.get(row)?,
            None => 0,
        };
        let captures = patterns.usable(row)?.captures(text)?;
        captures.get(usize::try_from(group).ok()?).map(|found| found.as_str())
    })
}

fn extract_all(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, patterns) = (call.argument(0)?, call.argument(1)?);
    let texts = texts.texts()?;
    let mut patterns = Patterns::new(patterns.texts()?);
    let groups = if call.argument_count() > 2 { Some(call.argument(2)?) } else { None };
    let groups = groups.as_ref().map(super::call::Argument::ints).transpose()?;
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in 0..call.rows {
        let group = groups.as_ref().map_or(Some(1), |groups| groups.get(row));
        let group = group.and_then(|group| usize::try_from(group).ok());
        let regex = patterns.usable(row);
        let (Some(text), Some(regex), Some(group)) = (texts.get(row), regex, group) else {
            lists.append(false);
            continue;
        };
        for captures in regex.captures_iter(text) {
            lists.values().append_option(captures.get(group).map(|found| found.as_str()));
        }
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}

/// The replacement is taken as it stands: Flink quotes it.
fn replace(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, patterns, news) = (call.argument(0)?, call.argument(1)?, call.argument(2)?);
    let (texts, news) = (texts.texts()?, news.texts()?);
    let mut patterns = Patterns::new(patterns.texts()?);
    call.write_texts(|row, out| {
        let Some((text, new)) = texts.get(row).zip(news.get(row)) else { return Ok(None) };
        let regex = match patterns.get(row) {
            Compiled::Null => return Ok(None),
            Compiled::Regex(regex) => regex,
            Compiled::Broken => return Err(broken(patterns.column.get(row).unwrap_or_default())),
        };
        let mut done = 0;
        for found in regex.find_iter(text) {
            out.push_str(text.get(done..found.start()).unwrap_or_default());
            out.push_str(new);
            done = found.end();
        }
        out.push_str(text.get(done..).unwrap_or_default());
        Ok(Some(()))
    })
}

fn count(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, patterns) = (call.argument(0)?, call.argument(1)?);
    let texts = texts.texts()?;
    let mut patterns = Patterns::new(patterns.texts()?);
    call.ints(|row| {
        let regex = patterns.usable(row);
        let found = texts.get(row).zip(regex).map(|(text, regex)| regex.find_iter(text).count());
        Ok(found.and_then(|count| i32::try_from(count).ok()))
    })
}

fn instr(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, patterns) = (call.argument(0)?, call.argument(1)?);
    let texts = texts.texts()?;
    let mut patterns = Patterns::new(patterns.texts()?);
    call.ints(|row| {
        let regex = patterns.usable(row);
        Ok(texts.get(row).zip(regex).map(|(text, regex)| match regex.find(text) {
            Some(found) => {
                let before = text.get(..found.start()).unwrap_or_default();
                i32::try_from(before.chars().count() + 1).unwrap_or(i32::MAX)
            }
            None => 0,
        }))
    })
}

fn substr(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, patterns) = (call.argument(0)?, call.argument(1)?);
    let texts = texts.texts()?;
    let mut patterns = Patterns::new(patterns.texts()?);
    call.slices(|row| {
        let text = texts.get(row)?;
        patterns.usable(row)?.find(text).map(|found| found.as_str())
    })
}

/// A `LIKE` pattern; most need no regular expression.
enum Matcher {
    Exact(String),
    Prefix(String),
    Suffix(String),
    Contains(String),
    Pattern(Regex),
}

impl Matcher {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(part) => text == part,
            Self::Prefix(part) => text.starts_with(part.as_str()),
            Self::Suffix(part) => text.ends_with(part.as_str()),
            Self::Contains(part) => text.contains(part.as_str()),
            Self::Pattern(regex) => regex.is_match(text),
        }
    }

    fn new(pattern: &str, escape: Option<&str>) -> Result<Self> {
        let escape = match escape.map(|escape| (escape.chars().next(), escape.chars().count())) {
            None => None,
            Some((Some(escape), 1)) => Some(escape),
            Some(_) => return exec_err!("`ESCAPE` takes one character"),
        };
        if escape.is_none_or(|escape| !pattern.contains(escape)) && !pattern.contains('_') {
            let inner = pattern.trim_matches('%');
            let (starts, ends) = (pattern.starts_with('%'), pattern.ends_with('%'));
            if !inner.contains('%') {
                let inner = inner.to_owned();
                return Ok(match (starts, ends) {
                    (false, false) => Self::Exact(inner),
                    (false, true) => Self::Prefix(inner),
                    (true, false) => Self::Suffix(inner),
                    (true, true) => Self::Contains(inner),
                });
            }
        }
        let source = like_to_regex(pattern, escape)?;
        match compile(&source) {
            Some(regex) => Ok(Self::Pattern(regex)),
            None => exec_err!("the pattern `{pattern}` is too large"),
        }
    }
}

/// `%` is any text, also over lines; `_` is one character, but no line's end.
fn like_to_regex(pattern: &str, escape: Option<char>) -> Result<String> {
    let mut source = String::from("^");
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if Some(character) == escape {
            match characters.next() {
                Some(next) if next == '%' || next == '_' || Some(next) == escape => {
                    source.push_str(&regex::escape(next.encode_utf8(&mut [0; 4])));
                }
                _ => return exec_err!("`{pattern}` escapes neither `%` nor `_`"),
            }
            continue;
        }
        match character {
            '%' => source.push_str("(?s:.*)"),
            '_' => source.push('.'),
            other => source.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    source.push('$');
    Ok(source)
}

fn like(call: &Call<'_>) -> Result<ArrayRef> {
    let escape = if call.argument_count() > 2 { Some(call.argument(2)?) } else { None };
    let escape = escape.as_ref().map(super::call::Argument::texts).transpose()?;
    let build = |pattern: &str, row: usize| {
        Matcher::new(pattern, escape.as_ref().and_then(|escape| escape.get(row)))
    };
    match_texts(call, build)
}

fn similar(call: &Call<'_>) -> Result<ArrayRef> {
    match_texts(call, |pattern, _| {
        let mut source = String::from("^(?s:");
        for character in pattern.chars() {
            match character {
                '%' => source.push_str(".*"),
                '_' => source.push('.'),
                '.' | '^' | '$' | '\\' => {
                    source.push('\\');
                    source.push(character);
                }
                other => source.push(other),
            }
        }
        source.push_str(")$");
        compile(&source).map(Matcher::Pattern).ok_or_else(|| broken(pattern))
    })
}

fn match_texts(
    call: &Call<'_>,
    build: impl Fn(&str, usize) -> Result<Matcher>,
) -> Result<ArrayRef> {
    let (texts, patterns) = (call.argument(0)?, call.argument(1)?);
    let (texts, patterns) = (texts.texts()?, patterns.texts()?);
    let mut known: Option<(&str, Matcher)> = None;
    call.booleans(|row| {
        let Some((text, pattern)) = texts.get(row).zip(patterns.get(row)) else {
            return Ok(None);
        };
        let matcher = match known.take() {
            Some((last, matcher)) if last == pattern => matcher,
            Some(_) | None => build(pattern, row)?,
        };
        let is_match = matcher.matches(text);
        known = Some((pattern, matcher));
        Ok(Some(is_match))
    })
}
