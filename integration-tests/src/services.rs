//! Where the real services are: variables that `cargo xtask test` sets.

use anyhow::{Result, anyhow};

/// The value of a service's variable.
///
/// # Errors
/// If it is not set: the service is not up.
pub fn variable(name: &str) -> Result<String> {
    std::env::var(name).map_err(|_| {
        anyhow!("{name} is not set, so a real service is missing: run through `cargo xtask test`")
    })
}
