//! Group windows whose results are sent before their end, and again when late rows change them:
//! `table.exec.emit.*`. Semantics: Flink's event-time and processing-time triggers with early and late
//! firings.
//!
//! Every window and key is a group of its own, so that its result can be told at any time; a row of
//! overlapping windows is added to each of them. A result is sent
//! - before the window's end: with each batch of rows that changes it, or by the clock some time after
//!   the first row that it does not have;
//! - at the window's end, if it has changed since it was last sent;
//! - after that, until event time is past the end by the allowed lateness, as before the end. A window
//!   that had no rows before its end appears with its first row.
//!
//! What is sent is the net change: an insert first, then updates; a deletion, if all rows were taken
//! back.
//!
//! State tables: `windows` (the keys, `window_end`, `window_start`, and what is kept of each group), and
//! one per DISTINCT argument. See [`crate::keyed`].

mod firing;
mod rows;
mod state;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::WindowAggregate as Plan;
use tidegate_plan::window::{WindowEmit, WindowTime};
use tidegate_plan::{Node, Updates};
use tidegate_types::{Error, KeyGroupRange, MIN_WATERMARK, Result, Watermark};

use super::slice::Slices;
use super::time::WindowZone;
use crate::element::Changes;
use crate::group::{GroupState, restore_distinct};
use crate::keyed::{Keyed, Pending, Scales, SlotValues, Wanted};
use crate::operator::{
    Copied, Operator, OperatorContext, Output, Progress, SnapshotRequest, TableSnapshot,
};
use firing::Leaving;
use state::WindowState;

/// Name of the state table.
const TABLE: &str = "windows";

/// `(end, start)` of a window.
type Bounds = (i64, i64);

/// In place of a slot's window: it has none.
const NO_WINDOW: Bounds = (i64::MIN, i64::MIN);

/// Aggregates by window and keys; emits and updates each window's results.
pub struct EmittingAggregate {
    plan: Plan,
    emit: WindowEmit,
    /// How windows are cut; `None` if rows bring their windows with them.
    shape: Option<Slices>,
    zone: WindowZone,
    output: SchemaRef,
    /// The output with results behind the window's columns.
    sent: SchemaRef,
    wanted: Wanted,
    keyed: Keyed,
    state: WindowState,
    pending: Pending,
    scales: Scales,
    context: Option<OperatorContext>,
    batch_rows: usize,
    watermark: Watermark,
    /// Rows that have not been added yet.
    input: VecDeque<Changes>,
    /// The window of each slot.
    bounds: Vec<Bounds>,
    /// Slots of windows that have not ended, and of those that have and take late rows.
    open: BTreeMap<Bounds, Vec<u32>>,
    over: BTreeMap<Bounds, Vec<u32>>,
    /// Slots whose results are due, by time.
    clock: BTreeMap<i64, Vec<u32>>,
    /// A window that is being sent or forgotten.
    leaving: Option<Leaving>,
    slots: Vec<u32>,
    expired: Vec<u32>,
}

impl EmittingAggregate {
    /// The operator of a plan node that says when to emit.
    ///
    /// # Errors
    /// `INTERNAL` if the plan is inconsistent, `UNSUPPORTED` for types that cannot be keys, and
    /// aggregates that do not take their argument's type or cannot take rows back where the input does.
    pub fn new(plan: &Plan, node: &Node, input: &Node, zone: WindowZone) -> Result<Self> {
        let emit = plan.emit.ok_or_else(|| Error::internal("a window that does not emit early"))?;
        let shape = match plan.time {
            WindowTime::Event { .. } | WindowTime::Processing => Some(Slices::new(&plan.shape)?),
            WindowTime::Attached { .. } | WindowTime::AttachedProcessing { .. } => None,
        };
        let mut keys: Vec<_> =
            plan.keys.iter().map(|key| data_type(&input.schema[*key].ty)).collect();
        let partition = keys.len();
        keys.extend([DataType::Int64, DataType::Int64]);
        let retracts = !input.changelog.is_append();
        let groups =
            GroupState::new(&plan.aggregates, &input.schema, (&keys, partition), retracts)?;
        let output = arrow_schema(&node.schema);
        let results: Vec<DataType> = output.fields()[partition..partition + plan.aggregates.len()]
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        let state = WindowState::new(groups, &results);
        let keyed = Keyed::partitioned(TABLE, (&keys, partition), &state.types(), 0)?;
        let before = node.changelog.updates == Updates::BeforeAndAfter;
        Ok(Self {
            emit,
            shape,
            zone,
            sent: firing::sent_schema(plan, &output, &state),
            output,
            wanted: Wanted { before, equal: false },
            keyed,
            state,
            pending: Pending::default(),
            scales: Scales::default(),
            context: None,
            batch_rows: 8192,
            watermark: MIN_WATERMARK,
            input: VecDeque::new(),
            bounds: Vec::new(),
            open: BTreeMap::new(),
            over: BTreeMap::new(),
            clock: BTreeMap::new(),
            leaving: None,
            slots: Vec::new(),
            expired: Vec::new(),
            plan: plan.clone(),
        })
    }

    fn is_processing_time(&self) -> bool {
        matches!(self.plan.time, WindowTime::Processing | WindowTime::AttachedProcessing { .. })
    }

    /// How far the time of windows is.
    fn now(&self, out: &Output) -> i64 {
        if self.is_processing_time() { out.now_ms } else { self.watermark }
    }

    /// The watermark from which a window takes no rows any more.
    fn cleanup(&self, end: i64) -> i64 {
        let lateness = i64::try_from(self.emit.lateness_ms).unwrap_or(i64::MAX);
        self.zone.completion(end).saturating_add(lateness)
    }

    fn weigh(&mut self) -> Result<()> {
        if !self.scales.is_due() {
            return Ok(());
        }
        let (bytes, groups) = (self.state_bytes(), self.keyed.keys().live());
        self.scales.weigh(bytes, groups, "groups of windows with early or late results")
    }
}

impl Operator for EmittingAggregate {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        self.keyed.open(context);
        self.scales.open(context);
        self.batch_rows = context.batch_rows;
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
        if table == TABLE {
            return self.keyed.restore(version, entries, groups, &mut self.state);
        }
        let context =
            self.context.as_ref().ok_or_else(|| Error::internal("restore before open"))?;
        let mut distinct = self.state.groups.take_distinct();
        let (entries, keyed) = ((table, version, entries), &mut self.keyed);
        let restored =
            restore_distinct(&mut distinct, entries, groups, context, keyed, &mut self.state);
        self.state.groups.put_distinct(distinct);
        restored
    }

    fn restored(&mut self) -> Result<()> {
        self.keyed.restored()?;
        self.state.groups.restored_distinct();
        self.place_restored()
    }

    fn process(&mut self, _input: usize, changes: Changes, _out: &mut Output) -> Result<()> {
        if !changes.is_empty() {
            self.input.push_back(changes);
        }
        Ok(())
    }

    /// Rows of many windows are added in parts.
    fn is_pending(&self) -> bool {
        !self.input.is_empty()
    }

    fn watermark(&mut self, watermark: Watermark, _out: &mut Output) -> Result<()> {
        self.watermark = self.watermark.max(watermark);
        Ok(())
    }

    fn next_timer(&self) -> Option<i64> {
        let due = self.clock.first_key_value().map(|(at, _)| *at);
        let end = self.open.first_key_value().filter(|_| self.is_processing_time());
        let end = end.map(|((end, _), _)| self.zone.completion(*end));
        due.into_iter().chain(end).min()
    }

    fn drain(&mut self, out: &mut Output) -> Result<Progress> {
        if self.add_rows(out)? || self.leave(out)? || self.send_due(out)? {
            return Ok(Progress::More);
        }
        Ok(Progress::Done)
    }

    fn snapshot(&mut self, request: &SnapshotRequest) -> Result<Vec<TableSnapshot>> {
        let mut tables = vec![self.keyed.snapshot(request)?];
        tables.extend(self.state.groups.snapshot_distinct(request)?);
        Ok(tables)
    }

    fn copy(&mut self, entries: usize) -> Result<Copied> {
        let copied = self.keyed.copy(entries, &self.state)?;
        if !matches!(copied, Copied::Done) {
            return Ok(copied);
        }
        self.state.groups.copy_distinct(entries, &self.keyed)
    }

    fn abandon_copy(&mut self) {
        self.keyed.abandon_copy();
        self.state.groups.abandon_distinct();
    }

    fn state_bytes(&self) -> usize {
        self.keyed.memory_size()
            + self.state.memory_size()
            + self.pending.memory_size()
            + self.bounds.capacity() * size_of::<Bounds>()
    }
}
