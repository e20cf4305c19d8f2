use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::*;

type Answer<T> = oneshot::Receiver<T>;

/// A group and the time in it, in seconds since its start.
struct Room {
    group: Group,
    start: Instant,
}

impl Room {
    fn new() -> Self {
        Self { group: Group::new(), start: crate::clock::monotonic() }
    }

    fn at(&self, second: u64) -> Instant {
        self.start + Duration::from_secs(second)
    }

    fn join(&mut self, id: &str, second: u64) -> Answer<Result<Joined, NotJoined>> {
        self.join_as(joining(id), &format!("new-{second}"), second)
    }

    fn join_as(
        &mut self,
        joining: Joining,
        new_id: &str,
        second: u64,
    ) -> Answer<Result<Joined, NotJoined>> {
        let (answer, answered) = oneshot::channel();
        let now = self.at(second);
        self.group.join(joining, new_id.to_owned(), answer, now);
        answered
    }

    /// A new member, which is given its id first.
    fn enter(&mut self, id: &str, second: u64) -> Answer<Result<Joined, NotJoined>> {
        let mut refused = self.join_as(joining(""), id, second);
        let refused = refused.try_recv().expect("an answer").expect_err("an id is needed");
        assert_eq!(
            (refused.error, refused.member_id.as_str()),
            (ResponseError::MemberIdRequired, id)
        );
        self.join(id, second)
    }

    fn sync(
        &mut self,
        id: &str,
        assignments: &[(&str, &str)],
        second: u64,
    ) -> Answer<Result<Synced, ResponseError>> {
        let (answer, answered) = oneshot::channel();
        let parts = assignments
            .iter()
            .map(|(id, part)| ((*id).to_owned(), Bytes::copy_from_slice(part.as_bytes())));
        let (generation, now) = (self.group.generation, self.at(second));
        self.group.sync((id, generation), parts.collect(), answer, now);
        answered
    }

    /// A stable group of `a` (the leader) and `b`.
    fn of_two() -> Self {
        let mut room = Self::new();
        let mut first = room.enter("a", 0);
        first.try_recv().expect("an answer").expect("alone, it joins at once");
        let mut second = room.enter("b", 1);
        assert_eq!(second.try_recv(), Err(TryRecvError::Empty));
        let mut first = room.join("a", 1);
        let leader = first.try_recv().expect("an answer").expect("all are there");
        assert_eq!((leader.leader.as_str(), leader.members.len()), ("a", 2));
        second.try_recv().expect("an answer").expect("all are there");
        let mut waiting = room.sync("b", &[], 1);
        assert_eq!(waiting.try_recv(), Err(TryRecvError::Empty));
        let mut led = room.sync("a", &[("a", "0"), ("b", "1")], 1);
        assert_eq!(led.try_recv().expect("an answer").expect("synced").assignment, "0");
        assert_eq!(waiting.try_recv().expect("an answer").expect("synced").assignment, "1");
        assert_eq!(room.group.state, State::Stable);
        room
    }
}

fn joining(id: &str) -> Joining {
    Joining {
        member_id: id.to_owned(),
        instance_id: None,
        client_id: "client".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        session_timeout: Duration::from_secs(10),
        rebalance_timeout: Duration::from_secs(30),
        protocol_type: "consumer".to_owned(),
        protocols: vec![
            ("range".to_owned(), Bytes::from_static(b"r")),
            ("sticky".to_owned(), Bytes::from_static(b"s")),
        ],
        needs_known_id: true,
    }
}

#[test]
fn members_join_and_get_their_parts() {
    let room = Room::of_two();
    assert_eq!(room.group.protocol, "range");
    assert_eq!(room.group.generation, 2);
}

#[test]
fn a_heartbeat_calls_to_a_rebalance() {
    let mut room = Room::of_two();
    let (generation, now) = (room.group.generation, room.at(2));
    let facts = [
        ("a", generation, Ok(())),
        ("a", generation - 1, Err(ResponseError::IllegalGeneration)),
        ("z", generation, Err(ResponseError::UnknownMemberId)),
    ];
    for (id, generation, expected) in facts {
        assert_eq!(room.group.heartbeat(id, generation, now), expected, "{id}");
    }
    let _third = room.enter("c", 2);
    let called = room.group.heartbeat("a", generation, now);
    assert_eq!(called, Err(ResponseError::RebalanceInProgress));
}

#[test]
fn a_silent_member_is_removed() {
    let mut room = Room::of_two();
    let (generation, later) = (room.group.generation, room.at(9));
    room.group.heartbeat("a", generation, later).expect("a is alive");
    room.group.tick(room.at(12));
    assert_eq!(room.group.members.keys().collect::<Vec<_>>(), ["a"]);
    let mut joined = room.join("a", 12);
    let joined = joined.try_recv().expect("an answer").expect("alone, it joins at once");
    assert_eq!((joined.generation, joined.members.len()), (generation + 1, 1));
}

#[test]
fn a_rebalance_does_not_wait_for_ever() {
    let mut room = Room::of_two();
    let mut joined = room.join_as(
        Joining {
            protocols: vec![("range".to_owned(), Bytes::from_static(b"new"))],
            ..joining("b")
        },
        "",
        2,
    );
    for second in (3..32).step_by(5) {
        let (generation, now) = (room.group.generation, room.at(second));
        let called = room.group.heartbeat("a", generation, now);
        assert_eq!(called, Err(ResponseError::RebalanceInProgress));
        room.group.tick(now);
        assert_eq!(joined.try_recv(), Err(TryRecvError::Empty), "second {second}");
    }
    room.group.tick(room.at(32));
    let joined = joined.try_recv().expect("an answer").expect("a did not come");
    assert_eq!((joined.leader.as_str(), joined.members.len()), ("b", 1));
}

#[test]
fn a_leader_that_brings_no_assignment_is_removed() {
    let mut room = Room::of_two();
    assert_eq!(room.group.leave("b", None, room.at(2)), Ok(()));
    let mut joined = room.join("a", 2);
    joined.try_recv().expect("an answer").expect("alone, it joins at once");
    let mut entered = room.enter("c", 3);
    let mut again = room.join("a", 3);
    again.try_recv().expect("an answer").expect("all are there");
    entered.try_recv().expect("an answer").expect("all are there");
    let mut waiting = room.sync("c", &[], 4);
    let (generation, now) = (room.group.generation, room.at(12));
    room.group.heartbeat("a", generation, now).expect("a is alive, but idle");
    room.group.tick(room.at(34));
    let called = waiting.try_recv().expect("an answer");
    assert_eq!(called, Err(ResponseError::RebalanceInProgress));
    assert_eq!(room.group.members.keys().collect::<Vec<_>>(), ["c"]);
}

#[test]
fn a_group_without_members_is_empty() {
    let mut room = Room::of_two();
    for id in ["a", "b"] {
        assert_eq!(room.group.leave(id, None, room.at(2)), Ok(()));
    }
    assert_eq!(room.group.leave("a", None, room.at(2)), Err(ResponseError::UnknownMemberId));
    assert_eq!(room.group.state, State::Empty);
    assert!(room.group.is_unused());
    assert_eq!(room.group.check_commit("", -1, room.at(2)), Ok(()));
}

#[test]
fn only_members_commit_while_there_are_some() {
    let mut room = Room::of_two();
    let (generation, now) = (room.group.generation, room.at(2));
    let facts = [
        ("a", generation, Ok(())),
        ("a", generation + 1, Err(ResponseError::IllegalGeneration)),
        ("", -1, Err(ResponseError::UnknownMemberId)),
    ];
    for (id, generation, expected) in facts {
        assert_eq!(room.group.check_commit(id, generation, now), expected, "{id}");
    }
}

#[test]
fn a_member_of_another_kind_is_refused() {
    let mut room = Room::of_two();
    let other_type = Joining { protocol_type: "connect".to_owned(), ..joining("") };
    let other_protocol =
        Joining { protocols: vec![("own".to_owned(), Bytes::new())], ..joining("") };
    for stranger in [other_type, other_protocol, Joining { protocols: vec![], ..joining("") }] {
        let mut refused = room.join_as(stranger, "c", 2);
        let refused = refused.try_recv().expect("an answer").expect_err("it does not fit");
        assert_eq!(refused.error, ResponseError::InconsistentGroupProtocol);
    }
}

#[test]
fn a_static_member_takes_its_place_again() {
    let mut room = Room::new();
    let fixed = |id: &str| Joining { instance_id: Some("one".to_owned()), ..joining(id) };
    let mut joined = room.join_as(fixed(""), "first", 0);
    joined.try_recv().expect("an answer").expect("alone, it joins at once");
    let mut joined = room.join_as(fixed(""), "second", 1);
    let joined = joined.try_recv().expect("an answer").expect("it takes its own place");
    assert_eq!((joined.member_id.as_str(), joined.members.len()), ("second", 1));
    let mut fenced = room.join_as(fixed("first"), "", 2);
    let fenced = fenced.try_recv().expect("an answer").expect_err("the old one is fenced");
    assert_eq!(fenced.error, ResponseError::FencedInstanceId);
}
