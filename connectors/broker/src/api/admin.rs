//! Topics: created, deleted, grown.

use std::collections::BTreeSet;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse,
    DeleteTopicsRequest, DeleteTopicsResponse, TopicName,
};
use uuid::Uuid;

use super::configs::source_code;
use crate::node::Call;
use crate::topic_config::TopicConfig;
use crate::topics::{NewTopic, Refused};
use crate::wire::text;

pub(crate) fn create_topics(call: &Call<'_>, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<String> = request
        .topics
        .iter()
        .filter(|topic| !seen.insert(topic.name.to_string()))
        .map(|topic| topic.name.to_string())
        .collect();
    let topics = request.topics.into_iter().map(|topic| {
        let created = if twice.contains(topic.name.as_str()) {
            let message = "topic is named twice in the request";
            Err(Refused::new(ResponseError::InvalidRequest, message))
        } else {
            create(call, &topic, request.validate_only)
        };
        created_result(topic.name, created)
    });
    CreateTopicsResponse::default().with_topics(topics.collect())
}

/// Creates a topic, or only says whether it could be.
fn create(
    call: &Call<'_>,
    topic: &CreatableTopic,
    is_trial: bool,
) -> Result<(Uuid, NewTopic), Refused> {
    let new = new_topic(topic)?;
    call.node.topics.check_new(&new)?;
    if is_trial {
        return Ok((Uuid::nil(), new));
    }
    let created = call.node.topics.create(&new)?;
    Ok((created.id, new))
}

fn new_topic(topic: &CreatableTopic) -> Result<NewTopic, Refused> {
    if !matches!(topic.replication_factor, -1 | 1) {
        let message = format!(
            "replication factor {} is not possible: the embedded broker is one node",
            topic.replication_factor
        );
        return Err(Refused::new(ResponseError::InvalidReplicationFactor, message));
    }
    let partitions = match (topic.assignments.len(), topic.num_partitions) {
        (0, -1) => 1,
        (0, count) => count,
        (assigned, _) => i32::try_from(assigned).unwrap_or(i32::MAX),
    };
    let mut config = TopicConfig::default();
    for setting in &topic.configs {
        let value = setting.value.as_ref().ok_or_else(|| {
            let message = format!("null value for configuration `{}`", setting.name);
            Refused::new(ResponseError::InvalidConfig, message)
        })?;
        config
            .set(&setting.name, value)
            .map_err(|message| Refused::new(ResponseError::InvalidConfig, message))?;
    }
    Ok(NewTopic { name: topic.name.to_string(), partitions, config })
}

fn created_result(
    name: TopicName,
    created: Result<(Uuid, NewTopic), Refused>,
) -> CreatableTopicResult {
    let result = CreatableTopicResult::default().with_name(name);
    match created {
        Ok((id, new)) => {
            let shown = new.config.shown().into_iter().map(|setting| {
                CreatableTopicConfigs::default()
                    .with_name(text(setting.name))
                    .with_config_source(source_code(&setting))
                    .with_value(Some(text(setting.value)))
            });
            result
                .with_topic_id(id)
                .with_num_partitions(new.partitions)
                .with_replication_factor(1)
                .with_configs(Some(shown.collect()))
        }
        Err(refused) => result
            .with_error_code(refused.error.code())
            .with_error_message(Some(text(refused.message)))
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_configs(None),
    }
}

pub(crate) fn delete_topics(call: &Call<'_>, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let by_name = request.topic_names.into_iter().map(|name| (Some(name), Uuid::nil()));
    let by_state = request.topics.into_iter().map(|topic| (topic.name, topic.topic_id));
    let responses = by_name.chain(by_state).map(|(name, id)| {
        let outcome = delete(call, name.as_ref(), id);
        let result = DeletableTopicResult::default().with_topic_id(id);
        match outcome {
            Ok((name, id)) => result.with_name(Some(TopicName(text(name)))).with_topic_id(id),
            Err(refused) => {
                // Only version 6 has null names.
                let name = name.or_else(|| (call.version < 6).then(TopicName::default));
                result
                    .with_name(name)
                    .with_error_code(refused.error.code())
                    .with_error_message(Some(text(refused.message)))
            }
        }
    });
    DeleteTopicsResponse::default().with_responses(responses.collect())
}

fn delete(call: &Call<'_>, name: Option<&TopicName>, id: Uuid) -> Result<(String, Uuid), Refused> {
    let (found, error) = match name {
        Some(name) => (call.node.topics.named(name), ResponseError::UnknownTopicOrPartition),
        None => (call.node.topics.by_id(id), ResponseError::UnknownTopicId),
    };
    let message = "this server does not host this topic";
    let topic = found.ok_or_else(|| Refused::new(error, message))?;
    call.node.topics.delete(&topic)?;
    call.node
        .ledger()
        .forget_topic(&topic.name)
        .map_err(|error| Refused::new(ResponseError::KafkaStorageError, error.to_string()))?;
    Ok((topic.name.clone(), topic.id))
}

pub(crate) fn create_partitions(
    call: &Call<'_>,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let results = request.topics.into_iter().map(|topic| {
        let result = CreatePartitionsTopicResult::default();
        let result = match grow(call, &topic, request.validate_only) {
            Ok(()) => result,
            Err(refused) => result
                .with_error_code(refused.error.code())
                .with_error_message(Some(text(refused.message))),
        };
        result.with_name(topic.name)
    });
    CreatePartitionsResponse::default().with_results(results.collect())
}

fn grow(call: &Call<'_>, wanted: &CreatePartitionsTopic, is_trial: bool) -> Result<(), Refused> {
    let message = "this server does not host this topic";
    let unknown = || Refused::new(ResponseError::UnknownTopicOrPartition, message);
    let topic = call.node.topics.named(&wanted.name).ok_or_else(unknown)?;
    call.node.topics.grow(&topic, wanted.count, is_trial)
}
