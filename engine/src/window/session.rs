//! Aggregation over session windows: per key, rows less than (or exactly) a gap apart share a
//! session; sessions that come to touch are merged, as in Flink's `MergingWindowAssigner`.
//!
//! State table `windows`: `window_end`, `window_start` (instants, ms), the keys, the partial states.
//! A later entry replaces every earlier one of its key that it touches: sessions only grow.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Int64Array, RecordBatch, TimestampMillisecondArray, UInt32Array,
};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use tidegate_plan::Schema;
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::WindowAggregate as Plan;
use tidegate_plan::window::{WindowColumn, WindowShape, WindowTime};
use tidegate_types::key_group::key_group;
use tidegate_types::{Error, KeyGroupRange, MIN_WATERMARK, Result, Watermark};

use super::assign;
use super::fired::Fired;
use super::layout::{TABLE, VERSION, check_entries, state_schema};
use super::sessions::{IdRange, NONE, Sessions};
use super::time::WindowZone;
use crate::aggregate::AccumulatorSet;
use crate::element::Changes;
use crate::keys::hash::hash_columns;
use crate::operator::{
    Entries, Operator, OperatorContext, Output, Piece, Progress, SnapshotRequest, TableSnapshot,
};

/// Aggregates by session and keys; emits each session once.
pub struct SessionAggregate {
    plan: Plan,
    gap: i64,
    zone: WindowZone,
    output: SchemaRef,
    state_schema: SchemaRef,
    context: Option<OperatorContext>,
    watermark: Watermark,
    sessions: Sessions,
    fired: Fired,
    /// By session.
    accumulators: AccumulatorSet,
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
        let accumulators = AccumulatorSet::new(&plan.aggregates, input_schema)?;
        Ok(Self {
            gap,
            zone,
            output: arrow_schema(schema),
            state_schema: state_schema(
                &["window_end", "window_start"],
                &key_types,
                &accumulators.state_types(),
            ),
            sessions: Sessions::new(key_types)?,
            fired: Fired::new(),
            context: None,
            watermark: MIN_WATERMARK,
            accumulators,
            slots: Vec::new(),
            plan: plan.clone(),
        })
    }

    fn is_processing_time(&self) -> bool {
        matches!(self.plan.time, WindowTime::Processing)
    }

    fn process_rows(&mut self, rows: &RecordBatch, times: &[i64]) -> Result<()> {
        let mut key_slots = std::mem::take(&mut self.slots);
        self.sessions.key_slots(rows, &self.plan.keys, &mut key_slots)?;
        let mut targets: Vec<u32> = Vec::with_capacity(times.len());
        let mut taken: Vec<u32> = Vec::with_capacity(times.len());
        let mut late = 0;
        for (row, (key, time)) in key_slots.iter().zip(times).enumerate() {
            let (start, end) = (*time, time.saturating_add(self.gap));
            let (touching, more) = self.sessions.touching(*key, start, end);
            if touching == NONE {
                if !self.is_processing_time() && end.saturating_sub(1) <= self.watermark {
                    late += 1;
                    continue;
                }
                targets.push(self.sessions.open(*key, start, end));
                taken.push(row as u32);
                continue;
            }
            if more {
                // Rows before this one go to the sessions they were assigned to, then these merge.
                self.accumulate(rows, &taken, &targets)?;
                taken.clear();
                targets.clear();
                self.merge_into(touching, start, end)?;
            } else {
                self.sessions.extend(touching, start, end);
            }
            targets.push(touching);
            taken.push(row as u32);
        }
        self.slots = key_slots;
        if let Some(context) = self.context.as_ref().filter(|_| late > 0) {
            context.metrics.late_records.add(late);
        }
        self.accumulate(rows, &taken, &targets)
    }

    fn accumulate(&mut self, rows: &RecordBatch, taken: &[u32], targets: &[u32]) -> Result<()> {
        self.accumulators.resize(self.sessions.capacity());
        if taken.is_empty() {
            return Ok(());
        }
        if taken.len() == rows.num_rows() {
            return self.accumulators.update(targets, rows);
        }
        let part = take_record_batch(rows, &UInt32Array::from(taken.to_vec()))
            .map_err(|error| Error::internal(error.to_string()))?;
        self.accumulators.update(targets, &part)
    }

    /// Grows a session by `[start, end]` and takes in every other one that it then touches.
    fn merge_into(&mut self, target: u32, start: i64, end: i64) -> Result<()> {
        self.sessions.extend(target, start, end);
        while let Some(other) = self.sessions.neighbour(target) {
            let state = self.accumulators.state(&[other])?;
            self.accumulators.merge(&[target], &state)?;
            self.accumulators.reset(other);
            self.sessions.absorb(target, other);
        }
        Ok(())
    }

    fn close(&mut self, id: u32) {
        self.sessions.close(id);
        self.accumulators.reset(id);
    }

    fn emit(&mut self, complete: &[u32], out: &mut Output) -> Result<()> {
        let sessions = complete.iter().map(|id| self.sessions.get(*id));
        let mut columns = self.sessions.key_columns(complete)?;
        columns.extend(self.accumulators.results(complete)?);
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
        complete.iter().for_each(|id| self.close(*id));
        self.sessions.forget_keys()
    }

    /// Sessions as entries of the state table.
    fn entries(&self, ids: &[u32]) -> Result<Entries> {
        if ids.is_empty() {
            return Ok(Entries::default());
        }
        let sessions = ids.iter().map(|id| self.sessions.get(*id));
        let ends: Vec<i64> = sessions.clone().map(|session| session.end).collect();
        let last = ends.iter().max().map(|end| end.saturating_sub(1));
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(ends)),
            Arc::new(Int64Array::from_iter_values(sessions.map(|session| session.start))),
        ];
        columns.extend(self.sessions.key_columns(ids)?);
        columns.extend(self.accumulators.state(ids)?);
        let batch = RecordBatch::try_new(self.state_schema.clone(), columns)
            .map_err(|error| Error::internal(format!("session state: {error}")))?;
        let expires = last.filter(|_| !self.is_processing_time());
        Ok(Entries { batches: vec![batch], expires, ..Entries::default() })
    }

    fn now(&self, out: &Output) -> i64 {
        if self.is_processing_time() { out.now_ms } else { self.watermark }
    }

    fn restore_rows(&mut self, entries: &RecordBatch) -> Result<()> {
        let width = self.sessions.key_types().len();
        let keys: Vec<usize> = (2..2 + width).collect();
        let mut slots = std::mem::take(&mut self.slots);
        self.sessions.key_slots(entries, &keys, &mut slots)?;
        let ends = entries.column(0).as_primitive::<Int64Type>().values();
        let starts = entries.column(1).as_primitive::<Int64Type>().values();
        let mut ids = Vec::with_capacity(slots.len());
        for (row, key) in slots.iter().enumerate() {
            while let (id, _) = self.sessions.touching(*key, starts[row], ends[row])
                && id != NONE
            {
                self.close(id);
            }
            let id = self.sessions.open(*key, starts[row], ends[row]);
            self.accumulators.resize(self.sessions.capacity());
            ids.push(id);
        }
        self.slots = slots;
        self.accumulators.merge(&ids, &entries.columns()[2 + width..])
    }
}

impl Operator for SessionAggregate {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        self.watermark = context.watermark;
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
        check_entries(table, version, entries, &self.state_schema)?;
        let context = self.context.clone().ok_or_else(|| Error::internal("restore before open"))?;
        let keys: Vec<usize> = (2..2 + self.sessions.key_types().len()).collect();
        let mut hashes = Vec::new();
        hash_columns(entries, &keys, &mut hashes)?;
        let ends = entries.column(0).as_primitive::<Int64Type>().values();
        let processing = self.is_processing_time();
        let keep: Vec<u32> = (0..entries.num_rows())
            .filter(|row| {
                let group = key_group(hashes[*row], context.key_groups);
                let over = if processing { self.fired.restored(group) } else { self.watermark };
                groups.contains(group) && ends[*row].saturating_sub(1) > over
            })
            .map(|row| row as u32)
            .collect();
        let kept = take_record_batch(entries, &UInt32Array::from(keep))
            .map_err(|error| Error::internal(error.to_string()))?;
        self.restore_rows(&kept)
    }

    fn restored(&mut self) -> Result<()> {
        self.sessions.mark_stored();
        Ok(())
    }

    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        if changes.kinds.is_some() {
            return Err(Error::internal("session aggregate over an updating input"));
        }
        match self.plan.time {
            WindowTime::Event { column } => {
                let column = changes.rows.column(column).clone();
                self.process_rows(&changes.rows, assign::times(&column, "the rowtime of a row")?)
            }
            _ => self.process_rows(&changes.rows, &vec![out.now_ms; changes.len()]),
        }
    }

    fn watermark(&mut self, watermark: Watermark, _out: &mut Output) -> Result<()> {
        self.watermark = self.watermark.max(watermark);
        Ok(())
    }

    fn next_timer(&self) -> Option<i64> {
        self.sessions.next_completion().filter(|_| self.is_processing_time())
    }

    fn drain(&mut self, out: &mut Output) -> Result<Progress> {
        let limit = self.context.as_ref().map_or(8192, |context| context.batch_rows);
        let now = self.now(out);
        let complete = self.sessions.take_complete(now, limit);
        if complete.is_empty() {
            return Ok(Progress::Done);
        }
        self.fired.advance(now);
        self.emit(&complete, out)?;
        Ok(Progress::More)
    }

    fn snapshot(&mut self, request: &SnapshotRequest) -> Result<Vec<TableSnapshot>> {
        let (mode, changed, ranges) = self.sessions.take_changes(request.mode(TABLE));
        let piece = |range: IdRange| {
            let IdRange { range, ids } = range;
            self.entries(&ids).map(|entries| Piece { entries, range })
        };
        let mut tables = vec![TableSnapshot {
            table: TABLE,
            version: VERSION,
            mode,
            changed: self.entries(&changed)?,
            pieces: ranges.into_iter().map(piece).collect::<Result<_>>()?,
            lap: Some(self.sessions.lap()),
            live: self.sessions.len() as u64,
        }];
        if self.is_processing_time() {
            tables.extend(self.fired.snapshot(request)?);
        }
        Ok(tables)
    }

    fn state_bytes(&self) -> usize {
        self.sessions.memory_size() + self.accumulators.memory_size()
    }
}
