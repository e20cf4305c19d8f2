//! One list of facts about Kafka, checked with librdkafka against the embedded broker and against
//! a real Apache Kafka, so that the first cannot drift from the second.
//!
//! Each fact is a function of a cluster's address in `conformance/`, named for what it claims.
//! What only the embedded broker can show (torn files, a killed process) is in
//! `conformance/crash.rs`.

#[path = "support/embedded.rs"]
mod embedded;
#[path = "support/kafka.rs"]
#[expect(dead_code, reason = "the tests of faults use the rest")]
mod kafka;

#[path = "conformance/admin.rs"]
mod admin;
#[path = "conformance/client.rs"]
mod client;
#[path = "conformance/crash.rs"]
mod crash;
#[path = "conformance/groups.rs"]
mod groups;
#[path = "conformance/records.rs"]
mod records;
#[path = "conformance/transactions.rs"]
mod transactions;

/// Makes two tests of each fact: `on_the_embedded_broker::FACT` and `on_apache_kafka::FACT`.
macro_rules! facts {
    ($($group:ident: $($fact:ident),+ $(,)?;)+) => {
        mod on_the_embedded_broker {
            $($(
                #[test]
                fn $fact() {
                    let broker = crate::embedded::Embedded::start();
                    crate::$group::$fact(&crate::client::Cluster::at(broker.brokers()));
                }
            )+)+
        }

        mod on_apache_kafka {
            $($(
                #[test]
                fn $fact() {
                    if let Some(brokers) = crate::kafka::shared() {
                        crate::$group::$fact(&crate::client::Cluster::at(brokers));
                    }
                }
            )+)+
        }
    };
}

facts! {
    records:
        every_compression_comes_back_whole,
        a_null_key_and_a_null_value_stay_null,
        offsets_start_at_zero_and_end_after_the_last_record,
        an_offset_is_found_by_time,
        an_offset_is_found_by_time_inside_a_compressed_batch,
        an_idempotent_producer_keeps_order,
        deleted_records_move_the_start,
        a_consumer_before_the_start_is_reset,
        the_broker_stamps_records_where_the_topic_says_so,
        a_batch_above_the_topics_limit_is_refused,
        a_large_record_passes_where_the_topic_allows_it,
        a_record_for_an_unknown_topic_is_refused;
    admin:
        a_topic_exists_once,
        a_bad_topic_is_refused,
        partitions_only_grow,
        settings_are_taken_shown_and_changed,
        an_unknown_setting_is_refused,
        a_topic_created_again_is_empty,
        groups_are_listed_and_deleted;
    groups:
        a_group_resumes_where_it_committed,
        two_members_share_the_partitions,
        a_leaving_member_gives_its_partitions_back,
        offsets_of_an_unknown_group_are_not_there;
    transactions:
        a_committed_transaction_is_seen,
        an_open_transaction_is_hidden,
        an_aborted_transaction_is_hidden_from_committed_readers,
        transactions_of_two_producers_interleave,
        a_zombie_is_fenced,
        a_zombie_cannot_write_either,
        a_transaction_that_takes_too_long_is_aborted,
        offsets_count_when_their_transaction_commits,
        many_transactions_of_one_producer_stay_apart;
}

impl embedded::Embedded {
    /// Closes it and opens it again on the same data, on another port.
    fn restart(&mut self) {
        self.broker = None;
        self.broker = Some(embedded::open(&self.folder));
    }
}

#[test]
fn data_survives_a_restart_of_the_embedded_broker() {
    let mut broker = embedded::Embedded::start();
    let kept = records::Kept::write(&client::Cluster::at(broker.brokers()));
    broker.restart();
    kept.check(&client::Cluster::at(broker.brokers()));
}

#[test]
fn data_survives_a_restart_of_apache_kafka() {
    if kafka::given().is_some() {
        kafka::say("the Kafka of KAFKA_BROKERS is not ours to restart");
    } else if let Some(mut kafka) = kafka::Kafka::start() {
        let kept = records::Kept::write(&client::Cluster::at(kafka.brokers()));
        kafka.command("restart");
        kept.check(&client::Cluster::at(kafka.brokers()));
    }
}
