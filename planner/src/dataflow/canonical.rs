//! The canonical text of expressions: ours, so that fingerprints outlive DataFusion's way of printing.
//!
//! **Invariant:** two expressions of one text have one meaning. An expression without a text is an
//! error, never an approximation.

use std::fmt::Write as _;

use arrow::datatypes::DataType;
use catalog::schema::flink_type_name;
use datafusion::common::{Result, ScalarValue, not_impl_err};
use datafusion::logical_expr::expr::{Case, InList, Like};
use datafusion::logical_expr::{Between, Expr, Operator};

/// The text of an expression whose columns are named `$index`.
///
/// # Errors
/// A kind of expression that no model's plan should hold.
pub(crate) fn write(expr: &Expr) -> Result<String> {
    let mut text = String::new();
    Writer { text: &mut text }.expr(expr)?;
    Ok(text)
}

struct Writer<'a> {
    text: &'a mut String,
}

impl Writer<'_> {
    fn expr(&mut self, expr: &Expr) -> Result<()> {
        match expr {
            Expr::Alias(alias) => self.expr(&alias.expr),
            Expr::Column(column) => {
                self.text.push_str(&column.name);
                Ok(())
            }
            Expr::Literal(value, _) => {
                self.literal(value);
                Ok(())
            }
            Expr::BinaryExpr(binary) => {
                self.text.push('(');
                self.expr(&binary.left)?;
                self.operator(binary.op)?;
                self.expr(&binary.right)?;
                self.text.push(')');
                Ok(())
            }
            Expr::Not(inner) => self.call("not", &[inner]),
            Expr::IsNotNull(inner) => self.call("is_not_null", &[inner]),
            Expr::IsNull(inner) => self.call("is_null", &[inner]),
            Expr::IsTrue(inner) => self.call("is_true", &[inner]),
            Expr::IsFalse(inner) => self.call("is_false", &[inner]),
            Expr::IsUnknown(inner) => self.call("is_unknown", &[inner]),
            Expr::IsNotTrue(inner) => self.call("is_not_true", &[inner]),
            Expr::IsNotFalse(inner) => self.call("is_not_false", &[inner]),
            Expr::IsNotUnknown(inner) => self.call("is_not_unknown", &[inner]),
            Expr::Negative(inner) => self.call("negative", &[inner]),
            Expr::Like(like) => self.like(like),
            Expr::Between(between) => {
                let Between { expr, negated, low, high } = between;
                self.call(if *negated { "not_between" } else { "between" }, &[expr, low, high])
            }
            Expr::Case(case) => self.case(case),
            Expr::Cast(cast) => self.cast("cast", &cast.expr, cast.field.data_type()),
            Expr::TryCast(cast) => self.cast("try_cast", &cast.expr, cast.field.data_type()),
            Expr::ScalarFunction(call) => {
                let arguments: Vec<&Expr> = call.args.iter().collect();
                self.call(&call.func.name().to_lowercase(), &arguments)
            }
            Expr::InList(InList { expr, list, negated }) => {
                let arguments: Vec<&Expr> = std::iter::once(expr.as_ref()).chain(list).collect();
                self.call(if *negated { "not_in" } else { "in" }, &arguments)
            }
            other => not_impl_err!("the expression `{other}` is not supported on streams"),
        }
    }

    fn call(&mut self, name: &str, arguments: &[&Expr]) -> Result<()> {
        self.text.push_str(name);
        self.text.push('(');
        for (position, argument) in arguments.iter().enumerate() {
            if position > 0 {
                self.text.push_str(", ");
            }
            self.expr(argument)?;
        }
        self.text.push(')');
        Ok(())
    }

    fn like(&mut self, like: &Like) -> Result<()> {
        let Like { negated, expr, pattern, escape_char, case_insensitive } = like;
        let name = match (negated, case_insensitive) {
            (false, false) => "like",
            (true, false) => "not_like",
            (false, true) => "ilike",
            (true, true) => "not_ilike",
        };
        self.call(name, &[expr, pattern])?;
        if let Some(escape) = escape_char {
            self.push(format_args!(" escape {escape:?}"));
        }
        Ok(())
    }

    fn case(&mut self, case: &Case) -> Result<()> {
        let Case { expr, when_then_expr, else_expr } = case;
        self.text.push_str("case(");
        if let Some(operand) = expr {
            self.expr(operand)?;
            self.text.push_str("; ");
        }
        for (when, then) in when_then_expr {
            self.expr(when)?;
            self.text.push_str(" => ");
            self.expr(then)?;
            self.text.push_str("; ");
        }
        match else_expr {
            Some(result) => self.expr(result)?,
            None => self.text.push_str("null"),
        }
        self.text.push(')');
        Ok(())
    }

    fn cast(&mut self, name: &str, inner: &Expr, data_type: &DataType) -> Result<()> {
        self.text.push_str(name);
        self.text.push('(');
        self.expr(inner)?;
        self.push(format_args!(" as {})", flink_type_name(data_type)));
        Ok(())
    }

    fn operator(&mut self, operator: Operator) -> Result<()> {
        let text = match operator {
            Operator::Eq => "=",
            Operator::NotEq => "<>",
            Operator::Lt => "<",
            Operator::LtEq => "<=",
            Operator::Gt => ">",
            Operator::GtEq => ">=",
            Operator::Plus => "+",
            Operator::Minus => "-",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::Modulo => "%",
            Operator::And => "and",
            Operator::Or => "or",
            Operator::IsDistinctFrom => "is distinct from",
            Operator::IsNotDistinctFrom => "is not distinct from",
            Operator::StringConcat => "||",
            Operator::RegexMatch => "~",
            Operator::RegexIMatch => "~*",
            Operator::RegexNotMatch => "!~",
            Operator::RegexNotIMatch => "!~*",
            other => return not_impl_err!("the operator `{other}` is not supported on streams"),
        };
        self.push(format_args!(" {text} "));
        Ok(())
    }

    /// The value, and its type where the value alone does not say it.
    fn literal(&mut self, value: &ScalarValue) {
        let data_type = flink_type_name(&value.data_type());
        match value {
            ScalarValue::Utf8(Some(text)) => self.push(format_args!("{text:?}")),
            ScalarValue::Boolean(Some(truth)) => self.push(format_args!("{truth}")),
            ScalarValue::Int32(Some(number)) => self.push(format_args!("{number}")),
            ScalarValue::Float64(Some(number)) => self.push(format_args!("{number:?}:DOUBLE")),
            ScalarValue::Float32(Some(number)) => self.push(format_args!("{number:?}:FLOAT")),
            ScalarValue::IntervalMonthDayNano(Some(interval)) => self.push(format_args!(
                "interval({} months, {} days, {} ns)",
                interval.months, interval.days, interval.nanoseconds
            )),
            other if other.is_null() => self.push(format_args!("null:{data_type}")),
            other => self.push(format_args!("{other}:{data_type}")),
        }
    }

    fn push(&mut self, arguments: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let written = self.text.write_fmt(arguments);
        debug_assert!(written.is_ok());
    }
}
