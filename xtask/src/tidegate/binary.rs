//! Building `tidegate` with cargo, its progress shown.

use std::env;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use cargo_metadata::Message;
use clap::ValueEnum;

use super::lines;
use crate::cargo::cargo;
use crate::interrupt::Interrupt;
use crate::project::Project;
use crate::services::debian;

const PACKAGE: &str = "tidegate-cli";
const TARGET: &str = "tidegate";

/// The cargo profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// What tests run: says nothing about speed
    Dev,
    /// What is released
    Release,
    /// Nearly as fast, and built in a third of the time
    Demo,
}

impl Profile {
    /// Cargo's name of it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Release => "release",
            Self::Demo => "demo",
        }
    }
}

/// Builds the binary with what of Debian that needs, which is installed if it is missing; returns
/// its path.
pub(crate) fn build(project: &Project, profile: Profile, interrupt: &Interrupt) -> Result<PathBuf> {
    build_with(project, profile, &[], interrupt)
}

/// The same with features that are off by default.
pub(crate) fn build_with(
    project: &Project,
    profile: Profile,
    features: &[&str],
    interrupt: &Interrupt,
) -> Result<PathBuf> {
    debian::ensure(debian::BUILD)?;
    let mut command = cargo(project);
    command
        .args(["build", "--locked", "--package", PACKAGE])
        .args(["--profile", profile.name()])
        .args(["--message-format", "json-render-diagnostics"]);
    if !features.is_empty() {
        command.args(["--features", &features.join(",")]);
    }
    eprintln!("building tidegate (profile {})", profile.name());
    let start = Instant::now();
    let mut program = None;
    let status = lines::follow(&mut command, interrupt, |line| {
        program = executable(line).or(program.take());
        Ok(())
    })?;
    if interrupt.raised() {
        bail!("interrupted");
    }
    if !status.success() {
        bail!("cargo build ended with {status}");
    }
    eprintln!("built in {:.1} s", start.elapsed().as_secs_f64());
    program.context("cargo built no program named tidegate")
}

/// The path in a message of cargo that says that our program is there.
fn executable(line: &str) -> Option<PathBuf> {
    match serde_json::from_str(line).ok()? {
        Message::CompilerArtifact(artifact)
            if artifact.target.name == TARGET && artifact.target.is_bin() =>
        {
            artifact.executable.map(Into::into)
        }
        _ => None,
    }
}

/// What the compiler calls itself.
pub(crate) fn rustc_version(project: &Project) -> Result<String> {
    let program = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = std::process::Command::new(program);
    command.arg("--version").current_dir(&project.root);
    let text = crate::process::run_quietly(&mut command).context("ask rustc for its version")?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(name: &str, kind: &str, executable: &str) -> String {
        format!(
            r#"{{"reason":"compiler-artifact","package_id":"path+file:///x#tidegate-cli@0.1.0",
            "manifest_path":"/x/Cargo.toml","target":{{"kind":["{kind}"],"crate_types":["{kind}"],
            "name":"{name}","src_path":"/x/src/main.rs","edition":"2024","doc":true,"doctest":false,
            "test":true}},"profile":{{"opt_level":"3","debuginfo":0,"debug_assertions":false,
            "overflow_checks":false,"test":false}},"features":[],"filenames":[],
            "executable":{executable},"fresh":false}}"#
        )
    }

    #[test]
    fn the_path_is_taken_from_the_message_about_our_program() {
        let ours = artifact("tidegate", "bin", r#""/t/demo/tidegate""#);
        assert_eq!(executable(&ours), Some(PathBuf::from("/t/demo/tidegate")));
        assert_eq!(executable(&artifact("tidegate", "lib", "null")), None);
        assert_eq!(executable(&artifact("other", "bin", r#""/t/other""#)), None);
        let end = r#"{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(end), None);
        assert_eq!(executable("not json"), None);
    }
}
