//! Approvals: what somebody asks for and somebody else decides. One engine for everything that needs one.
//!
//! What an approval permits is its [`Subject`]; the command that gives the last opinion that is needed applies it, so
//! that nothing is ever approved and not done.

mod apply;
mod publish;
mod read;
mod subject;
#[cfg(test)]
pub(crate) mod tests;

use serde::{Deserialize, Serialize};

pub use apply::ApprovalAction;
pub use publish::Publish;
pub use read::{ApprovalFilter, ApprovalView};
pub use subject::Subject;

use crate::account::AccountName;
use crate::child_name::ChildName;
use crate::scope::Scope;
use crate::shared::listed::Keyed;

/// Something that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Its name: `tenants/{tenant}/approvals/{number}`.
    pub name: ChildName,
    /// Its number; within a tenant later ones have greater ones.
    pub number: u64,
    /// What is asked for.
    pub subject: Subject,
    /// Who asks: name of an account, or of the principal of a token.
    pub requester: String,
    /// Why.
    pub reason: String,
    /// Who decides.
    pub deciders: Deciders,
    /// How many must say yes.
    pub required: u32,
    /// What was said.
    pub opinions: Vec<Opinion>,
    /// What became of it.
    pub state: ApprovalState,
    /// When it was asked, milliseconds since the epoch.
    pub created_ms: i64,
    /// When it is over without a decision, milliseconds since the epoch.
    pub expires_ms: i64,
    /// When it ended, milliseconds since the epoch.
    pub ended_ms: Option<i64>,
    /// Changes with every change of it.
    pub revision: u64,
}

impl Keyed<(String, u64)> for Approval {
    fn key(&self) -> (String, u64) {
        match self.name.owner() {
            Scope::Tenant(tenant) => (tenant.clone(), self.number),
            // No such approval can be made.
            Scope::System | Scope::Project(_) => (String::new(), self.number),
        }
    }
}

/// Who may decide: whoever has a role in a scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deciders {
    /// The role.
    pub role: String,
    /// Where.
    pub scope: Scope,
}

/// What somebody said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opinion {
    /// Who.
    pub account: AccountName,
    /// Yes or no.
    pub approve: bool,
    /// Why.
    pub text: String,
    /// When, milliseconds since the epoch.
    pub at_ms: i64,
}

/// What became of an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    /// Nobody has decided.
    Pending,
    /// What was asked for is done.
    Approved,
    /// It was refused.
    Rejected,
    /// Who asked took it back.
    Withdrawn,
    /// Nobody decided in time.
    Expired,
}
