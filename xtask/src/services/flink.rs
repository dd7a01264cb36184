//! Apache Flink as a folder of jars: the oracle of semantics in the integration tests. Nothing of it
//! runs as a server; the oracle's source is compiled ahead so that the first test need not.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::wheel::Wheel;
use super::{Service, debian, home, install, java};
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
    java::classes(&project.cache.join("flink-oracle"))
}

/// Compiles `integration-tests/flink/*.java` if there is any and it is newer than its classes.
fn compile_oracle(project: &Project) -> Result<()> {
    let sources = project.root.join("integration-tests/flink");
    let parent = project.cache.join("flink-oracle");
    java::compile("the Flink oracle", &sources, &lib(project), &parent)?;
    Ok(())
}
