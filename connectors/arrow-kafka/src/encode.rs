//! Arrow rows as Kafka values and keys.

/// Values and keys of the rows of one batch, one after the other in one buffer each.
#[derive(Clone, Debug, Default)]
pub struct Encoded {
    pub(crate) values: Vec<u8>,
    /// Where each row's value ends.
    pub(crate) value_ends: Vec<usize>,
    pub(crate) keys: Vec<u8>,
    /// Where each row's key ends, and whether it has one. Empty if no row has a key.
    pub(crate) key_ends: Vec<(usize, bool)>,
}

impl Encoded {
    /// How many rows.
    pub fn len(&self) -> usize {
        self.value_ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.value_ends.is_empty()
    }

    /// The value of row `index`, 0-based.
    pub fn value(&self, index: usize) -> Option<&[u8]> {
        let end = *self.value_ends.get(index)?;
        let start = match index.checked_sub(1) {
            Some(before) => *self.value_ends.get(before)?,
            None => 0,
        };
        self.values.get(start..end)
    }

    /// The key of row `index`, if it has one.
    pub fn key(&self, index: usize) -> Option<&[u8]> {
        let (end, has_key) = *self.key_ends.get(index)?;
        let start = match index.checked_sub(1) {
            Some(before) => self.key_ends.get(before)?.0,
            None => 0,
        };
        if has_key { self.keys.get(start..end) } else { None }
    }

    /// Bytes of all values and keys.
    pub fn bytes(&self) -> usize {
        self.values.len() + self.keys.len()
    }
}
