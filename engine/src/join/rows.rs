//! The rows of one side of a join, in coalesced batches ("chunks") with places that do not change while a row lives.
//! Which rows are linked to which key is the business of [`super::side`].

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{concat_batches, interleave};
use arrow::datatypes::SchemaRef;
use hashbrown::HashMap;
use tidegate_types::{Error, ErrorCode, Result};

use crate::spill::Block;
use crate::texts::own_if_many;

/// Rows of a chunk, as a power of two.
pub(super) const CHUNK_BITS: u32 = if cfg!(test) { 4 } else { 13 };
/// Most rows of a chunk.
pub(super) const CHUNK_ROWS: usize = 1 << CHUNK_BITS;

/// Place of a row: chunk × [`CHUNK_ROWS`] + row.
pub(super) type RowId = u32;
/// No row.
pub(super) const NONE: RowId = u32::MAX;
/// Most chunks, so that the marks at the end of the numbers are no rows.
const MAX_CHUNKS: usize = (u32::MAX >> CHUNK_BITS) as usize;

/// Chunks by place.
pub(super) struct Rows {
    /// All columns nullable.
    schema: SchemaRef,
    /// One row of NULLs.
    nothing: RecordBatch,
    chunks: Vec<Option<Chunk>>,
    free: Vec<u32>,
    pub(super) bytes: usize,
    /// Bytes on local disk.
    pub(super) spilled: usize,
    /// Counts the calls that read rows.
    reads: Cell<u64>,
    /// Chunks that were read from local disk last.
    pub(super) loaded: RefCell<VecDeque<(u32, RecordBatch)>>,
}

/// Some rows, and what holds for all of them.
pub(super) struct Chunk {
    /// One, once the chunk is full; before, each at least twice as long as the next.
    pub(super) pieces: Vec<RecordBatch>,
    /// Where the rows are if they are not in memory.
    pub(super) disk: Option<Block>,
    /// When rows of it were read last, by number of the call.
    pub(super) read: Cell<u64>,
    /// First row of each piece.
    starts: Vec<u32>,
    len: u32,
    pub(super) live: u32,
    /// Numbers of the rows in snapshots.
    pub(super) numbers: Numbers,
    /// Watermark (or clock) from which on no row is needed; `i64::MAX`: never.
    pub(super) expires: i64,
    /// The clock when a row came or changed last.
    pub(super) touched: i64,
    /// The clock when the first row came.
    pub(super) opened: i64,
    /// Rows at the beginning that a snapshot holds.
    pub(super) saved: u32,
    pub(super) bytes: usize,
}

/// Numbers by which snapshots know rows: with the hash of the key no two rows of a job have the same.
pub(super) enum Numbers {
    /// Ascending from this one.
    From(u64),
    /// One by one.
    Each(Vec<u64>),
}

impl Numbers {
    /// The number of a row.
    pub(super) fn get(&self, row: usize) -> u64 {
        match self {
            Self::From(first) => first + row as u64,
            Self::Each(numbers) => numbers[row],
        }
    }

    /// Numbers of the rows behind `len` others.
    fn extend(&mut self, len: usize, more: &[u64]) {
        if len == 0
            && let (Self::From(first), Some(number)) = (&mut *self, more.first())
        {
            *first = *number;
        }
        if let Self::From(first) = *self {
            let next = first + len as u64;
            if more.iter().zip(next..).all(|(number, expected)| *number == expected) {
                return;
            }
            *self = Self::Each((first..next).collect());
        }
        if let Self::Each(numbers) = self {
            numbers.extend_from_slice(more);
        }
    }
}

impl Rows {
    /// No rows of these columns.
    pub(super) fn new(schema: &SchemaRef) -> Result<Self> {
        let fields = schema.fields().iter();
        let fields: Vec<_> =
            fields.map(|field| field.as_ref().clone().with_nullable(true)).collect();
        let schema: SchemaRef = Arc::new(arrow::datatypes::Schema::new(fields));
        let nulls = schema.fields().iter().map(|field| new_null_array(field.data_type(), 1));
        let nothing = batch(&schema, nulls.collect(), 1)?;
        Ok(Self {
            schema,
            nothing,
            chunks: Vec::new(),
            free: Vec::new(),
            bytes: 0,
            spilled: 0,
            reads: Cell::new(0),
            loaded: RefCell::default(),
        })
    }

    /// The columns.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Places of chunks, used or not.
    pub(super) fn places(&self) -> usize {
        self.chunks.len()
    }

    /// A chunk.
    pub(super) fn chunk(&self, place: u32) -> Option<&Chunk> {
        self.chunks.get(place as usize).and_then(Option::as_ref)
    }

    /// A chunk.
    pub(super) fn chunk_mut(&mut self, place: u32) -> Option<&mut Chunk> {
        self.chunks.get_mut(place as usize).and_then(Option::as_mut)
    }

    /// Chunks with their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Chunk)> {
        let chunks = self.chunks.iter().enumerate();
        chunks.filter_map(|(place, chunk)| Some((place as u32, chunk.as_ref()?)))
    }

    /// A new chunk without rows.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED` if there are four billion rows.
    pub(super) fn open(&mut self, first: u64, expires: i64, now: i64) -> Result<u32> {
        let chunk = Chunk {
            pieces: Vec::new(),
            disk: None,
            read: Cell::new(self.reads.get()),
            starts: Vec::new(),
            len: 0,
            live: 0,
            numbers: Numbers::From(first),
            expires,
            touched: now,
            opened: now,
            saved: 0,
            bytes: 0,
        };
        if let Some(place) = self.free.pop() {
            self.chunks[place as usize] = Some(chunk);
            return Ok(place);
        }
        if self.chunks.len() >= MAX_CHUNKS {
            let message = "one subtask of a join cannot keep more than 4 billion rows of an input";
            return Err(Error::new(ErrorCode::ResourceExhausted, message)
                .help("raise the parallelism, or set 'table.exec.state.ttl'"));
        }
        self.chunks.push(Some(chunk));
        Ok(self.chunks.len() as u32 - 1)
    }

    /// Adds rows, whose buffers should be their own ([`own`]), to a chunk that has room for them.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(super) fn append(&mut self, place: u32, rows: &RecordBatch, numbers: &[u64]) -> Result<()> {
        let rows = batch(&self.schema, rows.columns().to_vec(), rows.num_rows())?;
        let Some(chunk) = self.chunks.get_mut(place as usize).and_then(Option::as_mut) else {
            return Err(Error::internal("rows for a chunk that is gone"));
        };
        let before = chunk.bytes;
        chunk.numbers.extend(chunk.len as usize, numbers);
        chunk.push(rows)?;
        self.bytes = self.bytes - before + chunk.bytes;
        Ok(())
    }

    /// Forgets a chunk.
    pub(super) fn close(&mut self, place: u32) {
        if let Some(chunk) = self.chunks[place as usize].take() {
            self.bytes -= chunk.bytes;
            self.spilled -= chunk.disk.as_ref().map_or(0, Block::bytes);
            self.loaded.borrow_mut().retain(|(loaded, _)| *loaded != place);
            self.free.push(place);
        }
    }

    /// Some columns of rows, in their order; [`NONE`]: NULLs.
    ///
    /// # Errors
    /// `INTERNAL` if a row is gone.
    pub(super) fn gather(&self, columns: &[usize], rows: &[RowId]) -> Result<Vec<ArrayRef>> {
        if columns.is_empty() {
            return Ok(Vec::new());
        }
        let read = self.reads.get() + 1;
        self.reads.set(read);
        // Rows that are on local disk: by chunk the row and its place in the answer.
        let mut on_disk: HashMap<u32, Vec<(u32, usize)>> = HashMap::new();
        let mut dense = vec![u32::MAX; self.chunks.len()];
        let mut batches: Vec<&RecordBatch> = Vec::new();
        let mut nothing = None;
        let mut places = Vec::with_capacity(rows.len());
        for row in rows {
            if *row == NONE {
                let place = *nothing.get_or_insert_with(|| {
                    batches.push(&self.nothing);
                    batches.len() - 1
                });
                places.push((place, 0));
                continue;
            }
            let (slot, row) = split(*row);
            let chunk =
                self.chunks[slot].as_ref().ok_or_else(|| Error::internal("a row is gone"))?;
            if chunk.disk.is_some() {
                on_disk.entry(slot as u32).or_default().push((row as u32, places.len()));
                places.push((0, 0));
                continue;
            }
            if dense[slot] == u32::MAX {
                chunk.read.set(read);
                dense[slot] = batches.len() as u32;
                batches.extend(&chunk.pieces);
            }
            let (piece, row) = chunk.piece_of(row);
            places.push((dense[slot] as usize + piece, row));
        }
        let taken = self.take_from_disk(on_disk, batches.len(), &mut places)?;
        batches.extend(&taken);
        let gathered = columns.iter().map(|column| {
            let arrays: Vec<_> = batches.iter().map(|b| b.column(*column).as_ref()).collect();
            if arrays.is_empty() {
                return Ok(self.nothing.column(*column).slice(0, 0));
            }
            interleave(&arrays, &places).map_err(|error| Error::internal(error.to_string()))
        });
        gathered.collect()
    }

    /// All columns of rows.
    ///
    /// # Errors
    /// As [`Rows::gather`].
    pub(super) fn gather_rows(&self, rows: &[RowId]) -> Result<RecordBatch> {
        let columns: Vec<usize> = (0..self.schema.fields().len()).collect();
        batch(&self.schema, self.gather(&columns, rows)?, rows.len())
    }

    /// Bytes held.
    pub(super) fn memory_size(&self) -> usize {
        let loaded = self.loaded.borrow();
        let loaded: usize = loaded.iter().map(|(_, rows)| rows.get_array_memory_size()).sum();
        self.bytes + loaded + self.chunks.capacity() * size_of::<Option<Chunk>>()
    }
}

impl Chunk {
    /// Rows, live or not.
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    fn piece_of(&self, row: usize) -> (usize, usize) {
        if let [_] = self.pieces.as_slice() {
            return (0, row);
        }
        let piece = self.starts.partition_point(|start| *start as usize <= row) - 1;
        (piece, row - self.starts[piece] as usize)
    }

    fn push(&mut self, rows: RecordBatch) -> Result<()> {
        self.starts.push(self.len);
        self.len += rows.num_rows() as u32;
        self.live += rows.num_rows() as u32;
        self.bytes += rows.get_array_memory_size();
        self.pieces.push(rows);
        let full = self.len as usize == CHUNK_ROWS;
        while let [.., one, other] = self.pieces.as_slice()
            && (full || one.num_rows() <= 2 * other.num_rows())
        {
            let joined = if full {
                self.starts.truncate(1);
                own_if_many(&concat(std::mem::take(&mut self.pieces))?)?
            } else {
                self.starts.pop();
                concat(self.pieces.split_off(self.pieces.len() - 2))?
            };
            self.pieces.push(joined);
            self.bytes = self.pieces.iter().map(RecordBatch::get_array_memory_size).sum();
        }
        Ok(())
    }
}

/// Chunk and row of a place.
#[inline]
pub(super) fn split(row: RowId) -> (usize, usize) {
    ((row >> CHUNK_BITS) as usize, row as usize & (CHUNK_ROWS - 1))
}

/// A batch, which may have no columns.
///
/// # Errors
/// `INTERNAL` if columns do not fit.
pub(super) fn batch(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options)
        .map_err(|error| Error::internal(format!("rows of a join: {error}")))
}

fn concat(pieces: Vec<RecordBatch>) -> Result<RecordBatch> {
    let Some(first) = pieces.first() else { return Err(Error::internal("no pieces")) };
    concat_batches(&first.schema(), &pieces).map_err(|error| Error::internal(error.to_string()))
}
