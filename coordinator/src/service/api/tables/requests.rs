//! Tables and topics.

use tidegate_catalog::{
    Action, Environment, ResourceName, Table, TableAction, TableDefinition, TableFilter, TableName,
};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::table_service_client::TableServiceClient;
use tidegate_proto::v1::table_service_server::TableService;
use tidegate_types::{Error, Result};

use super::convert::{data_source, definition, design, table_message, tags, topic};
use super::definition::check;
use crate::service::api::approvals::stored;
use crate::service::api::fields::{Mask, etag, invalid, missing, page, project, serve};
use crate::service::api::{Api, unknown};
use crate::service::call::{caller_name, signed_in};

/// Stands for all databases of a project.
const ANY_DATABASE: &str = "-";

impl Api {
    async fn table(&self, name: &TableName) -> Result<api::Table> {
        self.read(|catalog| catalog.table(name).map(table_message).ok_or_else(|| unknown(name)))
            .await
    }

    /// Asks for an approval and answers it.
    pub(super) async fn asked(
        &self,
        action: TableAction,
        request_id: &str,
    ) -> Result<api::Approval> {
        let asked = self.apply(Action::Table(Box::new(action)), request_id).await?;
        match asked.name {
            ResourceName::Child(name) => self.approval(&name).await,
            _ => Err(Error::internal("an approval has another kind of name")),
        }
    }

    async fn create_table(&self, request: api::CreateTableRequest) -> Result<api::Table> {
        let (project, database) = parent(&request.parent)?;
        let database = database.ok_or_else(|| missing("parent").help("name a database"))?;
        let name = TableName::new(&project, &database, &request.table_id)?;
        let given = request.table.ok_or_else(|| missing("table"))?;
        let mut definition =
            definition(given.definition.ok_or_else(|| missing("table.definition"))?);
        definition.digest = check(&name, &given.r#type, &definition).await?;
        let create = TableAction::CreateTable {
            table: name.clone(),
            kind: given.r#type,
            description: given.description,
            tags: tags(given.tags),
            owner: caller_name(),
            definition: Box::new(definition),
            design: design(&given.publications)?,
        };
        self.apply(Action::Table(Box::new(create)), &request.request_id).await?;
        self.table(&name).await
    }

    async fn get_table(&self, request: api::GetTableRequest) -> Result<api::Table> {
        self.table(&request.name.parse()?).await
    }

    async fn list_tables(
        &self,
        request: api::ListTablesRequest,
    ) -> Result<api::ListTablesResponse> {
        let environment = stored(request.environment());
        let (project, database) = parent(&request.parent)?;
        let page = page(request.page_size, &request.page_token)?;
        let owner = match request.owner.as_str() {
            "me" => signed_in()?.account.to_string(),
            owner => owner.to_owned(),
        };
        let filter = TableFilter {
            environment,
            kind: request.r#type,
            search: request.search.to_lowercase(),
            owner,
        };
        self.read(|catalog| {
            let found = catalog.list_tables(&project, database.as_deref(), &filter, &page)?;
            Ok(api::ListTablesResponse {
                tables: found.items.iter().map(|table| table_message(table)).collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn update_table(&self, request: api::UpdateTableRequest) -> Result<api::Table> {
        let given = request.table.ok_or_else(|| missing("table"))?;
        let name: TableName = given.name.parse()?;
        let fields = ["description", "tags", "definition", "publications"];
        let mask = Mask::new(request.update_mask, &fields)?;
        let mut definition: Option<TableDefinition> = match mask.has("definition") {
            true => Some(definition(given.definition.ok_or_else(|| missing("table.definition"))?)),
            false => None,
        };
        if let Some(definition) = &mut definition {
            let kind = |table: &Table| table.kind.clone();
            let kind = self.read(|catalog| Ok(catalog.table(&name).map(kind))).await?;
            let kind = kind.ok_or_else(|| unknown(&name))?;
            definition.digest = check(&name, &kind, definition).await?;
        }
        let update = TableAction::UpdateTable {
            table: name.clone(),
            etag: etag(&given.etag)?,
            description: mask.has("description").then_some(given.description),
            tags: mask.has("tags").then(|| tags(given.tags)),
            definition: definition.map(Box::new),
            design: match mask.has("publications") {
                true => Some(design(&given.publications)?),
                false => None,
            },
        };
        self.apply(Action::Table(Box::new(update)), &request.request_id).await?;
        self.table(&name).await
    }

    async fn delete_table(
        &self,
        request: api::DeleteTableRequest,
    ) -> Result<api::DeleteTableResponse> {
        let table = request.name.parse()?;
        let delete = TableAction::DeleteTable { table, etag: etag(&request.etag)? };
        self.apply(Action::Table(Box::new(delete)), &request.request_id).await?;
        Ok(api::DeleteTableResponse {})
    }

    async fn publish_table(&self, request: api::PublishTableRequest) -> Result<api::Approval> {
        let environment = stored(request.environment()).ok_or_else(|| missing("environment"))?;
        let name: TableName = request.name.parse()?;
        let etag = etag(&request.etag)?;
        if environment == Environment::Test && etag.is_none() {
            return Err(missing("etag")
                .help("what is approved is what was seen: get the table and give its etag back"));
        }
        let physical_name = match request.physical_name {
            given if given.is_empty() => name.table().to_owned(),
            given => given,
        };
        let publish = TableAction::PublishTable {
            table: name,
            etag,
            environment,
            data_source: match request.data_source.as_str() {
                "" => None,
                given => Some(data_source(given)?),
            },
            physical_name,
            topic: topic(request.topic),
            requester: caller_name(),
            reason: request.reason,
        };
        self.asked(publish, &request.request_id).await
    }

    async fn unpublish_table(&self, request: api::UnpublishTableRequest) -> Result<api::Table> {
        let environment = stored(request.environment()).ok_or_else(|| missing("environment"))?;
        let name: TableName = request.name.parse()?;
        let etag = etag(&request.etag)?;
        let unpublish = TableAction::UnpublishTable { table: name.clone(), etag, environment };
        self.apply(Action::Table(Box::new(unpublish)), &request.request_id).await?;
        self.table(&name).await
    }
}

/// Project and database that tables are in; no database for all of the project.
fn parent(text: &str) -> Result<(String, Option<String>)> {
    let parts: Vec<&str> = text.split('/').collect();
    match parts.as_slice() {
        ["projects", id, "databases", database] => {
            let project = project(&format!("projects/{id}"))?;
            match *database {
                ANY_DATABASE => Ok((project, None)),
                database => Ok((project, Some(database.to_owned()))),
            }
        }
        _ => Err(invalid(format!("'{text}' is not the name of a database"))
            .help("write it as projects/{project}/databases/{database}; topics are in `default`")),
    }
}

serve!(TableService {
    create_database(CreateDatabaseRequest) -> Database;
    get_database(GetDatabaseRequest) -> Database;
    list_databases(ListDatabasesRequest) -> ListDatabasesResponse;
    update_database(UpdateDatabaseRequest) -> Database;
    delete_database(DeleteDatabaseRequest) -> DeleteDatabaseResponse;
    publish_database(PublishDatabaseRequest) -> Approval;
    create_table(CreateTableRequest) -> Table;
    get_table(GetTableRequest) -> Table;
    list_tables(ListTablesRequest) -> ListTablesResponse;
    update_table(UpdateTableRequest) -> Table;
    delete_table(DeleteTableRequest) -> DeleteTableResponse;
    publish_table(PublishTableRequest) -> Approval;
    unpublish_table(UnpublishTableRequest) -> Table;
} on the leader {
    preview_table(PreviewTableRequest) -> PreviewTableResponse by previewed, TableServiceClient;
});
