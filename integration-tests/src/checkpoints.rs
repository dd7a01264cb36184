//! Looks at checkpoints from outside: which manifests lie in a local folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::clock::wait_until;
use crate::folder::all_files;
use crate::tidegate::Process;

/// Manifests of checkpoints (not of savepoints) below a folder.
///
/// # Errors
/// If the file system refuses.
pub fn manifests(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let is_manifest = |path: &PathBuf| {
        let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
        path.ends_with("_metadata") && folder.to_string_lossy().starts_with("chk-")
    };
    Ok(all_files(root)?.into_iter().filter(is_manifest).collect())
}

/// Waits until a process has completed `count` checkpoints of its own (not in `before`). The
/// manifest of one more than that must be there: a manifest alone only prepares a checkpoint.
///
/// # Errors
/// If the process ends before, or a minute passes.
pub fn wait_for(
    process: &mut Process,
    root: &Path,
    before: &BTreeSet<PathBuf>,
    count: usize,
) -> Result<()> {
    let mut seen = BTreeSet::new();
    wait_until("checkpoints", Duration::from_secs(60), || {
        process.must_run()?;
        seen.extend(manifests(root)?.difference(before).cloned());
        Ok(seen.len() > count)
    })
}
