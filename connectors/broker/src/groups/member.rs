//! A member of a consumer group.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use tokio::sync::oneshot;

/// What a client says of itself when it joins.
#[derive(Debug, Clone)]
pub(crate) struct Joining {
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) protocol_type: String,
    /// (name, metadata), the preferred one first.
    pub(crate) protocols: Vec<(String, Bytes)>,
    /// Whether the client must come back with the id that it is given first.
    pub(crate) needs_known_id: bool,
}

/// A completed join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) generation: i32,
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) leader: String,
    pub(crate) member_id: String,
    /// For the leader: (member, instance, metadata) of all.
    pub(crate) members: Vec<(String, Option<String>, Bytes)>,
}

/// A join that did not complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotJoined {
    pub(crate) error: ResponseError,
    /// The id to come back with.
    pub(crate) member_id: String,
}

/// A member's part of the assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Synced {
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) assignment: Bytes,
}

pub(crate) type JoinAnswer = oneshot::Sender<Result<Joined, NotJoined>>;
pub(crate) type SyncAnswer = oneshot::Sender<Result<Synced, ResponseError>>;

/// One member.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) joining: Joining,
    pub(crate) assignment: Bytes,
    /// Waits for the rebalance to complete.
    pub(crate) join_answer: Option<JoinAnswer>,
    /// Waits for the leader's assignment.
    pub(crate) sync_answer: Option<SyncAnswer>,
    /// Gone if nothing is heard until then.
    pub(crate) deadline: Instant,
}

impl Member {
    pub(crate) fn new(joining: Joining, now: Instant) -> Self {
        let deadline = now + joining.session_timeout;
        let assignment = Bytes::new();
        Self { joining, assignment, join_answer: None, sync_answer: None, deadline }
    }

    /// Takes note of a sign of life.
    pub(crate) fn is_alive(&mut self, now: Instant) {
        self.deadline = now + self.joining.session_timeout;
    }

    /// Whether a request of it is being waited on, which is sign of life enough.
    pub(crate) fn is_waiting(&self) -> bool {
        self.join_answer.is_some() || self.sync_answer.is_some()
    }

    /// What it said for the protocol `name`.
    pub(crate) fn metadata(&self, name: &str) -> Option<Bytes> {
        self.joining.protocols.iter().find(|(n, _)| n == name).map(|(_, bytes)| bytes.clone())
    }

    /// Answers a waiting join; a client that is gone does not matter.
    pub(crate) fn answer_join(&mut self, answer: Result<Joined, NotJoined>) {
        if let Some(sender) = self.join_answer.take() {
            drop(sender.send(answer));
        }
    }

    /// Answers a waiting sync; a client that is gone does not matter.
    pub(crate) fn answer_sync(&mut self, answer: Result<Synced, ResponseError>) {
        if let Some(sender) = self.sync_answer.take() {
            drop(sender.send(answer));
        }
    }
}
