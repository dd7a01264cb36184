//! `tidegate job check`: what would become of a job's state.

use tidegate_proto::v1 as api;
use tidegate_types::{Error, ErrorCode, Result};

use super::connection::{Connection, answer};
use super::output::{json, lines, table};
use crate::args::{Check, OutputFormat};
use crate::run::{read_script, substitute};

/// Asks the cluster, prints a line per operator; fails if the job could not go on.
///
/// # Errors
/// What the cluster says; `INCOMPATIBLE` if state would be lost.
pub(super) async fn check(connection: &mut Connection, check: Check) -> Result<()> {
    use api::check_state_request::From;
    let name = connection.job_name(&check.name);
    let sql = match &check.file {
        Some(file) => substitute(&read_script(file)?, &check.variables)?,
        None => String::new(),
    };
    let from = match (check.from_savepoint, check.from_path) {
        (Some(savepoint), _) if savepoint.contains('/') => Some(From::Savepoint(savepoint)),
        (Some(savepoint), _) => Some(From::Savepoint(format!("{name}/savepoints/{savepoint}"))),
        (_, Some(path)) => Some(From::Path(path)),
        _ => None,
    };
    let request = api::CheckStateRequest {
        name,
        version: check.version.unwrap_or(0),
        sql,
        settings: check.settings.into_iter().collect(),
        from,
    };
    let report = answer(connection.jobs().check_state(request).await)?;
    match connection.format {
        OutputFormat::Json => json(&report)?,
        OutputFormat::Table => lines(&text(&report))?,
    }
    match report.fits {
        true => Ok(()),
        false => Err(Error::new(ErrorCode::Incompatible, report.reason)),
    }
}

fn text(report: &api::CheckStateResponse) -> String {
    let row = |operator: &api::OperatorFate| {
        let fate = operator.fate().as_str_name().to_ascii_lowercase();
        let bytes = operator.state_bytes.to_string();
        vec![operator.name.clone(), operator.id.clone(), fate, bytes, operator.reason.clone()]
    };
    let rows: Vec<_> = report.operators.iter().map(row).collect();
    table(&["OPERATOR", "ID", "STATE", "BYTES", "REASON"], &rows, "no operator keeps state")
}
