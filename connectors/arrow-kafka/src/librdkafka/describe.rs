//! What topics are, with their ids, which plain metadata does not tell.

use std::ffi::{CStr, CString, c_char};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use super::client::Client;
use super::{c_string, codes, failure, milliseconds, sys, text};
use crate::consumer::TopicIdentity;
use crate::error::{ErrorCode, KafkaError};

/// The id of a topic on a broker that has none, in base64.
const NO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// Asks a broker for topics by name.
pub(crate) fn topics(
    client: &Arc<Client>,
    names: &[&str],
    timeout: Duration,
) -> Result<Vec<TopicIdentity>, KafkaError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let question = Question::new(client, names, timeout)?;
    let Some(answer) = question.ask(timeout) else {
        return Err(failed(ErrorCode::TIMED_OUT.raw(), None));
    };
    // SAFETY: the event is alive.
    let code = unsafe { codes::rd_kafka_event_error(answer.event.as_ptr()) };
    if code != 0 {
        // SAFETY: as above; the text is copied at once.
        let reason = text(unsafe { sys::rd_kafka_event_error_string(answer.event.as_ptr()) });
        return Err(failed(code, Some(client.redact(&reason))));
    }
    Ok(answer.topics())
}

fn failed(code: i32, reason: Option<String>) -> KafkaError {
    KafkaError::Call { action: "describe topics".to_owned(), failure: failure(code, reason) }
}

/// What is asked, and the queue for its answer.
struct Question<'a> {
    client: &'a Arc<Client>,
    queue: NonNull<sys::rd_kafka_queue_t>,
    options: NonNull<sys::rd_kafka_AdminOptions_t>,
    topics: NonNull<sys::rd_kafka_TopicCollection_t>,
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        // SAFETY: ours, and not used again.
        unsafe { sys::rd_kafka_TopicCollection_destroy(self.topics.as_ptr()) };
        // SAFETY: as above.
        unsafe { sys::rd_kafka_AdminOptions_destroy(self.options.as_ptr()) };
        // SAFETY: as above; an answer that is still to come is thrown away.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}

impl<'a> Question<'a> {
    fn new(client: &'a Arc<Client>, names: &[&str], timeout: Duration) -> Result<Self, KafkaError> {
        let names: Vec<CString> =
            names.iter().map(|name| c_string(name)).collect::<Result<_, _>>()?;
        let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
        // SAFETY: as many names as said, each with its NUL; librdkafka copies them.
        let topics = unsafe {
            sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len())
        };
        // SAFETY: the client is alive.
        let options = unsafe {
            sys::rd_kafka_AdminOptions_new(
                client.raw(),
                sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
            )
        };
        // SAFETY: the client is alive.
        let queue = unsafe { sys::rd_kafka_queue_new(client.raw()) };
        let made = "librdkafka never returns NULL for it";
        let this = Self {
            client,
            queue: NonNull::new(queue).expect(made),
            options: NonNull::new(options).expect(made),
            topics: NonNull::new(topics).expect(made),
        };
        this.set_timeout(timeout)?;
        Ok(this)
    }

    fn set_timeout(&self, timeout: Duration) -> Result<(), KafkaError> {
        let mut buffer = [0_u8; super::ERROR_TEXT_BYTES];
        // SAFETY: the options are alive; the buffer is as long as said.
        let code = unsafe {
            codes::rd_kafka_AdminOptions_set_request_timeout(
                self.options.as_ptr(),
                milliseconds(timeout),
                buffer.as_mut_ptr().cast::<c_char>(),
                buffer.len(),
            )
        };
        if code == 0 { Ok(()) } else { Err(failed(code, Some(super::buffer_text(&buffer)))) }
    }

    fn ask(&self, timeout: Duration) -> Option<Answer> {
        // SAFETY: all four are alive; librdkafka copies what it needs.
        unsafe {
            sys::rd_kafka_DescribeTopics(
                self.client.raw(),
                self.topics.as_ptr(),
                self.options.as_ptr(),
                self.queue.as_ptr(),
            );
        }
        // SAFETY: the queue is alive; the event is ours until destroyed.
        let event = unsafe { sys::rd_kafka_queue_poll(self.queue.as_ptr(), milliseconds(timeout)) };
        NonNull::new(event).map(|event| Answer { event })
    }
}

/// What the broker said.
struct Answer {
    event: NonNull<sys::rd_kafka_event_t>,
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: ours, and not used again.
        unsafe { sys::rd_kafka_event_destroy(self.event.as_ptr()) };
    }
}

impl Answer {
    fn topics(&self) -> Vec<TopicIdentity> {
        // SAFETY: the event is alive; NULL if it is another event's.
        let result = unsafe { sys::rd_kafka_event_DescribeTopics_result(self.event.as_ptr()) };
        if result.is_null() {
            return Vec::new();
        }
        let mut count = 0;
        // SAFETY: the result lives as long as the event.
        let first = unsafe { sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count) };
        if first.is_null() {
            return Vec::new();
        }
        // SAFETY: librdkafka says how many pointers there are; they live as long as the event.
        let topics = unsafe { std::slice::from_raw_parts(first, count) };
        topics.iter().map(|topic| identity(*topic)).collect()
    }
}

/// `topic` lives as long as the event that it came with, which the caller holds.
fn identity(topic: *const sys::rd_kafka_TopicDescription_t) -> TopicIdentity {
    // SAFETY: the description is alive; the name is copied.
    let name = text(unsafe { sys::rd_kafka_TopicDescription_name(topic) });
    // SAFETY: as above; NULL without an error.
    let error = unsafe { sys::rd_kafka_TopicDescription_error(topic) };
    // SAFETY: librdkafka answers 0 for NULL.
    let code = unsafe { codes::rd_kafka_error_code(error) };
    let mut count = 0;
    // SAFETY: the description is alive.
    unsafe { sys::rd_kafka_TopicDescription_partitions(topic, &raw mut count) };
    // SAFETY: as above.
    let id = unsafe { sys::rd_kafka_TopicDescription_topic_id(topic) };
    let id = (!id.is_null()).then(|| {
        // SAFETY: the id is alive; its text lives as long as it does.
        let base64 = unsafe { sys::rd_kafka_Uuid_base64str(id) };
        if base64.is_null() {
            return String::new();
        }
        // SAFETY: the text ends with NUL; it is copied.
        unsafe { CStr::from_ptr(base64) }.to_string_lossy().into_owned()
    });
    TopicIdentity {
        name,
        id: id.filter(|id| !id.is_empty() && id != NO_ID),
        partitions: count,
        error: (code != 0).then(|| ErrorCode::from_raw(code)),
    }
}
