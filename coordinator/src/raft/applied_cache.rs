//! The applied state in a sled database, so that a start need not apply the log from the last snapshot on.
//!
//! It is a cache and nothing else: log and snapshots have everything. sled's `flush` does not sync, so after a power cut
//! anything may be in its files. What is in it counts only if all of this holds, and otherwise is thrown away:
//!
//! - its checksum matches, it is of a version that this release reads, and of this node;
//! - it is later than the newest snapshot;
//! - the log has the very entry that it ends with, index and term. An entry that was applied was committed, so a log
//!   that has it has the same past.
//!
//! The database holds a *generation* of the state, in the form of a snapshot file and cut into pieces, and one record that
//! says which generation counts. A new generation is written beside the old one.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openraft::RaftLogReader;
use serde::{Deserialize, Serialize};
use tidegate_runtime::{Task, spawn};
use tidegate_types::{Error, ErrorCode, Result};

use super::codec;
use super::execution::Execution;
use super::log_store::LogStore;
use super::snapshots::{self, Stored};
use super::state_machine::Applied;
use super::storage_error::into_io;
use super::types::{LogId, NodeId};

/// Bytes of a piece.
const PIECE: usize = 64 << 10;
/// Pieces of a generation at most; a state of more bytes is not kept.
const MOST_PIECES: usize = 16_384;
/// Bytes that sled may keep in memory: pieces are written once and read once.
const MEMORY: u64 = 16 << 20;
/// How often the state is written, if it has changed.
const EVERY: Duration = Duration::from_secs(5);
/// The record that says which generation counts.
const CURRENT: &[u8] = b"current";
/// What keys of pieces begin with.
const PIECES: &[u8] = b"piece/";

/// Which generation counts, and whose it is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Current {
    generation: u64,
    pieces: u32,
    node: NodeId,
    cluster: String,
}

/// The database of one node; clones share it.
#[derive(Clone)]
pub(crate) struct AppliedCache {
    path: PathBuf,
    node: NodeId,
    cluster: Arc<str>,
    open: Arc<Mutex<Open>>,
}

struct Open {
    /// None after it has failed, until it is made anew, and after it was closed.
    database: Option<sled::Db>,
    closed: bool,
    generation: u64,
    last: Option<LogId>,
}

impl std::fmt::Debug for AppliedCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppliedCache").field("path", &self.path).finish_non_exhaustive()
    }
}

impl AppliedCache {
    /// Opens the database in a folder, with what counts of it, if anything. A database that cannot be opened or read is
    /// made anew.
    ///
    /// # Errors
    /// `UNAVAILABLE` if none can be made there, `FAILED_PRECONDITION` if somebody has it open.
    pub(crate) fn open(path: &Path, node: NodeId, cluster: &str) -> Result<(Self, Option<Stored>)> {
        let opened = guarded(|| {
            let database = open(path)?;
            let found = read(&database, node, cluster)?;
            Ok((database, found))
        });
        let (database, found) = match opened {
            Ok(opened) => opened,
            Err(error) if error.code() == ErrorCode::FailedPrecondition => return Err(error),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "the cache of the applied state is thrown away");
                (renew(path)?, None)
            }
        };
        let (generation, stored) = match found {
            Some((current, stored)) => (current.generation, Some(stored)),
            None => (0, None),
        };
        let last = stored.as_ref().and_then(|stored| stored.meta.last_log_id);
        let open = Arc::new(Mutex::new(Open {
            database: Some(database),
            closed: false,
            generation,
            last,
        }));
        Ok((Self { path: path.to_owned(), node, cluster: cluster.into(), open }, stored))
    }

    /// Throws away what is in it.
    ///
    /// # Errors
    /// `UNAVAILABLE` if it cannot be made anew.
    pub(crate) fn clear(&self) -> Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        *open = Open { database: None, closed: false, generation: 0, last: None };
        open.database = Some(renew(&self.path)?);
        Ok(())
    }

    /// Writes the state as it is now, if it has changed. A database that fails is made anew, once.
    ///
    /// # Errors
    /// `UNAVAILABLE` if it cannot be written.
    pub(crate) fn write(&self, applied: &Applied) -> Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.closed {
            return Ok(());
        }
        let Some(stored) = applied.to_stored(open.last) else { return Ok(()) };
        let last = stored.meta.last_log_id;
        let bytes = snapshots::encode(&stored.meta, &stored.state);
        if bytes.len().div_ceil(PIECE) > MOST_PIECES {
            return Ok(());
        }
        if let Err(error) = guarded(|| self.put(&mut open, &bytes)) {
            tracing::warn!(%error, path = %self.path.display(), "the cache of the applied state is made anew");
            // What holds its files goes before they do.
            open.database = None;
            open.database = Some(renew(&self.path)?);
            open.generation = 0;
            guarded(|| self.put(&mut open, &bytes))?;
        }
        open.last = last;
        Ok(())
    }

    /// Writes the state once more, and closes the database. Nothing is written after that.
    ///
    /// # Errors
    /// As [`AppliedCache::write`].
    pub(crate) fn close(&self, applied: &Applied) -> Result<()> {
        let written = self.write(applied);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        (open.database, open.closed) = (None, true);
        written
    }

    fn put(&self, open: &mut Open, bytes: &[u8]) -> Result<()> {
        let gone = || Error::new(ErrorCode::Unavailable, "the database could not be made anew");
        let database = open.database.as_ref().ok_or_else(gone)?;
        let generation = open.generation + 1;
        let mut pieces: u32 = 0;
        for piece in bytes.chunks(PIECE) {
            database.insert(key(generation, pieces), piece).map_err(|error| failed(&error))?;
            pieces += 1;
        }
        database.flush().map_err(|error| failed(&error))?;
        let (node, cluster) = (self.node, self.cluster.as_ref().to_owned());
        let current = Current { generation, pieces, node, cluster };
        database.insert(CURRENT, codec::seal_json(&current)).map_err(|error| failed(&error))?;
        open.generation = generation;
        // All others: a write before this one may not have got as far as here.
        let others = database.scan_prefix(PIECES).keys();
        for other in others {
            let other = other.map_err(|error| failed(&error))?;
            if !other.starts_with(&key(generation, 0)[..PIECES.len() + 8]) {
                database.remove(other).map_err(|error| failed(&error))?;
            }
        }
        database.flush().map_err(|error| failed(&error))?;
        Ok(())
    }

    /// Writes the state from time to time while the task is kept.
    pub(crate) fn follow(&self, applied: Applied, execution: Execution) -> Task<()> {
        let cache = self.clone();
        spawn("cache of the applied state", async move {
            let mut reported = false;
            loop {
                tokio::time::sleep(EVERY).await;
                let (cache, applied) = (cache.clone(), applied.clone());
                let written = execution.run(move || cache.write(&applied).map_err(into_io)).await;
                if let Err(error) = &written
                    && !reported
                {
                    tracing::warn!(%error, "the applied state is not kept; starts take longer");
                }
                reported = written.is_err();
            }
        })
    }
}

/// A piece of a generation.
fn key(generation: u64, piece: u32) -> Vec<u8> {
    let mut key = PIECES.to_vec();
    key.extend_from_slice(&generation.to_be_bytes());
    key.extend_from_slice(&piece.to_be_bytes());
    key
}

/// What was kept, if a start may begin with it instead of with the newest snapshot.
///
/// # Errors
/// `UNAVAILABLE` if the log cannot be read.
pub(crate) async fn usable(
    kept: Stored,
    snapshot: Option<&Stored>,
    log: &LogStore,
) -> Result<Option<Stored>> {
    let last = kept.meta.last_log_id;
    let (Some(id), false) = (last, log.is_fresh()) else { return Ok(None) };
    if snapshot.is_some_and(|snapshot| snapshot.meta.last_log_id >= last) {
        return Ok(None);
    }
    let entries = log.clone().try_get_log_entries(id.index..=id.index).await;
    let entries = entries.map_err(|error| {
        let message = format!("read entry {} of the log: {error}", id.index);
        Error::new(ErrorCode::Unavailable, message)
    })?;
    let known = entries.first().is_some_and(|entry| entry.log_id == id);
    if !known {
        tracing::warn!(entry = %id, "the log does not have the entry that the cache ends with");
    }
    Ok(known.then_some(kept))
}

fn open(path: &Path) -> Result<sled::Db> {
    let config = sled::Config::new().path(path).cache_capacity(MEMORY);
    config.mode(sled::Mode::LowSpace).open().map_err(|error| failed(&error))
}

/// An empty database, whatever is at the path.
fn renew(path: &Path) -> Result<sled::Db> {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    // Synced: what was removed because it is another history's must not come back.
    let synced = removed.and_then(|()| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => std::fs::File::open(parent)?.sync_all(),
        _ => Ok(()),
    });
    synced.map_err(|error| {
        let message = format!("remove {}: {error}", path.display());
        Error::new(ErrorCode::Unavailable, message)
    })?;
    guarded(|| open(path))
}

/// What counts, if there is anything. `CORRUPT` if it is damaged.
fn read(database: &sled::Db, node: NodeId, cluster: &str) -> Result<Option<(Current, Stored)>> {
    let Some(current) = database.get(CURRENT).map_err(|error| failed(&error))? else {
        return Ok(None);
    };
    let current: Current = codec::unseal_json(&current)?;
    let corrupt = |message: &str| Error::new(ErrorCode::Corrupt, message);
    if current.node != node || current.cluster != cluster {
        return Err(corrupt("it is another node's"));
    }
    if current.pieces as usize > MOST_PIECES {
        return Err(corrupt("it has more pieces than are written"));
    }
    let mut bytes = Vec::new();
    for piece in 0..current.pieces {
        let found = database.get(key(current.generation, piece)).map_err(|error| failed(&error))?;
        bytes.extend_from_slice(&found.ok_or_else(|| corrupt("a piece is missing"))?);
    }
    Ok(Some((current, snapshots::decode(&bytes)?)))
}

/// A call into sled, which panics on some damage.
fn guarded<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let why = said(panic.as_ref());
        Err(Error::new(ErrorCode::Corrupt, format!("the database has failed: {why}")))
    })
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".to_owned())
}

fn failed(error: &sled::Error) -> Error {
    // sled has no kind of its own for this.
    if matches!(error, sled::Error::Io(io) if io.to_string().contains("could not acquire lock")) {
        let message = "a process has the database open: only one may run on a folder";
        return Error::new(ErrorCode::FailedPrecondition, message);
    }
    Error::new(ErrorCode::Unavailable, format!("the database: {error}"))
}

#[cfg(test)]
mod tests;
