//! The pass over the expressions of a query: Flink's forms become calls of our functions.
//!
//! Literals get Flink's types (a whole number is INT where it fits, `1.5` is a DECIMAL, `1e3` a
//! DOUBLE), special forms (`CAST`, `EXTRACT`, `FLOOR(x TO unit)`, `LIKE`, …) become calls, columns
//! without a name get `EXPR$n`, and what is not known is refused by name.
//!
//! **Invariant:** no call of a function that is neither ours nor `is_owned` passes.

use std::ops::ControlFlow;

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    CaseWhen, CastKind, CeilFloorKind, DataType, DateTimeField, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, Interval, ObjectName,
    ObjectNamePart, Query, Select, SelectItem, Spanned, TrimWhereField, UnaryOperator, Value,
    VisitMut, VisitorMut,
};
use sqlparser::tokenizer::Span;

use super::parse::SyntaxMistake;
use crate::functions::{self, FunctionRegistry};

mod interval;
mod literal;

/// Rewrites all expressions of `query`.
///
/// `is_owned` names the functions that other passes know: aggregates and window functions.
/// Gives all mistakes, each with its place, in the order of the text.
pub(crate) fn rewrite_expressions(
    query: &mut Query,
    registry: &FunctionRegistry,
    is_owned: &dyn Fn(&str) -> bool,
) -> Vec<SyntaxMistake> {
    let mut pass = Pass { registry, is_owned, mistakes: Vec::new() };
    // The pass never breaks off.
    let ControlFlow::Continue(()) = query.visit(&mut pass);
    pass.mistakes.sort_by_key(|mistake| mistake.at.start);
    pass.mistakes
}

struct Pass<'a> {
    registry: &'a FunctionRegistry,
    is_owned: &'a dyn Fn(&str) -> bool,
    mistakes: Vec<SyntaxMistake>,
}

impl VisitorMut for Pass<'_> {
    type Break = std::convert::Infallible;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        let taken = std::mem::replace(expr, Expr::value(Value::Null));
        *expr = self.rewrite(taken);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        if let Some(order_by) = &mut query.order_by
            && let sqlparser::ast::OrderByKind::Expressions(expressions) = &mut order_by.kind
        {
            for order in expressions {
                literal::restore(&mut order.expr);
            }
        }
        if let Some(sqlparser::ast::LimitClause::LimitOffset { limit: Some(limit), .. }) =
            &mut query.limit_clause
        {
            literal::restore(limit);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        self.finish_select(select);
        ControlFlow::Continue(())
    }
}

impl Pass<'_> {
    fn refuse(&mut self, message: impl Into<String>, help: &str, at: Span) {
        let help = (!help.is_empty()).then(|| help.to_owned());
        self.mistakes.push(SyntaxMistake { message: message.into(), help, at });
    }

    /// Names the columns without a name, and gives ordinals back their plain numbers.
    fn finish_select(&mut self, select: &mut Select) {
        for (index, item) in select.projection.iter_mut().enumerate() {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item
                && is_null(expr)
            {
                let help = "Write `CAST(NULL AS STRING)` with the type that it should have.";
                self.refuse("a column of `NULL` has no type", help, expr.span());
            }
            let SelectItem::UnnamedExpr(expr) = item else { continue };
            let alias = match expr {
                Expr::Identifier(_) => continue,
                Expr::CompoundIdentifier(names) if names.len() == 2 => continue,
                Expr::CompoundIdentifier(names) => names.last().cloned(),
                _ => None,
            };
            let alias = alias.unwrap_or_else(|| Ident::with_quote('`', format!("EXPR${index}")));
            let expr = std::mem::replace(expr, Expr::value(Value::Null));
            *item = SelectItem::ExprWithAlias { expr, alias };
        }
        if let sqlparser::ast::GroupByExpr::Expressions(expressions, _) = &mut select.group_by {
            expressions.iter_mut().for_each(literal::restore);
        }
    }

    fn rewrite(&mut self, expr: Expr) -> Expr {
        match expr {
            Expr::Value(value) => match literal::typed(&value) {
                Ok(typed) => typed,
                Err(message) => {
                    self.refuse(message, "", value.span);
                    Expr::Value(value)
                }
            },
            Expr::TypedString(typed) => match literal::time(&typed) {
                Ok(time) => time,
                Err(message) => {
                    self.refuse(message, "", typed.value.span);
                    Expr::TypedString(typed)
                }
            },
            Expr::Interval(interval) => self.rewrite_interval(interval),
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => literal::negate(*expr),
            Expr::UnaryOp { op: UnaryOperator::Plus, expr } => *expr,
            Expr::BinaryOp { left, op: sqlparser::ast::BinaryOperator::StringConcat, right } => {
                call("$CONCATENATE", vec![*left, *right])
            }
            Expr::Cast { kind, expr, data_type, array: false, format: None } => {
                self.rewrite_cast(&kind, *expr, &data_type)
            }
            Expr::Function(function) => self.rewrite_function(function),
            other => self.rewrite_special_form(other),
        }
    }

    fn rewrite_special_form(&mut self, expr: Expr) -> Expr {
        match expr {
            Expr::Extract { field, expr, .. } => {
                call(functions::EXTRACT, vec![text(&unit(&field)), *expr])
            }
            Expr::Floor { expr, field } => self.rewrite_rounding(*expr, field, false),
            Expr::Ceil { expr, field } => self.rewrite_rounding(*expr, field, true),
            Expr::Position { expr, r#in } => call("POSITION", vec![*expr, *r#in]),
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let from = substring_from.map_or_else(|| literal::int(1), |from| *from);
                let mut arguments = vec![*expr, from];
                arguments.extend(substring_for.map(|length| *length));
                call("SUBSTRING", arguments)
            }
            Expr::Trim { trim_where, trim_what, expr, trim_characters: None } => {
                let name = match trim_where {
                    None | Some(TrimWhereField::Both) => "TRIM",
                    Some(TrimWhereField::Leading) => "LTRIM",
                    Some(TrimWhereField::Trailing) => "RTRIM",
                };
                let mut arguments = vec![*expr];
                arguments.extend(trim_what.map(|what| *what));
                call(name, arguments)
            }
            Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                let mut arguments = vec![*expr, *overlay_what, *overlay_from];
                arguments.extend(overlay_for.map(|length| *length));
                call("OVERLAY", arguments)
            }
            Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                let mut arguments = vec![*expr, *pattern];
                arguments.extend(escape_char.map(Expr::Value));
                negate_if(negated, call(functions::LIKE, arguments))
            }
            Expr::SimilarTo { negated, expr, pattern, escape_char: None } => {
                negate_if(negated, call(functions::SIMILAR, vec![*expr, *pattern]))
            }
            other => self.refuse_foreign_form(other),
        }
    }

    /// Refuses what DataFusion would accept though Flink has no such form.
    fn refuse_foreign_form(&mut self, expr: Expr) -> Expr {
        let name = match &expr {
            Expr::ILike { .. } => "ILIKE",
            Expr::RLike { .. } => "RLIKE",
            Expr::Like { .. } => "LIKE ANY",
            Expr::SimilarTo { .. } => "SIMILAR TO … ESCAPE",
            Expr::AtTimeZone { .. } => "AT TIME ZONE",
            Expr::Convert { .. } => "CONVERT",
            Expr::Cast { .. } => "CAST … FORMAT",
            Expr::Trim { .. } => "TRIM with a list",
            Expr::Collate { .. } => "COLLATE",
            Expr::JsonAccess { .. } => "the JSON arrow",
            Expr::Dictionary(_) | Expr::Struct { .. } | Expr::Map(_) => "this literal",
            Expr::Lambda(_) => "a lambda",
            Expr::Prefixed { .. } => "a string with a prefix",
            Expr::IsNormalized { .. } => "IS NORMALIZED",
            Expr::AnyOp { .. } => "ANY",
            Expr::AllOp { .. } => "ALL",
            _ => return expr,
        };
        self.refuse(format!("`{name}` is not supported"), "", expr.span());
        expr
    }

    fn rewrite_rounding(&mut self, expr: Expr, field: CeilFloorKind, is_ceil: bool) -> Expr {
        let plain = if is_ceil { "CEIL" } else { "FLOOR" };
        let to_unit = if is_ceil { functions::CEIL_TO } else { functions::FLOOR_TO };
        match field {
            CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) => call(plain, vec![expr]),
            CeilFloorKind::DateTimeField(field) => call(to_unit, vec![text(&unit(&field)), expr]),
            CeilFloorKind::Scale(_) => {
                self.refuse(format!("`{plain}` takes one number"), "", expr.span());
                expr
            }
        }
    }

    fn rewrite_cast(&mut self, kind: &CastKind, expr: Expr, data_type: &DataType) -> Expr {
        let name = match kind {
            CastKind::Cast => functions::CAST,
            CastKind::TryCast => functions::TRY_CAST,
            CastKind::SafeCast | CastKind::DoubleColon => {
                let help = "Write `CAST(x AS type)` or `TRY_CAST(x AS type)`.";
                self.refuse("this form of cast is not Flink's", help, expr.span());
                functions::CAST
            }
        };
        let type_text = data_type.to_string();
        if functions::arrow_type(&type_text).is_none() {
            self.refuse(format!("`{type_text}` is no type to cast to"), "", expr.span());
        }
        call(name, vec![expr, text(&type_text)])
    }

    fn rewrite_interval(&mut self, interval: Interval) -> Expr {
        match interval::canonical(&interval) {
            Ok(canonical) => Expr::Interval(canonical),
            Err(message) => {
                self.refuse(message, "", interval.value.span());
                Expr::Interval(interval)
            }
        }
    }

    fn rewrite_function(&mut self, mut function: Function) -> Expr {
        let at = function.name.span();
        let name = match function.name.0.as_slice() {
            [ObjectNamePart::Identifier(name)] => name.value.to_uppercase(),
            _ => String::new(),
        };
        if name.starts_with('$') || (self.is_owned)(&name) {
            return Expr::Function(function);
        }
        if !self.registry.is_callable(&name)
            && !matches!(name.as_str(), "IF" | "IFNULL" | "NULLIF" | "ROW")
        {
            self.refuse_unknown(&function, at);
            return Expr::Function(function);
        }
        let is_plain = function.over.is_none()
            && function.filter.is_none()
            && function.within_group.is_empty()
            && function.null_treatment.is_none();
        if !is_plain {
            self.refuse(format!("`{name}` is no aggregate"), "", at);
        }
        self.refuse_clauses(&mut function, &name, at);
        let Some(mut arguments) = take_arguments(&mut function) else {
            self.refuse(format!("`{name}` takes plain arguments"), "", at);
            return Expr::Function(function);
        };
        if matches!(name.as_str(), "TIMESTAMPADD" | "TIMESTAMPDIFF")
            && let Some(Expr::Identifier(unit)) = arguments.first()
        {
            let unit = text(&unit.value.to_uppercase());
            arguments[0] = unit;
        }
        // Their result types depend on a literal, which a cast would hide.
        if matches!(name.as_str(), "ROUND" | "TRUNCATE" | "TO_TIMESTAMP_LTZ")
            && let Some(digits) = arguments.get_mut(1)
        {
            literal::restore(digits);
        }
        match (name.as_str(), arguments.as_slice()) {
            ("IF", [_, _, _]) | ("NULLIF", [_, _]) => conditional(&name, arguments),
            ("IF" | "NULLIF", _) => {
                self.refuse(
                    format!("`{name}` takes {} arguments", if name == "IF" { 3 } else { 2 }),
                    "",
                    at,
                );
                Expr::Function(function)
            }
            ("IFNULL", _) => call_at("COALESCE", arguments, &function.name),
            ("ROW", _) => call_at(functions::ROW, arguments, &function.name),
            ("UNIX_TIMESTAMP", []) => call_at(functions::UNIX_NOW, arguments, &function.name),
            _ => call_at(&name, arguments, &function.name),
        }
    }

    /// The clauses that scalar functions have are forms of the dialect; these are aggregates'.
    fn refuse_clauses(&mut self, function: &mut Function, name: &str, at: Span) {
        let FunctionArguments::List(list) = &mut function.args else { return };
        for clause in std::mem::take(&mut list.clauses) {
            self.refuse(format!("`{name}` knows no clause `{clause}`"), "", at);
        }
        if list.duplicate_treatment.take().is_some() {
            self.refuse(format!("`{name}` is no aggregate"), "", at);
        }
    }

    fn refuse_unknown(&mut self, function: &Function, at: Span) {
        let name = function.name.to_string();
        let upper = name.to_uppercase();
        let nearest = self
            .registry
            .names()
            .map(|known| (strsim::damerau_levenshtein(known, &upper), known))
            .min()
            .filter(|(distance, known)| *distance <= 1 + known.len() / 4);
        let help =
            nearest.map_or_else(String::new, |(_, known)| format!("Did you mean `{known}`?"));
        self.refuse(format!("there is no function `{name}`"), &help, at);
    }
}

fn is_null(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value) if value.value == Value::Null)
}

/// `IF(c, a, b)` and `NULLIF(a, b)` evaluate only the branch that counts.
fn conditional(name: &str, mut arguments: Vec<Expr>) -> Expr {
    let last = arguments.pop().unwrap_or_else(|| Expr::value(Value::Null));
    let (condition, result, other) = if name == "IF" {
        let result = arguments.pop().unwrap_or_else(|| Expr::value(Value::Null));
        (arguments.pop().unwrap_or_else(|| Expr::value(Value::Null)), result, last)
    } else {
        let first = arguments.pop().unwrap_or_else(|| Expr::value(Value::Null));
        let equal = Expr::BinaryOp {
            left: Box::new(first.clone()),
            op: sqlparser::ast::BinaryOperator::Eq,
            right: Box::new(last),
        };
        (equal, Expr::value(Value::Null), first)
    };
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition, result }],
        else_result: Some(Box::new(other)),
    }
}

fn negate_if(negated: bool, expr: Expr) -> Expr {
    if negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(expr) } } else { expr }
}

/// `MINUTES` and `MINUTE` are one unit.
fn unit(field: &DateTimeField) -> String {
    field.to_string().to_uppercase()
}

fn text(value: &str) -> Expr {
    Expr::value(Value::SingleQuotedString(value.to_owned()))
}

fn take_arguments(function: &mut Function) -> Option<Vec<Expr>> {
    match std::mem::replace(&mut function.args, FunctionArguments::None) {
        FunctionArguments::None => Some(Vec::new()),
        FunctionArguments::Subquery(_) => None,
        FunctionArguments::List(list) => list
            .args
            .into_iter()
            .map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
                _ => None,
            })
            .collect(),
    }
}

fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    call_at(name, arguments, &ObjectName(Vec::new()))
}

/// A call whose name has the place of another.
fn call_at(name: &str, arguments: Vec<Expr>, like: &ObjectName) -> Expr {
    let mut ident = Ident::new(name);
    ident.span = like.span();
    let args = arguments
        .into_iter()
        .map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)))
        .collect();
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

#[cfg(test)]
mod tests;
