//! Jars from Maven Central with all that they need at run time, by a pom that is written here.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

/// The goal that copies a pom's dependencies, with its plugin's version.
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/// `(group, artifact, version)` of a jar.
pub(crate) type Artifact = (&'static str, &'static str, &'static str);

/// Copies these jars and their run-time dependencies into `target`. Checksums must match.
pub(crate) fn copy_jars(artifacts: &[Artifact], target: &Path) -> Result<()> {
    copy_jars_without(artifacts, &[], target)
}

/// As [`copy_jars`], but of what they need without these `(group, artifact)`.
pub(crate) fn copy_jars_without(
    artifacts: &[Artifact],
    without: &[(&str, &str)],
    target: &Path,
) -> Result<()> {
    let scratch = tempfile::tempdir().context("create a temporary folder")?;
    let pom = scratch.path().join("pom.xml");
    fs::write(&pom, pom_of(artifacts, without)).context("write the pom")?;
    process::run_quietly(
        Command::new("mvn")
            .args(["--quiet", "--batch-mode", "--strict-checksums", COPY, "--file"])
            .arg(&pom)
            .arg("-DincludeScope=runtime")
            .arg(format!("-DoutputDirectory={}", target.display())),
    )
    .context("download from Maven Central")?;
    Ok(())
}

fn pom_of(artifacts: &[Artifact], without: &[(&str, &str)]) -> String {
    let mut exclusions = String::new();
    for (group, artifact) in without {
        write!(
            exclusions,
            "<exclusion><groupId>{group}</groupId><artifactId>{artifact}</artifactId></exclusion>"
        )
        .expect("writing to a string cannot fail");
    }
    let mut dependencies = String::new();
    for (group, artifact, version) in artifacts {
        writeln!(
            dependencies,
            "    <dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
             <version>{version}</version><exclusions>{exclusions}</exclusions></dependency>"
        )
        .expect("writing to a string cannot fail");
    }
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n  \
         <modelVersion>4.0.0</modelVersion>\n  \
         <groupId>tidegate</groupId><artifactId>jars</artifactId><version>1</version>\n  \
         <packaging>pom</packaging>\n  \
         <dependencies>\n{dependencies}  </dependencies>\n</project>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pom_lists_every_artifact() {
        let pom = pom_of(&[("g", "a", "1"), ("h", "b", "2")], &[("x", "*")]);
        assert!(pom.contains("<groupId>g</groupId><artifactId>a</artifactId><version>1</version>"));
        assert_eq!(pom.matches("<dependency>").count(), 2);
        assert_eq!(pom.matches("<exclusion><groupId>x</groupId>").count(), 2);
    }
}
