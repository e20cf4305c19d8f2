//! Administration: which topics there are, how they are set up, and creating them.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow_kafka::{Consumer, ErrorCode};
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigEntry, ConfigResourceResult, NewTopic,
    OwnedResourceSpecifier, ResourceSpecifier, TopicReplication, TopicResult,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use tokio::runtime::{Builder, Runtime};

use crate::{Cluster, ConnectorError};

/// How long the broker may take to answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How often, and how many times, brokers are asked whether they know a new topic: for five seconds.
const KNOWN_LOOK: Duration = Duration::from_millis(20);
const KNOWN_LOOKS: u32 = 250;

/// Kafka's word for "as the broker's default says".
const BROKER_DEFAULT: i32 = -1;

/// A topic that shall exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicSpec {
    /// Kafka topic.
    pub name: String,
    /// Partitions; the broker's default if `None`.
    pub partitions: Option<i32>,
    /// Replication factor; the broker's default if `None`.
    pub replication_factor: Option<i32>,
    /// Settings, e.g. `retention.ms`.
    pub config: BTreeMap<String, String>,
}

/// A topic as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicDescription {
    /// Kafka topic.
    pub name: String,
    /// Number of partitions.
    pub partitions: usize,
    /// Replicas of the first partition.
    pub replication_factor: u32,
}

/// A setting of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSetting {
    /// Its value; `None` if the broker keeps it secret.
    pub value: Option<String>,
    /// Whether it is the default.
    pub is_default: bool,
}

/// A connection for administration.
pub struct Admin {
    cluster: Cluster,
    client: AdminClient<DefaultClientContext>,
    query: Consumer,
    runtime: Runtime,
}

impl Admin {
    /// Opens the connection; nothing is asked yet.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`] or [`ConnectorError::Admin`] if the settings make no client.
    pub fn open(cluster: &Cluster) -> Result<Self, ConnectorError> {
        // First, because what is wrong with the settings is told by our own client only.
        let query = Consumer::open(&cluster.query_settings())?;
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Critical);
        for (key, value) in cluster.query_settings() {
            config.set(key, value);
        }
        let client = config.create().map_err(|_secrets_inside| ConnectorError::Admin {
            action: "create a Kafka client".to_owned(),
            reason: "its settings are not accepted".to_owned(),
        })?;
        let runtime = Builder::new_current_thread()
            .build()
            .map_err(|error| refused("start a runtime for administration", &error.to_string()))?;
        Ok(Self { cluster: cluster.clone(), client, query, runtime })
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    pub(crate) fn query(&self) -> &Consumer {
        &self.query
    }

    /// The cluster's id, which stays the same as long as it is the same cluster.
    pub fn cluster_id(&self) -> Option<String> {
        // It comes with metadata, which librdkafka asks for by itself only after a second.
        self.topics().ok()?;
        self.query.cluster_id(REQUEST_TIMEOUT)
    }

    /// All topics, by name.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`]: retry if retriable.
    pub fn topics(&self) -> Result<Vec<TopicDescription>, ConnectorError> {
        self.topics_within(REQUEST_TIMEOUT)
    }

    pub(crate) fn topics_within(
        &self,
        timeout: Duration,
    ) -> Result<Vec<TopicDescription>, ConnectorError> {
        let metadata = self.query.metadata(None, timeout)?;
        let mut topics: Vec<_> =
            metadata.topics.iter().filter(|topic| topic.exists()).map(described).collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// One topic, if it exists.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`]: retry if retriable. [`ConnectorError::Admin`] if we may not know.
    pub fn topic(&self, name: &str) -> Result<Option<TopicDescription>, ConnectorError> {
        let metadata = self.query.metadata(Some(name), REQUEST_TIMEOUT)?;
        if metadata.topics.iter().any(|topic| topic.error == Some(ErrorCode::TOPIC_AUTHORIZATION)) {
            let reason = "the broker does not let us describe it";
            return Err(refused(&format!("look at topic `{name}`"), reason));
        }
        Ok(metadata.topics.iter().find(|topic| topic.exists()).map(described))
    }

    /// First offset and end offset (after the last committed record) of each partition.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`]: retry if retriable.
    pub fn bounds(&self, topic: &TopicDescription) -> Result<Vec<(i64, i64)>, ConnectorError> {
        bounds_for(&self.query, topic)
    }

    /// As [`Admin::bounds`], but to the end of each partition's log, open transactions included.
    ///
    /// # Errors
    /// As there.
    pub fn log_bounds(&self, topic: &TopicDescription) -> Result<Vec<(i64, i64)>, ConnectorError> {
        // A handle sees either committed records or all of them.
        bounds_for(&Consumer::open(&self.cluster.log_settings())?, topic)
    }

    /// Creates a topic, and waits until brokers know it: the answer comes from the controller, from
    /// which they hear a moment later.
    ///
    /// # Errors
    /// [`ConnectorError::TopicExists`]; [`ConnectorError::Admin`] with the broker's reason.
    pub fn create(&self, topic: &TopicSpec) -> Result<(), ConnectorError> {
        self.create_with(topic, &options())?;
        for _ in 0..KNOWN_LOOKS {
            if self.topic(&topic.name)?.is_some() {
                break;
            }
            std::thread::park_timeout(KNOWN_LOOK);
        }
        Ok(())
    }

    /// Asks whether [`Admin::create`] would do, without doing it.
    ///
    /// # Errors
    /// As [`Admin::create`].
    pub fn may_create(&self, topic: &TopicSpec) -> Result<(), ConnectorError> {
        self.create_with(topic, &options().validate_only(true))
    }

    fn create_with(&self, topic: &TopicSpec, options: &AdminOptions) -> Result<(), ConnectorError> {
        let mut new = NewTopic::new(
            &topic.name,
            topic.partitions.unwrap_or(BROKER_DEFAULT),
            TopicReplication::Fixed(topic.replication_factor.unwrap_or(BROKER_DEFAULT)),
        );
        for (key, value) in &topic.config {
            new = new.set(key, value);
        }
        let results = self.wait_for(self.client.create_topics([&new], options));
        self.only(&format!("create topic `{}`", topic.name), &topic.name, results)
    }

    /// Deletes a topic and all its records.
    ///
    /// # Errors
    /// [`ConnectorError::Admin`] with the broker's reason.
    pub fn delete(&self, topic: &str) -> Result<(), ConnectorError> {
        let results = self.wait_for(self.client.delete_topics(&[topic], &options()));
        self.only(&format!("delete topic `{topic}`"), topic, results)
    }

    /// Deletes the records of a partition before an offset.
    ///
    /// # Errors
    /// [`ConnectorError::Admin`] with the broker's reason.
    pub fn delete_records(
        &self,
        topic: &str,
        partition: i32,
        before: i64,
    ) -> Result<(), ConnectorError> {
        let action = format!("delete old records of topic `{topic}`");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(before))
            .map_err(|error| refused(&action, &error.to_string()))?;
        let deleted = self
            .wait_for(self.client.delete_records(&list, &options()))
            .map_err(|error| refused(&action, &error.to_string()))?;
        for element in deleted.elements() {
            element.error().map_err(|error| refused(&action, &error.to_string()))?;
        }
        Ok(())
    }

    /// The settings of a topic, by name.
    ///
    /// # Errors
    /// [`ConnectorError::Admin`] with the broker's reason.
    pub fn settings(&self, topic: &str) -> Result<BTreeMap<String, TopicSetting>, ConnectorError> {
        let action = format!("read the settings of topic `{topic}`");
        let results = self.describe(&[topic]).map_err(|error| refused(&action, &error))?;
        let mut settings = BTreeMap::new();
        for result in results {
            let resource = result.map_err(|code| refused(&action, &code.to_string()))?;
            settings.extend(resource.entries.into_iter().map(setting));
        }
        Ok(settings)
    }

    /// The settings of several topics in one request, by topic and name. Topics of which the broker
    /// tells none are left out: [`Admin::settings`] says why.
    ///
    /// # Errors
    /// [`ConnectorError::Admin`]: the broker does not answer.
    pub fn settings_of(
        &self,
        topics: &[&str],
    ) -> Result<BTreeMap<String, BTreeMap<String, TopicSetting>>, ConnectorError> {
        if topics.is_empty() {
            return Ok(BTreeMap::new());
        }
        let action = "read the settings of the project's topics";
        let results = self.describe(topics).map_err(|error| refused(action, &error))?;
        let told = results.into_iter().flatten().filter_map(|resource| {
            let OwnedResourceSpecifier::Topic(topic) = resource.specifier else { return None };
            Some((topic, resource.entries.into_iter().map(setting).collect()))
        });
        Ok(told.collect())
    }

    fn describe(&self, topics: &[&str]) -> Result<Vec<ConfigResourceResult>, String> {
        let resources: Vec<_> =
            topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
        self.wait_for(self.client.describe_configs(&resources, &options()))
            .map_err(|error| error.to_string())
    }

    /// Sets settings of a topic; the others return to their defaults.
    ///
    /// # Errors
    /// [`ConnectorError::Admin`] with the broker's reason.
    pub fn alter(
        &self,
        topic: &str,
        config: &BTreeMap<String, String>,
    ) -> Result<(), ConnectorError> {
        let action = format!("change the settings of topic `{topic}`");
        let mut change = AlterConfig::new(ResourceSpecifier::Topic(topic));
        for (key, value) in config {
            change = change.set(key, value);
        }
        let results = self
            .wait_for(self.client.alter_configs([&change], &options()))
            .map_err(|error| refused(&action, &error.to_string()))?;
        for result in results {
            result.map_err(|(_, code)| refused(&action, &code.to_string()))?;
        }
        Ok(())
    }

    /// The offsets that a consumer group committed for all partitions of a topic.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`]: retry if retriable.
    pub fn committed(
        &self,
        group: &str,
        topic: &TopicDescription,
    ) -> Result<Vec<Option<i64>>, ConnectorError> {
        let mut settings = self.cluster.query_settings();
        settings.push(("group.id".to_owned(), group.to_owned()));
        let consumer = Consumer::open(&settings)?;
        let partitions: Vec<_> = (0..topic.partitions)
            .map(|partition| (topic.name.as_str(), i32::try_from(partition).unwrap_or(i32::MAX)))
            .collect();
        Ok(consumer.committed(&partitions, REQUEST_TIMEOUT)?)
    }

    fn wait_for<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }

    fn only(
        &self,
        action: &str,
        topic: &str,
        results: Result<Vec<TopicResult>, rdkafka::error::KafkaError>,
    ) -> Result<(), ConnectorError> {
        let results = results.map_err(|error| {
            refused(&format!("{action} on {}", self.cluster), &error.to_string())
        })?;
        for result in results {
            match result {
                Ok(_) => {}
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {
                    return Err(ConnectorError::TopicExists { topic: topic.to_owned() });
                }
                Err((_, code)) => return Err(refused(action, &code.to_string())),
            }
        }
        Ok(())
    }
}

/// First and end offset of each partition, as this consumer sees them.
fn bounds_for(
    query: &Consumer,
    topic: &TopicDescription,
) -> Result<Vec<(i64, i64)>, ConnectorError> {
    (0..topic.partitions)
        .map(|partition| {
            let partition = i32::try_from(partition).unwrap_or(i32::MAX);
            Ok(query.watermarks(&topic.name, partition, REQUEST_TIMEOUT)?)
        })
        .collect()
}

fn described(topic: &arrow_kafka::TopicInfo) -> TopicDescription {
    TopicDescription {
        name: topic.name.clone(),
        partitions: topic.partitions.len(),
        replication_factor: topic.partitions.first().map_or(0, |partition| partition.replicas),
    }
}

fn setting(entry: ConfigEntry) -> (String, TopicSetting) {
    (entry.name, TopicSetting { value: entry.value, is_default: entry.is_default })
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(REQUEST_TIMEOUT))
        .operation_timeout(Some(REQUEST_TIMEOUT))
}

fn refused(action: &str, reason: &str) -> ConnectorError {
    ConnectorError::Admin { action: action.to_owned(), reason: reason.to_owned() }
}
