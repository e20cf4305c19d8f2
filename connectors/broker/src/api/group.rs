//! Consumer groups on the wire.

use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    GroupId, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, LeaveGroupResponse, ListGroupsRequest, ListGroupsResponse, SyncGroupRequest,
    SyncGroupResponse,
};
use tokio::sync::oneshot;

use super::code;
use crate::clock;
use crate::format::LedgerRecord;
use crate::groups::group::{Group, State};
use crate::groups::member::{Joined, Joining, NotJoined, Synced};
use crate::node::Call;
use crate::random;
use crate::wire::text;

/// As Kafka's `group.min.session.timeout.ms` and `group.max.session.timeout.ms`.
const SESSION_TIMEOUT_MS: std::ops::RangeInclusive<i32> = 6_000..=1_800_000;

/// Longest time that members may take to join again.
const REBALANCE_TIMEOUT_MS_MAX: i32 = 1_800_000;

/// Protocols that a member may name.
const PROTOCOLS_MAX: usize = 100;

pub(crate) async fn join(call: &Call<'_>, request: JoinGroupRequest) -> JoinGroupResponse {
    let outcome = join_group(call, request).await;
    let response = JoinGroupResponse::default();
    match outcome {
        Ok(joined) => {
            let members = joined.members.into_iter().map(|(id, instance, metadata)| {
                JoinGroupResponseMember::default()
                    .with_member_id(text(id))
                    .with_group_instance_id(instance.map(text))
                    .with_metadata(metadata)
            });
            response
                .with_generation_id(joined.generation)
                .with_protocol_type(Some(text(joined.protocol_type)))
                .with_protocol_name(Some(text(joined.protocol)))
                .with_leader(text(joined.leader))
                .with_member_id(text(joined.member_id))
                .with_members(members.collect())
        }
        Err(refused) => {
            // Only version 7 knows a null protocol.
            let protocol = (call.version < 7).then(|| text(""));
            response
                .with_error_code(refused.error.code())
                .with_generation_id(-1)
                .with_protocol_name(protocol)
                .with_member_id(text(refused.member_id))
        }
    }
}

async fn join_group(call: &Call<'_>, request: JoinGroupRequest) -> Result<Joined, NotJoined> {
    let member_id = request.member_id.to_string();
    let refuse = |error| NotJoined { error, member_id: member_id.clone() };
    if request.group_id.is_empty() {
        return Err(refuse(ResponseError::InvalidGroupId));
    }
    if !SESSION_TIMEOUT_MS.contains(&request.session_timeout_ms) {
        return Err(refuse(ResponseError::InvalidSessionTimeout));
    }
    if request.protocols.len() > PROTOCOLS_MAX {
        return Err(refuse(ResponseError::InconsistentGroupProtocol));
    }
    let rebalance_timeout_ms = match request.rebalance_timeout_ms {
        given if given > 0 => given.min(REBALANCE_TIMEOUT_MS_MAX),
        _ => request.session_timeout_ms,
    };
    let joining = Joining {
        member_id: member_id.clone(),
        instance_id: request.group_instance_id.map(|id| id.to_string()),
        client_id: call.client_id.clone(),
        client_host: format!("/{}", call.client.ip()),
        session_timeout: milliseconds(request.session_timeout_ms),
        rebalance_timeout: milliseconds(rebalance_timeout_ms),
        protocol_type: request.protocol_type.to_string(),
        protocols: request
            .protocols
            .into_iter()
            .map(|protocol| (protocol.name.to_string(), protocol.metadata))
            .collect(),
        needs_known_id: call.version >= 4,
    };
    let new_id = format!("{}-{}", call.client_id, random::member_suffix());
    let (answer, answered) = oneshot::channel();
    let now = clock::monotonic();
    call.node
        .groups
        .with_new(&request.group_id, |group| group.join(joining, new_id, answer, now))
        .ok_or_else(|| refuse(ResponseError::CoordinatorNotAvailable))?;
    // A dropped answer means that the same member joined again on another connection.
    answered.await.unwrap_or_else(|_gone| Err(refuse(ResponseError::UnknownMemberId)))
}

fn milliseconds(count: i32) -> Duration {
    Duration::from_millis(u64::try_from(count).unwrap_or(0))
}

pub(crate) async fn sync(call: &Call<'_>, request: SyncGroupRequest) -> SyncGroupResponse {
    let outcome = sync_group(call, request).await;
    let response = SyncGroupResponse::default();
    match outcome {
        Ok(synced) => response
            .with_protocol_type(Some(text(synced.protocol_type)))
            .with_protocol_name(Some(text(synced.protocol)))
            .with_assignment(synced.assignment),
        Err(error) => response.with_error_code(error.code()),
    }
}

async fn sync_group(call: &Call<'_>, request: SyncGroupRequest) -> Result<Synced, ResponseError> {
    let assignments = request
        .assignments
        .into_iter()
        .map(|assigned| (assigned.member_id.to_string(), assigned.assignment))
        .collect();
    let (answer, answered) = oneshot::channel();
    let now = clock::monotonic();
    call.node
        .groups
        .with(&request.group_id, |group| {
            group.sync((&request.member_id, request.generation_id), assignments, answer, now);
        })
        .ok_or(ResponseError::UnknownMemberId)?;
    answered.await.unwrap_or(Err(ResponseError::RebalanceInProgress))
}

pub(crate) fn heartbeat(call: &Call<'_>, request: &HeartbeatRequest) -> HeartbeatResponse {
    let now = clock::monotonic();
    let outcome = call
        .node
        .groups
        .with(&request.group_id, |group| {
            group.heartbeat(&request.member_id, request.generation_id, now)
        })
        .unwrap_or(Err(ResponseError::UnknownMemberId));
    HeartbeatResponse::default().with_error_code(code(&outcome))
}

pub(crate) fn leave(call: &Call<'_>, request: LeaveGroupRequest) -> LeaveGroupResponse {
    let now = clock::monotonic();
    let go = |member_id: &str, instance_id: Option<&str>| {
        call.node
            .groups
            .with(&request.group_id, |group| group.leave(member_id, instance_id, now))
            .unwrap_or(Err(ResponseError::UnknownMemberId))
    };
    if call.version < 3 {
        return LeaveGroupResponse::default().with_error_code(code(&go(&request.member_id, None)));
    }
    let members = request.members.into_iter().map(|member| {
        let outcome = go(&member.member_id, member.group_instance_id.as_deref());
        MemberResponse::default()
            .with_member_id(member.member_id)
            .with_group_instance_id(member.group_instance_id)
            .with_error_code(code(&outcome))
    });
    LeaveGroupResponse::default().with_members(members.collect())
}

pub(crate) fn list(call: &Call<'_>, request: &ListGroupsRequest) -> ListGroupsResponse {
    let mut names = call.node.groups.names();
    names.extend(call.node.ledger().groups());
    names.sort_unstable();
    names.dedup();
    let listed = names.into_iter().map(|name| {
        let of_group = |group: &mut Group| (group.state, group.protocol_type.clone());
        let (state, protocol_type) =
            call.node.groups.with(&name, of_group).unwrap_or((State::Empty, String::new()));
        ListedGroup::default()
            .with_group_id(GroupId(text(name)))
            .with_protocol_type(text(protocol_type))
            .with_group_state(text(state.name()))
            .with_group_type(text("classic"))
    });
    let (states, types) = (&request.states_filter, &request.types_filter);
    let is_wanted = |group: &ListedGroup| {
        (states.is_empty() || states.contains(&group.group_state))
            && (types.is_empty() || types.contains(&group.group_type))
    };
    ListGroupsResponse::default().with_groups(listed.filter(is_wanted).collect())
}

pub(crate) fn describe(call: &Call<'_>, request: DescribeGroupsRequest) -> DescribeGroupsResponse {
    let groups = request.groups.into_iter().map(|name| {
        let described = call.node.groups.with(&name, |group| describe_group(group));
        let described = described.unwrap_or_else(|| {
            let has_offsets = !call.node.ledger().offsets_of(&name).is_empty();
            let state = if has_offsets { "Empty" } else { "Dead" };
            DescribedGroup::default().with_group_state(text(state))
        });
        described.with_group_id(name)
    });
    DescribeGroupsResponse::default().with_groups(groups.collect())
}

fn describe_group(group: &Group) -> DescribedGroup {
    let members = group.members.iter().map(|(id, member)| {
        DescribedGroupMember::default()
            .with_member_id(text(id.clone()))
            .with_group_instance_id(member.joining.instance_id.clone().map(text))
            .with_client_id(text(member.joining.client_id.clone()))
            .with_client_host(text(member.joining.client_host.clone()))
            .with_member_metadata(member.metadata(&group.protocol).unwrap_or_default())
            .with_member_assignment(member.assignment.clone())
    });
    DescribedGroup::default()
        .with_group_state(text(group.state.name()))
        .with_protocol_type(text(group.protocol_type.clone()))
        .with_protocol_data(text(group.protocol.clone()))
        .with_members(members.collect())
}

pub(crate) fn delete(call: &Call<'_>, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let results = request.groups_names.into_iter().map(|name| {
        let outcome = delete_group(call, &name);
        DeletableGroupResult::default().with_group_id(name).with_error_code(code(&outcome))
    });
    DeleteGroupsResponse::default().with_results(results.collect())
}

fn delete_group(call: &Call<'_>, name: &str) -> Result<(), ResponseError> {
    let has_members = call.node.groups.with(name, |group| !group.is_unused());
    if has_members == Some(true) {
        return Err(ResponseError::NonEmptyGroup);
    }
    let mut ledger = call.node.ledger();
    if ledger.offsets_of(name).is_empty() && has_members.is_none() {
        return Err(ResponseError::GroupIdNotFound);
    }
    ledger
        .append(LedgerRecord::GroupDeleted(name.to_owned()))
        .map_err(|error| super::records::storage(&error))
}
