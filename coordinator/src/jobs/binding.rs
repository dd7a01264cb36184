//! The plan of a run with what its tables are where it runs.

use std::collections::BTreeMap;

use tidegate_catalog::{BoundTable, Catalog, ChildName, Connection, Environment};
use tidegate_connector_spec::data_source::{PhysicalTable, connector_options, data_source};
use tidegate_plan::StreamGraph;
use tidegate_planner::governed::bind_environment;
use tidegate_types::{Error, ErrorCode, Result};

use crate::secrets::Secrets;

/// The approved connections of data sources.
pub(crate) type Connections = BTreeMap<ChildName, Connection>;

/// The connections that the tables of a run need, as they are now.
///
/// # Errors
/// `FAILED_PRECONDITION` for a data source that cannot be used any more.
pub(crate) fn connections(catalog: &Catalog, tables: &[BoundTable]) -> Result<Connections> {
    let of = |table: &BoundTable| {
        let name = &table.data_source;
        let found = catalog.data_source(name).and_then(|found| found.approved.clone());
        let connection = found.ok_or_else(|| {
            let message = format!("{name} cannot be used any more, and {} is in it", table.table);
            Error::new(ErrorCode::FailedPrecondition, message)
        })?;
        Ok((name.clone(), connection))
    };
    tables.iter().map(of).collect()
}

/// Puts into a plan where its tables are. It holds secrets then: it is for workers, never kept or shown.
///
/// # Errors
/// `FAILED_PRECONDITION` without the key of the secrets, and those of [`bind_environment`], with the table.
pub(crate) fn bind(
    graph: &mut StreamGraph,
    environment: Environment,
    tables: &[BoundTable],
    connections: &Connections,
    secrets: &Secrets,
) -> Result<()> {
    let mut all = BTreeMap::new();
    for table in tables {
        let options = options(table, connections, secrets)
            .map_err(|error| error.context(table.table.to_string()))?;
        all.insert(table.table.to_string(), options);
    }
    bind_environment(graph, &all).map_err(|error| error.context(format!("in {environment}")))
}

fn options(
    table: &BoundTable,
    connections: &Connections,
    secrets: &Secrets,
) -> Result<BTreeMap<String, String>> {
    let spec = data_source(&table.kind)
        .ok_or_else(|| Error::internal(format!("it is of the unknown type {}", table.kind)))?;
    let of = &table.data_source;
    let connection = connections
        .get(of)
        .ok_or_else(|| Error::internal(format!("the connection of {of} was not looked up")))?;
    let physical = PhysicalTable {
        database: table.physical_database.clone(),
        name: table.physical_name.clone(),
    };
    connector_options(spec, &secrets.parameters(of, connection)?, &physical, &table.options)
}
