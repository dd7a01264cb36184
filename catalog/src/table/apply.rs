//! Changing tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_types::{Error, ErrorCode, Result};

use super::database::{check_published, check_tags, not_in_test};
use super::{
    Design, Environment, Publication, PublicationState, Ready, Table, TableAction, TableName, Topic,
};
use crate::approval::Subject;
use crate::bounds::{self, Bounds, cut};
use crate::child_name::ChildName;
use crate::name::{ResourceName, check_id};
use crate::state::{Catalog, Stamp, already_exists, check_etag, not_found, precondition};
use crate::tenancy::{ServiceKind, within_quota};

/// Data sources whose tables are created or checked by Tidegate.
const CREATED: [&str; 1] = ["kafka"];

impl Catalog {
    pub(crate) fn apply_table(
        &mut self,
        stamp: Stamp,
        action: TableAction,
    ) -> Result<ResourceName> {
        use TableAction as A;
        match action {
            A::CreateDatabase { .. } => self.create_database(stamp, action),
            A::UpdateDatabase { database, etag, description, tags } => {
                self.update_database(stamp, database, etag, description, tags)
            }
            A::DeleteDatabase { database, etag } => self.delete_database(stamp, database, etag),
            A::PublishDatabase { .. } => self.ask_for_database(stamp, action),
            A::CreateTable { .. } => self.create_table(stamp, action),
            A::UpdateTable { .. } => self.update_table(stamp, action),
            A::DeleteTable { table, etag } => self.delete_table(stamp, table, etag),
            A::PublishTable { .. } => self.ask_for_table(stamp, action),
            A::UnpublishTable { table, etag, environment } => {
                self.unpublish_table(stamp, table, etag, environment)
            }
            A::SetReady(ready) => self.set_ready(stamp, ready),
        }
    }

    fn create_table(&mut self, stamp: Stamp, action: TableAction) -> Result<ResourceName> {
        let TableAction::CreateTable {
            table: name,
            kind,
            description,
            tags,
            owner,
            definition,
            design,
        } = action
        else {
            return Err(crate::apply::misdirected());
        };
        check_id("type of data sources", &kind)?;
        bounds::text("the description", &description, Bounds::DESCRIPTION_BYTES)?;
        check_tags(&tags)?;
        definition.check()?;
        let quota = self.project_with(name.project(), ServiceKind::DataManagement)?.quota;
        self.has_database(name.project(), name.database())?;
        if self.tables.contains_key(&name) {
            return Err(already_exists(&name));
        }
        bounds::room("tables", self.tables.len(), Bounds::TABLES)?;
        let count = self.index.tables_in.get(name.project()).copied().unwrap_or(0);
        within_quota("tables", name.project(), count + 1, quota.tables.into())?;
        let design = self.check_design(&name, &kind, design)?;
        let publications: BTreeMap<_, _> =
            design.map(|design| (Environment::Design, design)).into_iter().collect();
        for publication in publications.values() {
            self.occupy(&publication.data_source, &name.to_string());
        }
        let table = Table {
            name: name.clone(),
            kind,
            description,
            tags,
            owner,
            definition: *definition,
            publications,
            next: BTreeMap::new(),
            public: None,
            created_ms: stamp.now_ms,
            updated_ms: stamp.now_ms,
            revision: stamp.revision,
        };
        *self.index.tables_in.get_or_default(name.project().to_owned()) += 1;
        self.tables.insert(name.clone(), Arc::new(table));
        Ok(name.into())
    }

    fn update_table(&mut self, stamp: Stamp, action: TableAction) -> Result<ResourceName> {
        let TableAction::UpdateTable { table: name, etag, description, tags, definition, design } =
            action
        else {
            return Err(crate::apply::misdirected());
        };
        bounds::text(
            "the description",
            description.as_deref().unwrap_or(""),
            Bounds::DESCRIPTION_BYTES,
        )?;
        tags.as_ref().map_or(Ok(()), check_tags)?;
        definition.as_ref().map_or(Ok(()), |definition| definition.check())?;
        self.open_project(name.project())?;
        let table = self.table_ref(&name)?;
        check_etag(&name, table.revision, etag)?;
        let kind = table.kind.clone();
        let design = match design {
            Some(design) => Some(self.check_design(&name, &kind, design)?),
            None => None,
        };
        if let Some(design) = &design {
            let before = self.table_ref(&name)?.publications.get(&Environment::Design);
            if let Some(before) = before.map(|before| before.data_source.clone()) {
                self.release(&before, &name.to_string());
            }
            if let Some(design) = design {
                self.occupy(&design.data_source, &name.to_string());
            }
        }
        let changed = self.table_mut(stamp, &name)?;
        changed.description = description.unwrap_or_else(|| changed.description.clone());
        changed.tags = tags.unwrap_or_else(|| changed.tags.clone());
        if let Some(definition) = definition {
            changed.definition = *definition;
        }
        match design {
            Some(Some(design)) => drop(changed.publications.insert(Environment::Design, design)),
            Some(None) => drop(changed.publications.remove(&Environment::Design)),
            None => {}
        }
        Ok(name.into())
    }

    /// Where a table is in design, if it can be there.
    fn check_design(
        &self,
        name: &TableName,
        kind: &str,
        design: Option<Design>,
    ) -> Result<Option<Publication>> {
        let Some(Design { data_source, physical_name }) = design else { return Ok(None) };
        self.check_target(name, kind, &data_source, &physical_name)?;
        Ok(Some(Publication {
            data_source,
            physical_name,
            topic: Topic::default(),
            definition: None,
            published_ms: self.time_ms,
            approval: None,
            state: PublicationState::Ready,
            message: String::new(),
        }))
    }

    fn check_target(
        &self,
        name: &TableName,
        kind: &str,
        data_source: &ChildName,
        physical_name: &str,
    ) -> Result<()> {
        bounds::location("the physical name", physical_name)?;
        let found = self.usable_data_source(data_source, name.project())?;
        if found.kind != kind {
            let have = &found.kind;
            return Err(precondition(format!(
                "{name} is of type {kind}, {data_source} is of type {have}"
            )));
        }
        Ok(())
    }

    fn delete_table(
        &mut self,
        stamp: Stamp,
        name: TableName,
        etag: Option<u64>,
    ) -> Result<ResourceName> {
        self.open_project(name.project())?;
        let table = self.table_ref(&name)?;
        check_etag(&name, table.revision, etag)?;
        let published = table.publications.keys().chain(table.next.keys());
        if let Some(environment) = published.copied().find(|at| *at != Environment::Design) {
            return Err(precondition(format!("delete {name}: it is in {environment}"))
                .help("take it out of its environments first: `tidegate table unpublish`"));
        }
        self.check_unused(&name, None)?;
        self.withdraw_all(stamp, &ResourceName::Table(name.clone()));
        self.remove_grants_on(&name);
        self.remove_rules_on(stamp, &name);
        self.lose(stamp, &ResourceName::Table(name.clone()));
        if let Some(table) = self.tables.remove(&name) {
            for publication in table.publications.values() {
                self.release(&publication.data_source, &name.to_string());
            }
        }
        if let Some(count) = self.index.tables_in.get_mut(name.project()) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.index.tables_in.remove(name.project());
            }
        }
        Ok(name.into())
    }

    fn ask_for_table(&mut self, stamp: Stamp, action: TableAction) -> Result<ResourceName> {
        let TableAction::PublishTable {
            table: name,
            etag,
            environment,
            data_source,
            physical_name,
            topic,
            requester,
            reason,
        } = action
        else {
            return Err(crate::apply::misdirected());
        };
        check_published(&name, environment)?;
        let table = self.table_ref(&name)?;
        check_etag(&name, table.revision, etag)?;
        let definition = match environment {
            Environment::Production => {
                let in_test = table.publications.get(&Environment::Test);
                let in_test = in_test.filter(|test| test.state == PublicationState::Ready);
                in_test
                    .and_then(|test| test.definition.clone())
                    .ok_or_else(|| not_in_test(&name))?
            }
            Environment::Design | Environment::Test => table.definition.clone(),
        };
        let data_source = match data_source {
            Some(data_source) => data_source,
            None => {
                let database = self.database_ref(&name.database_name()?)?;
                let there = database.publications.get(&environment).ok_or_else(|| {
                    precondition(format!("{} is not in {environment}", database.name)).help(
                        "publish the database first, or say in which data source the table is",
                    )
                })?;
                there.data_source.clone()
            }
        };
        self.check_target(&name, &table.kind, &data_source, &physical_name)?;
        let creates = CREATED.contains(&table.kind.as_str());
        let state = if creates { PublicationState::Applying } else { PublicationState::Ready };
        let publication = Box::new(Publication {
            data_source,
            physical_name,
            topic,
            definition: Some(definition),
            published_ms: 0,
            approval: None,
            state,
            message: String::new(),
        });
        let subject = Subject::Table { table: name, environment, publication };
        self.ask(stamp, subject, requester, reason).map(ResourceName::Child)
    }

    /// Has a table in an environment: at once, or when it is ready outside.
    pub(crate) fn publish_table(
        &mut self,
        stamp: Stamp,
        name: &TableName,
        environment: Environment,
        mut publication: Publication,
        approval: &ChildName,
    ) -> Result<()> {
        let kind = self.table_ref(name)?.kind.clone();
        let Publication { data_source, physical_name, .. } = &publication;
        self.check_target(name, &kind, data_source, physical_name)?;
        publication.published_ms = stamp.now_ms;
        publication.approval = Some(approval.clone());
        let data_source = publication.data_source.clone();
        let ready = publication.state == PublicationState::Ready;
        let table = self.table_mut(stamp, name)?;
        let place = if ready { &mut table.publications } else { &mut table.next };
        let before = place.insert(environment, publication);
        if !ready {
            self.index.applying.insert((name.clone(), environment));
        }
        if let Some(before) = before {
            self.release(&before.data_source, &name.to_string());
        }
        self.occupy(&data_source, &name.to_string());
        Ok(())
    }

    fn unpublish_table(
        &mut self,
        stamp: Stamp,
        name: TableName,
        etag: Option<u64>,
        environment: Environment,
    ) -> Result<ResourceName> {
        check_published(&name, environment)?;
        self.open_project(name.project())?;
        let table = self.table_ref(&name)?;
        check_etag(&name, table.revision, etag)?;
        let has = |environment: Environment| {
            table.publications.contains_key(&environment) || table.next.contains_key(&environment)
        };
        if !has(environment) {
            return Err(precondition(format!("{name} is not in {environment}")));
        }
        if environment == Environment::Test && has(Environment::Production) {
            return Err(precondition(format!("{name} is in production"))
                .help("take it out of production first"));
        }
        self.check_unused(&name, Some(environment))?;
        let table = self.table_mut(stamp, &name)?;
        let gone = [table.publications.remove(&environment), table.next.remove(&environment)];
        self.index.applying.remove(&(name.clone(), environment));
        for publication in gone.into_iter().flatten() {
            self.release(&publication.data_source, &name.to_string());
        }
        Ok(name.into())
    }

    fn set_ready(&mut self, stamp: Stamp, ready: Ready) -> Result<ResourceName> {
        let Ready { table: name, environment, publication, failure } = ready;
        let wanted = self.table_ref(&name)?.next.get(&environment).filter(|wanted| {
            let same = |a: &Publication, b: &Publication| {
                (&a.data_source, &a.physical_name, a.topic, a.published_ms)
                    == (&b.data_source, &b.physical_name, b.topic, b.published_ms)
            };
            same(wanted, &publication)
        });
        if wanted.is_none() {
            let message = format!("{name} in {environment}: something else is wanted by now");
            return Err(Error::new(ErrorCode::Fenced, message));
        }
        let table = self.table_mut(stamp, &name)?;
        if let Some(failure) = failure {
            if let Some(wanted) = table.next.get_mut(&environment) {
                wanted.state = PublicationState::Failed;
                wanted.message = cut(failure);
            }
            return Ok(name.into());
        }
        let Some(mut there) = table.next.remove(&environment) else { return Ok(name.into()) };
        there.state = PublicationState::Ready;
        there.message.clear();
        let before = table.publications.insert(environment, there);
        self.index.applying.remove(&(name.clone(), environment));
        if let Some(before) = before {
            self.release(&before.data_source, &name.to_string());
        }
        Ok(name.into())
    }

    /// A table; `NOT_FOUND`.
    pub(crate) fn table_ref(&self, name: &TableName) -> Result<&Table> {
        self.table(name).ok_or_else(|| not_found(name))
    }

    pub(crate) fn table_mut(&mut self, stamp: Stamp, name: &TableName) -> Result<&mut Table> {
        let found = self.tables.get_mut(name).ok_or_else(|| not_found(name))?;
        let found = Arc::make_mut(found);
        found.revision = stamp.revision;
        found.updated_ms = stamp.now_ms;
        Ok(found)
    }

    /// Counts something that is in a data source.
    pub(crate) fn occupy(&mut self, data_source: &ChildName, user: &str) {
        let key = (data_source.clone(), user.to_owned());
        *self.index.users_of.get_or_default(key) += 1;
    }

    /// Counts it no more.
    pub(crate) fn release(&mut self, data_source: &ChildName, user: &str) {
        let key = (data_source.clone(), user.to_owned());
        if let Some(count) = self.index.users_of.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.index.users_of.remove(&key);
            }
        }
    }
}
