//! Project to logical plan to [`dataflow::Dataflow`].
//!
//! A function of text: the same project gives the same dataflow, byte for byte. Nothing runs here.

mod sql;
mod functions;
mod tables;
mod logical;
mod analyze;

pub mod plan;
pub mod resolved;
pub mod diagnostic;
pub mod dataflow;
