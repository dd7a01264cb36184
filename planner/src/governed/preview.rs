//! The plan that shows some rows of a governed table to whoever asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_plan::operator::Mask;
use tidegate_plan::settings::Settings;
use tidegate_types::{Error, ErrorCode, Result};

use super::{GovernedTables, Purpose};
use crate::catalog::{Object, Table};
use crate::parser::flink_text;
use crate::session::{JobPlan, Planned, Session};
use crate::{parse_script, suggest};

/// Most rows of a preview.
pub const MAX_PREVIEW_ROWS: u32 = 10_000;

/// Which rows of a table a preview shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreviewStart {
    /// The oldest ones; the preview ends with what is there now.
    Earliest,
    /// Those of a time, in milliseconds since 1970, or later; the preview ends with what is there now.
    Since(u64),
    /// Those that come from now on; the preview does not end by itself.
    Latest,
}

/// What is to be shown.
#[derive(Debug, Clone)]
pub struct PreviewRequest {
    /// Project of the table; names are looked up as a job of it does.
    pub project: String,
    /// Its database.
    pub database: String,
    /// Its name.
    pub table: String,
    /// Most rows, from 1 to [`MAX_PREVIEW_ROWS`].
    pub limit: u32,
    /// Which rows, as far as the connector can choose.
    pub start: PreviewStart,
    /// Settings of the session, of which the time zone counts.
    pub settings: Settings,
}

/// A plan whose only sink has the connector [`crate::COLLECT`], to be bound to an environment as that of a job.
///
/// Whoever runs it ends it when `limit` rows or changes have come, at a bound of bytes, or after some time: sources may
/// have no end, or many rows behind the last one that is shown.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The job. Its source runs with parallelism 1.
    pub job: JobPlan,
    /// Which rows are shown: those that were asked for, or what the connector can do instead.
    pub start: PreviewStart,
    /// Columns that the caller sees through a mask.
    pub masks: BTreeMap<String, Mask>,
    /// Columns that the caller does not see, in the table's order.
    pub left_out: Vec<String>,
}

/// Plans a preview: all columns that the caller may read, masked where they are for this caller.
///
/// # Errors
/// `NOT_FOUND` if there is no such table, `PERMISSION_DENIED` or the provider's refusal if the caller may not read it or
/// none of its columns, `INVALID_OPTION` for a limit out of range and for connectors that cannot be read.
pub fn preview(tables: Arc<dyn GovernedTables>, request: &PreviewRequest) -> Result<Preview> {
    if !(1..=MAX_PREVIEW_ROWS).contains(&request.limit) {
        let message = format!(
            "a preview has from 1 to {MAX_PREVIEW_ROWS} rows, {} were asked for",
            request.limit
        );
        return Err(Error::new(ErrorCode::InvalidOption, message));
    }
    let mut session =
        Session::new(request.settings.clone())?.with_governed_tables(tables, &request.project)?;
    let table = table(&session, request)?;
    let governed = table.governed.as_deref();
    let is_denied = |name: &&str| governed.is_some_and(|governed| governed.denied.contains(*name));
    let names = || table.columns.iter().map(|column| column.name.as_str());
    let (left_out, shown): (Vec<&str>, Vec<&str>) = names().partition(is_denied);
    if shown.is_empty() {
        let message = format!("you may not read any column of table '{}'", table.name);
        return Err(Error::new(ErrorCode::PermissionDenied, message).help("request access to it"));
    }
    let (options, start) = options(&table, request);
    let script = script(request, &shown, &options);
    let mut job = None;
    for statement in parse_script(&script)? {
        job = match session.plan(&statement).map_err(placeless)? {
            Planned::Job(planned) => Some(planned),
            _ => None,
        };
    }
    let job = job.ok_or_else(|| Error::internal("a preview was planned as something else"))?;
    Ok(Preview {
        job: *job,
        start,
        masks: governed.map(|governed| governed.masks.clone()).unwrap_or_default(),
        left_out: left_out.into_iter().map(str::to_owned).collect(),
    })
}

/// The table as the caller reads it.
fn table(session: &Session, request: &PreviewRequest) -> Result<Arc<Table>> {
    let PreviewRequest { project, database, table, .. } = request;
    let name = [project, database, table].map(String::clone).to_vec();
    match session.governed_table(name, Purpose::Read).map_err(placeless)? {
        Some(Object::Table(table)) => Ok(table),
        _ => {
            let message = format!("there is no table '{project}.{database}.{table}'");
            let error = Error::new(ErrorCode::NotFound, message);
            let known = session.governed_names(project, database);
            Err(match suggest::advice(table, known.iter().map(String::as_str), "there are") {
                Some(advice) => error.help(advice),
                None => error,
            })
        }
    }
}

/// An error without the place in a script that the caller has not written.
fn placeless(error: Error) -> Error {
    let bare = Error::new(error.code(), error.message());
    match error.help_text() {
        Some(help) => bare.help(help),
        None => bare,
    }
}

/// Options that begin and end the reading where the preview does.
fn options(table: &Table, request: &PreviewRequest) -> (Vec<(&'static str, String)>, PreviewStart) {
    const START: &str = "scan.startup.mode";
    const END: &str = "scan.bounded.mode";
    let mut options = vec![("scan.parallelism", "1".to_owned())];
    let mut set = |key: &'static str, value: &str| options.push((key, value.to_owned()));
    let connector = table.options.get("connector").map(String::as_str).unwrap_or_default();
    let limit = request.limit.to_string();
    let start = match (connector, request.start) {
        ("kafka", PreviewStart::Earliest) => {
            set(START, "earliest-offset");
            set(END, "latest-offset");
            PreviewStart::Earliest
        }
        ("kafka", PreviewStart::Since(time)) => {
            set(START, "timestamp");
            set("scan.startup.timestamp-millis", &time.to_string());
            set(END, "latest-offset");
            PreviewStart::Since(time)
        }
        ("kafka", PreviewStart::Latest) => {
            set(START, "latest-offset");
            set(END, "unbounded");
            PreviewStart::Latest
        }
        // Content by key is known from the beginning on only.
        ("upsert-kafka", _) => {
            set(END, "latest-offset");
            PreviewStart::Earliest
        }
        ("datagen", _) => {
            set("number-of-rows", &limit);
            PreviewStart::Latest
        }
        ("nexmark", _) => {
            set("events.num", &limit);
            PreviewStart::Latest
        }
        // Files and tables of databases are read from their beginning to their end.
        _ => PreviewStart::Earliest,
    };
    (options, start)
}

/// The query, with names as they have to be written.
fn script(request: &PreviewRequest, columns: &[&str], options: &[(&str, String)]) -> String {
    let PreviewRequest { project, database, table, limit, .. } = request;
    let columns: Vec<String> = columns.iter().map(|column| flink_text::name(column)).collect();
    let name = [project, database, table].map(|part| flink_text::name(part)).join(".");
    let options: Vec<String> =
        options.iter().map(|(key, value)| format!("'{key}' = '{value}'")).collect();
    format!(
        "SELECT {} FROM {name} /*+ OPTIONS({}) */ LIMIT {limit}",
        columns.join(", "),
        options.join(", ")
    )
}
