//! An entry as bytes: JSON, so that any Kafka tool shows it. Only the types here are serialised.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_kafka::{Headers, Message, OwnedMessages};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use stream::{
    Epoch, Fingerprint, Generation, InstanceName, Item, ProcessingTime, ReaderName, Watermark,
};

use super::{Entry, Header, JournalError, JournalItem};

/// Version of the entry's format.
pub(crate) const FORMAT_VERSION: u64 = 1;

/// Version of the fold's rules. A change of what the same items give must raise it.
pub(crate) const FOLD_VERSION: u32 = 1;

/// An entry is written in records of at most this many bytes, so that it fits any broker's
/// `max.message.bytes`.
pub(crate) const PART_BYTES: usize = 256 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryV1 {
    format: u64,
    journal_id: String,
    generation: u64,
    epoch: u64,
    instance: String,
    lease_ms: u64,
    fold_version: u32,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    topics: BTreeMap<String, String>,
    items: Vec<ItemV1>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum ItemV1 {
    Start(String, i32, i64),
    Slice(String, i32, i64, i64, u64),
    /// A slice with its records.
    Carried(String, i32, i64, i64, Vec<RecordV1>),
    Clock(i64),
    Idle(String, i32),
    Active(String, i32),
    Advance(String, i64),
    Partitions(String, i32),
    EndOfInput,
    Skip(String, i32, i64),
    Plan {
        fingerprint: String,
        project: String,
    },
    Generation(u64),
    Owner(Option<String>),
}

/// Offset, timestamp in milliseconds, key and value in base64.
#[derive(Serialize, Deserialize)]
struct RecordV1(i64, Option<i64>, Option<String>, Option<String>);

pub(super) fn encode(entry: &Entry) -> Result<Vec<u8>, JournalError> {
    let header = &entry.header;
    let written = EntryV1 {
        format: FORMAT_VERSION,
        journal_id: header.journal_id.clone(),
        generation: header.generation.0,
        epoch: header.epoch.0,
        instance: header.instance.0.to_string(),
        lease_ms: header.lease_ms,
        fold_version: header.fold_version,
        topics: header.topics.as_ref().clone(),
        items: entry.items.iter().map(written_item).collect(),
    };
    serde_json::to_vec(&written).map_err(|source| JournalError::Encode { source })
}

pub(super) fn decode(bytes: &[u8]) -> Result<Entry, JournalError> {
    #[derive(Deserialize)]
    struct Version {
        format: u64,
    }
    let corrupt = |error: serde_json::Error| JournalError::Corrupt { detail: error.to_string() };
    let version: Version = serde_json::from_slice(bytes).map_err(corrupt)?;
    if version.format != FORMAT_VERSION {
        return Err(JournalError::Version { found: version.format });
    }
    let read: EntryV1 = serde_json::from_slice(bytes).map_err(corrupt)?;
    Ok(Entry {
        header: Header {
            journal_id: read.journal_id,
            generation: Generation(read.generation),
            epoch: Epoch(read.epoch),
            instance: InstanceName(Arc::from(read.instance)),
            lease_ms: read.lease_ms,
            fold_version: read.fold_version,
            topics: Arc::new(read.topics),
        },
        items: read.items.into_iter().map(read_item).collect::<Result<_, _>>()?,
    })
}

fn written_item(it: &JournalItem) -> ItemV1 {
    let name = |reader: &ReaderName| reader.0.to_string();
    match &it.item {
        Item::Start { reader, partition, offset } => {
            ItemV1::Start(name(reader), *partition, *offset)
        }
        Item::Slice { reader, partition, from, to, records } => match &it.carried {
            None => ItemV1::Slice(name(reader), *partition, *from, *to, *records),
            Some(carried) => {
                let records = carried.iter().map(written_record).collect();
                ItemV1::Carried(name(reader), *partition, *from, *to, records)
            }
        },
        Item::Clock(now) => ItemV1::Clock(now.0),
        Item::Idle { reader, partition } => ItemV1::Idle(name(reader), *partition),
        Item::Active { reader, partition } => ItemV1::Active(name(reader), *partition),
        Item::Advance { reader, watermark } => ItemV1::Advance(name(reader), watermark.0),
        Item::Partitions { reader, count } => ItemV1::Partitions(name(reader), *count),
        Item::EndOfInput => ItemV1::EndOfInput,
        Item::Skip { topic, partition, offset } => ItemV1::Skip(topic.clone(), *partition, *offset),
        Item::Plan { fingerprint, project } => {
            ItemV1::Plan { fingerprint: fingerprint.0.clone(), project: project.clone() }
        }
        Item::Generation(generation) => ItemV1::Generation(generation.0),
        Item::Owner(owner) => ItemV1::Owner(owner.as_ref().map(|owner| owner.0.to_string())),
    }
}

fn read_item(item: ItemV1) -> Result<JournalItem, JournalError> {
    let reader = |name: String| ReaderName(Arc::from(name));
    Ok(JournalItem::of(match item {
        ItemV1::Start(name, partition, offset) => {
            Item::Start { reader: reader(name), partition, offset }
        }
        ItemV1::Slice(name, partition, from, to, records) => {
            Item::Slice { reader: reader(name), partition, from, to, records }
        }
        ItemV1::Carried(name, partition, from, to, records) => {
            let count = records.len() as u64;
            let mut carried = OwnedMessages::new();
            for record in records {
                read_record(partition, &record, &mut carried)?;
            }
            let item = Item::Slice { reader: reader(name), partition, from, to, records: count };
            return Ok(JournalItem { item, carried: Some(carried) });
        }
        ItemV1::Clock(now) => Item::Clock(ProcessingTime(now)),
        ItemV1::Idle(name, partition) => Item::Idle { reader: reader(name), partition },
        ItemV1::Active(name, partition) => Item::Active { reader: reader(name), partition },
        ItemV1::Advance(name, watermark) => {
            Item::Advance { reader: reader(name), watermark: Watermark(watermark) }
        }
        ItemV1::Partitions(name, count) => Item::Partitions { reader: reader(name), count },
        ItemV1::EndOfInput => Item::EndOfInput,
        ItemV1::Skip(topic, partition, offset) => Item::Skip { topic, partition, offset },
        ItemV1::Plan { fingerprint, project } => {
            Item::Plan { fingerprint: Fingerprint(fingerprint), project }
        }
        ItemV1::Generation(generation) => Item::Generation(Generation(generation)),
        ItemV1::Owner(owner) => Item::Owner(owner.map(|name| InstanceName(Arc::from(name)))),
    }))
}

fn written_record(message: Message<'_>) -> RecordV1 {
    let text = |bytes: Option<&[u8]>| bytes.map(|bytes| STANDARD.encode(bytes));
    RecordV1(message.offset, message.timestamp_ms, text(message.key), text(message.payload))
}

fn read_record(
    partition: i32,
    record: &RecordV1,
    into: &mut OwnedMessages,
) -> Result<(), JournalError> {
    let bytes = |text: &Option<String>| {
        text.as_ref()
            .map(|text| STANDARD.decode(text))
            .transpose()
            .map_err(|error| JournalError::Corrupt { detail: error.to_string() })
    };
    let (key, value) = (bytes(&record.2)?, bytes(&record.3)?);
    into.push(Message {
        key: key.as_deref(),
        payload: value.as_deref(),
        partition,
        offset: record.0,
        timestamp_ms: record.1,
        headers: Headers::NONE,
    });
    Ok(())
}
