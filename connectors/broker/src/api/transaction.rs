//! Transactions on the wire.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse, EndTxnRequest, EndTxnResponse, InitProducerIdRequest,
    InitProducerIdResponse, ProducerId, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};

use super::{code, offsets, records};
use crate::format::OffsetKey;
use crate::node::Call;
use crate::transactions::{Claim, Identity};

/// Clients of older versions know a fenced producer by another code.
fn for_version(error: ResponseError, is_new: bool) -> ResponseError {
    match error {
        ResponseError::ProducerFenced if !is_new => ResponseError::InvalidProducerEpoch,
        other => other,
    }
}

pub(crate) fn init(call: &Call<'_>, request: &InitProducerIdRequest) -> InitProducerIdResponse {
    let outcome = init_producer(call, request).map_err(|e| for_version(e, call.version >= 4));
    let error = code(&outcome);
    let identity = outcome.unwrap_or(Identity { producer_id: -1, epoch: -1 });
    InitProducerIdResponse::default()
        .with_error_code(error)
        .with_producer_id(ProducerId(identity.producer_id))
        .with_producer_epoch(identity.epoch)
}

fn init_producer(
    call: &Call<'_>,
    request: &InitProducerIdRequest,
) -> Result<Identity, ResponseError> {
    let node = call.node;
    let Some(transactional_id) = &request.transactional_id else {
        let producer_id = node.ledger().next_producer_id();
        let producer_id = producer_id.map_err(|error| records::storage(&error))?;
        return Ok(Identity { producer_id, epoch: 0 });
    };
    if transactional_id.is_empty() {
        return Err(ResponseError::InvalidRequest);
    }
    let (producer_id, epoch) = (request.producer_id.0, request.producer_epoch);
    let present = (producer_id >= 0).then_some(Identity { producer_id, epoch });
    let timeout_ms = request.transaction_timeout_ms;
    node.transactions.init(transactional_id, timeout_ms, present, &node.ledger)
}

pub(crate) fn add_partitions(
    call: &Call<'_>,
    request: AddPartitionsToTxnRequest,
) -> AddPartitionsToTxnResponse {
    let claim = Claim {
        transactional_id: &request.v3_and_below_transactional_id,
        producer_id: request.v3_and_below_producer_id.0,
        epoch: request.v3_and_below_producer_epoch,
    };
    let topics = request.v3_and_below_topics;
    let error_of = add_all(call, &claim, &topics);
    let results = topics.into_iter().map(|topic| {
        let results = topic.partitions.iter().map(|index| {
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(*index)
                .with_partition_error_code(error_of(&topic.name, *index))
        });
        let results = results.collect();
        AddPartitionsToTxnTopicResult::default()
            .with_name(topic.name)
            .with_results_by_partition(results)
    });
    AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(results.collect())
}

/// Adds all partitions or none; the answer knows each one's error code.
fn add_all<'a>(
    call: &'a Call<'_>,
    claim: &Claim<'_>,
    topics: &[AddPartitionsToTxnTopic],
) -> impl Fn(&str, i32) -> i16 + use<'a> {
    let mut found = Vec::new();
    let mut is_complete = true;
    for topic in topics {
        let known = call.node.topics.named(&topic.name);
        for index in &topic.partitions {
            let partition = known.as_ref().and_then(|t| Some((t.id, t.partition(*index)?)));
            is_complete &= partition.is_some();
            found.extend(partition);
        }
    }
    let checked = call.node.transactions.check(claim);
    let outcome = checked.and_then(|()| {
        if is_complete { call.node.transactions.add_partitions(claim, found) } else { Ok(()) }
    });
    let outcome = outcome.map_err(|error| for_version(error, call.version >= 2));
    move |topic: &str, index: i32| match (outcome, is_complete) {
        (Err(error), _) => error.code(),
        (Ok(()), true) => 0,
        (Ok(()), false) => match records::find(call, topic, index) {
            Ok(_) => ResponseError::OperationNotAttempted.code(),
            Err(error) => error.code(),
        },
    }
}

pub(crate) fn add_offsets(
    call: &Call<'_>,
    request: &AddOffsetsToTxnRequest,
) -> AddOffsetsToTxnResponse {
    let claim = Claim {
        transactional_id: &request.transactional_id,
        producer_id: request.producer_id.0,
        epoch: request.producer_epoch,
    };
    let outcome = call.node.transactions.add_group(&claim, &request.group_id);
    let outcome = outcome.map_err(|error| for_version(error, call.version >= 2));
    AddOffsetsToTxnResponse::default().with_error_code(code(&outcome))
}

pub(crate) fn commit_offsets(
    call: &Call<'_>,
    request: &TxnOffsetCommitRequest,
) -> TxnOffsetCommitResponse {
    let group = request.group_id.as_str();
    let allowed = may_commit(call, request);
    let (mut entries, mut topics) = (Vec::new(), Vec::new());
    for topic in &request.topics {
        let partitions = topic.partitions.iter().map(|partition| {
            let key = OffsetKey {
                group: group.to_owned(),
                topic: topic.name.to_string(),
                partition: partition.partition_index,
            };
            let offset = (partition.committed_offset, partition.committed_leader_epoch);
            let metadata = partition.committed_metadata.as_deref();
            let checked = allowed.and_then(|()| offsets::entry(call, key, offset, metadata));
            let error = code(&checked);
            entries.extend(checked);
            TxnOffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(error)
        });
        let partitions: Vec<_> = partitions.collect();
        let name = topic.name.clone();
        topics.push(
            TxnOffsetCommitResponseTopic::default().with_name(name).with_partitions(partitions),
        );
    }
    let claim = Claim {
        transactional_id: &request.transactional_id,
        producer_id: request.producer_id.0,
        epoch: request.producer_epoch,
    };
    if !entries.is_empty()
        && let Err(error) = call.node.transactions.add_offsets(&claim, group, entries)
    {
        for partition in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            partition.error_code = for_version(error, false).code();
        }
    }
    TxnOffsetCommitResponse::default().with_topics(topics)
}

/// A producer that names its consumer's membership is checked against the group.
fn may_commit(call: &Call<'_>, request: &TxnOffsetCommitRequest) -> Result<(), ResponseError> {
    if request.generation_id < 0 && request.member_id.is_empty() {
        return Ok(());
    }
    let (member, generation) = (request.member_id.as_str(), request.generation_id);
    call.node
        .groups
        .with(&request.group_id, |group| group.check(member, generation))
        .unwrap_or(Err(ResponseError::UnknownMemberId))
}

pub(crate) fn end(call: &Call<'_>, request: &EndTxnRequest) -> EndTxnResponse {
    let claim = Claim {
        transactional_id: &request.transactional_id,
        producer_id: request.producer_id.0,
        epoch: request.producer_epoch,
    };
    let node = call.node;
    let outcome = node.transactions.end(&claim, request.committed, &node.ledger);
    let outcome = outcome.map_err(|error| for_version(error, call.version >= 2));
    EndTxnResponse::default().with_error_code(code(&outcome))
}
