//! Finding records.

use std::ops::Bound;
use std::sync::Arc;

use tidegate_types::Result;

use super::{AuditRecord, Outcome, Segment};
use crate::bounds::invalid;
use crate::page::{Page, PageRequest, decode, encode, page};
use crate::scope::Scope;
use crate::state::Catalog;

/// Which records are looked for; what is empty or none is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of whom.
    pub principal: String,
    /// What the resource begins with.
    pub resource_prefix: String,
    /// What the method has in it.
    pub method: String,
    /// What came of it.
    pub outcome: Option<Outcome>,
    /// From when, milliseconds since the epoch.
    pub after_ms: Option<i64>,
    /// Before when, milliseconds since the epoch.
    pub before_ms: Option<i64>,
}

impl AuditFilter {
    /// Whether a record is one of those.
    pub fn takes(&self, record: &AuditRecord) -> bool {
        let of = |wanted: &str, fits: bool| wanted.is_empty() || fits;
        of(&self.principal, record.origin.principal == self.principal)
            && of(&self.resource_prefix, record.origin.resource.starts_with(&self.resource_prefix))
            && of(&self.method, record.origin.method.contains(&self.method))
            && self.outcome.is_none_or(|outcome| outcome == record.outcome)
            && self.after_ms.is_none_or(|after| record.time_ms >= after)
            && self.before_ms.is_none_or(|before| record.time_ms < before)
    }
}

impl Catalog {
    /// Whether a record is about a scope or something in it.
    pub fn is_within(&self, place: &Scope, scope: &Scope) -> bool {
        match (scope, place) {
            (Scope::System, _) => true,
            (Scope::Tenant(tenant), Scope::Project(project)) => {
                self.project(project).is_some_and(|project| project.tenant == *tenant)
            }
            (scope, place) => scope == place,
        }
    }

    /// Records that are here about a scope, newest first.
    pub fn list_audit(
        &self,
        scope: &Scope,
        filter: &AuditFilter,
        request: &PageRequest,
    ) -> Result<Page<Arc<AuditRecord>>> {
        page(&format!("{scope}/audit"), request, |after| {
            let below = after.map(|key| key.parse::<u64>()).transpose();
            let below = below.map_err(|_| invalid("the page token names no number"))?;
            let below = below.map_or(Bound::Unbounded, Bound::Excluded);
            let rest = self.audit.records.range((Bound::Unbounded, below)).rev();
            let rest = rest.filter(move |(_, record)| {
                self.is_within(&record.scope, scope) && filter.takes(record)
            });
            Ok(rest.map(|(number, record)| (number.to_string(), record.clone())))
        })
    }

    /// Number that a page of [`Catalog::list_audit`] begins below; none for the first page.
    pub fn audit_position(scope: &Scope, request: &PageRequest) -> Result<Option<u64>> {
        let Some(token) = &request.token else { return Ok(None) };
        let key = decode(&format!("{scope}/audit"), token)?;
        key.parse().map(Some).map_err(|_| invalid("the page token names no number"))
    }

    /// The token of the page with the records below a number.
    pub fn audit_token(scope: &Scope, below: u64) -> String {
        encode(&format!("{scope}/audit"), &below.to_string())
    }

    /// Number of the oldest record that is here; none if there is none.
    pub fn first_audit(&self) -> Option<u64> {
        self.audit.records.keys().next().copied()
    }

    /// Records that are here from a number on, in their order.
    pub fn audit_from(&self, number: u64) -> impl Iterator<Item = &Arc<AuditRecord>> {
        self.audit.records.range(number..).map(|(_, record)| record)
    }

    /// Number and hash of the last record.
    pub fn last_audit(&self) -> (u64, &str) {
        (self.audit.last, &self.audit.hash)
    }

    /// How many records are here.
    pub fn audit_len(&self) -> usize {
        self.audit.records.len()
    }

    /// Where the records are that are not here any more, in their order.
    pub fn audit_segments(&self) -> &[Segment] {
        &self.audit.segments
    }
}
