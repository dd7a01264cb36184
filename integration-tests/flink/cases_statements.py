# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about statements: EXPLAIN in all its details, COMPILE PLAN, DESCRIBE, SHOW, LIKE, CREATE TABLE AS."""
from cases_updating import EACH_ROW, ask, table

T = table("t", "id INT, k STRING, v INT, ts TIMESTAMP(3)", "1 a 5 1\n2 b 6 2\n3 a 7 3", ts="ts", delay=2)
U = table("u", "uid INT, uk STRING, w INT, ut TIMESTAMP(3)", "1 a 5 1\n2 b 6 2\n3 a 7 3", ts="ut", delay=2)
C = table("c", "id INT, k STRING, v INT, ts TIMESTAMP(3)", "+ 1 a 5 1", ts="ts", pk="id", changing=True)
PRINT = "CREATE TABLE p (k STRING, n BIGINT) WITH ('connector'='print')"
KEYED = "CREATE TABLE q (k STRING, n BIGINT, PRIMARY KEY (k) NOT ENFORCED) WITH ('connector'='print')"
MINI = {"table.exec.mini-batch.enabled": "true", "table.exec.mini-batch.allow-latency": "5 s", "table.exec.mini-batch.size": "1000"}
ALL = (T, U, C)
COUNT = "SELECT k, COUNT(*) AS n FROM t GROUP BY k"


def explains():
    out = []

    def one(name, statement, tables=ALL, more=(), **kw):
        out.append(ask(name, list(tables), statement, more=[PRINT, KEYED, *more], plan=False, **kw))

    for name, q in (
        ("a projection", "SELECT k, v + 1 AS x FROM t WHERE v > 3"),
        ("an aggregate", COUNT),
        ("an aggregate into a table", "INSERT INTO p " + COUNT),
        ("an aggregate into a table with a key", "INSERT INTO q " + COUNT),
        ("an aggregate into a table with another key", "INSERT INTO q SELECT CAST(n AS STRING), n FROM (%s)" % COUNT),
        ("changes into a table with a key", "INSERT INTO q SELECT k, CAST(v AS BIGINT) FROM c"),
        ("changes into a table", "INSERT INTO p SELECT k, CAST(v AS BIGINT) FROM c"),
        ("a join", "SELECT t.k, w FROM t JOIN u ON k = uk"),
        ("an outer join of changes", "SELECT c.k, w FROM c LEFT JOIN u ON k = uk"),
        ("an interval join", "SELECT t.k, w FROM t JOIN u ON k = uk AND ts BETWEEN ut - INTERVAL '1' SECOND AND ut"),
        ("a version join", "SELECT t.k, c.v FROM t JOIN c FOR SYSTEM_TIME AS OF t.ts ON t.id = c.id"),
        ("a window aggregate", "SELECT window_start, k, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, k"),
        ("a group window", "SELECT k, COUNT(*) AS n FROM t GROUP BY k, TUMBLE(ts, INTERVAL '10' SECOND)"),
        ("a Top-N", "SELECT * FROM (SELECT k, v, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC) AS rn FROM t) WHERE rn <= 2"),
        ("a deduplication", "SELECT * FROM (SELECT k, v, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts DESC) AS rn FROM t) WHERE rn = 1"),
        ("an OVER", "SELECT k, SUM(v) OVER (PARTITION BY k ORDER BY ts) AS s FROM t"),
        ("UNION ALL", "SELECT k FROM t UNION ALL SELECT uk FROM u"),
        ("a subquery", "SELECT k FROM t WHERE v IN (SELECT w FROM u)"),
        ("VALUES", "VALUES (1, 'a')"),
    ):
        one("EXPLAIN CHANGELOG_MODE: " + name, "EXPLAIN CHANGELOG_MODE " + q)
    one("EXPLAIN", "EXPLAIN " + COUNT)
    one("EXPLAIN PLAN FOR", "EXPLAIN PLAN FOR " + COUNT)
    one("EXPLAIN ESTIMATED_COST", "EXPLAIN ESTIMATED_COST " + COUNT)
    one("EXPLAIN JSON_EXECUTION_PLAN", "EXPLAIN JSON_EXECUTION_PLAN " + COUNT)
    one("EXPLAIN PLAN_ADVICE", "EXPLAIN PLAN_ADVICE " + COUNT)
    one("EXPLAIN PLAN_ADVICE, mini-batch", "EXPLAIN PLAN_ADVICE " + COUNT, settings=MINI)
    one("EXPLAIN PLAN_ADVICE of a nondeterministic update", "EXPLAIN PLAN_ADVICE INSERT INTO q SELECT k, UNIX_TIMESTAMP() FROM c")
    one("EXPLAIN of several details", "EXPLAIN ESTIMATED_COST, CHANGELOG_MODE, PLAN_ADVICE, JSON_EXECUTION_PLAN " + COUNT)
    one("EXPLAIN of an unknown detail", "EXPLAIN NOPE " + COUNT)
    one("EXPLAIN of CREATE TABLE", "EXPLAIN CREATE TABLE x (a INT) WITH ('connector'='print')")
    one("EXPLAIN of a missing table", "EXPLAIN SELECT * FROM nope")
    one("EXPLAIN STATEMENT SET", "EXPLAIN STATEMENT SET BEGIN INSERT INTO p %s; INSERT INTO q %s; END" % (COUNT, COUNT), note="the aggregate is shared")
    one("EXPLAIN CHANGELOG_MODE STATEMENT SET", "EXPLAIN CHANGELOG_MODE STATEMENT SET BEGIN INSERT INTO p %s; INSERT INTO q %s; END" % (COUNT, COUNT))
    one("EXPLAIN EXECUTE STATEMENT SET", "EXPLAIN EXECUTE STATEMENT SET BEGIN INSERT INTO p %s; INSERT INTO q %s; END" % (COUNT, COUNT))
    one("EXPLAIN ANALYZE", "EXPLAIN ANALYZE " + COUNT)
    one("EXPLAIN, parallelism 2", "EXPLAIN JSON_EXECUTION_PLAN INSERT INTO p " + COUNT, settings={"parallelism.default": "2"})
    one("EXPLAIN, upsert materialisation forced", "EXPLAIN CHANGELOG_MODE INSERT INTO q " + COUNT, settings={"table.exec.sink.upsert-materialize": "FORCE"})
    one("EXPLAIN, upsert materialisation off", "EXPLAIN CHANGELOG_MODE INSERT INTO q SELECT CAST(n AS STRING), n FROM (%s)" % COUNT, settings={"table.exec.sink.upsert-materialize": "NONE"})
    one("EXPLAIN, normalised source", "EXPLAIN CHANGELOG_MODE SELECT * FROM c", settings={"table.exec.source.cdc-events-duplicate": "true"})
    one("EXPLAIN, hint STATE_TTL on an aggregate", "EXPLAIN SELECT /*+ STATE_TTL('t' = '1 d') */ k, COUNT(*) AS n FROM t GROUP BY k")
    one("EXPLAIN, sub-plans are shared", "EXPLAIN SELECT a.k, a.n, b.n FROM (%s) AS a JOIN (%s) AS b ON a.k = b.k" % (COUNT, COUNT))
    return out


def plans():
    """The plan that COMPILE PLAN writes, for the names of nodes, versions and state TTL; and what is refused."""
    out = []

    def one(name, statements, tables=ALL, **kw):
        *more, last = statements
        out.append(ask(name, list(tables), last, more=[PRINT, KEYED, *more], plan=False, **kw))

    insert = "INSERT INTO p " + COUNT
    one("COMPILE PLAN", ["COMPILE PLAN 'file://${DIR}/plan.json' FOR " + insert], read=["plan.json"])
    one("COMPILE PLAN of a join", ["COMPILE PLAN 'file://${DIR}/plan.json' FOR INSERT INTO p SELECT /*+ STATE_TTL('t' = '1 d', 'u' = '2 h') */ t.k, CAST(w AS BIGINT) FROM t JOIN u ON k = uk"], read=["plan.json"])
    one("COMPILE PLAN twice", ["COMPILE PLAN 'file://${DIR}/plan.json' FOR " + insert, "COMPILE PLAN 'file://${DIR}/plan.json' FOR " + insert])
    one("COMPILE PLAN IF NOT EXISTS", ["COMPILE PLAN 'file://${DIR}/plan.json' FOR " + insert, "COMPILE PLAN 'file://${DIR}/plan.json' IF NOT EXISTS FOR " + insert])
    one("COMPILE PLAN of a query", ["COMPILE PLAN 'file://${DIR}/plan.json' FOR\n" + COUNT])
    one("COMPILE PLAN of a statement set", ["COMPILE PLAN 'file://${DIR}/plan.json' FOR STATEMENT SET BEGIN INSERT INTO p %s; INSERT INTO q %s; END" % (COUNT, COUNT)])
    one("EXECUTE PLAN", ["COMPILE PLAN 'file://${DIR}/plan.json' FOR " + insert, "EXECUTE PLAN 'file://${DIR}/plan.json'"])
    one("EXPLAIN PLAN FOR a file", ["COMPILE PLAN 'file://${DIR}/plan.json' FOR " + insert, "EXPLAIN PLAN FOR 'file://${DIR}/plan.json'"])
    one("EXECUTE PLAN of a missing file", ["EXECUTE PLAN 'file://${DIR}/nope.json'"])
    one("COMPILE AND EXECUTE PLAN", ["COMPILE AND EXECUTE PLAN 'file://${DIR}/plan.json' FOR " + insert])
    return out


def statements():
    out = []

    def one(name, *statements, **kw):
        *more, last = statements
        out.append(ask(name, list(ALL), last, more=[PRINT, KEYED, *more], plan=False, keep_going=True, **kw))

    rich = ("CREATE TABLE rich (id INT NOT NULL COMMENT 'the key', r ROW<a INT, b STRING>, `a b` AS id + 1 COMMENT 'computed', f STRING METADATA FROM 'file.path' VIRTUAL, ts TIMESTAMP(3), pt AS PROCTIME(), "
            "WATERMARK FOR ts AS ts - INTERVAL '5' SECOND, CONSTRAINT pk PRIMARY KEY (id) NOT ENFORCED) COMMENT 'a rich table' PARTITIONED BY (id) WITH ('connector'='filesystem','path'='${DIR}/x','format'='json')")
    view = "CREATE TEMPORARY VIEW w COMMENT 'a view' AS SELECT k, COUNT(*) AS n FROM t GROUP BY k"
    for s in ("DESCRIBE t", "DESC t", "DESCRIBE c", "DESCRIBE EXTENDED t", "DESCRIBE nope", "SHOW CREATE TABLE t", "SHOW COLUMNS FROM t", "SHOW COLUMNS IN t LIKE '%d'", "SHOW COLUMNS FROM t NOT LIKE 'i%'"):
        one(s, s)
    for s in ("DESCRIBE rich", "SHOW CREATE TABLE rich", "SHOW COLUMNS FROM rich", "SELECT * FROM rich"):
        one(s + " (rich)", rich, s)
    for s in ("DESCRIBE w", "SHOW CREATE VIEW w", "SHOW CREATE TABLE w", "SHOW VIEWS", "SHOW TABLES", "DROP VIEW w", "DROP TABLE w"):
        one(s + " (view)", view, s)
    for s in ("SHOW TABLES", "SHOW TABLES LIKE 'c%'", "SHOW TABLES NOT LIKE 'c%'", "SHOW TABLES FROM default_database", "SHOW TABLES IN nope", "SHOW CATALOGS", "SHOW CURRENT CATALOG", "SHOW DATABASES", "SHOW CURRENT DATABASE", "SHOW MODULES", "SHOW FULL MODULES", "SHOW USER FUNCTIONS", "SHOW FUNCTIONS LIKE 'reg%'",
              "SHOW JARS", "SHOW PARTITIONS t", "SHOW CREATE CATALOG default_catalog", "DESCRIBE CATALOG default_catalog", "DESCRIBE DATABASE default_database", "DESCRIBE FUNCTION upper", "SHOW MODELS", "SHOW PROCEDURES", "SHOW MATERIALIZED TABLES", "SHOW NOPE", "SET", "SHOW JOBS", "USE nope", "USE CATALOG nope", "DROP TABLE nope", "DROP TABLE IF EXISTS nope", "DROP TABLE t"):
        one(s, s)
    # LIKE.
    base = "CREATE TABLE base (id INT, a AS id + 1, f STRING METADATA FROM 'file.path' VIRTUAL, ts TIMESTAMP(3), WATERMARK FOR ts AS ts, PRIMARY KEY (id) NOT ENFORCED) PARTITIONED BY (id) WITH ('connector'='filesystem','path'='${DIR}/b','format'='json')"
    for name, s in (
        ("docs: LIKE with other options", "CREATE TABLE x WITH ('path'='${DIR}/y', 'format'='csv') LIKE base"),
        ("docs: LIKE adds columns", "CREATE TABLE x (extra STRING, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) WITH ('path'='${DIR}/y') LIKE base (OVERWRITING WATERMARKS)"),
        ("LIKE, watermark given twice", "CREATE TABLE x (WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) LIKE base"),
        ("LIKE, column given twice", "CREATE TABLE x (id STRING) LIKE base"),
        ("LIKE EXCLUDING ALL", "CREATE TABLE x (more INT) WITH ('connector'='print') LIKE base (EXCLUDING ALL)"),
        ("LIKE EXCLUDING OPTIONS", "CREATE TABLE x WITH ('connector'='print') LIKE base (EXCLUDING OPTIONS EXCLUDING PARTITIONS)"),
        ("LIKE EXCLUDING GENERATED, WATERMARKS and CONSTRAINTS", "CREATE TABLE x LIKE base (EXCLUDING GENERATED EXCLUDING WATERMARKS EXCLUDING CONSTRAINTS EXCLUDING METADATA)"),
        ("LIKE EXCLUDING DISTRIBUTION", "CREATE TABLE x LIKE base (EXCLUDING DISTRIBUTION)"),
        ("LIKE OVERWRITING OPTIONS", "CREATE TABLE x WITH ('connector'='print') LIKE base (OVERWRITING OPTIONS)"),
        ("LIKE INCLUDING ALL, options given twice", "CREATE TABLE x WITH ('format'='csv') LIKE base (INCLUDING ALL)"),
        ("LIKE a view", "CREATE TABLE x WITH ('connector'='print') LIKE w"),
        ("LIKE a missing table", "CREATE TABLE x LIKE nope"),
        ("LIKE, primary key given twice", "CREATE TABLE x (PRIMARY KEY (id) NOT ENFORCED) LIKE base"),
        ("LIKE OVERWRITING CONSTRAINTS", "CREATE TABLE x (PRIMARY KEY (ts) NOT ENFORCED) LIKE base (OVERWRITING CONSTRAINTS)"),
    ):
        one(name, base, view, s, "SHOW CREATE TABLE x")
    # CREATE TABLE AS.
    for name, s in (
        ("docs: CREATE TABLE AS", "CREATE TABLE x WITH ('connector'='print') AS SELECT id, k AS key_, v * 2 AS d FROM t"),
        ("CREATE TABLE AS with an aggregate", "CREATE TABLE x WITH ('connector'='print') AS " + COUNT),
        ("CREATE TABLE AS without names", "CREATE TABLE x WITH ('connector'='print') AS SELECT id + 1, UPPER(k) FROM t"),
        ("CREATE TABLE AS of changes without a key", "CREATE TABLE x WITH ('connector'='filesystem','path'='${DIR}/o','format'='json') AS SELECT * FROM c"),
        ("CREATE TABLE AS with columns", "CREATE TABLE x (extra AS id + 1, WATERMARK FOR ts AS ts) WITH ('connector'='print') AS SELECT id, ts FROM t"),
        ("CREATE TABLE AS with a primary key", "CREATE TABLE x (PRIMARY KEY (k) NOT ENFORCED) WITH ('connector'='print') AS SELECT k, COUNT(*) AS n FROM (SELECT COALESCE(k, '') AS k FROM t) GROUP BY k"),
        ("CREATE TABLE AS in another order", "CREATE TABLE x (k, id) WITH ('connector'='print') AS SELECT id, k FROM t"),
        ("CREATE TABLE AS with another type", "CREATE TABLE x (id BIGINT) WITH ('connector'='print') AS SELECT id, k FROM t"),
        ("CREATE TABLE AS IF NOT EXISTS", "CREATE TABLE IF NOT EXISTS t WITH ('connector'='print') AS SELECT 1 AS a"),
        ("CREATE TABLE AS of an existing table", "CREATE TABLE t WITH ('connector'='print') AS SELECT 1 AS a"),
        ("CREATE TABLE AS without options", "CREATE TABLE x AS SELECT 1 AS a"),
        ("CREATE OR REPLACE TABLE AS", "CREATE OR REPLACE TABLE x WITH ('connector'='print') AS SELECT 1 AS a"),
        ("REPLACE TABLE AS", "REPLACE TABLE x WITH ('connector'='print') AS SELECT 1 AS a"),
    ):
        one(name, s, "SHOW CREATE TABLE x")
    # Other definitions.
    for name, s in (
        ("ALTER TABLE ADD", "ALTER TABLE t ADD (x STRING COMMENT 'new' FIRST, y AS v + 1)"), ("ALTER TABLE MODIFY", "ALTER TABLE t MODIFY v BIGINT"), ("ALTER TABLE MODIFY the watermark", "ALTER TABLE t MODIFY WATERMARK FOR ts AS ts"), ("ALTER TABLE DROP", "ALTER TABLE t DROP v"), ("ALTER TABLE DROP WATERMARK", "ALTER TABLE t DROP WATERMARK"),
        ("ALTER TABLE RENAME a column", "ALTER TABLE t RENAME v TO w"), ("ALTER TABLE SET", "ALTER TABLE t SET ('x'='y')"), ("ALTER TABLE RESET", "ALTER TABLE t RESET ('format')"), ("ALTER TABLE ADD PRIMARY KEY", "ALTER TABLE t ADD PRIMARY KEY (id) NOT ENFORCED"), ("ALTER TABLE RENAME TO", "ALTER TABLE t RENAME TO t"),
    ):
        one(name, s, "SHOW CREATE TABLE t")
    for name, s in (
        ("CREATE FUNCTION of a missing class", "CREATE FUNCTION f AS 'com.example.Nope'"), ("CREATE TEMPORARY FUNCTION of a missing class", "CREATE TEMPORARY FUNCTION f AS 'com.example.Nope' LANGUAGE JAVA"), ("DROP FUNCTION", "DROP FUNCTION f"), ("CREATE VIEW twice", "CREATE VIEW p AS SELECT 1 AS a"), ("CREATE VIEW IF NOT EXISTS", "CREATE VIEW IF NOT EXISTS p AS SELECT 1 AS a"),
        ("CREATE VIEW with names", "CREATE VIEW x (a, b) AS SELECT k, v FROM t"), ("CREATE VIEW with too few names", "CREATE VIEW x (a) AS SELECT k, v FROM t"), ("CREATE VIEW of a missing table", "CREATE VIEW x AS SELECT * FROM nope"), ("CREATE OR REPLACE VIEW", "CREATE OR REPLACE VIEW x AS SELECT 1 AS a"),
        ("CREATE TABLE twice", "CREATE TABLE p (a INT) WITH ('connector'='print')"), ("CREATE TABLE IF NOT EXISTS", "CREATE TABLE IF NOT EXISTS p (a INT) WITH ('connector'='print')"), ("UPDATE", "UPDATE t SET v = 1"), ("DELETE", "DELETE FROM t WHERE v = 1"), ("TRUNCATE", "TRUNCATE TABLE t"), ("INSERT OVERWRITE", "INSERT OVERWRITE p " + COUNT), ("ANALYZE TABLE", "ANALYZE TABLE t COMPUTE STATISTICS"),
    ):
        one(name, s)
    more_statements(one, base, rich, view)
    return out


def more_statements(one, base, rich, view):
    """Corners of LIKE, AS, ALTER, views, and temporary objects."""
    for name, s in (
        ("computed column given twice", "CREATE TABLE x (a AS id + 2) LIKE base"), ("OVERWRITING GENERATED", "CREATE TABLE x (more INT, a AS id + 2) LIKE base (OVERWRITING GENERATED)"),
        ("a computed column over a physical one", "CREATE TABLE x (ts AS CAST(NULL AS TIMESTAMP(3))) LIKE base (OVERWRITING GENERATED EXCLUDING WATERMARKS)"), ("a physical column over a computed one", "CREATE TABLE x (a INT) LIKE base (OVERWRITING GENERATED)"),
        ("metadata given twice", "CREATE TABLE x (f STRING METADATA FROM 'file.name' VIRTUAL) LIKE base"), ("OVERWRITING METADATA", "CREATE TABLE x (f STRING METADATA FROM 'file.name' VIRTUAL) LIKE base (OVERWRITING METADATA)"),
        ("watermark of another column", "CREATE TABLE x (m TIMESTAMP(3), WATERMARK FOR m AS m) LIKE base"), ("EXCLUDING WATERMARKS, another", "CREATE TABLE x (m TIMESTAMP(3), WATERMARK FOR m AS m) LIKE base (EXCLUDING WATERMARKS)"),
        ("partitions given twice", "CREATE TABLE x (m INT) PARTITIONED BY (m) LIKE base"), ("EXCLUDING PARTITIONS, others", "CREATE TABLE x (m INT) PARTITIONED BY (m) LIKE base (EXCLUDING PARTITIONS)"),
        ("OVERWRITING ALL", "CREATE TABLE x LIKE base (OVERWRITING ALL)"), ("OVERWRITING PARTITIONS", "CREATE TABLE x LIKE base (OVERWRITING PARTITIONS)"), ("OVERWRITING DISTRIBUTION", "CREATE TABLE x LIKE base (OVERWRITING DISTRIBUTION)"), ("a part twice", "CREATE TABLE x LIKE base (INCLUDING OPTIONS EXCLUDING OPTIONS)"),
        ("EXCLUDING ALL but GENERATED", "CREATE TABLE x WITH ('connector'='print') LIKE base (EXCLUDING ALL INCLUDING GENERATED)"), ("EXCLUDING CONSTRAINTS, another key", "CREATE TABLE x (n INT, PRIMARY KEY (n) NOT ENFORCED) LIKE base (EXCLUDING CONSTRAINTS)"),
        ("a key of no column", "CREATE TABLE x (PRIMARY KEY (nope) NOT ENFORCED) LIKE base (EXCLUDING CONSTRAINTS)"), ("a key of a computed column", "CREATE TABLE x (PRIMARY KEY (a) NOT ENFORCED) LIKE base (EXCLUDING CONSTRAINTS)"), ("in brackets without anything", "CREATE TABLE x LIKE base ()"),
        ("TEMPORARY", "CREATE TEMPORARY TABLE x LIKE base"), ("a comment", "CREATE TABLE x COMMENT 'mine' LIKE base"), ("IF NOT EXISTS", "CREATE TABLE IF NOT EXISTS base LIKE t"), ("a computed column over the base's", "CREATE TABLE x (b AS a + 1) LIKE base"),
        ("the qualified name", "CREATE TABLE x LIKE default_catalog.default_database.base"),
    ):
        one("LIKE, " + name, base, s, "SHOW CREATE TABLE x")
    one("LIKE a rich table", rich, "CREATE TABLE x LIKE rich", "SHOW CREATE TABLE x")
    metadata = "CREATE TABLE m (s STRING METADATA FROM 'file.path' VIRTUAL, u AS UPPER(s), i INT) WITH ('connector'='filesystem','path'='${DIR}/m','format'='json')"
    one("LIKE, EXCLUDING METADATA that is computed with", metadata, "CREATE TABLE x LIKE m (EXCLUDING METADATA)")
    for name, s in (
        ("TEMPORARY", "CREATE TEMPORARY TABLE x WITH ('connector'='print') AS SELECT 1 AS a"), ("PARTITIONED BY", "CREATE TABLE x PARTITIONED BY (k) WITH ('connector'='filesystem','path'='${DIR}/o','format'='json') AS SELECT id, k FROM t"), ("COMMENT", "CREATE TABLE x COMMENT 'c' WITH ('connector'='print') AS SELECT id, k FROM t"),
        ("another column", "CREATE TABLE x (more STRING) WITH ('connector'='print') AS SELECT id, k FROM t"), ("another column that is NOT NULL", "CREATE TABLE x (more STRING NOT NULL) WITH ('connector'='print') AS SELECT id, k FROM t"), ("a computed column of the same name", "CREATE TABLE x (id AS 1) WITH ('connector'='print') AS SELECT id, k FROM t"),
        ("a metadata column", "CREATE TABLE x (f STRING METADATA FROM 'file.path' VIRTUAL) WITH ('connector'='filesystem','path'='${DIR}/o','format'='json') AS SELECT id, k FROM t"),
        ("columns in between", "CREATE TABLE x (b INT, k VARCHAR(5), c AS id) WITH ('connector'='print') AS SELECT id, k FROM t"), ("too few names", "CREATE TABLE x (k) WITH ('connector'='print') AS SELECT id, k FROM t"), ("an unknown name", "CREATE TABLE x (k, nope) WITH ('connector'='print') AS SELECT id, k FROM t"), ("a name twice", "CREATE TABLE x (k, k) WITH ('connector'='print') AS SELECT id, k FROM t"),
        ("a narrower type", "CREATE TABLE x (id SMALLINT) WITH ('connector'='print') AS SELECT id, k FROM t"), ("a type that does not fit", "CREATE TABLE x (k INT) WITH ('connector'='print') AS SELECT id, k FROM t"), ("NULL without a type", "CREATE TABLE x WITH ('connector'='print') AS SELECT NULL AS a"), ("a column twice", "CREATE TABLE x WITH ('connector'='print') AS SELECT id, id FROM t"),
        ("IF NOT EXISTS that fits", "CREATE TABLE IF NOT EXISTS p WITH ('connector'='filesystem') AS SELECT k, CAST(id AS BIGINT) AS other FROM t"), ("VALUES", "CREATE TABLE x WITH ('connector'='print') AS VALUES (1, 'a'), (2, 'bc')"), ("TABLE t", "CREATE TABLE x WITH ('connector'='print') AS TABLE t"), ("WITH", "CREATE TABLE x WITH ('connector'='print') AS WITH w AS (SELECT 1 AS a) SELECT * FROM w"),
        ("UNION ALL", "CREATE TABLE x WITH ('connector'='print') AS SELECT k FROM t UNION ALL SELECT uk FROM u"), ("brackets", "CREATE TABLE x WITH ('connector'='print') AS (SELECT k FROM t)"), ("a key of no column", "CREATE TABLE x (PRIMARY KEY (nope) NOT ENFORCED) WITH ('connector'='print') AS SELECT id, k FROM t"), ("a key of a nullable column", "CREATE TABLE x (PRIMARY KEY (id) NOT ENFORCED) WITH ('connector'='print') AS SELECT id, k FROM t"),
        ("a watermark", "CREATE TABLE x (WATERMARK FOR t3 AS t3 - INTERVAL '1' SECOND) WITH ('connector'='print') AS SELECT id, ts AS t3 FROM t"), ("a missing table", "CREATE TABLE x WITH ('connector'='print') AS SELECT * FROM nope"), ("all columns with types", "CREATE TABLE x (k STRING, id INT) WITH ('connector'='print') AS SELECT id, k FROM t"),
    ):
        one("CREATE TABLE AS, " + name, s, "SHOW CREATE TABLE x")
    replaced = "CREATE TABLE x (a INT) WITH ('connector'='blackhole')"
    for name, s in (("CREATE OR REPLACE TABLE AS", "CREATE OR REPLACE TABLE x WITH ('connector'='print') AS SELECT 1 AS b"), ("REPLACE TABLE AS", "REPLACE TABLE x WITH ('connector'='print') AS SELECT 1 AS b"), ("CREATE OR REPLACE TABLE", "CREATE OR REPLACE TABLE x (b INT) WITH ('connector'='print')"), ("CREATE OR REPLACE TABLE IF NOT EXISTS", "CREATE OR REPLACE TABLE IF NOT EXISTS x WITH ('connector'='print') AS SELECT 1 AS b")):
        one(name + " of a table that is there", replaced, s, "SHOW CREATE TABLE x")
    for name, s in (
        ("ADD a column that is there", "ADD k INT"), ("ADD AFTER", "ADD x INT AFTER k"), ("ADD AFTER a missing column", "ADD x INT AFTER nope"), ("ADD several", "ADD (x INT FIRST, y AS x + 1 AFTER x, z STRING METADATA FROM 'file.path' VIRTUAL)"), ("ADD a second watermark", "ADD WATERMARK FOR ts AS ts"), ("ADD NOT NULL", "ADD x INT NOT NULL"),
        ("MODIFY with a place", "MODIFY v INT FIRST"), ("MODIFY several", "MODIFY (k INT AFTER v, id BIGINT NOT NULL COMMENT 'c')"), ("MODIFY a missing column", "MODIFY nope INT"), ("MODIFY a missing key", "MODIFY PRIMARY KEY (id) NOT ENFORCED"), ("MODIFY to computed", "MODIFY v AS id + 1"), ("MODIFY the rowtime to another type", "MODIFY ts STRING"), ("MODIFY to NOT NULL", "MODIFY v INT NOT NULL"),
        ("DROP several", "DROP (k, v)"), ("DROP a missing column", "DROP nope"), ("DROP the rowtime", "DROP ts"), ("DROP all columns", "DROP (id, k, v, ts)"), ("DROP a missing key", "DROP PRIMARY KEY"), ("RENAME a missing column", "RENAME nope TO x"), ("RENAME to a column that is there", "RENAME v TO k"), ("RENAME the rowtime", "RENAME ts TO x"),
        ("SET several", "SET ('path'='${DIR}/z', 'a'='b')"), ("SET nothing", "SET ()"), ("RESET what is not there", "RESET ('nope')"), ("RESET the connector", "RESET ('connector')"), ("RESET nothing", "RESET ()"), ("ADD PRIMARY KEY with a name", "ADD CONSTRAINT ck PRIMARY KEY (id, k) NOT ENFORCED"), ("ADD a key of a missing column", "ADD PRIMARY KEY (nope) NOT ENFORCED"), ("ADD without anything", "ADD ()"),
    ):
        one("ALTER TABLE " + name, "ALTER TABLE t " + s, "SHOW CREATE TABLE t")
    for name, s in (("DROP the key", "DROP PRIMARY KEY"), ("DROP CONSTRAINT by its made name", "DROP CONSTRAINT PK_id"), ("DROP another constraint", "DROP CONSTRAINT nope"), ("DROP a column of the key", "DROP id"), ("RENAME a column of the key", "RENAME id TO x"), ("ADD a second key", "ADD PRIMARY KEY (k) NOT ENFORCED"), ("MODIFY the key", "MODIFY PRIMARY KEY (k) NOT ENFORCED"), ("MODIFY a column of the key", "MODIFY id BIGINT")):
        one("ALTER TABLE " + name, "ALTER TABLE c " + s, "SHOW CREATE TABLE c")
    for name, s in (("DROP what is computed with", "DROP id"), ("RENAME what is computed with", "RENAME id TO x"), ("DROP a computed column", "DROP `a b`"), ("DROP both", "DROP (`a b`, r)"), ("MODIFY a column with a comment", "MODIFY r STRING"), ("MODIFY the computed column", "MODIFY `a b` AS id + 2"), ("DROP CONSTRAINT", "DROP CONSTRAINT pk"), ("RENAME a metadata column", "RENAME f TO g"), ("MODIFY the comment", "MODIFY id INT COMMENT 'other'"), ("SET of a rich table", "SET ('a'='b')")):
        one("ALTER TABLE " + name + " (rich)", rich, "ALTER TABLE rich " + s, "SHOW CREATE TABLE rich")
    one("ALTER TABLE RENAME TO another", "ALTER TABLE t RENAME TO x", "SHOW TABLES", "SHOW CREATE TABLE x")
    one("ALTER TABLE of a missing table", "ALTER TABLE nope DROP k")
    one("ALTER TABLE IF EXISTS of a missing table", "ALTER TABLE IF EXISTS nope DROP k")
    one("ALTER TABLE of a view", view, "ALTER TABLE w DROP k")
    temporary = "CREATE TEMPORARY TABLE tt (a INT) WITH ('connector'='print')"
    for s in ("ALTER TABLE tt ADD b INT", "ALTER TABLE IF EXISTS tt ADD b INT", "DROP TABLE tt", "DROP TABLE IF EXISTS tt", "DROP TEMPORARY TABLE tt", "DROP TEMPORARY TABLE t", "DROP TEMPORARY TABLE IF EXISTS t", "SHOW CREATE TABLE tt", "CREATE TABLE tt (b INT) WITH ('connector'='print')", "CREATE TEMPORARY TABLE tt (b INT) WITH ('connector'='print')", "CREATE TEMPORARY TABLE IF NOT EXISTS tt (b INT) WITH ('connector'='print')"):
        one(s + " (temporary)", temporary, s, "SHOW TABLES", "DESCRIBE tt")
    one("a temporary table hides another", "CREATE TEMPORARY TABLE t (b INT) WITH ('connector'='print')", "SHOW TABLES", "DESCRIBE t", "DROP TEMPORARY TABLE t", "DESCRIBE t")
    one("a temporary view hides a table", "CREATE TEMPORARY VIEW t AS SELECT 1 AS single", "SHOW TABLES", "SHOW VIEWS", "DESCRIBE t", "DROP TEMPORARY VIEW t", "DESCRIBE t")
    permanent = "CREATE VIEW pv AS SELECT k, v FROM t"
    for s in ("DROP VIEW pv", "DROP TEMPORARY VIEW pv", "DROP TABLE pv", "DROP TABLE IF EXISTS pv", "DROP VIEW IF EXISTS t", "ALTER VIEW pv RENAME TO x", "ALTER VIEW pv AS SELECT id FROM t", "ALTER VIEW nope AS SELECT id FROM t", "ALTER VIEW t RENAME TO x", "ALTER VIEW pv RENAME TO t", "CREATE OR REPLACE VIEW pv AS SELECT id FROM t", "CREATE VIEW IF NOT EXISTS pv AS SELECT id FROM t", "CREATE TEMPORARY VIEW pv AS SELECT id FROM t"):
        one(s + " (permanent)", permanent, s, "SHOW VIEWS", "DESCRIBE pv")
    for s in ("SHOW VIEWS LIKE 'w%'", "SHOW VIEWS NOT LIKE 'w%'", "SHOW VIEWS FROM default_database", "SHOW TABLES ILIKE 'W'", "SHOW TABLES LIKE 'W'", "SHOW TABLES FROM default_catalog.default_database LIKE '_'", "SHOW COLUMNS FROM w", "SHOW COLUMNS IN w LIKE 'k'", "SHOW COLUMNS FROM default_catalog.default_database.w", "SHOW CREATE VIEW t", "SHOW CATALOGS LIKE 'x%'", "SHOW CATALOGS LIKE 'default%'", "SHOW DATABASES FROM default_catalog", "SHOW DATABASES LIKE 'd%'", "SHOW DATABASES IN nope",
              "USE default_database", "USE default_catalog.default_database", "USE CATALOG default_catalog", "USE MODULES core", "USE MODULES nope", "DESCRIBE default_database.t", "SHOW USER FUNCTIONS LIKE 'x'", "(TABLE p)"):
        one(s + " (with a view)", view, s)
    one("SHOW PARTITIONS of a partitioned table", rich, "SHOW PARTITIONS rich")
    columns = "a INT, b BIGINT, d DOUBLE, s STRING, dt DATE, ts TIMESTAMP(3), flag BOOLEAN, arr ARRAY<INT>, m MAP<STRING, BIGINT>, r ROW<x INT, `y z` ROW<z STRING>>, bin BYTES NOT NULL, l TIMESTAMP_LTZ(3)"
    for name, exprs in (
        ("computed columns", (
            "(a + b) * 2 - a % 3 / 1.5", "s || 'it''s' || UPPER(s)", "NOT flag AND a = b OR a <> 1 AND flag IS NOT UNKNOWN", "a NOT IN (1, 2, 3)", "s LIKE 'a!%' ESCAPE '!' OR s NOT SIMILAR TO 'a|b'", "a IS DISTINCT FROM b",
            "CASE WHEN a > 1 THEN 'x' WHEN b IS NULL THEN 'yyy' ELSE NULL END", "CASE a WHEN 1 THEN 1 ELSE 2.5 END", "r.`y z`.z", "arr[1]", "m['k']", "ROW(a, s)", "MAP[s, a]", "DATE '2024-02-29'", "TIMESTAMP '2024-02-29 12:00:00.123'", "TIME '12:34:56'", "x'0aff'",
            "ts + INTERVAL '1 02:03:04' DAY TO SECOND", "ts - INTERVAL -'5' MINUTE", "dt + INTERVAL '1-2' YEAR TO MONTH", "TRY_CAST(s AS VARCHAR(3))", "CAST(s AS TIMESTAMP_LTZ(3))", "EXTRACT(YEAR FROM ts)", "CEIL(ts TO HOUR)", "FLOOR(d)", "TIMESTAMPDIFF(DAY, ts, ts)", "POSITION('a' IN s)",
            "SUBSTRING(s FROM 2 FOR 3)", "SUBSTRING(s, 2)", "TRIM(LEADING 'x' FROM s)", "OVERLAY(s PLACING 'x' FROM 2)", "IF(flag, 1, 2)", "PROCTIME()", "CURRENT_DATE", "coalesce(s, 'x')", "1e-3 + .5", "TRUE OR flag")),
        ("computed columns that print otherwise", ("a BETWEEN 1 AND b", "- -a", "ARRAY[a, 2]", "CAST(ROW(a, s) AS ROW<x BIGINT, `y z` STRING>)", "U&'\\00e9'")),
    ):
        one(name, "CREATE TABLE x (%s, %s) WITH ('connector'='print')" % (columns, ", ".join("c%d AS %s" % (n, e) for n, e in enumerate(exprs))), "SHOW CREATE TABLE x")


def refusals():
    """What Flink refuses of the relational surface, beside what the other sections hold."""
    out = []
    file = "CREATE TABLE f (k STRING, n BIGINT) WITH ('connector'='filesystem','path'='${DIR}/out','format'='json')"

    def one(name, statement, more=(), **kw):
        out.append(ask(name, list(ALL), statement, more=[PRINT, KEYED, file, *more], plan=False, **kw))

    one("updates into an append-only sink", "INSERT INTO f " + COUNT)
    one("changes into an append-only sink", "INSERT INTO f SELECT k, CAST(v AS BIGINT) FROM c")
    one("an outer join into an append-only sink", "INSERT INTO f SELECT t.k, CAST(w AS BIGINT) FROM t LEFT JOIN u ON k = uk")
    one("a Top-N into an append-only sink", "INSERT INTO f SELECT k, rn FROM (SELECT k, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC) AS rn FROM t) WHERE rn <= 2")
    one("a deduplication into an append-only sink", "INSERT INTO f SELECT k, CAST(v AS BIGINT) FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts DESC) AS rn FROM t) WHERE rn = 1")
    one("keep-first into an append-only sink", "INSERT INTO f SELECT k, CAST(v AS BIGINT) FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts) AS rn FROM t) WHERE rn = 1")
    one("NOT EXISTS into an append-only sink", "INSERT INTO f SELECT k, CAST(v AS BIGINT) FROM t WHERE NOT EXISTS (SELECT * FROM u WHERE k = uk)")
    one("updates behind a projection", "INSERT INTO f SELECT UPPER(k), n + 1 FROM (%s) WHERE n > 0" % COUNT, note="the message names the operator that makes the updates")
    one("updates behind UNION ALL", "INSERT INTO f SELECT uk, CAST(w AS BIGINT) FROM u UNION ALL " + COUNT)
    one("SELECT DISTINCT into an append-only sink", "INSERT INTO f SELECT DISTINCT k, CAST(v AS BIGINT) FROM t", note="accepted or not?")
    one("a semi join into an append-only sink", "INSERT INTO f SELECT k, CAST(v AS BIGINT) FROM t WHERE k IN (SELECT uk FROM u)")
    one("a group window into an append-only sink", "INSERT INTO f SELECT k, COUNT(*) FROM t GROUP BY k, TUMBLE(ts, INTERVAL '1' SECOND)")
    one("a mixed statement set", "EXECUTE STATEMENT SET BEGIN INSERT INTO p %s; INSERT INTO f %s; END" % (COUNT, COUNT))
    one("window TVF over a table that is not in order", "SELECT window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE x, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_start, window_end", more=["CREATE TEMPORARY VIEW x AS SELECT k, MAX(ts) AS ts FROM t GROUP BY k"])
    one("interval join with a nullable cast", "SELECT t.k FROM t JOIN u ON k = uk AND ts > CAST(ut AS STRING)")
    one("too few columns", "INSERT INTO p SELECT k FROM t")
    one("too many columns", "INSERT INTO p SELECT k, CAST(v AS BIGINT), v FROM t")
    one("other types", "INSERT INTO p SELECT v, k FROM t")
    one("an unknown column in INSERT", "INSERT INTO p (k, nope) SELECT k, 1 FROM t")
    one("a column twice in INSERT", "INSERT INTO p (k, k) SELECT k, k FROM t")
    one("INSERT into a view", "INSERT INTO w SELECT 'a', CAST(1 AS BIGINT)", more=["CREATE TEMPORARY VIEW w AS " + COUNT])
    one("INSERT into a missing table", "INSERT INTO nope SELECT 1")
    one("INSERT into a source", "INSERT INTO g VALUES (1)", more=["CREATE TABLE g (a INT) WITH ('connector'='datagen')"])
    one("SELECT from a sink", "SELECT * FROM p")
    one("INSERT of changes whose key may be null", "INSERT INTO q SELECT CAST(NULL AS STRING), CAST(1 AS BIGINT)", note="at run time")
    one("a missing function", "SELECT nope(k) FROM t")
    one("a missing function with a near name", "SELECT UPER(k) FROM t")
    one("a missing column", "SELECT kk FROM t")
    one("a missing column of an alias", "SELECT x.nope FROM t AS x")
    one("a missing alias", "SELECT y.k FROM t AS x")
    one("a table in another case", "SELECT * FROM T")
    one("two tables of one alias", "SELECT 1 FROM t AS x, u AS x")
    one("a condition that is not BOOLEAN", "SELECT k FROM t WHERE v")
    one("HAVING that is not BOOLEAN", "SELECT k FROM t GROUP BY k HAVING COUNT(*)")
    one("JOIN without ON", "SELECT 1 FROM t JOIN u")
    one("GROUP BY an aggregate", "SELECT COUNT(*) FROM t GROUP BY COUNT(*)")
    one("DISTINCT in a scalar function", "SELECT UPPER(DISTINCT k) FROM t")
    one("an aggregate with a wrong number of arguments", "SELECT SUM(v, v) FROM t")
    one("FILTER on a scalar function", "SELECT UPPER(k) FILTER (WHERE v > 1) FROM t")
    one("FILTER that is not BOOLEAN", "SELECT COUNT(*) FILTER (WHERE v) FROM t")
    one("a subquery with two columns in IN", "SELECT k FROM t WHERE v IN (SELECT uid, w FROM u)")
    one("a processing-time version join with a changelog", "SELECT t.k FROM t JOIN c FOR SYSTEM_TIME AS OF PROCTIME() ON t.id = c.id")
    one("MATCH_RECOGNIZE of changes", "SELECT * FROM c MATCH_RECOGNIZE (ORDER BY ts MEASURES A.id AS x PATTERN (A) DEFINE A AS A.v > 1)")
    one("LATERAL of a missing function", "SELECT * FROM t, LATERAL TABLE(nope(v))")
    one("an empty statement", "")
    one("two statements", "SELECT 1; SELECT 2")
    one("a statement that does not end", "SELECT 'abc")
    return out
