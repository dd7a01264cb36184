//! Reading tenants and projects.

use std::ops::Bound;
use std::sync::Arc;

use tidegate_types::Result;

use super::{Project, Tenant};
use crate::bounds::invalid;
use crate::name::ResourceName;
use crate::page::{Page, PageRequest, page};
use crate::state::{Catalog, not_found};

impl Catalog {
    /// A tenant.
    pub fn tenant(&self, id: &str) -> Option<&Tenant> {
        self.tenants.get(id).map(Arc::as_ref)
    }

    /// A project, archived or not.
    pub fn project(&self, id: &str) -> Option<&Project> {
        self.projects.get(id).map(Arc::as_ref)
    }

    /// Tenants by id.
    pub fn list_tenants(&self, request: &PageRequest) -> Result<Page<Arc<Tenant>>> {
        crate::read::by_text("tenants", &self.tenants, request)
    }

    /// Projects of a tenant, the newest first; only those of which this is true. `NOT_FOUND` if there is no such
    /// tenant.
    pub fn list_projects(
        &self,
        tenant: &str,
        request: &PageRequest,
        wanted: impl Fn(&Project) -> bool,
    ) -> Result<Page<Arc<Project>>> {
        let name = ResourceName::Tenant(tenant.to_owned());
        if !self.tenants.contains_key(tenant) {
            return Err(not_found(&name));
        }
        page(&format!("{name}/projects"), request, |after| {
            let below = after.map(|key| key.parse::<u64>()).transpose();
            let below = below.map_err(|_| invalid("the page token names no number"))?;
            let key = |sequence: u64| (tenant.to_owned(), sequence, String::new());
            let from = Bound::Included(key(0));
            // Of one command there is one project.
            let to = below
                .map_or(Bound::Included((tenant.to_owned() + "\0", 0, String::new())), |below| {
                    Bound::Excluded(key(below))
                });
            let rest = self.index.projects_of.range((from, to)).rev();
            let rest = rest.filter_map(|(_, sequence, id)| {
                Some((sequence.to_string(), self.projects.get(id)?.clone()))
            });
            Ok(rest.filter(move |(_, project)| wanted(project)))
        })
    }
}
