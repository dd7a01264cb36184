//! Commands about workers.

use std::sync::Arc;

use tidegate_types::{Error, ErrorCode, Result};

use super::misdirected;
use crate::bounds::{self, Bounds};
use crate::command::Action;
use crate::name::ResourceName;
use crate::state::{Catalog, Stamp, not_found, precondition};
use crate::worker::{Worker, WorkerSpec, WorkerState};

impl Catalog {
    pub(super) fn apply_worker(&mut self, stamp: Stamp, action: Action) -> Result<ResourceName> {
        use WorkerState::{Active, Drained, Draining, Lost};
        match action {
            Action::RegisterWorker { spec } => self.register_worker(stamp, spec),
            Action::LoseWorker { worker, incarnation } => {
                self.worker_ref(&worker)?.check_incarnation(incarnation)?;
                self.change_worker(stamp, worker, &[Active, Draining, Drained, Lost], Lost)
            }
            Action::DrainWorker { worker } => {
                self.change_worker(stamp, worker, &[Active, Draining], Draining)
            }
            Action::FinishDrain { worker, incarnation } => {
                self.worker_ref(&worker)?.check_incarnation(incarnation)?;
                self.change_worker(stamp, worker, &[Draining, Drained], Drained)
            }
            Action::UndrainWorker { worker } => {
                self.change_worker(stamp, worker, &[Active, Draining, Drained], Active)
            }
            Action::RemoveWorker { worker } => self.remove_worker(worker),
            _ => Err(misdirected()),
        }
    }

    fn register_worker(&mut self, stamp: Stamp, spec: WorkerSpec) -> Result<ResourceName> {
        spec.check()?;
        let id = spec.id.clone();
        let state = match self.workers.get(&id) {
            None => {
                bounds::room("workers", self.workers.len(), Bounds::WORKERS)?;
                WorkerState::Active
            }
            Some(known) => {
                known.check_incarnation(spec.incarnation)?;
                match known.state {
                    // A new connection of the same process; what was asked of it still holds.
                    state if known.spec.incarnation == spec.incarnation => match state {
                        WorkerState::Lost => WorkerState::Active,
                        kept => kept,
                    },
                    // The process that was drained or lost is gone.
                    _ => WorkerState::Active,
                }
            }
        };
        let Stamp { now_ms: registered_ms, revision } = stamp;
        let worker = Worker { spec, state, registered_ms, revision };
        self.workers.insert(id.clone(), Arc::new(worker));
        Ok(ResourceName::Worker(id))
    }

    /// Sets the state of a worker that is in one of the states `from`.
    fn change_worker(
        &mut self,
        stamp: Stamp,
        id: String,
        from: &[WorkerState],
        to: WorkerState,
    ) -> Result<ResourceName> {
        let name = ResourceName::Worker(id.clone());
        let state = self.worker_ref(&id)?.state;
        if !from.contains(&state) {
            return Err(precondition(format!("{name} is {state:?} and cannot become {to:?}")));
        }
        let worker =
            self.workers.get_mut(&id).map(Arc::make_mut).ok_or_else(|| not_found(&name))?;
        worker.state = to;
        worker.revision = stamp.revision;
        Ok(name)
    }

    fn remove_worker(&mut self, id: String) -> Result<ResourceName> {
        let name = ResourceName::Worker(id.clone());
        if matches!(self.worker_ref(&id)?.state, WorkerState::Active | WorkerState::Draining) {
            return Err(precondition(format!("remove {name}: it may have tasks, drain it first")));
        }
        self.workers.remove(&id);
        Ok(name)
    }

    fn worker_ref(&self, id: &str) -> Result<&Worker> {
        let worker = self.workers.get(id).map(Arc::as_ref);
        worker.ok_or_else(|| not_found(&ResourceName::Worker(id.to_owned())))
    }
}

impl Worker {
    /// The guard against processes of the past.
    fn check_incarnation(&self, incarnation: u64) -> Result<()> {
        if incarnation >= self.spec.incarnation {
            return Ok(());
        }
        Err(Error::new(
            ErrorCode::Fenced,
            format!(
                "workers/{} has incarnation {}, and {incarnation} is older",
                self.spec.id, self.spec.incarnation
            ),
        ))
    }
}
