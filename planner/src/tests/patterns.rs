//! Patterns of rows: plans, and what is refused, with its place.

use expect_test::{Expect, expect};

use super::plan;

const TABLES: &str = "CREATE TABLE t (id INT, k STRING, n INT, ts TIMESTAMP(3), pt AS PROCTIME(), WATERMARK FOR ts AS ts) WITH ('connector' = 'datagen');
CREATE VIEW m AS SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x, MATCH_ROWTIME() AS rt PATTERN (A B) DEFINE B AS B.n > A.n);
CREATE VIEW c AS SELECT k, n, PROCTIME() AS pt FROM (SELECT k, COUNT(*) AS n FROM t GROUP BY k);
";

/// The script stands behind three lines of declarations.
fn check(sql: &str, expected: Expect) {
    expected.assert_eq(&plan(&format!("{TABLES}{sql}")));
}

#[test]
fn plans_of_patterns() {
    check(
        "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts, n MEASURES A.n AS a, LAST(B.n * 2, 1) AS b, SUM(B.n + B.id) AS s, COUNT(*) AS c, MATCH_ROWTIME() AS rt AFTER MATCH SKIP TO LAST B PATTERN (A B+ C{2,}? D?) WITHIN INTERVAL '1' MINUTE DEFINE A AS A.n > 1, B AS B.n > LAST(B.n, 1) AND AVG(B.n) < FIRST(A.n), C AS n > 3, D AS MATCH_ROWTIME() > A.ts)",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[k, a, b, s, c, rt], parallelism=[1], changelogMode=[NONE])
            +- Match(partitionBy=[k], orderBy=[ts ASC, n ASC NULLS FIRST], measures=[LAST(A.n) AS a, (LAST(B.n, 1) * 2) AS b, SUM(B.n + B.id) AS s, COUNT(*) AS c, MATCH_ROWTIME() AS rt], rowsPerMatch=[ONE ROW PER MATCH], after=[SKIP TO LAST B], pattern=[A B+ C{2,}? D?], within=[60000 ms], define=[A AS n > 1, B AS (n > LAST(B.n, 1)) AND (AVG(B.n) < FIRST(A.n)), C AS n > 3, D AS ts > LAST(A.ts)], changelogMode=[I])
               +- Exchange(distribution=[hash[k]])
                  +- TableSourceScan(table=[t], read=[id, k, n, ts], fields=[id, k, n, ts], watermark=[ts], changelogMode=[I])

            == State ==
            Match(k) [b92eee0b3d43ef0a]: rows that the watermark has not passed; rows that may belong to a match per k, for at most 60000 ms after the first of them
        "#]],
    );
    check(
        "SELECT x FROM (SELECT k, n, ts FROM t WHERE id > 1) MATCH_RECOGNIZE (ORDER BY ts MEASURES A.n AS x, 1 AS y PATTERN (A B) DEFINE B AS TRUE) AS m WHERE x > 2",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[x], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[x], where=[x > 2], changelogMode=[I])
               +- Match(orderBy=[ts ASC], measures=[LAST(A.n) AS x, 1 AS y], rowsPerMatch=[ONE ROW PER MATCH], after=[SKIP TO NEXT ROW], pattern=[A B], define=[B AS TRUE], changelogMode=[I])
                  +- Exchange(distribution=[single])
                     +- Calc(select=[n, ts], where=[id > 1], changelogMode=[I])
                        +- TableSourceScan(table=[t], read=[id, n, ts], fields=[id, n, ts], watermark=[ts], changelogMode=[I])

            == State ==
            Match() [09f0c9ba44d388ca]: rows that the watermark has not passed; rows that may belong to a match, as long as they may become a match
        "#]],
    );
    check(
        "SELECT k, a FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY pt MEASURES FINAL FIRST(A.n) AS a, MATCH_PROCTIME() AS p PATTERN (A{2} B?? C) DEFINE B AS B.n IS NULL) AS m",
        expect![[r#"
            UNSUPPORTED MATCH_RECOGNIZE: 'B' is optional and reluctant (line 4, column 132)
              help: write ? instead of ??, which finds the same matches
        "#]],
    );
    check(
        "SELECT k, a FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY pt MEASURES FINAL FIRST(A.n) AS a, MATCH_PROCTIME() AS p PATTERN (A{2} (B)* C{1,3}?) DEFINE B AS B.n IS NULL, Z AS Z.n = 1) AS m WHERE k = 'x'",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[k, a], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[k, a], changelogMode=[I])
               +- Match(partitionBy=[k], orderBy=[PROCTIME() ASC], measures=[FIRST(A.n) AS a, PROCTIME() AS p], rowsPerMatch=[ONE ROW PER MATCH], after=[SKIP TO NEXT ROW], pattern=[A{2} B* C{1,3}?], define=[B AS n IS NULL], changelogMode=[I])
                  +- Exchange(distribution=[hash[k]])
                     +- Calc(select=[k, n], where=[k = 'x'], changelogMode=[I])
                        +- TableSourceScan(table=[t], read=[k, n], fields=[k, n], changelogMode=[I])

            == State ==
            Match(k) [51a8b7ebbbb9850e]: rows that may belong to a match per k, as long as they may become a match
        "#]],
    );
    check(
        "SELECT window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE m, DESCRIPTOR(rt), INTERVAL '1' SECOND)) GROUP BY window_start, window_end",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[window_start, EXPR$1], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[window_start, $agg0 AS EXPR$1], changelogMode=[I])
               +- GlobalWindowAggregate(window=[TUMBLE(time_col=[rt], size=[1 s])], select=[COUNT(*) AS $agg0, start('w$) AS window_start], changelogMode=[I])
                  +- Exchange(distribution=[single])
                     +- LocalWindowAggregate(window=[TUMBLE(time_col=[rt], size=[1 s])], select=[COUNT(*) AS $agg0, start('w$) AS window_start])
                        +- Calc(select=[rt], changelogMode=[I])
                           +- Match(partitionBy=[k], orderBy=[ts ASC], measures=[LAST(A.n) AS x, MATCH_ROWTIME() AS rt], rowsPerMatch=[ONE ROW PER MATCH], after=[SKIP TO NEXT ROW], pattern=[A B], define=[B AS n > LAST(A.n)], changelogMode=[I])
                              +- Exchange(distribution=[hash[k]])
                                 +- TableSourceScan(table=[t], read=[k, n, ts], fields=[k, n, ts], watermark=[ts], changelogMode=[I])

            == State ==
            Match(k) [0006b7a779d2f304]: rows that the watermark has not passed; rows that may belong to a match per k, as long as they may become a match
            WindowAggregate() [55324c2ff760d767]: aggregates, until its window is complete
        "#]],
    );
}

/// One line per query.
fn refused(queries: &[&str], expected: Expect) {
    let errors = queries.iter().map(|sql| plan(&format!("{TABLES}{sql}")));
    expected.assert_eq(&errors.collect::<String>());
}

#[test]
fn patterns_that_are_refused() {
    refused(
        &[
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A+) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A B*) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A B{1,2}) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A* B*) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A*?) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A B?? C) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A | B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A || B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN ((A B)+ C) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (((A B) C)) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (PERMUTE(A, B)) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN ({- A -} B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (^ A) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A $) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A B A) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A{0} B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A{2,1} B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN () DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A{) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A{,} B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A{x} B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A B{99999999999}) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A ++ B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN ((A) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A,B) DEFINE B AS B.n > 1)",
        ],
        expect![[r#"
            UNSUPPORTED MATCH_RECOGNIZE: the last variable of the pattern, 'A', is greedy (line 4, column 90)
              help: end the pattern with a variable without quantifier, or make this one reluctant: *?, +?, {n,m}?
            UNSUPPORTED MATCH_RECOGNIZE: the last variable of the pattern, 'B', is greedy (line 4, column 92)
              help: end the pattern with a variable without quantifier, or make this one reluctant: *?, +?, {n,m}?
            UNSUPPORTED MATCH_RECOGNIZE: the last variable of the pattern, 'B', is greedy (line 4, column 92)
              help: end the pattern with a variable without quantifier, or make this one reluctant: *?, +?, {n,m}?
            UNSUPPORTED MATCH_RECOGNIZE: 'B' is optional and stands behind 'A', which is greedy (line 4, column 93)
              help: make the one before reluctant: *?, +?, {n,m}?
            UNSUPPORTED MATCH_RECOGNIZE: every variable of the pattern is optional, so that it matches no rows at all (line 4, column 15)
              help: use + instead of * for one of them
            UNSUPPORTED MATCH_RECOGNIZE: 'B' is optional and reluctant (line 4, column 92)
              help: write ? instead of ??, which finds the same matches
            UNSUPPORTED an alternative (|) in a pattern is not supported in MATCH_RECOGNIZE (line 4, column 92)
              help: write a variable whose condition holds for either kind of rows: DEFINE A AS … OR …
            UNSUPPORTED an alternative (|) in a pattern is not supported in MATCH_RECOGNIZE (line 4, column 92)
              help: write a variable whose condition holds for either kind of rows: DEFINE A AS … OR …
            UNSUPPORTED a group of variables with a quantifier is not supported in MATCH_RECOGNIZE (line 4, column 90)
              help: quantifiers stand behind single variables
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[k, x], parallelism=[1], changelogMode=[NONE])
            +- Match(partitionBy=[k], orderBy=[ts ASC], measures=[LAST(A.n) AS x], rowsPerMatch=[ONE ROW PER MATCH], after=[SKIP TO NEXT ROW], pattern=[A B C], define=[B AS n > 1], changelogMode=[I])
               +- Exchange(distribution=[hash[k]])
                  +- TableSourceScan(table=[t], read=[k, n, ts], fields=[k, n, ts], watermark=[ts], changelogMode=[I])

            == State ==
            Match(k) [6816d2e3cf9f2894]: rows that the watermark has not passed; rows that may belong to a match per k, as long as they may become a match
            UNSUPPORTED PERMUTE is not supported in MATCH_RECOGNIZE (line 4, column 90)
              help: write one pattern per order, and UNION ALL
            UNSUPPORTED an exclusion ({- … -}) is not supported in MATCH_RECOGNIZE (line 4, column 90)
              help: rows of a match are not put out: measures choose what is
            UNSUPPORTED the anchor ^ is not supported in MATCH_RECOGNIZE (line 4, column 90)
              help: a pattern may begin with any row: leave it out
            UNSUPPORTED the anchor $ is not supported in MATCH_RECOGNIZE (line 4, column 92)
              help: a stream has no last row: leave it out
            SQL_SEMANTIC the variable 'A' stands twice in the pattern (line 4, column 94)
              help: give the second one another name and the same condition
            UNSUPPORTED MATCH_RECOGNIZE: 'A' may have no rows (line 4, column 90)
              help: leave it out
            SQL_SEMANTIC 'A' has at least 2 rows and at most 1 (line 4, column 90)
            SQL_SYNTAX expected a variable of the pattern, found ) (line 4, column 90)
            SQL_SYNTAX expected a number of rows, found ) (line 4, column 92)
            SQL_SYNTAX expected a number of rows, found } (line 4, column 93)
            SQL_SYNTAX expected a number of rows, found x (line 4, column 92)
            SQL_SYNTAX 99999999999 is not a number of rows: the largest is 4294967295 (line 4, column 94)
            SQL_SYNTAX expected a variable of the pattern, found + (line 4, column 93)
            SQL_SYNTAX expected a variable of the pattern, found . (line 4, column 107)
            SQL_SYNTAX expected a variable of the pattern, found , (line 4, column 91)
        "#]],
    );
}

#[test]
fn measures_that_are_refused() {
    refused(
        &[
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.nope AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES Z.n AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES nope AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES PREV(A.n) AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES RUNNING LAST(A.n) AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES CLASSIFIER() AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES MATCH_NUMBER() AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES LAST(A.n, -1) AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES LAST(A.n, n) AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES LAST(FIRST(A.n)) AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES LAST(A.n + B.n) AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES SUM(A.n + B.n) AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES SUM(A.n + n) AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES SUM(LAST(A.n)) AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES LAST(SUM(A.n)) AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES SUM(DISTINCT A.n) AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES SUM(A.n) FILTER (WHERE A.n > 1) AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES SUM(1) AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES COUNT(A.*) AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES SUM(SUM(A.n)) AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES (SELECT 1) AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x, B.n AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS k   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES SUM(A.n) OVER (ORDER BY ts) AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES MATCH_ROWTIME(n) AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES LAST() AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.k + 1 AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES t.n AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
        ],
        expect![[r#"
            SQL_SEMANTIC there is no column 'nope' (line 4, column 72)
              help: the columns are: id, k, n, ts, pt
            SQL_SEMANTIC there is no variable or column 'Z' here (line 4, column 70)
              help: the variables are: A, B
            SQL_SEMANTIC there is no column 'nope' (line 4, column 70)
              help: the columns are: id, k, n, ts, pt
            UNSUPPORTED PREV in MATCH_RECOGNIZE is not supported yet (line 4, column 70)
              help: LAST(A.x, 1) is the row of A before the last, LAST(x, 1) the row before the last of all
            UNSUPPORTED RUNNING in MATCH_RECOGNIZE is not supported yet (line 4, column 70)
              help: with one row per match measures are of the whole match: leave it out
            UNSUPPORTED CLASSIFIER in MATCH_RECOGNIZE is not supported yet (line 4, column 70)
            UNSUPPORTED MATCH_NUMBER in MATCH_RECOGNIZE is not supported yet (line 4, column 70)
            SQL_SEMANTIC the second argument of LAST is a number of rows from 0 (line 4, column 81)
            SQL_SEMANTIC the second argument of LAST is a number of rows from 0 (line 4, column 80)
            SQL_SEMANTIC FIRST may not stand in FIRST or LAST (line 4, column 75)
            SQL_SEMANTIC FIRST or LAST is of the rows of one variable, here are several (line 4, column 81)
              help: compute over the results instead: SUM(A.x) + SUM(B.x)
            SQL_SEMANTIC an aggregate is of the rows of one variable, here are several (line 4, column 80)
              help: compute over the results instead: SUM(A.x) + SUM(B.x)
            SQL_SEMANTIC an aggregate is of the rows of one variable, here are several (line 4, column 80)
              help: compute over the results instead: SUM(A.x) + SUM(B.x)
            SQL_SEMANTIC LAST may not stand in an aggregate function (line 4, column 74)
              help: leave it out: the aggregate is of all rows of the variable
            SQL_SEMANTIC the aggregate SUM may not stand in FIRST or LAST (line 4, column 75)
            UNSUPPORTED DISTINCT of an aggregate in MATCH_RECOGNIZE is not supported yet (line 4, column 70)
            UNSUPPORTED FILTER of an aggregate in MATCH_RECOGNIZE is not supported yet (line 4, column 70)
              help: aggregate a CASE: SUM(CASE WHEN A.x > 1 THEN A.x END)
            SQL_SEMANTIC SUM names no column, so that it is not known of whose rows it is (line 4, column 70)
              help: name a column of a variable, or COUNT(*) for all rows of the match
            SQL_SEMANTIC COUNT does not take the argument A.* (line 4, column 70)
            SQL_SEMANTIC the aggregate SUM may not stand in another aggregate (line 4, column 74)
            UNSUPPORTED a subquery in MEASURES is not supported yet (line 4, column 71)
              help: join the subquery instead
            SQL_SEMANTIC two columns of the result are called 'x' (line 4, column 87)
              help: give the measure another name
            SQL_SEMANTIC two columns of the result are called 'k' (line 4, column 77)
              help: give the measure another name
            SQL_SEMANTIC SUM with OVER may not stand in MEASURES (line 4, column 70)
              help: compute it in a subquery and filter outside: WHERE rn <= 10; or use QUALIFY
            SQL_SEMANTIC the argument of MATCH_ROWTIME is the column that rows are ordered by, if any (line 4, column 70)
            SQL_SEMANTIC LAST takes a value and a number of rows (line 4, column 70)
            SQL_SEMANTIC bind +(STRING, INT): expected two numbers, or a date or time and an interval (line 4, column 70)
              help: convert texts to numbers with CAST
            SQL_SEMANTIC there is no variable or column 't' here (line 4, column 70)
              help: the variables are: A, B
        "#]],
    );
}

#[test]
fn other_clauses_that_are_refused() {
    refused(
        &[
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A B) DEFINE A AS A.n)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A B) DEFINE A AS A.n = 1, A AS A.n = 2)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A B) DEFINE A AS FINAL LAST(A.n) > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A B) DEFINE B AS NEXT(B.n) > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A B) DEFINE B AS Z.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts DESC MEASURES A.n AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY n MEASURES A.n AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY n, ts MEASURES A.n AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts, n + 1 MEASURES A.n AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY UPPER(k) ORDER BY ts MEASURES A.n AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k, k ORDER BY ts MEASURES A.n AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x ALL ROWS PER MATCH  PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x  AFTER MATCH SKIP TO LAST Z PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x  AFTER MATCH SKIP TO b PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x  AFTER MATCH SKIP PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A B) WITHIN 10 DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A B) WITHIN INTERVAL '0' SECOND DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A B) WITHIN INTERVAL '1' MONTH DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A B) WITHIN INTERVAL '1' SECOND + INTERVAL '1' SECOND DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A B) WITHIN INTERVAL - '1' SECOND DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A B) WITHIN INTERVAL 'x' SECOND DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x   PATTERN (A B) SUBSET S = (A, B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k MEASURES A.n AS x PATTERN (A B) DEFINE B AS TRUE)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts PATTERN (A B) DEFINE B AS TRUE)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x PATTERN (A B))",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.n AS x DEFINE B AS TRUE)",
            "SELECT MATCH_ROWTIME() FROM t",
            "SELECT FINAL LAST(n) FROM t",
            "SELECT * FROM c MATCH_RECOGNIZE (PARTITION BY k ORDER BY pt MEASURES A.n AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY pt MEASURES MATCH_ROWTIME() AS x   PATTERN (A B) DEFINE B AS B.n > 1)",
            "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES V1.n AS x   PATTERN (V0 V1 V2 V3 V4 V5 V6 V7 V8 V9 V10 V11 V12 V13 V14 V15 V16 V17 V18 V19 V20 V21 V22 V23 V24 V25 V26 V27 V28 V29 V30 V31 V32 V33 V34 V35 V36 V37 V38 V39 V40 V41 V42 V43 V44 V45 V46 V47 V48 V49 V50 V51 V52 V53 V54 V55 V56 V57 V58 V59 V60 V61 V62 V63 V64) DEFINE V1 AS TRUE)",
        ],
        expect![[r#"
            SQL_SEMANTIC a condition must be BOOLEAN, this is INT (line 4, column 107)
            SQL_SEMANTIC the variable 'A' is defined twice (line 4, column 116)
            SQL_SEMANTIC FINAL may not stand in DEFINE (line 4, column 107)
              help: conditions see the rows up to the current one
            UNSUPPORTED NEXT in MATCH_RECOGNIZE is not supported yet (line 4, column 107)
              help: LAST(A.x, 1) is the row of A before the last, LAST(x, 1) the row before the last of all
            SQL_SEMANTIC there is no variable or column 'Z' here (line 4, column 107)
              help: the variables are: A, B
            SQL_SEMANTIC rows come in ascending order of time (line 4, column 58)
              help: leave DESC out
            SQL_SEMANTIC ORDER BY of MATCH_RECOGNIZE begins with a time attribute, 'n' is none (line 4, column 58)
              help: order by the column of a WATERMARK or AS PROCTIME() first
            SQL_SEMANTIC ORDER BY of MATCH_RECOGNIZE begins with a time attribute, 'n' is none (line 4, column 58)
              help: order by the column of a WATERMARK or AS PROCTIME() first
            SQL_SEMANTIC ORDER BY of MATCH_RECOGNIZE takes columns (line 4, column 62)
              help: compute the value in a subquery or view before
            SQL_SEMANTIC PARTITION BY of MATCH_RECOGNIZE takes columns (line 4, column 47)
              help: compute the value in a subquery or view before
            SQL_SEMANTIC a column stands twice in PARTITION BY (line 4, column 50)
            UNSUPPORTED ALL ROWS PER MATCH is not supported (line 4, column 15)
              help: write ONE ROW PER MATCH, and measures for what is needed of the rows
            SQL_SEMANTIC there is no variable 'Z' in the pattern (line 4, column 105)
              help: the variables are: A, B
            SQL_SEMANTIC there is no variable 'b' in the pattern (line 4, column 100)
              help: did you mean 'B'? the variables are: A, B
            SQL_SYNTAX expected after match skip option, found PATTERN (line 4, column 97)
            SQL_SYNTAX expected INTERVAL, found 10 (line 4, column 102)
            SQL_SEMANTIC WITHIN takes an interval above zero (line 4, column 102)
              help: leave WITHIN out for matches of any duration
            SQL_SEMANTIC months and years have no fixed length (line 4, column 102)
              help: use DAY, HOUR, MINUTE or SECOND
            SQL_SYNTAX WITHIN takes one interval that is not negative (line 4, column 102)
              help: write WITHIN INTERVAL '10' MINUTE
            SQL_SYNTAX WITHIN takes one interval that is not negative (line 4, column 102)
              help: write WITHIN INTERVAL '10' MINUTE
            SQL_SEMANTIC 'x' is not an interval of SECOND (line 4, column 102)
              help: examples: INTERVAL '10' SECOND, INTERVAL '1:30' HOUR TO MINUTE
            UNSUPPORTED SUBSET is not supported in MATCH_RECOGNIZE (line 4, column 95)
              help: name the variables one by one
            SQL_SEMANTIC MATCH_RECOGNIZE needs ORDER BY a time attribute (line 4, column 15)
              help: order by the column of a WATERMARK or AS PROCTIME() first
            SQL_SEMANTIC MATCH_RECOGNIZE has no MEASURES (line 4, column 15)
              help: name what comes out of a match: MEASURES A.x AS x
            SQL_SYNTAX expected DEFINE, found ) (line 4, column 92)
            SQL_SYNTAX expected PATTERN, found DEFINE (line 4, column 79)
            SQL_SEMANTIC MATCH_ROWTIME may stand only in MATCH_RECOGNIZE (line 4, column 8)
            SQL_SEMANTIC FINAL may stand only in MATCH_RECOGNIZE (line 4, column 8)
            UNSUPPORTED Match reads inserted rows only, but GroupAggregate(k) updates or deletes rows that it has sent (line 4, column 1)
              help: aggregate or join by window instead, so that rows are final when they come
            SQL_SEMANTIC MATCH_ROWTIME needs rows that are ordered by event time (line 4, column 70)
              help: use MATCH_PROCTIME(), or ORDER BY the column of a WATERMARK
            SQL_SEMANTIC a pattern has at most 64 variables (line 4, column 15)
        "#]],
    );
}
