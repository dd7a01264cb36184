//! Hooks: addresses outside that are told of approvals and grants.
//!
//! What happens leaves a delivery for every hook that wants to hear of it, in the same step; the leader has them made
//! by workers, and tries again for a while where that fails. A delivery may come twice, with the same number.

mod apply;
mod emit;
mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tidegate_types::{Error, Result};

pub use apply::{HookAction, Reported, Setting};

use crate::bounds::invalid;
use crate::child_name::ChildName;
use crate::data_source::Sealed;
use crate::shared::{self, SharedMap};

/// What a hook is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookEvent {
    /// Somebody asks for something.
    ApprovalCreated,
    /// It was approved or rejected.
    ApprovalDecided,
    /// Whoever asked took it back, or what it was about is gone.
    ApprovalWithdrawn,
    /// Nobody decided in time.
    ApprovalExpired,
    /// Somebody may do something with a table.
    GrantGiven,
    /// He may not any more.
    GrantRevoked,
}

/// An address that is told of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// Its name: `tenants/{tenant}/hooks/{id}`.
    pub name: ChildName,
    /// What it is for, in its owner's words.
    pub description: String,
    /// Where it is told, http or https.
    pub url: String,
    /// Of what.
    pub events: BTreeSet<HookEvent>,
    /// Only of what happens in this project; none: in all of the tenant.
    pub project: Option<String>,
    /// What deliveries are signed with, encrypted; none: they are not.
    pub secret: Option<Sealed>,
    /// Whether it is told.
    pub enabled: bool,
    /// Deliveries that were forgotten before they were made, because there were too many.
    pub lost: u64,
    /// Who created it.
    pub creator: String,
    /// When it was created, milliseconds since the epoch.
    pub created_ms: i64,
    /// When it was last changed, milliseconds since the epoch.
    pub updated_ms: i64,
    /// Changes with every change of it; its etag.
    pub revision: u64,
}

/// One event for one hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// Its number; later ones have greater ones, over all hooks.
    pub number: u64,
    /// For whom.
    pub hook: ChildName,
    /// What happened.
    pub event: HookEvent,
    /// What is sent, JSON.
    pub body: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// What came of the last attempt.
    pub detail: String,
    /// When it happened, milliseconds since the epoch.
    pub created_ms: i64,
    /// When it is tried next, milliseconds since the epoch; that it is pending.
    pub next_ms: i64,
    /// When it was last tried, milliseconds since the epoch.
    pub tried_ms: Option<i64>,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It will be tried.
    Pending,
    /// It was taken.
    Delivered,
    /// It was tried as often as it may be.
    Failed,
}

/// All hooks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HookBook {
    #[serde(with = "shared")]
    pub(crate) hooks: SharedMap<ChildName, Hook>,
    /// Number of the last delivery.
    pub(crate) last: u64,
    #[serde(with = "shared")]
    pub(crate) deliveries: SharedMap<u64, Delivery>,
}

impl HookEvent {
    /// All.
    pub const ALL: [Self; 6] = [
        Self::ApprovalCreated,
        Self::ApprovalDecided,
        Self::ApprovalWithdrawn,
        Self::ApprovalExpired,
        Self::GrantGiven,
        Self::GrantRevoked,
    ];

    /// As it is written, such as `approval.created`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApprovalCreated => "approval.created",
            Self::ApprovalDecided => "approval.decided",
            Self::ApprovalWithdrawn => "approval.withdrawn",
            Self::ApprovalExpired => "approval.expired",
            Self::GrantGiven => "grant.given",
            Self::GrantRevoked => "grant.revoked",
        }
    }
}

impl fmt::Display for HookEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for HookEvent {
    type Err = Error;

    /// `INVALID_OPTION` for what is none.
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == text).ok_or_else(|| {
            let all: Vec<&str> = Self::ALL.iter().map(|event| event.as_str()).collect();
            invalid(format!("'{text}' is no event")).help(format!("use {}", all.join(", ")))
        })
    }
}
