//! SQL to optimized logical plan.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::planner::ContextProvider;
use datafusion::logical_expr::{Extension, LogicalPlan};
use datafusion::optimizer::analyzer::type_coercion::TypeCoercion;
use datafusion::optimizer::common_subexpr_eliminate::CommonSubexprEliminate;
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::optimizer::{Analyzer, Optimizer, OptimizerContext};
use datafusion::sql::planner::{ParserOptions, SqlToRel};
use sqlparser::ast::{Query, Statement};

use super::sink::Sink;
use super::streamify::streamify;
use crate::functions::settle_types;
use crate::tables::PlanContext;

/// Plans a rewritten query, with types settled by Flink's rules.
pub(crate) fn to_plan(query: Query, context: &PlanContext) -> Result<LogicalPlan> {
    let options = ParserOptions::from(&context.options().sql_parser)
        .with_collect_spans(true)
        .with_parse_float_as_decimal(true);
    let plan = SqlToRel::new_with_options(context, options)
        .sql_statement_to_plan(Statement::Query(Box::new(query)))?;
    settle_types(plan)
}

/// Plans a rewritten query as far as types are concerned.
pub(crate) fn typed(query: Query, context: &PlanContext) -> Result<LogicalPlan> {
    coerce(to_plan(query, context)?, context.options())
}

/// Coerces types, puts our nodes in and optimizes.
///
/// The rules are chosen: those that take an input for finite, or an aggregate or a join for
/// DataFusion's own, are left out.
pub(crate) fn finish(
    plan: LogicalPlan,
    sink: &SinkSpec,
    context: &PlanContext,
) -> Result<LogicalPlan> {
    let options = Arc::new(context.options().clone());
    let plan = coerce(plan, &options)?;
    let plan = streamify(plan, &context.sources)?;
    let node = Sink { input: plan, topic: sink.topic.clone(), key: sink.key.clone() };
    let plan = LogicalPlan::Extension(Extension { node: Arc::new(node) });
    let optimizer = Optimizer::with_rules(vec![
        Arc::new(SimplifyExpressions::new()),
        Arc::new(PushDownFilter::new()),
        Arc::new(CommonSubexprEliminate::new()),
        Arc::new(OptimizeProjections::new()),
    ]);
    // Without a start time, functions of the current time stay calls.
    let config = OptimizerContext::new_with_config_options(options)
        .without_query_execution_start_time()
        .with_skip_failing_rules(false);
    let plan = optimizer.optimize(plan, &config, |_, _| {})?;
    match plan {
        LogicalPlan::Extension(_) => Ok(plan),
        other => plan_err!("this query is not supported on streams: {}", other.display()),
    }
}

/// Where a model's result goes.
#[derive(Debug, Clone)]
pub(crate) struct SinkSpec {
    pub(crate) topic: String,
    pub(crate) key: Option<String>,
}

fn coerce(plan: LogicalPlan, options: &ConfigOptions) -> Result<LogicalPlan> {
    Analyzer::with_rules(vec![Arc::new(TypeCoercion::new())]).execute_and_check(
        plan,
        options,
        |_, _| {},
    )
}
