//! Giving and taking roles.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_types::Result;

use super::{RoleAssignment, SYSTEM_ADMINISTRATOR};
use crate::account::AccountName;
use crate::bounds::{self, Bounds, invalid};
use crate::name::{ResourceName, check_id};
use crate::scope::Scope;
use crate::state::{Catalog, Stamp, not_found};
use crate::tenancy::DEFAULT_TENANT;

/// A change of who has which role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RoleAction {
    /// Gives an account a role; one that it has stays as it is. `NOT_FOUND` for account or scope; `INVALID_OPTION` if
    /// the account is of another tenant than the scope (the system's is `default`).
    Assign {
        /// The account.
        account: AccountName,
        /// Where.
        scope: Scope,
        /// Which.
        role: String,
        /// Who gives it.
        creator: String,
    },
    /// Takes a role back. `NOT_FOUND` if the account does not have it; `FAILED_PRECONDITION` if nobody would be left to
    /// administer the system.
    Revoke {
        /// The account.
        account: AccountName,
        /// Where.
        scope: Scope,
        /// Which.
        role: String,
    },
}

impl Catalog {
    pub(crate) fn apply_role(&mut self, stamp: Stamp, action: RoleAction) -> Result<ResourceName> {
        match action {
            RoleAction::Assign { account, scope, role, creator } => {
                self.assign_role(stamp, account, scope, role, creator)
            }
            RoleAction::Revoke { account, scope, role } => self.revoke_role(account, scope, role),
        }
    }

    fn assign_role(
        &mut self,
        stamp: Stamp,
        account: AccountName,
        scope: Scope,
        role: String,
        creator: String,
    ) -> Result<ResourceName> {
        check_id("role", &role)?;
        bounds::text("the creator", &creator, Bounds::LABEL_BYTES)?;
        self.account_ref(&account)?;
        let tenant = match &scope {
            Scope::System => DEFAULT_TENANT,
            Scope::Tenant(id) => {
                let tenant = self.tenant(id);
                &tenant.ok_or_else(|| not_found(&scope))?.id
            }
            Scope::Project(id) => {
                let project = self.open_project(id)?;
                &project.tenant
            }
        };
        if account.tenant() != tenant {
            return Err(invalid(format!("{account} is of another tenant than {scope}"))
                .help("roles are given to accounts of the same tenant; the system's is default"));
        }
        let of_account = self.roles_of(&account).count();
        bounds::room("roles of the account", of_account, Bounds::ACCOUNT_ROLES)?;
        if !self.has_role(&account, &scope, &role) {
            let key = (account.clone(), scope.clone(), role.clone());
            let created_ms = stamp.now_ms;
            let assignment = RoleAssignment {
                scope: scope.clone(),
                role: role.clone(),
                account: account.clone(),
                created_ms,
                creator,
            };
            self.roles.insert(key, Arc::new(assignment));
            self.index.roles_in.insert((scope, role, account.clone()));
        }
        Ok(account.into())
    }

    fn revoke_role(
        &mut self,
        account: AccountName,
        scope: Scope,
        role: String,
    ) -> Result<ResourceName> {
        let key = (account.clone(), scope.clone(), role.clone());
        if !self.roles.contains_key(&key) {
            return Err(not_found(&format!("role {role} of {account} in {scope}")));
        }
        if scope == Scope::System && role == SYSTEM_ADMINISTRATOR {
            self.check_administrator_left(&account)?;
        }
        self.roles.remove(&key);
        self.index.roles_in.remove(&(scope, role, account.clone()));
        Ok(account.into())
    }

    /// Takes all roles of an account back.
    pub(crate) fn remove_roles(&mut self, account: &AccountName) {
        let keys: Vec<_> = self
            .roles_of(account)
            .map(|assignment| (assignment.scope.clone(), assignment.role.clone()))
            .collect();
        for (scope, role) in keys {
            self.roles.remove(&(account.clone(), scope.clone(), role.clone()));
            self.index.roles_in.remove(&(scope, role, account.clone()));
        }
    }

    /// Takes all roles in a scope back.
    pub(crate) fn remove_roles_in(&mut self, scope: &Scope) {
        let keys: Vec<_> = self
            .assignments_in(scope)
            .map(|assignment| (assignment.account.clone(), assignment.role.clone()))
            .collect();
        for (account, role) in keys {
            self.roles.remove(&(account.clone(), scope.clone(), role.clone()));
            self.index.roles_in.remove(&(scope.clone(), role, account));
        }
    }
}
