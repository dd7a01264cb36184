//! Rows of a table, as the caller may see them.

use std::sync::Arc;
use std::time::Duration;

use tidegate_catalog::{Catalog, Environment, TableName};
use tidegate_plan::encoding;
use tidegate_plan::settings::Settings;
use tidegate_planner::governed::{Mask, Preview, PreviewRequest, PreviewStart, preview};
use tidegate_proto::internal::v1 as wire;
use tidegate_proto::v1 as api;
use tidegate_proto::v1::preview_table_request::From;
use tidegate_runtime::blocking::beside;
use tidegate_types::{Error, ErrorCode, Result};

use crate::governance::tables::{Asking, GrantedTables};
use crate::jobs::binding;
use crate::service::api::approvals::{environment as shown, stored};
use crate::service::api::fields::{invalid, milliseconds};
use crate::service::api::{Api, unknown};
use crate::service::call::signed_in;
use crate::service::workers::probes;

/// Rows where nobody says, and at most.
const ROWS: u32 = 100;
const MOST_ROWS: u32 = 1_000;
/// How long it may take where nobody says, and at most.
const SECONDS: u32 = 10;
const MOST_SECONDS: u32 = 60;
/// Bytes of rows, as JSON.
const BYTES: u64 = 1 << 20;

impl Api {
    pub(super) async fn previewed(
        &self,
        request: api::PreviewTableRequest,
    ) -> Result<api::PreviewTableResponse> {
        let name: TableName = request.name.parse()?;
        let limit = bounded("limit", request.limit, ROWS, MOST_ROWS)?;
        let seconds = bounded("timeout_seconds", request.timeout_seconds, SECONDS, MOST_SECONDS)?;
        let start = match request.from {
            None | Some(From::Earliest(_) | From::Latest(false)) => PreviewStart::Earliest,
            Some(From::Latest(true)) => PreviewStart::Latest,
            Some(From::Since(time)) => {
                let since = milliseconds("since", Some(time))?.unwrap_or(0);
                PreviewStart::Since(u64::try_from(since).unwrap_or(0))
            }
        };
        let asked = PreviewRequest {
            project: name.project().to_owned(),
            database: name.database().to_owned(),
            table: name.table().to_owned(),
            limit,
            start,
            settings: Settings::new(),
        };
        let wanted = stored(request.environment());
        // Who is no account has a token that may look.
        let asking = match signed_in().ok().map(|of| of.account) {
            Some(account) => Asking::Person(account),
            None => Asking::Job(None),
        };
        let now_ms = self.clock.now_ms();
        let looked_up = self.read(|catalog| {
            let environment = environment_of(catalog, &name, wanted)?;
            let tables = GrantedTables::new(catalog, name.project(), asking, environment, now_ms);
            Ok((environment, tables, catalog.clone()))
        });
        let (environment, tables, catalog) = looked_up.await?;
        let planned = beside("plan a preview", move || preview(Arc::new(tables), &asked));
        let mut planned = planned.await??;
        // Whether it can be read there is asked only when it is clear that the caller may.
        let table = catalog.bound_table(&name, environment)?;
        let connections = binding::connections(&catalog, std::slice::from_ref(&table))?;
        binding::bind(&mut planned.job.graph, environment, &[table], &connections, &self.secrets)?;
        let plan = encoding::encode(&planned.job.graph)?.into_bytes();
        let run = wire::probe::Preview { plan, rows: limit, bytes: BYTES };
        let deadline = Duration::from_secs(seconds.into());
        let (worker, previewed) = probes::preview(&self.pool, run, deadline).await?;
        Ok(message(planned, environment, worker, previewed))
    }
}

fn bounded(field: &str, given: u32, default: u32, most: u32) -> Result<u32> {
    match given {
        0 => Ok(default),
        given if given <= most => Ok(given),
        given => Err(invalid(format!("{field} {given} is more than {most}"))),
    }
}

/// Where to look: where it is asked for, or as near to production as the table is.
fn environment_of(
    catalog: &Catalog,
    name: &TableName,
    wanted: Option<Environment>,
) -> Result<Environment> {
    let table = catalog.table(name).ok_or_else(|| unknown(name))?;
    let there = || Environment::ALL.into_iter().rev().find(|e| table.publications.contains_key(e));
    wanted.or_else(there).ok_or_else(|| {
        Error::new(ErrorCode::FailedPrecondition, format!("{name} is in no data source yet"))
            .help("say where it is in design, or publish it to test")
    })
}

fn message(
    planned: Preview,
    environment: Environment,
    worker: String,
    previewed: wire::Previewed,
) -> api::PreviewTableResponse {
    use api::preview_table_response::{Column, End, Row};
    use wire::previewed::End as Found;
    let end = match previewed.end() {
        Found::Unspecified => End::Unspecified,
        Found::Input => End::Input,
        Found::Rows => End::Rows,
        Found::Bytes => End::Bytes,
        Found::Time => End::Time,
    };
    let mask = |name: &str| match planned.masks.get(name) {
        None => api::rights::Mask::Unspecified,
        Some(Mask::Null) => api::rights::Mask::Null,
        Some(Mask::Hash) => api::rights::Mask::Hash,
        Some(Mask::Partial) => api::rights::Mask::Partial,
    };
    let columns = planned.job.query.iter().flatten().map(|field| Column {
        name: field.name.clone(),
        r#type: field.ty.to_string(),
        mask: mask(&field.name).into(),
    });
    let row = |row: wire::previewed::Row| Row { kind: row.kind, json: row.json };
    let start = match planned.start {
        PreviewStart::Earliest => "earliest",
        PreviewStart::Since(_) => "since",
        PreviewStart::Latest => "latest",
    };
    api::PreviewTableResponse {
        columns: columns.collect(),
        rows: previewed.rows.into_iter().map(row).collect(),
        left_out: planned.left_out,
        end: end.into(),
        environment: shown(environment).into(),
        start: start.to_owned(),
        worker: format!("workers/{worker}"),
    }
}
