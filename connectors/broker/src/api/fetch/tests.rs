use bytes::{Buf, Bytes};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::{ApiKey, FetchResponse, RequestHeader, ResponseHeader, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable};

use super::*;
use crate::files::Durability;
use crate::log::batch;
use crate::node::Node;
use crate::partition::Limits;
use crate::topic_config::TopicConfig;
use crate::topics::NewTopic;
use crate::wire::{APIS, text};

/// A batch of one record that is part of no transaction, from no producer.
fn plain() -> Vec<u8> {
    let mut bytes = batch::marker(-1, -1, true, 0);
    bytes[21..23].copy_from_slice(&0_i16.to_be_bytes());
    batch::with_append_time(&bytes, 0)
}

/// A node with a topic of one partition of three batches.
fn node(folder: &std::path::Path) -> Node {
    let node = Node::open(folder, Durability::Process).expect("the node opens");
    let new = NewTopic { name: "t".to_owned(), partitions: 1, config: TopicConfig::default() };
    let topic = node.topics.create(&new).expect("a topic");
    let partition = topic.partition(0).expect("the partition");
    for _ in 0..3 {
        let (bytes, limits) = (plain(), Limits { segment_bytes: u64::MAX, now_ms: 0 });
        let header = BatchHeader::read(&bytes).expect("a header");
        partition.append(header, &bytes, limits).expect("the disk works");
    }
    node
}

/// What the hand-written response says when the codec reads it.
fn fetch(node: &Node, version: i16, asked: (&str, i64, i32), isolation: i8) -> FetchResponse {
    let (name, offset, bytes_max) = asked;
    let id = node.topics.named(name).map_or(uuid::Uuid::from_u128(5), |topic| topic.id);
    let partition =
        FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(bytes_max);
    let topic = FetchTopic::default().with_partitions(vec![partition]);
    let topic = if version >= TOPIC_IDS_SINCE {
        topic.with_topic_id(id)
    } else {
        topic.with_topic(TopicName(text(name)))
    };
    let request = FetchRequest::default()
        .with_max_bytes(1_000_000)
        .with_isolation_level(isolation)
        .with_topics(vec![topic]);
    let mut bytes = Vec::new();
    RequestHeader::default()
        .with_request_api_key(ApiKey::Fetch as i16)
        .with_request_api_version(version)
        .with_correlation_id(7)
        .encode(&mut bytes, ApiKey::Fetch.request_header_version(version))
        .expect("a header");
    request.encode(&mut bytes, version).expect("a request");
    let incoming = Incoming::read(Bytes::from(bytes)).expect("a sound request");
    let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let client_id = String::new();
    let call = Call { node, version, client_id, client: nowhere, local: nowhere };
    let mut frame = Frame::default();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(serve(&call, &incoming, &mut frame, std::future::ready(())))
        .expect("an answer");
    let mut bytes = Bytes::copy_from_slice(frame.bytes());
    assert_eq!(usize::try_from(bytes.get_i32()), Ok(bytes.remaining()));
    let header_version = ApiKey::Fetch.response_header_version(version);
    let header = ResponseHeader::decode(&mut bytes, header_version).expect("a header");
    assert_eq!(header.correlation_id, 7);
    let response = FetchResponse::decode(&mut bytes, version).expect("a response");
    assert_eq!(bytes.remaining(), 0, "version {version}");
    response
}

fn partition(response: FetchResponse) -> PartitionData {
    response.responses.into_iter().next().expect("a topic").partitions.remove(0)
}

fn versions() -> std::ops::RangeInclusive<i16> {
    let api = APIS.iter().find(|api| api.key == ApiKey::Fetch).expect("fetch is spoken");
    api.min..=api.max
}

#[test]
fn the_codec_reads_the_response_in_every_version() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let node = node(folder.path());
    let size = plain().len();
    // Offset and bytes asked for, batches given.
    let facts = [(0, 1_000, 3), (1, 1_000, 2), (0, 1, 1), (1, 100, 1), (3, 1_000, 0)];
    for version in versions() {
        for isolation in [0, COMMITTED_ONLY] {
            for (offset, bytes_max, batches) in facts {
                let found = partition(fetch(&node, version, ("t", offset, bytes_max), isolation));
                assert_eq!((found.error_code, found.high_watermark), (0, 3));
                assert_eq!(found.last_stable_offset, 3);
                let records = found.records.unwrap_or_default();
                assert_eq!(records.len(), batches * size, "version {version} from {offset}");
                if let Ok(first) = BatchHeader::read(&records) {
                    assert_eq!(first.base_offset, offset);
                }
            }
        }
    }
}

#[test]
fn what_is_not_there_is_told_in_every_version() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let node = node(folder.path());
    for version in versions() {
        let unknown = if version >= TOPIC_IDS_SINCE {
            ResponseError::UnknownTopicId
        } else {
            ResponseError::UnknownTopicOrPartition
        };
        let facts = [(("t", 4), ResponseError::OffsetOutOfRange), (("u", 0), unknown)];
        for ((name, offset), error) in facts {
            let found = partition(fetch(&node, version, (name, offset, 1_000), 0));
            assert_eq!(found.error_code, error.code(), "version {version}, {name}");
            assert_eq!(found.records.unwrap_or_default(), Bytes::new());
        }
    }
}

#[test]
fn committed_readers_are_told_of_aborted_transactions_and_no_further() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let node = node(folder.path());
    let topic = node.topics.named("t").expect("the topic");
    let partition_of = topic.partition(0).expect("the partition");
    // Producer 8 aborts at offset 4, producer 9 stays open from offset 5.
    for (producer_id, is_marker) in [(8, false), (8, true), (9, false)] {
        let mut bytes = batch::marker(producer_id, 0, false, 0);
        if !is_marker {
            bytes[21..23].copy_from_slice(&(1_i16 << 4).to_be_bytes());
        }
        let header = BatchHeader::read(&bytes).expect("a header");
        let limits = Limits { segment_bytes: u64::MAX, now_ms: 0 };
        partition_of.append(header, &bytes, limits).expect("the disk works");
    }
    for version in versions() {
        let found = partition(fetch(&node, version, ("t", 0, 10_000), COMMITTED_ONLY));
        assert_eq!((found.last_stable_offset, found.high_watermark), (5, 6));
        let aborted = found.aborted_transactions.unwrap_or_default();
        let aborted: Vec<(i64, i64)> =
            aborted.iter().map(|a| (a.producer_id.0, a.first_offset)).collect();
        assert_eq!(aborted, [(8, 3)]);
        assert_eq!(found.records.unwrap_or_default().len(), 5 * plain().len());
        let found = partition(fetch(&node, version, ("t", 0, 10_000), 0));
        assert_eq!(found.aborted_transactions, None);
        assert_eq!(found.records.unwrap_or_default().len(), 6 * plain().len());
    }
}
