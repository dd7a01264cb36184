//! Databases, tables and topics: one definition, and where it is in each environment.

mod apply;
mod command;
mod database;
mod definition;
mod name;
mod publication;
mod read;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::grant::Rights;

pub use command::{Design, Ready, TableAction};
pub use database::Database;
pub use definition::{Column, TableDefinition, WatermarkSpec};
pub use name::TableName;
pub use publication::{Environment, Publication, PublicationState, Topic};
pub use read::{TableFilter, TenantTableFilter};

/// The database that every project has, in which topics are.
pub const DEFAULT_DATABASE: &str = "default";

/// A table or topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Its name.
    pub name: TableName,
    /// Type of the data sources that it can be in.
    pub kind: String,
    /// What it is, in its owner's words.
    pub description: String,
    /// Words by which it is found.
    pub tags: BTreeSet<String>,
    /// Who created it.
    pub owner: String,
    /// As it is designed.
    pub definition: TableDefinition,
    /// Where it is.
    pub publications: BTreeMap<Environment, Publication>,
    /// What is on its way into an environment and not there yet: it takes the place of what is there when it is ready.
    pub next: BTreeMap<Environment, Publication>,
    /// What everybody of the tenant may do with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<Rights>,
    /// When it was created, milliseconds since the epoch.
    pub created_ms: i64,
    /// When it was last changed, milliseconds since the epoch.
    pub updated_ms: i64,
    /// Changes with every change of it; its etag.
    pub revision: u64,
}
