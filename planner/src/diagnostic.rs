//! What can be wrong with a model's SQL, as values with places in the user's files.
//!
//! E03xx are names and types, E04xx is what SQL over streams cannot mean or cannot do yet, N02xx
//! are inferred facts.

use catalog::diagnostic::{Diagnose, Label};

mod names;
mod streaming;

pub use names::NameMistake;
pub use streaming::StreamMistake;

/// A mistake that planning found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanDiagnostic {
    /// Names and types.
    #[error(transparent)]
    Names(#[from] NameMistake),
    /// Streaming semantics.
    #[error(transparent)]
    Streaming(#[from] StreamMistake),
}

impl Diagnose for PlanDiagnostic {
    fn code(&self) -> &'static str {
        match self {
            Self::Names(mistake) => mistake.code(),
            Self::Streaming(mistake) => mistake.code(),
        }
    }

    fn labels(&self) -> Vec<Label> {
        match self {
            Self::Names(mistake) => mistake.labels(),
            Self::Streaming(mistake) => mistake.labels(),
        }
    }

    fn helps(&self) -> Vec<String> {
        match self {
            Self::Names(mistake) => mistake.helps(),
            Self::Streaming(mistake) => mistake.helps(),
        }
    }
}
