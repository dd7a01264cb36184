//! To have everybody see something with a draft as it is now: who decides that, and what it does.

use serde::{Deserialize, Serialize};
use tidegate_types::Result;

use super::subject::{GLOBAL_DATA_ADMIN, PROJECT_DATA_ADMIN};
use crate::child_name::ChildName;
use crate::metadata::{BusinessDataContent, MetaModelContent, RelationContent};
use crate::quality::QualityRuleContent;
use crate::scope::Scope;
use crate::state::{Catalog, Stamp};

/// Approves business data and relations.
const DATA_ASSET_MANAGER: &str = "data-asset-manager";

/// What everybody is to see, as it was when that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Publish {
    /// A meta-model.
    MetaModel {
        /// Its name.
        name: ChildName,
        /// What it says.
        content: Box<MetaModelContent>,
    },
    /// Business data.
    BusinessData {
        /// Their name.
        name: ChildName,
        /// What they say.
        content: Box<BusinessDataContent>,
    },
    /// A relation.
    Relation {
        /// Its name.
        name: ChildName,
        /// What it says.
        content: Box<RelationContent>,
    },
    /// A quality rule.
    QualityRule {
        /// Its name.
        name: ChildName,
        /// What it says.
        content: Box<QualityRuleContent>,
    },
}

impl Publish {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::MetaModel { .. } => "PUBLISH_META_MODEL",
            Self::BusinessData { .. } => "PUBLISH_BUSINESS_DATA",
            Self::Relation { .. } => "PUBLISH_RELATION",
            Self::QualityRule { .. } => "PUBLISH_QUALITY_RULE",
        }
    }

    pub(super) fn name(&self) -> &ChildName {
        match self {
            Self::MetaModel { name, .. }
            | Self::BusinessData { name, .. }
            | Self::Relation { name, .. }
            | Self::QualityRule { name, .. } => name,
        }
    }

    pub(super) fn summary(&self) -> String {
        let name = self.name();
        match self {
            Self::MetaModel { content, .. } => {
                let (title, count) = (&content.title, content.attributes.len());
                format!("publish {name} as '{title}' with {count} attributes")
            }
            Self::BusinessData { content, .. } => {
                let (title, count) = (&content.title, content.values.len());
                format!("publish {name} as '{title}' with {count} values")
            }
            Self::Relation { content, .. } => {
                let (kind, source) = (content.kind.as_str(), &content.source);
                format!("publish {name}: {source} {kind} {}", content.target)
            }
            Self::QualityRule { content, .. } => {
                let enabled = if content.enabled { "" } else { ", disabled" };
                format!("publish {name}: {}{enabled}", content.check.summary())
            }
        }
    }

    /// Id of the project that it is in; none: it is the tenant's.
    pub(super) fn project(&self) -> Option<&str> {
        match self.name().owner() {
            Scope::Project(id) => Some(id),
            Scope::Tenant(_) | Scope::System => None,
        }
    }

    pub(super) fn decider(&self, tenant: &str) -> (&'static str, Scope) {
        let of_tenant = Scope::Tenant(tenant.to_owned());
        match self {
            Self::MetaModel { .. } => (GLOBAL_DATA_ADMIN, of_tenant),
            Self::BusinessData { .. } | Self::Relation { .. } => (DATA_ASSET_MANAGER, of_tenant),
            Self::QualityRule { name, .. } => (PROJECT_DATA_ADMIN, name.owner().clone()),
        }
    }
}

impl Catalog {
    /// Lets everybody see it, if it can still be so.
    pub(super) fn publish_entry(
        &mut self,
        stamp: Stamp,
        publish: Publish,
        approval: &ChildName,
    ) -> Result<()> {
        match publish {
            Publish::MetaModel { name, content } => {
                self.publish_meta_model(stamp, &name, *content, approval)
            }
            Publish::BusinessData { name, content } => {
                self.publish_business_data(stamp, &name, *content, approval)
            }
            Publish::Relation { name, content } => {
                self.publish_relation(stamp, &name, *content, approval)
            }
            Publish::QualityRule { name, content } => {
                self.publish_rule(stamp, &name, *content, approval)
            }
        }
    }
}
