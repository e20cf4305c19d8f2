//! Queues, the messages and events taken from them.

use std::ffi::c_void;
use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use super::client::Client;
use super::{c_string, codes, failure, milliseconds, number, sys, text};
use crate::consumer::ReadyCallback;
use crate::error::{Failure, KafkaError};
use crate::message::{Headers, Message};

/// A queue of messages or events.
pub(crate) struct Queue {
    raw: NonNull<sys::rd_kafka_queue_t>,
    /// librdkafka holds a pointer to it while it is set.
    ready: Option<Box<ReadyCallback>>,
    /// Last, so that the client outlives the queue.
    client: Arc<Client>,
}

// SAFETY: librdkafka's queues may be used from any thread, and the callback is `Send + Sync`.
unsafe impl Send for Queue {}
// SAFETY: as above; what changes the callback takes `&mut self`.
unsafe impl Sync for Queue {}

impl Drop for Queue {
    fn drop(&mut self) {
        self.set_ready(None);
        // SAFETY: ours, and not used again.
        unsafe { sys::rd_kafka_queue_destroy(self.raw.as_ptr()) };
    }
}

impl Queue {
    /// The queue of one partition, cut off from the consumer's own queue. Taken before the
    /// partition is assigned, it gets every message of it.
    pub(crate) fn of_partition(
        client: &Arc<Client>,
        topic: &str,
        partition: i32,
    ) -> Result<Self, KafkaError> {
        let name = c_string(topic)?;
        // SAFETY: the client is alive; the name ends with NUL.
        let queue =
            unsafe { sys::rd_kafka_queue_get_partition(client.raw(), name.as_ptr(), partition) };
        let queue = NonNull::new(queue).ok_or_else(|| KafkaError::Call {
            action: format!("open the queue of `{topic}` partition `{partition}`"),
            failure: failure(crate::ErrorCode::UNKNOWN_PARTITION.raw(), None),
        })?;
        // SAFETY: the queue is alive; NULL ends its forwarding for good.
        unsafe { sys::rd_kafka_queue_forward(queue.as_ptr(), ptr::null_mut()) };
        Ok(Self { raw: queue, ready: None, client: Arc::clone(client) })
    }

    /// The queue where a consumer's errors arrive.
    pub(crate) fn of_consumer(client: &Arc<Client>) -> Result<Self, KafkaError> {
        // SAFETY: the client is alive.
        let queue = unsafe { sys::rd_kafka_queue_get_consumer(client.raw()) };
        Self::named(client, queue, "consumer")
    }

    /// The queue where a producer's failed deliveries and errors arrive.
    pub(crate) fn of_producer(client: &Arc<Client>) -> Result<Self, KafkaError> {
        // SAFETY: the client is alive.
        let queue = unsafe { sys::rd_kafka_queue_get_main(client.raw()) };
        Self::named(client, queue, "producer")
    }

    fn named(
        client: &Arc<Client>,
        queue: *mut sys::rd_kafka_queue_t,
        name: &str,
    ) -> Result<Self, KafkaError> {
        let queue = NonNull::new(queue)
            .ok_or_else(|| KafkaError::Client { reason: format!("the {name} has no queue") })?;
        Ok(Self { raw: queue, ready: None, client: Arc::clone(client) })
    }

    /// Sets or takes away what is called when the empty queue gets something.
    pub(crate) fn set_ready(&mut self, ready: Option<ReadyCallback>) {
        let new = ready.map(Box::new);
        match &new {
            None => {
                // SAFETY: the queue is alive. librdkafka takes the queue's lock, under which it
                // calls the old callback, so that none is running once this returns.
                unsafe {
                    sys::rd_kafka_queue_cb_event_enable(self.raw.as_ptr(), None, ptr::null_mut());
                }
            }
            Some(callback) => {
                let opaque = ptr::from_ref::<ReadyCallback>(callback).cast_mut();
                // SAFETY: as above; the box is kept in `self` until another call replaced it.
                unsafe {
                    sys::rd_kafka_queue_cb_event_enable(
                        self.raw.as_ptr(),
                        Some(queue_is_ready),
                        opaque.cast::<c_void>(),
                    );
                }
            }
        }
        // Only now may the old callback go.
        self.ready = new;
    }

    /// Takes up to `max` messages, errors and end-of-partition marks among them.
    pub(crate) fn take(&self, max: usize, timeout: Duration) -> NativeMessages {
        let mut messages: Vec<*mut sys::rd_kafka_message_t> = Vec::with_capacity(max);
        // SAFETY: the queue is alive; there is room for `max` pointers.
        let count = unsafe {
            sys::rd_kafka_consume_batch_queue(
                self.raw.as_ptr(),
                milliseconds(timeout),
                messages.as_mut_ptr(),
                max,
            )
        };
        let count = usize::try_from(count).unwrap_or(0).min(max);
        // SAFETY: librdkafka wrote `count` pointers.
        unsafe { messages.set_len(count) };
        // A batch may live long; most batches of a quiet topic are small.
        messages.shrink_to_fit();
        let messages = messages.into_iter().filter_map(NonNull::new).map(NativeMessage).collect();
        NativeMessages { messages, client: Arc::clone(&self.client) }
    }

    /// The next event, waiting up to `timeout` for it.
    pub(crate) fn event(&self, timeout: Duration) -> Option<Event<'_>> {
        // SAFETY: the queue is alive; the event is ours until destroyed.
        let event = unsafe { sys::rd_kafka_queue_poll(self.raw.as_ptr(), milliseconds(timeout)) };
        NonNull::new(event).map(|event| Event { event, queue: self })
    }

    /// Ends the wait of a thread that is in [`Self::event`] or [`Self::take`].
    pub(crate) fn wake(&self) {
        // SAFETY: the queue is alive.
        unsafe { sys::rd_kafka_queue_yield(self.raw.as_ptr()) };
    }

    /// How many messages or events wait.
    pub(crate) fn length(&self) -> usize {
        // SAFETY: the queue is alive.
        unsafe { sys::rd_kafka_queue_length(self.raw.as_ptr()) }
    }
}

/// Called on a thread of librdkafka, under the queue's lock. A panic ends the process, as it must
/// not unwind into C.
unsafe extern "C" fn queue_is_ready(_rk: *mut sys::rd_kafka_t, opaque: *mut c_void) {
    // SAFETY: the opaque is the callback that the queue keeps until it is replaced.
    let callback = unsafe { &*opaque.cast::<ReadyCallback>() };
    callback();
}

/// An event of a queue.
pub(crate) struct Event<'a> {
    event: NonNull<sys::rd_kafka_event_t>,
    queue: &'a Queue,
}

impl Drop for Event<'_> {
    fn drop(&mut self) {
        // SAFETY: ours, and not used again.
        unsafe { sys::rd_kafka_event_destroy(self.event.as_ptr()) };
    }
}

/// A record that librdkafka could not deliver.
pub(crate) struct Undelivered {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) code: i32,
}

impl Event<'_> {
    /// The error that the event tells, if it is one.
    pub(crate) fn error(&self) -> Option<Failure> {
        if self.kind() != sys::RD_KAFKA_EVENT_ERROR {
            return None;
        }
        // SAFETY: the event is alive.
        let code = unsafe { codes::rd_kafka_event_error(self.event.as_ptr()) };
        // SAFETY: as above; the text is copied at once.
        let reason = text(unsafe { sys::rd_kafka_event_error_string(self.event.as_ptr()) });
        // SAFETY: as above.
        let is_fatal = unsafe { sys::rd_kafka_event_error_is_fatal(self.event.as_ptr()) } != 0;
        let mut failure = failure(code, Some(self.queue.client.redact(&reason)));
        if failure.reason.contains("certificate verify failed")
            && let Some(distrust) = self.queue.client.distrust()
        {
            failure.reason = format!("{distrust}: {}", failure.reason);
        }
        if is_fatal {
            failure = self.queue.client.fatal_error().unwrap_or(failure);
            failure.is_fatal = true;
        }
        Some(failure)
    }

    /// The failed records that the event reports; empty if it is another event.
    pub(crate) fn undelivered(&self) -> Vec<Undelivered> {
        if self.kind() != sys::RD_KAFKA_EVENT_DR {
            return Vec::new();
        }
        let mut all = Vec::new();
        loop {
            // SAFETY: the event is alive; NULL is the end.
            let message = unsafe { sys::rd_kafka_event_message_next(self.event.as_ptr()) };
            // SAFETY: NULL or a message that lives as long as the event.
            let Some(message) = (unsafe { message.as_ref() }) else { return all };
            let code = message_code(message);
            if code != 0 {
                // SAFETY: a delivery report always has its topic.
                let topic = text(unsafe { sys::rd_kafka_topic_name(message.rkt) });
                all.push(Undelivered { topic, partition: message.partition, code });
            }
        }
    }

    fn kind(&self) -> i32 {
        // SAFETY: the event is alive.
        unsafe { sys::rd_kafka_event_type(self.event.as_ptr()) }
    }
}

/// The code of a message, as the number that it is.
pub(super) fn message_code(message: &sys::rd_kafka_message_t) -> i32 {
    // SAFETY: the field is valid for reads; as a number any code that a broker sent is fine.
    unsafe { number(&raw const message.err) }
}

/// A message that librdkafka keeps for us.
struct NativeMessage(NonNull<sys::rd_kafka_message_t>);

impl Drop for NativeMessage {
    fn drop(&mut self) {
        // SAFETY: ours, and not used again.
        unsafe { sys::rd_kafka_message_destroy(self.0.as_ptr()) };
    }
}

impl NativeMessage {
    fn raw(&self) -> &sys::rd_kafka_message_t {
        // SAFETY: ours until dropped. What parses its headers takes the pointer, not this
        // reference, and touches none of these fields.
        unsafe { self.0.as_ref() }
    }

    fn message(&self) -> Message<'_> {
        let raw = self.raw();
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive; `kind` outlives the call.
        let timestamp_ms = unsafe { sys::rd_kafka_message_timestamp(raw, &raw mut kind) };
        Message {
            // SAFETY: NULL, or as many bytes as said, alive as long as the message.
            key: unsafe { bytes(raw.key, raw.key_len) },
            // SAFETY: as above.
            payload: unsafe { bytes(raw.payload, raw.len) },
            partition: raw.partition,
            offset: raw.offset,
            timestamp_ms: (timestamp_ms >= 0
                && kind != sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE)
                .then_some(timestamp_ms),
            headers: Headers::native(NativeHeaders { message: self.0, lives: PhantomData }),
        }
    }
}

/// Messages that librdkafka keeps for us. Not `Sync`: headers are parsed when first asked for.
pub(crate) struct NativeMessages {
    messages: Vec<NativeMessage>,
    /// Last, so that the client outlives the messages.
    client: Arc<Client>,
}

// SAFETY: messages are owned by this value alone and may be read and destroyed on any thread.
unsafe impl Send for NativeMessages {}

/// What stands in a queue in place of a message: a mark or an error.
pub(crate) struct Mark {
    /// Place among the messages where it stood.
    pub(crate) after: usize,
    pub(crate) offset: i64,
    pub(crate) failure: Failure,
}

impl NativeMessages {
    /// No messages.
    pub(crate) fn none(client: &Arc<Client>) -> Self {
        Self { messages: Vec::new(), client: Arc::clone(client) }
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Adds later ones of the same client.
    pub(crate) fn append(&mut self, mut later: Self) {
        self.messages.append(&mut later.messages);
    }

    /// Takes out what is no message, in order.
    pub(crate) fn take_marks(&mut self) -> Vec<Mark> {
        let mut marks = Vec::new();
        let mut kept = 0;
        let client = &self.client;
        self.messages.retain(|message| {
            let raw = message.raw();
            let code = message_code(raw);
            if code == 0 {
                kept += 1;
                return true;
            }
            // SAFETY: the message is alive; the text is copied at once.
            let reason = text(unsafe { sys::rd_kafka_message_errstr(raw) });
            let failure = failure(code, Some(client.redact(&reason)));
            marks.push(Mark { after: kept, offset: raw.offset, failure });
            false
        });
        marks
    }

    /// The message at `index`.
    pub(crate) fn get(&self, index: usize) -> Option<Message<'_>> {
        self.messages.get(index).map(NativeMessage::message)
    }

    /// Messages in order; none beyond the last.
    pub(crate) fn range(&self, range: Range<usize>) -> impl ExactSizeIterator<Item = Message<'_>> {
        let messages = self.messages.get(range).unwrap_or_default();
        messages.iter().map(NativeMessage::message)
    }
}

/// Bytes that librdkafka keeps; `None` for NULL.
///
/// # Safety
/// `first` is NULL or points to `length` bytes that live for `'a`.
unsafe fn bytes<'a>(first: *const c_void, length: usize) -> Option<&'a [u8]> {
    if first.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(unsafe { std::slice::from_raw_parts(first.cast::<u8>(), length) })
}

/// The headers of a message, read when asked for. Neither `Send` nor `Sync`.
#[derive(Clone, Copy)]
pub(crate) struct NativeHeaders<'a> {
    message: NonNull<sys::rd_kafka_message_t>,
    lives: PhantomData<&'a NativeMessages>,
}

impl<'a> NativeHeaders<'a> {
    /// Name and value of the header at `index`.
    pub(crate) fn get(self, index: usize) -> Option<(&'a [u8], Option<&'a [u8]>)> {
        let mut headers = ptr::null_mut();
        // SAFETY: the message lives for `'a`; parsing changes it, but its owner is not `Sync` and
        // neither are we, so that no other thread is in it.
        let code =
            unsafe { codes::rd_kafka_message_headers(self.message.as_ptr(), &raw mut headers) };
        if code != 0 || headers.is_null() {
            return None;
        }
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the headers live as long as the message; the three outlive the call.
        let code = unsafe {
            codes::rd_kafka_header_get_all(
                headers,
                index,
                &raw mut name,
                &raw mut value,
                &raw mut size,
            )
        };
        if code != 0 || name.is_null() {
            return None;
        }
        // SAFETY: the name ends with NUL and lives as long as the message.
        let name = unsafe { std::ffi::CStr::from_ptr(name) };
        // SAFETY: NULL, or as many bytes as said, alive as long as the message.
        Some((name.to_bytes(), unsafe { bytes(value, size) }))
    }
}
