//! Reading data sources.

use std::ops::Bound;
use std::sync::Arc;

use tidegate_types::Result;

use super::DataSource;
use crate::child_name::{ChildName, Collection};
use crate::name::ResourceName;
use crate::page::{Page, PageRequest, page};
use crate::scope::Scope;
use crate::state::{Catalog, not_found};

/// Which data sources are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataSourceFilter {
    /// Of this type; empty: of any.
    pub kind: String,
    /// Only those that can be used now.
    pub usable: bool,
}

impl Catalog {
    /// A data source.
    pub fn data_source(&self, name: &ChildName) -> Option<&DataSource> {
        self.data_sources.get(name).map(Arc::as_ref)
    }

    /// Whether a project may use a data source, once it is approved.
    pub fn may_use(&self, project: &str, data_source: &DataSource) -> bool {
        let Scope::Project(owner) = data_source.name.owner() else { return false };
        let same_tenant = || {
            let tenant = |id: &str| self.project(id).map(|project| project.tenant.as_str());
            tenant(owner) == tenant(project)
        };
        owner == project
            || (same_tenant()
                && (data_source.shared_with_all || data_source.shared_with.contains(project)))
    }

    /// Data sources of a project by id, then those of others that it may use by name; `NOT_FOUND` if there is no such
    /// project.
    pub fn list_data_sources(
        &self,
        project: &str,
        filter: &DataSourceFilter,
        request: &PageRequest,
    ) -> Result<Page<Arc<DataSource>>> {
        let name = ResourceName::Project(project.to_owned());
        if !self.projects.contains_key(project) {
            return Err(not_found(&name));
        }
        let owner = Scope::Project(project.to_owned());
        let takes = |found: &DataSource| {
            (filter.kind.is_empty() || found.kind == filter.kind)
                && (!filter.usable || found.approved.is_some())
        };
        page(&format!("{name}/dataSources"), request, |after| {
            let after = after.map(|key| key.parse::<ChildName>()).transpose()?;
            let is_own = |name: &ChildName| *name.owner() == owner;
            let of_others = after.as_ref().is_some_and(|name| !is_own(name));
            let from = match (&after, of_others) {
                (Some(name), false) => Bound::Excluded(name.clone()),
                _ => Bound::Included(ChildName::before(owner.clone(), Collection::DataSources)),
            };
            let own_owner = owner.clone();
            let own = self.data_sources.range((from, Bound::Unbounded));
            let own = own.take_while(move |(name, _)| *name.owner() == own_owner);
            let own = own.filter(move |_| !of_others);
            let from = match (after, of_others) {
                (Some(name), true) => Bound::Excluded(name),
                _ => Bound::Unbounded,
            };
            let others = self.data_sources.range((from, Bound::Unbounded));
            let others = others.filter(move |(name, found)| {
                *name.owner() != owner && self.may_use(project, found)
            });
            let all = own.chain(others).filter(move |(_, found)| takes(found));
            Ok(all.map(|(name, found)| (name.to_string(), found.clone())))
        })
    }
}
