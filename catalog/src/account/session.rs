//! Sessions: what an account has begun by signing in.

use serde::{Deserialize, Serialize};

use super::AccountName;

/// How long the refresh token before the current one is taken for a repetition, if nobody has used the current access
/// token since: the answer may have been lost.
pub(super) const REPEAT_MS: i64 = 30_000;

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Its id, random.
    pub id: String,
    /// Whose it is.
    pub account: AccountName,
    /// Id of the key that it began with, if it is a program's.
    pub key: Option<String>,
    /// The tokens that count.
    pub tokens: Tokens,
    /// SHA-256 of the refresh token before, hexadecimal.
    pub previous_refresh: Option<String>,
    /// What its owner knows it by.
    pub client: String,
    /// Address that it began from.
    pub address: String,
    /// When it began, milliseconds since the epoch.
    pub created_ms: i64,
    /// When it was last refreshed, milliseconds since the epoch.
    pub refreshed_ms: i64,
    /// When it ends whatever happens, milliseconds since the epoch.
    pub expires_ms: i64,
}

/// Hashes of the tokens of a session. Tokens have 256 random bits, so nothing slower than SHA-256 is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// SHA-256 of the access token, hexadecimal.
    pub access: String,
    /// When the access token counts for nothing any more, milliseconds since the epoch.
    pub access_expires_ms: i64,
    /// SHA-256 of the refresh token, hexadecimal.
    pub refresh: String,
}
