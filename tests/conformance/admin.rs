//! Topics, their settings, groups: made, shown, changed, deleted.

use rdkafka::admin::{
    AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication, TopicResult,
};
use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;

use crate::client::{Cluster, Deadline, PATIENCE, Reads, options, send, wait};

fn create(cluster: &Cluster, topic: &NewTopic<'_>) -> TopicResult {
    let created = wait(cluster.admin().create_topics([topic], &options()));
    created.expect("the request is answered").remove(0)
}

fn refused(code: RDKafkaErrorCode, topic: &str) -> TopicResult {
    Err((topic.to_owned(), code))
}

pub(crate) fn a_topic_exists_once(cluster: &Cluster) {
    let topic = NewTopic::new("once", 3, TopicReplication::Fixed(1));
    assert_eq!(create(cluster, &topic), Ok("once".to_owned()));
    let again = create(cluster, &topic);
    assert_eq!(again, refused(RDKafkaErrorCode::TopicAlreadyExists, "once"));
    assert_eq!(cluster.partition_count("once"), 3);
}

pub(crate) fn a_bad_topic_is_refused(cluster: &Cluster) {
    let facts = [
        ("bad name", 1, 1, RDKafkaErrorCode::InvalidTopic),
        ("..", 1, 1, RDKafkaErrorCode::InvalidTopic),
        ("no-partitions", 0, 1, RDKafkaErrorCode::InvalidPartitions),
        ("two-replicas", 1, 2, RDKafkaErrorCode::InvalidReplicationFactor),
    ];
    for (name, partitions, replicas, code) in facts {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replicas));
        assert_eq!(create(cluster, &topic), refused(code, name), "{name}");
    }
}

pub(crate) fn partitions_only_grow(cluster: &Cluster) {
    cluster.topic("growing", 2);
    send(&cluster.producer(&[]), "growing", &["a"]);
    let facts = [
        (5, None),
        (5, Some(RDKafkaErrorCode::InvalidPartitions)),
        (1, Some(RDKafkaErrorCode::InvalidPartitions)),
    ];
    for (count, error) in facts {
        let more = NewPartitions::new("growing", count);
        let grown = wait(cluster.admin().create_partitions([&more], &options()));
        let grown = grown.expect("the request is answered").remove(0);
        assert_eq!(grown.err().map(|(_, code)| code), error, "{count}");
    }
    let deadline = Deadline::new();
    while cluster.partition_count("growing") != 5 {
        deadline.check("five partitions");
    }
    assert_eq!(cluster.values("growing", Reads::All), ["a"]);
}

/// One setting of a topic.
pub(crate) fn setting(cluster: &Cluster, topic: &str, name: &str) -> Option<String> {
    let resource = ResourceSpecifier::Topic(topic);
    let described = wait(cluster.admin().describe_configs([&resource], &options()));
    let described = described.expect("the request is answered").remove(0);
    described.expect("settings are told").get(name)?.value.clone()
}

pub(crate) fn settings_are_taken_shown_and_changed(cluster: &Cluster) {
    let given = [("max.message.bytes", "12345"), ("cleanup.policy", "compact")];
    cluster.topic_with("settings", 1, &given);
    for (name, value) in given {
        assert_eq!(setting(cluster, "settings", name).as_deref(), Some(value));
    }
    let defaults = [("compression.type", "producer"), ("message.timestamp.type", "CreateTime")];
    for (name, value) in defaults {
        assert_eq!(setting(cluster, "settings", name).as_deref(), Some(value));
    }
    let change = AlterConfig::new(ResourceSpecifier::Topic("settings"))
        .set("max.message.bytes", "54321")
        .set("retention.ms", "1000000");
    let changed = wait(cluster.admin().alter_configs([&change], &options()));
    changed.expect("the request is answered").remove(0).expect("settings are changed");
    let deadline = Deadline::new();
    while setting(cluster, "settings", "max.message.bytes").as_deref() != Some("54321") {
        deadline.check("a changed setting");
    }
    assert_eq!(setting(cluster, "settings", "retention.ms").as_deref(), Some("1000000"));
}

pub(crate) fn an_unknown_setting_is_refused(cluster: &Cluster) {
    let facts = [("no.such.setting", "1"), ("max.message.bytes", "many")];
    for (name, value) in facts {
        let topic = NewTopic::new("odd", 1, TopicReplication::Fixed(1)).set(name, value);
        let created = create(cluster, &topic);
        assert_eq!(created, refused(RDKafkaErrorCode::InvalidConfig, "odd"), "{name}");
    }
}

pub(crate) fn a_topic_created_again_is_empty(cluster: &Cluster) {
    cluster.topic("again", 1);
    send(&cluster.producer(&[]), "again", &["old"]);
    let deleted = wait(cluster.admin().delete_topics(&["again"], &options()));
    assert_eq!(deleted.expect("the request is answered"), [Ok("again".to_owned())]);
    let deadline = Deadline::new();
    let topic = NewTopic::new("again", 1, TopicReplication::Fixed(1));
    while create(cluster, &topic).is_err() {
        deadline.check("creating a deleted topic");
    }
    assert_eq!(cluster.watermarks("again", 0), (0, 0));
    send(&cluster.producer(&[]), "again", &["new"]);
    assert_eq!(cluster.values("again", Reads::All), ["new"]);
}

pub(crate) fn groups_are_listed_and_deleted(cluster: &Cluster) {
    cluster.topic("listed", 1);
    crate::groups::commit(cluster, "listed-group", "listed", 0);
    let is_listed = || {
        let consumer = cluster.consumer("lister", Reads::All);
        let groups = consumer.fetch_group_list(None, PATIENCE).expect("groups are told");
        groups.groups().iter().any(|group| group.name() == "listed-group")
    };
    assert!(is_listed());
    let deleted = wait(cluster.admin().delete_groups(&["listed-group"], &options()));
    let deleted = deleted.expect("the request is answered");
    assert_eq!(deleted, [Ok("listed-group".to_owned())]);
    assert_eq!(cluster.committed("listed-group", "listed"), None);
}
