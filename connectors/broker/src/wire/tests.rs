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

/// A small generator of numbers; the same seed gives the same run.
struct Seed(u64);

impl Seed {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (below.max(1) as u64)).expect("a small number")
    }
}

fn mutate(bytes: &mut Vec<u8>, seed: &mut Seed) {
    const EXTREMES: [[u8; 4]; 5] =
        [[0x7f, 0xff, 0xff, 0xff], [0xff; 4], [0; 4], [0x80, 0, 0, 0], [0, 1, 0, 0]];
    for _ in 0..=seed.next(3) {
        let at = seed.next(bytes.len());
        match seed.next(5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, u8::try_from(seed.next(256)).unwrap_or(0)),
            2 if at + 4 <= bytes.len() => {
                bytes[at..at + 4].copy_from_slice(&EXTREMES[seed.next(EXTREMES.len())]);
            }
            _ if at < bytes.len() => bytes[at] ^= 1 << seed.next(8),
            _ => {}
        }
    }
}

/// How many mutations of each sample are tried; more by `ENGINE_FUZZ_ROUNDS`.
const ROUNDS: usize = 60;

#[test]
fn no_request_makes_the_broker_panic() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let target = crate::fuzz_target(folder.path()).expect("the broker opens");
    let given = std::env::var_os("ENGINE_FUZZ_ROUNDS");
    let rounds = given.and_then(|text| text.to_str()?.parse().ok()).unwrap_or(ROUNDS);
    let mut seed = Seed(0x9e37_79b9_7f4a_7c15);
    for sample in samples::all() {
        for (_, bytes) in &sample.frames {
            target(bytes);
            for _ in 0..rounds {
                let mut mutated = bytes.clone();
                mutate(&mut mutated, &mut seed);
                target(&mutated);
            }
        }
    }
}
