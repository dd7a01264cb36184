//! Rotel, a receiver of OTLP that writes what it gets to its log: what traces and metrics are sent to in tests.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::record::Instance;
use super::wheel::{self, Wheel};
use super::{Server, Service, debian, home, install, ports};
use crate::project::Project;

const WHEEL: Wheel = Wheel {
    package: "rotel",
    version: "0.0.1a15",
    hashes: &[("x86_64", "2f4117e58410c933e0dc042a268ef738dab2e3a5d63b5831209acdac2a6ddcb7")],
};

/// The receiver.
pub(crate) struct Rotel;

impl Service for Rotel {
    fn name(&self) -> &'static str {
        "rotel"
    }

    fn version(&self) -> &'static str {
        WHEEL.version
    }

    fn needs(&self) -> &'static [debian::Need] {
        debian::PIP
    }

    fn core(&self) -> bool {
        true
    }

    fn install(&self, project: &Project) -> Result<()> {
        let what = format!("Rotel {}", WHEEL.version);
        install::once(&what, &home(project, self), |folder| {
            let scratch = tempfile::tempdir_in(folder).context("create a temporary folder")?;
            let content = WHEEL.unpack(scratch.path())?;
            wheel::take_program(&content.join("rotel/rotel-agent"), &folder.join("rotel-agent"))
        })
    }

    fn installed(&self, project: &Project) -> bool {
        home(project, self).exists()
    }

    fn server(&self) -> Option<&dyn Server> {
        Some(self)
    }
}

impl Server for Rotel {
    fn ports(&self) -> &'static [&'static str] {
        &["grpc", "http"]
    }

    fn secrets(&self) -> &'static [&'static str] {
        &[]
    }

    fn prepare(&self, _project: &Project, _instance: &Instance) -> Result<()> {
        Ok(())
    }

    fn command(&self, project: &Project, instance: &Instance) -> Result<Command> {
        let address = |name: &str| format!("127.0.0.1:{}", instance.port(name));
        let mut command = Command::new(home(project, self).join("rotel-agent"));
        command.args(["start", "--exporter", "blackhole"]);
        command.args(["--otlp-grpc-endpoint", &address("grpc")]);
        command.args(["--otlp-http-endpoint", &address("http")]);
        command.args(["--debug-log", "traces", "--debug-log", "metrics"]);
        command.args(["--debug-log-verbosity", "detailed"]);
        Ok(command)
    }

    /// Its endpoints answer only to OTLP: that they are taken is all that can be seen.
    fn probe(&self, instance: &Instance) -> Result<()> {
        for name in ["grpc", "http"] {
            let port = instance.port(name);
            ensure!(!ports::free(port), "nobody listens on port {port} yet");
        }
        Ok(())
    }

    fn stop_signal(&self) -> &'static str {
        "TERM"
    }

    fn env(&self, instance: &Instance) -> Vec<(&'static str, String)> {
        vec![
            ("TIDEGATE_OTLP", format!("http://127.0.0.1:{}", instance.port("grpc"))),
            ("TIDEGATE_OTLP_LOG", instance.log().display().to_string()),
        ]
    }
}
