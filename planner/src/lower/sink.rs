//! Sink nodes: of tables, and of a SELECT whose rows go to the caller.

use std::collections::BTreeMap;

use tidegate_connector_spec::{Role, waits_to_announce};
use tidegate_plan::Operator;
use tidegate_plan::operator::{Sink, Table};
use tidegate_types::{Error, ErrorCode, Field, Result, Span};

use super::changelog::check_sink;
use super::identity::Digest;
use super::source::{check, check_metadata, parallelism, plan_table};
use super::{Draft, Lowering, SinkTarget, forward};
use crate::bind::insert::BoundInsert;
use crate::catalog::ColumnKind;
use crate::parser::ast::OnConflict;

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
        let conflict = match &target {
            SinkTarget::Table(insert) => insert.on_conflict,
            SinkTarget::Collect => None,
        };
        let (sink, parallelism) = match target {
            SinkTarget::Table(insert) => table_sink(&insert, taken)?,
            SinkTarget::Collect => (collect(&self.nodes[input].schema), Some(1)),
        };
        let name = sink.insert.clone();
        let key = sink_key(&sink, &self.nodes[input].schema);
        let append = self.facts[input].is_append();
        let disordered = check_sink(&sink.table, &self.facts[input], &self.nodes, key.clone())?;
        let materialized = match self.materialization() {
            Materialization::Never => None,
            Materialization::Always => key.filter(|_| !append),
            Materialization::WhereDisordered => disordered,
        };
        self.check_conflict(&sink.table.name, conflict, append, materialized.is_some())?;
        let input = match materialized {
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

    fn materialization(&self) -> Materialization {
        let setting = self.settings.get("table.exec.sink.upsert-materialize").unwrap_or_default();
        match setting.to_ascii_uppercase().as_str() {
            "NONE" => Materialization::Never,
            "FORCE" => Materialization::Always,
            _ => Materialization::WhereDisordered,
        }
    }

    /// Whether ON CONFLICT is there where it must be, and only where rows can meet.
    fn check_conflict(
        &self,
        table: &str,
        conflict: Option<(OnConflict, Span)>,
        append: bool,
        materialized: bool,
    ) -> Result<()> {
        let Some((action, span)) = conflict else {
            let required = self.settings.boolean("table.exec.sink.require-on-conflict");
            if !required || !materialized {
                return Ok(());
            }
            let message = format!(
                "the changes that go into table '{table}' are by another key than its PRIMARY KEY, so that rows can meet in it"
            );
            return Err(Error::new(ErrorCode::SqlSemantic, message).help(
                "write ON CONFLICT DO DEDUPLICATE behind the query: the last row is in the table",
            ));
        };
        if append {
            let message = format!("ON CONFLICT: rows are only added to table '{table}'");
            return Err(Error::new(ErrorCode::SqlSemantic, message).at(span).help("leave it out"));
        }
        match action {
            OnConflict::Deduplicate => Ok(()),
            OnConflict::Error | OnConflict::Nothing => {
                let message = "ON CONFLICT DO ERROR and DO NOTHING are not supported yet";
                Err(Error::unsupported(message).at(span).help("use ON CONFLICT DO DEDUPLICATE"))
            }
        }
    }
}

/// Where changes are brought into the order of a sink's key (`table.exec.sink.upsert-materialize`).
enum Materialization {
    Never,
    /// Where another key made them.
    WhereDisordered,
    Always,
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
    if table.definition.distribution.is_some() {
        let connector = table.options.get("connector").map(String::as_str).unwrap_or_default();
        let message = format!(
            "table {}: it is distributed into buckets, which the connector '{connector}' does not have",
            table.name
        );
        return Err(Error::unsupported(message)
            .at(insert.span)
            .help("use ALTER TABLE … DROP DISTRIBUTION, or leave DISTRIBUTED out"));
    }
    if insert.overwrite {
        let connector = table.options.get("connector").map(String::as_str).unwrap_or_default();
        let message = format!("INSERT OVERWRITE: the connector '{connector}' cannot overwrite");
        return Err(Error::unsupported(message).at(insert.span).help("use INSERT INTO"));
    }
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
        governed: None,
    };
    Sink { table, metadata: Vec::new(), overwrite: false, insert: COLLECT.to_owned() }
}
