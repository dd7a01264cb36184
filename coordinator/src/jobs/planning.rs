//! From a script to what a version is made of.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidegate_catalog::{Bounds, ColumnFlow, TableFlow, TableUse, VersionSpec};
use tidegate_plan::encoding;
use tidegate_plan::lineage::{SinkLineage, TableRef, lineage};
use tidegate_plan::settings::Settings;
use tidegate_planner::governed::{GovernedTables, InlineUse, TableRole, UsedTables, used_tables};
use tidegate_planner::{JobPlan, Planned, Session, parse_script};
use tidegate_runtime::blocking::beside;
use tidegate_types::error::ResultExt;
use tidegate_types::{Error, ErrorCode, Result};

use crate::governance::tables::granted;

/// As [`plan_script`], on a thread of its own: heartbeats and the log must not wait for a large script.
///
/// # Errors
/// As [`plan_script`].
pub(crate) async fn plan(
    sql: String,
    settings: BTreeMap<String, String>,
    parallelism: Option<u32>,
    place: Place,
) -> Result<VersionSpec> {
    beside("plan a script", move || plan_script(&sql, &settings, parallelism, &place)).await?
}

/// For whom a script is planned.
pub(crate) struct Place {
    /// The tables of the catalog as the job sees them.
    pub(crate) tables: Arc<dyn GovernedTables>,
    /// Id of the job's project.
    pub(crate) project: String,
    /// Whether the script may declare tables of outside systems itself.
    pub(crate) inline_tables: bool,
}

/// Connectors that reach nothing outside: scripts may always use them.
const HARMLESS: [&str; 4] = ["blackhole", "datagen", "nexmark", "print"];

/// Plans a script that has one job: any DDL and SET, and one INSERT or one statement set. `settings` count before the
/// script's own SETs; `parallelism` counts above all.
///
/// # Errors
/// What is wrong with an option or a statement, with its place; `UNSUPPORTED` for scripts of none or several jobs.
fn plan_script(
    sql: &str,
    settings: &BTreeMap<String, String>,
    parallelism: Option<u32>,
    place: &Place,
) -> Result<VersionSpec> {
    let mut given = Settings::new();
    for (key, value) in settings {
        given.set(key, value).context(|| format!("setting {key}"))?;
    }
    let session = Session::new(given)?.with_default_time_zone("UTC")?;
    let mut session = session.with_governed_tables(place.tables.clone(), &place.project)?;
    let mut job: Option<JobPlan> = None;
    for statement in parse_script(sql)? {
        match session.plan(&statement)? {
            Planned::Done(_) | Planned::Rows(_) => {}
            Planned::Job(plan) if plan.query.is_some() => {
                let error = Error::unsupported(
                    "a job of the cluster has no place for the rows of a SELECT",
                );
                return Err(error.help("insert them into a table, or use `tidegate run`"));
            }
            Planned::Job(_) if job.is_some() => {
                let error = Error::unsupported("the script has several jobs");
                return Err(error.help(
                    "put the INSERTs between EXECUTE STATEMENT SET BEGIN and END, or submit them as jobs of their own",
                ));
            }
            Planned::Job(plan) => job = Some(*plan),
            Planned::Analyze(_) => {
                let error = Error::unsupported("EXPLAIN ANALYZE runs a job to its end");
                return Err(error.help("use `tidegate run`, or look at `tidegate job metrics`"));
            }
            Planned::PlanFile(file) => {
                let message =
                    format!("the cluster does not read or write the plan file '{}'", file.path);
                return Err(Error::unsupported(message)
                    .help("submit the script itself: the version keeps its plan"));
            }
        }
    }
    let plan = job.ok_or_else(|| {
        Error::new(ErrorCode::SqlSemantic, "the script has no INSERT: there is nothing to run")
    })?;
    let used = used_tables(&plan.graph);
    check_inline(&used, place)?;
    let of_script = plan.settings.integer("parallelism.default");
    let of_script = of_script.and_then(|number| u32::try_from(number).ok());
    Ok(VersionSpec {
        sql: sql.to_owned(),
        plan: encoding::encode(&plan.graph)?,
        settings: plan.settings.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        parallelism: parallelism.or(of_script).unwrap_or(1),
        tables: table_uses(&used)?,
        flows: table_flows(&lineage(&plan.graph)?)?,
    })
}

/// Refuses tables that the script declares itself, where the project forbids them.
fn check_inline(used: &UsedTables, place: &Place) -> Result<()> {
    let outside = |inline: &&InlineUse| !HARMLESS.contains(&inline.connector.as_str());
    match used.inline.iter().find(outside) {
        Some(inline) if !place.inline_tables => {
            let Place { project, .. } = place;
            let message = format!(
                "the script declares the table {} itself, and projects/{project} does not allow that",
                inline.name
            );
            Err(Error::new(ErrorCode::PermissionDenied, message).help(
                "use a table of the catalog, or have the project's setting inline_tables changed",
            ))
        }
        _ => Ok(()),
    }
}

/// What a version keeps of the tables of the catalog that it uses, each once.
fn table_uses(used: &UsedTables) -> Result<Vec<TableUse>> {
    let mut all: BTreeMap<&str, TableUse> = BTreeMap::new();
    for one in &used.governed {
        let entry = match all.entry(&one.reference) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(TableUse {
                table: one.reference.parse()?,
                digest: one.schema_digest.clone(),
                reads: false,
                writes: false,
                columns: BTreeMap::new(),
            }),
        };
        if one.role == TableRole::Written {
            entry.writes = true;
            continue;
        }
        entry.reads = true;
        let columns = one.columns.iter();
        entry.columns.extend(columns.map(|column| (column.name.clone(), column.mask.map(granted))));
    }
    Ok(all.into_values().collect())
}

/// What a version keeps of its lineage: what goes between tables of the catalog.
fn table_flows(sinks: &[SinkLineage]) -> Result<Vec<TableFlow>> {
    let mut flows: BTreeMap<(&str, &str), BTreeSet<ColumnFlow>> = BTreeMap::new();
    let mut room = Bounds::VERSION_COLUMN_FLOWS;
    for sink in sinks {
        let TableRef::Governed(to) = &sink.table else { continue };
        for source in &sink.sources {
            if let TableRef::Governed(from) = source {
                flows.entry((from, to)).or_default();
            }
        }
        for column in &sink.columns {
            let direct = column.direct.iter().map(|origin| (origin, true));
            let indirect = column.indirect.iter().map(|origin| (origin, false));
            for (origin, direct) in direct.chain(indirect) {
                let (TableRef::Governed(from), Some(of)) = (&origin.table, &origin.column) else {
                    continue;
                };
                // Of very wide jobs the first columns, and all tables, are known.
                if room == 0 {
                    break;
                }
                let (from_column, to_column) = (of.clone(), column.column.clone());
                let flow = ColumnFlow { from: from_column, to: to_column, direct };
                room -= usize::from(flows.entry((from, to)).or_default().insert(flow));
            }
        }
    }
    let flow = |((from, to), columns): ((&str, &str), _)| {
        Ok(TableFlow { from: from.parse()?, to: to.parse()?, columns })
    };
    flows.into_iter().map(flow).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::governance::tables::Asking;

    const TABLES: &str = "CREATE TABLE a (x INT) WITH ('connector' = 'datagen');
CREATE TABLE b (x INT) WITH ('connector' = 'blackhole');\n";

    fn place() -> Place {
        let catalog = tidegate_catalog::Catalog::new();
        let design = tidegate_catalog::Environment::Design;
        let tables = crate::governance::tables::GrantedTables::new(
            &catalog,
            "default",
            Asking::Job(None),
            design,
            0,
        );
        Place { tables: Arc::new(tables), project: "default".to_owned(), inline_tables: true }
    }

    fn plan(rest: &str) -> Result<VersionSpec> {
        plan_script(&format!("{TABLES}{rest}"), &BTreeMap::new(), None, &place())
    }

    #[test]
    fn one_job_is_planned_and_the_scripts_settings_are_kept() {
        let spec = plan("SET 'parallelism.default' = '3'; INSERT INTO b SELECT x FROM a;").unwrap();
        assert_eq!(spec.parallelism, 3);
        assert_eq!(spec.settings["parallelism.default"], "3");
        assert!(encoding::decode(&spec.plan).unwrap().nodes.len() >= 2);
    }

    #[test]
    fn scripts_of_none_or_several_jobs_are_refused_with_what_to_do() {
        assert_eq!(plan("").unwrap_err().code(), ErrorCode::SqlSemantic);
        let twice = "INSERT INTO b SELECT x FROM a;";
        let error = plan(&format!("{twice}{twice}")).unwrap_err();
        assert!(error.help_text().unwrap().contains("STATEMENT SET"));
        assert_eq!(plan("SELECT x FROM a;").unwrap_err().code(), ErrorCode::Unsupported);
    }
}
