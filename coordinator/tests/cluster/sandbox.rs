//! A cluster to break: starts, kills and restarts coordinators.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidegate_catalog::{Action, Catalog, Command, JobName, Priority, Response};
use tidegate_coordinator::raft::network::{TcpConnector, raft_service};
use tidegate_coordinator::raft::{Consistency, Metadata, NodeOptions, Storage};
use tidegate_runtime::spawn_on;
use tidegate_types::Result;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;

/// Longest wait for anything that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// One coordinator that runs.
pub(crate) struct Node {
    runtime: Runtime,
    pub(crate) metadata: Metadata,
}

impl Node {
    /// Waits for a future on the coordinator's own runtime.
    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub(crate) fn propose(&self, action: Action) -> Result<Response> {
        self.run(self.metadata.propose(Command::new(1_000, action)))
    }

    pub(crate) fn create(&self, job: &str) -> Result<Response> {
        self.propose(create(job))
    }

    pub(crate) fn read<T>(
        &self,
        consistency: Consistency,
        read: impl FnOnce(&Catalog) -> T,
    ) -> Result<T> {
        self.run(self.metadata.read(consistency, read))
    }

    /// Whether a job is there, by a linearizable read.
    pub(crate) fn has(&self, job: &str) -> bool {
        self.read(Consistency::Linearizable, |catalog| catalog.job(&name(job)).is_some()).unwrap()
    }
}

pub(crate) fn name(job: &str) -> JobName {
    JobName::new("default", job).unwrap()
}

pub(crate) fn create(job: &str) -> Action {
    Action::CreateJob {
        job: name(job),
        description: "x".repeat(100),
        labels: BTreeMap::new(),
        priority: Priority::Normal,
    }
}

/// Coordinators that may or may not be running.
pub(crate) struct Sandbox {
    folder: TempDir,
    options: fn(u64) -> NodeOptions,
    ports: BTreeMap<u64, u16>,
    pub(crate) nodes: BTreeMap<u64, Node>,
}

/// Quick to give up, otherwise as shipped.
pub(crate) fn options(id: u64) -> NodeOptions {
    NodeOptions { request_timeout: Duration::from_secs(5), ..NodeOptions::new(id, "test") }
}

impl Sandbox {
    /// A cluster of nodes 1 to `size`, with a leader.
    pub(crate) fn start(size: u64, options: fn(u64) -> NodeOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut sandbox = Self { folder, options, ports: BTreeMap::new(), nodes: BTreeMap::new() };
        for id in 1..=size {
            sandbox.start_node(id);
        }
        let members = (1..=size).map(|id| (id, sandbox.address(id))).collect();
        let first = &sandbox.nodes[&1];
        first.run(first.metadata.initialize(members)).unwrap();
        sandbox.leader();
        sandbox
    }

    /// Where a node is reached, the same for all its lives.
    pub(crate) fn address(&self, id: u64) -> String {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports[&id])).to_string()
    }

    /// Starts a node on what its folder has.
    pub(crate) fn start_node(&mut self, id: u64) {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let port = self.ports.get(&id).copied().unwrap_or(0);
        let bind = || runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, port))).ok();
        let listener = eventually("the port is free", bind);
        self.ports.insert(id, listener.local_addr().unwrap().port());
        let options = (self.options)(id);
        let folder = self.folder.path().join(id.to_string());
        // A killed process lets go of its files at once; a killed runtime when its last disk call has returned.
        let storage = eventually("the log is free", || Storage::in_folder(&folder, &options).ok());
        let start = Metadata::start(&options, storage, Arc::new(TcpConnector::default()));
        let metadata = runtime.block_on(start).unwrap();
        let serving = Server::builder()
            .add_service(raft_service(&metadata))
            .serve_with_incoming(TcpListenerStream::new(listener));
        let server = spawn_on(runtime.handle(), "server", serving);
        // It ends with the runtime.
        std::mem::forget(server);
        self.nodes.insert(id, Node { runtime, metadata });
    }

    /// Ends a node without a word: its tasks and connections are gone.
    pub(crate) fn kill(&mut self, id: u64) {
        let Node { runtime, metadata } = self.nodes.remove(&id).unwrap();
        runtime.shutdown_background();
        drop(metadata);
    }

    pub(crate) fn restart(&mut self, id: u64) {
        self.kill(id);
        self.start_node(id);
    }

    /// Waits until the running nodes agree on a leader that runs; its number.
    pub(crate) fn leader(&self) -> u64 {
        eventually("there is a leader", || {
            let mut said = self.nodes.values().map(|node| {
                let leadership = node.metadata.leadership().borrow().clone();
                (leadership.term, leadership.leader.map(|(id, _)| id))
            });
            let first = said.next()?;
            let leader = first.1.filter(|leader| self.nodes.contains_key(leader))?;
            said.all(|other| other == first).then_some(leader)
        })
    }

    /// A running node that is not the leader.
    pub(crate) fn follower(&self) -> &Node {
        let leader = self.leader();
        self.nodes.iter().find(|(id, _)| **id != leader).unwrap().1
    }
}

/// Lets others go on for so many milliseconds.
#[allow(clippy::disallowed_methods, reason = "the test lets threads of others go on")]
pub(crate) fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// Asks until there is something.
#[allow(clippy::disallowed_methods, reason = "the test waits for threads of others")]
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// How long something takes.
#[allow(clippy::disallowed_methods, reason = "measures")]
pub(crate) fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = act();
    (result, start.elapsed())
}
