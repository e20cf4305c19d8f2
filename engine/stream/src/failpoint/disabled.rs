//! No failpoints.

use super::{FailpointError, Injected};

/// Refuses: this build has no failpoints.
///
/// # Errors
/// [`FailpointError::NotBuilt`].
pub fn arm(_text: &str) -> Result<(), FailpointError> {
    Err(FailpointError::NotBuilt)
}

/// Nothing.
///
/// # Errors
/// None.
#[inline]
pub fn reach(_point: &'static str) -> Result<(), Injected> {
    Ok(())
}
