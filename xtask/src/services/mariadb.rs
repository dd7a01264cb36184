//! MariaDB, for tests of tables in databases; it stands for MySQL too.

use std::process::Command;

use anyhow::{Context, Result};

use super::record::{Instance, write_private};
use super::unprivileged::User;
use super::{Server, Service, debian};
use crate::process;
use crate::project::Project;

const USER: User = User { name: "mysql", port: "sql" };
const LOGIN: &str = "tidegate";
const DATABASE: &str = "tidegate";

/// The server of Debian.
pub(crate) struct MariaDb;

impl Service for MariaDb {
    fn name(&self) -> &'static str {
        "mariadb"
    }

    /// Whatever Debian has: 10.11 in Debian 12.
    fn version(&self) -> &'static str {
        "debian"
    }

    fn needs(&self) -> &'static [debian::Need] {
        debian::MARIADB
    }

    fn core(&self) -> bool {
        true
    }

    /// The packages are all there is.
    fn install(&self, _project: &Project) -> Result<()> {
        Ok(())
    }

    fn installed(&self, _project: &Project) -> bool {
        process::succeeds("/usr/sbin/mariadbd", &["--version"])
    }

    fn server(&self) -> Option<&dyn Server> {
        Some(self)
    }
}

impl Server for MariaDb {
    fn ports(&self) -> &'static [&'static str] {
        &["sql"]
    }

    fn secrets(&self) -> &'static [&'static str] {
        &["password"]
    }

    fn prepare(&self, _project: &Project, instance: &Instance) -> Result<()> {
        let data = USER.make_data(instance)?;
        let password = instance.secret("password");
        // Run at each start, one statement per line.
        let init = format!(
            "ALTER USER 'root'@'localhost' IDENTIFIED BY '{password}';
CREATE DATABASE IF NOT EXISTS {DATABASE};
CREATE USER IF NOT EXISTS '{LOGIN}'@'%' IDENTIFIED BY '{password}';
GRANT ALL ON *.* TO '{LOGIN}'@'%' WITH GRANT OPTION;
"
        );
        USER.write(&data.join("init.sql"), &init)?;
        let client = format!("[client]\nuser={LOGIN}\npassword={password}\n");
        write_private(&instance.data().join("client.cnf"), &client)?;
        let mut install = USER.command(&data, "mariadb-install-db")?;
        install
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .args(["--skip-name-resolve", "--skip-log-bin"])
            .arg(format!("--datadir={}", data.join("data").display()));
        process::run_quietly(&mut install).map(drop).context("run mariadb-install-db")
    }

    fn command(&self, _project: &Project, instance: &Instance) -> Result<Command> {
        let data = USER.data(instance)?;
        let mut command = USER.command(&data, "/usr/sbin/mariadbd")?;
        let path = |name: &str| data.join(name).display().to_string();
        command
            .args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve"])
            .arg(format!("--port={}", instance.port("sql")))
            .arg(format!("--datadir={}", path("data")))
            .arg(format!("--socket={}", path("socket")))
            .arg(format!("--pid-file={}", path("pid")))
            .arg(format!("--tmpdir={}", data.display()))
            .arg(format!("--init-file={}", path("init.sql")))
            .args(["--server-id=1", "--log-bin=binlog", "--binlog-format=ROW"])
            .args(["--binlog-row-image=FULL", "--innodb-buffer-pool-size=32M"])
            // How many statements each user has executed.
            .arg("--userstat=1")
            // The data lives as long as a test.
            .args(["--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite"]);
        Ok(command)
    }

    fn probe(&self, instance: &Instance) -> Result<()> {
        let mut client = Command::new("mariadb");
        client
            .arg(format!("--defaults-file={}", instance.data().join("client.cnf").display()))
            .args(["-h", "127.0.0.1", "--connect-timeout=5", "-e", "SELECT 1"])
            .args(["-P", &instance.port("sql").to_string()]);
        process::run_quietly(&mut client).map(drop).context("run mariadb")
    }

    fn stop_signal(&self) -> &'static str {
        "TERM"
    }

    fn clean(&self, instance: &Instance) {
        USER.clean(instance);
    }

    fn env(&self, instance: &Instance) -> Vec<(&'static str, String)> {
        let url = format!("jdbc:mariadb://127.0.0.1:{}/{DATABASE}", instance.port("sql"));
        vec![
            ("TIDEGATE_MARIADB", url),
            ("TIDEGATE_MARIADB_USER", LOGIN.to_owned()),
            ("TIDEGATE_MARIADB_PASSWORD", instance.secret("password").to_owned()),
        ]
    }
}
