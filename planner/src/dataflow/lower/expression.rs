//! DataFusion expressions to [`Expression`]s over a node's columns.

use std::sync::Arc;

use arrow::datatypes::{Field, FieldRef, Fields};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result, plan_err};
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_expr::create_physical_expr;

use super::{Lowered, Lowering, Slot};
use crate::dataflow::{Expression, canonical};
use crate::sql::rewrite::{WINDOW_END, WINDOW_START, WINDOW_TIME};

impl Lowering<'_> {
    /// `expr` over the columns of `plan`, as an expression over the columns of `input`'s node.
    pub(super) fn expression(
        &self,
        expr: &Expr,
        plan: &LogicalPlan,
        input: &Lowered,
    ) -> Result<Expression> {
        let over_node = expr.clone().unalias().transform_down(|inner| match inner {
            Expr::ScalarFunction(call) => match window_part(&call, plan, input)? {
                Some(position) => Ok(Transformed::yes(positional(position))),
                None => Ok(Transformed::no(Expr::ScalarFunction(call))),
            },
            Expr::Column(column) => {
                let index = plan.schema().index_of_column(&column)?;
                match input.slots.get(index) {
                    Some(Slot::Column(position)) => {
                        // Jump: the new column must not be looked up again.
                        let recursion = datafusion::common::tree_node::TreeNodeRecursion::Jump;
                        Ok(Transformed::new(positional(*position), true, recursion))
                    }
                    Some(Slot::Window(_)) => {
                        plan_err!("a window is no value; ask for TUMBLE_START or TUMBLE_END")
                    }
                    Some(Slot::Absent) | None => plan_err!("column `{column}` is missing"),
                }
            }
            other => Ok(Transformed::no(other)),
        })?;
        Self::physical(&over_node.data, &self.node(input.node)?.schema.fields)
    }

    /// A node's column as an expression.
    pub(super) fn column(&self, node: usize, position: usize) -> Result<Expression> {
        Self::physical(&positional(position), &self.node(node)?.schema.fields)
    }

    /// An expression whose columns are `$position` among `fields`.
    pub(super) fn physical(expr: &Expr, fields: &Fields) -> Result<Expression> {
        let named: Fields = fields
            .iter()
            .enumerate()
            .map(|(position, field)| Field::clone(field).with_name(format!("${position}")))
            .collect();
        let schema = DFSchema::from_unqualified_fields(named, std::collections::HashMap::new())?;
        let context = PhysicalPlanningContext::default();
        let physical = create_physical_expr(expr, &schema, &ExecutionProps::new(), &context)?;
        let data_type = physical.data_type(schema.as_arrow())?;
        let is_nullable = physical.nullable(schema.as_arrow())?;
        let text = Arc::from(canonical::write(expr)?);
        Ok(Expression { physical, text, data_type, is_nullable })
    }

    pub(super) fn field(&self, node: usize, position: usize) -> Result<FieldRef> {
        match self.node(node)?.schema.fields().get(position) {
            Some(field) => Ok(Arc::clone(field)),
            None => plan_err!("no column {position}"),
        }
    }

    /// The window that `expr` passes on as it is.
    pub(super) fn window_slot(
        expr: &Expr,
        plan: &LogicalPlan,
        input: &Lowered,
    ) -> Option<[usize; 3]> {
        let Expr::Column(column) = expr.clone().unalias() else { return None };
        match input.slots.get(plan.schema().maybe_index_of_column(&column)?) {
            Some(Slot::Window(bounds)) => Some(*bounds),
            Some(Slot::Column(_) | Slot::Absent) | None => None,
        }
    }
}

/// The flat column that a call such as `$window_start(window)` reads.
fn window_part(
    call: &ScalarFunction,
    plan: &LogicalPlan,
    input: &Lowered,
) -> Result<Option<usize>> {
    let part = match call.func.name() {
        WINDOW_START => 0,
        WINDOW_END => 1,
        WINDOW_TIME => 2,
        _ => return Ok(None),
    };
    let [Expr::Column(column)] = call.args.as_slice() else {
        return plan_err!("TUMBLE_START and TUMBLE_END name the window of GROUP BY");
    };
    let index = plan.schema().index_of_column(column)?;
    match input.slots.get(index) {
        Some(Slot::Window(bounds)) => Ok(bounds.get(part).copied()),
        Some(Slot::Column(_) | Slot::Absent) | None => {
            plan_err!("TUMBLE_START and TUMBLE_END name the window of GROUP BY")
        }
    }
}

fn positional(position: usize) -> Expr {
    Expr::Column(Column::new_unqualified(format!("${position}")))
}
