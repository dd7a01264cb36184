//! Prometheus of Debian. What it scrapes is what a file says that tests write: processes of tests have other ports every
//! time.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::record::Instance;
use super::{Server, Service, debian, probe};
use crate::process;
use crate::project::Project;

/// The server of Debian.
pub(crate) struct Prometheus;

impl Service for Prometheus {
    fn name(&self) -> &'static str {
        "prometheus"
    }

    /// Whatever Debian has: 2.42 in Debian 12.
    fn version(&self) -> &'static str {
        "debian"
    }

    fn needs(&self) -> &'static [debian::Need] {
        debian::PROMETHEUS
    }

    fn core(&self) -> bool {
        true
    }

    /// The package is all there is.
    fn install(&self, _project: &Project) -> Result<()> {
        Ok(())
    }

    fn installed(&self, _project: &Project) -> bool {
        process::succeeds("prometheus", &["--version"])
    }

    fn server(&self) -> Option<&dyn Server> {
        Some(self)
    }
}

impl Server for Prometheus {
    fn ports(&self) -> &'static [&'static str] {
        &["http"]
    }

    fn secrets(&self) -> &'static [&'static str] {
        &[]
    }

    fn prepare(&self, _project: &Project, instance: &Instance) -> Result<()> {
        let config = format!(
            "global:\n  scrape_interval: 1s\nscrape_configs:\n- job_name: tests\n  file_sd_configs:\n  - files: ['{}']\n    \
             refresh_interval: 1s\n",
            targets(instance).display()
        );
        let path = instance.data().join("prometheus.yml");
        fs::write(&path, config).with_context(|| format!("write {}", path.display()))?;
        fs::write(targets(instance), "[]").context("write the list of targets")
    }

    fn command(&self, _project: &Project, instance: &Instance) -> Result<Command> {
        let data = instance.data();
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", data.join("prometheus.yml").display()));
        command.arg(format!("--storage.tsdb.path={}", data.join("series").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{}", instance.port("http")));
        command.arg("--storage.tsdb.retention.time=1d");
        Ok(command)
    }

    fn probe(&self, instance: &Instance) -> Result<()> {
        let (status, _) = probe::http_get(instance.port("http"), "/-/ready")?;
        ensure!(status == 200, "Prometheus is not ready: {status}");
        Ok(())
    }

    fn stop_signal(&self) -> &'static str {
        "TERM"
    }

    fn env(&self, instance: &Instance) -> Vec<(&'static str, String)> {
        vec![
            ("TIDEGATE_PROMETHEUS", format!("127.0.0.1:{}", instance.port("http"))),
            ("TIDEGATE_PROMETHEUS_TARGETS", targets(instance).display().to_string()),
        ]
    }
}

fn targets(instance: &Instance) -> PathBuf {
    instance.data().join("targets.json")
}
