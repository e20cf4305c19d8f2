//! DataFusion's errors in the user's words and at the user's places.

use std::ops::ControlFlow;

use datafusion::common::{DataFusionError, Span as PlanSpan};
use sqlparser::ast::{Expr, Query, Spanned};
use sqlparser::tokenizer::{Location, Span};

use super::blame::{Blamed, Cause};
use crate::diagnostic::{NameMistake, PlanDiagnostic};
use crate::sql::parse::SyntaxMistake;
use crate::sql::span::Places;

/// Why a query cannot be planned: what is to blame, else the error as it is.
pub(super) fn explain(
    error: &DataFusionError,
    blamed: &[Blamed],
    (query, places): (&Query, &Places),
) -> Vec<PlanDiagnostic> {
    if blamed.is_empty() {
        return vec![of_error(error, None, query, places)];
    }
    let mut mistakes: Vec<PlanDiagnostic> = Vec::new();
    for Blamed { at, cause } in blamed {
        let mistake = match cause {
            Cause::Refused { error, is_call } => {
                of_error(error, Some((*at, *is_call)), query, places)
            }
            Cause::NotBoolean { clause, data_type } => {
                let (clause, data_type) = (clause.clone(), data_type.clone());
                let (text, at) = (places.quote(*at), places.place(*at));
                NameMistake::NotBoolean { clause, text, data_type, at }.into()
            }
        };
        // One column in two places of one expression is one mistake.
        if !mistakes.contains(&mistake) {
            mistakes.push(mistake);
        }
    }
    mistakes
}

/// One error as a diagnostic; of `blamed`, if that is known: where it stands, whether it is a call.
fn of_error(
    error: &DataFusionError,
    blamed: Option<(Span, bool)>,
    query: &Query,
    places: &Places,
) -> PlanDiagnostic {
    let noted = error.diagnostic();
    let message = match noted {
        Some(diagnostic) => innermost(&diagnostic.message),
        None => message_of(error),
    };
    let span = noted.and_then(|diagnostic| diagnostic.span).map(to_parser_span);
    let function = named_in(&message, query, function_name);
    let form = named_in(&message, query, form_name);
    let found = function.as_ref().or(form.as_ref()).and_then(|(_, span)| *span);
    let is_call = blamed.is_some_and(|(_, is_call)| is_call);
    let blamed = blamed.map(|(span, _)| span).filter(|span| *span != Span::empty());
    let span = blamed.or(span).or(found).unwrap_or_else(Span::empty);
    let at = places.place(span);
    let text = places.quote(span);
    let is_mismatch = ["cannot compare", "Cannot infer common", "has values of", "cast one"]
        .iter()
        .any(|words| message.contains(words))
        || ["`||` ", "`-` "].iter().any(|operator| message.starts_with(operator));
    let mistake = if message.contains("must appear in") && message.contains("GROUP BY") {
        NameMistake::NotGrouped { column: text, at }
    } else if is_mismatch {
        NameMistake::TypeMismatch { message: lower_first(&message), help: None, at }
    } else if let Some((name, _)) = &function {
        let message = match message.split_once(": ") {
            Some((function, rest)) if function == name => format!("`{name}` {rest}"),
            _ => lower_first(&message),
        };
        NameMistake::WrongArguments { message, help: None, at }
    } else if is_call {
        NameMistake::WrongArguments { message: lower_first(&message), help: None, at }
    } else {
        NameMistake::Planning { message: lower_first(&message), at }
    };
    mistake.into()
}

/// A mistake of the pass over expressions.
pub(super) fn of_expression(mistake: SyntaxMistake, places: &Places) -> PlanDiagnostic {
    let SyntaxMistake { message, help, at } = mistake;
    let at = places.place(at);
    let mistake = match message.strip_prefix("there is no function `") {
        Some(name) => NameMistake::UnknownFunction {
            function: name.trim_end_matches('`').to_owned(),
            suggestions: help
                .as_deref()
                .and_then(|help| help.split('`').nth(1))
                .map(str::to_owned)
                .into_iter()
                .collect(),
            at,
        },
        None => NameMistake::WrongArguments { message, help, at },
    };
    mistake.into()
}

/// The innermost message, without DataFusion's prefixes.
pub(super) fn message_of(error: &DataFusionError) -> String {
    let root = error.find_root();
    let text = match root {
        DataFusionError::Plan(message)
        | DataFusionError::NotImplemented(message)
        | DataFusionError::Execution(message)
        | DataFusionError::Internal(message) => message.clone(),
        other => other.strip_backtrace(),
    };
    innermost(&text)
}

/// Messages of functions are wrapped in others, and followed by lists of candidates.
fn innermost(text: &str) -> String {
    let line = text.lines().next().unwrap_or("");
    let inner = line.rsplit("Error during planning: ").next().unwrap_or(line);
    let inner = inner.split(". No function matches").next().unwrap_or(inner);
    let inner = inner.split(". You might need to").next().unwrap_or(inner);
    inner.trim().to_owned()
}

/// The name in `message` of an expression of `query`, and where that stands if it is the only one.
fn named_in(
    message: &str,
    query: &Query,
    name_of: fn(&Expr) -> Option<String>,
) -> Option<(String, Option<Span>)> {
    let message = message.to_uppercase();
    let mut found: Option<(String, Option<Span>)> = None;
    let ControlFlow::Continue(()) = sqlparser::ast::visit_expressions(query, |expr| {
        if let Some(name) = name_of(expr)
            && [format!("{name}:"), format!("'{name}("), format!("'{name}'"), format!("`{name}`")]
                .iter()
                .any(|pattern| message.contains(pattern.as_str()))
        {
            found = match found.take() {
                None => Some((name, Some(expr.span()))),
                Some((first, _)) => Some((first, None)),
            };
        }
        ControlFlow::<std::convert::Infallible>::Continue(())
    });
    found
}

fn function_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Function(function) => Some(function.name.to_string().to_uppercase()),
        _ => None,
    }
}

/// Operators and special forms, as messages name them.
fn form_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::BinaryOp { op, .. } => Some(op.to_string().to_uppercase()),
        Expr::Case { .. } => Some("CASE".to_owned()),
        Expr::InList { .. } => Some("IN".to_owned()),
        Expr::Between { .. } => Some("BETWEEN".to_owned()),
        Expr::Cast { .. } => Some("CAST".to_owned()),
        Expr::Like { .. } => Some("LIKE".to_owned()),
        _ => None,
    }
}

fn to_parser_span(span: PlanSpan) -> Span {
    Span::new(
        Location::new(span.start.line, span.start.column),
        Location::new(span.end.line, span.end.column),
    )
}

fn lower_first(message: &str) -> String {
    let mut characters = message.chars();
    match characters.next() {
        Some(head) => head.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}
