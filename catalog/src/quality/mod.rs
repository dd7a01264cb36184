//! Quality rules: what the rows of a table must be like. They are kept, checked against the table's columns and published
//! here; nothing here looks at rows.

mod apply;
mod check;
mod read;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use apply::QualityAction;
pub use check::RuleCheck;
pub use read::QualityRuleFilter;

use crate::child_name::ChildName;
use crate::entry::{Content, Entry};
use crate::persistent::PersistentSet;
use crate::shared::{self, SharedMap};
use crate::table::TableName;

/// A rule of a project: `projects/{project}/qualityRules/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QualityRule {
    /// The rule as it is edited and as it is published.
    pub entry: Entry<QualityRuleContent>,
    /// The table of the project whose rows it is about.
    pub table: TableName,
}

/// What a rule says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QualityRuleContent {
    /// What people call it.
    pub title: String,
    /// Why.
    pub description: String,
    /// How bad it is when rows are not like that.
    pub severity: Severity,
    /// Whether it counts.
    pub enabled: bool,
    /// What rows must be like.
    pub check: RuleCheck,
}

/// How bad it is when a rule does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Somebody should look.
    Warning,
    /// The data are not to be used.
    Error,
}

impl Content for QualityRuleContent {
    fn texts(&self) -> Vec<&str> {
        vec![&self.title, &self.description]
    }
}

/// All rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QualityBook {
    #[serde(with = "shared")]
    pub(crate) rules: SharedMap<ChildName, QualityRule>,
}

/// Rules by the table that they are about.
pub(crate) type RulesOn = PersistentSet<(TableName, ChildName)>;
