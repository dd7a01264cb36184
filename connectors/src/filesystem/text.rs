//! Reads the records of a text file, or of a range of its bytes: fetch, decompress, cut, decode.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use tidegate_engine::connector::ReaderContext;
use tidegate_engine::element::Changes;
use tidegate_types::{Error, ErrorCode, Result};

use super::compression::{Compression, Decompressor, PIECE};
use super::source::{Shared, decoder_context};
use super::split::{Part, SplitState};
use crate::format::{self, Decoder, Framing, Records};
use tidegate_storage::store_error;

/// Bytes that are fetched at once.
const FETCH_BYTES: u64 = 4 << 20;
/// Bytes that are fetched at once behind the end of a range, to complete its last record.
const TAIL_BYTES: u64 = 64 << 10;
/// Longest record.
const MAX_RECORD_BYTES: usize = 64 << 20;
/// Most bytes of records that are decoded at once.
const MAX_BATCH_BYTES: usize = 16 << 20;

/// Reads one split of a text file.
pub(super) struct Text {
    shared: Arc<Shared>,
    context: ReaderContext,
    path: Path,
    state: SplitState,
    framing: Framing,
    decoder: Box<dyn Decoder>,
    records: Records,
    decompressor: Option<Decompressor>,
    /// Next byte of the file to fetch.
    fetch_at: u64,
    /// A fetch that is under way. Kept here, so that a cancelled `next` loses nothing.
    fetch: Option<BoxFuture<'static, object_store::Result<Bytes>>>,
    /// Fetched bytes that are not decompressed yet.
    compressed: Bytes,
    /// Content that is not decoded yet, from `consumed` on.
    buffer: Vec<u8>,
    consumed: usize,
    /// Bytes of decompressed content still to be dropped: they were read before a restore.
    skip: u64,
    /// Whether `buffer` holds the rest of the file.
    at_end: bool,
}

impl Text {
    /// Begins where `state` says.
    pub(super) fn new(
        shared: Arc<Shared>,
        path: Path,
        state: SplitState,
        context: ReaderContext,
    ) -> Result<Self> {
        let framing = format::framing(&shared.format)?;
        let decoder = format::decoder(&decoder_context(&shared))?;
        let (fetch_at, skip, compression) = match &state.part {
            // One byte early: if that is a line end, the record behind it is ours.
            Part::Bytes { start, next, .. } => {
                (next.unwrap_or(start.saturating_sub(1)), 0, Compression::None)
            }
            Part::Stream { next, .. } => {
                (0, *next, Compression::of(path.filename().unwrap_or_default())?)
            }
            Part::RowGroups { .. } | Part::Blocks { .. } | Part::Stripes { .. } => {
                return Err(Error::internal("a file of columns or blocks is not text"));
            }
        };
        let decompressor =
            Decompressor::new(compression).map_err(|error| Error::internal(error.to_string()))?;
        Ok(Self {
            shared,
            context,
            path,
            state,
            framing,
            decoder,
            records: Records::new(),
            decompressor,
            fetch_at,
            fetch: None,
            compressed: Bytes::new(),
            buffer: Vec::new(),
            consumed: 0,
            skip,
            at_end: false,
        })
    }

    /// The position behind the records that `next` has returned or skipped.
    pub(super) fn position(&self) -> &Part {
        &self.state.part
    }

    /// The next rows, at least one; `None` at the end of the split. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Option<Changes>> {
        loop {
            if self.skip_to_first_record() {
                if self.is_past_end() {
                    return Ok(None);
                }
                if let Some(rows) = self.decode_buffered()? {
                    return Ok(Some(rows));
                }
                if self.at_end && self.consumed >= self.buffer.len() {
                    return Ok(None);
                }
                if self.is_past_end() {
                    return Ok(None);
                }
            } else if self.at_end {
                return Ok(None);
            }
            self.fill().await?;
        }
    }

    /// Moves behind the first line end of a range that does not start at the file's beginning: the
    /// record before it belongs to the range before. Returns whether the first record was found.
    fn skip_to_first_record(&mut self) -> bool {
        let Part::Bytes { start, next, .. } = &mut self.state.part else {
            return true;
        };
        if next.is_some() {
            return true;
        }
        if *start == 0 {
            *next = Some(0);
            return true;
        }
        match memchr::memchr(b'\n', self.buffer.get(self.consumed..).unwrap_or_default()) {
            Some(at) => {
                let buffered = (self.buffer.len() - self.consumed) as u64;
                *next = Some(self.fetch_at - buffered + at as u64 + 1);
                self.consumed += at + 1;
                true
            }
            None => {
                self.consumed = self.buffer.len();
                false
            }
        }
    }

    /// Whether the next record belongs to the next range.
    fn is_past_end(&self) -> bool {
        matches!(&self.state.part, Part::Bytes { end, next: Some(next), .. } if next >= end)
    }

    /// Decodes complete records of the buffer until there is a row.
    fn decode_buffered(&mut self) -> Result<Option<Changes>> {
        loop {
            let data = self.buffer.get(self.consumed..).unwrap_or_default();
            let window = &data[..data.len().min(MAX_BATCH_BYTES)];
            let at_end = self.at_end && window.len() == data.len();
            let limit = match &self.state.part {
                Part::Bytes { end, next: Some(next), .. } => {
                    usize::try_from(end - next.min(end)).unwrap_or(usize::MAX)
                }
                _ => usize::MAX,
            };
            self.records.clear();
            let mut cut =
                self.framing.cut(window, at_end, limit, self.context.batch_rows, &mut self.records);
            if cut == 0 && window.len() < data.len() {
                cut = self.framing.cut(data, self.at_end, limit, 1, &mut self.records);
            }
            if cut == 0 {
                return self.check_record_size(data.len()).map(|()| None);
            }
            let decoded = match self.decoder.decode(&self.records) {
                Ok(decoded) => decoded,
                Err(error) => {
                    return Err(error.into_error(&self.records, &self.shared.format, |record| {
                        self.place(record)
                    }));
                }
            };
            self.context.metrics.bad_records.add(decoded.bad_records);
            self.advance(cut);
            if decoded.rows.num_rows() > 0 {
                return Ok(Some(Changes { kinds: decoded.kinds, rows: decoded.rows }));
            }
        }
    }

    fn advance(&mut self, bytes: usize) {
        self.consumed += bytes;
        let count = self.records.len() as u64;
        match &mut self.state.part {
            Part::Bytes { next, records, .. } => {
                *next = next.map(|next| next + bytes as u64);
                *records += count;
            }
            Part::Stream { next, records } => {
                *next += bytes as u64;
                *records += count;
            }
            Part::RowGroups { .. } | Part::Blocks { .. } | Part::Stripes { .. } => {}
        }
    }

    fn check_record_size(&self, bytes: usize) -> Result<()> {
        if bytes <= MAX_RECORD_BYTES {
            return Ok(());
        }
        let message =
            format!("{}: a record is longer than {MAX_RECORD_BYTES} bytes", self.place(0));
        Err(Error::new(ErrorCode::BadRecord, message)
            .help("check that the format fits the file and that records end with a line end"))
    }

    /// Where a record of the current batch is.
    fn place(&self, record: usize) -> String {
        let file = self.shared.location.display(&self.path);
        match &self.state.part {
            Part::Bytes { start: 0, records, .. } | Part::Stream { records, .. } => {
                let what = if self.framing.is_splittable() { "line" } else { "record" };
                format!("file {file}, {what} {}", records + record as u64 + 1)
            }
            Part::Bytes { next, .. } => {
                let before: usize =
                    (0..record).map(|i| self.records.get(i).map_or(0, |r| r.len() + 1)).sum();
                format!("file {file}, near byte {}", next.unwrap_or_default() + before as u64)
            }
            Part::RowGroups { .. } | Part::Blocks { .. } | Part::Stripes { .. } => {
                format!("file {file}")
            }
        }
    }

    /// Gets more content into the buffer, or notes the end of the file.
    async fn fill(&mut self) -> Result<()> {
        self.buffer.drain(..self.consumed);
        self.consumed = 0;
        if self.decompressor.is_some() && !self.compressed.is_empty() {
            return self.decompress_piece();
        }
        if self.fetch.is_none() {
            match self.next_range() {
                Some(range) => {
                    let (store, path) =
                        (Arc::clone(&self.shared.location.store), self.path.clone());
                    self.fetch = Some(Box::pin(async move { store.get_range(&path, range).await }));
                }
                None => return self.end_of_file(),
            }
        }
        let Some(fetch) = &mut self.fetch else {
            return Ok(());
        };
        let fetched = fetch.await;
        self.fetch = None;
        let place = || self.shared.location.display(&self.path);
        let bytes = fetched.map_err(|error| store_error(error, &place()).context("read file"))?;
        if bytes.is_empty() {
            let message = format!("file {} became shorter while it was read", place());
            return Err(Error::new(ErrorCode::Unavailable, message));
        }
        self.context.metrics.bytes.add(bytes.len() as u64);
        self.fetch_at += bytes.len() as u64;
        if self.decompressor.is_some() {
            self.compressed = bytes;
            return self.decompress_piece();
        }
        self.buffer.extend_from_slice(&bytes);
        self.at_end = self.fetch_at >= self.state.size;
        Ok(())
    }

    /// The bytes to fetch next; `None` at the end of the file.
    fn next_range(&self) -> Option<std::ops::Range<u64>> {
        let from = self.fetch_at;
        let step = match &self.state.part {
            Part::Bytes { end, .. } if from >= *end => TAIL_BYTES,
            Part::Bytes { end, .. } if self.state.size > *end => FETCH_BYTES.min(end - from),
            _ => FETCH_BYTES,
        };
        let to = (from + step).min(self.state.size);
        (from < to).then_some(from..to)
    }

    fn decompress_piece(&mut self) -> Result<()> {
        let Some(decompressor) = &mut self.decompressor else {
            return Ok(());
        };
        let piece = self.compressed.split_to(self.compressed.len().min(PIECE));
        let before = self.buffer.len();
        let result = decompressor.push(&piece, &mut self.buffer);
        self.drop_skipped(before);
        result.map_err(|error| self.damaged(&error))
    }

    fn end_of_file(&mut self) -> Result<()> {
        self.at_end = true;
        let Some(decompressor) = &mut self.decompressor else {
            return Ok(());
        };
        let before = self.buffer.len();
        let result = decompressor.finish(&mut self.buffer);
        self.drop_skipped(before);
        result.map_err(|error| self.damaged(&error))
    }

    /// Drops content behind `from` that was read before a restore.
    fn drop_skipped(&mut self, from: usize) {
        let drop = self.skip.min((self.buffer.len() - from) as u64);
        self.skip -= drop;
        // At most the buffer's length, so it fits.
        self.buffer.drain(from..from + drop as usize);
    }

    fn damaged(&self, error: &std::io::Error) -> Error {
        let file = self.shared.location.display(&self.path);
        Error::new(ErrorCode::BadRecord, format!("file {file} is not properly compressed: {error}"))
            .help("replace the file, or leave it out with 'source.path.regex-pattern'")
    }
}
