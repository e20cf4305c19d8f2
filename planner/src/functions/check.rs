//! What Flink refuses and DataFusion would convert: branches, lists and conditions of other types.
//!
//! To be called on the plan as it comes from the SQL, before DataFusion's own type coercion.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, plan_err};
use datafusion::logical_expr::expr::{Between, Case, InList, ScalarFunction};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};

use super::types::{common_type, flink_type_name};

/// # Errors
/// The first expression whose parts have no common type.
pub(crate) fn check_types(plan: &LogicalPlan) -> Result<()> {
    plan.apply(|node| {
        let schema = merge_schema(&node.inputs());
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                check(part, &schema)?;
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(())
}

fn check(expression: &Expr, schema: &DFSchema) -> Result<()> {
    match expression {
        Expr::Case(case) => check_case(case, schema),
        Expr::InList(InList { expr, list, .. }) => {
            share_type("`IN`", std::iter::once(expr.as_ref()).chain(list), schema)
        }
        Expr::Between(Between { expr, low, high, .. }) => {
            share_type("`BETWEEN`", [expr.as_ref(), low, high].into_iter(), schema)
        }
        Expr::ScalarFunction(ScalarFunction { func, args })
            if matches!(func.name(), "coalesce" | "nvl" | "nvl2") =>
        {
            let values = if func.name() == "nvl2" { args.get(1..) } else { args.get(..) };
            share_type("`COALESCE`", values.unwrap_or_default().iter(), schema)
        }
        Expr::Not(inner)
        | Expr::IsTrue(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::IsNotFalse(inner)
        | Expr::IsUnknown(inner)
        | Expr::IsNotUnknown(inner) => is_condition(inner, schema),
        _ => Ok(()),
    }
}

fn check_case(case: &Case, schema: &DFSchema) -> Result<()> {
    let conditions = case.when_then_expr.iter().map(|(when, _)| when.as_ref());
    match &case.expr {
        Some(operand) => {
            share_type("`CASE`", std::iter::once(operand.as_ref()).chain(conditions), schema)?;
        }
        None => {
            for condition in conditions {
                is_condition(condition, schema)?;
            }
        }
    }
    let results = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
    share_type("`CASE`", results.chain(case.else_expr.as_deref()), schema)
}

fn is_condition(expression: &Expr, schema: &DFSchema) -> Result<()> {
    match expression.get_type(schema)? {
        DataType::Boolean | DataType::Null => Ok(()),
        other => plan_err!("a condition is needed, not {}", flink_type_name(&other)),
    }
}

fn share_type<'a>(
    what: &str,
    expressions: impl Iterator<Item = &'a Expr>,
    schema: &DFSchema,
) -> Result<()> {
    let types = expressions.map(|e| e.get_type(schema)).collect::<Result<Vec<_>>>()?;
    if common_type(&types).is_some() {
        return Ok(());
    }
    let mut names: Vec<_> = types.iter().map(flink_type_name).collect();
    names.dedup();
    plan_err!("{what} has values of {}: cast them to one type", names.join(" and "))
}
