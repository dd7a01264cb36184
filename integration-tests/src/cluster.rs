//! A cluster of real processes on this machine: coordinators, workers, and the command-line client.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::clock::{now, pause, wait_until};
use crate::tidegate::binary;

/// How long a command of the client may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a cluster may take to be there.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Coordinators and workers. Dropping it kills them.
pub struct Cluster {
    folder: PathBuf,
    addresses: BTreeMap<u64, String>,
    processes: BTreeMap<String, Child>,
    slots: u32,
    setup: Setup,
    /// Where processes serve metrics.
    metrics: BTreeMap<String, String>,
}

/// What a cluster has beyond the least.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Everybody must prove who they are.
    pub security: Option<Security>,
    /// Workers and the client know no address but that of an etcd.
    pub discovery: Option<Discovery>,
    /// Clients sign in; the cluster's own questions come with a token.
    pub accounts: bool,
    /// URL of an OTLP receiver; every process also serves metrics then.
    pub otlp: Option<String>,
}

/// An etcd through which a cluster is found.
#[derive(Debug, Clone)]
pub struct Discovery {
    /// `host:port`
    pub etcd: String,
    /// Below it are the keys of the cluster.
    pub prefix: String,
    /// Name and password.
    pub user: Option<(String, String)>,
}

impl Discovery {
    fn section(&self, folder: &Path) -> Result<String> {
        let mut section =
            format!("[discovery]\netcd = [\"{}\"]\nprefix = \"{}\"\n", self.etcd, self.prefix);
        if let Some((user, password)) = &self.user {
            let file = folder.join("etcd.password");
            std::fs::write(&file, password)?;
            let file = file.display();
            section += &format!("user = \"{user}\"\npassword-file = \"{file}\"\n");
        }
        Ok(section)
    }

    /// Variables for the client.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let address = format!("etcd://{}{}", self.etcd, self.prefix);
        let mut variables = vec![("TIDEGATE_COORDINATOR", address)];
        if let Some((user, password)) = &self.user {
            variables.push(("TIDEGATE_ETCD_USER", user.clone()));
            variables.push(("TIDEGATE_ETCD_PASSWORD", password.clone()));
        }
        variables
    }
}

/// What the processes of a cluster prove with who they are.
#[derive(Debug, Clone)]
pub struct Security {
    /// A folder of `tidegate cert init`, with a certificate by the name of each process.
    pub certificates: PathBuf,
    /// The file of tokens that coordinators know.
    pub tokens: PathBuf,
    /// The file with the client's token.
    pub token: PathBuf,
}

impl Security {
    /// The section of a process's configuration.
    pub fn section(&self, name: &str) -> String {
        let file = |name: &str| self.certificates.join(name).display().to_string();
        format!(
            "[tls]\nca = \"{}\"\ncertificate = \"{}\"\nkey = \"{}\"\n",
            file("ca.crt"),
            file(&format!("{name}.crt")),
            file(&format!("{name}.key"))
        )
    }
}

impl Cluster {
    /// Starts three coordinators and `workers` workers with `slots` slots each, and waits until all are there.
    ///
    /// # Errors
    /// If one does not start in time.
    pub fn start(folder: &Path, workers: u32, slots: u32) -> Result<Self> {
        Self::start_with(folder, workers, slots, Setup::default())
    }

    /// The same with a setup.
    ///
    /// # Errors
    /// If one does not start in time.
    pub fn start_with(folder: &Path, workers: u32, slots: u32, setup: Setup) -> Result<Self> {
        let mut addresses = BTreeMap::new();
        // Held together, so that all are different.
        let held: Vec<TcpListener> =
            (0..3).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
        for (listener, id) in held.iter().zip(1..) {
            addresses.insert(id, listener.local_addr()?.to_string());
        }
        drop(held);
        let folder = folder.to_owned();
        let processes = BTreeMap::new();
        let metrics = BTreeMap::new();
        let mut cluster = Self { folder, addresses, processes, slots, setup, metrics };
        for id in 1..=3 {
            cluster.start_coordinator(id)?;
        }
        for number in 1..=workers {
            cluster.start_worker(number)?;
        }
        let all = |cluster: &Value| {
            let of = |kind: &str| cluster[kind].as_array().map_or(0, Vec::len);
            let leads = cluster["coordinators"]
                .as_array()
                .is_some_and(|all| all.iter().any(|coordinator| coordinator["leader"] == true));
            leads && of("coordinators") == 3 && of("workers") == workers as usize
        };
        wait_until("the cluster is there", START_TIMEOUT, || {
            Ok(cluster.client(&["cluster", "status"]).is_ok_and(|status| all(&status)))
        })?;
        Ok(cluster)
    }

    fn start_coordinator(&mut self, id: u64) -> Result<()> {
        let members: Vec<String> = self
            .addresses
            .iter()
            .map(|(number, address)| format!("{number} = \"{address}\""))
            .collect();
        let mut config = format!(
            "[coordinator]\nid = {id}\nlisten = \"{}\"\ndata = \"{}\"\ncheckpoints = \"{}\"\nmembers = {{ {} }}\n",
            self.addresses[&id],
            self.folder.join(format!("coordinator-{id}")).display(),
            self.folder.join("checkpoints").display(),
            members.join(", ")
        );
        let name = format!("coordinator-{id}");
        if let Some(discovery) = &self.setup.discovery {
            config += &discovery.section(&self.folder)?;
        }
        config += &match &self.setup.security {
            Some(security) => {
                let tokens = security.tokens.display();
                format!("[auth]\ntokens = \"{tokens}\"\n{}", security.section(&name))
            }
            None if self.setup.accounts => self.accounts_section()?,
            None => "[auth]\nmode = \"none\"\n".to_owned(),
        };
        self.spawn("coordinator", &name, &config)
    }

    /// Sections of a coordinator that asks for accounts: a token with which the tests look at the cluster, and a key for
    /// secrets, both made by the binary.
    fn accounts_section(&self) -> Result<String> {
        let made = |arguments: &[&str]| -> Result<(String, String)> {
            let output = Command::new(binary()?).args(arguments).output()?;
            ensure!(output.status.success(), "`tidegate {}` failed", arguments.join(" "));
            Ok((String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?))
        };
        let (token, key) = (self.folder.join("harness.token"), self.folder.join("secrets.key"));
        let known = self.folder.join("tokens.toml");
        if !token.exists() {
            let arguments = ["token", "create", "--principal", "harness", "--role", "viewer"];
            let (text, section) = made(&arguments)?;
            std::fs::write(&known, section.replace("auth.token", "token"))?;
            std::fs::write(&key, made(&["secrets", "create-key"])?.0)?;
            std::fs::write(&token, text)?;
        }
        let (known, key) = (known.display(), key.display());
        Ok(format!("[auth]\ntokens = \"{known}\"\n[secrets]\nkey-file = \"{key}\"\n"))
    }

    /// Starts a worker, again if it was killed.
    ///
    /// # Errors
    /// If the process cannot be started.
    pub fn start_worker(&mut self, number: u32) -> Result<()> {
        let name = format!("worker-{number}");
        let section = self.setup.security.as_ref().map(|security| security.section(&name));
        self.start_worker_as(&name, &section.unwrap_or_default())
    }

    /// Starts a worker that proves with a section `[tls]` who it is, or with none.
    ///
    /// # Errors
    /// If the process cannot be started.
    pub fn start_worker_as(&mut self, name: &str, section: &str) -> Result<()> {
        let coordinators = match &self.setup.discovery {
            Some(discovery) => discovery.section(&self.folder)?,
            None => String::new(),
        };
        let addresses: Vec<String> = match &self.setup.discovery {
            Some(_) => Vec::new(),
            None => self.addresses.values().map(|address| format!("\"{address}\"")).collect(),
        };
        let config = format!(
            "[worker]\nname = \"{name}\"\ncoordinators = [{}]\nlisten = \"127.0.0.1:0\"\nslots = {}\n{coordinators}{section}",
            addresses.join(", "),
            self.slots
        );
        self.spawn("worker", name, &config)
    }

    /// Where processes serve metrics, by name.
    pub fn metrics(&self) -> &BTreeMap<String, String> {
        &self.metrics
    }

    /// The section `[telemetry]` of a process, if it has one.
    fn telemetry(&mut self, name: &str) -> Result<String> {
        let Some(otlp) = self.setup.otlp.clone() else { return Ok(String::new()) };
        let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let address = self.metrics.entry(name.to_owned()).or_insert(free);
        Ok(format!(
            "\n[telemetry]\nmetrics-listen = \"{address}\"\notlp = \"{otlp}\"\notlp-interval-seconds = 1\n"
        ))
    }

    fn spawn(&mut self, role: &str, name: &str, config: &str) -> Result<()> {
        let path = self.folder.join(format!("{name}.toml"));
        let telemetry = self.telemetry(name)?;
        std::fs::write(&path, format!("{config}{telemetry}"))?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.join(format!("{name}.log")))?;
        let child = Command::new(binary()?)
            .args([role, "--config"])
            .arg(&path)
            .env("TIDEGATE_LOG", "info,openraft=warn")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {name}"))?;
        self.processes.insert(name.to_owned(), child);
        Ok(())
    }

    /// Kills a process with -9.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn kill(&mut self, name: &str) -> Result<()> {
        let mut child = self.processes.remove(name).with_context(|| format!("no {name} runs"))?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Kills the leader of the coordinators and starts it again when another leads. Returns how long that took.
    ///
    /// # Errors
    /// If no other leads within a bound.
    pub fn fail_over(&mut self) -> Result<Duration> {
        let leader = self.leader()?;
        let before = now();
        self.kill(&format!("coordinator-{leader}"))?;
        wait_until("another coordinator leads", Duration::from_secs(20), || {
            Ok(self.leader().is_ok_and(|other| other != leader))
        })?;
        let took = before.elapsed();
        self.start_coordinator(leader)?;
        Ok(took)
    }

    /// The number of the coordinator that leads.
    ///
    /// # Errors
    /// If none does, or nobody answers.
    pub fn leader(&self) -> Result<u64> {
        let status = self.client(&["cluster", "status"])?;
        let coordinators = status["coordinators"].as_array().context("no coordinators")?;
        let leader = coordinators.iter().find(|one| one["leader"] == true).context("no leader")?;
        let id = leader["id"].as_u64();
        let id = id.or_else(|| leader["id"].as_str()?.parse().ok());
        id.context("a leader without a number")
    }

    /// Runs a command of the client and reads its answer.
    ///
    /// # Errors
    /// What the command says.
    pub fn client(&self, arguments: &[&str]) -> Result<Value> {
        let addresses: Vec<&str> = self.addresses.values().map(String::as_str).collect();
        let mut variables = match &self.setup.discovery {
            Some(discovery) => discovery.variables(),
            None => vec![("TIDEGATE_COORDINATOR", addresses.join(","))],
        };
        if let Some(security) = &self.setup.security {
            let ca = security.certificates.join("ca.crt");
            variables.push(("TIDEGATE_CA", ca.display().to_string()));
            variables.push(("TIDEGATE_TOKEN_FILE", security.token.display().to_string()));
        }
        if self.setup.accounts {
            let token = self.folder.join("harness.token").display().to_string();
            variables.push(("TIDEGATE_TOKEN_FILE", token));
        }
        self.client_with(arguments, &variables)
    }

    /// Where the coordinators listen.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.addresses.values().map(String::as_str)
    }

    /// What a process has logged.
    ///
    /// # Errors
    /// If it has not been started.
    pub fn log(&self, name: &str) -> Result<String> {
        Ok(std::fs::read_to_string(self.folder.join(format!("{name}.log")))?)
    }

    /// Runs a command of the client with these variables in its environment, and reads its answer.
    ///
    /// # Errors
    /// What the command says.
    pub fn client_with(&self, arguments: &[&str], variables: &[(&str, String)]) -> Result<Value> {
        let mut child = Command::new(binary()?)
            .args(arguments)
            .args(["--output", "json"])
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let deadline: Instant = now() + COMMAND_TIMEOUT;
        while child.try_wait()?.is_none() {
            if now() > deadline {
                child.kill()?;
                bail!("`tidegate {}` did not end", arguments.join(" "));
            }
            pause(Duration::from_millis(10));
        }
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`tidegate {}`: {said}", arguments.join(" "));
        if output.stdout.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&output.stdout).context("the client printed no JSON")
    }

    /// The last run of a job.
    ///
    /// # Errors
    /// What the client says.
    pub fn run(&self, job: &str) -> Result<Value> {
        Ok(self.client(&["job", "describe", job])?["latestRun"].clone())
    }

    /// Waits until the last run of a job is in a state.
    ///
    /// # Errors
    /// If it is not in time, or fails before.
    pub fn wait_for(&self, job: &str, state: &str, timeout: Duration) -> Result<Value> {
        let mut last = Value::Null;
        wait_until(&format!("job {job} is {state}"), timeout, || {
            if let Ok(run) = self.run(job) {
                last = run;
            }
            ensure!(last["state"] != "FAILED" || state == "FAILED", "the job failed: {last}");
            Ok(last["state"] == state)
        })
        .with_context(|| format!("the last that was seen: {last}"))?;
        Ok(last)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in self.processes.values_mut() {
            // One that has ended already needs no kill.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
