//! Literals with Flink's types.

use sqlparser::ast::{
    CastKind, DataType, ExactNumberInfo, Expr, Spanned, TypedString, UnaryOperator, Value,
    ValueWithSpan,
};
use sqlparser::tokenizer::Span;

use super::{call, text};
use crate::functions;

/// The most digits of a DECIMAL.
const DECIMAL_DIGITS_MAX: usize = 38;

/// The literal with its type: a number becomes a cast of its text, which is folded at planning.
pub(super) fn typed(value: &ValueWithSpan) -> Result<Expr, String> {
    let number = match &value.value {
        Value::Number(number, false) => number,
        Value::SingleQuotedString(_)
        | Value::Boolean(_)
        | Value::Null
        | Value::HexStringLiteral(_) => return Ok(Expr::Value(value.clone())),
        other => return Err(format!("`{other}` is no literal of Flink's")),
    };
    number_of(number, value.span).ok_or_else(|| format!("the number `{number}` is too large"))
}

fn number_of(number: &str, at: Span) -> Option<Expr> {
    let text = |text: &str| Expr::Value(Value::SingleQuotedString(text.to_owned()).with_span(at));
    if number.contains(['e', 'E']) {
        return Some(cast(text(number), DataType::Double(ExactNumberInfo::None)));
    }
    let unsigned = number.strip_prefix('-').unwrap_or(number);
    if let Some((whole, fraction)) = unsigned.split_once('.') {
        let digits = whole.trim_start_matches('0').len() + fraction.len();
        if digits > DECIMAL_DIGITS_MAX {
            return None;
        }
        let precision = u64::try_from(digits.max(whole.len().min(1) + fraction.len())).ok()?;
        let scale = i64::try_from(fraction.len()).ok()?;
        let info = ExactNumberInfo::PrecisionAndScale(precision.max(1), scale);
        return Some(cast(text(number), DataType::Decimal(info)));
    }
    let data_type = match number.parse::<i64>() {
        Ok(value) if i32::try_from(value).is_ok() => DataType::Int(None),
        Ok(_) => DataType::BigInt(None),
        Err(_) => return None,
    };
    let number = Value::Number(number.to_owned(), false).with_span(at);
    Some(cast(Expr::Value(number), data_type))
}

/// An INT.
pub(super) fn int(value: i32) -> Expr {
    cast(Expr::value(Value::Number(value.to_string(), false)), DataType::Int(None))
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

/// The text of a number that [`typed`] has wrapped. All other casts are calls by now.
pub(super) fn number_text(expr: &Expr) -> Option<&str> {
    let Expr::Cast { expr, .. } = expr else { return None };
    match expr.as_ref() {
        Expr::Value(ValueWithSpan { value: Value::Number(number, _), .. }) => Some(number),
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(number), .. }) => Some(number),
        _ => None,
    }
}

/// `-literal` is a literal of its own, so that the least INT is one.
pub(super) fn negate(expr: Expr) -> Expr {
    let at = expr.span();
    let negative = number_text(&expr)
        .filter(|number| !number.starts_with('-'))
        .and_then(|number| number_of(&format!("-{number}"), at));
    match (negative, expr) {
        (Some(negative), _) => negative,
        (None, expr @ Expr::Interval(_)) => {
            Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(expr) }
        }
        (None, expr) => call("$NEGATE", vec![expr]),
    }
}

/// Gives a whole number its plain form back: ordinals and limits are no values.
pub(super) fn restore(expr: &mut Expr) {
    if let Some(number) = number_text(expr)
        && number.parse::<i64>().is_ok()
    {
        *expr = Expr::value(Value::Number(number.to_owned(), false));
    }
}

/// `DATE '…'`, `TIME '…'`, `TIMESTAMP '…'`.
pub(super) fn time(typed: &TypedString) -> Result<Expr, String> {
    let Value::SingleQuotedString(value) = &typed.value.value else {
        return Err(format!("`{typed}` is no literal of Flink's"));
    };
    let name = match &typed.data_type {
        DataType::Date => "DATE".to_owned(),
        DataType::Time(None, _) => "TIME".to_owned(),
        DataType::Timestamp(None, _) => {
            let digits = value.split_once('.').map_or(0, |(_, fraction)| fraction.len());
            format!("TIMESTAMP({})", digits.clamp(3, 9))
        }
        other => return Err(format!("`{other}` has no literals: write `CAST('…' AS {other})`")),
    };
    if !functions::is_time_literal(&name, value) {
        return Err(format!("`{value}` is no {}", typed.data_type));
    }
    let value = Value::SingleQuotedString(value.clone()).with_span(typed.value.span);
    Ok(call(functions::CAST, vec![Expr::Value(value), text(&name)]))
}
