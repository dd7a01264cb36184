//! Long-running operations.

use std::time::Duration;

use async_trait::async_trait;
use tidegate_catalog::{Action, OperationKind, ResourceName};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::operation_service_server::OperationService;
use tidegate_types::{Error, ErrorCode, Result};
use tonic::{Request, Response, Status};

use super::fields::page;
use super::{Api, answer, convert};

/// How often a waiting call looks.
const LOOK: Duration = Duration::from_millis(50);
/// How long a call waits where the caller does not say, and at most.
const WAIT: u64 = 30;
const MAX_WAIT: u64 = 300;

impl Api {
    /// Begins an operation; the leader ends it when what it stands for is done.
    pub(super) async fn operate(
        &self,
        kind: OperationKind,
        target: ResourceName,
    ) -> Result<api::Operation> {
        let id = self.new_id("op");
        self.apply(Action::CreateOperation { id: id.clone(), kind, target }, "").await?;
        self.operation(&id).await
    }

    async fn operation(&self, id: &str) -> Result<api::Operation> {
        self.read(|catalog| {
            let found = catalog.operation(id).map(convert::operation);
            found.ok_or_else(|| {
                let message = format!("operations/{id} does not exist");
                Error::new(ErrorCode::NotFound, message)
                    .help("operations that are done are forgotten after a while")
            })
        })
        .await
    }

    async fn wait(&self, request: api::WaitOperationRequest) -> Result<api::Operation> {
        let id = id(&request.name)?;
        let seconds = match u64::try_from(request.timeout_seconds) {
            Ok(0) => WAIT,
            Ok(seconds) => seconds.min(MAX_WAIT),
            Err(_) => {
                let message = "timeout_seconds is less than 0";
                return Err(Error::new(ErrorCode::InvalidOption, message));
            }
        };
        let until = self.clock.elapsed() + Duration::from_secs(seconds);
        loop {
            let operation = self.operation(&id).await?;
            if operation.done || self.clock.elapsed() >= until {
                return Ok(operation);
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn id(name: &str) -> Result<String> {
    match name.parse()? {
        ResourceName::Operation(id) => Ok(id),
        _ => {
            let message = format!("'{name}' is not the name of an operation (operations/…)");
            Err(Error::new(ErrorCode::InvalidOption, message))
        }
    }
}

#[async_trait]
impl OperationService for Api {
    async fn get_operation(
        &self,
        request: Request<api::GetOperationRequest>,
    ) -> Result<Response<api::Operation>, Status> {
        let found = async { self.operation(&id(&request.get_ref().name)?).await };
        answer(found.await)
    }

    async fn list_operations(
        &self,
        request: Request<api::ListOperationsRequest>,
    ) -> Result<Response<api::ListOperationsResponse>, Status> {
        let request = request.into_inner();
        let found = async {
            let page = page(request.page_size, &request.page_token)?;
            self.read(|catalog| {
                let found = catalog.list_operations(&page)?;
                Ok(api::ListOperationsResponse {
                    operations: found.items.iter().map(|one| convert::operation(one)).collect(),
                    next_page_token: found.next.unwrap_or_default(),
                })
            })
            .await
        };
        answer(found.await)
    }

    async fn wait_operation(
        &self,
        request: Request<api::WaitOperationRequest>,
    ) -> Result<Response<api::Operation>, Status> {
        answer(self.wait(request.into_inner()).await)
    }
}
