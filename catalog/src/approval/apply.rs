//! Asking, deciding, taking back.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_types::{Error, ErrorCode, Result};

use super::{Approval, ApprovalState, Opinion, Subject};
use crate::account::AccountName;
use crate::bounds::{self, Bounds, invalid};
use crate::child_name::{ChildName, Collection};
use crate::name::ResourceName;
use crate::scope::Scope;
use crate::state::{Catalog, Stamp, not_found, precondition};

/// A change of an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ApprovalAction {
    /// Gives an opinion; the last yes that is needed does what was asked for, one no ends it. `SELF_APPROVAL` for who
    /// asked, `PERMISSION_DENIED` without the role, `FAILED_PRECONDITION` if it is over or what was asked for is not
    /// possible any more.
    Decide {
        /// Its name.
        approval: ChildName,
        /// Who decides.
        account: AccountName,
        /// Yes or no.
        approve: bool,
        /// Why.
        text: String,
    },
    /// Takes back what was asked for. `PERMISSION_DENIED` for anybody but who asked; `FAILED_PRECONDITION` if it is
    /// over.
    Withdraw {
        /// Its name.
        approval: ChildName,
        /// Who takes it back.
        requester: String,
    },
    /// Ends all that nobody has decided in time.
    Expire {},
}

impl Catalog {
    pub(crate) fn apply_approval(
        &mut self,
        stamp: Stamp,
        action: ApprovalAction,
    ) -> Result<ResourceName> {
        match action {
            ApprovalAction::Decide { approval, account, approve, text } => {
                self.decide(stamp, approval, account, approve, text)
            }
            ApprovalAction::Withdraw { approval, requester } => {
                let found = self.pending_approval(stamp, &approval)?;
                if found.requester != requester {
                    let message = format!("{approval} was asked for by {}", found.requester);
                    return Err(Error::new(ErrorCode::PermissionDenied, message)
                        .help("only who asked takes it back; decide it instead"));
                }
                self.end_approval(stamp, &approval, ApprovalState::Withdrawn);
                Ok(approval.into())
            }
            ApprovalAction::Expire {} => {
                let over: Vec<ChildName> = self
                    .pending_approvals()
                    .filter(|approval| approval.expires_ms <= stamp.now_ms)
                    .map(|approval| approval.name.clone())
                    .collect();
                for name in over {
                    self.end_approval(stamp, &name, ApprovalState::Expired);
                }
                Ok(ResourceName::Tenant(crate::tenancy::DEFAULT_TENANT.to_owned()))
            }
        }
    }

    /// Asks for something. The same may not be asked for twice at a time.
    pub(crate) fn ask(
        &mut self,
        stamp: Stamp,
        subject: Subject,
        requester: String,
        reason: String,
    ) -> Result<ChildName> {
        bounds::text("the reason", &reason, Bounds::REASON_BYTES)?;
        bounds::text("the requester", &requester, Bounds::LABEL_BYTES)?;
        let (tenant, required) = match subject.tenant() {
            Some(tenant) => (tenant.to_owned(), 1),
            None => {
                let project = self.open_project(subject.project())?;
                (project.tenant.clone(), project.settings.required_approvals)
            }
        };
        let about = subject.about();
        let same = self
            .approvals_about(&about)
            .find(|other| other.state == ApprovalState::Pending && other.subject.is_like(&subject));
        if let Some(other) = same {
            return Err(precondition(format!("{about}: {} is pending", other.name))
                .help("have it decided or withdraw it first"));
        }
        let pending = self.index.pending_approvals.len();
        bounds::room("approvals that are pending", pending, Bounds::PENDING_APPROVALS)?;
        let owner = Scope::Tenant(tenant.clone());
        let number = self.last_approval(&tenant) + 1;
        let name = ChildName::new(owner, Collection::Approvals, number.to_string())?;
        let approval = Approval {
            name: name.clone(),
            number,
            deciders: subject.deciders(&tenant),
            subject,
            requester,
            reason,
            required,
            opinions: Vec::new(),
            state: ApprovalState::Pending,
            created_ms: stamp.now_ms,
            expires_ms: stamp.now_ms + Bounds::APPROVAL_AGE_MS,
            ended_ms: None,
            revision: stamp.revision,
        };
        self.index_approval(&approval);
        self.tell_of_approval(stamp, &approval);
        self.approvals.insert((tenant.clone(), number), Arc::new(approval));
        self.forget_approvals(&tenant);
        Ok(name)
    }

    fn decide(
        &mut self,
        stamp: Stamp,
        name: ChildName,
        account: AccountName,
        approve: bool,
        text: String,
    ) -> Result<ResourceName> {
        bounds::text("the opinion", &text, Bounds::REASON_BYTES)?;
        let approval = self.pending_approval(stamp, &name)?;
        // Nobody is told who asked before it is clear that he may decide such things.
        if !self.may_decide(&account, approval) {
            let deciders = &approval.deciders;
            let message = format!("{account} may not decide {name}");
            return Err(Error::new(ErrorCode::PermissionDenied, message)
                .help(format!("it takes the role {} in {}", deciders.role, deciders.scope)));
        }
        if approval.requester == account.to_string() {
            let message = format!("{name} was asked for by {account}");
            return Err(Error::new(ErrorCode::SelfApproval, message)
                .help("another person with the role decides it"));
        }
        if approval.opinions.iter().any(|opinion| opinion.account == account) {
            return Err(precondition(format!("{account} has decided {name} already")));
        }
        if !approve && text.trim().is_empty() {
            return Err(invalid("a no needs an opinion that says why"));
        }
        let yes = approval.opinions.iter().filter(|opinion| opinion.approve).count() as u32;
        let done = approve && yes + 1 >= approval.required;
        let subject = approval.subject.clone();
        if subject.tenant().is_none() {
            self.open_project(subject.project())?;
        }
        if done {
            self.effect(stamp, &name, &account, subject)?;
        }
        let opinion = Opinion { account: account.clone(), approve, text, at_ms: stamp.now_ms };
        if let Some(approval) = self.approval_mut(stamp, &name) {
            approval.opinions.push(opinion);
        }
        self.index.decided_approvals.insert((account.to_string(), number_of(&name)?, name.clone()));
        if done {
            self.end_approval(stamp, &name, ApprovalState::Approved);
        } else if !approve {
            self.end_approval(stamp, &name, ApprovalState::Rejected);
        }
        Ok(name.into())
    }

    /// Whether an account has the role that decides an approval, there or in all of the tenant or system where the role
    /// can be had there.
    pub fn may_decide(&self, account: &AccountName, approval: &Approval) -> bool {
        let Approval { deciders, .. } = approval;
        self.account(account).is_some_and(crate::account::Account::is_active)
            && self.has_role(account, &deciders.scope, &deciders.role)
    }

    /// An approval that is not over; `NOT_FOUND`, `FAILED_PRECONDITION`.
    fn pending_approval(&self, stamp: Stamp, name: &ChildName) -> Result<&Approval> {
        let approval = self.approval(name).ok_or_else(|| not_found(name))?;
        if approval.state != ApprovalState::Pending || approval.expires_ms <= stamp.now_ms {
            let state = match approval.state {
                ApprovalState::Pending | ApprovalState::Expired => "expired",
                ApprovalState::Approved => "approved",
                ApprovalState::Rejected => "rejected",
                ApprovalState::Withdrawn => "withdrawn",
            };
            return Err(precondition(format!("{name} is {state}")));
        }
        Ok(approval)
    }

    fn approval_mut(&mut self, stamp: Stamp, name: &ChildName) -> Option<&mut Approval> {
        let key = key_of(name).ok()?;
        let approval = Arc::make_mut(self.approvals.get_mut(&key)?);
        approval.revision = stamp.revision;
        Some(approval)
    }

    fn end_approval(&mut self, stamp: Stamp, name: &ChildName, state: ApprovalState) {
        if let Some(approval) = self.approval_mut(stamp, name) {
            approval.state = state;
            approval.ended_ms = Some(stamp.now_ms);
            let ended = approval.clone();
            self.tell_of_approval(stamp, &ended);
        }
        if let Ok(key) = key_of(name) {
            self.index.pending_approvals.remove(&key);
        }
    }

    /// Withdraws what is pending about something that goes away.
    pub(crate) fn withdraw_all(&mut self, stamp: Stamp, about: &ResourceName) {
        let pending = self.approvals_about(about);
        let pending = pending.filter(|approval| approval.state == ApprovalState::Pending);
        let names: Vec<ChildName> = pending.map(|approval| approval.name.clone()).collect();
        for name in names {
            self.end_approval(stamp, &name, ApprovalState::Withdrawn);
        }
    }

    /// Forgets the oldest approvals of a tenant that are over, beyond what is kept.
    fn forget_approvals(&mut self, tenant: &str) {
        let of_tenant =
            self.approvals.range((tenant.to_owned(), 0)..=(tenant.to_owned(), u64::MAX));
        let too_many = of_tenant.count().saturating_sub(Bounds::APPROVALS);
        if too_many == 0 {
            return;
        }
        let of_tenant =
            self.approvals.range((tenant.to_owned(), 0)..=(tenant.to_owned(), u64::MAX));
        let over = of_tenant.filter(|(_, approval)| approval.state != ApprovalState::Pending);
        let keys: Vec<_> = over.take(too_many).map(|(key, _)| key.clone()).collect();
        for key in keys {
            if let Some(approval) = self.approvals.remove(&key) {
                self.unindex_approval(&approval);
            }
        }
    }

    /// Adds an approval to what approvals are found by.
    pub(crate) fn index_approval(&mut self, approval: &Approval) {
        let (name, number) = (&approval.name, approval.number);
        if approval.state == ApprovalState::Pending
            && let Ok(key) = key_of(name)
        {
            self.index.pending_approvals.insert(key);
        }
        let requested = (approval.requester.clone(), number, name.clone());
        self.index.requested_approvals.insert(requested);
        for opinion in &approval.opinions {
            let decided = (opinion.account.to_string(), number, name.clone());
            self.index.decided_approvals.insert(decided);
        }
        let about = approval.subject.about().to_string();
        self.index.approvals_about.insert((about, number, name.clone()));
    }

    fn unindex_approval(&mut self, approval: &Approval) {
        let (name, number) = (&approval.name, approval.number);
        let requested = (approval.requester.clone(), number, name.clone());
        self.index.requested_approvals.remove(&requested);
        for opinion in &approval.opinions {
            let decided = (opinion.account.to_string(), number, name.clone());
            self.index.decided_approvals.remove(&decided);
        }
        let about = approval.subject.about().to_string();
        self.index.approvals_about.remove(&(about, number, name.clone()));
    }
}

fn number_of(name: &ChildName) -> Result<u64> {
    name.id().parse().map_err(|_| invalid(format!("{name} has no number")))
}

/// Tenant and number of an approval.
pub(super) fn key_of(name: &ChildName) -> Result<(String, u64)> {
    match name.owner() {
        Scope::Tenant(tenant) if name.collection() == Collection::Approvals => {
            Ok((tenant.clone(), number_of(name)?))
        }
        _ => Err(invalid(format!("'{name}' is not the name of an approval"))),
    }
}
