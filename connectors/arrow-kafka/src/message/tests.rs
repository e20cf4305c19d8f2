use super::*;

#[test]
fn owned_messages_give_back_what_was_pushed() {
    let first = Message {
        key: Some(b"k"),
        payload: None,
        partition: 3,
        offset: 7,
        timestamp_ms: Some(12),
        headers: Headers::NONE,
    };
    let mut owned = OwnedMessages::new();
    owned.push(first);
    owned.push(Message { key: None, payload: Some(b""), timestamp_ms: None, ..first });
    let seen: Vec<_> = owned.iter().map(|m| (m.key, m.payload, m.offset, m.timestamp_ms)).collect();
    let none: Option<&[u8]> = None;
    assert_eq!(seen, [(Some(&b"k"[..]), none, 7, Some(12)), (none, Some(&b""[..]), 7, None)]);
    assert_eq!((owned.len(), owned.bytes()), (2, 1));
}

#[test]
fn owned_headers_keep_order_names_and_nulls() {
    let mut source = OwnedMessages::new();
    source.bytes = b"abv".to_vec();
    source.headers = vec![
        OwnedHeader { name: 0..1, value: Some(2..3) },
        OwnedHeader { name: 1..2, value: None },
        OwnedHeader { name: 0..1, value: Some(3..3) },
    ];
    source.records = vec![OwnedRecord {
        key: None,
        payload: None,
        partition: 0,
        offset: 0,
        timestamp_ms: None,
        headers: 0..3,
    }];
    let copy: OwnedMessages = source.iter().collect();
    let headers: Vec<_> = copy.get(0).expect("one record").headers.iter().collect();
    let none: Option<&[u8]> = None;
    assert_eq!(headers, [(&b"a"[..], Some(&b"v"[..])), (b"b", none), (b"a", Some(b""))]);
}
