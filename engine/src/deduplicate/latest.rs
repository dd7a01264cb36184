//! The last row per key by event time or arrival, or the first by arrival. A batch makes one net change per
//! key; where versions are read, one for every row that becomes the last of its key.
//!
//! State table `rows`: the key and its row, or of the first by arrival the key alone.

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use std::sync::Arc;
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::Deduplicate as Plan;
use tidegate_plan::{Node, Updates};
use tidegate_types::{Error, KeyGroupRange, Result};

use super::{TABLE, times};
use crate::element::Changes;
use crate::keyed::{Keyed, Pending, Scales, SlotRows, SlotValues, Wanted, last_of_each, replaced};
use crate::keys::hash::hash_columns;
use crate::operator::{Copied, Operator, OperatorContext, Output, SnapshotRequest, TableSnapshot};

/// Keeps one row per key.
pub(super) struct Latest {
    plan: Plan,
    wanted: Wanted,
    output: SchemaRef,
    keyed: Keyed,
    kept: Kept,
    pending: Pending,
    scales: Scales,
    slots: Vec<u32>,
    hashes: Vec<u64>,
    expired: Vec<u32>,
}

/// What is kept by key.
struct Kept {
    /// The rows; without columns if only keys are.
    rows: SlotRows,
    /// Whether a key has been seen, and the time of its row.
    seen: Vec<bool>,
    times: Vec<i64>,
    time: Option<usize>,
}

impl Kept {
    fn resize_times(&mut self, slots: usize) {
        self.seen.resize(slots.max(self.seen.len()), false);
        self.times.resize(slots.max(self.times.len()), 0);
    }
}

impl SlotValues for Kept {
    fn types(&self) -> Vec<DataType> {
        self.rows.types()
    }

    fn resize(&mut self, slots: usize) {
        self.rows.resize(slots);
        self.resize_times(slots);
    }

    fn columns(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        match self.rows.schema().fields().is_empty() {
            true => Ok(Vec::new()),
            false => self.rows.columns(slots),
        }
    }

    fn put(&mut self, slots: &[u32], columns: &[ArrayRef]) -> Result<()> {
        slots.iter().for_each(|slot| self.seen[*slot as usize] = true);
        if columns.is_empty() {
            return Ok(());
        }
        if let Some(time) = self.time {
            let times = times(&columns[time])?;
            slots.iter().zip(times.values()).for_each(|(s, time)| self.times[*s as usize] = *time);
        }
        self.rows.put(slots, columns)
    }

    fn clear(&mut self, slot: u32) {
        self.seen[slot as usize] = false;
        self.rows.clear(slot);
    }
}

impl Latest {
    /// The operator of a plan node.
    pub(super) fn new(plan: &Plan, node: &Node, input: &Node) -> Result<Self> {
        let types: Vec<_> = plan.keys.iter().map(|key| data_type(&input.schema[*key].ty)).collect();
        let output = arrow_schema(&node.schema);
        let keys_only = plan.time.is_none() && !plan.keep_last;
        let stored = if keys_only { Arc::new(Schema::empty()) } else { output.clone() };
        let kept = Kept {
            rows: SlotRows::new(stored),
            seen: Vec::new(),
            times: Vec::new(),
            time: plan.time,
        };
        let ttl = node.state_ttl_ms.first().copied().unwrap_or_default();
        let keyed = Keyed::new(TABLE, &types, &kept.types(), ttl)?;
        let before = node.changelog.updates == Updates::BeforeAndAfter;
        Ok(Self {
            plan: plan.clone(),
            wanted: Wanted { before, equal: keyed.has_ttl() },
            output,
            keyed,
            kept,
            pending: Pending::default(),
            scales: Scales::default(),
            slots: Vec::new(),
            hashes: Vec::new(),
            expired: Vec::new(),
        })
    }

    fn find(&mut self, rows: &RecordBatch, now_ms: i64) -> Result<()> {
        hash_columns(rows, &self.plan.keys, &mut self.hashes)?;
        let keys: Vec<ArrayRef> =
            self.plan.keys.iter().map(|key| rows.column(*key).clone()).collect();
        let (slots, expired) = (&mut self.slots, &mut self.expired);
        self.keyed.locate(&keys, &self.hashes, now_ms, slots, expired, &self.kept)?;
        self.kept.resize(self.keyed.keys().len());
        expired.iter().for_each(|slot| self.kept.clear(*slot));
        Ok(())
    }

    fn sweep(&mut self, now_ms: i64) -> Result<()> {
        let old = self.keyed.sweep(now_ms);
        self.keyed.capture(&old, &self.kept)?;
        old.iter().for_each(|slot| self.kept.clear(*slot));
        self.keyed.remove(&old)
    }

    /// First by arrival: rows of keys that have not been seen.
    fn keep_first(&mut self, rows: &RecordBatch, out: &mut Output) -> Result<()> {
        let (mut fresh, mut slots) = (Vec::new(), Vec::new());
        for (row, slot) in (0u32..).zip(&self.slots) {
            let seen = &mut self.kept.seen[*slot as usize];
            if !std::mem::replace(seen, true) {
                fresh.push(row);
                slots.push(*slot);
            }
        }
        self.keyed.touch(&slots, out.now_ms, &self.kept)?;
        if fresh.len() == rows.num_rows() {
            out.emit(Changes::append(rows.clone()));
        } else if !fresh.is_empty() {
            let rows = take_record_batch(rows, &UInt32Array::from(fresh));
            out.emit(Changes::append(rows.map_err(|e| Error::internal(e.to_string()))?));
        }
        Ok(())
    }

    /// The rows that win over what their keys had when they came: slots and places in the batch.
    fn winners(&mut self, rows: &RecordBatch) -> Result<(Vec<u32>, Vec<u32>)> {
        let times = match self.plan.time {
            Some(column) => Some(times(rows.column(column))?),
            None => None,
        };
        let times = times.as_ref().map(|times| times.values());
        let (mut slots, mut places) = (Vec::new(), Vec::new());
        let Kept { seen, times: kept, .. } = &mut self.kept;
        for (row, slot) in (0u32..).zip(&self.slots) {
            let index = *slot as usize;
            let time = times.map_or(0, |times| times[row as usize]);
            if seen[index] && time < kept[index] {
                continue;
            }
            (seen[index], kept[index]) = (true, time);
            slots.push(*slot);
            places.push(row);
        }
        Ok((slots, places))
    }

    /// Replaces rows by those of a batch that come later in time.
    fn keep_last(&mut self, rows: &RecordBatch, out: &mut Output) -> Result<()> {
        let (winners, winning) = self.winners(rows)?;
        let (slots, last) = last_of_each(&winners);
        let places: Vec<u32> = last.iter().map(|place| winning[*place as usize]).collect();
        self.keyed.touch(&slots, out.now_ms, &self.kept)?;
        let kept = &self.kept.rows;
        let taken = |places: &[u32]| {
            take_record_batch(rows, &UInt32Array::from(places.to_vec()))
                .map_err(|error| Error::internal(error.to_string()))
        };
        let (old, new) = if self.plan.each_change {
            let new = taken(&winning)?;
            (replaced(&winners, None, new.columns(), kept)?, new)
        } else {
            let noted = self.pending.note(&slots, self.keyed.keys().len());
            let had: Vec<bool> = slots.iter().map(|slot| kept.has(*slot)).collect();
            self.pending.had_each(noted, &had, Some(|slots: &[u32]| kept.gather(slots)))?;
            (self.pending.take()?.1, taken(&places)?)
        };
        let emitted = old.changes(&[], new.columns(), None, self.wanted, &self.output)?;
        emitted.into_iter().for_each(|changes| out.emit(changes));
        self.kept.rows.set(&slots, &places, rows)
    }
}

impl Operator for Latest {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        self.keyed.open(context);
        self.scales.open(context);
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
        self.find(rows, out.now_ms)?;
        if self.kept.rows.schema().fields().is_empty() {
            self.keep_first(rows, out)?;
        } else {
            self.keep_last(rows, out)?;
        }
        self.sweep(out.now_ms)?;
        if self.scales.is_due() {
            let (bytes, keys) = (self.state_bytes(), self.keyed.keys().live());
            self.scales.weigh(bytes, keys, "keys of a deduplication")?;
        }
        Ok(())
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
            + kept.seen.capacity()
            + kept.times.capacity() * 8
            + self.pending.memory_size()
    }
}
