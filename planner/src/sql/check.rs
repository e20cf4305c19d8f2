//! Refuses every clause that no later stage reads.
//!
//! **Invariant:** what passes is run as written. DataFusion drops the version, the sample and the
//! hints of a table without a word, so each field of the AST is either handled later or refused
//! here; new fields of sqlparser are found by the patterns without `..`.

use std::collections::HashSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments,
    GroupByExpr, Join, JoinConstraint, JoinOperator, Query, Select, SelectFlavor, SelectItem,
    SetExpr, Spanned, TableFactor, TableVersion, Visit, Visitor, WildcardAdditionalOptions, With,
};
use sqlparser::tokenizer::Span;

use super::span::Places;
use super::vocabulary::{
    GroupWindowPart, aggregate_function, argument_expressions, has_aggregate, interval_ms,
    later_window, tumble_part, upper_name,
};
use crate::diagnostic::{NameMistake, PlanDiagnostic, StreamMistake};

mod expressions;

/// Everything in `query` that cannot be run.
pub(crate) fn check(query: &Query, places: &Places) -> Vec<PlanDiagnostic> {
    let mut refusals =
        Refusals { places, mistakes: Vec::new(), windows: HashSet::new(), outer: query.span() };
    // The visitor never breaks: all mistakes are gathered.
    let ControlFlow::Continue(()) = query.visit(&mut refusals);
    refusals.mistakes
}

struct Refusals<'a> {
    places: &'a Places,
    mistakes: Vec<PlanDiagnostic>,
    /// Addresses of the TUMBLE calls that stand in a GROUP BY.
    windows: HashSet<usize>,
    /// Span of the query, for nodes that have none.
    outer: Span,
}

impl Visitor for Refusals<'_> {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        self.query(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Self::Break> {
        self.select_clauses(select);
        self.group_by(select);
        self.projection(select);
        self.from(select);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Self::Break> {
        self.table_factor(factor);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Self::Break> {
        self.expression(expr);
        ControlFlow::Continue(())
    }
}

impl Refusals<'_> {
    fn query(&mut self, query: &Query) {
        let Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        let at = query.span();
        let order = order_by.as_ref().map(Spanned::span);
        self.refuse_if(order_by.is_some(), "ORDER BY", order.unwrap_or(at));
        self.refuse_if(limit_clause.is_some(), "LIMIT", at);
        self.refuse_if(fetch.is_some(), "FETCH", at);
        self.refuse_if(!locks.is_empty(), "FOR UPDATE or SHARE", at);
        self.refuse_if(for_clause.is_some(), "FOR XML, JSON or BROWSE", at);
        self.refuse_if(settings.is_some(), "SETTINGS", at);
        self.refuse_if(format_clause.is_some(), "FORMAT", at);
        self.refuse_if(!pipe_operators.is_empty(), "|>", at);
        if let Some(With { with_token: _, recursive, cte_tables }) = with {
            self.refuse_if(*recursive, "WITH RECURSIVE", at);
            for cte in cte_tables {
                let is_plain = cte.from.is_none() && cte.materialized.is_none();
                self.refuse_if(!is_plain, "MATERIALIZED or FROM in WITH", cte.alias.name.span);
            }
        }
        match body.as_ref() {
            SetExpr::Select(_) | SetExpr::Query(_) => {}
            SetExpr::SetOperation { op, .. } => self.refuse(op.to_string(), body.span()),
            SetExpr::Values(_) => self.refuse("VALUES", body.span()),
            SetExpr::Table(_) => self.refuse("TABLE as a query", body.span()),
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                self.refuse("a statement that writes", body.span());
            }
        }
    }

    fn select_clauses(&mut self, select: &Select) {
        let Select {
            select_token: _,
            optimizer_hints,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection: _,
            exclude,
            into,
            from: _,
            lateral_views,
            prewhere,
            selection: _,
            connect_by,
            group_by: _,
            cluster_by,
            distribute_by,
            sort_by,
            having: _,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        let at = select.select_token.0.span;
        if distinct.is_some() {
            self.updating("SELECT DISTINCT", "Group by a window: GROUP BY …, TUMBLE(…).", at);
        }
        self.refuse_if(!optimizer_hints.is_empty(), "a hint", at);
        self.refuse_if(select_modifiers.is_some(), "a SELECT modifier", at);
        self.refuse_if(top.is_some(), "TOP", at);
        self.refuse_if(exclude.is_some(), "EXCLUDE", at);
        self.refuse_if(into.is_some(), "SELECT INTO", at);
        self.refuse_if(!lateral_views.is_empty(), "LATERAL VIEW", at);
        self.refuse_if(prewhere.is_some(), "PREWHERE", at);
        self.refuse_if(!connect_by.is_empty(), "CONNECT BY", at);
        self.refuse_if(!cluster_by.is_empty(), "CLUSTER BY", at);
        self.refuse_if(!distribute_by.is_empty(), "DISTRIBUTE BY", at);
        self.refuse_if(!sort_by.is_empty(), "SORT BY", at);
        self.refuse_if(!named_window.is_empty(), "WINDOW", at);
        self.refuse_if(qualify.is_some(), "QUALIFY", at);
        self.refuse_if(value_table_mode.is_some(), "SELECT AS STRUCT or VALUE", at);
        self.refuse_if(*flavor != SelectFlavor::Standard, "FROM before SELECT", at);
    }

    /// A grouped query has exactly one window among its groups.
    fn group_by(&mut self, select: &Select) {
        let at = select.select_token.0.span;
        let groups = match &select.group_by {
            GroupByExpr::All(_) => {
                self.refuse("GROUP BY ALL", at);
                return;
            }
            GroupByExpr::Expressions(groups, modifiers) => {
                self.refuse_if(!modifiers.is_empty(), "WITH ROLLUP, CUBE or TOTALS", at);
                groups
            }
        };
        let mut windows = Vec::new();
        for group in groups {
            match group {
                Expr::Function(function)
                    if tumble_part(&upper_name(&function.name))
                        == Some(GroupWindowPart::Window) =>
                {
                    self.windows.insert(std::ptr::from_ref(group).addr());
                    windows.push(function);
                }
                Expr::Value(_) => self.refuse("GROUP BY a position or a constant", group.span()),
                _ => {}
            }
        }
        let later = groups.iter().any(is_later_window);
        match windows.as_slice() {
            [] if later => {}
            [] => self.ungrouped(select, groups),
            [window] => self.window_parts(select, window),
            [_, second, ..] => self.refuse("a second window in GROUP BY", second.span()),
        }
    }

    fn ungrouped(&mut self, select: &Select, groups: &[Expr]) {
        let help = "Group by a window too: GROUP BY …, TUMBLE(time, INTERVAL '5' MINUTE).";
        let aggregate = select.projection.iter().find_map(|item| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }
                if has_aggregate(expr) =>
            {
                Some(expr)
            }
            _ => None,
        });
        match (groups.first(), aggregate, &select.having) {
            (Some(group), _, _) => self.updating("GROUP BY without a window", help, group.span()),
            (None, Some(expr), _) => self.updating("an aggregate over all rows", help, expr.span()),
            (None, None, Some(having)) => {
                self.updating("HAVING without a window", help, having.span());
            }
            (None, None, None) => {}
        }
    }

    /// `TUMBLE_START(…)` and its kin must name the window of GROUP BY.
    fn window_parts(&mut self, select: &Select, window: &Function) {
        let wanted = window_identity(window);
        let mut wrong = Vec::new();
        let mut look = |expr: &Expr| {
            let ControlFlow::Continue(()) = sqlparser::ast::visit_expressions(expr, |inner| {
                if let Expr::Function(function) = inner
                    && let name = upper_name(&function.name)
                    && let Some(part) = tumble_part(&name)
                    && part != GroupWindowPart::Window
                    && window_identity(function) != wanted
                {
                    wrong.push((name, function.span()));
                }
                ControlFlow::<std::convert::Infallible>::Continue(())
            });
        };
        for item in &select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                look(expr);
            }
        }
        if let Some(having) = &select.having {
            look(having);
        }
        for (name, span) in wrong {
            self.mistakes.push(PlanDiagnostic::Names(NameMistake::WrongArguments {
                message: format!("`{name}` asks for another window than GROUP BY"),
                help: Some("Write the arguments of the TUMBLE in GROUP BY.".to_owned()),
                at: self.places.place(span),
            }));
        }
    }

    fn projection(&mut self, select: &Select) {
        for item in &select.projection {
            match item {
                SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. } => {}
                SelectItem::ExprWithAliases { .. } => {
                    self.refuse("several names for one expression", item.span());
                }
                SelectItem::QualifiedWildcard(_, options) | SelectItem::Wildcard(options) => {
                    let WildcardAdditionalOptions {
                        wildcard_token: _,
                        opt_ilike,
                        opt_exclude,
                        opt_except,
                        opt_replace,
                        opt_rename,
                        opt_alias,
                    } = options;
                    let is_plain = opt_ilike.is_none()
                        && opt_exclude.is_none()
                        && opt_except.is_none()
                        && opt_replace.is_none()
                        && opt_rename.is_none()
                        && opt_alias.is_none();
                    self.refuse_if(!is_plain, "an option of *", item.span());
                }
            }
        }
    }

    fn from(&mut self, select: &Select) {
        let at = select.select_token.0.span;
        let [first, more @ ..] = select.from.as_slice() else {
            let at = self.places.place(at);
            self.mistakes.push(StreamMistake::NoInput { at }.into());
            return;
        };
        for table in more {
            let at = self.places.place(table.relation.span());
            self.mistakes.push(StreamMistake::UnboundedJoin { at }.into());
        }
        if let TableFactor::Table { version: Some(_), .. } = &first.relation {
            self.refuse("FOR SYSTEM_TIME without a join", first.relation.span());
        }
        for join in select.from.iter().flat_map(|table| &table.joins) {
            self.join(join);
        }
    }

    fn join(&mut self, join: &Join) {
        let Join { relation, global, join_operator } = join;
        let at = relation.span();
        self.refuse_if(*global, "GLOBAL", at);
        let TableFactor::Table { version, .. } = relation else {
            if matches!(relation, TableFactor::Derived { .. }) {
                let at = self.places.place(at);
                self.mistakes.push(StreamMistake::UnboundedJoin { at }.into());
            }
            return;
        };
        match version {
            None => {
                let at = self.places.place(at);
                self.mistakes.push(StreamMistake::UnboundedJoin { at }.into());
                return;
            }
            Some(TableVersion::ForSystemTimeAsOf(_)) => {}
            Some(
                TableVersion::TimestampAsOf(_)
                | TableVersion::VersionAsOf(_)
                | TableVersion::Function(_)
                | TableVersion::Changes { .. },
            ) => self.refuse("a version other than FOR SYSTEM_TIME AS OF", at),
        }
        match join_operator {
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint) => match constraint {
                JoinConstraint::On(_) => {}
                JoinConstraint::Using(_) => self.refuse("USING; write ON", at),
                JoinConstraint::Natural => self.refuse("NATURAL JOIN", at),
                JoinConstraint::None => self.refuse("a temporal join without ON", at),
            },
            _ => self.refuse("a temporal join other than JOIN and LEFT JOIN", at),
        }
    }

    fn table_factor(&mut self, factor: &TableFactor) {
        let at = factor.span();
        match factor {
            TableFactor::Table {
                name: _,
                alias,
                args,
                with_hints,
                version: _,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
            } => {
                self.refuse_if(args.is_some(), "a table function", at);
                self.refuse_if(!with_hints.is_empty() || !index_hints.is_empty(), "a hint", at);
                self.refuse_if(*with_ordinality, "WITH ORDINALITY", at);
                self.refuse_if(!partitions.is_empty(), "PARTITION", at);
                self.refuse_if(json_path.is_some(), "a JSON path", at);
                self.refuse_if(sample.is_some(), "TABLESAMPLE", at);
                if let Some(alias) = alias {
                    self.refuse_if(alias.at.is_some(), "AT", at);
                }
            }
            TableFactor::Derived { lateral, subquery: _, alias: _, sample } => {
                self.refuse_if(*lateral, "LATERAL", at);
                self.refuse_if(sample.is_some(), "TABLESAMPLE", at);
            }
            TableFactor::UNNEST { .. } => self.refuse("UNNEST", at),
            TableFactor::NestedJoin { .. } => self.refuse("a join in parentheses", at),
            TableFactor::TableFunction { expr, .. } => self.table_function(expr, at),
            TableFactor::Function { name, .. } => self.refuse(format!("`{name}`"), at),
            TableFactor::MatchRecognize { .. } => self.refuse("MATCH_RECOGNIZE", at),
            TableFactor::Pivot { .. } | TableFactor::Unpivot { .. } => self.refuse("PIVOT", at),
            _ => self.refuse("this kind of table", at),
        }
    }

    /// A TUMBLE that could be read as a group window is gone by now.
    fn table_function(&mut self, expr: &Expr, at: Span) {
        match expr {
            Expr::Function(function) => {
                let name = upper_name(&function.name);
                let what = match tumble_part(&name) {
                    Some(_) => "TABLE(TUMBLE(…)) without GROUP BY window_start, window_end",
                    None => later_window(&name).map_or("a table function", |_| "this window"),
                };
                match later_window(&name) {
                    Some(kind) => self.refuse(kind, at),
                    None => self.refuse(what, at),
                }
            }
            _ => self.refuse("a table function", at),
        }
    }

    fn updating(&mut self, what: &str, help: &str, at: Span) {
        let at = self.places.place(self.or_outer(at));
        let mistake =
            StreamMistake::UpdatingResult { what: what.to_owned(), help: help.to_owned(), at };
        self.mistakes.push(mistake.into());
    }

    fn refuse(&mut self, what: impl Into<String>, at: Span) {
        let at = self.places.place(self.or_outer(at));
        self.mistakes.push(StreamMistake::not_supported(what, at).into());
    }

    fn refuse_if(&mut self, is_there: bool, what: &str, at: Span) {
        if is_there {
            self.refuse(what, at);
        }
    }

    fn or_outer(&self, span: Span) -> Span {
        if span == Span::empty() { self.outer } else { span }
    }
}

fn is_later_window(group: &Expr) -> bool {
    matches!(group, Expr::Function(f) if later_window(&upper_name(&f.name)).is_some())
}

/// What tells two windows apart: the column's name and the length.
fn window_identity(function: &Function) -> (String, Option<i64>) {
    let arguments = argument_expressions(function);
    let column = match arguments.first() {
        Some(Expr::Identifier(ident)) => ident.value.clone(),
        Some(Expr::CompoundIdentifier(parts)) => {
            parts.last().map_or_else(String::new, |ident| ident.value.clone())
        }
        Some(other) => other.to_string(),
        None => String::new(),
    };
    (column, arguments.get(1).and_then(|length| interval_ms(length).ok()))
}
