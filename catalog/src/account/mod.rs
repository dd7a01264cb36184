//! Accounts of people and programs, and the sessions that they begin.

mod apply;
mod command;
mod name;
mod read;
mod session;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use command::AccountAction;
pub use name::AccountName;
pub use session::{Session, Tokens};

/// Somebody who can sign in: a person with a password, or a program with keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Its name.
    pub name: AccountName,
    /// What people call it; for programs what it is.
    pub display_name: String,
    /// Where it is written to; empty for programs.
    pub email: String,
    /// What it signs in with, if it is a person's.
    pub password: Option<Password>,
    /// What it signs in with, if it is a program's, by id.
    pub keys: BTreeMap<String, Key>,
    /// Whether it may not sign in.
    pub disabled: bool,
    /// Until when it may not sign in because of wrong passwords, milliseconds since the epoch.
    pub locked_until_ms: Option<i64>,
    /// Deleted accounts are kept without what they sign in with: their names stand in histories.
    pub deleted: bool,
    /// When it was created, milliseconds since the epoch.
    pub created_ms: i64,
    /// When it was last changed, milliseconds since the epoch.
    pub updated_ms: i64,
    /// Changes with every change of the account; its etag.
    pub revision: u64,
}

/// The hash of a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Password {
    /// In the PHC string format, such as `$argon2id$v=19$…`.
    pub hash: String,
    /// Whether it must be changed before anything else is allowed.
    pub one_time: bool,
}

/// The hash of a program's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// SHA-256 of the key, hexadecimal.
    pub hash: String,
    /// When it was made, milliseconds since the epoch.
    pub created_ms: i64,
    /// When it counts for nothing any more, milliseconds since the epoch.
    pub expires_ms: i64,
}

impl Account {
    /// Whether it may sign in, as far as it is not locked.
    pub fn is_active(&self) -> bool {
        !self.disabled && !self.deleted
    }
}
