//! A row by slot. Rows stay in the batches they came in until most rows there are dead, or the batches are
//! many and small; then the live ones are moved together.

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, SchemaRef};
use tidegate_types::{Error, Result};

use super::SlotValues;
use super::buffers::SharedBytes;
use crate::texts::{own, own_if_sparse};

/// Dead rows that are not worth moving the others.
const TOLERATED: usize = if cfg!(test) { 16 } else { 16 << 10 };
/// Rows of a batch below which many batches are moved together.
const SMALL: usize = if cfg!(test) { 2 } else { 64 };
/// How many.
const MANY: usize = if cfg!(test) { 8 } else { 1 << 10 };
/// Rows of a batch that compaction makes.
const BATCH_ROWS: usize = 64 << 10;
/// No batch.
const NONE: u32 = u32::MAX;

/// Rows by slot.
pub(crate) struct SlotRows {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    /// Batch and row of each slot.
    places: Vec<(u32, u32)>,
    /// Rows in the batches, and how many of them are live.
    rows: usize,
    live: usize,
    bytes: SharedBytes,
}

impl SlotRows {
    /// No rows, of these columns.
    pub(crate) fn new(schema: SchemaRef) -> Self {
        Self {
            schema,
            batches: Vec::new(),
            places: Vec::new(),
            rows: 0,
            live: 0,
            bytes: SharedBytes::default(),
        }
    }

    /// Columns of the rows.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Whether a slot has a row.
    #[inline]
    pub(crate) fn has(&self, slot: u32) -> bool {
        self.places[slot as usize].0 != NONE
    }

    /// Sets the rows of slots, each named once, to rows of a batch.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(crate) fn set(&mut self, slots: &[u32], rows: &[u32], batch: &RecordBatch) -> Result<()> {
        if slots.is_empty() {
            return Ok(());
        }
        // Rows that are not kept would stay, and texts of rows that went elsewhere.
        let thin = rows.len() * 4 < batch.num_rows() * 3;
        let batch = match thin {
            true => {
                let rows = arrow::array::UInt32Array::from(rows.to_vec());
                own(&arrow::compute::take_record_batch(batch, &rows).map_err(internal)?)
            }
            false => own_if_sparse(batch),
        };
        let batch = batch?;
        let number = self.batches.len() as u32;
        for (index, (slot, row)) in (0u32..).zip(slots.iter().zip(rows)) {
            let place = &mut self.places[*slot as usize];
            self.live += usize::from(place.0 == NONE);
            *place = (number, if thin { index } else { *row });
        }
        self.rows += batch.num_rows();
        self.bytes.add(&batch);
        self.batches.push(batch);
        let small = self.batches.len() > MANY && self.rows < self.batches.len() * SMALL;
        if small || (self.rows > TOLERATED && self.live * 2 < self.rows) {
            self.compact()?;
        }
        Ok(())
    }

    /// The rows of slots, which must have some, column by column.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(crate) fn gather(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        self.gather_columns(slots, &all)
    }

    /// Some columns of the rows of slots, which must have some.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(crate) fn gather_columns(&self, slots: &[u32], columns: &[usize]) -> Result<Vec<ArrayRef>> {
        if slots.is_empty() {
            let empty = RecordBatch::new_empty(self.schema.clone());
            return Ok(columns.iter().map(|column| empty.column(*column).clone()).collect());
        }
        // Only batches that are named: interleaving looks at each.
        let mut dense = vec![NONE; self.batches.len()];
        let (mut used, mut places) = (Vec::new(), Vec::with_capacity(slots.len()));
        for slot in slots {
            let (batch, row) = self.places[*slot as usize];
            let Some(index) = dense.get_mut(batch as usize) else {
                return Err(Error::internal("a slot has no row"));
            };
            if *index == NONE {
                *index = used.len() as u32;
                used.push(&self.batches[batch as usize]);
            }
            places.push((*index as usize, row as usize));
        }
        columns
            .iter()
            .map(|column| {
                let arrays: Vec<&dyn Array> =
                    used.iter().map(|batch| batch.column(*column).as_ref()).collect();
                interleave(&arrays, &places).map_err(internal)
            })
            .collect()
    }

    /// Bytes held; buffers that others share count as well.
    pub(crate) fn memory_size(&self) -> usize {
        self.bytes.bytes() + self.places.capacity() * 8
    }

    fn compact(&mut self) -> Result<()> {
        let live: Vec<u32> = (0..self.places.len() as u32).filter(|slot| self.has(*slot)).collect();
        let (mut batches, mut bytes) = (Vec::new(), SharedBytes::default());
        let mut moved = Vec::with_capacity(live.len());
        for chunk in live.chunks(BATCH_ROWS) {
            let rows = RecordBatch::try_new(self.schema.clone(), self.gather(chunk)?);
            let rows = own(&rows.map_err(internal)?)?;
            bytes.add(&rows);
            moved.extend((0..chunk.len() as u32).map(|row| (batches.len() as u32, row)));
            batches.push(rows);
        }
        for (slot, place) in live.iter().zip(moved) {
            self.places[*slot as usize] = place;
        }
        (self.batches, self.bytes, self.rows) = (batches, bytes, live.len());
        Ok(())
    }
}

impl SlotValues for SlotRows {
    fn types(&self) -> Vec<DataType> {
        self.schema.fields().iter().map(|field| field.data_type().clone()).collect()
    }

    fn resize(&mut self, slots: usize) {
        self.places.resize(slots.max(self.places.len()), (NONE, 0));
    }

    fn columns(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        self.gather(slots)
    }

    fn put(&mut self, slots: &[u32], columns: &[ArrayRef]) -> Result<()> {
        let batch = RecordBatch::try_new(self.schema.clone(), columns.to_vec());
        let rows: Vec<u32> = (0..slots.len() as u32).collect();
        self.set(slots, &rows, &batch.map_err(internal)?)
    }

    fn clear(&mut self, slot: u32) {
        let place = &mut self.places[slot as usize];
        self.live -= usize::from(place.0 != NONE);
        *place = (NONE, 0);
    }
}

fn internal(error: arrow::error::ArrowError) -> Error {
    Error::internal(error.to_string())
}
