//! Window table functions, read as group windows.
//!
//! `FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(c), i)) GROUP BY window_start, window_end, k` means what
//! `FROM t GROUP BY TUMBLE(c, i), k` means, and is rewritten to it. Other uses of the function stay
//! as they are, for the check to refuse.

use std::ops::ControlFlow;

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, GroupByExpr, Ident, ObjectName, ObjectNamePart, Query, Select, SelectItem,
    Spanned, TableAlias, TableFactor, VisitMut, VisitorMut,
};
use sqlparser::tokenizer::Span;

use super::dialect::TABLE_ARGUMENT;
use super::vocabulary::{argument_expressions, upper_name};

/// Rewrites every query over a tumbling window table function.
pub(crate) fn to_group_windows(query: &mut Query) {
    let ControlFlow::Continue(()) = query.visit(&mut ToGroupWindows);
}

struct ToGroupWindows;

impl VisitorMut for ToGroupWindows {
    type Break = std::convert::Infallible;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        if let [table] = select.from.as_slice()
            && table.joins.is_empty()
            && let Some(window) = TumblingTable::read(&table.relation)
            && let GroupByExpr::Expressions(groups, _) = &select.group_by
            && ["window_start", "window_end"]
                .iter()
                .all(|column| groups.iter().any(|group| window.names(group, column)))
        {
            window.apply(select);
        }
        ControlFlow::Continue(())
    }
}

struct TumblingTable {
    table: ObjectName,
    alias: Option<TableAlias>,
    time: Expr,
    length: Expr,
    span: Span,
}

impl TumblingTable {
    fn read(factor: &TableFactor) -> Option<Self> {
        let TableFactor::TableFunction { expr: Expr::Function(function), alias } = factor else {
            return None;
        };
        if upper_name(&function.name) != "TUMBLE" {
            return None;
        }
        let arguments = argument_expressions(function);
        let [Expr::Function(table), Expr::Function(time), length] = arguments.as_slice() else {
            return None;
        };
        if table.name.to_string() != TABLE_ARGUMENT || upper_name(&time.name) != "DESCRIPTOR" {
            return None;
        }
        let table = match argument_expressions(table).as_slice() {
            [Expr::Identifier(name)] => ObjectName(vec![ObjectNamePart::Identifier(name.clone())]),
            _ => return None,
        };
        let time = match argument_expressions(time).as_slice() {
            [time] => (*time).clone(),
            _ => return None,
        };
        let (length, span) = ((*length).clone(), function.span());
        Some(Self { table, alias: alias.clone(), time, length, span })
    }

    /// Whether `expr` is the window's column of that name.
    fn names(&self, expr: &Expr, column: &str) -> bool {
        match expr {
            Expr::Identifier(name) => name.value == column,
            Expr::CompoundIdentifier(parts) => match (parts.as_slice(), &self.alias) {
                ([table, name], Some(alias)) => {
                    table.value == alias.name.value && name.value == column
                }
                _ => false,
            },
            _ => false,
        }
    }

    fn apply(&self, select: &mut Select) {
        if let Some(table) = select.from.first_mut() {
            table.relation = TableFactor::Table {
                name: self.table.clone(),
                alias: self.alias.clone(),
                args: None,
                with_hints: Vec::new(),
                version: None,
                with_ordinality: false,
                partitions: Vec::new(),
                json_path: None,
                sample: None,
                index_hints: Vec::new(),
            };
        }
        if let GroupByExpr::Expressions(groups, _) = &mut select.group_by {
            groups.retain(|group| self.function_for(group).is_none());
            groups.push(self.call("TUMBLE", self.span));
        }
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) = item
                && self.function_for(expr).is_some()
            {
                let alias = match &*expr {
                    Expr::CompoundIdentifier(parts) => parts.last().cloned(),
                    Expr::Identifier(name) => Some(name.clone()),
                    _ => None,
                };
                let alias = alias.unwrap_or_else(|| Ident::new("window"));
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
            }
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                self.replace(expr);
            }
        }
        if let Some(having) = &mut select.having {
            self.replace(having);
        }
    }

    fn replace(&self, expr: &mut Expr) {
        let ControlFlow::Continue(()) = sqlparser::ast::visit_expressions_mut(expr, |inner| {
            if let Some(function) = self.function_for(inner) {
                *inner = self.call(function, inner.span());
            }
            ControlFlow::<std::convert::Infallible>::Continue(())
        });
    }

    fn function_for(&self, expr: &Expr) -> Option<&'static str> {
        [
            ("window_start", "TUMBLE_START"),
            ("window_end", "TUMBLE_END"),
            ("window_time", "TUMBLE_ROWTIME"),
        ]
        .into_iter()
        .find_map(|(column, function)| self.names(expr, column).then_some(function))
    }

    fn call(&self, name: &str, span: Span) -> Expr {
        let argument = |expr: &Expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr.clone()));
        let name = Ident { value: name.to_owned(), quote_style: None, span };
        Expr::Function(Function {
            name: ObjectName(vec![ObjectNamePart::Identifier(name)]),
            uses_odbc_syntax: false,
            parameters: FunctionArguments::None,
            args: FunctionArguments::List(FunctionArgumentList {
                duplicate_treatment: None::<DuplicateTreatment>,
                args: vec![argument(&self.time), argument(&self.length)],
                clauses: Vec::new(),
            }),
            filter: None,
            null_treatment: None,
            over: None,
            within_group: Vec::new(),
        })
    }
}
