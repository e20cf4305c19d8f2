//! Topics that are written to, records, transactions.

use std::ffi::{CString, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use super::client::Client;
use super::consume::message_code;
use super::{
    ERROR_TEXT_BYTES, c_string, check, codes, failure, list::PartitionList, milliseconds, sys,
    take_error,
};
use crate::error::{ErrorCode, KafkaError};
use crate::producer::Record;

/// librdkafka's mark for "let the partitioner choose".
const ANY_PARTITION: i32 = -1;

/// A topic to write to.
pub(crate) struct Topic {
    rkt: NonNull<sys::rd_kafka_topic_t>,
    name: String,
    /// Last, so that the client outlives the topic.
    client: Arc<Client>,
}

// SAFETY: librdkafka's topic handles may be used from any thread.
unsafe impl Send for Topic {}
// SAFETY: as above.
unsafe impl Sync for Topic {}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: ours, and not used again.
        unsafe { sys::rd_kafka_topic_destroy(self.rkt.as_ptr()) };
    }
}

/// How many records go to librdkafka in one call: its lock and clock are then taken once, and the
/// descriptions (72 bytes each) stay in the first-level cache.
const BATCH: usize = 128;

impl Topic {
    /// Opens `name` with `settings` of its own beside the client's.
    pub(crate) fn open(
        client: &Arc<Client>,
        name: &str,
        settings: &[(String, String)],
    ) -> Result<Self, KafkaError> {
        let name_c = c_string(name)?;
        let conf = TopicConfiguration::new(client);
        for (name, value) in settings {
            conf.set(name, value)?;
        }
        // SAFETY: the name ends with NUL; the call takes the configuration over in any case.
        let rkt =
            unsafe { sys::rd_kafka_topic_new(client.raw(), name_c.as_ptr(), conf.into_raw()) };
        let rkt = NonNull::new(rkt).ok_or_else(|| KafkaError::Call {
            action: format!("open topic `{name}`"),
            failure: failure(last_error(), None),
        })?;
        Ok(Self { rkt, name: name.to_owned(), client: Arc::clone(client) })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Hands records (value, key) over until one is refused. How many were taken before, and the
    /// code of that one. What comes after a refusal other than "queue full" may have been taken.
    pub(crate) fn produce_batch<'a>(
        &self,
        mut records: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    ) -> (usize, Option<i32>) {
        let mut taken = 0;
        let mut batch = [const { MaybeUninit::<sys::rd_kafka_message_t>::uninit() }; BATCH];
        loop {
            let mut count = 0;
            for (slot, (value, key)) in batch.iter_mut().zip(&mut records) {
                slot.write(description(value, key));
                count += 1;
            }
            if count == 0 {
                return (taken, None);
            }
            // SAFETY: the first `count` descriptions are initialized; their bytes are borrowed for
            // `'a` and are copied by the call.
            let good = unsafe {
                sys::rd_kafka_produce_batch(
                    self.rkt.as_ptr(),
                    ANY_PARTITION,
                    sys::RD_KAFKA_MSG_F_COPY,
                    batch.as_mut_ptr().cast::<sys::rd_kafka_message_t>(),
                    c_int::try_from(count).expect("a batch has at most 128 records"),
                )
            };
            if usize::try_from(good) == Ok(count) {
                taken += count;
                continue;
            }
            for slot in batch.iter().take(count) {
                // SAFETY: one of the first `count` descriptions.
                let code = message_code(unsafe { slot.assume_init_ref() });
                if code != 0 {
                    return (taken, Some(code));
                }
                taken += 1;
            }
            return (taken, None);
        }
    }

    /// Hands one record over.
    pub(crate) fn produce(&self, record: &Record<'_>) -> Result<(), KafkaError> {
        let names = record
            .headers
            .iter()
            .map(|(name, _)| c_string(name))
            .collect::<Result<Vec<CString>, _>>()?;
        let mut parts = vec![
            part(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_RKT, Union { rkt: self.rkt.as_ptr() }),
            part(
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS,
                Union { i: sys::RD_KAFKA_MSG_F_COPY },
            ),
            part(
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_PARTITION,
                Union { i32_: record.partition.unwrap_or(ANY_PARTITION) },
            ),
            part(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE, memory(record.value)),
            part(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY, memory(record.key)),
        ];
        if let Some(timestamp_ms) = record.timestamp_ms {
            parts.push(part(
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_TIMESTAMP,
                Union { i64_: timestamp_ms },
            ));
        }
        for (name, (_, value)) in names.iter().zip(record.headers) {
            let (val, size) = pointer(*value);
            let header = sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_2 {
                name: name.as_ptr(),
                val,
                size: isize::try_from(size).expect("a slice is no longer than `isize::MAX`"),
            };
            parts.push(part(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADER, Union { header }));
        }
        // SAFETY: the parts, and the bytes and names that they point to, outlive the call, which
        // copies them; each union holds what its type says.
        let error =
            unsafe { sys::rd_kafka_produceva(self.client.raw(), parts.as_ptr(), parts.len()) };
        take_error(&self.client, error, || self.action())
    }

    /// The error of a record that was refused with `code`.
    pub(crate) fn refused(&self, code: i32) -> KafkaError {
        let failure = match self.client.fatal_error() {
            Some(fatal) if code != ErrorCode::QUEUE_FULL.raw() => fatal,
            _ => failure(code, None),
        };
        KafkaError::Call { action: self.action(), failure }
    }

    fn action(&self) -> String {
        format!("produce to topic `{}`", self.name)
    }
}

use sys::rd_kafka_vu_s__bindgen_ty_1 as Union;

fn part(vtype: sys::rd_kafka_vtype_t, u: Union) -> sys::rd_kafka_vu_t {
    sys::rd_kafka_vu_t { vtype, u }
}

fn memory(bytes: Option<&[u8]>) -> Union {
    let (pointer, size) = pointer(bytes);
    Union { mem: sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr: pointer.cast_mut(), size } }
}

/// Start and length of `bytes`; NULL for none. An empty slice is not NULL, so that an empty key
/// stays a key.
fn pointer(bytes: Option<&[u8]>) -> (*const c_void, usize) {
    bytes.map_or((ptr::null(), 0), |bytes| (bytes.as_ptr().cast::<c_void>(), bytes.len()))
}

fn description(value: &[u8], key: Option<&[u8]>) -> sys::rd_kafka_message_t {
    let (payload, len) = pointer(Some(value));
    let (key, key_len) = pointer(key);
    sys::rd_kafka_message_t {
        err: sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR,
        rkt: ptr::null_mut(),
        partition: ANY_PARTITION,
        payload: payload.cast_mut(),
        len,
        key: key.cast_mut(),
        key_len,
        offset: 0,
        _private: ptr::null_mut(),
    }
}

/// The code of this thread's last failed call.
fn last_error() -> i32 {
    // SAFETY: reads a thread-local number.
    unsafe { codes::rd_kafka_last_error() }
}

/// A topic's settings that no topic has taken over yet.
struct TopicConfiguration {
    conf: NonNull<sys::rd_kafka_topic_conf_t>,
}

impl TopicConfiguration {
    fn new(client: &Client) -> Self {
        // SAFETY: the client is alive; always returns a new object.
        let conf = unsafe { sys::rd_kafka_default_topic_conf_dup(client.raw()) };
        Self { conf: NonNull::new(conf).expect("librdkafka never returns NULL topic settings") }
    }

    fn set(&self, name: &str, value: &str) -> Result<(), KafkaError> {
        let (name_c, value_c) = (c_string(name)?, c_string(value)?);
        let mut buffer = [0_u8; ERROR_TEXT_BYTES];
        // SAFETY: the texts end with NUL; the buffer is as long as said.
        let result = unsafe {
            sys::rd_kafka_topic_conf_set(
                self.conf.as_ptr(),
                name_c.as_ptr(),
                value_c.as_ptr(),
                buffer.as_mut_ptr().cast::<c_char>(),
                buffer.len(),
            )
        };
        let reason = match result {
            sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK => return Ok(()),
            sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_UNKNOWN => "no setting of a topic",
            sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_INVALID => "librdkafka does not accept it",
        };
        Err(KafkaError::Setting { name: name.to_owned(), reason })
    }

    fn into_raw(self) -> *mut sys::rd_kafka_topic_conf_t {
        let conf = self.conf.as_ptr();
        std::mem::forget(self);
        conf
    }
}

impl Drop for TopicConfiguration {
    fn drop(&mut self) {
        // SAFETY: no topic took it over (else it was forgotten), and it is not used again.
        unsafe { sys::rd_kafka_topic_conf_destroy(self.conf.as_ptr()) };
    }
}

impl Client {
    /// Waits until every record is delivered or failed. The event queue must be served meanwhile.
    pub(crate) fn flush(&self, timeout: Duration) -> Result<(), KafkaError> {
        // SAFETY: the handle is alive.
        let code = unsafe { codes::rd_kafka_flush(self.raw(), milliseconds(timeout)) };
        check(code, || "flush the producer".to_owned())
    }

    /// Fails every record that is queued or in flight.
    pub(crate) fn purge(&self) -> Result<(), KafkaError> {
        let flags = sys::RD_KAFKA_PURGE_F_QUEUE | sys::RD_KAFKA_PURGE_F_INFLIGHT;
        // SAFETY: the handle is alive.
        let code = unsafe { codes::rd_kafka_purge(self.raw(), flags) };
        check(code, || "purge the producer".to_owned())
    }

    /// Records and events that the client still holds.
    pub(crate) fn queued(&self) -> usize {
        // SAFETY: the handle is alive.
        let count = unsafe { sys::rd_kafka_outq_len(self.raw()) };
        usize::try_from(count).unwrap_or(0)
    }

    /// Takes the transactional id over and fences whoever had it.
    pub(crate) fn init_transactions(&self, timeout: Duration) -> Result<(), KafkaError> {
        // SAFETY: the handle is alive.
        let error = unsafe { sys::rd_kafka_init_transactions(self.raw(), milliseconds(timeout)) };
        take_error(self, error, || "take over the transactional id".to_owned())
    }

    /// Opens a transaction.
    pub(crate) fn begin_transaction(&self) -> Result<(), KafkaError> {
        // SAFETY: the handle is alive.
        let error = unsafe { sys::rd_kafka_begin_transaction(self.raw()) };
        take_error(self, error, || "begin a transaction".to_owned())
    }

    /// Adds the group's offsets to the transaction.
    pub(crate) fn send_offsets(
        &self,
        offsets: &PartitionList,
        group: &str,
        timeout: Duration,
    ) -> Result<(), KafkaError> {
        let name = c_string(group)?;
        // SAFETY: the name ends with NUL and is copied; always returns a new object.
        let metadata = unsafe { sys::rd_kafka_consumer_group_metadata_new(name.as_ptr()) };
        // SAFETY: both objects are alive; librdkafka copies them.
        let error = unsafe {
            sys::rd_kafka_send_offsets_to_transaction(
                self.raw(),
                offsets.raw(),
                metadata,
                milliseconds(timeout),
            )
        };
        // SAFETY: ours, and not used again.
        unsafe { sys::rd_kafka_consumer_group_metadata_destroy(metadata) };
        take_error(self, error, || format!("add the offsets of group `{group}` to the transaction"))
    }

    /// Commits the transaction; waits without a limit for `None`.
    pub(crate) fn commit_transaction(&self, timeout: Option<Duration>) -> Result<(), KafkaError> {
        // SAFETY: the handle is alive.
        let error = unsafe {
            sys::rd_kafka_commit_transaction(self.raw(), timeout.map_or(-1, milliseconds))
        };
        take_error(self, error, || "commit the transaction".to_owned())
    }

    /// Aborts the transaction; waits without a limit for `None`.
    pub(crate) fn abort_transaction(&self, timeout: Option<Duration>) -> Result<(), KafkaError> {
        // SAFETY: the handle is alive.
        let error = unsafe {
            sys::rd_kafka_abort_transaction(self.raw(), timeout.map_or(-1, milliseconds))
        };
        take_error(self, error, || "abort the transaction".to_owned())
    }
}
