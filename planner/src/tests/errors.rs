//! What is refused: code, message, place and advice.

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
fn unknown_names() {
    check(
        "SELECT aa FROM t",
        expect![[r#"
        SQL_SEMANTIC there is no column 'aa' (line 4, column 8)
          help: did you mean 'a'? the columns are: a, b, c, ts, other
    "#]],
    );
    check(
        "SELECT t.bb, 1 FROM t",
        expect![[r#"
        SQL_SEMANTIC there is no column 'bb' in t (line 4, column 10)
          help: did you mean 'b'? the columns are: a, b, c, ts, other
    "#]],
    );
    check(
        "SELECT x.b FROM t",
        expect![[r#"
        SQL_SEMANTIC there is no table or column 'x' here (line 4, column 8)
          help: in sight are: t, a, b, c, ts, other
    "#]],
    );
    check(
        "SELECT c.y FROM t",
        expect![[r#"
        SQL_SEMANTIC the ROW has no field 'y' (line 4, column 10)
          help: its fields are: x
    "#]],
    );
    check(
        "SELECT a.y FROM t",
        expect![[r#"
        SQL_SEMANTIC 'y' is not a field: the value before it is INT, not a ROW (line 4, column 10)
    "#]],
    );
    check(
        "SELECT * FROM tt",
        expect![[r#"
        SQL_SEMANTIC there is no table or view 'tt' (line 4, column 15)
          help: did you mean 't'? there are: s, t, v
    "#]],
    );
    check(
        "SELECT A FROM t",
        expect![[r#"
        SQL_SEMANTIC there is no column 'A' (line 4, column 8)
          help: did you mean 'a'? the columns are: a, b, c, ts, other
    "#]],
    );
    check(
        "SELECT UPER(b) FROM t",
        expect![[r#"
        SQL_SEMANTIC there is no function UPER, or it is not supported yet (line 4, column 8)
          help: did you mean 'UPPER'?
    "#]],
    );
    check(
        "SELECT * FROM cat.db.t",
        expect![[r#"
            SQL_SEMANTIC there is no table or view 'cat.db.t' (line 4, column 15)
        "#]],
    );
    check(
        "INSERT INTO nowhere SELECT a FROM t",
        expect![[r#"
        SQL_SEMANTIC there is no table 'nowhere' (line 4, column 13)
          help: there are: s, t, v
    "#]],
    );
    check(
        "INSERT INTO s (a, z) SELECT a, b FROM t",
        expect![[r#"
        SQL_SEMANTIC the table has no column 'z' that can be written (line 4, column 19)
          help: the columns are: a, b
    "#]],
    );
    check(
        "DROP TABLE v",
        expect![[r#"
        SQL_SEMANTIC 'v' is a view, not a table (line 4, column 12)
    "#]],
    );
    check(
        "DESCRIBE x",
        expect![[r#"
        NOT_FOUND there is no table or view 'x' (line 4, column 10)
          help: there are: s, t, v
    "#]],
    );
    check(
        "SET 'parallelism.defualt' = '2'",
        expect![[r#"
        INVALID_OPTION there is no setting 'parallelism.defualt' (line 4, column 1)
          help: did you mean 'parallelism.default'?
    "#]],
    );
}

#[test]
fn wrong_types() {
    check(
        "SELECT a + b FROM t",
        expect![[r#"
        SQL_SEMANTIC bind +(INT, STRING): expected two numbers, or a date or time and an interval (line 4, column 8)
          help: convert texts to numbers with CAST
    "#]],
    );
    check(
        "SELECT * FROM t WHERE a",
        expect![[r#"
        SQL_SEMANTIC a condition must be BOOLEAN, this is INT (line 4, column 23)
    "#]],
    );
    check(
        "SELECT CAST(ts AS INT) FROM t",
        expect![[r#"
        SQL_SEMANTIC TIMESTAMP(3) *ROWTIME* cannot be cast to INT (line 4, column 13)
    "#]],
    );
    check(
        "SELECT CASE WHEN a > 1 THEN a ELSE b END FROM t",
        expect![[r#"
        SQL_SEMANTIC the values of CASE have no common type: INT, STRING (line 4, column 8)
          help: cast them to one type
    "#]],
    );
    check(
        "SELECT a FROM t UNION ALL SELECT b FROM t",
        expect![[r#"
        SQL_SEMANTIC column 'a' of the UNION ALL has no common type: INT, STRING (line 4, column 27)
          help: cast the columns to one type
    "#]],
    );
    check(
        "SELECT a, b FROM t UNION ALL SELECT b FROM t",
        expect![[r#"
        SQL_SEMANTIC UNION ALL of queries with 2 and 1 columns (line 4, column 30)
    "#]],
    );
    check(
        "SELECT NULL",
        expect![[r#"
        SQL_SEMANTIC the type of NULL is not known here (line 4, column 8)
          help: write CAST(NULL AS type)
    "#]],
    );
    check(
        "SELECT DATE '2024-02-30', INTERVAL 'x' DAY FROM t",
        expect![[r#"
        SQL_SEMANTIC '2024-02-30' is not a DATE (line 4, column 13)
          help: write DATE '2026-01-31', TIME '23:59:59', TIMESTAMP '2026-01-31 23:59:59.123'
    "#]],
    );
    check(
        "INSERT INTO s SELECT b, b FROM t",
        expect![[r#"
        SQL_SEMANTIC the query does not fit the table 's': incompatible types for sink column 'a' at position 0
          query schema: [b: STRING, b0: STRING]
          sink schema:  [a: INT NOT NULL, b: STRING] (line 4, column 15)
          help: cast it: CAST(… AS INT)
    "#]],
    );
    check(
        "INSERT INTO s SELECT a FROM t",
        expect![[r#"
        SQL_SEMANTIC the query does not fit the table 's': different number of columns: 1 for 2
          query schema: [a: INT]
          sink schema:  [a: INT NOT NULL, b: STRING] (line 4, column 15)
    "#]],
    );
    check(
        "INSERT INTO s (b) SELECT b FROM t",
        expect![[r#"
        SQL_SEMANTIC column 'a' is NOT NULL and the INSERT gives it no value (line 4, column 13)
    "#]],
    );
    check(
        "INSERT INTO v SELECT a, b FROM t",
        expect![[r#"
        SQL_SEMANTIC 'v' is a view; rows can be inserted into tables only (line 4, column 13)
    "#]],
    );
}

#[test]
fn tables() {
    check(
        "CREATE TABLE x (a INT, b AS c + 1) WITH ('connector' = 'datagen')",
        expect![[r#"
        SQL_SEMANTIC there is no column 'c' (line 4, column 29)
          help: the columns are: a
    "#]],
    );
    check(
        "CREATE TABLE x (a INT, WATERMARK FOR a AS a) WITH ('connector' = 'datagen')",
        expect![[r#"
        SQL_SEMANTIC the column of a watermark must be TIMESTAMP(p) or TIMESTAMP_LTZ(p) with p from 0 to 3, 'a' is INT (line 4, column 38)
          help: declare it TIMESTAMP(3), or add a computed column with a CAST
    "#]],
    );
    check(
        "CREATE TABLE x (ts TIMESTAMP(6), WATERMARK FOR ts AS ts) WITH ('connector' = 'datagen')",
        expect![[r#"
        SQL_SEMANTIC the column of a watermark must be TIMESTAMP(p) or TIMESTAMP_LTZ(p) with p from 0 to 3, 'ts' is TIMESTAMP(6) (line 4, column 48)
          help: declare it TIMESTAMP(3), or add a computed column with a CAST
    "#]],
    );
    check(
        "CREATE TABLE x (ts TIMESTAMP(3), WATERMARK FOR tz AS ts) WITH ('connector' = 'datagen')",
        expect![[r#"
        SQL_SEMANTIC WATERMARK FOR names no column of the table: 'tz' (line 4, column 48)
          help: the columns are: ts
    "#]],
    );
    check(
        "CREATE TABLE x (r ROW<ts TIMESTAMP(3)>, WATERMARK FOR r.ts AS r.ts) WITH ('connector' = 'datagen')",
        expect![[r#"
        UNSUPPORTED a watermark on a field of a ROW is not supported yet (line 4, column 55)
          help: declare a computed column: ts AS row_column.field, WATERMARK FOR ts AS …
    "#]],
    );
    check(
        "CREATE TABLE t (a INT)",
        expect![[r#"
        ALREADY_EXISTS there is a table 't' already (line 4, column 14)
          help: use IF NOT EXISTS, or DROP TABLE first
    "#]],
    );
    check(
        "CREATE TABLE x (a INT) WITH ('connector' = 'nosuch'); SELECT * FROM x",
        expect![[r#"
            INVALID_OPTION table x: there is no connector 'nosuch' (line 4, column 55)
              help: the connectors are kafka, upsert-kafka, filesystem, jdbc, datagen, nexmark, print, blackhole
        "#]],
    );
    check(
        "CREATE TABLE x (a INT) WITH ('connector' = 'datagen', 'rows-per-secnd' = '1'); SELECT * FROM x",
        expect![[r#"
        INVALID_OPTION table x: connector 'datagen' has no option 'rows-per-secnd' (line 4, column 80)
          help: did you mean 'rows-per-second'?
    "#]],
    );
    check(
        "CREATE TABLE x (a INT); SELECT * FROM x",
        expect![[r#"
            INVALID_OPTION table x: the option 'connector' is missing (line 4, column 25)
              help: it is one of kafka, upsert-kafka, filesystem, jdbc, datagen, nexmark, print, blackhole
        "#]],
    );
    check(
        "SELECT * FROM s",
        expect![[r#"
            INVALID_OPTION table s: connector 'print' cannot be read from (line 4, column 1)
              help: those that can be are kafka, upsert-kafka, filesystem, jdbc, datagen, nexmark
        "#]],
    );
    check(
        "CREATE TABLE x (a INT, m INT METADATA FROM 'nope') WITH ('connector' = 'datagen'); SELECT * FROM x",
        expect![[r#"
        SQL_SEMANTIC column 'm' of table x: connector 'datagen' has no metadata 'nope' (line 4, column 84)
          help: it has none
    "#]],
    );
    check(
        "SELECT * FROM t /*+ OPTIONS('nope' = '1') */",
        expect![[r#"
        INVALID_OPTION table t: connector 'datagen' has no option 'nope' (line 4, column 1)
          help: its options are rows-per-second, number-of-rows, seed, fields.#.kind, fields.#.min, fields.#.max, fields.#.max-past, fields.#.length, fields.#.var-len, fields.#.start, fields.#.end, fields.#.null-rate, scan.watermark.idle-timeout, scan.watermark.emit.strategy, scan.watermark.emit.on-event.gap, scan.watermark.alignment.group, scan.watermark.alignment.max-drift, scan.watermark.alignment.update-interval, scan.parallelism
    "#]],
    );
}

#[test]
fn windows() {
    check(
        "SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(other), INTERVAL '1' SECOND))",
        expect![[r#"
        SQL_SEMANTIC the window function requires a time attribute, but 'other' is TIMESTAMP(3) (line 4, column 48)
          help: declare WATERMARK FOR it in CREATE TABLE; a computation or cast on the way takes the attribute away
    "#]],
    );
    check(
        "SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(a), INTERVAL '1' SECOND))",
        expect![[r#"
        SQL_SEMANTIC the window function requires a time attribute, but 'a' is INT (line 4, column 48)
          help: use the column of WATERMARK FOR, or a column AS PROCTIME()
    "#]],
    );
    check(
        "SELECT * FROM TABLE(TUMBLE(t, DESCRIPTOR(ts), INTERVAL '1' SECOND))",
        expect![[r#"
        SQL_SEMANTIC TUMBLE needs a table as its first argument (line 4, column 28)
          help: write TABLE t
    "#]],
    );
    check(
        "SELECT * FROM TABLE(TUMBLE(TABLE t, ts, INTERVAL '1' SECOND))",
        expect![[r#"
        SQL_SEMANTIC TUMBLE needs DESCRIPTOR(column) with one column as its second argument (line 4, column 37)
    "#]],
    );
    check(
        "SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts)))",
        expect![[r#"
        SQL_SEMANTIC TUMBLE has the wrong arguments (line 4, column 21)
          help: it takes (DATA, TIMECOL, SIZE[, OFFSET])
    "#]],
    );
    check(
        "SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MONTH))",
        expect![[r#"
        SQL_SEMANTIC months and years have no fixed length, so they make no windows (line 4, column 62)
          help: use DAY, HOUR, MINUTE or SECOND
    "#]],
    );
    check(
        "SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), 10))",
        expect![[r#"
        SQL_SEMANTIC TUMBLE takes constant intervals, this is INT NOT NULL (line 4, column 53)
          help: write INTERVAL '10' SECOND
    "#]],
    );
    check(
        "SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '0' SECOND))",
        expect![[r#"
        SQL_SEMANTIC SIZE of TUMBLE must be positive (line 4, column 21)
    "#]],
    );
    check(
        "SELECT * FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '3' SECOND))",
        expect![[r#"
        SQL_SEMANTIC HOP requires SIZE to be an integral multiple of SLIDE, but got SIZE 3000 ms and SLIDE 2000 ms (line 4, column 21)
    "#]],
    );
    check(
        "SELECT * FROM TABLE(TUMBLE(DATA => TABLE t, TIME => DESCRIPTOR(ts), SIZE => INTERVAL '1' SECOND))",
        expect![[r#"
        SQL_SEMANTIC TUMBLE has no parameter TIME (line 4, column 45)
          help: its parameters are DATA, TIMECOL, SIZE, OFFSET
    "#]],
    );
    check(
        "SELECT * FROM TABLE(TUMBLE(TABLE t PARTITION BY a, DESCRIPTOR(ts), INTERVAL '1' SECOND))",
        expect![[r#"
        SQL_SEMANTIC TUMBLE takes no PARTITION BY (line 4, column 21)
          help: only SESSION does; name the keys in GROUP BY
    "#]],
    );
    check(
        "SELECT * FROM TABLE(SPLIT(TABLE t))",
        expect![[r#"
            UNSUPPORTED the table function SPLIT is not supported yet (line 4, column 21)
              help: supported are TUMBLE, HOP, CUMULATE, SESSION, TO_CHANGELOG and FROM_CHANGELOG
        "#]],
    );
    check(
        "SELECT window_end, COUNT(*) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_end",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[window_end, EXPR$1], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[window_end, $agg0 AS EXPR$1], changelogMode=[I,UB,UA])
               +- GroupAggregate(groupBy=[window_end], select=[window_end, COUNT(*) AS $agg0], changelogMode=[I,UB,UA])
                  +- Exchange(distribution=[hash[window_end]])
                     +- Calc(select=[window_end], changelogMode=[I])
                        +- WindowTableFunction(window=[TUMBLE(time_col=[ts], size=[1 s])], changelogMode=[I])
                           +- TableSourceScan(table=[t], read=[ts], fields=[ts], watermark=[ts], changelogMode=[I])

            == State ==
            GroupAggregate(window_end) [00193a6d0beaeea1]: aggregates per window_end, for ever
        "#]],
    );
    check(
        "SELECT b, COUNT(*) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY a, window_start, window_end",
        expect![[r#"
        SQL_SEMANTIC column 'b' is neither grouped nor inside an aggregate function (line 4, column 8)
          help: add it to GROUP BY or aggregate it
    "#]],
    );
    check(
        "SELECT SUM(COUNT(*)) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_start, window_end",
        expect![[r#"
        SQL_SEMANTIC the aggregate function COUNT may not stand in the argument of an aggregate function (line 4, column 12)
    "#]],
    );
    check(
        "SELECT a FROM t WHERE COUNT(*) > 1",
        expect![[r#"
        SQL_SEMANTIC the aggregate function COUNT may not stand in WHERE (line 4, column 23)
    "#]],
    );
    check(
        "SELECT TUMBLE_START(ts, INTERVAL '1' SECOND) FROM t",
        expect![[r#"
            SQL_SEMANTIC TUMBLE_START needs TUMBLE(…) in GROUP BY (line 4, column 8)
              help: with window table functions select window_start and window_end instead
        "#]],
    );
}

#[test]
fn watermarks_are_seen_by_projections_and_filters() {
    check(
        "SELECT CURRENT_WATERMARK(other) FROM t",
        expect![[r#"
        SQL_SEMANTIC bind CURRENT_WATERMARK(TIMESTAMP(3)): the argument is TIMESTAMP(3), expected a column of event time (line 4, column 8)
          help: pass the column that the table declares a WATERMARK for
    "#]],
    );
    check(
        "SELECT t.a FROM t JOIN t AS u ON t.a = u.a AND t.ts > CURRENT_WATERMARK(u.ts)",
        expect![[r#"
            UNSUPPORTED CURRENT_WATERMARK is not known in the condition of a join (line 4, column 1)
              help: select it as a column of a subquery, or test it in a WHERE of its own
        "#]],
    );
    check(
        "SELECT * FROM t MATCH_RECOGNIZE (ORDER BY ts MEASURES A.a AS a PATTERN (A) DEFINE A AS \
         CURRENT_WATERMARK(A.ts) IS NULL)",
        expect![[r#"
            UNSUPPORTED CURRENT_WATERMARK is not known in MATCH_RECOGNIZE (line 4, column 1)
              help: select it as a column of a subquery, or test it in a WHERE of its own
        "#]],
    );
}
