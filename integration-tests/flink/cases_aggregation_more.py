# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about the aggregates that make JSON and bitmaps, and the last of the others."""
from cases_aggregation import CHANGES, EMPTY, MINI, NUMBERS, ORDERS
from cases_updating import ask, table

# Keys and values of each kind: null values, texts that need escapes.
VALUES = table("j", "id INT, g STRING, k STRING NOT NULL, v INT, s STRING, f DOUBLE, d DECIMAL(10, 2), b BOOLEAN, ts TIMESTAMP(3), a ARRAY<INT>", r"""
1 x one 1 a"b 1.5 1.50 true 1 [1,2]
2 x two - 中😀 - - - - -
3 y three 3 '' -0.5 99999999.99 false 2.5 []
4 x four 4 \ 1e300 0 true 3 [null]
5 - zero 0 - 0.0 -1.25 - 4 [5]
6 y 中 -6 {"x":1} 2 3.00 false 5 -
""")
# Numbers for bitmaps: some twice, negative ones, a null.
BITS = table("n", "id INT, g STRING, v INT, w INT", """
1 a 1 1
2 a 2 2
3 b 2 7
4 a 2 -
5 - 5 5
6 b -1 2147483647
7 a - -
8 c - -
9 a 65536 2
""")
# The same, of which some change and go.
BIT_CHANGES = table("nc", "id INT, g STRING, v INT", """
+ 1 a 1
+ 2 a 2
+ 3 b 2
+ 4 a 2
~ 1 a 1 > 1 a 9
- 2 a 2
~ 3 b 2 > 3 a 3
- 4 a 2
+ 5 b -
""", pk="id", changing=True)

JSON = ["JSON_OBJECTAGG(KEY k VALUE v)", "JSON_OBJECTAGG(KEY k VALUE v NULL ON NULL)", "JSON_OBJECTAGG(KEY k VALUE v ABSENT ON NULL)", "JSON_OBJECTAGG(k VALUE s)", "JSON_OBJECTAGG(k : f)", "JSON_OBJECTAGG(KEY k VALUE d)", "JSON_OBJECTAGG(KEY k VALUE b)", "JSON_OBJECTAGG(KEY k VALUE ts)",
        "JSON_OBJECTAGG(KEY k VALUE a)", "JSON_OBJECTAGG(KEY 'const' VALUE v)", "JSON_OBJECTAGG(KEY UPPER(k) VALUE v + 1)", "JSON_OBJECTAGG(KEY s VALUE v)", "JSON_OBJECTAGG(KEY k VALUE JSON_OBJECT('in' VALUE v))", "JSON_OBJECTAGG(KEY k VALUE JSON_ARRAY(v, s))", "JSON_OBJECTAGG(KEY v VALUE v)",
        "JSON_OBJECTAGG(KEY k VALUE JSON_STRING(s))", "JSON_OBJECTAGG(KEY k VALUE ROW(v, s))",
        "JSON_ARRAYAGG(v)", "JSON_ARRAYAGG(v NULL ON NULL)", "JSON_ARRAYAGG(v ABSENT ON NULL)", "JSON_ARRAYAGG(s)", "JSON_ARRAYAGG(f)", "JSON_ARRAYAGG(d)", "JSON_ARRAYAGG(b NULL ON NULL)", "JSON_ARRAYAGG(ts)", "JSON_ARRAYAGG(a)", "JSON_ARRAYAGG(k || '!')", "JSON_ARRAYAGG(JSON_OBJECT('k' VALUE k))",
        "JSON_ARRAYAGG(JSON_STRING(s))", "JSON_ARRAYAGG(ROW(v, s))", "JSON_ARRAYAGG(DISTINCT v)", "JSON_ARRAYAGG(v) FILTER (WHERE v > 1)", "JSON_ARRAYAGG(v ORDER BY v)", "JSON_OBJECTAGG(KEY k VALUE v) FILTER (WHERE v > 1)", "JSON_OBJECT('all' VALUE JSON_ARRAYAGG(v))", "JSON_ARRAYAGG(DATE '2024-01-01')"]
BITMAP = ["BITMAP_BUILD_AGG(v)", "BITMAP_BUILD_CARDINALITY_AGG(v)", "BITMAP_TO_ARRAY(BITMAP_BUILD_AGG(v))", "BITMAP_CARDINALITY(BITMAP_BUILD_AGG(v))", "BITMAP_TO_BYTES(BITMAP_BUILD_AGG(v))", "BITMAP_BUILD_AGG(DISTINCT v)", "BITMAP_BUILD_AGG(v) FILTER (WHERE v > 1)",
          "BITMAP_OR_AGG(BITMAP_BUILD(ARRAY[v, w]))", "BITMAP_AND_AGG(BITMAP_BUILD(ARRAY[v, w]))", "BITMAP_XOR_AGG(BITMAP_BUILD(ARRAY[v, w]))", "BITMAP_OR_CARDINALITY_AGG(BITMAP_BUILD(ARRAY[v, w]))", "BITMAP_AND_CARDINALITY_AGG(BITMAP_BUILD(ARRAY[v, w]))",
          "BITMAP_XOR_CARDINALITY_AGG(BITMAP_BUILD(ARRAY[v, w]))", "BITMAP_OR_AGG(BITMAP_BUILD(CASE WHEN v > 1 THEN ARRAY[v] END))", "BITMAP_AND_AGG(BITMAP_BUILD(CASE WHEN v > 1 THEN ARRAY[v] END))", "BITMAP_XOR_AGG(BITMAP_BUILD(CASE WHEN v > 1 THEN ARRAY[v] END))"]
REFUSED = ["BITMAP_BUILD_AGG(g)", "BITMAP_BUILD_AGG(CAST(v AS BIGINT))", "BITMAP_BUILD_AGG(CAST(v AS SMALLINT))", "BITMAP_OR_AGG(v)", "BITMAP_AND_AGG()", "BITMAP_BUILD_AGG(v, w)", "MAX(BITMAP_BUILD(ARRAY[v]))", "COUNT(BITMAP_BUILD(ARRAY[v]))", "COUNT(DISTINCT BITMAP_BUILD(ARRAY[v]))", "COLLECT(BITMAP_BUILD(ARRAY[v]))"]
WINDOW = "SELECT window_start, %s AS x FROM TABLE(TUMBLE(TABLE w, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end"


def aggregates():
    out = []
    for a in JSON:
        out.append(ask("%s by group" % a, VALUES, "SELECT g, %s AS x FROM j GROUP BY g" % a))
    for a in JSON[:3] + JSON[17:20]:
        out.append(ask("%s of all" % a, VALUES, "SELECT %s AS x FROM j" % a))
        out.append(ask("%s of nothing" % a, EMPTY, "SELECT %s AS x FROM e" % a.replace("KEY k", "KEY 'k'")))
        out.append(ask("%s of changes" % a, CHANGES, "SELECT k, %s AS x FROM ch GROUP BY k" % a.replace("KEY k", "KEY CAST(id AS STRING)")))
    out.append(ask("JSON_ARRAYAGG and JSON_OBJECTAGG together", VALUES, "SELECT g, JSON_ARRAYAGG(v) AS a, JSON_OBJECTAGG(KEY k VALUE v) AS o, COUNT(*) AS c FROM j GROUP BY g"))
    out.append(ask("JSON_OBJECTAGG, a key twice", VALUES, "SELECT g, JSON_OBJECTAGG(KEY g VALUE v) AS x FROM j WHERE g IS NOT NULL GROUP BY g"))
    out.append(ask("JSON_OBJECTAGG, a null key", VALUES, "SELECT JSON_OBJECTAGG(KEY s VALUE v) AS x FROM j WHERE g = 'y' OR s IS NULL"))
    out.append(ask("JSON_OBJECTAGG, a key that comes again", CHANGES, "SELECT JSON_OBJECTAGG(KEY CAST(v AS STRING) VALUE id) AS x FROM ch WHERE id IN (1, 2, 8)"))
    out.append(ask("JSON_ARRAYAGG, mini-batch", ORDERS, "SELECT k, JSON_ARRAYAGG(v) AS x FROM orders GROUP BY k", settings=MINI))
    out.append(ask("JSON_OBJECTAGG, mini-batch", ORDERS, "SELECT k, JSON_OBJECTAGG(KEY CAST(id AS STRING) VALUE d) AS x FROM orders GROUP BY k", settings=MINI))
    out.append(ask("JSON_ARRAYAGG in JSON_OBJECT", VALUES, "SELECT JSON_OBJECT('g' VALUE g, 'list' VALUE JSON_ARRAYAGG(s)) AS x FROM j GROUP BY g"))
    for a in BITMAP:
        out.append(ask("%s by group" % a, BITS, "SELECT g, %s AS x FROM n GROUP BY g" % a))
    for a in BITMAP[:2] + BITMAP[7:13]:
        out.append(ask("%s of all" % a, BITS, "SELECT %s AS x FROM n" % a))
        out.append(ask("%s of nothing" % a, BITS, "SELECT %s AS x FROM n WHERE id > 100" % a))
        out.append(ask("%s of changes" % a, BIT_CHANGES, "SELECT g, %s AS x FROM nc GROUP BY g" % a.replace("v, w", "v, 1")))
        out.append(ask("%s, mini-batch" % a, BITS, "SELECT g, %s AS x FROM n GROUP BY g" % a, settings=MINI))
    for a in REFUSED:
        out.append(ask("%s by group" % a, BITS, "SELECT g, %s AS x FROM n GROUP BY g" % a))
    out.append(ask("GROUP BY a bitmap", BITS, "SELECT COUNT(*) FROM n GROUP BY BITMAP_BUILD(ARRAY[v])"))
    out.append(ask("bitmaps of groups, united", BITS, "SELECT BITMAP_OR_AGG(x) AS u, BITMAP_AND_AGG(x) AS i FROM (SELECT g, BITMAP_BUILD_AGG(v) AS x FROM n GROUP BY g)"))
    out.append(ask("bitmaps over rows before", table("n", "id INT, v INT, ts TIMESTAMP(3)", "1 1 1\n2 2 2\n3 2 3\n4 - 4\n5 9 5", ts="ts"), "SELECT id, BITMAP_BUILD_AGG(v) OVER (ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS x FROM n"))
    windowed = table("w", "id INT, v INT, k STRING NOT NULL, ts TIMESTAMP(3)", "1 1 a 1\n2 2 b 2\n3 - c 3\n4 4 a 12\n5 4 b 13\n6 6 a 25", ts="ts")
    for a in ("JSON_ARRAYAGG(v)", "JSON_OBJECTAGG(KEY k VALUE v)", "BITMAP_BUILD_AGG(v)", "BITMAP_BUILD_CARDINALITY_AGG(v)", "BITMAP_XOR_AGG(BITMAP_BUILD(ARRAY[v]))"):
        out.append(ask("%s of windows" % a, windowed, WINDOW % a))
    # PERCENTILE beyond cases_aggregation.py.
    for a in ("PERCENTILE(i32, 0)", "PERCENTILE(i32, 1)", "PERCENTILE(i32, 0.25)", "PERCENTILE(i64, 0.5)", "PERCENTILE(f64, 0.9)", "PERCENTILE(d, 0.5)", "PERCENTILE(i32, 0.5, nn)", "PERCENTILE(i32, ARRAY[0.1, 0.9], nn)", "PERCENTILE(i32, -0.1)", "PERCENTILE(i32, 1.5)", "PERCENTILE(s, 0.5)", "PERCENTILE(i32, f64)", "PERCENTILE(i32, 0.5, -1)", "PERCENTILE(DISTINCT i16, 0.5)", "PERCENTILE(i16, 0.5) FILTER (WHERE nn > 1)"):
        out.append(ask("%s of all" % a, NUMBERS, "SELECT %s AS x FROM n" % a))
    # With frequencies, over rows that are taken back too.
    counted = table("c", "id INT, v INT, f INT", "1 10 1\n2 20 3\n3 - 5\n4 40 0\n5 50 -1\n6 60 -\n7 20 3\n8 30 2")
    for a in ("PERCENTILE(v, 0.5, f)", "PERCENTILE(v, 0.5, CAST(f AS BIGINT))", "PERCENTILE(v, 0.5, CAST(f AS DOUBLE))", "PERCENTILE(v, 0.5, CAST(f AS STRING))", "PERCENTILE(v, 0.5, 0)", "PERCENTILE(v, 0.5, 3)", "PERCENTILE(v, 0.5, CAST(NULL AS INT))", "PERCENTILE(DISTINCT v, 0.5, f)", "PERCENTILE(v, 0.5, f) FILTER (WHERE f > 1)", "PERCENTILE(v, ARRAY[0.5])",
              "PERCENTILE(v, ARRAY[0.0, 0.25, 0.5, 1.0], f)", "PERCENTILE(v, 0.5, f + 1)", "PERCENTILE(v, 0.5, 2147483647)", "PERCENTILE(v, 0.5, f, 1)", "PERCENTILE(v)", "PERCENTILE(ROW(v, f), 0.5)", "JSON_ARRAYAGG(v ORDER BY f DESC)", "JSON_ARRAYAGG(v ORDER BY nope)", "JSON_ARRAYAGG(v ORDER BY f, v DESC NULL ON NULL)", "JSON_ARRAYAGG(v NULL ON NULL) WITHIN GROUP (ORDER BY f)", "SUM0(v)", "`$SUM0`(v)", "$SUM0(v)", "`$SUM0`(v) FILTER (WHERE v > 100)"):
        out.append(ask("%s of counted values" % a, counted, "SELECT %s AS x FROM c" % a))
    taken = table("ch", "id INT, k STRING, v INT, f INT", "+ 1 a 1 1\n+ 2 a 10 3\n+ 3 a 5 2\n~ 2 a 10 3 > 2 a 10 1\n- 1 a 1 1\n+ 4 b 7 -1\n- 3 a 5 2\n- 2 a 10 1\n+ 5 b 8 2", pk="id", changing=True)
    for a in ("PERCENTILE(v, 0.5, f)", "PERCENTILE(v, ARRAY[0.25, 0.75], f)", "PERCENTILE(v, 0.5, f - 2)", "`$SUM0`(v)"):
        out.append(ask("%s of changing values" % a, taken, "SELECT k, %s AS x FROM ch GROUP BY k" % a))
    out.append(ask("PERCENTILE with frequencies of windows", windowed, WINDOW % "PERCENTILE(v, 0.5, id)"))
    return out
