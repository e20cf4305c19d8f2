//! DataFusion's errors in the user's words and at the user's places.

use std::ops::ControlFlow;

use datafusion::common::{DataFusionError, Span as PlanSpan};
use sqlparser::ast::{Expr, Query, Spanned};
use sqlparser::tokenizer::{Location, Span};

use crate::diagnostic::{NameMistake, PlanDiagnostic};
use crate::sql::parse::SyntaxMistake;
use crate::sql::span::Places;

/// One error as a diagnostic.
pub(super) fn explain(error: &DataFusionError, query: &Query, places: &Places) -> PlanDiagnostic {
    let noted = error.diagnostic();
    let message = match noted {
        Some(diagnostic) => innermost(&diagnostic.message),
        None => message_of(error),
    };
    let span = noted.and_then(|diagnostic| diagnostic.span).map(to_parser_span);
    let named = function_in(&message, query);
    let span = span.or_else(|| named.as_ref().map(|(_, span)| *span)).unwrap_or_else(Span::empty);
    let at = places.place(span);
    let text = places.quote(span);
    let mistake = if message.contains("must appear in") && message.contains("GROUP BY") {
        NameMistake::NotGrouped { column: text, at }
    } else if let Some(function) = quoted_after(&message, "Invalid function '") {
        NameMistake::UnknownFunction { function, suggestions: Vec::new(), at }
    } else if message.contains("cannot compare") || message.contains("Cannot infer common") {
        NameMistake::TypeMismatch { message: lower_first(&message), help: None, at }
    } else if let Some((name, _)) = &named {
        let message = match message.split_once(": ") {
            Some((function, rest)) if function == name => format!("`{name}` {rest}"),
            _ => lower_first(&message),
        };
        NameMistake::WrongArguments { message, help: None, at }
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

/// The call of the function that a message names.
fn function_in(message: &str, query: &Query) -> Option<(String, Span)> {
    let message = message.to_uppercase();
    let mut found = None;
    let ControlFlow::Continue(()) = sqlparser::ast::visit_expressions(query, |expr| {
        if let Expr::Function(function) = expr
            && let name = function.name.to_string().to_uppercase()
            && found.is_none()
            && [format!("{name}:"), format!("'{name}("), format!("'{name}'"), format!("`{name}`")]
                .iter()
                .any(|pattern| message.contains(pattern.as_str()))
        {
            found = Some((name, function.span()));
        }
        ControlFlow::<std::convert::Infallible>::Continue(())
    });
    found
}

fn quoted_after(message: &str, prefix: &str) -> Option<String> {
    let (_, rest) = message.split_once(prefix)?;
    rest.split_once('\'').map(|(name, _)| name.to_owned())
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
