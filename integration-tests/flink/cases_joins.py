# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about joins that do not look at time: regular joins, UNNEST, LATERAL, lookup."""
from cases_updating import ask, table

L = table("l", "id INT, k STRING, v INT", """
1 a 10
2 b 20
3 a 30
4 - 40
5 c 50
6 b 20
7 - -
""")
R = table("r", "rid INT, rk STRING, w INT", """
1 a 1
2 b 25
3 a 35
4 - 4
5 d 5
6 b 15
""")
LC = table("lc", "id INT, k STRING, v INT", """
+ 1 a 10
+ 2 b 20
+ 3 - 30
~ 1 a 10 > 1 b 10
- 2 b 20
+ 4 c 40
~ 4 c 40 > 4 a 40
""", pk="id", changing=True)
RC = table("rc", "rid INT, rk STRING, w INT", """
+ 1 a 1
+ 2 b 2
+ 3 a 3
- 1 a 1
~ 2 b 2 > 2 b 22
+ 4 - 4
+ 5 d 5
~ 5 d 5 > 5 c 5
- 5 c 5
""", pk="rid", changing=True)
KINDS = ("INNER", "LEFT", "RIGHT", "FULL")


def joins():
    out = []

    def two(name, query, tables=(L, R), **marks):
        out.append(ask(name, list(tables), query, interleaved=True, **marks))

    for kind in KINDS:
        two("docs: %s join" % kind, "SELECT * FROM l %s JOIN r ON l.k = r.rk" % kind)
        two("%s join with a residual condition" % kind, "SELECT id, k, v, rid, w FROM l %s JOIN r ON l.k = r.rk AND l.v < r.w" % kind)
        two("%s join without equality" % kind, "SELECT id, v, rid, w FROM l %s JOIN r ON l.v < r.w" % kind)
        two("%s join on two columns" % kind, "SELECT id, rid FROM l %s JOIN r ON l.k = r.rk AND l.id = r.rid" % kind)
        two("%s join of changes" % kind, "SELECT id, k, v, rid, w FROM lc %s JOIN rc ON k = rk" % kind, (LC, RC))
        two("%s join of changes with a residual condition" % kind, "SELECT id, v, rid, w FROM lc %s JOIN rc ON k = rk AND v > w" % kind, (LC, RC))
        two("%s join, left changes" % kind, "SELECT id, k, v, rid FROM lc %s JOIN r ON k = rk" % kind, (LC, R))
        two("%s join, right changes" % kind, "SELECT id, k, rid, w FROM l %s JOIN rc ON k = rk" % kind, (L, RC))
        two("%s join of the unique keys" % kind, "SELECT id, v, rid, w FROM lc %s JOIN rc ON id = rid" % kind, (LC, RC))
        two("%s join, condition on one side" % kind, "SELECT id, rid FROM l %s JOIN r ON k = rk AND v > 15" % kind)
        two("%s join, IS NOT DISTINCT FROM" % kind, "SELECT id, rid FROM l %s JOIN r ON k IS NOT DISTINCT FROM rk" % kind, note="null keys meet")
        two("%s join ON TRUE" % kind, "SELECT id, rid FROM l %s JOIN r ON TRUE" % kind)
        two("%s join with an empty table" % kind, "SELECT id, rid FROM l %s JOIN r ON k = rk" % kind, (L, table("r", "rid INT, rk STRING, w INT", "")))
    two("comma join", "SELECT id, rid FROM l, r WHERE k = rk AND v > w")
    two("CROSS JOIN", "SELECT id, rid FROM l CROSS JOIN r WHERE id < 3 AND rid < 3")
    two("USING", "SELECT * FROM l JOIN (SELECT rid, rk AS k, w FROM r) AS s USING (k)")
    two("LEFT with USING", "SELECT * FROM l LEFT JOIN (SELECT rid, rk AS k, w FROM r) AS s USING (k)")
    two("FULL with USING", "SELECT * FROM l FULL JOIN (SELECT rid, rk AS k, w FROM r) AS s USING (k)")
    two("NATURAL", "SELECT * FROM l NATURAL JOIN (SELECT rid AS id, w FROM r) AS s")
    two("a filter on the null side", "SELECT id, rid FROM l LEFT JOIN r ON k = rk WHERE rid IS NULL")
    two("a filter that makes it inner", "SELECT id, rid FROM l LEFT JOIN r ON k = rk WHERE w > 3")
    two("names of equal columns", "SELECT * FROM l JOIN (SELECT rid AS id, rk AS k FROM r) AS s ON l.k = s.k")
    two("qualified stars", "SELECT s.*, l.id FROM l JOIN (SELECT rid AS id, rk AS k FROM r) AS s ON l.k = s.k")
    two("join with itself", "SELECT x.id, y.id FROM l AS x JOIN l AS y ON x.k = y.k AND x.id < y.id", (L,))
    two("join of other types", "SELECT id, rid FROM l JOIN (SELECT CAST(rid AS BIGINT) AS b, rid FROM r) AS s ON l.id = s.b", note="INT = BIGINT")
    two("join of INT and STRING", "SELECT id, rid FROM l JOIN r ON l.id = r.rk")
    two("join on expressions", "SELECT id, rid FROM l JOIN r ON UPPER(k) = UPPER(rk) AND v / 10 = rid")
    two("three tables", "SELECT l.id, r.rid, s.x FROM l JOIN r ON l.k = r.rk JOIN (SELECT id AS x, k FROM l) AS s ON s.k = r.rk")
    two("three tables, LEFT", "SELECT l.id, r.rid, s.x FROM l LEFT JOIN r ON l.k = r.rk LEFT JOIN (SELECT id AS x, k FROM l WHERE v > 20) AS s ON s.k = r.rk")
    two("three tables in one multi-way join", "SELECT l.id, r.rid, s.x FROM l JOIN r ON l.k = r.rk JOIN (SELECT id AS x, k FROM l) AS s ON s.k = r.rk", settings={"table.optimizer.multi-join.enabled": "true"})
    two("join of aggregates", "SELECT a.k, s, t FROM (SELECT k, SUM(v) AS s FROM l GROUP BY k) AS a JOIN (SELECT rk, SUM(w) AS t FROM r GROUP BY rk) AS b ON a.k = b.rk")
    two("LEFT join with an aggregate", "SELECT id, l.k, t FROM l LEFT JOIN (SELECT rk, COUNT(*) AS t FROM r GROUP BY rk) AS b ON l.k = b.rk")
    two("aggregate of a join", "SELECT k, COUNT(*) AS c, SUM(w) AS s FROM l JOIN r ON k = rk GROUP BY k")
    two("aggregate of a LEFT join", "SELECT l.id, COUNT(rid) AS c, SUM(w) AS s FROM l LEFT JOIN r ON k = rk GROUP BY l.id", note="Nexmark q4 has the inner form")
    two("Top-1 of a join", "SELECT id, rid, w FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY id ORDER BY w DESC) AS n FROM l JOIN r ON k = rk) WHERE n = 1", note="Nexmark q9 with a descending order")
    two("join with VALUES", "SELECT id, x FROM l JOIN (VALUES ('a', 'A'), ('b', 'B')) AS t(c, x) ON k = c", (L,))
    two("mini-batch", "SELECT id, rid FROM l LEFT JOIN r ON k = rk", settings={"table.exec.mini-batch.enabled": "true", "table.exec.mini-batch.allow-latency": "1 h", "table.exec.mini-batch.size": "1000"})
    # Semi and anti.
    two("semi join: EXISTS", "SELECT * FROM l WHERE EXISTS (SELECT * FROM r WHERE rk = k)")
    two("semi join: EXISTS with a residual condition", "SELECT * FROM l WHERE EXISTS (SELECT * FROM r WHERE rk = k AND w > v)")
    two("anti join: NOT EXISTS", "SELECT * FROM l WHERE NOT EXISTS (SELECT * FROM r WHERE rk = k)")
    two("semi join of changes", "SELECT * FROM lc WHERE EXISTS (SELECT * FROM rc WHERE rk = k)", (LC, RC))
    two("anti join of changes", "SELECT * FROM lc WHERE NOT EXISTS (SELECT * FROM rc WHERE rk = k)", (LC, RC))
    two("anti join of changes with a residual condition", "SELECT * FROM lc WHERE NOT EXISTS (SELECT * FROM rc WHERE rk = k AND w > 2)", (LC, RC))
    # Hints.
    two("hint BROADCAST", "SELECT /*+ BROADCAST(r) */ id, rid FROM l JOIN r ON k = rk")
    two("hint STATE_TTL", "SELECT /*+ STATE_TTL('l' = '1 d', 'r' = '2 h') */ id, rid FROM l JOIN r ON k = rk")
    two("hint STATE_TTL of an alias", "SELECT /*+ STATE_TTL('x' = '1d') */ id, rid FROM l AS x JOIN r ON k = rk")
    two("hint STATE_TTL of an unknown table", "SELECT /*+ STATE_TTL('nope' = '1d') */ id, rid FROM l JOIN r ON k = rk")
    two("an unknown hint", "SELECT /*+ NOPE(r) */ id, rid FROM l JOIN r ON k = rk")
    two("hint OPTIONS", "SELECT id FROM l /*+ OPTIONS('source.monitor-interval'='') */", (L,))
    two("ON with a subquery", "SELECT id, rid FROM l JOIN r ON k = rk AND rid IN (SELECT id FROM l WHERE v > 15)")
    two("ambiguous column", "SELECT k FROM l JOIN (SELECT rk AS k FROM r) AS s ON l.k = s.k")
    two("ON a column of a later table", "SELECT l.id FROM l JOIN r ON l.k = s.k JOIN l AS s ON s.k = r.rk")
    return out


ARRAYS = table("t", "id INT, a ARRAY<INT>, m MAP<STRING, INT>, o ARRAY<ROW<x INT, y STRING>>, s STRING", """
1 [1,2] {"a":1} [{"x":1,"y":"p"},{"x":2,"y":"q"}] a,b
2 [] {} [] ''
3 - - - -
4 [3,null,3] {"b":2,"c":null} [{"x":3,"y":null},null] c
""")


def unnest():
    out = []
    for name, query in (
        ("docs: CROSS JOIN UNNEST", "SELECT id, e FROM t CROSS JOIN UNNEST(a) AS u(e)"),
        ("docs: comma UNNEST", "SELECT id, e FROM t, UNNEST(a) AS u(e)"),
        ("docs: LEFT JOIN UNNEST", "SELECT id, e FROM t LEFT JOIN UNNEST(a) AS u(e) ON TRUE"),
        ("docs: WITH ORDINALITY", "SELECT id, e, n FROM t CROSS JOIN UNNEST(a) WITH ORDINALITY AS u(e, n)"),
        ("LEFT JOIN WITH ORDINALITY", "SELECT id, e, n FROM t LEFT JOIN UNNEST(a) WITH ORDINALITY AS u(e, n) ON TRUE"),
        ("UNNEST of a map", "SELECT id, k, v FROM t CROSS JOIN UNNEST(m) AS u(k, v)"),
        ("UNNEST of a map WITH ORDINALITY", "SELECT id, k, v, n FROM t CROSS JOIN UNNEST(m) WITH ORDINALITY AS u(k, v, n)"),
        ("UNNEST of rows", "SELECT id, x, y FROM t CROSS JOIN UNNEST(o) AS u(x, y)"),
        ("UNNEST of rows, own names", "SELECT id, u.* FROM t CROSS JOIN UNNEST(o) AS u"),
        ("UNNEST of rows WITH ORDINALITY", "SELECT id, x, y, n FROM t CROSS JOIN UNNEST(o) WITH ORDINALITY AS u(x, y, n)"),
        ("UNNEST without names", "SELECT * FROM t CROSS JOIN UNNEST(a)"),
        ("UNNEST, star", "SELECT * FROM (SELECT id, a FROM t) CROSS JOIN UNNEST(a) AS u(e)"),
        ("UNNEST with a filter", "SELECT id, e FROM t CROSS JOIN UNNEST(a) AS u(e) WHERE e > 1"),
        ("LEFT JOIN UNNEST ON a condition", "SELECT id, e FROM t LEFT JOIN UNNEST(a) AS u(e) ON e > 1"),
        ("RIGHT JOIN UNNEST", "SELECT id, e FROM t RIGHT JOIN UNNEST(a) AS u(e) ON TRUE"),
        ("UNNEST of an expression", "SELECT id, e FROM t CROSS JOIN UNNEST(ARRAY[id, id * 10]) AS u(e)"),
        ("UNNEST of a constant", "SELECT e FROM UNNEST(ARRAY[1, 2, 3]) AS u(e)"),
        ("UNNEST of a constant WITH ORDINALITY", "SELECT e, n FROM UNNEST(ARRAY['x', 'y']) WITH ORDINALITY AS u(e, n)"),
        ("two UNNESTs", "SELECT id, e, k FROM t CROSS JOIN UNNEST(a) AS u(e) CROSS JOIN UNNEST(m) AS w(k, v)"),
        ("UNNEST in a subquery", "SELECT id, (SELECT MAX(e) FROM UNNEST(a) AS u(e)) AS x FROM t"),
        ("UNNEST of a number", "SELECT id, e FROM t CROSS JOIN UNNEST(id) AS u(e)"),
        ("UNNEST of COLLECT", "SELECT k, e FROM (SELECT s AS k, COLLECT(id) AS c FROM t GROUP BY s) CROSS JOIN UNNEST(c) AS u(e)"),
        ("aggregate of UNNEST", "SELECT e, COUNT(*) AS c FROM t CROSS JOIN UNNEST(a) AS u(e) GROUP BY e"),
        ("UNNEST of SPLIT", "SELECT id, e FROM t CROSS JOIN UNNEST(SPLIT(s, ',')) AS u(e)"),
        ("too many names", "SELECT id, e FROM t CROSS JOIN UNNEST(a) AS u(e, f)"),
        ("LATERAL subquery", "SELECT id, x FROM t, LATERAL (SELECT t.id * 2 AS x)"),
        ("docs: LATERAL Top-N", "SELECT k, n FROM (SELECT DISTINCT s AS k FROM t), LATERAL (SELECT id AS n FROM t WHERE s = k ORDER BY id DESC LIMIT 1)"),
        ("LATERAL TABLE of an unknown function", "SELECT id, x FROM t, LATERAL TABLE(nope(id)) AS u(x)"),
        ("LATERAL TABLE of a scalar function", "SELECT id, x FROM t, LATERAL TABLE(ABS(id)) AS u(x)"),
        ("LATERAL TABLE(UNNEST)", "SELECT id, e FROM t, LATERAL TABLE(UNNEST(a)) AS u(e)"),
    ):
        out.append(ask(name, ARRAYS, query))
    out.append(ask("UNNEST of changes", table("c", "id INT, a ARRAY<INT>", "+ 1 [1,2]\n~ 1 [1,2] > 1 [2,3]\n- 1 [2,3]\n+ 2 [4]", pk="id", changing=True), "SELECT id, e FROM c CROSS JOIN UNNEST(a) AS u(e)"))
    out.append(ask("LEFT JOIN UNNEST of changes", table("c", "id INT, a ARRAY<INT>", "+ 1 []\n~ 1 [] > 1 [2,3]\n- 1 [2,3]\n+ 2 [4]", pk="id", changing=True), "SELECT id, e FROM c LEFT JOIN UNNEST(a) AS u(e) ON TRUE"))
    return out


SIDE = ("CREATE TABLE side (k INT, name STRING) WITH ('connector.type'='filesystem','connector.path'='${DIR}/side.csv','format.type'='csv')", "side.csv", "1,one\n2,two\n2,zwei\n3,\n,null\n")
BIDS = table("bids", "id INT, k INT", "1 1\n2 2\n3 3\n4 9\n5 -\n6 1")
PT = ["CREATE TEMPORARY VIEW b AS SELECT *, PROCTIME() AS pt FROM bids"]


def lookups():
    """The only connector of Flink's own jars that can be looked up is the CSV file with options of old (Nexmark q13)."""
    out = []
    for name, query in (
        ("docs: lookup join", "SELECT b.id, s.name FROM b JOIN side FOR SYSTEM_TIME AS OF b.pt AS s ON b.k = s.k"),
        ("LEFT lookup join", "SELECT b.id, s.name FROM b LEFT JOIN side FOR SYSTEM_TIME AS OF b.pt AS s ON b.k = s.k"),
        ("lookup join with an expression", "SELECT b.id, s.name FROM b JOIN side FOR SYSTEM_TIME AS OF b.pt AS s ON MOD(b.id, 3) = s.k"),
        ("lookup join with a residual condition", "SELECT b.id, s.name FROM b JOIN side FOR SYSTEM_TIME AS OF b.pt AS s ON b.k = s.k AND s.name <> 'two'"),
        ("LEFT lookup join with a residual condition", "SELECT b.id, s.name FROM b LEFT JOIN side FOR SYSTEM_TIME AS OF b.pt AS s ON b.k = s.k AND s.name <> 'two' AND b.id < 6"),
        ("LEFT lookup join, condition of both sides", "SELECT b.id, s.name FROM b LEFT JOIN side FOR SYSTEM_TIME AS OF b.pt AS s ON b.k = s.k AND CHAR_LENGTH(s.name) > b.id"),
        ("lookup join with a constant", "SELECT b.id, s.name FROM b JOIN side FOR SYSTEM_TIME AS OF b.pt AS s ON s.k = 2"),
        ("lookup join by two columns", "SELECT b.id, s.name FROM b JOIN side FOR SYSTEM_TIME AS OF b.pt AS s ON b.k = s.k AND s.name = 'zwei'"),
        ("lookup join, WHERE on the side table", "SELECT b.id, s.name FROM b LEFT JOIN side FOR SYSTEM_TIME AS OF b.pt AS s ON b.k = s.k WHERE s.name IS NULL"),
        ("lookup join without equality", "SELECT b.id, s.name FROM b JOIN side FOR SYSTEM_TIME AS OF b.pt AS s ON b.k > s.k"),
        ("RIGHT lookup join", "SELECT b.id, s.name FROM b RIGHT JOIN side FOR SYSTEM_TIME AS OF b.pt AS s ON b.k = s.k"),
        ("FULL lookup join", "SELECT b.id, s.name FROM b FULL JOIN side FOR SYSTEM_TIME AS OF b.pt AS s ON b.k = s.k"),
        ("lookup join AS OF PROCTIME()", "SELECT b.id, s.name FROM bids AS b JOIN side FOR SYSTEM_TIME AS OF PROCTIME() AS s ON b.k = s.k"),
        ("lookup join AS OF a constant", "SELECT b.id, s.name FROM b JOIN side FOR SYSTEM_TIME AS OF TIMESTAMP '2024-01-01 00:00:00' AS s ON b.k = s.k"),
        ("lookup join AS OF a plain column", "SELECT b.id, s.name FROM b JOIN side FOR SYSTEM_TIME AS OF b.id AS s ON b.k = s.k"),
        ("lookup join of other types", "SELECT b.id, s.name FROM (SELECT CAST(k AS BIGINT) AS k, id, pt FROM b) AS b JOIN side FOR SYSTEM_TIME AS OF b.pt AS s ON b.k = s.k"),
        ("lookup join of a text with a number", "SELECT b.id, s.name FROM (SELECT CAST(k AS STRING) AS k, id, pt FROM b) AS b JOIN side FOR SYSTEM_TIME AS OF b.pt AS s ON b.k = s.k"),
        ("two lookup joins", "SELECT b.id, s.name, r.name FROM b JOIN side FOR SYSTEM_TIME AS OF b.pt AS s ON b.k = s.k LEFT JOIN side FOR SYSTEM_TIME AS OF b.pt AS r ON b.id = r.k"),
        ("hint LOOKUP", "SELECT /*+ LOOKUP('table'='s', 'async'='false') */ b.id, s.name FROM b JOIN side FOR SYSTEM_TIME AS OF b.pt AS s ON b.k = s.k"),
        ("hint LOOKUP with retry", "SELECT /*+ LOOKUP('table'='s', 'retry-predicate'='lookup_miss', 'retry-strategy'='fixed_delay', 'fixed-delay'='1ms', 'max-attempts'='2') */ b.id, s.name FROM b LEFT JOIN side FOR SYSTEM_TIME AS OF b.pt AS s ON b.k = s.k"),
        ("hint LOOKUP without table", "SELECT /*+ LOOKUP('async'='false') */ b.id, s.name FROM b JOIN side FOR SYSTEM_TIME AS OF b.pt AS s ON b.k = s.k"),
        ("hint LOOKUP with half a retry", "SELECT /*+ LOOKUP('table'='s', 'retry-predicate'='lookup_miss') */ b.id, s.name FROM b JOIN side FOR SYSTEM_TIME AS OF b.pt AS s ON b.k = s.k"),
        ("hint LOOKUP, unknown option", "SELECT /*+ LOOKUP('table'='s', 'nope'='1') */ b.id, s.name FROM b JOIN side FOR SYSTEM_TIME AS OF b.pt AS s ON b.k = s.k"),
        ("hint LOOKUP, async output", "SELECT /*+ LOOKUP('table'='s', 'async'='true', 'output-mode'='allow_unordered') */ b.id, s.name FROM b JOIN side FOR SYSTEM_TIME AS OF b.pt AS s ON b.k = s.k"),
        ("no FOR SYSTEM_TIME", "SELECT b.id, s.name FROM b JOIN side AS s ON b.k = s.k"),
    ):
        out.append(ask(name, [BIDS, SIDE], query, more=PT))
    changes = table("bids", "id INT, k INT", "+ 1 1\n+ 2 2\n~ 1 1 > 1 3\n- 2 2", pk="id", changing=True)
    out.append(ask("lookup join of changes", [changes, SIDE], "SELECT b.id, s.name FROM b LEFT JOIN side FOR SYSTEM_TIME AS OF b.pt AS s ON b.k = s.k", more=PT))
    out.append(ask("lookup join of changes, materialised", [changes, SIDE], "SELECT b.id, s.name FROM b LEFT JOIN side FOR SYSTEM_TIME AS OF b.pt AS s ON b.k = s.k", more=PT, settings={"table.optimizer.non-deterministic-update.strategy": "TRY_RESOLVE"}))
    out.append(ask("lookup in a table that cannot be looked up", [BIDS, table("side", "k INT, name STRING", "1 one")], "SELECT b.id, s.name FROM b JOIN side FOR SYSTEM_TIME AS OF b.pt AS s ON b.k = s.k", more=PT))
    return out
