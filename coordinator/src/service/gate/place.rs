//! Where a call takes place: the tenant or project that it is about.

use tidegate_catalog::{Catalog, ResourceName, Scope};
use tidegate_types::{Error, ErrorCode, Result};

/// Where a caller must have the permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::service) enum Place {
    /// Everywhere.
    System,
    /// Somewhere.
    Anywhere,
    /// In a tenant.
    Tenant(String),
    /// In a project of a tenant.
    Project {
        /// Its id.
        id: String,
        /// Id of its tenant.
        tenant: String,
        /// Whether it is archived.
        archived: bool,
    },
    /// In something that is not there; how it is called.
    Nowhere(String),
}

impl Place {
    /// The place that a resource name begins with.
    ///
    /// # Errors
    /// `INVALID_OPTION` if the text is no name of something that is somewhere.
    pub(in crate::service) fn of_name(catalog: &Catalog, name: &str) -> Result<Self> {
        let mut parts = name.splitn(3, '/');
        let nowhere = |kind: &str, id: &str| {
            tidegate_catalog::check_id(kind, id)?;
            Ok(Self::Nowhere(format!("{kind}s/{id}")))
        };
        match (parts.next(), parts.next()) {
            (Some("system"), None) => Ok(Self::System),
            (Some("tenants"), Some(id)) => match catalog.tenant(id) {
                Some(_) => Ok(Self::Tenant(id.to_owned())),
                None => nowhere("tenant", id),
            },
            (Some("projects"), Some(id)) => match catalog.project(id) {
                Some(project) => Ok(Self::Project {
                    id: id.to_owned(),
                    tenant: project.tenant.clone(),
                    archived: project.archived_ms.is_some(),
                }),
                None => nowhere("project", id),
            },
            (Some("operations"), Some(id)) => match catalog.operation(id) {
                Some(operation) => match &operation.target {
                    ResourceName::Worker(_) => Ok(Self::System),
                    target => Self::of_name(catalog, &target.to_string()),
                },
                None => nowhere("operation", id),
            },
            _ => {
                let shown: String = name.chars().take(200).collect();
                let message = format!("'{shown}' is no name of something of a tenant or project");
                Err(Error::new(ErrorCode::InvalidOption, message)
                    .help("names begin with projects/{project} or tenants/{tenant}"))
            }
        }
    }

    /// Whether something that holds in a scope holds here.
    pub(super) fn is_within(&self, scope: &Scope) -> bool {
        match (scope, self) {
            (Scope::System, _) | (_, Self::Anywhere) => true,
            (Scope::Tenant(has), Self::Tenant(tenant) | Self::Project { tenant, .. }) => {
                has == tenant
            }
            (Scope::Project(has), Self::Project { id, .. }) => has == id,
            _ => false,
        }
    }

    /// Id of the tenant.
    pub(super) fn tenant(&self) -> Option<&str> {
        match self {
            Self::Tenant(tenant) | Self::Project { tenant, .. } => Some(tenant),
            Self::System | Self::Anywhere | Self::Nowhere(_) => None,
        }
    }
}
