//! Projects and what is open in them.

use tidegate_catalog::{
    Action, Catalog, ChildName, Collection, GrantLoss, Project, ProjectSettings, Quota,
    ResourceName, Service, ServiceKind, TenancyAction,
};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::project::GrantLossPolicy;
use tidegate_proto::v1::project_service_server::ProjectService;
use tidegate_types::Result;

use crate::service::api::convert::time;
use crate::service::api::fields::{Mask, etag, invalid, missing, page, project, serve, tenant};
use crate::service::api::{Api, unknown};

const SETTINGS: [&str; 4] =
    ["inline_tables", "members_use_grants", "required_approvals", "grant_loss"];
const FIELDS: [&str; 6] = [
    "description",
    "settings",
    "settings.inline_tables",
    "settings.members_use_grants",
    "settings.required_approvals",
    "settings.grant_loss",
];

impl Api {
    async fn project(&self, id: &str) -> Result<api::Project> {
        self.read(|catalog| {
            let found = catalog.project(id).map(message);
            found.ok_or_else(|| unknown(&format!("projects/{id}")))
        })
        .await
    }

    async fn create_project(&self, request: api::CreateProjectRequest) -> Result<api::Project> {
        let id = request.project_id;
        let given = request.project.unwrap_or_default();
        let mut services = Vec::new();
        for service in &given.services {
            services.push(service.parse()?);
        }
        if services.is_empty() {
            services = ServiceKind::ALL.to_vec();
        }
        let create = Action::CreateProject {
            project: id.clone(),
            tenant: tenant(&request.parent)?,
            description: given.description,
            services: Some(services),
        };
        self.apply(create, &request.request_id).await?;
        if let Some(wanted) = given.settings {
            let settings = changed(&ProjectSettings::default(), &wanted, |_| true);
            let update = TenancyAction::UpdateProject {
                project: id.clone(),
                etag: None,
                description: None,
                settings: Some(settings),
            };
            let again = match request.request_id.as_str() {
                "" => String::new(),
                request => format!("{request}/settings"),
            };
            self.apply(Action::Tenancy(update), &again).await?;
        }
        self.project(&id).await
    }

    async fn get_project(&self, request: api::GetProjectRequest) -> Result<api::Project> {
        self.project(&project(&request.name)?).await
    }

    async fn list_projects(
        &self,
        request: api::ListProjectsRequest,
    ) -> Result<api::ListProjectsResponse> {
        let tenant = tenant(&request.parent)?;
        let page = page(request.page_size, &request.page_token)?;
        let search = request.search.to_lowercase();
        let wanted = |project: &Project| {
            (request.show_archived || project.archived_ms.is_none())
                && (search.is_empty()
                    || project.id.contains(&search)
                    || project.description.to_lowercase().contains(&search))
        };
        self.read(|catalog| {
            let found = catalog.list_projects(&tenant, &page, wanted)?;
            Ok(api::ListProjectsResponse {
                projects: found.items.iter().map(|project| message(project)).collect(),
                next_page_token: found.next.unwrap_or_default(),
            })
        })
        .await
    }

    async fn update_project(&self, request: api::UpdateProjectRequest) -> Result<api::Project> {
        let given = request.project.ok_or_else(|| missing("project"))?;
        let id = project(&given.name)?;
        let mask = Mask::new(request.update_mask, &FIELDS)?;
        let of_settings =
            |field: &str| mask.has("settings") || mask.has(&format!("settings.{field}"));
        let settings = match SETTINGS.iter().any(|field| of_settings(field)) {
            false => None,
            true => {
                let wanted = given.settings.unwrap_or_default();
                let read = |catalog: &Catalog| {
                    catalog.project(&id).map(|project| (project.settings.clone(), project.revision))
                };
                let (now, revision) = self
                    .read(|catalog| Ok(read(catalog)))
                    .await?
                    .ok_or_else(|| unknown(&given.name))?;
                Some((changed(&now, &wanted, of_settings), revision))
            }
        };
        // What was not given is as it was read.
        let seen = settings.as_ref().map(|(_, revision)| *revision);
        let update = TenancyAction::UpdateProject {
            project: id.clone(),
            etag: etag(&given.etag)?.or(seen),
            description: mask.has("description").then_some(given.description),
            settings: settings.map(|(settings, _)| settings),
        };
        self.apply(Action::Tenancy(update), &request.request_id).await?;
        self.project(&id).await
    }

    async fn archive_project(&self, request: api::ArchiveProjectRequest) -> Result<api::Project> {
        let id = project(&request.name)?;
        let etag = etag(&request.etag)?.ok_or_else(|| {
            missing("etag")
                .help("whoever archives a project must have seen what it is: get it first")
        })?;
        let archive = TenancyAction::ArchiveProject { project: id.clone(), etag };
        self.apply(Action::Tenancy(archive), &request.request_id).await?;
        self.project(&id).await
    }

    async fn delete_project(
        &self,
        request: api::DeleteProjectRequest,
    ) -> Result<api::DeleteProjectResponse> {
        let project = project(&request.name)?;
        let delete = Action::DeleteProject { project, etag: etag(&request.etag)? };
        self.apply(delete, &request.request_id).await?;
        Ok(api::DeleteProjectResponse {})
    }

    async fn service(&self, project: &str, kind: ServiceKind) -> Result<api::Service> {
        self.read(|catalog| {
            let found = catalog.project(project).and_then(|found| found.services.get(&kind));
            let found = found.map(|service| service_message(catalog, project, kind, service));
            found.ok_or_else(|| unknown(&format!("projects/{project}/services/{kind}")))
        })
        .await
    }

    async fn create_service(&self, request: api::CreateServiceRequest) -> Result<api::Service> {
        let project = project(&request.parent)?;
        let service: ServiceKind = request.service_id.parse()?;
        let quota = quota(request.service.unwrap_or_default().quota.unwrap_or_default());
        let create = TenancyAction::CreateService { project: project.clone(), service, quota };
        self.apply(Action::Tenancy(create), &request.request_id).await?;
        self.service(&project, service).await
    }

    async fn get_service(&self, request: api::GetServiceRequest) -> Result<api::Service> {
        let (project, service) = service_name(&request.name)?;
        self.service(&project, service).await
    }

    async fn list_services(
        &self,
        request: api::ListServicesRequest,
    ) -> Result<api::ListServicesResponse> {
        let id = project(&request.parent)?;
        self.read(|catalog| {
            let found = catalog.project(&id).ok_or_else(|| unknown(&request.parent))?;
            let services = found.services.iter();
            let services =
                services.map(|(kind, service)| service_message(catalog, &id, *kind, service));
            Ok(api::ListServicesResponse { services: services.collect() })
        })
        .await
    }

    async fn update_service(&self, request: api::UpdateServiceRequest) -> Result<api::Service> {
        let given = request.service.ok_or_else(|| missing("service"))?;
        let (project, service) = service_name(&given.name)?;
        let update = TenancyAction::UpdateService {
            project: project.clone(),
            service,
            etag: etag(&given.etag)?,
            quota: quota(given.quota.unwrap_or_default()),
        };
        self.apply(Action::Tenancy(update), &request.request_id).await?;
        self.service(&project, service).await
    }

    async fn delete_service(
        &self,
        request: api::DeleteServiceRequest,
    ) -> Result<api::DeleteServiceResponse> {
        let (project, service) = service_name(&request.name)?;
        let delete = TenancyAction::DeleteService { project, service, etag: etag(&request.etag)? };
        self.apply(Action::Tenancy(delete), &request.request_id).await?;
        Ok(api::DeleteServiceResponse {})
    }
}

fn service_name(text: &str) -> Result<(String, ServiceKind)> {
    match text.parse()? {
        ResourceName::Child(name) if name.collection() == Collection::Services => {
            let kind = name.id().parse()?;
            Ok((owner(&name), kind))
        }
        _ => Err(invalid(format!("'{text}' is not the name of a service"))),
    }
}

fn owner(name: &ChildName) -> String {
    match name.owner() {
        tidegate_catalog::Scope::Project(id) | tidegate_catalog::Scope::Tenant(id) => id.clone(),
        tidegate_catalog::Scope::System => String::new(),
    }
}

/// Settings with those fields that are wanted anew.
fn changed(
    now: &ProjectSettings,
    wanted: &api::project::Settings,
    of: impl Fn(&str) -> bool,
) -> ProjectSettings {
    let grant_loss = match wanted.grant_loss() {
        GrantLossPolicy::Stop => GrantLoss::Stop,
        GrantLossPolicy::Flag | GrantLossPolicy::Unspecified => GrantLoss::Flag,
    };
    let pick = |field: &str, wanted: bool, now: bool| if of(field) { wanted } else { now };
    ProjectSettings {
        inline_tables: pick("inline_tables", wanted.inline_tables, now.inline_tables),
        members_use_grants: pick(
            "members_use_grants",
            wanted.members_use_grants,
            now.members_use_grants,
        ),
        required_approvals: match of("required_approvals") {
            true => wanted.required_approvals.max(1),
            false => now.required_approvals,
        },
        grant_loss: if of("grant_loss") { grant_loss } else { now.grant_loss },
    }
}

fn message(project: &Project) -> api::Project {
    let settings = &project.settings;
    let grant_loss = match settings.grant_loss {
        GrantLoss::Flag => GrantLossPolicy::Flag,
        GrantLoss::Stop => GrantLossPolicy::Stop,
    };
    api::Project {
        name: format!("projects/{}", project.id),
        tenant: format!("tenants/{}", project.tenant),
        description: project.description.clone(),
        create_time: time(project.created_ms),
        update_time: time(project.updated_ms),
        etag: project.revision.to_string(),
        archive_time: project.archived_ms.and_then(time),
        settings: Some(api::project::Settings {
            inline_tables: settings.inline_tables,
            members_use_grants: settings.members_use_grants,
            required_approvals: settings.required_approvals,
            grant_loss: grant_loss.into(),
        }),
        services: project.services.keys().map(ToString::to_string).collect(),
    }
}

fn quota(quota: api::service::Quota) -> Quota {
    Quota {
        slots: quota.slots,
        jobs: quota.jobs,
        state_bytes: quota.state_bytes,
        requests_per_second: quota.requests_per_second,
        tables: quota.tables,
        resource_bytes: quota.resource_bytes,
    }
}

fn quota_message(quota: Quota) -> api::service::Quota {
    api::service::Quota {
        slots: quota.slots,
        jobs: quota.jobs,
        state_bytes: quota.state_bytes,
        requests_per_second: quota.requests_per_second,
        tables: quota.tables,
        resource_bytes: quota.resource_bytes,
    }
}

fn service_message(
    catalog: &Catalog,
    project: &str,
    kind: ServiceKind,
    service: &Service,
) -> api::Service {
    let used = catalog.used(project);
    let used = match kind {
        ServiceKind::StreamCompute => Quota { tables: 0, resource_bytes: 0, ..used },
        ServiceKind::DataManagement => Quota { slots: 0, jobs: 0, state_bytes: 0, ..used },
    };
    api::Service {
        name: format!("projects/{project}/services/{kind}"),
        quota: Some(quota_message(service.quota)),
        create_time: time(service.created_ms),
        etag: service.revision.to_string(),
        used: Some(quota_message(used)),
    }
}

serve!(ProjectService {
    create_project(CreateProjectRequest) -> Project;
    get_project(GetProjectRequest) -> Project;
    list_projects(ListProjectsRequest) -> ListProjectsResponse;
    update_project(UpdateProjectRequest) -> Project;
    archive_project(ArchiveProjectRequest) -> Project;
    delete_project(DeleteProjectRequest) -> DeleteProjectResponse;
    create_service(CreateServiceRequest) -> Service;
    get_service(GetServiceRequest) -> Service;
    list_services(ListServicesRequest) -> ListServicesResponse;
    update_service(UpdateServiceRequest) -> Service;
    delete_service(DeleteServiceRequest) -> DeleteServiceResponse;
});
