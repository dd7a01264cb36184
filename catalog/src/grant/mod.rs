//! Grants: who may do what with a table of another project.
//!
//! A grant is a row of a table's whitelist: for a person or a project, for all columns or for some, some of them behind
//! masks, until a moment or for ever. What is public is the table's own setting. What all of that comes to for somebody
//! is [`Access`].

mod access;
mod apply;
mod read;
mod review;
#[cfg(test)]
pub(crate) mod tests;
mod usage;
#[cfg(test)]
mod usage_tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tidegate_types::{Error, Result};

pub use access::{Access, Asker, ColumnAccess};
pub use apply::GrantAction;
pub use read::GrantFilter;
pub use usage::{BoundTable, RunTables, TableUse};

use crate::account::AccountName;
use crate::bounds::invalid;
use crate::child_name::ChildName;
use crate::shared::{self, SharedMap};
use crate::table::TableName;

/// What can be done with the rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataPermission {
    /// Reading.
    Select,
    /// Writing new rows.
    Insert,
    /// Changing rows.
    Update,
    /// Removing rows.
    Delete,
}

/// To whom something is granted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Grantee {
    /// A person or program.
    Account(AccountName),
    /// A project: its jobs and its administrators, and its other members if its settings say so.
    Project(String),
}

/// How a column can be read by whoever must not read it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnMask {
    /// The first and last characters of texts.
    Partial,
    /// SHA-256 of texts.
    Hash,
    /// NULL.
    Null,
}

/// What is granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rights {
    /// What can be done.
    pub permissions: BTreeSet<DataPermission>,
    /// Columns that can be read, those with a mask only through it; none: all of them, as they are.
    pub columns: Option<BTreeMap<String, Option<ColumnMask>>>,
    /// When it ends, milliseconds since the epoch; none: never.
    pub expires_ms: Option<i64>,
}

/// A row of a whitelist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Its name: `projects/{project}/grants/{number}`, where the project is the table's.
    pub name: ChildName,
    /// Its number; later ones have greater ones, over all projects.
    pub number: u64,
    /// The table.
    pub table: TableName,
    /// To whom.
    pub grantee: Grantee,
    /// What.
    pub rights: Rights,
    /// The approval that it comes from; none if it was given directly.
    pub approval: Option<ChildName>,
    /// Who gave it: of an approval the last one who said yes.
    pub creator: String,
    /// When, milliseconds since the epoch.
    pub created_ms: i64,
}

/// All grants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrantBook {
    /// Number of the last one.
    pub(crate) last: u64,
    /// Those that were not taken back.
    #[serde(with = "shared")]
    pub(crate) grants: SharedMap<u64, Grant>,
}

impl DataPermission {
    /// All.
    pub const ALL: [Self; 4] = [Self::Select, Self::Insert, Self::Update, Self::Delete];

    /// As it is written, such as `select`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

impl fmt::Display for DataPermission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DataPermission {
    type Err = Error;

    /// `INVALID_OPTION` for what is none.
    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|permission| permission.as_str() == text);
        found.ok_or_else(|| {
            invalid(format!("'{text}' is no permission of data"))
                .help("use select, insert, update or delete")
        })
    }
}

impl fmt::Display for Grantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(name) => name.fmt(f),
            Self::Project(id) => write!(f, "projects/{id}"),
        }
    }
}

impl FromStr for Grantee {
    type Err = Error;

    /// `INVALID_OPTION` if it is the name of neither.
    fn from_str(text: &str) -> Result<Self> {
        match text.strip_prefix("projects/") {
            Some(id) => {
                crate::name::check_id("project", id)?;
                Ok(Self::Project(id.to_owned()))
            }
            None => text.parse().map(Self::Account),
        }
    }
}

impl From<Grantee> for String {
    fn from(grantee: Grantee) -> Self {
        grantee.to_string()
    }
}

impl TryFrom<String> for Grantee {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl Rights {
    /// Whether it counts at a moment.
    pub fn counts(&self, now_ms: i64) -> bool {
        self.expires_ms.is_none_or(|expires| expires > now_ms)
    }
}
