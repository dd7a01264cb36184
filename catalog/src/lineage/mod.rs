//! Which tables of the catalog jobs make of which, and who uses them: from what their versions say.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tidegate_types::Result;

use crate::bounds::{self, Bounds, invalid};
use crate::job::JobVersion;
use crate::name::JobName;
use crate::run::Run;
use crate::state::{Catalog, JobEntry};
use crate::table::TableName;

/// Rows that go from a table into another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableFlow {
    /// Where they come from.
    pub from: TableName,
    /// Where they go.
    pub to: TableName,
    /// Which columns they are computed from.
    pub columns: BTreeSet<ColumnFlow>,
}

/// Values that go from a column into another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnFlow {
    /// Where they come from.
    pub from: String,
    /// Where they go.
    pub to: String,
    /// Whether values are computed from it; otherwise it decides which rows there are, or in which order.
    pub direct: bool,
}

/// A job that uses a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableUser<'a> {
    /// The version that uses it.
    pub version: &'a JobVersion,
    /// Whether it reads rows or looks them up.
    pub reads: bool,
    /// Whether it writes rows.
    pub writes: bool,
    /// Its run of that version, if it runs.
    pub run: Option<&'a Run>,
}

/// Rows that jobs bring from a table into another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LineageEdge {
    /// The jobs.
    pub jobs: BTreeSet<JobName>,
    /// Which columns, over all of the jobs.
    pub columns: BTreeSet<ColumnFlow>,
}

/// Where the rows of a table come from, and where they go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lineage {
    /// By where rows come from and where they go.
    pub edges: BTreeMap<(TableName, TableName), LineageEdge>,
    /// Whether there is more than is said here.
    pub is_cut: bool,
}

impl TableFlow {
    pub(crate) fn check_all(flows: &[Self]) -> Result<()> {
        let columns: usize = flows.iter().map(|flow| flow.columns.len()).sum();
        let most = (Bounds::VERSION_TABLES, Bounds::VERSION_COLUMN_FLOWS);
        if flows.len() > most.0 || columns > most.1 {
            let said = format!("{} tables and {columns} columns", flows.len());
            return Err(invalid(format!(
                "the lineage of the version has {said}, more than {} and {}",
                most.0, most.1
            )));
        }
        let names = flows.iter().flat_map(|flow| &flow.columns);
        names.flat_map(|flow| [&flow.from, &flow.to]).try_for_each(|name| {
            bounds::text("the name of a column in the lineage", name, Bounds::LABEL_BYTES)
        })
    }
}

impl Catalog {
    /// The jobs of a tenant that use a table: by their newest version, or by the one that runs.
    pub fn users_of_table(&self, tenant: &str, table: &TableName) -> Vec<TableUser<'_>> {
        let mut found = Vec::new();
        for (version, run) in self.versions_that_count(tenant) {
            if let Some(used) = version.spec.tables.iter().find(|used| used.table == *table) {
                found.push(TableUser { version, reads: used.reads, writes: used.writes, run });
            }
        }
        found
    }

    /// Where the rows of a table come from and where they go, so many jobs far, as the jobs of a tenant say.
    pub fn lineage(&self, tenant: &str, table: &TableName, depth: u32) -> Lineage {
        let mut all: BTreeMap<(&TableName, &TableName), Vec<(&JobName, &TableFlow)>> =
            BTreeMap::new();
        for (version, _) in self.versions_that_count(tenant) {
            for flow in &version.spec.flows {
                let into = all.entry((&flow.from, &flow.to)).or_default();
                into.push((&version.name.job, flow));
            }
        }
        let mut found = Lineage::default();
        for upstream in [true, false] {
            let mut reached = BTreeSet::from([table]);
            let mut next = vec![table];
            for _ in 0..depth {
                let mut further = Vec::new();
                for ((from, to), flows) in &all {
                    let (near, far) = if upstream { (to, from) } else { (from, to) };
                    if !next.contains(near) {
                        continue;
                    }
                    let key = ((*from).clone(), (*to).clone());
                    if found.edges.len() >= Bounds::LINEAGE_EDGES && !found.edges.contains_key(&key)
                    {
                        found.is_cut = true;
                        continue;
                    }
                    let edge = found.edges.entry(key).or_default();
                    for (job, flow) in flows {
                        edge.jobs.insert((*job).clone());
                        edge.columns.extend(flow.columns.iter().cloned());
                    }
                    if reached.insert(far) {
                        further.push(*far);
                    }
                }
                next = further;
            }
            // What is behind the last step is left out.
            let more = |(from, to): &(&TableName, &TableName)| {
                next.contains(if upstream { to } else { from })
            };
            found.is_cut |= all.keys().any(more);
        }
        found
    }

    /// The newest version of each job of a tenant, and the one that it runs.
    fn versions_that_count(
        &self,
        tenant: &str,
    ) -> impl Iterator<Item = (&JobVersion, Option<&Run>)> {
        let projects = self
            .projects
            .iter()
            .filter(move |(_, project)| project.tenant == tenant && project.archived_ms.is_none());
        let jobs = projects.flat_map(|(id, _)| {
            let rest = self.jobs.range(JobName::before(id)..);
            rest.take_while(move |(name, _)| name.project() == id).map(|(_, entry)| entry)
        });
        jobs.flat_map(|entry| that_count(entry))
    }
}

fn that_count(entry: &JobEntry) -> impl Iterator<Item = (&JobVersion, Option<&Run>)> {
    let live = entry.runs.values().find(|run| !run.state.is_terminal()).map(|run| run.as_ref());
    let newest = entry.versions.get(&entry.job.last_version);
    let running = live.and_then(|run| entry.versions.get(&run.version));
    let running = running
        .filter(|running| newest.is_none_or(|newest| newest.name.number != running.name.number));
    [newest, running].into_iter().flatten().map(move |version| {
        let run = live.filter(|run| run.version == version.name.number);
        (version.as_ref(), run)
    })
}
