//! The watch's thread: whether the topics that are read are still the same, and whether they have
//! got partitions.
//!
//! **Invariant:** a topic that was deleted and created anew is never read on at an old offset: its
//! id is in every entry of the journal, and looked at while running and at every start.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_kafka::TopicIdentity;
use connectors::{Cluster, ConnectorError};

use crate::error::RuntimeError;
use crate::inbox::Inbox;

/// How often topics are looked at: a new partition is noticed within two seconds.
const LOOK: Duration = Duration::from_secs(1);

/// A broker that has just started may not know a topic for a moment: it is gone if so many looks
/// one after the other do not find it.
const LOOKS_UNTIL_GONE: u32 = 5;

/// Watches the topics of all readers.
pub(crate) struct TopicWatch {
    connection: connectors::TopicWatch,
    topics: Vec<Watched>,
    /// Whether new partitions are read; a run to fixed ends does not.
    reads_new: bool,
}

/// A topic and who reads it.
struct Watched {
    name: String,
    id: Option<String>,
    partitions: usize,
    readers: Vec<usize>,
    missed: u32,
}

impl TopicWatch {
    /// A watch over `readers`, given as topic and number of partitions each.
    pub(crate) fn open(
        cluster: &Cluster,
        readers: &[(String, usize)],
        reads_new: bool,
    ) -> Result<Self, RuntimeError> {
        let connection = connectors::TopicWatch::open(cluster)?;
        let mut topics: Vec<Watched> = Vec::new();
        for (index, (name, partitions)) in readers.iter().enumerate() {
            match topics.iter_mut().find(|topic| topic.name == *name) {
                Some(topic) => topic.readers.push(index),
                None => topics.push(Watched {
                    name: name.clone(),
                    id: None,
                    partitions: *partitions,
                    readers: vec![index],
                    missed: 0,
                }),
            }
        }
        let mut this = Self { connection, topics, reads_new };
        for identity in this.describe()? {
            if let Some(topic) = this.topics.iter_mut().find(|it| it.name == identity.name) {
                topic.id = identity.id;
            }
        }
        Ok(this)
    }

    /// Ids of the topics by name, of those that have one.
    pub(crate) fn ids(&self) -> BTreeMap<String, String> {
        let id = |topic: &Watched| Some((topic.name.clone(), topic.id.clone()?));
        self.topics.iter().filter_map(id).collect()
    }

    /// Looks again and again until the threads shall end.
    pub(crate) fn run(mut self, inbox: &Arc<Inbox>) {
        while !inbox.wait_closing(LOOK) {
            match self.look(inbox) {
                Ok(()) => {}
                // The readers and the committer tell that a broker is away.
                Err(RuntimeError::Connector(error)) => {
                    tracing::debug!(%error, "topics cannot be looked at");
                }
                Err(error) => {
                    inbox.fail(error);
                    return;
                }
            }
        }
    }

    fn describe(&self) -> Result<Vec<TopicIdentity>, ConnectorError> {
        let names: Vec<&str> = self.topics.iter().map(|topic| topic.name.as_str()).collect();
        self.connection.describe(&names)
    }

    fn look(&mut self, inbox: &Inbox) -> Result<(), RuntimeError> {
        for identity in self.describe()? {
            let Some(topic) = self.topics.iter_mut().find(|it| it.name == identity.name) else {
                continue;
            };
            if !topic.is_there(&identity)? || !self.reads_new {
                continue;
            }
            let grown = (topic.partitions..identity.partitions)
                .map(|partition| self.connection.bounds(&topic.name, partition))
                .collect::<Result<Vec<_>, _>>()?;
            if grown.is_empty() {
                continue;
            }
            let (name, partitions) = (&topic.name, identity.partitions);
            tracing::info!(topic = name, partitions, "the topic has got partitions");
            topic.partitions = identity.partitions;
            topic.readers.iter().for_each(|reader| inbox.grow(*reader, &grown));
        }
        Ok(())
    }
}

impl Watched {
    /// Whether the broker knows the topic; an error if it is gone for good, or another one.
    fn is_there(&mut self, identity: &TopicIdentity) -> Result<bool, RuntimeError> {
        if identity.error.is_some_and(arrow_kafka::ErrorCode::is_unknown_topic) {
            self.missed += 1;
            if self.missed >= LOOKS_UNTIL_GONE {
                return Err(RuntimeError::TopicGone { topic: self.name.clone() });
            }
            return Ok(false);
        }
        self.missed = 0;
        match (&self.id, &identity.id) {
            (Some(known), Some(now)) if known != now => Err(RuntimeError::TopicRecreated {
                topic: self.name.clone(),
                known: known.clone(),
                now: now.clone(),
            }),
            _ => Ok(identity.error.is_none()),
        }
    }
}
