//! Record batches of events: the runs of a range of event numbers, column by column.
//!
//! Where all events of a batch have one type (the usual case: a filter on `event_type` was pushed
//! down), its column has no NULLs and needs no validity; the other types' columns are slices of one
//! array of NULLs. Batches of mixed types are generated type by type and then interleaved.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanBufferBuilder, Int32Array, RecordBatch, RecordBatchOptions,
    StructArray, UInt32Array, new_null_array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use serde_json::Value;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_types::{Error, Field, Result};

use super::block::{Kind, Run};
use super::column::{Column, Parts, RowColumn};
use super::source_data::SourceData;
use super::{auction, bid, person};
use crate::numbered::Rows;

/// Makes batches of the columns that a query reads.
pub(super) struct Generator {
    data: Arc<SourceData>,
    schema: SchemaRef,
    columns: Vec<CachedColumn>,
    wanted: [bool; 3],
}

/// A column, and an array of values that all rows of a batch share, as long as the longest batch so
/// far: the event type, or NULLs.
struct CachedColumn {
    column: Column,
    constant: Option<(Option<Kind>, ArrayRef)>,
}

impl Generator {
    /// A generator of the columns `read` for events whose type is in `wanted`.
    ///
    /// # Errors
    /// `INVALID_OPTION` for columns that the generator does not have.
    pub(super) fn new(data: Arc<SourceData>, read: &[Field], wanted: [bool; 3]) -> Result<Self> {
        let columns = read
            .iter()
            .map(|field| Ok(CachedColumn { column: Column::bind(field)?, constant: None }))
            .collect::<Result<_>>()?;
        Ok(Self { data, schema: arrow_schema(read), columns, wanted })
    }

    /// Rows that a block of events gives.
    fn rows_per_block(&self) -> u64 {
        let wanted = Kind::ALL.into_iter().filter(|kind| self.wanted[*kind as usize]);
        wanted.map(|kind| self.data.blocks.proportion(kind)).sum()
    }
}

impl Rows for Generator {
    fn name(&self) -> &'static str {
        super::NAME
    }

    fn shape(&self) -> &Value {
        &self.data.encoded_shape
    }

    fn due_ms(&self, number: u64) -> i64 {
        self.data.timeline.time(number)
    }

    fn numbers_for(&self, rows: u64) -> Option<u64> {
        // Any consecutive events, as many as whole blocks hold, have the same number of each type.
        match rows.checked_div(self.rows_per_block())? {
            0 => Some(rows.max(1)),
            blocks => Some(blocks * self.data.blocks.total()),
        }
    }

    fn generate(&mut self, first: u64, end: u64) -> Result<Option<RecordBatch>> {
        let runs = self.data.blocks.runs(first, end, self.wanted);
        let rows: usize = runs.iter().map(|run| run.count as usize).sum();
        let Some(kind) = runs.first().map(|run| run.kind) else {
            return Ok(None);
        };
        let pure = runs.iter().all(|run| run.kind == kind);
        let arrays = self
            .columns
            .iter_mut()
            .map(|column| {
                if pure {
                    column.pure(&self.data, kind, &runs, rows)
                } else {
                    column.mixed(&self.data, &runs, rows)
                }
            })
            .collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options);
        batch.map(Some).map_err(internal)
    }
}

impl CachedColumn {
    /// The column of events of one type.
    fn pure(
        &mut self,
        data: &SourceData,
        kind: Kind,
        runs: &[Run],
        rows: usize,
    ) -> Result<ArrayRef> {
        match &self.column {
            Column::EventType => Ok(self.constant(Some(kind), rows)),
            Column::Row(row) if row.kind == kind => {
                let arrays = row.generate(data, runs)?;
                row.assemble(arrays, None, rows)
            }
            Column::Row(_) => Ok(self.constant(None, rows)),
        }
    }

    /// The column of events of several types.
    fn mixed(&mut self, data: &SourceData, runs: &[Run], rows: usize) -> Result<ArrayRef> {
        let row = match &self.column {
            Column::EventType => {
                let mut types: Vec<i32> = Vec::with_capacity(rows);
                for run in runs {
                    types.extend(std::iter::repeat_n(run.kind as i32, run.count as usize));
                }
                return Ok(Arc::new(Int32Array::from(types)));
            }
            Column::Row(row) => row,
        };
        let own: Vec<Run> = runs.iter().filter(|run| run.kind == row.kind).copied().collect();
        if own.is_empty() {
            return Ok(self.constant(None, rows));
        }
        let places = places(runs, row.kind, rows);
        let spread = |array: ArrayRef| take(&array, &places, None).map_err(internal);
        let arrays = row.generate(data, &own)?.into_iter().map(spread).collect::<Result<_>>()?;
        row.assemble(arrays, places.nulls().cloned(), rows)
    }

    /// The first `rows` of an array of one value: an event type, or NULL.
    fn constant(&mut self, value: Option<Kind>, rows: usize) -> ArrayRef {
        if let Some((cached, array)) = &self.constant
            && *cached == value
            && array.len() >= rows
        {
            return array.slice(0, rows);
        }
        let array = match (&self.column, value) {
            (Column::Row(row), _) => new_null_array(&DataType::Struct(row.fields.clone()), rows),
            (Column::EventType, kind) => {
                let kind = kind.map_or(0, |kind| kind as i32);
                Arc::new(Int32Array::from(vec![kind; rows])) as ArrayRef
            }
        };
        self.constant = Some((value, Arc::clone(&array)));
        array
    }
}

impl RowColumn {
    /// The fields of the events in `runs`, which all have this column's type.
    fn generate(&self, data: &SourceData, runs: &[Run]) -> Result<Vec<ArrayRef>> {
        match &self.parts {
            Parts::Person(fields) => person::columns(data, fields, runs),
            Parts::Auction(fields) => auction::columns(data, fields, runs),
            Parts::Bid(fields) => bid::columns(data, fields, runs),
        }
    }

    fn assemble(
        &self,
        arrays: Vec<ArrayRef>,
        nulls: Option<NullBuffer>,
        rows: usize,
    ) -> Result<ArrayRef> {
        let array = StructArray::try_new_with_length(self.fields.clone(), arrays, nulls, rows);
        array.map(|array| Arc::new(array) as ArrayRef).map_err(internal)
    }
}

/// For each row the index of its event among those of type `kind`, NULL for other types.
fn places(runs: &[Run], kind: Kind, rows: usize) -> UInt32Array {
    let mut indices: Vec<u32> = Vec::with_capacity(rows);
    let mut valid = BooleanBufferBuilder::new(rows);
    let mut next = 0_u32;
    for run in runs {
        let count = run.count as u32;
        if run.kind == kind {
            indices.extend(next..next + count);
            next += count;
        } else {
            indices.extend(std::iter::repeat_n(0, count as usize));
        }
        valid.append_n(count as usize, run.kind == kind);
    }
    UInt32Array::new(indices.into(), Some(NullBuffer::new(valid.finish())))
}

fn internal(error: ArrowError) -> Error {
    Error::internal(format!("generate nexmark events: {error}"))
}
