//! Real servers for tests and demos: how each is installed, started, probed and stopped.
//!
//! A [`Service`] is something to install; most have a [`Server`] to run. [`control`] is the part that
//! is the same for all: records, logs, start, stop. Servers listen on 127.0.0.1 only, on ports that
//! are picked when they first start, and keep their data in the run folder.

pub(crate) mod control;
pub(crate) mod debian;
pub(crate) mod env_file;
mod etcd;
pub(crate) mod flink;
mod ftp;
mod hbase;
mod hive;
pub(crate) mod install;
mod java;
mod kafka;
pub(crate) mod kafka_tools;
mod mariadb;
mod maven;
mod opensearch;
pub(crate) mod ports;
mod postgres;
pub(crate) mod probe;
mod prometheus;
pub(crate) mod record;
mod redis;
mod rotel;
mod s3;
mod secrets;
pub(crate) mod status;
mod unprivileged;
pub(crate) mod wheel;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::project::Project;
use record::Instance;

/// A named set of services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// What nearly every integration test needs
    Core,
    /// Everything
    All,
}

/// One outside system that can be installed.
pub(crate) trait Service: Sync {
    /// The name on the command line and of its folders.
    fn name(&self) -> &'static str;
    /// The pinned version, as in the cache's folder name.
    fn version(&self) -> &'static str;
    /// What of Debian it needs to be installed and to run.
    fn needs(&self) -> &'static [debian::Need];
    /// Whether the core profile has it.
    fn core(&self) -> bool;
    /// Puts it into the cache if it is not there.
    fn install(&self, project: &Project) -> Result<()>;
    /// Whether it is in the cache.
    fn installed(&self, project: &Project) -> bool;
    /// Environment variables that need no running server.
    fn static_env(&self, _project: &Project) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    /// How to run it; none for what is only a library.
    fn server(&self) -> Option<&dyn Server> {
        None
    }
}

/// How a service runs. Ports, secrets and folders come with the instance.
pub(crate) trait Server: Sync {
    /// Names of the ports it listens on.
    fn ports(&self) -> &'static [&'static str];
    /// Names of the secrets that are made up for it when it first starts.
    fn secrets(&self) -> &'static [&'static str];
    /// Writes configuration and prepares the empty data folder, before the first start.
    fn prepare(&self, project: &Project, instance: &Instance) -> Result<()>;
    /// The program to start.
    fn command(&self, project: &Project, instance: &Instance) -> Result<Command>;
    /// One try to get an answer in the server's own protocol.
    fn probe(&self, instance: &Instance) -> Result<()>;
    /// What tests rely on beyond an answering server; done after the first start, may be repeated.
    fn provision(&self, _project: &Project, _instance: &Instance) -> Result<()> {
        Ok(())
    }
    /// The signal that ends it in reasonable time without losing data that it acknowledged.
    fn stop_signal(&self) -> &'static str;
    /// Removes what it left outside its folder, after it was taken down.
    fn clean(&self, _instance: &Instance) {}
    /// Addresses and credentials for tests.
    fn env(&self, instance: &Instance) -> Vec<(&'static str, String)>;
}

/// All services, in the order in which they start.
pub(crate) static ALL: [&dyn Service; 14] = [
    &kafka::Kafka,
    &s3::SeaweedFs,
    &etcd::Etcd,
    &postgres::Postgres,
    &mariadb::MariaDb,
    &redis::Redis { cluster: false },
    &redis::Redis { cluster: true },
    &ftp::Ftp,
    &opensearch::OpenSearch,
    &hive::Hive,
    &hbase::HBase,
    &rotel::Rotel,
    &prometheus::Prometheus,
    &flink::Flink,
];

/// The services of a profile.
pub(crate) fn of_profile(profile: Profile) -> Vec<&'static dyn Service> {
    ALL.into_iter().filter(|service| profile == Profile::All || service.core()).collect()
}

/// The services with these names; an unknown one is an error that lists what there is.
pub(crate) fn named(names: &[String]) -> Result<Vec<&'static dyn Service>> {
    names
        .iter()
        .map(|name| match ALL.into_iter().find(|service| service.name() == name) {
            Some(service) => Ok(service),
            None => {
                let known: Vec<&str> = ALL.iter().map(|service| service.name()).collect();
                bail!("there is no service `{name}`; there are: {}", known.join(", "))
            }
        })
        .collect()
}

/// The folder in the cache where a version of a service is installed.
pub(crate) fn home(project: &Project, service: &dyn Service) -> PathBuf {
    project.cache.join("services").join(service.name()).join(service.version())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_profile_has_servers_only_and_all_has_everything() {
        let core = of_profile(Profile::Core);
        assert!(core.iter().all(|service| service.server().is_some()));
        assert_eq!(of_profile(Profile::All).len(), ALL.len());
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let error = named(&["kafak".to_owned()]).err().unwrap().to_string();
        assert!(
            error.contains("kafak") && error.contains("kafka, s3, etcd, postgres, mariadb, redis"),
            "{error}"
        );
    }
}
