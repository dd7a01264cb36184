# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about set operations, subqueries, VALUES, WITH, ORDER BY and LIMIT."""
from cases_updating import ask, table

T1 = table("t1", "s STRING, v INT", "c 1\na 2\nb 3\nb 3\n- 4\n- 4\nd 5\n")
T2 = table("t2", "s STRING, v INT", "d 5\ne 6\na 2\na 9\nb 3\n- 4\n")
C1 = table("c1", "id INT, s STRING", "+ 1 a\n+ 2 b\n+ 3 b\n- 2 b\n~ 1 a > 1 c\n+ 4 -\n- 3 b", pk="id", changing=True)
C2 = table("c2", "id INT, s STRING", "+ 1 b\n+ 2 c\n- 1 b\n+ 3 -\n+ 4 d", pk="id", changing=True)
NONULL = table("t3", "s STRING, v INT", "d 5\nb 3\n")
EMPTY = table("e", "s STRING, v INT", "")
ROWS = table("t", "id INT, k STRING, v INT, ts TIMESTAMP(3)", "1 a 5 1\n2 b - 4\n3 a 7 3\n4 c 1 12\n5 b 5 5\n6 a 2 11\n7 c 9 30\n8 - 4 20", ts="ts", delay=60)
STRICT = table("t", "id INT, k STRING, v INT, ts TIMESTAMP(3)", "1 a 5 1\n2 b - 4\n3 a 7 3\n4 c 1 12\n5 b 5 2\n6 a 2 11\n7 c 9 30\n8 - 4 20", ts="ts", delay=2)


def sets():
    out = []

    def two(name, query, tables=(T1, T2), **marks):
        out.append(ask(name, list(tables), query, interleaved=True, **marks))

    for op in ("UNION", "UNION ALL", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL"):
        two("docs: " + op, "(SELECT s FROM t1) %s (SELECT s FROM t2)" % op)
        two("%s of two columns" % op, "SELECT s, v FROM t1 %s SELECT s, v FROM t2" % op)
        two("%s of changes" % op, "SELECT s FROM c1 %s SELECT s FROM c2" % op, (C1, C2))
        two("%s with an empty table" % op, "SELECT s FROM t1 %s SELECT s FROM e" % op, (T1, EMPTY))
        two("%s with constants" % op, "SELECT v FROM t1 %s SELECT 4" % op, (T1,))
    two("MINUS", "SELECT s FROM t1 MINUS SELECT s FROM t2")
    two("UNION of three", "SELECT s FROM t1 UNION SELECT s FROM t2 UNION ALL SELECT 'a'")
    two("INTERSECT binds closer than UNION", "SELECT s FROM t1 UNION SELECT s FROM t2 INTERSECT SELECT 'zz'")
    two("UNION ALL: names are those of the first", "SELECT s AS x, v FROM t1 UNION ALL SELECT s AS y, v AS w FROM t2")
    two("UNION ALL: types", "SELECT v, CAST(1 AS TINYINT) AS a, 'ab' AS b FROM t1 UNION ALL SELECT CAST(v AS BIGINT), 1.5, 'abc' FROM t2")
    two("UNION ALL: number and text", "SELECT v FROM t1 UNION ALL SELECT s FROM t2")
    two("UNION ALL: other number of columns", "SELECT v FROM t1 UNION ALL SELECT s, v FROM t2")
    two("UNION ALL: NOT NULL", "SELECT 1 AS x UNION ALL SELECT v FROM t2", (T2,))
    two("aggregate of UNION ALL", "SELECT s, COUNT(*) AS c FROM (SELECT s FROM t1 UNION ALL SELECT s FROM t2) GROUP BY s")
    two("UNION ALL with itself", "SELECT s FROM t1 UNION ALL SELECT s FROM t1", (T1,))
    # IN and EXISTS.
    for op in ("IN", "NOT IN"):
        two("docs: %s a subquery" % op, "SELECT s, v FROM t1 WHERE s %s (SELECT s FROM t2)" % op, note="t2 holds a null")
        two("%s a subquery without nulls" % op, "SELECT s, v FROM t1 WHERE s %s (SELECT s FROM t3)" % op, (T1, NONULL))
        two("%s an empty subquery" % op, "SELECT s, v FROM t1 WHERE s %s (SELECT s FROM e)" % op, (T1, EMPTY))
        two("%s a correlated subquery" % op, "SELECT s, v FROM t1 WHERE s %s (SELECT s FROM t2 WHERE t2.v = t1.v)" % op)
        two("%s of two columns" % op, "SELECT s, v FROM t1 WHERE (s, v) %s (SELECT s, v FROM t2)" % op)
        two("%s a subquery of changes" % op, "SELECT s FROM c1 WHERE s %s (SELECT s FROM c2)" % op, (C1, C2))
        two("%s a subquery with an aggregate" % op, "SELECT s, v FROM t1 WHERE v %s (SELECT MAX(v) FROM t2 GROUP BY s)" % op)
        two("%s a list" % op, "SELECT s, v FROM t1 WHERE s %s ('a', 'b')" % op, (T1,))
        two("%s a list with null" % op, "SELECT s, v FROM t1 WHERE s %s ('a', CAST(NULL AS STRING))" % op, (T1,))
        two("%s a long list" % op, "SELECT s, v FROM t1 WHERE v %s (%s)" % (op, ", ".join(str(i) for i in range(2, 32))), (T1,))
        two("%s a subquery or a condition" % op, "SELECT s, v FROM t1 WHERE v = 1 OR s %s (SELECT s FROM t2)" % op)
        two("%s a subquery as a column" % op, "SELECT s, s %s (SELECT s FROM t2) AS x FROM t1" % op)
    two("docs: EXISTS", "SELECT s, v FROM t1 WHERE EXISTS (SELECT s FROM t2 WHERE t2.s = t1.s)")
    two("EXISTS that is not correlated", "SELECT s, v FROM t1 WHERE EXISTS (SELECT * FROM t2 WHERE v > 100)")
    two("NOT EXISTS that is not correlated", "SELECT s, v FROM t1 WHERE NOT EXISTS (SELECT * FROM t2 WHERE v > 100)")
    two("EXISTS with inequality", "SELECT s, v FROM t1 WHERE EXISTS (SELECT * FROM t2 WHERE t2.v > t1.v + 4)")
    two("EXISTS of an aggregate", "SELECT s, v FROM t1 WHERE EXISTS (SELECT COUNT(*) FROM t2 WHERE t2.s = t1.s)")
    two("EXISTS and NOT EXISTS", "SELECT s, v FROM t1 WHERE EXISTS (SELECT * FROM t2 WHERE t2.s = t1.s) AND NOT EXISTS (SELECT * FROM t3 WHERE t3.s = t1.s)", (T1, T2, NONULL))
    for q in ("v > ALL (SELECT v FROM t3)", "v = ANY (SELECT v FROM t3)", "v < SOME (SELECT v FROM t3)"):
        two("quantified: " + q, "SELECT s, v FROM t1 WHERE " + q, (T1, NONULL))
    # Scalar subqueries.
    two("scalar subquery in SELECT", "SELECT s, v, (SELECT MAX(v) FROM t2) AS m FROM t1", note="the maximum changes while rows come")
    two("scalar subquery in WHERE", "SELECT s, v FROM t1 WHERE v > (SELECT AVG(v) FROM t2)")
    two("scalar subquery in HAVING", "SELECT s, SUM(v) AS x FROM t1 GROUP BY s HAVING SUM(v) > (SELECT MIN(v) FROM t2)")
    two("correlated scalar subquery with an aggregate", "SELECT s, v, (SELECT SUM(v) FROM t2 WHERE t2.s = t1.s) AS x FROM t1")
    two("correlated COUNT", "SELECT s, v, (SELECT COUNT(*) FROM t2 WHERE t2.s = t1.s) AS x FROM t1", note="0 and not null where nothing matches")
    two("correlated scalar subquery in WHERE", "SELECT s, v FROM t1 WHERE v = (SELECT MAX(v) FROM t2 WHERE t2.s = t1.s)")
    two("scalar subquery of several rows", "SELECT s, (SELECT v FROM t2) AS x FROM t1")
    two("scalar subquery of no row", "SELECT s, (SELECT v FROM t2 WHERE v > 100) AS x FROM t1")
    two("scalar subquery of two columns", "SELECT s, (SELECT s, v FROM t2) AS x FROM t1")
    two("correlated without an aggregate", "SELECT s, (SELECT v FROM t2 WHERE t2.s = t1.s) AS x FROM t1")
    two("correlated by inequality", "SELECT s, v, (SELECT COUNT(*) FROM t2 WHERE t2.v < t1.v) AS x FROM t1")
    two("correlated COUNT and more", "SELECT s, v, (SELECT COUNT(*) + 1 FROM t2 WHERE t2.s = t1.s) AS x FROM t1", note="1 where nothing matches")
    two("correlated COUNT and more by inequality", "SELECT s, v, (SELECT COUNT(*) * 10 + 1 FROM t2 WHERE t2.v > t1.v) AS x FROM t1")
    two("correlated by inequality in WHERE", "SELECT s, v FROM t1 WHERE v > (SELECT AVG(v) FROM t2 WHERE t2.v < t1.v + 2)")
    two("correlated by a column of the result", "SELECT s, v, (SELECT MAX(t1.v + t2.v) FROM t2) AS x FROM t1")
    two("correlated in a grouped query", "SELECT s, COUNT(*) AS n, (SELECT MAX(t2.v) FROM t2 WHERE t2.s = t1.s) AS x FROM t1 GROUP BY s")
    two("correlated in a grouped query by what is not grouped", "SELECT s, COUNT(*) AS n, (SELECT MAX(t2.s) FROM t2 WHERE t2.v = t1.v) AS x FROM t1 GROUP BY s")
    two("correlated over a join", "SELECT s, v, (SELECT COUNT(*) FROM t2 JOIN t1 AS o ON t2.s = o.s WHERE t2.v <= t1.v) AS x FROM t1")
    two("correlated over a union", "SELECT s, v, (SELECT SUM(v) FROM (SELECT v FROM t2 WHERE t2.v < t1.v UNION ALL SELECT v FROM t2 WHERE t2.s = t1.s) AS u) AS x FROM t1")
    two("correlated = ANY", "SELECT s, v FROM t1 WHERE v = ANY (SELECT v FROM t2 WHERE t2.s = t1.s)")
    two("correlated > ALL", "SELECT s, v FROM t1 WHERE v > ALL (SELECT v FROM t2 WHERE t2.s = t1.s)")
    two("correlated EXISTS as a value", "SELECT s, v, EXISTS (SELECT * FROM t2 WHERE t2.s = t1.s) AS x FROM t1")
    two("correlated IN by inequality", "SELECT s, v FROM t1 WHERE s IN (SELECT s FROM t2 WHERE t2.v < t1.v)")
    two("EXISTS of an aggregate by inequality", "SELECT s, v FROM t1 WHERE EXISTS (SELECT s FROM t2 WHERE t2.v < t1.v GROUP BY s HAVING COUNT(*) > 1)")
    two("LATERAL by inequality", "SELECT s, v, x FROM t1 CROSS JOIN LATERAL (SELECT MAX(v) AS x FROM t2 WHERE t2.v < t1.v)")
    two("LATERAL Top-N by inequality", "SELECT t1.s, t1.v, u.v AS x FROM t1, LATERAL (SELECT v FROM t2 WHERE t2.v < t1.v ORDER BY v DESC LIMIT 1) AS u")
    two("a row in GROUP BY's subquery", "SELECT s, v FROM t1 WHERE (s, v) IN (SELECT s, MAX(v) FROM t2 GROUP BY s)")
    return out


def queries():
    out = []
    # VALUES.
    for i, q in enumerate(("VALUES (1, 'a'), (2, 'bcd')", "SELECT * FROM (VALUES (1, 'a'), (2, 'bcd')) AS t(x, y)", "SELECT * FROM (VALUES 1, 2, 3)", "VALUES 1, 2.5", "SELECT x + 1 FROM (VALUES 1, NULL) AS t(x)", "VALUES (1), (2, 3)", "VALUES (1, CAST(NULL AS STRING))",
                           "SELECT k, COUNT(*) AS c FROM (VALUES ('a'), ('b'), ('a')) AS t(k) GROUP BY k", "VALUES ROW(1, 2)", "VALUES (TIMESTAMP '2024-01-01 00:00:00', DATE '2024-01-01', TRUE, 1E0)", "VALUES 'a', 'bc' UNION ALL VALUES 'd'", "SELECT 1 WHERE FALSE", "SELECT * FROM (VALUES (1)) AS t(x) WHERE x > 5", "VALUES (1, 'a') LIMIT 1")):
        out.append(ask("VALUES %d" % i, [], q))
    # WITH.
    w = "WITH x AS (SELECT k, SUM(v) AS s FROM t GROUP BY k) "
    out.append(ask("docs: WITH", ROWS, w + "SELECT * FROM x WHERE s > 5"))
    out.append(ask("WITH used twice", ROWS, w + "SELECT a.k, a.s, b.s FROM x AS a JOIN x AS b ON a.k = b.k", interleaved=True))
    out.append(ask("WITH, names of columns", ROWS, "WITH x(a, b) AS (SELECT k, SUM(v) FROM t GROUP BY k) SELECT b, a FROM x"))
    out.append(ask("WITH upon WITH", ROWS, "WITH x AS (SELECT k, v FROM t WHERE v > 1), y AS (SELECT k, COUNT(*) AS c FROM x GROUP BY k) SELECT * FROM y"))
    out.append(ask("WITH hides a table", ROWS, "WITH t AS (SELECT 1 AS id) SELECT * FROM t"))
    out.append(ask("WITH RECURSIVE", ROWS, "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r"))
    out.append(ask("WITH in a subquery", ROWS, "SELECT * FROM (WITH x AS (SELECT MAX(v) AS m FROM t) SELECT m FROM x)"))
    out.append(ask("WITH before INSERT", ROWS, "WITH x AS (SELECT 1 AS a) INSERT INTO p SELECT a FROM x", more=["CREATE TABLE p (a INT) WITH ('connector'='print')"], plan=False))
    out.append(ask("WITH after INSERT INTO", ROWS, "INSERT INTO p WITH x AS (SELECT 1 AS a) SELECT a FROM x", more=["CREATE TABLE p (a INT) WITH ('connector'='print')"], plan=False))
    # ORDER BY and LIMIT.
    for name, tail in (("docs: ORDER BY event time", "ORDER BY ts"), ("ORDER BY event time and a column", "ORDER BY ts, id DESC"), ("ORDER BY event time descending", "ORDER BY ts DESC"), ("ORDER BY a column", "ORDER BY v"), ("ORDER BY two columns", "ORDER BY k, v"), ("docs: LIMIT", "LIMIT 3"),
                       ("docs: ORDER BY LIMIT", "ORDER BY v DESC LIMIT 3"), ("ORDER BY event time LIMIT", "ORDER BY ts LIMIT 3"), ("ORDER BY LIMIT, ascending", "ORDER BY v LIMIT 2"), ("ORDER BY NULLS LAST LIMIT", "ORDER BY v NULLS LAST LIMIT 2"), ("ORDER BY LIMIT OFFSET", "ORDER BY v DESC LIMIT 2 OFFSET 1"),
                       ("OFFSET", "OFFSET 2"), ("LIMIT OFFSET", "LIMIT 2 OFFSET 2"), ("FETCH FIRST", "ORDER BY v DESC FETCH FIRST 2 ROWS ONLY"), ("OFFSET FETCH", "ORDER BY v DESC OFFSET 1 ROW FETCH NEXT 2 ROWS ONLY"), ("LIMIT 0", "LIMIT 0"), ("LIMIT ALL", "LIMIT ALL"), ("ORDER BY a position", "ORDER BY 3 DESC LIMIT 2"), ("ORDER BY an expression", "ORDER BY v * -1 LIMIT 2"),
                       ("ORDER BY with ties", "ORDER BY k LIMIT 3"), ("LIMIT with a start", "LIMIT 1, 2"), ("ORDER BY OFFSET without LIMIT", "ORDER BY v OFFSET 2")):
        out.append(ask(name, ROWS, "SELECT id, k, v, ts FROM t " + tail))
    out.append(ask("ORDER BY event time, late rows", STRICT, "SELECT id, ts FROM t ORDER BY ts", note="a row at or before the last time that was emitted is dropped"))
    out.append(ask("ORDER BY an alias", ROWS, "SELECT id, v * 2 AS w FROM t ORDER BY w DESC LIMIT 2"))
    out.append(ask("ORDER BY a column that is not selected", ROWS, "SELECT id FROM t ORDER BY v DESC LIMIT 2"))
    out.append(ask("ORDER BY an aggregate", ROWS, "SELECT k, SUM(v) AS s FROM t GROUP BY k ORDER BY SUM(v) DESC LIMIT 2"))
    out.append(ask("ORDER BY an aggregate without LIMIT", ROWS, "SELECT k, SUM(v) AS s FROM t GROUP BY k ORDER BY s"))
    out.append(ask("LIMIT of an aggregate", ROWS, "SELECT k, SUM(v) AS s FROM t GROUP BY k LIMIT 2"))
    out.append(ask("LIMIT in a subquery", ROWS, "SELECT COUNT(*) AS c FROM (SELECT * FROM t LIMIT 3)"))
    out.append(ask("ORDER BY LIMIT in a subquery", ROWS, "SELECT SUM(v) AS s FROM (SELECT * FROM t ORDER BY v DESC LIMIT 2)"))
    out.append(ask("ORDER BY in a subquery", ROWS, "SELECT COUNT(*) AS c FROM (SELECT * FROM t ORDER BY v)"))
    out.append(ask("LIMIT of changes", C1, "SELECT * FROM c1 LIMIT 2"))
    out.append(ask("ORDER BY LIMIT of changes", C1, "SELECT * FROM c1 ORDER BY s LIMIT 2"))
    out.append(ask("ORDER BY processing time", ROWS, "SELECT id FROM (SELECT id, PROCTIME() AS p FROM t) ORDER BY p"))
    out.append(ask("LIMIT a negative number", ROWS, "SELECT id FROM t LIMIT -1"))
    out.append(ask("TABLE t", ROWS, "TABLE t"))
    out.append(ask("SELECT ALL", ROWS, "SELECT ALL k FROM t"))
    out.append(ask("DISTINCT ORDER BY LIMIT", ROWS, "SELECT DISTINCT k FROM t ORDER BY k LIMIT 2"))
    out.append(ask("UNION ALL ORDER BY LIMIT", ROWS, "SELECT id FROM t UNION ALL SELECT v FROM t ORDER BY id DESC LIMIT 2", interleaved=True))
    out.append(ask("two LIMITs", ROWS, "(SELECT id FROM t ORDER BY id LIMIT 2) UNION ALL (SELECT id FROM t ORDER BY id DESC LIMIT 1)", interleaved=True))
    return out
