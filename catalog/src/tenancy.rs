//! Tenants and projects: who owns what.

use serde::{Deserialize, Serialize};

/// Id of the tenant that exists from the start.
pub const DEFAULT_TENANT: &str = "default";

/// Id of the project that exists from the start, of the default tenant.
pub const DEFAULT_PROJECT: &str = "default";

/// An owner of projects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// Its id.
    pub id: String,
    /// What it is, in its owner's words.
    pub description: String,
    /// When it was created, milliseconds since the epoch.
    pub created_ms: i64,
    /// Changes with every change of the tenant; its etag.
    pub revision: u64,
}

/// A set of jobs with one owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Project {
    /// Its id.
    pub id: String,
    /// The tenant that owns it.
    pub tenant: String,
    /// What it is, in its owner's words.
    pub description: String,
    /// When it was created, milliseconds since the epoch.
    pub created_ms: i64,
    /// Changes with every change of the project; its etag.
    pub revision: u64,
}
