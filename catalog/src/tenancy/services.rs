//! Services: what a project has opened, each with its bounds.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_types::{Error, ErrorCode, Result};

use super::Project;
use crate::bounds::invalid;
use crate::child_name::{ChildName, Collection};
use crate::job::Job;
use crate::name::{JobName, ResourceName};
use crate::scope::Scope;
use crate::state::{Catalog, Stamp, already_exists, check_etag, not_found, precondition};

/// What can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceKind {
    /// Jobs, their versions and runs.
    StreamCompute,
    /// Data sources, databases, tables, topics, resources.
    DataManagement,
}

/// A service of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its bounds.
    pub quota: Quota,
    /// When it was opened, milliseconds since the epoch.
    pub created_ms: i64,
    /// Changes with every change of the service; its etag.
    pub revision: u64,
}

/// Bounds; 0: none of the project's own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quota {
    /// Slots of workers that runs have at the same time.
    pub slots: u32,
    /// Jobs, running or not.
    pub jobs: u32,
    /// Bytes of the newest checkpoints and of savepoints.
    pub state_bytes: u64,
    /// Calls of the API per second.
    pub requests_per_second: u32,
    /// Tables and topics.
    pub tables: u32,
    /// Bytes of uploaded resources.
    pub resource_bytes: u64,
}

impl ServiceKind {
    /// What there is.
    pub const ALL: [Self; 2] = [Self::StreamCompute, Self::DataManagement];

    /// As it is written, such as `stream-compute`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StreamCompute => "stream-compute",
            Self::DataManagement => "data-management",
        }
    }

    /// Its name in a project.
    fn name(self, project: &str) -> Result<ResourceName> {
        let owner = Scope::Project(project.to_owned());
        ChildName::new(owner, Collection::Services, self.as_str()).map(ResourceName::Child)
    }
}

impl fmt::Display for ServiceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ServiceKind {
    type Err = Error;

    /// `INVALID_OPTION` for what cannot be opened.
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            invalid(format!("'{text}' is no service")).help("use stream-compute or data-management")
        })
    }
}

impl Service {
    /// Every service, without bounds: what projects had before there were services.
    pub(super) fn both() -> BTreeMap<ServiceKind, Self> {
        Self::all(Stamp { now_ms: 0, revision: 0 }, None)
    }

    /// These without bounds; none: every one.
    pub(super) fn all(
        stamp: Stamp,
        kinds: Option<Vec<ServiceKind>>,
    ) -> BTreeMap<ServiceKind, Self> {
        let Stamp { now_ms: created_ms, revision } = stamp;
        let kinds = kinds.unwrap_or_else(|| ServiceKind::ALL.to_vec());
        let open = |kind| (kind, Self { quota: Quota::default(), created_ms, revision });
        kinds.into_iter().map(open).collect()
    }
}

impl Catalog {
    pub(super) fn create_service(
        &mut self,
        stamp: Stamp,
        project: String,
        service: ServiceKind,
        quota: Quota,
    ) -> Result<ResourceName> {
        let name = service.name(&project)?;
        if self.open_project(&project)?.services.contains_key(&service) {
            return Err(already_exists(&name));
        }
        let Stamp { now_ms: created_ms, revision } = stamp;
        let opened = Service { quota, created_ms, revision };
        self.project_mut(stamp, &project)?.services.insert(service, opened);
        Ok(name)
    }

    pub(super) fn update_service(
        &mut self,
        stamp: Stamp,
        project: String,
        service: ServiceKind,
        etag: Option<u64>,
        quota: Quota,
    ) -> Result<ResourceName> {
        let name = service.name(&project)?;
        let there = self.service_ref(&project, service)?;
        check_etag(&name, there.revision, etag)?;
        let changed = Service { quota, created_ms: there.created_ms, revision: stamp.revision };
        self.project_mut(stamp, &project)?.services.insert(service, changed);
        Ok(name)
    }

    pub(super) fn delete_service(
        &mut self,
        stamp: Stamp,
        project: String,
        service: ServiceKind,
        etag: Option<u64>,
    ) -> Result<ResourceName> {
        let name = service.name(&project)?;
        check_etag(&name, self.service_ref(&project, service)?.revision, etag)?;
        if service == ServiceKind::StreamCompute
            && let Some(run) = self.live_runs().find(|run| run.name.job.project() == project)
        {
            return Err(precondition(format!("delete {name}: {} is {}", run.name, run.state))
                .help("stop the project's jobs first"));
        }
        self.project_mut(stamp, &project)?.services.remove(&service);
        Ok(name)
    }

    fn service_ref(&self, project: &str, service: ServiceKind) -> Result<&Service> {
        let missing = || match service.name(project) {
            Ok(name) => not_found(&name),
            Err(error) => error,
        };
        self.open_project(project)?.services.get(&service).ok_or_else(missing)
    }

    /// A project that is not archived; `NOT_FOUND`, `PROJECT_ARCHIVED`.
    pub(crate) fn open_project(&self, id: &str) -> Result<&Project> {
        let name = ResourceName::Project(id.to_owned());
        let project = self.projects.get(id).ok_or_else(|| not_found(&name))?;
        match project.archived_ms {
            None => Ok(project),
            Some(_) => Err(Error::new(ErrorCode::ProjectArchived, format!("{name} is archived"))
                .help("nothing in it can be changed or run any more; what it holds is kept")),
        }
    }

    /// A project in which a service is open; also `FAILED_PRECONDITION`.
    pub(crate) fn project_with(&self, id: &str, service: ServiceKind) -> Result<&Service> {
        self.open_project(id)?.services.get(&service).ok_or_else(|| {
            precondition(format!("projects/{id} has not opened the service {service}"))
                .help(format!("`tidegate service create {service} --project {id}` opens it"))
        })
    }

    /// A project for a change; `NOT_FOUND`.
    pub(super) fn project_mut(&mut self, stamp: Stamp, id: &str) -> Result<&mut Project> {
        let name = ResourceName::Project(id.to_owned());
        let project = self.projects.get_mut(id).ok_or_else(|| not_found(&name))?;
        let project = Arc::make_mut(project);
        project.revision = stamp.revision;
        project.updated_ms = stamp.now_ms;
        Ok(project)
    }

    /// What a project has of everything that is bounded; bytes of state and calls are not known here.
    pub fn used(&self, project: &str) -> Quota {
        let runs = self.live_runs().filter(|run| run.name.job.project() == project);
        let slots = runs.map(|run| run.deployed.unwrap_or(run.parallelism)).sum();
        let jobs = self.jobs_of(project).count();
        let resource_bytes = self.resource_bytes(project);
        Quota {
            slots,
            jobs: u32::try_from(jobs).unwrap_or(u32::MAX),
            resource_bytes,
            ..Quota::default()
        }
    }

    /// Jobs of a project by id.
    pub(crate) fn jobs_of(&self, project: &str) -> impl Iterator<Item = &Job> {
        let rest = self.jobs.range(JobName::before(project)..);
        let project = project.to_owned();
        rest.take_while(move |(name, _)| name.project() == project).map(|(_, entry)| &entry.job)
    }
}

/// Refuses what would be beyond a quota.
pub(crate) fn within_quota(what: &str, project: &str, wanted: u64, quota: u64) -> Result<()> {
    if quota == 0 || wanted <= quota {
        return Ok(());
    }
    let message = format!("projects/{project} would have {wanted} {what}, its quota is {quota}");
    Err(Error::new(ErrorCode::QuotaExceeded, message)
        .help("free some, or have the quota of its service raised"))
}
