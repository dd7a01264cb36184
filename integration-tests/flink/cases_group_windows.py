# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about group windows (TUMBLE, HOP and SESSION in GROUP BY), early and late firing."""
from cases_updating import ask, table

DATA = """
1 a 1 1
2 b 2 4
3 a 3 3
4 a 4 12
5 a 5 5
6 b 6 11
7 a 7 25
8 b 8 19
9 - 9 26
10 a - 21
11 b 11 41
12 b 12 24
13 a 13 38
"""
COLUMNS = "id INT, k STRING, v INT, ts TIMESTAMP(3)"
T = table("t", COLUMNS, DATA, ts="ts", delay=1)
ALL = table("t", COLUMNS, DATA, ts="ts", delay=60)
LTZ = table("t", "id INT, k STRING, v INT, ts TIMESTAMP_LTZ(3)", DATA, ts="ts", delay=1)
CH = table("ch", COLUMNS, "+ 1 a 1 1\n+ 2 a 2 2\n~ 1 a 1 1 > 1 a 5 1\n+ 3 a 3 12\n- 2 a 2 2\n+ 4 a 4 30", ts="ts", delay=60, pk="id", changing=True)
GONE = table("ch", COLUMNS, "+ 1 a 1 1\n- 1 a 1 1\n+ 2 a 2 30", ts="ts", delay=60, pk="id", changing=True)
SPECS = {"TUMBLE": "ts, INTERVAL '10' SECOND", "HOP": "ts, INTERVAL '5' SECOND, INTERVAL '15' SECOND", "SESSION": "ts, INTERVAL '5' SECOND"}


def emit(**options):
    names = {"early": "early-fire.delay", "late": "late-fire.delay", "lateness": "allow-lateness"}
    out = {}
    for k, v in options.items():
        out["table.exec.emit." + names[k]] = v
        if k != "lateness":
            out["table.exec.emit.%s-fire.enabled" % k] = "true"
    return out


def group_windows():
    out = []
    for w, spec in SPECS.items():
        q = "SELECT k, COUNT(*) AS c, SUM(v) AS s, {w}_START({s}) AS ws, {w}_END({s}) AS we FROM t GROUP BY k, {w}({s})".format(w=w, s=spec)
        out.append(ask("docs: %s" % w, T, q))
        out.append(ask("%s, nothing late" % w, ALL, q))
        out.append(ask("%s of LTZ" % w, LTZ, q, settings={"table.local-time-zone": "Asia/Shanghai"}))
        out.append(ask("%s, names and types" % w, ALL, "SELECT {w}_START({s}), {w}_END({s}), {w}_ROWTIME({s}), COUNT(*) FROM t GROUP BY {w}({s})".format(w=w, s=spec)))
        out.append(ask("%s of LTZ, names and types" % w, LTZ, "SELECT {w}_START({s}), {w}_END({s}), {w}_ROWTIME({s}), COUNT(*) FROM t GROUP BY {w}({s})".format(w=w, s=spec)))
        out.append(ask("%s, window not selected" % w, ALL, "SELECT COUNT(*) AS c FROM t GROUP BY {w}({s})".format(w=w, s=spec)))
        out.append(ask("%s, every aggregate" % w, ALL, "SELECT k, COUNT(DISTINCT v) AS a, AVG(v) AS b, MIN(v) AS c, MAX(v) AS d, FIRST_VALUE(v) AS e, LAST_VALUE(v) AS f, LISTAGG(CAST(v AS STRING)) AS g, COLLECT(v) AS h, SUM(v) FILTER (WHERE v > 4) AS i FROM t GROUP BY k, {w}({s})".format(w=w, s=spec)))
        out.append(ask("%s, aggregates that can be merged" % w, ALL, "SELECT k, COUNT(DISTINCT v) AS a, AVG(v) AS b, MIN(v) AS c, MAX(v) AS d, LISTAGG(CAST(v AS STRING)) AS g, COLLECT(v) AS h, SUM(v) FILTER (WHERE v > 4) AS i FROM t GROUP BY k, {w}({s})".format(w=w, s=spec)))
        out.append(ask("%s, a window that loses its rows" % w, GONE, "SELECT k, SUM(v) AS s, COUNT(*) AS c, {w}_START({s}) AS ws FROM ch GROUP BY k, {w}({s})".format(w=w, s=spec)))
        out.append(ask("%s, HAVING" % w, ALL, "SELECT k, COUNT(*) AS c FROM t GROUP BY k, {w}({s}) HAVING COUNT(*) > 1".format(w=w, s=spec)))
        out.append(ask("%s of changes" % w, CH, "SELECT k, SUM(v) AS s, {w}_START({s}) AS ws FROM ch GROUP BY k, {w}({s})".format(w=w, s=spec)))
        out.append(ask("%s_PROCTIME" % w, ALL, "SELECT {w}_PROCTIME({s}) AS p, COUNT(*) AS c FROM t GROUP BY {w}({s})".format(w=w, s=spec), note="of an event-time window"))
        for name, settings, t in (("lateness", emit(lateness="20 s"), T), ("late firing", emit(late="1 h", lateness="20 s"), T), ("late firing without delay", emit(late="0 ms", lateness="20 s"), T), ("late firing, short lateness", emit(late="0 ms", lateness="3 s"), T), ("early firing without delay", emit(early="0 ms"), T), ("early firing", emit(early="1 h"), T),
                                  ("early and late firing without delay", emit(early="0 ms", late="0 ms", lateness="20 s"), T), ("late firing without lateness", emit(late="0 ms"), T)):
            out.append(ask("%s, %s" % (w, name), t, q, settings=settings))
    q = "SELECT k, COUNT(*) AS c, TUMBLE_START(ts, INTERVAL '10' SECOND) AS ws FROM t GROUP BY k, TUMBLE(ts, INTERVAL '10' SECOND)"
    out.append(ask("early firing into an append-only sink", T, "INSERT INTO f " + q, settings=emit(early="0 ms"), more=["CREATE TABLE f (k STRING, c BIGINT, ws TIMESTAMP(3)) WITH ('connector'='filesystem','path'='${DIR}/out','format'='json')"], plan=False))
    out.append(ask("early firing, both switches without a delay", T, q, settings={"table.exec.emit.early-fire.enabled": "true"}))
    out.append(ask("emit options and a window TVF", T, "SELECT window_start, k, COUNT(*) AS c FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, k", settings=emit(early="0 ms"), note="the TVF ignores early firing or is refused"))
    out.append(ask("allow-lateness and a window TVF", T, "SELECT window_start, k, COUNT(*) AS c FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, k", settings=emit(lateness="20 s")))
    out.append(ask("allow-lateness from the state TTL", T, q, settings=dict(emit(late="0 ms"), **{"table.exec.state.ttl": "20 s"})))
    # Two windows, and windows upon windows.
    inner = "SELECT k, TUMBLE_ROWTIME(ts, INTERVAL '5' SECOND) AS rt, COUNT(*) AS c FROM t GROUP BY k, TUMBLE(ts, INTERVAL '5' SECOND)"
    out.append(ask("docs: window upon a window's ROWTIME", ALL, "SELECT TUMBLE_START(rt, INTERVAL '20' SECOND) AS ws, SUM(c) AS c FROM (%s) GROUP BY TUMBLE(rt, INTERVAL '20' SECOND)" % inner))
    out.append(ask("window upon TUMBLE_END", ALL, ("SELECT TUMBLE_START(rt, INTERVAL '20' SECOND) AS ws, SUM(c) AS c FROM (%s) GROUP BY TUMBLE(rt, INTERVAL '20' SECOND)" % inner).replace("TUMBLE_ROWTIME", "TUMBLE_END")))
    out.append(ask("TVF upon a group window", ALL, "SELECT window_start, SUM(c) AS c FROM TABLE(TUMBLE(TABLE w, DESCRIPTOR(rt), INTERVAL '20' SECOND)) GROUP BY window_start, window_end", more=["CREATE TEMPORARY VIEW w AS " + inner]))
    out.append(ask("two group windows", ALL, "SELECT COUNT(*) FROM t GROUP BY TUMBLE(ts, INTERVAL '5' SECOND), TUMBLE(ts, INTERVAL '10' SECOND)"))
    out.append(ask("TUMBLE_START of another window", ALL, "SELECT TUMBLE_START(ts, INTERVAL '5' SECOND), COUNT(*) FROM t GROUP BY TUMBLE(ts, INTERVAL '10' SECOND)"))
    out.append(ask("TUMBLE_START without GROUP BY", ALL, "SELECT TUMBLE_START(ts, INTERVAL '5' SECOND) FROM t"))
    out.append(ask("TUMBLE with an offset", ALL, "SELECT TUMBLE_START(ts, INTERVAL '10' SECOND, TIME '00:00:03'), COUNT(*) FROM t GROUP BY TUMBLE(ts, INTERVAL '10' SECOND, TIME '00:00:03')"))
    out.append(ask("TUMBLE of a plain column", ALL, "SELECT COUNT(*) FROM t GROUP BY TUMBLE(CAST(ts AS TIMESTAMP(3)), INTERVAL '10' SECOND)"))
    out.append(ask("TUMBLE of a month", ALL, "SELECT COUNT(*) FROM t GROUP BY TUMBLE(ts, INTERVAL '1' MONTH)"))
    out.append(ask("TUMBLE of rows", ALL, "SELECT COUNT(*) FROM t GROUP BY TUMBLE(ts, 3)"))
    out.append(ask("HOP, size not a multiple of the slide", ALL, "SELECT HOP_START(ts, INTERVAL '4' SECOND, INTERVAL '10' SECOND) AS ws, COUNT(*) AS c FROM t GROUP BY HOP(ts, INTERVAL '4' SECOND, INTERVAL '10' SECOND)"))
    out.append(ask("CUMULATE as a group window", ALL, "SELECT COUNT(*) FROM t GROUP BY CUMULATE(ts, INTERVAL '5' SECOND, INTERVAL '10' SECOND)"))
    out.append(ask("grouping sets with a group window", ALL, "SELECT k, COUNT(*) AS c FROM t GROUP BY GROUPING SETS ((k, TUMBLE(ts, INTERVAL '10' SECOND)), (TUMBLE(ts, INTERVAL '10' SECOND)))"))
    out.append(ask("group window after a join", ALL, "SELECT COUNT(*) FROM t JOIN (VALUES ('a')) AS s(x) ON k = x GROUP BY TUMBLE(ts, INTERVAL '10' SECOND)"))
    for name, source in (("a left join", "t LEFT JOIN (VALUES ('a')) AS s(x) ON k = x"), ("a semi join", "t WHERE k IN (SELECT x FROM (VALUES ('a')) AS s(x))"),
                         ("an aggregation", "(SELECT ts, k FROM t GROUP BY ts, k)"), ("deduplication", "(SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts) AS n FROM t) WHERE n = 1")):
        out.append(ask("group window after %s" % name, ALL, "SELECT TUMBLE_ROWTIME(ts, INTERVAL '10' SECOND) AS r, COUNT(*) AS c FROM %s GROUP BY TUMBLE(ts, INTERVAL '10' SECOND)" % source))
    out.append(ask("group window after a cast", ALL, "SELECT COUNT(*) AS c FROM (SELECT CAST(ts AS TIMESTAMP(3)) AS ts FROM t) GROUP BY TUMBLE(ts, INTERVAL '10' SECOND)"))
    out.append(ask("window function after a join", ALL, "SELECT COUNT(*) AS c FROM TABLE(TUMBLE((SELECT ts FROM t JOIN (VALUES ('a')) AS s(x) ON k = x), DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end"))
    out.append(ask("group window, DISTINCT with FILTER", ALL, "SELECT TUMBLE_START(ts, INTERVAL '20' SECOND) AS ws, COUNT(DISTINCT k) AS a, COUNT(DISTINCT v) FILTER (WHERE v > 4) AS b FROM t GROUP BY TUMBLE(ts, INTERVAL '20' SECOND)"))
    out.append(ask("expression on TUMBLE_START", ALL, "SELECT DATE_FORMAT(TUMBLE_START(ts, INTERVAL '10' SECOND), 'HH:mm:ss') AS x, COUNT(*) AS c FROM t GROUP BY TUMBLE(ts, INTERVAL '10' SECOND)"))
    out.append(ask("processing time", ALL, "SELECT COUNT(*) AS c FROM (SELECT *, PROCTIME() AS p FROM t) GROUP BY TUMBLE(p, INTERVAL '1' DAY)", note="nothing fires at the end of the input"))
    out.append(ask("Nexmark q11", ALL, "SELECT b.k, COUNT(*) AS c, SESSION_START(b.ts, INTERVAL '10' SECOND) AS starttime, SESSION_END(b.ts, INTERVAL '10' SECOND) AS endtime FROM t AS b GROUP BY b.k, SESSION(b.ts, INTERVAL '10' SECOND)"))
    # Changes into window TVFs.
    for tvf, spec in (("TUMBLE", "INTERVAL '10' SECOND"), ("HOP", "INTERVAL '5' SECOND, INTERVAL '15' SECOND"), ("CUMULATE", "INTERVAL '5' SECOND, INTERVAL '15' SECOND"), ("SESSION", "INTERVAL '5' SECOND")):
        t = "TABLE ch PARTITION BY k" if tvf == "SESSION" else "TABLE ch"
        out.append(ask("%s TVF of changes" % tvf, CH, "SELECT window_start, window_end, k, SUM(v) AS s, COUNT(*) AS c FROM TABLE(%s(%s, DESCRIPTOR(ts), %s)) GROUP BY window_start, window_end, k" % (tvf, t, spec)))
        out.append(ask("%s TVF, a window that loses its rows" % tvf, GONE, "SELECT window_start, window_end, k, SUM(v) AS s, COUNT(*) AS c FROM TABLE(%s(%s, DESCRIPTOR(ts), %s)) GROUP BY window_start, window_end, k" % (tvf, t, spec)))
    return out
