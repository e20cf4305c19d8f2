//! Inference over the whole project: types of undeclared columns, event times, keys of versions.
//!
//! **Invariant:** it looks at text only, never at data, and does not depend on what is selected, so
//! that the same project always means the same.

pub(crate) mod infer_types;
pub(crate) mod event_time;
pub(crate) mod facts;
