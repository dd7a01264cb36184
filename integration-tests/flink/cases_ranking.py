# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about Top-N, deduplication and OVER."""
from cases_updating import ask, table

SALES = table("sales", "id INT, cat STRING, item STRING, v INT, ts TIMESTAMP(3)", """
1 x apple 10 1
2 x berry 20 2
3 y carrot 5 3
4 x date 20 4
5 x apple 30 9
6 y endive - 6
7 - fig 1 7
8 x grape 20 8
9 y carrot 7 30
10 x berry 1 21
11 - fig 0 40
12 y kale 5 2
""", ts="ts", delay=10)
# Item 2 falls, item 1 rises, item 3 goes, item 4 changes its category.
CHANGES = table("ch", "id INT, cat STRING, v INT", """
+ 1 x 10
+ 2 x 20
+ 3 x 15
+ 4 y 5
+ 5 x -
~ 2 x 20 > 2 x 1
~ 1 x 10 > 1 x 30
- 3 x 15
~ 4 y 5 > 4 x 5
+ 6 x 30
~ 5 x - > 5 x 40
""", pk="id", changing=True)
INNER = "(SELECT *, %s AS rn FROM %s)"


def top(columns, rank, where, t="sales"):
    return "SELECT %s FROM %s WHERE %s" % (columns, INNER % (rank, t), where)


BY = "ROW_NUMBER() OVER (PARTITION BY cat ORDER BY v DESC)"


def ranking():
    out = []
    out.append(ask("docs: Top-N with the rank", SALES, top("id, cat, v, rn", BY, "rn <= 2"), note="a row that moves down updates all ranks below"))
    out.append(ask("docs: Top-N without the rank", SALES, top("id, cat, v", BY, "rn <= 2"), note="only what enters and leaves"))
    out.append(ask("Top-1", SALES, top("id, cat, v", BY, "rn = 1")))
    for by in ("v", "v DESC, id", "v, id", "id DESC", "ts", "v, ts"):
        wrong = "the plan says insert-only, so the old row is not taken back" if by in ("v", "v DESC, id", "v, id", "v, ts") else None
        out.append(ask("Top-1 by %s" % by, SALES, top("id, cat, v", "ROW_NUMBER() OVER (PARTITION BY cat ORDER BY %s)" % by, "rn = 1"), bug=wrong))
    out.append(ask("Top-1 with the rank", SALES, top("id, cat, v, rn", BY, "rn = 1")))
    out.append(ask("Top-N ascending", SALES, top("id, cat, v, rn", BY.replace(" DESC", ""), "rn <= 2"), note="nulls first"))
    out.append(ask("Top-N, NULLS LAST", SALES, top("id, cat, v, rn", BY.replace(" DESC", " ASC NULLS LAST"), "rn <= 2")))
    out.append(ask("Top-N, NULLS FIRST descending", SALES, top("id, cat, v, rn", BY.replace(" DESC", " DESC NULLS FIRST"), "rn <= 2")))
    out.append(ask("Top-N of all", SALES, top("id, v, rn", "ROW_NUMBER() OVER (ORDER BY v DESC)", "rn <= 3")))
    out.append(ask("Top-N by two columns", SALES, top("id, cat, v, rn", "ROW_NUMBER() OVER (PARTITION BY cat ORDER BY v DESC, id DESC)", "rn <= 2")))
    out.append(ask("Top-N by an expression", SALES, top("id, v, rn", "ROW_NUMBER() OVER (PARTITION BY cat ORDER BY ABS(v - 15))", "rn <= 1")))
    out.append(ask("ties keep the first that came", SALES, top("id, v", "ROW_NUMBER() OVER (PARTITION BY cat ORDER BY v DESC)", "rn <= 3 AND cat = 'x'")))
    for f in ("RANK", "DENSE_RANK"):
        out.append(ask("%s, append" % f, SALES, top("id, cat, v, rn", BY.replace("ROW_NUMBER", f), "rn <= 2")))
        out.append(ask("%s, changes" % f, CHANGES, top("id, cat, v, rn", BY.replace("ROW_NUMBER", f), "rn <= 2", "ch")))
    for where in ("rn < 3", "2 >= rn", "rn BETWEEN 2 AND 3", "rn = 2", "rn >= 2 AND rn <= 3", "rn <= 2 AND v > 5", "rn <= 2 OR v > 5", "rn > 1", "rn - 1 <= 1", "rn <= id", "rn IN (1, 2)", "rn <= 0", "rn <> 1"):
        out.append(ask("Top-N where %s" % where, SALES, top("id, cat, v, rn", BY, where)))
    out.append(ask("no condition on the rank", SALES, "SELECT *, %s AS rn FROM sales" % BY))
    out.append(ask("Top-N through a view", SALES, "SELECT id, v FROM w WHERE rn <= 1", more=["CREATE TEMPORARY VIEW w AS SELECT *, %s AS rn FROM sales" % BY]))
    out.append(ask("QUALIFY", SALES, "SELECT id, cat, v FROM sales QUALIFY %s <= 2" % BY))
    out.append(ask("QUALIFY with an alias", SALES, "SELECT id, cat, v, %s AS rn FROM sales QUALIFY rn <= 1" % BY))
    out.append(ask("QUALIFY after WHERE", SALES, "SELECT id, cat FROM sales WHERE v < 25 QUALIFY %s = 1" % BY))
    out.append(ask("Top-N of an aggregate", SALES, "SELECT cat, item, s, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY cat ORDER BY s DESC) AS rn FROM (SELECT cat, item, SUM(v) AS s FROM sales GROUP BY cat, item)) WHERE rn <= 2", note="the input updates by key: UpdateFastStrategy or RetractStrategy"))
    out.append(ask("Top-N of an aggregate, without the rank", SALES, "SELECT cat, item, s FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY cat ORDER BY s DESC) AS rn FROM (SELECT cat, item, SUM(v) AS s FROM sales GROUP BY cat, item)) WHERE rn <= 1"))
    out.append(ask("Top-N of a count", SALES, "SELECT item, c, rn FROM (SELECT *, ROW_NUMBER() OVER (ORDER BY c DESC) AS rn FROM (SELECT item, COUNT(*) AS c FROM sales GROUP BY item)) WHERE rn <= 2", note="monotonic and sorted descending: rows only rise"))
    out.append(ask("Top-N of a maximum", SALES, "SELECT item, m, rn FROM (SELECT *, ROW_NUMBER() OVER (ORDER BY m DESC) AS rn FROM (SELECT item, MAX(v) AS m FROM sales GROUP BY item)) WHERE rn <= 2"))
    out.append(ask("Top-N, changes", CHANGES, top("id, cat, v, rn", BY, "rn <= 2", "ch")))
    out.append(ask("Top-N without the rank, changes", CHANGES, top("id, cat, v", BY, "rn <= 2", "ch")))
    out.append(ask("Top-1, changes", CHANGES, top("id, cat, v", BY, "rn <= 1", "ch")))
    out.append(ask("Top-N with offset, changes", CHANGES, top("id, cat, v, rn", BY, "rn BETWEEN 2 AND 3", "ch")))
    out.append(ask("aggregate of a Top-N", SALES, "SELECT cat, SUM(v) AS s, COUNT(*) AS c FROM (%s) GROUP BY cat" % top("cat, v", BY, "rn <= 2")))
    out.append(ask("Top-N of a Top-N", SALES, "SELECT id, v, r2 FROM (SELECT *, ROW_NUMBER() OVER (ORDER BY v DESC) AS r2 FROM (%s)) WHERE r2 <= 2" % top("id, cat, v", BY, "rn <= 1")))
    out.append(ask("variable Top-N", SALES, top("id, cat, v, rn", BY, "rn <= 1", "(SELECT * FROM sales)")))
    out.append(ask("NTILE", SALES, top("id, rn", "NTILE(2) OVER (PARTITION BY cat ORDER BY v DESC)", "rn <= 1")))
    out.append(ask("rank without ORDER BY", SALES, top("id, rn", "ROW_NUMBER() OVER (PARTITION BY cat)", "rn <= 1")))
    # Deduplication.
    for name, order in (("keep first by event time", "ts ASC"), ("keep last by event time", "ts DESC"), ("keep first by processing time", "PROCTIME() ASC"), ("keep last by processing time", "PROCTIME() DESC")):
        t = "sales" if "ts" in order else "(SELECT *, PROCTIME() AS pt FROM sales)"
        by = "ROW_NUMBER() OVER (PARTITION BY cat ORDER BY %s)" % order.replace("PROCTIME()", "pt")
        out.append(ask("deduplication: " + name, SALES, top("id, cat, item", by, "rn = 1", t), note="docs: the pattern of Deduplication" if "first by processing" in name else None))
        out.append(ask("deduplication: %s, <= 1" % name, SALES, top("id, cat, item", by, "rn <= 1", t)))
        out.append(ask("deduplication: %s, with the row number" % name, SALES, top("id, cat, rn", by, "rn = 1", t)))
        out.append(ask("deduplication: %s, mini-batch" % name, SALES, top("id, cat, item", by, "rn = 1", t), settings={"table.exec.mini-batch.enabled": "true", "table.exec.mini-batch.allow-latency": "1 h", "table.exec.mini-batch.size": "1000"}))
    out.append(ask("deduplication: two keys", SALES, top("id, cat, item", "ROW_NUMBER() OVER (PARTITION BY cat, item ORDER BY ts DESC)", "rn = 1"), note="Nexmark q18"))
    out.append(ask("deduplication: event time, late rows", table("sales", "id INT, cat STRING, ts TIMESTAMP(3)", "1 x 10\n2 x 5\n3 x 20\n4 x 5\n5 x 20\n6 y 1\n7 x 30", ts="ts", delay=1), top("id, cat, ts", "ROW_NUMBER() OVER (PARTITION BY cat ORDER BY ts DESC)", "rn = 1"), note="rows behind the watermark, and equal times"))
    out.append(ask("deduplication: keep first, event time, late rows", table("sales", "id INT, cat STRING, ts TIMESTAMP(3)", "1 x 10\n2 x 5\n3 x 20\n4 x 5\n5 x 4\n6 y 1\n7 x 30", ts="ts", delay=1), top("id, cat, ts", "ROW_NUMBER() OVER (PARTITION BY cat ORDER BY ts ASC)", "rn = 1")))
    out.append(ask("deduplication: event time and another column", SALES, top("id, cat", "ROW_NUMBER() OVER (PARTITION BY cat ORDER BY ts DESC, id)", "rn = 1"), note="not a deduplication: a Top-1"))
    out.append(ask("deduplication: RANK by event time", SALES, top("id, cat", "RANK() OVER (PARTITION BY cat ORDER BY ts DESC)", "rn = 1")))
    out.append(ask("deduplication: keeps the time attribute", SALES, "SELECT window_start, COUNT(*) AS c FROM TABLE(TUMBLE(TABLE d, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end",
                   more=["CREATE TEMPORARY VIEW d AS SELECT id, ts FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY item ORDER BY PROCTIME()) AS rn FROM sales) WHERE rn = 1"]))
    out.append(ask("deduplication: keep first by event time keeps the time attribute", SALES, "SELECT window_start, COUNT(*) AS c FROM TABLE(TUMBLE(TABLE d, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end",
                   more=["CREATE TEMPORARY VIEW d AS SELECT id, ts FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY item ORDER BY ts) AS rn FROM sales) WHERE rn = 1"]))
    out.append(ask("deduplication over changes", CHANGES, top("id, cat, v", "ROW_NUMBER() OVER (PARTITION BY cat ORDER BY PROCTIME() DESC)", "rn = 1", "ch")))
    # Within windows.
    w = "SELECT window_start, window_end, id, cat, v%s FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end%s ORDER BY %s) AS rn FROM TABLE(TUMBLE(TABLE sales, DESCRIPTOR(ts), INTERVAL '10' SECOND))) WHERE rn <= %d"
    out.append(ask("docs: window Top-N", SALES, w % (", rn", "", "v DESC", 2)))
    out.append(ask("window Top-N by key", SALES, w % (", rn", ", cat", "v DESC", 1)))
    out.append(ask("docs: window deduplication, last", SALES, w % ("", ", cat", "ts DESC", 1)))
    out.append(ask("docs: window deduplication, first", SALES, w % ("", ", cat", "ts ASC", 1)))
    out.append(ask("window Top-N of a window aggregate", SALES, "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY s DESC) AS rn FROM (SELECT window_start, window_end, cat, SUM(v) AS s FROM TABLE(TUMBLE(TABLE sales, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, cat)) WHERE rn <= 1", note="docs: Window Top-N follows after Window Aggregation"))
    out.append(ask("window Top-N, RANK", SALES, (w % (", rn", "", "v DESC", 2)).replace("ROW_NUMBER", "RANK"), note="not a window Top-N"))
    out.append(ask("window Top-N without window_end", SALES, (w % (", rn", "", "v DESC", 2)).replace("window_start, window_end ORDER", "window_start ORDER")))
    return out
