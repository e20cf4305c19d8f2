//! A reader of a topic: committed records, decoded, partition by partition.
//!
//! The caller keeps the positions and says how far each poll may go; records beyond that stay here
//! until a later poll. So a replay cuts its slices exactly where the journal says.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int8Array, RecordBatch};
use arrow::datatypes::DataType;
use arrow::datatypes::{Int32Type, Int64Type};
use arrow_kafka::{
    ColumnSource, ColumnSpec, Consumer, DecodeSpec, Decoder, KafkaError, Message, MessageBatch,
    OwnedMessages, PartitionQueue, PartitionStart, ReadyCallback, Rejected, Start,
};
use stream::{Batch, Origin, RejectedRecord, RowKind, SliceRows};

use crate::copies::Copies;
use crate::{Cluster, ConnectorError};

/// How long the broker may take to answer a question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// What is read, and how.
#[derive(Debug, Clone)]
pub struct SourceSpec {
    /// Name of the source, for messages.
    pub source: String,
    /// Kafka topic.
    pub topic: String,
    /// How records become rows.
    pub decode: DecodeSpec,
    /// Whether each slice carries its records' bytes, because the topic may forget them.
    pub is_carrying: bool,
}

/// A part of a partition's log, decoded.
#[derive(Debug)]
pub struct Fetched {
    /// Kafka partition.
    pub partition: i32,
    /// Offset of the first record.
    pub from: i64,
    /// Offset of the last record + 1.
    pub to: i64,
    /// Number of records.
    pub records: u64,
    /// Greatest record timestamp, in milliseconds.
    pub newest_timestamp_ms: Option<i64>,
    /// The rows.
    pub rows: SliceRows,
    /// The records' bytes, if the source carries them.
    pub carried: Option<OwnedMessages>,
}

/// What a poll of a partition gave.
#[derive(Debug)]
pub enum Poll {
    /// Nothing has arrived.
    Nothing,
    /// Records.
    Slice(Box<Fetched>),
    /// No record lies before the offset that the poll may reach: the next one is at, or beyond, it.
    Limit,
    /// Everything committed has been read; the position is this offset.
    End(i64),
}

/// What a partition holds at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// First offset.
    pub first: i64,
    /// End offset, after the last committed record.
    pub end: i64,
    /// End of the log; beyond `end` while a transaction is open.
    pub log_end: i64,
}

/// A reader of one topic.
pub struct KafkaSource {
    spec: SourceSpec,
    cluster: Cluster,
    consumer: Consumer,
    decoder: SliceDecoder,
    partitions: Vec<Partition>,
    ready: Option<ReadyCallback>,
}

/// Turns records into the rows of a slice.
pub struct SliceDecoder {
    topic: String,
    decoder: Decoder,
    copies: Copies,
}

#[derive(Default)]
struct Partition {
    queue: Option<PartitionQueue>,
    pending: Option<Pending>,
    end: Option<i64>,
    /// What went wrong after the pending messages were fetched.
    error: Option<KafkaError>,
}

/// Messages that were taken from the queue and not yet polled.
struct Pending {
    messages: MessageBatch,
    next: usize,
    /// Where polls end within the messages: the rows of all from one of them on, and how many of the
    /// rows were polled.
    decoded: Option<(SliceRows, usize)>,
}

impl KafkaSource {
    /// Connects, and finds the topic's partitions.
    ///
    /// # Errors
    /// [`ConnectorError::MissingTopic`]; [`ConnectorError::Kafka`]: retry if retriable.
    pub fn open(cluster: &Cluster, spec: SourceSpec) -> Result<Self, ConnectorError> {
        let count = partition_count(cluster, &spec)?;
        let consumer = Consumer::open(&cluster.reader_settings(count))?;
        let decoder = SliceDecoder::new(&spec)?;
        let partitions = (0..count).map(|_| Partition::default()).collect();
        Ok(Self { spec, cluster: cluster.clone(), consumer, decoder, partitions, ready: None })
    }

    /// Number of partitions of the topic.
    pub fn partition_count(&self) -> usize {
        self.partitions.len()
    }

    /// What each partition holds now.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`]: retry if retriable.
    pub fn bounds(&self) -> Result<Vec<Bounds>, ConnectorError> {
        // A handle sees either committed records or all of them.
        let uncommitted = Consumer::open(&self.cluster.log_settings())?;
        let topic = &self.spec.topic;
        (0..self.partitions.len())
            .map(|partition| {
                let number = partition_number(partition);
                // In this order, records that arrive meanwhile do not look like a transaction.
                let (_, log_end) = uncommitted.watermarks(topic, number, ANSWER_TIMEOUT)?;
                let (first, end) = self.consumer.watermarks(topic, number, ANSWER_TIMEOUT)?;
                Ok(Bounds { first, end, log_end })
            })
            .collect()
    }

    /// As [`SliceDecoder::skip_copies`].
    pub fn skip_copies(&mut self, generation: u64, origins: Vec<i64>) {
        self.decoder.skip_copies(generation, origins);
    }

    /// First and end offset of one partition, committed records only.
    ///
    /// # Errors
    /// As [`KafkaSource::bounds`].
    pub fn partition_bounds(&self, partition: usize) -> Result<(i64, i64), ConnectorError> {
        let number = partition_number(partition);
        Ok(self.consumer.watermarks(&self.spec.topic, number, ANSWER_TIMEOUT)?)
    }

    /// The topic's id, if the broker gives one.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`]: retry if retriable.
    pub fn topic_id(&self) -> Result<Option<String>, ConnectorError> {
        let mut topics = self.consumer.describe(&[&self.spec.topic], ANSWER_TIMEOUT)?;
        Ok(topics.pop().and_then(|topic| topic.id))
    }

    /// End of a partition's log as the last fetch told it, uncommitted records included; `None`
    /// before the first.
    pub fn log_end(&self, partition: usize) -> Option<i64> {
        self.partitions[partition].queue.as_ref()?.log_end()
    }

    /// Starts fetching at `positions`, one a partition. `ready` is called when something arrives.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`].
    pub fn start(
        &mut self,
        positions: &[i64],
        ready: &ReadyCallback,
    ) -> Result<(), ConnectorError> {
        self.ready = Some(Arc::clone(ready));
        let positions: Vec<_> = positions.iter().copied().enumerate().collect();
        self.assign(&positions)
    }

    /// Starts fetching partitions that the topic got meanwhile, each at its first offset.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`]: retry if retriable; no partition was added.
    pub fn grow(&mut self, positions: &[i64]) -> Result<(), ConnectorError> {
        // The client knows a new partition only once it has asked for the topic again.
        self.consumer.metadata(Some(&self.spec.topic), ANSWER_TIMEOUT)?;
        let first = self.partitions.len();
        let positions: Vec<_> = (first..).zip(positions.iter().copied()).collect();
        self.partitions.extend(positions.iter().map(|_| Partition::default()));
        let assigned = self.assign(&positions);
        if assigned.is_err() {
            self.partitions.truncate(first);
        }
        assigned
    }

    /// Fetches a partition anew from an offset; what was fetched and not yet polled is dropped.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`].
    pub fn restart(&mut self, partition: usize, offset: i64) -> Result<(), ConnectorError> {
        self.partitions[partition] = Partition::default();
        self.consumer.unassign(&[(self.spec.topic.as_str(), partition_number(partition))])?;
        self.assign(&[(partition, offset)])
    }

    fn assign(&mut self, positions: &[(usize, i64)]) -> Result<(), ConnectorError> {
        let starts: Vec<_> = positions
            .iter()
            .map(|(partition, offset)| PartitionStart {
                topic: self.spec.topic.clone(),
                partition: partition_number(*partition),
                start: Start::At(*offset),
            })
            .collect();
        for (mut queue, (partition, _)) in self.consumer.assign(&starts)?.into_iter().zip(positions)
        {
            if let Some(ready) = &self.ready {
                queue.on_ready(Arc::clone(ready));
            }
            self.partitions[*partition].queue = Some(queue);
        }
        Ok(())
    }

    /// Takes what has arrived from a partition, without waiting: at most `max_records`, and only
    /// offsets below `limit`.
    ///
    /// # Errors
    /// [`ConnectorError::Kafka`]: retry if retriable; nothing is lost.
    pub fn poll(
        &mut self,
        partition: usize,
        limit: i64,
        max_records: usize,
    ) -> Result<Poll, ConnectorError> {
        let at = &mut self.partitions[partition];
        if at.pending.is_none() {
            if let Some(error) = at.error.take() {
                return Err(error.into());
            }
            let Some(queue) = &at.queue else { return Ok(Poll::Nothing) };
            let polled = queue.poll(max_records, Duration::ZERO);
            at.end = polled.end_reached.or(if polled.messages.is_empty() { at.end } else { None });
            if polled.messages.is_empty() {
                return match polled.error {
                    Some(error) => Err(error.into()),
                    None => Ok(at.end.take().map_or(Poll::Nothing, Poll::End)),
                };
            }
            // The messages are taken first: they will not come again. But they may be of another
            // topic where this one was gone.
            at.pending = Some(Pending { messages: polled.messages, next: 0, decoded: None });
            match polled.error {
                Some(error) if error.is_unknown_topic() => return Err(error.into()),
                error => at.error = error,
            }
        }
        let Some(mut pending) = at.pending.take() else { return Ok(Poll::Nothing) };
        let from = pending.next;
        let room = pending.messages.len().min(from + max_records);
        while pending.next < room && offset_at(&pending.messages, pending.next) < limit {
            pending.next += 1;
        }
        let fetched = (from < pending.next).then(|| self.fetched(partition, &mut pending, from));
        if pending.next < pending.messages.len() {
            self.partitions[partition].pending = Some(pending);
        }
        let fetched = fetched.transpose()?;
        Ok(fetched.map_or(Poll::Limit, |fetched| Poll::Slice(Box::new(fetched))))
    }

    /// Reports what the client has to say, and forgets it.
    pub fn log_events(&self) {
        self.consumer.log_events(&self.spec.topic);
    }

    /// The messages from `from` to the next one.
    fn fetched(
        &mut self,
        partition: usize,
        pending: &mut Pending,
        from: usize,
    ) -> Result<Fetched, ConnectorError> {
        let Pending { messages, next: to, decoded } = pending;
        let (to, end) = (*to, messages.len());
        let taken = || messages.range(from..to);
        let rows = if to == end && decoded.is_none() {
            self.decoder.decode(taken)?
        } else {
            // A replay's slices are short: decoding each by itself would cost twice as much.
            let decoded = match decoded {
                Some(decoded) => decoded,
                None => decoded.insert((self.decoder.decode(|| messages.range(from..end))?, 0)),
            };
            self.decoder.cut(decoded, offset_at(messages, to), taken)
        };
        let carried = self.spec.is_carrying.then(|| {
            let mut carried = OwnedMessages::new();
            taken().for_each(|message| carried.push(message));
            carried
        });
        Ok(Fetched {
            partition: partition_number(partition),
            from: offset_at(messages, from),
            to: offset_at(messages, to - 1) + 1,
            records: (to - from) as u64,
            newest_timestamp_ms: taken().filter_map(|message| message.timestamp_ms).max(),
            rows,
            carried,
        })
    }
}

impl SliceDecoder {
    /// A decoder for a source's records.
    ///
    /// # Errors
    /// [`ConnectorError::Codec`] if a column cannot be read: a planner's bug.
    pub fn new(spec: &SourceSpec) -> Result<Self, ConnectorError> {
        let topic = spec.topic.clone();
        match Decoder::new(with_origin(&spec.decode)) {
            Ok(decoder) => Ok(Self { topic, decoder, copies: Copies::default() }),
            Err(error) => Err(ConnectorError::Codec { topic, detail: error.to_string() }),
        }
    }

    /// Leaves out the copies that `engine dlq replay` made in generations before this one, where
    /// this one has begun to read at or before their originals; `origins` are the offsets at which
    /// it began, one a partition.
    pub fn skip_copies(&mut self, generation: u64, origins: Vec<i64>) {
        self.copies = Copies::new(generation, origins);
    }

    /// Decodes records of one partition, in offset order. `messages` is asked again for the bytes
    /// of records that cannot be read.
    ///
    /// # Errors
    /// [`ConnectorError::Codec`]: our bug.
    pub fn decode<'a, I>(&mut self, messages: impl Fn() -> I) -> Result<SliceRows, ConnectorError>
    where
        I: Iterator<Item = Message<'a>>,
    {
        let mut rejected: Vec<Rejected> = Vec::new();
        let counted = messages().filter(|message| !self.copies.is_skipped(message));
        let decoded = self.decoder.decode(counted, &mut rejected);
        let codec = |detail: String| ConnectorError::Codec { topic: self.topic.clone(), detail };
        let decoded = decoded.map_err(|error| codec(error.to_string()))?;
        let kinds = decoded.deleted.as_ref().map(kinds);
        let (rows, origin) =
            split_origin(&decoded.rows).map_err(|error| codec(error.to_string()))?;
        Ok(SliceRows {
            batch: Batch { rows, kinds, origin: Some(origin), advances: Vec::new() },
            rejected: kept(&rejected, messages),
            nulls_skipped: decoded.nulls_skipped as u64,
        })
    }
}

impl SliceDecoder {
    /// Of decoded records and how many of their rows were cut off before: the next ones, up to the
    /// offset `end`. Their `messages` are asked for what has no row.
    fn cut<'a, I>(
        &self,
        (decoded, cut): &mut (SliceRows, usize),
        end: i64,
        messages: impl Fn() -> I,
    ) -> SliceRows
    where
        I: Iterator<Item = Message<'a>>,
    {
        let from = *cut;
        if let Some(origin) = &decoded.batch.origin {
            *cut = origin.offset.values().partition_point(|offset| *offset < end);
        }
        let rejected = decoded.rejected.partition_point(|record| record.offset < end);
        let is_skipped_null =
            |message: &Message<'_>| message.payload.is_none() && !self.copies.is_skipped(message);
        SliceRows {
            batch: decoded.batch.slice_rows(from, *cut),
            rejected: decoded.rejected.drain(..rejected).collect(),
            nulls_skipped: match decoded.nulls_skipped {
                0 => 0,
                _ => messages().filter(is_skipped_null).count() as u64,
            },
        }
    }
}

/// The bytes of the rejected records; they are few, so they are looked for again.
fn kept<'a, I>(rejected: &[Rejected], messages: impl Fn() -> I) -> Vec<RejectedRecord>
where
    I: Iterator<Item = Message<'a>>,
{
    if rejected.is_empty() {
        return Vec::new();
    }
    let mut reasons = rejected.iter().peekable();
    messages()
        .filter_map(|message| {
            let reason = reasons.next_if(|reason| reason.offset == message.offset)?;
            Some(RejectedRecord {
                partition: message.partition,
                offset: message.offset,
                key: message.key.map(<[u8]>::to_vec),
                value: message.payload.map(<[u8]>::to_vec),
                detail: reason.reason.to_string(),
            })
        })
        .collect()
}

fn kinds(deleted: &BooleanArray) -> Int8Array {
    let code = |is_deleted: bool| if is_deleted { RowKind::Delete } else { RowKind::Insert }.code();
    deleted.values().iter().map(code).collect::<Vec<i8>>().into()
}

/// The decoder's columns, and after them each row's partition and offset.
fn with_origin(decode: &DecodeSpec) -> DecodeSpec {
    let mut decode = decode.clone();
    let column = |name: &str, data_type: DataType, source: ColumnSource| ColumnSpec {
        name: name.to_owned(),
        data_type,
        source,
    };
    decode.columns.push(column("_partition", DataType::Int32, ColumnSource::Partition));
    decode.columns.push(column("_offset", DataType::Int64, ColumnSource::Offset));
    decode
}

fn split_origin(rows: &RecordBatch) -> Result<(RecordBatch, Origin), arrow::error::ArrowError> {
    let count = rows.num_columns() - 2;
    let columns: Vec<usize> = (0..count).collect();
    let origin: [&ArrayRef; 2] = [rows.column(count), rows.column(count + 1)];
    let origin = Origin {
        partition: origin[0].as_primitive::<Int32Type>().clone(),
        offset: origin[1].as_primitive::<Int64Type>().clone(),
    };
    Ok((rows.project(&columns)?, origin))
}

fn offset_at(messages: &MessageBatch, index: usize) -> i64 {
    messages.get(index).map_or(i64::MAX, |message| message.offset)
}

fn partition_number(index: usize) -> i32 {
    i32::try_from(index).unwrap_or(i32::MAX)
}

fn partition_count(cluster: &Cluster, spec: &SourceSpec) -> Result<usize, ConnectorError> {
    let consumer = Consumer::open(&cluster.query_settings())?;
    let metadata = consumer.metadata(Some(&spec.topic), ANSWER_TIMEOUT)?;
    let missing = || ConnectorError::MissingTopic {
        topic: spec.topic.clone(),
        source_name: spec.source.clone(),
        cluster: cluster.to_string(),
    };
    let topic = metadata.topics.iter().find(|topic| topic.exists()).ok_or_else(missing)?;
    Ok(topic.partitions.len())
}

#[cfg(test)]
mod tests;
