//! The encoder's thread: rows to bytes, dead letters to records.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use arrow_kafka::{EncodeSpec, Encoded, Encoder};
use connectors::GENERATION_HEADER;
use planner::dataflow::{Dataflow, OperatorId};
use stream::{Epoch, Generation, Origin, RejectedRecord};

use crate::codec;
use crate::error::RuntimeError;
use crate::fold::{DeadLetterReason, DeadLetters, SinkRows};
use crate::inbox::Inbox;
use crate::outbox::{FIRST_SINK, Kept, Letter, ToCommit, ToEncode};

/// How many rows are encoded into one buffer: window results may come by the hundred thousand.
const ROWS_PER_BUFFER: usize = 8_192;

/// What headers and framing of a record take beside key and value, generously.
const RECORD_OVERHEAD_BYTES: usize = 512;

/// What a dead letter leaves free of the topic's `max.message.bytes`, for its headers.
const LETTER_HEADROOM_BYTES: usize = 16 * 1024;

/// Limits on the size of records, from the topics' `max.message.bytes`.
#[derive(Debug, Clone)]
pub(crate) struct SizeLimits {
    /// By sink, in the dataflow's order.
    pub(crate) sinks: Vec<usize>,
    /// Of the dead-letter topic.
    pub(crate) dead_letters: usize,
}

/// Turns what the fold gives into records.
pub(crate) struct EncodeStage {
    sinks: HashMap<usize, SinkEncoder>,
    limits: SizeLimits,
    /// Bytes encoded and not yet committed; the committer takes them off.
    kept_bytes: Arc<AtomicU64>,
    generation: Generation,
    epoch: Epoch,
}

struct SinkEncoder {
    topic: usize,
    name: String,
    id: OperatorId,
    encoder: Encoder,
    limit: usize,
}

impl EncodeStage {
    pub(crate) fn new(
        dataflow: &Dataflow,
        limits: SizeLimits,
        kept_bytes: &Arc<AtomicU64>,
    ) -> Result<Self, RuntimeError> {
        let mut sinks = HashMap::new();
        for (index, (node, sink)) in dataflow.sinks().enumerate() {
            let sink_encoder = SinkEncoder {
                topic: FIRST_SINK + index,
                name: sink.topic.clone(),
                id: dataflow.nodes[node].id.clone(),
                encoder: codec::encoder(sink, &dataflow.input_schema(node, 0))?,
                limit: limits.sinks.get(index).copied().unwrap_or(usize::MAX),
            };
            sinks.insert(node, sink_encoder);
        }
        let kept_bytes = Arc::clone(kept_bytes);
        // The first entry says who the owner is, before anything else comes.
        let (generation, epoch) = (Generation::default(), Epoch::default());
        Ok(Self { sinks, limits, kept_bytes, generation, epoch })
    }

    /// Encodes until the fold has no more; an error goes to the inbox.
    pub(crate) fn run(
        mut self,
        from: &Receiver<ToEncode>,
        to: &SyncSender<ToCommit>,
        inbox: &Inbox,
    ) {
        for message in from {
            let is_sent = match self.encode(message) {
                Ok(ready) => ready.into_iter().all(|message| to.send(message).is_ok()),
                Err(error) => {
                    inbox.fail(error);
                    false
                }
            };
            if !is_sent {
                return;
            }
        }
    }

    fn encode(&mut self, message: ToEncode) -> Result<Vec<ToCommit>, RuntimeError> {
        let kept = match message {
            ToEncode::Rows(rows) => self.encode_rows(&rows)?,
            ToEncode::Letters(letters, epoch) => {
                self.epoch = epoch;
                self.letters(&letters)?
            }
            ToEncode::Cut(cut) => {
                let header = &cut.entry.header;
                (self.generation, self.epoch) = (header.generation, header.epoch.next());
                return Ok(vec![ToCommit::Cut(cut)]);
            }
        };
        let bytes: usize = kept.iter().map(Kept::bytes).sum();
        self.kept_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(kept.into_iter().map(ToCommit::Records).collect())
    }

    fn encode_rows(&mut self, rows: &SinkRows) -> Result<Vec<Kept>, RuntimeError> {
        let mut kept = Vec::new();
        let Some(sink) = self.sinks.get_mut(&rows.node) else { return Ok(kept) };
        let mut oversized = Vec::new();
        for from in (0..rows.rows.num_rows()).step_by(ROWS_PER_BUFFER) {
            let length = ROWS_PER_BUFFER.min(rows.rows.num_rows() - from);
            let part = rows.rows.slice(from, length);
            let mut encoded = sink.encode(&part)?;
            if let Some(fits) = sink.fitting(&encoded) {
                let refused =
                    arrow::compute::not(&fits).and_then(|no| filter_record_batch(&part, &no));
                let part = filter_record_batch(&part, &fits);
                let failed = |source| sink.failed(&source);
                oversized.push(refused.map_err(failed)?);
                encoded = sink.encode(&part.map_err(failed)?)?;
            }
            if !encoded.is_empty() {
                kept.push(Kept::Rows { topic: sink.topic, encoded: Arc::new(encoded) });
            }
        }
        if !oversized.is_empty() {
            let (id, topic) = (sink.id.clone(), sink.name.clone());
            for rows in oversized {
                kept.extend(self.letters(&oversized_letters(rows, &id, &topic))?);
            }
        }
        Ok(kept)
    }

    fn letters(&self, letters: &DeadLetters) -> Result<Vec<Kept>, RuntimeError> {
        let limit = self.limits.dead_letters.saturating_sub(LETTER_HEADROOM_BYTES);
        let made = match letters {
            DeadLetters::Records { topic, source, records } => records
                .iter()
                .map(|record| self.record_letter(topic, source, record, limit))
                .collect(),
            DeadLetters::Rows { reason, operator, topic, rows, origin, detail } => {
                let at = RowLetters { reason: *reason, operator, topic, detail };
                self.row_letters(&at, rows, origin.as_ref(), limit)?
            }
        };
        Ok(made)
    }

    fn record_letter(
        &self,
        topic: &str,
        source: &str,
        record: &RejectedRecord,
        limit: usize,
    ) -> Kept {
        let mut value = record.value.clone();
        let mut headers = self.headers(DeadLetterReason::Undecodable, topic, &record.detail);
        headers.push(("engine.model", source.to_owned()));
        headers.push(("engine.operator", "decode".to_owned()));
        headers.push(("engine.partition", record.partition.to_string()));
        headers.push(("engine.offset", record.offset.to_string()));
        if value.as_ref().is_some_and(|value| value.len() > limit) {
            headers.push(("engine.truncated", "true".to_owned()));
            value = value.map(|mut value| {
                value.truncate(limit);
                value
            });
        }
        let key = format!("{topic}/{}/{}", record.partition, record.offset);
        Kept::Letter(Arc::new(Letter { key, value, headers }))
    }

    fn row_letters(
        &self,
        at: &RowLetters<'_>,
        rows: &RecordBatch,
        origin: Option<&Origin>,
        limit: usize,
    ) -> Result<Vec<Kept>, RuntimeError> {
        let encoded = encode_json(&rows.schema(), rows, &at.operator.0)?;
        let mut letters = Vec::with_capacity(rows.num_rows());
        for row in 0..rows.num_rows() {
            let mut headers = self.headers(at.reason, at.topic, at.detail);
            headers.push(("engine.model", at.operator.model().to_owned()));
            headers.push(("engine.operator", at.operator.0.clone()));
            let mut key = at.topic.to_owned();
            if let Some(origin) = origin {
                let (partition, offset) = (origin.partition.value(row), origin.offset.value(row));
                headers.push(("engine.partition", partition.to_string()));
                headers.push(("engine.offset", offset.to_string()));
                key = format!("{}/{partition}/{offset}", at.topic);
            }
            let mut value = encoded.value(row).map(<[u8]>::to_vec);
            if value.as_ref().is_some_and(|value| value.len() > limit) {
                headers.push(("engine.truncated", "true".to_owned()));
                if let Some(value) = &mut value {
                    value.truncate(limit);
                }
            }
            letters.push(Kept::Letter(Arc::new(Letter { key, value, headers })));
        }
        Ok(letters)
    }

    fn headers(
        &self,
        reason: DeadLetterReason,
        topic: &str,
        detail: &str,
    ) -> Vec<(&'static str, String)> {
        vec![
            ("engine.reason", reason.text().to_owned()),
            ("engine.detail", detail.to_owned()),
            ("engine.topic", topic.to_owned()),
            ("engine.epoch", self.epoch.to_string()),
            (GENERATION_HEADER, self.generation.to_string()),
        ]
    }
}

/// What all dead letters of one batch of rows share.
struct RowLetters<'a> {
    reason: DeadLetterReason,
    operator: &'a OperatorId,
    topic: &'a str,
    detail: &'a str,
}

impl SinkEncoder {
    fn encode(&mut self, rows: &RecordBatch) -> Result<Encoded, RuntimeError> {
        self.encoder.encode(rows).map_err(|error| RuntimeError::Unsupported {
            node: self.id.0.clone(),
            detail: error.to_string(),
        })
    }

    /// Which rows fit into the topic's `max.message.bytes`; `None` if all do.
    fn fitting(&self, encoded: &Encoded) -> Option<BooleanArray> {
        let size = |row: usize| {
            encoded.value(row).map_or(0, <[u8]>::len) + encoded.key(row).map_or(0, <[u8]>::len)
        };
        let fits = |row: usize| size(row) + RECORD_OVERHEAD_BYTES <= self.limit;
        if encoded.bytes() + RECORD_OVERHEAD_BYTES <= self.limit || (0..encoded.len()).all(fits) {
            return None;
        }
        Some((0..encoded.len()).map(|row| Some(fits(row))).collect())
    }

    fn failed(&self, error: &arrow::error::ArrowError) -> RuntimeError {
        RuntimeError::Unsupported { node: self.id.0.clone(), detail: error.to_string() }
    }
}

impl Kept {
    /// What it holds in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Rows { encoded, .. } => encoded.bytes(),
            Self::Letter(letter) => letter.key.len() + letter.value.as_ref().map_or(0, Vec::len),
        }
    }
}

fn oversized_letters(rows: RecordBatch, id: &OperatorId, topic: &str) -> DeadLetters {
    DeadLetters::Rows {
        reason: DeadLetterReason::Oversized,
        operator: id.clone(),
        topic: topic.to_owned(),
        rows,
        origin: None,
        detail: format!("the record exceeds `max.message.bytes` of topic `{topic}`"),
    }
}

/// Rows as JSON, for people.
fn encode_json(
    schema: &SchemaRef,
    rows: &RecordBatch,
    node: &str,
) -> Result<Encoded, RuntimeError> {
    let failed = |detail: String| RuntimeError::Unsupported { node: node.to_owned(), detail };
    let mut encoder = Encoder::new(EncodeSpec::json(Arc::clone(schema)))
        .map_err(|error| failed(error.to_string()))?;
    encoder.encode(rows).map_err(|error| failed(error.to_string()))
}
