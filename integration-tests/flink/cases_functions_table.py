# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about functions that need a stream: CURRENT_WATERMARK."""
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
    return out
