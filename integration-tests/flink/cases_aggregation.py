# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about unbounded aggregation: GROUP BY, DISTINCT, grouping sets, aggregates over changes."""
from cases_updating import ask, table

ORDERS = table("orders", "id INT, k STRING, v INT, d DECIMAL(10, 2), f DOUBLE", """
1 a 10 1.50 0.5
2 b 20 2.25 1.5
3 a 10 0.01 2.5
4 - 5 - 4.0
5 b - 9.99 -
6 a 30 1.50 0.5
7 - 7 1.00 8.0
8 c - - -
""")
NUMBERS = table("n", "id INT, i8 TINYINT, i16 SMALLINT, i32 INT, i64 BIGINT, f32 FLOAT, f64 DOUBLE, d DECIMAL(10, 2), d38 DECIMAL(38, 18), nn INT NOT NULL, s STRING, b BOOLEAN, dt DATE, ts TIMESTAMP(3)", """
1 100 30000 2147483647 9223372036854775807 0.5 0.5 99999999.99 1.5 1 b true 2024-01-02 1
2 27 2767 1 1 0.25 0.25 0.01 2.5 2 a false 2024-01-01 0
3 1 1 1 0 2.0 2.0 -0.02 0.000000000000000001 4 z - - -
4 - - - - - - - - 8 - - - -
5 -5 -5 -5 -5 -1.5 -1.5 -1.55 -1 2 '' true 1969-12-31 0.001
""")
# The same orders, then: order 1 changes its key and 3 its value, 5 is deleted, c's only order too.
CHANGES = table("ch", "id INT, k STRING, v INT, d DECIMAL(10, 2)", """
+ 1 a 10 1.50
+ 2 b 20 2.25
+ 3 a 10 0.01
+ 4 - 5 -
+ 5 b - 9.99
+ 8 c 1 1.00
~ 1 a 10 1.50 > 1 b 10 1.50
~ 3 a 10 0.01 > 3 a 12 0.01
- 5 b - 9.99
- 8 c 1 1.00
~ 3 a 12 0.01 > 3 a 12 0.01
""", pk="id", changing=True)
EMPTY = table("e", "id INT, k STRING, v INT", "")
SPLIT = {"table.optimizer.distinct-agg.split.enabled": "true"}
MINI = {"table.exec.mini-batch.enabled": "true", "table.exec.mini-batch.allow-latency": "1 h", "table.exec.mini-batch.size": "1000"}


def aggregation():
    out = []
    # As in the documentation of Group Aggregation.
    out.append(ask("docs: count of all", ORDERS, "SELECT COUNT(*) FROM orders"))
    out.append(ask("docs: SELECT SUM GROUP BY", ORDERS, "SELECT SUM(v) FROM orders GROUP BY k"))
    out.append(ask("docs: key and SUM", ORDERS, "SELECT k, SUM(v) AS total FROM orders GROUP BY k"))
    out.append(ask("docs: COUNT(DISTINCT)", ORDERS, "SELECT COUNT(DISTINCT v) FROM orders"))
    out.append(ask("docs: HAVING", ORDERS, "SELECT k, SUM(v) AS s FROM orders GROUP BY k HAVING SUM(v) > 20", note="a group comes when it passes the condition; it may go again"))
    suppliers = "(VALUES ('supplier1', 'product1', 4), ('supplier1', 'product2', 3), ('supplier2', 'product3', 3), ('supplier2', 'product4', 4)) AS p(supplier_id, product_id, rating)"
    for name, by in (("GROUPING SETS", "GROUPING SETS ((supplier_id, rating), (supplier_id), ())"), ("ROLLUP", "ROLLUP (supplier_id, rating)"), ("CUBE", "CUBE (supplier_id, rating, product_id)"),
                     ("CUBE as grouping sets", "GROUPING SETS ((supplier_id, product_id, rating), (supplier_id, product_id), (supplier_id, rating), (supplier_id), (product_id, rating), (product_id), (rating), ())")):
        q = "SELECT supplier_id, rating, %sCOUNT(*) AS total FROM %s GROUP BY %s" % ("product_id, " if "product" in by else "", suppliers, by)
        out.append(ask("docs: " + name, [], q))
    # Each aggregate over an append-only and over a changing input.
    each = ["COUNT(*)", "COUNT(v)", "COUNT(DISTINCT v)", "SUM(v)", "SUM(DISTINCT v)", "AVG(v)", "AVG(d)", "MIN(v)", "MAX(v)", "MIN(k)", "MAX(d)", "LISTAGG(CAST(v AS STRING))", "LISTAGG(CAST(v AS STRING), '|')", "LISTAGG(DISTINCT CAST(v AS STRING))",
            "FIRST_VALUE(v)", "LAST_VALUE(v)", "STDDEV_POP(v)", "STDDEV_SAMP(v)", "STDDEV(v)", "VAR_POP(v)", "VAR_SAMP(v)", "VARIANCE(v)", "COLLECT(v)", "COLLECT(DISTINCT v)", "ARRAY_AGG(v)", "ARRAY_AGG(DISTINCT v)", "JSON_OBJECTAGG(KEY CAST(id AS STRING) VALUE v)", "JSON_ARRAYAGG(v)", "JSON_ARRAYAGG(v NULL ON NULL)",
            "APPROX_COUNT_DISTINCT(v)", "PERCENTILE(v, 0.5)", "PERCENTILE(v, ARRAY[0, 0.5, 1])", "SINGLE_VALUE(v)", "BIT_AND(v)", "EVERY(v > 5)", "SUM0(v)", "ANY_VALUE(v)", "MODE(v)", "LISTAGG(CAST(v AS STRING)) WITHIN GROUP (ORDER BY id DESC)", "GROUP_CONCAT(k)", "STRING_AGG(k, ',')"]
    for a in each:
        for t in (ORDERS, CHANGES):
            n = "orders" if t is ORDERS else "ch"
            out.append(ask("%s of %s" % (a, "rows" if t is ORDERS else "changes"), t, "SELECT k, %s AS x FROM %s GROUP BY k" % (a, n)))
    for a in ("SUM(v)", "COUNT(*)", "MAX(v)", "COLLECT(v)", "COUNT(DISTINCT v)", "AVG(d)"):
        out.append(ask("%s of all, changes" % a, CHANGES, "SELECT %s AS x FROM ch" % a))
        out.append(ask("%s of nothing" % a, EMPTY, "SELECT %s AS x FROM e" % a.replace("(d)", "(v)"), note="a global aggregate of an empty input"))
    out.append(ask("GROUP BY of nothing", EMPTY, "SELECT k, COUNT(*) FROM e GROUP BY k"))
    out.append(ask("a condition that nothing meets", ORDERS, "SELECT COUNT(*) AS c, SUM(v) AS s FROM orders WHERE id > 100"))
    # Types.
    cols = ["i8", "i16", "i32", "i64", "f32", "f64", "d", "d38", "nn"]
    for f in ("SUM", "AVG", "STDDEV_POP", "VAR_SAMP"):
        out.append(ask("%s of each type" % f, NUMBERS, "SELECT %s FROM n" % ", ".join("%s(%s) AS %s" % (f, c, c) for c in cols)))
        out.append(ask("%s of each type, grouped" % f, NUMBERS, "SELECT nn > 3 AS g, %s FROM n GROUP BY nn > 3" % ", ".join("%s(%s) AS %s" % (f, c, c) for c in cols if c != "i64")))
    for f in ("MIN", "MAX", "FIRST_VALUE", "LAST_VALUE"):
        out.append(ask("%s of each type" % f, NUMBERS, "SELECT %s FROM n" % ", ".join("%s(%s) AS %s" % (f, c, c) for c in cols + ["s", "b", "dt", "ts"])))
    for t in ("STRING", "BOOLEAN", "DATE", "TIMESTAMP(3)"):
        for f in ("SUM", "AVG"):
            out.append(ask("%s of %s" % (f, t), NUMBERS, "SELECT %s(%s) FROM n" % (f, {"STRING": "s", "BOOLEAN": "b", "DATE": "dt"}.get(t, "ts"))))
    return out


def grouping():
    out = []
    # DISTINCT and FILTER.
    out.append(ask("DISTINCT with FILTER", ORDERS, "SELECT k, COUNT(DISTINCT v) AS a, COUNT(DISTINCT v) FILTER (WHERE v > 5) AS b, COUNT(DISTINCT v) FILTER (WHERE id < 3) AS c, SUM(DISTINCT v) FILTER (WHERE id > 1) AS e, COUNT(*) FILTER (WHERE v > 9) AS f FROM orders GROUP BY k"))
    out.append(ask("DISTINCT with FILTER, changes", CHANGES, "SELECT k, COUNT(DISTINCT v) AS a, COUNT(DISTINCT v) FILTER (WHERE v > 5) AS b, COUNT(DISTINCT v) FILTER (WHERE id < 3) AS c, COUNT(*) FILTER (WHERE v > 9) AS f FROM ch GROUP BY k"))
    out.append(ask("FILTER that gives null", ORDERS, "SELECT COUNT(*) FILTER (WHERE v > 8) AS a, SUM(v) FILTER (WHERE v > 100) AS b, MAX(v) FILTER (WHERE k = 'b') AS c FROM orders"))
    out.append(ask("DISTINCT of several columns", ORDERS, "SELECT COUNT(DISTINCT (k, v)) FROM orders"))
    out.append(ask("DISTINCT, two columns apart", ORDERS, "SELECT COUNT(DISTINCT k) AS a, COUNT(DISTINCT v) AS b, SUM(DISTINCT v) AS c, AVG(DISTINCT v) AS e FROM orders"))
    out.append(ask("DISTINCT split", ORDERS, "SELECT k, COUNT(DISTINCT v) AS a, SUM(v) AS b, COUNT(*) AS c FROM orders GROUP BY k", settings=SPLIT))
    out.append(ask("DISTINCT split, mini-batch", ORDERS, "SELECT k, COUNT(DISTINCT v) AS a, SUM(v) AS b, COUNT(*) AS c FROM orders GROUP BY k", settings=dict(SPLIT, **MINI)))
    out.append(ask("mini-batch", ORDERS, "SELECT k, SUM(v) AS b, COUNT(*) AS c FROM orders GROUP BY k", settings=MINI, note="one change per group: intermediate results are folded"))
    out.append(ask("mini-batch, one phase", ORDERS, "SELECT k, SUM(v) AS b, COUNT(*) AS c FROM orders GROUP BY k", settings=dict(MINI, **{"table.optimizer.agg-phase-strategy": "ONE_PHASE"})))
    out.append(ask("mini-batch, changes", CHANGES, "SELECT k, SUM(v) AS b, COUNT(*) AS c FROM ch GROUP BY k", settings=MINI, note="groups that come and go within a batch do not show"))
    out.append(ask("mini-batch, FIRST_VALUE and LISTAGG", ORDERS, "SELECT k, FIRST_VALUE(v) AS a, LAST_VALUE(v) AS b, LISTAGG(CAST(v AS STRING)) AS c FROM orders GROUP BY k", settings=MINI))
    # SELECT DISTINCT.
    out.append(ask("SELECT DISTINCT", ORDERS, "SELECT DISTINCT k, v FROM orders", note="insert-only"))
    out.append(ask("SELECT DISTINCT of one column", ORDERS, "SELECT DISTINCT k FROM orders"))
    out.append(ask("SELECT DISTINCT, changes", CHANGES, "SELECT DISTINCT k FROM ch"))
    out.append(ask("SELECT DISTINCT of aggregates", ORDERS, "SELECT DISTINCT c FROM (SELECT k, COUNT(*) AS c FROM orders GROUP BY k)"))
    out.append(ask("GROUP BY without an aggregate", ORDERS, "SELECT k FROM orders GROUP BY k"))
    # Grouping sets with their functions.
    g = "SELECT k, v, COUNT(*) AS c, GROUPING(k) AS gk, GROUPING(v) AS gv, GROUPING_ID(k, v) AS gid, GROUP_ID() AS i FROM orders GROUP BY %s"
    for by in ("GROUPING SETS ((k, v), (k), ())", "ROLLUP (k, v)", "CUBE (k, v)", "k, ROLLUP (v)", "GROUPING SETS ((k), (v))", "GROUPING SETS (k, v, ())", "ROLLUP (k), CUBE (v)", "GROUPING SETS ((k), (k))", "k, v"):
        out.append(ask("%s with GROUPING" % by, ORDERS, g % by, note="groups of null keys and of absent keys are not the same" if by == "CUBE (k, v)" else None))
    out.append(ask("GROUPING with several arguments", ORDERS, "SELECT k, GROUPING(k, v) AS g, COUNT(*) AS c FROM orders GROUP BY CUBE (k, v)"))
    out.append(ask("GROUPING of a column that is not grouped by", ORDERS, "SELECT GROUPING(v) FROM orders GROUP BY k"))
    out.append(ask("GROUPING without GROUP BY", ORDERS, "SELECT GROUPING(k) FROM orders"))
    out.append(ask("grouping sets, HAVING GROUPING", ORDERS, "SELECT k, COUNT(*) AS c FROM orders GROUP BY ROLLUP (k) HAVING GROUPING(k) = 1"))
    out.append(ask("grouping sets over changes", CHANGES, "SELECT k, SUM(v) AS s, COUNT(*) AS c FROM ch GROUP BY GROUPING SETS ((k), ())"))
    out.append(ask("grouping sets with DISTINCT", ORDERS, "SELECT k, COUNT(DISTINCT v) AS c, SUM(v) AS s FROM orders GROUP BY ROLLUP (k)"))
    # Names, keys and expressions.
    out.append(ask("GROUP BY an expression", ORDERS, "SELECT v / 10 AS t, COUNT(*) FROM orders GROUP BY v / 10"))
    out.append(ask("GROUP BY an alias", ORDERS, "SELECT v / 10 AS t, COUNT(*) FROM orders GROUP BY t"))
    out.append(ask("GROUP BY a position", ORDERS, "SELECT k, COUNT(*) FROM orders GROUP BY 1"))
    out.append(ask("GROUP BY a constant", ORDERS, "SELECT COUNT(*) FROM orders GROUP BY 'x'"))
    out.append(ask("GROUP BY ()", ORDERS, "SELECT COUNT(*) FROM orders GROUP BY ()"))
    out.append(ask("HAVING without GROUP BY", ORDERS, "SELECT SUM(v) AS s FROM orders HAVING COUNT(*) > 3"))
    out.append(ask("HAVING with an alias", ORDERS, "SELECT k, SUM(v) AS s FROM orders GROUP BY k HAVING s > 20"))
    out.append(ask("HAVING over changes", CHANGES, "SELECT k, SUM(v) AS s FROM ch GROUP BY k HAVING SUM(v) > 20"))
    out.append(ask("a column that is not grouped by", ORDERS, "SELECT k, v, COUNT(*) FROM orders GROUP BY k"))
    out.append(ask("an aggregate in WHERE", ORDERS, "SELECT k FROM orders WHERE SUM(v) > 1 GROUP BY k"))
    out.append(ask("an aggregate of an aggregate", ORDERS, "SELECT MAX(COUNT(*)) FROM orders GROUP BY k"))
    # Nested aggregation.
    inner = "(SELECT k, SUM(v) AS s, COUNT(*) AS c FROM orders GROUP BY k)"
    out.append(ask("nested: SUM of SUM", ORDERS, "SELECT SUM(s) AS x, COUNT(*) AS n FROM %s" % inner))
    out.append(ask("nested: histogram", ORDERS, "SELECT c, COUNT(*) AS n FROM %s GROUP BY c" % inner, note="keys change group: rows leave one group and enter another"))
    for a in ("MIN(s)", "MAX(s)", "AVG(s)", "LISTAGG(k)", "FIRST_VALUE(s)", "LAST_VALUE(s)", "COUNT(DISTINCT c)", "COLLECT(c)", "STDDEV_POP(s)", "ARRAY_AGG(c)"):
        out.append(ask("nested: %s" % a, ORDERS, "SELECT %s AS x FROM %s" % (a, inner)))
    out.append(ask("nested: filter on an aggregate", ORDERS, "SELECT k, s FROM %s WHERE s > 20" % inner))
    out.append(ask("nested: MAX of COUNT, three levels", ORDERS, "SELECT MAX(n) AS m FROM (SELECT c, COUNT(*) AS n FROM %s GROUP BY c)" % inner))
    # One change in, none out.
    out.append(ask("an update that changes nothing", ORDERS, "SELECT k, MAX(v) AS m FROM orders GROUP BY k", note="order 3 does not change a's maximum: no change is emitted without state TTL"))
    out.append(ask("an update that changes nothing, with state TTL", ORDERS, "SELECT k, MAX(v) AS m FROM orders GROUP BY k", settings={"table.exec.state.ttl": "1 h"}, note="with a TTL equal rows are emitted again"))
    # The input's own kinds.
    out.append(ask("SELECT of changes", CHANGES, "SELECT * FROM ch"))
    out.append(ask("SELECT of changes, filtered", CHANGES, "SELECT id, v FROM ch WHERE k = 'a'", note="an update whose one half is filtered"))
    out.append(ask("SELECT of changes without the key", CHANGES, "SELECT k FROM ch"))
    norm = {"table.exec.source.cdc-events-duplicate": "true"}
    twice = (CHANGES[0], CHANGES[1], CHANGES[2].split("\n", 1)[0] + "\n" + CHANGES[2])
    out.append(ask("changes normalised by key", twice, "SELECT * FROM ch", settings=norm, note="the first insert comes twice"))
    out.append(ask("changes normalised, aggregated", twice, "SELECT k, SUM(v) AS s FROM ch GROUP BY k", settings=norm))
    out.append(ask("changes not normalised, aggregated", twice, "SELECT k, SUM(v) AS s FROM ch GROUP BY k"))
    out.append(ask("changes normalised, filtered", twice, "SELECT id, v FROM ch WHERE v > 5", settings=norm, note="the filter may be pushed into the normalisation"))
    return out
