//! Consumer groups: who reads what, and from where.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};

use crate::client::{Cluster, Deadline, Reads, send};

/// Commits an offset for partition 0 of a topic in a group's name.
pub(crate) fn commit(cluster: &Cluster, group: &str, topic: &str, offset: i64) {
    let consumer = cluster.consumer(group, Reads::All);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(offset)).expect("an offset can be set");
    // A broker that has just started may still be loading its groups.
    let deadline = Deadline::new();
    while let Err(error) = consumer.commit(&list, CommitMode::Sync) {
        deadline.check(&format!("the offset to be committed: {error}"));
    }
}

/// Polls once; the value, if there is one.
fn poll(consumer: &BaseConsumer) -> Option<String> {
    match consumer.poll(Duration::from_millis(50)) {
        Some(Ok(message)) => {
            Some(String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned())
        }
        Some(Err(KafkaError::PartitionEOF(_))) | None => None,
        Some(Err(error)) => panic!("polling: {error:?}"),
    }
}

fn subscribed(cluster: &Cluster, group: &str, topic: &str) -> BaseConsumer {
    let consumer = cluster.consumer(group, Reads::Committed);
    consumer.subscribe(&[topic]).expect("a topic can be subscribed");
    consumer
}

fn assigned(consumer: &BaseConsumer) -> BTreeSet<i32> {
    let assignment = consumer.assignment().expect("the assignment is known");
    assignment.elements().iter().map(TopicPartitionListElem::partition).collect()
}

pub(crate) fn a_group_resumes_where_it_committed(cluster: &Cluster) {
    cluster.topic("resumed", 1);
    send(&cluster.producer(&[]), "resumed", &["a", "b", "c"]);
    let read_from_group = |count: usize| {
        let consumer = subscribed(cluster, "resuming", "resumed");
        let (mut values, deadline) = (Vec::new(), Deadline::new());
        while values.len() < count {
            deadline.check("reading in a group");
            values.extend(poll(&consumer));
        }
        consumer.commit_consumer_state(CommitMode::Sync).expect("offsets are committed");
        values
    };
    assert_eq!(read_from_group(2), ["a", "b"]);
    assert_eq!(cluster.committed("resuming", "resumed"), Some(2));
    assert_eq!(read_from_group(1), ["c"]);
}

pub(crate) fn two_members_share_the_partitions(cluster: &Cluster) {
    cluster.topic("shared", 4);
    let (first, second) =
        (subscribed(cluster, "sharing", "shared"), subscribed(cluster, "sharing", "shared"));
    let deadline = Deadline::new();
    loop {
        deadline.check("two members with two partitions each");
        poll(&first);
        poll(&second);
        let (ours, theirs) = (assigned(&first), assigned(&second));
        if ours.len() == 2 && theirs.len() == 2 {
            assert!(ours.is_disjoint(&theirs), "{ours:?} {theirs:?}");
            break;
        }
    }
    let groups = first.fetch_group_list(Some("sharing"), Duration::from_secs(10));
    let groups = groups.expect("the group is described");
    let group = &groups.groups()[0];
    assert_eq!((group.state(), group.members().len()), ("Stable", 2));
}

pub(crate) fn a_leaving_member_gives_its_partitions_back(cluster: &Cluster) {
    cluster.topic("left", 4);
    let (first, second) =
        (subscribed(cluster, "leaving", "left"), subscribed(cluster, "leaving", "left"));
    let deadline = Deadline::new();
    while assigned(&first).len() != 2 || assigned(&second).len() != 2 {
        deadline.check("two members");
        poll(&first);
        poll(&second);
    }
    drop(second);
    while assigned(&first).len() != 4 {
        deadline.check("one member with all partitions");
        poll(&first);
    }
}

pub(crate) fn offsets_of_an_unknown_group_are_not_there(cluster: &Cluster) {
    cluster.topic("unknown-group", 1);
    assert_eq!(cluster.committed("never-seen", "unknown-group"), None);
}
