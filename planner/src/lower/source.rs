//! Scans → source nodes: options are checked, the watermark and its time-out are set.

use std::borrow::Cow;

use tidegate_connector_spec::{Changes, Role, changes, validate};
use tidegate_plan::Operator;
use tidegate_plan::operator::{Source, Table, WatermarkSpec};
use tidegate_types::error::ResultExt as _;
use tidegate_types::quantity::parse_duration;
use tidegate_types::{Error, ErrorCode, Field, Result};

use super::identity::Identity;
use super::{Draft, Lowering};
use crate::algebra::Scan;
use crate::catalog;
use crate::governed::with_samples;

impl Lowering<'_> {
    pub(super) fn source(&mut self, scan: Scan, schema: Vec<Field>) -> Result<usize> {
        let table = &scan.table;
        check(table, Role::Source)?;
        check_metadata(table, Role::Source)?;
        let parallelism = parallelism(table, "scan.parallelism")?;
        let idle_timeout_ms = self.idle_timeout(table)?;
        let watermark =
            scan.watermark.map(|(column, expr)| WatermarkSpec { column, expr, idle_timeout_ms });
        let seen: Vec<Cow<'_, str>> =
            schema.iter().map(|field| seen_as(table, &field.name)).collect();
        let mut identity = Identity::source(&table.name, seen.iter().map(|name| name.as_ref()));
        // Readers whose conditions the source applies see other rows.
        let reads =
            Identity::source(&table.name, scan.read.iter().map(|field| field.name.as_str()));
        for condition in &scan.pushed {
            identity.rows = reads.calc(Some(condition), &[]).rows.digest(identity.rows);
        }
        let id = identity.rows;
        let operator = Operator::Source(Source {
            table: plan_table(table),
            read: scan.read,
            metadata: scan.metadata,
            pushed: scan.pushed,
            projection: scan.projection,
            watermark,
        });
        let draft = Draft::new(operator, Vec::new(), schema, identity, id);
        self.add(Draft { parallelism, ..draft })
    }

    /// `scan.watermark.idle-timeout`, else the job's; 0 is never.
    fn idle_timeout(&self, table: &catalog::Table) -> Result<u64> {
        let own = match table.options.get("scan.watermark.idle-timeout") {
            Some(text) => Some(parse_duration(text).context(|| format!("table {}", table.name))?),
            None => self.settings.duration("table.exec.source.idle-timeout"),
        };
        Ok(own.map_or(0, |timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// What tells a column apart from others: behind another mask it is another one, and state over it is not taken over.
fn seen_as<'n>(table: &catalog::Table, name: &'n str) -> Cow<'n, str> {
    match table.governed.as_deref().and_then(|governed| governed.changed_by(name)) {
        Some(masks) => Cow::Owned(format!("{name} behind {masks}")),
        None => Cow::Borrowed(name),
    }
}

/// The table as the plan keeps it.
pub(super) fn plan_table(table: &catalog::Table) -> Table {
    Table {
        name: table.name.clone(),
        options: table.options.clone(),
        columns: table.physical_columns(),
        partition_keys: table.partition_keys.clone(),
        primary_key: table.primary_key.clone(),
        governed: table.governed.as_deref().map(|governed| {
            Box::new(tidegate_plan::operator::Governed {
                reference: governed.reference.clone(),
                schema_digest: governed.schema_digest.clone(),
                hints: governed.hints.clone(),
                masks: governed.masks.clone(),
            })
        }),
    }
}

/// Checks a table's options for a role, and that a table by key has a key.
pub(super) fn check(table: &catalog::Table, role: Role) -> Result<()> {
    let checked = match &table.governed {
        // What differs by environment is checked when a job is started there.
        Some(governed) => {
            if role == Role::Source {
                governed.check_key(table, false)?;
            }
            validate(&with_samples(&table.options), role)
        }
        None => validate(&table.options, role),
    };
    checked.context(|| format!("table {}", table.name))?;
    if changes(&table.options, role) != Changes::Upsert || !table.primary_key.is_empty() {
        return Ok(());
    }
    let name = table.options.get("connector").map(String::as_str).unwrap_or_default();
    let message = format!("table {}: connector '{name}' needs a PRIMARY KEY", table.name);
    Err(Error::new(ErrorCode::SqlSemantic, message).help(
        "declare PRIMARY KEY (…) NOT ENFORCED in its CREATE TABLE: its columns are the keys of records",
    ))
}

/// Checks that the connector knows the table's metadata columns.
pub(crate) fn check_metadata(table: &catalog::Table, role: Role) -> Result<()> {
    let name = table.options.get("connector").map(String::as_str).unwrap_or_default();
    if tidegate_connector_spec::connector(name).is_none() {
        return Ok(());
    }
    let all = tidegate_connector_spec::metadata(&table.options);
    for column in &table.columns {
        let catalog::ColumnKind::Metadata { key, is_virtual } = &column.kind else {
            continue;
        };
        let usable = |known: &&tidegate_connector_spec::MetadataSpec| match role {
            Role::Source => known.readable,
            Role::Sink => known.writable,
        };
        let known = all.iter().find(|(name, _)| name == key).map(|(_, known)| *known);
        if role == Role::Sink && *is_virtual || known.as_ref().is_some_and(usable) {
            continue;
        }
        let problem = match (known, role) {
            (None, _) => format!("connector '{name}' has no metadata '{key}'"),
            (Some(_), Role::Source) => {
                format!("metadata '{key}' of connector '{name}' cannot be read")
            }
            (Some(_), Role::Sink) => {
                format!("metadata '{key}' of connector '{name}' cannot be written")
            }
        };
        let keys: Vec<&str> =
            all.iter().filter(|(_, known)| usable(known)).map(|(key, _)| key.as_str()).collect();
        let help = match (known, role) {
            (Some(_), Role::Sink) => format!("declare column '{}' VIRTUAL", column.name),
            _ if keys.is_empty() => "it has none".to_owned(),
            _ => format!("it has: {}", keys.join(", ")),
        };
        let message = format!("column '{}' of table {}: {problem}", column.name, table.name);
        return Err(Error::new(ErrorCode::SqlSemantic, message).help(help));
    }
    Ok(())
}

/// A parallelism option, at least 1.
pub(super) fn parallelism(table: &catalog::Table, key: &str) -> Result<Option<u32>> {
    let Some(text) = table.options.get(key) else {
        return Ok(None);
    };
    match text.trim().parse::<u32>() {
        Ok(parallelism) if (1..=4_096).contains(&parallelism) => Ok(Some(parallelism)),
        _ => Err(Error::new(
            ErrorCode::InvalidOption,
            format!("table {}: '{key}' = '{text}' is not an integer from 1 to 4096", table.name),
        )),
    }
}
