//! Plans of constructs, and constructs that are refused: by name, with their place.

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
fn constructs() {
    check(
        "SELECT b, COUNT(*) FROM t GROUP BY b",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[b, EXPR$1], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[b, $agg0 AS EXPR$1], changelogMode=[I,UB,UA])
               +- GroupAggregate(groupBy=[b], select=[b, COUNT(*) AS $agg0], changelogMode=[I,UB,UA])
                  +- Exchange(distribution=[hash[b]])
                     +- TableSourceScan(table=[t], read=[b], fields=[b], changelogMode=[I])

            == State ==
            GroupAggregate(b) [ae75dcb4cc1f81d3]: aggregates per b, for ever
        "#]],
    );
    check(
        "SELECT COUNT(*) FROM t",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[EXPR$0], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[$agg0 AS EXPR$0], changelogMode=[I,UB,UA])
               +- GroupAggregate(select=[COUNT(*) AS $agg0], changelogMode=[I,UB,UA])
                  +- Exchange(distribution=[single])
                     +- Calc(select=[TRUE AS $row], changelogMode=[I])
                        +- TableSourceScan(table=[t], read=[a], fields=[a], changelogMode=[I])

            == State ==
            GroupAggregate() [4a6570287747127d]: aggregates, for ever
        "#]],
    );
    check(
        "SELECT DISTINCT b FROM t",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[b], parallelism=[1], changelogMode=[NONE])
            +- GroupAggregate(groupBy=[b], select=[b], changelogMode=[I])
               +- Exchange(distribution=[hash[b]])
                  +- TableSourceScan(table=[t], read=[b], fields=[b], changelogMode=[I])

            == State ==
            GroupAggregate(b) [aabf913ceb84220d]: aggregates per b, for ever
        "#]],
    );
    check(
        "SELECT * FROM t JOIN v ON t.a = v.a",
        expect![[r#"
            == Optimized Execution Plan ==
            TableSourceScan(table=[t], read=[a, b, c(x), ts, other], fields=[a, b, c, ts, other], changelogMode=[I])
                (reuse_id=[1])

            Sink(table=[collect], fields=[a, b, c, ts, other, a0, b0], parallelism=[1], changelogMode=[NONE])
            +- Join(joinType=[InnerJoin], where=[(a = a)], select=[a, b, c, ts, other, a0, b0], changelogMode=[I])
               :- Exchange(distribution=[hash[a]])
               :  +- Reused(reference_id=[1])
               +- Exchange(distribution=[hash[a]])
                  +- Calc(select=[a, b], changelogMode=[I])
                     +- Reused(reference_id=[1])

            == State ==
            Join(a) [03dac9a308e88cea]: left rows, for ever; right rows, for ever
        "#]],
    );
    check(
        "SELECT * FROM t,\n v",
        expect![[r#"
            == Optimized Execution Plan ==
            TableSourceScan(table=[t], read=[a, b, c(x), ts, other], fields=[a, b, c, ts, other], changelogMode=[I])
                (reuse_id=[1])

            Sink(table=[collect], fields=[a, b, c, ts, other, a0, b0], parallelism=[1], changelogMode=[NONE])
            +- Join(joinType=[InnerJoin], where=[true], select=[a, b, c, ts, other, a0, b0], changelogMode=[I])
               :- Exchange(distribution=[single])
               :  +- Reused(reference_id=[1])
               +- Exchange(distribution=[single])
                  +- Calc(select=[a, b], changelogMode=[I])
                     +- Reused(reference_id=[1])

            == State ==
            Join() [fd2f91f1dc0c9ec3]: left rows, for ever; right rows, for ever
        "#]],
    );
    check(
        "SELECT * FROM t LEFT JOIN v FOR SYSTEM_TIME AS OF t.ts ON t.a = v.a",
        expect![[r#"
            SQL_SEMANTIC the table behind FOR SYSTEM_TIME AS OF has no event time: a versioned table needs a WATERMARK and a PRIMARY KEY (line 4, column 27)
        "#]],
    );
    check(
        "SELECT a FROM t ORDER BY a",
        expect![[r#"
            UNSUPPORTED ORDER BY of an endless stream by other than ascending time is not supported yet (line 4, column 26)
              help: order by the event-time column first, or bound it: ORDER BY … LIMIT 10
        "#]],
    );
    check(
        "SELECT a FROM t LIMIT 10",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[a], parallelism=[1], changelogMode=[NONE])
            +- Rank(rankType=[ROW_NUMBER], rankRange=[rankStart=1, rankEnd=10], orderBy=[], select=[a], changelogMode=[I])
               +- Exchange(distribution=[single])
                  +- TableSourceScan(table=[t], read=[a], fields=[a], changelogMode=[I])

            == State ==
            Rank() [ee55f29461c89f62]: rows of rank 1 to 10, for ever
        "#]],
    );
    check(
        "SELECT a FROM t UNION SELECT a FROM t",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[a], parallelism=[1], changelogMode=[NONE])
            +- GroupAggregate(groupBy=[a], select=[a], changelogMode=[I])
               +- Exchange(distribution=[hash[a]])
                  +- Union(all=[true], union=[a], changelogMode=[I])
                     :- TableSourceScan(table=[t], read=[a], fields=[a], changelogMode=[I])
                     +- TableSourceScan(table=[t], read=[a], fields=[a], changelogMode=[I])

            == State ==
            GroupAggregate(a) [ba257cfc405ee428]: aggregates per a, for ever
        "#]],
    );
    check(
        "SELECT a FROM t INTERSECT SELECT a FROM t",
        expect![[r#"
            == Optimized Execution Plan ==
            TableSourceScan(table=[t], read=[a], fields=[a], changelogMode=[I])
                (reuse_id=[1])

            Sink(table=[collect], fields=[a], parallelism=[1], changelogMode=[NONE])
            +- Join(joinType=[LeftSemiJoin], where=[(a IS NOT DISTINCT FROM a)], select=[a], changelogMode=[I])
               :- Exchange(distribution=[hash[a]])
               :  +- GroupAggregate(groupBy=[a], select=[a], changelogMode=[I])
               :     +- Exchange(distribution=[hash[a]])
               :        +- Reused(reference_id=[1])
               +- Exchange(distribution=[hash[a]])
                  +- Reused(reference_id=[1])

            == State ==
            GroupAggregate(a) [93d792d43b2874f8]: aggregates per a, for ever
            Join(a) [aa28acb5e6f1fa7f]: left rows, for ever; right rows, for ever
        "#]],
    );
    check(
        "SELECT a FROM t WHERE a IN (SELECT a FROM v)",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[a], parallelism=[1], changelogMode=[NONE])
            +- Join(joinType=[LeftSemiJoin], where=[(a = a)], select=[a], changelogMode=[I])
               :- Exchange(distribution=[hash[a]])
               :  +- TableSourceScan(table=[t], read=[a], fields=[a], changelogMode=[I])
               +- Exchange(distribution=[hash[a]])
                  +- TableSourceScan(table=[t], read=[a], fields=[a], changelogMode=[I])

            == State ==
            Join(a) [d1f1fa7cbacb2e9b]: left rows, for ever; right rows, for ever
        "#]],
    );
    check(
        "SELECT a FROM t WHERE EXISTS (SELECT a FROM v)",
        expect![[r#"
            == Optimized Execution Plan ==
            TableSourceScan(table=[t], read=[a], fields=[a], changelogMode=[I])
                (reuse_id=[1])

            Sink(table=[collect], fields=[a], parallelism=[1], changelogMode=[NONE])
            +- Join(joinType=[LeftSemiJoin], where=[true], select=[a], changelogMode=[I])
               :- Exchange(distribution=[single])
               :  +- Reused(reference_id=[1])
               +- Exchange(distribution=[single])
                  +- Calc(select=[TRUE AS $row], changelogMode=[I])
                     +- Reused(reference_id=[1])

            == State ==
            Join() [12a24b618b44104d]: left rows, for ever; right rows, for ever
        "#]],
    );
    check(
        "SELECT (SELECT MAX(a) FROM v) FROM t",
        expect![[r#"
            == Optimized Execution Plan ==
            TableSourceScan(table=[t], read=[a], fields=[a], changelogMode=[I])
                (reuse_id=[1])

            Sink(table=[collect], fields=[EXPR$0], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[EXPR$0], changelogMode=[I,UB,UA,D])
               +- Join(joinType=[LeftOuterJoin], where=[true], select=[a, EXPR$0], changelogMode=[I,UB,UA,D])
                  :- Exchange(distribution=[single])
                  :  +- Reused(reference_id=[1])
                  +- Exchange(distribution=[single])
                     +- Calc(select=[$agg0 AS EXPR$0], changelogMode=[I,UB,UA])
                        +- GroupAggregate(select=[MAX(a) AS $agg0], changelogMode=[I,UB,UA])
                           +- Exchange(distribution=[single])
                              +- Reused(reference_id=[1])

            == State ==
            GroupAggregate() [f51660dea11da0ea]: aggregates, for ever
            Join() [0e2e83a9894e5616]: left rows, for ever; right rows, for ever
        "#]],
    );
    check(
        "SELECT x.a FROM (SELECT a, (SELECT MAX(b) FROM v) AS m FROM t) AS x",
        expect![[r#"
            == Optimized Execution Plan ==
            TableSourceScan(table=[t], read=[a], fields=[a], changelogMode=[I])
                (reuse_id=[1])

            Sink(table=[collect], fields=[a], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[a], changelogMode=[I,UB,UA,D])
               +- Join(joinType=[LeftOuterJoin], where=[true], select=[a, $row], changelogMode=[I,UB,UA,D])
                  :- Exchange(distribution=[single])
                  :  +- Reused(reference_id=[1])
                  +- Exchange(distribution=[single])
                     +- Calc(select=[TRUE AS $row], changelogMode=[I,UB,UA])
                        +- GroupAggregate(select=[COUNT(*) AS $row], changelogMode=[I,UB,UA])
                           +- Exchange(distribution=[single])
                              +- Calc(select=[TRUE AS $row], changelogMode=[I])
                                 +- Reused(reference_id=[1])

            == State ==
            GroupAggregate() [4a6570287747127d]: aggregates, for ever
            Join() [0e2e83a9894e5616]: left rows, for ever; right rows, for ever
        "#]],
    );
    check(
        "SELECT SUM(a) OVER (PARTITION BY b ORDER BY ts) FROM t",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[EXPR$0], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[$over0 AS EXPR$0], changelogMode=[I])
               +- OverAggregate(partitionBy=[b], orderBy=[ts ASC], window=[RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW], select=[*, SUM(a) AS $over0], changelogMode=[I])
                  +- Exchange(distribution=[hash[b]])
                     +- TableSourceScan(table=[t], read=[a, b, ts], fields=[a, b, ts], watermark=[ts], changelogMode=[I])

            == State ==
            OverAggregate(b) [6adb4ac5d04679cf]: aggregates per b, for ever
        "#]],
    );
    check(
        "SELECT *, ROW_NUMBER() OVER (PARTITION BY b ORDER BY ts) AS rn FROM t",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[a, b, c, ts, other, rn], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[a, b, c, ts, other, $rank AS rn], changelogMode=[I])
               +- OverAggregate(partitionBy=[b], orderBy=[ts ASC], window=[ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW], select=[*, ROW_NUMBER() AS $rank], changelogMode=[I])
                  +- Exchange(distribution=[hash[b]])
                     +- TableSourceScan(table=[t], read=[a, b, c(x), ts, other], fields=[a, b, c, ts, other], watermark=[ts], changelogMode=[I])

            == State ==
            OverAggregate(b) [18ee4fcd8ed71582]: aggregates per b, for ever
        "#]],
    );
    check(
        "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY b ORDER BY ts) AS rn FROM t) WHERE rn = 1",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[a, b, c, ts, other, rn], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[a, b, c, ts, other, 1 AS rn], changelogMode=[I])
               +- Deduplicate(keep=[FirstRow], key=[b], order=[ROWTIME], changelogMode=[I])
                  +- Exchange(distribution=[hash[b]])
                     +- TableSourceScan(table=[t], read=[a, b, c(x), ts, other], fields=[a, b, c, ts, other], watermark=[ts], changelogMode=[I])

            == State ==
            Deduplicate(b) [7441321e09b5a5fa]: one row per b, for ever
        "#]],
    );
    check(
        "SELECT a, b FROM (SELECT *, ROW_NUMBER() OVER (ORDER BY ts) AS rn FROM t) WHERE rn = 1",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[a, b], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[a, b], changelogMode=[I])
               +- Deduplicate(keep=[FirstRow], key=[], order=[ROWTIME], changelogMode=[I])
                  +- Exchange(distribution=[single])
                     +- TableSourceScan(table=[t], read=[a, b, ts], fields=[a, b, ts], watermark=[ts], changelogMode=[I])

            == State ==
            Deduplicate() [774844d92405d114]: one row, for ever
        "#]],
    );
    check(
        "SELECT * FROM t, UNNEST(t.c) AS u (x)",
        expect![[r#"
            SQL_SEMANTIC UNNEST takes an ARRAY, MAP or MULTISET, this is ROW<`x` INT> (line 4, column 25)
        "#]],
    );
    check(
        "SELECT LISTAGG(b) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_start, window_end",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[EXPR$0], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[$agg0 AS EXPR$0], changelogMode=[I])
               +- GlobalWindowAggregate(window=[TUMBLE(time_col=[ts], size=[1 s])], select=[LISTAGG(b) AS $agg0], changelogMode=[I])
                  +- Exchange(distribution=[single])
                     +- LocalWindowAggregate(window=[TUMBLE(time_col=[ts], size=[1 s])], select=[LISTAGG(b) AS $agg0])
                        +- TableSourceScan(table=[t], read=[b, ts], fields=[b, ts], watermark=[ts], changelogMode=[I])

            == State ==
            WindowAggregate() [f934b60af1429eac]: aggregates, until its window is complete
        "#]],
    );
    check(
        "UPDATE t SET a = 1",
        expect![[r#"
            UNSUPPORTED the statement UPDATE is not supported (line 4, column 1)
              help: insert the changes into a table with a primary key: a row replaces the one before with the same key
        "#]],
    );
}

#[test]
fn distinct_aggregates_are_split_if_asked_for() {
    let split = "SET 'table.optimizer.distinct-agg.split.enabled' = 'true';
SET 'table.optimizer.distinct-agg.split.bucket-num' = '16';\n";
    check(
        &format!("{split}SELECT b, COUNT(DISTINCT a), SUM(a) FROM t GROUP BY b"),
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[b, EXPR$1, EXPR$2], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[b, $agg0 AS EXPR$1, $agg1 AS EXPR$2], changelogMode=[I,UB,UA,D])
               +- GroupAggregate(groupBy=[b], select=[b, $SUM0($agg0) AS $agg0, SUM($agg1) AS $agg1], changelogMode=[I,UB,UA,D])
                  +- Exchange(distribution=[hash[b]])
                     +- GroupAggregate(groupBy=[b, $bucket], select=[b, $bucket, COUNT(DISTINCT a) AS $agg0, SUM(a) AS $agg1], changelogMode=[I,UB,UA])
                        +- Exchange(distribution=[hash[b, $bucket]])
                           +- Calc(select=[b, a, $BUCKET(a, 16) AS $bucket], changelogMode=[I])
                              +- TableSourceScan(table=[t], read=[a, b], fields=[a, b], changelogMode=[I])

            == State ==
            GroupAggregate(b, $bucket) [9d9f1219ec986b87]: aggregates per b, $bucket, for ever
            GroupAggregate(b) [45a72940017dc75a]: aggregates per b, for ever
        "#]],
    );
    // Two distinct columns, and an average: one step.
    check(
        &format!("{split}SELECT COUNT(DISTINCT a), COUNT(DISTINCT b) FROM t"),
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[EXPR$0, EXPR$1], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[$agg0 AS EXPR$0, $agg1 AS EXPR$1], changelogMode=[I,UB,UA])
               +- GroupAggregate(select=[COUNT(DISTINCT a) AS $agg0, COUNT(DISTINCT b) AS $agg1], changelogMode=[I,UB,UA])
                  +- Exchange(distribution=[single])
                     +- TableSourceScan(table=[t], read=[a, b], fields=[a, b], changelogMode=[I])

            == State ==
            GroupAggregate() [c2ffe7c1253262e2]: aggregates, for ever
        "#]],
    );
}

#[test]
fn lateral_subqueries_become_joins() {
    check(
        "SELECT k, n FROM (SELECT DISTINCT b AS k FROM t), LATERAL (SELECT a AS n FROM t WHERE b = k ORDER BY a DESC LIMIT 2)",
        expect![[r#"
            == Optimized Execution Plan ==
            TableSourceScan(table=[t], read=[a, b], fields=[a, b], changelogMode=[I])
                (reuse_id=[1])

            Sink(table=[collect], fields=[k, n], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[k, n], changelogMode=[I,UB,UA,D])
               +- Join(joinType=[InnerJoin], where=[(k = $c3)], select=[k, n, $c3], changelogMode=[I,UB,UA,D])
                  :- Exchange(distribution=[hash[k]])
                  :  +- GroupAggregate(groupBy=[k], select=[k], changelogMode=[I])
                  :     +- Exchange(distribution=[hash[k]])
                  :        +- Calc(select=[b AS k], changelogMode=[I])
                  :           +- Reused(reference_id=[1])
                  +- Exchange(distribution=[hash[$c3]])
                     +- Calc(select=[n, $c3], changelogMode=[I,UB,UA,D])
                        +- Rank(rankType=[ROW_NUMBER], rankRange=[rankStart=1, rankEnd=2], partitionBy=[$c3], orderBy=[$o0 DESC NULLS LAST], select=[n, $o0, $c3], changelogMode=[I,UB,UA,D])
                           +- Exchange(distribution=[hash[$c3]])
                              +- Calc(select=[a AS n, a AS $o0, b AS $c3], changelogMode=[I])
                                 +- Reused(reference_id=[1])

            == State ==
            GroupAggregate(k) [aabf913ceb84220d]: aggregates per k, for ever
            Rank($c3) [244e59909b035d57]: rows of rank 1 to 2 per $c3, for ever
            Join(k) [762d20715c4d856d]: left rows, for ever; right rows, for ever
        "#]],
    );
    check(
        "SELECT s.a, x.n FROM t AS s LEFT JOIN LATERAL (SELECT COUNT(*) FROM t WHERE t.a = s.a) AS x (n) ON TRUE",
        expect![[r#"
            == Optimized Execution Plan ==
            TableSourceScan(table=[t], read=[a], fields=[a], changelogMode=[I])
                (reuse_id=[1])

            Sink(table=[collect], fields=[a, n], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[a, CASE WHEN n IS NULL THEN 0 ELSE n END AS n], changelogMode=[I,UB,UA,D])
               +- Join(joinType=[LeftOuterJoin], where=[(a = $c1)], select=[a, n, $c1], changelogMode=[I,UB,UA,D])
                  :- Exchange(distribution=[hash[a]])
                  :  +- Reused(reference_id=[1])
                  +- Exchange(distribution=[hash[$c1]])
                     +- Calc(select=[$agg0 AS n, $c2 AS $c1], changelogMode=[I,UB,UA])
                        +- GroupAggregate(groupBy=[$c2], select=[$c2, COUNT(*) AS $agg0], changelogMode=[I,UB,UA])
                           +- Exchange(distribution=[hash[$c2]])
                              +- Calc(select=[a AS $c2], changelogMode=[I])
                                 +- Reused(reference_id=[1])

            == State ==
            GroupAggregate($c2) [92d2ae82b16d09f6]: aggregates per $c2, for ever
            Join(a) [4f2c6d108748f320]: left rows, for ever; right rows, for ever
        "#]],
    );
    check(
        "SELECT 1 FROM t RIGHT JOIN LATERAL (SELECT 1 AS x) ON TRUE",
        expect![[r#"
        UNSUPPORTED a RIGHT or FULL join with LATERAL is not supported yet (line 4, column 37)
          help: join it by CROSS JOIN, JOIN or LEFT JOIN
    "#]],
    );
}

/// The parts in which Nexmark's q6 goes beyond Flink's SQL.
#[test]
fn conditions_on_ranks_and_names_from_inside_subqueries() {
    check(
        "INSERT INTO s (a, b) SELECT q.x, q.n FROM (
           SELECT *, ROW_NUMBER() OVER (PARTITION BY l.b ORDER BY r.a DESC) AS n
           FROM (SELECT l.a AS x, l.b, r.a FROM t AS l JOIN t AS r ON l.a = r.a) WHERE n <= 1) AS q
         WHERE q.x IS NOT NULL",
        expect![[r#"
            == Optimized Execution Plan ==
            TableSourceScan(table=[t], read=[a, b], fields=[a, b], changelogMode=[I])
                (reuse_id=[1])

            Sink(table=[s], fields=[a, b], changelogMode=[NONE])
            +- Calc(select=[x AS a, CAST($rank AS STRING NOT NULL) AS b], where=[x IS NOT NULL], changelogMode=[I,UB,UA,D])
               +- Calc(select=[x, 1 AS $rank], changelogMode=[I,UB,UA,D])
                  +- Rank(rankType=[ROW_NUMBER], rankRange=[rankStart=1, rankEnd=1], partitionBy=[b], orderBy=[a DESC NULLS LAST], select=[x, b, a], changelogMode=[I,UB,UA,D])
                     +- Exchange(distribution=[hash[b]])
                        +- Calc(select=[a AS x, b, a0 AS a], changelogMode=[I])
                           +- Join(joinType=[InnerJoin], where=[(a = a)], select=[a, b, a0], changelogMode=[I])
                              :- Exchange(distribution=[hash[a]])
                              :  +- Reused(reference_id=[1])
                              +- Exchange(distribution=[hash[a]])
                                 +- Calc(select=[a], changelogMode=[I])
                                    +- Reused(reference_id=[1])

            == State ==
            Join(a) [03dac9a308e88cea]: left rows, for ever; right rows, for ever
            Rank(b) [06bbdd134ea318e1]: rows of rank 1 to 1 per b, for ever
        "#]],
    );
}

#[test]
fn subqueries_by_inequality_are_computed_per_value_that_they_depend_on() {
    check(
        "SELECT b, (SELECT COUNT(*) + 1 FROM t AS s WHERE s.a < t.a) AS n FROM t",
        expect![[r#"
        == Optimized Execution Plan ==
        TableSourceScan(table=[t], read=[a, b], fields=[a, b], changelogMode=[I])
            (reuse_id=[1])

        Sink(table=[collect], fields=[b, n], parallelism=[1], changelogMode=[NONE])
        +- Calc(select=[b, CASE WHEN $there IS NULL THEN 1 ELSE EXPR$0 END AS n], changelogMode=[I,UB,UA,D])
           +- Join(joinType=[LeftOuterJoin], where=[(a IS NOT DISTINCT FROM $d0)], select=[a, b, EXPR$0, $there, $d0], changelogMode=[I,UB,UA,D])
              :- Exchange(distribution=[hash[a]])
              :  +- Reused(reference_id=[1])
              +- Exchange(distribution=[hash[$d0]])
                 +- Calc(select=[($agg0 + 1) AS EXPR$0, TRUE AS $there, $d0], changelogMode=[I,UB,UA])
                    +- GroupAggregate(groupBy=[$d0], select=[$d0, COUNT(*) AS $agg0], changelogMode=[I,UB,UA])
                       +- Exchange(distribution=[hash[$d0]])
                          +- Calc(select=[$d0], changelogMode=[I])
                             +- Join(joinType=[InnerJoin], where=[a < $d0], select=[a, $d0], changelogMode=[I])
                                :- Exchange(distribution=[single])
                                :  +- Calc(select=[a], changelogMode=[I])
                                :     +- Reused(reference_id=[1])
                                +- Exchange(distribution=[single])
                                   +- GroupAggregate(groupBy=[$d0], select=[$d0], changelogMode=[I])
                                      +- Exchange(distribution=[hash[$d0]])
                                         +- Calc(select=[a AS $d0], changelogMode=[I])
                                            +- Reused(reference_id=[1])

        == State ==
        GroupAggregate($d0) [93d792d43b2874f8]: aggregates per $d0, for ever
        Join() [9e3dfe6c49a823e0]: left rows, for ever; right rows, for ever
        GroupAggregate($d0) [143008843909c2d2]: aggregates per $d0, for ever
        Join(a) [598d63bdd155a748]: left rows, for ever; right rows, for ever
    "#]],
    );
    check(
        "SELECT b, COUNT(*), (SELECT MAX(s.a) FROM t AS s WHERE s.b = t.b) AS m FROM t GROUP BY b",
        expect![[r#"
            == Optimized Execution Plan ==
            TableSourceScan(table=[t], read=[a, b], fields=[a, b], changelogMode=[I])
                (reuse_id=[1])

            Sink(table=[collect], fields=[b, EXPR$1, m], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[b, $agg0 AS EXPR$1, EXPR$0 AS m], changelogMode=[I,UB,UA,D])
               +- Join(joinType=[LeftOuterJoin], where=[(b = $c1)], select=[b, $agg0, EXPR$0, $c1], changelogMode=[I,UB,UA,D])
                  :- Exchange(distribution=[hash[b]])
                  :  +- GroupAggregate(groupBy=[b], select=[b, COUNT(*) AS $agg0], changelogMode=[I,UB,UA])
                  :     +- Exchange(distribution=[hash[b]])
                  :        +- Calc(select=[b], changelogMode=[I])
                  :           +- Reused(reference_id=[1])
                  +- Exchange(distribution=[hash[$c1]])
                     +- Calc(select=[$agg0 AS EXPR$0, $c2 AS $c1], changelogMode=[I,UB,UA])
                        +- GroupAggregate(groupBy=[$c2], select=[$c2, MAX(a) AS $agg0], changelogMode=[I,UB,UA])
                           +- Exchange(distribution=[hash[$c2]])
                              +- Calc(select=[a, b AS $c2], changelogMode=[I])
                                 +- Reused(reference_id=[1])

            == State ==
            GroupAggregate(b) [ae75dcb4cc1f81d3]: aggregates per b, for ever
            GroupAggregate($c2) [81df1afc19825910]: aggregates per $c2, for ever
            Join(b) [ffbd9ca3a43f3262]: left rows, for ever; right rows, for ever
        "#]],
    );
    check(
        "SELECT COUNT(*), (SELECT MAX(s.a) FROM t AS s WHERE s.b = t.b) AS m FROM t GROUP BY a",
        expect![[r#"
            SQL_SEMANTIC column 'b' is neither grouped nor inside an aggregate function (line 4, column 19)
              help: add it to GROUP BY or aggregate it
        "#]],
    );
    check(
        "SELECT t.a, x FROM t LEFT JOIN UNNEST(ARRAY[t.a, 2]) AS u(x) ON x > t.a",
        expect![[r#"
        == Optimized Execution Plan ==
        Sink(table=[collect], fields=[a, x], parallelism=[1], changelogMode=[NONE])
        +- Correlate(invocation=[UNNEST(ARRAY(a, 2))], select=[a, x], joinType=[LEFT], condition=[(x > a)], changelogMode=[I])
           +- TableSourceScan(table=[t], read=[a], fields=[a], changelogMode=[I])
    "#]],
    );
}
