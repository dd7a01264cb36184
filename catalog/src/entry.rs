//! What has a draft, which is changed at will, and a version that was approved, which everybody sees.

use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_types::Result;

use crate::bounds::{self, Bounds, invalid};
use crate::child_name::{ChildName, Collection};
use crate::page::{Page, PageRequest, page};
use crate::scope::Scope;
use crate::shared::SharedMap;
use crate::state::{Catalog, Stamp, check_etag, not_found, precondition};

/// A thing of a tenant or project that is published by an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry<T> {
    /// Its name.
    pub name: ChildName,
    /// As it is edited.
    pub draft: T,
    /// As everybody sees it; none: only those see it who edit or approve it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<Published<T>>,
    /// Who created it.
    pub owner: String,
    /// When it was created, milliseconds since the epoch.
    pub created_ms: i64,
    /// When it was last changed, milliseconds since the epoch.
    pub updated_ms: i64,
    /// Changes with every change of it; its etag.
    pub revision: u64,
}

/// Something as it was approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published<T> {
    /// As it was when that was asked for.
    pub content: T,
    /// When it was approved, milliseconds since the epoch.
    pub published_ms: i64,
    /// The approval.
    pub approval: ChildName,
}

/// Which entries are looked for; what is empty is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryFilter {
    /// Only those that are published, by what is published of them.
    pub published: bool,
    /// Those whose id or texts have this in them, in lower case.
    pub search: String,
    /// Of this owner.
    pub owner: String,
}

/// What entries hold.
pub trait Content: Clone + PartialEq {
    /// The texts that it is found by.
    fn texts(&self) -> Vec<&str>;
}

impl<T: Content> Entry<T> {
    pub(crate) fn new(stamp: Stamp, name: ChildName, draft: T, owner: String) -> Self {
        Self {
            name,
            draft,
            published: None,
            owner,
            created_ms: stamp.now_ms,
            updated_ms: stamp.now_ms,
            revision: stamp.revision,
        }
    }

    /// Whether the draft is not what is published.
    pub fn is_changed(&self) -> bool {
        self.published.as_ref().is_none_or(|published| published.content != self.draft)
    }

    /// What somebody sees of it: the draft, or what is published.
    pub fn seen(&self, published: bool) -> Option<&T> {
        match published {
            false => Some(&self.draft),
            true => self.published.as_ref().map(|published| &published.content),
        }
    }

    pub(crate) fn touch(&mut self, stamp: Stamp) -> &mut Self {
        self.updated_ms = stamp.now_ms;
        self.revision = stamp.revision;
        self
    }

    pub(crate) fn publish(&mut self, stamp: Stamp, content: T, approval: &ChildName) {
        let (published_ms, approval) = (stamp.now_ms, approval.clone());
        self.touch(stamp).published = Some(Published { content, published_ms, approval });
    }

    /// Takes it from everybody's eyes; `FAILED_PRECONDITION` if it is not before them.
    pub(crate) fn unpublish(&mut self, stamp: Stamp) -> Result<()> {
        if self.published.is_none() {
            return Err(precondition(format!("{} is not published", self.name)));
        }
        self.touch(stamp).published = None;
        Ok(())
    }

    /// Refuses to ask for what is so already, or is not what the caller has seen.
    pub(crate) fn check_asked(&self, etag: Option<u64>) -> Result<()> {
        check_etag(&self.name, self.revision, etag)?;
        if self.is_changed() {
            return Ok(());
        }
        Err(precondition(format!("{} is published as it is", self.name)))
    }

    /// What anybody may see of it, of the draft or of what is published.
    pub(crate) fn contents(&self) -> impl Iterator<Item = &T> {
        let published = self.published.iter().map(|published| &published.content);
        [&self.draft].into_iter().chain(published)
    }

    pub(crate) fn takes(&self, filter: &EntryFilter) -> bool {
        let Some(seen) = self.seen(filter.published) else { return false };
        let has = |text: &str| text.to_lowercase().contains(&filter.search);
        (filter.owner.is_empty() || self.owner == filter.owner)
            && (filter.search.is_empty()
                || has(self.name.id())
                || seen.texts().into_iter().any(has))
    }
}

/// Refuses a title that is none or too long.
pub(crate) fn check_title(field: &str, title: &str) -> Result<()> {
    if title.trim().is_empty() {
        let message = "it has no title: say what people call it";
        return Err(invalid(message).field(field, message));
    }
    bounds::text("the title", title, Bounds::TITLE_BYTES)
        .map_err(|error| error.field(field, "shorten it"))
}

/// Refuses a description that is too long.
pub(crate) fn check_description(field: &str, text: &str) -> Result<()> {
    bounds::text("the description", text, Bounds::DESCRIPTION_BYTES)
        .map_err(|error| error.field(field, "shorten it"))
}

/// What is wrong with several fields, as one error; nothing if there is nothing.
pub(crate) fn violations(about: &str, found: Vec<(String, String)>) -> Result<()> {
    let Some((field, why)) = found.first() else { return Ok(()) };
    let more = match found.len() {
        1 => String::new(),
        count => format!(", and {} more", count - 1),
    };
    let error = invalid(format!("{about}: {field}: {why}{more}"));
    let shown = found.into_iter().take(Bounds::VIOLATIONS);
    Err(shown.fold(error, |error, (field, why)| error.field(field, why)))
}

impl Catalog {
    /// The tenant of a scope that changes are made in; `NOT_FOUND`, `PROJECT_ARCHIVED`.
    pub(crate) fn open_tenant_of(&self, scope: &Scope) -> Result<String> {
        match scope {
            Scope::Project(id) => Ok(self.open_project(id)?.tenant.clone()),
            Scope::Tenant(id) => {
                self.tenant(id).map(|tenant| tenant.id.clone()).ok_or_else(|| not_found(scope))
            }
            Scope::System => Err(not_found(scope)),
        }
    }

    /// Whether something of a scope may be used in another: that of a tenant everywhere in it, that of a project there.
    pub(crate) fn is_usable_in(&self, of: &Scope, place: &Scope) -> bool {
        match (of, place) {
            (Scope::Tenant(tenant), Scope::Project(id)) => {
                self.project(id).is_some_and(|project| project.tenant == *tenant)
            }
            _ => of == place,
        }
    }

    /// Refuses what is in no scope that is there.
    pub(crate) fn has_scope(&self, scope: &Scope) -> Result<()> {
        let there = match scope {
            Scope::System => false,
            Scope::Tenant(id) => self.tenant(id).is_some(),
            Scope::Project(id) => self.project(id).is_some(),
        };
        if there { Ok(()) } else { Err(not_found(scope)) }
    }

    /// Things of a collection that a tenant or project has, by id; only those of which this is true.
    pub(crate) fn list_children<V>(
        &self,
        map: &SharedMap<ChildName, V>,
        owner: &Scope,
        collection: Collection,
        request: &PageRequest,
        wanted: impl Fn(&V) -> bool,
    ) -> Result<Page<Arc<V>>> {
        self.has_scope(owner)?;
        let first = ChildName::before(owner.clone(), collection);
        page(&format!("{owner}/{}", collection.text()), request, |after| {
            let from = match after {
                Some(id) => Bound::Excluded(ChildName::new(owner.clone(), collection, id)?),
                None => Bound::Included(first),
            };
            let rest = map.range((from, Bound::Unbounded));
            let rest = rest.take_while(move |(name, _)| name.is_in(owner, collection));
            let rest = rest.filter(move |(_, value)| wanted(value));
            Ok(rest.map(|(name, value)| (name.id().to_owned(), value.clone())))
        })
    }
}

/// Of some things, those of a collection that a tenant or project has, by id; only those of which this is true. For what an
/// index finds: all names are looked at.
pub(crate) fn list_some<'a, V: 'a>(
    map: &SharedMap<ChildName, V>,
    names: impl Iterator<Item = &'a ChildName>,
    owner: &Scope,
    collection: Collection,
    request: &PageRequest,
    wanted: impl Fn(&V) -> bool,
) -> Result<Page<Arc<V>>> {
    let names = names.filter(|name| name.is_in(owner, collection));
    let found = names.filter_map(|name| Some((name.id().to_owned(), map.get(name)?.clone())));
    page(&format!("{owner}/{}", collection.text()), request, |after| {
        let rest = found.filter(move |(id, _)| after.as_ref().is_none_or(|after| id > after));
        Ok(rest.filter(move |(_, value)| wanted(value)))
    })
}

/// Those of a collection that a tenant or project has.
pub(crate) fn children<'a, V>(
    map: &'a SharedMap<ChildName, V>,
    owner: &Scope,
    collection: Collection,
) -> impl Iterator<Item = &'a V> {
    let owner = owner.clone();
    let rest = map.range(ChildName::before(owner.clone(), collection)..);
    rest.take_while(move |(name, _)| name.is_in(&owner, collection))
        .map(|(_, value)| value.as_ref())
}

/// Refuses a name of another collection.
pub(crate) fn of_collection(name: &ChildName, collection: Collection) -> Result<()> {
    if name.collection() == collection {
        return Ok(());
    }
    Err(invalid(format!("'{name}' is not the name of a {}", collection.singular())))
}
