//! Real databases: PostgreSQL and MariaDB. Asked through their own command-line clients, so that what the product reads
//! is judged by others.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::clock::entropy;
use crate::services::variable;

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// PostgreSQL.
    Postgres,
    /// MariaDB, which stands for MySQL too.
    MariaDb,
}

impl Product {
    /// The name that its variables begin with, and that `cargo xtask services` knows in small letters.
    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "POSTGRES",
            Self::MariaDb => "MARIADB",
        }
    }

    fn service(self) -> String {
        self.name().to_ascii_lowercase()
    }
}

/// A server, and as whom it is asked.
#[derive(Debug, Clone)]
pub struct Database {
    /// Which database.
    pub product: Product,
    /// `jdbc:…`
    pub url: String,
    /// Who asks.
    pub user: String,
    /// Their password.
    pub password: String,
}

impl Database {
    /// The one that all tests share; tables and users of a test have names of their own.
    ///
    /// # Errors
    /// If it is not up.
    pub fn shared(product: Product) -> Result<Self> {
        Self::from(product, variable)
    }

    fn from(product: Product, value: impl Fn(&str) -> Result<String>) -> Result<Self> {
        let name = format!("TIDEGATE_{}", product.name());
        Ok(Self {
            product,
            url: value(&name)?,
            user: value(&format!("{name}_USER"))?,
            password: value(&format!("{name}_PASSWORD"))?,
        })
    }

    /// A name that no other test has.
    pub fn unique(&self, name: &str) -> String {
        format!("it_{name}_{:x}", entropy())
    }

    /// Executes statements; lines of their answers, with `|` (PostgreSQL) or tabulators between values.
    ///
    /// # Errors
    /// What the server says.
    pub fn execute(&self, sql: &str) -> Result<Vec<String>> {
        let place = self.url.split_once("://").map_or("", |(_, place)| place);
        let (server, database) = place.split_once('/').context("a URL without database")?;
        let (host, port) = server.split_once(':').context("a URL without port")?;
        let mut command = match self.product {
            Product::Postgres => {
                let mut psql = Command::new("psql");
                psql.env("PGPASSWORD", &self.password).args(["-X", "-q", "-A", "-t"]);
                psql.args(["-v", "ON_ERROR_STOP=1", "-d", database, "-p", port]);
                psql.args(["-h", host, "-U", &self.user, "-c", sql]);
                psql
            }
            Product::MariaDb => {
                let mut client = Command::new("mariadb");
                client.env("MYSQL_PWD", &self.password).args(["--no-defaults", "-N", "-B"]);
                client.args(["--default-character-set=utf8mb4", "-D", database, "-P", port]);
                client.args(["-h", host, "-u", &self.user, "-e", sql]);
                client
            }
        };
        let output = command.stdin(Stdio::null()).output().context("run the database's client")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{sql}: {said}");
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
    }

    /// Options of a table of connector `jdbc`, as they stand in WITH.
    pub fn options(&self, table: &str) -> String {
        let Self { url, user, password, .. } = self;
        format!(
            "'connector'='jdbc', 'url'='{url}', 'table-name'='{table}', 'username'='{user}', 'password'='{password}'"
        )
    }

    /// A user who may only read a table, and whose statements are counted.
    ///
    /// # Errors
    /// What the server says.
    pub fn reader(&self, table: &str) -> Result<Self> {
        let (user, password) = (self.unique("reader"), format!("secret-{:x}", entropy()));
        self.execute(&match self.product {
            Product::Postgres => {
                format!("CREATE USER {user} PASSWORD '{password}'; GRANT SELECT ON {table} TO {user}")
            }
            Product::MariaDb => format!(
                "CREATE USER {user}@'%' IDENTIFIED BY '{password}'; GRANT SELECT ON {table} TO {user}@'%'"
            ),
        })?;
        Ok(Self { user, password, ..self.clone() })
    }

    /// How many statements of a [`Database::reader`] have read something, as the server counts them.
    ///
    /// # Errors
    /// What the server says.
    pub fn selects(&self, reader: &Self) -> Result<u64> {
        let user = &reader.user;
        let answer = self.execute(&match self.product {
            Product::Postgres => format!(
                "SELECT COALESCE(SUM(calls), 0) FROM pg_stat_statements s JOIN pg_user u ON s.userid = u.usesysid \
                 WHERE u.usename = '{user}' AND s.query ILIKE 'SELECT%'"
            ),
            Product::MariaDb => format!(
                "SELECT COALESCE(SUM(select_commands), 0) FROM information_schema.user_statistics WHERE user = '{user}'"
            ),
        })?;
        answer.first().context("no answer")?.parse().context("a count is no number")
    }
}

/// A server of a test's own, which it may kill. Dropping it throws it away.
pub struct OwnServer {
    product: Product,
    folder: PathBuf,
}

impl OwnServer {
    /// Starts one whose records are in a folder.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(product: Product, folder: &Path) -> Result<Self> {
        let server = Self { product, folder: folder.to_owned() };
        server.services("up")?;
        Ok(server)
    }

    /// How it is asked.
    ///
    /// # Errors
    /// If its addresses are not written down.
    pub fn database(&self) -> Result<Database> {
        let file = self.folder.join("services.env");
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        Database::from(self.product, |name| {
            let lines = text.lines().filter_map(|line| line.split_once('='));
            let mut found =
                lines.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
            found.next_back().with_context(|| format!("{name} is not in {}", file.display()))
        })
    }

    /// Ends it with SIGKILL.
    ///
    /// # Errors
    /// If it does not run.
    pub fn kill(&self) -> Result<()> {
        self.services("kill")
    }

    /// Starts it again with the same data and port, after stopping it if it runs.
    ///
    /// # Errors
    /// If it does not start.
    pub fn restart(&self) -> Result<()> {
        self.services("restart")
    }

    fn services(&self, action: &str) -> Result<()> {
        let mut command = Command::new(variable("TIDEGATE_XTASK")?);
        command.env("TIDEGATE_RUN_DIR", &self.folder);
        let command = command.args(["services", action, &self.product.service()]);
        let output = command.stdin(Stdio::null()).output().context("run xtask")?;
        if !output.status.success() {
            bail!("services {action}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // What stays runs on loopback, and is seen by `ps`.
        let _ = self.services("down");
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.product.name())
    }
}
