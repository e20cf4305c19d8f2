//! Flink's SQL dialect for sqlparser.
//!
//! It accepts more than Flink does (reserved words as aliases, for one); what the engine cannot run
//! is refused by later passes, with a message of our own instead of a syntax error.

use std::any::TypeId;

use sqlparser::ast::{Expr, ObjectName};
use sqlparser::dialect::{Dialect, GenericDialect};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token};

mod forms;

/// Name of the function that stands for the table argument of a window function: `TABLE t` parses
/// as `$TABLE(t)`. No user can write it, since `$` starts no identifier.
pub(crate) const TABLE_ARGUMENT: &str = "$TABLE";

/// Flink SQL: backticks quote identifiers, names are case sensitive, versions of a table are read
/// with `FOR SYSTEM_TIME AS OF`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct FlinkDialect;

impl Dialect for FlinkDialect {
    /// The parser compares dialects by type in many places; being taken for the generic one opens
    /// `UNNEST(…)` and the like.
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`'
    }

    fn identifier_quote_style(&self, _identifier: &str) -> Option<char> {
        Some('`')
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '$'
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_table_versioning(&self) -> bool {
        true
    }

    fn supports_match_recognize(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    /// Makes every form of window table function parse, `TUMBLE(TABLE t, DESCRIPTOR(c), …)`, and
    /// the forms of Flink that sqlparser does not know.
    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        let is_table_argument =
            parser.peek_keyword(Keyword::TABLE) && parser.peek_nth_token(1).token != Token::LParen;
        if is_table_argument {
            return Some(parse_table_argument(parser));
        }
        forms::parse_prefix(parser)
    }

    fn parse_infix(
        &self,
        parser: &mut Parser<'_>,
        expr: &Expr,
        _precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        forms::parse_infix(parser, expr)
    }
}

/// Parses `TABLE name [PARTITION BY column, …]` into a call of [`TABLE_ARGUMENT`].
fn parse_table_argument(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    parser.expect_keyword(Keyword::TABLE)?;
    let name = parser.parse_object_name(false)?;
    let mut arguments = vec![name_as_expression(&name)?];
    if parser.parse_keywords(&[Keyword::PARTITION, Keyword::BY]) {
        arguments.extend(parser.parse_comma_separated(Parser::parse_expr)?);
    }
    Ok(forms::call(TABLE_ARGUMENT, Span::empty(), arguments))
}

fn name_as_expression(name: &ObjectName) -> Result<Expr, ParserError> {
    let mut parts = Vec::with_capacity(name.0.len());
    for part in &name.0 {
        match part.as_ident() {
            Some(ident) => parts.push(ident.clone()),
            None => return Err(ParserError::ParserError(format!("`{name}` is no table name"))),
        }
    }
    match parts.len() {
        1 => Ok(Expr::Identifier(parts.remove(0))),
        _ => Ok(Expr::CompoundIdentifier(parts)),
    }
}
