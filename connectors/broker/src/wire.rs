//! Requests and responses as bytes: framing, headers, which versions are spoken.
//!
//! The codec is the crate `kafka-protocol`; what it would believe too easily is checked before
//! ([`shape`]).

pub(crate) mod shape;

use bytes::{Buf, Bytes};
use kafka_protocol::messages::{ApiKey, RequestHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};

use shape::Field;

/// Greatest request, as Kafka's `socket.request.max.bytes`.
const REQUEST_BYTES_MAX: usize = 100 * 1024 * 1024;

/// Greatest request that carries no records.
const CONTROL_REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;

/// One request type that is spoken, from version `min` to `max`.
pub(crate) struct Api {
    pub(crate) key: ApiKey,
    pub(crate) min: i16,
    pub(crate) max: i16,
    shape: &'static [Field],
}

const fn api(key: ApiKey, min: i16, max: i16, shape: &'static [Field]) -> Api {
    Api { key, min, max, shape }
}

/// All request types that are spoken. Upper versions stop before what a single node has no use
/// for: transactions of the second kind (`EndTxn` 5), topic ids in `Produce` (13), fetching
/// replicas (`Fetch` 17).
pub(crate) const APIS: &[Api] = &[
    api(ApiKey::Produce, 3, 11, shape::PRODUCE),
    api(ApiKey::Fetch, 4, 16, shape::FETCH),
    api(ApiKey::ListOffsets, 1, 8, shape::LIST_OFFSETS),
    api(ApiKey::Metadata, 0, 12, shape::METADATA),
    api(ApiKey::OffsetCommit, 2, 9, shape::OFFSET_COMMIT),
    api(ApiKey::OffsetFetch, 1, 9, shape::OFFSET_FETCH),
    api(ApiKey::FindCoordinator, 0, 5, shape::FIND_COORDINATOR),
    api(ApiKey::JoinGroup, 0, 9, shape::JOIN_GROUP),
    api(ApiKey::Heartbeat, 0, 4, shape::HEARTBEAT),
    api(ApiKey::LeaveGroup, 0, 5, shape::LEAVE_GROUP),
    api(ApiKey::SyncGroup, 0, 5, shape::SYNC_GROUP),
    api(ApiKey::DescribeGroups, 0, 5, shape::DESCRIBE_GROUPS),
    api(ApiKey::ListGroups, 0, 5, shape::LIST_GROUPS),
    api(ApiKey::ApiVersions, 0, 4, shape::API_VERSIONS),
    api(ApiKey::CreateTopics, 2, 7, shape::CREATE_TOPICS),
    api(ApiKey::DeleteTopics, 1, 6, shape::DELETE_TOPICS),
    api(ApiKey::DeleteRecords, 0, 2, shape::DELETE_RECORDS),
    api(ApiKey::InitProducerId, 0, 5, shape::INIT_PRODUCER_ID),
    api(ApiKey::OffsetForLeaderEpoch, 2, 4, shape::OFFSET_FOR_LEADER_EPOCH),
    api(ApiKey::AddPartitionsToTxn, 0, 3, shape::ADD_PARTITIONS_TO_TXN),
    api(ApiKey::AddOffsetsToTxn, 0, 4, shape::ADD_OFFSETS_TO_TXN),
    api(ApiKey::EndTxn, 0, 4, shape::END_TXN),
    api(ApiKey::TxnOffsetCommit, 0, 4, shape::TXN_OFFSET_COMMIT),
    api(ApiKey::DescribeConfigs, 1, 4, shape::DESCRIBE_CONFIGS),
    api(ApiKey::AlterConfigs, 0, 2, shape::ALTER_CONFIGS),
    api(ApiKey::CreatePartitions, 0, 3, shape::CREATE_PARTITIONS),
    api(ApiKey::DeleteGroups, 0, 2, shape::DELETE_GROUPS),
    api(ApiKey::IncrementalAlterConfigs, 0, 1, shape::INCREMENTAL_ALTER_CONFIGS),
    api(ApiKey::OffsetDelete, 0, 0, shape::OFFSET_DELETE),
    api(ApiKey::DescribeCluster, 0, 1, shape::DESCRIBE_CLUSTER),
];

/// A request whose header is read.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) key: ApiKey,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: String,
    body: Bytes,
}

/// Why a connection is closed. A client that speaks the protocol never sees it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Close {
    #[error("a request of `{0}` bytes")]
    TooLarge(i64),
    #[error("a request type or version that is not spoken: {key} version {version}")]
    Unspoken { key: i16, version: i16 },
    #[error("a request that is not what it says: {0}")]
    Malformed(String),
    #[error("a response cannot be encoded: {0}")]
    Response(String),
    #[error("the connection failed")]
    Io(#[from] std::io::Error),
}

impl Incoming {
    /// Reads a request's header; `frame` is the request without its length.
    pub(crate) fn read(frame: Bytes) -> Result<Self, Close> {
        let fixed = frame.first_chunk::<8>();
        let &[k0, k1, v0, v1, c0, c1, c2, c3] =
            fixed.ok_or_else(|| Close::Malformed("shorter than its header".to_owned()))?;
        let (key, version) = (i16::from_be_bytes([k0, k1]), i16::from_be_bytes([v0, v1]));
        let unspoken = Close::Unspoken { key, version };
        let Some(api) = APIS.iter().find(|api| api.key as i16 == key) else {
            return Err(unspoken);
        };
        let correlation_id = i32::from_be_bytes([c0, c1, c2, c3]);
        let is_spoken = (api.min..=api.max).contains(&version);
        if !is_spoken && api.key == ApiKey::ApiVersions {
            // This one is answered in version 0 with what is spoken.
            let (client_id, body) = (String::new(), Bytes::new());
            return Ok(Self { key: api.key, version, correlation_id, client_id, body });
        }
        if !is_spoken {
            return Err(unspoken);
        }
        if api.key != ApiKey::Produce && frame.len() > CONTROL_REQUEST_BYTES_MAX {
            return Err(Close::TooLarge(i64::try_from(frame.len()).unwrap_or(i64::MAX)));
        }
        let header_version = api.key.request_header_version(version);
        let mut body = frame;
        let header = RequestHeader::decode(&mut body, header_version)
            .map_err(|error| Close::Malformed(error.to_string()))?;
        if !shape::fits(&body, api.shape, version, header_version >= 2) {
            let message = format!("{:?} version {version} with a false length", api.key);
            return Err(Close::Malformed(message));
        }
        let client_id = header.client_id.map(|id| id.to_string()).unwrap_or_default();
        Ok(Self { key: api.key, version, correlation_id, client_id, body })
    }

    /// Whether the version is one of those announced.
    pub(crate) fn is_spoken(&self) -> bool {
        APIS.iter().any(|api| api.key == self.key && (api.min..=api.max).contains(&self.version))
    }

    /// Decodes the request.
    pub(crate) fn decode<R: Decodable>(&self) -> Result<R, Close> {
        let mut body = self.body.clone();
        R::decode(&mut body, self.version).map_err(|error| Close::Malformed(error.to_string()))
    }
}

/// Length of the frame at the start of `input`, if its four bytes are there.
pub(crate) fn frame_length(input: &[u8]) -> Result<Option<usize>, Close> {
    let Some(mut prefix) = input.first_chunk::<4>().map(<[u8; 4]>::as_slice) else {
        return Ok(None);
    };
    let length = prefix.get_i32();
    match usize::try_from(length) {
        Ok(bytes) if bytes <= REQUEST_BYTES_MAX => Ok(Some(bytes)),
        _ => Err(Close::TooLarge(i64::from(length))),
    }
}

/// Writes a response with its length and header into `out`, which it empties first.
pub(crate) fn encode<R: Encodable + HeaderVersion>(
    out: &mut Vec<u8>,
    correlation_id: i32,
    version: i16,
    response: &R,
) -> Result<(), Close> {
    out.clear();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&correlation_id.to_be_bytes());
    if R::header_version(version) >= 1 {
        out.push(0);
    }
    response.encode(out, version).map_err(|error| Close::Response(error.to_string()))?;
    let length = i32::try_from(out.len() - 4).unwrap_or(i32::MAX);
    if let Some(place) = out.first_chunk_mut::<4>() {
        *place = length.to_be_bytes();
    }
    Ok(())
}

/// A text of the protocol.
pub(crate) fn text(value: impl Into<String>) -> StrBytes {
    StrBytes::from_string(value.into())
}

#[cfg(test)]
mod tests;
