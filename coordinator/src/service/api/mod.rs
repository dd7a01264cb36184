//! The public API `tidegate.v1`: each call becomes a command or a read of the catalog. Any coordinator serves it;
//! commands and current reads go to the leader.

mod clusters;
mod convert;
mod jobs;
mod operations;
mod savepoints;

use std::sync::Arc;

use tidegate_catalog::{Action, Catalog, Command, PageRequest, Response};
use tidegate_job_control::driver::random;
use tidegate_proto::status::to_status;
use tidegate_runtime::Clock;
use tidegate_types::{Error, ErrorCode, Result};
use tonic::Status;

use crate::raft::{Consistency, Metadata};
use crate::service::workers::WorkerPool;

/// Objects on a page where the caller does not say.
const PAGE: usize = 50;
/// Objects on a page at most.
const MAX_PAGE: usize = 1000;

/// What all services of the API work with.
#[derive(Clone)]
pub(super) struct Api {
    metadata: Metadata,
    pool: WorkerPool,
    clock: Arc<dyn Clock>,
}

impl Api {
    /// The API of a coordinator.
    pub(super) fn new(metadata: Metadata, pool: WorkerPool, clock: Arc<dyn Clock>) -> Self {
        Self { metadata, pool, clock }
    }

    /// Applies an action; `request_id` may be empty.
    async fn apply(&self, action: Action, request_id: &str) -> Result<Response> {
        let command = Command::new(self.clock.now_ms(), action);
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

    /// An id that nobody else makes up.
    fn new_id(&self, prefix: &str) -> String {
        format!("{prefix}-{:x}-{:08x}", self.clock.now_ms(), random() as u32)
    }
}

fn page(size: i32, token: &str) -> Result<PageRequest> {
    let size = match usize::try_from(size) {
        Ok(0) => PAGE,
        Ok(size) => size.min(MAX_PAGE),
        Err(_) => {
            let message = format!("page_size {size} is less than 0");
            return Err(Error::new(ErrorCode::InvalidOption, message));
        }
    };
    let token = Some(token.to_owned()).filter(|token| !token.is_empty());
    Ok(PageRequest { size, token })
}

fn missing(field: &str) -> Error {
    Error::new(ErrorCode::InvalidOption, format!("the field '{field}' is missing"))
}

pub(in crate::service) use convert::time;

/// Answers a call.
fn answer<T>(result: Result<T>) -> Result<tonic::Response<T>, Status> {
    result.map(tonic::Response::new).map_err(|error| to_status(&error))
}
