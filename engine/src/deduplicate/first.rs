//! The first row per key by event time: it is emitted once the watermark has passed it and never changed
//! then. Rows that the watermark has passed when they come are late and dropped, as in Flink.
//!
//! State table `rows`: the key, its row, and whether it has been emitted.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use tidegate_plan::Node;
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::Deduplicate as Plan;
use tidegate_types::{Error, KeyGroupRange, MIN_WATERMARK, Result, Watermark};

use super::times;
use crate::element::Changes;
use crate::keyed::{Keyed, Scales, SlotRows, SlotValues};
use crate::keys::hash::hash_columns;
use crate::operator::{
    Copied, Operator, OperatorContext, Output, Progress, SnapshotRequest, TableSnapshot,
};

/// Keeps the first row of each key.
pub(super) struct FirstByTime {
    keys: Vec<usize>,
    output: SchemaRef,
    keyed: Keyed,
    kept: Kept,
    watermark: Watermark,
    context: Option<OperatorContext>,
    scales: Scales,
}

/// What is kept by key.
struct Kept {
    rows: SlotRows,
    times: Vec<i64>,
    emitted: Vec<bool>,
    time: usize,
    /// Rows that wait: time and slot.
    waiting: BTreeSet<(i64, u32)>,
}

impl SlotValues for Kept {
    fn types(&self) -> Vec<DataType> {
        self.rows.types().into_iter().chain([DataType::Boolean]).collect()
    }

    fn resize(&mut self, slots: usize) {
        self.rows.resize(slots);
        self.times.resize(slots.max(self.times.len()), 0);
        self.emitted.resize(slots.max(self.emitted.len()), false);
    }

    fn columns(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut columns = self.rows.columns(slots)?;
        let emitted = slots.iter().map(|slot| Some(self.emitted[*slot as usize]));
        columns.push(Arc::new(emitted.collect::<BooleanArray>()));
        Ok(columns)
    }

    fn put(&mut self, slots: &[u32], columns: &[ArrayRef]) -> Result<()> {
        let (Some((emitted, rows)), Some(time)) = (columns.split_last(), columns.get(self.time))
        else {
            return Err(Error::internal("a kept row has no columns"));
        };
        let (times, emitted) = (times(time)?, emitted.as_boolean());
        slots.iter().for_each(|slot| self.clear(*slot));
        for (row, slot) in slots.iter().enumerate() {
            self.times[*slot as usize] = times.value(row);
            self.emitted[*slot as usize] = emitted.value(row);
            if !emitted.value(row) {
                self.waiting.insert((times.value(row), *slot));
            }
        }
        self.rows.put(slots, rows)
    }

    fn clear(&mut self, slot: u32) {
        self.waiting.remove(&(self.times[slot as usize], slot));
        self.emitted[slot as usize] = false;
        self.rows.clear(slot);
    }
}

impl FirstByTime {
    /// The operator of a plan node by the rowtime column `time`.
    pub(super) fn new(plan: &Plan, node: &Node, input: &Node, time: usize) -> Result<Self> {
        let types: Vec<_> = plan.keys.iter().map(|key| data_type(&input.schema[*key].ty)).collect();
        let output = arrow_schema(&node.schema);
        let kept = Kept {
            rows: SlotRows::new(output.clone()),
            times: Vec::new(),
            emitted: Vec::new(),
            time,
            waiting: BTreeSet::new(),
        };
        let ttl = node.state_ttl_ms.first().copied().unwrap_or_default();
        Ok(Self {
            keys: plan.keys.clone(),
            output,
            keyed: Keyed::new(super::TABLE, &types, &kept.types(), ttl)?,
            kept,
            watermark: MIN_WATERMARK,
            context: None,
            scales: Scales::default(),
        })
    }

    fn sweep(&mut self, now_ms: i64) -> Result<()> {
        let old = self.keyed.sweep(now_ms);
        self.keyed.capture(&old, &self.kept)?;
        old.iter().for_each(|slot| self.kept.clear(*slot));
        self.keyed.remove(&old)
    }

    /// The rows of a batch that become the first of their keys, by slot.
    fn earlier(&mut self, slots: &[u32], times: &[i64]) -> Vec<(u32, u32)> {
        let mut best: Vec<(u32, u32)> = Vec::new();
        let mut places: hashbrown::HashMap<u32, usize> = hashbrown::HashMap::new();
        for (row, (slot, time)) in (0u32..).zip(slots.iter().zip(times)) {
            let index = *slot as usize;
            let held = match places.get(slot) {
                Some(place) => Some(times[best[*place].1 as usize]),
                None => self.kept.rows.has(*slot).then_some(self.kept.times[index]),
            };
            let wins = !self.kept.emitted[index] && held.is_none_or(|held| *time < held);
            if *time <= self.watermark || !wins {
                continue;
            }
            match places.get(slot) {
                Some(place) => best[*place].1 = row,
                None => {
                    places.insert(*slot, best.len());
                    best.push((*slot, row));
                }
            }
        }
        best
    }
}

impl Operator for FirstByTime {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        self.keyed.open(context);
        self.scales.open(context);
        self.watermark = context.watermark;
        self.context = Some(context.clone());
        Ok(())
    }

    fn restore(
        &mut self,
        _table: &str,
        version: u16,
        entries: &RecordBatch,
        groups: KeyGroupRange,
    ) -> Result<()> {
        self.keyed.restore(version, entries, groups, &mut self.kept)
    }

    fn restored(&mut self) -> Result<()> {
        self.keyed.restored()
    }

    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        let rows = &changes.rows;
        let times = times(rows.column(self.kept.time))?;
        let late = times.values().iter().filter(|time| **time <= self.watermark).count();
        if let Some(context) = &self.context {
            context.metrics.late_records.add(late as u64);
        }
        if late == rows.num_rows() {
            return Ok(());
        }
        let (mut hashes, mut slots, mut expired) = (Vec::new(), Vec::new(), Vec::new());
        hash_columns(rows, &self.keys, &mut hashes)?;
        let keys: Vec<ArrayRef> = self.keys.iter().map(|key| rows.column(*key).clone()).collect();
        self.keyed.locate(&keys, &hashes, out.now_ms, &mut slots, &mut expired, &self.kept)?;
        self.kept.resize(self.keyed.keys().len());
        expired.iter().for_each(|slot| self.kept.clear(*slot));
        let added = self.keyed.keys().added().to_vec();
        let (slots, places): (Vec<u32>, Vec<u32>) =
            self.earlier(&slots, times.values()).into_iter().unzip();
        self.keyed.touch(&slots, out.now_ms, &self.kept)?;
        for (slot, row) in slots.iter().zip(&places) {
            let time = times.value(*row as usize);
            let before = std::mem::replace(&mut self.kept.times[*slot as usize], time);
            self.kept.waiting.remove(&(before, *slot));
            self.kept.waiting.insert((time, *slot));
        }
        self.kept.rows.set(&slots, &places, rows)?;
        // Keys of late rows only, and of those whose time was over.
        let mut bare: Vec<u32> = added.into_iter().chain(expired).collect();
        bare.retain(|slot| !self.kept.rows.has(*slot));
        bare.sort_unstable();
        bare.dedup();
        self.keyed.remove(&bare)?;
        self.sweep(out.now_ms)?;
        if self.scales.is_due() {
            let (bytes, keys) = (self.state_bytes(), self.keyed.keys().live());
            self.scales.weigh(bytes, keys, "keys of a deduplication")?;
        }
        Ok(())
    }

    fn watermark(&mut self, watermark: Watermark, _out: &mut Output) -> Result<()> {
        self.watermark = self.watermark.max(watermark);
        Ok(())
    }

    fn drain(&mut self, out: &mut Output) -> Result<Progress> {
        let limit = self.context.as_ref().map_or(8192, |context| context.batch_rows);
        let mut due = Vec::new();
        while due.len() < limit
            && let Some((time, slot)) = self.kept.waiting.first().copied()
            && time <= self.watermark
        {
            self.kept.waiting.pop_first();
            due.push(slot);
        }
        if due.is_empty() {
            return Ok(Progress::Done);
        }
        self.keyed.touch(&due, out.now_ms, &self.kept)?;
        due.iter().for_each(|slot| self.kept.emitted[*slot as usize] = true);
        let rows = RecordBatch::try_new(self.output.clone(), self.kept.rows.gather(&due)?);
        out.emit(Changes::append(rows.map_err(|e| Error::internal(format!("first rows: {e}")))?));
        Ok(Progress::More)
    }

    fn next_timer(&self) -> Option<i64> {
        self.keyed.next_sweep()
    }

    fn timer(&mut self, out: &mut Output) -> Result<()> {
        self.sweep(out.now_ms)
    }

    fn snapshot(&mut self, request: &SnapshotRequest) -> Result<Vec<TableSnapshot>> {
        Ok(vec![self.keyed.snapshot(request)?])
    }

    fn copy(&mut self, entries: usize) -> Result<Copied> {
        self.keyed.copy(entries, &self.kept)
    }

    fn abandon_copy(&mut self) {
        self.keyed.abandon_copy();
    }

    fn state_bytes(&self) -> usize {
        let kept = &self.kept;
        self.keyed.memory_size()
            + kept.rows.memory_size()
            + kept.times.capacity() * 9
            + kept.waiting.len() * 24
    }
}
