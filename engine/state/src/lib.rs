//! Snapshots: what operators keep, as typed Arrow tables.
//!
//! Today a snapshot lives in memory: operators give and take [`Table`]s. Writing them to an object
//! store, manifests and retention come with the recovery that needs them.

mod table;

pub use table::Table;
