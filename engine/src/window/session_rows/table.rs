//! Open sessions with the rows of each, and their way to local disk and back.
//!
//! A chunk there is two kinds of blocks: the parts with how many rows each has, and the rows in the
//! order of the parts, those that a snapshot holds apart from the others: a row is uploaded once.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Int64Type};
use tidegate_types::{Error, Result};

use super::super::chunks::{CHUNK_ROWS, ChunkExtra, Chunks};
use super::super::layout::RunLayout;
use super::super::row_store::{RowRef, RowStore, own};
use super::super::session_spill::SessionState;
use super::super::session_table::bounds;
use super::super::sessions::{NONE, Sessions};
use crate::spill::{Block, SpillWriter};

/// Sessions, and by session its rows.
pub(super) struct RowTable {
    key_types: Vec<DataType>,
    layout: Arc<RunLayout>,
    pub(super) sessions: Sessions,
    rows: Vec<Vec<RowRef>>,
    /// Bytes of the references in `rows`.
    ref_bytes: usize,
    pub(super) store: RowStore,
}

/// The rows of a chunk.
pub(super) struct ChunkRows {
    /// Those that a snapshot held when they were written, and the others.
    kinds: [RowBlocks; 2],
}

struct RowBlocks {
    block: Option<Block>,
    saved: bool,
    /// Rows that were taken.
    taken: usize,
    /// What was read, once some of it was taken.
    loaded: Option<RecordBatch>,
}

impl RowTable {
    /// No sessions, of keys of these types.
    pub(super) fn new(key_types: Vec<DataType>) -> Result<Self> {
        let counts = [DataType::Int64, DataType::Int64];
        let layout = Arc::new(RunLayout::new(&key_types, &counts));
        Self::with(key_types, layout, RowStore::new())
    }

    fn with(key_types: Vec<DataType>, layout: Arc<RunLayout>, store: RowStore) -> Result<Self> {
        let sessions = Sessions::new(key_types.clone())?;
        Ok(Self { key_types, layout, sessions, rows: Vec::new(), ref_bytes: 0, store })
    }

    /// Opens a session.
    pub(super) fn open(&mut self, key: u32, start: i64, end: i64) -> u32 {
        let session = self.sessions.open(key, start, end);
        self.rows.resize_with(self.sessions.capacity(), Vec::new);
        session
    }

    /// Adds a row to a session.
    pub(super) fn push(&mut self, session: u32, row: RowRef) {
        let rows = &mut self.rows[session as usize];
        let before = rows.capacity();
        rows.push(row);
        self.ref_bytes += (rows.capacity() - before) * size_of::<RowRef>();
    }

    /// The rows of a session, which has none then.
    pub(super) fn take_rows(&mut self, session: u32) -> Vec<RowRef> {
        let rows = std::mem::take(&mut self.rows[session as usize]);
        self.ref_bytes -= rows.capacity() * size_of::<RowRef>();
        rows
    }

    /// Closes a session whose rows nobody needs.
    pub(super) fn discard(&mut self, session: u32) {
        let rows = self.take_rows(session);
        self.store.release(&rows);
        self.sessions.close(session);
    }

    /// Moves live rows together; `others` are references beside those of sessions.
    pub(super) fn compact<'a>(
        &'a mut self,
        others: impl Iterator<Item = &'a mut RowRef>,
    ) -> Result<()> {
        let own: Vec<&mut RowRef> = self.rows.iter_mut().flatten().collect();
        self.store.compact(own.into_iter().chain(others))
    }

    /// Writes parts with their rows as one chunk.
    fn write_chunk(
        &self,
        parts: &[(u32, &[RowRef])],
        run: i64,
        chunks: &mut Chunks<ChunkRows>,
        writer: &mut SpillWriter,
    ) -> Result<()> {
        let ids: Vec<u32> = parts.iter().map(|(id, _)| *id).collect();
        let of_kind = |saved: bool| -> (Vec<i64>, Vec<RowRef>) {
            let mut all = Vec::new();
            let counts = parts.iter().map(|(_, rows)| {
                let before = all.len();
                all.extend(rows.iter().filter(|row| self.store.is_saved(**row) == saved));
                (all.len() - before) as i64
            });
            (counts.collect(), all)
        };
        let (saved, unsaved) = (of_kind(true), of_kind(false));
        let bound = |of: fn(&Sessions, u32) -> i64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(ids.iter().map(|id| of(&self.sessions, *id))))
        };
        let mut columns = vec![
            bound(|sessions, id| sessions.get(id).end),
            bound(|sessions, id| sessions.get(id).start),
            Arc::new(Int64Array::from_value(run, ids.len())),
        ];
        columns.extend(self.sessions.key_columns(&ids)?);
        columns.extend([saved.0, unsaved.0].map(|counts| Arc::new(Int64Array::from(counts)) as _));
        let parts = RecordBatch::try_new(self.layout.schema.clone(), columns)
            .map_err(|error| Error::internal(format!("parts of sessions: {error}")))?;
        let mut kinds = [RowBlocks::new(true), RowBlocks::new(false)];
        for (kind, rows) in kinds.iter_mut().zip([saved.1, unsaved.1]) {
            if !rows.is_empty() {
                kind.block = Some(writer.write(&[own(&self.store.gather(&rows)?)?])?);
            }
        }
        chunks.write(&parts, &self.layout, writer, ChunkRows { kinds })
    }
}

impl SessionState for RowTable {
    type Extra = ChunkRows;

    fn empty(&self) -> Result<Self> {
        Self::with(self.key_types.clone(), self.layout.clone(), self.store.empty())
    }

    fn layout(&self) -> &RunLayout {
        &self.layout
    }

    fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    fn sessions_mut(&mut self) -> &mut Sessions {
        &mut self.sessions
    }

    fn merge_into(&mut self, target: u32, start: i64, end: i64) -> Result<()> {
        self.sessions.extend(target, start, end);
        while let Some(other) = self.sessions.neighbour(target) {
            let (mut rows, mut fewer) = (self.take_rows(target), self.take_rows(other));
            if fewer.len() > rows.len() {
                std::mem::swap(&mut fewer, &mut rows);
            }
            rows.append(&mut fewer);
            self.ref_bytes += rows.capacity() * size_of::<RowRef>();
            self.rows[target as usize] = rows;
            self.sessions.absorb(target, other);
        }
        Ok(())
    }

    fn fit(&self, ids: &[u32]) -> usize {
        let mut rows = 0;
        let fits = ids.iter().take(CHUNK_ROWS).take_while(|id| {
            rows += self.rows[**id as usize].len();
            rows <= CHUNK_ROWS
        });
        fits.count().max(1)
    }

    fn write(
        &self,
        ids: &[u32],
        run: i64,
        chunks: &mut Chunks<ChunkRows>,
        writer: &mut SpillWriter,
    ) -> Result<()> {
        if let [one] = ids {
            // May be too long for a chunk: then it is several parts.
            let mut rows = self.rows[*one as usize].chunks(CHUNK_ROWS);
            return rows
                .try_for_each(|rows| self.write_chunk(&[(*one, rows)], run, chunks, writer));
        }
        let parts = ids.iter().map(|id| (*id, self.rows[*id as usize].as_slice()));
        self.write_chunk(&parts.collect::<Vec<_>>(), run, chunks, writer)
    }

    fn add(&mut self, parts: &RecordBatch, extra: &mut ChunkRows) -> Result<()> {
        let keys: Vec<usize> = self.layout.key_columns().collect();
        let mut slots = Vec::new();
        self.sessions.key_slots(parts, &keys, &mut slots)?;
        let counts = self.layout.key_columns().end;
        let mut targets = Vec::with_capacity(slots.len());
        for (key, (end, start)) in slots.iter().zip(bounds(parts)) {
            match self.sessions.touching(*key, start, end) {
                (NONE, _) => {
                    self.open(*key, start, end);
                }
                (target, true) => self.merge_into(target, start, end)?,
                (target, false) => self.sessions.extend(target, start, end),
            }
            targets.push((*key, start, end));
        }
        for (kind, column) in extra.kinds.iter_mut().zip(counts..) {
            let counts = parts.column(column).as_primitive::<Int64Type>().values();
            let total: i64 = counts.iter().sum();
            if total == 0 {
                continue;
            }
            let rows = kind.take(total as usize)?;
            let batch = self.store.reserve();
            let all: Vec<u32> = (0..rows.num_rows() as u32).collect();
            let mut next = 0;
            for ((key, start, end), count) in targets.iter().zip(counts) {
                let (session, _) = self.sessions.touching(*key, *start, *end);
                for row in next..next + *count as u32 {
                    self.push(session, RowRef { batch, row });
                }
                next += *count as u32;
            }
            self.store.fill(batch, rows, &all, kind.saved);
        }
        Ok(())
    }

    fn memory_size(&self) -> usize {
        self.sessions.memory_size()
            + self.store.memory_size()
            + self.ref_bytes
            + self.rows.capacity() * size_of::<Vec<RowRef>>()
    }
}

impl ChunkRows {
    /// Rows that no snapshot holds (or all) and that were not taken: as a block or, where some were taken, in
    /// memory. Then a snapshot holds them.
    pub(super) fn take_unsaved(
        &mut self,
        all: bool,
        spilled: &mut Vec<Block>,
        batches: &mut Vec<RecordBatch>,
    ) -> Result<()> {
        for kind in &mut self.kinds {
            let Some(block) = &kind.block else { continue };
            if std::mem::replace(&mut kind.saved, true) && !all {
                continue;
            }
            if kind.taken == 0 {
                spilled.push(block.clone());
            } else if kind.taken < block.rows() {
                batches.push(kind.load()?.slice(kind.taken, block.rows() - kind.taken));
            }
        }
        Ok(())
    }

    /// Rows that were not taken.
    pub(super) fn rows(&self) -> usize {
        let rows = |kind: &RowBlocks| kind.block.as_ref().map_or(0, Block::rows) - kind.taken;
        self.kinds.iter().map(rows).sum()
    }
}

impl RowBlocks {
    fn new(saved: bool) -> Self {
        Self { block: None, saved, taken: 0, loaded: None }
    }

    fn load(&self) -> Result<RecordBatch> {
        match (&self.loaded, &self.block) {
            (Some(rows), _) => Ok(rows.clone()),
            (None, Some(block)) => {
                let batches = block.read()?;
                let first = batches.first().ok_or_else(|| Error::internal("no rows in a chunk"))?;
                concat_batches(&first.schema(), &batches)
                    .map_err(|error| Error::internal(error.to_string()))
            }
            (None, None) => Err(Error::internal("a chunk lacks rows")),
        }
    }

    /// Takes the next rows.
    fn take(&mut self, count: usize) -> Result<RecordBatch> {
        let rows = self.load()?;
        let (from, until) = (self.taken, self.taken + count);
        self.taken = until;
        if from == 0 && until == rows.num_rows() {
            return Ok(rows);
        }
        let places = arrow::array::UInt32Array::from_iter_values(from as u32..until as u32);
        let taken =
            take_record_batch(&rows, &places).map_err(|e| Error::internal(e.to_string()))?;
        self.loaded = (until < rows.num_rows()).then_some(rows);
        own(&taken)
    }
}

impl ChunkExtra for ChunkRows {
    fn memory_size(&self) -> usize {
        let loaded = self.kinds.iter().filter_map(|kind| kind.loaded.as_ref());
        loaded.map(RecordBatch::get_array_memory_size).sum()
    }

    fn spilled_bytes(&self) -> usize {
        self.kinds.iter().filter_map(|kind| kind.block.as_ref()).map(Block::bytes).sum()
    }

    fn unload(&mut self) -> bool {
        let loaded = self.kinds.iter_mut().filter_map(|kind| kind.loaded.take());
        loaded.count() > 0
    }
}
