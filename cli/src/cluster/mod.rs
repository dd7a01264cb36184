//! The server roles: coordinators, workers, or both in one process.

mod config;
mod coordinator;
mod discovery;
mod previews;
mod secrets;
mod security;
mod telemetry;
mod visits;
mod worker;

pub(crate) use secrets::random as random_key;
#[cfg(test)]
pub(crate) use security::parse_tokens;

use std::process::ExitCode;
use std::sync::Arc;

use tidegate_coordinator::service::Coordinator;
use tidegate_discovery::EtcdOptions;
use tidegate_runtime::telemetry::metrics::Source;
use tidegate_runtime::{Clock, SystemClock};
use tidegate_security::NodeRole;
use tidegate_types::Result;
use tidegate_worker::service::WorkerMetrics;
use tokio::runtime::Runtime;

use crate::args::{ConfigFile, Server};
use crate::run::runtime;
use crate::signals::told_to_end;
use config::{Config, CoordinatorSection};
use discovery::Announced;

/// `tidegate coordinator`.
pub(crate) fn coordinator(arguments: &ConfigFile) -> ExitCode {
    report(Config::read(&arguments.config).and_then(|config| {
        let section = config.coordinator("tidegate coordinator")?;
        let control = runtime("control", 2)?;
        control.block_on(async {
            let security = config.security()?;
            let coordinator = coordinator::start(&section, security.clone(), clock()).await?;
            let instance = format!("coordinator-{}", section.id);
            let _telling = config.telemetry.start(instance, vec![coordinator.metrics()]).await?;
            let announced = announce(&coordinator, config.etcd()?, &section);
            tokio::select! {
                ended = coordinator::run(coordinator, security.open, announced, told_to_end()) => ended,
                () = config.follow_tokens(&security) => Ok(()),
            }
        })
    }))
}

/// `tidegate worker`.
pub(crate) fn worker(arguments: &ConfigFile) -> ExitCode {
    report(Config::read(&arguments.config).and_then(|config| {
        let section = config.worker("tidegate worker")?;
        let trust =
            worker::Trust { identity: config.identity(NodeRole::Worker)?, etcd: config.etcd()? };
        let (control, data) = (runtime("control", 2)?, data_runtime()?);
        let metrics = WorkerMetrics::default();
        let ended = control.block_on(async {
            let instance = section.name.clone();
            let shown = Arc::new(metrics.clone());
            let _telling = config.telemetry.start(instance, vec![shown]).await?;
            let told = worker::Told { trust, metrics };
            worker::run(&section, told, clock(), data.handle(), told_to_end()).await
        });
        data.shutdown_background();
        ended
    }))
}

/// `tidegate server`: a coordinator and a worker.
pub(crate) fn server(arguments: &Server) -> ExitCode {
    report(Config::single(arguments).and_then(|config| {
        let coordinator = config.coordinator("tidegate server")?;
        let worker = config.worker("tidegate server")?;
        let trust =
            worker::Trust { identity: config.identity(NodeRole::Worker)?, etcd: config.etcd()? };
        let security = config.security()?;
        let (control, data) = (runtime("control", 2)?, data_runtime()?);
        let ended = control.block_on(async {
            let running = coordinator::start(&coordinator, security.clone(), clock()).await?;
            let metrics = WorkerMetrics::default();
            let sources: Vec<Arc<dyn Source>> = vec![running.metrics(), Arc::new(metrics.clone())];
            let _telling = config.telemetry.start("server".to_owned(), sources).await?;
            let told = worker::Told { trust, metrics };
            let announced = announce(&running, config.etcd()?, &coordinator);
            let (stop, stopped) = tokio::sync::watch::channel(false);
            let both = async {
                tokio::try_join!(
                    coordinator::run(running, security.open, announced, until(stopped.clone())),
                    worker::run(&worker, told, clock(), data.handle(), until(stopped)),
                )
            };
            let signal = async {
                told_to_end().await;
                let _ = stop.send(true);
                std::future::pending::<()>().await;
            };
            tokio::select! {
                ended = both => ended.map(drop),
                () = signal => Ok(()),
                () = config.follow_tokens(&security) => Ok(()),
            }
        });
        data.shutdown_background();
        ended
    }))
}

/// Announces a coordinator where others look for it.
fn announce(
    coordinator: &Coordinator,
    etcd: Option<EtcdOptions>,
    section: &CoordinatorSection,
) -> Option<Announced> {
    let address = section.advertise.as_ref().unwrap_or(&section.listen);
    etcd.map(|etcd| Announced::start(coordinator, etcd, address))
}

async fn until(mut stopped: tokio::sync::watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

fn report(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error [{}]: {error}", error.code().as_str());
            ExitCode::FAILURE
        }
    }
}

fn clock() -> Arc<dyn Clock> {
    SystemClock::shared()
}

fn data_runtime() -> Result<Runtime> {
    runtime("data", std::thread::available_parallelism().map_or(2, usize::from))
}
