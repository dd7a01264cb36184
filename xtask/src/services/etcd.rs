//! etcd as one member, with a user: what a cluster is found through.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::record::Instance;
use super::{Server, Service, debian, probe};
use crate::process;
use crate::project::Project;

const USER: &str = "root";

/// The server of Debian.
pub(crate) struct Etcd;

impl Service for Etcd {
    fn name(&self) -> &'static str {
        "etcd"
    }

    /// Whatever Debian has: 3.4 in Debian 12.
    fn version(&self) -> &'static str {
        "debian"
    }

    fn needs(&self) -> &'static [debian::Need] {
        debian::ETCD
    }

    fn core(&self) -> bool {
        true
    }

    /// The packages are all there is.
    fn install(&self, _project: &Project) -> Result<()> {
        Ok(())
    }

    fn installed(&self, _project: &Project) -> bool {
        process::succeeds("etcd", &["--version"])
    }

    fn server(&self) -> Option<&dyn Server> {
        Some(self)
    }
}

impl Server for Etcd {
    fn ports(&self) -> &'static [&'static str] {
        &["client", "peer"]
    }

    fn secrets(&self) -> &'static [&'static str] {
        &["password"]
    }

    fn prepare(&self, _project: &Project, _instance: &Instance) -> Result<()> {
        Ok(())
    }

    fn command(&self, _project: &Project, instance: &Instance) -> Result<Command> {
        let url = |name: &str| format!("http://127.0.0.1:{}", instance.port(name));
        let (client, peer) = (url("client"), url("peer"));
        let mut command = Command::new("etcd");
        command.args(["--name", "test", "--log-level", "warn"]);
        command.arg("--data-dir").arg(data(instance));
        command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        command.args(["--initial-cluster", &format!("test={peer}")]);
        Ok(command)
    }

    fn probe(&self, instance: &Instance) -> Result<()> {
        let (status, body) = probe::http_get(instance.port("client"), "/health")?;
        ensure!(status == 200 && body.contains("true"), "etcd is not healthy: {status} {body}");
        Ok(())
    }

    /// A user with a password, without which nothing can be read.
    fn provision(&self, _project: &Project, instance: &Instance) -> Result<()> {
        let login = format!("{USER}:{}", instance.secret("password"));
        // It is on already if nobody may read without a login.
        if etcdctl(instance, &["get", "/"]).is_err() {
            return etcdctl(instance, &["--user", &login, "get", "/"]);
        }
        // A try before this one may have got as far as this.
        if etcdctl(instance, &["user", "get", USER]).is_err() {
            etcdctl(instance, &["user", "add", &login])?;
        }
        etcdctl(instance, &["user", "grant-role", USER, "root"])?;
        etcdctl(instance, &["auth", "enable"])
    }

    fn stop_signal(&self) -> &'static str {
        "TERM"
    }

    fn env(&self, instance: &Instance) -> Vec<(&'static str, String)> {
        vec![
            ("TIDEGATE_ETCD", format!("127.0.0.1:{}", instance.port("client"))),
            ("TIDEGATE_ETCD_LOGIN", format!("{USER}:{}", instance.secret("password"))),
        ]
    }
}

fn data(instance: &Instance) -> PathBuf {
    instance.data().join("member")
}

fn etcdctl(instance: &Instance, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("etcdctl");
    command
        .env("ETCDCTL_API", "3")
        .args(["--endpoints", &format!("127.0.0.1:{}", instance.port("client"))])
        .args(arguments);
    process::run_quietly(&mut command).map(drop).context("run etcdctl")
}
