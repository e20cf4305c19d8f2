//! What the fold does when memory is short: less at a time, and at the limit an end in order.

use stream::Item;

use super::Driver;
use crate::error::RuntimeError;
use crate::memory::Pressure;

/// So many of the largest operators are named.
const OPERATORS_NAMED: usize = 3;

impl Driver {
    /// Looks at the memory; at the limit everything folded is committed and the run ends, unless
    /// that has made room.
    pub(super) fn watch_memory(&mut self) -> Result<(), RuntimeError> {
        let pressure = self.memory.look(self.clock.monotonic());
        self.inbox.set_tight(pressure != Pressure::None);
        if pressure != Pressure::Over {
            return Ok(());
        }
        if !self.is_replaying {
            // What waits for its commit, and the tables of a snapshot, are let go first.
            self.wait_committed()?;
            self.cut()?;
            self.wait_committed()?;
            self.snapshots.rest();
        }
        let Some((held, limit)) = self.memory.measure().filter(|(held, limit)| held >= limit)
        else {
            return Ok(());
        };
        if !self.is_replaying {
            self.push(Item::Owner(None));
            self.cut()?;
            self.wait_committed()?;
        }
        Err(RuntimeError::MemoryLimit { held, limit, largest: self.largest_operators() })
    }

    /// Whether a new epoch must wait until the one before is committed.
    pub(super) fn is_memory_tight(&self) -> bool {
        self.memory.pressure() != Pressure::None
    }

    fn largest_operators(&self) -> String {
        let mut sizes = self.fold.sizes();
        sizes.sort_by_key(|(_, size)| std::cmp::Reverse(size.bytes));
        let named = sizes.iter().filter(|(_, size)| size.bytes > 0).take(OPERATORS_NAMED);
        let texts: Vec<String> = named
            .map(|(operator, size)| {
                let (rows, mebibytes) = (size.rows, size.bytes.div_ceil(1 << 20));
                format!("`{operator}` ({rows} rows, {mebibytes} MiB)")
            })
            .collect();
        if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
    }
}
