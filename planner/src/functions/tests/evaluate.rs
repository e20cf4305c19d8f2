//! Evaluates an expression the way a model does: parse, rewrite, plan, coerce, simplify, evaluate.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{
    DFSchema, DataFusionError, Result, ScalarValue, TableReference, plan_err,
};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::builder::LogicalTableSource;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    AggregateUDF, ColumnarValue, Expr, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource,
    WindowUDF,
};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::create_physical_expr;
use datafusion::sql::planner::{ParserOptions, SqlToRel};
use sqlparser::ast::Statement;
use stream::ProcessingTime;

use super::table::{batch, schema, shown};
use crate::dataflow::StepClock;
use crate::functions::{FlinkOperators, FunctionRegistry, flink_type_name, settle_types};
use crate::sql::expressions::rewrite_expressions;
use crate::sql::parse::parse_query;

/// What became of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Not planned.
    Refused,
    /// The values of the rows, separated; `ERROR` where evaluation failed.
    Rows { data_type: String, rows: String },
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("REFUSED"),
            Self::Rows { data_type, rows } => write!(f, "{data_type} => {rows}"),
        }
    }
}

#[derive(Debug)]
struct Context {
    registry: Arc<FunctionRegistry>,
    planners: Vec<Arc<dyn ExprPlanner>>,
    options: ConfigOptions,
}

impl ContextProvider for Context {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        if name.table() != "t" {
            return plan_err!("there is no table `{name}`");
        }
        Ok(Arc::new(LogicalTableSource::new(schema(DataType::Binary))))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.registry.get(name)
    }

    fn get_higher_order_meta(&self, _: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, _: &str) -> Option<Arc<AggregateUDF>> {
        None
    }

    fn get_window_meta(&self, _: &str) -> Option<Arc<WindowUDF>> {
        None
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn get_variable_field(&self, _: &[String]) -> Option<FieldRef> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}

pub(super) struct Evaluator {
    context: Context,
    clock: StepClock,
    batch: RecordBatch,
    message: RefCell<String>,
}

/// What the clock shows unless a test sets it: 2024-02-29 10:11:12.345.
const NOW: i64 = 1_709_201_472_345;

impl Evaluator {
    pub(super) fn new() -> Self {
        let clock = StepClock::default();
        clock.set(ProcessingTime(NOW));
        let registry = Arc::new(FunctionRegistry::new(&clock));
        let planners: Vec<Arc<dyn ExprPlanner>> =
            vec![Arc::new(FlinkOperators::new(Arc::clone(&registry)))];
        let context = Context { registry, planners, options: ConfigOptions::default() };
        Self { context, clock, batch: batch(), message: RefCell::default() }
    }

    pub(super) fn set_time(&self, now: i64) {
        self.clock.set(ProcessingTime(now));
    }

    /// Why the last expression was refused or failed.
    pub(super) fn last_message(&self) -> String {
        self.message.borrow().replace('\n', " ")
    }

    pub(super) fn evaluate(&self, expression: &str) -> Outcome {
        self.message.take();
        let planned = match self.plan(expression) {
            Ok(planned) => planned,
            Err(error) => {
                *self.message.borrow_mut() = error.to_string();
                return Outcome::Refused;
            }
        };
        let is_constant = planned.column_refs().is_empty();
        let rows = if is_constant { 1 } else { self.batch.num_rows() };
        // These exist only until the optimizer has made a CASE of them.
        let is_sugar = |part: &Expr| {
            let Expr::ScalarFunction(function) = part else { return Ok(false) };
            Ok(["coalesce", "nvl", "nvl2"].contains(&function.name()))
        };
        let columns = if planned.exists(is_sugar).unwrap() {
            let simplified = simplifier().unwrap().simplify(planned.clone()).unwrap();
            self.evaluate_columns(&simplified, rows)
        } else {
            self.evaluate_columns(&planned, rows)
        };
        let constants: Vec<_> =
            (0..rows).map(|row| self.evaluate_constants(&planned, row)).collect();
        let data_type = match &columns.0 {
            Some(data_type) => flink_type_name(data_type),
            None => "?".to_owned(),
        };
        if columns.1 != constants {
            let texts = constants.join(" | ");
            let rows = format!("{} but as constants {texts}", columns.1.join(" | "));
            return Outcome::Rows { data_type, rows };
        }
        Outcome::Rows { data_type, rows: columns.1.join(" | ") }
    }

    /// The expression, coerced, not simplified.
    fn plan(&self, expression: &str) -> Result<Expr> {
        let refuse = |message: String| DataFusionError::Plan(message);
        let sql = format!("SELECT {expression} AS x FROM t");
        let mut query = parse_query(&sql).map_err(|mistake| refuse(mistake.message))?;
        let mistakes = rewrite_expressions(&mut query, &self.context.registry, &|_| false);
        if let Some(mistake) = mistakes.into_iter().next() {
            return Err(refuse(mistake.message));
        }
        let options = ParserOptions {
            parse_float_as_decimal: true,
            enable_ident_normalization: false,
            map_string_types_to_utf8view: false,
            ..ParserOptions::default()
        };
        let statement = Statement::Query(Box::new(query));
        let plan =
            SqlToRel::new_with_options(&self.context, options).sql_statement_to_plan(statement)?;
        let plan = settle_types(plan)?;
        let LogicalPlan::Projection(projection) = plan else {
            return plan_err!("not a projection");
        };
        match projection.expr.into_iter().next() {
            Some(expr) => simplifier()?.coerce(expr.unalias(), &table_schema()?),
            None => plan_err!("no expression"),
        }
    }

    fn run(expr: &Expr, batch: &RecordBatch) -> Result<(DataType, Vec<String>)> {
        let physical = create_physical_expr(
            expr,
            &table_schema()?,
            &ExecutionProps::new(),
            &PhysicalPlanningContext::default(),
        )?;
        let array = match physical.evaluate(batch)? {
            ColumnarValue::Array(array) => array,
            ColumnarValue::Scalar(value) => value.to_array_of_size(batch.num_rows())?,
        };
        let texts = (0..array.len()).map(|row| shown(array.as_ref(), row)).collect();
        Ok((array.data_type().clone(), texts))
    }

    /// The whole batch at once; where that fails, row by row, as the runtime does.
    fn evaluate_columns(&self, expr: &Expr, rows: usize) -> (Option<DataType>, Vec<String>) {
        let data_type =
            datafusion::logical_expr::ExprSchemable::get_type(expr, &table_schema().unwrap());
        let data_type = data_type.ok();
        if let Ok((found, texts)) = Self::run(expr, &self.batch) {
            let texts = texts.into_iter().take(rows).collect();
            return (Some(found), texts);
        }
        let text = |row| match Self::run(expr, &self.batch.slice(row, 1)) {
            Ok((_, mut texts)) => texts.remove(0),
            Err(error) => {
                *self.message.borrow_mut() = error.to_string();
                "ERROR".to_owned()
            }
        };
        (data_type, (0..rows).map(text).collect())
    }

    /// The row's values in place of the columns, folded by the optimizer.
    fn evaluate_constants(&self, expr: &Expr, row: usize) -> String {
        let literal = |expr: Expr| -> Result<Transformed<Expr>> {
            let Expr::Column(column) = &expr else { return Ok(Transformed::no(expr)) };
            let index = self.batch.schema().index_of(column.name())?;
            let value = ScalarValue::try_from_array(self.batch.column(index), row)?;
            Ok(Transformed::yes(Expr::Literal(value, None)))
        };
        let folded = expr
            .clone()
            .transform(literal)
            .and_then(|folded| simplifier()?.simplify(folded.data))
            .and_then(|folded| Self::run(&folded, &self.batch.slice(row, 1)));
        match folded {
            Ok((_, mut texts)) => texts.remove(0),
            Err(_) => "ERROR".to_owned(),
        }
    }
}

fn table_schema() -> Result<DFSchema> {
    DFSchema::try_from_qualified_schema("t", &schema(DataType::Binary))
}

fn simplifier() -> Result<ExprSimplifier> {
    let schema = Arc::new(table_schema()?);
    Ok(ExprSimplifier::new(SimplifyContext::builder().with_schema(schema).build()))
}
