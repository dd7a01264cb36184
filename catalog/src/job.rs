//! Jobs and the versions of what they run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidegate_types::Result;

use crate::bounds::{self, Bounds, invalid};
use crate::child_name::ChildName;
use crate::grant::TableUse;
use crate::lineage::TableFlow;
use crate::name::{JobName, VersionName};

/// Who goes first when the cluster is short of resources.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Before all others.
    Critical,
    /// Before normal ones.
    High,
    /// Where nothing else is said.
    #[default]
    Normal,
    /// The first to yield.
    Low,
}

/// A job: what stays the same over its versions and runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Its name.
    pub name: JobName,
    /// A number that no other job has or had, also none of the same name that was deleted.
    pub uid: u64,
    /// What it is, in its owner's words.
    pub description: String,
    /// Labels of its owner.
    pub labels: BTreeMap<String, String>,
    /// Who goes first when resources are short.
    pub priority: Priority,
    /// When it was created, milliseconds since the epoch.
    pub created_ms: i64,
    /// When it was last changed (not its versions or runs), milliseconds since the epoch.
    pub updated_ms: i64,
    /// Changes with every change of the job itself; its etag.
    pub revision: u64,
    /// The number of the last version that was created; 0 before the first.
    pub last_version: u64,
    /// The number of the last run that was started; 0 before the first.
    pub last_run: u64,
}

/// What a version is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionSpec {
    /// The SQL text as it was submitted.
    pub sql: String,
    /// The encoded plan.
    pub plan: String,
    /// Settings by key.
    pub settings: BTreeMap<String, String>,
    /// Parallelism of a run that does not say another.
    pub parallelism: u32,
    /// Tables of the catalog that it uses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<TableUse>,
    /// Which of them it makes of which.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flows: Vec<TableFlow>,
}

impl VersionSpec {
    /// `INVALID_OPTION` for what is too large or empty.
    pub(crate) fn check(&self) -> Result<()> {
        if self.sql.trim().is_empty() {
            return Err(invalid("the SQL text of the version is empty"));
        }
        bounds::text("the SQL text of the version", &self.sql, Bounds::SQL_BYTES)?;
        if self.plan.is_empty() {
            return Err(invalid("the plan of the version is empty"));
        }
        bounds::text("the encoded plan of the version", &self.plan, Bounds::PLAN_BYTES)?;
        bounds::settings(&self.settings)?;
        TableUse::check_all(&self.tables)?;
        TableFlow::check_all(&self.flows)?;
        bounds::parallelism(self.parallelism)
    }
}

/// A version of a job; what it is made of never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobVersion {
    /// Its name.
    pub name: VersionName,
    /// What it is made of.
    pub spec: VersionSpec,
    /// When it was created, milliseconds since the epoch.
    pub created_ms: i64,
    /// The revision at which it was created.
    pub revision: u64,
    /// The approval that lets it run in production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<ChildName>,
}
