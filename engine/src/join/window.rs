//! The join of rows of equal windows, made when the window is complete.
//!
//! Rows wait in batches, by window. Of a complete window the right rows are linked by key and the left rows looked up
//! among them, batch by batch; what is left without a partner comes out, and the window is gone. Rows of a window that is
//! complete are late: dropped and counted.
//!
//! State tables `left` and `right`: the rows as they came; a row is written once. Their windows say when files expire. By
//! the clock, `fired` says what came out.

use std::collections::{BTreeMap, VecDeque};

use arrow::array::RecordBatch;
use tidegate_plan::operator::WindowJoin as Plan;
use tidegate_plan::{Node, PlanSettings, RowKind};
use tidegate_types::{Error, KeyGroupRange, MIN_WATERMARK, Result, Watermark};

use super::buffer::Buffer;
use super::clock::RowClock;
use super::core::Core;
use super::regular::{Parts, two};
use super::residual::without_partner;
use super::restore::side_of;
use super::rows::RowId;
use super::side::{New, Side};
use super::snapshot::{TABLES, VERSION};
use super::state::{Keeps, weigh};
use crate::element::Changes;
use crate::keys::hash::hash_columns;
use crate::memory::MemoryShare;
use crate::operator::{
    Entries, Operator, OperatorContext, Output, Progress, SnapshotMode, SnapshotRequest,
    TableSnapshot,
};
use crate::window::WindowZone;
use crate::window::assign::{self, Part};
use crate::window::fired::Fired;
use crate::window::layout::{check_layout, taken_of};

/// Joins rows of equal windows.
pub struct WindowJoin {
    plan: Plan,
    zone: WindowZone,
    /// Empty unless a window is being joined.
    core: Core,
    /// Of each side.
    keys: [Vec<usize>; 2],
    /// Rows by side, by `(end, start)`.
    windows: BTreeMap<(i64, i64), [Buffer; 2]>,
    firing: Option<Firing>,
    fired: Fired,
    watermark: Watermark,
    context: Option<OperatorContext>,
    share: Option<MemoryShare>,
    /// Bytes of the windows.
    bytes: usize,
    rows: u64,
}

/// A complete window: right rows to be linked, left rows to be looked up, then right rows without a
/// partner.
struct Firing {
    right: VecDeque<RecordBatch>,
    left: VecDeque<RecordBatch>,
    alone: Option<Vec<RowId>>,
}

impl WindowJoin {
    /// The operator of a plan node; `zone` is that in which its windows were cut.
    ///
    /// # Errors
    /// What compiling the condition fails with, `INTERNAL` if the plan contradicts itself.
    pub fn new(
        plan: &Plan,
        node: &Node,
        inputs: &[&Node],
        settings: &PlanSettings,
        zone: WindowZone,
    ) -> Result<Self> {
        let inputs = two(inputs)?;
        if inputs.iter().any(|input| !input.changelog.is_append()) {
            return Err(Error::internal("a window join over an input that changes"));
        }
        let parts = Parts {
            kind: plan.kind,
            on: &plan.on,
            node,
            inputs,
            kept: inputs.map(|input| tidegate_plan::arrow_type::arrow_schema(&input.schema)),
            clock: RowClock::Expiry([None, None]),
            names_forgotten: false,
            settings,
        };
        let mut core = parts.core()?;
        (core.waits, core.keeps) = (true, [false, true]);
        Ok(Self {
            plan: plan.clone(),
            zone,
            keys: [plan.on.left_keys.clone(), plan.on.right_keys.clone()],
            core,
            windows: BTreeMap::new(),
            firing: None,
            fired: Fired::new(),
            watermark: MIN_WATERMARK,
            context: None,
            share: None,
            bytes: 0,
            rows: 0,
        })
    }

    /// Rows of a side by their windows, without those that `taken` says no to.
    fn parts(
        &self,
        side: usize,
        rows: &RecordBatch,
        hashes: &[u64],
        taken: impl Fn(usize, i64) -> bool,
    ) -> Result<Vec<Part>> {
        let starts = assign::times(rows.column(self.plan.starts[side]), "window_start")?;
        let ends = assign::times(rows.column(self.plan.ends[side]), "window_end")?;
        assign::split(rows, hashes, |row| taken(row, ends[row]).then(|| (ends[row], starts[row])))
    }

    fn add(&mut self, side: usize, part: Part, saved: bool) -> Result<()> {
        let window = self.windows.entry((part.end, part.start)).or_default();
        let before = window[side].memory_size();
        self.rows += part.rows.num_rows() as u64;
        window[side].push(part.rows, saved)?;
        self.bytes = self.bytes - before + window[side].memory_size();
        Ok(())
    }

    fn is_complete(&self, end: i64, now: Watermark) -> bool {
        self.zone.completion(end) <= now
    }

    /// Lines up the rows of a window.
    fn fire(&mut self, [left, right]: [Buffer; 2]) -> Result<()> {
        self.bytes -= left.memory_size() + right.memory_size();
        self.rows -= (left.rows() + right.rows()) as u64;
        let pairless = self.core.kind == tidegate_plan::operator::JoinKind::Inner
            && (left.rows() == 0 || right.rows() == 0);
        if pairless {
            return Ok(());
        }
        let (right, left) = (right.into_batches().into(), left.into_batches().into());
        self.firing = Some(Firing { right, left, alone: None });
        Ok(())
    }

    fn link(&mut self, rows: &RecordBatch) -> Result<()> {
        let mut hashes = Vec::new();
        hash_columns(rows, &self.keys[1], &mut hashes)?;
        let loose = without_partner(rows.columns(), &self.keys[1], &self.core.null_safe);
        let counts = vec![0; rows.num_rows()];
        let new =
            New { hashes: &hashes, loose: loose.as_deref(), counts: &counts, ..New::default() };
        self.core.sides[1].add(rows, new).map(drop)
    }

    /// Goes on with a complete window; false once it is done.
    fn go_on(&mut self, firing: &mut Firing, out: &mut Output) -> Result<bool> {
        if let Some(rows) = firing.right.pop_front() {
            self.link(&rows)?;
            return Ok(true);
        }
        if let Some(rows) = firing.left.pop_front() {
            self.core.begin(0, Changes::append(rows), out.now_ms)?;
            self.core.run(out)?;
            return Ok(true);
        }
        if !self.core.kind.keeps_right() {
            return Ok(false);
        }
        let mut alone = match firing.alone.take() {
            Some(alone) => alone,
            None => self.core.sides[1].without_partner(),
        };
        let rest = alone.split_off(alone.len().min(self.core.layout.batch_rows));
        if !alone.is_empty() {
            self.core.emit_alone(1, &alone, out)?;
        }
        firing.alone = Some(rest);
        Ok(firing.alone.as_ref().is_some_and(|rest| !rest.is_empty()))
    }

    fn weigh(&mut self) -> Result<()> {
        let bytes = self.state_bytes();
        weigh(self.share.as_mut(), bytes, self.rows)
    }

    /// Until when windows are complete: rows still come in the millisecond that the clock shows.
    fn now(&self, out: &Output) -> Watermark {
        if self.plan.event { self.watermark } else { self.fired.until().max(out.now_ms - 1) }
    }
}

impl Side {
    /// Rows that no row has met.
    fn without_partner(&self) -> Vec<RowId> {
        let chunks = self.rows.iter().flat_map(|(place, _)| self.live_of(place));
        chunks.filter(|row| self.counts[*row as usize] == 0).collect()
    }
}

impl Operator for WindowJoin {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        self.watermark = context.watermark;
        self.core.layout.batch_rows = context.batch_rows.max(1);
        self.share = Some(context.memory.share());
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
        if !self.plan.event && self.fired.take(table, version, entries, groups)? {
            return Ok(());
        }
        let side = side_of(&TABLES, table, version)?;
        let schema = &self.core.sides[side].spec.schema;
        check_layout((table, version), (TABLES[side], VERSION), entries, schema)?;
        let mut hashes = Vec::new();
        hash_columns(entries, &self.keys[side], &mut hashes)?;
        let ends = assign::times(entries.column(self.plan.ends[side]), "window_end")?;
        let taken = taken_of(&hashes, groups, self.context.as_ref(), |row, group| {
            let over = if self.plan.event { self.watermark } else { self.fired.restored(group) };
            !self.is_complete(ends[row], over)
        })?;
        let parts = self.parts(side, entries, &hashes, |row, _| taken[row])?;
        parts.into_iter().try_for_each(|part| self.add(side, part, true))
    }

    fn process(&mut self, input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        if (0..changes.len()).any(|row| changes.kind(row) != RowKind::Insert as i8) {
            return Err(Error::internal("a window join over an input that changes"));
        }
        let hashes = vec![0; changes.len()];
        let now = self.now(out);
        let parts = self.parts(input, &changes.rows, &hashes, |_, end| {
            !self.plan.event || !self.is_complete(end, now)
        })?;
        let kept: usize = parts.iter().map(|part| part.rows.num_rows()).sum();
        if let Some(context) = &self.context {
            context.metrics.late_records.add((changes.len() - kept) as u64);
        }
        parts.into_iter().try_for_each(|part| self.add(input, part, false))?;
        self.weigh()
    }

    fn watermark(&mut self, watermark: Watermark, _out: &mut Output) -> Result<()> {
        self.watermark = self.watermark.max(watermark);
        Ok(())
    }

    fn next_timer(&self) -> Option<i64> {
        let ((end, _), _) = self.windows.first_key_value().filter(|_| !self.plan.event)?;
        Some(self.zone.completion(*end).saturating_add(1))
    }

    fn drain(&mut self, out: &mut Output) -> Result<Progress> {
        if self.core.work.is_some() {
            self.core.run(out)?;
            return Ok(Progress::More);
        }
        if let Some(mut firing) = self.firing.take() {
            if self.go_on(&mut firing, out)? {
                self.firing = Some(firing);
            } else {
                self.core.sides[1] = Side::new(self.core.sides[1].spec.clone())?;
            }
            return Ok(Progress::More);
        }
        let now = self.now(out);
        match self.windows.first_entry() {
            Some(entry) if self.zone.completion(entry.key().0) <= now => {
                self.fired.advance(now);
                let window = entry.remove();
                self.fire(window)?;
                Ok(Progress::More)
            }
            _ => Ok(Progress::Done),
        }
    }

    fn snapshot(&mut self, request: &SnapshotRequest) -> Result<Vec<TableSnapshot>> {
        let mut tables = Vec::new();
        for (side, table) in TABLES.into_iter().enumerate() {
            let full = request.mode(table) == SnapshotMode::Full;
            let (mut batches, mut live) = (Vec::new(), 0);
            let mut expires = MIN_WATERMARK;
            for ((end, _), window) in &mut self.windows {
                let taken = window[side].take_unsaved(full);
                if !taken.is_empty() {
                    expires = expires.max(self.zone.completion(*end));
                }
                live += window[side].rows() as u64;
                batches.extend(taken);
            }
            let expires = (self.plan.event && !batches.is_empty()).then_some(expires);
            tables.push(TableSnapshot {
                table,
                version: VERSION,
                mode: if full { SnapshotMode::Full } else { SnapshotMode::CHANGES },
                changed: Entries { batches, expires, ..Entries::default() },
                pieces: Vec::new(),
                lap: None,
                live,
            });
        }
        if !self.plan.event {
            tables.extend(self.fired.snapshot(request)?);
        }
        Ok(tables)
    }

    fn state_rows(&self) -> u64 {
        self.rows
    }

    fn state_bytes(&self) -> usize {
        self.bytes + self.core.memory_size()
    }
}
