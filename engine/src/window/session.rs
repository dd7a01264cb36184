//! Aggregation over session windows: per key, rows less than (or exactly) a gap apart share a
//! session; sessions that come to touch are merged, as in Flink's `MergingWindowAssigner`.
//!
//! Beyond the memory budget, open sessions move to local disk as they are and the table begins anew
//! (`session_spill.rs`): a session may then have several *parts*, which come together when it is over.
//!
//! State table `windows`: `window_end`, `window_start` (instants, ms), `run`, the keys, the partial
//! states. Of the same run, a later entry replaces every earlier one of its key that it touches:
//! sessions only grow. Entries of different runs that touch add up.

mod snapshot;

use std::sync::Arc;

use arrow::array::{RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{DataType, SchemaRef};
use tidegate_plan::Schema;
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::WindowAggregate as Plan;
use tidegate_plan::window::{WindowColumn, WindowShape, WindowTime};
use tidegate_types::{Error, KeyGroupRange, MIN_WATERMARK, Result, Watermark};

use super::aggregate::AggregateInput;
use super::assign;
use super::fired::Fired;
use super::session_spill::{SessionState, Spilling};
use super::session_table::{SessionSpec, SessionTable};
use super::sessions::NONE;
use super::time::WindowZone;
use crate::element::Changes;
use crate::keyed::Scales;
use crate::operator::{
    Operator, OperatorContext, Output, Progress, SnapshotRequest, TableSnapshot,
};

/// Aggregates by session and keys; emits each session once.
pub struct SessionAggregate {
    plan: Plan,
    gap: i64,
    zone: WindowZone,
    output: SchemaRef,
    /// Whether rows may be taken back.
    retracts: bool,
    scales: Scales,
    context: Option<OperatorContext>,
    watermark: Watermark,
    state: Spilling<SessionTable>,
    /// What is in memory is not what the files of the restored state add up to: the next snapshot
    /// must hold everything.
    whole_next: bool,
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
        input: AggregateInput,
    ) -> Result<Self> {
        let WindowShape::Session { gap } = plan.shape else {
            return Err(Error::internal("session aggregate over another window shape"));
        };
        let key_types: Vec<DataType> =
            plan.keys.iter().map(|key| data_type(&input_schema[*key].ty)).collect();
        let retracts = input == AggregateInput::Changes;
        let spec = SessionSpec::new(key_types, &plan.aggregates, input_schema, retracts)?;
        let spec = Arc::new(spec);
        Ok(Self {
            gap,
            zone,
            output: arrow_schema(schema),
            retracts,
            scales: Scales::default(),
            state: Spilling::new(spec.table()?),
            whole_next: false,
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

    fn process_rows(&mut self, changes: &Changes, times: &[i64]) -> Result<()> {
        let mut key_slots = std::mem::take(&mut self.slots);
        self.state.table.sessions.key_slots(&changes.rows, &self.plan.keys, &mut key_slots)?;
        let late = if self.is_processing_time() { MIN_WATERMARK } else { self.watermark };
        let ends = times.iter().map(|time| time.saturating_add(self.gap));
        let parts = self.state.parts_for_late(&key_slots, ends, late)?;
        let mut targets: Vec<u32> = Vec::with_capacity(times.len());
        let mut taken: Vec<u32> = Vec::with_capacity(times.len());
        let mut dropped = 0;
        for (row, (key, time)) in key_slots.iter().zip(times).enumerate() {
            let (mut start, mut end) = (*time, time.saturating_add(self.gap));
            let (mut touching, mut more) = self.state.table.sessions.touching(*key, start, end);
            if touching == NONE && end.saturating_sub(1) <= late {
                let Some(part) = parts.touching(*key, start, end) else {
                    dropped += 1;
                    continue;
                };
                // It joins that part's session.
                (start, end) = (start.min(part.0), end.max(part.1));
                (touching, more) = self.state.table.sessions.touching(*key, start, end);
            }
            if touching == NONE {
                targets.push(self.state.table.sessions.open(*key, start, end));
                taken.push(row as u32);
                continue;
            }
            if more {
                // Rows before this one go to the sessions they were assigned to, then these merge.
                self.state.table.accumulate(changes, &taken, &targets)?;
                taken.clear();
                targets.clear();
                self.state.table.merge_into(touching, start, end)?;
            } else {
                self.state.table.sessions.extend(touching, start, end);
            }
            targets.push(touching);
            taken.push(row as u32);
        }
        self.slots = key_slots;
        if let Some(context) = self.context.as_ref().filter(|_| dropped > 0) {
            context.metrics.late_records.add(dropped);
        }
        self.state.table.accumulate(changes, &taken, &targets)
    }

    fn emit(&mut self, complete: &[u32], out: &mut Output) -> Result<()> {
        let mut shown = complete.to_vec();
        self.state.table.accumulators.retain_live(&mut shown);
        self.emit_live(&shown, out)?;
        complete.iter().for_each(|id| self.state.table.close(*id));
        self.state.table.sessions.forget_keys()
    }

    /// Emits sessions that have rows.
    fn emit_live(&mut self, complete: &[u32], out: &mut Output) -> Result<()> {
        let sessions = complete.iter().map(|id| self.state.table.sessions.get(*id));
        let mut columns = self.state.table.sessions.key_columns(complete)?;
        columns.extend(self.state.table.accumulators.results(complete)?);
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
        Ok(())
    }

    /// Moves state to local disk, or weighs what cannot be moved there.
    fn relieve(&mut self, rows: usize) -> Result<()> {
        if self.state.table.spec.splits() {
            return self.state.relieve(rows);
        }
        match self.scales.is_due() {
            true => {
                let (bytes, sessions) = (self.state.memory_size(), self.state.len());
                self.scales.weigh(bytes, sessions, "sessions over changes")
            }
            false => Ok(()),
        }
    }

    fn now(&self, out: &Output) -> i64 {
        if self.is_processing_time() { out.now_ms } else { self.watermark }
    }
}

impl Operator for SessionAggregate {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        self.watermark = context.watermark;
        self.state.open(context);
        self.scales.open(context);
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
        if changes.kinds.is_some() && !self.retracts {
            return Err(Error::internal("session aggregate over an updating input"));
        }
        match self.plan.time {
            WindowTime::Event { column } => {
                let column = changes.rows.column(column).clone();
                self.process_rows(&changes, assign::times(&column, "the rowtime of a row")?)?;
            }
            _ => self.process_rows(&changes, &vec![out.now_ms; changes.len()])?,
        }
        self.relieve(changes.len())
    }

    fn watermark(&mut self, watermark: Watermark, _out: &mut Output) -> Result<()> {
        self.watermark = self.watermark.max(watermark);
        Ok(())
    }

    fn next_timer(&self) -> Option<i64> {
        self.state.next_completion().filter(|_| self.is_processing_time())
    }

    fn drain(&mut self, out: &mut Output) -> Result<Progress> {
        let limit = self.context.as_ref().map_or(8192, |context| context.batch_rows);
        let now = self.now(out);
        while let Some(complete) = self.state.take_complete(now, limit)? {
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
        self.state.memory_size()
    }

    fn spilled_bytes(&self) -> usize {
        self.state.spilled_bytes()
    }
}
