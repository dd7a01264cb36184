//! Ids of patterns: what keeps their state and what does not.

use tidegate_plan::state_layout::state_layout;
use tidegate_plan::{Operator, StreamGraph};

use crate::{Planned, Session, parse_script};

const TABLE: &str = "CREATE TABLE t (id INT, k STRING, n INT, m INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'datagen');";
const PATTERN: &str = "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x PATTERN (A B+ C) WITHIN INTERVAL '1' MINUTE DEFINE B AS B.n > LAST(B.n, 1), C AS SUM(B.n) > 3)";

fn job(query: &str) -> StreamGraph {
    let mut session = Session::new(Default::default()).unwrap();
    for statement in parse_script(&format!("{TABLE}{query}")).unwrap() {
        if let Planned::Job(job) = session.plan(&statement).unwrap() {
            return job.graph;
        }
    }
    panic!("no job")
}

/// Id and layout of the pattern.
fn pattern(query: &str) -> (String, Vec<String>) {
    let graph = job(query);
    let is_pattern = |operator: &Operator| matches!(operator, Operator::MatchRecognize(_));
    let node = graph.nodes.iter().find(|node| is_pattern(&node.operator)).unwrap();
    (node.id.to_string(), state_layout(node, &graph))
}

#[test]
fn other_measures_and_names_keep_the_state() {
    let first = pattern(PATTERN);
    for (from, to) in [
        ("A.n AS x", "LAST(n, 2) AS y, COUNT(*) AS z"),
        ("B", "DOWN"),
        ("SELECT *", "SELECT x"),
        ("FROM t ", "FROM (SELECT id, k, n AS n, ts FROM t) "),
    ] {
        let query = PATTERN.replace(from, to);
        let query =
            query.replace("PARTITION DOWNY", "PARTITION BY").replace("ORDER DOWNY", "ORDER BY");
        assert_eq!(pattern(&query), first, "{query}");
    }
}

#[test]
fn another_pattern_is_another_operator() {
    let first = pattern(PATTERN).0;
    for (from, to) in [
        ("PARTITION BY k", "PARTITION BY m"),
        ("ORDER BY ts", "ORDER BY ts, id"),
        ("B+", "B+?"),
        ("B+", "B{1,3}"),
        ("'1' MINUTE", "'2' MINUTE"),
        ("LAST(B.n, 1)", "LAST(B.n, 2)"),
        ("LAST(B.n, 1)", "FIRST(B.n, 1)"),
        ("LAST(B.n, 1)", "LAST(A.n, 1)"),
        ("LAST(B.n, 1)", "LAST(B.m, 1)"),
        ("SUM(B.n)", "SUM(A.n)"),
        ("SUM(B.n)", "SUM(B.n + 1)"),
        ("PATTERN", "AFTER MATCH SKIP PAST LAST ROW PATTERN"),
        ("FROM t ", "FROM (SELECT * FROM t WHERE id > 1) "),
    ] {
        let query = PATTERN.replace(from, to);
        assert_ne!(pattern(&query).0, first, "{query}");
    }
}

#[test]
fn columns_that_only_measures_read_are_part_of_the_rows_that_are_kept() {
    let (id, layout) = pattern(PATTERN);
    let (other, wider) = pattern(&PATTERN.replace("A.n AS x", "A.id AS x"));
    assert_eq!(id, other);
    assert_ne!(layout, wider, "so that the state does not fit, which is said");
}
