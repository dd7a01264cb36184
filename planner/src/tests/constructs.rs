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
        "SELECT * FROM t, UNNEST(t.c) AS u (x)",
        expect![[r#"
            SQL_SEMANTIC UNNEST takes an ARRAY, MAP or MULTISET, this is ROW<`x` INT> (line 4, column 25)
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
        UNSUPPORTED the statement UPDATE is not supported yet (line 4, column 1)
    "#]],
    );
}
