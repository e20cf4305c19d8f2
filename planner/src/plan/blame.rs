//! All type mistakes of a query, each at the smallest expression that cannot be planned.
//!
//! DataFusion stops at its first error and often names no place. So after an error the query is
//! taken apart: each of its expressions is planned alone, over the same tables and groups; of one
//! that fails, its operands; and the blame is on the last that fails though its operands do not.
//! This costs a plan an expression, and only a query with a mistake pays it.

use std::ops::ControlFlow;

use arrow::datatypes::DataType;
use catalog::schema::flink_type_name;
use datafusion::common::DataFusionError;
use sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Ident, Query, Select, SelectItem, SetExpr, Spanned,
    TableFactor, TableWithJoins, UnaryOperator, Value, Visit, Visitor, With,
};
use sqlparser::tokenizer::Span;

use crate::logical::build::typed;
use crate::sql::rewrite::TUMBLE;
use crate::sql::vocabulary::{aggregate_function, upper_name};
use crate::tables::PlanContext;

/// An expression that cannot be planned.
#[derive(Debug)]
pub(super) struct Blamed {
    /// Where it stands.
    pub(super) at: Span,
    /// What is wrong with it.
    pub(super) cause: Cause,
}

/// What is wrong with an expression.
#[derive(Debug)]
pub(super) enum Cause {
    /// DataFusion, or one of our functions, refuses it.
    Refused {
        /// What it says.
        error: DataFusionError,
        /// Whether the expression is a call.
        is_call: bool,
    },
    /// It is no condition.
    NotBoolean {
        /// `WHERE`, `HAVING`, `AND`, …
        clause: String,
        /// Its type, as Flink writes it.
        data_type: String,
    },
}

/// Every expression of `query` that is to blame; none if the query as a whole is.
pub(super) fn blame(query: &Query, context: &PlanContext) -> Vec<Blamed> {
    let mut search = Search {
        context,
        with: None,
        is_with_broken: false,
        frame: query.clone(),
        found: Vec::new(),
    };
    search.query(query);
    search.found.sort_by_key(|blamed| blamed.at.start);
    search.found
}

/// Over what an expression is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// The rows of FROM.
    Rows,
    /// The groups of GROUP BY.
    Groups,
}

struct Search<'a> {
    context: &'a PlanContext,
    /// The queries of WITH that may be named here.
    with: Option<With>,
    /// Whether one of them is missing, because it has a mistake itself.
    is_with_broken: bool,
    /// A query to put a SELECT into; its other clauses are refused before.
    frame: Query,
    found: Vec<Blamed>,
}

impl Search<'_> {
    fn query(&mut self, query: &Query) {
        let outer = self.with.clone();
        if let Some(with) = &query.with {
            let mut known = outer.clone().unwrap_or_else(|| With {
                with_token: with.with_token.clone(),
                recursive: false,
                cte_tables: Vec::new(),
            });
            for cte in &with.cte_tables {
                let before = self.found.len();
                self.query(&cte.query);
                if self.found.len() > before {
                    self.is_with_broken = true;
                    continue;
                }
                known.cte_tables.push(cte.clone());
                self.with = Some(known.clone());
            }
        }
        match query.body.as_ref() {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(inner) => self.query(inner),
            _ => {}
        }
        self.with = outer;
    }

    fn select(&mut self, select: &Select) {
        let before = self.found.len();
        for table in &select.from {
            self.derived_tables(table);
        }
        if self.found.len() > before || self.refusal(select.clone()).is_none() {
            return;
        }
        // What stands on broken ground says nothing: FROM, then the groups, then the rest.
        if let Some(error) = self.refusal(rows_of(select)) {
            if self.is_with_broken {
                return;
            }
            let at = select.from.iter().map(Spanned::span).fold(Span::empty(), |a, b| a.union(&b));
            self.found.push(Blamed { at, cause: Cause::Refused { error, is_call: false } });
            return;
        }
        if let Some(selection) = &select.selection {
            self.condition(select, selection, "WHERE", Scope::Rows);
        }
        let before = self.found.len();
        self.groups(select);
        if self.found.len() > before {
            return;
        }
        let scope = match &select.group_by {
            GroupByExpr::Expressions(groups, _) if groups.is_empty() => Scope::Rows,
            GroupByExpr::Expressions(..) | GroupByExpr::All(_) => Scope::Groups,
        };
        for item in &select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                self.expression(select, expr, scope);
            }
        }
        if let Some(having) = &select.having {
            self.condition(select, having, "HAVING", scope);
        }
    }

    fn derived_tables(&mut self, table: &TableWithJoins) {
        let relations = table.joins.iter().map(|join| &join.relation);
        for relation in std::iter::once(&table.relation).chain(relations) {
            match relation {
                TableFactor::Derived { subquery, .. } => self.query(subquery),
                TableFactor::NestedJoin { table_with_joins, .. } => {
                    self.derived_tables(table_with_joins);
                }
                _ => {}
            }
        }
    }

    fn groups(&mut self, select: &Select) {
        let GroupByExpr::Expressions(groups, modifiers) = &select.group_by else { return };
        for group in groups {
            if !is_window(group) {
                self.expression(select, group, Scope::Rows);
                continue;
            }
            let mut grouped = rows_of(select);
            grouped.group_by = GroupByExpr::Expressions(vec![group.clone()], modifiers.clone());
            if let Some(error) = self.refusal(grouped) {
                let cause = Cause::Refused { error, is_call: true };
                self.found.push(Blamed { at: group.span(), cause });
            }
        }
    }

    /// Looks into an expression that must be true or false.
    fn condition(&mut self, select: &Select, expr: &Expr, clause: &str, scope: Scope) {
        match expr {
            Expr::Nested(inner) => return self.condition(select, inner, clause, scope),
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => {
                return self.condition(select, expr, "NOT", scope);
            }
            Expr::BinaryOp { left, op, right }
                if matches!(op, BinaryOperator::And | BinaryOperator::Or) =>
            {
                let word = op.to_string();
                self.condition(select, left, &word, scope);
                return self.condition(select, right, &word, scope);
            }
            _ => {}
        }
        match self.type_of(select, expr, scope) {
            Err(_) => self.expression(select, expr, scope),
            Ok(DataType::Boolean | DataType::Null) => {}
            Ok(other) => {
                let data_type = flink_type_name(&other);
                let cause = Cause::NotBoolean { clause: clause.to_owned(), data_type };
                self.found.push(Blamed { at: expr.span(), cause });
            }
        }
    }

    /// Blames the expression, or those of its operands that are to blame.
    fn expression(&mut self, select: &Select, expr: &Expr, scope: Scope) {
        if let Expr::Nested(inner) = expr {
            return self.expression(select, inner, scope);
        }
        let Err(error) = self.type_of(select, expr, scope) else { return };
        let before = self.found.len();
        let inner = if is_aggregate(expr) { Scope::Rows } else { scope };
        if let Expr::Case { operand: None, conditions, else_result, .. } = expr {
            for branch in conditions {
                self.condition(select, &branch.condition, "WHEN", inner);
                self.expression(select, &branch.result, inner);
            }
            if let Some(result) = else_result {
                self.expression(select, result, inner);
            }
        } else {
            for operand in operands(expr) {
                match condition_word(expr) {
                    Some(word) => self.condition(select, &operand, &word, inner),
                    None => self.expression(select, &operand, inner),
                }
            }
        }
        if self.found.len() == before {
            let is_call = matches!(expr, Expr::Function(_));
            self.found.push(Blamed { at: expr.span(), cause: Cause::Refused { error, is_call } });
        }
    }

    /// The type of an expression over the tables of `select`.
    fn type_of(
        &self,
        select: &Select,
        expr: &Expr,
        scope: Scope,
    ) -> Result<DataType, DataFusionError> {
        let mut alone = rows_of(select);
        if scope == Scope::Groups {
            alone.group_by = select.group_by.clone();
        }
        alone.projection = vec![named(expr.clone())];
        let plan = typed(self.as_query(alone), self.context)?;
        Ok(plan.schema().field(0).data_type().clone())
    }

    fn refusal(&self, select: Select) -> Option<DataFusionError> {
        typed(self.as_query(select), self.context).err()
    }

    fn as_query(&self, select: Select) -> Query {
        let body = Box::new(SetExpr::Select(Box::new(select)));
        Query { with: self.with.clone(), body, ..self.frame.clone() }
    }
}

/// `SELECT` of a constant from the same tables.
fn rows_of(select: &Select) -> Select {
    let mut rows = select.clone();
    rows.projection = vec![named(Expr::value(Value::Boolean(true)))];
    rows.selection = None;
    rows.having = None;
    rows.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
    rows
}

fn named(expr: Expr) -> SelectItem {
    SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('`', "EXPR$0") }
}

fn is_window(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(function) if function.name.to_string().contains(TUMBLE))
}

fn is_aggregate(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(f) if aggregate_function(&upper_name(&f.name)).is_some())
}

/// The word of an expression whose operands are conditions.
fn condition_word(expr: &Expr) -> Option<String> {
    match expr {
        Expr::BinaryOp { op, .. } if matches!(op, BinaryOperator::And | BinaryOperator::Or) => {
            Some(op.to_string())
        }
        Expr::UnaryOp { op: UnaryOperator::Not, .. } => Some("NOT".to_owned()),
        Expr::IsTrue(_) | Expr::IsNotTrue(_) => Some("IS TRUE".to_owned()),
        Expr::IsFalse(_) | Expr::IsNotFalse(_) => Some("IS FALSE".to_owned()),
        Expr::IsUnknown(_) | Expr::IsNotUnknown(_) => Some("IS UNKNOWN".to_owned()),
        _ => None,
    }
}

/// The expressions directly inside; none where they mean nothing alone.
fn operands(expr: &Expr) -> Vec<Expr> {
    if let Expr::Function(function) = expr
        && function.name.to_string().trim_matches('`').starts_with("$window")
    {
        return Vec::new();
    }
    let mut operands = Operands { depth: 0, found: Vec::new() };
    let ControlFlow::Continue(()) = expr.visit(&mut operands);
    operands.found
}

struct Operands {
    depth: usize,
    found: Vec<Expr>,
}

impl Visitor for Operands {
    type Break = std::convert::Infallible;

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Self::Break> {
        if self.depth == 1 && !is_window(expr) {
            self.found.push(expr.clone());
        }
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<Self::Break> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}
