# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about OVER."""
from cases_updating import ask, table

DATA = """
1 a 1 1
2 b 2 4
3 a 3 3
4 a 4 12
5 a 5 5
6 b - 11
7 a 7 25
8 b 8 19
9 - 9 26
10 a - 21
11 b 11 41
12 a 12 25
13 - 13 38
"""
T = table("t", "id INT, k STRING, v INT, ts TIMESTAMP(3)", DATA, ts="ts", delay=1)
LATE_OK = table("t", "id INT, k STRING, v INT, ts TIMESTAMP(3)", DATA, ts="ts", delay=60)
TIES = table("t", "id INT, k STRING, v INT, ts TIMESTAMP(3)", "1 a 1 1\n2 a 2 1\n3 a 3 1\n4 a 4 2\n5 a 5 2\n6 a 6 9", ts="ts", delay=60)
CH = table("ch", "id INT, k STRING, v INT", "+ 1 a 1\n+ 2 a 2\n~ 1 a 1 > 1 a 5\n- 2 a 2", pk="id", changing=True)
P = "PARTITION BY k ORDER BY "


def q(window, functions="SUM(v) OVER w AS s, COUNT(*) OVER w AS c"):
    return "SELECT id, k, v, %s FROM t WINDOW w AS (%s)" % (functions, window)


def over():
    out = []
    out.append(ask("docs: RANGE of an interval", T, "SELECT id, k, v, SUM(v) OVER (PARTITION BY k ORDER BY ts RANGE BETWEEN INTERVAL '10' SECOND PRECEDING AND CURRENT ROW) AS s FROM t"))
    out.append(ask("docs: WINDOW clause", T, "SELECT id, ts, v, SUM(v) OVER w AS s, AVG(v) OVER w AS a FROM t WINDOW w AS (PARTITION BY k ORDER BY ts RANGE BETWEEN INTERVAL '10' SECOND PRECEDING AND CURRENT ROW)"))
    for delay, t in (("late rows", T), ("no late rows", LATE_OK)):
        for frame in ("ROWS BETWEEN 1 PRECEDING AND CURRENT ROW", "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", "RANGE BETWEEN INTERVAL '10' SECOND PRECEDING AND CURRENT ROW", "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"):
            out.append(ask("%s, %s" % (frame, delay), t, q(P + "ts " + frame)))
    for frame in ("ROWS BETWEEN 1 PRECEDING AND CURRENT ROW", "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", "RANGE BETWEEN INTERVAL '1' SECOND PRECEDING AND CURRENT ROW", "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"):
        out.append(ask("%s, equal times" % frame, TIES, q(P + "ts " + frame), note="ROWS tells rows of equal time apart, RANGE does not"))
        out.append(ask("%s, no partition" % frame, LATE_OK, q("ORDER BY ts " + frame)))
    out.append(ask("no frame", LATE_OK, q(P + "ts"), note="RANGE UNBOUNDED PRECEDING"))
    out.append(ask("short frame", LATE_OK, q(P + "ts ROWS 2 PRECEDING")))
    out.append(ask("short frame, RANGE", LATE_OK, q(P + "ts RANGE INTERVAL '10' SECOND PRECEDING")))
    out.append(ask("zero rows", LATE_OK, q(P + "ts ROWS BETWEEN 0 PRECEDING AND CURRENT ROW")))
    out.append(ask("CURRENT ROW only", LATE_OK, q(P + "ts ROWS BETWEEN CURRENT ROW AND CURRENT ROW")))
    for frame in ("ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING", "ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING", "ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING", "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING", "RANGE BETWEEN INTERVAL '5' SECOND PRECEDING AND INTERVAL '1' SECOND FOLLOWING", "RANGE BETWEEN 1 PRECEDING AND CURRENT ROW"):
        out.append(ask("frame %s" % frame, LATE_OK, q(P + "ts " + frame)))
    for order in ("ts DESC", "v", "id", "ts, id", "id, ts", "v DESC"):
        for frame in ("ROWS BETWEEN 1 PRECEDING AND CURRENT ROW", "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"):
            out.append(ask("ORDER BY %s %s" % (order, frame), LATE_OK, q(P + order + " " + frame)))
    out.append(ask("no ORDER BY", LATE_OK, q("PARTITION BY k")))
    out.append(ask("nothing in OVER", LATE_OK, "SELECT id, SUM(v) OVER () AS s FROM t"))
    out.append(ask("two equal windows", LATE_OK, "SELECT id, SUM(v) OVER (PARTITION BY k ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS a, MAX(v) OVER (PARTITION BY k ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS b FROM t"))
    out.append(ask("two frames", LATE_OK, "SELECT id, SUM(v) OVER (PARTITION BY k ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS a, SUM(v) OVER (PARTITION BY k ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS b FROM t"))
    out.append(ask("two partitions", LATE_OK, "SELECT id, SUM(v) OVER (PARTITION BY k ORDER BY ts) AS a, SUM(v) OVER (ORDER BY ts) AS b FROM t"))
    out.append(ask("two orders", LATE_OK, "SELECT id, SUM(v) OVER (PARTITION BY k ORDER BY ts) AS a, SUM(v) OVER (PARTITION BY k ORDER BY id) AS b FROM t"))
    out.append(ask("OVER of OVER", LATE_OK, "SELECT id, s, MAX(s) OVER (PARTITION BY k ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS m FROM (SELECT id, k, ts, SUM(v) OVER (PARTITION BY k ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM t)"))
    for f in ("COUNT(v)", "AVG(v)", "MIN(v)", "MAX(v)", "COUNT(DISTINCT v)", "FIRST_VALUE(v)", "LAST_VALUE(v)", "LISTAGG(CAST(v AS STRING))", "STDDEV_POP(v)", "COLLECT(v)", "ARRAY_AGG(v)", "SUM(v) FILTER (WHERE v > 3)", "PERCENTILE(v, 0.5)", "JSON_ARRAYAGG(v)"):
        name = f.replace(" FILTER", " OVER w FILTER") if "FILTER" in f else f
        call = "SUM(v) FILTER (WHERE v > 3) OVER w AS x" if "FILTER" in f else f + " OVER w AS x"
        out.append(ask("%s over rows" % name, LATE_OK, q(P + "ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW", call)))
    for f in ("LAG(v)", "LAG(v, 2)", "LAG(v, 2, -1)", "LEAD(v)", "LEAD(v, 1, -1)", "ROW_NUMBER()", "RANK()", "DENSE_RANK()", "PERCENT_RANK()", "CUME_DIST()", "NTILE(2)", "FIRST_VALUE(v)", "LAST_VALUE(v)", "NTH_VALUE(v, 2)", "FIRST_VALUE(v) IGNORE NULLS", "LAG(v) IGNORE NULLS"):
        wrong = {"RANK()": "peers get the number of the last of them", "DENSE_RANK()": "counts rows, not distinct values"}
        out.append(ask("%s in order of time" % f, LATE_OK, bug=wrong.get(f), query="SELECT id, k, v, %s OVER (PARTITION BY k ORDER BY ts) AS x FROM t" % f))
    for f in ("LAG(v)", "ROW_NUMBER()", "RANK()"):
        out.append(ask("%s in order of another column" % f, LATE_OK, "SELECT id, k, v, %s OVER (PARTITION BY k ORDER BY id) AS x FROM t" % f))
    out.append(ask("LAG with a frame", LATE_OK, "SELECT id, LAG(v) OVER (PARTITION BY k ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS x FROM t"))
    # Processing time: rows of one file come in order.
    pt = ["CREATE TEMPORARY VIEW p AS SELECT *, PROCTIME() AS pt FROM t"]
    for frame in ("ROWS BETWEEN 1 PRECEDING AND CURRENT ROW", "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"):
        out.append(ask("processing time, " + frame, LATE_OK, (q(P + "pt " + frame)).replace("FROM t", "FROM p"), more=pt))
    out.append(ask("processing time, ROW_NUMBER", LATE_OK, "SELECT id, k, ROW_NUMBER() OVER (PARTITION BY k ORDER BY pt) AS x FROM p", more=pt))
    out.append(ask("processing time, LAG", LATE_OK, "SELECT id, k, LAG(v) OVER (PARTITION BY k ORDER BY pt) AS x FROM p", more=pt))
    # Over changes.
    out.append(ask("changes, ordered by processing time", CH, "SELECT id, SUM(v) OVER (PARTITION BY k ORDER BY PROCTIME()) AS s FROM ch"))
    out.append(ask("changes, ordered by a column, unbounded", CH, "SELECT id, v, SUM(v) OVER (PARTITION BY k ORDER BY id) AS s FROM ch"))
    out.append(ask("changes, ordered by a column, bounded", CH, "SELECT id, v, SUM(v) OVER (PARTITION BY k ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM ch"))
    out.append(ask("an aggregate in order of a column", LATE_OK, "SELECT k, c, SUM(c) OVER (ORDER BY k) AS s FROM (SELECT k, COUNT(*) AS c FROM t GROUP BY k)"))
    out.append(ask("keeps the time attribute", LATE_OK, "SELECT window_start, SUM(s) AS x FROM TABLE(TUMBLE(TABLE o, DESCRIPTOR(ts), INTERVAL '20' SECOND)) GROUP BY window_start, window_end", more=["CREATE TEMPORARY VIEW o AS SELECT ts, SUM(v) OVER (PARTITION BY k ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM t"]))
    out.append(ask("OVER after a filter", LATE_OK, "SELECT id, SUM(v) OVER (PARTITION BY k ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM t WHERE v > 3"))
    out.append(ask("OVER of an expression", LATE_OK, "SELECT id, SUM(v * 2 + 1) OVER (PARTITION BY UPPER(k) ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) * 10 AS s FROM t"))
    out.append(ask("OVER in WHERE", LATE_OK, "SELECT id FROM t WHERE SUM(v) OVER (ORDER BY ts) > 5"))
    out.append(ask("OVER with GROUP BY", LATE_OK, "SELECT k, SUM(COUNT(*)) OVER (ORDER BY k) AS s FROM t GROUP BY k"))
    out.append(ask("DISTINCT in OVER, two", LATE_OK, q(P + "ts RANGE BETWEEN INTERVAL '20' SECOND PRECEDING AND CURRENT ROW", "COUNT(DISTINCT v) OVER w AS a, SUM(DISTINCT v) OVER w AS b, COUNT(v) OVER w AS c")))
    return out
