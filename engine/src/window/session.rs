//! Aggregation over session windows: per key, rows less than (or exactly) a gap apart share a
//! session; sessions that come to touch are merged, as in Flink's `MergingWindowAssigner`.
//!
//! Beyond the memory budget, open sessions move to local disk as they are and the table begins anew
//! (`session/spill.rs`): a session may then have several *parts*, which come together when it is over.
//!
//! State table `windows`: `window_end`, `window_start` (instants, ms), `run`, the keys, the partial
//! states. Of the same run, a later entry replaces every earlier one of its key that it touches:
//! sessions only grow. Entries of different runs that touch add up.

mod snapshot;
mod spill;

use std::sync::Arc;

use arrow::array::{RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{DataType, SchemaRef};
use tidegate_plan::Schema;
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::WindowAggregate as Plan;
use tidegate_plan::window::{WindowColumn, WindowShape, WindowTime};
use tidegate_types::{Error, KeyGroupRange, MIN_WATERMARK, Result, Watermark};

use super::assign;
use super::fired::Fired;
use super::session_table::{SessionSpec, SessionTable};
use super::sessions::NONE;
use super::time::WindowZone;
use crate::element::Changes;
use crate::operator::{
    Operator, OperatorContext, Output, Progress, SnapshotRequest, TableSnapshot,
};

/// Aggregates by session and keys; emits each session once.
pub struct SessionAggregate {
    plan: Plan,
    gap: i64,
    zone: WindowZone,
    output: SchemaRef,
    spec: SessionSpec,
    context: Option<OperatorContext>,
    watermark: Watermark,
    table: SessionTable,
    spill: spill::Spill,
    fired: Fired,
    slots: Vec<u32>,
}

impl SessionAggregate {
    /// The operator of a plan node with output `schema`.
    ///
    /// # Errors
    /// `INTERNAL` if the node's windows are not sessions.
    pub fn new(
        plan: &Plan,
        input_schema: &Schema,
        schema: &Schema,
        zone: WindowZone,
    ) -> Result<Self> {
        let WindowShape::Session { gap } = plan.shape else {
            return Err(Error::internal("session aggregate over another window shape"));
        };
        let key_types: Vec<DataType> =
            plan.keys.iter().map(|key| data_type(&input_schema[*key].ty)).collect();
        let spec = SessionSpec::new(key_types, &plan.aggregates, input_schema)?;
        Ok(Self {
            gap,
            zone,
            output: arrow_schema(schema),
            table: spec.table()?,
            spec,
            spill: spill::Spill::new(),
            fired: Fired::new(),
            context: None,
            watermark: MIN_WATERMARK,
            slots: Vec::new(),
            plan: plan.clone(),
        })
    }

    fn is_processing_time(&self) -> bool {
        matches!(self.plan.time, WindowTime::Processing)
    }

    fn process_rows(&mut self, rows: &RecordBatch, times: &[i64]) -> Result<()> {
        let mut key_slots = std::mem::take(&mut self.slots);
        self.table.sessions.key_slots(rows, &self.plan.keys, &mut key_slots)?;
        let parts = self.parts_for_late(&key_slots, times)?;
        let mut targets: Vec<u32> = Vec::with_capacity(times.len());
        let mut taken: Vec<u32> = Vec::with_capacity(times.len());
        let mut late = 0;
        let (processing, watermark) = (self.is_processing_time(), self.watermark);
        let is_late = |end: i64| !processing && end.saturating_sub(1) <= watermark;
        for (row, (key, time)) in key_slots.iter().zip(times).enumerate() {
            let (mut start, mut end) = (*time, time.saturating_add(self.gap));
            let (mut touching, mut more) = self.table.sessions.touching(*key, start, end);
            if touching == NONE && is_late(end) {
                let Some(part) = parts.touching(*key, start, end) else {
                    late += 1;
                    continue;
                };
                // It joins that part's session.
                (start, end) = (start.min(part.0), end.max(part.1));
                (touching, more) = self.table.sessions.touching(*key, start, end);
            }
            if touching == NONE {
                targets.push(self.table.sessions.open(*key, start, end));
                taken.push(row as u32);
                continue;
            }
            if more {
                // Rows before this one go to the sessions they were assigned to, then these merge.
                self.table.accumulate(rows, &taken, &targets)?;
                taken.clear();
                targets.clear();
                self.table.merge_into(touching, start, end)?;
            } else {
                self.table.sessions.extend(touching, start, end);
            }
            targets.push(touching);
            taken.push(row as u32);
        }
        self.slots = key_slots;
        if let Some(context) = self.context.as_ref().filter(|_| late > 0) {
            context.metrics.late_records.add(late);
        }
        self.table.accumulate(rows, &taken, &targets)
    }

    fn emit(&mut self, complete: &[u32], out: &mut Output) -> Result<()> {
        let sessions = complete.iter().map(|id| self.table.sessions.get(*id));
        let mut columns = self.table.sessions.key_columns(complete)?;
        columns.extend(self.table.accumulators.results(complete)?);
        for column in &self.plan.columns {
            let values = sessions.clone().map(|session| match column {
                WindowColumn::Start => self.zone.to_local(session.start),
                WindowColumn::End => self.zone.to_local(session.end),
                WindowColumn::Time => session.end - 1,
            });
            let ty = self.output.field(columns.len()).data_type().clone();
            columns.push(Arc::new(
                TimestampMillisecondArray::from_iter_values(values).with_data_type(ty),
            ));
        }
        let rows = RecordBatch::try_new(self.output.clone(), columns)
            .map_err(|error| Error::internal(format!("session result: {error}")))?;
        out.emit(Changes::append(rows));
        complete.iter().for_each(|id| self.table.close(*id));
        self.table.sessions.forget_keys()
    }

    fn now(&self, out: &Output) -> i64 {
        if self.is_processing_time() { out.now_ms } else { self.watermark }
    }
}

impl Operator for SessionAggregate {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        self.watermark = context.watermark;
        self.spill.open(context);
        self.context = Some(context.clone());
        Ok(())
    }

    fn restore(
        &mut self,
        table: &str,
        version: u16,
        entries: &RecordBatch,
        groups: KeyGroupRange,
    ) -> Result<()> {
        if self.is_processing_time() && self.fired.take(table, version, entries, groups)? {
            return Ok(());
        }
        self.restore_entries(table, version, entries, groups)
    }

    fn restored(&mut self) -> Result<()> {
        self.merge_restored()
    }

    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        if changes.kinds.is_some() {
            return Err(Error::internal("session aggregate over an updating input"));
        }
        match self.plan.time {
            WindowTime::Event { column } => {
                let column = changes.rows.column(column).clone();
                self.process_rows(&changes.rows, assign::times(&column, "the rowtime of a row")?)?;
            }
            _ => self.process_rows(&changes.rows, &vec![out.now_ms; changes.len()])?,
        }
        self.relieve(changes.len())
    }

    fn watermark(&mut self, watermark: Watermark, _out: &mut Output) -> Result<()> {
        self.watermark = self.watermark.max(watermark);
        Ok(())
    }

    fn next_timer(&self) -> Option<i64> {
        self.next_completion().filter(|_| self.is_processing_time())
    }

    fn drain(&mut self, out: &mut Output) -> Result<Progress> {
        let limit = self.context.as_ref().map_or(8192, |context| context.batch_rows);
        let now = self.now(out);
        while let Some(complete) = self.take_complete(now, limit)? {
            self.fired.advance(now);
            if !complete.is_empty() {
                self.emit(&complete, out)?;
                return Ok(Progress::More);
            }
        }
        Ok(Progress::Done)
    }

    fn snapshot(&mut self, request: &SnapshotRequest) -> Result<Vec<TableSnapshot>> {
        self.take_snapshot(request)
    }

    fn state_bytes(&self) -> usize {
        self.table.memory_size() + self.spill.memory_size()
    }

    fn spilled_bytes(&self) -> usize {
        self.spill.spilled_bytes()
    }
}
