//! Savepoints.

use async_trait::async_trait;
use tidegate_catalog::{Action, JobName, OperationKind, SavepointName};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::savepoint_service_server::SavepointService;
use tidegate_types::{Error, ErrorCode, Result};
use tonic::{Request, Response, Status};

use super::fields::page;
use super::{Api, answer, convert};

impl Api {
    async fn create_savepoint(
        &self,
        request: api::CreateSavepointRequest,
    ) -> Result<api::Operation> {
        let run = self.live_run(&request.parent, &request.request_id).await?;
        let id = self.id_or_new(&request.savepoint_id, &request.request_id, "savepoint");
        let savepoint = run.job.savepoint(id)?;
        let action = Action::CreateSavepoint {
            savepoint: savepoint.clone(),
            run: run.number,
            location: None,
        };
        self.apply(action, &request.request_id).await?;
        self.operate(OperationKind::CreateSavepoint, savepoint.into()).await
    }

    async fn savepoint(&self, name: &SavepointName) -> Result<api::Savepoint> {
        self.read(|catalog| {
            let found = catalog.savepoint(name).map(convert::savepoint);
            found.ok_or_else(|| Error::new(ErrorCode::NotFound, format!("{name} does not exist")))
        })
        .await
    }

    async fn delete_savepoint(
        &self,
        request: api::DeleteSavepointRequest,
    ) -> Result<api::Operation> {
        let savepoint: SavepointName = request.name.parse()?;
        let action = Action::DeleteSavepoint { savepoint: savepoint.clone() };
        self.apply(action, &request.request_id).await?;
        self.operate(OperationKind::DeleteSavepoint, savepoint.into()).await
    }
}

#[async_trait]
impl SavepointService for Api {
    async fn create_savepoint(
        &self,
        request: Request<api::CreateSavepointRequest>,
    ) -> Result<Response<api::Operation>, Status> {
        answer(Self::create_savepoint(self, request.into_inner()).await)
    }

    async fn get_savepoint(
        &self,
        request: Request<api::GetSavepointRequest>,
    ) -> Result<Response<api::Savepoint>, Status> {
        let found = async { self.savepoint(&request.get_ref().name.parse()?).await };
        answer(found.await)
    }

    async fn list_savepoints(
        &self,
        request: Request<api::ListSavepointsRequest>,
    ) -> Result<Response<api::ListSavepointsResponse>, Status> {
        let request = request.into_inner();
        let found = async {
            let job: JobName = request.parent.parse()?;
            let page = page(request.page_size, &request.page_token)?;
            self.read(|catalog| {
                let found = catalog.list_savepoints(&job, &page)?;
                Ok(api::ListSavepointsResponse {
                    savepoints: found.items.iter().map(|one| convert::savepoint(one)).collect(),
                    next_page_token: found.next.unwrap_or_default(),
                })
            })
            .await
        };
        answer(found.await)
    }

    async fn delete_savepoint(
        &self,
        request: Request<api::DeleteSavepointRequest>,
    ) -> Result<Response<api::Operation>, Status> {
        answer(Self::delete_savepoint(self, request.into_inner()).await)
    }
}
