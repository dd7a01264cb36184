//! Commands about jobs and their versions.

use std::sync::Arc;

use tidegate_types::Result;

use super::misdirected;
use crate::approval::Subject;
use crate::bounds::{self, Bounds};
use crate::child_name::ChildName;
use crate::command::Action;
use crate::job::{Job, JobVersion, VersionSpec};
use crate::name::{JobName, ResourceName, VersionName};
use crate::savepoint::SavepointState;
use crate::shared::SharedMap;
use crate::state::{Catalog, JobEntry, Stamp, already_exists, check_etag, not_found, precondition};
use crate::tenancy::{ServiceKind, within_quota};

impl Catalog {
    pub(super) fn apply_job(&mut self, stamp: Stamp, action: Action) -> Result<ResourceName> {
        match action {
            Action::CreateJob { .. } => self.create_job(stamp, action),
            Action::UpdateJob { .. } => self.update_job(stamp, action),
            Action::DeleteJob { job, etag, force } => self.delete_job(stamp, job, etag, force),
            Action::CreateVersion { job, spec } => self.create_version(stamp, job, spec),
            Action::DeleteVersion { version } => self.delete_version(stamp, version),
            Action::RequestRelease { version, requester, reason } => {
                if self.version_ref(&version)?.released.is_some() {
                    return Err(precondition(format!("{version} is approved for production")));
                }
                let subject = Subject::Release { version };
                self.ask(stamp, subject, requester, reason).map(ResourceName::Child)
            }
            _ => Err(misdirected()),
        }
    }

    fn create_job(&mut self, stamp: Stamp, action: Action) -> Result<ResourceName> {
        let Action::CreateJob { job: name, description, labels, priority } = action else {
            return Err(misdirected());
        };
        bounds::text("the description", &description, Bounds::DESCRIPTION_BYTES)?;
        bounds::labels(&labels)?;
        let quota = self
            .project_with(name.project(), ServiceKind::StreamCompute)
            .map_err(|error| error.context(format!("create {name}")))?
            .quota;
        if quota.jobs > 0 {
            let jobs = self.jobs_of(name.project()).count() as u64 + 1;
            within_quota("jobs", name.project(), jobs, quota.jobs.into())?;
        }
        if self.jobs.contains_key(&name) {
            return Err(already_exists(&name));
        }
        bounds::room("jobs", self.jobs.len(), Bounds::JOBS)?;
        let job = Job {
            name: name.clone(),
            uid: stamp.revision,
            description,
            labels,
            priority,
            created_ms: stamp.now_ms,
            updated_ms: stamp.now_ms,
            revision: stamp.revision,
            last_version: 0,
            last_run: 0,
        };
        let entry = JobEntry {
            job,
            versions: SharedMap::new(),
            runs: SharedMap::new(),
            savepoints: SharedMap::new(),
        };
        self.jobs.insert(name.clone(), Arc::new(entry));
        Ok(name.into())
    }

    fn update_job(&mut self, stamp: Stamp, action: Action) -> Result<ResourceName> {
        let Action::UpdateJob { job: name, etag, description, labels, priority } = action else {
            return Err(misdirected());
        };
        if let Some(description) = &description {
            bounds::text("the description", description, Bounds::DESCRIPTION_BYTES)?;
        }
        if let Some(labels) = &labels {
            bounds::labels(labels)?;
        }
        self.open_project(name.project())?;
        check_etag(&name, self.entry(&name)?.job.revision, etag)?;
        let job = &mut self.entry_mut(&name)?.job;
        job.description = description.unwrap_or_else(|| std::mem::take(&mut job.description));
        job.labels = labels.unwrap_or_else(|| std::mem::take(&mut job.labels));
        job.priority = priority.unwrap_or(job.priority);
        job.updated_ms = stamp.now_ms;
        job.revision = stamp.revision;
        Ok(name.into())
    }

    fn delete_job(
        &mut self,
        stamp: Stamp,
        name: JobName,
        etag: Option<u64>,
        force: bool,
    ) -> Result<ResourceName> {
        self.open_project(name.project())?;
        let entry = self.entry(&name)?;
        check_etag(&entry.job.name, entry.job.revision, etag)?;
        if let Some(run) = entry.runs.values().find(|run| !run.state.is_terminal()) {
            let (run, state) = (&run.name, run.state);
            return Err(precondition(format!("delete {name}: {run} is {state}, cancel it first")));
        }
        let kept = |state| matches!(state, SavepointState::Completed | SavepointState::Deleting);
        if let Some(savepoint) = entry.savepoints.values().find(|s| kept(s.state) && !force) {
            let savepoint = &savepoint.name;
            return Err(precondition(format!("delete {name}: it has {savepoint}")).help(
                "delete the savepoints first, or force: then their files stay where they are",
            ));
        }
        let versions: Vec<VersionName> =
            entry.versions.keys().map(|number| name.version(*number)).collect();
        for version in versions {
            self.withdraw_all(stamp, &version.into());
        }
        self.jobs.remove(&name);
        self.index.deleting.retain(|savepoint| *savepoint.job() != name);
        Ok(name.into())
    }

    fn create_version(
        &mut self,
        stamp: Stamp,
        job: JobName,
        spec: VersionSpec,
    ) -> Result<ResourceName> {
        spec.check()?;
        self.open_project(job.project())?;
        let entry = self.entry_mut(&job)?;
        bounds::room("versions of the job", entry.versions.len(), Bounds::VERSIONS)?;
        let name = job.version(entry.job.last_version + 1);
        let version = JobVersion {
            name: name.clone(),
            spec,
            created_ms: stamp.now_ms,
            revision: stamp.revision,
            released: None,
        };
        entry.job.last_version = name.number;
        entry.versions.insert(name.number, Arc::new(version));
        Ok(name.into())
    }

    fn delete_version(&mut self, stamp: Stamp, name: VersionName) -> Result<ResourceName> {
        let entry = self.entry(&name.job)?;
        if !entry.versions.contains_key(&name.number) {
            return Err(not_found(&name));
        }
        let uses = |run: &&Arc<_>| uses_version(run, name.number);
        if let Some(run) = entry.runs.values().find(uses) {
            return Err(precondition(format!("delete {name}: {} runs it", run.name)));
        }
        self.withdraw_all(stamp, &name.clone().into());
        self.entry_mut(&name.job)?.versions.remove(&name.number);
        Ok(name.into())
    }

    fn version_ref(&self, name: &VersionName) -> Result<&JobVersion> {
        let found = self.entry(&name.job)?.versions.get(&name.number);
        found.map(Arc::as_ref).ok_or_else(|| not_found(name))
    }

    /// Lets a version run in production.
    pub(crate) fn release_version(&mut self, name: &VersionName, by: &ChildName) -> Result<()> {
        let released = JobVersion { released: Some(by.clone()), ..self.version_ref(name)?.clone() };
        self.entry_mut(&name.job)?.versions.insert(name.number, Arc::new(released));
        Ok(())
    }
}

fn uses_version(run: &crate::run::Run, version: u64) -> bool {
    run.version == version && !run.state.is_terminal()
}
