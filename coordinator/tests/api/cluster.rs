//! Coordinators that share a folder, whose clock can be turned.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tidegate_catalog::{Action, Catalog, Command};
use tidegate_coordinator::CheckpointFolders;
use tidegate_coordinator::raft::network::TcpConnector;
use tidegate_coordinator::raft::{Consistency, NodeOptions};
use tidegate_coordinator::service::{Coordinator, CoordinatorOptions, Formation, Security};
use tidegate_proto::v1::resource_service_client::ResourceServiceClient;
use tidegate_runtime::{Clock, SystemClock};
use tidegate_security::envelope::Keyring;
use tokio::net::TcpListener;
use tonic::transport::Channel;

/// A clock that runs, and can be put forward.
#[derive(Debug)]
pub(crate) struct Turned {
    inner: Arc<dyn Clock>,
    by_ms: AtomicI64,
}

impl Clock for Turned {
    fn now_ms(&self) -> i64 {
        self.inner.now_ms() + self.by_ms.load(Ordering::SeqCst)
    }

    fn elapsed(&self) -> Duration {
        self.inner.elapsed()
    }
}

/// Keys of secrets that all coordinators have.
fn keyring() -> Keyring {
    Keyring::parse(&Keyring::line("k1", &[1; 32])).unwrap()
}

/// Coordinators by number.
pub(crate) struct Cluster {
    folder: TempDir,
    clock: Arc<Turned>,
    pub(crate) nodes: BTreeMap<u64, (Coordinator, String)>,
}

impl Cluster {
    pub(crate) async fn start(size: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Turned { inner: SystemClock::shared(), by_ms: AtomicI64::new(0) };
        let clock = Arc::new(clock);
        let mut listeners = Vec::new();
        for id in 1..=size {
            listeners.push((id, TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()));
        }
        let address = |listener: &TcpListener| listener.local_addr().unwrap().to_string();
        let members: BTreeMap<u64, String> =
            listeners.iter().map(|(id, listener)| (*id, address(listener))).collect();
        let mut starting = Vec::new();
        for (id, listener) in listeners {
            let options = CoordinatorOptions {
                node: NodeOptions::new(id, "test"),
                formation: Formation::Initial(members.clone()),
                data: folder.path().join(id.to_string()),
                folders: CheckpointFolders {
                    checkpoints: Some(folder.path().join("shared").to_string_lossy().into_owned()),
                    savepoints: None,
                },
                security: Security { open: true, keyring: Some(keyring()), ..Security::default() },
            };
            let clock: Arc<dyn Clock> = clock.clone();
            let connector = Arc::new(TcpConnector::default());
            let own = members[&id].clone();
            starting.push(async move {
                let started = Coordinator::start(options, listener, connector, clock).await;
                (id, (started.unwrap(), own))
            });
        }
        let nodes = futures::future::join_all(starting).await.into_iter().collect();
        let cluster = Self { folder, clock, nodes };
        cluster.leader().await;
        cluster
    }

    /// The number of the coordinator that leads.
    pub(crate) async fn leader(&self) -> u64 {
        for _ in 0..400 {
            let leads = |node: &Coordinator| node.metadata().leadership().borrow().is_self;
            if let Some((id, _)) = self.nodes.iter().find(|(_, (node, _))| leads(node)) {
                return *id;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nobody leads");
    }

    pub(crate) fn turn(&self, by: Duration) {
        self.clock.by_ms.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) async fn channel(&self, id: u64) -> Channel {
        let address = format!("http://{}", self.nodes[&id].1);
        Channel::from_shared(address).unwrap().connect().await.unwrap()
    }

    pub(crate) async fn client(&self, id: u64) -> ResourceServiceClient<Channel> {
        ResourceServiceClient::new(self.channel(id).await).max_decoding_message_size(8 << 20)
    }

    pub(crate) async fn propose(&self, action: Action) {
        self.propose_at(self.clock.now_ms(), action).await;
    }

    pub(crate) async fn propose_at(&self, now_ms: i64, action: Action) {
        let node = &self.nodes.values().next().unwrap().0;
        node.metadata().propose(Command::new(now_ms, action)).await.unwrap();
    }

    pub(crate) async fn read<T>(&self, read: impl FnOnce(&Catalog) -> T) -> T {
        let node = &self.nodes.values().next().unwrap().0;
        node.metadata().read(Consistency::Linearizable, read).await.unwrap()
    }

    /// Waits until something is so in the catalog.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Catalog) -> bool) {
        for _ in 0..400 {
            if self.read(&holds).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("not in time: {what}");
    }

    /// Folder below that of checkpoints.
    pub(crate) fn shared(&self, name: &str) -> PathBuf {
        self.folder.path().join("shared").join(name)
    }

    /// Files of resources in the store.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let (mut files, mut folders) = (Vec::new(), vec![self.shared("_resources")]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files.sort();
        files
    }

    /// Ends a coordinator.
    pub(crate) async fn stop(&mut self, id: u64) {
        let (node, _) = self.nodes.remove(&id).unwrap();
        node.stop().await.unwrap();
    }
}
