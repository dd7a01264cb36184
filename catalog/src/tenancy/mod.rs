//! Tenants and projects: who owns what, and what is open in a project.

mod apply;
mod archive;
mod read;
mod services;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::state::Stamp;

pub(crate) use services::within_quota;
pub use services::{Quota, Service, ServiceKind};

/// Id of the tenant that exists from the start.
pub const DEFAULT_TENANT: &str = "default";

/// Id of the project that exists from the start, of the default tenant.
pub const DEFAULT_PROJECT: &str = "default";

/// An owner of projects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// Its id.
    pub id: String,
    /// What it is, in its owner's words.
    pub description: String,
    /// When it was created, milliseconds since the epoch.
    pub created_ms: i64,
    /// Changes with every change of the tenant; its etag.
    pub revision: u64,
}

/// A set of jobs, tables and resources with one owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Project {
    /// Its id.
    pub id: String,
    /// The tenant that owns it.
    pub tenant: String,
    /// What it is, in its owner's words.
    pub description: String,
    /// When it was created, milliseconds since the epoch.
    pub created_ms: i64,
    /// When it was last changed, milliseconds since the epoch; 0: never.
    #[serde(default)]
    pub updated_ms: i64,
    /// Changes with every change of the project; its etag.
    pub revision: u64,
    /// Revision of the command that created it: newer projects have greater ones.
    #[serde(default)]
    pub sequence: u64,
    /// When it was archived, milliseconds since the epoch; none while it is open.
    #[serde(default)]
    pub archived_ms: Option<i64>,
    /// What holds in it.
    #[serde(default = "ProjectSettings::open")]
    pub settings: ProjectSettings,
    /// What is open in it.
    #[serde(default = "Service::both")]
    pub services: BTreeMap<ServiceKind, Service>,
}

/// What holds in a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectSettings {
    /// Whether scripts of its jobs may declare tables of outside systems themselves.
    pub inline_tables: bool,
    /// Whether a grant to the project lets all of its members look at the data.
    pub members_use_grants: bool,
    /// Approvals that a publication needs.
    pub required_approvals: u32,
    /// What becomes of running jobs that need a grant which ends.
    pub grant_loss: GrantLoss,
}

/// What becomes of running jobs that need a grant which ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantLoss {
    /// They run on and say so.
    Flag,
    /// They are stopped with a savepoint.
    Stop,
}

impl Default for ProjectSettings {
    /// What a new project has.
    fn default() -> Self {
        Self {
            inline_tables: false,
            members_use_grants: false,
            required_approvals: 1,
            grant_loss: GrantLoss::Flag,
        }
    }
}

impl ProjectSettings {
    /// What the first project has, in which scripts declare their tables.
    fn open() -> Self {
        Self { inline_tables: true, ..Self::default() }
    }
}

impl Project {
    /// What a project of a snapshot of version 1 becomes: the same as the command that created it makes now.
    pub(crate) fn upgrade(&mut self) {
        self.updated_ms = self.created_ms;
        self.sequence = self.revision;
        self.settings = ProjectSettings::open();
        let stamp = Stamp { now_ms: self.created_ms, revision: self.revision };
        self.services = Service::all(stamp, None);
    }

    /// The project that exists from the start, with every service open.
    pub(crate) fn first() -> Self {
        Self {
            id: DEFAULT_PROJECT.to_owned(),
            tenant: DEFAULT_TENANT.to_owned(),
            description: String::new(),
            created_ms: 0,
            updated_ms: 0,
            revision: 0,
            sequence: 0,
            archived_ms: None,
            settings: ProjectSettings::open(),
            services: Service::both(),
        }
    }
}

/// A change of tenants, projects or services, beside their creation and deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TenancyAction {
    /// Changes the description of a tenant. `CONFLICT` if an etag is given and it has another.
    UpdateTenant {
        /// Its id.
        tenant: String,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// What it is.
        description: String,
    },
    /// Changes what is given of a project. Errors as for a tenant; `FAILED_PRECONDITION` if it is archived.
    UpdateProject {
        /// Its id.
        project: String,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// What it is.
        description: Option<String>,
        /// What holds in it.
        settings: Option<ProjectSettings>,
    },
    /// Closes a project for good: every job is asked to stop with a savepoint, everything is kept. `CONFLICT` if the
    /// project has another etag; `FAILED_PRECONDITION` for one that is archived and for `default`.
    ArchiveProject {
        /// Its id.
        project: String,
        /// The revision that the caller has seen.
        etag: u64,
    },
    /// Opens a service in a project. `ALREADY_EXISTS`.
    CreateService {
        /// Id of the project.
        project: String,
        /// Which.
        service: ServiceKind,
        /// Its bounds.
        quota: Quota,
    },
    /// Changes the quota of a service. Errors as for a tenant.
    UpdateService {
        /// Id of the project.
        project: String,
        /// Which.
        service: ServiceKind,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// Its bounds.
        quota: Quota,
    },
    /// Closes a service; what it holds is kept. `FAILED_PRECONDITION` while a run of the project is not over, for the
    /// service that runs jobs.
    DeleteService {
        /// Id of the project.
        project: String,
        /// Which.
        service: ServiceKind,
        /// The revision that the caller has seen.
        etag: Option<u64>,
    },
}
