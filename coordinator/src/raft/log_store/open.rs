//! Opening a log: everything in it is checked before the node takes part in anything.
//!
//! A crash leaves the file as it was after the last complete transaction: what was being written is cut off, by `redb`.
//! Damage anywhere else refuses to start. Entries are checked by checksums of our own, so that the damaged one can be
//! named; then the whole file by those of `redb`.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex};

use redb::backends::FileBackend;
use redb::{
    Builder, Database, DatabaseError, Durability, ReadableDatabase, ReadableTable, StorageBackend,
    TableError,
};
use serde::de::DeserializeOwned;
use tidegate_runtime::failpoint;
use tidegate_types::{Error, ErrorCode, Result};

use super::{COMMITTED, ENTRIES, FACTS, Inner, LogStore, NODE, PURGED, State, VOTE, re_create};
use crate::raft::codec;
use crate::raft::execution::Execution;
use crate::raft::storage_error::{from_io, into_io};
use crate::raft::types::{LogId, NodeId, Vote};

/// Memory for pages of the log.
const CACHE_BYTES: usize = 32 << 20;

impl LogStore {
    /// Opens the log in a file, which is made if it does not exist. `CORRUPT` with advice if it is damaged;
    /// `FAILED_PRECONDITION` if it belongs to another node or a process has it open.
    pub fn open_file(path: &Path, node: NodeId, execution: Execution) -> Result<Self> {
        let place = || format!("open the log {}", path.display());
        let made =
            path.try_exists().and_then(|exists| if exists { Ok(()) } else { make(path, node) });
        made.map_err(|error| from_io(error, &place()))?;
        let file = OpenOptions::new().read(true).write(true).open(path);
        let file = file.map_err(|error| from_io(error, &place()))?;
        // The library would make an empty file a new log, which has forgotten what its node has promised.
        if file.metadata().map_err(|error| from_io(error, &place()))?.len() == 0 {
            return Err(re_create(damaged("its file is empty")).context(place()));
        }
        let backend = FileBackend::new(file).map_err(|e| unreadable(e).context(place()))?;
        Self::open(backend, node, execution).map_err(|error| error.context(place()))
    }

    /// Opens the log on any storage; an empty one becomes a new log, and nothing may be done with one that was not made
    /// to the end. Errors as [`LogStore::open_file`].
    pub fn open(backend: impl StorageBackend, node: NodeId, execution: Execution) -> Result<Self> {
        // The library may panic over a damaged file; a node that refuses to start must say why instead.
        let opened = catch_unwind(AssertUnwindSafe(|| check(backend, node)));
        let opened = opened.unwrap_or_else(|_| Err(damaged("its structure makes no sense")));
        let (database, state) = opened.map_err(re_create)?;
        let inner = Arc::new(Inner { database, state: Mutex::new(state) });
        Ok(Self { inner, execution })
    }
}

/// Makes the file of a new log, under another name until it is whole: a crash leaves all of it or nothing.
fn make(path: &Path, node: NodeId) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(true).open(&unfinished)?;
    let whole = file.try_clone()?;
    let backend = FileBackend::new(file).map_err(io::Error::other)?;
    drop(LogStore::open(backend, node, Execution::Inline).map_err(into_io)?);
    whole.sync_all()?;
    fs::rename(&unfinished, path)?;
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn check(backend: impl StorageBackend, node: NodeId) -> Result<(Database, State)> {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    let mut database = builder.create_with_backend(backend).map_err(unreadable)?;
    let state = scan(&database, node)?;
    let whole = database.check_integrity().map_err(unreadable)?;
    // What the library mends it may mend by going back to the transaction before the last.
    if !whole && scan(&database, node)? != state {
        return Err(damaged("its last changes are lost"));
    }
    Ok((database, state))
}

/// Reads and checks everything.
fn scan(database: &Database, node: NodeId) -> Result<State> {
    bind(database, node)?;
    let mut state = State {
        vote: fact(database, VOTE)?.map(|vote| resign(vote, node)),
        committed: fact(database, COMMITTED)?,
        purged: fact(database, PURGED)?,
        last: None,
        failed: None,
    };
    state.last = state.purged;
    let transaction = database.begin_read().map_err(|e| broken(&e))?;
    let entries = match transaction.open_table(ENTRIES) {
        Ok(entries) => entries,
        Err(TableError::TableDoesNotExist(_)) => return Ok(state),
        Err(error) => return Err(broken(&error)),
    };
    let mut next = state.purged.map(|purged| purged.index + 1);
    for item in entries.iter().map_err(|e| broken(&e))? {
        let (index, frame) = item.map_err(|e| broken(&e))?;
        let id = check_entry(index.value(), frame.value(), next, state.last)?;
        next = Some(id.index + 1);
        state.last = Some(id);
    }
    Ok(state)
}

/// A leader that comes back must be elected anew, so that a term is led by one process only and can fence another; the
/// Raft library would let it go on in its old term.
fn resign(vote: Vote, node: NodeId) -> Vote {
    let led =
        vote.committed && vote.leader_id.node_id == node && !failpoint::defect("skip-resignation");
    Vote { committed: vote.committed && !led, ..vote }
}

/// Checks one entry: its checksum, that it is in its place, and that it follows the one before.
fn check_entry(
    index: u64,
    frame: &[u8],
    next: Option<u64>,
    before: Option<LogId>,
) -> Result<LogId> {
    let named = |error: Error| error.context(format!("entry {index} of the log is damaged"));
    // A log begins with entry 0 or after what was purged.
    let expected = next.unwrap_or(0);
    if index != expected {
        return Err(damaged(&format!("entry {expected} is missing, entry {index} comes instead")));
    }
    let entry = codec::unseal_entry(frame).map_err(named)?;
    if entry.log_id.index != index {
        return Err(damaged(&format!("at the place of entry {index} is entry {}", entry.log_id)));
    }
    if before.is_some_and(|before| entry.log_id.leader_id < before.leader_id) {
        return Err(damaged(&format!(
            "entry {} is of an older term than the one before",
            entry.log_id
        )));
    }
    Ok(entry.log_id)
}

/// Writes into a new log whose it is; refuses one of another node.
fn bind(database: &Database, node: NodeId) -> Result<()> {
    match fact::<NodeId>(database, NODE)? {
        Some(bound) if bound == node => Ok(()),
        Some(bound) => Err(Error::new(
            ErrorCode::FailedPrecondition,
            format!(
                "the log belongs to node {bound}, not to node {node}: check the node's id and folder"
            ),
        )),
        None => {
            let write = || -> Result<(), redb::Error> {
                let mut transaction = database.begin_write()?;
                transaction.set_durability(Durability::Immediate)?;
                transaction.open_table(FACTS)?.insert(NODE, codec::seal_json(&node).as_slice())?;
                transaction.open_table(ENTRIES)?;
                transaction.commit()?;
                Ok(())
            };
            write().map_err(|error| unavailable(&error))
        }
    }
}

fn fact<T: DeserializeOwned>(database: &Database, name: &str) -> Result<Option<T>> {
    let transaction = database.begin_read().map_err(|e| broken(&e))?;
    let facts = match transaction.open_table(FACTS) {
        Ok(facts) => facts,
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(broken(&error)),
    };
    let frame = facts.get(name).map_err(|e| broken(&e))?;
    let value = frame.map(|frame| codec::unseal_json(frame.value())).transpose();
    value.map_err(|error| error.context(format!("the log's {name} is damaged")))
}

/// What the library says about a file that it cannot open.
fn unreadable(error: DatabaseError) -> Error {
    match error {
        DatabaseError::DatabaseAlreadyOpen => Error::new(
            ErrorCode::FailedPrecondition,
            "a process has the log open: only one may run on a folder",
        ),
        DatabaseError::Storage(redb::StorageError::Io(error)) => match error.kind() {
            std::io::ErrorKind::InvalidData => damaged(&error.to_string()),
            _ => unavailable(&error),
        },
        error => damaged(&error.to_string()),
    }
}

fn broken(error: &dyn std::error::Error) -> Error {
    damaged(&error.to_string())
}

fn unavailable(error: &dyn std::error::Error) -> Error {
    Error::new(ErrorCode::Unavailable, error.to_string())
}

fn damaged(why: &str) -> Error {
    Error::new(ErrorCode::Corrupt, format!("the log is damaged: {why}"))
}
