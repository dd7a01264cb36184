//! `LATERAL TABLE(f(column))` of functions with a body in SQL.

use expect_test::{Expect, expect};

use super::plan;

const TABLES: &str = "
CREATE TABLE t (id INT, line STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'datagen');
CREATE TABLE orders (k INT, amount INT) WITH ('connector' = 'datagen');
CREATE FUNCTION words(line STRING, least INT DEFAULT 1) RETURNS TABLE (word STRING, size INT)
  RETURN SELECT w, CHAR_LENGTH(w) FROM UNNEST(SPLIT(line, ' ')) AS u(w) WHERE CHAR_LENGTH(w) >= least;
CREATE FUNCTION orders_of(k_of INT) RETURNS TABLE (amount INT) RETURN SELECT amount FROM orders WHERE k = k_of;
CREATE FUNCTION nested(x INT) RETURNS TABLE (amount INT)
  RETURN SELECT amount FROM orders WHERE k IN (SELECT k FROM orders WHERE amount = x);
";

fn check(sql: &str, expected: Expect) {
    expected.assert_eq(&plan(&format!("{TABLES}{sql}")));
}

#[test]
fn what_is_made_of_each_row_needs_no_join() {
    check(
        "SELECT id, word, ts FROM t, LATERAL TABLE(words(line)) WHERE size > 3",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[id, word, ts], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[id, w AS word, ts], where=[(CHAR_LENGTH(w) >= 1) AND (CHAR_LENGTH(w) > 3)], changelogMode=[I])
               +- Correlate(invocation=[UNNEST(SPLIT(line, ' '))], select=[id, line, ts, w], joinType=[INNER], changelogMode=[I])
                  +- TableSourceScan(table=[t], read=[id, line, ts], fields=[id, line, ts], changelogMode=[I])
        "#]],
    );
    check(
        "SELECT id, w FROM t JOIN LATERAL words(least => id, line => line) AS s(w, n) ON n < id",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[id, w], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[id, w], where=[(CHAR_LENGTH(w) >= id) AND (CHAR_LENGTH(w) < id)], changelogMode=[I])
               +- Correlate(invocation=[UNNEST(SPLIT(line, ' '))], select=[id, line, w], joinType=[INNER], changelogMode=[I])
                  +- TableSourceScan(table=[t], read=[id, line], fields=[id, line], changelogMode=[I])
        "#]],
    );
}

#[test]
fn rows_of_other_tables_are_joined() {
    check(
        "SELECT id, amount FROM t CROSS JOIN LATERAL TABLE(orders_of(id))",
        expect![[r#"
        == Optimized Execution Plan ==
        Sink(table=[collect], fields=[id, amount], parallelism=[1], changelogMode=[NONE])
        +- Calc(select=[id, amount], changelogMode=[I])
           +- Join(joinType=[InnerJoin], where=[(id = $c1)], select=[id, amount, $c1], changelogMode=[I])
              :- Exchange(distribution=[hash[id]])
              :  +- TableSourceScan(table=[t], read=[id], fields=[id], changelogMode=[I])
              +- Exchange(distribution=[hash[$c1]])
                 +- Calc(select=[amount, k AS $c1], changelogMode=[I])
                    +- TableSourceScan(table=[orders], read=[k, amount], fields=[k, amount], changelogMode=[I])

        == State ==
        Join(id) [2984af525cca147b]: left rows, for ever; right rows, for ever
    "#]],
    );
    check(
        "SELECT id, amount FROM t LEFT JOIN LATERAL TABLE(orders_of(id)) AS o ON TRUE",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[id, amount], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[id, amount], changelogMode=[I,UB,UA,D])
               +- Join(joinType=[LeftOuterJoin], where=[(id = $c1)], select=[id, amount, $c1], changelogMode=[I,UB,UA,D])
                  :- Exchange(distribution=[hash[id]])
                  :  +- TableSourceScan(table=[t], read=[id], fields=[id], changelogMode=[I])
                  +- Exchange(distribution=[hash[$c1]])
                     +- Calc(select=[amount, k AS $c1], changelogMode=[I])
                        +- TableSourceScan(table=[orders], read=[k, amount], fields=[k, amount], changelogMode=[I])

            == State ==
            Join(id) [48cd895550720de8]: left rows, for ever; right rows, for ever
        "#]],
    );
}

#[test]
fn what_is_not_supported_is_named() {
    check(
        "SELECT * FROM t, LATERAL TABLE(nested(id))",
        expect![[r#"
        UNSUPPORTED call nested (line 9, column 26): a parameter that stands for a column, in a subquery of a function's body is not supported yet (line 8, column 84)
          help: name it in the body's own WHERE or SELECT, or pass a constant
    "#]],
    );
    check(
        "SELECT * FROM t, LATERAL TABLE(nope(id))",
        expect![[r#"
        UNSUPPORTED the table function nope of columns is not supported yet (line 9, column 26)
          help: write CROSS JOIN UNNEST(…), or make a function by CREATE FUNCTION … RETURNS TABLE
    "#]],
    );
    check(
        "SELECT * FROM t, LATERAL TABLE(words(id, 'x'))",
        expect![[r#"
        SQL_SEMANTIC the parameter 'line' of words is STRING, this is INT (line 9, column 38)
          help: cast it: CAST(… AS STRING)
    "#]],
    );
    check(
        "SELECT * FROM t RIGHT JOIN LATERAL TABLE(orders_of(id)) ON TRUE",
        expect![[r#"
        UNSUPPORTED a RIGHT or FULL join with LATERAL is not supported yet (line 9, column 36)
          help: join it by CROSS JOIN, JOIN or LEFT JOIN
    "#]],
    );
    check(
        "SELECT * FROM t, TABLE(words(line))",
        expect![[r#"
        SQL_SEMANTIC there is no column 'line' (line 9, column 30)
    "#]],
    );
}
