//! What DataFusion's SQL planner sees of a project: tables, functions, types.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, TableReference, plan_err};
use datafusion::logical_expr::planner::{
    ContextProvider, ExprPlanner, RelationPlanner, TypePlanner,
};
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF};
use sqlparser::ast::DataType as SqlType;

use crate::functions::{FlinkOperators, FunctionRegistry};
use crate::logical::aggregate_function::aggregate_functions;
use crate::logical::relations::TemporalJoins;
use crate::logical::window_function::window_functions;

/// Name of the hidden column that holds a record's timestamp. `$` starts no name that a user can
/// write without quotes, and name resolution does not know it.
pub(crate) const RECORD_TIMESTAMP: &str = "$record_timestamp";

/// What the tables of a query are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum TableOrigin {
    /// The source at this position.
    Source(usize),
    /// The model of this name.
    Model(String),
}

/// One table: its columns and what it is.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) origin: TableOrigin,
    pub(crate) schema: SchemaRef,
}

impl TableSource for Table {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// How a source is read in time.
#[derive(Debug, Clone)]
pub(crate) struct SourceTime {
    /// Its event-time column; [`RECORD_TIMESTAMP`] if none.
    pub(crate) column: String,
    pub(crate) out_of_orderness_ms: i64,
    /// The declared key of its versions.
    pub(crate) key: Option<String>,
    /// All columns, then [`RECORD_TIMESTAMP`].
    pub(crate) with_hidden: Arc<Table>,
}

/// Sources by their name in rendered SQL.
pub(crate) type SourceTimes = HashMap<String, SourceTime>;

/// The planner's view of a project.
pub(crate) struct PlanContext {
    tables: HashMap<String, Arc<Table>>,
    functions: Arc<FunctionRegistry>,
    windows: HashMap<&'static str, Arc<ScalarUDF>>,
    aggregates: HashMap<&'static str, Arc<AggregateUDF>>,
    expr_planners: Vec<Arc<dyn ExprPlanner>>,
    relation_planners: Vec<Arc<dyn RelationPlanner>>,
    options: ConfigOptions,
    pub(crate) sources: Arc<SourceTimes>,
}

impl PlanContext {
    pub(crate) fn new(
        tables: HashMap<String, Arc<Table>>,
        sources: SourceTimes,
        functions: Arc<FunctionRegistry>,
    ) -> Self {
        let sources = Arc::new(sources);
        let operators = Arc::new(FlinkOperators::new(Arc::clone(&functions)));
        let temporal_joins = TemporalJoins { sources: Arc::clone(&sources) };
        let mut options = ConfigOptions::default();
        options.sql_parser.enable_ident_normalization = false;
        options.sql_parser.map_string_types_to_utf8view = false;
        options.execution.time_zone = Some("UTC".to_owned());
        Self {
            tables,
            windows: window_functions(),
            aggregates: aggregate_functions(),
            expr_planners: vec![operators],
            functions,
            relation_planners: vec![Arc::new(temporal_joins)],
            options,
            sources,
        }
    }

    /// Adds a model's result, for the models that read it.
    pub(crate) fn add_model(&mut self, name: &str, schema: SchemaRef) {
        let table = Table { origin: TableOrigin::Model(name.to_owned()), schema };
        self.tables.insert(format!("model.{name}"), Arc::new(table));
    }
}

impl ContextProvider for PlanContext {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        match self.tables.get(name.table()) {
            Some(table) => Ok(Arc::<Table>::clone(table)),
            None => plan_err!("unknown table `{name}`"),
        }
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.expr_planners
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        &self.relation_planners
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(FlinkTypes))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        match self.windows.get(name) {
            Some(window) => Some(Arc::clone(window)),
            // An aggregate's name is never taken for a scalar function's.
            None if self.aggregates.contains_key(name) => None,
            None => self.functions.get(name),
        }
    }

    fn get_higher_order_meta(&self, _name: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.aggregates.get(name).map(Arc::clone)
    }

    fn get_window_meta(&self, _name: &str) -> Option<Arc<WindowUDF>> {
        None
    }

    fn get_variable_type(&self, _variable_names: &[String]) -> Option<DataType> {
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
        let mut names: Vec<String> =
            self.aggregates.keys().map(|name| (*name).to_uppercase()).collect();
        names.sort_unstable();
        names
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Flink's type names.
#[derive(Debug)]
struct FlinkTypes;

impl TypePlanner for FlinkTypes {
    fn plan_type_field(&self, sql_type: &SqlType) -> Result<Option<FieldRef>> {
        match catalog::schema::parse(&sql_type.to_string()) {
            Ok(parsed) => Ok(Some(Arc::new(Field::new("", parsed.data_type, parsed.is_nullable)))),
            Err(message) => plan_err!("type `{sql_type}`: {message}"),
        }
    }
}
