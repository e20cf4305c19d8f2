//! Project to logical plan to [`dataflow::Dataflow`].
//!
//! A function of text: the same project gives the same dataflow, byte for byte. Nothing runs here.

mod sql;
#[cfg_attr(
    not(test),
    expect(dead_code, unused_imports, reason = "the planner calls it with its next step")
)]
mod functions;
mod scalars;
mod tables;
mod logical;
mod analyze;

pub mod plan;
pub mod diagnostic;
pub mod dataflow;
