//! Databases.

use tidegate_catalog::{Action, ChildName, Collection, Scope, TableAction};
use tidegate_proto::v1 as api;
use tidegate_types::Result;

use super::convert::{data_source, database, database_message, tags};
use crate::service::api::approvals::stored;
use crate::service::api::fields::{Mask, etag, missing, page, project};
use crate::service::api::{Api, unknown};
use crate::service::call::caller_name;

impl Api {
    async fn database(&self, name: &ChildName) -> Result<api::Database> {
        self.read(|catalog| {
            catalog.database(name).map(database_message).ok_or_else(|| unknown(name))
        })
        .await
    }

    pub(super) async fn create_database(
        &self,
        request: api::CreateDatabaseRequest,
    ) -> Result<api::Database> {
        let owner = Scope::Project(project(&request.parent)?);
        let name = ChildName::new(owner, Collection::Databases, request.database_id)?;
        let given = request.database.unwrap_or_default();
        let create = TableAction::CreateDatabase {
            database: name.clone(),
            description: given.description,
            tags: tags(given.tags),
            owner: caller_name(),
        };
        self.apply(Action::Table(Box::new(create)), &request.request_id).await?;
        self.database(&name).await
    }

    pub(super) async fn get_database(
        &self,
        request: api::GetDatabaseRequest,
    ) -> Result<api::Database> {
        self.database(&database(&request.name)?).await
    }

    pub(super) async fn list_databases(
        &self,
        request: api::ListDatabasesRequest,
    ) -> Result<api::ListDatabasesResponse> {
        let environment = stored(request.environment());
        let project = project(&request.parent)?;
        let page = page(request.page_size, &request.page_token)?;
        self.read(|catalog| {
            let found = catalog.list_databases(&project, environment, &page)?;
            Ok(api::ListDatabasesResponse {
                databases: found.items.iter().map(|found| database_message(found)).collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }

    pub(super) async fn update_database(
        &self,
        request: api::UpdateDatabaseRequest,
    ) -> Result<api::Database> {
        let given = request.database.ok_or_else(|| missing("database"))?;
        let name = database(&given.name)?;
        let mask = Mask::new(request.update_mask, &["description", "tags"])?;
        let update = TableAction::UpdateDatabase {
            database: name.clone(),
            etag: etag(&given.etag)?,
            description: mask.has("description").then_some(given.description),
            tags: mask.has("tags").then(|| tags(given.tags)),
        };
        self.apply(Action::Table(Box::new(update)), &request.request_id).await?;
        self.database(&name).await
    }

    pub(super) async fn delete_database(
        &self,
        request: api::DeleteDatabaseRequest,
    ) -> Result<api::DeleteDatabaseResponse> {
        let database = database(&request.name)?;
        let delete = TableAction::DeleteDatabase { database, etag: etag(&request.etag)? };
        self.apply(Action::Table(Box::new(delete)), &request.request_id).await?;
        Ok(api::DeleteDatabaseResponse {})
    }

    pub(super) async fn publish_database(
        &self,
        request: api::PublishDatabaseRequest,
    ) -> Result<api::Approval> {
        let environment = stored(request.environment()).ok_or_else(|| missing("environment"))?;
        let name = database(&request.name)?;
        let physical_name = match request.physical_name {
            given if given.is_empty() => name.id().to_owned(),
            given => given,
        };
        let publish = TableAction::PublishDatabase {
            database: name,
            environment,
            data_source: data_source(&request.data_source)?,
            physical_name,
            requester: caller_name(),
            reason: request.reason,
        };
        self.asked(publish, &request.request_id).await
    }
}
