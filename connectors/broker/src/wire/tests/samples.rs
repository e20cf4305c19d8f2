//! A well-filled request of each type that the broker speaks.

use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{alter_configs_request, incremental_alter_configs_request};

use super::*;
use crate::log::batch;

fn topic() -> TopicName {
    TopicName(text("t"))
}

fn group() -> GroupId {
    GroupId(text("g"))
}

fn transactional() -> TransactionalId {
    TransactionalId(text("x"))
}

/// One sample of each request; topics come first, so that the others find one.
pub(super) fn all() -> Vec<Sample> {
    [cluster(), records(), groups(), offsets(), transactions()].into_iter().flatten().collect()
}

fn cluster() -> Vec<Sample> {
    let assignment = CreatableReplicaAssignment::default().with_broker_ids(vec![BrokerId(1)]);
    let setting = CreatableTopicConfig::default()
        .with_name(text("max.message.bytes"))
        .with_value(Some(text("100000")));
    let creatable = CreatableTopic::default()
        .with_name(topic())
        .with_num_partitions(-1)
        .with_replication_factor(-1)
        .with_assignments(vec![assignment])
        .with_configs(vec![setting]);
    let create = CreateTopicsRequest::default().with_topics(vec![creatable]);
    let metadata_topic = MetadataRequestTopic::default().with_name(Some(topic()));
    let metadata = MetadataRequest::default().with_topics(Some(vec![metadata_topic]));
    let grown = CreatePartitionsAssignment::default().with_broker_ids(vec![BrokerId(1)]);
    let grow = CreatePartitionsTopic::default()
        .with_name(topic())
        .with_count(2)
        .with_assignments(Some(vec![grown]));
    let grow = CreatePartitionsRequest::default().with_topics(vec![grow]);
    let described = DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text("t"))
        .with_configuration_keys(Some(vec![text("retention.ms")]));
    let described = DescribeConfigsRequest::default().with_resources(vec![described]);
    let software = ApiVersionsRequest::default()
        .with_client_software_name(text("fuzz"))
        .with_client_software_version(text("1"));
    let keys = FindCoordinatorRequest::default().with_coordinator_keys(vec![text("g")]);
    let key = FindCoordinatorRequest::default().with_key(text("g"));
    let state = DeleteTopicState::default().with_name(Some(TopicName(text("gone"))));
    let gone = DeleteTopicsRequest::default().with_topic_names(vec![TopicName(text("gone"))]);
    vec![
        sample(ApiKey::CreateTopics, &create, &create),
        sample(ApiKey::Metadata, &metadata, &metadata),
        sample(ApiKey::CreatePartitions, &grow, &grow),
        sample(ApiKey::DescribeConfigs, &described, &described),
        alter_configs(),
        incremental_alter_configs(),
        sample(ApiKey::ApiVersions, &software, &ApiVersionsRequest::default()),
        sample(ApiKey::FindCoordinator, &keys, &key),
        sample(
            ApiKey::DeleteTopics,
            &DeleteTopicsRequest::default().with_topics(vec![state]),
            &gone,
        ),
        sample(
            ApiKey::DescribeCluster,
            &DescribeClusterRequest::default(),
            &DescribeClusterRequest::default(),
        ),
    ]
}

fn alter_configs() -> Sample {
    let setting = alter_configs_request::AlterableConfig::default()
        .with_name(text("retention.ms"))
        .with_value(Some(text("5")));
    let resource = alter_configs_request::AlterConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text("t"))
        .with_configs(vec![setting]);
    let request = AlterConfigsRequest::default().with_resources(vec![resource]);
    sample(ApiKey::AlterConfigs, &request, &request)
}

fn incremental_alter_configs() -> Sample {
    let setting = incremental_alter_configs_request::AlterableConfig::default()
        .with_name(text("cleanup.policy"))
        .with_config_operation(2)
        .with_value(Some(text("compact")));
    let resource = incremental_alter_configs_request::AlterConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text("t"))
        .with_configs(vec![setting]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    sample(ApiKey::IncrementalAlterConfigs, &request, &request)
}

fn records() -> Vec<Sample> {
    // A batch that passes every check but one: clients write no markers.
    let data = PartitionProduceData::default()
        .with_records(Some(Bytes::from(batch::marker(1, 0, true, 5))));
    let data = TopicProduceData::default().with_name(topic()).with_partition_data(vec![data]);
    let produce = ProduceRequest::default().with_acks(-1).with_topic_data(vec![data]);
    let partition = FetchPartition::default().with_partition_max_bytes(1_000);
    let fetched = FetchTopic::default().with_topic(topic()).with_partitions(vec![partition]);
    let forgotten = ForgottenTopic::default().with_topic(topic()).with_partitions(vec![0]);
    let plain = FetchRequest::default().with_max_bytes(1_000).with_topics(vec![fetched]);
    let fetch = plain.clone().with_forgotten_topics_data(vec![forgotten]);
    let by_time = ListOffsetsPartition::default().with_timestamp(1);
    let by_time = ListOffsetsTopic::default().with_name(topic()).with_partitions(vec![by_time]);
    let list = ListOffsetsRequest::default().with_topics(vec![by_time]);
    let before = DeleteRecordsPartition::default().with_offset(-1);
    let before = DeleteRecordsTopic::default().with_name(topic()).with_partitions(vec![before]);
    let delete = DeleteRecordsRequest::default().with_topics(vec![before]);
    let epoch = OffsetForLeaderTopic::default()
        .with_topic(topic())
        .with_partitions(vec![OffsetForLeaderPartition::default()]);
    let epoch = OffsetForLeaderEpochRequest::default().with_topics(vec![epoch]);
    vec![
        sample(ApiKey::Produce, &produce, &produce),
        sample(ApiKey::Fetch, &fetch, &plain),
        sample(ApiKey::ListOffsets, &list, &list),
        sample(ApiKey::DeleteRecords, &delete, &delete),
        sample(ApiKey::OffsetForLeaderEpoch, &epoch, &epoch),
    ]
}

fn groups() -> Vec<Sample> {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(Bytes::from_static(b"m"));
    let join = JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(10_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol]);
    let assigned = SyncGroupRequestAssignment::default().with_member_id(text("m"));
    let sync = SyncGroupRequest::default().with_group_id(group()).with_assignments(vec![assigned]);
    let beat = HeartbeatRequest::default().with_group_id(group()).with_member_id(text("m"));
    let member = MemberIdentity::default().with_member_id(text("m"));
    let leave = LeaveGroupRequest::default().with_group_id(group());
    let describe = DescribeGroupsRequest::default().with_groups(vec![group()]);
    let list = ListGroupsRequest::default().with_states_filter(vec![text("Stable")]);
    let delete = DeleteGroupsRequest::default().with_groups_names(vec![group()]);
    vec![
        sample(ApiKey::JoinGroup, &join.clone().with_group_instance_id(Some(text("i"))), &join),
        sample(ApiKey::SyncGroup, &sync, &sync),
        sample(ApiKey::Heartbeat, &beat, &beat),
        sample(ApiKey::LeaveGroup, &leave.clone().with_members(vec![member]), &leave),
        sample(ApiKey::DescribeGroups, &describe, &describe),
        sample(ApiKey::ListGroups, &list, &ListGroupsRequest::default()),
        sample(ApiKey::DeleteGroups, &delete, &delete),
    ]
}

fn offsets() -> Vec<Sample> {
    let partition = OffsetCommitRequestPartition::default()
        .with_committed_offset(5)
        .with_committed_metadata(Some(text("m")));
    let committed =
        OffsetCommitRequestTopic::default().with_name(topic()).with_partitions(vec![partition]);
    let commit = OffsetCommitRequest::default().with_group_id(group()).with_topics(vec![committed]);
    let of_group =
        OffsetFetchRequestTopics::default().with_name(topic()).with_partition_indexes(vec![0]);
    let of_group =
        OffsetFetchRequestGroup::default().with_group_id(group()).with_topics(Some(vec![of_group]));
    let wanted =
        OffsetFetchRequestTopic::default().with_name(topic()).with_partition_indexes(vec![0]);
    let single =
        OffsetFetchRequest::default().with_group_id(group()).with_topics(Some(vec![wanted]));
    let forgotten = OffsetDeleteRequestTopic::default()
        .with_name(topic())
        .with_partitions(vec![OffsetDeleteRequestPartition::default()]);
    let delete = OffsetDeleteRequest::default().with_group_id(group()).with_topics(vec![forgotten]);
    vec![
        sample(ApiKey::OffsetCommit, &commit, &commit),
        sample(
            ApiKey::OffsetFetch,
            &OffsetFetchRequest::default().with_groups(vec![of_group]),
            &single,
        ),
        sample(ApiKey::OffsetDelete, &delete, &delete),
    ]
}

fn transactions() -> Vec<Sample> {
    let init = InitProducerIdRequest::default()
        .with_transactional_id(Some(transactional()))
        .with_transaction_timeout_ms(60_000);
    let added = AddPartitionsToTxnTopic::default().with_name(topic()).with_partitions(vec![0]);
    let add = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(transactional())
        .with_v3_and_below_topics(vec![added]);
    let add_offsets = AddOffsetsToTxnRequest::default()
        .with_transactional_id(transactional())
        .with_group_id(group());
    let partition = TxnOffsetCommitRequestPartition::default().with_committed_offset(5);
    let moved =
        TxnOffsetCommitRequestTopic::default().with_name(topic()).with_partitions(vec![partition]);
    let plain = TxnOffsetCommitRequest::default()
        .with_transactional_id(transactional())
        .with_group_id(group())
        .with_topics(vec![moved]);
    let end = EndTxnRequest::default().with_transactional_id(transactional()).with_committed(true);
    vec![
        sample(ApiKey::InitProducerId, &init, &init),
        sample(ApiKey::AddPartitionsToTxn, &add, &add),
        sample(ApiKey::AddOffsetsToTxn, &add_offsets, &add_offsets),
        sample(ApiKey::TxnOffsetCommit, &plain, &plain),
        sample(ApiKey::EndTxn, &end, &end),
    ]
}
