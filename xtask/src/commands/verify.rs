//! `cargo xtask verify`: every check that only reads. All stages run; any failure fails the whole.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result};

use super::tidy;
use crate::cargo::cargo;
use crate::process;
use crate::project::Project;
use crate::stages::{Outcome, Stages};
use crate::tools;

/// How long the advisory database may take to be fetched.
const FETCH_LIMIT: Duration = Duration::from_secs(120);

/// `verify [--require-advisories]`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Fail where the advisory database cannot be fetched, instead of saying so
    #[arg(long)]
    require_advisories: bool,
}

/// Runs the stages and prints the summary.
pub(crate) fn run(project: &Project, args: &Args) -> Result<ExitCode> {
    let mut stages = Stages::default();
    stages.run("format", || ends_well(cargo(project).args(["fmt", "--all", "--", "--check"])));
    stages.run("clippy", || {
        let arguments = ["clippy", "--locked", "--workspace", "--all-targets"];
        ends_well(cargo(project).args(arguments).args(["--", "-D", "warnings"]))
    });
    stages.run("clippy of the simulation", || {
        let arguments = ["clippy", "--locked", "--package", "tidegate-simulation"];
        let features = ["--features", "simulation", "--all-targets", "--", "-D", "warnings"];
        ends_well(cargo(project).args(arguments).args(features))
    });
    stages.run("tidy", || tidy::stage(project));
    stages.run("licences", || {
        ends_well(deny(project)?.args(["check", "licenses", "bans", "sources"]))
    });
    stages.run("advisories", || advisories(project, args.require_advisories));
    stages.print_summary();
    Ok(if stages.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn ends_well(command: &mut Command) -> Result<Outcome> {
    Ok(match process::run(command) {
        Ok(()) => Outcome::Passed,
        Err(error) => Outcome::Failed(error.to_string()),
    })
}

/// cargo-deny on the locked dependencies, with the configuration of the checkout.
fn deny(project: &Project) -> Result<Command> {
    let program = tools::cargo_deny(project)?;
    let mut command = Command::new(program);
    command.current_dir(&project.root).arg("--locked");
    Ok(command)
}

/// The database is a git repository outside the package registries. Where neither it nor an earlier
/// copy can be had, nothing is known about advisories, and that is said, not passed over.
fn advisories(project: &Project, required: bool) -> Result<Outcome> {
    let fetched = process::run_limited(deny(project)?.args(["fetch", "db"]), FETCH_LIMIT);
    let mut check = deny(project)?;
    check.arg("check");
    let Err(error) = fetched else {
        return ends_well(check.args(["--disable-fetch", "advisories"]));
    };
    let reason = first_fault(&format!("{error:#}"));
    if has_database(&databases()?) {
        eprintln!("the advisory database was not renewed ({reason}); an earlier copy is used");
        return ends_well(check.args(["--disable-fetch", "advisories"]));
    }
    let reason = format!("advisories and yanked versions: no database: {reason}");
    eprintln!("{reason}");
    Ok(if required { Outcome::Failed(reason) } else { Outcome::NotChecked(reason) })
}

/// Where cargo-deny keeps its copies.
fn databases() -> Result<PathBuf> {
    let home = match env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => PathBuf::from(env::var_os("HOME").context("HOME is not set")?).join(".cargo"),
    };
    Ok(home.join("advisory-dbs"))
}

fn has_database(folder: &Path) -> bool {
    std::fs::read_dir(folder)
        .is_ok_and(|mut entries| entries.any(|e| e.is_ok_and(|e| e.path().join(".git").exists())))
}

/// The line of git's that says what went wrong, else the first line.
fn first_fault(text: &str) -> String {
    let fault = text.lines().find_map(|line| line.trim().strip_prefix("fatal: "));
    fault.or_else(|| text.lines().next()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fault_is_gits_own_line_if_there_is_one() {
        let text = "deny ended with 1\n[ERROR] failed\nfatal: could not resolve host\n";
        assert_eq!(first_fault(text), "could not resolve host");
        assert_eq!(first_fault("took longer than 120 s"), "took longer than 120 s");
    }

    #[test]
    fn an_empty_folder_is_no_database() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!has_database(&folder.path().join("absent")) && !has_database(folder.path()));
        std::fs::create_dir_all(folder.path().join("advisory-db-1/.git")).unwrap();
        assert!(has_database(folder.path()));
    }
}
