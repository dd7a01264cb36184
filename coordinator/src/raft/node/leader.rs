//! What a leader does for others: applies commands, says what reads must have seen, changes the membership.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use openraft::error::{CheckIsLeaderError, ClientWriteError, ForwardToLeader, RaftError};
use openraft::{BasicNode, ChangeMembers};
use serde::{Deserialize, Serialize};
use tidegate_catalog::{Command, Refusal, Response};
use tidegate_runtime::failpoint;
use tidegate_types::{Error, ErrorCode};
use tokio::time::sleep;

use super::batch::Batcher;
use crate::raft::state_machine::Applied;
use crate::raft::types::{NodeId, Proposed, Raft};

/// Bytes of an encoded command at most.
const COMMAND_BYTES: usize = 16 << 20;
/// How long a node that is to have a vote may take to answer for the first time.
const REACHED: Duration = Duration::from_secs(5);

/// A change of the membership. Each can be repeated without harm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// A node gets the log and has no vote.
    AddLearner {
        /// Its number; never one that was used before.
        id: NodeId,
        /// Where other coordinators reach it, as `host:port`.
        address: String,
    },
    /// A node gets the log, and a vote once it has caught up.
    AddVoter {
        /// Its number; never one that was used before.
        id: NodeId,
        /// Where other coordinators reach it, as `host:port`.
        address: String,
    },
    /// A node is a member no more. Its number is never used again.
    Remove {
        /// Its number.
        id: NodeId,
    },
}

/// What a leader answers, or why it does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// The command was applied.
    Applied(Response),
    /// The command or change was refused and changed nothing.
    Refused(Refusal),
    /// A read must have seen the entries up to this index.
    ReadIndex(Option<u64>),
    /// The membership is as asked.
    Changed,
    /// The node is not the leader; nothing was changed.
    NotLeader,
    /// It cannot be done now; nothing was changed.
    Unavailable(String),
    /// Nobody knows whether it was done.
    Unknown(String),
}

/// What a leader does for others.
#[derive(Clone)]
pub(crate) struct LeaderSide {
    pub(super) raft: Raft,
    pub(super) applied: Applied,
    pub(super) batcher: Arc<Batcher>,
}

impl LeaderSide {
    /// Applies a command, in the given term only if there is one.
    pub(crate) async fn propose(&self, leader_term: Option<u64>, command: Command) -> Answer {
        let bytes = command.encode().len();
        if bytes > COMMAND_BYTES {
            let message = format!("a command of {bytes} bytes is larger than {COMMAND_BYTES}");
            return Answer::Refused(Error::new(ErrorCode::ResourceExhausted, message).into());
        }
        self.batcher.propose(Proposed { leader_term, command }, bytes).await
    }

    /// Says what a read must have seen, once a majority has confirmed that this node leads.
    pub(crate) async fn read_index(&self) -> Answer {
        if failpoint::defect("skip-read-quorum") {
            return Answer::ReadIndex(self.raft.metrics().borrow().last_applied.map(|id| id.index));
        }
        match self.raft.get_read_log_id().await {
            Ok((read, _)) => Answer::ReadIndex(read.map(|id| id.index)),
            Err(RaftError::APIError(CheckIsLeaderError::ForwardToLeader(_))) => Answer::NotLeader,
            Err(RaftError::APIError(CheckIsLeaderError::QuorumNotEnough(error))) => {
                Answer::Unavailable(format!(
                    "a majority of the coordinators does not answer: {error}"
                ))
            }
            Err(RaftError::Fatal(error)) => Answer::Unavailable(error.to_string()),
        }
    }

    /// Changes the membership.
    pub(crate) async fn change(&self, change: Change) -> Answer {
        match change {
            Change::AddLearner { id, address } => self.add_learner(id, address).await,
            Change::AddVoter { id, address } => match self.add_learner(id, address).await {
                Answer::Changed => {
                    if let Err(answer) = self.caught_up(id).await {
                        return answer;
                    }
                    self.alter(ChangeMembers::AddVoterIds(BTreeSet::from([id])), true).await
                }
                other => other,
            },
            Change::Remove { id } => self.remove(id).await,
        }
    }

    async fn add_learner(&self, id: NodeId, address: String) -> Answer {
        if let Err(error) = self.check_new(id, &address) {
            return Answer::Refused(error.into());
        }
        match self.raft.add_learner(id, BasicNode::new(address), true).await {
            Ok(_) => Answer::Changed,
            Err(error) => write_failed(error),
        }
    }

    /// Waits until a learner has what the log has now: a vote of one that is not there would count against the others.
    /// One that has never answered is not waited for long.
    async fn caught_up(&self, id: NodeId) -> Result<(), Answer> {
        let mut metrics = self.raft.metrics();
        let wanted = metrics.borrow().last_log_index;
        let silent = sleep(REACHED);
        tokio::pin!(silent);
        loop {
            let replication = metrics.borrow_and_update().replication.clone();
            let Some(replication) = replication else { return Err(Answer::NotLeader) };
            let matched = replication.get(&id).copied().flatten().map(|log| log.index);
            if matched >= wanted {
                return Ok(());
            }
            tokio::select! {
                changed = metrics.changed() => changed.map_err(|_| Answer::NotLeader)?,
                () = &mut silent, if matched.is_none() => break,
            }
        }
        let message = format!("add coordinator {id}: it does not answer, and gets no vote");
        let refused = Error::new(ErrorCode::FailedPrecondition, message)
            .help("start it at its address and try again, or remove it: it follows without a vote");
        Err(Answer::Refused(refused.into()))
    }

    /// Refuses a number that was used for another node: it has promised things that the new one does not know.
    fn check_new(&self, id: NodeId, address: &str) -> Result<(), Error> {
        if self.applied.retired().contains(&id) {
            return Err(Error::new(
                ErrorCode::FailedPrecondition,
                format!("add coordinator {id}: the number was used before, take a new one"),
            ));
        }
        let metrics = self.raft.metrics();
        let membership = metrics.borrow().membership_config.clone();
        match membership.membership().get_node(&id) {
            Some(known) if known.addr != address => Err(Error::new(
                ErrorCode::AlreadyExists,
                format!("add coordinator {id}: it is a member already, at {}", known.addr),
            )),
            _ => Ok(()),
        }
    }

    async fn remove(&self, id: NodeId) -> Answer {
        let (voters, known) = {
            let metrics = self.raft.metrics();
            let membership = metrics.borrow().membership_config.clone();
            let voters: BTreeSet<NodeId> = membership.voter_ids().collect();
            (voters, membership.membership().get_node(&id).is_some())
        };
        if voters.contains(&id) {
            if voters.len() == 1 {
                let message = format!("remove coordinator {id}: it is the last one with a vote");
                return Answer::Refused(Error::new(ErrorCode::FailedPrecondition, message).into());
            }
            return self.alter(ChangeMembers::RemoveVoters(BTreeSet::from([id])), false).await;
        }
        if known {
            return self.alter(ChangeMembers::RemoveNodes(BTreeSet::from([id])), false).await;
        }
        if self.applied.retired().contains(&id) {
            return Answer::Changed;
        }
        let message = format!("coordinator {id} is no member of the cluster");
        Answer::Refused(Error::new(ErrorCode::NotFound, message).into())
    }

    async fn alter(&self, change: ChangeMembers<NodeId, BasicNode>, retain: bool) -> Answer {
        match self.raft.change_membership(change, retain).await {
            Ok(_) => Answer::Changed,
            Err(error) => write_failed(error),
        }
    }

    /// Forms a cluster of these nodes. `FAILED_PRECONDITION` if this node has a log already.
    pub(super) async fn initialize(
        &self,
        members: BTreeMap<NodeId, BasicNode>,
    ) -> Result<(), Error> {
        self.raft.initialize(members).await.map_err(|error| match error {
            RaftError::APIError(error) => Error::new(
                ErrorCode::FailedPrecondition,
                format!("initialize the cluster: {error}"),
            )
            .help("a cluster is initialized once, on one of its nodes; later ones are added to it"),
            RaftError::Fatal(error) => Error::new(ErrorCode::Unavailable, error.to_string()),
        })
    }
}

/// Why a change of the membership was not answered, and what that means for it.
fn write_failed(error: RaftError<NodeId, ClientWriteError<NodeId, BasicNode>>) -> Answer {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(ForwardToLeader { .. })) => {
            Answer::NotLeader
        }
        RaftError::APIError(ClientWriteError::ChangeMembershipError(error)) => {
            let refused = Error::new(ErrorCode::FailedPrecondition, error.to_string()).help(
                "another change of the membership may be under way: try again when it is done",
            );
            Answer::Refused(refused.into())
        }
        RaftError::Fatal(error) => Answer::Unknown(format!("the leader has stopped: {error}")),
    }
}
