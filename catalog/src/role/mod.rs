//! Which account has which role where. What roles may do is not known here.

mod apply;
mod read;

use serde::{Deserialize, Serialize};

pub use apply::RoleAction;

use crate::account::AccountName;
use crate::scope::Scope;
use crate::shared::listed::Keyed;

/// Administers the platform; approves jobs for production.
pub const SYSTEM_ADMINISTRATOR: &str = "system-administrator";

/// A role that an account has somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleAssignment {
    /// Where.
    pub scope: Scope,
    /// Which role.
    pub role: String,
    /// Who.
    pub account: AccountName,
    /// Since when, milliseconds since the epoch.
    pub created_ms: i64,
    /// Who gave it.
    pub creator: String,
}

/// What assignments are found and ordered by: account, scope, role.
pub(crate) type RoleKey = (AccountName, Scope, String);

impl Keyed<RoleKey> for RoleAssignment {
    fn key(&self) -> RoleKey {
        (self.account.clone(), self.scope.clone(), self.role.clone())
    }
}
