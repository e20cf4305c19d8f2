//! The last records of a topic, decoded as a run would decode them.

use std::time::Duration;

use arrow_kafka::{Consumer, Message, MessageBatch, PartitionStart, Start};
use connectors::admin::{Admin, TopicDescription};
use connectors::{ConnectorError, SliceDecoder};
use planner::dataflow::Source;

use crate::Error;

/// How many records at the end of each partition are looked at: enough to see what usually comes,
/// few enough to be read in a moment.
const RECORDS: i64 = 100;

/// How long a partition may take to give them.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the last records of a topic are like.
#[derive(Debug, Default)]
pub(super) struct Sample {
    /// How many were looked at.
    pub(super) records: usize,
    /// How many of them cannot be read.
    pub(super) rejected: usize,
    /// Offset, partition and reason of the first of these.
    pub(super) first_rejected: Option<(i64, i32, String)>,
}

impl Sample {
    /// Reads and decodes the end of each partition.
    ///
    /// # Errors
    /// [`Error::Kafka`].
    pub(super) fn of(
        admin: &Admin,
        topic: &TopicDescription,
        source: &Source,
    ) -> Result<Self, Error> {
        let mut sample = Self::default();
        let mut decoder = SliceDecoder::new(&runtime::codec::source_spec(source, false))?;
        let settings = admin.cluster().reader_settings(topic.partitions);
        let consumer = Consumer::open(&settings).map_err(ConnectorError::Kafka)?;
        for (partition, (first, end)) in (0..).zip(admin.bounds(topic)?) {
            if first == end {
                continue;
            }
            let start = end.saturating_sub(RECORDS).max(first);
            for batch in last_records(&consumer, &topic.name, (partition, start, end))? {
                let within = || batch.iter().filter(|message: &Message<'_>| message.offset < end);
                sample.records += within().count();
                let decoded = decoder.decode(within)?;
                sample.rejected += decoded.rejected.len();
                if let Some(record) = decoded.rejected.first() {
                    let first = (record.offset, record.partition, record.detail.clone());
                    sample.first_rejected.get_or_insert(first);
                }
            }
        }
        Ok(sample)
    }
}

/// The records of a partition from `start` to `end`, as far as they come in time.
fn last_records(
    consumer: &Consumer,
    topic: &str,
    (partition, start, end): (i32, i64, i64),
) -> Result<Vec<MessageBatch>, Error> {
    let at = PartitionStart { topic: topic.to_owned(), partition, start: Start::At(start) };
    let queues = consumer.assign(&[at]).map_err(ConnectorError::Kafka)?;
    let mut batches = Vec::new();
    for queue in &queues {
        let mut position = start;
        while position < end {
            // One message is waited for, the others of its fetch are there with it.
            let mut polled = queue.poll(1, PATIENCE);
            if let Some(error) = polled.error.take() {
                return Err(ConnectorError::Kafka(error).into());
            }
            let last = polled.messages.iter().last().map(|message| message.offset + 1);
            match last.or(polled.end_reached) {
                Some(next) => position = next,
                None => break,
            }
            batches.push(polled.messages);
        }
    }
    consumer.unassign(&[(topic, partition)]).map_err(ConnectorError::Kafka)?;
    Ok(batches)
}
