# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about catalogs and databases, full names, partitions and buckets, functions, named arguments, hints."""
from cases_updating import ask, table

T = table("t", "a INT, s STRING", "7 x\n8 y")
MEMORY = "CREATE CATALOG c WITH ('type'='generic_in_memory', 'default-database'='main')"
PRINT = "CREATE TABLE p (a INT) WITH ('connector'='print')"
FILE = "WITH ('connector'='filesystem','path'='${DIR}/t.json','format'='json')"


def catalogs():
    out = []

    def one(name, *statements, **kw):
        *more, last = statements
        out.append(ask(name, [T], last, more=more, plan=False, keep_going=True, **kw))

    created(one)
    altered(one)
    databases(one)
    names(one)
    views(one)
    temporary(one)
    partitions(one)
    buckets(one)
    columns(one)
    functions(one)
    arguments(one)
    hints(one)
    return out


def created(one):
    """CREATE, DROP, USE and SHOW of catalogs."""
    one("CREATE CATALOG", "CREATE CATALOG c WITH ('type'='generic_in_memory')", "SHOW CATALOGS", "SHOW DATABASES IN c", "SHOW CREATE CATALOG c", "DESCRIBE CATALOG c", "DESC CATALOG EXTENDED c")
    one("CREATE CATALOG with a comment and a database", "CREATE CATALOG c COMMENT 'it''s mine' WITH ('type'='generic_in_memory','default-database'='dd')", "SHOW DATABASES FROM c", "SHOW CREATE CATALOG c", "DESCRIBE CATALOG c", "DESCRIBE CATALOG EXTENDED c")
    one("CREATE CATALOG twice", MEMORY, MEMORY)
    one("CREATE CATALOG IF NOT EXISTS", MEMORY, "CREATE CATALOG IF NOT EXISTS c COMMENT 'other' WITH ('type'='generic_in_memory')", "SHOW CREATE CATALOG c")
    for name, rest in (
        ("nothing", ""), ("a comment alone", "COMMENT 'x'"), ("no type", "WITH ('x'='y')"), ("an unknown type", "WITH ('type'='nope')"), ("an unknown option", "WITH ('type'='generic_in_memory','nope'='1')"),
        ("an empty database", "WITH ('type'='generic_in_memory','default-database'='')"), ("property-version", "WITH ('type'='generic_in_memory','property-version'='1')"),
    ):
        one("CREATE CATALOG, " + name, "CREATE CATALOG c %s" % rest, "SHOW CATALOGS")
    one("USE CATALOG", MEMORY, "USE CATALOG c", "SHOW CURRENT CATALOG", "SHOW CURRENT DATABASE", "SELECT CURRENT_DATABASE() AS d", "SHOW TABLES", "SHOW DATABASES")
    one("USE CATALOG of a missing one", "USE CATALOG nope", "SHOW CURRENT CATALOG")
    one("USE with a catalog", MEMORY, "USE c.main", "SHOW CURRENT CATALOG", "SHOW CURRENT DATABASE", "USE default_catalog.default_database", "SHOW CURRENT CATALOG")
    for s in ("USE nope", "USE nope.main", "USE c.nope", "USE a.b.c", "USE c"):
        one(s, MEMORY, s, "SHOW CURRENT DATABASE")
    one("DROP CATALOG", MEMORY, "DROP CATALOG c", "SHOW CATALOGS", "SHOW TABLES FROM c.main")
    one("DROP CATALOG in use", MEMORY, "USE CATALOG c", "DROP CATALOG c", "SHOW CATALOGS")
    one("DROP CATALOG, the first one", MEMORY, "USE CATALOG c", "DROP CATALOG default_catalog", "SHOW CATALOGS", "SHOW DATABASES")
    one("DROP CATALOG of a missing one", "DROP CATALOG nope")
    one("DROP CATALOG IF EXISTS", "DROP CATALOG IF EXISTS nope")
    one("DROP CATALOG takes its tables away", MEMORY, "CREATE TABLE c.main.x (a INT) " + FILE, "DROP CATALOG c", MEMORY, "SHOW TABLES IN c.main")
    for s in ("SHOW CATALOGS LIKE 'c%'", "SHOW CATALOGS NOT LIKE 'c%'", "SHOW DATABASES FROM nope", "SHOW DATABASES FROM c LIKE 'm%'", "SHOW DATABASES IN c NOT LIKE 'm%'", "SHOW DATABASES IN c ILIKE 'M%'", "SHOW CREATE CATALOG nope", "DESCRIBE CATALOG nope", "SHOW DATABASES FROM a.b"):
        one(s + " (catalogs)", MEMORY, s)
    one("SHOW CREATE CATALOG of the first one", "SHOW CREATE CATALOG default_catalog")
    one("DESCRIBE CATALOG of the first one", "DESCRIBE CATALOG default_catalog")


def altered(one):
    """ALTER CATALOG."""
    for s in ("SET ('default-database'='zz')", "RESET ('default-database')", "RESET ('type')", "RESET ('nope')", "RESET ()", "SET ()", "COMMENT 'new'", "COMMENT ''", "SET ('type'='nope')"):
        one("ALTER CATALOG " + s, MEMORY, "ALTER CATALOG c " + s, "SHOW CREATE CATALOG c", "DESCRIBE CATALOG EXTENDED c", "SHOW DATABASES IN c")
    one("ALTER CATALOG of a missing one", "ALTER CATALOG nope COMMENT 'x'")
    one("ALTER CATALOG of the first one", "ALTER CATALOG default_catalog COMMENT 'x'")


def databases(one):
    """CREATE, DROP, ALTER, USE and SHOW of databases."""
    one("CREATE DATABASE", "CREATE DATABASE d", "CREATE DATABASE e COMMENT 'c' WITH ('k'='v')", "SHOW DATABASES", "CREATE DATABASE d", "CREATE DATABASE IF NOT EXISTS d")
    one("CREATE DATABASE in a catalog", MEMORY, "CREATE DATABASE c.d", "CREATE DATABASE c.main", "SHOW DATABASES IN c", "SHOW DATABASES")
    one("CREATE DATABASE in a missing catalog", "CREATE DATABASE nope.d")
    one("CREATE DATABASE with too many parts", "CREATE DATABASE a.b.c")
    one("ALTER DATABASE", "CREATE DATABASE d", "ALTER DATABASE d SET ('k'='v')", "ALTER DATABASE default_catalog.d SET ('k'='w', 'l'='x')", "ALTER DATABASE d SET ()")
    for s in ("ALTER DATABASE nope SET ('k'='v')", "ALTER DATABASE default_database RESET ('k')", "ALTER DATABASE nope.d SET ('k'='v')"):
        one(s, s)
    one("USE a database", "CREATE DATABASE d", "USE d", "SHOW CURRENT DATABASE", "SHOW CURRENT CATALOG", "SELECT CURRENT_DATABASE() AS d", "SHOW TABLES", "SHOW TABLES FROM default_database")
    one("DROP DATABASE", "CREATE DATABASE d", "DROP DATABASE d", "SHOW DATABASES", "DROP DATABASE d", "DROP DATABASE IF EXISTS d")
    one("DROP DATABASE in use", "CREATE DATABASE d", "USE d", "DROP DATABASE d", "DROP DATABASE d CASCADE", "DROP DATABASE IF EXISTS default_catalog.d")
    one("DROP DATABASE, the first one", "CREATE DATABASE d", "USE d", "DROP DATABASE default_database CASCADE", "SHOW DATABASES")
    for how in ("", " RESTRICT", " CASCADE"):
        one("DROP DATABASE with a table" + how, "CREATE DATABASE d", "CREATE TABLE d.x (a INT) " + FILE, "DROP DATABASE d" + how, "SHOW DATABASES")
    one("DROP DATABASE with a view", "CREATE DATABASE d", "CREATE VIEW d.v AS SELECT 1 AS a", "DROP DATABASE d", "SHOW VIEWS IN d")
    one("DROP DATABASE with a temporary table", "CREATE DATABASE d", "CREATE TEMPORARY TABLE d.x (a INT) WITH ('connector'='print')", "DROP DATABASE d", "SHOW DATABASES", "DESCRIBE d.x")
    one("DROP DATABASE in a missing catalog", "DROP DATABASE nope.d")
    one("DROP DATABASE IF EXISTS in a missing catalog", "DROP DATABASE IF EXISTS nope.d")
    for s in ("SHOW TABLES FROM nope", "SHOW TABLES FROM nope.d", "SHOW TABLES FROM a.b.c", "SHOW VIEWS FROM nope", "SHOW MODELS FROM nope", "SHOW TABLES FROM d LIKE 'x%'", "SHOW TABLES IN default_catalog.d NOT LIKE 'x%'", "SHOW USER FUNCTIONS FROM d", "SHOW USER FUNCTIONS FROM nope"):
        one(s + " (databases)", "CREATE DATABASE d", "CREATE TABLE d.x1 (a INT) " + FILE, "CREATE TABLE d.y (a INT) " + FILE, s)


def names(one):
    """Names of one, two and three parts wherever a table's name stands."""
    d = ("CREATE DATABASE d", "CREATE TABLE d.x (a INT, s STRING) " + FILE)
    one("tables of one name", *d, "CREATE TABLE x (b INT) " + FILE, "DESCRIBE x", "DESCRIBE d.x", "DESCRIBE default_catalog.d.x", "USE d", "DESCRIBE x", "DESCRIBE default_database.x", "SHOW CREATE TABLE x", "SHOW CREATE TABLE default_database.x", "SHOW COLUMNS FROM default_catalog.d.x LIKE 's'")
    one("CREATE TABLE in a missing database", MEMORY, "CREATE TABLE nope.x (a INT) " + FILE, "CREATE TABLE c.nope.x (a INT) " + FILE, "CREATE TABLE nope.main.x (a INT) " + FILE, "CREATE TABLE a.b.c.d (a INT) " + FILE, "CREATE TABLE IF NOT EXISTS c.nope.x (a INT) " + FILE)
    one("SELECT from a full name", *d, "SELECT s FROM d.x", "SELECT s FROM default_catalog.d.x", "SELECT a, s FROM d.x AS y WHERE y.a > 7")
    for q in ("SELECT x.s FROM d.x", "SELECT d.x.s FROM d.x", "SELECT default_catalog.d.x.s FROM d.x", "SELECT default_database.t.s FROM t", "SELECT default_catalog.d.t.s FROM t", "SELECT d.x.s FROM d.x AS y", "SELECT d.x.* FROM d.x", "SELECT s FROM d.nope", "SELECT s FROM nope.x", "SELECT s FROM nope.d.x", "SELECT s FROM x",
              "SELECT y.s FROM d.x AS x JOIN t AS y ON x.a = y.a", "SELECT s FROM d.x UNION ALL SELECT s FROM t WHERE a > 7", "SELECT s FROM t WHERE a IN (SELECT a FROM d.x WHERE s = 'y')", "WITH x AS (SELECT 'w' AS s) SELECT s FROM x", "SELECT s FROM (TABLE d.x)", "SELECT s FROM d.x /*+ OPTIONS('path'='${DIR}/t.json') */ WHERE a = 7"):
        one("full names: " + q, *d, q)
    one("INSERT into a full name", MEMORY, "CREATE TABLE c.main.p (a INT) WITH ('connector'='print')", "INSERT INTO c.main.p SELECT a FROM t", "USE CATALOG c", "INSERT INTO p SELECT a + 1 FROM default_catalog.default_database.t", "INSERT INTO main.p VALUES (1)", "INSERT INTO nope.p VALUES (1)", "INSERT INTO c.nope.p VALUES (1)")
    one("INSERT with a hint into a full name", MEMORY, "CREATE TABLE c.main.p (a INT) WITH ('connector'='print')", "INSERT INTO c.main.p /*+ OPTIONS('sink.parallelism'='1') */ VALUES (1)")
    one("a statement set over databases", "CREATE DATABASE d", PRINT, "CREATE TABLE d.p (a INT) WITH ('connector'='print')", "EXECUTE STATEMENT SET BEGIN INSERT INTO p SELECT a FROM t; INSERT INTO d.p SELECT a * 10 FROM t; END")
    one("tables of one name in one query", *d, "CREATE TABLE x (a INT, z STRING) " + FILE, "SELECT y.s FROM d.x AS y JOIN x AS z ON y.a = z.a")
    one("LIKE over databases", *d, "CREATE TABLE y LIKE d.x", "SHOW CREATE TABLE y", "CREATE TABLE d.z LIKE t", "SHOW CREATE TABLE d.z", "CREATE TABLE w LIKE x", "USE d", "CREATE TABLE v LIKE x", "SHOW TABLES")
    one("CREATE TABLE AS in a database", "CREATE DATABASE d", "CREATE TABLE d.y WITH ('connector'='print') AS SELECT s FROM t", "SHOW CREATE TABLE d.y", "SHOW TABLES")
    one("CREATE TABLE AS in a missing database", "CREATE TABLE nope.y WITH ('connector'='print') AS SELECT s FROM t")
    one("DROP TABLE by full names", *d, "DROP TABLE x", "DROP TABLE default_catalog.d.x", "SHOW TABLES IN d", "DROP TABLE d.x", "DROP TABLE IF EXISTS d.x", "DROP TABLE IF EXISTS nope.x", "DROP TABLE nope.x", "DROP TABLE nope.d.x")
    one("ALTER TABLE by full names", *d, "ALTER TABLE d.x ADD z INT", "ALTER TABLE default_catalog.d.x DROP a", "DESCRIBE d.x", "ALTER TABLE nope.x DROP a", "ALTER TABLE IF EXISTS nope.nope.x DROP a")
    one("ALTER TABLE RENAME in its database", *d, "ALTER TABLE d.x RENAME TO y", "SHOW TABLES IN d", "SHOW TABLES", "ALTER TABLE d.y RENAME TO d.z", "ALTER TABLE d.z RENAME TO default_catalog.d.w", "SHOW TABLES FROM d", "ALTER TABLE d.w RENAME TO a.b.c.d", "ALTER TABLE d.w RENAME TO d.w")
    one("windows over a full name", MEMORY, "CREATE TABLE c.main.e (s STRING, ts AS TIMESTAMP '2024-01-01 00:00:00.000', WATERMARK FOR ts AS ts) " + FILE, "SELECT CAST(window_start AS STRING) AS w, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE c.main.e, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_start, window_end")
    one("names in backquotes", "CREATE DATABASE `a b`", "CREATE TABLE `a b`.`c.d` (a INT, s STRING) " + FILE, "SHOW CREATE TABLE `a b`.`c.d`", "SELECT s FROM `a b`.`c.d`", "SHOW TABLES IN `a b`", "SELECT `a b`.`c.d`.s FROM `a b`.`c.d`")


def views(one):
    """Views find the names in their queries where they were made."""
    d = ("CREATE DATABASE d", "CREATE TABLE d.t (z STRING) WITH ('connector'='filesystem','path'='${DIR}/t.json','format'='raw')")
    one("a view in another database", *d, "CREATE VIEW d.v AS SELECT * FROM t", "DESCRIBE d.v", "USE d", "CREATE VIEW w AS SELECT * FROM t", "DESCRIBE v", "DESCRIBE w", "SELECT s FROM v", "USE default_database", "DESCRIBE d.w", "SHOW VIEWS", "SHOW VIEWS IN d")
    one("ALTER VIEW in another database", *d, "CREATE VIEW d.v AS SELECT * FROM t", "ALTER VIEW d.v AS SELECT a FROM t", "DESCRIBE d.v", "ALTER VIEW d.v RENAME TO vv", "SHOW VIEWS", "SHOW VIEWS FROM d", "ALTER VIEW nope.v AS SELECT 1 AS a", "ALTER VIEW d.t RENAME TO x")
    one("CURRENT_DATABASE in a view", "CREATE DATABASE d", "USE d", "CREATE VIEW v AS SELECT CURRENT_DATABASE() AS cd", "USE default_database", "SELECT cd FROM d.v")
    one("a view of a dropped database", "CREATE DATABASE d", "CREATE VIEW d.v AS SELECT s FROM t", "CREATE VIEW w AS SELECT s FROM d.v", "DROP DATABASE d CASCADE", "SELECT * FROM w")
    one("CREATE VIEW in a missing database", "CREATE VIEW nope.v AS SELECT 1 AS a", "CREATE VIEW nope.nope.v AS SELECT 1 AS a")
    one("DROP VIEW by full names", *d, "CREATE VIEW d.v AS SELECT s FROM default_database.t", "DROP VIEW v", "DROP VIEW default_catalog.d.v", "DROP VIEW d.v", "DROP VIEW IF EXISTS nope.nope.v", "SHOW VIEWS IN d")
    one("OPTIONS of a view", "CREATE VIEW v AS SELECT s FROM t", "SELECT s FROM v /*+ OPTIONS('format'='json') */")


def temporary(one):
    """Temporary tables and views need no database."""
    tt = "CREATE TEMPORARY TABLE nope.nope.x (a INT, s STRING) " + FILE
    one("a temporary table of no catalog", tt, "SELECT s FROM nope.nope.x", "SHOW CATALOGS", "DESCRIBE nope.nope.x", "SHOW TABLES FROM nope.nope", "DROP TABLE nope.nope.x", "DROP TEMPORARY TABLE nope.nope.x", "DROP TEMPORARY TABLE nope.nope.x")
    one("a temporary view of no database", "CREATE TEMPORARY VIEW gone.v AS SELECT s FROM t", "SELECT s FROM gone.v", "SHOW VIEWS", "USE gone", "DROP VIEW gone.v", "DROP TEMPORARY VIEW gone.v")
    one("a temporary table hides one of a catalog", MEMORY, "CREATE TABLE c.main.x (a INT) " + FILE, "CREATE TEMPORARY TABLE c.main.x (z INT) " + FILE, "DESCRIBE c.main.x", "SHOW TABLES IN c.main", "DROP TABLE c.main.x", "DROP TEMPORARY TABLE c.main.x", "DESCRIBE c.main.x")
    one("a temporary table outlives its catalog", MEMORY, "CREATE TEMPORARY TABLE c.main.x (z INT) " + FILE, "DROP CATALOG c", "DESCRIBE c.main.x", MEMORY, "SHOW TABLES IN c.main")


def partitions(one):
    """Partitions that the catalog is told of."""
    parted = "CREATE TABLE pt (a INT, k STRING, d INT) PARTITIONED BY (k, d) WITH ('connector'='filesystem','path'='${DIR}/pt','format'='json')"
    one("ADD PARTITION", parted, "ALTER TABLE pt ADD PARTITION (k='x', d=1)", "SHOW PARTITIONS pt", "ALTER TABLE pt ADD PARTITION (d=2, k='x') PARTITION (k='y', d=1)", "SHOW PARTITIONS pt", "SHOW PARTITIONS pt PARTITION (k='x')", "SHOW PARTITIONS pt PARTITION (d=1)")
    one("ADD PARTITION twice", parted, "ALTER TABLE pt ADD PARTITION (k='x', d=1)", "ALTER TABLE pt ADD PARTITION (k='x', d=1)", "ALTER TABLE pt ADD IF NOT EXISTS PARTITION (k='x', d=1) WITH ('o'='v')", "SHOW PARTITIONS pt")
    one("DROP PARTITION", parted, "ALTER TABLE pt ADD PARTITION (k='x', d=1) PARTITION (k='y', d=1)", "ALTER TABLE pt DROP PARTITION (k='x', d=1)", "SHOW PARTITIONS pt", "ALTER TABLE pt DROP PARTITION (k='x', d=1)", "ALTER TABLE pt DROP IF EXISTS PARTITION (k='x', d=1), PARTITION (k='y', d=1)", "SHOW PARTITIONS pt")
    for s in ("ALTER TABLE pt ADD PARTITION (nope='x')", "ALTER TABLE pt ADD PARTITION (k='x')", "ALTER TABLE t ADD PARTITION (a=1)", "ALTER TABLE t DROP PARTITION (a=1)", "SHOW PARTITIONS pt PARTITION (nope=1)", "SHOW PARTITIONS t", "SHOW PARTITIONS nope", "ALTER TABLE pt PARTITION (k='x', d=1) SET ('a'='b')", "ALTER TABLE pt ADD IF NOT EXISTS z INT", "ALTER TABLE pt DROP IF EXISTS a"):
        one("partitions: " + s, parted, s)
    for s in ("ANALYZE TABLE t COMPUTE STATISTICS", "ANALYZE TABLE t COMPUTE STATISTICS FOR COLUMNS a", "ANALYZE TABLE t COMPUTE STATISTICS FOR ALL COLUMNS", "ANALYZE TABLE pt PARTITION (k, d) COMPUTE STATISTICS", "ANALYZE TABLE nope COMPUTE STATISTICS", "TRUNCATE TABLE pt"):
        one(s + " (streaming)", parted, s)


def buckets(one):
    """DISTRIBUTED BY: kept in the definition; no connector here or there writes buckets."""
    for name, how in (("HASH", "BY HASH(a) INTO 4 BUCKETS"), ("RANGE", "BY RANGE(a, s)"), ("no kind", "BY (a) INTO 2 BUCKETS"), ("a number", "INTO 3 BUCKETS"), ("a missing column", "BY HASH(nope) INTO 3 BUCKETS"), ("no bucket", "INTO 0 BUCKETS")):
        one("DISTRIBUTED, " + name, "CREATE TABLE b (a INT, s STRING) DISTRIBUTED %s WITH ('connector'='print')" % how, "SHOW CREATE TABLE b", "INSERT INTO b SELECT a, s FROM t")
    one("DISTRIBUTED and PARTITIONED", "CREATE TABLE b (a INT, s STRING) COMMENT 'c' DISTRIBUTED BY HASH(a) INTO 4 BUCKETS PARTITIONED BY (s) " + FILE, "SHOW CREATE TABLE b")
    b = "CREATE TABLE b (a INT, s STRING) DISTRIBUTED BY HASH(a) INTO 4 BUCKETS " + FILE
    for s in ("ADD DISTRIBUTION BY HASH(s)", "MODIFY DISTRIBUTION BY RANGE(s) INTO 2 BUCKETS", "DROP DISTRIBUTION", "DROP a", "RENAME a TO z", "DROP s"):
        one("ALTER TABLE %s (distributed)" % s, b, "ALTER TABLE b " + s, "SHOW CREATE TABLE b")
    for s in ("ADD DISTRIBUTION BY (s) INTO 2 BUCKETS", "DROP DISTRIBUTION", "ADD DISTRIBUTION INTO 2 BUCKETS"):
        one("ALTER TABLE %s (not distributed)" % s, "ALTER TABLE t " + s, "SHOW CREATE TABLE t")
    for name, s in (("", "CREATE TABLE x LIKE b"), (", again", "CREATE TABLE x DISTRIBUTED INTO 2 BUCKETS LIKE b"), (", EXCLUDING and again", "CREATE TABLE x DISTRIBUTED INTO 2 BUCKETS LIKE b (EXCLUDING DISTRIBUTION)"), (", EXCLUDING", "CREATE TABLE x LIKE b (EXCLUDING DISTRIBUTION)")):
        one("LIKE a distributed table" + name, b, s, "SHOW CREATE TABLE x")


def columns(one):
    """Forms of ALTER TABLE that `statements` has not."""
    rich = "CREATE TABLE r (a INT, b STRING COMMENT 'bb', c AS a + 1, f STRING METADATA FROM 'file.path' VIRTUAL, w ROW<x INT, y STRING>, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) COMMENT 'rr' " + FILE
    for s in ("ADD COLUMN x INT", "DROP COLUMN a", "RENAME COLUMN a TO z", "MODIFY COLUMN b INT", "COMMENT 'x'", "ADD UNIQUE (a)", "ADD (x INT, x STRING)", "ADD x INT PRIMARY KEY NOT ENFORCED", "ADD PRIMARY KEY (b)", "ADD PRIMARY KEY (b) ENFORCED", "ADD n INT COMMENT 'new' AFTER b", "ADD (n INT FIRST, WATERMARK FOR ts AS ts)",
              "ADD w.z INT", "DROP w.x", "MODIFY ts TIMESTAMP_LTZ(3)", "MODIFY a AS 5", "MODIFY a INT METADATA FROM 'file.size'", "MODIFY f STRING METADATA FROM 'file.name' VIRTUAL", "MODIFY WATERMARK FOR nope AS nope", "MODIFY WATERMARK FOR ts AS ts - INTERVAL '1' SECOND", "DROP (a, a)", "DROP (c, a)", "DROP (b) CASCADE", "ADD (s STRING) FIRST", "SET ('connector'='print')"):
        one("ALTER TABLE %s (forms)" % s, rich, "ALTER TABLE r " + s, "SHOW CREATE TABLE r")
    for s in ("ALTER VIEW r RENAME TO v", "ALTER VIEW IF EXISTS r RENAME TO v", "DESCRIBE EXTENDED r", "DESC r", "EXPLAIN CREATE VIEW v AS SELECT 1 AS a", "EXPLAIN USE x", "EXPLAIN ALTER TABLE r DROP a", "EXPLAIN PLAN FOR INSERT INTO nope SELECT 1", "EXPLAIN CHANGELOG_MODE CHANGELOG_MODE SELECT 1 AS a", "EXPLAIN ANALYZED SELECT 1 AS a"):
        one(s + " (forms)", rich, s)


def functions(one):
    """Functions of classes that are not there, and what is known of functions."""
    for s in ("DROP FUNCTION IF EXISTS nope", "DROP TEMPORARY FUNCTION IF EXISTS nope", "DROP TEMPORARY SYSTEM FUNCTION IF EXISTS nope", "DROP TEMPORARY FUNCTION nope", "DROP TEMPORARY SYSTEM FUNCTION nope", "ALTER FUNCTION nope AS 'x'", "ALTER FUNCTION IF EXISTS nope AS 'x'", "ALTER TEMPORARY FUNCTION nope AS 'x'", "CREATE TEMPORARY SYSTEM FUNCTION f AS 'com.example.Nope' LANGUAGE JAVA",
              "CREATE FUNCTION nope.nope.f AS 'com.example.Nope'", "DESCRIBE FUNCTION `upper`", "DESC FUNCTION concat_ws", "DESCRIBE FUNCTION EXTENDED `upper`", "DESCRIBE FUNCTION nope", "DESCRIBE FUNCTION default_catalog.default_database.nope", "SHOW USER FUNCTIONS", "SHOW USER FUNCTIONS IN default_catalog.default_database", "SHOW CREATE FUNCTION f",
              "CREATE FUNCTION f(a INT) RETURNS INT RETURN a + 1", "CREATE FUNCTION f AS 'a + 1' LANGUAGE SQL", "SELECT default_catalog.default_database.nope(1) AS a"):
        one(s + " (functions)", s, "SHOW USER FUNCTIONS")


def arguments(one):
    """Arguments by name: only window table functions take them."""
    e = "CREATE TABLE e (a INT, s STRING, ts AS TIMESTAMP '2024-01-01 00:00:00.000', WATERMARK FOR ts AS ts) " + FILE
    for call in ("UPPER(arg0 => 'x')", "CONCAT(a => 'x', b => 'y')", "IFNULL(input => 1, nullReplacement => 2)", "COALESCE(a => 1)", "SUM(x => 1)", "nope(x => 1)", "UPPER('x', b => 'y')", "ABS(DEFAULT)", "TYPEOF(input => 1)", "ARRAY_CONTAINS(haystack => ARRAY[1], needle => 1)"):
        one("named arguments: " + call, "SELECT %s AS v" % call)
    for args in ("DATA => TABLE e, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '1' SECOND", "TABLE e, DESCRIPTOR(ts), INTERVAL '1' SECOND", "TABLE e, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '1' SECOND", "DATA => TABLE e, TIMECOL => DESCRIPTOR(ts)", "DATA => TABLE e, TIMECOL => DESCRIPTOR(ts), NOPE => INTERVAL '1' SECOND",
                 "DATA => TABLE e, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '1' SECOND, `OFFSET` => DEFAULT", "data => TABLE e, timecol => DESCRIPTOR(ts), size => INTERVAL '1' SECOND", "DATA => (SELECT * FROM e), TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '1' SECOND"):
        one("named arguments: TUMBLE(%s)" % args, e, "SELECT CAST(window_start AS STRING) AS w, COUNT(*) AS n FROM TABLE(TUMBLE(%s)) GROUP BY window_start, window_end" % args)
    for call in ("HOP(DATA => TABLE e, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '2' SECOND, SLIDE => INTERVAL '2' SECOND)", "CUMULATE(DATA => TABLE e, TIMECOL => DESCRIPTOR(ts), STEP => INTERVAL '2' SECOND, SIZE => INTERVAL '2' SECOND)", "SESSION(DATA => TABLE e PARTITION BY s, TIMECOL => DESCRIPTOR(ts), GAP => INTERVAL '1' SECOND)", "SESSION(DATA => TABLE e, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '1' SECOND)"):
        one("named arguments: " + call, e, "SELECT CAST(window_start AS STRING) AS w, s FROM TABLE(%s) WHERE a = 7" % call)


def hints(one):
    """Which hints are read, and which names they may have."""
    joined = "SELECT %s x.s FROM t AS x JOIN t AS y ON x.a = y.a"
    for hint in ("BROADCAST(x)", "SHUFFLE_HASH(x), SHUFFLE_MERGE(y), NEST_LOOP(x, y)", "BROADCAST", "BROADCAST()", "BROADCAST('x'='y')", "BROADCAST(nope)", "MULTI_JOIN(x, y)", "MULTI_JOIN(x, nope)", "STATE_TTL('x'='1d', 'y'='2d')", "STATE_TTL('nope'='1d')", "STATE_TTL(x)", "STATE_TTL('x'='abc')", "LOOKUP('nope'='t')", "broadcast(x)", "NOPE(x)", "EARLY_FIRE('delay'='1 s')"):
        one("hint in a join: " + hint, joined % ("/*+ %s */" % hint))
    for hint in ("BROADCAST(t)", "BROADCAST(nope)", "STATE_TTL('t'='1d')", "OPTIONS('x'='y')", "LOOKUP('table'='t')", "NOPE"):
        one("hint: " + hint, "SELECT /*+ %s */ s FROM t" % hint)
    one("hint: STATE_TTL by a full name", "SELECT /*+ STATE_TTL('default_catalog.default_database.t'='1d') */ t.s FROM t JOIN t AS y ON t.a = y.a")
    for q in ("SELECT s FROM t /*+ OPTIONS('nope'='5') */", "SELECT s FROM t /*+ OPTIONS(x) */", "SELECT s FROM t /*+ OPTIONS('source.monitor-interval'='0') */", "SELECT s FROM t AS z /*+ OPTIONS('format'='json') */", "SELECT s /*+ BROADCAST(t) */ FROM t", "SELECT s FROM t /*+ OPTIONS('format'='json') */ AS z", "SELECT s FROM default_catalog.default_database.t /*+ OPTIONS('format'='json') */"):
        one("hint: " + q, q)
