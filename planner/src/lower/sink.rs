//! Sink nodes: of tables, and of a SELECT whose rows go to the caller.

use std::collections::BTreeMap;

use tidegate_connector_spec::{Role, waits_to_announce};
use tidegate_plan::Operator;
use tidegate_plan::operator::{Sink, Table};
use tidegate_types::{Error, ErrorCode, Field, Result};

use super::changelog::check_sink;
use super::identity::Digest;
use super::source::{check, check_metadata, parallelism, plan_table};
use super::{Draft, Lowering, SinkTarget, forward};
use crate::bind::insert::BoundInsert;
use crate::catalog::ColumnKind;

/// The connector of a SELECT's sink: the runner takes its rows. It is no connector of tables.
pub const COLLECT: &str = "collect";

impl Lowering<'_> {
    /// Adds a sink; returns its name in reports.
    pub(super) fn sink(
        &mut self,
        target: SinkTarget,
        input: usize,
        taken: &[String],
    ) -> Result<String> {
        let (sink, parallelism) = match target {
            SinkTarget::Table(insert) => table_sink(&insert, taken)?,
            SinkTarget::Collect => (collect(&self.nodes[input].schema), Some(1)),
        };
        let name = sink.insert.clone();
        let key = sink_key(&sink, &self.nodes[input].schema);
        let disordered = check_sink(&sink.table, &self.facts[input], &self.nodes, key)?;
        let input = match disordered.filter(|_| self.materializes()) {
            Some(key) => self.materialize(input, key)?,
            None => input,
        };
        let schema = self.nodes[input].schema.clone();
        // A sink keeps its id, and so what it has staged, when its query changes.
        let id = Digest::new("sink").word(&name);
        let identity = self.identities[input].clone();
        let operator = Operator::Sink(sink);
        let draft = Draft::new(operator, forward(input), schema, identity, id);
        self.add(Draft { parallelism, ..draft })?;
        Ok(name)
    }

    /// Whether changes are brought into the order of a sink's key (`table.exec.sink.upsert-materialize`).
    fn materializes(&self) -> bool {
        let setting = self.settings.get("table.exec.sink.upsert-materialize");
        !setting.is_some_and(|setting| setting.eq_ignore_ascii_case("NONE"))
    }
}

/// The columns of the sink's primary key.
fn sink_key(sink: &Sink, schema: &[Field]) -> Option<Vec<usize>> {
    let place = |name: &String| schema.iter().position(|field| field.name == *name);
    let key: Option<Vec<usize>> = sink.table.primary_key.iter().map(place).collect();
    key.filter(|key| !key.is_empty())
}

fn table_sink(insert: &BoundInsert, taken: &[String]) -> Result<(Sink, Option<u32>)> {
    let table = &insert.table;
    check(table, Role::Sink).map_err(|error| error.at(insert.span))?;
    check_metadata(table, Role::Sink).map_err(|error| error.at(insert.span))?;
    let metadata =
        table.sink_columns().enumerate().filter_map(|(index, column)| match &column.kind {
            ColumnKind::Metadata { key, .. } => Some((index, key.clone())),
            _ => None,
        });
    let sink = Sink {
        table: plan_table(table),
        metadata: metadata.collect(),
        overwrite: insert.overwrite,
        insert: unique_name(&table.name, taken),
    };
    let parallelism = parallelism(table, "sink.parallelism")?;
    if !waits_to_announce(&sink.table.options) {
        return Ok((sink, parallelism));
    }
    if let Some(several @ 2..) = parallelism {
        let message = format!(
            "table {}: 'sink.parallelism' = '{several}', but partitions that are announced later than their files are written by one subtask",
            table.name
        );
        return Err(Error::new(ErrorCode::InvalidOption, message)
            .at(insert.span)
            .help("leave 'sink.parallelism' out"));
    }
    Ok((sink, Some(1)))
}

/// The table's name; from the second insert into it on with a number.
fn unique_name(table: &str, taken: &[String]) -> String {
    let numbered = (2..).map(|number| format!("{table}-{number}"));
    let mut names = std::iter::once(table.to_owned()).chain(numbered);
    names.find(|name| !taken.contains(name)).unwrap_or_else(|| table.to_owned())
}

fn collect(schema: &[Field]) -> Sink {
    let table = Table {
        name: COLLECT.to_owned(),
        options: BTreeMap::from([("connector".to_owned(), COLLECT.to_owned())]),
        columns: schema
            .iter()
            .map(|f| Field::new(f.name.clone(), f.ty.clone().materialized()))
            .collect(),
        partition_keys: Vec::new(),
        primary_key: Vec::new(),
    };
    Sink { table, metadata: Vec::new(), overwrite: false, insert: COLLECT.to_owned() }
}
