//! Aggregation by window and key over slices: one set of groups per slice, shared by the windows
//! that contain it, merged when a window is complete, dropped with the last one.
//!
//! State table `windows`: `window_end`, `window_start` (ms of the window's time line), the keys, the
//! partial states. For sliced windows an entry is a slice, for attached ones a window. Entries expire
//! with the last window that needs them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{Int64Type, SchemaRef};
use tidegate_plan::Schema;
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::WindowAggregate as Plan;
use tidegate_plan::window::{WindowColumn, WindowTime};
use tidegate_types::key_group::key_group;
use tidegate_types::{Error, KeyGroupRange, MIN_WATERMARK, Result, Watermark};

use super::assign::{self, Part};
use super::fired::Fired;
use super::layout::{check_entries, state_schema};
use super::slice::Slices;
use super::snapshot;
use super::store::{GroupSpec, Groups};
use super::time::WindowZone;
use crate::element::Changes;
use crate::keys::hash::hash_columns;
use crate::operator::{
    Lap, Operator, OperatorContext, Output, Progress, SnapshotRequest, TableSnapshot,
};

/// What the operator receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateInput {
    /// Rows of the plan's input.
    Rows,
    /// What [`super::LocalWindowAggregate`] emits.
    Partials,
}

/// Aggregates by window and keys; emits each window once.
pub struct WindowAggregate {
    plan: Plan,
    input: AggregateInput,
    slices: Option<Slices>,
    zone: WindowZone,
    spec: GroupSpec,
    output: SchemaRef,
    pub(super) state_schema: SchemaRef,
    context: Option<OperatorContext>,
    watermark: Watermark,
    /// Groups by `(end, start)` of slice or window.
    pub(super) groups: BTreeMap<(i64, i64), Groups>,
    /// `(end, start)` of windows that will fire; `start` is 0 for sliced windows.
    pending: BTreeSet<(i64, i64)>,
    firing: Option<Firing>,
    /// Where refreshing stands.
    pub(super) lap: Lap,
    pub(super) fired: Fired,
    slots: Vec<u32>,
    hashes: Vec<u64>,
}

/// A complete window whose results are being emitted.
struct Firing {
    start: i64,
    end: i64,
    groups: Groups,
    next: usize,
}

impl WindowAggregate {
    /// The operator of a plan node; `schema` is the node's output, `zone` cuts windows over
    /// instants (TIMESTAMP_LTZ, processing time).
    ///
    /// # Errors
    /// `INTERNAL` if the plan is inconsistent, `UNSUPPORTED` for types that cannot be aggregated.
    pub fn new(
        plan: &Plan,
        input_schema: &Schema,
        schema: &Schema,
        zone: WindowZone,
        input: AggregateInput,
    ) -> Result<Self> {
        let slices = match plan.time {
            WindowTime::Event { .. } | WindowTime::Processing => Some(Slices::new(&plan.shape)?),
            WindowTime::Attached { .. } | WindowTime::AttachedProcessing { .. } => None,
        };
        let spec = GroupSpec {
            key_types: plan.keys.iter().map(|key| data_type(&input_schema[*key].ty)).collect(),
            calls: plan.aggregates.clone(),
            input: input_schema.clone(),
        };
        Ok(Self {
            state_schema: state_schema(&spec.key_types, &spec.state_types()?),
            plan: plan.clone(),
            input,
            slices,
            zone,
            spec,
            output: arrow_schema(schema),
            context: None,
            watermark: MIN_WATERMARK,
            groups: BTreeMap::new(),
            pending: BTreeSet::new(),
            firing: None,
            lap: Lap::default(),
            fired: Fired::new(),
            slots: Vec::new(),
            hashes: Vec::new(),
        })
    }

    pub(super) fn is_processing_time(&self) -> bool {
        matches!(self.plan.time, WindowTime::Processing | WindowTime::AttachedProcessing { .. })
    }

    /// Watermark at which the last window of a slice (or the window itself) is complete.
    pub(super) fn last_completion(&self, end: i64) -> i64 {
        let last = self.slices.map_or(end, |slices| slices.last_window(end));
        self.zone.completion(last)
    }

    fn process_rows(&mut self, rows: &RecordBatch, now_ms: i64) -> Result<()> {
        let mut hashes = std::mem::take(&mut self.hashes);
        hash_columns(rows, &self.plan.keys, &mut hashes)?;
        let parts = self.split_rows(rows, &hashes, now_ms)?;
        self.hashes = hashes;
        let total: usize = parts.iter().map(|part| part.rows.num_rows()).sum();
        self.count_late(rows.num_rows() - total);
        for part in parts {
            let keys: Vec<ArrayRef> =
                self.plan.keys.iter().map(|key| part.rows.column(*key).clone()).collect();
            let mut slots = std::mem::take(&mut self.slots);
            let groups = self.groups_at(part.end, part.start)?;
            groups.upsert(&keys, &part.hashes, &mut slots)?;
            groups.accumulators.update(&slots, &part.rows)?;
            self.slots = slots;
        }
        Ok(())
    }

    fn split_rows(&self, rows: &RecordBatch, hashes: &[u64], now_ms: i64) -> Result<Vec<Part>> {
        let on_time =
            |end: i64| self.is_processing_time() || self.last_completion(end) > self.watermark;
        match (&self.plan.time, self.slices) {
            (WindowTime::Event { column }, Some(slices)) => {
                let times = assign::times(rows.column(*column), "the rowtime of a row")?;
                let ends: Vec<i64> =
                    times.iter().map(|time| slices.slice_end(self.zone.to_local(*time))).collect();
                assign::split(rows, hashes, |row| {
                    let end = ends[row];
                    on_time(end).then(|| (end, slices.slice_start(end)))
                })
            }
            (WindowTime::Processing, Some(slices)) => {
                let end = slices.slice_end(self.zone.to_local(now_ms));
                assign::split(rows, hashes, |_| Some((end, slices.slice_start(end))))
            }
            (
                WindowTime::Attached { start, end } | WindowTime::AttachedProcessing { start, end },
                _,
            ) => {
                let starts = assign::times(rows.column(*start), "window_start")?;
                let ends = assign::times(rows.column(*end), "window_end")?;
                assign::split(rows, hashes, |row| {
                    on_time(ends[row]).then(|| (ends[row], starts[row]))
                })
            }
            _ => Err(Error::internal("window time does not fit the window's shape")),
        }
    }

    /// Partials carry slice end, keys, states, and how many rows each stands for.
    fn process_partials(&mut self, rows: &RecordBatch) -> Result<()> {
        let slices = self.slices.ok_or_else(|| Error::internal("partials of attached windows"))?;
        let ends = rows.column(0).as_primitive::<Int64Type>().values().clone();
        let counts = rows.column(rows.num_columns() - 1).as_primitive::<Int64Type>();
        let keys: Vec<usize> = (1..=self.plan.keys.len()).collect();
        let mut hashes = std::mem::take(&mut self.hashes);
        hash_columns(rows, &keys, &mut hashes)?;
        let mut late = 0;
        for (row, end) in ends.iter().enumerate() {
            if self.last_completion(*end) <= self.watermark {
                late += counts.value(row) as usize;
            }
        }
        let parts = assign::split(rows, &hashes, |row| {
            let end = ends[row];
            (self.last_completion(end) > self.watermark).then(|| (end, slices.slice_start(end)))
        })?;
        self.hashes = hashes;
        self.count_late(late);
        for part in parts {
            let columns = part.rows.columns();
            self.merge_into(part.end, part.start, &columns[1..columns.len() - 1], &part.hashes)?;
        }
        Ok(())
    }

    /// Merges key and state columns into the groups of a slice.
    fn merge_into(
        &mut self,
        end: i64,
        start: i64,
        columns: &[ArrayRef],
        hashes: &[u64],
    ) -> Result<()> {
        let (keys, state) = columns.split_at(self.plan.keys.len());
        let mut slots = std::mem::take(&mut self.slots);
        let groups = self.groups_at(end, start)?;
        groups.upsert(keys, hashes, &mut slots)?;
        groups.accumulators.merge(&slots, state)?;
        self.slots = slots;
        Ok(())
    }

    /// The groups of a slice or window; at its first row its windows become pending.
    fn groups_at(&mut self, end: i64, start: i64) -> Result<&mut Groups> {
        if !self.groups.contains_key(&(end, start)) {
            match self.slices {
                Some(slices) => {
                    let fired =
                        if self.is_processing_time() { MIN_WATERMARK } else { self.watermark };
                    for window in slices.windows_of(end) {
                        if self.zone.completion(window) > fired {
                            self.pending.insert((window, 0));
                        }
                    }
                }
                None => drop(self.pending.insert((end, start))),
            }
            self.groups.insert((end, start), self.spec.groups()?);
        }
        self.groups
            .get_mut(&(end, start))
            .ok_or_else(|| Error::internal("groups vanished while they were added"))
    }

    fn count_late(&self, late: usize) {
        if let Some(context) = &self.context {
            context.metrics.late_records.add(late as u64);
        }
    }

    /// Takes the next complete window, with the groups to emit.
    fn next_firing(&mut self, now: i64) -> Result<Option<Firing>> {
        let Some((end, start)) = self.pending.first().copied() else { return Ok(None) };
        if self.zone.completion(end) > now {
            return Ok(None);
        }
        self.pending.pop_first();
        let Some(slices) = self.slices else {
            let groups = self.groups.remove(&(end, start));
            return Ok(groups.map(|groups| Firing { start, end, groups, next: 0 }));
        };
        let start = slices.window_start(end);
        let groups = if slices.is_tumbling() {
            self.groups.remove(&(end, start))
        } else {
            let merged = self.merge_slices(slices, end)?;
            self.drop_finished(slices, end);
            Some(merged)
        };
        Ok(groups.map(|groups| Firing { start, end, groups, next: 0 }))
    }

    fn merge_slices(&mut self, slices: Slices, window_end: i64) -> Result<Groups> {
        let mut merged = self.spec.groups()?;
        let first = (slices.first_slice(window_end), i64::MIN);
        for groups in self.groups.range(first..=(window_end, i64::MAX)).map(|(_, groups)| groups) {
            merged.merge_from(groups, &mut self.slots)?;
        }
        Ok(merged)
    }

    fn drop_finished(&mut self, slices: Slices, window_end: i64) {
        while let Some(entry) = self.groups.first_entry() {
            if slices.last_window(entry.key().0) > window_end {
                break;
            }
            entry.remove();
        }
    }

    fn emit_part(&self, firing: &mut Firing, out: &mut Output) -> Result<()> {
        let batch_rows = self.context.as_ref().map_or(8192, |context| context.batch_rows);
        let until = firing.groups.keys.len().min(firing.next + batch_rows);
        let mut slots: Vec<u32> = (firing.next as u32..until as u32).collect();
        firing.next = until;
        self.skip_emitted(firing, &mut slots);
        let mut columns = firing.groups.keys.columns(&slots)?;
        columns.extend(firing.groups.accumulators.results(&slots)?);
        for column in &self.plan.columns {
            let value = match column {
                WindowColumn::Start => firing.start,
                WindowColumn::End => firing.end,
                WindowColumn::Time => self.zone.completion(firing.end),
            };
            let ty = self.output.field(columns.len()).data_type().clone();
            let times =
                TimestampMillisecondArray::from_value(value, slots.len()).with_data_type(ty);
            columns.push(Arc::new(times));
        }
        let rows = RecordBatch::try_new(self.output.clone(), columns)
            .map_err(|error| Error::internal(format!("window result: {error}")))?;
        out.emit(Changes::append(rows));
        Ok(())
    }

    /// Leaves out groups for which the window was emitted before the restore: a slice that another
    /// window still needs brings them back.
    fn skip_emitted(&self, firing: &Firing, slots: &mut Vec<u32>) {
        let completion = self.zone.completion(firing.end);
        if completion <= self.fired.restored_until()
            && let Some(context) = &self.context
        {
            let hashes = firing.groups.keys.hashes();
            let group = |slot: &u32| key_group(hashes[*slot as usize], context.key_groups);
            slots.retain(|slot| self.fired.restored(group(slot)) < completion);
        }
    }

    fn now(&self, out: &Output) -> i64 {
        if self.is_processing_time() { out.now_ms } else { self.watermark }
    }
}

impl Operator for WindowAggregate {
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
        let keys: Vec<usize> = (2..2 + self.plan.keys.len()).collect();
        let mut hashes = Vec::new();
        hash_columns(entries, &keys, &mut hashes)?;
        let ends = entries.column(0).as_primitive::<Int64Type>().values();
        let starts = entries.column(1).as_primitive::<Int64Type>().values();
        let processing = self.is_processing_time();
        let parts = assign::split(entries, &hashes, |row| {
            let group = key_group(hashes[row], context.key_groups);
            let over = if processing { self.fired.restored(group) } else { self.watermark };
            let live = self.last_completion(ends[row]) > over;
            (groups.contains(group) && live).then(|| (ends[row], starts[row]))
        })?;
        for part in parts {
            let columns = &part.rows.columns()[2..];
            let (keys, state) = columns.split_at(self.plan.keys.len());
            let mut slots = std::mem::take(&mut self.slots);
            let groups = self.groups_at(part.end, part.start)?;
            groups.upsert(keys, &part.hashes, &mut slots)?;
            slots.iter().for_each(|slot| groups.accumulators.reset(*slot));
            groups.accumulators.merge(&slots, state)?;
            groups.mark_stored();
            self.slots = slots;
        }
        Ok(())
    }

    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        if changes.kinds.is_some() {
            return Err(Error::internal("window aggregate over an updating input"));
        }
        match self.input {
            AggregateInput::Rows => self.process_rows(&changes.rows, out.now_ms),
            AggregateInput::Partials => self.process_partials(&changes.rows),
        }
    }

    fn watermark(&mut self, watermark: Watermark, _out: &mut Output) -> Result<()> {
        self.watermark = self.watermark.max(watermark);
        Ok(())
    }

    fn next_timer(&self) -> Option<i64> {
        let (end, _) = self.pending.first().filter(|_| self.is_processing_time())?;
        Some(self.zone.completion(*end))
    }

    fn drain(&mut self, out: &mut Output) -> Result<Progress> {
        let mut firing = match self.firing.take() {
            Some(firing) => firing,
            None => {
                let now = self.now(out);
                let Some(firing) = self.next_firing(now)? else { return Ok(Progress::Done) };
                self.fired.advance(now);
                firing
            }
        };
        self.emit_part(&mut firing, out)?;
        if firing.next < firing.groups.keys.len() {
            self.firing = Some(firing);
        }
        Ok(Progress::More)
    }

    fn snapshot(&mut self, request: &SnapshotRequest) -> Result<Vec<TableSnapshot>> {
        snapshot::snapshot(self, request)
    }

    fn state_bytes(&self) -> usize {
        self.groups.values().map(Groups::memory_size).sum()
    }
}

#[cfg(test)]
mod tests;
