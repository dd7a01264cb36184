//! Reading databases and tables.

use std::ops::Bound;
use std::sync::Arc;

use tidegate_types::Result;

use super::{Database, Environment, Publication, Table, TableName};
use crate::child_name::{ChildName, Collection};
use crate::name::ResourceName;
use crate::page::{Page, PageRequest, page};
use crate::scope::Scope;
use crate::state::{Catalog, not_found};

/// Which tables are looked for; what is empty or none is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableFilter {
    /// Those that are there.
    pub environment: Option<Environment>,
    /// Of this type.
    pub kind: String,
    /// Those whose id, description or tags have this in them, in lower case.
    pub search: String,
    /// Of this owner.
    pub owner: String,
}

impl TableFilter {
    fn takes(&self, table: &Table) -> bool {
        let has = |text: &str| text.to_lowercase().contains(&self.search);
        self.environment.is_none_or(|wanted| table.publications.contains_key(&wanted))
            && (self.kind.is_empty() || table.kind == self.kind)
            && (self.owner.is_empty() || table.owner == self.owner)
            && (self.search.is_empty()
                || has(table.name.table())
                || has(&table.description)
                || table.tags.iter().any(|tag| has(tag)))
    }
}

/// Which tables of a tenant are looked for; what is empty or none is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantTableFilter {
    /// Of this project.
    pub project: String,
    /// Those that are there.
    pub environment: Option<Environment>,
    /// Of this type.
    pub kind: String,
    /// Those that are in this data source, in any environment.
    pub data_source: Option<ChildName>,
    /// Those with this word of their owners, or with the tag of the tenant that has this id, title or name.
    pub tag: String,
}

impl TenantTableFilter {
    fn takes(&self, catalog: &Catalog, table: &Table) -> bool {
        let within = |source: &ChildName| {
            table.publications.values().any(|there| there.data_source == *source)
        };
        self.environment.is_none_or(|wanted| table.publications.contains_key(&wanted))
            && (self.kind.is_empty() || table.kind == self.kind)
            && (self.tag.is_empty()
                || table.tags.contains(&self.tag)
                || catalog.has_tag(&table.name.clone().into(), &self.tag))
            && self.data_source.as_ref().is_none_or(within)
    }
}

impl Catalog {
    /// Tables of all open projects of a tenant, by name.
    pub fn list_tenant_tables(
        &self,
        tenant: &str,
        filter: &TenantTableFilter,
        request: &PageRequest,
    ) -> Result<Page<Arc<Table>>> {
        page(&format!("tenants/{tenant}/tables {filter:?}"), request, |after| {
            let after = after.map(|key| key.parse::<TableName>()).transpose()?;
            let first = after.as_ref().map_or("", |last| last.project()).to_owned();
            let projects = self.projects.range(first..).filter(move |(id, project)| {
                project.tenant == tenant
                    && project.archived_ms.is_none()
                    && (filter.project.is_empty() || **id == filter.project)
            });
            let tables = projects.flat_map(move |(id, _)| {
                let from = match &after {
                    Some(last) if last.project() == id => Bound::Excluded(last.clone()),
                    _ => Bound::Included(TableName::before(id, "")),
                };
                let rest = self.tables.range((from, Bound::Unbounded));
                rest.take_while(move |(name, _)| name.project() == id)
            });
            let tables = tables.filter(move |(_, table)| filter.takes(self, table));
            Ok(tables.map(|(name, table)| (name.to_string(), table.clone())))
        })
    }

    /// A database.
    pub fn database(&self, name: &ChildName) -> Option<&Database> {
        self.databases.get(name).map(Arc::as_ref)
    }

    /// A table.
    pub fn table(&self, name: &TableName) -> Option<&Table> {
        self.tables.get(name).map(Arc::as_ref)
    }

    /// How many tables there are.
    pub fn table_count(&self) -> usize {
        self.tables.len()
    }

    /// What is in a data source: names of databases and tables.
    pub fn users_of(&self, data_source: &ChildName) -> impl Iterator<Item = &str> {
        let from = (data_source.clone(), String::new());
        let data_source = data_source.clone();
        let rest = self.index.users_of.range(from..);
        let rest = rest.take_while(move |((other, _), _)| *other == data_source);
        rest.map(|((_, user), _)| user.as_str())
    }

    /// Tables that are to be created or checked outside, with where.
    pub fn applying(&self) -> impl Iterator<Item = (&Table, Environment, &Publication)> {
        self.index.applying.iter().filter_map(|(name, environment)| {
            let table = self.table(name)?;
            Some((table, *environment, table.next.get(environment)?))
        })
    }

    /// Databases of a project by id; `NOT_FOUND` if there is no such project.
    pub fn list_databases(
        &self,
        project: &str,
        environment: Option<Environment>,
        request: &PageRequest,
    ) -> Result<Page<Arc<Database>>> {
        let name = ResourceName::Project(project.to_owned());
        if !self.projects.contains_key(project) {
            return Err(not_found(&name));
        }
        let owner = Scope::Project(project.to_owned());
        page(&format!("{name}/databases"), request, |after| {
            let from = match after {
                Some(id) => {
                    Bound::Excluded(ChildName::new(owner.clone(), Collection::Databases, id)?)
                }
                None => Bound::Included(ChildName::before(owner.clone(), Collection::Databases)),
            };
            let rest = self.databases.range((from, Bound::Unbounded));
            let rest = rest.take_while(move |(name, _)| *name.owner() == owner);
            let rest = rest.filter(move |(_, found)| {
                environment.is_none_or(|wanted| found.publications.contains_key(&wanted))
            });
            Ok(rest.map(|(name, found)| (name.id().to_owned(), found.clone())))
        })
    }

    /// Tables of a project, or of one of its databases, by name; `NOT_FOUND` if there is no such project or database.
    pub fn list_tables(
        &self,
        project: &str,
        database: Option<&str>,
        filter: &TableFilter,
        request: &PageRequest,
    ) -> Result<Page<Arc<Table>>> {
        let name = ResourceName::Project(project.to_owned());
        if !self.projects.contains_key(project) {
            return Err(not_found(&name));
        }
        database.map_or(Ok(()), |database| self.has_database(project, database))?;
        let list = format!("{name}/databases/{}/tables", database.unwrap_or("-"));
        page(&list, request, |after| {
            let from = match after.map(|key| key.parse::<TableName>()).transpose()? {
                Some(last) => Bound::Excluded(last),
                None => Bound::Included(TableName::before(project, database.unwrap_or(""))),
            };
            let rest = self.tables.range((from, Bound::Unbounded));
            let rest = rest.take_while(move |(name, _)| {
                name.project() == project
                    && database.is_none_or(|database| name.database() == database)
            });
            let rest = rest.filter(move |(_, table)| filter.takes(table));
            Ok(rest.map(|(name, table)| (name.to_string(), table.clone())))
        })
    }
}
