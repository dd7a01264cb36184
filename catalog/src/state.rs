//! The catalog itself: what it holds, and the one way to change it.
//!
//! Not here: what each command does (`apply/`), reading (`read`), storing (`snapshot`).

use std::fmt::Display;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_types::{Error, ErrorCode, Result};
use xxhash_rust::xxh3::xxh3_64;

use crate::account::{Account, AccountName, Session};
use crate::approval::Approval;
use crate::audit::AuditLog;
use crate::child_name::ChildName;
use crate::command::{Action, Command};
use crate::data_source::DataSource;
use crate::grant::{GrantBook, Grantee};
use crate::hook::HookBook;
use crate::job::{Job, JobVersion};
use crate::metadata::{MetadataBook, MetadataIndex};
use crate::name::{JobName, RunName, SavepointName};
use crate::operation::{Operation, OperationState};
use crate::persistent::{PersistentMap, PersistentSet};
use crate::quality::{QualityBook, RulesOn};
use crate::requests::RequestMemory;
use crate::resource::ResourceBook;
use crate::response::Response;
use crate::role::{RoleAssignment, RoleKey};
use crate::run::Run;
use crate::savepoint::{Savepoint, SavepointState};
use crate::scope::Scope;
use crate::search::ChangeLog;
use crate::shared::{self, SharedMap};
use crate::table::{Database, Environment, Table, TableName};
use crate::tenancy::{DEFAULT_TENANT, Project, Tenant};
use crate::worker::Worker;

/// Everything that the platform knows of its own. A copy is made at once, whatever is in it: copies share what they have
/// until one of them changes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    /// Counts the commands that changed something; gives objects their etags.
    pub(crate) revision: u64,
    /// The latest time that was in a command that changed something.
    pub(crate) time_ms: i64,
    #[serde(with = "shared")]
    pub(crate) tenants: SharedMap<String, Tenant>,
    #[serde(with = "shared")]
    pub(crate) projects: SharedMap<String, Project>,
    #[serde(with = "shared")]
    pub(crate) jobs: SharedMap<JobName, JobEntry>,
    #[serde(with = "shared")]
    pub(crate) workers: SharedMap<String, Worker>,
    #[serde(with = "shared")]
    pub(crate) operations: SharedMap<String, Operation>,
    #[serde(default, with = "shared")]
    pub(crate) accounts: SharedMap<AccountName, Account>,
    #[serde(default, with = "shared")]
    pub(crate) sessions: SharedMap<String, Session>,
    #[serde(default, with = "shared::listed")]
    pub(crate) roles: SharedMap<RoleKey, RoleAssignment>,
    #[serde(default, with = "shared::listed")]
    pub(crate) approvals: SharedMap<(String, u64), Approval>,
    #[serde(default, with = "shared")]
    pub(crate) data_sources: SharedMap<ChildName, DataSource>,
    #[serde(default, with = "shared")]
    pub(crate) databases: SharedMap<ChildName, Database>,
    #[serde(default, with = "shared")]
    pub(crate) tables: SharedMap<TableName, Table>,
    #[serde(default)]
    pub(crate) grants: GrantBook,
    #[serde(default)]
    pub(crate) metadata: MetadataBook,
    #[serde(default)]
    pub(crate) quality: QualityBook,
    #[serde(default)]
    pub(crate) resources: ResourceBook,
    #[serde(default)]
    pub(crate) hooks: HookBook,
    #[serde(default)]
    pub(crate) audit: AuditLog,
    pub(crate) requests: RequestMemory,
    #[serde(skip)]
    pub(crate) index: Index,
    #[serde(skip)]
    pub(crate) changes: ChangeLog,
}

/// A job with everything below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobEntry {
    pub(crate) job: Job,
    #[serde(with = "shared")]
    pub(crate) versions: SharedMap<u64, JobVersion>,
    #[serde(with = "shared")]
    pub(crate) runs: SharedMap<u64, Run>,
    #[serde(with = "shared")]
    pub(crate) savepoints: SharedMap<String, Savepoint>,
}

/// What can be computed from the rest, kept so that nothing has to search all jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Index {
    /// Runs that are not over.
    pub(crate) live_runs: PersistentSet<RunName>,
    /// Savepoints whose files are to be deleted.
    pub(crate) deleting: PersistentSet<SavepointName>,
    /// Operations that are done, by when, then by id.
    pub(crate) done_operations: PersistentSet<(i64, String)>,
    /// Projects by tenant and the command that created them: the newest is the last of a tenant.
    pub(crate) projects_of: PersistentSet<(String, u64, String)>,
    /// Sessions by the hashes of their tokens.
    pub(crate) session_of_hash: PersistentMap<String, String>,
    /// Sessions by account.
    pub(crate) sessions_of: PersistentSet<(AccountName, String)>,
    /// Roles by scope, role, account.
    pub(crate) roles_in: PersistentSet<(Scope, String, AccountName)>,
    /// Approvals that nobody has decided, by tenant and number.
    pub(crate) pending_approvals: PersistentSet<(String, u64)>,
    /// Approvals by who asked, and number.
    pub(crate) requested_approvals: PersistentSet<(String, u64, ChildName)>,
    /// Approvals by who gave an opinion, and number.
    pub(crate) decided_approvals: PersistentSet<(String, u64, ChildName)>,
    /// Approvals by what they are about, and number.
    pub(crate) approvals_about: PersistentSet<(String, u64, ChildName)>,
    /// Data sources with the databases and tables that are in them, and how often.
    pub(crate) users_of: PersistentMap<(ChildName, String), u32>,
    /// How many tables projects have.
    pub(crate) tables_in: PersistentMap<String, u64>,
    /// Tables that are to be created or checked outside.
    pub(crate) applying: PersistentSet<(TableName, Environment)>,
    /// Grants by table.
    pub(crate) grants_on: PersistentSet<(TableName, u64)>,
    /// Grants that end by themselves, by when.
    pub(crate) ending_grants: PersistentSet<(i64, u64)>,
    /// Grants by who has them.
    pub(crate) grants_to: PersistentSet<(Grantee, u64)>,
    /// Resources by project and the command that created them.
    pub(crate) resources_of: PersistentSet<(String, u64, ChildName)>,
    /// Uploads that are not complete, by when they are given up.
    pub(crate) expiring_uploads: PersistentSet<(i64, ChildName)>,
    /// Deliveries that are to be made, by when.
    pub(crate) pending_deliveries: PersistentSet<(i64, u64)>,
    /// Deliveries by hook.
    pub(crate) deliveries_of: PersistentSet<(ChildName, u64)>,
    /// Audit records that are here, by the call that they tell of: the last one of each.
    pub(crate) audited: PersistentMap<String, u64>,
    /// What business metadata are found by.
    pub(crate) metadata: MetadataIndex,
    /// Quality rules by table.
    pub(crate) rules_on: RulesOn,
}

/// What a command gives to the objects that it changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    pub(crate) now_ms: i64,
    pub(crate) revision: u64,
}

impl Default for Catalog {
    fn default() -> Self {
        Self::new()
    }
}

impl Catalog {
    /// A catalog with the tenant and the project `default`, and nothing else.
    pub fn new() -> Self {
        let tenant = Tenant {
            id: DEFAULT_TENANT.to_owned(),
            description: String::new(),
            created_ms: 0,
            revision: 0,
        };
        let project = Project::first();
        let of_tenant = (DEFAULT_TENANT.to_owned(), 0, project.id.clone());
        let index = Index { projects_of: PersistentSet::from([of_tenant]), ..Index::default() };
        Self {
            revision: 0,
            time_ms: 0,
            tenants: SharedMap::from([(tenant.id.clone(), Arc::new(tenant))]),
            projects: SharedMap::from([(project.id.clone(), Arc::new(project))]),
            jobs: SharedMap::new(),
            workers: SharedMap::new(),
            operations: SharedMap::new(),
            accounts: SharedMap::new(),
            sessions: SharedMap::new(),
            roles: SharedMap::new(),
            approvals: SharedMap::new(),
            data_sources: SharedMap::new(),
            databases: SharedMap::new(),
            tables: SharedMap::new(),
            grants: GrantBook::default(),
            metadata: MetadataBook::default(),
            quality: QualityBook::default(),
            resources: ResourceBook::default(),
            hooks: HookBook::default(),
            audit: AuditLog::default(),
            requests: RequestMemory::default(),
            index,
            changes: ChangeLog::default(),
        }
    }

    /// Applies a command. A refusal (with the code that the [`crate::Action`] documents) changes nothing.
    pub fn apply(&mut self, command: Command) -> Result<Response> {
        let Command { now_ms, request_id, origin, action } = command;
        // What is recorded is not changed, and what changes nothing else has no revision.
        if let Action::Audit(action) = action {
            let name = self.apply_audit(now_ms, action)?;
            return Ok(Response { name, revision: self.revision });
        }
        let applied = self.apply_action(now_ms, request_id, action);
        if let Some(origin) = origin {
            self.record_command(now_ms, *origin, applied.as_ref().err());
        }
        applied
    }

    fn apply_action(
        &mut self,
        now_ms: i64,
        request_id: Option<String>,
        action: Action,
    ) -> Result<Response> {
        let stamp = Stamp {
            now_ms: now_ms.max(self.time_ms),
            revision: self
                .revision
                .checked_add(1)
                .ok_or_else(|| Error::internal("the catalog has no revision left"))?,
        };
        let request = match request_id {
            None => None,
            Some(id) => {
                let digest = fingerprint(&action);
                if let Some(answer) = self.requests.recall(&id, digest, stamp.now_ms)? {
                    return Ok(answer);
                }
                Some((id, digest))
            }
        };
        let name = self.dispatch(stamp, action)?;
        self.changes.note(stamp.revision, &name);
        self.revision = stamp.revision;
        self.time_ms = stamp.now_ms;
        let response = Response { name, revision: stamp.revision };
        if let Some((id, digest)) = request {
            self.requests.remember(id, digest, stamp.now_ms, response.clone());
        }
        Ok(response)
    }

    /// Computes the index anew from what is stored.
    pub(crate) fn rebuild_index(&mut self) {
        let live = |run: &&Arc<Run>| !run.state.is_terminal();
        self.index.live_runs = self
            .jobs
            .values()
            .flat_map(|entry| entry.runs.values().filter(live))
            .map(|run| run.name.clone())
            .collect();
        let deleting = |savepoint: &&Arc<Savepoint>| savepoint.state == SavepointState::Deleting;
        self.index.deleting = self
            .jobs
            .values()
            .flat_map(|entry| entry.savepoints.values().filter(deleting))
            .map(|savepoint| savepoint.name.clone())
            .collect();
        let of_tenant =
            |project: &Arc<Project>| (project.tenant.clone(), project.sequence, project.id.clone());
        self.index.projects_of = self.projects.values().map(of_tenant).collect();
        for session in self.sessions.values().cloned().collect::<Vec<_>>() {
            self.index_session(&session);
        }
        let in_scope =
            |(account, scope, role): &RoleKey| (scope.clone(), role.clone(), account.clone());
        self.index.roles_in = self.roles.keys().map(in_scope).collect();
        for approval in self.approvals.values().cloned().collect::<Vec<_>>() {
            self.index_approval(&approval);
        }
        for database in self.databases.values().cloned().collect::<Vec<_>>() {
            for publication in database.publications.values() {
                self.occupy(&publication.data_source, &database.name.to_string());
            }
        }
        for table in self.tables.values().cloned().collect::<Vec<_>>() {
            *self.index.tables_in.get_or_default(table.name.project().to_owned()) += 1;
            for publication in table.publications.values().chain(table.next.values()) {
                self.occupy(&publication.data_source, &table.name.to_string());
            }
            let applying = table.next.keys().map(|at| (table.name.clone(), *at));
            self.index.applying.extend(applying);
        }
        for grant in self.grants.grants.values().cloned().collect::<Vec<_>>() {
            self.index_grant(&grant);
        }
        self.rebuild_metadata_index();
        let on_table =
            |rule: &Arc<crate::quality::QualityRule>| (rule.table.clone(), rule.entry.name.clone());
        self.index.rules_on = self.quality.rules.values().map(on_table).collect();
        for resource in self.resources.resources.values().cloned().collect::<Vec<_>>() {
            self.index_resource(&resource);
        }
        let expiring =
            |upload: &Arc<crate::resource::Upload>| (upload.expires_ms, upload.name.clone());
        self.index.expiring_uploads = self.resources.uploads.values().map(expiring).collect();
        for delivery in self.hooks.deliveries.values().cloned().collect::<Vec<_>>() {
            self.index_delivery(&delivery);
        }
        let told =
            |record: &Arc<crate::audit::AuditRecord>| (record.origin.call.clone(), record.number);
        self.index.audited = self.audit.records.values().map(told).collect();
        self.index.done_operations = self
            .operations
            .values()
            .filter(|operation| operation.state != OperationState::Pending)
            .map(|operation| (operation.done_ms.unwrap_or_default(), operation.id.clone()))
            .collect();
    }

    /// A job's entry; `NOT_FOUND`.
    pub(crate) fn entry(&self, name: &JobName) -> Result<&Arc<JobEntry>> {
        self.jobs.get(name).ok_or_else(|| not_found(name))
    }

    /// A job's entry for a change; `NOT_FOUND`.
    pub(crate) fn entry_mut(&mut self, name: &JobName) -> Result<&mut JobEntry> {
        self.jobs.get_mut(name).map(Arc::make_mut).ok_or_else(|| not_found(name))
    }
}

/// Fingerprint of what is asked, to tell a repeated request from another with its id.
fn fingerprint(action: &Action) -> u64 {
    let bytes = serde_json::to_vec(action).expect("actions have only text keys");
    xxh3_64(&bytes)
}

/// A thing that is not there.
pub(crate) fn not_found(name: &impl Display) -> Error {
    Error::new(ErrorCode::NotFound, format!("{name} does not exist"))
}

/// A thing that is there already.
pub(crate) fn already_exists(name: &impl Display) -> Error {
    Error::new(ErrorCode::AlreadyExists, format!("{name} exists already"))
}

/// Refuses a change by somebody who has not seen the last one.
pub(crate) fn check_etag(name: &impl Display, revision: u64, etag: Option<u64>) -> Result<()> {
    match etag {
        Some(etag) if etag != revision => Err(Error::new(
            ErrorCode::Conflict,
            format!("{name} was changed meanwhile: read it again and repeat the change"),
        )),
        _ => Ok(()),
    }
}

/// A thing that is in no state for this.
pub(crate) fn precondition(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::FailedPrecondition, message)
}
