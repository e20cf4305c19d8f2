//! Text that must never be shown.

use std::fmt;

/// A password, a webhook or whatever else came from a `${VAR}` in a place where secrets stand.
///
/// **Invariant:** neither `Debug` nor any other trait shows the text; only [`Secret::expose`] does,
/// and its callers are the ones who hand it to the other side.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes `text` in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Never print, log or store it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
