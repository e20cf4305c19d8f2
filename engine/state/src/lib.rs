//! Snapshots: typed Arrow tables.
