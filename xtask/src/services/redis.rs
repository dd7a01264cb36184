//! Redis of Debian: a server with a password, and one that is a cluster of its own.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::record::{Instance, write_private};
use super::{Server, Service, debian, probe};
use crate::process;
use crate::project::Project;

/// A server of Debian.
pub(crate) struct Redis {
    /// Whether it has all slots of a cluster.
    pub(crate) cluster: bool,
}

impl Service for Redis {
    fn name(&self) -> &'static str {
        if self.cluster { "redis-cluster" } else { "redis" }
    }

    /// Whatever Debian has: 7.0 in Debian 12.
    fn version(&self) -> &'static str {
        "debian"
    }

    fn needs(&self) -> &'static [debian::Need] {
        debian::REDIS
    }

    fn core(&self) -> bool {
        true
    }

    /// The package is all there is.
    fn install(&self, _project: &Project) -> Result<()> {
        Ok(())
    }

    fn installed(&self, _project: &Project) -> bool {
        process::succeeds("redis-server", &["--version"])
    }

    fn server(&self) -> Option<&dyn Server> {
        Some(self)
    }
}

impl Server for Redis {
    fn ports(&self) -> &'static [&'static str] {
        if self.cluster { &["redis", "bus"] } else { &["redis"] }
    }

    fn secrets(&self) -> &'static [&'static str] {
        &["password"]
    }

    fn prepare(&self, _project: &Project, instance: &Instance) -> Result<()> {
        let (data, password) = (instance.data(), instance.secret("password"));
        let mut config = format!(
            "bind 127.0.0.1\nport {}\ndir {}\nsave \"\"\nappendonly no\nrequirepass {password}\n\
             user reader on >{password} ~* +@read +@connection\n",
            instance.port("redis"),
            data.display()
        );
        if self.cluster {
            let bus = instance.port("bus");
            config.push_str(&format!(
                "cluster-enabled yes\ncluster-port {bus}\ncluster-config-file nodes.conf\n"
            ));
        }
        write_private(&data.join("redis.conf"), &config)
    }

    fn command(&self, _project: &Project, instance: &Instance) -> Result<Command> {
        let mut command = Command::new("redis-server");
        command.arg(instance.data().join("redis.conf"));
        Ok(command)
    }

    fn probe(&self, instance: &Instance) -> Result<()> {
        let answer = probe::line(instance.port("redis"), "PING\r\n")?;
        ensure!(answer.starts_with("-NOAUTH"), "Redis answers '{answer}' to somebody unknown");
        Ok(())
    }

    /// Gives the cluster's one server all slots.
    fn provision(&self, _project: &Project, instance: &Instance) -> Result<()> {
        if !self.cluster {
            return Ok(());
        }
        let answer = cli(instance, &["CLUSTER", "INFO"])?;
        if !answer.contains("cluster_slots_assigned:16384") {
            cli(instance, &["CLUSTER", "ADDSLOTSRANGE", "0", "16383"])?;
        }
        let answer = cli(instance, &["CLUSTER", "INFO"])?;
        ensure!(answer.contains("cluster_state:ok"), "the cluster is not whole yet: {answer}");
        Ok(())
    }

    fn stop_signal(&self) -> &'static str {
        "TERM"
    }

    fn env(&self, instance: &Instance) -> Vec<(&'static str, String)> {
        let address = format!("127.0.0.1:{}", instance.port("redis"));
        let password = instance.secret("password").to_owned();
        if self.cluster {
            vec![("TIDEGATE_REDIS_CLUSTER", address), ("TIDEGATE_REDIS_CLUSTER_PASSWORD", password)]
        } else {
            vec![("TIDEGATE_REDIS", address), ("TIDEGATE_REDIS_PASSWORD", password)]
        }
    }
}

/// Redis' own client; the password is not among its arguments.
fn cli(instance: &Instance, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("redis-cli");
    command
        .env("REDISCLI_AUTH", instance.secret("password"))
        .args(["-h", "127.0.0.1", "-p", &instance.port("redis").to_string()])
        .args(arguments);
    process::run_quietly(&mut command).context("run redis-cli")
}
