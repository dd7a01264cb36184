//! Catalogs and databases: where names are looked up, what plans call tables, and what is refused.

use expect_test::{Expect, expect};
use tidegate_types::Result;

use super::plan;
use crate::{Planned, Session, parse_script};

const TABLES: &str = "CREATE CATALOG c WITH ('type' = 'generic_in_memory', 'default-database' = 'main'); CREATE DATABASE d;
CREATE TABLE t (a INT, b STRING) WITH ('connector' = 'datagen'); CREATE TABLE p (a INT) WITH ('connector' = 'blackhole');
CREATE TABLE d.t (z INT) WITH ('connector' = 'datagen'); CREATE TABLE c.main.p (z INT) WITH ('connector' = 'blackhole');
";

/// The script stands behind three lines of declarations.
fn check(sql: &str, expected: Expect) {
    expected.assert_eq(&plan(&format!("{TABLES}{sql}")));
}

#[test]
fn names_are_looked_up_in_the_database_in_use() {
    check(
        "DESCRIBE t; USE d; DESCRIBE t; DESCRIBE default_database.t; SHOW CREATE TABLE t; USE CATALOG c; SHOW TABLES; SHOW CURRENT DATABASE; SELECT CURRENT_DATABASE() AS x",
        expect![[r#"
            name | type | null | key | extras | watermark
            a | INT | TRUE |  |  | 
            b | STRING | TRUE |  |  | 
            name | type | null | key | extras | watermark
            z | INT | TRUE |  |  | 
            name | type | null | key | extras | watermark
            a | INT | TRUE |  |  | 
            b | STRING | TRUE |  |  | 
            result
            CREATE TABLE `default_catalog`.`d`.`t` (
              `z` INT
            )
            WITH (
              'connector' = 'datagen'
            )

            table name
            p
            current database name
            main
            == Optimized Execution Plan ==
            Sink(table=[collect], fields=[x], parallelism=[1], changelogMode=[NONE])
            +- Values(rows=[1], fields=[x], changelogMode=[I])
        "#]],
    );
}

#[test]
fn plans_call_tables_by_full_names_outside_of_the_first_database() {
    check(
        "USE CATALOG c; INSERT INTO p SELECT z FROM default_catalog.d.t",
        expect![[r#"
        == Optimized Execution Plan ==
        Sink(table=[c.main.p], fields=[z], changelogMode=[NONE])
        +- TableSourceScan(table=[default_catalog.d.t], read=[z], fields=[z], changelogMode=[I])
    "#]],
    );
    check(
        "INSERT INTO p SELECT a FROM t",
        expect![[r#"
        == Optimized Execution Plan ==
        Sink(table=[p], fields=[a], changelogMode=[NONE])
        +- TableSourceScan(table=[t], read=[a], fields=[a], changelogMode=[I])
    "#]],
    );
}

/// The ids of the operators of the only job of a script.
fn ids(script: &str) -> Result<Vec<String>> {
    let mut session = Session::new(Default::default())?;
    let mut ids = Vec::new();
    for statement in parse_script(script)? {
        if let Planned::Job(job) = session.plan(&statement)? {
            ids.extend(job.graph.nodes.iter().map(|node| format!("{:?}", node.id)));
        }
    }
    Ok(ids)
}

#[test]
fn ids_depend_on_where_a_table_is_and_not_on_how_it_is_written() -> Result<()> {
    let job = |sql: &str| ids(&format!("{TABLES}{sql}"));
    let query = "INSERT INTO p SELECT MAX(a) FROM t GROUP BY b";
    let short = job(query)?;
    assert!(!short.is_empty());
    let long = "INSERT INTO default_catalog.default_database.p SELECT MAX(a) FROM default_database.t GROUP BY b";
    assert_eq!(short, job(long)?);
    assert_eq!(
        short,
        job(&format!("USE CATALOG c; USE default_catalog.default_database; {query}"))?
    );
    let elsewhere = "INSERT INTO p SELECT MAX(z) FROM d.t GROUP BY z % 2";
    let other = job(elsewhere)?;
    assert_eq!(other, job(&elsewhere.replace("d.t", "default_catalog.d.t"))?);
    let same = "CREATE TABLE e (z INT) WITH ('connector' = 'datagen'); INSERT INTO p SELECT MAX(z) FROM e GROUP BY z % 2";
    let renamed = same.replace(" e ", " d.e ").replace("FROM e", "FROM d.e");
    assert_ne!(job(same)?.first(), job(&renamed)?.first());
    Ok(())
}

#[test]
fn tables_of_one_name_in_two_databases_are_two_sources() {
    check(
        "SELECT x.a FROM t AS x JOIN d.t AS y ON x.a = y.z WHERE default_catalog.d.t.z > 1",
        expect![[r#"
            SQL_SEMANTIC there is no table or column 'default_catalog' here (line 4, column 57)
              help: in sight are: x, y, a, b, z
        "#]],
    );
    check(
        "SELECT default_database.t.b, one.z FROM t JOIN d.t AS one ON a = z",
        expect![[r#"
        == Optimized Execution Plan ==
        Sink(table=[collect], fields=[b, z], parallelism=[1], changelogMode=[NONE])
        +- Calc(select=[b, z], changelogMode=[I])
           +- Join(joinType=[InnerJoin], where=[(a = z)], select=[a, b, z], changelogMode=[I])
              :- Exchange(distribution=[hash[a]])
              :  +- TableSourceScan(table=[t], read=[a, b], fields=[a, b], changelogMode=[I])
              +- Exchange(distribution=[hash[z]])
                 +- TableSourceScan(table=[default_catalog.d.t], read=[z], fields=[z], changelogMode=[I])

        == State ==
        Join(a) [ad0998aaa1607896]: left rows, for ever; right rows, for ever
    "#]],
    );
}

#[test]
fn views_keep_to_the_database_that_they_were_made_in() {
    check(
        "USE d; CREATE VIEW v AS SELECT * FROM t; USE default_database; CREATE VIEW v AS SELECT * FROM d.v; DESCRIBE v; ALTER VIEW d.v AS SELECT b FROM t; DESCRIBE v; SHOW CREATE VIEW v",
        expect![[r#"
            name | type | null | key | extras | watermark
            z | INT | TRUE |  |  | 
            name | type | null | key | extras | watermark
            b | STRING | TRUE |  |  | 
            result
            CREATE VIEW `default_catalog`.`default_database`.`v` (
              `b`
            )
            AS SELECT * FROM d.v

        "#]],
    );
    check(
        "CREATE VIEW d.v AS SELECT * FROM d.v",
        expect![[r#"
        SQL_SEMANTIC the view 'default_catalog.d.v' refers to itself (line 4, column 20)
    "#]],
    );
}

#[test]
fn what_is_in_use_or_not_empty_is_not_dropped() {
    check(
        "DROP DATABASE d",
        expect![[r#"
        FAILED_PRECONDITION the database 'd' is not empty (line 4, column 15)
          help: say CASCADE to drop what is in it, too
    "#]],
    );
    check(
        "USE d; DROP DATABASE d CASCADE",
        expect![[r#"
        FAILED_PRECONDITION the database 'd' is in use (line 4, column 22)
          help: USE another one first
    "#]],
    );
    check(
        "USE CATALOG c; DROP CATALOG c",
        expect![[r#"
        FAILED_PRECONDITION the catalog 'c' is in use (line 4, column 29)
          help: USE CATALOG another one first
    "#]],
    );
    check(
        "DROP DATABASE d CASCADE; DROP CATALOG c; SHOW DATABASES; SHOW CATALOGS",
        expect![[r#"
        database name
        default_database
        catalog name
        default_catalog
    "#]],
    );
}

#[test]
fn what_is_not_there_is_named_with_what_there_is() {
    check(
        "CREATE TABLE e.x (a INT) WITH ('connector' = 'print')",
        expect![[r#"
        NOT_FOUND there is no database 'e' in the catalog 'default_catalog' (line 4, column 14)
          help: the databases are: d, default_database
    "#]],
    );
    check(
        "CREATE TABLE cc.main.x (a INT) WITH ('connector' = 'print')",
        expect![[r#"
        NOT_FOUND there is no catalog 'cc' (line 4, column 14)
          help: did you mean 'c'? the catalogs are: c, default_catalog
    "#]],
    );
    check(
        "SELECT * FROM d.tt",
        expect![[r#"
        SQL_SEMANTIC there is no table or view 'default_catalog.d.tt' (line 4, column 15)
          help: did you mean 't'? there are: t
    "#]],
    );
    check(
        "SELECT * FROM a.b.c.d",
        expect![[r#"
        SQL_SEMANTIC the name a.b.c.d has more than three parts (line 4, column 15)
          help: write name, database.name or catalog.database.name
    "#]],
    );
    check(
        "USE dd",
        expect![[r#"
        NOT_FOUND there is no database 'dd' in the catalog 'default_catalog' (line 4, column 5)
          help: did you mean 'd'? the databases are: d, default_database
    "#]],
    );
    check(
        "USE CATALOG cat",
        expect![[r#"
        NOT_FOUND there is no catalog 'cat' (line 4, column 13)
          help: the catalogs are: c, default_catalog
    "#]],
    );
    check(
        "SHOW TABLES IN main",
        expect![[r#"
        NOT_FOUND there is no database 'main' in the catalog 'default_catalog' (line 4, column 16)
          help: the databases are: d, default_database
    "#]],
    );
    check(
        "DROP DATABASE default_catalog.d.e",
        expect![[r#"
        SQL_SEMANTIC the name default_catalog.d.e is none of a database (line 4, column 15)
          help: write database or catalog.database
    "#]],
    );
    check(
        "ALTER TABLE d.t RENAME TO c.main.t",
        expect![[r#"
        SQL_SEMANTIC 'default_catalog.d.t' cannot be moved to c.main (line 4, column 27)
          help: create it there and drop it here
    "#]],
    );
    check(
        "CREATE DATABASE d",
        expect![[r#"
        ALREADY_EXISTS there is a database 'd' already (line 4, column 17)
          help: use IF NOT EXISTS
    "#]],
    );
    check(
        "CREATE CATALOG e WITH ('type' = 'jdbc')",
        expect![[r#"
        INVALID_OPTION there are no catalogs of type 'jdbc' (line 4, column 24)
          help: the types are: generic_in_memory
    "#]],
    );
    check(
        "CREATE CATALOG e WITH ('type' = 'generic_in_memory', 'path' = 'x')",
        expect![[r#"
        INVALID_OPTION a catalog of type 'generic_in_memory' has no option 'path' (line 4, column 54)
          help: its options are: type, default-database
    "#]],
    );
    check(
        "CREATE CATALOG e",
        expect![[r#"
        INVALID_OPTION the catalog 'e' has no 'type' (line 4, column 16)
          help: say WITH ('type' = 'generic_in_memory')
    "#]],
    );
    check(
        "CREATE CATALOG e WITH ('type' = 'generic_in_memory', 'default-database' = ' ')",
        expect![[r#"
            INVALID_OPTION 'default-database' is empty (line 4, column 54)
              help: give it a name
        "#]],
    );
    check(
        "ALTER CATALOG default_catalog COMMENT 'x'",
        expect![[r#"
        SQL_SEMANTIC the catalog 'default_catalog' was not made by CREATE CATALOG (line 4, column 15)
          help: it has neither options nor a comment
    "#]],
    );
    check(
        "ALTER CATALOG c RESET ('type')",
        expect![[r#"
        INVALID_OPTION the option 'type' of a catalog cannot be taken away (line 4, column 24)
    "#]],
    );
}

#[test]
fn catalogs_and_databases_are_described() {
    check(
        "ALTER CATALOG c SET ('property-version' = '1'); ALTER CATALOG c COMMENT 'mine'; SHOW CREATE CATALOG c; DESCRIBE CATALOG EXTENDED c; CREATE DATABASE e COMMENT 'x' WITH ('a' = 'b'); ALTER DATABASE e SET ('c' = 'd'); DESCRIBE DATABASE EXTENDED e; DESCRIBE DATABASE c.main",
        expect![[r#"
            result
            CREATE CATALOG `c`
            COMMENT 'mine'
            WITH (
              'default-database' = 'main',
              'property-version' = '1',
              'type' = 'generic_in_memory'
            )

            info name | info value
            name | c
            type | generic_in_memory
            comment | mine
            option:default-database | main
            option:property-version | 1
            info name | info value
            name | e
            catalog | default_catalog
            comment | x
            option:a | b
            option:c | d
            info name | info value
            name | main
            catalog | c
            comment | 
        "#]],
    );
}

#[test]
fn late_rows_go_to_a_table_of_any_database() {
    check(
        "CREATE TABLE d.late (z INT) WITH ('connector' = 'blackhole'); SET 'table.exec.late-rows.table' = 'd.lat'; INSERT INTO p SELECT a FROM t",
        expect![[r#"
            NOT_FOUND 'table.exec.late-rows.table': there is no table 'default_catalog.d.lat' (line 4, column 107)
              help: did you mean 'late'? there are: late, t
        "#]],
    );
}

#[test]
fn partitions_and_buckets_are_kept_in_the_definition() {
    let table = "CREATE TABLE x (a INT, k STRING) DISTRIBUTED BY HASH(a) INTO 4 BUCKETS PARTITIONED BY (k) WITH ('connector' = 'filesystem', 'path' = '/tmp/x', 'format' = 'json');";
    let with = |sql: &str, expected: Expect| check(&format!("{table} {sql}"), expected);
    with(
        "ALTER TABLE x ADD PARTITION (k = 'a') PARTITION (k = 'b'); SHOW PARTITIONS x; ALTER TABLE x DROP PARTITION (k = 'a'); SHOW PARTITIONS x; SHOW CREATE TABLE x",
        expect![[r#"
            partition name
            k=a
            k=b
            partition name
            k=b
            result
            CREATE TABLE `default_catalog`.`default_database`.`x` (
              `a` INT,
              `k` VARCHAR(2147483647)
            )
            DISTRIBUTED BY HASH(`a`) INTO 4 BUCKETS
            PARTITIONED BY (`k`)
            WITH (
              'connector' = 'filesystem',
              'format' = 'json',
              'path' = '/tmp/x'
            )

        "#]],
    );
    with(
        "ALTER TABLE x ADD PARTITION (a = 1)",
        expect![[r#"
        SQL_SEMANTIC 'a' is no partition key (line 4, column 193)
          help: the keys are: k
    "#]],
    );
    with(
        "ALTER TABLE x ADD PARTITION (k = 1 + 1)",
        expect![[r#"
        SQL_SEMANTIC the value of 'k' is neither a text nor a number (line 4, column 193)
          help: write it as a constant, 'a' or 1
    "#]],
    );
    with(
        "ALTER TABLE x DROP PARTITION (k = 'a')",
        expect![[r#"
        NOT_FOUND there is no partition k=a (line 4, column 176)
          help: use IF EXISTS; only those of ADD PARTITION are known
    "#]],
    );
    with(
        "ALTER TABLE x DROP a",
        expect![[r#"
        SQL_SEMANTIC the column 'a' is used by the distribution (line 4, column 183)
    "#]],
    );
    with(
        "INSERT INTO x SELECT a, b FROM t",
        expect![[r#"
        UNSUPPORTED table x: it is distributed into buckets, which the connector 'filesystem' does not have (line 4, column 164)
          help: use ALTER TABLE … DROP DISTRIBUTION, or leave DISTRIBUTED out
    "#]],
    );
    with(
        "ALTER TABLE x DROP DISTRIBUTION; SHOW CREATE TABLE x",
        expect![[r#"
        result
        CREATE TABLE `default_catalog`.`default_database`.`x` (
          `a` INT,
          `k` VARCHAR(2147483647)
        )
        PARTITIONED BY (`k`)
        WITH (
          'connector' = 'filesystem',
          'format' = 'json',
          'path' = '/tmp/x'
        )

    "#]],
    );
    check(
        "CREATE TABLE x (a INT) DISTRIBUTED INTO 0 BUCKETS WITH ('connector' = 'print')",
        expect![[r#"
            SQL_SYNTAX expected a number of buckets from 1, found 0 (line 4, column 41)
        "#]],
    );
}

#[test]
fn hints_name_tables_of_the_query() {
    let join = |hint: &str| {
        format!("EXPLAIN SELECT /*+ {hint} */ x.a FROM t AS x JOIN d.t AS y ON x.a = y.z")
    };
    check(
        &join("BROADCAST(z)"),
        expect![[r#"
            SQL_SEMANTIC the hint BROADCAST names no table of FROM: 'z' (line 4, column 16)
              help: there are: x, y
        "#]],
    );
    check(
        &join("BROADCAST('x' = 'y')"),
        expect![[r#"
        INVALID_OPTION BROADCAST takes names of tables, not 'x' = … (line 4, column 16)
    "#]],
    );
    check(
        &join("STATE_TTL('x' = 'soon')"),
        expect![[r#"
        INVALID_OPTION STATE_TTL = 'soon': 'soon' is not a duration: write a number with a unit (10 s, 500 ms, 1 min, 2 h, 1 d) or ISO-8601 (PT10S) (line 4, column 16)
    "#]],
    );
    check(
        "CREATE VIEW v AS SELECT a FROM t; SELECT a FROM v /*+ OPTIONS('rows-per-second' = '1') */",
        expect![[r#"
            SQL_SEMANTIC the view 'v' has no options that a hint could change (line 4, column 49)
              help: put the hint behind a table in its query
        "#]],
    );
}

#[test]
fn a_hint_that_nothing_reads_is_refused() {
    check(
        "SELECT a FROM t AS x /*+ OPTIONS('rows-per-second' = '1') */",
        expect![[r#"
        SQL_SYNTAX no hint can stand here (line 4, column 22)
          help: hints stand behind SELECT, or behind a table's name and before its alias
    "#]],
    );
    check(
        "SELECT a /*+ BROADCAST(t) */ FROM t",
        expect![[r#"
        SQL_SYNTAX no hint can stand here (line 4, column 10)
          help: hints stand behind SELECT, or behind a table's name and before its alias
    "#]],
    );
    check(
        "INSERT INTO p SELECT a FROM (SELECT * FROM t /*+ OPTIONS('rows-per-second' = '1') */) WHERE a IN (SELECT /*+ STATE_TTL('t' = '1 d') */ z FROM d.t)",
        expect![[r#"
            == Optimized Execution Plan ==
            Sink(table=[p], fields=[a], changelogMode=[NONE])
            +- Join(joinType=[LeftSemiJoin], where=[(a = z)], select=[a], changelogMode=[I])
               :- Exchange(distribution=[hash[a]])
               :  +- TableSourceScan(table=[t], read=[a], fields=[a], changelogMode=[I])
               +- Exchange(distribution=[hash[z]])
                  +- TableSourceScan(table=[default_catalog.d.t], read=[z], fields=[z], changelogMode=[I])

            == State ==
            Join(a) [0f1f9cd39fe43d2e]: left rows, for ever; right rows, for ever
        "#]],
    );
}
