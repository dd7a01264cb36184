//! The types that the Raft library is told to use.

use std::io::Cursor;

use openraft::BasicNode;
use serde::{Deserialize, Serialize};
use tidegate_catalog::{Command, Refusal, Response};

/// Number of a coordinator. It comes from the cluster and is never used again for another.
pub type NodeId = u64;

openraft::declare_raft_types!(
    /// Commands of the catalog as entries, answers of the catalog as responses, snapshots in memory while they travel.
    pub TypeConfig:
        D = Proposal,
        R = Outcome,
        NodeId = NodeId,
        Node = BasicNode,
        SnapshotData = Cursor<Vec<u8>>,
);

pub(crate) type Raft = openraft::Raft<TypeConfig>;
pub(crate) type Entry = openraft::Entry<TypeConfig>;
pub(crate) type LogId = openraft::LogId<NodeId>;
pub(crate) type Vote = openraft::Vote<NodeId>;
pub(crate) type Membership = openraft::Membership<NodeId, BasicNode>;
pub(crate) type StoredMembership = openraft::StoredMembership<NodeId, BasicNode>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<NodeId, BasicNode>;
pub(crate) type Snapshot = openraft::Snapshot<TypeConfig>;
pub(crate) type StorageError = openraft::StorageError<NodeId>;
pub(crate) type RaftMetrics = openraft::RaftMetrics<NodeId, BasicNode>;

/// A command on its way into the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// For what a leader decides by itself: the term in which it does. The command is refused if its entry gets into
    /// the log under another.
    pub leader_term: Option<u64>,
    /// What to apply.
    pub command: Command,
}

/// What applying an entry answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The entry had no command.
    Nothing,
    /// The command was applied.
    Applied(Response),
    /// The command was refused and changed nothing.
    Refused(Refusal),
}
