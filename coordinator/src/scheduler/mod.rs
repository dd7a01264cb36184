//! Placement of a run's tasks: a pure function from what there is to who runs what.
//!
//! Slots are shared as in Flink: a slot takes one subtask of every task, so a run needs as many slots as its largest
//! parallelism, and neighbours that are connected one to one stay together. Slots are taken one after the other from
//! the worker that has the smallest share of its slots in use, so a run is spread, and two runs do not pile up.

use std::collections::BTreeMap;

use tidegate_types::{SubtaskId, TaskId};

/// A worker that could take tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Slots.
    pub slots: u32,
    /// Slots that other runs hold.
    pub used: u32,
    /// What it is like.
    pub labels: BTreeMap<String, String>,
    /// Whether it takes nothing new.
    pub draining: bool,
}

/// What is to be placed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problem {
    /// Parallelism of each task, by its index.
    pub parallelism: Vec<u32>,
    /// Labels that a worker must have.
    pub labels: BTreeMap<String, String>,
}

/// Where tasks run.
pub type Placement = BTreeMap<SubtaskId, String>;

/// Why a run cannot be placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// Slots that it needs.
    pub needed: u32,
    /// Slots that are free on workers that it may use.
    pub free: u32,
    /// Workers that it may use.
    pub eligible: usize,
    /// Workers that there are.
    pub workers: usize,
}

impl Problem {
    /// Slots that it needs.
    pub fn slots(&self) -> u32 {
        self.parallelism.iter().copied().max().unwrap_or(0)
    }

    fn fits(&self, candidate: &Candidate) -> bool {
        let has = |(key, value): (&String, &String)| candidate.labels.get(key) == Some(value);
        !candidate.draining && self.labels.iter().all(has)
    }
}

impl std::fmt::Display for Shortage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { needed, free, eligible, workers } = self;
        write!(
            f,
            "{needed} slots are needed and {free} are free on {eligible} of {workers} workers"
        )?;
        if eligible < workers {
            f.write_str(" (the others are drained, or lack a label that the job asks for)")?;
        }
        Ok(())
    }
}

/// Places a run, or says what is missing.
///
/// # Errors
/// The shortage of slots.
pub fn place(candidates: &[Candidate], problem: &Problem) -> Result<Placement, Shortage> {
    let mut eligible: Vec<Candidate> =
        candidates.iter().filter(|candidate| problem.fits(candidate)).cloned().collect();
    let shortage = Shortage {
        needed: problem.slots(),
        free: eligible.iter().map(free).sum(),
        eligible: eligible.len(),
        workers: candidates.len(),
    };
    let mut placement = Placement::new();
    for slot in 0..problem.slots() {
        let Some(worker) = eligible.iter_mut().filter(|c| free(c) > 0).min_by(|a, b| by_load(a, b))
        else {
            return Err(shortage);
        };
        worker.used += 1;
        let tasks = problem.parallelism.iter().enumerate();
        for (task, _) in tasks.filter(|(_, parallelism)| **parallelism > slot) {
            let id = SubtaskId { task: TaskId(task as u32), index: slot };
            placement.insert(id, worker.name.clone());
        }
    }
    Ok(placement)
}

fn free(candidate: &Candidate) -> u32 {
    candidate.slots.saturating_sub(candidate.used)
}

/// By the share of slots in use, then by name; without rounding.
fn by_load(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    let left = u64::from(a.used) * u64::from(b.slots);
    let right = u64::from(b.used) * u64::from(a.slots);
    left.cmp(&right).then_with(|| a.name.cmp(&b.name))
}

/// Slots that a placement takes on each worker.
pub fn slots_by_worker(placement: &Placement) -> BTreeMap<String, u32> {
    let mut slots: BTreeMap<String, std::collections::BTreeSet<u32>> = BTreeMap::new();
    for (subtask, worker) in placement {
        slots.entry(worker.clone()).or_default().insert(subtask.index);
    }
    slots.into_iter().map(|(worker, slots)| (worker, slots.len() as u32)).collect()
}

#[cfg(test)]
mod tests;
