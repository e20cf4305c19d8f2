//! The AST as DataFusion needs it.
//!
//! Group-window parts become fields of the window that GROUP BY names; a temporal join becomes a
//! nested join, so that one hook sees both sides, the condition and the version together; tables get
//! their project names as aliases.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName,
    ObjectNamePart, Query, Select, Spanned, TableAlias, TableFactor, TableWithJoins, Value,
    ValueWithSpan, VisitMut, VisitorMut,
};
use sqlparser::tokenizer::Span;

use super::scope::bare_name;
use super::vocabulary::{GroupWindowPart, interval_ms, tumble_part, upper_name};

/// Start of the window that is its argument.
pub(crate) const WINDOW_START: &str = "$window_start";
/// End of the window that is its argument.
pub(crate) const WINDOW_END: &str = "$window_end";
/// Time attribute of the window that is its argument.
pub(crate) const WINDOW_TIME: &str = "$window_time";
/// A tumbling window: time column, length and offset in milliseconds.
pub(crate) const TUMBLE: &str = "$tumble";

/// Rewrites a checked query in place.
pub(crate) fn rewrite(query: &mut Query) {
    let ControlFlow::Continue(()) = query.visit(&mut Rewrite);
}

struct Rewrite;

impl VisitorMut for Rewrite {
    type Break = std::convert::Infallible;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        for table in &mut select.from {
            nest_versions(table);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Self::Break> {
        if let TableFactor::Table { name, alias: alias @ None, .. } = factor
            && let [part] = name.0.as_slice()
            && let Some(ident) = part.as_ident()
            && let bare = bare_name(&ident.value)
            && bare != ident.value
        {
            *alias = Some(TableAlias {
                explicit: true,
                name: Ident::with_quote_and_span('`', ident.span, bare),
                columns: Vec::new(),
                at: None,
            });
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        match expr {
            Expr::CompoundIdentifier(parts) => {
                if let Some(first) = parts.first_mut() {
                    first.value = bare_name(&first.value).to_owned();
                }
            }
            Expr::Function(function) => {
                let part = tumble_part(&upper_name(&function.name));
                match part {
                    None => count_rows(function),
                    Some(GroupWindowPart::Window) => tumble(function),
                    Some(GroupWindowPart::Start) => *expr = part_of(function, WINDOW_START),
                    Some(GroupWindowPart::End) => *expr = part_of(function, WINDOW_END),
                    Some(GroupWindowPart::RowTime) => *expr = part_of(function, WINDOW_TIME),
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// `a JOIN b … JOIN v FOR SYSTEM_TIME …` becomes `(a JOIN b … JOIN v FOR SYSTEM_TIME …)`, one
/// nested join for each version.
fn nest_versions(table: &mut TableWithJoins) {
    let joins = std::mem::take(&mut table.joins);
    for join in joins {
        let has_version = matches!(&join.relation, TableFactor::Table { version: Some(_), .. });
        table.joins.push(join);
        if has_version {
            let joined = std::mem::replace(
                table,
                TableWithJoins { relation: placeholder(), joins: Vec::new() },
            );
            table.relation =
                TableFactor::NestedJoin { table_with_joins: Box::new(joined), alias: None };
        }
    }
}

fn placeholder() -> TableFactor {
    TableFactor::NestedJoin {
        table_with_joins: Box::new(TableWithJoins {
            relation: TableFactor::UNNEST {
                alias: None,
                array_exprs: Vec::new(),
                with_offset: false,
                with_offset_alias: None,
                with_ordinality: false,
            },
            joins: Vec::new(),
        }),
        alias: None,
    }
}

/// `COUNT(*)` becomes `COUNT()`.
fn count_rows(function: &mut Function) {
    if let FunctionArguments::List(list) = &mut function.args {
        list.args.retain(|argument| {
            !matches!(argument, FunctionArg::Unnamed(FunctionArgExpr::Wildcard))
        });
    }
}

/// The window's length becomes a number of milliseconds, so that equal lengths are equal.
fn tumble(function: &mut Function) {
    rename(function, TUMBLE);
    if let FunctionArguments::List(list) = &mut function.args {
        for argument in list.args.iter_mut().skip(1) {
            if let FunctionArg::Unnamed(FunctionArgExpr::Expr(length)) = argument
                && let Ok(ms) = interval_ms(length)
            {
                let span = length.span();
                let value = Value::SingleQuotedString(ms.to_string());
                *length = Expr::Value(ValueWithSpan { value, span });
            }
        }
    }
}

fn part_of(function: &Function, part: &str) -> Expr {
    let mut window = function.clone();
    tumble(&mut window);
    let mut call = function.clone();
    rename(&mut call, part);
    if let FunctionArguments::List(list) = &mut call.args {
        list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Function(window)))];
    }
    Expr::Function(call)
}

fn rename(function: &mut Function, name: &str) {
    let span: Span = function.name.span();
    let ident = Ident::with_quote_and_span('`', span, name);
    function.name = ObjectName(vec![ObjectNamePart::Identifier(ident)]);
}
