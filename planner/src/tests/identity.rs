//! Operator ids: what keeps them and what changes them; and the stored form of plans.

use std::collections::BTreeMap;

use tidegate_plan::encoding::{decode, encode};
use tidegate_plan::state_layout::state_layout;
use tidegate_plan::{Node, Operator, StreamGraph, Updates};

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

/// Ids of operators with what they keep.
fn state(graph: &StreamGraph) -> BTreeMap<String, Vec<String>> {
    let nodes = graph.nodes.iter().map(|node| (node.id.to_string(), state_layout(node, graph)));
    nodes.filter(|(_, layout)| !layout.is_empty()).collect()
}

/// Queries with every operator that keeps state.
const STATEFUL: &[&str] = &[
    "SELECT a, SUM(c.x) FROM t GROUP BY a",
    "SELECT a, COUNT(DISTINCT b) FROM t WHERE c.y > 1 GROUP BY a",
    "SELECT l.a, r.n FROM t l JOIN u r ON l.a = r.k AND l.c.x < r.n",
    "SELECT l.a, r.n FROM t l LEFT JOIN (SELECT k, SUM(n) AS n FROM u GROUP BY k) r ON l.a = r.k",
    "SELECT l.a, r.n FROM t l JOIN u r ON l.a = r.k AND l.ts BETWEEN r.rt - INTERVAL '1' MINUTE AND r.rt",
    "SELECT l.a, v.n FROM t l JOIN versions FOR SYSTEM_TIME AS OF l.ts AS v ON l.a = v.k",
    "SELECT a, n FROM (SELECT a, c.x AS n, ROW_NUMBER() OVER (PARTITION BY a ORDER BY c.x DESC) AS rn FROM t) WHERE rn <= 3",
    "SELECT a, n FROM (SELECT a, c.x AS n, ROW_NUMBER() OVER (PARTITION BY a ORDER BY ts DESC) AS rn FROM t) WHERE rn = 1",
    "SELECT a, SUM(c.x) OVER (PARTITION BY a ORDER BY ts ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) FROM t",
    "SELECT a, COUNT(*) OVER (ORDER BY a) FROM t",
    "SELECT a, c.x FROM t WHERE a IN (SELECT k FROM u WHERE n > 3)",
    "SELECT a, c.x FROM t ORDER BY ts",
    "SELECT a, COUNT(*) FROM TABLE(SESSION(TABLE t PARTITION BY a, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY a, window_start, window_end",
    "SELECT k, n FROM versions",
    "SELECT a, c.x FROM t EXCEPT SELECT k, n FROM u",
];

const OTHERS: &str = "
CREATE TABLE u (k INT, n INT, more STRING, rt TIMESTAMP(3), WATERMARK FOR rt AS rt) WITH ('connector' = 'datagen');
CREATE TABLE versions (k INT, n INT, more STRING, vt TIMESTAMP(3), WATERMARK FOR vt AS vt, PRIMARY KEY (k) NOT ENFORCED)
    WITH ('connector' = 'filesystem', 'path' = '/nowhere', 'format' = 'debezium-json');
CREATE TABLE anything (a INT, n BIGINT) WITH ('connector' = 'print');
CREATE TABLE texts (a STRING, b STRING) WITH ('connector' = 'print');
";

/// Of the operators that keep the last row of a key: whether they let out each change.
fn each_change(graph: &StreamGraph) -> Vec<bool> {
    let of = |node: &Node| match &node.operator {
        Operator::Deduplicate(deduplicate) => Some(deduplicate.each_change),
        Operator::ChangelogNormalize(normalize) => Some(normalize.each_change),
        _ => None,
    };
    graph.nodes.iter().filter_map(of).collect()
}

#[test]
fn what_a_temporal_join_reads_lets_out_every_version() {
    let last = "(SELECT k, n, rt FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY rt DESC) AS rn FROM u)
        WHERE rn = 1 AND n > 2)";
    let upserts = "CREATE TABLE upserts (k INT, n INT, rt TIMESTAMP(3), WATERMARK FOR rt AS rt, PRIMARY KEY (k) NOT ENFORCED)
        WITH ('connector' = 'upsert-kafka', 'topic' = 't', 'properties.bootstrap.servers' = 'h:1', 'key.format' = 'json', 'value.format' = 'json');";
    let plan = |queries: &str| each_change(&jobs(&format!("{OTHERS}{upserts}{queries}"))[0]);
    let view = format!("CREATE VIEW latest AS {last};");
    let alone = "INSERT INTO anything SELECT k, n FROM latest;";
    let versions = |of: &str| {
        format!(
            "INSERT INTO anything SELECT l.a, v.n FROM t l JOIN {of} FOR SYSTEM_TIME AS OF l.ts AS v ON l.a = v.k;"
        )
    };
    assert_eq!(plan(&format!("{view}{alone}")), [false]);
    assert_eq!(plan(&format!("{view}{}", versions("latest"))), [true]);
    // One operator for both readers.
    let both = format!("{view} EXECUTE STATEMENT SET BEGIN {alone} {} END;", versions("latest"));
    assert_eq!(plan(&both), [true]);
    assert_eq!(plan("INSERT INTO anything SELECT k, n FROM upserts;"), [false]);
    assert_eq!(plan(&versions("upserts")), [true]);
}

#[test]
fn a_key_tells_rows_apart_only_as_long_as_their_changes_come_in_order() {
    let join = |on: &str| {
        let latest = "(SELECT k, MAX(n) AS n FROM u GROUP BY k)";
        let query = format!(
            "INSERT INTO anything SELECT l.k, l.n FROM {latest} l WHERE EXISTS (SELECT * FROM t WHERE {on});"
        );
        let graph = jobs(&format!("{OTHERS}{query}")).remove(0);
        let made =
            |kind: &str| graph.nodes.iter().find(|node| node.operator.kind() == kind).unwrap();
        let (join, group) = (made("Join"), made("GroupAggregate"));
        (join.upsert_key.clone(), group.changelog.updates)
    };
    assert_eq!(join("t.a = l.k").0, Some(vec![0]));
    // A row and the one that replaces it are joined in two subtasks: either may come first, and the old one
    // must be taken back where it is.
    assert_eq!(join("t.a = l.n"), (None, Updates::BeforeAndAfter));
    assert_eq!(join("t.a = l.k AND t.c.x = l.n"), (None, Updates::BeforeAndAfter));
}

#[test]
fn what_else_a_script_reads_changes_neither_ids_nor_what_operators_keep() {
    let before = "INSERT INTO texts SELECT b, CAST(c AS STRING) FROM t;
        INSERT INTO texts SELECT more, CAST(rt AS STRING) FROM u;";
    let behind = "INSERT INTO texts SELECT a.more, b.more FROM versions a JOIN u b ON a.k = b.k;";
    for query in STATEFUL {
        let insert = format!("INSERT INTO anything {query};");
        let plan = |script: &str| state(&jobs(&format!("{OTHERS}{script}"))[0]);
        let alone = plan(&insert);
        let beside = plan(&format!("EXECUTE STATEMENT SET BEGIN {before} {insert} {behind} END;"));
        for (id, layout) in &alone {
            assert_eq!(beside.get(id), Some(layout), "{query}");
        }
        assert!(alone.len() >= 2, "{query}: {alone:?}");
    }
}
