# Copyright the Tidegate authors. Licensed under the Apache License, Version 2.0.
"""What record.py asks about sinks that take changes: keys, upsert materialisation, ON CONFLICT, changes written to files."""
from cases_updating import ask, table

T = table("t", "id INT, k STRING, v INT", "1 a 10\n2 b 20\n3 a 30\n4 - 40\n5 b -")
# Orders 1 and 3 share the key a for a while; 1 leaves it, 3 is deleted, 2 and 4 share b at the end.
C = table("c", "id INT, k STRING, v INT", """
+ 1 a 10
+ 2 b 20
+ 3 a 30
~ 1 a 10 > 1 c 11
- 3 a 30
+ 4 b 40
~ 2 b 20 > 2 b 21
""", pk="id", changing=True)
CW = table("cw", "id INT, k STRING, v INT, ts TIMESTAMP(3)", """
+ 1 a 10 1
+ 2 b 20 2
+ 3 a 30 5
~ 1 a 10 1 > 1 c 11 9
- 3 a 30 5
+ 4 b 40 20
~ 2 b 20 2 > 2 b 21 30
""", ts="ts", pk="id", changing=True)
# A key goes from one order to another, within one watermark and never in two hands at once.
CN = table("cn", "id INT, k STRING, v INT, ts TIMESTAMP(3)", """
+ 1 a 10 1
~ 1 a 10 1 > 1 b 11 2
+ 2 a 20 9
- 2 a 20 9
+ 3 a 30 20
""", ts="ts", pk="id", changing=True)
L = table("l", "id INT, k STRING", "1 a\n2 b\n3 a\n4 c")
R = table("r", "rid INT, rk STRING", "1 a\n2 a\n3 b")
ON = ("", " ON CONFLICT DO DEDUPLICATE", " ON CONFLICT DO ERROR", " ON CONFLICT DO NOTHING")


def sink(columns, key=None, connector="'connector'='print'"):
    return "CREATE TABLE p (%s%s) WITH (%s)" % (columns, ", PRIMARY KEY (%s) NOT ENFORCED" % key if key else "", connector)


def sinks():
    out = []

    def one(name, tables, insert, columns="k STRING, n BIGINT", key="k", connector="'connector'='print'", **kw):
        out.append(ask(name, tables, insert, more=[sink(columns, key, connector)], **kw))

    count = "INSERT INTO p SELECT k, COUNT(*) FROM t WHERE k IS NOT NULL GROUP BY k"
    other = "INSERT INTO p SELECT k, CAST(v AS BIGINT) FROM c"
    for on in ON:
        one("key of the query is the key of the sink" + on, [T], count + on)
        one("another key" + on, [C], other + on)
        one("append-only into a key" + on, [T], "INSERT INTO p SELECT k, CAST(v AS BIGINT) FROM t WHERE k IS NOT NULL" + on)
        one("no key in the sink" + on, [T], count + on, key=None)
        one("a join by another key" + on, [L, R], "INSERT INTO p SELECT k, CAST(rid AS BIGINT) FROM l LEFT JOIN r ON k = rk" + on, interleaved=True)
        one("another key, with a watermark" + on, [CW], "INSERT INTO p SELECT k, CAST(v AS BIGINT) FROM cw" + on)
        one("another key without conflict, with a watermark" + on, [CN], "INSERT INTO p SELECT k, CAST(v AS BIGINT) FROM cn" + on)
    for mode in ("NONE", "AUTO", "FORCE"):
        one("upsert-materialize %s, same key" % mode, [T], count, settings={"table.exec.sink.upsert-materialize": mode})
        one("upsert-materialize %s, another key" % mode, [C], other, settings={"table.exec.sink.upsert-materialize": mode})
        one("upsert-materialize %s, another key, no ON CONFLICT required" % mode, [C], other, settings={"table.exec.sink.upsert-materialize": mode, "table.exec.sink.require-on-conflict": "false"})
    one("another key, no ON CONFLICT required", [C], other, settings={"table.exec.sink.require-on-conflict": "false"}, note="as Flink did before 2.3")
    one("changes by their own key", [C], "INSERT INTO p SELECT id, k FROM c", columns="id INT, k STRING", key="id")
    one("changes by a longer key", [C], "INSERT INTO p SELECT id, k FROM c", columns="id INT, k STRING", key="id, k")
    one("changes without a key", [C], "INSERT INTO p SELECT id, k FROM c", columns="id INT, k STRING", key=None)
    one("null into the key", [T], "INSERT INTO p SELECT k, COUNT(*) FROM t GROUP BY k")
    one("null into the key, DROP", [T], "INSERT INTO p SELECT k, COUNT(*) FROM t GROUP BY k", settings={"table.exec.sink.not-null-enforcer": "DROP"})
    one("changes to debezium-json files", [T], count, key=None, connector="'connector'='filesystem','path'='${DIR}/out','format'='debezium-json'", read=["out"], note="an update is a delete and an insert")
    one("changes of an outer join to debezium-json files", [T, R], "INSERT INTO p SELECT k, CAST(rid AS BIGINT) FROM t LEFT JOIN r ON k = rk WHERE id < 3", key=None, connector="'connector'='filesystem','path'='${DIR}/out','format'='debezium-json'", plan=False)
    for f in ("canal-json", "maxwell-json", "ogg-json"):
        one("changes to %s files" % f, [T], count, key=None, connector="'connector'='filesystem','path'='${DIR}/out','format'='%s'" % f, read=["out"])
    one("changes to blackhole", [T], count, connector="'connector'='blackhole'")
    one("INSERT with a column list and updates", [T], "INSERT INTO p (n, k) SELECT COUNT(*), k FROM t WHERE k IS NOT NULL GROUP BY k", key=None)
    one("INSERT of fewer columns", [T], "INSERT INTO p (k) SELECT k FROM t", key=None)
    one("Top-N with the rank into its key", [T], "INSERT INTO p SELECT * FROM (SELECT v, ROW_NUMBER() OVER (ORDER BY v DESC) AS rn FROM t) WHERE rn <= 2", columns="v INT, rn BIGINT", key="rn")
    one("SINK_KEYED shuffle of another key", [C], other + ON[1], settings={"table.exec.sink.keyed-shuffle": "FORCE"})
    # debezium-json as a source.
    lines = (
        ("op r is an insert", '{"before":null,"after":{"id":1,"k":"a"},"op":"r"}\n'),
        ("schema and payload", '{"schema":{},"payload":{"before":null,"after":{"id":1,"k":"a"},"op":"c"}}\n'),
        ("an unknown op", '{"before":null,"after":{"id":1,"k":"a"},"op":"x"}\n'),
        ("a missing op", '{"before":null,"after":{"id":1,"k":"a"}}\n'),
        ("an update without before", '{"before":null,"after":{"id":1,"k":"a"},"op":"u"}\n'),
        ("a delete without before", '{"before":null,"after":null,"op":"d"}\n'),
        ("an insert without after", '{"before":null,"after":null,"op":"c"}\n'),
        ("missing and more fields", '{"before":null,"after":{"id":1,"z":true},"op":"c","ts_ms":5,"source":{}}\n'),
        ("malformed", '{"before":null,"after":{"id":1\n'),
        ("an empty line", '\n{"before":null,"after":{"id":1,"k":"a"},"op":"c"}\n\n'),
        ("a null line", 'null\n'),
        ("a field of another type", '{"before":null,"after":{"id":"x","k":5},"op":"c"}\n'),
    )
    for name, text in lines:
        for options in ("", ",'debezium-json.ignore-parse-errors'='true'", ",'debezium-json.schema-include'='true'"):
            out.append(ask("debezium-json: %s%s" % (name, options), [("CREATE TABLE d (id INT, k STRING) WITH ('connector'='filesystem','path'='${DIR}/d.json','format'='debezium-json'%s)" % options, "d.json", text)], "SELECT * FROM d", plan=False))
    out.append(ask("debezium-json: metadata", [("CREATE TABLE d (id INT, t TIMESTAMP_LTZ(3) METADATA FROM 'ingestion-timestamp' VIRTUAL) WITH ('connector'='filesystem','path'='${DIR}/d.json','format'='debezium-json')", "d.json", lines[0][1])], "SELECT * FROM d", plan=False))
    return out
