//! Tags: words of the tenant that mark what belongs together.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_types::Result;

use super::TagAction;
use crate::bounds::{self, Bounds, invalid};
use crate::child_name::{ChildName, Collection};
use crate::entry::{check_description, check_title, children, of_collection};
use crate::name::ResourceName;
use crate::scope::Scope;
use crate::shared::listed::Keyed;
use crate::state::{Catalog, Stamp, already_exists, check_etag, not_found, precondition};

/// A tag of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tag {
    /// Its name: `tenants/{tenant}/tags/{id}`.
    pub name: ChildName,
    /// What people call it.
    pub title: String,
    /// What it is.
    pub description: String,
    /// When it was created, milliseconds since the epoch.
    pub created_ms: i64,
    /// When it was last changed, milliseconds since the epoch.
    pub updated_ms: i64,
    /// Changes with every change of it; its etag.
    pub revision: u64,
}

/// That something has a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tagging {
    /// The tag.
    pub tag: ChildName,
    /// What has it.
    pub object: ResourceName,
    /// Who gave it.
    pub creator: String,
    /// Since when, milliseconds since the epoch.
    pub created_ms: i64,
}

impl Keyed<(String, ChildName)> for Tagging {
    fn key(&self) -> (String, ChildName) {
        (self.object.to_string(), self.tag.clone())
    }
}

impl Catalog {
    /// A tag.
    pub fn tag(&self, name: &ChildName) -> Option<&Tag> {
        self.metadata.tags.get(name).map(Arc::as_ref)
    }

    /// The tags that something has, by name; there are at most [`Bounds::OBJECT_TAGS`].
    pub fn tags_on<'a>(&'a self, object: &ResourceName) -> impl Iterator<Item = &'a Tag> + use<'a> {
        let object = object.to_string();
        let rest = self.metadata.taggings.range((object.clone(), ChildName::least())..);
        let rest = rest.take_while(move |((other, _), _)| *other == object);
        rest.filter_map(|((_, tag), _)| self.tag(tag))
    }

    /// Whether something has a tag of this id, title or name.
    pub(crate) fn has_tag(&self, object: &ResourceName, text: &str) -> bool {
        let is_it =
            |tag: &Tag| tag.name.id() == text || tag.title == text || tag.name.to_string() == text;
        self.tags_on(object).any(is_it)
    }

    pub(super) fn apply_tag(&mut self, stamp: Stamp, action: TagAction) -> Result<ResourceName> {
        match action {
            TagAction::Create { tag, title, description } => {
                self.create_tag(stamp, tag, title, description)
            }
            TagAction::Update { tag: name, etag, title, description } => {
                check_etag(&name, self.tag_ref(&name)?.revision, etag)?;
                title.as_ref().map_or(Ok(()), |title| check_title("tag.title", title))?;
                check_description("tag.description", description.as_deref().unwrap_or(""))?;
                let Some(found) = self.metadata.tags.get_mut(&name) else {
                    return Err(not_found(&name));
                };
                let changed = Arc::make_mut(found);
                changed.title = title.unwrap_or_else(|| changed.title.clone());
                changed.description = description.unwrap_or_else(|| changed.description.clone());
                changed.updated_ms = stamp.now_ms;
                changed.revision = stamp.revision;
                for object in self.objects_with(&name).collect::<Vec<_>>() {
                    self.changes.note(stamp.revision, &object);
                }
                Ok(name.into())
            }
            TagAction::Delete { tag: name, etag, force } => {
                check_etag(&name, self.tag_ref(&name)?.revision, etag)?;
                let objects: Vec<ResourceName> = self.objects_with(&name).collect();
                if let Some(object) = objects.first().filter(|_| !force) {
                    let count = objects.len();
                    return Err(precondition(format!(
                        "delete {name}: {object} has it, of {count}"
                    ))
                    .help("take it from what has it first, or force it"));
                }
                for object in objects {
                    self.remove_tagging(&name, &object);
                    self.changes.note(stamp.revision, &object);
                }
                self.metadata.tags.remove(&name);
                Ok(name.into())
            }
            TagAction::Attach { tag, object, creator } => {
                bounds::text("the creator", &creator, Bounds::LABEL_BYTES)?;
                self.tag_ref(&tag)?;
                self.check_taggable(tag.owner(), &object)?;
                let key = (object.to_string(), tag.clone());
                if !self.metadata.taggings.contains_key(&key) {
                    let have = self.tags_on(&object).count();
                    bounds::room(&format!("tags of {object}"), have, Bounds::OBJECT_TAGS)?;
                    let all = self.metadata.taggings.len();
                    bounds::room("things with tags", all, Bounds::TAGGINGS)?;
                    let created_ms = stamp.now_ms;
                    let tagging =
                        Tagging { tag: tag.clone(), object: object.clone(), creator, created_ms };
                    self.index.metadata.tagged.insert((tag.clone(), key.0.clone()));
                    self.metadata.taggings.insert(key, Arc::new(tagging));
                    self.changes.note(stamp.revision, &object);
                }
                Ok(tag.into())
            }
            TagAction::Detach { tag, object } => {
                self.tag_ref(&tag)?;
                if !self.metadata.taggings.contains_key(&(object.to_string(), tag.clone())) {
                    return Err(not_found(&format!("{tag} of {object}")));
                }
                self.remove_tagging(&tag, &object);
                self.changes.note(stamp.revision, &object);
                Ok(tag.into())
            }
        }
    }

    fn create_tag(
        &mut self,
        stamp: Stamp,
        name: ChildName,
        title: String,
        description: String,
    ) -> Result<ResourceName> {
        of_collection(&name, Collection::Tags)?;
        check_title("tag.title", &title)?;
        check_description("tag.description", &description)?;
        self.open_tenant_of(name.owner())?;
        if self.metadata.tags.contains_key(&name) {
            return Err(already_exists(&name));
        }
        let have = children(&self.metadata.tags, name.owner(), Collection::Tags).count();
        bounds::room("tags of the tenant", have, Bounds::TAGS)?;
        let tag = Tag {
            name: name.clone(),
            title,
            description,
            created_ms: stamp.now_ms,
            updated_ms: stamp.now_ms,
            revision: stamp.revision,
        };
        self.metadata.tags.insert(name.clone(), Arc::new(tag));
        Ok(name.into())
    }

    /// Refuses what has no tags, and what is of another tenant, as if it were not there.
    fn check_taggable(&self, tenant: &Scope, object: &ResourceName) -> Result<()> {
        let of_project = |id: &str| {
            let project = self.open_project(id)?;
            Ok::<_, tidegate_types::Error>(Scope::Tenant(project.tenant.clone()) == *tenant)
        };
        let there = match object {
            ResourceName::Table(table) => {
                self.table(table).is_some() && of_project(table.project())?
            }
            ResourceName::Child(name) => {
                let there = match name.collection() {
                    Collection::Databases => self.database(name).is_some(),
                    Collection::BusinessData => self.business_data(name).is_some(),
                    _ => return Err(not_taggable(object)),
                };
                there
                    && match name.owner() {
                        Scope::Project(id) => of_project(id)?,
                        owner => owner == tenant,
                    }
            }
            _ => return Err(not_taggable(object)),
        };
        if there { Ok(()) } else { Err(not_found(object).field("object", "it does not exist")) }
    }

    /// Names of what has a tag.
    pub(super) fn objects_with(&self, tag: &ChildName) -> impl Iterator<Item = ResourceName> {
        let tag = tag.clone();
        let rest = self.index.metadata.tagged.range((tag.clone(), String::new())..);
        let rest = rest.take_while(move |(other, _)| *other == tag);
        rest.filter_map(|(_, object)| object.parse().ok())
    }

    /// Takes all tags from something that is deleted.
    pub(super) fn untag(&mut self, object: &ResourceName) {
        let tags: BTreeSet<ChildName> = self.tags_on(object).map(|tag| tag.name.clone()).collect();
        for tag in tags {
            self.remove_tagging(&tag, object);
        }
    }

    fn remove_tagging(&mut self, tag: &ChildName, object: &ResourceName) {
        let object = object.to_string();
        self.metadata.taggings.remove(&(object.clone(), tag.clone()));
        self.index.metadata.tagged.remove(&(tag.clone(), object));
    }

    pub(super) fn tag_ref(&self, name: &ChildName) -> Result<&Tag> {
        self.tag(name).ok_or_else(|| not_found(name))
    }
}

fn not_taggable(object: &ResourceName) -> tidegate_types::Error {
    let message = format!("{object} has no tags: name a table, a database or business data");
    invalid(message.clone()).field("object", message)
}
