//! `TO_CHANGELOG` and `FROM_CHANGELOG`: their plans, and what they refuse.

use expect_test::{Expect, expect};

use super::plan;

const TABLES: &str = "
CREATE TABLE orders (id INT, k STRING, v INT, PRIMARY KEY (id) NOT ENFORCED)
  WITH ('connector' = 'upsert-kafka', 'topic' = 'orders', 'properties.bootstrap.servers' = 'k:9092',
        'key.format' = 'json', 'value.format' = 'json');
CREATE TABLE log (op STRING, id INT, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts)
  WITH ('connector' = 'datagen');
CREATE TABLE sums (k STRING, s INT, PRIMARY KEY (k) NOT ENFORCED) WITH ('connector' = 'print');
";

fn check(sql: &str, expected: Expect) {
    expected.assert_eq(&plan(&format!("{TABLES}{sql}")));
}

fn refused(sql: &str, message: &str) {
    let error = plan(&format!("{TABLES}{sql}"));
    assert!(error.contains(message), "{sql}: {error}");
}

#[test]
fn a_log_of_changes_has_all_of_them_and_all_columns() {
    check(
        "SELECT op, v FROM TO_CHANGELOG(input => TABLE orders) WHERE v > 1",
        expect![[r#"
        == Optimized Execution Plan ==
        Sink(table=[collect], fields=[op, v], parallelism=[1], changelogMode=[NONE])
        +- Calc(select=[op, v], where=[v > 1], changelogMode=[I])
           +- ProcessTableFunction(invocation=[TO_CHANGELOG(TABLE(#0), DESCRIPTOR(op), MAP['INSERT', 'INSERT', 'UPDATE_BEFORE', 'UPDATE_BEFORE', 'UPDATE_AFTER', 'UPDATE_AFTER', 'DELETE', 'DELETE'])], select=[op, id, k, v], changelogMode=[I])
              +- ChangelogNormalize(key=[id], changelogMode=[I,UB,UA,D])
                 +- Exchange(distribution=[hash[id]])
                    +- TableSourceScan(table=[orders], read=[id, k, v], fields=[id, k, v], changelogMode=[I,UA,D])

        == State ==
        ChangelogNormalize(id) [f7275690004e6475]: one row per id, for ever
    "#]],
    );
    check(
        "SELECT * FROM TO_CHANGELOG(input => (SELECT k, COUNT(*) AS c FROM orders GROUP BY k), op => DESCRIPTOR(kind), op_mapping => MAP['INSERT, UPDATE_AFTER', 'put', 'DELETE', 'drop'])",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[kind, k, c], parallelism=[1], changelogMode=[NONE])
            +- ProcessTableFunction(invocation=[TO_CHANGELOG(TABLE(#0), DESCRIPTOR(kind), MAP['INSERT', 'put', 'UPDATE_AFTER', 'put', 'DELETE', 'drop'])], select=[kind, k, c], changelogMode=[I])
               +- Calc(select=[k, $agg0 AS c], changelogMode=[I,UA,D])
                  +- GroupAggregate(groupBy=[k], select=[k, COUNT(*) AS $agg0], changelogMode=[I,UA,D])
                     +- Exchange(distribution=[hash[k]])
                        +- Calc(select=[k], changelogMode=[I,UB,UA,D])
                           +- ChangelogNormalize(key=[id], changelogMode=[I,UB,UA,D])
                              +- Exchange(distribution=[hash[id]])
                                 +- TableSourceScan(table=[orders], read=[id, k], fields=[id, k], changelogMode=[I,UA,D])

            == State ==
            ChangelogNormalize(id) [f7275690004e6475]: one row per id, for ever
            GroupAggregate(k) [905ccf32c13237d5]: aggregates per k, for ever
        "#]],
    );
    // Of rows that are only inserted, with an event time of its own.
    check(
        "SELECT * FROM TO_CHANGELOG(input => TABLE log, op => DESCRIPTOR(kind), on_time => DESCRIPTOR(ts), uid => 'a-1')",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[kind, op, id, v, ts, rowtime], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[kind, op, id, v, ts, ts AS rowtime], changelogMode=[I])
               +- ProcessTableFunction(invocation=[TO_CHANGELOG(TABLE(#0), DESCRIPTOR(kind), MAP['INSERT', 'INSERT', 'UPDATE_BEFORE', 'UPDATE_BEFORE', 'UPDATE_AFTER', 'UPDATE_AFTER', 'DELETE', 'DELETE'])], select=[kind, op, id, v, ts], changelogMode=[I])
                  +- TableSourceScan(table=[log], read=[op, id, v, ts], fields=[op, id, v, ts], watermark=[ts], changelogMode=[I])
        "#]],
    );
}

#[test]
fn changes_of_rows_are_those_of_a_table() {
    check(
        "INSERT INTO sums SELECT op_2, SUM(v) FROM (SELECT *, CAST(id AS STRING) AS op_2 FROM FROM_CHANGELOG(input => TABLE log)) GROUP BY op_2",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[sums], fields=[k, s], changelogMode=[NONE])
            +- Calc(select=[op_2 AS k, $agg0 AS s], changelogMode=[I,UB,UA,D])
               +- GroupAggregate(groupBy=[op_2], select=[op_2, SUM(v) AS $agg0], changelogMode=[I,UB,UA,D])
                  +- Exchange(distribution=[hash[op_2]])
                     +- Calc(select=[CAST(id AS STRING) AS op_2, v], changelogMode=[I,UB,UA,D])
                        +- ProcessTableFunction(invocation=[FROM_CHANGELOG(TABLE(#0), DESCRIPTOR(op), MAP['INSERT', 'INSERT', 'UPDATE_BEFORE', 'UPDATE_BEFORE', 'UPDATE_AFTER', 'UPDATE_AFTER', 'DELETE', 'DELETE'])], select=[id, v], changelogMode=[I,UB,UA,D])
                           +- TableSourceScan(table=[log], read=[op, id, v], fields=[op, id, v], changelogMode=[I])

            == State ==
            GroupAggregate(op_2) [923e02d54428d225]: aggregates per op_2, for ever
        "#]],
    );
    check(
        "SELECT COUNT(*) FROM FROM_CHANGELOG(TABLE log, DEFAULT, MAP['c, r', 'INSERT', 'd', 'DELETE'])",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[EXPR$0], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[$agg0 AS EXPR$0], changelogMode=[I,UB,UA,D])
               +- GroupAggregate(select=[COUNT(*) AS $agg0], changelogMode=[I,UB,UA,D])
                  +- Exchange(distribution=[single])
                     +- Calc(select=[TRUE AS $row], changelogMode=[I,UB,UA,D])
                        +- ProcessTableFunction(invocation=[FROM_CHANGELOG(TABLE(#0), DESCRIPTOR(op), MAP['c', 'INSERT', 'r', 'INSERT', 'd', 'DELETE'])], select=[id], changelogMode=[I,UB,UA,D])
                           +- TableSourceScan(table=[log], read=[op, id], fields=[op, id], changelogMode=[I])

            == State ==
            GroupAggregate() [f9f113e9217639d4]: aggregates, for ever
        "#]],
    );
    check(
        "CREATE VIEW x AS SELECT * FROM FROM_CHANGELOG(input => TABLE log); SELECT window_start, SUM(v) FROM TABLE(TUMBLE(TABLE x, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[window_start, EXPR$1], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[window_start, $agg0 AS EXPR$1], changelogMode=[I])
               +- WindowAggregate(window=[TUMBLE(time_col=[ts], size=[1 min])], select=[SUM(v) AS $agg0, start('w$) AS window_start], changelogMode=[I])
                  +- Exchange(distribution=[single])
                     +- ProcessTableFunction(invocation=[FROM_CHANGELOG(TABLE(#0), DESCRIPTOR(op), MAP['INSERT', 'INSERT', 'UPDATE_BEFORE', 'UPDATE_BEFORE', 'UPDATE_AFTER', 'UPDATE_AFTER', 'DELETE', 'DELETE'])], select=[v, ts], changelogMode=[I,UB,UA,D])
                        +- TableSourceScan(table=[log], read=[op, v, ts], fields=[op, v, ts], watermark=[ts], changelogMode=[I])

            == State ==
            WindowAggregate() [cc90c8b8daa802da]: aggregates, until its window is complete
        "#]],
    );
}

#[test]
fn arguments_that_do_not_fit_are_named() {
    let to = |args: &str| format!("SELECT * FROM TO_CHANGELOG({args})");
    let from = |args: &str| format!("SELECT * FROM FROM_CHANGELOG({args})");
    refused(&to(""), "TO_CHANGELOG has the wrong arguments");
    refused(&to("input => TABLE orders, nope => 1"), "TO_CHANGELOG has no parameter nope");
    refused(&to("input => TABLE orders PARTITION BY id"), "TO_CHANGELOG takes no PARTITION BY");
    refused(&to("input => TABLE orders, op => DESCRIPTOR(a, b)"), "names exactly one column");
    refused(&to("input => TABLE orders, op => DESCRIPTOR(k)"), "has a column 'k' of its own");
    refused(
        &to("input => TABLE orders, op_mapping => MAP['insert', 'I']"),
        "'insert' is no change operation",
    );
    refused(
        &to("input => TABLE orders, op_mapping => MAP['INSERT', 'I', 'INSERT, DELETE', 'J']"),
        "names the change operation INSERT twice",
    );
    refused(
        &to("input => TABLE orders, op_mapping => MAP['INSERT', 1]"),
        "must be a constant map of texts",
    );
    refused(&to("input => TABLE orders, uid => '1 2'"), "uid of TO_CHANGELOG is no identifier");
    refused(
        &to("input => TABLE orders, on_time => DESCRIPTOR(v)"),
        "must name an event-time column",
    );
    refused(&from("input => TABLE orders"), "the op column 'op' does not exist");
    refused(&from("input => TABLE log, op => DESCRIPTOR(v)"), "must be of STRING type");
    refused(&from("input => (SELECT op FROM log)"), "has no column but 'op'");
    refused(
        &from("input => TABLE log, op_mapping => MAP['c', 'INSERT', 'u', 'UPDATE_AFTER']"),
        "names UPDATE_AFTER without UPDATE_BEFORE",
    );
    refused(
        &from("input => TABLE log, op_mapping => MAP['c, c', 'INSERT']"),
        "names the code 'c' twice",
    );
    refused(
        &from("input => TABLE log, op_mapping => MAP['c', 'INSERT', 'r', 'INSERT']"),
        "names the change operation INSERT twice",
    );
    refused(
        &from("input => TABLE log, on_time => DESCRIPTOR(ts)"),
        "on_time is for inserted rows only",
    );
    refused(
        &from("input => TABLE orders, op => DESCRIPTOR(k)"),
        "ProcessTableFunction reads inserted rows only",
    );
    refused(
        &to(
            "input => (SELECT id, ts FROM FROM_CHANGELOG(input => TABLE log)), on_time => DESCRIPTOR(ts)",
        ),
        "on_time is for inserted rows only",
    );
}

#[test]
fn a_default_stands_for_an_argument_and_for_no_value() {
    refused("INSERT INTO sums VALUES ('a', DEFAULT)", "DEFAULT stands only for an argument");
    refused("SELECT UPPER(DEFAULT)", "columns have no default values");
    // A column may have the name.
    let named = plan("SELECT `DEFAULT` FROM (SELECT 1 AS `DEFAULT`) AS t");
    assert!(named.contains("fields=[DEFAULT]"), "{named}");
}
