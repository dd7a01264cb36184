//! Constructs of Flink SQL that later versions run: each is refused by name, with its place.

use expect_test::{Expect, expect};

use super::plan;

const TABLES: &str = "CREATE TABLE t (a INT, b STRING, c ROW<x INT>, ts TIMESTAMP(3), other TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'datagen');
CREATE TABLE s (a INT NOT NULL, b STRING) WITH ('connector' = 'print');
CREATE VIEW v AS SELECT a, b FROM t;
";

/// The script stands behind three lines of declarations.
fn check(sql: &str, expected: Expect) {
    expected.assert_eq(&plan(&format!("{TABLES}{sql}")));
}

#[test]
fn constructs_of_later_versions() {
    check(
        "SELECT b, COUNT(*) FROM t GROUP BY b",
        expect![[r#"
        UNSUPPORTED an aggregation without a window is not supported yet (line 4, column 36)
          help: use a window: FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, …
    "#]],
    );
    check(
        "SELECT COUNT(*) FROM t",
        expect![[r#"
        UNSUPPORTED an aggregation without a window is not supported yet (line 4, column 1)
          help: use a window: FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, …
    "#]],
    );
    check(
        "SELECT DISTINCT b FROM t",
        expect![[r#"
        UNSUPPORTED SELECT DISTINCT without a window is not supported yet (line 4, column 1)
          help: select window_start and window_end of a window table function as well
    "#]],
    );
    check(
        "SELECT * FROM t JOIN v ON t.a = v.a",
        expect![[r#"
        UNSUPPORTED a join (JOIN) is not supported yet (line 4, column 22)
    "#]],
    );
    check(
        "SELECT * FROM t,\n v",
        expect![[r#"
        UNSUPPORTED a join (several tables in FROM) is not supported yet (line 5, column 2)
    "#]],
    );
    check(
        "SELECT * FROM t LEFT JOIN v FOR SYSTEM_TIME AS OF t.ts ON t.a = v.a",
        expect![[r#"
        UNSUPPORTED a join (LEFT JOIN) is not supported yet (line 4, column 27)
    "#]],
    );
    check(
        "SELECT a FROM t ORDER BY a",
        expect![[r#"
        UNSUPPORTED ORDER BY is not supported yet (line 4, column 26)
          help: for the first rows per window use ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY …)
    "#]],
    );
    check(
        "SELECT a FROM t LIMIT 10",
        expect![[r#"
        UNSUPPORTED LIMIT is not supported yet (line 4, column 1)
    "#]],
    );
    check(
        "SELECT a FROM t UNION SELECT a FROM t",
        expect![[r#"
        UNSUPPORTED UNION is not supported yet (line 4, column 23)
          help: UNION ALL keeps duplicates and is supported
    "#]],
    );
    check(
        "SELECT a FROM t INTERSECT SELECT a FROM t",
        expect![[r#"
        UNSUPPORTED INTERSECT is not supported yet (line 4, column 27)
    "#]],
    );
    check(
        "SELECT a FROM t WHERE a IN (SELECT a FROM v)",
        expect![[r#"
        UNSUPPORTED IN (SELECT …) is not supported yet (line 4, column 23)
          help: list the values, or wait for joins
    "#]],
    );
    check(
        "SELECT a FROM t WHERE EXISTS (SELECT a FROM v)",
        expect![[r#"
        UNSUPPORTED EXISTS (SELECT …) is not supported yet (line 4, column 31)
    "#]],
    );
    check(
        "SELECT (SELECT MAX(a) FROM v) FROM t",
        expect![[r#"
        UNSUPPORTED a subquery as a value is not supported yet (line 4, column 9)
    "#]],
    );
    check(
        "SELECT SUM(a) OVER (PARTITION BY b ORDER BY ts) FROM t",
        expect![[r#"
        UNSUPPORTED SUM with OVER is not supported yet (line 4, column 8)
          help: supported is ROW_NUMBER() OVER (PARTITION BY window_start, window_end, … ORDER BY …) for Top-N
    "#]],
    );
    check(
        "SELECT *, ROW_NUMBER() OVER (PARTITION BY b ORDER BY ts) AS rn FROM t",
        expect![[r#"
        UNSUPPORTED ROW_NUMBER without a bound on its result is not supported yet (line 4, column 11)
          help: filter on it outside the subquery: SELECT … FROM (SELECT *, ROW_NUMBER() OVER (…) AS rn FROM …) WHERE rn <= 10
    "#]],
    );
    check(
        "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY b ORDER BY ts) AS rn FROM t) WHERE rn = 1",
        expect![[r#"
        UNSUPPORTED Top-N without a window is not supported yet (line 4, column 26)
          help: partition by the window_start and window_end of a window table function
    "#]],
    );
    check(
        "SELECT * FROM t, UNNEST(t.c) AS u (x)",
        expect![[r#"
        UNSUPPORTED a join (several tables in FROM) is not supported yet (line 4, column 18)
    "#]],
    );
    check(
        "SELECT * FROM t MATCH_RECOGNIZE (ORDER BY ts MEASURES A.a AS x PATTERN (A B) DEFINE A AS A.a > 1)",
        expect![[r#"
        UNSUPPORTED MATCH_RECOGNIZE is not supported yet (line 4, column 15)
    "#]],
    );
    check(
        "SELECT LISTAGG(b) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_start, window_end",
        expect![[r#"
        UNSUPPORTED the aggregate function LISTAGG is not supported yet (line 4, column 8)
    "#]],
    );
    check(
        "UPDATE t SET a = 1",
        expect![[r#"
        UNSUPPORTED the statement UPDATE is not supported yet (line 4, column 1)
    "#]],
    );
}
