//! Temporal joins.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{Field, Fields, Schema};
use catalog::project::source as spec;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result, plan_err};
use datafusion::logical_expr::Expr;

use super::{Lowered, Lowering, Slot, columns_of};
use crate::dataflow::{BeforeFirst, Expression, JoinColumn, Operator, TemporalJoin};
use crate::logical::temporal_join::TemporalJoin as TemporalJoinNode;

impl Lowering<'_> {
    pub(super) fn temporal_join(
        &mut self,
        join: &TemporalJoinNode,
        wanted: &BTreeSet<usize>,
    ) -> Result<Lowered> {
        let width = join.left.schema().fields().len();
        // Where each output column comes from.
        let right_of = |output: usize| {
            let (qualifier, field) = join.schema.qualified_field(output);
            join.right.schema().index_of_column_by_name(qualifier, field.name())
        };
        let left_keys = join.on.iter().map(|(left, _)| left).chain([&join.left_time]);
        let right_keys = join.on.iter().map(|(_, right)| right).chain([&join.right_time]);
        let mut left_needed = columns_of(left_keys, &join.left)?;
        let mut right_needed = columns_of(right_keys, &join.right)?;
        for column in join.condition.iter().flat_map(Expr::column_refs) {
            match join.left.schema().maybe_index_of_column(column) {
                Some(index) => left_needed.insert(index),
                None => right_needed.insert(join.right.schema().index_of_column(column)?),
            };
        }
        for output in wanted {
            if *output < width {
                left_needed.insert(*output);
            } else {
                right_needed.extend(right_of(*output));
            }
        }
        let left = self.plan(&join.left, &left_needed)?;
        let right = self.plan(&join.right, &right_needed)?;
        let operator = self.join_operator(join, &left, &right)?;
        self.gather(join, wanted, (left, right), operator)
    }

    fn join_operator(
        &self,
        join: &TemporalJoinNode,
        left: &Lowered,
        right: &Lowered,
    ) -> Result<TemporalJoin> {
        let mut left_key = Vec::new();
        let mut right_key = Vec::new();
        for (left_expr, right_expr) in &join.on {
            left_key.push(self.expression(left_expr, &join.left, left)?);
            right_key.push(self.expression(right_expr, &join.right, right)?);
        }
        let left_time = self.expression(&join.left_time, &join.left, left)?.as_column();
        let right_time = self.expression(&join.right_time, &join.right, right)?.as_column();
        let (Some(left_time), Some(right_time)) = (left_time, right_time) else {
            return plan_err!("FOR SYSTEM_TIME AS OF needs the event time itself");
        };
        let condition = join
            .condition
            .as_ref()
            .map(|condition| self.join_condition(condition, join, left, right))
            .transpose()?;
        let source = self.context.sources.get(join.source);
        let before_first = match source.map(|source| source.versioned.before_first) {
            Some(spec::BeforeFirst::First) => BeforeFirst::First,
            Some(spec::BeforeFirst::Null) | None => BeforeFirst::Null,
        };
        Ok(TemporalJoin {
            keep_unmatched: join.keep_unmatched,
            left_key,
            right_key,
            left_time,
            right_time,
            condition,
            before_first,
            output: Vec::new(),
        })
    }

    /// A condition over all left, then all right columns of the two nodes.
    fn join_condition(
        &self,
        condition: &Expr,
        join: &TemporalJoinNode,
        left: &Lowered,
        right: &Lowered,
    ) -> Result<Expression> {
        let left_fields = &self.node(left.node)?.schema.fields;
        let right_fields = &self.node(right.node)?.schema.fields;
        let both: Fields = left_fields.iter().chain(right_fields).cloned().collect();
        let offset = left_fields.len();
        let over_both = condition.clone().transform_down(|inner| {
            let Expr::Column(column) = &inner else { return Ok(Transformed::no(inner)) };
            let slot = match join.left.schema().maybe_index_of_column(column) {
                Some(index) => left.slots.get(index).map(|slot| (slot, 0)),
                None => {
                    let index = join.right.schema().index_of_column(column)?;
                    right.slots.get(index).map(|slot| (slot, offset))
                }
            };
            match slot {
                Some((Slot::Column(position), offset)) => {
                    let name = format!("${}", position + offset);
                    let column = Expr::Column(Column::new_unqualified(name));
                    Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
                }
                _ => plan_err!("column `{column}` is missing"),
            }
        })?;
        Self::physical(&over_both.data, &both)
    }

    /// Adds the node with the wanted columns, and the time attribute.
    fn gather(
        &mut self,
        join: &TemporalJoinNode,
        wanted: &BTreeSet<usize>,
        (left, right): (Lowered, Lowered),
        mut operator: TemporalJoin,
    ) -> Result<Lowered> {
        let width = join.left.schema().fields().len();
        let mut slots = vec![Slot::Absent; join.schema.fields().len()];
        let mut output: Vec<JoinColumn> = Vec::new();
        let mut add = |column: JoinColumn| match output.iter().position(|old| *old == column) {
            Some(position) => position,
            None => {
                output.push(column);
                output.len() - 1
            }
        };
        for column in wanted {
            let slot = if *column < width {
                match left.slots.get(*column) {
                    Some(Slot::Column(position)) => Slot::Column(add(JoinColumn::Left(*position))),
                    Some(Slot::Window(bounds)) => {
                        Slot::Window(bounds.map(|position| add(JoinColumn::Left(position))))
                    }
                    Some(Slot::Absent) | None => Slot::Absent,
                }
            } else {
                let (qualifier, field) = join.schema.qualified_field(*column);
                let index = join.right.schema().index_of_column_by_name(qualifier, field.name());
                match index.and_then(|index| right.slots.get(index)) {
                    Some(Slot::Column(position)) => Slot::Column(add(JoinColumn::Right(*position))),
                    Some(Slot::Window(_) | Slot::Absent) | None => Slot::Absent,
                }
            };
            if let Some(old) = slots.get_mut(*column) {
                *old = slot;
            }
        }
        let time = JoinColumn::Left(operator.left_time);
        let time = output.iter().position(|column| *column == time);
        let mut fields = Vec::with_capacity(output.len());
        for column in &output {
            let (field, is_padded) = match column {
                JoinColumn::Left(position) => (self.field(left.node, *position)?, false),
                JoinColumn::Right(position) => {
                    (self.field(right.node, *position)?, join.keep_unmatched)
                }
            };
            let is_nullable = field.is_nullable() || is_padded;
            fields.push(Field::clone(&field).with_nullable(is_nullable));
        }
        operator.output = output;
        let node = self.add(
            vec![left.node, right.node],
            Arc::new(Schema::new(fields)),
            time,
            Operator::TemporalJoin(operator),
        );
        Ok(Lowered { node, slots, allowed_lateness_ms: left.allowed_lateness_ms })
    }
}
