//! The log on disk: entries, the vote, and what was purged, in one `redb` file.
//!
//! Every change is one transaction that is synced before it is acknowledged. The index of what is committed rides along
//! with the next change instead of having a sync of its own: a node that forgets it learns it anew from the leader. After
//! a write or a sync has failed nothing is acknowledged any more, because nobody knows what is on disk; the Raft library
//! stops the node. Checking the file when it is opened is in `open`.

mod open;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Mutex, PoisonError};

use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{EntryPayload, ErrorSubject, ErrorVerb, LogState, OptionalSend, RaftLogReader};
use redb::{Database, Durability, ReadableDatabase, TableDefinition, WriteTransaction};
use tidegate_runtime::failpoint;
use tidegate_types::{Error, ErrorCode};

use super::codec;
use super::execution::Execution;
use super::storage_error::{fatal, into_io};
use super::types::{Entry, LogId, StorageError, TypeConfig, Vote};

/// Entries in their frames, by index.
const ENTRIES: TableDefinition<u64, &[u8]> = TableDefinition::new("entries");
/// Small facts in their frames, by name.
const FACTS: TableDefinition<&str, &[u8]> = TableDefinition::new("facts");

const VOTE: &str = "vote";
const COMMITTED: &str = "committed";
const PURGED: &str = "purged";
const NODE: &str = "node";

/// Bytes of entries that are sent to another node at once; one entry goes whatever its size.
const BATCH_BYTES: usize = 4 << 20;

/// The log of one node; clones are handles to the same log.
#[derive(Debug, Clone)]
pub struct LogStore {
    inner: Arc<Inner>,
    execution: Execution,
}

#[derive(Debug)]
struct Inner {
    database: Database,
    state: Mutex<State>,
}

/// What the file holds, known without reading it.
#[derive(Debug, Clone, Default, PartialEq)]
struct State {
    vote: Option<Vote>,
    committed: Option<LogId>,
    purged: Option<LogId>,
    last: Option<LogId>,
    /// Why nothing may be acknowledged any more.
    failed: Option<String>,
}

/// One change of the log.
#[derive(Debug)]
enum Change {
    Vote(Vote),
    Append(Vec<(LogId, Vec<u8>)>),
    /// Drops the entries from this index on.
    Truncate(u64),
    /// Drops the entries up to this one.
    Purge(LogId),
    /// Only what rides along.
    Nothing,
}

impl Inner {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a change durable, or refuses everything from now on.
    fn write(&self, change: &Change) -> io::Result<()> {
        let before = self.state().clone();
        if let Some(why) = before.failed {
            return Err(io::Error::other(format!("an earlier write of the log failed: {why}")));
        }
        let after = Self::after(&before, change)?;
        match self.commit(change, after.committed) {
            Ok(last) => {
                let mut state = self.state();
                // What is committed may have moved on meanwhile.
                let committed = state.committed;
                *state = State { committed, last: last.or(after.last), ..after };
                Ok(())
            }
            Err(error) => {
                self.state().failed = Some(error.to_string());
                Err(io::Error::other(error))
            }
        }
    }

    /// The state after a change; refuses appends that would leave a hole between entries.
    fn after(before: &State, change: &Change) -> io::Result<State> {
        let mut after = before.clone();
        match change {
            Change::Vote(vote) => after.vote = Some(*vote),
            Change::Append(entries) => {
                for (id, _) in entries {
                    let last = after.last.filter(|_| after.last != after.purged);
                    if let Some(last) = last.filter(|last| last.index + 1 != id.index) {
                        let message = format!("entry {id} does not follow {last}");
                        return Err(into_io(Error::internal(message)));
                    }
                    after.last = Some(*id);
                }
            }
            Change::Truncate(_) => after.last = before.purged,
            Change::Purge(upto) => {
                after.purged = before.purged.max(Some(*upto));
                after.last = before.last.max(Some(*upto));
            }
            Change::Nothing => {}
        }
        Ok(after)
    }

    /// The guard: whoever calls this may acknowledge only after it has succeeded, since only then the change is on disk.
    /// Answers the last entry that is left after a truncation.
    fn commit(
        &self,
        change: &Change,
        committed: Option<LogId>,
    ) -> Result<Option<LogId>, redb::Error> {
        let mut transaction = self.database.begin_write()?;
        let unsynced = matches!(change, Change::Append(_)) && failpoint::defect("skip-append-sync");
        let durability = if unsynced { Durability::None } else { Durability::Immediate };
        transaction.set_durability(durability)?;
        let last = stage(&transaction, change, committed)?;
        transaction.commit()?;
        Ok(last)
    }

    /// Entries of a range, up to so many bytes but at least one.
    fn entries(&self, from: u64, to: u64, bytes: usize) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        if from >= to {
            return Ok(entries);
        }
        let transaction = self.database.begin_read().map_err(io::Error::other)?;
        let table = transaction.open_table(ENTRIES).map_err(io::Error::other)?;
        let mut size = 0;
        for item in table.range(from..to).map_err(io::Error::other)? {
            let (index, frame) = item.map_err(io::Error::other)?;
            size += frame.value().len();
            if size > bytes && !entries.is_empty() {
                break;
            }
            let entry = codec::unseal_entry(frame.value()).map_err(|error| {
                into_io(error.context(format!("read entry {} of the log", index.value())))
            })?;
            entries.push(entry);
        }
        Ok(entries)
    }
}

/// Writes a change into a transaction.
fn stage(
    transaction: &WriteTransaction,
    change: &Change,
    committed: Option<LogId>,
) -> Result<Option<LogId>, redb::Error> {
    let mut facts = transaction.open_table(FACTS)?;
    let mut entries = transaction.open_table(ENTRIES)?;
    if let Some(committed) = committed {
        facts.insert(COMMITTED, codec::seal_json(&committed).as_slice())?;
    }
    match change {
        Change::Vote(_) if failpoint::defect("skip-vote-persistence") => {}
        Change::Vote(vote) => {
            facts.insert(VOTE, codec::seal_json(vote).as_slice())?;
        }
        Change::Append(new) => {
            for (id, frame) in new {
                entries.insert(id.index, frame.as_slice())?;
            }
        }
        Change::Truncate(from) => {
            entries.retain_in(*from.., |_, _| false)?;
            let last = redb::ReadableTable::last(&entries)?;
            return Ok(last.and_then(|(_, frame)| codec::unseal_log_id(frame.value()).ok()));
        }
        Change::Purge(upto) => {
            entries.retain_in(..=upto.index, |_, _| false)?;
            facts.insert(PURGED, codec::seal_json(upto).as_slice())?;
        }
        Change::Nothing => {}
    }
    Ok(None)
}

impl LogStore {
    async fn write(&self, change: Change) -> io::Result<()> {
        let inner = self.inner.clone();
        self.execution.run(move || inner.write(&change)).await
    }

    /// What was purged last; entries up to it are only in snapshots.
    pub(crate) fn purged(&self) -> Option<LogId> {
        self.inner.state().purged
    }

    /// Whether nothing was stored yet.
    pub(crate) fn is_fresh(&self) -> bool {
        let state = self.inner.state();
        state.last.is_none() && state.purged.is_none() && state.vote.is_none()
    }

    /// Writes what would have ridden along with the next change. For a shutdown in order; nothing needs it.
    pub(crate) async fn flush(&self) -> Result<(), Error> {
        let written = self.write(Change::Nothing).await;
        written.map_err(|error| super::storage_error::from_io(error, "flush the log"))
    }

    fn broken(subject: ErrorSubject<u64>, verb: ErrorVerb) -> impl Fn(io::Error) -> StorageError {
        move |error| fatal(subject.clone(), verb, &error)
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, StorageError> {
        let from = match range.start_bound() {
            Bound::Included(from) => *from,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(last) => last.saturating_add(1),
            Bound::Excluded(to) => *to,
            Bound::Unbounded => u64::MAX,
        };
        let entries = self.inner.entries(from, to, usize::MAX);
        entries.map_err(Self::broken(ErrorSubject::LogIndex(from), ErrorVerb::Read))
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry>, StorageError> {
        let entries = self.inner.entries(start, end, BATCH_BYTES);
        entries.map_err(Self::broken(ErrorSubject::LogIndex(start), ErrorVerb::Read))
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, StorageError> {
        let state = self.inner.state();
        Ok(LogState { last_purged_log_id: state.purged, last_log_id: state.last })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        let written = self.write(Change::Vote(*vote)).await;
        written.map_err(Self::broken(ErrorSubject::Vote, ErrorVerb::Write))
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        Ok(self.inner.state().vote)
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), StorageError> {
        self.inner.state().committed = committed;
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, StorageError> {
        // An entry that was lost with an unacknowledged write cannot have been committed on its own account; the index
        // of what is committed is only a hint here.
        let state = self.inner.state();
        Ok(state.committed.min(state.last))
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: LogFlushed<TypeConfig>,
    ) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let frames = entries.into_iter().map(|entry| {
            if let EntryPayload::Normal(proposal) = &entry.payload {
                proposal.logged.set();
            }
            (entry.log_id, codec::seal_entry(&entry))
        });
        let change = Change::Append(frames.collect());
        match self.write(change).await {
            Ok(()) => {
                callback.log_io_completed(Ok(()));
                Ok(())
            }
            Err(error) => {
                callback.log_io_completed(Err(io::Error::new(error.kind(), error.to_string())));
                Err(fatal(ErrorSubject::Logs, ErrorVerb::Write, &error))
            }
        }
    }

    async fn truncate(&mut self, log_id: LogId) -> Result<(), StorageError> {
        let written = self.write(Change::Truncate(log_id.index)).await;
        written.map_err(Self::broken(ErrorSubject::Log(log_id), ErrorVerb::Delete))
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), StorageError> {
        let written = self.write(Change::Purge(log_id)).await;
        written.map_err(Self::broken(ErrorSubject::Log(log_id), ErrorVerb::Delete))
    }
}

/// What to do about a damaged node; part of every error that refuses to start.
pub(crate) fn re_create(error: Error) -> Error {
    if error.code() != ErrorCode::Corrupt {
        return error;
    }
    error.help(
        "this node cannot go on, the others can: remove it from the cluster (`tidegate cluster remove-coordinator`), \
         empty its folder, and add it under a new id (`tidegate cluster add-coordinator`); never start it again under \
         its old id with an empty folder",
    )
}
