//! Made-up passwords and ids for servers that live for one test run.

use std::fs::File;
use std::io::Read;

use anyhow::{Context, Result};

/// 32 hexadecimal digits from the system's random source.
pub(crate) fn random_hex() -> Result<String> {
    let mut bytes = [0_u8; 16];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context("read /dev/urandom")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
