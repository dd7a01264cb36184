//! Sending results: at once, when the clock says so, at a window's end; and forgetting windows.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{Schema, SchemaRef};
use tidegate_plan::operator::WindowAggregate as Plan;
use tidegate_plan::window::WindowColumn;
use tidegate_types::{Error, Result};

use super::state::{AT_ONCE, NEVER, WindowState};
use super::{EmittingAggregate, NO_WINDOW};
use crate::element::Changes;
use crate::keyed::SlotValues;
use crate::operator::Output;

/// A window whose groups are gone through, some at a time.
pub(super) struct Leaving {
    end: i64,
    start: i64,
    slots: Vec<u32>,
    next: usize,
    step: Step,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Its end has come: results that have changed are sent.
    Send,
    /// It takes no rows any more.
    Forget,
}

/// Columns in the order in which results are compared: what tells them apart, then the results.
pub(super) fn sent_schema(plan: &Plan, output: &SchemaRef, state: &WindowState) -> SchemaRef {
    let (keys, calls) = (plan.keys.len(), plan.aggregates.len());
    let fields = output.fields();
    let mut sent: Vec<_> = fields[..keys].iter().chain(&fields[keys + calls..]).cloned().collect();
    match state.has_results {
        true => sent.extend(fields[keys..keys + calls].iter().cloned()),
        false => sent.extend(state.shown.schema().fields().iter().cloned()),
    }
    Arc::new(Schema::new(sent))
}

impl EmittingAggregate {
    /// Sends the net changes of groups since their results were last sent.
    pub(super) fn send(&mut self, slots: &[u32], out: &mut Output) -> Result<()> {
        if slots.is_empty() {
            return Ok(());
        }
        let noted = self.pending.note(slots, self.keyed.keys().len());
        let shown = &self.state.shown;
        let had: Vec<bool> = self.pending.slots.iter().map(|slot| shown.has(*slot)).collect();
        self.pending.had_each(noted, &had, Some(|slots: &[u32]| shown.gather(slots)))?;
        let (slots, old) = self.pending.take()?;
        let groups = &self.state.groups;
        let alive: Option<Vec<bool>> =
            groups.can_empty().then(|| slots.iter().map(|slot| groups.has_rows(*slot)).collect());
        let new = self.state.results(&slots)?;
        let named = self.named(&slots)?;
        let changes = old.changes(&named, &new, alive.as_deref(), self.wanted, &self.sent)?;
        self.keyed.touch(&slots, out.now_ms, &self.state)?;
        for slot in &slots {
            let due = &mut self.state.due[*slot as usize];
            *due = if *due == AT_ONCE { AT_ONCE } else { NEVER };
            self.state.changed[*slot as usize] = false;
        }
        let Some(changes) = changes else { return Ok(()) };
        self.state.sent(&slots, alive.as_deref(), new)?;
        let changes = self.ordered(changes)?;
        for from in (0..changes.len()).step_by(self.batch_rows) {
            out.emit(changes.slice(from, self.batch_rows.min(changes.len() - from)));
        }
        Ok(())
    }

    /// What tells the results of groups apart: keys and the window's columns.
    fn named(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        let keys = self.plan.keys.len();
        let mut columns = self.keyed.keys().columns(slots)?;
        columns.truncate(keys);
        for column in &self.plan.columns {
            let values = slots.iter().map(|slot| {
                let (end, start) = self.bounds[*slot as usize];
                match column {
                    WindowColumn::Start => start,
                    WindowColumn::End => end,
                    WindowColumn::Time => self.zone.completion(end),
                }
            });
            let ty = self.sent.field(columns.len()).data_type().clone();
            let values = TimestampMillisecondArray::from_iter_values(values);
            columns.push(Arc::new(values.with_data_type(ty)));
        }
        Ok(columns)
    }

    /// The columns in the order of the output.
    fn ordered(&self, changes: Changes) -> Result<Changes> {
        let (keys, calls) = (self.plan.keys.len(), self.plan.aggregates.len());
        let columns = changes.rows.columns();
        let results = keys + self.plan.columns.len();
        let columns = columns[..keys]
            .iter()
            .chain(&columns[results..results + calls])
            .chain(&columns[keys..results]);
        let rows = RecordBatch::try_new(self.output.clone(), columns.cloned().collect())
            .map_err(|error| Error::internal(format!("results of windows: {error}")))?;
        Ok(Changes { kinds: changes.kinds, rows })
    }

    /// Sends results whose time has come by the clock; false if there are none.
    pub(super) fn send_due(&mut self, out: &mut Output) -> Result<bool> {
        let Some(entry) = self.clock.first_entry().filter(|entry| *entry.key() <= out.now_ms)
        else {
            return Ok(false);
        };
        let (at, mut slots) = entry.remove_entry();
        // Others have been sent, or forgotten, in the meantime.
        slots.retain(|slot| self.state.due[*slot as usize] == at);
        let rest = slots.split_off(slots.len().min(self.batch_rows));
        if !rest.is_empty() {
            self.clock.insert(at, rest);
        }
        self.send(&slots, out)?;
        Ok(true)
    }

    /// Goes on with windows that have ended or are to be forgotten; false if there are none.
    pub(super) fn leave(&mut self, out: &mut Output) -> Result<bool> {
        let now = self.now(out);
        let Some(mut leaving) = self.leaving.take().or_else(|| self.next_leaving(now)) else {
            return Ok(false);
        };
        let until = leaving.slots.len().min(leaving.next + self.batch_rows);
        let mut part = leaving.slots[leaving.next..until].to_vec();
        match leaving.step {
            Step::Send => {
                part.retain(|slot| self.state.changed[*slot as usize]);
                self.send(&part, out)?;
            }
            Step::Forget => self.forget(&part)?,
        }
        leaving.next = until;
        if until < leaving.slots.len() {
            self.leaving = Some(leaving);
        } else if leaving.step == Step::Send {
            if self.cleanup(leaving.end) <= now {
                self.leaving = Some(Leaving { next: 0, step: Step::Forget, ..leaving });
            } else {
                self.over.insert((leaving.end, leaving.start), leaving.slots);
            }
        }
        Ok(true)
    }

    fn next_leaving(&mut self, now: i64) -> Option<Leaving> {
        let zone = self.zone;
        let ended = self.open.first_entry().filter(|entry| zone.completion(entry.key().0) <= now);
        if let Some(entry) = ended {
            let ((end, start), slots) = entry.remove_entry();
            return Some(Leaving { end, start, slots, next: 0, step: Step::Send });
        }
        let (end, _) = *self.over.first_key_value()?.0;
        if self.cleanup(end) > now {
            return None;
        }
        let ((end, start), slots) = self.over.pop_first()?;
        Some(Leaving { end, start, slots, next: 0, step: Step::Forget })
    }

    fn forget(&mut self, slots: &[u32]) -> Result<()> {
        self.keyed.capture(slots, &self.state)?;
        self.state.groups.clear_distinct(slots, &self.keyed)?;
        for slot in slots {
            self.state.clear(*slot);
            self.bounds[*slot as usize] = NO_WINDOW;
        }
        self.keyed.remove(slots)
    }
}
