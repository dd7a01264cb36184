# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about windows."""
import json

EACH_ROW = {"pipeline.auto-watermark-interval": "0 ms"}


def rows(text):
    """Lines `id key value seconds`, `-` for null → JSON lines; seconds count from 2024-01-01 00:00:00."""
    out = []
    for line in text.strip().split("\n"):
        i, k, v, t = line.split()
        out.append({"id": int(i), "k": None if k == "-" else k, "v": None if v == "-" else int(v), "ts": stamp(t)})
    return "".join(json.dumps(r) + "\n" for r in out)


def stamp(t, day="2024-01-01"):
    if t == "-":
        return None
    s, _, ms = t.partition(".")
    s = int(s)
    return "%s %02d:%02d:%02d%s" % (day, s // 3600, s // 60 % 60, s % 60, "." + ms if ms else "")


LATE = rows("""
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
""")

ORDERED = rows("""
1 a 1 1
2 b 2 4
3 a 3 9
4 a 4 10
5 b 5 12
6 - 6 13
7 a - 19
8 a 8 20
9 b 9 35
""")


def table(ts="TIMESTAMP(3)", watermark="ts - INTERVAL '1' SECOND", name="t", file="in.json", columns="id INT, k STRING, v INT, ", options=""):
    mark = ", WATERMARK FOR ts AS " + watermark if watermark else ""
    return ("CREATE TABLE %s (%sts %s%s) WITH ('connector'='filesystem','path'='${DIR}/%s','format'='json'%s)"
            % (name, columns, ts, mark, file, options))


def case(name, query, data=LATE, settings=EACH_ROW, note=None, ddl=None, more=(), **kw):
    c = {"name": name}
    if note:
        c["note"] = note
    c["settings"] = settings
    c["files"] = {"in.json": data}
    c["statements"] = [ddl or table(**kw), *more, query]
    return c


TUMBLE = "TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND))"
HOP = "TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '15' SECOND))"
CUMULATE = "TABLE(CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '15' SECOND))"
SESSION = "TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '5' SECOND))"
WINDOWS = {"tumble": TUMBLE, "hop": HOP, "cumulate": CUMULATE, "session": SESSION}
COUNT = "SELECT window_start, window_end, k, COUNT(*) AS c, SUM(v) AS s FROM %s GROUP BY window_start, window_end, k"


def windows():
    out = []
    # When watermarks come.
    for kind, w in WINDOWS.items():
        out.append(case("late rows, %s, watermark after each row" % kind, COUNT % w))
        out.append(case("late rows, %s, default interval" % kind, COUNT % w, settings={}, note="pipeline.auto-watermark-interval has its default of 200 ms"))
        out.append(case("late rows, %s, interval of one hour" % kind, COUNT % w, settings={"pipeline.auto-watermark-interval": "1 h"}))
        out.append(case("late rows, %s, one-phase" % kind, COUNT % w, settings=dict(EACH_ROW, **{"table.optimizer.agg-phase-strategy": "ONE_PHASE"})))
    out.append(case("late rows, tumble, on-event option", COUNT % TUMBLE, settings={"pipeline.auto-watermark-interval": "1 h"}, options=",'scan.watermark.emit.strategy'='on-event'"))
    small = rows("1 a 1 1\n2 a 2 1.200\n3 a 3 0.150\n4 a 4 1.201\n5 a 5 0.160\n6 a 6 9")
    for interval in ("200 ms", "0 ms"):
        out.append(case("advance of exactly the interval, %s" % interval, "SELECT window_start, window_end, COUNT(*) AS c, SUM(v) AS s FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '0.1' SECOND)) GROUP BY window_start, window_end",
                        data=small, settings={"pipeline.auto-watermark-interval": interval}, note="watermarks 0 ms, 200 ms, 201 ms: are rows 3 and 5 (window [0.1, 0.2)) late?"))
    # Boundaries.
    for ms, what in ((998, "two before"), (999, "the end minus one of"), (1000 - 1 + 1, "the end of")):
        t = "10.%03d" % ms if ms < 1000 else "11"
        out.append(case("watermark at %s the window" % what, COUNT % TUMBLE, data=rows("1 a 1 1\n2 a 2 %s\n3 a 3 5\n4 a 4 30" % t), note="row 2 puts the watermark at ts - 1 s; is row 3 late?"))
    out.append(case("no delay: row at the watermark and below", COUNT % TUMBLE, data=rows("1 a 1 5\n2 a 2 5\n3 a 3 4\n4 a 4 9.999\n5 a 5 9\n6 a 6 10"), watermark="ts"))
    out.append(case("rows on window borders", COUNT % TUMBLE, data=rows("1 a 1 0\n2 a 2 9.999\n3 a 3 10\n4 a 4 19.999\n5 a 5 20")))
    # Sessions.
    out.append(case("session: exactly the gap apart", COUNT % SESSION, data=rows("1 a 1 0\n2 a 2 5\n3 a 3 10.001\n4 a 4 30"), note="5 s gap; rows 1 and 2 are 5 s apart, rows 2 and 3 5.001 s"))
    out.append(case("session: a row joins two sessions", COUNT % SESSION, data=rows("1 a 1 0\n2 a 2 8\n3 a 3 4\n4 a 4 30"), watermark="ts - INTERVAL '20' SECOND"))
    out.append(case("session: late row merges into a live session", COUNT % SESSION, data=rows("1 a 1 10\n2 a 2 13\n3 a 3 8\n4 a 4 40\n5 a 5 12"), watermark="ts - INTERVAL '2' SECOND", note="row 3 is behind the watermark (11 s), its own window [8, 13) has not ended"))
    out.append(case("session: row whose own window has ended but that touches a live session", COUNT % SESSION, data=rows("1 a 1 10\n2 b 2 16\n3 a 3 6\n4 a 4 40"), watermark="ts - INTERVAL '2' SECOND", note="watermark 14 s; row 3's own window is [6, 11), a's live session is [10, 15)"))
    out.append(case("session: no partition", "SELECT window_start, window_end, COUNT(*) AS c FROM TABLE(SESSION(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECOND)) GROUP BY window_start, window_end", data=ORDERED))
    out.append(case("session: partition key not grouped by", "SELECT window_start, window_end, COUNT(*) AS c FROM %s GROUP BY window_start, window_end" % SESSION, data=ORDERED))
    out.append(case("session: two partition keys, named arguments", "SELECT k, v, window_start, window_end, COUNT(*) AS c FROM TABLE(SESSION(DATA => TABLE t PARTITION BY (k, v), TIMECOL => DESCRIPTOR(ts), GAP => INTERVAL '5' SECOND)) GROUP BY k, v, window_start, window_end", data=ORDERED))
    out.append(case("session: group by more than the partition", "SELECT k, v, window_start, window_end, COUNT(*) AS c FROM %s GROUP BY k, v, window_start, window_end" % SESSION, data=ORDERED))
    out.append(case("session: without aggregate", "SELECT * FROM %s" % SESSION, data=ORDERED))
    out.append(case("session: key with nulls", COUNT % SESSION, data=ORDERED))
    # What a window TVF emits.
    for kind, w in list(WINDOWS.items())[:3]:
        out.append(case("columns of %s" % kind, "SELECT * FROM %s" % w, data=ORDERED))
    out.append(case("columns of tumble, late rows", "SELECT id, window_start, window_end, window_time FROM %s" % TUMBLE, note="a TVF without aggregate drops nothing"))
    out.append(case("columns of tumble over LTZ", "SELECT * FROM %s" % TUMBLE, data=ORDERED, ts="TIMESTAMP_LTZ(3)", settings=dict(EACH_ROW, **{"table.local-time-zone": "Asia/Shanghai"}), options=",'json.timestamp-format.standard'='SQL'", more=[], note="JSON's SQL standard wants a Z for LTZ: see error"))
    z = ORDERED.replace('"ts": "', '"ts": "').replace('"}', 'Z"}')
    for zone in ("UTC", "Asia/Shanghai", "America/New_York"):
        out.append(case("LTZ rowtime, one day, %s" % zone, "SELECT window_start, window_end, window_time, COUNT(*) AS c FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' DAY)) GROUP BY window_start, window_end, window_time", data=z, ts="TIMESTAMP_LTZ(3)", settings=dict(EACH_ROW, **{"table.local-time-zone": zone})))
    out.append(case("LTZ rowtime, columns", "SELECT * FROM %s" % TUMBLE, data=z, ts="TIMESTAMP_LTZ(3)", settings=dict(EACH_ROW, **{"table.local-time-zone": "Asia/Shanghai"})))
    dst = "".join('{"id":%d,"k":"a","v":1,"ts":"%s"}\n' % (i, t) for i, t in enumerate(["2024-03-10 04:59:59Z", "2024-03-10 05:00:00Z", "2024-03-10 06:59:59Z", "2024-03-10 07:00:00Z", "2024-03-11 03:59:59Z", "2024-03-11 04:00:00Z"]))
    for size in ("'1' DAY", "'1' HOUR", "'6' HOUR"):
        out.append(case("LTZ rowtime over the spring change, %s" % size, "SELECT window_start, window_end, window_time, COUNT(*) AS c FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL %s)) GROUP BY window_start, window_end, window_time" % size, data=dst, ts="TIMESTAMP_LTZ(3)", settings=dict(EACH_ROW, **{"table.local-time-zone": "America/New_York"})))
    fall = "".join('{"id":%d,"k":"a","v":1,"ts":"%s"}\n' % (i, t) for i, t in enumerate(["2024-11-03 03:59:59Z", "2024-11-03 04:00:00Z", "2024-11-03 05:30:00Z", "2024-11-03 06:30:00Z", "2024-11-04 04:59:59Z", "2024-11-04 05:00:00Z"]))
    for size in ("'1' DAY", "'1' HOUR"):
        out.append(case("LTZ rowtime over the autumn change, %s" % size, "SELECT window_start, window_end, window_time, COUNT(*) AS c FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL %s)) GROUP BY window_start, window_end, window_time" % size, data=fall, ts="TIMESTAMP_LTZ(3)", settings=dict(EACH_ROW, **{"table.local-time-zone": "America/New_York"})))
    # Syntax.
    q = "SELECT window_start, window_end, COUNT(*) AS c FROM TABLE(%s) GROUP BY window_start, window_end"
    for name, w in [
        ("tumble, named", "TUMBLE(DATA => TABLE t, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '10' SECOND)"),
        ("tumble, named, other order", "TUMBLE(SIZE => INTERVAL '10' SECOND, DATA => TABLE t, TIMECOL => DESCRIPTOR(ts))"),
        ("tumble, offset", "TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '3' SECOND)"),
        ("tumble, negative offset", "TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '-3' SECOND)"),
        ("tumble, offset larger than the size", "TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '13' SECOND)"),
        ("tumble, named offset", "TUMBLE(DATA => TABLE t, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '10' SECOND, `OFFSET` => INTERVAL '3' SECOND)"),
        ("tumble, named offset, bare word", "TUMBLE(DATA => TABLE t, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '10' SECOND, OFFSET => INTERVAL '3' SECOND)"),
        ("hop, named", "HOP(DATA => TABLE t, TIMECOL => DESCRIPTOR(ts), SLIDE => INTERVAL '5' SECOND, SIZE => INTERVAL '10' SECOND)"),
        ("hop, offset", "HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '10' SECOND, INTERVAL '2' SECOND)"),
        ("hop, size not a multiple of slide", "HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '4' SECOND, INTERVAL '10' SECOND)"),
        ("hop, slide larger than size", "HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '20' SECOND, INTERVAL '10' SECOND)"),
        ("cumulate, named", "CUMULATE(DATA => TABLE t, TIMECOL => DESCRIPTOR(ts), STEP => INTERVAL '5' SECOND, SIZE => INTERVAL '15' SECOND)"),
        ("cumulate, offset", "CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '15' SECOND, INTERVAL '2' SECOND)"),
        ("cumulate, size not a multiple of step", "CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '4' SECOND, INTERVAL '10' SECOND)"),
        ("tumble, one month", "TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MONTH)"),
        ("tumble, zero size", "TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '0' SECOND)"),
        ("tumble over a subquery", "TUMBLE((SELECT * FROM t WHERE v > 1), DESCRIPTOR(ts), INTERVAL '10' SECOND)"),
        ("tumble, no such column", "TUMBLE(TABLE t, DESCRIPTOR(nope), INTERVAL '10' SECOND)"),
        ("tumble, not a time column", "TUMBLE(TABLE t, DESCRIPTOR(v), INTERVAL '10' SECOND)"),
    ]:
        out.append(case(name, q % w, data=ORDERED))
    out.append(case("tumble over a view", q % "TUMBLE(TABLE w, DESCRIPTOR(ts), INTERVAL '10' SECOND)", data=ORDERED, more=["CREATE TEMPORARY VIEW w AS SELECT ts, v * 2 AS v FROM t WHERE k IS NOT NULL"]))
    out.append(case("no watermark", q % "TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND)", watermark=None))
    out.append(case("watermark on a STRING", q % "TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND)", ts="STRING"))
    out.append(case("watermark on TIMESTAMP(6)", q % "TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND)", ts="TIMESTAMP(6)"))
    out.append(case("rowtime of TIMESTAMP(0)", "SELECT window_start, window_end, window_time, COUNT(*) AS c FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, window_time", ts="TIMESTAMP(0)", data=ORDERED))
    out.append(case("null rowtime", COUNT % TUMBLE, data=rows("1 a 1 1\n2 a 2 -\n3 a 3 12")))
    out.append(case("null rowtime without watermark use", "SELECT id, ts FROM t", data=rows("1 a 1 1\n2 a 2 -\n3 a 3 12"), note="the projection still passes through the watermark assigner"))
    out.append(case("watermark expression that gives null", COUNT % TUMBLE, data=LATE, watermark="CASE WHEN v = 4 THEN CAST(NULL AS TIMESTAMP(3)) ELSE ts END"))
    out.append(case("before 1970", COUNT % TUMBLE, data="".join('{"id":%d,"k":"a","v":1,"ts":"%s"}\n' % (i, t) for i, t in enumerate(["1969-12-31 23:59:45", "1969-12-31 23:59:50", "1969-12-31 23:59:59.999", "1970-01-01 00:00:00", "1970-01-01 00:00:09.999"]))))
    for kind in ("hop", "cumulate", "session"):
        out.append(case("before 1970, %s" % kind, COUNT % WINDOWS[kind], data="".join('{"id":%d,"k":"a","v":1,"ts":"%s"}\n' % (i, t) for i, t in enumerate(["1969-12-31 23:59:45", "1969-12-31 23:59:50", "1969-12-31 23:59:59.999", "1970-01-01 00:00:00", "1970-01-01 00:00:09.999"]))))
    before = "".join('{"id":%d,"k":"a","v":%d,"ts":"%s"}\n' % (i, i, t) for i, t in enumerate(["1969-12-31 23:58:00", "1969-12-31 23:59:00", "1969-12-31 23:58:01", "1969-12-31 23:59:30", "1969-12-31 23:59:01", "1970-01-01 00:01:00", "1969-12-31 23:58:02"]))
    for kind in ("tumble", "session"):
        out.append(case("before 1970, late rows, %s" % kind, COUNT % WINDOWS[kind], data=before, note="are rows 2 and 4 late? (row 6 comes after the watermark is past 1970)"))
    out.append(case("empty input", COUNT % TUMBLE, data=""))
    # Which keys may be grouped and selected.
    out.append(case("without window_start in GROUP BY", "SELECT window_end, COUNT(*) AS c FROM %s GROUP BY window_end" % TUMBLE, data=ORDERED, note="not a window aggregation any more: an unbounded one that updates"))
    out.append(case("window_time in GROUP BY", "SELECT window_start, window_end, window_time, COUNT(*) FROM %s GROUP BY window_start, window_end, window_time" % TUMBLE, data=ORDERED))
    out.append(case("window_start only selected", "SELECT window_start, COUNT(*) FROM %s GROUP BY window_start, window_end" % TUMBLE, data=ORDERED))
    out.append(case("key only, window not selected", "SELECT k, COUNT(*) FROM %s GROUP BY k, window_start, window_end" % TUMBLE, data=ORDERED))
    out.append(case("having", "SELECT window_start, k, COUNT(*) AS c FROM %s GROUP BY window_start, window_end, k HAVING COUNT(*) > 1" % TUMBLE, data=ORDERED))
    out.append(case("grouping sets", "SELECT window_start, window_end, k, COUNT(*) AS c FROM %s GROUP BY window_start, window_end, GROUPING SETS ((k), ())" % TUMBLE, data=ORDERED))
    out.append(case("filter before the window", "SELECT window_start, COUNT(*) AS c FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND)) WHERE v > 4 GROUP BY window_start, window_end", note="a row that the filter drops still moves the watermark"))
    # Aggregates and their types.
    cols = "i8 TINYINT, i16 SMALLINT, i32 INT, i64 BIGINT, f32 FLOAT, f64 DOUBLE, d DECIMAL(10, 2), d38 DECIMAL(38, 18), s STRING, b BOOLEAN, dt DATE, t0 TIME, t3 TIMESTAMP(3), nn INT NOT NULL, "
    data = "".join(json.dumps(dict(zip(["i8", "i16", "i32", "i64", "f32", "f64", "d", "d38", "s", "b", "dt", "t0", "t3", "nn", "ts"], r))) + "\n" for r in [
        [100, 30000, 2147483647, 9223372036854775807, 0.1, 0.1, 99999999.99, 1.5, "b", True, "2024-01-02", "01:02:03", "2024-01-01 00:00:00.001", 1, "2024-01-01 00:00:01"],
        [27, 2767, 1, 1, 0.2, 0.2, 0.01, 2.5, "a", False, "2024-01-01", "00:00:00", "2024-01-01 00:00:00", 2, "2024-01-01 00:00:02"],
        [1, 1, 1, 0, 1e10, 1e10, -0.02, 0.000000000000000001, "ä", None, None, None, None, 4, "2024-01-01 00:00:03"],
        [None] * 13 + [8, "2024-01-01 00:00:04"],
        [None] * 13 + [1, "2024-01-01 00:00:11"],
        [-1, -1, -1, -1, -1.5, -1.5, -1.55, -1, "", True, "1969-12-31", "23:59:59", "1969-12-31 23:59:59.999", 2, "2024-01-01 00:00:21"],
        [-2, -2, -2, -2, -2, -2, -2, -2, "z", True, "1970-01-01", "23:59:59", "1970-01-01 00:00:00", -7, "2024-01-01 00:00:22"],
    ])
    for f, names in (("SUM", ["i8", "i16", "i32", "i64", "f32", "f64", "d", "d38", "nn"]), ("AVG", ["i8", "i16", "i32", "i64", "f32", "f64", "d", "d38", "nn"]),
                     ("MIN", ["i8", "i32", "i64", "f32", "f64", "d", "s", "b", "dt", "t0", "t3", "nn"]), ("MAX", ["i8", "i32", "i64", "f32", "f64", "d", "s", "b", "dt", "t0", "t3", "nn"])):
        out.append(case("%s of each type" % f, "SELECT window_start, %s FROM %s GROUP BY window_start, window_end" % (", ".join("%s(%s) AS %s" % (f, n, n) for n in names), TUMBLE), data=data, columns=cols))
    out.append(case("SUM of each type, whole table", "SELECT %s FROM t" % ", ".join("SUM(%s) AS %s" % (n, n) for n in ["i8", "i16", "i32", "i64", "f32", "f64", "d", "d38", "nn"]), data=data, columns=cols, note="not windowed: an updating result"))
    out.append(case("STDDEV and VAR", "SELECT window_start, STDDEV_POP(i32), STDDEV_SAMP(i32), VAR_POP(f64), VAR_SAMP(d), STDDEV(nn), VARIANCE(nn) FROM %s GROUP BY window_start, window_end" % TUMBLE, data=data, columns=cols))
    out.append(case("COUNT forms", "SELECT window_start, COUNT(*), COUNT(i32), COUNT(1), COUNT(DISTINCT b), COUNT(DISTINCT f64) FROM %s GROUP BY window_start, window_end" % TUMBLE, data=data, columns=cols))
    out.append(case("COUNT of two columns", "SELECT window_start, COUNT(i32, s) FROM %s GROUP BY window_start, window_end" % TUMBLE, data=data, columns=cols))
    out.append(case("SUM and AVG of DISTINCT, FILTER", "SELECT window_start, SUM(DISTINCT nn) AS a, AVG(DISTINCT nn) AS b, COUNT(*) FILTER (WHERE b) AS c, SUM(nn) FILTER (WHERE nn > 100) AS d, COUNT(DISTINCT nn) FILTER (WHERE nn > 1) AS e, MIN(DISTINCT nn) AS f FROM %s GROUP BY window_start, window_end" % TUMBLE, data=data, columns=cols))
    out.append(case("LISTAGG, FIRST_VALUE, LAST_VALUE, COLLECT", "SELECT window_start, LISTAGG(s) AS a, LISTAGG(s, '|') AS b, FIRST_VALUE(s) AS c, LAST_VALUE(s) AS d, COLLECT(s) AS e, ARRAY_AGG(i8) AS f FROM %s GROUP BY window_start, window_end" % TUMBLE, data=data, columns=cols))
    out.append(case("MIN and MAX of strings by code point", "SELECT MIN(k) AS a, MAX(k) AS b FROM %s GROUP BY window_start, window_end" % TUMBLE, data="".join('{"id":1,"k":"%s","v":1,"ts":"2024-01-01 00:00:01"}\n' % x for x in ["\uffee", "😀", "Z", "a", "ä"])))
    out.append(case("MIN of an ARRAY", "SELECT MIN(ARRAY[v]) FROM t"))
    out.append(case("SUM of a STRING", "SELECT window_start, SUM(s) FROM %s GROUP BY window_start, window_end" % TUMBLE, data=data, columns=cols))
    out.append(case("AVG of a TIMESTAMP", "SELECT window_start, AVG(t3) FROM %s GROUP BY window_start, window_end" % TUMBLE, data=data, columns=cols))
    out.append(case("DISTINCT in a hop", "SELECT window_start, window_end, COUNT(DISTINCT k) AS c, COUNT(DISTINCT v) AS d FROM %s GROUP BY window_start, window_end" % HOP, data=ORDERED))
    out.append(case("split distinct", "SELECT window_start, window_end, COUNT(DISTINCT v) AS d FROM %s GROUP BY window_start, window_end" % TUMBLE, data=ORDERED, settings=dict(EACH_ROW, **{"table.optimizer.distinct-agg.split.enabled": "true"})))
    # Cascades.
    first = "CREATE TEMPORARY VIEW w AS SELECT window_start, window_end, window_time AS rt, k, COUNT(*) AS c FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECOND)) GROUP BY window_start, window_end, window_time, k"
    out.append(case("cascade: window columns twice", "SELECT window_start, window_end, SUM(c) AS c FROM TABLE(TUMBLE(TABLE w, DESCRIPTOR(rt), INTERVAL '20' SECOND)) GROUP BY window_start, window_end", more=[first]))
    again = "CREATE TEMPORARY VIEW w2 AS SELECT rt, k, c FROM w"
    out.append(case("cascade", "SELECT window_start, window_end, SUM(c) AS c FROM TABLE(TUMBLE(TABLE w2, DESCRIPTOR(rt), INTERVAL '20' SECOND)) GROUP BY window_start, window_end", more=[first, again]))
    out.append(case("cascade into hop", "SELECT window_start, window_end, SUM(c) AS c FROM TABLE(HOP(TABLE w2, DESCRIPTOR(rt), INTERVAL '5' SECOND, INTERVAL '10' SECOND)) GROUP BY window_start, window_end", more=[first, again]))
    out.append(case("cascade: session of windows", "SELECT k, window_start, window_end, SUM(c) AS c FROM TABLE(SESSION(TABLE w2 PARTITION BY k, DESCRIPTOR(rt), INTERVAL '6' SECOND)) GROUP BY k, window_start, window_end", more=[first, again]))
    out.append(case("tumble offset in local days", "SELECT window_start, window_end, COUNT(*) AS c FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' DAY, INTERVAL '4' HOUR)) GROUP BY window_start, window_end", data=dst, ts="TIMESTAMP_LTZ(3)", settings=dict(EACH_ROW, **{"table.local-time-zone": "America/New_York"})))
    out.append(case("cascade: aggregate again by the same window", "SELECT window_start, window_end, MAX(c) AS m FROM w GROUP BY window_start, window_end", more=[first]))
    out.append(case("cascade: type of window_time", "SELECT * FROM w", more=[first], data=ORDERED))
    # Top-N and deduplication.
    topn = "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY c DESC, k) AS rn FROM (%s)) WHERE rn <= %d"
    out.append(case("window Top-2", topn % (COUNT % TUMBLE, 2), data=ORDERED))
    out.append(case("window Top-2, late rows", topn % (COUNT % TUMBLE, 2)))
    out.append(case("window Top-1, rank not kept", "SELECT window_start, window_end, k, c FROM (%s)" % (topn % (COUNT % TUMBLE, 1)), data=ORDERED))
    out.append(case("window Top-2 on the TVF itself", "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY v DESC) AS rn FROM %s) WHERE rn <= 2" % TUMBLE, data=ORDERED))
    out.append(case("window Top-2 on the TVF itself, late rows", "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY v DESC) AS rn FROM %s) WHERE rn <= 2" % TUMBLE))
    out.append(case("window Top-N by key, nulls in order", "SELECT * FROM (SELECT id, k, v, window_start, window_end, ROW_NUMBER() OVER (PARTITION BY window_start, window_end, k ORDER BY v) AS rn FROM %s) WHERE rn <= 1" % TUMBLE, data=ORDERED))
    out.append(case("window Top-N, nulls last when descending", "SELECT * FROM (SELECT id, k, v, window_start, window_end, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY v DESC) AS rn FROM %s) WHERE rn <= 9" % TUMBLE, data=ORDERED))
    out.append(case("window Top-N range", "SELECT * FROM (SELECT id, v, window_start, window_end, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY v DESC) AS rn FROM %s) WHERE rn BETWEEN 2 AND 3" % TUMBLE, data=ORDERED))
    out.append(case("window RANK", "SELECT * FROM (SELECT id, v, window_start, window_end, RANK() OVER (PARTITION BY window_start, window_end ORDER BY v DESC) AS rn FROM %s) WHERE rn <= 2" % TUMBLE, data=ORDERED))
    out.append(case("window deduplication, last", "SELECT id, k, window_end FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end, k ORDER BY ts DESC) AS rn FROM %s) WHERE rn = 1" % TUMBLE, data=ORDERED))
    # Updating input.
    out.append(case("window over an updating input", "SELECT window_start, window_end, COUNT(*) FROM TABLE(TUMBLE((SELECT MAX(ts) AS ts FROM t GROUP BY k), DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end", data=ORDERED))
    # Processing time.
    out.append(case("processing time", "SELECT COUNT(*) AS c FROM TABLE(TUMBLE((SELECT id, PROCTIME() AS p FROM t), DESCRIPTOR(p), INTERVAL '10' SECOND)) GROUP BY window_start, window_end", data=ORDERED, note="a bounded input: are processing-time windows fired at the end?"))
    out.append(case("processing time, column", "SELECT SUM(c) FROM (SELECT COUNT(*) AS c FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(p), INTERVAL '1' SECOND)) GROUP BY window_start, window_end)", data=ORDERED, columns="id INT, k STRING, v INT, p AS PROCTIME(), "))
    # Legacy group windows.
    out.append(case("group window TUMBLE()", "SELECT TUMBLE_START(ts, INTERVAL '10' SECOND) AS a, TUMBLE_END(ts, INTERVAL '10' SECOND) AS b, TUMBLE_ROWTIME(ts, INTERVAL '10' SECOND) AS r, k, COUNT(*) AS c FROM t GROUP BY k, TUMBLE(ts, INTERVAL '10' SECOND)"))
    out.append(case("group window SESSION()", "SELECT SESSION_START(ts, INTERVAL '5' SECOND) AS a, SESSION_END(ts, INTERVAL '5' SECOND) AS b, k, COUNT(*) AS c FROM t GROUP BY k, SESSION(ts, INTERVAL '5' SECOND)", data=rows("1 a 1 0\n2 a 2 5\n3 a 3 10.001\n4 a 4 30")))
    # Plans.
    for kind, w in WINDOWS.items():
        out.append(case("EXPLAIN %s" % kind, "EXPLAIN " + COUNT % w))
    out.append(case("EXPLAIN tumble with DISTINCT and FILTER", "EXPLAIN SELECT window_start, window_end, k, COUNT(DISTINCT v), SUM(v) FILTER (WHERE v > 1) FROM %s GROUP BY window_start, window_end, k" % TUMBLE))
    out.append(case("EXPLAIN window Top-2", "EXPLAIN " + topn % (COUNT % TUMBLE, 2)))
    out.append(case("EXPLAIN one-phase", "EXPLAIN " + COUNT % TUMBLE, settings=dict(EACH_ROW, **{"table.optimizer.agg-phase-strategy": "ONE_PHASE"})))
    out.append(case("EXPLAIN cascade", "EXPLAIN CHANGELOG_MODE SELECT window_start, window_end, SUM(c) AS c FROM TABLE(TUMBLE(TABLE w2, DESCRIPTOR(rt), INTERVAL '20' SECOND)) GROUP BY window_start, window_end", more=[first, again]))
    out.append(case("EXPLAIN plain aggregation", "EXPLAIN CHANGELOG_MODE SELECT k, COUNT(*) FROM t GROUP BY k"))
    return out
