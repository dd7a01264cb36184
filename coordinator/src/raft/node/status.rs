//! How the cluster looks from one coordinator.

use std::collections::BTreeSet;

use crate::raft::types::{NodeId, RaftMetrics};

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeRole {
    /// It votes and counts for majorities.
    Voter,
    /// It gets the log only.
    Learner,
}

/// A member of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its number.
    pub id: NodeId,
    /// Where other coordinators reach it.
    pub address: String,
    /// What it may do.
    pub role: NodeRole,
    /// How many entries it is behind the leader's log; none if unknown, which it is to all but the leader.
    pub lag: Option<u64>,
}

/// How the cluster looks from one coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The coordinator that says so.
    pub id: NodeId,
    /// The latest term that it knows of.
    pub term: u64,
    /// The leader, if it knows of one.
    pub leader: Option<NodeId>,
    /// Members, by number.
    pub members: Vec<Member>,
    /// Numbers of former members, which are never used again.
    pub retired: BTreeSet<NodeId>,
    /// Index of its last entry.
    pub last_log: Option<u64>,
    /// Index of the last entry that it has applied.
    pub last_applied: Option<u64>,
    /// Index of the last entry in its newest snapshot.
    pub snapshot: Option<u64>,
    /// Index of the last entry that is in snapshots only.
    pub purged: Option<u64>,
}

/// Reads it off the library's metrics.
pub(super) fn status(metrics: &RaftMetrics, retired: BTreeSet<NodeId>) -> Status {
    let membership = metrics.membership_config.membership();
    let voters: BTreeSet<NodeId> = membership.voter_ids().collect();
    let last = metrics.last_log_index.map_or(0, |index| index + 1);
    let lag = |id: &NodeId| {
        if metrics.current_leader == Some(*id) && metrics.id == *id {
            return Some(0);
        }
        let matched = metrics.replication.as_ref()?.get(id)?;
        Some(last.saturating_sub(matched.map_or(0, |id| id.index + 1)))
    };
    let members = membership.nodes().map(|(id, node)| Member {
        id: *id,
        address: node.addr.clone(),
        role: if voters.contains(id) { NodeRole::Voter } else { NodeRole::Learner },
        lag: lag(id),
    });
    Status {
        id: metrics.id,
        term: metrics.current_term,
        leader: metrics.current_leader,
        members: members.collect(),
        retired,
        last_log: metrics.last_log_index,
        last_applied: metrics.last_applied.map(|id| id.index),
        snapshot: metrics.snapshot.map(|id| id.index),
        purged: metrics.purged.map(|id| id.index),
    }
}
