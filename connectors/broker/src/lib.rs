//! The embedded broker: a single-node, durable log that speaks Kafka's protocol.
//!
//! It runs inside the process that opens it, on threads of its own, so that a project works with
//! nothing else running and any Kafka client or tool can connect meanwhile. It is for development,
//! tests and small single-machine use: it is not replicated, has no access control and listens on
//! loopback unless told otherwise.
//!
//! # On disk
//! ```text
//! FOLDER/broker.json                   where the owner answers, while it does
//! FOLDER/broker/lock                   locked by the owner
//! FOLDER/broker/cluster.json           the cluster id
//! FOLDER/broker/ledger.log             producer ids, decided transactions, committed offsets
//! FOLDER/broker/topics/ID/topic.json   name, partition count, settings
//! FOLDER/broker/topics/ID/PARTITION/   BASE.log (record batches), BASE.index, checkpoint.json
//! ```
//!
//! # What holds
//! - **Invariant:** what was acknowledged survives the end of the process; with
//!   [`Fsync::Commit`] also the end of power.
//! - **Invariant:** a transaction's records and offsets become visible together or not at all:
//!   one ledger record decides ([`Broker`] settles what a crash left open before it answers).
//! - **Invariant:** no bytes from the network end the process or make it reserve more memory than
//!   a small multiple of what was sent.
//!
//! # Absent
//! Replication, access control, TLS, quotas, retention by time or size, compaction (both are told
//! to whoever asks for them, see [`Broker::notes`]), creation of topics by mention, the newer group
//! protocol (KIP-848), share groups, and transactions of the second kind (KIP-890).
#![deny(clippy::indexing_slicing)]
#![cfg_attr(test, expect(clippy::indexing_slicing, reason = "a test may fail by panicking"))]

mod error;
mod format;
mod files;
mod clock;
mod random;
mod sync;

mod address;
mod wire;

mod topic_config;
mod log;
mod partition;
mod topics;

mod ledger;
mod transactions;
mod groups;

mod node;
mod api;
mod server;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

pub use address::locate;
pub use error::{BrokerError, Owner};

use address::FolderLock;
use files::Durability;
use node::Node;

/// The ports that are tried first, and how many they are; a folder's path says which is its own.
const USUAL_PORT: u16 = 19_092;
const USUAL_PORTS: u32 = 800;

/// Ports tried one after the other.
const PORTS_TRIED: u16 = 200;

/// Threads that serve connections; more would take the cores from who the records are for.
const THREADS: usize = 2;

/// How long requests in progress may take at the end.
const PATIENCE_AT_CLOSE: Duration = Duration::from_secs(2);

/// When records are handed to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fsync {
    /// When the system sees fit: what was acknowledged survives the end of the process, not of
    /// power.
    #[default]
    Never,
    /// Before a transaction, an offset or a record outside transactions is acknowledged.
    Commit,
}

/// Where to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// This port or the next free one.
    From(u16),
    /// This port or none.
    Exactly(u16),
    /// Any free port.
    Any,
}

/// How to open a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerConfig {
    /// The project's `.engine/` folder; made if it is not there.
    pub folder: PathBuf,
    /// Address to listen on. Anything but loopback lets everybody on the network read and write.
    pub host: IpAddr,
    /// Port to listen on.
    pub port: Port,
    /// When records are handed to the disk.
    pub fsync: Fsync,
    /// Whether the owner stays until it is stopped; others may rather wait for one that does not.
    pub stays: bool,
}

impl BrokerConfig {
    /// A broker in `folder` on loopback, without fsync; its port follows from the folder's path
    /// (from 19092 on), or is the next free one.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: Port::From(usual_port(&folder)),
            folder,
            fsync: Fsync::default(),
            stays: false,
        }
    }
}

/// An open broker. Dropping it closes it.
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
    node: Arc<Node>,
    lock: FolderLock,
    stop: watch::Sender<bool>,
    runtime: Option<Runtime>,
}

impl Broker {
    /// Opens the broker in a folder; when this returns, it answers.
    ///
    /// # Errors
    /// [`BrokerError::InUse`] if the folder has an owner: connect to its address instead.
    /// [`BrokerError::NoPort`] and [`BrokerError::Listen`] if it cannot listen: choose another
    /// port. The others name the file that cannot be read or written.
    pub fn open(config: &BrokerConfig) -> Result<Self, BrokerError> {
        let lock = FolderLock::take(&config.folder)?;
        let durability = match config.fsync {
            Fsync::Never => Durability::Process,
            Fsync::Commit => Durability::Power,
        };
        let node = Node::open(&config.folder.join("broker"), durability)?;
        let node = Arc::new(node);
        let listener = listen(config.host, config.port)?;
        let address = local_address(&listener)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("broker")
            .enable_all()
            .build()
            .map_err(BrokerError::Threads)?;
        let (stop, stopped) = watch::channel(false);
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener)
                .map_err(|source| BrokerError::Listen { address, source })?
        };
        runtime.spawn(server::accept(Arc::clone(&node), listener, stopped.clone()));
        runtime.spawn(server::tick(Arc::clone(&node), stopped));
        lock.announce(address, config.stays)?;
        tracing::info!(%address, folder = %config.folder.display(), "embedded broker listens");
        Ok(Self { address, node, lock, stop, runtime: Some(runtime) })
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The cluster id: the same for as long as the folder lives.
    pub fn cluster_id(&self) -> &str {
        &self.node.cluster_id
    }

    /// What topics asked for since it was opened and do not get, as sentences for people.
    pub fn notes(&self) -> Vec<String> {
        self.node.topics.notes()
    }

    /// Ends it in order: requests in progress are finished, and the next opening scans nothing.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        self.lock.withdraw();
        self.stop.send_replace(true);
        // On a thread of its own, because a runtime must not be waited for inside another one.
        let ended = std::thread::spawn(move || runtime.shutdown_timeout(PATIENCE_AT_CLOSE)).join();
        if ended.is_err() {
            tracing::warn!("the broker's threads did not end in order");
        }
        self.node.close();
    }
}

/// The message that a fuzzer drives: `bytes` as one request, without its length, to a broker in
/// `folder`, which is opened for it without listening.
///
/// # Errors
/// As [`Broker::open`]. What the bytes do to the broker is no error.
pub fn fuzz_target(folder: &Path) -> Result<impl Fn(&[u8]) + use<>, BrokerError> {
    let lock = FolderLock::take(folder)?;
    let node = Node::open(&folder.join("broker"), Durability::Process)?;
    let runtime =
        Builder::new_current_thread().enable_all().build().map_err(BrokerError::Threads)?;
    Ok(move |bytes: &[u8]| {
        let _held = &lock;
        runtime.block_on(server::answer_alone(&node, bytes));
    })
}

/// The port that a folder's broker tries first. Were it the same for all, another project could take
/// the port of a broker that is just changing hands, and the clients of the one would end up at the
/// other.
fn usual_port(folder: &Path) -> u16 {
    let folder = std::path::absolute(folder).unwrap_or_else(|_unknown| folder.to_owned());
    let place = crc32c::crc32c(folder.as_os_str().as_encoded_bytes()) % USUAL_PORTS;
    USUAL_PORT + u16::try_from(place).unwrap_or_default()
}

fn listen(host: IpAddr, port: Port) -> Result<TcpListener, BrokerError> {
    let bind = |port: u16| {
        let address = SocketAddr::new(host, port);
        let listener = TcpListener::bind(address)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
        listener.map_err(|source| BrokerError::Listen { address, source })
    };
    match port {
        Port::Any => bind(0),
        Port::Exactly(port) => bind(port),
        Port::From(first) => {
            let last = first.saturating_add(PORTS_TRIED);
            for port in first..=last {
                match bind(port) {
                    Err(BrokerError::Listen { source, .. })
                        if source.kind() == std::io::ErrorKind::AddrInUse => {}
                    other => return other,
                }
            }
            Err(BrokerError::NoPort { host, first, last })
        }
    }
}

fn local_address(listener: &TcpListener) -> Result<SocketAddr, BrokerError> {
    let unknown = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
    listener.local_addr().map_err(|source| BrokerError::Listen { address: unknown, source })
}
