//! Settings: of topics, which can be changed, and a few of the broker, which cannot.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse as Replaced;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use kafka_protocol::messages::incremental_alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as Changed;
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use kafka_protocol::protocol::StrBytes;
use std::sync::Arc;

use crate::node::{Call, NODE_ID};
use crate::topic_config::{self, Shown, TopicConfig};
use crate::topics::{Refused, Topic};
use crate::wire::text;

/// Resource types of the protocol.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;

/// Where a value comes from: set for the topic, of the broker, a default.
const SOURCE_TOPIC: i8 = 1;
const SOURCE_STATIC_BROKER: i8 = 4;
const SOURCE_DEFAULT: i8 = 5;

/// What an incremental change does.
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// Code of where a setting's value comes from.
pub(crate) fn source_code(setting: &Shown) -> i8 {
    if setting.is_default { SOURCE_DEFAULT } else { SOURCE_TOPIC }
}

pub(crate) fn describe(
    call: &Call<'_>,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let results = request.resources.into_iter().map(|resource| {
        let result = DescribeConfigsResult::default().with_resource_type(resource.resource_type);
        let result = match settings_of(call, &resource) {
            Ok(settings) => result.with_configs(settings),
            Err(refused) => result
                .with_error_code(refused.error.code())
                .with_error_message(Some(text(refused.message))),
        };
        result.with_resource_name(resource.resource_name)
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}

fn settings_of(
    call: &Call<'_>,
    resource: &DescribeConfigsResource,
) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
    let is_wanted = |name: &str| {
        resource
            .configuration_keys
            .as_ref()
            .is_none_or(|keys| keys.is_empty() || keys.iter().any(|key| key.as_str() == name))
    };
    let mut settings = match resource.resource_type {
        TOPIC => topic_settings(find(call, &resource.resource_name)?.as_ref()),
        BROKER => broker_settings(call, &resource.resource_name)?,
        other => return Err(unsupported(other)),
    };
    settings.retain(|setting| is_wanted(setting.name.as_str()));
    Ok(settings)
}

fn topic_settings(topic: &Topic) -> Vec<DescribeConfigsResourceResult> {
    let one = |setting: Shown| {
        let source = source_code(&setting);
        let note = topic_config::note(&topic.name, setting.name, &setting.value);
        DescribeConfigsResourceResult::default()
            .with_name(text(setting.name))
            .with_config_source(source)
            .with_config_type(setting.type_code)
            .with_documentation(note.filter(|_| !setting.is_default).map(text))
            .with_value(Some(text(setting.value)))
    };
    topic.config().shown().into_iter().map(one).collect()
}

fn broker_settings(
    call: &Call<'_>,
    name: &str,
) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
    if name != NODE_ID.to_string() && !name.is_empty() {
        let message = format!("the only broker is {NODE_ID}, not `{name}`");
        return Err(Refused::new(ResponseError::InvalidRequest, message));
    }
    let settings = [
        ("advertised.listeners", format!("PLAINTEXT://{}", call.local)),
        ("auto.create.topics.enable", "false".to_owned()),
        ("broker.id", NODE_ID.to_string()),
        ("log.retention.ms", "-1".to_owned()),
        ("transaction.max.timeout.ms", "900000".to_owned()),
    ];
    let one = |(name, value): (&str, String)| {
        DescribeConfigsResourceResult::default()
            .with_name(text(name))
            .with_value(Some(text(value)))
            .with_read_only(true)
            .with_config_source(SOURCE_STATIC_BROKER)
            .with_config_type(2)
    };
    Ok(settings.into_iter().map(one).collect())
}

/// Replaces all settings of the named topics.
pub(crate) fn replace(call: &Call<'_>, request: AlterConfigsRequest) -> AlterConfigsResponse {
    let responses = request.resources.into_iter().map(|resource| {
        let outcome =
            topic_of(call, resource.resource_type, &resource.resource_name).and_then(|topic| {
                let mut config = TopicConfig::default();
                for setting in &resource.configs {
                    let value = setting.value.as_deref().unwrap_or_default();
                    config.set(&setting.name, value).map_err(bad)?;
                }
                store(call, &topic, config, request.validate_only)
            });
        let (code, message) = told(outcome);
        Replaced::default()
            .with_error_code(code)
            .with_error_message(message)
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name)
    });
    AlterConfigsResponse::default().with_responses(responses.collect())
}

/// Changes single settings of the named topics.
pub(crate) fn change(
    call: &Call<'_>,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let responses = request.resources.into_iter().map(|resource| {
        let (code, message) = told(change_one(call, &resource, request.validate_only));
        Changed::default()
            .with_error_code(code)
            .with_error_message(message)
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name)
    });
    IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
}

fn change_one(
    call: &Call<'_>,
    resource: &AlterConfigsResource,
    is_trial: bool,
) -> Result<(), Refused> {
    let topic = topic_of(call, resource.resource_type, &resource.resource_name)?;
    let mut config = topic.config();
    for setting in &resource.configs {
        let value = setting.value.as_deref().unwrap_or_default();
        let changed = match setting.config_operation {
            SET => config.set(&setting.name, value),
            DELETE => config.reset(&setting.name),
            APPEND => config.change_list(&setting.name, value, true),
            SUBTRACT => config.change_list(&setting.name, value, false),
            other => Err(format!("unknown operation {other}")),
        };
        changed.map_err(bad)?;
    }
    store(call, &topic, config, is_trial)
}

/// An outcome as the code and the message of an answer.
fn told(outcome: Result<(), Refused>) -> (i16, Option<StrBytes>) {
    match outcome {
        Ok(()) => (0, None),
        Err(refused) => (refused.error.code(), Some(text(refused.message))),
    }
}

fn store(
    call: &Call<'_>,
    topic: &Topic,
    config: TopicConfig,
    is_trial: bool,
) -> Result<(), Refused> {
    if is_trial { Ok(()) } else { call.node.topics.configure(topic, config) }
}

fn topic_of(call: &Call<'_>, resource_type: i8, name: &str) -> Result<Arc<Topic>, Refused> {
    if resource_type == TOPIC { find(call, name) } else { Err(unsupported(resource_type)) }
}

fn find(call: &Call<'_>, name: &str) -> Result<Arc<Topic>, Refused> {
    let message = "this server does not host this topic";
    let unknown = || Refused::new(ResponseError::UnknownTopicOrPartition, message);
    call.node.topics.named(name).ok_or_else(unknown)
}

fn bad(message: String) -> Refused {
    Refused::new(ResponseError::InvalidConfig, message)
}

fn unsupported(resource_type: i8) -> Refused {
    let message = format!("the embedded broker has no settings for resource type {resource_type}");
    Refused::new(ResponseError::InvalidRequest, message)
}
