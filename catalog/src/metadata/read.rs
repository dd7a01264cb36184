//! Reading business metadata.

use std::ops::Bound;
use std::sync::Arc;

use tidegate_types::Result;

use super::{BusinessData, Category, MetaModel, Relation, RelationKind, Tag, indexed};
use crate::child_name::{ChildName, Collection};
use crate::entry::{EntryFilter, list_some};
use crate::name::ResourceName;
use crate::page::{Page, PageRequest, page};
use crate::scope::Scope;
use crate::state::Catalog;

/// Which meta-models are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetaModelFilter {
    /// What is asked for of all entries.
    pub entry: EntryFilter,
    /// In this category.
    pub category: Option<ChildName>,
}

/// Which business data are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BusinessDataFilter {
    /// What is asked for of all entries.
    pub entry: EntryFilter,
    /// Of this model.
    pub model: Option<ChildName>,
    /// With this tag.
    pub tag: Option<ChildName>,
}

/// Which relations are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RelationFilter {
    /// What is asked for of all entries.
    pub entry: EntryFilter,
    /// That lead from or to this.
    pub end: Option<ResourceName>,
    /// Of this kind.
    pub kind: Option<RelationKind>,
}

impl Catalog {
    /// Categories of a tenant by id, below this one, or at the top, or all; `NOT_FOUND` if there is no such tenant.
    pub fn list_categories(
        &self,
        tenant: &Scope,
        below: Option<Option<&ChildName>>,
        request: &PageRequest,
    ) -> Result<Page<Arc<Category>>> {
        let map = &self.metadata.categories;
        self.list_children(map, tenant, Collection::Categories, request, move |category| {
            below.is_none_or(|below| category.parent.as_ref() == below)
        })
    }

    /// Meta-models of a tenant by id; `NOT_FOUND` if there is no such tenant.
    pub fn list_meta_models(
        &self,
        tenant: &Scope,
        filter: &MetaModelFilter,
        request: &PageRequest,
    ) -> Result<Page<Arc<MetaModel>>> {
        let map = &self.metadata.models;
        self.list_children(map, tenant, Collection::MetaModels, request, |model| {
            let seen = model.entry.seen(filter.entry.published);
            model.entry.takes(&filter.entry)
                && filter
                    .category
                    .as_ref()
                    .is_none_or(|wanted| seen.is_some_and(|seen| seen.category == *wanted))
        })
    }

    /// Business data of a tenant or project by id; `NOT_FOUND` if there is no such one.
    pub fn list_business_data(
        &self,
        owner: &Scope,
        filter: &BusinessDataFilter,
        request: &PageRequest,
    ) -> Result<Page<Arc<BusinessData>>> {
        let map = &self.metadata.business_data;
        self.list_children(map, owner, Collection::BusinessData, request, |data| {
            let has = |tag: &ChildName| {
                let key = (data.entry.name.to_string(), tag.clone());
                self.metadata.taggings.contains_key(&key)
            };
            filter.model.as_ref().is_none_or(|model| data.model == *model)
                && data.entry.takes(&filter.entry)
                && filter.tag.as_ref().is_none_or(has)
        })
    }

    /// Relations of a tenant or project by id; `NOT_FOUND` if there is no such one.
    pub fn list_relations(
        &self,
        owner: &Scope,
        filter: &RelationFilter,
        request: &PageRequest,
    ) -> Result<Page<Arc<Relation>>> {
        let takes = |relation: &Relation| {
            let seen = relation.entry.seen(filter.entry.published);
            relation.entry.takes(&filter.entry)
                && (!filter.entry.published || self.is_seen(relation))
                && filter.kind.is_none_or(|kind| seen.is_some_and(|seen| seen.kind == kind))
        };
        let (map, collection) = (&self.metadata.relations, Collection::Relations);
        let Some(end) = &filter.end else {
            return self.list_children(map, owner, collection, request, takes);
        };
        self.has_scope(owner)?;
        let names = indexed(&self.index.metadata.relations_of, &end.to_string());
        list_some(map, names, owner, collection, request, takes)
    }

    /// Relations that lead from or to something, by name; there are at most [`crate::Bounds::OBJECT_RELATIONS`].
    pub fn relations_of(&self, object: &ResourceName) -> impl Iterator<Item = &Relation> {
        let names = indexed(&self.index.metadata.relations_of, &object.to_string());
        names.filter_map(|name| self.relation(name))
    }

    /// Tags of a tenant by id, or only those that something has; `NOT_FOUND` if there is no such tenant.
    pub fn list_tags(
        &self,
        tenant: &Scope,
        object: Option<&ResourceName>,
        request: &PageRequest,
    ) -> Result<Page<Arc<Tag>>> {
        let object = object.map(ToString::to_string);
        let map = &self.metadata.tags;
        self.list_children(map, tenant, Collection::Tags, request, move |tag| {
            object.as_ref().is_none_or(|object| {
                self.metadata.taggings.contains_key(&(object.clone(), tag.name.clone()))
            })
        })
    }

    /// What has a tag, by name, of what is visible; `NOT_FOUND` if there is no such tag.
    pub fn list_tagged(
        &self,
        tag: &ChildName,
        request: &PageRequest,
        visible: impl Fn(&ResourceName) -> bool,
    ) -> Result<Page<ResourceName>> {
        self.tag_ref(tag)?;
        page(&format!("{tag}/objects"), request, |after| {
            let from = match after {
                Some(last) => Bound::Excluded((tag.clone(), last)),
                None => Bound::Included((tag.clone(), String::new())),
            };
            let rest = self.index.metadata.tagged.range((from, Bound::Unbounded));
            let rest = rest.take_while(move |(other, _)| other == tag);
            let rest = rest.filter_map(|(_, object)| Some((object.clone(), object.parse().ok()?)));
            Ok(rest.filter(move |(_, object)| visible(object)))
        })
    }
}
