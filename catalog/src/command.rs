//! Commands: everything that can change the catalog, and how they are written into a log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidegate_types::{Epoch, Error, ErrorCode, JobRecord, Result};

use crate::account::{AccountAction, AccountName};
use crate::approval::ApprovalAction;
use crate::audit::{AuditAction, Origin};
use crate::data_source::DataSourceAction;
use crate::grant::GrantAction;
use crate::hook::HookAction;
use crate::job::{Priority, VersionSpec};
use crate::metadata::MetadataAction;
use crate::name::{JobName, ResourceName, RunName, SavepointName, VersionName};
use crate::operation::OperationKind;
use crate::quality::QualityAction;
use crate::resource::ResourceAction;
use crate::role::RoleAction;
use crate::run::{Failure, RestoreOrigin, RunState};
use crate::table::{Environment, TableAction};
use crate::tenancy::{ServiceKind, TenancyAction};
use crate::worker::WorkerSpec;

/// Version of the encoding of commands.
pub const COMMAND_VERSION: u8 = 2;

/// A change of the catalog, with everything in it that is not determined by the catalog itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The time at its origin, milliseconds since the epoch. The catalog's time never goes back: an earlier one counts
    /// as the latest that was applied.
    pub now_ms: i64,
    /// An id that makes it safe to send the command again: within a bounded memory (see [`crate::Bounds::REQUESTS`] and
    /// [`crate::Bounds::REQUEST_AGE_MS`]) the same id gives the first answer and changes nothing. Refusals are not
    /// remembered: they changed nothing, and a later attempt may succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The call that it comes from, for the audit; none for what the platform does by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Box<Origin>>,
    /// What to do.
    pub action: Action,
}

/// What a command does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Something with accounts or sessions.
    Account(AccountAction),
    /// Something with roles.
    Role(RoleAction),
    /// Something more with tenants, projects or their services.
    Tenancy(TenancyAction),
    /// Something with approvals.
    Approval(ApprovalAction),
    /// Something with data sources.
    DataSource(Box<DataSourceAction>),
    /// Something with databases or tables.
    Table(Box<TableAction>),
    /// Something with grants.
    Grant(GrantAction),
    /// Something with business metadata.
    Metadata(Box<MetadataAction>),
    /// Something with quality rules.
    Quality(Box<QualityAction>),
    /// Something with resources.
    Resource(Box<ResourceAction>),
    /// Something with hooks.
    Hook(Box<HookAction>),
    /// Something with audit records.
    Audit(AuditAction),
    /// Creates a tenant. `ALREADY_EXISTS`.
    CreateTenant {
        /// Its id.
        tenant: String,
        /// What it is.
        description: String,
    },
    /// Deletes a tenant that owns nothing. `FAILED_PRECONDITION` for others and for `default`.
    DeleteTenant {
        /// Its id.
        tenant: String,
        /// The revision that the caller has seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        etag: Option<u64>,
    },
    /// Creates a project. `ALREADY_EXISTS`; `NOT_FOUND` for its tenant.
    CreateProject {
        /// Its id.
        project: String,
        /// Its owner.
        tenant: String,
        /// What it is.
        description: String,
        /// What is open in it; none, in a command of version 1: everything, without bounds, and tables that scripts
        /// declare themselves are allowed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        services: Option<Vec<ServiceKind>>,
    },
    /// Deletes a project without jobs. `FAILED_PRECONDITION` for others and for `default`.
    DeleteProject {
        /// Its id.
        project: String,
        /// The revision that the caller has seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        etag: Option<u64>,
    },
    /// Creates a job. `ALREADY_EXISTS`; `NOT_FOUND` for its project.
    CreateJob {
        /// Its name.
        job: JobName,
        /// What it is.
        description: String,
        /// Labels.
        labels: BTreeMap<String, String>,
        /// Its priority.
        priority: Priority,
    },
    /// Changes what is given of a job. `CONFLICT` if an etag is given and the job has another.
    UpdateJob {
        /// Its name.
        job: JobName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// A new description.
        description: Option<String>,
        /// All labels anew.
        labels: Option<BTreeMap<String, String>>,
        /// A new priority.
        priority: Option<Priority>,
    },
    /// Deletes a job with its versions and runs. `FAILED_PRECONDITION` if a run is not over, or if there are savepoints
    /// and it is not forced.
    DeleteJob {
        /// Its name.
        job: JobName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// Forget savepoints, too; their files stay.
        force: bool,
    },
    /// Adds a version to a job; its number is the last one's plus 1.
    CreateVersion {
        /// The job.
        job: JobName,
        /// What it is made of.
        spec: VersionSpec,
    },
    /// Deletes a version. `FAILED_PRECONDITION` if a run that is not over uses it.
    DeleteVersion {
        /// The version.
        version: VersionName,
    },
    /// Starts a run of a job. `FAILED_PRECONDITION` if one of its runs is not over.
    StartRun {
        /// The job.
        job: JobName,
        /// Number of the version; none means the last one.
        version: Option<u64>,
        /// Parallelism; none means the version's.
        parallelism: Option<u32>,
        /// What state it begins with.
        origin: RestoreOrigin,
        /// Where it runs; needed if the version uses tables of the catalog.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        environment: Option<Environment>,
        /// Who starts it; none: nobody with an account.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<AccountName>,
    },
    /// Asks for the approval of a version for production. `NOT_FOUND`, `FAILED_PRECONDITION` if it is approved or that
    /// is asked already.
    RequestRelease {
        /// The version.
        version: VersionName,
        /// Who asks.
        requester: String,
        /// Why.
        reason: String,
    },
    /// Asks for a savepoint and the end of a run; creates the savepoint as pending.
    RequestStop {
        /// The run.
        run: RunName,
        /// Id of the savepoint to take.
        savepoint: String,
        /// Folder for the savepoint; none means where the job's files are.
        location: Option<String>,
        /// Whether to end all windows first.
        drain: bool,
    },
    /// Asks for the end of a run without a savepoint.
    RequestCancel {
        /// The run.
        run: RunName,
    },
    /// Saves what a driver knows. `FENCED` unless the record's revision follows the saved one's.
    SaveRecord {
        /// The run.
        run: RunName,
        /// What is saved.
        record: JobRecord,
        /// Parallelism of the attempt that the record names, where its driver says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parallelism: Option<u32>,
    },
    /// Says what a run waits for.
    SetRunWaiting {
        /// The run.
        run: RunName,
        /// In words; none if it waits for nothing.
        waiting: Option<String>,
    },
    /// Says where a run stands. `FAILED_PRECONDITION` if that state may not follow. The same state again is accepted
    /// and changes nothing but the failure.
    SetRunState {
        /// The run.
        run: RunName,
        /// Where it stands.
        state: RunState,
        /// What failed; needed for [`RunState::Failed`].
        failure: Option<Failure>,
    },
    /// Changes the parallelism that a run should have.
    RescaleRun {
        /// The run.
        run: RunName,
        /// How parallel it should be.
        parallelism: u32,
    },
    /// Asks for a savepoint of a run.
    CreateSavepoint {
        /// Its name.
        savepoint: SavepointName,
        /// Number of the run that takes it.
        run: u64,
        /// Folder for it; none means where the job's files are.
        location: Option<String>,
    },
    /// Says that a savepoint is complete.
    CompleteSavepoint {
        /// Its name.
        savepoint: SavepointName,
        /// Path or URL of its folder.
        location: String,
        /// Number of the checkpoint that it is.
        epoch: Epoch,
        /// Bytes of its files.
        size_bytes: u64,
    },
    /// Says that a savepoint could not be taken.
    FailSavepoint {
        /// Its name.
        savepoint: SavepointName,
        /// Why.
        error: Failure,
    },
    /// Marks a savepoint for the deletion of its files. `FAILED_PRECONDITION` while pending, or while a run that is not
    /// over still depends on it.
    DeleteSavepoint {
        /// Its name.
        savepoint: SavepointName,
    },
    /// Forgets a savepoint whose files were deleted, or that has failed.
    RemoveSavepoint {
        /// Its name.
        savepoint: SavepointName,
    },
    /// Registers a worker. `FENCED` if a later incarnation is known.
    RegisterWorker {
        /// What it says of itself.
        spec: WorkerSpec,
    },
    /// Says that a worker has not been heard of for too long. `FENCED` if a later incarnation is known.
    LoseWorker {
        /// Its id.
        worker: String,
        /// The incarnation that was lost.
        incarnation: u64,
    },
    /// Gives a worker nothing new.
    DrainWorker {
        /// Its id.
        worker: String,
    },
    /// Says that a draining worker runs nothing any more.
    FinishDrain {
        /// Its id.
        worker: String,
        /// The incarnation that is empty.
        incarnation: u64,
    },
    /// Takes a drain back.
    UndrainWorker {
        /// Its id.
        worker: String,
    },
    /// Forgets a worker that is drained or lost.
    RemoveWorker {
        /// Its id.
        worker: String,
    },
    /// Begins a long-running operation.
    CreateOperation {
        /// Its id, random.
        id: String,
        /// What it does.
        kind: OperationKind,
        /// What it does it to.
        target: ResourceName,
    },
    /// Ends a long-running operation. `FAILED_PRECONDITION` if it is done.
    FinishOperation {
        /// Its id.
        id: String,
        /// Why it failed; none means that it succeeded.
        error: Option<Failure>,
    },
}

impl Command {
    /// A command without a request id.
    pub fn new(now_ms: i64, action: Action) -> Self {
        Self { now_ms, request_id: None, origin: None, action }
    }

    /// The same command, of a call.
    #[must_use]
    pub fn of_call(mut self, origin: Origin) -> Self {
        self.origin = Some(Box::new(origin));
        self
    }

    /// The same command with a request id.
    #[must_use]
    pub fn with_request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// The command as bytes: the version, then JSON.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![COMMAND_VERSION];
        serde_json::to_writer(&mut bytes, self)
            .expect("commands have only text keys, and a vector takes every write");
        bytes
    }

    /// A command from its bytes. `INCOMPATIBLE` if a later release wrote it: a coordinator that does not know what a
    /// command means must not go on without it. `CORRUPT` if it is damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        match bytes.split_first() {
            // What version 2 has more is not in one of version 1.
            Some((&(1..=COMMAND_VERSION), json)) => serde_json::from_slice(json).map_err(|error| {
                Error::new(ErrorCode::Corrupt, format!("a command cannot be read: {error}"))
                    .help("if a later release wrote it, run that release here, too")
            }),
            Some((version, _)) => Err(Error::new(
                ErrorCode::Incompatible,
                format!("a command has encoding {version}, this release reads {COMMAND_VERSION}"),
            )
            .help("run the release that the other coordinators run")),
            None => Err(Error::new(ErrorCode::Corrupt, "a command has no bytes")),
        }
    }
}
