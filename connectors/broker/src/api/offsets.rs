//! Committed offsets of consumer groups.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse,
    OffsetFetchRequest, OffsetFetchResponse, TopicName,
};

use super::{code, records};
use crate::clock;
use crate::format::{LedgerRecord, OffsetEntry, OffsetKey};
use crate::node::Call;
use crate::wire::text;

/// As Kafka's `offset.metadata.max.bytes`.
const METADATA_BYTES_MAX: usize = 4_096;

/// Checks one offset of a commit and puts it into the ledger's form.
pub(crate) fn entry(
    call: &Call<'_>,
    key: OffsetKey,
    (offset, leader_epoch): (i64, i32),
    metadata: Option<&str>,
) -> Result<OffsetEntry, ResponseError> {
    records::find(call, &key.topic, key.partition)?;
    let metadata = metadata.unwrap_or_default();
    if metadata.len() > METADATA_BYTES_MAX {
        return Err(ResponseError::OffsetMetadataTooLarge);
    }
    Ok(OffsetEntry { key, offset, leader_epoch, metadata: metadata.to_owned() })
}

pub(crate) fn commit(call: &Call<'_>, request: OffsetCommitRequest) -> OffsetCommitResponse {
    let allowed = may_commit(call, &request);
    let mut entries = Vec::new();
    let mut topics = Vec::new();
    for topic in request.topics {
        let partitions = topic.partitions.into_iter().map(|partition| {
            let key = OffsetKey {
                group: request.group_id.to_string(),
                topic: topic.name.to_string(),
                partition: partition.partition_index,
            };
            let offset = (partition.committed_offset, partition.committed_leader_epoch);
            let metadata = partition.committed_metadata.as_deref();
            let checked = allowed.and_then(|()| entry(call, key, offset, metadata));
            let error = code(&checked);
            entries.extend(checked);
            OffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(error)
        });
        let partitions: Vec<_> = partitions.collect();
        topics.push(
            OffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(partitions),
        );
    }
    if !entries.is_empty()
        && let Err(error) = store(call, entries)
    {
        for partition in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            partition.error_code = error.code();
        }
    }
    OffsetCommitResponse::default().with_topics(topics)
}

fn may_commit(call: &Call<'_>, request: &OffsetCommitRequest) -> Result<(), ResponseError> {
    let generation = request.generation_id_or_member_epoch;
    let (member_id, now) = (request.member_id.as_str(), clock::monotonic());
    let checked = call
        .node
        .groups
        .with(&request.group_id, |group| group.check_commit(member_id, generation, now));
    match checked {
        Some(outcome) => outcome,
        None if generation < 0 => Ok(()),
        // The group had members before a restart of the broker.
        None => Err(ResponseError::UnknownMemberId),
    }
}

fn store(call: &Call<'_>, entries: Vec<OffsetEntry>) -> Result<(), ResponseError> {
    let mut ledger = call.node.ledger();
    if !ledger.has_room(entries.len()) {
        return Err(ResponseError::PolicyViolation);
    }
    ledger.append(LedgerRecord::Offsets(entries)).map_err(|error| {
        tracing::warn!(%error, "offsets cannot be written");
        ResponseError::CoordinatorNotAvailable
    })
}

/// What is known of one partition's offset.
struct Found {
    partition: i32,
    offset: i64,
    leader_epoch: i32,
    metadata: String,
    error: i16,
}

/// Partitions of a topic that are asked for.
type Asked = Vec<(TopicName, Vec<i32>)>;

pub(crate) fn fetch(call: &Call<'_>, request: OffsetFetchRequest) -> OffsetFetchResponse {
    let is_stable = request.require_stable;
    if call.version < 8 {
        let asked = request.topics.map(|topics| {
            topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect()
        });
        let topics = find(call, &request.group_id, asked, is_stable).into_iter();
        let topics = topics.map(|(name, found)| {
            let partitions = found.into_iter().map(single).collect();
            OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions)
        });
        return OffsetFetchResponse::default().with_topics(topics.collect());
    }
    let groups = request.groups.into_iter().map(|group| {
        let asked = group.topics.map(|topics| {
            topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect()
        });
        let topics = find(call, &group.group_id, asked, is_stable).into_iter();
        let topics = topics.map(|(name, found)| {
            let partitions = found.into_iter().map(grouped).collect();
            OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions)
        });
        OffsetFetchResponseGroup::default()
            .with_group_id(group.group_id)
            .with_topics(topics.collect())
    });
    OffsetFetchResponse::default().with_groups(groups.collect())
}

/// The offsets asked for, or all of the group.
fn find(
    call: &Call<'_>,
    group: &str,
    asked: Option<Asked>,
    is_stable: bool,
) -> Vec<(TopicName, Vec<Found>)> {
    let asked = asked.unwrap_or_else(|| all_of(call, group));
    let of_topic = |(name, partitions): (TopicName, Vec<i32>)| {
        let found = partitions.into_iter().map(|partition| {
            let key = OffsetKey { group: group.to_owned(), topic: name.to_string(), partition };
            found(call, &key, is_stable)
        });
        let found = found.collect();
        (name, found)
    };
    asked.into_iter().map(of_topic).collect()
}

fn all_of(call: &Call<'_>, group: &str) -> Asked {
    let mut asked: Asked = Vec::new();
    for entry in call.node.ledger().offsets_of(group) {
        match asked.last_mut() {
            Some((name, partitions)) if **name == *entry.key.topic => {
                partitions.push(entry.key.partition);
            }
            _ => asked.push((TopicName(text(entry.key.topic)), vec![entry.key.partition])),
        }
    }
    asked
}

fn found(call: &Call<'_>, key: &OffsetKey, is_stable: bool) -> Found {
    let none = Found {
        partition: key.partition,
        offset: -1,
        leader_epoch: -1,
        metadata: String::new(),
        error: 0,
    };
    if is_stable && call.node.transactions.is_unstable(key) {
        return Found { error: ResponseError::UnstableOffsetCommit.code(), ..none };
    }
    match call.node.ledger().offset(key) {
        Some(entry) => Found {
            offset: entry.offset,
            leader_epoch: entry.leader_epoch,
            metadata: entry.metadata.clone(),
            ..none
        },
        None => none,
    }
}

fn single(found: Found) -> OffsetFetchResponsePartition {
    OffsetFetchResponsePartition::default()
        .with_partition_index(found.partition)
        .with_committed_offset(found.offset)
        .with_committed_leader_epoch(found.leader_epoch)
        .with_metadata(Some(text(found.metadata)))
        .with_error_code(found.error)
}

fn grouped(found: Found) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions::default()
        .with_partition_index(found.partition)
        .with_committed_offset(found.offset)
        .with_committed_leader_epoch(found.leader_epoch)
        .with_metadata(Some(text(found.metadata)))
        .with_error_code(found.error)
}

pub(crate) fn delete(call: &Call<'_>, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let has_members = call.node.groups.with(&request.group_id, |group| !group.is_unused());
    if has_members == Some(true) {
        let error = ResponseError::NonEmptyGroup.code();
        return OffsetDeleteResponse::default().with_error_code(error);
    }
    let mut keys = Vec::new();
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            keys.push(OffsetKey {
                group: request.group_id.to_string(),
                topic: topic.name.to_string(),
                partition: partition.partition_index,
            });
            OffsetDeleteResponsePartition::default().with_partition_index(partition.partition_index)
        });
        let partitions = partitions.collect();
        OffsetDeleteResponseTopic::default().with_name(topic.name).with_partitions(partitions)
    });
    let topics = topics.collect();
    let response = OffsetDeleteResponse::default().with_topics(topics);
    match call.node.ledger().append(LedgerRecord::OffsetsDeleted(keys)) {
        Ok(()) => response,
        Err(error) => response.with_error_code(records::storage(&error).code()),
    }
}
