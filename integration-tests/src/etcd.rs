//! An etcd: the one that `cargo xtask test` has started, or one of a test's own that it may stop.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::clock::wait_until;
use crate::services::variable;

/// How long etcd may take to answer.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A server and how it is asked.
pub struct Etcd {
    /// `host:port`
    pub address: String,
    /// Name and password.
    pub user: Option<(String, String)>,
    own: Option<Own>,
}

/// A server of a test's own. Dropping it kills it.
struct Own {
    folder: PathBuf,
    peer: String,
    process: Option<Child>,
}

impl Etcd {
    /// The one that all tests share; keys of a test have a prefix of their own.
    ///
    /// # Errors
    /// If it is not up.
    pub fn shared() -> Result<Self> {
        let login = variable("TIDEGATE_ETCD_LOGIN")?;
        let (name, password) = login.split_once(':').context("a login without a password")?;
        let user = Some((name.to_owned(), password.to_owned()));
        Ok(Self { address: variable("TIDEGATE_ETCD")?, user, own: None })
    }

    /// Starts one with its data in a folder.
    ///
    /// # Errors
    /// If it does not answer in time.
    pub fn start(folder: &Path) -> Result<Self> {
        let held: Vec<TcpListener> =
            (0..2).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
        let address = held[0].local_addr()?.to_string();
        let peer = held[1].local_addr()?.to_string();
        drop(held);
        let own = Own { folder: folder.to_owned(), peer, process: None };
        let mut etcd = Self { address, user: None, own: Some(own) };
        etcd.restart()?;
        Ok(etcd)
    }

    /// Starts it again, if it is the test's own.
    ///
    /// # Errors
    /// If it does not answer in time.
    pub fn restart(&mut self) -> Result<()> {
        let address = self.address.clone();
        let own = self.own.as_mut().context("the shared etcd is not restarted")?;
        std::fs::create_dir_all(&own.folder)?;
        let log = own.folder.join("etcd.log");
        let log = File::options().create(true).append(true).open(log)?;
        let (client, peer) = (format!("http://{address}"), format!("http://{}", own.peer));
        let child = Command::new("etcd")
            .args(["--name", "own", "--log-level", "warn", "--data-dir"])
            .arg(own.folder.join("member"))
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("own={peer}")])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("start etcd: `cargo xtask services install` brings it")?;
        own.process = Some(child);
        wait_until("etcd answers", START_TIMEOUT, || Ok(self.get("/").is_ok()))
    }

    /// Kills it, if it is the test's own.
    ///
    /// # Errors
    /// If it does not run.
    pub fn kill(&mut self) -> Result<()> {
        let own = self.own.as_mut().context("the shared etcd is not killed")?;
        let mut process = own.process.take().context("etcd does not run")?;
        process.kill()?;
        process.wait()?;
        Ok(())
    }

    /// Throws its data away, after it was killed.
    ///
    /// # Errors
    /// If there is none.
    pub fn forget(&self) -> Result<()> {
        let own = self.own.as_ref().context("the shared etcd keeps its data")?;
        ensure!(own.process.is_none(), "etcd runs");
        Ok(std::fs::remove_dir_all(own.folder.join("member"))?)
    }

    /// Keys and values below a prefix, in turns.
    ///
    /// # Errors
    /// What etcd's own client says.
    pub fn get(&self, prefix: &str) -> Result<Vec<String>> {
        let mut command = Command::new("etcdctl");
        command.env("ETCDCTL_API", "3").args(["--endpoints", &self.address]);
        command.args(["--command-timeout", "2s"]);
        if let Some((name, password)) = &self.user {
            command.args(["--user", &format!("{name}:{password}")]);
        }
        let output = command.args(["get", "--prefix", prefix]).stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "etcdctl get {prefix}: {said}");
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().map(str::to_owned).collect())
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // One that has ended already needs no kill.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
