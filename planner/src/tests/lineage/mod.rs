//! Lineage of planned scripts: of every operator, and of the Nexmark queries.

pub(super) mod nexmark;
mod operators;
mod updating;

use std::collections::BTreeSet;

use tidegate_plan::lineage::{Origin, SinkLineage, TableRef, lineage};
use tidegate_plan::{Operator, StreamGraph};

use super::governed::{Shop, try_job};

const TABLES: &str = "
CREATE TABLE t (a INT, b STRING, c ROW<x INT, y STRING>, l ARRAY<INT>, ts TIMESTAMP(3), double AS a * 2, clock AS PROCTIME(),
    WATERMARK FOR ts AS ts) WITH ('connector' = 'datagen');
CREATE TABLE u (k INT, v STRING, us TIMESTAMP(3), WATERMARK FOR us AS us) WITH ('connector' = 'datagen');
CREATE TABLE versions (k INT, rate INT, vs TIMESTAMP(3), WATERMARK FOR vs AS vs, PRIMARY KEY (k) NOT ENFORCED)
    WITH ('connector' = 'upsert-kafka', 'topic' = 'v', 'properties.bootstrap.servers' = 'k:1', 'key.format' = 'json', 'value.format' = 'json');
CREATE TABLE people (id INT, name STRING, city STRING) WITH ('connector' = 'jdbc', 'url' = 'jdbc:mysql://h/d', 'table-name' = 'p');
";

/// The plan of the last job of a script over the tables above.
pub(super) fn plan(script: &str) -> StreamGraph {
    let mut session = Shop::new().session();
    try_job(&mut session, &format!("{TABLES}{script}"))
        .unwrap_or_else(|error| panic!("{script}: {error}"))
}

fn shown(origins: &BTreeSet<Origin>) -> String {
    let origin = |origin: &Origin| {
        let table = match &origin.table {
            TableRef::Governed(reference) => reference.as_str(),
            TableRef::Inline(name) => name.as_str(),
        };
        match &origin.column {
            Some(column) => format!("{table}.{column}"),
            None => format!("{table}.*"),
        }
    };
    origins.iter().map(origin).collect::<Vec<_>>().join(" ")
}

/// Each column of a sink as `column = direct | indirect`.
pub(super) fn columns(sink: &SinkLineage) -> Vec<String> {
    let column = sink.columns.iter().map(|column| {
        format!("{} = {} | {}", column.column, shown(&column.direct), shown(&column.indirect))
    });
    column.map(|text| text.trim_end().to_owned()).collect()
}

/// Checks the lineage of a query, and that its plan has an operator.
pub(super) fn check(script: &str, kind: &str, expected: &[&str]) {
    let plan = plan(script);
    let kinds: Vec<&str> = plan.nodes.iter().map(|node| node.operator.kind()).collect();
    assert!(kinds.contains(&kind), "{script}: {kinds:?}");
    let sinks = lineage(&plan).unwrap();
    assert_eq!(columns(&sinks[0]), expected, "{script}");
}

#[test]
fn governed_tables_are_named_by_reference_and_inline_ones_by_name() {
    let script = "EXECUTE STATEMENT SET BEGIN
        INSERT INTO copies SELECT o.id, v, domain FROM orders AS o JOIN u ON o.id = u.k;
        INSERT INTO copies SELECT a, b, 'x' FROM t;
    END";
    let sinks = lineage(&plan(script)).unwrap();
    let orders = "projects/my-project/databases/default/tables/orders";
    let copies = TableRef::Governed("projects/my-project/databases/default/tables/copies".into());
    assert_eq!(sinks.len(), 2);
    assert_eq!((&sinks[0].table, &sinks[1].table), (&copies, &copies));
    assert_eq!(sinks[1].insert, "my-project.default.copies-2");
    let sources: Vec<&TableRef> = sinks[0].sources.iter().collect();
    assert_eq!(sources, [&TableRef::Governed(orders.into()), &TableRef::Inline("u".into())]);
    assert_eq!(
        columns(&sinks[0]),
        [
            format!("id = {orders}.id | {orders}.id u.k"),
            format!("phone = u.v | {orders}.id u.k"),
            format!("card = {orders}.phone | {orders}.id u.k"),
        ]
    );
    assert_eq!(columns(&sinks[1]), ["id = t.a |", "phone = t.b |", "card =  |"]);
}

#[test]
fn lineage_survives_the_stored_form() {
    let plan = plan("SELECT a, COUNT(*) FROM t WHERE b > '' GROUP BY a");
    let sinks = lineage(&plan).unwrap();
    let text = serde_json::to_string(&sinks).unwrap();
    assert_eq!(serde_json::from_str::<Vec<SinkLineage>>(&text).unwrap(), sinks);
}

#[test]
fn a_plan_whose_columns_do_not_fit_has_no_lineage() {
    let mut plan = plan("SELECT a FROM t WHERE a > 3");
    for node in &mut plan.nodes {
        if let Operator::Source(source) = &mut node.operator {
            source.read.clear();
        }
    }
    let error = lineage(&plan).unwrap_err();
    assert!(error.to_string().contains("the lineage of plan node"), "{error}");
}
