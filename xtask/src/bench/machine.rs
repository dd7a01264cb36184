//! Facts about machine, compiler and sources, without which a figure says nothing.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::process;
use crate::project::Project;
use crate::tidegate::binary;

/// Where and from what it was measured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    /// Cores that this process may use.
    pub(crate) cores: usize,
    /// What the processor calls itself.
    pub(crate) cpu: Option<String>,
    /// Main memory.
    pub(crate) memory_bytes: Option<u64>,
    /// Release of the kernel.
    pub(crate) kernel: Option<String>,
    /// Processes that wanted to run in the minute before: above 0 something else ran as well.
    pub(crate) load_before: Option<f64>,
    /// The compiler's version.
    pub(crate) rustc: String,
    /// Commit of the sources.
    pub(crate) git_commit: Option<String>,
    /// Whether files differ from that commit.
    pub(crate) git_changed: Option<bool>,
}

impl Machine {
    /// Asks the system.
    pub(crate) fn look(project: &Project) -> Result<Self> {
        let cores = std::thread::available_parallelism().context("count the cores")?;
        Ok(Self {
            cores: cores.get(),
            cpu: read("/proc/cpuinfo").and_then(|text| field(&text, "model name")),
            memory_bytes: read("/proc/meminfo").and_then(|text| memory(&text)),
            kernel: read("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned()),
            load_before: read("/proc/loadavg").and_then(|text| load(&text)),
            rustc: binary::rustc_version(project)?,
            git_commit: git(project, &["rev-parse", "HEAD"]),
            git_changed: git(project, &["status", "--porcelain"]).map(|text| !text.is_empty()),
        })
    }

    /// One line for people.
    pub(crate) fn summary(&self) -> String {
        let unknown = || "unknown".to_owned();
        let gigabytes = |bytes: u64| format!("{:.1} GB", bytes as f64 / 1e9);
        let commit = self.git_commit.as_ref().map(|commit| {
            let changed = self.git_changed == Some(true);
            let short: String = commit.chars().take(12).collect();
            format!("{short}{}", if changed { " with changes" } else { "" })
        });
        format!(
            "{} cores ({}), {} of memory, Linux {}, load {} before; {}, commit {}",
            self.cores,
            self.cpu.clone().unwrap_or_else(unknown),
            self.memory_bytes.map_or_else(unknown, gigabytes),
            self.kernel.clone().unwrap_or_else(unknown),
            self.load_before.map_or_else(unknown, |load| load.to_string()),
            self.rustc,
            commit.unwrap_or_else(unknown),
        )
    }
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// The value of the first line `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

fn memory(meminfo: &str) -> Option<u64> {
    let total = field(meminfo, "MemTotal")?;
    let kilobytes: u64 = total.strip_suffix(" kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

fn load(loadavg: &str) -> Option<f64> {
    loadavg.split(' ').next()?.parse().ok()
}

/// Sources that came without git have no commit.
fn git(project: &Project, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(&project.root);
    let text = process::run_quietly(&mut command).ok()?;
    Some(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_systems_files() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Some CPU @ 2.0GHz\nmodel name\t: other\n";
        assert_eq!(field(cpuinfo, "model name").as_deref(), Some("Some CPU @ 2.0GHz"));
        let meminfo = "MemTotal:        8130860 kB\nMemFree:          100 kB\n";
        assert_eq!(memory(meminfo), Some(8_326_000_640));
        assert_eq!(memory("MemFree: 1 kB"), None);
        assert_eq!(load("3.52 2.58 1.69 2/300 4711\n"), Some(3.52));
    }

    #[test]
    fn what_is_unknown_is_said_to_be() {
        let machine = Machine {
            cores: 2,
            cpu: None,
            memory_bytes: Some(8_326_000_640),
            kernel: None,
            load_before: Some(0.5),
            rustc: "rustc 1.95.0".to_owned(),
            git_commit: Some("0123456789abcdef".to_owned()),
            git_changed: Some(true),
        };
        assert_eq!(
            machine.summary(),
            "2 cores (unknown), 8.3 GB of memory, Linux unknown, load 0.5 before; \
             rustc 1.95.0, commit 0123456789ab with changes"
        );
    }
}
