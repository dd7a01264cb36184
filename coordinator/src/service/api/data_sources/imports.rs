//! What is in an outside system: names, and columns to make tables of.

use std::collections::HashMap;
use std::time::Duration;

use tidegate_catalog::DataSource;
use tidegate_proto::internal::v1 as wire;
use tidegate_proto::v1 as api;
use tidegate_types::Result;

use super::name_of;
use crate::service::api::fields::{page, project};
use crate::service::api::{Api, unknown};
use crate::service::workers::probes::Visited;

/// How long looking may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// Names of a page where nobody says, and at most.
const PAGE: usize = 100;
const MOST: usize = 1_000;

impl Api {
    pub(super) async fn listed(
        &self,
        request: api::ListPhysicalTablesRequest,
    ) -> Result<api::ListPhysicalTablesResponse> {
        let page = page(request.page_size, &request.page_token)?;
        let limit = if page.size == 0 { PAGE } else { page.size.min(MOST) };
        let visited = self.looked_at(&request.parent, &request.data_source).await?;
        let list = wire::probe::List {
            database: request.physical_database,
            prefix: request.prefix,
            after: page.token.unwrap_or_default(),
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
        };
        let listed = visited.list(&self.pool, list).await?;
        let table = |entry: wire::listed::Entry| api::PhysicalTable {
            name: entry.name,
            comment: entry.comment,
        };
        Ok(api::ListPhysicalTablesResponse {
            databases: listed.databases,
            tables: listed.entries.into_iter().map(table).collect(),
            next_page_token: listed.next,
        })
    }

    pub(super) async fn described(
        &self,
        request: api::DescribePhysicalTableRequest,
    ) -> Result<api::DescribePhysicalTableResponse> {
        let visited = self.looked_at(&request.parent, &request.data_source).await?;
        let table = wire::probe::Describe {
            database: request.physical_database,
            name: request.physical_name,
        };
        let (worker, described) = visited.describe(&self.pool, table).await?;
        Ok(message(worker, described))
    }

    /// A data source that a project may use: as it is for its own, as it was approved for others.
    async fn looked_at(&self, parent: &str, data_source: &str) -> Result<Visited> {
        let (project, name) = (project(parent)?, name_of(data_source)?);
        let found = self.read(|catalog| {
            let found = catalog.data_source(&name).ok_or_else(|| unknown(&name))?;
            if name.owner().to_string() == parent {
                return Ok((found.kind.clone(), found.connection.clone()));
            }
            let found: &DataSource = catalog.usable_data_source(&name, &project)?;
            Ok((found.kind.clone(), found.approved.clone().unwrap_or_default()))
        });
        let (kind, connection) = found.await?;
        let parameters = self.secrets.parameters(&name, &connection)?;
        Ok(Visited { kind, parameters, deadline: DEADLINE })
    }
}

fn message(worker: String, described: wire::Described) -> api::DescribePhysicalTableResponse {
    let keys = described.columns.iter().filter(|column| column.primary_key);
    let primary_key = keys.map(|column| column.name.clone()).collect();
    let native = |column: &wire::described::Column| (column.name.clone(), column.native.clone());
    let native_types: HashMap<_, _> = described.columns.iter().map(native).collect();
    let column = |column: wire::described::Column| {
        // A column of a key is never NULL, whatever a system says of it.
        let not_null = column.primary_key && !column.r#type.ends_with("NOT NULL");
        api::table_definition::Column {
            name: column.name,
            r#type: column.r#type + if not_null { " NOT NULL" } else { "" },
            comment: column.comment,
            ..Default::default()
        }
    };
    let unmapped = described.unmapped.into_iter().map(|column| {
        api::describe_physical_table_response::Unmapped {
            name: column.name,
            native_type: column.native,
            reason: column.why,
        }
    });
    api::DescribePhysicalTableResponse {
        comment: described.comment,
        native_types,
        unmapped: unmapped.collect(),
        sampled_records: described.sampled.unwrap_or(0),
        worker: format!("workers/{worker}"),
        definition: Some(api::TableDefinition {
            columns: described.columns.into_iter().map(column).collect(),
            primary_key,
            watermark: None,
            options: described.options,
        }),
    }
}
