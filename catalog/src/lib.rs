//! What the user declared, checked: project files, templates, references, places.
//!
//! [`load::load`] turns a folder of YAML into a [`project::Project`] and the list of everything
//! that is wrong with it, each mistake with its place in the user's own file.
//!
//! **Invariant:** the result is a function of the files' text and the options: same text, same
//! project, byte for byte. **Invariant:** no text of a project makes this crate panic.
//!
//! Absent on purpose: SQL (the planner reads [`template::Sql`]), colours and frames (the `engine`
//! crate draws [`diagnostic::Diagnostic`]), the process environment (it comes in as
//! [`load::LoadOptions`]).

pub mod place;
pub mod diagnostic;
pub mod project;
mod yaml;
mod read;
mod lower;
pub mod duration;
pub mod schema;
pub mod template;
pub mod graph;
mod validate;
pub mod load;
