//! DataFusion logical plans for streams: our nodes, the functions that stand for them in SQL, and the
//! way from SQL to an optimized plan.
//!
//! **Invariant:** nothing stateful falls through to DataFusion's batch meaning: a plan that leaves
//! this module has projections, filters, aliases, scans and the nodes below, and no other.

pub(crate) mod aggregate_function;
pub(crate) mod window_function;

pub(crate) mod watermark;
pub(crate) mod window_aggregate;
pub(crate) mod temporal_join;
pub(crate) mod sink;

pub(crate) mod relations;
pub(crate) mod build;
pub(crate) mod streamify;
