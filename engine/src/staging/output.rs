//! The staged output of one writer: records are collected into chunks, and an epoch's chunks become
//! a part of its unit.

use std::sync::Arc;

use bytes::Bytes;
use tidegate_runtime::{Task, spawn};
use tidegate_types::{Error, ErrorCode, Result};

use super::area::StagingArea;
use tidegate_checkpoint::staged::ChunkRef;

/// Content at which a chunk is full.
const CHUNK_BYTES: usize = 4 << 20;
/// Content that may wait for the store before writing waits too.
const MAX_UNSTORED: usize = 32 << 20;
/// Largest record: its length must fit, and a chunk is read whole.
const MAX_RECORD: usize = 256 << 20;

/// Collects the records of one writer.
pub struct StagedOutput {
    area: Arc<StagingArea>,
    chunk_bytes: usize,
    content: Vec<u8>,
    records: u64,
    number: u64,
    sealed: Vec<ChunkRef>,
    uploads: Vec<Task<()>>,
}

impl StagedOutput {
    /// Nothing yet.
    pub fn new(area: Arc<StagingArea>) -> Self {
        Self::with_chunk_bytes(area, CHUNK_BYTES)
    }

    pub(super) fn with_chunk_bytes(area: Arc<StagingArea>, chunk_bytes: usize) -> Self {
        Self {
            area,
            chunk_bytes,
            content: Vec::new(),
            records: 0,
            number: 0,
            sealed: Vec::new(),
            uploads: Vec::new(),
        }
    }

    /// Whether enough has come for a chunk: time to call [`StagedOutput::roll`].
    pub fn is_full(&self) -> bool {
        self.content.len() >= self.chunk_bytes
    }

    /// Adds a record: `write` appends its bytes.
    ///
    /// # Errors
    /// `BAD_RECORD` if it is too large to be staged.
    pub fn record(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        let start = self.content.len();
        self.content.extend_from_slice(&[0; 4]);
        write(&mut self.content);
        let length = self.content.len() - start - 4;
        if length > MAX_RECORD {
            self.content.truncate(start);
            let message = format!(
                "a record of {length} bytes is too large to be staged (most: {MAX_RECORD})"
            );
            return Err(Error::new(ErrorCode::BadRecord, message));
        }
        let length = (length as u32).to_le_bytes();
        if let Some(place) = self.content.get_mut(start..start + 4) {
            place.copy_from_slice(&length);
        }
        self.records += 1;
        Ok(())
    }

    /// Ends the chunk and starts its upload; waits while too much is on its way to the store.
    ///
    /// # Errors
    /// `UNAVAILABLE`, `PERMISSION_DENIED` with the object that the store does not take.
    pub async fn roll(&mut self) -> Result<()> {
        self.end_chunk();
        loop {
            let (bytes, oldest) = self.area.unstored();
            match oldest {
                Some(oldest) if bytes > MAX_UNSTORED => self.area.store(&oldest).await?,
                _ => return Ok(()),
            }
        }
    }

    /// Ends the epoch: the chunks of everything since the last time. They count once
    /// [`StagingArea::store`] has succeeded for each, which is part of the checkpoint's upload.
    pub fn seal(&mut self) -> Vec<ChunkRef> {
        self.end_chunk();
        std::mem::take(&mut self.sealed)
    }

    fn end_chunk(&mut self) {
        if self.content.is_empty() {
            return;
        }
        // The next chunk will be about as large.
        let next = Vec::with_capacity(self.content.len().min(self.chunk_bytes + (64 << 10)));
        let content = Bytes::from(std::mem::replace(&mut self.content, next));
        let reference = self.area.add(self.number, std::mem::take(&mut self.records), content);
        self.number += 1;
        let (area, path) = (Arc::clone(&self.area), reference.path.clone());
        self.uploads.retain(|upload| !upload.is_finished());
        self.uploads.push(spawn(format!("upload of {path}"), async move {
            // Whoever needs the chunk stored tries again and reports.
            if let Err(error) = area.store(&path).await {
                tracing::warn!(%error, "staged output could not be stored at once");
            }
        }));
        self.sealed.push(reference);
    }
}
