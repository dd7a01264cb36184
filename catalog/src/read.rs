//! Reading the catalog: single objects, and ordered lists in pages. A page costs what is on it, whatever the list has.

use std::ops::Bound;
use std::sync::Arc;

use tidegate_types::{CompletedCheckpoint, JobRecord, Result};

use crate::job::{Job, JobVersion};
use crate::name::{JobName, ResourceName, RunName, SavepointName, VersionName};
use crate::operation::{Operation, OperationState};
use crate::page::{Page, PageRequest, page};
use crate::run::Run;
use crate::savepoint::{Savepoint, SavepointState};
use crate::shared::SharedMap;
use crate::state::Catalog;
use crate::worker::Worker;

impl Catalog {
    /// Counts the commands that changed something.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The latest time that was in a command that changed something, milliseconds since the epoch.
    pub fn time_ms(&self) -> i64 {
        self.time_ms
    }

    /// Whether a request id was answered lately.
    pub fn remembers(&self, request_id: &str) -> bool {
        self.requests.remembers(request_id, self.time_ms)
    }

    /// A job.
    pub fn job(&self, name: &JobName) -> Option<&Job> {
        self.jobs.get(name).map(|entry| &entry.job)
    }

    /// A version.
    pub fn version(&self, name: &VersionName) -> Option<&Arc<JobVersion>> {
        self.jobs.get(&name.job)?.versions.get(&name.number)
    }

    /// A run.
    pub fn run(&self, name: &RunName) -> Option<&Run> {
        self.jobs.get(&name.job)?.runs.get(&name.number).map(Arc::as_ref)
    }

    /// The run of a job that was started last.
    pub fn last_run(&self, job: &JobName) -> Option<&Run> {
        self.jobs.get(job)?.runs.values().next_back().map(Arc::as_ref)
    }

    /// How many jobs there are.
    pub fn job_count(&self) -> usize {
        self.jobs.len()
    }

    /// Runs that are not over, of all jobs, by name.
    pub fn live_runs(&self) -> impl Iterator<Item = &Run> {
        self.index.live_runs.iter().filter_map(|name| self.run(name))
    }

    /// The last checkpoint or savepoint that a run of the job completed and still names, and that run. A run that has
    /// completed none passes on the one that it began with.
    pub fn latest_checkpoint(&self, job: &JobName) -> Option<(RunName, &CompletedCheckpoint)> {
        let runs = self.jobs.get(job)?.runs.values().rev();
        runs.filter_map(|run| {
            let record = run.record.as_ref()?;
            let checkpoint = record.latest().or(record.origin.as_ref())?;
            Some((run.name.clone(), checkpoint))
        })
        .next()
    }

    /// The last record that a run of the job before this one has saved.
    pub fn last_record_before(&self, run: &RunName) -> Option<&JobRecord> {
        let runs = self.jobs.get(&run.job)?.runs.range(..run.number).rev();
        runs.filter_map(|(_, run)| run.record.as_ref()).next()
    }

    /// A savepoint.
    pub fn savepoint(&self, name: &SavepointName) -> Option<&Savepoint> {
        self.jobs.get(name.job())?.savepoints.get(name.id()).map(Arc::as_ref)
    }

    /// Savepoints whose files are to be deleted, of all jobs, by name.
    pub fn deleting_savepoints(&self) -> impl Iterator<Item = &Savepoint> {
        self.index.deleting.iter().filter_map(|name| self.savepoint(name))
    }

    /// Whether another savepoint of the job, which is kept, has the same folder: one checkpoint may answer several that
    /// were asked for at once.
    pub fn shares_folder(&self, savepoint: &Savepoint) -> bool {
        let of_job = self.jobs.get(savepoint.name.job()).into_iter();
        let mut others = of_job.flat_map(|entry| entry.savepoints.values());
        savepoint.location.is_some()
            && others.any(|other| {
                other.name != savepoint.name
                    && other.location == savepoint.location
                    && other.state == SavepointState::Completed
            })
    }

    /// Savepoints of a run that are asked for and not done, by id.
    pub fn pending_savepoints(&self, run: &RunName) -> impl Iterator<Item = &Savepoint> {
        let savepoints = self.jobs.get(&run.job).into_iter();
        let savepoints = savepoints.flat_map(|entry| entry.savepoints.values()).map(Arc::as_ref);
        let (number, pending) = (run.number, SavepointState::Pending);
        savepoints.filter(move |savepoint| savepoint.run == number && savepoint.state == pending)
    }

    /// A worker.
    pub fn worker(&self, id: &str) -> Option<&Worker> {
        self.workers.get(id).map(Arc::as_ref)
    }

    /// All workers, by id; there are at most [`crate::Bounds::WORKERS`].
    pub fn workers(&self) -> impl Iterator<Item = &Worker> {
        self.workers.values().map(Arc::as_ref)
    }

    /// An operation.
    pub fn operation(&self, id: &str) -> Option<&Operation> {
        self.operations.get(id).map(Arc::as_ref)
    }

    /// Operations that are not done, by id; there are at most [`crate::Bounds::PENDING_OPERATIONS`].
    pub fn pending_operations(&self) -> impl Iterator<Item = &Operation> {
        let operations = self.operations.values().map(Arc::as_ref);
        operations.filter(|operation| operation.state == OperationState::Pending)
    }

    /// Jobs of a project by id; `NOT_FOUND` if there is no such project.
    pub fn list_jobs(&self, project: &str, request: &PageRequest) -> Result<Page<Job>> {
        let name = ResourceName::Project(project.to_owned());
        if !self.projects.contains_key(project) {
            return Err(crate::state::not_found(&name));
        }
        page(&format!("{name}/jobs"), request, |after| {
            let from = match after {
                None => Bound::Included(JobName::before(project)),
                Some(job) => Bound::Excluded(JobName::new(project, job)?),
            };
            let rest = self.jobs.range((from, Bound::Unbounded));
            let rest = rest.take_while(move |(name, _)| name.project() == project);
            Ok(rest.map(|(name, entry)| (name.job().to_owned(), entry.job.clone())))
        })
    }

    /// Versions of a job by number; `NOT_FOUND` if there is no such job.
    pub fn list_versions(
        &self,
        job: &JobName,
        request: &PageRequest,
    ) -> Result<Page<Arc<JobVersion>>> {
        by_number(&format!("{job}/versions"), &self.entry(job)?.versions, request)
    }

    /// Runs of a job by number; `NOT_FOUND` if there is no such job.
    pub fn list_runs(&self, job: &JobName, request: &PageRequest) -> Result<Page<Arc<Run>>> {
        by_number(&format!("{job}/runs"), &self.entry(job)?.runs, request)
    }

    /// Savepoints of a job by id; `NOT_FOUND` if there is no such job.
    pub fn list_savepoints(
        &self,
        job: &JobName,
        request: &PageRequest,
    ) -> Result<Page<Arc<Savepoint>>> {
        by_text(&format!("{job}/savepoints"), &self.entry(job)?.savepoints, request)
    }

    /// Workers by id.
    pub fn list_workers(&self, request: &PageRequest) -> Result<Page<Arc<Worker>>> {
        by_text("workers", &self.workers, request)
    }

    /// Operations by id.
    pub fn list_operations(&self, request: &PageRequest) -> Result<Page<Arc<Operation>>> {
        by_text("operations", &self.operations, request)
    }
}

pub(crate) fn by_text<T>(
    list: &str,
    map: &SharedMap<String, T>,
    request: &PageRequest,
) -> Result<Page<Arc<T>>> {
    page(list, request, |after| {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = map.range((from, Bound::Unbounded));
        Ok(rest.map(|(key, value)| (key.clone(), value.clone())))
    })
}

fn by_number<T>(
    list: &str,
    map: &SharedMap<u64, T>,
    request: &PageRequest,
) -> Result<Page<Arc<T>>> {
    page(list, request, |after| {
        let last = after.map(|key| key.parse::<u64>()).transpose();
        let last = last.map_err(|_| crate::bounds::invalid("the page token names no number"))?;
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = map.range((from, Bound::Unbounded));
        Ok(rest.map(|(key, value)| (key.to_string(), value.clone())))
    })
}
