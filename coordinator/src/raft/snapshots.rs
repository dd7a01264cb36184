//! Snapshots on disk: how they are written, which are kept, and what happens when one is damaged.
//!
//! A snapshot is written under another name, synced, renamed, and then the folder is synced; so a crash leaves either
//! the new one whole or the older ones as they were. The last two are kept. A file is: the eight bytes `TGSNAPSH`, the
//! length of the facts (u32, little-endian), the facts (JSON), the state machine's bytes, and xxh3-64 of all before it.
//!
//! Not here: what the state machine's bytes mean.

use std::fmt::Debug;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tidegate_types::{Error, ErrorCode, Result};
use xxhash_rust::xxh3::xxh3_64;

use super::codec;
use super::storage_error::from_io;
use super::types::SnapshotMeta;

const MAGIC: &[u8; 8] = b"TGSNAPSH";
const CHECKSUM: usize = 8;

/// How many snapshots are kept.
const KEPT: usize = 2;

const COMPLETE: &str = ".snapshot";
const UNFINISHED: &str = ".unfinished";
const DAMAGED: &str = ".damaged";

/// The files of one folder, in the steps that a crash can come between. Names have no separators.
pub trait SnapshotFiles: Debug + Send + Sync + 'static {
    /// Names of all files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// All of a file.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// Makes a file, or makes it anew, and syncs what is in it.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Renames a file, over another if there is one.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Syncs the folder itself: what was renamed and removed.
    fn sync(&self) -> io::Result<()>;
}

/// A folder on disk.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at a path; it is made if it does not exist.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        fs::create_dir_all(&path)?;
        // The parent of a bare name is written as nothing.
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            File::open(parent)?.sync_all()?;
        }
        Ok(Self(path))
    }
}

impl SnapshotFiles for Folder {
    fn list(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(&self.0)?;
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.0.join(name))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create(self.0.join(name))?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.0.join(from), self.0.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }
}

/// The snapshots of one node; clones are handles to the same.
#[derive(Debug, Clone)]
pub struct Snapshots {
    files: Arc<dyn SnapshotFiles>,
    /// The newest, and the lock under which files change.
    current: Arc<Mutex<Option<SnapshotMeta>>>,
}

/// A snapshot that was read.
#[derive(Debug, Clone)]
pub struct Stored {
    /// What it covers.
    pub meta: SnapshotMeta,
    /// The state machine's bytes.
    pub state: Vec<u8>,
}

/// What a file says of itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    version: u32,
    meta: SnapshotMeta,
}

const VERSION: u32 = 1;

impl Snapshots {
    /// Opens the snapshots of a folder and reads the newest that is whole; damaged ones are put aside. The log must
    /// reach back to it: `log_begins` is the index of the first entry that the log still has. `CORRUPT` if nothing fits.
    pub fn open(files: Arc<dyn SnapshotFiles>, log_begins: u64) -> Result<(Self, Option<Stored>)> {
        let snapshots = Self { files, current: Arc::default() };
        let mut put_aside = Vec::new();
        for name in snapshots.complete().map_err(|e| from_io(e, "list the snapshots"))? {
            let bytes = snapshots.files.read(&name);
            let bytes = bytes.map_err(|e| from_io(e, &format!("read snapshot {name}")))?;
            match decode(&bytes) {
                Ok(stored) => {
                    check_reach(&name, &stored.meta, log_begins, &put_aside)?;
                    *snapshots.lock() = Some(stored.meta.clone());
                    return Ok((snapshots, Some(stored)));
                }
                Err(error) if error.code() == ErrorCode::Corrupt => {
                    tracing::error!(snapshot = name, %error, "a snapshot is damaged; trying an older one");
                    let aside = snapshots.files.rename(&name, &format!("{name}{DAMAGED}"));
                    aside.map_err(|e| from_io(e, &format!("put snapshot {name} aside")))?;
                    put_aside.push(name);
                }
                Err(error) => return Err(error.context(format!("read snapshot {name}"))),
            }
        }
        if log_begins > 0 {
            return Err(unreachable_log(
                "there is no snapshot that is whole",
                log_begins,
                &put_aside,
            ));
        }
        Ok((snapshots, None))
    }

    /// What the newest covers.
    pub fn current(&self) -> Option<SnapshotMeta> {
        self.lock().clone()
    }

    /// Reads the newest; none if there is none.
    pub fn read_current(&self) -> io::Result<Option<Stored>> {
        let current = self.lock();
        let Some(meta) = current.as_ref() else { return Ok(None) };
        let bytes = self.files.read(&file_name(meta))?;
        decode(&bytes).map(Some).map_err(super::storage_error::into_io)
    }

    /// Writes a snapshot; afterwards it survives every crash. One that is older than the newest is not needed and not
    /// written.
    pub fn save(&self, meta: &SnapshotMeta, state: &[u8]) -> io::Result<()> {
        let mut current = self.lock();
        if current.as_ref().is_some_and(|current| current.last_log_id > meta.last_log_id) {
            return Ok(());
        }
        let name = file_name(meta);
        let unfinished = format!("{name}{UNFINISHED}");
        self.files.write(&unfinished, &encode(meta, state))?;
        self.files.rename(&unfinished, &name)?;
        self.files.sync()?;
        *current = Some(meta.clone());
        self.clean(&name)
    }

    /// Removes all but the newest two, and what crashes have left.
    fn clean(&self, newest: &str) -> io::Result<()> {
        let keep: Vec<String> = self.complete()?.into_iter().take(KEPT).collect();
        for name in self.files.list()? {
            let stale = name.ends_with(COMPLETE) && !keep.contains(&name) && name != newest;
            if stale || name.ends_with(UNFINISHED) {
                self.files.remove(&name)?;
            }
        }
        self.files.sync()
    }

    /// Names of the files that are whole unless damaged, newest first.
    fn complete(&self) -> io::Result<Vec<String>> {
        let mut names = self.files.list()?;
        names.retain(|name| name.ends_with(COMPLETE));
        names.sort_by(|a, b| b.cmp(a));
        Ok(names)
    }

    fn lock(&self) -> MutexGuard<'_, Option<SnapshotMeta>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names sort by index, then term.
fn file_name(meta: &SnapshotMeta) -> String {
    let (index, term) = meta.last_log_id.map_or((0, 0), |id| (id.index, id.leader_id.term));
    format!("{index:020}-{term:020}{COMPLETE}")
}

/// A file from what it holds.
pub(super) fn encode(meta: &SnapshotMeta, state: &[u8]) -> Vec<u8> {
    let facts = codec::json(&Facts { version: VERSION, meta: meta.clone() });
    let mut bytes = Vec::with_capacity(MAGIC.len() + 4 + facts.len() + state.len() + CHECKSUM);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&(facts.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&facts);
    bytes.extend_from_slice(state);
    let checksum = xxh3_64(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// What a file holds. `CORRUPT` if it is damaged, `INCOMPATIBLE` if a later release wrote it.
pub(super) fn decode(bytes: &[u8]) -> Result<Stored> {
    let corrupt = |why: &str| Error::new(ErrorCode::Corrupt, format!("it is damaged: {why}"));
    let (body, checksum) =
        bytes.split_last_chunk::<CHECKSUM>().ok_or_else(|| corrupt("it is too short"))?;
    if xxh3_64(body) != u64::from_le_bytes(*checksum) {
        return Err(corrupt("its checksum does not match"));
    }
    let rest = body.strip_prefix(MAGIC).ok_or_else(|| corrupt("it does not begin as one"))?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(|| corrupt("it is too short"))?;
    let length = u32::from_le_bytes(*length) as usize;
    let (facts, state) = rest.split_at_checked(length).ok_or_else(|| corrupt("it is too short"))?;
    let facts: Facts = codec::from_json(facts)?;
    if facts.version != VERSION {
        return Err(Error::new(
            ErrorCode::Incompatible,
            format!("it has version {}, this release reads {VERSION}", facts.version),
        )
        .help("run the release that wrote it, or a later one"));
    }
    Ok(Stored { meta: facts.meta, state: state.to_vec() })
}

/// Refuses a snapshot that the log does not continue.
fn check_reach(name: &str, meta: &SnapshotMeta, log_begins: u64, aside: &[String]) -> Result<()> {
    let next = meta.last_log_id.map_or(0, |id| id.index + 1);
    if log_begins <= next {
        return Ok(());
    }
    let what = format!("the newest snapshot that is whole, {name}, ends before entry {next}");
    Err(unreachable_log(&what, log_begins, aside))
}

fn unreachable_log(what: &str, log_begins: u64, aside: &[String]) -> Error {
    let mut message = format!("{what}, and the log begins with entry {log_begins}");
    if !aside.is_empty() {
        message.push_str(&format!("; damaged: {}", aside.join(", ")));
    }
    super::log_store::re_create(Error::new(ErrorCode::Corrupt, message))
}

#[cfg(test)]
pub(crate) mod tests;
