use std::fmt::Write as _;

use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, AlterConfigsRequest, ApiVersionsRequest,
    BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteGroupsRequest,
    DeleteRecordsRequest, DeleteTopicsRequest, DescribeClusterRequest, DescribeConfigsRequest,
    DescribeGroupsRequest, EndTxnRequest, FetchRequest, FindCoordinatorRequest, GroupId,
    HeartbeatRequest, IncrementalAlterConfigsRequest, InitProducerIdRequest, JoinGroupRequest,
    LeaveGroupRequest, ListGroupsRequest, ListOffsetsRequest, MetadataRequest, OffsetCommitRequest,
    OffsetDeleteRequest, OffsetFetchRequest, OffsetForLeaderEpochRequest, ProduceRequest,
    SyncGroupRequest, TopicName, TransactionalId, TxnOffsetCommitRequest,
};
use kafka_protocol::protocol::Request;
use kafka_protocol::protocol::buf::ByteBufMut;

use super::*;

mod samples;

/// A request of one type in all versions that can say it.
struct Sample {
    key: ApiKey,
    /// (version, header and body)
    frames: Vec<(i16, Vec<u8>)>,
}

fn sample<R: Request>(key: ApiKey, full: &R, plain: &R) -> Sample {
    let api = APIS.iter().find(|api| api.key == key).expect("a spoken request");
    let frames = (api.min..=api.max).map(|version| {
        let mut bytes = header(key, version);
        // A field that a version lacks cannot be said in it: the plain request can.
        let start = bytes.len();
        if full.encode(&mut bytes, version).is_err() {
            bytes.seek(start);
            plain.encode(&mut bytes, version).expect("a plain request");
        }
        (version, bytes)
    });
    Sample { key, frames: frames.collect() }
}

fn header(key: ApiKey, version: i16) -> Vec<u8> {
    let mut bytes = Vec::new();
    RequestHeader::default()
        .with_request_api_key(key as i16)
        .with_request_api_version(version)
        .with_correlation_id(7)
        .with_client_id(Some(text("fuzz")))
        .encode(&mut bytes, key.request_header_version(version))
        .expect("a header");
    bytes
}

#[test]
fn every_spoken_request_passes_the_check_of_its_lengths() {
    let samples = samples::all();
    assert_eq!(samples.len(), APIS.len());
    for sample in samples {
        for (version, bytes) in sample.frames {
            let incoming = Incoming::read(Bytes::from(bytes));
            assert!(incoming.is_ok(), "{:?} version {version}: {incoming:?}", sample.key);
        }
    }
}

#[test]
fn a_request_cut_short_is_refused() {
    for sample in samples::all() {
        for (version, bytes) in sample.frames {
            if sample.key == ApiKey::ApiVersions || bytes.len() < 24 {
                continue;
            }
            let cut = Bytes::copy_from_slice(&bytes[..bytes.len() - 1]);
            assert!(Incoming::read(cut).is_err(), "{:?} version {version}", sample.key);
        }
    }
}

#[test]
fn a_length_that_lies_is_refused_before_memory_is_reserved() {
    // Metadata version 1: the number of topics, then nothing.
    for claimed in [i32::MAX, 1_000_000, 1, -2] {
        let mut bytes = header(ApiKey::Metadata, 1);
        bytes.extend_from_slice(&claimed.to_be_bytes());
        assert!(Incoming::read(Bytes::from(bytes)).is_err(), "{claimed}");
    }
    // Version 9: the same as a varint.
    let mut bytes = header(ApiKey::Metadata, 9);
    bytes.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0]);
    assert!(Incoming::read(Bytes::from(bytes)).is_err());
}

#[test]
fn frames_are_limited() {
    let facts = [
        (vec![0, 0, 0], Ok(None)),
        (vec![0, 0, 0, 9], Ok(Some(9))),
        (vec![0x7f, 0xff, 0xff, 0xff], Err(())),
        (vec![0xff, 0xff, 0xff, 0xff], Err(())),
    ];
    for (bytes, expected) in facts {
        assert_eq!(frame_length(&bytes).map_err(drop), expected, "{bytes:?}");
    }
}

/// The corpus of the project's fuzzer: a line `Name version hex` for each frame of each sample.
const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fuzz/corpus/requests.txt");

/// `UPDATE_EXPECT=1` writes the file.
#[test]
fn the_fuzzers_corpus_has_every_sample() {
    let mut lines = String::new();
    for sample in samples::all() {
        for (version, bytes) in sample.frames {
            write!(lines, "{:?} {version} ", sample.key).expect("a String takes everything");
            for byte in bytes {
                write!(lines, "{byte:02x}").expect("a String takes everything");
            }
            lines.push('\n');
        }
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(CORPUS, &lines).expect("the corpus can be written");
    }
    let kept = std::fs::read_to_string(CORPUS).expect("the corpus is there");
    assert!(kept == lines, "the samples have changed: run with UPDATE_EXPECT=1");
}
