//! Installing into the cache: one at a time per place, made aside and moved into place whole, so that
//! a folder that exists is complete.

use std::fs::{self, File};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::{Service, debian};
use crate::project::Project;

/// Installs these services and what the workspace's own build needs.
pub(crate) fn install(project: &Project, services: &[&dyn Service]) -> Result<()> {
    debian::ensure(debian::BUILD)?;
    for service in services {
        debian::ensure(service.needs())?;
        service.install(project).with_context(|| format!("install {}", service.name()))?;
    }
    Ok(())
}

/// Makes `target` by `fill`, which gets an empty folder beside it, unless `target` is there already.
pub(crate) fn once(
    what: &str,
    target: &Path,
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    if target.exists() {
        return Ok(());
    }
    let parent = target.parent().context("an installation has a parent folder")?;
    let name = target.file_name().context("an installation has a name")?.to_string_lossy();
    fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    let _lock = lock(&parent.join(format!(".{name}.lock")))?;
    if target.exists() {
        return Ok(());
    }
    eprintln!("installing {what} into {}", target.display());
    let start = Instant::now();
    let fresh = tempfile::Builder::new()
        .prefix(&format!(".{name}."))
        .tempdir_in(parent)
        .context("create a temporary folder")?;
    let folder = fresh.path().join("content");
    fs::create_dir(&folder).context("create a temporary folder")?;
    fill(&folder)?;
    fs::rename(&folder, target).with_context(|| format!("move it to {}", target.display()))?;
    eprintln!("installed {what} in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// Waits for, and holds, a lock that ends with the returned file or with this process.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .with_context(|| format!("open {}", path.display()))?;
    if file.try_lock().is_err() {
        eprintln!("waiting for another xtask that holds {}", path.display());
        file.lock().with_context(|| format!("lock {}", path.display()))?;
    }
    Ok(file)
}

/// Fails unless the folder holds a file whose name starts and ends like this.
pub(crate) fn expect_file(folder: &Path, start: &str, end: &str) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    for entry in entries {
        let name = entry.context("read a folder entry")?.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(start) && name.ends_with(end) {
            return Ok(());
        }
    }
    bail!("{} holds no {start}*{end}", folder.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_installation_leaves_nothing_and_can_be_repeated() {
        let cache = tempfile::tempdir().unwrap();
        let target = cache.path().join("kafka/1.0");
        let failed = once("it", &target, |folder| {
            fs::write(folder.join("half"), "x").unwrap();
            bail!("the network is gone")
        });
        assert!(failed.is_err() && !target.exists());

        once("it", &target, |folder| Ok(fs::write(folder.join("whole"), "x")?)).unwrap();
        assert!(target.join("whole").exists() && !target.join("half").exists());
        once("it", &target, |_| panic!("installed twice")).unwrap();

        let names: Vec<_> = fs::read_dir(cache.path().join("kafka")).unwrap().flatten().collect();
        assert_eq!(names.len(), 2, "the installation and its lock file: {names:?}");
    }

    #[test]
    fn an_expected_file_that_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = expect_file(folder.path(), "flink-dist-", ".jar").unwrap_err().to_string();
        assert!(error.contains("flink-dist-*.jar"), "{error}");
    }
}
