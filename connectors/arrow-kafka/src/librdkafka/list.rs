//! A list of partitions with offsets, as librdkafka takes and fills it.

use std::ptr::NonNull;

use super::{c_string, failure, number, sys, text};
use crate::error::KafkaError;

/// A list of (topic, partition, offset).
pub(crate) struct PartitionList {
    list: NonNull<sys::rd_kafka_topic_partition_list_t>,
}

impl Drop for PartitionList {
    fn drop(&mut self) {
        // SAFETY: ours, and not used again.
        unsafe { sys::rd_kafka_topic_partition_list_destroy(self.list.as_ptr()) };
    }
}

/// One entry of a list.
pub(crate) struct Entry {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// 0 is no error.
    pub(crate) code: i32,
}

impl PartitionList {
    /// A list of `entries` in their order.
    ///
    /// # Errors
    /// [`KafkaError::Name`] for a topic with a NUL byte.
    pub(crate) fn of<'a>(
        entries: impl IntoIterator<Item = (&'a str, i32, i64)>,
    ) -> Result<Self, KafkaError> {
        // SAFETY: always returns a new object (librdkafka aborts when memory is out); it grows.
        let list = unsafe { sys::rd_kafka_topic_partition_list_new(8) };
        let list = Self { list: NonNull::new(list).expect("librdkafka never returns a NULL list") };
        for (topic, partition, offset) in entries {
            let name = c_string(topic)?;
            // SAFETY: the list is ours; the name ends with NUL and is copied.
            let entry = unsafe {
                sys::rd_kafka_topic_partition_list_add(list.raw(), name.as_ptr(), partition)
            };
            // SAFETY: the new entry is valid until the list grows again.
            unsafe { (*entry).offset = offset };
        }
        Ok(list)
    }

    pub(super) fn raw(&self) -> *mut sys::rd_kafka_topic_partition_list_t {
        self.list.as_ptr()
    }

    /// Copies of the entries, in order.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        // SAFETY: the list is ours and alive.
        let list = unsafe { self.list.as_ref() };
        let count = usize::try_from(list.cnt).unwrap_or(0);
        (0..count)
            .map(|index| {
                // SAFETY: `elems` holds `cnt` entries.
                let entry = unsafe { list.elems.add(index) };
                // SAFETY: the entry is valid, and nobody changes it meanwhile.
                let entry = unsafe { &*entry };
                // SAFETY: a field of a valid entry.
                let code = unsafe { number(&raw const entry.err) };
                Entry {
                    topic: text(entry.topic),
                    partition: entry.partition,
                    offset: entry.offset,
                    code,
                }
            })
            .collect()
    }

    /// The first entry's error, if any entry has one.
    pub(crate) fn first_error(&self, action: &str) -> Result<(), KafkaError> {
        match self.entries().into_iter().find(|entry| entry.code != 0) {
            None => Ok(()),
            Some(entry) => Err(KafkaError::Call {
                action: format!("{action} `{}` partition `{}`", entry.topic, entry.partition),
                failure: failure(entry.code, None),
            }),
        }
    }
}
