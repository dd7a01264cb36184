//! Where things are: the checkout, the cache outside of it, the folder of running services.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The folders that every task works with, and this program; all absolute.
#[derive(Clone)]
pub(crate) struct Project {
    /// The checkout: the folder of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Installed servers and tools, shared by all checkouts of this user.
    pub(crate) cache: PathBuf,
    /// Data, logs and records of the services that run.
    pub(crate) run_dir: PathBuf,
    /// This program. Where it was when it began: a build puts another file in its place, and the system then
    /// calls the running one deleted.
    pub(crate) program: PathBuf,
}

impl Project {
    /// Finds the checkout from the working directory, and the other folders from
    /// `TIDEGATE_CACHE` and `TIDEGATE_RUN_DIR`.
    pub(crate) fn locate() -> Result<Self> {
        let here = env::current_dir().context("read the working directory")?;
        let root = match checkout_above(&here) {
            Some(root) => root,
            None => checkout_above(Path::new(env!("CARGO_MANIFEST_DIR")))
                .context("find the checkout: run this from inside of it")?,
        };
        let cache = match folder_from("TIDEGATE_CACHE")? {
            Some(cache) => cache,
            None => {
                let home = env::var_os("HOME").context("HOME is not set: set TIDEGATE_CACHE")?;
                PathBuf::from(home).join(".cache").join("tidegate")
            }
        };
        let run_dir = folder_from("TIDEGATE_RUN_DIR")?
            .unwrap_or_else(|| root.join("target").join("services"));
        let program = env::current_exe().context("find this program")?;
        Ok(Self { root, cache, run_dir, program })
    }
}

/// The nearest folder at or above `start` that holds this workspace.
fn checkout_above(start: &Path) -> Option<PathBuf> {
    start
        .ancestors()
        .find(|folder| {
            folder.join("Cargo.lock").exists() && folder.join("xtask/Cargo.toml").exists()
        })
        .map(Path::to_path_buf)
}

fn folder_from(variable: &str) -> Result<Option<PathBuf>> {
    match env::var_os(variable) {
        Some(value) if !value.is_empty() => {
            let folder = std::path::absolute(PathBuf::from(value))
                .with_context(|| format!("read {variable}"))?;
            Ok(Some(folder))
        }
        _ => Ok(None),
    }
}
