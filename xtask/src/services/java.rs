//! Programs in Java that stand in the checkout, compiled against a server's own jars when they have changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result};

use super::install;
use crate::process;

/// Where the classes of a program are, below the folder that is given to [`compile`].
pub(super) fn classes(parent: &Path) -> PathBuf {
    parent.join("classes")
}

/// Compiles `*.java` of a folder, if there is any and it is newer than its classes; returns where the
/// classes are.
pub(super) fn compile(what: &str, sources: &Path, jars: &Path, parent: &Path) -> Result<PathBuf> {
    let sources = java_sources(sources)?;
    let classes = classes(parent);
    if sources.is_empty() || up_to_date(&sources, &classes) {
        return Ok(classes);
    }
    fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    let _lock = install::lock(&parent.join(".lock"))?;
    if up_to_date(&sources, &classes) {
        return Ok(classes);
    }
    eprintln!("compiling {what}");
    let scratch = tempfile::tempdir_in(parent).context("create a temporary folder")?;
    let fresh = scratch.path().join("classes");
    process::run_quietly(
        Command::new("javac")
            .args(["-nowarn", "-Xlint:none", "-encoding", "UTF-8", "-cp"])
            .arg(jars.join("*"))
            .arg("-d")
            .arg(&fresh)
            .args(&sources),
    )
    .with_context(|| format!("compile {what}"))?;
    if classes.exists() {
        fs::rename(&classes, scratch.path().join("old")).context("move the old classes away")?;
    }
    fs::rename(&fresh, &classes).context("move the classes into place")?;
    Ok(classes)
}

fn java_sources(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let path = entry.context("read a folder entry")?.path();
        if path.extension().is_some_and(|extension| extension == "java") {
            sources.push(path);
        }
    }
    sources.sort();
    Ok(sources)
}

/// Whether each source has a class of its name that is not older.
fn up_to_date(sources: &[PathBuf], classes: &Path) -> bool {
    let changed = |path: &Path| -> Option<SystemTime> { fs::metadata(path).ok()?.modified().ok() };
    sources.iter().all(|source| {
        let name = source.file_stem().unwrap_or_default();
        let class = classes.join(name).with_extension("class");
        matches!((changed(source), changed(&class)), (Some(source), Some(class)) if class >= source)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_or_new_source_is_compiled_again() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("Oracle.java");
        fs::write(&source, "class Oracle {}").unwrap();
        let sources = java_sources(folder.path()).unwrap();
        assert_eq!(sources, std::slice::from_ref(&source));
        assert!(!up_to_date(&sources, folder.path()));
        fs::write(folder.path().join("Oracle.class"), "").unwrap();
        assert!(up_to_date(&sources, folder.path()));
        let later = SystemTime::now() + std::time::Duration::from_secs(5);
        fs::File::options().append(true).open(&source).unwrap().set_modified(later).unwrap();
        assert!(!up_to_date(&sources, folder.path()));
    }
}
