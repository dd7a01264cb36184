//! Functions with bodies in SQL: where they stand in plans, and what is refused where.

use expect_test::{Expect, expect};

use super::plan;

const TABLES: &str = "CREATE TABLE t (a INT, b STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'datagen');
CREATE FUNCTION twice(x INT) RETURNS INT RETURN x * 2; CREATE FUNCTION greet(who STRING, how STRING DEFAULT 'hello', mark STRING DEFAULT '!') RETURNS STRING COMMENT 'polite' LANGUAGE SQL RETURN how || ' ' || who || mark;
CREATE FUNCTION above(low INT, word STRING DEFAULT 'x') RETURNS TABLE (n BIGINT, w STRING) RETURN SELECT a, b || word FROM t WHERE a > low;
";

/// The script stands behind three lines of declarations.
fn check(sql: &str, expected: Expect) {
    expected.assert_eq(&plan(&format!("{TABLES}{sql}")));
}

#[test]
fn the_body_stands_in_the_place_of_the_call() {
    check(
        "SELECT twice(a + 1) AS x FROM t WHERE twice(a) > 10",
        expect![[r#"
        == Optimized Execution Plan ==
        Sink(table=[collect], fields=[x], parallelism=[1], changelogMode=[NONE])
        +- Calc(select=[((a + 1) * 2) AS x], where=[(a * 2) > 10], changelogMode=[I])
           +- TableSourceScan(table=[t], read=[a], fields=[a], changelogMode=[I])
    "#]],
    );
    check(
        "SELECT TWICE(twice(a)), SUM(twice(a)), twice(MAX(a)) FROM t GROUP BY twice(a), a",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[EXPR$0, EXPR$1, EXPR$2], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[($f0 * 2) AS EXPR$0, $agg0 AS EXPR$1, ($agg1 * 2) AS EXPR$2], changelogMode=[I,UB,UA])
               +- GroupAggregate(groupBy=[$f0, a], select=[$f0, a, SUM($f0) AS $agg0, MAX(a) AS $agg1], changelogMode=[I,UB,UA])
                  +- Exchange(distribution=[hash[$f0, a]])
                     +- Calc(select=[(a * 2) AS $f0, a], changelogMode=[I])
                        +- TableSourceScan(table=[t], read=[a], fields=[a], changelogMode=[I])

            == State ==
            GroupAggregate($f0, a) [29b645f2f0bcb2fe]: aggregates per $f0, a, for ever
        "#]],
    );
    check(
        "SELECT default_catalog.default_database.twice(CAST(a AS TINYINT)) FROM t",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[EXPR$0], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[(CAST(CAST(a AS TINYINT) AS INT) * 2) AS EXPR$0], changelogMode=[I])
               +- TableSourceScan(table=[t], read=[a], fields=[a], changelogMode=[I])
        "#]],
    );
    check(
        "SELECT TYPEOF(twice(1)), TYPEOF(twice(CAST(NULL AS INT))), twice(NULL)",
        expect![[r#"
        == Optimized Execution Plan ==
        Sink(table=[collect], fields=[EXPR$0, EXPR$1, EXPR$2], parallelism=[1], changelogMode=[NONE])
        +- Values(rows=[1], fields=[EXPR$0, EXPR$1, EXPR$2], changelogMode=[I])
    "#]],
    );
}

#[test]
fn arguments_have_names_and_defaults() {
    check(
        "SELECT greet('you'), greet('you', 'bye'), greet(mark => '?', who => 'you'), greet('you', DEFAULT, '.')",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[EXPR$0, EXPR$1, EXPR$2, EXPR$3], parallelism=[1], changelogMode=[NONE])
            +- Values(rows=[1], fields=[EXPR$0, EXPR$1, EXPR$2, EXPR$3], changelogMode=[I])
        "#]],
    );
    check(
        "SELECT greet(b, how => 'bye') FROM t",
        expect![[r#"
        SQL_SEMANTIC either all arguments have names, or none (line 4, column 8)
          help: it is greet(who STRING, how STRING DEFAULT …, mark STRING DEFAULT …)
    "#]],
    );
    check(
        "SELECT greet(how => 'bye') FROM t",
        expect![[r#"
        SQL_SEMANTIC greet needs the argument 'who' (line 4, column 8)
          help: it is greet(who STRING, how STRING DEFAULT …, mark STRING DEFAULT …)
    "#]],
    );
    check(
        "SELECT greet(who => b, whom => b) FROM t",
        expect![[r#"
        SQL_SEMANTIC greet has no parameter 'whom' (line 4, column 24)
          help: did you mean 'who'? its parameters are: who, how, mark
    "#]],
    );
    check(
        "SELECT greet(who => b, who => b) FROM t",
        expect![[r#"
        SQL_SEMANTIC the argument 'who' is given twice (line 4, column 24)
    "#]],
    );
    check(
        "SELECT greet() FROM t",
        expect![[r#"
        SQL_SEMANTIC greet needs the argument 'who' (line 4, column 8)
          help: it is greet(who STRING, how STRING DEFAULT …, mark STRING DEFAULT …)
    "#]],
    );
    check(
        "SELECT greet(b, b, b, b) FROM t",
        expect![[r#"
        SQL_SEMANTIC greet takes 3 arguments, not 4 (line 4, column 8)
          help: it is greet(who STRING, how STRING DEFAULT …, mark STRING DEFAULT …)
    "#]],
    );
    check(
        "SELECT greet(a) FROM t",
        expect![[r#"
        SQL_SEMANTIC the parameter 'who' of greet is STRING, this is INT (line 4, column 14)
          help: cast it: CAST(… AS STRING)
    "#]],
    );
    check(
        "SELECT twice(DISTINCT a) FROM t",
        expect![[r#"
        SQL_SEMANTIC twice takes values only (line 4, column 8)
    "#]],
    );
    check(
        "SELECT twice(a) OVER (ORDER BY ts) FROM t",
        expect![[r#"
        SQL_SEMANTIC twice is no aggregate: it takes neither OVER nor FILTER (line 4, column 8)
    "#]],
    );
    check(
        "SELECT UPPER(arg => b) FROM t",
        expect![[r#"
        SQL_SEMANTIC UPPER takes its arguments by position (line 4, column 8)
          help: names are for window table functions and functions of CREATE FUNCTION
    "#]],
    );
}

#[test]
fn functions_give_tables() {
    check(
        "SELECT n, w FROM TABLE(above(5))",
        expect![[r#"
        == Optimized Execution Plan ==
        Sink(table=[collect], fields=[n, w], parallelism=[1], changelogMode=[NONE])
        +- Calc(select=[CAST(a AS BIGINT) AS n, (b || 'x') AS w], where=[a > 5], changelogMode=[I])
           +- TableSourceScan(table=[t], read=[a, b], fields=[a, b], changelogMode=[I])
    "#]],
    );
    check(
        "SELECT s.n FROM TABLE(above(word => 'y', low => 2 + 3)) AS s JOIN t ON s.n = t.a",
        expect![[r#"
            == Optimized Execution Plan ==
            TableSourceScan(table=[t], read=[a], fields=[a], changelogMode=[I])
                (reuse_id=[1])

            Sink(table=[collect], fields=[n], parallelism=[1], changelogMode=[NONE])
            +- Calc(select=[n], changelogMode=[I])
               +- Join(joinType=[InnerJoin], where=[(n = $f3)], select=[n, $f3], changelogMode=[I])
                  :- Exchange(distribution=[hash[n]])
                  :  +- Calc(select=[CAST(a AS BIGINT) AS n], where=[a > 5], changelogMode=[I])
                  :     +- Reused(reference_id=[1])
                  +- Exchange(distribution=[hash[$f3]])
                     +- Calc(select=[CAST(a AS BIGINT) AS $f3], changelogMode=[I])
                        +- Reused(reference_id=[1])

            == State ==
            Join(n) [b7add2e4cbc44af2]: left rows, for ever; right rows, for ever
        "#]],
    );
    check(
        "SELECT * FROM TABLE(twice(5))",
        expect![[r#"
        SQL_SEMANTIC call twice (line 4, column 21): the function twice gives a value, not a table (line 4, column 21)
          help: call it in an expression
    "#]],
    );
    check(
        "SELECT above(5)",
        expect![[r#"
        SQL_SEMANTIC call above (line 4, column 8): the function above gives a table, not a value (line 4, column 8)
          help: write FROM TABLE(function(…))
    "#]],
    );
    check(
        "SELECT * FROM TABLE(above(a))",
        expect![[r#"
        SQL_SEMANTIC there is no column 'a' (line 4, column 27)
    "#]],
    );
    check(
        "CREATE FUNCTION f() RETURNS TABLE (n INT, m INT) RETURN SELECT a FROM t",
        expect![[r#"
        SQL_SEMANTIC the query has 1 columns, RETURNS TABLE names 2 (line 4, column 57)
    "#]],
    );
    check(
        "CREATE FUNCTION f() RETURNS TABLE (n INT) RETURN SELECT b FROM t",
        expect![[r#"
        SQL_SEMANTIC the column 'n' of RETURNS TABLE is INT, this is STRING (line 4, column 50)
          help: cast it: CAST(… AS INT)
    "#]],
    );
}

#[test]
fn a_body_that_does_not_fit_is_refused_where_it_stands() {
    check(
        "CREATE FUNCTION f(x INT) RETURNS STRING RETURN x",
        expect![[r#"
        SQL_SEMANTIC RETURNS of f is STRING, this is INT (line 4, column 48)
          help: cast it: CAST(… AS STRING)
    "#]],
    );
    check(
        "CREATE FUNCTION f(x INT) RETURNS INT RETURN y + 1",
        expect![[r#"
            SQL_SEMANTIC there is no column 'y' (line 4, column 45)
              help: the parameters are: x
        "#]],
    );
    check(
        "CREATE FUNCTION f(x INT) RETURNS INT RETURN SUM(x)",
        expect![[r#"
        SQL_SEMANTIC the aggregate function SUM may not stand in the body of a function (line 4, column 45)
    "#]],
    );
    check(
        "CREATE FUNCTION f(x INT) RETURNS INT RETURN (SELECT MAX(a) FROM t)",
        expect![[r#"
        UNSUPPORTED a subquery in the body of a function is not supported yet (line 4, column 46)
          help: join the subquery instead
    "#]],
    );
    check(
        "CREATE FUNCTION f(x INT) RETURNS INT NOT NULL RETURN x",
        expect![[r#"
        SQL_SEMANTIC RETURNS of f is NOT NULL, this may be NULL (line 4, column 54)
          help: use COALESCE
    "#]],
    );
    check(
        "CREATE FUNCTION f(x INT, y STRING DEFAULT 5) RETURNS INT RETURN x",
        expect![[r#"
        SQL_SEMANTIC the parameter 'y' of f is STRING, this is INT (line 4, column 43)
          help: cast it: CAST(… AS STRING)
    "#]],
    );
    check(
        "CREATE FUNCTION f(x INT, x INT) RETURNS INT RETURN x",
        expect![[r#"
        SQL_SEMANTIC the function f has two parameters named 'x' (line 4, column 26)
    "#]],
    );
    check(
        "CREATE FUNCTION f(x INT DEFAULT 1, y INT) RETURNS INT RETURN x",
        expect![[r#"
        SQL_SEMANTIC the parameter 'y' stands behind one with a default (line 4, column 36)
          help: give it a DEFAULT too, or move it
    "#]],
    );
    check(
        "CREATE FUNCTION upper(x INT) RETURNS INT RETURN x",
        expect![[r#"
        SQL_SEMANTIC there is a built-in function UPPER (line 4, column 17)
          help: choose another name
    "#]],
    );
    check(
        "CREATE FUNCTION f(x INT) RETURNS INT AS 'x + 1'",
        expect![[r#"
        SQL_SYNTAX expected RETURN and the body of the function, found AS (line 4, column 38)
    "#]],
    );
    check(
        "CREATE FUNCTION f(x INT NOT NULL) RETURNS INT RETURN x; SELECT f(a) FROM t",
        expect![[r#"
            SQL_SEMANTIC the parameter 'x' of f is NOT NULL, this may be NULL (line 4, column 66)
              help: use COALESCE
        "#]],
    );
}

#[test]
fn recursion_and_growth_have_bounds() {
    check(
        "CREATE FUNCTION f(x INT) RETURNS INT RETURN f(x)",
        expect![[r#"
        SQL_SEMANTIC there is no function F, or it is not supported yet (line 4, column 45)
    "#]],
    );
    check(
        "CREATE FUNCTION f(x INT) RETURNS INT RETURN twice(x); CREATE OR REPLACE FUNCTION twice(x INT) RETURNS INT RETURN f(x)",
        expect![[r#"
            SQL_SEMANTIC call f (line 4, column 114): call twice (line 4, column 45): the function twice calls itself (line 4, column 45)
              help: recursion is not possible in SQL bodies
        "#]],
    );
    let doubling = (1..30).map(|n| {
        let before = n - 1;
        format!("CREATE FUNCTION f{n}(x INT) RETURNS INT RETURN f{before}(x) + f{before}(x);")
    });
    let doubling: String = doubling.collect();
    check(
        &format!("CREATE FUNCTION f0(x INT) RETURNS INT RETURN x; {doubling}"),
        expect![[r#"
            RESOURCE_EXHAUSTED call f12 (line 4, column 819): call f11 (line 4, column 748): call f10 (line 4, column 686): call f9 (line 4, column 626): call f8 (line 4, column 566): the bodies of functions come to more than 100000 parts (line 4, column 507)
              help: f7 stands in the place of its call: use fewer calls
        "#]],
    );
    let deep = format!("SELECT {}a{} FROM t", "d(".repeat(110), ")".repeat(110));
    check(
        &format!("CREATE FUNCTION d(x INT) RETURNS INT RETURN ABS(ABS(x)); {deep}"),
        expect![[r#"
            RESOURCE_EXHAUSTED the expression is more than 200 deep with the bodies of functions (line 4, column 85)
              help: d stands in the place of its call: use fewer calls
        "#]],
    );
}

#[test]
fn an_error_in_a_body_names_the_call() {
    check(
        "CREATE FUNCTION f(x INT) RETURNS INT RETURN twice(x); DROP FUNCTION twice; SELECT 1 + f(a) FROM t",
        expect![[r#"
            SQL_SEMANTIC call f (line 4, column 87): there is no function TWICE, or it is not supported yet (line 4, column 45)
        "#]],
    );
}

#[test]
fn functions_are_kept_in_databases() {
    check(
        "CREATE DATABASE d; USE d; CREATE FUNCTION IF NOT EXISTS Twice(x BIGINT) RETURNS BIGINT RETURN x + x; SHOW USER FUNCTIONS; SELECT twice(3), default_database.twice(3); USE default_database; SHOW USER FUNCTIONS LIKE 't%'; SELECT twice(3), d.twice(3); CREATE VIEW d.v AS SELECT d.twice(1) AS x; DROP FUNCTION d.twice; SELECT * FROM d.v",
        expect![[r#"
            SQL_SEMANTIC expand view default_catalog.d.v: there is no function d.twice of CREATE FUNCTION (line 4, column 275)
              help: built-in functions are called by their name alone
        "#]],
    );
    check(
        "CREATE TEMPORARY FUNCTION twice(x INT) RETURNS INT RETURN x * 20; SELECT twice(1); DROP TEMPORARY FUNCTION twice; SELECT twice(1); CREATE TEMPORARY SYSTEM FUNCTION twice(x INT) RETURNS INT RETURN x * 200; SELECT twice(1), default_database.twice(1)",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[EXPR$0], parallelism=[1], changelogMode=[NONE])
            +- Values(rows=[1], fields=[EXPR$0], changelogMode=[I])
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[EXPR$0], parallelism=[1], changelogMode=[NONE])
            +- Values(rows=[1], fields=[EXPR$0], changelogMode=[I])
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[EXPR$0, EXPR$1], parallelism=[1], changelogMode=[NONE])
            +- Values(rows=[1], fields=[EXPR$0, EXPR$1], changelogMode=[I])
        "#]],
    );
    check(
        "CREATE FUNCTION twice(x INT) RETURNS INT RETURN x",
        expect![[r#"
        ALREADY_EXISTS there is a function 'twice' already (line 4, column 17)
          help: use IF NOT EXISTS or OR REPLACE, or DROP FUNCTION first
    "#]],
    );
    check(
        "CREATE FUNCTION e.twice(x INT) RETURNS INT RETURN x",
        expect![[r#"
        NOT_FOUND there is no database 'e' in the catalog 'default_catalog' (line 4, column 17)
          help: the databases are: default_database
    "#]],
    );
    check(
        "DROP FUNCTION twic",
        expect![[r#"
        NOT_FOUND there is no function 'twic' that was made by CREATE FUNCTION (line 4, column 15)
          help: did you mean 'twice'? there are: above, greet, twice
    "#]],
    );
    check(
        "SELECT twise(a) FROM t",
        expect![[r#"
        SQL_SEMANTIC there is no function TWISE, or it is not supported yet (line 4, column 8)
          help: did you mean 'TWICE'?
    "#]],
    );
    check(
        "ALTER FUNCTION twice AS 'org.example.Twice'",
        expect![[r#"
        UNSUPPORTED the function twice of class org.example.Twice is not supported yet (line 4, column 16)
          help: user code does not run yet; use built-in functions, or give it a body: CREATE FUNCTION f(a INT) RETURNS INT RETURN a + 1
    "#]],
    );
}

#[test]
fn functions_are_described() {
    check(
        "SHOW CREATE FUNCTION greet; DESCRIBE FUNCTION EXTENDED greet; SHOW CREATE FUNCTION above; DESCRIBE FUNCTION twice; DESCRIBE FUNCTION EXTENDED upper; DESCRIBE FUNCTION EXTENDED sum",
        expect![[r#"
            result
            CREATE FUNCTION `default_catalog`.`default_database`.`greet` (`who` VARCHAR(2147483647), `how` VARCHAR(2147483647) DEFAULT 'hello', `mark` VARCHAR(2147483647) DEFAULT '!')
            RETURNS VARCHAR(2147483647)
            COMMENT 'polite'
            LANGUAGE SQL
            RETURN how || ' ' || who || mark

            info name | info value
            is system function | false
            is temporary | false
            kind | SCALAR
            function language | SQL
            signature | greet(`who` VARCHAR(2147483647), `how` VARCHAR(2147483647) DEFAULT 'hello', `mark` VARCHAR(2147483647) DEFAULT '!') => VARCHAR(2147483647)
            comment | polite
            body | how || ' ' || who || mark
            result
            CREATE FUNCTION `default_catalog`.`default_database`.`above` (`low` INT, `word` VARCHAR(2147483647) DEFAULT 'x')
            RETURNS TABLE (`n` BIGINT, `w` VARCHAR(2147483647))
            LANGUAGE SQL
            RETURN SELECT a, b || word FROM t WHERE a > low

            info name | info value
            is system function | false
            is temporary | false
            info name | info value
            is system function | true
            is temporary | false
            kind | SCALAR
            requirements | []
            is deterministic | true
            supports constant folding | true
            info name | info value
            is system function | true
            is temporary | false
            kind | AGGREGATE
            requirements | []
            is deterministic | true
            supports constant folding | true
        "#]],
    );
    check(
        "DESCRIBE FUNCTION nope",
        expect![[r#"
        NOT_FOUND there is no function 'nope' that was made by CREATE FUNCTION (line 4, column 19)
          help: there are: above, greet, twice
    "#]],
    );
    check(
        "SHOW CREATE FUNCTION upper",
        expect![[r#"
        NOT_FOUND there is no function 'upper' that was made by CREATE FUNCTION (line 4, column 22)
          help: there are: above, greet, twice
    "#]],
    );
}

#[test]
fn computed_columns_and_watermarks_call_functions() {
    check(
        "CREATE FUNCTION early(x TIMESTAMP(3)) RETURNS TIMESTAMP(3) RETURN x - INTERVAL '5' SECOND; CREATE TABLE u (a INT, d AS twice(a), ts TIMESTAMP(3), WATERMARK FOR ts AS early(ts)) WITH ('connector' = 'datagen'); SELECT d FROM u; SHOW CREATE TABLE u",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[d], parallelism=[1], changelogMode=[NONE])
            +- TableSourceScan(table=[u], read=[a], fields=[(a * 2) AS d], changelogMode=[I])
            result
            CREATE TABLE `default_catalog`.`default_database`.`u` (
              `a` INT,
              `d` AS TWICE(`a`),
              `ts` TIMESTAMP(3),
              WATERMARK FOR `ts` AS EARLY(`ts`)
            )
            WITH (
              'connector' = 'datagen'
            )

        "#]],
    );
}

/// Constants are computed, so a condition that holds is not in the plan.
#[test]
fn calls_have_the_values_of_their_bodies() {
    for holds in [
        "twice(21) = 42",
        "twice(NULL) IS NULL",
        "TYPEOF(twice(1)) = 'INT NOT NULL'",
        "TYPEOF(twice(CAST(NULL AS INT))) = 'INT'",
        "greet('you') = 'hello you!'",
        "greet('you', 'bye') = 'bye you!'",
        "greet(mark => '?', who => 'you') = 'hello you?'",
        "greet('you', DEFAULT, '.') = 'hello you.'",
        "default_catalog.default_database.TWICE(CAST(2 AS TINYINT)) = 4",
    ] {
        let text = plan(&format!("{TABLES}SELECT a FROM t WHERE {holds}"));
        assert!(text.starts_with("== Optimized") && !text.contains("where"), "{holds}\n{text}");
        let text = plan(&format!("{TABLES}SELECT a FROM t WHERE NOT ({holds})"));
        assert!(!text.contains("TableSourceScan") || text.contains("where"), "{holds}\n{text}");
    }
}

#[test]
fn the_nearest_of_functions_of_one_name_is_called() {
    let others = "CREATE DATABASE d; CREATE FUNCTION d.twice(x INT) RETURNS INT RETURN x + x + x; CREATE TEMPORARY FUNCTION d.twice(x INT) RETURNS INT RETURN x * 20;";
    for (before, holds) in [
        ("", "twice(1) = 2 AND d.twice(1) = 20"),
        ("USE d;", "twice(1) = 20 AND default_database.twice(1) = 2"),
        ("DROP TEMPORARY FUNCTION d.twice;", "d.twice(1) = 3"),
        (
            "CREATE TEMPORARY SYSTEM FUNCTION twice(x INT) RETURNS INT RETURN x * 200;",
            "twice(1) = 200 AND default_database.twice(1) = 2",
        ),
        ("CREATE OR REPLACE FUNCTION twice(x INT) RETURNS INT RETURN -x;", "twice(1) = -1"),
    ] {
        let from = "default_catalog.default_database.t";
        let text = plan(&format!("{TABLES}{others}{before}SELECT a FROM {from} WHERE {holds}"));
        assert!(text.starts_with("== Optimized") && !text.contains("where"), "{holds}\n{text}");
    }
}
