//! `cargo xtask tidy`: prints the findings of all rules.

use std::process::ExitCode;

use anyhow::Result;

use crate::project::Project;
use crate::stages::Outcome;
use crate::tidy;

/// Fails if there is any finding.
pub(crate) fn run(project: &Project) -> Result<ExitCode> {
    Ok(match stage(project)? {
        Outcome::Passed => ExitCode::SUCCESS,
        Outcome::Failed(summary) | Outcome::NotChecked(summary) => {
            eprintln!("tidy: {summary}");
            ExitCode::FAILURE
        }
    })
}

/// The same as a stage of `verify`.
pub(crate) fn stage(project: &Project) -> Result<Outcome> {
    let findings = tidy::check(project)?;
    for finding in &findings {
        println!("{finding}");
    }
    Ok(match findings.len() {
        0 => Outcome::Passed,
        count => Outcome::Failed(format!("{count} findings")),
    })
}
