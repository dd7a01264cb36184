//! Changing business metadata.

use tidegate_types::Result;

use super::MetadataAction;
use crate::name::ResourceName;
use crate::scope::Scope;
use crate::state::{Catalog, Stamp};

impl Catalog {
    pub(crate) fn apply_metadata(
        &mut self,
        stamp: Stamp,
        action: MetadataAction,
    ) -> Result<ResourceName> {
        match action {
            MetadataAction::Category(action) => self.apply_category(stamp, action),
            MetadataAction::MetaModel(action) => self.apply_meta_model(stamp, action),
            MetadataAction::BusinessData(action) => self.apply_business_data(stamp, action),
            MetadataAction::Relation(action) => self.apply_relation(stamp, action),
            MetadataAction::Tag(action) => self.apply_tag(stamp, action),
        }
    }

    /// Takes what leads to something that is deleted: its tags, and relations.
    pub(crate) fn lose(&mut self, stamp: Stamp, object: &ResourceName) {
        self.untag(object);
        self.lose_relations(stamp, object);
    }

    /// The first of the business metadata that a tenant or project has.
    pub(crate) fn metadata_of(&self, owner: &Scope) -> Option<String> {
        let book = &self.metadata;
        let of = |name: &crate::child_name::ChildName| name.owner() == owner;
        let categories = book.categories.keys().find(|name| of(name));
        categories
            .or_else(|| book.models.keys().find(|name| of(name)))
            .or_else(|| book.business_data.keys().find(|name| of(name)))
            .or_else(|| book.relations.keys().find(|name| of(name)))
            .or_else(|| book.tags.keys().find(|name| of(name)))
            .map(ToString::to_string)
    }
}
