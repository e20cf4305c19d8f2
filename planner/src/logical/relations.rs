//! Plans temporal joins, which DataFusion would take for plain joins.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::{
    Column, DFSchema, DFSchemaRef, DataFusionError, Diagnostic, Result, plan_err,
};
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, Extension, LogicalPlan, LogicalPlanBuilder, Operator,
};
use sqlparser::ast::{
    Expr as SqlExpr, Join, JoinConstraint, JoinOperator, TableAlias, TableFactor, TableVersion,
    TableWithJoins,
};

use super::temporal_join::TemporalJoin;
use super::watermark::Watermark;
use crate::tables::{SourceTime, SourceTimes, Table, TableOrigin};

/// Takes every nested join that ends in a version; see [`crate::sql::rewrite`].
#[derive(Debug)]
pub(crate) struct TemporalJoins {
    pub(crate) sources: Arc<SourceTimes>,
}

impl RelationPlanner for TemporalJoins {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        match relation {
            TableFactor::NestedJoin { mut table_with_joins, alias: None } => {
                match table_with_joins.joins.pop() {
                    Some(join) => {
                        let plan = self.plan_join(*table_with_joins, join, context)?;
                        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, None))))
                    }
                    None => plan_err!("an empty join"),
                }
            }
            TableFactor::Table { version: Some(_), .. } => {
                plan_err!("FOR SYSTEM_TIME AS OF outside a join")
            }
            other => Ok(RelationPlanning::Original(Box::new(other))),
        }
    }
}

/// The versioned table as it stands in a query.
struct Versions<'a> {
    table: String,
    source: &'a SourceTime,
    alias: Option<TableAlias>,
}

impl TemporalJoins {
    fn plan_join(
        &self,
        left: TableWithJoins,
        join: Join,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<LogicalPlan> {
        let (keep_unmatched, on) = match join.join_operator {
            JoinOperator::Join(JoinConstraint::On(on))
            | JoinOperator::Inner(JoinConstraint::On(on)) => (false, on),
            JoinOperator::Left(JoinConstraint::On(on))
            | JoinOperator::LeftOuter(JoinConstraint::On(on)) => (true, on),
            _ => return plan_err!("a temporal join is JOIN or LEFT JOIN with ON"),
        };
        let (versions, time) = self.versions(join.relation)?;
        let left = if left.joins.is_empty() {
            context.plan(left.relation)?
        } else {
            context
                .plan(TableFactor::NestedJoin { table_with_joins: Box::new(left), alias: None })?
        };
        let left_time = context.sql_to_expr(time, left.schema())?;
        let right = scan_versions(&versions, None)?;
        let condition = join_condition(on, &left, &right, context)?;
        let mut on = Vec::new();
        let mut rest = None;
        for part in split_conjunction_owned(condition) {
            match key_pair(part, left.schema(), right.schema()) {
                Ok((pair, column)) if versions.source.key.as_ref().is_none_or(|k| *k == column) => {
                    on.push((pair, column));
                }
                Ok(((left, right), _)) => rest = Some(and(rest, left.eq(right))),
                Err(other) => rest = Some(and(rest, other)),
            }
        }
        let key = on.iter().map(|(_, column)| column.clone()).collect();
        let on = on
            .into_iter()
            .map(|(pair, _)| coerce(pair, left.schema(), right.schema()))
            .collect::<Result<Vec<_>>>()?;
        let right = scan_versions(&versions, Some(key))?;
        let right_time = qualified(&right, &versions.source.column)?;
        let TableOrigin::Source(source) = versions.source.with_hidden.origin else {
            return plan_err!("`{}` has no versions", versions.table);
        };
        let node = TemporalJoin {
            left,
            right,
            source,
            keep_unmatched,
            on,
            left_time,
            right_time,
            condition: rest,
            schema: DFSchemaRef::new(DFSchema::empty()),
        };
        Ok(LogicalPlan::Extension(Extension { node: Arc::new(node.with_schema()?) }))
    }

    fn versions(&self, relation: TableFactor) -> Result<(Versions<'_>, SqlExpr)> {
        let TableFactor::Table {
            name,
            alias,
            version: Some(TableVersion::ForSystemTimeAsOf(time)),
            ..
        } = relation
        else {
            return plan_err!("a join without a bound in time");
        };
        let table = name.0.last().and_then(|part| part.as_ident());
        let table = table.map_or_else(String::new, |ident| ident.value.clone());
        match self.sources.get(&table) {
            Some(source) => Ok((Versions { table, source, alias }, time)),
            None => plan_err!("`{table}` has no versions"),
        }
    }
}

/// The versions under their alias. Without a key: only to resolve names, the hidden time left out.
fn scan_versions(versions: &Versions<'_>, key: Option<Vec<String>>) -> Result<LogicalPlan> {
    let Versions { table, source, alias } = versions;
    let provider = Arc::<Table>::clone(&source.with_hidden);
    let TableOrigin::Source(position) = provider.origin else {
        return plan_err!("`{table}` has no versions");
    };
    let scan = LogicalPlanBuilder::scan(quoted(table), provider, None)?.build()?;
    let time = Column::new(Some(quoted(table)), source.column.clone());
    let watermark = Watermark::try_new(scan, position, time, source.out_of_orderness_ms, key)?;
    let plan = LogicalPlan::Extension(Extension { node: Arc::new(watermark) });
    match alias {
        Some(alias) => LogicalPlanBuilder::from(plan).alias(quoted(&alias.name.value))?.build(),
        None => Ok(plan),
    }
}

/// A name with dots in it is still one name.
fn quoted(name: &str) -> datafusion::common::TableReference {
    datafusion::common::TableReference::bare(name)
}

fn join_condition(
    on: SqlExpr,
    left: &LogicalPlan,
    right: &LogicalPlan,
    context: &mut dyn RelationPlannerContext,
) -> Result<Expr> {
    let both = left.schema().join(right.schema())?;
    context.sql_to_expr(on, &both)
}

type Pair = (Expr, Expr);

/// An equality of the left side with a column of the right one, and that column's name; else the
/// expression itself.
fn key_pair(part: Expr, left: &DFSchema, right: &DFSchema) -> Result<(Pair, String), Expr> {
    let Expr::BinaryExpr(BinaryExpr { left: first, op: Operator::Eq, right: second }) = part else {
        return Err(part);
    };
    let is_of = |expr: &Expr, schema: &DFSchema| {
        let columns: HashSet<&Column> = expr.column_refs();
        columns.iter().all(|column| schema.maybe_index_of_column(column).is_some())
    };
    for (own, other) in [(&first, &second), (&second, &first)] {
        if let Expr::Column(column) = own.as_ref()
            && right.maybe_index_of_column(column).is_some()
            && is_of(other, left)
        {
            let pair = (other.as_ref().clone(), own.as_ref().clone());
            return Ok((pair, column.name.clone()));
        }
    }
    Err(Expr::BinaryExpr(BinaryExpr { left: first, op: Operator::Eq, right: second }))
}

/// Gives both sides of a key one type; only numbers of different types have one.
fn coerce((left, right): Pair, left_schema: &DFSchema, right_schema: &DFSchema) -> Result<Pair> {
    let (left_type, right_type) = (left.get_type(left_schema)?, right.get_type(right_schema)?);
    if left_type == right_type {
        return Ok((left, right));
    }
    let common = datafusion::logical_expr::type_coercion::binary::comparison_coercion(
        &left_type,
        &right_type,
    );
    match common {
        Some(common) if left_type.is_numeric() && right_type.is_numeric() => {
            Ok((left.cast_to(&common, left_schema)?, right.cast_to(&common, right_schema)?))
        }
        _ => {
            let message = format!(
                "cannot compare {} with {}",
                catalog::schema::flink_type_name(&left_type),
                catalog::schema::flink_type_name(&right_type)
            );
            let span = left.spans().and_then(datafusion::common::Spans::first);
            let error = DataFusionError::Plan(message.clone());
            Err(error.with_diagnostic(Diagnostic::new_error(message, span)))
        }
    }
}

fn qualified(plan: &LogicalPlan, name: &str) -> Result<Expr> {
    let found = plan.schema().iter().find(|(_, field)| field.name() == name);
    match found {
        Some((qualifier, _)) => Ok(Expr::Column(Column::new(qualifier.cloned(), name))),
        None => plan_err!("no column `{name}`"),
    }
}

fn and(all: Option<Expr>, part: Expr) -> Expr {
    match all {
        Some(all) => all.and(part),
        None => part,
    }
}
