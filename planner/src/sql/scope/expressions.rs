//! Expressions: the columns that they name, and what each use says about a column's type.

use sqlparser::ast::{
    AccessExpr, BinaryOperator, CeilFloorKind, DataType, Expr, Function, FunctionArguments,
    Spanned, Subscript, UnaryOperator, Value,
};
use sqlparser::tokenizer::Span;

use super::{Kind, Lineage, Resolver, SameType, Scope, TimeUse, Use};
use crate::dataflow::AggregateFunction;
use crate::sql::vocabulary::{GroupWindowPart, aggregate_function};
use crate::sql::vocabulary::{argument_expressions, tumble_part, upper_name};

/// An operand with its lineage and place.
type Operand = (Lineage, Span);

impl Resolver<'_> {
    /// Resolves the columns of `expr` and notes how it uses them.
    pub(super) fn expression(&mut self, expr: &Expr, scope: &Scope) -> Lineage {
        match expr {
            Expr::Identifier(name) => self.named(None, name, scope),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, name] => self.named(Some(table), name, scope),
                [table, name, ..] => {
                    self.named(Some(table), name, scope);
                    Lineage::default()
                }
                _ => Lineage::default(),
            },
            Expr::CompoundFieldAccess { root, access_chain } => {
                self.expression(root, scope);
                for access in access_chain {
                    if let AccessExpr::Subscript(Subscript::Index { index }) = access {
                        self.expression(index, scope);
                    }
                }
                Lineage::default()
            }
            Expr::Nested(inner) => self.expression(inner, scope),
            Expr::Value(value) => literal(&value.value),
            Expr::TypedString(string) => {
                type_kind(&string.data_type).map_or_else(Lineage::default, Lineage::of_kind)
            }
            Expr::Cast { expr: inner, data_type, .. } => {
                self.expression(inner, scope);
                type_kind(data_type).map_or_else(Lineage::default, Lineage::of_kind)
            }
            Expr::Function(function) => self.function(function, scope),
            Expr::Case { operand, conditions, else_result, .. } => {
                let mut results = Vec::new();
                for when in conditions {
                    match operand {
                        Some(operand) => self.compare(operand, &[&when.condition], scope),
                        None => self.boolean(&when.condition, scope, "CASE WHEN"),
                    }
                    results.push(&when.result);
                }
                results.extend(else_result.as_deref());
                self.alike(&results, scope, "CASE")
            }
            Expr::Interval(_) => Lineage::default(),
            _ => self.operator(expr, scope),
        }
    }

    fn operator(&mut self, expr: &Expr, scope: &Scope) -> Lineage {
        match expr {
            Expr::BinaryOp { left, op, right } => return self.binary(left, op, right, scope),
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => self.boolean(expr, scope, "NOT"),
            Expr::UnaryOp { expr, .. } => {
                self.wanted(expr, scope, Kind::Number, "arithmetic");
                return Lineage::of_kind(Kind::Number);
            }
            Expr::IsNull(inner) | Expr::IsNotNull(inner) => {
                self.expression(inner, scope);
            }
            Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotUnknown(inner) => self.boolean(inner, scope, "IS TRUE, FALSE or UNKNOWN"),
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                self.compare(left, &[right], scope);
            }
            Expr::InList { expr, list, .. } => {
                self.compare(expr, &list.iter().collect::<Vec<_>>(), scope);
            }
            Expr::Between { expr, low, high, .. } => self.compare(expr, &[low, high], scope),
            Expr::Like { expr, pattern, .. } | Expr::ILike { expr, pattern, .. } => {
                self.wanted(expr, scope, Kind::Text, "LIKE");
                self.wanted(pattern, scope, Kind::Text, "LIKE");
            }
            _ => return self.special_form(expr, scope),
        }
        Lineage::of_kind(Kind::Boolean)
    }

    /// Functions that have a syntax of their own.
    fn special_form(&mut self, expr: &Expr, scope: &Scope) -> Lineage {
        match expr {
            Expr::Extract { expr, .. } => {
                self.wanted(expr, scope, Kind::Time, "EXTRACT");
                Lineage::of_kind(Kind::Number)
            }
            Expr::Ceil { expr, field } | Expr::Floor { expr, field } => {
                let kind = match field {
                    CeilFloorKind::DateTimeField(sqlparser::ast::DateTimeField::NoDateTime)
                    | CeilFloorKind::Scale(_) => Kind::Number,
                    CeilFloorKind::DateTimeField(_) => Kind::Time,
                };
                self.wanted(expr, scope, kind, "FLOOR or CEIL");
                Lineage::of_kind(kind)
            }
            Expr::Position { expr, r#in } => {
                self.wanted(expr, scope, Kind::Text, "POSITION");
                self.wanted(r#in, scope, Kind::Text, "POSITION");
                Lineage::of_kind(Kind::Number)
            }
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                self.wanted(expr, scope, Kind::Text, "SUBSTRING");
                for number in [substring_from, substring_for].into_iter().flatten() {
                    self.wanted(number, scope, Kind::Number, "SUBSTRING");
                }
                Lineage::of_kind(Kind::Text)
            }
            Expr::Trim { expr, trim_what, .. } => {
                self.wanted(expr, scope, Kind::Text, "TRIM");
                if let Some(what) = trim_what {
                    self.wanted(what, scope, Kind::Text, "TRIM");
                }
                Lineage::of_kind(Kind::Text)
            }
            Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                self.wanted(expr, scope, Kind::Text, "OVERLAY");
                self.wanted(overlay_what, scope, Kind::Text, "OVERLAY");
                self.wanted(overlay_from, scope, Kind::Number, "OVERLAY");
                if let Some(count) = overlay_for {
                    self.wanted(count, scope, Kind::Number, "OVERLAY");
                }
                Lineage::of_kind(Kind::Text)
            }
            Expr::Array(array) => {
                self.alike(&array.elem.iter().collect::<Vec<_>>(), scope, "ARRAY");
                Lineage::default()
            }
            // Refused by the check.
            _ => Lineage::default(),
        }
    }

    fn binary(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr, scope: &Scope) -> Lineage {
        match op {
            BinaryOperator::And | BinaryOperator::Or => {
                let reason = if *op == BinaryOperator::And { "AND" } else { "OR" };
                self.boolean(left, scope, reason);
                self.boolean(right, scope, reason);
                Lineage::of_kind(Kind::Boolean)
            }
            BinaryOperator::StringConcat => {
                self.wanted(left, scope, Kind::Text, "||");
                self.wanted(right, scope, Kind::Text, "||");
                Lineage::of_kind(Kind::Text)
            }
            BinaryOperator::Plus | BinaryOperator::Minus if is_interval(left, right) => {
                self.wanted(left, scope, Kind::Time, "arithmetic with an INTERVAL");
                self.wanted(right, scope, Kind::Time, "arithmetic with an INTERVAL");
                Lineage::of_kind(Kind::Time)
            }
            BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo => {
                self.wanted(left, scope, Kind::Number, "arithmetic");
                self.wanted(right, scope, Kind::Number, "arithmetic");
                Lineage::of_kind(Kind::Number)
            }
            _ => {
                self.compare(left, &[right], scope);
                Lineage::of_kind(Kind::Boolean)
            }
        }
    }

    fn function(&mut self, function: &Function, scope: &Scope) -> Lineage {
        let name = upper_name(&function.name);
        if let Some(filter) = &function.filter {
            self.boolean(filter, scope, "FILTER");
        }
        let arguments = argument_expressions(function);
        if let Some(part) = tumble_part(&name) {
            if let [time, ..] = arguments.as_slice() {
                self.time_use(time, scope, "TUMBLE");
            }
            let is_window_time = part == GroupWindowPart::RowTime;
            return Lineage { is_window_time, ..Lineage::of_kind(Kind::Time) };
        }
        match aggregate_function(&name) {
            Some(aggregate) => self.aggregate(aggregate, &name, &arguments, scope),
            None => self.scalar(function, &name, &arguments, scope),
        }
    }

    fn aggregate(
        &mut self,
        aggregate: AggregateFunction,
        name: &str,
        arguments: &[&Expr],
        scope: &Scope,
    ) -> Lineage {
        let (first, rest) =
            arguments.split_first().map_or((None, arguments), |(f, r)| (Some(f), r));
        for argument in rest {
            self.expression(argument, scope);
        }
        let Some(first) = first else { return Lineage::of_kind(Kind::Number) };
        match aggregate {
            AggregateFunction::Sum
            | AggregateFunction::Avg
            | AggregateFunction::StddevPop
            | AggregateFunction::StddevSamp
            | AggregateFunction::VarPop
            | AggregateFunction::VarSamp => {
                self.wanted(first, scope, Kind::Number, name);
                Lineage::of_kind(Kind::Number)
            }
            AggregateFunction::Count => {
                self.expression(first, scope);
                Lineage::of_kind(Kind::Number)
            }
            AggregateFunction::ListAgg => {
                self.wanted(first, scope, Kind::Text, name);
                Lineage::of_kind(Kind::Text)
            }
            AggregateFunction::Min
            | AggregateFunction::Max
            | AggregateFunction::FirstValue
            | AggregateFunction::LastValue => {
                Lineage { is: None, is_window_time: false, ..self.expression(first, scope) }
            }
            AggregateFunction::Collect | AggregateFunction::ArrayAgg => {
                self.expression(first, scope);
                Lineage::default()
            }
        }
    }

    fn scalar(
        &mut self,
        function: &Function,
        name: &str,
        arguments: &[&Expr],
        scope: &Scope,
    ) -> Lineage {
        match name {
            "COALESCE" | "IFNULL" | "GREATEST" | "LEAST" => {
                return self.alike(arguments, scope, name);
            }
            "IF" => {
                if let [condition, results @ ..] = arguments {
                    self.boolean(condition, scope, "IF");
                    return self.alike(results, scope, "IF");
                }
            }
            "NULLIF" => {
                if let [first, second] = arguments {
                    self.compare(first, &[second], scope);
                    return Lineage { is: None, ..self.expression(first, scope) };
                }
            }
            // The unit is a word, not a column.
            "TIMESTAMPADD" | "TIMESTAMPDIFF" => {
                for argument in arguments.iter().skip(1) {
                    let is_count = name == "TIMESTAMPADD"
                        && arguments.get(1).is_some_and(|count| std::ptr::eq(*count, *argument));
                    let kind = if is_count { Kind::Number } else { Kind::Time };
                    self.wanted(argument, scope, kind, name);
                }
                let kind = if name == "TIMESTAMPADD" { Kind::Time } else { Kind::Number };
                return Lineage::of_kind(kind);
            }
            _ => {}
        }
        if matches!(function.args, FunctionArguments::None) {
            // CURRENT_TIMESTAMP and its kin are written without parentheses.
            return Lineage::of_kind(Kind::Time);
        }
        let first_kind = first_argument_kind(name);
        for (position, argument) in arguments.iter().enumerate() {
            match first_kind {
                Some(kind) if position == 0 || name.starts_with("CONCAT") => {
                    self.wanted(argument, scope, kind, name);
                }
                _ => {
                    self.expression(argument, scope);
                }
            }
        }
        result_kind(name).map_or_else(Lineage::default, Lineage::of_kind)
    }

    /// The time of rows: an argument of TUMBLE or of FOR SYSTEM_TIME AS OF.
    pub(super) fn time_use(&mut self, expr: &Expr, scope: &Scope, function: &'static str) {
        let before = self.findings.mistakes.len();
        let lineage = self.expression(expr, scope);
        if self.findings.mistakes.len() > before {
            return;
        }
        let at = expr.span();
        self.want(&lineage, Kind::Time, function, at);
        let computed = match expr {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => self.computed(expr, scope),
            _ => None,
        };
        let is_open = scope.iter().any(|relation| relation.is_open);
        if is_open && lineage == Lineage::default() {
            return;
        }
        self.findings.time_uses.push(TimeUse {
            lineage,
            column: self.places.quote(at),
            function,
            place: self.places.place(at),
            computed,
        });
    }

    fn computed(&mut self, expr: &Expr, scope: &Scope) -> Option<catalog::place::Place> {
        let (table, name) = match expr {
            Expr::Identifier(name) => (None, name),
            Expr::CompoundIdentifier(parts) => (parts.first(), parts.last()?),
            _ => return None,
        };
        let (relation, column) = self.column(table, name, scope)?;
        if relation.source.is_some() { None } else { column.place.clone() }
    }

    /// A condition: a bare column in it is BOOLEAN.
    pub(super) fn boolean(&mut self, expr: &Expr, scope: &Scope, reason: &str) {
        self.wanted(expr, scope, Kind::Boolean, reason);
    }

    fn named(
        &mut self,
        table: Option<&sqlparser::ast::Ident>,
        name: &sqlparser::ast::Ident,
        scope: &Scope,
    ) -> Lineage {
        self.column(table, name, scope)
            .map_or_else(Lineage::default, |(_, column)| column.lineage.clone())
    }

    fn wanted(&mut self, expr: &Expr, scope: &Scope, kind: Kind, reason: &str) {
        let lineage = self.expression(expr, scope);
        self.want(&lineage, kind, reason, expr.span());
    }

    fn want(&mut self, lineage: &Lineage, kind: Kind, reason: &str, at: Span) {
        for column in &lineage.like {
            let (reason, place) = (reason.to_owned(), self.places.place(at));
            self.findings.uses.push(Use { column: *column, kind, reason, place });
        }
    }

    fn compare(&mut self, left: &Expr, others: &[&Expr], scope: &Scope) {
        let left_operand = (self.expression(left, scope), left.span());
        for other in others {
            let operand = (self.expression(other, scope), other.span());
            self.same(&left_operand, &operand, "comparison");
        }
    }

    /// Results of which one is taken: they have one type.
    fn alike(&mut self, results: &[&Expr], scope: &Scope, reason: &str) -> Lineage {
        let mut operands: Vec<Operand> = Vec::with_capacity(results.len());
        for result in results {
            operands.push((self.expression(result, scope), result.span()));
        }
        let mut union = Lineage::default();
        for (position, operand) in operands.iter().enumerate() {
            if let Some(next) = operands.get(position + 1) {
                self.same(operand, next, reason);
            }
            union.kind = union.kind.or(operand.0.kind);
            for column in &operand.0.like {
                if !union.like.contains(column) {
                    union.like.push(*column);
                }
            }
        }
        if let Some(kind) = union.kind {
            for (lineage, at) in &operands {
                if lineage.kind.is_none() {
                    self.want(lineage, kind, &with(reason, kind), *at);
                }
            }
        }
        union
    }

    fn same(&mut self, left: &Operand, right: &Operand, reason: &str) {
        for (one, other) in [(left, right), (right, left)] {
            if let Some(kind) = other.0.kind
                && one.0.kind.is_none()
            {
                self.want(&one.0, kind, &with(reason, kind), one.1);
            }
        }
        if left.0.kind.is_none() && right.0.kind.is_none() {
            let place = self.places.place(right.1);
            for one in &left.0.like {
                for other in &right.0.like {
                    let (left, right, place) = (*one, *other, place.clone());
                    self.findings.same_types.push(SameType { left, right, place });
                }
            }
        }
    }
}

fn with(reason: &str, kind: Kind) -> String {
    let what = match kind {
        Kind::Time => "a time",
        Kind::Number => "a number",
        Kind::Boolean => "a boolean",
        Kind::Text | Kind::Literal => "a string",
    };
    format!("{reason} with {what}")
}

fn literal(value: &Value) -> Lineage {
    match value {
        Value::Number(..) => Lineage::of_kind(Kind::Number),
        Value::Boolean(_) => Lineage::of_kind(Kind::Boolean),
        Value::SingleQuotedString(_) => Lineage::of_kind(Kind::Literal),
        _ => Lineage::default(),
    }
}

fn is_interval(left: &Expr, right: &Expr) -> bool {
    matches!(left, Expr::Interval(_)) || matches!(right, Expr::Interval(_))
}

fn type_kind(data_type: &DataType) -> Option<Kind> {
    let text = data_type.to_string().to_uppercase();
    let word = text.split(['(', ' ', '<']).next().unwrap_or("");
    match word {
        "TIMESTAMP" | "TIMESTAMP_LTZ" | "DATE" | "TIME" => Some(Kind::Time),
        "TINYINT" | "SMALLINT" | "INT" | "INTEGER" | "BIGINT" | "FLOAT" | "REAL" | "DOUBLE"
        | "DECIMAL" | "NUMERIC" | "DEC" => Some(Kind::Number),
        "BOOLEAN" | "BOOL" => Some(Kind::Boolean),
        "STRING" | "VARCHAR" | "CHAR" | "TEXT" => Some(Kind::Text),
        _ => None,
    }
}

/// What the first argument of a well-known function is.
fn first_argument_kind(name: &str) -> Option<Kind> {
    // With clauses, functions of JSON have names that begin so.
    match name.trim_start_matches('$') {
        "ABS" | "ACOS" | "ASIN" | "ATAN" | "CBRT" | "COS" | "COT" | "DEGREES" | "EXP" | "LN"
        | "LOG" | "LOG10" | "LOG2" | "MOD" | "POWER" | "POW" | "RADIANS" | "ROUND" | "SIGN"
        | "SIN" | "SQRT" | "TAN" | "TANH" | "TRUNCATE" | "FROM_UNIXTIME" | "TO_TIMESTAMP_LTZ" => {
            Some(Kind::Number)
        }
        "UPPER" | "LOWER" | "UCASE" | "LCASE" | "INITCAP" | "REVERSE" | "TRIM" | "LTRIM"
        | "RTRIM" | "BTRIM" | "SUBSTRING" | "SUBSTR" | "REPLACE" | "REGEXP_REPLACE"
        | "REGEXP_EXTRACT" | "REGEXP" | "REGEXP_LIKE" | "CHAR_LENGTH" | "CHARACTER_LENGTH"
        | "LENGTH" | "LPAD" | "RPAD" | "LEFT" | "RIGHT" | "REPEAT" | "SPLIT_INDEX" | "CONCAT"
        | "CONCAT_WS" | "JSON_VALUE" | "JSON_QUERY" | "JSON_EXISTS" | "IS_JSON"
        | "TO_TIMESTAMP" | "TO_DATE" | "STARTSWITH" | "ENDSWITH" | "STARTS_WITH" | "ENDS_WITH"
        | "STRPOS" | "LOCATE" | "INSTR" | "ASCII" | "MD5" | "SHA1" | "SHA224" | "SHA256"
        | "SHA384" | "SHA512" | "PARSE_URL" | "URL_DECODE" | "URL_ENCODE" => Some(Kind::Text),
        "DATE_FORMAT" | "DATE_TRUNC" | "YEAR" | "MONTH" | "DAYOFMONTH" | "DAYOFWEEK"
        | "DAYOFYEAR" | "HOUR" | "MINUTE" | "SECOND" | "QUARTER" | "WEEK" => Some(Kind::Time),
        _ => None,
    }
}

/// What a well-known function gives.
fn result_kind(name: &str) -> Option<Kind> {
    match name.trim_start_matches('$') {
        "TO_TIMESTAMP"
        | "TO_TIMESTAMP_LTZ"
        | "TO_DATE"
        | "DATE_TRUNC"
        | "PROCTIME"
        | "NOW"
        | "CURRENT_ROW_TIMESTAMP" => Some(Kind::Time),
        "CHAR_LENGTH" | "CHARACTER_LENGTH" | "LENGTH" | "STRPOS" | "LOCATE" | "INSTR" | "ASCII"
        | "YEAR" | "MONTH" | "DAYOFMONTH" | "DAYOFWEEK" | "DAYOFYEAR" | "HOUR" | "MINUTE"
        | "SECOND" | "QUARTER" | "WEEK" => Some(Kind::Number),
        "REGEXP" | "REGEXP_LIKE" | "STARTSWITH" | "ENDSWITH" | "STARTS_WITH" | "ENDS_WITH"
        | "JSON_EXISTS" | "IS_JSON" => Some(Kind::Boolean),
        "DATE_FORMAT" | "FROM_UNIXTIME" => Some(Kind::Text),
        _ => match first_argument_kind(name) {
            Some(kind @ (Kind::Number | Kind::Text)) => Some(kind),
            Some(Kind::Time | Kind::Boolean | Kind::Literal) | None => None,
        },
    }
}
