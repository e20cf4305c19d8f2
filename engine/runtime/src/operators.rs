//! The operators, one a file, and how they are made from a dataflow's nodes.

mod filter;
mod project;
mod temporal_join;
mod window_aggregate;

mod emission;
mod event_times;

use arrow::array::UInt32Array;
use arrow::datatypes::SchemaRef;
use planner::dataflow::upgrade::KeptState;
use planner::dataflow::{self, Node};
use state::Table;

use crate::operator::{Operator, OperatorError};
use filter::Filter;
use project::Project;
use stream::Origin;
use temporal_join::TemporalJoin;
use window_aggregate::WindowAggregate;

/// Makes the operator of a node; `input_schemas` are those of its ports, in order.
///
/// # Errors
/// [`OperatorError::Build`] for a source or a sink, which are not operators, and for what a node
/// asks for that cannot be run.
pub fn build(node: &Node, input_schemas: &[SchemaRef]) -> Result<Box<dyn Operator>, OperatorError> {
    let id = &node.id.0;
    Ok(match &node.operator {
        dataflow::Operator::Filter(predicate) => Box::new(Filter::new(id, predicate)),
        dataflow::Operator::Project(columns) => Box::new(Project::new(id, columns, &node.schema)),
        dataflow::Operator::TemporalJoin(join) => {
            Box::new(TemporalJoin::new(id, join, &node.schema, input_schemas)?)
        }
        dataflow::Operator::WindowAggregate(aggregate) => {
            Box::new(WindowAggregate::new(id, aggregate, &node.schema)?)
        }
        dataflow::Operator::Source(_) => return Err(not_an_operator(id, "a source")),
        dataflow::Operator::Sink(_) => return Err(not_an_operator(id, "a sink")),
    })
}

/// The state of a node, whose empty tables are `shape`, from that of its predecessor.
///
/// # Errors
/// [`OperatorError::State`] if the old tables are not those of the predecessor.
pub(crate) fn migrate(
    node: &Node,
    kept: &KeptState,
    old: &[Table],
    shape: &[Table],
) -> Result<Vec<Table>, OperatorError> {
    let migrated = match (&node.operator, kept) {
        (dataflow::Operator::WindowAggregate(now), KeptState::Window { aggregates }) => {
            window_aggregate::migrate::migrate(old, now, aggregates, shape)
        }
        (dataflow::Operator::TemporalJoin(_), KeptState::Join { left, right }) => {
            temporal_join::migrate::migrate(old, left, right, shape)
        }
        _ => Ok(shape.to_vec()),
    };
    migrated.map_err(|error| OperatorError::State {
        operator: node.id.0.clone(),
        detail: format!("it cannot take over the state of its predecessor: {error}"),
    })
}

/// Where some of a batch's rows came from.
fn take_origin(origin: &Origin, rows: &UInt32Array) -> Origin {
    let rows = rows.values().iter().map(|row| *row as usize);
    Origin {
        partition: rows.clone().map(|row| origin.partition.value(row)).collect::<Vec<_>>().into(),
        offset: rows.map(|row| origin.offset.value(row)).collect::<Vec<_>>().into(),
    }
}

fn not_an_operator(id: &str, what: &str) -> OperatorError {
    let detail = format!("{what} is no operator: connect its node to the pipeline");
    OperatorError::Build { operator: id.to_owned(), detail }
}

#[cfg(test)]
mod testing;
