//! Changing data sources.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_types::Result;

use super::{Connection, DataSource, Sealed};
use crate::approval::Subject;
use crate::bounds::{self, Bounds, invalid};
use crate::child_name::{ChildName, Collection};
use crate::name::{ResourceName, check_id};
use crate::scope::Scope;
use crate::state::{Catalog, Stamp, already_exists, check_etag, not_found, precondition};
use crate::tenancy::ServiceKind;

/// A change of data sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DataSourceAction {
    /// Creates one as a draft, or for use if whoever creates it is who approves. `ALREADY_EXISTS`; `NOT_FOUND` for its
    /// project.
    Create {
        /// Its name.
        data_source: ChildName,
        /// Its type.
        kind: String,
        /// What it is.
        description: String,
        /// Its parameters.
        connection: Connection,
        /// Who creates it.
        owner: String,
        /// Whether it needs no approval.
        active: bool,
        /// Projects that may use it beside its own.
        #[serde(default)]
        shared_with: BTreeSet<String>,
        /// Whether every project of the tenant may use it.
        #[serde(default)]
        shared_with_all: bool,
    },
    /// Changes what is given. `CONFLICT` if an etag is given and it has another.
    Update {
        /// Its name.
        data_source: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// What it is.
        description: Option<String>,
        /// Its parameters.
        connection: Option<ConnectionChange>,
        /// Projects that may use it.
        shared_with: Option<BTreeSet<String>>,
        /// Whether every project may use it.
        shared_with_all: Option<bool>,
        /// Whether the change needs no approval.
        active: bool,
    },
    /// Deletes one that nothing uses. `FAILED_PRECONDITION` for others.
    Delete {
        /// Its name.
        data_source: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
    },
    /// Asks for the approval of its parameters. `FAILED_PRECONDITION` if they are approved, or that is asked already.
    Publish {
        /// Its name.
        data_source: ChildName,
        /// Who asks.
        requester: String,
        /// Why.
        reason: String,
    },
}

/// A change of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionChange {
    /// All parameters that everybody may see, anew.
    pub parameters: BTreeMap<String, String>,
    /// Those secret ones that change; one that is none goes.
    pub secrets: BTreeMap<String, Option<Sealed>>,
}

impl Catalog {
    pub(crate) fn apply_data_source(
        &mut self,
        stamp: Stamp,
        action: DataSourceAction,
    ) -> Result<ResourceName> {
        match action {
            DataSourceAction::Create { .. } => self.create_data_source(stamp, action),
            DataSourceAction::Update { .. } => self.update_data_source(stamp, action),
            DataSourceAction::Delete { data_source, etag } => {
                self.delete_data_source(stamp, data_source, etag)
            }
            DataSourceAction::Publish { data_source, requester, reason } => {
                let found = self.data_source_ref(&data_source)?;
                if found.approved.as_ref() == Some(&found.connection) {
                    return Err(precondition(format!("{data_source} is approved as it is")));
                }
                self.ask(stamp, Subject::DataSource { data_source }, requester, reason)
                    .map(ResourceName::Child)
            }
        }
    }

    fn create_data_source(
        &mut self,
        stamp: Stamp,
        action: DataSourceAction,
    ) -> Result<ResourceName> {
        let DataSourceAction::Create {
            data_source: name,
            kind,
            description,
            connection,
            owner,
            active,
            shared_with,
            shared_with_all,
        } = action
        else {
            return Err(crate::apply::misdirected());
        };
        check_id("type of data sources", &kind)?;
        bounds::text("the description", &description, Bounds::DESCRIPTION_BYTES)?;
        check_connection(&connection)?;
        let project = project_of(&name)?;
        self.project_with(project, ServiceKind::DataManagement)?;
        self.check_shared(&name, &shared_with)?;
        if self.data_sources.contains_key(&name) {
            return Err(already_exists(&name));
        }
        bounds::room("data sources", self.data_sources.len(), Bounds::DATA_SOURCES)?;
        let approved = active.then(|| connection.clone());
        let data_source = DataSource {
            name: name.clone(),
            kind,
            description,
            connection,
            approved,
            shared_with,
            shared_with_all,
            owner,
            created_ms: stamp.now_ms,
            updated_ms: stamp.now_ms,
            revision: stamp.revision,
        };
        self.data_sources.insert(name.clone(), Arc::new(data_source));
        Ok(name.into())
    }

    /// Refuses to share a data source with projects that are not of its tenant.
    fn check_shared(&self, name: &ChildName, others: &BTreeSet<String>) -> Result<()> {
        let tenant = &self.open_project(project_of(name)?)?.tenant;
        let foreign =
            |other: &&String| self.project(other).is_none_or(|project| project.tenant != *tenant);
        match others.iter().find(foreign) {
            Some(other) => Err(not_found(&ResourceName::Project(other.clone()))),
            None => Ok(()),
        }
    }

    fn update_data_source(
        &mut self,
        stamp: Stamp,
        action: DataSourceAction,
    ) -> Result<ResourceName> {
        let DataSourceAction::Update {
            data_source: name,
            etag,
            description,
            connection,
            shared_with,
            shared_with_all,
            active,
        } = action
        else {
            return Err(crate::apply::misdirected());
        };
        bounds::text(
            "the description",
            description.as_deref().unwrap_or(""),
            Bounds::DESCRIPTION_BYTES,
        )?;
        self.open_project(project_of(&name)?)?;
        let now = self.data_source_ref(&name)?;
        check_etag(&name, now.revision, etag)?;
        shared_with.as_ref().map_or(Ok(()), |others| self.check_shared(&name, others))?;
        let connection = connection.map(|ConnectionChange { parameters, secrets: changed }| {
            let mut secrets = now.connection.secrets.clone();
            for (key, secret) in changed {
                match secret {
                    Some(secret) => drop(secrets.insert(key, secret)),
                    None => drop(secrets.remove(&key)),
                }
            }
            Connection { parameters, secrets }
        });
        connection.as_ref().map_or(Ok(()), check_connection)?;
        let changed = self.data_source_mut(stamp, &name)?;
        changed.description = description.unwrap_or_else(|| changed.description.clone());
        changed.connection = connection.unwrap_or_else(|| changed.connection.clone());
        changed.shared_with = shared_with.unwrap_or_else(|| changed.shared_with.clone());
        changed.shared_with_all = shared_with_all.unwrap_or(changed.shared_with_all);
        if active {
            changed.approved = Some(changed.connection.clone());
        } else if changed.approved.as_ref() != Some(&changed.connection) {
            // What was asked for was another connection.
            self.withdraw_all(stamp, &ResourceName::Child(name.clone()));
        }
        Ok(name.into())
    }

    fn delete_data_source(
        &mut self,
        stamp: Stamp,
        name: ChildName,
        etag: Option<u64>,
    ) -> Result<ResourceName> {
        self.open_project(project_of(&name)?)?;
        check_etag(&name, self.data_source_ref(&name)?.revision, etag)?;
        if let Some(user) = self.users_of(&name).next() {
            return Err(precondition(format!("delete {name}: {user} is in it"))
                .help("take what is in it out of its environments first"));
        }
        self.withdraw_all(stamp, &ResourceName::Child(name.clone()));
        self.data_sources.remove(&name);
        Ok(name.into())
    }

    /// Lets jobs use a data source as it is now.
    pub(crate) fn activate_data_source(&mut self, stamp: Stamp, name: &ChildName) -> Result<()> {
        let changed = self.data_source_mut(stamp, name)?;
        changed.approved = Some(changed.connection.clone());
        Ok(())
    }

    pub(crate) fn data_source_ref(&self, name: &ChildName) -> Result<&DataSource> {
        self.data_source(name).ok_or_else(|| not_found(name))
    }

    fn data_source_mut(&mut self, stamp: Stamp, name: &ChildName) -> Result<&mut DataSource> {
        let found = self.data_sources.get_mut(name).ok_or_else(|| not_found(name))?;
        let found = Arc::make_mut(found);
        found.revision = stamp.revision;
        found.updated_ms = stamp.now_ms;
        Ok(found)
    }

    /// A data source that something of a project can be in; `NOT_FOUND`, `FAILED_PRECONDITION`.
    pub fn usable_data_source(&self, name: &ChildName, project: &str) -> Result<&DataSource> {
        let found = self.data_source_ref(name)?;
        if !self.may_use(project, found) {
            return Err(not_found(name));
        }
        if found.approved.is_none() {
            return Err(precondition(format!("{name} is a draft"))
                .help("ask for its approval: `tidegate data-source publish`"));
        }
        Ok(found)
    }
}

/// Id of the project that a data source or database is of.
pub(crate) fn project_of(name: &ChildName) -> Result<&str> {
    match (name.owner(), name.collection()) {
        (Scope::Project(id), Collection::DataSources | Collection::Databases) => Ok(id),
        _ => Err(invalid(format!("'{name}' is nothing that tables can be in"))),
    }
}

fn check_connection(connection: &Connection) -> Result<()> {
    bounds::settings(&connection.parameters)?;
    let secrets = &connection.secrets;
    let bytes: usize = secrets.values().map(|sealed| sealed.ciphertext.len()).sum();
    if secrets.len() > Bounds::SETTINGS || bytes > Bounds::SETTINGS_BYTES {
        let most = Bounds::SETTINGS_BYTES;
        return Err(invalid(format!(
            "secret parameters have {bytes} bytes together, more than {most}"
        )));
    }
    Ok(())
}
