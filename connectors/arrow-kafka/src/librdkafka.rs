//! The one module that calls librdkafka: raw handles inside, safe types outside.
//!
//! **Invariant:** whatever points into a client (queue, topic, message) keeps that client alive
//! through an `Arc`, and gives its own part back before it lets go of the client. So a client is
//! destroyed last, whichever thread drops it, and never while a call is inside.
//!
//! **Invariant:** error codes cross this border as `i32`. A Rust enum would be undefined
//! behaviour for a code that a newer broker sends.
//!
//! Deliberately absent: group subscription, callbacks for delivery and rebalance, admin calls.

pub(crate) mod client;
pub(crate) mod consume;
pub(crate) mod describe;
pub(crate) mod list;
pub(crate) mod produce;
mod trust;

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char, c_int};
use std::time::Duration;

use rdkafka_sys as sys;

use crate::error::{ErrorCode, Failure, KafkaError};

/// The same functions as in `rdkafka-sys`, but with codes as numbers.
mod codes {
    use std::ffi::{c_char, c_int, c_void};

    use rdkafka_sys as sys;

    unsafe extern "C" {
        pub(super) fn rd_kafka_last_error() -> c_int;
        pub(super) fn rd_kafka_err2str(code: c_int) -> *const c_char;
        pub(super) fn rd_kafka_err2name(code: c_int) -> *const c_char;
        pub(super) fn rd_kafka_error_code(error: *const sys::rd_kafka_error_t) -> c_int;
        pub(super) fn rd_kafka_fatal_error(
            rk: *mut sys::rd_kafka_t,
            text: *mut c_char,
            text_size: usize,
        ) -> c_int;
        pub(super) fn rd_kafka_poll_set_consumer(rk: *mut sys::rd_kafka_t) -> c_int;
        pub(super) fn rd_kafka_query_watermark_offsets(
            rk: *mut sys::rd_kafka_t,
            topic: *const c_char,
            partition: i32,
            low: *mut i64,
            high: *mut i64,
            timeout_ms: c_int,
        ) -> c_int;
        pub(super) fn rd_kafka_get_watermark_offsets(
            rk: *mut sys::rd_kafka_t,
            topic: *const c_char,
            partition: i32,
            low: *mut i64,
            high: *mut i64,
        ) -> c_int;
        pub(super) fn rd_kafka_offsets_for_times(
            rk: *mut sys::rd_kafka_t,
            offsets: *mut sys::rd_kafka_topic_partition_list_t,
            timeout_ms: c_int,
        ) -> c_int;
        pub(super) fn rd_kafka_committed(
            rk: *mut sys::rd_kafka_t,
            partitions: *mut sys::rd_kafka_topic_partition_list_t,
            timeout_ms: c_int,
        ) -> c_int;
        pub(super) fn rd_kafka_metadata(
            rk: *mut sys::rd_kafka_t,
            all_topics: c_int,
            only: *mut sys::rd_kafka_topic_t,
            metadata: *mut *const sys::rd_kafka_metadata,
            timeout_ms: c_int,
        ) -> c_int;
        pub(super) fn rd_kafka_event_error(event: *mut sys::rd_kafka_event_t) -> c_int;
        pub(super) fn rd_kafka_message_headers(
            message: *const sys::rd_kafka_message_t,
            headers: *mut *mut sys::rd_kafka_headers_t,
        ) -> c_int;
        pub(super) fn rd_kafka_header_get_all(
            headers: *const sys::rd_kafka_headers_t,
            index: usize,
            name: *mut *const c_char,
            value: *mut *const c_void,
            size: *mut usize,
        ) -> c_int;
        pub(super) fn rd_kafka_AdminOptions_set_request_timeout(
            options: *mut sys::rd_kafka_AdminOptions_t,
            timeout_ms: c_int,
            text: *mut c_char,
            text_size: usize,
        ) -> c_int;
        pub(super) fn rd_kafka_flush(rk: *mut sys::rd_kafka_t, timeout_ms: c_int) -> c_int;
        pub(super) fn rd_kafka_purge(rk: *mut sys::rd_kafka_t, flags: c_int) -> c_int;
    }
}

/// librdkafka's name of `code`, e.g. `_QUEUE_FULL`.
pub(crate) fn error_name(code: ErrorCode) -> Cow<'static, str> {
    // SAFETY: takes any number; the text is static, or in thread-local storage until the next call.
    let name = unsafe { codes::rd_kafka_err2name(code.raw()) };
    Cow::Owned(text(name))
}

/// librdkafka's sentence about `code`.
fn error_text(code: ErrorCode) -> String {
    // SAFETY: takes any number; the text is static, or in thread-local storage until the next call.
    let sentence = unsafe { codes::rd_kafka_err2str(code.raw()) };
    text(sentence)
}

/// What a bare code says; `reason` where librdkafka has told more than the code's own sentence.
pub(crate) fn failure(code: i32, reason: Option<String>) -> Failure {
    let code = ErrorCode::from_raw(code);
    Failure {
        code,
        reason: reason.filter(|reason| !reason.is_empty()).unwrap_or_else(|| error_text(code)),
        is_retriable: code.is_retriable(),
        requires_abort: false,
        is_fatal: code == ErrorCode::FATAL || code.is_fenced(),
    }
}

/// The result of a call that answers with a bare code.
fn check(code: c_int, action: impl FnOnce() -> String) -> Result<(), KafkaError> {
    if code == 0 {
        return Ok(());
    }
    Err(KafkaError::Call { action: action(), failure: failure(code, None) })
}

/// The code in a value that librdkafka filled, as the number that it is.
///
/// # Safety
/// `code` may be read.
unsafe fn number(code: *const sys::rd_kafka_resp_err_t) -> i32 {
    // SAFETY: the caller's promise; any bits are a number.
    unsafe { code.cast::<i32>().read() }
}

/// A copy of a C string; empty for NULL. Invalid UTF-8 becomes replacement characters.
fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: librdkafka's texts end with NUL and live at least as long as the call that gave
    // them; the copy is made before anything else is called.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_string_lossy().into_owned()
}

/// `name` for C.
///
/// # Errors
/// [`KafkaError::Name`] if it holds a NUL byte.
fn c_string(name: &str) -> Result<CString, KafkaError> {
    CString::new(name).map_err(|error| {
        let name = String::from_utf8_lossy(&error.into_vec()).into_owned();
        KafkaError::Name { name }
    })
}

/// `timeout` in librdkafka's milliseconds: rounded up, so that a short wait does not spin.
fn milliseconds(timeout: Duration) -> c_int {
    c_int::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(c_int::MAX)
}

/// How long a text librdkafka writes into our buffer may be.
const ERROR_TEXT_BYTES: usize = 512;

/// The text in a buffer that librdkafka filled.
fn buffer_text(buffer: &[u8]) -> String {
    let text = buffer.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// Takes over an `rd_kafka_error_t`; NULL is success.
fn take_error(
    client: &client::Client,
    error: *mut sys::rd_kafka_error_t,
    action: impl FnOnce() -> String,
) -> Result<(), KafkaError> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: `error` is not NULL and ours until destroyed below.
    let code = unsafe { codes::rd_kafka_error_code(error) };
    // SAFETY: as above.
    let reason = text(unsafe { sys::rd_kafka_error_string(error) });
    // SAFETY: as above.
    let is_retriable = unsafe { sys::rd_kafka_error_is_retriable(error) } != 0
        || code == ErrorCode::QUEUE_FULL.raw();
    // SAFETY: as above.
    let requires_abort = unsafe { sys::rd_kafka_error_txn_requires_abort(error) } != 0;
    // SAFETY: as above.
    let is_fatal = unsafe { sys::rd_kafka_error_is_fatal(error) } != 0;
    // SAFETY: as above; it is not used again.
    unsafe { sys::rd_kafka_error_destroy(error) };
    let mut failure = Failure {
        code: ErrorCode::from_raw(code),
        reason: client.redact(&reason),
        is_retriable,
        requires_abort,
        is_fatal,
    };
    if let Some(beneath) = client.fatal_error() {
        failure.is_fatal = true;
        failure.code = beneath.code;
        failure.reason = beneath.reason;
    }
    Err(KafkaError::Call { action: action(), failure })
}
