//! The types that the Raft library is told to use.

use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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

/// Commands on their way into the log, together in one entry. Each is applied or refused by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// The commands, applied in this order.
    pub commands: Vec<Proposed>,
    /// Whether it got as far as this node's log; known only to the process that made it.
    #[serde(skip)]
    pub(crate) logged: Logged,
}

/// One command of a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposed {
    /// For what a leader decides by itself: the term in which it does. The command is refused if its entry gets into
    /// the log under another.
    pub leader_term: Option<u64>,
    /// What to apply.
    pub command: Command,
}

impl Proposal {
    /// These commands, not in any log yet.
    pub fn new(commands: Vec<Proposed>) -> Self {
        Self { commands, logged: Logged::default() }
    }
}

/// Tells a proposal that was never in a log from one that was taken out of it again, which another leader may still
/// bring back: the Raft library answers both alike. Shared by all copies; equal to every other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Logged(Arc<AtomicBool>);

impl Logged {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl PartialEq for Logged {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Logged {}

/// What applying an entry answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The entry had no commands.
    Nothing,
    /// What each of its commands was answered, in their order; a refused one changed nothing.
    Commands(Vec<Result<Response, Refusal>>),
}
