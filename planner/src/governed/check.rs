//! What an optimized query must not need: columns that are denied, and event time that is masked.

use tidegate_types::{Error, ErrorCode, Result};

use super::Governed;
use crate::algebra::{RelOp, Relation, Scan};

/// Checks the scans of a query that reads only what it needs any more.
///
/// # Errors
/// `PERMISSION_DENIED` with the place of the table.
pub(crate) fn check(relation: &Relation) -> Result<()> {
    if let RelOp::Scan(scan) = &relation.op
        && let Some(governed) = &scan.table.governed
    {
        check_columns(scan, governed)?;
        check_time(scan, governed)?;
    }
    relation.inputs().into_iter().try_for_each(check)
}

fn check_columns(scan: &Scan, governed: &Governed) -> Result<()> {
    let names = scan.projection.iter().map(|named| named.name.as_str());
    let denied: Vec<&str> = names.filter(|name| governed.denied.contains(*name)).collect();
    match denied.is_empty() {
        true => Ok(()),
        false => Err(refusal(&scan.table.name, &denied).at(governed.place.0)),
    }
}

/// That columns of a table are needed which the caller may not read.
pub(crate) fn refusal(table: &str, denied: &[&str]) -> Error {
    let columns = denied.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    let (noun, them) = if denied.len() == 1 { ("column", "it") } else { ("columns", "them") };
    let message = format!("you may not read the {noun} {columns} of table '{table}'");
    Error::new(ErrorCode::PermissionDenied, message)
        .help(format!("name the columns that you need without {them}, or request access to {them}"))
}

/// A masked time is no time: windows over it would be wrong, or never complete.
fn check_time(scan: &Scan, governed: &Governed) -> Result<()> {
    let Some((column, expr)) = &scan.watermark else { return Ok(()) };
    let read = std::iter::once(*column).chain(expr.columns());
    let names = read.filter_map(|index| scan.projection.get(index)).map(|named| &named.name);
    let Some(masked) = names.into_iter().find(|name| governed.changed.contains(*name)) else {
        return Ok(());
    };
    let message = format!(
        "the query needs the event time of table '{}', but you read its column '{masked}' through a mask",
        scan.table.name
    );
    Err(Error::new(ErrorCode::PermissionDenied, message)
        .at(governed.place.0)
        .help("request access to the column, or use processing time: a window by PROCTIME()"))
}
