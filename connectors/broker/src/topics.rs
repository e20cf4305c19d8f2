//! The topics: their names, ids, settings and partitions, and their folders on disk.
//!
//! A topic's folder is named by its id, so that any name is safe on any file system and a topic
//! that is deleted and created again shares nothing with the old one. Folders appear and vanish by
//! renaming: one whose name starts with a dot is half made or half removed, and a start removes it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use kafka_protocol::error::ResponseError;
use tracing::warn;
use uuid::Uuid;

use crate::error::{AtPath, BrokerError};
use crate::files::Durability;
use crate::format::{FORMAT_VERSION, TopicFile};
use crate::partition::Partition;
use crate::sync::{lock, read, write};
use crate::topic_config::TopicConfig;
use crate::{files, random};

/// Partitions of all topics together: each has a folder and, when written to, an open file.
const PARTITIONS_MAX: usize = 20_000;

/// Longest name of a topic, as in Kafka.
const NAME_BYTES_MAX: usize = 249;

/// Notes kept for [`Topics::notes`].
const NOTES_MAX: usize = 1_000;

/// One topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    folder: PathBuf,
    durability: Durability,
    config: RwLock<TopicConfig>,
    partitions: RwLock<Vec<Arc<Partition>>>,
}

/// A refusal, as a client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) error: ResponseError,
    pub(crate) message: String,
}

impl Refused {
    pub(crate) fn new(error: ResponseError, message: impl Into<String>) -> Self {
        Self { error, message: message.into() }
    }
}

/// A topic that is to be created.
#[derive(Debug, Clone)]
pub(crate) struct NewTopic {
    pub(crate) name: String,
    pub(crate) partitions: i32,
    pub(crate) config: TopicConfig,
}

/// All topics.
#[derive(Debug)]
pub(crate) struct Topics {
    folder: PathBuf,
    durability: Durability,
    known: RwLock<Known>,
    notes: Mutex<Vec<String>>,
}

#[derive(Debug, Default)]
struct Known {
    by_name: BTreeMap<String, Arc<Topic>>,
    by_id: BTreeMap<Uuid, Arc<Topic>>,
}

impl Topic {
    /// The partition of that number.
    pub(crate) fn partition(&self, index: i32) -> Option<Arc<Partition>> {
        read(&self.partitions).get(usize::try_from(index).ok()?).cloned()
    }

    /// All partitions, in order.
    pub(crate) fn partitions(&self) -> Vec<Arc<Partition>> {
        read(&self.partitions).clone()
    }

    /// The topic's settings.
    pub(crate) fn config(&self) -> TopicConfig {
        read(&self.config).clone()
    }

    /// What appending needs of the settings: (max.message.bytes, segment.bytes, whether the broker
    /// stamps the time).
    pub(crate) fn append_settings(&self) -> (usize, u64, bool) {
        let config = read(&self.config);
        (config.max_message_bytes(), config.segment_bytes(), config.is_log_append_time())
    }

    fn save(&self, partitions: usize, config: &TopicConfig) -> io::Result<()> {
        let file = TopicFile {
            version: FORMAT_VERSION,
            name: self.name.clone(),
            partitions: i32::try_from(partitions).unwrap_or(i32::MAX),
            config: config.given().clone(),
        };
        files::replace_json(&self.folder.join("topic.json"), &file, self.durability)
    }
}

impl Topics {
    /// Opens all topics in `folder`.
    pub(crate) fn open(folder: PathBuf, durability: Durability) -> Result<Self, BrokerError> {
        fs::create_dir_all(&folder).at("create", &folder)?;
        let mut known = Known::default();
        for entry in fs::read_dir(&folder).at("read", &folder)? {
            let path = entry.at("read", &folder)?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with('.') {
                fs::remove_dir_all(&path).at("remove", &path)?;
            } else if let Ok(id) = Uuid::try_parse(name) {
                let topic = Arc::new(open_topic(&path, id, durability)?);
                known.by_id.insert(id, Arc::clone(&topic));
                known.by_name.insert(topic.name.clone(), topic);
            }
        }
        Ok(Self { folder, durability, known: RwLock::new(known), notes: Mutex::default() })
    }

    /// The topic of that name.
    pub(crate) fn named(&self, name: &str) -> Option<Arc<Topic>> {
        read(&self.known).by_name.get(name).cloned()
    }

    /// The topic of that id.
    pub(crate) fn by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        read(&self.known).by_id.get(&id).cloned()
    }

    /// All topics, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Topic>> {
        read(&self.known).by_name.values().cloned().collect()
    }

    /// What topics asked for and did not get, in the order of asking.
    pub(crate) fn notes(&self) -> Vec<String> {
        lock(&self.notes).clone()
    }

    /// Whether a topic could be created so.
    pub(crate) fn check_new(&self, new: &NewTopic) -> Result<(), Refused> {
        check_name(&new.name)?;
        if self.named(&new.name).is_some() {
            let message = format!("topic '{}' already exists", new.name);
            return Err(Refused::new(ResponseError::TopicAlreadyExists, message));
        }
        if new.partitions < 1 {
            let message = "number of partitions must be larger than 0";
            return Err(Refused::new(ResponseError::InvalidPartitions, message));
        }
        self.check_room(usize::try_from(new.partitions).unwrap_or(usize::MAX))
    }

    fn check_room(&self, more: usize) -> Result<(), Refused> {
        let present: usize = self.all().iter().map(|topic| read(&topic.partitions).len()).sum();
        if present.saturating_add(more) <= PARTITIONS_MAX {
            return Ok(());
        }
        let message = format!("the embedded broker holds {PARTITIONS_MAX} partitions at most");
        Err(Refused::new(ResponseError::PolicyViolation, message))
    }

    /// Creates a topic.
    pub(crate) fn create(&self, new: &NewTopic) -> Result<Arc<Topic>, Refused> {
        let mut known = write(&self.known);
        if known.by_name.contains_key(&new.name) {
            let message = format!("topic '{}' already exists", new.name);
            return Err(Refused::new(ResponseError::TopicAlreadyExists, message));
        }
        let topic = Arc::new(self.create_folder(new).map_err(|error| storage(&error))?);
        known.by_id.insert(topic.id, Arc::clone(&topic));
        known.by_name.insert(new.name.clone(), Arc::clone(&topic));
        drop(known);
        self.tell(new.config.notes(&new.name));
        Ok(topic)
    }

    /// Builds the folder under a dotted name and renames it when it is whole.
    fn create_folder(&self, new: &NewTopic) -> io::Result<Topic> {
        let id = random::topic_id();
        let name = id.simple().to_string();
        let (half_made, folder) = (self.folder.join(format!(".{name}")), self.folder.join(&name));
        fs::create_dir_all(&half_made)?;
        for index in 0..new.partitions {
            fs::create_dir(half_made.join(index.to_string()))?;
        }
        let file = TopicFile {
            version: FORMAT_VERSION,
            name: new.name.clone(),
            partitions: new.partitions,
            config: new.config.given().clone(),
        };
        files::replace_json(&half_made.join("topic.json"), &file, self.durability)?;
        fs::rename(&half_made, &folder)?;
        files::sync_folder_of(&folder, self.durability)?;
        let partitions = (0..new.partitions)
            .map(|index| {
                let folder = folder.join(index.to_string());
                Ok(Arc::new(Partition::create(folder, index, self.durability)?))
            })
            .collect::<io::Result<Vec<_>>>()?;
        let (config, partitions) = (RwLock::new(new.config.clone()), RwLock::new(partitions));
        let (name, durability) = (new.name.clone(), self.durability);
        Ok(Topic { id, name, folder, durability, config, partitions })
    }

    /// Deletes a topic with its data.
    pub(crate) fn delete(&self, topic: &Topic) -> Result<(), Refused> {
        let mut known = write(&self.known);
        if known.by_id.remove(&topic.id).is_none() {
            let message = "this server does not host this topic";
            return Err(Refused::new(ResponseError::UnknownTopicOrPartition, message));
        }
        known.by_name.remove(&topic.name);
        drop(known);
        let half_removed = self.folder.join(format!(".{}", topic.id.simple()));
        fs::rename(&topic.folder, &half_removed)
            .and_then(|()| fs::remove_dir_all(&half_removed))
            .map_err(|error| storage(&error))
    }

    /// Raises the number of partitions to `count`.
    pub(crate) fn grow(&self, topic: &Topic, count: i32, is_trial: bool) -> Result<(), Refused> {
        self.check_room(
            usize::try_from(count).unwrap_or(0).saturating_sub(topic.partitions().len()),
        )?;
        let mut partitions = write(&topic.partitions);
        let present = i32::try_from(partitions.len()).unwrap_or(i32::MAX);
        if count <= present {
            let message = format!(
                "topic `{}` has {present} partitions; they can only become more",
                topic.name
            );
            return Err(Refused::new(ResponseError::InvalidPartitions, message));
        }
        if is_trial {
            return Ok(());
        }
        let more = (present..count)
            .map(|index| {
                let folder = topic.folder.join(index.to_string());
                Ok(Arc::new(Partition::create(folder, index, self.durability)?))
            })
            .collect::<io::Result<Vec<_>>>();
        partitions.extend(more.map_err(|error| storage(&error))?);
        topic.save(partitions.len(), &topic.config()).map_err(|error| storage(&error))
    }

    /// Replaces a topic's settings.
    pub(crate) fn configure(&self, topic: &Topic, config: TopicConfig) -> Result<(), Refused> {
        topic.save(topic.partitions().len(), &config).map_err(|error| storage(&error))?;
        let news: Vec<String> = {
            let mut present = write(&topic.config);
            let before = present.notes(&topic.name);
            *present = config;
            present.notes(&topic.name).into_iter().filter(|note| !before.contains(note)).collect()
        };
        self.tell(news);
        Ok(())
    }

    fn tell(&self, news: Vec<String>) {
        let mut notes = lock(&self.notes);
        for note in news {
            warn!("{note}");
            if notes.len() < NOTES_MAX {
                notes.push(note);
            }
        }
    }
}

fn open_topic(folder: &Path, id: Uuid, durability: Durability) -> Result<Topic, BrokerError> {
    let path = folder.join("topic.json");
    let bytes = fs::read(&path).at("read", &path)?;
    let damaged = |reason: String| BrokerError::Damaged { path: path.clone(), reason };
    let file: TopicFile =
        serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if file.version != FORMAT_VERSION {
        return Err(damaged(format!("version {} instead of {FORMAT_VERSION}", file.version)));
    }
    let mut partitions = Vec::new();
    for index in 0..file.partitions {
        let folder = folder.join(index.to_string());
        fs::create_dir_all(&folder).at("create", &folder)?;
        let opened = Partition::open(folder.clone(), index, durability);
        partitions.push(Arc::new(opened.at("open", &folder)?));
    }
    Ok(Topic {
        id,
        name: file.name,
        folder: folder.to_owned(),
        durability,
        config: RwLock::new(TopicConfig::stored(file.config)),
        partitions: RwLock::new(partitions),
    })
}

fn check_name(name: &str) -> Result<(), Refused> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let message = if name.is_empty() {
        "topic name is empty".to_owned()
    } else if name == "." || name == ".." {
        format!("topic name cannot be `{name}`")
    } else if name.len() > NAME_BYTES_MAX {
        format!("topic name is longer than {NAME_BYTES_MAX} characters")
    } else if !name.chars().all(is_legal) {
        "topic name may hold ASCII letters, digits, `.`, `_` and `-` only".to_owned()
    } else {
        return Ok(());
    };
    Err(Refused::new(ResponseError::InvalidTopicException, message))
}

fn storage(error: &io::Error) -> Refused {
    Refused::new(ResponseError::KafkaStorageError, error.to_string())
}
