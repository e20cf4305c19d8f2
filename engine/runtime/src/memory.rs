//! How much memory the process holds, against its limit.
//!
//! What counts is what the system cannot take back: `RssAnon` of `/proc/self/status`. An allocator
//! keeps some of what was freed, so this is what the system's own killer would see, not a sum of
//! what we know of. **Invariant:** the limit decides only when the run stops, and how much it takes
//! on at a time; never what a row counts for.

use std::fs;
use std::time::Duration;

/// How often it is looked at most.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// From so many hundredths of the limit on, less is taken on at a time.
const TIGHT_PERCENT: u64 = 85;

/// How the memory stands against its limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Pressure {
    /// There is room, or no limit.
    #[default]
    None,
    /// Little is left: one thing at a time.
    Tight,
    /// More than the limit.
    Over,
}

/// The memory of the process.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    limit: Option<u64>,
    looked_at: Option<Duration>,
    pressure: Pressure,
}

impl Memory {
    /// Memory with this limit in bytes. Where the system does not tell what a process holds, there
    /// is none.
    pub(crate) fn new(limit: Option<u64>) -> Self {
        if limit.is_some() && held_bytes().is_none() {
            tracing::warn!(
                "this system does not tell how much memory a process holds: `memory_limit` has no effect"
            );
            return Self::default();
        }
        Self { limit, ..Self::default() }
    }

    /// How it stood at the last look.
    pub(crate) fn pressure(&self) -> Pressure {
        self.pressure
    }

    /// Looks, if it is time to, and tells when it begins or ends to be tight.
    pub(crate) fn look(&mut self, now: Duration) -> Pressure {
        let is_early = self.looked_at.is_some_and(|at| now.saturating_sub(at) < LOOK_INTERVAL);
        if self.limit.is_some() && !is_early {
            self.looked_at = Some(now);
            self.measure();
        }
        self.pressure
    }

    /// Looks now. What is held and what may be, if there is a limit.
    pub(crate) fn measure(&mut self) -> Option<(u64, u64)> {
        let limit = self.limit?;
        let held = held_bytes()?;
        let pressure = match held {
            _ if held >= limit => Pressure::Over,
            _ if held >= limit / 100 * TIGHT_PERCENT => Pressure::Tight,
            _ => Pressure::None,
        };
        if (self.pressure == Pressure::None) != (pressure == Pressure::None) {
            tracing::warn!(held, limit, is_tight = pressure != Pressure::None, "memory");
        }
        self.pressure = pressure;
        Some((held, limit))
    }
}

/// What the process holds and the system cannot take back.
fn held_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}

#[cfg(test)]
mod tests;
