//! Who did what, or tried to: records that are written with what they are about and never changed.
//!
//! Each record has the hash of the one before in its own, so that an export can be checked with the next. The newest
//! records are in the catalog; older ones are sealed in segments outside, of which the catalog keeps place and hash.

mod apply;
mod read;
#[cfg(test)]
mod tests;

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use apply::AuditAction;
pub use read::AuditFilter;

use crate::scope::Scope;
use crate::shared::{self, SharedMap};

/// The call that a command comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Id of the call, random: one call that makes several commands leaves one record.
    pub call: String,
    /// Name of the account, or of the principal of a token.
    pub principal: String,
    /// Such as `tidegate.v1.JobService/StartJob`.
    pub method: String,
    /// Name of what the call is about.
    pub resource: String,
    /// Its request id.
    pub request_id: String,
    /// Address that it came from.
    pub address: String,
}

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was not let in.
    Denied,
    /// It was let in and failed.
    Failed,
    /// Nobody waited for the answer: it may have been done.
    Abandoned,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditRecord {
    /// Counts from 1 without gaps.
    pub number: u64,
    /// Milliseconds since the epoch.
    pub time_ms: i64,
    /// The call.
    pub origin: Origin,
    /// What came of it.
    pub outcome: Outcome,
    /// Code of the error; empty where it was done.
    pub reason: String,
    /// Tenant or project that it is about.
    pub scope: Scope,
    /// Calls like it that were left out since the last, because there were too many.
    pub left_out: u32,
    /// SHA-256, hexadecimal, of the hash before and everything above.
    pub hash: String,
}

/// A call with what came of it, as it is proposed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The call.
    pub origin: Origin,
    /// What came of it.
    pub outcome: Outcome,
    /// Code of the error; empty where it was done.
    pub reason: String,
    /// Calls like it that were left out.
    pub left_out: u32,
}

/// Records that were moved out of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// Number of its first record.
    pub first: u64,
    /// Number of its last record.
    pub last: u64,
    /// Time of its first record, milliseconds since the epoch.
    pub first_ms: i64,
    /// Time of its last record, milliseconds since the epoch.
    pub last_ms: i64,
    /// Its file, in the folder of sealed records.
    pub location: String,
    /// Hash of its last record.
    pub hash: String,
}

/// All records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditLog {
    /// Number of the last record.
    pub(crate) last: u64,
    /// Its hash; empty before the first.
    pub(crate) hash: String,
    /// The records that are here.
    #[serde(with = "shared")]
    pub(crate) records: SharedMap<u64, AuditRecord>,
    /// The records that are not here any more, in their order.
    pub(crate) segments: Vec<Segment>,
}

impl AuditRecord {
    /// The hash that a record has after one with this hash.
    pub fn hash_after(&self, before: &str) -> String {
        let mut fields = Sha256::new();
        let Origin { call, principal, method, resource, request_id, address } = &self.origin;
        let texts = [
            before,
            &self.number.to_string(),
            &self.time_ms.to_string(),
            call,
            principal,
            method,
            resource,
            request_id,
            address,
            self.outcome.as_str(),
            &self.reason,
            &self.scope.to_string(),
            &self.left_out.to_string(),
        ];
        for text in texts {
            // With its length, so that no two records have the same bytes.
            fields.update((text.len() as u64).to_le_bytes());
            fields.update(text.as_bytes());
        }
        fields.finalize().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl Outcome {
    /// As it is written, such as `done`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Denied => "denied",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }
}
