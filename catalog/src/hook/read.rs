//! Finding hooks and deliveries.

use std::ops::Bound;
use std::sync::Arc;

use tidegate_types::Result;

use super::{Delivery, DeliveryState, Hook};
use crate::bounds::invalid;
use crate::child_name::{ChildName, Collection};
use crate::name::ResourceName;
use crate::page::{Page, PageRequest, page};
use crate::scope::Scope;
use crate::state::{Catalog, not_found};

impl Catalog {
    /// A hook.
    pub fn hook(&self, name: &ChildName) -> Option<&Hook> {
        self.hooks.hooks.get(name).map(Arc::as_ref)
    }

    /// Hooks of a tenant by id.
    pub(crate) fn hooks_of<'a>(&'a self, tenant: &str) -> impl Iterator<Item = &'a Hook> + use<'a> {
        let owner = Scope::Tenant(tenant.to_owned());
        let from = ChildName::before(owner.clone(), Collection::Hooks);
        let rest = self.hooks.hooks.range(from..);
        let rest = rest.take_while(move |(name, _)| *name.owner() == owner);
        rest.map(|(_, hook)| hook.as_ref())
    }

    /// Deliveries for a hook, oldest first.
    pub(crate) fn deliveries_of<'a>(
        &'a self,
        hook: &ChildName,
    ) -> impl Iterator<Item = &'a Delivery> + use<'a> {
        let from = (hook.clone(), 0);
        let hook = hook.clone();
        let rest = self.index.deliveries_of.range(from..);
        let rest = rest.take_while(move |(other, _)| *other == hook);
        rest.filter_map(|(_, number)| self.hooks.deliveries.get(number)).map(Arc::as_ref)
    }

    /// Deliveries that are due for hooks that are told, oldest first.
    pub fn due_deliveries(&self, now_ms: i64) -> impl Iterator<Item = (&Delivery, &Hook)> {
        let due = self.index.pending_deliveries.range(..(now_ms.saturating_add(1), 0));
        let due = due.filter_map(|(_, number)| self.hooks.deliveries.get(number));
        due.filter_map(|delivery| {
            let hook = self.hook(&delivery.hook).filter(|hook| hook.enabled)?;
            Some((delivery.as_ref(), hook))
        })
    }

    /// Hooks of a tenant by id; `NOT_FOUND` if there is no such tenant.
    pub fn list_hooks(&self, tenant: &str, request: &PageRequest) -> Result<Page<Arc<Hook>>> {
        let name = ResourceName::Tenant(tenant.to_owned());
        if self.tenant(tenant).is_none() {
            return Err(not_found(&name));
        }
        let owner = Scope::Tenant(tenant.to_owned());
        page(&format!("{name}/hooks"), request, |after| {
            let from = match after.map(|key| key.parse::<ChildName>()).transpose()? {
                Some(name) => Bound::Excluded(name),
                None => Bound::Included(ChildName::before(owner.clone(), Collection::Hooks)),
            };
            let rest = self.hooks.hooks.range((from, Bound::Unbounded));
            let rest = rest.take_while(move |(name, _)| *name.owner() == owner);
            Ok(rest.map(|(name, hook)| (name.to_string(), hook.clone())))
        })
    }

    /// Deliveries for a hook, newest first; `NOT_FOUND` if there is no such hook.
    pub fn list_deliveries(
        &self,
        hook: &ChildName,
        state: Option<DeliveryState>,
        request: &PageRequest,
    ) -> Result<Page<Arc<Delivery>>> {
        if self.hook(hook).is_none() {
            return Err(not_found(hook));
        }
        page(&format!("{hook}/deliveries"), request, |after| {
            let below = after.map(|key| key.parse::<u64>()).transpose();
            let below = below.map_err(|_| invalid("the page token names no number"))?;
            let key = |number: u64| (hook.clone(), number);
            let range = (Bound::Included(key(0)), Bound::Excluded(key(below.unwrap_or(u64::MAX))));
            let rest = self.index.deliveries_of.range(range).rev();
            let rest = rest.filter_map(|(_, number)| self.hooks.deliveries.get(number));
            let rest = rest.filter(move |one| state.is_none_or(|state| one.state == state));
            Ok(rest.map(|delivery| (delivery.number.to_string(), delivery.clone())))
        })
    }
}
