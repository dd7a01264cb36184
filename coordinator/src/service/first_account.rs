//! The first account: whoever starts a cluster that has no accounts is told how to sign in.

use std::sync::Arc;
use std::time::Duration;

use tidegate_catalog::{AccountAction, AccountName, Action, Catalog, Command, DEFAULT_TENANT};
use tidegate_runtime::Clock;
use tidegate_runtime::blocking::beside;
use tidegate_security::password;
use tidegate_types::{Error, ErrorCode, Result};

use super::api::accounts::{one_time_password, salt};
use crate::raft::{Consistency, Metadata};

/// Id of the first account, in the tenant `default`.
pub const FIRST_ACCOUNT: &str = "admin";
/// How long to wait before it is tried again.
const PAUSE: Duration = Duration::from_millis(200);

/// The first account, with a password that is nowhere else.
#[derive(Debug)]
pub struct FirstAccount {
    /// Its name.
    pub name: String,
    /// Its password, for one time.
    pub password: String,
}

/// Creates the first account once the cluster has a leader, if it has none and this coordinator leads. The answer is
/// none on every other one, and wherever there is an account.
pub(super) async fn create(metadata: Metadata, clock: Arc<dyn Clock>) -> Option<FirstAccount> {
    let mut leadership = metadata.leadership();
    loop {
        // The one who leads first makes it; a later leader finds it.
        let _ = leadership.wait_for(|now| now.leader.is_some()).await;
        match attempt(&metadata, &clock).await {
            Ok(made) => return made,
            Err(error) => {
                tracing::debug!(%error, "the first account could not be looked for; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn attempt(metadata: &Metadata, clock: &Arc<dyn Clock>) -> Result<Option<FirstAccount>> {
    if metadata.read(Consistency::Linearizable, Catalog::has_accounts).await? {
        return Ok(None);
    }
    if !metadata.leadership().borrow().is_self {
        // Its leader makes it; this one looks again until it is there.
        tokio::time::sleep(PAUSE).await;
        return match metadata.read(Consistency::Stale, Catalog::has_accounts).await? {
            true => Ok(None),
            false => {
                let message = "another coordinator leads and has not made the first account yet";
                Err(Error::new(ErrorCode::Unavailable, message))
            }
        };
    }
    let (password, salt) = (one_time_password()?, salt()?);
    let secret = password.clone();
    let hash = beside("hash a password", move || password::hash(&secret, &salt)).await??;
    let account = AccountName::user(DEFAULT_TENANT, FIRST_ACCOUNT)?;
    let create = AccountAction::CreateFirst { account: account.clone(), password: hash };
    match metadata.propose(Command::new(clock.now_ms(), Action::Account(create))).await {
        Ok(_) => {}
        // Another one was faster.
        Err(error) if error.code() == ErrorCode::AlreadyExists => return Ok(None),
        Err(error) => return Err(error),
    }
    Ok(Some(FirstAccount { name: account.to_string(), password }))
}
