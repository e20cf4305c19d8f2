//! Records that were written to a source's topic once more, because they could not be used before.
//!
//! A copy says where its original lies, and in which generation it was made. A later generation
//! that has read the original itself skips the copy: otherwise the record would count twice.

use arrow_kafka::Message;

/// Header of a copy: `topic/partition/offset` of its original.
pub const ORIGINAL_HEADER: &str = "engine.replayed";

/// Header of a copy, and of a dead letter: the generation that it belongs to.
pub const GENERATION_HEADER: &str = "engine.generation";

/// Which copies a reader skips: those of an earlier generation whose originals it reads itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Copies {
    generation: u64,
    /// By partition, the offset at which the generation began to read.
    origins: Vec<i64>,
}

impl Copies {
    pub(crate) fn new(generation: u64, origins: Vec<i64>) -> Self {
        Self { generation, origins }
    }

    /// Whether the reader must not count the record. Asked for every record: the first generation,
    /// which has nothing before it, looks at no header.
    pub(crate) fn is_skipped(&self, message: &Message<'_>) -> bool {
        if self.generation <= 1 {
            return false;
        }
        let (mut original, mut generation) = (None, None);
        for (name, value) in message.headers.iter() {
            let text = || value.and_then(|value| std::str::from_utf8(value).ok());
            if name == ORIGINAL_HEADER.as_bytes() {
                original = text().and_then(place);
            } else if name == GENERATION_HEADER.as_bytes() {
                generation = text().and_then(|text| text.parse::<u64>().ok());
            }
        }
        let (Some((partition, offset)), Some(generation)) = (original, generation) else {
            return false;
        };
        // A partition that came later has no copies from before it.
        let origin = usize::try_from(partition).ok().and_then(|at| self.origins.get(at));
        generation < self.generation && origin.is_some_and(|origin| offset >= *origin)
    }
}

/// Partition and offset of `topic/partition/offset`.
fn place(text: &str) -> Option<(i32, i64)> {
    let mut parts = text.rsplit('/');
    let (offset, partition) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((partition, offset))
}
