//! Runs a [`planner::dataflow::Dataflow`]: operators, the fold, epochs, commit, recovery.

pub mod operator;
pub mod operators;

mod accumulate;
mod evaluate;
mod key;
mod row_store;
mod slots;
