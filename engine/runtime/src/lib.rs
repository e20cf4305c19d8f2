//! Runs a [`planner::dataflow::Dataflow`]: operators, the fold, epochs, commit, recovery.

pub mod operator;
