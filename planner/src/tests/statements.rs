//! Statements about tables: what they leave in the catalog, shown by SHOW CREATE and DESCRIBE, and
//! what is refused.

use expect_test::{Expect, expect};

use tidegate_types::Result;

use super::plan;
use crate::{Planned, Session, parse_script};

const TABLES: &str = "CREATE TABLE base (id INT COMMENT 'key', d AS UPPER(name), name STRING, f STRING METADATA FROM 'partition' VIRTUAL, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECONDS, CONSTRAINT pk PRIMARY KEY (id) NOT ENFORCED) COMMENT 'it''s' PARTITIONED BY (id) WITH ('connector' = 'kafka', 'topic' = 'a');
CREATE TABLE t (a INT, b STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'datagen');
CREATE VIEW v AS SELECT a, b FROM t;
";

/// The script stands behind three lines of declarations.
fn check(sql: &str, expected: Expect) {
    expected.assert_eq(&plan(&format!("{TABLES}{sql}")));
}

#[test]
fn tables_are_shown_as_flink_shows_them() {
    check(
        "SHOW CREATE TABLE base; DESCRIBE base; SHOW CREATE VIEW v",
        expect![[r#"
        result
        CREATE TABLE `default_catalog`.`default_database`.`base` (
          `id` INT NOT NULL COMMENT 'key',
          `d` AS UPPER(`name`),
          `name` VARCHAR(2147483647),
          `f` VARCHAR(2147483647) METADATA FROM 'partition' VIRTUAL,
          `ts` TIMESTAMP(3),
          WATERMARK FOR `ts` AS `ts` - INTERVAL '5' SECOND,
          CONSTRAINT `pk` PRIMARY KEY (`id`) NOT ENFORCED
        )
        COMMENT 'it''s'
        PARTITIONED BY (`id`)
        WITH (
          'connector' = 'kafka',
          'topic' = 'a'
        )

        name | type | null | key | extras | watermark | comment
        id | INT | FALSE | PRI(id) |  |  | key
        d | STRING | TRUE |  | AS UPPER(`name`) |  | 
        name | STRING | TRUE |  |  |  | 
        f | STRING | TRUE |  | METADATA FROM 'partition' VIRTUAL |  | 
        ts | TIMESTAMP(3) *ROWTIME* | TRUE |  |  | `ts` - INTERVAL '5' SECOND | 
        result
        CREATE VIEW `default_catalog`.`default_database`.`v` (
          `a`,
          `b`
        )
        AS SELECT a, b FROM t

    "#]],
    );
    check(
        "CREATE TABLE x (a BYTES NOT NULL, l TIMESTAMP_LTZ(3), r ROW<q ARRAY<STRING NOT NULL>, `w z` MAP<STRING, INT>>,
           c AS CAST(a AS STRING) || 'it''s', e AS TIMESTAMPADD(SECOND, 5, l), g AS r.q[1], h AS MAP['k', 1], i AS CASE WHEN a IS NULL THEN 1 ELSE 2 END);
         SHOW CREATE TABLE x",
        expect![[r#"
            result
            CREATE TABLE `default_catalog`.`default_database`.`x` (
              `a` VARBINARY(2147483647) NOT NULL,
              `l` TIMESTAMP(3) WITH LOCAL TIME ZONE,
              `r` ROW<`q` ARRAY<VARCHAR(2147483647) NOT NULL>, `w z` MAP<VARCHAR(2147483647), INT>>,
              `c` AS CAST(`a` AS STRING) || 'it''s',
              `e` AS TIMESTAMPADD(SECOND, 5, `l`),
              `g` AS `r`.`q`[1],
              `h` AS MAP['k', 1],
              `i` AS CASE WHEN `a` IS NULL THEN 1 ELSE 2 END
            )

        "#]],
    );
}

#[test]
fn a_script_of_definitions() {
    expect![[r#"
        == Optimized Execution Plan ==
        Sink(table=[totals], fields=[extra, id, price], changelogMode=[NONE])
        +- Calc(select=[NULL:STRING AS extra, id, CAST(item.price AS DECIMAL(12, 2)) AS price], changelogMode=[I])
           +- TableSourceScan(table=[orders], read=[id, item(price)], fields=[id, item], changelogMode=[I])
        == Optimized Execution Plan ==
        Sink(table=[totals], fields=[price, id], changelogMode=[NONE])
        +- Calc(select=[price, id], changelogMode=[I])
           +- Union(all=[true], union=[id, price], changelogMode=[I])
              :- Calc(select=[id, item.price AS price], changelogMode=[I])
              :  +- TableSourceScan(table=[orders], read=[id, item(price)], fields=[id, item], changelogMode=[I])
              +- Calc(select=[id, item.price AS price], changelogMode=[I])
                 +- TableSourceScan(table=[orders], read=[id, item(price)], fields=[id, item], changelogMode=[I])
        result
        CREATE TABLE `default_catalog`.`default_database`.`others` (
          `id` INT NOT NULL COMMENT 'the key',
          `item` ROW<`name` VARCHAR(2147483647), `price` DECIMAL(10, 2)>,
          `double price` AS `item`.`price` * 2,
          `f` VARCHAR(2147483647) METADATA FROM 'file.path' VIRTUAL,
          `ts` TIMESTAMP(3),
          `later` AS `ts`,
          `kind` AS CASE WHEN `id` IN (1, 2) THEN MAP['a', `id`]['a'] ELSE CAST(TRIM(BOTH 'x' FROM `item`.`name`) AS INT) END,
          `more` TIMESTAMP(3) WITH LOCAL TIME ZONE,
          WATERMARK FOR `ts` AS `ts`
        )
        PARTITIONED BY (`id`)
        WITH (
          'connector' = 'filesystem',
          'format' = 'json',
          'path' = '/others'
        )

        name | type | null | key | extras | watermark | comment
        double price | DECIMAL(21, 2) | TRUE |  | AS `item`.`price` * 2 |  | 
        f | STRING | TRUE |  | METADATA FROM 'file.path' VIRTUAL |  | 
        ts | TIMESTAMP(3) *ROWTIME* | TRUE |  |  | `ts` - INTERVAL '5' SECOND | 
        later | TIMESTAMP(3) | TRUE |  | AS TIMESTAMPADD(HOUR, 1, `ts`) |  | 
        kind | INT | TRUE |  | AS CASE WHEN `id` IN (1, 2) THEN MAP['a', `id`]['a'] ELSE CAST(TRIM(BOTH 'x' FROM `item`.`name`) AS INT) END |  | 
        result
        CREATE TEMPORARY VIEW `default_catalog`.`default_database`.`priced` (
          `id`,
          `price`
        )
        COMMENT 'prices'
        AS SELECT id, item.price FROM orders

        table name
        name | type | null | key | extras | watermark
        id | INT | FALSE |  |  | 
        result
        == Optimized Execution Plan ==
        Sink(table=[t], fields=[id], changelogMode=[NONE])
        +- TableSourceScan(table=[orders], read=[id], fields=[id], changelogMode=[I])

        table name
        orders
        totals
        v
    "#]].assert_eq(&plan(include_str!("scripts/statements.sql")));
}

/// What SHOW CREATE prints makes the same table again.
#[test]
fn shown_tables_can_be_made_again() {
    let mut checked = 0;
    for script in [
        include_str!("scripts/computed.sql"),
        include_str!("scripts/windows.sql"),
        include_str!("scripts/nexmark.sql"),
        include_str!("scripts/statements.sql"),
    ] {
        let mut session = Session::new(Default::default()).unwrap();
        for statement in parse_script(script).unwrap() {
            session.plan(&statement).unwrap();
            let here = crate::catalog::Namespace::default();
            let names: Vec<String> = session.catalog().names(&here).map(str::to_owned).collect();
            for name in names {
                checked += u32::from(is_made_again(&session, &name));
            }
        }
    }
    assert!(checked > 50, "{checked}");
}

/// Makes a table again from what is shown of it; false for a view.
fn is_made_again(session: &Session, name: &str) -> bool {
    let mut copy = session.clone();
    let show = format!("SHOW CREATE TABLE `{name}`; DESCRIBE `{name}`");
    let Ok(text) = shown(&mut copy, &show) else { return false };
    let temporary = if text[0].contains("CREATE TEMPORARY") { "TEMPORARY" } else { "" };
    let again = format!("DROP {temporary} TABLE `{name}`; {}", text[0]);
    shown(&mut copy, &again).unwrap_or_else(|error| panic!("{error}\n{again}"));
    assert_eq!(shown(&mut copy, &show).unwrap(), text);
    true
}

/// The values of all answers.
fn shown(session: &mut Session, script: &str) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for statement in parse_script(script)? {
        if let Planned::Rows(rows) = session.plan(&statement)? {
            texts.extend(rows.rows.into_iter().flatten());
        }
    }
    Ok(texts)
}

#[test]
fn expressions_are_shown_as_flink_shows_them() {
    let script = concat!(include_str!("scripts/computed.sql"), "SHOW CREATE TABLE t");
    expect![[r#"
        result
        CREATE TABLE `default_catalog`.`default_database`.`t` (
          `a` INT,
          `b` BIGINT,
          `c` DECIMAL(10, 2),
          `d` DOUBLE,
          `s` VARCHAR(2147483647),
          `dt` DATE,
          `ts` TIMESTAMP(3),
          `z` TIMESTAMP(3) WITH LOCAL TIME ZONE,
          `flag` BOOLEAN,
          `arr` ARRAY<INT>,
          `m` MAP<VARCHAR(2147483647), BIGINT>,
          `r` ROW<`x` INT, `y z` ROW<`z` VARCHAR(2147483647)>>,
          `bin` VARBINARY(2147483647) NOT NULL,
          `select` INT COMMENT 'it''s',
          `key_` VARCHAR(2147483647) METADATA FROM 'file.name' VIRTUAL,
          `file.size` BIGINT NOT NULL METADATA VIRTUAL,
          `c1` AS (`a` + `b`) * 2 - - `a` % 3 / 1.5,
          `c2` AS `s` || 'it''s' || UPPER(`s`),
          `c3` AS NOT `flag` AND `a` = `b` OR `a` <> 1 AND `flag` IS NOT UNKNOWN,
          `c4` AS `a` BETWEEN 1 AND `b`,
          `c5` AS `a` NOT IN (1, 2, 3),
          `c6` AS `s` LIKE 'a!%' ESCAPE '!' OR `s` NOT SIMILAR TO 'a|b',
          `c7` AS `a` IS DISTINCT FROM `b`,
          `c8` AS CASE WHEN `a` > 1 THEN 'x' WHEN `select` IS NULL THEN 'yyy' ELSE NULL END,
          `c9` AS CASE WHEN `a` = 1 THEN 1 ELSE 2.5 END,
          `c10` AS `r`.`y z`.`z`,
          `c11` AS `arr`[1],
          `c12` AS `m`['k'],
          `c13` AS ARRAY[`a`, 2],
          `c14` AS MAP['k', `a`, 'l', 2],
          `c15` AS ROW(`a`, `s`),
          `c16` AS DATE '2024-02-29',
          `c17` AS TIMESTAMP '2024-02-29 12:00:00.123',
          `c18` AS TIME '12:34:56',
          `c19` AS X'0AFF',
          `c20` AS `ts` + INTERVAL '1 02:03:04' DAY TO SECOND,
          `c21` AS `ts` - INTERVAL -'5' MINUTE,
          `c22` AS `dt` + INTERVAL '1-2' YEAR TO MONTH,
          `c23` AS TRY_CAST(`s` AS VARCHAR(3)),
          `c24` AS CAST(`s` AS TIMESTAMP_LTZ(3)),
          `c25` AS CAST(ROW(`a`, `s`) AS ROW<`x` BIGINT, `y z` STRING>),
          `c26` AS EXTRACT(YEAR FROM `ts`),
          `c27` AS CEIL(`ts` TO HOUR),
          `c28` AS FLOOR(`d`),
          `c29` AS TIMESTAMPDIFF(DAY, `ts`, `ts`),
          `c30` AS POSITION('a' IN `s`),
          `c31` AS SUBSTRING(`s`, 2, 3),
          `c32` AS SUBSTRING(`s`, 2),
          `c33` AS TRIM(LEADING 'x' FROM `s`),
          `c34` AS OVERLAY(`s` PLACING 'x' FROM 2),
          `c35` AS IF(`flag`, 1, 2),
          `c36` AS PROCTIME(),
          `c37` AS CURRENT_DATE,
          `c38` AS COALESCE(`s`, 'x'),
          `c39` AS `t`.`a`,
          `c40` AS 1E-3 + 0.5,
          `c41` AS U&'\00E9',
          `c42` AS TRUE,
          `c43` AS - (- (- `a`)),
          `c44` AS - (-5) - + `a` - - (- `a`),
          WATERMARK FOR `ts` AS `ts` - INTERVAL '0.001' SECOND
        )
        WITH (
          'connector' = 'filesystem',
          'format' = 'json',
          'path' = '/x''y'
        )

    "#]]
    .assert_eq(&plan(script));
}

#[test]
fn like_takes_over_what_is_included() {
    check(
        "CREATE TABLE x LIKE base; SHOW CREATE TABLE x",
        expect![[r#"
        result
        CREATE TABLE `default_catalog`.`default_database`.`x` (
          `id` INT NOT NULL COMMENT 'key',
          `d` AS UPPER(`name`),
          `name` VARCHAR(2147483647),
          `f` VARCHAR(2147483647) METADATA FROM 'partition' VIRTUAL,
          `ts` TIMESTAMP(3),
          WATERMARK FOR `ts` AS `ts` - INTERVAL '5' SECOND,
          CONSTRAINT `pk` PRIMARY KEY (`id`) NOT ENFORCED
        )
        PARTITIONED BY (`id`)
        WITH (
          'connector' = 'kafka',
          'topic' = 'a'
        )

    "#]],
    );
    check(
        "CREATE TEMPORARY TABLE x (n INT, d AS name) WITH ('topic' = 'b') LIKE base (EXCLUDING ALL INCLUDING OPTIONS);",
        expect![[r#"
            INVALID_OPTION the table of LIKE has the option 'topic' already; here it is 'b' (line 4, column 51)
              help: say EXCLUDING OPTIONS or OVERWRITING OPTIONS
        "#]],
    );
    check(
        "CREATE TEMPORARY TABLE x (n INT, d AS name) WITH ('k' = 'b') LIKE base (EXCLUDING ALL OVERWRITING GENERATED INCLUDING OPTIONS); SHOW CREATE TABLE x",
        expect![[r#"
            result
            CREATE TEMPORARY TABLE `default_catalog`.`default_database`.`x` (
              `id` INT NOT NULL COMMENT 'key',
              `d` AS `name`,
              `name` VARCHAR(2147483647),
              `ts` TIMESTAMP(3),
              `n` INT
            )
            PARTITIONED BY (`id`)
            WITH (
              'connector' = 'kafka',
              'k' = 'b',
              'topic' = 'a'
            )

        "#]],
    );
    check(
        "CREATE TABLE x (more TIMESTAMP(3), WATERMARK FOR more AS more) PARTITIONED BY (name) LIKE base (EXCLUDING PARTITIONS EXCLUDING WATERMARKS); SHOW CREATE TABLE x",
        expect![[r#"
            result
            CREATE TABLE `default_catalog`.`default_database`.`x` (
              `id` INT NOT NULL COMMENT 'key',
              `d` AS UPPER(`name`),
              `name` VARCHAR(2147483647),
              `f` VARCHAR(2147483647) METADATA FROM 'partition' VIRTUAL,
              `ts` TIMESTAMP(3),
              `more` TIMESTAMP(3),
              WATERMARK FOR `more` AS `more`,
              CONSTRAINT `pk` PRIMARY KEY (`id`) NOT ENFORCED
            )
            PARTITIONED BY (`name`)
            WITH (
              'connector' = 'kafka',
              'topic' = 'a'
            )

        "#]],
    );
}

#[test]
fn like_refuses_what_only_one_can_have() {
    check(
        "CREATE TABLE x (id INT) LIKE base",
        expect![[r#"
        SQL_SEMANTIC there is a column 'id' in the table of LIKE already (line 4, column 17)
          help: only computed columns can take the place of computed ones, and metadata that of metadata
    "#]],
    );
    check(
        "CREATE TABLE x (d AS name) LIKE base",
        expect![[r#"
        SQL_SEMANTIC there is a column 'd' in the table of LIKE already (line 4, column 17)
          help: say EXCLUDING GENERATED or OVERWRITING GENERATED
    "#]],
    );
    check(
        "CREATE TABLE x (f AS name) LIKE base (OVERWRITING METADATA)",
        expect![[r#"
        SQL_SEMANTIC there is a column 'f' in the table of LIKE already (line 4, column 17)
          help: only computed columns can take the place of computed ones, and metadata that of metadata
    "#]],
    );
    check(
        "CREATE TABLE x (WATERMARK FOR ts AS ts) LIKE base",
        expect![[r#"
        SQL_SEMANTIC there is a watermark for this column in the table of LIKE already (line 4, column 31)
          help: say EXCLUDING WATERMARKS or OVERWRITING WATERMARKS
    "#]],
    );
    check(
        "CREATE TABLE x (m TIMESTAMP(3), WATERMARK FOR m AS m) LIKE base",
        expect![[r#"
        SQL_SEMANTIC there is a watermark for another column in the table of LIKE; a table has one (line 4, column 47)
          help: say EXCLUDING WATERMARKS
    "#]],
    );
    check(
        "CREATE TABLE x (PRIMARY KEY (name) NOT ENFORCED) LIKE base",
        expect![[r#"
        SQL_SEMANTIC the table of LIKE has a primary key already (line 4, column 30)
          help: say EXCLUDING CONSTRAINTS
    "#]],
    );
    check(
        "CREATE TABLE x (PRIMARY KEY (nome) NOT ENFORCED) LIKE base (EXCLUDING CONSTRAINTS)",
        expect![[r#"
            SQL_SEMANTIC table x LIKE base: the primary key 'nome' is not a column of the table (line 4, column 30)
        "#]],
    );
    check(
        "CREATE TABLE x (n INT) PARTITIONED BY (n) LIKE base",
        expect![[r#"
        SQL_SEMANTIC the table of LIKE is partitioned already (line 4, column 40)
          help: say EXCLUDING PARTITIONS
    "#]],
    );
    check(
        "CREATE TABLE x LIKE base (OVERWRITING PARTITIONS)",
        expect![[r#"
        SQL_SEMANTIC PARTITIONS cannot be OVERWRITING (line 4, column 27)
          help: say EXCLUDING PARTITIONS and declare them again
    "#]],
    );
    check(
        "CREATE TABLE x LIKE base (INCLUDING OPTIONS EXCLUDING OPTIONS)",
        expect![[r#"
        SQL_SEMANTIC LIKE says twice what happens to OPTIONS (line 4, column 45)
    "#]],
    );
    check(
        "CREATE TABLE x LIKE base (INCLUDING)",
        expect![[r#"
        SQL_SYNTAX expected one of ALL, CONSTRAINTS, DISTRIBUTION, GENERATED, METADATA, OPTIONS, PARTITIONS, WATERMARKS, found ) (line 4, column 36)
    "#]],
    );
    check(
        "CREATE TABLE x LIKE v",
        expect![[r#"
        SQL_SEMANTIC 'v' is a view: LIKE takes a table (line 4, column 21)
          help: use CREATE TABLE … AS SELECT for the columns of a view
    "#]],
    );
    check(
        "CREATE TABLE x LIKE bass",
        expect![[r#"
        NOT_FOUND there is no table 'bass' (line 4, column 21)
          help: did you mean 'base'? there are: base, t, v
    "#]],
    );
    check(
        "CREATE TABLE x LIKE base (EXCLUDING METADATA); SELECT f FROM x",
        expect![[r#"
        SQL_SEMANTIC there is no column 'f' (line 4, column 55)
          help: the columns are: id, d, name, ts
    "#]],
    );
}

#[test]
fn tables_are_made_from_queries() {
    check(
        "CREATE TABLE x (more STRING, c AS n + 1, WATERMARK FOR ts AS ts, PRIMARY KEY (n) NOT ENFORCED) WITH ('connector' = 'print') AS SELECT ts, COALESCE(a, 0) AS n FROM t; SHOW CREATE TABLE x",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[x], fields=[more, ts, n], changelogMode=[NONE])
            +- Calc(select=[NULL:STRING AS more, ts, COALESCE(a, 0) AS n], changelogMode=[I])
               +- TableSourceScan(table=[t], read=[a, ts], fields=[a, ts], changelogMode=[I])
            result
            CREATE TABLE `default_catalog`.`default_database`.`x` (
              `more` VARCHAR(2147483647),
              `c` AS `n` + 1,
              `ts` TIMESTAMP(3),
              `n` INT NOT NULL,
              WATERMARK FOR `ts` AS `ts`,
              CONSTRAINT `PK_n` PRIMARY KEY (`n`) NOT ENFORCED
            )
            WITH (
              'connector' = 'print'
            )

        "#]],
    );
    check(
        "CREATE TABLE x (b, a) COMMENT 'c' WITH ('connector' = 'print') AS TABLE v; SHOW CREATE TABLE x",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[x], fields=[b, a], changelogMode=[NONE])
            +- Calc(select=[b, a], changelogMode=[I])
               +- TableSourceScan(table=[t], read=[a, b], fields=[a, b], changelogMode=[I])
            result
            CREATE TABLE `default_catalog`.`default_database`.`x` (
              `b` VARCHAR(2147483647),
              `a` INT
            )
            COMMENT 'c'
            WITH (
              'connector' = 'print'
            )

        "#]],
    );
    check(
        "CREATE TABLE x (a DOUBLE) WITH ('connector' = 'print') AS (SELECT a, b FROM t); DESCRIBE x",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[x], fields=[a, b], changelogMode=[NONE])
            +- Calc(select=[CAST(a AS DOUBLE) AS a, b], changelogMode=[I])
               +- TableSourceScan(table=[t], read=[a, b], fields=[a, b], changelogMode=[I])
            name | type | null | key | extras | watermark
            a | DOUBLE | TRUE |  |  | 
            b | STRING | TRUE |  |  | 
        "#]],
    );
    check(
        "CREATE TABLE s (y INT, z STRING) WITH ('connector' = 'print'); CREATE TABLE IF NOT EXISTS s AS SELECT a, b FROM t",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[s], fields=[y, z], changelogMode=[NONE])
            +- Calc(select=[a AS y, b AS z], changelogMode=[I])
               +- TableSourceScan(table=[t], read=[a, b], fields=[a, b], changelogMode=[I])
        "#]],
    );
    check(
        "CREATE OR REPLACE TABLE t WITH ('connector' = 'print') AS SELECT a FROM t; SHOW CREATE TABLE t",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[t], fields=[a], changelogMode=[NONE])
            +- TableSourceScan(table=[t], read=[a], fields=[a], changelogMode=[I])
            result
            CREATE TABLE `default_catalog`.`default_database`.`t` (
              `a` INT
            )
            WITH (
              'connector' = 'print'
            )

        "#]],
    );
}

#[test]
fn explained_tables_are_not_made() {
    check(
        "EXPLAIN ANALYZE CREATE TABLE x WITH ('connector' = 'print') AS SELECT a FROM t",
        expect![[r#"
            SQL_SEMANTIC EXPLAIN ANALYZE takes a query, an INSERT or a statement set (line 4, column 17)
              help: create the table first, then analyze an INSERT into it
        "#]],
    );
    check(
        "EXPLAIN CREATE TABLE x WITH ('connector' = 'print') AS SELECT a FROM t; SHOW TABLES LIKE 'x'",
        expect![[r#"
            result
            == Optimized Execution Plan ==
            Sink(table=[x], fields=[a], changelogMode=[NONE])
            +- TableSourceScan(table=[t], read=[a], fields=[a], changelogMode=[I])

            table name
        "#]],
    );
}

#[test]
fn tables_from_queries_are_refused_where_they_do_not_fit() {
    check(
        "CREATE TABLE t AS SELECT 1 AS a",
        expect![[r#"
        ALREADY_EXISTS there is a table 't' already (line 4, column 14)
          help: use IF NOT EXISTS, or DROP TABLE first
    "#]],
    );
    check(
        "CREATE TEMPORARY TABLE x AS SELECT 1 AS a",
        expect![[r#"
        SQL_SEMANTIC CREATE TABLE … AS makes no temporary table, as in Flink SQL (line 4, column 1)
          help: leave TEMPORARY out
    "#]],
    );
    check(
        "REPLACE TABLE x AS SELECT 1 AS a",
        expect![[r#"
        NOT_FOUND there is no table 'x' to replace (line 4, column 15)
          help: use CREATE TABLE … AS or CREATE OR REPLACE TABLE … AS
    "#]],
    );
    check(
        "CREATE OR REPLACE TABLE v AS SELECT 1 AS a",
        expect![[r#"
        SQL_SEMANTIC 'v' is a view, not a table (line 4, column 25)
    "#]],
    );
    check(
        "CREATE OR REPLACE TABLE x (a INT)",
        expect![[r#"
        SQL_SEMANTIC CREATE OR REPLACE TABLE needs AS and a query (line 4, column 1)
          help: use DROP TABLE IF EXISTS and CREATE TABLE
    "#]],
    );
    check(
        "CREATE TABLE x (a)",
        expect![[r#"
        SQL_SEMANTIC the column 'a' has no type (line 4, column 17)
    "#]],
    );
    check(
        "CREATE TABLE x (a, c) AS SELECT a, b FROM t",
        expect![[r#"
        SQL_SEMANTIC the query has no column 'c' (line 4, column 20)
          help: the columns are: a, b
    "#]],
    );
    check(
        "CREATE TABLE x (a) AS SELECT a, b FROM t",
        expect![[r#"
        SQL_SEMANTIC the list names 1 columns, the query has 2 (line 4, column 23)
    "#]],
    );
    check(
        "CREATE TABLE x (a AS 1) AS SELECT a, b FROM t",
        expect![[r#"
        SQL_SEMANTIC the query has a column 'a': it cannot be computed or metadata (line 4, column 17)
    "#]],
    );
    check(
        "CREATE TABLE x (b INT) WITH ('connector' = 'print') AS SELECT a, b FROM t",
        expect![[r#"
        SQL_SEMANTIC the query does not fit the table 'x': incompatible types for sink column 'b' at position 1
          query schema: [a: INT, b: STRING]
          sink schema:  [a: INT, b: INT] (line 4, column 56)
          help: cast it: CAST(… AS INT)
    "#]],
    );
    check(
        "CREATE TABLE x (c INT NOT NULL) WITH ('connector' = 'print') AS SELECT a, b FROM t",
        expect![[r#"
        SQL_SEMANTIC column 'c' is NOT NULL and the INSERT gives it no value (line 4, column 14)
    "#]],
    );
    check(
        "CREATE TABLE x AS SELECT NULL AS a FROM t",
        expect![[r#"
        SQL_SEMANTIC the type of NULL is not known here (line 4, column 26)
          help: write CAST(NULL AS type)
    "#]],
    );
    check(
        "CREATE TABLE x (PRIMARY KEY (a) NOT ENFORCED) AS SELECT a FROM t",
        expect![[r#"
        SQL_SEMANTIC the column 'a' of the primary key may be NULL (line 4, column 30)
          help: make the query's column NOT NULL, with COALESCE for example
    "#]],
    );
    check(
        "CREATE TABLE x AS SELECT a, a FROM t",
        expect![[r#"
            INVALID_OPTION table x: the option 'connector' is missing (line 4, column 1)
              help: it is one of kafka, upsert-kafka, filesystem, jdbc, datagen, nexmark, print, blackhole
        "#]],
    );
    check(
        "CREATE TABLE x AS SELECT a FROM t",
        expect![[r#"
            INVALID_OPTION table x: the option 'connector' is missing (line 4, column 1)
              help: it is one of kafka, upsert-kafka, filesystem, jdbc, datagen, nexmark, print, blackhole
        "#]],
    );
    check(
        "CREATE TABLE x DISTRIBUTED INTO 3 BUCKETS WITH ('connector' = 'print') AS SELECT a FROM t",
        expect![[r#"
            UNSUPPORTED table x: it is distributed into buckets, which the connector 'print' does not have (line 4, column 1)
              help: use ALTER TABLE … DROP DISTRIBUTION, or leave DISTRIBUTED out
        "#]],
    );
}

#[test]
fn show_lists_what_there_is() {
    check(
        "SHOW TABLES LIKE '%_'; SHOW TABLES IN default_catalog.default_database NOT LIKE 'b%'; SHOW VIEWS ILIKE 'V'; SHOW COLUMNS IN base LIKE 'n%'",
        expect![[r#"
            table name
            base
            t
            v
            table name
            t
            v
            view name
            v
            name | type | null | key | extras | watermark | comment
            name | STRING | TRUE |  |  |  | 
        "#]],
    );
    check(
        "SHOW CATALOGS LIKE 'x'; SHOW DATABASES FROM default_catalog; SHOW CURRENT CATALOG; SHOW CURRENT DATABASE; SHOW FULL MODULES; SHOW JARS; SHOW FUNCTIONS LIKE 'regexp\\_e%'",
        expect![[r#"
            catalog name
            database name
            default_database
            current catalog name
            default_catalog
            current database name
            default_database
            module name | used
            core | TRUE
            jars
            function name
            regexp_extract
            regexp_extract_all
        "#]],
    );
    check(
        "CREATE FUNCTION count_char AS 'com.github.nexmark.flink.udf.CountChar'; SHOW USER FUNCTIONS; DROP FUNCTION count_char; SHOW USER FUNCTIONS; DROP FUNCTION IF EXISTS count_char",
        expect![[r#"
            function name
            count_char
            function name
        "#]],
    );
    check(
        "USE CATALOG default_catalog; USE default_catalog.default_database; USE MODULES core; USE other",
        expect![[r#"
            NOT_FOUND there is no database 'other' in the catalog 'default_catalog' (line 4, column 90)
              help: the databases are: default_database
        "#]],
    );
    for refused in [
        "SHOW TABLES FROM other",
        "SHOW TABLES NOT 'a'",
        "SHOW DATABASES IN other",
        "SHOW PARTITIONS t",
        "SHOW PARTITIONS nope",
        "SHOW JOBS",
        "SHOW CREATE TABLE v",
        "SHOW CREATE VIEW t",
        "SHOW NOPE",
        "DESCRIBE FUNCTION nope",
        "USE CATALOG other",
        "USE MODULES core, hive",
    ] {
        let answer = plan(&format!("{TABLES}{refused}"));
        assert!(answer.contains("(line 4, column"), "{refused}\n{answer}");
    }
}

#[test]
fn temporary_objects_hide_others() {
    check(
        "CREATE TEMPORARY VIEW base AS SELECT 1 AS one; SHOW TABLES; DESCRIBE base; DROP TEMPORARY VIEW base; DESCRIBE base",
        expect![[r#"
            table name
            base
            t
            v
            name | type | null | key | extras | watermark
            one | INT | FALSE |  |  | 
            name | type | null | key | extras | watermark | comment
            id | INT | FALSE | PRI(id) |  |  | key
            d | STRING | TRUE |  | AS UPPER(`name`) |  | 
            name | STRING | TRUE |  |  |  | 
            f | STRING | TRUE |  | METADATA FROM 'partition' VIRTUAL |  | 
            ts | TIMESTAMP(3) *ROWTIME* | TRUE |  |  | `ts` - INTERVAL '5' SECOND | 
        "#]],
    );
    check(
        "CREATE TEMPORARY TABLE x (a INT); DROP TABLE x",
        expect![[r#"
        SQL_SEMANTIC 'x' is a temporary table (line 4, column 46)
          help: DROP TEMPORARY TABLE
    "#]],
    );
    check(
        "DROP TEMPORARY TABLE t",
        expect![[r#"
        NOT_FOUND there is no temporary table 't' (line 4, column 22)
          help: DROP TABLE without TEMPORARY
    "#]],
    );
    check(
        "CREATE TEMPORARY TABLE x (a INT); ALTER TABLE x ADD b INT",
        expect![[r#"
        SQL_SEMANTIC 'x' is temporary and cannot be altered (line 4, column 47)
          help: drop it and create it anew
    "#]],
    );
}

#[test]
fn views_do_not_refer_to_themselves() {
    check(
        "CREATE OR REPLACE VIEW v AS SELECT a FROM v",
        expect![[r#"
        SQL_SEMANTIC the view 'v' refers to itself (line 4, column 29)
    "#]],
    );
    check(
        "CREATE TEMPORARY VIEW t AS SELECT a FROM t",
        expect![[r#"
        SQL_SEMANTIC the view 't' refers to itself (line 4, column 28)
    "#]],
    );
    check(
        "CREATE VIEW w AS TABLE v; ALTER VIEW v AS SELECT * FROM w",
        expect![[r#"
        SQL_SEMANTIC expand view w: the view 'v' refers to itself (line 4, column 18)
    "#]],
    );
    check(
        "CREATE VIEW w AS SELECT * FROM v AS a JOIN v AS b ON a.a = b.a; DESCRIBE w",
        expect![[r#"
            name | type | null | key | extras | watermark
            a | INT | TRUE |  |  | 
            b | STRING | TRUE |  |  | 
            a0 | INT | TRUE |  |  | 
            b0 | STRING | TRUE |  |  | 
        "#]],
    );
}

#[test]
fn alter_table_changes_the_definition() {
    check(
        "ALTER TABLE base ADD (y INT FIRST, z AS y + 1 AFTER id); ALTER TABLE base DROP WATERMARK; ALTER TABLE base ADD WATERMARK FOR ts AS ts; ALTER TABLE base MODIFY (name BYTES AFTER y, d AS 1);
         ALTER TABLE base DROP CONSTRAINT pk; ALTER TABLE base ADD PRIMARY KEY (name) NOT ENFORCED; ALTER TABLE base SET ('topic' = 'b', 'k' = 'v'); ALTER TABLE base RESET ('k'); ALTER TABLE base RENAME f TO g; ALTER TABLE base RENAME TO other; SHOW CREATE TABLE other",
        expect![[r#"
            result
            CREATE TABLE `default_catalog`.`default_database`.`other` (
              `y` INT,
              `name` VARBINARY(2147483647) NOT NULL,
              `id` INT NOT NULL COMMENT 'key',
              `z` AS `y` + 1,
              `d` AS 1,
              `g` VARCHAR(2147483647) METADATA FROM 'partition' VIRTUAL,
              `ts` TIMESTAMP(3),
              WATERMARK FOR `ts` AS `ts`,
              CONSTRAINT `PK_name` PRIMARY KEY (`name`) NOT ENFORCED
            )
            COMMENT 'it''s'
            PARTITIONED BY (`id`)
            WITH (
              'connector' = 'kafka',
              'topic' = 'b'
            )

        "#]],
    );
    check(
        "ALTER TABLE base DROP (d, name); SHOW COLUMNS FROM base; ALTER TABLE IF EXISTS nope DROP x",
        expect![[r#"
        name | type | null | key | extras | watermark | comment
        id | INT | FALSE | PRI(id) |  |  | key
        f | STRING | TRUE |  | METADATA FROM 'partition' VIRTUAL |  | 
        ts | TIMESTAMP(3) *ROWTIME* | TRUE |  |  | `ts` - INTERVAL '5' SECOND | 
    "#]],
    );
    check(
        "ALTER VIEW v RENAME TO w; ALTER VIEW w AS SELECT b FROM t; SHOW CREATE VIEW w",
        expect![[r#"
        result
        CREATE VIEW `default_catalog`.`default_database`.`w` (
          `b`
        )
        AS SELECT b FROM t

    "#]],
    );
    check(
        "CREATE OR REPLACE VIEW v (one) COMMENT 'c' AS TABLE w; SELECT 1",
        expect![[r#"
        SQL_SEMANTIC there is no table or view 'w' (line 4, column 53)
          help: there are: base, t, v
    "#]],
    );
    check(
        "CREATE VIEW w AS SELECT b AS z FROM t; CREATE OR REPLACE VIEW v (one) COMMENT 'c' AS TABLE w; SHOW CREATE VIEW v",
        expect![[r#"
        result
        CREATE VIEW `default_catalog`.`default_database`.`v` (
          `one`
        )
        COMMENT 'c'
        AS TABLE w

    "#]],
    );
}

#[test]
fn alter_table_refuses_what_breaks_the_definition() {
    for refused in [
        "ADD name INT",
        "ADD x INT AFTER y",
        "ADD WATERMARK FOR ts AS ts",
        "ADD PRIMARY KEY (name) NOT ENFORCED",
        "MODIFY x INT",
        "MODIFY ts STRING",
        "DROP name",
        "DROP id",
        "DROP ts",
        "DROP CONSTRAINT other",
        "DROP (id, d, name, f, ts)",
        "RENAME name TO x",
        "RENAME f TO d",
        "RENAME TO t",
        "RESET ('connector')",
        "ADD PARTITION (name = 1)",
        "TURN INTO v",
    ] {
        let answer = plan(&format!("{TABLES}ALTER TABLE base {refused}"));
        // A watermark that does not fit is reported where it was declared.
        let place =
            if refused == "MODIFY ts STRING" { "(line 1, column" } else { "(line 4, column" };
        assert!(answer.contains(place), "{refused}\n{answer}");
    }
    check(
        "ALTER TABLE v ADD x INT",
        expect![[r#"
        SQL_SEMANTIC 'v' is a view, not a table (line 4, column 13)
    "#]],
    );
    check(
        "ALTER TABLE base DROP name",
        expect![[r#"
        SQL_SEMANTIC the column 'name' is used by the computed column 'd' (line 4, column 23)
    "#]],
    );
    check(
        "ALTER DATABASE d SET ('a' = 'b')",
        expect![[r#"
            NOT_FOUND there is no database 'd' in the catalog 'default_catalog' (line 4, column 16)
              help: the databases are: default_database
        "#]],
    );
}

#[test]
fn statements_that_have_no_meaning_say_what_to_do() {
    check(
        "DELETE FROM t",
        expect![[r#"
        UNSUPPORTED the statement DELETE is not supported (line 4, column 1)
          help: insert the changes into a table with a primary key: a row replaces the one before with the same key
    "#]],
    );
    check(
        "TRUNCATE TABLE t",
        expect![[r#"
        UNSUPPORTED the statement TRUNCATE is not supported (line 4, column 1)
          help: tables are kept by other systems: empty the topic, folder or table there
    "#]],
    );
    check(
        "ANALYZE TABLE t COMPUTE STATISTICS",
        expect![[r#"
            UNSUPPORTED the statement ANALYZE is not supported (line 4, column 1)
              help: leave it out: it is for batch jobs in Flink, too, and plans here depend on no statistics
        "#]],
    );
    check(
        "CREATE OR REPLACE DATABASE d",
        expect![[r#"
            UNSUPPORTED CREATE OR REPLACE DATABASE is not supported (line 4, column 1)
              help: supported are CREATE [TEMPORARY] TABLE, CREATE [OR REPLACE] [TEMPORARY] VIEW | FUNCTION, CREATE CATALOG and CREATE DATABASE
        "#]],
    );
    check(
        "CREATE OR REPLACE FUNCTION f AS 'x'",
        expect![[r#"
            UNSUPPORTED the function f of class x is not supported yet (line 4, column 28)
              help: user code does not run yet; use built-in functions, or give it a body: CREATE FUNCTION f(a INT) RETURNS INT RETURN a + 1
        "#]],
    );
    check(
        "DROP TEMPORARY CATALOG c",
        expect![[r#"
            UNSUPPORTED DROP CATALOG is not supported (line 4, column 1)
              help: tables, views, functions, databases and catalogs can be dropped
        "#]],
    );
}

#[test]
fn a_table_is_a_query() {
    check(
        "TABLE v",
        expect![[r#"
        == Optimized Execution Plan ==
        Sink(table=[collect], fields=[a, b], parallelism=[1], changelogMode=[NONE])
        +- TableSourceScan(table=[t], read=[a, b], fields=[a, b], changelogMode=[I])
    "#]],
    );
    check(
        "(TABLE v) UNION ALL TABLE `v`",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[a, b], parallelism=[1], changelogMode=[NONE])
            +- Union(all=[true], union=[a, b], changelogMode=[I])
               :- TableSourceScan(table=[t], read=[a, b], fields=[a, b], changelogMode=[I])
               +- TableSourceScan(table=[t], read=[a, b], fields=[a, b], changelogMode=[I])
        "#]],
    );
    check(
        "SELECT * FROM (TABLE default_catalog.default_database.v) WHERE b IN (TABLE w)",
        expect![[r#"
            SQL_SEMANTIC there is no table or view 'w' (line 4, column 76)
              help: there are: base, t, v
        "#]],
    );
    check(
        "CREATE TABLE s (a INT, b STRING) WITH ('connector' = 'print'); INSERT OVERWRITE TABLE s TABLE v",
        expect![[r#"
            UNSUPPORTED INSERT OVERWRITE: the connector 'print' cannot overwrite (line 4, column 64)
              help: use INSERT INTO
        "#]],
    );
    check(
        "CREATE TABLE s (a INT, b STRING) WITH ('connector' = 'print'); INSERT INTO TABLE s TABLE v; INSERT INTO s (b) TABLE t",
        expect![[r#"
        SQL_SEMANTIC the query does not fit the table 's': different number of columns: 3 for 1
          query schema: [a: INT, b: STRING, ts: TIMESTAMP(3) *ROWTIME*]
          sink schema:  [a: INT, b: STRING] (line 4, column 111)
    "#]],
    );
}
