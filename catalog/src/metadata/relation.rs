//! Relations: from business data to other business data, and to tables and columns.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_types::Result;

use super::{RelationAction, indexed, reindex};
use crate::approval::{Publish, Subject};
use crate::bounds::{self, Bounds, invalid};
use crate::child_name::{ChildName, Collection};
use crate::entry::{Content, Entry, check_description, of_collection};
use crate::name::ResourceName;
use crate::scope::Scope;
use crate::state::{Catalog, Stamp, already_exists, check_etag, not_found, precondition};
use crate::table::TableName;

/// A relation of a tenant or of one of its projects: `tenants/{tenant}/relations/{id}` or
/// `projects/{project}/relations/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relation {
    /// The relation as it is edited and as it is published.
    pub entry: Entry<RelationContent>,
    /// What it has led from or to and was deleted. Another of the same name does not take its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<ResourceName>,
}

/// What a relation says. What it leads from and to stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelationContent {
    /// What it says of its ends.
    pub kind: RelationKind,
    /// The business data that it leads from.
    pub source: ChildName,
    /// What it leads to.
    pub target: RelationEnd,
    /// Why.
    pub description: String,
}

/// What a relation says of its source and its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationKind {
    /// The source says what the target means.
    Describes,
    /// The source is computed from the target.
    DerivedFrom,
    /// Both mean the same; between business data.
    SameAs,
    /// The source is a part of the target; between business data.
    PartOf,
    /// They have something to do with each other.
    RelatedTo,
}

/// What a relation leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RelationEnd {
    /// Business data.
    BusinessData(ChildName),
    /// A table or topic, or one of its columns.
    Table {
        /// The table.
        table: TableName,
        /// The column; none: all of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        column: Option<String>,
    },
}

impl RelationKind {
    /// All.
    pub const ALL: [Self; 5] =
        [Self::Describes, Self::DerivedFrom, Self::SameAs, Self::PartOf, Self::RelatedTo];

    /// As it is written, such as `derived-from`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Describes => "describes",
            Self::DerivedFrom => "derived-from",
            Self::SameAs => "same-as",
            Self::PartOf => "part-of",
            Self::RelatedTo => "related-to",
        }
    }
}

impl RelationEnd {
    /// What it is, or what the column is of.
    pub fn name(&self) -> ResourceName {
        match self {
            Self::BusinessData(name) => ResourceName::Child(name.clone()),
            Self::Table { table, .. } => ResourceName::Table(table.clone()),
        }
    }
}

impl fmt::Display for RelationEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BusinessData(name) => name.fmt(f),
            Self::Table { table, column: None } => table.fmt(f),
            Self::Table { table, column: Some(column) } => write!(f, "column {column} of {table}"),
        }
    }
}

impl Content for RelationContent {
    fn texts(&self) -> Vec<&str> {
        vec![&self.description, self.source.id()]
    }
}

impl Relation {
    /// Names of what it leads from and to.
    pub(super) fn ends(&self) -> BTreeSet<String> {
        let RelationContent { source, target, .. } = &self.entry.draft;
        BTreeSet::from([source.to_string(), target.name().to_string()])
    }
}

impl Catalog {
    /// A relation.
    pub fn relation(&self, name: &ChildName) -> Option<&Relation> {
        self.metadata.relations.get(name).map(Arc::as_ref)
    }

    /// Why a relation leads nowhere; empty if it leads from something to something.
    pub fn broken(&self, relation: &Relation) -> String {
        let RelationContent { source, target, .. } = &relation.entry.draft;
        if let Some(lost) = &relation.lost {
            return format!("{lost} was deleted");
        }
        match target {
            RelationEnd::Table { table, column: Some(column) } => {
                let found = self.table(table).is_some_and(|table| has_column(table, column));
                if found {
                    String::new()
                } else {
                    format!("{table} has no column {column} any more")
                }
            }
            _ if self.business_data(source).is_none() => format!("{source} does not exist"),
            _ => String::new(),
        }
    }

    /// Whether everybody sees a relation: it is published, and so is the business data at its ends, and it is not broken.
    pub fn is_seen(&self, relation: &Relation) -> bool {
        let is_published = |name: &ChildName| {
            self.business_data(name).is_some_and(|data| data.entry.published.is_some())
        };
        let RelationContent { source, target, .. } = &relation.entry.draft;
        let target = match target {
            RelationEnd::BusinessData(name) => is_published(name),
            RelationEnd::Table { .. } => true,
        };
        relation.entry.published.is_some()
            && is_published(source)
            && target
            && self.broken(relation).is_empty()
    }

    pub(super) fn apply_relation(
        &mut self,
        stamp: Stamp,
        action: RelationAction,
    ) -> Result<ResourceName> {
        use RelationAction as A;
        match action {
            A::Create { relation, content, owner } => {
                self.create_relation(stamp, relation, *content, owner)
            }
            A::Update { relation: name, etag, kind, description } => {
                let entry = &self.editable_relation(&name, etag)?.entry;
                let mut content = entry.draft.clone();
                content.kind = kind.unwrap_or(content.kind);
                content.description = description.unwrap_or(content.description);
                check_content(&content)?;
                self.check_twin(&name, &content)?;
                self.relation_mut(&name)?.entry.touch(stamp).draft = content;
                Ok(name.into())
            }
            A::Delete { relation: name, etag } => {
                self.editable_relation(&name, etag)?;
                self.remove_relation(stamp, &name);
                Ok(name.into())
            }
            A::Publish { relation: name, etag, requester, reason } => {
                let found = self.editable_relation(&name, etag)?;
                found.entry.check_asked(etag)?;
                let content = Box::new(found.entry.draft.clone());
                self.check_whole(found)?;
                let subject = Subject::Publish(Publish::Relation { name, content });
                self.ask(stamp, subject, requester, reason).map(ResourceName::Child)
            }
            A::Unpublish { relation: name, etag } => {
                self.editable_relation(&name, etag)?;
                self.relation_mut(&name)?.entry.unpublish(stamp)?;
                Ok(name.into())
            }
        }
    }

    fn create_relation(
        &mut self,
        stamp: Stamp,
        name: ChildName,
        content: RelationContent,
        owner: String,
    ) -> Result<ResourceName> {
        of_collection(&name, Collection::Relations)?;
        bounds::text("the owner", &owner, Bounds::LABEL_BYTES)?;
        self.open_tenant_of(name.owner())?;
        if self.metadata.relations.contains_key(&name) {
            return Err(already_exists(&name));
        }
        bounds::room("relations", self.metadata.relations.len(), Bounds::RELATIONS)?;
        check_content(&content)?;
        self.check_source(&name, &content.source)?;
        self.check_end(&name, &content.target)?;
        let ends = [content.source.to_string(), content.target.name().to_string()];
        for end in ends {
            let have = indexed(&self.index.metadata.relations_of, &end).count();
            bounds::room(&format!("relations of {end}"), have, Bounds::OBJECT_RELATIONS)?;
        }
        self.check_twin(&name, &content)?;
        let entry = Entry::new(stamp, name.clone(), content, owner);
        let relation = Relation { entry, lost: None };
        let index = &mut self.index.metadata.relations_of;
        reindex(index, &name, &BTreeSet::new(), &relation.ends());
        self.metadata.relations.insert(name.clone(), Arc::new(relation));
        Ok(name.into())
    }

    fn check_source(&self, name: &ChildName, source: &ChildName) -> Result<()> {
        let known = source.collection() == Collection::BusinessData
            && self.is_usable_in(source.owner(), name.owner())
            && self.business_data(source).is_some();
        if known {
            return Ok(());
        }
        let why = format!("name business data of the tenant or of {}", name.owner());
        Err(not_found(source).field("relation.source", why))
    }

    /// A relation of a project leads to tables of it, one of the tenant to all of its tables.
    fn check_end(&self, name: &ChildName, target: &RelationEnd) -> Result<()> {
        let (table, column) = match target {
            RelationEnd::BusinessData(other) => {
                return self.check_source(name, other).map_err(|error| {
                    let why = format!("name business data of the tenant or of {}", name.owner());
                    not_found(other).field("relation.target", why).with_code(error.code())
                });
            }
            RelationEnd::Table { table, column } => (table, column),
        };
        let within = match name.owner() {
            Scope::Project(id) => table.project() == id,
            Scope::Tenant(tenant) => {
                self.project(table.project()).is_some_and(|project| project.tenant == *tenant)
            }
            Scope::System => false,
        };
        let found = self.table(table).filter(|_| within).ok_or_else(|| {
            let why = format!("name a table of {}", name.owner());
            not_found(table).field("relation.target", why)
        })?;
        match column {
            Some(column) if !has_column(found, column) => {
                let message = format!("{table} has no column {column}");
                Err(invalid(message.clone()).field("relation.target_column", message))
            }
            _ => Ok(()),
        }
    }

    /// Refuses what another relation of the same tenant or project says already.
    fn check_twin(&self, name: &ChildName, content: &RelationContent) -> Result<()> {
        let says = |content: &RelationContent| {
            (content.kind, content.source.clone(), content.target.clone())
        };
        let wanted = says(content);
        let of_source = indexed(&self.index.metadata.relations_of, &content.source.to_string());
        let mut twins = of_source.filter_map(|other| self.relation(other)).filter(|other| {
            other.entry.name != *name
                && other.entry.name.owner() == name.owner()
                && other.lost.is_none()
                && says(&other.entry.draft) == wanted
        });
        match twins.next() {
            Some(twin) => Err(already_exists(&twin.entry.name).help("it says the same")),
            None => Ok(()),
        }
    }

    /// Lets everybody see a relation as it was when that was asked for.
    pub(crate) fn publish_relation(
        &mut self,
        stamp: Stamp,
        name: &ChildName,
        content: RelationContent,
        approval: &ChildName,
    ) -> Result<()> {
        self.check_whole(self.relation_ref(name)?)?;
        self.relation_mut(name)?.entry.publish(stamp, content, approval);
        Ok(())
    }

    fn check_whole(&self, relation: &Relation) -> Result<()> {
        let broken = self.broken(relation);
        if broken.is_empty() {
            return Ok(());
        }
        let name = &relation.entry.name;
        Err(precondition(format!("{name} leads nowhere: {broken}")).help("delete it"))
    }

    /// Says in relations of something that it was deleted. Those that nobody has seen go.
    pub(super) fn lose_relations(&mut self, stamp: Stamp, object: &ResourceName) {
        let of_object = indexed(&self.index.metadata.relations_of, &object.to_string());
        let names: Vec<ChildName> = of_object.cloned().collect();
        for name in names {
            let published =
                self.relation(&name).is_some_and(|found| found.entry.published.is_some());
            if !published {
                self.remove_relation(stamp, &name);
                continue;
            }
            self.withdraw_all(stamp, &ResourceName::Child(name.clone()));
            if let Ok(relation) = self.relation_mut(&name)
                && relation.lost.is_none()
            {
                relation.entry.touch(stamp);
                relation.lost = Some(object.clone());
            }
        }
    }

    fn remove_relation(&mut self, stamp: Stamp, name: &ChildName) {
        self.withdraw_all(stamp, &ResourceName::Child(name.clone()));
        if let Some(gone) = self.metadata.relations.remove(name) {
            let index = &mut self.index.metadata.relations_of;
            reindex(index, name, &gone.ends(), &BTreeSet::new());
        }
    }

    fn editable_relation(&self, name: &ChildName, etag: Option<u64>) -> Result<&Relation> {
        self.open_tenant_of(name.owner())?;
        let found = self.relation_ref(name)?;
        check_etag(name, found.entry.revision, etag)?;
        Ok(found)
    }

    fn relation_ref(&self, name: &ChildName) -> Result<&Relation> {
        self.relation(name).ok_or_else(|| not_found(name))
    }

    fn relation_mut(&mut self, name: &ChildName) -> Result<&mut Relation> {
        let found = self.metadata.relations.get_mut(name).ok_or_else(|| not_found(name))?;
        Ok(Arc::make_mut(found))
    }
}

fn has_column(table: &crate::table::Table, column: &str) -> bool {
    table.definition.columns.iter().any(|one| one.name == column)
}

/// Refuses what no relation can say, whatever there is.
fn check_content(content: &RelationContent) -> Result<()> {
    check_description("relation.description", &content.description)?;
    let refused = |field: &str, message: String| invalid(message.clone()).field(field, message);
    match &content.target {
        RelationEnd::BusinessData(target) if *target == content.source => {
            Err(refused("relation.target", format!("{target} has no relation to itself")))
        }
        RelationEnd::Table { .. }
            if matches!(content.kind, RelationKind::SameAs | RelationKind::PartOf) =>
        {
            let kind = content.kind.as_str();
            let message = format!(
                "{kind} is between business data: use describes, derived-from or related-to"
            );
            Err(refused("relation.kind", message))
        }
        _ => Ok(()),
    }
}
