//! A worker as a process.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tidegate_connectors::ConnectorEnv;
use tidegate_coordinator::raft::network::{Connector, TcpConnector};
use tidegate_discovery::EtcdOptions;
use tidegate_functions::Zone;
use tidegate_plan::StreamGraph;
use tidegate_runtime::Clock;
use tidegate_security::Identity;
use tidegate_types::{Error, ErrorCode, Result};
use tidegate_worker::ConnectorFactory;
use tidegate_worker::service::{
    Agent, AgentOptions, ConnectorFactories, Host, Prober, WorkerMetrics,
};
use tidegate_worker::shuffle::{Shuffle, ShuffleOptions, ShuffleServer, Tcp, Tls, WorkerName};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::config::WorkerSection;
use super::discovery::Known;
use super::security::warn_of_worker;
use super::visits::Visits;
use crate::output::Connectors;

/// The connectors of this process.
struct Registry {
    clock: Arc<dyn Clock>,
}

impl ConnectorFactories for Registry {
    fn of_plan(&self, graph: &StreamGraph) -> Result<Arc<dyn ConnectorFactory>> {
        let (now, elapsed) = (self.clock.clone(), self.clock.clone());
        let env = ConnectorEnv {
            clock: Arc::new(move || now.now_ms()),
            monotonic: Arc::new(move || elapsed.elapsed()),
            zone: Zone::parse(&graph.settings.time_zone)?,
            stdout: Arc::new(Mutex::new(Box::new(std::io::stdout()))),
            stderr: Arc::new(Mutex::new(Box::new(std::io::stderr()))),
        };
        Ok(Arc::new(Connectors::new(env, None)))
    }
}

/// Whom a worker believes.
pub(super) struct Trust {
    /// What it proves with who it is.
    pub(super) identity: Option<Identity>,
    /// The etcd that knows the coordinators.
    pub(super) etcd: Option<EtcdOptions>,
}

/// What a worker is told by its process.
pub(super) struct Told {
    /// Whom it believes.
    pub(super) trust: Trust,
    /// Where its runs are shown.
    pub(super) metrics: WorkerMetrics,
}

/// Runs it until it is told to stop.
///
/// # Errors
/// What is wrong with the configuration; `FENCED` if a newer process has its name.
pub(super) async fn run(
    section: &WorkerSection,
    told: Told,
    clock: Arc<dyn Clock>,
    data: &Handle,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    let Trust { identity, etcd } = &told.trust;
    if section.coordinators.is_empty() && etcd.is_none() {
        let message = "the section [worker] names no coordinators";
        return Err(Error::new(ErrorCode::InvalidOption, message)
            .help("name them, or an etcd that knows them in a section [discovery]"));
    }
    let known = Known::start(section.coordinators.clone(), etcd.clone());
    let name = WorkerName::new(section.name.clone());
    let transport = Arc::new(Tcp);
    let tls = identity.as_ref().map(|identity| Tls {
        authority: identity.authority().to_owned(),
        certificate: identity.certificate().to_owned(),
        key: identity.key().to_owned(),
        server_name: None,
    });
    let options = ShuffleOptions { tls, ..ShuffleOptions::default() };
    let shuffle = Shuffle::new(name, options, transport, clock.clone(), data.clone());
    let address: SocketAddr = section.listen.parse().map_err(|error| {
        let message = format!("listen: '{}' is no address: {error}", section.listen);
        Error::new(ErrorCode::InvalidOption, message).help("write it as IP:port")
    })?;
    let server = ShuffleServer::bind(&shuffle, address).await?;
    warn_of_worker(server.local_address(), identity.as_ref());
    let reached = section.advertise.clone();
    let reached = reached.unwrap_or_else(|| server.local_address().to_string());
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u32;
    let slots = section.slots.unwrap_or(cores);
    let agent_options = AgentOptions {
        name: section.name.clone(),
        // Processes of a worker follow one another by more than a millisecond.
        incarnation: clock.now_ms().unsigned_abs(),
        shuffle_address: reached.clone(),
        slots,
        labels: section.labels.clone(),
        coordinators: known.addresses.clone(),
    };
    let connectors = Arc::new(Registry { clock: clock.clone() });
    let prober: Arc<dyn Prober> = Arc::new(Visits::new(section, &clock, data));
    let host = Host { clock, connectors, runtime: data.clone(), slots, prober: Some(prober) };
    eprintln!("worker {} has {slots} slots; its shuffle is reached at {reached}", section.name);
    let connector = match identity {
        Some(identity) => TcpConnector::with_identity(identity),
        None => TcpConnector::default(),
    };
    let agent = Agent::new(
        agent_options,
        Arc::new(move |address: &str| connector.channel(address)),
        host,
        shuffle,
    )
    .shown_by(told.metrics);
    let (stop, stopped) = oneshot::channel();
    let running = agent.run(stopped);
    tokio::pin!(running);
    tokio::select! {
        ended = &mut running => return ended,
        () = shutdown => {}
    }
    let _ = stop.send(());
    running.await
}
