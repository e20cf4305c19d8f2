//! The one node of the cluster: everything that requests work on.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;

use crate::clock;
use crate::error::{AtPath, BrokerError};
use crate::files::Durability;
use crate::format::{ClusterFile, FORMAT_VERSION};
use crate::groups::Groups;
use crate::ledger::Ledger;
use crate::sync::lock;
use crate::topics::Topics;
use crate::transactions::{self, Transactions};
use crate::{files, random};

/// The id of the only broker.
pub(crate) const NODE_ID: i32 = 1;

/// The leader epoch of all partitions: there is never another leader.
pub(crate) const LEADER_EPOCH: i32 = 0;

/// The state of the broker.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) cluster_id: String,
    pub(crate) durability: Durability,
    pub(crate) topics: Topics,
    pub(crate) groups: Groups,
    pub(crate) transactions: Transactions,
    pub(crate) ledger: Mutex<Ledger>,
}

impl Node {
    /// Opens what is stored in `folder` and ends what a crash left half done.
    pub(crate) fn open(folder: &Path, durability: Durability) -> Result<Self, BrokerError> {
        let cluster_id = cluster_id(&folder.join("cluster.json"), durability)?;
        let ledger = Ledger::open(folder.join("ledger.log"), durability)?;
        let topics = Topics::open(folder.join("topics"), durability)?;
        transactions::settle(&topics, &ledger).at("write", &folder.join("topics"))?;
        Ok(Self {
            cluster_id,
            durability,
            topics,
            groups: Groups::default(),
            transactions: Transactions::new(&ledger, durability),
            ledger: Mutex::new(ledger),
        })
    }

    /// Lets time pass: members and transactions that took too long.
    pub(crate) fn tick(&self) {
        let now = clock::monotonic();
        self.groups.tick(now);
        self.transactions.tick(now, &self.ledger);
    }

    /// An orderly end, after which opening is quick. What cannot be written is scanned again at
    /// the next start; nothing is lost by it.
    pub(crate) fn close(&self) {
        for topic in self.topics.all() {
            for partition in topic.partitions() {
                if let Err(error) = partition.log().close() {
                    tracing::warn!(topic = topic.name, partition = partition.index, %error,
                        "no checkpoint at the end");
                }
            }
        }
    }

    /// The ledger, locked: for short, straight work.
    pub(crate) fn ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }
}

/// One request's surroundings.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) node: &'a Node,
    pub(crate) version: i16,
    pub(crate) client_id: String,
    pub(crate) client: SocketAddr,
    /// The address by which the client reached us, which is the one to advertise to it.
    pub(crate) local: SocketAddr,
}

impl Call<'_> {
    pub(crate) fn host(&self) -> String {
        self.local.ip().to_string()
    }

    pub(crate) fn port(&self) -> i32 {
        i32::from(self.local.port())
    }
}

fn cluster_id(path: &Path, durability: Durability) -> Result<String, BrokerError> {
    if !path.exists() {
        let cluster_id = random::cluster_id();
        let file = ClusterFile { version: FORMAT_VERSION, cluster_id: cluster_id.clone() };
        files::replace_json(path, &file, durability).at("write", path)?;
        return Ok(cluster_id);
    }
    let bytes = std::fs::read(path).at("read", path)?;
    let damaged = |reason: String| BrokerError::Damaged { path: path.to_owned(), reason };
    let file: ClusterFile =
        serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if file.version != FORMAT_VERSION {
        return Err(damaged(format!("version {} instead of {FORMAT_VERSION}", file.version)));
    }
    Ok(file.cluster_id)
}
