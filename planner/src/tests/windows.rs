//! Windows over rows that change, early and late results, late rows into a table.

use expect_test::{Expect, expect};

use super::plan;

const TABLES: &str = "
CREATE TABLE t (id BIGINT, k STRING, v INT, note STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'datagen');
CREATE TABLE ch (id INT NOT NULL, k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts, PRIMARY KEY (id) NOT ENFORCED)
  WITH ('connector' = 'filesystem', 'path' = '/x', 'format' = 'debezium-json');
CREATE TABLE out (k STRING, c BIGINT) WITH ('connector' = 'print');
CREATE TABLE late (note STRING, id BIGINT, v BIGINT) WITH ('connector' = 'print');
";

const EARLY: &str = "SET 'table.exec.emit.early-fire.enabled' = 'true'; SET 'table.exec.emit.early-fire.delay' = '5 s';";
const LATE: &str = "SET 'table.exec.emit.late-fire.enabled' = 'true'; SET 'table.exec.emit.late-fire.delay' = '0 ms'; SET 'table.exec.emit.allow-lateness' = '1 min';";
const ROWS: &str = "SET 'table.exec.late-rows.table' = 'late';";

fn check(sql: &str, expected: Expect) {
    expected.assert_eq(&plan(&format!("{TABLES}{sql}")));
}

#[test]
fn windows_over_changes_are_final() {
    check(
        "SELECT k, SUM(v) AS s, window_end FROM TABLE(HOP(TABLE ch, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '15' SECOND)) GROUP BY k, window_start, window_end",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[k, s, window_end], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[k, $agg0 AS s, window_end], changelogMode=[I])
               +- WindowAggregate(groupBy=[k], window=[HOP(time_col=[ts], size=[15 s], slide=[5 s])], select=[k, SUM(v) AS $agg0, end('w$) AS window_end], changelogMode=[I])
                  +- Exchange(distribution=[hash[k]])
                     +- Calc(select=[k, v, ts], changelogMode=[I,UB,UA,D])
                        +- TableSourceScan(table=[ch], read=[id, k, v, ts], fields=[id, k, v, ts], watermark=[ts], changelogMode=[I,UB,UA,D])

            == State ==
            WindowAggregate(k) [16bea6051f5adf41]: aggregates per k, until its window is complete
        "#]],
    );
    check(
        "SELECT * FROM TABLE(TUMBLE(TABLE ch, DESCRIPTOR(ts), INTERVAL '5' SECOND))",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[id, k, v, ts, window_start, window_end, window_time], parallelism=[1], changelogMode=[NONE])
            +- WindowTableFunction(window=[TUMBLE(time_col=[ts], size=[5 s])], changelogMode=[I,UB,UA,D])
               +- TableSourceScan(table=[ch], read=[id, k, v, ts], fields=[id, k, v, ts], watermark=[ts], changelogMode=[I,UB,UA,D])
        "#]],
    );
    check(
        "SELECT * FROM TABLE(SESSION(TABLE ch PARTITION BY k, DESCRIPTOR(ts), INTERVAL '5' SECOND))",
        expect![[r#"
            UNSUPPORTED WindowTableFunction reads inserted rows only, but Source(ch) updates or deletes rows that it has sent (line 7, column 1)
              help: aggregate by the session's window_start, window_end and exactly the columns of PARTITION BY
        "#]],
    );
}

#[test]
fn early_and_late_results_are_updates() {
    let window = "GROUP BY k, TUMBLE(ts, INTERVAL '10' SECOND)";
    check(
        &format!(
            "{EARLY}{LATE} SELECT k, COUNT(*) AS c, TUMBLE_START(ts, INTERVAL '10' SECOND) AS ws FROM t {window}"
        ),
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[k, c, ws], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[k, $agg0 AS c, window_start AS ws], changelogMode=[I,UB,UA])
               +- WindowAggregate(groupBy=[k], window=[TUMBLE(time_col=[ts], size=[10 s])], select=[k, COUNT(*) AS $agg0, start('w$) AS window_start], emit=[early delay 5000 millisecond, late no delay], changelogMode=[I,UB,UA])
                  +- Exchange(distribution=[hash[k]])
                     +- TableSourceScan(table=[t], read=[k, ts], fields=[k, ts], watermark=[ts], changelogMode=[I])

            == State ==
            WindowAggregate(k) [0a444ce4cd4debae]: aggregates per k, until 60000 ms after its window is complete
        "#]],
    );
    check(
        &format!(
            "{LATE} SELECT k, COUNT(*) AS c FROM ch GROUP BY k, HOP(ts, INTERVAL '4' SECOND, INTERVAL '10' SECOND)"
        ),
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[k, c], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[k, $agg0 AS c], changelogMode=[I,UB,UA,D])
               +- WindowAggregate(groupBy=[k], window=[HOP(time_col=[ts], size=[10 s], slide=[4 s])], select=[k, COUNT(*) AS $agg0], emit=[late no delay], changelogMode=[I,UB,UA,D])
                  +- Exchange(distribution=[hash[k]])
                     +- Calc(select=[k, ts], changelogMode=[I,UB,UA,D])
                        +- TableSourceScan(table=[ch], read=[id, k, ts], fields=[id, k, ts], watermark=[ts], changelogMode=[I,UB,UA,D])

            == State ==
            WindowAggregate(k) [649991c607ffd2de]: aggregates per k, until 60000 ms after its window is complete
        "#]],
    );
    check(
        &format!("{EARLY} INSERT INTO late SELECT k, COUNT(*), 1 FROM t {window}"),
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[late], fields=[note, id, v], changelogMode=[NONE])
            +- Calc(select=[k AS note, $agg0 AS id, 1 AS v], changelogMode=[I,UB,UA])
               +- WindowAggregate(groupBy=[k], window=[TUMBLE(time_col=[ts], size=[10 s])], select=[k, COUNT(*) AS $agg0], emit=[early delay 5000 millisecond], changelogMode=[I,UB,UA])
                  +- Exchange(distribution=[hash[k]])
                     +- TableSourceScan(table=[t], read=[k, ts], fields=[k, ts], watermark=[ts], changelogMode=[I])

            == State ==
            WindowAggregate(k) [0964cdc7edd6ac82]: aggregates per k, until its window is complete
        "#]],
    );
}

#[test]
fn emit_settings_must_fit() {
    let tumble = "SELECT k, COUNT(*) FROM t GROUP BY k, TUMBLE(ts, INTERVAL '10' SECOND)";
    let session = "SELECT k, COUNT(*) FROM t GROUP BY k, SESSION(ts, INTERVAL '10' SECOND)";
    let function = "SELECT COUNT(*) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECOND)) GROUP BY window_start, window_end";
    check(
        &format!("{EARLY} {session}"),
        expect![[r#"
        UNSUPPORTED 'table.exec.emit.early-fire.enabled' and 'table.exec.emit.late-fire.enabled' are for TUMBLE and HOP, not for SESSION (line 7, column 100)
          help: reset the settings before this statement
    "#]],
    );
    check(
        &format!("{EARLY} {function}"),
        expect![[r#"
        UNSUPPORTED 'table.exec.emit.early-fire.enabled' and 'table.exec.emit.late-fire.enabled' are for group windows, not for window table functions (line 7, column 100)
          help: write GROUP BY TUMBLE(ts, INTERVAL '…'), or reset the settings before this statement
    "#]],
    );
    check(
        &format!("SET 'table.exec.emit.early-fire.enabled' = 'true'; {tumble}"),
        expect![[r#"
            INVALID_OPTION 'table.exec.emit.early-fire.enabled' needs 'table.exec.emit.early-fire.delay' (line 7, column 52)
              help: SET 'table.exec.emit.early-fire.delay' = '0 ms' sends results with every row
        "#]],
    );
    check(
        &format!("{LATE} RESET 'table.exec.emit.allow-lateness'; {tumble}"),
        expect![[r#"
        INVALID_OPTION 'table.exec.emit.late-fire.enabled' needs 'table.exec.emit.allow-lateness': how long after its end a window takes late rows (line 7, column 187)
          help: SET 'table.exec.emit.allow-lateness' = '1 min', or set 'table.exec.state.ttl'
    "#]],
    );
    check(
        &format!("{LATE} SET 'table.exec.emit.late-fire.delay' = '2 min'; {tumble}"),
        expect![[r#"
            INVALID_OPTION 'table.exec.emit.allow-lateness' is 60000 ms, less than 'table.exec.emit.late-fire.delay', 120000 ms: late rows would be forgotten before they are sent (line 7, column 196)
              help: raise the one or lower the other
        "#]],
    );
}

#[test]
fn late_rows_are_read_behind_the_same_exchange() {
    check(
        &format!(
            "{ROWS} INSERT INTO out SELECT k, COUNT(*) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECOND)) WHERE v > 3 GROUP BY k, window_start, window_end"
        ),
        expect![[r#"
            == Optimized Execution Plan ==
            Calc(select=[k, ts, note, id, v], changelogMode=[I])
            +- Exchange(distribution=[hash[k]])
               +- Calc(select=[k, ts, note, id, v], where=[v > 3], changelogMode=[I])
                  +- TableSourceScan(table=[t], read=[id, k, v, note, ts], fields=[id, k, v, note, ts], watermark=[ts], changelogMode=[I])
                (reuse_id=[1])

            Sink(table=[out], fields=[k, c], changelogMode=[NONE])
            +- Calc(select=[k, $agg0 AS c], changelogMode=[I])
               +- WindowAggregate(groupBy=[k], window=[TUMBLE(time_col=[ts], size=[5 s])], select=[k, COUNT(*) AS $agg0], changelogMode=[I])
                  +- Reused(reference_id=[1])

            Sink(table=[late], fields=[note, id, v], changelogMode=[NONE])
            +- Calc(select=[note, id, CAST(v AS BIGINT) AS v], changelogMode=[I])
               +- LateRows(window=[TUMBLE(time_col=[ts], size=[5 s])], changelogMode=[I])
                  +- Reused(reference_id=[1])

            == State ==
            WindowAggregate(k) [ea3166f33caf74a5]: aggregates per k, until its window is complete
        "#]],
    );
    check(
        &format!(
            "{ROWS}{LATE} INSERT INTO out SELECT 'x', COUNT(*) FROM t GROUP BY HOP(ts, INTERVAL '4' SECOND, INTERVAL '10' SECOND)"
        ),
        expect![[r#"
            == Optimized Execution Plan ==
            Calc(select=[ts, note, id, v], changelogMode=[I])
            +- Exchange(distribution=[single])
               +- Calc(select=[ts, note, id, v], changelogMode=[I])
                  +- TableSourceScan(table=[t], read=[id, v, note, ts], fields=[id, v, note, ts], watermark=[ts], changelogMode=[I])
                (reuse_id=[1])

            Sink(table=[out], fields=[k, c], changelogMode=[NONE])
            +- Calc(select=['x' AS k, $agg0 AS c], changelogMode=[I,UB,UA])
               +- WindowAggregate(window=[HOP(time_col=[ts], size=[10 s], slide=[4 s])], select=[COUNT(*) AS $agg0], emit=[late no delay], changelogMode=[I,UB,UA])
                  +- Reused(reference_id=[1])

            Sink(table=[late], fields=[note, id, v], changelogMode=[NONE])
            +- Calc(select=[note, id, CAST(v AS BIGINT) AS v], changelogMode=[I])
               +- LateRows(window=[HOP(time_col=[ts], size=[10 s], slide=[4 s])], lateness=[1 min], changelogMode=[I])
                  +- Reused(reference_id=[1])

            == State ==
            WindowAggregate() [3ff117cc3a929e52]: aggregates, until 60000 ms after its window is complete
        "#]],
    );
}

#[test]
fn late_rows_must_fit_the_table() {
    let group = "GROUP BY k, window_start, window_end";
    let tumble = "TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECOND))";
    check(
        &format!(
            "SET 'table.exec.late-rows.table' = 'lat'; INSERT INTO out SELECT k, COUNT(*) FROM {tumble} {group}"
        ),
        expect![[r#"
            NOT_FOUND 'table.exec.late-rows.table': there is no table 'lat' (line 7, column 43)
              help: did you mean 'late'? there are: ch, late, out, t
        "#]],
    );
    check(
        &format!(
            "SET 'table.exec.late-rows.table' = 'out'; INSERT INTO out SELECT k, COUNT(*) FROM {tumble} {group}"
        ),
        expect![[r#"
            SQL_SEMANTIC late rows do not fit the table 'out': the rows of the window have no column 'c' (line 7, column 43)
              help: they have id, k, v, note, ts
        "#]],
    );
    check(
        &format!(
            "CREATE TABLE wrong (k INT) WITH ('connector' = 'print'); SET 'table.exec.late-rows.table' = 'wrong'; INSERT INTO out SELECT k, COUNT(*) FROM {tumble} {group}"
        ),
        expect![[r#"
            SQL_SEMANTIC late rows do not fit the table 'wrong': column 'k' is INT, that of the rows STRING (line 7, column 102)
              help: declare it as STRING
        "#]],
    );
    check(
        &format!(
            "{ROWS} INSERT INTO out SELECT k, COUNT(*) FROM t GROUP BY k, SESSION(ts, INTERVAL '10' SECOND)"
        ),
        expect![[r#"
            UNSUPPORTED 'table.exec.late-rows.table' is for TUMBLE, HOP and CUMULATE, not for SESSION (line 7, column 44)
              help: RESET 'table.exec.late-rows.table' before this statement
        "#]],
    );
    check(
        &format!(
            "{ROWS} INSERT INTO out SELECT k, v FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY v) AS rn FROM {tumble}) WHERE rn = 1"
        ),
        expect![[r#"
            UNSUPPORTED 'table.exec.late-rows.table' is for TUMBLE, HOP and CUMULATE, not for windows that are not aggregated by their bounds alone (line 7, column 44)
              help: RESET 'table.exec.late-rows.table' before this statement
        "#]],
    );
}

#[test]
fn the_watermarks_of_a_source_are_declared_and_not_read() {
    let own = "CREATE TABLE own (v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS source_watermark()) WITH ('connector' = 'blackhole');";
    expect![[r#"
        name | type | null | key | extras | watermark
        v | INT | TRUE |  |  | 
        ts | TIMESTAMP(3) *ROWTIME* | TRUE |  |  | `SOURCE_WATERMARK`()
        result
        CREATE TABLE `default_catalog`.`default_database`.`own` (
          `v` INT,
          `ts` TIMESTAMP(3),
          WATERMARK FOR `ts` AS `SOURCE_WATERMARK`()
        )
        WITH (
          'connector' = 'blackhole'
        )

        == Optimized Execution Plan ==
        Sink(table=[own], fields=[v, ts], changelogMode=[NONE])
        +- Values(rows=[1], fields=[v, ts], changelogMode=[I])
    "#]].assert_eq(&plan(&format!("{own} DESCRIBE own; SHOW CREATE TABLE own; INSERT INTO own VALUES (1, TIMESTAMP '2024-01-01 00:00:00')")));
    expect![[r#"
        UNSUPPORTED table 'own' cannot be read: its watermark is SOURCE_WATERMARK(), but the connector 'blackhole' makes none (line 1, column 131)
          help: say in the table how late rows may be: WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
    "#]].assert_eq(&plan(&format!("{own} SELECT v FROM own")));
    expect![[r#"
        SQL_SEMANTIC SOURCE_WATERMARK() stands only by itself in WATERMARK FOR (line 1, column 8)
          help: it says that a source makes its own; CURRENT_WATERMARK(ts) is what has come
    "#]]
    .assert_eq(&plan("SELECT SOURCE_WATERMARK()"));
    let expression = own.replace("source_watermark()", "SOURCE_WATERMARK() - INTERVAL '1' SECOND");
    expect![[r#"
        SQL_SEMANTIC SOURCE_WATERMARK() stands only by itself in WATERMARK FOR (line 1, column 63)
          help: it says that a source makes its own; CURRENT_WATERMARK(ts) is what has come
    "#]]
    .assert_eq(&plan(&expression));
}
