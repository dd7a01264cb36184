//! Operator ids: what keeps them and what changes them; and the stored form of plans.

use std::collections::BTreeMap;

use tidegate_plan::encoding::{decode, encode};
use tidegate_plan::{Operator, StreamGraph};

use crate::{Planned, Session, parse_script};

const TABLES: &str = "
CREATE TABLE t (a INT, b STRING, c ROW<x INT, y INT>, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'datagen');
CREATE TABLE one (a INT, n BIGINT) WITH ('connector' = 'blackhole');
CREATE TABLE two (b STRING, n BIGINT) WITH ('connector' = 'blackhole');
";

const COUNTS: &str = "INSERT INTO one SELECT a, COUNT(*) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE))
    WHERE c.y > 1 GROUP BY a, window_start, window_end;";

fn jobs(script: &str) -> Vec<StreamGraph> {
    let mut session = Session::new(Default::default()).unwrap();
    let mut graphs = Vec::new();
    for statement in parse_script(&format!("{TABLES}{script}")).unwrap() {
        if let Planned::Job(job) = session.plan(&statement).unwrap() {
            graphs.push(job.graph);
        }
    }
    graphs
}

/// Ids by operator and the insert's name, of the operators that have state or staged output.
fn ids(graph: &StreamGraph) -> BTreeMap<String, String> {
    let kept = |operator: &Operator| !matches!(operator, Operator::Calc(_) | Operator::Union);
    let nodes = graph.nodes.iter().filter(|node| kept(&node.operator));
    nodes.map(|node| (node.name.clone(), node.id.to_string())).collect()
}

#[test]
fn an_insert_beside_it_changes_no_id() {
    let alone = ids(&jobs(COUNTS)[0]);
    let beside = jobs(&format!(
        "EXECUTE STATEMENT SET BEGIN INSERT INTO two SELECT b, c.x FROM t WHERE a > 2; {COUNTS} END"
    ));
    let beside = ids(&beside[0]);
    for (name, id) in &alone {
        assert_eq!(beside.get(name), Some(id), "{name}");
    }
    assert_eq!(alone.len(), 3, "{alone:?}");
}

#[test]
fn the_same_script_gives_the_same_ids() {
    assert_eq!(jobs(COUNTS), jobs(&format!("CREATE VIEW v AS SELECT 1 AS x; {COUNTS}")));
}

#[test]
fn another_window_key_or_filter_is_another_operator() {
    let aggregate = |script: &str| ids(&jobs(script)[0])["WindowAggregate(a)"].clone();
    let first = aggregate(COUNTS);
    for (from, to) in
        [("'1' MINUTE", "'2' MINUTE"), ("c.y > 1", "c.y > 2"), ("COUNT(*)", "SUM(c.x)")]
    {
        let edited = COUNTS.replace(from, to);
        assert_ne!(edited, COUNTS);
        assert_ne!(aggregate(&edited), first, "{to}");
    }
}

#[test]
fn a_sink_keeps_its_id_when_its_query_changes() {
    let sink = |script: &str| ids(&jobs(script)[0])["Sink(one)"].clone();
    assert_eq!(sink(COUNTS), sink("INSERT INTO one SELECT a, 1 FROM t"));
}

#[test]
fn two_inserts_into_one_table_have_names_and_ids_of_their_own() {
    let graph = &jobs(
        "EXECUTE STATEMENT SET BEGIN INSERT INTO one SELECT a, 1 FROM t; INSERT INTO one SELECT a, 1 FROM t; END",
    )[0];
    let sinks: Vec<&str> = graph
        .nodes
        .iter()
        .filter_map(|node| match &node.operator {
            Operator::Sink(sink) => Some(sink.insert.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(sinks, ["one", "one-2"]);
    graph.validate().unwrap();
}

#[test]
fn plans_survive_their_stored_form() {
    let script =
        include_str!("scripts/nexmark.sql").to_owned() + include_str!("scripts/expressions.sql");
    let mut session = Session::new(Default::default()).unwrap();
    let mut checked = 0;
    for statement in parse_script(&script).unwrap() {
        if let Ok(Planned::Job(job)) = session.plan(&statement) {
            assert_eq!(decode(&encode(&job.graph).unwrap()).unwrap(), job.graph);
            checked += 1;
        }
    }
    assert!(checked >= 8, "only {checked} jobs were planned");
}
