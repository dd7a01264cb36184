//! Runs that are to be elsewhere, or of another parallelism: each takes a checkpoint, its tasks end, and it is deployed
//! anew from that. Nothing moves before there is room for it.

use std::collections::BTreeSet;
use std::time::Duration;

use tidegate_catalog::{Action, Catalog, Run, RunState, WorkerState};
use tidegate_job_control::Request;
use tidegate_types::Result;

use super::driving::worker_labels;
use super::{Active, Lead, Wanted};
use crate::raft::Consistency;
use crate::scheduler::Problem;
use crate::service::workers::remote::shortage;

/// How long a run that has a checkpoint may take to leave in order; then its tasks are replaced where they are.
const LEAVING: Duration = Duration::from_secs(60);

/// How long other runs wait for one that moves.
const MOVING: Duration = Duration::from_secs(120);

/// A worker that is not to run anything.
struct Drained {
    id: String,
    incarnation: u64,
    /// Whether it is not known yet that nothing is there.
    draining: bool,
}

impl Lead<'_> {
    /// Has runs leave where they are not to be, and says which workers are empty.
    pub(super) async fn move_runs(&mut self, wanted: &[Wanted], now: Duration) -> Result<()> {
        let drained = self.supervisor.metadata.read(Consistency::Stale, drained).await?;
        let names: BTreeSet<String> = drained.iter().map(|worker| worker.id.clone()).collect();
        // What workers run is known once they have had time to say so.
        let settled = now >= self.settled;
        let hosted = if settled { self.supervisor.pool.hosted() } else { Vec::new() };
        self.moving = self.moving.take().filter(|(name, until)| {
            let run = wanted.iter().find(|wanted| wanted.run.name == *name);
            let leaves = self.active.get(name).is_none_or(|active| active.leaving.is_some());
            let arrived = |run: &Run| {
                run.state == RunState::Running && run.deployed == Some(run.parallelism) && !leaves
            };
            now < *until && run.is_some_and(|wanted| !arrived(&wanted.run))
        });
        for Wanted { run, .. } in wanted {
            let Some(active) = self.active.get(&run.name) else { continue };
            let job = run.name.job.to_string();
            let off = hosted.iter().find(|(of, _, worker, _)| *of == job && names.contains(worker));
            let why = match off {
                _ if run.parallelism != active.parallelism => {
                    Some(format!("go on at parallelism {}", run.parallelism))
                }
                Some((_, _, worker, _)) => Some(format!("leave worker {worker}")),
                None => None,
            };
            let other = self.moving.as_ref().filter(|(name, _)| *name != run.name);
            let room = match (&why, other) {
                (None, _) => None,
                (Some(_), Some((other, _))) => Some(format!("{other} moves first")),
                (Some(_), None) => self.room(run, &names).await?,
            };
            let saved = run.record.as_ref().is_some_and(|record| record.latest().is_some());
            if let Some(active) = self.active.get_mut(&run.name) {
                match (why, room) {
                    (None, _) => active.kept = None,
                    (Some(why), Some(shortage)) if active.leaving.is_none() => {
                        active.kept = Some(format!("to {why}: {shortage}"));
                    }
                    (Some(_), _) => {
                        active.leave(now, saved);
                        self.moving.get_or_insert((run.name.clone(), now + MOVING));
                    }
                }
            }
        }
        if !settled {
            return Ok(());
        }
        let used = self.supervisor.pool.used_slots();
        for worker in drained.into_iter().filter(|worker| worker.draining) {
            let hosts = hosted.iter().any(|(_, _, there, _)| *there == worker.id);
            // A run that is about to be deployed holds its slots already.
            let reserved = used.get(&worker.id).is_some_and(|slots| *slots > 0);
            if !hosts && !reserved {
                let (worker, incarnation) = (worker.id, worker.incarnation);
                self.supervisor.propose(Action::FinishDrain { worker, incarnation }).await?;
            }
        }
        Ok(())
    }

    /// What is missing for a run to be placed as it should be, in words.
    async fn room(&self, run: &Run, drained: &BTreeSet<String>) -> Result<Option<String>> {
        let version = run.name.job.version(run.version);
        let labels = move |catalog: &Catalog| {
            catalog.version(&version).map(|version| worker_labels(&version.spec))
        };
        let labels = self.supervisor.metadata.read(Consistency::Stale, labels).await?;
        let problem = Problem {
            parallelism: vec![run.parallelism],
            labels: labels.transpose()?.unwrap_or_default(),
        };
        let job = run.name.job.to_string();
        Ok(shortage(&self.supervisor.pool, &job, drained, &problem).map(|some| some.to_string()))
    }

    /// Tells the catalog what runs wait for, where that has changed.
    pub(super) async fn tell_waiting(&self, wanted: &[Wanted]) -> Result<()> {
        for Wanted { run, .. } in wanted {
            let Some(active) = self.active.get(&run.name) else { continue };
            let waiting = active.kept.clone().or_else(|| active.waiting.borrow().clone());
            if waiting != run.waiting {
                if let Some(waiting) = &waiting {
                    tracing::info!(run = %run.name, waiting, "a run waits");
                }
                let run = run.name.clone();
                self.supervisor.propose(Action::SetRunWaiting { run, waiting }).await?;
            }
        }
        Ok(())
    }
}

impl Active {
    /// Has the driver leave the run to another one.
    fn leave(&mut self, now: Duration, saved: bool) {
        match self.leaving {
            None => {
                self.kept = None;
                if self.requests.try_send(Request::Leave).is_ok() {
                    self.leaving = Some(now);
                }
            }
            // Without any checkpoint the run would begin from nothing: it is left alone until it has one.
            Some(since) if saved && now.saturating_sub(since) > LEAVING => self.driving.abort(),
            Some(_) => {}
        }
    }
}

fn drained(catalog: &Catalog) -> Vec<Drained> {
    let not_active = catalog
        .workers()
        .filter(|worker| matches!(worker.state, WorkerState::Draining | WorkerState::Drained));
    let drained = |worker: &tidegate_catalog::Worker| Drained {
        id: worker.spec.id.clone(),
        incarnation: worker.spec.incarnation,
        draining: worker.state == WorkerState::Draining,
    };
    not_active.map(drained).collect()
}
