//! Commands about tenants and projects.

use std::sync::Arc;

use tidegate_types::Result;

use super::misdirected;
use crate::bounds::{self, Bounds};
use crate::command::Action;
use crate::name::{JobName, ResourceName, check_id};
use crate::state::{Catalog, Stamp, already_exists, not_found, precondition};
use crate::tenancy::{DEFAULT_PROJECT, DEFAULT_TENANT, Project, Tenant};

impl Catalog {
    pub(super) fn apply_tenancy(&mut self, stamp: Stamp, action: Action) -> Result<ResourceName> {
        match action {
            Action::CreateTenant { tenant, description } => {
                self.create_tenant(stamp, tenant, description)
            }
            Action::DeleteTenant { tenant } => self.delete_tenant(tenant),
            Action::CreateProject { project, tenant, description } => {
                self.create_project(stamp, project, tenant, description)
            }
            Action::DeleteProject { project } => self.delete_project(project),
            _ => Err(misdirected()),
        }
    }

    fn create_tenant(
        &mut self,
        stamp: Stamp,
        id: String,
        description: String,
    ) -> Result<ResourceName> {
        check_id("tenant", &id)?;
        bounds::text("the description", &description, Bounds::DESCRIPTION_BYTES)?;
        let name = ResourceName::Tenant(id.clone());
        if self.tenants.contains_key(&id) {
            return Err(already_exists(&name));
        }
        bounds::room("tenants", self.tenants.len(), Bounds::TENANTS)?;
        let Stamp { now_ms: created_ms, revision } = stamp;
        let tenant = Tenant { id: id.clone(), description, created_ms, revision };
        self.tenants.insert(id, Arc::new(tenant));
        Ok(name)
    }

    fn delete_tenant(&mut self, id: String) -> Result<ResourceName> {
        let name = ResourceName::Tenant(id.clone());
        if !self.tenants.contains_key(&id) {
            return Err(not_found(&name));
        }
        if id == DEFAULT_TENANT {
            return Err(precondition(format!("delete {name}: it always exists")));
        }
        if let Some(project) = self.projects.values().find(|project| project.tenant == id) {
            let owned = &project.id;
            return Err(precondition(format!("delete {name}: it owns projects/{owned}")));
        }
        self.tenants.remove(&id);
        Ok(name)
    }

    fn create_project(
        &mut self,
        stamp: Stamp,
        id: String,
        tenant: String,
        description: String,
    ) -> Result<ResourceName> {
        check_id("project", &id)?;
        bounds::text("the description", &description, Bounds::DESCRIPTION_BYTES)?;
        let name = ResourceName::Project(id.clone());
        if self.projects.contains_key(&id) {
            return Err(already_exists(&name));
        }
        if !self.tenants.contains_key(&tenant) {
            return Err(not_found(&ResourceName::Tenant(tenant)).context(format!("create {name}")));
        }
        bounds::room("projects", self.projects.len(), Bounds::PROJECTS)?;
        let Stamp { now_ms: created_ms, revision } = stamp;
        let project = Project { id: id.clone(), tenant, description, created_ms, revision };
        self.projects.insert(id, Arc::new(project));
        Ok(name)
    }

    fn delete_project(&mut self, id: String) -> Result<ResourceName> {
        let name = ResourceName::Project(id.clone());
        if !self.projects.contains_key(&id) {
            return Err(not_found(&name));
        }
        if id == DEFAULT_PROJECT {
            return Err(precondition(format!("delete {name}: it always exists")));
        }
        let first = self.jobs.range(JobName::before(&id)..).next();
        if let Some((job, _)) = first.filter(|(job, _)| job.project() == id) {
            return Err(precondition(format!("delete {name}: it has {job}")));
        }
        self.projects.remove(&id);
        Ok(name)
    }
}
