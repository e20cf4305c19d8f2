//! `runtime:`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::diagnostic::closest;
use crate::diagnostic::demand::DemandMistake;
use crate::diagnostic::shape::ShapeMistake;
use crate::place::Spanned;
use crate::project::kafka_settings::{self, Verdict};
use crate::project::runtime::{
    BrokerSettings, COMMIT_INTERVAL_MAX, Delivery, EngineSettings, Fsync, Kafka, MemoryLimit,
    Runtime, SaslMechanism, SchemaRegistry, SecurityProtocol,
};
use crate::project::secret::Secret;
use crate::read::{Fields, Found, Reader};

/// Keys of `runtime.kafka` and the librdkafka settings they stand for.
const KAFKA_KEYS: [(&str, &str); 6] = [
    ("ssl_ca_location", "ssl.ca.location"),
    ("ssl_certificate_location", "ssl.certificate.location"),
    ("ssl_key_location", "ssl.key.location"),
    ("ssl_key_password", "ssl.key.password"),
    ("ssl_endpoint_identification_algorithm", "ssl.endpoint.identification.algorithm"),
    ("client_id", "client.id"),
];

/// `runtime:` as read; the engine's checkpoint interval is `None` where models decide.
pub(crate) struct LoweredRuntime {
    pub(crate) runtime: Runtime,
    pub(crate) has_checkpoint_interval: bool,
}

/// The whole block. Inside it an unset `${VAR}` is an error.
pub(crate) fn runtime(reader: &mut Reader<'_>, mut fields: Fields<'_>) -> LoweredRuntime {
    let was_runtime = std::mem::replace(&mut reader.is_runtime, true);
    let kafka = fields.section(reader, "kafka", "kafka");
    let kafka = kafka.and_then(|section| read_kafka(reader, section));
    let schema_registry = schema_registry(reader, &mut fields);
    let (engine, has_checkpoint_interval) = engine(reader, &mut fields);
    let broker = broker(reader, &mut fields);
    fields.finish(reader);
    reader.is_runtime = was_runtime;
    LoweredRuntime {
        runtime: Runtime { kafka, schema_registry, engine, broker },
        has_checkpoint_interval,
    }
}

fn read_kafka(reader: &mut Reader<'_>, mut fields: Fields<'_>) -> Option<Kafka> {
    let servers = bootstrap_servers(reader, &mut fields);
    let protocols = [
        ("PLAINTEXT", SecurityProtocol::Plaintext),
        ("SSL", SecurityProtocol::Ssl),
        ("SASL_PLAINTEXT", SecurityProtocol::SaslPlaintext),
        ("SASL_SSL", SecurityProtocol::SaslSsl),
    ];
    let protocol = fields.choice(reader, "security_protocol", &protocols);
    let mechanisms = [
        ("PLAIN", SaslMechanism::Plain),
        ("SCRAM-SHA-256", SaslMechanism::ScramSha256),
        ("SCRAM-SHA-512", SaslMechanism::ScramSha512),
    ];
    let mechanism = fields.choice(reader, "sasl_mechanism", &mechanisms);
    let username = fields.secret(reader, "sasl_username");
    let password = fields.secret(reader, "sasl_password");
    let mut properties = BTreeMap::new();
    for (key, setting) in KAFKA_KEYS {
        if let Some(found) = fields.take(reader, key) {
            let value = setting_value(reader, setting, found);
            properties.extend(value.map(|value| (setting.to_owned(), value)));
        }
    }
    read_properties(reader, &mut fields, &mut properties);
    fields.finish(reader);
    if let Some(protocol) = &protocol {
        let has_credentials = username.is_some() && password.is_some();
        check_sasl(reader, protocol, mechanism.is_some(), has_credentials);
    }
    Some(Kafka {
        bootstrap_servers: servers?,
        security_protocol: protocol.map(|protocol| protocol.value).unwrap_or_default(),
        sasl_mechanism: mechanism.map(|mechanism| mechanism.value),
        sasl_username: username.map(|username| username.value),
        sasl_password: password.map(|password| password.value),
        properties,
    })
}

/// A list, or one string with commas.
fn bootstrap_servers(
    reader: &mut Reader<'_>,
    fields: &mut Fields<'_>,
) -> Option<Vec<Spanned<String>>> {
    let Some(found) = fields.take(reader, "bootstrap_servers") else {
        fields.report_missing(reader, "bootstrap_servers");
        return None;
    };
    let before = reader.mistakes.len();
    let given = reader.strings(found.key, found.node);
    let servers: Vec<Spanned<String>> = given
        .iter()
        .flat_map(|text| {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            parts.map(|part| Spanned::new(part.to_owned(), text.place.clone()))
        })
        .collect();
    // Names of hosts are shown again and again: nothing in them may move a terminal's cursor.
    let is_odd = |letter: char| letter.is_control() || letter.is_whitespace();
    if servers.is_empty() || servers.iter().any(|server| server.contains(is_odd)) {
        if reader.mistakes.len() == before {
            reader.invalid(found.key, found.node, "at least one `host:port`");
        }
        return None;
    }
    Some(servers)
}

fn read_properties(
    reader: &mut Reader<'_>,
    fields: &mut Fields<'_>,
    properties: &mut BTreeMap<String, Secret>,
) {
    let Some(mut section) = fields.section(reader, "properties", "properties") else { return };
    for found in section.take_all() {
        let value = setting_value(reader, found.key, found);
        properties.extend(value.map(|value| (found.key.to_owned(), value)));
    }
}

/// The value of the librdkafka setting `name`, if the list lets it pass.
fn setting_value(reader: &mut Reader<'_>, name: &str, found: Found<'_>) -> Option<Secret> {
    let (key, at) = (found.key.to_owned(), found.key_place.clone());
    match kafka_settings::verdict(name) {
        Some(Verdict::Allowed) => {
            reader.string(found.key, found.node).map(|value| Secret::new(value.value))
        }
        Some(Verdict::Only(only, reason)) => {
            let value = reader.string(found.key, found.node)?;
            if !value.eq_ignore_ascii_case(only) {
                reader.report(DemandMistake::KafkaSettingRefused { key, reason, at });
                return None;
            }
            Some(Secret::new(only))
        }
        Some(Verdict::Refused(reason)) => {
            reader.report(DemandMistake::KafkaSettingRefused { key, reason, at });
            None
        }
        None => {
            let suggestions = closest(name, kafka_settings::allowed());
            reader.report(DemandMistake::KafkaSettingUnknown { key, suggestions, at });
            None
        }
    }
}

fn check_sasl(
    reader: &mut Reader<'_>,
    protocol: &Spanned<SecurityProtocol>,
    has_mechanism: bool,
    has_credentials: bool,
) {
    let at = protocol.place.clone();
    let contradiction = match (protocol.is_sasl(), has_mechanism) {
        (true, false) => Some((
            "`security_protocol` asks for SASL, but there is no `sasl_mechanism`",
            "add `sasl_mechanism: PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`",
        )),
        (true, true) if !has_credentials => Some((
            "`security_protocol` asks for SASL, but a `sasl_username` or `sasl_password` is missing",
            "add both, the password as `${VAR}`",
        )),
        (false, true) => Some((
            "`sasl_mechanism` is given, but `security_protocol` does not use SASL",
            "set `security_protocol: SASL_SSL` or `SASL_PLAINTEXT`",
        )),
        (true, true) | (false, false) => None,
    };
    if let Some((reason, help)) = contradiction {
        reader.report(DemandMistake::KafkaSettingsContradict { reason, help, at });
    }
}

fn schema_registry(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<SchemaRegistry> {
    let mut section = fields.section(reader, "schema_registry", "schema_registry")?;
    let url = section.required(reader, "url");
    let username = section.secret(reader, "username").map(|username| username.value);
    let password = section.secret(reader, "password").map(|password| password.value);
    section.finish(reader);
    Some(SchemaRegistry { url: url?.map(Secret::new), username, password })
}

fn engine(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> (EngineSettings, bool) {
    let mut settings = EngineSettings::default();
    let Some(mut section) = fields.section(reader, "engine", "runtime engine") else {
        return (settings, false);
    };
    if let Some(interval) = section.duration(reader, "commit_interval|commit_interval_ms") {
        if interval.is_zero() || *interval > COMMIT_INTERVAL_MAX {
            reader.report(out_of_range(
                "commit_interval",
                "more than 0 and at most 10s",
                &interval,
            ));
        }
        settings.commit_interval = interval.value;
    }
    let checkpoint = section.duration(reader, "checkpoint_interval|checkpoint_interval_ms");
    if let Some(interval) = &checkpoint {
        if interval.is_zero() {
            reader.report(out_of_range("checkpoint_interval", "more than 0", interval));
        }
        settings.checkpoint_interval = interval.value;
    }
    let deliveries =
        [("exactly_once", Delivery::ExactlyOnce), ("at_least_once", Delivery::AtLeastOnce)];
    if let Some(delivery) = section.choice(reader, "delivery", &deliveries) {
        settings.delivery = delivery.value;
    }
    settings.parallelism =
        section.integer_from::<u32>(reader, "parallelism", 1).map(|parallelism| parallelism.value);
    settings.state_dir = section.text(reader, "state_dir");
    settings.memory_limit = memory_limit(reader, &mut section);
    if let Some(timeout) = section.duration(reader, "idle_timeout|idle_timeout_ms") {
        settings.idle_timeout = timeout.value;
    }
    if let Some(lease) = section.duration(reader, "lease|lease_ms") {
        settings.lease = lease.value;
    }
    section.finish(reader);
    (settings, checkpoint.is_some())
}

fn out_of_range(key: &str, expected: &str, value: &Spanned<Duration>) -> ShapeMistake {
    ShapeMistake::InvalidValue {
        key: key.to_owned(),
        value: crate::duration::format(value.value),
        expected: expected.to_owned(),
        at: value.place.clone(),
    }
}

/// `70 %`, `512MiB`, `2GB` or a number of bytes.
fn memory_limit(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<MemoryLimit> {
    let found = fields.take(reader, "memory_limit")?;
    let text = reader.string(found.key, found.node)?;
    let limit = parse_memory_limit(text.trim());
    if limit.is_none() {
        reader.invalid(found.key, found.node, "a size such as `512MiB`, or a share such as `70%`");
    }
    limit
}

fn parse_memory_limit(text: &str) -> Option<MemoryLimit> {
    let digits = text.find(|other: char| !other.is_ascii_digit()).unwrap_or(text.len());
    let (count, unit) = text.split_at_checked(digits)?;
    let count: u64 = count.parse().ok()?;
    let scale: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "%" => {
            let percent = u8::try_from(count).ok().filter(|percent| (1..=100).contains(percent))?;
            return Some(MemoryLimit::Percent(percent));
        }
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "kib" | "k" => 1 << 10,
        "mib" | "m" => 1 << 20,
        "gib" | "g" => 1 << 30,
        _ => return None,
    };
    count.checked_mul(scale).filter(|bytes| *bytes > 0).map(MemoryLimit::Bytes)
}

fn broker(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> BrokerSettings {
    let Some(mut section) = fields.section(reader, "broker", "broker") else {
        return BrokerSettings::default();
    };
    let listen = section.string(reader, "listen");
    let fsync =
        section.choice(reader, "fsync", &[("never", Fsync::Never), ("commit", Fsync::Commit)]);
    section.finish(reader);
    BrokerSettings { listen, fsync: fsync.map(|fsync| fsync.value).unwrap_or_default() }
}
