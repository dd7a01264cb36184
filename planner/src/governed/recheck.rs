//! Whether a plan may still run for whoever it runs for: grants and masks change after a plan is made.

use tidegate_plan::PlanSettings;
use tidegate_plan::operator::Mask;
use tidegate_types::{Error, ErrorCode, Result, Span};

use super::access::{Purpose, table_for};
use super::names::parsed;
use super::usage::{GovernedUse, TableRole, UsedTables};
use super::{GovernedTable, check};
use crate::catalog::{Namespace, ObjectPath};

/// Checks every governed table of a plan against what the caller may do with it now; `tables` answers by reference.
///
/// # Errors
/// With the name of the table: its refusal, `NOT_FOUND` if it is not there or not visible any more,
/// `PERMISSION_DENIED` for a column that is needed and denied now, `FAILED_PRECONDITION` if a column that is needed is
/// masked otherwise than the plan does; what `tables` fails with.
pub fn check_access(
    used: &UsedTables,
    tables: &mut dyn FnMut(&str) -> Result<Option<GovernedTable>>,
) -> Result<()> {
    for used in &used.governed {
        let Some(table) = tables(&used.reference)? else {
            let message = format!("there is no table '{}' any more", used.name);
            return Err(Error::new(ErrorCode::NotFound, message));
        };
        let refusal = match used.role {
            TableRole::Read | TableRole::LookedUp => &table.read,
            TableRole::Written => &table.write,
        };
        if let Some(refusal) = refusal {
            return Err(refusal.clone());
        }
        if used.role != TableRole::Written {
            check_columns(used, &table)?;
        }
    }
    Ok(())
}

fn check_columns(used: &GovernedUse, table: &GovernedTable) -> Result<()> {
    let path: ObjectPath = Namespace::default().path(&used.name);
    let definition =
        parsed(&table.definition).map_err(|error| error.context(format!("table {}", used.name)))?;
    let place = Span { line: 1, column: 1, end_line: 1, end_column: 1 };
    let settings = PlanSettings::default();
    let seen = table_for(Purpose::Read, definition, table, &path, &settings, place)?;
    let Some(governed) = seen.governed else { return Ok(()) };
    let names = used.columns.iter().map(|column| column.name.as_str());
    let denied: Vec<&str> = names.filter(|name| governed.denied.contains(*name)).collect();
    if !denied.is_empty() {
        return Err(check::refusal(&used.name, &denied));
    }
    for column in &used.columns {
        let now = governed.masks.get(&column.name).copied();
        if now != column.mask {
            let shown = |mask: Option<Mask>| {
                mask.map_or("as it is".to_owned(), |mask| {
                    format!("through the mask '{}'", mask.name())
                })
            };
            let message = format!(
                "the plan reads the column '{}' of table '{}' {}, now it is read {}",
                column.name,
                used.name,
                shown(column.mask),
                shown(now)
            );
            return Err(Error::new(ErrorCode::FailedPrecondition, message)
                .help("submit the job again, so that it is planned with the present grants"));
        }
    }
    Ok(())
}
