//! Flink's forms that sqlparser does not know: `MAP[…]`, the clauses of the JSON functions,
//! `IS JSON`, `TRIM(LEADING FROM x)`, `BETWEEN SYMMETRIC`.
//!
//! Each becomes a plain expression or a call of a function whose name no user can write.

use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, ObjectNamePart, UnaryOperator,
    Value,
};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token};

use crate::functions;

/// What may stand before `ON EMPTY` and `ON ERROR`, by function.
const VALUE_BEHAVIOURS: &[&[&str]] = &[&["NULL"], &["ERROR"], &["DEFAULT"]];
const QUERY_BEHAVIOURS: &[&[&str]] =
    &[&["NULL"], &["ERROR"], &["EMPTY", "ARRAY"], &["EMPTY", "OBJECT"]];
const EXISTS_BEHAVIOURS: &[&[&str]] = &[&["TRUE"], &["FALSE"], &["UNKNOWN"], &["ERROR"]];

/// Parses an expression that begins with one of these forms.
pub(super) fn parse_prefix(parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
    let word = word_at(parser, 0)?;
    let next = parser.peek_nth_token(1).token;
    match (word.as_str(), next) {
        ("MAP", Token::LBracket) => Some(parse_map(parser)),
        ("JSON_VALUE" | "JSON_QUERY" | "JSON_EXISTS", Token::LParen) => {
            Some(parse_json_function(parser, &word))
        }
        ("TRIM", Token::LParen) => {
            let side = word_at(parser, 2)?;
            let is_side = matches!(side.as_str(), "BOTH" | "LEADING" | "TRAILING");
            let is_bare = is_side && word_at(parser, 3).is_some_and(|word| word == "FROM");
            is_bare.then(|| parse_trim(parser))
        }
        _ => None,
    }
}

/// Parses what follows `expr`, if it is one of these forms.
pub(super) fn parse_infix(
    parser: &mut Parser<'_>,
    expr: &Expr,
) -> Option<Result<Expr, ParserError>> {
    let words: Vec<Option<String>> = (0..3).map(|at| word_at(parser, at)).collect();
    let words: Vec<&str> = words.iter().map(|word| word.as_deref().unwrap_or("")).collect();
    match words.as_slice() {
        ["IS", "JSON", _] => Some(Ok(parse_is_json(parser, expr, false))),
        ["IS", "NOT", "JSON"] => Some(Ok(parse_is_json(parser, expr, true))),
        ["BETWEEN", "SYMMETRIC" | "ASYMMETRIC", _] => Some(parse_between(parser, expr, false)),
        ["NOT", "BETWEEN", "SYMMETRIC" | "ASYMMETRIC"] => Some(parse_between(parser, expr, true)),
        _ => None,
    }
}

/// `MAP[key, value, …]`.
fn parse_map(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    let at = parser.next_token().span;
    parser.expect_token(&Token::LBracket)?;
    let entries = parser.parse_comma_separated(Parser::parse_expr)?;
    parser.expect_token(&Token::RBracket)?;
    Ok(call(functions::MAP, at, entries))
}

/// `TRIM(LEADING FROM x)`: without characters, blanks.
fn parse_trim(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    let at = parser.next_token().span;
    parser.expect_token(&Token::LParen)?;
    let side = parser.parse_trim_where()?;
    parser.expect_keyword(Keyword::FROM)?;
    let expr = parser.parse_expr()?;
    parser.expect_token(&Token::RParen)?;
    let blank = text(" ", at);
    Ok(Expr::Trim {
        expr: Box::new(expr),
        trim_where: Some(side),
        trim_what: Some(Box::new(blank)),
        trim_characters: None,
    })
}

/// `x IS [NOT] JSON [VALUE | OBJECT | ARRAY | SCALAR]`.
fn parse_is_json(parser: &mut Parser<'_>, expr: &Expr, is_negated: bool) -> Expr {
    let at = parser.next_token().span;
    for _ in 0..=usize::from(is_negated) {
        parser.next_token();
    }
    let kind = word_at(parser, 0)
        .filter(|word| matches!(word.as_str(), "VALUE" | "OBJECT" | "ARRAY" | "SCALAR"));
    if kind.is_some() {
        parser.next_token();
    }
    let kind = text(kind.as_deref().unwrap_or("VALUE"), at);
    let is_json = call(functions::IS_JSON, at, vec![expr.clone(), kind]);
    if is_negated { not(is_json) } else { is_json }
}

/// `x [NOT] BETWEEN SYMMETRIC a AND b`: whichever of both is the less.
fn parse_between(
    parser: &mut Parser<'_>,
    expr: &Expr,
    is_negated: bool,
) -> Result<Expr, ParserError> {
    if is_negated {
        parser.next_token();
    }
    parser.expect_keyword(Keyword::BETWEEN)?;
    let is_symmetric = parser.parse_keyword(Keyword::SYMMETRIC);
    if !is_symmetric {
        parser.expect_keyword(Keyword::ASYMMETRIC)?;
    }
    let Expr::Between { expr, negated, low, high } =
        parser.parse_between(expr.clone(), is_negated && !is_symmetric)?
    else {
        return Err(ParserError::ParserError("Expected: BETWEEN".to_owned()));
    };
    if !is_symmetric {
        return Ok(Expr::Between { expr, negated, low, high });
    }
    let between = |low: &Expr, high: &Expr| {
        let (low, high) = (Box::new(low.clone()), Box::new(high.clone()));
        Expr::Between { expr: expr.clone(), negated: false, low, high }
    };
    let either = Expr::Nested(Box::new(Expr::BinaryOp {
        left: Box::new(between(&low, &high)),
        op: BinaryOperator::Or,
        right: Box::new(between(&high, &low)),
    }));
    Ok(if is_negated { not(either) } else { either })
}

/// `JSON_VALUE(json, path …)` and its kin with their clauses. Without clauses it is a plain call.
fn parse_json_function(parser: &mut Parser<'_>, name: &str) -> Result<Expr, ParserError> {
    let at = parser.next_token().span;
    parser.expect_token(&Token::LParen)?;
    let mut arguments = parser.parse_comma_separated(Parser::parse_expr)?;
    let returning = match name {
        "JSON_VALUE" if take_words(parser, &["RETURNING"]) => Some(parser.parse_data_type()?),
        _ => None,
    };
    let wrapper = if name == "JSON_QUERY" { parse_wrapper(parser) } else { None };
    let behaviours = match name {
        "JSON_VALUE" => VALUE_BEHAVIOURS,
        "JSON_QUERY" => QUERY_BEHAVIOURS,
        _ => EXISTS_BEHAVIOURS,
    };
    let on_empty =
        if name == "JSON_EXISTS" { None } else { parse_behaviour(parser, behaviours, "EMPTY")? };
    let on_error = parse_behaviour(parser, behaviours, "ERROR")?;
    parser.expect_token(&Token::RParen)?;
    let has_clauses = wrapper.is_some() || on_empty.is_some() || on_error.is_some();
    let called = if has_clauses {
        let word = |behaviour: &Option<Behaviour>| {
            text(behaviour.as_ref().map_or("NULL", |behaviour| behaviour.word.as_str()), at)
        };
        let default = |behaviour: &Option<Behaviour>| {
            let default = behaviour.as_ref().and_then(|behaviour| behaviour.default.clone());
            as_text(default.unwrap_or_else(|| text("", at)))
        };
        let (own_name, more) = match name {
            "JSON_VALUE" => {
                let more =
                    vec![word(&on_empty), default(&on_empty), word(&on_error), default(&on_error)];
                (functions::JSON_VALUE, more)
            }
            "JSON_QUERY" => {
                let wrapper = text(wrapper.unwrap_or("WITHOUT"), at);
                (functions::JSON_QUERY, vec![wrapper, word(&on_empty), word(&on_error)])
            }
            _ => (functions::JSON_EXISTS, vec![word(&on_error)]),
        };
        arguments.extend(more);
        call(own_name, at, arguments)
    } else {
        call(name, at, arguments)
    };
    Ok(match returning {
        Some(data_type) => cast(called, data_type),
        None => called,
    })
}

/// What happens where nothing is found, or something is wrong.
struct Behaviour {
    word: String,
    default: Option<Expr>,
}

/// `{NULL | ERROR | DEFAULT x | …} ON {EMPTY | ERROR}`, if it stands here.
fn parse_behaviour(
    parser: &mut Parser<'_>,
    behaviours: &[&[&str]],
    on: &str,
) -> Result<Option<Behaviour>, ParserError> {
    for words in behaviours {
        let is_default = *words == ["DEFAULT"];
        let is_here = words
            .iter()
            .enumerate()
            .all(|(at, word)| word_at(parser, at).is_some_and(|found| found == **word));
        let tail_at = words.len();
        let is_whole = is_default
            || (word_at(parser, tail_at).is_some_and(|word| word == "ON")
                && word_at(parser, tail_at + 1).is_some_and(|word| word == on));
        if !is_here || !is_whole {
            continue;
        }
        let word = words.last().copied().unwrap_or_default().to_owned();
        if is_default {
            let found = parser.maybe_parse(|parser| {
                parser.next_token();
                let default = parser.parse_expr()?;
                if take_words(parser, &["ON", on]) {
                    Ok(default)
                } else {
                    Err(ParserError::ParserError(format!("Expected: ON {on}")))
                }
            })?;
            match found {
                Some(default) => return Ok(Some(Behaviour { word, default: Some(default) })),
                None => continue,
            }
        }
        for _ in 0..(tail_at + 2) {
            parser.next_token();
        }
        return Ok(Some(Behaviour { word, default: None }));
    }
    Ok(None)
}

/// `WITHOUT [ARRAY] WRAPPER` or `WITH [CONDITIONAL | UNCONDITIONAL] [ARRAY] WRAPPER`.
fn parse_wrapper(parser: &mut Parser<'_>) -> Option<&'static str> {
    const FORMS: [(&[&str], &str); 8] = [
        (&["WITHOUT", "ARRAY", "WRAPPER"], "WITHOUT"),
        (&["WITHOUT", "WRAPPER"], "WITHOUT"),
        (&["WITH", "CONDITIONAL", "ARRAY", "WRAPPER"], "CONDITIONAL"),
        (&["WITH", "CONDITIONAL", "WRAPPER"], "CONDITIONAL"),
        (&["WITH", "UNCONDITIONAL", "ARRAY", "WRAPPER"], "UNCONDITIONAL"),
        (&["WITH", "UNCONDITIONAL", "WRAPPER"], "UNCONDITIONAL"),
        (&["WITH", "ARRAY", "WRAPPER"], "UNCONDITIONAL"),
        (&["WITH", "WRAPPER"], "UNCONDITIONAL"),
    ];
    FORMS.iter().find(|(words, _)| take_words(parser, words)).map(|(_, wrapper)| *wrapper)
}

/// Takes these words if all of them stand here.
fn take_words(parser: &mut Parser<'_>, words: &[&str]) -> bool {
    let is_here = words
        .iter()
        .enumerate()
        .all(|(at, word)| word_at(parser, at).is_some_and(|found| found == *word));
    if is_here {
        for _ in words {
            parser.next_token();
        }
    }
    is_here
}

/// The word at a place from here, in upper case, if it is one without quotes.
fn word_at(parser: &Parser<'_>, at: usize) -> Option<String> {
    match parser.peek_nth_token(at).token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_uppercase()),
        _ => None,
    }
}

/// A default value as the text that JSON's value would have.
fn as_text(expr: Expr) -> Expr {
    match &expr {
        Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_)) => expr,
        _ => cast(expr, DataType::String(None)),
    }
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

fn not(expr: Expr) -> Expr {
    Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(expr) }
}

fn text(value: &str, at: Span) -> Expr {
    Expr::Value(Value::SingleQuotedString(value.to_owned()).with_span(at))
}

/// A call of a function whose name stands at `at`.
pub(super) fn call(name: &str, at: Span, arguments: Vec<Expr>) -> Expr {
    let args = arguments
        .into_iter()
        .map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)))
        .collect();
    let mut ident = Ident::new(name);
    ident.span = at;
    Expr::Function(Function {
        name: ObjectName(vec![ObjectNamePart::Identifier(ident)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
