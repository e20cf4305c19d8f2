//! Fetch: waits until there is something, then reads file ranges straight into the response.
//!
//! The response is written by hand, because the codec would copy every record batch twice more.
//! Fetch sessions are declined (session id 0), so each request names all of its partitions.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use tokio::sync::Notify;

use super::records::{COMMITTED_ONLY, storage};
use crate::clock;
use crate::format::AbortedEntry;
use crate::log::batch::BatchHeader;
use crate::log::{Log, Stretch, walk};
use crate::node::Call;
use crate::partition::Partition;
use crate::topics::Topic;
use crate::wire::{Close, Incoming};

/// Greatest response (but for a first batch that is larger): bounds the memory of a connection.
const RESPONSE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Longest wait that a client may ask for.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// First version without topic names, with ids.
const TOPIC_IDS_SINCE: i16 = 13;

/// First version with compact lengths and tagged fields.
const FLEXIBLE_SINCE: i16 = 12;

/// A response buffer that keeps its bytes initialised between requests, so that files are read
/// into it without clearing it first.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    bytes: Vec<u8>,
    len: usize,
}

impl Frame {
    /// What is to be sent.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn put(&mut self, bytes: &[u8]) {
        self.space(bytes.len()).copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Room for `count` more bytes; they count only once `len` is raised.
    fn space(&mut self, count: usize) -> &mut [u8] {
        let end = self.len + count;
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes.get_mut(self.len..end).unwrap_or_default()
    }

    fn patch(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.bytes.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    fn varint(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.put(&[low_bits(value) | 0x80]);
            value >>= 7;
        }
        self.put(&[low_bits(value)]);
    }

    fn count(&mut self, count: usize, is_flexible: bool) {
        if is_flexible {
            self.varint(count + 1);
        } else {
            self.put(&i32::try_from(count).unwrap_or(i32::MAX).to_be_bytes());
        }
    }
}

fn low_bits(value: usize) -> u8 {
    u8::try_from(value & 0x7f).unwrap_or(0)
}

/// One topic of the request with what was found for it.
struct Wanted {
    asked: FetchTopic,
    topic: Option<Arc<Topic>>,
    partitions: Vec<(FetchPartition, Option<Arc<Partition>>)>,
}

/// Serves a fetch. `interrupted` ends the waiting early: the client has sent something else,
/// which must not wait behind this.
pub(crate) async fn serve(
    call: &Call<'_>,
    incoming: &Incoming,
    frame: &mut Frame,
    interrupted: impl Future<Output = ()>,
) -> Result<(), Close> {
    let mut request: FetchRequest = incoming.decode()?;
    let is_committed_only = request.isolation_level == COMMITTED_ONLY;
    let topics = std::mem::take(&mut request.topics);
    let wanted: Vec<Wanted> = topics.into_iter().map(|topic| find(call, topic)).collect();
    if request.session_id == 0 {
        wait(&request, &wanted, is_committed_only, interrupted).await;
    }
    let shape = Shape { version: call.version, is_committed_only };
    begin(frame, incoming.correlation_id, shape, request.session_id);
    let asked = usize::try_from(request.max_bytes).unwrap_or(0);
    let mut budget = asked.min(RESPONSE_BYTES_MAX);
    frame.count(if request.session_id == 0 { wanted.len() } else { 0 }, shape.is_flexible());
    if request.session_id == 0 {
        for topic in &wanted {
            put_topic(frame, shape, topic, &mut budget);
        }
    }
    if shape.is_flexible() {
        frame.put(&[0]);
    }
    let length = i32::try_from(frame.len - 4).unwrap_or(i32::MAX);
    frame.patch(0, &length.to_be_bytes());
    Ok(())
}

fn find(call: &Call<'_>, mut asked: FetchTopic) -> Wanted {
    let topic = if call.version >= TOPIC_IDS_SINCE {
        call.node.topics.by_id(asked.topic_id)
    } else {
        call.node.topics.named(&asked.topic)
    };
    let partitions = std::mem::take(&mut asked.partitions)
        .into_iter()
        .map(|partition| {
            let found = topic.as_ref().and_then(|topic| topic.partition(partition.partition));
            (partition, found)
        })
        .collect();
    Wanted { asked, topic, partitions }
}

/// Waits until the least number of bytes is there, an error is to be told, or time is over.
async fn wait(
    request: &FetchRequest,
    wanted: &[Wanted],
    is_committed_only: bool,
    interrupted: impl Future<Output = ()>,
) {
    let least = u64::try_from(request.min_bytes).unwrap_or(0);
    let patience = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let deadline = clock::monotonic() + patience.min(WAIT_MAX);
    if is_ready(wanted, is_committed_only, least) {
        return;
    }
    let wake = Arc::new(Notify::new());
    let found =
        || wanted.iter().flat_map(|topic| &topic.partitions).filter_map(|(_, p)| p.as_ref());
    for partition in found() {
        partition.wait(&wake, is_committed_only);
    }
    let news = async {
        // Asked again after each wake, as somebody may have appended before we waited.
        while !is_ready(wanted, is_committed_only, least) {
            wake.notified().await;
        }
    };
    clock::until(deadline, async {
        tokio::select! {
            () = news => {}
            () = interrupted => {}
        }
    })
    .await;
    for partition in found() {
        partition.forget(&wake);
    }
}

fn is_ready(wanted: &[Wanted], is_committed_only: bool, least: u64) -> bool {
    let mut bytes = 0;
    for (asked, found) in wanted.iter().flat_map(|topic| &topic.partitions) {
        let Some(partition) = found else { return true };
        let mut log = partition.log();
        let end = end_of(&log, is_committed_only);
        if asked.fetch_offset < log.start_offset() || asked.fetch_offset > log.end_offset() {
            return true;
        }
        if asked.fetch_offset < end {
            // What cannot be measured cannot be read either: the answer says why.
            bytes += log.bytes_from(asked.fetch_offset).unwrap_or(u64::MAX);
        }
        if bytes >= least {
            return true;
        }
    }
    bytes >= least
}

fn end_of(log: &Log, is_committed_only: bool) -> i64 {
    if is_committed_only { log.stable_offset() } else { log.end_offset() }
}

/// How the response is to be written.
#[derive(Clone, Copy)]
struct Shape {
    version: i16,
    is_committed_only: bool,
}

impl Shape {
    fn is_flexible(self) -> bool {
        self.version >= FLEXIBLE_SINCE
    }
}

fn begin(frame: &mut Frame, correlation_id: i32, shape: Shape, session_id: i32) {
    frame.len = 0;
    frame.put(&[0; 4]);
    frame.put(&correlation_id.to_be_bytes());
    if shape.is_flexible() {
        frame.put(&[0]);
    }
    frame.put(&0_i32.to_be_bytes());
    if shape.version >= 7 {
        let is_known = session_id == 0;
        let error = if is_known { 0 } else { ResponseError::FetchSessionIdNotFound.code() };
        frame.put(&error.to_be_bytes());
        frame.put(&0_i32.to_be_bytes());
    }
}

fn put_topic(frame: &mut Frame, shape: Shape, wanted: &Wanted, budget: &mut usize) {
    if shape.version >= TOPIC_IDS_SINCE {
        frame.put(wanted.asked.topic_id.as_bytes());
    } else {
        let name = wanted.asked.topic.as_bytes();
        if shape.is_flexible() {
            frame.varint(name.len() + 1);
        } else {
            frame.put(&i16::try_from(name.len()).unwrap_or(0).to_be_bytes());
        }
        frame.put(name);
    }
    frame.count(wanted.partitions.len(), shape.is_flexible());
    for (asked, partition) in &wanted.partitions {
        let view = match (partition, &wanted.topic) {
            (Some(partition), _) => view(&mut partition.log(), asked.fetch_offset, shape),
            (None, None) if shape.version >= TOPIC_IDS_SINCE => {
                View::failed(ResponseError::UnknownTopicId)
            }
            (None, _) => View::failed(ResponseError::UnknownTopicOrPartition),
        };
        put_partition(frame, shape, asked, &view, budget);
    }
    if shape.is_flexible() {
        frame.put(&[0]);
    }
}

/// What the log's lock gives away: enough to read without it.
struct View {
    error: i16,
    end: i64,
    stable: i64,
    start: i64,
    /// End of what may be shown.
    limit: i64,
    aborted: Vec<AbortedEntry>,
    stretch: Option<Stretch>,
}

impl View {
    fn failed(error: ResponseError) -> Self {
        let (end, stable, start, limit) = (-1, -1, -1, -1);
        Self { error: error.code(), end, stable, start, limit, aborted: vec![], stretch: None }
    }
}

fn view(log: &mut Log, offset: i64, shape: Shape) -> View {
    let (end, stable, start) = (log.end_offset(), log.stable_offset(), log.start_offset());
    let limit = end_of(log, shape.is_committed_only);
    let stretch = match log.locate(offset) {
        Ok(Ok(stretch)) => stretch.filter(|_| offset < limit),
        Ok(Err(crate::log::OutOfRange)) => return View::failed(ResponseError::OffsetOutOfRange),
        Err(error) => return View::failed(storage(&error)),
    };
    let aborted =
        if shape.is_committed_only { log.aborted_between(offset, limit) } else { Vec::new() };
    View { error: 0, end, stable, start, limit, aborted, stretch }
}

fn put_partition(
    frame: &mut Frame,
    shape: Shape,
    asked: &FetchPartition,
    view: &View,
    budget: &mut usize,
) {
    frame.put(&asked.partition.to_be_bytes());
    let error_at = frame.len;
    frame.put(&view.error.to_be_bytes());
    frame.put(&view.end.to_be_bytes());
    frame.put(&view.stable.to_be_bytes());
    if shape.version >= 5 {
        frame.put(&view.start.to_be_bytes());
    }
    put_aborted(frame, shape, &view.aborted);
    if shape.version >= 11 {
        // No replica is preferred.
        frame.put(&(-1_i32).to_be_bytes());
    }
    let length_at = frame.len;
    frame.put(if shape.is_flexible() { &[0; 5] } else { &[0; 4] });
    let asked_bytes = usize::try_from(asked.partition_max_bytes).unwrap_or(0);
    let read = match &view.stretch {
        Some(stretch) if *budget > 0 => {
            read_batches(frame, stretch, (asked.fetch_offset, view.limit), asked_bytes.min(*budget))
        }
        _ => Ok(0),
    };
    let bytes = read.unwrap_or_else(|error| {
        frame.patch(error_at, &storage(&error).code().to_be_bytes());
        0
    });
    frame.len += bytes;
    *budget = budget.saturating_sub(bytes);
    if shape.is_flexible() {
        frame.patch(length_at, &padded_varint(bytes + 1));
        frame.put(&[0]);
    } else {
        frame.patch(length_at, &i32::try_from(bytes).unwrap_or(i32::MAX).to_be_bytes());
    }
}

fn put_aborted(frame: &mut Frame, shape: Shape, aborted: &[AbortedEntry]) {
    if !shape.is_committed_only {
        let null: &[u8] = if shape.is_flexible() { &[0] } else { &[255; 4] };
        frame.put(null);
        return;
    }
    frame.count(aborted.len(), shape.is_flexible());
    for entry in aborted {
        frame.put(&entry.producer_id.to_be_bytes());
        frame.put(&entry.first_offset.to_be_bytes());
        if shape.is_flexible() {
            frame.put(&[0]);
        }
    }
}

/// A varint of exactly five bytes, so that it can be filled in afterwards.
fn padded_varint(value: usize) -> [u8; 5] {
    let mut bytes = [0; 5];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = low_bits(value >> (index * 7)) | if index < 4 { 0x80 } else { 0 };
    }
    bytes
}

/// Reads whole batches of [from, limit) into the frame's free space, about `bytes_max` of them
/// but at least one; returns how many bytes they are.
fn read_batches(
    frame: &mut Frame,
    stretch: &Stretch,
    (from, limit): (i64, i64),
    bytes_max: usize,
) -> io::Result<usize> {
    let mut walk = walk(stretch);
    let (first, position) = loop {
        match walk.next_header()? {
            Some((header, _)) if header.last_offset() < from => {}
            Some((header, at)) if header.base_offset < limit => break (header, at),
            Some(_) | None => return Ok(0),
        }
    };
    let left = usize::try_from(stretch.end - position).unwrap_or(usize::MAX);
    let space = frame.space(bytes_max.max(first.bytes).min(left));
    stretch.file.read_exact_at(space, position)?;
    Ok(whole_batches(space, limit))
}

/// Bytes of the whole batches at the start of `bytes` that lie below `limit`.
fn whole_batches(bytes: &[u8], limit: i64) -> usize {
    let mut end = 0;
    while let Some(Ok(header)) = bytes.get(end..).map(BatchHeader::read) {
        if header.base_offset >= limit || end + header.bytes > bytes.len() {
            break;
        }
        end += header.bytes;
    }
    end
}

#[cfg(test)]
mod tests;
