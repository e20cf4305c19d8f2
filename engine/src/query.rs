//! SQL over tables in memory: one query at a time, which can only read them.
//!
//! **Invariant:** a query reaches nothing but the tables it was given: no file, no network, no
//! setting. What it may be is decided on its syntax tree, before DataFusion plans it; DataFusion's
//! own limits come on top.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::{MemTable, MemorySchemaProvider};
use datafusion::common::TableReference;
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use datafusion::sql::parser::Statement as PlannedStatement;
use datafusion::sql::sqlparser::ast::{Statement, TableFactor, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::Error;

/// What one query may take: beyond it, it ends with an error.
const MEMORY_BYTES: usize = 1 << 30;

/// How deep a query may be nested.
const DEPTH_MAX: usize = 50;

/// A longer query is no question that somebody typed.
const SQL_BYTES_MAX: usize = 64 << 10;

/// What to do after a refusal.
const HELP: &str = "ask with one SELECT over the tables; without -c, `engine replay` lists them";

/// Tables that can be asked.
pub(crate) struct Tables {
    context: SessionContext,
    runtime: tokio::runtime::Runtime,
    names: Vec<TableName>,
}

/// A table that can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableName {
    /// The operator, which is the schema in SQL.
    pub(crate) operator: String,
    /// The table.
    pub(crate) table: String,
    /// How many rows it has.
    pub(crate) rows: usize,
}

impl TableName {
    /// As it is written in a query.
    pub(crate) fn sql(&self) -> String {
        let is_plain = |text: &str| {
            text.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
                && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        };
        let part = |text: &str| {
            if is_plain(text) {
                text.to_owned()
            } else {
                format!("\"{}\"", text.replace('"', "\"\""))
            }
        };
        format!("{}.{}", part(&self.operator), part(&self.table))
    }
}

/// What a query gave.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its columns.
    pub(crate) schema: SchemaRef,
    /// Its rows.
    pub(crate) batches: Vec<RecordBatch>,
}

impl Tables {
    /// No tables yet.
    ///
    /// # Errors
    /// [`Error::System`] if the system gives no event loop.
    pub(crate) fn new() -> Result<Self, Error> {
        let failed = |source| Error::System { action: "run queries", source };
        let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(failed)?;
        let no_files = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
        let environment = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(GreedyMemoryPool::new(MEMORY_BYTES)))
            .with_disk_manager_builder(no_files)
            .build_arc()
            .map_err(|error| refused(&error))?;
        environment
            .deregister_object_store(ObjectStoreUrl::local_filesystem().as_ref())
            .map_err(|error| refused(&error))?;
        let config = SessionConfig::new().with_target_partitions(1).with_information_schema(false);
        let context = SessionContext::new_with_config_rt(config, environment);
        Ok(Self { context, runtime, names: Vec::new() })
    }

    /// Adds a table.
    ///
    /// # Errors
    /// [`Error::Usage`] if its batches do not fit its schema: our bug.
    pub(crate) fn add(
        &mut self,
        operator: &str,
        table: &str,
        (schema, batches): (&SchemaRef, Vec<RecordBatch>),
    ) -> Result<(), Error> {
        let rows = batches.iter().map(RecordBatch::num_rows).sum();
        let provider = MemTable::try_new(Arc::clone(schema), vec![batches]);
        let provider = Arc::new(provider.map_err(|error| refused(&error))?);
        for catalog in self.context.catalog_names() {
            if let Some(catalog) = self.context.catalog(&catalog)
                && catalog.schema(operator).is_none()
            {
                catalog
                    .register_schema(operator, Arc::new(MemorySchemaProvider::new()))
                    .map_err(|error| refused(&error))?;
            }
        }
        // The name as `engine state inspect` shows it works as one quoted word, too.
        let names = [
            TableReference::partial(operator, table),
            TableReference::bare(format!("{operator}.{table}")),
        ];
        for name in names {
            let provider = Arc::clone(&provider);
            self.context.register_table(name, provider).map_err(|error| refused(&error))?;
        }
        let (operator, table) = (operator.to_owned(), table.to_owned());
        self.names.push(TableName { operator, table, rows });
        Ok(())
    }

    /// All tables, as they were added.
    pub(crate) fn names(&self) -> &[TableName] {
        &self.names
    }

    /// Answers one query.
    ///
    /// # Errors
    /// [`Error::Usage`] if the text is not one query over the tables, or fails.
    pub(crate) fn ask(&self, sql: &str) -> Result<Answer, Error> {
        let statement = checked(sql)?;
        let context = &self.context;
        let answer = self.runtime.block_on(async {
            let statement = PlannedStatement::Statement(Box::new(statement));
            let plan = context.state().statement_to_plan(statement).await?;
            let reading = SQLOptions::new()
                .with_allow_ddl(false)
                .with_allow_dml(false)
                .with_allow_statements(false);
            reading.verify_plan(&plan)?;
            let frame = context.execute_logical_plan(plan).await?;
            let schema = Arc::clone(frame.schema().inner());
            Ok::<_, DataFusionError>(Answer { schema, batches: frame.collect().await? })
        });
        answer.map_err(|error| refused(&error))
    }
}

/// The statement, if it is one that may be asked.
fn checked(sql: &str) -> Result<Statement, Error> {
    if sql.len() > SQL_BYTES_MAX {
        let message = format!("the query has {} bytes, more than {SQL_BYTES_MAX}", sql.len());
        return Err(Error::usage(message, HELP));
    }
    let parser = Parser::new(&GenericDialect {}).with_recursion_limit(DEPTH_MAX);
    let parsed = parser.try_with_sql(sql).and_then(|mut parser| parser.parse_statements());
    let mut statements = match parsed {
        Ok(statements) => statements,
        Err(error) => return Err(Error::usage(format!("this is no query: {error}"), HELP)),
    };
    let (Some(statement), true) = (statements.pop(), statements.is_empty()) else {
        return Err(Error::usage("one query is answered at a time", HELP));
    };
    let query = match &statement {
        Statement::Explain { statement, .. } => statement,
        other => other,
    };
    if !matches!(query, Statement::Query(_)) {
        return Err(Error::usage("only queries are answered: nothing is written or set", HELP));
    }
    match statement.visit(&mut OnlyTables) {
        ControlFlow::Continue(()) => Ok(statement),
        ControlFlow::Break(what) => {
            Err(Error::usage(format!("`{what}` is no table: queries read the tables only"), HELP))
        }
    }
}

/// Refuses what a query reads that is no table, nor made of some.
struct OnlyTables;

impl Visitor for OnlyTables {
    type Break = String;

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<String> {
        match factor {
            TableFactor::Table { args: None, .. }
            | TableFactor::Derived { .. }
            | TableFactor::NestedJoin { .. }
            | TableFactor::UNNEST { .. } => ControlFlow::Continue(()),
            other => ControlFlow::Break(other.to_string()),
        }
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<String> {
        match statement {
            Statement::Query(_) | Statement::Explain { .. } => ControlFlow::Continue(()),
            other => ControlFlow::Break(other.to_string()),
        }
    }
}

/// DataFusion's reason, with tables as they are written in a query: it names them in full.
fn refused(error: &DataFusionError) -> Error {
    let reason = error.strip_backtrace();
    let reason = reason.replace("datafusion.public.", "").replace("'datafusion.", "'");
    Error::usage(reason, HELP)
}

#[cfg(test)]
mod tests;
