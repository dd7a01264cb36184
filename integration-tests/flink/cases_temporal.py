# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about joins in time: interval joins, window joins, joins with versions of a table."""
from cases_updating import ask, table

# Nothing is late here: what a late row of one side still meets depends on how far the other side is.
ORDERS = table("o", "id INT, k STRING, ot TIMESTAMP(3)", """
1 a 1
2 b 5
3 c 8
4 - 9
5 a 12
6 b 20
7 a 11
8 d 50
9 a 3
10 e 60
""", ts="ot", delay=60)
SHIPMENTS = table("s", "sid INT, sk STRING, st TIMESTAMP(3)", """
1 a 3
2 b 15
3 a 4
4 - 9
5 c 30
6 a 16
7 b 24
8 f 40
9 a 1
10 e 64
""", ts="st", delay=60)
RANGE = "o.ot BETWEEN s.st - INTERVAL '4' SECOND AND s.st"
KINDS = ("INNER", "LEFT", "RIGHT", "FULL")


def intervals():
    out = []

    def two(name, query, tables=(ORDERS, SHIPMENTS), **marks):
        out.append(ask(name, list(tables), query, interleaved=True, **marks))

    q = "SELECT id, sid, ot, st FROM o %s JOIN s ON %s"
    two("docs: interval join in WHERE", "SELECT id, sid FROM o, s WHERE o.k = s.sk AND " + RANGE)
    for kind in KINDS:
        two("%s interval join" % kind, q % (kind, "k = sk AND " + RANGE))
        two("%s interval join, both sides" % kind, q % (kind, "k = sk AND o.ot BETWEEN s.st - INTERVAL '5' SECOND AND s.st + INTERVAL '5' SECOND"))
        two("%s interval join with a residual condition" % kind, q % (kind, "k = sk AND %s AND id <> sid" % RANGE))
        two("%s interval join without a key" % kind, q % (kind, "o.ot BETWEEN s.st - INTERVAL '1' SECOND AND s.st"))
        two("%s interval join, condition on one side" % kind, q % (kind, "k = sk AND id > 1 AND " + RANGE))
    two("semi interval join", "SELECT id FROM o WHERE EXISTS (SELECT * FROM s WHERE k = sk AND %s)" % RANGE)
    two("anti interval join", "SELECT id FROM o WHERE NOT EXISTS (SELECT * FROM s WHERE k = sk AND %s)" % RANGE)
    two("equal times", q % ("INNER", "k = sk AND o.ot = s.st"))
    two("open bounds", q % ("INNER", "k = sk AND o.ot > s.st - INTERVAL '4' SECOND AND o.ot < s.st"))
    two("one bound only", q % ("INNER", "k = sk AND o.ot < s.st"), note="not an interval join")
    two("bound with an expression", q % ("INNER", "k = sk AND o.ot + INTERVAL '1' SECOND >= s.st - INTERVAL '3' SECOND AND o.ot <= s.st"))
    two("bounds in the future", q % ("INNER", "k = sk AND o.ot BETWEEN s.st + INTERVAL '1' SECOND AND s.st + INTERVAL '10' SECOND"))
    two("bounds that leave nothing", q % ("LEFT", "k = sk AND o.ot BETWEEN s.st + INTERVAL '5' SECOND AND s.st + INTERVAL '1' SECOND"))
    two("a month", q % ("INNER", "k = sk AND o.ot BETWEEN s.st - INTERVAL '1' MONTH AND s.st"))
    two("star keeps the time attributes", "SELECT * FROM o JOIN s ON k = sk AND " + RANGE)
    two("window after an interval join", "SELECT window_start, COUNT(*) AS c FROM TABLE(TUMBLE(TABLE j, DESCRIPTOR(ot), INTERVAL '10' SECOND)) GROUP BY window_start, window_end", more=["CREATE TEMPORARY VIEW j AS SELECT o.ot, id, sid FROM o JOIN s ON k = sk AND " + RANGE])
    two("window after a regular join", "SELECT window_start, COUNT(*) AS c FROM TABLE(TUMBLE(TABLE j, DESCRIPTOR(ot), INTERVAL '10' SECOND)) GROUP BY window_start, window_end", more=["CREATE TEMPORARY VIEW j AS SELECT o.ot, id, sid FROM o JOIN s ON k = sk"])
    two("regular join of time attributes", "SELECT id, sid, ot, st FROM o JOIN s ON k = sk", note="the time attributes become plain timestamps")
    two("time attribute joined with a plain time", q.replace("st FROM", "pt AS st FROM").replace("JOIN s", "JOIN (SELECT sid, sk, CAST(st AS TIMESTAMP(3)) AS pt FROM s) AS s") % ("INNER", "k = sk AND o.ot BETWEEN s.pt - INTERVAL '4' SECOND AND s.pt"), note="not an interval join")
    two("interval join of changes", "SELECT id, sid FROM c JOIN s ON k = sk AND c.ot BETWEEN s.st - INTERVAL '4' SECOND AND s.st", tables=(table("c", "id INT, k STRING, ot TIMESTAMP(3)", "+ 1 a 1\n~ 1 a 1 > 1 a 2", ts="ot", delay=20, changing=True), SHIPMENTS))
    two("processing time", "SELECT id, sid FROM (SELECT *, PROCTIME() AS p FROM o) AS a JOIN (SELECT *, PROCTIME() AS p FROM s) AS b ON k = sk AND a.p BETWEEN b.p - INTERVAL '1' MINUTE AND b.p + INTERVAL '1' MINUTE")
    two("processing time with event time", "SELECT id, sid FROM (SELECT *, PROCTIME() AS p FROM o) AS a JOIN s ON k = sk AND a.p BETWEEN s.st - INTERVAL '1' MINUTE AND s.st")
    return out


# As in the documentation of Window Join: L1, L2, L3 and R1, R2, R3 in two windows of five minutes.
LEFT = table("lt", "row_time TIMESTAMP(3), num INT, id STRING", "12:02 1 L1\n12:06 2 L2\n12:03 3 L3\n12:04 - L4", ts="row_time", delay=300)
RIGHT = table("rt", "row_time TIMESTAMP(3), num INT, id STRING", "12:01 2 R2\n12:04 3 R3\n12:05 4 R4\n12:04 - R5", ts="row_time", delay=300)
TVF = "(SELECT * FROM TABLE(%s(TABLE %s, DESCRIPTOR(row_time), %s)))"


def windows():
    out = []

    def two(name, query, tables=(LEFT, RIGHT), **marks):
        out.append(ask(name, list(tables), query, interleaved=True, **marks))

    def sides(tvf, args):
        return TVF % (tvf, "lt", args), TVF % (tvf, "rt", args)

    both = "l.window_start = r.window_start AND l.window_end = r.window_end"
    shapes = (("TUMBLE", "INTERVAL '5' MINUTES"), ("HOP", "INTERVAL '5' MINUTES, INTERVAL '10' MINUTES"), ("CUMULATE", "INTERVAL '5' MINUTES, INTERVAL '10' MINUTES"))
    for tvf, args in shapes:
        left, right = sides(tvf, args)
        for kind in KINDS:
            two("%s window join, %s" % (kind, tvf), "SELECT l.num AS lnum, l.id AS lid, r.num AS rnum, r.id AS rid, COALESCE(l.window_start, r.window_start) AS ws, COALESCE(l.window_end, r.window_end) AS we FROM %s AS l %s JOIN %s AS r ON l.num = r.num AND %s" % (left, kind, right, both),
                note="docs: FULL OUTER" if tvf == "TUMBLE" and kind == "FULL" else None)
        two("semi window join with IN, %s" % tvf, "SELECT * FROM %s AS l WHERE l.num IN (SELECT num FROM %s AS r WHERE %s)" % (left, right, both), note="docs: SEMI")
        two("semi window join with EXISTS, %s" % tvf, "SELECT * FROM %s AS l WHERE EXISTS (SELECT * FROM %s AS r WHERE l.num = r.num AND %s)" % (left, right, both), note="docs: SEMI")
        two("anti window join with NOT IN, %s" % tvf, "SELECT * FROM %s AS l WHERE l.num NOT IN (SELECT num FROM %s AS r WHERE %s)" % (left, right, both), note="docs: ANTI; a null on the right leaves nothing in that window")
        two("anti window join with NOT EXISTS, %s" % tvf, "SELECT * FROM %s AS l WHERE NOT EXISTS (SELECT * FROM %s AS r WHERE l.num = r.num AND %s)" % (left, right, both), note="docs: ANTI")
    left, right = sides(*shapes[0])
    j = "SELECT l.id, r.id, l.window_start FROM %s AS l %s JOIN %s AS r ON %s"
    two("window join without a key", j % (left, "INNER", right, both))
    two("window join, residual condition", j % (left, "LEFT", right, both + " AND l.num = r.num AND r.id <> 'R3'"))
    two("window join, only window_start", j % (left, "INNER", right, "l.window_start = r.window_start AND l.num = r.num"), note="not a window join")
    two("window join, only window_end", j % (left, "INNER", right, "l.window_end = r.window_end AND l.num = r.num"))
    two("window join, with window_time", j % (left, "INNER", right, both + " AND l.window_time = r.window_time AND l.num = r.num"))
    two("window join of other windows", j % (left, "INNER", TVF % ("TUMBLE", "rt", "INTERVAL '10' MINUTES"), both + " AND l.num = r.num"))
    two("window join of other kinds", j % (left, "INNER", TVF % ("HOP", "rt", "INTERVAL '5' MINUTES, INTERVAL '5' MINUTES"), both + " AND l.num = r.num"))
    two("window join, star", "SELECT * FROM %s AS l JOIN %s AS r ON l.num = r.num AND %s" % (left, right, both))
    agg = "(SELECT window_start, window_end, num, COUNT(*) AS c FROM TABLE(TUMBLE(TABLE %s, DESCRIPTOR(row_time), INTERVAL '5' MINUTES)) GROUP BY window_start, window_end, num)"
    two("window join of window aggregates", "SELECT l.num, l.c, r.c, l.window_start FROM %s AS l JOIN %s AS r ON l.num = r.num AND %s" % (agg % "lt", agg % "rt", both), note="Nexmark q8")
    two("window join of a window with an aggregate", "SELECT l.id, l.num, r.c FROM %s AS l JOIN %s AS r ON l.num = r.num AND %s" % (left, agg % "rt", both))
    two("aggregate of a window join", "SELECT window_start, window_end, COUNT(*) AS c FROM (SELECT l.window_start, l.window_end, l.num FROM %s AS l JOIN %s AS r ON l.num = r.num AND %s) GROUP BY window_start, window_end" % (left, right, both))
    session = "(SELECT * FROM TABLE(SESSION(TABLE %s PARTITION BY num, DESCRIPTOR(row_time), INTERVAL '5' MINUTES)))"
    two("window join, SESSION", j % (session % "lt", "INNER", session % "rt", both + " AND l.num = r.num"))
    two("window join of changes", j % (left, "INNER", right, both + " AND l.num = r.num"), tables=(table("lt", "row_time TIMESTAMP(3), num INT, id STRING", "+ 12:02 1 L1\n- 12:02 1 L1", ts="row_time", changing=True), RIGHT))
    # Nexmark q5 and q7 in small.
    two("window join with the maximum of the window", "SELECT l.id, l.num, r.m FROM %s AS l JOIN (SELECT MAX(num) AS m, window_start, window_end FROM TABLE(TUMBLE(TABLE lt, DESCRIPTOR(row_time), INTERVAL '5' MINUTES)) GROUP BY window_start, window_end) AS r ON l.num >= r.m AND %s" % (left, both), tables=(LEFT,))
    two("stream joined with the maximum of the window", "SELECT b.id, b.num, r.we FROM lt AS b JOIN (SELECT MAX(num) AS m, window_end AS we FROM TABLE(TUMBLE(TABLE lt, DESCRIPTOR(row_time), INTERVAL '5' MINUTES)) GROUP BY window_start, window_end) AS r ON b.num = r.m WHERE b.row_time BETWEEN r.we - INTERVAL '5' MINUTES AND r.we", tables=(LEFT,), note="Nexmark q7")
    return out


# As in the documentation of temporal joins: orders and the rates of their currencies.
SALES = table("orders", "order_id STRING, price DECIMAL(32, 2), currency STRING, order_time TIMESTAMP(3)", """
o001 11.11 EUR 12:00
o002 12.51 EUR 12:06
o003 5.00 Yen 12:07
o004 1.00 EUR 11:00
o005 1.00 EUR 12:04
o006 1.00 - 12:04
o007 1.00 USD 12:04
o008 9.00 EUR 13:00
""", ts="order_time", delay=5400)
RATES = table("currency_rates", "currency STRING, conversion_rate DECIMAL(32, 2), update_time TIMESTAMP(3)", """
+ EUR 1.14 12:00
+ Yen 1.00 12:00
~ EUR 1.14 12:00 > EUR 1.10 12:05
- Yen 1.00 12:06
+ USD 0.90 12:30
""", ts="update_time", pk="currency", changing=True)
HISTORY = table("history", "currency STRING, conversion_rate DECIMAL(32, 2), update_time TIMESTAMP(3)", """
EUR 1.14 12:00
Yen 1.00 12:00
EUR 1.10 12:05
USD 0.90 12:30
EUR 1.20 12:04
""", ts="update_time", delay=5400)
VERSIONED = "CREATE TEMPORARY VIEW versioned AS SELECT currency, conversion_rate, update_time FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY currency ORDER BY update_time DESC) AS rn FROM history) WHERE rn = 1"


def versions():
    out = []
    j = "SELECT order_id, price, orders.currency, conversion_rate, order_time FROM orders %s JOIN %s FOR SYSTEM_TIME AS OF orders.order_time ON orders.currency = %s.currency"
    both = [SALES, RATES]
    views = [SALES, HISTORY]

    def two(name, tables, query, **marks):
        out.append(ask(name, tables, query, interleaved=True, **marks))

    two("docs: join with a versioned table", both, j % ("LEFT", "currency_rates", "currency_rates"))
    two("inner join with a versioned table", both, j % ("INNER", "currency_rates", "currency_rates"))
    two("docs: join with a versioned view", views, note="a rate that comes late for its time is not a version", query=j % ("INNER", "versioned", "versioned"), more=[VERSIONED])
    two("LEFT join with a versioned view", views, j % ("LEFT", "versioned", "versioned"), more=[VERSIONED])
    two("RIGHT join with a versioned table", both, j % ("RIGHT", "currency_rates", "currency_rates"))
    two("FULL join with a versioned table", both, j % ("FULL", "currency_rates", "currency_rates"))
    two("version join with a residual condition", both, (j % ("LEFT", "currency_rates", "currency_rates")) + " AND price > 5")
    two("version join with a condition on the version", both, (j % ("LEFT", "currency_rates", "currency_rates")) + " AND conversion_rate > 1.12")
    two("version join, alias", both, "SELECT o.order_id, r.conversion_rate, r.update_time FROM orders AS o JOIN currency_rates FOR SYSTEM_TIME AS OF o.order_time AS r ON o.currency = r.currency")
    two("version join, star", both, "SELECT * FROM orders AS o LEFT JOIN currency_rates FOR SYSTEM_TIME AS OF o.order_time AS r ON o.currency = r.currency")
    two("docs: converted amount", both, "SELECT order_id, price * conversion_rate AS amount FROM orders AS o JOIN currency_rates FOR SYSTEM_TIME AS OF o.order_time AS r ON o.currency = r.currency")
    two("aggregate of a version join", both, "SELECT SUM(price * conversion_rate) AS total FROM orders AS o JOIN currency_rates FOR SYSTEM_TIME AS OF o.order_time AS r ON o.currency = r.currency")
    two("window after a version join", both, "SELECT window_start, SUM(price * conversion_rate) AS total FROM TABLE(TUMBLE(TABLE j, DESCRIPTOR(order_time), INTERVAL '1' HOUR)) GROUP BY window_start, window_end", more=["CREATE TEMPORARY VIEW j AS SELECT price, conversion_rate, order_time FROM orders AS o JOIN currency_rates FOR SYSTEM_TIME AS OF o.order_time AS r ON o.currency = r.currency"])
    two("version join of changes", [table("orders", "order_id STRING, price DECIMAL(32, 2), currency STRING, order_time TIMESTAMP(3)", "+ o1 1 EUR 12:01\n~ o1 1 EUR 12:01 > o1 2 EUR 12:10\n+ o2 1 Yen 12:01\n- o2 1 Yen 12:01", ts="order_time", delay=5400, pk="order_id", changing=True), RATES], j % ("LEFT", "currency_rates", "currency_rates"))
    # Refused.
    two("no primary key", views, j % ("LEFT", "history", "history"))
    two("key is not that of the table", both, (j % ("LEFT", "currency_rates", "currency_rates")).replace("orders.currency = currency_rates.currency", "orders.price = currency_rates.conversion_rate"))
    two("no equality at all", both, (j % ("LEFT", "currency_rates", "currency_rates")).replace("orders.currency = currency_rates.currency", "orders.price > currency_rates.conversion_rate"))
    plain = table("orders", "order_id STRING, price DECIMAL(32, 2), currency STRING, order_time TIMESTAMP(3)", "o1 1 EUR 12:10")
    two("left side without a time attribute", [plain, RATES], j % ("LEFT", "currency_rates", "currency_rates"))
    nomark = table("currency_rates", "currency STRING, conversion_rate DECIMAL(32, 2), update_time TIMESTAMP(3)", "+ EUR 1.14 12:00", pk="currency", changing=True)
    two("versioned table without a watermark", [SALES, nomark], j % ("LEFT", "currency_rates", "currency_rates"))
    two("by processing time", both, "SELECT o.order_id, r.conversion_rate FROM (SELECT *, PROCTIME() AS p FROM orders) AS o JOIN currency_rates FOR SYSTEM_TIME AS OF o.p AS r ON o.currency = r.currency")
    two("AS OF the other side's time", both, "SELECT o.order_id, r.conversion_rate FROM orders AS o JOIN currency_rates AS r FOR SYSTEM_TIME AS OF r.update_time ON o.currency = r.currency")
    two("alias before FOR", both, "SELECT o.order_id, r.conversion_rate FROM orders AS o JOIN currency_rates AS r FOR SYSTEM_TIME AS OF o.order_time ON o.currency = r.currency")
    two("a query on the right", both, "SELECT o.order_id, r.conversion_rate FROM orders AS o JOIN (SELECT * FROM currency_rates) FOR SYSTEM_TIME AS OF o.order_time AS r ON o.currency = r.currency")
    two("a filtered view of a versioned table", both, "SELECT o.order_id, r.conversion_rate FROM orders AS o LEFT JOIN f FOR SYSTEM_TIME AS OF o.order_time AS r ON o.currency = r.currency", more=["CREATE TEMPORARY VIEW f AS SELECT currency, conversion_rate, update_time FROM currency_rates WHERE conversion_rate > 1"])
    two("a view that is not a deduplication", views, "SELECT o.order_id, r.m FROM orders AS o JOIN f FOR SYSTEM_TIME AS OF o.order_time AS r ON o.currency = r.currency", more=["CREATE TEMPORARY VIEW f AS SELECT currency, MAX(conversion_rate) AS m FROM history GROUP BY currency"])
    return out
