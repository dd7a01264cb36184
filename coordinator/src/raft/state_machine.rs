//! The catalog as the state machine of the Raft group.
//!
//! It lives in memory: after a start it is the newest snapshot, or what a cache has kept since, and the log says the rest. Readers share a lock with the
//! application of single entries only; a snapshot copies the catalog (which shares its objects) under the lock and
//! writes it without.

use std::collections::BTreeSet;
use std::io::{self, Cursor};
use std::sync::{Arc, PoisonError, RwLock};

use openraft::storage::RaftStateMachine;
use openraft::{EntryPayload, ErrorSubject, ErrorVerb, OptionalSend, RaftSnapshotBuilder};
use serde::{Deserialize, Serialize};
use tidegate_catalog::{Catalog, Refusal, Response};
use tidegate_runtime::failpoint;
use tidegate_types::{Error, ErrorCode, Result};

use super::codec;
use super::execution::Execution;
use super::snapshots::{Snapshots, Stored};
use super::storage_error::{fatal, into_io};
use super::types::{
    Entry, LogId, Membership, NodeId, Outcome, Proposed, Snapshot, SnapshotMeta, StorageError,
    StoredMembership, TypeConfig,
};

/// What was applied; clones are handles to the same.
#[derive(Debug, Clone, Default)]
pub struct Applied(Arc<RwLock<State>>);

#[derive(Debug, Clone, Default)]
struct State {
    last: Option<LogId>,
    membership: StoredMembership,
    /// Nodes that were members and are not any more; their numbers are never used again.
    retired: BTreeSet<NodeId>,
    catalog: Catalog,
}

/// What a snapshot holds beside the catalog.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Beside {
    retired: BTreeSet<NodeId>,
}

impl Applied {
    /// Reads the catalog. The call must not wait for anything: entries are not applied meanwhile.
    pub fn read<T>(&self, read: impl FnOnce(&Catalog) -> T) -> T {
        read(&self.0.read().unwrap_or_else(PoisonError::into_inner).catalog)
    }

    /// Nodes that were members and are not any more.
    pub fn retired(&self) -> BTreeSet<NodeId> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).retired.clone()
    }

    /// The last entry that was applied, and the last membership.
    fn progress(&self) -> (Option<LogId>, StoredMembership) {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        (state.last, state.membership.clone())
    }

    /// What a snapshot of it would be, unless it ends with an entry that is known already, or with none.
    pub(super) fn to_stored(&self, known: Option<LogId>) -> Option<Stored> {
        let (last, _) = self.progress();
        if last.is_none() || last == known {
            return None;
        }
        let state = self.copy();
        Some(Stored { meta: state.meta(), state: state.encode() })
    }

    fn copy(&self) -> State {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, state: State) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn apply(&self, entry: Entry) -> Outcome {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        state.last = Some(entry.log_id);
        match entry.payload {
            EntryPayload::Blank => Outcome::Nothing,
            EntryPayload::Normal(proposal) => {
                #[cfg(feature = "simulation")]
                let seen = proposal.commands.clone();
                let commands = proposal.commands.into_iter();
                let outcomes = commands
                    .map(|proposed| state.propose(entry.log_id, proposed).map_err(Refusal::from));
                let outcome = Outcome::Commands(outcomes.collect());
                #[cfg(feature = "simulation")]
                super::observation::applied(entry.log_id, &seen, &outcome);
                outcome
            }
            EntryPayload::Membership(membership) => {
                state.change_members(entry.log_id, membership);
                Outcome::Nothing
            }
        }
    }
}

impl State {
    fn propose(&mut self, id: LogId, proposed: Proposed) -> Result<Response> {
        check_term(id, &proposed)?;
        self.catalog.apply(proposed.command)
    }

    fn change_members(&mut self, id: LogId, membership: Membership) {
        let left = self.membership.nodes().map(|(node, _)| *node);
        let left: Vec<_> = left.filter(|node| membership.get_node(node).is_none()).collect();
        self.retired.extend(left);
        self.membership = StoredMembership::new(Some(id), membership);
    }

    /// What a snapshot of it covers.
    fn meta(&self) -> SnapshotMeta {
        SnapshotMeta {
            last_log_id: self.last,
            last_membership: self.membership.clone(),
            snapshot_id: self.last.map_or_else(|| "empty".to_owned(), |id| id.to_string()),
        }
    }

    /// The bytes that travel between nodes and are kept in files: what is beside the catalog, then the catalog.
    fn encode(&self) -> Vec<u8> {
        let beside = codec::seal_json(&Beside { retired: self.retired.clone() });
        let mut bytes = (beside.len() as u32).to_le_bytes().to_vec();
        bytes.extend_from_slice(&beside);
        bytes.extend_from_slice(&self.catalog.encode());
        bytes
    }

    fn decode(meta: &SnapshotMeta, bytes: &[u8]) -> Result<Self> {
        let corrupt = || Error::new(ErrorCode::Corrupt, "the snapshot is too short");
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(corrupt)?;
        let length = u32::from_le_bytes(*length) as usize;
        let (beside, catalog) = rest.split_at_checked(length).ok_or_else(corrupt)?;
        let Beside { retired } = codec::unseal_json(beside)?;
        let catalog = Catalog::decode(catalog)?;
        let membership = meta.last_membership.clone();
        Ok(Self { last: meta.last_log_id, membership, retired, catalog })
    }
}

/// The guard against leaders of the past: what a leader decided by itself counts only in its own term.
fn check_term(id: LogId, proposed: &Proposed) -> Result<()> {
    match proposed.leader_term {
        Some(_) if failpoint::defect("skip-term-check") => Ok(()),
        Some(term) if term != id.leader_id.term => Err(Error::new(
            ErrorCode::Fenced,
            format!(
                "the leader of term {term} was replaced: term {} applies this",
                id.leader_id.term
            ),
        )),
        _ => Ok(()),
    }
}

/// The state machine of one node.
#[derive(Debug)]
pub struct StateMachine {
    applied: Applied,
    snapshots: Snapshots,
    execution: Execution,
}

impl StateMachine {
    /// A state machine that begins with a snapshot, or with what was kept of it, if there is one. `CORRUPT`, or `INCOMPATIBLE` if a later release
    /// wrote it.
    pub fn new(snapshots: Snapshots, stored: Option<Stored>, execution: Execution) -> Result<Self> {
        let applied = Applied::default();
        if let Some(Stored { meta, state }) = stored {
            applied.replace(State::decode(&meta, &state)?);
        }
        Ok(Self { applied, snapshots, execution })
    }

    /// A handle to what is applied.
    pub fn applied(&self) -> Applied {
        self.applied.clone()
    }
}

/// Writes one snapshot of the state as it was when this was made.
#[derive(Debug)]
pub struct Builder {
    state: State,
    snapshots: Snapshots,
    execution: Execution,
}

fn broken(verb: ErrorVerb) -> impl Fn(io::Error) -> StorageError {
    move |error| fatal(ErrorSubject::Snapshot(None), verb, &error)
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    async fn build_snapshot(&mut self) -> Result<Snapshot, StorageError> {
        let state = std::mem::take(&mut self.state);
        let snapshots = self.snapshots.clone();
        let meta = state.meta();
        let written = meta.clone();
        let write = move || {
            let bytes = state.encode();
            snapshots.save(&written, &bytes)?;
            Ok(bytes)
        };
        let bytes = self.execution.run(write).await.map_err(broken(ErrorVerb::Write))?;
        Ok(Snapshot { meta, snapshot: Box::new(Cursor::new(bytes)) })
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), StorageError> {
        Ok(self.applied.progress())
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Outcome>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        Ok(entries.into_iter().map(|entry| self.applied.apply(entry)).collect())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        let (snapshots, execution) = (self.snapshots.clone(), self.execution);
        Builder { state: self.applied.copy(), snapshots, execution }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError> {
        let (snapshots, meta) = (self.snapshots.clone(), meta.clone());
        let install = move || {
            let bytes = snapshot.into_inner();
            let state = State::decode(&meta, &bytes).map_err(into_io)?;
            snapshots.save(&meta, &bytes)?;
            Ok(state)
        };
        let state = self.execution.run(install).await.map_err(broken(ErrorVerb::Write))?;
        self.applied.replace(state);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, StorageError> {
        let snapshots = self.snapshots.clone();
        let stored = self.execution.run(move || snapshots.read_current()).await;
        let stored = stored.map_err(broken(ErrorVerb::Read))?;
        Ok(stored.map(|Stored { meta, state }| Snapshot {
            meta,
            snapshot: Box::new(Cursor::new(state)),
        }))
    }
}

#[cfg(test)]
mod tests;
