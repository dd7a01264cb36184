//! Who leads, as something to watch, and why a node has stopped.

use std::time::Duration;

use openraft::ServerState;
use openraft::error::Fatal;
use tidegate_runtime::{Task, spawn};
use tidegate_types::{Error, ErrorCode};
use tokio::sync::watch;

use crate::raft::types::{NodeId, RaftMetrics};

/// Who leads, as far as a node knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leadership {
    /// The latest term that the node knows of.
    pub term: u64,
    /// The leader of that term and its address; none while it is not known.
    pub leader: Option<(NodeId, String)>,
    /// Whether it is this node, and a majority has followed it lately: one that is cut off leads nobody, and must not
    /// keep those that still reach it from finding the other leader.
    pub is_self: bool,
}

impl Leadership {
    fn of(id: NodeId, metrics: &RaftMetrics, lease: Duration) -> Self {
        let term = metrics.current_term;
        if metrics.running_state.is_err() {
            return Self { term, leader: None, is_self: false };
        }
        let leader = metrics.current_leader.map(|leader| {
            let node = metrics.membership_config.membership().get_node(&leader);
            (leader, node.map(|node| node.addr.clone()).unwrap_or_default())
        });
        let leads = leader.as_ref().is_some_and(|(leader, _)| *leader == id);
        // None is a leader whose election is all that it has of the others yet.
        let silence = metrics.millis_since_quorum_ack.unwrap_or(0);
        let followed = u128::from(silence) <= lease.as_millis();
        let is_self = leads && metrics.state == ServerState::Leader && followed;
        // A node that was leader and does not know of another yet.
        let leader = leader.filter(|(leader, _)| *leader != id || is_self);
        Self { term, leader, is_self }
    }
}

/// Watches the leader, which counts as one for `lease` after a majority has followed it last; the task ends with the node or with the last receiver.
pub(super) fn watch_leadership(
    id: NodeId,
    lease: Duration,
    mut metrics: watch::Receiver<RaftMetrics>,
) -> (watch::Receiver<Leadership>, Task<()>) {
    let now = Leadership::of(id, &metrics.borrow(), lease);
    let (sender, receiver) = watch::channel(now);
    let task = spawn(format!("leadership of coordinator {id}"), async move {
        while metrics.changed().await.is_ok() {
            let now = Leadership::of(id, &metrics.borrow_and_update(), lease);
            sender.send_if_modified(|known| {
                let changed = *known != now;
                *known = now;
                changed
            });
        }
        sender.send_modify(|known| *known = Leadership { term: known.term, ..Default::default() });
    });
    (receiver, task)
}

/// Waits until the node has stopped.
pub(super) async fn stopped(mut metrics: watch::Receiver<RaftMetrics>) -> Error {
    let cancelled = || Error::new(ErrorCode::Cancelled, "the coordinator was stopped");
    let Ok(last) = metrics.wait_for(|metrics| metrics.running_state.is_err()).await else {
        return cancelled();
    };
    match &last.running_state {
        Ok(()) | Err(Fatal::Stopped) => cancelled(),
        Err(Fatal::Panicked) => Error::internal("the coordinator's Raft task panicked"),
        Err(Fatal::StorageError(error)) => {
            let message = format!("the coordinator's storage failed: {error}");
            Error::new(ErrorCode::Unavailable, message)
                .help("look at the disk; start the process again when it is well")
        }
    }
}
