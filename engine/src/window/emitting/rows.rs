//! Adding rows to their windows, and restoring the windows of groups.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, UInt32Array};
use arrow::datatypes::Int64Type;
use tidegate_plan::window::WindowTime;
use tidegate_types::{Error, Result};

use super::super::assign;
use super::state::{AT_ONCE, NEVER};
use super::{Bounds, EmittingAggregate, NO_WINDOW};
use crate::element::Changes;
use crate::keyed::{SlotValues, hashes_of};
use crate::operator::Output;

/// Rows, counted once in each of their windows, that are added at once.
const ROWS_AT_ONCE: usize = if cfg!(test) { 7 } else { 32 << 10 };

/// The windows of rows: for each, the row and the window's bounds.
#[derive(Default)]
struct Assigned {
    rows: Vec<u32>,
    ends: Vec<i64>,
    starts: Vec<i64>,
    /// Rows that no window takes any more.
    late: u64,
}

impl EmittingAggregate {
    /// Adds some rows of the input; false if there are none.
    pub(super) fn add_rows(&mut self, out: &mut Output) -> Result<bool> {
        let Some(changes) = self.input.pop_front() else { return Ok(false) };
        let windows = self.shape.map_or(1, |slices| slices.most_windows());
        let rows = (ROWS_AT_ONCE / windows).max(1);
        if changes.len() > rows {
            self.input.push_front(changes.slice(rows, changes.len() - rows));
        }
        self.add(&changes.slice(0, rows.min(changes.len())), out)?;
        self.weigh()?;
        Ok(true)
    }

    fn add(&mut self, changes: &Changes, out: &mut Output) -> Result<()> {
        let assigned = self.assign(&changes.rows, out)?;
        if let Some(context) = self.context.as_ref().filter(|_| assigned.late > 0) {
            context.metrics.late_records.add(assigned.late);
        }
        if assigned.rows.is_empty() {
            return Ok(());
        }
        let rows = changes.take(&UInt32Array::from(assigned.rows))?;
        self.find(&rows.rows, &assigned.ends, &assigned.starts, out.now_ms)?;
        self.state.groups.apply(&self.slots, &rows, &self.keyed)?;
        let slots = std::mem::take(&mut self.slots);
        let at_once = self.note(&slots, out);
        self.slots = slots;
        self.send(&at_once, out)
    }

    /// The windows of rows that still take them.
    fn assign(&self, rows: &RecordBatch, out: &Output) -> Result<Assigned> {
        let (mut assigned, now) = (Assigned::default(), self.now(out));
        let mut windows_of = |row: usize, windows: &mut dyn Iterator<Item = Bounds>| {
            let before = assigned.rows.len();
            for (end, start) in windows.filter(|(end, _)| self.cleanup(*end) > now) {
                assigned.rows.push(row as u32);
                assigned.ends.push(end);
                assigned.starts.push(start);
            }
            assigned.late += u64::from(assigned.rows.len() == before);
        };
        match (&self.plan.time, self.shape) {
            (
                WindowTime::Attached { start, end } | WindowTime::AttachedProcessing { start, end },
                _,
            ) => {
                let starts = assign::times(rows.column(*start), "window_start")?;
                let ends = assign::times(rows.column(*end), "window_end")?;
                for (row, bounds) in ends.iter().copied().zip(starts.iter().copied()).enumerate() {
                    windows_of(row, &mut std::iter::once(bounds));
                }
            }
            (time, Some(slices)) => {
                let times = match time {
                    WindowTime::Event { column } => {
                        Some(assign::times(rows.column(*column), "the rowtime of a row")?)
                    }
                    _ => None,
                };
                for row in 0..rows.num_rows() {
                    let time = self.zone.to_local(times.map_or(out.now_ms, |times| times[row]));
                    let ends = slices.windows_of(slices.slice_end(time));
                    windows_of(row, &mut ends.map(|end| (end, slices.window_start(end))));
                }
            }
            _ => return Err(Error::internal("window time does not fit the window's shape")),
        }
        Ok(assigned)
    }

    /// Finds the groups of rows of these windows.
    fn find(
        &mut self,
        rows: &RecordBatch,
        ends: &[i64],
        starts: &[i64],
        now_ms: i64,
    ) -> Result<()> {
        let mut keys: Vec<ArrayRef> =
            self.plan.keys.iter().map(|key| rows.column(*key).clone()).collect();
        keys.push(Arc::new(Int64Array::from(ends.to_vec())));
        keys.push(Arc::new(Int64Array::from(starts.to_vec())));
        let hashes = hashes_of(&keys, ends.len())?;
        let (slots, expired) = (&mut self.slots, &mut self.expired);
        self.keyed.upsert(&keys, &hashes, now_ms, slots, expired, &self.state)?;
        let table = self.keyed.keys().len();
        self.state.resize(table);
        self.bounds.resize(table.max(self.bounds.len()), NO_WINDOW);
        let now = if self.is_processing_time() { now_ms } else { self.watermark };
        for (slot, bounds) in
            self.slots.iter().zip(ends.iter().copied().zip(starts.iter().copied()))
        {
            if self.bounds[*slot as usize] == NO_WINDOW {
                self.bounds[*slot as usize] = bounds;
                let open = self.zone.completion(bounds.0) > now;
                let windows = if open { &mut self.open } else { &mut self.over };
                windows.entry(bounds).or_default().push(*slot);
                if !open {
                    self.state.due[*slot as usize] = AT_ONCE;
                }
            }
        }
        Ok(())
    }

    /// The windows and times of restored groups.
    pub(super) fn place_restored(&mut self) -> Result<()> {
        let live = self.keyed.live_slots();
        self.state.resize(self.keyed.keys().len());
        self.bounds.resize(self.keyed.keys().len(), NO_WINDOW);
        let columns = self.keyed.keys().columns(&live)?;
        let [.., ends, starts] = columns.as_slice() else {
            return Err(Error::internal("groups of windows without windows"));
        };
        let bound = |column: &ArrayRef| column.as_primitive::<Int64Type>().values().clone();
        for (slot, bounds) in live.iter().zip(bound(ends).iter().zip(bound(starts).iter())) {
            let bounds = (*bounds.0, *bounds.1);
            self.bounds[*slot as usize] = bounds;
            // By processing time nothing is over before it is sent.
            let open = self.is_processing_time() || self.zone.completion(bounds.0) > self.watermark;
            let windows = if open { &mut self.open } else { &mut self.over };
            windows.entry(bounds).or_default().push(*slot);
            let due = self.state.due[*slot as usize];
            if due != NEVER && due != AT_ONCE {
                self.clock.entry(due).or_default().push(*slot);
            }
        }
        Ok(())
    }

    /// Notes when results of changed groups are due; those that are at once are returned.
    fn note(&mut self, slots: &[u32], out: &Output) -> Vec<u32> {
        let (now, mut at_once) = (self.now(out), Vec::new());
        for slot in slots {
            let index = *slot as usize;
            let late = self.zone.completion(self.bounds[index].0) <= now;
            let delay = if late { self.emit.late_ms } else { self.emit.early_ms };
            self.state.changed[index] = true;
            match delay {
                None => {}
                Some(0) => at_once.push(*slot),
                Some(_) if self.state.due[index] == AT_ONCE => at_once.push(*slot),
                Some(delay) if self.state.due[index] == NEVER => {
                    let delay = i64::try_from(delay).unwrap_or(NEVER);
                    let at = out.now_ms.saturating_add(delay);
                    self.state.due[index] = at;
                    self.clock.entry(at).or_default().push(*slot);
                }
                Some(_) => {}
            }
        }
        at_once
    }
}
