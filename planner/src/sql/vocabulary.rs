//! Names of functions that the planner itself must know: group windows and aggregates.

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Interval, ObjectName,
};

use crate::dataflow::AggregateFunction;

/// What a group-window function asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupWindowPart {
    /// `TUMBLE`: the window itself, in GROUP BY.
    Window,
    /// `TUMBLE_START`.
    Start,
    /// `TUMBLE_END`.
    End,
    /// `TUMBLE_ROWTIME`: the window's time attribute.
    RowTime,
}

/// The part that a function of tumbling windows asks for.
pub(crate) fn tumble_part(name: &str) -> Option<GroupWindowPart> {
    match name {
        "TUMBLE" => Some(GroupWindowPart::Window),
        "TUMBLE_START" => Some(GroupWindowPart::Start),
        "TUMBLE_END" => Some(GroupWindowPart::End),
        "TUMBLE_ROWTIME" => Some(GroupWindowPart::RowTime),
        _ => None,
    }
}

/// The kind of window, for window functions that cannot run yet.
pub(crate) fn later_window(name: &str) -> Option<&'static str> {
    let kind = name.split('_').next().unwrap_or(name);
    let is_part = ["", "_START", "_END", "_ROWTIME", "_PROCTIME"]
        .iter()
        .any(|suffix| name.len() == kind.len() + suffix.len() && name.ends_with(suffix));
    match kind {
        "HOP" if is_part => Some("HOP"),
        "SESSION" if is_part => Some("SESSION"),
        "CUMULATE" if is_part => Some("CUMULATE"),
        "TUMBLE" if name == "TUMBLE_PROCTIME" => Some("TUMBLE over processing time"),
        _ => None,
    }
}

/// The aggregate function of that name, in capitals.
pub(crate) fn aggregate_function(name: &str) -> Option<AggregateFunction> {
    Some(match name {
        "COUNT" => AggregateFunction::Count,
        "SUM" => AggregateFunction::Sum,
        "AVG" => AggregateFunction::Avg,
        "MIN" => AggregateFunction::Min,
        "MAX" => AggregateFunction::Max,
        "COLLECT" => AggregateFunction::Collect,
        "LISTAGG" => AggregateFunction::ListAgg,
        "ARRAY_AGG" => AggregateFunction::ArrayAgg,
        "FIRST_VALUE" => AggregateFunction::FirstValue,
        "LAST_VALUE" => AggregateFunction::LastValue,
        "STDDEV_POP" => AggregateFunction::StddevPop,
        "STDDEV_SAMP" | "STDDEV" => AggregateFunction::StddevSamp,
        "VAR_POP" => AggregateFunction::VarPop,
        "VAR_SAMP" | "VARIANCE" => AggregateFunction::VarSamp,
        _ => return None,
    })
}

/// Whether the planner knows the function of that name itself.
pub(crate) fn is_planners(name: &str) -> bool {
    let name = name.to_uppercase();
    aggregate_function(&name).is_some()
        || tumble_part(&name).is_some()
        || later_window(&name).is_some()
}

/// A function's name in capitals; empty for a name of several parts.
pub(crate) fn upper_name(name: &ObjectName) -> String {
    match name.0.as_slice() {
        [part] => part.as_ident().map_or_else(String::new, |ident| ident.value.to_uppercase()),
        _ => String::new(),
    }
}

/// The expressions among a call's arguments, in order.
pub(crate) fn argument_expressions(function: &Function) -> Vec<&Expr> {
    let FunctionArguments::List(list) = &function.args else { return Vec::new() };
    list.args
        .iter()
        .filter_map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
            | FunctionArg::Named { arg: FunctionArgExpr::Expr(expr), .. }
            | FunctionArg::ExprNamed { arg: FunctionArgExpr::Expr(expr), .. } => Some(expr),
            FunctionArg::Unnamed(_) | FunctionArg::Named { .. } | FunctionArg::ExprNamed { .. } => {
                None
            }
        })
        .collect()
}

/// Whether an expression calls an aggregate function.
pub(crate) fn has_aggregate(expr: &Expr) -> bool {
    use std::ops::ControlFlow;
    sqlparser::ast::visit_expressions(expr, |inner| match inner {
        Expr::Function(function)
            if function.over.is_none()
                && aggregate_function(&upper_name(&function.name)).is_some() =>
        {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}

/// The length of a literal interval of days or less, in milliseconds.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub(crate) fn interval_ms(expr: &Expr) -> Result<i64, String> {
    use sqlparser::ast::DateTimeField as Field;
    let Expr::Interval(interval) = expr else {
        return Err("the length is an INTERVAL literal such as INTERVAL '5' MINUTE".to_owned());
    };
    let Interval { value, leading_field, last_field, .. } = interval;
    if last_field.is_some() {
        return Err("an interval of one unit is needed, such as INTERVAL '90' SECOND".to_owned());
    }
    let unit_ms = match leading_field {
        Some(Field::Millisecond | Field::Milliseconds) => 1,
        Some(Field::Second | Field::Seconds) => 1_000,
        Some(Field::Minute | Field::Minutes) => 60_000,
        Some(Field::Hour | Field::Hours) => 3_600_000,
        Some(Field::Day | Field::Days) => 86_400_000,
        Some(Field::Week(_) | Field::Weeks) => 7 * 86_400_000,
        Some(other) => return Err(format!("an interval in {other} has no fixed length")),
        None => return Err("the interval has no unit; write INTERVAL '5' MINUTE".to_owned()),
    };
    let text = match value.as_ref() {
        Expr::Value(value) => value.value.clone().into_string(),
        _ => None,
    };
    let text = text.ok_or("the interval's length is a quoted number, such as '5'")?;
    parse_scaled(text.trim(), unit_ms)
        .ok_or_else(|| format!("`{text}` is no length in whole milliseconds"))
}

/// `text` × `unit`, exact: at most three digits after the point.
fn parse_scaled(text: &str, unit: i64) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: i64 = format!("{fraction:0<3}").parse().ok()?;
    let whole: i64 = whole.parse().ok()?;
    let fraction = thousandths.checked_mul(unit)?;
    if fraction % 1_000 != 0 || whole < 0 {
        return None;
    }
    whole.checked_mul(unit)?.checked_add(fraction / 1_000)
}
