//! What is kept of each key: its candidates and the rows that they have.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, Int64Builder, ListArray, ListBuilder};
use arrow::datatypes::{DataType, Field, Int64Type};
use tidegate_types::{Error, Result};

use super::automaton::{Candidate, Counts};
use super::queue::Queue;
use crate::keyed::SlotValues;

/// No timer.
pub(super) const NO_TIMER: i64 = i64::MAX;

/// A key's candidates and rows.
#[derive(Debug, Default)]
pub(super) struct KeyState {
    /// Candidates that go on; one that is not started is always among them, once a row has come.
    pub(super) candidates: Queue,
    /// Those that are complete and wait for earlier candidates.
    pub(super) complete: Queue,
    /// Entries of the rows that these have, in order.
    pub(super) rows: VecDeque<u32>,
    /// Number of the first of `rows`.
    pub(super) first: u64,
    /// Time of the last row, ms.
    pub(super) last: i64,
    /// When candidates are looked at next, ms, or [`NO_TIMER`].
    pub(super) timer: i64,
    /// Rows that come, as places among those that are due.
    pub(super) due: Vec<u32>,
    /// While restoring: how many rows are kept.
    pub(super) kept: usize,
    /// Bytes held when it was last weighed.
    bytes: usize,
}

impl KeyState {
    fn new() -> Self {
        let candidates = Queue::of(vec![Candidate::new()]);
        Self { candidates, last: i64::MIN, timer: NO_TIMER, ..Self::default() }
    }

    /// Whether nothing is known but that the next row may begin a match.
    pub(super) fn is_idle(&self) -> bool {
        self.candidates.len() <= 1
            && self.complete.is_empty()
            && !self.candidates.first().is_some_and(Candidate::is_started)
    }

    /// The entry of a row.
    pub(super) fn entry(&self, row: u64) -> Option<u32> {
        self.rows.get(usize::try_from(row.checked_sub(self.first)?).ok()?).copied()
    }

    /// The number that the next row gets.
    pub(super) fn next_row(&self) -> u64 {
        self.first + self.rows.len() as u64
    }

    /// Adds a row.
    pub(super) fn push(&mut self, entry: u32, time: i64) {
        self.rows.push_back(entry);
        self.last = self.last.max(time);
    }

    /// Gives up the rows that no candidate has.
    pub(super) fn release(&mut self, released: &mut Vec<u32>) {
        let starts = [self.candidates.first(), self.complete.first()].into_iter().flatten();
        let needed = starts.map(|one| one.start).min().unwrap_or(u64::MAX).min(self.next_row());
        let count = usize::try_from(needed - self.first).unwrap_or(0);
        released.extend(self.rows.drain(..count));
        self.first = needed;
    }

    fn memory_size(&self) -> usize {
        let one = |queue: &Queue| {
            let items = queue.items();
            let own: usize = items.iter().map(Candidate::heap_size).sum();
            std::mem::size_of_val(items) + own
        };
        one(&self.candidates)
            + one(&self.complete)
            + self.rows.capacity() * 4
            + self.due.capacity() * 4
    }
}

/// The states of keys by slot.
///
/// Stored: how many rows are kept, the time of the last one, the candidates and the complete ones; of each its
/// first row as a place among the kept ones (−1: not started), that row's time, the number of variables and
/// the rows of each.
#[derive(Default)]
pub(super) struct KeyStates {
    states: Vec<KeyState>,
    bytes: usize,
}

impl KeyStates {
    pub(super) fn get(&self, slot: u32) -> &KeyState {
        &self.states[slot as usize]
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> &mut KeyState {
        &mut self.states[slot as usize]
    }

    /// Bytes held.
    pub(super) fn memory_size(&self) -> usize {
        self.states.capacity() * size_of::<KeyState>() + self.bytes
    }

    /// Notes what a state holds.
    pub(super) fn weigh(&mut self, slot: u32) {
        let state = &mut self.states[slot as usize];
        let bytes = state.memory_size();
        self.bytes = self.bytes + bytes - state.bytes;
        state.bytes = bytes;
    }

    fn lists<'a>(
        &'a self,
        slots: &[u32],
        queue: impl Fn(&'a KeyState) -> &'a Queue,
    ) -> Result<ArrayRef> {
        let mut lists = ListBuilder::new(Int64Builder::new()).with_field(item());
        for slot in slots {
            let state = self.get(*slot);
            let values = lists.values();
            for candidate in queue(state).items() {
                let start = match candidate.is_started() {
                    true => signed(candidate.start - state.first)?,
                    false => -1,
                };
                values.append_slice(&[start, candidate.time, candidate.counts.len() as i64]);
                candidate.counts.iter().for_each(|count| values.append_value(i64::from(*count)));
            }
            lists.append(true);
        }
        Ok(Arc::new(lists.finish()))
    }
}

impl SlotValues for KeyStates {
    fn types(&self) -> Vec<DataType> {
        let list = DataType::List(Arc::new(item()));
        vec![DataType::Int64, DataType::Int64, list.clone(), list]
    }

    fn resize(&mut self, slots: usize) {
        if self.states.len() < slots {
            self.states.resize_with(slots, KeyState::new);
        }
    }

    fn columns(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        let rows = slots.iter().map(|slot| self.get(*slot).rows.len() as i64);
        let rows: ArrayRef = Arc::new(Int64Array::from_iter_values(rows));
        let last = slots.iter().map(|slot| self.get(*slot).last);
        let last: ArrayRef = Arc::new(Int64Array::from_iter_values(last));
        let candidates = self.lists(slots, |state| &state.candidates)?;
        let complete = self.lists(slots, |state| &state.complete)?;
        Ok(vec![rows, last, candidates, complete])
    }

    fn put(&mut self, slots: &[u32], columns: &[ArrayRef]) -> Result<()> {
        let [rows, last, candidates, complete] = columns else {
            return Err(Error::internal("state of a pattern has other columns"));
        };
        let rows = rows.as_primitive::<Int64Type>();
        let last = last.as_primitive::<Int64Type>();
        let (candidates, complete) = (candidates.as_list::<i32>(), complete.as_list::<i32>());
        for (index, slot) in slots.iter().enumerate() {
            self.states[*slot as usize] = KeyState {
                candidates: Queue::of(read(candidates, index)?),
                complete: Queue::of(read(complete, index)?),
                kept: usize::try_from(rows.value(index)).unwrap_or(0),
                last: last.value(index),
                ..KeyState::new()
            };
        }
        Ok(())
    }

    fn clear(&mut self, slot: u32) {
        self.bytes -= self.states[slot as usize].bytes;
        self.states[slot as usize] = KeyState::new();
    }
}

fn item() -> Field {
    Field::new("item", DataType::Int64, true)
}

fn signed(value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|_| Error::internal("a row's place does not fit"))
}

/// The candidates of a stored list.
fn read(lists: &ListArray, index: usize) -> Result<Vec<Candidate>> {
    let broken = || Error::internal("the stored candidates of a pattern are cut off");
    let values = lists.value(index);
    let values = values.as_primitive::<Int64Type>().values().as_ref();
    let mut rest: &[i64] = values;
    let mut candidates = Vec::new();
    while let [start, time, variables, more @ ..] = rest {
        let variables = usize::try_from(*variables).map_err(|_| broken())?;
        let (counts, behind) = more.split_at_checked(variables).ok_or_else(broken)?;
        let counts = counts.iter().map(|count| u32::try_from(*count).map_err(|_| broken()));
        let counts = counts.collect::<Result<Counts>>()?;
        if counts.is_empty() {
            return Err(broken());
        }
        let start = u64::try_from(*start).unwrap_or(super::automaton::NOT_STARTED);
        candidates.push(Candidate { start, time: *time, counts });
        rest = behind;
    }
    if rest.is_empty() { Ok(candidates) } else { Err(broken()) }
}
