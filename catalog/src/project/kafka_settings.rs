//! librdkafka settings that a project may give: one list, nothing else passes.
//!
//! # Source
//! The names of librdkafka's `CONFIGURATION.md`, each with a verdict.

/// What becomes of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is passed on.
    Allowed,
    /// It is passed on with this value, librdkafka's own; any other is refused for the reason.
    Only(&'static str, &'static str),
    /// It is refused, for this reason.
    Refused(&'static str),
}

/// The settings that may be passed on.
const ALLOWED: [&str; 61] = [
    "api.version.request",
    "api.version.request.timeout.ms",
    "batch.num.messages",
    "batch.size",
    "broker.address.family",
    "broker.address.ttl",
    "check.crcs",
    "client.dns.lookup",
    "client.id",
    "client.rack",
    "compression.codec",
    "compression.level",
    "compression.type",
    "connections.max.idle.ms",
    "coordinator.query.interval.ms",
    "enable.metrics.push",
    "fetch.error.backoff.ms",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "fetch.min.bytes",
    "fetch.queue.backoff.ms",
    "fetch.wait.max.ms",
    "linger.ms",
    "log.connection.close",
    "max.partition.fetch.bytes",
    "message.max.bytes",
    "metadata.max.age.ms",
    "metadata.recovery.rebootstrap.trigger.ms",
    "metadata.recovery.strategy",
    "queue.buffering.max.ms",
    "receive.message.max.bytes",
    "reconnect.backoff.jitter.ms",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.timeout.ms",
    "retry.backoff.max.ms",
    "retry.backoff.ms",
    "socket.connection.setup.timeout.ms",
    "socket.keepalive.enable",
    "socket.max.fails",
    "socket.nagle.disable",
    "socket.receive.buffer.bytes",
    "socket.send.buffer.bytes",
    "socket.timeout.ms",
    "ssl.ca.certificate.stores",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.cipher.suites",
    "ssl.crl.location",
    "ssl.curves.list",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.sigalgs.list",
    "topic.metadata.propagation.max.ms",
    "topic.metadata.refresh.interval.ms",
    "topic.metadata.refresh.sparse",
];

const OWNED: &str = "the engine sets it itself";
const TYPED: &str = "it has a key of its own in `runtime.kafka`";
const CODE: &str = "it names code or a program to load";
const CALLBACK: &str = "it is no setting for a text value";
const LEAKS: &str = "its output shows secrets";
const UNSUPPORTED: &str = "the engine knows PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512";
const UNVERIFIED: &str = "it would let anybody answer as the broker";
const OBSOLETE: &str = "it is obsolete";

/// Settings that may be given and not be changed.
const FIXED: [(&str, &str, &str); 2] = [
    ("enable.ssl.certificate.verification", "true", UNVERIFIED),
    ("ssl.endpoint.identification.algorithm", "https", UNVERIFIED),
];

/// Settings that are refused by name; an entry ending in `.` or starting with `_` is for all
/// names that start or end so.
const REFUSED: [(&str, &str); 83] = [
    ("plugin.", CODE),
    ("ssl.engine.", CODE),
    ("ssl.providers", CODE),
    ("sasl.kerberos.kinit.cmd", CODE),
    ("interceptors", CODE),
    ("_cb", CALLBACK),
    ("opaque", CALLBACK),
    ("default_topic_conf", CALLBACK),
    ("msg_order_cmp", CALLBACK),
    ("enabled_events", CALLBACK),
    ("ssl_ca", CALLBACK),
    ("ssl_certificate", CALLBACK),
    ("ssl_engine_callback_data", CALLBACK),
    ("ssl_key", CALLBACK),
    ("builtin.features", CALLBACK),
    ("debug", LEAKS),
    ("enable.sasl.oauthbearer.unsecure.jwt", UNVERIFIED),
    ("sasl.kerberos.", UNSUPPORTED),
    ("sasl.oauthbearer.", UNSUPPORTED),
    ("https.", UNSUPPORTED),
    ("bootstrap.servers", TYPED),
    ("metadata.broker.list", TYPED),
    ("security.protocol", TYPED),
    ("sasl.mechanism", TYPED),
    ("sasl.mechanisms", TYPED),
    ("sasl.username", TYPED),
    ("sasl.password", TYPED),
    ("acks", OWNED),
    ("request.required.acks", OWNED),
    ("allow.auto.create.topics", OWNED),
    ("auto.commit.enable", OWNED),
    ("auto.commit.interval.ms", OWNED),
    ("auto.offset.reset", OWNED),
    ("consume.callback.max.messages", OWNED),
    ("delivery.report.only.error", OWNED),
    ("delivery.timeout.ms", OWNED),
    ("enable.auto.commit", OWNED),
    ("enable.auto.offset.store", OWNED),
    ("enable.gapless.guarantee", OWNED),
    ("enable.idempotence", OWNED),
    ("enable.partition.eof", OWNED),
    ("enable.random.seed", OWNED),
    ("group.id", OWNED),
    ("group.instance.id", OWNED),
    ("group.protocol", OWNED),
    ("group.protocol.type", OWNED),
    ("group.remote.assignor", OWNED),
    ("heartbeat.interval.ms", OWNED),
    ("internal.termination.signal", OWNED),
    ("isolation.level", OWNED),
    ("log.queue", OWNED),
    ("log.thread.name", OWNED),
    ("log_level", OWNED),
    ("max.in.flight", OWNED),
    ("max.in.flight.requests.per.connection", OWNED),
    ("max.poll.interval.ms", OWNED),
    ("message.copy.max.bytes", OWNED),
    ("message.send.max.retries", OWNED),
    ("message.timeout.ms", OWNED),
    ("offset.store.method", OWNED),
    ("offset.store.path", OWNED),
    ("offset.store.sync.interval.ms", OWNED),
    ("partition.assignment.strategy", OWNED),
    ("partitioner", OWNED),
    ("produce.offset.report", OWNED),
    ("queue.buffering.backpressure.threshold", OWNED),
    ("queue.buffering.max.kbytes", OWNED),
    ("queue.buffering.max.messages", OWNED),
    ("queued.max.messages.kbytes", OWNED),
    ("queued.min.messages", OWNED),
    ("queuing.strategy", OWNED),
    ("retries", OWNED),
    ("session.timeout.ms", OWNED),
    ("statistics.interval.ms", OWNED),
    ("sticky.partitioning.linger.ms", OWNED),
    ("transaction.timeout.ms", OWNED),
    ("transactional.id", OWNED),
    ("topic.blacklist", OWNED),
    ("topic.metadata.refresh.fast.interval.ms", OWNED),
    ("api.version.fallback.ms", OBSOLETE),
    ("broker.version.fallback", OBSOLETE),
    ("socket.blocking.max.ms", OBSOLETE),
    ("topic.metadata.refresh.fast.cnt", OBSOLETE),
];

/// What becomes of the setting of that name; `None` if librdkafka has none.
pub fn verdict(name: &str) -> Option<Verdict> {
    if ALLOWED.contains(&name) {
        return Some(Verdict::Allowed);
    }
    if let Some((_, value, reason)) = FIXED.iter().find(|(fixed, ..)| *fixed == name) {
        return Some(Verdict::Only(value, reason));
    }
    let refused = REFUSED.iter().find(|(pattern, _)| {
        *pattern == name
            || pattern.ends_with('.') && name.starts_with(pattern)
            || pattern.starts_with('_') && name.ends_with(pattern)
    });
    refused.map(|(_, reason)| Verdict::Refused(reason))
}

/// The names that may be given, for suggestions.
pub fn allowed() -> impl Iterator<Item = &'static str> {
    ALLOWED.into_iter().chain(FIXED.map(|(name, ..)| name))
}

#[cfg(test)]
mod tests;
