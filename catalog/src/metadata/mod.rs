//! Business metadata: what the data of a tenant mean, in the words of those who use them.
//!
//! Categories arrange meta-models; a meta-model says which attributes its business data have; relations lead from
//! business data to others and to tables and columns; tags mark what belongs together. What is published of models,
//! data and relations is what somebody else has approved ([`crate::Entry`]).

mod apply;
mod attribute;
mod business_data;
mod category;
mod command;
mod model;
mod read;
mod relation;
mod tag;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use attribute::{Attribute, AttributeType};
pub(crate) use attribute::{is_date, is_number};
pub use business_data::{BusinessData, BusinessDataContent};
pub use category::Category;
pub use command::{
    BusinessDataAction, CategoryAction, MetaModelAction, MetadataAction, RelationAction, TagAction,
};
pub use model::{MetaModel, MetaModelContent};
pub use read::{BusinessDataFilter, MetaModelFilter, RelationFilter};
pub use relation::{Relation, RelationContent, RelationEnd, RelationKind};
pub use tag::{Tag, Tagging};

use crate::child_name::ChildName;
use crate::persistent::PersistentSet;
use crate::shared::{self, SharedMap};
use crate::state::Catalog;

/// All business metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MetadataBook {
    #[serde(with = "shared")]
    pub(crate) categories: SharedMap<ChildName, Category>,
    #[serde(with = "shared")]
    pub(crate) models: SharedMap<ChildName, MetaModel>,
    #[serde(with = "shared")]
    pub(crate) business_data: SharedMap<ChildName, BusinessData>,
    #[serde(with = "shared")]
    pub(crate) relations: SharedMap<ChildName, Relation>,
    #[serde(with = "shared")]
    pub(crate) tags: SharedMap<ChildName, Tag>,
    #[serde(with = "shared::listed")]
    pub(crate) taggings: SharedMap<(String, ChildName), Tagging>,
}

/// What is found by what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MetadataIndex {
    /// Business data by their model.
    pub(crate) of_model: PersistentSet<(ChildName, ChildName)>,
    /// Relations by the names of what they lead from and to.
    pub(crate) relations_of: PersistentSet<(String, ChildName)>,
    /// Business data by the names of those that their values name.
    pub(crate) referring: PersistentSet<(String, ChildName)>,
    /// Names of what has a tag, by tag.
    pub(crate) tagged: PersistentSet<(ChildName, String)>,
}

impl Catalog {
    /// Computes what business metadata are found by anew.
    pub(crate) fn rebuild_metadata_index(&mut self) {
        let mut index = MetadataIndex::default();
        for data in self.metadata.business_data.values() {
            let name = &data.entry.name;
            index.of_model.insert((data.model.clone(), name.clone()));
            for other in data.references() {
                index.referring.insert((other, name.clone()));
            }
        }
        for relation in self.metadata.relations.values() {
            for end in relation.ends() {
                index.relations_of.insert((end, relation.entry.name.clone()));
            }
        }
        for tagging in self.metadata.taggings.values() {
            index.tagged.insert((tagging.tag.clone(), tagging.object.to_string()));
        }
        self.index.metadata = index;
    }
}

/// Changes what something names in an index.
fn reindex(
    index: &mut PersistentSet<(String, ChildName)>,
    name: &ChildName,
    before: &BTreeSet<String>,
    after: &BTreeSet<String>,
) {
    for gone in before.difference(after) {
        index.remove(&(gone.clone(), name.clone()));
    }
    for new in after.difference(before) {
        index.insert((new.clone(), name.clone()));
    }
}

/// What stands in an index under a name.
fn indexed<'a>(
    index: &'a PersistentSet<(String, ChildName)>,
    name: &str,
) -> impl Iterator<Item = &'a ChildName> + use<'a> {
    let name = name.to_owned();
    let rest = index.range((name.clone(), ChildName::least())..);
    rest.take_while(move |(other, _)| *other == name).map(|(_, user)| user)
}
