//! Before a run: the topics that it reads and writes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::thread::JoinHandle;
use std::time::Duration;

use connectors::admin::{Admin, TopicDescription, TopicSetting, TopicSpec};
use connectors::{Cluster, ConnectorError, OutputTopic};
use planner::dataflow::{Dataflow, Sink, Source, SourceRole};

use crate::encode::SizeLimits;
use crate::error::RuntimeError;
use crate::names::Names;

/// Kafka's default of `max.message.bytes`.
const DEFAULT_MESSAGE_BYTES: usize = 1_048_588;

/// An input should hold at least so many intervals between snapshots: one may fail.
const RETAINED_INTERVALS: u64 = 3;

/// What a run found out about its topics.
pub(crate) struct Prepared {
    /// Journal, dead letters, then the sinks' topics.
    pub(crate) topics: Vec<OutputTopic>,
    /// Limits on the size of records.
    pub(crate) limits: SizeLimits,
    /// By source: whether its topic may forget records, so that the journal carries them.
    pub(crate) is_compacted: BTreeMap<String, bool>,
    /// The cluster, if it tells.
    pub(crate) cluster_id: Option<String>,
    /// For the user.
    pub(crate) notes: Vec<Note>,
    /// Who asked the broker.
    _asked: Closing,
}

/// A client on its way out: that takes a tenth of a second, for which a start has not to wait. But
/// it ends before what holds this does, and so before the process.
struct Closing(Option<JoinHandle<()>>);

impl Closing {
    fn begin(client: Admin) -> Self {
        Self(Some(std::thread::spawn(move || drop(client))))
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        // A panic has said what it has to.
        let _ended = self.0.take().map(JoinHandle::join);
    }
}

/// Something about topics that the user should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A topic was created.
    Created {
        /// Kafka topic.
        topic: String,
        /// Its partitions.
        partitions: usize,
        /// Who needed it.
        wanted_by: String,
    },
    /// A topic has other partitions than its model declares; it is used as it is.
    OtherPartitions {
        /// Kafka topic.
        topic: String,
        /// Declared.
        declared: i32,
        /// As it is.
        actual: usize,
    },
    /// A topic has another setting than its model declares; it is used as it is.
    OtherSetting {
        /// Kafka topic.
        topic: String,
        /// Name of the setting.
        setting: String,
        /// Declared.
        declared: String,
        /// As it is.
        actual: String,
    },
    /// A versioned table's topic deletes by time: versions that nobody renewed will be missing.
    VersionsExpire {
        /// Kafka topic.
        topic: String,
        /// Its `retention.ms`.
        retention_ms: String,
    },
    /// A stream's topic may forget records before a snapshot stands for them.
    ShortRetention {
        /// Kafka topic.
        topic: String,
        /// Its `retention.ms`.
        retention_ms: u64,
        /// Milliseconds between snapshots.
        interval_ms: u64,
    },
    /// The project has changed, and models are built up again.
    Rebuilding {
        /// The models.
        models: Vec<String>,
        /// Those of them that do not write the rows again that they had written.
        silent: Vec<String>,
    },
    /// A snapshot cannot be used; an older one and a longer replay take its place.
    SnapshotUnusable {
        /// Its id.
        id: String,
        /// Why.
        reason: String,
    },
}

impl Note {
    /// Whether the user should do something about it.
    pub fn is_warning(&self) -> bool {
        match self {
            Self::Created { .. } | Self::Rebuilding { .. } => false,
            Self::OtherPartitions { .. }
            | Self::OtherSetting { .. }
            | Self::VersionsExpire { .. }
            | Self::ShortRetention { .. }
            | Self::SnapshotUnusable { .. } => true,
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created { topic, partitions, wanted_by } => {
                let plural = if *partitions == 1 { "" } else { "s" };
                write!(f, "created topic {topic} ({partitions} partition{plural}) for {wanted_by}")
            }
            Self::OtherPartitions { topic, declared, actual } => write!(
                f,
                "topic {topic} has {actual} partitions, its model declares {declared}: used as it is"
            ),
            Self::OtherSetting { topic, setting, declared, actual } => write!(
                f,
                "topic {topic} has `{setting}: {actual}`, its model declares `{declared}`: used as it is"
            ),
            Self::VersionsExpire { topic, retention_ms } => write!(
                f,
                "topic {topic} holds versions and deletes after retention.ms={retention_ms}: set it to -1, or compact it"
            ),
            Self::ShortRetention { topic, retention_ms, interval_ms } => write!(
                f,
                "topic {topic} deletes after retention.ms={retention_ms}, snapshots are taken every {interval_ms} ms: after a crash it may no longer hold what must be read again; raise its retention, or take snapshots more often with `checkpoint_interval`"
            ),
            Self::Rebuilding { models, silent } => {
                let models = models.join(", ");
                write!(f, "building up {models} from the retained input; other models go on")?;
                if silent.is_empty() {
                    return Ok(());
                }
                write!(f, "; what {} had written is not written again", silent.join(", "))
            }
            Self::SnapshotUnusable { id, reason } => write!(
                f,
                "snapshot {id} cannot be used: {reason}; the replay begins earlier instead"
            ),
        }
    }
}

/// Makes sure that all topics are there.
///
/// # Errors
/// [`ConnectorError::MissingTopic`] for a source's topic on a real Kafka; those of the broker.
pub(crate) fn prepare(
    cluster: &Cluster,
    dataflow: &Dataflow,
    names: &Names,
    snapshot_interval: Duration,
) -> Result<Prepared, RuntimeError> {
    let admin = Admin::open(cluster)?;
    let cluster_id = admin.cluster_id();
    let existing: BTreeMap<String, TopicDescription> =
        admin.topics()?.into_iter().map(|topic| (topic.name.clone(), topic)).collect();
    let (journal, dead_letters) = (names.journal(), names.dead_letters());
    let sources = dataflow.sources().map(|(_, source)| source.topic.as_str());
    let sinks = dataflow.sinks().map(|(_, sink)| sink.topic.as_str());
    let topics: BTreeSet<&str> = sources.chain(sinks).chain([dead_letters.as_str()]).collect();
    let topics: Vec<&str> =
        topics.into_iter().filter(|topic| existing.contains_key(*topic)).collect();
    let settings = admin.settings_of(&topics)?;
    let notes = Vec::new();
    let mut preparation = Preparation { admin, existing, settings, snapshot_interval, notes };
    preparation.ensure(
        &own_topic(&journal, &[("cleanup.policy", "delete"), ("retention.ms", "-1")]),
        None,
    )?;
    preparation.ensure(&own_topic(&dead_letters, &[]), None)?;
    let mut is_compacted = BTreeMap::new();
    for (_, source) in dataflow.sources() {
        is_compacted.insert(source.source.clone(), preparation.source(source)?);
    }
    let dead_letter_bytes = message_bytes(&preparation.settings(&dead_letters)?);
    let uncompressed = |topic: &str, max_message_bytes: usize| OutputTopic {
        topic: topic.to_owned(),
        compression: None,
        max_message_bytes,
    };
    let mut topics = vec![
        uncompressed(&journal, DEFAULT_MESSAGE_BYTES),
        uncompressed(&dead_letters, dead_letter_bytes),
    ];
    let mut limits = SizeLimits { sinks: Vec::new(), dead_letters: dead_letter_bytes };
    for (_, sink) in dataflow.sinks() {
        let settings = preparation.sink(sink)?;
        let max_message_bytes = message_bytes(&settings);
        limits.sinks.push(max_message_bytes);
        topics.push(OutputTopic {
            topic: sink.topic.clone(),
            compression: compression(&settings),
            max_message_bytes,
        });
    }
    let Preparation { admin, notes, .. } = preparation;
    let asked = Closing::begin(admin);
    Ok(Prepared { topics, limits, is_compacted, cluster_id, notes, _asked: asked })
}

/// What a replay has to know of the topics that it reads; nothing is created.
///
/// # Errors
/// [`RuntimeError::NeverRan`]; [`ConnectorError::MissingTopic`]; those of the broker.
pub(crate) fn look(
    cluster: &Cluster,
    dataflow: &Dataflow,
    names: &Names,
) -> Result<Prepared, RuntimeError> {
    let admin = Admin::open(cluster)?;
    let topic = names.journal();
    if admin.topic(&topic)?.is_none() {
        return Err(RuntimeError::NeverRan { topic });
    }
    let mut is_compacted = BTreeMap::new();
    for (_, source) in dataflow.sources() {
        if admin.topic(&source.topic)?.is_none() {
            return Err(missing(source, cluster));
        }
        let policy = admin.settings(&source.topic)?.remove("cleanup.policy");
        let policy = policy.and_then(|setting| setting.value).unwrap_or_default();
        is_compacted.insert(source.source.clone(), policy.contains("compact"));
    }
    Ok(Prepared {
        topics: Vec::new(),
        limits: SizeLimits { sinks: Vec::new(), dead_letters: DEFAULT_MESSAGE_BYTES },
        is_compacted,
        cluster_id: admin.cluster_id(),
        notes: Vec::new(),
        _asked: Closing::begin(admin),
    })
}

fn missing(source: &Source, cluster: &Cluster) -> RuntimeError {
    RuntimeError::Connector(ConnectorError::MissingTopic {
        topic: source.topic.clone(),
        source_name: source.source.clone(),
        cluster: cluster.to_string(),
    })
}

type Settings = BTreeMap<String, TopicSetting>;

struct Preparation {
    admin: Admin,
    existing: BTreeMap<String, TopicDescription>,
    /// Of those that existed.
    settings: BTreeMap<String, Settings>,
    snapshot_interval: Duration,
    notes: Vec<Note>,
}

impl Preparation {
    /// Creates the topic if it is not there. Whether it was.
    fn ensure(&mut self, topic: &TopicSpec, wanted_by: Option<&str>) -> Result<bool, RuntimeError> {
        if self.existing.contains_key(&topic.name) {
            return Ok(true);
        }
        match self.admin.create(topic) {
            Ok(()) => {}
            Err(ConnectorError::TopicExists { .. }) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
        if let Some(wanted_by) = wanted_by {
            let partitions = match topic.partitions {
                Some(partitions) => usize::try_from(partitions).unwrap_or_default(),
                None => self.admin.topic(&topic.name)?.map_or(1, |topic| topic.partitions),
            };
            let note = Note::Created {
                topic: topic.name.clone(),
                partitions,
                wanted_by: wanted_by.to_owned(),
            };
            self.notes.push(note);
        }
        Ok(false)
    }

    /// The topic's settings.
    fn settings(&self, topic: &str) -> Result<Settings, RuntimeError> {
        match self.settings.get(topic) {
            Some(settings) => Ok(settings.clone()),
            None => Ok(self.admin.settings(topic)?),
        }
    }

    /// Whether the source's topic is compacted.
    fn source(&mut self, source: &Source) -> Result<bool, RuntimeError> {
        if !self.existing.contains_key(&source.topic) {
            if !self.admin.cluster().is_embedded() {
                return Err(missing(source, self.admin.cluster()));
            }
            let topic = TopicSpec {
                name: source.topic.clone(),
                partitions: Some(1),
                ..TopicSpec::default()
            };
            self.ensure(&topic, Some(&format!("source {}", source.source)))?;
        }
        let settings = self.settings(&source.topic)?;
        let value = |key: &str| settings.get(key).and_then(|setting| setting.value.clone());
        let policy = value("cleanup.policy").unwrap_or_default();
        if let (SourceRole::Versioned { .. }, Some(retention_ms)) =
            (&source.role, value("retention.ms"))
            && policy.contains("delete")
            && retention_ms != "-1"
        {
            self.notes.push(Note::VersionsExpire { topic: source.topic.clone(), retention_ms });
        }
        let is_compacted = policy.contains("compact");
        let interval_ms = u64::try_from(self.snapshot_interval.as_millis()).unwrap_or(u64::MAX);
        // Unlimited is -1, which is no u64.
        if let Some(retention_ms) = value("retention.ms").and_then(|text| text.parse().ok())
            && !is_compacted
            && retention_ms < interval_ms.saturating_mul(RETAINED_INTERVALS)
        {
            let topic = source.topic.clone();
            self.notes.push(Note::ShortRetention { topic, retention_ms, interval_ms });
        }
        Ok(is_compacted)
    }

    fn sink(&mut self, sink: &Sink) -> Result<Settings, RuntimeError> {
        let topic = TopicSpec {
            name: sink.topic.clone(),
            partitions: sink.partitions,
            replication_factor: sink.replication_factor,
            config: sink.config.clone(),
        };
        let existed = self.ensure(&topic, Some(&format!("model {}", sink.model)))?;
        let mut settings = self.settings(&sink.topic)?;
        if existed {
            let actual = self.existing.get(&sink.topic).map(|topic| topic.partitions);
            if let (Some(declared), Some(actual)) = (sink.partitions, actual)
                && usize::try_from(declared).ok() != Some(actual)
            {
                let topic = sink.topic.clone();
                self.notes.push(Note::OtherPartitions { topic, declared, actual });
            }
            for (setting, declared) in &sink.config {
                let actual = settings.get(setting).and_then(|setting| setting.value.clone());
                if let Some(actual) = actual.filter(|actual| actual != declared) {
                    self.notes.push(Note::OtherSetting {
                        topic: sink.topic.clone(),
                        setting: setting.clone(),
                        declared: declared.clone(),
                        actual,
                    });
                }
            }
        } else {
            // A broker may need a moment to know what it was told just now.
            let told =
                |value: &String| TopicSetting { value: Some(value.clone()), is_default: false };
            settings.extend(sink.config.iter().map(|(name, value)| (name.clone(), told(value))));
        }
        Ok(settings)
    }
}

fn own_topic(name: &str, config: &[(&str, &str)]) -> TopicSpec {
    let config = config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    TopicSpec {
        name: name.to_owned(),
        partitions: Some(1),
        replication_factor: None,
        config: config.collect(),
    }
}

/// How large a record the topic takes.
pub(crate) fn message_bytes(settings: &Settings) -> usize {
    settings
        .get("max.message.bytes")
        .and_then(|setting| setting.value.as_ref()?.parse().ok())
        .unwrap_or(DEFAULT_MESSAGE_BYTES)
}

/// The codec that the topic declares; the client's own choice if it takes what comes.
fn compression(settings: &Settings) -> Option<String> {
    let codec = settings.get("compression.type")?.value.clone()?;
    match codec.as_str() {
        "producer" => None,
        "uncompressed" => Some("none".to_owned()),
        _ => Some(codec),
    }
}
