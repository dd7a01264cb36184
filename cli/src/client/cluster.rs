//! `tidegate cluster`.

use tidegate_proto::v1 as api;
use tidegate_types::Result;

use super::connection::{Connection, answer};
use super::output::{id, json, lines, table, time};
use crate::args::{ClusterCommand, OutputFormat};

/// Runs a command.
///
/// # Errors
/// What the cluster says.
pub(super) async fn run(connection: &mut Connection, command: ClusterCommand) -> Result<()> {
    let mut client = connection.cluster();
    match command {
        ClusterCommand::Status => {
            let cluster = answer(client.get_cluster(api::GetClusterRequest {}).await)?;
            status(connection, &cluster)
        }
        ClusterCommand::AddCoordinator { id, address } => {
            let request = api::AddCoordinatorRequest { id, address };
            let cluster = answer(client.add_coordinator(request).await)?;
            status(connection, &cluster)
        }
        ClusterCommand::RemoveCoordinator { id } => {
            let request = api::RemoveCoordinatorRequest { id };
            let cluster = answer(client.remove_coordinator(request).await)?;
            status(connection, &cluster)
        }
        ClusterCommand::DrainWorker { name } => {
            let request = api::DrainWorkerRequest { name: worker(&name) };
            let operation = answer(client.drain_worker(request).await)?;
            let operation = connection.finish(operation).await?;
            match connection.format {
                OutputFormat::Json => json(&operation),
                OutputFormat::Table => {
                    lines(&format!("{} runs nothing any more", operation.target))
                }
            }
        }
        ClusterCommand::UndrainWorker { name } => {
            let request = api::UndrainWorkerRequest { name: worker(&name) };
            let worker = answer(client.undrain_worker(request).await)?;
            match connection.format {
                OutputFormat::Json => json(&worker),
                OutputFormat::Table => lines(&format!("{} takes tasks again", worker.name)),
            }
        }
    }
}

fn worker(name: &str) -> String {
    if name.contains('/') { name.to_owned() } else { format!("workers/{name}") }
}

fn status(connection: &Connection, cluster: &api::Cluster) -> Result<()> {
    if connection.format == OutputFormat::Json {
        return json(cluster);
    }
    let coordinator = |one: &api::Coordinator| {
        let role = match (one.leader, one.voter) {
            (true, _) => "leader",
            (false, true) => "follower",
            (false, false) => "learner",
        };
        let lag = one.lag.map_or("-".to_owned(), |lag| lag.to_string());
        vec![one.id.to_string(), one.address.clone(), role.to_owned(), lag]
    };
    let coordinators: Vec<_> = cluster.coordinators.iter().map(coordinator).collect();
    let one = |worker: &api::Worker| {
        vec![
            id(&worker.name),
            worker.state().as_str_name().to_ascii_lowercase(),
            format!("{}/{}", worker.used_slots, worker.slots),
            worker.address.clone(),
            worker.version.clone(),
            time(worker.register_time.as_ref()),
        ]
    };
    let workers: Vec<_> = cluster.workers.iter().map(one).collect();
    let coordinators = table(&["COORDINATOR", "ADDRESS", "ROLE", "LAG"], &coordinators, "");
    let names = ["WORKER", "STATE", "SLOTS USED", "SHUFFLE", "VERSION", "REGISTERED"];
    let empty = "no worker has registered; start one: `tidegate worker --config FILE`";
    lines(&format!("{coordinators}\n{}", table(&names, &workers, empty)))
}
