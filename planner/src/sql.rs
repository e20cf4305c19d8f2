//! Text to AST: the dialect, the parser, and the passes over the AST.
//!
//! **Invariant:** a clause that no later stage reads is refused here. DataFusion drops several
//! clauses of a table factor without a word, so what is not known to be handled must not pass.

pub mod dialect;
pub mod parse;
