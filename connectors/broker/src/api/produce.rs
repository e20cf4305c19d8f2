//! Produce: one batch for each partition, checked and stored as it is.

use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_request::PartitionProduceData;
use kafka_protocol::messages::produce_response::{
    LeaderIdAndEpoch, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{BrokerId, ProduceRequest, ProduceResponse};

use super::records::storage;
use crate::clock;
use crate::files::Durability;
use crate::log::batch::{self, BadHeader, BatchHeader};
use crate::log::producers::Verdict;
use crate::node::Call;
use crate::partition::{Appended, Limits, Partition};
use crate::topics::Topic;
use crate::wire::{self, Close, Incoming, text};

/// First version whose clients know zstd.
const ZSTD_SINCE: i16 = 7;

/// Code of zstd in a batch's attributes; greater ones are unknown.
const ZSTD: i16 = 4;

/// Where a batch was stored.
struct Stored {
    base_offset: i64,
    append_time_ms: i64,
}

/// Why a batch was not stored.
struct NotStored {
    error: ResponseError,
    message: Option<String>,
}

impl From<ResponseError> for NotStored {
    fn from(error: ResponseError) -> Self {
        Self { error, message: None }
    }
}

fn invalid(message: &str) -> NotStored {
    NotStored { error: ResponseError::InvalidRecord, message: Some(message.to_owned()) }
}

/// Stores the batches; with `acks = 0` there is no answer.
pub(crate) fn serve(
    call: &Call<'_>,
    incoming: &Incoming,
    out: &mut Vec<u8>,
) -> Result<bool, Close> {
    let request: ProduceRequest = incoming.decode()?;
    let acks = request.acks;
    let is_acks_known = matches!(acks, -1..=1);
    let responses = request.topic_data.into_iter().map(|topic_data| {
        let topic = call.node.topics.named(&topic_data.name);
        let partitions = topic_data.partition_data.into_iter().map(|data| {
            let index = data.index;
            let stored = if is_acks_known {
                store_at(call, topic.as_ref(), data)
            } else {
                Err(ResponseError::InvalidRequiredAcks.into())
            };
            let partition = topic.as_ref().and_then(|topic| topic.partition(index));
            response(index, stored, partition.as_deref())
        });
        let partitions = partitions.collect();
        TopicProduceResponse::default()
            .with_name(topic_data.name)
            .with_partition_responses(partitions)
    });
    let response = ProduceResponse::default().with_responses(responses.collect());
    if acks == 0 {
        return Ok(false);
    }
    wire::encode(out, incoming.correlation_id, incoming.version, &response)?;
    Ok(true)
}

fn response(
    index: i32,
    stored: Result<Stored, NotStored>,
    partition: Option<&Partition>,
) -> PartitionProduceResponse {
    let nobody = LeaderIdAndEpoch::default().with_leader_id(BrokerId(-1)).with_leader_epoch(-1);
    let response =
        PartitionProduceResponse::default().with_index(index).with_current_leader(nobody);
    match stored {
        Ok(stored) => response
            .with_base_offset(stored.base_offset)
            .with_log_append_time_ms(stored.append_time_ms)
            .with_log_start_offset(partition.map_or(0, |partition| partition.log().start_offset())),
        Err(refused) => response
            .with_error_code(refused.error.code())
            .with_base_offset(-1)
            .with_log_append_time_ms(-1)
            .with_log_start_offset(-1)
            .with_error_message(refused.message.map(text)),
    }
}

fn store_at(
    call: &Call<'_>,
    topic: Option<&Arc<Topic>>,
    data: PartitionProduceData,
) -> Result<Stored, NotStored> {
    let unknown = || NotStored::from(ResponseError::UnknownTopicOrPartition);
    let topic = topic.ok_or_else(unknown)?;
    let partition = topic.partition(data.index).ok_or_else(unknown)?;
    let records = data.records.ok_or_else(|| invalid("no records"))?;
    let header = check(&records, call.version)?;
    let (bytes_max, segment_bytes, is_log_append_time) = topic.append_settings();
    if header.bytes > bytes_max {
        let message = format!(
            "a batch of {} bytes is larger than `max.message.bytes` of topic `{}`, {bytes_max}",
            header.bytes, topic.name
        );
        let error = ResponseError::MessageTooLarge;
        return Err(NotStored { error, message: Some(message) });
    }
    let now_ms = clock::wall_ms();
    let limits = Limits { segment_bytes, now_ms };
    let append = || {
        if is_log_append_time {
            let stamped = batch::with_append_time(&records, now_ms);
            let header = BatchHeader { max_timestamp: now_ms, ..header };
            partition.append(header, &stamped, limits)
        } else {
            partition.append(header, &records, limits)
        }
    };
    let appended = if header.is_transactional() {
        call.node.transactions.writing(&header, (topic.id, partition.index), append)?
    } else {
        append()
    };
    let base_offset = match appended.map_err(|error| storage(&error))? {
        Appended::At(offset) => offset,
        Appended::Not(verdict) => settle(verdict)?,
    };
    if call.node.durability == Durability::Power && !header.is_transactional() {
        partition.log().sync().map_err(|error| storage(&error))?;
    }
    let append_time_ms = if is_log_append_time { now_ms } else { -1 };
    Ok(Stored { base_offset, append_time_ms })
}

/// What a batch that was not appended is answered with.
fn settle(verdict: Verdict) -> Result<i64, NotStored> {
    match verdict {
        Verdict::Repeated { base_offset } => Ok(base_offset),
        Verdict::RepeatedLongAgo => Err(ResponseError::DuplicateSequenceNumber.into()),
        Verdict::OutOfOrder => Err(ResponseError::OutOfOrderSequenceNumber.into()),
        Verdict::Fenced => Err(ResponseError::InvalidProducerEpoch.into()),
        Verdict::Append => Err(ResponseError::UnknownServerError.into()),
    }
}

/// Checks that `records` is one sound batch of a client.
fn check(records: &[u8], version: i16) -> Result<BatchHeader, NotStored> {
    let header = BatchHeader::read(records).map_err(|bad| match bad {
        BadHeader::OldFormat => ResponseError::UnsupportedForMessageFormat.into(),
        BadHeader::Short | BadHeader::Nonsense => NotStored::from(ResponseError::CorruptMessage),
    })?;
    if header.bytes > records.len() || !batch::is_intact(records) {
        return Err(ResponseError::CorruptMessage.into());
    }
    if header.bytes < records.len() {
        return Err(invalid("more than one batch for a partition"));
    }
    if header.record_count < 1 || header.record_count - 1 != header.last_offset_delta {
        return Err(invalid("record count and offsets of the batch disagree"));
    }
    if header.is_control() {
        return Err(invalid("clients do not write control records"));
    }
    if header.compression() == ZSTD && version < ZSTD_SINCE {
        return Err(ResponseError::UnsupportedCompressionType.into());
    }
    if header.compression() > ZSTD {
        return Err(invalid("unknown compression"));
    }
    let is_numbered = header.producer_epoch >= 0 && header.base_sequence >= 0;
    if header.producer_id >= 0 && !is_numbered {
        return Err(invalid("an idempotent producer without epoch or sequence numbers"));
    }
    if header.is_transactional() && header.producer_id < 0 {
        return Err(invalid("a transactional batch without a producer id"));
    }
    Ok(header)
}
