//! From DataFusion's plan of a query to our nodes; what has no streaming meaning is an error.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result, ScalarValue, plan_err};
use datafusion::logical_expr::{
    Aggregate, Expr, Extension, LogicalPlan, LogicalPlanBuilder, TableScan,
};

use super::watermark::Watermark;
use super::window_aggregate::WindowAggregate;
use crate::dataflow::Window;
use crate::sql::rewrite::TUMBLE;
use crate::tables::{SourceTimes, Table, TableOrigin};

/// Puts our nodes in place of aggregates and scans.
///
/// # Errors
/// A node that would keep state without bound, or give rows that change; the AST pass has refused
/// its clause before, so this is the second line of defence.
pub(crate) fn streamify(plan: LogicalPlan, sources: &SourceTimes) -> Result<LogicalPlan> {
    let plan = plan.transform_down(|node| match node {
        LogicalPlan::Extension(extension) => {
            let is_source = extension.node.name() == "Watermark";
            let recursion =
                if is_source { TreeNodeRecursion::Jump } else { TreeNodeRecursion::Continue };
            Ok(Transformed::new(LogicalPlan::Extension(extension), false, recursion))
        }
        LogicalPlan::TableScan(scan) => {
            let plan = add_watermark(scan, sources)?;
            Ok(Transformed::new(plan, true, TreeNodeRecursion::Jump))
        }
        LogicalPlan::Aggregate(aggregate) => Ok(Transformed::yes(window_aggregate(aggregate)?)),
        LogicalPlan::Projection(_) | LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) => {
            Ok(Transformed::no(node))
        }
        other => plan_err!("this query is not supported on streams: {}", other.display()),
    })?;
    Ok(plan.data)
}

fn add_watermark(scan: TableScan, sources: &SourceTimes) -> Result<LogicalPlan> {
    let name = scan.table_name.table().to_owned();
    let Some(source) = sources.get(&name) else {
        return Ok(LogicalPlan::TableScan(scan));
    };
    let provider = Arc::<Table>::clone(&source.with_hidden);
    let TableOrigin::Source(position) = provider.origin else {
        return plan_err!("`{name}` is no source");
    };
    let time = Column::new(Some(scan.table_name.clone()), source.column.clone());
    let input = LogicalPlanBuilder::scan(scan.table_name, provider, None)?.build()?;
    let node = Watermark::try_new(input, position, time, source.out_of_orderness_ms, None)?;
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
}

fn window_aggregate(aggregate: Aggregate) -> Result<LogicalPlan> {
    let Aggregate { input, group_expr, aggr_expr, schema, .. } = aggregate;
    let position = group_expr.iter().position(|group| as_window(group).is_some());
    let Some((window_position, (time, window))) =
        position.and_then(|position| Some((position, as_window(group_expr.get(position)?)?)))
    else {
        return plan_err!("GROUP BY without a window gives rows that change later");
    };
    let window = window?;
    let keys = group_expr
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != window_position)
        .map(|(_, key)| key.clone())
        .collect();
    let node = WindowAggregate {
        input: Arc::unwrap_or_clone(input),
        window,
        time,
        keys,
        window_position,
        aggregates: aggr_expr,
        schema,
    };
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
}

fn as_window(group: &Expr) -> Option<(Expr, Result<Window>)> {
    let Expr::ScalarFunction(call) = group.clone().unalias_nested().data else { return None };
    if call.func.name() != TUMBLE {
        return None;
    }
    let mut arguments = call.args.into_iter();
    let time = arguments.next()?;
    Some((time, tumbling(arguments.next(), arguments.next())))
}

fn tumbling(size: Option<Expr>, offset: Option<Expr>) -> Result<Window> {
    let milliseconds = |expr: Option<Expr>| match expr {
        Some(Expr::Literal(ScalarValue::Utf8(Some(text)), _)) => text.parse::<i64>().ok(),
        _ => None,
    };
    match (milliseconds(size), offset) {
        (Some(size_ms @ 1..), None) => Ok(Window::Tumbling { size_ms, offset_ms: 0 }),
        _ => plan_err!("the length of a window is an INTERVAL literal above zero"),
    }
}
