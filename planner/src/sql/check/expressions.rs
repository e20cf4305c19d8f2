//! Expressions that can be run: a list of what passes, not of what fails.

use sqlparser::ast::{
    BinaryOperator, CastKind, DuplicateTreatment, FunctionArgumentList, UnaryOperator, Value,
};

use super::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments,
    GroupWindowPart, NameMistake, PlanDiagnostic, Refusals, Span, Spanned, aggregate_function,
    argument_expressions, interval_ms, later_window, tumble_part, upper_name,
};

impl Refusals<'_> {
    pub(super) fn expression(&mut self, expr: &Expr) {
        let at = expr.span();
        match expr {
            Expr::Identifier(_)
            | Expr::CompoundIdentifier(_)
            | Expr::CompoundFieldAccess { .. }
            | Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::IsTrue(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotUnknown(_)
            | Expr::IsDistinctFrom(..)
            | Expr::IsNotDistinctFrom(..)
            | Expr::InList { .. }
            | Expr::Between { .. }
            | Expr::Extract { .. }
            | Expr::Ceil { .. }
            | Expr::Floor { .. }
            | Expr::Position { .. }
            | Expr::Substring { .. }
            | Expr::Trim { .. }
            | Expr::Overlay { .. }
            | Expr::Nested(_)
            | Expr::TypedString(_)
            | Expr::Case { .. }
            | Expr::Interval(_)
            | Expr::Array(_) => {}
            Expr::Like { any, .. } | Expr::ILike { any, .. } => {
                self.refuse_if(*any, "LIKE ANY", at);
            }
            Expr::Value(value) => self.value(&value.value, value.span),
            Expr::BinaryOp { op, .. } => self.binary_operator(op, at),
            Expr::UnaryOp { op, .. } => match op {
                UnaryOperator::Plus | UnaryOperator::Minus | UnaryOperator::Not => {}
                other => self.refuse(format!("operator `{other}`"), at),
            },
            Expr::Cast { kind, format, array, .. } => {
                let is_plain = matches!(kind, CastKind::Cast | CastKind::TryCast);
                self.refuse_if(!is_plain, "a cast other than CAST and TRY_CAST", at);
                self.refuse_if(format.is_some() || *array, "an option of CAST", at);
            }
            Expr::Function(function) => self.function(function, expr),
            Expr::InSubquery { .. } | Expr::Exists { .. } | Expr::Subquery(_) => {
                self.refuse("a query inside an expression", at);
            }
            Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_) => {
                self.refuse("GROUPING SETS, CUBE or ROLLUP", at);
            }
            _ => {
                let text = self.places.quote(at);
                self.refuse(format!("the expression `{text}`"), at);
            }
        }
    }

    fn value(&mut self, value: &Value, at: Span) {
        match value {
            Value::Number(..) | Value::SingleQuotedString(_) | Value::Boolean(_) | Value::Null => {}
            Value::HexStringLiteral(_) => {}
            Value::Placeholder(text) => self.refuse(format!("the parameter `{text}`"), at),
            _ => self.refuse("this kind of literal", at),
        }
    }

    fn binary_operator(&mut self, op: &BinaryOperator, at: Span) {
        match op {
            BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo
            | BinaryOperator::StringConcat
            | BinaryOperator::Gt
            | BinaryOperator::Lt
            | BinaryOperator::GtEq
            | BinaryOperator::LtEq
            | BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::And
            | BinaryOperator::Or => {}
            other => self.refuse(format!("operator `{other}`"), at),
        }
    }

    fn function(&mut self, function: &Function, expr: &Expr) {
        let Function {
            name,
            uses_odbc_syntax,
            parameters,
            args,
            filter,
            null_treatment,
            over,
            within_group,
        } = function;
        let at = function.span();
        let upper = upper_name(name);
        let is_aggregate = aggregate_function(&upper).is_some();
        self.refuse_if(over.is_some(), "OVER", at);
        self.refuse_if(*uses_odbc_syntax, "{fn …}", at);
        self.refuse_if(!matches!(parameters, FunctionArguments::None), "parameters", at);
        self.refuse_if(null_treatment.is_some(), "IGNORE or RESPECT NULLS", at);
        self.refuse_if(!within_group.is_empty(), "WITHIN GROUP", at);
        self.refuse_if(filter.is_some() && !is_aggregate, "FILTER of a scalar function", at);
        match args {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(_) => self.refuse("a query as an argument", at),
            FunctionArguments::List(list) => self.arguments(list, &upper, at),
        }
        if let Some(kind) = later_window(&upper) {
            self.refuse(kind, at);
        }
        if let Some(part) = tumble_part(&upper) {
            let is_in_group_by = self.windows.contains(&std::ptr::from_ref(expr).addr());
            if part == GroupWindowPart::Window && !is_in_group_by {
                self.wrong("`TUMBLE` outside GROUP BY", "Ask for TUMBLE_START or TUMBLE_END.", at);
            }
            self.window_arguments(function, &upper);
        }
    }

    fn arguments(&mut self, list: &FunctionArgumentList, name: &str, at: Span) {
        let FunctionArgumentList { duplicate_treatment, args, clauses } = list;
        let is_aggregate = aggregate_function(name).is_some();
        let is_distinct = *duplicate_treatment == Some(DuplicateTreatment::Distinct);
        self.refuse_if(is_distinct && !is_aggregate, "DISTINCT in a scalar function", at);
        for clause in clauses {
            let what = match clause {
                FunctionArgumentClause::OrderBy(_) => "ORDER BY in an aggregate",
                FunctionArgumentClause::IgnoreOrRespectNulls(_) => "IGNORE or RESPECT NULLS",
                FunctionArgumentClause::Limit(_) => "LIMIT in an aggregate",
                FunctionArgumentClause::OnOverflow(_) => "ON OVERFLOW",
                FunctionArgumentClause::Having(_) => "HAVING in an aggregate",
                FunctionArgumentClause::Separator(_) => "SEPARATOR",
                FunctionArgumentClause::JsonNullClause(_)
                | FunctionArgumentClause::JsonReturningClause(_) => "a clause of JSON",
            };
            self.refuse(what, at);
        }
        for argument in args {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(_)) => {}
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => {
                    self.refuse_if(name != "COUNT" || is_distinct, "* as an argument", at);
                }
                FunctionArg::Unnamed(
                    FunctionArgExpr::QualifiedWildcard(_) | FunctionArgExpr::WildcardWithOptions(_),
                ) => self.refuse("t.* as an argument", at),
                FunctionArg::Named { .. } | FunctionArg::ExprNamed { .. } => {
                    self.refuse("a named argument", at);
                }
            }
        }
    }

    fn window_arguments(&mut self, function: &Function, name: &str) {
        let at = function.span();
        let arguments = argument_expressions(function);
        let length = match arguments.as_slice() {
            [_, length] => Ok(*length),
            _ => Err(format!("`{name}` takes a time column and an interval")),
        };
        let length = length.and_then(|length| interval_ms(length).map(|ms| (ms, length.span())));
        match length {
            Ok((1.., _)) => {}
            Ok((_, span)) => {
                self.wrong("a window of no length", "Write INTERVAL '5' MINUTE.", span);
            }
            Err(message) => self.wrong(&message, "Write TUMBLE(time, INTERVAL '5' MINUTE).", at),
        }
    }

    fn wrong(&mut self, message: &str, help: &str, at: Span) {
        self.mistakes.push(PlanDiagnostic::Names(NameMistake::WrongArguments {
            message: message.to_owned(),
            help: Some(help.to_owned()),
            at: self.places.place(self.or_outer(at)),
        }));
    }
}
