//! One model's text to one query.
//!
//! **Invariant:** no text makes this panic; every mistake has its place in the text.
//! Mistakes that only tokens show are found here: hints, which the parser takes for comments, and
//! double quotes, which it takes for strings.

use sqlparser::ast::{Query, Statement};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer, Whitespace};

use super::dialect::FlinkDialect;

mod depth;

/// How deep queries and expressions may nest: far beyond what people write, far below what
/// overflows a thread's stack.
const NESTING_MAX: usize = 64;

/// Longest text of one model, so that a mistake in a template cannot eat the machine.
pub(crate) const SQL_BYTES_MAX: usize = 1 << 20;

/// A text that is no query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxMistake {
    /// What is wrong, in a few words.
    pub(crate) message: String,
    /// What to do instead, if known.
    pub(crate) help: Option<String>,
    /// Where.
    pub(crate) at: Span,
}

/// Parses the text of a model, which is a single query; a semicolon may end it.
///
/// # Errors
/// [`SyntaxMistake`] with the place of the first token that does not fit.
pub(crate) fn parse_query(text: &str) -> Result<Query, SyntaxMistake> {
    if text.len() > SQL_BYTES_MAX {
        return Err(mistake(format!("SQL longer than {SQL_BYTES_MAX} bytes"), Span::empty()));
    }
    let tokens = tokenize(text)?;
    if let Some(mistake) = tokens.iter().find_map(refuse_token) {
        return Err(mistake);
    }
    depth::check(&tokens)?;
    let mut statements = Parser::new(&FlinkDialect)
        .with_recursion_limit(NESTING_MAX)
        .with_tokens_with_locations(tokens.clone())
        .parse_statements()
        .map_err(|error| from_parser(error, &tokens))?;
    match (statements.pop(), statements.is_empty()) {
        (Some(Statement::Query(query)), true) => Ok(*query),
        (Some(_), true) => {
            let mut mistake = mistake("a model is a query".to_owned(), first(&tokens));
            mistake.help = Some("Begin with `SELECT` or `WITH`.".to_owned());
            Err(mistake)
        }
        (Some(_), false) => {
            Err(mistake("a model is one query, not several".to_owned(), first(&tokens)))
        }
        (None, _) => Err(mistake("the SQL is empty".to_owned(), Span::empty())),
    }
}

fn tokenize(text: &str) -> Result<Vec<TokenWithSpan>, SyntaxMistake> {
    Tokenizer::new(&FlinkDialect, text)
        .tokenize_with_location()
        .map_err(|error| mistake(lower_first(&error.message), point(error.location)))
}

fn refuse_token(token: &TokenWithSpan) -> Option<SyntaxMistake> {
    match &token.token {
        Token::DoubleQuotedString(text) => Some(SyntaxMistake {
            message: format!("double quotes around `{text}`"),
            help: Some("Write 'text' for a string and `name` for a name.".to_owned()),
            at: token.span,
        }),
        Token::Whitespace(Whitespace::MultiLineComment(text)) if text.starts_with('+') => {
            Some(SyntaxMistake {
                message: "hints are not supported".to_owned(),
                help: Some("Remove the hint; settings belong in the model's YAML.".to_owned()),
                at: token.span,
            })
        }
        _ => None,
    }
}

/// The parser writes the place into its message; it is taken out again.
fn from_parser(error: ParserError, tokens: &[TokenWithSpan]) -> SyntaxMistake {
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        ParserError::RecursionLimitExceeded => {
            return mistake(format!("nested deeper than {NESTING_MAX} levels"), first(tokens));
        }
    };
    let Some((message, location)) = split_location(&message) else {
        let message = message.trim_end_matches(" at EOF").trim_end_matches(", found: EOF");
        let message = message.replacen("Expected: ", "expected ", 1);
        return mistake(format!("{}, found the end", lower_first(&message)), last(tokens));
    };
    let span = find_token(message, location, tokens).unwrap_or_else(|| point(location));
    let message = message.replacen("Expected: ", "expected ", 1).replacen("found: ", "found ", 1);
    mistake(lower_first(&message), span)
}

/// The token that the message names as found. The parser's place may be that of the token behind.
fn find_token(message: &str, location: Location, tokens: &[TokenWithSpan]) -> Option<Span> {
    let found = message.rsplit_once("found: ").map(|(_, found)| found);
    let upto = tokens.iter().take_while(|token| token.span.start <= location);
    let mut near = upto.collect::<Vec<_>>().into_iter().rev().take(3);
    near.find(|token| found.is_none_or(|found| token.token.to_string() == found))
        .map(|token| token.span)
}

fn split_location(message: &str) -> Option<(&str, Location)> {
    let (text, place) = message.rsplit_once(" at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    Some((text, Location::new(line.trim().parse().ok()?, column.trim().parse().ok()?)))
}

fn mistake(message: String, at: Span) -> SyntaxMistake {
    SyntaxMistake { message, help: None, at }
}

fn point(location: Location) -> Span {
    Span::new(location, Location::new(location.line, location.column + 1))
}

fn first(tokens: &[TokenWithSpan]) -> Span {
    significant(tokens).next().map_or_else(Span::empty, |token| token.span)
}

fn last(tokens: &[TokenWithSpan]) -> Span {
    significant(tokens).last().map_or_else(Span::empty, |token| token.span)
}

fn significant(tokens: &[TokenWithSpan]) -> impl Iterator<Item = &TokenWithSpan> {
    tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF))
}

fn lower_first(message: &str) -> String {
    let mut characters = message.chars();
    match characters.next() {
        Some(head) => head.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;
