//! Reading accounts and sessions.

use std::ops::Bound;
use std::sync::Arc;

use tidegate_types::Result;

use super::{Account, AccountName, Session};
use crate::child_name::Collection;
use crate::name::ResourceName;
use crate::page::{Page, PageRequest, page};
use crate::scope::Scope;
use crate::state::{Catalog, not_found};

impl Catalog {
    /// An account that is not deleted.
    pub fn account(&self, name: &AccountName) -> Option<&Account> {
        self.accounts.get(name).map(Arc::as_ref).filter(|account| !account.deleted)
    }

    /// Whether there has ever been an account.
    pub fn has_accounts(&self) -> bool {
        !self.accounts.is_empty()
    }

    /// A session.
    pub fn session(&self, id: &str) -> Option<&Session> {
        self.sessions.get(id).map(Arc::as_ref)
    }

    /// The session that has a token with this SHA-256 (hexadecimal), whichever of its tokens it is.
    pub fn session_of_hash(&self, hash: &str) -> Option<&Session> {
        self.session(self.index.session_of_hash.get(hash)?)
    }

    /// Sessions of an account, in no order that means anything; there are at most
    /// [`crate::Bounds::ACCOUNT_SESSIONS`].
    pub fn sessions_of(&self, account: &AccountName) -> Vec<&Session> {
        let from = (account.clone(), String::new());
        let entries = self.index.sessions_of.range(from..);
        let entries = entries.take_while(|(owner, _)| owner == account);
        entries.filter_map(|(_, id)| self.session(id)).collect()
    }

    /// Accounts of people (or programs) of a tenant by id; `NOT_FOUND` if there is no such tenant.
    pub fn list_accounts(
        &self,
        tenant: &str,
        people: bool,
        request: &PageRequest,
    ) -> Result<Page<Arc<Account>>> {
        let name = ResourceName::Tenant(tenant.to_owned());
        if !self.tenants.contains_key(tenant) {
            return Err(not_found(&name));
        }
        let collection = if people { Collection::Users } else { Collection::ServiceAccounts };
        let owner = Scope::Tenant(tenant.to_owned());
        page(&format!("{name}/{}", collection.singular()), request, |after| {
            let from = match after {
                None => Bound::Included(AccountName::before(tenant, collection)),
                Some(id) if people => Bound::Excluded(AccountName::user(tenant, &id)?),
                Some(id) => Bound::Excluded(AccountName::service(tenant, &id)?),
            };
            let rest = self.accounts.range((from, Bound::Unbounded));
            let rest = rest.take_while(move |(name, _)| name.as_child().is_in(&owner, collection));
            let rest = rest.filter(|(_, account)| !account.deleted);
            Ok(rest.map(|(name, account)| (name.id().to_owned(), account.clone())))
        })
    }
}
