//! Databases.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_types::Result;

use super::{
    DEFAULT_DATABASE, Environment, Publication, PublicationState, TableAction, TableName, Topic,
};
use crate::approval::Subject;
use crate::bounds::{self, Bounds, invalid};
use crate::child_name::{ChildName, Collection};
use crate::data_source::project_of;
use crate::name::ResourceName;
use crate::scope::Scope;
use crate::state::{Catalog, Stamp, already_exists, check_etag, not_found, precondition};
use crate::tenancy::ServiceKind;

/// A set of tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Its name: `projects/{project}/databases/{id}`.
    pub name: ChildName,
    /// What it is, in its owner's words.
    pub description: String,
    /// Words by which it is found.
    pub tags: BTreeSet<String>,
    /// Who created it.
    pub owner: String,
    /// Where it is.
    pub publications: BTreeMap<Environment, Publication>,
    /// When it was created, milliseconds since the epoch.
    pub created_ms: i64,
    /// When it was last changed, milliseconds since the epoch.
    pub updated_ms: i64,
    /// Changes with every change of it; its etag.
    pub revision: u64,
}

/// Refuses words by which something is found that are too many or too long.
pub(super) fn check_tags(tags: &BTreeSet<String>) -> Result<()> {
    if tags.len() > Bounds::LABELS {
        return Err(invalid(format!("{} tags are more than {}", tags.len(), Bounds::LABELS)));
    }
    tags.iter().try_for_each(|tag| {
        if tag.trim().is_empty() {
            return Err(invalid("a tag is empty"));
        }
        bounds::text("a tag", tag, Bounds::LABEL_BYTES)
    })
}

impl Catalog {
    pub(super) fn create_database(
        &mut self,
        stamp: Stamp,
        action: TableAction,
    ) -> Result<ResourceName> {
        let TableAction::CreateDatabase { database: name, description, tags, owner } = action
        else {
            return Err(crate::apply::misdirected());
        };
        bounds::text("the description", &description, Bounds::DESCRIPTION_BYTES)?;
        check_tags(&tags)?;
        self.project_with(project_of(&name)?, ServiceKind::DataManagement)?;
        if self.databases.contains_key(&name) || name.id() == DEFAULT_DATABASE {
            return Err(already_exists(&name));
        }
        bounds::room("databases", self.databases.len(), Bounds::DATABASES)?;
        let database = Database {
            name: name.clone(),
            description,
            tags,
            owner,
            publications: BTreeMap::new(),
            created_ms: stamp.now_ms,
            updated_ms: stamp.now_ms,
            revision: stamp.revision,
        };
        self.databases.insert(name.clone(), Arc::new(database));
        Ok(name.into())
    }

    pub(super) fn update_database(
        &mut self,
        stamp: Stamp,
        name: ChildName,
        etag: Option<u64>,
        description: Option<String>,
        tags: Option<BTreeSet<String>>,
    ) -> Result<ResourceName> {
        bounds::text(
            "the description",
            description.as_deref().unwrap_or(""),
            Bounds::DESCRIPTION_BYTES,
        )?;
        tags.as_ref().map_or(Ok(()), check_tags)?;
        self.open_project(project_of(&name)?)?;
        check_etag(&name, self.database_ref(&name)?.revision, etag)?;
        let changed = self.database_mut(stamp, &name)?;
        changed.description = description.unwrap_or_else(|| changed.description.clone());
        changed.tags = tags.unwrap_or_else(|| changed.tags.clone());
        Ok(name.into())
    }

    pub(super) fn delete_database(
        &mut self,
        stamp: Stamp,
        name: ChildName,
        etag: Option<u64>,
    ) -> Result<ResourceName> {
        let project = project_of(&name)?.to_owned();
        self.open_project(&project)?;
        check_etag(&name, self.database_ref(&name)?.revision, etag)?;
        let first = self.tables.range(TableName::before(&project, name.id())..).next();
        let of_this =
            |table: &TableName| table.project() == project && table.database() == name.id();
        if let Some((table, _)) = first.filter(|(table, _)| of_this(table)) {
            return Err(precondition(format!("delete {name}: it has {table}")));
        }
        self.withdraw_all(stamp, &ResourceName::Child(name.clone()));
        self.lose(stamp, &ResourceName::Child(name.clone()));
        if let Some(database) = self.databases.remove(&name) {
            for publication in database.publications.values() {
                self.release(&publication.data_source, &name.to_string());
            }
        }
        Ok(name.into())
    }

    pub(super) fn ask_for_database(
        &mut self,
        stamp: Stamp,
        action: TableAction,
    ) -> Result<ResourceName> {
        let TableAction::PublishDatabase {
            database,
            environment,
            data_source,
            physical_name,
            requester,
            reason,
        } = action
        else {
            return Err(crate::apply::misdirected());
        };
        check_published(&database, environment)?;
        let project = project_of(&database)?;
        let found = self.database_ref(&database)?;
        if environment == Environment::Production
            && !found.publications.contains_key(&Environment::Test)
        {
            return Err(not_in_test(&database));
        }
        self.usable_data_source(&data_source, project)?;
        bounds::location("the physical name", &physical_name)?;
        let publication = Box::new(Publication {
            data_source,
            physical_name,
            topic: Topic::default(),
            definition: None,
            published_ms: 0,
            approval: None,
            state: PublicationState::Ready,
            message: String::new(),
        });
        let subject = Subject::Database { database, environment, publication };
        self.ask(stamp, subject, requester, reason).map(ResourceName::Child)
    }

    /// Has a database in an environment.
    pub(crate) fn publish_database(
        &mut self,
        stamp: Stamp,
        name: &ChildName,
        environment: Environment,
        mut publication: Publication,
        approval: &ChildName,
    ) -> Result<()> {
        self.usable_data_source(&publication.data_source, project_of(name)?)?;
        publication.published_ms = stamp.now_ms;
        publication.approval = Some(approval.clone());
        let data_source = publication.data_source.clone();
        let database = self.database_mut(stamp, name)?;
        let before = database.publications.insert(environment, publication);
        if let Some(before) = before {
            self.release(&before.data_source, &name.to_string());
        }
        self.occupy(&data_source, &name.to_string());
        Ok(())
    }

    /// A database; `NOT_FOUND`. The one that every project has has no entry of its own.
    pub(crate) fn database_ref(&self, name: &ChildName) -> Result<&Database> {
        self.databases.get(name).map(Arc::as_ref).ok_or_else(|| {
            let error = not_found(name);
            match name.id() {
                DEFAULT_DATABASE => {
                    error.help("the database default needs no publication and cannot be changed")
                }
                _ => error,
            }
        })
    }

    fn database_mut(&mut self, stamp: Stamp, name: &ChildName) -> Result<&mut Database> {
        let found = self.databases.get_mut(name).ok_or_else(|| not_found(name))?;
        let found = Arc::make_mut(found);
        found.revision = stamp.revision;
        found.updated_ms = stamp.now_ms;
        Ok(found)
    }

    /// Whether a project has a database.
    pub(super) fn has_database(&self, project: &str, database: &str) -> Result<()> {
        if database == DEFAULT_DATABASE {
            return Ok(());
        }
        let owner = Scope::Project(project.to_owned());
        self.database_ref(&ChildName::new(owner, Collection::Databases, database)?).map(drop)
    }
}

/// Refuses an environment that nothing is published to.
pub(super) fn check_published(
    name: &impl std::fmt::Display,
    environment: Environment,
) -> Result<()> {
    match environment {
        Environment::Design => {
            Err(invalid(format!("{name}: in design nothing is published; update it instead")))
        }
        Environment::Test | Environment::Production => Ok(()),
    }
}

/// The answer for what is to be in production before it is in test.
pub(super) fn not_in_test(name: &impl std::fmt::Display) -> tidegate_types::Error {
    precondition(format!("{name} is not in test")).help("publish it to test first and try it there")
}
