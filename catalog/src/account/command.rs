//! What can be done with accounts and sessions.

use serde::{Deserialize, Serialize};

use super::{AccountName, Tokens};

/// A change of accounts or sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AccountAction {
    /// Creates a person's or program's account. `ALREADY_EXISTS`, also for the name of one that was deleted;
    /// `NOT_FOUND` for the tenant.
    Create {
        /// Its name.
        account: AccountName,
        /// What people call it.
        display_name: String,
        /// Where it is written to.
        email: String,
        /// Hash of a password for one time; people only.
        password: Option<String>,
    },
    /// Creates the first account of all, a system administrator. `ALREADY_EXISTS` if there has been one.
    CreateFirst {
        /// Its name.
        account: AccountName,
        /// Hash of a password for one time.
        password: String,
    },
    /// Changes what is given. `CONFLICT` if an etag is given and the account has another; `FAILED_PRECONDITION` if
    /// nobody would be left to administer the system. Disabling ends its sessions.
    Update {
        /// Its name.
        account: AccountName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
        /// What people call it.
        display_name: Option<String>,
        /// Where it is written to.
        email: Option<String>,
        /// Whether it may not sign in.
        disabled: Option<bool>,
    },
    /// Deletes an account with its roles and sessions; the name is kept. Errors as for an update.
    Delete {
        /// Its name.
        account: AccountName,
        /// The revision that the caller has seen.
        etag: Option<u64>,
    },
    /// Gives a person another password and ends the sessions, but for one. `CONFLICT` if `instead_of` is given and the
    /// account has another hash.
    SetPassword {
        /// Its name.
        account: AccountName,
        /// The new hash.
        hash: String,
        /// Whether it must be changed before anything else.
        one_time: bool,
        /// The hash that was checked before.
        instead_of: Option<String>,
        /// Id of the session that stays.
        keep_session: Option<String>,
    },
    /// Forbids a person to sign in for a while, because of wrong passwords.
    Lock {
        /// Its name.
        account: AccountName,
        /// Until when, milliseconds since the epoch.
        until_ms: i64,
    },
    /// Gives a program a key. `RESOURCE_EXHAUSTED` beyond [`crate::Bounds::ACCOUNT_KEYS`].
    CreateKey {
        /// The account.
        account: AccountName,
        /// Id of the key.
        key: String,
        /// SHA-256, hexadecimal.
        hash: String,
        /// When it counts for nothing any more, milliseconds since the epoch.
        expires_ms: i64,
    },
    /// Takes a key back and ends the sessions that began with it.
    DeleteKey {
        /// The account.
        account: AccountName,
        /// Id of the key.
        key: String,
    },
    /// Begins a session; the oldest of the account ends if there would be too many. `FAILED_PRECONDITION` if the
    /// account may not sign in, or what was checked before has changed since.
    BeginSession {
        /// Its id, random.
        session: String,
        /// Whose it is.
        account: AccountName,
        /// The revision of the account with which password or key were checked.
        checked: u64,
        /// Id of the key, for programs.
        key: Option<String>,
        /// Its tokens.
        tokens: Tokens,
        /// When it ends whatever happens, milliseconds since the epoch.
        expires_ms: i64,
        /// What its owner knows it by.
        client: String,
        /// Address that it begins from.
        address: String,
    },
    /// Exchanges the tokens of a session. `UNAUTHENTICATED` if the refresh token is not the current one (or the one
    /// before within half a minute), or the session is over.
    RefreshSession {
        /// Its id.
        session: String,
        /// SHA-256 of the refresh token that was shown, hexadecimal.
        shown: String,
        /// The new tokens.
        tokens: Tokens,
    },
    /// Ends a session.
    EndSession {
        /// Its id.
        session: String,
    },
}
