//! A coordinator as a process.

use std::sync::Arc;

use tidegate_coordinator::CheckpointFolders;
use tidegate_coordinator::raft::NodeOptions;
use tidegate_coordinator::raft::network::TcpConnector;
use tidegate_coordinator::service::{
    Coordinator, CoordinatorOptions, FIRST_ACCOUNT, Formation, Security,
};
use tidegate_runtime::Clock;
use tidegate_types::{Error, ErrorCode, Result};
use tokio::net::TcpListener;

use super::config::CoordinatorSection;
use super::discovery::Announced;
use super::security::warn_of_coordinator;

/// Starts it.
///
/// # Errors
/// What is wrong with the configuration or with what is stored.
pub(super) async fn start(
    section: &CoordinatorSection,
    security: Security,
    clock: Arc<dyn Clock>,
) -> Result<Coordinator> {
    let members = section.members()?;
    let formation = match members.is_empty() {
        true => Formation::Join,
        false => Formation::Initial(members),
    };
    let listener = TcpListener::bind(&section.listen).await.map_err(|error| {
        let message = format!("listen at {}: {error}", section.listen);
        Error::new(ErrorCode::Unavailable, message)
    })?;
    let connector = match &security.identity {
        Some(identity) => TcpConnector::with_identity(identity),
        None => TcpConnector::default(),
    };
    let options = CoordinatorOptions {
        node: NodeOptions::new(section.id, &section.cluster),
        formation,
        data: section.data.clone(),
        folders: CheckpointFolders {
            checkpoints: section.checkpoints.clone(),
            savepoints: section.savepoints.clone(),
        },
        security: security.clone(),
    };
    let coordinator = Coordinator::start(options, listener, Arc::new(connector), clock).await?;
    warn_of_coordinator(coordinator.address(), &security);
    let reached = section.advertise.as_ref().unwrap_or(&section.listen);
    eprintln!(
        "coordinator {} listens at {} (others reach it at {reached})",
        section.id,
        coordinator.address()
    );
    Ok(coordinator)
}

/// Waits until it is told to stop, or fails. A cluster that has no accounts gets its first one, unless nobody is asked
/// who they are (`open`).
///
/// # Errors
/// Why it failed: the process must end, and may be started again.
pub(super) async fn run(
    mut coordinator: Coordinator,
    open: bool,
    announced: Option<Announced>,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    let first = coordinator.first_account();
    let first = async move {
        if !open && let Some(account) = first.await {
            // Printed once and logged nowhere.
            eprintln!(
                "the first account is {}, its password for one time {}\nsign in with `tidegate login {}` and choose another",
                account.name, account.password, FIRST_ACCOUNT
            );
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        error = coordinator.failed() => return Err(error),
        () = first => {}
        () = shutdown => {}
    }
    if let Some(announced) = announced {
        announced.take_back().await;
    }
    coordinator.stop().await
}
