//! PostgreSQL, for tests of tables in databases.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::record::Instance;
use super::unprivileged::User;
use super::{Server, Service, debian};
use crate::process;
use crate::project::Project;

const USER: User = User { name: "postgres", port: "sql" };
const LOGIN: &str = "tidegate";
/// Where Debian puts the programs, by version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// The server of Debian.
pub(crate) struct Postgres;

impl Service for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    /// Whatever Debian has: 15 in Debian 12.
    fn version(&self) -> &'static str {
        "debian"
    }

    fn needs(&self) -> &'static [debian::Need] {
        debian::POSTGRES
    }

    fn core(&self) -> bool {
        true
    }

    /// The packages are all there is.
    fn install(&self, _project: &Project) -> Result<()> {
        Ok(())
    }

    fn installed(&self, _project: &Project) -> bool {
        programs().is_ok()
    }

    fn server(&self) -> Option<&dyn Server> {
        Some(self)
    }
}

impl Server for Postgres {
    fn ports(&self) -> &'static [&'static str] {
        &["sql"]
    }

    fn secrets(&self) -> &'static [&'static str] {
        &["password"]
    }

    fn prepare(&self, _project: &Project, instance: &Instance) -> Result<()> {
        let data = USER.make_data(instance)?;
        let password = data.join("password");
        USER.write(&password, instance.secret("password"))?;
        let mut init = USER.command(&data, programs()?.join("initdb"))?;
        init.args([
            "--username",
            LOGIN,
            "--auth",
            "scram-sha-256",
            "--no-sync",
            "--no-instructions",
        ])
        .args(["--encoding", "UTF8", "--locale", "C.UTF-8", "--pwfile"])
        .arg(&password)
        .arg("-D")
        .arg(database(&data));
        process::run_quietly(&mut init).context("run initdb")?;
        fs::remove_file(&password).context("remove the password file")
    }

    fn command(&self, _project: &Project, instance: &Instance) -> Result<Command> {
        let data = USER.data(instance)?;
        // What a killed server leaves names a process that has ended, but where nobody has waited for that process yet
        // the next server takes it for running.
        let lock = database(&data).join("postmaster.pid");
        if lock.exists() {
            fs::remove_file(&lock).with_context(|| format!("remove {}", lock.display()))?;
        }
        let mut command = USER.command(&data, programs()?.join("postgres"))?;
        command.arg("-D").arg(database(&data)).args(["-p", &instance.port("sql").to_string()]);
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "wal_level=logical",
            "shared_buffers=32MB",
            "max_connections=60",
            // How often which statement was executed.
            "shared_preload_libraries=pg_stat_statements",
            // The data lives as long as a test.
            "fsync=off",
        ] {
            command.args(["-c", setting]);
        }
        Ok(command)
    }

    fn probe(&self, instance: &Instance) -> Result<()> {
        execute(instance, "SELECT 1")
    }

    /// Statistics about statements are there to be read.
    fn provision(&self, _project: &Project, instance: &Instance) -> Result<()> {
        execute(instance, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    }

    /// A fast shutdown: sessions are ended.
    fn stop_signal(&self) -> &'static str {
        "INT"
    }

    fn clean(&self, instance: &Instance) {
        USER.clean(instance);
    }

    fn env(&self, instance: &Instance) -> Vec<(&'static str, String)> {
        let url = format!("jdbc:postgresql://127.0.0.1:{}/postgres", instance.port("sql"));
        vec![
            ("TIDEGATE_POSTGRES", url),
            ("TIDEGATE_POSTGRES_USER", LOGIN.to_owned()),
            ("TIDEGATE_POSTGRES_PASSWORD", instance.secret("password").to_owned()),
        ]
    }
}

fn execute(instance: &Instance, statement: &str) -> Result<()> {
    let mut psql = Command::new("psql");
    psql.env("PGPASSWORD", instance.secret("password"))
        .env("PGCONNECT_TIMEOUT", "5")
        .args(["--no-psqlrc", "--quiet", "-h", "127.0.0.1", "-U", LOGIN, "-d", "postgres"])
        .args(["-p", &instance.port("sql").to_string(), "-c", statement]);
    process::run_quietly(&mut psql).map(drop).context("run psql")
}

fn database(data: &Path) -> PathBuf {
    data.join("database")
}

/// The programs of the newest version.
fn programs() -> Result<PathBuf> {
    let versions = fs::read_dir(VERSIONS).with_context(|| format!("read {VERSIONS}"))?;
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.join("bin/initdb").exists())
        .max_by_key(number);
    Ok(newest.context("there is no server of PostgreSQL")?.join("bin"))
}
