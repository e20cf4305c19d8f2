//! From the text of a scalar back to the bytes it was written as.
//!
//! The two texts are walked side by side, undoing indentation, folds and escapes by the rules of
//! the scalar's style. Where they do not agree the walk gives up and the whole scalar stands for
//! each of its parts: a position may then be coarse, but never wrong.

use std::ops::Range;

use crate::place::Place;
use crate::yaml::{Node, Scalar, Style};

/// Where each part of a scalar's text stands in its file.
#[derive(Clone, Debug)]
pub(crate) struct Alignment {
    whole: Place,
    /// Stretches that are written as they read, ascending in both texts.
    runs: Vec<Run>,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    value: usize,
    written: usize,
    length: usize,
}

impl Alignment {
    /// Aligns `scalar`, which stands at `node`'s place in `text`.
    pub(crate) fn new(node: &Node, scalar: &Scalar, text: &str) -> Self {
        let whole = node.place.clone();
        let runs = text
            .get(whole.range.clone())
            .and_then(|written| {
                let indent = block_indent(scalar.style, text, whole.range.start, written);
                let mut walk = Walk::new(written, whole.range.start, indent, scalar.style);
                walk.align(&scalar.text).then_some(walk.runs)
            })
            .unwrap_or_default();
        Self { whole, runs }
    }

    /// The whole scalar.
    pub(crate) fn whole(&self) -> &Place {
        &self.whole
    }

    /// Where `range` of the scalar's text stands.
    pub(crate) fn place(&self, range: Range<usize>) -> Place {
        let start = self.byte(range.start);
        let last = range.end.checked_sub(1).filter(|last| *last >= range.start);
        let end = match last {
            // A range may start at the text's very end, where an error of a reader often is.
            Some(last) if self.is_end(last) => start,
            Some(last) => self.byte(last).map(|byte| byte + 1),
            None => start,
        };
        match (start, end) {
            (Some(start), Some(end)) if start <= end => Place::new(self.whole.file, start..end),
            _ => self.whole.clone(),
        }
    }

    fn is_end(&self, value: usize) -> bool {
        self.runs.last().is_some_and(|run| run.value + run.length == value)
    }

    fn byte(&self, value: usize) -> Option<usize> {
        let next = self.runs.partition_point(|run| run.value <= value);
        let run = self.runs.get(next.checked_sub(1)?)?;
        let within = value - run.value;
        // The end of the text has no byte of its own: it is one past the last run.
        (within < run.length || self.is_end(value)).then_some(run.written + within)
    }
}

/// Spaces that each line of a block scalar starts with; `None` for the other styles.
fn block_indent(style: Style, text: &str, start: usize, written: &str) -> Option<usize> {
    match style {
        Style::Literal | Style::Folded => {}
        Style::Plain | Style::SingleQuoted | Style::DoubleQuoted => return None,
    }
    let line_start = text.get(..start)?.rfind('\n').map_or(0, |at| at + 1);
    let first_is_blank = written.lines().next().is_none_or(|line| line.trim().is_empty());
    if !first_is_blank {
        return Some(start - line_start);
    }
    let line = written.lines().find(|line| !line.trim().is_empty())?;
    Some(line.len() - line.trim_start_matches(' ').len())
}

struct Walk<'a> {
    /// What is left of the written text.
    rest: &'a str,
    /// The file's byte at `rest`.
    at: usize,
    indent: Option<usize>,
    style: Style,
    runs: Vec<Run>,
}

impl<'a> Walk<'a> {
    fn new(written: &'a str, at: usize, indent: Option<usize>, style: Style) -> Self {
        let mut walk = Self { rest: written, at, indent, style, runs: Vec::new() };
        if matches!(style, Style::SingleQuoted | Style::DoubleQuoted) {
            walk.skip(1);
        }
        walk
    }

    /// Walks over all of `value`; false where the texts do not agree.
    fn align(&mut self, value: &str) -> bool {
        // The parser's span of a block starts at its first line that is not empty.
        let leading = if self.indent.is_some() && !self.rest.starts_with(['\n', '\r']) {
            value.len() - value.trim_start_matches('\n').len()
        } else {
            0
        };
        for (position, wanted) in value.char_indices().skip(leading) {
            if self.rest.is_empty() {
                // Chomping adds or drops line ends at the end of a block, which nobody points at.
                return value.get(position..).is_some_and(|tail| tail.trim().is_empty());
            }
            let is_aligned = match (self.style, self.rest.chars().next()) {
                (Style::DoubleQuoted, Some('\\')) => self.escape(position, wanted),
                (Style::SingleQuoted, Some('\'')) => {
                    self.skip(1);
                    self.same(position, wanted)
                }
                _ if wanted == '\n' || wanted == ' ' => self.space(position, wanted),
                _ => {
                    self.skip_folds(wanted);
                    self.same(position, wanted)
                }
            };
            if !is_aligned {
                return false;
            }
        }
        true
    }

    fn same(&mut self, position: usize, wanted: char) -> bool {
        if !self.rest.starts_with(wanted) {
            return false;
        }
        self.run(position, wanted.len_utf8());
        self.skip(wanted.len_utf8());
        if wanted == '\n' {
            self.skip_indent();
        }
        true
    }

    /// A space or a line end of the value: written so, or a fold.
    fn space(&mut self, position: usize, wanted: char) -> bool {
        if self.rest.starts_with("\r\n") {
            self.skip(1);
        }
        if self.rest.starts_with(wanted) {
            // In flow scalars, spaces before a line end belong to the fold.
            let is_fold = self.indent.is_none() && self.fold_length().is_some();
            if !is_fold {
                return self.same(position, wanted);
            }
        }
        let Some(length) = self.fold_length() else { return false };
        let line_end = self.rest.find('\n').unwrap_or(0);
        let skipped = if wanted == '\n' && self.indent.is_none() {
            // Each empty line in a fold is one line end of the value; the first fold is free.
            line_end + 1
        } else {
            length
        };
        self.run(position, 1);
        self.skip(skipped);
        self.skip_indent();
        true
    }

    /// Blank characters up to and including a line end, if that is what comes next.
    fn fold_length(&self) -> Option<usize> {
        let blank = self.rest.len() - self.rest.trim_start_matches([' ', '\t', '\r']).len();
        self.rest.get(blank..)?.starts_with('\n').then_some(blank + 1)
    }

    /// Line ends that the value does not have, before a character that it has.
    fn skip_folds(&mut self, wanted: char) {
        while !self.rest.starts_with(wanted) {
            match self.fold_length() {
                Some(length) => {
                    self.skip(length);
                    self.skip_indent();
                }
                None => break,
            }
        }
    }

    fn skip_indent(&mut self) {
        let spaces = self.rest.len() - self.rest.trim_start_matches(' ').len();
        match self.indent {
            Some(indent) => self.skip(spaces.min(indent)),
            None => {
                let blank = self.rest.len() - self.rest.trim_start_matches([' ', '\t']).len();
                self.skip(blank);
            }
        }
    }

    /// One escape of a double-quoted scalar, which stands for `wanted`.
    fn escape(&mut self, position: usize, wanted: char) -> bool {
        let mut after = self.rest.chars();
        after.next();
        let length = match after.next() {
            Some('x') => 4,
            Some('u') => 6,
            Some('U') => 10,
            Some('\n') => {
                self.skip(2);
                self.skip_indent();
                return self.same(position, wanted);
            }
            Some(other) => 1 + other.len_utf8(),
            None => return false,
        };
        // A wide value may take more bytes in the text than the escape's first byte; one run of one
        // byte is enough, since an error inside an escape points at its start.
        self.run(position, 1);
        self.skip(length);
        true
    }

    fn run(&mut self, value: usize, length: usize) {
        let written = self.at;
        match self.runs.last_mut() {
            Some(run) if run.value + run.length == value && run.written + run.length == written => {
                run.length += length;
            }
            _ => self.runs.push(Run { value, written, length }),
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or("");
        self.at += bytes;
    }
}
