//! What the cluster is: one node, its topics, what it speaks.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, DescribeClusterRequest, DescribeClusterResponse, FindCoordinatorRequest,
    FindCoordinatorResponse, MetadataRequest, MetadataResponse, TopicName,
};

use crate::node::{Call, LEADER_EPOCH, NODE_ID};
use crate::topics::Topic;
use crate::wire::{APIS, text};

/// The request types and versions that are spoken.
pub(crate) fn spoken() -> Vec<ApiVersion> {
    let one = |api: &crate::wire::Api| {
        ApiVersion::default()
            .with_api_key(api.key as i16)
            .with_min_version(api.min)
            .with_max_version(api.max)
    };
    APIS.iter().map(one).collect()
}

pub(crate) fn metadata(call: &Call<'_>, request: MetadataRequest) -> MetadataResponse {
    let wants_all = match &request.topics {
        None => true,
        Some(topics) => topics.is_empty() && call.version == 0,
    };
    let topics = if wants_all {
        call.node.topics.all().iter().map(|topic| topic_metadata(topic)).collect()
    } else {
        let wanted = request.topics.unwrap_or_default();
        wanted.into_iter().map(|topic| wanted_topic(call, topic)).collect()
    };
    let broker = MetadataResponseBroker::default()
        .with_node_id(BrokerId(NODE_ID))
        .with_host(text(call.host()))
        .with_port(call.port());
    MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(text(call.node.cluster_id.clone())))
        .with_controller_id(BrokerId(NODE_ID))
        .with_topics(topics)
}

fn wanted_topic(call: &Call<'_>, wanted: MetadataRequestTopic) -> MetadataResponseTopic {
    let found = match &wanted.name {
        Some(name) => call.node.topics.named(name),
        None => call.node.topics.by_id(wanted.topic_id),
    };
    match (found, wanted.name) {
        (Some(topic), _) => topic_metadata(&topic),
        (None, Some(name)) => MetadataResponseTopic::default()
            .with_error_code(ResponseError::UnknownTopicOrPartition.code())
            .with_name(Some(name)),
        (None, None) => {
            // Versions below 12 have no null name.
            let name = (call.version < 12).then(TopicName::default);
            MetadataResponseTopic::default()
                .with_error_code(ResponseError::UnknownTopicId.code())
                .with_topic_id(wanted.topic_id)
                .with_name(name)
        }
    }
}

fn topic_metadata(topic: &Topic) -> MetadataResponseTopic {
    let partition = |partition: &std::sync::Arc<crate::partition::Partition>| {
        MetadataResponsePartition::default()
            .with_partition_index(partition.index)
            .with_leader_id(BrokerId(NODE_ID))
            .with_leader_epoch(LEADER_EPOCH)
            .with_replica_nodes(vec![BrokerId(NODE_ID)])
            .with_isr_nodes(vec![BrokerId(NODE_ID)])
    };
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(text(topic.name.clone()))))
        .with_topic_id(topic.id)
        .with_partitions(topic.partitions().iter().map(partition).collect())
}

pub(crate) fn describe(call: &Call<'_>, _: &DescribeClusterRequest) -> DescribeClusterResponse {
    let broker = DescribeClusterBroker::default()
        .with_broker_id(BrokerId(NODE_ID))
        .with_host(text(call.host()))
        .with_port(call.port());
    DescribeClusterResponse::default()
        .with_cluster_id(text(call.node.cluster_id.clone()))
        .with_controller_id(BrokerId(NODE_ID))
        .with_brokers(vec![broker])
}

/// The coordinator of everything is this node.
pub(crate) fn find_coordinator(
    call: &Call<'_>,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let of_key = |key| {
        Coordinator::default()
            .with_key(key)
            .with_node_id(BrokerId(NODE_ID))
            .with_host(text(call.host()))
            .with_port(call.port())
    };
    if call.version >= 4 {
        let coordinators = request.coordinator_keys.into_iter().map(of_key).collect();
        return FindCoordinatorResponse::default().with_coordinators(coordinators);
    }
    FindCoordinatorResponse::default()
        .with_node_id(BrokerId(NODE_ID))
        .with_host(text(call.host()))
        .with_port(call.port())
}
