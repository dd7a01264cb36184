//! The catalog's tables as the planner asks for them: for the jobs of a project, or for somebody who looks at rows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use tidegate_catalog::{
    Access, AccountName, Asker, Catalog, ColumnAccess as Column, ColumnMask, DEFAULT_DATABASE,
    DataPermission, Environment, PageRequest, Table, TableFilter, TableName,
};
use tidegate_connector_spec::data_source;
use tidegate_planner::governed::{ColumnAccess, GovernedTable, GovernedTables, Mask};
use tidegate_types::{Error, ErrorCode, Result};

use crate::service::statement;

/// For whom tables are asked for.
#[derive(Debug, Clone)]
pub(crate) enum Asking {
    /// For a job of the project, as an account submits it.
    Job(Option<AccountName>),
    /// For somebody who looks at rows.
    Person(AccountName),
}

/// A copy of the catalog, seen from a project.
pub(crate) struct GrantedTables {
    catalog: Catalog,
    project: String,
    asking: Asking,
    /// Whose definitions count: as they are designed, or as they are published.
    environment: Environment,
    now_ms: i64,
}

impl fmt::Debug for GrantedTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrantedTables").field("project", &self.project).finish_non_exhaustive()
    }
}

impl GrantedTables {
    /// As the catalog is now.
    pub(crate) fn new(
        catalog: &Catalog,
        project: &str,
        asking: Asking,
        environment: Environment,
        now_ms: i64,
    ) -> Self {
        let (catalog, project) = (catalog.clone(), project.to_owned());
        Self { catalog, project, asking, environment, now_ms }
    }

    fn tenant(&self) -> Option<&str> {
        self.catalog.project(&self.project).map(|project| project.tenant.as_str())
    }

    /// Whether a project is of the same tenant and open.
    fn sees(&self, project: &str) -> bool {
        let found = self.catalog.project(project);
        let found = found.filter(|found| found.archived_ms.is_none());
        found.is_some_and(|found| Some(found.tenant.as_str()) == self.tenant())
    }
}

impl GovernedTables for GrantedTables {
    fn projects(&self) -> Result<Vec<String>> {
        let Some(tenant) = self.tenant() else { return Ok(Vec::new()) };
        let mut found = BTreeSet::new();
        let mut request = Some(PageRequest::first(0));
        while let Some(asked) = request {
            let open = |project: &tidegate_catalog::Project| project.archived_ms.is_none();
            let page = self.catalog.list_projects(tenant, &asked, open)?;
            found.extend(page.items.iter().map(|project| project.id.clone()));
            request = asked.after(&page);
        }
        Ok(found.into_iter().collect())
    }

    fn databases(&self, project: &str) -> Result<Option<Vec<String>>> {
        if !self.sees(project) {
            return Ok(None);
        }
        let mut found = BTreeSet::from([DEFAULT_DATABASE.to_owned()]);
        let mut request = Some(PageRequest::first(0));
        while let Some(asked) = request {
            let page = self.catalog.list_databases(project, None, &asked)?;
            found.extend(page.items.iter().map(|database| database.name.id().to_owned()));
            request = asked.after(&page);
        }
        Ok(Some(found.into_iter().collect()))
    }

    fn tables(&self, project: &str, database: &str) -> Result<Vec<String>> {
        if !self.sees(project) {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        let mut request = Some(PageRequest::first(0));
        while let Some(asked) = request {
            let filter = TableFilter::default();
            let page = match self.catalog.list_tables(project, Some(database), &filter, &asked) {
                Ok(page) => page,
                Err(error) if error.code() == ErrorCode::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(error),
            };
            found.extend(page.items.iter().map(|table| table.name.table().to_owned()));
            request = asked.after(&page);
        }
        Ok(found)
    }

    fn table(&self, project: &str, database: &str, table: &str) -> Result<Option<GovernedTable>> {
        if !self.sees(project) {
            return Ok(None);
        }
        // What is no id is no table.
        let Ok(name) = TableName::new(project, database, table) else { return Ok(None) };
        let Some(table) = self.catalog.table(&name) else { return Ok(None) };
        let asker = match &self.asking {
            Asking::Job(account) => {
                Asker::Job { project: &self.project, account: account.as_ref() }
            }
            Asking::Person(account) => Asker::Person(account),
        };
        let access = self.catalog.access(table, asker, self.now_ms);
        self.governed(table, &access).map(Some)
    }
}

impl GrantedTables {
    fn governed(&self, table: &Table, access: &Access) -> Result<GovernedTable> {
        let name = &table.name;
        let spec = data_source::data_source(&table.kind)
            .ok_or_else(|| Error::internal(format!("{name} is of an unknown type")))?;
        let published = table.publications.get(&self.environment);
        let definition = match (self.environment, published) {
            (Environment::Design, _) => &table.definition,
            (_, Some(there)) => there.definition.as_ref().unwrap_or(&table.definition),
            (environment, None) => {
                let message = format!("{name} is not in {environment}");
                return Err(Error::new(ErrorCode::FailedPrecondition, message)
                    .help("publish it there first: `tidegate table publish`"));
            }
        };
        let unusable = spec.connectors.is_empty().then(|| {
            let message = format!("jobs cannot use tables of type {} yet: {name}", spec.name);
            Error::unsupported(message)
        });
        let refusal = |permission: DataPermission| {
            if let Some(unusable) = &unusable {
                return Some(unusable.clone());
            }
            (!access.permissions.contains(&permission)).then(|| {
                let who = match &self.asking {
                    Asking::Job(_) => format!("projects/{}", self.project),
                    Asking::Person(account) => account.to_string(),
                };
                let message = format!("{who} has no grant for {permission} on {name}");
                Error::new(ErrorCode::GrantMissing, message)
                    .help(format!("ask for it: `tidegate access request {name}`"))
            })
        };
        let columns = access.columns.iter().map(|(column, access)| {
            let access = match access {
                Column::Masked(mask) => ColumnAccess::Masked(planned(*mask)),
                Column::Denied => ColumnAccess::Denied,
            };
            (column.clone(), access)
        });
        Ok(GovernedTable {
            reference: name.to_string(),
            definition: statement(name, spec, definition)?,
            read: refusal(DataPermission::Select),
            write: refusal(DataPermission::Insert),
            columns: columns.collect::<BTreeMap<_, _>>(),
        })
    }
}

/// A mask as plans have it.
pub(crate) fn planned(mask: ColumnMask) -> Mask {
    match mask {
        ColumnMask::Null => Mask::Null,
        ColumnMask::Hash => Mask::Hash,
        ColumnMask::Partial => Mask::Partial,
    }
}

/// A mask as the catalog has it.
pub(crate) fn granted(mask: Mask) -> ColumnMask {
    match mask {
        Mask::Null => ColumnMask::Null,
        Mask::Hash => ColumnMask::Hash,
        Mask::Partial => ColumnMask::Partial,
    }
}
