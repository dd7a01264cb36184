//! Categories: how meta-models are arranged.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_types::Result;

use super::CategoryAction;
use crate::bounds::{self, Bounds};
use crate::child_name::{ChildName, Collection};
use crate::entry::{check_description, check_title, children, of_collection};
use crate::name::ResourceName;
use crate::state::{Catalog, Stamp, already_exists, check_etag, not_found, precondition};

/// A category of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// Its name: `tenants/{tenant}/categories/{id}`.
    pub name: ChildName,
    /// What people call it.
    pub title: String,
    /// What it is.
    pub description: String,
    /// The one above it; none: it is at the top.
    pub parent: Option<ChildName>,
    /// When it was created, milliseconds since the epoch.
    pub created_ms: i64,
    /// When it was last changed, milliseconds since the epoch.
    pub updated_ms: i64,
    /// Changes with every change of it; its etag.
    pub revision: u64,
}

impl Catalog {
    /// A category.
    pub fn category(&self, name: &ChildName) -> Option<&Category> {
        self.metadata.categories.get(name).map(Arc::as_ref)
    }

    pub(super) fn apply_category(
        &mut self,
        stamp: Stamp,
        action: CategoryAction,
    ) -> Result<ResourceName> {
        match action {
            CategoryAction::Create { category, title, description, parent } => {
                self.create_category(stamp, category, title, description, parent)
            }
            CategoryAction::Update { category: name, etag, title, description, parent } => {
                let found = self.category_ref(&name)?;
                check_etag(&name, found.revision, etag)?;
                title.as_ref().map_or(Ok(()), |title| check_title("category.title", title))?;
                let text = description.as_deref().unwrap_or("");
                check_description("category.description", text)?;
                if let Some(parent) = &parent {
                    self.check_place(&name, parent.as_ref())?;
                }
                let Some(found) = self.metadata.categories.get_mut(&name) else {
                    return Err(not_found(&name));
                };
                let changed = Arc::make_mut(found);
                changed.title = title.unwrap_or_else(|| changed.title.clone());
                changed.description = description.unwrap_or_else(|| changed.description.clone());
                changed.parent = parent.unwrap_or_else(|| changed.parent.clone());
                changed.updated_ms = stamp.now_ms;
                changed.revision = stamp.revision;
                Ok(name.into())
            }
            CategoryAction::Delete { category: name, etag } => {
                check_etag(&name, self.category_ref(&name)?.revision, etag)?;
                if let Some(user) = self.user_of_category(&name) {
                    return Err(precondition(format!("delete {name}: {user} is in it"))
                        .help("move or delete what is in it first"));
                }
                self.metadata.categories.remove(&name);
                Ok(name.into())
            }
        }
    }

    fn create_category(
        &mut self,
        stamp: Stamp,
        name: ChildName,
        title: String,
        description: String,
        parent: Option<ChildName>,
    ) -> Result<ResourceName> {
        of_collection(&name, Collection::Categories)?;
        check_title("category.title", &title)?;
        check_description("category.description", &description)?;
        self.open_tenant_of(name.owner())?;
        if self.metadata.categories.contains_key(&name) {
            return Err(already_exists(&name));
        }
        let have = children(&self.metadata.categories, name.owner(), Collection::Categories);
        bounds::room("categories of the tenant", have.count(), Bounds::CATEGORIES)?;
        self.check_place(&name, parent.as_ref())?;
        let category = Category {
            name: name.clone(),
            title,
            description,
            parent,
            created_ms: stamp.now_ms,
            updated_ms: stamp.now_ms,
            revision: stamp.revision,
        };
        self.metadata.categories.insert(name.clone(), Arc::new(category));
        Ok(name.into())
    }

    /// Refuses a place below itself, in another tenant, or too deep with what is below it.
    fn check_place(&self, name: &ChildName, parent: Option<&ChildName>) -> Result<()> {
        let Some(parent) = parent else { return Ok(()) };
        let same = parent.is_in(name.owner(), Collection::Categories);
        if !same || self.category(parent).is_none() {
            let why = "it is no category of this tenant";
            return Err(not_found(parent).field("category.parent", why));
        }
        let refused =
            |message: String| precondition(message.clone()).field("category.parent", message);
        let mut depth = 1 + self.height(name);
        let mut above = Some(parent);
        while let Some(at) = above {
            if at == name {
                return Err(refused(format!("{name} cannot be below itself")));
            }
            depth += 1;
            if depth > Bounds::CATEGORY_DEPTH {
                let most = Bounds::CATEGORY_DEPTH;
                return Err(refused(format!("{name} would be more than {most} categories deep")));
            }
            above = self.category(at).and_then(|category| category.parent.as_ref());
        }
        Ok(())
    }

    /// How many levels are below a category.
    fn height(&self, name: &ChildName) -> usize {
        let below = |of: &[&ChildName]| -> Vec<&ChildName> {
            let all = children(&self.metadata.categories, name.owner(), Collection::Categories);
            let below = all.filter(|one| one.parent.as_ref().is_some_and(|up| of.contains(&up)));
            below.map(|one| &one.name).collect()
        };
        let mut level = below(&[name]);
        let mut height = 0;
        while !level.is_empty() && height < Bounds::CATEGORY_DEPTH {
            height += 1;
            level = below(&level);
        }
        height
    }

    fn user_of_category(&self, name: &ChildName) -> Option<String> {
        let mut below = children(&self.metadata.categories, name.owner(), Collection::Categories);
        let below = below.find(|one| one.parent.as_ref() == Some(name)).map(|one| &one.name);
        below
            .or_else(|| {
                let mut models =
                    children(&self.metadata.models, name.owner(), Collection::MetaModels);
                let uses = |one: &&super::MetaModel| {
                    one.entry.contents().any(|content| content.category == *name)
                };
                models.find(uses).map(|one| &one.entry.name)
            })
            .map(ToString::to_string)
    }

    /// A category; `NOT_FOUND`.
    pub(super) fn category_ref(&self, name: &ChildName) -> Result<&Category> {
        self.category(name).ok_or_else(|| not_found(name))
    }
}
