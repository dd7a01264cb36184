//! Chunks on local disk: those that were not read for longest, once the state of the job takes more memory than it may.
//!
//! What leads to a row stays in memory (its chain, its number of partners), so that only rows that are joined are read. A
//! chunk is read whole and not put back: where old rows are joined as often as new ones, that is slow, but it ends.

use std::cmp::Reverse;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use hashbrown::HashMap;
use tidegate_types::{Error, Result};

use super::rows::{CHUNK_ROWS, Chunk, Rows};
use super::side::Side;
use crate::operator::OperatorContext;
use crate::spill::{Block, SpillWriter};
use crate::texts::own;

/// Chunks that are kept in memory when they were read.
const LOADED: usize = 4;
/// Chunks in one file, whose room is given back when all of them are gone.
const CHUNKS_PER_FILE: usize = 32;
/// Part of a full chunk from which on moving it is worth it.
const MIN_PART: usize = 8;

/// Where chunks go, and how many went there.
pub(super) type Writer = Option<(SpillWriter, usize)>;

/// The rows of a chunk as they are at a moment.
pub(super) enum Content {
    /// In memory.
    Memory(Vec<RecordBatch>),
    /// On local disk.
    Disk(Block),
}

impl Content {
    /// The rows, in order.
    ///
    /// # Errors
    /// As [`Block::read`].
    pub(super) fn read(&self) -> Result<Vec<RecordBatch>> {
        match self {
            Self::Memory(pieces) => Ok(pieces.clone()),
            Self::Disk(block) => block.read(),
        }
    }
}

impl Chunk {
    /// The rows, wherever they are.
    pub(super) fn content(&self) -> Content {
        match &self.disk {
            Some(block) => Content::Disk(block.clone()),
            None => Content::Memory(self.pieces.clone()),
        }
    }
}

impl Rows {
    /// Rows of chunks on local disk, a batch for each chunk, numbered from `first` on in `places`.
    ///
    /// # Errors
    /// As [`Block::read`].
    pub(super) fn take_from_disk(
        &self,
        rows: HashMap<u32, Vec<(u32, usize)>>,
        first: usize,
        places: &mut [(usize, usize)],
    ) -> Result<Vec<RecordBatch>> {
        let mut taken = Vec::with_capacity(rows.len());
        for (chunk, rows) in rows {
            let whole = self.load(chunk)?;
            for (at, (_, place)) in rows.iter().enumerate() {
                places[*place] = (first + taken.len(), at);
            }
            let indices: UInt32Array = rows.iter().map(|(row, _)| *row).collect();
            let part = take_record_batch(&whole, &indices)
                .map_err(|error| Error::internal(error.to_string()))?;
            // The texts of the whole chunk go again.
            taken.push(own(&part)?);
        }
        Ok(taken)
    }

    /// A chunk that is on local disk.
    fn load(&self, place: u32) -> Result<RecordBatch> {
        let mut loaded = self.loaded.borrow_mut();
        if let Some((_, rows)) = loaded.iter().find(|(loaded, _)| *loaded == place) {
            return Ok(rows.clone());
        }
        let block = self.chunk(place).and_then(|chunk| chunk.disk.as_ref());
        let rows = block.ok_or_else(|| Error::internal("a chunk is gone"))?.read()?;
        let schema = rows.first().map_or_else(|| self.schema().clone(), RecordBatch::schema);
        let rows = concat_batches(&schema, &rows).map_err(|e| Error::internal(e.to_string()))?;
        loaded.truncate(LOADED - 1);
        loaded.push_front((place, rows.clone()));
        Ok(rows)
    }

    /// All rows of a chunk, live or not.
    ///
    /// # Errors
    /// As [`Block::read`].
    pub(super) fn content(&self, place: u32) -> Result<Vec<RecordBatch>> {
        match self.chunk(place) {
            Some(chunk) if chunk.disk.is_some() => Ok(vec![self.load(place)?]),
            Some(chunk) => Ok(chunk.pieces.clone()),
            None => Ok(Vec::new()),
        }
    }

    /// The chunk in memory that was not read for longest, unless it is small.
    fn coldest(&self) -> Option<u32> {
        let least = CHUNK_ROWS / MIN_PART;
        let in_memory = self.iter().filter(|(_, chunk)| {
            chunk.disk.is_none() && chunk.len() >= least && !self.schema().fields().is_empty()
        });
        in_memory.min_by_key(|(_, chunk)| chunk.read.get()).map(|(place, _)| place)
    }

    /// Moves a chunk, which takes no more rows, to local disk.
    fn spill(&mut self, place: u32, writer: &mut SpillWriter) -> Result<()> {
        let Some(chunk) = self.chunk_mut(place) else { return Ok(()) };
        let block = writer.write(&std::mem::take(&mut chunk.pieces))?;
        let (freed, spilled) = (std::mem::take(&mut chunk.bytes), block.bytes());
        chunk.disk = Some(block);
        self.bytes -= freed;
        self.spilled += spilled;
        Ok(())
    }
}

/// Moves the chunk that was not read for longest to local disk, of the side with most in memory; false if there
/// is none.
///
/// # Errors
/// As [`SpillWriter::write`].
pub(super) fn spill_coldest(
    sides: &mut [Side],
    writer: &mut Writer,
    context: &OperatorContext,
) -> Result<bool> {
    let mut sides: Vec<&mut Side> = sides.iter_mut().collect();
    sides.sort_by_key(|side| Reverse(side.rows.memory_size()));
    for side in sides {
        let Some(place) = side.rows.coldest() else { continue };
        side.open.retain(|_, open| *open != place);
        let (mut file, chunks) = match writer.take() {
            Some(writer) => writer,
            None => (context.spill.create()?, 0),
        };
        side.rows.spill(place, &mut file)?;
        *writer = Some((file, chunks + 1)).filter(|(_, chunks)| *chunks < CHUNKS_PER_FILE);
        return Ok(true);
    }
    Ok(false)
}
