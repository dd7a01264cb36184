//! Completing an upsert stream: what updates and deletes replace is remembered by key. A batch makes one
//! net change per key, or every change where versions are read; a change that changes nothing and a delete
//! of an unknown key make none.
//!
//! State table `rows`: the key and its row.

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::ChangelogNormalize as Plan;
use tidegate_plan::{Node, PlanSettings, RowKind, Updates};
use tidegate_types::{Error, KeyGroupRange, Result};

use crate::element::Changes;
use crate::keyed::{Keyed, Pending, Scales, SlotRows, SlotValues, Wanted, replaced};
use crate::keys::hash::hash_columns;
use crate::operator::{Copied, Operator, OperatorContext, Output, SnapshotRequest, TableSnapshot};

/// Adds the old content of updated and deleted rows.
pub struct ChangelogNormalize {
    keys: Vec<usize>,
    each_change: bool,
    wanted: Wanted,
    output: SchemaRef,
    keyed: Keyed,
    rows: SlotRows,
    pending: Pending,
    scales: Scales,
    slots: Vec<u32>,
    hashes: Vec<u64>,
    /// By slot the row of the batch that last changed it.
    last: Vec<u32>,
}

impl ChangelogNormalize {
    /// The operator of a plan node.
    ///
    /// # Errors
    /// `UNSUPPORTED` for types that cannot be keys.
    pub fn new(
        plan: &Plan,
        node: &Node,
        inputs: &[&Node],
        _settings: &PlanSettings,
    ) -> Result<Self> {
        let [input] = inputs else {
            return Err(Error::internal("a changelog normalization has one input"));
        };
        let types: Vec<_> = plan.keys.iter().map(|key| data_type(&input.schema[*key].ty)).collect();
        let output = arrow_schema(&node.schema);
        let rows = SlotRows::new(output.clone());
        let ttl = node.state_ttl_ms.first().copied().unwrap_or_default();
        let keyed = Keyed::new("rows", &types, &rows.types(), ttl)?;
        let before = node.changelog.updates == Updates::BeforeAndAfter;
        Ok(Self {
            keys: plan.keys.clone(),
            each_change: plan.each_change,
            wanted: Wanted { before, equal: keyed.has_ttl() },
            output,
            keyed,
            rows,
            pending: Pending::default(),
            scales: Scales::default(),
            slots: Vec::new(),
            hashes: Vec::new(),
            last: Vec::new(),
        })
    }

    fn find(&mut self, rows: &RecordBatch, now_ms: i64) -> Result<()> {
        hash_columns(rows, &self.keys, &mut self.hashes)?;
        let keys: Vec<ArrayRef> = self.keys.iter().map(|key| rows.column(*key).clone()).collect();
        let mut expired = Vec::new();
        let slots = &mut self.slots;
        self.keyed.upsert(&keys, &self.hashes, now_ms, slots, &mut expired, &self.rows)?;
        self.rows.resize(self.keyed.keys().len());
        self.last.resize(self.keyed.keys().len(), 0);
        expired.iter().for_each(|slot| self.rows.clear(*slot));
        Ok(())
    }

    /// Every change of a batch.
    fn each(&self, changes: &Changes) -> Result<Option<Changes>> {
        let alive: Vec<bool> =
            (0..changes.len()).map(|row| RowKind::adds(changes.kind(row))).collect();
        let rows = changes.rows.columns();
        let old = replaced(&self.slots, Some(&alive), rows, &self.rows)?;
        old.changes(&[], rows, Some(&alive), self.wanted, &self.output)
    }

    fn sweep(&mut self, now_ms: i64) -> Result<()> {
        let old = self.keyed.sweep(now_ms);
        self.keyed.capture(&old, &self.rows)?;
        old.iter().for_each(|slot| self.rows.clear(*slot));
        self.keyed.remove(&old)
    }
}

impl Operator for ChangelogNormalize {
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
        self.keyed.restore(version, entries, groups, &mut self.rows)
    }

    fn restored(&mut self) -> Result<()> {
        self.keyed.restored()
    }

    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        self.find(&changes.rows, out.now_ms)?;
        let noted = self.pending.note(&self.slots, self.keyed.keys().len());
        let had = self.pending.slots[noted.clone()].iter().map(|slot| self.rows.has(*slot));
        let had: Vec<bool> = had.collect();
        let rows = &self.rows;
        self.pending.had_each(noted, &had, Some(|slots: &[u32]| rows.gather(slots)))?;
        let (slots, old) = self.pending.take()?;
        for (row, slot) in (0u32..).zip(&self.slots) {
            self.last[*slot as usize] = row;
        }
        let places: Vec<u32> = slots.iter().map(|slot| self.last[*slot as usize]).collect();
        let alive: Vec<bool> =
            places.iter().map(|row| RowKind::adds(changes.kind(*row as usize))).collect();
        let new = take_record_batch(&changes.rows, &UInt32Array::from(places.clone()))
            .map_err(|error| Error::internal(error.to_string()))?;
        let emitted = match self.each_change {
            true => self.each(&changes)?,
            false => old.changes(&[], new.columns(), Some(&alive), self.wanted, &self.output)?,
        };
        emitted.into_iter().for_each(|changes| out.emit(changes));
        let (mut set, mut from, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for ((slot, row), alive) in slots.iter().zip(&places).zip(&alive) {
            if *alive {
                set.push(*slot);
                from.push(*row);
            } else {
                self.rows.clear(*slot);
                gone.push(*slot);
            }
        }
        self.rows.set(&set, &from, &changes.rows)?;
        self.keyed.remove(&gone)?;
        self.sweep(out.now_ms)?;
        if self.scales.is_due() {
            let (bytes, keys) = (self.state_bytes(), self.keyed.keys().live());
            self.scales.weigh(bytes, keys, "rows of an upsert stream")?;
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
        self.keyed.copy(entries, &self.rows)
    }

    fn abandon_copy(&mut self) {
        self.keyed.abandon_copy();
    }

    fn state_bytes(&self) -> usize {
        self.keyed.memory_size()
            + self.rows.memory_size()
            + self.pending.memory_size()
            + self.last.capacity() * 4
    }
}
