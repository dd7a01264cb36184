# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about functions that need a stream: CURRENT_WATERMARK, SOURCE_WATERMARK."""
from cases_updating import ask, table

EVENTS = "1 1 10\n2 2 12\n3 3 5\n4 4 60\n5 - 61\n6 6 60.5"
ROWS = table("w", "id INT, v INT, ts TIMESTAMP(3)", EVENTS, ts="ts", delay=2)
ZONED = table("w", "id INT, v INT, ts TIMESTAMP_LTZ(3)", EVENTS, ts="ts", delay=2)
FINE = table("w", "id INT, v INT, ts TIMESTAMP(6)", EVENTS, ts="ts")
PLAIN = table("w", "id INT, v INT, ts TIMESTAMP(3)", EVENTS)
CHANGES = table("ch", "id INT, k STRING, v INT", "+ 1 a 1\n+ 2 b 2\n~ 1 a 1 > 1 a 5\n- 2 b 2\n~ 1 a 5 > 1 - -\n+ 2 c 3", pk="id", changing=True)
APPEND = table("p", "id INT, v INT", "1 1\n2 -")
CODED = table("f", "op STRING, id INT, v INT", "I 1 1\nI 2 2\nB 1 1\nA 1 5\nD 2 2\nI 3 -")
MAPPING = "op_mapping => MAP['I', 'INSERT', 'B', 'UPDATE_BEFORE', 'A', 'UPDATE_AFTER', 'D', 'DELETE']"


def streams():
    out = []
    for name, rows in (("TIMESTAMP(3)", ROWS), ("TIMESTAMP_LTZ(3)", ZONED), ("TIMESTAMP(6)", FINE)):
        out.append(ask("CURRENT_WATERMARK of %s" % name, rows, "SELECT id, CURRENT_WATERMARK(ts) AS wm FROM w"))
    out.append(ask("CURRENT_WATERMARK as the filter of late rows", ROWS, "SELECT id, ts FROM w WHERE CURRENT_WATERMARK(ts) IS NULL OR ts > CURRENT_WATERMARK(ts)"))
    out.append(ask("late rows by CURRENT_WATERMARK", ROWS, "SELECT id, ts FROM w WHERE ts <= CURRENT_WATERMARK(ts)"))
    out.append(ask("CURRENT_WATERMARK in an expression", ROWS, "SELECT id, TIMESTAMPDIFF(SECOND, CURRENT_WATERMARK(ts), ts) AS behind, COALESCE(CURRENT_WATERMARK(ts), TIMESTAMP '1970-01-01 00:00:00') AS wm FROM w"))
    out.append(ask("CURRENT_WATERMARK of a column that is no time attribute", PLAIN, "SELECT CURRENT_WATERMARK(ts) AS wm FROM w"))
    out.append(ask("CURRENT_WATERMARK of a number", ROWS, "SELECT CURRENT_WATERMARK(v) AS wm FROM w"))
    out.append(ask("CURRENT_WATERMARK of an expression", ROWS, "SELECT CURRENT_WATERMARK(ts + INTERVAL '1' SECOND) AS wm FROM w"))
    out.append(ask("CURRENT_WATERMARK behind an aggregate", ROWS, "SELECT id, CURRENT_WATERMARK(MAX(ts)) AS wm FROM w GROUP BY id"))
    for name, argument in (("a choice", "CASE WHEN v > 1 THEN ts END"), ("COALESCE", "COALESCE(ts, TIMESTAMP '2024-01-01 00:00:00')"), ("another precision", "CAST(ts AS TIMESTAMP(6))"), ("a literal", "TIMESTAMP '2024-01-01 00:00:00'"), ("NULL", "CAST(NULL AS TIMESTAMP(3))"), ("PROCTIME", "PROCTIME()"), ("a text made a time", "TO_TIMESTAMP(CAST(ts AS STRING))"), ("a text", "'x'")):
        out.append(ask("CURRENT_WATERMARK of %s" % name, ROWS, "SELECT id, CURRENT_WATERMARK(%s) AS wm FROM w" % argument))
    out.append(ask("CURRENT_WATERMARK of a sum that is no time attribute", PLAIN, "SELECT CURRENT_WATERMARK(ts + INTERVAL '1' SECOND) AS wm FROM w"))
    out.append(ask("CURRENT_WATERMARK of a key", ROWS, "SELECT v, CURRENT_WATERMARK(ts) AS wm FROM w GROUP BY v, ts"))
    out.append(ask("CURRENT_WATERMARK of the first time", ROWS, "SELECT id, CURRENT_WATERMARK(MIN(ts)) AS wm FROM w GROUP BY id"))
    own = "CREATE TABLE z (id INT, ts %s, WATERMARK FOR ts AS %s) WITH ('connector'='filesystem','path'='${DIR}/w.json','format'='json')"
    for name, kind, expression, query in (("read", "TIMESTAMP(3)", "SOURCE_WATERMARK()", "SELECT * FROM z"), ("not needed", "TIMESTAMP(3)", "SOURCE_WATERMARK()", "SELECT id FROM z"), ("in windows", "TIMESTAMP(3)", "SOURCE_WATERMARK()", "SELECT window_start, COUNT(*) AS c FROM TABLE(TUMBLE(TABLE z, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end"),
                                          ("in an expression", "TIMESTAMP(3)", "SOURCE_WATERMARK() - INTERVAL '1' SECOND", "SELECT * FROM z"), ("with an argument", "TIMESTAMP(3)", "SOURCE_WATERMARK(ts)", "SELECT * FROM z"), ("of a number", "INT", "SOURCE_WATERMARK()", "SELECT * FROM z")):
        out.append(ask("SOURCE_WATERMARK, %s" % name, PLAIN, query, more=[own % (kind, expression)]))
    out.append(ask("SOURCE_WATERMARK in a query", ROWS, "SELECT SOURCE_WATERMARK() AS wm FROM w"))
    out.append(ask("SOURCE_WATERMARK of a sink", PLAIN, "INSERT INTO z SELECT id, ts FROM w", more=["CREATE TABLE z (id INT, ts TIMESTAMP(3), WATERMARK FOR ts AS SOURCE_WATERMARK()) WITH ('connector'='print')"]))
    return out
