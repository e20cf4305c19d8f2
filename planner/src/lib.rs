//! Project to logical plan to [`dataflow::Dataflow`].
//!
//! A function of text: the same project gives the same dataflow, byte for byte. Nothing runs here.

pub mod sql;

pub mod dataflow;
