//! What jobs use of governed tables, and whether they may: when a run starts, and for as long as it runs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tidegate_types::{Error, ErrorCode, Result};

use super::{Asker, ColumnAccess, ColumnMask, DataPermission};
use crate::account::AccountName;
use crate::bounds::{self, Bounds, invalid};
use crate::child_name::ChildName;
use crate::name::ResourceName;
use crate::run::Run;
use crate::state::{Catalog, not_found, precondition};
use crate::table::{Environment, PublicationState, TableDefinition, TableName};

/// What a version uses of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableUse {
    /// The table.
    pub table: TableName,
    /// Digest of the definition that the version was planned with.
    pub digest: String,
    /// Whether rows are read or looked up.
    pub reads: bool,
    /// Whether rows are written.
    pub writes: bool,
    /// Columns that are needed, those with a mask through it.
    pub columns: BTreeMap<String, Option<ColumnMask>>,
}

/// Where a table is for a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoundTable {
    /// The table.
    pub table: TableName,
    /// Type of the data source.
    pub kind: String,
    /// The outside system.
    pub data_source: ChildName,
    /// The database that it is in there; none: what the data source says.
    pub physical_database: Option<String>,
    /// What it is called there.
    pub physical_name: String,
    /// Options of the definition.
    pub options: BTreeMap<String, String>,
}

/// What a run that uses governed tables rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunTables {
    /// Where it runs.
    pub environment: Environment,
    /// Who started it; none: nobody with an account.
    pub account: Option<AccountName>,
    /// Where its tables are.
    pub tables: Vec<BoundTable>,
    /// Numbers of the grants that it needs.
    pub grants: BTreeSet<u64>,
    /// What it needs and is not granted any more, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
}

impl TableUse {
    pub(crate) fn check_all(uses: &[Self]) -> Result<()> {
        if uses.len() > Bounds::VERSION_TABLES {
            let most = Bounds::VERSION_TABLES;
            return Err(invalid(format!(
                "the version uses {} tables, more than {most}",
                uses.len()
            )));
        }
        uses.iter().try_for_each(|used| {
            bounds::text("the digest of a definition", &used.digest, Bounds::LABEL_BYTES)?;
            match used.columns.len() {
                count if count > Bounds::COLUMNS => {
                    Err(invalid(format!("{count} columns are used of {}", used.table)))
                }
                _ => Ok(()),
            }
        })
    }
}

impl Catalog {
    /// Where the tables of a version are in an environment, if whoever starts it may use them there. `NOT_FOUND`,
    /// `GRANT_MISSING`, `FAILED_PRECONDITION` with the table.
    pub fn bind(
        &self,
        project: &str,
        uses: &[TableUse],
        environment: Option<Environment>,
        account: Option<&AccountName>,
        now_ms: i64,
    ) -> Result<Option<RunTables>> {
        if uses.is_empty() {
            return Ok(None);
        }
        let environment = environment.ok_or_else(|| {
            precondition("the version uses tables of the catalog, and no environment is named")
                .help("say where it is to run: design, test or production")
        })?;
        let (mut tables, mut grants) = (Vec::with_capacity(uses.len()), BTreeSet::new());
        for used in uses {
            grants.extend(self.check_use(project, used, account, now_ms)?);
            tables.push(self.bind_table(used, environment)?);
        }
        let account = account.cloned();
        Ok(Some(RunTables { environment, account, tables, grants, lost: None }))
    }

    /// Refuses a use that is not granted; the grants that it rests on.
    pub fn check_use(
        &self,
        project: &str,
        used: &TableUse,
        account: Option<&AccountName>,
        now_ms: i64,
    ) -> Result<BTreeSet<u64>> {
        let name = &used.table;
        let table =
            self.table(name).ok_or_else(|| not_found(&ResourceName::Table(name.clone())))?;
        let access = self.access(table, Asker::Job { project, account }, now_ms);
        let needed = [(used.reads, DataPermission::Select), (used.writes, DataPermission::Insert)];
        for (needs, permission) in needed {
            if needs && !access.permissions.contains(&permission) {
                return Err(missing(project, name, &permission.to_string()));
            }
        }
        for (column, mask) in used.columns.iter().filter(|_| used.reads) {
            match access.columns.get(column) {
                // Whoever may see it may also see it masked.
                None => {}
                Some(ColumnAccess::Masked(now)) if Some(*now) == *mask => {}
                Some(ColumnAccess::Masked(_)) => {
                    let message = format!(
                        "the column {column} of {name} is masked otherwise than when the version was planned"
                    );
                    return Err(precondition(message).help("submit the job again"));
                }
                Some(ColumnAccess::Denied) => {
                    return Err(missing(project, name, &format!("select on the column {column}")));
                }
            }
        }
        Ok(access.grants)
    }

    /// Refuses to take a table away, from an environment or altogether, that a running job uses there.
    pub(crate) fn check_unused(
        &self,
        name: &TableName,
        environment: Option<Environment>,
    ) -> Result<()> {
        let uses = |run: &&Run| {
            run.tables.as_ref().is_some_and(|tables| {
                environment.is_none_or(|environment| tables.environment == environment)
                    && tables.tables.iter().any(|table| table.table == *name)
            })
        };
        match self.live_runs().find(uses) {
            Some(run) => {
                Err(precondition(format!("{name} is in use by {}", run.name)).help("stop it first"))
            }
            None => Ok(()),
        }
    }

    /// The database of a table in an environment, if it is published to the same data source.
    fn physical_database(
        &self,
        table: &TableName,
        environment: Environment,
        data_source: &ChildName,
    ) -> Option<String> {
        let database = self.database(&table.database_name().ok()?)?;
        let there = database.publications.get(&environment)?;
        (there.data_source == *data_source).then(|| there.physical_name.clone())
    }

    /// Where a table is in an environment. `NOT_FOUND`; `FAILED_PRECONDITION` if it is not there, or not ready.
    pub fn bound_table(&self, name: &TableName, environment: Environment) -> Result<BoundTable> {
        self.located(name, environment).map(|(table, _)| table)
    }

    fn bind_table(&self, used: &TableUse, environment: Environment) -> Result<BoundTable> {
        let name = &used.table;
        let (bound, definition) = self.located(name, environment)?;
        if definition.digest != used.digest {
            let message = format!(
                "{name} in {environment} has another definition than the version was planned with"
            );
            return Err(precondition(message).help(
                "publish the table as it is designed, or submit the job for that environment",
            ));
        }
        Ok(bound)
    }

    fn located(
        &self,
        name: &TableName,
        environment: Environment,
    ) -> Result<(BoundTable, &TableDefinition)> {
        let table =
            self.table(name).ok_or_else(|| not_found(&ResourceName::Table(name.clone())))?;
        let there = table.publications.get(&environment).ok_or_else(|| {
            precondition(format!("{name} is not in {environment}"))
                .help("publish it there first: `tidegate table publish`")
        })?;
        if there.state != PublicationState::Ready {
            return Err(precondition(format!(
                "{name} is not ready in {environment}: {}",
                there.message
            )));
        }
        self.usable_data_source(&there.data_source, name.project())?;
        let definition: &TableDefinition = there.definition.as_ref().unwrap_or(&table.definition);
        let bound = BoundTable {
            table: name.clone(),
            kind: table.kind.clone(),
            data_source: there.data_source.clone(),
            physical_database: self.physical_database(name, environment, &there.data_source),
            physical_name: there.physical_name.clone(),
            options: definition.options.clone(),
        };
        Ok((bound, definition))
    }
}

fn missing(project: &str, table: &TableName, permission: &str) -> Error {
    let message = format!("projects/{project} has no grant for {permission} on {table}");
    Error::new(ErrorCode::GrantMissing, message).help("ask for it: `tidegate access request`")
}
