//! The pattern as an automaton over candidates: sequences of rows that may become matches.
//!
//! Rows of a match lie next to each other, and so do those of each variable: a candidate is its first row and
//! the number of rows per variable. A row that a candidate cannot take ends it.
//!
//! The rules are Flink's. A greedy variable takes every row that it can take and gives none back, and when it has
//! all of its rows the next variable cannot begin with a row that meets its condition. Any other takes a row
//! and leaves it to the next variables too, which makes two candidates. A candidate that is
//! complete is a match once no candidate with an earlier first row is left; matches come in the order of
//! their first rows, and each removes the candidates and complete ones that begin before the place where
//! the search goes on.

use smallvec::SmallVec;
use tidegate_plan::operator::{AfterMatch, MatchRecognize};
use tidegate_types::{Error, ErrorCode, Result};

use super::queue::Queue;

/// In place of the number of a first row: there is none yet.
pub(super) const NOT_STARTED: u64 = u64::MAX;

/// Rows per variable, up to the one that may take the next row.
pub(super) type Counts = SmallVec<[u32; 4]>;

/// Variables that take a row.
pub(super) type Takes = SmallVec<[u16; 2]>;

/// A sequence of rows that may become a match, or is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Number of its first row among those of its key, or [`NOT_STARTED`].
    pub(super) start: u64,
    /// Time of its first row, ms.
    pub(super) time: i64,
    /// Rows per variable; those behind have none.
    pub(super) counts: Counts,
}

/// A match, with the time at which it was found, ms.
pub(super) struct Found {
    pub(super) rows: Candidate,
    pub(super) time: i64,
}

impl Candidate {
    /// The one that every key has: the next row may begin a match.
    pub(super) fn new() -> Self {
        Self { start: NOT_STARTED, time: 0, counts: SmallVec::from_slice(&[0]) }
    }

    /// Whether it has rows.
    pub(super) fn is_started(&self) -> bool {
        self.start != NOT_STARTED
    }

    /// Number of rows.
    pub(super) fn len(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }

    /// The first row of a variable and how many it has; `None`: of all variables.
    pub(super) fn rows_of(&self, variable: Option<usize>) -> (u64, u64) {
        match variable {
            None => (self.start, self.len()),
            Some(variable) => {
                let before: u64 =
                    self.counts.iter().take(variable).map(|count| u64::from(*count)).sum();
                let own = self.counts.get(variable).copied().unwrap_or(0);
                (self.start + before, u64::from(own))
            }
        }
    }

    /// With one more row of a variable.
    fn take(&mut self, variable: usize) {
        self.counts.resize(variable + 1, 0);
        self.counts[variable] += 1;
    }

    /// As it would be with a row, numbered `row`, for a variable.
    pub(super) fn with(&self, variable: usize, row: u64) -> Self {
        let mut taken = self.clone();
        if !taken.is_started() {
            taken.start = row;
        }
        taken.take(variable);
        taken
    }

    /// Bytes held beside itself.
    pub(super) fn heap_size(&self) -> usize {
        if self.counts.spilled() { self.counts.capacity() * 4 } else { 0 }
    }
}

/// A variable of the pattern.
struct Step {
    min: u32,
    /// `u32::MAX` is no bound.
    max: u32,
    greedy: bool,
}

/// Where a candidate is asked next whether the row is taken.
#[derive(Debug, Clone)]
pub(super) struct Walk {
    /// The variable whose condition is to be tested.
    pub(super) variable: u16,
    /// Its rows so far.
    rows: u32,
    /// Whether the variable has all of its rows, and only must not hold for those of the next one.
    guard: bool,
    /// The variables that take the row.
    pub(super) takes: Takes,
}

/// The pattern.
pub(super) struct Automaton {
    steps: Vec<Step>,
    /// By variable, whether it and all behind it may have no rows; one more at the end.
    rest_optional: Vec<bool>,
    names: Vec<String>,
    skip: AfterMatch,
    within: Option<i64>,
}

impl Automaton {
    /// The automaton of a plan node.
    pub(super) fn new(plan: &MatchRecognize) -> Self {
        let steps: Vec<Step> = plan
            .variables
            .iter()
            .map(|variable| Step {
                min: variable.min,
                max: variable.max.unwrap_or(u32::MAX),
                greedy: variable.greedy,
            })
            .collect();
        let mut rest_optional = vec![true; steps.len() + 1];
        for (variable, step) in steps.iter().enumerate().rev() {
            rest_optional[variable] = step.min == 0 && rest_optional[variable + 1];
        }
        Self {
            steps,
            rest_optional,
            names: plan.variables.iter().map(|variable| variable.name.clone()).collect(),
            skip: plan.skip,
            within: plan.within_ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX)),
        }
    }

    /// A bit per variable that the first row of a match may be of.
    pub(super) fn starting(&self) -> u64 {
        let optional = self.steps.iter().take_while(|step| step.min == 0).count();
        (0..=optional.min(self.steps.len() - 1)).fold(0, |bits, variable| bits | (1 << variable))
    }

    /// When a candidate's time is over, ms.
    pub(super) fn deadline(&self, candidate: &Candidate) -> Option<i64> {
        let within = self.within?;
        candidate.is_started().then(|| candidate.time.saturating_add(within))
    }

    /// Begins to ask for a candidate.
    pub(super) fn walk(&self, candidate: &Candidate) -> Walk {
        let variable = candidate.counts.len() - 1;
        let rows = candidate.counts[variable];
        let guard = rows == 0 && variable > 0 && self.steps[variable - 1].greedy;
        let variable = if guard { variable - 1 } else { variable };
        Walk { variable: variable as u16, rows, guard, takes: Takes::new() }
    }

    /// Notes whether the row meets the condition that was asked for; whether there is another to test.
    pub(super) fn answer(&self, walk: &mut Walk, holds: bool) -> bool {
        if std::mem::take(&mut walk.guard) {
            walk.variable += 1;
            return !holds;
        }
        let step = &self.steps[usize::from(walk.variable)];
        if holds {
            walk.takes.push(walk.variable);
        }
        let goes_on = walk.rows >= step.min && !(step.greedy && holds);
        if !goes_on || usize::from(walk.variable) + 1 == self.steps.len() {
            return false;
        }
        walk.variable += 1;
        walk.rows = 0;
        true
    }

    /// Gives a row to a candidate's variable: what goes on, and what is complete.
    fn successor(
        &self,
        mut candidate: Candidate,
        variable: usize,
    ) -> (Option<Candidate>, Option<Candidate>) {
        let step = &self.steps[variable];
        candidate.take(variable);
        let count = candidate.counts[variable];
        let full = count == step.max;
        let enough = full || (count >= step.min && !step.greedy);
        let complete = enough && self.rest_optional[variable + 1];
        if full && variable + 1 == self.steps.len() {
            return (None, Some(candidate));
        }
        let done = complete.then(|| candidate.clone());
        if full {
            candidate.counts.push(0);
        }
        (Some(candidate), done)
    }

    /// Gives a row to the candidates of a key: `decide` says which variables take it, by the candidate's place in
    /// the queue, in that order. Matches go to `found`.
    ///
    /// # Errors
    /// `EVALUATION` if the search cannot go on where AFTER MATCH SKIP says.
    pub(super) fn step(
        &self,
        (candidates, complete): (&mut Queue, &mut Queue),
        scratch: &mut Queue,
        mut decide: impl FnMut(usize, &Candidate) -> Takes,
        (row, time): (u64, i64),
        found: &mut Vec<Found>,
    ) -> Result<()> {
        std::mem::swap(candidates, scratch);
        let mut done = Queue::default();
        for (place, mut candidate) in scratch.drain().enumerate() {
            let takes = decide(place, &candidate);
            let begins = !candidate.is_started();
            if begins {
                (candidate.start, candidate.time) = (row, time);
            }
            for (index, variable) in takes.iter().enumerate() {
                let own = match index + 1 == takes.len() {
                    true => std::mem::replace(&mut candidate, Candidate::new()),
                    false => candidate.clone(),
                };
                let (next, whole) = self.successor(own, usize::from(*variable));
                next.into_iter().for_each(|next| candidates.push(next));
                whole.into_iter().for_each(|whole| done.push(whole));
            }
            if begins {
                candidates.push(Candidate::new());
            }
        }
        done.drain().for_each(|done| complete.push(done));
        self.settle((candidates, complete), &[], time, found)
    }

    /// Removes candidates whose time is over; matches that waited for them go to `found`.
    ///
    /// # Errors
    /// As [`Automaton::step`].
    pub(super) fn expire(
        &self,
        (candidates, complete): (&mut Queue, &mut Queue),
        scratch: &mut Queue,
        now: i64,
        found: &mut Vec<Found>,
    ) -> Result<()> {
        let over = |one: &Candidate| self.deadline(one).is_some_and(|deadline| deadline <= now);
        if !candidates.first().is_some_and(over) {
            return Ok(());
        }
        std::mem::swap(candidates, scratch);
        let mut ended: Vec<(u64, i64)> = Vec::new();
        for candidate in scratch.drain() {
            match self.deadline(&candidate) {
                Some(deadline) if deadline <= now => ended.push((candidate.start, deadline)),
                _ => candidates.push(candidate),
            }
        }
        ended.sort_unstable();
        self.settle((candidates, complete), &ended, now, found)
    }

    /// Finds matches among the complete candidates. `ended`: first rows and deadlines of candidates whose time is
    /// over, in order: a match is found when the last one before it has ended, however late that is noticed.
    fn settle(
        &self,
        (candidates, complete): (&mut Queue, &mut Queue),
        ended: &[(u64, i64)],
        now: i64,
        found: &mut Vec<Found>,
    ) -> Result<()> {
        let (mut searched, mut time) = (0, None);
        while let Some(earliest) = complete.first() {
            if candidates.first().is_some_and(|other| other.start < earliest.start) {
                break;
            }
            let Some(rows) = complete.pop() else { break };
            // Those that an earlier match removes do not count.
            let before = ended.partition_point(|(start, _)| *start < rows.start);
            let last = before.checked_sub(1).map(|last| ended[last]);
            if let Some((_, deadline)) = last.filter(|(start, _)| *start >= searched) {
                time = time.max(Some(deadline));
            }
            searched = self.next_start(&rows)?;
            let stays = |other: &Candidate| other.start >= searched;
            candidates.retain(stays);
            complete.retain(stays);
            found.push(Found { time: time.unwrap_or(now), rows });
        }
        Ok(())
    }

    /// The first row that a match behind this one may begin with.
    fn next_start(&self, rows: &Candidate) -> Result<u64> {
        let (variable, last) = match self.skip {
            AfterMatch::PastLastRow => return Ok(rows.start + rows.len()),
            AfterMatch::ToNextRow => return Ok(rows.start + 1),
            AfterMatch::ToFirst { variable } => (variable, false),
            AfterMatch::ToLast { variable } => (variable, true),
        };
        let (first, count) = rows.rows_of(Some(variable));
        let (word, name) = (if last { "LAST" } else { "FIRST" }, &self.names[variable]);
        let Some(before_last) = count.checked_sub(1) else {
            let message = format!(
                "AFTER MATCH SKIP TO {word} {name}: a match was found in which {name} has no row"
            );
            return Err(Error::new(ErrorCode::Evaluation, message)
                .help("skip to a variable that every match has, or SKIP TO NEXT ROW"));
        };
        let place = first + if last { before_last } else { 0 };
        if place == rows.start {
            let message = format!(
                "AFTER MATCH SKIP TO {word} {name}: that is the first row of the match, which would be found again for ever"
            );
            return Err(Error::new(ErrorCode::Evaluation, message)
                .help("skip to a variable behind the first row, or SKIP TO NEXT ROW"));
        }
        Ok(place)
    }
}
