//! Writing records, and moving them out.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_types::{Error, Result};

use super::{AuditRecord, Call, Origin, Outcome, Segment};
use crate::bounds::{Bounds, cut_to, invalid};
use crate::name::ResourceName;
use crate::scope::Scope;
use crate::state::{Catalog, precondition};

/// Bytes of a text of a record at most; longer ones are cut.
const TEXT: usize = 512;

/// A change of the audit records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AuditAction {
    /// Writes records of calls that no command has told of. A call that was told with the same outcome is not told
    /// again.
    Record {
        /// The calls.
        calls: Vec<Call>,
    },
    /// Forgets the oldest records here, because they are in a segment now. `FAILED_PRECONDITION` unless it begins with
    /// the oldest and ends with the hash of the record that it ends with.
    Seal {
        /// The segment.
        segment: Segment,
    },
}

impl Catalog {
    pub(crate) fn apply_audit(&mut self, now_ms: i64, action: AuditAction) -> Result<ResourceName> {
        match action {
            AuditAction::Record { calls } => {
                if calls.len() > Bounds::AUDIT_CALLS {
                    return Err(invalid(format!(
                        "{} records are more than {}",
                        calls.len(),
                        Bounds::AUDIT_CALLS
                    )));
                }
                for call in calls {
                    self.record(now_ms, call);
                }
            }
            AuditAction::Seal { segment } => self.seal(segment)?,
        }
        Ok(ResourceName::Tenant(crate::tenancy::DEFAULT_TENANT.to_owned()))
    }

    /// Writes the record of a command.
    pub(crate) fn record_command(&mut self, now_ms: i64, origin: Origin, failed: Option<&Error>) {
        let (outcome, reason) = match failed {
            None => (Outcome::Done, String::new()),
            Some(error) => (Outcome::Failed, error.code().as_str().to_owned()),
        };
        self.record(now_ms, Call { origin, outcome, reason, left_out: 0 });
    }

    fn record(&mut self, now_ms: i64, call: Call) {
        let Call { mut origin, outcome, reason, left_out } = call;
        let told =
            self.index.audited.get(&origin.call).and_then(|number| self.audit.records.get(number));
        // That nobody waited is no news where it is known what came of it.
        let same = |told: &Arc<AuditRecord>| told.outcome == outcome && told.reason == reason;
        if told.is_some_and(|told| same(told) || outcome == Outcome::Abandoned) {
            return;
        }
        for text in [
            &mut origin.call,
            &mut origin.principal,
            &mut origin.method,
            &mut origin.resource,
            &mut origin.request_id,
            &mut origin.address,
        ] {
            *text = cut_to(std::mem::take(text), TEXT);
        }
        let number = self.audit.last + 1;
        let scope = self.scope_of(&origin.resource);
        let mut record = AuditRecord {
            number,
            time_ms: now_ms.max(self.time_ms),
            origin,
            outcome,
            reason,
            scope,
            left_out,
            hash: String::new(),
        };
        record.hash = record.hash_after(&self.audit.hash);
        self.audit.last = number;
        self.audit.hash = record.hash.clone();
        self.index.audited.insert(record.origin.call.clone(), number);
        self.audit.records.insert(number, Arc::new(record));
    }

    fn seal(&mut self, segment: Segment) -> Result<()> {
        let first = self.audit.records.keys().next().copied();
        let last = self.audit.records.get(&segment.last);
        let fits = first == Some(segment.first)
            && last.is_some_and(|last| last.hash == segment.hash)
            && segment.first <= segment.last;
        if !fits {
            return Err(precondition(
                "the segment of audit records does not continue the one before",
            ));
        }
        for number in segment.first..=segment.last {
            if let Some(record) = self.audit.records.remove(&number) {
                let same = self.index.audited.get(&record.origin.call) == Some(&number);
                if same {
                    self.index.audited.remove(&record.origin.call);
                }
            }
        }
        self.audit.segments.push(segment);
        Ok(())
    }

    /// The tenant or project that a name belongs to; the system for those of neither.
    fn scope_of(&self, resource: &str) -> Scope {
        let mut parts = resource.splitn(3, '/');
        match (parts.next(), parts.next()) {
            (Some("tenants"), Some(id)) => Scope::Tenant(id.to_owned()),
            (Some("projects"), Some(id)) => Scope::Project(id.to_owned()),
            _ => Scope::System,
        }
    }
}
