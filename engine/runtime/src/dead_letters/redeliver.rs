//! `engine dlq replay`: records that no model had yet, written once more to their source's topic.
//!
//! Only letters whose record reached no model can be replayed: those that their source could not
//! read or did not let in. A record that failed further on has been counted by other models, which
//! would count it again. **Invariant:** a copy and the mark that its letter was replayed are one
//! transaction, and whoever replays has fenced all others before it reads the marks: a letter of one
//! generation is replayed once. A later generation, which reads the original, skips the copy
//! (`connectors`' `copies`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arrow_kafka::{Message, OwnedMessages, Record};
use connectors::admin::{Admin, TopicSetting};
use connectors::{
    Cluster, ConnectorError, GENERATION_HEADER, ORIGINAL_HEADER, OutputTopic, SliceDecoder,
    TRANSACTION_TIMEOUT, TransactionSettings, TransactionalProducer,
};
use planner::dataflow::{ColumnOrigin, Dataflow, Source};
use stream::{Clock, Fingerprint};

use super::{DeadLetter, REPLAYED, log_bounds, scan};
use crate::codec;
use crate::error::RuntimeError;
use crate::fold::{DeadLetterReason, refusal};
use crate::history::History;
use crate::names::Names;
use crate::prepare::message_bytes;

/// A transaction holds at most so many copies, and so many bytes of them and one more: it ends well
/// before its timeout.
const COPIES_MAX: usize = 1_000;
const COPY_BYTES_MAX: usize = 8 << 20;

/// What a copy's own headers and framing take, generously.
const COPY_OVERHEAD_BYTES: usize = 1_024;

/// What shall be replayed, and where.
pub struct Redelivery<'a> {
    /// Where the topics are.
    pub cluster: &'a Cluster,
    /// Names of our own topics.
    pub names: &'a Names,
    /// The project as it is now.
    pub dataflow: &'a Dataflow,
    /// Tells what lies in the future.
    pub clock: Arc<dyn Clock>,
    /// Whether only to find out.
    pub is_dry_run: bool,
}

/// What becomes of a letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Its record was written to its topic once more, or would be.
    Replayed,
    /// Its source would not let its record in today either; why not the first of them.
    Refused(String),
    /// It is not for replaying; why.
    Left(&'static str),
}

/// Letters of one fate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Their fate.
    pub fate: Fate,
    /// The topic that they come from.
    pub topic: String,
    /// How many.
    pub count: u64,
    /// `topic/partition@offset` of the first.
    pub first: String,
}

/// What was found, and done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RedeliveryReport {
    /// By fate and topic.
    pub settled: Vec<Settled>,
    /// Whether the project has changed since its last run, which would read the copies as it was
    /// then.
    pub is_plan_changed: bool,
}

impl RedeliveryReport {
    /// How many were replayed, or would be.
    pub fn replayed(&self) -> u64 {
        let replayed = self.settled.iter().filter(|one| one.fate == Fate::Replayed);
        replayed.map(|one| one.count).sum()
    }

    fn add(&mut self, fate: Fate, topic: &str, place: String) {
        // What a source says of a record may quote it: only the first is kept.
        let is_same = |one: &Fate| match (one, &fate) {
            (Fate::Refused(_), Fate::Refused(_)) => true,
            (one, other) => one == other,
        };
        let known = self.settled.iter_mut().find(|one| one.topic == topic && is_same(&one.fate));
        match known {
            Some(known) => known.count += 1,
            None => {
                self.settled.push(Settled {
                    fate,
                    topic: topic.to_owned(),
                    count: 1,
                    first: place,
                });
            }
        }
    }
}

/// A record, and which of the sources that read it refused it.
#[derive(Default)]
struct Candidate {
    refused_by: BTreeSet<String>,
    /// Whether one of its letters is asked for.
    is_wanted: bool,
    /// Whether it failed in a model, after others may have counted it.
    is_counted: bool,
}

/// Topic, partition and offset of a record.
type Place = (String, i32, i64);

/// The letters' records, and the marks.
#[derive(Default)]
struct Found {
    candidates: BTreeMap<Place, Candidate>,
    marked: BTreeSet<Place>,
    /// Letters without a record of their own, by topic.
    placeless: Vec<String>,
}

impl Redelivery<'_> {
    /// Replays the letters that `is_wanted`.
    ///
    /// # Errors
    /// [`RuntimeError::Connector`]: what was committed before is marked, so the same call goes on
    /// after it. [`RuntimeError::NeverRan`] without a journal.
    pub fn run(
        &self,
        is_wanted: &dyn Fn(&DeadLetter) -> bool,
    ) -> Result<RedeliveryReport, RuntimeError> {
        let admin = Admin::open(self.cluster)?;
        let history = self.history(&admin)?;
        let topics = self.topics(&admin)?;
        // First, so that no other replay can commit after the marks have been read.
        let producer = if self.is_dry_run { None } else { Some(self.producer(&topics)?) };
        let generation = history.generation.0;
        let found = self.find(&admin, generation, is_wanted)?;
        let mut report = RedeliveryReport {
            is_plan_changed: history.plan().is_some_and(|(plan, _)| *plan != self.fingerprint()),
            ..RedeliveryReport::default()
        };
        for topic in &found.placeless {
            let why = "it stands for several records";
            report.add(Fate::Left(why), topic, topic.clone());
        }
        let mut copier = Copier { producer, topics: &topics, generation, open: (0, 0) };
        let mut by_partition: BTreeMap<(String, i32), BTreeMap<i64, Candidate>> = BTreeMap::new();
        let wanted = found.candidates.into_iter().filter(|(_, candidate)| candidate.is_wanted);
        for ((topic, partition, offset), candidate) in wanted {
            let is_marked = found.marked.contains(&(topic.clone(), partition, offset));
            let left = is_marked.then_some("it was replayed before");
            match left.or_else(|| self.hindrance(&topic, &candidate)) {
                Some(why) => {
                    let place = format!("{topic}/{partition}@{offset}");
                    report.add(Fate::Left(why), &topic, place);
                }
                None => {
                    let records = by_partition.entry((topic, partition)).or_default();
                    records.insert(offset, candidate);
                }
            }
        }
        for ((topic, partition), records) in by_partition {
            self.replay(&admin, (&topic, partition), records, (&mut copier, &mut report))?;
        }
        copier.commit()?;
        Ok(report)
    }

    fn producer(&self, topics: &[OutputTopic]) -> Result<TransactionalProducer, ConnectorError> {
        let id = format!("{}.dlq", self.names.group());
        let settings =
            TransactionSettings { id, timeout: TRANSACTION_TIMEOUT, linger: Duration::ZERO };
        TransactionalProducer::open(self.cluster, &settings, topics)
    }

    fn fingerprint(&self) -> Fingerprint {
        self.dataflow.fingerprint()
    }

    /// The journal to its end.
    fn history(&self, admin: &Admin) -> Result<History, RuntimeError> {
        let topic = self.names.journal();
        let history = match admin.topic(&topic)? {
            Some(_) => History::read(self.cluster, &topic, (0, None))?,
            None => History::default(),
        };
        match &history.journal_id {
            Some(_) => Ok(history),
            None => Err(RuntimeError::NeverRan { topic }),
        }
    }

    /// The topics that may be written: the dead letters, then those of the sources.
    fn topics(&self, admin: &Admin) -> Result<Vec<OutputTopic>, ConnectorError> {
        let names: BTreeSet<&str> =
            self.dataflow.sources().map(|(_, source)| source.topic.as_str()).collect();
        let dead_letters = self.names.dead_letters();
        std::iter::once(dead_letters.as_str())
            .chain(names)
            .map(|topic| {
                let max_message_bytes = message_bytes(&admin.settings(topic)?);
                Ok(OutputTopic { topic: topic.to_owned(), compression: None, max_message_bytes })
            })
            .collect()
    }

    /// Reads the dead letters to the end of the log: marks of a replay that was committed while an
    /// epoch is open lie behind what readers of committed records see.
    fn find(
        &self,
        admin: &Admin,
        generation: u64,
        is_wanted: &dyn Fn(&DeadLetter) -> bool,
    ) -> Result<Found, RuntimeError> {
        let topic = self.names.dead_letters();
        let mut found = Found::default();
        let partitions = admin.topic(&topic)?.map_or(0, |topic| topic.partitions);
        for partition in 0..i32::try_from(partitions).unwrap_or(i32::MAX) {
            let bounds = log_bounds(self.cluster, &topic, partition)?;
            scan(self.cluster, (&topic, partition), bounds, &mut |message| {
                let letter = DeadLetter::of(message);
                found.note(&letter, generation, is_wanted(&letter));
                Ok::<_, RuntimeError>(())
            })?;
        }
        Ok(found)
    }

    fn sources(&self, topic: &str) -> impl Iterator<Item = &Source> {
        self.dataflow.sources().map(|(_, source)| source).filter(move |it| it.topic == *topic)
    }

    /// Why a record must not be written once more, whatever it says.
    fn hindrance(&self, topic: &str, candidate: &Candidate) -> Option<&'static str> {
        if candidate.is_counted {
            return Some("a model has it already, and would count it twice");
        }
        if candidate.refused_by.is_empty() {
            return Some("`run --fresh` has read its topic again since");
        }
        if self.sources(topic).next().is_none() {
            return Some("no source of the project reads its topic");
        }
        let is_refused_by_all =
            self.sources(topic).all(|source| candidate.refused_by.contains(&source.source));
        (!is_refused_by_all).then_some("another source of the project has let it in")
    }

    /// Why no record of a topic can be written once more.
    fn topic_hindrance(
        &self,
        topic: &str,
        settings: &BTreeMap<String, TopicSetting>,
    ) -> Option<&'static str> {
        let value = |key: &str| settings.get(key).and_then(|setting| setting.value.as_deref());
        if value("cleanup.policy").is_some_and(|policy| policy.contains("compact")) {
            return Some("its topic is compacted: it would stand in place of newer records");
        }
        let is_stamped = value("message.timestamp.type") == Some("LogAppendTime");
        let is_timed_by_record = self.sources(topic).any(|source| {
            let column = source.columns.get(source.event_time.column);
            column.is_some_and(|column| column.from == ColumnOrigin::Timestamp)
        });
        (is_stamped && is_timed_by_record)
            .then_some("its event time is when its topic got it, which would be another")
    }

    /// Reads the records of one partition again, and replays those that are let in now.
    fn replay(
        &self,
        admin: &Admin,
        (topic, partition): (&str, i32),
        mut records: BTreeMap<i64, Candidate>,
        (copier, report): (&mut Copier<'_>, &mut RedeliveryReport),
    ) -> Result<(), RuntimeError> {
        let place = |offset: i64| format!("{topic}/{partition}@{offset}");
        let hindrance = self.topic_hindrance(topic, &admin.settings(topic)?);
        let (first, end) = log_bounds(self.cluster, topic, partition)?;
        let offsets = || records.keys().copied().filter(|offset| (first..end).contains(offset));
        let bounds = offsets().next().zip(offsets().next_back());
        let mut decoders = self.decoders(topic)?;
        if let (Some((from, last)), None) = (bounds, hindrance) {
            scan(self.cluster, (topic, partition), (from, last + 1), &mut |message| {
                if records.remove(&message.offset).is_none() {
                    return Ok(());
                }
                let fate = match self.refusal(&mut decoders, message)? {
                    Some(why) => Fate::Refused(why),
                    None => copier.copy(topic, message)?,
                };
                report.add(fate, topic, place(message.offset));
                Ok::<_, RuntimeError>(())
            })?;
        }
        let why = hindrance.unwrap_or("its topic no longer holds it");
        for offset in records.into_keys() {
            report.add(Fate::Left(why), topic, place(offset));
        }
        Ok(())
    }

    fn decoders(&self, topic: &str) -> Result<Vec<(&Source, SliceDecoder)>, ConnectorError> {
        let decoder = |source| Ok((source, SliceDecoder::new(&codec::source_spec(source, false))?));
        self.sources(topic).map(decoder).collect()
    }

    /// Why a source of the project as it is now would not let a record in, if one would not.
    fn refusal(
        &self,
        decoders: &mut [(&Source, SliceDecoder)],
        message: &Message<'_>,
    ) -> Result<Option<String>, RuntimeError> {
        let record: OwnedMessages = std::iter::once(*message).collect();
        for (source, decoder) in decoders {
            let rows = decoder.decode(|| record.iter())?;
            let refused = refusal(source, rows, self.clock.now()).map_err(|error| {
                RuntimeError::Unsupported { node: source.source.clone(), detail: error.to_string() }
            })?;
            if refused.is_some() {
                return Ok(refused);
            }
        }
        Ok(None)
    }
}

impl Found {
    fn note(&mut self, letter: &DeadLetter, generation: u64, is_wanted: bool) {
        let Some((partition, offset)) = letter.origin else {
            if is_wanted {
                self.placeless.push(letter.topic.clone());
            }
            return;
        };
        let place = (letter.topic.clone(), partition, offset);
        let is_present = letter.generation == Some(generation);
        if letter.is_mark() {
            if is_present {
                self.marked.insert(place);
            }
            return;
        }
        let reasons =
            [DeadLetterReason::Undecodable, DeadLetterReason::NullTime, DeadLetterReason::Future];
        let candidate = self.candidates.entry(place).or_default();
        candidate.is_wanted |= is_wanted;
        if !is_present {
            // Counts only if this generation says nothing of it.
        } else if reasons.iter().any(|reason| reason.text() == letter.reason) {
            candidate.refused_by.insert(letter.model.clone());
        } else {
            candidate.is_counted = true;
        }
    }
}

/// Writes copies and marks, a transaction for some of them at a time.
struct Copier<'a> {
    producer: Option<TransactionalProducer>,
    /// The dead letters, then those of the sources.
    topics: &'a [OutputTopic],
    generation: u64,
    /// Copies and their bytes in the open transaction.
    open: (usize, usize),
}

impl Copier<'_> {
    fn copy(&mut self, topic: &str, message: &Message<'_>) -> Result<Fate, RuntimeError> {
        let mut headers: Vec<(&str, Option<&[u8]>)> = Vec::new();
        for (name, value) in message.headers.iter() {
            let Ok(name) = std::str::from_utf8(name) else {
                return Ok(Fate::Left("the name of one of its headers is no text"));
            };
            // A copy that failed again is replayed as a record of its own.
            if name != ORIGINAL_HEADER && name != GENERATION_HEADER {
                headers.push((name, value));
            }
        }
        let origin = format!("{topic}/{}/{}", message.partition, message.offset);
        let generation = self.generation.to_string();
        headers.push((ORIGINAL_HEADER, Some(origin.as_bytes())));
        headers.push((GENERATION_HEADER, Some(generation.as_bytes())));
        let lengths = headers.iter().map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len));
        let bytes = message.key.map_or(0, <[u8]>::len)
            + message.payload.map_or(0, <[u8]>::len)
            + lengths.sum::<usize>();
        let index = self.topics.iter().position(|it| it.topic == topic).unwrap_or_default();
        if bytes + COPY_OVERHEAD_BYTES > self.topics[index].max_message_bytes {
            return Ok(Fate::Left("with the headers of a copy it is too large for its topic"));
        }
        let Some(producer) = &mut self.producer else { return Ok(Fate::Replayed) };
        producer.begin()?;
        let record = Record {
            key: message.key,
            value: message.payload,
            partition: Some(message.partition),
            timestamp_ms: message.timestamp_ms,
            headers: &headers,
        };
        producer.send(index, &record)?;
        let (partition, offset) = (message.partition.to_string(), message.offset.to_string());
        let mark = [
            ("engine.reason", Some(REPLAYED.as_bytes())),
            ("engine.topic", Some(topic.as_bytes())),
            ("engine.partition", Some(partition.as_bytes())),
            ("engine.offset", Some(offset.as_bytes())),
            (GENERATION_HEADER, Some(generation.as_bytes())),
        ];
        let mark = Record { key: Some(origin.as_bytes()), headers: &mark, ..Record::default() };
        producer.send(0, &mark)?;
        self.open = (self.open.0 + 1, self.open.1 + bytes);
        if self.open.0 >= COPIES_MAX || self.open.1 >= COPY_BYTES_MAX {
            self.commit()?;
        }
        Ok(Fate::Replayed)
    }

    fn commit(&mut self) -> Result<(), RuntimeError> {
        if let Some(producer) = self.producer.as_mut().filter(|_| self.open.0 > 0) {
            producer.commit(&[], "")?;
            self.open = (0, 0);
        }
        Ok(())
    }
}
