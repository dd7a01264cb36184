//! Lineage through operators over streams: scans, filters, windows, joins, lookups, patterns.

use super::check;

#[test]
fn values_are_from_nowhere() {
    check("SELECT x, y FROM (VALUES (1, 'a')) AS v(x, y)", "Values", &["x =  |", "y =  |"]);
    check("SELECT a FROM t WHERE 1 = 2", "Values", &["a =  |"]);
}

#[test]
fn a_source_computes_its_own_columns() {
    check(
        "SELECT double, c.y, RAND() AS r FROM t",
        "TableSourceScan",
        &["double = t.a |", "y = t.c |", "r =  |"],
    );
}

#[test]
fn filters_decide_and_projections_compute() {
    check(
        "SELECT a + CHAR_LENGTH(b) AS s, CASE WHEN a > 1 THEN c.y END AS w FROM t WHERE b LIKE 'x%'",
        "Calc",
        &["s = t.a t.b | t.b", "w = t.a t.c | t.b"],
    );
}

#[test]
fn a_union_is_of_all_its_inputs() {
    check(
        "SELECT a, b FROM t WHERE a > 3 UNION ALL SELECT k, v FROM u WHERE v <> ''",
        "Union",
        &["a = t.a u.k | t.a u.v", "b = t.b u.v | t.a u.v"],
    );
}

#[test]
fn windows_come_from_the_time_of_rows() {
    check(
        "SELECT a, window_start, window_time FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE))",
        "WindowTableFunction",
        &["a = t.a |", "window_start = t.ts |", "window_time = t.ts |"],
    );
    check(
        "SELECT window_end, b, COUNT(*) AS n, SUM(a) FILTER (WHERE c.x > 1) AS s FROM
            TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '2' MINUTE)) GROUP BY window_start, window_end, b",
        "WindowAggregate",
        &[
            "window_end = t.ts | t.b t.ts",
            "b = t.b | t.b t.ts",
            "n = t.* | t.b t.ts",
            "s = t.a | t.b t.c t.ts",
        ],
    );
    check(
        "SELECT window_start, MAX(a) AS m FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(clock), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end",
        "WindowAggregate",
        &["window_start = t.* |", "m = t.a |"],
    );
    check(
        "SELECT window_start, b FROM TABLE(SESSION(TABLE t PARTITION BY b, DESCRIPTOR(ts), INTERVAL '1' MINUTE))",
        "WindowTableFunction",
        &["window_start = t.ts | t.b", "b = t.b |"],
    );
}

#[test]
fn a_window_of_windows_comes_from_the_first() {
    check(
        "SELECT window_start, SUM(n) AS s FROM (SELECT window_start, window_end, window_time AS wt, b, COUNT(a) AS n FROM
            TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, window_time, b)
            GROUP BY window_start, window_end",
        "WindowAggregate",
        &["window_start = t.ts | t.b t.ts", "s = t.a | t.b t.ts"],
    );
}

#[test]
fn ranks_in_windows_come_from_their_order() {
    check(
        "SELECT b, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end, b ORDER BY a DESC) AS rn FROM
            TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE))) WHERE rn <= 3",
        "WindowRank",
        &["b = t.b | t.a t.b t.ts", "rn = t.a | t.a t.b t.ts"],
    );
}

#[test]
fn elements_come_from_their_collection() {
    check(
        "SELECT b, e, o FROM t CROSS JOIN UNNEST(l) WITH ORDINALITY AS x(e, o)",
        "Correlate",
        &["b = t.b | t.l", "e = t.l | t.l", "o = t.l | t.l"],
    );
}

#[test]
fn what_joins_compare_decides_which_rows_there_are() {
    check(
        "SELECT b, v FROM t JOIN u ON a = k AND b <> v",
        "Join",
        &["b = t.b | t.a t.b u.k u.v", "v = u.v | t.a t.b u.k u.v"],
    );
    check(
        "SELECT b FROM t WHERE a IN (SELECT k FROM u WHERE v > '')",
        "Join",
        &["b = t.b | t.a u.k u.v"],
    );
    check(
        "SELECT b, v FROM t JOIN u ON a = k AND ts BETWEEN us - INTERVAL '1' SECOND AND us",
        "IntervalJoin",
        &["b = t.b | t.a t.ts u.k u.us", "v = u.v | t.a t.ts u.k u.us"],
    );
    check(
        "SELECT l.b, r.v FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) AS l
            JOIN TABLE(TUMBLE(TABLE u, DESCRIPTOR(us), INTERVAL '1' MINUTE)) AS r
            ON l.a = r.k AND l.window_start = r.window_start AND l.window_end = r.window_end",
        "WindowJoin",
        &["b = t.b | t.a t.ts u.k u.us", "v = u.v | t.a t.ts u.k u.us"],
    );
    check(
        "SELECT b, rate FROM t JOIN versions FOR SYSTEM_TIME AS OF t.ts AS x ON a = x.k",
        "TemporalJoin",
        &[
            "b = t.b | t.a t.ts versions.k versions.vs",
            "rate = versions.rate | t.a t.ts versions.k versions.vs",
        ],
    );
    check(
        "SET 'table.optimizer.multi-join.enabled' = 'true';
         SELECT x.b, y.v, z.v AS w FROM t AS x JOIN u AS y ON x.a = y.k JOIN u AS z ON x.a = z.k WHERE y.v <> z.v",
        "MultiJoin",
        &["b = t.b | t.a u.k u.v", "v = u.v | t.a u.k u.v", "w = u.v | t.a u.k u.v"],
    );
}

#[test]
fn looked_up_columns_come_from_the_outside_table() {
    check(
        "SELECT b, name FROM t LEFT JOIN people FOR SYSTEM_TIME AS OF t.clock AS p ON a = p.id AND p.city = 'x'",
        "LookupJoin",
        &["b = t.b | people.city people.id t.a", "name = people.name | people.city people.id t.a"],
    );
}

#[test]
fn measures_come_from_the_rows_of_their_variables() {
    check(
        "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY b ORDER BY ts
            MEASURES FIRST(X.a) AS f, SUM(X.a * 2) AS s, MATCH_ROWTIME() AS m, COUNT(*) AS n
            PATTERN (X+ Y) DEFINE X AS X.c.x > 1, Y AS Y.a < LAST(X.a)) AS p",
        "Match",
        &[
            "b = t.b | t.a t.b t.c t.ts",
            "f = t.a | t.a t.b t.c t.ts",
            "s = t.a | t.a t.b t.c t.ts",
            "m = t.ts | t.a t.b t.c t.ts",
            "n = t.* | t.a t.b t.c t.ts",
        ],
    );
}

#[test]
fn late_rows_are_those_of_the_window_beside() {
    let script = "CREATE TABLE late (a INT, b STRING, c ROW<x INT, y STRING>, l ARRAY<INT>, ts TIMESTAMP(3)) WITH ('connector' = 'print');
        CREATE TABLE sums (b STRING, s INT) WITH ('connector' = 'print');
        SET 'table.exec.late-rows.table' = 'late';
        INSERT INTO sums SELECT b, SUM(a) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, b";
    let script = script.replace("table.exec.late-rows.table", crate::optimize::LATE_ROWS);
    let plan = super::plan(&script);
    assert!(plan.nodes.iter().any(|node| node.operator.kind() == "LateRows"));
    let sinks = tidegate_plan::lineage::lineage(&plan).unwrap();
    let late = sinks.iter().find(|sink| sink.insert == "late").unwrap();
    assert!(
        super::columns(late).contains(&"a = t.a | t.ts".to_owned()),
        "{:?}",
        super::columns(late)
    );
}
