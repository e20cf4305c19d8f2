//! Text to AST: the dialect, the parser, and the passes over the AST.
//!
//! **Invariant:** a clause that no later stage reads is refused here. DataFusion drops several
//! clauses of a table factor without a word, so what is not known to be handled must not pass.

pub(crate) mod vocabulary;
pub(crate) mod span;

pub(crate) mod dialect;
pub(crate) mod parse;
pub(crate) mod windows;
pub(crate) mod check;
pub(crate) mod scope;
pub(crate) mod rewrite;
pub(crate) mod expressions;
