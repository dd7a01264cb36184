//! The process of a coordinator, as it is shipped, on simulated parts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tidegate_coordinator::CheckpointFolders;
use tidegate_coordinator::raft::log_store::LogStore;
use tidegate_coordinator::raft::{Execution, Metadata, NodeOptions, Storage, Timing};
use tidegate_coordinator::service::Formation;
use tidegate_coordinator::service::simulated::{Parts, SimulatedCoordinator};
use tidegate_runtime::Clock;

use super::machine::Machine;
use crate::kernel::{Dialer, HostClock, Main, Network};

/// Where checkpoints go.
pub(crate) const CHECKPOINTS: &str = "sim://checkpoints";

/// What a coordinator is started with.
pub(crate) struct Boot {
    pub(crate) id: u64,
    pub(crate) members: BTreeMap<u64, String>,
    pub(crate) now: Duration,
    pub(crate) machine: Machine,
    pub(crate) network: Network,
}

/// What runs beside a coordinator in its process, once it is there.
pub(crate) type Beside =
    Box<dyn FnOnce(Metadata, Arc<dyn Clock>) -> futures::future::BoxFuture<'static, ()> + Send>;

fn options(id: u64) -> NodeOptions {
    // Drawn from a range of one, so that nothing is drawn.
    let election = Duration::from_millis(600 + 160 * id);
    let timing = Timing {
        heartbeat: Duration::from_millis(250),
        election_min: election,
        election_max: election + Duration::from_millis(1),
    };
    NodeOptions {
        timing,
        snapshot_every: 60,
        keep_entries: 70,
        request_timeout: Duration::from_secs(4),
        execution: Execution::Inline,
        ..NodeOptions::new(id, "simulated")
    }
}

/// The process.
pub(crate) fn main(boot: Boot, beside: Beside) -> Main {
    let Boot { id, members, now, machine, network } = boot;
    async move {
        let clock = HostClock::begin(now, machine.ahead.clone());
        let incoming = network.listen(&members[&id]);
        let log = match LogStore::open(machine.disk.clone(), id, Execution::Inline) {
            Ok(log) => log,
            Err(error) => return format!("refuses to start: {:?}: {error}", error.code()),
        };
        let dialer = Dialer(network);
        let parts = Parts {
            node: options(id),
            formation: Formation::Initial(members),
            storage: Storage { log, snapshots: Arc::new(machine.files) },
            folders: CheckpointFolders {
                checkpoints: Some(CHECKPOINTS.to_owned()),
                savepoints: None,
            },
            connector: Arc::new(move |address: &str| dialer.channel(address)),
            clock: clock.clone(),
        };
        let mut coordinator = match SimulatedCoordinator::start(parts, incoming).await {
            Ok(coordinator) => coordinator,
            Err(error) => return format!("does not start: {error}"),
        };
        let beside = beside(coordinator.metadata().clone(), clock);
        let why = tokio::select! {
            why = coordinator.failed() => why,
            () = async { beside.await; std::future::pending().await } => unreachable!(),
        };
        format!("stopped: {why}")
    }
    .boxed()
}
