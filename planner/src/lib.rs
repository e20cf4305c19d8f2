//! Project to logical plan to Dataflow.
