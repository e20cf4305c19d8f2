//! A topic's settings: which exist, their defaults, which of them the broker acts upon.
//!
//! Settings that Kafka knows are taken, kept and shown even where nothing follows from them here,
//! so that a program written for Kafka runs. Those that promise something which does not happen
//! (data that should be deleted and is not) are told to whoever sets them: [`TopicConfig::notes`].

use std::collections::BTreeMap;

/// Segments are small, so that `DeleteRecords` frees space soon and a scan is short.
const SEGMENT_BYTES_DEFAULT: u64 = 64 * 1024 * 1024;

/// As Kafka's broker: 1 MiB and the header of an old log entry.
const MAX_MESSAGE_BYTES_DEFAULT: usize = 1_048_588;

/// What a setting's value must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Flag,
    /// A whole number of at least so much.
    Number(i64),
    Fraction,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of these words.
    Words(&'static [&'static str]),
    /// Anything.
    List,
}

/// Name, default and form of each setting.
const SETTINGS: &[(&str, &str, Form)] = &[
    ("cleanup.policy", "delete", Form::Words(&["delete", "compact"])),
    (
        "compression.type",
        "producer",
        Form::Word(&["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"]),
    ),
    ("delete.retention.ms", "86400000", Form::Number(0)),
    ("file.delete.delay.ms", "60000", Form::Number(0)),
    ("flush.messages", "9223372036854775807", Form::Number(1)),
    ("flush.ms", "9223372036854775807", Form::Number(0)),
    ("follower.replication.throttled.replicas", "", Form::List),
    ("index.interval.bytes", "16384", Form::Number(0)),
    ("leader.replication.throttled.replicas", "", Form::List),
    ("max.compaction.lag.ms", "9223372036854775807", Form::Number(1)),
    ("max.message.bytes", "1048588", Form::Number(0)),
    ("message.timestamp.after.max.ms", "9223372036854775807", Form::Number(0)),
    ("message.timestamp.before.max.ms", "9223372036854775807", Form::Number(0)),
    ("message.timestamp.type", "CreateTime", Form::Word(&["CreateTime", "LogAppendTime"])),
    ("min.cleanable.dirty.ratio", "0.5", Form::Fraction),
    ("min.compaction.lag.ms", "0", Form::Number(0)),
    ("min.insync.replicas", "1", Form::Number(1)),
    ("preallocate", "false", Form::Flag),
    ("retention.bytes", "-1", Form::Number(-1)),
    ("retention.ms", "-1", Form::Number(-1)),
    ("segment.bytes", "67108864", Form::Number(14)),
    ("segment.index.bytes", "10485760", Form::Number(4)),
    ("segment.jitter.ms", "0", Form::Number(0)),
    ("segment.ms", "604800000", Form::Number(1)),
    ("unclean.leader.election.enable", "false", Form::Flag),
];

/// One setting as `DescribeConfigs` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) is_default: bool,
    /// Code of the value's type in the protocol.
    pub(crate) type_code: i8,
}

/// The settings of one topic that differ from the defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TopicConfig {
    given: BTreeMap<String, String>,
}

impl TopicConfig {
    /// Takes over settings that were checked when they were set.
    pub(crate) fn stored(given: BTreeMap<String, String>) -> Self {
        Self { given }
    }

    /// The settings that were given.
    pub(crate) fn given(&self) -> &BTreeMap<String, String> {
        &self.given
    }

    /// Sets one setting; the message says what is wrong with it.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let form = form_of(name)?;
        if !is_formed(form, value) {
            return Err(format!("invalid value `{value}` for configuration `{name}`"));
        }
        self.given.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// Puts a setting back to its default.
    pub(crate) fn reset(&mut self, name: &str) -> Result<(), String> {
        form_of(name)?;
        self.given.remove(name);
        Ok(())
    }

    /// Adds words to a list, or takes them away.
    pub(crate) fn change_list(
        &mut self,
        name: &str,
        words: &str,
        is_append: bool,
    ) -> Result<(), String> {
        let form = form_of(name)?;
        if !matches!(form, Form::Words(_) | Form::List) {
            return Err(format!("configuration `{name}` is no list: set it instead"));
        }
        let present = self.value(name);
        let mut list: Vec<&str> = present.split(',').filter(|word| !word.is_empty()).collect();
        for word in words.split(',').map(str::trim) {
            list.retain(|other| *other != word);
            if is_append {
                list.push(word);
            }
        }
        let joined = list.join(",");
        self.set(name, &joined)
    }

    /// Greatest size of a batch.
    pub(crate) fn max_message_bytes(&self) -> usize {
        self.value("max.message.bytes").parse().unwrap_or(MAX_MESSAGE_BYTES_DEFAULT)
    }

    /// Size at which a segment is followed by the next.
    pub(crate) fn segment_bytes(&self) -> u64 {
        self.value("segment.bytes").parse().unwrap_or(SEGMENT_BYTES_DEFAULT)
    }

    /// Whether the broker stamps records with its own time.
    pub(crate) fn is_log_append_time(&self) -> bool {
        self.value("message.timestamp.type") == "LogAppendTime"
    }

    /// All settings.
    pub(crate) fn shown(&self) -> Vec<Shown> {
        let show = |(name, _, form): &(&'static str, &str, Form)| Shown {
            name,
            value: self.value(name),
            is_default: !self.given.contains_key(*name),
            type_code: type_code(*form, name),
        };
        SETTINGS.iter().map(show).collect()
    }

    fn value(&self, name: &str) -> String {
        let default = || SETTINGS.iter().find(|(known, ..)| *known == name).map(|(_, d, _)| *d);
        match self.given.get(name) {
            Some(value) => value.clone(),
            None => default().unwrap_or_default().to_owned(),
        }
    }

    /// What the topic asks for and does not get.
    pub(crate) fn notes(&self, topic: &str) -> Vec<String> {
        self.given.iter().filter_map(|(name, value)| note(topic, name, value)).collect()
    }
}

/// What `name: value` asks for and does not get.
pub(crate) fn note(topic: &str, name: &str, value: &str) -> Option<String> {
    let kept = match name {
        "retention.ms" | "retention.bytes" if value != "-1" => "keeps its records for ever",
        "cleanup.policy" if value.contains("compact") => {
            "is not compacted: superseded records stay"
        }
        "compression.type" if value != "producer" => {
            "stores batches as its producers compress them"
        }
        "min.insync.replicas" if value != "1" => "has one replica",
        _ => return None,
    };
    Some(format!(
        "topic `{topic}` asks for `{name}={value}`, but the embedded broker does not act on it: \
         the topic {kept}"
    ))
}

fn form_of(name: &str) -> Result<Form, String> {
    let known = SETTINGS.iter().find(|(known, ..)| *known == name);
    known.map(|(_, _, form)| *form).ok_or_else(|| format!("unknown topic config name: `{name}`"))
}

fn is_formed(form: Form, value: &str) -> bool {
    match form {
        Form::Flag => matches!(value, "true" | "false"),
        Form::Number(least) => value.parse::<i64>().is_ok_and(|number| number >= least),
        Form::Fraction => value.parse::<f64>().is_ok_and(|number| (0.0..=1.0).contains(&number)),
        Form::Word(words) => words.contains(&value),
        Form::Words(words) => value.split(',').all(|word| words.contains(&word.trim())),
        Form::List => true,
    }
}

/// The protocol's codes: 1 boolean, 2 string, 3 int, 5 long, 6 double, 7 list.
fn type_code(form: Form, name: &str) -> i8 {
    match form {
        Form::Flag => 1,
        Form::Number(_)
            if name.split('.').next_back() == Some("ms") || name == "flush.messages" =>
        {
            5
        }
        Form::Number(_) if name == "retention.bytes" => 5,
        Form::Number(_) => 3,
        Form::Fraction => 6,
        Form::Word(_) => 2,
        Form::Words(_) | Form::List => 7,
    }
}

#[cfg(test)]
mod tests;
