//! Rows of a chunk, given to candidates: key by key where the masks say everything, else a row of each key at a
//! time, so that conditions are tested for the candidates of all keys together.

use tidegate_functions::eval::EvalContext;
use tidegate_types::{Error, Result};

use super::automaton::{Candidate, Takes, Walk};
use super::conditions::Masks;
use super::search::{Search, UNWEIGHED, Weigh};
use super::shifted::Shifted;

/// Rows that are due, with what is known of them.
pub(super) struct Chunk<'a> {
    pub(super) masks: Masks,
    /// By row its entry.
    pub(super) entries: Vec<u32>,
    pub(super) times: &'a [i64],
    pub(super) context: EvalContext,
    pub(super) shifted: Option<Shifted>,
}

/// A candidate that is asked for, of a key of the round.
struct Asked {
    walk: Walk,
    /// Place of the key in the round.
    key: u32,
    /// Place of the candidate in its queue.
    candidate: u32,
}

/// A key with its next row.
struct Next {
    slot: u32,
    /// Place among the rows that are due.
    place: u32,
}

impl Search {
    /// All rows of a key, where the masks say everything.
    pub(super) fn run(&mut self, slot: u32, chunk: &Chunk<'_>, weigh: Weigh<'_>) -> Result<()> {
        let due = std::mem::take(&mut self.states.get_mut(slot).due);
        for place in &due {
            if self.made >= UNWEIGHED {
                self.states.weigh(slot);
                self.weighed(weigh)?;
            }
            if !self.arrive(slot, *place, chunk)? {
                continue;
            }
            let bits = chunk.masks.rows[*place as usize];
            let state = self.states.get_mut(slot);
            let row = (state.next_row() - 1, chunk.times[*place as usize]);
            let queues = (&mut state.candidates, &mut state.complete);
            let automaton = &self.automaton;
            let decide = |_, candidate: &Candidate| {
                let mut walk = automaton.walk(candidate);
                loop {
                    let holds = bits & (1 << walk.variable) != 0;
                    if !automaton.answer(&mut walk, holds) {
                        return walk.takes;
                    }
                }
            };
            automaton.step(queues, &mut self.scratch, decide, row, &mut self.found)?;
            self.made += state.candidates.len();
            self.collect(slot, i64::from(*place));
        }
        self.states.get_mut(slot).due = due;
        Ok(())
    }

    /// Adds a row to its key; whether any candidate is to be asked about it.
    fn arrive(&mut self, slot: u32, place: u32, chunk: &Chunk<'_>) -> Result<bool> {
        let (entry, time) = (chunk.entries[place as usize], chunk.times[place as usize]);
        let state = self.states.get_mut(slot);
        let queues = (&mut state.candidates, &mut state.complete);
        self.automaton.expire(queues, &mut self.scratch, time, &mut self.found)?;
        self.collect(slot, i64::from(place));
        let state = self.states.get_mut(slot);
        if state.is_idle() && chunk.masks.rows[place as usize] & self.automaton.starting() == 0 {
            state.release(&mut self.released);
            self.released.push(entry);
            return Ok(false);
        }
        state.push(entry, time);
        Ok(true)
    }

    /// Puts what was found of a key among the matches.
    pub(super) fn collect(&mut self, slot: u32, order: i64) {
        if self.found.is_empty() {
            return;
        }
        let state = self.states.get(slot);
        for found in self.found.drain(..) {
            self.matches.add(&found, state, order);
        }
    }

    /// The next row of each key, all together; whether there was one.
    pub(super) fn round(
        &mut self,
        round: usize,
        active: &[u32],
        chunk: &mut Chunk<'_>,
    ) -> Result<bool> {
        let mut any = false;
        let (mut keys, mut asked): (Vec<Next>, Vec<Asked>) = (Vec::new(), Vec::new());
        for slot in active {
            let Some(place) = self.states.get(*slot).due.get(round).copied() else { continue };
            any = true;
            if !self.arrive(*slot, place, chunk)? {
                continue;
            }
            let key = keys.len() as u32;
            keys.push(Next { slot: *slot, place });
            let candidates = (0u32..).zip(self.states.get(*slot).candidates.items());
            asked.extend(candidates.map(|(candidate, one)| {
                let walk = self.automaton.walk(one);
                Asked { walk, key, candidate }
            }));
        }
        self.ask(&mut asked, &keys, chunk)?;
        let mut asked = asked.into_iter().peekable();
        for (key, Next { slot, place }) in (0u32..).zip(keys) {
            let state = self.states.get_mut(slot);
            let row = (state.next_row() - 1, chunk.times[place as usize]);
            let queues = (&mut state.candidates, &mut state.complete);
            let decide = |_, _: &Candidate| {
                let own = asked.next_if(|next| next.key == key);
                own.map_or_else(Takes::new, |next| next.walk.takes)
            };
            self.automaton.step(queues, &mut self.scratch, decide, row, &mut self.found)?;
            self.made += state.candidates.len();
            self.collect(slot, i64::from(place));
        }
        Ok(any)
    }

    /// Finds out which variables take the rows, conditions being tested for all candidates together.
    fn ask(&mut self, asked: &mut [Asked], keys: &[Next], chunk: &mut Chunk<'_>) -> Result<()> {
        let mut pending: Vec<u32> = (0..asked.len() as u32).collect();
        let mut open: Vec<(u32, Candidate)> = Vec::new();
        let mut waiting: Vec<Vec<(u32, Candidate)>> = vec![Vec::new(); self.variables];
        while !pending.is_empty() {
            for index in pending.drain(..) {
                let Asked { walk, key, candidate } = &mut asked[index as usize];
                let Next { slot, place } = &keys[*key as usize];
                let bits = chunk.masks.rows[*place as usize];
                loop {
                    let (variable, bit) = (usize::from(walk.variable), 1 << walk.variable);
                    let mut holds = bits & bit != 0;
                    if holds && chunk.masks.decided & bit == 0 {
                        let state = self.states.get(*slot);
                        let row = state.next_row() - 1;
                        let tested =
                            state.candidates.items()[*candidate as usize].with(variable, row);
                        let known = match &mut chunk.shifted {
                            Some(shifted) => {
                                let Some(condition) = self.conditions.open(variable, &chunk.masks)
                                else {
                                    return Err(no_condition());
                                };
                                shifted.holds(
                                    (variable, condition),
                                    (&tested, row, *place),
                                    &chunk.masks,
                                    (&self.rows, &chunk.context),
                                )
                            }
                            None => None,
                        };
                        match known {
                            Some(known) => holds = known,
                            None => {
                                waiting[variable].push((index, tested));
                                break;
                            }
                        }
                    }
                    if !self.automaton.answer(walk, holds) {
                        break;
                    }
                }
            }
            for (variable, waiting) in waiting.iter_mut().enumerate() {
                if waiting.is_empty() {
                    continue;
                }
                std::mem::swap(&mut open, waiting);
                let Some(condition) = self.conditions.open(variable, &chunk.masks) else {
                    return Err(no_condition());
                };
                for (index, tested) in &open {
                    let Next { slot, place } = &keys[asked[*index as usize].key as usize];
                    let (entry, time) =
                        (chunk.entries[*place as usize], chunk.times[*place as usize]);
                    condition.add(tested, self.states.get(*slot), entry, time);
                }
                let holds = condition.holds(&self.rows, &chunk.context)?;
                for (place, (index, _)) in open.drain(..).enumerate() {
                    if self.automaton.answer(&mut asked[index as usize].walk, holds.value(place)) {
                        pending.push(index);
                    }
                }
            }
        }
        Ok(())
    }
}

fn no_condition() -> Error {
    Error::internal("a condition is not there")
}
