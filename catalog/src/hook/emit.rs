//! Events become deliveries.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::{Delivery, DeliveryState, Hook, HookEvent};
use crate::approval::{Approval, ApprovalState};
use crate::bounds::Bounds;
use crate::child_name::ChildName;
use crate::grant::{ColumnMask, Grant, Grantee};
use crate::scope::Scope;
use crate::state::{Catalog, Stamp};
use crate::table::TableName;

/// What is sent. The order of the fields is that of the text.
#[derive(Serialize)]
struct Body<'a> {
    number: u64,
    event: &'static str,
    time_ms: i64,
    /// None for what is of the whole tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    #[serde(flatten)]
    about: &'a About<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum About<'a> {
    Approval {
        name: &'a ChildName,
        kind: &'static str,
        subject: String,
        summary: String,
        environment: Option<String>,
        requester: &'a str,
        reason: &'a str,
        state: ApprovalState,
        opinions: Vec<Said<'a>>,
    },
    Grant {
        name: &'a ChildName,
        table: &'a TableName,
        grantee: &'a Grantee,
        permissions: Vec<&'static str>,
        columns: Option<&'a BTreeMap<String, Option<ColumnMask>>>,
        expires_ms: Option<i64>,
        approval: Option<&'a ChildName>,
        creator: &'a str,
    },
}

#[derive(Serialize)]
struct Said<'a> {
    account: String,
    approve: bool,
    text: &'a str,
}

/// Where something happens.
struct Place {
    /// Id of the tenant.
    tenant: String,
    /// Id of the project; empty for what is of the whole tenant.
    project: String,
}

impl Catalog {
    /// Tells hooks of something about an approval that is in the catalog as it is after it.
    pub(crate) fn tell_of_approval(&mut self, stamp: Stamp, approval: &Approval) {
        let event = match approval.state {
            ApprovalState::Pending => HookEvent::ApprovalCreated,
            ApprovalState::Approved | ApprovalState::Rejected => HookEvent::ApprovalDecided,
            ApprovalState::Withdrawn => HookEvent::ApprovalWithdrawn,
            ApprovalState::Expired => HookEvent::ApprovalExpired,
        };
        let Scope::Tenant(tenant) = approval.name.owner() else { return };
        let place =
            Place { tenant: tenant.clone(), project: approval.subject.project().to_owned() };
        if !self.is_heard(&place, event) {
            return;
        }
        let said = approval.opinions.iter().map(|opinion| Said {
            account: opinion.account.to_string(),
            approve: opinion.approve,
            text: &opinion.text,
        });
        let about = About::Approval {
            name: &approval.name,
            kind: approval.subject.kind(),
            subject: approval.subject.about().to_string(),
            summary: approval.subject.summary(),
            environment: approval.subject.environment().map(|at| at.to_string()),
            requester: &approval.requester,
            reason: &approval.reason,
            state: approval.state,
            opinions: said.collect(),
        };
        self.tell(stamp, &place, event, &about);
    }

    /// Tells hooks of a grant that was given, or is taken back.
    pub(crate) fn tell_of_grant(&mut self, stamp: Stamp, grant: &Grant, event: HookEvent) {
        let project = grant.table.project().to_owned();
        let Some(tenant) = self.project(&project).map(|project| project.tenant.clone()) else {
            return;
        };
        let place = Place { tenant, project };
        if !self.is_heard(&place, event) {
            return;
        }
        let about = About::Grant {
            name: &grant.name,
            table: &grant.table,
            grantee: &grant.grantee,
            permissions: grant.rights.permissions.iter().map(|one| one.as_str()).collect(),
            columns: grant.rights.columns.as_ref(),
            expires_ms: grant.rights.expires_ms,
            approval: grant.approval.as_ref(),
            creator: &grant.creator,
        };
        self.tell(stamp, &place, event, &about);
    }

    /// Whether any hook wants to hear of something.
    fn is_heard(&self, place: &Place, event: HookEvent) -> bool {
        self.listeners(place, event).next().is_some()
    }

    /// Hooks that want to hear of something.
    fn listeners<'a>(
        &'a self,
        place: &'a Place,
        event: HookEvent,
    ) -> impl Iterator<Item = &'a ChildName> {
        let wants = move |hook: &&Hook| {
            hook.enabled
                && hook.events.contains(&event)
                && hook.project.as_ref().is_none_or(|only| *only == place.project)
        };
        self.hooks_of(&place.tenant).filter(wants).map(|hook| &hook.name)
    }

    fn tell(&mut self, stamp: Stamp, place: &Place, event: HookEvent, about: &About<'_>) {
        let hooks: Vec<ChildName> = self.listeners(place, event).cloned().collect();
        let project = Some(&place.project).filter(|id| !id.is_empty());
        for hook in hooks {
            self.make_room(&hook);
            let number = self.hooks.last + 1;
            let body = Body {
                number,
                event: event.as_str(),
                time_ms: stamp.now_ms,
                project: project.map(|id| format!("projects/{id}")),
                about,
            };
            let body = serde_json::to_string(&body).expect("texts and numbers become JSON");
            let delivery = Delivery {
                number,
                hook,
                event,
                body,
                state: DeliveryState::Pending,
                attempts: 0,
                detail: String::new(),
                created_ms: stamp.now_ms,
                next_ms: stamp.now_ms,
                tried_ms: None,
            };
            self.hooks.last = number;
            self.index_delivery(&delivery);
            self.hooks.deliveries.insert(number, Arc::new(delivery));
        }
    }

    /// Forgets the oldest delivery of a hook that has as many as are kept; of those that are over, if there are any.
    fn make_room(&mut self, hook: &ChildName) {
        if self.deliveries_of(hook).count() < Bounds::DELIVERIES {
            return;
        }
        let over = self.deliveries_of(hook).find(|one| one.state != DeliveryState::Pending);
        let oldest = over.or_else(|| self.deliveries_of(hook).next());
        let Some((number, state)) = oldest.map(|one| (one.number, one.state)) else { return };
        self.remove_delivery(number);
        if state == DeliveryState::Pending
            && let Some(hook) = self.hooks.hooks.get_mut(hook)
        {
            Arc::make_mut(hook).lost += 1;
        }
    }
}
