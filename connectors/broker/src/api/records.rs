//! Offsets of a log: where it starts and ends, which belongs to a time, what is forgotten.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{
    DeleteRecordsRequest, DeleteRecordsResponse, ListOffsetsRequest, ListOffsetsResponse,
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
};
use std::sync::Arc;

use super::code;
use crate::log::Log;
use crate::log::times::TimedOffset;
use crate::node::{Call, LEADER_EPOCH};
use crate::partition::Partition;

/// Times with a meaning of their own.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const GREATEST_TIME: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;

/// Isolation level "committed records only".
pub(crate) const COMMITTED_ONLY: i8 = 1;

pub(crate) fn list_offsets(call: &Call<'_>, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let is_committed_only = request.isolation_level == COMMITTED_ONLY;
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|wanted| {
            let found = find(call, &topic.name, wanted.partition_index)
                .and_then(|p| offset_at(&mut p.log(), wanted.timestamp, is_committed_only));
            let error = code(&found);
            let none = TimedOffset { timestamp: -1, offset: -1 };
            let found = found.ok().flatten();
            let epoch = if found.is_some() { LEADER_EPOCH } else { -1 };
            let TimedOffset { timestamp, offset } = found.unwrap_or(none);
            ListOffsetsPartitionResponse::default()
                .with_partition_index(wanted.partition_index)
                .with_error_code(error)
                .with_timestamp(timestamp)
                .with_offset(offset)
                .with_leader_epoch(epoch)
        });
        let partitions = partitions.collect();
        ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

fn offset_at(
    log: &mut Log,
    timestamp: i64,
    is_committed_only: bool,
) -> Result<Option<TimedOffset>, ResponseError> {
    let untimed = |offset| Some(TimedOffset { timestamp: -1, offset });
    let end = if is_committed_only { log.stable_offset() } else { log.end_offset() };
    let found = match timestamp {
        LATEST => untimed(end),
        EARLIEST | EARLIEST_LOCAL => untimed(log.start_offset()),
        GREATEST_TIME => log.latest_by_time().map_err(|error| storage(&error))?,
        time if time >= 0 => log.offset_at_time(time).map_err(|error| storage(&error))?,
        _ => return Err(ResponseError::InvalidRequest),
    };
    Ok(found.filter(|found| found.timestamp < 0 || found.offset < end))
}

pub(crate) fn delete(call: &Call<'_>, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|wanted| {
            let low = find(call, &topic.name, wanted.partition_index)
                .and_then(|partition| delete_before(&mut partition.log(), wanted.offset));
            DeleteRecordsPartitionResult::default()
                .with_partition_index(wanted.partition_index)
                .with_error_code(code(&low))
                .with_low_watermark(low.unwrap_or(-1))
        });
        let partitions = partitions.collect();
        DeleteRecordsTopicResult::default().with_name(topic.name).with_partitions(partitions)
    });
    DeleteRecordsResponse::default().with_topics(topics.collect())
}

/// Deletes what lies before `offset` (-1: everything); returns where the log now starts.
fn delete_before(log: &mut Log, offset: i64) -> Result<i64, ResponseError> {
    let offset = if offset == -1 { log.end_offset() } else { offset };
    if offset < 0 || offset > log.end_offset() {
        return Err(ResponseError::OffsetOutOfRange);
    }
    log.delete_before(offset).map_err(|error| storage(&error))?;
    Ok(log.start_offset())
}

/// There was only ever one leader epoch: it ends where the log ends.
pub(crate) fn epoch_ends(
    call: &Call<'_>,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|wanted| {
            let end = find(call, &topic.topic, wanted.partition).map(|p| p.log().end_offset());
            let is_known = end.is_ok() && wanted.leader_epoch >= LEADER_EPOCH;
            let is_known = is_known && wanted.leader_epoch <= LEADER_EPOCH;
            EpochEndOffset::default()
                .with_partition(wanted.partition)
                .with_error_code(code(&end))
                .with_leader_epoch(if is_known { LEADER_EPOCH } else { -1 })
                .with_end_offset(end.ok().filter(|_| is_known).unwrap_or(-1))
        });
        let partitions = partitions.collect();
        OffsetForLeaderTopicResult::default().with_topic(topic.topic).with_partitions(partitions)
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}

/// The partition, or that there is none.
pub(crate) fn find(
    call: &Call<'_>,
    topic: &str,
    partition: i32,
) -> Result<Arc<Partition>, ResponseError> {
    let found = call.node.topics.named(topic).and_then(|topic| topic.partition(partition));
    found.ok_or(ResponseError::UnknownTopicOrPartition)
}

/// The disk failed: the client may try again.
pub(crate) fn storage(error: &std::io::Error) -> ResponseError {
    tracing::warn!(
        %error,
        "the broker's folder cannot be read or written: clients wait and try again until it can"
    );
    ResponseError::KafkaStorageError
}
