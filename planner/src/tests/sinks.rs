//! Where changes meet the key of a sink: ON CONFLICT, and what brings them into order.

use expect_test::{Expect, expect};

use super::plan;

const TABLES: &str = "CREATE TABLE t (a INT, b STRING) WITH ('connector' = 'datagen');
CREATE TABLE k (n BIGINT NOT NULL, b STRING, PRIMARY KEY (n) NOT ENFORCED) WITH ('connector' = 'upsert-kafka', 'topic' = 'k', 'properties.bootstrap.servers' = 'localhost:9092', 'key.format' = 'json', 'value.format' = 'json');
";

/// An INSERT of counts by their value: rows of other groups meet in the table's key.
const COUNTS: &str = "INSERT INTO k SELECT COUNT(*) AS n, b FROM t GROUP BY b";

fn check(settings: &[(&str, &str)], insert: &str, expected: Expect) {
    let settings: String =
        settings.iter().map(|(key, value)| format!("SET '{key}' = '{value}';")).collect();
    expected.assert_eq(&plan(&format!("{TABLES}{settings}{insert}")));
}

#[test]
fn rows_that_meet_in_a_key_are_brought_into_order() {
    check(
        &[],
        COUNTS,
        expect![[r#"
        == Optimized Execution Plan ==
        Sink(table=[k], fields=[n, b], changelogMode=[NONE])
        +- SinkMaterializer(key=[n], changelogMode=[I,UA,D])
           +- Exchange(distribution=[hash[n]])
              +- Calc(select=[$agg0 AS n, b], changelogMode=[I,UB,UA])
                 +- GroupAggregate(groupBy=[b], select=[b, COUNT(*) AS $agg0], changelogMode=[I,UB,UA])
                    +- Exchange(distribution=[hash[b]])
                       +- TableSourceScan(table=[t], read=[b], fields=[b], changelogMode=[I])

        == State ==
        GroupAggregate(b) [ae75dcb4cc1f81d3]: aggregates per b, for ever
        SinkMaterializer(n) [50baafa7e9872998]: all rows per n, for ever
    "#]],
    );
    check(
        &[("table.exec.sink.upsert-materialize", "NONE")],
        COUNTS,
        expect![[r#"
        == Optimized Execution Plan ==
        Sink(table=[k], fields=[n, b], changelogMode=[NONE])
        +- Calc(select=[$agg0 AS n, b], changelogMode=[I,UA])
           +- GroupAggregate(groupBy=[b], select=[b, COUNT(*) AS $agg0], changelogMode=[I,UA])
              +- Exchange(distribution=[hash[b]])
                 +- TableSourceScan(table=[t], read=[b], fields=[b], changelogMode=[I])

        == State ==
        GroupAggregate(b) [ae75dcb4cc1f81d3]: aggregates per b, for ever
    "#]],
    );
    let always = &[("table.exec.sink.upsert-materialize", "FORCE")];
    check(
        always,
        "INSERT INTO k SELECT n, MAX(b) FROM (SELECT COUNT(*) AS n, b FROM t GROUP BY b) GROUP BY n",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[k], fields=[n, b], changelogMode=[NONE])
            +- SinkMaterializer(key=[n], changelogMode=[I,UA,D])
               +- Exchange(distribution=[hash[n]])
                  +- Calc(select=[n, $agg0 AS b], changelogMode=[I,UB,UA,D])
                     +- GroupAggregate(groupBy=[n], select=[n, MAX(b) AS $agg0], changelogMode=[I,UB,UA,D])
                        +- Exchange(distribution=[hash[n]])
                           +- Calc(select=[$agg0 AS n, b], changelogMode=[I,UB,UA])
                              +- GroupAggregate(groupBy=[b], select=[b, COUNT(*) AS $agg0], changelogMode=[I,UB,UA])
                                 +- Exchange(distribution=[hash[b]])
                                    +- TableSourceScan(table=[t], read=[b], fields=[b], changelogMode=[I])

            == State ==
            GroupAggregate(b) [ae75dcb4cc1f81d3]: aggregates per b, for ever
            GroupAggregate(n) [5bf3765eb32c2451]: aggregates per n, for ever
            SinkMaterializer(n) [f4f3280c228b6112]: all rows per n, for ever
        "#]],
    );
}

#[test]
fn on_conflict_says_which_row_is_in_the_table() {
    check(
        &[],
        &format!("{COUNTS} ON CONFLICT DO DEDUPLICATE"),
        expect![[r#"
        == Optimized Execution Plan ==
        Sink(table=[k], fields=[n, b], changelogMode=[NONE])
        +- SinkMaterializer(key=[n], changelogMode=[I,UA,D])
           +- Exchange(distribution=[hash[n]])
              +- Calc(select=[$agg0 AS n, b], changelogMode=[I,UB,UA])
                 +- GroupAggregate(groupBy=[b], select=[b, COUNT(*) AS $agg0], changelogMode=[I,UB,UA])
                    +- Exchange(distribution=[hash[b]])
                       +- TableSourceScan(table=[t], read=[b], fields=[b], changelogMode=[I])

        == State ==
        GroupAggregate(b) [ae75dcb4cc1f81d3]: aggregates per b, for ever
        SinkMaterializer(n) [50baafa7e9872998]: all rows per n, for ever
    "#]],
    );
    check(
        &[],
        &format!("{COUNTS} ON CONFLICT DO ERROR"),
        expect![[r#"
        UNSUPPORTED ON CONFLICT DO ERROR and DO NOTHING are not supported yet (line 3, column 57)
          help: use ON CONFLICT DO DEDUPLICATE
    "#]],
    );
    check(
        &[],
        &format!("{COUNTS} ON CONFLICT DO UPDATE"),
        expect![[r#"
        SQL_SYNTAX expected DEDUPLICATE, ERROR or NOTHING, found UPDATE (line 3, column 72)
    "#]],
    );
    let added = "INSERT INTO k SELECT a, b FROM t ON CONFLICT DO NOTHING";
    check(
        &[],
        added,
        expect![[r#"
        SQL_SEMANTIC ON CONFLICT: rows are only added to table 'k' (line 3, column 34)
          help: leave it out
    "#]],
    );
    let required = &[("table.exec.sink.require-on-conflict", "true")];
    check(
        required,
        COUNTS,
        expect![[r#"
        SQL_SEMANTIC the changes that go into table 'k' are by another key than its PRIMARY KEY, so that rows can meet in it (line 3, column 52)
          help: write ON CONFLICT DO DEDUPLICATE behind the query: the last row is in the table
    "#]],
    );
}
