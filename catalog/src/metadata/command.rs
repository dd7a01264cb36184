//! What can be done with business metadata.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Attribute, MetaModelContent, RelationContent, RelationKind};
use crate::account::AccountName;
use crate::child_name::ChildName;
use crate::name::ResourceName;

/// A change of business metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum MetadataAction {
    /// Something with categories.
    Category(CategoryAction),
    /// Something with meta-models.
    MetaModel(MetaModelAction),
    /// Something with business data.
    BusinessData(BusinessDataAction),
    /// Something with relations.
    Relation(RelationAction),
    /// Something with tags.
    Tag(TagAction),
}

/// A change of categories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CategoryAction {
    /// Creates one. `ALREADY_EXISTS`; `NOT_FOUND` for the tenant or the one above it.
    Create {
        /// Its name.
        category: ChildName,
        /// What people call it.
        title: String,
        /// What it is.
        description: String,
        /// The one above it; none: it is at the top.
        parent: Option<ChildName>,
    },
    /// Changes what is given. `CONFLICT` if an etag is given and it has another; `FAILED_PRECONDITION` if it would be
    /// below itself or too deep.
    Update {
        /// Its name.
        category: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// What people call it.
        title: Option<String>,
        /// What it is.
        description: Option<String>,
        /// The one above it: none, or that.
        #[serde(
            default,
            skip_serializing_if = "Option::is_none",
            deserialize_with = "crate::shared::given"
        )]
        parent: Option<Option<ChildName>>,
    },
    /// Deletes one that nothing is in. `FAILED_PRECONDITION` for others.
    Delete {
        /// Its name.
        category: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
    },
}

/// A change of meta-models.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum MetaModelAction {
    /// Creates one as a draft. `ALREADY_EXISTS`; `NOT_FOUND` for its category, for models that it names, for managers.
    Create {
        /// Its name.
        meta_model: ChildName,
        /// What it says.
        content: Box<MetaModelContent>,
        /// Who manages its data; nobody: whoever may edit business data.
        managers: BTreeSet<AccountName>,
        /// Who creates it.
        owner: String,
    },
    /// Changes what is given: its draft, and at once who manages its data. `CONFLICT` if an etag is given and it has
    /// another.
    Update {
        /// Its name.
        meta_model: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// What people call it.
        title: Option<String>,
        /// What it is.
        description: Option<String>,
        /// Where it is arranged.
        category: Option<ChildName>,
        /// All attributes anew.
        attributes: Option<Vec<Attribute>>,
        /// Who manages its data.
        managers: Option<BTreeSet<AccountName>>,
    },
    /// Deletes one that has no data and that no other names. `FAILED_PRECONDITION` for others.
    Delete {
        /// Its name.
        meta_model: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
    },
    /// Asks for the approval of its draft. `FAILED_PRECONDITION` if it is published as it is, or that is asked already.
    Publish {
        /// Its name.
        meta_model: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// Who asks.
        requester: String,
        /// Why.
        reason: String,
    },
    /// Takes one that has no data from everybody's eyes. `FAILED_PRECONDITION` for others.
    Unpublish {
        /// Its name.
        meta_model: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
    },
}

/// A change of business data. `PERMISSION_DENIED` for accounts that do not manage the data of the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum BusinessDataAction {
    /// Creates one as a draft. `ALREADY_EXISTS`; `NOT_FOUND` for its model; `FAILED_PRECONDITION` if that is not
    /// published; `INVALID_OPTION` for values that do not fit it.
    Create {
        /// Its name.
        business_data: ChildName,
        /// The model.
        model: ChildName,
        /// What people call it.
        title: String,
        /// What it is.
        description: String,
        /// Values of attributes.
        values: BTreeMap<String, String>,
        /// Who creates it.
        editor: String,
    },
    /// Changes what is given of its draft. `CONFLICT` if an etag is given and it has another.
    Update {
        /// Its name.
        business_data: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// What people call it.
        title: Option<String>,
        /// What it is.
        description: Option<String>,
        /// All values of attributes anew.
        values: Option<BTreeMap<String, String>>,
        /// Who changes it.
        editor: String,
    },
    /// Deletes one that no other names. `FAILED_PRECONDITION` for others. Relations that nobody saw go with it; others
    /// say that they have lost it.
    Delete {
        /// Its name.
        business_data: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// Who deletes it.
        editor: String,
    },
    /// Asks for the approval of its draft. `FAILED_PRECONDITION` if it is published as it is, or that is asked already.
    Publish {
        /// Its name.
        business_data: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// Who asks.
        requester: String,
        /// Why.
        reason: String,
    },
    /// Takes it from everybody's eyes.
    Unpublish {
        /// Its name.
        business_data: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// Who takes it.
        editor: String,
    },
}

/// A change of relations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RelationAction {
    /// Creates one as a draft. `ALREADY_EXISTS`; `NOT_FOUND` for what it leads from or to; `INVALID_OPTION` if such
    /// things have no such relation.
    Create {
        /// Its name.
        relation: ChildName,
        /// What it says.
        content: Box<RelationContent>,
        /// Who creates it.
        owner: String,
    },
    /// Changes what is given of its draft. `CONFLICT` if an etag is given and it has another.
    Update {
        /// Its name.
        relation: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// Its kind.
        kind: Option<RelationKind>,
        /// What it is.
        description: Option<String>,
    },
    /// Deletes it.
    Delete {
        /// Its name.
        relation: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
    },
    /// Asks for the approval of its draft. `FAILED_PRECONDITION` if it is published as it is, that is asked already, or
    /// what it leads from or to is gone.
    Publish {
        /// Its name.
        relation: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// Who asks.
        requester: String,
        /// Why.
        reason: String,
    },
    /// Takes it from everybody's eyes.
    Unpublish {
        /// Its name.
        relation: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
    },
}

/// A change of tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TagAction {
    /// Creates one. `ALREADY_EXISTS`; `NOT_FOUND` for the tenant.
    Create {
        /// Its name.
        tag: ChildName,
        /// What people call it.
        title: String,
        /// What it is.
        description: String,
    },
    /// Changes what is given. `CONFLICT` if an etag is given and it has another.
    Update {
        /// Its name.
        tag: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// What people call it.
        title: Option<String>,
        /// What it is.
        description: Option<String>,
    },
    /// Deletes one that nothing has. `FAILED_PRECONDITION` for others, unless it is forced.
    Delete {
        /// Its name.
        tag: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// Take it from what has it.
        force: bool,
    },
    /// Gives a table, database or business data a tag; who has it keeps it. `NOT_FOUND`, also for things of other
    /// tenants.
    Attach {
        /// The tag.
        tag: ChildName,
        /// To what.
        object: ResourceName,
        /// Who gives it.
        creator: String,
    },
    /// Takes a tag from something. `NOT_FOUND` if it does not have it.
    Detach {
        /// The tag.
        tag: ChildName,
        /// From what.
        object: ResourceName,
    },
}
