//! Operators by the types of their operands: what DataFusion does otherwise, and what Flink refuses.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::Column;
use datafusion::common::{DFSchema, Result, ScalarValue, TableReference, plan_err};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::planner::{
    ExprPlanner, PlannerResult, RawBinaryExpr, RawFieldAccessExpr,
};
use datafusion::logical_expr::{Expr, ExprSchemable, GetFieldAccess, ScalarUDF, lit};
use sqlparser::ast::BinaryOperator;

use super::builtin::is_number;
use super::conversion::CAST;
use super::types::{flink_type_name, timestamp_ltz};
use super::{FunctionRegistry, collection, decimal};

/// Plans operators with Flink's rules; for `ContextProvider::get_expr_planners`.
#[derive(Debug)]
pub(crate) struct FlinkOperators {
    registry: Arc<FunctionRegistry>,
}

impl FlinkOperators {
    pub(crate) fn new(registry: Arc<FunctionRegistry>) -> Self {
        Self { registry }
    }

    fn function(&self, name: &str) -> Result<Arc<ScalarUDF>> {
        match self.registry.get(name) {
            Some(function) => Ok(function),
            None => plan_err!("the function `{name}` is missing"),
        }
    }

    fn call(&self, name: &str, arguments: Vec<Expr>) -> Result<PlannerResult<RawBinaryExpr>> {
        Ok(PlannerResult::Planned(self.function(name)?.call(arguments)))
    }

    fn plan_arithmetic(
        &self,
        mut expr: RawBinaryExpr,
        (left, right): (&DataType, &DataType),
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let name = match expr.op {
            BinaryOperator::Plus => decimal::ADD,
            BinaryOperator::Minus => decimal::SUBTRACT,
            BinaryOperator::Multiply => decimal::MULTIPLY,
            BinaryOperator::Divide => decimal::DIVIDE,
            _ => decimal::MODULO,
        };
        if is_number(left) && is_number(right) {
            let is_decimal = |t: &DataType| matches!(t, DataType::Decimal128(_, _));
            if name == decimal::MODULO {
                return self.call(name, vec![expr.left, expr.right]);
            }
            if !is_decimal(left) && !is_decimal(right) {
                return Ok(PlannerResult::Original(expr));
            }
            if left.is_floating() || right.is_floating() {
                expr.left = cast(expr.left, DataType::Float64);
                expr.right = cast(expr.right, DataType::Float64);
                return Ok(PlannerResult::Original(expr));
            }
            return self.call(name, vec![expr.left, expr.right]);
        }
        let is_time = |t: &DataType| matches!(t, DataType::Date32 | DataType::Timestamp(_, _));
        let is_interval = |t: &DataType| matches!(t, DataType::Interval(_));
        let fits = match expr.op {
            BinaryOperator::Plus => {
                (is_time(left) && is_interval(right)) || (is_interval(left) && is_time(right))
            }
            BinaryOperator::Minus => is_time(left) && is_interval(right),
            _ => false,
        };
        if fits || (is_interval(left) && is_interval(right)) {
            return Ok(PlannerResult::Original(expr));
        }
        refuse(&expr, left, right)
    }

    fn plan_comparison(
        &self,
        mut expr: RawBinaryExpr,
        (left, right): (&DataType, &DataType),
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        use DataType as D;
        let is_time = |t: &D| matches!(t, D::Date32 | D::Time32(_) | D::Timestamp(_, _));
        if is_number(left) && is_number(right) {
            // DataFusion would make a DECIMAL of the DOUBLE, and fail on great ones.
            let is_decimal = |t: &D| matches!(t, D::Decimal128(_, _));
            if (is_decimal(left) && right.is_floating())
                || (left.is_floating() && is_decimal(right))
            {
                expr.left = cast(expr.left, D::Float64);
                expr.right = cast(expr.right, D::Float64);
            }
            return Ok(PlannerResult::Original(expr));
        }
        if left == right || left.is_null() || right.is_null() {
            return Ok(PlannerResult::Original(expr));
        }
        match (left, right) {
            (D::Utf8, time) if is_time(time) => {
                let target = lit(flink_type_name(time));
                expr.left = self.function(CAST)?.call(vec![expr.left, target]);
            }
            (time, D::Utf8) if is_time(time) => {
                let target = lit(flink_type_name(time));
                expr.right = self.function(CAST)?.call(vec![expr.right, target]);
            }
            (D::Timestamp(a, zone), D::Timestamp(b, other)) => {
                if zone.is_some() != other.is_some() {
                    let unit: TimeUnit = *a.max(b);
                    expr.left = cast(expr.left, timestamp_ltz(unit));
                    expr.right = cast(expr.right, timestamp_ltz(unit));
                }
            }
            _ => return refuse(&expr, left, right),
        }
        Ok(PlannerResult::Original(expr))
    }
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast(Cast::new(Box::new(expr), data_type))
}

fn refuse<T>(expr: &RawBinaryExpr, left: &DataType, right: &DataType) -> Result<T> {
    plan_err!(
        "`{}` cannot be applied to {} and {}: cast one side",
        expr.op,
        flink_type_name(left),
        flink_type_name(right)
    )
}

impl ExprPlanner for FlinkOperators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let types = (expr.left.get_type(schema)?, expr.right.get_type(schema)?);
        let types = (&types.0, &types.1);
        match expr.op {
            BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo => self.plan_arithmetic(expr, types),
            BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq => self.plan_comparison(expr, types),
            BinaryOperator::And | BinaryOperator::Or => {
                let fits = |t: &DataType| matches!(t, DataType::Boolean | DataType::Null);
                if fits(types.0) && fits(types.1) {
                    return Ok(PlannerResult::Original(expr));
                }
                refuse(&expr, types.0, types.1)
            }
            _ => plan_err!("the operator `{}` is not supported", expr.op),
        }
    }

    fn plan_field_access(
        &self,
        expr: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        let RawFieldAccessExpr { field_access, expr } = expr;
        let index = match field_access {
            GetFieldAccess::ListIndex { key } => *key,
            GetFieldAccess::NamedStructField { name } => {
                let is_row = matches!(expr.get_type(schema)?, DataType::Struct(_));
                if is_row {
                    let field = datafusion::functions::core::get_field();
                    return Ok(PlannerResult::Planned(field.call(vec![expr, lit(name)])));
                }
                lit(name)
            }
            GetFieldAccess::ListRange { .. } => return plan_err!("slices are not supported"),
        };
        let item = self.function(collection::ITEM)?;
        Ok(PlannerResult::Planned(item.call(vec![expr, index])))
    }

    fn plan_array_literal(
        &self,
        exprs: Vec<Expr>,
        _schema: &DFSchema,
    ) -> Result<PlannerResult<Vec<Expr>>> {
        if exprs.is_empty() {
            return plan_err!("an empty array has no type");
        }
        Ok(PlannerResult::Planned(self.function(collection::ARRAY)?.call(exprs)))
    }

    fn plan_compound_identifier(
        &self,
        field: &Field,
        qualifier: Option<&TableReference>,
        nested_names: &[String],
    ) -> Result<PlannerResult<Vec<Expr>>> {
        let column = Expr::Column(Column::from((qualifier, field)));
        let get_field = datafusion::functions::core::get_field();
        let nested = nested_names.iter().fold(column, |expr, name| {
            get_field.call(vec![expr, lit(ScalarValue::Utf8(Some(name.clone())))])
        });
        Ok(PlannerResult::Planned(nested))
    }
}
