//! Apache Flink as a folder of jars: the oracle of semantics in the integration tests. Nothing of it
//! runs as a server; the oracle's source is compiled ahead so that the first test need not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result};

use super::wheel::Wheel;
use super::{Service, debian, home, install};
use crate::process;
use crate::project::Project;

const WHEEL: Wheel = Wheel {
    package: "apache-flink-libraries",
    version: "2.3.0",
    hashes: &[("any", "38ece876553286b3a285cf344c2d2038f8a7ca10da5df54d5107250386d64151")],
};

/// The jars, and the oracle's classes.
pub(crate) struct Flink;

impl Service for Flink {
    fn name(&self) -> &'static str {
        "flink"
    }

    fn version(&self) -> &'static str {
        WHEEL.version
    }

    fn needs(&self) -> &'static [debian::Need] {
        debian::PIP_AND_JAVA
    }

    fn core(&self) -> bool {
        false
    }

    fn install(&self, project: &Project) -> Result<()> {
        let what = format!("Flink {}", WHEEL.version);
        install::once(&what, &home(project, self), |folder| {
            let scratch = tempfile::tempdir_in(folder).context("create a temporary folder")?;
            let content = WHEEL.unpack(scratch.path())?;
            fs::rename(content.join("pyflink/lib"), folder.join("lib")).context("take the jars")?;
            install::expect_file(&folder.join("lib"), "flink-dist-", ".jar")
        })?;
        compile_oracle(project)
    }

    fn installed(&self, project: &Project) -> bool {
        home(project, self).exists()
    }

    fn static_env(&self, project: &Project) -> Vec<(&'static str, String)> {
        let mut variables =
            vec![("TIDEGATE_FLINK_CLASSPATH_DIR", lib(project).display().to_string())];
        let classes = classes(project);
        if classes.exists() {
            variables.push(("TIDEGATE_FLINK_ORACLE_CLASSES", classes.display().to_string()));
        }
        variables
    }
}

fn lib(project: &Project) -> PathBuf {
    home(project, &Flink).join("lib")
}

fn classes(project: &Project) -> PathBuf {
    project.cache.join("flink-oracle").join("classes")
}

/// Compiles `integration-tests/flink/*.java` if there is any and it is newer than its classes.
fn compile_oracle(project: &Project) -> Result<()> {
    let sources = java_sources(&project.root.join("integration-tests/flink"))?;
    let classes = classes(project);
    if sources.is_empty() || up_to_date(&sources, &classes) {
        return Ok(());
    }
    let parent = project.cache.join("flink-oracle");
    fs::create_dir_all(&parent).with_context(|| format!("create {}", parent.display()))?;
    let _lock = install::lock(&parent.join(".lock"))?;
    if up_to_date(&sources, &classes) {
        return Ok(());
    }
    eprintln!("compiling the Flink oracle");
    let scratch = tempfile::tempdir_in(&parent).context("create a temporary folder")?;
    let fresh = scratch.path().join("classes");
    process::run_quietly(
        Command::new("javac")
            .args(["-nowarn", "-Xlint:none", "-encoding", "UTF-8", "-cp"])
            .arg(lib(project).join("*"))
            .arg("-d")
            .arg(&fresh)
            .args(&sources),
    )
    .context("compile the Flink oracle")?;
    if classes.exists() {
        fs::rename(&classes, scratch.path().join("old")).context("move the old classes away")?;
    }
    fs::rename(&fresh, &classes).context("move the classes into place")
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
