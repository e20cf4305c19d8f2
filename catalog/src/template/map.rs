//! From rendered text back to the template, by marks that are rendered with it.

use std::ops::Range;

use crate::place::Place;
use crate::template::{Piece, PieceKind};
use crate::yaml::Alignment;

/// Before a literal's number.
const LITERAL: char = '\u{FDD0}';

/// Before an expression's number.
const EXPRESSION: char = '\u{FDD2}';

/// After an expression's result.
const EXPRESSION_END: char = '\u{FDD3}';

/// After a number.
const NUMBER_END: char = '\u{FDD1}';

/// The way from a rendered query back to the YAML.
#[derive(Clone, Debug)]
pub struct SqlMap {
    alignment: Alignment,
    /// Ascending and without gaps; empty where the map is coarse.
    runs: Vec<Run>,
}

/// A stretch of rendered text and the stretch of the template it comes from.
#[derive(Clone, Debug)]
struct Run {
    rendered: usize,
    /// Bytes of the template.
    origin: Range<usize>,
    /// Whether the stretches are the same text.
    is_literal: bool,
}

impl SqlMap {
    /// A template without any code.
    pub(super) fn literal(alignment: Alignment, length: usize) -> Self {
        let run = Run { rendered: 0, origin: 0..length, is_literal: true };
        Self { alignment, runs: vec![run] }
    }

    /// Nothing is known but the whole.
    pub(super) fn coarse(alignment: Alignment) -> Self {
        Self { alignment, runs: Vec::new() }
    }

    /// Reads the marks; coarse if the text without them is not `text`.
    pub(super) fn read(
        marked: &str,
        text: &str,
        (template, pieces): (&str, &[Piece]),
        alignment: Alignment,
    ) -> Self {
        let mut marks =
            Marks { plain: String::new(), runs: Vec::new(), open: Vec::new(), literal: None };
        marks.read(marked, template, pieces);
        if marks.plain == text {
            Self { alignment, runs: marks.runs }
        } else {
            Self::coarse(alignment)
        }
    }

    /// The whole scalar.
    pub fn whole(&self) -> &Place {
        self.alignment.whole()
    }

    /// Where bytes of the rendered text come from.
    pub fn place(&self, range: Range<usize>) -> Place {
        let last = range.end.saturating_sub(1).max(range.start);
        let Some(first) = self.origin(range.start) else { return self.whole().clone() };
        let Some(last) = self.origin(last) else { return self.alignment.place(first) };
        let end = if range.is_empty() { first.start } else { last.end };
        if first.start <= end {
            self.alignment.place(first.start..end)
        } else {
            self.alignment.place(first)
        }
    }

    /// Where bytes of the template stand.
    pub(super) fn literal_place(&self, range: Range<usize>) -> Place {
        self.alignment.place(range)
    }

    /// The template's bytes for one byte of rendered text.
    fn origin(&self, rendered: usize) -> Option<Range<usize>> {
        let next = self.runs.partition_point(|run| run.rendered <= rendered);
        let run = self.runs.get(next.checked_sub(1)?)?;
        let within = rendered - run.rendered;
        if !run.is_literal {
            return Some(run.origin.clone());
        }
        let at = (run.origin.start + within).min(run.origin.end);
        Some(at..(at + 1).min(run.origin.end))
    }
}

/// Whether `text` holds a character that marks use.
pub(super) fn has_marks(text: &str) -> bool {
    // All of them start with this byte in UTF-8, which is rare enough to look no further.
    text.as_bytes().contains(&0xEF)
        && text.contains([LITERAL, EXPRESSION, EXPRESSION_END, NUMBER_END])
}

/// The template with a mark before each literal and around each expression.
pub(super) fn mark(template: &str, pieces: &[Piece]) -> String {
    let mut marked = String::with_capacity(template.len() * 2);
    for (number, piece) in pieces.iter().enumerate() {
        let written = template.get(piece.range.clone()).unwrap_or("");
        match piece.kind {
            PieceKind::Literal => {
                marked.extend([LITERAL.into(), number.to_string(), NUMBER_END.into()]);
                marked.push_str(written);
            }
            PieceKind::Expression | PieceKind::Raw => {
                marked.extend([EXPRESSION.into(), number.to_string(), NUMBER_END.into()]);
                marked.push_str(written);
                marked.push(EXPRESSION_END);
            }
            PieceKind::Statement => marked.push_str(written),
        }
    }
    marked
}

struct Marks {
    plain: String,
    runs: Vec<Run>,
    /// Expressions that the text is inside of; the outermost one is its origin.
    open: Vec<usize>,
    literal: Option<usize>,
}

impl Marks {
    fn read(&mut self, marked: &str, template: &str, pieces: &[Piece]) {
        let mut rest = marked;
        while let Some(at) = rest.find([LITERAL, EXPRESSION, EXPRESSION_END]) {
            let (text, mark) = rest.split_at_checked(at).unwrap_or((rest, ""));
            self.text(text, template, pieces);
            let mut after = mark.chars();
            let kind = after.next();
            rest = after.as_str();
            if kind == Some(EXPRESSION_END) {
                self.open.pop();
                self.literal = None;
                continue;
            }
            let Some((number, after)) = rest.split_once(NUMBER_END) else { return };
            rest = after;
            let number = number.parse().ok();
            if kind == Some(EXPRESSION) {
                self.open.extend(number);
            } else {
                self.literal = number;
            }
        }
        self.text(rest, template, pieces);
    }

    fn text(&mut self, text: &str, template: &str, pieces: &[Piece]) {
        if text.is_empty() {
            return;
        }
        let rendered = self.plain.len();
        self.plain.push_str(text);
        if let Some(piece) = self.open.first().and_then(|number| pieces.get(*number)) {
            let origin = piece.range.clone();
            self.runs.push(Run { rendered, origin, is_literal: false });
            return;
        }
        let piece = self.literal.and_then(|number| pieces.get(number));
        let (origin, same) = match piece {
            Some(piece) => {
                let written = template.get(piece.range.clone()).unwrap_or("");
                let same = if text.starts_with(written) { written.len() } else { 0 };
                (piece.range.clone(), same)
            }
            None => (0..template.len(), 0),
        };
        if same > 0 {
            let origin = origin.clone();
            self.runs.push(Run { rendered, origin, is_literal: true });
        }
        // What a statement such as `{% call %}` renders has no origin of its own.
        if same < text.len() {
            let rendered = rendered + same;
            self.runs.push(Run { rendered, origin, is_literal: false });
        }
    }
}
