//! Registering hooks, and what became of deliveries.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_types::Result;

use super::{Delivery, DeliveryState, Hook, HookEvent};
use crate::bounds::{self, Bounds, invalid};
use crate::child_name::{ChildName, Collection};
use crate::data_source::Sealed;
use crate::name::ResourceName;
use crate::scope::Scope;
use crate::state::{Catalog, Stamp, already_exists, check_etag, not_found};

/// How long a delivery waits after its first attempt; three times as long after each other one.
const FIRST_PAUSE_MS: i64 = 5_000;
/// How long it waits at most.
const LONGEST_PAUSE_MS: i64 = 3_600_000;

/// A change of hooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum HookAction {
    /// Creates a hook. `ALREADY_EXISTS`; `NOT_FOUND` for its tenant, or a project that is not of it.
    Create {
        /// Its name.
        hook: ChildName,
        /// What it is for.
        description: String,
        /// Where it is told.
        url: String,
        /// Of what; not empty.
        events: BTreeSet<HookEvent>,
        /// Only of this project.
        project: Option<String>,
        /// What deliveries are signed with.
        secret: Option<Sealed>,
        /// Whether it is told.
        enabled: bool,
        /// Who creates it.
        creator: String,
    },
    /// Changes what is given. `CONFLICT` if an etag is given and it has another.
    Update {
        /// Its name.
        hook: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// What it is for.
        description: Option<String>,
        /// Where it is told.
        url: Option<String>,
        /// Of what; not empty.
        events: Option<BTreeSet<HookEvent>>,
        /// Only of this project, or of all.
        project: Option<Setting<String>>,
        /// What deliveries are signed with, or that they are not.
        secret: Option<Setting<Sealed>>,
        /// Whether it is told.
        enabled: Option<bool>,
    },
    /// Deletes a hook with its deliveries.
    Delete {
        /// Its name.
        hook: ChildName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
    },
    /// Says what came of attempts. Of a delivery that has been tried oftener, or is not there, nothing is said.
    Report {
        /// Of these.
        reports: Vec<Reported>,
    },
}

/// A new value of something that may have none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting<T> {
    /// This.
    To(T),
    /// None any more.
    Nothing,
}

impl<T> Setting<T> {
    /// From what is to be there.
    pub fn of(value: Option<T>) -> Self {
        value.map_or(Self::Nothing, Self::To)
    }

    fn or_nothing(self) -> Option<T> {
        match self {
            Self::To(value) => Some(value),
            Self::Nothing => None,
        }
    }
}

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reported {
    /// Number of the delivery.
    pub number: u64,
    /// Attempts before this one.
    pub attempts: u32,
    /// Whether it was taken.
    pub taken: bool,
    /// How it was answered, or why it was not.
    pub detail: String,
}

impl Catalog {
    pub(crate) fn apply_hook(&mut self, stamp: Stamp, action: HookAction) -> Result<ResourceName> {
        match action {
            HookAction::Create { .. } => self.create_hook(stamp, action),
            HookAction::Update { .. } => self.update_hook(stamp, action),
            HookAction::Delete { hook, etag } => {
                let now = self.hook(&hook).ok_or_else(|| not_found(&hook))?;
                check_etag(&hook, now.revision, etag)?;
                self.remove_hook(&hook);
                Ok(hook.into())
            }
            HookAction::Report { reports } => {
                for report in reports {
                    self.report(stamp, report);
                }
                Ok(ResourceName::Tenant(crate::tenancy::DEFAULT_TENANT.to_owned()))
            }
        }
    }

    fn create_hook(&mut self, stamp: Stamp, action: HookAction) -> Result<ResourceName> {
        let HookAction::Create {
            hook: name,
            description,
            url,
            events,
            project,
            secret,
            enabled,
            creator,
        } = action
        else {
            return Err(crate::apply::misdirected());
        };
        let tenant = tenant_of(&name)?.to_owned();
        if self.tenant(&tenant).is_none() {
            return Err(not_found(&ResourceName::Tenant(tenant)));
        }
        if self.hooks.hooks.contains_key(&name) {
            return Err(already_exists(&name));
        }
        let have = self.hooks_of(&tenant).count();
        bounds::room("hooks of the tenant", have, Bounds::HOOKS)?;
        bounds::text("the creator", &creator, Bounds::LABEL_BYTES)?;
        let hook = Hook {
            name: name.clone(),
            description,
            url,
            events,
            project,
            secret,
            enabled,
            lost: 0,
            creator,
            created_ms: stamp.now_ms,
            updated_ms: stamp.now_ms,
            revision: stamp.revision,
        };
        self.check_hook(&tenant, &hook)?;
        self.hooks.hooks.insert(name.clone(), Arc::new(hook));
        Ok(name.into())
    }

    fn update_hook(&mut self, stamp: Stamp, action: HookAction) -> Result<ResourceName> {
        let HookAction::Update {
            hook: name,
            etag,
            description,
            url,
            events,
            project,
            secret,
            enabled,
        } = action
        else {
            return Err(crate::apply::misdirected());
        };
        let mut hook = self.hook(&name).cloned().ok_or_else(|| not_found(&name))?;
        check_etag(&name, hook.revision, etag)?;
        hook.description = description.unwrap_or(hook.description);
        hook.url = url.unwrap_or(hook.url);
        hook.events = events.unwrap_or(hook.events);
        hook.project = project.map_or(hook.project, Setting::or_nothing);
        hook.secret = secret.map_or(hook.secret, Setting::or_nothing);
        hook.enabled = enabled.unwrap_or(hook.enabled);
        hook.updated_ms = stamp.now_ms;
        hook.revision = stamp.revision;
        self.check_hook(tenant_of(&name)?, &hook)?;
        self.hooks.hooks.insert(name.clone(), Arc::new(hook));
        Ok(name.into())
    }

    fn check_hook(&self, tenant: &str, hook: &Hook) -> Result<()> {
        bounds::text("the description", &hook.description, Bounds::DESCRIPTION_BYTES)?;
        bounds::location("the url", &hook.url)?;
        if hook.events.is_empty() {
            return Err(invalid("a hook needs an event that it is told of"));
        }
        let Some(project) = &hook.project else { return Ok(()) };
        let same = self.project(project).is_some_and(|project| project.tenant == tenant);
        if same { Ok(()) } else { Err(not_found(&ResourceName::Project(project.clone()))) }
    }

    fn report(&mut self, stamp: Stamp, report: Reported) {
        let Reported { number, attempts, taken, detail } = report;
        let Some(delivery) = self.hooks.deliveries.get_mut(&number) else { return };
        if delivery.state != DeliveryState::Pending || delivery.attempts != attempts {
            return;
        }
        let delivery = Arc::make_mut(delivery);
        let was = index_key(delivery);
        delivery.attempts += 1;
        delivery.detail = bounds::cut_to(detail, Bounds::REASON_BYTES);
        delivery.tried_ms = Some(stamp.now_ms);
        delivery.state = match taken {
            true => DeliveryState::Delivered,
            false if delivery.attempts >= Bounds::DELIVERY_ATTEMPTS => DeliveryState::Failed,
            false => DeliveryState::Pending,
        };
        delivery.next_ms = stamp.now_ms.saturating_add(pause_ms(delivery.attempts));
        let now = index_key(delivery);
        let pending = delivery.state == DeliveryState::Pending;
        self.index.pending_deliveries.remove(&was);
        if pending {
            self.index.pending_deliveries.insert(now);
        }
    }

    /// Forgets a hook with its deliveries.
    fn remove_hook(&mut self, name: &ChildName) {
        let numbers: Vec<u64> = self.deliveries_of(name).map(|delivery| delivery.number).collect();
        for number in numbers {
            self.remove_delivery(number);
        }
        self.hooks.hooks.remove(name);
    }

    /// Forgets the hooks of a tenant that goes away.
    pub(crate) fn remove_hooks_of(&mut self, tenant: &str) {
        let names: Vec<ChildName> = self.hooks_of(tenant).map(|hook| hook.name.clone()).collect();
        for name in names {
            self.remove_hook(&name);
        }
    }

    pub(super) fn remove_delivery(&mut self, number: u64) {
        if let Some(delivery) = self.hooks.deliveries.remove(&number) {
            self.index.pending_deliveries.remove(&index_key(&delivery));
            self.index.deliveries_of.remove(&(delivery.hook.clone(), number));
        }
    }

    /// Adds a delivery to what deliveries are found by.
    pub(crate) fn index_delivery(&mut self, delivery: &Delivery) {
        self.index.deliveries_of.insert((delivery.hook.clone(), delivery.number));
        if delivery.state == DeliveryState::Pending {
            self.index.pending_deliveries.insert(index_key(delivery));
        }
    }
}

fn index_key(delivery: &Delivery) -> (i64, u64) {
    (delivery.next_ms, delivery.number)
}

/// How long to wait after so many attempts.
fn pause_ms(attempts: u32) -> i64 {
    let times = 3_i64.saturating_pow(attempts.saturating_sub(1));
    FIRST_PAUSE_MS.saturating_mul(times).min(LONGEST_PAUSE_MS)
}

/// Id of the tenant that a hook is of.
pub(super) fn tenant_of(name: &ChildName) -> Result<&str> {
    match name.owner() {
        Scope::Tenant(id) if name.collection() == Collection::Hooks => Ok(id),
        _ => Err(invalid(format!("'{name}' is not the name of a hook"))),
    }
}
