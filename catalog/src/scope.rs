//! Where something holds: everywhere, in a tenant, or in a project.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tidegate_types::{Error, Result};

use crate::bounds::invalid;
use crate::name::ResourceName;

/// A part of the platform.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Scope {
    /// All of it.
    System,
    /// A tenant with its projects.
    Tenant(String),
    /// A project.
    Project(String),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("system"),
            Self::Tenant(id) => write!(f, "tenants/{id}"),
            Self::Project(id) => write!(f, "projects/{id}"),
        }
    }
}

impl FromStr for Scope {
    type Err = Error;

    /// `INVALID_OPTION` if the text is none.
    fn from_str(text: &str) -> Result<Self> {
        if text == "system" {
            return Ok(Self::System);
        }
        match text.parse()? {
            ResourceName::Tenant(id) => Ok(Self::Tenant(id)),
            ResourceName::Project(id) => Ok(Self::Project(id)),
            other => Err(invalid(format!("'{other}' is no scope"))
                .help("use system, tenants/{tenant} or projects/{project}")),
        }
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl TryFrom<String> for Scope {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}
