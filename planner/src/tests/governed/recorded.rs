//! E12: every script that was recorded from Flink, with its tables governed: it plans to the same operators, has a lineage,
//! and sees nothing of a column that is masked.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tidegate_plan::StreamGraph;
use tidegate_plan::lineage::lineage;
use tidegate_plan::operator::Mask;
use tidegate_plan::settings::Settings;
use tidegate_types::{Error, ErrorCode};

use super::Shop;
use super::hidden::assert_masked;
use crate::governed::ColumnAccess;
use crate::parser::ast::{CreateTable, StatementKind};
use crate::{Planned, Session, Statement, parse_script};

const FILES: &[&str] = &[
    "aggregates_more",
    "aggregation",
    "changelogs",
    "documented",
    "explain",
    "group_windows",
    "grouping",
    "interval_joins",
    "joins",
    "lookups",
    "nexmark",
    "over",
    "patterns",
    "queries",
    "ranking",
    "sets",
    "sinks",
    "stream_functions",
    "unnest",
    "version_joins",
    "window_joins",
    "windows",
];

/// A recorded script, its plain tables apart.
struct Script {
    name: String,
    settings: Settings,
    tables: Vec<(CreateTable, String)>,
    rest: Vec<Statement>,
}

fn scripts(file: &str) -> Vec<Script> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../integration-tests/flink/recorded");
    let text = std::fs::read_to_string(folder.join(format!("{file}.json"))).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    all["cases"].as_array().unwrap().iter().filter_map(|case| script(file, case)).collect()
}

fn script(file: &str, case: &Value) -> Option<Script> {
    let mut settings = Settings::new();
    for (key, value) in case["settings"].as_object().into_iter().flatten() {
        settings.set(key, value.as_str()?).ok()?;
    }
    let name = format!("{file}: {}", case["name"].as_str()?);
    let mut script = Script { name, settings, tables: Vec::new(), rest: Vec::new() };
    for sql in case["statements"].as_array()? {
        for statement in parse_script(sql.as_str()?).ok()? {
            match &statement.kind {
                StatementKind::CreateTable(create)
                    if create.like.is_none() && !create.temporary && script.rest.is_empty() =>
                {
                    script.tables.push((create.clone(), statement.text.clone()));
                }
                _ => script.rest.push(statement),
            }
        }
    }
    Some(script)
}

impl Script {
    /// The plans of its jobs, with its tables from the catalog or its own; the first error.
    fn plans(
        &self,
        governed: bool,
        mask: Option<(usize, &str, Mask)>,
    ) -> Result<Vec<StreamGraph>, Error> {
        let mut shop = Shop::new();
        let mut session = Session::new(self.settings.clone())?;
        if governed {
            for (index, (create, text)) in self.tables.iter().enumerate() {
                let name = create.name.last();
                shop.add("my-project", "default", name, text);
                let table = shop.table_mut(["my-project", "default", name]);
                if let Some((_, column, mask)) = mask.filter(|(table, ..)| *table == index) {
                    table.columns =
                        BTreeMap::from([(column.to_owned(), ColumnAccess::Masked(mask))]);
                }
            }
            session = session.with_governed_tables(std::sync::Arc::new(shop), "my-project")?;
        } else {
            for (_, text) in &self.tables {
                session.plan(&parse_script(text)?[0])?;
            }
        }
        let mut plans = Vec::new();
        for statement in &self.rest {
            if let Planned::Job(job) | Planned::Analyze(job) = session.plan(statement)? {
                plans.push(job.graph);
            }
        }
        Ok(plans)
    }
}

/// What a plan computes, without names and ids.
fn shape(plan: &StreamGraph) -> Vec<String> {
    let node = plan.nodes.iter().map(|node| {
        let inputs: Vec<String> = node.inputs.iter().map(|input| format!("{input:?}")).collect();
        let keys = (&node.upsert_key, node.changelog, node.parallelism, &node.state_ttl_ms);
        format!("{} {inputs:?} {:?} {keys:?}", node.operator.kind(), node.schema)
    });
    node.collect()
}

#[test]
fn governed_tables_plan_as_those_of_the_script_and_have_a_lineage() {
    let (mut same, mut sinks) = (0, 0);
    for script in FILES.iter().flat_map(|file| scripts(file)) {
        let Ok(own) = script.plans(false, None) else { continue };
        let governed = script.plans(true, None).unwrap_or_else(|e| panic!("{}: {e}", script.name));
        assert_eq!(own.len(), governed.len(), "{}", script.name);
        for (own, governed) in own.iter().zip(&governed) {
            assert_eq!(shape(own), shape(governed), "{}", script.name);
            let found = lineage(governed).unwrap_or_else(|e| panic!("{}: {e}", script.name));
            sinks += found.len();
            same += 1;
        }
    }
    assert!(same > 1_200 && sinks >= same, "{same} plans, {sinks} sinks");
}

#[test]
fn e12_no_recorded_script_sees_what_is_masked() {
    let (mut planned, mut refused) = (0, 0);
    let masks = Mask::ALL.iter().cycle();
    let all = FILES.iter().flat_map(|file| scripts(file));
    for ((number, script), mask) in all.enumerate().zip(masks) {
        if script.plans(false, None).is_err() {
            continue;
        }
        for (index, (create, _)) in script.tables.iter().enumerate() {
            let column = create.columns[number % create.columns.len()].name.value.as_str();
            match script.plans(true, Some((index, column, *mask))) {
                Ok(plans) => {
                    plans.iter().for_each(|plan| assert_masked(plan, &script.name));
                    planned += plans.len();
                }
                Err(error) => {
                    let context = format!("{} {column} {mask:?}: {error}", script.name);
                    assert_ne!(error.code(), ErrorCode::Internal, "{context}");
                    refused += 1;
                }
            }
        }
    }
    assert!(planned > 1_000 && refused < planned / 2, "{planned} planned, {refused} refused");
}
