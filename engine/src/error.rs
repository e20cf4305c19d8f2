//! What the engine as a whole can fail with, and of which kind it is.

use std::fmt;
use std::io;
use std::path::PathBuf;

use broker::BrokerError;
use catalog::diagnostic::{Diagnostic, Level};
use catalog::place::Files;
use connectors::ConnectorError;
use connectors::reach::Unreachable;
use runtime::RuntimeError;
use state::StateError;

use crate::{reach, report};

/// Whose turn it is after an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Change the project, the arguments or the environment.
    Invalid,
    /// The world failed: try again, or repair what is named.
    Unavailable,
    /// Bytes that somebody else wrote cannot be used.
    Data,
    /// Our bug.
    Internal,
}

/// Why the engine cannot do what was asked.
#[expect(clippy::error_impl_error, reason = "the façade's error is the one that its users name")]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The project has mistakes.
    #[error("{0}")]
    Project(Mistakes),
    /// What was asked makes no sense here.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do.
        help: String,
    },
    /// A file or a standard stream.
    #[error("cannot {action} `{}`: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The embedded broker cannot be opened.
    #[error("the embedded broker cannot start: {}{}", .0, cause(.0))]
    Broker(#[from] BrokerError),
    /// The cluster does not answer.
    #[error("{cluster} does not answer: {}: {}", why.cause, why.detail)]
    Unreachable {
        /// Which one.
        cluster: String,
        /// Why not.
        why: Unreachable,
    },
    /// Kafka.
    #[error("{0}")]
    Kafka(#[from] ConnectorError),
    /// The run ended before its time.
    #[error("{0}")]
    Run(#[from] RuntimeError),
    /// Snapshots cannot be listed, read or written.
    #[error("{0}")]
    State(#[from] StateError),
    /// A thing that is named does not exist.
    #[error("{thing} `{name}` does not exist{}", place.as_deref().map(|at| format!(" on {at}")).unwrap_or_default())]
    NotFound {
        /// `topic`, `source`, `model`.
        thing: &'static str,
        /// Its name.
        name: String,
        /// Where it was looked for.
        place: Option<String>,
        /// What to do.
        help: String,
    },
    /// Records were not acknowledged.
    #[error("{failed} of {total} records were not acknowledged: {reason}")]
    Unsent {
        /// How many.
        failed: u64,
        /// Of how many.
        total: u64,
        /// The first reason.
        reason: String,
    },
    /// The system refused a thread or a signal.
    #[error("cannot {action}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// All that is wrong with a project.
#[derive(Debug, Clone)]
pub struct Mistakes {
    /// Sorted by file and position; at least one is an error.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts, for quoting.
    pub files: Files,
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.diagnostics.iter().filter(|one| one.level == Level::Error);
        let number = errors.clone().count();
        write!(f, "the project has {}", report::count(number, "error"))?;
        errors
            .clone()
            .next()
            .map_or(Ok(()), |first| write!(f, ", the first: {}[{}]", first.message, first.code))
    }
}

impl Error {
    pub(crate) fn usage(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), help: help.into() }
    }

    /// Whose turn it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Project(_) | Self::Usage { .. } | Self::NotFound { .. } => ErrorKind::Invalid,
            Self::File { .. }
            | Self::Broker(_)
            | Self::Unreachable { .. }
            | Self::Unsent { .. }
            | Self::System { .. } => ErrorKind::Unavailable,
            Self::Kafka(error) => connector_kind(error),
            Self::Run(error) => run_kind(error),
            Self::State(error) => state_kind(error),
        }
    }

    /// What the user may do next, where the message does not say it already.
    pub fn next_step(&self) -> Option<String> {
        match self {
            Self::Usage { help, .. } | Self::NotFound { help, .. } => Some(help.clone()),
            Self::Project(_) => Some("`engine check` shows all mistakes".to_owned()),
            Self::Broker(BrokerError::InUse { .. }) => {
                Some("stop that process, or wait until it answers".to_owned())
            }
            Self::Broker(_) => Some("`engine debug` checks the folder and the port".to_owned()),
            Self::Unreachable { why, .. } => Some(reach::fix(why.cause).to_owned()),
            Self::Kafka(error) | Self::Run(RuntimeError::Connector(error)) => match error {
                ConnectorError::Kafka(_) | ConnectorError::Admin { .. } => {
                    Some("`engine debug` checks the connection".to_owned())
                }
                _ => None,
            },
            Self::Unsent { .. } => Some("produce them again, or see `engine debug`".to_owned()),
            Self::State(error) | Self::Run(RuntimeError::State(error)) => state_step(error),
            Self::File { .. } | Self::Run(_) | Self::System { .. } => None,
        }
    }
}

fn connector_kind(error: &ConnectorError) -> ErrorKind {
    match error {
        ConnectorError::MissingTopic { .. } | ConnectorError::TopicExists { .. } => {
            ErrorKind::Invalid
        }
        ConnectorError::Kafka(_)
        | ConnectorError::Admin { .. }
        | ConnectorError::Hung { .. }
        | ConnectorError::Injected(_) => ErrorKind::Unavailable,
        ConnectorError::Journal { .. } => ErrorKind::Data,
        ConnectorError::Codec { .. } => ErrorKind::Internal,
    }
}

fn state_kind(error: &StateError) -> ErrorKind {
    match error {
        StateError::Place { .. } | StateError::Missing { .. } => ErrorKind::Invalid,
        StateError::Store { .. } | StateError::Disk { .. } | StateError::Random => {
            ErrorKind::Unavailable
        }
        StateError::Damaged { .. } | StateError::Version { .. } => ErrorKind::Data,
        StateError::Encode { .. } | StateError::Injected(_) => ErrorKind::Internal,
    }
}

fn state_step(error: &StateError) -> Option<String> {
    match error {
        StateError::Place { .. } => Some("correct `runtime.engine.state_dir`".to_owned()),
        StateError::Store { .. } | StateError::Disk { .. } => {
            Some("try again once the store of the snapshots answers".to_owned())
        }
        StateError::Missing { .. } => Some("`engine state ls` shows all snapshots".to_owned()),
        StateError::Damaged { .. }
        | StateError::Version { .. }
        | StateError::Encode { .. }
        | StateError::Injected(_)
        | StateError::Random => None,
    }
}

fn run_kind(error: &RuntimeError) -> ErrorKind {
    match error {
        RuntimeError::Connector(error) => connector_kind(error),
        RuntimeError::State(error) => state_kind(error),
        RuntimeError::OwnedByOther { .. }
        | RuntimeError::Local(_)
        | RuntimeError::NotSettled { .. }
        | RuntimeError::CommitUndone { .. }
        | RuntimeError::MemoryLimit { .. }
        | RuntimeError::Injected(_)
        | RuntimeError::Unsettled { .. }
        | RuntimeError::Unfollowed { .. }
        | RuntimeError::Random
        | RuntimeError::Thread(_) => ErrorKind::Unavailable,
        RuntimeError::Journal(_)
        | RuntimeError::JournalGone { .. }
        | RuntimeError::JournalTrimmed { .. }
        | RuntimeError::ClusterChanged { .. }
        | RuntimeError::InputGone { .. }
        | RuntimeError::Gap { .. }
        | RuntimeError::TopicRecreated { .. }
        | RuntimeError::LogShrunk { .. }
        | RuntimeError::PartitionsGone { .. }
        | RuntimeError::PlansMixed { .. }
        | RuntimeError::EpochGone { .. }
        | RuntimeError::FoldVersion { .. } => ErrorKind::Data,
        RuntimeError::PlanChanged { .. }
        | RuntimeError::PlanUnreadable { .. }
        | RuntimeError::OtherPlan { .. }
        | RuntimeError::NeverRan { .. }
        | RuntimeError::EpochAhead { .. }
        | RuntimeError::EpochOfOtherPlan { .. }
        | RuntimeError::TopicGone { .. }
        | RuntimeError::Refused { .. } => ErrorKind::Invalid,
        RuntimeError::Fold(_)
        | RuntimeError::Unsupported { .. }
        | RuntimeError::Panicked { .. } => ErrorKind::Internal,
    }
}

pub(crate) fn cause(error: &BrokerError) -> String {
    std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default()
}
