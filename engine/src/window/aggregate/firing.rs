//! Emitting complete windows: as a whole, or partition by partition where a part of it was spilled.

use std::sync::Arc;

use arrow::array::{RecordBatch, TimestampMillisecondArray};
use tidegate_plan::window::WindowColumn;
use tidegate_types::key_group::key_group;
use tidegate_types::{Error, Result};

use super::super::slice::Slices;
use super::super::slice_state::{PARTITIONS, SliceState};
use super::super::store::Groups;
use super::WindowAggregate;
use crate::element::Changes;
use crate::operator::Output;

/// A complete window whose results are being emitted.
pub(super) struct Firing {
    start: i64,
    end: i64,
    /// The groups of this part.
    groups: Groups,
    next: usize,
    /// The parts that come after it.
    rest: Rest,
}

enum Rest {
    /// None.
    Nothing,
    /// Partitions of a window that has its slice for itself.
    Own(Box<SliceState>, u32),
    /// Partitions of a window that shares its slices.
    Shared(Slices, u32),
}

impl WindowAggregate {
    /// Takes the next complete window, with the first groups to emit.
    pub(super) fn next_firing(&mut self, now: i64) -> Result<Option<Firing>> {
        let Some((end, start)) = self.pending.first().copied() else { return Ok(None) };
        if self.zone.completion(end) > now {
            return Ok(None);
        }
        self.pending.pop_first();
        let (start, rest) = match self.shape {
            Some(slices) if !slices.is_tumbling() => {
                (slices.window_start(end), self.shared(slices, end)?)
            }
            shape => {
                let start = shape.map_or(start, |slices| slices.window_start(end));
                self.copy_out((end, start))?;
                let Some(slice) = self.slices.remove(&(end, start)) else { return Ok(None) };
                self.last_keys = slice.active.keys.len();
                if !slice.has_runs() {
                    let (groups, rest) = (slice.active, Rest::Nothing);
                    return Ok(Some(Firing { start, end, groups, next: 0, rest }));
                }
                (start, Err(Rest::Own(Box::new(slice), 0)))
            }
        };
        let (groups, rest) = match rest {
            Ok(merged) => (merged, Rest::Nothing),
            Err(rest) => (self.spec.groups.groups()?, rest),
        };
        Ok(Some(Firing { start, end, groups, next: 0, rest }))
    }

    /// A window's groups merged from its slices, or what is needed to do so in parts.
    fn shared(&mut self, slices: Slices, end: i64) -> Result<Result<Groups, Rest>> {
        let first = (slices.first_slice(end), i64::MIN);
        let of_window = || self.slices.range(first..=(end, i64::MAX)).map(|(_, slice)| slice);
        if of_window().any(SliceState::has_runs) {
            return Ok(Err(Rest::Shared(slices, 0)));
        }
        let mut merged = self.spec.groups.groups()?;
        for slice in of_window() {
            slice.merge_into(&mut merged, None, &self.spec)?;
        }
        self.drop_finished(slices, end)?;
        Ok(Ok(merged))
    }

    /// The groups of the next partition; `None` after the last.
    fn next_part(&mut self, firing: &mut Firing) -> Result<Option<Groups>> {
        let mut merged = self.spec.groups.groups()?;
        match &mut firing.rest {
            Rest::Own(slice, partition) if *partition < PARTITIONS => {
                slice.merge_into(&mut merged, Some(*partition), &self.spec)?;
                *partition += 1;
            }
            Rest::Shared(slices, partition) if *partition < PARTITIONS => {
                let first = (slices.first_slice(firing.end), i64::MIN);
                for (_, slice) in self.slices.range(first..=(firing.end, i64::MAX)) {
                    slice.merge_into(&mut merged, Some(*partition), &self.spec)?;
                }
                *partition += 1;
            }
            Rest::Shared(slices, _) => {
                let slices = *slices;
                self.drop_finished(slices, firing.end)?;
                return Ok(None);
            }
            Rest::Nothing | Rest::Own(..) => return Ok(None),
        }
        Ok(Some(merged))
    }

    fn drop_finished(&mut self, slices: Slices, window_end: i64) -> Result<()> {
        while let Some((key, _)) = self.slices.first_key_value() {
            let key = *key;
            if slices.last_window(key.0) > window_end {
                break;
            }
            self.copy_out(key)?;
            self.slices.remove(&key);
        }
        Ok(())
    }

    /// Emits the next batch of a window; false if there is nothing more.
    pub(super) fn emit_part(&mut self, firing: &mut Firing, out: &mut Output) -> Result<bool> {
        if firing.next >= firing.groups.keys.len() {
            let Some(groups) = self.next_part(firing)? else { return Ok(false) };
            (firing.groups, firing.next) = (groups, 0);
        }
        let batch_rows = self.context.as_ref().map_or(8192, |context| context.batch_rows);
        let until = firing.groups.keys.len().min(firing.next + batch_rows);
        let mut slots: Vec<u32> = (firing.next as u32..until as u32).collect();
        firing.next = until;
        self.skip_emitted(firing, &mut slots);
        firing.groups.accumulators.retain_live(&mut slots);
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
        Ok(true)
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
}
