//! Commands about tenants and projects.

use std::sync::Arc;

use tidegate_types::Result;

use super::{
    DEFAULT_PROJECT, DEFAULT_TENANT, Project, ProjectSettings, Service, ServiceKind, TenancyAction,
    Tenant,
};
use crate::account::Account;
use crate::apply::misdirected;
use crate::bounds::{self, Bounds};
use crate::child_name::{ChildName, Collection};
use crate::command::Action;
use crate::grant::Grantee;
use crate::name::{JobName, ResourceName, check_id};
use crate::scope::Scope;
use crate::state::{Catalog, Stamp, already_exists, check_etag, not_found, precondition};
use crate::table::TableName;

impl Catalog {
    pub(crate) fn apply_tenancy(&mut self, stamp: Stamp, action: Action) -> Result<ResourceName> {
        match action {
            Action::CreateTenant { tenant, description } => {
                self.create_tenant(stamp, tenant, description)
            }
            Action::DeleteTenant { tenant, etag } => self.delete_tenant(tenant, etag),
            Action::CreateProject { project, tenant, description, services } => {
                self.create_project(stamp, project, tenant, description, services)
            }
            Action::DeleteProject { project, etag } => self.delete_project(project, etag),
            _ => Err(misdirected()),
        }
    }

    pub(crate) fn apply_tenancy_more(
        &mut self,
        stamp: Stamp,
        action: TenancyAction,
    ) -> Result<ResourceName> {
        use TenancyAction as A;
        match action {
            A::UpdateTenant { tenant, etag, description } => {
                self.update_tenant(stamp, tenant, etag, description)
            }
            A::UpdateProject { project, etag, description, settings } => {
                self.update_project(stamp, project, etag, description, settings)
            }
            A::ArchiveProject { project, etag } => self.archive_project(stamp, project, etag),
            A::CreateService { project, service, quota } => {
                self.create_service(stamp, project, service, quota)
            }
            A::UpdateService { project, service, etag, quota } => {
                self.update_service(stamp, project, service, etag, quota)
            }
            A::DeleteService { project, service, etag } => {
                self.delete_service(stamp, project, service, etag)
            }
        }
    }

    fn update_tenant(
        &mut self,
        stamp: Stamp,
        id: String,
        etag: Option<u64>,
        description: String,
    ) -> Result<ResourceName> {
        bounds::text("the description", &description, Bounds::DESCRIPTION_BYTES)?;
        let name = ResourceName::Tenant(id.clone());
        let tenant = self.tenants.get_mut(&id).ok_or_else(|| not_found(&name))?;
        check_etag(&name, tenant.revision, etag)?;
        let tenant = Arc::make_mut(tenant);
        tenant.description = description;
        tenant.revision = stamp.revision;
        Ok(name)
    }

    fn update_project(
        &mut self,
        stamp: Stamp,
        id: String,
        etag: Option<u64>,
        description: Option<String>,
        settings: Option<ProjectSettings>,
    ) -> Result<ResourceName> {
        bounds::text(
            "the description",
            description.as_deref().unwrap_or(""),
            Bounds::DESCRIPTION_BYTES,
        )?;
        let approvals = settings.as_ref().map_or(1, |settings| settings.required_approvals);
        if !(1..=Bounds::REQUIRED_APPROVALS).contains(&approvals) {
            let most = Bounds::REQUIRED_APPROVALS;
            return Err(bounds::invalid(format!(
                "required_approvals {approvals} is not between 1 and {most}"
            )));
        }
        let name = ResourceName::Project(id.clone());
        check_etag(&name, self.open_project(&id)?.revision, etag)?;
        let project = self.project_mut(stamp, &id)?;
        project.description = description.unwrap_or_else(|| project.description.clone());
        project.settings = settings.unwrap_or_else(|| project.settings.clone());
        Ok(name)
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

    fn delete_tenant(&mut self, id: String, etag: Option<u64>) -> Result<ResourceName> {
        let name = ResourceName::Tenant(id.clone());
        let tenant = self.tenants.get(&id).ok_or_else(|| not_found(&name))?;
        check_etag(&name, tenant.revision, etag)?;
        if id == DEFAULT_TENANT {
            return Err(precondition(format!("delete {name}: it always exists")));
        }
        if let Some(project) = self.projects.values().find(|project| project.tenant == id) {
            let owned = &project.id;
            return Err(precondition(format!("delete {name}: it owns projects/{owned}")));
        }
        let of_tenant = |account: &&Arc<Account>| account.name.tenant() == id && !account.deleted;
        if let Some(account) = self.accounts.values().find(of_tenant) {
            return Err(precondition(format!("delete {name}: it has {}", account.name)));
        }
        if let Some(held) = self.metadata_of(&Scope::Tenant(id.clone())) {
            return Err(precondition(format!("delete {name}: it has {held}")));
        }
        self.remove_hooks_of(&id);
        self.tenants.remove(&id);
        Ok(name)
    }

    fn create_project(
        &mut self,
        stamp: Stamp,
        id: String,
        tenant: String,
        description: String,
        services: Option<Vec<ServiceKind>>,
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
        let project = Project {
            id: id.clone(),
            tenant: tenant.clone(),
            description,
            created_ms,
            updated_ms: created_ms,
            revision,
            sequence: revision,
            archived_ms: None,
            settings: match services {
                Some(_) => ProjectSettings::default(),
                None => ProjectSettings::open(),
            },
            services: Service::all(stamp, services),
        };
        self.index.projects_of.insert((tenant, revision, id.clone()));
        self.projects.insert(id, Arc::new(project));
        Ok(name)
    }

    /// Something that a project holds beside jobs.
    fn held_in(&self, project: &str) -> Option<String> {
        let owner = Scope::Project(project.to_owned());
        let first = |collection| ChildName::before(owner.clone(), collection);
        let own = |name: &&ChildName| *name.owner() == owner;
        let data_source = self.data_sources.range(first(Collection::DataSources)..).next();
        let database = self.databases.range(first(Collection::Databases)..).next();
        let table = self.tables.range(TableName::before(project, "")..).next();
        let table = table.map(|(name, _)| name).filter(|name| name.project() == project);
        data_source
            .map(|(name, _)| name)
            .filter(own)
            .or_else(|| database.map(|(name, _)| name).filter(own))
            .map(ToString::to_string)
            .or_else(|| table.map(ToString::to_string))
            .or_else(|| self.metadata_of(&owner))
            .or_else(|| self.resource_in(project).map(ToString::to_string))
    }

    fn delete_project(&mut self, id: String, etag: Option<u64>) -> Result<ResourceName> {
        let name = ResourceName::Project(id.clone());
        let project = self.projects.get(&id).ok_or_else(|| not_found(&name))?;
        check_etag(&name, project.revision, etag)?;
        if id == DEFAULT_PROJECT {
            return Err(precondition(format!("delete {name}: it always exists")));
        }
        let first = self.jobs.range(JobName::before(&id)..).next();
        if let Some((job, _)) = first.filter(|(job, _)| job.project() == id) {
            return Err(precondition(format!("delete {name}: it has {job}")));
        }
        if let Some(held) = self.held_in(&id) {
            return Err(precondition(format!("delete {name}: it has {held}")));
        }
        if let Some(project) = self.projects.remove(&id) {
            self.index.projects_of.remove(&(project.tenant.clone(), project.sequence, id.clone()));
        }
        self.remove_grants_to(&Grantee::Project(id.clone()));
        self.remove_roles_in(&Scope::Project(id));
        Ok(name)
    }
}
