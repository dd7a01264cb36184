//! What all grants on a table come to for somebody.

use std::collections::{BTreeMap, BTreeSet};

use super::{ColumnMask, DataPermission, Grantee, Rights};
use crate::account::AccountName;
use crate::scope::Scope;
use crate::state::Catalog;
use crate::table::{Table, TableName};

/// Roles that let somebody look at what was granted to a project.
const ADMINISTRATORS: [&str; 2] = ["project-administrator", "project-data-admin"];

/// For whom it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker<'a> {
    /// For a job of a project, as an account submits or starts it; none: as the platform goes on with it.
    Job {
        /// Id of the project.
        project: &'a str,
        /// Who submits or starts it.
        account: Option<&'a AccountName>,
    },
    /// For somebody who looks at the data.
    Person(&'a AccountName),
}

/// What somebody may do with a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// What can be done.
    pub permissions: BTreeSet<DataPermission>,
    /// Columns that are not read as they are; all others are, if rows can be read at all.
    pub columns: BTreeMap<String, ColumnAccess>,
    /// Numbers of the grants that it rests on; none for the table's own project and what is public.
    pub grants: BTreeSet<u64>,
}

/// How a column is not read as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnAccess {
    /// Through a mask.
    Masked(ColumnMask),
    /// Not at all.
    Denied,
}

impl Access {
    /// Everything.
    fn whole() -> Self {
        Self { permissions: DataPermission::ALL.into(), ..Self::default() }
    }
}

impl Catalog {
    /// What somebody may do with a table at a moment. Of another tenant: nothing.
    pub fn access(&self, table: &Table, asker: Asker<'_>, now_ms: i64) -> Access {
        let owner = table.name.project();
        let Some(tenant) = self.project(owner).map(|project| project.tenant.as_str()) else {
            return Access::default();
        };
        let (of_own, same_tenant) = match asker {
            Asker::Job { project, .. } => {
                let its = self.project(project).map(|project| project.tenant.as_str());
                (project == owner, its == Some(tenant))
            }
            Asker::Person(account) => {
                let own = Scope::Project(owner.to_owned());
                let works = self.roles_of(account).any(|given| given.scope == own);
                (works, account.tenant() == tenant)
            }
        };
        if of_own {
            return Access::whole();
        }
        if !same_tenant {
            return Access::default();
        }
        let mut rights: Vec<(&Rights, Option<u64>)> = Vec::new();
        rights.extend(table.public.as_ref().map(|public| (public, None)));
        let granted = self.grants_on(&table.name);
        rights.extend(
            granted
                .filter(|grant| self.reaches(&grant.grantee, asker))
                .map(|grant| (&grant.rights, Some(grant.number))),
        );
        rights.retain(|(rights, _)| rights.counts(now_ms));
        joined(table, &rights)
    }

    /// Whether what is granted to somebody counts for who asks.
    fn reaches(&self, grantee: &Grantee, asker: Asker<'_>) -> bool {
        match (grantee, asker) {
            (Grantee::Account(name), Asker::Person(account)) => name == account,
            (Grantee::Account(name), Asker::Job { account, .. }) => account == Some(name),
            (Grantee::Project(id), Asker::Job { project, .. }) => id == project,
            (Grantee::Project(id), Asker::Person(account)) => {
                let scope = Scope::Project(id.clone());
                let members =
                    self.project(id).is_some_and(|found| found.settings.members_use_grants);
                self.roles_of(account)
                    .filter(|given| given.scope == scope)
                    .any(|given| members || ADMINISTRATORS.contains(&given.role.as_str()))
            }
        }
    }

    /// The table with a name, if somebody may do anything with it.
    pub fn accessible(
        &self,
        name: &TableName,
        asker: Asker<'_>,
        now_ms: i64,
    ) -> Option<(&Table, Access)> {
        let table = self.table(name)?;
        let access = self.access(table, asker, now_ms);
        (!access.permissions.is_empty()).then_some((table, access))
    }
}

/// What several rights come to together: the most of each.
fn joined(table: &Table, rights: &[(&Rights, Option<u64>)]) -> Access {
    let mut access = Access::default();
    for (rights, number) in rights {
        access.permissions.extend(&rights.permissions);
        access.grants.extend(number);
    }
    let reading =
        rights.iter().filter(|(rights, _)| rights.permissions.contains(&DataPermission::Select));
    let reading: Vec<&Rights> = reading.map(|(rights, _)| *rights).collect();
    if reading.iter().any(|rights| rights.columns.is_none()) {
        return access;
    }
    let lists: Vec<_> = reading.iter().filter_map(|rights| rights.columns.as_ref()).collect();
    if lists.is_empty() {
        return access;
    }
    for column in &table.definition.columns {
        let found: Vec<Option<ColumnMask>> =
            lists.iter().filter_map(|list| list.get(&column.name).copied()).collect();
        // As it is before any mask, and the mask that shows most before the others.
        let best = match (found.iter().any(Option::is_none), found.iter().flatten().min()) {
            (true, _) => continue,
            (false, Some(mask)) => ColumnAccess::Masked(*mask),
            (false, None) => ColumnAccess::Denied,
        };
        access.columns.insert(column.name.clone(), best);
    }
    access
}
