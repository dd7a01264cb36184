//! Giving and taking.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_types::Result;

use super::{Grant, Grantee, Rights};
use crate::approval::Subject;
use crate::bounds::{self, Bounds, invalid};
use crate::child_name::{ChildName, Collection};
use crate::hook::HookEvent;
use crate::name::{ResourceName, RunName};
use crate::scope::Scope;
use crate::state::{Catalog, Stamp, not_found, precondition};
use crate::table::TableName;

/// A change of who may do what with data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum GrantAction {
    /// Asks for rights: an approval of the data administrator of the table's project. `NOT_FOUND` for the table or of
    /// another tenant; `INVALID_OPTION` for rights that the table cannot give; `PERMISSION_DENIED` for who asks for
    /// another person, or for a project that he has no role in.
    Request {
        /// The table.
        table: TableName,
        /// For whom.
        grantee: Grantee,
        /// What.
        rights: Rights,
        /// Who asks.
        requester: String,
        /// Why.
        reason: String,
    },
    /// Gives rights directly. Errors as for a request.
    Give {
        /// The table.
        table: TableName,
        /// To whom.
        grantee: Grantee,
        /// What.
        rights: Rights,
        /// Who gives it.
        creator: String,
    },
    /// Takes a grant back. `NOT_FOUND`.
    Revoke {
        /// Its name.
        grant: ChildName,
    },
    /// Says what everybody of the tenant may do with a table; none: nothing.
    SetPublic {
        /// The table.
        table: TableName,
        /// What.
        rights: Option<Rights>,
    },
    /// Forgets grants that have ended.
    Expire {},
    /// Says of a running job whether it has the grants that it needs, and does what is wanted of one that has not.
    /// `NOT_FOUND`, `FAILED_PRECONDITION` if it is over.
    Review {
        /// The run.
        run: RunName,
    },
}

impl Catalog {
    pub(crate) fn apply_grant(
        &mut self,
        stamp: Stamp,
        action: GrantAction,
    ) -> Result<ResourceName> {
        match action {
            GrantAction::Request { table, grantee, rights, requester, reason } => {
                self.check_grant(stamp, &table, &grantee, &rights)?;
                self.check_requester(&grantee, &requester)?;
                let subject = Subject::Access { table, grantee, rights: Box::new(rights) };
                self.ask(stamp, subject, requester, reason).map(ResourceName::Child)
            }
            GrantAction::Give { table, grantee, rights, creator } => {
                self.give(stamp, table, grantee, rights, creator, None)
            }
            GrantAction::Revoke { grant } => {
                let found = self.grant(&grant).cloned().ok_or_else(|| not_found(&grant))?;
                self.remove_grant(found.number);
                self.tell_of_grant(stamp, &found, HookEvent::GrantRevoked);
                Ok(grant.into())
            }
            GrantAction::SetPublic { table, rights } => {
                if let Some(rights) = &rights {
                    self.check_rights(stamp, &table, rights)?;
                }
                self.open_project(table.project())?;
                self.table_mut(stamp, &table)?.public = rights;
                Ok(table.into())
            }
            GrantAction::Review { run } => self.review_run(stamp, run),
            GrantAction::Expire {} => {
                let ending = self.index.ending_grants.iter();
                let over = ending.take_while(|(expires_ms, _)| *expires_ms <= stamp.now_ms);
                let over: Vec<u64> = over.map(|(_, number)| *number).collect();
                for number in over {
                    let ended = self.grants.grants.get(&number).cloned();
                    self.remove_grant(number);
                    if let Some(ended) = ended {
                        self.tell_of_grant(stamp, &ended, HookEvent::GrantRevoked);
                    }
                }
                Ok(ResourceName::Tenant(crate::tenancy::DEFAULT_TENANT.to_owned()))
            }
        }
    }

    /// Adds a row to a whitelist.
    pub(crate) fn give(
        &mut self,
        stamp: Stamp,
        table: TableName,
        grantee: Grantee,
        rights: Rights,
        creator: String,
        approval: Option<ChildName>,
    ) -> Result<ResourceName> {
        self.check_grant(stamp, &table, &grantee, &rights)?;
        bounds::text("the creator", &creator, Bounds::LABEL_BYTES)?;
        bounds::room("grants", self.grants.grants.len(), Bounds::GRANTS)?;
        let number = self.grants.last + 1;
        let owner = Scope::Project(table.project().to_owned());
        let name = ChildName::new(owner, Collection::Grants, number.to_string())?;
        let grant = Grant {
            name: name.clone(),
            number,
            table,
            grantee,
            rights,
            approval,
            creator,
            created_ms: stamp.now_ms,
        };
        self.grants.last = number;
        self.index_grant(&grant);
        self.tell_of_grant(stamp, &grant, HookEvent::GrantGiven);
        self.grants.grants.insert(number, Arc::new(grant));
        Ok(name.into())
    }

    fn check_grant(
        &self,
        stamp: Stamp,
        table: &TableName,
        grantee: &Grantee,
        rights: &Rights,
    ) -> Result<()> {
        let tenant = self.open_project(table.project())?.tenant.clone();
        self.check_rights(stamp, table, rights)?;
        let same_tenant = match grantee {
            Grantee::Account(name) => self.account_ref(name)?.name.tenant() == tenant,
            Grantee::Project(id) => {
                if id == table.project() {
                    return Err(precondition(format!("{table} is of projects/{id}"))
                        .help("a project needs no grant for its own tables"));
                }
                self.open_project(id)?.tenant == tenant
            }
        };
        // As if it were not there.
        if same_tenant { Ok(()) } else { Err(not_found(grantee)) }
    }

    fn check_rights(&self, stamp: Stamp, table: &TableName, rights: &Rights) -> Result<()> {
        let found = self.table_ref(table)?;
        if rights.permissions.is_empty() {
            return Err(invalid("no permission is named: use select, insert, update or delete"));
        }
        if !rights.counts(stamp.now_ms) {
            return Err(invalid("the moment at which it ends is over"));
        }
        let Some(columns) = &rights.columns else { return Ok(()) };
        if columns.is_empty() {
            return Err(invalid("no column is named"));
        }
        let known =
            |name: &String| found.definition.columns.iter().any(|column| column.name == *name);
        match columns.keys().find(|name| !known(name)) {
            Some(name) => Err(invalid(format!("{table} has no column {name}"))),
            None => Ok(()),
        }
    }

    /// Refuses who asks for another person, or for a project that he does not work in.
    fn check_requester(&self, grantee: &Grantee, requester: &str) -> Result<()> {
        let works = match grantee {
            Grantee::Account(name) => name.to_string() == requester,
            Grantee::Project(id) => {
                let scope = Scope::Project(id.clone());
                let mut members = self.assignments_in(&scope);
                members.any(|given| given.account.to_string() == requester)
            }
        };
        if works {
            return Ok(());
        }
        let message = format!("{requester} may not ask for {grantee}");
        Err(tidegate_types::Error::new(tidegate_types::ErrorCode::PermissionDenied, message)
            .help("ask for yourself, or for a project that you have a role in"))
    }

    fn remove_grant(&mut self, number: u64) {
        if let Some(grant) = self.grants.grants.remove(&number) {
            self.index.grants_on.remove(&(grant.table.clone(), number));
            self.index.grants_to.remove(&(grant.grantee.clone(), number));
            if let Some(expires_ms) = grant.rights.expires_ms {
                self.index.ending_grants.remove(&(expires_ms, number));
            }
        }
    }

    /// Takes all grants on a table back.
    pub(crate) fn remove_grants_on(&mut self, table: &TableName) {
        let ended: Vec<u64> = self.grants_on(table).map(|grant| grant.number).collect();
        for number in ended {
            self.remove_grant(number);
        }
    }

    /// Takes all grants to somebody back.
    pub(crate) fn remove_grants_to(&mut self, grantee: &Grantee) {
        let rest = self.index.grants_to.range((grantee.clone(), 0)..);
        let rest = rest.take_while(|(other, _)| other == grantee);
        let ended: Vec<u64> = rest.map(|(_, number)| *number).collect();
        for number in ended {
            self.remove_grant(number);
        }
    }

    /// Adds a grant to what grants are found by.
    pub(crate) fn index_grant(&mut self, grant: &Grant) {
        self.index.grants_on.insert((grant.table.clone(), grant.number));
        self.index.grants_to.insert((grant.grantee.clone(), grant.number));
        if let Some(expires_ms) = grant.rights.expires_ms {
            self.index.ending_grants.insert((expires_ms, grant.number));
        }
    }
}
