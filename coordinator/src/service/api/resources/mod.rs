//! Resources: uploaded and downloaded in pieces, listed, changed, deleted.

mod convert;
mod download;
mod upload;

use std::sync::Arc;

use tidegate_catalog::{
    Action, ChildName, Collection, ResourceAction, ResourceFilter, ResourceName,
};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::resource_service_server::ResourceService;
use tidegate_types::Result;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status, Streaming};

use super::fields::{Mask, etag, invalid, missing, page, project};
use super::{Api, answer, unknown};
use crate::jobs::CheckpointFolders;
use crate::resources::ResourceStore;

/// Uploads that a coordinator takes at the same time; each has a part in memory.
const UPLOADS: usize = 32;
/// Uploads that are looked into at the same time.
const INSPECTIONS: usize = 2;

/// What uploads and downloads work with.
pub(super) struct Shelf {
    pub(super) store: ResourceStore,
    uploads: Arc<Semaphore>,
    inspections: Semaphore,
}

impl Shelf {
    /// Below these folders.
    pub(super) fn new(folders: CheckpointFolders) -> Self {
        let uploads = Arc::new(Semaphore::new(UPLOADS));
        let store = ResourceStore::new(folders);
        Self { store, uploads, inspections: Semaphore::new(INSPECTIONS) }
    }
}

impl Api {
    async fn resource(&self, name: &ChildName) -> Result<api::Resource> {
        self.read(|catalog| {
            catalog.resource(name).map(convert::resource).ok_or_else(|| unknown(name))
        })
        .await
    }

    async fn get_resource(&self, request: api::GetResourceRequest) -> Result<api::Resource> {
        self.resource(&name_of(&request.name, Collection::Resources)?).await
    }

    async fn list_resources(
        &self,
        request: api::ListResourcesRequest,
    ) -> Result<api::ListResourcesResponse> {
        let project = project(&request.parent)?;
        let page = page(request.page_size, &request.page_token)?;
        let filter = ResourceFilter {
            kind: convert::kind(request.kind()),
            folder: request.folder,
            search: request.search.to_lowercase(),
        };
        self.read(|catalog| {
            let found = catalog.list_resources(&project, &filter, &page)?;
            Ok(api::ListResourcesResponse {
                resources: found.items.iter().map(|found| convert::resource(found)).collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn update_resource(&self, request: api::UpdateResourceRequest) -> Result<api::Resource> {
        let given = request.resource.ok_or_else(|| missing("resource"))?;
        let resource = name_of(&given.name, Collection::Resources)?;
        let mask = Mask::new(request.update_mask, &["description", "folder"])?;
        let update = ResourceAction::Update {
            resource: resource.clone(),
            etag: etag(&given.etag)?,
            description: mask.has("description").then_some(given.description),
            folder: mask.has("folder").then_some(given.folder),
        };
        self.apply(Action::Resource(Box::new(update)), &request.request_id).await?;
        self.resource(&resource).await
    }

    async fn delete_resource(
        &self,
        request: api::DeleteResourceRequest,
    ) -> Result<api::DeleteResourceResponse> {
        let delete = ResourceAction::Delete {
            resource: name_of(&request.name, Collection::Resources)?,
            version: Some(request.version).filter(|version| *version > 0),
            etag: etag(&request.etag)?,
        };
        self.apply(Action::Resource(Box::new(delete)), &request.request_id).await?;
        Ok(api::DeleteResourceResponse {})
    }
}

fn name_of(text: &str, collection: Collection) -> Result<ChildName> {
    match text.parse()? {
        ResourceName::Child(name) if name.collection() == collection => Ok(name),
        _ => {
            let what = collection.singular();
            let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
            Err(invalid(format!("'{text}' is not the name of {article} {what}")))
        }
    }
}

#[async_trait::async_trait]
impl ResourceService for Api {
    type DownloadResourceStream = download::Pieces;

    async fn upload_resource(
        &self,
        request: Request<Streaming<api::UploadResourceRequest>>,
    ) -> Result<Response<api::UploadResourceResponse>, Status> {
        answer(Box::pin(self.uploaded(request.into_inner())).await)
    }

    async fn get_upload(
        &self,
        request: Request<api::GetUploadRequest>,
    ) -> Result<Response<api::Upload>, Status> {
        answer(self.upload_progress(request.into_inner()).await)
    }

    async fn cancel_upload(
        &self,
        request: Request<api::CancelUploadRequest>,
    ) -> Result<Response<api::CancelUploadResponse>, Status> {
        answer(self.abandon_upload(request.into_inner()).await)
    }

    async fn get_resource(
        &self,
        request: Request<api::GetResourceRequest>,
    ) -> Result<Response<api::Resource>, Status> {
        answer(Self::get_resource(self, request.into_inner()).await)
    }

    async fn list_resources(
        &self,
        request: Request<api::ListResourcesRequest>,
    ) -> Result<Response<api::ListResourcesResponse>, Status> {
        answer(Self::list_resources(self, request.into_inner()).await)
    }

    async fn download_resource(
        &self,
        request: Request<api::DownloadResourceRequest>,
    ) -> Result<Response<download::Pieces>, Status> {
        answer(self.pieces(request.into_inner()).await)
    }

    async fn update_resource(
        &self,
        request: Request<api::UpdateResourceRequest>,
    ) -> Result<Response<api::Resource>, Status> {
        answer(Self::update_resource(self, request.into_inner()).await)
    }

    async fn delete_resource(
        &self,
        request: Request<api::DeleteResourceRequest>,
    ) -> Result<Response<api::DeleteResourceResponse>, Status> {
        answer(Self::delete_resource(self, request.into_inner()).await)
    }
}
