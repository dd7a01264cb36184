//! The processes of a cluster: started, stopped, killed, armed with failpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::client::Client;
use super::hosts::Hosts;
use crate::process::ProcessId;
use crate::services::ports;

/// Coordinators of a cluster.
pub(crate) const COORDINATORS: u8 = 3;

/// Where nodes listen on hosts of their own.
const PORT: u16 = 7411;

/// How long a cluster may take to be there.
const START: Duration = Duration::from_secs(60);

/// How long a process may take to its own end.
const ENDING: Duration = Duration::from_secs(30);

/// What a cluster is made of.
pub(crate) struct Settings {
    /// The binary.
    pub(crate) program: PathBuf,
    /// Configurations, data and logs.
    pub(crate) folder: PathBuf,
    /// Workers.
    pub(crate) workers: u8,
    /// Slots of each.
    pub(crate) slots: u32,
    /// Where checkpoints go.
    pub(crate) checkpoints: String,
    /// Of every process.
    pub(crate) environment: Vec<(String, String)>,
    /// Ports of this machine that every host reaches.
    pub(crate) services: Vec<u16>,
    /// Whether each process has a host of its own.
    pub(crate) hosts: bool,
}

/// Which process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    /// A coordinator, from 1.
    Coordinator(u8),
    /// A worker, from 1.
    Worker(u8),
}

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Coordinator(number) => write!(f, "coordinator-{number}"),
            Self::Worker(number) => write!(f, "worker-{number}"),
        }
    }
}

/// The processes. Dropping it kills them.
pub(crate) struct Cluster {
    settings: Settings,
    /// None: all are on this machine.
    pub(crate) hosts: Option<Hosts>,
    addresses: BTreeMap<Node, String>,
    running: BTreeMap<Node, (Child, ProcessId)>,
    /// Asks it.
    pub(crate) client: Client,
}

impl Cluster {
    /// Starts all processes and waits until they know each other.
    pub(crate) fn start(settings: Settings) -> Result<Self> {
        fs::create_dir_all(&settings.folder)?;
        let nodes: Vec<Node> = (1..=COORDINATORS)
            .map(Node::Coordinator)
            .chain((1..=settings.workers).map(Node::Worker))
            .collect();
        let hosts = settings
            .hosts
            .then(|| Hosts::create(COORDINATORS + settings.workers))
            .transpose()
            .context("make hosts")?;
        if let Some(hosts) = &hosts {
            settings.services.iter().try_for_each(|port| hosts.relay(*port))?;
        }
        let names: Vec<String> = nodes.iter().map(Node::to_string).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let picked = ports::pick(&names, &BTreeSet::new())?;
        let address = |node: &Node| match &hosts {
            Some(hosts) => format!("{}:{PORT}", hosts.address(node.host())),
            None => format!("127.0.0.1:{}", picked[&node.to_string()]),
        };
        let addresses: BTreeMap<Node, String> =
            nodes.iter().map(|node| (*node, address(node))).collect();
        let coordinators: Vec<String> =
            (1..=COORDINATORS).map(|id| addresses[&Node::Coordinator(id)].clone()).collect();
        let client = Client::new(settings.program.clone(), &coordinators);
        let running = BTreeMap::new();
        let mut cluster = Self { settings, hosts, addresses, running, client };
        for node in nodes {
            cluster.run(node)?;
        }
        cluster.whole(START)?.map_err(|last| anyhow::anyhow!("no cluster came up: {last}"))?;
        Ok(cluster)
    }

    /// Waits until somebody leads and every worker is active; how long that took, or what was last seen.
    pub(crate) fn whole(&self, limit: Duration) -> Result<std::result::Result<Duration, String>> {
        let (begin, workers) = (Instant::now(), usize::from(self.settings.workers));
        let all = self.client.until(limit, Client::members, |members| {
            members.leader.is_some() && members.workers.len() == workers
        })?;
        Ok(all.map(|_| begin.elapsed()))
    }

    /// Starts a process that does not run.
    pub(crate) fn run(&mut self, node: Node) -> Result<()> {
        ensure!(!self.running.contains_key(&node), "{node} runs already");
        self.disarm(node)?;
        let path = self.path(node, "toml");
        let (role, text) = match node {
            Node::Coordinator(id) => ("coordinator", self.coordinator(id)),
            Node::Worker(number) => ("worker", self.worker(number)),
        };
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        let mut command = match &self.hosts {
            Some(hosts) => hosts.command(node.host(), &self.settings.program),
            None => Command::new(&self.settings.program),
        };
        let log = fs::File::options().create(true).append(true).open(self.log(node))?;
        command
            .args([role, "--config"])
            .arg(&path)
            .env("TIDEGATE_LOG", "info,openraft=warn")
            .envs(self.settings.environment.iter().map(|(name, value)| (name, value)))
            .env("FAILPOINTS_FILE", self.path(node, "failpoints"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        let child = command.spawn().with_context(|| format!("start {node}"))?;
        let id = ProcessId::of(child.id())?;
        self.running.insert(node, (child, id));
        Ok(())
    }

    fn coordinator(&self, id: u8) -> String {
        let members = (1..=COORDINATORS)
            .map(|id| format!("{id} = \"{}\"", self.addresses[&Node::Coordinator(id)]));
        format!(
            "[coordinator]\nid = {id}\nlisten = \"{}\"\ndata = \"{}\"\ncheckpoints = \"{}\"\nmembers = {{ {} }}\n[auth]\nmode = \"none\"\n",
            self.addresses[&Node::Coordinator(id)],
            self.settings.folder.join(format!("coordinator-{id}")).display(),
            self.settings.checkpoints,
            members.collect::<Vec<_>>().join(", ")
        )
    }

    fn worker(&self, number: u8) -> String {
        let coordinators =
            (1..=COORDINATORS).map(|id| format!("\"{}\"", self.addresses[&Node::Coordinator(id)]));
        format!(
            "[worker]\nname = \"worker-{number}\"\ncoordinators = [{}]\nlisten = \"{}\"\nslots = {}\n",
            coordinators.collect::<Vec<_>>().join(", "),
            self.addresses[&Node::Worker(number)],
            self.settings.slots
        )
    }

    fn path(&self, node: Node, extension: &str) -> PathBuf {
        self.settings.folder.join(format!("{node}.{extension}"))
    }

    /// Where a process writes what it does.
    pub(crate) fn log(&self, node: Node) -> PathBuf {
        self.path(node, "log")
    }

    /// All nodes.
    pub(crate) fn nodes(&self) -> Vec<Node> {
        self.addresses.keys().copied().collect()
    }

    /// Address of a node.
    pub(crate) fn address(&self, node: Node) -> &str {
        &self.addresses[&node]
    }

    /// What a running process does at failpoints from now on.
    pub(crate) fn arm(&self, node: Node, failpoints: &str) -> Result<()> {
        let path = self.path(node, "failpoints");
        let new = path.with_extension("new");
        fs::write(&new, failpoints)
            .and_then(|()| fs::rename(&new, &path))
            .with_context(|| format!("write {}", path.display()))
    }

    /// Nothing happens at failpoints any more.
    pub(crate) fn disarm(&self, node: Node) -> Result<()> {
        let path = self.path(node, "failpoints");
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// Ends a process by SIGKILL, also where it is stopped; says how it ended if it had before.
    pub(crate) fn kill(&mut self, node: Node) -> Result<Option<ExitStatus>> {
        let Some((mut child, _)) = self.running.remove(&node) else { bail!("no {node} runs") };
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        child.kill()?;
        child.wait()?;
        Ok(None)
    }

    /// How a process ended, if it has; it counts as not running then.
    pub(crate) fn ended(&mut self, node: Node) -> Result<Option<ExitStatus>> {
        let Some((child, _)) = self.running.get_mut(&node) else { return Ok(None) };
        let status = child.try_wait()?;
        if status.is_some() {
            self.running.remove(&node);
        }
        Ok(status)
    }

    /// Waits for the end of a process.
    pub(crate) fn wait(&mut self, node: Node, limit: Duration) -> Result<Option<ExitStatus>> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.ended(node)? {
                return Ok(Some(status));
            }
            if begin.elapsed() > limit {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks a process to end, waits, and starts it again.
    pub(crate) fn restart(&mut self, node: Node) -> Result<()> {
        self.signal(node, "TERM")?;
        if self.wait(node, ENDING)?.is_none() {
            bail!("{node} did not end within {ENDING:?} after SIGTERM");
        }
        self.run(node)
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, node: Node, signal: &str) -> Result<()> {
        let (_, id) = self.running.get(&node).with_context(|| format!("no {node} runs"))?;
        id.signal(signal)
    }

    /// Whether a process was stopped by a signal and does not go on.
    pub(crate) fn stopped(&self, node: Node) -> bool {
        let Some((child, _)) = self.running.get(&node) else { return false };
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
    }

    /// Memory of a process that is in use at this moment.
    pub(crate) fn resident_bytes(&self, node: Node) -> Result<u64> {
        let (child, _) = self.running.get(&node).with_context(|| format!("no {node} runs"))?;
        let path = format!("/proc/{}/status", child.id());
        let status = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes =
            line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        Ok(kilobytes.with_context(|| format!("{path} does not tell the memory"))? * 1024)
    }

    /// The coordinator that leads, another than this one, as the others say; none while none does.
    pub(crate) fn other_leader(&self, old: Node) -> Option<Node> {
        let coordinators = (1..=COORDINATORS).map(Node::Coordinator);
        let others = coordinators.filter(|node| *node != old);
        let others: Vec<&str> = others.map(|node| self.address(node)).collect();
        let members = self.client.members_at(&others.join(",")).ok()?;
        members.leader.map(Node::Coordinator).filter(|leader| *leader != old)
    }
}

impl Node {
    /// The number of its host.
    pub(crate) fn host(self) -> u8 {
        match self {
            Self::Coordinator(id) => id,
            Self::Worker(number) => COORDINATORS + number,
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for (child, _) in self.running.values_mut() {
            // Both fail only if it has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The lines of a log from a place on that contain one of some words, and the place behind them.
pub(crate) fn lines_with(log: &Path, from: u64, words: &[&str]) -> Result<(Vec<String>, u64)> {
    let bytes = fs::read(log).with_context(|| format!("read {}", log.display()))?;
    let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
    let text = String::from_utf8_lossy(&bytes[from..]);
    let found = text.lines().filter(|line| words.iter().any(|word| line.contains(word)));
    Ok((found.map(str::to_owned).collect(), bytes.len() as u64))
}
