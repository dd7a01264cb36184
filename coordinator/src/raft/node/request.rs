//! Requests to the leader, wherever it is: finding it, trying again, and knowing when that is safe.

use std::time::Duration;

use tidegate_catalog::{Command, Response};
use tidegate_runtime::{Refused, failpoint, refused};
use tidegate_types::{Error, ErrorCode, Result};
use tokio::time::{sleep, timeout};

use super::leader::{Answer, Change};
use super::{Leadership, Metadata};
use crate::raft::network::Peer;

/// How long to wait before the leader is looked for again.
const PAUSE: Duration = Duration::from_millis(50);

/// What a node asks of the leader.
#[derive(Debug, Clone)]
enum Ask {
    Propose(Box<Command>),
    ReadIndex,
    Change(Change),
}

impl Ask {
    fn what(&self) -> &'static str {
        match self {
            Self::Propose(_) => "apply the command",
            Self::ReadIndex => "read",
            Self::Change(_) => "change the membership",
        }
    }

    /// How long it is tried.
    fn within(&self, node: &Metadata) -> Duration {
        match self {
            Self::Propose(_) | Self::ReadIndex => node.request_timeout,
            Self::Change(_) => node.membership_timeout,
        }
    }

    /// Whether whoever asked must know that it may have been done.
    fn changes_something(&self) -> bool {
        matches!(self, Self::Propose(_))
    }

    /// Whether doing it twice is as good as once.
    fn may_repeat(&self) -> bool {
        match self {
            Self::Propose(command) => command.request_id.is_some(),
            Self::ReadIndex | Self::Change(_) => true,
        }
    }
}

pub(super) async fn propose(node: &Metadata, command: Command) -> Result<Response> {
    match ask(node, Ask::Propose(Box::new(command))).await? {
        Answer::Applied(response) => Ok(response),
        Answer::Refused(refusal) => Err(refusal.into()),
        other => Err(nonsense(&other)),
    }
}

pub(super) async fn propose_as_leader(
    node: &Metadata,
    term: u64,
    command: Command,
) -> Result<Response> {
    let fenced = |why: &str| {
        let error =
            Error::new(ErrorCode::Fenced, format!("act as the leader of term {term}: {why}"));
        refused(Refused::Proposal, &error);
        Err(error)
    };
    {
        let known = node.leadership.borrow();
        let unchecked = failpoint::defect("skip-term-check");
        if !unchecked && (known.term != term || !known.is_self) {
            return fenced("this coordinator does not lead in it any more");
        }
    }
    let leader = node.leader_side();
    match timeout(node.request_timeout, leader.propose(Some(term), command)).await {
        Ok(Answer::Applied(response)) => Ok(response),
        Ok(Answer::Refused(refusal)) => {
            let error = Error::from(refusal);
            if error.code() == ErrorCode::Fenced {
                refused(Refused::Proposal, &error);
            }
            Err(error)
        }
        Ok(Answer::NotLeader) => fenced("another coordinator leads"),
        Ok(Answer::Unavailable(why) | Answer::Unknown(why)) => Err(unknown(&why)),
        Ok(other) => Err(nonsense(&other)),
        Err(_) => Err(unknown("no majority has confirmed it in time")),
    }
}

/// Waits until this node has applied everything that was answered to anybody before the call.
pub(super) async fn catch_up(node: &Metadata) -> Result<()> {
    let Answer::ReadIndex(index) = ask(node, Ask::ReadIndex).await? else {
        return Err(Error::internal("the leader answered a read with something else"));
    };
    let Some(index) = index else { return Ok(()) };
    let wait = node.raft.wait(Some(node.request_timeout));
    let applied = wait.applied_index_at_least(Some(index), "a linearizable read").await;
    applied.map(drop).map_err(|_| {
        let message =
            format!("read: this coordinator has not caught up with entry {index} in time");
        Error::new(ErrorCode::Unavailable, message).help("ask another coordinator, or try again")
    })
}

pub(super) async fn change(node: &Metadata, change: Change) -> Result<()> {
    match ask(node, Ask::Change(change)).await? {
        Answer::Changed => Ok(()),
        Answer::Refused(refusal) => Err(refusal.into()),
        other => Err(nonsense(&other)),
    }
}

/// Asks the leader until there is an answer or the time is up.
async fn ask(node: &Metadata, ask: Ask) -> Result<Answer> {
    let what = ask.what();
    let within = ask.within(node);
    let mut state = Attempts { last: String::new(), begun: false, uncertain: false };
    match timeout(within, state.run(node, ask)).await {
        Ok(answer) => answer,
        Err(_) if state.uncertain => Err(unknown(&state.last)),
        Err(_) => {
            let message =
                format!("{what}: not done within {} s: {}", within.as_secs_f32(), state.last);
            Err(Error::new(ErrorCode::Unavailable, message)
                .help("a majority of the coordinators must run and reach each other"))
        }
    }
}

/// What is known when the time is up.
struct Attempts {
    last: String,
    /// Whether an earlier attempt may have done it.
    begun: bool,
    /// Whether that attempt or the one under way may have done it.
    uncertain: bool,
}

impl Attempts {
    async fn run(&mut self, node: &Metadata, ask: Ask) -> Result<Answer> {
        let mut leadership = node.leadership.clone();
        loop {
            // A clone, because a borrow of a watched value must not be held while waiting.
            let known = leadership.borrow_and_update().clone();
            self.last = match &known.leader {
                Some((leader, _)) => format!("coordinator {leader}, which leads, has not answered"),
                None => "no leader is known".to_owned(),
            };
            let asked = ask.changes_something() && known.leader.is_some();
            self.uncertain = self.begun || asked;
            let answer = tokio::select! {
                biased;
                answer = attempt(node, &known, &ask) => answer,
                // An answer that may never come is not waited for if the question can be asked again.
                _ = leadership.wait_for(|now| *now != known), if ask.may_repeat() => None,
            };
            match answer {
                None => self.begun |= asked,
                Some(Answer::NotLeader) => {
                    "the coordinator that should lead does not".clone_into(&mut self.last);
                }
                Some(Answer::Unavailable(why)) => self.last = why,
                Some(Answer::Unknown(why)) if ask.may_repeat() => {
                    self.begun |= asked;
                    self.last = why;
                }
                Some(Answer::Unknown(why)) => return Err(unknown(&why)),
                Some(answer) => return Ok(answer),
            }
            self.uncertain = self.begun;
            sleep(PAUSE).await;
        }
    }
}

/// Asks who leads as far as is known; none if nobody is known.
async fn attempt(node: &Metadata, known: &Leadership, ask: &Ask) -> Option<Answer> {
    let (id, address) = known.leader.clone()?;
    if known.is_self {
        let leader = node.leader_side();
        return Some(match ask.clone() {
            Ask::Propose(command) => leader.propose(None, *command).await,
            Ask::ReadIndex => leader.read_index().await,
            Ask::Change(change) => leader.change(change).await,
        });
    }
    let (peer, within) = (Peer { id, address }, ask.within(node));
    Some(match ask {
        Ask::Propose(command) => node.peers.forward(&peer, command, within).await,
        Ask::ReadIndex => node.peers.read_index(&peer, within).await,
        Ask::Change(change) => node.peers.change(&peer, change, within).await,
    })
}

fn unknown(why: &str) -> Error {
    Error::new(ErrorCode::Unavailable, format!("outcome unknown: {why}")).help(
        "the command may have been applied or not: read to find out, or send commands with a request id, which can be \
         repeated",
    )
}

fn nonsense(answer: &Answer) -> Error {
    Error::internal(format!("the leader gave an answer to another question: {answer:?}"))
}
