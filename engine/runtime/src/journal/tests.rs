use std::sync::Arc;

use arrow_kafka::{Headers, Message, OwnedMessages};
use stream::{Fingerprint, ProcessingTime, ReaderName, Watermark};

use super::*;

fn entry(items: Vec<JournalItem>) -> Entry {
    Entry {
        header: Header {
            journal_id: "j1".to_owned(),
            generation: Generation(2),
            epoch: Epoch(7),
            instance: InstanceName(Arc::from("host-1")),
            lease_ms: 10_000,
            fold_version: FOLD_VERSION,
            topics: Arc::new([("clicks".to_owned(), "id".to_owned())].into()),
        },
        items,
    }
}

fn every_item() -> Vec<Item> {
    let reader = ReaderName(Arc::from("clicks"));
    vec![
        Item::Start { reader: reader.clone(), partition: 1, offset: 5 },
        Item::Slice { reader: reader.clone(), partition: 1, from: 5, to: 9, records: 3 },
        Item::Clock(ProcessingTime(12)),
        Item::Idle { reader: reader.clone(), partition: 1 },
        Item::Active { reader: reader.clone(), partition: 1 },
        Item::Advance { reader: reader.clone(), watermark: Watermark(-1) },
        Item::Partitions { reader, count: 3 },
        Item::EndOfInput,
        Item::Skip { topic: "t".to_owned(), partition: 0, offset: 1 },
        Item::Plan { fingerprint: Fingerprint("f".to_owned()), project: "{}".to_owned() },
        Item::Generation(Generation(3)),
        Item::Owner(None),
    ]
}

#[test]
fn an_entry_is_read_as_it_was_written() {
    let items = every_item().into_iter().map(JournalItem::of).collect();
    let read = Entry::from_bytes(&entry(items).to_bytes().unwrap()).unwrap();
    assert_eq!(read.header, entry(Vec::new()).header);
    assert_eq!(read.items.into_iter().map(|it| it.item).collect::<Vec<_>>(), every_item());
}

#[test]
fn an_entry_without_topic_ids_is_read() {
    let mut old = entry(Vec::new());
    old.header.topics = Arc::default();
    let bytes = old.to_bytes().unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("topics"));
    assert_eq!(Entry::from_bytes(&bytes).unwrap().header, old.header);
}

#[test]
fn carried_records_keep_their_bytes() {
    let mut carried = OwnedMessages::new();
    let message = Message {
        key: Some(b"k\xff"),
        payload: None,
        partition: 1,
        offset: 8,
        timestamp_ms: Some(-3),
        headers: Headers::NONE,
    };
    carried.push(message);
    let item = every_item().remove(1);
    let written = entry(vec![JournalItem { item, carried: Some(carried) }]).to_bytes().unwrap();
    let read = Entry::from_bytes(&written).unwrap();
    let carried = read.items[0].carried.as_ref().unwrap();
    let message = carried.get(0).unwrap();
    assert_eq!((message.key, message.payload), (Some(&b"k\xff"[..]), None));
    assert_eq!((message.offset, message.timestamp_ms), (8, Some(-3)));
}

#[test]
fn the_owner_is_the_last_one_named_else_the_writer() {
    let owner = |items: Vec<Item>| {
        let entry = entry(items.into_iter().map(JournalItem::of).collect());
        entry.owner().map(|owner| owner.0.to_string())
    };
    let other = Item::Owner(Some(InstanceName(Arc::from("other"))));
    assert_eq!(owner(Vec::new()).as_deref(), Some("host-1"));
    assert_eq!(owner(vec![other.clone()]).as_deref(), Some("other"));
    assert_eq!(owner(vec![other, Item::Owner(None)]), None);
}

#[test]
fn bytes_that_are_no_entry_are_refused() {
    for bytes in [&b""[..], b"{}", b"{\"format\":1}", b"\xff\xfe", b"[1]"] {
        assert!(matches!(Entry::from_bytes(bytes), Err(JournalError::Corrupt { .. })));
    }
    let newer = Entry::from_bytes(b"{\"format\":9}");
    assert!(matches!(newer, Err(JournalError::Version { found: 9 })));
}
