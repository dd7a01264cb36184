//! OVER by time: rows are computed once, in order of event time when the watermark has passed them, or as
//! they come.
//!
//! State tables: `waiting` (rows ahead of the watermark), `history` (rows that bounded frames still need, with
//! what RANGE measures by), `aggregates` (accumulators of unbounded frames by key). A late row is dropped:
//! if the watermark has passed it; with bounded frames alone if a row of its key with this time or a later
//! one is out, as in Flink.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use tidegate_plan::Node;
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::{OverAggregate as Plan, OverOrder};
use tidegate_types::{Error, ErrorCode, KeyGroupRange, MIN_WATERMARK, Result, Watermark};

use super::bounded::Bounded;
use super::frames::Frames;
use super::internal;
use super::unbounded::Unbounded;
use crate::element::Changes;
use crate::keyed::{Keyed, Owners, RowEntries, Scales, SlotValues, hashes_of};
use crate::keys::{KeyTable, native_values};
use crate::operator::{
    Copied, Operator, OperatorContext, Output, Progress, SnapshotRequest, TableSnapshot,
};

/// Aggregates over rows that are final.
pub(super) struct ArrivalOver {
    keys: Vec<usize>,
    /// The rowtime column; none: rows are computed as they come.
    time: Option<usize>,
    input: SchemaRef,
    output: SchemaRef,
    results: usize,
    waiting_keys: Owners,
    waiting: RowEntries,
    /// Time, number and entry of waiting rows. Numbers are of one subtask: after rescaling two keys may share one.
    due: BTreeSet<(i64, i64, u32)>,
    unbounded: Unbounded,
    aggregates: Keyed,
    bounded: Bounded,
    watermark: Watermark,
    context: Option<OperatorContext>,
    scales: Scales,
}

impl ArrivalOver {
    pub(super) fn new(plan: &Plan, node: &Node, inputs: &[&Node]) -> Result<Self> {
        let [input] = inputs else { return Err(Error::internal("OVER has one input")) };
        if !input.changelog.is_append() {
            return Err(Error::unsupported(
                "OVER by time of an input that updates or deletes rows",
            ));
        }
        let types: Vec<_> = plan.keys.iter().map(|key| data_type(&input.schema[*key].ty)).collect();
        let schema = arrow_schema(&input.schema);
        let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new("$time", DataType::Int64, false)));
        let stored = Arc::new(Schema::new(fields));
        let by_time = matches!(plan.order, OverOrder::Event { .. });
        let make = if by_time { Frames::new } else { Frames::by_arrival };
        let frames = make(&plan.groups, &input.schema, false)?;
        let unbounded = Unbounded { frames, last: Vec::new() };
        let ttl = node.state_ttl_ms.first().copied().unwrap_or_default();
        Ok(Self {
            keys: plan.keys.clone(),
            time: match plan.order {
                OverOrder::Event { column } => Some(column),
                _ => None,
            },
            output: arrow_schema(&node.schema),
            results: plan.groups.iter().map(|group| group.aggregates.len()).sum(),
            waiting_keys: Owners::new(&types, 0)?,
            waiting: RowEntries::new("waiting", &types, schema.clone()),
            due: BTreeSet::new(),
            aggregates: Keyed::new("aggregates", &types, &unbounded.types(), ttl)?,
            unbounded,
            bounded: Bounded {
                frames: make(&plan.groups, &input.schema, true)?,
                histories: Vec::new(),
                keys: Owners::new(&types, 0)?,
                rows: RowEntries::new("history", &types, stored),
                seen: BTreeMap::new(),
            },
            input: schema,
            watermark: MIN_WATERMARK,
            context: None,
            scales: Scales::default(),
        })
    }

    fn key_columns(&self, rows: &RecordBatch) -> Vec<ArrayRef> {
        self.keys.iter().map(|key| rows.column(*key).clone()).collect()
    }

    /// Event times in the column's unit; NULL is an error, as rows are ordered by it.
    fn times(&self, columns: &[ArrayRef], column: usize) -> Result<Int64Array> {
        let times = native_values(&columns[column])?;
        match times.null_count() {
            0 => Ok(times),
            _ => Err(Error::new(ErrorCode::Evaluation, "the event time of a row is NULL")
                .help("filter such rows out before: WHERE … IS NOT NULL")),
        }
    }

    /// Keeps rows until the watermark has passed them.
    fn wait(&mut self, rows: &RecordBatch, column: usize, now_ms: i64) -> Result<()> {
        let times = self.times(rows.columns(), column)?;
        let keys = self.key_columns(rows);
        let hashes = hashes_of(&keys, rows.num_rows())?;
        let mut known = Vec::new();
        if self.unbounded.frames.is_empty() && self.bounded.frames.late_by_key() {
            self.bounded.keys.keys().find(&keys, &hashes, &mut known)?;
        }
        let forgets = self.bounded.frames.longest().is_some();
        let late = |row: usize| {
            let history = known.get(row).map(|slot| self.bounded.histories.get(*slot as usize));
            match history.map(|history| history.and_then(|history| history.rows.last())) {
                Some(Some((_, last))) => times.value(row) <= *last,
                // A key of which nothing was out, as long as keys are not forgotten.
                Some(None) if !forgets => false,
                _ => times.value(row) <= self.watermark,
            }
        };
        let on_time: Vec<u32> =
            (0..rows.num_rows() as u32).filter(|row| !late(*row as usize)).collect();
        if let Some(context) = &self.context {
            context.metrics.late_records.add((rows.num_rows() - on_time.len()) as u64);
        }
        let (mut slots, mut expired) = (Vec::new(), Vec::new());
        let places = UInt32Array::from(on_time.clone());
        let keys: Vec<ArrayRef> = keys
            .iter()
            .map(|key| take(key, &places, None))
            .collect::<Result<_, _>>()
            .map_err(internal)?;
        let hashes: Vec<u64> = on_time.iter().map(|row| hashes[*row as usize]).collect();
        self.waiting_keys.upsert(&keys, &hashes, now_ms, &mut slots, &mut expired)?;
        let mut entries = Vec::with_capacity(on_time.len());
        for (row, slot) in on_time.iter().zip(&slots) {
            let entry = self.waiting.add(*slot);
            self.due.insert((times.value(*row as usize), self.waiting.number(entry), entry));
            entries.push(entry);
        }
        self.waiting.fill(&entries, &on_time, rows)
    }

    /// Computes rows, which are in order, and emits them.
    fn compute(&mut self, rows: RecordBatch, times: &[i64], out: &mut Output) -> Result<()> {
        let keys = self.key_columns(&rows);
        let hashes = hashes_of(&keys, rows.num_rows())?;
        let mut results: Vec<Option<ArrayRef>> = vec![None; self.results];
        if !self.unbounded.frames.is_empty() {
            let (mut slots, mut expired) = (Vec::new(), Vec::new());
            let (now, frames) = (out.now_ms, &self.unbounded);
            self.aggregates.upsert(&keys, &hashes, now, &mut slots, &mut expired, frames)?;
            self.unbounded.resize(self.aggregates.keys().len());
            for slot in self.aggregates.keys().added() {
                self.unbounded.clear(*slot);
            }
            expired.iter().for_each(|slot| self.unbounded.clear(*slot));
            let mut sequences = self.unbounded.sequences(&slots, times);
            self.unbounded.frames.evaluate(&rows, &mut sequences, times.len(), &mut results)?;
        }
        if !self.bounded.frames.is_empty() {
            self.bounded.compute(&keys, &hashes, &rows, times, out.now_ms, &mut results)?;
        }
        let mut columns = rows.columns().to_vec();
        for result in results {
            columns.push(result.ok_or_else(|| Error::internal("a frame has no result"))?);
        }
        let rows = RecordBatch::try_new(self.output.clone(), columns).map_err(internal)?;
        out.emit(Changes::append(rows));
        Ok(())
    }

    fn weigh(&mut self) -> Result<()> {
        if !self.scales.is_due() {
            return Ok(());
        }
        let rows = self.waiting.live() + self.bounded.rows.live();
        self.scales.weigh(self.state_bytes(), rows, "rows for OVER")
    }
}

impl Operator for ArrivalOver {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        self.watermark = context.watermark;
        self.aggregates.open(context);
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
        let context = self.context.as_ref();
        match table {
            "waiting" => {
                self.waiting.restore((version, entries), groups, context, &mut self.waiting_keys)
            }
            "history" => self.bounded.rows.restore(
                (version, entries),
                groups,
                context,
                &mut self.bounded.keys,
            ),
            "aggregates" => self.aggregates.restore(version, entries, groups, &mut self.unbounded),
            other => Err(Error::new(
                ErrorCode::Incompatible,
                format!("the checkpoint has state table '{other}', which OVER does not keep"),
            )),
        }
    }

    fn restored(&mut self) -> Result<()> {
        self.aggregates.restored()?;
        self.bounded.restored()?;
        let waiting = self.waiting.restored(&mut self.waiting_keys);
        if let Some(column) = self.time {
            for part in waiting.chunks(64 << 10) {
                let columns = self.waiting.rows.gather(part)?;
                let times = self.times(&columns, column)?;
                for (entry, time) in part.iter().zip(times.values()) {
                    self.due.insert((*time, self.waiting.number(*entry), *entry));
                }
            }
        }
        Ok(())
    }

    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        match self.time {
            Some(column) => self.wait(&changes.rows, column, out.now_ms)?,
            None => {
                self.bounded.forget(out.now_ms)?;
                let times = vec![out.now_ms; changes.len()];
                self.compute(changes.rows, &times, out)?;
            }
        }
        self.weigh()
    }

    fn watermark(&mut self, watermark: Watermark, _out: &mut Output) -> Result<()> {
        self.watermark = self.watermark.max(watermark);
        Ok(())
    }

    fn drain(&mut self, out: &mut Output) -> Result<Progress> {
        let limit = self.context.as_ref().map_or(8192, |context| context.batch_rows);
        let (mut entries, mut times) = (Vec::new(), Vec::<i64>::new());
        // Rows of one time stay together: RANGE frames count all of them.
        while let Some((time, _, entry)) = self.due.first().copied()
            && time <= self.watermark
            && (entries.len() < limit || times.last() == Some(&time))
        {
            self.due.pop_first();
            times.push(time);
            entries.push(entry);
        }
        if entries.is_empty() {
            if self.time.is_some() {
                self.bounded.forget(self.watermark)?;
            }
            return Ok(Progress::Done);
        }
        let columns = self.waiting.rows.gather(&entries)?;
        let rows = RecordBatch::try_new(self.input.clone(), columns).map_err(internal)?;
        let mut owners: Vec<u32> = entries.iter().map(|entry| self.waiting.owner(*entry)).collect();
        self.waiting.remove(&entries, &self.waiting_keys)?;
        owners.sort_unstable();
        owners.dedup();
        owners.retain(|owner| self.waiting.of(*owner).next().is_none());
        self.waiting_keys.remove(&owners);
        self.compute(rows, &times, out)?;
        Ok(Progress::More)
    }

    fn snapshot(&mut self, request: &SnapshotRequest) -> Result<Vec<TableSnapshot>> {
        let mut tables = Vec::new();
        if self.time.is_some() {
            tables.push(self.waiting.snapshot(request)?);
        }
        if !self.bounded.frames.is_empty() {
            tables.push(self.bounded.rows.snapshot(request)?);
        }
        if !self.unbounded.frames.is_empty() {
            tables.push(self.aggregates.snapshot(request)?);
        }
        Ok(tables)
    }

    fn copy(&mut self, entries: usize) -> Result<Copied> {
        for table in 0..3 {
            let copied = match table {
                0 => self.waiting.copy(entries, &self.waiting_keys)?,
                1 => self.bounded.rows.copy(entries, &self.bounded.keys)?,
                _ => self.aggregates.copy(entries, &self.unbounded)?,
            };
            if !matches!(copied, Copied::Done) {
                return Ok(copied);
            }
        }
        Ok(Copied::Done)
    }

    fn abandon_copy(&mut self) {
        self.waiting.abandon_copy();
        self.bounded.rows.abandon_copy();
        self.aggregates.abandon_copy();
    }

    fn next_timer(&self) -> Option<i64> {
        self.aggregates.next_sweep()
    }

    fn timer(&mut self, out: &mut Output) -> Result<()> {
        let gone = self.aggregates.sweep(out.now_ms);
        self.aggregates.capture(&gone, &self.unbounded)?;
        gone.iter().for_each(|slot| self.unbounded.clear(*slot));
        self.aggregates.remove(&gone)
    }

    fn state_bytes(&self) -> usize {
        let keys: &KeyTable = self.bounded.keys.keys();
        self.waiting.memory_size()
            + self.waiting_keys.memory_size()
            + self.due.len() * 40
            + self.unbounded.frames.memory_size()
            + self.aggregates.memory_size()
            + self.bounded.frames.memory_size()
            + self.bounded.rows.memory_size()
            + self.bounded.rows.live() * 16
            + keys.memory_size()
    }
}
