//! The public API `tidegate.v1`: each call becomes a command or a read of the catalog. Any coordinator serves it;
//! commands and current reads go to the leader.

mod access;
pub(crate) mod accounts;
mod approvals;
mod audit;
mod catalog;
mod clusters;
mod convert;
mod data_sources;
mod fields;
mod hooks;
mod jobs;
mod metadata;
mod operations;
mod resources;
mod savepoints;
mod tables;
mod tenancy;

use std::sync::Arc;

use tidegate_catalog::{Action, Catalog, Command, Response};
use tidegate_job_control::driver::random;
use tidegate_proto::status::to_status;
use tidegate_runtime::Clock;
use tidegate_types::{Error, ErrorCode, Result};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status};
use xxhash_rust::xxh3::xxh3_64;

use accounts::{Attempts, Hasher};

use crate::audit::SealedRecords;
use crate::jobs::CheckpointFolders;
use crate::raft::network::Connector;
use crate::raft::{Consistency, Metadata};
use crate::secrets::Secrets;
use crate::service::call::CurrentCall;
use crate::service::gate::hand_on;
use crate::service::searching::Searching;
use crate::service::workers::WorkerPool;

/// Marks a call that another coordinator has passed on.
const PASSED_ON: &str = "tidegate-passed-on";

/// What all services of the API work with.
#[derive(Clone)]
pub(super) struct Api {
    metadata: Metadata,
    pool: WorkerPool,
    clock: Arc<dyn Clock>,
    connector: Arc<dyn Connector>,
    hasher: Arc<Hasher>,
    attempts: Arc<Attempts>,
    secrets: Secrets,
    searching: Arc<Searching>,
    shelf: Arc<resources::Shelf>,
    sealed: SealedRecords,
}

impl Api {
    /// The API of a coordinator.
    pub(super) fn new(
        metadata: Metadata,
        pool: WorkerPool,
        clock: Arc<dyn Clock>,
        connector: Arc<dyn Connector>,
        secrets: Secrets,
        searching: Arc<Searching>,
        folders: CheckpointFolders,
    ) -> Self {
        let (hasher, attempts) = Default::default();
        let sealed = SealedRecords::new(folders.clone());
        let shelf = Arc::new(resources::Shelf::new(folders));
        Self {
            metadata,
            pool,
            clock,
            connector,
            hasher,
            attempts,
            secrets,
            shelf,
            sealed,
            searching,
        }
    }

    /// A channel to the leader for what only it knows: what workers say. `None` if this coordinator leads, or the call
    /// was passed on already.
    ///
    /// # Errors
    /// `UNAVAILABLE` while no leader is known.
    fn leader(&self, metadata: &MetadataMap) -> Result<Option<Channel>> {
        let leadership = self.metadata.leadership();
        let now = leadership.borrow();
        if now.is_self || metadata.contains_key(PASSED_ON) {
            return Ok(None);
        }
        let (_, address) = now.leader.as_ref().ok_or_else(|| {
            Error::new(ErrorCode::Unavailable, "no coordinator leads at the moment")
        })?;
        self.connector.channel(address).map(Some)
    }

    /// Applies an action; `request_id` may be empty.
    async fn apply(&self, action: Action, request_id: &str) -> Result<Response> {
        let command = Command::new(self.clock.now_ms(), action);
        let command = match CurrentCall::get().and_then(|call| call.origin) {
            Some(origin) => command.of_call(origin),
            None => command,
        };
        self.propose(command, request_id).await
    }

    /// Applies an action whose refusal does not yet mean that the call fails: it leaves no record.
    async fn attempt(&self, action: Action, request_id: &str) -> Result<Response> {
        self.propose(Command::new(self.clock.now_ms(), action), request_id).await
    }

    async fn propose(&self, command: Command, request_id: &str) -> Result<Response> {
        let command = match request_id {
            "" => command,
            id => command.with_request_id(id),
        };
        self.metadata.propose(command).await
    }

    /// Reads what everybody was told before this call began.
    async fn read<T>(&self, read: impl FnOnce(&Catalog) -> Result<T>) -> Result<T> {
        self.metadata.read(Consistency::Linearizable, read).await?
    }

    /// The id that a call gives, or one that nobody else makes up. A call that is repeated comes to the same again.
    fn id_or_new(&self, given: &str, request_id: &str, prefix: &str) -> String {
        match (given, request_id) {
            ("", "") => self.new_id(prefix),
            ("", request) => format!("{prefix}-{:016x}", xxh3_64(request.as_bytes())),
            (given, _) => given.to_owned(),
        }
    }

    /// An id that nobody else makes up.
    fn new_id(&self, prefix: &str) -> String {
        format!("{prefix}-{:x}-{:08x}", self.clock.now_ms(), random() as u32)
    }
}

pub(in crate::service) use convert::time;
pub(crate) use tables::statement;

/// A call that is passed on to the leader, for the same caller.
fn passed_on<T>(call: Request<T>) -> Request<T> {
    let (metadata, extensions, message) = call.into_parts();
    let mut request = Request::new(message);
    request.metadata_mut().insert(PASSED_ON, MetadataValue::from_static("1"));
    hand_on(&metadata, &extensions, request.metadata_mut());
    request
}

/// Answers a call.
fn answer<T>(result: Result<T>) -> Result<tonic::Response<T>, Status> {
    result.map(tonic::Response::new).map_err(|error| to_status(&error))
}

fn unknown(name: &impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::NotFound, format!("{name} does not exist"))
}
