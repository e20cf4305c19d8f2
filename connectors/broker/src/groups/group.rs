//! The state machine of one consumer group (Kafka's classic protocol).
//!
//! Empty -> `Joining` (members are awaited) -> `Syncing` (the leader's assignment is awaited) ->
//! `Stable`; any change of membership goes back to `Joining`. It knows no clock and no network:
//! time comes in, answers go out through channels.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;

use super::member::{JoinAnswer, Joined, Joining, Member, NotJoined, SyncAnswer, Synced};

/// Members of one group.
const MEMBERS_MAX: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Empty,
    Joining { deadline: Instant },
    Syncing { deadline: Instant },
    Stable,
}

impl State {
    /// Kafka's name for the state.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Joining { .. } => "PreparingRebalance",
            Self::Syncing { .. } => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// One group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) state: State,
    pub(crate) generation: i32,
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    leader: String,
    pub(crate) members: BTreeMap<String, Member>,
    /// Instance id -> member id, for static members.
    instances: BTreeMap<String, String>,
    /// Ids given out to clients that must come back with them, until when.
    expected: BTreeMap<String, Instant>,
}

impl Group {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Empty,
            generation: 0,
            protocol_type: String::new(),
            protocol: String::new(),
            leader: String::new(),
            members: BTreeMap::new(),
            instances: BTreeMap::new(),
            expected: BTreeMap::new(),
        }
    }

    /// Whether nobody is in it or on the way.
    pub(crate) fn is_unused(&self) -> bool {
        self.members.is_empty() && self.expected.is_empty()
    }

    /// A join; the answer goes through `answer`, at once or when the rebalance completes.
    /// `new_id` is the id that the member gets if it has none.
    pub(crate) fn join(
        &mut self,
        mut joining: Joining,
        new_id: String,
        answer: JoinAnswer,
        now: Instant,
    ) {
        let is_unknown = joining.member_id.is_empty();
        if let Err(error) = self.admit(&mut joining, new_id, now) {
            let member_id = joining.member_id;
            drop(answer.send(Err(NotJoined { error, member_id })));
            return;
        }
        let id = joining.member_id.clone();
        let is_unchanged = self
            .members
            .get(&id)
            .is_some_and(|member| member.joining.protocols == joining.protocols && !is_unknown);
        let is_leader = self.leader == id;
        let member =
            self.members.entry(id.clone()).or_insert_with(|| Member::new(joining.clone(), now));
        member.joining = joining;
        member.is_alive(now);
        member.join_answer = Some(answer);
        match self.state {
            // A member repeats itself because an answer was lost: nothing has changed.
            State::Syncing { .. } if is_unchanged => self.answer_join(&id),
            State::Stable if is_unchanged && !is_leader => self.answer_join(&id),
            State::Empty | State::Syncing { .. } | State::Stable => self.rebalance(now),
            State::Joining { .. } => {}
        }
        self.complete_join(now);
    }

    /// Checks a join and settles which member it is.
    fn admit(
        &mut self,
        joining: &mut Joining,
        new_id: String,
        now: Instant,
    ) -> Result<(), ResponseError> {
        let fits = joining.protocols.iter().any(|(name, _)| self.is_supported(name, joining));
        let is_other_type = !self.members.is_empty() && self.protocol_type != joining.protocol_type;
        if joining.protocol_type.is_empty() || is_other_type || !fits {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        if let Some(instance) = joining.instance_id.clone() {
            self.admit_static(joining, &instance, new_id, now)?;
        } else if joining.member_id.is_empty() {
            joining.member_id.clone_from(&new_id);
            if joining.needs_known_id {
                if self.expected.len() >= MEMBERS_MAX {
                    return Err(ResponseError::GroupMaxSizeReached);
                }
                self.expected.insert(new_id, now + joining.session_timeout);
                return Err(ResponseError::MemberIdRequired);
            }
        } else if self.expected.remove(&joining.member_id).is_none()
            && !self.members.contains_key(&joining.member_id)
        {
            return Err(ResponseError::UnknownMemberId);
        }
        let is_new = !self.members.contains_key(&joining.member_id);
        if is_new && self.members.len() >= MEMBERS_MAX {
            return Err(ResponseError::GroupMaxSizeReached);
        }
        if self.members.is_empty() {
            self.protocol_type.clone_from(&joining.protocol_type);
        }
        Ok(())
    }

    /// A static member comes back under a new id and takes the old one's place.
    fn admit_static(
        &mut self,
        joining: &mut Joining,
        instance: &str,
        new_id: String,
        now: Instant,
    ) -> Result<(), ResponseError> {
        let present = self.instances.get(instance).cloned();
        if joining.member_id.is_empty() {
            joining.member_id.clone_from(&new_id);
            if let Some(old_id) = present
                && let Some(mut old) = self.members.remove(&old_id)
            {
                let fenced = ResponseError::FencedInstanceId;
                old.answer_join(Err(NotJoined { error: fenced, member_id: old_id.clone() }));
                old.answer_sync(Err(fenced));
                old.is_alive(now);
                self.members.insert(new_id.clone(), old);
                if self.leader == old_id {
                    self.leader.clone_from(&new_id);
                }
            }
            self.instances.insert(instance.to_owned(), new_id);
            return Ok(());
        }
        match present {
            None => Err(ResponseError::UnknownMemberId),
            Some(id) if id == joining.member_id => Ok(()),
            Some(_) => Err(ResponseError::FencedInstanceId),
        }
    }

    /// Whether all members (but the one that joins) speak the protocol.
    fn is_supported(&self, name: &str, joining: &Joining) -> bool {
        let others = self.members.iter().filter(|(id, member)| {
            **id != joining.member_id
                && (joining.instance_id.is_none()
                    || member.joining.instance_id != joining.instance_id)
        });
        others.into_iter().all(|(_, member)| member.metadata(name).is_some())
    }

    /// A sync: the leader brings the assignment, the others wait for it.
    pub(crate) fn sync(
        &mut self,
        (member_id, generation): (&str, i32),
        assignments: Vec<(String, Bytes)>,
        answer: SyncAnswer,
        now: Instant,
    ) {
        if let Err(error) = self.check(member_id, generation) {
            drop(answer.send(Err(error)));
            return;
        }
        let is_leader = self.leader == member_id;
        let Some(member) = self.members.get_mut(member_id) else { return };
        member.is_alive(now);
        member.sync_answer = Some(answer);
        match self.state {
            State::Stable => self.answer_sync(member_id),
            State::Syncing { .. } if is_leader => {
                for member in self.members.values_mut() {
                    member.assignment = Bytes::new();
                }
                for (id, assignment) in assignments {
                    if let Some(member) = self.members.get_mut(&id) {
                        member.assignment = assignment;
                    }
                }
                self.state = State::Stable;
                let waiting: Vec<String> = self.members.keys().cloned().collect();
                for id in waiting {
                    self.answer_sync(&id);
                }
            }
            State::Syncing { .. } => {}
            State::Joining { .. } | State::Empty => {
                member.answer_sync(Err(ResponseError::RebalanceInProgress));
            }
        }
    }

    /// A sign of life; tells the member when it has to join again.
    pub(crate) fn heartbeat(
        &mut self,
        member_id: &str,
        generation: i32,
        now: Instant,
    ) -> Result<(), ResponseError> {
        self.check(member_id, generation)?;
        if let Some(member) = self.members.get_mut(member_id) {
            member.is_alive(now);
        }
        match self.state {
            State::Joining { .. } => Err(ResponseError::RebalanceInProgress),
            State::Empty | State::Syncing { .. } | State::Stable => Ok(()),
        }
    }

    /// A member goes.
    pub(crate) fn leave(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        now: Instant,
    ) -> Result<(), ResponseError> {
        let id = match instance_id {
            Some(instance) => {
                let id = self.instances.get(instance).cloned();
                let id = id.ok_or(ResponseError::UnknownMemberId)?;
                if !member_id.is_empty() && member_id != id {
                    return Err(ResponseError::FencedInstanceId);
                }
                id
            }
            None => member_id.to_owned(),
        };
        if self.expected.remove(&id).is_some() {
            self.complete_join(now);
            return Ok(());
        }
        if !self.members.contains_key(&id) {
            return Err(ResponseError::UnknownMemberId);
        }
        self.remove(&id, now);
        Ok(())
    }

    /// Whether a member may commit offsets. Generation -1 without a member id stands for a client
    /// that assigns partitions itself, which may do so while nobody is in the group.
    pub(crate) fn check_commit(
        &mut self,
        member_id: &str,
        generation: i32,
        now: Instant,
    ) -> Result<(), ResponseError> {
        if generation < 0 && member_id.is_empty() {
            let is_free = self.members.is_empty();
            return if is_free { Ok(()) } else { Err(ResponseError::UnknownMemberId) };
        }
        self.check(member_id, generation)?;
        if let Some(member) = self.members.get_mut(member_id) {
            member.is_alive(now);
        }
        match self.state {
            State::Syncing { .. } => Err(ResponseError::RebalanceInProgress),
            State::Empty | State::Joining { .. } | State::Stable => Ok(()),
        }
    }

    /// Whether a transaction may carry offsets in a member's name.
    pub(crate) fn check(&self, member_id: &str, generation: i32) -> Result<(), ResponseError> {
        if !self.members.contains_key(member_id) {
            return Err(ResponseError::UnknownMemberId);
        }
        if generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        Ok(())
    }

    /// Removes members that were not heard of, and ends rebalances that took too long.
    pub(crate) fn tick(&mut self, now: Instant) {
        let before = self.expected.len();
        self.expected.retain(|_, deadline| *deadline > now);
        let silent = |(id, member): (&String, &Member)| {
            (member.deadline <= now && !member.is_waiting()).then(|| id.clone())
        };
        let gone: Vec<String> = self.members.iter().filter_map(silent).collect();
        for id in &gone {
            self.remove(id, now);
        }
        match self.state {
            State::Joining { deadline } if deadline <= now => {
                self.remove_all(|member| member.join_answer.is_none());
                self.expected.clear();
                self.complete_join(now);
            }
            State::Syncing { deadline } if deadline <= now => {
                self.remove_all(|member| member.sync_answer.is_none());
                self.rebalance(now);
                self.complete_join(now);
            }
            State::Joining { .. } if before != self.expected.len() => self.complete_join(now),
            State::Joining { .. } | State::Syncing { .. } | State::Empty | State::Stable => {}
        }
    }

    fn remove(&mut self, id: &str, now: Instant) {
        self.remove_all(|member| member.joining.member_id == id);
        if !matches!(self.state, State::Joining { .. }) {
            self.rebalance(now);
        }
        self.complete_join(now);
    }

    fn remove_all(&mut self, is_gone: impl Fn(&Member) -> bool) {
        for (_, mut member) in self.members.extract_if(.., |_, member| is_gone(member)) {
            let (error, member_id) = (ResponseError::UnknownMemberId, String::new());
            member.answer_join(Err(NotJoined { error, member_id }));
            member.answer_sync(Err(error));
        }
        let members = &self.members;
        self.instances.retain(|_, id| members.contains_key(id));
    }

    /// Calls all members to join again.
    fn rebalance(&mut self, now: Instant) {
        for member in self.members.values_mut() {
            member.answer_sync(Err(ResponseError::RebalanceInProgress));
        }
        self.state = State::Joining { deadline: now + self.patience() };
    }

    /// How long the slowest member may take.
    fn patience(&self) -> Duration {
        self.members.values().map(|m| m.joining.rebalance_timeout).max().unwrap_or_default()
    }

    /// Starts the next generation if everybody is there.
    fn complete_join(&mut self, now: Instant) {
        if !matches!(self.state, State::Joining { .. }) {
            return;
        }
        if self.members.is_empty() {
            if self.expected.is_empty() {
                self.state = State::Empty;
                self.generation = self.generation.saturating_add(1);
                self.leader.clear();
            }
            return;
        }
        let is_complete = self.members.values().all(|member| member.join_answer.is_some());
        if !is_complete || !self.expected.is_empty() {
            return;
        }
        let Some(protocol) = self.elect_protocol() else { return };
        self.protocol = protocol;
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        if !self.members.contains_key(&self.leader) {
            self.leader = self.members.keys().next().cloned().unwrap_or_default();
        }
        self.state = State::Syncing { deadline: now + self.patience() };
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            if let Some(member) = self.members.get_mut(&id) {
                member.is_alive(now);
            }
            self.answer_join(&id);
        }
    }

    /// The protocol that all speak and most prefer.
    fn elect_protocol(&self) -> Option<String> {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let speaks_all = |(name, _): &&(String, Bytes)| {
                self.members.values().all(|other| other.metadata(name).is_some())
            };
            if let Some((name, _)) = member.joining.protocols.iter().find(speaks_all) {
                *votes.entry(name).or_default() += 1;
            }
        }
        votes.into_iter().max_by_key(|(_, count)| *count).map(|(name, _)| name.to_owned())
    }

    fn answer_join(&mut self, id: &str) {
        let mut members = Vec::new();
        if self.leader == id {
            for (id, member) in &self.members {
                let metadata = member.metadata(&self.protocol).unwrap_or_default();
                members.push((id.clone(), member.joining.instance_id.clone(), metadata));
            }
        }
        let joined = Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            member_id: id.to_owned(),
            members,
        };
        if let Some(member) = self.members.get_mut(id) {
            member.answer_join(Ok(joined));
        }
    }

    fn answer_sync(&mut self, id: &str) {
        let (protocol_type, protocol) = (self.protocol_type.clone(), self.protocol.clone());
        if let Some(member) = self.members.get_mut(id) {
            let assignment = member.assignment.clone();
            member.answer_sync(Ok(Synced { protocol_type, protocol, assignment }));
        }
    }
}

#[cfg(test)]
mod tests;
