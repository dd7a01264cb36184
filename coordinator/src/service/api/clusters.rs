//! Coordinators and workers.

use async_trait::async_trait;
use tidegate_catalog::{Action, Catalog, OperationKind, ResourceName};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::cluster_service_client::ClusterServiceClient;
use tidegate_proto::v1::cluster_service_server::ClusterService;
use tidegate_types::{Error, ErrorCode, Result};
use tonic::{Request, Response, Status};

use super::{Api, answer, convert, passed_on};
use crate::raft::NodeRole;

impl Api {
    async fn cluster(&self) -> Result<api::Cluster> {
        let used = self.pool.used_slots();
        let workers = |catalog: &Catalog| {
            let all = catalog.workers().map(|worker| {
                convert::worker(worker, used.get(&worker.spec.id).copied().unwrap_or(0))
            });
            Ok(all.collect())
        };
        let workers = self.read(workers).await?;
        let status = self.metadata.status();
        let coordinators = status.members.iter().map(|member| api::Coordinator {
            id: member.id,
            address: member.address.clone(),
            leader: status.leader == Some(member.id),
            voter: member.role == NodeRole::Voter,
            lag: member.lag,
        });
        Ok(api::Cluster { coordinators: coordinators.collect(), workers, term: status.term })
    }

    async fn drain(&self, name: &str) -> Result<api::Operation> {
        let worker = worker(name)?;
        self.apply(Action::DrainWorker { worker: worker.clone() }, "").await?;
        self.operate(OperationKind::DrainWorker, ResourceName::Worker(worker)).await
    }

    async fn undrain(&self, name: &str) -> Result<api::Worker> {
        let id = worker(name)?;
        self.apply(Action::UndrainWorker { worker: id.clone() }, "").await?;
        let used = self.pool.used_slots().get(&id).copied().unwrap_or(0);
        self.read(|catalog| {
            let found = catalog.worker(&id).map(|worker| convert::worker(worker, used));
            found.ok_or_else(|| Error::new(ErrorCode::NotFound, format!("{name} does not exist")))
        })
        .await
    }
}

fn worker(name: &str) -> Result<String> {
    match name.parse()? {
        ResourceName::Worker(worker) => Ok(worker),
        _ => {
            let message = format!("'{name}' is not the name of a worker (workers/…)");
            Err(Error::new(ErrorCode::InvalidOption, message))
        }
    }
}

#[async_trait]
impl ClusterService for Api {
    async fn get_cluster(
        &self,
        request: Request<api::GetClusterRequest>,
    ) -> Result<Response<api::Cluster>, Status> {
        match self.leader(request.metadata()) {
            Ok(None) => answer(self.cluster().await),
            Ok(Some(leader)) => {
                let mut client = ClusterServiceClient::new(leader);
                client.get_cluster(passed_on(request)).await
            }
            Err(error) => answer(Err(error)),
        }
    }

    async fn add_coordinator(
        &self,
        request: Request<api::AddCoordinatorRequest>,
    ) -> Result<Response<api::Cluster>, Status> {
        let api::AddCoordinatorRequest { id, address } = request.into_inner();
        let added = async {
            self.metadata.add_voter(id, address).await?;
            self.cluster().await
        };
        answer(added.await)
    }

    async fn remove_coordinator(
        &self,
        request: Request<api::RemoveCoordinatorRequest>,
    ) -> Result<Response<api::Cluster>, Status> {
        let id = request.into_inner().id;
        let removed = async {
            self.metadata.remove(id).await?;
            self.cluster().await
        };
        answer(removed.await)
    }

    async fn drain_worker(
        &self,
        request: Request<api::DrainWorkerRequest>,
    ) -> Result<Response<api::Operation>, Status> {
        answer(self.drain(&request.get_ref().name).await)
    }

    async fn undrain_worker(
        &self,
        request: Request<api::UndrainWorkerRequest>,
    ) -> Result<Response<api::Worker>, Status> {
        answer(self.undrain(&request.get_ref().name).await)
    }
}
