//! What approvals are about, and who decides what.

use serde::{Deserialize, Serialize};
use tidegate_types::Result;

use super::{Deciders, Publish};
use crate::account::AccountName;
use crate::child_name::ChildName;
use crate::grant::{Grantee, Rights};
use crate::name::{ResourceName, VersionName};
use crate::scope::Scope;
use crate::state::{Catalog, Stamp};
use crate::table::{Environment, Publication, TableName};

/// Approves data sources and databases.
pub(crate) const GLOBAL_DATA_ADMIN: &str = "global-data-admin";
/// Approves tables, and access to them.
pub(crate) const PROJECT_DATA_ADMIN: &str = "project-data-admin";
/// Approves jobs for production.
pub(crate) const SYSTEM_ADMINISTRATOR: &str = "system-administrator";

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Subject {
    /// To use a data source with the parameters that it has now.
    DataSource {
        /// The data source.
        data_source: ChildName,
    },
    /// To have a database in an environment.
    Database {
        /// The database.
        database: ChildName,
        /// Where.
        environment: Environment,
        /// How it is there.
        publication: Box<Publication>,
    },
    /// To have a table in an environment.
    Table {
        /// The table.
        table: TableName,
        /// Where.
        environment: Environment,
        /// How it is there, with the definition.
        publication: Box<Publication>,
    },
    /// To do something with the rows of a table.
    Access {
        /// The table.
        table: TableName,
        /// For whom.
        grantee: Grantee,
        /// What.
        rights: Box<Rights>,
    },
    /// To run a version of a job in production.
    Release {
        /// The version.
        version: VersionName,
    },
    /// To have everybody see something with a draft as it is now.
    Publish(Publish),
}

impl Subject {
    /// Its kind as it is written, such as `PUBLISH_TABLE`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::DataSource { .. } => "PUBLISH_DATA_SOURCE",
            Self::Database { .. } => "PUBLISH_DATABASE",
            Self::Table { .. } => "PUBLISH_TABLE",
            Self::Access { .. } => "ACCESS",
            Self::Release { .. } => "RELEASE_JOB",
            Self::Publish(publish) => publish.kind(),
        }
    }

    /// What it is about.
    pub fn about(&self) -> ResourceName {
        match self {
            Self::DataSource { data_source: name } | Self::Database { database: name, .. } => {
                ResourceName::Child(name.clone())
            }
            Self::Table { table, .. } | Self::Access { table, .. } => {
                ResourceName::Table(table.clone())
            }
            Self::Release { version } => ResourceName::Version(version.clone()),
            Self::Publish(publish) => ResourceName::Child(publish.name().clone()),
        }
    }

    /// The environment that it is about.
    pub fn environment(&self) -> Option<Environment> {
        match self {
            Self::DataSource { .. } | Self::Access { .. } | Self::Publish(_) => None,
            Self::Release { .. } => Some(Environment::Production),
            Self::Database { environment, .. } | Self::Table { environment, .. } => {
                Some(*environment)
            }
        }
    }

    /// What will be done, in words.
    pub fn summary(&self) -> String {
        match self {
            Self::DataSource { data_source } => format!("use {data_source} with its parameters"),
            Self::Database { database, environment, publication } => format!(
                "publish {database} to {environment} as '{}' in {}",
                publication.physical_name, publication.data_source
            ),
            Self::Table { table, environment, publication } => format!(
                "publish {table} to {environment} as '{}' in {}",
                publication.physical_name, publication.data_source
            ),
            Self::Access { table, grantee, rights } => {
                let names: Vec<&str> = rights.permissions.iter().map(|one| one.as_str()).collect();
                let columns = match &rights.columns {
                    None => String::new(),
                    Some(columns) => {
                        let names: Vec<&str> = columns.keys().map(String::as_str).collect();
                        format!(", columns {}", names.join(", "))
                    }
                };
                format!("let {grantee} {} {table}{columns}", names.join(", "))
            }
            Self::Release { version } => format!("run {version} in production"),
            Self::Publish(publish) => publish.summary(),
        }
    }

    /// Whether it asks for the same as another, so that one of both is enough.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let to = |subject: &Self| match subject {
            Self::Access { grantee, .. } => Some(grantee.clone()),
            _ => None,
        };
        self.kind() == other.kind()
            && self.environment() == other.environment()
            && to(self) == to(other)
    }

    /// Id of the tenant that it is about as a whole; none: it is about a project.
    pub(crate) fn tenant(&self) -> Option<&str> {
        match self {
            Self::Publish(publish) => match publish.name().owner() {
                Scope::Tenant(id) => Some(id),
                Scope::Project(_) | Scope::System => None,
            },
            _ => None,
        }
    }

    /// Id of the project that it is about.
    pub(crate) fn project(&self) -> &str {
        match self {
            Self::DataSource { data_source: name } | Self::Database { database: name, .. } => {
                match name.owner() {
                    Scope::Project(id) | Scope::Tenant(id) => id,
                    Scope::System => "",
                }
            }
            Self::Table { table, .. } | Self::Access { table, .. } => table.project(),
            Self::Release { version } => version.job.project(),
            Self::Publish(publish) => publish.project().unwrap_or_default(),
        }
    }

    /// Who decides it.
    pub(crate) fn deciders(&self, tenant: &str) -> Deciders {
        let (role, scope) = match self {
            Self::DataSource { .. } | Self::Database { .. } => {
                (GLOBAL_DATA_ADMIN, Scope::Tenant(tenant.to_owned()))
            }
            Self::Table { table, .. } | Self::Access { table, .. } => {
                (PROJECT_DATA_ADMIN, Scope::Project(table.project().to_owned()))
            }
            Self::Release { .. } => (SYSTEM_ADMINISTRATOR, Scope::System),
            Self::Publish(publish) => publish.decider(tenant),
        };
        Deciders { role: role.to_owned(), scope }
    }
}

impl Catalog {
    /// Does what was approved. It checks everything again: what was asked for may not be possible any more.
    pub(super) fn effect(
        &mut self,
        stamp: Stamp,
        approval: &ChildName,
        by: &AccountName,
        subject: Subject,
    ) -> Result<()> {
        match subject {
            Subject::DataSource { data_source } => self.activate_data_source(stamp, &data_source),
            Subject::Database { database, environment, publication } => {
                self.publish_database(stamp, &database, environment, *publication, approval)
            }
            Subject::Table { table, environment, publication } => {
                self.publish_table(stamp, &table, environment, *publication, approval)
            }
            Subject::Access { table, grantee, rights } => {
                let (creator, approval) = (by.to_string(), Some(approval.clone()));
                self.give(stamp, table, grantee, *rights, creator, approval).map(drop)
            }
            Subject::Release { version } => self.release_version(&version, approval),
            Subject::Publish(publish) => self.publish_entry(stamp, publish, approval),
        }
    }
}
