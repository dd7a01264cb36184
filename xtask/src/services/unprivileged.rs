//! Servers that refuse to run as root: run by root they get the user of their Debian package, and a data folder where
//! that user can reach it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::debian::is_root;
use super::record::Instance;
use crate::process;

/// A user that a server runs as, and the port by which its data folder is told apart.
#[derive(Clone, Copy)]
pub(super) struct User {
    pub(super) name: &'static str,
    pub(super) port: &'static str,
}

impl User {
    /// Where the server's data is.
    pub(super) fn data(self, instance: &Instance) -> Result<PathBuf> {
        if !is_root()? {
            return Ok(instance.data().join("server"));
        }
        let folder = format!("tidegate-{}-{}", self.name, instance.port(self.port));
        Ok(std::env::temp_dir().join(folder))
    }

    /// Makes the data folder anew, for this user only.
    pub(super) fn make_data(self, instance: &Instance) -> Result<PathBuf> {
        let data = self.data(instance)?;
        remove(&data)?;
        let mut install = Command::new("install");
        install.args(["-d", "-m", "700"]);
        if is_root()? {
            install.args(["-o", self.name, "-g", self.name]);
        }
        process::run_quietly(install.arg(&data)).context("make the data folder")?;
        Ok(data)
    }

    /// A program that runs as this user, in the data folder.
    pub(super) fn command(self, data: &Path, program: impl AsRef<Path>) -> Result<Command> {
        let program = program.as_ref();
        let mut command = Command::new("env");
        command.arg("-C").arg(data);
        if is_root()? {
            command.args(["setpriv", "--reuid", self.name, "--regid", self.name, "--init-groups"]);
        }
        command.arg(program);
        Ok(command)
    }

    /// Writes a file that only this user can read.
    pub(super) fn write(self, path: &Path, text: &str) -> Result<()> {
        super::record::write_private(path, text)?;
        if is_root()? {
            let owner = format!("{0}:{0}", self.name);
            process::run_quietly(Command::new("chown").arg(owner).arg(path))?;
        }
        Ok(())
    }

    /// Removes the data folder.
    pub(super) fn clean(self, instance: &Instance) {
        // What stays is in the folder for temporary files.
        drop(self.data(instance).and_then(|data| remove(&data)));
    }
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    Ok(())
}
