//! A window table-valued function by itself: each row once per window that contains it, with
//! `window_start`, `window_end` and `window_time` behind its columns. Sessions are in `session_rows`.

use std::sync::Arc;

use arrow::array::{RecordBatch, TimestampMillisecondArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use tidegate_plan::Schema;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::WindowTvf as Plan;
use tidegate_plan::window::WindowTime;
use tidegate_types::{Error, Result};

use super::assign;
use super::slice::Slices;
use super::time::WindowZone;
use crate::element::Changes;
use crate::operator::{Operator, Output};

/// Adds window columns. Stateless; late rows pass, as in Flink: the operators above decide.
pub struct WindowTvf {
    time: WindowTime,
    slices: Slices,
    zone: WindowZone,
    output: SchemaRef,
}

impl WindowTvf {
    /// The operator of a plan node with output `schema`.
    ///
    /// # Errors
    /// `INTERNAL` for sessions, which need state.
    pub fn new(plan: &Plan, schema: &Schema, zone: WindowZone) -> Result<Self> {
        let slices = Slices::new(&plan.shape)?;
        Ok(Self { time: plan.time.clone(), slices, zone, output: arrow_schema(schema) })
    }
}

impl Operator for WindowTvf {
    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        let rows = &changes.rows;
        let (mut indices, mut starts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        let mut assign_row = |row: usize, time: i64| {
            for end in self.slices.windows_of(self.slices.slice_end(self.zone.to_local(time))) {
                indices.push(row as u32);
                starts.push(self.slices.window_start(end));
                ends.push(end);
            }
        };
        match self.time {
            WindowTime::Event { column } => {
                let times = assign::times(rows.column(column), "the rowtime of a row")?;
                times.iter().enumerate().for_each(|(row, time)| assign_row(row, *time));
            }
            _ => (0..rows.num_rows()).for_each(|row| assign_row(row, out.now_ms)),
        }
        let indices = UInt32Array::from(indices);
        let taken =
            take_record_batch(rows, &indices).map_err(|e| Error::internal(e.to_string()))?;
        let times = ends.iter().map(|end| self.zone.completion(*end)).collect();
        let mut columns = taken.columns().to_vec();
        for values in [starts, ends, times] {
            let ty = self.output.field(columns.len()).data_type().clone();
            columns.push(Arc::new(TimestampMillisecondArray::from(values).with_data_type(ty)));
        }
        let rows = RecordBatch::try_new(self.output.clone(), columns)
            .map_err(|error| Error::internal(format!("window columns: {error}")))?;
        let kinds = match &changes.kinds {
            Some(_) => changes.take(&indices)?.kinds,
            None => None,
        };
        out.emit(Changes { kinds, rows });
        Ok(())
    }
}
