//! Aggregation by window and key over slices: one set of groups per slice, shared by the windows
//! that contain it, merged when a window is complete, dropped with the last one.
//!
//! State table `windows`: `window_end`, `window_start` (ms of the window's time line), `run` (see
//! `slice_state.rs`), the keys, the partial states. For sliced windows an entry is a slice, for attached ones a window. Entries expire
//! with the last window that needs them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use tidegate_plan::Schema;
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::WindowAggregate as Plan;
use tidegate_plan::window::WindowTime;
use tidegate_types::{Error, KeyGroupRange, MIN_WATERMARK, Result, Watermark};

use super::assign::{self, Part};
use super::fired::Fired;
use super::layout::{RunLayout, check_entries};
use super::slice::Slices;
use super::slice_state::{SliceKey, SliceSpec, SliceState};
use super::store::GroupSpec;
use super::time::WindowZone;
use crate::element::Changes;
use crate::keys::hash::hash_columns;
use crate::operator::{
    Copied, Lap, Operator, OperatorContext, Output, Progress, SnapshotRequest, TableSnapshot,
};

mod copying;
mod firing;
mod refresh;
mod snapshot;
mod spill;

/// Slices up to which a new one gets room for its keys at once.
const FEW_SLICES: usize = 8;
/// Most keys for which room is made.
const MOST_EXPECTED: usize = 64 << 10;

/// What the operator receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateInput {
    /// Rows of the plan's input, which are never taken back.
    Rows,
    /// Rows of the plan's input, which updates or deletes them.
    Changes,
    /// What [`super::LocalWindowAggregate`] emits.
    Partials,
}

/// Aggregates by window and keys; emits each window once.
pub struct WindowAggregate {
    plan: Plan,
    input: AggregateInput,
    /// How windows are cut; `None` if rows bring their windows with them.
    shape: Option<Slices>,
    zone: WindowZone,
    spec: Arc<SliceSpec>,
    output: SchemaRef,
    context: Option<OperatorContext>,
    watermark: Watermark,
    spill: spill::Spill,
    /// By `(end, start)` of slice or window.
    slices: BTreeMap<SliceKey, SliceState>,
    /// `(end, start)` of windows that will fire; `start` is 0 for sliced windows.
    pending: BTreeSet<(i64, i64)>,
    firing: Option<firing::Firing>,
    /// What the last snapshot has still to copy.
    copying: Option<copying::Copying>,
    /// Keys of the last slice that was emitted alone.
    last_keys: usize,
    /// Where refreshing stands.
    lap: Lap,
    fired: Fired,
    slots: Vec<u32>,
    hashes: Vec<u64>,
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
        let shape = match plan.time {
            WindowTime::Event { .. } | WindowTime::Processing => Some(Slices::new(&plan.shape)?),
            WindowTime::Attached { .. } | WindowTime::AttachedProcessing { .. } => None,
        };
        let groups = GroupSpec {
            key_types: plan.keys.iter().map(|key| data_type(&input_schema[*key].ty)).collect(),
            calls: plan.aggregates.clone(),
            input: input_schema.clone(),
            retracts: input == AggregateInput::Changes,
        };
        let layout = RunLayout::new(&groups.key_types, &groups.state_types()?);
        Ok(Self {
            plan: plan.clone(),
            input,
            shape,
            zone,
            spec: Arc::new(SliceSpec { groups, layout }),
            output: arrow_schema(schema),
            context: None,
            watermark: MIN_WATERMARK,
            spill: spill::Spill::default(),
            slices: BTreeMap::new(),
            pending: BTreeSet::new(),
            firing: None,
            copying: None,
            last_keys: 0,
            lap: Lap::default(),
            fired: Fired::new(),
            slots: Vec::new(),
            hashes: Vec::new(),
        })
    }

    fn is_processing_time(&self) -> bool {
        matches!(self.plan.time, WindowTime::Processing | WindowTime::AttachedProcessing { .. })
    }

    /// Watermark at which the last window of a slice (or the window itself) is complete.
    fn last_completion(&self, end: i64) -> i64 {
        let last = self.shape.map_or(end, |slices| slices.last_window(end));
        self.zone.completion(last)
    }

    fn process_rows(&mut self, changes: &Changes, now_ms: i64) -> Result<()> {
        let mut hashes = std::mem::take(&mut self.hashes);
        hash_columns(&changes.rows, &self.plan.keys, &mut hashes)?;
        let parts = self.split_rows(changes, &hashes, now_ms)?;
        self.hashes = hashes;
        let total: usize = parts.iter().map(|part| part.rows.num_rows()).sum();
        self.count_late(changes.len() - total);
        for part in parts {
            let keys: Vec<ArrayRef> =
                self.plan.keys.iter().map(|key| part.rows.column(*key).clone()).collect();
            let mut slots = std::mem::take(&mut self.slots);
            let groups = &mut self.slice_at(part.end, part.start)?.active;
            groups.upsert(&keys, &part.hashes, &mut slots)?;
            groups.accumulators.apply(&slots, &part.rows, part.kinds.as_ref())?;
            self.slots = slots;
        }
        Ok(())
    }

    fn split_rows(&self, changes: &Changes, hashes: &[u64], now_ms: i64) -> Result<Vec<Part>> {
        let (rows, kinds) = (&changes.rows, changes.kinds.as_ref());
        let on_time =
            |end: i64| self.is_processing_time() || self.last_completion(end) > self.watermark;
        match (&self.plan.time, self.shape) {
            (WindowTime::Event { column }, Some(slices)) => {
                let times = assign::times(rows.column(*column), "the rowtime of a row")?;
                let ends: Vec<i64> =
                    times.iter().map(|time| slices.slice_end(self.zone.to_local(*time))).collect();
                assign::split_changes(rows, kinds, hashes, |row| {
                    let end = ends[row];
                    (on_time(end) && slices.is_covered(end)).then(|| (end, slices.slice_start(end)))
                })
            }
            (WindowTime::Processing, Some(slices)) => {
                let end = slices.slice_end(self.zone.to_local(now_ms));
                assign::split_changes(rows, kinds, hashes, |_| {
                    slices.is_covered(end).then(|| (end, slices.slice_start(end)))
                })
            }
            (
                WindowTime::Attached { start, end } | WindowTime::AttachedProcessing { start, end },
                _,
            ) => {
                let starts = assign::times(rows.column(*start), "window_start")?;
                let ends = assign::times(rows.column(*end), "window_end")?;
                assign::split_changes(rows, kinds, hashes, |row| {
                    on_time(ends[row]).then(|| (ends[row], starts[row]))
                })
            }
            _ => Err(Error::internal("window time does not fit the window's shape")),
        }
    }

    /// Partials carry slice end, keys, states, and how many rows each stands for.
    fn process_partials(&mut self, rows: &RecordBatch) -> Result<()> {
        let slices = self.shape.ok_or_else(|| Error::internal("partials of attached windows"))?;
        let ends = rows.column(0).as_primitive::<Int64Type>().values().clone();
        let counts = rows.column(rows.num_columns() - 1).as_primitive::<Int64Type>();
        let keys: Vec<usize> = (1..=self.plan.keys.len()).collect();
        let mut hashes = std::mem::take(&mut self.hashes);
        hash_columns(rows, &keys, &mut hashes)?;
        let taken = |end: i64| self.last_completion(end) > self.watermark && slices.is_covered(end);
        let mut late = 0;
        for (row, end) in ends.iter().enumerate() {
            if !taken(*end) {
                late += counts.value(row) as usize;
            }
        }
        let parts = assign::split(rows, &hashes, |row| {
            taken(ends[row]).then(|| (ends[row], slices.slice_start(ends[row])))
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
        let groups = &mut self.slice_at(end, start)?.active;
        groups.upsert(keys, hashes, &mut slots)?;
        groups.accumulators.merge(&slots, state)?;
        self.slots = slots;
        Ok(())
    }

    /// The state of a slice or window; at its first row its windows become pending.
    fn slice_at(&mut self, end: i64, start: i64) -> Result<&mut SliceState> {
        if !self.slices.contains_key(&(end, start)) {
            match self.shape {
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
            let mut slice = SliceState::new(&self.spec)?;
            if self.slices.len() < FEW_SLICES {
                slice.active.keys.reserve(self.expected_keys());
            }
            self.slices.insert((end, start), slice);
        }
        self.slices
            .get_mut(&(end, start))
            .ok_or_else(|| Error::internal("a slice vanished while it was added"))
    }

    /// Keys that a new slice is likely to get: those that the newest one has.
    fn expected_keys(&self) -> usize {
        let newest = self.slices.last_key_value().map(|(_, slice)| slice.active.keys.len());
        newest.unwrap_or(self.last_keys).min(MOST_EXPECTED)
    }

    fn count_late(&self, late: usize) {
        if let Some(context) = &self.context {
            context.metrics.late_records.add(late as u64);
        }
    }

    fn now(&self, out: &Output) -> i64 {
        if self.is_processing_time() { out.now_ms } else { self.watermark }
    }
}

impl Operator for WindowAggregate {
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
        check_entries(table, version, entries, &self.spec.layout.schema)?;
        self.restore_entries(entries, groups)
    }

    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        if changes.kinds.is_some() && self.input != AggregateInput::Changes {
            return Err(Error::internal("window aggregate over an updating input"));
        }
        match self.input {
            AggregateInput::Rows | AggregateInput::Changes => {
                self.process_rows(&changes, out.now_ms)?;
            }
            AggregateInput::Partials => self.process_partials(&changes.rows)?,
        }
        self.relieve()
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
        if self.emit_part(&mut firing, out)? {
            self.firing = Some(firing);
        }
        Ok(Progress::More)
    }

    fn snapshot(&mut self, request: &SnapshotRequest) -> Result<Vec<TableSnapshot>> {
        self.take_snapshot(request)
    }

    fn copy(&mut self, entries: usize) -> Result<Copied> {
        self.copy_some(entries)
    }

    fn abandon_copy(&mut self) {
        self.abandon();
    }

    fn state_bytes(&self) -> usize {
        self.slices.values().map(SliceState::memory_size).sum()
    }

    fn spilled_bytes(&self) -> usize {
        self.slices.values().map(SliceState::spilled_bytes).sum()
    }
}
