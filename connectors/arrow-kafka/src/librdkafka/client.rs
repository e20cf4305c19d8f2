//! A client handle: made from settings, shared by its parts, destroyed last.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{
    ERROR_TEXT_BYTES, buffer_text, c_string, check, codes, error_name, failure,
    list::PartitionList,
    milliseconds, number, sys, take_error, text,
    trust::{self, Trust},
};
use crate::consumer::{BrokerInfo, ClusterMetadata, PartitionInfo, TopicInfo};
use crate::error::{Distrust, ErrorCode, Failure, KafkaError};

/// A raw client handle.
pub(crate) struct Client {
    rk: NonNull<sys::rd_kafka_t>,
    kind: Kind,
    brokers: Mutex<Brokers>,
    /// librdkafka holds a pointer to it (the opaque of its callbacks) until it is destroyed.
    observer: Box<Observer>,
}

/// What the client is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Reads; errors come as events.
    Consumer,
    /// Writes; errors and failed deliveries come as events.
    Producer,
}

// SAFETY: librdkafka's client handles may be used from any thread; its documentation says that
// all functions are thread-safe but those on configuration objects.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

impl Drop for Client {
    fn drop(&mut self) {
        if self.kind == Kind::Producer {
            // What nobody flushed is not wanted: without this, the destructor would keep trying.
            const ALL_AT_ONCE: i32 = sys::RD_KAFKA_PURGE_F_QUEUE
                | sys::RD_KAFKA_PURGE_F_INFLIGHT
                | sys::RD_KAFKA_PURGE_F_NON_BLOCKING;
            // SAFETY: the handle is alive.
            let code = unsafe { codes::rd_kafka_purge(self.rk.as_ptr(), ALL_AT_ONCE) };
            if code != 0 {
                let code = error_name(ErrorCode::from_raw(code));
                tracing::debug!(%code, "cannot purge a producer before it is closed");
            }
        }
        // SAFETY: this is the last reference; topics, queues and messages hold an `Arc` of it, so
        // all of them are gone, and no call is inside. Without a consumer close nothing waits for
        // the group's coordinator: we assign by hand and commit through transactions.
        unsafe {
            sys::rd_kafka_destroy_flags(
                self.rk.as_ptr(),
                sys::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE,
            );
        }
    }
}

impl Client {
    /// Makes a client of `settings`; later ones win over earlier ones of the same name.
    pub(crate) fn open(kind: Kind, settings: &[(String, String)]) -> Result<Arc<Self>, KafkaError> {
        let observer = Box::new(Observer { secrets: Secrets::of(settings), ..Observer::default() });
        let configuration = Configuration::new();
        for (name, value) in settings {
            configuration.set(name, value)?;
        }
        let rk = configuration.into_client(kind, &observer)?;
        let brokers = Mutex::new(Brokers::of(settings)?);
        Ok(Arc::new(Self { rk, kind, brokers, observer }))
    }

    pub(super) fn raw(&self) -> *mut sys::rd_kafka_t {
        self.rk.as_ptr()
    }

    /// `message` without the values of secret settings.
    pub(crate) fn redact(&self, message: &str) -> String {
        self.observer.secrets.redact(message)
    }

    /// Begins with the bootstrap servers again if no broker is known any more; to be called now and then.
    ///
    /// librdkafka forgets its brokers when metadata names none, and then asks nobody again
    /// (confluentinc/librdkafka#5301). A cluster answers so while its controller takes its only
    /// broker for gone. Such metadata name no controller either, which is how it is noticed.
    pub(crate) fn keep_brokers(&self) {
        // SAFETY: the handle is alive; without a time limit nothing is waited for.
        let is_found = unsafe { sys::rd_kafka_controllerid(self.raw(), 0) } >= 0;
        let mut brokers = self.brokers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(servers) = brokers.servers_again(is_found) {
            // SAFETY: the handle is alive; the text ends with NUL and is copied.
            let count = unsafe { sys::rd_kafka_brokers_add(self.raw(), servers.as_ptr()) };
            tracing::debug!(count, "no broker is known: beginning with the bootstrap servers");
        }
    }

    /// Why a broker's certificate was refused, if one was.
    pub(crate) fn distrust(&self) -> Option<Distrust> {
        self.observer.trust.distrust()
    }

    /// What the log has said of connections that failed since this was last asked, oldest first;
    /// of many the newest.
    pub(crate) fn take_failed_connections(&self) -> Vec<String> {
        std::mem::take(&mut *self.observer.failed_connections())
    }

    /// The fatal error that the handle is in, if any.
    pub(crate) fn fatal_error(&self) -> Option<Failure> {
        let mut buffer = [0_u8; ERROR_TEXT_BYTES];
        // SAFETY: the buffer is as long as said.
        let code = unsafe {
            codes::rd_kafka_fatal_error(
                self.raw(),
                buffer.as_mut_ptr().cast::<c_char>(),
                buffer.len(),
            )
        };
        (code != 0).then(|| Failure {
            is_fatal: true,
            ..failure(code, Some(self.redact(&buffer_text(&buffer))))
        })
    }

    /// The cluster's id, if a broker told it within `timeout`.
    pub(crate) fn cluster_id(&self, timeout: Duration) -> Option<String> {
        // SAFETY: the handle is alive; the answer is ours to free.
        let id = unsafe { sys::rd_kafka_clusterid(self.raw(), milliseconds(timeout)) };
        if id.is_null() {
            return None;
        }
        let copy = text(id);
        // SAFETY: `id` was allocated by librdkafka for us and is not used again.
        unsafe { sys::rd_kafka_mem_free(self.raw(), id.cast::<c_void>()) };
        Some(copy)
    }

    /// First and end offset of a partition, asked of its leader.
    pub(crate) fn watermarks(
        &self,
        topic: &str,
        partition: i32,
        timeout: Duration,
    ) -> Result<(i64, i64), KafkaError> {
        let name = c_string(topic)?;
        let (mut low, mut high) = (0, 0);
        // SAFETY: the name ends with NUL; both numbers outlive the call.
        let code = unsafe {
            codes::rd_kafka_query_watermark_offsets(
                self.raw(),
                name.as_ptr(),
                partition,
                &raw mut low,
                &raw mut high,
                milliseconds(timeout),
            )
        };
        check(code, || format!("read the offsets of `{topic}` partition `{partition}`"))?;
        Ok((low, high))
    }

    /// End of an assigned partition's log as the last fetch told it; asks nobody.
    pub(crate) fn fetched_log_end(&self, topic: &str, partition: i32) -> Option<i64> {
        let name = c_string(topic).ok()?;
        let (mut low, mut high) = (0, 0);
        // SAFETY: the name ends with NUL; both numbers outlive the call.
        let code = unsafe {
            codes::rd_kafka_get_watermark_offsets(
                self.raw(),
                name.as_ptr(),
                partition,
                &raw mut low,
                &raw mut high,
            )
        };
        // Below zero is librdkafka's word for "not known yet".
        (code == 0 && high >= 0).then_some(high)
    }

    /// Replaces each entry's offset, a time in milliseconds, by the first offset at or after it.
    pub(crate) fn offsets_for_times(
        &self,
        list: &mut PartitionList,
        timeout: Duration,
    ) -> Result<(), KafkaError> {
        // SAFETY: both handles are alive, and the list is ours alone.
        let code = unsafe {
            codes::rd_kafka_offsets_for_times(self.raw(), list.raw(), milliseconds(timeout))
        };
        check(code, || "find offsets by time".to_owned())
    }

    /// Fills in each entry's offset as the client's group has committed it.
    pub(crate) fn committed(
        &self,
        list: &mut PartitionList,
        timeout: Duration,
    ) -> Result<(), KafkaError> {
        // SAFETY: both handles are alive, and the list is ours alone.
        let code =
            unsafe { codes::rd_kafka_committed(self.raw(), list.raw(), milliseconds(timeout)) };
        check(code, || "read the group's committed offsets".to_owned())
    }

    /// Brokers, and the topics that are asked for.
    pub(crate) fn metadata(
        &self,
        topics: Topics<'_>,
        timeout: Duration,
    ) -> Result<ClusterMetadata, KafkaError> {
        let only = match topics {
            Topics::One(topic) => Some(RawTopic::open(self, topic)?),
            Topics::All | Topics::Opened => None,
        };
        let mut metadata = ptr::null();
        // SAFETY: the topic, if any, is alive; librdkafka sets `metadata` only on success.
        let code = unsafe {
            codes::rd_kafka_metadata(
                self.raw(),
                c_int::from(matches!(topics, Topics::All)),
                only.as_ref().map_or(ptr::null_mut(), |only| only.rkt.as_ptr()),
                &raw mut metadata,
                milliseconds(timeout),
            )
        };
        check(code, || match topics {
            Topics::One(topic) => format!("read the metadata of topic `{topic}`"),
            Topics::All | Topics::Opened => "read the cluster's metadata".to_owned(),
        })?;
        // SAFETY: success means that `metadata` points to a value that lives until destroyed below.
        let answer = cluster_metadata(unsafe { &*metadata });
        // SAFETY: ours, and not used again.
        unsafe { sys::rd_kafka_metadata_destroy(metadata) };
        Ok(answer)
    }

    /// Adds partitions at their start offsets.
    pub(crate) fn assign(&self, list: &PartitionList) -> Result<(), KafkaError> {
        // SAFETY: both handles are alive; librdkafka copies the list.
        let error = unsafe { sys::rd_kafka_incremental_assign(self.raw(), list.raw()) };
        take_error(self, error, || "assign partitions".to_owned())
    }

    /// Takes partitions away.
    pub(crate) fn unassign(&self, list: &PartitionList) -> Result<(), KafkaError> {
        // SAFETY: both handles are alive; librdkafka copies the list.
        let error = unsafe { sys::rd_kafka_incremental_unassign(self.raw(), list.raw()) };
        take_error(self, error, || "unassign partitions".to_owned())
    }

    /// Moves assigned partitions to other offsets; what was fetched before is dropped.
    pub(crate) fn seek(
        &self,
        list: &mut PartitionList,
        timeout: Duration,
    ) -> Result<(), KafkaError> {
        // SAFETY: both handles are alive, and the list is ours alone.
        let error =
            unsafe { sys::rd_kafka_seek_partitions(self.raw(), list.raw(), milliseconds(timeout)) };
        take_error(self, error, || "seek partitions".to_owned())?;
        list.first_error("seek")
    }
}

/// How long librdkafka has for finding the cluster before it is helped once more, and at most: what is
/// added while it still forgets the others is forgotten with them, and each time costs memory.
const PATIENCE: Duration = Duration::from_secs(1);
const PATIENCE_MAX: Duration = Duration::from_mins(1);

/// Where a client looks for its cluster.
#[derive(Debug)]
struct Brokers {
    /// The servers to begin with.
    servers: Option<CString>,
    /// When librdkafka was last told of them, since it has not known the cluster.
    helped: Option<Instant>,
    patience: Duration,
}

impl Brokers {
    fn of(settings: &[(String, String)]) -> Result<Self, KafkaError> {
        let servers = settings.iter().rfind(|(name, _)| name == "bootstrap.servers");
        let servers = servers.map(|(_, servers)| c_string(servers)).transpose()?;
        // It was told of them a moment ago.
        Ok(Self { servers, helped: Some(now()), patience: PATIENCE })
    }

    /// The servers to begin with, if that is to be done.
    fn servers_again(&mut self, is_found: bool) -> Option<&CString> {
        if is_found {
            (self.helped, self.patience) = (None, PATIENCE);
            return None;
        }
        if let Some(helped) = self.helped {
            if helped.elapsed() < self.patience {
                return None;
            }
            self.patience = PATIENCE_MAX.min(self.patience * 2);
        }
        self.helped = Some(now());
        self.servers.as_ref()
    }
}

#[expect(clippy::disallowed_methods, reason = "librdkafka has real time")]
fn now() -> Instant {
    Instant::now()
}

/// Topics that are asked for.
#[derive(Clone, Copy)]
pub(crate) enum Topics<'a> {
    /// All that there are.
    All,
    /// This one.
    One(&'a str),
    /// Those that the client has opened.
    Opened,
}

/// A topic handle that lives within one call.
struct RawTopic {
    rkt: NonNull<sys::rd_kafka_topic_t>,
}

impl RawTopic {
    fn open(client: &Client, topic: &str) -> Result<Self, KafkaError> {
        let name = c_string(topic)?;
        // SAFETY: the name ends with NUL; NULL means the client's default topic settings.
        let rkt = unsafe { sys::rd_kafka_topic_new(client.raw(), name.as_ptr(), ptr::null_mut()) };
        NonNull::new(rkt).map(|rkt| Self { rkt }).ok_or_else(|| {
            // SAFETY: reads the last error of this thread.
            let code = unsafe { codes::rd_kafka_last_error() };
            KafkaError::Call {
                action: format!("open topic `{topic}`"),
                failure: failure(code, None),
            }
        })
    }
}

impl Drop for RawTopic {
    fn drop(&mut self) {
        // SAFETY: ours, and not used again.
        unsafe { sys::rd_kafka_topic_destroy(self.rkt.as_ptr()) };
    }
}

/// A configuration that no client has taken over yet.
struct Configuration {
    conf: NonNull<sys::rd_kafka_conf_t>,
}

impl Configuration {
    fn new() -> Self {
        // SAFETY: always returns a new object (librdkafka aborts when memory is out).
        let conf = unsafe { sys::rd_kafka_conf_new() };
        Self { conf: NonNull::new(conf).expect("librdkafka never returns a NULL configuration") }
    }

    fn set(&self, name: &str, value: &str) -> Result<(), KafkaError> {
        let name_c = c_string(name)?;
        let value_c = c_string(value).map_err(|_nul| KafkaError::Setting {
            name: name.to_owned(),
            reason: "its value holds a NUL byte",
        })?;
        let mut buffer = [0_u8; ERROR_TEXT_BYTES];
        // SAFETY: the texts end with NUL; the buffer is as long as said.
        let result = unsafe {
            sys::rd_kafka_conf_set(
                self.conf.as_ptr(),
                name_c.as_ptr(),
                value_c.as_ptr(),
                buffer.as_mut_ptr().cast::<c_char>(),
                buffer.len(),
            )
        };
        // librdkafka's own text repeats the value, so it is not passed on.
        let reason = match result {
            sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK => return Ok(()),
            sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_UNKNOWN => "librdkafka has no such setting",
            sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_INVALID => {
                "librdkafka does not accept its value, or was built without it"
            }
        };
        Err(KafkaError::Setting { name: name.to_owned(), reason })
    }

    /// Makes the client. `observer` must outlive it.
    fn into_client(
        self,
        kind: Kind,
        observer: &Observer,
    ) -> Result<NonNull<sys::rd_kafka_t>, KafkaError> {
        let (native_kind, events) = match kind {
            Kind::Consumer => (sys::rd_kafka_type_t::RD_KAFKA_CONSUMER, sys::RD_KAFKA_EVENT_ERROR),
            Kind::Producer => (
                sys::rd_kafka_type_t::RD_KAFKA_PRODUCER,
                sys::RD_KAFKA_EVENT_DR | sys::RD_KAFKA_EVENT_ERROR,
            ),
        };
        // SAFETY: the configuration is ours.
        unsafe { sys::rd_kafka_conf_set_events(self.conf.as_ptr(), events) };
        // SAFETY: as above; the caller keeps `observer` until the client is destroyed.
        unsafe {
            sys::rd_kafka_conf_set_opaque(
                self.conf.as_ptr(),
                ptr::from_ref(observer).cast_mut().cast::<c_void>(),
            );
        }
        // SAFETY: as above; `verify` fits the signature. Refused by a librdkafka without TLS, which
        // has no certificates to verify.
        let _has_tls = unsafe {
            sys::rd_kafka_conf_set_ssl_cert_verify_cb(self.conf.as_ptr(), Some(trust::verify))
        };
        // SAFETY: as above; `log` fits the signature.
        unsafe { sys::rd_kafka_conf_set_log_cb(self.conf.as_ptr(), Some(log)) };
        let mut buffer = [0_u8; ERROR_TEXT_BYTES];
        // SAFETY: the buffer is as long as said. The client takes the configuration over only if
        // it is made; else `self` still owns it.
        let rk = unsafe {
            sys::rd_kafka_new(
                native_kind,
                self.conf.as_ptr(),
                buffer.as_mut_ptr().cast::<c_char>(),
                buffer.len(),
            )
        };
        let Some(rk) = NonNull::new(rk) else {
            let reason = observer.secrets.redact(&buffer_text(&buffer));
            return Err(KafkaError::Client { reason });
        };
        std::mem::forget(self);
        if kind == Kind::Consumer {
            // SAFETY: the client is alive. Errors of the main queue then come with the others.
            let code = unsafe { codes::rd_kafka_poll_set_consumer(rk.as_ptr()) };
            if code != 0 {
                let code = error_name(ErrorCode::from_raw(code));
                tracing::warn!(%code, "cannot forward a consumer's main queue");
            }
        }
        Ok(rk)
    }
}

impl Drop for Configuration {
    fn drop(&mut self) {
        // SAFETY: no client took it over (else it was forgotten), and it is not used again.
        unsafe { sys::rd_kafka_conf_destroy(self.conf.as_ptr()) };
    }
}

/// How many log lines of failed connections are kept: one a broker and try, while somebody asks.
const FAILED_CONNECTIONS_MAX: usize = 32;

/// What librdkafka's callbacks use and leave.
#[derive(Default)]
pub(super) struct Observer {
    secrets: Secrets,
    pub(super) trust: Trust,
    failed_connections: Mutex<Vec<String>>,
}

impl Observer {
    fn failed_connections(&self) -> MutexGuard<'_, Vec<String>> {
        self.failed_connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_failed_connection(&self, line: &str) {
        let mut lines = self.failed_connections();
        if lines.len() == FAILED_CONNECTIONS_MAX {
            lines.remove(0);
        }
        lines.push(line.to_owned());
    }
}

/// The values that must not appear in any text.
#[derive(Default)]
struct Secrets {
    values: Vec<String>,
}

impl Secrets {
    fn of(settings: &[(String, String)]) -> Self {
        const SECRET_WORDS: [&str; 6] = ["password", "secret", "key", "token", "oauth", "jaas"];
        let mut values: Vec<String> = settings
            .iter()
            .filter(|(name, _)| !name.ends_with(".location"))
            .filter(|(name, _)| SECRET_WORDS.iter().any(|word| name.contains(word)))
            .map(|(_, value)| value.clone())
            .filter(|value| !value.is_empty())
            .collect();
        // A secret that is part of a longer one must not cut it in two.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self { values }
    }

    fn redact(&self, message: &str) -> String {
        self.values
            .iter()
            .fold(message.to_owned(), |message, secret| message.replace(secret, "[redacted]"))
    }
}

/// librdkafka's log lines become `tracing` events. A panic in a subscriber ends the process, as
/// it must not unwind into C.
unsafe extern "C" fn log(
    rk: *const sys::rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    line: *const c_char,
) {
    let observer = if rk.is_null() {
        ptr::null()
    } else {
        // SAFETY: librdkafka calls us with a live client.
        unsafe { sys::rd_kafka_opaque(rk) }.cast_const().cast::<Observer>()
    };
    // SAFETY: the opaque is NULL or the client's observer, which lives until it is destroyed, when
    // its threads have ended.
    let observer = unsafe { observer.as_ref() };
    let line = text(line);
    let line = observer.map_or_else(|| line.clone(), |observer| observer.secrets.redact(&line));
    let facility = text(facility);
    if let Some(observer) = observer
        && facility == "FAIL"
    {
        observer.note_failed_connection(&line);
    }
    match level {
        // A broker that is not there now is the caller's to tell, with what it means for the work;
        // librdkafka tells it again for each of its connections.
        ..=3 if facility == "FAIL" => tracing::info!(target: "librdkafka", facility, "{line}"),
        ..=3 => tracing::error!(target: "librdkafka", facility, "{line}"),
        4 => tracing::warn!(target: "librdkafka", facility, "{line}"),
        5 | 6 => tracing::info!(target: "librdkafka", facility, "{line}"),
        7.. => tracing::debug!(target: "librdkafka", facility, "{line}"),
    }
}

/// A copy of what librdkafka tells of the cluster.
fn cluster_metadata(metadata: &sys::rd_kafka_metadata) -> ClusterMetadata {
    // SAFETY: the counts are the lengths of the arrays, which live as long as `metadata`.
    let brokers = unsafe { array(metadata.brokers, metadata.broker_cnt) };
    // SAFETY: as above.
    let topics = unsafe { array(metadata.topics, metadata.topic_cnt) };
    ClusterMetadata {
        brokers: brokers
            .iter()
            .map(|broker| BrokerInfo { id: broker.id, host: text(broker.host), port: broker.port })
            .collect(),
        topics: topics.iter().map(topic_info).collect(),
    }
}

fn topic_info(topic: &sys::rd_kafka_metadata_topic) -> TopicInfo {
    // SAFETY: the count is the length of the array, which lives as long as `topic`.
    let partitions = unsafe { array(topic.partitions, topic.partition_cnt) };
    // SAFETY: the field is read as the number that it is, whatever code a broker sent.
    let code = unsafe { number(&raw const topic.err) };
    TopicInfo {
        name: text(topic.topic),
        partitions: partitions
            .iter()
            .map(|partition| PartitionInfo {
                id: partition.id,
                leader: (partition.leader >= 0).then_some(partition.leader),
                replicas: u32::try_from(partition.replica_cnt).unwrap_or(0),
            })
            .collect(),
        error: (code != 0).then(|| ErrorCode::from_raw(code)),
    }
}

/// A C array as a slice; empty for NULL.
///
/// # Safety
/// `first` is NULL or points to `count` values that live for `'a`.
unsafe fn array<'a, T>(first: *const T, count: c_int) -> &'a [T] {
    let count = usize::try_from(count).unwrap_or(0);
    if first.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(first, count) }
}

#[cfg(test)]
mod tests;
