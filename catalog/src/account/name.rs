//! Names of accounts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tidegate_types::{Error, Result};

use crate::bounds::invalid;
use crate::child_name::{ChildName, Collection};
use crate::name::ResourceName;
use crate::scope::Scope;

/// `tenants/{tenant}/users/{user}` or `tenants/{tenant}/serviceAccounts/{account}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct AccountName(ChildName);

impl AccountName {
    /// A person's; `INVALID_OPTION` if an id is none.
    pub fn user(tenant: &str, id: &str) -> Result<Self> {
        Self::new(tenant, Collection::Users, id)
    }

    /// A program's; `INVALID_OPTION` if an id is none.
    pub fn service(tenant: &str, id: &str) -> Result<Self> {
        Self::new(tenant, Collection::ServiceAccounts, id)
    }

    fn new(tenant: &str, collection: Collection, id: &str) -> Result<Self> {
        crate::name::check_id("tenant", tenant)?;
        ChildName::new(Scope::Tenant(tenant.to_owned()), collection, id).map(Self)
    }

    /// Id of the tenant.
    pub fn tenant(&self) -> &str {
        match self.0.owner() {
            Scope::Tenant(id) => id,
            // No such name can be made.
            Scope::System | Scope::Project(_) => "",
        }
    }

    /// Id within the tenant.
    pub fn id(&self) -> &str {
        self.0.id()
    }

    /// Whether it is a person's.
    pub fn is_user(&self) -> bool {
        self.0.collection() == Collection::Users
    }

    /// As the name of something of a tenant.
    pub fn as_child(&self) -> &ChildName {
        &self.0
    }

    /// The least of all, for ranges.
    pub(crate) fn least() -> Self {
        Self::before("", Collection::Users)
    }

    /// The least name of a person or program of a tenant, for ranges.
    pub(crate) fn before(tenant: &str, collection: Collection) -> Self {
        Self(ChildName::before(Scope::Tenant(tenant.to_owned()), collection))
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for AccountName {
    type Err = Error;

    /// `INVALID_OPTION` if the text is no such name.
    fn from_str(text: &str) -> Result<Self> {
        match text.parse()? {
            ResourceName::Child(name)
                if matches!(name.collection(), Collection::Users | Collection::ServiceAccounts) =>
            {
                Ok(Self(name))
            }
            other => Err(invalid(format!("'{other}' is not the name of an account"))),
        }
    }
}

impl From<AccountName> for String {
    fn from(name: AccountName) -> Self {
        name.to_string()
    }
}

impl TryFrom<String> for AccountName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<AccountName> for ResourceName {
    fn from(name: AccountName) -> Self {
        Self::Child(name.0)
    }
}
