//! Parser tests: what statements become, and where errors point.

use expect_test::{Expect, expect};
use tidegate_types::ErrorCode;

use super::ast::StatementKind;
use super::{parse_script, parse_type_text};

fn kinds(script: &str) -> Vec<String> {
    let statements = parse_script(script).unwrap();
    statements
        .iter()
        .map(|statement| {
            let name = format!("{:?}", statement.kind);
            name.split(['(', ' ']).next().unwrap_or_default().to_owned()
        })
        .collect()
}

fn check_error(script: &str, expected: Expect) {
    let error = parse_script(script).unwrap_err();
    expected.assert_eq(&format!("{} {error}\n", error.code().as_str()));
}

#[test]
fn statements_are_told_apart() {
    let script = "
        SET 'execution.mode' = 'micro-batch'; set parallelism.default = 4; SET; RESET; RESET 'x';
        CREATE TEMPORARY TABLE IF NOT EXISTS t (a INT) WITH ('connector' = 'datagen');
        CREATE VIEW v (b) COMMENT 'c' AS SELECT a FROM t;
        INSERT INTO t SELECT * FROM v; INSERT OVERWRITE t PARTITION (a = 1) VALUES (1);
        EXECUTE STATEMENT SET BEGIN INSERT INTO t SELECT 1; INSERT INTO t VALUES 2, 3; END;
        BEGIN STATEMENT SET; INSERT INTO t SELECT 1; END;
        SELECT 1; WITH x AS (SELECT 1) SELECT * FROM x; VALUES (1), (2);
        EXPLAIN SELECT 1; EXPLAIN PLAN FOR SELECT 1; EXPLAIN CHANGELOG_MODE, JSON_EXECUTION_PLAN INSERT INTO t VALUES (1);
        SHOW TABLES; SHOW VIEWS; SHOW CREATE TABLE t; DESCRIBE t; DESC v;
        DROP VIEW IF EXISTS v; DROP TABLE t;;
    ";
    let expected = "Set Set Set Reset Reset CreateTable CreateView Insert Insert StatementSet StatementSet \
        Query Query Query Explain Explain Explain Show Show Show Describe Describe Drop Drop";
    assert_eq!(kinds(script).join(" "), expected);
}

#[test]
fn settings_are_read_in_both_forms() {
    let statements =
        parse_script("SET 'a.b' = 'it''s'; SET parallelism.default = 10; SET x-y.z = 5 min")
            .unwrap();
    let settings: Vec<_> = statements
        .into_iter()
        .map(|statement| match statement.kind {
            StatementKind::Set(Some(setting)) => setting,
            other => panic!("{other:?}"),
        })
        .collect();
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        settings,
        [pair("a.b", "it's"), pair("parallelism.default", "10"), pair("x-y.z", "5 min")]
    );
}

#[test]
fn statements_know_their_place_and_text() {
    let statements = parse_script("-- first\nSELECT 1;\n\n  SELECT 'ä;',\n   2 /* c */ ;").unwrap();
    assert_eq!(statements[0].text, "SELECT 1");
    assert_eq!(statements[1].text, "SELECT 'ä;',\n   2");
    let span = statements[1].span;
    assert_eq!((span.line, span.column, span.end_line, span.end_column), (4, 3, 5, 4));
}

#[test]
fn types_print_as_they_were_read() {
    for text in [
        "BOOLEAN",
        "TINYINT",
        "SMALLINT",
        "INT NOT NULL",
        "BIGINT",
        "FLOAT",
        "DOUBLE",
        "DECIMAL(10, 2)",
        "STRING",
        "BYTES",
        "CHAR(3)",
        "VARCHAR(7) NOT NULL",
        "BINARY(2)",
        "VARBINARY(9)",
        "DATE",
        "TIME(3)",
        "TIMESTAMP(3)",
        "TIMESTAMP_LTZ(9) NOT NULL",
        "ARRAY<ARRAY<INT NOT NULL>>",
        "MULTISET<STRING>",
        "MAP<STRING NOT NULL, ARRAY<ROW<`a` INT, `b` ROW<`c` STRING>>>>",
        "ROW<`select` INT NOT NULL>",
    ] {
        assert_eq!(parse_type_text(text).unwrap().to_string(), text);
    }
}

#[test]
fn types_have_flinks_synonyms_and_defaults() {
    for (text, expected) in [
        ("integer", "INT"),
        ("Double Precision", "DOUBLE"),
        ("NUMERIC", "DECIMAL(10, 0)"),
        ("DEC(5)", "DECIMAL(5, 0)"),
        ("VARCHAR", "STRING"),
        ("VARBINARY", "BYTES"),
        ("CHAR", "CHAR(1)"),
        ("TIME", "TIME(0)"),
        ("TIMESTAMP", "TIMESTAMP(6)"),
        ("TIMESTAMP(3) WITHOUT TIME ZONE", "TIMESTAMP(3)"),
        ("TIMESTAMP(3) WITH LOCAL TIME ZONE NOT NULL", "TIMESTAMP_LTZ(3) NOT NULL"),
        ("INT ARRAY", "ARRAY<INT NOT NULL>"),
        ("INT NULL ARRAY", "ARRAY<INT>"),
        ("INT NOT NULL ARRAY NOT NULL", "ARRAY<INT NOT NULL> NOT NULL"),
        ("INT MULTISET", "MULTISET<INT NOT NULL>"),
        ("ROW(a INT, b STRING 'a comment')", "ROW<`a` INT, `b` STRING>"),
        ("INTERVAL DAY(3) TO SECOND(3)", "INTERVAL SECOND(3)"),
        ("INTERVAL YEAR", "INTERVAL MONTH"),
    ] {
        assert_eq!(parse_type_text(text).unwrap().to_string(), expected, "{text}");
    }
}

#[test]
fn wrong_types_are_refused() {
    for text in [
        "INT INT",
        "DECIMAL(39, 0)",
        "DECIMAL(5, 6)",
        "TIMESTAMP(10)",
        "VARCHAR(0)",
        "ROW<a INT, a INT>",
        "TIMESTAMP WITH TIME ZONE",
        "ARRAY<INT",
        "MAP<INT>",
        "FOO",
        "",
        "INTERVAL DAY TO MONTH",
    ] {
        let error = parse_type_text(text).unwrap_err();
        assert_eq!(error.code(), ErrorCode::SqlSyntax, "{text}: {error}");
        assert!(error.span().is_some(), "{text}");
    }
}

#[test]
fn errors_point_at_their_place() {
    check_error(
        "SELECT a,\n FROM t",
        expect![[r#"
        SQL_SYNTAX expected an expression, found FROM (line 2, column 7)
    "#]],
    );
    check_error(
        "SELECT 1\nSELECT 2",
        expect![[r#"
        SQL_SYNTAX expected ; or the end of the statement, found SELECT (line 2, column 1)
    "#]],
    );
    check_error(
        "SELECT 'open",
        expect![[r#"
        SQL_SYNTAX Unterminated string literal (line 1, column 8)
    "#]],
    );
    check_error(
        "SELECT \"a\" FROM t",
        expect![[r#"
        SQL_SYNTAX double quotes are not used in Flink SQL (line 1, column 8)
          help: write 'text' for strings and `name` for identifiers
    "#]],
    );
    check_error(
        "CREATE TABLE t (a INT,\n  b FOO)",
        expect![[r#"
        SQL_SYNTAX 'FOO' is not a type that is supported (line 2, column 5)
    "#]],
    );
    check_error(
        "CREATE TABLE t (a INT, a STRING)",
        expect![[r#"
        SQL_SEMANTIC the table has two columns named 'a' (line 1, column 24)
    "#]],
    );
    check_error(
        "CREATE TABLE t (a INT, PRIMARY KEY (a))",
        expect![[r#"
        SQL_SYNTAX expected NOT ENFORCED behind the primary key (Flink and Tidegate do not own the data), found ) (line 1, column 39)
    "#]],
    );
    check_error(
        "CREATE TABLE t (a INT, PRIMARY KEY (b) NOT ENFORCED)",
        expect![[r#"
        SQL_SEMANTIC the primary key 'b' is not a column of the table (line 1, column 37)
    "#]],
    );
    check_error(
        "CREATE TABLE t (a INT) WITH ('x')",
        expect![[r#"
        SQL_SYNTAX expected =, found ) (line 1, column 33)
    "#]],
    );
    check_error(
        "CREATE TABLE t (a INT) DISTRIBUTED BY (a) INTO 0 BUCKETS LIKE u",
        expect![[r#"
            SQL_SYNTAX expected a number of buckets from 1, found 0 (line 1, column 48)
        "#]],
    );
    check_error(
        "CREATE OR REPLACE CATALOG c",
        expect![[r#"
            UNSUPPORTED CREATE OR REPLACE CATALOG is not supported (line 1, column 1)
              help: supported are CREATE [TEMPORARY] TABLE, CREATE [OR REPLACE] [TEMPORARY] VIEW | FUNCTION, CREATE CATALOG and CREATE DATABASE
        "#]],
    );
    check_error(
        "ALTER CATALOG c RENAME TO d",
        expect![[r#"
            SQL_SYNTAX expected SET, RESET or COMMENT, found RENAME (line 1, column 17)
        "#]],
    );
    check_error(
        "FROBNICATE",
        expect![[r#"
        SQL_SYNTAX expected a statement, found FROBNICATE (line 1, column 1)
    "#]],
    );
    check_error(
        "INSERT t SELECT 1",
        expect![[r#"
        SQL_SYNTAX expected INTO or OVERWRITE, found t (line 1, column 8)
    "#]],
    );
    check_error(
        "EXECUTE STATEMENT SET BEGIN SELECT 1; END",
        expect![[r#"
        SQL_SYNTAX expected INSERT or END in the statement set, found SELECT (line 1, column 29)
    "#]],
    );
    check_error(
        "SELECT /*+ FASTER(t) */ * FROM t",
        expect![[r#"
        UNSUPPORTED there is no hint FASTER (line 1, column 8)
          help: supported are OPTIONS('key' = 'value') behind a table's name, and STATE_TTL('table' = '1 d') and LOOKUP('table' = '…', …) behind SELECT
    "#]],
    );
    check_error(
        "SELECT CAST(a AS ROW<b>) FROM t",
        expect![[r#"
        SQL_SYNTAX expected a type, found > (line 1, column 23)
    "#]],
    );
}

#[test]
fn deep_nesting_is_refused_and_not_a_crash() {
    let deep =
        |open: &str, close: &str| format!("SELECT {}1{}", open.repeat(5_000), close.repeat(5_000));
    for script in [
        deep("(", ")"),
        deep("CAST(", " AS INT)"),
        deep("CASE WHEN TRUE THEN ", " END"),
        deep("f(", ")"),
        deep("ARRAY[", "]"),
        deep("-", ""),
        deep("NOT ", ""),
        deep("a + ", ""),
        deep("x = 1 OR ", ""),
        format!("SELECT * FROM {}t{}", "(".repeat(5_000), ")".repeat(5_000)),
        format!("SELECT CAST(a AS {}INT{})", "ARRAY<".repeat(5_000), ">".repeat(5_000)),
        format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(5_000)),
        format!("SELECT a{}", ".a".repeat(5_000)),
        format!("SELECT a{}", "[1]".repeat(5_000)),
    ] {
        let _ = parse_script(&script);
    }
}
