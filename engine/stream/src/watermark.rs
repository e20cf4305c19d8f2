//! Watermarks: how far event time has come.

use std::fmt;

use crate::EventTime;

/// A promise: no later row on this channel has an event time at or before it, unless it is late.
///
/// # Units
/// Milliseconds since 1970-01-01T00:00:00Z. [`Watermark::NONE`] is below every event time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Watermark(pub i64);

impl Watermark {
    /// Nothing is promised yet.
    pub const NONE: Self = Self(i64::MIN);

    /// The watermark after a row of `event_time` on a channel whose rows are at most
    /// `out_of_orderness_ms` out of order.
    pub fn after(event_time: EventTime, out_of_orderness_ms: i64) -> Self {
        Self(event_time.0.saturating_sub(out_of_orderness_ms))
    }

    /// Whether a promise has been made at all.
    pub fn is_some(self) -> bool {
        self != Self::NONE
    }

    /// Whether the watermark has reached `time`.
    pub fn reaches(self, time: EventTime) -> bool {
        self.0 >= time.0
    }
}

impl fmt::Display for Watermark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_some() { write!(f, "{} ms", self.0) } else { f.write_str("none") }
    }
}
