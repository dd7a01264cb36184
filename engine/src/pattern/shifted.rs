//! Conditions that look back a known number of rows, computed for all rows of a chunk at once.
//!
//! `DOWN.price < LAST(DOWN.price, 1)` depends on the row and the one before it in its partition, whichever candidate
//! asks. So does any condition without aggregates, once it is known how far back each row that it refers to
//! lies, or that there is none. Where few keys have many rows, candidates would be asked about a row or two at a
//! time; what is asked for the same distances often enough is computed for the whole chunk.

use arrow::array::BooleanBufferBuilder;
use arrow::buffer::BooleanBuffer;
use hashbrown::HashMap;
use smallvec::SmallVec;
use tidegate_functions::eval::EvalContext;

use super::automaton::Candidate;
use super::conditions::Masks;
use super::context::RowContext;
use super::key_state::KeyStates;
use super::rows::{NO_ROW, RowTable};

/// Rows by key from which on it may pay.
const ROWS_PER_KEY: usize = if cfg!(test) { 1 } else { 4 };
/// Rows of a chunk from which on it may pay.
const ROWS: usize = if cfg!(test) { 2 } else { 64 };
/// Questions that are answered one by one before all are, per so many rows of the chunk.
const ROWS_PER_QUESTION: usize = 256;
/// The fewest of them.
const QUESTIONS: usize = if cfg!(test) { 2 } else { 8 };
/// Most distances that are remembered of a variable.
const DISTANCES: usize = 256;

/// How far back the rows that a condition refers to lie; [`ABSENT`]: there is no such row.
pub(super) type Distances = SmallVec<[u32; 4]>;

/// In place of a distance.
pub(super) const ABSENT: u32 = u32::MAX;

/// What is known of a variable for certain distances.
enum Known {
    /// How often it was asked.
    Asked(usize),
    /// The condition, by row of the chunk.
    Holds(BooleanBuffer),
    /// It cannot be computed for all rows.
    Fails,
}

/// The rows of a chunk by key, and conditions by distances.
pub(super) struct Shifted {
    /// Entries of the rows, key by key, kept ones before those that are due.
    sequence: Vec<u32>,
    /// By row of the chunk its place in `sequence` and that of the first row of its key; none if it is of no key.
    places: Vec<Option<(u32, u32)>>,
    known: HashMap<(usize, Distances), Known>,
}

impl Shifted {
    /// Of keys whose rows are due; none if it does not pay.
    pub(super) fn new(active: &[u32], states: &KeyStates, entries: &[u32]) -> Option<Self> {
        let due: usize = active.iter().map(|slot| states.get(*slot).due.len()).sum();
        if due < ROWS || due < active.len() * ROWS_PER_KEY {
            return None;
        }
        let (mut sequence, mut places) = (Vec::new(), vec![None; entries.len()]);
        for slot in active {
            let state = states.get(*slot);
            let first = sequence.len() as u32;
            sequence.extend(&state.rows);
            for place in &state.due {
                places[*place as usize] = Some((sequence.len() as u32, first));
                sequence.push(entries[*place as usize]);
            }
        }
        Some(Self { sequence, places, known: HashMap::new() })
    }

    /// Whether the condition of a variable holds for a candidate, whose last row, numbered `row`, is the one of the
    /// chunk at `place`; none if that must be asked.
    pub(super) fn holds(
        &mut self,
        (variable, condition): (usize, &mut RowContext),
        (candidate, row, place): (&Candidate, u64, u32),
        masks: &Masks,
        (rows, context): (&RowTable, &EvalContext),
    ) -> Option<bool> {
        let distances = condition.distances(candidate, row)?;
        let key = (variable, distances);
        let questions = QUESTIONS.max(self.places.len() / ROWS_PER_QUESTION);
        match self.known.get_mut(&key) {
            Some(Known::Holds(holds)) => return Some(holds.value(place as usize)),
            Some(Known::Fails) => return None,
            Some(Known::Asked(times)) if *times + 1 < questions => {
                *times += 1;
                return None;
            }
            Some(Known::Asked(_)) => {}
            None => {
                if self.known.len() < DISTANCES {
                    self.known.insert(key, Known::Asked(1));
                }
                return None;
            }
        }
        let computed = self.compute(&key, condition, masks, (rows, context));
        let answer = match &computed {
            Known::Holds(holds) => Some(holds.value(place as usize)),
            Known::Asked(_) | Known::Fails => None,
        };
        self.known.insert(key, computed);
        answer
    }

    fn compute(
        &self,
        (variable, distances): &(usize, Distances),
        condition: &mut RowContext,
        masks: &Masks,
        (rows, context): (&RowTable, &EvalContext),
    ) -> Known {
        let mut asked = Vec::new();
        for (place, bits) in masks.rows.iter().enumerate() {
            let Some((at, first)) = self.places[place].filter(|_| bits & (1 << variable) != 0)
            else {
                continue;
            };
            let back = |distance: u32| match at.checked_sub(distance).filter(|at| *at >= first) {
                Some(at) => self.sequence[at as usize],
                None => NO_ROW,
            };
            condition.add_at(self.sequence[at as usize], distances.iter().map(|one| back(*one)));
            asked.push(place);
        }
        let Ok(values) = condition.holds(rows, context) else { return Known::Fails };
        let mut holds = BooleanBufferBuilder::new(masks.rows.len());
        holds.append_n(masks.rows.len(), false);
        for place in values.values().set_indices() {
            holds.set_bit(asked[place], true);
        }
        Known::Holds(holds.finish())
    }
}
