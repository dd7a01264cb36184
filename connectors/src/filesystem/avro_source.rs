//! Reads the blocks of Avro files, or those of a range of a file. Blocks end with a marker that the file's head tells,
//! so reading can begin at any of them.

use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use futures::future::BoxFuture;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use tidegate_engine::connector::ReaderContext;
use tidegate_types::error::ResultExt as _;
use tidegate_types::{Error, ErrorCode, Result};

use super::source::Shared;
use super::split::{Part, SplitState};
use crate::format::avro::container::{BlockReader, Head, MARKER};
use tidegate_storage::store_error;

/// Bytes that are fetched first, in the hope that they hold the whole head.
const HEAD_BYTES: u64 = 64 << 10;
/// Bytes that are fetched at once.
const FETCH_BYTES: u64 = 4 << 20;

/// Reads one split of an Avro file.
pub(super) struct Blocks {
    shared: Arc<Shared>,
    path: Path,
    state: SplitState,
    context: ReaderContext,
    opened: Option<Opened>,
    /// Bytes of the file from `at` on.
    buffer: Vec<u8>,
    at: u64,
    /// A fetch that is under way. Kept here, so that a cancelled `next` loses nothing.
    fetch: Option<BoxFuture<'static, object_store::Result<Bytes>>>,
}

/// What the head of the file says.
struct Opened {
    marker: [u8; MARKER],
    head: u64,
    reader: BlockReader,
    /// Bytes of the block that is being read.
    block: u64,
}

impl Blocks {
    /// Begins where `state` says.
    pub(super) fn new(
        shared: Arc<Shared>,
        path: Path,
        state: SplitState,
        context: ReaderContext,
    ) -> Self {
        Self { shared, path, state, context, opened: None, buffer: Vec::new(), at: 0, fetch: None }
    }

    /// The position behind the rows that `next` has returned.
    pub(super) fn position(&self) -> &Part {
        &self.state.part
    }

    /// The next rows, at least one; `None` at the end of the split. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let progress = match (&self.opened, &self.state.part) {
                (None, _) => self.open_file()?,
                (Some(_), Part::Blocks { next: None, .. }) => self.find_first_block()?,
                (Some(opened), _) if opened.reader.is_open() => return self.rows().map(Some),
                (Some(_), Part::Blocks { end, next: Some(next), .. }) => match next < end {
                    true => self.open_block()?,
                    false => return Ok(None),
                },
                _ => return Err(Error::internal("no blocks are read from a file without them")),
            };
            if !progress {
                self.fetch_more().await?;
            }
        }
    }

    /// Reads the head, if it is there.
    fn open_file(&mut self) -> Result<bool> {
        let whole = self.is_whole();
        let Some(head) = Head::read(&self.buffer, whole).map_err(|error| self.damaged(&error))?
        else {
            return Ok(false);
        };
        let place = || format!("file {}", self.shared.location.display(&self.path));
        let reader = head.reader(&self.shared.layout.decoded).context(place)?;
        let length = head.length as u64;
        self.opened = Some(Opened { marker: head.marker, head: length, reader, block: 0 });
        if let Part::Blocks { next: Some(next), .. } = self.state.part {
            self.go_to(next);
        }
        Ok(true)
    }

    /// Finds the first block that starts in the split: behind a marker.
    fn find_first_block(&mut self) -> Result<bool> {
        let whole = self.is_whole();
        let Some(Opened { marker, head, .. }) = &self.opened else { return Ok(true) };
        let (marker, head) = (*marker, *head);
        let Part::Blocks { start, end, .. } = self.state.part else { return Ok(true) };
        let found = if start <= head {
            Some(head)
        } else {
            // The marker may end where the range begins.
            self.go_to((start - MARKER as u64).max(self.at));
            match memchr::memmem::find(&self.buffer, &marker) {
                Some(place) => Some(self.at + (place + MARKER) as u64),
                None if whole || self.at >= end => Some(self.state.size.max(end)),
                None => {
                    let keep = self.buffer.len().min(MARKER - 1);
                    self.go_to(self.at + (self.buffer.len() - keep) as u64);
                    None
                }
            }
        };
        let Some(found) = found else { return Ok(false) };
        self.go_to(found);
        if let Part::Blocks { next, .. } = &mut self.state.part {
            *next = Some(found);
        }
        Ok(true)
    }

    /// Begins the next block, if it is there.
    fn open_block(&mut self) -> Result<bool> {
        let whole = self.is_whole();
        let (Some(opened), Part::Blocks { rows, next, end, .. }) =
            (&mut self.opened, &mut self.state.part)
        else {
            return Ok(true);
        };
        if self.buffer.is_empty() && whole {
            *next = Some(*end);
            return Ok(true);
        }
        let result = opened.reader.open(&self.buffer, whole).and_then(|block| {
            let Some(block) = block else { return Ok(None) };
            opened.reader.skip(*rows)?;
            Ok(Some(block))
        });
        let Some(block) = result.map_err(|error| self.damaged(&error))? else { return Ok(false) };
        if let Some(opened) = &mut self.opened {
            opened.block = block as u64;
        }
        self.end_block_if_read();
        Ok(true)
    }

    /// The next rows of the block that is being read.
    fn rows(&mut self) -> Result<RecordBatch> {
        let most = self.context.batch_rows;
        let Some(opened) = &mut self.opened else {
            return Err(Error::internal("no block is open"));
        };
        let batch = match opened.reader.rows(most) {
            Ok(batch) => batch?,
            Err((record, message)) => {
                let Part::Blocks { rows, next, .. } = &self.state.part else {
                    return Err(Error::internal("no block is open"));
                };
                let file = self.shared.location.display(&self.path);
                let (record, block) = (rows + record as u64 + 1, next.unwrap_or_default());
                let message =
                    format!("file {file}, record {record} of the block at byte {block}: {message}");
                return Err(Error::new(ErrorCode::BadRecord, message));
            }
        };
        if let Part::Blocks { rows, .. } = &mut self.state.part {
            *rows += batch.num_rows() as u64;
        }
        self.end_block_if_read();
        Ok(batch)
    }

    /// Goes behind the block if all of its records were read.
    fn end_block_if_read(&mut self) {
        let Some(opened) = self.opened.as_ref().filter(|opened| !opened.reader.is_open()) else {
            return;
        };
        let block = opened.block;
        let Part::Blocks { next: Some(next), rows, .. } = &mut self.state.part else { return };
        *next += block;
        *rows = 0;
        let to = *next;
        self.go_to(to);
    }

    /// Drops what is buffered in front of a byte of the file.
    fn go_to(&mut self, byte: u64) {
        let drop = usize::try_from(byte.saturating_sub(self.at)).unwrap_or(usize::MAX);
        if drop <= self.buffer.len() && byte >= self.at {
            self.buffer.drain(..drop);
        } else {
            self.buffer.clear();
        }
        self.at = byte;
    }

    /// Whether the buffer holds the rest of the file.
    fn is_whole(&self) -> bool {
        self.at + self.buffer.len() as u64 >= self.state.size
    }

    async fn fetch_more(&mut self) -> Result<()> {
        let from = self.at + self.buffer.len() as u64;
        let step = if self.opened.is_none() && from == 0 { HEAD_BYTES } else { FETCH_BYTES };
        let to = (from + step).min(self.state.size);
        if from >= to {
            return Err(self.damaged("it ends too early"));
        }
        let fetch = self.fetch.get_or_insert_with(|| {
            let (store, path) = (Arc::clone(&self.shared.location.store), self.path.clone());
            Box::pin(async move { store.get_range(&path, from..to).await })
        });
        let fetched = fetch.await;
        self.fetch = None;
        let place = || self.shared.location.display(&self.path);
        let bytes = fetched.map_err(|error| store_error(error, &place()).context("read file"))?;
        if bytes.is_empty() {
            let message = format!("file {} became shorter while it was read", place());
            return Err(Error::new(ErrorCode::Unavailable, message));
        }
        self.context.metrics.bytes.add(bytes.len() as u64);
        self.buffer.extend_from_slice(&bytes);
        Ok(())
    }

    fn damaged(&self, why: &str) -> Error {
        let file = self.shared.location.display(&self.path);
        Error::new(ErrorCode::BadRecord, format!("file {file}: {why}"))
            .help("replace the file, or leave it out with 'source.path.regex-pattern'")
    }
}
