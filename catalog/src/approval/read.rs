//! Finding approvals.

use std::ops::Bound;
use std::sync::Arc;

use tidegate_types::Result;

use super::apply::key_of;
use super::{Approval, ApprovalState};
use crate::account::AccountName;
use crate::bounds::invalid;
use crate::child_name::ChildName;
use crate::name::ResourceName;
use crate::page::{Page, PageRequest, page};
use crate::scope::Scope;
use crate::state::Catalog;
use crate::table::Environment;

/// Whose approvals are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalView {
    /// Those that an account may decide.
    Pending,
    /// Those that it has given an opinion on.
    Decided,
    /// Those that it has asked for.
    Submitted,
}

/// Which of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApprovalFilter {
    /// About this environment.
    pub environment: Option<Environment>,
    /// Of this kind; empty: of any.
    pub kind: String,
    /// In this state.
    pub state: Option<ApprovalState>,
}

impl ApprovalFilter {
    fn takes(&self, approval: &Approval) -> bool {
        self.environment.is_none_or(|wanted| approval.subject.environment() == Some(wanted))
            && (self.kind.is_empty() || approval.subject.kind() == self.kind)
            && self.state.is_none_or(|state| approval.state == state)
    }
}

impl Catalog {
    /// An approval.
    pub fn approval(&self, name: &ChildName) -> Option<&Approval> {
        self.approvals.get(&key_of(name).ok()?).map(Arc::as_ref)
    }

    /// Number of the last approval of a tenant; 0 before the first.
    pub(crate) fn last_approval(&self, tenant: &str) -> u64 {
        let of_tenant =
            self.approvals.range((tenant.to_owned(), 0)..=(tenant.to_owned(), u64::MAX));
        of_tenant.map(|((_, number), _)| *number).next_back().unwrap_or(0)
    }

    /// Approvals that nobody has decided; there are at most [`crate::Bounds::PENDING_APPROVALS`].
    pub fn pending_approvals(&self) -> impl Iterator<Item = &Approval> {
        let keys = self.index.pending_approvals.iter();
        keys.filter_map(|key| self.approvals.get(key)).map(Arc::as_ref)
    }

    /// Approvals about something, oldest first.
    pub fn approvals_about(&self, about: &ResourceName) -> impl Iterator<Item = &Approval> {
        let about = about.to_string();
        let from = (Bound::Included((about.clone(), 0, ChildName::least())), Bound::Unbounded);
        let rest = self.index.approvals_about.range(from);
        let rest = rest.take_while(move |(other, ..)| *other == about);
        rest.filter_map(|(_, _, name)| self.approval(name))
    }

    /// Whether an account may see an approval: it has asked for it, may decide it, or has decided it.
    pub fn may_see(&self, account: &AccountName, approval: &Approval) -> bool {
        approval.requester == account.to_string()
            || self.has_role(account, &approval.deciders.scope, &approval.deciders.role)
            || approval.opinions.iter().any(|opinion| opinion.account == *account)
    }

    /// Approvals of an account in a tenant, newest first.
    pub fn list_approvals(
        &self,
        account: &AccountName,
        tenant: &str,
        view: ApprovalView,
        filter: &ApprovalFilter,
        request: &PageRequest,
    ) -> Result<Page<Arc<Approval>>> {
        let list = format!("{account}/{tenant}/approvals/{view:?}");
        page(&list, request, |after| {
            let below = after.map(|key| key.parse::<u64>()).transpose();
            let below = below.map_err(|_| invalid("the page token names no number"))?;
            let to = below.unwrap_or(u64::MAX);
            let found: Box<dyn Iterator<Item = (u64, &Arc<Approval>)>> = match view {
                ApprovalView::Pending => {
                    let range = (tenant.to_owned(), 0)..(tenant.to_owned(), to);
                    let keys = self.index.pending_approvals.range(range);
                    Box::new(keys.rev().filter_map(|key| Some((key.1, self.approvals.get(key)?))))
                }
                ApprovalView::Decided | ApprovalView::Submitted => {
                    let index = match view {
                        ApprovalView::Decided => &self.index.decided_approvals,
                        _ => &self.index.requested_approvals,
                    };
                    let key = |number: u64| (account.to_string(), number, ChildName::least());
                    let here = |name: &ChildName| matches!(name.owner(), Scope::Tenant(of) if of == tenant);
                    let entries = index.range(key(0)..key(to)).rev();
                    let entries = entries.filter(move |(_, _, name)| here(name));
                    Box::new(entries.filter_map(|(_, number, name)| {
                        Some((*number, self.approvals.get(&key_of(name).ok()?)?))
                    }))
                }
            };
            let decides = move |approval: &Approval| {
                view != ApprovalView::Pending
                    || (self.may_decide(account, approval)
                        && approval.requester != account.to_string()
                        && approval.opinions.iter().all(|opinion| opinion.account != *account))
            };
            let found =
                found.filter(move |(_, approval)| filter.takes(approval) && decides(approval));
            Ok(found.map(|(number, approval)| (number.to_string(), approval.clone())))
        })
    }
}
