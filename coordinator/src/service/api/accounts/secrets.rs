//! Random secrets, and hashing passwords without keeping others waiting.

use tidegate_runtime::blocking::beside;
use tidegate_security::password::{self, ONE_TIME_BYTES, SALT_BYTES};
use tidegate_security::token::{self, TokenHash};
use tidegate_types::{Error, ErrorCode, Result};
use tokio::sync::Semaphore;

/// Passwords that are hashed at the same time, and that wait for it.
const AT_ONCE: usize = 2;
const WAITING: usize = 64;

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::internal(format!("the system has no random bytes: {error}")))?;
    Ok(bytes)
}

/// A password for one time.
pub(crate) fn one_time_password() -> Result<String> {
    random::<ONE_TIME_BYTES>().map(|bytes| password::one_time(&bytes))
}

/// A salt for a password.
pub(crate) fn salt() -> Result<[u8; SALT_BYTES]> {
    random()
}

/// A new token and its hash.
pub(super) fn token() -> Result<(String, String)> {
    let token = token::from_random(&random()?);
    let hash = TokenHash::of(&token).to_string();
    Ok((token, hash))
}

/// The hash of a token, as the catalog has it.
pub(super) fn hash_of(token: &str) -> String {
    TokenHash::of(token).to_string()
}

/// A random id of something that is not secret.
pub(super) fn id() -> Result<String> {
    let bytes: [u8; 8] = random()?;
    Ok(format!("{:016x}", u64::from_le_bytes(bytes)))
}

/// Hashes passwords beside what else is done, a few at a time: each takes 19 MiB.
pub(in crate::service) struct Hasher {
    at_once: Semaphore,
    waiting: Semaphore,
}

impl Default for Hasher {
    fn default() -> Self {
        Self { at_once: Semaphore::new(AT_ONCE), waiting: Semaphore::new(WAITING) }
    }
}

impl Hasher {
    /// The hash of a password.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED` if too many wait.
    pub(super) async fn hash(&self, password: String) -> Result<String> {
        let salt = salt()?;
        self.run("hash a password", move || password::hash(&password, &salt)).await?
    }

    /// Whether a password has a hash.
    ///
    /// # Errors
    /// As [`Hasher::hash`].
    pub(super) async fn verify(&self, password: String, hash: String) -> Result<bool> {
        self.run("check a password", move || password::verify(&password, &hash)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let busy = || {
            Error::new(ErrorCode::ResourceExhausted, "too many passwords wait to be checked")
                .help("try again in a moment")
        };
        let _waiting = self.waiting.try_acquire().map_err(|_| busy())?;
        let _turn = self.at_once.acquire().await.map_err(|_| busy())?;
        beside(what, work).await
    }
}
