//! Where one writer stages: chunks on their way to the store, kept in memory as long as a bound
//! allows, read back for the commit.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tidegate_checkpoint::CheckpointStorage;
use tidegate_checkpoint::manifest::digest;
use tidegate_checkpoint::staged::ChunkRef;
use tidegate_checkpoint::storage::storage_error;
use tidegate_types::{Attempt, Error, ErrorCode, OperatorId, Result};
use tokio::sync::{OnceCell, Semaphore};

use super::FOLDER;
use super::chunk::{self, Stored};
use crate::checkpoint::state_file::beside_operators;
use object_store::ObjectStoreExt;

/// Uploads of one writer at a time.
const MAX_UPLOADS: usize = 2;
/// Bytes of chunks that are stored already and kept in memory for the commit.
const MAX_CACHED: usize = 16 << 20;

/// The folder that output is staged in.
#[derive(Debug, Clone)]
pub struct StagingFolder {
    /// The folder's storage; paths of chunks are relative to it.
    pub storage: CheckpointStorage,
    /// How chunks are stored: compression pays where the store is far away.
    pub stored: Stored,
}

impl StagingFolder {
    /// A folder that is gone with the process, for tests.
    pub fn in_memory() -> Self {
        let store = Arc::new(object_store::memory::InMemory::new());
        let storage = CheckpointStorage::new(store, object_store::path::Path::from("job"));
        Self { storage, stored: Stored::Plain }
    }

    /// Reads a chunk and checks it against its reference; again if it arrived damaged.
    ///
    /// # Errors
    /// `NOT_FOUND`, `CORRUPT`, `UNAVAILABLE` with the object's path.
    pub async fn read(&self, reference: &ChunkRef) -> Result<Bytes> {
        let path = self.storage.path(&reference.path);
        let decode = |bytes: Bytes| {
            let (name, expected) = (path.to_string(), reference.digest.clone());
            beside_operators("decode staged output", move || {
                let content = chunk::decode(&name, &bytes)?;
                if digest(&content) == expected {
                    return Ok(content);
                }
                let message = format!(
                    "staged output {name} is damaged: its digest is not the one in the manifest"
                );
                Err(Error::new(ErrorCode::Corrupt, message))
            })
        };
        self.storage.read_decoded(&path, decode).await
    }
}

/// What a commit reads the chunks of a unit through.
#[derive(Debug, Clone)]
pub enum StagedChunks {
    /// Those that this run staged.
    Own(Arc<StagingArea>),
    /// Those of a restored checkpoint.
    Restored(StagingFolder),
}

impl StagedChunks {
    /// The content of a chunk.
    ///
    /// # Errors
    /// `NOT_FOUND`, `CORRUPT`, `UNAVAILABLE` with the object's path.
    pub async fn read(&self, reference: &ChunkRef) -> Result<Bytes> {
        match self {
            Self::Restored(folder) => folder.read(reference).await,
            Self::Own(area) => match area.cached(&reference.path) {
                Some(content) => Ok(content),
                None => area.folder.read(reference).await,
            },
        }
    }
}

/// A chunk of this run until its commit.
#[derive(Debug)]
struct Chunk {
    /// Where it stands among the writer's chunks.
    number: u64,
    size: usize,
    /// Gone once the chunk is stored and memory is short.
    content: Mutex<Option<Bytes>>,
    stored: OnceCell<()>,
}

/// Where one writer of one run stages.
#[derive(Debug)]
pub struct StagingArea {
    folder: StagingFolder,
    /// Beginning of the names of this writer's objects.
    prefix: String,
    uploads: Semaphore,
    chunks: Mutex<BTreeMap<String, Arc<Chunk>>>,
}

impl StagingArea {
    /// The area of a writer.
    pub fn new(folder: StagingFolder, attempt: Attempt, sink: OperatorId, writer: u32) -> Self {
        Self {
            folder,
            prefix: format!("{FOLDER}/{attempt}-{sink}-{writer}-"),
            uploads: Semaphore::new(MAX_UPLOADS),
            chunks: Mutex::new(BTreeMap::new()),
        }
    }

    /// An area in memory, for tests.
    pub fn in_memory() -> Arc<Self> {
        Arc::new(Self::new(StagingFolder::in_memory(), Attempt(1), OperatorId(1), 0))
    }

    /// The folder that the area is in.
    pub fn folder(&self) -> &StagingFolder {
        &self.folder
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Chunk>>> {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the content of the writer's `number`th chunk; it must be stored before it counts.
    pub(super) fn add(&self, number: u64, records: u64, content: Bytes) -> ChunkRef {
        let reference = ChunkRef {
            path: format!("{}{number:08}", self.prefix),
            bytes: content.len() as u64,
            records,
            digest: digest(&content),
        };
        let chunk = Chunk {
            number,
            size: content.len(),
            content: Mutex::new(Some(content)),
            stored: OnceCell::new(),
        };
        self.lock().insert(reference.path.clone(), Arc::new(chunk));
        reference
    }

    /// Bytes that are not stored yet, and the path of the oldest such chunk.
    pub(super) fn unstored(&self) -> (usize, Option<String>) {
        let chunks = self.lock();
        let waiting = chunks.iter().filter(|(_, chunk)| !chunk.stored.initialized());
        let bytes = waiting.clone().map(|(_, chunk)| chunk.size).sum();
        (bytes, waiting.min_by_key(|(_, chunk)| chunk.number).map(|(path, _)| path.clone()))
    }

    /// Makes sure that a chunk is stored: waits for an upload under way, or makes one.
    ///
    /// # Errors
    /// `UNAVAILABLE`, `PERMISSION_DENIED` with the object's path; the chunk can then be tried again.
    pub async fn store(&self, path: &str) -> Result<()> {
        // Chunks that were restored, or are committed already, are not here, and are stored.
        let Some(chunk) = self.lock().get(path).cloned() else { return Ok(()) };
        chunk.stored.get_or_try_init(|| self.upload(path, &chunk)).await?;
        self.forget_oldest();
        Ok(())
    }

    async fn upload(&self, path: &str, chunk: &Chunk) -> Result<()> {
        let _turn = self.uploads.acquire().await;
        let content = chunk.content.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(content) = content else { return Ok(()) };
        let stored = self.folder.stored;
        let encode = move || chunk::encode(&content, stored);
        let bytes = tidegate_runtime::blocking::beside("encode staged output", encode).await??;
        let place = self.folder.storage.path(path);
        let put = self.folder.storage.store().put(&place, Bytes::from(bytes).into()).await;
        put.map(drop).map_err(|error| storage_error("write", &place, &error))
    }

    fn cached(&self, path: &str) -> Option<Bytes> {
        let chunk = self.lock().get(path).cloned()?;
        let content = chunk.content.lock().unwrap_or_else(PoisonError::into_inner);
        content.clone()
    }

    /// Lets go of what is stored, oldest first, until the rest is within its bound.
    fn forget_oldest(&self) {
        let chunks = self.lock();
        let mut stored: Vec<_> =
            chunks.values().filter(|chunk| chunk.stored.initialized()).collect();
        stored.sort_by_key(|chunk| std::cmp::Reverse(chunk.number));
        let mut kept = 0;
        for chunk in stored {
            kept += chunk.size;
            if kept > MAX_CACHED {
                *chunk.content.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
        }
    }

    /// Forgets chunks whose output is visible. Their objects stay as long as a manifest names them.
    pub fn release(&self, references: &[ChunkRef]) {
        let mut chunks = self.lock();
        for reference in references {
            chunks.remove(&reference.path);
        }
    }
}
