//! Crate rules that no compiler checks. Each rule is a pure function from facts (manifests, the crate
//! graph, file texts) to findings, in a file of its own; this file reads the facts and runs them all.

mod arrows;
mod files;
mod headers;
mod length;
mod manifests;
mod paths;
mod sockets;
mod table;
mod versions;

use std::fmt;

use anyhow::{Context, Result};

use crate::cargo::cargo;
use crate::project::Project;

/// One breach of a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    place: String,
    text: String,
}

impl Finding {
    fn new(place: impl Into<String>, text: impl Into<String>) -> Self {
        Self { place: place.into(), text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// All findings of all rules, in the order of the rules.
pub(crate) fn check(project: &Project) -> Result<Vec<Finding>> {
    let files = files::read(&project.root)?;
    let metadata = cargo_metadata::MetadataCommand::parse(metadata_json(project)?)
        .context("understand cargo metadata")?;
    let mut findings = arrows::check(&arrows::facts(&metadata), table::CRATES, table::OUTSIDE);
    for package in &metadata.packages {
        let path = package.manifest_path.as_std_path();
        let text =
            std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        let path = path.strip_prefix(&project.root).unwrap_or(path).display().to_string();
        findings.extend(manifests::check(&path, &text)?);
    }
    findings.extend(headers::check(&files));
    findings.extend(length::check(&files, length::LONG_FILES));
    findings.extend(paths::check(&files, &paths::patterns(&project.root)));
    findings.extend(sockets::check(&files, table::WITHOUT_NETWORK));
    let lock = project.root.join("Cargo.lock");
    let lock =
        std::fs::read_to_string(&lock).with_context(|| format!("read {}", lock.display()))?;
    findings.extend(versions::check(&lock, versions::ONE_VERSION)?);
    Ok(findings)
}

/// The members and what their manifests name, without resolving anything.
fn metadata_json(project: &Project) -> Result<String> {
    crate::process::run_quietly(cargo(project).args([
        "metadata",
        "--no-deps",
        "--format-version=1",
    ]))
}
