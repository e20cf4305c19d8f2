//! Places where a test lets the engine fail, by an error, a panic, or the end of the process; or wait.
//!
//! The code says [`reach`] at each place; a test names one of them with [`arm`]. A build without
//! debug assertions has no such places: there `reach` is empty and `arm` refuses.
//!
//! **Invariant:** every place is in [`POINTS`], so that a test which goes through the list goes
//! through all of them.

#[cfg_attr(debug_assertions, path = "failpoint/enabled.rs")]
#[cfg_attr(not(debug_assertions), path = "failpoint/disabled.rs")]
mod switch;

pub use switch::{arm, reach};

/// Each step before and after it.
///
/// Of a commit: 0 an output is produced, 1 the epoch is cut, 2 the journal's entry is produced,
/// 3 deliveries are drained, 4 offsets are added, 5 the transaction is committed, 6 what was
/// committed is let go and noted. Of a snapshot: the state is frozen, an operator's tables are
/// written, the manifest is, the snapshot is pinned. Of a restore: the manifests are listed, an
/// operator's tables are read, the fold takes them, the journal's tail is replayed. Of retention:
/// what is not needed is found, its data is removed, then its manifest, the journal is trimmed. Of a
/// rebuild: a round, and each of its readers; an error at `rebuild.last.before` puts the last round
/// off although little is left.
pub const POINTS: [&str; 42] = [
    "commit.0.before",
    "commit.0.after",
    "commit.1.before",
    "commit.1.after",
    "commit.2.before",
    "commit.2.after",
    "commit.3.before",
    "commit.3.after",
    "commit.4.before",
    "commit.4.after",
    "commit.5.before",
    "commit.5.after",
    "commit.6.before",
    "commit.6.after",
    "snapshot.freeze.before",
    "snapshot.freeze.after",
    "snapshot.tables.before",
    "snapshot.tables.after",
    "snapshot.manifest.before",
    "snapshot.manifest.after",
    "snapshot.pin.before",
    "snapshot.pin.after",
    "restore.list.before",
    "restore.list.after",
    "restore.tables.before",
    "restore.tables.after",
    "restore.state.before",
    "restore.state.after",
    "restore.replay.before",
    "restore.replay.after",
    "retention.classify.before",
    "retention.classify.after",
    "retention.data.before",
    "retention.data.after",
    "retention.manifest.before",
    "retention.manifest.after",
    "retention.trim.before",
    "retention.trim.after",
    "rebuild.round.before",
    "rebuild.round.after",
    "rebuild.read.before",
    "rebuild.last.before",
];

/// The error that an armed place gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the failpoint `{point}` was reached")]
pub struct Injected {
    /// Its name.
    pub point: &'static str,
}

/// Why a place cannot be armed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FailpointError {
    /// No code reaches a place of that name.
    #[error("there is no failpoint `{name}`")]
    Unknown {
        /// The name.
        name: String,
    },
    /// It does not say what shall happen, and when.
    #[error(
        "`{text}` is no failpoint: write `POINT=error|panic|abort[@TIMES[+]]` or `POINT=hold:PATH`"
    )]
    Malformed {
        /// What was written.
        text: String,
    },
    /// Builds without debug assertions have no failpoints.
    #[error("this build has no failpoints")]
    NotBuilt,
}
