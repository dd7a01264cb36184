//! Commands about runs.

use std::sync::Arc;

use tidegate_types::{ErrorCode, JobRecord, Result};

use super::misdirected;
use crate::account::AccountName;
use crate::bounds::{self, Bounds, cut, invalid};
use crate::command::Action;
use crate::name::{JobName, ResourceName, RunName};
use crate::run::{DesiredState, Failure, RestoreOrigin, Run, RunState};
use crate::savepoint::SavepointState;
use crate::state::{Catalog, JobEntry, Stamp, not_found, precondition};
use crate::table::Environment;
use crate::tenancy::{ServiceKind, within_quota};

impl Catalog {
    pub(super) fn apply_run(&mut self, stamp: Stamp, action: Action) -> Result<ResourceName> {
        match action {
            Action::StartRun { job, version, parallelism, origin, environment, account } => {
                self.start_run(stamp, job, version, parallelism, origin, (environment, account))
            }
            Action::RequestStop { .. } => self.request_stop(stamp, action),
            Action::RequestCancel { run } => self.request_cancel(stamp, run),
            Action::SaveRecord { run, record, parallelism } => {
                self.save_record(stamp, run, record, parallelism)
            }
            Action::SetRunWaiting { run, waiting } => {
                self.run_ref(&run)?.check_not_over("waiting")?;
                self.run_mut(stamp, &run)?.waiting = waiting.map(cut);
                Ok(run.into())
            }
            Action::SetRunState { run, state, failure } => {
                self.set_run_state(stamp, run, state, failure)
            }
            Action::RescaleRun { run, parallelism } => self.rescale_run(stamp, run, parallelism),
            _ => Err(misdirected()),
        }
    }

    fn start_run(
        &mut self,
        stamp: Stamp,
        job: JobName,
        version: Option<u64>,
        parallelism: Option<u32>,
        origin: RestoreOrigin,
        (environment, account): (Option<Environment>, Option<AccountName>),
    ) -> Result<ResourceName> {
        let entry = self.entry(&job)?;
        let quota = self.project_with(job.project(), ServiceKind::StreamCompute)?.quota;
        if let Some(run) = entry.runs.values().find(|run| !run.state.is_terminal()) {
            let (run, state) = (&run.name, run.state);
            return Err(precondition(format!("start {job}: {run} is {state}"))
                .help("a job has one run at a time: stop or cancel this one first"));
        }
        let number = version.unwrap_or(entry.job.last_version);
        let Some(version) = entry.versions.get(&number) else {
            return match number {
                0 => Err(precondition(format!("start {job}: it has no version to run"))),
                _ => Err(not_found(&job.version(number))),
            };
        };
        let parallelism = parallelism.unwrap_or(version.spec.parallelism);
        bounds::parallelism(parallelism)?;
        if quota.slots > 0 {
            let slots = u64::from(self.used(job.project()).slots) + u64::from(parallelism);
            within_quota("slots in use", job.project(), slots, quota.slots.into())?;
        }
        if environment == Some(Environment::Production) && version.released.is_none() {
            let name = &version.name;
            return Err(precondition(format!("{name} is not approved for production"))
                .help("ask for it: `tidegate job release`"));
        }
        self.check_origin(&job, &origin)?;
        let uses = &version.spec.tables;
        let tables = self.bind(job.project(), uses, environment, account.as_ref(), stamp.now_ms)?;
        let name = job.run(entry.job.last_run + 1);
        let run = Run {
            name: name.clone(),
            version: number,
            parallelism,
            origin,
            tables,
            desired: DesiredState::Running,
            state: RunState::Created,
            record: None,
            deployed: None,
            waiting: None,
            last_failure: None,
            restarts: 0,
            created_ms: stamp.now_ms,
            started_ms: None,
            ended_ms: None,
            revision: stamp.revision,
        };
        let entry = self.entry_mut(&job)?;
        entry.job.last_run = name.number;
        entry.runs.insert(name.number, Arc::new(run));
        // All but the new one are over.
        while entry.runs.len() > Bounds::FINISHED_RUNS + 1 {
            entry.runs.pop_first();
        }
        self.index.live_runs.insert(name.clone());
        Ok(name.into())
    }

    /// Refuses to begin with state that is not there.
    fn check_origin(&self, job: &JobName, origin: &RestoreOrigin) -> Result<()> {
        match origin {
            RestoreOrigin::Fresh => Ok(()),
            RestoreOrigin::Path(path) => bounds::location("the path to restore from", path),
            RestoreOrigin::LatestCheckpoint => match self.latest_checkpoint(job) {
                Some(_) => Ok(()),
                None => {
                    Err(precondition(format!("start {job}: no run has completed a checkpoint"))
                        .help("start it without state, or name a savepoint or a path"))
                }
            },
            RestoreOrigin::Savepoint(name) => {
                let entry = self.entry(name.job())?;
                let savepoint = entry.savepoints.get(name.id()).ok_or_else(|| not_found(name))?;
                if savepoint.state != SavepointState::Completed {
                    return Err(precondition(format!("start {job}: {name} is not complete")));
                }
                Ok(())
            }
        }
    }

    fn request_stop(&mut self, stamp: Stamp, action: Action) -> Result<ResourceName> {
        let Action::RequestStop { run: name, savepoint, location, drain } = action else {
            return Err(misdirected());
        };
        self.stop_run(stamp, &name, savepoint, location, drain)?;
        Ok(name.into())
    }

    /// Asks for a savepoint and the end of a run.
    pub(crate) fn stop_run(
        &mut self,
        stamp: Stamp,
        name: &RunName,
        savepoint: String,
        location: Option<String>,
        drain: bool,
    ) -> Result<()> {
        let savepoint = name.job.savepoint(savepoint)?;
        let run = self.run_ref(name)?;
        run.check_not_over("stop")?;
        if run.desired != DesiredState::Running {
            return Err(precondition(format!("stop of {name}: it is being stopped already")));
        }
        self.add_savepoint(stamp, &savepoint, name.number, location)?;
        let run = self.run_mut(stamp, name)?;
        run.desired = DesiredState::Stopped { savepoint, drain };
        Ok(())
    }

    pub(crate) fn request_cancel(&mut self, stamp: Stamp, name: RunName) -> Result<ResourceName> {
        self.run_ref(&name)?.check_not_over("cancel")?;
        self.run_mut(stamp, &name)?.desired = DesiredState::Cancelled;
        Ok(name.into())
    }

    fn save_record(
        &mut self,
        stamp: Stamp,
        name: RunName,
        record: JobRecord,
        parallelism: Option<u32>,
    ) -> Result<ResourceName> {
        parallelism.map_or(Ok(()), bounds::parallelism)?;
        if record.checkpoints.len() > Bounds::CHECKPOINTS {
            return Err(tidegate_types::Error::new(
                ErrorCode::ResourceExhausted,
                format!(
                    "a record of {name} names {} checkpoints, more than {}",
                    record.checkpoints.len(),
                    Bounds::CHECKPOINTS
                ),
            ));
        }
        self.run_ref(&name)?.check_record(&record)?;
        let run = self.run_mut(stamp, &name)?;
        run.record = Some(record);
        run.deployed = parallelism.or(run.deployed);
        Ok(name.into())
    }

    fn set_run_state(
        &mut self,
        stamp: Stamp,
        name: RunName,
        state: RunState,
        failure: Option<Failure>,
    ) -> Result<ResourceName> {
        let run = self.run_ref(&name)?;
        let from = run.state;
        if from != state && !from.may_become(state) {
            return Err(precondition(format!("{name} is {from} and cannot become {state}")));
        }
        if from == state && state.is_terminal() {
            return Ok(name.into());
        }
        if state == RunState::Failed && failure.is_none() {
            return Err(invalid(format!("{name} cannot fail without an error")));
        }
        let run = self.run_mut(stamp, &name)?;
        run.state = state;
        if let Some(failure) = failure {
            run.last_failure = Some(failure.cut());
        }
        match state {
            RunState::Running => run.started_ms = run.started_ms.or(Some(stamp.now_ms)),
            RunState::Restarting if from != state => run.restarts += 1,
            _ if state.is_terminal() => run.ended_ms = Some(stamp.now_ms),
            _ => {}
        }
        if state.is_terminal() {
            run.waiting = None;
            self.index.live_runs.remove(&name);
            self.fail_pending_savepoints(stamp, &name)?;
        }
        Ok(name.into())
    }

    fn rescale_run(
        &mut self,
        stamp: Stamp,
        name: RunName,
        parallelism: u32,
    ) -> Result<ResourceName> {
        bounds::parallelism(parallelism)?;
        let run = self.run_ref(&name)?;
        run.check_not_over("rescale")?;
        if run.desired != DesiredState::Running {
            return Err(precondition(format!("rescale of {name}: it is being stopped")));
        }
        self.run_mut(stamp, &name)?.parallelism = parallelism;
        Ok(name.into())
    }

    /// A run; `NOT_FOUND`.
    pub(crate) fn run_ref(&self, name: &RunName) -> Result<&Run> {
        let entry: &JobEntry = self.entry(&name.job)?;
        entry.runs.get(&name.number).map(Arc::as_ref).ok_or_else(|| not_found(name))
    }

    /// A run for a change, with its new revision; `NOT_FOUND`.
    pub(crate) fn run_mut(&mut self, stamp: Stamp, name: &RunName) -> Result<&mut Run> {
        let run = self.entry_mut(&name.job)?.runs.get_mut(&name.number);
        let run = run.map(Arc::make_mut).ok_or_else(|| not_found(name))?;
        run.revision = stamp.revision;
        Ok(run)
    }
}
