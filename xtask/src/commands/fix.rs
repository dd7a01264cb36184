//! `cargo xtask fix`: what can be put right by a program.

use std::process::ExitCode;

use anyhow::Result;

use crate::cargo::cargo;
use crate::process;
use crate::project::Project;

/// Formats every crate.
pub(crate) fn run(project: &Project) -> Result<ExitCode> {
    process::run(cargo(project).args(["fmt", "--all"]))?;
    Ok(ExitCode::SUCCESS)
}
