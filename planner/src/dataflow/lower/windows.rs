//! Window aggregates.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use catalog::schema::timestamp;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::expr::AggregateFunctionParams;
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::{Lowered, Lowering, Slot, columns_of, stable_name};
use crate::dataflow::{AggregateCall, Operator, WindowAggregate};
use crate::logical::aggregate_function::function_of;
use crate::logical::window_aggregate::WindowAggregate as WindowAggregateNode;

impl Lowering<'_> {
    pub(super) fn window_aggregate(&mut self, node: &WindowAggregateNode) -> Result<Lowered> {
        let time_and_aggregates = std::iter::once(&node.time).chain(&node.aggregates);
        let needed = columns_of(node.keys.iter().chain(time_and_aggregates), &node.input)?;
        let input = self.plan(&node.input, &needed)?;
        let keys = node
            .keys
            .iter()
            .map(|key| self.expression(key, &node.input, &input))
            .collect::<Result<Vec<_>>>()?;
        let time = self.expression(&node.time, &node.input, &input)?;
        let Some(time_column) = time.as_column() else {
            return plan_err!("TUMBLE needs the event time itself");
        };
        let aggregates = node
            .aggregates
            .iter()
            .map(|aggregate| self.aggregate_call(aggregate, &node.input, &input))
            .collect::<Result<Vec<_>>>()?;

        let groups = node.keys.len() + 1;
        let mut fields = Vec::new();
        let mut slots = vec![Slot::Absent; groups + aggregates.len()];
        let group_positions = (0..groups).filter(|group| *group != node.window_position);
        for (position, (group, key)) in group_positions.zip(&keys).enumerate() {
            let name = stable_name(node.schema.field(group).name(), "key", position);
            fields.push(Field::new(name, key.data_type.clone(), key.is_nullable));
            set(&mut slots, group, Slot::Column(position));
        }
        let first = keys.len();
        set(&mut slots, node.window_position, Slot::Window([first, first + 1, first + 2]));
        fields.push(Field::new("window_start", timestamp(3, false), false));
        fields.push(Field::new("window_end", timestamp(3, false), false));
        fields.push(Field::new("window_time", time.data_type.clone(), false));
        for (position, aggregate) in aggregates.iter().enumerate() {
            let field = node.schema.field(groups + position);
            set(&mut slots, groups + position, Slot::Column(fields.len()));
            fields.push(Field::new(
                format!("aggregate_{position}"),
                aggregate.data_type.clone(),
                field.is_nullable(),
            ));
        }
        let operator = Operator::WindowAggregate(WindowAggregate {
            window: node.window.clone(),
            time: time_column,
            keys,
            aggregates,
            allowed_lateness_ms: input.allowed_lateness_ms,
        });
        let schema = Arc::new(Schema::new(fields));
        let added = self.add(vec![input.node], schema, Some(first + 2), operator);
        Ok(Lowered { node: added, slots, allowed_lateness_ms: 0 })
    }

    fn aggregate_call(
        &self,
        aggregate: &Expr,
        plan: &LogicalPlan,
        input: &Lowered,
    ) -> Result<AggregateCall> {
        let Expr::AggregateFunction(call) = aggregate.clone().unalias() else {
            return plan_err!("`{aggregate}` is no aggregate");
        };
        let Some(function) = function_of(&call.func) else {
            return plan_err!("the aggregate `{}` is not supported", call.func.name());
        };
        let AggregateFunctionParams { args, distinct, filter, order_by, null_treatment } =
            &call.params;
        if !order_by.is_empty() || null_treatment.is_some() {
            return plan_err!("`{aggregate}` is not supported on streams");
        }
        let arguments = args
            .iter()
            .map(|argument| self.expression(argument, plan, input))
            .collect::<Result<Vec<_>>>()?;
        let types: Vec<_> = arguments.iter().map(|argument| argument.data_type.clone()).collect();
        let filter =
            filter.as_ref().map(|filter| self.expression(filter, plan, input)).transpose()?;
        let data_type = call.func.return_type(&types)?;
        Ok(AggregateCall { function, arguments, is_distinct: *distinct, filter, data_type })
    }
}

fn set(slots: &mut [Slot], position: usize, slot: Slot) {
    if let Some(old) = slots.get_mut(position) {
        *old = slot;
    }
}
