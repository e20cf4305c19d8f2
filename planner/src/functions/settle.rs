//! The common type of branches, lists and bounds, by Flink's rules.
//!
//! DataFusion would turn texts into numbers, and DOUBLE beside DECIMAL into DECIMAL. Here the parts
//! get their common type by an explicit cast, or the expression is refused. To be called on the plan
//! as it comes from the SQL, before DataFusion's own type coercion.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, plan_err};
use datafusion::logical_expr::expr::{Between, Case, Cast, InList, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};

use super::types::{common_type, flink_type_name};

/// The plan with casts where `CASE`, `COALESCE`, `IN` and `BETWEEN` mix types.
///
/// # Errors
/// The first expression whose parts have no common type, or whose condition is no BOOLEAN.
pub(crate) fn settle_types(plan: LogicalPlan) -> Result<LogicalPlan> {
    let settled = plan.transform_up_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        let node = node.map_expressions(|expression| {
            let name = names.save(&expression);
            let settled = expression.transform_up(|part| settle(part, &schema))?;
            Ok(settled.update_data(|expression| name.restore(expression)))
        })?;
        if node.transformed {
            return node.map_data(LogicalPlan::recompute_schema);
        }
        Ok(node)
    })?;
    Ok(settled.data)
}

fn settle(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expression {
        Expr::Case(case) => settle_case(case, schema),
        Expr::InList(InList { expr, list, negated }) => {
            let mut parts = vec![*expr];
            parts.extend(list);
            let (mut parts, changed) = share_type("`IN`", parts, schema)?;
            let expr = Box::new(parts.remove(0));
            Ok(transformed(Expr::InList(InList { expr, list: parts, negated }), changed))
        }
        Expr::Between(Between { expr, negated, low, high }) => {
            let (parts, changed) = share_type("`BETWEEN`", vec![*expr, *low, *high], schema)?;
            let [expr, low, high] = <[Expr; 3]>::try_from(parts).unwrap_or_default().map(Box::new);
            Ok(transformed(Expr::Between(Between { expr, negated, low, high }), changed))
        }
        Expr::ScalarFunction(ScalarFunction { func, mut args })
            if matches!(func.name(), "coalesce" | "nvl" | "nvl2") =>
        {
            let condition = (func.name() == "nvl2" && !args.is_empty()).then(|| args.remove(0));
            let (mut args, changed) = share_type("`COALESCE`", args, schema)?;
            if let Some(condition) = condition {
                args.insert(0, condition);
            }
            Ok(transformed(Expr::ScalarFunction(ScalarFunction { func, args }), changed))
        }
        Expr::Not(ref inner)
        | Expr::IsTrue(ref inner)
        | Expr::IsNotTrue(ref inner)
        | Expr::IsFalse(ref inner)
        | Expr::IsNotFalse(ref inner)
        | Expr::IsUnknown(ref inner)
        | Expr::IsNotUnknown(ref inner) => {
            is_condition(inner, schema)?;
            Ok(Transformed::no(expression))
        }
        other => Ok(Transformed::no(other)),
    }
}

fn transformed(expression: Expr, changed: bool) -> Transformed<Expr> {
    if changed { Transformed::yes(expression) } else { Transformed::no(expression) }
}

fn settle_case(case: Case, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let (conditions, results): (Vec<_>, Vec<_>) =
        case.when_then_expr.into_iter().map(|(when, then)| (*when, *then)).unzip();
    let mut changed = false;
    let (operand, conditions) = match case.expr {
        Some(operand) => {
            let mut parts = vec![*operand];
            parts.extend(conditions);
            let (mut parts, has_casts) = share_type("`CASE`", parts, schema)?;
            changed |= has_casts;
            (Some(Box::new(parts.remove(0))), parts)
        }
        None => {
            for condition in &conditions {
                is_condition(condition, schema)?;
            }
            (None, conditions)
        }
    };
    let has_else = case.else_expr.is_some();
    let mut results = results;
    results.extend(case.else_expr.map(|other| *other));
    let (mut results, has_casts) = share_type("`CASE`", results, schema)?;
    changed |= has_casts;
    let else_expr = if has_else { results.pop().map(Box::new) } else { None };
    let when_then_expr =
        conditions.into_iter().map(Box::new).zip(results.into_iter().map(Box::new)).collect();
    let case = Case { expr: operand, when_then_expr, else_expr };
    Ok(transformed(Expr::Case(case), changed))
}

fn is_condition(expression: &Expr, schema: &DFSchema) -> Result<()> {
    match expression.get_type(schema)? {
        DataType::Boolean | DataType::Null => Ok(()),
        other => plan_err!("a condition is needed, not {}", flink_type_name(&other)),
    }
}

/// The parts, cast to their common type, and whether a cast was needed.
fn share_type(what: &str, parts: Vec<Expr>, schema: &DFSchema) -> Result<(Vec<Expr>, bool)> {
    let types = parts.iter().map(|part| part.get_type(schema)).collect::<Result<Vec<_>>>()?;
    let common = match common_type(&types) {
        Some(DataType::Null) => return plan_err!("{what} has only NULLs: cast one of them"),
        Some(common) => common,
        None => {
            let mut names: Vec<_> = types.iter().map(flink_type_name).collect();
            names.dedup();
            return plan_err!(
                "{what} has values of {}: cast them to one type",
                names.join(" and ")
            );
        }
    };
    let mut changed = false;
    let cast = |(part, data_type): (Expr, DataType)| {
        if data_type == common {
            return part;
        }
        changed = true;
        Expr::Cast(Cast::new(Box::new(part), common.clone()))
    };
    let parts = parts.into_iter().zip(types).map(cast).collect();
    Ok((parts, changed))
}
