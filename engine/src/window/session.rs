//! Session windows: per key, rows less than (or exactly) a gap apart share a session; sessions that
//! come to touch are merged, as in Flink's `MergingWindowAssigner`.
//!
//! Sessions live in a slab; each key has a short linked list of its own. A heap orders them by the
//! end they had when they were pushed; a session that has grown since is pushed again when it
//! comes up, so extending one costs nothing.
//!
//! State table `windows`: `window_end`, `window_start` (instants, ms), the keys, the partial states.
//! A later entry replaces every earlier one of its key that it touches: sessions only grow.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Int64Array, RecordBatch, TimestampMillisecondArray, UInt32Array,
};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field, Int64Type, SchemaRef};
use tidegate_plan::Schema;
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::WindowAggregate as Plan;
use tidegate_plan::window::{WindowColumn, WindowShape, WindowTime};
use tidegate_types::key_group::key_group;
use tidegate_types::{Error, MIN_WATERMARK, Result, Watermark};

use super::aggregate::{TABLE, check_entries};
use super::assign;
use super::time::WindowZone;
use crate::aggregate::AccumulatorSet;
use crate::element::Changes;
use crate::keys::KeyTable;
use crate::keys::hash::hash_columns;
use crate::operator::{
    Entries, Operator, OperatorContext, Output, Progress, SnapshotMode, SnapshotRequest,
    TableSnapshot,
};

const VERSION: u16 = 1;
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Session {
    key: u32,
    start: i64,
    /// Exclusive: last row's time + gap.
    end: i64,
    /// Next session of the key.
    next: u32,
    /// Tells a reused place from the session that a heap entry meant.
    generation: u32,
    live: bool,
    dirty: bool,
}

/// Aggregates by session and keys; emits each session once.
pub struct SessionAggregate {
    plan: Plan,
    gap: i64,
    zone: WindowZone,
    output: SchemaRef,
    state_schema: SchemaRef,
    key_types: Vec<DataType>,
    context: Option<OperatorContext>,
    watermark: Watermark,
    keys: KeyTable,
    /// First session by key slot.
    heads: Vec<u32>,
    sessions: Vec<Session>,
    free: Vec<u32>,
    accumulators: AccumulatorSet,
    heap: BinaryHeap<Reverse<(i64, u32, u32)>>,
    slots: Vec<u32>,
    hashes: Vec<u64>,
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
            state_schema: state_schema(&key_types, &accumulators),
            keys: KeyTable::new(&key_types)?,
            key_types,
            context: None,
            watermark: MIN_WATERMARK,
            heads: Vec::new(),
            sessions: Vec::new(),
            free: Vec::new(),
            accumulators,
            heap: BinaryHeap::new(),
            slots: Vec::new(),
            hashes: Vec::new(),
            plan: plan.clone(),
        })
    }

    fn is_processing_time(&self) -> bool {
        matches!(self.plan.time, WindowTime::Processing)
    }

    fn upsert_keys(&mut self, rows: &RecordBatch, columns: &[usize]) -> Result<Vec<u32>> {
        let mut hashes = std::mem::take(&mut self.hashes);
        hash_columns(rows, columns, &mut hashes)?;
        let keys: Vec<ArrayRef> = columns.iter().map(|c| rows.column(*c).clone()).collect();
        let mut slots = std::mem::take(&mut self.slots);
        self.keys.upsert(&keys, &hashes, &mut slots)?;
        self.heads.resize(self.keys.len(), NONE);
        self.hashes = hashes;
        Ok(slots)
    }

    fn process_rows(&mut self, rows: &RecordBatch, times: &[i64]) -> Result<()> {
        let plan_keys = self.plan.keys.clone();
        let key_slots = self.upsert_keys(rows, &plan_keys)?;
        let mut targets: Vec<u32> = Vec::with_capacity(times.len());
        let mut taken: Vec<u32> = Vec::with_capacity(times.len());
        let mut late = 0;
        for (row, (key, time)) in key_slots.iter().zip(times).enumerate() {
            let (start, end) = (*time, time.saturating_add(self.gap));
            let (touching, more) = self.touching(*key, start, end);
            if touching == NONE {
                if !self.is_processing_time() && end.saturating_sub(1) <= self.watermark {
                    late += 1;
                    continue;
                }
                targets.push(self.open_session(*key, start, end));
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
                let session = &mut self.sessions[touching as usize];
                session.start = session.start.min(start);
                session.end = session.end.max(end);
                session.dirty = true;
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
        self.accumulators.resize(self.sessions.len());
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

    /// The first session of a key that touches `[start, end]`, and whether there is another.
    fn touching(&self, key: u32, start: i64, end: i64) -> (u32, bool) {
        let mut first = NONE;
        let mut id = self.heads[key as usize];
        while id != NONE {
            let session = &self.sessions[id as usize];
            if session.start <= end && session.end >= start {
                if first != NONE {
                    return (first, true);
                }
                first = id;
            }
            id = session.next;
        }
        (first, false)
    }

    fn open_session(&mut self, key: u32, start: i64, end: i64) -> u32 {
        let next = self.heads[key as usize];
        let id = self.free.pop().unwrap_or(self.sessions.len() as u32);
        let generation =
            self.sessions.get(id as usize).map_or(0, |old| old.generation.wrapping_add(1));
        let session = Session { key, start, end, next, generation, live: true, dirty: true };
        match self.sessions.get_mut(id as usize) {
            Some(place) => *place = session,
            None => self.sessions.push(session),
        }
        self.heads[key as usize] = id;
        self.heap.push(Reverse((end, id, generation)));
        id
    }

    /// Grows a session by `[start, end]` and takes in every other one that it then touches.
    fn merge_into(&mut self, target: u32, start: i64, end: i64) -> Result<()> {
        let key = self.sessions[target as usize].key;
        let session = &mut self.sessions[target as usize];
        session.start = session.start.min(start);
        session.end = session.end.max(end);
        session.dirty = true;
        loop {
            let Session { start, end, .. } = self.sessions[target as usize];
            let Some(other) = self.other_touching(key, target, start, end) else { return Ok(()) };
            let state = self.accumulators.state(&[other])?;
            self.accumulators.merge(&[target], &state)?;
            let absorbed = self.sessions[other as usize];
            let session = &mut self.sessions[target as usize];
            session.start = session.start.min(absorbed.start);
            session.end = session.end.max(absorbed.end);
            self.close_session(other);
        }
    }

    fn other_touching(&self, key: u32, target: u32, start: i64, end: i64) -> Option<u32> {
        let mut id = self.heads[key as usize];
        while id != NONE {
            let session = &self.sessions[id as usize];
            if id != target && session.start <= end && session.end >= start {
                return Some(id);
            }
            id = session.next;
        }
        None
    }

    fn close_session(&mut self, id: u32) {
        let Session { key, next, .. } = self.sessions[id as usize];
        let head = &mut self.heads[key as usize];
        if *head == id {
            *head = next;
        } else {
            let mut before = *head;
            while self.sessions[before as usize].next != id {
                before = self.sessions[before as usize].next;
            }
            self.sessions[before as usize].next = next;
        }
        self.sessions[id as usize].live = false;
        self.accumulators.reset(id);
        self.free.push(id);
    }

    /// Sessions that are complete at `now`, at most `limit`, in order of their ends.
    fn take_complete(&mut self, now: i64, limit: usize) -> Vec<u32> {
        let mut complete = Vec::new();
        while let Some(Reverse((end, id, generation))) = self.heap.peek().copied() {
            if end.saturating_sub(1) > now || complete.len() == limit {
                break;
            }
            self.heap.pop();
            let session = &self.sessions[id as usize];
            if !session.live || session.generation != generation {
                continue;
            }
            if session.end > end {
                self.heap.push(Reverse((session.end, id, generation)));
            } else {
                complete.push(id);
            }
        }
        complete
    }

    fn emit(&mut self, complete: &[u32], out: &mut Output) -> Result<()> {
        let sessions = complete.iter().map(|id| self.sessions[*id as usize]);
        let key_slots: Vec<u32> = sessions.clone().map(|session| session.key).collect();
        let mut columns = self.keys.columns(&key_slots)?;
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
        complete.iter().for_each(|id| self.close_session(*id));
        self.forget_keys()
    }

    /// Rebuilds the key table once most of its keys have no session any more.
    fn forget_keys(&mut self) -> Result<()> {
        let live = self.sessions.len() - self.free.len();
        if self.keys.len() < 4096 || live * 4 > self.keys.len() {
            return Ok(());
        }
        let old: Vec<u32> =
            (0..self.keys.len() as u32).filter(|key| self.heads[*key as usize] != NONE).collect();
        let mut keys = KeyTable::new(&self.key_types)?;
        let hashes: Vec<u64> = old.iter().map(|key| self.keys.hashes()[*key as usize]).collect();
        let mut slots = Vec::new();
        keys.upsert(&self.keys.columns(&old)?, &hashes, &mut slots)?;
        let mut heads = vec![NONE; keys.len()];
        for (old, new) in old.iter().zip(&slots) {
            heads[*new as usize] = self.heads[*old as usize];
            let mut id = self.heads[*old as usize];
            while id != NONE {
                self.sessions[id as usize].key = *new;
                id = self.sessions[id as usize].next;
            }
        }
        self.keys = keys;
        self.heads = heads;
        Ok(())
    }

    fn now(&self, out: &Output) -> i64 {
        if self.is_processing_time() { out.now_ms } else { self.watermark }
    }

    fn restore_rows(&mut self, entries: &RecordBatch) -> Result<()> {
        let keys: Vec<usize> = (2..2 + self.key_types.len()).collect();
        let slots = self.upsert_keys(entries, &keys)?;
        let ends = entries.column(0).as_primitive::<Int64Type>().values();
        let starts = entries.column(1).as_primitive::<Int64Type>().values();
        let mut ids = Vec::with_capacity(slots.len());
        for (row, key) in slots.iter().enumerate() {
            while let (id, _) = self.touching(*key, starts[row], ends[row])
                && id != NONE
            {
                self.close_session(id);
            }
            let id = self.open_session(*key, starts[row], ends[row]);
            self.accumulators.resize(self.sessions.len());
            self.sessions[id as usize].dirty = false;
            ids.push(id);
        }
        self.slots = slots;
        self.accumulators.merge(&ids, &entries.columns()[2 + self.key_types.len()..])
    }
}

impl Operator for SessionAggregate {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        self.watermark = context.watermark;
        self.context = Some(context.clone());
        Ok(())
    }

    fn restore(&mut self, table: &str, version: u16, entries: &RecordBatch) -> Result<()> {
        check_entries(table, version, entries, &self.state_schema)?;
        let context = self.context.clone().ok_or_else(|| Error::internal("restore before open"))?;
        let keys: Vec<usize> = (2..2 + self.key_types.len()).collect();
        let mut hashes = Vec::new();
        hash_columns(entries, &keys, &mut hashes)?;
        let ends = entries.column(0).as_primitive::<Int64Type>().values();
        let processing = self.is_processing_time();
        let keep: Vec<u32> = (0..entries.num_rows())
            .filter(|row| context.owned.contains(key_group(hashes[*row], context.key_groups)))
            .filter(|row| processing || ends[*row].saturating_sub(1) > self.watermark)
            .map(|row| row as u32)
            .collect();
        let kept = take_record_batch(entries, &UInt32Array::from(keep))
            .map_err(|error| Error::internal(error.to_string()))?;
        self.restore_rows(&kept)
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
        let Reverse((end, _, _)) = self.heap.peek().filter(|_| self.is_processing_time())?;
        Some(end - 1)
    }

    fn drain(&mut self, out: &mut Output) -> Result<Progress> {
        let limit = self.context.as_ref().map_or(8192, |context| context.batch_rows);
        let complete = self.take_complete(self.now(out), limit);
        if complete.is_empty() {
            return Ok(Progress::Done);
        }
        self.emit(&complete, out)?;
        Ok(Progress::More)
    }

    fn snapshot(&mut self, request: &SnapshotRequest) -> Result<Vec<TableSnapshot>> {
        let full = request.mode(TABLE) == SnapshotMode::Full;
        let mode = if full { SnapshotMode::Full } else { SnapshotMode::CHANGES };
        let mut ids = Vec::new();
        let mut expires = MIN_WATERMARK;
        for (id, session) in self.sessions.iter_mut().enumerate() {
            if session.live && (full || session.dirty) {
                ids.push(id as u32);
                expires = expires.max(session.end.saturating_sub(1));
                session.dirty = false;
            }
        }
        let mut batches = Vec::new();
        if !ids.is_empty() {
            let sessions = ids.iter().map(|id| &self.sessions[*id as usize]);
            let key_slots: Vec<u32> = sessions.clone().map(|session| session.key).collect();
            let mut columns: Vec<ArrayRef> = vec![
                Arc::new(Int64Array::from_iter_values(sessions.clone().map(|s| s.end))),
                Arc::new(Int64Array::from_iter_values(sessions.map(|s| s.start))),
            ];
            columns.extend(self.keys.columns(&key_slots)?);
            columns.extend(self.accumulators.state(&ids)?);
            batches.push(
                RecordBatch::try_new(self.state_schema.clone(), columns)
                    .map_err(|error| Error::internal(format!("session state: {error}")))?,
            );
        }
        let expires = (!self.is_processing_time()).then_some(expires);
        Ok(vec![TableSnapshot {
            table: TABLE,
            version: VERSION,
            mode,
            changed: Entries { batches, expires },
            pieces: Vec::new(),
            lap: None,
            live: (self.sessions.len() - self.free.len()) as u64,
        }])
    }

    fn state_bytes(&self) -> usize {
        self.keys.memory_size()
            + self.accumulators.memory_size()
            + self.heads.capacity() * 4
            + self.sessions.capacity() * size_of::<Session>()
            + self.heap.capacity() * 16
    }
}

fn state_schema(key_types: &[DataType], accumulators: &AccumulatorSet) -> SchemaRef {
    let bounds =
        ["window_end", "window_start"].map(|name| Field::new(name, DataType::Int64, false));
    let keys = key_types.iter().enumerate();
    let keys = keys.map(|(i, ty)| Field::new(format!("key{i}"), ty.clone(), true));
    let states = accumulators.state_types().into_iter().enumerate();
    let states = states.map(|(i, ty)| Field::new(format!("state{i}"), ty, true));
    Arc::new(arrow::datatypes::Schema::new(
        bounds.into_iter().chain(keys).chain(states).collect::<Vec<_>>(),
    ))
}
