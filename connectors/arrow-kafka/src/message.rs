//! Messages as the decoder reads them, wherever their bytes lie.
//!
//! A [`MessageBatch`] leaves the bytes in librdkafka's buffers; [`OwnedMessages`] keeps a copy, for
//! records that a journal carries and for tests. Both give the same [`Message`].

use std::fmt;
use std::ops::Range;

use crate::librdkafka::consume::{NativeHeaders, NativeMessages};

/// One Kafka record, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The key's bytes, if it has one.
    pub key: Option<&'a [u8]>,
    /// The value's bytes; none is a tombstone.
    pub payload: Option<&'a [u8]>,
    /// The partition it was read from.
    pub partition: i32,
    /// Its offset in that partition.
    pub offset: i64,
    /// The record's timestamp in milliseconds since the epoch, if it has one.
    pub timestamp_ms: Option<i64>,
    /// Its headers.
    pub headers: Headers<'a>,
}

/// The headers of one record, in order; a name may occur more than once.
#[derive(Clone, Copy)]
pub struct Headers<'a>(Place<'a>);

#[derive(Clone, Copy)]
enum Place<'a> {
    Native(NativeHeaders<'a>),
    Owned { bytes: &'a [u8], headers: &'a [OwnedHeader] },
}

impl<'a> Headers<'a> {
    /// No headers.
    pub const NONE: Headers<'static> = Headers(Place::Owned { bytes: &[], headers: &[] });

    pub(crate) fn native(headers: NativeHeaders<'a>) -> Self {
        Self(Place::Native(headers))
    }

    /// Name and value of each header, in order. Names are bytes: nobody promises UTF-8.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let place = self.0;
        (0..).map_while(move |index| match place {
            Place::Native(headers) => headers.get(index),
            Place::Owned { bytes, headers } => {
                let header: &OwnedHeader = headers.get(index)?;
                let name = bytes.get(header.name.clone())?;
                Some((name, header.value.clone().and_then(|value| bytes.get(value))))
            }
        })
    }
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| String::from_utf8_lossy(name))).finish()
    }
}

/// Messages of one partition, in offset order, in librdkafka's memory until dropped.
///
/// It may go to another thread, but is not shared between threads. It keeps its client alive:
/// drop it before the program ends.
pub struct MessageBatch {
    messages: NativeMessages,
}

impl MessageBatch {
    pub(crate) fn new(messages: NativeMessages) -> Self {
        Self { messages }
    }

    /// How many messages.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The message at `index`, 0-based.
    pub fn get(&self, index: usize) -> Option<Message<'_>> {
        self.messages.get(index)
    }

    /// All messages in offset order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Message<'_>> {
        self.range(0..self.len())
    }

    /// The messages with these indices, in offset order; none if there is not each of them.
    pub fn range(&self, range: Range<usize>) -> impl ExactSizeIterator<Item = Message<'_>> {
        self.messages.range(range)
    }
}

impl fmt::Debug for MessageBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageBatch").field("len", &self.len()).finish()
    }
}

/// Messages whose bytes we keep ourselves.
#[derive(Clone, Debug, Default)]
pub struct OwnedMessages {
    bytes: Vec<u8>,
    records: Vec<OwnedRecord>,
    headers: Vec<OwnedHeader>,
}

#[derive(Clone, Debug)]
struct OwnedRecord {
    key: Option<Range<usize>>,
    payload: Option<Range<usize>>,
    partition: i32,
    offset: i64,
    timestamp_ms: Option<i64>,
    headers: Range<usize>,
}

#[derive(Clone, Debug)]
struct OwnedHeader {
    name: Range<usize>,
    value: Option<Range<usize>>,
}

impl OwnedMessages {
    /// No messages.
    pub fn new() -> Self {
        Self::default()
    }

    /// Copies `message` to the end.
    pub fn push(&mut self, message: Message<'_>) {
        let first_header = self.headers.len();
        for (name, value) in message.headers.iter() {
            let name = self.keep(name);
            let value = value.map(|value| self.keep(value));
            self.headers.push(OwnedHeader { name, value });
        }
        let key = message.key.map(|key| self.keep(key));
        let payload = message.payload.map(|payload| self.keep(payload));
        self.records.push(OwnedRecord {
            key,
            payload,
            partition: message.partition,
            offset: message.offset,
            timestamp_ms: message.timestamp_ms,
            headers: first_header..self.headers.len(),
        });
    }

    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    /// How many messages.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of all keys, values and headers.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The message at `index`, 0-based.
    pub fn get(&self, index: usize) -> Option<Message<'_>> {
        self.records.get(index).map(|record| self.message(record))
    }

    /// All messages in the order in which they were pushed.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Message<'_>> {
        self.records.iter().map(|record| self.message(record))
    }

    fn message(&self, record: &OwnedRecord) -> Message<'_> {
        let bytes =
            |range: &Option<Range<usize>>| range.clone().and_then(|range| self.bytes.get(range));
        Message {
            key: bytes(&record.key),
            payload: bytes(&record.payload),
            partition: record.partition,
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            headers: Headers(Place::Owned {
                bytes: &self.bytes,
                headers: self.headers.get(record.headers.clone()).unwrap_or_default(),
            }),
        }
    }
}

impl<'a> FromIterator<Message<'a>> for OwnedMessages {
    fn from_iter<I: IntoIterator<Item = Message<'a>>>(messages: I) -> Self {
        let mut owned = Self::new();
        messages.into_iter().for_each(|message| owned.push(message));
        owned
    }
}

#[cfg(test)]
mod tests;
