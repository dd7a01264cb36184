//! Snapshots of plans.

use expect_test::{Expect, expect};

use super::plan;

const TABLES: &str = "
CREATE TABLE clicks (
  user_id BIGINT NOT NULL, page STRING, country STRING, dwell INT, ts TIMESTAMP(3),
  item ROW<id INT, name STRING, size ROW<w INT, h INT>>, p AS PROCTIME(), half AS dwell / 2,
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'datagen');
CREATE TABLE pairs (k STRING, n BIGINT) WITH ('connector' = 'print');
CREATE VIEW german AS SELECT user_id, page, dwell, ts FROM clicks WHERE country = 'de';
CREATE VIEW per_page AS
  SELECT page, window_start, window_end, window_time AS rt, COUNT(*) AS n
  FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '10' SECOND))
  GROUP BY page, window_start, window_end, window_time;
";

fn check(sql: &str, expected: Expect) {
    expected.assert_eq(&plan(&format!("{TABLES}{sql}")));
}

#[test]
fn filter_and_projection() {
    check(
        "SELECT page, dwell + 1 AS d FROM clicks WHERE country = 'de' AND dwell BETWEEN 1 AND 10",
        expect![[r#"
        == Optimized Execution Plan ==
        Sink(table=[collect], fields=[page, d], parallelism=[1], changelogMode=[NONE])
        +- Calc(select=[page, (dwell + 1) AS d], where=[((country = 'de') AND (dwell >= 1)) AND (dwell <= 10)], changelogMode=[I])
           +- TableSourceScan(table=[clicks], read=[page, country, dwell], fields=[page, country, dwell], changelogMode=[I])
    "#]],
    );
    check(
        "SELECT * FROM (SELECT page AS p, dwell * 2 AS d FROM german) WHERE d > 4 AND p <> 'x'",
        expect![[r#"
        == Optimized Execution Plan ==
        Sink(table=[collect], fields=[p, d], parallelism=[1], changelogMode=[NONE])
        +- Calc(select=[page AS p, (dwell * 2) AS d], where=[((country = 'de') AND ((dwell * 2) > 4)) AND (page <> 'x')], changelogMode=[I])
           +- TableSourceScan(table=[clicks], read=[page, country, dwell], fields=[page, country, dwell], changelogMode=[I])
    "#]],
    );
    check(
        "SELECT item.size.w, half FROM clicks AS c WHERE c.item.id = 7",
        expect![[r#"
        == Optimized Execution Plan ==
        Sink(table=[collect], fields=[w, half], parallelism=[1], changelogMode=[NONE])
        +- Calc(select=[item.size.w AS w, half], where=[item.id = 7], changelogMode=[I])
           +- TableSourceScan(table=[clicks], read=[dwell, item(id, name, size)], fields=[item, (dwell / 2) AS half], changelogMode=[I])
    "#]],
    );
    check(
        "SELECT 1 + 1, UPPER('x') || 'y', CASE WHEN 1 = 1 THEN 'a' ELSE 'b' END",
        expect![[r#"
        == Optimized Execution Plan ==
        Sink(table=[collect], fields=[EXPR$0, EXPR$1, EXPR$2], parallelism=[1], changelogMode=[NONE])
        +- Values(rows=[1], fields=[EXPR$0, EXPR$1, EXPR$2], changelogMode=[I])
    "#]],
    );
    check(
        "INSERT INTO pairs VALUES ('a', 1), ('b', 2)",
        expect![[r#"
        == Optimized Execution Plan ==
        Sink(table=[pairs], fields=[k, n], changelogMode=[NONE])
        +- Values(rows=[2], fields=[k, n], changelogMode=[I])
    "#]],
    );
    check(
        "INSERT INTO pairs (n) SELECT user_id FROM clicks",
        expect![[r#"
        == Optimized Execution Plan ==
        Sink(table=[pairs], fields=[k, n], changelogMode=[NONE])
        +- Calc(select=[NULL:STRING AS k, user_id AS n], changelogMode=[I])
           +- TableSourceScan(table=[clicks], read=[user_id], fields=[user_id], changelogMode=[I])
    "#]],
    );
}

#[test]
fn unions() {
    check(
        "SELECT page, dwell FROM clicks UNION ALL SELECT country, CAST(user_id AS INT) FROM clicks WHERE dwell > 1",
        expect![[r#"
        == Optimized Execution Plan ==
        TableSourceScan(table=[clicks], read=[user_id, page, country, dwell], fields=[user_id, page, country, dwell], changelogMode=[I])
            (reuse_id=[1])

        Sink(table=[collect], fields=[page, dwell], parallelism=[1], changelogMode=[NONE])
        +- Union(all=[true], union=[page, dwell], changelogMode=[I])
           :- Calc(select=[page, dwell], changelogMode=[I])
           :  +- Reused(reference_id=[1])
           +- Calc(select=[country, CAST(user_id AS INT NOT NULL) AS EXPR$1], where=[dwell > 1], changelogMode=[I])
              +- Reused(reference_id=[1])
    "#]],
    );
    check(
        "SELECT k FROM (SELECT page AS k, 1 AS n FROM clicks UNION ALL SELECT 'x', 2) WHERE n > 1",
        expect![[r#"
        == Optimized Execution Plan ==
        Sink(table=[collect], fields=[k], parallelism=[1], changelogMode=[NONE])
        +- Union(all=[true], union=[k], changelogMode=[I])
           :- Values(rows=[0], fields=[k], changelogMode=[I])
           +- Values(rows=[1], fields=[k], changelogMode=[I])
    "#]],
    );
}

#[test]
fn windows() {
    check(
        "SELECT window_start, window_end, page, COUNT(*), SUM(dwell) FILTER (WHERE country = 'de'), COUNT(DISTINCT user_id)
         FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '10' SECOND)) WHERE dwell > 0
         GROUP BY page, window_start, window_end HAVING COUNT(*) > 1",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[window_start, window_end, page, EXPR$3, EXPR$4, EXPR$5], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[window_start, window_end, page, $agg0 AS EXPR$3, $agg1 AS EXPR$4, $agg2 AS EXPR$5], where=[$agg0 > 1], changelogMode=[I])
               +- GlobalWindowAggregate(groupBy=[page], window=[TUMBLE(time_col=[ts], size=[10 s])], select=[page, COUNT(*) AS $agg0, SUM(dwell) FILTER $f2 AS $agg1, COUNT(DISTINCT user_id) AS $agg2, start('w$) AS window_start, end('w$) AS window_end], changelogMode=[I])
                  +- Exchange(distribution=[hash[page]])
                     +- LocalWindowAggregate(groupBy=[page], window=[TUMBLE(time_col=[ts], size=[10 s])], select=[page, COUNT(*) AS $agg0, SUM(dwell) FILTER $f2 AS $agg1, COUNT(DISTINCT user_id) AS $agg2, start('w$) AS window_start, end('w$) AS window_end])
                        +- Calc(select=[page, dwell, (country = 'de') AS $f2, user_id, ts], where=[dwell > 0], changelogMode=[I])
                           +- TableSourceScan(table=[clicks], read=[user_id, page, country, dwell, ts], fields=[user_id, page, country, dwell, ts], watermark=[(ts - 5000:INTERVAL MILLISECOND)], changelogMode=[I])

            == State ==
            WindowAggregate(page) [50a285f9a688c731]: aggregates per page, until its window is complete
        "#]],
    );
    check(
        "SELECT COUNT(*) FROM TABLE(HOP(TABLE clicks, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '10' SECOND)) GROUP BY window_start, window_end",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[EXPR$0], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[$agg0 AS EXPR$0], changelogMode=[I])
               +- GlobalWindowAggregate(window=[HOP(time_col=[ts], size=[10 s], slide=[2 s])], select=[COUNT(*) AS $agg0], changelogMode=[I])
                  +- Exchange(distribution=[single])
                     +- LocalWindowAggregate(window=[HOP(time_col=[ts], size=[10 s], slide=[2 s])], select=[COUNT(*) AS $agg0])
                        +- TableSourceScan(table=[clicks], read=[ts], fields=[ts], watermark=[(ts - 5000:INTERVAL MILLISECOND)], changelogMode=[I])

            == State ==
            WindowAggregate() [96402af7a0e27055]: aggregates, until its window is complete
        "#]],
    );
    check(
        "SELECT UPPER(page), MAX(dwell) - MIN(dwell) FROM TABLE(CUMULATE(TABLE german, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '1' HOUR)) GROUP BY UPPER(page), window_start, window_end",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[EXPR$0, EXPR$1], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[$f0 AS EXPR$0, ($agg0 - $agg1) AS EXPR$1], changelogMode=[I])
               +- GlobalWindowAggregate(groupBy=[$f0], window=[CUMULATE(time_col=[ts], max_size=[1 h], step=[1 min])], select=[$f0, MAX(dwell) AS $agg0, MIN(dwell) AS $agg1], changelogMode=[I])
                  +- Exchange(distribution=[hash[$f0]])
                     +- LocalWindowAggregate(groupBy=[$f0], window=[CUMULATE(time_col=[ts], max_size=[1 h], step=[1 min])], select=[$f0, MAX(dwell) AS $agg0, MIN(dwell) AS $agg1])
                        +- Calc(select=[UPPER(page) AS $f0, dwell, ts], where=[country = 'de'], changelogMode=[I])
                           +- TableSourceScan(table=[clicks], read=[page, country, dwell, ts], fields=[page, country, dwell, ts], watermark=[(ts - 5000:INTERVAL MILLISECOND)], changelogMode=[I])

            == State ==
            WindowAggregate($f0) [1306a74419e9e992]: aggregates per $f0, until its window is complete
        "#]],
    );
    check(
        "SELECT page, window_end, AVG(dwell) FROM TABLE(SESSION(TABLE clicks PARTITION BY page, DESCRIPTOR(ts), INTERVAL '5' SECOND)) GROUP BY page, window_start, window_end",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[page, window_end, EXPR$2], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[page, window_end, $agg0 AS EXPR$2], changelogMode=[I])
               +- WindowAggregate(groupBy=[page], window=[SESSION(time_col=[ts], gap=[5 s])], select=[page, AVG(dwell) AS $agg0, end('w$) AS window_end], changelogMode=[I])
                  +- Exchange(distribution=[hash[page]])
                     +- TableSourceScan(table=[clicks], read=[page, dwell, ts], fields=[page, dwell, ts], watermark=[(ts - 5000:INTERVAL MILLISECOND)], changelogMode=[I])

            == State ==
            WindowAggregate(page) [b72751b0635d651b]: aggregates per page, until its window is complete
        "#]],
    );
    check(
        "SELECT page, dwell, window_start FROM TABLE(SESSION(TABLE clicks PARTITION BY page, DESCRIPTOR(ts), INTERVAL '5' SECOND)) WHERE page <> 'x' AND dwell > 3",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[page, dwell, window_start], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[page, dwell, window_start], where=[dwell > 3], changelogMode=[I])
               +- WindowTableFunction(window=[SESSION(time_col=[ts], gap=[5 s]), partition keys=[page]], changelogMode=[I])
                  +- Exchange(distribution=[hash[page]])
                     +- Calc(select=[page, dwell, ts], where=[page <> 'x'], changelogMode=[I])
                        +- TableSourceScan(table=[clicks], read=[page, dwell, ts], fields=[page, dwell, ts], watermark=[(ts - 5000:INTERVAL MILLISECOND)], changelogMode=[I])
        "#]],
    );
    check(
        "SELECT country, window_end, COUNT(*) FROM TABLE(SESSION(TABLE clicks PARTITION BY page, DESCRIPTOR(ts), INTERVAL '5' SECOND)) GROUP BY country, window_start, window_end",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[country, window_end, EXPR$2], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[country, window_end, $agg0 AS EXPR$2], changelogMode=[I])
               +- WindowAggregate(groupBy=[country], window=[SESSION(win_start=[window_start], win_end=[window_end], gap=[5 s])], select=[country, COUNT(*) AS $agg0, end('w$) AS window_end], changelogMode=[I])
                  +- Exchange(distribution=[hash[country]])
                     +- Calc(select=[country, window_start, window_end], changelogMode=[I])
                        +- WindowTableFunction(window=[SESSION(time_col=[ts], gap=[5 s]), partition keys=[page]], changelogMode=[I])
                           +- Exchange(distribution=[hash[page]])
                              +- TableSourceScan(table=[clicks], read=[page, country, ts], fields=[page, country, ts], watermark=[(ts - 5000:INTERVAL MILLISECOND)], changelogMode=[I])

            == State ==
            WindowAggregate(country) [159be6e96324c2f9]: aggregates per country, until its window is complete
        "#]],
    );
    check(
        "SELECT page, window_time FROM TABLE(SESSION(TABLE clicks, DESCRIPTOR(p), INTERVAL '5' SECOND))",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[page, window_time], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[page, window_time], changelogMode=[I])
               +- WindowTableFunction(window=[SESSION(time_col=[PROCTIME()], gap=[5 s])], changelogMode=[I])
                  +- Exchange(distribution=[single])
                     +- TableSourceScan(table=[clicks], read=[page], fields=[page], changelogMode=[I])
        "#]],
    );
    check(
        "SELECT page FROM (SELECT page, ROW_NUMBER() OVER (PARTITION BY window_start, window_end, page ORDER BY dwell DESC) AS n FROM TABLE(SESSION(TABLE clicks PARTITION BY page, DESCRIPTOR(ts), INTERVAL '5' SECOND))) WHERE n = 1",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[page], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[page], changelogMode=[I])
               +- WindowRank(window=[win_start=[window_start], win_end=[window_end]], rankType=[ROW_NUMBER], rankRange=[rankStart=1, rankEnd=1], partitionBy=[page], orderBy=[dwell DESC NULLS LAST], changelogMode=[I])
                  +- Exchange(distribution=[hash[page]])
                     +- Calc(select=[page, dwell, window_start, window_end], changelogMode=[I])
                        +- WindowTableFunction(window=[SESSION(time_col=[ts], gap=[5 s]), partition keys=[page]], changelogMode=[I])
                           +- Exchange(distribution=[hash[page]])
                              +- TableSourceScan(table=[clicks], read=[page, dwell, ts], fields=[page, dwell, ts], watermark=[(ts - 5000:INTERVAL MILLISECOND)], changelogMode=[I])

            == State ==
            WindowRank(page) [1981a04b2deef1af]: rows of rank 1 to 1 per page, until their window is complete
        "#]],
    );
    check(
        "SELECT page, COUNT(*) FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(p), INTERVAL '1' SECOND)) GROUP BY page, window_start, window_end",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[page, EXPR$1], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[page, $agg0 AS EXPR$1], changelogMode=[I])
               +- WindowAggregate(groupBy=[page], window=[TUMBLE(time_col=[PROCTIME()], size=[1 s])], select=[page, COUNT(*) AS $agg0], changelogMode=[I])
                  +- Exchange(distribution=[hash[page]])
                     +- TableSourceScan(table=[clicks], read=[page], fields=[page], changelogMode=[I])

            == State ==
            WindowAggregate(page) [3f128c7dace78ad2]: aggregates per page, until its window is complete
        "#]],
    );
    check(
        "SELECT page, MAX(window_start) FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY page, window_start, window_end",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[page, EXPR$1], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[page, $agg0 AS EXPR$1], changelogMode=[I])
               +- WindowAggregate(groupBy=[page], window=[TUMBLE(win_start=[window_start], win_end=[window_end], size=[1 s])], select=[page, MAX(window_start) AS $agg0], changelogMode=[I])
                  +- Exchange(distribution=[hash[page]])
                     +- Calc(select=[page, window_start, window_end], changelogMode=[I])
                        +- WindowTableFunction(window=[TUMBLE(time_col=[ts], size=[1 s])], changelogMode=[I])
                           +- TableSourceScan(table=[clicks], read=[page, ts], fields=[page, ts], watermark=[(ts - 5000:INTERVAL MILLISECOND)], changelogMode=[I])

            == State ==
            WindowAggregate(page) [d5221cf10f276c87]: aggregates per page, until its window is complete
        "#]],
    );
    check(
        "SELECT page, window_start FROM TABLE(HOP(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' SECOND, INTERVAL '2' SECOND))",
        expect![[r#"
        == Optimized Execution Plan ==
        Sink(table=[collect], fields=[page, window_start], parallelism=[1], changelogMode=[NONE])
        +- Calc(select=[page, window_start], changelogMode=[I])
           +- WindowTableFunction(window=[HOP(time_col=[ts], size=[2 s], slide=[1 s])], changelogMode=[I])
              +- TableSourceScan(table=[clicks], read=[page, ts], fields=[page, ts], watermark=[(ts - 5000:INTERVAL MILLISECOND)], changelogMode=[I])
    "#]],
    );
    check(
        "SELECT DISTINCT window_start, window_end, page FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' SECOND))",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[window_start, window_end, page], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[window_start, window_end, page], changelogMode=[I])
               +- GlobalWindowAggregate(groupBy=[page], window=[TUMBLE(time_col=[ts], size=[1 s])], select=[page, start('w$) AS window_start, end('w$) AS window_end], changelogMode=[I])
                  +- Exchange(distribution=[hash[page]])
                     +- LocalWindowAggregate(groupBy=[page], window=[TUMBLE(time_col=[ts], size=[1 s])], select=[page, start('w$) AS window_start, end('w$) AS window_end])
                        +- TableSourceScan(table=[clicks], read=[page, ts], fields=[page, ts], watermark=[(ts - 5000:INTERVAL MILLISECOND)], changelogMode=[I])

            == State ==
            WindowAggregate(page) [30f088d33a64bc09]: aggregates per page, until its window is complete
        "#]],
    );
}

#[test]
fn cascaded_windows() {
    check(
        "SELECT window_start, window_end, SUM(n) FROM TABLE(TUMBLE((SELECT rt, n FROM per_page), DESCRIPTOR(rt), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[window_start, window_end, EXPR$2], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[window_start, window_end, $agg0 AS EXPR$2], changelogMode=[I])
               +- GlobalWindowAggregate(window=[TUMBLE(time_col=[rt], size=[1 min])], select=[SUM(n) AS $agg0, start('w$) AS window_start, end('w$) AS window_end], changelogMode=[I])
                  +- Exchange(distribution=[single])
                     +- LocalWindowAggregate(window=[TUMBLE(time_col=[rt], size=[1 min])], select=[SUM(n) AS $agg0, start('w$) AS window_start, end('w$) AS window_end])
                        +- Calc(select=[$agg0 AS n, window_time AS rt], changelogMode=[I])
                           +- GlobalWindowAggregate(groupBy=[page], window=[TUMBLE(time_col=[ts], size=[10 s])], select=[page, COUNT(*) AS $agg0, rowtime('w$) AS window_time], changelogMode=[I])
                              +- Exchange(distribution=[hash[page]])
                                 +- LocalWindowAggregate(groupBy=[page], window=[TUMBLE(time_col=[ts], size=[10 s])], select=[page, COUNT(*) AS $agg0, rowtime('w$) AS window_time])
                                    +- TableSourceScan(table=[clicks], read=[page, ts], fields=[page, ts], watermark=[(ts - 5000:INTERVAL MILLISECOND)], changelogMode=[I])

            == State ==
            WindowAggregate(page) [56268fbbbe371a50]: aggregates per page, until its window is complete
            WindowAggregate() [e80d880ef85d5653]: aggregates, until its window is complete
        "#]],
    );
    check(
        "SELECT window_start, window_end, MAX(n) FROM per_page GROUP BY window_start, window_end",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[window_start, window_end, EXPR$2], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[window_start, window_end, $agg0 AS EXPR$2], changelogMode=[I])
               +- WindowAggregate(window=[TUMBLE(win_start=[window_start], win_end=[window_end], size=[10 s])], select=[MAX(n) AS $agg0, start('w$) AS window_start, end('w$) AS window_end], changelogMode=[I])
                  +- Exchange(distribution=[single])
                     +- Calc(select=[$agg0 AS n, window_start, window_end], changelogMode=[I])
                        +- GlobalWindowAggregate(groupBy=[page], window=[TUMBLE(time_col=[ts], size=[10 s])], select=[page, COUNT(*) AS $agg0, start('w$) AS window_start, end('w$) AS window_end], changelogMode=[I])
                           +- Exchange(distribution=[hash[page]])
                              +- LocalWindowAggregate(groupBy=[page], window=[TUMBLE(time_col=[ts], size=[10 s])], select=[page, COUNT(*) AS $agg0, start('w$) AS window_start, end('w$) AS window_end])
                                 +- TableSourceScan(table=[clicks], read=[page, ts], fields=[page, ts], watermark=[(ts - 5000:INTERVAL MILLISECOND)], changelogMode=[I])

            == State ==
            WindowAggregate(page) [15c3a1275c2daaad]: aggregates per page, until its window is complete
            WindowAggregate() [4a59ba7944b0fa0d]: aggregates, until its window is complete
        "#]],
    );
}

#[test]
fn window_top_n() {
    check(
        "SELECT page, n, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY n DESC, page) AS rn FROM per_page) WHERE rn <= 3",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[page, n, rn], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[page, n, $rank AS rn], changelogMode=[I])
               +- WindowRank(window=[win_start=[window_start], win_end=[window_end]], rankType=[ROW_NUMBER], rankRange=[rankStart=1, rankEnd=3], orderBy=[n DESC NULLS LAST, page ASC NULLS FIRST], rank=[$rank], changelogMode=[I])
                  +- Exchange(distribution=[single])
                     +- Calc(select=[page, window_start, window_end, $agg0 AS n], changelogMode=[I])
                        +- GlobalWindowAggregate(groupBy=[page], window=[TUMBLE(time_col=[ts], size=[10 s])], select=[page, COUNT(*) AS $agg0, start('w$) AS window_start, end('w$) AS window_end], changelogMode=[I])
                           +- Exchange(distribution=[hash[page]])
                              +- LocalWindowAggregate(groupBy=[page], window=[TUMBLE(time_col=[ts], size=[10 s])], select=[page, COUNT(*) AS $agg0, start('w$) AS window_start, end('w$) AS window_end])
                                 +- TableSourceScan(table=[clicks], read=[page, ts], fields=[page, ts], watermark=[(ts - 5000:INTERVAL MILLISECOND)], changelogMode=[I])

            == State ==
            WindowAggregate(page) [15c3a1275c2daaad]: aggregates per page, until its window is complete
            WindowRank() [11f93b02553ceb1a]: rows of rank 1 to 3, until their window is complete
        "#]],
    );
    check(
        "SELECT country, page FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end, country ORDER BY dwell + 1) AS rn
         FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '10' SECOND))) WHERE rn = 1 AND page <> 'x'",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[country, page], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[country, page], where=[page <> 'x'], changelogMode=[I])
               +- WindowRank(window=[win_start=[window_start], win_end=[window_end]], rankType=[ROW_NUMBER], rankRange=[rankStart=1, rankEnd=1], partitionBy=[country], orderBy=[$k11 ASC NULLS FIRST], changelogMode=[I])
                  +- Exchange(distribution=[hash[country]])
                     +- Calc(select=[page, country, window_start, window_end, (dwell + 1) AS $k11], changelogMode=[I])
                        +- WindowTableFunction(window=[TUMBLE(time_col=[ts], size=[10 s])], changelogMode=[I])
                           +- TableSourceScan(table=[clicks], read=[page, country, dwell, ts], fields=[page, country, dwell, ts], watermark=[(ts - 5000:INTERVAL MILLISECOND)], changelogMode=[I])

            == State ==
            WindowRank(country) [f083ae64423bded8]: rows of rank 1 to 1 per country, until their window is complete
        "#]],
    );
    check(
        "SELECT page FROM (SELECT page, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY COUNT(*) DESC) AS rn
         FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY page, window_start, window_end) WHERE rn BETWEEN 2 AND 4",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[page], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[page], changelogMode=[I])
               +- WindowRank(window=[win_start=[window_start], win_end=[window_end]], rankType=[ROW_NUMBER], rankRange=[rankStart=2, rankEnd=4], orderBy=[$agg0 DESC NULLS LAST], changelogMode=[I])
                  +- Exchange(distribution=[single])
                     +- GlobalWindowAggregate(groupBy=[page], window=[TUMBLE(time_col=[ts], size=[10 s])], select=[page, COUNT(*) AS $agg0, start('w$) AS window_start, end('w$) AS window_end], changelogMode=[I])
                        +- Exchange(distribution=[hash[page]])
                           +- LocalWindowAggregate(groupBy=[page], window=[TUMBLE(time_col=[ts], size=[10 s])], select=[page, COUNT(*) AS $agg0, start('w$) AS window_start, end('w$) AS window_end])
                              +- TableSourceScan(table=[clicks], read=[page, ts], fields=[page, ts], watermark=[(ts - 5000:INTERVAL MILLISECOND)], changelogMode=[I])

            == State ==
            WindowAggregate(page) [15c3a1275c2daaad]: aggregates per page, until its window is complete
            WindowRank() [6a2fc7f02dd86d25]: rows of rank 1 to 4, until their window is complete
        "#]],
    );
}

#[test]
fn statement_sets_share_what_they_read() {
    check(
        "EXECUTE STATEMENT SET BEGIN
           INSERT INTO pairs SELECT page, user_id FROM clicks WHERE dwell > 1;
           INSERT INTO pairs SELECT country, 1 FROM clicks;
           INSERT INTO pairs SELECT page, n FROM per_page;
           INSERT INTO pairs SELECT page, n + 1 FROM per_page;
         END",
        expect![[r#"
            == Optimized Execution Plan ==
            TableSourceScan(table=[clicks], read=[user_id, page, country, dwell, ts], fields=[user_id, page, country, dwell, ts], watermark=[(ts - 5000:INTERVAL MILLISECOND)], changelogMode=[I])
                (reuse_id=[1])

            GlobalWindowAggregate(groupBy=[page], window=[TUMBLE(time_col=[ts], size=[10 s])], select=[page, COUNT(*) AS $agg0], changelogMode=[I])
            +- Exchange(distribution=[hash[page]])
               +- LocalWindowAggregate(groupBy=[page], window=[TUMBLE(time_col=[ts], size=[10 s])], select=[page, COUNT(*) AS $agg0])
                  +- Calc(select=[page, ts], changelogMode=[I])
                     +- Reused(reference_id=[1])
                (reuse_id=[2])

            Sink(table=[pairs], fields=[k, n], changelogMode=[NONE])
            +- Calc(select=[page AS k, user_id AS n], where=[dwell > 1], changelogMode=[I])
               +- Reused(reference_id=[1])

            Sink(table=[pairs-2], fields=[k, n], changelogMode=[NONE])
            +- Calc(select=[country AS k, 1 AS n], changelogMode=[I])
               +- Reused(reference_id=[1])

            Sink(table=[pairs-3], fields=[k, n], changelogMode=[NONE])
            +- Calc(select=[page AS k, $agg0 AS n], changelogMode=[I])
               +- Reused(reference_id=[2])

            Sink(table=[pairs-4], fields=[k, n], changelogMode=[NONE])
            +- Calc(select=[page AS k, ($agg0 + 1) AS n], changelogMode=[I])
               +- Reused(reference_id=[2])

            == State ==
            WindowAggregate(page) [9486723d4b5043ab]: aggregates per page, until its window is complete
        "#]],
    );
}

#[test]
fn nexmark() {
    expect![[r#"
        == Optimized Execution Plan ==
        Sink(table=[q0], fields=[auction, bidder, price, dateTime, extra], changelogMode=[NONE])
        +- Calc(select=[bid.auction AS auction, bid.bidder AS bidder, bid.price AS price, dateTime, bid.extra AS extra], changelogMode=[I])
           +- TableSourceScan(table=[nexmark], read=[event_type, bid(auction, bidder, price, dateTime, extra)], filter=[event_type = 2], fields=[bid, bid.dateTime AS dateTime], changelogMode=[I])
        == Optimized Execution Plan ==
        Sink(table=[q0], fields=[auction, bidder, price, dateTime, extra], changelogMode=[NONE])
        +- Calc(select=[bid.auction AS auction, bid.bidder AS bidder, CAST((0.908 * CAST(bid.price AS DECIMAL(19, 0))) AS BIGINT) AS price, dateTime, bid.extra AS extra], changelogMode=[I])
           +- TableSourceScan(table=[nexmark], read=[event_type, bid(auction, bidder, price, dateTime, extra)], filter=[event_type = 2], fields=[bid, bid.dateTime AS dateTime], changelogMode=[I])
        == Optimized Execution Plan ==
        Sink(table=[q2], fields=[auction, price], changelogMode=[NONE])
        +- Calc(select=[bid.auction AS auction, bid.price AS price], where=[(bid.auction % 123) = 0], changelogMode=[I])
           +- TableSourceScan(table=[nexmark], read=[event_type, bid(auction, price)], filter=[event_type = 2], fields=[bid], changelogMode=[I])
        == Optimized Execution Plan ==
        Sink(table=[q5], fields=[auction, n], changelogMode=[NONE])
        +- Calc(select=[auction, $agg0 AS n], changelogMode=[I])
           +- GlobalWindowAggregate(groupBy=[auction], window=[HOP(time_col=[dateTime], size=[10 s], slide=[2 s])], select=[auction, COUNT(*) AS $agg0], changelogMode=[I])
              +- Exchange(distribution=[hash[auction]])
                 +- LocalWindowAggregate(groupBy=[auction], window=[HOP(time_col=[dateTime], size=[10 s], slide=[2 s])], select=[auction, COUNT(*) AS $agg0])
                    +- Calc(select=[bid.auction AS auction, dateTime], changelogMode=[I])
                       +- TableSourceScan(table=[nexmark], read=[event_type, bid(auction, dateTime)], filter=[event_type = 2], fields=[bid, bid.dateTime AS dateTime], watermark=[(dateTime - 4000:INTERVAL MILLISECOND)], changelogMode=[I])

        == State ==
        WindowAggregate(auction) [ff8d264f196d2367]: aggregates per auction, until its window is complete
        == Optimized Execution Plan ==
        Sink(table=[q5], fields=[auction, n], changelogMode=[NONE])
        +- Calc(select=[bidder AS auction, $agg0 AS n], changelogMode=[I])
           +- WindowAggregate(groupBy=[bidder], window=[SESSION(time_col=[dateTime], gap=[10 s])], select=[bidder, COUNT(*) AS $agg0], changelogMode=[I])
              +- Exchange(distribution=[hash[bidder]])
                 +- Calc(select=[bid.bidder AS bidder, dateTime], changelogMode=[I])
                    +- TableSourceScan(table=[nexmark], read=[event_type, bid(bidder, dateTime)], filter=[event_type = 2], fields=[bid, bid.dateTime AS dateTime], watermark=[(dateTime - 4000:INTERVAL MILLISECOND)], changelogMode=[I])

        == State ==
        WindowAggregate(bidder) [c4121ecf67643607]: aggregates per bidder, until its window is complete
        == Optimized Execution Plan ==
        TableSourceScan(table=[nexmark], read=[event_type, person(id, dateTime), auction(dateTime), bid(auction, price, dateTime)], filter=[(event_type = 2) OR (event_type = 0)], fields=[event_type, person, bid, CASE WHEN event_type = 0 THEN person.dateTime WHEN event_type = 1 THEN auction.dateTime ELSE bid.dateTime END AS dateTime], watermark=[(dateTime - 4000:INTERVAL MILLISECOND)], changelogMode=[I])
            (reuse_id=[1])

        Sink(table=[q2], fields=[auction, price], changelogMode=[NONE])
        +- Calc(select=[bid.auction AS auction, bid.price AS price], where=[(event_type = 2) AND (bid.price > 100)], changelogMode=[I])
           +- Reused(reference_id=[1])

        Sink(table=[q5], fields=[auction, n], changelogMode=[NONE])
        +- Calc(select=[person.id AS auction, 1 AS n], where=[event_type = 0], changelogMode=[I])
           +- Reused(reference_id=[1])

        Sink(table=[q5-2], fields=[auction, n], changelogMode=[NONE])
        +- Calc(select=[auction, num AS n], changelogMode=[I])
           +- WindowRank(window=[win_start=[window_start], win_end=[window_end]], rankType=[ROW_NUMBER], rankRange=[rankStart=1, rankEnd=3], orderBy=[num DESC NULLS LAST], changelogMode=[I])
              +- Exchange(distribution=[single])
                 +- Calc(select=[auction, window_start, window_end, $agg0 AS num], changelogMode=[I])
                    +- GlobalWindowAggregate(groupBy=[auction], window=[HOP(time_col=[dateTime], size=[10 s], slide=[2 s])], select=[auction, COUNT(*) AS $agg0, start('w$) AS window_start, end('w$) AS window_end], changelogMode=[I])
                       +- Exchange(distribution=[hash[auction]])
                          +- LocalWindowAggregate(groupBy=[auction], window=[HOP(time_col=[dateTime], size=[10 s], slide=[2 s])], select=[auction, COUNT(*) AS $agg0, start('w$) AS window_start, end('w$) AS window_end])
                             +- Calc(select=[bid.auction AS auction, dateTime], where=[event_type = 2], changelogMode=[I])
                                +- Reused(reference_id=[1])

        == State ==
        WindowAggregate(auction) [2600df894bc3d229]: aggregates per auction, until its window is complete
        WindowRank() [22e752155365b66d]: rows of rank 1 to 3, until their window is complete
    "#]].assert_eq(&plan(include_str!("scripts/nexmark.sql")));
}

#[test]
fn answers() {
    check(
        "SHOW TABLES; SHOW VIEWS; DESCRIBE clicks; DESCRIBE per_page; SHOW CREATE VIEW german",
        expect![[r#"
            table name
            clicks
            german
            pairs
            per_page
            view name
            german
            per_page
            name | type | null | key | extras | watermark
            user_id | BIGINT | FALSE |  |  | 
            page | STRING | TRUE |  |  | 
            country | STRING | TRUE |  |  | 
            dwell | INT | TRUE |  |  | 
            ts | TIMESTAMP(3) *ROWTIME* | TRUE |  |  | `ts` - INTERVAL '5' SECOND
            item | ROW<`id` INT, `name` STRING, `size` ROW<`w` INT, `h` INT>> | TRUE |  |  | 
            p | TIMESTAMP_LTZ(3) *PROCTIME* | FALSE |  | AS PROCTIME() | 
            half | INT | TRUE |  | AS `dwell` / 2 | 
            name | type | null | key | extras | watermark
            page | STRING | TRUE |  |  | 
            window_start | TIMESTAMP(3) | FALSE |  |  | 
            window_end | TIMESTAMP(3) | FALSE |  |  | 
            rt | TIMESTAMP(3) *ROWTIME* | FALSE |  |  | 
            n | BIGINT | FALSE |  |  | 
            result
            CREATE VIEW `default_catalog`.`default_database`.`german` (
              `user_id`,
              `page`,
              `dwell`,
              `ts`
            )
            AS SELECT user_id, page, dwell, ts FROM clicks WHERE country = 'de'

        "#]],
    );
}
