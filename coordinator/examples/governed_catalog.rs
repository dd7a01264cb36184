//! Measures the API over a large catalog: what a call takes, from a client over gRPC on loopback, on one coordinator.
//! `cargo run --release -p tidegate-coordinator --example governed_catalog [-- PROJECTS TABLES_EACH CALLS]`
//!
//! Prints one line of JSON: milliseconds per call, by kind. Calls follow one another; words of searches are drawn from those
//! of the tables, with the first letters of one more at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use serde_json::json;
use tidegate_catalog::{Action, Column, Command, TableAction, TableDefinition, TableName};
use tidegate_coordinator::CheckpointFolders;
use tidegate_coordinator::raft::network::TcpConnector;
use tidegate_coordinator::raft::{Metadata, NodeOptions};
use tidegate_coordinator::service::{Coordinator, CoordinatorOptions, Formation, Security};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::catalog_service_client::CatalogServiceClient;
use tidegate_proto::v1::project_service_client::ProjectServiceClient;
use tidegate_proto::v1::table_service_client::TableServiceClient;
use tidegate_runtime::SystemClock;
use tidegate_types::{Error, ErrorCode, Result};
use tokio::net::TcpListener;
use tonic::transport::Channel;
use tonic::{Response, Status};

/// Commands that are under way at a time while the catalog is filled.
const AT_ONCE: usize = 512;

const WORDS: [&str; 24] = [
    "order", "payment", "click", "user", "session", "product", "stock", "price", "invoice",
    "refund", "device", "sensor", "alarm", "route", "driver", "trip", "account", "transfer",
    "card", "limit", "campaign", "banner", "view", "search",
];

fn main() -> Result<()> {
    let numbers: Vec<usize> =
        std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let number = |at: usize, default: usize| numbers.get(at).copied().unwrap_or(default);
    let (projects, tables, calls) = (number(0, 1_000), number(1, 100), number(2, 500));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::internal(error.to_string()))?;
    let figures = runtime.block_on(measure(projects, tables, calls))?;
    runtime.shutdown_background();
    let mut out = std::io::stdout();
    writeln!(out, "{figures}").map_err(|error| Error::internal(error.to_string()))
}

async fn measure(projects: usize, tables: usize, calls: usize) -> Result<serde_json::Value> {
    let failed = |error: std::io::Error| Error::new(ErrorCode::Unavailable, error.to_string());
    let folder = tempfile::tempdir().map_err(failed)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?.to_string();
    let options = CoordinatorOptions {
        node: NodeOptions::new(1, "bench"),
        formation: Formation::Initial(BTreeMap::from([(1, address.clone())])),
        data: folder.path().join("data"),
        folders: CheckpointFolders { checkpoints: None, savepoints: None },
        security: Security { open: true, ..Security::default() },
    };
    let (connector, clock) = (Arc::new(TcpConnector::default()), SystemClock::shared());
    let coordinator = Coordinator::start(options, listener, connector, clock).await?;
    let began = now();
    fill(coordinator.metadata(), projects, tables).await?;
    let filled = began.elapsed();
    let unreached =
        |error: tonic::transport::Error| Error::new(ErrorCode::Unavailable, error.to_string());
    let channel = Channel::from_shared(format!("http://{address}"))
        .map_err(|error| Error::internal(error.to_string()))?
        .connect()
        .await
        .map_err(unreached)?;
    let (mut catalog, mut listed, mut all) = (
        CatalogServiceClient::new(channel.clone()),
        TableServiceClient::new(channel.clone()),
        ProjectServiceClient::new(channel),
    );
    // The first search builds the index.
    let began = now();
    answered(catalog.search_catalog(search(0, 0)).await)?;
    let index = began.elapsed();
    let mut figures = BTreeMap::new();
    let mut note = |what: &'static str, took: Duration| {
        figures.entry(what).or_insert_with(Vec::new).push(took.as_secs_f64() * 1e3);
    };
    for call in 0..calls {
        let project = format!("projects/p{}", call * 7 % projects);
        let began = now();
        let request = api::ListTablesRequest {
            parent: format!("{project}/databases/-"),
            ..Default::default()
        };
        answered(listed.list_tables(request).await)?;
        note("list tables of a project", began.elapsed());
        let began = now();
        let request = api::ListCatalogTablesRequest {
            parent: "tenants/default".to_owned(),
            in_project: String::new(),
            r#type: if call.is_multiple_of(2) { "kafka" } else { "mysql" }.to_owned(),
            ..Default::default()
        };
        answered(catalog.list_catalog_tables(request).await)?;
        note("list tables of the tenant by type", began.elapsed());
        let began = now();
        answered(catalog.search_catalog(search(call, 1)).await)?;
        note("search one word", began.elapsed());
        let began = now();
        answered(catalog.search_catalog(search(call, 3)).await)?;
        note("search three words", began.elapsed());
        let began = now();
        let request =
            api::ListProjectsRequest { parent: "tenants/default".to_owned(), ..Default::default() };
        answered(all.list_projects(request).await)?;
        note("list projects", began.elapsed());
        let began = now();
        let name = format!("{project}/databases/default/tables/{}", table_id(call % tables));
        answered(catalog.get_table_detail(api::GetTableDetailRequest { name }).await)?;
        note("describe a table", began.elapsed());
    }
    let kinds = figures.into_iter().map(|(what, mut took)| {
        took.sort_by(f64::total_cmp);
        let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
        json!({ "what": what, "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1.0) })
    });
    Ok(json!({
        "benchmark": "catalog",
        "projects": projects,
        "tables": projects * tables,
        "calls_of_each": calls,
        "release": !cfg!(debug_assertions),
        "filled_s": filled.as_secs_f64(),
        "index_built_ms": index.as_secs_f64() * 1e3,
        "calls": kinds.collect::<Vec<_>>(),
        "limits": [
            "one coordinator: reads of a cluster take a round to a majority more",
            "one client, calls one after another, pages of 100",
        ],
    }))
}

async fn fill(metadata: &Metadata, projects: usize, tables: usize) -> Result<()> {
    let project = |at: usize| Action::CreateProject {
        project: format!("p{at}"),
        tenant: "default".to_owned(),
        description: format!("project of {}s", WORDS[at % WORDS.len()]),
        services: None,
    };
    apply(metadata, (0..projects).map(project)).await?;
    let all = (0..projects).flat_map(|project| (0..tables).map(move |table| (project, table)));
    apply(metadata, all.map(|(project, table)| create(project, table))).await
}

async fn apply(metadata: &Metadata, actions: impl Iterator<Item = Action>) -> Result<()> {
    let proposed = futures::stream::iter(actions)
        .map(|action| metadata.propose(Command::new(1_000, action)))
        .buffer_unordered(AT_ONCE);
    let mut proposed = std::pin::pin!(proposed);
    while let Some(response) = proposed.next().await {
        response?;
    }
    Ok(())
}

fn table_id(table: usize) -> String {
    format!("{}_{table}", WORDS[table % WORDS.len()])
}

fn create(project: usize, table: usize) -> Action {
    let word = |step: usize| WORDS[(project * 5 + table * step) % WORDS.len()];
    let column = |name: String| Column {
        name,
        ty: "STRING".to_owned(),
        comment: format!("the {} of a {}", word(3), word(11)),
        ..Column::default()
    };
    let columns = (0..8).map(|at| column(format!("{}_{at}", word(at + 2)))).collect();
    let name = TableName::new(&format!("p{project}"), "default", &table_id(table));
    Action::Table(Box::new(TableAction::CreateTable {
        table: name.unwrap_or_else(|_| std::process::abort()),
        kind: if table.is_multiple_of(2) { "kafka" } else { "mysql" }.to_owned(),
        description: format!("every {} with its {}", word(7), word(13)),
        tags: BTreeSet::from([word(17).to_owned()]),
        owner: "tenants/default/users/ann".to_owned(),
        definition: Box::new(TableDefinition { columns, ..TableDefinition::default() }),
        design: None,
    }))
}

/// The request for so many words and the beginning of one.
fn search(call: usize, words: usize) -> api::SearchCatalogRequest {
    let word = |step: usize| WORDS[(call * 13 + step * 5) % WORDS.len()];
    let mut query: Vec<&str> = (0..words).map(word).collect();
    query.push(&word(words)[..3]);
    api::SearchCatalogRequest {
        parent: "tenants/default".to_owned(),
        query: query.join(" "),
        ..Default::default()
    }
}

fn answered<T>(answer: std::result::Result<Response<T>, Status>) -> Result<T> {
    answer.map(Response::into_inner).map_err(|status| tidegate_proto::status::from_status(&status))
}

#[allow(clippy::disallowed_methods, reason = "measures")]
fn now() -> Instant {
    Instant::now()
}
