//! Reading who has which role.

use std::sync::Arc;

use tidegate_types::Result;

use super::{RoleAssignment, RoleKey};
use crate::account::AccountName;
use crate::bounds::invalid;
use crate::page::{Page, PageRequest, page};
use crate::scope::Scope;
use crate::state::Catalog;

impl Catalog {
    /// The roles of an account, by scope; there are at most [`crate::Bounds::ACCOUNT_ROLES`].
    pub fn roles_of(&self, account: &AccountName) -> impl Iterator<Item = &RoleAssignment> {
        let from: RoleKey = (account.clone(), Scope::System, String::new());
        let account = account.clone();
        let rest = self.roles.range(from..);
        rest.take_while(move |((owner, ..), _)| *owner == account).map(|(_, value)| value.as_ref())
    }

    /// Whether an account has a role in exactly this scope.
    pub fn has_role(&self, account: &AccountName, scope: &Scope, role: &str) -> bool {
        self.roles.contains_key(&(account.clone(), scope.clone(), role.to_owned()))
    }

    /// Who has which role in exactly this scope, by role, then account.
    pub fn assignments_in(&self, scope: &Scope) -> impl Iterator<Item = &RoleAssignment> {
        let from = (scope.clone(), String::new(), AccountName::least());
        let scope = scope.clone();
        let rest = self.index.roles_in.range(from..).take_while(move |(place, ..)| *place == scope);
        rest.filter_map(|(scope, role, account)| {
            self.roles.get(&(account.clone(), scope.clone(), role.clone())).map(Arc::as_ref)
        })
    }

    /// The same in pages.
    pub fn list_assignments(
        &self,
        scope: &Scope,
        request: &PageRequest,
    ) -> Result<Page<RoleAssignment>> {
        page(&format!("{scope}/roles"), request, |after| {
            let after = after
                .map(|key| {
                    let (role, account) = key
                        .split_once(' ')
                        .ok_or_else(|| invalid("the page token names no role"))?;
                    Ok::<_, tidegate_types::Error>((
                        role.to_owned(),
                        account.parse::<AccountName>()?,
                    ))
                })
                .transpose()?;
            let rest = self.assignments_in(scope);
            let rest = rest.filter(move |assignment| {
                after.as_ref().is_none_or(|(role, account)| {
                    (&assignment.role, &assignment.account) > (role, account)
                })
            });
            Ok(rest.map(|assignment| {
                (format!("{} {}", assignment.role, assignment.account), assignment.clone())
            }))
        })
    }
}
