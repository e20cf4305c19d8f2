//! What opening the broker can fail with. A client's mistake is an answer on the wire, never this.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Why the embedded broker cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Another process (or another `Broker` of this one) owns the folder: connect to it instead.
    #[error(
        "`{}` is in use by another broker ({})",
        folder.display(),
        owner.map_or_else(|| "which has not said its address yet".to_owned(), |o| o.to_string())
    )]
    InUse {
        /// The folder that was to be opened.
        folder: PathBuf,
        /// Who holds it, if it has written its address.
        owner: Option<Owner>,
    },
    /// No port of the range is free; name another one.
    #[error("cannot listen on `{host}`, ports {first} to {last} are all taken")]
    NoPort {
        /// The address that was asked for.
        host: IpAddr,
        /// First port tried.
        first: u16,
        /// Last port tried.
        last: u16,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A file or folder of the broker cannot be read or written.
    #[error("cannot {doing} `{}`", path.display())]
    Storage {
        /// What was tried: `read`, `write`, `lock`, ...
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the broker says something that this version cannot read.
    #[error("`{}` is damaged or from another version: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system gives no threads.
    #[error("cannot start the broker's threads")]
    Threads(#[source] io::Error),
}

/// Who holds a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Where it answers.
    pub address: SocketAddr,
    /// Its process.
    pub pid: u32,
    /// Whether it means to keep the folder ([`crate::BrokerConfig::stays`]).
    pub stays: bool,
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {}, listening on {}", self.pid, self.address)
    }
}

/// Names the file and the deed in a storage error.
pub(crate) trait AtPath<T> {
    /// Wraps an I/O error with what was tried on which path.
    fn at(self, doing: &'static str, path: &std::path::Path) -> Result<T, BrokerError>;
}

impl<T> AtPath<T> for io::Result<T> {
    fn at(self, doing: &'static str, path: &std::path::Path) -> Result<T, BrokerError> {
        self.map_err(|source| BrokerError::Storage { doing, path: path.to_owned(), source })
    }
}
