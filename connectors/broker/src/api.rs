//! The requests, one module for each family, and the table that leads to them.

pub(crate) mod admin;
pub(crate) mod cluster;
pub(crate) mod configs;
pub(crate) mod fetch;
pub(crate) mod group;
pub(crate) mod offsets;
pub(crate) mod produce;
pub(crate) mod records;
pub(crate) mod transaction;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{ApiKey, ApiVersionsResponse};
use kafka_protocol::protocol::Request;

use crate::node::Call;
use crate::wire::{self, Close, Incoming};

/// Code of an outcome: 0 is success.
pub(crate) fn code<T>(outcome: &Result<T, ResponseError>) -> i16 {
    outcome.as_ref().err().map_or(0, ResponseError::code)
}

/// Answers one request into `out`; `false` if it gets no answer.
///
/// `Fetch` is not among them: it waits and reads files, see [`fetch::serve`].
pub(crate) async fn answer(
    call: &Call<'_>,
    incoming: &Incoming,
    out: &mut Vec<u8>,
) -> Result<bool, Close> {
    match incoming.key {
        ApiKey::JoinGroup => {
            let response = group::join(call, incoming.decode()?).await;
            wire::encode(out, incoming.correlation_id, incoming.version, &response)?;
        }
        ApiKey::SyncGroup => {
            let response = group::sync(call, incoming.decode()?).await;
            wire::encode(out, incoming.correlation_id, incoming.version, &response)?;
        }
        _ => return answer_at_once(call, incoming, out),
    }
    Ok(true)
}

/// Answers the requests that wait for nobody.
pub(crate) fn answer_at_once(
    call: &Call<'_>,
    incoming: &Incoming,
    out: &mut Vec<u8>,
) -> Result<bool, Close> {
    let mut to = To { incoming, out };
    match incoming.key {
        ApiKey::Produce => return produce::serve(call, incoming, to.out),
        ApiKey::ApiVersions => return api_versions(incoming, to.out),
        ApiKey::Metadata => to.plain(|request| cluster::metadata(call, request)),
        ApiKey::DescribeCluster => to.plain(|request| cluster::describe(call, &request)),
        ApiKey::FindCoordinator => to.plain(|request| cluster::find_coordinator(call, request)),
        ApiKey::ListOffsets => to.plain(|request| records::list_offsets(call, request)),
        ApiKey::DeleteRecords => to.plain(|request| records::delete(call, request)),
        ApiKey::OffsetForLeaderEpoch => to.plain(|request| records::epoch_ends(call, request)),
        ApiKey::CreateTopics => to.plain(|request| admin::create_topics(call, request)),
        ApiKey::DeleteTopics => to.plain(|request| admin::delete_topics(call, request)),
        ApiKey::CreatePartitions => to.plain(|request| admin::create_partitions(call, request)),
        ApiKey::DescribeConfigs => to.plain(|request| configs::describe(call, request)),
        ApiKey::AlterConfigs => to.plain(|request| configs::replace(call, request)),
        ApiKey::IncrementalAlterConfigs => to.plain(|request| configs::change(call, request)),
        ApiKey::OffsetCommit => to.plain(|request| offsets::commit(call, request)),
        ApiKey::OffsetFetch => to.plain(|request| offsets::fetch(call, request)),
        ApiKey::OffsetDelete => to.plain(|request| offsets::delete(call, request)),
        ApiKey::Heartbeat => to.plain(|request| group::heartbeat(call, &request)),
        ApiKey::LeaveGroup => to.plain(|request| group::leave(call, request)),
        ApiKey::ListGroups => to.plain(|request| group::list(call, &request)),
        ApiKey::DescribeGroups => to.plain(|request| group::describe(call, request)),
        ApiKey::DeleteGroups => to.plain(|request| group::delete(call, request)),
        ApiKey::InitProducerId => to.plain(|request| transaction::init(call, &request)),
        ApiKey::AddPartitionsToTxn => to.plain(|r| transaction::add_partitions(call, r)),
        ApiKey::AddOffsetsToTxn => to.plain(|request| transaction::add_offsets(call, &request)),
        ApiKey::TxnOffsetCommit => to.plain(|r| transaction::commit_offsets(call, &r)),
        ApiKey::EndTxn => to.plain(|request| transaction::end(call, &request)),
        key => Err(Close::Unspoken { key: key as i16, version: incoming.version }),
    }?;
    Ok(true)
}

/// Where an answer goes.
struct To<'a> {
    incoming: &'a Incoming,
    out: &'a mut Vec<u8>,
}

impl To<'_> {
    fn plain<R: Request>(&mut self, serve: impl FnOnce(R) -> R::Response) -> Result<(), Close> {
        let response = serve(self.incoming.decode()?);
        wire::encode(self.out, self.incoming.correlation_id, self.incoming.version, &response)
    }
}

fn api_versions(incoming: &Incoming, out: &mut Vec<u8>) -> Result<bool, Close> {
    let is_spoken = incoming.is_spoken();
    let version = if is_spoken { incoming.version } else { 0 };
    let error = if is_spoken { 0 } else { ResponseError::UnsupportedVersion.code() };
    let response =
        ApiVersionsResponse::default().with_error_code(error).with_api_keys(cluster::spoken());
    wire::encode(out, incoming.correlation_id, version, &response)?;
    Ok(true)
}
