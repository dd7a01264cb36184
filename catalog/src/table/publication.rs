//! Where something is in an environment.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tidegate_types::{Error, Result};

use super::TableDefinition;
use crate::bounds::invalid;
use crate::child_name::ChildName;

/// Where a table is made, tried and used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// Where it is made; nobody approves.
    Design,
    /// Where it is tried.
    Test,
    /// Where it is used.
    Production,
}

/// How something is in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publication {
    /// The outside system.
    pub data_source: ChildName,
    /// What it is called there.
    pub physical_name: String,
    /// How a topic is created, if it is not there.
    pub topic: Topic,
    /// As it was when that was asked for; none for databases, and in design, where it is as it is.
    pub definition: Option<TableDefinition>,
    /// When it came there, milliseconds since the epoch.
    pub published_ms: i64,
    /// The approval that brought it there; none in design.
    pub approval: Option<ChildName>,
    /// Whether jobs can use it.
    pub state: PublicationState,
    /// Why it is not ready.
    pub message: String,
}

/// How a topic is created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Topic {
    /// Partitions; 0: one.
    pub partitions: u32,
    /// Copies of each; 0: what the broker has as its default.
    pub replication_factor: u32,
    /// How long records are kept, in milliseconds; 0: what the broker has as its default.
    pub retention_ms: i64,
}

/// Whether jobs can use something where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PublicationState {
    /// They can.
    Ready,
    /// It is being created or checked.
    Applying,
    /// The outside system has refused; it is tried again.
    Failed,
}

impl Environment {
    /// All, in the order of a table's way.
    pub const ALL: [Self; 3] = [Self::Design, Self::Test, Self::Production];

    /// As it is written, such as `test`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Design => "design",
            Self::Test => "test",
            Self::Production => "production",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Environment {
    type Err = Error;

    /// `INVALID_OPTION` for what is none.
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|environment| environment.as_str() == text).ok_or_else(|| {
            invalid(format!("'{text}' is no environment: use design, test or production"))
        })
    }
}
