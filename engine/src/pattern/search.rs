//! The search: rows that are due go to the candidates of their keys.

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take;
use std::collections::BTreeSet;
use tidegate_functions::eval::EvalContext;
use tidegate_types::Result;

use super::automaton::{Automaton, Found};
use super::conditions::{Conditions, Masks};
use super::internal;
use super::key_state::{KeyState, KeyStates, NO_TIMER};
use super::output::Matches;
use super::queue::Queue;
use super::rounds::Chunk;
use super::rows::RowTable;
use super::shifted::Shifted;
use crate::keyed::{Keyed, SlotValues, hashes_of};
use crate::keys::NO_SLOT;

/// Candidates that may come into being before the memory is weighed again.
pub(super) const UNWEIGHED: usize = 256 << 10;

/// What the search knows and changes.
pub(super) struct Search {
    pub(super) automaton: Automaton,
    pub(super) conditions: Conditions,
    pub(super) keys: Keyed,
    pub(super) states: KeyStates,
    pub(super) rows: RowTable,
    pub(super) matches: Matches,
    /// Deadlines of the earliest candidates by key.
    timers: BTreeSet<(i64, u32)>,
    pub(super) variables: usize,
    /// Columns of the partition.
    partition: Vec<usize>,
    pub(super) scratch: Queue,
    pub(super) found: Vec<Found>,
    /// Entries of rows that nobody has any more, until the matches are out.
    pub(super) released: Vec<u32>,
    /// Candidates that have come into being since the memory was weighed.
    pub(super) made: usize,
}

/// Weighs the memory against its bound.
pub(super) type Weigh<'w> = &'w mut dyn FnMut(&Search) -> Result<()>;

/// Rows that are due, in order.
pub(super) struct Due<'a> {
    pub(super) rows: DueRows<'a>,
    pub(super) times: &'a [i64],
}

/// Where rows that are due are.
pub(super) enum DueRows<'a> {
    /// In the table already.
    Stored(&'a [u32]),
    /// In a batch: only those that matter go to the table.
    Fresh(&'a RecordBatch),
}

impl Search {
    pub(super) fn new(
        automaton: Automaton,
        conditions: Conditions,
        keys: Keyed,
        rows: RowTable,
        matches: Matches,
        (variables, partition): (usize, Vec<usize>),
    ) -> Self {
        Self {
            automaton,
            conditions,
            keys,
            states: KeyStates::default(),
            rows,
            matches,
            timers: BTreeSet::new(),
            variables,
            partition,
            scratch: Queue::default(),
            found: Vec::new(),
            released: Vec::new(),
            made: 0,
        }
    }

    /// The partition's columns of a batch.
    pub(super) fn partition(&self, batch: &RecordBatch) -> Vec<ArrayRef> {
        columns_of(batch, &self.partition)
    }

    /// Weighs the memory.
    pub(super) fn weighed(&mut self, weigh: Weigh<'_>) -> Result<()> {
        self.made = 0;
        weigh(self)
    }

    /// Gives rows to the candidates of their keys. Those of one key are given one after the other; `weigh` is
    /// called when many candidates have come into being.
    ///
    /// # Errors
    /// `EVALUATION` as conditions do; what `weigh` fails with.
    pub(super) fn advance(&mut self, due: &Due<'_>, now_ms: i64, weigh: Weigh<'_>) -> Result<()> {
        let context = EvalContext::at(now_ms);
        let columns = match due.rows {
            DueRows::Stored(entries) => self.rows.gather(entries, &self.conditions.read)?,
            DueRows::Fresh(batch) => columns_of(batch, &self.conditions.read),
        };
        let masks = self.conditions.masks(columns, due.times.len(), &context)?;
        let slots = self.slots(due, &masks, now_ms)?;
        let Some(slots) = slots else {
            if let DueRows::Stored(entries) = due.rows {
                self.rows.remove(entries)?;
            }
            return Ok(());
        };
        let entries: Vec<u32> = match due.rows {
            DueRows::Stored(entries) => {
                let idle = entries.iter().zip(&slots).filter(|(_, slot)| **slot == NO_SLOT);
                self.released.extend(idle.map(|(entry, _)| *entry));
                entries.to_vec()
            }
            DueRows::Fresh(batch) => {
                let places = 0..batch.num_rows() as u32;
                let kept: Vec<u32> =
                    places.filter(|place| slots[*place as usize] != NO_SLOT).collect();
                let added = self.rows.add(&kept, batch)?;
                let mut entries = vec![0; batch.num_rows()];
                kept.iter().zip(added).for_each(|(place, entry)| entries[*place as usize] = entry);
                entries
            }
        };
        let mut active: Vec<u32> = Vec::new();
        for (place, slot) in (0u32..).zip(&slots).filter(|(_, slot)| **slot != NO_SLOT) {
            let state = self.states.get_mut(*slot);
            if state.due.is_empty() {
                active.push(*slot);
            }
            state.due.push(place);
        }
        let shifted = Shifted::new(&active, &self.states, &entries);
        let mut chunk = Chunk { masks, entries, times: due.times, context, shifted };
        match chunk.masks.decide_all(self.variables) {
            true => {
                for slot in &active {
                    self.run(*slot, &chunk, weigh)?;
                }
            }
            false => {
                let mut round = 0;
                while self.round(round, &active, &mut chunk)? {
                    round += 1;
                    if self.made >= UNWEIGHED {
                        active.iter().for_each(|slot| self.states.weigh(*slot));
                        self.weighed(weigh)?;
                    }
                }
            }
        }
        self.finish(&active)
    }

    /// The slots of the rows' keys; [`NO_SLOT`] for rows that no candidate waits for and that begin none. None if
    /// that is so for all.
    fn slots(&mut self, due: &Due<'_>, masks: &Masks, now_ms: i64) -> Result<Option<Vec<u32>>> {
        let starting = self.automaton.starting();
        let rows = 0..masks.rows.len() as u32;
        let (starts, others): (Vec<u32>, Vec<u32>) =
            rows.partition(|row| masks.rows[*row as usize] & starting != 0);
        if starts.is_empty() && self.keys.keys().live() == 0 {
            return Ok(None);
        }
        let keys = match due.rows {
            DueRows::Stored(entries) => self.rows.gather(entries, &self.partition)?,
            DueRows::Fresh(batch) => columns_of(batch, &self.partition),
        };
        let hashes = hashes_of(&keys, masks.rows.len())?;
        let mut slots = vec![NO_SLOT; masks.rows.len()];
        let mut found = Vec::new();
        if !starts.is_empty() {
            let (keys, hashes) = part(&keys, &hashes, &starts)?;
            let mut expired = Vec::new();
            let states = &self.states;
            self.keys.upsert(&keys, &hashes, now_ms, &mut found, &mut expired, states)?;
            self.states.resize(self.keys.keys().len());
            starts.iter().zip(&found).for_each(|(row, slot)| slots[*row as usize] = *slot);
        }
        if !others.is_empty() {
            let (keys, hashes) = part(&keys, &hashes, &others)?;
            self.keys.find(&keys, &hashes, &mut found)?;
            others.iter().zip(&found).for_each(|(row, slot)| slots[*row as usize] = *slot);
            found.retain(|slot| *slot != NO_SLOT);
            self.keys.touch(&found, now_ms, &self.states)?;
        }
        Ok(Some(slots))
    }

    /// Removes candidates whose time is over, of up to `limit` keys; whether there may be more.
    ///
    /// # Errors
    /// As [`Automaton::step`].
    pub(super) fn expire(&mut self, until: i64, now_ms: i64, limit: usize) -> Result<bool> {
        let mut slots = Vec::new();
        while slots.len() < limit
            && let Some((deadline, slot)) = self.timers.first().copied()
            && deadline <= until
        {
            self.timers.pop_first();
            self.states.get_mut(slot).timer = NO_TIMER;
            slots.push(slot);
        }
        if slots.is_empty() {
            return Ok(false);
        }
        self.keys.touch(&slots, now_ms, &self.states)?;
        for slot in &slots {
            let state = self.states.get_mut(*slot);
            let queues = (&mut state.candidates, &mut state.complete);
            self.automaton.expire(queues, &mut self.scratch, until, &mut self.found)?;
            for found in self.found.drain(..) {
                self.matches.add(&found, state, found.time);
            }
        }
        self.finish(&slots)?;
        Ok(true)
    }

    /// Settles what is kept of keys that rows were given to.
    fn finish(&mut self, slots: &[u32]) -> Result<()> {
        let mut idle = Vec::new();
        for slot in slots {
            let state = self.states.get_mut(*slot);
            state.due.clear();
            state.release(&mut self.released);
            let timer = state.candidates.first().and_then(|one| self.automaton.deadline(one));
            let timer = timer.unwrap_or(NO_TIMER);
            let known = state.timer;
            if state.is_idle() || timer < known {
                self.timers.remove(&(known, *slot));
                state.timer = timer;
                if timer != NO_TIMER {
                    self.timers.insert((timer, *slot));
                }
            }
            if state.is_idle() {
                idle.push(*slot);
            } else {
                self.states.weigh(*slot);
            }
        }
        idle.iter().for_each(|slot| self.states.clear(*slot));
        self.keys.remove(&idle)
    }

    /// The matches that were found, none of whose rows has been removed yet.
    ///
    /// # Errors
    /// `EVALUATION` as measures do.
    pub(super) fn take_matches(&mut self, now_ms: i64) -> Result<Option<RecordBatch>> {
        let context = EvalContext::at(now_ms);
        let matches = match self.matches.len() {
            0 => None,
            _ => Some(self.matches.take(&self.rows, &context)?),
        };
        self.rows.remove(&self.released)?;
        self.released.clear();
        Ok(matches)
    }

    /// When candidates are looked at next.
    pub(super) fn next_timer(&self) -> Option<i64> {
        self.timers.first().map(|(deadline, _)| *deadline)
    }

    /// Takes restored rows in order, each of a key with its slot: the first of a key are those that its candidates
    /// have, and the others are given back.
    ///
    /// # Errors
    /// `CORRUPT` if rows are missing.
    pub(super) fn restored(&mut self, rows: Vec<(u32, (i64, u32))>) -> Result<Vec<(i64, u32)>> {
        let mut waiting = Vec::new();
        for (slot, timed) in rows {
            match slot {
                NO_SLOT => waiting.push(timed),
                slot => {
                    let state = self.states.get_mut(slot);
                    match state.rows.len() < state.kept {
                        true => state.rows.push_back(timed.1),
                        false => waiting.push(timed),
                    }
                }
            }
        }
        for slot in self.keys.live_slots() {
            let state = self.states.get_mut(slot);
            if state.rows.len() != state.kept {
                return Err(tidegate_types::Error::new(
                    tidegate_types::ErrorCode::Corrupt,
                    "the checkpoint has candidates of a pattern without their rows",
                ));
            }
            let timer = state.candidates.first().and_then(|one| self.automaton.deadline(one));
            if let Some(timer) = timer {
                state.timer = timer;
                self.timers.insert((timer, slot));
            }
            self.states.weigh(slot);
        }
        Ok(waiting)
    }

    /// Bytes held.
    pub(super) fn memory_size(&self) -> usize {
        self.keys.memory_size()
            + self.states.memory_size()
            + self.rows.memory_size()
            + self.conditions.memory_size()
            + self.matches.memory_size()
            + self.timers.len() * 40
    }

    /// The state of a key, if it has one.
    pub(super) fn state(&self, slot: u32) -> Option<&KeyState> {
        (slot != NO_SLOT).then(|| self.states.get(slot))
    }
}

fn columns_of(batch: &RecordBatch, columns: &[usize]) -> Vec<ArrayRef> {
    columns.iter().map(|column| batch.column(*column).clone()).collect()
}

/// Some rows of key columns and hashes.
fn part(keys: &[ArrayRef], hashes: &[u64], rows: &[u32]) -> Result<(Vec<ArrayRef>, Vec<u64>)> {
    if rows.len() == hashes.len() {
        return Ok((keys.to_vec(), hashes.to_vec()));
    }
    let places = UInt32Array::from(rows.to_vec());
    let taken = keys.iter().map(|key| take(key, &places, None));
    let taken = taken.collect::<std::result::Result<_, _>>().map_err(internal)?;
    Ok((taken, rows.iter().map(|row| hashes[*row as usize]).collect()))
}
