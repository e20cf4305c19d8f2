//! A template cut at its `{{ }}`, `{% %}` and `{# #}`.
//!
//! minijinja reads templates itself; this only needs to know where its delimiters are. A template
//! that is cut wrongly loses its map, never its text.

use std::ops::Range;

/// One stretch of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) kind: PieceKind,
    /// Bytes of the template. Of a literal, without what whitespace control takes off.
    pub(super) range: Range<usize>,
}

/// What a stretch of a template is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PieceKind {
    /// Text that is rendered as it is.
    Literal,
    /// `{{ ... }}`
    Expression,
    /// `{% ... %}`, `{# ... #}`
    Statement,
    /// `{% raw %}...{% endraw %}`, as a whole.
    Raw,
}

/// Cuts `template`. What is not closed is one statement up to the end.
pub(super) fn split(template: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = 0;
    let mut is_trimmed = false;
    while let Some(rest) = template.get(at..) {
        let Some(open) = find_open(rest) else {
            push_literal(&mut pieces, template, at..template.len(), (is_trimmed, false));
            break;
        };
        let start = at + open;
        let (kind, length) = delimited(template.get(start..).unwrap_or(""));
        let written = template.get(start..start + length).unwrap_or("");
        let takes_before = written.get(2..3) == Some("-");
        push_literal(&mut pieces, template, at..start, (is_trimmed, takes_before));
        pieces.push(Piece { kind, range: start..start + length });
        let close = written.len().checked_sub(3);
        is_trimmed = close.and_then(|close| written.get(close..close + 1)) == Some("-");
        at = start + length;
    }
    pieces
}

/// The first code with which one piece, or all pieces together, have more bytes than allowed.
pub(super) fn excess(template: &str, piece_max: usize, all_max: usize) -> Option<Range<usize>> {
    let mut all = 0;
    let is_comment = |piece: &Piece| {
        template.get(piece.range.clone()).is_some_and(|text| text.starts_with("{#"))
    };
    let is_code = |piece: &Piece| match piece.kind {
        PieceKind::Expression | PieceKind::Statement => !is_comment(piece),
        PieceKind::Literal | PieceKind::Raw => false,
    };
    let found = split(template).into_iter().filter(is_code).find(|piece| {
        all += piece.range.len();
        piece.range.len() > piece_max || all > all_max
    });
    found.map(|piece| piece.range)
}

/// The names of the macros that `template` defines.
pub(super) fn macro_names(template: &str) -> Vec<String> {
    let statements = split(template).into_iter().filter(|piece| piece.kind == PieceKind::Statement);
    statements
        .filter_map(|piece| {
            let inner =
                template.get(piece.range)?.strip_prefix("{%")?.trim_start_matches(['-', '+']);
            let name = inner.trim_start().strip_prefix("macro")?;
            let name = name.strip_prefix(char::is_whitespace)?.trim_start();
            let end = name.find(|other: char| !other.is_alphanumeric() && other != '_')?;
            name.get(..end).filter(|name| !name.is_empty()).map(str::to_owned)
        })
        .collect()
}

/// Where `name` stands in the first `word("name")` of `template`.
pub(super) fn find_call(
    template: &str,
    pieces: &[Piece],
    word: &str,
    name: &str,
) -> Option<Range<usize>> {
    let code = pieces
        .iter()
        .filter(|piece| matches!(piece.kind, PieceKind::Expression | PieceKind::Statement));
    let mut code = code;
    code.find_map(|piece| {
        let written = template.get(piece.range.clone())?;
        let found = written.match_indices(word).find_map(|(at, _)| {
            let before = written.get(..at)?.chars().next_back();
            if before.is_some_and(|before| before.is_alphanumeric() || before == '_') {
                return None;
            }
            let after =
                written.get(at + word.len()..)?.trim_start().strip_prefix('(')?.trim_start();
            let quote = after.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
            let inner = after.strip_prefix(quote)?;
            inner.strip_prefix(name)?.starts_with(quote).then_some(written.len() - inner.len())
        })?;
        let start = piece.range.start + found;
        Some(start..start + name.len())
    })
}

fn push_literal(
    pieces: &mut Vec<Piece>,
    template: &str,
    mut range: Range<usize>,
    (trims_start, trims_end): (bool, bool),
) {
    let text = template.get(range.clone()).unwrap_or("");
    if trims_end {
        range.end = range.start + text.trim_end().len();
    }
    let text = template.get(range.clone()).unwrap_or("");
    if trims_start {
        range.start += text.len() - text.trim_start().len();
    }
    if !range.is_empty() {
        pieces.push(Piece { kind: PieceKind::Literal, range });
    }
}

fn find_open(text: &str) -> Option<usize> {
    text.match_indices('{')
        .map(|(at, _)| at)
        .find(|at| matches!(text.as_bytes().get(at + 1), Some(b'{' | b'%' | b'#')))
}

/// Kind and length of what starts at the front of `text`.
fn delimited(text: &str) -> (PieceKind, usize) {
    if text.starts_with("{#") {
        let length = text.find("#}").map_or(text.len(), |at| at + 2);
        return (PieceKind::Statement, length);
    }
    let (kind, close) = if text.starts_with("{{") {
        (PieceKind::Expression, "}}")
    } else {
        (PieceKind::Statement, "%}")
    };
    let length = code_length(text, close);
    let is_raw = kind == PieceKind::Statement && statement_word(text, length) == Some("raw");
    if is_raw { (PieceKind::Raw, raw_length(text, length)) } else { (kind, length) }
}

/// Length up to and including `close`, which does not count in strings and brackets.
fn code_length(text: &str, close: &str) -> usize {
    let mut quote = None;
    let mut depth = 0_usize;
    let mut is_escaped = false;
    for (at, character) in text.char_indices().skip(2) {
        if let Some(open) = quote {
            if is_escaped {
                is_escaped = false;
            } else if character == '\\' {
                is_escaped = true;
            } else if character == open {
                quote = None;
            }
            continue;
        }
        if depth == 0 && text.get(at..).is_some_and(|rest| rest.starts_with(close)) {
            return at + close.len();
        }
        match character {
            '"' | '\'' => quote = Some(character),
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    text.len()
}

fn statement_word(text: &str, length: usize) -> Option<&str> {
    let inner = text.get(2..length.checked_sub(2)?)?;
    inner.trim_matches(['-', '+']).split_whitespace().next()
}

/// Length up to and including `{% endraw %}`.
fn raw_length(text: &str, open: usize) -> usize {
    let mut at = open;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find("{%")) {
        let start = at + found;
        let rest = text.get(start..).unwrap_or("");
        let length = code_length(rest, "%}");
        if statement_word(rest, length) == Some("endraw") {
            return start + length;
        }
        at = start + 2;
    }
    text.len()
}
