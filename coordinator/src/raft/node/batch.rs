//! Commands that arrive together share an entry, and so a sync on every disk and a round over the network.
//!
//! One entry is on its way at a time; what arrives meanwhile makes the next. A command that comes alone does not wait.

use std::time::Duration;

use openraft::BasicNode;
use openraft::error::{ClientWriteError, Fatal, RaftError};
use tidegate_runtime::{Task, spawn};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::leader::Answer;
use crate::raft::types::{NodeId, Outcome, Proposal, Proposed, Raft};

/// Commands in an entry at most.
const COMMANDS: usize = 256;

/// Bytes of commands in an entry at most; one command goes whatever its size.
const BYTES: usize = 1 << 20;

/// Commands that wait; more wait at their senders.
const WAITING: usize = 1_024;

/// Puts commands into the log of this node, if it leads.
#[derive(Debug)]
pub(super) struct Batcher {
    queue: mpsc::Sender<Waiting>,
    _task: Task<()>,
}

/// A command that waits for its answer.
#[derive(Debug)]
struct Waiting {
    proposed: Proposed,
    bytes: usize,
    answer: oneshot::Sender<Answer>,
}

impl Batcher {
    /// Starts the task. An entry that is not applied within the time is given up: nobody knows what becomes of it.
    pub(super) fn start(id: NodeId, raft: Raft, within: Duration) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        let task = spawn(format!("proposals of coordinator {id}"), run(raft, waiting, within));
        Self { queue, _task: task }
    }

    /// Proposes a command of so many bytes and waits for its answer.
    pub(super) async fn propose(&self, proposed: Proposed, bytes: usize) -> Answer {
        let (answer, answered) = oneshot::channel();
        if self.queue.send(Waiting { proposed, bytes, answer }).await.is_err() {
            return Answer::Unavailable("the coordinator is stopping".to_owned());
        }
        let stopped = |_| Answer::Unknown("the coordinator was stopped".to_owned());
        answered.await.unwrap_or_else(stopped)
    }
}

async fn run(raft: Raft, mut queue: mpsc::Receiver<Waiting>, within: Duration) {
    let mut next = None;
    loop {
        let first = match next.take() {
            Some(first) => first,
            None => match queue.recv().await {
                Some(first) => first,
                None => return,
            },
        };
        let mut bytes = first.bytes;
        let mut batch = vec![first];
        while batch.len() < COMMANDS {
            let Ok(waiting) = queue.try_recv() else { break };
            bytes = bytes.saturating_add(waiting.bytes);
            if bytes > BYTES {
                next = Some(waiting);
                break;
            }
            batch.push(waiting);
        }
        // Whoever has stopped waiting was told that nothing is known, and nothing is better than something late.
        batch.retain(|waiting| !waiting.answer.is_closed());
        if !batch.is_empty() {
            write(&raft, batch, within).await;
        }
    }
}

/// Writes an entry and hands out the answers.
async fn write(raft: &Raft, batch: Vec<Waiting>, within: Duration) {
    let (commands, answers): (Vec<_>, Vec<_>) =
        batch.into_iter().map(|waiting| (waiting.proposed, waiting.answer)).unzip();
    let proposal = Proposal::new(commands);
    let logged = proposal.logged.clone();
    let same = match timeout(within, raft.client_write(proposal)).await {
        Ok(Ok(written)) => match written.data {
            Outcome::Commands(outcomes) if outcomes.len() == answers.len() => {
                for (answer, outcome) in answers.into_iter().zip(outcomes) {
                    // Nobody waits any more if this fails.
                    let _ = answer.send(match outcome {
                        Ok(response) => Answer::Applied(response),
                        Err(refusal) => Answer::Refused(refusal),
                    });
                }
                return;
            }
            _ => Answer::Unknown("the entry has other answers than commands".to_owned()),
        },
        Ok(Err(error)) => not_written(error, logged.get()),
        Err(_) => Answer::Unknown("no majority has confirmed it in time".to_owned()),
    };
    for answer in answers {
        let _ = answer.send(same.clone());
    }
}

/// What it means for the commands that their entry was not applied.
fn not_written(
    error: RaftError<NodeId, ClientWriteError<NodeId, BasicNode>>,
    logged: bool,
) -> Answer {
    match error {
        // The library says the same of an entry that was taken out of the log again; another leader may bring it back.
        RaftError::APIError(_) if logged => {
            Answer::Unknown("the leader was replaced before the command was committed".to_owned())
        }
        RaftError::APIError(_) => Answer::NotLeader,
        RaftError::Fatal(Fatal::Stopped) if !logged => {
            Answer::Unavailable("the coordinator is stopping".to_owned())
        }
        RaftError::Fatal(error) => Answer::Unknown(format!("the leader has stopped: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use openraft::error::ForwardToLeader;

    use super::*;

    #[test]
    fn what_was_in_the_log_may_come_back() {
        let forward = || RaftError::APIError(ForwardToLeader::empty().into());
        assert_eq!(not_written(forward(), false), Answer::NotLeader);
        assert!(matches!(not_written(forward(), true), Answer::Unknown(_)));
        let stopped = || RaftError::Fatal(Fatal::Stopped);
        assert!(matches!(not_written(stopped(), false), Answer::Unavailable(_)));
        assert!(matches!(not_written(stopped(), true), Answer::Unknown(_)));
    }
}
