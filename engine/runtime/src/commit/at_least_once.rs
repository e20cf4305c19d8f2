//! `delivery: at_least_once`: outputs go through a producer of their own, outside of the
//! transaction, and are visible before their epoch is committed.
//!
//! **Invariant:** an epoch is committed only after all its outputs were acknowledged. A process
//! that dies in between writes them again: none is lost, some may come twice.

use connectors::{Cluster, ConnectorError, OutputProducer, OutputTopic};

use super::with_record;
use crate::outbox::{DEAD_LETTERS, Kept};

/// The outputs' producer, and what became of the present epoch's outputs.
pub(crate) struct Outputs {
    cluster: Cluster,
    topics: Vec<OutputTopic>,
    /// `None` after an error, until the next try.
    producer: Option<OutputProducer>,
    is_acknowledged: bool,
}

impl Outputs {
    pub(crate) fn open(cluster: &Cluster, topics: &[OutputTopic]) -> Result<Self, ConnectorError> {
        Ok(Self {
            cluster: cluster.clone(),
            topics: topics.to_vec(),
            producer: Some(OutputProducer::open(cluster, topics)?),
            is_acknowledged: false,
        })
    }

    /// Sends what has just been encoded; after an error everything is sent again by `settle`.
    pub(super) fn send(&mut self, kept: &Kept) {
        let Some(producer) = &self.producer else { return };
        if let Err(error) = send(producer, kept) {
            tracing::warn!(%error, "outputs were not taken; they are sent again");
            self.producer = None;
        }
    }

    /// Makes sure that all outputs of the epoch are acknowledged.
    pub(super) fn settle(&mut self, kept: &[Kept]) -> Result<(), ConnectorError> {
        if self.is_acknowledged {
            return Ok(());
        }
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => {
                let producer = OutputProducer::open(&self.cluster, &self.topics)?;
                kept.iter().try_for_each(|kept| send(&producer, kept))?;
                producer
            }
        };
        producer.flush()?;
        self.producer = Some(producer);
        self.is_acknowledged = true;
        Ok(())
    }

    /// The epoch was committed; the next one's outputs follow.
    pub(super) fn begin_epoch(&mut self) {
        self.is_acknowledged = false;
    }
}

fn send(producer: &OutputProducer, kept: &Kept) -> Result<(), ConnectorError> {
    match kept {
        Kept::Rows { topic, encoded } => producer.send_rows(*topic, encoded),
        Kept::Letter(letter) => with_record(letter, |record| producer.send(DEAD_LETTERS, record)),
    }
}
