//! `tidegate savepoint` and `tidegate checkpoint`.

use tidegate_proto::v1 as api;
use tidegate_types::Result;

use super::connection::{Connection, answer};
use super::output::{id, json, lines, table, time};
use crate::args::{OutputFormat, SavepointCommand};

/// Runs a command.
///
/// # Errors
/// What the cluster says.
pub(super) async fn run(connection: &mut Connection, command: SavepointCommand) -> Result<()> {
    match command {
        SavepointCommand::Create { job, id } => {
            let request = api::CreateSavepointRequest {
                parent: connection.job_name(&job),
                savepoint_id: id.unwrap_or_default(),
                request_id: String::new(),
            };
            let operation = answer(connection.savepoints().create_savepoint(request).await)?;
            let operation = connection.finish(operation).await?;
            match connection.format {
                OutputFormat::Json => json(&operation),
                OutputFormat::Table => lines(&operation.target),
            }
        }
        SavepointCommand::List { job } => list(connection, &job).await,
        SavepointCommand::Describe { name } => {
            let request = api::GetSavepointRequest { name };
            let savepoint = answer(connection.savepoints().get_savepoint(request).await)?;
            match connection.format {
                OutputFormat::Json => json(&savepoint),
                OutputFormat::Table => lines(&format!(
                    "{:<12}{}\n{:<12}{}\n{:<12}{}\n{:<12}{}",
                    "name",
                    savepoint.name,
                    "state",
                    savepoint.state().as_str_name().to_ascii_lowercase(),
                    "location",
                    savepoint.location,
                    "created",
                    time(savepoint.create_time.as_ref()),
                )),
            }
        }
        SavepointCommand::Delete { name } => {
            let request = api::DeleteSavepointRequest { name, request_id: String::new() };
            let operation = answer(connection.savepoints().delete_savepoint(request).await)?;
            let operation = connection.finish(operation).await?;
            match connection.format {
                OutputFormat::Json => json(&operation),
                OutputFormat::Table => lines(&format!("{} is deleted", operation.target)),
            }
        }
    }
}

async fn list(connection: &mut Connection, job: &str) -> Result<()> {
    let mut all = api::ListSavepointsResponse::default();
    loop {
        let request = api::ListSavepointsRequest {
            parent: connection.job_name(job),
            page_size: 1_000,
            page_token: std::mem::take(&mut all.next_page_token),
        };
        let page = answer(connection.savepoints().list_savepoints(request).await)?;
        all.savepoints.extend(page.savepoints);
        all.next_page_token = page.next_page_token;
        if all.next_page_token.is_empty() {
            break;
        }
    }
    if connection.format == OutputFormat::Json {
        return json(&all);
    }
    let row = |savepoint: &api::Savepoint| {
        vec![
            id(&savepoint.name),
            savepoint.state().as_str_name().to_ascii_lowercase(),
            savepoint.run.to_string(),
            time(savepoint.create_time.as_ref()),
            savepoint.location.clone(),
        ]
    };
    let rows: Vec<_> = all.savepoints.iter().map(row).collect();
    let names = ["ID", "STATE", "RUN", "CREATED", "LOCATION"];
    lines(&table(&names, &rows, "the job has no savepoints"))
}

/// The checkpoints of a job.
///
/// # Errors
/// What the cluster says.
pub(super) async fn checkpoints(connection: &mut Connection, job: &str) -> Result<()> {
    let request = api::ListCheckpointsRequest { parent: connection.job_name(job) };
    let found = answer(connection.jobs().list_checkpoints(request).await)?;
    if connection.format == OutputFormat::Json {
        return json(&found);
    }
    let row = |checkpoint: &api::Checkpoint| {
        vec![
            checkpoint.number.to_string(),
            checkpoint.attempt.to_string(),
            if checkpoint.savepoint { "savepoint" } else { "checkpoint" }.to_owned(),
            time(checkpoint.trigger_time.as_ref()),
            checkpoint.manifest.clone(),
        ]
    };
    let rows: Vec<_> = found.checkpoints.iter().map(row).collect();
    let names = ["NUMBER", "ATTEMPT", "KIND", "TRIGGERED", "MANIFEST"];
    lines(&table(&names, &rows, "the last run of the job keeps no checkpoints"))
}
