//! One coordinator's handle to the replicated metadata.
//!
//! Any node takes commands and reads: it passes on to the leader what only the leader can do. Whoever decides something
//! *as* the leader uses [`Metadata::propose_as_leader`] with the term in which it decided.

mod batch;
mod kept;
mod leader;
mod leadership;
mod options;
mod request;
mod status;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use openraft::BasicNode;
use tidegate_catalog::{Catalog, Command, Response};
use tidegate_runtime::Task;
use tidegate_types::{Error, ErrorCode, Result};
use tokio::sync::watch;

use batch::Batcher;
use kept::Kept;
pub use leader::Change;
pub(crate) use leader::{Answer, LeaderSide};
pub use leadership::Leadership;
pub use options::{NodeOptions, Storage, Timing};
pub use status::{Member, NodeRole, Status};

use super::log_store::LogStore;
use super::network::{Connector, Network, Peers};
use super::snapshots::Snapshots;
use super::state_machine::{Applied, StateMachine};
use super::types::{NodeId, Raft};

/// How current a read must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// It has seen everything that was answered to anybody before it began. Needs a majority.
    Linearizable,
    /// What this node has applied, which may be behind. Needs nobody.
    Stale,
}

/// One coordinator's handle; clones are handles to the same. The node stops when it is told to ([`Metadata::shutdown`])
/// or when its disk fails ([`Metadata::stopped`]).
#[derive(Clone)]
pub struct Metadata {
    id: NodeId,
    cluster: Arc<str>,
    raft: Raft,
    applied: Applied,
    batcher: Arc<Batcher>,
    log: LogStore,
    peers: Peers,
    request_timeout: Duration,
    membership_timeout: Duration,
    snapshot_bytes: u64,
    leadership: watch::Receiver<Leadership>,
    _watcher: Arc<Task<()>>,
    kept: Option<Arc<Kept>>,
}

impl Metadata {
    /// Starts a node on what it has stored. It takes part in the cluster that its log knows; with an empty log it waits
    /// to be added to one, or for [`Metadata::initialize`]. `CORRUPT` with advice if what is stored is damaged.
    pub async fn start(
        options: &NodeOptions,
        storage: Storage,
        connector: Arc<dyn Connector>,
    ) -> Result<Self> {
        Self::start_with_cache(options, storage, connector, None).await
    }

    /// The same with a folder that keeps what was applied since the last snapshot, so that the next start has less to do.
    /// What is in it is checked, and made anew if there is any doubt.
    pub async fn start_with_cache(
        options: &NodeOptions,
        storage: Storage,
        connector: Arc<dyn Connector>,
        folder: Option<&Path>,
    ) -> Result<Self> {
        let config = Arc::new(options.config()?);
        let log_begins = storage.log.purged().map_or(0, |purged| purged.index + 1);
        let (snapshots, stored) = Snapshots::open(storage.snapshots, log_begins)?;
        let (cache, kept) = match folder {
            Some(folder) => kept::begin(options, folder, &storage.log, stored.as_ref()).await?,
            None => (None, None),
        };
        let machine = kept::machine(options, &snapshots, kept);
        let machine = match machine {
            Some(machine) => machine,
            None => StateMachine::new(snapshots, stored, options.execution)
                .map_err(|error| super::log_store::re_create(error.context("load the snapshot")))?,
        };
        let applied = machine.applied();
        let kept = cache.map(|cache| Kept::follow(cache, applied.clone(), options.execution));
        let peers = Peers::new(&options.cluster, connector);
        let network = Network { peers: peers.clone() };
        let raft = Raft::new(options.id, config, network, storage.log.clone(), machine).await;
        let raft = raft.map_err(|error| {
            Error::new(ErrorCode::Corrupt, format!("start coordinator {}: {error}", options.id))
        })?;
        let batcher = Batcher::start(options.id, raft.clone(), options.request_timeout);
        let (leadership, watcher) =
            leadership::watch_leadership(options.id, options.timing.lease(), raft.metrics());
        Ok(Self {
            id: options.id,
            cluster: options.cluster.as_str().into(),
            raft,
            applied,
            batcher: Arc::new(batcher),
            log: storage.log,
            peers,
            request_timeout: options.request_timeout,
            membership_timeout: options.membership_timeout,
            snapshot_bytes: options.snapshot_bytes,
            leadership,
            _watcher: Arc::new(watcher),
            kept: kept.map(Arc::new),
        })
    }

    /// Number of this node.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Name of the cluster.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Forms a new cluster of these nodes, by number with their addresses; this one must be among them, and all must be
    /// running with empty logs. `FAILED_PRECONDITION` if this node has a log.
    pub async fn initialize(&self, members: BTreeMap<NodeId, String>) -> Result<()> {
        let nodes = members.into_iter().map(|(id, address)| (id, BasicNode::new(address)));
        self.leader_side().initialize(nodes.collect()).await
    }

    /// Applies a command on the leader, wherever that is, and waits until a majority has it. Tries while there is no
    /// leader, for the node's request time-out. Errors of the catalog as they are; `UNAVAILABLE` if nothing was done
    /// because no leader was found, or if the answer was lost and nobody knows (the message says "outcome unknown"). A
    /// command with a request id is repeated instead when its answer is lost.
    pub async fn propose(&self, command: Command) -> Result<Response> {
        request::propose(self, command).await
    }

    /// Applies a command that this node decided as the leader of a term, only in that term. `FENCED` if the node does
    /// not lead in it any more; otherwise errors as [`Metadata::propose`].
    pub async fn propose_as_leader(&self, term: u64, command: Command) -> Result<Response> {
        request::propose_as_leader(self, term, command).await
    }

    /// Reads the catalog. The call must not wait for anything. `UNAVAILABLE` if a linearizable read finds no leader that
    /// a majority confirms within the node's request time-out.
    pub async fn read<T>(
        &self,
        consistency: Consistency,
        read: impl FnOnce(&Catalog) -> T,
    ) -> Result<T> {
        if consistency == Consistency::Linearizable {
            request::catch_up(self).await?;
        }
        Ok(self.applied.read(read))
    }

    /// Reads what this node has applied, which may be behind.
    pub fn peek<T>(&self, read: impl FnOnce(&Catalog) -> T) -> T {
        self.applied.read(read)
    }

    /// Who leads, as far as this node knows. What is decided by it must go through
    /// [`Metadata::propose_as_leader`]: a leader may have been replaced without knowing.
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.clone()
    }

    /// How the cluster looks from here.
    pub fn status(&self) -> Status {
        status::status(&self.raft.metrics().borrow(), self.applied.retired())
    }

    /// Whether the node has stored nothing yet: no entry, and no vote. [`Metadata::status`] may not know yet of what a
    /// node has stored that has just been started.
    pub fn is_fresh(&self) -> bool {
        self.log.is_fresh()
    }

    /// A number for a node that is to be added: larger than all that were used.
    pub fn next_node_id(&self) -> NodeId {
        let status = self.status();
        let used = status.members.iter().map(|member| member.id).chain(status.retired);
        used.max().unwrap_or(0).saturating_add(1)
    }

    /// Adds a node without a vote and waits until it has caught up. The node must be running with an empty log.
    /// `FAILED_PRECONDITION` for a number that was used before; `UNAVAILABLE` if it has not caught up within the node's
    /// time-out for membership, after which it goes on catching up, and the call can be repeated.
    pub async fn add_learner(&self, id: NodeId, address: impl Into<String>) -> Result<()> {
        request::change(self, Change::AddLearner { id, address: address.into() }).await
    }

    /// Adds a node, or gives a learner a vote, once it has caught up. Errors as [`Metadata::add_learner`].
    pub async fn add_voter(&self, id: NodeId, address: impl Into<String>) -> Result<()> {
        request::change(self, Change::AddVoter { id, address: address.into() }).await
    }

    /// Removes a node, which may be the leader or one that is gone; its number is never used again.
    /// `FAILED_PRECONDITION` for the last one with a vote.
    pub async fn remove(&self, id: NodeId) -> Result<()> {
        request::change(self, Change::Remove { id }).await
    }

    /// Waits until the node has stopped and says why; `CANCELLED` if it was told to. After any other error the process
    /// must end: what is on its disk is not known, and nothing that it says counts.
    pub async fn stopped(&self) -> Error {
        leadership::stopped(self.raft.metrics()).await
    }

    /// Writes a snapshot now, without waiting for it.
    pub async fn trigger_snapshot(&self) -> Result<()> {
        let asked = self.raft.trigger().snapshot().await;
        asked.map_err(|error| Error::new(ErrorCode::Unavailable, error.to_string()))
    }

    /// Stops the node; what it has acknowledged stays. Others elect a new leader if it was the leader.
    pub async fn shutdown(&self) -> Result<()> {
        self.raft.shutdown().await.map_err(|error| {
            Error::internal(format!("coordinator {} did not stop in order: {error}", self.id))
        })?;
        // Only a hint is lost if this fails, and a failed disk was reported when it failed.
        let _ = self.log.flush().await;
        if let Some(kept) = &self.kept {
            kept.close(&self.applied).await;
        }
        Ok(())
    }

    pub(crate) fn leader_side(&self) -> LeaderSide {
        let (raft, applied) = (self.raft.clone(), self.applied.clone());
        LeaderSide { raft, applied, batcher: self.batcher.clone() }
    }

    pub(crate) fn raft(&self) -> &Raft {
        &self.raft
    }

    pub(crate) fn snapshot_bytes(&self) -> u64 {
        self.snapshot_bytes
    }
}

impl std::fmt::Debug for Metadata {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metadata").field("id", &self.id).field("cluster", &self.cluster).finish()
    }
}

#[cfg(test)]
mod tests;
